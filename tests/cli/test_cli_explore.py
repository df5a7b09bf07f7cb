"""vein2vein explore and its alias nca: the table, the files, what it refuses; and check beside it."""

import csv
import json
from pathlib import Path

import pytest

from vein2vein.cli.main import main

ROWS = ["ID,TIME,AMT,DV,EVID,CENS,DVID,ARM"]
for i in (1, 2, 3):
    ROWS += [f"{i},0,{i}e8,.,1,.,.,a", f"{i},3,.,10,0,1,1,a", f"{i},7,.,{i}00,0,0,1,a", f"{i},14,.,{i}0,0,0,1,a",
             f"{i},14,.,5,0,0,2,a"]  # fmt: skip


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("s.csv").write_text("\n".join(ROWS))

    def call(*args):
        code = main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return code, " ".join(out.split()), " ".join(err.split())

    return call


def test_explore_tells_the_figures_and_writes_tables_and_a_report(run):
    code, out, err = run("explore", "s.csv", "--time-unit", "d", "--by", "arm")
    assert code == 0, err
    for said in ("dvid_1 in a unit that is not said, time in d", "Cmax all 3 182 60.1 200 100 to 300",
                 "Tmax all 3 7 0 7 7 to 7 d",
                 "half-life, contraction all 3 2.11 0 2.11 2.11 to 2.11 d",
                 "Not read of any patient: AUC0-28, doubling time, half-life, terminal, half-life, last samples.",
                 "half-life, contraction: from the peak over the two weeks after it"):  # fmt: skip
        assert said in out, said
    assert "note: followed is dvid_1; also measured: dvid_2 (--endpoint)" in err
    assert "note: 3 of 9 values lie below the limit" in err
    folder = Path("vein2vein-results/explore-s")
    rows = list(csv.DictReader((folder / "individual.csv").read_text().splitlines()))
    assert [row["cmax"] for row in rows] == ["100", "200", "300"] and rows[0]["half_life_contraction_samples"] == "2"
    assert len(list(csv.DictReader((folder / "groups.csv").read_text().splitlines()))) == 20
    page = (folder / "report.html").read_text()
    assert "sha256" in page and "<svg" in page and "Patients by ARM" in page
    code, _, err = run("nca", "s.csv", "--time-unit", "d")
    assert code == 2 and "exists already" in err
    assert run("nca", "s.csv", "--time-unit", "d", "--force", "--quiet")[1].startswith("By patient: ")


def test_one_patient_shows_the_samples_of_each_slope(run):
    Path("one.csv").write_text("\n".join(ROWS[:5]))
    code, out, _ = run("explore", "one.csv", "--time-unit", "d", "--out", "o")
    assert code == 0 and "1: dvid_1" not in out
    assert "half-life, contraction 2.11 d 2 samples, 7 to 14; adjusted R² –" in out


def test_json_lines(run, capsys):
    main(["explore", "s.csv", "--json", "--out", "o", "--below", "M1"])
    events = [json.loads(line) for line in capsys.readouterr()[0].splitlines()]
    assert [e["event"] for e in events if e["event"] != "note"] == ["group"] * 10 + ["patient"] * 3 + ["file"] * 2 + [
        "report"
    ]
    assert any("left out (M1, Beal 2001)" in e["text"] for e in events if e["event"] == "note")
    assert next(e for e in events if e["event"] == "group")["geometric_mean"] == pytest.approx(
        600 ** (1 / 3) * 10 ** (4 / 3)
    )


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("s.csv", "--endpoint", "cp"), "unknown endpoint 'cp'; known: dvid_1, dvid_2"),
        (("s.csv", "--by", "AMR"), "unknown column to group by 'AMR'; did you mean ARM"),
        (("s.csv", "--time-unit", "moons"), "unknown unit 'moons'"),
        (("s.csv", "--below", "M4"), "'M4' is not one of"),
        (("none.csv",), "no such file"),
        (("s.csv", "--mapping", "m.toml"), "--mapping does nothing with a population data set"),
    ],
)
def test_bad_use(run, args, said):
    Path("m.toml").write_text('time_zone = "UTC"\n')
    code, _, err = run("explore", *args)
    assert code == 2 and said in err, err
    assert not Path("vein2vein-results").exists()


def test_a_data_set_with_findings_is_refused_with_the_first_of_them(run):
    Path("s.csv").write_text("\n".join([*ROWS, "3,20,.,.,0,0,1,a"]))
    code, _, err = run("explore", "s.csv")
    assert code == 2 and "s.csv, line 17, DV: a sample of subject 3 without a value" in err


def test_check_tells_what_a_data_set_holds_and_what_to_look_at(run):
    Path("s.csv").write_text("\n".join([*ROWS, "3,14,.,6,0,0,2,a"]))
    code, out, _ = run("check", "s.csv")
    assert code == 0 and "s.csv: fit (NONMEM data set, 1 to look at)" in out
    assert "for: NONMEM and what reads its data sets: 3 subjects, 3 doses, 13 samples, 3 of them below the limit" in out
    assert "for: cellular kinetics without a model: vein2vein explore" in out
    assert "two values of one kind at one time of ID 3" in out and "note: endpoints: dvid_1, dvid_2" in out
    Path("s.columns.toml").write_text('time = { unit = "d" }\n')
    assert run("check", "s.columns.toml")[:2] == (
        0, "s.columns.toml: fit (columns of a data set) for: vein2vein check, explore and fit note: goes with the data "
        "set of the same name: NAME.columns.toml for NAME.csv",
    )  # fmt: skip
    Path("s.columns.toml").write_text('time = { units = "d" }\n')
    assert run("check", "s.columns.toml")[0] == 1 and run("check", "s.csv")[0] == 1
