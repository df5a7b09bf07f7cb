"""Calibrate the model to the published trials of the calibration set, all stages at once, with its uncertainty.

The numbers of qualification/calibration.toml are free within their priors; the scored rows of the calibration trials
are the data. In each step every factor is moved a little by itself, with the same virtual patients and the same luck,
in the trials whose patients meet one of its cards; the step that these sensitivities call for (``gauss_newton.py``) is
tried whole and in parts, and the best is kept. The posterior is normal around the last point.

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
import tomllib
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import gauss_newton
import numpy as np
import tables
from gauss_newton import BOUND, FAR
from kept import Kept, resumed
from tables import NORMAL_90

HERE = Path(__file__).resolve().parent
SETS = 200  # parameter sets of the package's sample
FRACTIONS = (1.0, 0.5, 0.25)  # of a step, that are tried
ROUNDS = 3  # how often a run that fails is tried
EVERY = 10  # runs between two lines of progress
LEFT_OUT = 0.5  # of a tolerance, taken as a 90 % interval, for what the model leaves out
DRAWS = 60  # of the posterior, run in a correction
CORRECTED = 0.4  # of the step that a correction takes: the sensitivities belong to another point
CORRECTION = 1000  # the first draw's own luck is this seed later than the first step's
NORMAL_95 = 1.96  # half-width of a normal distribution's 95 % interval
RESAMPLES = 100  # simulated trials of the published size behind one simulated value
LESS = {"contact_every": 120.0, "watch_until": 33.0}  # fewer contacts after the syndromes: half the time


@dataclass(frozen=True)
class Problem:
    """What is free, and the data."""

    factors: tuple
    trials: tuple[str, ...]
    rows: list
    owner: np.ndarray  # (rows,), place of each row's trial
    data: np.ndarray  # (rows,), on the scale of the row
    error: np.ndarray  # (rows,), standard deviation
    tolerance: np.ndarray  # (rows,)
    allowed: np.ndarray  # (factors, rows), whether a factor can move a row
    prior: np.ndarray  # (factors,), standard deviation of the logarithm

    def placed(self, values: np.ndarray, trials: list[str]) -> np.ndarray:
        """The rows of some trials among all rows; NaN for the others."""
        found = np.full((len(self.rows), 2), np.nan)
        found[np.isin(self.owner, [self.trials.index(name) for name in trials])] = values
        return found


def free_numbers(path: Path = HERE / "calibration.toml") -> tuple[list, list[str]]:
    """What is free, each factor log-normal around the cards' present value, and the stage of each."""
    from vein2vein.population.posterior import Factor, card_parameters

    card = tomllib.loads(path.read_text(encoding="utf-8"))
    found, stages = [], []
    for name, row in card["free"].items():
        cards = tuple(one for listed in row["cards"] for one in card["groups"].get(listed, [listed]))
        factor = Factor(name, row.get("parameter", name), row.get("what", "value"), cards, row["sd"])
        for one in cards:
            if factor.parameter not in {*card_parameters(one).parameters, *card_parameters("reference").parameters}:
                raise SystemExit(f"{path.name}: {name}: the card {one} has no parameter {factor.parameter}")
        found.append(factor)
        stages.append(row["stage"])
    return found, stages


# The data


def scored(trial) -> list:
    """The rows of a trial that are data: scored and read, never recalled."""
    from vein2vein.population.qualification import scored_rows

    return list(scored_rows(trial))


def on_scale(row, value: float) -> float:
    """A value on the scale on which the error of its row is even."""
    match row.tolerance_kind:
        case "log10":
            return float(np.log10(max(value, 1e-12)))
        case "percent of value" | "published interval":
            return float(np.log(max(value, 1e-12)))
        case _:
            return float(value)


def tolerance_of(row) -> float:
    """How far a row's median may be from its data, on the scale of the row."""
    if row.tolerance_kind == "published interval":
        return float(np.log(row.high / row.low) / 2)
    return float(row.tolerance / (100 if row.tolerance_kind == "percent of value" else 1))


def error_of(row) -> float:
    """Standard deviation of a row's error on its scale: its sampling error, and what the model leaves out."""
    from vein2vein.population.endpoints import ENDPOINTS

    ends = [on_scale(row, end) for end in (row.low, row.high)]
    if np.isfinite(ends).all():
        sampling = (ends[1] - ends[0]) / (2 * NORMAL_95)
    elif row.unit == "%" and np.isfinite(row.n) and ENDPOINTS[row.endpoint].kind in ("share", "time"):
        share = (row.value / 100 * row.n + 1) / (row.n + 2)
        sampling = 100 * np.sqrt(share * (1 - share) / row.n)
    else:
        sampling = 0.0
    if row.tolerance_kind == "published interval":
        return sampling
    return float(np.hypot(LEFT_OUT * tolerance_of(row) / NORMAL_90, sampling))


def reach(factors: list, trials: list) -> np.ndarray:
    """Which rows a factor can move: those whose patients meet one of its cards; shape (factors, rows)."""
    met = []
    for trial in trials:
        for row in scored(trial):
            arms = [arm for arm in trial.arms if not row.arms or arm.name in row.arms] or [trial]
            met.append({name for arm in arms for name in (arm.product.name, arm.disease.name)})
    general = {"reference", "bedside", "covariates", "hazards"}
    return np.array([[bool((here | general) & set(factor.cards)) for here in met] for factor in factors])


def problem_of(factors: list, names: list[str]) -> Problem:
    """The free numbers and the rows of the trials together."""
    from vein2vein.population.trial import load_trial

    trials = [load_trial(name) for name in names]
    rows = [row for trial in trials for row in scored(trial)]
    return Problem(
        tuple(factors), tuple(names), rows,
        np.array([at for at, trial in enumerate(trials) for _ in scored(trial)]),
        np.array([on_scale(row, row.value) for row in rows]), np.array([error_of(row) for row in rows]),
        np.array([tolerance_of(row) for row in rows]), reach(factors, trials),
        np.array([factor.prior_sd for factor in factors]),
    )  # fmt: skip


# Running


def simulated(trial, member, patients: int, seed: int) -> list[tuple[float, float]]:
    """Simulated value of each scored row of a trial and its simulation error, on the scale of the row; NaN: missing."""
    from vein2vein.population import posterior
    from vein2vein.population.comparison import resampled
    from vein2vein.population.trial import enroll_and_treat, follow_up_at

    trial = replace(trial, plan=replace(trial.plan, **LESS))
    with posterior.in_force(member):
        journey = enroll_and_treat(
            trial, np.arange(patients), seed=seed, overlay=lambda arm: posterior.overlay(member, arm)
        )
    rows = scored(trial)
    found = resampled(
        rows, journey, follow_up=follow_up_at(trial, journey.patient.number, seed), scale=trial.scale,
        until=trial.until, seed=seed, resamples=RESAMPLES,
    )  # fmt: skip
    return [middle_of(row, values, pool) for row, (pool, values, _) in zip(rows, found, strict=True)]


def middle_of(row, values: np.ndarray | None, pool: int) -> tuple[float, float]:
    """Mean of the middle half of simulated trials of the published size, which moves with the numbers where a median
    of whole days would not, and its simulation error; NaN where half of the trials give nothing."""
    values = np.empty(0) if values is None else values[~np.isnan(values)]
    if values.size < RESAMPLES / 2:
        return np.nan, np.nan
    center, error = on_scale(row, row.value), error_of(row)
    on = np.clip(np.sort([on_scale(row, value) for value in values]), center - FAR * error, center + FAR * error)
    low, high = np.quantile(on, [0.05, 0.95])
    quarter = on.size // 4
    spread = (high - low) / (2 * NORMAL_90) * np.sqrt((row.draw or pool) / pool)
    return float(on[quarter : on.size - quarter].mean()), float(spread)


def run_one(task) -> tuple[str, np.ndarray | None, float, str]:
    """Simulated rows of some trials, shape (rows, 2); None and the reason where it failed."""
    from vein2vein.engine import batch
    from vein2vein.population import posterior
    from vein2vein.population.trial import load_trial

    label, factors, logs, names, patients, seed = task
    batch.threads_available = lambda: 1
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


def linearized(point: np.ndarray, step: int, problem: Problem, kept: Kept, asked) -> tuple[np.ndarray, ...]:
    """Simulated rows at a point (rows,), their errors with the simulation's (rows,), sensitivities (factors, rows)."""
    by = np.where(point + asked.difference > BOUND, -asked.difference, asked.difference)
    wanted = {f"step {step}: base": (point, list(problem.trials))}
    for j, factor in enumerate(problem.factors):
        here = [problem.trials[i] for i in np.unique(problem.owner[problem.allowed[j]])]
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


def stepped(point, base, error, sensitivity, *, step: int, problem: Problem, kept: Kept, asked) -> tuple:
    """The best of the fractions of the step that the sensitivities call for, and its rows; or nothing moves."""
    residual = gauss_newton.residuals(base, problem.data, error)
    goal = gauss_newton.target(sensitivity, residual, point)
    expected = gauss_newton.loss(residual + (goal - point) @ sensitivity, goal)
    points = [point, *(point + fraction * (goal - point) for fraction in FRACTIONS)]
    labels = [f"step {step}: {fraction:g} of the step" for fraction in FRACTIONS]
    wanted = {label: (there, list(problem.trials)) for label, there in zip(labels, points[1:])}
    outcomes = [base, *(found[:, 0] for found in complete(wanted, step, problem, kept, asked))]
    losses = [
        gauss_newton.loss(gauss_newton.residuals(outcome, problem.data, error), there)
        for outcome, there in zip(outcomes, points)
    ]
    print(f"step {step}: loss expected of the whole step {expected:.1f}", flush=True)
    for name, outcome, one in zip(["base", *labels], outcomes, losses):
        near = tables.within(outcome, problem.data, problem.tolerance)
        print(f"  {name}: loss {one:.1f}, {near} of {len(outcome)} rows within tolerance", flush=True)
    best = int(np.argmin(losses))
    return points[best], outcomes[best]


def centered(point, outcome, sensitivity, *, problem: Problem, kept: Kept, asked) -> tuple[np.ndarray, np.ndarray]:
    """A mean from which the rows of the posterior's draws, not those at the mean, lie near the data; those rows.

    Rows bend: the median of what the draws simulate is not what their mean simulates. Each correction runs some draws
    and takes a part of the step that the sensitivities call for from their medians.
    """
    for k in range(asked.corrections):
        luck = np.random.default_rng(asked.seed + k)
        draws = gauss_newton.drawn(point, gauss_newton.covariance(sensitivity), DRAWS, luck)
        wanted = {f"correction {k}: draw {j}": (draw, list(problem.trials)) for j, draw in enumerate(draws)}
        found = np.array(complete(wanted, CORRECTION * (k + 1), problem, kept, asked, own_luck=True))
        outcome = np.nanmedian(found[..., 0], axis=0)
        near = tables.within(outcome, problem.data, problem.tolerance)
        print(f"correction {k}: {near} of {len(outcome)} medians of the draws within tolerance before it", flush=True)
        residual = gauss_newton.residuals(outcome, problem.data, problem.error)
        point = point + CORRECTED * (gauss_newton.target(sensitivity, residual, point) - point)
    return point, outcome


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
    scratch = path.with_suffix(".part")
    scratch.write_text(json.dumps(record, indent=1))
    scratch.replace(path)


def options(arguments: Iterable[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2, help="0: only sensitivities and sample, at the cards' numbers")
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
    if min(asked.steps, asked.corrections) < 0 or not 0 < asked.difference <= BOUND:
        parser.error(f"expected --steps and --corrections of 0 or more, and --difference above 0 and at most {BOUND:g}")
    return asked


def main(arguments: Iterable[str] | None = None) -> int:
    """Run the calibration; print how far each row is from its data and what the data decided."""
    asked = options(arguments)
    from vein2vein import __version__
    from vein2vein.population import posterior
    from vein2vein.population.trial import list_trials, load_trial

    factors, stages = free_numbers(asked.free)
    problem = problem_of(factors, asked.trials or list(list_trials()))
    cards, data, error = posterior.hash_of_cards(factors), problem.data, problem.error
    tolerance = problem.tolerance
    told = [asked.patients, asked.difference, asked.seed, problem.trials, data.tolist(), error.tolist(), cards, factors]
    kept = resumed(asked.out.with_suffix(".npz"), hashlib.sha256(repr(told).encode()).hexdigest())
    simulated(load_trial(problem.trials[0]), posterior.Member({}), 2, asked.seed)  # all is compiled before it forks
    print(f"{len(factors)} factors, {len(data)} rows of {len(problem.trials)} trials", flush=True)
    point, before = np.zeros(len(factors)), None
    for step in range(max(asked.steps, 1)):
        outcome, whole, sensitivity = linearized(point, step, problem, kept, asked)
        before = tables.within(outcome, data, tolerance) if before is None else before
        if asked.steps:
            point, outcome = stepped(
                point, outcome, whole, sensitivity, step=step, problem=problem, kept=kept, asked=asked
            )
    point, outcome = centered(point, outcome, sensitivity, problem=problem, kept=kept, asked=asked)
    scale = gauss_newton.error_scale(sensitivity, gauss_newton.residuals(outcome, data, error))
    spread = gauss_newton.covariance(sensitivity, scale)
    draws = gauss_newton.drawn(point, spread, SETS, np.random.default_rng(asked.seed))
    facts = {
        "version": __version__, "seed": asked.seed, "steps": asked.steps, "patients": asked.patients,
        "difference": asked.difference, "error_scale": round(scale, 2), "rows": len(data), "within_before": before,
        "corrections": asked.corrections, "within_after": tables.within(outcome, data, tolerance),
        "seconds": round(kept.seconds), "workers": asked.workers,
        "trials": list(problem.trials),
    }  # fmt: skip
    sample = posterior.Posterior(problem.factors, draws * problem.prior, cards, facts)
    write_json(asked.out, sample, point, spread, stages)
    table = "\n".join(tables.identifiability(point, spread, factors, stages, facts))
    if asked.table:
        asked.table.write_text(table + "\n", encoding="utf-8")
    if asked.write:
        posterior.write_posterior(sample, posterior.bundled())
    print("\n".join(tables.by_row(outcome, problem.rows, data, error)))
    print(table)
    if asked.write:
        print(f"wrote {posterior.bundled()}: {len(sample.logs)} parameter sets")
    return 0


if __name__ == "__main__":
    sys.exit(main())
