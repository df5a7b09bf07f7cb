"""How far the reference of the benchmarks is from SciPy's LSODA at a tight tolerance, on a few patients.

    python benchmarks/check_reference.py [patients, default 10]

The treatments and, on the bench model, the day on which the event fires are given to LSODA.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from peer_common import segments
from peers import error, outputs
from problem import case, write
from scipy.integrate import solve_ivp

from vein2vein.engine.trace import graph
from vein2vein.engine.trace.recording import trace


def main(n: int) -> None:
    for name in ("bench", "reference"):
        folder = Path(tempfile.mkdtemp())
        write(folder, name, n)
        with np.load(folder / "problem.npz") as file:
            a = dict(file)
        model, parameters, days, _, _ = case(name, n)
        traced = trace(model)
        source = graph_function(traced)
        values = np.empty_like(a["values"])
        levels = np.zeros(len(model.level_names))
        for i in range(n):
            x = a["start"][i]
            for j, low, high, inside in segments(a["times"][i], days):
                asked = np.unique(np.append(days[inside], high))
                found = solve_ivp(
                    source, (low, high), x + a["added"][i, j], "LSODA", asked, args=(parameters[i], levels),
                    rtol=1e-10, atol=1e-10 * a["scale"],
                )  # fmt: skip
                values[i, inside] = found.y.T[: len(inside)]
                x = found.y[:, -1]
        least = np.array([1e-300])
        seen = error(outputs(name, values), outputs(name, a["values"]), least)
        states = error(values, a["values"], a["scale"])
        print(f"{name}: {n} patients, largest difference: observables {seen.max():.1e}, states {states.max():.1e}")


def graph_function(traced):
    """Rates as SciPy calls them."""
    nodes = traced.derivatives

    def rates(t, x, p, u):
        return np.array(graph.evaluate(traced.graph, nodes, t, x, p, u), dtype=float)

    return rates


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 10)
