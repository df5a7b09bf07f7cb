"""Nanoseconds of each generated function per vector of patients: rates, slopes, linear algebra, whole tried steps.

    python benchmarks/kernels.py [bench|reference|live] [--width 8] [--vectors native|avx2] [--assembly PATH]

Each is called in a loop on one vector whose numbers lie in the nearest cache, at a third of the course; the least
of the repeats is printed. Beside it: instructions, and how many of them move a vector to or from the stack.
"""

from __future__ import annotations

import argparse
import ctypes
import re
import sys
import time
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import vectors
from problem import case

from vein2vein.engine.llvm import equations, machine, stepping
from vein2vein.engine.llvm.vector_math import Assembly
from vein2vein.engine.method import tableau
from vein2vein.engine.solve import solve
from vein2vein.engine.trace.recording import trace

BATCH = 4e-4
"""Seconds of a batch: shorter than the turn of another process, so that the least of many is free of it."""
METHODS = (tableau.TSIT5, tableau.RODAS5P)
STEP = 1e-3


def module(traced: Any, width: int, method: tableau.Method) -> tuple[str, stepping.Layout]:
    """Assembly of a model's functions, each within a loop that calls it ``n`` times."""
    fused = machine.fused()
    body, layout = stepping.model_functions(traced, width, fused, method)
    v, n = f"<{width} x double>", f"v{width}f64"
    one, where = "splat (double 0.5)", "ptr %x, ptr %p, ptr %u, ptr %kept"
    calls = {"prepare": "call void @prepare(ptr %p, ptr %u, ptr %kept)",
             "rates": f"call void @rates({v} {one}, {where}, ptr %k0)"}  # fmt: skip
    if method.implicit:
        calls |= {
            "slopes": f"call void @slopes({v} {one}, {where}, ptr %k0, ptr %jac)",
            "factor": f"call void @factor({v} splat (double 1.0e3), ptr %jac, ptr %lu)",
            "residual": f"%worst = call {v} @residual({v} splat (double 1.0e3), ptr %jac, ptr %k1, ptr %k0)",
        }
        more = ", ptr %sum" if "ptr noalias %more" in body else ""
        calls["solve"] = f"call void @solve(ptr %lu, ptr %k1{more})"
    parts = [
        f"declare {v} @llvm.fma.{n}({v}, {v}, {v})",
        f"declare {v} @llvm.sqrt.{n}({v})",
        f"declare {v} @llvm.fabs.{n}({v})",
        f"declare i1 @llvm.vector.reduce.or.v{width}i1(<{width} x i1>)",
        body,
    ]
    parts += [_looped(name, [f"  {call}"], layout, width) for name, call in calls.items()]
    a = Assembly(width, fused)
    constants = {"rtols": a.number(1e-6), "inverse_count": a.number(1 / layout.states)}
    error = stepping.attempt(a, layout, one, a.number(STEP), constants)
    a.store(error, "%at_h")
    parts.append(_looped("step", a.lines, layout, width))
    a = Assembly(width, fused)
    accepted = a.compare("olt", a.load("%at_h"), a.number(-1.0))
    stepping.keep(a, layout, accepted)
    parts.append(_looped("keep", a.lines, layout, width))
    a = Assembly(width, fused)
    error = a.load("%at_h")
    accepted = a.compare("ole", error, a.number(1.0))
    stepping.control(a, method, a.number(STEP), a.number(STEP), error, accepted, a.inverse(accepted))
    parts.append(_looped("control", a.lines, layout, width))
    return "\n".join([*parts, f"attributes #0 = {equations.ATTRIBUTES}"]), layout


def _looped(name: str, lines: list[str], layout: stepping.Layout, width: int) -> str:
    arrays = [key for key, _ in stepping.arrays(layout)]
    pointers = ["x", "p", "u", "absolute", "low", "high", "at_h", "at_before", *arrays]
    head = f"define void @run_{name}(i64 %n, {', '.join(f'ptr %{key}' for key in pointers)}) #0 {{"
    begin = ["entry:", f"  {stepping.SOLVED} = alloca <{width} x i1>, align 8", "  br label %again", "again:"]
    begin.append("  %turn = phi i64 [ 0, %entry ], [ %turn_after, %turned ]")
    end = ["  br label %turned", "turned:", "  %turn_after = add i64 %turn, 1"]
    end += [
        "  %turns = icmp ult i64 %turn_after, %n",
        "  br i1 %turns, label %again, label %out",
        "out:",
        "  ret void",
        "}",
    ]
    return "\n".join([head, *begin, *lines, *end])


def block(lengths: list[int], width: int) -> list[np.ndarray]:
    """Arrays (length, width) one after the other, as in a generated function's frame, from a line of the cache on."""
    room = np.ones(sum(lengths) * width + 8)
    first = (-room.ctypes.data % 64) // 8
    found = []
    for length in lengths:
        found.append(room[first : first + length * width].reshape(length, width))
        first += length * width
    return found


def measured(name: str, engine: Any, arrays: list[np.ndarray], repeats: int) -> float:
    """Least nanoseconds of a call."""
    address = engine.get_function_address(f"run_{name}")
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * len(arrays))(address)
    pointers = [array.ctypes.data for array in arrays]
    calls = 1
    found = [0.0]
    while found[-1] < BATCH:
        calls *= 2
        found.append(_once(function, calls, pointers))
    return min(_once(function, calls, pointers) for _ in range(repeats)) / calls * 1e9


def _once(function: Any, calls: int, pointers: list[int]) -> float:
    begin = time.perf_counter()
    function(calls, *pointers)
    return time.perf_counter() - begin


def _text(assembly: str) -> dict[str, list[str]]:
    """Instructions of each function."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in assembly.splitlines():
        label = re.match(r"(\w+):", line)
        if label:
            name = label.group(1)
        elif line.startswith("\t") and not line.startswith("\t."):
            found.setdefault(name, []).append(line)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("case", nargs="?", default="bench", choices=("bench", "reference", "live"))
    parser.add_argument("--width", type=int, default=None)
    parser.add_argument("--vectors", default="native", choices=vectors.CHOICES)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--assembly", type=Path, default=None)
    chosen = parser.parse_args()
    vectors.use(chosen.vectors)
    width = chosen.width or machine.natural_width()
    model, parameters, days, doses, _ = case(chosen.case, width)
    state = solve(model, parameters, None, days, doses, rtol=1e-6).values[:, len(days) // 3]
    traced = trace(model)
    for method in METHODS:
        begin = time.perf_counter()
        text, layout = module(traced, width, method)
        written = time.perf_counter() - begin
        engine, _ = machine.machine_code(f"{text}\n; {time.time()}")
        compiled = time.perf_counter() - begin - written
        what = f"{chosen.case}, {method.name}, {width} lanes, {machine.host()[1]}"
        print(f"{what}: written {written:.2f} s, compiled {compiled:.2f} s")
        assembly = machine.target().emit_assembly(llvm.parse_assembly(text))
        lines = _text(assembly)
        sizes = [layout.states, layout.parameters, layout.levels, *[-(-layout.states // width)] * 3, 1, 1]
        arrays = block([*sizes, *(count for _, count in stepping.arrays(layout))], width)
        arrays[0][:], arrays[1][:] = state.T, parameters.T
        for array, values in zip(arrays[3:6], ([1e-6] * layout.states, *zip(*((s.low, s.high) for s in model.states)))):
            array.ravel()[: layout.states] = values
        if chosen.assembly:
            chosen.assembly.with_suffix(f".{method.name}.s").write_text(assembly)
        implicit = ("slopes", "factor", "solve", "residual") if method.implicit else ()
        for name in ("prepare", "rates", *implicit, "step", "keep", "control"):
            own = lines.get(name if name in lines else f"run_{name}", [])
            moved = sum(bool(re.search(r"\(%r[sb]p\)", line)) and "mm" in line for line in own)
            nanoseconds = measured(name, engine, arrays, chosen.repeats)
            text = f"{nanoseconds:8.1f} ns {nanoseconds / width:8.2f} a patient"
            print(f"  {name:9s} {text} {len(own):6d} instructions, {moved:5d} to or from the stack")


if __name__ == "__main__":
    sys.exit(main())
