"""Clinicians' decisions laid over the findings: overrides of a grade, and signs attributed to another cause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from vein2vein.clinic.grades.grades import Grades
from vein2vein.clinic.grades.monitoring import DEATH_HOLDS, Audit, Override, apply_overrides
from vein2vein.errors import InputError
from vein2vein.io.record.record import Record, SetAside
from vein2vein.therapy.course import Course
from vein2vein.ward.states import in_words, looked_at, title


@dataclass(frozen=True)
class Decision:
    """A clinician's row: what was computed and what holds (for an attribution: the sign and its other cause)."""

    first_day: float
    last_day: float
    what: str
    computed: str
    holds: str
    author: str
    time: str
    reason: str
    where_from: str


def decide(
    record: Record | Course, course: Course, found: dict[str, Grades]
) -> tuple[dict[str, Grades], tuple[Decision, ...], tuple[SetAside, ...], tuple[str, ...]]:
    """Lay the clinicians' decisions over the findings; one that cannot hold is set aside with its remedy."""
    if isinstance(record, Course):
        return found, (), (), ()
    patient, today = int(course.patients[0]), float(course.days[-1])
    told = [
        _decision(one, "counts") for one in record.attributions if one.patient == patient and one.first_day <= today
    ]
    refused: list[SetAside] = []
    notes: list[str] = []
    for one in record.overrides:
        if one.patient != patient or one.first_day > today:
            continue
        try:
            if one.finding not in found:
                other = one.finding.removeprefix("crs_")
                notes.append(f"{one.where_from}: decides on {one.finding}, which is shown with --scale {other}")
                continue
            found, audit = apply_overrides(found, [one], course)
            found[one.finding] = _looked_too(found[one.finding], course, audit)
        except InputError as problem:
            what, _, remedy = problem.text.rstrip(".").partition("; ")
            file, _, line = one.where_from.rpartition(":")
            place = int(line) if line.isdigit() else None
            refused.append(SetAside(file, place, "", what, "", "", remedy or "correct it"))
            continue
        spans = sorted({in_words(one.finding, a.computed) for a in audit})
        decision = _decision(one, ", ".join(spans) or "no reading of these days")
        if any(a.not_over for a in audit):
            decision = replace(decision, holds=f"{decision.holds}; {DEATH_HOLDS}")
        told.append(decision)
    return found, tuple(sorted(told, key=lambda d: d.first_day)), tuple(refused), tuple(notes)


def _looked_too(grades: Grades, course: Course, audit: Iterable[Audit]) -> Grades:
    """The same grades; where a clinician decided, the scale was looked at."""
    decided = np.isin(grades.days, [one.day for one in audit if not one.not_over])[None, :]
    return replace(grades, looked=looked_at(grades, course)[None, :] | decided)


def _decision(one: Override, computed: str) -> Decision:
    what = title(one.finding).replace("_", " ")
    holds = f"attributed to: {one.cause}" if one.grade is None else in_words(one.finding, one.grade)
    return Decision(
        one.first_day, one.last_day, what, computed, holds, one.author, one.time, one.reason, one.where_from
    )
