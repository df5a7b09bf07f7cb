"""What derivatives cost: sensitivities against the plain run, on a small model, the bench and the reference model.

    python benchmarks/sensitivity_cost.py [patients] [repeats]

Plain runs and runs with derivatives alternate; the least of their times and of the ratios are printed, since other
work on the machine only ever adds. "smooth" leaves out the corners of the path (comparisons in the equations);
"corners" finds them and lets the tangents jump; "prepared" is the same with what does not change laid out once. The
error is that of the derivatives on the reference model against central differences of order 4 of solutions at rtol
1e-11, times the parameter, relative to the largest value of the state: what a change of the parameter by 100 % would
be off by.
"""

import sys
import time

import bench_model
import numpy as np

from vein2vein.engine import solve
from vein2vein.engine.method import tableau
from vein2vein.engine.tangents import sensitivity
from vein2vein.models import stein_2019
from vein2vein.models.reference.model import MODEL

WRT = ("rho", "kap_p", "muE", "kEX", "KE", "keng", "g", "kIF", "KIF", "bl6")
DAYS = np.array([-6.0, 0, 3, 7, 10, 14, 21, 28, 60, 90, 180, 370])
CHECKED = 8


def cohort(n: int) -> np.ndarray:
    parameters = np.tile([MODEL.example[name] for name in MODEL.parameters], (n, 1))
    rng = np.random.default_rng(1)
    for name in WRT:
        parameters[:, MODEL.parameters.index(name)] *= np.exp(rng.normal(0, 0.15, n))
    return parameters


def differences(parameters: np.ndarray, step: float = 3e-4) -> np.ndarray:
    found = []
    for name in WRT:
        column = MODEL.parameters.index(name)
        values = []
        for turn in (2, 1, -1, -2):
            moved = parameters.copy()
            moved[:, column] *= 1 + turn * step
            values.append(solve.solve(MODEL, moved, None, DAYS, MODEL.example_doses, rtol=1e-11).values)
        size = (12 * step * parameters[:, column])[:, None, None]
        found.append((8 * (values[1] - values[2]) - values[0] + values[3]) / size)
    return np.stack(found, axis=-1)


def problems(n: int):
    """Name, model, parameters, days, doses, what is varied, methods."""
    rng, stein = np.random.default_rng(1), stein_2019.MODEL
    typical = np.array([stein.example[name] for name in stein.parameters])
    p = typical * np.exp(rng.normal(0, 0.15, (n, len(typical))) * (np.arange(len(typical)) < 6))
    visits = np.array([0.0, 1, 3, 5, 7, 10, 14, 17, 21, 28, 60, 90, 120, 180, 270, 360, 540, 720])
    infusion = [(0.0, "car_t_infusion", 1.0)]
    yield "Stein 2019", stein, p, visits, infusion, stein.parameters[:6], ("auto", "rodas5p")
    bench = bench_model.MODEL
    drawn, days = bench_model.draw_parameters(n, 1), bench_model.output_days()
    yield "bench", bench, drawn, days, bench_model.DOSES, bench.parameters[:6], ("tsit5", "auto")
    yield "reference", MODEL, cohort(n), DAYS, MODEL.example_doses, WRT[:6], ("tsit5", "auto")


def compare(name, model, p, days, doses, wrt, method, repeats):
    options = {"threads": 1, "method": method}
    prepared = sensitivity.prepare(model, days, doses, wrt, **options)
    runs = {
        "plain": lambda: solve.solve(model, p, None, days, doses, **options),
        "smooth": lambda: sensitivity.sensitivities(model, p, None, days, doses, wrt, corners=False, **options),
        "corners": lambda: sensitivity.sensitivities(model, p, None, days, doses, wrt, **options),
        "prepared": lambda: prepared(p),
    }
    times: dict[str, list[float]] = {run: [] for run in runs}
    first, steps = {}, {}
    for turn in range(repeats + 1):
        for run, call in runs.items():
            begin = time.perf_counter()
            found = call()
            (times[run].append if turn else lambda t, run=run: first.update({run: t}))(time.perf_counter() - begin)
            steps[run] = found.steps.mean()
    print(f"{name}: {len(p)} patients, {len(wrt)} parameters, {len(days)} days, method {method}, one thread")
    for run in runs:
        ratio = min(times[run]) / min(times["plain"])
        print(
            f"  {run:8s} {min(times[run]) * 1e3:9.2f} ms {ratio:6.1f} x plain, {steps[run]:5.0f} steps "
            f"(first call {first[run]:.2f} s)"
        )


def main(arguments: list[str]) -> None:
    n = int(arguments[0]) if arguments else 90
    repeats = int(arguments[1]) if len(arguments) > 1 else 7
    for *problem, methods in problems(n):
        for method in methods:
            compare(*problem, method, repeats)
    parameters = cohort(n)
    few = parameters[:CHECKED]
    expected = differences(few)
    for corners in (False, True):
        for rtol in (tableau.RTOL, 1e-9):
            found = sensitivity.sensitivities(
                MODEL, few, None, DAYS, MODEL.example_doses, WRT, corners=corners, rtol=rtol
            )
            scale = np.maximum(np.nanmax(abs(found.values), axis=(0, 1)), 1e-9)[None, None, :, None]
            size = np.stack([few[:, MODEL.parameters.index(name)] for name in WRT], axis=1)[:, None, None, :]
            error = abs(found.gradients - expected) * size / scale
            label = "corners" if corners else "smooth"
            worst = int(np.argmax(error.max(axis=(0, 1, 3))))
            others = np.delete(error, worst, axis=2)
            print(
                f"{label:8s} rtol {rtol:g}: error p99 {np.percentile(error, 99):.1e}, largest {error.max():.1e} "
                f"({found.names[worst]}); without that state p99 {np.percentile(others, 99):.1e}, "
                f"largest {others.max():.1e}"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
