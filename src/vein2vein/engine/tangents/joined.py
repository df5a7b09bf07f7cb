"""Patients on their way with their tangents: steps, doses, corners; the moving parts of ``sensitivity.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine import solve
from vein2vein.engine.checks import Given
from vein2vein.engine.days_asked import Asked
from vein2vein.engine.llvm import cost
from vein2vein.engine.method import tableau
from vein2vein.engine.method.plain import Control
from vein2vein.engine.tangents import corners, tangent
from vein2vein.engine.tangents.tangent import DOSE, PACE, Direction, Extended, Matrix
from vein2vein.engine.trace.differentiated import Recorded
from vein2vein.models.model import Model, give

Scheduled = tuple[float, int, str, Matrix]
"""What is given: day, number of the dose, input, amount () or (n,)."""

Begin = Callable[[Model, Matrix, Matrix, float, Matrix], solve.Run]
"""Begins a run: model, parameters, states, day, levels."""


@dataclass(frozen=True)
class Prepared:
    """What is prepared once for a model, its directions, doses and events."""

    model: Model
    doses: Mapping[str, Recorded]
    surfaces: Sequence[corners.Surface]
    extended: Extended
    scout: Extended | None
    outputs: Recorded | None


@dataclass
class JoinedCourses:
    """Where the patients stand: joined states (n, s + tangents), levels (n, l) and their tangents (n, l, q).

    ``step`` (n,) holds the lengths of their next steps in days, 0 where none is known.
    """

    run: solve.Run
    joined: Matrix
    levels: Matrix
    level_tangents: Matrix
    status: NDArray[np.int64]
    steps: NDArray[np.int64]
    scout: solve.Run | None
    memory: corners.Memory
    delays: dict[tuple[int, int], Matrix]
    crossings: dict[int, list[corners.Crossing]]
    since: float
    step: Matrix


def tolerances(extended: Extended, control: Control, sizes: Matrix, model: Model) -> Control:
    """Tolerances of the joined ``model``: a tangent times the size of what is varied is held like its state.

    The error is a mean over states and tangents; all tolerances are tightened so that the states weigh as when alone.
    What comes after states and tangents does not take part.
    """
    count, tangents = len(extended.model.states), len(extended.rows)
    _, low, high = model.limits
    absolute = np.full(len(low), np.inf)
    absolute[:count] = control.absolute[:count]
    absolute[count : count + tangents] = absolute[extended.rows] / sizes[extended.directions_of]
    alone, joined = (max(int(np.isfinite(a).sum()), 1) for a in (absolute[:count], absolute))
    tighter = float(np.sqrt(alone / joined))
    ratio = partial(cost.ratio, model, control.method, control.stiff) if control.stiff else control.ratio
    return replace(control, absolute=absolute * tighter, low=low, high=high, rtol=control.rtol * tighter, ratio=ratio)


def started(start: Recorded, plain: solve.Run, directions: Sequence[Direction], own_start: bool) -> Matrix:
    """Tangents (n, s, q) at the start; ``own_start``: the states are the model's own and move with the parameters."""
    model, q, count = plain.model, len(directions), len(plain.model.states)
    tangents = np.zeros((len(plain.parameters), count, q))
    if own_start and start.names:
        none = np.zeros((len(tangents), count))
        _, moved = tangent.moved(start, plain.day, none, plain.parameters, plain.levels, _fixed(directions), q)
        for name, column in zip(start.names, np.moveaxis(moved, 1, 0)):
            tangents[:, model.state_names.index(name)] = column
    for j, direction in enumerate(directions):
        if direction.kind == "state":
            tangents[:, direction.index, j] = 1.0
    return tangents


def begin(plan: Prepared, plain: solve.Run, tangents: Matrix, begun: Begin) -> JoinedCourses:
    """Patients at their start, with their tangents (n, s, q)."""
    extended = plan.extended
    n, q = len(plain.parameters), len(extended.directions)
    p, levels = plain.parameters, plain.levels
    level_tangents = np.zeros((n, levels.shape[1], q))
    joined = extended.join(plain.state, tangents)
    run = begun(extended.joined, p, joined, plain.day, _clock(extended, levels, level_tangents))
    scout = None
    if plan.scout is not None:
        clock = _clock(plan.scout, levels, level_tangents)
        scout = begun(plan.scout.joined, p, plain.state, plain.day, clock)
    zeros = np.zeros(n, dtype=np.int64)
    shape = (n, len(plan.surfaces))
    memory = corners.Memory(np.zeros(shape, dtype=np.int64), np.full(shape, -np.inf))
    return JoinedCourses(
        run, joined, levels.copy(), level_tangents, zeros, zeros.copy(), scout, memory, {}, {}, plain.day, np.zeros(n)
    )


def _fixed(directions: Sequence[Direction]) -> dict[tuple[str, int], Matrix]:
    """Tangents (q,) of the parameters."""
    unit = np.eye(len(directions))
    return {("parameter", d.index): unit[j] for j, d in enumerate(directions) if d.kind == "parameter"}


def _seeds(plan: Prepared, level_tangents: Matrix) -> dict[tuple[str, int], Matrix]:
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


def _paced(step: Matrix, pace: Matrix) -> Matrix:
    """Length of the next step by a paced clock; 0 (none known) where the clock stands still."""
    return np.divide(step, pace, out=np.zeros_like(step), where=pace > 0)


def _days(step: Matrix, pace: Matrix) -> Matrix:
    """The reverse of ``_paced``."""
    return np.multiply(step, pace, out=np.zeros_like(step), where=pace > 0)


def _flow(
    course: JoinedCourses, extended: Extended, begun: solve.Run, step: Matrix | None = None, span: float = 1.0
) -> corners.Flow:
    """Carry some patients over days of their own; one that fails keeps its last state and a status.

    Each patient's clock is paced so that ``span`` days of the run are its own: nobody's steps depend on the others.
    A model without such a clock takes everyone over the same days. ``step`` holds the length of each patient's next
    step in days and is kept up to date; without it each call begins with short steps, which see corners sharply.
    """
    paced = PACE in extended.joined.level_names

    def flow(rows: NDArray[np.int64], x: Matrix, u: Matrix, begin: Matrix, end: Matrix) -> Matrix:
        order = np.argsort(end - begin, kind="stable")  # those that share a vector wait for each other
        every = len(rows) == len(course.status) and bool((rows[order] == np.arange(len(rows))).all())
        if not every:
            rows, x, u, begin, end = rows[order], x[order], u[order], begin[order], end[order]
        pace = (end - begin) / span if paced else np.ones(len(rows))
        part = begun if every else solve.take(begun, rows)
        day, until = (0.0, span) if paced else (float(begin[0]), float(end[0]))
        before, zeros = course.status[rows], np.zeros_like(course.steps[rows])
        part = replace(
            part, day=day, state=x, status=before, steps=zeros, rejected=zeros,
            reached=np.full(len(rows), day), step=np.zeros(len(rows)) if step is None else _paced(step[rows], pace),
        )  # fmt: skip
        tangents = course.level_tangents[rows][:, :, : len(extended.directions)]
        part = solve.advance(part, until, levels=_clock(extended, u, tangents, begin, pace))
        course.status[rows] = np.where(before == tableau.OK, part.status, before)
        course.steps[rows] += part.steps
        if step is not None:
            step[rows] = _days(part.step, pace)
        if every:
            return part.state
        found = np.empty_like(part.state)
        found[order] = part.state
        return found

    return flow


def fire_held(plan: Prepared, course: JoinedCourses, p: Matrix) -> None:
    """Events whose condition holds now, on a fixed day."""
    for _ in range(len(plan.surfaces)):
        x = course.joined[:, : len(plan.model.states)]
        corners.held(plan.surfaces, plan.model, course.memory, course.run.day, x, p, course.levels)
        found = _collect(course)
        if not found:
            break
        for row, crossings in found.items():
            for crossing in crossings:
                _jump(plan, course, p, np.array([row]), [crossing])


def _collect(course: JoinedCourses) -> dict[int, list[corners.Crossing]]:
    found, course.memory.found = course.memory.found, {}
    for row, crossings in found.items():
        crossings.sort(key=lambda c: c.day)
        course.crossings.setdefault(row, []).extend(crossings)
    return found


def advance(plan: Prepared, course: JoinedCourses, p: Matrix, until: float) -> None:
    """Carry everyone to a day through all corners on the way."""
    day = course.run.day
    if until <= day:
        return
    found = _scouted(plan, course, p, until)
    flow = _flow(course, plan.extended, course.run, course.step, until - day)
    rows, begin, turn = np.arange(len(p)), np.full(len(p), day), 0
    while len(rows):
        ahead = [found.get(row, ())[turn : turn + 1] for row in rows.tolist()]
        end = np.array([crossings[0].day if crossings else until for crossings in ahead])
        if len(rows) == len(p):
            course.joined = flow(rows, course.joined, course.levels, begin, end)
        else:
            course.joined[rows] = flow(rows, course.joined[rows], course.levels[rows], begin, end)
        met = np.array([bool(crossings) for crossings in ahead])
        rows, begin, turn = rows[met], end[met], turn + 1
        _jump(plan, course, p, rows, [crossings[0] for crossings in ahead if crossings])
    course.run = replace(course.run, day=until)


def _scouted(plan: Prepared, course: JoinedCourses, p: Matrix, until: float) -> dict[int, list[corners.Crossing]]:
    """Find what each patient crosses on the way to a day, on the states alone."""
    scout, extended = course.scout, plan.scout
    if scout is None or extended is None:
        return {}
    x, u = course.joined[:, : len(plan.model.states)], course.levels
    none, steps = course.level_tangents[:, :, :0], course.steps.copy()
    flow, called = _flow(course, extended, scout), any(s.event for s in plan.surfaces)
    parts: list[Any] = []
    side = corners.distances(plan.surfaces, scout.day, x, p, u) > 0
    while scout.day < until:
        tick = min(scout.day + max(corners.TICK, corners.WIDER * (scout.day - course.since)), until)
        ahead = solve.advance(scout, tick, state=x, levels=_clock(extended, u, none))
        before, side = side, corners.distances(plan.surfaces, tick, ahead.state, p, u) > 0
        wakes = np.zeros(len(p), dtype=bool)
        for k, surface in enumerate(plan.surfaces):
            if surface.event is not None:
                again = course.memory.last[:, k] + surface.event.interval
                wakes |= (again > scout.day) & (again <= tick)
        hit = np.flatnonzero(((before != side).any(axis=1) | wakes) & (course.status == tableau.OK))
        x_before, x, u_before = x, ahead.state, u
        if len(hit):
            span = [np.full(len(hit), d) for d in (scout.day, tick)]
            part = (hit, x_before[hit], p[hit], u_before[hit], *span)
            if called:
                x, u = x.copy(), u.copy()
                x[hit], u[hit] = corners.follow(plan.surfaces, plan.model, course.memory, flow, *part)
                side[hit] = corners.distances(plan.surfaces, tick, x[hit], p[hit], u[hit]) > 0
            else:
                parts.append(part)
        scout = ahead
    if parts:  # nothing that is crossed changes the path: all can be located together
        whole = [np.concatenate(pieces) for pieces in zip(*parts)]
        corners.follow(plan.surfaces, plan.model, course.memory, flow, *whole)
    course.scout, course.steps = scout, steps
    return _collect(course)


def _jump(
    plan: Prepared, course: JoinedCourses, p: Matrix, rows: NDArray[np.int64], crossings: Sequence[corners.Crossing]
) -> None:
    """Let the tangents of these patients jump; ``crossings`` holds one for each."""
    kinds = {(c.surface, c.rising, c.how) for c in crossings}
    for surface, rising, how in sorted(kinds):
        i = np.array([j for j, c in enumerate(crossings) if (c.surface, c.rising, c.how) == (surface, rising, how)])
        some, day = rows[i], np.array([crossings[int(j)].day for j in i], dtype=float)
        x, tangents = plan.extended.split(course.joined[some])
        q = tangents.shape[2]
        delay = None
        if how == "held":
            delay = np.zeros((len(some), q))
        elif how == "rearmed":
            delay = np.stack([course.delays[int(row), surface] for row in some])
        seeds = _seeds(plan, course.level_tangents[some])
        crossed = plan.surfaces[surface]
        x, levels, tangents, delay = corners.jump(
            crossed, plan.model, rising, day, x, p[some], course.levels[some], tangents, seeds, delay
        )
        course.joined[some], course.levels[some] = plan.extended.join(x, tangents), levels
        if crossed.level >= 0:
            course.level_tangents[some, crossed.level] = 0.0
        course.delays.update({(int(row), surface): delay[j] for j, row in enumerate(some)})


def given_dose(plan: Prepared, course: JoinedCourses, p: Matrix, number: int, name: str, amount: Any) -> None:
    """A dose: the states change, and the tangents with them."""
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


def observe(plan: Prepared, course: JoinedCourses, p: Matrix, day: float) -> tuple[Matrix, Matrix]:
    """Outputs (n, m) now, and their derivatives (n, m, q)."""
    x, tangents = plan.extended.split(course.joined)
    if plan.outputs is None:
        return x, tangents
    seeds = _seeds(plan, course.level_tangents)
    seeds |= {("state", i): tangents[:, i] for i in range(x.shape[1])}
    return tangent.moved(plan.outputs, day, x, p, course.levels, seeds, tangents.shape[2])


def days_of(asked: Asked, row: int) -> Matrix:
    """A patient's days."""
    return asked.outputs.days[int(asked.outputs.first[row]) : int(asked.outputs.last[row])]


def schedules(
    doses: Sequence[Given], some: NDArray[np.int64], asked: Asked
) -> Iterator[tuple[NDArray[np.int64], list[Scheduled]]]:
    """Rows of the patients with the same days, and what they are given: (day, number, input, amounts), by day."""
    kinds: dict[tuple[object, ...], list[int]] = {}
    days = [np.broadcast_to(day, len(asked.begins)) for day, _, _ in doses]
    for row in some.tolist():
        given = tuple(float(day[row]) if np.isfinite(day[row]) else None for day in days)
        own = None if asked.patient is None else days_of(asked, row).tobytes()
        kinds.setdefault((float(asked.begins[row]), given, own), []).append(row)
    for (_, own_days, _), chosen in kinds.items():
        rows = np.array(chosen, dtype=np.int64)
        amounts = [amount if amount.ndim == 0 else amount[rows] for _, _, amount in doses]
        given = cast("tuple[float | None, ...]", own_days)
        listed = [(day, i, doses[i][1], amounts[i]) for i, day in enumerate(given) if day is not None]
        yield rows, sorted(listed, key=lambda item: item[0])


def follow(
    plan: Prepared, course: JoinedCourses, p: Matrix, asked: Matrix, schedule: list[Scheduled],
    rows: NDArray[np.int64], values: Matrix, gradients: Matrix,
) -> None:  # fmt: skip
    """Carry some patients through the asked days and write what is found, from their rows (n,) on."""
    if not schedule or schedule[0][0] > course.run.day:
        fire_held(plan, course, p)
    for j, day in enumerate(asked.tolist()):
        while schedule and schedule[0][0] <= day:
            when, number, name, amount = schedule.pop(0)
            advance(plan, course, p, when)
            given_dose(plan, course, p, number, name, amount)
            if not schedule or schedule[0][0] > when:
                fire_held(plan, course, p)
        advance(plan, course, p, day)
        well = course.status == tableau.OK
        now, slopes = observe(plan, course, p, day)
        values[rows[well] + j], gradients[rows[well] + j] = now[well], slopes[well]
