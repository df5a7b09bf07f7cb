"""Laboratory values graded against the upper limit of normal or the patient's own baseline (CTCAE)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.criteria import Level, edition
from vein2vein.clinic.grades import carried, compare
from vein2vein.therapy.course import Course

ORGANS = {"creatinine_grade": "creatinine", "transaminase_grade": "transaminase", "bilirubin_grade": "bilirubin"}


def organ_grade(course: Course, column: str, criteria: str = "ctcae_v5_organs") -> NDArray[np.int8]:
    """Grade of one organ at every cell, shape (n, k); 0 where its laboratory values are normal or were not drawn.

    Parameters
    ----------
    course : Course
    column : str
        Column of the edition: ``creatinine``, ``transaminase`` or ``bilirubin``.
    criteria : str
        Edition.
    """
    rules = edition(criteria)
    grade = np.zeros(course.shape, dtype=np.int8)
    for name in organ_reads(rules.column(column)):
        if name not in course:
            continue
        values = carried(course, name, rules.values["carry"])
        baseline = _baseline(course, name)
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


def _baseline(course: Course, name: str) -> NDArray[np.float64]:
    """Last value up to the infusion, shape (n, 1); NaN where there is none."""
    early = course.until(0.0)
    if not early.shape[1]:
        return np.full((course.shape[0], 1), np.nan)
    return carried(early, name)[:, -1:]
