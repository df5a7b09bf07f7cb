"""Time to the first result, each in a fresh process: one patient of the reference model, and a trial of 1,000.

    python benchmarks/first_result.py [rounds, default 3]

Cold: nothing of the engine is on disk yet (``VEIN2VEIN_CACHE`` is an empty folder). Warm: the same folder again.
Python's own start and the imports are included.
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
from vein2vein.models.reference import MODEL as m
p = [[m.example[name] for name in m.parameters]]
solve.solve(m, p, None, [-6.0, 0.0, 7.0, 28.0, 370.0], m.example_doses)
"""
COMMANDS = {"one patient": [sys.executable, "-c", ONE]}


def timed(command: list[str], cache: str, folder: str) -> tuple[float, float]:
    """Seconds by the clock and of CPU."""
    environment = {**os.environ, "VEIN2VEIN_CACHE": cache}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    wall = time.perf_counter() - begin
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(arguments: list[str]) -> None:
    rounds = int(arguments[0]) if arguments else 3
    script = os.path.join(os.path.dirname(sys.executable), "vein2vein")
    commands = {**COMMANDS, "vein2vein trial eliana": [script, "trial", "eliana"]}
    print("| what | cold, s | warm, s | cold, CPU s | warm, CPU s | load |\n| --- | --- | --- | --- | --- | --- |")
    for what, command in commands.items():
        cold, warm = [], []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as folder:
                cold.append(timed(command, cache, folder))
        with tempfile.TemporaryDirectory() as cache:
            with tempfile.TemporaryDirectory() as folder:
                timed(command, cache, folder)
            for _ in range(rounds):
                with tempfile.TemporaryDirectory() as folder:
                    warm.append(timed(command, cache, folder))
        numbers = [statistics.median(r[i] for r in found) for i in (0, 1) for found in (cold, warm)]
        print(f"| {what} | " + " | ".join(f"{x:.1f}" for x in numbers) + f" | {os.getloadavg()[0]:.1f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
