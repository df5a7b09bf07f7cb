"""Laboratory values graded against the upper limit of normal or the patient's own baseline (CTCAE)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.criteria import Level, edition
from vein2vein.clinic.grades.grades import carried, compare
from vein2vein.clinic.grades.past import Past
from vein2vein.therapy.course import Course

ORGANS = {"creatinine_grade": "creatinine", "transaminase_grade": "transaminase", "bilirubin_grade": "bilirubin"}


def organ_grades(past: Past, column: str, criteria: str = "ctcae_v5_organs") -> tuple[NDArray[np.int8], ...]:
    """Grade of one organ by the values of this nursing interval, and by those of the day before: it may still hold."""
    values = edition(criteria).values
    now = past.now(organ_grade(past.course, column, values["stands"], criteria))
    return now, np.maximum(now, past.now(organ_grade(past.course, column, values["carry"], criteria)))


def organ_grade(
    course: Course, column: str, window: float | None = None, criteria: str = "ctcae_v5_organs"
) -> NDArray[np.int8]:
    """Grade of one organ at every cell, shape (n, k); 0 where its laboratory values are normal or were not drawn.

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
    grade = np.zeros(course.shape, dtype=np.int8)
    for name in organ_reads(rules.column(column)):
        if name not in course:
            continue
        values = carried(course, name, window)
        baseline = lowest_before(course, name, rules.values["baseline_days"])
        risen = values - baseline >= rules.values.get(f"{name}_least_rise", 0.0)
        references = {
            "": 1.0,
            "upper_limit": rules.values.get(f"{name}_upper_limit", np.nan),
            "baseline": np.where(risen, baseline, np.inf),  # a change too small to count is no multiple of it
        }
        for level in rules.column(column):
            if level.reads == name:
                met = compare(values / references[level.times], level)
                np.maximum(grade, met * np.int8(level.grade), out=grade)
    return grade


def organ_reads(levels: Iterable[Level]) -> tuple[str, ...]:
    """Analytes that these levels read, each once."""
    return tuple(dict.fromkeys(level.reads for level in levels if level.reads))


def lowest_before(course: Course, name: str, days: float) -> NDArray[np.float64]:
    """Lowest value of so many days up to the infusion, shape (n, k); NaN where there is none.

    A cell before the infusion reads what was known up to that cell, and nothing of the days between.
    """
    n, k = course.shape
    early = course.until(0.0)
    if not early.shape[1]:
        return np.full((n, k), np.nan)
    counted = np.where(early.days >= -days, early.dense(name), np.nan)
    so_far = np.fmin.accumulate(counted, axis=1)
    return so_far[:, np.minimum(np.arange(k), early.shape[1] - 1)]
