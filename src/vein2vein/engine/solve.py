"""The door of the engine to whole courses: prepare once and solve many times, or solve at once.

    prepared = prepare(model, days, doses)
    found = prepared(parameters)

What does not change from call to call (the code, the days, the doses) is checked and laid out once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import breaks, checks, days_asked
from vein2vein.engine import doses as doses_of
from vein2vein.engine.cuda import device
from vein2vein.engine.days_asked import Asked
from vein2vein.engine.llvm import run_course
from vein2vein.engine.method import events as events_of
from vein2vein.engine.method import plain, plain_course, tableau
from vein2vein.engine.method import summaries as summaries_of
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.request import STOP, Courses, Doses, Request, arrange, common, standing
from vein2vein.engine.method.summaries import Summary
from vein2vein.engine.run import BACKENDS, Run, advance, begin, control_of, take
from vein2vein.engine.trace import content
from vein2vein.errors import InputError
from vein2vein.models.model import Model, start
from vein2vein.records import described

__all__ = ["Dose", "Levels", "Prepared", "Run", "Solution", "advance", "begin", "prepare", "solve", "take"]

Matrix = NDArray[np.float64]
Dose = doses_of.Told
Levels = checks.Levels

STATUS: Mapping[int, str] = tableau.STATUS
GPU = "gpu"
"""A third backend, of ``solve`` only: whole courses without events (``cuda/``, an optional extra)."""


@described
@dataclass(frozen=True)
class Solution:
    """Values at the asked days.

    Attributes
    ----------
    days : ndarray (k,), or (rows,) where each patient has days of its own
    values : ndarray (n, k, m), or (rows, m) where each patient has days of its own
        On the day of a dose: right after it. NaN after the day at which a patient could not be solved further.
    status, steps, rejected : ndarray of int (n,)
    summaries : mapping of name to ndarray (n,)
        NaN for a patient who could not be solved.
    fired : mapping of event to ndarray (n, most)
        Days on which it fired; NaN: did not.
    state : ndarray (n, states)
        On the last day, or where the solver had to give up.
    names : tuple of str (m,)
        What the values are: the states, or the outputs that were asked for.
    patient : ndarray of int (rows,), or None
        Whose row it is, where each patient has days of its own.
    """

    days: Matrix
    values: Matrix
    status: NDArray[np.int64]
    steps: NDArray[np.int64]
    rejected: NDArray[np.int64]
    summaries: Mapping[str, Matrix]
    fired: Mapping[str, Matrix]
    state: Matrix
    names: tuple[str, ...] = ()
    patient: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class _Laid:
    """Doses, days and code laid out for n patients; ``own`` is whether they begin as the model says."""

    n: int
    own: bool
    doses: Doses
    asked: Asked
    ready: run_course.Ready | None


@dataclass(frozen=True)
class Prepared:
    """Courses of a model, to be solved for one set of parameters after another; ``prepare`` makes it.

    It may be called from several threads at once. ``wrapped`` is the model with what its doses need (``doses.whole``).
    """

    model: Model
    days: days_asked.Days
    doses: tuple[Dose, ...]
    request: Request
    control: plain.Control
    backend: str
    threads: int | None
    width: int | None
    levels: Levels | None
    wrapped: Model | None = None
    _laid: list[_Laid] = field(default_factory=list[_Laid])

    @property
    def whole(self) -> Model:
        """The model that is solved."""
        return self.wrapped or self.model

    def __call__(self, parameters: ArrayLike, state: ArrayLike | None = None, levels: Levels | None = None) -> Solution:
        """Solve for a matrix of parameters.

        Parameters
        ----------
        parameters : (n, parameters)
        state : (n, states), optional
            State where the courses begin; left out: the model's own start.
        levels : (n, levels) or mapping of name to value, optional
            Left out: those that were prepared, or 0.
        """
        model, request = self.model, self.request
        p = checks.matrix_of(parameters, model.parameters, "parameter", model)
        n = len(p)
        if state is None and not (self.backend == "batch" and content.starts(model)):
            state = start(model, p)
        x = None if state is None else np.array(checks.state_of(model, state, n))
        u = np.array(checks.levels_of(model, self.levels if levels is None else levels, n))
        laid = self._lay(p, u, x is None)
        if self.whole is not model:
            u = np.concatenate([u, np.zeros((n, len(self.whole.level_names) - u.shape[1]))], axis=1)
        asked = laid.asked
        found = self._solved(laid, p, x, u)
        values = found.values
        if asked.patient is None:
            values = values.reshape(n, len(asked.outputs.days) if request.outputs else 0, values.shape[1])
        return Solution(
            asked.outputs.days,
            values,
            found.status,
            found.steps,
            found.rejected,
            {s.name: found.results[:, i] for i, s in enumerate(request.wanted)},
            _fired(found.fired, request.events) if request.events else {},
            found.state,
            request.reads or model.state_names,
            asked.patient,
        )

    def _lay(self, p: Matrix, u: Matrix, own: bool) -> _Laid:
        """Doses, days and code for n patients, laid out at the first call with so many."""
        n, request = len(p), replace(self.request, own_start=own)
        stops = _breaks(self.whole, request) if request.halts else []
        again = not stops and not doses_of.follows_parameters(self.doses)
        for laid in self._laid if again else ():
            if laid.n == n and laid.own == own:
                return laid
        asked = self.days(n)
        when = (asked.begins, asked.ends)
        plan = doses_of.schedule(self.model, self.doses, p, u, *when, self.control.rtol, self._cycle)
        gives, names = request.gives, self.whole.level_names
        listed = [(g.day, g.what if isinstance(g.what, int) else gives.index(g.what), g.amount) for g in plan.given]
        for found in stops:
            listed = [*_stops(found, self.whole, gives, p, u, *when), *listed]
        doses = replace(arrange(n, listed, [g in names for g in gives]), resets=plan.resets)
        ready = None
        if self.backend == "batch":
            code = (self.whole, request, self.control, asked.outputs, doses)
            ready = run_course.ready(*code, self.threads, self.width)
        laid = _Laid(n, own, doses, asked, ready)
        if again:
            self._laid[:] = [laid]
        return laid

    def _cycle(
        self, model: Model, p: Matrix, x: Matrix, begins: Matrix, ends: Matrix, given: Sequence[doses_of.Given],
        levels: Matrix, rtol: float,
    ) -> tuple[Matrix, NDArray[np.int64]]:  # fmt: skip
        """Carry patients through an interval of a steady state."""
        n, gives = len(p), tuple(dict.fromkeys(str(g.what) for g in given))
        stops, steered = breaks.find(model), replace(self.control, rtol=rtol, absolute=plain.absolute(model, rtol))
        request = Request(gives, outputs=False, halts=stops is not None)
        listed = [(g.day, gives.index(str(g.what)), g.amount) for g in given]
        listed = [*_stops(stops, model, gives, p, levels, begins, ends), *listed]
        doses, outputs = arrange(n, listed, [g in model.level_names for g in gives]), common(np.zeros(0), n)
        if self.backend == "plain":
            stand = standing(np.array(x), np.array(levels), begins, (), ())
            found = plain_course.follow(model, p, stand, ends, outputs, doses, request, steered)
            return found.state, found.status
        ready = run_course.ready(model, request, steered, outputs, doses, self.threads, self.width)
        stand = run_course.begin(ready, np.array(x), np.array(levels), begins, doses)
        ready.run(np.ascontiguousarray(p), stand, np.ascontiguousarray(ends))
        return stand.state, stand.number("status")

    def _solved(self, laid: _Laid, p: Matrix, state: Matrix | None, u: Matrix) -> Courses:
        model, asked, n = self.whole, laid.asked, laid.n
        if self.backend == GPU and self.request.halts:
            raise InputError(
                "the GPU backend takes doses as (day, input name, amount) only, and no jumps on known days; "
                "use the backend 'batch' for others"
            )
        if state is not None and laid.ready is None:
            stand = standing(np.array(state), np.array(u), asked.begins, (), ())
            rest = (laid.doses, self.request, self.control)
            if self.backend != GPU:
                return plain_course.follow(model, p, stand, asked.ends, asked.outputs, *rest)
            found = device.follow(model, p, stand, asked.ends, asked.outputs, *rest)
            return self._again(found, laid, p, state, u) if (found.status == tableau.NOT_SOLVED).any() else found
        ready = cast("run_course.Ready", laid.ready)
        x = np.empty((n, len(model.states))) if state is None else np.array(state)
        stand = run_course.begin(ready, x, np.array(u), asked.begins, laid.doses)
        values, fired = ready.run(p, stand, asked.ends)
        found = run_course.finish(ready, stand, values, fired)
        if state is None and (found.status == tableau.NOT_FINITE).any():
            checks.state_of(model, start(model, p), n)  # a start that is not finite is the model's fault
        return self._again(found, laid, p, state, u) if (found.status == tableau.NOT_SOLVED).any() else found

    def _again(self, found: Courses, laid: _Laid, p: Matrix, state: Matrix | None, u: Matrix) -> Courses:
        """Solve those patients plainly, with pivoting, whose linear equations could not be solved accurately."""
        rows = np.flatnonzero(found.status == tableau.NOT_SOLVED)
        asked, doses = laid.asked, laid.doses
        own = replace(doses, first=doses.first[rows], last=doses.last[rows])
        x = start(self.whole, p[rows]) if state is None else state[rows]
        part = replace(
            asked.outputs, first=asked.outputs.first[rows], last=asked.outputs.last[rows],
            shift=asked.outputs.shift[rows],
        )  # fmt: skip
        stand = standing(x, u[rows], asked.begins[rows], (), ())
        rest = (own, self.request, self.control)
        again = plain_course.follow(self.whole, p[rows], stand, asked.ends[rows], part, *rest)
        lines = [range(f + s, e + s) for f, e, s in zip(part.first, part.last, part.shift)]
        written = np.array([i for line in lines for i in line], dtype=np.int64)
        for f in fields(Courses):
            where = written if f.name == "values" else rows
            new = getattr(again, f.name)
            if self.request.outputs or f.name != "values":
                getattr(found, f.name)[where] = new[written] if f.name == "values" else new
        return found


def _breaks(model: Model, request: Request) -> list[breaks.Breaks]:
    """What jumps or bends on known days: the equations, and what is summarized."""
    found = (breaks.find(model), breaks.summarized(model, request.wanted))
    return [one for one in found if one is not None]


def _stops(
    found: breaks.Breaks | None, model: Model, gives: Sequence[str], p: Matrix, u: Matrix, begins: Matrix, ends: Matrix
) -> list[tuple[Matrix, int, Matrix]]:
    """Days on which the equations jump, as what is done on listed days."""
    if found is None:
        return []
    changing = [model.level_names.index(name) for name in gives if name in model.level_names]
    nothing = np.zeros(len(p))
    return [(day, STOP, nothing) for day in breaks.days(found, p, u, changing, begins, ends).T]


def prepare(
    model: Model,
    days: days_asked.DaysLike,
    doses: Iterable[Dose] = (),
    *,
    outputs: bool | Sequence[str] = True,
    begin: ArrayLike | None = None,
    levels: Levels | None = None,
    events: Sequence[Event] = (),
    summaries: Sequence[Summary] = (),
    rtol: float = tableau.RTOL,
    backend: str = "batch",
    method: str = "auto",
    max_step: float | None = None,
    max_steps: int = tableau.MAX_STEPS,
    threads: int | None = None,
    width: int | None = None,
) -> Prepared:
    """Prepare courses that are to be solved for many sets of parameters.

    Parameters
    ----------
    model : Model
    days : (k,), or a list of one such array for each patient
        In rising order; a course ends on the last.
    doses : iterable of (day, input name, amount), doses.Dose or doses.Reset
        ``day`` and ``amount`` are one number or one per patient; a day that is NaN: not given to this patient. A level
        input is set to the amount from that day on. Infusions, repeats, lags and steady states: ``doses.Dose``.
    outputs : bool or sequence of str
        Whether the states on ``days`` are kept, or the names of states and observables that are; without them memory
        does not grow with the days.
    begin : day or (n,), optional
        Day on which the courses begin; left out: the first of ``days``.
    events : sequence of Event
        What is given when the state calls for it.
    summaries : sequence of Summary
        Numbers to which each course is reduced while it is solved.
    levels, rtol, backend, method, max_step, max_steps, threads, width
        As for ``begin``; ``max_steps`` counts the whole course.

    Returns
    -------
    Prepared
        To be called with a matrix of parameters.
    """
    checks.backend_of(backend, (*BACKENDS, GPU))
    checks.model_of(model)
    asked = days_asked.read(days, begin)
    checked = (
        checks.each_of(events, Event, "events", lambda e: events_of.check(e, model)),
        checks.each_of(summaries, Summary, "summaries", lambda s: summaries_of.check(s, model)),
    )
    given = doses_of.listed(model, doses)
    whole = doses_of.whole(model, given)
    names = doses_of.gives(given) | {e.give for e in checked[0]}
    gives = tuple(i.name for i in whole.inputs if i.name in names)
    kept, reads = outputs_of(model, outputs)
    request = Request(gives, *checked, kept, reads)
    halts = doses_of.sets(given) or (backend != GPU and bool(_breaks(whole, request)))
    return Prepared(
        model, asked, given, replace(request, halts=halts),
        control_of(whole, rtol, method, max_step, max_steps), backend,
        checks.threads_of(threads), checks.width_of(width), levels, None if whole is model else whole,
    )  # fmt: skip


def outputs_of(model: Model, outputs: object) -> tuple[bool, tuple[str, ...]]:
    """Whether values are written, and which; no names: the states."""
    if isinstance(outputs, (bool, np.bool_)):
        return bool(cast("bool", outputs)), ()
    names = checks.names_of(outputs, "outputs", "True, False, or a list of states and observables")
    if not names:
        return False, ()
    if any(name not in model.state_names for name in names):
        content.observed(model, names)
    return True, names


def solve(
    model: Model,
    parameters: ArrayLike,
    state: ArrayLike | None,
    days: days_asked.DaysLike,
    doses: Iterable[Dose] = (),
    levels: Levels | None = None,
    rtol: float = tableau.RTOL,
    backend: str = "batch",
    *,
    events: Sequence[Event] = (),
    summaries: Sequence[Summary] = (),
    outputs: bool | Sequence[str] = True,
    begin: ArrayLike | None = None,
    method: str = "auto",
    max_step: float | None = None,
    max_steps: int = tableau.MAX_STEPS,
    threads: int | None = None,
    width: int | None = None,
) -> Solution:
    """Courses of n patients, solved once: ``prepare`` and one call.

    Parameters
    ----------
    parameters : (n, parameters)
    state : (n, states) or None
        State where the courses begin; None: the model's own start.
    days, doses, levels, rtol, backend, events, summaries, outputs, begin, method, max_step, max_steps, threads, width
        As for ``prepare``.
    """
    prepared = prepare(
        model, days, doses, outputs=outputs, begin=begin, levels=levels, events=events, summaries=summaries, rtol=rtol,
        backend=backend, method=method, max_step=max_step, max_steps=max_steps, threads=threads, width=width,
    )  # fmt: skip
    return prepared(parameters, state)


def _fired(days: Matrix, events: Sequence[Event]) -> dict[str, Matrix]:
    ends = np.cumsum([e.most for e in events])
    return {e.name: days[:, end - e.most : end] for e, end in zip(events, ends)}
