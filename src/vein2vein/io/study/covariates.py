"""Covariates of a data set: constant or in time, numbers or words, and what stands for a value that is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vein2vein.io.record.record import Log, plain
from vein2vein.io.study.columns import Columns, Layout
from vein2vein.io.study.doses import number_text
from vein2vein.io.study.study import Covariate, Floats, counted
from vein2vein.io.study.table import NUMBER, Cells, number_of

USUAL_MISSING = (-99.0, -999.0)  # of NONMEM's users, who have no empty cell
MOST_CATEGORIES = 50  # words of one column that a study keeps as categories


class Placed:
    """A row with its subject, its course (-1: none) and its time, as the study numbers them."""

    __slots__ = ("course", "row", "subject", "time")

    def __init__(self, row: Cells, subject: int, course: int, time: float) -> None:
        self.row, self.subject, self.course, self.time = row, subject, course, time


def covariates_of(
    rows: Sequence[Placed], subjects: int, courses: int, layout: Layout, columns: Columns, log: Log
) -> dict[str, Covariate]:
    """The covariates of all columns without another meaning.

    Parameters
    ----------
    rows : sequence of Placed
        Every row that could be read, in the order of the file.
    subjects, courses : int
    layout : Layout
    columns : Columns
    log : Log
    """
    found: dict[str, Covariate] = {}
    for name in layout.covariates:
        cells = [one.row.covariates[name] for one in rows]
        if not any(cells):
            log.note(f"{name} is empty and is not read")
            continue
        values, categories = _values(name, cells, rows, columns, log)
        if len(categories) > MOST_CATEGORIES:
            log.note(f"{name} holds {len(categories)} different words: a remark, which is not read")
            continue
        if values is not None:
            found[name] = _covariate(name, values, categories, rows, subjects, courses, log)
    return found


def _values(
    name: str, cells: Sequence[str], rows: Sequence[Placed], columns: Columns, log: Log
) -> tuple[Floats | None, tuple[str, ...]]:
    """Cells as numbers (NaN: not known), and the words for them where the column holds categories."""
    codes = {number_text(code): word for code, word in columns.codes.get(name, {}).items()}
    numbers = [number_of(cell) if cell else None for cell in cells]
    words: dict[str, int] = {}
    for cell, number, one in zip(cells, numbers, rows):
        if cell and number is None:
            words.setdefault(cell, one.row.line)
    endless = [cell for cell in words if cell.lower().lstrip("+-") in ("inf", "infinity") or NUMBER.fullmatch(cell)]
    if endless and len(endless) == len(words):
        for cell in endless:
            log.aside(words[cell], name, "not a finite number", cell, "a number or '.'", "correct it")
        return None, ()
    standing = set(columns.missing)
    if not words and not columns.missing:
        known = {number for number in numbers if number is not None}
        used = [one for one in USUAL_MISSING if one in known and min(known - set(USUAL_MISSING), default=0.0) >= 0]
        standing = set(used)
        if used:
            log.note(f"{name} {' and '.join(f'{one:g}' for one in used)} is read as not known")
    if codes:
        unknown = {number_text(cell) for cell, n in zip(cells, numbers) if cell and n not in standing} - codes.keys()
        for code in sorted(unknown):
            line = next(one.row.line for cell, one in zip(cells, rows) if number_text(cell) == code)
            log.aside(line, name, "a code without a word", code, f"one of {', '.join(list(codes)[:6])}",
                      f"add it to codes.{name}, or correct it")  # fmt: skip
        if unknown:
            return None, ()
        told = tuple(dict.fromkeys(codes.values()))
        return _array([_at(told, codes[number_text(c)]) if c and n not in standing else None
                       for c, n in zip(cells, numbers)]), told  # fmt: skip
    if not words:
        return _array([None if n in standing else n for n in numbers]), ()
    if any(number is not None for number in numbers):
        first = next(iter(words))
        log.note(
            f"{name} holds words beside numbers ('{plain(first)}' in line {words[first]}): read as categories, not as "
            "numbers"
        )
    told = tuple(sorted({cell for cell in cells if cell}))
    return _array([_at(told, cell) if cell else None for cell in cells]), told


def _at(words: Sequence[str], word: str) -> float:
    return float(words.index(word))


def _array(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _covariate(
    name: str,
    values: Floats,
    categories: tuple[str, ...],
    rows: Sequence[Placed],
    subjects: int,
    courses: int,
    log: Log,
) -> Covariate:
    held: dict[int, float] = {}
    changes: tuple[int, str] = (0, "")
    empty = False
    for value, one in zip(values, rows):
        if np.isnan(value):
            empty = True
            continue
        if held.setdefault(one.subject, float(value)) != value and not changes[1]:
            changes = (one.row.line, one.row.text["id"])
    if not changes[1]:
        constant = np.array([held.get(i, np.nan) for i in range(subjects)])
        if empty and held and all(i in held for i in range(subjects)):
            log.note(
                f"{name} stands in some rows of a subject only, and holds for all of them; NONMEM reads 0 elsewhere"
            )
        lacking = subjects - len(held)
        if lacking:
            log.note(f"{name} is not known of {counted(lacking, 'subject')}")
        return Covariate(name, constant, categories)
    log.note(f"{name} changes within a subject, first in line {changes[0]} (subject {plain(changes[1])}): read in time")
    return Covariate(name, None, categories, _in_time(values, rows, courses))


def _in_time(values: Floats, rows: Sequence[Placed], courses: int) -> tuple[tuple[Floats, Floats], ...]:
    """Of each course the times at which the value changes, and the values."""
    listed: Mapping[int, list[tuple[float, float]]] = {course: [] for course in range(courses)}
    for value, one in zip(values, rows):
        if one.course >= 0 and not np.isnan(value):
            listed[one.course].append((one.time, float(value)))
    found: list[tuple[Floats, Floats]] = []
    for course in range(courses):
        kept: list[tuple[float, float]] = []
        for time, value in sorted(listed[course], key=lambda pair: pair[0]):
            if kept and kept[-1][0] == time:
                kept[-1] = (time, value)
            elif not kept or kept[-1][1] != value:
                kept.append((time, value))
        found.append((_array([time for time, _ in kept]), _array([value for _, value in kept])))
    return tuple(found)
