"""A run from day to day: begin it, advance it, and between two advances do something to the patients.

    run = begin(model, parameters, state, day=0.0)
    while run.day < 28:
        run = advance(run, run.day + 0.5)

Between two advances the caller may replace the state (a dose) or the levels. Each patient's step is carried over.
A patient who cannot be solved further keeps the last state that could be reached and a status; the others go on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import breaks, checks
from vein2vein.engine.llvm import cost, run_course
from vein2vein.engine.method import plain, plain_course, tableau
from vein2vein.engine.method.request import (
    ANEW,
    EXPLICIT,
    ON,
    REALS,
    STOP,
    WHOLES,
    Doses,
    Request,
    Standing,
    arrange,
    common,
)
from vein2vein.engine.trace import agreed, content
from vein2vein.errors import InputError
from vein2vein.models.model import Model, start
from vein2vein.records import described

Matrix = NDArray[np.float64]
Levels = checks.Levels

BACKENDS = ("batch", "plain")
GATHERED = 4
"""Between two days of a run steps are few: lanes that begin together cost less than lanes that never wait."""
_REQUEST = Request(outputs=False)


@described
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
    threads, width : int or None
    method : ndarray of int (n, 4)
        Which method is at work (``request.EXPLICIT``, ``IMPLICIT``) and the counts that decide when it changes.
    limit : ndarray (n, 2)
        Logarithm of the error of the step before, and the step with which the other method was left.
    ready : object
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
    threads: int | None
    width: int | None
    method: NDArray[np.int64]
    limit: Matrix
    ready: run_course.Ready | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the machine code, which another process makes anew."""
        return {**vars(self), "ready": None}


def begin(
    model: Model,
    parameters: ArrayLike,
    state: ArrayLike | None = None,
    day: float = 0.0,
    levels: Levels | None = None,
    rtol: float = tableau.RTOL,
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
        Explicit, or for stiff equations; "auto" begins explicit and changes, patient by patient, where stability binds.
    max_step : float, optional
        Days. Left out: without limit.
    max_steps : int
        Tried steps per patient and advance.
    threads : int, optional
        Left out: one per core.
    width : int, optional
        Patients per vector, 1, 2, 4 or 8; left out: what suits the processor.
    """
    checks.backend_of(backend, BACKENDS)
    width, threads = checks.width_of(width), checks.threads_of(threads)
    matrix = checks.matrix_of(parameters, checks.model_of(model).parameters, "parameter", model)
    n, first = len(matrix), checks.day_of(day)
    steered = control_of(model, rtol, method, max_step, max_steps)
    counts = [np.zeros(n, dtype=np.int64) for _ in range(3)]
    return Run(
        model=agreed.model_of(model) if backend == "plain" else model,
        parameters=matrix,
        state=checks.state_of(model, start(model, matrix) if state is None else state, n),
        levels=checks.levels_of(model, levels, n),
        day=first,
        status=counts[0],
        steps=counts[1],
        rejected=counts[2],
        reached=np.full(n, first),
        step=np.zeros(n),
        control=steered,
        backend=backend,
        threads=threads,
        width=width,
        method=np.tile(np.array([EXPLICIT, 0, 0, 0], dtype=np.int64), (n, 1)),
        limit=np.zeros((n, 2)),
    )


def control_of(model: Model, rtol: object, method: object, max_step: object, max_steps: object) -> plain.Control:
    """What steers the steps, checked."""
    chosen, stiff = checks.method_of(method)
    if not content.fits(model):  # and so has no derivatives
        stiff = None
    ratio = partial(cost.ratio, model, chosen, stiff) if stiff else plain.alone
    longest, most = checks.max_step_of(max_step), checks.max_steps_of(max_steps)
    return plain.control(model, checks.rtol_of(rtol), longest, most, chosen, stiff, ratio)


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
    found, ends = _stand(run), np.full(n, until)
    request, doses = _stops(run, until)
    if run.backend == "plain":
        outputs = common(np.zeros(0), n)
        plain_course.follow(run.model, run.parameters, found, ends, outputs, doses, request, run.control)
    else:
        found.number("dose")[:] = doses.first
        ready = run.ready if run.ready is not None and not request.halts else _ready(run, request, doses)
        ready.run(run.parameters, found, ends)
        run = replace(run, ready=ready)
    return replace(
        run,
        day=until,
        state=found.state,
        levels=found.levels,
        status=found.number("status").copy(),
        steps=run.steps + found.number("steps"),
        rejected=run.rejected + found.number("rejected"),
        reached=found.real("t").copy(),
        step=found.real("h").copy(),
        method=found.whole[:, [WHOLES.index(name) for name in ("method", "streak", "spell", "failed")]],
        limit=found.reals[:, 2:].copy(),
    )


def _stops(run: Run, until: float) -> tuple[Request, Doses]:
    """Days on which the equations jump on the way to a day, as a list of what is done."""
    n, stops = len(run.state), breaks.find(run.model)
    if stops is None:
        nothing = np.zeros(n, dtype=np.int64)
        return _REQUEST, Doses(nothing, nothing, np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0))
    way = (np.array(run.day), np.array(until))
    days = breaks.days(stops, run.parameters, run.levels, (), *way)
    return replace(_REQUEST, halts=True), arrange(n, [(day, STOP, np.zeros(n)) for day in days.T], ())


def _ready(run: Run, request: Request, doses: Doses) -> run_course.Ready:
    """What the batch backend keeps between advances."""
    outputs = common(np.zeros(0), 0)
    return run_course.ready(run.model, request, run.control, outputs, doses, run.threads, run.width, GATHERED)


def _stand(run: Run) -> Standing:
    """Where the patients stand, as the courses take it; the arrays are copies."""
    n = len(run.state)
    reals, whole = np.empty((n, len(REALS))), np.zeros((n, len(WHOLES)), dtype=np.int64)
    reals[:, 0], reals[:, 1], reals[:, 2:] = run.reached, run.step, run.limit
    well = run.status == tableau.OK
    whole[:, 0], whole[:, 1] = np.where(well, run.method[:, 0], 0), run.method[:, 0]
    whole[:, 2], whole[:, 3] = np.where(run.step > 0, ON, ANEW), run.status
    whole[:, -3:] = run.method[:, 1:]
    return Standing(run.state.copy(), run.levels.copy(), reals, whole)


def _is_run(run: object) -> Run:
    if not isinstance(run, Run):
        raise InputError(f"the run is {checks.shown(run)}; give what begin returned")
    return run


def take(run: Run, rows: ArrayLike) -> Run:
    """Carry on with some of the patients only; ``rows`` are their row numbers or a mask (n,)."""
    chosen = checks.rows_of(rows, len(_is_run(run).state))
    names = ("parameters", "state", "levels", "status", "steps", "rejected", "reached", "step", "method", "limit")
    taken: dict[str, Any] = {name: getattr(run, name)[chosen] for name in names}
    return replace(run, **taken)
