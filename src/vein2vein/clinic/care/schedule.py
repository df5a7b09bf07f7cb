"""What is due next: monitoring, laboratory values, visits, prophylaxis, and follow-up to 15 years. The plan is data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic import words
from vein2vein.clinic.criteria import edition, rows_of
from vein2vein.clinic.grades.bounded import charted, ends
from vein2vein.clinic.grades.grades import Grades
from vein2vein.errors import InputError
from vein2vein.therapy.course import Course

GROUPS = ("watch", "labs", "immune", "disease", "prophylaxis", "advice", "vaccines", "long_term")


@dataclass(frozen=True)
class Due:
    """Something that is due.

    Attributes
    ----------
    what : str
    group : str
        One of ``GROUPS``.
    when : float
        Day on which it is due; for what lasts (advice, prophylaxis) the day from which it holds.
    until : float
        Last day.
    overdue : bool
        It was due before today and is not in the record.
    last : float
        Day of the last charting; NaN: none.
    reads : tuple of str
        Analytes whose charting fulfils it.
    mark : str
        R:Sx read in that source, M from memory (unverified), D our choice.
    """

    what: str
    group: str
    when: float
    until: float
    overdue: bool
    last: float
    reads: tuple[str, ...]
    mark: str


@dataclass(frozen=True)
class ScheduleRow:
    """A row of criteria/schedule.toml.

    Attributes
    ----------
    what, group, mark : str
    from_day, until_day, every : float
        Of what is repeated or lasts; 0: it is not repeated.
    on : tuple of float
        Planned days of a visit.
    reads : tuple of str
        Analytes whose charting fulfils it.
    product : str
        Name of the product card for which alone it holds.
    except_products : tuple of str
        Those for which it does not hold.
    crs_at_least, neutrophils_below, neutrophils_low_days, cd4_above : float
        Conditions; NaN: not asked.
    why : str
    """

    what: str
    group: str
    mark: str
    from_day: float = np.nan
    until_day: float = np.nan
    every: float = 0.0
    on: tuple[float, ...] = ()
    reads: tuple[str, ...] = ()
    product: str = ""
    except_products: tuple[str, ...] = ()
    crs_at_least: float = np.nan
    neutrophils_below: float = np.nan
    neutrophils_low_days: float = np.nan
    cd4_above: float = np.nan
    why: str = ""


def due(
    course: Course,
    day: float,
    product: str = "",
    *,
    position: int = 0,
    findings: Mapping[str, Grades] | None = None,
    horizon: float | None = None,
    criteria: str = "schedule",
) -> tuple[Due, ...]:
    """What is due today, what is overdue, and what comes next, by day.

    Parameters
    ----------
    course : Course
        What was charted so far; later days are not read.
    day : float
        Today; infusion = 0.
    product : str
        Name of the product card; rows for another product are left out.
    position : int
        Place of the patient in the course.
    findings : mapping of str to Grades, optional
        For rows that hold at a grade of cytokine release syndrome: the usual scale is among them. Without findings
        these rows are left out.
    horizon : float, optional
        Days ahead; default that of the edition. The next visit of each kind is told however far it is.
    criteria : str
        Edition of the plan.
    """
    rules = edition(criteria)
    v = rules.values
    ahead = v["horizon"] if horizon is None else horizon
    seen = course.until(day)
    date = _date(course, position, day)
    rows = [
        row
        for row in rows_of(criteria, ScheduleRow)
        if row.product in ("", product) and product not in row.except_products
    ]
    own = {row.group for row in rows if row.product}
    out: list[Due] = []
    for row in rows:
        if not _holds(row, seen, position, day, findings):
            continue
        replaced = row.group == "watch" and "watch" in own and not row.product
        if replaced and "systolic_bp" in row.reads:
            continue
        if row.on:
            out += _visit(row, seen, position, date, v, ahead)
        elif row.from_day <= date + ahead and date <= _until(row, seen, position):
            out.append(_repeated(row, seen, position, day))
    return tuple(sorted(out, key=lambda one: (not one.overdue, one.when, GROUPS.index(one.group))))


def _date(course: Course, position: int, day: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Number of the calendar day, that of the infusion being 0: windows and visits are dates."""
    clock = course.clock[position] if course.clock.size else 0.0
    return np.floor(np.round(np.asarray(day) + clock, decimals=6))


def _until(row: ScheduleRow, course: Course, position: int) -> float:
    """Last day of a row; a prophylaxis goes on while CD4 cells are known to be too few."""
    few = _last(course, "cd4_cells", position) <= row.cd4_above
    return np.inf if few else row.until_day


def _charted(row: ScheduleRow, course: Course, position: int) -> NDArray[np.float64]:
    """Days on which any of the row's analytes was charted, understood or not."""
    days = [course.days[charted(course, name)[position]] for name in row.reads if name in course]
    return np.unique(np.concatenate(days)) if days else np.empty(0)


def _due(row: ScheduleRow, when: float, until: float, overdue: bool, last: float) -> Due:
    return Due(row.what, row.group, when, until, overdue, last, row.reads, row.mark)


def _repeated(row: ScheduleRow, course: Course, position: int, day: float) -> Due:
    first, until, every = row.from_day, row.until_day, row.every
    done = _charted(row, course, position)
    last = float(done[-1]) if done.size else np.nan
    if not every or not row.reads:
        return _due(row, first, until, False, last)
    when = first if np.isnan(last) else max(first, last + every)
    return _due(row, when, until, bool(when < day), last)


def _visit(
    row: ScheduleRow, course: Course, position: int, date: NDArray[np.float64], v: Mapping[str, float], ahead: float
) -> list[Due]:
    """Planned dates without a charting inside their window: the overdue that nothing replaced, and the next."""
    charts, day = _charted(row, course, position), float(date)
    last = float(charts[-1]) if charts.size else np.nan
    dates = _date(course, position, charts)
    planned = row.on
    visits: list[Due] = []
    for at, when in enumerate(planned):
        window = v["late_window"] if when >= v["late_from"] else v["visit_window"]
        done = bool((np.abs(dates - when) <= window).any())
        following = planned[at + 1] if at + 1 < len(planned) else np.inf
        if done or (when + window < day and following <= day):
            continue
        late = bool(row.reads) and day > when + window
        if day > when + window and not (late and day <= when + v["overdue_told"]):
            continue
        visits.append(_due(row, when, when + window, late, last))
        if when > day:
            break
    return [one for one in visits if one.overdue or one.when <= day + ahead or one is visits[-1]]


def _holds(row: ScheduleRow, course: Course, position: int, day: float, findings: Mapping[str, Grades] | None) -> bool:
    """Whether the condition of a row holds now; what is not known does not stop a prophylaxis."""
    if not np.isnan(row.crs_at_least):
        if findings is None:
            return False
        name = words.usual_crs()
        if name not in findings:
            raise InputError(
                f"the schedule reads the finding '{name}', which was not graded; grade it with the others."
            )
        crs = findings[name]
        grades, at_least = crs.grade[position], crs.at_least[position]
        least = np.maximum(grades, at_least)
        past = np.flatnonzero((crs.days <= day) & ((grades >= 0) | (at_least > 0)))
        return bool(past.size and least[past[-1]] >= row.crs_at_least)
    if not np.isnan(row.neutrophils_below):
        return bool(_last(course, "neutrophils", position) < row.neutrophils_below)
    if not np.isnan(row.neutrophils_low_days):
        return _low_for(course, position, day) >= row.neutrophils_low_days
    return True


def _last(course: Course, name: str, position: int) -> float:
    """The lowest that the last charted value may be: what is not known does not stop a prophylaxis."""
    known = np.flatnonzero(charted(course, name)[position])
    return float(ends(course, name).low[position, known[-1]]) if known.size else np.nan


def _low_for(course: Course, position: int, day: float) -> float:
    """For how many days neutrophils have been, or may have been, at grade 4, by the chart."""
    values = ends(course, "neutrophils").low[position]
    limit = edition("icaht_2023").values["low"]
    known = np.flatnonzero(np.isfinite(values))
    low = values[known] < limit
    if not known.size or not low[-1]:
        return 0.0
    above = np.flatnonzero(~low)
    first = known[above[-1] + 1] if above.size else known[0]
    return float(day - course.days[first])
