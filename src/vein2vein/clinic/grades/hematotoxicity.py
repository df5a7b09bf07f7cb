"""Blood counts: CTCAE grades of each count, and ICAHT (early and late) from the days spent below its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.clinic.criteria import Edition, edition, unverified
from vein2vein.clinic.grades.bounded import Range, bounded_ladder, carried_ends, charted, ends, lowest_of_day
from vein2vein.clinic.grades.grades import NOT_GRADABLE, Flags, Floats, Grades, ladder, settle
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.course import Course

CYTOPENIAS = ("neutropenia", "thrombocytopenia", "anemia", "lymphopenia", "leukopenia")


def grade_cytopenia(course: Course, name: str, criteria: str = "ctcae_v5_blood") -> Grades:
    """CTCAE grade of one blood count at every cell; not gradable where it was not measured, or not understood.

    A count below a limit, or above one, is graded where both of its ends earn the same, else "at least".

    Parameters
    ----------
    course : Course
    name : str
        ``neutropenia``, ``thrombocytopenia``, ``anemia``, ``lymphopenia`` or ``leukopenia``.
    criteria : str
        Edition.
    """
    rules = edition(criteria)
    levels = rules.column(name)
    if not levels:
        raise InputError(unknown("cytopenia", name, CYTOPENIAS))
    analyte = levels[0].reads
    lasts = rules.values["carry"]
    found = carried_ends(course, analyte, lasts) if lasts else ends(course, analyte)
    lower, upper = bounded_ladder(found, levels)
    grade = np.where(np.isnan(found.low), NOT_GRADABLE, settle(lower, upper)).astype(np.int8)
    missing = {analyte: open_} if (open_ := grade < 0).any() else {}
    return Grades(
        name, rules.name, course.days, grade, lower, missing, {name: lower}, {name: (analyte,)}, {}, {},
        unverified(rules.name), looked=charted(course, analyte),
    )  # fmt: skip


@dataclass(frozen=True)
class Hematotoxicity:
    """ICAHT of each patient, arrays (n,).

    Attributes
    ----------
    early, late : ndarray of int8
        Grade; -1 where no neutrophil count lies in the window, or where bounds and counts that were not understood
        could change it.
    days_low, days_very_low : ndarray of int
        Longest run of days in the early window at or below the two limits, short recoveries bridged.
    overridden : ndarray of bool
        Early grade set to the highest: low from the start to the last count.
    transient : ndarray of bool
        Late: one low count, but the second lowest is above every limit.
    cumulative_low, cumulative_very_low : ndarray of int
        All days of the early window at or below the two limits, in one run or many.
    early_at_least, late_at_least : ndarray of int8
        What is surely earned; all days above are so, too.
    unknown_days : ndarray of int
        Days of the early window that no count tells of, nor the line between two counts.
    """

    early: NDArray[np.int8]
    late: NDArray[np.int8]
    days_low: NDArray[np.int64]
    days_very_low: NDArray[np.int64]
    overridden: NDArray[np.bool_]
    transient: NDArray[np.bool_]
    cumulative_low: NDArray[np.int64]
    cumulative_very_low: NDArray[np.int64]
    early_at_least: NDArray[np.int8]
    late_at_least: NDArray[np.int8]
    unknown_days: NDArray[np.int64]


def grade_icaht(course: Course, *, last_day: ArrayLike = np.inf, criteria: str = "icaht_2023") -> Hematotoxicity:
    """Grade immune effector cell-associated hematotoxicity by the longest run of low neutrophil counts.

    Days are dates: that of the infusion is 0, whatever the hour. Of several counts on one date the lowest is read. A
    date whose count was not understood is neither low nor filled from its neighbors: the grade is told where it would
    be the same either way.

    Parameters
    ----------
    course : Course
        With neutrophils (1e9/L).
    last_day : array_like, shape (n,)
        Day of next therapy, progression or last follow-up; later counts are not read.
    criteria : str
        Edition.
    """
    rules = edition(criteria)
    daily, until = _daily_lowest(course, "neutrophils", int(rules.values["late_last_day"]), last_day)
    best = _icaht(daily.high, until, rules)
    worst = _icaht(daily.low, until, rules)
    return replace(best, early=settle(best.early, worst.early), late=settle(best.late, worst.late))


def icaht_in_chart(
    course: Course, *, last_day: ArrayLike, over: ArrayLike, criteria: str = "icaht_2023"
) -> Hematotoxicity:
    """ICAHT of a chart that is still being written: as published, with two differences.

    A day in a gap too long to be filled may have been low: the grade is told where it would be the same either way.
    Low from the start to the end is the highest grade only where the early window is over and counts reach its end.

    Parameters
    ----------
    course, criteria
        As for ``grade_icaht``.
    last_day : array_like, shape (n,)
        Today, or the day on which death or the next therapy ended the window.
    over : array_like of bool, shape (n,)
        Whether the early window is over.
    """
    rules = edition(criteria)
    daily, until = _daily_lowest(course, "neutrophils", int(rules.values["late_last_day"]), last_day)
    ended = np.broadcast_to(np.asarray(over, dtype=bool), until.shape)
    best = _icaht(daily.high, until, rules, over=ended, unknown_is=np.nan)
    worst = _icaht(daily.low, until, rules, over=ended, unknown_is=0.0)
    return replace(best, early=settle(best.early, worst.early), late=settle(best.late, worst.late))


def _icaht(
    daily: Floats, until: Floats, rules: Edition, over: Flags | None = None, unknown_is: float | None = None
) -> Hematotoxicity:
    """ICAHT of counts that are known: one for each date, NaN where there is none."""
    v = rules.values
    n = len(daily)
    early_days = int(v["early_last_day"]) + 1
    filled = _filled(daily[:, :early_days], int(v["gap_filled"]), until, unknown_is)
    filled = np.round(filled / v["rounded_to"]) * v["rounded_to"]
    gap = int(v["recovery_days"]) - 1
    low, very_low = filled <= v["low"] + v["tolerance"], filled <= v["very_low"] + v["tolerance"]
    days_low, days_very_low = _longest_run(low, gap), _longest_run(very_low, gap)
    early = np.zeros(n, dtype=np.int8)
    for level in rules.column("early"):
        days = days_low if level.reads == "days_low" else days_very_low
        early = np.where(days >= level.value, np.maximum(early, level.grade), early).astype(np.int8)
    overridden = _low_from_start_to_end(low, np.isfinite(filled), gap, int(v["override_start_until"]))
    if over is not None:
        end = np.clip(until, 0, early_days - 1).astype(np.intp)
        overridden &= over & np.isfinite(np.take_along_axis(filled, end[:, None], axis=1)[:, 0])
    early = np.where(overridden, rules.top, early)
    early = np.where(np.isfinite(filled).any(axis=1), early, NOT_GRADABLE).astype(np.int8)

    later = np.sort(daily[:, early_days:], axis=1)  # NaN last
    lowest = later[:, 0]
    second = later[:, 1] if later.shape[1] > 1 else np.full(n, np.nan)
    levels = rules.column("late")
    transient = (
        np.isfinite(second) & (ladder(second[:, None], levels)[:, 0] == 0) & (ladder(lowest[:, None], levels)[:, 0] > 0)
    )
    late = np.where(transient, 0, ladder(lowest[:, None], levels)[:, 0])
    late = np.where(np.isnan(lowest), NOT_GRADABLE, late).astype(np.int8)
    return Hematotoxicity(
        early, late, days_low, days_very_low, overridden, transient, low.sum(axis=1), very_low.sum(axis=1),
        np.maximum(early, 0), np.maximum(late, 0), _unknown_days(filled, until),
    )  # fmt: skip


@dataclass(frozen=True)
class Thrombocytopenia:
    """T-ICAHT of each patient, arrays (n,).

    Attributes
    ----------
    early, late : ndarray of int8
        Grade; -1 where it cannot be graded (no count; late: fewer than two tests; bounds, or counts that were not
        understood, could change it).
    days_low, days_very_low : ndarray of int
        Days of the early window below the two limits, added up.
    recovery_day : ndarray
        First of three days in a row at 20 or more without transfusion in the week before; inf: none.
    early_at_least, late_at_least : ndarray of int8
        What is surely earned; the days are so, too.
    unknown_days : ndarray of int
        Days of the early window that no count tells of, nor the line between two counts.
    """

    early: NDArray[np.int8]
    late: NDArray[np.int8]
    days_low: NDArray[np.int64]
    days_very_low: NDArray[np.int64]
    recovery_day: NDArray[np.float64]
    early_at_least: NDArray[np.int8]
    late_at_least: NDArray[np.int8]
    unknown_days: NDArray[np.int64]


def grade_t_icaht(course: Course, *, last_day: ArrayLike = np.inf, criteria: str = "t_icaht_2024") -> Thrombocytopenia:
    """Grade thrombocytopenia after immune effector cells by the days spent below its limits, added up.

    Parameters
    ----------
    course : Course
        With platelets (10^9/L), and platelet_transfusion for the day of recovery.
    last_day : array_like, shape (n,)
        Day of next therapy, progression, death or last follow-up; later counts are not read.
    criteria : str
        Edition.
    """
    rules = edition(criteria)
    daily, until = _daily_lowest(course, "platelets", int(rules.values["late_last_day"]), last_day)
    recovered = _platelet_recovery(course, daily.low, rules.values)
    best, worst = _t_icaht(daily.high, until, rules, recovered), _t_icaht(daily.low, until, rules, recovered)
    return replace(best, early=settle(best.early, worst.early), late=settle(best.late, worst.late))


def t_icaht_in_chart(course: Course, *, last_day: ArrayLike, criteria: str = "t_icaht_2024") -> Thrombocytopenia:
    """T-ICAHT of a chart that is still being written: a day in a gap too long to be filled may have been low."""
    rules = edition(criteria)
    daily, until = _daily_lowest(course, "platelets", int(rules.values["late_last_day"]), last_day)
    recovered = _platelet_recovery(course, daily.low, rules.values)
    best = _t_icaht(daily.high, until, rules, recovered, unknown_is=np.nan)
    worst = _t_icaht(daily.low, until, rules, recovered, unknown_is=0.0)
    return replace(best, early=settle(best.early, worst.early), late=settle(best.late, worst.late))


def _t_icaht(
    daily: Floats, until: Floats, rules: Edition, recovered: Floats, unknown_is: float | None = None
) -> Thrombocytopenia:
    """T-ICAHT of counts that are known: one for each date, NaN where there is none."""
    v = rules.values
    n = len(daily)
    split = int(v["early_last_day"]) + 1
    gap = int(edition("icaht_2023").values["gap_filled"])  # as for neutrophils: the proposal names no gap of its own
    first = _filled(daily[:, :split], gap, until, unknown_is)
    low, very_low = (first < v["low"]).sum(axis=1), (first < v["very_low"]).sum(axis=1)
    early = np.zeros(n, dtype=np.int8)
    for level in rules.column("early"):
        met = (low if level.reads == "days_low" else very_low) >= level.value
        early = np.maximum(early, met * np.int8(level.grade))
    early = np.where(np.isfinite(first).any(axis=1), early, NOT_GRADABLE).astype(np.int8)

    later = daily[:, split:]
    tests = int(v["late_tests"])
    days = (_filled(later, gap, until - split, unknown_is) < v["very_low"]).sum(axis=1)
    late = np.zeros(n, dtype=np.int8)
    for limit, grade in ((v["late_low"], 1), (v["low"], 2)):
        late = np.where((later < limit).sum(axis=1) >= tests, grade, late)
    confirmed = (later < v["very_low"]).sum(axis=1) >= tests
    for level in rules.column("late"):
        late = np.where(confirmed & (days >= level.value), level.grade, late)
    late = np.where(np.isfinite(later).sum(axis=1) >= tests, late, NOT_GRADABLE).astype(np.int8)
    return Thrombocytopenia(
        early, late, low, very_low, recovered, np.maximum(early, 0), np.maximum(late, 0), _unknown_days(first, until)
    )


def _platelet_recovery(course: Course, daily: NDArray[np.float64], v: Mapping[str, float]) -> NDArray[np.float64]:
    """First of so many days in a row at the count, after a fall below it, untransfused for a week; (n,)."""
    n, k = daily.shape
    given = np.zeros((n, k), dtype=bool)
    days = course.calendar()
    bags = (charted(course, "platelet_transfusion") & (ends(course, "platelet_transfusion").high >= 1)) & (days >= 0)
    rows, columns = np.nonzero(bags & (days < k))
    given[rows, days[rows, columns]] = True
    found, run, fell = np.full(n, np.inf), np.zeros(n), np.zeros(n, dtype=bool)
    since = np.full(n, np.inf)
    for day in range(k):
        since = np.where(given[:, day], 0.0, since + 1)
        good = (daily[:, day] >= v["recovery_count"]) & (since >= v["recovery_untransfused"])
        run = np.where(good, run + 1, 0)
        fell |= daily[:, day] < v["recovery_count"]
        reached = fell & (run == v["recovery_days"]) & np.isinf(found)
        found = np.where(reached, day - v["recovery_days"] + 1, found)
    return found


def _daily_lowest(course: Course, name: str, last: int, last_day: ArrayLike) -> tuple[Range, Floats]:
    """Ends of the lowest count of each date from day 0 on, shape (n, last + 1), and the last date that is read."""
    days = course.calendar()
    end = np.broadcast_to(np.asarray(last_day, dtype=float), (course.shape[0],))
    read = course.days[None, :] <= end[:, None]
    found = Range(*(np.where(read, one, np.nan) for one in ends(course, name)))
    clock = course.clock if course.clock.size else 0.0
    return lowest_of_day(days, found, last), np.floor(end + clock)


def _filled(daily: Floats, longest_gap: int, until: Floats, unknown_is: float | None) -> Floats:
    """Counts with their gaps filled; None: as published. Else the last count carries up to ``until``, no further.

    What stays unknown up to then is ``unknown_is``: 0 where it may have been low, NaN where nothing is said.
    """
    k = daily.shape[1]
    if unknown_is is None:
        return _interpolated(daily, longest_gap, until, np.full(len(daily), k))
    filled = _interpolated(daily, longest_gap, until, np.clip(until + 1, 0, k).astype(np.int64))
    return np.where(_unknown(filled, until), unknown_is, filled)


def _unknown(filled: Floats, until: Floats) -> Flags:
    """Days up to ``until`` of which nothing is known."""
    here = np.arange(filled.shape[1], dtype=np.intp)[None, :]
    return np.isnan(filled) & (here <= until[:, None])


def _unknown_days(filled: Floats, until: Floats) -> NDArray[np.int64]:
    return _unknown(filled, until).sum(axis=1, dtype=np.int64)


def _interpolated(daily: Floats, longest_gap: int, until: Floats, edge: NDArray[np.int64]) -> Floats:
    """Fill gaps of up to so many days by straight lines; the ends carry their nearest value, not beyond ``until``.

    The gap after the last count is measured to ``edge``.
    """
    k = daily.shape[1]
    here = np.arange(k, dtype=np.intp)[None, :]
    known = np.isfinite(daily)
    left = np.maximum.accumulate(np.where(known, here, -1), axis=1)
    right = np.minimum.accumulate(np.where(known, here, k)[:, ::-1], axis=1)[:, ::-1]
    tail = right >= k
    at_left = np.take_along_axis(daily, np.maximum(left, 0), axis=1)
    at_right = np.take_along_axis(daily, np.minimum(right, k - 1), axis=1)
    share = (here - left) / np.maximum(right - left, 1)
    between = at_left + (at_right - at_left) * share  # NaN beyond the ends
    value = np.where(left < 0, at_right, np.where(tail, at_left, between))
    gap = np.where(tail, edge[:, None], right) - left - 1
    allowed = (gap <= longest_gap) & (here <= until[:, None])
    return np.where(known, daily, np.where(allowed, value, np.nan))


def _longest_run(low: NDArray[np.bool_], bridge: int) -> NDArray[np.int64]:
    """Longest run of low days of each patient, runs up to ``bridge`` other days apart joined; shape (n,)."""
    n = len(low)
    longest, run, apart = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for day in range(low.shape[1]):
        apart = np.where(low[:, day], 0, apart + 1)
        run = np.where(low[:, day], run + 1, np.where(apart > bridge, 0, run + (run > 0)))
        longest = np.maximum(longest, np.where(low[:, day], run, 0))
    return longest


def _low_from_start_to_end(
    low: NDArray[np.bool_], known: NDArray[np.bool_], bridge: int, start_until: int
) -> NDArray[np.bool_]:
    """Whether a run begins on one of the first days and still runs at the last known count, shape (n,)."""
    n, k = low.shape
    last = np.where(known.any(axis=1), k - 1 - known[:, ::-1].argmax(axis=1), -1)
    running, began, apart = np.zeros(n, dtype=bool), np.full(n, k), np.zeros(n, dtype=np.int64)
    answer = np.zeros(n, dtype=bool)
    for day in range(k):
        apart = np.where(low[:, day], 0, apart + 1)
        started = low[:, day] & ~running
        began = np.where(started, day, began)
        running = low[:, day] | (running & (apart <= bridge))
        answer |= (last == day) & low[:, day] & (began <= start_until)
    return answer
