"""Laboratory values graded against the upper limit of normal or the patient's own baseline (CTCAE)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.criteria import Level, edition
from vein2vein.clinic.grades.bounded import Range, carried_ends, ends
from vein2vein.clinic.grades.grades import compare
from vein2vein.clinic.grades.past import Past
from vein2vein.therapy.course import Course

ORGANS = {"creatinine_grade": "creatinine", "transaminase_grade": "transaminase", "bilirubin_grade": "bilirubin"}


def organ_grades(past: Past, column: str, criteria: str = "ctcae_v5_organs") -> tuple[NDArray[np.int8], ...]:
    """Grade that one organ surely has by the values of this nursing interval, and the most that it may have.

    An older value, up to that of the day before, may still hold; a bound, or a value that was not understood, may be
    anything that it allows.
    """
    values = edition(criteria).values
    now, most = organ_range(past.course, column, values["stands"], criteria)
    _, lately = organ_range(past.course, column, values["carry"], criteria)
    return past.now(now), past.now(np.maximum(most, lately))


def organ_range(
    course: Course, column: str, window: float | None = None, criteria: str = "ctcae_v5_organs"
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Lowest and highest grade of one organ at every cell, shape (n, k); 0 where its values are normal or not drawn.

    Parameters
    ----------
    course : Course
    column : str
        Column of the edition: ``creatinine``, ``transaminase`` or ``bilirubin``.
    window : float, optional
        Days for which a value is read; by default those of the nursing interval.
    criteria : str
        Edition.
    """
    rules = edition(criteria)
    window = rules.values["stands"] if window is None else window
    lower, upper = np.zeros(course.shape, dtype=np.int8), np.zeros(course.shape, dtype=np.int8)
    for name in organ_reads(rules.column(column)):
        if name not in course:
            continue
        values = carried_ends(course, name, window)
        base = lowest_before(course, name, rules.values["baseline_days"])
        least_rise = rules.values.get(f"{name}_least_rise", 0.0)
        limit = np.float64(rules.values.get(f"{name}_upper_limit", np.nan))
        # at least so many times the reference: the lowest value over the highest reference, and the other way
        for earned, value, reference in ((lower, values.low, base.high), (upper, values.high, base.low)):
            risen = value - reference >= least_rise  # a change too small to count is no multiple of the baseline
            references = {"": 1.0, "upper_limit": limit, "baseline": np.where(risen, reference, np.inf)}
            for level in rules.column(column):
                if level.reads == name:
                    met = compare(value / references[level.times], level)
                    np.maximum(earned, met * np.int8(level.grade), out=earned)
            if values.high is values.low and base.high is base.low:
                np.maximum(upper, lower, out=upper)
                break
    return lower, upper


def organ_reads(levels: Iterable[Level]) -> tuple[str, ...]:
    """Analytes that these levels read, each once."""
    return tuple(dict.fromkeys(level.reads for level in levels if level.reads))


def lowest_before(course: Course, name: str, days: float) -> Range:
    """Lowest value of so many days up to the infusion, shape (n, k); NaN where there is none that was understood.

    A cell before the infusion reads what was known up to that cell, and nothing of the days between.
    """
    n, k = course.shape
    early = course.until(0.0)
    if not early.shape[1]:
        nothing = np.full((n, k), np.nan)
        return Range(nothing, nothing)
    read = (early.days >= -days) & np.isfinite(early.dense(name))
    at = np.minimum(np.arange(k), early.shape[1] - 1)
    found = ends(early, name)
    low = _so_far(found.low, read)[:, at]
    return Range(low, low if found.high is found.low else _so_far(found.high, read)[:, at])


def _so_far(values: NDArray[np.float64], read: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.fmin.accumulate(np.where(read, values, np.nan), axis=1)
