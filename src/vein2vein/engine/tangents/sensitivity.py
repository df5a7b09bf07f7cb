"""Derivatives of states and outputs with respect to parameters, initial states and doses, along with the solution.

    found = sensitivities(model, parameters, None, days, doses, wrt=["rho", "dose:0"])
    found.gradients[patient, day, state, direction]

The tangents are solved with the states, as one generated system (``tangent.py``), and jump at doses and wherever the
path has a corner (``corners.py``). They are the derivatives of the equations at the asked tolerance, not differences.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import checks, solve
from vein2vein.engine.llvm import run_course
from vein2vein.engine.method import events as events_of
from vein2vein.engine.method import plain_course, tableau
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.request import Request, arrange
from vein2vein.engine.tangents import corners as corners_of
from vein2vein.engine.tangents import joined, tangent, whole
from vein2vein.engine.tangents.tangent import Direction, Matrix
from vein2vein.engine.trace import content
from vein2vein.engine.trace.differentiated import Recorded, differentiated, dose, initial
from vein2vein.engine.trace.kept import Kept
from vein2vein.errors import InputError, unknown
from vein2vein.models.model import Model

LOOSENESS = 100.0
"""How much larger than the states' own a tangent's error may be before it shortens the steps: it then grows unseen."""


@dataclass(frozen=True)
class Sensitivities:
    """Values and their derivatives at the asked days.

    Attributes
    ----------
    days : ndarray (k,)
    names : tuple of str (m,)
        States, or the outputs that were asked for.
    wrt : tuple of str (q,)
    values : ndarray (n, k, m)
        On the day of a dose: right after it. NaN after the day at which a patient could not be solved further.
    gradients : ndarray (n, k, m, q)
        Change of a value per unit of the quantity.
    status, steps : ndarray of int (n,)
    crossings : mapping of patient to tuple of corners_of.Crossing
        Where the path had a corner (comparisons in the equations, events), in order.
    """

    days: Matrix
    names: tuple[str, ...]
    wrt: tuple[str, ...]
    values: Matrix
    gradients: Matrix
    status: NDArray[np.int64]
    steps: NDArray[np.int64]
    crossings: Mapping[int, tuple[corners_of.Crossing, ...]]


Scheduled = tuple[float, int, str, Matrix]
"""What is given: day, number of the dose, input, amount () or (n,)."""

_plans: Kept[Plan] = Kept(64)
_prepared: Kept[joined.Prepared] = Kept(16)


def sensitivities(
    model: Model,
    parameters: ArrayLike,
    state: ArrayLike | None,
    days: ArrayLike,
    doses: Iterable[solve.Dose] = (),
    wrt: Sequence[str] = (),
    *,
    outputs: Sequence[str] | None = None,
    events: Sequence[Event] = (),
    levels: solve.Levels | None = None,
    rtol: float = 1e-6,
    corners: bool = True,
    steer: bool = False,
    backend: str = "batch",
    method: str = "auto",
    max_step: float | None = None,
    max_steps: int = tableau.MAX_STEPS,
    threads: int | None = None,
    width: int | None = None,
) -> Sensitivities:
    """Solve n patients and differentiate their states or outputs.

    Parameters
    ----------
    model : Model
    parameters : (n, parameters)
    state : (n, states) or None
        State on the first of ``days``, a constant; None: the model's own start, differentiated.
    days : (k,)
        In rising order; the run begins on the first.
    doses : iterable of (day, input name, amount)
        As for ``solve.solve``. Patients with the same dose days are solved together.
    wrt : sequence of str
        Names of parameters; "state:NAME" for the state on the first day; "dose:I" for the amount of dose number I (of a
        patient who is not given it, the derivative is 0).
    outputs : sequence of str, optional
        Observables of the model; left out: its states.
    events : sequence of Event
        Given when their condition is met.
    levels : (n, levels) or mapping of name to value, optional
    rtol : float
    corners : bool
        Find where comparisons in the equations change and let the tangents jump there. Without it they miss such jumps.
    steer : bool
        Hold the tangents' errors as tightly as those of the states, at the price of more steps. Left out, the steps are
        those of the plain run, unless a tangent's error grows beyond ``LOOSENESS`` times what a state is allowed.
    backend, method, max_step, max_steps, threads, width
        As for ``solve.begin``.
    """
    asked = checks.days_of(days)
    checks.backend_of(backend, solve.BACKENDS)
    checks.width_of(width)
    plain = solve.begin(
        model, parameters, state, float(asked[0]), levels, rtol, "plain", method=method,
        max_step=max_step, max_steps=max_steps, threads=threads,
    )  # fmt: skip
    n = len(plain.parameters)
    given = checks.schedule_of(model, doses, np.full(n, asked[0]), n)
    directions = tangent.directions(
        model, checks.names_of(wrt, "wrt", "a list of names"), [name for _, name, _ in given]
    )
    read = None if outputs is None else checks.names_of(outputs, "outputs", "a list of observables")
    fired = checks.each_of(events, Event, "events", lambda e: events_of.check(e, model))
    plan = _plan(model, directions, given, fired, read, checks.flag_of(corners, "corners"))
    sizes, loose = _sizes(plain, directions, given), 1.0 if checks.flag_of(steer, "steer") else LOOSENESS
    names = model.state_names if plan.outputs is None else plan.outputs.names
    k, q = len(asked), len(directions)
    found = Sensitivities(
        asked, tuple(names), tuple(d.name for d in directions), np.full((n, k, len(names)), np.nan),
        np.full((n, k, len(names), q), np.nan), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), {},
    )  # fmt: skip
    tangents = joined.started(plan.start, plain, directions, state is None)
    crossings: dict[int, tuple[corners_of.Crossing, ...]] = {}
    left = np.arange(n)
    if plan.whole is not None:
        course = _Course(plain, asked, given, sizes, loose, tangents, backend, threads, width)
        crossings, left = _at_once(plan, plan.whole, course, found)

    def begun(which: Model, p: Matrix, x: Matrix, day: float, clock: Matrix) -> solve.Run:
        return solve.begin(
            which, p, x, day, clock, rtol, backend, method=plain.control.method.name,
            max_step=max_step, max_steps=max_steps, threads=threads, width=width,
        )  # fmt: skip

    for rows, schedule in _schedules(given, left, n) if len(left) else ():
        part = plain if len(rows) == n else solve.take(plain, rows)
        stepwise = _stepwise(plan)
        day_by_day = joined.begin(stepwise, part, tangents[rows], begun)
        control = joined.tolerances(stepwise.extended, day_by_day.run.control, _typical(sizes) / loose)
        day_by_day.run = replace(day_by_day.run, control=control)
        _follow(stepwise, day_by_day, part.parameters, asked, schedule, rows, found)
        crossings |= {int(rows[row]): tuple(met) for row, met in day_by_day.crossings.items()}
    return replace(found, crossings=dict(sorted(crossings.items())))


@dataclass(frozen=True)
class _Course:
    """What is solved: patients at their start, what is given to them, sizes (n, q) and tangents (n, s, q)."""

    plain: solve.Run
    days: Matrix
    given: Sequence[checks.Given]
    sizes: Matrix
    loose: float
    tangents: Matrix
    backend: str
    threads: int | None
    width: int | None


def _at_once(
    plan: Plan, which: whole.Whole, course: _Course, found: Sensitivities
) -> tuple[dict[int, tuple[corners_of.Crossing, ...]], NDArray[np.int64]]:
    """Solve everyone in one call, write what is found, and tell what was crossed and who is left to be solved."""
    plain, days, model = course.plain, course.days, which.model
    n, p, sizes = len(plain.parameters), plain.parameters, course.sizes
    state, levels = whole.begin(which, plain.day, plain.state, p, plain.levels, course.tangents * sizes[:, None])
    listed = whole.schedule(which, course.given, days, p, sizes)
    names = {name for _, name, _ in listed} | {e.give for e in which.events}
    gives = tuple(i.name for i in model.inputs if i.name in names)
    doses = arrange(n, [(d, gives.index(name), a) for d, name, a in listed], [g in model.level_names for g in gives])
    control = replace(
        plain.control,
        low=np.array([s.low for s in model.states]),
        high=np.array([s.high for s in model.states]),
        absolute=plain.control.absolute,
    )
    control = joined.tolerances(which.extended, control, np.full(sizes.shape[1], 1 / course.loose), len(model.states))
    request = Request(gives, which.events)
    solved = (model, np.concatenate([p, sizes], axis=1), state, levels, days, doses, request, control)
    if course.backend == "plain":
        courses = plain_course.follow(*solved)
    else:
        courses = run_course.follow(*solved, course.threads, course.width)
    rows = courses.values.reshape(n * len(days), len(model.states))
    x, tangents = which.extended.split(rows)
    tangents = tangents / np.repeat(sizes, len(days), axis=0)[:, None]
    if plan.outputs is not None:
        at = whole.levels_at(which, listed, days, levels).reshape(len(rows), -1)
        each, every = np.repeat(p, len(days), axis=0), np.tile(days, n)
        scales = np.repeat(sizes, len(days), axis=0)
        x, tangents = joined.observed(plan.outputs, which.extended, every, x, each, at, tangents, scales)
    found.values[:] = x.reshape(found.values.shape)
    found.gradients[:] = tangents.reshape(found.gradients.shape)
    found.gradients[np.isnan(courses.values).any(axis=2)] = np.nan
    found.status[:], found.steps[:] = courses.status, courses.steps
    return whole.crossings(which, courses.fired, listed), whole.crowded(which, courses.fired)


def _schedules(
    doses: Sequence[checks.Given], some: NDArray[np.int64], n: int
) -> Iterator[tuple[NDArray[np.int64], list[Scheduled]]]:
    """Rows of the patients with the same dose days, and what they are given: (day, number, input, amounts), by day."""
    days = np.stack([np.broadcast_to(day, n) for day, _, _ in doses], axis=1) if doses else np.zeros((n, 0))
    if all(day.ndim == 0 for day, _, _ in doses):
        kinds, kind_of = days[:1], np.zeros(len(some), dtype=np.int64)
    else:
        kinds, kind_of = np.unique(np.where(np.isnan(days[some]), np.inf, days[some]), axis=0, return_inverse=True)
        kind_of = kind_of.reshape(len(some))
    for number, own in enumerate(kinds.tolist()):
        rows = some[kind_of == number]
        amounts = [amount if amount.ndim == 0 else amount[rows] for _, _, amount in doses]
        listed = [(day, i, doses[i][1], amounts[i]) for i, day in enumerate(own) if np.isfinite(day)]
        yield rows, sorted(listed, key=lambda item: item[0])


def _follow(
    plan: joined.Prepared, course: joined.JoinedCourses, p: Matrix, asked: Matrix, schedule: list[Scheduled],
    rows: NDArray[np.int64], found: Sensitivities,
) -> None:  # fmt: skip
    """Carry some patients through the asked days and write what is found in their rows."""
    if not schedule or schedule[0][0] > asked[0]:
        joined.fire_held(plan, course, p)
    for j, day in enumerate(asked.tolist()):
        while schedule and schedule[0][0] <= day:
            when, number, name, amount = schedule.pop(0)
            joined.advance(plan, course, p, when)
            joined.given_dose(plan, course, p, number, name, amount)
            if not schedule or schedule[0][0] > when:
                joined.fire_held(plan, course, p)
        joined.advance(plan, course, p, day)
        well = course.status == tableau.OK
        values, slopes = joined.observe(plan, course, p, day)
        found.values[rows[well], j], found.gradients[rows[well], j] = values[well], slopes[well]
    found.status[rows], found.steps[rows] = course.status, course.steps


def _sizes(run: solve.Run, directions: Sequence[Direction], doses: Sequence[checks.Given]) -> Matrix:
    """Size (n, q) of what is varied: each patient's own, or where that is 0 the example's."""
    of, n = {"parameter": run.parameters, "state": run.state}, len(run.parameters)
    sizes = np.ones((n, len(directions)))
    for q, d in enumerate(directions):
        own = abs(np.broadcast_to(doses[d.index][2] if d.kind == "dose" else of[d.kind][:, d.index], n))
        sizes[:, q] = np.where(own > 0, own, abs(float(run.model.example.get(d.name, 0.0))) or 1.0)
    return sizes


def _typical(sizes: Matrix) -> Matrix:
    """Size (q,) for all."""
    return np.max(sizes, axis=0, initial=np.finfo(float).tiny)


@dataclass(frozen=True)
class Plan:
    """What is prepared once for a model, its directions, doses and events.

    ``whole`` is None where a path must be followed from day to day.
    """

    key: Hashable
    model: Model
    directions: tuple[Direction, ...]
    start: Recorded
    doses: Mapping[str, Recorded]
    own: Mapping[int, str]
    surfaces: tuple[corners_of.Surface, ...]
    outputs: Recorded | None
    whole: whole.Whole | None


def _plan(
    model: Model, directions: tuple[Direction, ...], doses: Sequence[checks.Given], events: tuple[Event, ...],
    outputs: Sequence[str] | None, corners: bool,
) -> Plan:  # fmt: skip
    inputs = {*(name for _, name, _ in doses), *(e.give for e in events)} - set(model.level_names)
    own = {q: doses[d.index][1] for q, d in enumerate(directions) if d.kind == "dose" and d.level < 0}
    facts = [content.rates(model), content.initial(model), *(content.dose(model, name) for name in sorted(inputs))]
    if outputs is not None:
        facts.append(content.observables(model))
    key = (
        model.name, tuple(facts), directions, tuple(sorted(inputs)), tuple(own.items()), events,
        None if outputs is None else tuple(outputs), corners,
    )  # fmt: skip

    def made() -> Plan:
        recorded = {name: dose(model, name) for name in sorted(inputs)}
        begin = initial(model)
        which = tuple(corners_of.surfaces(model, events)) if corners and directions else ()
        if not corners or not directions:
            which = tuple(corners_of.surfaces(model, events)[: len(events)])
        once = None
        if whole.possible(which):
            links = corners_of.links(which, model)
            system = tangent.extend(model, directions, recorded, begin, given=own, links=links, sized=True)
            once = whole.make(system, recorded, own, which)
        read = None if outputs is None else _outputs(model, outputs)
        return Plan(key, model, directions, begin, recorded, own, which, read, once)

    return _plans.get(key, made)


def _stepwise(plan: Plan) -> joined.Prepared:
    """What following patients from day to day needs."""

    def made() -> joined.Prepared:
        paced = bool(plan.surfaces)
        scout = tangent.extend(plan.model, (), {}, plan.start, paced=True) if paced else None
        links = corners_of.links(plan.surfaces, plan.model)
        system = tangent.extend(
            plan.model, plan.directions, plan.doses, plan.start, given=plan.own, links=links, paced=paced
        )
        return joined.Prepared(plan.model, plan.doses, plan.surfaces, system, scout, plan.outputs)

    return _prepared.get(plan.key, made)


def _outputs(model: Model, names: Sequence[str]) -> Recorded:
    def chosen(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
        every = model.observables(t, x, p, u)
        for name in names:
            if name not in every:
                raise InputError(f"model {model.name}: {unknown('output', name, tuple(every))}")
        return {name: every[name] for name in names}

    return differentiated(model, chosen)
