"""Attendance: who was seen on which day. Visits that were due, and others when the disease shows itself before them.

A virtual patient's course holds what could be measured on every day; a response is judged on what was measured at
the visits that took place.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vein2vein.analytes import analyte
from vein2vein.clinic.criteria import edition
from vein2vein.clinic.grades.grades import Flags, Floats
from vein2vein.therapy.course import Course

SEEN_BETWEEN = {"leukemia": "response_b_all_eliana", "lymphoma": "response_lymphoma", "myeloma": "response_myeloma"}


def attend(course: Course, due: Floats, lineage: str) -> Flags:
    """Days on which each patient's disease was assessed, shape (n, k): the visits due, and those of overt disease.

    Parameters
    ----------
    course : Course
    due : ndarray, shape (n, visits)
        Day of each patient's visits; a day of the course each.
    lineage : str
        Whose criteria judge: ``leukemia``, ``lymphoma`` or ``myeloma``.

    Notes
    -----
    An unscheduled visit follows when overt disease is new: it was not there at the visit before. There is none before
    the first visit, when a tumor that swells and one that grows are not told apart.
    """
    seen = np.zeros(course.shape, dtype=bool)
    np.put_along_axis(seen, np.searchsorted(course.days, due), True, axis=1)
    if not due.shape[1]:
        return seen
    overt = _overt(course, lineage)
    begun, known = np.zeros(len(seen), dtype=bool), np.zeros(len(seen), dtype=bool)
    for column in range(seen.shape[1]):
        seen[:, column] |= begun & overt[:, column] & ~known
        begun |= seen[:, column]
        known = np.where(seen[:, column], overt[:, column], known)
    return seen


def as_seen(course: Course, seen: Flags) -> Course:
    """The course with the disease as it was measured up to the infusion and at the visits, shape (n, k)."""
    there = seen | (course.days <= 0)
    values = {
        name: np.where(there, cells, np.nan) if analyte(name).kind == "disease" else cells
        for name, cells in course.values.items()
    }
    return replace(course, values=values)


def _overt(course: Course, lineage: str) -> Flags:
    """Whether the disease would bring a patient in, shape (n, k)."""
    v = edition(SEEN_BETWEEN[lineage]).values
    if lineage == "leukemia":
        return course.dense("circulating_blasts") >= v["overt_circulating"]
    if lineage == "lymphoma":
        volume = course.dense("metabolic_tumor_volume")
        low = np.maximum(np.fmin.accumulate(volume, axis=1), v["detection_volume"])
        return (volume >= v["overt_volume"]) & (volume >= v["progression_volume"] * low)
    v = {**edition("response_imwg_2016").values, **v}
    serum, chain = course.dense("m_protein"), course.dense("free_light_chain")
    value = np.where(serum[:, :1] >= v["measurable_serum"], serum, chain)
    low = np.fmin.accumulate(value, axis=1)
    return (value >= v["overt_protein"] * value[:, :1]) & (value >= (1 + v["progression_rise"]) * low)
