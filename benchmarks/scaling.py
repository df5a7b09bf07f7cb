"""How the time grows with patients and threads, and what the arithmetic alone would take.

    python benchmarks/scaling.py [most patients, default 100000] [reference]

The whole course of each patient is reduced to summaries while it is solved. The bound is the number of floating-point
operations of the steps taken (a fused multiply-add counts as two), over the peak of one core, measured by a generated
kernel of independent fused multiply-adds in the engine's vector width. A row "outputs kept" stores the states of all
output days. A last run is done in a process of its own, whose peak memory is printed.
"""

from __future__ import annotations

import ctypes
import os
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
from problem import case

from vein2vein.engine import solve
from vein2vein.engine.llvm import cost, machine
from vein2vein.engine.llvm.control_flow import Function
from vein2vein.engine.method import tableau
from vein2vein.engine.method.summaries import Summary

KERNEL_LOOPS, CHAINS, UNROLLED, ROUNDS = 2_000_000, 12, 4, 3
CHUNK = 50_000
RTOL = 1e-5


def peak() -> float:
    """Floating-point operations per second of one core in fused multiply-adds."""
    width = machine.natural_width()
    a = Function(width, True)
    factor, summand = a.number(0.999999), a.number(1e-6)

    def body(_: str, sums: list[str]) -> list[str]:
        for _ in range(UNROLLED):
            sums = [a.fma(s, factor, summand) for s in sums]
        return sums

    sums = a.loop(KERNEL_LOOPS, [a.load("%x", i) for i in range(CHAINS)], body)
    for i, value in enumerate(sums):
        a.store(value, "%x", i)
    a.do("ret void")
    text = a.text("define void @kernel(ptr %x) #0 {")
    text = text + '\nattributes #0 = { nounwind "min-legal-vector-width"="512" "prefer-vector-width"="512" }\n'
    for name, kind in (("fma", f"{a.vector}, {a.vector}, {a.vector}"),):
        text += f"declare {a.vector} @llvm.{name}.v{width}f64({kind})\n" if width > 1 else ""
    engine, _ = machine.machine_code(text)
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(engine.get_function_address("kernel"))
    room = np.ones(CHAINS * width + 8)
    address = room.ctypes.data + (-room.ctypes.data) % 64
    seconds = []
    for _ in range(5):
        begin = time.thread_time()
        run(address)
        seconds.append(time.thread_time() - begin)
    return 2 * width * CHAINS * UNROLLED * KERNEL_LOOPS / min(seconds)


METHODS = {"bench": tableau.RODAS5P, "reference": tableau.TSIT5}
"""One method throughout, so that the operations of a step are known."""


def course(name: str, n: int, threads: int, kept: bool = False, last: float | None = None, seed: int = 1):
    """Wall seconds, CPU seconds and the solution of n patients."""
    model, parameters, days, doses, events = case(name, n, seed)
    if last is not None:
        days = np.append(days[days < last], last)
        doses = tuple(d for d in doses if d[0] < last)
    cells = "E"
    summaries = (
        Summary("most", "max", cells), Summary("when", "time_of_max", cells), Summary("area", "area", cells),
    )  # fmt: skip
    wanted = {"events": events, "summaries": summaries, "outputs": kept, "threads": threads, "rtol": RTOL,
              "method": METHODS[name].name}  # fmt: skip
    solve.solve(model, parameters[:64], None, days, doses, **wanted)
    wall, cpu = time.perf_counter(), time.process_time()
    found = solve.solve(model, parameters, None, days, doses, **wanted)
    return time.perf_counter() - wall, time.process_time() - cpu, found


def memory_of(name: str, n: int) -> None:
    """28-day courses in chunks, summaries kept: in a process of its own, for its peak memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    seconds, failed, most = 0.0, 0, []
    for seed, first in enumerate(range(0, n, CHUNK)):
        wall, _, found = course(name, min(CHUNK, n - first), 2, last=28.0, seed=seed)
        seconds += wall
        failed += np.count_nonzero(found.status)
        most.append(np.stack(list(found.summaries.values()), axis=1))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{name}: {n:,} patients, 28 days, summaries only, 2 threads, chunks of {CHUNK:,}: {seconds:.1f} s solving "
        f"({seconds / n * 1e6:.1f} us per patient), {time.perf_counter() - begin:.1f} s with drawing; peak "
        f"memory {after / 2**20:.2f} GB ({before / 2**20:.2f} after the imports); failed {failed}; "
        f"{sum(map(len, most)):,} rows; load {os.getloadavg()[0]:.1f}"
    )


def main(words: list[str]) -> None:
    numbers = [int(w) for w in words if w.isdigit()]
    name = "reference" if "reference" in words else "bench"
    if "memory" in words:
        return memory_of(name, numbers[0])
    most = numbers[0] if numbers else 100_000
    model = case(name, 1)[0]
    method = METHODS[name]
    flops, top = cost.flops(model, method), peak()
    print(f"{name}: {method.name}, {flops:,} operations a step; FMA peak of a core {top / 1e9:.1f} GFlop/s")
    print("| patients | threads | us per patient | us of CPU | bound, us | share of the bound | load |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    sizes = [n for n in (1_000, 10_000, 100_000) if n <= most]
    for n in sizes:
        rows: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
        for _ in range(ROUNDS):
            for threads in rows:
                wall, cpu, found = course(name, n, threads)
                rows[threads].append((wall / n * 1e6, cpu / n * 1e6))
        steps = float((found.steps + found.rejected).mean())
        bound = steps * flops / top * 1e6
        for threads, times in rows.items():
            wall, cpu = (statistics.median(column) for column in zip(*times))
            share = bound / cpu
            load = os.getloadavg()[0]
            print(
                f"| {n:,} | {threads} | {wall:.1f} | {cpu:.1f} | {bound:.1f} | {share:.0%} | {load:.1f} |", flush=True
            )
        speedups = sorted(one[0] / two[0] for one, two in zip(rows[1], rows[2]))
        print(f"two threads: {statistics.median(speedups):.2f} x ({speedups[0]:.2f} to {speedups[-1]:.2f}); "
              f"{steps:.0f} steps a patient", flush=True)  # fmt: skip
    wall, cpu, _ = course(name, 10_000, 1, kept=True)
    print(f"outputs kept, 10,000 patients, 1 thread: {wall / 1e4 * 1e6:.1f} us, {cpu / 1e4 * 1e6:.1f} us of CPU")
    own = [sys.executable, __file__, "memory", name]
    for n in (10_000, 1_000_000):
        if n <= most * 10:
            subprocess.run([*own, str(n)], check=True)
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
