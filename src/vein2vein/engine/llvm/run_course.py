"""Courses of n patients by the code of ``course.py``, on all cores.

Whoever calls again and again prepares once (``ready``) and then only hands over arrays (``run``).
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.llvm import cache, course, machine, origin, threads
from vein2vein.engine.llvm.course_parts import carried_from, functions, results_in
from vein2vein.engine.method import tableau
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.plain import Control
from vein2vein.engine.method.request import IMPLICIT, Courses, Doses, Outputs, Request, Standing, common, standing
from vein2vein.engine.method.summaries import Summary
from vein2vein.engine.trace import content
from vein2vein.engine.trace.kept import Kept
from vein2vein.engine.trace.recording import trace
from vein2vein.models.model import Model

Matrix = NDArray[np.float64]
Follow = Callable[[int, int, int, int, int], int]


@dataclass(frozen=True)
class Compiled:
    """Machine code for courses of a model: the function of ``course.py``, and the owner of its code.

    Whoever calls ``follow`` holds this record meanwhile: without its owner the code is taken out of memory.
    """

    follow: Follow
    engine: Any


_compiled: Kept[Compiled] = Kept(64)


@dataclass(frozen=True)
class Ready:
    """What is prepared once for many calls.

    Attributes
    ----------
    request : Request
    outputs : Outputs
    firings, reads : int
        Room for the days of events; values that are written on a day.
    width : int
    threads : int or None
    first : Compiled
        Code of the method that begins.
    other : callable () -> (Compiled, ndarray), or None
        Code of the stiff method with its sizes, made when the first patient needs it.
    numbers, sizes : ndarray
    fixed : mapping of place to ndarray
        Arrays that stay the same from call to call.
    """

    request: Request
    outputs: Outputs
    firings: int
    reads: int
    width: int
    threads: int | None
    first: Compiled
    other: Callable[[], tuple[Compiled, Matrix]] | None
    numbers: NDArray[np.int64]
    sizes: Matrix
    fixed: dict[str, NDArray[Any]]
    _places: NDArray[np.uint64] = field(init=False)
    begins: tuple[list[float], list[int]] = field(init=False)
    results: list[int] = field(init=False)

    def __post_init__(self) -> None:
        """Addresses of what is fixed."""
        places = np.zeros(len(course.PLACES), dtype=np.uint64)
        for name, array in self.fixed.items():
            places[course.PLACES.index(name)] = array.ctypes.data
        object.__setattr__(self, "_places", places)
        object.__setattr__(self, "begins", carried_from(self.request))
        object.__setattr__(self, "results", results_in(self.request))

    def run(self, parameters: Matrix, found: Standing, ends: Matrix) -> tuple[Matrix, Matrix]:
        """Carry n patients to their ends (n,), in place; return values (rows, what is read) and firings (n, all).

        All arrays are float64 or int64, C-contiguous, and of the caller's own.
        """
        n = len(found.state)
        values = np.full((self.outputs.rows if self.request.outputs else 0, self.reads), np.nan)
        fired = np.full((n, self.firings), np.nan)
        if n == 0:
            return values, fired
        places = self._places.copy()
        moving = (found.state, parameters, found.levels, found.reals, found.whole, ends)
        for i, array in enumerate(moving):
            places[i] = array.__array_interface__["data"][0]
        places[-2], places[-1] = values.__array_interface__["data"][0], fired.__array_interface__["data"][0]
        numbers, sizes, where = (a.__array_interface__["data"][0] for a in (self.numbers, self.sizes, places))
        width, first, other = self.width, self.first, self.other
        stiff = other is not None and bool((found.whole[:, 0] == IMPLICIT).any())

        def part(begin: int, end: int) -> None:
            begin, end = begin * width, min(end * width, n)
            handed = bool(first.follow(begin, end, numbers, sizes, where)) or stiff
            while other is not None and handed:
                code, own_sizes = other()
                handed = bool(code.follow(begin, end, numbers, own_sizes.__array_interface__["data"][0], where))
                handed = handed and bool(first.follow(begin, end, numbers, sizes, where))

        threads.share(part, -(-n // width), self.threads)
        return values, fired


def ready(
    model: Model,
    request: Request,
    control: Control,
    outputs: Outputs,
    doses: Doses,
    used: int | None = None,
    width: int | None = None,
    gather: int = 1,
) -> Ready:
    """Prepare the courses of a model.

    Parameters
    ----------
    used : int, optional
        Threads; left out: one per core.
    gather : int
        Lanes that must be idle before they take the next patients; no result depends on it.
    """
    width = width or machine.natural_width()
    counted = max(int(np.isfinite(control.absolute).sum()), 1)
    stiff = control.stiff
    sizes = np.array([control.rtol, control.max_step, 1.0 / counted, control.ratio() if stiff else 1.0])
    fixed: dict[str, NDArray[Any]] = {
        "days": outputs.days, "output_last": outputs.last, "output_shift": outputs.shift,
        "dose_last": doses.last, "dose_day": doses.day, "dose_what": doses.what, "dose_amount": doses.amount,
        "resets": doses.resets, "absolute": control.absolute, "low": control.low, "high": control.high,
    }  # fmt: skip
    made: list[tuple[Compiled, Matrix]] = []
    turn = threading.Lock()

    def other() -> tuple[Compiled, Matrix]:
        with turn:
            if not made and stiff is not None:
                own = np.array([*sizes[:-1], control.ratio()])
                made.append((compile_courses(model, request, stiff, width, True), own))
        return made[0]

    return Ready(
        request=request,
        outputs=outputs,
        firings=sum(e.most for e in request.events),
        reads=len(request.reads) or len(model.states),
        width=width,
        threads=used,
        first=compile_courses(model, request, control.method, width, stiff is not None),
        other=other if stiff is not None else None,
        numbers=np.array([control.max_steps, min(gather, width)], dtype=np.int64),
        sizes=sizes,
        fixed={name: np.ascontiguousarray(array) for name, array in fixed.items()},
    )


def begin(made: Ready, state: Matrix, levels: Matrix, begins: Matrix, doses: Doses) -> Standing:
    """N patients where their courses begin (n,); the arrays are written to."""
    found = standing(state, levels, begins, *made.begins)
    found.number("output")[:] = made.outputs.first
    found.number("dose")[:] = doses.first
    return found


def finish(made: Ready, found: Standing, values: Matrix, fired: Matrix) -> Courses:
    """What the courses ended with."""
    status = found.number("status").copy()
    results = found.reals[:, made.results] if made.results else np.empty((len(status), 0))
    if made.results and status.any():
        results[status != tableau.OK] = np.nan
    return Courses(
        values, found.state, found.levels, found.real("t").copy(), status, found.number("steps").copy(),
        found.number("rejected").copy(), fired, results,
    )  # fmt: skip


def follow(
    model: Model,
    parameters: Matrix,
    state: Matrix,
    levels: Matrix,
    days: Matrix,
    doses: Doses,
    request: Request,
    control: Control,
    used: int | None = None,
    width: int | None = None,
) -> Courses:
    """Courses of n patients from the first of ``days`` to the last; values (n * days, states), patient by patient."""
    n = len(state)
    made = ready(model, request, control, common(days, n), doses, used, width)
    found = begin(made, np.array(state), np.array(levels), np.full(n, days[0]), doses)
    values, fired = made.run(np.ascontiguousarray(parameters), found, np.full(n, days[-1]))
    return finish(made, found, values, fired)


def compile_courses(
    model: Model, request: Request, method: tableau.Method, width: int, switches: bool = False
) -> Compiled:
    """Machine code for courses of a model as requested, from memory, from disk or newly made."""
    named = [s.of for s in request.wanted]
    facts = content.course(model, request.gives, [*named, *request.reads], request.own_start)
    key = (facts, request, method.name, width, switches)
    return _compiled.get(key, lambda: _compile(model, request, method, width, switches))


def _compile(model: Model, request: Request, method: tableau.Method, width: int, switches: bool) -> Compiled:
    """Code from disk by the name of what its text would be written from: writing the text takes far longer."""
    name, parts = entry(model, request, method, width, switches)
    code = cache.read(name) if name else None
    if code is None:
        traced = trace(model)
        same = bool(name) and content.recorded(traced) == content.rates(model)
        text = course.module(traced, request, method, width, machine.fused(), switches)
        if not (same and parts in text and origin.unchanged()):  # the text was written from something else
            return _callable(machine.machine_code(text)[0])
        code = machine.compiled(text)
        cache.write(name, code)
    return _callable(machine.loaded(code))


def entry(model: Model, request: Request, method: tableau.Method, width: int, switches: bool) -> tuple[str, str]:
    """Name of compiled courses from all that their text is written from, and the text of what a request asks for.

    The equations are told by what was recorded of them; starts, doses, conditions, amounts, observables and summaries
    by the text of their functions; the rest by its values. The name is "" where the writing code cannot be told.
    """
    if not origin.origin():
        return "", ""
    texts, _ = functions(model, request, width, machine.fused())
    written = "\n".join(texts)
    plain = (replace(request, events=(), wanted=()), _plain(request.events), _plain(request.wanted))
    parts = (content.rates(model), repr(plain), repr(method), f"{width} {machine.fused()} {switches}")
    return machine.entry("course", written, *parts, origin.origin()), written


def _plain(of: Sequence[Event | Summary]) -> list[list[object]]:
    """What events or summaries say, as it may stand in a name: a function is told by its text."""
    return [["function" if callable(value) else value for value in vars(one).values()] for one in of]


def _callable(engine: Any) -> Compiled:
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 2, *[ctypes.c_void_p] * 3)
    return Compiled(kind(engine.get_function_address(course.NAME)), engine)


@dataclass(frozen=True)
class Rates:
    """Machine code of a model's rates alone, for tests and for other solvers."""

    states: int
    width: int
    follow: Callable[..., None]
    from_cache: bool
    engine: Any


_rates: Kept[Rates] = Kept(64)


def compile_rates(model: Model, width: int | None = None) -> Rates:
    """Machine code of a model's rates, from memory, from disk or newly made."""
    width = width or machine.natural_width()
    return _rates.get((content.rates(model), width), lambda: _compile_rates(model, width))


def _compile_rates(model: Model, width: int) -> Rates:
    engine, from_cache = machine.machine_code(course.rates_module(trace(model), width, machine.fused()))
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5)
    return Rates(len(model.states), width, kind(engine.get_function_address(course.RATES)), from_cache, engine)


def rates(compiled: Rates, day: float, state: Matrix, parameters: Matrix, levels: Matrix) -> Matrix:
    """Time derivatives (n, states) from rows (n, states), (n, parameters), (n, levels)."""
    n, width = len(state), compiled.width
    out = np.empty((-(-n // width), compiled.states, width))
    x, p, u = (pack(np.asarray(v, dtype=float), width) for v in (state, parameters, levels))
    when, arrays = np.array([day], dtype=float), list[Matrix]((x, p, u, out))
    for group in range(len(out)):
        compiled.follow(*(_address(a[group]) for a in arrays), _address(when))
    return np.ascontiguousarray(out.transpose(0, 2, 1)).reshape(-1, compiled.states)[:n]


def _address(array: NDArray[Any]) -> int:
    return array.ctypes.data


def pack(values: Matrix, width: int) -> Matrix:
    """Patients' rows (n, k) as groups of columns (groups, k, width); the last group is filled with its last patient."""
    n, k = values.shape
    groups = -(-n // width)
    rows = np.minimum(np.arange(groups * width, dtype=np.int64), max(n - 1, 0))
    return np.ascontiguousarray(values[rows].reshape(groups, width, k).transpose(0, 2, 1))
