"""Tables as the text of CSV files: numbers with all their digits, empty where none is known."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from vein2vein.io.record.write import safe_cell

DIGITS = 8


def rows_text(rows: Iterable[Mapping[str, object]]) -> str:
    """Rows with the same names."""
    listed = list(rows)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    if listed:
        writer.writerow([safe_cell(name) for name in listed[0]])
        writer.writerows([[_cell(value) for value in row.values()] for row in listed])
    return stream.getvalue()


def columns_text(columns: Mapping[str, NDArray[np.generic]]) -> str:
    """Columns of the same length."""
    names = list(columns)
    return rows_text(dict(zip(names, row)) for row in zip(*(columns[name].tolist() for name in names)))


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if value != value else f"{value:.{DIGITS}g}"
    return safe_cell(value)
