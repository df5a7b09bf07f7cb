"""Calibrate the model to the published trials of the calibration set, all stages at once, with its uncertainty.

The numbers of qualification/calibration.toml are free within their priors; the scored rows of the calibration trials
are the data. The method is an ensemble smoother with multiple data assimilation (Emerick and Reynolds, 2013): an
ensemble of parameter sets is drawn from the prior, every member runs every trial, and a few damped regressions move
the ensemble towards the data. It needs no gradient, takes noise in the simulations as it is, and ends with a sample of
parameter sets, not with a point.

    python qualification/calibrate.py --members 100 --steps 3 --patients 200 --out qualification/posterior.json

It leaves the ensemble as a file of factors on the cards' numbers; nothing is written into the cards.

No number of a trial outside the calibration file is read.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Free:
    """One free number: a factor on the value (or spread) of a parameter in one or more cards."""

    name: str
    parameter: str
    what: str
    cards: tuple[str, ...]
    sd: float
    stage: str


def free_numbers(path: Path = HERE / "calibration.toml") -> list[Free]:
    """Read what is free: each row a log-normal prior (sd of ln) around the cards' present value."""
    card = tomllib.loads(path.read_text(encoding="utf-8"))
    found = []
    for name, row in card["free"].items():
        cards = tuple(one for listed in row["cards"] for one in card["groups"].get(listed, [listed]))
        what = row.get("what", "value")
        found.append(Free(name, row.get("parameter", name), what, cards, row["sd"], row["stage"]))
    return found


def changed(sets, factors: Mapping[tuple[str, str], float]):
    """A parameter set with the factors applied to its numbers."""
    from vein2vein.models import reference
    from vein2vein.parameters import Spread

    numbers = dict(sets.parameters)
    for (parameter, what), factor in factors.items():
        old = numbers[parameter]
        if what == "sd":
            spread = old.spread or reference.parameters().parameters[parameter].spread  # a card leaves it to the set
            numbers[parameter] = replace(old, spread=Spread(spread.kind, spread.sd * factor))
        else:
            value = float(np.clip(old.value * factor, old.low, old.high))
            numbers[parameter] = replace(old, value=value)
    return replace(sets, parameters=numbers)


def apply(free: list[Free], theta: np.ndarray) -> dict[str, dict[tuple[str, str], float]]:
    """Factors by card and parameter."""
    by_card: dict[str, dict[tuple[str, str], float]] = {}
    for number, value in zip(free, theta):
        for card in number.cards:
            here = by_card.setdefault(card, {})
            here[(number.parameter, number.what)] = here.get((number.parameter, number.what), 1.0) * float(
                np.exp(value)
            )
    return by_card


def general_overlay(by_card: Mapping[str, Mapping[tuple[str, str], float]]):
    """The reference set's changed numbers as an overlay; constants of bedside and hazards are changed in place."""
    from vein2vein.models import bedside, covariates, hazards, reference
    from vein2vein.parameters import ParameterSet

    for card, module in (("bedside", bedside), ("hazards", hazards), ("covariates", covariates)):
        values = module.parameters().values()
        for (parameter, _), factor in by_card.get(card, {}).items():
            setattr(module.constants(), parameter, values[parameter] * factor)
    factors = by_card.get("reference", {})
    base = changed(reference.parameters(), factors)
    return ParameterSet("calibration", {name: base.parameters[name] for name, _ in factors}, ("calibration",))


def run_member(task) -> tuple[int, np.ndarray, float]:
    """Simulated values of the data by one member of the ensemble."""
    index, free, theta, names, patients, seed = task
    from vein2vein.population.trial import load_trial

    began = time.perf_counter()
    by_card = apply(free, theta)
    overlay = general_overlay(by_card)
    values = []
    for name in names:
        trial = load_trial(name)
        trial = with_cards(trial, by_card)
        values += simulated(trial, patients, seed, overlay)
    return index, np.array(values), time.perf_counter() - began


def with_cards(one, by_card: Mapping[str, Mapping[tuple[str, str], float]]):
    """A trial, or an arm of it, with the factors applied to its product and disease cards."""
    new = {}
    for field in ("product", "disease"):
        card = getattr(one, field)
        if card is not None:
            new[field] = replace(card, parameters=changed(card.parameters, by_card.get(card.name, {})))
    arms = getattr(one, "arms", ())
    return replace(one, **new, **({"arms": tuple(with_cards(arm, by_card) for arm in arms)} if arms else {}))


def simulated(trial, patients: int, seed: int, overlay) -> list[float]:
    """Simulated value of each scored row of a trial; NaN where it is missing."""
    from vein2vein.population.comparison import compare
    from vein2vein.population.trial import enroll_and_treat, follow_up_at

    rows = scored(trial)
    plan = replace(
        trial.plan, contact_every=120.0, watch_until=33.0
    )  # fewer contacts after the syndromes: half the time
    trial = replace(trial, plan=plan)
    try:
        journey = enroll_and_treat(trial, np.arange(patients), seed=seed, overlay=overlay)
        found = compare(
            rows, journey, follow_up=follow_up_at(trial, journey.patient.number, seed), scale=trial.scale,
            until=trial.until, seed=seed, resamples=40,
        )  # fmt: skip
    except Exception as problem:  # one bad member must not stop the others
        print(f"{trial.name}: {type(problem).__name__}: {problem}", file=sys.stderr)
        return [float("nan")] * len(rows)
    return [one.simulated if not one.missing else float("nan") for one in found]


def scored(trial) -> list:
    """The rows of a trial that are data: scored and read, never recalled."""
    return [row for row in trial.published if row.tolerance_kind and row.confidence == "read"]


def scale(row) -> tuple[float, float]:
    """Data value on the scale on which its error is even, and the standard deviation of that error."""
    half = 2.0  # the tolerance counts as two standard deviations
    match row.tolerance_kind:
        case "log10":
            return float(np.log10(row.value)), row.tolerance / half
        case "percent of value":
            return float(np.log(row.value)), row.tolerance / 100 / half
        case "published interval":
            return float(np.log(row.value)), float(np.log(row.high / row.low)) / 4
        case _:
            return row.value, row.tolerance / half


def as_data(row, value: float) -> float:
    """A simulated value on the scale of its data; far values are held."""
    center, sd = scale(row)
    if np.isnan(value):
        return float("nan")
    if row.tolerance_kind in ("log10", "percent of value", "published interval"):
        value = max(value, 1e-12)
        value = float(np.log10(value) if row.tolerance_kind == "log10" else np.log(value))
    return float(np.clip(value, center - 8 * sd, center + 8 * sd))


def smooth(
    ensemble: np.ndarray, outcome: np.ndarray, data: np.ndarray, error: np.ndarray, damping: float, rng
) -> np.ndarray:
    """One step of the ensemble smoother; weak correlations are tapered to zero."""
    known = np.isfinite(outcome).mean(axis=0) > 0.8
    outcome, data, error = outcome[:, known], data[known], error[known]
    outcome = np.where(np.isfinite(outcome), outcome, np.nanmean(outcome, axis=0))
    members = len(ensemble)
    a, d = ensemble - ensemble.mean(axis=0), outcome - outcome.mean(axis=0)
    cross, own = a.T @ d / (members - 1), d.T @ d / (members - 1)
    correlation = cross / np.maximum(np.outer(a.std(axis=0), d.std(axis=0)), 1e-12)
    noise = 2.0 / np.sqrt(members)
    taper = np.clip((np.abs(correlation) - noise / 2) / noise, 0.0, 1.0)
    gain = (taper * cross) @ np.linalg.inv(own + damping * np.diag(error**2))
    disturbed = data + np.sqrt(damping) * error * rng.standard_normal((members, len(data)))
    return ensemble + (disturbed - outcome) @ gain.T


def main() -> int:
    """Run the calibration and print how far each row is from its data."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--members", type=int, default=100)
    options.add_argument("--steps", type=int, default=3)
    options.add_argument("--patients", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options.add_argument("--trials", nargs="*")
    options.add_argument("--out", type=Path, default=HERE / "posterior.json")
    options.add_argument("--start", type=Path, help="begin at the center of an earlier posterior")
    asked = options.parse_args()
    from vein2vein.population.trial import list_trials, load_trial

    names = asked.trials or list(list_trials())
    free, rng = free_numbers(), np.random.default_rng(asked.seed)
    rows = [row for name in names for row in scored(load_trial(name))]
    data, error = (np.array(column) for column in zip(*(scale(row) for row in rows)))
    ensemble = rng.standard_normal((asked.members, len(free))) * np.array([one.sd for one in free])
    if asked.start:
        center = json.loads(asked.start.read_text())["center"]
        ensemble = 0.6 * ensemble + np.array([center.get(one.name, 0.0) for one in free])
    began = time.perf_counter()
    with get_context("fork").Pool(asked.workers, initializer=own_core) as pool:
        for step in range(asked.steps + 1):
            last = step == asked.steps
            tasks = [
                (i, free, member, names, asked.patients, asked.seed + 1000 * step + i)
                for i, member in enumerate(ensemble)
            ]
            outcome = np.full((asked.members, len(rows)), np.nan)
            for done, (index, values, took) in enumerate(pool.imap_unordered(run_member, tasks), start=1):
                outcome[index] = [as_data(row, value) for row, value in zip(rows, values)]
                if done % 10 == 0:
                    print(
                        f"step {step} member {done} of {asked.members}, {took:.1f} s each, "
                        f"{time.perf_counter() - began:.0f} s in all",
                        flush=True,
                    )
            misfit = np.nanmean(((outcome - data) / error) ** 2, axis=1)
            middle = np.nanmedian(outcome, axis=0)
            near = np.abs(middle - data) <= 2 * error
            print(
                f"step {step}: misfit median {np.nanmedian(misfit):.2f}, best {np.nanmin(misfit):.2f}; "
                f"{near.sum()} of {len(rows)} rows within tolerance of the ensemble median",
                flush=True,
            )
            save(asked.out, free, ensemble, rows, middle, data, error, asked, names, time.perf_counter() - began)
            if not last:
                ensemble = smooth(ensemble, outcome, data, error, float(asked.steps), rng)
    for row, value, goal, sd in zip(rows, middle, data, error):
        print(
            f"{'ok ' if abs(value - goal) <= 2 * sd else '-- '}{row.trial[:12]:12s} {row.arm[:14]:14s} "
            f"{row.quantity:28s} {goal:9.3g} {value:9.3g}"
        )
    return 0


def own_core() -> None:
    """One core for each worker, so that their solvers do not fight."""
    import multiprocessing

    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        worker = multiprocessing.current_process()._identity[0] - 1
        os.sched_setaffinity(0, {cores[worker % len(cores)]})


def save(
    path: Path, free: list[Free], ensemble: np.ndarray, rows: list, middle, data, error, asked, names, seconds: float
) -> None:
    """Keep the ensemble: the posterior sample of parameter sets, as factors on the cards' numbers."""
    center = {one.name: float(value) for one, value in zip(free, ensemble.mean(axis=0))}
    record = {
        "what": "factors (ln) on the numbers of the cards; prior sd and posterior sd tell what the data decided",
        "seed": asked.seed, "patients": asked.patients, "trials": names, "seconds": round(seconds),
        "center": center,
        "sd": {one.name: float(value) for one, value in zip(free, ensemble.std(axis=0, ddof=1))},
        "prior_sd": {one.name: one.sd for one in free},
        "members": [[round(float(v), 4) for v in member] for member in ensemble],
        "names": [one.name for one in free],
    }  # fmt: skip
    scratch = path.with_suffix(".part")
    scratch.write_text(json.dumps(record, indent=1))
    scratch.replace(path)


if __name__ == "__main__":
    sys.exit(main())
