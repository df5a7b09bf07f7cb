"""The rows of a data set: header, delimiter, comments, and the cells of each row as texts and numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vein2vein.errors import InputError
from vein2vein.io.record.record import Log
from vein2vein.io.record.text import find_delimiter, rows
from vein2vein.io.study.columns import (
    Columns,
    Layout,
    below_words,
    comment_signs,
    is_data_set,
    laid_out,
    marks,
    missing_texts,
)

BLANKS = " "  # the delimiter of NONMEM's old tables: any number of blanks
TABLE = "TABLE NO."  # what NONMEM writes above the header of a table
SAMPLE = 200  # lines by which the delimiter is found
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eEdD][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")  # 1,234 and 1.234: a thousand, or a fraction
_BOUND = re.compile(r"([<>])\s*=?\s*(\S+)")
NUMBERS = (
    "time", "dv", "amt", "evid", "mdv", "rate", "duration", "addl", "ii", "ss", "cens", "limit", "blq", "lloq",
)  # fmt: skip
"""Roles whose cells are numbers."""
MARKS = ("mdv", "cens", "blq")
"""Those that may say yes or no."""
DATED = re.compile(r"\d{4}-\d{1,2}-\d{1,2}(?!\d)")
"""How a date in the column of times begins."""


@dataclass(frozen=True)
class Cells:
    """One row of a data set.

    Attributes
    ----------
    line : int
    text : mapping of role to str
        Cells of columns with a role, stripped; "" where the file has a missing value.
    number : mapping of role to float
        Those that hold a number.
    covariates : mapping of column to str
        Stripped; "" where missing.
    bound : int
        -1: the value is written as below a number (``<50``) or the limit (``BLQ``), 1: as above a number; 0 else.
    """

    line: int
    text: Mapping[str, str]
    number: Mapping[str, float]
    covariates: Mapping[str, str]
    bound: int = 0

    def get(self, role: str, empty: float = 0.0) -> float:
        """A number, or what stands for a missing one."""
        return self.number.get(role, empty)


@dataclass(frozen=True)
class Table:
    """A data set as text: what its columns mean, its rows; how many were comments, and how many lost."""

    layout: Layout
    rows: tuple[Cells, ...]
    comments: int = 0
    lost: int = 0


def header_of(text: str) -> tuple[int, list[str], str]:
    """Line, cells and delimiter of the header of a table; a comment sign before the first name is no part of it."""
    lines = text[: SAMPLE * 1000].split("\n")[:SAMPLE]
    listed = [(i, line.rstrip("\r")) for i, line in enumerate(lines, start=1) if line.strip("\r \t")]
    plain = [line for _, line in listed if not line.startswith(("#", TABLE))]
    delimiter = find_delimiter(plain)
    if plain and delimiter not in plain[0]:
        delimiter = BLANKS
    for at, line in listed:
        cells = _header_cells(line.lstrip("#"), delimiter)
        if not line.startswith(("#", TABLE)) or is_data_set(cells):
            return at, cells, delimiter
    return 1, [], delimiter


def _header_cells(line: str, delimiter: str) -> list[str]:
    if delimiter == BLANKS:
        return line.split()
    found = [cells for _, cells in rows(line, delimiter, Log(""))]
    return [cell.strip().strip("\ufeff") for cell in found[0]] if found else []


def read_table(text: str, log: Log, columns: Columns) -> Table:
    """Read the rows of a data set; a row that cannot be read is set aside.

    Parameters
    ----------
    text : str
    log : Log
    columns : Columns

    Raises
    ------
    InputError
        No column holds subjects, times or values.
    """
    at, header, delimiter = header_of(text)
    while header and not header[-1]:
        header.pop()
    layout = laid_out(header, columns, log.file, at)
    if delimiter != ",":
        said = {"\t": "tabulators", ";": "semicolons", BLANKS: "blanks"}.get(delimiter, delimiter)
        log.note(f"columns stand apart by {said}" + ("; NONMEM wants commas or blanks" if delimiter == ";" else ""))
    if text.split("\n")[at - 1].startswith("#"):
        log.note("the header begins with #, which is no part of the first name")
    found, comments, marked, seen, empty = list[Cells](), 0, False, 0, 0
    listed = _listed(text, delimiter, at, log)
    decimal_comma = delimiter != "," and any(_proves_a_comma(cell) for _, cells in listed for cell in cells)
    if decimal_comma:
        log.note("numbers have decimal commas; NONMEM wants points")
    for line, cells in listed:
        if not any(cell.strip() for cell in cells):
            empty += 1  # a spreadsheet writes rows of delimiters alone
            continue
        if _is_comment(cells, layout):
            comments += 1
            continue
        seen += 1
        while len(cells) > len(header) and not cells[-1].strip():
            cells.pop()
        if len(cells) != len(header):
            log.aside(
                line, "", "another number of fields than in the header", len(cells), str(len(header)),
                "complete the row, or quote what holds the delimiter",
            )  # fmt: skip
            continue
        if (pointed := _with_points(line, cells, decimal_comma, layout, log)) is None:
            continue
        if (row := _row(line, pointed, layout, log)) is not None:
            found.append(row)
            marked |= row.bound != 0
    if empty:
        log.note(f"{empty} {'row is' if empty == 1 else 'rows are'} empty and not read")
    if comments:
        log.note(f"{comments} {'row is a comment' if comments == 1 else 'rows are comments'} (C, # or @ first)")
    if marked:
        log.note("values such as <50 and BLQ are read as censored; NONMEM cannot read them")
    if not found and not log.items:
        raise InputError("holds no row below its header.", file=log.file, line=at)
    return Table(layout, tuple(found), comments, seen - len(found))


def _listed(text: str, delimiter: str, header: int, log: Log) -> list[tuple[int, list[str]]]:
    if delimiter == BLANKS:
        lines = enumerate(text.split("\n"), start=1)
        listed = [(i, line.split()) for i, line in lines if line.strip() and not line.startswith("#")]
    else:
        listed = list(rows(text, delimiter, log))
    return [(line, cells) for line, cells in listed if line > header]


def _is_comment(cells: Sequence[str], layout: Layout) -> bool:
    first = cells[0].strip().strip('"').lower() if cells else ""
    if first in comment_signs() or first[:1] in ("#", "@"):
        return True
    words = first.split()
    if len(words) > 1 and words[0] in comment_signs():  # "C a remark": no subject, unless the row is whole
        return len(cells) != len(layout.header) or not any(cell.strip() for cell in cells[1:])
    if "comment" in layout and len(cells) > layout.places["comment"]:
        return cells[layout.places["comment"]].strip().lower() in comment_signs()
    return first == layout.header[0].lower() and len(cells) == len(layout.header)  # the header once more


def _proves_a_comma(cell: str) -> bool:
    """Whether a cell is a number with a decimal comma that cannot be a thousand (``0,5``, not ``1,234``)."""
    text = cell.strip().strip('"').strip().lstrip("<>= ")
    return bool(_DECIMAL_COMMA.fullmatch(text)) and not _THOUSANDS.fullmatch(text)


def _with_points(
    line: int, cells: Sequence[str], decimal_comma: bool, layout: Layout, log: Log
) -> Sequence[str] | None:
    """The cells of a row with decimal points; None where one may be a thousand or a fraction (set aside).

    A comma between digits is the sign of decimals in the whole file once one cell of it can be nothing else; until
    then ``1,234``, and from then on ``1.234``, may be either.
    """
    found = list[str]()
    for place, cell in enumerate(cells):
        text = cell.strip().strip('"').strip()
        bare = text.lstrip("<>= ")
        unsure = bool(_THOUSANDS.fullmatch(bare)) and ("." if decimal_comma else ",") in bare
        if unsure and place in (*layout.places.values(), *layout.covariates.values()):
            log.aside(line, layout.header[place], "a thousand or a fraction", text, "one sign of decimals in the file",
                      "write it with a decimal point, and without a sign between thousands")  # fmt: skip
            return None
        found.append(text.replace(",", ".") if decimal_comma and _DECIMAL_COMMA.fullmatch(bare) else cell)
    return found


def _row(line: int, cells: Sequence[str], layout: Layout, log: Log) -> Cells | None:
    missing = missing_texts()
    held = ["" if (text := cell.strip().strip('"').strip()).lower() in missing else text for cell in cells]
    text = {role: held[place] for role, place in layout.places.items()}
    number, bound = dict[str, float](), 0
    for role in NUMBERS:
        cell = text.get(role, "")
        if not cell or (role == "time" and (":" in cell or "date" in layout or DATED.match(cell))):
            continue
        if role in MARKS and cell.lower() in marks():
            number[role] = marks()[cell.lower()]
            continue
        if role == "dv" and cell.lower() in below_words():
            bound = -1
            continue
        if role == "dv" and (match := _BOUND.fullmatch(cell)):
            bound, cell = (-1 if match[1] == "<" else 1), match[2]
        value = number_of(cell)
        if value is None:
            log.aside(line, layout.name(role), "not a finite number", text[role], "a number or '.'", "correct it")
            return None
        number[role] = value
    if not text["id"]:
        log.aside(line, layout.name("id"), "a row without a subject", cells[layout.places["id"]].strip(), "a number",
                  "say whose row it is")  # fmt: skip
        return None
    return Cells(line, text, number, {name: held[place] for name, place in layout.covariates.items()}, bound)


def number_of(text: str) -> float | None:
    """A finite number as Python or Fortran writes it (``1e8``, ``1D8``); None where the text is none."""
    if not NUMBER.fullmatch(text):
        return None
    value = float(text.lower().replace("d", "e"))
    return value if math.isfinite(value) else None
