"""How fast the engine solves many patients: microseconds per patient, first call and warm start.

    python benchmarks/engine_throughput.py [patients] [reference]

The stand-in model has 60 states and about 200 parameters, no rate above 5 per day, and Hill, exponential and logarithm
terms. It is advanced in 12-hour segments to day 45 and then in monthly ones to five years, as a virtual trial does.
"""

import os
import sys
import tempfile
import time

import numpy as np

from vein2vein.engine import solve
from vein2vein.engine.llvm import course, machine, run_course
from vein2vein.engine.method import tableau
from vein2vein.engine.method.request import Request
from vein2vein.engine.trace import recording
from vein2vein.models.mathematics import exp, hill, log, maximum, minimum
from vein2vein.models.model import Input, Model, State, start

CLONES, SIGNALS = 12, 48


def equations(t, x, p, u):
    sizes = [exp(minimum(getattr(x, f"c{i}"), p.top)) for i in range(CLONES)]
    burden = sum(sizes)
    rates = {}
    for i in range(CLONES):
        kill = getattr(p, f"kill{i}") * hill(x.s0, getattr(p, f"half{i}"), 2.0)
        rates[f"c{i}"] = getattr(p, f"grow{i}") * maximum(1 - burden / p.room, -1.0) - kill
    for i in range(SIGNALS):
        drive = (
            hill(getattr(x, f"s{i - 1}"), getattr(p, f"k{i}"), getattr(p, f"n{i}")) if i else burden / (p.room + burden)
        )
        value = getattr(x, f"s{i}")
        rates[f"s{i}"] = getattr(p, f"a{i}") * drive / (1 + 0.3 * u.level) - getattr(p, f"b{i}") * value
        if i % 8 == 0:
            rates[f"s{i}"] = rates[f"s{i}"] - 0.01 * value * log(1 + value)
    return rates


def stand_in() -> Model:
    columns = ["top", "room"]
    columns += [f"{name}{i}" for i in range(CLONES) for name in ("kill", "half", "grow")]
    columns += [f"{name}{i}" for i in range(SIGNALS) for name in ("a", "b", "k", "n")]
    states = [State(f"c{i}", "log clone", "1", 1e-4) for i in range(CLONES)]
    states += [State(f"s{i}", "signal", "1", 1e-5, low=0.0) for i in range(SIGNALS)]
    return Model(
        "stand_in", "Stand-in", "none", tuple(states), (Input("level", "", "1", "level"),), tuple(columns), equations,
        lambda p: {f"c{i}": log(p.room / 10 ** (i + 1)) for i in range(CLONES)} | {"s0": 0.1 * p.a0},
        lambda name, amount, x, p: {}, lambda t, x, p, u: {},
    )  # fmt: skip


def patients(model: Model, n: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    low = {"top": (8, 9), "room": (800, 1200), "kill": (0.1, 3), "half": (0.2, 1), "grow": (0.02, 0.1)}
    low |= {"a": (0.2, 4), "b": (0.05, 4), "k": (0.1, 1), "n": (1, 3)}
    return np.stack([rng.uniform(*low[c.rstrip("0123456789")], n) for c in model.parameters], axis=1)


def reference(n: int) -> tuple[Model, np.ndarray]:
    from vein2vein.models.reference.model import MODEL

    typical = np.array([MODEL.example[name] for name in MODEL.parameters])
    spread = np.random.default_rng(1).normal(0.0, 0.1, (n, len(typical)))
    return MODEL, typical * np.where(typical > 0, np.exp(spread), 1.0)


def timed(what, call):
    begin = time.perf_counter()
    result = call()
    print(f"{what:48s} {time.perf_counter() - begin:9.3f} s")
    return result


def main(arguments: list[str]) -> None:
    os.environ["VEIN2VEIN_CACHE"] = tempfile.mkdtemp()
    numbers = [int(a) for a in arguments if a.isdigit()]
    n = numbers[0] if numbers else 1000
    model, parameters = reference(n) if "reference" in arguments else (stand_in(), patients(stand_in(), n))
    print(f"{model.name}: {len(model.states)} states, {len(model.parameters)} parameters, {n} patients")
    traced = timed("trace", lambda: recording.trace(model))
    text = timed(
        "write assembly",
        lambda: course.module(traced, Request(outputs=False), tableau.TSIT5, machine.natural_width(), machine.fused()),
    )
    print(f"{len(traced.graph.nodes)} expressions, {text.count(chr(10))} lines of assembly")
    state = start(model, parameters)
    run = solve.begin(model, parameters, state)
    timed("first advance: compile, write to disk", lambda: solve.advance(run, 0.001))
    run_course._compiled.clear()
    timed("advance with the code on disk", lambda: solve.advance(run, 0.001))
    timed("advance with the code in memory", lambda: solve.advance(run, 0.001))
    compiled = run_course.compile_rates(model)
    begin = time.perf_counter()
    for _ in range(20):
        run_course.rates(compiled, 0.0, state, parameters, run.levels)
    print(f"{'rates, with packing':48s} {(time.perf_counter() - begin) / 20 / n * 1e6:9.3f} us per patient")
    days = [*np.arange(0.5, 45.1, 0.5), *np.arange(75.0, 1826.0, 30.0)]
    begin = time.perf_counter()
    for day in days:
        run = solve.advance(run, day)
        if day == 45.0:
            print(f"{'90 segments of 12 hours':48s} {(time.perf_counter() - begin) / n * 1e6:9.1f} us per patient")
    seconds = time.perf_counter() - begin
    what = f"five years in {len(days)} segments"
    print(f"{what:48s} {seconds / n * 1e6:9.1f} us per patient, {seconds:.2f} s")
    steps = run.steps + run.rejected
    print(f"steps per patient {steps.mean():.0f} (rejected {run.rejected.mean():.0f})")
    print(f"{'per step':48s} {seconds / steps.sum() * 1e6:9.2f} us")
    for width in (1, 2, 4, 8):
        part = solve.begin(model, parameters[:200], threads=1, width=width)
        solve.advance(part, 60.0)  # compiled by then
        begin = time.perf_counter()
        part = solve.advance(part, 60.0)
        what = f"60 days at once, one core, {width} patients per vector"
        print(f"{what:48s} {(time.perf_counter() - begin) / len(part.state) * 1e6:9.1f} us per patient")
    print("status:", {solve.STATUS[s]: int(c) for s, c in zip(*np.unique(run.status, return_counts=True))})


if __name__ == "__main__":
    main(sys.argv[1:])
