"""The CD22 cohort beside virtual patients: what is compared, by hand-made cohorts and, where present, the real data."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "qualification" / "car22.py"


@pytest.fixture
def car22(monkeypatch):
    if not SCRIPT.is_file():
        pytest.skip(f"the script is not part of an installed package: {SCRIPT} is not there")
    spec = importlib.util.spec_from_file_location("car22", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "car22", module)
    spec.loader.exec_module(module)
    return module


def cohort(car22, cells, grade, complete):
    """Patients with CAR T cells on days 7 and 14, the second twice the first, and flat cytokines."""
    n = len(cells)
    who, day = np.tile(np.arange(n), 2), np.repeat([7.0, 14.0], n)
    rising = car22.Samples(who, day, np.concatenate([cells, 2 * cells]), 0.1, 1000.0)
    flat = car22.Samples(who, day, np.ones(2 * n), 0.1, 1000.0)
    samples = {name: rising if name == "car_t_cells" else flat for name in car22.ANALYTES.values()}
    none = np.zeros(n)
    return car22.Cohort(
        np.full(n, "1"), np.asarray(grade, float), none, np.asarray(complete, float), none, none, samples
    )


def test_peaks_percentiles_and_ranks_of_a_cohort_that_one_can_count(car22):
    cells = np.arange(1.0, 12.0)
    found = cohort(car22, cells, [0] * 5 + [2] * 6, [0] * 5 + [1] * 6)
    assert np.array_equal(car22.peak(found, "car_t_cells"), 2 * cells)
    np.testing.assert_allclose(car22.percentiles(found, "car_t_cells"), [[2, 6, 10], [4, 12, 20]])
    told = car22.figures(found)
    assert told["CR has the higher Cmax (probability)"] == 1
    assert told["Cmax in CR, median (cells/uL)"] == 17
    assert told["CRS any grade (%)"] == pytest.approx(100 * 6 / 11)
    assert told["rank correlation Cmax, CRS grade"] > 0.8
    assert np.isnan(told["rank correlation peak IL-6, CRS grade"])  # no patient differs


def test_concordance_counts_ties_half_and_needs_both_groups(car22):
    assert car22.concordance(np.array([1.0, 2.0, 2.0]), np.array([0, 1, 0])) == pytest.approx(0.75)
    assert np.isnan(car22.concordance(np.array([1.0, 2.0]), np.array([1, 1])))


def test_the_table_stars_what_lies_outside_the_simulated_interval(car22):
    lines = list(car22.table({"a": 5.0, "b": 5.0}, [{"a": float(x), "b": float(x + 50)} for x in range(11)]))
    assert not lines[1].endswith("*") and lines[2].endswith("*")


def test_a_folder_without_the_data_is_said_so(car22, tmp_path):
    with pytest.raises(SystemExit, match=r"subjects\.csv"):
        car22.main([str(tmp_path)])


def test_the_real_cohort_is_read_compared_and_drawn(car22, shared, tmp_path):
    folder = shared / "data" / "car22_nih_cd22"
    if not folder.is_dir():
        pytest.skip(f"the reference data are not at {folder}")
    real = car22.read_cohort(folder)
    told = car22.figures(real)
    assert real.count == 40
    assert told["CR has the higher Cmax (probability)"] > 0.8
    assert told["peak IL-6, CRS grade 3 or more, median (pg/mL)"] > told["peak IL-6, CRS grade 1, median (pg/mL)"]
    lines: list[str] = []
    assert car22.main([str(folder), "--patients", "60", "--trials", "5", "--out", str(tmp_path)], lines.append) == 0
    text = "\n".join(lines)
    for words in ("Cmax, median", "rank correlation peak ferritin, CRS grade", "car_t_cells: percentiles inside"):
        assert words in text
    drawn = (tmp_path / "car22.svg").read_text(encoding="utf-8")
    assert "cells/µL" in drawn and "pg/mL" in drawn and "Day after infusion" in drawn
