"""A file -> a Study or a Record: population data sets are told from ward records by their header."""

from __future__ import annotations

from pathlib import Path

from vein2vein import arguments
from vein2vein.io.record.entries import looks_like_json, mapping_of
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.read import read_record
from vein2vein.io.record.record import Log, Record
from vein2vein.io.record.text import name_of, read_text
from vein2vein.io.study.columns import Columns, has_columns_beside, is_data_set
from vein2vein.io.study.read import read_study
from vein2vein.io.study.study import Study
from vein2vein.io.study.table import header_of


def read_source(
    path: str | Path, mapping: str | Path | TableMapping | None = None, columns: Columns | None = None
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

    Raises
    ------
    InputError
        It is neither.
    """
    path = Path(arguments.path_of("path", path))
    if columns is not None or (has_columns_beside(path) and mapping is None):
        return read_study(path, columns=columns)
    log = Log(name_of(path))
    how = mapping_of(path, mapping, log)
    text = read_text(path, log, how.encoding)
    if not looks_like_json(text) and not how.columns and is_data_set(header_of(text)[1]):
        return read_study(path)
    return read_record(path, mapping=mapping)
