"""vein2vein qualify: published trials run again in virtual patients, and how far the two are apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vein2vein.cli import console, options
from vein2vein.cli.console import number, with_interval
from vein2vein.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vein2vein.inference.qualification import Qualification
    from vein2vein.inference.scoring import Score, ScoredRow
    from vein2vein.trials.trial import Trial

REPORT, DATA, LEFT_OUT = "report.html", "qualification.json", "left-out.json"
HEADERS = (
    "endpoint",
    "definition",
    "unit",
    "published (95 %)",
    "simulated (90 %)",
    "n",
    "tolerance",
    "baseline",
    "pass",
)
WIDTHS = (22, 0, 8, 18, 20, 4, 9, 8, 4)
SCORES = ("", "rows", "passed", "share", "coverage", "error", "baseline", "better by")
MOST_PATIENTS = 100_000
EXAMPLES = """\b
Examples:
  vein2vein qualify
  vein2vein qualify juliet zuma-1 --patients 1000
  vein2vein qualify --parameters typical
  vein2vein qualify --left-out
  vein2vein qualify my.toml --out my-trial --json
"""


@click.command("qualify", cls=options.Command, epilog=EXAMPLES)
@click.argument("trials", nargs=-1, metavar="[NAME|FILE]...")
@options.patients(
    10,
    MOST_PATIENTS,
    "Virtual patients enrolled in each trial, under each parameter set (default: by the size of the trial).",
)
@options.parameters(
    None, "the intervals then hold what is not known of the numbers (default: posterior where it fits the cards)."
)
@click.option(
    "--left-out",
    is_flag=True,
    help="Predict: each trial under what the other trials say, its own rows and those of trials that may share its "
    "patients left out.",
)
@options.jobs(None, "Processes that run trials side by side (default: all cores).")
@options.seed("scores")
@options.out_folder("Folder for the report (default: vein2vein-results/qualification-seed<S>).")
@options.for_machines("progress, note, row, score, report")
@options.quiet("No progress and no rows; only the scores and where the report is.")
@options.force
def command(
    trials: tuple[str, ...],
    patients: int | None,
    parameters: str | None,
    left_out: bool,
    jobs: int | None,
    seed: int,
    out: Path | None,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Run the published trials again and score the difference.

    A row passes when the published value lies in the simulated 90 % interval (trials of the published size) and the
    simulated median is within the tolerance of the row. Errors are in tolerances; the baseline is the mean of the other
    trials for the same endpoint. Without names, every trial that comes with vein2vein.
    """
    from vein2vein.engine.llvm.threads import available
    from vein2vein.inference import qualification
    from vein2vein.inference.posterior import sample_for
    from vein2vein.report.qualification import write_qualification
    from vein2vein.trials.trial import check_apart, load_trial

    chosen = [load_trial(name) for name in trials] or None
    check_apart(chosen or ())
    if chosen and not any(qualification.scored_rows(trial) for trial in chosen):
        text = 'no row is scored; add tolerance and tolerance_kind to a [[published]] row with confidence = "read".'
        raise InputError(text, file=chosen[0].file)
    if left_out:
        if parameters:
            text = "found --parameters beside --left-out, which makes its own parameter sets; leave one of them away."
            raise InputError(text, field="parameters")
        _predict(chosen, patients, seed, jobs or available(), out, for_machines=for_machines, quiet=quiet, force=force)
        return
    folder = out or console.results_folder(f"qualification-seed{seed}")
    console.new_folder(folder, (REPORT, DATA), force=force)
    sets, note = sample_for(parameters)
    if note:
        console.tell_notes([note], for_machines=for_machines, quiet=False)
    with console.progress("qualification", for_machines=for_machines, quiet=quiet) as report:
        result = qualification.qualify(
            chosen, patients=patients, seed=seed, sets=sets, progress=report, jobs=jobs or available()
        )
    files = write_qualification(result, folder, force=force)
    if for_machines:
        for row in () if quiet else result.rows:
            console.emit("row", **vars(row))
        for of, score in [
            ("all", result.overall),
            *(("trial", s) for s in result.trials),
            *(("kind", s) for s in result.kinds),
        ]:
            console.emit("score", of=of, **vars(score), share=score.share, gain=score.gain)
    else:
        if not quiet:
            _print_rows(result.rows)
        _print_scores(result)
    for what, path in files.items():
        console.tell(f"{what}: {path}", "report" if what == "Report" else "file", for_machines, path=path, what=what)


def _predict(
    chosen: list[Trial] | None,
    patients: int | None,
    seed: int,
    jobs: int,
    out: Path | None,
    *,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Leave-one-trial-out: the trials asked for are told, the error of the model is learned from all."""
    from vein2vein.inference.calibration.linear_file import read_linear
    from vein2vein.inference.leave_one_out import predict_left_out
    from vein2vein.report.qualification import write_left_out

    linear = read_linear()
    for trial in chosen or ():
        if trial.name not in linear.owners:
            text = "no row of it was calibrated to, so nothing is to be left out; ask without --left-out."
            raise InputError(text, file=trial.file)
    folder = out or console.results_folder(f"left-out-seed{seed}")
    console.new_folder(folder, (LEFT_OUT,), force=force)
    with console.progress("prediction", for_machines=for_machines, quiet=quiet) as report:
        found = predict_left_out(linear, patients=patients, seed=seed, progress=report, jobs=jobs)
    told = {trial.name for trial in chosen} if chosen else set(found.groups)
    rows = [row for row in found.rows if row.file in told]
    scores = (("group", found.by_group), ("trial", found.trials), ("kind", found.kinds), ("all", (found.overall,)))
    path = write_left_out(found, folder, seed=seed, force=force)
    if for_machines:
        for row in () if quiet else rows:
            console.emit("row", **vars(row), group=found.groups[row.file])
        for of, some in scores:
            for one in some:
                console.emit("score", of=of, **vars(one), share=one.share, gain=one.gain)
    else:
        if not quiet:
            _print_rows(rows)
        for title, some in zip(("By group", "By trial", "By kind of endpoint", "In all"), [one for _, one in scores]):
            console.table(SCORES, [_score(one) for one in some if one.rows], title=title, right=range(1, len(SCORES)))
        errors = ", ".join(f"{kind} {number(sd, 2)}" for kind, sd in sorted(found.model_error.items()))
        console.say(f"Predictions: no row of a trial, or of one that may share its patients, informs it ({found.how}).")
        console.say(
            f"Median width of the intervals: {number(found.width, 2)} tolerances. Error of the model by kind, in "
            f"tolerances: {errors}."
        )
    console.tell(f"Data: {path}", "file", for_machines, path=path, what="Data")


def _print_rows(scored: Sequence[ScoredRow]) -> None:
    for name in dict.fromkeys(row.file for row in scored):
        rows = [row for row in scored if row.file == name]
        console.table(HEADERS, [_cells(row) for row in rows], title=name, right=(3, 4, 5, 6, 7), widths=WIDTHS)
        for row in rows:
            if row.missing:
                console.say(f"{row.quantity} not produced: {row.missing}")


def _cells(row: ScoredRow) -> tuple[str, ...]:
    kind = {"percent of value": "%", "published interval": "interval"}.get(row.tolerance_kind, row.tolerance_kind)
    tolerance = kind if kind == "interval" else f"{number(row.tolerance)} {kind}"
    return (
        row.quantity.replace("_", " "),
        row.definition,
        row.unit,
        with_interval(row.published, row.published_low, row.published_high),
        "missing" if row.missing else with_interval(row.simulated, row.low, row.high),
        number(row.n),
        tolerance,
        number(row.baseline),
        "yes" if row.passed else "no",
    )


def _print_scores(result: Qualification) -> None:
    from vein2vein.inference.posterior import calibrated_to
    from vein2vein.inference.scoring import summarize

    for title, scores in (("By trial", result.trials), ("By kind of endpoint", result.kinds)):
        console.table(SCORES, [_score(score) for score in scores], title=title, right=range(1, len(SCORES)))
    console.table(SCORES, [_score(result.overall)], title="In all", right=range(1, len(SCORES)))
    console.say("Errors are mean absolute differences in tolerances; the baseline is over the rows that have one.")
    console.say(f"Numbers of the model: {result.provenance['parameters']}.")
    if result.bare != result.rows:
        bare = summarize("all", result.bare)
        console.say(f"Without the error of the model {bare.passed} pass, {100 * bare.coverage:.0f} % inside.")
    if fitted := calibrated_to() & {score.name for score in result.trials}:
        which = "these rows" if len(fitted) == len(result.trials) else f"the rows of {', '.join(sorted(fitted))}"
        console.say(f"Fit: the numbers were calibrated to {which}. Prediction: vein2vein qualify --left-out.")


def _score(score: Score) -> tuple[str, ...]:
    def share(value: float) -> str:
        return number(value) if value != value else f"{100 * value:.0f} %"  # unit factor; NaN is shown as a dash

    return (
        score.name,
        str(score.rows),
        str(score.passed),
        share(score.share),
        share(score.coverage),
        number(score.error, 2),
        number(score.baseline_error, 2),
        share(score.gain),
    )
