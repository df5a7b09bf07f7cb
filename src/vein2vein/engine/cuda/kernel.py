"""Writes a recorded model as CUDA C and puts it into ``courses.cu``: one patient per thread, doubles, summaries there.

The text is for two compilers. NVRTC or nvcc make a kernel of it; a C compiler makes a plain loop over the patients of
it, by which the tests hold it equal to the other backends on a machine without a GPU. The steps are those of
``plain_course.py`` (doses, dense output, summaries); events are left to the other backends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from vein2vein.engine.llvm import linear
from vein2vein.engine.method import summaries, tableau
from vein2vein.engine.method.request import Request
from vein2vein.engine.method.rosenbrock import slopes
from vein2vein.engine.method.tableau import Method
from vein2vein.engine.trace.differentiated import dose
from vein2vein.engine.trace.graph import LEAVES, Graph, needed, straying
from vein2vein.engine.trace.recording import record, trace
from vein2vein.models.model import Model

STEPS = Path(__file__).with_name("courses.cu")
"""What no model changes; the lines between ``BEGIN`` and ``END`` give way to those of the model that is solved."""
BEGIN, END = "/* generated: begin */\n", "/* generated: end */"

_C = {
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "neg": "-{}", "exp": "exp({})",
    "log": "log({})", "sqrt": "sqrt({})", "min": "lesser({}, {})", "max": "greater({}, {})",
    "pow": "pow({}, {})", **{name: name + "({})" for name in ("floor", "ceil", "sin", "cos", "atan", "tanh")},
    "less": "({} < {}) ? 1.0 : 0.0", "choose": "({} != 0.0) ? {} : {}",
}  # fmt: skip
_LEAF: dict[str, Callable[[int], str]] = {
    "time": lambda i: "t", "state": lambda i: f"x[{i}]", "parameter": lambda i: f"P({i})", "level": lambda i: f"u[{i}]",
}  # fmt: skip
_PATIENT = "const double *p, long long n, long long patient"


@dataclass
class Writer:
    """Writes nodes of a graph as statements of C; ``kept`` gives values that do not change in time their place."""

    graph: Graph
    kept: dict[int, int] = field(default_factory=dict)
    leaves: Mapping[str, Callable[[int], str]] = field(default_factory=lambda: _LEAF)

    def statements(self, outputs: Sequence[int], target: str, keeping: bool = False) -> list[str]:
        """Statements that compute the outputs and assign them to ``target`` (with a place for their number)."""
        lines: list[str] = []
        name: dict[int, str] = {}
        known = {} if keeping else self.kept
        for node in self._order(outputs, known):
            op, args = self.graph.nodes[node]
            if op == "const":
                name[node] = number(args[0])
            elif op in LEAVES:
                name[node] = self.leaves[op](args[0])
            elif node in known:
                name[node] = f"kept[{known[node]}]"
            else:
                name[node] = f"v{node}"
                lines.append(f"const double v{node} = {_C[op].format(*(name[a] for a in args))};")
        return lines + [f"{target.format(i)} = {name[o]};" for i, o in enumerate(outputs)]

    def _order(self, outputs: Sequence[int], known: Iterable[int]) -> list[int]:
        """Nodes to write, operands first; nothing below a kept value."""
        cut, found, done = set(known), [], set()
        stack = [(o, False) for o in reversed(outputs)]
        while stack:
            node, ready = stack.pop()
            if node in done:
                continue
            if ready or node in cut or not self.graph.operands(node):
                done.add(node)
                found.append(node)
                continue
            stack.append((node, True))
            stack.extend((a, False) for a in reversed(self.graph.operands(node)))
        return found


def number(value: float) -> str:
    """A double as C reads it exactly."""
    if math.isinf(value):
        return "(-INFINITE)" if value < 0 else "INFINITE"
    return f"({value!r})" if value < 0 else repr(value)


@cache
def steps() -> tuple[str, str]:
    """What stands before and after the lines that are generated."""
    text = STEPS.read_text(encoding="utf-8")
    return text[: text.index(BEGIN)], text[text.index(END) + len(END) :]


def source(model: Model, request: Request, method: Method) -> str:
    """The whole text for a model, what may be given and what is summarized, and a method."""
    before, after = steps()
    return "\n".join([before, *generated(model, request, method), after]) + "\n"


def generated(model: Model, request: Request, method: Method) -> list[str]:
    """The lines of a model, in parts: sizes, numbers of the method, rates, Jacobian, doses and summaries."""
    traced = trace(model)
    slope = slopes(traced) if method.implicit else None
    jacobian = list(slope.jacobian.values()) if slope else []
    by_time = list(slope.by_time.values()) if slope else []
    steady = _steady_values(traced.graph, [*traced.derivatives, *jacobian, *by_time])
    strays = straying(traced.graph, [*traced.derivatives, *jacobian, *by_time])
    writer = Writer(traced.graph, steady, {**_LEAF, "state": lambda i: _within(model, i) if i in strays else f"x[{i}]"})
    count, plan = len(model.states), linear.plan(len(model.states), slope.jacobian if slope else ())
    sizes = {
        "STATES": count, "LEVELS": len(model.level_names), "KEPT": max(len(writer.kept), 1),
        "STAGES": method.stages, "WANTED": len(request.wanted),
        "CARRIED": max(sum(len(summaries.start(s.kind)) for s in request.wanted), 1),
        "JACOBIAN": max(len(jacobian), 1), "FACTORS": len(plan.slots) if slope else 1, "IMPLICIT": int(method.implicit),
    }  # fmt: skip
    return [
        *(f"#define {name} {value}" for name, value in sizes.items()),
        _tables(method),
        _function("prepare", f"{_PATIENT}, const double *u, double *kept", _kept(writer)),
        _rates(model, writer, traced.derivatives),
        _implicit(writer, jacobian, list(slope.by_time) if slope else [], by_time, plan, method),
        _gives(model, request.gives),
        _summaries(model, request),
    ]


def _steady_values(g: Graph, outputs: Sequence[int]) -> dict[int, int]:
    """Places of the values that depend on parameters and levels only and are used by what changes in time."""
    steady: dict[int, bool] = {}
    kept: dict[int, int] = {}
    for node in needed(g, outputs):
        steady[node] = g.nodes[node][0] not in ("time", "state") and all(steady[a] for a in g.operands(node))
        for a in () if steady[node] else g.operands(node):
            if steady[a] and g.operands(a):
                kept.setdefault(a, len(kept))
    for output in outputs:
        if steady[output] and g.operands(output):
            kept.setdefault(output, len(kept))
    return kept


def _kept(writer: Writer) -> list[str]:
    places = sorted(writer.kept, key=writer.kept.__getitem__)
    return writer.statements(places, "kept[{}]", keeping=True)


def _function(name: str, arguments: str, lines: Iterable[str], result: str = "void") -> str:
    return "\n".join([f"LARGE {result} {name}({arguments}) {{", *(f"  {line}" for line in lines), "}"])


def _within(model: Model, i: int) -> str:
    """A state within its bounds, as its rates see it."""
    text = f"x[{i}]"
    for bound, helper in ((model.states[i].low, "greater"), (model.states[i].high, "lesser")):
        text = f"{helper}({text}, {number(bound)})" if math.isfinite(bound) else text
    return text


def _rates(model: Model, writer: Writer, derivatives: Sequence[int]) -> str:
    lines = writer.statements(derivatives, "out[{}]")
    for i, state in enumerate(model.states):
        for bound, at, outward in ((state.low, "<=", "<"), (state.high, ">=", ">")):
            if math.isfinite(bound):
                lines.append(f"if (x[{i}] {at} {number(bound)} && out[{i}] {outward} 0.0) out[{i}] = 0.0;")
    arguments = f"double t, const double *x, {_PATIENT}, const double *u, const double *kept, double *out"
    return _function("rates", arguments, lines)


def _tables(method: Method) -> str:
    def table(name: str, rows: Sequence[Sequence[float]]) -> str:
        width = max(len(row) for row in rows)
        text = ", ".join("{" + ", ".join(number(v) for v in (*row, *[0.0] * (width - len(row)))) + "}" for row in rows)
        return f"TABLE double {name}[{len(rows)}][{width}] = {{{text}}};"

    last = method.weights[-1]
    weights = [*method.weights, (*last, 1.0)] if method.implicit else method.weights
    now, before, rejected = tableau.exponents(method)
    numbers = {
        "GAMMA": method.gamma, "EXPONENT_NOW": now, "EXPONENT_BEFORE": before, "EXPONENT_REJECTED": rejected,
        "START_POWER": 1 / (method.estimate + 1), "SAFETY": tableau.SAFETY, "SHRINK": tableau.SHRINK,
        "GROW": tableau.GROW, "ERROR_FLOOR": tableau.ERROR_FLOOR, "ERROR_AT_START": tableau.ERROR_AT_START,
        "FIRST_STEP": tableau.FIRST_STEP, "FIRST_STEP_GROWTH": tableau.FIRST_STEP_GROWTH,
        "FIRST_STEP_LEAST": tableau.FIRST_STEP_LEAST, "STRETCH": tableau.STRETCH, "LEAST_STEP": tableau.LEAST_STEP,
    }  # fmt: skip
    codes = {
        "OK": tableau.OK, "STEP_TOO_SMALL": tableau.STEP_TOO_SMALL, "TOO_MANY_STEPS": tableau.TOO_MANY_STEPS,
        "NOT_FINITE": tableau.NOT_FINITE, "DENSE_ROWS": len(method.dense), "POINTS": len(summaries.POINTS),
    }  # fmt: skip
    lines = [f"#define {name} {number(value)}" for name, value in numbers.items()]
    lines += [f"#define {name} {value}" for name, value in codes.items()]
    lines += [
        table("NODES", [method.nodes]),
        table("WEIGHTS", weights),
        table("DENSE", method.dense),
        table("PLACES", [summaries.POINTS]),
    ]
    if method.implicit:
        lines += [table("COUPLINGS", method.couplings), table("SLOPES", [method.slopes])]
    else:
        lines.append(table("ERRORS", [tableau.ERROR]))
    return "\n".join(lines)


def _implicit(
    writer: Writer, jacobian: list[int], rows: list[int], by_time: list[int], plan: linear.Elimination, method: Method
) -> str:
    """Jacobian, factors of W = diagonal - J without pivoting, and the solution with them."""
    if not method.implicit:
        return ""
    arguments = f"double t, const double *x, {_PATIENT}, const double *u, const double *kept"
    lines = writer.statements(jacobian, "jac[{}]")
    slopes_lines = ["for (int i = 0; i < STATES; i++) out[i] = 0.0;"]
    slopes_lines += writer.statements(by_time, "by_row[{}]") if by_time else []
    if by_time:
        slopes_lines.insert(0, f"double by_row[{len(by_time)}];")
        slopes_lines += [f"out[{row}] = by_row[{i}];" for i, row in enumerate(rows)]
    factor, place = [], {entry: i for i, entry in enumerate(plan.pattern)}
    for entry, slot in plan.slots.items():
        value = f"-jac[{place[entry]}]" if entry in place else "0.0"
        if entry[0] == entry[1]:
            value = f"diagonal - jac[{place[entry]}]" if entry in place else "diagonal"
        factor.append(f"lu[{slot}] = {value};")
    slot = plan.slots
    for k, down, across in zip(plan.order, plan.below, plan.right):
        factor.append(f"lu[{slot[k, k]}] = 1.0 / lu[{slot[k, k]}];")
        for i in down:
            factor.append(f"lu[{slot[i, k]}] *= lu[{slot[k, k]}];")
            factor += [f"lu[{slot[i, j]}] -= lu[{slot[i, k]}] * lu[{slot[k, j]}];" for j in across]
    solve = []
    for k, down in zip(plan.order, plan.below):
        solve += [f"b[{i}] -= lu[{slot[i, k]}] * b[{k}];" for i in down]
    for k, across in zip(reversed(plan.order), reversed(plan.right)):
        solve += [f"b[{k}] -= lu[{slot[k, j]}] * b[{j}];" for j in across]
        solve.append(f"b[{k}] *= lu[{slot[k, k]}];")
    return "\n".join(
        [
            _function("jacobian", f"{arguments}, double *jac", lines),
            _function("by_time", f"{arguments}, double *out", slopes_lines),
            _function("factor", "double diagonal, const double *jac, double *lu", factor),
            _function("solve", "const double *lu, double *b", solve),
        ]
    )


def _gives(model: Model, gives: Sequence[str]) -> str:
    """What each input does: a dose changes states, a level is set."""
    own = len(model.parameters)
    amount = {**_LEAF, "parameter": lambda i: "amount" if i == own else f"P({i})"}
    lines = ["switch (what) {"]
    for what, name in enumerate(gives):
        if name in model.level_names:
            lines.append(f"case {what}: u[{model.level_names.index(name)}] = amount; break;")
            continue
        doses = dose(model, name)
        body = Writer(doses.graph, leaves=amount).statements(doses.outputs, "const double y{}")
        body += [f"x[{model.state_names.index(state)}] = y{i};" for i, state in enumerate(doses.names)]
        lines += [f"case {what}: {{", *(f"  {line}" for line in body), "  break;", "}"]
    lines += ["default: break;", "}"]
    return _function("give", f"int what, double amount, double *x, {_PATIENT}, double *u", lines)


def _summaries(model: Model, request: Request) -> str:
    """Quantities at a point, the states they read, and what becomes of each summary after a step."""
    quantities, updates, watched, starts = [], [], set(), []
    place = 0
    for i, summary in enumerate(request.wanted):
        function = summaries.quantity(summary, model)
        g, found = record(
            model.name, lambda t, x, p, u, function=function: {"q": function(t, x, p, u)},
            model.state_names, model.parameters, model.level_names,
        )  # fmt: skip
        watched |= {g.nodes[n][1][0] for n in needed(g, found.values()) if g.nodes[n][0] == "state"}
        quantities.append(f"case {i}: {{")
        quantities += [*Writer(g).statements(list(found.values()), "const double q{}"), "return q0;", "}"]
        begin = summaries.start(summary.kind)
        starts += [f"carried[{place + j}] = {'NAN_' if math.isnan(v) else number(v)};" for j, v in enumerate(begin)]
        updates.append(f"case {i}: {{")
        updates += _update(summary, place, len(begin))
        updates += ["break;", "}"]
        place += len(begin)
        starts.append(f"result_at[{i}] = {place - 1};")
    states = sorted(watched) or [0]
    return "\n".join(
        [
            f"#define WATCHED {len(states)}",
            f"TABLE int watched[{len(states)}] = {{{', '.join(map(str, states))}}};",
            _function("begin_summaries", "double *carried, int *result_at", starts),
            _function(
                "quantity", f"int which, double t, const double *x, {_PATIENT}, const double *u",
                ["switch (which) {", *quantities, "default: return 0.0;", "}"], "double",
            ),
            _function(
                "update", "int which, const double *y, double t, double h, double *carried",
                ["switch (which) {", *updates, "default: break;", "}"],
            ),
        ]
    )  # fmt: skip


def _update(summary: summaries.Summary, place: int, length: int) -> list[str]:
    """Statements of ``summaries.update``, recorded with its values as states."""
    points = len(summaries.POINTS)
    names = [f"y{i}" for i in range(points)] + ["h"] + [f"c{i}" for i in range(length)]

    def formula(t: Any, x: Any, p: Any, u: Any) -> dict[str, Any]:
        values = [getattr(x, name) for name in names]
        y, h, carried = values[:points], values[points], values[points + 1 :]
        found = summaries.update(summary.kind, y, t, h, summary.level, carried)
        return {f"r{i}": value for i, value in enumerate(found)}

    def place_of(i: int) -> str:
        return f"y[{i}]" if i < points else "h" if i == points else f"carried[{place + i - points - 1}]"

    g, found = record(f"summary {summary.name}", formula, names, ())
    lines = Writer(g, leaves={**_LEAF, "state": place_of}).statements(list(found.values()), "const double r{}")
    return lines + [f"carried[{place + i}] = r{i};" for i in range(length)]
