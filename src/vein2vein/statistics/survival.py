"""Kaplan-Meier, competing risks and the hazard ratio of two groups, over the last axis: one trial or many at once.

Every function takes arrays (..., n): n patients in the last axis, any number of trials (resamples) in front of it.
Patients outside of the set that counts have ``included`` False and change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from vein2vein.records import described

Floats = NDArray[np.float64]

NEWTON_STEPS = 30  # solver coefficient: enough for one coefficient from 0 at the largest step
NEWTON_LARGEST = 2.0  # solver coefficient: longest Newton step, on the log hazard ratio
LARGEST_LOG_RATIO = 20.0  # solver coefficient: beyond it a group had no event, and the ratio is not estimable


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
        Greenwood's variance of the survival divided by its square; NaN for cumulative incidence.
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


def _ordered(
    time: ArrayLike, event: ArrayLike, included: ArrayLike | None
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Sort by time, events before censorings of the same time, excluded last; return times, codes and at risk."""
    codes = np.asarray(event).astype(np.int64)
    times, codes = np.broadcast_arrays(np.asarray(time, dtype=np.float64), codes)
    counted = np.broadcast_to(True if included is None else np.asarray(included, bool), times.shape)
    times = np.where(counted, times, np.inf)
    codes = np.where(counted, codes, 0)
    order = np.lexsort((~counted, codes == 0, times), axis=-1)
    times, codes = np.take_along_axis(times, order, -1), np.take_along_axis(codes, order, -1)
    counted = np.take_along_axis(counted, order, -1)
    at_risk = np.cumsum(counted[..., ::-1], axis=-1)[..., ::-1].astype(np.float64)
    return times, codes, at_risk


def _last_of_time(times: Floats, value: Floats) -> Floats:
    """Give each patient the value after the last patient of the same time."""
    last = np.ones(times.shape, dtype=bool)
    last[..., :-1] = times[..., 1:] != times[..., :-1]
    place = np.where(last, np.arange(times.shape[-1]), times.shape[-1])
    place = np.minimum.accumulate(place[..., ::-1], axis=-1)[..., ::-1]
    return np.take_along_axis(value, place, -1)


def kaplan_meier(time: ArrayLike, event: ArrayLike, included: ArrayLike | None = None) -> Curve:
    """Product-limit estimate of survival.

    Parameters
    ----------
    time : array_like, shape (..., n)
        Time to event or censoring, any unit.
    event : array_like of bool, shape (..., n)
        Whether the time is an event.
    included : array_like of bool, shape (..., n), optional
        Patients who count (default: all).

    Returns
    -------
    Curve
        Events that share a time are taken one after the other: the product telescopes to the usual (n - d) / n.
    """
    times, codes, at_risk = _ordered(time, event, included)
    safe = np.maximum(at_risk, 1)
    survival = np.cumprod(np.where(codes > 0, (safe - 1) / safe, 1.0), axis=-1, dtype=np.float64)
    with np.errstate(divide="ignore"):  # the last patient's event: variance infinite
        added: Floats = np.where(codes > 0, 1 / (safe * (safe - 1)), 0.0)
    variance = np.cumsum(added, axis=-1, dtype=np.float64)
    return Curve(times, _last_of_time(times, survival), _last_of_time(times, variance), at_risk, 1.0)


def cumulative_incidence(
    time: ArrayLike, cause: ArrayLike, *, of: int = 1, included: ArrayLike | None = None
) -> Curve:
    """Aalen-Johansen estimate of the cumulative incidence of one cause among competing ones.

    Parameters
    ----------
    time : array_like, shape (..., n)
    cause : array_like of int, shape (..., n)
        0 censored, otherwise the number of the cause.
    of : int
        The cause wanted.
    included : array_like of bool, shape (..., n), optional
    """
    times, codes, at_risk = _ordered(time, cause, included)
    safe = np.maximum(at_risk, 1)
    survival = np.cumprod(np.where(codes > 0, (safe - 1) / safe, 1.0), axis=-1, dtype=np.float64)
    before = np.concatenate([np.ones((*survival.shape[:-1], 1)), survival[..., :-1]], axis=-1)
    # one death after the other: each of n patients still free of events carries the same weight, S / n
    value = np.cumsum(np.where(codes == of, before / safe, 0.0), axis=-1)
    return Curve(times, _last_of_time(times, value), np.full(times.shape, np.nan), at_risk, 0.0)


def _at(times: Floats, value: Floats, when: float, start: float) -> Floats:
    place = np.sum(times <= when, axis=-1) - 1
    found = np.take_along_axis(value, np.maximum(place, 0)[..., None], -1)[..., 0]
    return np.where(place < 0, start, found)


def value_at(curve: Curve, when: float) -> Floats:
    """Value of the curve at a time, shape (...); after the last observation the last value stands."""
    return _at(curve.times, curve.value, when, curve.start)


def median_time(curve: Curve) -> Floats:
    """First time at which survival is one half or less, shape (...); infinite where it is never reached."""
    reached = np.isfinite(curve.times) & (curve.value <= 1 / 2 + np.finfo(np.float64).eps)
    return np.min(np.where(reached, curve.times, np.inf), axis=-1)


def interval_at(curve: Curve, when: float, level: float) -> tuple[Floats, Floats]:
    """Confidence interval of survival at a time, on the log(-log) scale with Greenwood's variance.

    Parameters
    ----------
    curve : Curve
        From ``kaplan_meier``.
    when : float
    level : float
        Such as 0.95.

    Returns
    -------
    low, high : ndarray, shape (...)
        NaN before the first event and after survival has reached 0.
    """
    survival, variance = value_at(curve, when), _at(curve.times, curve.variance, when, 0.0)
    normal = special.ndtri((1 + level) / 2)
    known = (survival > 0) & (survival < 1)
    log_survival = np.log(np.where(known, survival, 1 / 2))
    spread = normal * np.sqrt(np.where(known, variance, 0.0)) / np.abs(log_survival)
    centre = np.log(-log_survival)
    low, high = np.exp(-np.exp(centre + spread)), np.exp(-np.exp(centre - spread))
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def hazard_ratio(
    time: ArrayLike, event: ArrayLike, exposed_from: ArrayLike, included: ArrayLike | None = None
) -> Floats:
    """Cox hazard ratio of exposed to unexposed time, Breslow's treatment of ties.

    Parameters
    ----------
    time : array_like, shape (..., n)
    event : array_like of bool, shape (..., n)
    exposed_from : array_like, shape (..., n)
        Time from which a patient counts as exposed: -inf always, inf never, otherwise a time-dependent covariate
        (exposed strictly after it).
    included : array_like of bool, shape (..., n), optional

    Returns
    -------
    ndarray, shape (...)
        NaN where it cannot be estimated (no event in one of the two groups).
    """
    times, events, since = np.broadcast_arrays(
        np.asarray(time, np.float64), np.asarray(event, bool), np.asarray(exposed_from, np.float64)
    )
    counted = np.broadcast_to(True if included is None else np.asarray(included, bool), times.shape)
    shape = times.shape[:-1]
    rows = [
        _hazard_ratio(t[c], e[c], s[c])
        for t, e, s, c in zip(
            *(x.reshape(-1, times.shape[-1]) for x in (times, events, since, counted)), strict=True
        )
    ]
    return np.array(rows).reshape(shape)


def _hazard_ratio(times: Floats, events: NDArray[np.bool_], since: Floats) -> float:
    at = times[events]
    exposed = since[events] < at
    if exposed.all() or not exposed.any():
        return np.nan
    risk = times[None, :] >= at[:, None]
    with_exposure = np.sum(risk & (since[None, :] < at[:, None]), axis=1)
    without = np.sum(risk, axis=1) - with_exposure
    log_ratio, seen = 0.0, int(exposed.sum())
    for _ in range(NEWTON_STEPS):
        share = with_exposure * np.exp(log_ratio)
        share = share / (share + without)
        slope = np.sum(share * (1 - share))
        if slope <= np.finfo(np.float64).eps:
            return np.nan
        step = (seen - np.sum(share)) / slope
        log_ratio += float(np.clip(step, -NEWTON_LARGEST, NEWTON_LARGEST))
        if abs(log_ratio) > LARGEST_LOG_RATIO:
            return np.nan
        if abs(step) < np.sqrt(np.finfo(np.float64).eps):
            break
    return float(np.exp(log_ratio))
