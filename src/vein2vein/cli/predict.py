"""vein2vein predict: a trial's outcomes predicted and stamped before the data are seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vein2vein.cli import console, options
from vein2vein.cli.console import number, with_interval
from vein2vein.files import check_target

if TYPE_CHECKING:
    from vein2vein.inference.stamp import Predicted

MOST_PATIENTS = 100_000
HEADERS, WIDTHS = ("endpoint", "definition", "unit", "predicted (90 %)", "n"), (40, 0, 14, 24, 6)
EXAMPLES = """\b
Examples:
  vein2vein predict my_trial.toml
  vein2vein predict my_trial.toml --parameters typical --seed 7 --out my_trial.stamp.toml
  vein2vein predict my_trial.toml --quiet --json
"""


@click.command("predict", cls=options.Command, epilog=EXAMPLES)
@click.argument("trial", metavar="FILE")
@options.patients(
    10, MOST_PATIENTS, "Virtual patients enrolled under each parameter set (default: by the size of the trial)."
)
@options.parameters(
    None, "the intervals then hold what is not known of the numbers (default: posterior where it fits the cards)."
)
@options.jobs(None, "Processes that run parameter sets side by side (default: all cores).")
@options.seed("prediction")
@options.out_file("Stamp to write (default: FILE with the ending .stamp.toml, in the present folder).")
@options.for_machines("progress, note, row, stamp")
@options.quiet("No progress and no rows; only where the stamp is, and its digest.")
@options.force
def command(
    trial: str,
    patients: int | None,
    parameters: str | None,
    jobs: int | None,
    seed: int,
    out: Path | None,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Predict the outcomes of a trial and stamp the prediction, before the data are seen.

    Of FILE, a trial file, every [[published]] row without value is predicted; of a file without such rows the usual
    endpoints of each arm. The stamp holds median and 90 % prediction interval for a trial of the given size, date,
    version, seed, and hashes of trial file and cards. Its digest shows a later change: publish it, or the stamp.
    """
    from vein2vein.engine.llvm.threads import available
    from vein2vein.inference.posterior import sample_for
    from vein2vein.inference.prediction import predict
    from vein2vein.inference.stamp import write_stamp

    path = check_target(out or Path(f"{Path(trial).stem}.stamp.toml"), force=force)
    sets, note = sample_for(parameters)
    if note:
        console.tell_notes([note], for_machines=for_machines, quiet=False)
    with console.progress("prediction", for_machines=for_machines, quiet=quiet) as report:
        stamp = predict(trial, patients=patients, seed=seed, sets=sets, progress=report, jobs=jobs or available())
    write_stamp(stamp, path, force=force)
    console.tell_notes(stamp.notes, for_machines=for_machines, quiet=quiet)
    if for_machines:
        for row in () if quiet else stamp.predicted:
            console.emit("row", **vars(row))
        console.emit("stamp", path=path, digest=stamp.digest, made=stamp.made, rows=len(stamp.predicted))
        return
    if not quiet:
        title = f"{stamp.title or stamp.trial}: predicted for {stamp.size or 'so many (n)'} patients, {stamp.made}"
        console.table(HEADERS, [_cells(row) for row in stamp.predicted], title=title, right=(3, 4), widths=WIDTHS)
        for row in stamp.predicted:
            if row.missing:
                console.say(f"{row.words} not predicted: {row.missing}")
        console.say(f"Numbers of the model: {stamp.parameters}.")
    click.echo(f"Stamp: {path}")
    click.echo(f"Digest: {stamp.digest}")


def _cells(row: Predicted) -> tuple[str, ...]:
    shown = "missing" if row.missing else with_interval(row.median, row.low, row.high)
    return (
        row.quantity.replace("_", " "),
        ", ".join(filter(None, (row.definition, row.arm))),
        row.unit,
        shown,
        number(row.n),
    )
