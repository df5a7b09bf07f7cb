"""What a later export says otherwise of times that were graded before, and which grades it changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vein2vein.io.record.record import Record
from vein2vein.io.record.write import UNREAD, shown
from vein2vein.therapy.course import Course
from vein2vein.ward.monitor import WardRound, monitor
from vein2vein.ward.states import Standing

NONE = "not graded"
MARKS = (("below_lloq", "<"), ("above", ">"))


@dataclass(frozen=True)
class Corrected:
    """One thing that an export says otherwise than the one before.

    Attributes
    ----------
    patient, label : int, str
        Of the new record.
    day : float
    what : str
        An analyte, or a finding.
    was, now : str
        The value or grade in both; "" where it was not charted.
    where_from : str
        File and line of the new value, else of the old one; "" of a grade.
    """

    patient: int
    label: str
    day: float
    what: str
    was: str
    now: str
    where_from: str = ""


@dataclass(frozen=True)
class Corrections:
    """Values and grades that changed, and patients of whom only one of the two records knows."""

    values: tuple[Corrected, ...]
    grades: tuple[Corrected, ...]
    notes: tuple[str, ...]


def corrections(
    new: Record, old: Record, *, scale: str = "astct", product: str | None = None, weight: float | None = None,
    age: float | None = None, until: float | None = None,
) -> Corrections:  # fmt: skip
    """Compare a record with the export before it, at the times that this one had graded.

    Patients are compared by their names in the file; where each record holds one patient, these two.

    Parameters
    ----------
    new, old : Record
    scale, product, weight, age, until
        As for ``monitor``.
    """
    before = {label: i for i, label in enumerate(old.facts.label)}
    alone = len(new.courses) == len(old.courses) == 1
    values: list[Corrected] = []
    grades: list[Corrected] = []
    notes: list[str] = []
    seen: set[int] = set()
    for i, label in enumerate(new.facts.label):
        j = 0 if alone else before.get(label)
        if j is None:
            continue
        seen.add(j)
        last = min(float(old.courses[j].days[-1]), np.inf if until is None else until)
        now, was = new.courses[i].until(last), old.courses[j].until(last)
        moved = _moved(new, i, old, j)
        if moved:
            notes.append(moved)
        who = int(new.courses[i].patients[0])
        changed = _values(who, label, was=was, now=now)
        if not changed and not moved and now.shape == was.shape and _same_facts(new, i, old, j):
            continue  # nothing to grade twice
        values += changed
        two = [
            monitor(record.of(at), scale=scale, product=product, weight=weight, age=age, until=last)
            for record, at in ((old, j), (new, i))
            if record.courses[at].days[0] <= last
        ]
        if len(two) == 2:
            grades += _grades(who, label, two[0][0], two[1][0])
    fresh = [label for label in new.facts.label if not alone and label not in before]
    if fresh:
        notes.append(f"not in the record before: {', '.join(map(repr, fresh))}")
    gone = [label for j, label in enumerate(old.facts.label) if j not in seen]
    if gone:
        notes.append(f"not in this record, but in the one before: {', '.join(map(repr, gone))}")
    return Corrections(tuple(values), tuple(grades), tuple(notes))


def _moved(new: Record, i: int, old: Record, j: int) -> str:
    """Whether day 0 is another one: then every day is."""
    if not new.facts.infused or not old.facts.infused or new.facts.infused[i] == old.facts.infused[j]:
        return ""
    who = f"patient {new.facts.label[i]!r}: " if new.facts.label[i] else ""
    return f"{who}day 0 was {old.facts.infused[j]}, and is {new.facts.infused[i]}: every day is counted anew"


def _same_facts(new: Record, i: int, old: Record, j: int) -> bool:
    one, two = new.facts, old.facts
    numbers = all(
        np.array_equal(a[[i]], b[[j]], equal_nan=True) for a, b in ((one.age, two.age), (one.weight, two.weight))
    )
    return numbers and one.product[i] == two.product[j]


def _values(patient: int, label: str, *, was: Course, now: Course) -> list[Corrected]:
    """Values that changed, appeared or vanished, by day."""
    found: list[Corrected] = []
    for name in sorted({*now.values, *was.values}):
        cells = [_cells(course, name) for course in (was, now)]
        for day in sorted({*cells[0], *cells[1]}):
            before, after = (one.get(day, ("", "")) for one in cells)
            if before[0] != after[0]:
                place = after[1] or before[1]
                found.append(Corrected(patient, label, day, name, before[0], after[0], place))
    return sorted(found, key=lambda one: (one.day, one.what))


def _cells(course: Course, name: str) -> dict[float, tuple[str, str]]:
    """Value and place by day, of one analyte of one patient."""
    if name not in course:
        return {}
    row = course.values[name][0]
    out: dict[float, tuple[str, str]] = {}
    unread = course.marked(course.unread, name)[0]
    for at in np.flatnonzero(np.isfinite(row) | unread):
        sign = next((s for part, s in MARKS if course.marked(getattr(course, part), name)[0, at]), "")
        text = UNREAD if unread[at] else f"{sign}{shown(row[at])}"
        place = str(course.where_from[name][0, at]) if name in course.where_from else ""
        out[float(course.days[at])] = (text, place)
    return out


def _grades(patient: int, label: str, was: WardRound, now: WardRound) -> list[Corrected]:
    """Grades of days that changed, and of the whole course."""
    found: list[Corrected] = []
    days = [{day.day: day.states for day in one.days} for one in (was, now)]
    for day in sorted({*days[0], *days[1]}):
        before, after = (one.get(day, {}) for one in days)
        for name in dict.fromkeys((*before, *after)):
            texts = [str(states[name]) if name in states else NONE for states in (before, after)]
            if texts[0] != texts[1]:
                found.append(Corrected(patient, label, float(day), name, texts[0], texts[1]))
    whole: list[dict[str, Standing]] = [{state.name: state for state in one.hematotoxicity} for one in (was, now)]
    for name in dict.fromkeys((*whole[0], *whole[1])):
        texts = [str(states[name]) if name in states else NONE for states in whole]
        if texts[0] != texts[1]:
            found.append(Corrected(patient, label, now.today, name, texts[0], texts[1]))
    return found
