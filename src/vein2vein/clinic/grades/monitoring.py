"""Monitoring: everything that is graded, from one course, the same for real and virtual patients.

``FINDINGS`` are graded along a simulation; ``ALL_FINDINGS`` adds what a ward wants to see. A clinician's override
changes a finding and stays visible beside it, with author and time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from vein2vein import arguments
from vein2vein.clinic import words
from vein2vein.clinic.criteria import edition
from vein2vein.clinic.grades.b_cell_aplasia import b_cell_aplasia, hypogammaglobulinemia
from vein2vein.clinic.grades.cres import grade_cres
from vein2vein.clinic.grades.crs import grade_crs
from vein2vein.clinic.grades.grades import Flags, Floats, Grades, at_column, because, lacking
from vein2vein.clinic.grades.hematotoxicity import CYTOPENIAS, grade_cytopenia
from vein2vein.clinic.grades.icans import grade_icans, neurologic_event
from vein2vein.clinic.grades.iec_hs import grade_iec_hs
from vein2vein.clinic.grades.past import Growing, Past
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.course import Course, course_of

__all__ = ["ALL_FINDINGS", "FINDINGS", "Audit", "Override", "apply_overrides", "because", "grade", "lacking"]


DEATH_HOLDS = "death is not overridden: change its cause where it is charted"


@dataclass(frozen=True)
class _Person:
    """What a grader knows of the patients besides their course."""

    age: Floats
    weight: ArrayLike | None
    organs: bool
    together: bool = False


class _Grading:
    """The grades of one course: a scale that reads another one asks for it here, whether or not it was asked for."""

    def __init__(self, course: Course, person: _Person) -> None:
        self.course, self.person = course, person
        self._done: dict[str, Grades] = {}

    def of(self, name: str) -> Grades:
        """Grades of one finding; graded once."""
        if name not in self._done:
            by_column = _BY_COLUMN.get(name)
            self._done[name] = by_column(self.course, self.person, None) if by_column else _WHOLE[name](self)
        return self._done[name]


def _crs(scale: str) -> Callable[[Course, _Person, Past | None], Grades]:
    def graded(course: Course, person: _Person, past: Past | None) -> Grades:
        return grade_crs(course, age=person.age, weight=person.weight, scale=scale, organs=person.organs, past=past,
                         together=person.together)  # fmt: skip

    return graded


def _cytopenia(name: str) -> Callable[[_Grading], Grades]:
    return lambda grading: grade_cytopenia(grading.course, name)


def _icans(course: Course, person: _Person, past: Past | None) -> Grades:
    return grade_icans(course, age=person.age, past=past, together=person.together)


FINDINGS = tuple(name for name, one in words.findings().items() if one.simulated)
# Scales that can grade the newest column alone, from what the columns before it left behind.
_BY_COLUMN: dict[str, Callable[[Course, _Person, Past | None], Grades]] = {
    **{one.name: _crs(scale) for scale, one in words.crs_scales().items()},
    "icans": _icans,
}
_WHOLE: dict[str, Callable[[_Grading], Grades]] = {
    "neurologic_event": lambda g: neurologic_event(g.course, age=g.person.age, icans=g.of("icans")),
    "cres": lambda g: grade_cres(g.course, together=g.person.together),
    **{name: _cytopenia(name) for name in CYTOPENIAS},
    "iec_hs": lambda g: grade_iec_hs(g.course, age=g.person.age, crs=g.of(words.usual_crs())),
    "b_cell_aplasia": lambda g: b_cell_aplasia(g.course),
    "hypogammaglobulinemia": lambda g: hypogammaglobulinemia(g.course, age=g.person.age),
}
ALL_FINDINGS = (*_BY_COLUMN, *_WHOLE)
STATES = {name: len(one.states) - 1 for name, one in words.findings().items() if one.states}  # no grades: last state


def grade(
    course: Course,
    *,
    age: ArrayLike,
    weight: ArrayLike | None = None,
    scales: Iterable[str] = FINDINGS,
    organs: bool = True,
    together: bool = False,
) -> dict[str, Grades]:
    """Grade a course by some or all scales.

    Parameters
    ----------
    course : Course
        n patients; measured or simulated; may end at any day (a cell reads nothing of later days).
    age, weight : array_like, shape (n,)
        Years, kg.
    scales : iterable of str
        Names from ``ALL_FINDINGS``. Neither their order nor what else is asked for changes a grade.
    organs : bool
        Whether organ toxicity counts in the older CRS scales.
    together : bool
        By the signs that held together only: for the worst of a day, which is known afterwards. Without it a cell reads
        nothing of later rows.

    Returns
    -------
    dict of str to Grades
        Days on which nothing is known are not gradable (-1), never grade 0.
    """
    count = course_of(course).shape[0]
    arguments.per_patient("age", age, count, unit="years")
    if weight is not None:
        arguments.per_patient("weight", weight, count, unit="kg")
    arguments.flag("organs", organs)
    grading = _Grading(course, _Person(np.asarray(age, dtype=float), weight, organs, together))
    return {name: grading.of(name) for name in _known_names(scales)}


def _known_names(scales: Iterable[str]) -> tuple[str, ...]:
    expected = "names of scales such as ['crs_astct', 'icans']"
    given = cast("object", scales)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise arguments.refusal("scales", scales, expected)
    names = tuple(arguments.text("scales", name) for name in scales)
    for name in names:
        if name not in ALL_FINDINGS:
            raise InputError(unknown("finding", name, ALL_FINDINGS))
    return names


class GrowingGrades:
    """Grades of a course that grows by one column a time: those of ``grade`` of the whole, and none of them twice.

    Parameters
    ----------
    days : int
        Columns that the course will have at the end.
    age, weight, scales, organs
        As for ``grade``. The scales of CRS, and ICANS, grade the newest column alone; any other grades all so far.

    Attributes
    ----------
    newest : dict of str to Grades
        The newest column alone, as ``grade`` of the whole would give it: not gradable stays not gradable.
    """

    def __init__(
        self, days: int, *, age: ArrayLike, weight: ArrayLike | None, scales: Iterable[str], organs: bool = True
    ) -> None:
        names = _known_names(scales)
        self._person = _Person(np.asarray(age, dtype=float), weight, organs)
        self._pasts = {name: Growing() for name in names if name in _BY_COLUMN}
        shape = (np.size(age), days)
        self._known = {name: np.zeros(shape, dtype=np.int8, order="F") for name in names}
        self.newest: dict[str, Grades] = {}

    def grade(self, course: Course) -> dict[str, Grades]:
        """Known grades up to the newest column of the course; a cell that is not gradable has the one before it."""
        now = course.shape[1] - 1
        so_far = _Grading(course, self._person)
        found: dict[str, Grades] = {}
        for name, known in self._known.items():
            past = self._pasts.get(name)
            one = _BY_COLUMN[name](past.add(course), self._person, past) if past else at_column(so_far.of(name), now)
            self.newest[name] = one
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
    """What an override changed: the cell, the computed grade (-1 not gradable), the grade that holds, and by whom.

    ``not_over`` is what a decision does not change: "death", which keeps its grade 5; else "".
    """

    patient: int
    day: float
    finding: str
    computed: int
    holds: int
    override: Override
    not_over: str = ""


def apply_overrides(
    findings: Mapping[str, Grades], overrides: Iterable[Override], course: Course
) -> tuple[dict[str, Grades], tuple[Audit, ...]]:
    """Lay a clinician's decisions over the findings; the later row of the record wins where two cover a cell.

    A death that the record attributes to a syndrome is its grade 5 whatever was decided: its cause is changed where it
    is charted.

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
        With the decided grades, and a flag in each cell that says who decided, when and why, or that death goes before.
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
        died = cells & _died(one.finding, course)
        audit += [
            Audit(
                one.patient, float(was.days[c]), one.finding, int(computed.grade[at, c]),
                int(was.grade[at, c]) if died[at, c] else holds, one, "death" if died[at, c] else "",
            )
            for c in np.flatnonzero(cells[at])
        ]  # fmt: skip
        cells &= ~died
        text = _sentence(one, holds)
        flags = {**was.flags, text: cells | was.flags.get(text, np.zeros_like(cells))}
        if died.any():
            flags[f"{DEATH_HOLDS} ({text})"] = died
        changed[one.finding] = replace(
            was,
            grade=np.where(cells, holds, was.grade).astype(np.int8),
            at_least=np.where(cells, holds, was.at_least).astype(np.int8),
            missing={name: found & ~cells for name, found in was.missing.items()},
            flags=flags,
        )
    return changed, tuple(audit)


def _died(finding: str, course: Course) -> Flags:
    """Cells from a death on that the record attributes to the syndrome of a finding."""
    syndrome = "crs" if finding.startswith("crs_") else "icans" if finding == "neurologic_event" else finding
    cause = edition("death").values.get(syndrome, np.nan)
    return np.logical_or.accumulate(course.dense("death_cause") == cause, axis=1)


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
