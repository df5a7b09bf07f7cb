"""A model joined by its tangents: how each state moves with chosen parameters, initial states and doses.

The joined system is itself a model (states, then their tangents), so every solver of the engine takes it. Its rates are
f and J_x S + J_p as expressions of one graph: what the tangents share is written once, and a tangent that is zero
whatever the numbers (nothing it rests on depends on the chosen quantity) is left out.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.method import tableau
from vein2vein.engine.trace.derivative import chained
from vein2vein.engine.trace.differentiated import Recorded, differentiated
from vein2vein.engine.trace.graph import LEAVES, NUMPY, Graph, needed, uses
from vein2vein.engine.trace.recording import record
from vein2vein.errors import InputError, unknown
from vein2vein.models import mathematics
from vein2vein.models.model import Input, Model, State, derived

Matrix = NDArray[np.float64]

ORIGIN, PACE = "clock origin", tableau.PACE
"""Levels of a paced model: its time is origin + pace * day, so that each patient can end a segment at its own day."""

STATE, DOSE = "state:", "dose:"

Link = tuple[int, set[tuple[str, int]]]
"""A state and the leaves (kind, index) that may move it."""

_REPLAY: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv, "neg": operator.neg,
    "exp": mathematics.exp, "log": mathematics.log, "sqrt": mathematics.sqrt, "min": mathematics.minimum,
    "max": mathematics.maximum, "less": mathematics.less, "choose": mathematics.where,
    "pow": mathematics.raised, "floor": mathematics.floor, "ceil": mathematics.ceil, "sin": mathematics.sin,
    "cos": mathematics.cos, "atan": mathematics.atan, "tanh": mathematics.tanh,
}  # fmt: skip


@dataclass(frozen=True)
class Direction:
    """What a derivative is taken with respect to.

    Attributes
    ----------
    name : str
        A parameter's name, "state:NAME" (its initial value) or "dose:I" (the amount of dose number I, from 0).
    kind : {"parameter", "state", "dose"}
    index : int
        Of the parameter, of the state, or of the dose in the list of doses.
    level : int
        The level that the dose sets, -1 for any other direction.
    """

    name: str
    kind: str
    index: int
    level: int = -1


@dataclass(frozen=True)
class Extended:
    """A model with its tangents.

    Attributes
    ----------
    model : Model
        As it was.
    directions : tuple of Direction
    joined : Model
        States, then tangents.
    rows, directions_of : ndarray of int (tangents,)
        State and direction of each tangent in ``joined``.
    """

    model: Model
    directions: tuple[Direction, ...]
    joined: Model
    rows: NDArray[np.int64]
    directions_of: NDArray[np.int64]

    def split(self, joined: Matrix) -> tuple[Matrix, Matrix]:
        """States (n, s) and tangents (n, s, q) of a joined state (n, s + tangents)."""
        count = len(self.model.states)
        tangents = np.zeros((len(joined), count, len(self.directions)))
        tangents[:, self.rows, self.directions_of] = joined[:, count:]
        return joined[:, :count], tangents

    def join(self, state: Matrix, tangents: Matrix) -> Matrix:
        """The reverse of ``split``."""
        return np.concatenate([state, tangents[:, self.rows, self.directions_of]], axis=1)


def directions(model: Model, wrt: Iterable[str], doses: Sequence[str] = ()) -> tuple[Direction, ...]:
    """Read what derivatives are asked for; ``doses`` are the inputs that are given, dose by dose."""
    found = []
    for name in wrt:
        if name.startswith(STATE):
            found.append(Direction(name, "state", _index(model, "state", name[len(STATE) :], model.state_names)))
        elif name.startswith(DOSE):
            number = name[len(DOSE) :]
            if not (number.isascii() and number.isdigit()) or int(number) >= len(doses):
                raise InputError(f"'{name}' names no dose; there are {len(doses)}, numbered from 0: give '{DOSE}0'")
            given = doses[int(number)]
            level = model.level_names.index(given) if given in model.level_names else -1
            found.append(Direction(name, "dose", int(number), level))
        else:
            found.append(Direction(name, "parameter", _index(model, "parameter", name, model.parameters)))
    twice = {d.name for d in found if [e.name for e in found].count(d.name) > 1}
    if twice:
        raise InputError(f"derivatives with respect to {', '.join(sorted(twice))} are asked for twice; name each once")
    return tuple(found)


def _index(model: Model, what: str, name: str, known: Sequence[str]) -> int:
    if name not in known:
        raise InputError(f"model {model.name}: {unknown(what, name, tuple(known))}")
    return known.index(name)


def values(g: Graph, outputs: Sequence[int], t: Any, x: Matrix, p: Matrix, u: Matrix) -> list[Matrix]:
    """Each output (n,) for states (n, s), parameters (n, p) and levels (n, l)."""
    of = {"state": x, "parameter": p, "level": u}
    found: dict[int, Any] = {}
    with np.errstate(all="ignore"):
        for node in g.order(tuple(outputs)):
            op, args = g.nodes[node]
            if op == "const":
                found[node] = args[0]
            elif op in LEAVES:
                found[node] = t if op == "time" else of[op][:, args[0]]
            else:
                found[node] = NUMPY[op](*(found[a] for a in args))
    return [np.broadcast_to(found[o], (len(p),)) for o in outputs]


def moved(
    function: Recorded, t: Any, x: Matrix, p: Matrix, u: Matrix, seeds: Mapping[tuple[str, int], Matrix], count: int
) -> tuple[Matrix, Matrix]:
    """Values (n, m) of a recorded function, and their tangents (n, m, q) from those of what it rests on.

    Parameters
    ----------
    x, p, u : ndarray (n, states), (n, parameters), (n, levels)
    seeds : mapping of (kind, index) to ndarray (n, q) or (q,)
        Tangents of the leaves that move.
    count : int
        Number of directions q.
    """
    wanted = [[(key, node) for key, node in slope.items() if key in seeds] for slope in function.slopes]
    nodes = [*function.outputs, *(node for pairs in wanted for _, node in pairs)]
    found = values(function.graph, nodes, t, x, p, u)
    rest = iter(found[len(function.outputs) :])
    tangents = np.zeros((len(p), len(function.outputs), count))
    for i, pairs in enumerate(wanted):
        for key, _ in pairs:
            tangents[:, i] += next(rest)[:, None] * seeds[key]
    outputs = found[: len(function.outputs)]
    return np.stack(outputs, axis=1) if outputs else np.zeros((len(p), 0)), tangents


def directional(g: Graph, outputs: Sequence[int], seeds: Sequence[Mapping[int, int]]) -> list[list[int | None]]:
    """Per direction, the tangent of each output; None where it is zero whatever the numbers.

    ``seeds[q]`` maps the leaves that move in direction q to the nodes of their tangents. An intermediate value that
    several others use gets a tangent of its own, so that long chains of products are not multiplied out.
    """
    order = needed(g, outputs)
    used = uses(g, order, outputs)
    one = g.const(1.0)
    moving = {leaf for seed in seeds for leaf in seed}
    slope: dict[int, dict[int, int]] = {}
    pivots: list[tuple[int, dict[int, int]]] = []
    for node in order:
        slope[node] = {node: one} if node in moving else chained(g, node, slope)
        if len(slope[node]) > 1 and used[node] > 1:
            pivots.append((node, slope[node]))
            slope[node] = {node: one}
    found: list[list[int | None]] = []
    for seed in seeds:
        tangent = dict(seed)
        for node, slopes in pivots:
            value = _total(g, slopes, tangent)
            if value is not None:
                tangent[node] = value
        found.append([_total(g, slope[o], tangent) for o in outputs])
    return found


def _total(g: Graph, slopes: Mapping[int, int], tangent: Mapping[int, int]) -> int | None:
    total: int | None = None
    for base, slope in slopes.items():
        if base in tangent:
            term = g.apply("mul", slope, tangent[base])
            total = term if total is None else g.apply("add", total, term)
    return None if total is None or g.value(total) == 0 else total


def extend(
    model: Model, chosen: Sequence[Direction], doses: Mapping[str, Recorded], start: Recorded, *,
    given: Mapping[int, str] | None = None, links: Iterable[Link] = (), paced: bool = False,
) -> Extended:  # fmt: skip
    """Join a model with its tangents.

    Parameters
    ----------
    doses : mapping of input name to Recorded
        Doses that may be given (levels left out): they may make a tangent differ from zero.
    start : Recorded
        The start; without outputs where the states are given.
    given : mapping of direction number to input name
        For directions of the kind "dose".
    links : iterable of Link
        What else may move states: the corners of the path.
    paced : bool
        With a clock per patient: levels ``ORIGIN`` and ``PACE``.
    """
    active = _active(model, chosen, doses, start, given or {}, links)
    count = len(model.states)
    names = [f"{model.states[i].name}'{chosen[q].name}" for q in range(len(chosen)) for i in active[q]]
    columns = [(i, q) for q in range(len(chosen)) for i in active[q]]
    level_tangents = [q for q, d in enumerate(chosen) if d.level >= 0]
    levels = [*model.level_names, *(f"{chosen[q].name}'" for q in level_tangents), *((ORIGIN, PACE) if paced else ())]

    def rates(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
        time = getattr(u, ORIGIN) + getattr(u, PACE) * t if paced else t
        return model.equations(time, x, p, u)

    states = (*model.state_names, *names)
    g, outputs = record(model.name, rates, states, model.parameters, levels)
    primal = [outputs[s] for s in model.state_names]
    seeds: list[dict[int, int]] = [{} for _ in chosen]
    for place, (i, q) in enumerate(columns):
        seeds[q][g.leaf("state", i)] = g.leaf("state", count + place)
    for q, direction in enumerate(chosen):
        if direction.kind == "parameter":
            seeds[q][g.leaf("parameter", direction.index)] = g.const(1.0)
    for place, q in enumerate(level_tangents):
        seeds[q][g.leaf("level", chosen[q].level)] = g.leaf("level", len(model.level_names) + place)
    tangents = directional(g, primal, seeds)
    zero = g.const(0.0)
    held = [_held(g, state, i, primal[i]) for i, state in enumerate(model.states)]
    moves = []
    for i, q in columns:
        move = tangents[q][i]
        moves.append(zero if move is None else g.apply("choose", held[i], zero, move))
    nodes = [*primal, *moves]
    if paced:
        pace = g.leaf("level", len(levels) - 1)
        nodes = [g.apply("mul", pace, node) for node in nodes]
    joined = derived(
        model,
        name=f"{model.name} with tangents",
        states=(*model.states, *(_tangent_state(model.states[i], chosen[q]) for i, q in columns)),
        inputs=(*model.inputs, *(Input(level, level, "1", "level") for level in levels[len(model.level_names) :])),
        equations=_replay(g, nodes, states, model.parameters, levels),
    )
    table = np.array(columns, dtype=np.int64).reshape(-1, 2)
    return Extended(model, tuple(chosen), joined, table[:, 0], table[:, 1])


def _tangent_state(state: State, direction: Direction) -> State:
    name, meaning = f"{state.name}'{direction.name}", f"{state.meaning}, change with {direction.name}"
    return State(name, meaning, state.unit, math.inf)


def _held(g: Graph, state: State, index: int, rate: int) -> int:
    """1 where the state stands at a bound and its rate leads out of it: it then moves with nothing."""
    x, zero, one = g.leaf("state", index), g.const(0.0), g.const(1.0)
    held = zero
    for bound, low in ((state.low, True), (state.high, False)):
        if math.isfinite(bound):
            inside = g.apply("less", *((g.const(bound), x) if low else (x, g.const(bound))))
            outward = g.apply("less", *((rate, zero) if low else (zero, rate)))
            held = g.apply("add", held, g.apply("mul", g.apply("sub", one, inside), outward))
    return held


def _replay(
    g: Graph, outputs: Sequence[int], states: Sequence[str], parameters: Sequence[str], levels: Sequence[str]
) -> Callable[[Any, Any, Any, Any], Mapping[str, Any]]:
    """Equations that a graph stands for, as a model's own: for floats, arrays and traced expressions."""
    order = needed(g, outputs)
    names: dict[str, Sequence[str]] = {"state": states, "parameter": parameters, "level": levels}

    def equations(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
        of = {"state": x, "parameter": p, "level": u}
        value: dict[int, Any] = {}
        for node in order:
            op, args = g.nodes[node]
            if op == "const":
                value[node] = args[0]
            elif op in LEAVES:
                value[node] = t if op == "time" else getattr(of[op], str(names[op][args[0]]))
            else:
                value[node] = _REPLAY[op](*(value[a] for a in args))
        return {name: value[node] for name, node in zip(states, outputs)}

    return equations


def _active(
    model: Model, chosen: Sequence[Direction], doses: Mapping[str, Recorded], start: Recorded, given: Mapping[int, str],
    corners: Iterable[Link],
) -> list[list[int]]:  # fmt: skip
    """States whose tangent may differ from zero, per direction."""
    places = {name: i for i, name in enumerate(model.state_names)}
    rates = differentiated(model, model.equations)
    links = list(corners)
    for function, once in ((rates, False), (start, True), *((d, True) for d in doses.values())):
        for name, slope in zip(function.names, function.slopes):
            keys = {k for k in slope if k[0] != "level"} if once else set(slope)
            links.append((places[name], keys))
    found = []
    for q, direction in enumerate(chosen):
        moving: set[tuple[str, int]] = set()
        if direction.kind == "dose" and direction.level >= 0:
            moving.add(("level", direction.level))
        elif direction.kind == "dose":
            moving |= {("state", places[name]) for name in doses[given[q]].names}
        else:
            moving.add((direction.kind, direction.index))
        while True:
            more = {("state", i) for i, keys in links if keys & moving} - moving
            if not more:
                break
            moving |= more
        found.append(sorted(i for kind, i in moving if kind == "state"))
    return found
