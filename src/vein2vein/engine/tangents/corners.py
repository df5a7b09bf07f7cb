"""Corners of a path: where comparisons in a model's equations change, and where events fire that the state calls for.

A solution is continuous at a corner; its derivatives are not: a patient with a slightly larger parameter reaches the
corner a little earlier or later, and moves on the other side for that long. The equations of the tangents know nothing
of this, since a comparison has derivative 0; a tangent that is only solved through a corner is wrong ever after. At a
crossing at t*, which itself moves with the parameters by dt*/dp, a tangent S jumps:

    S+ = D_x (S- + f- dt*/dp) + D_p - f+ dt*/dp

with the rates f before and after and the change of state D (a dose; nothing for a comparison). The crossings are found
on the states alone, tick by tick; one that comes and goes between two ticks is not seen. The last step before a corner
may see a little of its other side; that error of the tangents shrinks with the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.method.events import Event, check, differentiable
from vein2vein.engine.tangents.distance import function_of, is_line, leaps, plain, put
from vein2vein.engine.tangents.tangent import Link, Matrix, moved, values
from vein2vein.engine.trace.differentiated import Recorded, differentiated, dose
from vein2vein.engine.trace.graph import needed
from vein2vein.engine.trace.recording import record
from vein2vein.models.model import Model, give

# A comparison that comes and goes between two looks is missed, so looks are close where things happen, after a dose.
TICK = 0.5
"""Least days between two looks at the comparisons."""
WIDER = 0.05
"""Days between two looks, per day since the last dose: what is left then is slow."""
CLOSENESS = 1e-9
LEAP = 1e-8
"""Days, per day of the clock and 1, within which a crossing is of the day on which the distance itself leaps."""
_MOST_TRIES, _MOST_PER_TICK, _PATIENCE, _BISECT_EVERY = 100, 50, 8, 3

Flow = Callable[[NDArray[np.int64], Matrix, Matrix, Matrix, Matrix], Matrix]
"""(rows, states, levels, from day, to day) -> states; each patient has days of its own."""


@dataclass(frozen=True)
class Surface:
    """What is crossed: ``distance`` is above 0 where the comparison holds or the event's condition is met.

    Attributes
    ----------
    distance : Recorded
    off, on : Recorded
        Rates while the comparison does not hold and while it does (for an event: the same).
    event : Event or None
    dose : Recorded or None
        What the event's dose does.
    level : int
        The level that the event sets, else -1.
    rounded : bool
        Whether ``floor`` or ``ceil`` steps here: the distance is what is rounded, and whole where it does.
    """

    distance: Recorded
    off: Recorded
    on: Recorded
    event: Event | None = None
    dose: Recorded | None = None
    level: int = -1
    rounded: bool = False


@dataclass(frozen=True)
class Crossing:
    """A patient's crossing of a surface.

    Attributes
    ----------
    day : float
    surface : int
    rising : bool
    how : {"crossed", "held", "rearmed"}
        Crossed on the way; or the condition held at a fixed day; or as soon as the interval since the last ended.
    """

    day: float
    surface: int
    rising: bool
    how: str = "crossed"


@dataclass
class Memory:
    """Which events fired: times fired and day of the last (n, surfaces)."""

    fired: NDArray[np.int64]
    last: Matrix
    found: dict[int, list[Crossing]] = field(default_factory=dict[int, list[Crossing]])


def surfaces(model: Model, events: Sequence[Event]) -> list[Surface]:
    """Everything that a path of the model may cross; events first."""
    rates = differentiated(model, model.equations)
    found: list[Surface] = []
    for told in events:
        event, _ = differentiable(check(told, model))
        distance = differentiated(model, _condition(event))
        level = model.level_names.index(event.give) if event.give in model.level_names else -1
        found.append(Surface(distance, rates, rates, event, None if level >= 0 else dose(model, event.give), level))
    return found + [Surface(*parts) for parts in switches(model)]


def _condition(event: Event) -> Callable[[Any, Any, Any, Any], dict[str, Any]]:
    return lambda t, x, p, u: {"distance": event.condition(t, x, p, u)}


def links(which: Sequence[Surface], model: Model) -> list[Link]:
    """States that jump at the surfaces, with what moves the surface."""
    found: list[Link] = []
    for surface in which:
        keys = set(surface.distance.slopes[0])
        if surface.event is None:
            rows = [i for i, (off, on) in enumerate(zip(surface.off.outputs, surface.on.outputs)) if off != on]
        elif surface.dose is not None:
            rows = [model.state_names.index(name) for name in surface.dose.names]
        else:
            rows = [i for i, slope in enumerate(surface.off.slopes) if ("level", surface.level) in slope]
        found += [(i, keys) for i in rows]
    return found


def switches(model: Model) -> list[tuple[Recorded, Recorded, Recorded]]:
    """Where a model's rates may jump: per comparison, how far it is from changing, the rates before and after.

    The comparison holds where the first is above 0; the other two are the rates (all states) without and with it.
    Comparisons that involve neither states nor time do not change along a path and are left out.
    """
    g, outputs = record(model.name, model.equations, model.state_names, model.parameters, model.level_names)
    nodes = [outputs[s] for s in model.state_names]
    moving: dict[int, bool] = {}
    found: list[tuple[int, list[int], list[int]]] = []
    for node in needed(g, nodes):
        op, args = g.nodes[node]
        moving[node] = op in ("time", "state") or any(moving[a] for a in g.operands(node))
        if op == "less" and moving[node]:
            off, on = (put(g, nodes, node, g.const(value)) for value in (0.0, 1.0))
            if off != on:
                found.append((g.apply("sub", args[1], args[0]), off, on))
    return [(function_of(g, distance), plain(g, off), plain(g, on)) for distance, off, on in found]


def leaping(surface: Surface) -> list[tuple[int, int]]:
    """Where the distance leaps on a known day: per day a node that is 0 then, and its pace.

    If the distance leaps across 0, the surface is crossed on that day whatever it rests on, and does not move by
    itself: the corner is that of what leaps.
    """
    lines = [f for f in leaps(surface.distance) if is_line(f)] if surface.event is None and not surface.rounded else []
    return [(f.outputs[0], f.slopes[0]["time", 0]) for f in lines]


def is_own(surface: Surface, day: Any, x: Matrix, p: Matrix, u: Matrix) -> NDArray[np.bool_]:
    """Whether a crossing (n,) is the surface's own: not on a day on which its distance leaps (``leaping``)."""
    own = np.ones(len(x), dtype=bool)
    for leap in leaping(surface):
        far, pace = values(surface.distance.graph, leap, day, x, p, u)
        own &= np.abs(far) > LEAP * (1 + np.abs(day)) * np.abs(pace)
    return own


def distances(which: Sequence[Surface], t: Any, x: Matrix, p: Matrix, u: Matrix) -> Matrix:
    """Distance (n, surfaces) from each surface."""
    rows = [values(s.distance.graph, s.distance.outputs, t, x, p, u)[0] for s in which]
    return np.stack(rows, axis=1) if rows else np.zeros((len(x), 0))


def armed(which: Sequence[Surface], memory: Memory, rows: NDArray[np.int64], day: Any) -> NDArray[np.bool_]:
    """Which surfaces (rows, surfaces) count if they are crossed now; comparisons always do."""
    found = np.ones((len(rows), len(which)), dtype=bool)
    for k, surface in enumerate(which):
        if surface.event is not None:
            rested = day >= memory.last[rows, k] + surface.event.interval
            found[:, k] = (memory.fired[rows, k] < surface.event.most) & rested
    return found


def act(surface: Surface, model: Model, x: Matrix, p: Matrix, u: Matrix) -> tuple[Matrix, Matrix]:
    """States and levels right after an event."""
    event = surface.event
    if event is None:
        return x, u
    if surface.level < 0:
        return give(model, event.give, differentiable(event)[1], x, p), u
    after = u.copy()
    after[:, surface.level] = differentiable(event)[1]
    return x, after


def held(which: Sequence[Surface], model: Model, memory: Memory, day: float, x: Matrix, p: Matrix, u: Matrix) -> None:
    """Note the events whose condition holds on a fixed day (at the beginning, after a dose)."""
    if not any(s.event for s in which):
        return
    ready = (distances(which, day, x, p, u) >= 0) & armed(which, memory, np.arange(len(x)), day)
    for k, surface in enumerate(which):
        if surface.event is not None:
            for row in np.flatnonzero(ready[:, k]).tolist():
                _note(memory, row, Crossing(day, k, True, "held"))


def _note(memory: Memory, row: int, crossing: Crossing) -> None:
    memory.found.setdefault(row, []).append(crossing)
    memory.fired[row, crossing.surface] += 1
    memory.last[row, crossing.surface] = crossing.day


def follow(
    which: Sequence[Surface], model: Model, memory: Memory, flow: Flow, rows: NDArray[np.int64],
    x: Matrix, p: Matrix, u: Matrix, day: Matrix, tick: Matrix,
) -> tuple[Matrix, Matrix]:  # fmt: skip
    """Carry some patients from their day to their tick through everything that they cross, and note the crossings.

    Returns their states and levels at the tick. ``x``, ``p``, ``u`` hold these patients only; ``rows`` their numbers. A
    patient may come twice, with different days, where nothing that is crossed changes the path (no events).
    """
    x, u, now = x.copy(), u.copy(), day.copy()
    before = distances(which, now, x, p, u) > 0
    events = np.array([s.event is not None for s in which])
    for _ in range(_MOST_PER_TICK):
        going = np.flatnonzero(now < tick)
        if not len(going):
            break
        horizon, wakes = _horizon(which, memory, rows[going], now[going], tick[going])
        ahead = flow(rows[going], x[going], u[going], now[going], horizon)
        after = distances(which, horizon, ahead, p[going], u[going]) > 0
        crossed = (after != before[going]) & armed(which, memory, rows[going], horizon)
        for k in np.flatnonzero(events).tolist():  # falling back calls for nothing; one that wakes up: looked at below
            crossed[:, k] &= after[:, k] & (wakes != k)
        days = _roots(which, flow, rows[going], x[going], p[going], u[going], now[going], horizon, crossed)
        first = np.min(days[:, events], axis=1, initial=np.inf)
        met = np.isfinite(first)
        at = np.where(met, first, horizon)
        if met.any():
            ahead[met] = flow(rows[going][met], x[going][met], u[going][met], now[going][met], at[met])
        x[going], now[going], before[going] = ahead, at, after
        for i in np.flatnonzero(crossed.any(axis=1) | (wakes >= 0)).tolist():
            row, called, how = int(going[i]), int(wakes[i]), "rearmed"
            for k in np.flatnonzero(crossed[i] & ~events & (days[i] <= at[i])).tolist():
                _note(memory, int(rows[row]), Crossing(float(days[i, k]), k, bool(after[i, k])))
            if met[i]:
                called, how = int(np.argmin(np.where(events, days[i], np.inf))), "crossed"
            if called >= 0 and after[i, called]:
                crossing = Crossing(float(at[i]), called, True, how)
                _fire(which, model, memory, rows, row, x, p, u, before, crossing)
    return x, u


def _fire(
    which: Sequence[Surface], model: Model, memory: Memory, rows: NDArray[np.int64], row: int,
    x: Matrix, p: Matrix, u: Matrix, before: NDArray[np.bool_], crossing: Crossing,
) -> None:  # fmt: skip
    _note(memory, int(rows[row]), crossing)
    one = slice(row, row + 1)
    x[one], u[one] = act(which[crossing.surface], model, x[one], p[one], u[one])
    before[one] = distances(which, crossing.day, x[one], p[one], u[one]) > 0
    before[row, crossing.surface] = True


def _horizon(
    which: Sequence[Surface], memory: Memory, rows: NDArray[np.int64], now: Matrix, tick: Matrix
) -> tuple[Matrix, NDArray[np.int64]]:
    """How far to look: to the tick, or to where an event may fire again; and which event that is, or -1."""
    horizon, wakes = tick.copy(), np.full(len(rows), -1)
    for k, surface in enumerate(which):
        if surface.event is not None:
            again = memory.last[rows, k] + surface.event.interval
            sooner = (again > now) & (again <= horizon) & (memory.fired[rows, k] < surface.event.most)
            horizon, wakes = np.where(sooner, again, horizon), np.where(sooner, k, wakes)
    return horizon, wakes


def _roots(
    which: Sequence[Surface], flow: Flow, rows: NDArray[np.int64], x: Matrix, p: Matrix, u: Matrix,
    now: Matrix, horizon: Matrix, crossed: NDArray[np.bool_],
) -> Matrix:  # fmt: skip
    """Day (rows, surfaces) just after each patient's crossings, infinite where there is none.

    All are located together, by false position that halves a side which stays twice (Illinois), with bisections.
    """
    # Each guess is a solution from the day on which all stood: steps begin short there and see the corner sharply. The
    # day just after the crossing is kept, so that the state given on lies beyond the corner and is not met again.
    found = np.full(crossed.shape, np.inf)
    i, k = np.nonzero(crossed)
    if not len(i):
        return found
    x, p, u, begin, low, high = x[i], p[i], u[i], now[i], now[i], horizon[i]

    def distance(some: NDArray[np.int64], day: Matrix, state: Matrix) -> Matrix:
        return distances(which, day, state, p[some], u[some])[np.arange(len(some)), k[some]]

    every, closeness = np.arange(len(i)), CLOSENESS * np.maximum(1.0, abs(high))
    f_low, f_high = distance(every, low, x), distance(every, high, flow(rows[i], x, u, begin, high))
    rising, moved_high, turns = f_high > 0, np.zeros(len(i), dtype=bool), 0
    while turns < _MOST_TRIES and len(some := np.flatnonzero(high - low > closeness)):
        a, b, f_a, f_b, near = low[some], high[some], f_low[some], f_high[some], closeness[some] / 2
        with np.errstate(all="ignore"):
            guess = (a * f_b - b * f_a) / (f_b - f_a)
        middle = (a + b) / 2
        bisect = turns >= _PATIENCE and turns % _BISECT_EVERY == 2
        guess = np.where(np.isfinite(guess) & (not bisect), guess, middle)
        guess = np.clip(guess, np.minimum(a + near, middle), np.maximum(b - near, middle))
        state = flow(rows[i[some]], x[some], u[some], begin[some], guess)
        value = distance(some, guess, state)
        beyond = (value > 0) == rising[some]
        again = (beyond == moved_high[some]) & (turns > 0)
        f_low[some] = np.where(beyond, np.where(again, f_a / 2, f_a), value)
        f_high[some] = np.where(beyond, value, np.where(again, f_b / 2, f_b))
        low[some], high[some] = np.where(beyond, a, guess), np.where(beyond, guess, b)
        moved_high[some] = beyond
        turns += 1
    found[i, k] = high
    return found


def jump(
    surface: Surface, model: Model, rising: bool, day: Matrix, x: Matrix, p: Matrix, u: Matrix, tangents: Matrix,
    seeds: dict[tuple[str, int], Matrix], delay: Matrix | None,
) -> tuple[Matrix, Matrix, Matrix, Matrix]:  # fmt: skip
    """States, levels and tangents (n, s, q) right after a crossing, and dt*/dp (n, q).

    Parameters
    ----------
    seeds : mapping
        Tangents of parameters and levels, as for ``tangent.moved``.
    delay : ndarray (n, q) or None
        dt*/dp where it is known; None: from the surface.
    """
    count = tangents.shape[2]
    before, after = (surface.off, surface.on) if rising else (surface.on, surface.off)
    wanted = range(x.shape[1])
    if surface.event is None:  # all other rates are the same on both sides
        differ = {i for i, (off, on) in enumerate(zip(before.outputs, after.outputs)) if off != on}
        wanted = sorted(differ | {i for kind, i in surface.distance.slopes[0] if kind == "state"})
    speed, speed_after = _rates((before, after), wanted, day, x, p, u)
    states = {("state", i): tangents[:, i] for i in range(x.shape[1])}
    if delay is None:
        shift = moved(surface.distance, day, x, p, u, {**seeds, **states}, count)[1][:, 0]
        along = {("time", 0): np.ones((len(x), 1)), **{("state", i): speed[:, i : i + 1] for i in range(x.shape[1])}}
        approach = moved(surface.distance, day, x, p, u, along, 1)[1][:, 0]
        delay = -shift / np.where(approach == 0, np.inf, approach)
        delay = np.where(is_own(surface, day, x, p, u)[:, None], delay, 0.0)
    carried = tangents + speed[:, :, None] * delay[:, None, :]
    now, levels = act(surface, model, x, p, u)
    if surface.dose is not None and surface.event is not None:
        own = {**seeds, **{("state", i): carried[:, i] for i in range(x.shape[1])}}
        amount = np.full((len(p), 1), differentiable(surface.event)[1])
        _, changed = moved(surface.dose, day, x, np.concatenate([p, amount], axis=1), u, own, count)
        carried = carried.copy()
        for name, column in zip(surface.dose.names, np.moveaxis(changed, 1, 0)):
            carried[:, model.state_names.index(name)] = column
    if surface.event is not None:
        speed_after = _rates((after,), wanted, day, now, p, levels)[0]
    return now, levels, carried - speed_after[:, :, None] * delay[:, None, :], delay


def _rates(sides: Sequence[Recorded], rows: Sequence[int], day: Any, x: Matrix, p: Matrix, u: Matrix) -> Matrix:
    """Rates (sides, n, s) of some of the states, 0 for the others, of functions recorded in one graph."""
    nodes = [side.outputs[i] for side in sides for i in rows]
    found = np.zeros((len(sides), *x.shape))
    each = np.stack(values(sides[0].graph, nodes, day, x, p, u), axis=1)
    for i, part in enumerate(np.split(each, len(sides), axis=1)):
        found[i][:, rows] = part
    return found
