"""The CD22 cohort beside virtual patients, where the data are present: tables, figure, folds."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from vein2vein.trials.trial import load_trial

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


def test_the_table_stars_what_lies_outside_the_simulated_interval(car22):
    drawn = np.arange(11.0)
    lines = list(car22.table({"a": 5.0, "b": 5.0, "c": 5.0}, {"a": drawn, "b": drawn + 50, "c": drawn * np.nan}))
    assert not lines[1].endswith("*") and lines[2].endswith("*") and lines[3].endswith("none")


def test_a_folder_without_the_data_is_said_so(car22, tmp_path):
    with pytest.raises(SystemExit, match=r"subjects\.csv"):
        car22.main([str(tmp_path)])


def test_the_real_cohort_is_read_compared_and_drawn(car22, shared, tmp_path):
    folder = shared / "data" / "car22_nih_cd22"
    if not folder.is_dir():
        pytest.skip(f"the reference data are not at {folder}")
    real = car22.read_cohort(folder, load_trial(car22.DESIGN))
    told = {name: float(one.value) for name, one in car22.figures(real).items()}
    assert real.count == 40
    assert told["CR has the higher Cmax (probability)"] > 0.8
    assert told["peak IL-6, CRS grade 3 or more, median (pg/mL)"] > told["peak IL-6, CRS grade 1, median (pg/mL)"]
    assert told["sd of log10 Cmax"] > 1 and told["Cmax, 10th percentile (cells/uL)"] < 2
    lines: list[str] = []
    assert car22.main([str(folder), "--patients", "60", "--trials", "5", "--out", str(tmp_path)], lines.append) == 0
    text = "\n".join(lines)
    for words in (
        "Cmax, median",
        "rank correlation peak ferritin, CRS grade",
        "car_t_cells: percentiles inside",
        "Fit:",
    ):
        assert words in text
    drawn = (tmp_path / "car22.svg").read_text(encoding="utf-8")
    assert "cells/µL" in drawn and "pg/mL" in drawn and "Day after infusion" in drawn


@pytest.mark.slow
def test_each_fold_is_predicted_by_a_card_that_did_not_see_it(car22, shared, monkeypatch, tmp_path):
    folder = shared / "data" / "car22_nih_cd22"
    if not folder.is_dir():
        pytest.skip(f"the reference data are not at {folder}")
    free = tmp_path / "free.toml"
    free.write_text(
        '[stages]\nkinetics = ["kinetics"]\n[free]\nrho = { cards = ["cd22_car"], sd = 0.2, stage = "kinetics" }\n',
        "utf-8",
    )
    monkeypatch.setattr(car22, "FREE", free)
    halves = [np.arange(0, 40, 2), np.arange(1, 40, 2)]  # two parts do for the test
    monkeypatch.setattr(car22, "folds", lambda count: halves if count == 40 else [])
    fitted, shown = [], car22.virtual_trials

    def seen(real, *options):
        fitted.append((real.count, options[-2].factors["cd22_car", "rho", "value"], options[-1]))
        return shown(real, *options)

    monkeypatch.setattr(car22, "virtual_trials", seen)
    lines: list[str] = []
    few = ["--folds", "--patients", "40", "--fitted", "40", "--steps", "0", "--trials", "4"]
    assert car22.main([str(folder), *few], lines.append) == 0
    assert [count for count, *_ in fitted] == [20] * 2 and all(np.isfinite(factor) for _, factor, _ in fitted)
    assert len({luck for *_, luck in fitted}) == 2  # no virtual patient stands in two folds by the same luck
    text = "\n".join(lines)
    assert "Prediction:" in text and "fold 2: fitted to 20" in text and "all: " in text


def test_the_real_cohort_is_fitted_with_a_lag(shared, tmp_path):
    folder, script = shared / "data" / "car22_nih_cd22", SCRIPT.with_name("car22_fit.py")
    if not folder.is_dir() or not script.is_file():
        pytest.skip(f"the reference data are not at {folder}, or the script is not part of an installed package")
    spec = importlib.util.spec_from_file_location("car22_fit", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.study_text(folder)
    assert len({line.split(",")[0] for line in text.splitlines()[1:]}) == 36 and ",0.5,.,0,1," in text
    told: list[str] = []
    few = ["--seeds", "1", "--exploring", "60", "--averaging", "30", "--out", str(tmp_path)]
    assert module.main([str(folder), *few], told.append) == 0
    lines = "\n".join(told)
    assert "converged" in lines and "Tlag" in lines and "percentiles of car_t_cells" in lines
    assert (tmp_path / "fit" / "report.html").is_file() and (tmp_path / "fit" / "model.py").is_file()
