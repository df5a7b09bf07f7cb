"""vein2vein fit: a population model fitted to a study, with its report; fits side by side."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vein2vein.cli import console, options
from vein2vein.cli.fit_more import Asked, more_of, search_of
from vein2vein.errors import InputError
from vein2vein.files import is_regular, write_text
from vein2vein.locks import alone

if TYPE_CHECKING:
    from vein2vein.inference.diagnostics.diagnosis import Diagnosis
    from vein2vein.inference.population.fitted import Fit
    from vein2vein.inference.population.problem import FitProblem

NOT_CONVERGED = 3
REPORT, TABLE, START, STATE = "report.html", "table.csv", "start.toml", "state.npz"
MANIFEST, FIT = "manifest.json", "fit.toml"
METHODS = ("saem", "focei", "laplace")
EXAMPLES = """\b
Examples:
  vein2vein fit study.csv --model stein_2019 --time-unit d
  vein2vein fit study.csv --model stein_2019 --init fit.toml
  vein2vein fit fit.toml --seeds 3 --out first
  vein2vein fit fit.toml --out first --resume
  vein2vein fit first second --compare
"""


@click.command("fit", cls=options.Command, epilog=EXAMPLES)
@click.argument("files", nargs=-1, type=options.PATH, metavar="FIT.TOML|STUDY.CSV|FOLDERS")
@click.option("--model", metavar="NAME|FILE", help="Model to fit to STUDY.CSV: a bundled one, or your own Python file.")
@click.option("--time-unit", metavar="UNIT", help="Unit of the times of STUDY.CSV, such as d or h.")
@options.columns
@click.option("--method", type=click.Choice(METHODS), help="Estimator (default: that of the file, else saem).")
@click.option("--seed", type=click.IntRange(0), metavar="S", help="Seed (default: that of the file, else 1).")
@click.option(
    "--seeds", type=click.IntRange(1, 20), metavar="N", help="Runs from so many seeds, held against each other (saem)."
)
@options.jobs(None, "Processes in which seeds and resamples run side by side (default: all cores).")
@click.option(
    "--covariates",
    metavar="LIST",
    help="Search for covariates step by step: all, or some such as WT,ARM; [search] of FIT.TOML says more.",
)
@click.option(
    "--bootstrap",
    type=click.IntRange(20, 10_000),
    metavar="N",
    help="Fit so many samples of the subjects, for intervals.",
)
@click.option(
    "--sir",
    type=click.IntRange(100, 100_000),
    metavar="N",
    help="Importance resampling with so many draws, for intervals.",
)
@click.option("--profile", is_flag=True, help="Profile the spreads of parameters whose shrinkage is above 50 %.")
@click.option("--resume", is_flag=True, help="Go on with a fit that was interrupted, to the same bits.")
@click.option("--compare", is_flag=True, help="Lay folders of fits side by side: AIC, BIC, likelihood ratios.")
@options.out_folder("Folder of the fit (default: vein2vein-results/<study>-<model>-<method>).")
@options.init("Write a commented FIT.TOML for STUDY.CSV and --model")
@options.for_machines("progress, note, verdict, estimate, likelihood, check, npde, doubt, step, interval, file, report")
@options.quiet("No progress and no tables; the verdict, and where the report is.")
@options.force
def command(
    files: tuple[Path, ...],
    model: str | None,
    time_unit: str | None,
    named: str | None,
    method: str | None,
    seed: int | None,
    seeds: int | None,
    jobs: int | None,
    covariates: str | None,
    bootstrap: int | None,
    sir: int | None,
    profile: bool,
    resume: bool,
    compare: bool,
    out: Path | None,
    init: Path | None,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> int:
    """Fit a population model to a study: estimates, diagnostics, a report.

    FIT.TOML says what is fitted to what (--init writes one); or give STUDY.CSV and --model, and starts are made from
    the model's own numbers. Exit code 0: converged; 3: not converged, the results so far are in the folder; 130:
    interrupted, --resume goes on.
    """
    if init is not None:
        options.only("--init", "init", "files", "model", "time_unit", "named", "force", "for_machines", "quiet")
    if compare:
        options.only("--compare", "files", "compare", "for_machines", "quiet")
        return _compare(files, for_machines, quiet)
    if not files:
        raise InputError(
            "fit what? Give a FIT.TOML, or a STUDY.CSV and --model; 'vein2vein check' says whether it is fit."
        )
    if len(files) > 1:
        raise click.UsageError(
            "found several files, expected one: a FIT.TOML or a STUDY.CSV; --compare takes folders of fits."
        )
    file = next(iter(files))
    is_problem = file.suffix.lower() == ".toml"
    if is_problem:
        options.idle(f"{file.name}, which says it", "model", "time_unit", "named", "init")
    elif file.is_dir():
        raise InputError("this is a folder; give the FIT.TOML inside, or add --compare with another folder.", file=file)
    elif model is None:
        raise InputError(
            "which model? Add --model with a bundled one ('vein2vein models') or your own Python file; or give a "
            "FIT.TOML."
        )
    if init is not None:
        from vein2vein.cli.fit_start import start_text

        text = start_text(file, str(model), init, time_unit=time_unit or "", named=named)
        options.start_file(
            init,
            text,
            f"fit {init}",
            "files",
            "model",
            "time_unit",
            "named",
            force=force,
            for_machines=for_machines,
            quiet=quiet,
        )
        return 0
    folder = out or console.results_folder(_name(file, model, method))
    console.new_folder(folder, (REPORT, TABLE, MANIFEST), force=force)
    if resume and not is_regular(folder / STATE):
        raise InputError(f"no interrupted fit lies in {folder}; leave --resume out, or give its folder with --out.")
    if is_regular(folder / STATE) and not resume:
        if not force:
            raise InputError(
                f"an interrupted fit lies in {folder}; add --resume to go on with it, or --force to begin anew."
            )
        (folder / STATE).unlink()
    with alone(folder):
        problem = _problem(file, model, time_unit, named, folder, method, seed, seeds)
        if problem.method != "saem":
            options.idle(f"{problem.method}, which has no seeds", "seeds")
        from vein2vein.engine.llvm.threads import available

        processes = jobs or available()
        found = _fitted(problem, folder, processes, for_machines, quiet)
        if found is None:
            said = {
                "model": model,
                "time-unit": time_unit,
                "columns": named,
                "method": method,
                "seed": seed,
                "seeds": seeds,
            }
            return _interrupted(file, folder, said, for_machines)
        asked = Asked(search_of(covariates, file), bootstrap, sir, profile, processes)
        return _told(found, folder, asked, for_machines=for_machines, quiet=quiet)


def _name(file: Path, model: str | None, method: str | None) -> str:
    return "-".join(part for part in (file.stem, Path(model).stem if model else "", method or "") if part)


def _problem(
    file: Path,
    model: str | None,
    time_unit: str | None,
    named: str | None,
    folder: Path,
    method: str | None,
    seed: int | None,
    seeds: int | None,
) -> FitProblem:
    """The problem of a file with what the options say otherwise."""
    from vein2vein.cli.fit_start import start_text
    from vein2vein.inference.population.fit_file import read_fit_file

    if model is not None:
        text = start_text(file, model, folder / START, time_unit=time_unit or "", named=named)
        write_text(folder / START, text, force=True)
        file = folder / START
    problem = read_fit_file(file)
    settings = problem.settings if seeds is None else replace(problem.settings, seeds=seeds)
    return replace(
        problem, method=method or problem.method, seed=problem.seed if seed is None else seed, settings=settings
    )


def _fitted(problem: FitProblem, folder: Path, jobs: int, for_machines: bool, quiet: bool) -> Fit | None:
    """The fit; None where it was interrupted."""
    from vein2vein.cli.fit_progress import progress
    from vein2vein.inference.population.fit import fit

    try:
        with progress(problem, for_machines=for_machines, quiet=quiet) as (_, tell):
            return fit(problem, progress=tell, keep=folder / STATE, jobs=jobs)
    except KeyboardInterrupt:
        return None


def _interrupted(file: Path, folder: Path, said: Mapping[str, object], for_machines: bool) -> int:
    from vein2vein.cli.main import INTERRUPTED

    told = "".join(f" --{name} {shlex.quote(str(value))}" for name, value in said.items() if value is not None)
    again = f"vein2vein fit {shlex.quote(str(file))}{told} --out {shlex.quote(str(folder))} --resume"
    kept = is_regular(folder / STATE)
    sentence = f"interrupted; the state is kept in {folder / STATE}. To go on, to the same bits: {again}"
    sentence = sentence if kept else "interrupted before there was anything to keep."
    if for_machines:
        console.emit("error", text=sentence, code=INTERRUPTED)
    click.echo(f"vein2vein: {sentence}", err=True)
    return INTERRUPTED


def _told(fit: Fit, folder: Path, asked: Asked, *, for_machines: bool, quiet: bool) -> int:
    """Write the folder and tell what was found."""
    from vein2vein.cli.fit_screen import emit_fit, tell_fit
    from vein2vein.inference.population.folder import write_fit
    from vein2vein.report.fit_files import write_report

    write_fit(fit, folder, force=True)  # first: whatever follows, the numbers are kept
    fit, tables, profiles = more_of(fit, folder, asked, for_machines=for_machines, quiet=quiet)
    console.tell_notes(fit.notes, for_machines=for_machines, quiet=quiet)
    found = write_report(fit, folder, tables, profiles)
    if for_machines:
        emit_fit(fit, found)
    elif quiet:
        click.echo(f"{fit.verdict[0][:1].upper()}{fit.verdict[0][1:]}")
    else:
        tell_fit(fit, found)
        _tell_profile(found, folder, asked)
    console.tell(f"Predictions: {folder / TABLE}", "file", for_machines, path=folder / TABLE, what="Predictions")
    console.tell(f"Report: {folder / REPORT}", "report", for_machines, path=folder / REPORT)
    return 0 if fit.converged else NOT_CONVERGED


def _tell_profile(found: Diagnosis, folder: Path, asked: Asked) -> None:
    """Say how spreads that need a profile get one, where none was asked for."""
    names = [name for one in found.identifiability.doubts if one.kind == "shrunken" for name in one.names]
    if names and not asked.profile:
        file, out = shlex.quote(str(folder / FIT)), shlex.quote(f"{folder}-profiled")
        console.say(f"To profile {', '.join(names)}: vein2vein fit {file} --profile --out {out}")


def _compare(folders: tuple[Path, ...], for_machines: bool, quiet: bool) -> int:
    from vein2vein.cli.fit_screen import tell_comparison
    from vein2vein.inference.fitted_models.compare import compare_fits
    from vein2vein.inference.population.folder import read_fit

    labels = [str(folder) for folder in folders]
    shared = os.path.commonpath(labels) if len(labels) > 1 and len(set(labels)) == len(labels) else ""
    names = [os.path.relpath(label, shared) if shared else label for label in labels]
    if len(set(names)) < len(names):
        raise InputError("a folder was given twice; give each fit once.")
    tell_comparison(
        compare_fits({name: read_fit(folder) for name, folder in zip(names, folders)}),
        for_machines=for_machines,
        quiet=quiet,
    )
    return 0
