"""Disease visits as CSV: items of the criteria and, in rows of their own, lesions with their diameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vein2vein import units
from vein2vein.clinic.response.visits import VISIT_ITEMS, Lesion
from vein2vein.errors import InputError, unknown
from vein2vein.io.record import names, times
from vein2vein.io.record.cells import EARLIEST_DAY, LATEST_DAY
from vein2vein.io.record.folder import files_of
from vein2vein.io.record.gather import NO_ZERO, gather, zeros_of
from vein2vein.io.record.identity import lookalike_words, numbers_of
from vein2vein.io.record.mapping import TableMapping, read_mapping
from vein2vein.io.record.people import read_facts
from vein2vein.io.record.read import read_record
from vein2vein.io.record.record import CELLS, Log, Moment, SetAside
from vein2vein.io.record.tables import Table, entries_of, moment_of, read_table, times_of
from vein2vein.io.record.text import read_text
from vein2vein.io.record.values import NotANumber, parse_value
from vein2vein.therapy.course import Course

LESION_COLUMNS = ("lesion", "site", "longest", "shortest", "new", "target")
LONGEST = 60.0  # cm; a lesion above is a slip of the pen or in mm
SITES = ("node", "extranodal")

Held = TypeVar("Held", bound=np.generic)


@dataclass(frozen=True)
class Visits:
    """Visits as ``clinic.visits.respond_visits`` takes them.

    Attributes
    ----------
    course : Course
        Items by day; every day of a lesion is one of its days.
    lesions : tuple of Lesion
    set_aside : tuple of SetAside
    notes : tuple of str
    labels : tuple of str
        Name of each patient in the file, in the order of the course.
    warnings : tuple of str
        What a person must know before any response is read: whose rows could not be told.
    """

    course: Course
    lesions: tuple[Lesion, ...]
    set_aside: tuple[SetAside, ...]
    notes: tuple[str, ...]
    labels: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_visits(
    path: str | Path, criteria: str = "lugano", *, mapping: str | Path | TableMapping | None = None
) -> Visits:
    """Read the visits of one patient or many.

    Parameters
    ----------
    path : path
        CSV, wide (patient, day, items, and ``lesion, site, longest, shortest, new, target`` where a row is a lesion) or
        long; or a FHIR bundle.
    criteria : {"lugano", "iwcll", "imwg", "all"}
    mapping : path or TableMapping, optional
        See ``read_record``.

    Raises
    ------
    InputError
        Unknown criteria, nothing of use in the file, or a lesion that cannot be taken as it stands: leaving one
        out would change the response.
    """
    if criteria not in VISIT_ITEMS:
        raise InputError(unknown("criteria of response", criteria, VISIT_ITEMS))
    path, log = Path(path), Log(str(path))
    how = mapping if isinstance(mapping, TableMapping) else read_mapping(mapping) if mapping else TableMapping()
    text = read_text(path, log, how.encoding)
    if text.lstrip()[:1] in ("{", "["):
        record = read_record(path, mapping=how)
        return Visits(
            record.course, (), record.set_aside, _notes(record.course, (), criteria, record.notes), record.facts.label,
            record.warnings,
        )  # fmt: skip
    table = read_table(text, how, log, extra=LESION_COLUMNS)
    entries = entries_of(table, how, log)
    found = _lesions(table, how, log) if "lesion" in table.extra else []
    named = sorted([*((e.line, e.patient) for e in entries), *((_line(one), label) for label, _, one in found)])
    labels = list(dict.fromkeys(label for _, label in named))
    if "" in labels and len(labels) > 1 and any(label == "" for label, _, _ in found):
        first = next(_line(one) for label, _, one in found if label == "")
        raise InputError(
            "a lesion without its patient in a file that names patients; write whose it is.", file=path, line=first
        )
    labels = [label for label in labels if label or len(labels) == 1]
    numbers = numbers_of(labels)
    zeros = zeros_of(entries, read_facts(entries, how, dict.fromkeys((*labels, "")), Log("")), how.zone)
    lesions = tuple(_dated(numbers[label], zeros.get(label), moment, one, how, log) for label, moment, one in found)
    if entries:
        record = gather(entries, f"{table.form} table", how, log, table.decimal, labels=labels)
        course, notes, warnings = record.course, record.notes, record.warnings
    elif lesions:
        course = Course(np.array(list(numbers.values())), np.empty(0), {}, origin="measured")
        notes, warnings = log.all_notes(), tuple(lookalike_words(labels))
    else:
        raise InputError("holds neither items of a visit nor lesions.", file=path)
    notes = _notes(course, lesions, criteria, notes)
    return Visits(_with_days(course, lesions), lesions, log.in_order(), notes, tuple(labels), warnings)


def read_visits_of(
    path: str | Path, criteria: str = "lugano", *, mapping: str | Path | TableMapping | None = None
) -> tuple[list[Visits], list[str]]:
    """Read the visits of a file, or of each file of a folder, and what a person must know before reading a response.

    A file of a folder that names no patient is of one, who is called as the file; one that cannot be read is told.

    Raises
    ------
    InputError
        Nothing in any file can be used.
    """
    path = Path(path)
    if not path.is_dir():
        read = read_visits(path, criteria, mapping=mapping)
        return [read], list(read.warnings)
    found: list[Visits] = []
    warnings: list[str] = []
    problems: list[InputError] = []
    seen: dict[str, str] = {}
    for file in files_of(path)[0]:
        try:
            read = read_visits(file, criteria, mapping=mapping)
        except InputError as problem:
            problems.append(problem)
            warnings.append(f"not read: {problem}")
            continue
        found.append(replace(read, labels=tuple(label or file.stem for label in read.labels)))
        warnings += read.warnings
        for label in found[-1].labels:
            if label in seen:
                warnings.append(f"patient {label!r} stands in {seen[label]} and in {file.name}: judged apart")
            seen.setdefault(label, file.name)
    if not found:
        raise problems[0] if problems else InputError("is a folder without a record.", file=path)
    return found, warnings


def _line(lesion: Lesion) -> int:
    return int(lesion.where_from.rpartition(":")[2])


def _notes(course: Course, lesions: tuple[Lesion, ...], criteria: str, notes: tuple[str, ...]) -> tuple[str, ...]:
    if lesions or any(name in course for name in VISIT_ITEMS[criteria]):
        return notes
    return (*notes, f"none of the items of {criteria} is in the file: {', '.join(VISIT_ITEMS[criteria])}")


def _lesions(table: Table, how: TableMapping, log: Log) -> list[tuple[str, Moment, Lesion]]:
    for name in ("site", "longest"):
        if name not in table.extra:
            raise InputError(
                f"lesions need the column '{name}'; expected {', '.join(LESION_COLUMNS)}.", file=log.file, line=1
            )
    found: list[tuple[str, Moment, Lesion]] = []
    when = times_of(table, how)
    patients = table.roles.get("patient")
    for line, cells in table.rows:
        own = {name: cells[index].strip() for name, index in table.extra.items()}
        if not own["lesion"]:
            continue
        moment = moment_of(cells, line, table, when, log)
        if moment is None:
            raise InputError(
                "a lesion without a day; write the day of the scan.", file=log.file, line=line, field="day"
            )
        site = (
            names.normal(own["site"]).replace("nodal", "node")
            if own["site"].lower() == "nodal"
            else own["site"].lower()
        )
        if site not in SITES:
            raise _wrong(log, line, "site", own["site"], "'node' or 'extranodal'")
        longest, shortest = (_size(own.get(n, ""), table, n, line, log) for n in ("longest", "shortest"))
        if shortest > longest:
            raise _wrong(log, line, "shortest", own["shortest"], f"at most the longest diameter, {longest:g} cm")
        found.append(
            (
                cells[patients[0]].strip() if patients else "",
                moment,
                Lesion(
                    0,
                    0.0,
                    own["lesion"][:80],
                    site,
                    longest,
                    shortest,
                    _flag(own.get("new", ""), False, "new", line, log),
                    _flag(own.get("target", ""), True, "target", line, log),
                    f"{Path(log.file).name}:{line}",
                ),
            )
        )
    return found


def _wrong(log: Log, line: int, column: str, found: str, expected: str) -> InputError:
    return InputError(
        f"found '{found[:60]}', expected {expected}; correct the row.", file=log.file, line=line, field=column
    )


def _size(text: str, table: Table, name: str, line: int, log: Log) -> float:
    if names.normal(text) in names.vocabulary().nothing:
        return np.nan
    unit = names.split_header(table.header[table.extra[name]])[1] or "cm"
    try:
        parsed = parse_value(text, table.decimal)
        size = units.convert(parsed.value, parsed.unit or unit, "cm")
    except (NotANumber, InputError):
        raise _wrong(log, line, name, text, "a diameter in cm") from None
    if not 0 <= size <= LONGEST:
        raise _wrong(log, line, name, text, f"0 to {LONGEST:g} cm (a size in mm needs the header '{name} [mm]')")
    return size


def _flag(text: str, default: bool, name: str, line: int, log: Log) -> bool:
    if not text:
        return default
    form = names.normal(text)
    if form in ("0", "1"):
        return form == "1"
    if form in names.vocabulary().yes_no:
        return names.vocabulary().yes_no[form] == 1
    raise _wrong(log, line, name, text, "0 or 1")


def _dated(patient: int, zero: Moment | None, moment: Moment, lesion: Lesion, how: TableMapping, log: Log) -> Lesion:
    line = _line(lesion)
    if isinstance(moment, date) and zero is None:
        raise InputError(f"{NO_ZERO[0]}; {NO_ZERO[2]}.", file=log.file, line=line)
    try:
        day = times.days_since(moment, 0.0 if zero is None else zero, how.zone)
    except times.NotATime as problem:
        raise InputError(f"{problem}; use one way to give times.", file=log.file, line=line) from None
    if not EARLIEST_DAY <= day <= LATEST_DAY:
        raise InputError(
            f"found a lesion on day {day:g}, expected a day from {EARLIEST_DAY:g} to {LATEST_DAY:g}; correct the date.",
            file=log.file, line=line, field="day",
        )  # fmt: skip
    return replace(lesion, patient=patient, day=day)


def _with_days(course: Course, lesions: tuple[Lesion, ...]) -> Course:
    """The course with a column for every day on which a lesion was measured."""
    days = np.array(sorted({*course.days.tolist(), *(one.day for one in lesions)}))
    if len(days) == len(course.days):
        return course
    at = np.searchsorted(days, course.days)
    shape = (len(course.patients), len(days))

    def spread(cells: NDArray[Held]) -> NDArray[Held]:
        empty = np.nan if cells.dtype.kind == "f" else "" if cells.dtype.kind == "O" else False
        wide = np.full(shape, empty, dtype=cells.dtype)
        wide[:, at] = cells
        return wide

    parts: dict[str, Any] = {part: {n: spread(v) for n, v in getattr(course, part).items()} for part in CELLS}
    return replace(course, days=days, **parts)
