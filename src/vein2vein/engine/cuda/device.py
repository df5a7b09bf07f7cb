"""The GPU backend (optional extra ``gpu``): whole courses of n patients on the device, one patient per thread.

The text of ``kernel.py`` is compiled by NVRTC when it is first needed. States, parameters and doses go to the
device once; summaries are made there, so that only they come back. This file alone imports an accelerator library.

It has been compiled for sm_90 and its text run on a processor against the other backends. It has not been run on a
GPU yet; no speed is claimed.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.cuda import kernel
from vein2vein.engine.method import tableau
from vein2vein.engine.method.plain import Control
from vein2vein.engine.method.request import Courses, Doses, Request
from vein2vein.engine.trace import content
from vein2vein.engine.trace.kept import Kept
from vein2vein.errors import InputError
from vein2vein.models.model import Model

Matrix = NDArray[np.float64]

THREADS = 64
"""Per block: every thread holds its patient's stages, so few fit on a multiprocessor at a time."""
_OPTIONS = ("-std=c++17",)
_kernels: Kept[Any] = Kept(64)


@lru_cache(maxsize=1)
def _library() -> Any:
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        raise InputError(
            "the GPU backend needs the library CuPy, which is not installed: pip install 'vein2vein[gpu]', "
            "or use the backend 'batch'"
        ) from error
    try:
        found = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # no driver: CuPy has an error class of its own for it
        raise InputError(f"the GPU backend finds no usable GPU ({error}); use the backend 'batch'") from error
    if not found:
        raise InputError("the GPU backend finds no GPU on this machine; use the backend 'batch'")
    return cupy


def available() -> bool:
    """Whether the extra is installed and a GPU is there."""
    try:
        _library()
    except InputError:
        return False
    return True


def _kernel(model: Model, request: Request, method: tableau.Method) -> Any:
    def compiled() -> Any:
        return _library().RawModule(code=kernel.source(model, request, method), options=_OPTIONS)

    facts = content.course(model, request.gives, (s.of for s in request.wanted))
    return _kernels.get((facts, request, method.name), compiled)


def columns(rows: Any) -> Matrix:
    """Rows (n, k) with the patients side by side (k, n), as the device reads them."""
    return np.ascontiguousarray(np.asarray(rows, dtype=float).T)


def arguments(
    parameters: Matrix, state: Matrix, levels: Matrix, days: Matrix, doses: Doses, control: Control
) -> list[Any]:
    """What the kernel takes before its results: arrays and whole numbers, in its order."""
    counted = max(int(np.isfinite(control.absolute).sum()), 1)
    numbers = np.array([control.rtol, control.max_step, 1.0 / counted, days[0], days[-1]])
    before = [len(state), columns(state), columns(parameters), columns(levels)]
    limits = [np.ascontiguousarray(v) for v in (control.absolute, control.low, control.high)]
    after = [control.max_steps, len(days), np.ascontiguousarray(days), doses.first, doses.last, doses.day, doses.what]
    return [*before, *limits, numbers, *after, doses.amount]


def room(n: int, states: int, levels: int, days: int, request: Request) -> dict[str, Any]:
    """Arrays for the results, in the order in which the kernel writes them."""
    counts = {name: np.zeros(n, dtype=np.int64) for name in ("status", "steps", "rejected")}
    return {
        "values": np.full((days, states, n), np.nan) if request.outputs else None,
        "state": np.zeros((states, n)), "levels": np.zeros((levels, n)), "reached": np.zeros(n), **counts,
        "results": np.full((len(request.wanted), n), np.nan),
    }  # fmt: skip


def collect(found: dict[str, Any], n: int) -> Courses:
    """The results as the other backends give them."""
    values, m = found["values"], found["state"].shape[0]
    return Courses(
        values=np.full((0, m), np.nan) if values is None else np.moveaxis(values, 2, 0).reshape(-1, m).copy(),
        state=found["state"].T.copy(),
        levels=found["levels"].T.copy(),
        reached=found["reached"],
        status=found["status"],
        steps=found["steps"],
        rejected=found["rejected"],
        fired=np.full((n, 0), np.nan),
        results=found["results"].T.copy(),
    )


def check(request: Request) -> None:
    """Refuse what the device does not do."""
    if request.events:
        raise InputError(
            f"the GPU backend does not fire events ('{request.events[0].name}'); use the backend 'batch' for them"
        )


def follow(
    model: Model, parameters: Matrix, state: Matrix, levels: Matrix, days: Matrix, doses: Doses, request: Request,
    control: Control,
) -> Courses:  # fmt: skip
    """Courses of n patients from the first of ``days`` to the last; arguments as for ``run_course.follow``.

    Raises
    ------
    InputError
        The extra or a GPU is missing, or the request has events.
    """
    check(request)
    cupy = _library()
    n = len(state)
    found = room(n, state.shape[1], levels.shape[1], len(days), request)
    if n == 0:
        return collect(found, n)
    courses = _kernel(model, request, control.method).get_function("courses")
    given = arguments(parameters, state, levels, days, doses, control)
    device = {name: None if array is None else cupy.asarray(array) for name, array in found.items()}
    nothing = cupy.zeros(1)
    sent = [cupy.asarray(v if v.size else np.zeros(1)) if isinstance(v, np.ndarray) else np.int64(v) for v in given]
    results = [np.uint64(0) if v is None else v if v.size else nothing for v in device.values()]
    courses((-(-n // THREADS),), (THREADS,), (*sent, *results))
    return collect({name: None if v is None else cupy.asnumpy(v) for name, v in device.items()}, n)
