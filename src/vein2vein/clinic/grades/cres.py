"""Neurotoxicity by CARTOX-10 and the CRES grades, as trials before the ASTCT consensus read it."""

from __future__ import annotations

import numpy as np

from vein2vein.clinic.criteria import Edition, edition, unverified
from vein2vein.clinic.grades.grades import Grades, any_of, compare, settle
from vein2vein.clinic.grades.held import Steps, by_levels, held, in_doubt, there_or_not
from vein2vein.therapy.course import Course

READS = {
    "score": ("cartox_score", "ice"),
    "arousal": ("arousal",),
    "pressure": ("papilledema", "csf_opening_pressure"),
    "seizure": ("seizure", "seizure_kind"),
    "motor": ("motor_weakness",),
    "edema": ("cerebral_edema",),
}
SIGNS = tuple(name for names in READS.values() for name in names)
FROM_ICE = "CARTOX-10 was not charted: ICE in its place (it asks for a command instead of the head of state)"


def grade_cres(course: Course, *, criteria: str = "cres_cartox_2018", together: bool = False) -> Grades:
    """Grade CRES at every cell: the highest of score, arousal, raised pressure, seizure, weakness and edema.

    Parameters
    ----------
    course : Course
        cartox_score (else ice), arousal; what else is charted. A seizure whose kind is unknown is at least grade 3.
    criteria : str
        Edition.
    together : bool
        By the signs that held together only, for the worst of a day: ``Grades.passing``.
    """
    rules = edition(criteria)
    stands = held(course, _severity(rules), together=together)
    course = stands.course
    open_ = in_doubt(stands, SIGNS)
    looked = np.ones(course.shape, dtype=bool) if stands.looked is None else stands.looked
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
    low = score <= rules.values["score_needs_arousal"]
    no_arousal = (np.isnan(arousal) & (no_score | low)) | open_["arousal"]
    no_kind = (seizure >= 1) & np.isnan(kind)
    unsure = worst > columns["score"]
    doubts = {
        "cartox_score": (no_score & ~(arousal >= rules.top)) | unsure,
        "arousal": no_arousal,
        "seizure_kind": no_kind,
    }
    doubts["cartox_score"] = doubts["cartox_score"] & (no_score | (worst > lower))
    doubts |= {name: open_[name] for name in SIGNS if name not in doubts}
    doubt = any_of([no_score & ~(arousal >= rules.top), no_arousal, no_kind, *open_.values(), ~looked])
    grade = settle(lower, np.where(doubt, np.int8(rules.top), np.maximum(lower, worst)))
    missing = {name: cells & (grade < 0) for name, cells in doubts.items() if (cells & (grade < 0)).any()}
    borrowed = np.isnan(charted) & ~no_score
    flags = {FROM_ICE: borrowed} if borrowed.any() else {}
    reads = {name: analytes for name, analytes in READS.items() if any(analyte in course for analyte in analytes)}
    shown = {name: columns[name] for name in reads}
    return Grades(
        "cres", rules.name, course.days, grade, lower, missing, shown, reads, flags, {}, unverified(rules.name),
        stands.source, stands.looked, stands.passing,
    )  # fmt: skip


def _severity(rules: Edition) -> Steps:
    """As the levels say; ICE stands in for the score, and any seizure is severe."""
    found = by_levels(rules, SIGNS)
    return {**found, "ice": found["cartox_score"], "seizure": there_or_not, "seizure_kind": there_or_not}
