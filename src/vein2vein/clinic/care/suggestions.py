"""What the guidelines say to consider for one patient now: a sentence, the dose for this weight, source and mark.

The program suggests and does not decide; where sources differ, it says so, and a dose that a limit forbids is shown as
blocked with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from vein2vein.clinic import words
from vein2vein.clinic.care.doses import (
    STEROIDS,
    DoseRule,
    blocks,
    check_patient,
    equivalents,
    is_child,
    one_dose,
    other_steroids,
)
from vein2vein.clinic.care.weights import no_dose
from vein2vein.clinic.criteria import edition, rows_of
from vein2vein.clinic.grades.grades import Grades
from vein2vein.errors import InputError
from vein2vein.therapy.course import Course

HOURS = 24  # of a day
UNITS = {"gcsf": "ug", "ivig": "g"}
GIVE, POSTPONE, STOP = "give", "postpone", "stop"
BOUND = "the grade is at least"
AGELESS = "the age is unknown: advice for children, and the smaller of both doses, until it is given"


@dataclass(frozen=True)
class Suggestion:
    """One thing to consider.

    Attributes
    ----------
    finding, grade : str, int
        The finding and its grade now.
    text : str
    treatment, dose, unit : str, float, str
        "" and NaN where nothing is dosed; the dose is one dose for this weight.
    every_hours : float
        Interval of doses; NaN: once.
    mark : str
        R:Sx read in that source, M from memory (unverified), D our choice.
    blocked : tuple of str
        Why this dose may not be given now.
    conflict : str
        How sources differ.
    notes : tuple of str
        What to know: how the dose follows from the weight, the same as other steroids, that the grade is a lower bound.
    at_least : bool
        The grade is a lower bound: what is missing could raise it.
    """

    finding: str
    grade: int
    text: str
    treatment: str = ""
    dose: float = np.nan
    unit: str = ""
    every_hours: float = np.nan
    mark: str = ""
    blocked: tuple[str, ...] = ()
    conflict: str = ""
    notes: tuple[str, ...] = ()
    at_least: bool = False


@dataclass(frozen=True, kw_only=True)
class Advice(DoseRule):
    """A row of criteria/guidance.toml: at this grade of this finding, this is to be considered.

    Attributes
    ----------
    finding, grade, text, mark : str, int, str, str
    treatment, rule, mg, mg_per_kg, ug_per_kg, every_hours, dose_mark
        The dose, as ``DoseRule`` says; no ``dose_mark``: the mark of the row holds for it.
    after : str
        Name of a threshold: days for which the grade must have lasted.
    from_day : float
        First day on which the row holds.
    with_crs : bool
        Only while cytokine release syndrome is there.
    costimulation : str
        Of the product for which alone the row holds.
    conflict : str
        How sources differ.
    flag : str
        Words of a flag of the grade: the row holds where it is there, at this grade and every higher one.
    who : {"", "adult", "child"}
        For whom alone the row holds.
    note : str
        What to know of the dose.
    why : str
        Reasoning behind a choice of ours.
    """

    finding: str
    grade: int
    text: str
    mark: str
    why: str = ""
    after: str = ""
    from_day: float = -np.inf
    with_crs: bool = False
    costimulation: str = ""
    conflict: str = ""
    flag: str = ""
    who: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dose_mark", self.dose_mark or self.mark)


@dataclass(frozen=True)
class SecondDoseRule:
    """A row of criteria/second_dose_aucatzyl.toml: from this grade of this finding on, the dose is held or stopped."""

    finding: str
    grade: int
    action: str
    mark: str


def suggest(
    course: Course,
    findings: Mapping[str, Grades],
    *,
    weight: float,
    age: float = np.nan,
    position: int = 0,
    day: float | None = None,
    costimulation: str = "",
    scale: str = "",
    recent: float = np.inf,
    weight_stated: bool = False,
    told_weights: Iterable[float] = (),
) -> tuple[Suggestion, ...]:
    """What to consider now for one patient, by finding and falling grade.

    Parameters
    ----------
    course : Course
        All that is known so far.
    findings : mapping of str to Grades
        Graded from the same course; read: crs, icans, neutropenia, thrombocytopenia, hypogammaglobulinemia, iec_hs.
    weight : float
        kg; NaN unknown: no dose is named.
    age : float
        Years; NaN unknown: the advice for children, and no row that holds for adults alone; every dose says so.
    position : int
        Place of the patient in the course.
    day : float, optional
        Now; default the last day.
    costimulation : str
        Of the product, ``CD28`` or ``4-1BB``: some rows hold for one only.
    scale : str
        The CRS finding to read; "": the usual one, for which doses by grade are meant.
    recent : float
        Days: a syndrome that was not looked at for longer is missing, and not treated.
    weight_stated : bool
        Somebody states this weight now: charted weights that disagree with it or with each other hold no dose back.
    told_weights : iterable of float
        kg; weights that the record tells without a time, or that it told and contradicted.

    Raises
    ------
    InputError
        That finding was not graded: rows that hold in cytokine release only would silently be left out. A weight or an
        age that nobody has.
    """
    check_patient(weight, age)
    scale = scale or words.usual_crs()
    if scale not in findings:
        raise InputError(f"advice reads the finding '{scale}', which was not graded; grade it too.")
    now = float(course.days[-1]) if day is None else day
    grades = {"crs": scale, **{n: n for n in findings if n != scale}}
    crs = _now(findings.get(scale), position, now)
    not_for = "adult" if is_child(age) else "child"
    refused = no_dose(
        course, weight, age, position=position, day=now, stated=weight_stated, told_weights=told_weights
    )  # fmt: skip
    out: list[Suggestion] = []
    for row in rows_of("guidance", Advice):
        if row.who == not_for:
            continue
        name = grades.get(row.finding, "")
        found = findings.get(name)
        current = _now(found, position, now)
        if (
            found is None
            or (name in (scale, "icans") and now - _day_of(found, position, now) > recent)
            or not _holds(row, found, position, now)
            or not _applies(row, found, position, now, crs, costimulation)
        ):
            continue
        lower = found.grade[position, _newest(found, position, now)] < 0
        out.append(_suggestion(row, name, current, bool(lower), course, position, now, weight, age, refused))
    return _one_course(sorted(out, key=lambda one: -one.grade))


def _newest(found: Grades, position: int, day: float) -> int:
    """Column of the last cell up to a day at which something is known; -1: none."""
    known = (found.grade[position] >= 0) | (found.at_least[position] > 0)
    past = np.flatnonzero(known & (found.days <= day))
    return int(past[-1]) if past.size else -1


def _day_of(found: Grades, position: int, day: float) -> float:
    """Day of the newest cell at which something is known; that day itself where nothing is."""
    column = _newest(found, position, day)
    return float(found.days[column]) if column >= 0 else day


def _now(found: Grades | None, position: int, day: float) -> int:
    """Last known grade up to a day; what is at least known where it cannot be settled; -1: nothing."""
    if found is None or (column := _newest(found, position, day)) < 0:
        return -1
    settled = int(found.grade[position, column])
    return settled if settled >= 0 else int(found.at_least[position, column])


def _holds(row: Advice, found: Grades, position: int, day: float) -> bool:
    """Whether a row speaks of the grade as it is now, or of a flag that it carries."""
    current = _now(found, position, day)
    if not row.flag:
        return current == row.grade
    says = re.compile(rf"\b{re.escape(row.flag)}\b")
    column = _newest(found, position, day)
    flagged = (text for text, cells in found.flags.items() if column >= 0 and cells[position, column])
    return current >= row.grade and any(says.search(text) for text in flagged)


def _applies(row: Advice, found: Grades, position: int, day: float, crs: int, costimulation: str) -> bool:
    if row.costimulation not in ("", costimulation):
        return False
    if row.with_crs and crs < 1:
        return False
    if day < row.from_day:
        return False
    if row.after:
        below = (found.grade[position] < row.grade) & (found.days <= day)
        last_below = found.days[below].max() if below.any() else found.days[0]
        return bool(day - last_below >= edition("guidance").values[row.after])
    return True


def _suggestion(
    row: Advice, name: str, grade: int, at_least: bool, course: Course, position: int, day: float, weight: float,
    age: float, refused: str,
) -> Suggestion:  # fmt: skip
    dose, notes = np.nan, ()
    if row.treatment:
        dose, notes = (np.nan, (refused,)) if refused else one_dose(row, weight, child=is_child(age))
    told = (
        *([AGELESS] if row.treatment and np.isnan(age) else []),
        *([f"{BOUND} {grade}: what is missing could raise it"] if at_least else []),
        *notes,
        *([row.note] if row.note else []),
        *filter(None, [equivalents(row.treatment, dose)]),
        *other_steroids(row.treatment, course, position, day),
    )
    return Suggestion(
        finding=name,
        grade=grade,
        text=row.text,
        treatment=row.treatment,
        dose=dose,
        unit=UNITS.get(row.treatment, "mg") if row.treatment else "",
        every_hours=row.every_hours,
        mark=row.mark,
        blocked=blocks(row, dose, weight, course, position, day),
        conflict=row.conflict,
        notes=told,
        at_least=at_least,
    )


def _one_course(found: list[Suggestion]) -> tuple[Suggestion, ...]:
    """The same drug for two findings is one course, and one steroid is given at a time: said, and dosed once."""
    largest: dict[str, Suggestion] = {}
    for one in (one for one in found if np.isfinite(one.dose)):
        if one.treatment not in largest or _a_day(one) > _a_day(largest[one.treatment]):
            largest[one.treatment] = one
    steroids = [name for name in largest if name in STEROIDS]
    out: list[Suggestion] = []
    for one in found:
        kept = largest.get(one.treatment)
        if np.isfinite(one.dose) and kept is not None and kept is not one:
            where = words.finding_words(kept.finding).short
            bound = tuple(note for note in one.notes if note == AGELESS or note.startswith(BOUND))
            note = f"one course of {one.treatment} serves both: its dose stands with {where}"
            one = replace(one, dose=np.nan, every_hours=np.nan, blocked=(), notes=(*bound, note))
        elif kept is one and one.treatment in steroids and len(steroids) > 1:
            others = " or ".join(name for name in steroids if name != one.treatment)
            one = replace(one, notes=(*one.notes, f"one steroid at a time: instead of {others}, not with it"))
        out.append(one)
    return tuple(out)


def _a_day(one: Suggestion) -> float:
    return one.dose if np.isnan(one.every_hours) else one.dose * HOURS / one.every_hours


def second_dose(
    crs: int, icans: int, *, day: float, crs_now: int = 0, pulmonary_or_cardiac: int = 0
) -> tuple[str, str]:
    """Whether the second dose of obecabtagene autoleucel may be given: ``give``, ``postpone`` or ``stop``, and why.

    Parameters
    ----------
    crs, icans, pulmonary_or_cardiac : int
        Highest grade after the first dose (of a pulmonary or cardiac event: as it is now, unresolved).
    day : float
        Day of the decision, first dose = day 0 (label day 1).
    crs_now : int
        CRS grade today: after grade 2 the dose is given once it is 1 or less.
    """
    rules = edition("second_dose_aucatzyl")
    worst = {"crs": crs, "icans": icans, "pulmonary_or_cardiac": pulmonary_or_cardiac}
    actions = [
        (
            row.action,
            f"{row.finding.replace('_', ' ')} grade {worst[row.finding]} [{row.mark}]",
        )
        for row in rows_of(rules.name, SecondDoseRule)
        if worst[row.finding] >= row.grade
    ]
    for action, why in actions:
        if action == STOP:
            return STOP, why
    latest = rules.values["latest_day"] - 1  # the label counts from day 1
    for action, why in actions:
        if action == POSTPONE and (crs_now > 1 or icans >= 1):
            if day > latest:
                return STOP, f"{why}: not resolved by day {rules.values['latest_day']:g}"
            return POSTPONE, f"{why}: up to day {rules.values['latest_day']:g}, until grade 1 or less"
    return GIVE, "no finding of the label forbids it"
