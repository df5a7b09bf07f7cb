"""Values of which only a bound is known: ``<0.5``, ``>1``, or charted and not understood.

Each charted value has a lowest and a highest number that it may be. What both ends earn is settled; where they differ
the grade is "at least". A value that was not understood may be anything in its plausible range, and no other value is
carried over it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.analytes import analyte
from vein2vein.clinic.criteria import Level
from vein2vein.clinic.grades.grades import Flags, Floats, Whole, at_last, compare, ladder, last, latest, take
from vein2vein.therapy.course import Course


class Range(NamedTuple):
    """Lowest and highest number that values may be, arrays of one shape; NaN: not charted."""

    low: Floats
    high: Floats


def is_score(name: str) -> bool:
    """Whether an analyte is a score or a yes or no: its bounds are "at least" and "at most" the number."""
    found = analyte(name)
    return found.unit == "1" and found.kind != "lab"


def charted(course: Course, name: str) -> Flags:
    """Cells where an analyte stands in the chart, understood or not; shape (n, k)."""
    found = np.isfinite(course.dense(name))
    return found | course.unread[name] if name in course.unread else found


def ends(course: Course, name: str) -> Range:
    """Lowest and highest value that each cell allows, shape (n, k); NaN where nothing is charted.

    A value below a limit lies under it, down to the lowest plausible one; one above it over it.
    """
    low = high = course.dense(name)
    least, most = analyte(name).low, analyte(name).high
    strict = not is_score(name)
    if name in course.below_lloq:
        below = course.below_lloq[name] & np.isfinite(low)
        high = np.where(below, np.nextafter(high, -np.inf) if strict else high, high)
        low = np.where(below, np.minimum(least, high), low)
    if name in course.above:
        above = course.above[name] & np.isfinite(low)
        low = np.where(above, np.nextafter(low, np.inf) if strict else low, low)
        high = np.where(above, np.maximum(most, low), high)
    if name in course.unread:
        open_ = course.unread[name] & np.isnan(course.dense(name))
        low, high = np.where(open_, least, low), np.where(open_, most, high)
    return Range(low, high)


def carried_ends(course: Course, name: str, window: float = np.inf) -> Range:
    """The same of the latest charted value at each cell, if it is no older than ``window`` days; shape (n, k)."""
    return carry_over(course, ends(course, name), charted(course, name), window)


def last_ends(course: Course, name: str, window: float = np.inf) -> Range:
    """The same at the last cell only, shape (n,): it is not carried over every cell before."""
    found, column = ends(course, name), last(charted(course, name))
    old = (column < 0) | (course.days[-1] - course.days[column] > window)
    low = np.where(old, np.nan, at_last(found.low, column, np.nan))
    return Range(low, low if found.high is found.low else np.where(old, np.nan, at_last(found.high, column, np.nan)))


def carry_over(course: Course, found: Range, known: Flags, window: float) -> Range:
    """Each end of the latest known cell at every cell, if it is no older than ``window`` days."""
    column = latest(known)
    old = column < 0
    if np.isfinite(window) and found.low.size:
        old = old | (course.days[None, :] - course.days[np.maximum(column, 0)] > window)
    low = np.where(old, np.nan, take(found.low, column, np.nan))
    return Range(low, low if found.high is found.low else np.where(old, np.nan, take(found.high, column, np.nan)))


def range_of(value: ArrayLike | Range) -> Range:
    """What was given as numbers, as a range without width."""
    if isinstance(value, Range):
        return Range(*(np.atleast_1d(np.asarray(end, dtype=float)) for end in value))
    number = np.atleast_1d(np.asarray(value, dtype=float))
    return Range(number, number)


def bounded_ladder(found: Range, levels: Iterable[Level]) -> tuple[Whole, Whole]:
    """Lowest and highest grade that values allow; 0 where nothing is charted.

    Parameters
    ----------
    found : Range
        From ``ends`` or ``carried_ends``.
    levels : iterable of Level
        Comparisons of one analyte with numbers, in either direction.
    """
    listed = tuple(levels)
    one = ladder(found.low, listed)
    if found.high is found.low:
        return one, one
    other = ladder(found.high, listed)
    return np.minimum(one, other), np.maximum(one, other)


def meets(found: Range, level: Level) -> tuple[Flags, Flags]:
    """Whether values surely meet a comparison, and whether they may; nothing charted does neither."""
    one = compare(found.low, level)
    if found.high is found.low:
        return one, one
    other = compare(found.high, level)
    return one & other, one | other


def lowest_of_day(days: NDArray[np.int64], found: Range, last: int) -> Range:
    """Ends of the lowest value of each calendar day from day 0 on, shape (n, last + 1); NaN: nothing charted.

    Parameters
    ----------
    days : ndarray of int, shape (n, k)
        Calendar day of each cell.
    found : Range
        Of each cell.
    last : int
        Last day.
    """
    n, width = len(days), max(0, last + 1)
    low, high = np.full(n * width, np.nan), np.full(n * width, np.nan)
    rows, columns = np.nonzero((days >= 0) & (days <= last) & (np.isfinite(found.low) | np.isfinite(found.high)))
    at = rows * width + days[rows, columns]
    np.fmin.at(low, at, found.low[rows, columns])
    np.fmin.at(high, at, found.high[rows, columns])
    return Range(low.reshape(n, width), high.reshape(n, width))
