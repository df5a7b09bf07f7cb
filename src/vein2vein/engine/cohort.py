"""Whole courses of n patients by the compiled driver of ``dated.py``, on all cores."""

from __future__ import annotations

import ctypes
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine import batch, dated, tableau
from vein2vein.engine.dated import Request
from vein2vein.engine.plain import Control
from vein2vein.engine.trace import trace
from vein2vein.models.model import Model

Matrix = NDArray[np.float64]
_KEPT = 64
_drivers: OrderedDict[Any, tuple[Any, Any, Any]] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class Doses:
    """What is given to whom and when, sorted by patient and day.

    Attributes
    ----------
    first, last : ndarray of int (n,)
        Each patient's part of the lists below.
    day, amount : ndarray (k,)
    what : ndarray of int (k,)
        Place of the input among those that are given.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    day: Matrix
    what: NDArray[np.int64]
    amount: Matrix


@dataclass(frozen=True)
class Courses:
    """What n courses end with.

    Attributes
    ----------
    values : ndarray (n, days, states)
        NaN after the day that could be reached; empty if not asked for.
    state, levels : ndarray (n, states), (n, levels)
    reached : ndarray (n,)
    status, steps, rejected : ndarray of int (n,)
    fired : ndarray (n, firings)
        Day of each firing, event after event; NaN: none.
    results : ndarray (n, summaries)
    """

    values: Matrix
    state: Matrix
    levels: Matrix
    reached: Matrix
    status: NDArray[np.int64]
    steps: NDArray[np.int64]
    rejected: NDArray[np.int64]
    fired: Matrix
    results: Matrix


def empty(n: int, state: Matrix, levels: Matrix, days: int, request: Request) -> Courses:
    """Room for the results of n courses."""
    counts = [np.zeros(n, dtype=np.int64) for _ in range(3)]
    firings = sum(e.most for e in request.events)
    return Courses(
        values=np.full((n, days if request.outputs else 0, state.shape[1]), np.nan),
        state=np.array(state),
        levels=np.array(levels),
        reached=np.zeros(n),
        status=counts[0],
        steps=counts[1],
        rejected=counts[2],
        fired=np.full((n, firings), np.nan),
        results=np.full((n, len(request.wanted)), np.nan),
    )


def arrange(n: int, doses: Sequence[tuple[Matrix, int, Matrix]], levels: Sequence[bool]) -> Doses:
    """Dose lists of n patients from (days (n,) or one, what, amounts (n,) or one); a day that is NaN is left out.

    ``levels[what]`` is whether the input is a level; of a dose, an amount of 0 is left out.
    """
    days = np.stack([np.broadcast_to(d, n) for d, _, _ in doses], axis=1) if doses else np.zeros((n, 0))
    amounts = np.stack([np.broadcast_to(a, n) for _, _, a in doses], axis=1) if doses else np.zeros((n, 0))
    what = np.array([w for _, w, _ in doses], dtype=np.int64)
    order = np.argsort(days, axis=1, kind="stable")
    rows = np.arange(n)[:, None]
    days, amounts, what = days[rows, order], amounts[rows, order], what[order]
    held = np.array([*levels, False])[what] if len(doses) else np.zeros((n, 0), dtype=bool)
    given = np.isfinite(days) & ((amounts != 0) | held)
    last = np.cumsum(given.sum(axis=1)).astype(np.int64)
    first = np.concatenate([[0], last[:-1]]).astype(np.int64) if n else last
    return Doses(first, last, days[given], what[given], amounts[given])


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
    width = width or batch.natural_width()
    run = driver(model, request, control.method, width)
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
        run(begin, end, numbers.ctypes.data, reals.ctypes.data, places.ctypes.data)

    batch.share(part, -(-n // width), threads)
    failed = found.status != tableau.OK
    found.results[failed] = np.nan
    return found


def driver(model: Model, request: Request, method: tableau.Method, width: int) -> Any:
    """Compiled driver of a model for a request, from memory, from disk or newly made."""
    key = (id(model), request, method.name, width)
    with _lock:
        if key not in _drivers:
            text = dated.module(trace(model), request, method, width, batch.fused())
            engine, _ = batch.machine_code(text)
            kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 2, *[ctypes.c_void_p] * 3)
            _drivers[key] = kind(engine.get_function_address(dated.NAME)), engine, model
            while len(_drivers) > _KEPT:
                _drivers.popitem(last=False)
        _drivers.move_to_end(key)
        return _drivers[key][0]
