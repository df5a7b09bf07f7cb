"""Neurotoxicity by CARTOX-10 and the CRES grades, as trials before the ASTCT consensus read it."""

from __future__ import annotations

import numpy as np

from vein2vein.clinic.criteria import edition, unverified
from vein2vein.clinic.grades.grades import Grades, compare, lately, settle
from vein2vein.therapy.course import Course

READS = {
    "score": ("cartox_score", "ice"),
    "arousal": ("arousal",),
    "pressure": ("papilledema", "csf_opening_pressure"),
    "seizure": ("seizure", "seizure_kind"),
    "motor": ("motor_weakness",),
    "edema": ("cerebral_edema",),
}
FROM_ICE = "CARTOX-10 was not charted: ICE in its place (it asks for a command instead of the head of state)"


def grade_cres(course: Course, *, criteria: str = "cres_cartox_2018") -> Grades:
    """Grade CRES at every cell: the highest of score, arousal, raised pressure, seizure, weakness and edema.

    Parameters
    ----------
    course : Course
        cartox_score (else ice), arousal; what else is charted. A seizure whose kind is unknown is at least grade 3.
    criteria : str
        Edition.
    """
    rules = edition(criteria)
    charted, ice = course.dense("cartox_score"), course.dense("ice")
    score = np.where(np.isnan(charted), ice, charted)
    columns = {name: np.zeros(course.shape, dtype=np.int8) for name in READS}
    apart = np.where(np.isnan(charted), rules.values["ice_differs"], 0.0)  # at best, where ICE stands in
    worst = np.zeros(course.shape, dtype=np.int8)
    for level in rules.levels:
        values = score + apart if level.column == "score" else course.dense(level.reads)
        met = compare(values, level) * np.int8(level.grade)
        np.maximum(columns[level.column], met, out=columns[level.column])
        if level.column == "score":
            np.maximum(worst, compare(score, level) * np.int8(level.grade), out=worst)
    lower = np.maximum.reduce(list(columns.values()))
    arousal, seizure, kind = (course.dense(name) for name in ("arousal", "seizure", "seizure_kind"))
    no_score = np.isnan(score)
    was_drowsy = lately(course, "arousal", 1, rules.values["arousal_lasts"])
    no_arousal = np.isnan(arousal) & (no_score | (score <= rules.values["score_needs_arousal"]) | was_drowsy)
    no_kind = (seizure >= 1) & np.isnan(kind)
    unsure = worst > columns["score"]
    doubts = {
        "cartox_score": (no_score & ~(arousal >= rules.top)) | unsure,
        "arousal": no_arousal,
        "seizure_kind": no_kind,
    }
    doubts["cartox_score"] = doubts["cartox_score"] & (no_score | (worst > lower))
    doubt = (no_score & ~(arousal >= rules.top)) | no_arousal | no_kind
    grade = settle(lower, np.where(doubt, np.int8(rules.top), np.maximum(lower, worst)))
    missing = {name: cells & (grade < 0) for name, cells in doubts.items() if (cells & (grade < 0)).any()}
    borrowed = np.isnan(charted) & ~no_score
    flags = {FROM_ICE: borrowed} if borrowed.any() else {}
    reads = {name: analytes for name, analytes in READS.items() if any(analyte in course for analyte in analytes)}
    shown = {name: columns[name] for name in reads}
    return Grades(
        "cres", rules.name, course.days, grade, lower, missing, shown, reads, flags, {}, unverified(rules.name)
    )
