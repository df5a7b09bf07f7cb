"""The one door of the engine: begin a run, advance it from day to day, or solve for given days at once.

    run = begin(model, parameters, state, day=0.0)
    while run.day < 28:
        run = advance(run, run.day + 0.5)

Between two advances the caller may replace the state (a dose) or the levels. Each patient's step size is carried over.
A patient who cannot be solved further keeps the last state that could be reached and a status; the others go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import checks
from vein2vein.engine.cuda import device
from vein2vein.engine.llvm import run_course, run_segment
from vein2vein.engine.method import events as events_of
from vein2vein.engine.method import plain, plain_course, tableau
from vein2vein.engine.method import summaries as summaries_of
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.request import Courses, Request, arrange
from vein2vein.engine.method.summaries import Summary
from vein2vein.engine.trace import content
from vein2vein.errors import InputError
from vein2vein.models.model import Model, start
from vein2vein.records import described

Matrix = NDArray[np.float64]
Dose = checks.Dose
Levels = checks.Levels

STATUS: Mapping[int, str] = tableau.STATUS
BACKENDS = ("batch", "plain")
GPU = "gpu"
"""A third backend, of ``solve`` only: whole courses without events (``cuda/``, an optional extra)."""


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
    compiled: run_segment.Compiled | None = None
    packed: Matrix | None = None


@described
@dataclass(frozen=True)
class Solution:
    """States at the asked days.

    Attributes
    ----------
    days : ndarray (k,)
    values : ndarray (n, k, states)
        On the day of a dose: right after it. NaN after the day at which a patient could not be solved further.
    status, steps, rejected : ndarray of int (n,)
    summaries : mapping of name to ndarray (n,)
        NaN for a patient who could not be solved.
    fired : mapping of event to ndarray (n, most)
        Days on which it fired; NaN: did not.
    state : ndarray (n, states)
        On the last day, or where the solver had to give up.
    """

    days: Matrix
    values: Matrix
    status: NDArray[np.int64]
    steps: NDArray[np.int64]
    rejected: NDArray[np.int64]
    summaries: Mapping[str, Matrix]
    fired: Mapping[str, Matrix]
    state: Matrix


def begin(
    model: Model,
    parameters: ArrayLike,
    state: ArrayLike | None = None,
    day: float = 0.0,
    levels: Levels | None = None,
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
    checks.backend_of(backend, BACKENDS)
    checks.width_of(width)
    rtol, max_steps, threads = checks.rtol_of(rtol), checks.max_steps_of(max_steps), checks.threads_of(threads)
    first = checks.day_of(day)
    matrix = checks.matrix_of(parameters, checks.model_of(model).parameters, "parameter", model)
    n = len(matrix)
    content.fits(model)
    begin_state = checks.state_of(model, start(model, matrix) if state is None else state, n)
    chosen = checks.method_of(model, method)
    longest = checks.max_step_of(max_step, chosen)
    compiled = packed = None
    if backend == "batch":
        compiled = run_segment.compile_model(model, width, chosen)
        packed = run_segment.pack(matrix, compiled.width)
    counts = [np.zeros(n, dtype=np.int64) for _ in range(3)]
    return Run(
        model=model,
        parameters=matrix,
        state=begin_state,
        levels=checks.levels_of(model, levels, n),
        day=first,
        status=counts[0],
        steps=counts[1],
        rejected=counts[2],
        reached=np.full(n, first),
        step=np.zeros(n),
        control=plain.control(model, rtol, longest, max_steps, chosen),
        backend=backend,
        threads=threads,
        compiled=compiled,
        packed=packed,
    )


def advance(run: Run, until: float, *, state: ArrayLike | None = None, levels: Levels | None = None) -> Run:
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
    until = checks.day_of(until)
    _is_run(run)
    if until < run.day:
        raise InputError(f"cannot advance from day {run.day:g} back to day {until:g}; begin a new run")
    n = len(run.state)
    if state is not None:
        given = checks.state_of(run.model, state, n)
        if run.status.any():
            given = np.where((run.status == tableau.OK)[:, None], given, run.state)
        run = replace(run, state=given)
    if levels is not None:
        run = replace(run, levels=checks.levels_of(run.model, levels, n))
    if until == run.day:
        return run
    segments = run_segment.Segments(run.state, run.reached, run.step, run.status, run.steps, run.rejected)
    if run.compiled is not None and run.packed is not None:
        ready = (run.compiled, segments, run.packed, run.levels)
        segments = run_segment.advance(*ready, run.day, until, run.control, run.threads)
    else:
        segments = _advance_plain(run, until)
    return replace(
        run,
        day=until,
        state=segments.state,
        reached=segments.reached,
        step=segments.step,
        status=segments.status,
        steps=segments.steps,
        rejected=segments.rejected,
    )


def _is_run(run: object) -> Run:
    if not isinstance(run, Run):
        raise InputError(f"the run is {checks.shown(run)}; give what begin returned")
    return run


def take(run: Run, rows: ArrayLike) -> Run:
    """Carry on with some of the patients only; ``rows`` are their row numbers or a mask (n,)."""
    chosen = checks.rows_of(rows, len(_is_run(run).state))
    names = ("parameters", "state", "levels", "status", "steps", "rejected", "reached", "step")
    taken: dict[str, Any] = {name: getattr(run, name)[chosen] for name in names}
    if run.compiled is not None:
        taken["packed"] = run_segment.pack(taken["parameters"], run.compiled.width)
    return replace(run, **taken)


def _advance_plain(run: Run, until: float) -> run_segment.Segments:
    after: list[plain.Segment] = []
    names = run.model.level_names
    for i in range(len(run.state)):
        control = run.control
        if tableau.PACE in names and (pace := run.levels[i, names.index(tableau.PACE)]) > 0:
            control = replace(control, max_step=control.max_step / pace)
        patient = plain.Segment(
            run.state[i],
            float(run.reached[i]),
            float(run.step[i]),
            int(run.status[i]),
            int(run.steps[i]),
            int(run.rejected[i]),
        )
        after.append(plain.advance(run.model, patient, run.parameters[i], run.levels[i], until, control))
    return run_segment.Segments(
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
    levels: Levels | None = None,
    rtol: float = 1e-6,
    backend: str = "batch",
    *,
    events: Sequence[Event] = (),
    summaries: Sequence[Summary] = (),
    outputs: bool = True,
    method: str = "auto",
    max_step: float | None = None,
    max_steps: int = tableau.MAX_STEPS,
    threads: int | None = None,
    width: int | None = None,
) -> Solution:
    """Courses of n patients.

    Parameters
    ----------
    parameters : (n, parameters)
    state : (n, states) or None
        State on the first of ``days``; None: the model's own start.
    days : (k,)
        In rising order; the run begins on the first and ends on the last.
    doses : iterable of (day, input name, amount)
        ``day`` and ``amount`` are one number or one per patient; a day that is NaN: not given to this patient. A level
        input is set to the amount from that day on.
    events : sequence of Event
        What is given when the state calls for it.
    summaries : sequence of Summary
        Numbers to which each course is reduced while it is solved.
    outputs : bool
        Whether the states on ``days`` are kept; without them memory does not grow with the days.
    levels, rtol, backend, method, max_step, max_steps, threads, width
        As for ``begin``; ``max_steps`` counts the whole course.
    """
    checks.backend_of(backend, (*BACKENDS, GPU))
    asked = checks.days_of(days)
    started = begin(
        model,
        parameters,
        state,
        float(asked[0]),
        levels,
        rtol,
        "plain",
        method=method,
        max_step=max_step,
        max_steps=max_steps,
    )
    checks.width_of(width)
    threads = checks.threads_of(threads)
    checked = (
        checks.each_of(events, Event, "events", lambda e: events_of.check(e, model)),
        checks.each_of(summaries, Summary, "summaries", lambda s: summaries_of.check(s, model)),
    )
    n = len(started.state)
    schedule = checks.schedule_of(model, doses, asked, n)
    names = {name for _, name, _ in schedule} | {e.give for e in checked[0]}
    gives = tuple(i.name for i in model.inputs if i.name in names)
    request = Request(gives, *checked, checks.flag_of(outputs, "outputs"))
    listed = arrange(n, [(d, gives.index(name), a) for d, name, a in schedule], [g in model.level_names for g in gives])
    plainly = (model, started.parameters, started.state, started.levels, asked, listed, request, started.control)
    if backend == "plain":
        found = plain_course.follow(*plainly)
    elif backend == GPU:
        found = device.follow(*plainly)
    else:
        found = run_course.follow(*plainly, threads, width)
        found = _again(found, plainly)
    return Solution(
        asked,
        found.values,
        found.status,
        found.steps,
        found.rejected,
        {s.name: found.results[:, i] for i, s in enumerate(request.wanted)},
        _fired(found.fired, request.events),
        found.state,
    )


def _again(found: Courses, arguments: tuple[Any, ...]) -> Courses:
    """Solve those patients plainly, with pivoting, whose linear equations could not be solved accurately."""
    rows = np.flatnonzero(found.status == tableau.NOT_SOLVED)
    if not len(rows):
        return found
    model, parameters, state, levels, days, doses, request, control = arguments
    own = replace(doses, first=doses.first[rows], last=doses.last[rows])
    again = plain_course.follow(model, parameters[rows], state[rows], levels[rows], days, own, request, control)
    for f in fields(Courses):
        getattr(found, f.name)[rows] = getattr(again, f.name)
    return found


def _fired(days: Matrix, events: Sequence[Event]) -> dict[str, Matrix]:
    ends = np.cumsum([e.most for e in events])
    return {e.name: days[:, end - e.most : end] for e, end in zip(events, ends)}
