"""The compiled solver: the steps of ``plain.py`` for n patients, in vector lanes and on all cores.

A model is traced, written as LLVM assembly (``equations.py``, ``segment.py``), compiled by llvmlite and kept on disk
(``cache.py``). Patients lie in groups of as many as the processor's vectors hold; groups are shared out to threads. A
patient's result does not depend on who shares its group, on the order, or on the number of threads.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.llvm import machine, segment
from vein2vein.engine.method import tableau
from vein2vein.engine.method.plain import Control
from vein2vein.engine.trace import content
from vein2vein.engine.trace.kept import Kept
from vein2vein.engine.trace.recording import trace
from vein2vein.models.model import Model

Matrix = NDArray[np.float64]

_CHUNKS_PER_THREAD = 4
_GROUPS_PER_CHUNK = 4
_POINTER, _DOUBLE, _INTEGER = ctypes.c_void_p, ctypes.c_double, ctypes.c_int64
_ADVANCE = (_INTEGER, *[_POINTER] * 3, *[_DOUBLE] * 2, *[_POINTER] * 5, _DOUBLE, *[_POINTER] * 3, _DOUBLE, _INTEGER)


@dataclass(frozen=True)
class Compiled:
    """A model's machine code.

    Attributes
    ----------
    states : int
        Of the model.
    width : int
        Patients per vector.
    advance, rates : callable
        The compiled functions of ``segment.py``.
    from_cache : bool
    engine : object
        Owner of the machine code.
    """

    states: int
    width: int
    advance: Callable[..., None]
    rates: Callable[..., None]
    from_cache: bool
    engine: Any


_compiled: Kept[Compiled] = Kept(64)


def compile_model(model: Model, width: int | None = None, method: tableau.Method = tableau.TSIT5) -> Compiled:
    """Machine code of a model for this processor, from memory, from disk or newly made."""
    width = width or machine.natural_width()
    return _compiled.get((content.rates(model), width, method.name), lambda: _compile(model, width, method))


def _compile(model: Model, width: int, method: tableau.Method = tableau.TSIT5) -> Compiled:
    engine, from_cache = machine.machine_code(segment.module(trace(model), width, machine.fused(), method))
    advance = ctypes.CFUNCTYPE(None, *_ADVANCE, _DOUBLE, _DOUBLE)(engine.get_function_address(segment.ADVANCE))
    rates = ctypes.CFUNCTYPE(None, _INTEGER, *[_POINTER] * 3, _DOUBLE, _POINTER)(
        engine.get_function_address(segment.RATES)
    )
    return Compiled(len(model.states), width, advance, rates, from_cache, engine)


def pack(values: Matrix, width: int) -> Matrix:
    """Patients' rows (n, k) as groups of columns (groups, k, width); the last group is filled with its last patient.

    Always a copy, also where the rows lie in that order already: the compiled code writes into what it is handed.
    """
    n, k = values.shape
    groups = -(-n // width)
    packed = np.empty((groups, k, width))
    whole = n // width
    packed[:whole] = values[: whole * width].reshape(whole, width, k).transpose(0, 2, 1)
    if whole < groups:
        packed[whole] = values[-1][:, None]
        packed[whole, :, : n - whole * width] = values[whole * width :].T
    return packed


def unpack(packed: Matrix, n: int) -> Matrix:
    """Groups of columns (groups, k, width) as patients' rows (n, k)."""
    groups, k, width = packed.shape
    return np.ascontiguousarray(packed.transpose(0, 2, 1)).reshape(groups * width, k)[:n]


def _lanes(values: NDArray[Any], width: int, dtype: Any, fill: Any) -> NDArray[Any]:
    """Copy of (n,) values, lengthened to whole groups."""
    lanes = np.full(-(-len(values) // width) * width, fill, dtype=dtype)
    lanes[: len(values)] = values
    return lanes


def threads_available() -> int:
    """Cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@lru_cache(maxsize=4)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="vein2vein")


if hasattr(os, "register_at_fork"):  # a child process has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


@dataclass(frozen=True)
class Segments:
    """Where n patients stand in their segments: the records of ``plain.Segment`` as arrays."""

    state: Matrix
    reached: Matrix
    step: Matrix
    status: NDArray[np.int64]
    steps: NDArray[np.int64]
    rejected: NDArray[np.int64]


def advance(
    compiled: Compiled,
    segments: Segments,
    parameters: Matrix,
    levels: Matrix,
    day: float,
    until: float,
    control: Control,
    threads: int | None = None,
) -> Segments:
    """Carry n patients from a day to another.

    Parameters
    ----------
    segments : Segments
        State (n, states); all others (n,).
    parameters : ndarray (groups, parameters, width)
        Packed once by ``pack``.
    levels : ndarray (n, levels)
    """
    n, width = len(segments.state), compiled.width
    if n == 0:  # the compiled loops run at least once
        return segments
    x, u = pack(segments.state, width), pack(levels, width)
    h = _lanes(segments.step, width, np.float64, 0.0)
    reached = _lanes(segments.reached, width, np.float64, day)
    # A lane that only fills the last group is idle: any status but 0 will do.
    status = _lanes(segments.status, width, np.int64, tableau.TOO_MANY_STEPS)
    steps, rejected = (_lanes(c, width, np.int64, 0) for c in (segments.steps, segments.rejected))
    counted = max(int(np.isfinite(control.absolute).sum()), 1)
    least = tableau.LEAST_STEP * max(1.0, abs(day), abs(until))

    def run(first: int, last: int) -> None:
        cut = slice(first * width, last * width)
        compiled.advance(
            last - first, _address(x[first:]), _address(parameters[first:]), _address(u[first:]), day, until,
            *(_address(v[cut]) for v in (h, status, reached, steps, rejected)),
            control.rtol, _address(control.absolute), _address(control.low), _address(control.high),
            control.max_step, control.max_steps, 1.0 / counted, least,
        )  # fmt: skip

    share(run, len(x), threads)
    return Segments(unpack(x, n), reached[:n], h[:n], status[:n], steps[:n], rejected[:n])


def rates(compiled: Compiled, day: float, state: Matrix, parameters: Matrix, levels: Matrix) -> Matrix:
    """Time derivatives (n, states) from rows (n, states), (n, parameters), (n, levels)."""
    width = compiled.width
    if len(state) == 0:
        return np.zeros((0, compiled.states))
    x, p, u = (pack(np.asarray(v, dtype=float), width) for v in (state, parameters, levels))
    out = np.empty_like(x)
    compiled.rates(len(x), _address(x), _address(p), _address(u), float(day), _address(out))
    return unpack(out, len(state))


def _address(array: NDArray[Any]) -> int:
    return array.ctypes.data


def share(run: Callable[[int, int], None], groups: int, threads: int | None) -> None:
    """Run a function of (first, last) for all groups, shared out to threads."""
    threads = threads or threads_available()
    size = max(_GROUPS_PER_CHUNK, -(-groups // (threads * _CHUNKS_PER_THREAD)))
    if threads == 1 or groups <= size:
        run(0, groups)
        return
    pool = _pool(threads)
    for job in [pool.submit(run, first, min(first + size, groups)) for first in range(0, groups, size)]:
        job.result()
