"""Record: the course of a real patient as read from a file, the facts of the patient, what was set aside and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.grades.monitoring import Override
from vein2vein.errors import InputError
from vein2vein.therapy.course import Course

Floats = NDArray[np.float64]
Moment = datetime | date | float  # a float is a day since the infusion
MOST_SET_ASIDE = 2000  # listed one by one; beyond, they are counted
MOST_CELLS = 200_000_000  # patients x days x analytes held at once
CELLS = ("values", "below_lloq", "where_from", "above", "unread", "lasting")  # fields of a course by analyte
NOT_KNOWN = "not known"  # rows or resources whose name or code is not known, in ``Log.counts``
SHOWN = 60  # characters of a found text that a sentence repeats


@dataclass(frozen=True)
class SetAside:
    """A row, cell or resource that was not used: where it is, what is wrong, and how to mend it.

    Attributes
    ----------
    file : str
    line : int or None
    column : str
        Column of a table or element of a resource; "" for the whole line.
    what, found, expected, remedy : str
    analyte : str
        The analyte whose value, at its time, is therefore unknown; "" where nothing that is graded hangs on it.
    patient : int
        Patient number; -1 where the place belongs to none.
    day : float
        Its time in days since the infusion; NaN where it has none, or it could not be read.
    """

    file: str
    line: int | None
    column: str
    what: str
    found: str
    expected: str
    remedy: str
    analyte: str = ""
    patient: int = -1
    day: float = math.nan

    def __str__(self) -> str:
        place = ", ".join(p for p in (self.file, f"line {self.line}" if self.line else "", self.column) if p)
        said = [f"found {self.found!r}"] if self.found else []
        said += [f"expected {self.expected}"] if self.expected else []
        detail = f" ({', '.join(said)})" if said else ""
        return f"{place}: {self.what}{detail}; {self.remedy}{'' if self.remedy.endswith('?') else '.'}"


class Log:
    """What happens while a file is read: things set aside, and notes."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.items: list[SetAside] = []
        self.more = 0
        self.notes: dict[str, None] = {}
        self.counts: Counter[str] = Counter()

    def aside(
        self,
        line: int | None,
        column: str,
        what: str,
        found: object = "",
        expected: str = "",
        remedy: str = "",
        analyte: str = "",
        patient: int = -1,
        day: float = math.nan,
    ) -> None:
        """Set something aside."""
        if len(self.items) >= MOST_SET_ASIDE:
            self.more += 1
            return
        self.items.append(
            SetAside(self.file, line, plain(column), what, plain(found), expected, remedy, analyte, patient, day)
        )

    def full(self) -> bool:
        """Whether further things are counted only."""
        return len(self.items) >= MOST_SET_ASIDE

    def note(self, text: str) -> None:
        """Note something once."""
        self.notes.setdefault(text)

    def in_order(self) -> tuple[SetAside, ...]:
        """What was set aside, by line."""
        return tuple(sorted(self.items, key=lambda item: item.line or 0))

    def all_notes(self) -> tuple[str, ...]:
        """Notes, and how many further things were set aside."""
        more = (f"{self.more} further places were set aside and are not listed",) if self.more else ()
        return (*self.notes, *more)


class Entry(NamedTuple):
    """One value as it stands in a file, before names, units and times are settled.

    ``until`` is the end of a period; ``running``: it has begun and no end is charted. ``unread``: what the file says
    here is not understood, and the analyte ``name`` is therefore unknown at this time; ``value`` says it as it stands.
    ``besides``: a row of another name says this of the analyte; what is charted under its own name may differ.
    ``noted``: a free text names the analyte.
    """

    patient: str
    time: Moment | None
    name: str
    value: str | float
    unit: str
    line: int
    column: str
    author: str = ""
    comment: str = ""
    until: Moment | None = None
    limit: str = ""
    running: bool = False
    unread: bool = False
    besides: bool = False
    noted: bool = False


@dataclass(frozen=True)
class Facts:
    """What is known of n patients; NaN or "" where the file does not say.

    Attributes
    ----------
    label : tuple of str
        Name of each patient in the file, its own id; "" where it names none. ``deidentify`` puts numbers in its place.
    age, weight, height : ndarray, shape (n,)
        Years at the infusion; kg (the last measured up to the infusion, else the first after it); cm.
    sex, disease, product : tuple of str
        ``male``, ``female`` or ""; names of cards, or what the file says.
    dated : tuple of bool
        Whether the days were computed from dates.
    infused : tuple of datetime, date or None
        Moment of day 0 where the file says it; () or None: it does not, or the record is de-identified.
    told : tuple of mapping
        What the file says in words of each patient (``names.TOLD``), as it stands, with date and place; () where the
        record is de-identified.
    told_weights : tuple of tuple of float
        kg; weights that the file tells without a time, and those of which two stand at one time; a dose must not
        follow one of them where another disagrees.
    """

    label: tuple[str, ...]
    age: Floats
    weight: Floats
    height: Floats
    sex: tuple[str, ...]
    disease: tuple[str, ...]
    product: tuple[str, ...]
    dated: tuple[bool, ...]
    infused: tuple[datetime | date | None, ...] = ()
    told: tuple[Mapping[str, str], ...] = ()
    told_weights: tuple[tuple[float, ...], ...] = ()


class Tally(NamedTuple):
    """What became of one file: values that entered a course, places set aside, rows of names that are not known.

    ``problem`` says why nothing of the file could be used; "" where something was.
    """

    file: str
    kind: str
    patients: int
    read: int
    set_aside: int
    not_known: int
    problem: str = ""


@dataclass(frozen=True)
class Record:
    """What was read from a file or a folder of files.

    Attributes
    ----------
    file, kind : str
        ``long table``, ``wide table`` or ``FHIR``.
    courses : tuple of Course
        One of each patient, with the days of that patient alone, since the first infusion of that patient; measured;
        ``where_from`` holds file and line of each value. By the first appearance of the patients in the file.
    facts : Facts
        In that order.
    overrides : tuple of clinic.monitoring.Override
        Grades that a clinician set, and findings attributed to another cause; for ``apply_overrides``.
    attributions : tuple of clinic.monitoring.Override
        Signs (``fever``) attributed to another cause; the flags that the graders read are already in the course.
    set_aside : tuple of SetAside
        What was not used, and why.
    notes : tuple of str
    read : int
        Values that entered a course.
    infusions : tuple of tuple of float
        Of each patient, the days of the infusions, one a calendar day; the first is day 0 where it is charted.
    tallies : tuple of Tally
        What was read, set aside and not known, by file.
    ungraded : tuple of (str, str)
        Patients of the file who have no course, each with the reason.
    warnings : tuple of str
        What a person must know before any grade is read: whose rows could not be told.
    """

    file: str
    kind: str
    courses: tuple[Course, ...]
    facts: Facts
    overrides: tuple[Override, ...] = ()
    attributions: tuple[Override, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = ()
    read: int = 0
    infusions: tuple[tuple[float, ...], ...] = ()
    tallies: tuple[Tally, ...] = ()
    ungraded: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()

    @cached_property
    def course(self) -> Course:
        """All patients as one course, at the days of any of them; made when it is asked for.

        Raises
        ------
        InputError
            So many patients at so many different times are more than can be held: take ``courses``.
        """
        return joined(self.courses, self.file)

    def of(self, i: int) -> Record:
        """The record of one of its patients, by position; rows of the file that are no one's are counted in a note."""
        return self if len(self.courses) == 1 else chosen(self, (i,))


def chosen(record: Record, places: Sequence[int]) -> Record:
    """The record of some of its patients, by position."""
    facts, numbers = record.facts, {int(record.courses[i].patients[0]) for i in places}
    called = [repr(plain(facts.label[i])) for i in places] + ["no patient"]
    index = np.array(places, dtype=np.intp)
    nobodys = sum(one.patient == -1 for one in record.set_aside)
    rows = "1 row was" if nobodys == 1 else f"{nobodys} rows were"
    told = (f"{rows} set aside that may be of any patient of the file",) if nobodys else ()
    cut: dict[str, Any] = {
        name: tuple(held[i] for i in places)
        for name in ("label", "sex", "disease", "product", "dated", "infused", "told", "told_weights")
        if (held := getattr(facts, name))
    }
    return replace(
        record,
        courses=tuple(record.courses[i] for i in places),
        facts=replace(facts, age=facts.age[index], weight=facts.weight[index], height=facts.height[index], **cut),
        overrides=tuple(one for one in record.overrides if one.patient in numbers),
        attributions=tuple(one for one in record.attributions if one.patient in numbers),
        set_aside=tuple(one for one in record.set_aside if one.patient in numbers),
        notes=(*record.notes, *told),
        infusions=tuple(record.infusions[i] for i in places),
        ungraded=(),
        warnings=tuple(text for text in record.warnings if "patient" not in text or any(one in text for one in called)),
    )


def joined(courses: Sequence[Course], file: str) -> Course:
    """Courses of several patients as one, at the days of any of them."""
    if len(courses) == 1:
        return courses[0]
    days = np.unique(np.concatenate([one.days for one in courses]))
    names = {name for one in courses for name in one.values}
    shape = (len(courses), len(days))
    if shape[0] * shape[1] * len(names) > MOST_CELLS:
        raise InputError(
            f"{shape[0]} patients at {shape[1]} different times are more than one table holds; take the courses of "
            "the record, one of each patient.",
            file=file,
        )
    parts: dict[str, dict[str, NDArray[np.generic]]] = {part: {} for part in CELLS}
    for i, one in enumerate(courses):
        at = np.searchsorted(days, one.days)
        for part, found in parts.items():
            held: Mapping[str, NDArray[np.generic]] = getattr(one, part)
            for name, cells in held.items():
                if name not in found:
                    empty = np.nan if part == "values" else "" if part == "where_from" else False
                    found[name] = np.full(shape, empty, dtype=cells.dtype)
                found[name][i, at] = cells[0]
    clocks = np.array([one.clock[0] if one.clock.size else 0.0 for one in courses])
    whole: dict[str, Any] = {part: {name: found[name] for name in sorted(found)} for part, found in parts.items()}
    return replace(
        courses[0], patients=np.concatenate([one.patients for one in courses]), days=days,
        clock=clocks if any(one.clock.size for one in courses) else np.empty(0), **whole,
    )  # fmt: skip


def plain(found: object) -> str:
    """A found text as a sentence may repeat it: one line, short, without control characters."""
    text = f"{found:g}" if isinstance(found, float) else str(found)
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: SHOWN + 1])
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
