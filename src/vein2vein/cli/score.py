"""vein2vein score: published values beside a prediction that was stamped before they were seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vein2vein.cli import console, options
from vein2vein.cli.console import number, with_interval

if TYPE_CHECKING:
    from vein2vein.inference.scoring import ScoredRow

HEADERS = ("endpoint", "definition", "unit", "published (95 %)", "predicted (90 %)", "tolerances", "inside")
WIDTHS = (22, 0, 14, 20, 24, 10, 6)
EXAMPLES = """\b
Examples:
  vein2vein score my_trial.stamp.toml my_trial.toml
  vein2vein score my_trial.stamp.toml published.toml --json
"""


@click.command("score", cls=options.Command, epilog=EXAMPLES)
@click.argument("stamp", type=options.PATH, metavar="STAMP")
@click.argument("published", type=options.PATH, metavar="PUBLISHED")
@options.for_machines("note, row, score")
@options.quiet("No rows and no notes; only the score.")
def command(stamp: Path, published: Path, for_machines: bool, quiet: bool) -> None:
    """Set published values beside a stamped prediction: inside or not, distance in tolerances, coverage, mean error.

    PUBLISHED is the trial file of the prediction with its values filled in, or a file of [[published]] rows named as
    in STAMP. A stamp that was changed, another design of the trial, and rows that were not predicted, stand there twice
    or have another unit are refused (exit code 2). Cards that changed since are told; the prediction stands.
    """
    from vein2vein.inference.prediction_score import score_prediction

    found = score_prediction(stamp, published)
    console.tell_notes(found.notes, for_machines=for_machines, quiet=quiet)
    score, close = found.score, found.in_tolerances
    inside = sum(row.inside for row in found.rows)
    if for_machines:
        for row in () if quiet else (*found.rows, *found.recalled):
            console.emit("row", **vars(row), judged=row in found.rows)
        console.emit(
            "score", made=found.stamp.made, digest=found.stamp.digest, rows=score.rows, produced=score.produced,
            inside=inside, coverage=score.coverage, with_tolerance=close.rows, passed=close.passed, error=close.error,
            awaited=found.awaited,
        )  # fmt: skip
        return
    if not quiet:
        _print(f"Predicted {found.stamp.made}", found.rows)
        _print("Published figures from memory: shown, not judged", found.recalled)
        if found.awaited:
            console.say(f"No value yet: {'; '.join(found.awaited)}.")
    level = f"{100 * found.stamp.level:.0f} %"  # unit factor
    click.echo(f"{inside} of {score.rows} published values inside the stamped {level} intervals.")
    if close.rows:
        passed = f"{close.passed} of {close.rows} pass (inside, and within the tolerance)"
        click.echo(f"Mean error {number(close.error, 2)} tolerances; {passed}.")


def _print(title: str, rows: Sequence[ScoredRow]) -> None:
    if rows:
        console.table(HEADERS, [_cells(row) for row in rows], title=title, right=(3, 4, 5), widths=WIDTHS)
    for row in rows:
        if row.missing:
            console.say(f"{row.quantity} was not predicted: {row.missing}")


def _cells(row: ScoredRow) -> tuple[str, ...]:
    return (
        row.quantity.replace("_", " "),
        ", ".join(filter(None, (row.definition, row.arm))),
        row.unit,
        with_interval(row.published, row.published_low, row.published_high),
        "missing" if row.missing else with_interval(row.simulated, row.low, row.high),
        number(row.error),
        "yes" if row.inside else "no",
    )
