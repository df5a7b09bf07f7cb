"""Rewrites expressions into ones that cost less, before they become instructions.

- A power written as e^(n log x), as ``mathematics.power`` and ``hill`` do, is a product or a root where n is such a
  number and x is known not to be negative.
- A division by a number is a multiplication by its reciprocal.
- What several things are divided by is inverted once.

Each changes the last bit of a value at most, and the same bit at every vector width.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vein2vein.engine.llvm.vector_math import LEAST_NORMAL
from vein2vein.engine.trace.graph import LEAVES, Graph, needed

_POWERS = (0.5, 1.0, 2.0, 3.0, 4.0)


def cheaper(g: Graph, outputs: Sequence[int], into: Graph) -> list[int]:
    """Nodes of ``into`` that mean the same as these outputs."""
    number = _copied(g, outputs, into, {})
    found = [number[output] for output in outputs]
    divided = Counter(into.nodes[n][1][1] for n in needed(into, found) if into.nodes[n][0] == "div")
    number = _copied(into, found, into, divided)
    return [number[output] for output in found]


def _copied(g: Graph, outputs: Sequence[int], into: Graph, divided: dict[int, int]) -> dict[int, int]:
    """Map the nodes behind outputs to nodes of ``into``; ``divided`` counts how often a node is divided by."""
    number: dict[int, int] = {}
    for node in needed(g, outputs):
        op, args = g.nodes[node]
        if op == "const":
            number[node] = into.const(args[0])
        elif op in LEAVES:
            number[node] = into.leaf(op, args[0])
        elif op == "div" and divided.get(args[1], 0) > 1:
            inverse = into.apply("div", into.const(1.0), number[args[1]])
            number[node] = into.apply("mul", number[args[0]], inverse)
        else:
            number[node] = _operation(into, op, [number[a] for a in args])
    return number


def _operation(g: Graph, op: str, args: Sequence[int]) -> int:
    if op == "exp":
        power = _power(g, args[0])
        if power is not None:
            return power
    if op == "div":
        by = abs(g.value(args[1]) or 0.0)
        if LEAST_NORMAL < by < 1 / LEAST_NORMAL:
            return g.apply("mul", args[0], g.apply("div", g.const(1.0), args[1]))
    return g.apply(op, *args)


def _power(g: Graph, exponent: int) -> int | None:
    """x^n, where the exponent is n log x and x the larger of something and a number that is not negative."""
    op, args = _node(g, exponent)
    n, log = 1.0, exponent
    if op == "mul":
        n, log = next(
            ((g.value(a) or 0.0, b) for a, b in (args, args[::-1]) if g.value(a) is not None), (0.0, exponent)
        )
    op, args = _node(g, log)
    if n not in _POWERS or op != "log":
        return None
    x = args[0]
    op, args = _node(g, x)
    if op != "max" or not any((g.value(a) or -1.0) > 0 for a in args):
        return None
    if n == 1 / 2:
        return g.apply("sqrt", x)
    found = x
    for _ in range(round(n) - 1):
        found = g.apply("mul", found, x)
    return found


def _node(g: Graph, node: int) -> tuple[str, tuple[int, ...]]:
    """Operation and operands."""
    op, _ = g.nodes[node]
    return op, g.operands(node)
