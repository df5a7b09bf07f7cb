"""The mapping with which a table would be read, as a mapping file: what was found, and what is left to say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vein2vein import units
from vein2vein.analytes import all_analytes
from vein2vein.errors import InputError
from vein2vein.io.record import names, times
from vein2vein.io.record.headers import columns_of, near_names, split_name
from vein2vein.io.record.mapping import ROLES, TableMapping
from vein2vein.io.record.pointing import points_to
from vein2vein.io.record.presets import all_presets, find_preset, read_columns
from vein2vein.io.record.record import Log
from vein2vein.io.record.tables import Table, read_table, times_of
from vein2vein.io.record.text import find_delimiter, read_text, rows
from vein2vein.io.record.values import NotANumber, parse_value
from vein2vein.io.study.columns import is_data_set
from vein2vein.toml_lines import written

SAMPLE = 40  # rows by which the columns of an unknown header are guessed
MOST_NAMES = 60  # names of the rows that a proposal lists
EXAMPLE = "2026-03-05T10:00:00"


@dataclass(frozen=True)
class Proposal:
    """A mapping that reads a table as it would be read without one.

    Attributes
    ----------
    summary : tuple of str
        In words: preset or form, columns, what is not known.
    text : str
        The mapping file (TOML).
    """

    summary: tuple[str, ...]
    text: str


def propose(path: str | Path, mapping: TableMapping) -> Proposal:
    """The mapping with which a CSV table would be read.

    Parameters
    ----------
    path : path
    mapping : TableMapping
        What is known already; it is kept.

    Raises
    ------
    InputError
        No table.
    """
    log = Log(str(path))
    text = read_text(path, log, mapping.encoding)
    try:
        table = read_table(text, mapping, log)
    except InputError:
        if found := _guessed(text, mapping, path):
            return found
        raise
    how = times_of(table, mapping)
    header = _header(text, table.delimiter)
    lines = [f"# How {Path(path).name[:80]!r} is read. Lines with '#' are left to say: take the sign away and fill in."]
    summary: list[str] = []
    if table.preset:
        preset = all_presets()[table.preset]
        lines.append(f"preset = {written(table.preset)}  # {preset.title}")
        summary.append(f"preset {table.preset}: {preset.title}")
    else:
        lines.append(f"form = {written(table.form)}")
        summary.append(f"{table.form} table")
    lines.append(f"delimiter = {written(table.delimiter)}")
    if table.decimal in (".", ","):
        lines.append(f"decimal = {written(table.decimal)}")
    lines += [f"encoding = {written(mapping.encoding)}"] if mapping.encoding else []
    lines += _of_times(mapping, how.order, how.form)
    known, unknown = _of_preset(header, table, mapping) if table.preset else _of_columns(header, mapping)
    summary += [f"columns: {', '.join(known)}"[:300]] if known else []
    summary += [f"columns that are not known: {', '.join(unknown)}"[:300]] if unknown else []
    lines += _columns(header, table, mapping, unknown)
    own, strange = _names(table, mapping)
    lines += own
    summary += [f"names that are not known: {', '.join(strange)}"[:300]] if strange else []
    lines += _rest(mapping, table)
    return Proposal(tuple(summary), "\n".join(lines) + "\n")


def _guessed(text: str, mapping: TableMapping, path: str | Path) -> Proposal | None:
    """For a table whose header says nothing: what its columns may be, by what stands in them; None for no table."""
    delimiter = mapping.delimiter or find_delimiter([line for line in text[:100_000].splitlines() if line.strip()])
    listed = [cells[:MOST_NAMES] for _, cells in islice(rows(text, delimiter, Log("")), SAMPLE)]
    header = listed[0] if listed else []
    if len(header) < 2 or len(listed) < 2 or is_data_set(header):
        return None
    columns = {c: [cells[c].strip() for cells in listed[1:] if len(cells) > c] for c in range(len(header))}
    guesses = [(header[c].strip(), _role(cells)) for c, cells in columns.items()]
    lines = [
        f"# How {Path(path).name[:80]!r} may be read, guessed from what stands in its columns. Take the signs away",
        "# where it is right, and correct what is not: time, date, day, name, value, unit, patient, an analyte, ignore",
        f"delimiter = {written(delimiter)}",
        "",
        "[columns]",
        *(f"# {written(cell)} = {written(role)}" for cell, role in guesses if cell and cell.isprintable()),
    ]
    told = ", ".join(f"{cell} = {role}" for cell, role in guesses if role != "ignore")
    return Proposal(
        (f"not readable as it is; its columns may be: {told or 'nothing that is known'}"[:300],),
        "\n".join(lines) + "\n",
    )


def _role(cells: list[str]) -> str:
    """What a column may hold: most of its cells are times, names, numbers or units."""
    filled = [cell for cell in cells if cell]
    if not filled:
        return "ignore"
    for role, holds in (("time", _is_time), ("value", _is_number), ("name", _is_name), ("unit", units.is_unit)):
        if sum(map(holds, filled)) > len(filled) / 2:
            return role
    return "ignore"


def _is_time(text: str) -> bool:
    try:
        return bool(times.parse_moment(text, "dmy"))
    except times.NotATime:
        return False


def _is_number(text: str) -> bool:
    try:
        return bool(parse_value(text, ".")) and not text.isalpha()
    except NotANumber:
        return False


def _is_name(text: str) -> bool:
    return bool(split_name(text, {})[0])


def _header(text: str, delimiter: str) -> list[str]:
    cells = next((cells for _, cells in rows(text, delimiter, Log(""))), list[str]())
    return [cell.strip().strip("\ufeff") for cell in cells]


def _target(name: str, mapping: TableMapping) -> str:
    """What a column or name stands for, with the unit that the mapping gives it."""
    unit = mapping.name_units.get(name, "")
    return f"{{ analyte = {written(name)}, unit = {written(unit)} }}" if unit else written(name)


def _of_times(mapping: TableMapping, order: str | None, form: str | tuple[str, ...]) -> Iterable[str]:
    if mapping.date_format:
        given = mapping.date_format
        yield f"date_format = {written(given)}"
    elif form in times.EXCEL:
        yield f"date_format = {written(str(form))}"
    if mapping.date_order:
        yield f"date_order = {written(mapping.date_order)}"
    elif order:
        yield f"# date_order = {written(order)}  # as the dates of the file show; say it, and 3/6/26 is read, too"
    if mapping.zone is not None:
        yield f"time_zone = {written(str(mapping.zone))}"
    else:
        yield '# time_zone = "Europe/Berlin"'


def _of_preset(header: list[str], table: Table, mapping: TableMapping) -> tuple[list[str], list[str]]:
    preset = find_preset(header, table.preset)
    at = read_columns(preset, header, mapping.columns) if preset else {}
    found = [
        f"{header[c]} = {role}" for role, columns in at.items() for c in columns if c >= 0 and role in (*ROLES, "code")
    ]
    return list(dict.fromkeys(found)), []


def _of_columns(header: list[str], mapping: TableMapping) -> tuple[list[str], list[str]]:
    found = columns_of(header, 1, mapping, Log(""), ())
    roles = [f"{header[c]} = {role}" for role, columns in found.roles.items() for c in columns]
    items = [f"{header[c]} = {name}{f' [{unit}]' if unit else ''}" for c, (name, unit) in found.items.items()]
    strange = [cell for cell in found.unknown.values()]
    strange += [header[c] for c, why in found.ignored.items() if why == "not known"]
    return [*roles, *items], strange


def _columns(header: list[str], table: Table, mapping: TableMapping, unknown: list[str]) -> Iterable[str]:
    yield ""
    yield "[columns]"
    if table.preset:
        yield from (f"{written(form)} = {_target(role, mapping)}" for form, role in mapping.columns.items())
        return
    found = columns_of(header, 1, mapping, Log(""), ())
    targets = {c: role for role, columns in found.roles.items() for c in columns}
    targets |= {c: name for c, (name, _) in found.items.items()}
    done: set[str] = set()
    for column, cell in enumerate(header):
        form = names.normal(cell)
        target = targets.get(column) or mapping.columns.get(form, "")
        if not form or form in done or not cell.isprintable():
            continue
        done.add(form)
        if target in (*ROLES, *names.FACTS, *all_analytes()):
            yield f"{written(cell)} = {_target(target, mapping)}"
        elif cell in unknown:
            guess = (*points_to(*names.split_header(cell)), *near_names(cell), "ignore")[0]
            yield f"# {written(cell)} = {written(guess)}"


def _names(table: Table, mapping: TableMapping) -> tuple[list[str], list[str]]:
    """Lines of [analytes], and the names of the rows that are not known."""
    own = [f"{written(name)} = {_target(analyte, mapping)}" for name, analyte in mapping.names.items()]
    strange: list[str] = []
    if table.form == "long":
        columns = table.roles["name"]
        labels = dict.fromkeys(text for _, cells in table.rows for c in columns[:1] if (text := cells[c].strip()))
        labels = {label: None for label in labels if label.isprintable()}
        for label in labels:
            if not split_name(label, mapping.names)[0] and not any(
                split_name(cells[c].strip(), mapping.names)[0]
                for c in columns[1:]
                for _, cells in table.rows[:MOST_NAMES]
                if cells[columns[0]].strip() == label
            ):
                strange.append(label[:80])
    guesses = {one: (*points_to(one, place=table.place), *near_names(one)) for one in strange[:MOST_NAMES]}
    lines = [f"# {written(one)} = {written(guess[0] if guess else 'analyte')}" for one, guess in guesses.items()]
    return (["", "[analytes]", *own, *lines] if own or lines else []), strange[:MOST_NAMES]


def _rest(mapping: TableMapping, table: Table) -> Iterable[str]:
    if mapping.units:
        yield from ("", "[units]", *(f"{written(own)} = {written(unit)}" for own, unit in mapping.units.items()))
    if mapping.lloq:
        yield from ("", "[lloq]", *(f"{written(name)} = {value!r}" for name, value in mapping.lloq.items()))
    for name, words in mapping.words.items():
        yield from ("", f"[words.{name}]", *(f"{written(word)} = {value!r}" for word, value in words.items()))
    yield from ("", "[patient]")
    yield from (f"{key} = {written(value)}" for key, value in mapping.patient.items())
    yield from (
        f"# {key} = {example}"
        for key, example in (("infusion", EXAMPLE), ("age", '"54 years"'), ("weight", '"70 kg"'))
        if key not in mapping.patient
    )
    yield from ("", "[infusions]  # of several patients, where the file does not say it")
    yield from (f"{written(label)} = {written(when)}" for label, when in mapping.infusions.items())
    at = table.roles.get("patient", (-1,))[0]
    labels = list(dict.fromkeys(cells[at].strip() for _, cells in table.rows if at >= 0))
    yield from (f"# {written(label)} = {EXAMPLE}" for label in labels[:MOST_NAMES] if label.isprintable())
