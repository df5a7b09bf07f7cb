"""What derivatives cost: sensitivities with respect to 10 parameters against the plain run, on the reference model.

    python benchmarks/sensitivity_cost.py [patients] [repeats]

Plain runs and runs with derivatives alternate; the medians of their times and of the ratios are printed. "smooth"
leaves out the corners of the path (comparisons in the equations); "corners" finds them and lets the tangents jump.
The error is that of the derivatives against central differences of order 4 of solutions at rtol 1e-11, times the
parameter, relative to the largest value of the state: what a change of the parameter by 100 % would be off by.
"""

import statistics
import sys
import time

import numpy as np

from vein2vein.engine import solve
from vein2vein.engine.tangents import sensitivity
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


def main(arguments: list[str]) -> None:
    n = int(arguments[0]) if arguments else 1000
    repeats = int(arguments[1]) if len(arguments) > 1 else 5
    parameters = cohort(n)

    def plain():
        return solve.solve(MODEL, parameters, None, DAYS, MODEL.example_doses, threads=1)

    def with_derivatives(corners: bool):
        return sensitivity.sensitivities(
            MODEL, parameters, None, DAYS, MODEL.example_doses, WRT, corners=corners, threads=1
        )

    runs = {"plain": plain, "smooth": lambda: with_derivatives(False), "corners": lambda: with_derivatives(True)}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            begin = time.perf_counter()
            found = run()
            if turn:
                times[name].append(time.perf_counter() - begin)
            else:
                print(f"{name:8s} first call {time.perf_counter() - begin:6.2f} s, {found.steps.mean():.0f} steps")
    print(f"{MODEL.name}: {n} patients, {len(WRT)} parameters, {len(DAYS)} days, one thread, {repeats} repeats")
    for name in runs:
        ratios = [a / b for a, b in zip(times[name], times["plain"])]
        each = statistics.median(times[name]) / n * 1e6
        print(f"{name:8s} {each:9.1f} us per patient, {statistics.median(ratios):5.1f} x plain")
    few = parameters[:CHECKED]
    expected = differences(few)
    for corners in (False, True):
        for rtol in (1e-6, 1e-8):
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
