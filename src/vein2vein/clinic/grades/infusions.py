"""Infusions after the first: each has its own day 0, beside the course that counts from the first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.criteria import edition
from vein2vein.clinic.grades.bounded import charted, ends
from vein2vein.therapy.course import Course

INFUSION = "car_t_infusion"


def later_infusions(course: Course, position: int = 0) -> tuple[float, ...]:
    """Days of the infusions after the first of one patient.

    Doses on a few days in a row are fractions of one infusion (``fraction_days`` of criteria/icaht_2023.toml).
    """
    return _later(course, *(cells[position] for cells in _infused(course)))


def _infused(course: Course) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Cells with an infusion, and the calendar day of each cell; shape (n, k)."""
    return charted(course, INFUSION) & (ends(course, INFUSION).high > 0), course.calendar()


def _later(course: Course, given: NDArray[np.bool_], dates: NDArray[np.int64]) -> tuple[float, ...]:
    """The same from the cells of one patient, shape (k,)."""
    found: list[float] = []
    last = 0
    for column in np.flatnonzero(given & (dates > 0)):
        if dates[column] - last > edition("icaht_2023").values["fraction_days"]:
            found.append(float(course.days[column]))
        last = int(dates[column])
    return tuple(found)


def new_treatments(course: Course, position: int = 0) -> tuple[float, ...]:
    """Of them, those that are a treatment of their own, and not the second part of a split dose."""
    return _own(course, later_infusions(course, position), position)


def _own(course: Course, later: tuple[float, ...], position: int) -> tuple[float, ...]:
    found: list[float] = []
    first = 0.0
    for day in later:
        if apart(course, first, day, position):
            found.append(day)
            first = day
    return tuple(found)


def day_zero(course: Course) -> NDArray[np.float64]:
    """Day of the newest treatment up to each cell, shape (n, k), or (1, 1) where no patient has a second one."""
    if not course.measured(INFUSION) or (course.values[INFUSION] > 0).sum(axis=1).max() <= 1:
        return np.zeros((1, 1))
    found = np.zeros(course.shape)
    given, dates = _infused(course)
    for position in np.flatnonzero((given & (dates > 0)).any(axis=1)):
        for day in _own(course, _later(course, given[position], dates[position]), int(position)):
            found[position, course.days >= day] = day
    return found


def apart(course: Course, first: float, second: float, position: int = 0) -> bool:
    """Whether an infusion is a new treatment (``split_dose_days`` of criteria/icaht_2023.toml)."""
    clock = float(course.clock[position]) if course.clock.size else 0.0
    dates = np.floor(np.round([first + clock, second + clock], decimals=6))
    return bool(dates[1] - dates[0] > edition("icaht_2023").values["split_dose_days"])


def from_infusion(course: Course, day: float) -> Course:
    """The same course with another infusion as its day 0."""
    clock = course.clock if course.clock.size else np.zeros(course.shape[0])
    return replace(course, days=course.days - day, clock=np.mod(clock + day, 1.0))


def eve_of(course: Course, day: float, position: int = 0) -> float:
    """Last day of the course before the date of an infusion; -inf where there is none."""
    dates = course.calendar()[position]
    earlier = course.days[dates < dates[np.searchsorted(course.days, day)]]
    return float(earlier[-1]) if earlier.size else -np.inf
