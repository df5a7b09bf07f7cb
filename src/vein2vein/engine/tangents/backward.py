"""The adjoint of a model as a model of its own: how a sum of values moves with states and parameters, backward in time.

With rates f(t, x, p, u), l' = -l J and m' = -l df/dp, in the time s = -t. Here ``l`` and ``m`` come per size of what
they belong to. The states themselves are known: a polynomial of the time on each piece of the way, whose coefficients
are levels of this model. So are the sides of comparisons, and which states stand at a bound, which change between
pieces only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vein2vein.engine.tangents import tangent
from vein2vein.engine.trace import content
from vein2vein.engine.trace.differentiated import Recorded, differentiated
from vein2vein.engine.trace.graph import Graph, needed
from vein2vein.engine.trace.kept import Kept
from vein2vein.models.mathematics import maximum, minimum
from vein2vein.models.model import Input, Model, State, derived

DEGREE = 5
"""Of the polynomials."""
SCALE = 1e-6
"""Scale of what is solved here: 1 is the size of the whole sum."""


@dataclass(frozen=True)
class Backward:
    """The adjoint of a model.

    Attributes
    ----------
    model : Model
        States: of each state of the model, of each wanted parameter, of each wanted level. Parameters: those of the
        model, sizes of the states, their inverses, sizes of what else is wanted. Levels: those of the model; ``sides``;
        1 for each of ``bounded`` that is free to move; the middle of the piece; the inverse of half its length;
        coefficients, lowest first, of each state of ``read``.
    rates : Recorded
    sides : tuple of int
        Nodes of comparisons.
    bounded, read : tuple of int
        States.
    parameters, levels : tuple of int
        Wanted.
    """

    model: Model
    rates: Recorded
    sides: tuple[int, ...]
    bounded: tuple[int, ...]
    read: tuple[int, ...]
    parameters: tuple[int, ...]
    levels: tuple[int, ...]


_kept: Kept[Backward] = Kept(16)


def backward(model: Model, parameters: Sequence[int], levels: Sequence[int]) -> Backward:
    """The adjoint of a model, by some of its parameters and levels."""
    key = (model.name, content.rates(model), tuple(parameters), tuple(levels))
    return _kept.get(key, lambda: _make(model, tuple(parameters), tuple(levels)))


def _make(model: Model, parameters: tuple[int, ...], levels: tuple[int, ...]) -> Backward:
    rates = differentiated(model, model.equations)
    g, count = rates.graph, len(model.level_names)
    sides = _sides(g, rates.outputs)
    wanted = [("state", i) for i in range(len(model.states))]
    wanted += [("parameter", j) for j in parameters] + [("level", j) for j in levels]
    terms = [
        (row, place, slope[key])
        for place, key in enumerate(wanted)
        for row, slope in zip((model.state_names.index(n) for n in rates.names), rates.slopes)
        if key in slope
    ]
    known = {node: g.leaf("level", count + k) for k, node in enumerate(sides)}
    nodes = _with(g, [node for *_, node in terms], known)
    leaves = [g.nodes[n] for n in needed(g, nodes)]
    read: tuple[int, ...] = tuple(sorted({args[0] for op, args in leaves if op == "state"}))
    bounded = tuple(i for i, s in enumerate(model.states) if math.isfinite(s.low) or math.isfinite(s.high))
    names = [f"by {name}" for name in _names(model, wanted)]
    sized = [*(f"size of {s}" for s in model.state_names), *(f"per {s}" for s in model.state_names)]
    sized += [f"size by {name}" for name in _names(model, wanted)[len(model.states) :]]
    coefficients = [[f"{model.state_names[i]} {k}" for k in range(DEGREE + 1)] for i in read]
    extra = [*(f"side {k}" for k in range(len(sides))), *(f"{model.state_names[i]} free" for i in bounded)]
    extra += ["middle", "per half", *(name for of in coefficients for name in of)]

    def equations(s: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
        share = (-s - u.middle) * getattr(u, "per half")
        at: dict[int, Any] = {i: _polynomial(model.states[i], of, share, u) for i, of in zip(read, coefficients)}
        sides_now = [getattr(u, f"side {k}") for k in range(len(sides))]

        def leaf(kind: str, index: int) -> Any:
            if kind == "time":
                return -s
            if kind == "level":
                return getattr(u, model.level_names[index]) if index < count else sides_now[index - count]
            return at[index] if kind == "state" else getattr(p, model.parameters[index])

        of = tangent.computed(g, nodes, leaf)
        moves: list[Any] = []
        for i, state in enumerate(model.state_names):
            move = getattr(x, names[i]) * getattr(p, f"per {state}")
            moves.append(move * getattr(u, f"{state} free") if i in bounded else move)
        total: list[Any] = [0.0] * len(wanted)
        for (row, place, _), node in zip(terms, nodes):
            total[place] = total[place] + moves[row] * of[node]
        sizes = [*sized[: len(model.states)], *sized[2 * len(model.states) :]]
        return {name: value * getattr(p, size) for name, value, size in zip(names, total, sizes)}

    made = derived(
        model,
        name=f"{model.name} backward",
        states=tuple(State(name, name, "1", SCALE) for name in names),
        inputs=tuple(Input(n, n, "1", "level") for n in (*model.level_names, *extra)),
        parameters=(*model.parameters, *sized),
        equations=equations,
        initial=_nothing,
        apply_dose=_none,
        observables=_unobserved,
        example={},
        example_doses=(),
    )
    return Backward(made, rates, sides, bounded, read, parameters, levels)


def _names(model: Model, wanted: Sequence[tuple[str, int]]) -> list[str]:
    of: dict[str, Sequence[str]] = {
        "state": model.state_names,
        "parameter": model.parameters,
        "level": model.level_names,
    }
    return [f"{kind} {of[kind][i]}" for kind, i in wanted]


def _polynomial(state: State, names: Sequence[str], share: Any, u: Any) -> Any:
    """A state by its polynomial, within its bounds."""
    value = getattr(u, names[-1])
    for name in names[-2::-1]:
        value = value * share + getattr(u, name)
    if math.isfinite(state.low):
        value = maximum(value, state.low)
    return minimum(value, state.high) if math.isfinite(state.high) else value


def _sides(g: Graph, outputs: Sequence[int]) -> tuple[int, ...]:
    """Comparisons that change along a path."""
    moving: dict[int, bool] = {}
    found: list[int] = []
    for node in needed(g, outputs):
        op, _ = g.nodes[node]
        moving[node] = op in ("time", "state") or any(moving[a] for a in g.operands(node))
        if op == "less" and moving[node]:
            found.append(node)
    return tuple(found)


def _with(g: Graph, outputs: Sequence[int], known: Mapping[int, int]) -> list[int]:
    """The outputs with other nodes in the place of some."""
    now: dict[int, int] = {}
    for node in needed(g, outputs):
        if node in known:
            now[node] = known[node]
        else:
            op, _ = g.nodes[node]
            operands = g.operands(node)
            now[node] = g.apply(op, *(now[a] for a in operands)) if operands else node
    return [now[o] for o in outputs]


def _nothing(p: Any) -> Mapping[str, Any]:
    return {}


def _none(name: str, amount: Any, x: Any, p: Any) -> Mapping[str, Any]:
    return {}


_unobserved: Callable[[Any, Any, Any, Any], Mapping[str, Any]] = lambda t, x, p, u: {}  # noqa: E731
