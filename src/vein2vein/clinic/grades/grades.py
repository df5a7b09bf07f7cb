"""Grades of many patients over time. Not gradable is not grade 0, and it comes with the list of what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.criteria import Level
from vein2vein.errors import InputError
from vein2vein.records import by_patient
from vein2vein.therapy.course import Course, Row

NOT_GRADABLE = -1
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Whole = NDArray[np.int8]
Columns = NDArray[np.int32]  # numbers of columns of a course; -1: none
_Scalar = TypeVar("_Scalar", bound=np.generic)


@by_patient(visit=("days",), none=("scale", "edition", "reads", "unverified"))
@dataclass(frozen=True)
class Grades:
    """What a grader found.

    Attributes
    ----------
    scale, edition : str
        What was graded, and by which edition of the criteria.
    days : ndarray, shape (k,)
    grade : ndarray of int8, shape (n, k)
        ``NOT_GRADABLE`` (-1) where what is known does not settle it.
    at_least : ndarray of int8, shape (n, k)
        The grade that what is known earns; equal to ``grade`` where that is settled.
    missing : mapping of analyte to ndarray of bool, shape (n, k)
        What would be needed, in the cells that are not gradable.
    columns : mapping of column name to ndarray of int8, shape (n, k)
        The grade that each column of the criteria table gave.
    reads : mapping of column name to tuple of analytes
        What each column was read from.
    flags : mapping of sentence to ndarray of bool, shape (n, k)
        What a person should know about a cell.
    anchors : mapping of analytes to ndarray of int, shape (n, k)
        Earlier columns that a grade leans on (such as the fever at onset); -1: none.
    unverified : tuple of str
        What of these criteria was taken from memory and awaits a check against the publication.
    source : mapping of analyte to ndarray of int, shape (n, k)
        Column of the reading that stands at each cell, where it may be an earlier one; -1: none.
    looked : ndarray of bool, shape (n, k), or None
        Cells where some sign of the scale was charted, understood or not; None: in every cell. The others are not
        gradable, and neither the newest state nor a day's worst is read from them.
    suspect : ndarray of bool, shape (n, k), or None
        Cells of which nothing is certain and which show a sign all the same (low pressure or oxygen, the temperature
        not known), and no later row of their round at the bed settles: a well hour does not settle such a day.
    passing : ndarray of bool, shape (n, k), or None
        Cells where a sign of an earlier round was about to be replaced by a milder one: the worst of a day is graded
        without it (``together``).
    """

    scale: str
    edition: str
    days: Floats
    grade: Whole
    at_least: Whole
    missing: Mapping[str, Flags] = field(default_factory=dict[str, Flags])
    columns: Mapping[str, Whole] = field(default_factory=dict[str, Whole])
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    flags: Mapping[str, Flags] = field(default_factory=dict[str, Flags])
    anchors: Mapping[tuple[str, ...], Columns] = field(default_factory=dict[tuple[str, ...], Columns])
    unverified: tuple[str, ...] = ()
    source: Mapping[str, Columns] = field(default_factory=dict[str, Columns])
    looked: Flags | None = None
    passing: Flags | None = None
    suspect: Flags | None = None


def at_column(grades: Grades, column: int) -> Grades:
    """The grades of one column alone; what is said of other columns only is left out."""

    def cut(cells: Mapping[str, Flags]) -> dict[str, Flags]:
        return {name: part for name, here in cells.items() if (part := here[:, column : column + 1]).any()}

    def one(cells: NDArray[_Scalar]) -> NDArray[_Scalar]:
        return cells[:, column : column + 1]

    return replace(
        grades, days=grades.days[column : column + 1], grade=one(grades.grade), at_least=one(grades.at_least),
        missing=cut(grades.missing), columns={name: one(cells) for name, cells in grades.columns.items()},
        flags=cut(grades.flags), anchors={name: one(cells) for name, cells in grades.anchors.items()},
        source={name: one(cells) for name, cells in grades.source.items()},
        looked=None if grades.looked is None else one(grades.looked),
        passing=None if grades.passing is None else one(grades.passing),
        suspect=None if grades.suspect is None else one(grades.suspect),
    )  # fmt: skip


def settle(lower: Whole, upper: Whole) -> Whole:
    """The grade where the lowest and the highest possible agree, else not gradable."""
    return np.where(lower == upper, lower, NOT_GRADABLE).astype(np.int8)


def compare(values: Floats | Whole, level: Level) -> Flags:
    """Whether values meet a level's comparison; NaN does not."""
    match level.operator:
        case "at_least":
            return values >= level.value
        case "above":
            return values > level.value
        case "at_most":
            return values <= level.value
        case _:
            return values < level.value


def ladder(values: Floats, levels: Iterable[Level]) -> Whole:
    """Highest grade whose comparison the values meet; 0 where they meet none or are NaN."""
    grade = np.zeros(values.shape, dtype=np.int8)
    for level in levels:
        np.maximum(grade, compare(values, level) * np.int8(level.grade), out=grade)
    return grade


def latest(holds: Flags) -> Columns:
    """Column of the latest cell, up to and including each one, where something holds; -1: none yet. Shape (n, k)."""
    n, k = holds.shape
    columns = np.where(holds, np.arange(k, dtype=np.int32), np.int32(-1))
    if n < k or not k:
        return np.maximum.accumulate(columns, axis=1)
    found = columns.T.copy()
    for column in range(1, k):  # over many patients at once: faster than accumulating along each row
        np.maximum(found[column - 1], found[column], out=found[column])
    return np.ascontiguousarray(found.T)


def following(holds: Flags) -> NDArray[np.intp]:
    """Column of the next cell after each one where something holds; k: none. Shape (n, k)."""
    k = holds.shape[1]
    found = np.full(holds.shape, k, dtype=np.intp)
    numbers = np.where(holds, np.arange(k, dtype=np.intp), k)
    found[:, :-1] = np.minimum.accumulate(numbers[:, ::-1], axis=1)[:, ::-1][:, 1:]
    return found


def last(holds: Flags) -> NDArray[np.intp]:
    """Column of the last cell where something holds, shape (n,); -1: none."""
    k = holds.shape[1]
    return np.where(holds.any(axis=1), k - 1 - holds[:, ::-1].argmax(axis=1), -1) if k else np.full(len(holds), -1)


def before(columns: Columns) -> Columns:
    """The same, up to but not including each cell."""
    shifted = np.full_like(columns, -1)
    shifted[:, 1:] = columns[:, :-1]
    return shifted


def take(values: NDArray[_Scalar], columns: Columns | NDArray[np.intp], absent: float) -> NDArray[_Scalar]:
    """Values at column numbers, shape (n, m); ``absent`` where the number is -1."""
    rows = np.arange(len(values))[:, None] * values.shape[1]
    picked: NDArray[_Scalar] = values.reshape(-1)[rows + np.maximum(columns, 0)]
    picked[columns < 0] = absent
    return picked


def carried(course: Course, name: str, window: float = np.inf) -> Floats:
    """Latest value of an analyte at each cell, if it is no older than ``window`` days; shape (n, k)."""
    values = course.dense(name)
    column = latest(np.isfinite(values))
    kept = take(values, column, np.nan)
    if np.isfinite(window) and values.size:
        kept = np.where(course.days[None, :] - course.days[np.maximum(column, 0)] <= window, kept, np.nan)
    return kept


def any_of(cells: Iterable[Flags]) -> Flags:
    """Cells where any of these holds; each (n, k), or (1, 1) that broadcasts."""
    found: Flags = np.zeros((1, 1), dtype=bool)
    for one in cells:
        found = found | one
    return found


def at_last(values: NDArray[_Scalar], columns: NDArray[np.intp], absent: float) -> NDArray[_Scalar]:
    """Values at one column number for each patient, shape (n,); ``absent`` where the number is -1."""
    picked: NDArray[_Scalar] = np.full(len(values), absent, dtype=values.dtype)
    if values.shape[1]:
        there = columns >= 0
        picked[there] = values[there, columns[there]]
    return picked


def last_value(course: Course, name: str, window: float = np.inf) -> Floats:
    """Latest value of an analyte at the end of the course, if it is no older than ``window`` days; shape (n,)."""
    if not course.shape[1] or name not in course:
        return np.full(course.shape[0], np.nan)
    values = course.values[name]
    column = last(np.isfinite(values))
    return np.where(course.days[-1] - course.days[column] <= window, at_last(values, column, np.nan), np.nan)


def worst(grades: Grades, first: float = -np.inf, last: float = np.inf) -> NDArray[np.int8]:
    """Highest grade of each patient between two days, shape (n,); not gradable where no cell was."""
    inside = (grades.days >= first) & (grades.days <= last)
    if not inside.any():
        return np.full(len(grades.grade), NOT_GRADABLE, dtype=np.int8)
    return grades.grade[:, inside].max(axis=1)


def first_day(grades: Grades, at_least: int = 1) -> Floats:
    """First day on which a grade is reached, shape (n,); inf where it never is."""
    reached = grades.grade >= at_least
    if not reached.size:
        return np.full(len(grades.grade), np.inf)
    return np.where(reached.any(axis=1), grades.days[reached.argmax(axis=1)], np.inf)


def because(grades: Grades, course: Course, patient: int, day: float) -> tuple[Row, ...]:
    """The rows of a course behind one grade.

    Parameters
    ----------
    grades : Grades
    course : Course
        The one that was graded.
    patient : int
        Patient number.
    day : float
        A day of the course.

    Returns
    -------
    tuple of Row
        Rows of the columns that earned the grade, and earlier ones that it leans on, by day.
    """
    at, column = _cell(course, patient, day)
    grade = grades.at_least[at, column]
    cells: dict[tuple[str, int], None] = {}
    for name, earned in grades.columns.items():
        if grade > 0 and earned[at, column] == grade:
            for analyte in grades.reads[name]:
                cells[analyte, int(grades.source[analyte][at, column]) if analyte in grades.source else column] = None
    if grade > 0:
        for analytes, columns in grades.anchors.items():
            if columns[at, column] >= 0:
                cells.update({(analyte, int(columns[at, column])): None for analyte in analytes})
    rows = [row for name, where in cells if where >= 0 and (row := _row(course, at, where, name)) is not None]
    return tuple(sorted(rows, key=lambda row: (row.day, row.analyte)))


def lacking(grades: Grades, course: Course, patient: int, day: float) -> tuple[str, ...]:
    """Names of the analytes whose absence keeps one cell from a grade."""
    at, column = _cell(course, patient, day)
    return tuple(name for name, cells in grades.missing.items() if cells[at, column])


def _cell(course: Course, patient: int, day: float) -> tuple[int, int]:
    rows, columns = np.flatnonzero(course.patients == patient), np.flatnonzero(course.days == day)
    if not rows.size or not columns.size:
        raise InputError(f"no patient {patient} on day {day:g} in this course.")
    return int(rows[0]), int(columns[0])


def _row(course: Course, at: int, column: int, name: str) -> Row | None:
    value = course.values[name][at, column] if name in course.values else np.nan
    if not np.isfinite(value):
        return None
    below = bool(course.below_lloq[name][at, column]) if name in course.below_lloq else False
    source = str(course.where_from[name][at, column]) if name in course.where_from else ""
    above = bool(course.above[name][at, column]) if name in course.above else False
    day = float(course.days[column])
    return Row(int(course.patients[at]), day, name, float(value), below, course.origin, source, above)
