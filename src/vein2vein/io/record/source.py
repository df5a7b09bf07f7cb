"""Files to entries: what one file says, before names of patients and day 0 are settled."""

from __future__ import annotations

from pathlib import Path

from vein2vein.errors import InputError
from vein2vein.io.record import tables
from vein2vein.io.record.fhir import bundle
from vein2vein.io.record.gather import Source
from vein2vein.io.record.mapping import TableMapping, read_mapping
from vein2vein.io.record.record import Log
from vein2vein.io.record.text import read_text

SIDECAR = ".toml"


def read_source(path: Path, mapping: str | Path | TableMapping | None = None) -> Source:
    """The entries of a CSV table or of FHIR R4 resources.

    Raises
    ------
    InputError
        The file is neither, or nothing in it can be used.
    """
    log = Log(str(path))
    how = mapping_of(path, mapping, log)
    text = read_text(path, log, how.encoding)
    try:
        if looks_like_json(text):
            return Source(bundle.read_entries(text, how, log), "FHIR", how, log)
        if looks_like_xml(text):
            raise InputError(
                "is XML; expected CSV or FHIR as JSON. No XML is read here, so no entity in it is ever expanded.",
                file=path,
            )
        entries, kind, decimal = tables.read_entries(text, how, log)
        return Source(entries, kind, how, log, decimal)
    except RecursionError:
        raise InputError("is nested too deeply; expected a table or a FHIR bundle.", file=path) from None


def mapping_of(path: Path, mapping: str | Path | TableMapping | None, log: Log) -> TableMapping:
    """How a file is to be read: as given, else by the TOML file of its name beside it."""
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
