"""Cumulative incidence with competing risks, over the last axis: one trial or many at once; see ``survival``."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.errors import InputError
from vein2vein.statistics.checks import Flags, Floats, checked_causes, checked_times
from vein2vein.statistics.intervals import limits
from vein2vein.statistics.survival import Curve, Ordered, at, free_of_events, in_order, last_place, value_at


def cumulative_incidence(time: ArrayLike, cause: ArrayLike, *, of: int = 1, included: ArrayLike | None = None) -> Curve:
    """Aalen-Johansen estimate of the cumulative incidence of one cause among competing ones.

    Parameters
    ----------
    time : array_like, shape (..., n)
        Time to event or censoring, any unit; finite, from 0 up.
    cause : array_like of int, shape (..., n)
        0 censored, otherwise the number of the cause.
    of : int
        The cause wanted, from 1 up.
    included : array_like of bool, shape (..., n), optional
        Patients who count (default: all); what the others have is not looked at.

    Returns
    -------
    Curve
        Its variance is the infinitesimal jackknife's, which equals that of the delta method (Marubini and Valsecchi).

    Raises
    ------
    InputError
        A time, cause or shape that makes no sense, or a trial in which nobody counts: where, what was found.
    """
    given = cast("object", of)
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or of < 1:
        raise InputError(f"found {of!r}, expected the number of a cause, 1 or more; 0 is censored.", field="of")
    times, counted = checked_times(time, included)
    ordered = in_order(times, checked_causes(cause, times, counted), counted)
    wanted, last = ordered.codes == of, last_place(ordered.times)
    survival = free_of_events(ordered)
    before = np.concatenate([np.ones((*survival.shape[:-1], 1)), survival[..., :-1]], axis=-1)
    # one death after the other: each of n patients still free of events carries the same weight, S / n
    value = np.cumsum(np.where(wanted, before / np.maximum(ordered.at_risk, 1), 0.0), axis=-1)
    value = np.take_along_axis(value, last, -1)
    return Curve(ordered.times, value, _variance(ordered, wanted, before, value), ordered.at_risk, 0.0)


def _variance(ordered: Ordered, wanted: Flags, before: Floats, value: Floats) -> Floats:
    """Variance of the incidence F at each time t, shape (..., n).

    With d events, d1 of them of the cause, among n at risk at each time s up to t, and S free of events just before:

        sum of (F(t) - F(s))^2 d / (n (n - d))  +  S^2 d1 (n - d1) / n^3  -  2 (F(t) - F(s)) S d1 / n^2

    The squares are multiplied out, so that each term is a running sum over s.
    """
    last = last_place(ordered.times)
    first = last.shape[-1] - 1 - last_place(-ordered.times[..., ::-1])[..., ::-1]  # of the same time
    n = np.maximum(np.take_along_axis(ordered.at_risk, first, -1), 1)
    free = np.take_along_axis(before, first, -1)

    def count(which: Flags) -> Floats:
        running = np.cumsum(which, axis=-1)
        whole = np.take_along_axis(running, last, -1)
        return (whole - np.take_along_axis(running - which, first, -1)).astype(np.float64)

    ends = np.equal(last, np.arange(int(last.shape[-1])))  # each time is counted once
    d, d1 = (np.where(ends, count(which), 0.0) for which in (ordered.codes > 0, wanted))
    # after the last event nobody is left, and F(t) - F(s) is 0 for every later t
    hazard = d / (n * np.where(d < n, n - d, np.inf))
    own, mixed = free**2 * d1 * (n - d1) / n**3, free * d1 / n**2

    def sums(term: Floats) -> Floats:
        return np.cumsum(term, axis=-1, dtype=np.float64)

    squares = value**2 * sums(hazard) - 2 * value * sums(hazard * value) + sums(hazard * value**2)
    found = squares + sums(own) - 2 * (value * sums(mixed) - sums(mixed * value))
    return np.take_along_axis(np.maximum(found, 0.0), last, -1)


def incidence_interval_at(curve: Curve, when: float, level: float, scale: str = "log-log") -> tuple[Floats, Floats]:
    """Confidence interval of a cumulative incidence at a time.

    Parameters
    ----------
    curve : Curve
        From ``cumulative_incidence``.
    when : float
    level : float
        Such as 0.95.
    scale : {"log-log", "log", "plain"}
        See ``intervals.limits``.

    Returns
    -------
    low, high : ndarray, shape (...)
        NaN before the first event of the cause, but on the plain scale.
    """
    incidence, variance = value_at(curve, when), at(curve, curve.variance, when, 0.0)
    error = np.sqrt(variance) / np.where(incidence > 0, incidence, 1.0)
    return limits(incidence, error, level, scale)
