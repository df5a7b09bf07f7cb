"""The log-rank test: whether survival differs between groups, also within strata."""

# pyright: reportMissingTypeStubs=false
# (SciPy brings no stubs)

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.errors import InputError
from vein2vein.records import described
from vein2vein.statistics.checks import Flags, Floats, checked_flags, checked_times, place, same_shape


@described
@dataclass(frozen=True)
class LogRank:
    """Result of a log-rank test of g groups.

    Attributes
    ----------
    groups : ndarray, shape (g,)
        Their names, sorted.
    observed, expected : ndarray, shape (g,)
        Events that each group had, and would have had if all groups had the same hazards.
    covariance : ndarray, shape (g, g)
        Of observed less expected (hypergeometric, ties counted).
    statistic : float
        Chi-squared; NaN where the data cannot tell groups apart (no event, or never two groups at risk together).
    degrees : int
        Degrees of freedom: groups that were at risk at an event, less one.
    p : float
        Probability of a larger statistic if all groups had the same hazards; NaN as above.
    """

    groups: NDArray[np.generic]
    observed: Floats
    expected: Floats
    covariance: Floats
    statistic: float
    degrees: int
    p: float


def log_rank(
    time: ArrayLike,
    event: ArrayLike,
    group: ArrayLike,
    *,
    stratum: ArrayLike | None = None,
    included: ArrayLike | None = None,
) -> LogRank:
    """Log-rank test between groups; with strata, patients are compared within their stratum only.

    Parameters
    ----------
    time : array_like, shape (n,)
        Time to event or censoring, any unit; finite, from 0 up.
    event : array_like of bool, shape (n,)
        Whether the time is an event; 1 and 0 will do.
    group : array_like, shape (n,)
        Name or number of each patient's group.
    stratum : array_like, shape (n,), optional
        Name or number of each patient's stratum (default: all in one).
    included : array_like of bool, shape (n,), optional
        Patients who count (default: all); what the others have is not looked at.

    Raises
    ------
    InputError
        A time, event, group or shape that makes no sense, or fewer than two groups: where, what was found.
    """
    from scipy import special

    times, counted = checked_times(time, included)
    if times.ndim > 1:
        raise InputError(f"found the shape {times.shape}, expected one trial, (patients,).", field="time")
    events = checked_flags(event, "event", times, counted)[counted]
    groups, member = _labels(group, times, counted, "group")
    if len(groups) < 2:
        raise InputError("found one group, expected two or more to compare.", field="group")
    _, layer = _labels(np.zeros(times.shape) if stratum is None else stratum, times, counted, "stratum")
    times, belongs = times[counted], member[:, None] == np.arange(len(groups))
    observed = belongs[events].sum(axis=0).astype(np.float64)
    expected, covariance = np.zeros(len(groups)), np.zeros((len(groups), len(groups)))
    for one in range(layer.max() + 1):
        mine = layer == one
        share, spread = _expected(times[mine], events[mine], belongs[mine])
        expected, covariance = expected + share, covariance + spread
    statistic, degrees = _statistic(observed - expected, covariance, expected > 0)
    p = float(special.chdtrc(degrees, statistic)) if np.isfinite(statistic) else np.nan
    return LogRank(groups, observed, expected, covariance, statistic, degrees, p)


def _labels(label: ArrayLike, times: Floats, counted: Flags, name: str) -> tuple[NDArray[np.generic], NDArray[np.intp]]:
    """The names among those who count, sorted, and the place of each one's among them."""
    found = np.asarray(label)
    same_shape(found, times, name, "time")
    if found.dtype.kind == "f" and (counted & np.isnan(found)).any():
        where = place(name, np.argwhere(counted & np.isnan(found))[0])
        raise InputError("found nan, expected a name or a number.", field=where)
    try:
        names, places = np.unique(found[counted], return_inverse=True)
    except TypeError:  # a name and a number cannot be put in order
        said = "found several kinds of values, expected names or numbers, one kind for all."
        raise InputError(said, field=name) from None
    return names, places


def _expected(times: Floats, events: Flags, belongs: Flags) -> tuple[Floats, Floats]:
    """Events expected of each group (g,), and their covariance (g, g), over the times with an event."""
    at = np.unique(times[events])
    risk = (times[None, :] >= at[:, None]).astype(np.float64)
    n, of_group = risk.sum(axis=1), risk @ belongs
    d = (times[events][None, :] == at[:, None]).sum(axis=1).astype(np.float64)
    share = of_group / n[:, None]
    factor = d * (n - d) / np.maximum(n - 1, 1)  # one alone at risk: nothing is left to luck
    return (d[:, None] * share).sum(axis=0), np.diag(factor @ share) - (factor[:, None] * share).T @ share


def _statistic(excess: Floats, covariance: Floats, at_risk: Flags) -> tuple[float, int]:
    """Chi-squared of the groups that were at risk, and its degrees of freedom; NaN where it is not defined."""
    degrees = max(int(at_risk.sum()) - 1, 0)
    excess, covariance = excess[at_risk][1:], covariance[np.ix_(at_risk, at_risk)][1:, 1:]
    if degrees < 1 or np.linalg.matrix_rank(covariance) < degrees:
        return np.nan, degrees
    return float(excess @ np.linalg.solve(covariance, excess)), degrees
