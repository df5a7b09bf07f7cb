"""Kaplan-Meier survival with its intervals, over the last axis: one trial or many at once.

Every function takes arrays (..., n): n patients in the last axis, any number of trials (resamples) in front of it.
Patients outside of the set that counts have ``included`` False and change nothing, whatever their time. Times are
finite and start at 0; a patient whose event never comes is censored at the end of observation, not given an infinite
time.

Own code and not a library's: SciPy's ``ecdf`` and ``logrank`` take one trial of one or two groups and no competing
risks, and lifelines or statsmodels would bring pandas and more behind it. Golden values of R's survival package, and
SciPy where it has the estimate, hold this room in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.records import described
from vein2vein.statistics.checks import Codes, Flags, Floats, checked_flags, checked_times, checked_when
from vein2vein.statistics.intervals import limits

HALF = 1 / 2 + float(np.finfo(np.float64).eps)  # a half that products of shares reach but for their rounding


@described
@dataclass(frozen=True)
class Curve:
    """A step curve, one step per patient in the order of time (patients who share a time share its last value).

    Attributes
    ----------
    times : ndarray, shape (..., n)
        Ascending; excluded patients stand at the end, at infinity.
    value : ndarray, shape (..., n)
        Survival (from 1 down) or cumulative incidence (from 0 up) just after each time.
    variance : ndarray, shape (..., n)
        Of survival: Greenwood's sum, the variance of the survival divided by its square (infinite once survival is 0).
        Of cumulative incidence: the variance of the incidence itself.
    at_risk : ndarray, shape (..., n)
        Patients under observation just before each step.
    start : float
        Value before the first step.
    """

    times: Floats
    value: Floats
    variance: Floats
    at_risk: Floats
    start: float


@dataclass(frozen=True)
class Ordered:
    """Patients in the order of time, events before censorings of the same time, those who do not count last.

    Attributes
    ----------
    times : ndarray, shape (..., n)
        Infinite for those who do not count.
    codes : ndarray of int, shape (..., n)
        0 censored or not counted.
    at_risk : ndarray, shape (..., n)
        Those who count from each place on.
    """

    times: Floats
    codes: Codes
    at_risk: Floats


def in_order(times: Floats, codes: Codes, counted: Flags) -> Ordered:
    """Sort patients by time, each trial for itself."""
    times, codes = np.where(counted, times, np.inf), np.where(counted, codes, 0)
    order = np.lexsort((~counted, codes == 0, times), axis=-1)
    times, codes = np.take_along_axis(times, order, -1), np.take_along_axis(codes, order, -1)
    counted = np.take_along_axis(counted, order, -1)
    at_risk = np.cumsum(counted[..., ::-1], axis=-1)[..., ::-1].astype(np.float64)
    return Ordered(times, codes, at_risk)


def last_place(times: Floats) -> NDArray[np.intp]:
    """For each patient in the order of time the place of the last one with the same time, shape (..., n)."""
    last = np.ones(times.shape, dtype=bool)
    last[..., :-1] = times[..., 1:] != times[..., :-1]
    count = int(times.shape[-1])
    place: NDArray[np.intp] = np.where(last, np.arange(count), count)
    found: NDArray[np.intp] = np.minimum.accumulate(place[..., ::-1], axis=-1)
    return found[..., ::-1]


def free_of_events(ordered: Ordered) -> Floats:
    """Share free of any event just after each patient, ties taken one after the other, shape (..., n)."""
    safe = np.maximum(ordered.at_risk, 1)
    return np.cumprod(np.where(ordered.codes > 0, (safe - 1) / safe, 1.0), axis=-1, dtype=np.float64)


def kaplan_meier(time: ArrayLike, event: ArrayLike, included: ArrayLike | None = None) -> Curve:
    """Product-limit estimate of survival.

    Parameters
    ----------
    time : array_like, shape (..., n)
        Time to event or censoring, any unit; finite, from 0 up.
    event : array_like of bool, shape (..., n)
        Whether the time is an event; 1 and 0 will do.
    included : array_like of bool, shape (..., n), optional
        Patients who count (default: all); what the others have is not looked at.

    Returns
    -------
    Curve
        Events that share a time are taken one after the other: the product telescopes to the usual (n - d) / n.

    Raises
    ------
    InputError
        A time, event or shape that makes no sense, or a trial in which nobody counts: where, what was found.

    Examples
    --------
    >>> curve = kaplan_meier([5, 8, 8, 12], [True, True, False, True])
    >>> float(value_at(curve, 8)), float(median_time(curve))
    (0.5, 8.0)
    """
    times, counted = checked_times(time, included)
    events = checked_flags(event, "event", times, counted)
    ordered = in_order(times, events.astype(np.int64), counted)
    safe, last = np.maximum(ordered.at_risk, 1), last_place(ordered.times)
    with np.errstate(divide="ignore"):  # the last patient's event: variance infinite
        added: Floats = np.where(ordered.codes > 0, 1 / (safe * (safe - 1)), 0.0)
    variance = np.cumsum(added, axis=-1, dtype=np.float64)
    survival = free_of_events(ordered)
    survival, variance = (np.take_along_axis(one, last, -1) for one in (survival, variance))
    return Curve(ordered.times, survival, variance, ordered.at_risk, 1.0)


def at(curve: Curve, values: Floats, when: float, start: float) -> Floats:
    """What belongs to a curve's steps at a time, shape (...): ``start`` before the first, the last one's after it."""
    place = np.sum(curve.times <= checked_when(when), axis=-1) - 1
    found = np.take_along_axis(values, np.maximum(place, 0)[..., None], -1)[..., 0]
    return np.where(place < 0, start, found)


def value_at(curve: Curve, when: float) -> Floats:
    """Value of the curve at a time, shape (...); after the last observation the last value stands."""
    return at(curve, curve.value, when, curve.start)


def interval_at(curve: Curve, when: float, level: float, scale: str = "log-log") -> tuple[Floats, Floats]:
    """Confidence interval of survival at a time, with Greenwood's variance.

    Parameters
    ----------
    curve : Curve
        From ``kaplan_meier``.
    when : float
    level : float
        Such as 0.95.
    scale : {"log-log", "log", "plain"}
        See ``intervals.limits``.

    Returns
    -------
    low, high : ndarray, shape (...)
        NaN after survival has reached 0, and on the log-log scale before the first event.
    """
    survival, variance = value_at(curve, when), at(curve, curve.variance, when, 0.0)
    return limits(survival, np.sqrt(variance), level, scale)


def median_time(curve: Curve) -> Floats:
    """First time at which survival is one half or less, shape (...); infinite where it is never reached.

    Where survival is exactly one half for a while this is the beginning of that while; R gives its middle.
    """
    return _first(curve, curve.value)


def median_interval(curve: Curve, level: float, scale: str = "log-log") -> tuple[Floats, Floats]:
    """Confidence interval of the median: the times whose survival may be one half (Brookmeyer and Crowley).

    Parameters
    ----------
    curve : Curve
        From ``kaplan_meier``.
    level : float
        Such as 0.95.
    scale : {"log-log", "log", "plain"}
        Scale of the interval of survival.

    Returns
    -------
    low, high : ndarray, shape (...)
        First times at which the low and the high limit of survival are one half or less; infinite where that is not
        reached. ``low`` is NaN where the median is reached only as survival falls to 0, where limits are not defined.
    """
    lows, highs = limits(curve.value, np.sqrt(curve.variance), level, scale)
    low, high = _first(curve, lows), _first(curve, highs)
    return np.where(np.isinf(low) & np.isfinite(median_time(curve)), np.nan, low), high


def _first(curve: Curve, values: Floats) -> Floats:
    """First time at which values at the steps of a curve are one half or less; infinite where they never are."""
    reached = np.isfinite(curve.times) & (values <= HALF)
    return np.min(np.where(reached, curve.times, np.inf), axis=-1)
