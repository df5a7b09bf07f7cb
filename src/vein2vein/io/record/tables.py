"""Records as CSV: the long form (one value in each row) and the wide form (one time in each row)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from vein2vein import units
from vein2vein.analytes import all_analytes
from vein2vein.errors import InputError, nearest
from vein2vein.io.record import names, times
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.record import Entry, Log, Moment
from vein2vein.io.record.text import find_delimiter, rows
from vein2vein.io.record.values import NotANumber, decimal_of, is_formula, parse_value

MOST_ROWS = 500_000
MOST_HINTS = 100  # unknown names for which near ones are looked up
SAMPLE = 200  # lines from which the delimiter is found
DATED_SAMPLE = 5000  # dates from which the order of day and month is found
_BLOOD_PRESSURE = re.compile(r"\s*(\d{2,3})\s*/\s*(\d{2,3})\s*")
WEIGHT, WHEN = "weight", ("day", "date", "time")
TIMELESS = ("age", "birth_date", "sex", "height", "disease", "product")


@dataclass(frozen=True)
class Table:
    """Rows of a CSV file under their header."""

    header: tuple[str, ...]
    roles: Mapping[str, tuple[int, ...]]
    items: Mapping[int, tuple[str, str]]  # column -> analyte or fact, unit (wide form)
    form: str
    rows: list[tuple[int, list[str]]]
    decimal: str | None
    extra: Mapping[str, int] = field(default_factory=dict[str, int])


class Times(NamedTuple):
    """How the times of a table are read."""

    order: str | None
    form: str
    decimal: str | None


def read_entries(text: str, mapping: TableMapping, log: Log) -> tuple[list[Entry], str, str | None]:
    """Entries of a CSV text, its form, and its decimal sign."""
    table = read_table(text, mapping, log)
    return entries_of(table, mapping, log), f"{table.form} table", table.decimal


def entries_of(table: Table, mapping: TableMapping, log: Log) -> list[Entry]:
    """Entries of a table."""
    return (_long if table.form == "long" else _wide)(table, mapping, log)


def read_table(text: str, mapping: TableMapping, log: Log, extra: Iterable[str] = ()) -> Table:
    """Find delimiter, header, roles and form of a CSV text and cut it into rows.

    Parameters
    ----------
    extra : iterable of str
        Further column names (normal form) that the caller reads; see ``Table.extra``.

    Raises
    ------
    InputError
        No header that says what the columns are.
    """
    sample = [line for line in text[:200_000].split("\n")[: SAMPLE * 2] if line.strip() and not line.startswith("#")]
    delimiter = mapping.delimiter or find_delimiter([line.rstrip("\r") for line in sample[:SAMPLE]])
    listed = rows(text, delimiter, log)
    nothing: tuple[int, list[str]] = (0, [])
    number, header = next(listed, nothing)
    header = [cell.strip().strip("\ufeff") for cell in header]
    roles, items, further = _columns(header, number, mapping, log, tuple(extra))
    form = mapping.form or ("long" if "name" in roles and "value" in roles else "wide")
    if form == "long" and not ("name" in roles and "value" in roles):
        raise InputError(
            "the long form needs a column for the name and one for the value; expected a header such as "
            "'time,analyte,value,unit'.",
            file=log.file,
            line=number or 1,
        )
    if not any(role in roles for role in ("day", "date", "time")) or (form == "wide" and not (items or further)):
        raise InputError(
            f"found the header '{', '.join(header)[:200]}', expected one with a time ('day', 'date' or 'time') and "
            "either 'analyte,value,unit' or one column for each analyte such as 'ferritin [ug/L]'; "
            "write such a header, or name the columns in a mapping file.",
            file=log.file,
            line=number or 1,
        )
    kept = _fitting(listed, header, log)
    return Table(
        tuple(header), roles, items, form, kept, _decimal(kept, roles, items, form, mapping, delimiter), further
    )


def _columns(
    header: list[str], line: int, mapping: TableMapping, log: Log, extra: tuple[str, ...]
) -> tuple[dict[str, tuple[int, ...]], dict[int, tuple[str, str]], dict[str, int]]:
    known = names.vocabulary()
    roles: dict[str, tuple[int, ...]] = {}
    items: dict[int, tuple[str, str]] = {}
    further: dict[str, int] = {}
    long = {known.columns.get(names.normal(cell)) for cell in header} >= {"name", "value"} or mapping.form == "long"
    for index, cell in enumerate(header):
        form = names.normal(cell)
        bare, unit = names.split_header(cell)
        target = mapping.columns.get(form) or mapping.columns.get(names.normal(bare), "")
        if form in extra or names.normal(bare) in extra:
            further[form if form in extra else names.normal(bare)] = index
        elif target == "ignore" or form in known.ignored or not form:
            continue
        elif form in known.identifiers:
            log.note("columns with names, addresses or other identifiers are in the file; they were not read")
        elif target in all_analytes() or target in names.FACTS:
            items[index] = (target, unit or mapping.name_units.get(target, ""))
        elif role := target or known.columns.get(form) or _role(names.normal(bare), unit):
            if role not in roles or role in ("name",):
                roles[role] = (*roles.get(role, ()), index)
        elif not long and (name := _item(cell, bare, mapping)):
            items[index] = (name, unit if names.find_name(cell, mapping.names) == "" or units.is_unit(unit) else "")
        elif not is_formula(cell):
            close = nearest(cell[:80], (*all_analytes(),), 2) if index < MOST_HINTS else []
            hint = f"did you mean {' or '.join(close)}?" if close else "name it in a mapping file or leave it out"
            if not long:
                log.aside(line, cell, "a column that is not known; its values were not read", cell, "an analyte", hint)
            else:
                log.note("columns that are not known were not read: see the documentation of records")
        else:
            log.aside(
                line, "", "a column header is a spreadsheet formula", cell, "a name", "write the name of the column"
            )
    return roles, items, further


def _role(bare: str, unit: str) -> str:
    return "day" if bare in ("day", "days", "time") and unit.lower() in ("day", "days", "d") else ""


def _item(cell: str, bare: str, mapping: TableMapping) -> str:
    return names.find_name(cell, mapping.names) or names.find_name(bare, mapping.names)


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
        elif len(cells) < width:
            log.aside(
                number,
                "",
                "the line ends early",
                f"{len(cells)} cells",
                f"{width} cells as in the header",
                "complete the line or export the file again",
            )
        else:
            log.aside(
                number,
                "",
                "the line has too many cells",
                f"{len(cells)} cells",
                f"{width} cells as in the header",
                "put quotes round a cell that holds the delimiter, or say delimiter and decimal in a mapping file",
            )
    return kept


def _decimal(
    kept: list[tuple[int, list[str]]],
    roles: Mapping[str, tuple[int, ...]],
    items: Mapping[int, tuple[str, str]],
    form: str,
    mapping: TableMapping,
    delimiter: str,
) -> str | None:
    if mapping.decimal:
        return mapping.decimal
    columns = [*roles.get("value", ()), *roles.get("day", ()), *(items if form == "wide" else ())]
    found = decimal_of(cells[c] for _, cells in kept for c in columns)
    return found or (None if delimiter == ";" else ".")


def times_of(table: Table, mapping: TableMapping) -> Times:
    """How the times of this table are to be read."""
    columns = [c for role in ("date", "time", "until") for c in table.roles.get(role, ())]
    texts = (cells[c] for _, cells in table.rows[:DATED_SAMPLE] for c in columns)
    return Times(mapping.date_order or times.order_of(texts), mapping.date_format, table.decimal)


def _cell(cells: list[str], table: Table, role: str) -> str:
    columns = table.roles.get(role)
    return cells[columns[0]].strip() if columns else ""


def moment_of(cells: list[str], line: int, table: Table, how: Times, log: Log) -> Moment | None:
    """Time of a row; None where it has none that can be read (it is then set aside)."""
    day, on, at = (_cell(cells, table, role) for role in ("day", "date", "time"))
    column = "day" if day else "date" if on else "time"
    try:
        if day:
            return parse_value(day, how.decimal).value
        if on:
            found = times.parse_moment(on, how.order, how.form)
            return times.with_clock(found, at) if at and type(found).__name__ == "date" else found
        if at:
            return times.parse_moment(at, how.order, how.form)
        log.aside(line, "", "no time", "", "a day, or a date with or without time", "write when it was measured")
    except times.NotATime as problem:
        remedy = (
            "say date_order = 'dmy' or 'mdy' in a mapping file"
            if "apart" in str(problem)
            else (
                "write times as 2026-03-05 14:30, or say date_format in a mapping file; days since infusion "
                "go under 'day'"
            )
        )
        log.aside(line, column, str(problem), on or at, "a date with or without time", remedy)
    except NotANumber as problem:
        log.aside(line, column, problem.what, day, "days since the infusion", problem.remedy)
    return None


def _until(cells: list[str], line: int, table: Table, how: Times, log: Log) -> Moment | None:
    text = _cell(cells, table, "until")
    if not text:
        return None
    try:
        return (
            parse_value(text, how.decimal).value
            if re.fullmatch(r"-?[\d.,]+", text) and "-" not in text[1:] and (text.count(".") < 2)
            else times.parse_moment(text, how.order, how.form)
        )
    except (NotANumber, times.NotATime) as problem:
        log.aside(line, "until", str(problem), text, "a day or a date", "write until when it holds, or leave it empty")
        return None


def _long(table: Table, mapping: TableMapping, log: Log) -> list[Entry]:
    how = times_of(table, mapping)
    found: list[Entry] = []
    unknown_names: dict[str, list[int]] = {}
    name_columns, value_column = table.roles["name"], table.roles["value"][0]
    for line, cells in table.rows:
        label = next((cells[c].strip() for c in name_columns if cells[c].strip()), "")
        name = next((n for c in name_columns if (n := names.find_name(cells[c], mapping.names))), "")
        value = cells[value_column].strip()
        if not label and not value:
            continue
        if not name:
            if is_formula(label):
                log.aside(
                    line,
                    "name",
                    "a spreadsheet formula, not a name",
                    label,
                    "an analyte",
                    "export values, not formulas",
                )
            else:
                unknown_names.setdefault(label, []).append(line)
            continue
        constant = name in TIMELESS or (name == WEIGHT and not any(_cell(cells, table, role) for role in WHEN))
        when = None if constant else _infusion_time(cells, line, table, how, log, name, value)
        if when is None and not constant and not (name == "infusion" and value):
            continue
        found.append(
            Entry(
                _cell(cells, table, "patient"),
                when,
                name,
                _first_pressure(name, value),
                _cell(cells, table, "unit"),
                line,
                table.header[value_column],
                _cell(cells, table, "author"),
                _cell(cells, table, "comment"),
                _until(cells, line, table, how, log),
                _cell(cells, table, "limit"),
            )
        )
    _say_unknown(unknown_names, log)
    return found


def _infusion_time(
    cells: list[str], line: int, table: Table, how: Times, log: Log, name: str, value: str
) -> Moment | None:
    """The time of a row; a row that says when the infusion was may have the time as its value."""
    if name != "infusion" or any(_cell(cells, table, role) for role in WHEN):
        return moment_of(cells, line, table, how, log)
    try:
        return times.parse_moment(value, how.order, how.form)
    except times.NotATime as problem:
        log.aside(
            line, "value", str(problem), value, "the date or time of the infusion", "write it as 2026-03-05 14:30"
        )
        return None


def _say_unknown(unknown_names: Mapping[str, list[int]], log: Log) -> None:
    for count, (label, lines) in enumerate(unknown_names.items()):
        close = nearest(label[:80], (*all_analytes(), *names.FACTS), 2) if count < MOST_HINTS else []
        hint = (
            f"did you mean {' or '.join(close)}? Else name it in a mapping file"
            if close
            else ("name it in a mapping file if vein2vein should read it")
        )
        rows_said = "" if len(lines) == 1 else f" ({len(lines)} rows)"
        log.aside(
            lines[0], "name", f"not an analyte that vein2vein knows{rows_said}", label, "an analyte or LOINC code", hint
        )


def _wide(table: Table, mapping: TableMapping, log: Log) -> list[Entry]:
    how = times_of(table, mapping)
    found: list[Entry] = []
    annotated = [role for role in ("author", "comment") if role in table.roles]
    for line, cells in table.rows:
        filled = [(c, text) for c in table.items if (text := cells[c].strip())]
        if not filled:
            continue
        when = moment_of(cells, line, table, how, log)
        if when is None:
            continue
        patient, limit = _cell(cells, table, "patient"), _cell(cells, table, "limit")
        notes = {role: _cell(cells, table, role) for role in annotated}
        until = _until(cells, line, table, how, log)
        for column, text in filled:
            name, unit = table.items[column]
            at = _row_infusion(name, text, how, line, log) if name == "infusion" else when
            if at is not None:
                found.append(
                    Entry(
                        patient,
                        at,
                        name,
                        _first_pressure(name, text),
                        unit,
                        line,
                        table.header[column],
                        notes.get("author", ""),
                        notes.get("comment", ""),
                        until,
                        limit,
                    )
                )
    return found


def _row_infusion(name: str, text: str, how: Times, line: int, log: Log) -> Moment | None:
    try:
        return times.parse_moment(text, how.order, how.form)
    except times.NotATime as problem:
        log.aside(line, name, str(problem), text, "the date or time of the infusion", "write it as 2026-03-05 14:30")
        return None


def _first_pressure(name: str, text: str) -> str:
    """The systolic part of a pressure written as 120/80."""
    if name == "systolic_bp" and (match := _BLOOD_PRESSURE.fullmatch(text)):
        return match[1]
    return text
