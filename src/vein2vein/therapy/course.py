"""Course: the dated values and treatments of one patient or many, measured or simulated.

Day 0 is the (first) infusion. A treatment is a dated row like any other. The dense view has shape (patients, days);
NaN means that nothing was measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vein2vein.analytes import analyte
from vein2vein.arguments import flag, number, of_kind, refusal, text, whole
from vein2vein.errors import InputError
from vein2vein.records import by_patient

ORIGINS = ("measured", "simulated", "forecast", "given")
Dense = NDArray[np.float64]
Marks = NDArray[np.bool_]
NO_CLOCK: Dense = np.empty(0)


class Row(NamedTuple):
    """One dated value. ``above``: more than the value (a drug or support in an amount that is not known: above 0)."""

    patient: int
    day: float
    analyte: str
    value: float
    below_lloq: bool
    origin: str
    where_from: str
    above: bool = False


@by_patient(visit=("days",), none=("origin",))
@dataclass(frozen=True)
class Course:
    """Values by patient, day and analyte.

    Attributes
    ----------
    patients : ndarray of int, shape (n,)
        Patient numbers.
    days : ndarray, shape (k,)
        Ascending days.
    values : mapping of analyte name to ndarray, shape (n, k)
        Canonical units; NaN: not measured. Treatments hold the amount given on that day.
    below_lloq : mapping of analyte name to ndarray of bool, shape (n, k)
        Only for analytes with values below the limit of quantification (the value is then the limit). Of a score in
        whole numbers: at most the value.
    origin : str
        measured, simulated, forecast or given; for all rows.
    where_from : mapping of analyte name to ndarray of str, shape (n, k)
        File and line of a measured value; empty for simulated courses.
    above : mapping of analyte name to ndarray of bool, shape (n, k)
        Values of which only a lower bound is known: more than the value; of a score in whole numbers, at least it. A
        support that runs, or a drug that was given, in an amount that is not known is above 0.
    unread : mapping of analyte name to ndarray of bool, shape (n, k)
        Charted, but not understood: the value is NaN, and is unknown, not absent.
    lasting : mapping of analyte name to ndarray of bool, shape (n, k)
        Values that go on until the next one of the same analyte, however far: rates of a period whose end is known.
    clock : ndarray, shape (n,)
        Time of day of day 0 (0 to 1 day): dates change there. Empty: 0 for all, as where days are numbers.
    """

    patients: NDArray[np.int64]
    days: Dense
    values: Mapping[str, Dense]
    below_lloq: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    origin: str = "simulated"
    where_from: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)
    above: Mapping[str, Marks] = field(default_factory=dict[str, Marks])
    unread: Mapping[str, Marks] = field(default_factory=dict[str, Marks])
    lasting: Mapping[str, Marks] = field(default_factory=dict[str, Marks])
    clock: Dense = field(default_factory=lambda: NO_CLOCK)

    @property
    def shape(self) -> tuple[int, int]:
        """(patients, days)."""
        return len(self.patients), len(self.days)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def dense(self, name: str) -> Dense:
        """Values of one analyte, shape (n, k); all NaN where it was never measured."""
        analyte(name)
        found = self.values.get(name)
        return np.full(self.shape, np.nan) if found is None else found

    def measured(self, name: str) -> bool:
        """Whether any value of this analyte exists."""
        return name in self.values and bool(np.isfinite(self.values[name]).any())

    def marked(self, marks: Mapping[str, Marks], name: str) -> Marks:
        """Cells of one analyte that ``above``, ``unread``, ``lasting`` or ``below_lloq`` marks, shape (n, k)."""
        found = marks.get(name)
        return np.zeros(self.shape, dtype=bool) if found is None else found

    def positive(self, name: str) -> Marks:
        """Cells where more than none is charted, be the amount known or not; shape (n, k)."""
        found = self.dense(name) > 0
        return found | self.above[name] if name in self.above else found

    def calendar(self) -> NDArray[np.int64]:
        """Number of the calendar day of each cell, shape (n, k): the date of the infusion is 0, its eve -1."""
        clock = self.clock if self.clock.size else np.zeros(self.shape[0])
        numbered = np.round(self.days[None, :] + clock[:, None], decimals=6)  # midnight by a clock is midnight
        return np.floor(numbered).astype(np.int64)

    def until(self, day: float) -> Course:
        """The course up to and including that day, as one knew it then."""
        count = int(np.searchsorted(self.days, day, side="right"))
        return self._columns(slice(0, count))

    def between(self, first: float, last: float) -> Course:
        """The part from one day to another, both included."""
        begin, end = np.searchsorted(self.days, first, side="left"), np.searchsorted(self.days, last, side="right")
        return self._columns(slice(int(begin), int(end)))

    def at(self, days: Iterable[float]) -> Course:
        """The course at these days only; a day that is not on the grid is left out."""
        wanted = np.asarray(sorted(days), dtype=float)
        return self._columns(np.flatnonzero(np.isin(self.days, wanted)))

    def of(self, patients: Iterable[int] | NDArray[np.int64]) -> Course:
        """The course of some patients, by position."""
        index = np.atleast_1d(np.asarray(list(patients) if not isinstance(patients, np.ndarray) else patients))
        parts = self._cut(lambda cells: cells[index])
        clock = self.clock[index] if self.clock.size else self.clock
        return replace(self, patients=self.patients[index], clock=clock, **parts)

    def _columns(self, cut: slice | NDArray[np.intp]) -> Course:
        return replace(self, days=self.days[cut], **self._cut(lambda cells: cells[:, cut]))

    def _cut(self, part: Callable[[NDArray[Any]], NDArray[Any]]) -> dict[str, Any]:
        """The same part of every mapping of cells; one that is empty stays as it is."""
        mappings = ("values", "below_lloq", "where_from", "above", "unread", "lasting")
        return {
            name: {n: part(cells) for n, cells in found.items()} for name in mappings if (found := getattr(self, name))
        }

    def rows(self) -> Iterator[Row]:
        """Every value that exists as a row, by patient, day and analyte."""
        names = sorted(self.values)
        for i, patient in enumerate(self.patients if names else ()):
            there = np.stack([np.isfinite(self.values[name][i]) for name in names], axis=1)
            for j, which in np.argwhere(there).tolist():
                name = names[which]
                value = self.values[name][i, j]
                below = bool(self.below_lloq[name][i, j]) if name in self.below_lloq else False
                source = str(self.where_from[name][i, j]) if name in self.where_from else ""
                origin = "given" if analyte(name).kind == "treatment" else self.origin
                above = bool(self.above[name][i, j]) if name in self.above else False
                yield Row(int(patient), float(self.days[j]), name, float(value), below, origin, source, above)


class Recorder:
    """A course while it is being written, one day after the other; ``course`` shows what is known so far."""

    def __init__(self, patients: NDArray[np.int64], days: Iterable[float], origin: str = "simulated") -> None:
        self.patients = np.asarray(patients, dtype=np.int64)
        self.days = np.asarray(list(days), dtype=float)
        self.origin = origin
        self.values: dict[str, Dense] = {}
        self.below: dict[str, NDArray[np.bool_]] = {}

    def write(
        self,
        column: int,
        values: Mapping[str, NDArray[np.float64]],
        below: Mapping[str, NDArray[np.bool_]] | None = None,
    ) -> None:
        """Write the values (n,) of some analytes on one day."""
        shape = (len(self.patients), len(self.days))
        for name, value in values.items():
            if name not in self.values:
                analyte(name)
                self.values[name] = np.full(shape, np.nan, order="F")  # a day lies together
            self.values[name][:, column] = value
        for name, flags in (below or {}).items():
            if name not in self.below:
                self.below[name] = np.zeros(shape, dtype=bool, order="F")
            self.below[name][:, column] = flags

    def course(self, column: int | None = None) -> Course:
        """The course up to and including a column (default: all)."""
        cut = slice(None if column is None else column + 1)
        return Course(
            self.patients, self.days[cut], {n: v[:, cut] for n, v in self.values.items()},
            {n: b[:, cut] for n, b in self.below.items()}, self.origin,
        )  # fmt: skip


def course_from_rows(rows: Iterable[Row]) -> Course:
    """Gather rows in any order into a course; two values for one patient, day and analyte are refused.

    Raises
    ------
    InputError
        What is given is no ``Row``, holds no number, or says a value twice.
    """
    listed = _checked(rows)
    patients = np.array(sorted({r.patient for r in listed}), dtype=np.int64)
    days = np.array(sorted({r.day for r in listed}), dtype=float)
    at_patient = {int(p): i for i, p in enumerate(patients)}
    at_day = {float(d): j for j, d in enumerate(days)}
    values: dict[str, Dense] = {}
    below: dict[str, NDArray[np.bool_]] = {}
    above: dict[str, NDArray[np.bool_]] = {}
    source: dict[str, NDArray[np.object_]] = {}
    shape = (len(patients), len(days))
    for row in listed:
        analyte(row.analyte)
        if row.analyte not in values:
            values[row.analyte] = np.full(shape, np.nan)
            below[row.analyte], above[row.analyte] = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
            source[row.analyte] = np.full(shape, "", dtype=object)
        cell = at_patient[row.patient], at_day[row.day]
        if np.isfinite(values[row.analyte][cell]):
            raise InputError(
                f"found two values of {row.analyte} for patient {row.patient} on day {row.day:g}: "
                f"{source[row.analyte][cell] or 'first row'} and {row.where_from or 'second row'}; "
                "expected one, leave the other out."
            )
        values[row.analyte][cell], below[row.analyte][cell] = row.value, row.below_lloq
        source[row.analyte][cell], above[row.analyte][cell] = row.where_from, row.above
    origin = next((r.origin for r in listed if r.origin != "given"), "given")
    return Course(patients, days, values, _marked(below), origin, source, _marked(above))


def _marked(marks: Mapping[str, Marks]) -> dict[str, Marks]:
    return {name: cells for name, cells in marks.items() if cells.any()}


def _checked(rows: Iterable[Row]) -> list[Row]:
    if not isinstance(rows, Iterable):
        raise refusal("rows", rows, "rows, each a Row of patient, day, analyte and value")
    listed = list(rows)
    for i, row in enumerate(listed):
        one = of_kind(f"rows[{i}]", row, Row, "a Row of patient, day, analyte and value")
        for part in ("analyte", "origin", "where_from"):
            text(f"rows[{i}].{part}", getattr(one, part))
        whole(f"rows[{i}].patient", one.patient, low=0)
        number(f"rows[{i}].day", one.day, low=-math.inf, unit="days")
        number(f"rows[{i}].value", one.value, low=-math.inf)
        flag(f"rows[{i}].below_lloq", one.below_lloq)
        flag(f"rows[{i}].above", one.above)
    return listed


def course_of(value: object) -> Course:
    """The course that a Python caller gives; anything else is refused in a sentence."""
    expected = "a Course, as course_from_rows and simulate(...).course give it"
    return of_kind("course", value, Course, expected)
