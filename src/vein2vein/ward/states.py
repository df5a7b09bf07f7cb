"""Findings as a ward reads them: in words, now or over a day, with the rows behind each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vein2vein.analytes import all_analytes, analyte
from vein2vein.clinic.criteria import edition, editions
from vein2vein.clinic.grades.bounded import charted, is_score
from vein2vein.clinic.grades.grades import NOT_GRADABLE, Grades, because, lacking
from vein2vein.clinic.grades.hematotoxicity import CYTOPENIAS
from vein2vein.clinic.grades.monitoring import highest_grade
from vein2vein.clinic.words import finding_words
from vein2vein.therapy.course import Course, Row

OF_ONE_VALUE = (*CYTOPENIAS, "b_cell_aplasia", "hypogammaglobulinemia")  # not gradable: unread, or a bound
MINUTES = 24 * 60
WHOLE, MOST_PLAIN = 9999.5, 1e6  # numbers between these are written in full


@dataclass(frozen=True)
class Standing:
    """A finding now, or over one day.

    Attributes
    ----------
    name, title, edition : str
    grade, at_least : int
        -1: not gradable; what is known earns ``at_least``.
    day : float
        Day of the cell that decides.
    missing, flags : tuple of str
    because : tuple of Row
        The rows behind it.
    unverified : tuple of str
        Thresholds of the edition that were taken from memory.
    last_grade, last_day : int, float
        The last settled grade where there is none now; -1, NaN: never.
    since : float
        Day from which on a bound ("at least") has stood: since then every reading left the grade open; NaN: no bound.
    """

    name: str
    title: str
    edition: str
    grade: int
    at_least: int
    day: float
    missing: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    because: tuple[Row, ...] = ()
    unverified: tuple[str, ...] = ()
    last_grade: int = NOT_GRADABLE
    last_day: float = np.nan
    since: float = np.nan

    def __str__(self) -> str:
        return in_words(self.name, self.grade, self.at_least)


class Span(NamedTuple):
    """Lowest and highest value of one day (NaN: none was read), the signs of bounds, and whether one was not read."""

    low: float
    high: float
    low_sign: str = ""
    high_sign: str = ""
    unread: bool = False


@dataclass(frozen=True)
class Day:
    """One date of the record, that of the infusion being 0: states by finding, values by analyte, treatments given."""

    day: int
    states: Mapping[str, Standing]
    values: Mapping[str, Span]
    given: tuple[Row, ...]


def title(name: str) -> str:
    """What a finding is called."""
    return finding_words(name).ward


def in_words(name: str, found: int, at_least: int = 0) -> str:
    """A grade in words; what is not gradable is never a zero."""
    states = finding_words(name).states
    if found < 0:
        return f"at least grade {at_least}" if at_least > 0 and not states else "not gradable"
    return states[min(found, len(states) - 1)] if states else f"grade {found}"


def state_of(grades: Grades, course: Course, column: int, name: str) -> Standing:
    """A finding at one column of a course of one patient."""
    day = float(grades.days[column])
    patient = int(course.patients[0])
    settled = int(grades.grade[0, column])
    return Standing(
        name, title(name), grades.edition, settled, int(grades.at_least[0, column]), day,
        lacking(grades, course, patient, day) if settled < 0 else (),
        tuple(text for text, cells in grades.flags.items() if cells[0, column]), because(grades, course, patient, day),
        grades.unverified,
    )  # fmt: skip


def looked_at(grades: Grades, course: Course) -> NDArray[np.bool_]:
    """Cells of the one patient where something of a scale was charted, understood or not; shape (k,)."""
    if grades.looked is not None:
        return grades.looked[0]
    reads = {name for names in grades.reads.values() for name in names if name in course.values}
    if not reads:
        return np.ones(len(grades.days), dtype=bool)
    return np.logical_or.reduce([charted(course, name)[0] for name in reads])


def _best(grades: Grades, columns: NDArray[np.intp]) -> int:
    """The column that decides: the highest grade, or what is known of it at least; where none is known, the last."""
    if grades.looked is not None and grades.looked[0, columns].any():
        columns = columns[grades.looked[0, columns]]
    known = np.maximum(
        grades.grade[0, columns], np.where(grades.at_least[0, columns] > 0, grades.at_least[0, columns], -1)
    )
    settled = grades.grade[0, columns] >= 0
    order = np.lexsort((columns, settled, known))
    return int(columns[order[-1]])


def worst_of(grades: Grades, course: Course, columns: NDArray[np.intp], name: str, *, goes_on: bool) -> Standing:
    """The worst of one day; at least that, where a reading that cannot be graded could have been worse.

    Such a reading is one that was not understood, a count of which only a bound is known, on a day without a grade
    signs of a syndrome beside which the temperature is not known, and, while the day goes on, the newest.
    """
    looked = columns[looked_at(grades, course)[columns]]
    seen = looked if looked.size else columns
    worst = state_of(grades, course, _best(grades, seen), name)
    if worst.grade < 0 or worst.grade >= _highest(grades.edition.partition(":")[0], name):
        return worst
    unread = {n for names in (*grades.reads.values(), *grades.anchors) for n in names if n in course.unread}
    open_ = [
        column
        for column in seen[grades.grade[0, seen] < 0]
        if name in OF_ONE_VALUE
        or (goes_on and column == seen[-1])
        or any(_unread_still(grades, course, column, n) for n in unread)
        or (worst.grade == 0 and grades.suspect is not None and bool(grades.suspect[0, column]))
    ]
    if not open_:
        return worst
    lacks = lacking(grades, course, int(course.patients[0]), float(grades.days[open_[-1]]))
    return replace(worst, grade=NOT_GRADABLE, at_least=max(worst.grade, 0), missing=lacks)


def _unread_still(grades: Grades, course: Course, column: int, name: str) -> bool:
    """Whether a cell hangs on a row that was not understood: its own, or the newest of an analyte that it lacks."""
    if course.unread[name][0, column]:
        return True
    if name not in grades.missing or not grades.missing[name][0, column]:
        return False
    unread = np.flatnonzero(course.unread[name][0, :column])
    read = np.flatnonzero(np.isfinite(course.dense(name)[0, :column]))
    return bool(unread.size and (not read.size or read[-1] < unread[-1]))


@cache
def _highest(criteria: str, name: str) -> int:
    """The highest grade of a living patient, or the worst state."""
    return (edition(criteria).top if criteria in editions() else 0) or highest_grade(name)


def state_at(grades: Grades, course: Course, day: float, name: str) -> Standing:
    """The newest reading of the 24 hours up to a day, else not gradable; with the last settled grade beside.

    The newest at which the scale was looked at governs: an older one never stands in for one that is not gradable.
    """
    past = np.flatnonzero((grades.days <= day) & (grades.grade[0] >= 0))
    last: dict[str, Any] = {}
    if past.size:
        last = {"last_grade": int(grades.grade[0, past[-1]]), "last_day": float(grades.days[past[-1]])}
    recent = np.flatnonzero((grades.days <= day) & (grades.days > day - 1) & looked_at(grades, course))
    if recent.size:
        if name in CYTOPENIAS:  # of several counts of one date the lowest
            date_of = course.calendar()[0]
            newest = _best(grades, recent[date_of[recent] == date_of[recent[-1]]])
            if grades.grade[0, recent[-1]] >= 0:
                recent = np.append(recent, newest)
        found = state_of(grades, course, int(recent[-1]), name)
        since = slice(int(recent[-1]) + 1, int(np.searchsorted(grades.days, day, side="right")))
        told = tuple(text for text, cells in grades.flags.items() if cells[0, since].any() and text not in found.flags)
        since_day = _bound_since(grades, course, int(recent[-1])) if found.grade < 0 and found.at_least > 0 else np.nan
        return replace(found, flags=(*found.flags, *told), since=since_day, **last)
    earlier = grades.days[grades.days <= day]
    lacks = lacking(grades, course, int(course.patients[0]), float(earlier[-1])) if earlier.size else ()
    empty = Standing(name, title(name), grades.edition, NOT_GRADABLE, 0, day, lacks, unverified=grades.unverified)
    return replace(empty, **last)


def _bound_since(grades: Grades, course: Course, column: int) -> float:
    """Day of the first reading of the run up to a column in which the grade is open and something is certain of it."""
    looked = np.flatnonzero(looked_at(grades, course)[: column + 1])
    bound = (grades.grade[0, looked] < 0) & (grades.at_least[0, looked] > 0)
    ended = np.flatnonzero(~bound)
    first = int(ended[-1]) + 1 if ended.size else 0
    return float(grades.days[looked[first]]) if first < looked.size else np.nan


def stood_words(state: Standing, today: float, infused: date | None = None) -> str:
    """How long a bound has stood; "" where the grade is settled, or nothing of it is known."""
    if not np.isfinite(state.since):
        return ""
    hours = 24 * (today - state.since)
    if hours < 1:
        return "since the last reading"
    length = f"{hours:.0f} h" if hours < 2 * 24 else f"{hours / 24:.0f} days"
    return f"for {length}, since {dated(state.since, infused)}"


def plain_number(value: float) -> str:
    """A number with four significant digits; from 10 000 up to a million as it stands, without an exponent."""
    return f"{value:.0f}" if WHOLE <= abs(value) <= MOST_PLAIN else f"{value:.4g}"


def amount(row: Row) -> str:
    """A treatment as it was given."""
    found = analyte(row.analyte)
    name = found.title.split(",")[0].split(" (")[0]
    if row.value == 0:
        return f"{name}, amount not known"
    return name if found.unit == "1" else f"{name} {plain_number(row.value)} {found.unit}"


def amounts(rows: Iterable[Row]) -> str:
    """What was given on one day; the same amount several times is told once."""
    count = Counter(amount(row) for row in rows)
    return ", ".join(f"{text} (x{times})" if times > 1 else text for text, times in count.items())


def given_on(course: Course, columns: Iterable[int] | NDArray[np.intp]) -> list[Row]:
    """Treatments given at some columns, by column."""
    names = [name for name in course.values if analyte(name).kind == "treatment"]
    at = np.asarray(columns, dtype=np.intp)
    if not names or not at.size:
        return []
    patient, out = int(course.patients[0]), list[Row]()
    there = np.stack([course.positive(name)[0, at] for name in names], axis=1)
    for place, which in np.argwhere(there).tolist():
        name, column = names[which], at[place]
        source = str(course.where_from[name][0, column]) if name in course.where_from else ""
        value = float(course.values[name][0, column])
        out.append(Row(patient, float(course.days[column]), name, value, False, "given", source))
    return out


def days_of(course: Course, found: Mapping[str, Grades], names: Iterable[str]) -> tuple[Day, ...]:
    """Every date with a row: the worst of each finding, the range of each value, the treatments."""
    numbers = course.calendar()[0]
    out: list[Day] = []
    for number in np.unique(numbers):
        columns = np.flatnonzero(numbers == number)
        goes_on = bool(number == numbers[-1])
        states = {name: worst_of(found[name], course, columns, name, goes_on=goes_on) for name in names}
        values = {
            name: span
            for name in course.values
            if analyte(name).kind != "treatment" and (span := _span(course, name, columns)) is not None
        }
        out.append(Day(int(number), states, values, tuple(given_on(course, columns))))
    return tuple(out)


def _span(course: Course, name: str, columns: NDArray[np.intp]) -> Span | None:
    """The lowest and the highest value of an analyte in some columns; None where nothing is charted."""
    row = course.values[name][0]
    cells = columns[np.isfinite(row[columns])]
    unread = name in course.unread and bool(course.unread[name][0, columns].any())
    if not cells.size:
        return Span(np.nan, np.nan, "", "", unread) if unread else None
    low, high = int(cells[row[cells].argmin()]), int(cells[row[cells].argmax()])
    return Span(float(row[low]), float(row[high]), _sign(course, name, low), _sign(course, name, high), unread)


def _sign(course: Course, name: str, column: int) -> str:
    """``<`` or ``>`` of a value of which only a bound is known."""
    if name in course.below_lloq and course.below_lloq[name][0, column]:
        return "≤" if is_score(name) else "<"
    return ("≥" if is_score(name) else ">") if name in course.above and course.above[name][0, column] else ""


def day_text(day: float) -> str:
    """A day with at most two decimals."""
    return f"{day:.2f}".rstrip("0").rstrip(".")


def moment_text(day: float, infused: date | None) -> str:
    """Date and clock of a day of the record; "" where the date of the infusion is not known."""
    if infused is None or not np.isfinite(day):
        return ""
    if isinstance(infused, datetime):
        return f"{infused + timedelta(minutes=round(day * MINUTES)):%Y-%m-%d %H:%M}"
    return f"{infused + timedelta(days=int(np.floor(day))):%Y-%m-%d}"


def date_text(number: int, infused: date | None) -> str:
    """Date of a calendar day, that of the infusion being 0; "" where it is not known."""
    if infused is None:
        return ""
    first = infused.date() if isinstance(infused, datetime) else infused
    return f"{first + timedelta(days=number):%Y-%m-%d}"


def dated(day: float, infused: date | None) -> str:
    """A day, with date and clock where they are known."""
    when = moment_text(day, infused)
    return f"day {day_text(day)} ({when})" if when else f"day {day_text(day)}"


def name_of(analyte_name: str) -> str:
    """The title of an analyte without its codes."""
    found = all_analytes().get(analyte_name)
    return found.title.split(" (0")[0].split(" (1")[0] if found else analyte_name.replace("_", " ")


def shown_value(row: Row, infused: date | None = None) -> str:
    """A row as a reason: what, how much, when, and where it stands in the file."""
    found = analyte(row.analyte)
    unit = "" if found.unit == "1" else f" {found.unit}"
    bound = "<" if row.below_lloq else ">" if row.above else ""
    place = f" [{row.where_from}]" if row.where_from else ""
    if row.above and row.value == 0:  # given or running
        return f"{name_of(row.analyte)}, amount not known, {dated(row.day, infused)}{place}"
    words = code_words(row.analyte)
    if words and row.value == int(row.value) < len(words):
        more = " or more" if row.above else ""
        return f"{name_of(row.analyte)}: {words[int(row.value)]}{more}, {dated(row.day, infused)}{place}"
    return f"{name_of(row.analyte)} {bound}{plain_number(row.value)}{unit}, {dated(row.day, infused)}{place}"


def code_words(name: str) -> list[str]:
    """Words of the codes of an analyte, as its title lists them: ``(0 none, 1 mask)``; [] where it has none."""
    shown = analyte(name).title
    if "(0 " not in shown:
        return []
    parts = shown[shown.index("(0 ") + 1 :].partition(")")[0].split(", ")
    return [part.partition(" ")[2] for part in parts]
