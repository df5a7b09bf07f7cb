"""vein2vein vpc: the visual predictive check of a fit, as a page and a table."""

from __future__ import annotations

from pathlib import Path

import click

from vein2vein.cli import console, options

PAGE, TABLE = "vpc.html", "vpc.csv"
EXAMPLES = """\b
Examples:
  vein2vein vpc vein2vein-results/study-stein_2019
  vein2vein vpc first --studies 2000 --plain --out check
"""


@click.command("vpc", cls=options.Command, epilog=EXAMPLES)
@click.argument("folder", type=options.PATH, metavar="FOLDER")
@click.option(
    "--studies",
    type=click.IntRange(100, 100_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="Studies drawn from the fit.",
)
@click.option("--plain", is_flag=True, help="Values as they are, not corrected by the typical prediction.")
@click.option("--seed", type=click.IntRange(0), metavar="S", help="Seed of the drawn studies (default: the fit's).")
@options.out_folder("Folder for page and table (default: the fit's own).")
@options.for_machines("check, note, file, report")
@options.quiet("Only where the page is.")
@options.force
def command(
    folder: Path,
    studies: int,
    plain: bool,
    seed: int | None,
    out: Path | None,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Draw the visual predictive check of a fit.

    FOLDER is that of a fit ('vein2vein fit'). Percentiles of what was observed stand over those of the same study drawn
    anew from the fit, corrected by the typical prediction; the share of rows below the limit and who is still followed
    stand below.
    """
    from vein2vein.inference.population.folder import read_fit
    from vein2vein.report.figures_vpc import vpc_headline
    from vein2vein.report.fit_files import write_vpc

    if out is not None:
        console.new_folder(out, (PAGE, TABLE), force=force)
    fit = read_fit(folder)
    place = out or folder
    console.new_folder(place, (PAGE, TABLE), force=force)
    found = write_vpc(fit, place, studies=studies, corrected=not plain, seed=seed)
    console.tell_notes(found.notes, for_machines=for_machines, quiet=quiet)
    if not fit.converged:
        console.say(f"warning: the fit is {fit.verdict[0]}", stderr=True)
    for panel in found.panels:
        if for_machines:
            console.emit(
                "check",
                endpoint=panel.endpoint,
                outside=panel.outside,
                compared=panel.compared,
                text=vpc_headline(panel),
            )
        elif not quiet:
            said = vpc_headline(panel)
            console.say(f"{said[:1].upper()}{said[1:]}.")
    console.tell(f"Table: {place / TABLE}", "file", for_machines, path=place / TABLE, what="Table")
    console.tell(f"Page: {place / PAGE}", "report", for_machines, path=place / PAGE)
