"""vein2vein check: is this file fit for vein2vein, and what is wrong with it, line by line."""

from __future__ import annotations

from pathlib import Path

import click

from vein2vein.cli import console

UNFIT = 1
EXAMPLES = """\b
Examples:
  vein2vein check record.csv
  vein2vein check record.csv patient.toml trial.toml --json
"""


@click.command("check", epilog=EXAMPLES)
@click.argument("files", type=click.Path(path_type=Path), metavar="FILE...", nargs=-1, required=True)
@click.option("--mapping", type=click.Path(path_type=Path), metavar="FILE", help="How a table is to be read (TOML).")
@click.option("--json", "for_machines", is_flag=True, help="JSON lines for machines (events problem, note, checked).")
@click.option("--quiet", is_flag=True, help="Only one line for each file.")
def command(files: tuple[Path, ...], mapping: Path | None, for_machines: bool, quiet: bool) -> int:
    """Say whether files are fit for vein2vein, for what, and what is wrong, line by line.

    Takes records (CSV, FHIR R4 as JSON), disease visits, cards (TOML), NONMEM data sets and results folders. Exit code
    0: every file can be used (what is set aside is listed); 1: one cannot.
    """
    from vein2vein.io.check import check_file
    from vein2vein.trials.trial import load_trial

    fit = True
    for file in files:
        found = check_file(file, mapping=mapping, readers={"trial card": load_trial})
        fit = fit and found.fit
        if for_machines:
            for one in found.problems:
                console.emit(
                    "problem", file=one.file, line=one.line, column=one.column, what=one.what, found=one.found,
                    expected=one.expected, remedy=one.remedy,
                )  # fmt: skip
            for note in found.notes:
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
    return 0 if fit else UNFIT
