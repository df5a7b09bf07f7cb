"""Whole courses with their tangents in one call of the engine: doses and corners move the tangents inside it.

The joined model (``tangent.py``) becomes a plain model of its own: its doses move states and tangents together, and
each comparison of the equations whose distance the states decide is watched by two events, one for each way across,
that give the jump of the tangents (``corners.py``) as if it were a dose. A comparison of the time with a number known
beforehand needs no watching: the jump is given on that day. What the jump reads besides states and parameters, the day
and the levels, is carried along as further states.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.checks import Given
from vein2vein.engine.method.events import Event
from vein2vein.engine.tangents import corners, tangent
from vein2vein.engine.tangents.corners import Crossing, Surface
from vein2vein.engine.tangents.tangent import Direction, Extended, Matrix
from vein2vein.engine.trace.differentiated import Recorded
from vein2vein.engine.trace.graph import needed
from vein2vein.models.mathematics import less, where
from vein2vein.models.model import Input, Model, State

MOST = 24
"""Crossings of one comparison, in one direction, that there is room for; who has more is followed from day to day."""
CLOCK, STOP = "day of the course", "step ends here"
_TINY = 1e-300
_ROUNDINGS = 64

Value = Callable[[str, int], Any]
"""Value of a leaf (kind, index) of a recorded function."""


@dataclass(frozen=True)
class Whole:
    """A joined model that is solved as it stands.

    Attributes
    ----------
    extended : Extended
        States and tangents, without what is given.
    model : Model
        The joined model with its doses and corners.
    doses : mapping of input name to Recorded
    surfaces, timed : tuple of Surface
        Comparisons that the states decide; those that the time alone decides.
    events : tuple of Event
        Two for each of ``surfaces``: rising, falling.
    copied : tuple of int
        Levels that the jumps read.
    """

    extended: Extended
    model: Model
    doses: Mapping[str, Recorded]
    surfaces: tuple[Surface, ...]
    timed: tuple[Surface, ...]
    events: tuple[Event, ...]
    copied: tuple[int, ...]


def possible(surfaces: Sequence[Surface]) -> bool:
    """Whether corners can be met within one call: no events of the caller's, no comparison of a level."""
    return all(s.event is None and "level" not in _leaves(s.distance, s.distance.outputs) for s in surfaces)


def _leaves(function: Recorded, nodes: Sequence[int]) -> set[str]:
    return {function.graph.nodes[node][0] for node in needed(function.graph, nodes)}


def _is_timed(surface: Surface) -> bool:
    """Whether the distance is a straight line of the time, the same whatever the states."""
    pace = surface.distance.slopes[0].get(("time", 0))
    here = _leaves(surface.distance, surface.distance.outputs)
    return pace is not None and not here & {"state", "level"} and "time" not in _leaves(surface.distance, [pace])


def _rows(surface: Surface) -> list[int]:
    """States whose rates jump."""
    return [i for i, (off, on) in enumerate(zip(surface.off.outputs, surface.on.outputs)) if off != on]


def _read(surface: Surface) -> list[int]:
    """Nodes that a jump reads: the rates that jump, or that carry the patient across."""
    rows = {*_rows(surface), *(i for kind, i in surface.distance.slopes[0] if kind == "state")}
    nodes = [side.outputs[i] for side in (surface.off, surface.on) for i in sorted(rows)]
    return [*nodes, *surface.distance.slopes[0].values()]


def make(extended: Extended, doses: Mapping[str, Recorded], own: Mapping[int, str], which: Sequence[Surface]) -> Whole:
    """Give a joined model its doses and corners.

    Parameters
    ----------
    doses : mapping of input name to Recorded
        Inputs that are given (levels left out).
    own : mapping of direction number to input name
        For directions of the kind "dose".
    which : sequence of Surface
        Comparisons; ``possible`` says whether they can be met.
    """
    model = extended.model
    timed = tuple(s for s in which if _is_timed(s))
    surfaces = tuple(s for s in which if not _is_timed(s))
    leaves = {(op, args[0]) for s in which for op, args in _nodes(s) if op in ("time", "level")}
    copied = tuple(sorted(i for kind, i in leaves if kind == "level"))
    sides = [_side(k) for k in range(len(surfaces))]
    carried = [*sides, *(_copy(model, i) for i in copied)]
    extra = [*carried, *([CLOCK] if leaves else [])]

    def equations(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
        return {**extended.joined.equations(t, x, p, u), **{name: 1.0 if name == CLOCK else 0.0 for name in extra}}

    inputs: dict[str, Change] = {STOP: _stop} if timed else {}
    for name, function in doses.items():
        inputs[name] = _dose(extended, function, surfaces, None)
    for q, name in own.items():
        inputs[_own(name, extended.directions[q])] = _dose(extended, doses[name], surfaces, q)
        inputs[_own(name, extended.directions[q], True)] = _dose(extended, doses[name], surfaces, q, True)
    for k, surface in enumerate(surfaces):
        inputs[_corner(k)] = _jump(extended, surface, sides[k])
    for k, surface in enumerate(timed):
        inputs[_corner(k, True)] = _jump(extended, surface, None)
    for i in copied:
        inputs[_copy(model, i)] = _set(_copy(model, i))
    joined = replace(
        extended.joined,
        states=(*extended.joined.states, *(State(name, name, "1", math.inf) for name in extra)),
        inputs=(*(i for i in extended.joined.inputs if i.kind == "level"), *(Input(n, n, "1") for n in inputs)),
        equations=equations,
        apply_dose=lambda name, amount, x, p: inputs[name](amount, x, p),
        initial=lambda p: {},
        example={},
        example_doses=(),
    )
    events = [e for k, s in enumerate(surfaces) for e in _watched(model, s, k)]
    return Whole(extended, joined, doses, surfaces, timed, tuple(events), copied)


def _nodes(surface: Surface) -> list[tuple[str, tuple[Any, ...]]]:
    return [surface.distance.graph.nodes[node] for node in needed(surface.distance.graph, _read(surface))]


def _side(number: int) -> str:
    return f"side {number}"


def _corner(number: int, timed: bool = False) -> str:
    return f"corner {'in time ' if timed else ''}{number}"


def _copy(model: Model, level: int) -> str:
    return f"{model.level_names[level]} now"


def _own(name: str, direction: Direction, zero: bool = False) -> str:
    return f"{name}, {direction.name}{' of 0' if zero else ''}"


Change = Callable[[Any, Any, Any], Mapping[str, Any]]
"""(amount, x, p) -> states that change."""


def _stop(amount: Any, x: Any, p: Any) -> Mapping[str, Any]:
    """Change nothing: the step ends here, and the next begins short."""
    return {}


def _set(name: str) -> Change:
    return lambda amount, x, p: {name: amount + 0.0 * getattr(x, name)}


def _value(model: Model, x: Any, p: Any, amount: Any = None, after: Mapping[str, Any] | None = None) -> Value:
    """Leaves as they stand in the joined state ``x``, some of its states replaced by those ``after`` a dose."""

    def value(kind: str, index: int) -> Any:
        if kind == "parameter":
            return amount if index == len(model.parameters) else getattr(p, model.parameters[index])
        if kind == "state":
            name = model.state_names[index]
            return after[name] if after is not None and name in after else getattr(x, name)
        return getattr(x, CLOCK if kind == "time" else _copy(model, index))

    return value


def _tangent(extended: Extended, x: Any) -> dict[tuple[int, int], Any]:
    """Tangents by state and direction."""
    return {(i, q): getattr(x, name) for (i, q), name in zip(extended.columns, extended.tangent_names)}


def _dose(
    extended: Extended, function: Recorded, surfaces: Sequence[Surface], own: int | None, zero: bool = False
) -> Change:
    """A dose with what it does to the tangents; ``own`` is the direction that its amount is.

    With ``zero`` an amount of 0 is meant, and given a 1 in its place, since what is given as 0 is not given at all:
    the states stay, and the tangents move in the dose's own direction only.
    """
    model = extended.model
    changed = {model.state_names.index(name) for name in function.names}
    moved = [k for k, s in enumerate(surfaces) if {i for kind, i in s.distance.slopes[0] if kind == "state"} & changed]

    def change(amount: Any, x: Any, p: Any) -> Mapping[str, Any]:
        value = _value(model, x, p, 0.0 if zero else amount)
        nodes = [*function.outputs, *(n for slope in function.slopes for n in slope.values())]
        of = tangent.computed(function.graph, nodes, value)
        tangents = _tangent(extended, x)
        found: dict[str, Any] = {} if zero else {s: of[n] for s, n in zip(function.names, function.outputs)}
        names = dict(zip(extended.columns, extended.tangent_names))
        for state, slope in zip(function.names, function.slopes):
            i = model.state_names.index(state)
            for q in range(len(extended.directions)):
                if (i, q) in names and (not zero or q == own):
                    found[names[i, q]] = _along(extended, slope, of, tangents, p, q, own)
        for k in moved if not zero else ():
            distance = surfaces[k].distance
            seen = tangent.computed(distance.graph, distance.outputs, _value(model, x, p, after=found))
            found[_side(k)] = less(0.0, seen[distance.outputs[0]])
        return found

    return change


def _along(
    extended: Extended, slope: Mapping[tuple[str, int], int], of: Mapping[int, Any], tangents: Mapping[Any, Any],
    p: Any, q: int, own: int | None = None,
) -> Any:  # fmt: skip
    """Tangent of a function in direction q from its partial derivatives."""
    direction, amount = extended.directions[q], len(extended.model.parameters)
    varied = {direction.index} if direction.kind == "parameter" else {amount} if q == own else set[int]()
    total: Any = 0.0
    for (kind, j), node in slope.items():
        if kind == "state" and (j, q) in tangents:
            total = total + of[node] * tangents[j, q]
        elif kind == "parameter" and j in varied:
            total = total + of[node] * getattr(p, tangent.size(direction))
    return total


def _jump(extended: Extended, surface: Surface, side: str | None) -> Change:
    """The jump of the tangents at a corner: S + (f- - f+) dt*/dp; the amount is 1 where it rises, -1 where it falls."""
    model, distance = extended.model, surface.distance
    rows = _rows(surface)
    names = dict(zip(extended.columns, extended.tangent_names))

    def change(amount: Any, x: Any, p: Any) -> Mapping[str, Any]:
        of = tangent.computed(distance.graph, _read(surface), _value(model, x, p))
        tangents, rises = _tangent(extended, x), less(0.0, amount)
        approach: Any = 0.0
        for (kind, j), node in distance.slopes[0].items():
            if kind == "time":
                approach = approach + of[node]
            elif kind == "state":
                off, on = of[surface.off.outputs[j]], of[surface.on.outputs[j]]
                approach = approach + of[node] * where(rises, off, on)
        lasting = where(approach, 1.0, 0.0) / where(approach, approach, 1.0)
        found: dict[str, Any] = {} if side is None else {side: rises + 0.0 * getattr(x, side)}
        for q in range(len(extended.directions)):
            delay = -_along(extended, distance.slopes[0], of, tangents, p, q) * lasting
            for i in rows:
                if (i, q) in names:
                    drop = of[surface.off.outputs[i]] - of[surface.on.outputs[i]]
                    found[names[i, q]] = tangents[i, q] + amount * drop * delay
        return found

    return change


def _watched(model: Model, surface: Surface, number: int) -> tuple[Event, Event]:
    """Events for the two ways across: above 0 the comparison holds, at 0 and below it does not."""
    distance = surface.distance

    def far(t: Any, x: Any, p: Any) -> Any:
        value = _value(model, x, p)
        return tangent.computed(
            distance.graph, distance.outputs, lambda kind, i: t if kind == "time" else value(kind, i)
        )[distance.outputs[0]]

    def rises(t: Any, x: Any, p: Any, u: Any) -> Any:
        return where(less(getattr(x, _side(number)), 0.5), far(t, x, p) - _TINY, -1.0)

    def falls(t: Any, x: Any, p: Any, u: Any) -> Any:
        return where(less(0.5, getattr(x, _side(number))), -far(t, x, p), -1.0)

    give = _corner(number)
    return Event(f"{give} rises", rises, give, 1.0, MOST), Event(f"{give} falls", falls, give, -1.0, MOST)


def begin(whole: Whole, day: float, x: Matrix, p: Matrix, u: Matrix, tangents: Matrix) -> tuple[Matrix, Matrix]:
    """Joined states and levels at the start, from states (n, s), levels (n, l) and tangents per size (n, s, q)."""
    n = len(x)
    sides = corners.distances(whole.surfaces, day, x, p, u) > 0
    clock = np.full((n, int(CLOCK in whole.model.state_names)), day)
    state = np.concatenate([whole.extended.join(x, tangents), sides, u[:, list(whole.copied)], clock], axis=1)
    return state, np.concatenate([u, np.zeros((n, len(whole.model.level_names) - u.shape[1]))], axis=1)


def schedule(whole: Whole, given: Sequence[Given], days: Matrix, p: Matrix, sizes: Matrix) -> list[Given]:
    """What is given to the joined model: (days, input, amounts), those of one day in their order."""
    model, n = whole.extended.model, len(p)
    own = {d.index: d for d in whole.extended.directions if d.kind == "dose"}
    size = {d.index: sizes[:, q] for q, d in enumerate(whole.extended.directions) if d.kind == "dose"}
    found = [dose for k, surface in enumerate(whole.timed) for dose in _on_time(surface, k, days, p)]
    for number, (day, name, amount) in enumerate(given):
        if name in model.level_names:
            level = model.level_names.index(name)
            found.append((day, name, amount))
            found += [
                (day, f"{d.name}'", size[number] if d.index == number else np.array(0.0))
                for d in own.values()
                if d.level == level
            ]
            if level in whole.copied:
                found.append((day, _copy(model, level), np.where(amount == 0, _TINY, amount)))
        elif number in own:
            found.append((day, _own(name, own[number]), amount))
            if not np.all(amount):
                none = np.where(np.broadcast_to(amount, n) == 0, day, np.nan)
                found.append((none, _own(name, own[number], True), np.array(1.0)))
        else:
            found.append((day, name, amount))
    return found


def _on_time(surface: Surface, number: int, days: Matrix, p: Matrix) -> list[Given]:
    """A corner that the time alone decides: a stop just before it, so that no step looks across, and the jump."""
    n = len(p)
    none = np.zeros((n, 0))
    distance, pace = surface.distance, surface.distance.slopes[0]["time", 0]

    def far(day: Matrix) -> Matrix:
        return tangent.values(distance.graph, distance.outputs, day, none, p, none)[0]

    def moved(day: Matrix, beyond: bool, towards: float) -> Matrix:
        """The days, by a few roundings moved to where they lie beyond the corner, or before it."""
        for _ in range(_ROUNDINGS):
            amiss = ((far(day) > 0) == rises) != beyond
            if not np.any(amiss & np.isfinite(day)):
                break
            day = np.where(amiss, np.nextafter(day, towards), day)
        return day

    speed = tangent.values(distance.graph, [pace], 0.0, none, p, none)[0]
    rises, begin = speed > 0, np.full(n, days[0])
    away = far(begin)
    with np.errstate(all="ignore"):
        at = begin - away / speed
    at = np.where((at >= days[0]) & (at <= days[-1]) & ((away > 0) != rises), at, np.nan)
    at = moved(at, True, np.inf)
    before = moved(np.nextafter(at, -np.inf), False, -np.inf)
    before = np.where(before > days[0], before, np.nan)
    return [(before, STOP, np.array(1.0)), (at, _corner(number, True), np.where(rises, 1.0, -1.0))]


def crossings(whole: Whole, fired: Matrix, given: Sequence[Given]) -> dict[int, tuple[Crossing, ...]]:
    """What each patient crossed, in order, from the days on which events fired and the corners in time."""
    found: dict[int, list[Crossing]] = {}
    for row, place in np.argwhere(np.isfinite(fired)).tolist():
        event = place // MOST
        found.setdefault(row, []).append(Crossing(float(fired[row, place]), event // 2, event % 2 == 0))
    names = {_corner(k, True): len(whole.surfaces) + k for k in range(len(whole.timed))}
    for day, name, amount in given:
        if name in names:
            for row in np.flatnonzero(np.isfinite(day)).tolist():
                found.setdefault(row, []).append(Crossing(float(day[row]), names[name], bool(amount[row] > 0)))
    return {row: tuple(sorted(met, key=lambda c: c.day)) for row, met in sorted(found.items())}


def crowded(whole: Whole, fired: Matrix) -> NDArray[np.int64]:
    """Patients who crossed one comparison as often as there is room for."""
    return np.flatnonzero(np.isfinite(fired[:, MOST - 1 :: MOST]).any(axis=1))


def levels_at(whole: Whole, given: Sequence[Given], days: Matrix, u: Matrix) -> Matrix:
    """Levels of the joined model (n, k, l) on each day, right after what is given on it."""
    found = np.repeat(u[:, None, :], len(days), axis=1)
    names = whole.model.level_names
    set_ = [(np.broadcast_to(day, len(u)), names.index(n), a) for day, n, a in given if n in names]
    when = np.full(found.shape, -np.inf)
    for day, level, amount in set_:
        now = np.broadcast_to(day[:, None], found.shape[:2])
        later = (now <= days) & (now >= when[:, :, level])
        found[:, :, level] = np.where(later, np.broadcast_to(amount, len(u))[:, None], found[:, :, level])
        when[:, :, level] = np.where(later, now, when[:, :, level])
    return found
