"""vein2vein trial: a published trial, or one's own, in virtual patients, beside the published figures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vein2vein.cli import console, options
from vein2vein.cli.console import interval, number
from vein2vein.errors import InputError
from vein2vein.files import write_text
from vein2vein.report.beside import here, second_process

if TYPE_CHECKING:
    from vein2vein.report.beside import Ask
    from vein2vein.runs.large import LargeResult
    from vein2vein.trials.comparison import Row
    from vein2vein.trials.trial import Trial, TrialResult

REPORT, NONMEM = "report.html", "nonmem.csv"
HEADERS = ("outcome", "definition", "unit", "simulated (90 %)", "published (95 %)", "n", "inside")
SHORT_HEADERS, SHORT_WIDTHS = ("outcome", "simulated", "published", "inside"), (0, 20, 16, 6)  # narrow terminals
WIDTHS = (24, 0, 13, 24, 20, 4, 6)  # columns; 0 takes what is left
MOST_SENT = 4_000  # patients whose journeys a second process gets to draw; of more, it would hold too much memory
MOST_AT_ONCE = 20_000  # patients whose courses are held in memory; beyond this a run goes in chunks
EXAMPLES = """\b
Examples:
  vein2vein trial eliana
  vein2vein trial eliana --patients 200 --seed 7 --out results --export nonmem
  vein2vein trial --init my.toml && vein2vein trial my.toml
  vein2vein trial eliana --patients 1000000 --out large
"""


@click.command("trial", cls=options.Command, epilog=EXAMPLES)
@click.argument("trial", required=False, metavar="[NAME|FILE]")
@options.patients(1, options.MOST_PATIENTS, "Virtual patients to enroll (default: as the trial file says).")
@options.seed("patients and results")
@options.out_folder("Folder for report and results (default: vein2vein-results/<trial>-seed<S>).")
@click.option(
    "--export", type=click.Choice(["nonmem"]), help="Also write the cellular kinetics as a NONMEM-style data set."
)
@options.init("Write a commented trial file to start from, or the file of the trial that is named")
@click.option(
    "--chunk",
    type=click.IntRange(1),
    metavar="N",
    help=f"Run in chunks of so many patients (default beyond {MOST_AT_ONCE:,}: 5,000); the same command resumes.",
)
@click.option("--keep-courses", is_flag=True, help="Run in chunks and keep every day of every patient, not summaries.")
@options.jobs(1, "Processes that compute chunks, each with its own in memory (default 1).")
@click.option("--scheduler", metavar="ADDRESS", help="Run in chunks on a Dask scheduler, such as tcp://10.0.0.5:8786.")
@options.for_machines("progress, row, report")
@options.quiet("No progress and no table; only where the report is.")
@options.force
def command(
    trial: str | None,
    patients: int | None,
    seed: int,
    out: Path | None,
    export: str | None,
    init: Path | None,
    chunk: int | None,
    keep_courses: bool,
    jobs: int,
    scheduler: str | None,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Run a trial in virtual patients, from their blood back to their blood.

    NAME is a trial that comes with vein2vein ('vein2vein trials' lists them), FILE a trial file of your own. The table
    sets the simulated outcome (median and 90 % interval for a trial of the published size) beside the published one.
    """
    if init is not None:
        from vein2vein.trials import trial as trials

        text = trials.trial_template_text() if trial is None else trials.load_trial(trial).text
        options.start_file(init, text, f"trial {init}", "trial", force=force, for_machines=for_machines, quiet=quiet)
        return
    if trial is None:
        raise InputError(
            "which trial? Give a name ('vein2vein trials' lists them) or your own file; "
            "--init FILE writes one to start from."
        )
    if scheduler:
        options.idle("--scheduler", "jobs")
    in_chunks = bool(chunk or keep_courses or jobs > 1 or scheduler)
    with ExitStack() as held:  # what makes ready while this process loads what it needs itself
        ask = held.enter_context(second_process(wanted=not in_chunks and (patients or 1) <= MOST_SENT))
        held.enter_context(console.no_garbage())
        from vein2vein.runs.store import holds_large
        from vein2vein.trials.trial import load_trial

        plan = load_trial(trial)
        folder = out or console.results_folder(f"{plan.name}-seed{seed}")
        large = in_chunks or (patients or plan.patients) > MOST_AT_ONCE or holds_large(folder)
        if not large:
            _run(plan, patients, seed, folder, export, ask, for_machines, quiet, force)
            return
    if export:
        raise InputError(f"--export works on runs in one piece: at most {MOST_AT_ONCE:,} patients, no --chunk.")
    from vein2vein.runs.large import run_large

    with console.progress(plan.name, for_machines=for_machines, quiet=quiet) as report:
        chunks = run_large(
            plan,
            folder,
            patients=patients,
            seed=seed,
            chunk=chunk,
            courses=keep_courses,
            jobs=jobs,
            scheduler=scheduler,
            force=force,
            progress=report,
        )
    _tell_large(chunks, for_machines, quiet)


def _run(
    plan: Trial,
    patients: int | None,
    seed: int,
    folder: Path,
    export: str | None,
    ask: Ask,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """A run in one piece: all journeys in memory, their tables and a report."""
    from vein2vein.runs.store import MANIFEST, TABLES

    tables = (*(f"{name}.parquet" for name in TABLES), MANIFEST)
    console.new_folder(folder, (REPORT, *tables, *([NONMEM] if export else [])), force=force)
    with console.progress(plan.name, for_machines=for_machines, quiet=quiet) as report:
        result, files = _results(plan, patients, seed, folder, export, ask, report, force)
    unusual = [note for note in result.journey.notes if note.startswith(console.UNUSUAL)]
    console.tell_notes(unusual, for_machines=for_machines, quiet=quiet)
    if for_machines:
        for row in result.comparison:
            console.emit("row", **vars(row))
    elif not quiet:
        _print_comparison(result.comparison)
    _say_failed(int((result.journey.status != 0).sum()), len(result.journey.status), for_machines)
    for what, path in files.items():
        console.tell(f"{what}: {path}", "report" if what == "Report" else "file", for_machines, path=path, what=what)


def _results(
    plan: Trial,
    patients: int | None,
    seed: int,
    folder: Path,
    export: str | None,
    ask: Ask,
    report: console.Report,
    force: bool,
) -> tuple[TrialResult, dict[str, Path]]:
    """Treat, compare and write; the figures are drawn beside, in the order in which they can be."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from vein2vein.report import facts
    from vein2vein.report.figures_survival import comparison_figure
    from vein2vein.report.trial import trial_page
    from vein2vein.report.trial_figures import draw_trial
    from vein2vein.runs.store import write_trial
    from vein2vein.trials import trial as trials

    numbers = np.arange(trials.patients_of(plan, patients))
    journey = trials.enroll_and_treat(plan, numbers, seed=seed, progress=report)
    asked = ask if numbers.size <= MOST_SENT else here
    drawn = asked(draw_trial, plan, journey)
    report(1.0, trials.COMPARING)
    result = trials.set_beside(plan, journey, seed=seed)
    compared = asked(comparison_figure, facts.compared(result))
    with ThreadPoolExecutor(1) as beside:  # and the tables are written
        stored = beside.submit(write_trial, result, folder)
        text = trial_page(result, drawn, compared)
        files = {"Results": Path(stored.result())}
    if export == "nonmem":
        from vein2vein.io.nonmem import write_nonmem

        files["NONMEM data set"] = Path(write_nonmem(result, folder / NONMEM))
    files["Report"] = write_text(folder / REPORT, text, force=force)
    return result, files


def _tell_large(result: LargeResult, for_machines: bool, quiet: bool) -> None:
    """What came out of a run in chunks; no report, because no journey is ever whole in memory."""
    for note in result.notes:
        console.tell(f"note: {note}", "note", for_machines, text=note)
    if for_machines:
        for row in result.comparison:
            console.emit("row", **vars(row))
    elif not quiet:
        _print_comparison(result.comparison)
    _say_failed(result.failed, result.patients, for_machines)
    console.tell(f"Results: {result.folder}", "file", for_machines, path=result.folder, what="Results")


def _say_failed(failed: int, of: int, for_machines: bool) -> None:
    if for_machines:
        console.emit("failed", patients=failed, of=of)
    elif failed:
        console.say(f"{failed} of {of} patients could not be computed to the end; their status says why.", stderr=True)


def _print_comparison(rows: Sequence[Row]) -> None:
    outcomes = [r for r in rows if r.kind != "design" and r.confidence == "read"]
    recalled = [r for r in rows if r.kind != "design" and r.confidence != "read"]
    design = [r for r in rows if r.kind == "design"]
    for title, chosen in (
        ("Outcome: simulated against published", outcomes),
        ("Outcome, published figures from memory: shown, not judged", recalled),
        ("What went in: patients, dose and treatment", design),
    ):
        if chosen:
            console.say(f"\n{title}", style="bold underline")
        for trial, arm in dict.fromkeys((r.trial, r.arm) for r in chosen):
            cells = [_cells(r) for r in chosen if (r.trial, r.arm) == (trial, arm)]
            title = f"{trial}, {arm}".strip(", ")
            if console.is_narrow():
                short = [(", ".join(filter(None, c[:3])), c[3], c[4], c[6]) for c in cells]
                console.table(SHORT_HEADERS, short, title=title, right=(1, 2), widths=SHORT_WIDTHS)
            else:
                console.table(HEADERS, cells, title=title, right=(3, 4, 5), widths=WIDTHS)
    absent = [(_words(r), r.definition, r.missing) for r in rows if r.missing]
    if absent:
        console.table(("missing", "definition", "why"), dict.fromkeys(absent), title="Not produced by the journey")
    judged = [r for r in outcomes if r.inside is not None]
    if not judged:
        console.say('No outcome is judged: none with confidence = "read" was produced.')
        return
    within = sum(r.inside is True for r in judged)
    console.say(f"{within} of {len(judged)} published outcomes that were read lie inside the simulated 90 % interval.")


def _cells(row: Row) -> tuple[str, ...]:
    verdict = "" if row.inside is None or row.confidence != "read" else "yes" if row.inside else "no"
    simulated = "missing" if row.missing else _with(row.simulated, row.low, row.high)
    published = _with(row.published, row.published_low, row.published_high)
    recalled = row.kind == "design" and row.confidence != "read"
    definition = f"{row.definition} (from memory)".strip() if recalled else row.definition
    return _words(row), definition, row.unit, simulated, published, number(row.n), verdict


def _with(value: float, low: float, high: float) -> str:
    around = interval(low, high)
    return f"{number(value)} ({around})" if around else number(value)


def _words(row: Row) -> str:
    return row.quantity.replace("_", " ")
