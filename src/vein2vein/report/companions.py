"""What companions show, as numbers for a chart: a band over the days for a measurement, and how many reach a grade.

The patient with the typical values for all that is unknown is the first companion; the line of that one is its course.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.journey.journey import Journey
from vein2vein.report import facts
from vein2vein.report.look import look, looks, texts

Floats = NDArray[np.float64]
FIRST = 0
REACHED = (2, 4, 10, 20)
"""One of so many companions has at least the grade that is shown."""


@dataclass(frozen=True)
class Band:
    """A measurement of the infused companions.

    Attributes
    ----------
    days, low, middle, high : ndarray, shape (k,)
        Ends of the outer band of the reports (5 and 95 %) and the median; NaN where too few were measured.
    one : ndarray, shape (k,)
        The first companion; NaN where that one was not infused or not measured.
    """

    days: Floats
    low: Floats
    middle: Floats
    high: Floats
    one: Floats


@dataclass(frozen=True)
class Reached:
    """Grades of the infused companions by day 0 ... last.

    Attributes
    ----------
    one : ndarray of int, shape (last + 1,)
        Of the first companion; -1: not gradable, or not observed.
    shares : ndarray of int, shape (len(REACHED), last + 1)
        The grade that one of 2, 4, 10, 20 companions has at least.
    """

    one: NDArray[np.int64]
    shares: NDArray[np.int64]


def band(journey: Journey, name: str, last: float, *, at: Sequence[float] = ()) -> Band | None:
    """The band of a measurement from the infusion to a day; None where nobody was measured.

    Parameters
    ----------
    journey : Journey
    name : str
        Analyte.
    last : float
        Day.
    at : sequence of float
        Only these days, such as the visits; empty: all.
    """
    days = np.asarray(journey.course.days, dtype=np.float64)
    seen = (days >= 0) & (days <= last) & (np.isin(days, at) if at else True)
    values = np.asarray(journey.course.dense(name), dtype=np.float64)[:, seen]
    infused = values[journey.infused]
    measured = np.isfinite(infused).any(axis=0) if infused.size else np.zeros(0, dtype=bool)
    if not measured.any():
        return None
    infused = infused[:, measured]
    low, middle, high = sorted_quantiles(infused, (looks("bands", "outer")[0], 1 / 2, looks("bands", "outer")[-1]))
    one = values[FIRST, measured] if journey.infused[FIRST] else np.full(int(measured.sum()), np.nan)
    return Band(days[seen][measured], low, middle, high, one)


def sorted_quantiles(values: Floats, levels: Sequence[float]) -> Floats:
    """Quantiles over patients, ignoring NaN, as ``report.figures.quantiles``; of one sort, since sliders wait for it.

    Parameters
    ----------
    values : ndarray, shape (n, k)
    levels : sequence of float

    Returns
    -------
    ndarray, shape (levels, k)
        NaN where fewer were measured than a band needs.
    """
    ordered = np.sort(values, axis=0)
    count = np.isfinite(ordered).sum(axis=0)
    columns: NDArray[np.intp] = np.arange(values.shape[1], dtype=np.intp)
    found = np.full((len(levels), values.shape[1]), np.nan)
    enough = count >= min(int(look("figure", "fewest_for_band")), values.shape[0])
    for i, level in enumerate(levels):
        place = level * np.maximum(count - 1, 0)
        below = np.floor(place).astype(np.intp)
        above = np.minimum(below + 1, np.maximum(count - 1, 0))
        share = place - below
        found[i] = ordered[below, columns] * (1 - share) + ordered[above, columns] * share
    found[:, ~enough | (count == 0)] = np.nan
    return found


def reached(journey: Journey, key: str, last: int) -> Reached | None:
    """The grades of a finding by day; None where nobody was infused."""
    who = np.flatnonzero(journey.infused)
    if not who.size:
        return None
    worst = facts.daily_worst(journey, key, last)
    ordered = -np.sort(-worst, axis=0)
    places = [max(-(-who.size // share) - 1, 0) for share in REACHED]
    nobody = np.full(last + 1, facts.NOT_GRADABLE)
    one = worst[0] if journey.infused[FIRST] else nobody
    return Reached(np.maximum(one, -1), np.maximum(ordered[places], -1))


def tumor_measure(journey: Journey) -> str | None:
    """The measure by which the disease is followed, the preferred first; None where none was taken."""
    lineage = journey.arms[0].disease.lineage
    return next((name for name in texts("disease_measures", lineage) if journey.course.measured(name)), None)


def visits(journey: Journey) -> tuple[float, ...]:
    """Days on which the disease or the cells are measured, and those of the first weeks."""
    plan, early = journey.plan, look("windows", "early")
    days = np.asarray(journey.course.days, dtype=np.float64)
    kept = np.isin(days, (*plan.kinetics_samples, *plan.disease_visits)) | (days > early) | (days == 0)
    return tuple(float(day) for day in days[kept & (days >= 0)])
