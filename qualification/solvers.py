"""Hold both solvers against an independent one: virtual patients replay one fixed list of treatments.

The journey of ELIANA is simulated once; its treatments (conditioning, infusion, tocilizumab, steroids, immunoglobulin)
are frozen into a list of dated doses, and every solver replays that list. So no patient can flip at a threshold while
the solvers are compared; how many would flip between two solvers in the whole loop is counted apart.

    python qualification/solvers.py --patients 200 --days 60
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from scipy.integrate import solve_ivp

from vein2vein.engine import solve as engine
from vein2vein.engine.llvm import run_course
from vein2vein.journey.chart import Journey
from vein2vein.models.model import give, named, start
from vein2vein.models.reference.model import MODEL
from vein2vein.trials.trial import load_trial, run_trial

MOST_CALLS = 20_000  # of the rates in an interval of a day at most; LSODA needs some hundred
EXACT = 1e-10
OUTPUTS = (
    "car_t_cells", "marrow_blasts", "b_cells", "neutrophils", "platelets", "igg", "il6", "crp", "ferritin",
    "temperature", "systolic_bp", "spo2", "cns_dysfunction",
)  # fmt: skip


def fixed_doses(journey: Journey, who: np.ndarray) -> list[tuple[float, str, np.ndarray]]:
    """Every treatment that some of the patients had: (day, name, amount per patient)."""
    doses = [(day, drug, mg[who]) for day, drug, mg in journey.conditioning.doses]
    represented = {i.name for i in MODEL.inputs if i.kind == "dose"}
    for name, values in journey.course.values.items():
        if name in represented:
            given = np.nan_to_num(values[who])
            doses += [(float(day), name, given[:, j]) for j, day in enumerate(journey.course.days) if given[:, j].any()]
    return sorted(doses, key=lambda one: one[0])


def replay(columns: np.ndarray, doses: list, days: np.ndarray, backend: str, rtol: float) -> np.ndarray:
    """States (n, days, states) by one of the engine's solvers."""
    first = doses[0][0]
    return engine.solve(
        MODEL, columns, start(MODEL, columns), np.array([first, *days]), doses, rtol=rtol, backend=backend
    ).values[:, 1:]


def replay_exactly(columns: np.ndarray, doses: list, days: np.ndarray) -> np.ndarray:
    """The same by SciPy's LSODA at 1e-10, one patient at a time."""
    compiled = run_course.compile_rates(MODEL, None)
    out = np.full((len(columns), len(days), len(MODEL.states)), np.nan)
    levels = np.zeros((1, len(MODEL.level_names)))
    for i in range(len(columns)):
        row, state, day = columns[i : i + 1], start(MODEL, columns[i : i + 1]), doses[0][0]

        def rates(t: float, y: np.ndarray, row: np.ndarray = row) -> np.ndarray:
            return run_course.rates(compiled, t, y[None, :], row, levels)[0]

        mine = [(d, name, amount[i : i + 1]) for d, name, amount in doses if amount[i] != 0]
        stops = sorted({d for d, _, _ in mine} | set(days.tolist()))
        for stop in stops:
            if stop > day:
                state, day = _lsoda(rates, day, stop, state[0], f"patient {i}")[None, :], stop
            for d, name, amount in mine:
                if d == stop:
                    state = give(MODEL, name, amount, state, row)
            out[i, days == stop] = state[0]
    return out


class Creeping(Exception):
    """Steps became so small that an interval would take hours."""


def _lsoda(rates: Callable, day: float, stop: float, state: np.ndarray, who: str) -> np.ndarray:
    """The state at ``stop``. Where rounding makes LSODA creep, the interval is solved again, more tightly."""
    scale = np.maximum([s.scale if np.isfinite(s.scale) else 1.0 for s in MODEL.states], 1e-6)
    for tolerance in (EXACT, EXACT / 3, EXACT / 10):
        calls = itertools.count()

        def counted(t: float, y: np.ndarray, calls: Iterator = calls) -> np.ndarray:
            if next(calls) > MOST_CALLS:
                raise Creeping
            return rates(t, y)

        try:
            done = solve_ivp(
                counted, (day, stop), state, method="LSODA", rtol=tolerance, atol=tolerance * scale, max_step=0.5
            )
        except Creeping:
            continue
        if done.success:
            return done.y[:, -1]
        raise RuntimeError(f"LSODA stopped for {who} on day {day:g}: {done.message}")
    raise RuntimeError(f"LSODA creeps for {who} on day {day:g}")


def observed(states: np.ndarray, columns: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Observables (n, days, outputs) of states (n, days, states)."""
    p, u = named(MODEL.parameters, columns), named(MODEL.level_names, np.zeros((len(columns), len(MODEL.level_names))))
    found = []
    for j, day in enumerate(days):
        seen = MODEL.observables(day, named(MODEL.state_names, states[:, j]), p, u)
        found.append(np.stack([np.broadcast_to(seen[name], len(columns)) for name in OUTPUTS], axis=1))
    return np.stack(found, axis=1)


def error(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Largest relative error of each patient over days and outputs; absolute below a thousandth of the median."""
    floor = 1e-3 * np.median(np.abs(exact), axis=(0, 1))
    return (np.abs(found - exact) / np.maximum(np.abs(exact), np.maximum(floor, 1e-12))).max(axis=(1, 2))


def flips(patients: int) -> tuple[int, int]:
    """Infused patients whose treatments differ between the two solvers in the whole loop (crossed thresholds)."""
    trial = load_trial("eliana")
    short = replace(
        trial, plan=replace(trial.plan, follow_up=30.0, disease_visits=(28.0,), kinetics_samples=(7.0, 28.0))
    )
    told = [run_trial(short, patients=patients, seed=1, backend=b).journey for b in ("batch", "plain")]
    given = [
        np.nan_to_num(t.course.dense(n)) for n in ("tocilizumab", "dexamethasone", "methylprednisolone") for t in told
    ]
    differ = np.zeros(patients, dtype=bool)
    for one, two in zip(given[::2], given[1::2]):
        differ |= (one != two).any(axis=1)
    return int(differ.sum()), int(told[0].infused.sum())


def main() -> int:
    """Print the errors; exit 1 where the 99th percentile is above 1e-4 or plain and batch differ by more than 1e-6."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--patients", type=int, default=200)
    options.add_argument("--days", type=float, default=60.0)
    options.add_argument("--rtol", type=float, help="default: that of a journey")
    options.add_argument("--plain", type=int, default=20, help="patients for the readable solver, which is slow")
    asked = options.parse_args()
    trial = load_trial("eliana")
    enrolled = int(asked.patients / 0.7)
    journey = run_trial(trial, patients=enrolled, seed=1).journey
    asked.rtol = asked.rtol or journey.provenance["tolerance"]
    who = np.flatnonzero(journey.infused)[: asked.patients]
    columns, doses = journey.individual[who], fixed_doses(journey, who)
    days = np.arange(1.0, asked.days + 1)
    doses = [one for one in doses if one[0] <= asked.days]
    began = time.perf_counter()
    exact = observed(replay_exactly(columns, doses, days), columns, days)
    print(
        f"{len(who)} virtual patients of ELIANA, {len(doses)} dated doses, {len(days)} days; "
        f"LSODA at {EXACT:g}: {time.perf_counter() - began:.1f} s"
    )
    quick = replay(columns, doses, days, "batch", asked.rtol)
    wrong = error(observed(quick, columns, days), exact)
    print(
        f"batch against LSODA: relative error median {np.median(wrong):.1e}, "
        f"99th percentile {np.percentile(wrong, 99):.1e}, worst {wrong.max():.1e}"
    )
    few = slice(0, min(asked.plain, len(who)))
    some = [(day, name, amount[few]) for day, name, amount in doses]
    slow = replay(columns[few], some, days, "plain", asked.rtol)
    off = error(observed(slow, columns[few], days), exact[few])
    print(f"plain against LSODA ({asked.plain} patients): median {np.median(off):.1e}, worst {off.max():.1e}")
    apart = error(observed(quick[few], columns[few], days), observed(slow, columns[few], days))
    print(f"batch against plain ({asked.plain} patients): worst {apart.max():.1e}")
    flipped, treated = flips(asked.plain)
    print(f"whole loop, batch against plain: {flipped} of {treated} infused patients flipped at a treatment threshold")
    return 0 if np.percentile(wrong, 99) <= 1e-4 and apart.max() <= 1e-6 else 1


if __name__ == "__main__":
    sys.exit(main())
