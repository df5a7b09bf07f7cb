"""Cells of a course while they are being filled: every entry is checked, converted and entered, or set aside."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import numpy as np

from vein2vein.analytes import all_analytes
from vein2vein.clinic.grades.monitoring import Override
from vein2vein.errors import InputError
from vein2vein.io.record import names, times
from vein2vein.io.record.charted import NotRead, Sheet, as_cell, as_dexamethasone, read_value
from vein2vein.io.record.derived import Said, enter_derived, lightest, settle_unread
from vein2vein.io.record.judgements import read_judgement, window
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.meanings import Meaning
from vein2vein.io.record.noted import Noted, settle_noted
from vein2vein.io.record.record import Entry, Log, Moment

EARLIEST_DAY, LATEST_DAY = -3650.0, 7300.0  # days of a record; outside, a date was mistyped
NOT_SETTLED = "charted, and what it says settles no value"
Cell = tuple[int, float, str]


class Cells:
    """Values by patient, day and analyte, with what clinicians judged; grows entry by entry."""

    def __init__(
        self,
        kind: str,
        mapping: TableMapping,
        log: Log,
        decimal: str | None,
        numbers: Mapping[str, int],
        zeros: Mapping[str, Moment],
    ) -> None:
        self.kind, self.mapping, self.log, self.decimal = kind, mapping, log, decimal
        self.numbers, self.zeros = numbers, zeros
        self.cells: dict[Cell, tuple[float, bool, str, int, str]] = {}
        self.spoiled: dict[Cell, str] = {}
        self.unread: set[Cell] = set()  # charted, but not understood: unknown, not absent
        self.timeless: set[tuple[int, str]] = set()  # charted at a time that cannot be read
        self.masked: set[Cell] = set()  # unknown, also where a normal value is charted then
        self.above: set[Cell] = set()  # only a lower bound is known
        self.lasting: set[Cell] = set()  # goes on until the next value of the analyte
        self.derived: dict[Cell, list[Said]] = defaultdict(list)  # what is said of it under other names
        self.noted: list[Noted] = []  # what notes name
        self.weights: dict[int, float] = {}
        self.disputed: dict[int, dict[float, None]] = defaultdict(dict)  # weights of which two stand at one time
        self.overrides: list[Override] = []
        self.attributions: list[Override] = []
        self.name = log.file.replace("\\", "/").rsplit("/", 1)[-1]

    def take(self, entry: Entry) -> None:
        """Enter one entry, or set it aside."""
        day = self._day(entry, entry.time, "time")
        if day is None:
            if entry.time is None and entry.unread:
                self.timeless.add((self.numbers[entry.patient], entry.name))
            return
        if entry.name in (names.OVERRIDE, names.ATTRIBUTION):
            self._judged(entry, day)
        elif entry.noted:
            self.noted.append(Noted(self.log, entry, self.numbers[entry.patient], day))
        elif entry.unread:
            self._pointed(entry, day)
        else:
            self._read(entry, day)

    def _pointed(self, entry: Entry, day: float) -> None:
        """Something that is not understood and may be this analyte; a value of its own at that time says more."""
        number, title = self.numbers[entry.patient], all_analytes()[entry.name].title
        what = f"not understood, and may be {title}: unknown at that time"
        remedy = "name it as vein2vein does, or in a mapping file"
        self.log.aside(
            entry.line, entry.column, what, entry.value, "a known name and value", remedy, entry.name, number, day
        )
        cell = (number, day, entry.name)
        self.unread.add(cell)
        if entry.besides:
            self.masked.add(cell)

    def _read(self, entry: Entry, day: float) -> None:
        number = self.numbers[entry.patient]
        sheet = Sheet(self.mapping, self.decimal, self.log, self.weights.get(number, np.nan))
        try:
            meanings = read_value(entry, all_analytes()[entry.name], sheet)
        except NotRead as problem:
            self._unreadable(entry, day, problem.what, problem.found, problem.expected, problem.remedy)
            return
        for at, meaning in enumerate(meanings):
            if at or entry.besides or meaning.analyte != entry.name:  # what a text says besides
                where = f"{self.name}:{entry.line}"
                self.derived[number, day, meaning.analyte].append((meaning, where, entry.line, entry.column))
            elif math.isnan(meaning.value):
                expected = "a value, or words that settle it"
                self._unreadable(entry, day, NOT_SETTLED, entry.value, expected, "chart what was seen, if it was")
            else:
                self._enter(entry, day, meaning)
                self._say_equivalent(meaning)
                if meaning.left and meaning.value < all_analytes()[entry.name].high:
                    what = f"only partly understood, and read as at least that; not known: '{meaning.left}'"
                    remedy = "write the known words alone, or add them under [words] in a mapping file"
                    at_line = entry.line, entry.column
                    self.log.aside(*at_line, what, entry.value, "known words", remedy, entry.name, number)

    def _say_equivalent(self, meaning: Meaning) -> None:
        same = as_dexamethasone(meaning.analyte, 1.0)
        if same is not None and meaning.value > 0:
            title = all_analytes()[meaning.analyte].title
            self.log.note(f"{title}: 1 mg counts as {same:.2g} mg of dexamethasone (unverified)")

    def _day(self, entry: Entry, moment: Moment | None, column: str) -> float | None:
        if moment is None:
            return None
        if isinstance(moment, date) and entry.patient not in self.zeros:
            return None  # said once for the patient
        try:
            day = times.days_since(moment, self.zeros.get(entry.patient, 0.0), self.mapping.zone)
        except (times.NotATime, OverflowError) as problem:
            self.log.aside(
                entry.line, column, str(problem), "", "days or dates throughout", "use one way to give times"
            )
            return None
        if times.only_one_placed(moment, self.zeros.get(entry.patient), self.mapping.zone):
            self.log.note(
                "some times name their zone and some do not: they were compared as clocks show them; say "
                "time_zone in a mapping file"
            )
        if note := times.clock_note(moment, self.mapping.zone):
            self.log.note(f"line {entry.line}: {note}")
        if not EARLIEST_DAY <= day <= LATEST_DAY:
            self.log.aside(
                entry.line,
                column,
                "too far from the infusion",
                f"day {day:g}",
                f"a day from {EARLIEST_DAY:g} to {LATEST_DAY:g}",
                "correct the date or the year",
            )
            return None
        return day + 0.0

    def _unreadable(self, entry: Entry, day: float, what: str, found: object, expected: str, remedy: str) -> None:
        """Set an entry aside: its analyte is charted at that time, and not known."""
        number = self.numbers[entry.patient]
        self.log.aside(entry.line, entry.column, what, found, expected, remedy, entry.name, number, day)
        self._lose((number, day, entry.name), entry.line)

    def _lose(self, cell: Cell, line: int) -> None:
        """The value of a cell is not known, whatever else stands there."""
        self.unread.add(cell)
        self.spoiled.setdefault(cell, f"line {line}")
        self.cells.pop(cell, None)
        self.above.discard(cell)

    def _enter(self, entry: Entry, day: float, meaning: Meaning) -> None:
        name, where = meaning.analyte, f"{self.name}:{entry.line}"
        cell = (self.numbers[entry.patient], day, name)
        value, below, above = as_cell(meaning)
        old = self.cells.get(cell)
        if entry.running and name == entry.name:
            self.lasting.add(cell)
        if cell in self.spoiled:
            self._twice(entry, day, name, self.spoiled[cell])
        elif old is None:
            self.cells[cell] = (value, below, where, entry.line, entry.column)
            self._mark(cell, above)
        elif (*old[:2], cell in self.above) == (value, below, above):
            self.log.note("the same value stands twice at one time and was read once")
            if entry.line < old[3]:
                self.cells[cell] = (value, below, where, entry.line, entry.column)
        elif cell in self.above and not below and value >= old[0]:  # runs, and how fast: the amount says more
            self.cells[cell] = (value, below, where, entry.line, entry.column)
            self._mark(cell, above)
        elif above and not old[1] and old[0] >= value:
            pass
        else:
            if name == "weight":
                self.disputed[cell[0]].update({old[0]: None, value: None})
            self._twice(entry._replace(line=old[3], column=old[4], value=old[0]), day, name, f"line {entry.line}")
            self._lose(cell, old[3])
            self._twice(entry, day, name, f"line {old[3]}")

    def _mark(self, cell: Cell, above: bool) -> None:
        (self.above.add if above else self.above.discard)(cell)

    def _twice(self, entry: Entry, day: float, name: str, other: str) -> None:
        self.log.aside(
            entry.line,
            entry.column,
            f"two values of {all_analytes()[name].title} at one time (day {day:g}); none of them was used",
            f"{entry.value:g}" if isinstance(entry.value, float) else entry.value,
            f"one value (the other is in {other})",
            "keep the right one, or give each its time",
            name,
            self.numbers[entry.patient],
            day,
        )

    def _refuse(self, entry: Entry, what: str, found: str, expected: str, remedy: str) -> None:
        self.log.aside(entry.line, entry.column, what, found, expected, remedy)

    def _judged(self, entry: Entry, day: float) -> None:
        """An attribution or override: kept with its author until all readings are known."""
        if self.log.full():
            return self._refuse(entry, "not read", "", "", "")
        try:
            judged = read_judgement(entry)
        except InputError as problem:
            what, _, expected = problem.text.partition("; expected ")
            return self._refuse(entry, what, str(entry.value), expected, "correct the row")
        until = self._day(entry, entry.until, "until")
        first, last = window(entry, day, until, self.zeros.get(entry.patient), self.mapping.zone)
        where = f"{self.name}:{entry.line}"
        one = replace(
            judged,
            patient=self.numbers[entry.patient],
            first_day=first,
            last_day=last,
            time=f"day {day:g}",
            where_from=where,
        )
        if last < first:
            return self._refuse(
                entry, "it ends before it begins", f"day {last:g}", f"day {first:g} or later", "correct 'until'"
            )
        (self.attributions if one.finding in names.vocabulary().attributions else self.overrides).append(one)
        return None

    def _place_timeless(self) -> None:
        """What was charted at a time that cannot be read may be of now: unknown at the newest time of its patient."""
        newest: dict[int, float] = {}
        for number, day, _ in (*self.cells, *self.unread):
            newest[number] = max(day, newest.get(number, day))
        for number, name in self.timeless:
            if number in newest:
                cell = (number, newest[number], name)
                self.unread.add(cell)
                self.masked.add(cell)

    def flag(self) -> None:
        """Enter what scales and texts say besides, and mark what an attribution covers with the flag of the graders."""
        self._place_timeless()
        settle_noted(self.noted, self.cells, self.above, self.unread, self.masked)
        settle_unread(self.cells, self.spoiled, self.unread, self.above, self.masked)
        light = frozenset(number for number, weight in self.weights.items() if weight < lightest())
        enter_derived(self.cells, self.unread, self.above, self.derived, light, self.log)
        days: dict[int, set[float]] = defaultdict(set)
        for patient, day, _ in self.cells:
            days[patient].add(day)
        for one in self.attributions:
            covered = [day for day in days[one.patient] if one.first_day <= day <= one.last_day]
            if not covered:
                self.log.note(f"{one.where_from}: the attribution covers no reading")
            for day in covered:
                cell = (one.patient, day, names.vocabulary().attributions[one.finding])
                self.cells.setdefault(cell, (1.0, False, one.where_from, int(one.where_from.rpartition(":")[2]), ""))
