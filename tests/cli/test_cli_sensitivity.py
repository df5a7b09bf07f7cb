"""vein2vein sensitivity on the command line: a small screening as a process, the same again, and bad input."""

import csv
import json
import subprocess
import sys

import pytest

from vein2vein.cli.main import main
from vein2vein.therapy.product import find_product

CALL = ["sensitivity", "--parameter", "rho", "--parameter", "FLC0", "--patients", "4", "--trajectories", "2"]
FILES = ("effects.csv", "influential.csv", "sensitivity.json")


def program(*args):
    done = subprocess.run([sys.executable, "-m", "vein2vein", *args], capture_output=True, text=True, timeout=900)
    return done.returncode, done.stdout, done.stderr


def test_a_screening_writes_its_tables_and_the_same_seed_gives_the_same(tmp_path, capsys):
    code, out, err = program(*CALL, "--json", "--jobs", "2", "--out", str(tmp_path / "a"))
    assert code == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    effects = [event for event in events if event["event"] == "effect"]
    assert len(effects) == 2 * 4 and {"mu_star", "sigma", "sign", "card", "value", "unit", "source", "how"} <= set(
        effects[0]
    )
    assert (effects[0]["outcome"], effects[0]["name"], effects[0]["card"]) == ("cmax", "rho", "tisagenlecleucel")
    assert effects[0]["value"] == find_product("tisagenlecleucel").parameters.values()["rho"]
    assert effects[0]["sign"] == "+" and effects[0]["basis"] == "calibrated"
    counts = next(event for event in events if event["event"] == "counts")
    listed = [event for event in events if event["event"] == "influential"]
    assert counts["numbers"] == counts["basis: calibrated"] == len(listed)
    assert counts["unsupported"] == 0 and not listed[0]["unsupported"]  # fitted to published rows, from a written prior
    assert [event["what"] for event in events if event["event"] == "file"] == ["Effects", "Influential numbers", "Data"]
    assert any(event["event"] == "progress" and "of 7 parameter sets" in event["stage"] for event in events)

    assert main([*CALL, "--quiet", "--jobs", "1", "--out", str(tmp_path / "b")]) == 0  # one process, in place of two
    said = capsys.readouterr()
    assert said.err == "" and len(said.out.splitlines()) == 5
    assert f"{len(listed)} most influential numbers of 2 varied (7 parameter sets of 4 patients)" in said.out
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    rows = list(csv.DictReader((tmp_path / "a" / "effects.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["mu_star"] for row in rows] == [repr(event["mu_star"]) for event in effects]
    data = json.loads((tmp_path / "a" / "sensitivity.json").read_text(encoding="utf-8"))
    assert data["provenance"] | {"version": ""} == {
        "version": "", "product": "tisagenlecleucel", "disease": "pediatric_b_all", "patients": 4, "trajectories": 2,
        "sets": 7, "numbers": 2, "seed": 1,
    }  # fmt: skip
    assert main([*CALL, "--quiet", "--out", str(tmp_path / "b")]) == 2
    assert "--force" in capsys.readouterr().err


def test_tables_for_people_show_what_each_number_rests_on(tmp_path, capsys):
    call = ["--outcome", "cmax", "--product", "axi-cel", "--disease", "lbcl", "--jobs", "1", "--top", "1"]
    call += ["--parameter", "KCN"]
    assert main([*CALL, *call, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "highest CAR-T level in blood (Cmax), in log10" in said and "complete response" not in said
    assert "axicabtagene_ciloleucel" in said and "calibrated" in said and "calibration_rows" in said
    assert "assumed or cite our own report" in said and "They rest on: label 0, read 0, calibrated" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--product", "kymria"], "unknown product 'kymria'; did you mean"),
        (["--disease", "lbc"], "unknown disease 'lbc'; did you mean"),
        (["--disease", "mm"], "tisagenlecleucel sees CD19"),
        (["--outcome", "crss"], "unknown outcome 'crss'; did you mean crs"),
        (["--parameter", "rhoo"], "unknown number of the cards 'rhoo'; did you mean rho"),
        (["--trajectories", "1"], "1 is not in the range 2<=x<=1000"),
        (["--patients", "1"], "1 is not in the range"),
        (["--top", "3", "--quiet"], "--top does nothing with --quiet"),
        (["--top", "3", "--json"], "--top does nothing with --json"),
    ],
)
def test_bad_input_is_one_sentence_before_anything_is_written(arguments, said, tmp_path, capsys):
    assert main(["sensitivity", *arguments, "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1 and not (tmp_path / "out").exists()
