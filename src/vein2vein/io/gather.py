"""Entries of a file -> Record: times to days, names to analytes, units converted once, doubtful values set aside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, tzinfo

import numpy as np

from vein2vein.analytes import Analyte, all_analytes
from vein2vein.clinic.monitoring import Override
from vein2vein.errors import InputError
from vein2vein.io import names, times
from vein2vein.io.judgements import read_judgement, window
from vein2vein.io.mapping import TableMapping
from vein2vein.io.people import Known, facts_of, read_facts
from vein2vein.io.quantities import needs_unit, to_canonical, unverified_conversion
from vein2vein.io.record import Entry, Log, Moment, Record
from vein2vein.io.values import NotANumber, Parsed, is_formula, parse_value
from vein2vein.therapy.course import Course

INFUSION = "car_t_infusion"
EARLIEST_DAY, LATEST_DAY = -3650.0, 7300.0  # days of a record; outside, a date was mistyped
MOST_CELLS = 200_000_000  # patients x days x analytes held at once
MOST_WHOLE = 50  # an analyte without unit that ends below this is a score or flag: whole numbers only
Cell = tuple[int, float, str]
NO_ZERO = (
    "day 0 is missing: nothing in the file says when the CAR-T cells were infused", "the time of the infusion",
    "add a row 'car_t_infusion' with its date, or infusion = \"...\" under [patient] in a mapping file",
)  # fmt: skip


def gather(
    entries: Iterable[Entry],
    kind: str,
    mapping: TableMapping,
    log: Log,
    decimal: str | None = ".",
    labels: Iterable[str] = (),
) -> Record:
    """Make a record of entries in any order.

    Parameters
    ----------
    entries : iterable of Entry
    kind : str
        What the file is.
    mapping : TableMapping
    log : Log
    decimal : str or None
        Decimal sign of the file.
    labels : iterable of str
        Patients that the file names elsewhere; they count too.

    Raises
    ------
    InputError
        Nothing can be used: no value, or no day 0 for dated values.
    """
    listed = list(entries)
    patients = sorted({*labels, *(e.patient for e in listed)}, key=natural_order)
    numbers = numbers_of(patients)
    known = read_facts(listed, mapping, patients, log)
    zeros = zeros_of(listed, known, mapping.zone)
    lost: dict[str, int] = {}
    for entry in listed:
        if _dated(entry) and entry.patient not in zeros:
            lost[entry.patient] = min(lost.get(entry.patient, entry.line), entry.line)
    for label in sorted(lost, key=natural_order):
        log.aside(lost[label], "", *_said(NO_ZERO))
    work = _Work(kind, mapping, log, decimal, numbers, zeros)
    values = [e for e in listed if e.name in all_analytes() or e.name in (names.ATTRIBUTION, names.OVERRIDE)]
    for entry in values:  # the weight first: doses per kg lean on it
        if entry.name == "weight":
            work.take(entry)
    work.weights = known_weights(work.cells, known, numbers)
    for entry in values:
        if entry.name != "weight":
            work.take(entry)
    if not work.cells:
        if lost:
            raise InputError(f"{NO_ZERO[0]}; {NO_ZERO[2]}.", file=log.file)
        first = str(log.items[0]) if log.items else "expected rows with a time, an analyte, a value and a unit"
        raise InputError(f"no value could be read: {first}", file=log.file)
    read = len(work.cells)
    work.flag()
    course = _course(work, sorted(numbers.values()))
    by_number = sorted(numbers, key=lambda label: numbers[label])
    dated = tuple(label in zeros and not isinstance(zeros[label], float) for label in by_number)
    facts = facts_of([known[label] for label in by_number], by_number, course, zeros, dated, log)
    if not course.measured(INFUSION) and not any(dated):
        log.note("no row for the infusion of CAR-T cells; day 0 is as the days of the file say")

    def order(one: Override) -> tuple[float, int]:
        return one.first_day, int(one.where_from.rpartition(":")[2])

    return Record(
        log.file, kind, course, facts, tuple(sorted(work.overrides, key=order)),
        tuple(sorted(work.attributions, key=order)), log.in_order(), log.all_notes(), read,
    )  # fmt: skip


def _said(sentence: tuple[str, str, str]) -> tuple[str, str, str, str]:
    return sentence[0], "", sentence[1], sentence[2]


def natural_order(label: str) -> tuple[int, int, str]:
    """Sorts the names of patients: whole numbers by size, then the rest by letter."""
    return (0, int(label), "") if label.isascii() and label.isdigit() and len(label) < 10 else (1, 0, label)


def numbers_of(labels: list[str]) -> dict[str, int]:
    """Patient numbers: those of the file where they are whole numbers, else 0, 1, ..."""
    if all(label.isascii() and label.isdigit() and len(label) < 7 for label in labels):
        whole = {label: int(label) for label in labels}
        if len(set(whole.values())) == len(labels):
            return whole
    return {label: index for index, label in enumerate(labels)}


def _dated(entry: Entry) -> bool:
    return isinstance(entry.time, date)


def zeros_of(entries: Sequence[Entry], known: Mapping[str, Known], zone: tzinfo | None) -> dict[str, Moment]:
    """Moment of the first infusion of each patient."""
    found: dict[str, Moment] = {label: k.infusion for label, k in known.items() if k.infusion is not None}
    doses: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.name == INFUSION and _dated(entry) and entry.patient not in found:
            doses[entry.patient].append(entry)
    for label, given in doses.items():
        first = given[0].time
        for entry in given[1:]:
            if times.days_since(entry.time, first, zone) < 0:  # type: ignore[arg-type]
                first = entry.time
        found[label] = first  # type: ignore[assignment]
    return found


def known_weights(
    cells: Mapping[Cell, tuple], known: Mapping[str, Known], numbers: Mapping[str, int]
) -> dict[int, float]:
    """The weight of each patient number: the last up to the infusion, else the first after it."""
    found: dict[int, float] = {}
    rows: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for (patient, day, name), row in cells.items():
        if name == "weight":
            rows[patient].append((day, row[0]))
    for label, number in numbers.items():
        measured = sorted(rows[number])
        before = [w for day, w in measured if day <= 0]
        if measured:
            found[number] = before[-1] if before else measured[0][1]
        elif np.isfinite(known[label].weight):
            found[number] = known[label].weight
    return found


class _Work:
    """Cells of the course while they are being filled."""

    def __init__(
        self, kind: str, mapping: TableMapping, log: Log, decimal: str | None, numbers: Mapping[str, int],
        zeros: Mapping[str, Moment],
    ) -> None:  # fmt: skip
        self.kind, self.mapping, self.log, self.decimal = kind, mapping, log, decimal
        self.numbers, self.zeros = numbers, zeros
        self.cells: dict[Cell, tuple[float, bool, str, int, str]] = {}
        self.spoiled: dict[Cell, str] = {}
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
        if note := times.clock_note(moment, self.mapping.zone):
            self.log.note(f"line {entry.line}: {note}")
        if not EARLIEST_DAY <= day <= LATEST_DAY:
            self.log.aside(
                entry.line, column, "too far from the infusion", f"day {day:g}",
                f"a day from {EARLIEST_DAY:g} to {LATEST_DAY:g}", "correct the date or the year",
            )  # fmt: skip
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
                entry, f"{analyte.title} without a unit", str(entry.value), f"a unit such as {analyte.unit}",
                "add the unit to the row, to the header as in 'name [unit]', or to a mapping file",
            )  # fmt: skip
        number = self.numbers[entry.patient]
        try:
            amount = to_canonical(analyte.name, value, unit, self.weights.get(number, np.nan))
        except InputError as problem:
            return self._refuse(
                entry, f"the unit is not one of {analyte.title}" if "weight" not in problem.text else problem.text,
                unit, f"a unit such as {analyte.unit}", "correct the unit or the value, or add a row with the weight"
                if "weight" in problem.text else "correct the unit; amounts of different kinds are never converted",
            )  # fmt: skip
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
        text, known = entry.value.strip(), names.vocabulary()
        form = names.normal(text) if text not in ("-", "--", ".", "?") else ""
        if form in known.nothing and not is_formula(text):
            return None
        own = self.mapping.words.get(analyte.name, {})
        word = own.get(form, names.in_words(analyte.name, text))
        if word is not None:
            return Parsed(word, "" if analyte.unit == "1" else analyte.unit, "")
        if form in known.below:
            return self._below(entry, analyte)
        try:
            return parse_value(text, self.decimal)
        except NotANumber as problem:
            words = ", ".join(sorted(known.words.get(analyte.name, {}))[:8])
            expected = problem.expected + (f" or one of: {words}" if words else "")
            self.log.aside(entry.line, entry.column, problem.what, entry.value, expected, problem.remedy)
            return None

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
            entry.line, entry.column, "may mean not detected or not done, and the limit of the assay is not known",
            entry.value, "a number or a bound such as '<0.1'",
            "write '<' and the limit, give it in a column 'lloq' or under [lloq] in a mapping, or leave the cell empty",
        )  # fmt: skip
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
        )  # fmt: skip

    def _judged(self, entry: Entry, day: float) -> None:
        """An attribution or override: kept with its author until all readings are known."""
        try:
            judged = read_judgement(entry)
        except InputError as problem:
            what, _, expected = problem.text.partition("; expected ")
            return self._refuse(entry, what, str(entry.value), expected, "correct the row")
        until = self._day(entry, entry.until, "until")
        first, last = window(entry, day, until, self.zeros.get(entry.patient), self.mapping.zone)
        where = f"{self.name}:{entry.line}"
        one = replace(judged, patient=self.numbers[entry.patient], first_day=first, last_day=last,
                      time=f"day {day:g}", where_from=where)  # fmt: skip
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


def _course(work: _Work, patients: list[int]) -> Course:
    days = np.array(sorted({day for _, day, _ in work.cells}), dtype=float)
    found = sorted({name for _, _, name in work.cells})
    shape = (len(patients), len(days))
    if shape[0] * shape[1] * len(found) > MOST_CELLS:
        raise InputError(
            f"{shape[0]} patients at {shape[1]} different times are more than can be held; split the file by patient.",
            file=work.log.file,
        )
    values = {name: np.full(shape, np.nan) for name in found}
    below = {name: np.zeros(shape, dtype=bool) for name in found}
    source = {name: np.full(shape, "", dtype=object) for name in found}
    row = {number: i for i, number in enumerate(patients)}
    column = {float(day): j for j, day in enumerate(days)}
    for (patient, day, name), (value, under, where, _, _) in work.cells.items():
        at = row[patient], column[day]
        values[name][at], below[name][at], source[name][at] = value, under, where
    kept = {name: flags for name, flags in below.items() if flags.any()}
    return Course(np.array(patients, dtype=np.int64), days, values, kept, "measured", source)
