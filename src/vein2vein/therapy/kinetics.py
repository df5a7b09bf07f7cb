"""Cellular kinetics of a course: Cmax, Tmax, AUC0-28, Clast, doubling time and half-lives, without a model."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein import arguments
from vein2vein.parameters import ParameterSet, read_parameter_file
from vein2vein.records import by_patient
from vein2vein.therapy.course import Course, course_of

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@by_patient(none=("analyte",))
@dataclass(frozen=True)
class Kinetics:
    """Cellular kinetics; every array has shape (n,), NaN where it cannot be read.

    Attributes
    ----------
    analyte : str
        ``transgene`` (copies/ug) or ``car_t_cells`` (cells/uL): the unit of the concentrations.
    cmax, tmax : ndarray
        Highest value and its day (the first, if reached twice).
    auc_0_28 : ndarray
        Area under the curve from day 0 to 28, day times the analyte's unit; linear up, logarithmic down.
    clast, tlast : ndarray
        Last quantifiable value and its day.
    doubling_time : ndarray
        Days, from the lowest value before the peak to half of the peak.
    half_life_contraction : ndarray
        Days, log-linear over the two weeks after the peak.
    half_life_terminal : ndarray
        Days, log-linear from day 60 to one year.
    """

    analyte: str
    cmax: Floats
    tmax: Floats
    auc_0_28: Floats
    clast: Floats
    tlast: Floats
    doubling_time: Floats
    half_life_contraction: Floats
    half_life_terminal: Floats


@cache
def definitions() -> ParameterSet:
    """The numbers behind the definitions, with their reasons."""
    return read_parameter_file(Path(__file__).with_name("kinetics.toml"))


def kinetics(course: Course, analyte: str = "transgene", lloq: float = 0.0) -> Kinetics:
    """Read the cellular kinetics of each patient.

    Values below the limit of quantification count as 0 before the first quantifiable one and as missing after it.

    Parameters
    ----------
    course : Course
        n patients, k days; samples before day 0 are left out.
    analyte : str
        ``transgene`` or ``car_t_cells``.
    lloq : float
        Limit of quantification, in the analyte's unit, besides what the course marks as below it.
    """
    course_of(course)
    arguments.text("analyte", analyte)
    arguments.number("lloq", lloq, low=0)
    c = SimpleNamespace(**definitions().values())
    days = course.days
    values = course.dense(analyte).copy()
    below = (values < lloq) | (values <= 0)
    if analyte in course.below_lloq:
        below |= course.below_lloq[analyte]
    below &= np.isfinite(values)
    values, sampled, below = values[:, days >= 0], np.isfinite(values[:, days >= 0]), below[:, days >= 0]
    days = days[days >= 0]
    quantified = sampled & ~below
    seen = np.asarray(quantified.any(axis=1))
    if not seen.any():
        none = np.full(len(values), np.nan)
        return Kinetics(analyte, *(none.copy() for f in fields(Kinetics) if f.name != "analyte"))
    first, last = quantified.argmax(axis=1), days.size - 1 - quantified[:, ::-1].argmax(axis=1)
    peak = np.where(quantified, values, -np.inf).argmax(axis=1)
    rows = np.arange(len(values))
    column = np.arange(days.size)

    def of(index: NDArray[np.int64], table: Floats) -> Floats:
        return np.where(seen, table[rows, index], np.nan)

    spread_days = np.broadcast_to(days, values.shape)
    cmax, tmax = of(peak, values), of(peak, spread_days)
    log = np.log(np.where(quantified, values, 1.0))
    rise = quantified & (column >= _lowest(values, quantified, first, peak)[:, None])
    rise &= (
        column <= np.where(quantified & (values >= c.near_peak * cmax[:, None]), column, days.size).min(axis=1)[:, None]
    )
    fall = quantified & (column >= peak[:, None]) & (days <= tmax[:, None] + c.contraction_days)
    tail = quantified & (days >= c.terminal_from) & (days <= c.terminal_until) & (column > peak[:, None])
    exposure = _exposure(days, values, quantified, sampled, first, c.exposure_until)
    latest = np.where(sampled, days, -np.inf).max(axis=1)
    return Kinetics(
        analyte, cmax, tmax, np.where(latest >= c.exposure_until - c.exposure_gap, exposure, np.nan),
        of(last, values), of(last, spread_days),
        _time(slope(days, log, rise)), _time(-slope(days, log, fall)),
        _time(-slope(days, log, tail, least=int(c.terminal_points))),
    )  # fmt: skip


def _lowest(values: Floats, quantified: Flags, first: NDArray[np.int64], peak: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of the lowest quantified value before the peak (the dip after infusion), the latest of equals."""
    column = np.arange(values.shape[1])
    before = quantified & (column >= first[:, None]) & (column <= peak[:, None])
    reversed_values = np.where(before, values, np.inf)[:, ::-1]
    return values.shape[1] - 1 - reversed_values.argmin(axis=1)


def _time(rate: Floats) -> Floats:
    """Doubling time or half-life of a rate per day; NaN where it does not rise or fall."""
    good = rate > 0
    return np.where(good, np.log(2) / np.where(good, rate, 1.0), np.nan)


def slope(days: ArrayLike, log_values: ArrayLike, use: ArrayLike, least: int = 2) -> Floats:
    """Slope per day of the least-squares line through the points in ``use``, shape (n,); NaN below ``least`` points.

    Parameters
    ----------
    days : array_like, shape (k,)
    log_values : array_like, shape (n, k)
    use : array_like of bool, shape (n, k)
    least : int
    """
    weight = np.asarray(use, dtype=float)
    count = weight.sum(axis=1)
    safe = np.maximum(count, 1.0)
    y = np.where(use, log_values, 0.0)
    day = np.asarray(days, dtype=float)
    centered = (day - ((weight * day).sum(axis=1) / safe)[:, None]) * weight
    squares = (centered**2).sum(axis=1)
    enough = (count >= least) & (squares > 0)
    return np.where(enough, (centered * y).sum(axis=1) / np.where(enough, squares, 1.0), np.nan)


def _exposure(
    days: Floats, values: Floats, quantified: Flags, sampled: Flags, first: NDArray[np.int64], until: float
) -> Floats:
    """Area from day 0 to ``until`` over the quantified values; 0 on day 0 and in samples before the first of them."""
    total = np.zeros(len(values))
    before_day, before = np.zeros(len(values)), np.zeros(len(values))
    for j, day in enumerate(days):
        early = (j < first) & sampled[:, j]
        now = np.where(early, 0.0, values[:, j])
        use = quantified[:, j] | early
        area = _segment(before_day, before, np.full(len(values), day), np.where(use, now, before), until)
        total += np.where(use, area, 0.0)
        before_day, before = np.where(use, day, before_day), np.where(use, now, before)
    return np.where(quantified.any(axis=1), total, np.nan)


def _segment(t1: Floats, c1: Floats, t2: Floats, c2: Floats, until: float) -> Floats:
    """Area between two samples, cut at ``until``: straight where the curve rises, exponential where it falls."""
    width = t2 - t1
    span = np.clip(until - t1, 0.0, width)
    part = np.divide(span, width, out=np.zeros_like(width), where=width > 0)
    straight = span * (c1 + part * (c2 - c1) / 2)
    falls = (c2 < c1) & (c2 > 0)
    steep = np.log(np.where(falls, c1, 1.0) / np.where(falls, c2, 1.0))  # ln of the fall over the whole segment
    rate = np.divide(steep, width, out=np.zeros_like(width), where=width > 0)
    curved = np.divide(-c1 * np.expm1(-rate * span), rate, out=straight.copy(), where=falls & (rate > 0))
    return np.where(falls, curved, straight)
