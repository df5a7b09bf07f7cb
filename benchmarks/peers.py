"""vein2vein against the engines that a Python user can install: interleaved rounds at equal accuracy, one thread.

    python benchmarks/peers.py [bench|reference|live] [--engines a,b] [--python PATH] [--folder PATH] [--rounds 5]
        [--every-state] [--vectors native|avx2]

``reference`` is a frozen copy of the reference model, ``live`` the model as it is. With ``--vectors avx2`` vein2vein
writes its code as for a processor without AVX-512; the peers are scalar code and stay what they are.

``--python`` is the interpreter of the environment of ``requirements-peers.txt``. Each engine runs in a process of its
own, on one core; vein2vein and the engine take turns (A B A B ...). For each engine the loosest tolerance is searched
at which the error is at most 1e-4 (``work_precision.py`` prints the search).

The error of a patient is the largest, over the model's observables and the output days, of |value - reference| divided
by the size of the reference, which counts as at least a thousandth of the largest value of that observable in that
patient. With ``--every-state``: over the states instead of the observables, with at least the state's scale as size.
The 99th percentile over patients is printed. The reference is vein2vein at rtol 1e-11; ``check_reference.py`` compares
it with SciPy's LSODA.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import vectors
from problem import case, write

from vein2vein.models.mathematics import TINY
from vein2vein.models.model import named

HERE = Path(__file__).parent
ACCURATE = 1e-4
OWN = ("vein2vein", "vein2vein_rodas5p")
PATIENTS = {
    "vein2vein": 2000,
    "vein2vein_rodas5p": 2000,
    "numbalsoda": 600,
    "roadrunner": 100,
    "casadi": 60,
    "scipy": 16,
    "jax": 128,
    "jax_map": 60,
    "diffrax": 64,
    "diffrax_kvaerno5": 8,
    "amici": 60,
}
SCANNED = {
    "vein2vein": 2000,
    "vein2vein_rodas5p": 2000,
    "numbalsoda": 150,
    "roadrunner": 30,
    "casadi": 20,
    "scipy": 6,
    "jax": 64,
    "jax_map": 20,
    "diffrax": 32,
    "diffrax_kvaerno5": 4,
    "amici": 20,
}
ABSOLUTE = {"numbalsoda": (1e-1, 1e-3, 1e-5), "roadrunner": (1e-1, 1e-3, 1e-5), "casadi": (1e-1, 1e-3, 1e-5),
            "amici": (1e-1, 1e-3, 1e-5)}  # fmt: skip
RELATIVE = tuple(m * 10.0**-e for e in range(3, 10) for m in (1, 0.6, 0.4, 0.25, 0.16))
MANNER = {
    "vein2vein_rodas5p": ("vein2vein", "rodas5p"),
    "jax_map": ("jax", "map"),
    "diffrax_kvaerno5": ("diffrax", "kvaerno5"),
}


@dataclass
class Engine:
    """An engine that answers in a process of its own."""

    name: str
    process: subprocess.Popen[str]
    first: float
    reference: np.ndarray
    least: np.ndarray
    case: str | None
    folder: Path
    note: str

    def solve(self, rtol: float, atol: float, n: int) -> tuple[float, float, np.ndarray]:
        """Microseconds per patient by the clock and of the CPU, and each patient's error."""
        to = str(self.folder / f"{self.name}-{self.process.pid}.npy")
        answer = ask(self.process, {"rtol": rtol, "atol": atol, "n": n, "to": to})
        values = np.load(to)
        os.unlink(to)
        with np.errstate(all="ignore"):
            found = error(values if self.case is None else outputs(self.case, values), self.reference[:n], self.least)
        return answer["wall"] / n * 1e6, answer["cpu"] / n * 1e6, found


def ask(process: subprocess.Popen[str], what: dict[str, Any] | None) -> dict[str, Any]:
    """Send a line, wait for the answer; other output of the engine is passed over."""
    assert process.stdin is not None and process.stdout is not None
    if what is not None:
        process.stdin.write(json.dumps(what) + "\n")
        process.stdin.flush()
    for line in process.stdout:
        if line.startswith("{"):
            return json.loads(line)
    raise RuntimeError("the engine ended without an answer")


def begin(name: str, chosen: argparse.Namespace) -> Engine:
    """Start an engine on one core."""
    python, folder = chosen.python, chosen.folder
    script, *more = MANNER.get(name, (name,))
    one = {key: "1" for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}
    paths = os.pathsep.join([str(HERE.parent / "src"), str(HERE)])
    environment = {**os.environ, **one, "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}
    environment["PATH"] = str(Path(python).parent) + os.pathsep + os.environ.get("PATH", "")
    environment.pop("PYTHONPATH", None)
    if name in OWN:
        more = [*(more or ["auto"]), chosen.vectors]
        environment["PYTHONPATH"] = paths
        environment["VEIN2VEIN_CACHE"] = tempfile.mkdtemp(dir=folder)
    interpreter = sys.executable if name in OWN else python
    core = str(max(os.sched_getaffinity(0)))
    command = ["taskset", "-c", core, interpreter, str(HERE / f"peer_{script}.py"), str(folder), *more]
    with open(folder / f"{name}.log", "w") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )
    ready = ask(process, None)
    with np.load(folder / "problem.npz") as arrays:
        reference = arrays["values_without" if ready["without"] else "values"]
        least = arrays["scale"]
    if not chosen.every_state:
        reference, least = outputs(chosen.case, reference), np.array([TINY])
    kind = None if chosen.every_state else chosen.case
    return Engine(name, process, ready["first"], reference, least, kind, folder, ready["note"])


def end(engine: Engine) -> None:
    """Close an engine's input; it ends."""
    assert engine.process.stdin is not None
    engine.process.stdin.close()
    engine.process.wait(timeout=30)


def outputs(name: str, values: np.ndarray) -> np.ndarray:
    """Observables (n, days, observables) of the first n patients' states."""
    model, parameters, days, _, _ = case(name, len(values))
    p = named(model.parameters, parameters[:, None, :])
    x = named(model.state_names, values)
    found = model.observables(days, x, p, named(model.level_names, np.zeros(len(model.level_names))))
    return np.stack([np.broadcast_to(v, values.shape[:2]) for v in found.values()], axis=2)


def error(values: np.ndarray, reference: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Each patient's largest relative error (n,), over outputs and days."""
    size = np.maximum(abs(reference), 1e-3 * abs(reference).max(axis=1, keepdims=True))
    found = abs(values - reference) / np.maximum(size, least)
    return np.where(np.isfinite(found), found, np.inf).max(axis=(1, 2))


def p99(errors: np.ndarray) -> float:
    """99th percentile over patients."""
    return float(np.percentile(errors, 99, method="higher"))


def scan(engine: Engine) -> list[tuple[float, float, float, float]]:
    """(rtol, atol, microseconds of CPU per patient, error) from loose to tight, until the error is small enough."""
    n = SCANNED[engine.name]
    found = []
    for factor in ABSOLUTE.get(engine.name, (1.0,)):
        for rtol in RELATIVE:
            _, cpu, errors = engine.solve(rtol, rtol * factor, n)
            found.append((rtol, rtol * factor, cpu, p99(errors)))
            if found[-1][-1] <= ACCURATE / 3:
                break
    return found


def choose(found: list[tuple[float, float, float, float]]) -> tuple[float, float]:
    """Tolerances of the fastest setting that is accurate enough; of the most accurate one, if none is."""
    good = [row for row in found if row[3] <= ACCURATE]
    best = min(good, key=lambda row: row[2]) if good else min(found, key=lambda row: row[3])
    return best[0], best[1]


def compare(own: Engine, other: Engine, tolerances: dict[str, tuple[float, float]], rounds: int) -> tuple[str, float]:
    """Rounds in turn; one row of the table and the other engine's error."""
    n = {engine.name: min(PATIENTS[engine.name], len(engine.reference)) for engine in (own, other)}
    wall: dict[str, list[float]] = {own.name: [], other.name: []}
    cpu: dict[str, list[float]] = {own.name: [], other.name: []}
    last = {}
    for engine in (own, other):
        engine.solve(*tolerances[engine.name], n[engine.name])
    for _ in range(rounds):
        for engine in (own, other):
            w, c, errors = engine.solve(*tolerances[engine.name], n[engine.name])
            wall[engine.name].append(w)
            cpu[engine.name].append(c)
            last[engine.name] = p99(errors)
    ratios = sorted(b / a for a, b in zip(wall[own.name], wall[other.name]))
    of_cpu = statistics.median(b / a for a, b in zip(cpu[own.name], cpu[other.name]))
    each = [statistics.median(wall[e.name]) for e in (own, other)]
    rtol, atol = tolerances[other.name]
    row = (
        f"| {other.name}{other.note} | {each[1]:,.0f} | {each[0]:.1f} | {statistics.median(ratios):.1f} "
        f"({ratios[0]:.1f} to {ratios[-1]:.1f}) | {of_cpu:.1f} | {last[other.name]:.1e} | {last[own.name]:.1e} "
        f"| {rtol:g}, {atol:g} | {n[other.name]} | {other.first:.1f} | {os.getloadavg()[0]:.1f} |"
    )
    return row, last[other.name]


COLUMNS = (
    "engine", "us per patient", "vein2vein beside it", "ratio, clock (range)", "ratio, CPU", "error p99",
    "vein2vein's", "rtol, atol", "patients", "first call, s", "load",
)  # fmt: skip
HEAD = f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}"


def arguments(description: str | None) -> argparse.Namespace:
    """Command line, with the problem written to its folder."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("case", nargs="?", default="bench", choices=("bench", "reference", "live"))
    parser.add_argument("--engines", default="numbalsoda,roadrunner,casadi,scipy,jax,jax_map,diffrax,diffrax_kvaerno5")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--every-state", action="store_true")
    parser.add_argument("--vectors", default="native", choices=vectors.CHOICES)
    found = parser.parse_args()
    found.folder = found.folder or Path(tempfile.mkdtemp())
    if not (found.folder / "problem.npz").exists():
        write(found.folder, found.case, max(PATIENTS.values()))
    what = f"{found.case}, {found.vectors} vectors: {datetime.date.today()}"
    print(f"{what}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    return found


def main() -> None:
    chosen = arguments(__doc__)
    own = begin("vein2vein", chosen)
    tolerances = {own.name: choose(scan(own))}
    print(f"vein2vein: first call {own.first:.1f} s, rtol {tolerances[own.name][0]:g}\n{HEAD}", flush=True)
    for name in chosen.engines.split(","):
        try:
            other = begin(name, chosen)
            tolerances[name] = choose(scan(other))
            for _ in range(3):
                row, worst = compare(own, other, tolerances, chosen.rounds)
                if worst <= ACCURATE:
                    break
                tolerances[name] = (tolerances[name][0] * 0.6, tolerances[name][1] * 0.6)
            print(row, flush=True)
            end(other)
        except (RuntimeError, ValueError, OSError) as problem:
            print(f"| {name} | not measured: {problem} (see {name}.log in the folder) |", flush=True)
    end(own)


if __name__ == "__main__":
    main()
