"""vein2vein explore (alias nca): cellular kinetics of measured curves without a model, of each patient and by group."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vein2vein import __version__
from vein2vein.cli import console, options
from vein2vein.cli.console import interval, number
from vein2vein.files import write_text

if TYPE_CHECKING:
    from vein2vein.inference.noncompartmental.explore import Exploration

REPORT, INDIVIDUAL, GROUPS = "report.html", "individual.csv", "groups.csv"
RULES = ("M1", "M5", "M6", "M7")
EXAMPLES = """\b
Examples:
  vein2vein explore study.csv
  vein2vein explore study.csv --by dose --by RESPONSE --time-unit d
  vein2vein explore study.csv --endpoint cp --below M1 --out exploration
  vein2vein explore record.csv --mapping mapping.toml
"""
HELP = """Read cellular kinetics from measured curves without a model, of each patient and by group.

Takes a population data set (NONMEM, Monolix, nlmixr) or the record of one or more patients on a ward (CSV, FHIR). Reads
Cmax, Tmax, AUC0-28, AUC0-last, Clast, Tlast, doubling time and half-lives with how each slope was chosen; writes a
table of each patient and one by group (CSV), and a report with curves and percentiles by group.
"""


def _command(name: str) -> click.Command:
    decorated = run
    for add in reversed((
        click.argument("file", type=options.INPUT, metavar="FILE"),
        click.option(
            "--endpoint", metavar="NAME", help="What is followed (default: transgene, CAR-T cells, or the first)."
        ),
        click.option(
            "--by", "columns", multiple=True, metavar="COLUMN",
            help="Group by dose, arm, response or a column; may be given again (default: those that there are).",
        ),
        click.option("--time-unit", metavar="UNIT", help="Unit of the times of a data set, such as d or h."),
        click.option(
            "--below", type=click.Choice(RULES), default="M6", show_default=True,
            help="What values below the limit count as in areas (Beal 2001): left out (M1), half of it (M5), 0 before "
            "the first value above it and half of it once after the last (M6), 0 (M7).",
        ),
        options.mapping,
        options.columns,
        options.out_folder("Folder for tables and report (default: vein2vein-results/explore-<FILE>)."),
        options.for_machines("note, group, patient, file, report"),
        options.quiet("No table; only where the report is."),
        options.force,
    )):  # fmt: skip
        decorated = add(decorated)
    return click.command(name, cls=options.Command, epilog=EXAMPLES.replace("vein2vein explore", f"vein2vein {name}"),
                         help=HELP)(decorated)  # fmt: skip


def run(
    file: Path,
    endpoint: str | None,
    columns: tuple[str, ...],
    time_unit: str | None,
    below: str,
    mapping: Path | None,
    named: str | None,
    out: Path | None,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Explore a file; the body of both commands."""
    from vein2vein.inference.noncompartmental.explore import explore
    from vein2vein.inference.noncompartmental.source import read_source
    from vein2vein.io.study.columns import columns_said
    from vein2vein.io.study.study import Study
    from vein2vein.report.exploration import exploration_page, table_text

    if named is not None and mapping is not None:
        raise click.UsageError("--mapping is for the record of a ward, --columns for a data set; leave one out.")
    source = read_source(file, mapping, None if named is None else columns_said(named, file), time_unit)
    if isinstance(source, Study) and mapping is not None:
        raise click.UsageError("--mapping does nothing with a population data set; leave it out.")
    found = explore(source, endpoint=endpoint, by=columns or None, time_unit=time_unit, below=below)
    folder = out or console.results_folder(f"explore-{file.stem if str(file) != options.STDIN else 'stdin'}")
    console.new_folder(folder, (REPORT, INDIVIDUAL, GROUPS), force=force)
    provenance = {"file": str(file), "version": __version__, "below": below, "endpoint": found.profiles.endpoint}
    if isinstance(source, Study):
        provenance["sha256"] = source.digest
    files = {
        "By patient": write_text(folder / INDIVIDUAL, table_text(found.individual()), force=force),
        "By group": write_text(folder / GROUPS, table_text(found.by_group()), force=force),
    }
    page = write_text(folder / REPORT, exploration_page(found, provenance), force=force)
    console.tell_notes(found.notes, for_machines=for_machines, quiet=quiet)
    if for_machines:
        for row in () if quiet else found.by_group():
            console.emit("group", **row)
        for row in () if quiet else found.individual():
            console.emit("patient", **row)
    elif not quiet:
        _tell(found)
    for what, path in files.items():
        console.tell(f"{what}: {path}", "file", for_machines, path=path, what=what)
    console.tell(f"Report: {page}", "report", for_machines, path=page)


def _tell(found: Exploration) -> None:
    """The table by group; of one patient, what was read and from which samples."""
    from vein2vein.inference.noncompartmental.explore import PARAMETERS
    from vein2vein.therapy.phases import CHOSEN

    profiles = found.profiles
    title = f"{profiles.endpoint} in {profiles.unit or 'a unit that is not said'}, " + (
        f"time in {profiles.time_unit}" if profiles.time_unit else "time in a unit that is not said"
    )
    known = {one.parameter for one in found.summary if one.known}
    if len(profiles.patients) == 1:
        console.table(
            ("figure", "value", "unit", "from"),
            [
                (PARAMETERS[name][0], number(float(values[0])), found.unit(name), _chosen(found, name))
                for name, values in found.figures.items() if name in known
            ],
            title=f"{profiles.patients[0]}: {title}", right=(1,),
        )  # fmt: skip
    else:
        rows = [
            (PARAMETERS[one.parameter][0], f"{one.by} {one.group}".strip(), str(one.known), number(one.geometric_mean),
             number(one.geometric_cv), number(one.median), interval(one.low, one.high), one.unit)
            for group in found.groups for one in found.summary
            if (one.by, one.group) == (group.by, group.label) and one.parameter in known
        ]  # fmt: skip
        headers = ("figure", "patients", "n", "geometric mean", "CV %", "median", "range", "unit")
        console.table(headers, rows, title=title, right=(2, 3, 4, 5))
    absent = [title for name, (title, _) in PARAMETERS.items() if name not in known]
    if absent:
        console.say(f"Not read of any patient: {', '.join(absent)}.")
    for name, told in CHOSEN.items():
        if name in known:
            console.say(f"{PARAMETERS[name][0]}: {told}")


def _chosen(found: Exploration, name: str) -> str:
    """The samples of a slope of the only patient."""
    phase = found.phases.get(name)
    if phase is None or phase.points[0] != phase.points[0]:
        return ""
    times = interval(float(phase.first[0]), float(phase.last[0]))
    return f"{number(float(phase.points[0]))} samples, {times}; adjusted R² {number(float(phase.adjusted_r2[0]))}"


commands = (_command("explore"), _command("nca"))
