"""Entries of a file -> Record: times to days, names to analytes, units converted once, doubtful values set aside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, tzinfo

import numpy as np
from numpy.typing import NDArray

from vein2vein.analytes import all_analytes
from vein2vein.clinic.grades.monitoring import Override
from vein2vein.errors import InputError
from vein2vein.io.record import names, times
from vein2vein.io.record.cells import Cell, Cells
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.people import Known, facts_of, read_facts
from vein2vein.io.record.quantities import forget
from vein2vein.io.record.record import Entry, Log, Moment, Record
from vein2vein.therapy.course import Course

INFUSION = "car_t_infusion"
MOST_CELLS = 200_000_000  # patients x days x analytes held at once
NO_ZERO = (
    "day 0 is missing: nothing in the file says when the CAR-T cells were infused",
    "the time of the infusion",
    "add a row 'car_t_infusion' with its date, or infusion = \"...\" under [patient] in a mapping file",
)


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
    forget()
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
    work = Cells(kind, mapping, log, decimal, numbers, zeros)
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
        log.file,
        kind,
        course,
        facts,
        tuple(sorted(work.overrides, key=order)),
        tuple(sorted(work.attributions, key=order)),
        log.in_order(),
        log.all_notes(),
        read,
    )


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
        first, *later = (entry.time for entry in given if entry.time is not None)
        for time in later:
            if times.days_since(time, first, zone) < 0:
                first = time
        found[label] = first
    return found


def known_weights(
    cells: Mapping[Cell, tuple[float, bool, str, int, str]], known: Mapping[str, Known], numbers: Mapping[str, int]
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


def _course(work: Cells, patients: list[int]) -> Course:
    days = np.array(sorted({day for _, day, _ in (*work.cells, *work.unread)}), dtype=float)
    found = sorted({name for _, _, name in (*work.cells, *work.unread)})
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

    def marks(cells: set[Cell]) -> dict[str, NDArray[np.bool_]]:
        held = {name: np.zeros(shape, dtype=bool) for name in sorted({name for _, _, name in cells})}
        for patient, day, name in cells:
            held[name][row[patient], column[day]] = True
        return held

    return Course(
        np.array(patients, dtype=np.int64), days, values, kept, "measured", source, marks(work.above),
        marks(work.unread), marks(work.lasting),
    )  # fmt: skip
