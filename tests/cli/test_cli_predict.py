"""vein2vein predict and score on the command line."""

import json
import subprocess
import sys

import pytest

from vein2vein.cli.main import main

TRIAL = """
[trial]
name = "short"
title = "A short one"
disease = "pediatric_b_all"
product = "tisagenlecleucel"
policy = "early_conservative"
[size]
patients = 20
[visits]
watch_step = 0.5
watch_until = 10
follow_up = 35
disease_visits = [28]
kinetics_samples = [4, 7, 9, 11, 14, 28]
[endpoints]
scale = "penn"
until = "4 weeks"
responses = ["CR", "CRi"]
response_by = "35 days"
[[published]]
quantity = "CR_CRi_rate"
n = 15
unit = "%"
endpoint = "responded"
tolerance = 10
tolerance_kind = "points"
"""
CALL = ["predict", "short.toml", "--patients", "20", "--parameters", "typical", "--jobs", "1"]


@pytest.fixture
def trial(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.toml").write_text(TRIAL, encoding="utf-8")
    return tmp_path


def test_a_prediction_is_stamped_and_scored_later(trial, capsys):
    assert main(CALL) == 0
    said = capsys.readouterr().out
    assert "CR CRi rate" in said and "Stamp: short.stamp.toml" in said
    digest = said.split("Digest: ")[1].strip()
    assert f'digest = "{digest}"' in (trial / "short.stamp.toml").read_text(encoding="utf-8")
    (trial / "short.toml").write_text(TRIAL + 'value = 1\nconfidence = "read"\n', encoding="utf-8")
    assert main(["score", "short.stamp.toml", "short.toml"]) == 0
    said = capsys.readouterr().out
    assert "0 of 1 published values inside the stamped 90 % intervals." in said and "0 of 1 pass" in said
    assert main(["score", "short.stamp.toml", "short.toml", "--json"]) == 0
    row, score = map(json.loads, capsys.readouterr().out.splitlines())
    assert row["event"] == "row" and row["judged"] and row["published"] == 1 and not row["inside"]
    assert score["event"] == "score" and score["coverage"] == 0 and score["error"] == min(row["error"], 5)
    assert main(["score", "short.stamp.toml", "short.toml", "--quiet"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["check", "short.stamp.toml"]) == 0 and "stamp of a prediction" in capsys.readouterr().out
    stamp = (trial / "short.stamp.toml").read_text(encoding="utf-8")
    (trial / "short.stamp.toml").write_text(stamp.replace("seed = 1", "seed = 2"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "vein2vein", "score", "short.stamp.toml", "short.toml"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert "the stamp was changed" in done.stderr
    assert main(["check", "short.stamp.toml"]) == 1


def test_a_stamp_is_kept_without_force_and_told_to_machines(trial, capsys):
    (trial / "short.stamp.toml").write_text("mine", encoding="utf-8")
    assert main(CALL) == 2 and "--force" in capsys.readouterr().err
    assert main([*CALL, "--json", "--out", "a.toml"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (row,), (stamp,) = ([e for e in events if e["event"] == name] for name in ("row", "stamp"))
    assert row["quantity"] == "CR_CRi_rate" and row["low"] <= row["median"] <= row["high"]
    assert stamp["path"] == "a.toml" and stamp["rows"] == 1
    assert f'digest = "{stamp["digest"]}"' in (trial / "a.toml").read_text(encoding="utf-8")
    assert main([*CALL, "--quiet", "--force"]) == 0
    assert capsys.readouterr().out.count("\n") == 2


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["predict", "eliana"], "every row has its value already"),
        (["predict", "none.toml"], "no such file"),
        (["score", "none.toml", "short.toml"], "no such file"),
        (["score", "short.toml", "short.toml"], "is no stamp of a prediction"),
        (["score", "short.toml"], "Missing argument 'PUBLISHED'"),
    ],
)
def test_bad_input_is_one_sentence(trial, capsys, call, said):
    assert main(call) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert said in told
