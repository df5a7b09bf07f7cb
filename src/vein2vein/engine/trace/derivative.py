"""Exact partial derivatives of recorded expressions, as further expressions of the same graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vein2vein.engine.trace.graph import Graph, needed
from vein2vein.engine.trace.recording import Traced


def jacobian(traced: Traced) -> dict[tuple[int, int], int]:
    """Partial derivatives of a model's rates: {(row, column): node}, structural zeros left out."""
    rows = partials(traced.graph, traced.derivatives, "state")
    return {(i, j): node for i, row in enumerate(rows) for j, node in row.items()}


def partials(g: Graph, outputs: Sequence[int], kind: str) -> list[dict[int, int]]:
    """Per output, {index: node} of its partial derivatives with respect to the leaves of a kind ("state", "parameter").

    At a kink (minimum, maximum, less, choose) the derivative is that of the branch taken; ``less``, ``floor`` and
    ``ceil`` have derivative 0. A root of 0, whose slope is infinite, is taken to rest: its derivative is 0.
    """
    slope: dict[int, dict[int, int]] = {}
    one = g.const(1.0)
    for node in needed(g, outputs):
        op, args = g.nodes[node]
        if op == kind:
            slope[node] = {args[0]: one}
        else:
            slope[node] = chained(g, node, slope)
    return [{j: n for j, n in sorted(slope[o].items()) if g.value(n) != 0} for o in outputs]


def chained(g: Graph, node: int, slope: Mapping[int, dict[int, int]]) -> dict[int, int]:
    """Slopes of a node from those of its operands, by the chain rule; none for a leaf."""
    op, args = g.nodes[node]
    if not g.operands(node) or op in ("less", "floor", "ceil"):
        return {}
    if op == "choose":
        return _choose(g, args[0], slope[args[1]], slope[args[2]])
    if op in ("min", "max"):
        first = g.apply("less", *(args if op == "min" else args[::-1]))
        return _choose(g, first, slope[args[0]], slope[args[1]])
    return _weighted(g, [(slope[a], w) for a, w in zip(args, _local(g, node, op, args)) if slope[a]])


def _local(g: Graph, node: int, op: str, args: Sequence[int]) -> list[int]:
    """Derivative of an operation with respect to each operand."""
    one = g.const(1.0)
    if op == "add":
        return [one, one]
    if op == "sub":
        return [one, g.const(-1.0)]
    if op == "mul":
        return [args[1], args[0]]
    if op == "div":
        return [g.apply("div", one, args[1]), g.apply("neg", g.apply("div", node, args[1]))]
    if op == "neg":
        return [g.const(-1.0)]
    if op == "exp":
        return [node]
    if op == "log":
        return [g.apply("div", one, args[0])]
    if op == "sqrt":
        return [g.apply("choose", node, g.apply("div", g.const(1 / 2), node), g.const(0.0))]
    if op == "sin":
        return [g.apply("cos", args[0])]
    if op == "cos":
        return [g.apply("neg", g.apply("sin", args[0]))]
    if op == "atan":
        return [g.apply("div", one, g.apply("add", one, g.apply("mul", args[0], args[0])))]
    if op == "tanh":
        return [g.apply("sub", one, g.apply("mul", node, node))]
    if op == "pow":
        return _of_power(g, node, *args)
    raise ValueError(f"no derivative is known for the operation '{op}'")


def _of_power(g: Graph, node: int, x: int, n: int) -> list[int]:
    """Derivatives of x^n: n x^(n-1), at x = 0 that of 0, x or a root at rest; and x^n log x, at x = 0 nothing."""
    one = g.const(1.0)
    slope = g.apply("mul", n, g.apply("pow", x, g.apply("sub", n, one)))
    other = g.apply("add", g.apply("less", n, one), g.apply("less", one, n))
    by_base = g.apply("choose", x, slope, g.apply("sub", one, other))
    return [by_base, g.apply("mul", node, g.apply("log", g.apply("choose", x, x, one)))]


def _weighted(g: Graph, terms: Sequence[tuple[dict[int, int], int]]) -> dict[int, int]:
    total: dict[int, int] = {}
    for slopes, weight in terms:
        for j, s in slopes.items():
            product = g.apply("mul", s, weight)
            total[j] = g.apply("add", total[j], product) if j in total else product
    return total


def _choose(g: Graph, condition: int, x: dict[int, int], y: dict[int, int]) -> dict[int, int]:
    zero = g.const(0.0)
    return {j: g.apply("choose", condition, x.get(j, zero), y.get(j, zero)) for j in {**x, **y}}
