"""Whole courses of n patients by the code of ``course.py``, on all cores."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.llvm import course, machine, run_segment
from vein2vein.engine.method import tableau
from vein2vein.engine.method.plain import Control
from vein2vein.engine.method.request import Courses, Doses, Request, empty
from vein2vein.engine.trace import content
from vein2vein.engine.trace.kept import Kept
from vein2vein.engine.trace.recording import trace
from vein2vein.models.model import Model

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Compiled:
    """Machine code for whole courses of a model: the function of ``course.py``, and the owner of its code.

    Whoever calls ``follow`` holds this record meanwhile: without its owner the code is taken out of memory.
    """

    follow: Callable[..., None]
    engine: Any


_compiled: Kept[Compiled] = Kept(64)


def follow(
    model: Model,
    parameters: Matrix,
    state: Matrix,
    levels: Matrix,
    days: Matrix,
    doses: Doses,
    request: Request,
    control: Control,
    threads: int | None = None,
    width: int | None = None,
) -> Courses:
    """Courses of n patients from the first of ``days`` to the last."""
    n = len(state)
    found = empty(n, state, levels, len(days), request)
    if n == 0:
        return found
    width = width or machine.natural_width()
    compiled = compile_courses(model, request, control.method, width)
    counted = max(int(np.isfinite(control.absolute).sum()), 1)
    least = tableau.LEAST_STEP * max(1.0, abs(days[0]), abs(days[-1]))
    numbers = np.array([control.max_steps, len(days)], dtype=np.int64)
    reals = np.array([days[0], days[-1], control.rtol, control.max_step, 1.0 / counted, least])
    arrays = [
        state, parameters, levels, days, doses.first, doses.last, doses.day, doses.what, doses.amount,
        control.absolute, control.low, control.high, found.values, found.state, found.levels, found.reached,
        found.status, found.steps, found.rejected, found.fired, found.results,
    ]  # fmt: skip
    arrays = [np.ascontiguousarray(a) for a in arrays]
    places = np.array([a.ctypes.data for a in arrays], dtype=np.uint64)

    def part(first: int, last: int) -> None:
        begin, end = first * width, min(last * width, n)
        compiled.follow(begin, end, numbers.ctypes.data, reals.ctypes.data, places.ctypes.data)

    run_segment.share(part, -(-n // width), threads)
    failed = found.status != tableau.OK
    found.results[failed] = np.nan
    return found


def compile_courses(model: Model, request: Request, method: tableau.Method, width: int) -> Compiled:
    """Machine code for courses of a model as requested, from memory, from disk or newly made."""
    facts = content.course(model, request.gives, (s.of for s in request.wanted))
    key = (facts, request, method.name, width)
    return _compiled.get(key, lambda: _compile(model, request, method, width))


def _compile(model: Model, request: Request, method: tableau.Method, width: int) -> Compiled:
    engine, _ = machine.machine_code(course.module(trace(model), request, method, width, machine.fused()))
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 2, *[ctypes.c_void_p] * 3)
    return Compiled(kind(engine.get_function_address(course.NAME)), engine)
