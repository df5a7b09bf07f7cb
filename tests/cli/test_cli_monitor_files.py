"""Files that vein2vein monitor writes on request: episodes, adverse events of SDTM, the sheet for the handover."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from vein2vein.cli import main

RECORD = """\
patient,time,analyte,value,unit
{0},,age,50,years
{0},,weight,70,kg
{0},,allergies,penicillin: rash,
{0},2026-03-01 10:00,car_t_infusion,1e8,cells
{0},2026-03-03 06:00,temperature,39,degC
{0},2026-03-03 06:00,SBP,120,mmHg
{0},2026-03-03 06:00,oxygen device,room air,
{0},2026-03-03 12:00,tocilizumab,560,mg
{0},2026-03-03 18:00,temperature,36.8,degC
{0},2026-03-03 18:00,SBP,120,mmHg
{0},2026-03-03 18:00,oxygen device,room air,
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("one.csv").write_text(RECORD.format("Mary"), encoding="utf-8")
    both = RECORD.format("Mary") + RECORD.format("John").partition("\n")[2]
    Path("two.csv").write_text(both, encoding="utf-8")


def run(*args):
    with CliRunner().isolation() as (out, err, _):
        code = main.main([str(a) for a in args])
        return code, out.getvalue().decode(), err.getvalue().decode()


def table(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


FILES = ("--episodes", "e.csv", "--sdtm-ae", "ae.csv", "--handover", "h.html")


@pytest.mark.parametrize(("record", "people"), [("one.csv", ["Mary"]), ("two.csv", ["Mary", "John"])])
def test_every_patient_has_a_row_an_event_and_a_sheet(record, people):
    code, _, err = run("monitor", record, "--out", "o", "--quiet", *FILES, "--study", "T1")
    assert code == 0, err
    episodes, events = table("e.csv"), table("ae.csv")
    assert [one["id"] for one in episodes] == people == [one["USUBJID"].removeprefix("T1-") for one in events]
    for one in episodes:
        assert (one["onset"], one["peak"], one["resolved"]) == ("2026-03-03 06:00", "1", "2026-03-03 18:00")
        assert (one["tocilizumab_hours"], one["steroid_hours"]) == ("6", "")
    assert {one["AETOXGR"] for one in events} == {"1"} and {one["AEOUT"] for one in events} == {"RECOVERED/RESOLVED"}
    assert {one["QVAL"] for one in table("ae-supp.csv") if one["QNAM"] == "TOCIHRS"} == {"6"}
    text = Path("h.html").read_text(encoding="utf-8")
    assert text.count('<article class="sheet">') == len(people) and all(f"Patient {name}" in text for name in people)


def test_without_identifiers_neither_dates_nor_words_of_the_record():
    code, out, err = run("monitor", "one.csv", "--deidentify", "--out", "o", *FILES)
    assert code == 0
    written = "".join(Path(name).read_text(encoding="utf-8") for name in ("e.csv", "ae.csv", "ae-supp.csv", "h.html"))
    for secret in ("Mary", "2026", "03-03", "penicillin"):
        assert secret not in written
    assert table("ae.csv")[0]["AESTDTC"] == "" and table("ae.csv")[0]["AESTDY"] == "3"
    assert "dates are not known" in out + err and "--study" in out + err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--study", "T1"), "--study does nothing without --sdtm-ae"),
        (("--episodes", "x.csv", "--sdtm-ae", "x.csv"), "two files are to be written to x.csv"),
        (("--episodes", "x-supp.csv", "--sdtm-ae", "x.csv"), "x-supp.csv"),
        (("--handover", "no/such/h.html"), "no/such"),
        (("--episodes", "one.csv"), "one.csv"),
    ],
)
def test_what_cannot_be_written_is_said_in_a_sentence_before_anything_is_graded(more, says):
    code, out, err = run("monitor", "one.csv", "--out", "o", *more)
    assert (code, out) == (2, "") and says in err and err.count("\n") == 1
    assert not Path("o").exists()
