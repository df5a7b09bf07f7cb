"""vein2vein respond on visits as a clinic keeps them: relapse, confirmation, new therapy, competing events."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from vein2vein.cli import main

HEADS = "patient,day,marrow_blasts [%],neutrophils [10^9/L],platelets [10^9/L],extramedullary,b_cells [cells/uL],"
LEUKEMIA = f"""\
{HEADS}b_cell_percent [%],alive,new_therapy
A,-10,60,,,,,,1,
A,28,1,1.5,140,0,0,0,1,
A,90,7,1.5,140,0,0,0,1,
B,-10,60,,,,,,1,
B,28,1,0.6,60,,0,0,1,
B,60,,,,1,0,0,1,
C,-10,50,,,,,,1,
C,28,1,1.6,160,0,0,0,1,
C,90,1,1.6,160,0,60,5,1,
C,120,1,1.6,160,0,80,6,1,
C,180,1,1.6,160,0,90,6,1,1
C,240,1,1.6,160,0,90,6,1,
D,-10,50,,,,,,1,
D,28,1,1.6,160,0,0,0,1,
D,100,,,,,,,0,
"""


@pytest.fixture
def respond(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(text, criteria, *more):
        Path("v.csv").write_text(text, encoding="utf-8")
        with CliRunner().isolation() as (out, err, _):
            code = main.main(["respond", "v.csv", "--criteria", criteria, "--json", *more])
            assert code == 0, err.getvalue()
            return code, [json.loads(line) for line in out.getvalue().decode().splitlines()]

    return run


def _visits(told):
    return {(one["id"], one["day"]): one for one in told if one["event"] == "visit"}


def test_disease_after_a_remission_is_a_relapse_with_its_reason(respond):
    code, told = respond(LEUKEMIA, "all")
    visits = _visits(told)
    assert code == 0
    assert visits["A", 90]["response"] == "relapse"
    assert visits["A", 90]["reasons"] == ["marrow blasts 7 %", "after CR on day 28"]
    assert visits["B", 60]["response"] == "relapse"
    assert visits["B", 60]["reasons"] == ["marrow not examined", "extramedullary disease", "after CRi on day 28"]
    assert visits["B", 28]["missing"] == ["extramedullary"]
    assert all(one["reasons"] for one in visits.values())


def test_new_therapy_censors_pfs_in_a_second_reading(respond):
    _, told = respond(LEUKEMIA, "all")
    people = {one["id"]: one for one in told if one["event"] == "patient"}
    other = people["C"]
    assert (other["pfs_day"], other["pfs_event"]) == (240, False)
    assert (other["new_therapy_day"], other["pfs_censored_day"], other["pfs_censored_event"]) == (180, 180, False)
    assert (people["A"]["pfs_censored_day"], people["A"]["pfs_censored_event"]) == (90, True)


def test_competing_events_stand_beside_the_numbers_at_risk(respond):
    """Of four responders two relapse (days 62 and 32 after response) and one dies first (72)."""
    _, told = respond(LEUKEMIA, "all", "--out", "r")
    risk = [one for one in told if one["event"] == "at_risk" and one["month"] == 3]
    by = {(one["what"].split()[0], one["first"]): one for one in risk}
    assert by["relapse", "relapse or progression"]["share"] == pytest.approx(0.5)
    assert by["relapse", "death first"]["share"] == pytest.approx(0.25)
    assert by["return", "return of B cells"]["share"] == pytest.approx(0.25)
    assert {one["at_risk"] for one in risk} == {1}
    with open("r/at_risk.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["at_risk"] for row in rows if float(row["month"]) == 0} == {"4"}
    assert all(row["low"] != "nan" for row in rows)


def test_a_myeloma_response_says_whether_it_is_confirmed(respond):
    text = "patient,day,m_protein [g/L],urine_m_protein [mg/day]\n"
    text += "M,-5,40,0\nM,28,3,0\nM,60,15,0\nM,90,16,0\nN,-5,40,0\nN,28,3,0\nN,56,3,0\n"
    _, told = respond(text, "imwg")
    visits = _visits(told)
    confirmed = {key: one["confirmed"] for key, one in visits.items()}
    assert confirmed == {("M", 28): False, ("M", 60): True, ("M", 90): True, ("N", 28): True, ("N", 56): False}
    people = {one["id"]: one for one in told if one["event"] == "patient"}
    assert (people["M"]["best"], people["M"]["best_confirmed"]) == ("VGPR", "")
    assert (people["N"]["best"], people["N"]["best_confirmed"]) == ("VGPR", "VGPR")


def test_visits_that_do_not_stand_by_day_are_told_in_a_sentence(respond):
    text = "patient,day,marrow_blasts [%],alive\nA,-10,60,1\nA,90,1,1\nA,28,1,1\nB,-10,50,1\nB,20,,0\nB,28,1,\n"
    code, told = respond(text, "all")
    notes = [one["text"] for one in told if one["event"] == "note"]
    assert code == 0
    assert any("the visit of day 28 (line 4) stands after that of day 90 (line 3)" in one for one in notes)
    assert any("patient B: a visit of day 28 (line 7) is dated after the death of day 20" in one for one in notes)
