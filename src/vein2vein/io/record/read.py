"""The one door for records: finds out what a file is and reads it."""

from __future__ import annotations

from pathlib import Path

from vein2vein import arguments
from vein2vein.errors import InputError
from vein2vein.io.record import tables
from vein2vein.io.record.fhir import bundle
from vein2vein.io.record.gather import gather
from vein2vein.io.record.mapping import TableMapping, read_mapping
from vein2vein.io.record.record import Log, Record
from vein2vein.io.record.text import read_text

SIDECAR = ".toml"


def read_record(path: str | Path, *, mapping: str | Path | TableMapping | None = None) -> Record:
    """Read the record of a patient: a CSV table (long or wide form) or a FHIR R4 bundle (JSON or NDJSON).

    Parameters
    ----------
    path : path
    mapping : path or TableMapping, optional
        How the table is to be read, and what is known of the patient; default: the TOML file beside the record that
        has the same name, where there is one.

    Returns
    -------
    Record
        What could be read; what could not is in ``set_aside``, each with file, line and remedy.

    Raises
    ------
    InputError
        Nothing in the file can be used.
    """
    path = Path(arguments.path_of("path", path))
    log = Log(str(path))
    how = _mapping(path, mapping, log)
    text = read_text(path, log, how.encoding)
    try:
        if looks_like_json(text):
            return gather(bundle.read_entries(text, how, log), "FHIR", how, log)
        if looks_like_xml(text):
            raise InputError(
                "is XML; expected CSV or FHIR as JSON. No XML is read here, so no entity in it is ever expanded.",
                file=path,
            )
        entries, kind, decimal = tables.read_entries(text, how, log)
        return gather(entries, kind, how, log, decimal)
    except RecursionError:
        raise InputError("is nested too deeply; expected a table or a FHIR bundle.", file=path) from None


def _mapping(path: Path, mapping: str | Path | TableMapping | None, log: Log) -> TableMapping:
    if isinstance(mapping, TableMapping):
        return mapping
    if mapping is not None:
        return read_mapping(mapping)
    beside = path.with_suffix(SIDECAR)
    if beside != path and beside.is_file():
        log.note(f"read with the mapping {beside.name} beside it")
        return read_mapping(beside)
    return TableMapping()


def looks_like_json(text: str) -> bool:
    """Whether a text begins as JSON does."""
    return text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")


def looks_like_xml(text: str) -> bool:
    """Whether a text begins as XML or HTML does."""
    return text.lstrip("\ufeff \t\r\n")[:1] == "<"


def example_record_text() -> str:
    """An annotated record, for the user to change."""
    return Path(__file__).with_name("example_record.csv").read_text(encoding="utf-8")
