"""How far a path is from a corner: recorded distances, what they rest on and where they leap themselves."""

from __future__ import annotations

from collections.abc import Sequence

from vein2vein.engine.trace.derivative import partials
from vein2vein.engine.trace.differentiated import Recorded
from vein2vein.engine.trace.graph import Graph, needed

ROUNDED = ("floor", "ceil")


def function_of(g: Graph, node: int) -> Recorded:
    """A node with its partial derivatives."""
    kinds = ("time", "state", "parameter", "level")
    slope = {(kind, j): n for kind in kinds for j, n in partials(g, [node], kind)[0].items()}
    return Recorded(g, ("distance",), (node,), (slope,))


def plain(g: Graph, nodes: Sequence[int]) -> Recorded:
    """Rates without their slopes."""
    return Recorded(g, (), tuple(nodes), tuple({} for _ in nodes))


def leaves(function: Recorded, nodes: Sequence[int]) -> set[str]:
    """Kinds of the leaves that nodes rest on."""
    return {function.graph.nodes[node][0] for node in needed(function.graph, nodes)}


def is_line(distance: Recorded) -> bool:
    """Whether a distance changes with the time at a pace that is the same throughout, whatever the states."""
    pace = distance.slopes[0].get(("time", 0))
    here = leaves(distance, distance.outputs)
    return pace is not None and not here & {"state", "level"} and "time" not in leaves(distance, [pace])


def leaps(distance: Recorded) -> list[Recorded]:
    """What decides where a distance itself leaps on the way: what is compared or rounded in it."""
    g = distance.graph
    found: list[Recorded] = []
    for node in needed(g, distance.outputs):
        op, args = g.nodes[node]
        if op in (*ROUNDED, "less"):
            side = args[0] if op in ROUNDED else g.apply("sub", args[1], args[0])
            if kinds(g, side) & {"time", "state"}:
                found.append(function_of(g, side))
    return found


def kinds(g: Graph, node: int) -> set[str]:
    """Kinds of the operations and leaves that a node rests on."""
    return {g.nodes[below][0] for below in needed(g, [node])}


def put(g: Graph, outputs: Sequence[int], node: int, other: int) -> list[int]:
    """The outputs with another node in the place of one."""
    now: dict[int, int] = {}
    for below in needed(g, outputs):
        op, args = g.nodes[below]
        if below == node:
            now[below] = other
        else:
            now[below] = g.apply(op, *(now[a] for a in args)) if g.operands(below) else below
    return [now[o] for o in outputs]
