"""Cells of a course while they are being filled: every entry is checked, converted and entered, or set aside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Literal

import numpy as np

from vein2vein.analytes import Analyte, all_analytes
from vein2vein.clinic.grades.monitoring import Override
from vein2vein.errors import InputError
from vein2vein.io.record import names, times
from vein2vein.io.record.judgements import read_judgement, window
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.quantities import needs_unit, to_canonical, unverified_conversion
from vein2vein.io.record.record import Entry, Log, Moment
from vein2vein.io.record.values import NotANumber, Parsed, is_formula, parse_value

EARLIEST_DAY, LATEST_DAY = -3650.0, 7300.0  # days of a record; outside, a date was mistyped
MOST_WHOLE = 50  # an analyte without unit that ends below this is a score or flag: whole numbers only
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
        self.above: set[Cell] = set()  # only a lower bound is known
        self.lasting: set[Cell] = set()  # goes on until the next value of the analyte
        self.weights: dict[int, float] = {}
        self.overrides: list[Override] = []
        self.attributions: list[Override] = []
        self.name = log.file.replace("\\", "/").rsplit("/", 1)[-1]

    def take(self, entry: Entry) -> None:
        """Enter one entry, or set it aside."""
        day = self._day(entry, entry.time, "time")
        if day is None:
            return
        if entry.name in (names.OVERRIDE, names.ATTRIBUTION):
            self._judged(entry, day)
        else:
            found = self._value(entry, all_analytes()[entry.name])
            if found is not None:
                self._enter(entry, day, entry.name, *found)

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

    def _value(self, entry: Entry, analyte: Analyte) -> tuple[float, bool] | None:
        parsed = self._parsed(entry, analyte)
        if parsed is None:
            return None
        value, unit, bound = parsed
        given = self.mapping.units.get(entry.unit.strip(), entry.unit.strip())
        unit = self.mapping.units.get(unit, unit)
        if unit and given and unit != given and _apart(analyte.name, unit, given):
            return self._refuse(entry, "two units in one row", f"{unit} and {given}", "one unit", "keep the right one")
        unit = unit or given or self.mapping.name_units.get(analyte.name, "")
        if not unit and needs_unit(analyte.name):
            return self._refuse(
                entry,
                f"{analyte.title} without a unit",
                str(entry.value),
                f"a unit such as {analyte.unit}",
                "add the unit to the row, to the header as in 'name [unit]', or to a mapping file",
            )
        number = self.numbers[entry.patient]
        try:
            amount = to_canonical(analyte.name, value, unit, self.weights.get(number, np.nan))
        except InputError as problem:
            return self._refuse(
                entry,
                f"the unit is not one of {analyte.title}" if "weight" not in problem.text else problem.text,
                unit,
                f"a unit such as {analyte.unit}",
                "correct the unit or the value, or add a row with the weight"
                if "weight" in problem.text
                else "correct the unit; amounts of different kinds are never converted",
            )
        if unverified_conversion(analyte.name, unit):
            self.log.note(f"{analyte.title} in {unit} was converted by a factor from memory (unverified)")
        if not analyte.low <= amount <= analyte.high:
            return self._implausible(entry, analyte, value, amount, unit)
        if _whole(analyte) and amount != round(amount):
            return self._refuse(
                entry, f"{analyte.title} is a whole number", str(entry.value), "a whole number", "correct it"
            )
        if bound == ">":
            self.log.note(f"values above the range of the assay were read as its upper limit ({analyte.title})")
        return amount, bound == "<"

    def _parsed(self, entry: Entry, analyte: Analyte) -> Parsed | None:
        if not isinstance(entry.value, str):
            return Parsed(float(entry.value), "", "")
        text = entry.value.strip()
        if not text[:1].isdigit() or analyte.name in self.mapping.words:  # words; most values are numbers
            found = self._in_words(entry, analyte, text)
            if found is not False:
                return found
        try:
            return parse_value(text, self.decimal)
        except NotANumber as problem:
            words = ", ".join(sorted(names.vocabulary().words.get(analyte.name, {}))[:8])
            expected = problem.expected + (f" or one of: {words}" if words else "")
            self.log.aside(entry.line, entry.column, problem.what, entry.value, expected, problem.remedy)
            return None

    def _in_words(self, entry: Entry, analyte: Analyte, text: str) -> Parsed | Literal[False] | None:
        """A value in words; None where nothing was measured; False where the text is none of the known words."""
        known = names.vocabulary()
        form = names.normal(text) if text not in ("-", "--", ".", "?") else ""
        if form in known.nothing and not is_formula(text):
            return None
        own = self.mapping.words.get(analyte.name, {})
        word = own.get(form, names.in_words(analyte.name, text))
        if word is not None:
            return Parsed(word, "" if analyte.unit == "1" else analyte.unit, "")
        return self._below(entry, analyte) if form in known.below else False

    def _below(self, entry: Entry, analyte: Analyte) -> Parsed | None:
        """A value that is only known to be below the limit of its assay."""
        if entry.limit:
            try:
                found = parse_value(entry.limit, self.decimal)
                return Parsed(found.value, found.unit, "<")
            except NotANumber as problem:
                self.log.aside(entry.line, "limit", problem.what, entry.limit, problem.expected, problem.remedy)
                return None
        if analyte.name in self.mapping.lloq:
            return Parsed(self.mapping.lloq[analyte.name], analyte.unit, "<")
        self.log.aside(
            entry.line,
            entry.column,
            "may mean not detected or not done, and the limit of the assay is not known",
            entry.value,
            "a number or a bound such as '<0.1'",
            "write '<' and the limit, give it in a column 'lloq' or under [lloq] in a mapping, or leave the cell empty",
        )
        return None

    def _implausible(self, entry: Entry, analyte: Analyte, value: float, amount: float, unit: str) -> None:
        shown = "" if analyte.unit == "1" else f" {analyte.unit}"
        what, remedy = f"{analyte.title} is out of its plausible range", "correct the value or its unit"
        if analyte.name == "temperature" and unit in ("", "degC") and 90 <= value <= 115:
            celsius = to_canonical("temperature", value, "degF")
            what = "looks like degrees Fahrenheit where Celsius is expected"
            remedy = f"write the unit degF, or {celsius:.1f} in degC"
        elif analyte.unit == "fraction" and 1 < amount <= 100 and not unit:
            remedy = f"write {value:g} % or {value / 100:g}"
        elif analyte.name == "spo2" and 0.3 <= amount <= 1:
            remedy = f"write {value * 100:g} %"
        self._refuse(entry, what, f"{value:g} {unit}".strip(), f"{analyte.low:g} to {analyte.high:g}{shown}", remedy)

    def _refuse(self, entry: Entry, what: str, found: str, expected: str, remedy: str) -> None:
        self.log.aside(entry.line, entry.column, what, found, expected, remedy)

    def _enter(self, entry: Entry, day: float, name: str, value: float, below: bool) -> None:
        cell = (self.numbers[entry.patient], day, name)
        where = f"{self.name}:{entry.line}"
        if cell in self.spoiled:
            self._twice(entry, day, name, self.spoiled[cell])
        elif cell not in self.cells:
            self.cells[cell] = (value, below, where, entry.line, entry.column)
        elif self.cells[cell][:2] == (value, below):
            self.log.note("the same value stands twice at one time and was read once")
            if entry.line < self.cells[cell][3]:
                self.cells[cell] = (value, below, where, entry.line, entry.column)
        else:
            first = self.cells.pop(cell)
            self.spoiled[cell] = f"line {first[3]}"
            self._twice(entry._replace(line=first[3], column=first[4], value=first[0]), day, name, f"line {entry.line}")
            self._twice(entry, day, name, f"line {first[3]}")

    def _twice(self, entry: Entry, day: float, name: str, other: str) -> None:
        self.log.aside(
            entry.line,
            entry.column,
            f"two values of {all_analytes()[name].title} at one time (day {day:g}); none of them was used",
            f"{entry.value:g}" if isinstance(entry.value, float) else entry.value,
            f"one value (the other is in {other})",
            "keep the right one, or give each its time",
        )

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

    def flag(self) -> None:
        """Mark the readings that an attribution covers with the flag that the graders read."""
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


def _apart(name: str, one: str, two: str) -> bool:
    """Whether two units mean different things."""
    try:
        return to_canonical(name, 1.0, one, 1.0) != to_canonical(name, 1.0, two, 1.0)
    except InputError:
        return True


def _whole(analyte: Analyte) -> bool:
    return analyte.unit == "1" and analyte.kind != "lab" and analyte.high <= MOST_WHOLE
