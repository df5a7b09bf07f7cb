"""A file -> a Study or a Record: population data sets are told from ward records by their header."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vein2vein import arguments, units
from vein2vein.io.record.entries import looks_like_json, mapping_of
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.read import read_record
from vein2vein.io.record.record import Log, Record
from vein2vein.io.record.text import is_stdin, name_of, read_text
from vein2vein.io.study.columns import Columns, columns_beside, has_columns_beside, is_data_set
from vein2vein.io.study.read import read_study
from vein2vein.io.study.study import Study
from vein2vein.io.study.table import header_of


def read_source(
    path: str | Path,
    mapping: str | Path | TableMapping | None = None,
    columns: Columns | None = None,
    time_unit: str | None = None,
) -> Study | Record:
    """Read a population data set, or the record of one or more patients on a ward (a table or FHIR).

    Parameters
    ----------
    path : path
        "-" is the standard input.
    mapping : path or TableMapping, optional
        How a ward record is to be read; with one that names columns the file is read as a ward record.
    columns : Columns, optional
        What differs from the usual names of a data set; with them the file is read as one.
    time_unit : str, optional
        Unit of the times of a data set; dates and times of the clock are converted to it.

    Raises
    ------
    InputError
        It is neither.
    """
    path = Path(arguments.path_of("path", path))
    if columns is not None or (has_columns_beside(path) and mapping is None):
        return read_study(path, columns=_in_unit(columns, path, time_unit))
    log = Log(name_of(path))
    how = mapping_of(path, mapping, log)
    text = read_text(path, log, how.encoding)
    if not looks_like_json(text) and not how.columns and is_data_set(header_of(text)[1]):
        return read_study(path, columns=_in_unit(columns, path, time_unit))
    return read_record(path, mapping=mapping)


def _in_unit(columns: Columns | None, path: Path, time_unit: str | None) -> Columns | None:
    if time_unit is None:
        return columns
    units.convert(1.0, time_unit, "day")
    known = columns or (Columns() if is_stdin(path) else columns_beside(path)[0])
    return replace(known, time=replace(known.time, unit=time_unit))
