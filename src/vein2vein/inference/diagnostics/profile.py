"""The profile of a spread: -2 log-likelihood with omega held on a grid, everything else fitted anew.

Where shrinkage is large an omega near 0 is as likely as one twice as large, and an interval from a standard error is
wrong. The profile's interval holds all values whose -2 log-likelihood lies less than 3.84 above the least.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from vein2vein.errors import InputError, unknown
from vein2vein.inference.population.fit import fit as run_fit
from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.problem import FitProblem
from vein2vein.records import described

Floats = NDArray[np.float64]

GRID = (0.1, 0.4, 0.7, 1.0, 1.4, 2.0)
"""Held values, as shares of the estimate."""
LEVEL = 0.95
SHORT = 0.5  # share of the iterations: the starts are the estimates
FEWEST_ITERATIONS = 50
Progress = Callable[[float, str], None]


@described
@dataclass(frozen=True)
class Profile:
    """-2 log-likelihood over held values of the SD of a random effect.

    Attributes
    ----------
    parameter : str
    omega : ndarray (k,)
    minus_two_ll, error : ndarray (k,)
        With its Monte Carlo error.
    low, high : float
        95 % interval by interpolation; 0 and infinity where the grid does not hold an end.
    text : str
        In words.
    """

    parameter: str
    omega: Floats
    minus_two_ll: Floats
    error: Floats
    low: float
    high: float
    text: str


def from_estimates(fit: Fit, **changed: object) -> FitProblem:
    """The problem of a fit with its estimates as starts; with other fields where they are given."""
    start = {one.name: one.estimate for one in fit.estimates}
    parameters = {
        name: replace(
            one,
            start=one.start if one.fixed else start[name],
            omega=one.omega if one.omega_fixed or not one.omega else max(start[f"omega_{name}"], 0.05),
            coefficients={label: start.get(f"{name}_{label}", 0.0) for label in one.covariates},
        )
        for name, one in fit.problem.parameters.items()
    }
    endpoints = {
        name: one if one.fixed else replace(one, start={s: max(start[f"{s}_{name}"], 1e-6) for s in one.sought})
        for name, one in fit.problem.endpoints.items()
    }
    values: dict[str, object] = {"parameters": parameters, "endpoints": endpoints, **changed}
    return replace(fit.problem, **values)  # type: ignore[arg-type]


def profile(fit: Fit, parameter: str, *, grid: Sequence[float] = GRID, progress: Progress | None = None) -> Profile:
    """Profile the SD of a parameter's random effect.

    Parameters
    ----------
    fit : Fit
    parameter : str
    grid : sequence of float
        Held values as shares of the estimate.
    progress : callable (fraction, text), optional
    """
    if parameter not in fit.random:
        raise InputError(unknown("parameter with a random effect", parameter, fit.random), field="parameter")
    estimate = max(fit.estimate(f"omega_{parameter}").estimate, 0.1)
    omegas = np.array([share * estimate for share in grid])
    begun = from_estimates(fit)
    settings = replace(
        begun.settings,
        seeds=1,
        standard_errors=False,
        exploring=max(FEWEST_ITERATIONS, int(SHORT * begun.settings.exploring)),
        averaging=max(FEWEST_ITERATIONS, int(SHORT * begun.settings.averaging)),
    )
    found, errors = np.empty(len(omegas)), np.empty(len(omegas))
    for i, omega in enumerate(omegas.tolist()):
        if progress is not None:
            progress(i / len(omegas), f"omega_{parameter} held at {omega:.3g}")
        held = replace(begun.parameters[parameter], omega=omega, omega_fixed=True)
        one = run_fit(replace(begun, parameters={**begun.parameters, parameter: held}, settings=settings))
        found[i], errors[i] = one.minus_two_ll, one.minus_two_ll_se
    low, high = interval(omegas, found)
    ends = f"{low:.3g} to {high:.3g}" if np.isfinite(high) else f"above {low:.3g}, with no upper end on the grid"
    text = f"omega_{parameter}: 95 % interval by profile {ends}"
    text += f" (Monte Carlo error of the likelihood up to {float(np.max(errors)):.1f})"
    return Profile(parameter, omegas, found, errors, low, high, text)


def interval(omega: Floats, minus_two_ll: Floats) -> tuple[float, float]:
    """Where the profile crosses the least value plus 3.84, by straight lines; 0 and infinity where it does not."""
    bound = float(minus_two_ll.min()) + float(special.chdtri(1, 1 - LEVEL))
    at = int(np.argmin(minus_two_ll))
    low, high = 0.0, np.inf
    for i in range(at, 0, -1):
        if minus_two_ll[i - 1] > bound:
            low = float(np.interp(bound, [minus_two_ll[i], minus_two_ll[i - 1]], [omega[i], omega[i - 1]]))
            break
    for i in range(at, len(omega) - 1):
        if minus_two_ll[i + 1] > bound:
            high = float(np.interp(bound, [minus_two_ll[i], minus_two_ll[i + 1]], [omega[i], omega[i + 1]]))
            break
    return low, high
