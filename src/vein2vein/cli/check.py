"""vein2vein check: is this file fit for vein2vein, and what is wrong with it, line by line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vein2vein.cli import console, options
from vein2vein.errors import InputError
from vein2vein.files import check_target, write_text

if TYPE_CHECKING:
    from vein2vein.io.check import CheckReport
    from vein2vein.io.record.record import SetAside

UNFIT = 1
SHOWN = 5  # findings of one kind that are listed one by one
DATA_SET = " data set"  # how the kind of a population data set ends
MAPPED = ("record of a patient", "disease visits")  # kinds of file that a mapping is for
EXAMPLES = """\b
Examples:
  vein2vein check record.csv
  vein2vein check record.csv patient.toml trial.toml --json
  vein2vein check study.csv --columns id=PAT,dv=COPIES
  vein2vein check export.csv --write-mapping mapping.toml
"""


@click.command("check", cls=options.Command, epilog=EXAMPLES)
@click.argument("files", type=options.INPUT, metavar="FILE...", nargs=-1, required=True)
@options.mapping
@options.columns
@click.option(
    "--write-mapping",
    "written",
    type=options.PATH,
    metavar="FILE",
    help="Write the mapping with which the table is read as a file, for you to change.",
)
@options.for_machines("problem, note, mapping, checked")
@options.quiet("Only one line, or event, for each file.")
@options.force
def command(
    files: tuple[Path, ...],
    mapping: Path | None,
    named: str | None,
    written: Path | None,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> int:
    """Say whether files are fit for vein2vein, for what, and what is wrong, line by line.

    Takes records (CSV, FHIR R4 as JSON; - is the standard input), disease visits, cards and fits (TOML), data sets
    of NONMEM, Monolix and nlmixr, and results folders. Of a table it tells the mapping with which it is read. Exit code
    0: every file can be used (what is set aside is listed); 1: one cannot.
    """
    if written is None:
        options.needs("--write-mapping", "force")
    elif len(files) != 1:
        raise click.UsageError("--write-mapping takes one table; give one file.")
    else:
        check_target(written, force=force)
    if named is not None and len(files) != 1:
        raise click.UsageError("--columns is for one data set; give one file.")
    from vein2vein.clinic.care.label_card import find_label
    from vein2vein.inference.population.fit_file import read_fit_file
    from vein2vein.inference.stamp import read_stamp
    from vein2vein.io.check import FIT_FILE, check_file
    from vein2vein.io.study.columns import columns_said
    from vein2vein.trials.comparator import find_comparator
    from vein2vein.trials.trial import load_trial

    readers = {
        "trial card": load_trial,
        "comparator card": find_comparator,
        "label card": find_label,
        "stamp of a prediction": read_stamp,
        FIT_FILE: read_fit_file,
    }
    fit, mapped = True, False
    for file in files:
        columns = None if named is None else columns_said(named, file)
        found = check_file(file, mapping=mapping, columns=columns, readers=readers)
        fit, mapped = fit and found.fit, mapped or found.kind.startswith(MAPPED)
        (_tell_program if for_machines else _tell)(found, quiet)
        if written is None:
            continue
        if not found.proposal:
            raise InputError("is no table of a record, so there is no mapping to write.", file=found.file)
        write_text(written, found.proposal, force=force)
        if for_machines:
            console.emit("file", path=written)
        else:
            console.say(f"Wrote {written}. Change it, then: vein2vein monitor {found.file} --mapping {written}")
    if mapping is not None and fit and not mapped:
        raise InputError(f"--mapping {mapping} was used for no file: only records and visits are tables to map.")
    return 0 if fit else UNFIT


def _tell_program(found: CheckReport, quiet: bool) -> None:
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
            analyte=one.analyte,
        )
    for note in () if quiet else found.notes:
        console.emit("note", file=found.file, text=note)
    for line in () if quiet else found.mapping:
        console.emit("mapping", file=found.file, text=line)
    console.emit(
        "checked",
        file=found.file,
        kind=found.kind,
        fit=found.fit,
        uses=found.uses,
        problems=len(found.problems),
        counts=found.counts,
    )


def _listed(found: CheckReport) -> list[str]:
    """What is wrong, line by line; of a data set the first of each kind, and how many more there are."""
    if not found.kind.endswith(DATA_SET):
        return [str(one) for one in found.problems]
    alike: dict[tuple[str, str, str], list[SetAside]] = {}
    for one in found.problems:
        alike.setdefault((one.column, re.sub(r"subject \S+", "", one.what), one.remedy), []).append(one)
    lines = list[str]()
    for group in alike.values():
        lines += [str(one) for one in group[:SHOWN]]
        if (more := len(group) - SHOWN) > 0:
            place = f"{found.file}, {group[0].column or 'rows'}"
            lines.append(f"{place}: and {more} more like these, up to line {group[-1].line} (--json lists all).")
    return lines


def _tell(found: CheckReport, quiet: bool) -> None:
    looked_at = "to look at" if found.kind.endswith(DATA_SET) else "set aside"
    aside = f", {len(found.problems)} {looked_at}" if found.fit and found.problems else ""
    console.say(f"{found.file}: {'fit' if found.fit else 'not fit'} ({found.kind}{aside})")
    if quiet:
        return
    for use in found.uses:
        console.say(f"  for: {use}")
    if found.counts:
        console.say(f"  counts: {', '.join(f'{name} {count}' for name, count in found.counts.items())}")
    for line in found.mapping:
        console.say(f"  read with: {line}")
    for line in _listed(found):
        console.say(f"  {line}")
    for note in found.notes:
        console.say(f"  note: {note}")
