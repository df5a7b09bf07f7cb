"""What the readers of FHIR resources share: entries as they are found, whose they are, when, and what is not read."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from typing import NamedTuple, cast

from vein2vein.analytes import all_analytes
from vein2vein.io.record import times
from vein2vein.io.record.fhir.codes import Codes, Meaning
from vein2vein.io.record.fhir.entries import Resource, table
from vein2vein.io.record.fhir.patients import Patients
from vein2vein.io.record.fhir.values import Fault
from vein2vein.io.record.fhir.versions import Held, moment_key, superseded
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.record import Entry, Log, Moment, plain

MOST_LISTED = 12
NOT_KNOWN = "not known"  # resources whose code is not known, among the counts of the log


class At(NamedTuple):
    """Where a resource stands, whose it is, and whether it was corrected."""

    line: int
    patient: str
    rank: int
    updated: datetime | None
    number: str = ""


class When(NamedTuple):
    """Time of a resource: a moment, or a period, whose end may not be charted."""

    start: Moment
    until: Moment | None = None
    open: bool = False


class Reading:
    """A bundle while it is being read."""

    def __init__(self, mapping: TableMapping, log: Log) -> None:
        self.mapping, self.log, self.codes = mapping, log, Codes(mapping)
        self.patients = Patients(log)
        self.entries: list[Entry] = []
        self.held: list[tuple[tuple[str, Moment | None, str], Held]] = []
        self.targets: dict[str, Resource] = {}  # medications, devices and specimens by the references that mean them
        self.unread: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.void: Counter[str] = Counter()
        self.ordered: Counter[str] = Counter()
        self.said: Counter[str] = Counter()

    def aside(self, at: At, column: str, fault: Fault, analyte: str = "") -> None:
        """Set an element aside."""
        place = f"{column} ({at.number})" if at.number and column else column
        graded = analyte if analyte in all_analytes() else ""
        self.log.aside(at.line, place, fault.what, fault.found, fault.expected, fault.remedy, analyte=graded)

    def add(
        self,
        at: At,
        time: Moment | None,
        name: str,
        value: str | float,
        unit: str = "",
        *,
        column: str,
        when: When | None = None,
        second: bool = False,
        unread: bool = False,
    ) -> None:
        """Add an entry; of a support with a period, until when it runs."""
        until, running = (when.until, when.open) if when is not None else (None, False)
        entry = Entry(at.patient, time, name, value, unit, at.line, column, until=until, running=running, unread=unread)
        if until is None and not running and name in all_analytes():
            shown = f"{value:g} {unit}".strip() if isinstance(value, float) else f"{value} {unit}".strip()
            one = Held(len(self.entries), at.line, not second, at.rank, at.updated, plain(shown))
            self.held.append(((at.patient, moment_key(time), name), one))
        self.entries.append(entry)

    def not_understood(self, at: At, time: Moment | None, name: str, fault: Fault, when: When | None = None) -> None:
        """A value that is not understood: its analyte is unknown at that time, not absent, which ``Cells`` tells."""
        if name not in all_analytes() or time is None:
            self.aside(at, fault.column, fault, analyte=name)
            return
        column = f"{fault.column} ({at.number})" if at.number else fault.column
        said = plain(f"{fault.what}: {plain(fault.found)}" if fault.found not in ("", None) else fault.what)
        self.add(at, time, name, said, column=column, when=when, unread=True)

    def not_read(self, at: At, time: Moment | None, kind: str, meaning: Meaning, when: When | None = None) -> None:
        """A concept that is not read: counted by its label; what it may be is unknown at that time."""
        label = f"{kind} {meaning.label}".strip()
        if meaning.unread:
            fault = Fault(meaning.label, meaning.why, "a code or name that vein2vein knows",
                          "name the code under [codes] in a mapping file", f"{kind}.code")  # fmt: skip
            for name in meaning.unread:
                self.not_understood(at, time, name, fault, when)
            self.log.counts[NOT_KNOWN] += 1
        elif meaning.why == "a panel":
            pass
        elif meaning.why:
            self.refused[f"{label}: {meaning.why}"] += 1
        else:
            self.unread[label] += 1
            self.log.counts[NOT_KNOWN] += 1

    def listed(self) -> list[Entry]:
        """The entries, without those that another one of their moment replaces; one height of each patient."""
        lost = superseded(self.held, self.log)
        heights: dict[str, tuple[str, int]] = {}
        for index, entry in enumerate(self.entries):
            if entry.name == "height":
                this = (entry.time.isoformat() if isinstance(entry.time, date) else "", index)
                before = heights.get(entry.patient, this)
                heights[entry.patient] = max(before, this)
                lost |= {min(before, this)[1]} - {heights[entry.patient][1]}
        return [entry for index, entry in enumerate(self.entries) if index not in lost]

    def say(self) -> None:
        """What was not read, by kind and code, and what was read by codes and texts that are not verified."""
        told = (
            ("not read, as vein2vein has no use for it or does not know the code", self.unread),
            ("known, and not read", self.refused),
            ("void, not read", self.void),
            ("orders are not doses and were not read", self.ordered),
            ("read by a code from memory (unverified)", self.codes.memory),
            ("read by their name in words, as no code of them is known", self.codes.by_text),
            ("read, and to be known of it", self.said),
        )
        for words, counts in told:
            if counts:
                most = counts.most_common(MOST_LISTED)
                listed = ", ".join(f"{plain(kind.replace('_', ' '))} ({n})" for kind, n in most)
                more = "" if len(counts) <= MOST_LISTED else f", and {len(counts) - MOST_LISTED} further"
                self.log.note(f"{words}: {listed}{more}")


def moment_of(reading: Reading, at: At, text: object, column: str, analyte: str = "") -> date | datetime | None:
    """A FHIR date or time; None, and set aside, where it is none or lacks the day."""
    try:
        if not isinstance(text, str):
            raise times.NotATime("not a date or time")
        return times.parse_moment(text)
    except times.NotATime as problem:
        remedy = (
            "give at least the day"
            if isinstance(text, str) and len(text) < 10
            else "write it as FHIR dates are written"
        )
        expected = "a date with day, such as 2026-03-05T14:30:00+01:00"
        reading.aside(at, column, Fault(str(problem), text, expected, remedy), analyte)
        return None


def when_of(reading: Reading, at: At, resource: Resource, *stems: str, analyte: str = "") -> When | None:
    """Time of a resource by the first of its elements that tells it; None, and set aside, where none does."""
    found = _when_of(reading, at, resource, *stems, analyte=analyte)
    if found is None and analyte in all_analytes():  # it may be of now: unknown at the newest time of the patient
        reading.entries.append(Entry(at.patient, None, analyte, "", "", at.line, stems[0], unread=True))
    return found


def _when_of(reading: Reading, at: At, resource: Resource, *stems: str, analyte: str = "") -> When | None:
    kind = str(resource.get("resourceType"))
    for stem in stems:
        for name in (f"{stem}DateTime", f"{stem}Instant", stem):
            if name in resource and not isinstance(resource[name], dict):
                found = moment_of(reading, at, resource[name], f"{kind}.{name}", analyte)
                return None if found is None else When(found)
        period = table(resource.get(f"{stem}Period")) or table(resource.get(stem))
        if period is not None and ("start" in period or "end" in period):
            column = f"{kind}.{stem}Period"
            start = moment_of(reading, at, period.get("start", period.get("end")), column, analyte)
            if start is None:
                return None
            end = moment_of(reading, at, period["end"], column) if "end" in period and "start" in period else None
            return When(start, end, "end" not in period)
        if (timing := table(resource.get(f"{stem}Timing"))) is not None:
            events = cast("list[object]", timing["event"]) if isinstance(timing.get("event"), list) else []
            if events:
                found = moment_of(reading, at, events[0], f"{kind}.{stem}Timing", analyte)
                return None if found is None else When(found)
    fault = Fault("no time", "", "a date or time", "export when it was measured or given")
    reading.aside(at, f"{kind}.{stems[0]}[x]", fault, analyte)
    return None


def take_patient(reading: Reading, at: At, resource: Resource) -> None:
    """What is known of a patient."""
    if isinstance(sex := resource.get("gender"), str) and sex in ("male", "female"):
        reading.add(at, None, "sex", sex, column="Patient.gender")
    if isinstance(born := resource.get("birthDate"), str):
        reading.add(at, None, "birth_date", born, column="Patient.birthDate")
    if isinstance(resource.get("deceasedDateTime"), str):
        time = moment_of(reading, at, resource["deceasedDateTime"], "Patient.deceasedDateTime")
        reading.add(at, time, "alive", 0.0, column="Patient.deceasedDateTime")
    elif resource.get("deceasedBoolean") is True:
        fault = Fault("a death without its date", "", "Patient.deceasedDateTime", "export the date of death")
        reading.aside(at, "Patient.deceasedBoolean", fault)
