"""Monitoring: everything that is graded, from one course, the same for real and virtual patients.

``FINDINGS`` are graded along a simulation; ``ALL_FINDINGS`` adds what a ward wants to see. A clinician's override
changes a finding and stays visible beside it, with author and time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.clinic import words
from vein2vein.clinic.criteria import edition
from vein2vein.clinic.grades.b_cell_aplasia import b_cell_aplasia, hypogammaglobulinemia
from vein2vein.clinic.grades.cres import grade_cres
from vein2vein.clinic.grades.crs import grade_crs
from vein2vein.clinic.grades.grades import Grades, because, lacking
from vein2vein.clinic.grades.hematotoxicity import CYTOPENIAS, grade_cytopenia
from vein2vein.clinic.grades.icans import grade_icans, neurologic_event
from vein2vein.clinic.grades.iec_hs import grade_iec_hs
from vein2vein.clinic.grades.past import Growing
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.course import Course

__all__ = ["ALL_FINDINGS", "FINDINGS", "Audit", "Override", "apply_overrides", "because", "grade", "lacking"]


def _crs(scale: str) -> Callable[..., Grades]:
    def graded(course: Course, a: Mapping[str, Any]) -> Grades:
        past = a["past"].get(f"crs_{scale}")
        return grade_crs(course, age=a["age"], weight=a["weight"], scale=scale, organs=a["organs"], past=past)

    return graded


def _cytopenia(name: str) -> Callable[..., Grades]:
    return lambda course, a: grade_cytopenia(course, name)


FINDINGS = tuple(name for name, one in words.findings().items() if one.simulated)
_GRADERS: dict[str, Callable[..., Grades]] = {
    **{one.name: _crs(scale) for scale, one in words.crs_scales().items()},
    "icans": lambda course, a: grade_icans(course, age=a["age"], past=a["past"].get("icans")),
    "neurologic_event": lambda course, a: neurologic_event(course, age=a["age"], icans=a["done"].get("icans")),
    "cres": lambda course, a: grade_cres(course),
    **{name: _cytopenia(name) for name in CYTOPENIAS},
    "iec_hs": lambda course, a: grade_iec_hs(course, crs=a["done"].get(words.usual_crs())),
    "b_cell_aplasia": lambda course, a: b_cell_aplasia(course),
    "hypogammaglobulinemia": lambda course, a: hypogammaglobulinemia(course, age=a["age"]),
}
ALL_FINDINGS = tuple(_GRADERS)
STATES = {name: len(one.states) - 1 for name, one in words.findings().items() if one.states}  # no grades: last state


def grade(
    course: Course,
    *,
    age: ArrayLike,
    weight: ArrayLike | None = None,
    scales: Iterable[str] = FINDINGS,
    organs: bool = True,
) -> dict[str, Grades]:
    """Grade a course by some or all scales.

    Parameters
    ----------
    course : Course
        n patients; measured or simulated; may end at any day (a cell reads nothing of later days).
    age, weight : array_like, shape (n,)
        Years, kg.
    scales : iterable of str
        Names from ``ALL_FINDINGS``.
    organs : bool
        Whether organ toxicity counts in the older CRS scales.

    Returns
    -------
    dict of str to Grades
        Days on which nothing is known are not gradable (-1), never grade 0.
    """
    arguments: dict[str, Any] = {
        "age": np.asarray(age, dtype=float), "weight": weight, "organs": organs, "past": {}, "done": {},
    }  # fmt: skip
    for name in scales:
        if name not in _GRADERS:
            raise InputError(unknown("finding", name, ALL_FINDINGS))
        arguments["done"][name] = _GRADERS[name](course, arguments)
    return arguments["done"]


class Watch:
    """Grades a course that grows by one column a time: what is known by ``grade`` of the whole, each cell graded once.

    Parameters
    ----------
    days : int
        Columns that the course will have at the end.
    age, weight, scales, organs
        As for ``grade``; of the scales only those of CRS, and ICANS.
    """

    def __init__(
        self, days: int, *, age: ArrayLike, weight: ArrayLike | None, scales: Iterable[str], organs: bool = True
    ) -> None:
        pasts = {name: Growing() for name in scales}
        self._arguments = {"age": np.asarray(age, dtype=float), "weight": weight, "organs": organs, "past": pasts}
        shape = (np.size(age), days)
        self._known = {name: np.zeros(shape, dtype=np.int8, order="F") for name in pasts}

    def grade(self, course: Course) -> dict[str, Grades]:
        """Known grades up to the newest column of the course; a cell that is not gradable has the one before it."""
        now = course.shape[1] - 1
        found: dict[str, Grades] = {}
        for name, past in self._arguments["past"].items():
            one = _GRADERS[name](past.add(course), self._arguments)
            known = self._known[name]
            known[:, now] = np.where(one.grade[:, 0] < 0, known[:, max(now - 1, 0)], one.grade[:, 0])
            found[name] = Grades(one.scale, one.edition, course.days, known[:, : now + 1], known[:, : now + 1])
        return found


@dataclass(frozen=True)
class Override:
    """A clinician's decision on a finding: another grade, or another cause.

    Attributes
    ----------
    patient : int
        Patient number.
    first_day, last_day : float
        Days that it covers, both included.
    finding : str
        Name from ``ALL_FINDINGS``.
    grade : int or None
        The grade that holds instead; None with a cause: the finding is attributed elsewhere and counts 0.
    cause : str
        Such as "bacteremia"; "" where only the grade is changed.
    author, time : str
        Who decided and when, as written in the record; both are required.
    reason, where_from : str
        Words of the author; file and line.
    """

    patient: int
    first_day: float
    last_day: float
    finding: str
    grade: int | None = None
    cause: str = ""
    author: str = ""
    time: str = ""
    reason: str = ""
    where_from: str = ""


@dataclass(frozen=True)
class Audit:
    """What an override changed: the cell, the computed grade (-1 not gradable), the grade that holds, and by whom."""

    patient: int
    day: float
    finding: str
    computed: int
    holds: int
    override: Override


def apply_overrides(
    findings: Mapping[str, Grades], overrides: Iterable[Override], course: Course
) -> tuple[dict[str, Grades], tuple[Audit, ...]]:
    """Lay a clinician's decisions over the findings; the later row of the record wins where two cover a cell.

    Parameters
    ----------
    findings : mapping of str to Grades
        From ``grade`` of the same course.
    overrides : iterable of Override
        In the order of the record.
    course : Course

    Returns
    -------
    findings : dict of str to Grades
        With the decided grades, and a flag in each cell that says who decided, when and why.
    audit : tuple of Audit
        One row for each cell that an override covers, also where it agrees with the computed grade.

    Raises
    ------
    InputError
        Author or time is missing, the finding or patient is unknown, the grade is out of range, or nothing is decided.
    """
    changed = dict(findings)
    audit: list[Audit] = []
    for one in overrides:
        _check(one, findings, course)
        was, computed = changed[one.finding], findings[one.finding]
        at = int(np.flatnonzero(course.patients == one.patient)[0])
        cells = np.zeros(was.grade.shape, dtype=bool)
        cells[at] = (was.days >= one.first_day) & (was.days <= one.last_day)
        holds = 0 if one.grade is None else one.grade
        audit += [
            Audit(one.patient, float(was.days[c]), one.finding, int(computed.grade[at, c]), holds, one)
            for c in np.flatnonzero(cells[at])
        ]
        text = _sentence(one, holds)
        changed[one.finding] = replace(
            was,
            grade=np.where(cells, holds, was.grade).astype(np.int8),
            at_least=np.where(cells, holds, was.at_least).astype(np.int8),
            missing={name: found & ~cells for name, found in was.missing.items()},
            flags={**was.flags, text: cells | was.flags.get(text, np.zeros_like(cells))},
        )
    return changed, tuple(audit)


def _sentence(one: Override, holds: int) -> str:
    what = f"attributed to {one.cause}" if one.cause else f"grade set to {holds}"
    because_ = f": {one.reason}" if one.reason else ""
    return f"{what} by {one.author} ({one.time}){because_}"


def _check(one: Override, findings: Mapping[str, Grades], course: Course) -> None:
    place = one.where_from or None
    if one.finding not in findings:
        raise InputError(unknown("finding", one.finding, findings), file=place)
    if one.patient not in course.patients:
        raise InputError(f"an override names patient {one.patient}, who is not in this record.", file=place)
    for field, value in (("author", one.author), ("time", one.time)):
        if not value.strip():
            raise InputError(f"an override of {one.finding} has no {field}; add who decided and when.", file=place)
    if one.grade is None and not one.cause:
        raise InputError(f"an override of {one.finding} has neither a grade nor a cause; add one of them.", file=place)
    if one.grade is not None and not 0 <= one.grade <= highest_grade(one.finding):
        text = f"an override sets {one.finding} to grade {one.grade}; expected 0 to {highest_grade(one.finding)}."
        raise InputError(text, file=place)
    if one.first_day > one.last_day:
        text = f"an override of {one.finding} ends on day {one.last_day:g}, before it begins (day {one.first_day:g})."
        raise InputError(text, file=place)


def highest_grade(finding: str) -> int:
    """Highest grade or state that a finding can have; 5 is death."""
    return int(STATES.get(finding, edition("death").values["grade"]))
