"""vein2vein qualify and compare on the command line."""

import json

import pytest

from vein2vein.cli.main import main
from vein2vein.inference import posterior

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
value = 80
n = 15
unit = "%"
confidence = "read"
endpoint = "responded"
tolerance = 10
tolerance_kind = "points"
[[published]]
quantity = "CRS_any_rate"
value = 77
n = 15
unit = "%"
confidence = "memory"
endpoint = "crs"
grade = 1
tolerance = 10
tolerance_kind = "points"
"""


@pytest.fixture
def trial(tmp_path):
    file = tmp_path / "short.toml"
    file.write_text(TRIAL, encoding="utf-8")
    return file


def test_qualify_scores_what_was_read_and_writes_report_and_data(trial, tmp_path, capsys):
    call = ["qualify", str(trial), "--patients", "20", "--parameters", "typical", "--jobs", "1"]
    assert main([*call, "--out", str(tmp_path / "out"), "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    rows = [e for e in events if e["event"] == "row"]
    assert [r["quantity"] for r in rows] == ["CR_CRi_rate"]  # recalled figures are not scored
    assert rows[0]["low"] <= rows[0]["simulated"] <= rows[0]["high"]
    assert rows[0]["baseline"] is not None  # of the bundled trials
    (overall,) = [e for e in events if e["event"] == "score" and e["of"] == "all"]
    assert overall["rows"] == 1 and overall["passed"] == int(rows[0]["passed"])
    data = json.loads((tmp_path / "out" / "qualification.json").read_text(encoding="utf-8"))
    assert data["rows"][0]["quantity"] == "CR_CRi_rate" and data["provenance"]["seed"] == 1
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert '<th scope="row">CR/CRi<small>' in page and "<svg" in page


def test_qualify_is_quiet_on_request_and_does_not_overwrite(trial, tmp_path, capsys):
    call = ["qualify", str(trial), "--patients", "20", "--out", str(tmp_path / "out"), "--quiet"]
    call += ["--parameters", "typical", "--jobs", "1"]
    assert main(call) == 0
    said = capsys.readouterr().out
    assert "In all" in said and "CRi rate" not in said
    assert main(call) == 2
    assert "--force" in capsys.readouterr().err


def test_qualify_without_a_sample_that_fits_says_so_and_uses_the_cards(trial, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(posterior, "bundled", lambda: tmp_path / "none.csv")
    call = ["qualify", str(trial), "--patients", "20", "--jobs", "1", "--quiet", "--out", str(tmp_path / "out")]
    assert main(call) == 0
    assert "no posterior sample" in capsys.readouterr().err
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "typical: as on the cards" in page
    assert main([*call, "--parameters", "posterior", "--force"]) == 2
    assert "no posterior sample" in capsys.readouterr().err


def test_qualify_names_the_nearest_trial(capsys):
    assert main(["qualify", "julliet"]) == 2
    assert "juliet" in capsys.readouterr().err


def test_compare_shows_the_difference_of_two_doses(trial, tmp_path, capsys):
    call = ["compare", "--trial", str(trial), "--dose", "1e6/kg", "--dose", "5e6/kg", "--patients", "20"]
    call += ["--parameters", "typical"]
    assert main([*call, "--out", str(tmp_path / "out"), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    rows = [r for r in rows if r["event"] == "row"]
    crs = next(r for r in rows if r["quantity"] == "CRS")
    assert crs["difference"] == pytest.approx(crs["second"] - crs["first"])
    assert crs["low"] <= crs["difference"] <= crs["high"]
    assert "<svg" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "two trials"),
        (["eliana"], "expected two"),
        (["--trial", "eliana"], "the same"),
        (["--trial", "eliana", "--product", "tisa-cel"], "the same"),
        (["--trial", "eliana", "--product", "tisa-cel", "--product", "obe-cell"], "obe-cel"),
        (["--trial", "eliana", "--dose", "1", "--dose", "2", "--dose", "3"], "3 times"),
        (["eliana", "zuma_1", "--patients", "10"], "two diseases"),
    ],
)
def test_compare_says_what_is_wrong(arguments, said, capsys, tmp_path):
    assert main(["compare", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
