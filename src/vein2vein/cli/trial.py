"""vein2vein trial: a published trial, or one's own, in virtual patients, beside the published figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vein2vein.cli import console
from vein2vein.cli.console import interval, number
from vein2vein.errors import InputError

REPORT = "report.html"
MOST_PATIENTS = 1_000_000  # beyond this a run belongs in chunks of its own
EXAMPLES = """\b
Examples:
  vein2vein trial eliana
  vein2vein trial eliana --patients 200 --seed 7 --out results --export nonmem
  vein2vein trial --init my.toml && vein2vein trial my.toml
"""


@click.command("trial", epilog=EXAMPLES)
@click.argument("trial", required=False, metavar="[NAME|FILE]")
@click.option(
    "--patients",
    type=click.IntRange(1, MOST_PATIENTS),
    metavar="N",
    help="Virtual patients to enroll (default: as the trial file says).",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    metavar="S",
    help="Seed: the same seed gives the same patients and results.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for report and results (default: vein2vein-results/<trial>-seed<S>).",
)
@click.option(
    "--export", type=click.Choice(["nonmem"]), help="Also write the cellular kinetics as a NONMEM-style data set."
)
@click.option(
    "--init",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a commented trial file to start from, and stop.",
)
@click.option("--json", "for_machines", is_flag=True, help="JSON lines for machines (events progress, row, report).")
@click.option("--quiet", is_flag=True, help="No progress and no table; only where the report is.")
@click.option("--force", is_flag=True, help="Overwrite an existing report or file.")
def command(
    trial: str | None, patients: int | None, seed: int, out: Path | None, export: str | None, init: Path | None,
    for_machines: bool, quiet: bool, force: bool,
) -> None:  # fmt: skip
    """Run a trial in virtual patients, from their blood back to their blood.

    NAME is a trial that comes with vein2vein ('vein2vein trials' lists them), FILE a trial file of your own. The table
    sets the simulated outcome (median and 90 % interval for a trial of the published size) beside the published one.
    """
    from vein2vein.population import trial as trials

    if init is not None:
        console.write_new(init, trials.trial_template_text(), force=force)
        _tell(f"Wrote {init}. Change it, then: vein2vein trial {init}", "init", for_machines, path=init)
        return
    if trial is None:
        raise InputError(
            "which trial? Give a name ('vein2vein trials' lists them) or your own file; "
            "--init FILE writes one to start from."
        )
    plan = trials.load_trial(trial)
    folder = console.new_folder(out or Path("vein2vein-results") / f"{plan.name}-seed{seed}", REPORT, force=force)
    size = {} if patients is None else {"patients": patients}
    with console.progress(plan.title, for_machines=for_machines, quiet=quiet) as report:
        result = trials.run_trial(plan, seed=seed, progress=report, **size)
        files = _write(result, folder, export, force)
    if for_machines:
        for row in result.comparison:
            console.emit("row", **vars(row))
    elif not quiet:
        _print_comparison(result)
    for what, path in files.items():
        _tell(f"{what}: {path}", "report" if what == "Report" else "file", for_machines, path=path, what=what)


def _write(result: Any, folder: Path, export: str | None, force: bool) -> dict[str, Path]:
    from vein2vein.population.store import write_trial
    from vein2vein.report.trial import write_trial_report

    files = {"Results": Path(write_trial(result, folder))}
    if export == "nonmem":
        from vein2vein.io.nonmem import write_nonmem

        files["NONMEM data set"] = Path(write_nonmem(result, folder / "nonmem.csv"))
    files["Report"] = Path(write_trial_report(result, folder / REPORT, force=force))
    return files


def _print_comparison(result: Any) -> None:
    rows = result.comparison
    kinds = (
        ("Outcome, simulated against published", [r for r in rows if r.kind != "design" and r.confidence == "read"]),
        (
            "Outcome, published figures from memory: shown, not judged",
            [r for r in rows if r.kind != "design" and r.confidence != "read"],
        ),
        ("What went in: patients, dose and treatment", [r for r in rows if r.kind == "design"]),
    )
    several = len({(r.trial, r.arm) for r in rows}) > 1
    headers = ("outcome", "definition", "unit", "simulated", "90 % interval", "published", "95 % interval", "n", "")
    for title, chosen in kinds:
        if not chosen:
            continue
        cells, before = [], None
        for row in chosen:
            if several and (row.trial, row.arm) != before:
                before = row.trial, row.arm
                cells.append((f"{row.trial}: {row.arm}", *[""] * (len(headers) - 1)))
            cells.append(_cells(row))
        console.table(headers, cells, title=title, right=(3, 4, 5, 6, 7))
    absent = [r for r in rows if r.missing]
    if absent:
        console.table(
            ("missing", "definition", "why"),
            [(_words(r), r.definition, r.missing) for r in absent],
            title="Not produced",
        )


def _cells(row: Any) -> tuple[str, ...]:
    verdict = "" if row.inside is None or row.confidence != "read" else "inside" if row.inside else "outside"
    simulated = ("missing", "") if row.missing else (number(row.simulated), interval(row.low, row.high))
    return (
        _words(row), row.definition, row.unit, *simulated, number(row.published),
        interval(row.published_low, row.published_high), number(row.n), verdict,
    )  # fmt: skip


def _words(row: Any) -> str:
    return row.quantity.replace("_", " ")


def _tell(sentence: str, event: str, for_machines: bool, **fields: object) -> None:
    if for_machines:
        console.emit(event, **fields)
    else:
        click.echo(sentence)
