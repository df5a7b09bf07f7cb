"""vein2vein check: is this file fit for vein2vein, and what is wrong with it, line by line."""

from __future__ import annotations

from pathlib import Path

import click

from vein2vein.cli import console, options
from vein2vein.errors import InputError

UNFIT = 1
MAPPED = ("record of a patient", "disease visits")  # kinds of file that a mapping is for
EXAMPLES = """\b
Examples:
  vein2vein check record.csv
  vein2vein check record.csv patient.toml trial.toml --json
"""


@click.command("check", cls=options.Command, epilog=EXAMPLES)
@click.argument("files", type=options.PATH, metavar="FILE...", nargs=-1, required=True)
@options.mapping
@options.for_machines("problem, note, checked")
@options.quiet("Only one line, or event, for each file.")
def command(files: tuple[Path, ...], mapping: Path | None, for_machines: bool, quiet: bool) -> int:
    """Say whether files are fit for vein2vein, for what, and what is wrong, line by line.

    Takes records (CSV, FHIR R4 as JSON), disease visits, cards (TOML), NONMEM data sets and results folders. Exit code
    0: every file can be used (what is set aside is listed); 1: one cannot.
    """
    from vein2vein.io.check import check_file
    from vein2vein.trials.trial import load_trial

    fit, mapped = True, False
    for file in files:
        found = check_file(file, mapping=mapping, readers={"trial card": load_trial})
        fit, mapped = fit and found.fit, mapped or found.kind.startswith(MAPPED)
        if for_machines:
            for one in () if quiet else found.problems:
                console.emit(
                    "problem",
                    file=one.file,
                    line=one.line,
                    column=one.column,
                    what=one.what,
                    found=one.found,
                    expected=one.expected,
                    remedy=one.remedy,
                )
            for note in () if quiet else found.notes:
                console.emit("note", file=found.file, text=note)
            console.emit(
                "checked",
                file=found.file,
                kind=found.kind,
                fit=found.fit,
                uses=found.uses,
                problems=len(found.problems),
            )
            continue
        aside = f", {len(found.problems)} set aside" if found.fit and found.problems else ""
        console.say(f"{found.file}: {'fit' if found.fit else 'not fit'} ({found.kind}{aside})")
        if quiet:
            continue
        for use in found.uses:
            console.say(f"  for: {use}")
        for one in found.problems:
            console.say(f"  {one}")
        for note in found.notes:
            console.say(f"  note: {note}")
    if mapping is not None and fit and not mapped:
        raise InputError(f"--mapping {mapping} was used for no file: only records and visits are tables to map.")
    return 0 if fit else UNFIT
