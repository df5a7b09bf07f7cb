"""Tables that are written hold no formula of a spreadsheet, whatever subjects and columns are called."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import vein2vein as v2v
from vein2vein.errors import InputError
from vein2vein.inference.diagnostics.diagnosis import diagnose, prediction_table
from vein2vein.inference.population.folder import write_fit
from vein2vein.inference.population.problem import Settings
from vein2vein.locks import alone
from vein2vein.report.csv_text import columns_text
from vein2vein.report.exploration import table_text

NAMES = ("=cmd|' /C calc'!A0", "+SUM(A1)", "-1+2", "-1", "../x", "plain")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    rows = ["ID,TIME,AMT,DV,EVID,=WT"]
    rng = np.random.default_rng(1)
    for i, name in enumerate(NAMES):
        k = 0.15 * np.exp(0.3 * rng.standard_normal())
        rows.append(f'"{name}",0,500,.,1,{60 + i}')
        rows += [
            f'"{name}",{t},.,{25 * np.exp(-k * t + 0.1 * rng.standard_normal()):.5g},0,{60 + i}' for t in (1, 4, 9)
        ]
    path = tmp_path / "study.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def _first_cells(text: str, column: str) -> set[str]:
    return {row[column] for row in csv.DictReader(text.splitlines())}


def test_no_cell_of_a_fit_or_an_exploration_is_a_formula(study: Path, tmp_path: Path) -> None:
    fit = v2v.fit(v2v.FitProblem(
        v2v.find_model("one_compartment_iv"), v2v.read_study(study),
        {"CL": v2v.FitParameter(3.0, omega=0.3), "V": v2v.FitParameter(20.0, omega=0.2)},
        {"concentration": v2v.EndpointModel(scale="log", start={"a": 0.2})},
        settings=Settings(exploring=60, averaging=20, draws=100, importance=0),
    ))  # fmt: skip
    write_fit(fit, tmp_path / "fitted")
    safe = {"'" + name for name in NAMES[:3]} | set(NAMES[3:])
    assert _first_cells((tmp_path / "fitted" / "individuals.csv").read_text(), "ID") == safe
    assert _first_cells((tmp_path / "fitted" / "predictions.csv").read_text(), "ID") == safe
    assert _first_cells(columns_text(prediction_table(fit, diagnose(fit))), "ID") == safe
    assert table_text([{"=x": "=1+1"}]).split() == ["'=x", "'=1+1"]
    assert v2v.read_fit(tmp_path / "fitted").problem.study.subjects == NAMES


def test_two_fits_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with alone(tmp_path / "fit"), pytest.raises(InputError, match="in use by another run"), alone(tmp_path / "fit"):
        pass
    with alone(tmp_path / "fit"):
        pass
