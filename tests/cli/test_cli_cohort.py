"""vein2vein monitor and respond of many patients, run for real in an empty folder."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vein2vein.cli import main
from vein2vein.cli.monitor_cohort import file_names

HEADER = "patient,day,analyte,value,unit\n"
TWO = (
    HEADER
    + """\
P2,0,car_t_infusion,1e8,cells
P2,3,temperature,36.8,degC
P2,3,SBP,120,mmHg
P2,3,oxygen device,room air,
P10,0,car_t_infusion,1e8,cells
P10,3,temperature,39.5,degC
P10,3,SBP,78,mmHg
P10,3,oxygen device,ventilator,
P10,3,FiO2,0.6,
P10,3,norepinephrine,20,ug/min
"""
)


def run(*args):
    """Run in this process: (exit code, stdout, stderr)."""
    with CliRunner().isolation() as (out, err, _):
        code = main.main([str(a) for a in args])
        return code, out.getvalue().decode(), err.getvalue().decode()


def events(out, kind=None):
    found = [json.loads(line) for line in out.splitlines()]
    return [one for one in found if kind in (None, one["event"])]


def table(path):
    return list(csv.DictReader(Path(path).read_text(encoding="utf-8").splitlines()))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("two.csv").write_text(TWO, encoding="utf-8")


def test_two_patients_are_one_list_with_their_ids_everywhere():
    code, out, _ = run("monitor", "two.csv", "--out", "ward")
    assert code == 0 and out.index("P10") < out.index("P2 ") and "Neurotoxicity (ICANS)" not in out
    assert {p.name for p in Path("ward").iterdir()} == {
        "index.html", "findings.csv", "report-P2.html", "report-P10.html", "findings-P2.fhir.json",
        "findings-P10.fhir.json",
    }  # fmt: skip
    page = Path("ward/index.html").read_text(encoding="utf-8")
    assert page.index('href="report-P10.html"') < page.index('href="report-P2.html"')
    assert "Patient P10" in Path("ward/report-P10.html").read_text(encoding="utf-8")
    rows = table("ward/findings.csv")
    assert {row["id"] for row in rows} == {"P2", "P10"} and len({row["patient"] for row in rows}) == 2
    assert any(row["id"] == "P10" and row["finding"] == "crs_astct" and row["grade"] == "4" for row in rows)
    bundle = json.loads(Path("ward/findings-P10.fhir.json").read_text())
    assert bundle["entry"][0]["resource"]["identifier"] == [{"value": "P10"}]


def test_machines_are_told_the_id_beside_the_number():
    told = events(run("monitor", "two.csv", "--json")[1])
    assert [one["id"] for one in told if one["event"] == "ward"] == ["P10", "P2"]
    assert [(one["rank"], one["last_reading"]) for one in told if one["event"] == "ward"] == [(4, ""), (0, "")]
    by_patient = [one for one in told if "patient" in one and "file" not in one]
    assert {(one["patient"], one["id"]) for one in by_patient} == {(0, "P2"), (1, "P10")}
    assert {"finding", "today", "day", "missing"} <= {one["event"] for one in by_patient}
    (read,) = [one for one in told if one["event"] == "read"]
    assert (read["read"], read["set_aside"], read["patients"]) == (10, 0, 2)


def test_no_pages_of_several_patients_without_a_folder():
    assert run("monitor", "two.csv")[0] == 0 and not Path("vein2vein-results").exists()


def test_one_patient_of_many_is_shown_whole():
    code, out, _ = run("monitor", "two.csv", "--patient", "P10", "--out", "one")
    assert code == 0 and "Patient P10: today, day 3" in out and "Day by day" in out
    assert {p.name for p in Path("one").iterdir()} == {"report.html", "findings.csv", "findings.fhir.json"}
    code, _, err = run("monitor", "two.csv", "--patient", "P1")
    assert code == 2 and "P10" in err and err.count("\n") == 1
    code, out, _ = run("monitor", "two.csv", "--patient", "P2", "--patient", "P10")
    assert code == 0 and "Patient P2: today" in out and "Patient P10: today" in out


def test_a_deidentified_cohort_has_numbers():
    dated = TWO.replace("patient,day", "patient,time").replace(",0,", ",2026-03-05 10:00,")
    Path("Doe.csv").write_text(dated.replace(",3,", ",2026-03-08 10:00,").replace("P10", "Doe").replace("P2", "Roe"))
    code, out, err = run("monitor", "Doe.csv", "--deidentify", "--out", "bare")
    assert code == 0
    texts = [out, err, *(p.name + p.read_text(encoding="utf-8") for p in Path("bare").iterdir())]
    assert not [text for text in texts if "Doe" in text or "Roe" in text or "2026-03" in text]
    assert {"report-0.html", "report-1.html", "record.csv"} <= {p.name for p in Path("bare").iterdir()}


def test_a_deidentified_folder_names_no_file_and_no_other_patient():
    place = Path("records")
    place.mkdir()
    for name in ("Meier_Hans_1944", "Roe_Jane_1950"):
        (place / f"{name}.csv").write_text("day,analyte,value,unit\n0,car_t_infusion,1e8,cells\n3,CRP,5,mg/L\n")
    (place / "Meier_letter.docx").write_text("letter")
    (place / "Meier_junk.csv").write_text("nothing of use\n")
    args = ("monitor", "records", "--deidentify", "--out", "bare")
    for more in (("--json",), ("--force",)):
        code, out, err = run(*args, *more)
        assert code == 0 and "Meier" not in out + err and "Roe" not in out + err
    assert "file 1" in out and "file 3" in out
    told = events(run(*args, "--json", "--force")[1], "progress")
    assert [one["stage"] for one in told][:3] == ["file 1 of 3", "file 2 of 3", "file 3 of 3"]
    assert not [path for path in Path("bare").iterdir() if "Meier" in path.name + path.read_text(encoding="utf-8")]
    code, _, err = run(*args, "--patient", "Meier_Hans", "--force")
    assert code == 2 and "'Meier_Hans'" in err and "1944" not in err and "Roe" not in err
    assert run(*args, "--patient", "Meier_Hans_1944", "--force")[0] == 0
    assert "Meier_letter.docx" in run("monitor", "records")[2]


def test_names_and_grades_are_never_broken_in_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = TWO.replace("P10", "Meier_Hans_1944").replace("patient,day", "patient,time")
    Path("n.csv").write_text(text.replace(",0,", ",2026-03-05 10:00,").replace(",3,", ",2026-03-08 10:00,"))
    _, out, _ = run("monitor", "n.csv", "--age", 50)
    first = next(line for line in out.splitlines() if "Meier" in line)
    assert first.split()[:3] == ["Meier_Hans_1944", "day", "3"] and "4" in first.split()[3:] and "due" in out
    assert "2026-03-08" in out and max(map(len, out.splitlines())) <= 80
    _, out, _ = run("monitor", "n.csv", "--age", 50, "--patient", "Meier_Hans_1944", "--out", "one")
    days = out[out.index("Day by day") :].splitlines()
    assert any(line.split()[:3] == ["3", "2026-03-08", "4"] for line in days) and "On no day gradable" in out


def test_a_patient_without_an_id_is_shown_as_ever():
    Path("one.csv").write_text("\n".join(line.partition(",")[2] for line in TWO.splitlines() if "P10" not in line))
    code, out, _ = run("monitor", "one.csv", "--out", "one")
    assert code == 0 and out.startswith("today, day 3") and "Patient 0" in Path("one/report.html").read_text()
    assert {row["id"] for row in table("one/findings.csv")} == {""}


def test_a_folder_with_broken_files_is_graded_in_one_command():
    place = Path("records")
    place.mkdir()
    (place / "two.csv").write_text(TWO)
    (place / "doe.csv").write_text("day,analyte,value,unit\n0,car_t_infusion,1e8,cells\n1,temperature,39,degC\n")
    (place / "junk.csv").write_text("nothing of use\n")
    done = subprocess.run(
        [sys.executable, "-m", "vein2vein", "monitor", "records", "--out", "ward"],
        capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "junk.csv could not be read" in done.stderr and "doe" in done.stdout and "junk.csv" in done.stdout
    assert len(list(Path("ward").glob("report-*.html"))) == 3
    (place / "two.csv").unlink()
    (place / "doe.csv").unlink()
    code, out, err = run("monitor", "records")
    assert code == 2 and out == "" and "none of its 1 files" in err


def test_a_patient_without_day_0_is_told_by_id_and_the_others_are_graded():
    Path("r.csv").write_text(
        "patient,time,analyte,value,unit\nA,2026-03-05,car_t_infusion,1e8,cells\nA,2026-03-06,CRP,5,mg/L\n"
        "C,2026-03-06,CRP,5,mg/L\nB,2026-03-05,car_t_infusion,1e8,cells\n"
    )
    code, out, err = run("monitor", "r.csv")
    assert code == 0 and out.index("Not graded") < out.index("Ward list") and "'C' is not graded" in err
    code, _, err = run("monitor", "r.csv", "--patient", "C")
    assert code == 2 and "day 0 is missing" in err


def test_many_patients_go_side_by_side_and_give_the_same(monkeypatch):
    lines = [HEADER.strip()]
    for i in range(6):
        lines += [f"N{i},0,car_t_infusion,1e8,cells", f"N{i},{i + 1},temperature,{37 + i % 3},degC"]
    Path("many.csv").write_text("\n".join(lines) + "\n")
    alone = run("monitor", "many.csv", "--json")[1]
    monkeypatch.setattr("vein2vein.cli.monitor_cohort.MANY", 2)
    monkeypatch.setattr("vein2vein.cli.monitor_cohort.cpu_count", lambda: 2)
    assert run("monitor", "many.csv", "--json")[1] == alone and len(events(alone, "ward")) == 6


def test_where_no_second_process_can_be_had_one_does_it_all(monkeypatch):
    def refused(*_):
        raise OSError("no more processes")

    alone = run("monitor", "two.csv", "--json")[1]
    monkeypatch.setattr("vein2vein.cli.monitor_cohort.MANY", 2)
    monkeypatch.setattr("vein2vein.cli.monitor_cohort.cpu_count", lambda: 2)
    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor", refused)
    assert run("monitor", "two.csv", "--json")[1] == alone


def test_a_later_export_shows_what_it_corrects():
    Path("old.csv").write_text(TWO + "P2,3,neutrophils,1.2,10^9/L\n")
    Path("new.csv").write_text(TWO + "P2,3,neutrophils,0.4,10^9/L\nP2,4,neutrophils,0.1,10^9/L\n")
    code, out, _ = run("monitor", "new.csv", "--since", "old.csv")
    assert code == 0 and "Corrected since" in out and "Grades that this changed" in out
    told = events(run("monitor", "new.csv", "--since", "old.csv", "--json")[1])
    (value,) = [one for one in told if one["event"] == "corrected"]
    assert (value["id"], value["analyte"], value["was"], value["now"]) == ("P2", "neutrophils", "1.2", "0.4")
    grades = {one["finding"]: (one["was"], one["now"]) for one in told if one["event"] == "regraded"}
    assert grades["neutropenia"] == ("grade 2", "grade 4")
    assert "nothing that had been graded" in run("monitor", "old.csv", "--since", "old.csv")[1]
    assert run("monitor", "new.csv", "--since", "old.csv", "--deidentify")[0] == 2


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["P2", "P10"], ["P2", "P10"]),
        (["a/b", "a\\b", "a b"], ["a-b", "a-b-2", "a-b-3"]),
        (["x", "X"], ["x", "X-2"]),
        (["../../etc", "", "."], ["etc", "patient", "patient-2"]),
        (["a", "a-2", "A"], ["a", "a-2", "A-3"]),
        (["é" * 300], ["patient"]),
    ],
)
def test_names_of_files(labels, names):
    assert file_names(labels) == names


def test_what_is_asked_wrongly_is_said_once_and_not_of_each_patient():
    for args in (("--product", "kymria"), ("--scale", "astc")):
        code, out, err = run("monitor", "two.csv", *args)
        assert (code, out, err.count("\n")) == (2, "", 1)
    code, _, err = run("monitor", "two.csv", "--until", "-50")
    assert code == 2 and "nothing up to day -50" in err


def test_responses_keep_ids_and_a_folder_is_judged_file_by_file():
    rows = "patient,day,deauville\nP10,-7,5\nP10,28,2\nP2,-7,5\nP2,28,5\n"
    Path("v").mkdir()
    Path("v/a.csv").write_text(rows)
    code, out, _ = run("respond", "v/a.csv", "--criteria", "lugano", "--out", "r")
    assert code == 0 and out.index("P10") < out.index("P2")
    assert [row["id"] for row in table("r/response.csv")] == ["P10", "P2"]
    Path("v/b.csv").write_text("day,deauville\n-7,5\n28,2\n")
    Path("v/c.csv").write_text("junk\n")
    code, out, err = run("respond", "v", "--criteria", "lugano", "--json")
    assert code == 0 and "c.csv" in err
    assert [one["id"] for one in events(out, "patient")] == ["P10", "P2", "b"]
