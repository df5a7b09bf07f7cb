"""vein2vein trial, run for real in a handful of patients."""

import json
import re
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


@pytest.fixture(scope="module")
def every_row(tmp_path_factory):
    """The same run with every row."""
    folder = tmp_path_factory.mktemp("all") / "out"
    code, out, err = run("trial", "eliana", "--patients", PATIENTS, "--seed", 3, "--out", folder, "--all")
    assert code == 0, err
    return out


def test_it_ends_with_some_ten_lines(finished):
    _, out = finished
    lines = out.strip().splitlines()
    assert len(lines) <= 21, out  # ten and the misses, the numbers of the model, and where the files are
    lines = [line for line in lines if not line.startswith("   ")]  # without the ends of long ones
    named = [line.split()[0] for line in lines[1:9]]
    assert named == ["infused", "response", "EFS", "OS", "CRS", "ICANS", "neurologic", "kinetics"]
    assert "5 of 8 enrolled" in lines[1] and "79 of 97, 81 %" in lines[1]
    assert "12 months" in lines[3] and "grade ≥ 3" in lines[5]
    assert re.search(r"\d+ of \d+ published outcomes that were read lie inside .*\(a fit: calibrated on", lines[9])
    assert lines[10].startswith("The worst of ") and " tolerances" in lines[11] and " against " in lines[11]
    assert "simulated (90 %)" not in out


def test_the_worst_misses_are_those_of_the_rows(finished):
    """Counted again from the comparison: the share inside, and the row furthest away in its tolerances."""
    _, out = finished
    trial = load_trial("eliana")
    rows = run_trial(trial, patients=int(PATIENTS), seed=3).comparison
    known = [r for r in rows if r.kind == "outcome" and r.confidence == "read" and r.inside is not None]
    assert f"{sum(r.inside for r in known)} of {len(known)} published outcomes" in out
    away = {
        i: abs(r.simulated - t.value) / t.tolerance
        for i, (r, t) in enumerate(zip(rows, trial.published, strict=True))
        if t.tolerance_kind == "points" and t.confidence == "read" and r.inside is not None
    }
    worst = max(away, key=away.get)
    line = next(one for one in out.splitlines() if " tolerances" in one)
    told = float(re.search(r"([\d.]+) tolerances", line).group(1))
    assert told >= away[worst] * 0.99


def test_all_sets_every_row_beside_the_published_one(every_row):
    assert "simulated against published" in every_row
    assert "from memory" in every_row
    assert "lie inside the simulated 90 % interval" in every_row
    for quantity in ("CR CRi rate", "EFS rate", "OS rate", "CRS any rate", "n infused"):
        assert quantity in every_row
    assert "simulated (90 %)" in every_row and "published (95 %)" in every_row


def test_all_shows_every_row_or_why_it_is_missing(every_row):
    rows = load_trial("eliana").published
    assert rows
    for row in rows:
        if row.reason:
            assert "missing" in every_row


def test_a_trial_with_arms_has_a_row_for_each(tmp_path):
    code, out, err = run("trial", "karmma", "--patients", "24", "--out", tmp_path / "out")
    assert code == 0, err
    table = out[out.index(" arm ") :]
    for arm in load_trial("karmma").arms:
        assert arm.title in table
    head = next(line for line in out.splitlines() if line.startswith(" arm "))
    assert all(name in head for name in ("infused", "response", "EFS or PFS", "OS", "CRS", "ICANS"))


@pytest.mark.parametrize("in_chunks", [False, True])
def test_a_trial_without_published_rows_prints_its_endpoints(tmp_path, in_chunks):
    text = load_trial("eliana").text
    file = tmp_path / "mine.toml"
    file.write_text(text[: text.index("[[published]]")].replace('"eliana"', '"mine"'), encoding="utf-8")
    more = ("--chunk", "5") if in_chunks else ()
    code, out, err = run("trial", file, "--patients", "10", "--out", tmp_path / "out", *more)
    assert code == 0, err
    assert "the trial file holds no published outcome" in " ".join(out.split()) and "lie inside" not in out
    wanted = ("best response", "worst grade, icans") if in_chunks else ("response ", "EFS ", "OS ", "CRS ", "kinetics ")
    for name in ("infused ", *wanted):
        assert re.search(rf"^  {name}", out, re.M), name
    if not in_chunks:
        assert "Cmax" in out and "Tmax" in out and "median" in out
        assert "nothing is judged" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_run_in_chunks_ends_with_the_same_published_rows(finished, tmp_path):
    _, whole = finished
    code, out, err = run("trial", "eliana", "--patients", PATIENTS, "--seed", 3, "--out", tmp_path / "l", "--chunk", 4)
    assert code == 0, err
    for name in ("  infused", "  EFS", "  OS", "  neurologic"):
        one, other = (next(line for line in text.splitlines() if line.startswith(name)) for text in (whole, out))
        assert one == other


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
    assert {"progress", "row", "summary", "failed", "report"} <= kinds
    (told,) = [event for event in events if event["event"] == "summary"]
    assert told["worth"] == "fit" and 0 < told["inside"] < told["judged"] and told["misses"]
    away = [miss["tolerances"] for miss in told["misses"] if miss["tolerances"] is not None]
    assert away == sorted(away, reverse=True)
    assert {"patients", "line", "text"} == set(told["headline"][0])
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
