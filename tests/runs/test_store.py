"""Results on disk: what was written is what is read, whole or not at all."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vein2vein.errors import InputError
from vein2vein.runs import store
from vein2vein.trials.comparison import compare
from vein2vein.trials.published import Published
from vein2vein.trials.trial import TrialResult, load_trial


@pytest.fixture
def result(journey):
    rows = [
        Published("T", "a", "CRS", "", 80.0, np.nan, np.nan, "", 5.0, "%", "", "", "read", "outcome", "crs",
                  {"scale": "penn", "grade": 1, "until": 56}, "infused", 5),
        Published("T", "a", "ICU", "", 40.0, np.nan, np.nan, "", 5.0, "%", "", "", "memory", reason="not simulated"),
    ]  # fmt: skip
    table = compare(rows, journey, follow_up={}, scale="penn", until=56, seed=1)
    trial = replace(load_trial("eliana"), name="hand", text="# the file", assays={})
    origin = {"seed": 1, "when": np.float64(2.5), "set": ("general", "tisa"), "late": np.inf, "numbers": np.arange(2)}
    return TrialResult(trial=trial, journey=journey, comparison=table, screened=7, provenance=origin)


def test_tables_come_back_as_written(result, tmp_path):
    manifest = store.write_trial(result, tmp_path / "out")
    assert manifest == tmp_path / "out" / "manifest.json"
    patients = store.read_table(tmp_path / "out", "patients")
    np.testing.assert_array_equal(patients["patient"], np.arange(6))
    np.testing.assert_array_equal(patients["weight"], result.journey.patient.weight)
    np.testing.assert_array_equal(patients["lot_viability"], np.arange(6.0))
    assert patients["infused"].tolist() == [True, True, True, True, False, True]
    assert patients["not_infused_reason"].tolist() == ["", "", "", "", "manufacturing failure", ""]
    outcomes = store.read_table(tmp_path / "out", "outcomes")
    np.testing.assert_array_equal(outcomes["relapse_day"], result.journey.outcome.relapse_day)
    np.testing.assert_array_equal(outcomes["cmax"], result.journey.kinetics.cmax)
    assert outcomes["best_response"].tolist() == ["CR", "CRi", "CR", "NR", "", "CR"]
    comparison = store.read_table(tmp_path / "out", "comparison")
    assert comparison["quantity"].tolist() == ["CRS", "ICU"]
    assert comparison["inside"].tolist() == ["yes", ""]
    assert comparison["simulated"][0] == result.comparison[0].simulated and np.isnan(comparison["simulated"][1])


def test_course_and_findings_hold_every_measured_cell(result, tmp_path):
    store.write_trial(result, tmp_path)
    course, findings = store.read_table(tmp_path, "course"), store.read_table(tmp_path, "findings")
    np.testing.assert_array_equal(course["patient"], findings["patient"])
    at = (course["patient"] == 0) & (course["day"] == 8)
    assert course["transgene"][at] == [9000]
    assert bool(course["transgene_below_lloq"][(course["patient"] == 1) & (course["day"] == 28)][0])
    original = result.journey.course
    for name, values in original.values.items():
        assert np.isfinite(course[name]).sum() == np.isfinite(values).sum()
        assert np.nansum(course[name]) == pytest.approx(np.nansum(values), rel=1e-6)
    assert findings["crs_penn"][(findings["patient"] == 1) & (findings["day"] == 3)] == [4]


def test_the_manifest_says_what_there_is_and_where_it_came_from(result, tmp_path):
    store.write_trial(result, tmp_path)
    said = store.read_manifest(tmp_path)
    assert set(said["tables"]) == set(store.TABLES)
    assert said["tables"]["patients"]["rows"] == 6
    assert said["provenance"] == {"seed": 1, "when": 2.5, "set": ["general", "tisa"], "late": "inf", "numbers": [0, 1]}
    assert said["trial_file"] == "# the file"
    assert said["screened"] == 7
    assert not list(tmp_path.glob("*.part"))


def test_an_interrupted_run_leaves_no_manifest_and_no_half_table(result, tmp_path, monkeypatch):
    store.write_trial(result, tmp_path)
    real, written = os.replace, []

    def stop_at_the_third(source, target):
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(target)
        real(source, target)

    monkeypatch.setattr(os, "replace", stop_at_the_third)
    with pytest.raises(OSError, match="No space"):
        store.write_trial(result, tmp_path)
    with pytest.raises(InputError, match=r"manifest\.json"):
        store.read_table(tmp_path, "patients")


def test_unknown_tables_and_other_folders_are_refused(result, tmp_path):
    with pytest.raises(InputError, match="not a results folder"):
        store.read_table(tmp_path, "patients")
    store.write_trial(result, tmp_path)
    with pytest.raises(InputError, match="did you mean patients"):
        store.read_table(tmp_path, "patient")
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        store.read_manifest(tmp_path)


@settings(max_examples=15, deadline=None)
@given(hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(width=64)))
def test_numbers_pass_through_parquet_unchanged(values):
    import tempfile
    from pathlib import Path

    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        path = store.write_table({"x": values, "it's": np.arange(values.size)}, Path(folder) / "odd 'name'.parquet")
        with duckdb.connect() as connection:
            quoted = str(path).replace("'", "''")
            found = connection.execute(f"SELECT x FROM read_parquet('{quoted}')").fetchnumpy()["x"]
    np.testing.assert_array_equal(np.ma.filled(np.ma.asarray(found), np.nan), values)


def test_the_manifest_is_strict_json(result, tmp_path):
    path = store.write_trial(result, tmp_path)

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
