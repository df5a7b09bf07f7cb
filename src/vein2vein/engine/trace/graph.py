"""A graph of expressions: every distinct subexpression once, constants folded, trivial arithmetic removed.

Nodes are numbered in the order in which they were made, so operands always come before what uses them. A node is an
operation and its operands; ``const`` carries a float, ``state``/``parameter``/``level`` an index, ``time`` nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Node = tuple[str, tuple[Any, ...]]

LEAVES = ("const", "time", "state", "parameter", "level")
COMMUTATIVE = ("add", "mul", "min", "max")


def _less(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    return np.where(np.less(x, y), 1.0, 0.0)


def _choose(c: ArrayLike, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    return np.where(np.asarray(c) != 0, x, y)


NUMPY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "pow": np.power,
    "floor": np.floor,
    "ceil": np.ceil,
    "sin": np.sin,
    "cos": np.cos,
    "atan": np.arctan,
    "tanh": np.tanh,
    "min": np.minimum,
    "max": np.maximum,
    "less": _less,
    "choose": _choose,
}


class Graph:
    """Hash-consed expressions; ``nodes[i]`` is (operation, operands), ``lines[i]`` where a division was written.

    ``logic``: ``&``, ``|`` or ``~`` were written, which Python's own numbers answer otherwise (``agreed.py``).
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._number: dict[Node, int] = {}
        self.lines: dict[int, tuple[str, str, int]] = {}
        self.logic = False
        self._orders: dict[tuple[int, ...], tuple[int, ...]] = {}

    def _intern(self, node: Node) -> int:
        number = self._number.get(node)
        if number is None:
            number = self._number[node] = len(self.nodes)
            self.nodes.append(node)
        return number

    def const(self, value: float) -> int:
        """Node of a number; -0.0 is 0.0."""
        return self._intern(("const", (float(value) + 0.0,)))

    def leaf(self, kind: str, index: int = 0) -> int:
        """Node of the time, or of a state, parameter or level by its index."""
        return self._intern((kind, (index,)))

    def value(self, node: int) -> float | None:
        """The number that a constant node stands for, else None."""
        op, args = self.nodes[node]
        return args[0] if op == "const" else None

    def apply(self, op: str, *args: int) -> int:
        """Node of an operation on nodes, simplified where that changes no value."""
        values = [self.value(a) for a in args]
        if all(v is not None for v in values):
            with np.errstate(all="ignore"):
                return self.const(float(NUMPY[op](*(np.float64(v) for v in values))))
        simple = _simplify(self, op, args, values)
        if simple is not None:
            return simple
        return self._intern((op, tuple(sorted(args)) if op in COMMUTATIVE else args))

    def operands(self, node: int) -> tuple[int, ...]:
        """Operand nodes; none for a leaf."""
        op, args = self.nodes[node]
        return () if op in LEAVES else args

    def order(self, outputs: tuple[int, ...]) -> tuple[int, ...]:
        """What ``needed`` gives, remembered as long as the graph lives."""
        found = self._orders.get(outputs)
        if found is None:
            found = self._orders[outputs] = tuple(needed(self, outputs))
        return found


def _simplify(g: Graph, op: str, args: Sequence[int], values: Sequence[float | None]) -> int | None:
    a, b = args[0], args[-1]
    va, vb = values[0], values[-1]
    minus_a, minus_b = _negated(g, a), _negated(g, b)
    if op == "add":
        if va == 0 or vb == 0:
            return b if va == 0 else a
        if minus_a is not None or minus_b is not None:
            return g.apply("sub", b, minus_a) if minus_a is not None else g.apply("sub", a, minus_b or 0)
    elif op == "sub":
        if va == 0 or vb == 0:
            return a if vb == 0 else g.apply("neg", b)
        return g.apply("add", a, minus_b) if minus_b is not None else None
    elif op == "mul":
        if va == 0 or vb == 0:
            return g.const(0.0)
        if va == 1 or vb == 1:
            return b if va == 1 else a
        if va == -1 or vb == -1:
            return g.apply("neg", b if va == -1 else a)
        if minus_a is not None or minus_b is not None:
            first, second = (minus_a, b) if minus_a is not None else (a, minus_b or 0)
            return g.apply("neg", g.apply("mul", first, second))
    elif op == "div":
        if va == 0 or vb == 1:
            return a
        if minus_a is not None:
            return g.apply("neg", g.apply("div", minus_a, b))
        if vb is not None and vb != 0 and math.frexp(vb)[0] == 0.5 and abs(vb) < 2.0**1000:
            return g.apply("mul", a, g.const(1 / vb))
    elif op == "neg":
        return minus_a
    elif op in ("min", "max"):
        return a if a == b else None
    elif op == "choose":
        if va is not None:
            return args[1] if va != 0 else args[2]
        return args[1] if args[1] == args[2] else None
    return None


def _negated(g: Graph, node: int) -> int | None:
    """The node of which this one is the negative, if it is one."""
    op, args = g.nodes[node]
    return args[0] if op == "neg" else None


def needed(g: Graph, outputs: Iterable[int]) -> list[int]:
    """Nodes that the outputs rest on, operands first; an output's own subtree stays together."""
    order: list[int] = []
    done: set[int] = set()
    for output in outputs:
        stack = [(output, False)]
        while stack:
            node, ready = stack.pop()
            if node in done:
                continue
            if ready:
                done.add(node)
                order.append(node)
                continue
            stack.append((node, True))
            stack.extend((a, False) for a in reversed(g.operands(node)) if a not in done)
    return order


def straying(g: Graph, outputs: Iterable[int]) -> tuple[int, ...]:
    """States under a root, a logarithm or a power, which do not exist for every number; a maximum makes them safe.

    Between two steps a state may lie a little beyond its bounds. Rates see these states within them.
    """
    found: set[int] = set()
    for node in needed(g, outputs):
        op, args = g.nodes[node]
        if op in ("sqrt", "log", "pow") and not _guarded(g, args[0]):
            found |= {g.nodes[below][1][0] for below in needed(g, args) if g.nodes[below][0] == "state"}
    return tuple(sorted(found))


def _guarded(g: Graph, node: int) -> bool:
    op, args = g.nodes[node]
    return op == "max" and any((g.value(a) or 0.0) >= 0.0 for a in args if g.value(a) is not None)


def uses(g: Graph, order: Iterable[int], outputs: Iterable[int]) -> dict[int, int]:
    """How often each node is used, as an operand or as an output."""
    count: dict[int, int] = {}
    for node in order:
        count.setdefault(node, 0)
        for a in g.operands(node):
            count[a] = count.get(a, 0) + 1
    for output in outputs:
        count[output] += 1
    return count


def evaluate(g: Graph, outputs: Sequence[int], t: Any, x: Any, p: Any, u: Any) -> list[Any]:
    """Values of the outputs by numpy; ``x``, ``p``, ``u`` are indexable by state, parameter and level number."""
    values: dict[int, Any] = {}
    of = {"state": x, "parameter": p, "level": u}
    with np.errstate(all="ignore"):
        for node in needed(g, outputs):
            op, args = g.nodes[node]
            if op == "const":
                values[node] = args[0]
            elif op in LEAVES:
                values[node] = t if op == "time" else of[op][args[0]]
            else:
                values[node] = NUMPY[op](*(values[a] for a in args))
    return [values[o] for o in outputs]
