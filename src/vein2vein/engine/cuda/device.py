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
from vein2vein.engine.method import jumps, tableau
from vein2vein.engine.method.plain import Control
from vein2vein.engine.method.request import Courses, Doses, Outputs, Request, Standing
from vein2vein.engine.trace import content
from vein2vein.engine.trace.kept import Kept
from vein2vein.errors import InputError
from vein2vein.models.model import Model

Matrix = NDArray[np.float64]

THREADS = 64
"""Per block: every thread holds its patient's stages, so few fit on a multiprocessor at a time."""
OPTIONS = ("-std=c++17",)
"""Of the run-time compiler. ``benchmarks/gpu.py`` tries other numbers of threads and registers."""
_kernels: Kept[Any] = Kept(64)


@lru_cache(maxsize=1)
def _library() -> Any:
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        raise InputError(
            "the GPU backend needs the library CuPy, which is not installed: pip install 'vein2vein[gpu]' (CUDA 13) or "
            "'vein2vein[gpu-cuda12]', or use the backend 'batch'"
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
        return _library().RawModule(code=kernel.source(model, request, method), options=OPTIONS)

    facts = content.course(model, request.gives, [*(s.of for s in request.wanted), *request.reads])
    return _kernels.get((facts, request, method.name, OPTIONS), compiled)


def columns(rows: Any) -> Matrix:
    """Rows (n, k) with the patients side by side (k, n), as the device reads them."""
    return np.ascontiguousarray(np.asarray(rows, dtype=float).T)


def arguments(
    parameters: Matrix, stand: Standing, ends: Matrix, outputs: Outputs, doses: Doses, control: Control
) -> list[Any]:
    """What the kernel takes before its results: arrays and whole numbers, in its order."""
    n, counted = len(stand.state), max(int(np.isfinite(control.absolute).sum()), 1)
    numbers = np.array([control.rtol, control.max_step, 1.0 / counted])
    patients = [n, columns(stand.state), columns(parameters), columns(stand.levels)]
    limits = [np.ascontiguousarray(v) for v in (control.absolute, control.low, control.high)]
    span = [np.ascontiguousarray(v, dtype=float) for v in (stand.real("t"), ends)]
    days = [np.ascontiguousarray(outputs.days), outputs.first, outputs.last]
    first, step = (np.arange(n, dtype=np.int64), n) if _shared(outputs, n) else (outputs.first + outputs.shift, 1)
    given = [doses.first, doses.last, doses.day, doses.what, doses.amount, np.ascontiguousarray(doses.resets)]
    return [*patients, *limits, numbers, control.max_steps, *span, *days, first, step, outputs.rows, *given]


def _shared(outputs: Outputs, n: int) -> bool:
    """Whether all patients have the same days: then their values lie side by side on the device, day after day."""
    return outputs.rows == n * len(outputs.days)


def room(n: int, states: int, levels: int, outputs: Outputs, request: Request) -> dict[str, Any]:
    """Arrays for the results, in the order in which the kernel writes them."""
    counts = {name: np.zeros(n, dtype=np.int64) for name in ("status", "steps", "rejected")}
    return {
        "values": np.full((len(request.reads) or states, outputs.rows), np.nan) if request.outputs else None,
        "state": np.zeros((states, n)), "levels": np.zeros((levels, n)), "reached": np.zeros(n), **counts,
        "results": np.full((len(request.wanted), n), np.nan),
    }  # fmt: skip


def collect(found: dict[str, Any], outputs: Outputs, request: Request) -> Courses:
    """The results as the other backends give them."""
    n, states = len(found["reached"]), len(found["state"])
    values = np.full((0, len(request.reads) or states), np.nan)
    if found["values"] is not None:
        values = found["values"]
        if _shared(outputs, n):
            values = values.reshape(len(values), -1, n).transpose(0, 2, 1).reshape(len(values), -1)
        values = values.T.copy()
    return Courses(
        values=values,
        state=found["state"].T.copy(),
        levels=found["levels"].T.copy(),
        reached=found["reached"],
        status=found["status"],
        steps=found["steps"],
        rejected=found["rejected"],
        fired=np.full((n, 0), np.nan),
        results=found["results"].T.copy(),
    )


def check(request: Request, control: Control, model: Model) -> None:
    """Refuse what the device does not do."""
    for summary in request.wanted:
        if model is not None and callable(summary.of) and jumps.find(model, (summary,)) is not None:
            raise InputError(
                f"the GPU backend does not summarize a function that jumps, by a comparison, where() or floor() "
                f"('{summary.name}'); use the backend 'batch' for it"
            )
    if request.events:
        raise InputError(
            f"the GPU backend does not fire events ('{request.events[0].name}'); use the backend 'batch' for them"
        )
    if control.stiff is not None:
        raise InputError(
            "the GPU backend does not change its method within a course, as the method 'auto' does; "
            f"give one of {', '.join(tableau.METHODS)}, or use the backend 'batch'"
        )


def _fits(cupy: Any, n: int, arrays: list[Any]) -> None:
    """Refuse what does not fit into the memory that is free on the device."""
    needed = sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))
    free = int(cupy.cuda.runtime.memGetInfo()[0])
    if needed > free:
        raise InputError(
            f"{n} courses need {needed / 2**30:.1f} GiB on the GPU, which has {free / 2**30:.1f} GiB free; "
            "give fewer patients or days at a time, or ask for summaries only (outputs=False)"
        )


def follow(
    model: Model, parameters: Matrix, stand: Standing, ends: Matrix, outputs: Outputs, doses: Doses, request: Request,
    control: Control,
) -> Courses:  # fmt: skip
    """Courses of n patients from where they stand to their ends (n,); arguments as for ``plain_course.follow``.

    Raises
    ------
    InputError
        The extra or a GPU is missing, the request has events or summarizes a function that jumps, the method is to
        change within a course, or the results do not fit into the GPU's memory.
    """
    check(request, control, model)
    cupy = _library()
    n = len(stand.state)
    found = room(n, stand.state.shape[1], stand.levels.shape[1], outputs, request)
    if n == 0:
        return collect(found, outputs, request)
    given = arguments(parameters, stand, ends, outputs, doses, control)
    _fits(cupy, n, [*given, *found.values()])
    courses = _kernel(model, request, control.method).get_function("courses")
    device = {name: None if array is None else cupy.asarray(array) for name, array in found.items()}
    nothing = cupy.zeros(1)
    sent = [cupy.asarray(v if v.size else np.zeros(1)) if isinstance(v, np.ndarray) else np.int64(v) for v in given]
    results = [np.uint64(0) if v is None else v if v.size else nothing for v in device.values()]
    courses((-(-n // THREADS),), (THREADS,), (*sent, *results))
    fetched = {name: None if v is None else cupy.asnumpy(v) for name, v in device.items()}
    return collect(fetched, outputs, request)
