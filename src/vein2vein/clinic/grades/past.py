"""What a grader asks of earlier columns: when something held last, since when it holds, what a value was then.

A whole course answers for all its cells at once (``Past``). A course that grows column by column is graded by its
newest column alone, with what the columns before it left behind (``Growing``): the same grades, each cell once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.grades.grades import Columns, Flags, Whole, before, latest, take
from vein2vein.therapy.course import Course

_Scalar = TypeVar("_Scalar", bound=np.generic)


class Past:
    """The past of every cell of one whole course.

    Attributes
    ----------
    course : Course
        All columns so far; the numbers of columns that are returned are its own.
    looked : ndarray of bool, shape (n, k), or None
        Cells that are looked at; the others are as if they were not there. None: all.
    """

    looked: Flags | None = None

    def __init__(self, course: Course, looked: Flags | None = None) -> None:
        self.course, self.looked = course, looked

    def now(self, cells: NDArray[_Scalar]) -> NDArray[_Scalar]:
        """Of the cells of all columns, shape (n, k), those that are being graded."""
        return cells

    def latest(self, name: str, holds: Flags) -> Columns:
        """Column of the latest cell, up to and including each one, where something holds; -1: none yet.

        ``name`` tells what holds: one grader asks by one name once.
        """
        return latest(holds)

    def before(self, name: str, holds: Flags) -> Columns:
        """The same, up to but not including each cell."""
        return before(latest(holds))

    def given(self, treatments: Iterable[str], perhaps: bool = False) -> Columns:
        """Column of the last of these treatments before each cell; -1: none. ``perhaps``: or of one not understood."""
        course = self.course
        any_of_them = np.zeros(course.shape, dtype=bool)
        for name in treatments:
            if name in course:
                any_of_them |= course.positive(name)
            if perhaps and name in course.unread:
                any_of_them |= course.unread[name]
        return before(latest(any_of_them))

    def pause(self) -> NDArray[np.float64]:
        """Days between the cell before and each one that is being graded; 0 for the first. Shape (n or 1, k)."""
        days = self.course.days
        if self.looked is None:
            return np.diff(days, prepend=days[:1])[None, :]
        seen = before(latest(self.looked))
        return np.where(seen >= 0, days[None, :] - days[np.maximum(seen, 0)], 0.0)

    def since(self, name: str, holds: Flags, anew: NDArray[np.bool_] | None = None) -> Columns:
        """Column since when something holds without a break, up to each cell where it holds.

        ``anew`` : the cells that begin a new stretch whatever was before, shape (n or 1, k).
        """
        if self.looked is None:
            earlier = np.zeros_like(holds)
            earlier[:, 1:] = holds[:, :-1]
        else:
            earlier = take(holds, before(latest(self.looked)), False)
        return latest(holds & ~(earlier if anew is None else earlier & ~anew))

    def lowest(self, name: str, columns: Columns) -> Columns:
        """Lowest number up to and including each cell."""
        return np.minimum.accumulate(columns, axis=1) if columns.shape[1] else columns

    def carry(self, name: str, holds: Flags, values: Whole, absent: int) -> Whole:
        """Value of the latest cell, up to and including each one, where something holds."""
        return take(values, latest(holds), absent)


class Growing(Past):
    """The past of the newest column of a course to which ``add`` has been giving one column after the other."""

    def __init__(self) -> None:
        self._kept: dict[str, Columns] = {}
        self._carried: dict[str, Whole] = {}

    def add(self, course: Course) -> Course:
        """Take the course with one more column, and return this column alone."""
        self.course = course
        self._column = np.int32(len(course.days) - 1)
        newest = {name: values[:, -1:] for name, values in course.values.items()}
        return Course(course.patients, course.days[-1:], newest, origin=course.origin)

    def now(self, cells: NDArray[_Scalar]) -> NDArray[_Scalar]:
        """Of the cells of all columns, the newest, shape (n, 1)."""
        return cells[:, -1:]

    def latest(self, name: str, holds: Flags) -> Columns:
        """Column of the latest cell so far where something holds."""
        column = np.where(holds, self._column, self._kept.get(name, np.int32(-1)))
        self._kept[name] = column
        return column

    def before(self, name: str, holds: Flags) -> Columns:
        """The same, before the newest column."""
        earlier = self._kept.get(name)
        newest = self.latest(name, holds)
        return np.full_like(newest, -1) if earlier is None else earlier

    def given(self, treatments: Iterable[str], perhaps: bool = False) -> Columns:
        """Column of the last of these treatments so far; read a column late, for they are ordered after the grading."""
        column = self._kept.get("given", np.full((len(self.course.patients), 1), -1, dtype=np.int32))
        for name in treatments if self._column else ():
            if name in self.course:
                column = np.where(self.course.values[name][:, -2:-1] > 0, self._column - np.int32(1), column)
        self._kept["given"] = column
        return column

    def pause(self) -> NDArray[np.float64]:
        """Days between the column before and the newest; 0 for the first."""
        return np.diff(self.course.days[-2:])[None, :] if self._column else np.zeros((1, 1))

    def since(self, name: str, holds: Flags, anew: NDArray[np.bool_] | None = None) -> Columns:
        """Column since when something holds without a break."""
        kept = self._kept.get(name, self._column)
        kept = kept if anew is None else np.where(anew, self._column, kept)
        began = np.where(holds, np.minimum(kept, self._column), np.iinfo(np.int32).max)
        self._kept[name] = began
        return np.minimum(began, self._column)

    def lowest(self, name: str, columns: Columns) -> Columns:
        """Lowest number so far."""
        least = np.minimum(columns, self._kept.get(name, columns))
        self._kept[name] = least
        return least

    def carry(self, name: str, holds: Flags, values: Whole, absent: int) -> Whole:
        """Value of the latest cell so far where something holds."""
        latest_value = np.where(holds, values, self._carried.get(name, np.full_like(values, absent)))
        self._carried[name] = latest_value
        return latest_value
