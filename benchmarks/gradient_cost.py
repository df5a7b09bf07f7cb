"""What a gradient by all parameters costs, backward and forward: the bench model with 10, 40 and 100, the reference.

    python benchmarks/gradient_cost.py [patients] [repeats] [most parameters forward]

A random number of each patient (each value with a weight, in sizes of its state) is differentiated. Plain runs and
gradients alternate; the least of their times and of the ratios are printed. With derivatives forward, which take long
to compile where there are many, too, up to so many parameters; the difference is relative to the largest derivative
times its parameter.
"""

import sys
import time
from dataclasses import replace

import bench_model
import numpy as np
from sensitivity_cost import problems

from vein2vein.engine import solve
from vein2vein.engine.tangents import sensitivity
from vein2vein.engine.tangents.adjoint import gradient


def widened(model, count):
    """The bench model with further parameters, near 1, that multiply its rates; as many as ``count`` in all."""
    more = tuple(f"factor_{k}" for k in range(count - len(model.parameters)))

    def equations(t, x, p, u):
        rates = dict(model.equations(t, x, p, u))
        for k, name in enumerate(more):
            state = model.state_names[k % len(model.states)]
            rates[state] = rates[state] * getattr(p, name)
        return rates

    example = {**model.example, **dict.fromkeys(more, 1.0)} if model.example else {}
    return replace(model, parameters=(*model.parameters, *more), equations=equations, example=example)


def cases(n):
    """Name, model, parameters, days, doses."""
    rng, bench = np.random.default_rng(2), bench_model.MODEL
    drawn, days = bench_model.draw_parameters(n, 1), bench_model.output_days()
    for count in (10, 40, 100):
        factors = np.exp(rng.normal(0, 0.02, (n, count - drawn.shape[1])))
        own = np.concatenate([drawn, factors], axis=1)
        yield f"bench, {count}", widened(bench, count), own, days, bench_model.DOSES
    for name, model, p, visits, doses, *_ in problems(n):
        if name == "reference":
            yield f"reference, {p.shape[1]}", model, p, visits, doses


def compare(name, model, p, days, doses, repeats, forward):
    runs = {"plain": lambda: solve.solve(model, p, None, days, doses, threads=1)}
    values = runs["plain"]().values
    weights = np.random.default_rng(0).normal(size=values.shape) / np.maximum(abs(values).max(axis=(0, 1)), 1e-9)
    runs["gradient"] = lambda: gradient(model, p, None, days, doses, weights, threads=1)
    if forward:
        prepared = sensitivity.prepare(model, days, doses, model.parameters, threads=1)
        runs["forward"] = lambda: prepared(p)
    times: dict[str, list[float]] = {run: [] for run in runs}
    first, found = {}, {}
    for turn in range(repeats + 1):
        for run, call in runs.items():
            begin = time.perf_counter()
            found[run] = call()
            took = time.perf_counter() - begin
            if turn:
                times[run].append(took)
            else:
                first[run] = took
    print(f"{name} parameters: {len(p)} patients, {len(days)} days, method auto, one thread")
    for run in runs:
        least = min(times[run])
        told = f"{least * 1e3:9.1f} ms {least / min(times['plain']):6.1f} x plain (first call {first[run]:.1f} s)"
        print(f"  {run:8s} {told}", flush=True)
    if forward:
        expected = np.einsum("nkm,nkmq->nq", weights, found["forward"].gradients) * p
        off = abs(found["gradient"].gradient * p - expected) / abs(expected).max(axis=1, keepdims=True)
        print(f"  difference p99 {np.percentile(off, 99):.1e}, largest {off.max():.1e}", flush=True)


def main(arguments: list[str]) -> None:
    n = int(arguments[0]) if arguments else 90
    repeats = int(arguments[1]) if len(arguments) > 1 else 5
    most = int(arguments[2]) if len(arguments) > 2 else 40
    for name, model, p, days, doses in cases(n):
        compare(name, model, p, days, doses, repeats, p.shape[1] <= most)


if __name__ == "__main__":
    main(sys.argv[1:])
