"""Findings as a ward reads them: in words, now or over a day, with the rows behind each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vein2vein.analytes import all_analytes, analyte
from vein2vein.clinic.criteria import edition, unverified
from vein2vein.clinic.grades.grades import NOT_GRADABLE, Grades, because, lacking
from vein2vein.clinic.grades.hematotoxicity import grade_icaht, grade_t_icaht
from vein2vein.clinic.words import finding_words
from vein2vein.therapy.course import Course, Row
from vein2vein.ward.scores import SO_FAR

ALWAYS_LOW = "low at every count from the start until now"


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

    def __str__(self) -> str:
        return in_words(self.name, self.grade, self.at_least)


@dataclass(frozen=True)
class Day:
    """One day of the record: states by finding, values by analyte (lowest and highest), treatments given."""

    day: int
    states: Mapping[str, Standing]
    values: Mapping[str, tuple[float, float, bool]]
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


def state_at(grades: Grades, course: Course, day: float, name: str) -> Standing:
    """The latest that is known in the 24 hours up to a day, else not gradable with the last settled grade."""
    recent = np.flatnonzero((grades.days <= day) & (grades.days > day - 1))
    past = np.flatnonzero((grades.days <= day) & (grades.grade[0] >= 0))
    known = recent[(grades.grade[0, recent] >= 0) | (grades.at_least[0, recent] > 0)]
    last = (
        {}
        if not past.size
        else {"last_grade": int(grades.grade[0, past[-1]]), "last_day": float(grades.days[past[-1]])}
    )
    if known.size:
        return replace(state_of(grades, course, int(known[-1]), name), **last)
    if recent.size:
        return replace(state_of(grades, course, int(recent[-1]), name), **last)
    empty = Standing(name, title(name), grades.edition, NOT_GRADABLE, 0, day, unverified=grades.unverified)
    return replace(empty, **last)


def hematotoxicity_of(course: Course) -> tuple[Standing, ...]:
    """Hematotoxicity over the course so far; () where no count was measured. The late window only once it has begun."""
    today = float(course.days[-1])
    out: list[Standing] = []
    for name, reads, rules, grader in (
        ("icaht", "neutrophils", edition("icaht_2023"), grade_icaht),
        ("t_icaht", "platelets", edition("t_icaht_2024"), grade_t_icaht),
    ):
        if not course.measured(reads):
            continue
        found = grader(course, last_day=np.array([today]))
        end = edition("icaht_2023").values["early_last_day"]
        for part in ("early", "late") if today > end else ("early",):
            key, settled = f"{name}_{part}", int(getattr(found, part)[0])
            flags = (SO_FAR,) if part == "early" and today < end else ()
            if part == "early" and bool(np.any(getattr(found, "overridden", False))):
                flags = (*flags, ALWAYS_LOW)
            missing = (reads,) if settled < 0 else ()
            out.append(
                Standing(key, title(key), rules.name, settled, 0, today, missing, flags, (), unverified(rules.name))
            )
    return tuple(out)


def amount(row: Row) -> str:
    """A treatment as it was given."""
    found = analyte(row.analyte)
    name = found.title.split(",")[0].split(" (")[0]
    return name if found.unit == "1" else f"{name} {row.value:.4g} {found.unit}"


def amounts(rows: Iterable[Row]) -> str:
    """What was given on one day; the same amount several times is told once."""
    count = Counter(amount(row) for row in rows)
    return ", ".join(f"{text} (x{times})" if times > 1 else text for text, times in count.items())


def given_on(course: Course, column: int) -> list[Row]:
    """Treatments given at one column."""
    out: list[Row] = []
    for name, values in course.values.items():
        if analyte(name).kind == "treatment" and values[0, column] > 0:
            source = str(course.where_from[name][0, column]) if name in course.where_from else ""
            out.append(
                Row(
                    int(course.patients[0]),
                    float(course.days[column]),
                    name,
                    float(values[0, column]),
                    False,
                    "given",
                    source,
                )
            )
    return out


def days_of(course: Course, found: Mapping[str, Grades], names: Iterable[str]) -> tuple[Day, ...]:
    """Every day with a row: the worst of each finding, the range of each value, the treatments."""
    numbers = np.floor(course.days).astype(int)
    out: list[Day] = []
    for number in np.unique(numbers):
        columns = np.flatnonzero(numbers == number)
        states = {name: state_of(found[name], course, _best(found[name], columns), name) for name in names}
        values: dict[str, tuple[float, float, bool]] = {}
        for name, row in course.values.items():
            cells = columns[np.isfinite(row[0, columns])]
            if cells.size and analyte(name).kind != "treatment":
                below = name in course.below_lloq and bool(course.below_lloq[name][0, cells].any())
                values[name] = (float(row[0, cells].min()), float(row[0, cells].max()), below)
        given = tuple(row for j in columns for row in given_on(course, int(j)))
        out.append(Day(int(number), states, values, given))
    return tuple(out)


def day_text(day: float) -> str:
    """A day with at most two decimals."""
    return f"{day:.2f}".rstrip("0").rstrip(".")


def name_of(analyte_name: str) -> str:
    """The title of an analyte without its codes."""
    found = all_analytes().get(analyte_name)
    return found.title.split(" (0")[0].split(" (1")[0] if found else analyte_name.replace("_", " ")


def shown_value(row: Row) -> str:
    """A row as a reason: what, how much, and where it stands in the file."""
    found = analyte(row.analyte)
    unit = "" if found.unit == "1" else f" {found.unit}"
    below = "<" if row.below_lloq else ""
    place = f" [{row.where_from}]" if row.where_from else ""
    return f"{name_of(row.analyte)} {below}{row.value:.4g}{unit}, day {day_text(row.day)}{place}"
