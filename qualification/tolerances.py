"""How far a solution is from a tight one, by method and tolerance, on the reference model; and what each costs.

    python qualification/tolerances.py [--patients 100]

Two cohorts: the bench patients (ten parameters drawn, one list of treatments, day -6 to 370) and virtual patients of
ELIANA with the treatments of their journeys, to day 60. Of each patient the largest relative error over days and
observables is taken (below a thousandth of an observable's median: in units of that), and of its states the largest
error in units of their size, at least their scale. Printed are the median and the 99th percentile over patients.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from vein2vein.engine import solve as engine
from vein2vein.models.reference.model import MODEL
from vein2vein.trials.trial import load_trial, run_trial

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "benchmarks")]
import problem
import solvers

TIGHT, MOST = 1e-11, 10**6
METHODS = ("tsit5", "rodas5p", "auto")
TOLERANCES = (1e-5, 1e-6, 1e-7, 3e-8, 1e-8)
ROUNDS = 3
DAYS = 60.0


def cohorts(n: int) -> dict[str, tuple[np.ndarray, np.ndarray, list[Any]]]:
    """Name -> parameters (n, p), days and doses."""
    _, parameters, days, doses, _ = problem.case("reference", n)
    journey = run_trial(load_trial("eliana"), patients=int(1.5 * n), seed=1).journey
    who = np.flatnonzero(journey.infused)[:n]
    given = [dose for dose in solvers.fixed_doses(journey, who) if dose[0] <= DAYS]
    own = np.array([given[0][0], *np.arange(1.0, DAYS + 1)])
    return {"bench patients": (parameters, days, list(doses)), "ELIANA": (journey.individual[who], own, given)}


def error(found: np.ndarray, exact: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Each patient's largest relative error (n,)."""
    return (np.abs(found - exact) / np.maximum(np.abs(exact), least)).max(axis=(1, 2))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--patients", type=int, default=100)
    steering = np.array([np.isfinite(s.scale) for s in MODEL.states])
    scale = np.array([s.scale for s in MODEL.states])[steering]
    print(
        "| cohort | method | rtol | steps | ms of one core a patient | observables: median, p99 | states: median, p99 |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, (parameters, days, doses) in cohorts(options.parse_args().patients).items():

        def solved(method: str, rtol: float, cohort: Any = (parameters, None, days, doses)) -> engine.Solution:
            return engine.solve(MODEL, *cohort, rtol=rtol, method=method, max_steps=MOST, threads=1)

        exact = solved("rodas5p", TIGHT)
        seen = solvers.observed(exact.values, parameters, days)
        least = np.maximum(1e-3 * np.median(np.abs(seen), axis=(0, 1)), 1e-12)
        for method in METHODS:
            for rtol in TOLERANCES:
                found, seconds = solved(method, rtol), np.inf
                for _ in range(ROUNDS):
                    begun = time.process_time()
                    solved(method, rtol)
                    seconds = min(seconds, time.process_time() - begun)
                wrong = [
                    error(solvers.observed(found.values, parameters, days), seen, least),
                    error(found.values[:, :, steering], exact.values[:, :, steering], scale),
                ]
                told = " | ".join(f"{np.median(w):.1e}, {np.percentile(w, 99):.1e}" for w in wrong)
                cost = f"{found.steps.mean():.0f} | {seconds / len(parameters) * 1e3:.2f}"
                print(f"| {name} | {method} | {rtol:g} | {cost} | {told} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
