"""The hazard ratio of two groups, or of exposed to unexposed time: Cox regression with one covariate of 0 and 1.

Own code and not a library's: it is one coefficient, wanted for hundreds of resampled trials; lifelines and statsmodels
fit one trial at a time and bring pandas and more behind them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.errors import InputError
from vein2vein.statistics.checks import Flags, Floats, checked_flags, checked_times, numbers, place, same_shape

EPSILON = float(np.finfo(np.float64).eps)
NEWTON_STEPS = 30  # solver coefficient: enough for one coefficient from 0 at the largest step
NEWTON_LARGEST = 2.0  # solver coefficient: longest Newton step, on the log hazard ratio
LARGEST_LOG_RATIO = 20.0  # solver coefficient: beyond it a group had no event, and the ratio is not estimable


def hazard_ratio(
    time: ArrayLike, event: ArrayLike, exposed_from: ArrayLike, included: ArrayLike | None = None
) -> Floats:
    """Cox hazard ratio of exposed to unexposed time, Breslow's treatment of ties.

    Parameters
    ----------
    time : array_like, shape (..., n)
        Time to event or censoring, any unit; finite, from 0 up.
    event : array_like of bool, shape (..., n)
        Whether the time is an event; 1 and 0 will do.
    exposed_from : array_like, shape (..., n), or one for all
        Time from which a patient counts as exposed: -inf always, inf never, otherwise a time-dependent covariate
        (exposed strictly after it).
    included : array_like of bool, shape (..., n), optional
        Patients who count (default: all); what the others have is not looked at.

    Returns
    -------
    ndarray, shape (...)
        NaN where it cannot be estimated (no event in one of the two groups, nobody who counts).

    Raises
    ------
    InputError
        A time, event, exposure or shape that makes no sense: where, what was found, what was expected.
    """
    times, counted = checked_times(time, included, least=0)
    events = checked_flags(event, "event", times, counted)
    since = numbers(exposed_from, "exposed_from")
    since = np.broadcast_to(since, times.shape) if since.ndim == 0 else since
    same_shape(since, times, "exposed_from", "time")
    if (counted & np.isnan(since)).any():
        where = place("exposed_from", np.argwhere(counted & np.isnan(since))[0])
        raise InputError("found nan, expected a time, -inf (always exposed) or inf (never).", field=where)
    n = times.shape[-1]
    each = zip(*(x.reshape(-1, n) for x in (times, since)), *(x.reshape(-1, n) for x in (events, counted)), strict=True)
    return np.array([_one(t[c], e[c], s[c]) for t, s, e, c in each]).reshape(times.shape[:-1])


def _one(times: Floats, events: Flags, since: Floats) -> float:
    """The ratio of one trial, by Newton's method on its logarithm."""
    at = times[events]
    exposed = since[events] < at
    if exposed.all() or not exposed.any():
        return np.nan
    began, gone = _before(since, at), _before(np.maximum(since, times), at)  # exposed before; and no longer at risk
    with_exposure = began - gone
    without = times.size - _before(times, at) - with_exposure
    log_ratio, seen = 0.0, int(exposed.sum())
    for _ in range(NEWTON_STEPS):
        share = with_exposure * np.exp(log_ratio)
        share = share / (share + without)
        slope = float((share * (1 - share)).sum())
        if slope <= EPSILON:
            return np.nan
        step = (seen - float(share.sum())) / slope
        log_ratio += min(max(step, -NEWTON_LARGEST), NEWTON_LARGEST)
        if abs(log_ratio) > LARGEST_LOG_RATIO:
            return np.nan
        if abs(step) < math.sqrt(EPSILON):
            break
    return float(np.exp(log_ratio))


def _before(times: Floats, at: Floats) -> NDArray[np.intp]:
    """How many of some times lie before each of others."""
    return np.searchsorted(np.sort(times), at)
