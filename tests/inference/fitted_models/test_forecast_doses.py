"""Doses of new patients: those that a list can say, or a sentence; an endpoint that the fit calls otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import vein2vein as v2v
from vein2vein.errors import InputError
from vein2vein.inference.population.problem import Settings


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> v2v.Fit:
    rng = np.random.default_rng(4)
    rows = ["ID,TIME,AMT,DV,EVID,ADDL,II"]
    for i in range(1, 13):
        cl, v = 3 * np.exp(0.3 * rng.standard_normal()), 20 * np.exp(0.2 * rng.standard_normal())
        rows.append(f"{i},0,500,.,1,100000000,1000")
        for t in (0.5, 2, 6, 12):
            y = 500 / v * np.exp(-cl / v * t + 0.1 * rng.standard_normal())
            rows.append(f"{i},{t},.,{y:.5g},0,0,0")
    path = tmp_path_factory.mktemp("doses") / "study.csv"
    path.write_text("\n".join(rows) + "\n")
    return v2v.fit(v2v.FitProblem(
        v2v.find_model("one_compartment_iv"), v2v.read_study(path),
        {"CL": v2v.FitParameter(3.0, omega=0.3), "V": v2v.FitParameter(20.0, omega=0.2)},
        {"concentration": v2v.EndpointModel(scale="log", start={"a": 0.2})},
        settings=Settings(exploring=60, averaging=40, draws=100, importance=0),
    ))  # fmt: skip


def test_an_endpoint_that_the_fit_calls_otherwise_is_simulated(fitted: v2v.Fit) -> None:
    found = fitted.simulate([(0.0, 500.0)], until=12, patients=2000, draws=0)
    volume, clearance = fitted.estimate("V").estimate, fitted.estimate("CL").estimate
    middle = np.interp(6.0, found.time, found.percentiles[0, 1])
    assert middle == pytest.approx(500 / volume * np.exp(-6 * clearance / volume), rel=0.04)


def test_repeats_are_written_out_up_to_the_last_time_only(fitted: v2v.Fit) -> None:
    found = fitted.simulate(until=2500, patients=5, draws=0)
    assert [one.time for one in found.doses] == [0, 1000, 2000]


@pytest.mark.parametrize("doses", [5, "abc", [5], [(0, "x")], [(0, 1, 2, 3)], [None]])
def test_what_are_no_doses(fitted: v2v.Fit, doses: object) -> None:
    with pytest.raises(InputError, match="doses"):
        fitted.simulate(doses)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("doses", [[(0, np.inf)], [(0, 100, np.inf)], [(np.nan, 100)]])
def test_endless_doses(fitted: v2v.Fit, doses: list[tuple[float, float]]) -> None:
    with pytest.raises(InputError, match=r"doses\.0"):
        fitted.simulate(doses)


def test_an_endless_time(fitted: v2v.Fit) -> None:
    with pytest.raises(InputError, match="until: found inf"):
        fitted.simulate([(0.0, 500.0)], until=np.inf)


@pytest.mark.parametrize(("field", "value", "said"), [
    ("steady", 1, "begin in a steady state"), ("rate", -2.0, "a parameter"),
])  # fmt: skip
def test_doses_of_the_study_that_a_list_cannot_say(fitted: v2v.Fit, field: str, value: float, said: str) -> None:
    problem = fitted.problem
    held = getattr(problem.study.doses, field)
    study = replace(problem.study, doses=replace(problem.study.doses, **{field: np.full_like(held, value)}))
    with pytest.raises(InputError, match=f"first subject \\(1\\) .*{said}"):
        replace(fitted, problem=replace(problem, study=study)).simulate(draws=0)
