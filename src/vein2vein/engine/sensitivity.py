"""Derivatives of states and outputs with respect to parameters, initial states and doses, along with the solution.

    found = sensitivities(model, parameters, None, days, doses, wrt=["rho", "dose:0"])
    found.gradients[patient, day, state, direction]

The tangents are solved with the states, as one generated system (``tangent.py``), and jump at doses and wherever the
path has a corner (``jumps.py``). They are the derivatives of the equations at the asked tolerance, not differences.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import jumps, solve, tableau, tangent
from vein2vein.engine.events import Event
from vein2vein.engine.plain import Control
from vein2vein.engine.tangent import DOSE, PACE, Direction, Extended, Matrix, Recorded
from vein2vein.errors import InputError, unknown
from vein2vein.models.model import Model, give

EXPLICIT = {"method": "tsit5"}
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
    crossings : mapping of patient to tuple of jumps.Crossing
        Where the path had a corner (comparisons in the equations, events), in order.
    """

    days: Matrix
    names: tuple[str, ...]
    wrt: tuple[str, ...]
    values: Matrix
    gradients: Matrix
    status: NDArray[np.int64]
    steps: NDArray[np.int64]
    crossings: Mapping[int, tuple[jumps.Crossing, ...]]


@dataclass(frozen=True)
class _Plan:
    """What is prepared once for a model, its directions, doses and events."""

    model: Model
    start: Recorded
    doses: Mapping[str, Recorded]
    surfaces: Sequence[jumps.Surface]
    extended: Extended
    scout: Extended | None
    outputs: Recorded | None


@dataclass
class _Course:
    """Where the patients stand: joined states (n, s + tangents), levels (n, l) and their tangents (n, l, q)."""

    run: solve.Run
    joined: Matrix
    levels: Matrix
    level_tangents: Matrix
    status: NDArray[np.int64]
    steps: NDArray[np.int64]
    scout: solve.Run | None
    memory: jumps.Memory
    delays: dict[tuple[int, int], Matrix]
    crossings: dict[int, list[jumps.Crossing]]
    since: float


_plans: dict[tuple[Any, ...], _Plan] = {}


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
    levels: ArrayLike | Mapping[str, Any] | None = None,
    rtol: float = 1e-6,
    corners: bool = True,
    steer: bool = False,
    **options: Any,
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
        As for ``solve.solve``.
    wrt : sequence of str
        Names of parameters; "state:NAME" for the state on the first day; "dose:I" for the amount of dose number I.
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
    options
        As for ``solve.begin``.
    """
    given = list(doses)
    asked = _rising(days)
    schedule = sorted(enumerate(given), key=lambda item: float(item[1][0]))
    directions = tangent.directions(model, wrt, given)
    plain = solve.begin(model, parameters, state, float(asked[0]), levels, rtol, "plain")
    plan = _plan(model, directions, given, tuple(events), outputs, corners)
    course = _begin(plan, plain, state is None, rtol, {**_explicit(), **options})
    sizes = _sizes(plain, directions, given) / (1.0 if steer else LOOSENESS)
    course.run = replace(course.run, control=_control(plan, course.run.control, sizes))
    _check(model, given, asked, len(plain.parameters))
    names = model.state_names if plan.outputs is None else plan.outputs.names
    n, k, q = len(plain.parameters), len(asked), len(directions)
    values, gradients = np.full((n, k, len(names)), np.nan), np.full((n, k, len(names), q), np.nan)
    if not schedule or float(schedule[0][1][0]) > asked[0]:
        _hold(plan, course, plain.parameters)
    for j, day in enumerate(asked.tolist()):
        while schedule and float(schedule[0][1][0]) <= day:
            number, (when, name, amount) = schedule.pop(0)
            _advance(plan, course, plain.parameters, float(when))
            _give(plan, course, plain.parameters, number, name, amount)
            if not schedule or float(schedule[0][1][0]) > float(when):
                _hold(plan, course, plain.parameters)
        _advance(plan, course, plain.parameters, day)
        well = course.status == tableau.OK
        found, slopes = _observe(plan, course, plain.parameters, day)
        values[well, j], gradients[well, j] = found[well], slopes[well]
    return Sensitivities(
        asked, tuple(names), tuple(d.name for d in directions), values, gradients, course.status, course.steps,
        {row: tuple(found) for row, found in course.crossings.items()},
    )  # fmt: skip


def _rising(days: ArrayLike) -> Matrix:
    asked = np.atleast_1d(np.asarray(days, dtype=float))
    if asked.ndim != 1 or not len(asked) or not np.all(np.isfinite(asked)):
        raise InputError("the days to solve for must be a list of finite numbers, at least one")
    if np.any(np.diff(asked) < 0):
        i = int(np.flatnonzero(np.diff(asked) < 0)[0])
        raise InputError(f"the days are not in order: {asked[i + 1]:g} follows {asked[i]:g}; sort them")
    return asked


def _check(model: Model, doses: Sequence[solve.Dose], asked: Matrix, n: int) -> None:
    for day, name, amount in doses:
        if not float(day) >= asked[0]:
            raise InputError(f"the dose of '{name}' on day {day} lies before the first day asked for, {asked[0]:g}")
        if np.shape(amount) not in ((), (n,)) or not np.all(np.isfinite(np.asarray(amount, dtype=float))):
            raise InputError(
                f"the amount of '{name}' on day {day} has shape {np.shape(amount)}; "
                f"give one finite number, or one for each of the {n} patients"
            )


def _explicit() -> dict[str, str]:
    """The explicit method, where the engine offers a choice: it needs no derivatives of the tangents' rates."""
    known = solve.begin.__kwdefaults__ or {}
    return {name: value for name, value in EXPLICIT.items() if name in known}


def _sizes(run: solve.Run, directions: Sequence[Direction], doses: Sequence[solve.Dose]) -> Matrix:
    """Typical size (q,) of what is varied."""
    of = {"parameter": run.parameters, "state": run.state}
    values = [np.asarray(doses[d.index][2]) if d.kind == "dose" else of[d.kind][:, d.index] for d in directions]
    sizes = np.array([np.max(abs(np.asarray(v, dtype=float)), initial=0.0) for v in values])
    return np.where(sizes > 0, sizes, 1.0)


def _control(plan: _Plan, control: Control, sizes: Matrix) -> Control:
    """Tolerances of the joined system: a tangent times the size of what is varied is held like its state.

    The error is a mean over states and tangents; all tolerances are tightened so that the states weigh as when alone.
    """
    count, extended = len(plan.model.states), plan.extended
    absolute = control.absolute.copy()
    absolute[count:] = absolute[extended.rows] / sizes[extended.directions_of]
    alone, joined = (max(int(np.isfinite(a).sum()), 1) for a in (absolute[:count], absolute))
    tighter = np.sqrt(alone / joined)
    return replace(control, absolute=absolute * tighter, rtol=control.rtol * tighter)


def _plan(
    model: Model, directions: tuple[Direction, ...], doses: Sequence[solve.Dose], events: tuple[Event, ...],
    outputs: Sequence[str] | None, corners: bool,
) -> _Plan:  # fmt: skip
    known = [i.name for i in model.inputs]
    for _, name, _ in doses:
        if name not in known:
            raise InputError(f"model {model.name}: {unknown('input', name, tuple(known))}")
    inputs = {*(name for _, name, _ in doses), *(e.give for e in events if e.give in known)} - set(model.level_names)
    of = {q: doses[d.index][1] for q, d in enumerate(directions) if d.kind == "dose" and d.level < 0}
    key = (
        id(model), directions, tuple(sorted(inputs)), tuple(of.items()), events,
        None if outputs is None else tuple(outputs), corners,
    )  # fmt: skip
    if key not in _plans:
        recorded = {name: tangent.dose(model, name) for name in sorted(inputs)}
        begin = tangent.initial(model)
        which = jumps.surfaces(model, events) if corners else jumps.surfaces(model, events)[: len(events)]
        paced = bool(which)
        scout = tangent.extend(model, (), {}, begin, paced=True) if paced else None
        links = jumps.links(which, model)
        joined = tangent.extend(model, directions, recorded, begin, given=of, links=links, paced=paced)
        read = None if outputs is None else _outputs(model, outputs)
        _plans[key] = _Plan(model, begin, recorded, which, joined, scout, read)
    return _plans[key]


def _outputs(model: Model, names: Sequence[str]) -> Recorded:
    def chosen(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
        every = model.observables(t, x, p, u)
        for name in names:
            if name not in every:
                raise InputError(f"model {model.name}: {unknown('output', name, tuple(every))}")
        return {name: every[name] for name in names}

    return tangent.differentiated(model, chosen)


def _begin(plan: _Plan, plain: solve.Run, own_start: bool, rtol: float, options: Mapping[str, Any]) -> _Course:
    model, extended = plan.model, plan.extended
    n, q, count = len(plain.parameters), len(extended.directions), len(model.states)
    tangents = np.zeros((n, count, q))
    p, levels = plain.parameters, plain.levels
    level_tangents = np.zeros((n, levels.shape[1], q))
    if own_start:
        _, moved = tangent.moved(plan.start, plain.day, np.zeros((n, count)), p, levels, _fixed(extended.directions), q)
        for name, column in zip(plan.start.names, np.moveaxis(moved, 1, 0)):
            tangents[:, model.state_names.index(name)] = column
    for j, direction in enumerate(extended.directions):
        if direction.kind == "state":
            tangents[:, direction.index, j] = 1.0
    joined = extended.join(plain.state, tangents)
    run = solve.begin(extended.joined, p, joined, plain.day, _clock(extended, levels, level_tangents), rtol, **options)
    scout = None
    if plan.scout is not None:
        clock = _clock(plan.scout, levels, level_tangents)
        scout = solve.begin(plan.scout.joined, p, plain.state, plain.day, clock, rtol, **options)
    zeros = np.zeros(n, dtype=np.int64)
    shape = (n, len(plan.surfaces))
    memory = jumps.Memory(np.zeros(shape, dtype=np.int64), np.full(shape, -np.inf))
    return _Course(run, joined, levels.copy(), level_tangents, zeros, zeros.copy(), scout, memory, {}, {}, plain.day)


def _fixed(directions: Sequence[Direction]) -> dict[tuple[str, int], Matrix]:
    """Tangents (q,) of the parameters."""
    unit = np.eye(len(directions))
    return {("parameter", d.index): unit[j] for j, d in enumerate(directions) if d.kind == "parameter"}


def _seeds(plan: _Plan, level_tangents: Matrix) -> dict[tuple[str, int], Matrix]:
    seeds = _fixed(plan.extended.directions)
    for level in range(level_tangents.shape[1]):
        seeds["level", level] = level_tangents[:, level]
    return seeds


def _clock(extended: Extended, levels: Matrix, tangents: Matrix, origin: Any = 0.0, pace: Any = 1.0) -> Matrix:
    """Levels of the joined model."""
    columns = [levels]
    for q, direction in enumerate(extended.directions):
        if direction.level >= 0:
            columns.append(tangents[:, direction.level, q : q + 1])
    if PACE in extended.joined.level_names:
        columns += [np.broadcast_to(np.reshape(v, (-1, 1)), (len(levels), 1)) for v in (origin, pace)]
    return np.concatenate(columns, axis=1)


def _flow(course: _Course, extended: Extended, begun: solve.Run) -> jumps.Flow:
    """Carry some patients over days of their own; one that fails keeps its last state and a status."""

    def flow(rows: NDArray[np.int64], x: Matrix, u: Matrix, begin: Matrix, end: Matrix) -> Matrix:
        span = float(np.max(end - begin, initial=0.0))
        if span <= 0:
            return x.copy()
        pace = (end - begin) / span
        part = replace(solve.take(begun, rows), day=0.0, reached=np.zeros(len(rows)), step=np.zeros(len(rows)))
        part = replace(part, status=np.zeros_like(part.status), steps=np.zeros_like(part.steps))
        tangents = course.level_tangents[rows][:, :, : len(extended.directions)]
        part = solve.advance(part, span, state=x, levels=_clock(extended, u, tangents, begin, pace))
        well = course.status[rows] == tableau.OK
        course.status[rows] = np.where(well, part.status, course.status[rows])
        course.steps[rows] += part.steps
        return part.state

    return flow


def _hold(plan: _Plan, course: _Course, p: Matrix) -> None:
    """Events whose condition holds now, on a fixed day."""
    for _ in range(len(plan.surfaces)):
        x = course.joined[:, : len(plan.model.states)]
        jumps.held(plan.surfaces, plan.model, course.memory, course.run.day, x, p, course.levels)
        found = _collect(course)
        if not found:
            break
        for row, crossings in found.items():
            for crossing in crossings:
                _jump(plan, course, p, np.array([row]), [crossing])


def _collect(course: _Course) -> dict[int, list[jumps.Crossing]]:
    found, course.memory.found = course.memory.found, {}
    for row, crossings in found.items():
        course.crossings.setdefault(row, []).extend(crossings)
    return found


def _advance(plan: _Plan, course: _Course, p: Matrix, until: float) -> None:
    """Carry everyone to a day through all corners on the way."""
    run, day = course.run, course.run.day
    if until <= day:
        return
    found = _scouted(plan, course, p, until) if course.scout is not None else {}
    rows = np.array(sorted(found), dtype=np.int64)
    origin, pace = np.zeros(len(p)), np.ones(len(p))
    for row in rows:
        pace[row] = (found[row][0].day - day) / (until - day)
        origin[row] = day - pace[row] * day
    before = run.steps
    levels = _clock(plan.extended, course.levels, course.level_tangents, origin, pace)
    run = solve.advance(run, until, state=course.joined, levels=levels)
    course.joined = run.state.copy()
    course.status = np.where(course.status == tableau.OK, run.status, course.status)
    course.steps = course.steps + run.steps - before
    flow = _flow(course, plan.extended, run)
    turn = 0
    while len(rows):
        here = [found[int(row)][turn] for row in rows]
        _jump(plan, course, p, rows, here)
        turn += 1
        begin = np.array([c.day for c in here])
        end = np.array([found[int(row)][turn].day if turn < len(found[int(row)]) else until for row in rows])
        course.joined[rows] = flow(rows, course.joined[rows], course.levels[rows], begin, end)
        rows = np.array([row for row in rows if turn < len(found[int(row)])], dtype=np.int64)
    course.run = run


def _scouted(plan: _Plan, course: _Course, p: Matrix, until: float) -> dict[int, list[jumps.Crossing]]:
    """Find what each patient crosses on the way to a day, on the states alone."""
    scout, extended = course.scout, plan.scout
    if scout is None or extended is None:
        return {}
    x, u = course.joined[:, : len(plan.model.states)], course.levels
    everyone, none = np.arange(len(p)), course.level_tangents[:, :, :0]
    steps = course.steps.copy()
    while scout.day < until:
        tick = min(scout.day + max(jumps.TICK, jumps.WIDER * (scout.day - course.since)), until)
        ahead = solve.advance(scout, tick, state=x, levels=_clock(extended, u, none))
        signs = [jumps.distances(plan.surfaces, d, s, p, u) > 0 for d, s in ((scout.day, x), (tick, ahead.state))]
        wakes = np.zeros(len(p), dtype=bool)
        for k, surface in enumerate(plan.surfaces):
            if surface.event is not None:
                again = course.memory.last[:, k] + surface.event.interval
                wakes |= (again > scout.day) & (again <= tick)
        hit = everyone[((signs[0] != signs[1]).any(axis=1) | wakes) & (course.status == tableau.OK)]
        after, levels = ahead.state.copy(), u.copy()
        if len(hit):
            flow = _flow(course, extended, scout)
            after[hit], levels[hit] = jumps.follow(
                plan.surfaces, plan.model, course.memory, flow, hit, x[hit], p[hit], u[hit], scout.day, tick
            )
        x, u, scout = after, levels, ahead
    course.scout, course.steps = scout, steps
    return _collect(course)


def _jump(
    plan: _Plan, course: _Course, p: Matrix, rows: NDArray[np.int64], crossings: Sequence[jumps.Crossing]
) -> None:
    """Let the tangents of these patients jump; ``crossings`` holds one for each."""
    kinds = {(c.surface, c.rising, c.how) for c in crossings}
    for surface, rising, how in sorted(kinds):
        i = np.array([j for j, c in enumerate(crossings) if (c.surface, c.rising, c.how) == (surface, rising, how)])
        some, day = rows[i], np.array([crossings[j].day for j in i])
        x, tangents = plan.extended.split(course.joined[some])
        q = tangents.shape[2]
        delay = None
        if how == "held":
            delay = np.zeros((len(some), q))
        elif how == "rearmed":
            delay = np.stack([course.delays[int(row), surface] for row in some])
        seeds = _seeds(plan, course.level_tangents[some])
        crossed = plan.surfaces[surface]
        x, levels, tangents, delay = jumps.jump(
            crossed, plan.model, rising, day, x, p[some], course.levels[some], tangents, seeds, delay
        )
        course.joined[some], course.levels[some] = plan.extended.join(x, tangents), levels
        if crossed.level >= 0:
            course.level_tangents[some, crossed.level] = 0.0
        course.delays.update({(int(row), surface): delay[j] for j, row in enumerate(some)})


def _give(plan: _Plan, course: _Course, p: Matrix, number: int, name: str, amount: Any) -> None:
    """A dated dose: the states change, and the tangents with them."""
    model, extended = plan.model, plan.extended
    course.since = course.run.day
    own = np.array([d.name == f"{DOSE}{number}" for d in extended.directions], dtype=float)
    if name in model.level_names:
        level = model.level_names.index(name)
        course.levels[:, level], course.level_tangents[:, level] = amount, own
        return
    x, tangents = extended.split(course.joined)
    amounts = np.broadcast_to(np.asarray(amount, dtype=float), (len(p),))
    seeds = {**_seeds(plan, course.level_tangents), ("parameter", p.shape[1]): np.broadcast_to(own, (len(p), len(own)))}
    seeds |= {("state", i): tangents[:, i] for i in range(x.shape[1])}
    wide = np.concatenate([p, amounts[:, None]], axis=1)
    _, changed = tangent.moved(plan.doses[name], course.run.day, x, wide, course.levels, seeds, len(own))
    given = amounts != 0
    tangents = tangents.copy()
    for state, column in zip(plan.doses[name].names, np.moveaxis(changed, 1, 0)):
        i = model.state_names.index(state)
        tangents[:, i] = np.where(given[:, None] | (own > 0), column, tangents[:, i])
    course.joined = extended.join(give(model, name, amounts, x, p), tangents)


def _observe(plan: _Plan, course: _Course, p: Matrix, day: float) -> tuple[Matrix, Matrix]:
    x, tangents = plan.extended.split(course.joined)
    if plan.outputs is None:
        return x, tangents
    seeds = _seeds(plan, course.level_tangents)
    seeds |= {("state", i): tangents[:, i] for i in range(x.shape[1])}
    return tangent.moved(plan.outputs, day, x, p, course.levels, seeds, tangents.shape[2])
