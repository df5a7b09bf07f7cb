"""What cannot be fitted is named by place with a remedy; what the data do not tell of is never called converged."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import vein2vein as v2v
from vein2vein.errors import InputError
from vein2vein.inference.population.problem import Occasions, Omega

TIMES = (1, 4, 8, 24)
FIT = """
[fit]
model = "one_compartment_iv"
data = "study.csv"
[parameters.CL]
start = {CL}
omega = {omega}
[parameters.V]
start = 15
omega = 0.5
[endpoints.concentration]
{endpoint}
[settings]
exploring = 60
averaging = 40
draws = 100
importance = 200
{rest}
"""


def _study(
    folder: Path, subjects: int = 8, value: Callable[[float], object] = float, extra: str = "", header: str = ""
) -> None:
    rng = np.random.default_rng(1)
    rows = ["ID,TIME,AMT,DV,EVID" + header]
    for i in range(1, subjects + 1):
        cl, v = 3 * np.exp(0.3 * rng.standard_normal()), 20 * np.exp(0.2 * rng.standard_normal())
        rows.append(f"{i},0,500,.,1" + (",1" if header else ""))
        for t in TIMES:
            y = 500 / v * np.exp(-cl / v * t) * (1 + 0.1 * rng.standard_normal())
            rows.append(f"{i},{t},.,{value(round(float(y), 4))},0" + (f",{1 + (t > 5)}" if header else ""))
    (folder / "study.csv").write_text("\n".join(rows) + "\n" + extra)


def _fit(
    folder: Path, endpoint: str = 'error = "proportional"', *, cl: str = "2", omega: str = "0.5", rest: str = ""
) -> v2v.Fit:
    (folder / "fit.toml").write_text(FIT.format(CL=cl, omega=omega, endpoint=endpoint, rest=rest))
    return v2v.fit(folder / "fit.toml")


def test_one_subject_tells_nothing_of_a_spread(tmp_path: Path) -> None:
    _study(tmp_path, 1)
    with pytest.raises(InputError, match=r"fit\.toml, line 7, parameters\.CL\.omega: one subject"):
        _fit(tmp_path)


@pytest.mark.parametrize("endpoint", ['error = "proportional"', 'scale = "log"', "lloq = 1e9"])
def test_nothing_was_measured(tmp_path: Path, endpoint: str) -> None:
    _study(tmp_path, value=str if "lloq" in endpoint else lambda y: "<50")
    with pytest.raises(InputError, match=r"concentration: all 32 values lie below the limit"):
        _fit(tmp_path, endpoint)


@pytest.mark.parametrize("endpoint", ['error = "proportional"', 'scale = "log"'])
def test_a_value_where_the_model_predicts_nothing(tmp_path: Path, endpoint: str) -> None:
    _study(tmp_path, extra="9,1,.,3,0\n9,4,.,2,0\n")
    with pytest.raises(InputError, match=r"line 42: the model predicts 0 for 2 measured rows"):
        _fit(tmp_path, endpoint)


def test_values_that_cannot_be_squared(tmp_path: Path) -> None:
    _study(tmp_path, value=lambda y: y * 1e290)
    with pytest.raises(InputError, match=r"line 3: concentration is .*too large to be squared"):
        _fit(tmp_path)


def test_values_that_never_change_are_not_converged(tmp_path: Path) -> None:
    _study(tmp_path, value=lambda y: 5)
    found = _fit(tmp_path)
    assert not found.converged
    assert "the data do not tell of" in " ".join(found.verdict[:2])
    assert np.isnan(found.estimate("CL").se)


def test_doses_into_two_compartments_are_not_taken_for_one(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},0,500,.,1,1\n{i},0,500,.,1,2\n{i},1,.,20,0,2\n{i},20,.,5.{i},0,2" for i in range(1, 6))
    (tmp_path / "study.csv").write_text(f"ID,TIME,AMT,DV,EVID,CMT\n{rows}\n")
    with pytest.raises(InputError, match="line 3: a dose into compartment 2, others into 1"):
        _fit(tmp_path)


def test_faults_that_only_the_data_show_have_their_line(tmp_path: Path) -> None:
    _study(tmp_path)
    with pytest.raises(InputError, match=r"fit\.toml, line 12, endpoints\.concentration\.output: .*'cp'"):
        _fit(tmp_path, 'output = "cp"')
    with pytest.raises(InputError, match=r"fit\.toml, line 5, parameters\.CL: .*a start nearer"):
        _fit(tmp_path, "", cl="1e300")


def test_a_point_without_a_digit_before_it(tmp_path: Path) -> None:
    _study(tmp_path)
    with pytest.raises(InputError, match=r"fit\.toml, line 7: .*0\.5, not \.5"):
        _fit(tmp_path, omega=".5")


def test_the_column_of_occasions_is_the_one_that_is_named(tmp_path: Path) -> None:
    _study(tmp_path, header=",VISIT")
    rest = '[omega]\noccasion = { parameters = ["CL"], column = "VISIT" }'
    assert "gamma_CL" in {one.name for one in _fit(tmp_path, rest=rest).estimates}
    with pytest.raises(InputError, match="unknown column 'WHEN'"):
        _fit(tmp_path, rest=rest.replace("VISIT", "WHEN"))
    with pytest.raises(InputError, match=r"column: the study was not read with its occasions in VISIT"):
        v2v.FitProblem(
            v2v.find_model("one_compartment_iv"), v2v.read_study(tmp_path / "study.csv"),
            {"CL": v2v.FitParameter(2.0, omega=0.5), "V": v2v.FitParameter(15.0)},
            {"concentration": v2v.EndpointModel()}, Omega(occasion=Occasions(("CL",), "VISIT")),
        )  # fmt: skip


def test_an_endpoint_of_another_name_is_told(tmp_path: Path) -> None:
    _study(tmp_path)
    text = FIT.format(CL="2", omega="0.5", endpoint="", rest="").replace("endpoints.concentration", "endpoints.effect")
    (tmp_path / "fit.toml").write_text(text)
    notes = v2v.fit(tmp_path / "fit.toml").notes
    assert any(note.startswith("effect is read as concentration") for note in notes)


def test_a_spread_beyond_all_numbers_is_told_without_a_warning(tmp_path: Path) -> None:
    _study(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = _fit(tmp_path, omega="1e6")
    assert not found.converged
