"""A file -> entries: finds out what it is, and reads it as a table or as FHIR; patients and day 0 come later."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from vein2vein.errors import InputError
from vein2vein.io.record import tables
from vein2vein.io.record.fhir import bundle
from vein2vein.io.record.kinds import LOOKED_AT
from vein2vein.io.record.mapping import TableMapping, read_mapping
from vein2vein.io.record.record import Entry, Log
from vein2vein.io.record.text import is_stdin, read_text

SIDECAR = ".toml"
MOST_KINDS = 5  # kinds of resources that a sentence names
_JSON = re.compile(r"\{(?!\\)|\[\s*(?![A-Z])")
_KIND = re.compile(r'"resourceType"\s*:\s*"([A-Za-z]{1,40})"')


class FileEntries(NamedTuple):
    """What one file says: its entries, what it is, how it was read, and its decimal sign."""

    entries: list[Entry]
    kind: str
    mapping: TableMapping
    decimal: str | None = "."


def read_entries(path: Path, log: Log, mapping: str | Path | TableMapping | None = None) -> FileEntries:
    """The entries of a CSV table or of FHIR R4 resources.

    Parameters
    ----------
    path : Path
        "-" is the standard input.
    log : Log
        Its counts tell what was not read: rows, names not known, nothing measured, columns not read.
    mapping : path or TableMapping, optional
        Default: the TOML file beside the file that has the same name, where there is one.

    Raises
    ------
    InputError
        The file is neither, or nothing in it can be used.
    """
    how = mapping_of(path, mapping, log)
    text = read_text(path, log, how.encoding)
    try:
        if looks_like_json(text):
            return FileEntries(_with_infusions(_of_json(text, how, log), how, log), "FHIR", how)
        entries, kind, decimal = tables.read_entries(text, how, log)
        return FileEntries(_with_infusions(entries, how, log), kind, how, decimal)
    except RecursionError:
        raise InputError("is nested too deeply; expected a table or a FHIR bundle.", file=log.file) from None


def _of_json(text: str, how: TableMapping, log: Log) -> list[Entry]:
    try:
        entries = bundle.read_entries(text, how, log)
    except InputError as problem:
        lines = [item.line for item in log.items if item.line]
        line = problem.line or (lines[0] if lines else first_line(text))
        raise InputError(problem.text, file=log.file, line=line) from None
    if not entries:
        raise InputError(_without_values(text, log), file=log.file, line=first_line(text))
    return entries


def _without_values(text: str, log: Log) -> str:
    """The sentence for a JSON text that holds resources, and no value of a patient."""
    kinds = dict.fromkeys(_KIND.findall(text[:LOOKED_AT]))
    held = f" (it holds {', '.join(list(kinds)[:MOST_KINDS])})" if kinds else ""
    first = f"; first: {log.items[0].what}, line {log.items[0].line}" if log.items else ""
    return (
        f"is FHIR without a value of a patient{held}{first}; expected Observation, MedicationAdministration, "
        "Procedure, Condition or QuestionnaireResponse with a time and a value: export these resources, too."
    )


def first_line(text: str) -> int:
    """The number of the first line that holds something."""
    return text[: len(text) - len(text.lstrip("\ufeff \t\r\n"))].count("\n") + 1


def _with_infusions(entries: list[Entry], how: TableMapping, log: Log) -> list[Entry]:
    """The entries, with the infusions that the mapping gives for patients of the file."""
    labels = {entry.patient for entry in entries}
    for label in (label for label in how.infusions if label not in labels):
        log.note(f"the mapping gives the infusion of '{label[:40]}', a patient who is not in the file")
    given = [Entry(label, None, "infusion", when, "", 0, "infusions") for label, when in how.infusions.items()]
    return [*(entry for entry in given if entry.patient in labels), *entries]


def mapping_of(path: Path, mapping: str | Path | TableMapping | None, log: Log) -> TableMapping:
    """The mapping that is given, else the one beside the record, else an empty one."""
    if isinstance(mapping, TableMapping):
        return mapping
    if mapping is not None:
        return read_mapping(mapping)
    if is_stdin(path):
        return TableMapping()
    beside = path.with_suffix(SIDECAR)
    if beside != path and beside.is_file():
        log.note(f"read with the mapping {beside.name} beside it")
        return read_mapping(beside)
    return TableMapping()


def looks_like_json(text: str) -> bool:
    """Whether a text begins as JSON does."""
    return bool(_JSON.match(text.lstrip("\ufeff \t\r\n")[:LOOKED_AT]))
