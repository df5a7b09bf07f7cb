"""vein2vein simulate, run for real for one patient."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from vein2vein.cli import main


def run(*args):
    """Run in this process: (exit code, stdout, stderr)."""
    with CliRunner().isolation() as (out, err, _):
        code = main.main([str(a) for a in args])
        return code, out.getvalue().decode(), err.getvalue().decode()


@pytest.fixture
def patient(tmp_path, monkeypatch):
    """The example patient in an empty folder."""
    monkeypatch.chdir(tmp_path)
    code, out, err = run("simulate", "--init", "patient.toml")
    assert code == 0, err
    assert "patient.toml" in out
    return Path("patient.toml")


def test_a_journey_step_by_step_and_day_by_day(patient):
    code, out, err = run("simulate", patient, "--product", "tisagenlecleucel", "--dose", "3.1e6/kg", "--seed", 2)
    assert code == 0, err
    for words in ("Leukapheresis", "Engineering", "Infusion", "Outcome", "Day by day", "Temperature", "CRS", "ICANS"):
        assert words in out, f"no '{words}': does seed 2 still bring the example patient to the infusion?"
    assert "<svg" in Path("vein2vein-results/patient-tisagenlecleucel-seed2/journey.svg").read_text(encoding="utf-8")
    report = Path(next(line for line in out.splitlines() if line.startswith("Report: ")).removeprefix("Report: "))
    assert report == Path("vein2vein-results/patient-tisagenlecleucel-seed2/report.html")
    assert report.is_file()


def test_the_same_seed_is_the_same_journey(patient):
    def days(seed, folder):
        code, out, err = run("simulate", patient, "--product", "kymriah", "--seed", seed, "--out", folder, "--json")
        assert code == 0, err
        return [event for event in map(json.loads, out.splitlines()) if event["event"] == "day"]

    first = days(2, "one")
    assert first and first == days(2, "two")
    assert first != days(3, "three")


def test_an_existing_report_is_refused_before_the_run(patient, monkeypatch):
    from vein2vein.journey import chart

    Path("out").mkdir()
    Path("out/report.html").write_text("mine")
    monkeypatch.setattr(chart, "simulate", lambda *_, **__: pytest.fail("the run started"))
    code, _, err = run("simulate", patient, "--product", "tisagenlecleucel", "--out", "out")
    assert code == 2 and "--force" in err
    assert Path("out/report.html").read_text() == "mine"


def test_repeat_shows_the_spread(patient):
    code, out, err = run("simulate", patient, "--product", "tisagenlecleucel", "--repeat", 5)
    assert code == 0, err
    assert "5 patients who share what is known" in out
    assert "of 5 companions" in out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--product", "tisagenleclucel"], "did you mean tisagenlecleucel"),
        ([], "which product?"),
        (["--product", "tisagenlecleucel", "--dose", "3.1e9/kg"], "dose"),
        (["--product", "tisagenlecleucel", "--dose", "plenty"], "3.1e6/kg"),
        (["--product", "tisagenlecleucel", "--dose=-1e6/kg"], "dose"),
        (["--product", "tisagenlecleucel", "--policy", "no_such_policy"], "no_such_policy"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence(patient, args, said):
    code, out, err = run("simulate", patient, *args)
    assert (code, out) == (2, "")
    assert said in err and err.count("\n") == 1


def test_an_impossible_patient_names_file_line_and_field(patient):
    text = patient.read_text(encoding="utf-8")
    patient.write_text("\n".join("weight = -3" if line.startswith("weight") else line for line in text.splitlines()))
    code, _, err = run("simulate", patient, "--product", "tisagenlecleucel")
    assert code == 2
    assert "patient.toml, line " in err and "weight" in err and "-3" in err


def test_no_patient_file(tmp_path):
    code, _, err = run("simulate", tmp_path / "nobody.toml", "--product", "tisagenlecleucel")
    assert code == 2 and "no such file" in err


def test_who_was_not_infused_is_told_so_and_no_infusion_is_claimed(patient):
    """Seed 19 is the luck of a patient who does not come to the infusion."""
    code, out, err = run("simulate", patient, "--product", "tisagenlecleucel", "--seed", 19, "--json")
    assert code == 0, err
    steps = {e["step"]: e["text"] for e in map(json.loads, out.splitlines()) if e["event"] == "step"}
    assert "Not infused" in steps and "Infusion" not in steps
    assert "before the planned infusion" in steps["Not infused"]
    assert not any(json.loads(line)["event"] == "day" for line in out.splitlines())


def test_the_patient_is_called_by_name(patient):
    text = patient.read_text(encoding="utf-8")
    patient.write_text(text.replace('name = "example"', 'name = "Ada <b>"'), encoding="utf-8")
    code, _, err = run("simulate", patient, "--product", "tisagenlecleucel", "--out", "out", "--quiet", "--json")
    assert code == 0, err
    assert "Patient Ada &lt;b&gt;: the journey" in Path("out/report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["3", '"a\\nb"', '"\\u001b[31m"', '"\\u202E"', '"' + 81 * "x" + '"'])
def test_a_name_is_a_line_of_text(patient, name):
    text = patient.read_text(encoding="utf-8")
    patient.write_text(text.replace('name = "example"', f"name = {name}"), encoding="utf-8")
    code, _, err = run("simulate", patient, "--product", "tisagenlecleucel")
    assert code == 2 and ", name: found" in err and err.count("\n") == 1 and "\x1b" not in err


def test_more_t_cells_than_lymphocytes_are_refused(patient):
    text = patient.read_text(encoding="utf-8")
    patient.write_text(text.replace('"750 cells/uL"', '"1400 cells/uL"'), encoding="utf-8")
    code, _, err = run("simulate", patient, "--product", "tisagenlecleucel")
    assert code == 2 and ", cd3: found 1400" in err and "at most 1100" in err


def test_a_narrow_terminal_folds_no_number(patient, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = run("simulate", patient, "--product", "tisagenlecleucel", "--seed", 4)
    assert code == 0, err
    table = out[out.index("Day by day") :]
    assert max(map(len, table.splitlines())) <= 80
    assert any(line.split()[:1] == ["8"] and "30,400" in line for line in table.splitlines()), table[:2000]


def test_an_unusual_value_is_warned_of_also_when_quiet(patient):
    text = patient.read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("weight"))
    patient.write_text(text.replace(line, "weight = 150"), encoding="utf-8")
    for asked in ((), ("--quiet",), ("--json",)):
        out = "-".join(("out", *asked))
        code, _, err = run("simulate", patient, "--product", "tisagenlecleucel", "--out", out, *asked)
        assert code == 0, err
        assert "warning: unusual" in err
        assert ("note: " in err) == (not asked)
