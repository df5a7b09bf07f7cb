"""Intervals: the ends of a central one, quantiles by rank, confidence limits of a probability between 0 and 1."""

# pyright: reportMissingTypeStubs=false
# (SciPy brings no stubs)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError, unknown
from vein2vein.statistics.checks import checked_level, numbers

Floats = NDArray[np.float64]

SCALES = ("log-log", "log", "plain")


def shares(level: float) -> tuple[float, float, float]:
    """The shares below the low end, the middle and the high end of a central interval: 0.05, 0.5, 0.95 for 0.9."""
    checked_level(level)
    return (1 - level) / 2, 1 / 2, (1 + level) / 2


def quantile(values: Floats, share: float) -> float:
    """Quantile by nearest rank, NaN left out: always one of the values, so that one not reached (inf) can be it.

    Parameters
    ----------
    values : ndarray, any shape
    share : float
        From 0 (the least value) to 1 (the largest).

    Raises
    ------
    InputError
        No value but NaN, or a share outside of 0 to 1.
    """
    if not 0 <= share <= 1:
        raise InputError(f"found {share:g}, expected a share from 0 to 1.", field="share")
    values = numbers(values, "values")
    ordered = np.sort(values[~np.isnan(values)])
    if not ordered.size:
        raise InputError("found no value but NaN, expected at least one number.", field="values")
    return float(ordered[max(int(np.ceil(share * ordered.size)) - 1, 0)])


def limits(value: Floats, relative_error: Floats, level: float, scale: str = "log-log") -> tuple[Floats, Floats]:
    """Confidence limits of probabilities, from a normal distribution on a scale.

    Parameters
    ----------
    value : ndarray, shape (...)
        Estimates from 0 to 1.
    relative_error : ndarray, shape (...)
        Standard error of each divided by the estimate: that of its logarithm.
    level : float
        Such as 0.95.
    scale : {"log-log", "log", "plain"}
        The scale on which the distribution is normal: log(-log(value)), log(value) or the value itself. Limits by the
        last two are held within 0 to 1.

    Returns
    -------
    low, high : ndarray, shape (...)
        NaN where the scale has no such value: 0, and by "log-log" also 1. On the scale itself an estimate without error
        (0 or 1) is its own limit; an error that is not known gives NaN.
    """
    from scipy import special

    if scale not in SCALES:
        raise InputError(unknown("scale of an interval", scale, SCALES), field="scale")
    normal = special.ndtri((1 + checked_level(level)) / 2)
    if scale == "plain":
        half = normal * np.where(np.isinf(relative_error), np.nan, relative_error) * value
        return np.maximum(value - half, 0.0), np.minimum(value + half, 1.0)
    known = (value > 0) & (value < 1) if scale == "log-log" else value > 0
    error = normal * np.where(known, relative_error, 0.0)
    log_value = np.log(np.where(known, value, 1 / 2))
    if scale == "log":
        low, high = np.exp(log_value - error), np.minimum(np.exp(log_value + error), 1.0)
    else:
        spread, center = error / np.abs(log_value), np.log(-log_value)
        low, high = np.exp(-np.exp(center + spread)), np.exp(-np.exp(center - spread))
    return np.where(known, low, np.nan), np.where(known, high, np.nan)
