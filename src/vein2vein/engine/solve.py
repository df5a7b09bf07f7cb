"""The one door of the engine: begin a run, advance it from day to day, or solve for given days at once.

    run = begin(model, parameters, state, day=0.0)
    while run.day < 28:
        run = advance(run, run.day + 0.5)

Between two advances the caller may replace the state (a dose) or the levels. Each patient's step size is carried over.
A patient who cannot be solved further keeps the last state that could be reached and a status; the others go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import batch, plain, tableau
from vein2vein.errors import InputError, unknown
from vein2vein.models.model import Model, give, start

Matrix = NDArray[np.float64]
Dose = tuple[float, str, Any]

STATUS: Mapping[int, str] = tableau.STATUS
BACKENDS = ("batch", "plain")
WIDTHS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Run:
    """A run under way; never changed, ``advance`` returns the next one.

    Attributes
    ----------
    model : Model
    parameters : ndarray (n, parameters)
    state : ndarray (n, states)
        At ``day``, except where the status is not 0: then at ``reached``.
    levels : ndarray (n, levels)
    day : float
    status : ndarray of int (n,)
        0, or why the patient could not be solved further (``STATUS``).
    steps, rejected : ndarray of int (n,)
        Steps taken and tried in vain since the beginning.
    reached : ndarray (n,)
        Day of the state.
    step : ndarray (n,)
        Next step size, days; 0 before the first advance.
    control : plain.Control
        Tolerances and bounds.
    backend : str
    threads : int or None
    compiled, packed : object
        What the batch backend keeps between advances.
    """

    model: Model
    parameters: Matrix
    state: Matrix
    levels: Matrix
    day: float
    status: NDArray[np.int64]
    steps: NDArray[np.int64]
    rejected: NDArray[np.int64]
    reached: Matrix
    step: Matrix
    control: plain.Control
    backend: str
    threads: int | None = None
    compiled: batch.Compiled | None = None
    packed: Matrix | None = None


@dataclass(frozen=True)
class Solution:
    """States at the asked days.

    Attributes
    ----------
    days : ndarray (k,)
    values : ndarray (n, k, states)
        On the day of a dose: right after it. NaN after the day at which a patient could not be solved further.
    status, steps : ndarray of int (n,)
    """

    days: Matrix
    values: Matrix
    status: NDArray[np.int64]
    steps: NDArray[np.int64]


def begin(
    model: Model,
    parameters: ArrayLike,
    state: ArrayLike | None = None,
    day: float = 0.0,
    levels: ArrayLike | Mapping[str, Any] | None = None,
    rtol: float = 1e-6,
    backend: str = "batch",
    *,
    method: str = "auto",
    max_step: float | None = None,
    max_steps: int = tableau.MAX_STEPS,
    threads: int | None = None,
    width: int | None = None,
) -> Run:
    """Begin a run of n patients.

    Parameters
    ----------
    parameters : (n, parameters)
        In the order of ``model.parameters``.
    state : (n, states), optional
        Left out: the model's own start.
    day : float
    levels : (n, levels) or mapping of name to value, optional
        Left out: 0.
    rtol : float
        Relative tolerance; a state's absolute tolerance is its scale times rtol / 1e-5.
    backend : {"batch", "plain"}
    method : {"auto", "tsit5", "rodas4", "rodas5p"}
        Explicit, or for stiff equations; "auto" chooses by the model (``choice.py``).
    max_step : float, optional
        Days. Left out: 1 for an explicit method, without limit for the others.
    max_steps : int
        Tried steps per patient and advance.
    threads : int, optional
        Left out: one per core.
    width : int, optional
        Patients per vector, 1, 2, 4 or 8; left out: what the processor has.
    """
    if backend not in BACKENDS:
        raise InputError(unknown("backend", str(backend), BACKENDS))
    if not 1e-14 < rtol <= 0.1:
        raise InputError(f"rtol is {rtol}; give a relative tolerance above 1e-14 and at most 0.1")
    if max_step is not None and not max_step > 0:
        raise InputError(f"max_step is {max_step}; give a number of days above 0")
    if width is not None and width not in WIDTHS:
        raise InputError(f"width is {width}; give 1, 2, 4 or 8 patients per vector")
    matrix = _matrix(parameters, model.parameters, "parameter", model)
    n = len(matrix)
    begin_state = start(model, matrix) if state is None else state
    begin_state = _state(model, begin_state, n)
    chosen = _method(model, method)
    if max_step is None:
        max_step = np.inf if chosen.implicit else tableau.MAX_STEP
    compiled = packed = None
    if backend == "batch":
        compiled = batch.compile_model(model, width, chosen)
        packed = batch.pack(matrix, compiled.width)
    counts = [np.zeros(n, dtype=np.int64) for _ in range(3)]
    return Run(
        model=model,
        parameters=matrix,
        state=begin_state,
        levels=_levels(model, levels, n),
        day=_day(day),
        status=counts[0],
        steps=counts[1],
        rejected=counts[2],
        reached=np.full(n, float(day)),
        step=np.zeros(n),
        control=plain.control(model, rtol, max_step, max_steps, chosen),
        backend=backend,
        threads=threads,
        compiled=compiled,
        packed=packed,
    )


def _method(model: Model, name: str) -> tableau.Method:
    if name == "auto":
        return tableau.TSIT5
    if name not in tableau.METHODS:
        raise InputError(unknown("method", str(name), ("auto", *tableau.METHODS)))
    return tableau.METHODS[name]


def advance(
    run: Run, until: float, *, state: ArrayLike | None = None, levels: ArrayLike | Mapping[str, Any] | None = None
) -> Run:
    """Carry a run forward.

    Parameters
    ----------
    run : Run
    until : float
        Day; not before ``run.day``.
    state : (n, states), optional
        Replaces the state before going on (after doses). Patients with a status keep theirs.
    levels : (n, levels) or mapping of name to value, optional
        Replaces the levels from now on.
    """
    until = _day(until)
    if until < run.day:
        raise InputError(f"cannot advance from day {run.day:g} back to day {until:g}; begin a new run")
    n = len(run.state)
    if state is not None:
        given = _state(run.model, state, n)
        if run.status.any():
            given = np.where((run.status == tableau.OK)[:, None], given, run.state)
        run = replace(run, state=given)
    if levels is not None:
        run = replace(run, levels=_levels(run.model, levels, n))
    if until == run.day:
        return run
    lanes = batch.Lanes(run.state, run.reached, run.step, run.status, run.steps, run.rejected)
    if run.compiled is not None and run.packed is not None:
        lanes = batch.advance(run.compiled, lanes, run.packed, run.levels, run.day, until, run.control, run.threads)
    else:
        lanes = _advance_plain(run, until)
    return replace(
        run,
        day=until,
        state=lanes.state,
        reached=lanes.reached,
        step=lanes.step,
        status=lanes.status,
        steps=lanes.steps,
        rejected=lanes.rejected,
    )


def take(run: Run, rows: ArrayLike) -> Run:
    """Carry on with some of the patients only; ``rows`` are their row numbers or a mask (n,)."""
    chosen = np.asarray(rows)
    chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
    names = ("parameters", "state", "levels", "status", "steps", "rejected", "reached", "step")
    taken: dict[str, Any] = {name: getattr(run, name)[chosen] for name in names}
    if run.compiled is not None:
        taken["packed"] = batch.pack(taken["parameters"], run.compiled.width)
    return replace(run, **taken)


def _advance_plain(run: Run, until: float) -> batch.Lanes:
    after = []
    for i in range(len(run.state)):
        patient = plain.Patient(
            run.state[i],
            float(run.reached[i]),
            float(run.step[i]),
            int(run.status[i]),
            int(run.steps[i]),
            int(run.rejected[i]),
        )
        after.append(plain.advance(run.model, patient, run.parameters[i], run.levels[i], until, run.control))
    return batch.Lanes(
        state=np.array([a.state for a in after]).reshape(run.state.shape),
        reached=np.array([a.day for a in after]),
        step=np.array([a.step for a in after]),
        status=np.array([a.status for a in after], dtype=np.int64),
        steps=np.array([a.steps for a in after], dtype=np.int64),
        rejected=np.array([a.rejected for a in after], dtype=np.int64),
    )


def solve(
    model: Model,
    parameters: ArrayLike,
    state: ArrayLike | None,
    days: ArrayLike,
    doses: Iterable[Dose] = (),
    levels: ArrayLike | Mapping[str, Any] | None = None,
    rtol: float = 1e-6,
    backend: str = "batch",
    **options: Any,
) -> Solution:
    """States of n patients at given days.

    Parameters
    ----------
    parameters : (n, parameters)
    state : (n, states) or None
        State on the first of ``days``; None: the model's own start.
    days : (k,)
        In rising order; the run begins on the first.
    doses : iterable of (day, input name, amount)
        ``amount`` is one number or one per patient. A level input is set to the amount from that day on.
    levels, rtol, backend, options
        As for ``begin``.
    """
    asked = _days(days)
    run = begin(model, parameters, state, asked[0], levels, rtol, backend, **options)
    waiting = _schedule(model, doses, asked, len(run.state))
    n, k = len(run.state), len(asked)
    values = np.full((n, k, len(model.states)), np.nan)
    for j, day in enumerate(asked):
        while waiting and waiting[0][0] <= day:
            when, name, amount = waiting.pop(0)
            run = _give(advance(run, when), name, amount)
        run = advance(run, day)
        values[:, j] = np.where((run.status == tableau.OK)[:, None], run.state, np.nan)
    return Solution(asked, values, run.status, run.steps)


def _give(run: Run, name: str, amount: Any) -> Run:
    if name in run.model.level_names:
        levels = run.levels.copy()
        levels[:, run.model.level_names.index(name)] = amount
        return replace(run, levels=levels)
    return advance(run, run.day, state=give(run.model, name, amount, run.state, run.parameters))


def _schedule(model: Model, doses: Iterable[Dose], days: Matrix, n: int) -> list[Dose]:
    known = [i.name for i in model.inputs]
    schedule = sorted(((_day(day), name, amount) for day, name, amount in doses), key=lambda dose: dose[0])
    for day, name, amount in schedule:
        if name not in known:
            raise InputError(f"model {model.name}: {unknown('input', name, known)}")
        if day < days[0]:
            raise InputError(
                f"the dose of '{name}' on day {day:g} lies before the first day asked for, {days[0]:g}; "
                "let the days begin no later than the first dose"
            )
        given = np.asarray(amount, dtype=float)
        if given.shape not in ((), (n,)) or not np.all(np.isfinite(given)):
            raise InputError(
                f"the amount of '{name}' on day {day:g} has shape {given.shape}; "
                f"give one finite number, or one for each of the {n} patients"
            )
    return schedule


def _days(days: ArrayLike) -> Matrix:
    asked = np.atleast_1d(np.asarray(days, dtype=float))
    if asked.ndim != 1 or not len(asked) or not np.all(np.isfinite(asked)):
        raise InputError("the days to solve for must be a list of finite numbers, at least one")
    back = np.flatnonzero(np.diff(asked) < 0)
    if len(back):
        i = int(back[0])
        raise InputError(f"the days are not in order: {asked[i + 1]:g} follows {asked[i]:g}; sort them")
    return asked


def _day(day: float) -> float:
    day = float(day)
    if not np.isfinite(day):
        raise InputError(f"a day is {day}; give a finite number of days")
    return day


def _matrix(values: ArrayLike, names: tuple[str, ...], what: str, model: Model, rows: int | None = None) -> Matrix:
    matrix = np.ascontiguousarray(values, dtype=float)
    if matrix.ndim != 2 or matrix.shape[1] != len(names) or rows not in (None, len(matrix)):
        expected = f"({'patients' if rows is None else rows}, {len(names)})"
        raise InputError(
            f"model {model.name}: the {what} matrix has shape {matrix.shape}, expected {expected}: "
            f"one row per patient, one column per {what}"
        )
    bad = ~np.isfinite(matrix)
    if bad.any():
        i, j = (int(index[0]) for index in np.nonzero(bad))
        raise InputError(
            f"model {model.name}: the {what} '{names[j]}' of patient {i} (row, from 0) is {matrix[i, j]}; "
            "give a finite number"
        )
    return matrix


def _state(model: Model, state: ArrayLike, n: int) -> Matrix:
    return _matrix(state, model.state_names, "state", model, n)


def _levels(model: Model, levels: ArrayLike | Mapping[str, Any] | None, n: int) -> Matrix:
    names = model.level_names
    if isinstance(levels, Mapping):
        matrix = np.zeros((n, len(names)))
        for name, value in levels.items():
            if name not in names:
                raise InputError(f"model {model.name}: {unknown('level', name, names)}")
            matrix[:, names.index(name)] = value
        levels = matrix
    return np.zeros((n, len(names))) if levels is None else _matrix(levels, names, "level", model, n)
