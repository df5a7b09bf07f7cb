"""What is due next: monitoring, laboratory values, visits, prophylaxis, and follow-up to 15 years. The plan is data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vein2vein.clinic import words
from vein2vein.clinic.criteria import edition
from vein2vein.clinic.grades.grades import Grades
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
        For rows that hold at a grade of cytokine release syndrome.
    horizon : float, optional
        Days ahead; default that of the edition. The next visit of each kind is told however far it is.
    criteria : str
        Edition of the plan.
    """
    rules = edition(criteria)
    v = rules.values
    ahead = v["horizon"] if horizon is None else horizon
    seen = course.until(day)
    rows = [row for row in rules.rules if row.get("product", product) == product]
    own = {str(row["group"]) for row in rows if "product" in row}
    out: list[Due] = []
    for row in rows:
        if not _holds(row, seen, position, day, findings):
            continue
        replaced = row["group"] == "watch" and "watch" in own and "product" not in row
        if replaced and "systolic_bp" in tuple(row.get("reads", ())):  # type: ignore[arg-type]
            continue
        if "on" in row:
            out += _visit(row, seen, position, day, v, ahead)
        elif float(row["from_day"]) <= day + ahead and day <= _until(row, seen, position):  # type: ignore[arg-type]
            out.append(_repeated(row, seen, position, day))
    return tuple(sorted(out, key=lambda one: (not one.overdue, one.when, GROUPS.index(one.group))))


def _until(row: Mapping[str, Any], course: Course, position: int) -> float:
    """Last day of a row; a prophylaxis goes on while CD4 cells are known to be too few."""
    few = "cd4_above" in row and _last(course, "cd4_cells", position) <= row["cd4_above"]
    return np.inf if few else float(row["until_day"])


def _charted(row: Mapping[str, Any], course: Course, position: int) -> np.ndarray:
    """Days on which any of the row's analytes was charted."""
    days = [course.days[np.isfinite(course.values[name][position])] for name in row.get("reads", ()) if name in course]
    return np.unique(np.concatenate(days)) if days else np.empty(0)


def _due(row: Mapping[str, Any], when: float, until: float, overdue: bool, last: float) -> Due:
    reads = tuple(str(name) for name in row.get("reads", ()))
    return Due(str(row["what"]), str(row["group"]), when, until, overdue, last, reads, str(row["mark"]))


def _repeated(row: Mapping[str, Any], course: Course, position: int, day: float) -> Due:
    first, until, every = float(row["from_day"]), float(row["until_day"]), float(row["every"])
    charted = _charted(row, course, position)
    last = float(charted[-1]) if charted.size else np.nan
    if not every or "reads" not in row:
        return _due(row, first, until, False, last)
    when = first if np.isnan(last) else max(first, last + every)
    return _due(row, when, until, bool(when < day), last)


def _visit(
    row: Mapping[str, Any], course: Course, position: int, day: float, v: Mapping[str, float], ahead: float
) -> list[Due]:
    """Planned days without a charting inside their window: the overdue that nothing replaced, and the next."""
    charted = _charted(row, course, position)
    last = float(charted[-1]) if charted.size else np.nan
    planned = [float(x) for x in row["on"]]
    found: list[Due] = []
    for at, when in enumerate(planned):
        window = v["late_window"] if when >= v["late_from"] else v["visit_window"]
        done = bool((np.abs(charted - when) <= window).any()) if charted.size else False
        following = planned[at + 1] if at + 1 < len(planned) else np.inf
        if done or (when + window < day and following <= day):
            continue
        late = "reads" in row and day > when + window
        if day > when + window and not (late and day <= when + v["overdue_told"]):
            continue
        found.append(_due(row, when, when + window, late, last))
        if when > day:
            break
    return [one for one in found if one.overdue or one.when <= day + ahead or one is found[-1]]


def _holds(
    row: Mapping[str, Any], course: Course, position: int, day: float, findings: Mapping[str, Grades] | None
) -> bool:
    """Whether the condition of a row holds now; what is not known does not stop a prophylaxis."""
    if "crs_at_least" in row:
        crs = (findings or {}).get(words.usual_crs())
        if crs is None:
            return False
        past = np.flatnonzero((crs.days <= day) & (crs.grade[position] >= 0))
        return bool(past.size and crs.grade[position, past[-1]] >= row["crs_at_least"])
    if "neutrophils_below" in row:
        return bool(_last(course, "neutrophils", position) < row["neutrophils_below"])
    if "neutrophils_low_days" in row:
        return _low_for(course, position, day) >= row["neutrophils_low_days"]
    return True


def _last(course: Course, name: str, position: int) -> float:
    values = course.dense(name)[position]
    known = np.flatnonzero(np.isfinite(values))
    return float(values[known[-1]]) if known.size else np.nan


def _low_for(course: Course, position: int, day: float) -> float:
    """For how many days neutrophils have been at grade 4, by the chart."""
    values = course.dense("neutrophils")[position]
    limit = edition("icaht_2023").values["low"]
    known = np.flatnonzero(np.isfinite(values))
    low = values[known] < limit
    if not known.size or not low[-1]:
        return 0.0
    above = np.flatnonzero(~low)
    first = known[above[-1] + 1] if above.size else known[0]
    return float(day - course.days[first])
