"""Calibrate the model to the published trials of the calibration set, stage by stage and then together, with its
uncertainty.

The numbers of qualification/calibration.toml are free within their priors; the scored rows of the calibration trials
are the data. With --staged each stage first moves its own factors (kinetics, B cells, tumor, cytokines, blood counts,
signs, survival), held against its rows and those of the stages before it. In each step every factor that may move is
moved a little by itself, with the same virtual patients and the same luck, in the trials whose patients meet its
cards; the step that these sensitivities call for (``gauss_newton.py``) is tried whole and in parts, and the best is
kept. The posterior is normal around the last point.

    python qualification/calibrate.py --steps 2 --patients 250 --workers 2 --out qualification/posterior.json
    python qualification/calibrate.py ... --write          # the same, and the sample becomes that of the package
    python qualification/write_cards.py                    # the mean becomes the cards' numbers

What is done is kept beside --out after every run; the same command, or one with more steps, goes on from there. No
number of a trial outside the calibration file is read.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread for each worker: the runs are what goes side by side
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import hashlib
import json
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import gauss_newton
import numpy as np
import tables
from fitted_rows import RESAMPLES, Problem, free_numbers, middle_of, problem_of, scored, stages_of_rows
from gauss_newton import BOUND
from kept import Kept, resumed

HERE = Path(__file__).resolve().parent
SETS = 200  # parameter sets of the package's sample
FRACTIONS = (1.0, 0.5, 0.25)  # of a step, that are tried
ROUNDS = 3  # how often a run that fails is tried
EVERY = 10  # runs between two lines of progress
DRAWS = 60  # of the posterior, run in a correction
CORRECTED = 0.4  # of the step that a correction takes: the sensitivities belong to another point
LUCKS, POLISH = 4, 500  # runs behind a row where steps reuse sensitivities, and how much later their seeds are
TRUST, MENDED = 1.0, 0.7  # how far the first of these steps goes, and how much of what it did sensitivities take
CORRECTION = 1000  # the first draw's own luck is this seed later than the first step's
LESS = {"contact_every": 120.0, "watch_until": 33.0}  # fewer contacts after the syndromes: half the time


# Running


def simulated(trial, member, patients: int, seed: int) -> list[tuple[float, float]]:
    """Simulated value of each scored row of a trial and its simulation error, on the scale of the row; NaN: missing."""
    from vein2vein.inference import posterior
    from vein2vein.trials.comparison import resampled
    from vein2vein.trials.trial import enroll_and_treat, follow_up_at

    trial = replace(trial, plan=replace(trial.plan, **LESS))
    journey = enroll_and_treat(
        trial, np.arange(patients), seed=seed, overlay=lambda arm: posterior.overlay(member, arm),
        constants=posterior.constants_under(member),
    )  # fmt: skip
    rows = scored(trial)
    found = resampled(
        rows, journey, follow_up=follow_up_at(trial, journey.patient.number, seed), scale=trial.scale,
        until=trial.until, seed=seed, resamples=RESAMPLES,
    )  # fmt: skip
    return [middle_of(row, values, pool) for row, (pool, values, _) in zip(rows, found, strict=True)]


def run_one(task) -> tuple[str, np.ndarray | None, float, str]:
    """Simulated rows of some trials, shape (rows, 2); None and the reason where it failed."""
    from vein2vein.engine.llvm import run_segment
    from vein2vein.inference import posterior
    from vein2vein.trials.trial import load_trial

    label, factors, logs, names, patients, seed = task
    run_segment.threads_available = lambda: 1
    began = time.perf_counter()
    try:
        member = posterior.member(factors, logs)
        values = [pair for name in names for pair in simulated(load_trial(name), member, patients, seed)]
    except Exception:  # one bad run must not stop the others
        return label, None, time.perf_counter() - began, traceback.format_exc(limit=-3)
    return label, np.array(values), time.perf_counter() - began, ""


def side_by_side(tasks: list, workers: int) -> Iterator[tuple]:
    """Results of runs as they are done; a worker that is ended from outside costs its own run only."""
    if workers == 1:
        yield from map(run_one, tasks)
        return
    left = {task[0]: task for task in tasks}
    for _ in range(ROUNDS):
        try:
            with ProcessPoolExecutor(workers, get_context("fork")) as pool:
                for future in as_completed([pool.submit(run_one, task) for task in left.values()]):
                    result = future.result()
                    del left[result[0]]
                    yield result
            return
        except BrokenProcessPool:
            print(f"a worker was ended from outside; {len(left)} runs are tried again", flush=True)
    for label in list(left):
        yield label, None, 0.0, "its worker was ended from outside"


def complete(
    wanted: dict[str, tuple], step: int, problem: Problem, kept: Kept, asked, *, own_luck: bool = False
) -> list[np.ndarray]:
    """Outcome of each run that is wanted (label: point, trials), shape (rows, 2); NaN where it fails every time.

    All runs of a step have the same luck: what differs between them is their numbers. With ``own_luck`` each has its
    own, so that luck is no part of what they have in common.
    """
    began, before = time.perf_counter(), kept.seconds
    for _ in range(ROUNDS):
        tasks = [
            (label, problem.factors, point * problem.prior, trials, asked.patients, asked.seed + step + own_luck * i)
            for i, (label, (point, trials)) in enumerate(wanted.items()) if label not in kept.runs
        ]  # fmt: skip
        tasks.sort(key=lambda task: -len(task[3]))  # longest first
        for count, (label, values, took, why) in enumerate(side_by_side(tasks, asked.workers), start=1):
            kept.seconds = before + time.perf_counter() - began
            if values is None:
                print(f"{label} failed: {why.strip()}", flush=True)
            else:
                kept.runs[label] = problem.placed(values, wanted[label][1])
                kept.save()
            if count % EVERY == 0 or count == len(tasks):
                left = (len(tasks) - count) * (time.perf_counter() - began) / count
                print(
                    f"step {step}: {count} of {len(tasks)} runs, the last {took:.1f} s, {kept.seconds:.0f} s in all, "
                    f"about {left:.0f} s to go",
                    flush=True,
                )
        if all(label in kept.runs for label in wanted):
            break
    nothing = np.full((len(problem.rows), 2), np.nan)
    for label in wanted:
        if label not in kept.runs:
            print(f"{label} failed {ROUNDS} times and is left out", flush=True)
    return [kept.runs.get(label, nothing) for label in wanted]


def linearized(
    point: np.ndarray, step: int, problem: Problem, kept: Kept, asked, moving: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Simulated rows at a point (rows,), their errors with the simulation's (rows,), sensitivities (factors, rows).

    Factors that do not move now are not run: their sensitivities are 0.
    """
    by = np.where(point + asked.difference > BOUND, -asked.difference, asked.difference)
    wanted = {f"step {step}: base": (point, list(problem.trials))}
    for j, factor in enumerate(problem.factors):
        here = [problem.trials[i] for i in np.unique(problem.owner[problem.allowed[j]])] if moving[j] else []
        wanted[f"step {step}: {factor.name} moved"] = (point + by[j] * (np.arange(len(point)) == j), here)
    able = {label: one for label, one in wanted.items() if one[1]}  # the others reach no row
    found = dict(zip(able, complete(able, step, problem, kept, asked), strict=True))
    base, noise = next(iter(found.values())).T
    if not np.isfinite(base).any():
        raise SystemExit("the run without any factor moved fails; see above")
    error = np.hypot(problem.error, np.nan_to_num(noise))
    nothing = np.full((len(base), 2), np.nan)
    moved = np.array([found.get(label, nothing)[:, 0] for label in list(wanted)[1:]])
    return base, error, gauss_newton.sensitivities(moved, base, error, by, problem.allowed)


def stepped(
    point, base, error, sensitivity, *, step: int, problem: Problem, kept: Kept, asked, moving, judged
) -> tuple:
    """The best of the fractions of the step that the sensitivities call for, and its rows; or nothing moves.

    Only the factors that are ``moving`` move, for the rows that are ``judged`` now.
    """
    residual = np.where(judged, gauss_newton.residuals(base, problem.data, error), 0)
    sensitivity = np.where(judged, sensitivity, 0)
    goal = gauss_newton.target(sensitivity, residual, point, moving)
    expected = gauss_newton.loss(residual + (goal - point) @ sensitivity, goal)
    points = [point, *(point + fraction * (goal - point) for fraction in FRACTIONS)]
    labels = [f"step {step}: {fraction:g} of the step" for fraction in FRACTIONS]
    wanted = {label: (there, list(problem.trials)) for label, there in zip(labels, points[1:])}
    outcomes = [base, *(found[:, 0] for found in complete(wanted, step, problem, kept, asked))]
    losses = [
        gauss_newton.loss(gauss_newton.residuals(outcome, problem.data, error)[judged], there)
        for outcome, there in zip(outcomes, points)
    ]
    print(f"step {step}: loss expected of the whole step {expected:.1f}", flush=True)
    for name, outcome, one in zip(["base", *labels], outcomes, losses):
        near = tables.within(outcome[judged], problem.data[judged], problem.tolerance[judged])
        print(f"  {name}: loss {one:.1f}, {near} of {judged.sum()} rows within tolerance", flush=True)
    best = int(np.argmin(losses))
    return points[best], outcomes[best]


def polished(point, outcome, error, sensitivity, *, problem: Problem, kept: Kept, asked) -> tuple:
    """Where steps that reuse the sensitivities end, the rows there, and the sensitivities mended by what steps did.

    Rows are means over several runs, each with luck of its own but the same in every step, so that no step follows the
    luck of one. After each step the sensitivities take a part of what it did otherwise than they said (Broyden). A step
    is held within a distance that grows when a step gains what it promised and is halved when it does not.
    """
    if not asked.polish:
        return point, outcome, sensitivity

    def rows_at(label: str, there: np.ndarray) -> np.ndarray:
        wanted = {f"{label}, luck {i}": (there, list(problem.trials)) for i in range(LUCKS)}
        found = np.array(complete(wanted, POLISH, problem, kept, asked, own_luck=True))[..., 0]
        missing = np.isnan(found).all(axis=0)
        return np.where(missing, np.nan, np.nanmean(np.where(missing, 0, found), axis=0))

    def loss_at(rows: np.ndarray, there: np.ndarray) -> float:
        return gauss_newton.loss(gauss_newton.residuals(rows, problem.data, error), there)

    reach, outcome = TRUST, rows_at("polish: base", point)
    for k in range(asked.polish):
        before, residual = loss_at(outcome, point), gauss_newton.residuals(outcome, problem.data, error)
        step = gauss_newton.target(sensitivity, residual, point) - point
        step *= min(1.0, reach / max(float(np.linalg.norm(step)), 1e-12))
        there, promised = point + step, gauss_newton.loss(residual + step @ sensitivity, point + step)
        rows = rows_at(f"polish {k}", there)
        after, near = loss_at(rows, there), tables.within(rows, problem.data, problem.tolerance)
        print(f"polish {k}: loss {before:.1f} to {after:.1f} ({promised:.1f} promised), {near} within", flush=True)
        other = np.nan_to_num((rows - outcome) / error) - step @ sensitivity
        sensitivity = sensitivity + MENDED * np.outer(step, other) / max(step @ step, 1e-12) * problem.allowed
        if after < before:
            reach *= 1.5 if before - after > (before - promised) / 2 else 1
            point, outcome = there, rows
        else:
            reach /= 2
    return point, outcome, sensitivity


def centered(point, outcome, sensitivity, *, problem: Problem, kept: Kept, asked) -> tuple[np.ndarray, np.ndarray]:
    """A mean from which the rows of the posterior's draws, not those at the mean, lie near the data; those rows.

    Rows bend: the median of what the draws simulate is not what their mean simulates. Each correction runs some draws
    and takes a part of the step that the sensitivities call for from their medians.
    """
    for k in range(asked.corrections):
        luck = np.random.default_rng(asked.seed + k)
        scale = gauss_newton.error_scale(sensitivity, gauss_newton.residuals(outcome, problem.data, problem.error))
        draws = gauss_newton.drawn(point, gauss_newton.covariance(sensitivity, scale), DRAWS, luck)
        wanted = {f"correction {k}: draw {j}": (draw, list(problem.trials)) for j, draw in enumerate(draws)}
        found = np.array(complete(wanted, CORRECTION * (k + 1), problem, kept, asked, own_luck=True))
        outcome = np.nanmedian(found[..., 0], axis=0)
        near = tables.within(outcome, problem.data, problem.tolerance)
        print(f"correction {k}: {near} of {len(outcome)} medians of the draws within tolerance before it", flush=True)
        residual = gauss_newton.residuals(outcome, problem.data, problem.error)
        point = point + CORRECTED * (gauss_newton.target(sensitivity, residual, point) - point)
    return point, outcome


def plan_of(stages: list[str], rows: list, asked) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each step, which factors move and which rows judge it: first each stage for itself, if so asked, with the
    rows of the stages up to it; then all together, at least once."""
    order, of_rows = stages_of_rows(rows, asked.free)
    by_stage = [
        (np.array([one == stage for one in stages]), np.array([order.index(one) <= at for one in of_rows]))
        for at, stage in enumerate(order) if stage in stages
    ] if asked.staged else []  # fmt: skip
    everything = np.ones(len(stages), dtype=bool), np.ones(len(rows), dtype=bool)
    return [*by_stage, *[everything] * max(asked.steps, 1)]


# What came out


def write_json(path: Path, sample, point: np.ndarray, spread: np.ndarray, stages: list[str]) -> None:
    """Estimate and covariance, for whoever wants to look into them."""
    names = [factor.name for factor in sample.factors]
    record = {
        "what": "factors on the numbers of the cards: logarithms in standard deviations of their priors",
        "cards": sample.cards, **sample.facts, "names": names, "stages": stages,
        "prior_sd": {f.name: f.prior_sd for f in sample.factors}, "estimate": dict(zip(names, point.tolist())),
        "covariance": spread.round(6).tolist(),
    }  # fmt: skip
    from vein2vein.files import write_text

    write_text(path, json.dumps(record, indent=1), force=True, durable=True)


def options(arguments: Iterable[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2, help="0: only sensitivities and sample, at the cards' numbers")
    parser.add_argument("--staged", action="store_true", help="before: kinetics alone, then B cells, tumor and so on")
    parser.add_argument("--polish", type=int, default=0, help="steps after them that reuse the last sensitivities")
    parser.add_argument("--corrections", type=int, default=1, help="how often the mean is corrected by runs of draws")
    parser.add_argument("--patients", type=int, default=250)
    parser.add_argument("--difference", type=float, default=0.7, help="prior standard deviations a factor is moved by")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--trials", nargs="*")
    parser.add_argument("--out", type=Path, default=HERE / "posterior.json")
    parser.add_argument("--free", type=Path, default=HERE / "calibration.toml", help="what is free, and the priors")
    parser.add_argument("--write", action="store_true", help="make the sample that of the package")
    parser.add_argument("--table", type=Path, help="write the identifiability tables here as well")
    asked = parser.parse_args(arguments)
    if min(asked.steps, asked.polish, asked.corrections) < 0 or not 0 < asked.difference <= BOUND:
        parser.error(
            f"expected --steps, --polish, --corrections of 0 or more, and --difference above 0 and at most {BOUND:g}"
        )
    return asked


def main(arguments: Iterable[str] | None = None) -> int:
    """Run the calibration; print how far each row is from its data and what the data decided."""
    asked = options(arguments)
    from vein2vein import __version__
    from vein2vein.inference import posterior
    from vein2vein.trials.trial import list_trials, load_trial

    factors, stages = free_numbers(asked.free)
    problem = problem_of(factors, asked.trials or list(list_trials()))
    cards, data, error = posterior.hash_of_cards(factors), problem.data, problem.error
    tolerance = problem.tolerance
    told = [
        asked.patients, asked.difference, asked.seed, asked.staged, problem.trials, data.tolist(), error.tolist(),
        cards, factors,
    ]  # fmt: skip
    kept = resumed(asked.out.with_suffix(".npz"), hashlib.sha256(repr(told).encode()).hexdigest())
    simulated(load_trial(problem.trials[0]), posterior.Member({}), 2, asked.seed)  # all is compiled before it forks
    print(f"{len(factors)} factors, {len(data)} rows of {len(problem.trials)} trials", flush=True)
    point, before = np.zeros(len(factors)), None
    for step, (moving, judged) in enumerate(plan_of(stages, problem.rows, asked)):
        outcome, whole, sensitivity = linearized(point, step, problem, kept, asked, moving)
        before = tables.within(outcome, data, tolerance) if before is None else before
        if asked.steps or not moving.all():
            point, outcome = stepped(
                point, outcome, whole, sensitivity, step=step, problem=problem, kept=kept, asked=asked,
                moving=moving, judged=judged,
            )  # fmt: skip
    point, outcome, sensitivity = polished(
        point, outcome, whole, sensitivity, problem=problem, kept=kept, asked=asked
    )
    point, outcome = centered(point, outcome, sensitivity, problem=problem, kept=kept, asked=asked)
    scale = gauss_newton.error_scale(sensitivity, gauss_newton.residuals(outcome, data, error))
    spread = gauss_newton.covariance(sensitivity, scale)
    draws = gauss_newton.drawn(point, spread, SETS, np.random.default_rng(asked.seed))
    facts = {
        "version": __version__, "seed": asked.seed, "staged": "yes" if asked.staged else "no", "steps": asked.steps,
        "patients": asked.patients,
        "difference": asked.difference, "error_scale": round(scale, 2), "rows": len(data), "within_before": before,
        "polish": asked.polish, "corrections": asked.corrections,
        "within_after": tables.within(outcome, data, tolerance),
        "seconds": round(kept.seconds), "workers": asked.workers,
        "trials": list(problem.trials),
    }  # fmt: skip
    sample = posterior.Posterior(problem.factors, draws * problem.prior, cards, facts)
    write_json(asked.out, sample, point, spread, stages)
    table = "\n".join(tables.identifiability(point, spread, factors, stages, facts))
    if asked.table:
        from vein2vein.files import write_text

        write_text(asked.table, table + "\n", force=True)
    if asked.write:
        posterior.write_posterior(sample, posterior.bundled())
    print("\n".join(tables.by_row(outcome, problem.rows, data, error)))
    print(table)
    if asked.write:
        print(f"wrote {posterior.bundled()}: {len(sample.logs)} parameter sets")
    return 0


if __name__ == "__main__":
    sys.exit(main())
