"""vein2vein trial, run for real in a handful of patients."""

import json
from dataclasses import asdict
from math import isfinite
from pathlib import Path

import pytest
from click.testing import CliRunner

from vein2vein.cli import main
from vein2vein.trials.trial import load_trial, run_trial

PATIENTS = "8"


def run(*args):
    """Run in this process: (exit code, stdout, stderr)."""
    with CliRunner().isolation() as (out, err, _):
        code = main.main([str(a) for a in args])
        return code, out.getvalue().decode(), err.getvalue().decode()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One run of ELIANA with all that it leaves behind."""
    folder = tmp_path_factory.mktemp("eliana") / "out"
    code, out, err = run("trial", "eliana", "--patients", PATIENTS, "--seed", 3, "--out", folder, "--export", "nonmem")
    assert code == 0, err
    return folder, out


def test_the_table_sets_simulated_beside_published(finished):
    _, out = finished
    assert "simulated against published" in out
    assert "from memory" in out
    assert "lie inside the simulated 90 % interval" in out
    for quantity in ("CR CRi rate", "EFS rate", "OS rate", "CRS any rate", "n infused"):
        assert quantity in out
    assert "simulated (90 %)" in out and "published (95 %)" in out


def test_the_table_shows_every_row_or_why_it_is_missing(finished):
    from vein2vein.trials.trial import load_trial

    _, out = finished
    rows = load_trial("eliana").published
    assert rows
    for row in rows:
        if row.reason:
            assert "missing" in out


def test_it_says_where_the_report_is(finished):
    folder, out = finished
    line = next(line for line in out.splitlines() if line.startswith("Report: "))
    report = Path(line.removeprefix("Report: "))
    assert report == folder / "report.html"
    text = report.read_text(encoding="utf-8")
    assert text.lstrip().lower().startswith("<!doctype html")


def test_results_are_parquet_that_others_read(finished):
    import duckdb

    folder, _ = finished
    tables = sorted(folder.rglob("*.parquet"))
    assert tables
    for table in tables:
        ((count,),) = duckdb.sql(f"select count(*) from read_parquet('{table.as_posix()}')").fetchall()
        assert count > 0, table.name


def test_the_nonmem_data_set_has_events_and_observations(finished):
    folder, _ = finished
    (file,) = folder.glob("*nonmem*.csv")
    header, *lines = file.read_text(encoding="utf-8").splitlines()
    assert {"ID", "TIME", "DV", "EVID", "MDV"} <= set(header.split(","))
    assert len(lines) > int(PATIENTS)


def test_an_existing_report_is_refused_before_the_run(finished, monkeypatch):
    from vein2vein.trials import trial

    folder, _ = finished
    monkeypatch.setattr(trial, "enroll_and_treat", lambda *_, **__: pytest.fail("the run started"))
    code, out, err = run("trial", "eliana", "--patients", PATIENTS, "--out", folder)
    assert (code, out) == (2, "")
    assert "--force" in err and "report.html" in err


def test_for_machines_every_line_is_an_event(finished, tmp_path):
    code, out, err = run("trial", "eliana", "--patients", PATIENTS, "--seed", 3, "--out", tmp_path / "new", "--json")
    assert code == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    kinds = {event["event"] for event in events}
    assert {"progress", "row", "failed", "report"} <= kinds
    report = next(event for event in events if event["event"] == "report")
    assert Path(report["path"]).is_file()
    rows = [event for event in events if event["event"] == "row"]
    expected = run_trial(load_trial("eliana"), patients=int(PATIENTS), seed=3).comparison
    assert len(rows) == len(expected) > 150
    for row, one in zip(rows, expected):
        told = {name: None if isinstance(v, float) and not isfinite(v) else v for name, v in asdict(one).items()}
        assert row == {"event": "row", **told}
    assert any(row["missing"] for row in rows) and any(row["inside"] is False for row in rows)
    last = [event for event in events if event["event"] == "progress"][-1]
    assert last["fraction"] == 1


def test_quiet_says_only_where_the_files_are(tmp_path):
    code, out, err = run("trial", "eliana", "--patients", PATIENTS, "--seed", 3, "--out", tmp_path / "new", "--quiet")
    assert (code, err) == (0, "")
    assert [line.split(":")[0] for line in out.splitlines()] == ["Results", "Report"]


def test_a_trial_file_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run("trial", "--init", "my.toml")
    assert code == 0 and "my.toml" in out
    assert run("trial", "--init", "my.toml")[0] == 2, "an existing file is not overwritten"
    assert run("trial", "--init", "my.toml", "--force")[0] == 0
    code, out, err = run("trial", "my.toml", "--patients", PATIENTS, "--quiet")
    assert code == 0, err
    assert list(Path("vein2vein-results").glob("*-seed1/report.html"))


def test_where_every_published_figure_is_from_memory_nothing_is_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("trial", "--init", "my.toml")[0] == 0
    out = run("trial", "my.toml", "--patients", "20", "--out", "out")[1]
    assert "No outcome is judged" in out and "0 of 0" not in out


def test_a_mistake_in_a_trial_file_names_file_and_line(tmp_path):
    file = tmp_path / "my.toml"
    assert run("trial", "--init", file)[0] == 0
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "\n[no_such_table]\nx = 1\n", encoding="utf-8")
    code, _, err = run("trial", file)
    assert code == 2
    assert str(file) in err and "line " in err and "no_such_table" in err
    file.write_text(text + "\nthis is not toml\n", encoding="utf-8")
    code, _, err = run("trial", file)
    assert code == 2 and "not valid TOML" in err
