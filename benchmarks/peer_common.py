"""What the scripts of the engines share: reading the problem, and answering the driver's calls. Needs NumPy only.

An engine's script is started once, prepares itself, and then solves on request: each line on its standard input is
``{"rtol": ..., "atol": ..., "n": ...}``; the answer is a line with seconds of wall clock and of CPU, and a file of
the states on the output days. So rounds of several engines can take turns without any of them starting anew.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

BEGUN = time.perf_counter()
FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(".")


def read() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Text of the rates and the arrays of the problem."""
    with np.load(FOLDER / "problem.npz") as file:
        arrays = dict(file)
    return json.loads((FOLDER / "rates.json").read_text()), arrays


def source(text: dict[str, Any], head: str, store: str = "list") -> str:
    """Python source of a function of the rates; names x0.., k0.. and t stand for states, kept numbers and time."""
    states, kept = len(text["states"]), text["kept"]
    lines = [head]
    used = " ".join([line for _, line in text["lines"]] + text["rates"])
    words = set(used.replace("(", " ").replace(")", " ").replace(",", " ").replace("-", " - ").split())
    lines += [f"    x{i} = x[{i}]" for i in range(states) if f"x{i}" in words]
    lines += [f"    k{i} = k[{i}]" for i in range(kept) if f"k{i}" in words]
    lines += [f"    {name} = {line}" for name, line in text["lines"]]
    if store == "list":
        lines.append(f"    return [{', '.join(text['rates'])}]")
    else:
        lines += [f"    {store}[{i}] = {rate}" for i, rate in enumerate(text["rates"])]
    return "\n".join(lines) + "\n"


def segments(times: np.ndarray, days: np.ndarray) -> list[tuple[int, float, float, np.ndarray]]:
    """One patient's stretches between treatments: (number, from, to, places of the output days in [from, to))."""
    found = []
    ends = [*times[1:], days[-1]]
    for j, (low, high) in enumerate(zip(times, ends)):
        if high > low:
            last = high >= days[-1]
            inside = np.flatnonzero((days >= low) & ((days <= high) if last else (days < high)))
            found.append((j, float(low), float(high), inside))
    return found


def serve(solve: Callable[[float, float, int], np.ndarray], without: bool = False, note: str = "") -> None:
    """Answer the driver: ``solve(rtol, atol, n)`` gives the states (n, days, states)."""
    solve(1e-4, 1e-6, 1)
    print(json.dumps({"first": time.perf_counter() - BEGUN, "without": without, "note": note}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        wall, cpu = time.perf_counter(), time.process_time()
        values = np.asarray(solve(asked["rtol"], asked["atol"], asked["n"]))
        answer = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        np.save(asked["to"], values)
        print(json.dumps(answer), flush=True)
