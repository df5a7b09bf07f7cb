"""Fits of the same rows side by side: AIC, BIC, and likelihood-ratio tests of nested ones."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from vein2vein.errors import InputError
from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.theta import theta_of
from vein2vein.records import described

SURE = 0.05


@described
@dataclass(frozen=True)
class Row:
    """One fit beside the others.

    Attributes
    ----------
    label : str
    converged : bool
    numbers : int
        Sought numbers.
    minus_two_ll, error, aic, bic : float
        ``error`` is the Monte Carlo error of the first.
    above_aic, above_bic : float
        Above the least of all.
    """

    label: str
    converged: bool
    numbers: int
    minus_two_ll: float
    error: float
    aic: float
    bic: float
    above_aic: float
    above_bic: float


@described
@dataclass(frozen=True)
class RatioTest:
    """A likelihood-ratio test of a model within another.

    Attributes
    ----------
    small, large : str
    added : tuple of str
        Numbers that the large one seeks besides.
    difference : float
        Fall of -2 log-likelihood.
    p : float
        By the chi-square distribution with as many degrees of freedom; where variances are among the added ones it is
        too large (they cannot be below 0), which ``note`` says.
    note : str
    """

    small: str
    large: str
    added: tuple[str, ...]
    difference: float
    p: float
    note: str


@described
@dataclass(frozen=True)
class Comparison:
    """Fits side by side, the least AIC first."""

    rows: tuple[Row, ...]
    tests: tuple[RatioTest, ...]
    notes: tuple[str, ...]


def compare_fits(fits: Mapping[str, Fit]) -> Comparison:
    """Lay fits of the same rows side by side.

    Parameters
    ----------
    fits : mapping of str to Fit
        By a label, two at least.

    Raises
    ------
    InputError
        Their rows, scales or ways to the likelihood differ, or one has no likelihood: their numbers say nothing about
        each other.
    """
    if len(fits) < 2:
        raise InputError(f"found {len(fits)} fit, expected two or more to compare.")
    labels = list(fits)
    for label in labels:
        if not np.isfinite(fits[label].minus_two_ll):
            raise InputError(
                f"{label} has no likelihood (settings: importance = 0), so it cannot be compared; fit it again with "
                "importance = 4000."
            )
        _check_same(labels[0], fits[labels[0]], label, fits[label])
    least_aic = min(one.aic for one in fits.values())
    least_bic = min(one.bic for one in fits.values())
    rows = [
        Row(
            label,
            one.converged,
            len(theta_of(one.population)),
            one.minus_two_ll,
            one.minus_two_ll_se,
            one.aic,
            one.bic,
            one.aic - least_aic,
            one.bic - least_bic,
        )
        for label, one in fits.items()
    ]
    tests = [_test(a, fits[a], b, fits[b]) for a in labels for b in labels if _within(fits[a], fits[b])]
    notes = [
        f"{label} did not converge: its likelihood is no maximum" for label, one in fits.items() if not one.converged
    ]
    noise = max(one.minus_two_ll_se for one in fits.values())
    if noise > 0.5:
        notes.append(
            f"-2 log-likelihood is known to {noise:.1f} only: smaller differences say nothing (more draws: settings, "
            "importance)"
        )
    if not tests:
        notes.append(
            "no fit is nested in another (same model, endpoints and a part of the numbers): no likelihood-ratio test"
        )
    return Comparison(tuple(sorted(rows, key=lambda row: row.aic)), tuple(tests), tuple(notes))


def _check_same(first: str, a: Fit, second: str, b: Fit) -> None:
    """Refuse fits whose likelihoods say nothing about each other."""
    one, other = a.population.rows, b.population.rows
    why = ""
    if tuple(a.problem.endpoints) != tuple(b.problem.endpoints):
        why = f"the endpoints differ ({', '.join(a.problem.endpoints)} and {', '.join(b.problem.endpoints)})"
    elif [e.scale for e in one.models] != [e.scale for e in other.models]:
        why = "an endpoint's error stands on the log scale in one and on the natural scale in the other"
    elif len(one.value) != len(other.value) or not np.array_equal(one.value, other.value):
        why = f"the rows differ ({len(one.value)} and {len(other.value)} rows)"
    elif not np.array_equal(one.censored, other.censored) or not np.array_equal(one.upper, other.upper):
        why = "rows below the limit are treated differently"
    elif a.population.layout.subjects != b.population.layout.subjects:
        why = "the subjects differ"
    elif a.likelihood_by != b.likelihood_by:
        why = f"the likelihood of one is by {a.likelihood_by}, of the other by {b.likelihood_by}"
    if why:
        raise InputError(f"{first} and {second} cannot be compared: {why}; fit both to the same rows in the same way.")


def _sought(fit: Fit) -> tuple[str, ...]:
    return theta_of(fit.population).names


def _within(small: Fit, large: Fit) -> bool:
    a, b = set(_sought(small)), set(_sought(large))
    return a < b and small.problem.model.name == large.problem.model.name and _laws(small) == _laws(large)


def _laws(fit: Fit) -> list[tuple[str, str]]:
    """What of a problem stays the same in a nested one."""
    return [
        (name, fit.problem.parameters[name].law if name in fit.problem.parameters else "") for name in fit.problem.names
    ]


def _test(label: str, small: Fit, other: str, large: Fit) -> RatioTest:
    added = tuple(name for name in _sought(large) if name not in _sought(small))
    difference = small.minus_two_ll - large.minus_two_ll
    p = float(special.chdtrc(len(added), max(difference, 0.0)))
    notes: list[str] = []
    if any(name.startswith(("omega2_", "gamma2_")) for name in added):
        notes.append("variances are among the added: the true p is smaller (a half with one of them alone)")
    if difference < -2 * (small.minus_two_ll_se + large.minus_two_ll_se + 0.01):
        notes.append("the larger model has the smaller likelihood, so it is not at its maximum: give it other starts")
    return RatioTest(label, other, added, difference, p, "; ".join(notes))
