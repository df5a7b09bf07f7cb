"""Records as CSV: the long form (one value in each row), the wide form (one time in each row), and public formats."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from vein2vein.analytes import all_analytes
from vein2vein.errors import InputError
from vein2vein.io.record import names, presets, times
from vein2vein.io.record.headers import columns_of
from vein2vein.io.record.kinds import kind_of_text
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.presets import Preset
from vein2vein.io.record.record import Entry, Log, Moment
from vein2vein.io.record.text import find_delimiter, rows
from vein2vein.io.record.values import NotANumber, decimal_of, parse_value
from vein2vein.io.study.columns import is_data_set

MOST_ROWS = 500_000
SAMPLE = 200  # lines from which the delimiter is found
DATED_SAMPLE = 5000  # dates from which the order of day and month is found
MOST_LOOKED_AT = 50  # cells of a broken line in which the name of an analyte is looked for
WHEN = ("day", "date", "time")
WEIGHT = "weight"
_DAY = re.compile(r"-?\d{1,4}([.,]\d+)?")


@dataclass(frozen=True)
class Table:
    """Rows of a CSV file under their header.

    ``items``: column -> analyte or fact, unit (wide form); ``unknown``: columns of the wide form that nothing names;
    ``place``: what an unknown name of this table is (see ``Preset``); ``preset``: the public format, "" for none.
    """

    header: tuple[str, ...]
    roles: Mapping[str, tuple[int, ...]]
    items: Mapping[int, tuple[str, str]]
    form: str
    rows: list[tuple[int, list[str]]]
    decimal: str | None
    extra: Mapping[str, int] = field(default_factory=dict[str, int])
    unknown: Mapping[int, str] = field(default_factory=dict[int, str])
    place: str = ""
    preset: str = ""
    delimiter: str = ","


class Times(NamedTuple):
    """How the times of a table are read."""

    order: str | None
    form: str | tuple[str, ...]
    decimal: str | None
    short: bool = False  # years of two digits, where somebody declared the order


def read_entries(text: str, mapping: TableMapping, log: Log) -> tuple[list[Entry], str, str | None]:
    """Entries of a CSV text, its form, and its decimal sign."""
    table = read_table(text, mapping, log)
    form = presets.all_presets()[table.preset].title if table.preset else f"{table.form} table"
    return entries_of(table, mapping, log), form, table.decimal


def entries_of(table: Table, mapping: TableMapping, log: Log) -> list[Entry]:
    """Entries of a table."""
    from vein2vein.io.record.table_rows import long_entries, wide_entries  # they lean on this module

    return (long_entries if table.form == "long" else wide_entries)(table, mapping, log)


def read_table(text: str, mapping: TableMapping, log: Log, extra: Iterable[str] = ()) -> Table:
    """Find delimiter, header, roles and form of a CSV text and cut it into rows.

    Parameters
    ----------
    extra : iterable of str
        Further column names (normal form) that the caller reads; see ``Table.extra``.

    Raises
    ------
    InputError
        No table, or no header that says what its columns are.
    """
    ending = Path(log.file).suffix.lower()
    if kind := kind_of_text(text, ending):
        raise kind.error(log.file)
    try:
        return _table(text, mapping, log, tuple(extra))
    except InputError:
        if kind := kind_of_text(text, ending, table=False):  # no table, so its lines may show what else it is
            raise kind.error(log.file) from None
        raise


def _table(text: str, mapping: TableMapping, log: Log, extra: tuple[str, ...]) -> Table:
    sample = [line for line in text[:200_000].split("\n")[: SAMPLE * 2] if line.strip() and not line.startswith("#")]
    delimiter = mapping.delimiter or find_delimiter([line.rstrip("\r") for line in sample[:SAMPLE]])
    listed = rows(text, delimiter, log)
    nothing: tuple[int, list[str]] = (0, [])
    number, header = next(listed, nothing)
    header = [cell.strip().strip("\ufeff") for cell in header]
    if is_data_set(header) and not mapping.columns:
        raise InputError(
            "is a data set of population kinetics (NONMEM, Monolix, nlmixr), not the record of a ward; "
            "'vein2vein check' says whether it is whole; to read it as a record, name its columns in a mapping file.",
            file=log.file,
            line=number or 1,
        )
    if preset := _preset(header, mapping, extra):
        return _of_preset(preset, listed, header, delimiter, mapping, log)
    found = columns_of(header, number, mapping, log, extra)
    form = mapping.form or ("long" if "name" in found.roles and "value" in found.roles else "wide")
    if form == "long" and not ("name" in found.roles and "value" in found.roles):
        raise InputError(
            "the long form needs a column for the name and one for the value; expected a header such as "
            "'time,analyte,value,unit'.",
            file=log.file,
            line=number or 1,
        )
    if not any(role in found.roles for role in WHEN) or (form == "wide" and not (found.items or found.further)):
        raise InputError(
            f"found the header '{', '.join(header)[:200]}', expected one with a time ('day', 'date' or 'time') and "
            "either 'analyte,value,unit' or one column for each analyte such as 'ferritin [ug/L]'; "
            "write such a header, or name the columns in a mapping file.",
            file=log.file,
            line=number or 1,
        )
    log.counts["columns not read"] += len(found.ignored) + len(found.unknown)
    kept = _fitting(listed, header, log)
    columns = [*found.roles.get("value", ()), *found.roles.get("day", ()), *(found.items if form == "wide" else ())]
    return Table(
        tuple(header),
        found.roles,
        found.items,
        form,
        kept,
        _decimal(kept, columns, mapping, delimiter),
        found.further,
        found.unknown,
        delimiter=delimiter,
    )


def _preset(header: list[str], mapping: TableMapping, extra: tuple[str, ...]) -> Preset | None:
    """The public format of a table; none where the mapping already says which columns hold name and value."""
    said = mapping.form or {"name", "value"} <= set(mapping.columns.values()) or mapping.preset == presets.NONE
    return None if extra or (said and not mapping.preset) else presets.find_preset(header, mapping.preset)


def _of_preset(
    preset: Preset,
    listed: Iterable[tuple[int, list[str]]],
    header: list[str],
    delimiter: str,
    mapping: TableMapping,
    log: Log,
) -> Table:
    """A table of a public format in the long form."""
    if preset.nothing and not preset.columns:
        raise InputError(f"is a table of {preset.title}; it holds {preset.nothing}.", file=log.file, line=1)
    at = presets.read_columns(preset, header, mapping.columns)
    if max((c for role in ("code", "label", *presets.FACTS) for c in at.get(role, ())), default=-1) < 0:
        raise InputError(
            f"has not the columns of {preset.title}; expected {' and '.join(group[0] for group in preset.needs)}.",
            file=log.file,
            line=1,
        )
    left: Counter[str] = Counter()
    kept = list(presets.standard_rows(preset, _fitting(listed, header, log), header, mapping.columns, left))
    used = {c for columns in at.values() for c in columns if c >= 0}
    log.counts["columns not read"] += len(header) - len(used)
    log.note(f"read as {preset.title} (the preset {preset.name})")
    for sentence in presets.say_left_out(preset, left):
        log.note(sentence)
    log.counts["rows of no use"] += sum(left.values())
    first = {role: next((header[c] for c in at.get(role, ()) if c >= 0), role) for role in presets.ROLES}
    shown = {**first, "name": next((header[c] for c in at.get("code", ()) if c >= 0), "name")}
    roles = {role: (index,) for index, role in enumerate(presets.ROLES)}
    columns = [presets.ROLES.index("value")]
    decimal = _decimal(kept, columns, mapping, delimiter)
    return Table(
        tuple(shown[role] for role in presets.ROLES), roles, {}, "long", kept, decimal,
        place=preset.place, preset=preset.name, delimiter=delimiter,
    )  # fmt: skip


def _fitting(listed: Iterable[tuple[int, list[str]]], header: list[str], log: Log) -> list[tuple[int, list[str]]]:
    """Rows with as many cells as the header."""
    width = len(header)
    kept: list[tuple[int, list[str]]] = []
    for number, cells in listed:
        if len(kept) >= MOST_ROWS:
            log.aside(
                number,
                "",
                f"more than {MOST_ROWS} rows; from this line on the file was not read",
                "",
                "one patient's record",
                "split the file",
            )
            break
        if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
            cells = cells[:width]
        if len(cells) == width:
            kept.append((number, cells))
            continue
        short = len(cells) < width
        log.aside(
            number,
            "",
            "the line ends early" if short else "the line has too many cells",
            f"{len(cells)} cells",
            f"{width} cells as in the header",
            "complete the line or export the file again"
            if short
            else "put quotes round a cell that holds the delimiter, or say delimiter and decimal in a mapping file",
            next((name for cell in cells[:MOST_LOOKED_AT] if is_graded(name := names.find_name(cell))), ""),
        )
    log.counts["rows"] += len(kept)
    return kept


def is_graded(name: str) -> bool:
    """Whether a grade or a decision at the bedside may hang on an analyte, so that it may not be lost quietly."""
    analyte = all_analytes().get(name)
    return analyte is not None and analyte.kind != "disease" and name != WEIGHT


def _decimal(
    kept: list[tuple[int, list[str]]], columns: list[int], mapping: TableMapping, delimiter: str
) -> str | None:
    if mapping.decimal:
        return mapping.decimal
    found = decimal_of(cells[c] for _, cells in kept for c in columns)
    return found or (None if delimiter == ";" else ".")


def times_of(table: Table, mapping: TableMapping, log: Log | None = None) -> Times:
    """How the times of this table are to be read: as the mapping declares, or as a whole column shows."""
    columns = [c for role in ("date", "time", "until") for c in table.roles.get(role, ())]
    sample = [text for _, cells in table.rows[:DATED_SAMPLE] for c in columns if (text := cells[c].strip())]
    order, form = mapping.date_order or times.order_of(sample), mapping.date_format
    if not form and sample and all(map(times.is_serial, sample)):
        form = "excel"
        if log is not None:
            log.note(
                "every time is a number such as a spreadsheet holds for a date: read as such (system of 1900); say "
                "date_format = 'excel' or 'excel-1904' in a mapping file"
            )
    return Times(order, form, table.decimal, bool(mapping.date_order))


def _cell(cells: list[str], table: Table, role: str) -> str:
    columns = table.roles.get(role)
    return cells[columns[0]].strip() if columns else ""


def moment_of(
    cells: list[str], line: int, table: Table, how: Times, log: Log, analytes: Iterable[str] = ("",)
) -> Moment | None:
    """Time of a row; None where it has none that can be read: it is then set aside, once for each of ``analytes``."""
    day, on, at = (_cell(cells, table, role) for role in WHEN)
    column = "day" if day else "date" if on else "time"

    def aside(what: str, found: str, expected: str, remedy: str) -> None:
        for name in analytes:
            log.aside(line, column if found else "", what, found, expected, remedy, name)

    try:
        if day:
            since = times.relative_day(day)
            return parse_value(day, how.decimal).value if since is None else since
        if on or at:
            return _dated(on, at, how)
        aside("no time", "", "a day, or a date with or without time", "write when it was measured")
    except times.NotATime as problem:
        aside(str(problem), on or at, "a date with or without time", _remedy(str(problem)))
    except NotANumber as problem:
        aside(problem.what, day, "days since the infusion", problem.remedy)
    return None


def _dated(on: str, at: str, how: Times) -> Moment:
    text = on or at
    if text.startswith(presets.STUDY_DAY):
        raise times.NotATime(
            "a study day counts from the start of the study's treatment, which may not be the infusion"
        )
    since = None if how.form else times.relative_day(text)
    if since is not None:
        if on and at:
            raise times.NotATime("a day counted from the infusion with a time of day beside it")
        return since
    found = times.parse_moment(text, how.order, how.form, how.short)
    return times.with_clock(found, at) if on and at and type(found).__name__ == "date" else found


def _remedy(problem: str) -> str:
    if "apart" in problem:
        return "say date_order = 'dmy' or 'mdy' in a mapping file"
    if "study day" in problem:
        return "give dates; where it counts from the infusion, say so in a mapping file: [columns] LBDY = 'day'"
    if "spreadsheet" in problem:
        return (
            "say date_format = 'excel' in a mapping file (of several forms a list); days since infusion go under 'day'"
        )
    return "write times as 2026-03-05 14:30, or say date_format in a mapping file; days since infusion go under 'day'"


def until_of(cells: list[str], line: int, table: Table, how: Times, log: Log) -> Moment | None:
    """End of the period of a row; None where it says none that can be read."""
    text = _cell(cells, table, "until")
    if not text:
        return None
    try:
        since = times.relative_day(text)
        if since is not None:
            return since
        if not how.form and _DAY.fullmatch(text):
            return parse_value(text, how.decimal).value
        return times.parse_moment(text, how.order, how.form, how.short)
    except (NotANumber, times.NotATime) as problem:
        log.aside(line, "until", str(problem), text, "a day or a date", "write until when it holds, or leave it empty")
        return None
