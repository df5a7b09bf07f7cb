"""Record: the course of a real patient as read from a file, the facts of the patient, what was set aside and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.grades.monitoring import Override
from vein2vein.therapy.course import Course

Floats = NDArray[np.float64]
Moment = datetime | date | float  # a float is a day since the infusion
MOST_SET_ASIDE = 2000  # listed one by one; beyond, they are counted
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
    ) -> None:
        """Set something aside."""
        if len(self.items) >= MOST_SET_ASIDE:
            self.more += 1
            return
        self.items.append(
            SetAside(self.file, line, plain(column), what, plain(found), expected, remedy, analyte, patient)
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


@dataclass(frozen=True)
class Facts:
    """What is known of n patients; NaN or "" where the file does not say.

    Attributes
    ----------
    label : tuple of str
        Name of each patient in the file (an identifier: never written into a report).
    age, weight, height : ndarray, shape (n,)
        Years at the infusion; kg (the last measured up to the infusion, else the first after it); cm.
    sex, disease, product : tuple of str
        ``male``, ``female`` or ""; names of cards, or what the file says.
    dated : tuple of bool
        Whether the days were computed from dates (day 0 is then known as a date, which is not kept).
    """

    label: tuple[str, ...]
    age: Floats
    weight: Floats
    height: Floats
    sex: tuple[str, ...]
    disease: tuple[str, ...]
    product: tuple[str, ...]
    dated: tuple[bool, ...]


@dataclass(frozen=True)
class Record:
    """What was read from a file.

    Attributes
    ----------
    file, kind : str
        ``long table``, ``wide table`` or ``FHIR``.
    course : Course
        Measured; days since the infusion; ``where_from`` holds file and line of each value.
    facts : Facts
    overrides : tuple of clinic.monitoring.Override
        Grades that a clinician set, and findings attributed to another cause; for ``apply_overrides``.
    attributions : tuple of clinic.monitoring.Override
        Signs (``fever``) attributed to another cause; the flags that the graders read are already in the course.
    set_aside : tuple of SetAside
        What was not used, and why.
    notes : tuple of str
    read : int
        Values that entered the course.
    """

    file: str
    kind: str
    course: Course
    facts: Facts
    overrides: tuple[Override, ...] = ()
    attributions: tuple[Override, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = ()
    read: int = 0


def plain(found: object) -> str:
    """A found text as a sentence may repeat it: one line, short, without control characters."""
    text = f"{found:g}" if isinstance(found, float) else str(found)
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: SHOWN + 1])
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
