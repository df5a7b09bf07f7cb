"""Time to the first result, each in a fresh process: the help, one patient of the reference model, one whole journey
with its page, and a trial of 1,000.

    python benchmarks/first_result.py [rounds, default 3]

Cold: nothing of the engine is on disk yet (``VEIN2VEIN_CACHE`` is an empty folder). Warm: the same folder again.
Python's own start and the imports are included; the modules are compiled already, as an installer leaves them. CPU is
that of all processes that a command starts.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ONE = """
from vein2vein.engine import solve
from vein2vein.models.reference.model import MODEL as m
p = [[m.example[name] for name in m.parameters]]
solve.solve(m, p, None, [-6.0, 0.0, 7.0, 28.0, 370.0], m.example_doses)
"""
PROGRAM = [sys.executable, "-m", "vein2vein"]
PATIENT = "patient.toml"
SIMULATE = [
    "simulate",
    PATIENT,
    "--product",
    "tisagenlecleucel",
    "--seed",
    "2",
]  # with this seed the patient is infused
COMMANDS = {
    "vein2vein --help": [*PROGRAM, "--help"],
    "one patient": [sys.executable, "-c", ONE],
    "vein2vein simulate": [*PROGRAM, *SIMULATE],
    "vein2vein trial eliana": [*PROGRAM, "trial", "eliana", "--patients", "1000"],
}


def timed(command: list[str], cache: str, folder: str, modules: str) -> tuple[float, float]:
    """Seconds by the clock and of CPU; ``modules`` is where Python keeps compiled modules."""
    environment = {**os.environ, "VEIN2VEIN_CACHE": cache, "PYTHONPYCACHEPREFIX": modules}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if PATIENT in command:
        subprocess.run([*PROGRAM, "simulate", "--init", PATIENT], env=environment, cwd=folder, capture_output=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    wall = time.perf_counter() - begin
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rounds_of(command: list[str], rounds: int, modules: str) -> tuple[list[tuple[float, float]], ...]:
    """Cold and warm rounds, after one that leaves the compiled modules."""

    def once(cache: str) -> tuple[float, float]:
        with tempfile.TemporaryDirectory() as folder:
            return timed(command, cache, folder, modules)

    with tempfile.TemporaryDirectory() as cache:
        once(cache)
        warm = [once(cache) for _ in range(rounds)]
    cold: list[tuple[float, float]] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            cold.append(once(cache))
    return cold, warm


def main(arguments: list[str]) -> None:
    rounds = int(arguments[0]) if arguments else 3
    print("| what | cold, s | warm, s | cold, CPU s | warm, CPU s | load |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as modules:
        for what, command in COMMANDS.items():
            both = rounds_of(command, rounds, modules)
            numbers = [statistics.median(r[i] for r in found) for i in (0, 1) for found in both]
            row = " | ".join(f"{x:.2f}" for x in numbers)
            print(f"| {what} | {row} | {os.getloadavg()[0]:.1f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
