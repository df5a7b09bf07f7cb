"""The GPU backend, for whoever has a device: builds it, compares it with the processor, measures and profiles it.

    python benchmarks/gpu.py [--patients N,N,...] [--arch sm_90] [--sweep] [--profile]

1. What the compiler makes of the program (nvcc, where it is installed; no device is needed): registers, stack and
   spills a thread, for the bench model and the reference model, with each method.
2. Agreement: largest difference of each patient between the GPU and the processor; the 99th percentile over patients.
3. Throughput: patients a second on the GPU (whole call, and the kernel alone by the device's own clock) and on two
   cores of the processor, the best of three calls each, in turn.
4. ``--sweep``: the same for other numbers of threads a block and of registers a thread. The layout is chosen by nothing
   else: THREADS and OPTIONS of ``engine/cuda/device.py`` are to be set to the fastest pair.
5. ``--profile``: one course of 20,000 patients of the reference model and nothing else, to be run under a profiler:

       ncu --set full --kernel-name courses -o courses python benchmarks/gpu.py --profile
       nsys profile python benchmarks/gpu.py --profile
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from problem import case

from vein2vein.engine import solve
from vein2vein.engine.cuda import device, kernel
from vein2vein.engine.method import tableau
from vein2vein.engine.method.request import Request

RTOL = 1e-6
CORES = 2
ROUNDS = 3
COMPARED = 1000
BLOCKS, REGISTERS = (32, 64, 128, 256), (0, 168, 128, 96)
"""Threads a block, registers a thread (0: as many as the compiler likes)."""
PROFILED = 20_000


def build(arch: str) -> None:
    """Print what nvcc reports of the kernel."""
    if shutil.which("nvcc") is None:
        print("nvcc is not installed: no report of the compiler")
        return
    print(f"| model | method | compiler, s | registers | stack, bytes | spill stores, loads, bytes ({arch}) |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in ("bench", "reference"):
        model, _, _, doses, _ = case(name, 1)
        gives = tuple(i.name for i in model.inputs if i.name in {d[1] for d in doses})
        for method in tableau.METHODS.values():
            with tempfile.TemporaryDirectory() as folder:
                text = Path(folder, "courses.cu")
                text.write_text(kernel.source(model, Request(gives), method))
                command = ["nvcc", "-cubin", "-std=c++17", f"-arch={arch}", "-Werror", "all-warnings", "-Xptxas", "-v"]
                begun = time.perf_counter()
                done = subprocess.run(
                    [*command, "-o", Path(folder, "courses.cubin"), text], capture_output=True, text=True
                )
                seconds = time.perf_counter() - begun
            told = done.stdout + done.stderr
            if done.returncode:
                raise SystemExit(f"{name}, {method.name}: nvcc refuses the program:\n{told[:2000]}")
            found = re.search(
                r"properties for courses\n.*?(\d+) bytes stack.*?(\d+) bytes spill stores, (\d+) bytes spill loads\n"
                r".*?Used (\d+) registers", told,
            )  # fmt: skip
            stack, stores, loads, registers = found.groups() if found else ("?",) * 4
            print(f"| {name} | {method.name} | {seconds:.1f} | {registers} | {stack} | {stores}, {loads} |", flush=True)


def solved(name: str, n: int, method: str, backend: str, outputs: bool = True, **more: Any) -> solve.Solution:
    """Courses of n patients of one of the two models, without events."""
    model, parameters, days, doses, _ = case(name, n)
    asked = {"rtol": RTOL, "method": method, "backend": backend, "outputs": outputs}
    return solve.solve(model, parameters, None, days, doses, **asked, **more)


def agree() -> None:
    """Print how far the GPU is from the processor."""
    for name in ("bench", "reference"):
        model = case(name, 1)[0]
        scale = np.array([s.scale if np.isfinite(s.scale) else 1.0 for s in model.states])
        for method in tableau.METHODS:
            gpu, batch = (solved(name, COMPARED, method, b) for b in ("gpu", "batch"))
            size = np.maximum(np.abs(batch.values), 1e-3 * np.abs(batch.values).max(axis=1, keepdims=True))
            worst = (np.abs(gpu.values - batch.values) / np.maximum(size, scale)).max(axis=(1, 2))
            status = int((gpu.status != batch.status).sum())
            print(
                f"{name}, {method}: of {COMPARED} patients {status} end otherwise; difference median "
                f"{np.median(worst):.1e}, p99 {np.percentile(worst, 99):.1e}; "
                f"steps {gpu.steps.mean():.1f} and {batch.steps.mean():.1f}"
            )


def measure(name: str, n: int, method: str) -> str:
    """Patients a second: the whole call on the GPU, its kernel alone, and two cores."""
    gpu, cpu, inside = np.inf, np.inf, np.inf
    with _clocked() as clock:
        for _ in range(ROUNDS + 1):  # the first compiles
            gpu = min(gpu, _seconds(lambda: solved(name, n, method, "gpu", outputs=False)))
            inside = min(inside, clock())
            cpu = min(cpu, _seconds(lambda: solved(name, n, method, "batch", outputs=False, threads=CORES)))
    rates = " | ".join(f"{n / s:,.0f}" for s in (gpu, inside, cpu))
    return f"| {name} | {method} | {n:,} | {rates} | {cpu / gpu:.1f} |"


def _seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


@contextmanager
def _clocked() -> Generator[Callable[[], float]]:
    """Let the kernel be timed by the device; gives a function that says what the last launch took, seconds."""
    cupy, real = device._library(), device._kernel
    before, after = cupy.cuda.Event(), cupy.cuda.Event()

    class Timed:
        def __init__(self, module: Any) -> None:
            self.module = module

        def get_function(self, name: str) -> Callable[..., None]:
            function = self.module.get_function(name)

            def launch(*given: Any) -> None:
                before.record()
                function(*given)
                after.record()
                after.synchronize()

            return launch

    device._kernel = lambda *given: Timed(real(*given))
    try:
        yield lambda: cupy.cuda.get_elapsed_time(before, after) / 1e3
    finally:
        device._kernel = real


def sweep(n: int) -> None:
    """Print the throughput for other numbers of threads and registers."""
    options, threads = device.OPTIONS, device.THREADS
    for name, method in (("bench", "tsit5"), ("reference", "tsit5"), ("reference", "rodas5p")):
        for block in BLOCKS:
            for registers in REGISTERS:
                device.THREADS = block
                device.OPTIONS = (*options, *((f"--maxrregcount={registers}",) if registers else ()))
                told = f"{block} threads, {registers or 'any'} registers"
                try:
                    print(f"{measure(name, n, method)} {told} |", flush=True)
                except Exception as problem:  # a launch that asks for too much
                    print(f"| {name} | {method} | {n:,} | fails | {told}: {problem} |", flush=True)
    device.OPTIONS, device.THREADS = options, threads


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--patients", default="1000,10000,100000")
    options.add_argument("--arch", default="sm_90")
    options.add_argument("--sweep", action="store_true")
    options.add_argument("--profile", action="store_true")
    asked = options.parse_args()
    if asked.profile:
        print(np.bincount(solved("reference", PROFILED, "tsit5", "gpu", outputs=False).status))
        return 0
    build(asked.arch)
    if not device.available():
        print("no GPU, or CuPy is not installed: nothing was compared or measured")
        return 1
    agree()
    counts = [int(n) for n in asked.patients.split(",")]
    print("| model | method | patients | GPU, patients/s | kernel alone | two cores | GPU over two cores |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in ("bench", "reference"):
        for method in ("tsit5", "rodas5p"):
            for n in counts:
                print(measure(name, n, method), flush=True)
    if asked.sweep:
        sweep(max(counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
