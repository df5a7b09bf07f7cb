"""What every engine is given: the equations as text, the patients, the treatments and a tight reference.

    python benchmarks/problem.py FOLDER [bench|reference|live] [patients]

``reference`` is the frozen copy of the reference model, ``live`` the model as it is

Writes FOLDER/problem.npz and FOLDER/rates.json. Whatever depends on parameters only is computed here, once per patient
("kept"), so that no engine has to do it again at each step. Treatments are additions to states at days of the patient's
own; the day on which the event fired is taken from the tight run, so engines without events can replay it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import bench_model
import frozen_reference
import numpy as np

from vein2vein.engine import solve
from vein2vein.engine.trace import graph
from vein2vein.engine.trace.recording import trace
from vein2vein.models.model import Model, give, start
from vein2vein.models.reference import model as live

TIGHT = 1e-11
VARIED = ("rho", "kap_p", "muE", "kEX", "KE", "keng", "g", "kIF", "KIF", "bl6")
LATER = ((6.0, "tocilizumab", 560.0), (7.0, "dexamethasone", 10.0), (7.5, "dexamethasone", 10.0),
         (8.0, "dexamethasone", 10.0), (90.0, "ivig", 30.0))  # fmt: skip
TWO = {"add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "less": "less({}, {})"}


def case(name: str, n: int, seed: int = 1) -> tuple[Model, np.ndarray, np.ndarray, tuple[Any, ...], tuple[Any, ...]]:
    """Model, parameters (n, p), output days, doses and events, for "bench", "reference" (frozen) or "live"."""
    if name == "bench":
        days = bench_model.output_days()
        return bench_model.MODEL, bench_model.draw_parameters(n, seed), days, bench_model.DOSES, (bench_model.EVENT,)
    model = live.MODEL if name == "live" else frozen_reference.MODEL
    parameters = np.tile([model.example[key] for key in model.parameters], (n, 1))
    rng = np.random.default_rng(seed)
    for key in VARIED:
        parameters[:, model.parameters.index(key)] *= np.exp(rng.normal(0, 0.15, n))
    days = np.array([-6.0, -5, -4, -3, -2, -1, *np.arange(0, 29), 31, 35, 40, 45, *np.linspace(50, 370, 21)])
    return model, parameters, days, (*model.example_doses, *LATER), ()


def text(model: Model) -> dict[str, Any]:
    """Straight-line text of the rates, and the nodes that do not change in time."""
    traced = trace(model)
    g = traced.graph
    order = graph.needed(g, traced.derivatives)
    steady: dict[int, bool] = {}
    for node in order:
        op, _ = g.nodes[node]
        steady[node] = op not in ("time", "state") and all(steady[a] for a in g.operands(node))
    kept: list[int] = []
    words: dict[int, str] = {}
    lines: list[tuple[str, str]] = []

    def word(node: int) -> str:
        op, args = g.nodes[node]
        if op == "const":
            return f"({args[0]!r})"
        if steady[node]:
            if node not in kept:
                kept.append(node)
            return f"k{kept.index(node)}"
        return {"time": "t", "state": f"x{args[0]}"}.get(op) or words[node]

    for node in order:
        op, _ = g.nodes[node]
        if op in graph.LEAVES or steady[node]:
            continue
        operands = [word(a) for a in g.operands(node)]
        form = TWO.get(op) or {"neg": "-{}"}.get(op) or f"{op}_({', '.join(['{}'] * len(operands))})"
        words[node] = f"v{len(lines)}"
        lines.append((words[node], form.format(*operands).replace("less(", "less_(")))
    rates = [word(node) for node in traced.derivatives]
    return {"lines": lines, "rates": rates, "kept": kept, "states": list(model.state_names), "graph": g}


def additions(model: Model, doses: Any, parameters: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Each dose as what it adds to the states, (n, s); doses of one day together."""
    state = start(model, parameters)
    found: dict[float, np.ndarray] = {}
    for day, name, amount in doses:
        added = give(model, name, amount, state, parameters) - state
        again = give(model, name, amount, state + 1.0, parameters) - (state + 1.0)
        if not np.allclose(added, again, rtol=1e-9, atol=1e-9):
            raise ValueError(f"{name} is not an addition")
        found[day] = found.get(day, 0.0) + added
    return sorted(found.items())


def tight(name: str, n: int, with_event: bool, rtol: float = TIGHT) -> solve.Solution:
    """Solution of the same patients at a tight tolerance."""
    model, parameters, days, doses, events = case(name, n)
    return solve.solve(
        model, parameters, None, days, doses, rtol=rtol, events=events if with_event else (), max_steps=10**6
    )


def write(folder: Path, name: str, n: int) -> None:
    """Write what the engines read."""
    folder.mkdir(parents=True, exist_ok=True)
    model, parameters, days, doses, events = case(name, n)
    written = text(model)
    g, kept = written.pop("graph"), written.pop("kept")
    columns = parameters.T
    levels = np.zeros(len(model.level_names))
    values = graph.evaluate(g, kept, 0.0, [], columns, levels)
    kept_values = np.stack([np.broadcast_to(v, (n,)) for v in values], axis=1) if kept else np.zeros((n, 0))
    state = start(model, parameters)
    given = additions(model, doses, parameters)
    solution = tight(name, n, True)
    without = tight(name, n, False)
    fired = solution.fired[events[0].name][:, 0] if events else np.full(n, np.nan)
    count = len(given) + 2
    times = np.full((n, count), days[-1])
    added = np.zeros((n, count, state.shape[1]))
    for i in range(n):
        own = [(day, values[i]) for day, values in given]
        if np.isfinite(fired[i]):
            extra = np.zeros(state.shape[1])
            extra[model.state_names.index(bench_model.ENTERS[events[0].give])] = events[0].amount
            own.append((fired[i], extra))
        if own[0][0] > days[0]:
            own.append((days[0], np.zeros(state.shape[1])))
        for j, (day, what) in enumerate(sorted(own, key=lambda item: item[0])):
            times[i, j], added[i, j] = day, what
    plain_times = np.tile([day for day, _ in given], (n, 1))
    plain_added = np.stack([values for _, values in given], axis=1)
    np.savez(
        folder / "problem.npz", days=days, start=state, kept=kept_values, times=times, added=added,
        times_without=plain_times, added_without=plain_added, scale=[s.scale for s in model.states],
        values=solution.values, values_without=without.values, fired=fired, status=solution.status,
    )  # fmt: skip
    (folder / "rates.json").write_text(json.dumps({**written, "name": name, "kept": len(kept)}))


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "bench", int(sys.argv[3]) if sys.argv[3:] else 2000)
