"""The one door for records: finds out what a file is and reads it."""

from __future__ import annotations

from pathlib import Path

from vein2vein import arguments
from vein2vein.errors import InputError
from vein2vein.io.record.entries import read_entries
from vein2vein.io.record.gather import NO_ZERO, gather
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.presets import all_presets
from vein2vein.io.record.record import Log, Record
from vein2vein.io.record.text import name_of


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
    found = read_entries(path, log, mapping)
    try:
        return gather(found.entries, found.kind, found.mapping, log, found.decimal)
    except InputError as problem:
        raise _where_it_stands(problem, found.kind) from None


def _where_it_stands(problem: InputError, form: str) -> InputError:
    """The sentence for a table of a public format without values or without day 0: where these stand."""
    preset = next((one for one in all_presets().values() if one.title == form), None)
    if preset is not None and preset.nothing:
        return InputError(f"is a table of {preset.title}; it holds {preset.nothing}.", file=problem.file, line=1)
    if preset is None or not problem.text.startswith(NO_ZERO[0]):
        return problem
    return InputError(
        f"{NO_ZERO[0]} (this is {preset.title}: {preset.infusion}); write a mapping file with "
        "infusion = 2026-03-05T10:00 under [patient], or with a line for each patient under [infusions], "
        "and give it with --mapping.",
        file=problem.file,
    )


def example_record_text() -> str:
    """An annotated record, for the user to change."""
    return Path(__file__).with_name("example_record.csv").read_text(encoding="utf-8")
