"""The page of a ward: one line for each patient, the worst of today first, each with its own page behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vein2vein import __version__
from vein2vein.files import check_target, write_text
from vein2vein.io.record.record import Record
from vein2vein.report import page
from vein2vein.report.look import color
from vein2vein.ward.ward_list import WardLine

MOST_DUE = 8  # things that are due which a line names
MOST_ASIDE = 2000  # rows that the page lists one by one


def write_ward_page(
    path: str | Path,
    lines: Sequence[WardLine],
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    pages: Mapping[int, str],
    record: Record,
    ungraded: Sequence[tuple[str, str]] = (),
    *,
    force: bool = False,
) -> Path:
    """Write the list of a ward: one self-contained HTML file beside the pages of its patients.

    Parameters
    ----------
    path : path
    lines : sequence of WardLine
        In the order of the list.
    heads, rows : sequence
        Of the table, a row for each line; the first cell is the patient's name.
    pages : mapping of patient number to str
        Name of the file of each patient's page.
    record : Record
        What was read, for the counts by file and what was set aside.
    ungraded : sequence of (id, why)
    force : bool
        Overwrite an existing file.
    """
    target = check_target(path, force=force)
    return write_text(target, ward_page(lines, heads, rows, pages, record, ungraded), force=force)


def ward_page(
    lines: Sequence[WardLine],
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    pages: Mapping[int, str],
    record: Record,
    ungraded: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the list of a ward as HTML text."""
    table: list[dict[str, Any]] = [
        {
            "page": pages.get(line.patient, ""), "name": row[0], "cells": list(row[1:-1]), "due": row[-1],
            "all_due": list(line.due[:MOST_DUE]), "loud": bool(line.unread),
        }
        for line, row in zip(lines, rows)
    ]  # fmt: skip
    loud = sum(bool(line.unread) for line in lines)
    unknown = sum(bool(line.unknown) for line in lines)
    counts = [(grade, sum(line.grade == grade for line in lines)) for grade in range(5, 0, -1)]
    aside = [str(one) for one in record.set_aside[:MOST_ASIDE]]
    return page.fill(
        "ward.html.j2", title=f"Ward list: {len(lines)} patients", heads=list(heads), rows=table, loud=loud,
        unknown=unknown, counts=[(grade, n) for grade, n in counts if n], ungraded=list(ungraded),
        warnings=list(record.warnings), tallies=record.tallies, aside=aside,
        more=len(record.set_aside) - len(aside), notes=record.notes, version=__version__,
        color=color,
    )  # fmt: skip
