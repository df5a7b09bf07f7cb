"""The door of the engine to whole courses: prepare once and solve many times, or solve at once.

    prepared = prepare(model, days, doses)
    found = prepared(parameters)

What does not change from call to call (the code, the days, the doses) is checked and laid out once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import breaks, checks, days_asked
from vein2vein.engine import doses as doses_of
from vein2vein.engine.cuda import device
from vein2vein.engine.laid import Laid, breaks_of, stops_of
from vein2vein.engine.llvm import run_course
from vein2vein.engine.method import events as events_of
from vein2vein.engine.method import plain, plain_course, tableau
from vein2vein.engine.method import summaries as summaries_of
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.request import Courses, Request, arrange, common, standing
from vein2vein.engine.method.summaries import Summary
from vein2vein.engine.run import BACKENDS, Run, advance, begin, control_of, take
from vein2vein.engine.solution import STATUS, Solution, fired, outputs_of, warn_of_noise
from vein2vein.engine.trace import agreed, content
from vein2vein.errors import InputError
from vein2vein.models.model import Model, start
from vein2vein.records import described

__all__ = [
    "STATUS", "Dose", "Levels", "Prepared", "Run", "Solution", "advance", "begin", "outputs_of", "prepare", "solve",
    "take",
]  # fmt: skip

Matrix = NDArray[np.float64]
Dose = doses_of.Told
Levels = checks.Levels

GPU = "gpu"
"""A third backend, of ``solve`` only: whole courses without events (``cuda/``, an optional extra)."""


@described
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
    _laid: list[Laid] = field(default_factory=list[Laid])

    @property
    def whole(self) -> Model:
        """The model that is solved."""
        return self.wrapped or self.model

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the machine code, which another process makes anew."""
        return {**vars(self), "_laid": []}

    def __call__(self, parameters: ArrayLike, state: ArrayLike | None = None, levels: Levels | None = None) -> Solution:
        """Solve for n patients.

        Parameters
        ----------
        parameters : (n, parameters), mapping of name to (n,) or number, table, or ParameterSet
            A row per patient, a column per parameter in the order of ``model.parameters``, or by name. A set: one
            patient, with its typical values.
        state : (n, states), or by name as the parameters, optional
            State where the courses begin, in the states' units; left out: the model's own start.
        levels : (n, levels) or mapping of name to (n,) or number, optional
            What level inputs are held at from the beginning; left out: those that were prepared, or 0.

        Returns
        -------
        Solution
            ``values`` (n, k, m), or (rows, m) with ``patient`` where each patient has days of its own; ``status`` (n,),
            0 for who was solved. Others' values are NaN from where they could not be solved further.
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
            fired(found.fired, request.events) if request.events else {},
            found.state,
            request.reads or model.state_names,
            asked.patient,
        )

    def _lay(self, p: Matrix, u: Matrix, own: bool) -> Laid:
        """Doses, days and code for n patients, laid out at the first call with so many."""
        n, request = len(p), replace(self.request, own_start=own)
        stops = breaks_of(self.whole, request) if request.halts else []
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
            listed = [*stops_of(found, self.whole, gives, p, u, *when), *listed]
        doses = replace(arrange(n, listed, [g in names for g in gives]), resets=plan.resets)
        ready = None
        if self.backend == "batch":
            code = (self.whole, request, self.control, asked.outputs, doses)
            ready = run_course.ready(*code, self.threads, self.width)
        laid = Laid(n, own, doses, asked, ready)
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
        listed = [*stops_of(stops, model, gives, p, levels, begins, ends), *listed]
        doses, outputs = arrange(n, listed, [g in model.level_names for g in gives]), common(np.zeros(0), n)
        if self.backend == "plain":
            stand = standing(np.array(x), np.array(levels), begins, (), ())
            found = plain_course.follow(model, p, stand, ends, outputs, doses, request, steered)
            return found.state, found.status
        ready = run_course.ready(model, request, steered, outputs, doses, self.threads, self.width)
        stand = run_course.begin(ready, np.array(x), np.array(levels), begins, doses)
        ready.run(np.ascontiguousarray(p), stand, np.ascontiguousarray(ends))
        return stand.state, stand.number("status")

    def _solved(self, laid: Laid, p: Matrix, state: Matrix | None, u: Matrix) -> Courses:
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

    def _again(self, found: Courses, laid: Laid, p: Matrix, state: Matrix | None, u: Matrix) -> Courses:
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
    days : (k,), or a list of n such arrays
        In rising order; a course ends on the last. A list: each patient's own, and results come back in rows.
    doses : iterable of (day, input name, amount), Dose or Reset
        ``day`` and ``amount`` are one number or (n,); a day that is NaN: not given to this patient. A level input is
        set to the amount from that day on. Infusions, repeats, lags and steady states: ``Dose``.
    events : sequence of Event
        What is given when the state calls for it.
    summaries : sequence of Summary
        Numbers to which each course is reduced while it is solved.
    outputs : bool or sequence of str, True
        Whether the states are kept on ``days``, or the names of states and observables that are; without them memory
        does not grow with the days.
    begin : day or (n,), optional
        Day on which the courses begin; left out: the first of ``days``.
    levels : (n, levels) or mapping of name to (n,) or number, optional
        What level inputs are held at from the beginning; left out: 0.
    rtol : float, 3e-8
        Relative tolerance; a state's absolute tolerance is its scale times rtol / 1e-5 (0.003 of its scale).
    backend : {"batch", "plain", "gpu"}
        Compiled for the processor, readable Python one patient at a time, or on an accelerator (no events).
    method : {"auto", "tsit5", "rodas4", "rodas5p"}
        Explicit, or for stiff equations; "auto" changes between the two, patient by patient, as stability asks.
    max_step : float, optional
        Longest step, days; left out: without limit. A pulse of the equations that is short may ask for it.
    max_steps : int, 100000
        Tried steps of a patient in the whole course.
    threads : int, optional
        Left out: one per core.
    width : {1, 2, 4, 8}, optional
        Patients per vector; left out: what suits the processor. Results do not depend on it.

    Returns
    -------
    Prepared
        To be called with parameters, and with a state or levels where they differ from call to call: ``Solution``.

    Examples
    --------
    >>> import vein2vein as v2v
    >>> model = v2v.find_model("stein_2019")
    >>> prepared = v2v.prepare(model, days=[0.0, 7.0, 28.0])
    >>> prepared(model.example).values.shape  # (patients, days, states)
    (1, 3, 4)
    """
    checks.backend_of(backend, (*BACKENDS, GPU))
    checks.model_of(model)
    asked = days_asked.read(days, begin)
    checked = (
        checks.each_of(events, Event, "events", lambda e: events_of.check(e, model)),
        checks.each_of(summaries, Summary, "summaries", lambda s: summaries_of.check(s, model)),
    )
    if backend == "plain":
        model = agreed.model_of(model)
        checked = events_of.agreed(checked[0], model), summaries_of.agreed(checked[1], model)
    given = doses_of.listed(model, doses)
    whole = doses_of.whole(model, given)
    names = doses_of.gives(given) | {e.give for e in checked[0]}
    gives = tuple(i.name for i in whole.inputs if i.name in names)
    kept, reads = outputs_of(model, outputs)
    request = Request(gives, *checked, kept, reads)
    halts = doses_of.sets(given) or (backend != GPU and bool(breaks_of(whole, request)))
    return Prepared(
        model, asked, given, replace(request, halts=halts),
        control_of(whole, rtol, method, max_step, max_steps), backend,
        checks.threads_of(threads), checks.width_of(width), levels, None if whole is model else whole,
    )  # fmt: skip


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

    Warns where states that were not always 0, more than half of them, never exceed their own scale in what was kept.

    Parameters
    ----------
    model : Model
    parameters : (n, parameters), mapping of name to (n,) or number, table, or ParameterSet
        A row per patient, a column per parameter in the order of ``model.parameters``, or by name. A set: one patient.
    state : (n, states), or by name as the parameters, or None
        State where the courses begin, in the states' units; None: the model's own start.
    days : (k,), or a list of n such arrays
        In rising order; a course ends on the last. A list: each patient's own, and results come back in rows.
    doses : iterable of (day, input name, amount), Dose or Reset
        ``day`` and ``amount`` are one number or (n,); a day that is NaN: not given to this patient. A level input is
        set to the amount from that day on. Infusions, repeats, lags and steady states: ``Dose``.
    levels : (n, levels) or mapping of name to (n,) or number, optional
        What level inputs are held at from the beginning; left out: 0.
    rtol : float, 3e-8
        Relative tolerance; a state's absolute tolerance is its scale times rtol / 1e-5 (0.003 of its scale).
    backend : {"batch", "plain", "gpu"}
        Compiled for the processor, readable Python one patient at a time, or on an accelerator (no events).
    events : sequence of Event
        What is given when the state calls for it.
    summaries : sequence of Summary
        Numbers to which each course is reduced while it is solved.
    outputs : bool or sequence of str, True
        Whether the states are kept on ``days``, or the names of states and observables that are; without them memory
        does not grow with the days.
    begin : day or (n,), optional
        Day on which the courses begin; left out: the first of ``days``.
    method : {"auto", "tsit5", "rodas4", "rodas5p"}
        Explicit, or for stiff equations; "auto" changes between the two, patient by patient, as stability asks.
    max_step : float, optional
        Longest step, days; left out: without limit. A pulse of the equations that is short may ask for it.
    max_steps : int, 100000
        Tried steps of a patient in the whole course.
    threads : int, optional
        Left out: one per core.
    width : {1, 2, 4, 8}, optional
        Patients per vector; left out: what suits the processor. Results do not depend on it.

    Returns
    -------
    Solution
        ``values`` (n, k, m): on the day of a dose, right after it. Where each patient has days of its own: (rows, m),
        and ``patient`` (rows,) says whose. ``status`` (n,): 0 solved, 1 step size too small, 2 too many steps, 3 not
        finite, 4 linear equations not accurate; a patient's values are NaN from where it could not be solved further.

    Examples
    --------
    >>> import vein2vein as v2v
    >>> model = v2v.find_model("stein_2019")
    >>> found = v2v.solve(model, model.example, None, days=[0.0, 7.0, 28.0], outputs=["transgene"])
    >>> found.values.shape, found.status.tolist()  # (patients, days, outputs)
    ((1, 3, 1), [0])
    """
    prepared = prepare(
        model, days, doses, outputs=outputs, begin=begin, levels=levels, events=events, summaries=summaries, rtol=rtol,
        backend=backend, method=method, max_step=max_step, max_steps=max_steps, threads=threads, width=width,
    )  # fmt: skip
    found = prepared(parameters, state)
    if begin is None:  # else the beginning need not be among what was kept
        warn_of_noise(model, found, stacklevel=3)
    return found
