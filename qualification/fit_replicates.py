"""Simulated studies fitted again and again: how far estimates lie from the truth, and how often intervals hold it.

    python qualification/fit_replicates.py stein --replicates 200
    python qualification/fit_replicates.py oral --replicates 100 --method focei

stein: 90 patients of the CAR-T kinetics of Stein et al. (2019) at the published values, seen to day 720 with drop-out,
limit of quantification 50 copies/ug. oral: 40 subjects, one compartment with absorption, proportional error. For each
number: truth, mean estimate, bias with its Monte Carlo error, root mean square error, and the share of 95 % intervals
that hold the truth (typical values and coefficients on the natural scale, SDs on the logarithm). Of typical values,
which are estimated on the logarithm, also the bias there, and the bias on the natural scale that follows from it and
from the variance of the estimates there: exp(bias + variance / 2) - 1.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import csv
import functools
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vein2vein.files import open_text
from vein2vein.inference.population.fit import fit
from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.problem import EndpointModel, FitParameter, FitProblem, Settings
from vein2vein.io.study.study import Doses, Endpoint, Observations, Study
from vein2vein.models.catalogue import find_model, find_parameters
from vein2vein.runs import scheduler

Floats = NDArray[np.float64]
Say = Callable[[str], None]

PATIENTS, LIMIT = 90, 50.0
VISITS = np.array([1.0, 4.0, 7.0, 10.0, 14.0, 21.0, 28.0, 42.0, 56.0, 90.0, 180.0, 270.0, 360.0, 540.0, 720.0])
STAYS = 400.0
"""Days after day 30 that a patient is followed on average: about four in ten are seen after day 360."""
STARTS = {"foldx": 1000.0, "Tmax": 12.0, "Cmax": 1e4, "alpha": 0.3, "FB": 0.02, "beta": 0.01}

SUBJECTS, TIMES = 40, np.array([0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 24.0])
ORAL = {"ka": 1.0, "CL": 4.0, "V": 70.0}
SPREAD, ERROR, DOSE = 0.3, 0.2, 60_000.0


def stein_truth() -> dict[str, float]:
    """The published values: typical, SD of the logarithm, residual error."""
    card = find_parameters("stein_2019").parameters
    found = {name: float(card[name].value or 0) for name in STARTS}
    found |= {f"omega_{name}": float(one.sd) for name in STARTS if (one := card[name].spread)}
    return found | {"a_transgene": float(card["a"].value or 0)}


def stein_study(seed: int, patients: int = PATIENTS) -> Study:
    """A study as Stein's model makes it; values below the limit are censored there."""
    rng, truth, model = np.random.default_rng([seed, 2019]), stein_truth(), find_model("stein_2019")
    values = {n: truth[n] * np.exp(truth[f"omega_{n}"] * rng.standard_normal(patients)) for n in STARTS}
    ends = np.minimum(30 + rng.exponential(STAYS, patients), VISITS[-1])
    who = np.repeat(np.arange(patients), len(VISITS))
    day = np.tile(VISITS, patients)
    who, day = who[day <= ends[who]], day[day <= ends[who]]
    form = model.closed_form
    course = form.values(day, _Named({n: v[who] for n, v in values.items()}))["transgene"]
    seen = course * np.exp(truth["a_transgene"] * rng.standard_normal(len(day)))
    return _study(who, day, np.maximum(seen, LIMIT), seen < LIMIT, "transgene", "copies/ug", "d", 1e8)


def oral_truth() -> dict[str, float]:
    """Typical values, spread and error of the made-up drug."""
    return ORAL | {f"omega_{name}": SPREAD for name in ORAL} | {"b_cp": ERROR}


def oral_study(seed: int, patients: int = SUBJECTS) -> Study:
    """A study of the made-up drug."""
    rng = np.random.default_rng([seed, 1])
    values = {n: v * np.exp(SPREAD * rng.standard_normal(patients)) for n, v in ORAL.items()}
    who, t = np.repeat(np.arange(patients), len(TIMES)), np.tile(TIMES, patients)
    ka, cl, v = (values[n][who] for n in ("ka", "CL", "V"))
    curve = DOSE / v * ka / (ka - cl / v) * (np.exp(-cl / v * t) - np.exp(-ka * t))
    seen = curve * (1 + ERROR * rng.standard_normal(len(t)))
    return _study(who, t, seen, np.zeros(len(t), dtype=bool), "cp", "ug/L", "h", DOSE)


class _Named:
    def __init__(self, values: dict[str, Floats]) -> None:
        vars(self).update(values)


def _study(
    who: NDArray[np.int64], t: Floats, value: Floats, below: NDArray[np.bool_], name: str, unit: str, time_unit: str,
    amount: float,
) -> Study:  # fmt: skip
    m, n = len(who), int(who.max()) + 1
    none, zero = np.full(n, np.nan), np.zeros(n)
    seen = Observations(who, t, value, np.zeros(m, np.int64), below.astype(np.int8), np.full(m, np.nan),
                        np.zeros(m, np.int64), np.arange(m) + 2)  # fmt: skip
    given = Doses(np.arange(n), zero, zero + amount, zero, none, np.array([""] * n), zero, np.zeros(n, np.int64),
                  np.zeros(n, np.int8), np.arange(n) + 2)  # fmt: skip
    subjects = tuple(str(i + 1) for i in range(n))
    return Study(
        "simulated", "NONMEM", subjects, np.arange(n), (Endpoint(name, "1", unit),), seen, given, {}, time_unit
    )


def stein_problem(study: Study, settings: Settings) -> FitProblem:
    """Stein's model with starts far from the truth."""
    parameters = {n: FitParameter(v, omega=1.0) for n, v in STARTS.items()}
    return FitProblem(find_model("stein_2019"), study, parameters, {"transgene": EndpointModel(scale="log")},
                      settings=settings)  # fmt: skip


def oral_problem(study: Study, settings: Settings) -> FitProblem:
    """One compartment with absorption."""
    parameters = {n: FitParameter(1.5 * v, omega=0.6) for n, v in ORAL.items()}
    endpoints = {"cp": EndpointModel(error="proportional")}
    return FitProblem(find_model("one_compartment_oral"), study, parameters, endpoints, settings=settings)


CASES = {"stein": (stein_study, stein_problem, stein_truth), "oral": (oral_study, oral_problem, oral_truth)}
LENGTHS = {"stein": Settings(exploring=200, averaging=300, importance=0), "oral": Settings(importance=0)}


def one(case: str, method: str, seed: int) -> Fit:
    """Simulate and fit one study."""
    study, problem, _ = CASES[case]
    made = problem(study(seed), LENGTHS[case])
    return fit(FitProblem(**{**vars(made), "method": method, "seed": seed}))


def row(case: str, method: str, seed: int, last: int) -> dict[str, float]:
    """What one replicate found: estimate, interval and error of each number."""
    del last
    found = one(case, method, seed)
    told: dict[str, float] = {"seed": seed, "converged": float(found.converged), "seconds": found.seconds}
    for e in found.estimates:
        if not e.fixed:
            told |= {e.name: e.estimate, f"{e.name}:low": e.low, f"{e.name}:high": e.high, f"{e.name}:se": e.se}
    return told


def table(rows: Sequence[dict[str, float]], truth: dict[str, float]) -> list[str]:
    """Truth beside what was found, as lines of text."""
    heads = f"{'':12}{'truth':>10}{'bias %':>9}{'(MC)':>7}{'RMSE %':>9}{'held':>12}{'SD/SE':>8}"
    lines = [f"{heads}{'log %':>8}{'implied %':>11}"]
    for name, true in truth.items():
        found = np.array([r[name] for r in rows])
        low, high = (np.array([r[f"{name}:{end}"] for r in rows]) for end in ("low", "high"))
        relative = 100 * (found / true - 1)
        known = np.isfinite(low)
        held = (low <= true) & (true <= high)
        error = relative.std(ddof=1) / np.sqrt(len(rows))
        ratio = found.std(ddof=1) / np.nanmean([r[f"{name}:se"] for r in rows])
        lines.append(
            f"{name:12}{true:>10.4g}{relative.mean():>9.1f}{error:>7.1f}{np.sqrt((relative**2).mean()):>9.1f}"
            f"{f'{held[known].sum()}/{known.sum()}':>12}{ratio:>8.2f}{_on_the_logarithm(found / true, name)}"
        )
    seconds = [r["seconds"] for r in rows]
    not_converged = sum(r["converged"] == 0 for r in rows)
    lines.append(f"{len(rows)} studies, {not_converged} not converged, {np.mean(seconds):.1f} s of the processor each")
    return lines


def _on_the_logarithm(ratio: Floats, name: str) -> str:
    """Bias of the logarithm of a typical value, and what follows from it on the natural scale; "" of other numbers."""
    if name.startswith(("omega_", "a_", "b_")):
        return ""
    logs = np.log(ratio)
    return f"{100 * logs.mean():>8.1f}{100 * np.expm1(logs.mean() + logs.var(ddof=1) / 2):>11.1f}"


def run(case: str, method: str, replicates: int, jobs: int, first: int = 1) -> list[dict[str, float]]:
    """Rows of so many replicates, by their seeds."""
    task = functools.partial(row, case, method)
    spans = [(seed, seed + 1) for seed in range(first, first + replicates)]
    made = scheduler.compute_in(jobs, task, spans) if jobs > 1 else scheduler.compute_here(task, spans)
    return [found for _, found in sorted(made, key=lambda pair: pair[0])]


def main(arguments: Sequence[str], say: Say = print) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("case", choices=sorted(CASES))
    parser.add_argument("--replicates", type=int, default=20)
    parser.add_argument("--method", default="saem", choices=("saem", "focei", "laplace"))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="CSV with a row for each study")
    asked = parser.parse_args(arguments)
    began = time.perf_counter()
    rows = run(asked.case, asked.method, asked.replicates, asked.jobs)
    for line in table(rows, CASES[asked.case][2]()):
        say(line)
    say(f"{time.perf_counter() - began:.0f} s by the clock, {asked.jobs} processes")
    if asked.out:
        with open_text(asked.out, force=True) as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
