"""Cellular kinetics of a course: Cmax, Tmax, AUC0-28, Clast, doubling time and half-lives, without a model."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein import arguments
from vein2vein.parameters import ParameterSet, read_parameter_file
from vein2vein.records import by_patient
from vein2vein.therapy.course import Course, course_of
from vein2vein.therapy.curves import ZERO_BEFORE, Curves, area, made_ready

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


@cache
def number(name: str) -> float:
    """One of them."""
    return float(definitions().values()[name])


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
    marked = course.marked(course.below_lloq, analyte)
    return kinetics_of(made_ready(course.days, course.dense(analyte), marked, lloq), analyte)


def kinetics_of(curves: Curves, name: str, rule: str = ZERO_BEFORE) -> Kinetics:
    """Read the cellular kinetics of curves, whatever was measured.

    Parameters
    ----------
    curves : Curves
    name : str
        What was measured.
    rule : str
        What values below the limit count as in the area; of ``therapy.curves.RULES``.
    """
    if not curves.seen.any():
        none = np.full(len(curves.values), np.nan)
        return Kinetics(name, *(none.copy() for f in fields(Kinetics) if f.name != "analyte"))
    cmax, tmax = curves.at(curves.peak)
    clast, tlast = curves.at(curves.last)
    days, log = curves.days, curves.log
    latest = np.where(curves.sampled, days, -np.inf).max(axis=1)
    until = number("exposure_until")
    exposure = np.where(latest >= until - number("exposure_gap"), area(curves, until, rule), np.nan)
    return Kinetics(
        name, cmax, tmax, exposure, clast, tlast,
        time_of(slope(days, log, rise(curves))), time_of(-slope(days, log, contraction(curves))),
        time_of(-slope(days, log, tail(curves), least=int(number("terminal_points")))),
    )  # fmt: skip


# The samples of each slope


def rise(curves: Curves) -> Flags:
    """Samples of the doubling time: from the lowest value before the peak to the first near the peak."""
    cmax, _ = curves.at(curves.peak)
    column = np.arange(curves.days.size)
    lowest = _lowest(curves)[:, None]
    near = curves.quantified & (curves.values >= number("near_peak") * cmax[:, None])
    end = np.where(near, column, curves.days.size).min(axis=1)[:, None]
    return curves.quantified & (column >= lowest) & (column <= end)


def contraction(curves: Curves) -> Flags:
    """Samples of the half-life of contraction: the peak and the two weeks after it."""
    _, tmax = curves.at(curves.peak)
    column = np.arange(curves.days.size)
    within = curves.days <= tmax[:, None] + number("contraction_days")
    return curves.quantified & (column >= curves.peak[:, None]) & within


def tail(curves: Curves) -> Flags:
    """Samples of the terminal half-life: after the peak, from day 60 to one year."""
    column = np.arange(curves.days.size)
    late = (curves.days >= number("terminal_from")) & (curves.days <= number("terminal_until"))
    return curves.quantified & late & (column > curves.peak[:, None])


def _lowest(curves: Curves) -> NDArray[np.int64]:
    """Position of the lowest quantified value before the peak (the dip after infusion), the latest of equals."""
    column = np.arange(curves.days.size)
    before = curves.quantified & (column >= curves.first[:, None]) & (column <= curves.peak[:, None])
    reversed_values = np.where(before, curves.values, np.inf)[:, ::-1]
    return curves.days.size - 1 - reversed_values.argmin(axis=1)


def time_of(rate: Floats) -> Floats:
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
