"""The one door for records: finds out what a file is and reads it."""

from __future__ import annotations

import re
from pathlib import Path

from vein2vein import arguments
from vein2vein.errors import InputError
from vein2vein.io.record import tables
from vein2vein.io.record.fhir import bundle
from vein2vein.io.record.gather import NO_ZERO, gather
from vein2vein.io.record.kinds import LOOKED_AT
from vein2vein.io.record.mapping import TableMapping, read_mapping
from vein2vein.io.record.presets import all_presets
from vein2vein.io.record.record import Entry, Log, Record
from vein2vein.io.record.text import is_stdin, name_of, read_text

SIDECAR = ".toml"
MOST_KINDS = 5  # kinds of resources that a sentence names
_JSON = re.compile(r"\{(?!\\)|\[\s*(?![A-Z])")
_KIND = re.compile(r'"resourceType"\s*:\s*"([A-Za-z]{1,40})"')


def read_record(path: str | Path, *, mapping: str | Path | TableMapping | None = None) -> Record:
    """Read the record of a patient: a CSV table (long or wide form) or a FHIR R4 bundle (JSON or NDJSON).

    Parameters
    ----------
    path : path
        "-" is the standard input.
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
    return read_logged(path, Log(name_of(path)), mapping)


def read_logged(path: Path, log: Log, mapping: str | Path | TableMapping | None = None) -> Record:
    """As ``read_record``, for a caller who wants to see the counts in the log afterwards."""
    how = mapping_of(path, mapping, log)
    text = read_text(path, log, how.encoding)
    try:
        return _read(text, how, log)
    except RecursionError:
        raise InputError("is nested too deeply; expected a table or a FHIR bundle.", file=log.file) from None


def _read(text: str, how: TableMapping, log: Log) -> Record:
    if looks_like_json(text):
        try:
            entries = bundle.read_entries(text, how, log)
        except InputError as problem:
            lines = [item.line for item in log.items if item.line]
            line = problem.line or (lines[0] if lines else first_line(text))
            raise InputError(problem.text, file=log.file, line=line) from None
        if not entries:
            raise InputError(_without_values(text, log), file=log.file, line=first_line(text))
        return gather(_with_infusions(entries, how, log), "FHIR", how, log)
    entries, form, decimal = tables.read_entries(text, how, log)
    try:
        return gather(_with_infusions(entries, how, log), form, how, log, decimal)
    except InputError as problem:
        raise _where_it_stands(problem, form) from None


def _where_it_stands(problem: InputError, form: str) -> InputError:
    """The sentence that day 0 is missing, for a table of a public format: where the infusion stands in it."""
    preset = next((one for one in all_presets().values() if one.title == form), None)
    if preset is None or not problem.text.startswith(NO_ZERO[0]):
        return problem
    return InputError(
        f"{NO_ZERO[0]} (this is {preset.title}: {preset.infusion}); write a mapping file with "
        "infusion = 2026-03-05T10:00 under [patient], or with a line for each patient under [infusions], "
        "and give it with --mapping.",
        file=problem.file,
    )


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


def example_record_text() -> str:
    """An annotated record, for the user to change."""
    return Path(__file__).with_name("example_record.csv").read_text(encoding="utf-8")
