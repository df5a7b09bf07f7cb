"""vein2vein trial: a published trial, or one's own, in virtual patients, beside the published figures."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from vein2vein.cli import console, options, trial_summary
from vein2vein.errors import InputError
from vein2vein.files import write_text
from vein2vein.report.beside import here, second_process

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from vein2vein.inference.posterior import Member, Posterior
    from vein2vein.report.beside import Ask
    from vein2vein.runs.large import LargeResult
    from vein2vein.trials.trial import Trial, TrialResult

REPORT, NONMEM = "report.html", "nonmem.csv"
MOST_SENT = 4_000  # patients whose journeys a second process gets to draw; of more, it would hold too much memory
MOST_AT_ONCE = 20_000  # patients whose courses are held in memory; beyond this a run goes in chunks
EXAMPLES = """\b
Examples:
  vein2vein trial eliana
  vein2vein trial eliana --patients 200 --seed 7 --out results --export nonmem
  vein2vein trial --init my.toml && vein2vein trial my.toml
  vein2vein trial eliana --patients 1000000 --out large
  vein2vein trial eliana --parameters posterior
"""


@click.command("trial", cls=options.Command, epilog=EXAMPLES)
@click.argument("trial", required=False, metavar="[NAME|FILE]")
@options.patients(
    1,
    options.MOST_PATIENTS,
    "Virtual patients to enroll (default: as the trial file says); with --parameters posterior, under each set "
    "(default: by the size of the trial).",
)
@options.parameters(
    "typical", "each simulated trial is then drawn under one of them, so that intervals hold what is not known of them."
)
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
@click.option("--all", "every", is_flag=True, help="Every row of the comparison, before the ten lines.")
@options.for_machines("progress, row, summary, parameters, report")
@options.quiet("No progress and no summary; only where the report is.")
@options.force
def command(
    trial: str | None,
    patients: int | None,
    parameters: str,
    seed: int,
    out: Path | None,
    export: str | None,
    init: Path | None,
    chunk: int | None,
    keep_courses: bool,
    jobs: int,
    scheduler: str | None,
    every: bool,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Run a trial in virtual patients, from their blood back to their blood.

    NAME is a trial that comes with vein2vein ('vein2vein trials' lists them), FILE a trial file of your own. It ends
    with the main outcomes, the published ones in brackets, and the worst misses; the report and --all set every
    simulated outcome (median and 90 % interval for a trial of the published size) beside the published one.
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
        from vein2vein.inference.posterior import sample_for
        from vein2vein.runs.store import holds_large
        from vein2vein.trials.trial import load_trial

        plan, sample = load_trial(trial), sample_for(parameters)[0]
        folder = out or console.results_folder(f"{plan.name}-seed{seed}")
        asked = _asked(plan, sample, patients, seed)
        large = in_chunks or asked.numbers.size > MOST_AT_ONCE or holds_large(folder)
        if not large:
            _run(plan, asked, seed, folder, export, ask, every, for_machines, quiet, force)
            return
    if sample:
        raise InputError(
            f"--parameters posterior works on runs in one piece: at most {MOST_AT_ONCE:,} patients in all (found "
            f"{asked.numbers.size:,}), no --chunk, --keep-courses, --jobs or --scheduler, and no folder of such a run."
        )
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
    _tell_large(plan, chunks, asked.told, every, for_machines, quiet)


class _Asked(NamedTuple):
    """Who is enrolled under which numbers of the model."""

    numbers: NDArray[np.int64]
    sets: Sequence[Member | None]
    of: NDArray[np.intp] | None
    told: str


def _asked(plan: Trial, sample: Posterior | None, patients: int | None, seed: int) -> _Asked:
    """All patients under the numbers of the cards, or so many under each of some sets."""
    import numpy as np

    from vein2vein.inference.posterior import told
    from vein2vein.trials.trial import patients_of

    if sample is None:
        return _Asked(np.arange(patients_of(plan, patients)), [None], None, told(None, 0))
    from vein2vein.inference.model_error import WITH_ERROR
    from vein2vein.inference.qualification import spread

    sets, of = spread(plan, sample, patients, seed)
    return _Asked(np.arange(of.size), sets, of, told(sample, len(sets)) + WITH_ERROR)


def _run(
    plan: Trial,
    asked: _Asked,
    seed: int,
    folder: Path,
    export: str | None,
    ask: Ask,
    every: bool,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """A run in one piece: all journeys in memory, their tables and a report."""
    from vein2vein.runs.store import MANIFEST, TABLES

    tables = (*(f"{name}.parquet" for name in TABLES), MANIFEST)
    console.new_folder(folder, (REPORT, *tables, *([NONMEM] if export else [])), force=force)
    with console.progress(plan.name, for_machines=for_machines, quiet=quiet) as report:
        result, files = _results(plan, asked, seed, folder, export, ask, report, force)
    unusual = [note for note in result.journey.notes if note.startswith(console.UNUSUAL)]
    console.tell_notes(unusual, for_machines=for_machines, quiet=quiet)
    _tell_outcome(plan, result, asked.told, every, for_machines, quiet)
    _say_failed(int((result.journey.status != 0).sum()), len(result.journey.status), for_machines)
    for what, path in files.items():
        console.tell(f"{what}: {path}", "report" if what == "Report" else "file", for_machines, path=path, what=what)


def _results(
    plan: Trial,
    asked: _Asked,
    seed: int,
    folder: Path,
    export: str | None,
    ask: Ask,
    report: console.Report,
    force: bool,
) -> tuple[TrialResult, dict[str, Path]]:
    """Treat, compare and write; the figures are drawn beside, in the order in which they can be."""
    from concurrent.futures import ThreadPoolExecutor

    from vein2vein.report import facts
    from vein2vein.report.figures_forest import comparison_figure
    from vein2vein.report.trial import trial_page
    from vein2vein.report.trial_figures import draw_trial
    from vein2vein.runs.store import write_trial
    from vein2vein.trials import trial as trials

    numbers, sets, of, told = asked
    if of is None:
        journey = trials.enroll_and_treat(plan, numbers, seed=seed, progress=report)
    else:
        from vein2vein.inference.sets_side_by_side import treated

        journey = treated(plan, sets, of, numbers, seed=seed, progress=report)
    process = ask if numbers.size <= MOST_SENT else here
    drawn = process(draw_trial, plan, journey)
    report(1.0, trials.COMPARING)
    result = trials.set_beside(plan, journey, seed=seed, of=of, parameters=told)
    if of is not None:
        from dataclasses import replace

        from vein2vein.inference.model_error import widened_rows

        result = replace(result, comparison=widened_rows(result.comparison, plan.published))
    compared = process(comparison_figure, facts.compared(result))
    with ThreadPoolExecutor(1) as beside:  # and the tables are written
        stored = beside.submit(write_trial, result, folder)
        text = trial_page(result, drawn, compared)
        files = {"Results": Path(stored.result())}
    if export == "nonmem":
        from vein2vein.io.study.trial_data import write_nonmem

        files["NONMEM data set"] = Path(write_nonmem(result, folder / NONMEM))
    files["Report"] = write_text(folder / REPORT, text, force=force)
    return result, files


def _tell_outcome(
    plan: Trial, result: TrialResult | LargeResult, told: str, every: bool, for_machines: bool, quiet: bool
) -> None:
    """The rows for machines; for people the headline, where asked for after every row."""
    from vein2vein.report import facts, headline
    from vein2vein.trials.trial import TrialResult

    rows = facts.paired(result.comparison, plan.published)
    if isinstance(result, TrialResult):
        blocks = headline.blocks(result, rows)
    else:
        blocks = headline.blocks_of_chunks(plan, result, rows)
    if for_machines:
        for row in result.comparison:
            console.emit("row", **vars(row))
        console.emit("summary", **trial_summary.as_data(plan, blocks, rows))
        console.emit("parameters", text=told)
    elif not quiet:
        if every:
            trial_summary.print_comparison(result.comparison)
        trial_summary.tell_headline(plan, blocks, rows)
        if not rows and not isinstance(result, TrialResult):
            trial_summary.tell_counts(result.summary)
        console.say(f"Numbers of the model: {told}.")


def _tell_large(plan: Trial, result: LargeResult, told: str, every: bool, for_machines: bool, quiet: bool) -> None:
    """What came out of a run in chunks; no report, because no journey is ever whole in memory."""
    for note in result.notes:
        console.tell(f"note: {note}", "note", for_machines, text=note)
    _tell_outcome(plan, result, told, every, for_machines, quiet)
    _say_failed(result.failed, result.patients, for_machines)
    console.tell(f"Results: {result.folder}", "file", for_machines, path=result.folder, what="Results")


def _say_failed(failed: int, of: int, for_machines: bool) -> None:
    if for_machines:
        console.emit("failed", patients=failed, of=of)
    elif failed:
        console.say(f"{failed} of {of} patients could not be computed to the end; their status says why.", stderr=True)
