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
from dataclasses import dataclass
from typing import Any

from vein2vein.engine.method.events import Event
from vein2vein.engine.tangents import tangent
from vein2vein.engine.tangents.corners import LEAP, Surface, leaping
from vein2vein.engine.tangents.distance import leaves
from vein2vein.engine.tangents.known import is_timed
from vein2vein.engine.tangents.tangent import Direction, Extended
from vein2vein.engine.trace.differentiated import Recorded
from vein2vein.engine.trace.graph import needed
from vein2vein.models.mathematics import less, maximum, where
from vein2vein.models.model import Input, Model, State, derived

MOST = 24
"""Crossings of one comparison, in one direction, that there is room for; who has more is followed from day to day."""
CLOCK, STOP = "day of the course", "step ends here"
FIRST = "first day"
TINY = 1e-300

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
    numbers : tuple of int
        Places of these in the list of all.
    events : tuple of Event
        Two for each of ``surfaces``: rising, falling.
    copied : tuple of int
        Levels that the jumps read.
    clocked : bool
        Whether the day is carried along.
    outputs : Recorded or None
        What is observed; None: the states.
    reads : tuple of (name, output, direction)
        Values that are read, in order, where there are outputs: outputs (direction -1), then their tangents.
    """

    extended: Extended
    model: Model
    doses: Mapping[str, Recorded]
    surfaces: tuple[Surface, ...]
    timed: tuple[Surface, ...]
    numbers: tuple[int, ...]
    events: tuple[Event, ...]
    copied: tuple[int, ...]
    clocked: bool
    outputs: Recorded | None
    reads: tuple[tuple[str, int, int], ...]


def possible(surfaces: Sequence[Surface]) -> bool:
    """Whether corners can be met within one call: no events of the caller's, no comparison of a level."""
    return all(s.event is None and "level" not in leaves(s.distance, s.distance.outputs) for s in surfaces)


def _rows(surface: Surface) -> list[int]:
    """States whose rates jump."""
    return [i for i, (off, on) in enumerate(zip(surface.off.outputs, surface.on.outputs)) if off != on]


def _read(surface: Surface) -> list[int]:
    """Nodes that a jump reads: the rates that jump, or that carry the patient across."""
    rows = {*_rows(surface), *(i for kind, i in surface.distance.slopes[0] if kind == "state")}
    nodes = [side.outputs[i] for side in (surface.off, surface.on) for i in sorted(rows)]
    return [*nodes, *surface.distance.slopes[0].values(), *(n for leap in leaping(surface) for n in leap)]


def make(
    extended: Extended, start: Recorded, doses: Mapping[str, Recorded], own: Mapping[int, str],
    which: Sequence[Surface], outputs: Recorded | None,
) -> Whole:  # fmt: skip
    """Give a joined model its start, doses, corners and observables.

    Parameters
    ----------
    doses : mapping of input name to Recorded
        Inputs that are given (levels left out).
    own : mapping of direction number to input name
        For directions of the kind "dose".
    which : sequence of Surface
        Comparisons; ``possible`` says whether they can be met.
    outputs : Recorded, optional
    """
    model = extended.model
    timed = tuple(s for s in which if is_timed(s))
    surfaces = tuple(s for s in which if not is_timed(s))
    read = {(op, args[0]) for s in which for op, args in _nodes(s) if op in ("time", "level")}
    copied = tuple(sorted(i for kind, i in read if kind == "level"))
    sides = [side_name(k) for k in range(len(surfaces))]
    carried = [*sides, *(copy_name(model, i) for i in copied)]
    clocked = bool(read) or any("time" in leaves(s.distance, s.distance.outputs) for s in surfaces)
    extra = [*carried, *([CLOCK] if clocked else [])]
    observed, reads = _observed(extended, outputs)

    def equations(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
        return {**extended.joined.equations(t, x, p, u), **{name: 1.0 if name == CLOCK else 0.0 for name in extra}}

    inputs: dict[str, Change] = {STOP: _stop} if timed else {}
    for name, function in doses.items():
        inputs[name] = _dose(extended, function, surfaces, None)
    for q, name in own.items():
        inputs[own_name(name, extended.directions[q])] = _dose(extended, doses[name], surfaces, q)
        inputs[own_name(name, extended.directions[q], True)] = _dose(extended, doses[name], surfaces, q, True)
    for k, surface in enumerate(surfaces):
        inputs[corner_name(k)] = _jump(extended, surface, sides[k])
    for k, surface in enumerate(timed):
        inputs[corner_name(k, True)] = _jump(extended, surface, None)
    for i in copied:
        inputs[copy_name(model, i)] = _set(copy_name(model, i))

    def apply_dose(name: str, amount: Any, x: Any, p: Any) -> Mapping[str, Any]:
        return inputs[name](amount, x, p)

    joined = derived(
        extended.joined,
        states=(*extended.joined.states, *(State(name, name, "1", math.inf) for name in extra)),
        inputs=(*(i for i in extended.joined.inputs if i.kind == "level"), *(Input(n, n, "1") for n in inputs)),
        equations=equations,
        apply_dose=apply_dose,
        parameters=(*extended.joined.parameters, *_begun(model, copied, clocked)),
        initial=_start(extended, start, surfaces, copied, clocked),
        observables=observed,
        example={},
        example_doses=(),
    )
    events = [e for k, s in enumerate(surfaces) for e in _watched(model, s, k)]
    numbers = tuple(sorted(range(len(which)), key=lambda k: is_timed(which[k])))
    return Whole(extended, joined, doses, surfaces, timed, numbers, tuple(events), copied, clocked, outputs, reads)


def _nodes(surface: Surface) -> list[tuple[str, tuple[Any, ...]]]:
    return [surface.distance.graph.nodes[node] for node in needed(surface.distance.graph, _read(surface))]


def side_name(number: int) -> str:
    """State that says on which side of a comparison the path is."""
    return f"side {number}"


def corner_name(number: int, timed: bool = False) -> str:
    """Input that lets the tangents jump at a comparison."""
    return f"corner {'in time ' if timed else ''}{number}"


def copy_name(model: Model, level: int) -> str:
    """State that holds a level."""
    return f"{model.level_names[level]} now"


def own_name(name: str, direction: Direction, zero: bool = False) -> str:
    """Input of a dose whose amount is varied."""
    return f"{name}, {direction.name}{' of 0' if zero else ''}"


Change = Callable[[Any, Any, Any], Mapping[str, Any]]
"""(amount, x, p) -> states that change."""


def _stop(amount: Any, x: Any, p: Any) -> Mapping[str, Any]:
    """Change nothing: the step ends here, and the next begins short."""
    return {}


def _set(name: str) -> Change:
    return lambda amount, x, p: {name: amount + 0.0 * getattr(x, name)}


def _begun(model: Model, copied: Sequence[int], clocked: bool) -> list[str]:
    """Parameters that say how a course begins: the levels that are copied, the first day."""
    return [*(f"{model.level_names[i]} at first" for i in copied), *([FIRST] if clocked else [])]


def _start(
    extended: Extended, start: Recorded, surfaces: Sequence[Surface], copied: Sequence[int], clocked: bool
) -> Callable[[Any], Mapping[str, Any]]:
    """The model's own start with its tangents and what is carried along."""
    model = extended.model
    names = dict(zip(extended.columns, extended.tangent_names))

    def initial(p: Any) -> Mapping[str, Any]:
        nodes = [*start.outputs, *(n for slope in start.slopes for n in slope.values())]
        of = tangent.computed(start.graph, nodes, _value(model, None, p))
        found: dict[str, Any] = {**dict.fromkeys(model.state_names, 0.0)}
        found |= {s: of[n] for s, n in zip(start.names, start.outputs)}
        states = dict(found)
        for (i, q), name in names.items():
            direction = extended.directions[q]
            if direction.kind == "state" and direction.index == i:
                found[name] = getattr(p, tangent.size(direction))
        for state, slope in zip(start.names, start.slopes):
            for q, direction in enumerate(extended.directions):
                i = model.state_names.index(state)
                if (i, q) in names and direction.kind != "state":
                    found[names[i, q]] = _along(extended, slope, of, {}, p, q)
        for k, surface in enumerate(surfaces):
            distance = surface.distance
            far = tangent.computed(distance.graph, distance.outputs, _value(model, None, p, None, states))
            found[side_name(k)] = less(0.0, far[distance.outputs[0]])
        begun = _begun(model, copied, clocked)
        carried = [*(copy_name(model, i) for i in copied), *([CLOCK] if clocked else [])]
        return found | {name: getattr(p, parameter) for name, parameter in zip(carried, begun)}

    return initial


Observed = Callable[[Any, Any, Any, Any], Mapping[str, Any]]


def _observed(extended: Extended, outputs: Recorded | None) -> tuple[Observed, tuple[tuple[str, int, int], ...]]:
    """Outputs and their tangents as observables of the joined model, and what is read of them."""
    if outputs is None:
        return (lambda t, x, p, u: {}), ()
    model, slopes = extended.model, outputs.slopes
    levels = {d.level: [q for q, e in enumerate(extended.directions) if e.level == d.level]
              for d in extended.directions if d.level >= 0}  # fmt: skip
    reads = [(name, i, -1) for i, name in enumerate(outputs.names)]
    columns = set(extended.columns)
    for i, name in enumerate(outputs.names):
        for q, d in enumerate(extended.directions):
            if any((kind == "state" and (j, q) in columns) or (kind, j) == (d.kind, d.index)
                   or (kind == "level" and q in levels.get(j, ())) for kind, j in slopes[i]):  # fmt: skip
                reads.append((f"{name}'{d.name}", i, q))

    def observables(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
        of_leaf = _value(model, x, p)

        def leaf(kind: str, index: int) -> Any:
            if kind == "level":
                return getattr(u, model.level_names[index])
            return t if kind == "time" else of_leaf(kind, index)

        nodes = [*outputs.outputs, *(n for slope in slopes for n in slope.values())]
        of, tangents = tangent.computed(outputs.graph, nodes, leaf), _tangent(extended, x)
        found: dict[str, Any] = {}
        for name, i, q in reads:
            if q < 0:
                found[name] = of[outputs.outputs[i]]
                continue
            total = _along(extended, slopes[i], of, tangents, p, q)
            for (kind, j), node in slopes[i].items():
                if kind == "level" and q in levels.get(j, ()):
                    total = total + of[node] * getattr(u, f"{extended.directions[q].name}'")
            found[name] = total
        return found

    return observables, tuple(reads)


def _value(model: Model, x: Any, p: Any, amount: Any = None, after: Mapping[str, Any] | None = None) -> Value:
    """Leaves as they stand in the joined state ``x``, some of its states replaced by those ``after`` a dose."""

    def value(kind: str, index: int) -> Any:
        if kind == "parameter":
            return amount if index == len(model.parameters) else getattr(p, model.parameters[index])
        if kind == "state":
            name = model.state_names[index]
            return after[name] if after is not None and name in after else getattr(x, name)
        if x is None:
            return getattr(p, FIRST)
        return getattr(x, CLOCK if kind == "time" else copy_name(model, index))

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
            found[side_name(k)] = less(0.0, seen[distance.outputs[0]])
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
        for far, pace in leaping(surface) if side is not None else ():
            day = getattr(x, CLOCK)
            near = LEAP * (1.0 + maximum(day, -day)) * maximum(of[pace], -of[pace])
            lasting = where(less(near, maximum(of[far], -of[far])), lasting, 0.0)
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
        return where(less(getattr(x, side_name(number)), 0.5), far(t, x, p) - TINY, -1.0)

    def falls(t: Any, x: Any, p: Any, u: Any) -> Any:
        return where(less(0.5, getattr(x, side_name(number))), -far(t, x, p), -1.0)

    give = corner_name(number)
    return Event(f"{give} rises", rises, give, 1.0, MOST), Event(f"{give} falls", falls, give, -1.0, MOST)
