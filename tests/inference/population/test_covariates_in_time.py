"""A covariate that changes within a subject, against the exact likelihood of a linear model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize

import vein2vein as v2v
from vein2vein.inference.population.problem import Settings

SUBJECTS, ROWS = 24, 6
LINE = v2v.Model(
    name="line", title="a value that a covariate moves", source="a textbook",
    states=(v2v.State("still", "nothing", "1"),),
    inputs=(v2v.Input("dose", "does nothing", "1"),),
    parameters=("A",), equations=lambda t, x, p, u: {"still": 0.0 * x.still}, initial=lambda p: {},
    apply_dose=lambda name, amount, x, p: {}, observables=lambda t, x, p, u: {"value": p.A + 0.0 * x.still},
    example={"A": 1.0},
)  # fmt: skip
Floats = NDArray[np.float64]


def _made(seed: int = 2) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.5, 1.5, (SUBJECTS, 1)) + 0.1 * rng.standard_normal((SUBJECTS, ROWS))
    a = 3.0 + 0.5 * rng.standard_normal((SUBJECTS, 1))
    return x.round(6), (a - 0.8 * x + 0.15 * rng.standard_normal(x.shape)).round(6)


def _exact(x: Floats, y: Floats) -> tuple[Floats, Floats, float]:
    """Best (A, b, log omega, log a), the errors of A and b, and -2 log-likelihood of a mixed linear model."""

    def minus_two(theta: Floats) -> float:
        a, b, omega, sigma = theta[0], theta[1], np.exp(theta[2]), np.exp(theta[3])
        v = omega**2 * np.ones((ROWS, ROWS)) + sigma**2 * np.eye(ROWS)
        r = y - a - b * x
        squares = np.einsum("ni,ij,nj->", r, np.linalg.inv(v), r)
        return float(SUBJECTS * (np.linalg.slogdet(v)[1] + ROWS * np.log(2 * np.pi)) + squares)

    found = optimize.minimize(minus_two, [3.0, -0.8, np.log(0.5), np.log(0.15)], tol=1e-10)
    omega, sigma = np.exp(found.x[2:])
    weight = np.linalg.inv(omega**2 * np.ones((ROWS, ROWS)) + sigma**2 * np.eye(ROWS))
    design = np.stack([np.ones_like(x), x], axis=-1)
    information = np.einsum("nia,ij,njb->ab", design, weight, design)
    return found.x, np.sqrt(np.diag(np.linalg.inv(information))), float(found.fun)


@pytest.mark.parametrize("method", ["saem", "focei"])
def test_a_covariate_in_time_is_fitted_as_the_exact_likelihood_says(tmp_path: Path, method: str) -> None:
    x, y = _made()
    rows = ["ID,TIME,AMT,DV,EVID,X"]
    for i in range(SUBJECTS):
        rows.append(f"{i + 1},0,1,.,1,{x[i, 0]:g}")
        rows += [f"{i + 1},{j + 1},.,{y[i, j]:.6f},0,{x[i, j]:.6f}" for j in range(ROWS)]
    (tmp_path / "line.csv").write_text("\n".join(rows) + "\n")
    one = v2v.FitParameter(1.0, law="normal", omega=1.0, covariates={"x": "X"})
    fit = v2v.fit(v2v.FitProblem(
        LINE, v2v.read_study(tmp_path / "line.csv"), parameters={"A": one},
        endpoints={"value": v2v.EndpointModel(start={"a": 0.5})}, method=method,
        settings=Settings(exploring=150, averaging=100),
    ))  # fmt: skip
    best, errors, minus_two = _exact(x, y)
    assert fit.converged
    a, b = fit.estimate("A"), fit.estimate("A_x")
    assert [(a.estimate - best[0]) / errors[0], (b.estimate - best[1]) / errors[1]] == pytest.approx([0, 0], abs=0.15)
    assert [a.se / errors[0], b.se / errors[1]] == pytest.approx([1, 1], abs=0.1)
    assert fit.estimate("omega_A").estimate == pytest.approx(np.exp(best[2]), rel=0.04)
    assert fit.minus_two_ll == pytest.approx(minus_two, abs=0.3)
