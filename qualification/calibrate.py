"""Calibrate the model to the published trials of the calibration set, all stages at once, with its uncertainty.

The numbers of qualification/calibration.toml are free within their priors; the scored rows of the calibration trials
are the data. The method is an ensemble smoother with multiple data assimilation (``smoother.py``): an ensemble of
parameter sets is drawn from the prior, every member runs every trial, and a few damped, localized regressions move the
ensemble towards the data. It needs no gradient, takes noise in the simulations as it is, and ends with a sample of
parameter sets, not with a point.

    python qualification/calibrate.py --members 100 --steps 3 --patients 200 --out qualification/posterior.json
    python qualification/calibrate.py ... --write          # the same, and the sample becomes that of the package
    python qualification/write_cards.py                    # the mean becomes the cards' numbers

What is done is kept beside --out after every few members; the same command goes on from there. No number of a trial
outside the calibration file is read.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread for each worker: the members are what runs side by side
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
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import smoother
import tables
from tables import NORMAL_90

HERE = Path(__file__).resolve().parent
SETS = 200  # parameter sets that the package's sample has at least
ROUNDS = 3  # how often members that failed are replaced
BOUND = 3.0  # prior standard deviations that a factor may move
FAR = 8.0  # errors from its data beyond which a simulated row is held
EVERY = 10  # members between two lines of progress, and between two saves
NORMAL_95 = 1.96  # half-width of a normal distribution's 95 % interval
RESAMPLES = 40  # simulated trials of the published size behind one simulated value
LESS = {"contact_every": 120.0, "watch_until": 33.0}  # fewer contacts after the syndromes: half the time


@dataclass
class Run:
    """Where a calibration stands: the ensemble of a step and what its members gave so far."""

    step: int
    ensemble: np.ndarray  # (members, factors), logarithms
    outcome: np.ndarray  # (members, rows), on the scale of the data; NaN: not produced
    noise: np.ndarray  # (members, rows), standard deviation of the simulation error, same scale
    done: np.ndarray  # (members,)
    seconds: float  # of computing so far
    replaced: int  # members that failed and were replaced


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


def error_of(row) -> float:
    """Standard deviation of a row's error on its scale: its tolerance as a 90 % interval, or the sampling error."""
    from vein2vein.population.endpoints import ENDPOINTS

    tolerance = row.tolerance / (100 if row.tolerance_kind == "percent of value" else 1) / NORMAL_90
    ends = [on_scale(row, end) for end in (row.low, row.high)]
    if np.isfinite(ends).all():
        sampling = (ends[1] - ends[0]) / (2 * NORMAL_95)
    elif row.unit == "%" and np.isfinite(row.n) and ENDPOINTS[row.endpoint].kind in ("share", "time"):
        share = (row.value / 100 * row.n + 1) / (row.n + 2)
        sampling = 100 * np.sqrt(share * (1 - share) / row.n)
    else:
        sampling = 0.0
    return float(np.nanmax([tolerance, sampling]))


def reach(factors: list, trials: list) -> np.ndarray:
    """Which rows a factor can move: those whose patients meet one of its cards; shape (factors, rows)."""
    met = []
    for trial in trials:
        for row in scored(trial):
            arms = [arm for arm in trial.arms if not row.arms or arm.name in row.arms] or [trial]
            met.append({name for arm in arms for name in (arm.product.name, arm.disease.name)})
    general = {"reference", "bedside", "covariates", "hazards"}
    return np.array([[bool((here | general) & set(factor.cards)) for here in met] for factor in factors])


# Running members


def simulated(trial, member, patients: int, seed: int) -> list[tuple[float, float]]:
    """Simulated value of each scored row of a trial and its simulation error, on the scale of the row; NaN: missing."""
    from vein2vein.population import posterior
    from vein2vein.population.comparison import compare
    from vein2vein.population.trial import enroll_and_treat, follow_up_at

    rows = scored(trial)
    trial = replace(trial, plan=replace(trial.plan, **LESS))
    with posterior.in_force(member):
        journey = enroll_and_treat(
            trial, np.arange(patients), seed=seed, overlay=lambda arm: posterior.overlay(member, arm)
        )
    found = compare(
        rows, journey, follow_up=follow_up_at(trial, journey.patient.number, seed), scale=trial.scale,
        until=trial.until, seed=seed, resamples=RESAMPLES,
    )  # fmt: skip
    values = []
    for row, one in zip(rows, found):
        if one.missing:
            values.append((np.nan, np.nan))
            continue
        center, error = on_scale(row, row.value), error_of(row)
        middle, low, high = (
            np.clip(on_scale(row, v), center - FAR * error, center + FAR * error)
            for v in (one.simulated, one.low, one.high)
        )
        values.append((middle, (high - low) / (2 * NORMAL_90) * np.sqrt((row.draw or one.pool) / one.pool)))
    return values


def run_member(task) -> tuple[int, np.ndarray | None, float, str]:
    """Simulated rows by one member, shape (rows, 2); None and the reason where it failed."""
    from vein2vein.engine import batch
    from vein2vein.population import posterior
    from vein2vein.population.trial import load_trial

    index, factors, logs, names, patients, seed = task
    batch.threads_available = lambda: 1
    began = time.perf_counter()
    try:
        member = posterior.member(factors, logs)
        values = [pair for name in names for pair in simulated(load_trial(name), member, patients, seed)]
    except Exception:  # one bad member must not stop the others
        return index, None, time.perf_counter() - began, traceback.format_exc(limit=-3)
    return index, np.array(values), time.perf_counter() - began, ""


def side_by_side(tasks: list, workers: int) -> Iterator[tuple]:
    """Results of members as they are done; a worker that is ended from outside costs its own member only."""
    if workers == 1:
        yield from map(run_member, tasks)
        return
    left = {task[0]: task for task in tasks}
    for _ in range(ROUNDS):
        try:
            with ProcessPoolExecutor(workers, get_context("fork")) as pool:
                for future in as_completed([pool.submit(run_member, task) for task in left.values()]):
                    result = future.result()
                    del left[result[0]]
                    yield result
            return
        except BrokenProcessPool:
            print(f"a worker was ended from outside; {len(left)} members are run again", flush=True)
    for index in list(left):
        yield index, None, 0.0, "its worker was ended from outside"


def complete(run: Run, factors: list, names: list[str], asked, keep, rng) -> None:
    """Run what is missing of a step; members that fail are replaced by draws from the others."""
    began, before = time.perf_counter(), run.seconds
    for _ in range(ROUNDS):
        waiting = np.flatnonzero(~run.done)
        tasks = [
            (int(i), factors, run.ensemble[i], names, asked.patients, asked.seed + run.step) for i in waiting
        ]  # the same luck for all members of a step: what differs between them is their numbers
        failed = []
        for count, (i, values, took, why) in enumerate(side_by_side(tasks, asked.workers), start=1):
            if values is None:
                print(f"step {run.step}: member {i} failed and will be replaced: {why.strip()}", flush=True)
                failed.append(i)
            else:
                run.outcome[i], run.noise[i], run.done[i] = values[:, 0], values[:, 1], True
            run.seconds = before + time.perf_counter() - began
            if count % EVERY == 0 or count == len(tasks):
                left = (len(tasks) - count) * (time.perf_counter() - began) / count
                print(
                    f"step {run.step}: {run.done.sum()} of {len(run.done)} members, {took:.1f} s each, "
                    f"{run.seconds:.0f} s in all, {left:.0f} s to go in this step",
                    flush=True,
                )
                keep()
        if not failed:
            return
        good = run.ensemble[run.done]
        if len(good) < 2:
            raise SystemExit("nearly every member fails; see above")
        run.ensemble[failed] = smoother.drawn(good, len(failed), rng)
        run.replaced += len(failed)
    for name in ("ensemble", "outcome", "noise"):  # what still fails is left out
        setattr(run, name, getattr(run, name)[run.done])
    run.done = run.done[run.done]


# Keeping what is done


def save(path: Path, run: Run, key: str) -> None:
    """Keep where the calibration stands; replaced as a whole."""
    scratch = path.with_suffix(".part.npz")
    np.savez(scratch, key=key, **vars(run))
    scratch.replace(path)


def resumed(path: Path, key: str) -> Run | None:
    """Where an earlier run of the same command stopped."""
    if not path.is_file():
        return None
    with np.load(path) as kept:
        if str(kept["key"]) != key:
            print(f"{path.name} is of another calibration (options, priors or cards): begun anew", flush=True)
            return None
        fields = {name: kept[name] for name in Run.__dataclass_fields__}
    scalars = {"step": int(fields["step"]), "seconds": float(fields["seconds"]), "replaced": int(fields["replaced"])}
    return Run(**{**fields, **scalars})


def write_json(path: Path, sample, run: Run, stages: list[str]) -> None:
    """The whole ensemble, for whoever wants to look into it."""
    names = [factor.name for factor in sample.factors]
    record = {
        "what": "logarithms of factors on the numbers of the cards", "cards": sample.cards, **sample.facts,
        "names": names, "stages": stages, "prior_sd": {f.name: f.prior_sd for f in sample.factors},
        "center": dict(zip(names, run.ensemble.mean(axis=0).tolist())),
        "sd": dict(zip(names, run.ensemble.std(axis=0, ddof=1).tolist())),
        "members": run.ensemble.round(4).tolist(),
    }  # fmt: skip
    scratch = path.with_suffix(".part")
    scratch.write_text(json.dumps(record, indent=1))
    scratch.replace(path)


# What came out


def as_posterior(run: Run, factors: list, cards: str, asked, names: list[str], least: int = 0):
    """The sample: the members, and normal draws with their mean and covariance where they are fewer than asked for."""
    from vein2vein import __version__
    from vein2vein.population.posterior import Posterior

    more = smoother.drawn(run.ensemble, max(least - len(run.ensemble), 0), np.random.default_rng(asked.seed))
    facts = {
        "version": __version__, "seed": asked.seed, "members": len(run.ensemble), "draws": len(more),
        "steps": asked.steps, "patients": asked.patients, "seconds": round(run.seconds), "workers": asked.workers,
        "replaced": run.replaced, "trials": names,
    }  # fmt: skip
    return Posterior(tuple(factors), np.vstack([run.ensemble, more]), cards, facts)


def options(arguments: Iterable[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--trials", nargs="*")
    parser.add_argument("--out", type=Path, default=HERE / "posterior.json")
    parser.add_argument("--free", type=Path, default=HERE / "calibration.toml", help="what is free, and the priors")
    parser.add_argument("--write", action="store_true", help="make the sample that of the package")
    parser.add_argument("--table", type=Path, help="write the identifiability tables here as well")
    return parser.parse_args(arguments)


def main(arguments: Iterable[str] | None = None) -> int:
    """Run the calibration; print how far each row is from its data and what the data decided."""
    asked = options(arguments)
    from vein2vein.population import posterior
    from vein2vein.population.trial import list_trials, load_trial

    names = asked.trials or list(list_trials())
    (factors, stages), rng = free_numbers(asked.free), np.random.default_rng(asked.seed)
    trials = [load_trial(name) for name in names]
    rows = [row for trial in trials for row in scored(trial)]
    data, error = np.array([on_scale(r, r.value) for r in rows]), np.array([error_of(r) for r in rows])
    prior = np.array([factor.prior_sd for factor in factors])
    cards, allowed = posterior.hash_of_cards(factors), reach(factors, trials)
    simulated(trials[0], posterior.Member({}), 2, asked.seed)  # everything is loaded and compiled before it forks
    told = [asked.members, asked.steps, asked.patients, asked.seed, names, cards, factors]
    key = hashlib.sha256(repr(told).encode()).hexdigest()
    checkpoint = asked.out.with_suffix(".npz")

    def begin(step: int, ensemble: np.ndarray, seconds: float, replaced: int) -> Run:
        empty = np.full((len(ensemble), len(rows)), np.nan)
        return Run(step, ensemble, empty, empty.copy(), np.zeros(len(ensemble), bool), seconds, replaced)

    run = resumed(checkpoint, key)
    if run is None:
        first = rng.standard_normal((asked.members, len(factors)))
        first = (first - first.mean(axis=0)) / first.std(axis=0, ddof=1)  # exactly the prior's mean and spread
        run = begin(0, first * prior, 0.0, 0)
    print(f"{len(factors)} factors, {len(rows)} rows of {len(names)} trials, {len(run.ensemble)} members", flush=True)
    while True:
        rng = np.random.default_rng([asked.seed, run.step])  # the same after a restart
        complete(run, factors, names, asked, partial(save, checkpoint, run, key), rng)
        save(checkpoint, run, key)
        whole_error = np.hypot(error, np.nan_to_num(tables.middle(run.noise)))
        print(tables.misfit(run.step, run.outcome, data, error), flush=True)
        write_json(asked.out, as_posterior(run, factors, cards, asked, names), run, stages)
        if run.step == asked.steps:
            break
        moved = smoother.move(
            run.ensemble, run.outcome, data, whole_error, damping=float(asked.steps), allowed=allowed, rng=rng
        )
        run = begin(run.step + 1, np.clip(moved, -BOUND * prior, BOUND * prior), run.seconds, run.replaced)
    sample = as_posterior(run, factors, cards, asked, names, SETS)
    table = "\n".join(tables.identifiability(run.ensemble, factors, stages, dict(sample.facts)))
    if asked.table:
        asked.table.write_text(table + "\n", encoding="utf-8")
    if asked.write:
        posterior.write_posterior(sample, posterior.bundled())
    print("\n".join(tables.by_row(run.outcome, rows, data, error)))
    print(table)
    if asked.write:
        print(f"wrote {posterior.bundled()}: {len(sample.logs)} parameter sets")
    return 0


if __name__ == "__main__":
    sys.exit(main())
