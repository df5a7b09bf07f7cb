"""Writes a recorded model as LLVM assembly: straight-line code for a vector of patients.

Two functions per model: ``prepare`` computes once per call what depends on parameters and levels only, and ``rates``
the time derivatives. Products that are only added to something become fused multiply-adds; a division by something that
does not change in time becomes a multiplication by its reciprocal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from vein2vein.engine.llvm import trigonometry
from vein2vein.engine.llvm.scheduling import interleaved
from vein2vein.engine.llvm.vector_math import LEAST_NORMAL, Assembly, exponential, lesser, logarithm
from vein2vein.engine.trace.graph import LEAVES, Graph, needed, straying, uses

_ARITHMETIC = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_FUNCTIONS: dict[str, Callable[..., str]] = {
    "neg": Assembly.negative, "sqrt": Assembly.sqrt, "exp": exponential, "pow": trigonometry.power,
    "floor": trigonometry.floor, "ceil": partial(trigonometry.floor, up=True), "sin": trigonometry.sine,
    "cos": partial(trigonometry.sine, quarters=1), "atan": trigonometry.arc_tangent,
    "tanh": trigonometry.hyperbolic_tangent,
}  # fmt: skip
ATTRIBUTES = '{ nounwind "min-legal-vector-width"="512" "prefer-vector-width"="512" }'


@dataclass
class _Plan:
    """What is computed where: ``kept`` maps a time-invariant node, or (node, reciprocal), to its slot."""

    graph: Graph
    outputs: Sequence[int]
    order: list[int]
    used: dict[int, int]
    steady: dict[int, bool]
    kept: dict[tuple[int, bool], int] = field(default_factory=dict[tuple[int, bool], int])

    def slot(self, node: int, reciprocal: bool = False) -> int:
        return self.kept.setdefault((node, reciprocal), len(self.kept))


Bounds = Sequence[tuple[float, float]]


def functions(
    g: Graph, outputs: Sequence[int], bounds: Bounds, width: int, fused: bool,
    slopes: Sequence[tuple[int, int]] | None = None,
) -> tuple[str, int]:  # fmt: skip
    """Assembly of ``prepare`` and ``rates`` and the number of time-invariant values between them.

    ``bounds`` are each state's (low, high): its rate is 0 where it leads out of them. ``prepare(p, u, kept)`` and
    ``rates(t, x, p, u, kept, out)`` take pointers to arrays of vectors. With ``slopes``, (state, node) of partial
    derivatives of rates (there may be none), also ``slopes(t, x, p, u, kept, out, partials)``, which gives rates and
    partial derivatives, both 0 where a rate leads out of bounds.
    """
    plan = _plan(g, outputs, {})
    parts = [_rates(plan, bounds, Assembly(width, fused))]
    everything = plan
    if slopes is not None:
        everything = _plan(g, [*outputs, *(node for _, node in slopes)], plan.kept)
        parts.append(_rates(everything, bounds, Assembly(width, fused), [state for state, _ in slopes]))
    parts.insert(0, _prepare(everything, Assembly(width, fused)))
    return "\n".join(parts), len(plan.kept)


def straight(name: str, g: Graph, outputs: Sequence[int], width: int, fused: bool) -> str:
    """Assembly of a function ``name(t, x, p, u, out)`` of any expressions, that keeps nothing between calls."""
    plan = _plan(g, outputs, {})
    plan.steady.update(dict.fromkeys(plan.order, False))
    a = Assembly(width, fused)
    writer = _Writer(plan, a, steady_too=False)
    for index, output in enumerate(outputs):
        a.store(writer.value(output), "%out", index)
    head = f"define internal void @{name}({a.vector} %t, ptr %x, ptr %p, ptr %u, ptr noalias %out) #0 {{"
    return "\n".join([head, "entry:", *interleaved(a.lines), "  ret void", "}"])


def operations(g: Graph, outputs: Sequence[int], steady_too: bool = False) -> int:
    """Floating-point operations of the generated code of some expressions; a fused multiply-add counts as two.

    An exponential and a logarithm are 31, as they are written in ``vector_math.py`` (38 where the operand may be tiny),
    the functions of ``trigonometry.py`` up to 81; comparisons and choices count as one. Without ``steady_too``, what
    does not change in time is left out.
    """
    order = needed(g, outputs)
    steady = _steady(g, order)
    cost = {"exp": 31, "log": 31, "sin": 70, "cos": 70, "atan": 31, "tanh": 53, "pow": 81}
    work = [
        op for op, node in ((g.nodes[n][0], n) for n in order) if op not in LEAVES and (steady_too or not steady[node])
    ]
    return sum(cost.get(op, 1) for op in work)


def _plan(g: Graph, outputs: Sequence[int], kept: dict[tuple[int, bool], int]) -> _Plan:
    order = needed(g, outputs)
    return _Plan(g, outputs, order, uses(g, order, outputs), _steady(g, order), kept)


def _steady(g: Graph, order: Sequence[int]) -> dict[int, bool]:
    steady: dict[int, bool] = {}
    for node in order:
        op, _ = g.nodes[node]
        steady[node] = op not in ("time", "state") and all(steady[a] for a in g.operands(node))
    return steady


def _rates(plan: _Plan, bounds: Bounds, a: Assembly, partials: Sequence[int] | None = None) -> str:
    strays = {i: bounds[i] for i in straying(plan.graph, plan.outputs)}
    writer = _Writer(plan, a, steady_too=False, strays=strays)
    blocked: dict[int, list[str]] = {}
    rows = partials or ()
    for index, output in enumerate(plan.outputs[: len(plan.outputs) - len(rows)]):
        rate = writer.value(output)
        for bound, low in zip(bounds[index], (True, False)):
            if math.isfinite(bound):
                zero = a.number(0.0)
                at = a.compare("ole" if low else "oge", a.load("%x", index), a.number(bound))
                outward = a.compare("olt" if low else "ogt", rate, zero)
                if rows:
                    blocked.setdefault(index, []).append(a.masks("and", at, outward))
                rate = a.select(at, a.select(outward, zero, rate), rate)
        a.store(rate, "%out", index)
    for index, (state, output) in enumerate(zip(rows, plan.outputs[len(plan.outputs) - len(rows) :])):
        slope = writer.value(output)
        for mask in blocked.get(state, ()):
            slope = a.select(mask, a.number(0.0), slope)
        a.store(slope, "%partials", index)
    name, last = ("rates", "") if partials is None else ("slopes", ", ptr noalias %partials")
    v = a.vector
    head = f"define internal void @{name}({v} %t, ptr %x, ptr %p, ptr %u, ptr %kept, ptr noalias %out{last}) #0 {{"
    return "\n".join([head, "entry:", *interleaved(a.lines), "  ret void", "}"])


def _prepare(plan: _Plan, a: Assembly) -> str:
    writer = _Writer(plan, a, steady_too=True)
    for (node, reciprocal), slot in plan.kept.items():
        value = writer.value(node)
        if reciprocal:
            value = a.binary("fdiv", a.number(1.0), value)
        a.store(value, "%kept", slot)
    head = "define internal void @prepare(ptr %p, ptr %u, ptr noalias %kept) #0 {"
    return "\n".join([head, "entry:", *interleaved(a.lines), "  ret void", "}"])


class _Writer:
    """Writes the instructions for nodes on demand, each once."""

    def __init__(
        self, plan: _Plan, a: Assembly, steady_too: bool, strays: Mapping[int, tuple[float, float]] | None = None
    ) -> None:
        self.plan = plan
        self.a = a
        self.steady_too = steady_too
        self.strays = strays or {}
        self._values: dict[int, str] = {}
        self._masks: dict[int, str] = {}

    def value(self, node: int) -> str:
        """Operand that holds a node's value; everything it rests on is written first."""
        for below in needed(self.plan.graph, [node]) if node not in self._values else ():
            if below not in self._values and (below == node or self._wanted(below)):
                self._values[below] = self._write(below)
        return self._values[node]

    def _wanted(self, node: int) -> bool:
        """Leaves and time-invariant nodes are written where they are used; fused products not at all."""
        op, _ = self.plan.graph.nodes[node]
        if op in LEAVES or op == "less" or self._fuses(node):
            return False
        return self.steady_too or not self.plan.steady[node]

    def _operand(self, node: int) -> str:
        if node not in self._values:
            self._values[node] = self._write(node)
        return self._values[node]

    def _fuses(self, node: int) -> bool:
        op, _ = self.plan.graph.nodes[node]
        return op == "mul" and self.plan.used[node] == 1 and (self.steady_too or not self.plan.steady[node])

    def _write(self, node: int) -> str:
        g, a, plan = self.plan.graph, self.a, self.plan
        op, args = g.nodes[node]
        if op == "const":
            return a.number(args[0])
        if op == "time":
            return "%t"
        if op in LEAVES:
            found = a.load({"state": "%x", "parameter": "%p", "level": "%u"}[op], args[0])
            return self._within(found, args[0]) if op == "state" else found
        if plan.steady[node] and not self.steady_too:
            return a.load("%kept", plan.slot(node))
        if op in ("add", "sub"):
            return self._sum(op, *args)
        if op == "div" and plan.steady[args[1]] and not self.steady_too and g.value(args[1]) is None:
            return a.binary("fmul", self._operand(args[0]), a.load("%kept", plan.slot(args[1], True)))
        if op in _ARITHMETIC:
            return a.binary(_ARITHMETIC[op], self._operand(args[0]), self._operand(args[1]))
        if op == "less":
            return a.select(self._mask(node), a.number(1.0), a.number(0.0))
        if op == "choose":
            return a.select(self._mask(args[0]), self._operand(args[1]), self._operand(args[2]))
        if op in ("min", "max"):
            x, y = sorted(args, key=lambda n: g.value(n) is None)
            return lesser(a, self._operand(x), self._operand(y), op == "max", g.value(x) is not None)
        if op in _FUNCTIONS:
            return _FUNCTIONS[op](a, *(self._operand(arg) for arg in args))
        return logarithm(a, self._operand(args[0]), self._ordinary(args[0]))

    def _within(self, value: str, state: int) -> str:
        """A state that strays beyond its bounds where its rates need not exist (``straying``), brought back."""
        for bound, greater in zip(self.strays.get(state, ()), (True, False)):
            if math.isfinite(bound):
                value = lesser(self.a, self.a.number(bound), value, greater, steady=True)
        return value

    def _ordinary(self, node: int) -> bool:
        """Whether a value is the larger of something and a number that is not tiny."""
        g = self.plan.graph
        op, args = g.nodes[node]
        return op == "max" and any((g.value(n) or 0.0) >= LEAST_NORMAL for n in args)

    def _mask(self, node: int) -> str:
        if node not in self._masks:
            op, args = self.plan.graph.nodes[node]
            direct = op == "less" and (self.steady_too or not self.plan.steady[node])
            if direct:
                self._masks[node] = self.a.compare("olt", self._operand(args[0]), self._operand(args[1]))
            else:
                self._masks[node] = self.a.compare("une", self._operand(node), self.a.number(0.0))
        return self._masks[node]

    def _sum(self, op: str, x: int, y: int) -> str:
        """x + y or x - y, fused with a product that is used nowhere else."""
        a = self.a
        if self._fuses(y):
            m, n = (self._operand(i) for i in self.plan.graph.nodes[y][1])
            return a.fma(m if op == "add" else a.negative(m), n, self._operand(x))
        if self._fuses(x):
            m, n = (self._operand(i) for i in self.plan.graph.nodes[x][1])
            rest = self._operand(y)
            return a.fma(m, n, rest if op == "add" else a.negative(rest))
        return a.binary(_ARITHMETIC[op], self._operand(x), self._operand(y))
