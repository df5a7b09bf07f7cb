"""Writes one tried step of a vector of patients as LLVM assembly: stages, error, step size, state within the step.

The twins of these functions are in ``plain.py`` and ``rosenbrock.py``. They work on arrays of vectors of the function
that is being written: ``%x`` (state), ``%new``, ``%k0`` ... (stages), ``%jac``, ``%lu``;
and call the model's ``@rates``, ``@slopes``, ``@factor``, ``@solve`` and ``@residual``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vein2vein.engine.llvm import linear
from vein2vein.engine.llvm.equations import functions
from vein2vein.engine.llvm.vector_math import Assembly, exponential, lesser, logarithm
from vein2vein.engine.method import rosenbrock, tableau
from vein2vein.engine.method.tableau import Method
from vein2vein.engine.trace.recording import Traced

SOLVED = "%at_solved"
BEND, MOVE = "%at_bend", "%at_move"
"""Squared change of rates and of states between the last two stages of an explicit step, in units of the tolerance."""
LOG_ERROR_AT_START = math.log(tableau.ERROR_AT_START)


@dataclass(frozen=True)
class Layout:
    """Sizes of what a step works on.

    Attributes
    ----------
    states, parameters, levels, kept, partials, factors : int
        Lengths of the arrays.
    by_time : mapping of state to place
        Where the states whose rates change by time alone have that slope among the partial derivatives.
    method : Method
    pace : int
        Place of the level ``tableau.PACE``, -1 where there is none.
    """

    states: int
    parameters: int
    levels: int
    kept: int
    partials: int
    factors: int
    by_time: dict[int, int]
    method: Method
    pace: int


def model_functions(traced: Traced, width: int, fused: bool, method: Method) -> tuple[str, Layout]:
    """Assembly of the functions of a model that a method calls, and the sizes of what they work on."""
    model = traced.model
    bounds = [(s.low, s.high) for s in model.states]
    nodes: list[tuple[int, int]] | None = None
    solver, factors, by_time = "", 0, {}
    if method.implicit:
        s = rosenbrock.slopes(traced)
        nodes = [*((i, node) for (i, _), node in s.jacobian.items()), *s.by_time.items()]
        by_time = {state: len(s.jacobian) + i for i, state in enumerate(s.by_time)}
        plan = linear.plan(len(bounds), s.jacobian)
        solver, factors = linear.functions(plan, width, fused), len(plan.slots)
    body, kept = functions(traced.graph, traced.derivatives, bounds, width, fused, nodes)
    layout = Layout(
        states=len(bounds),
        parameters=len(model.parameters),
        levels=len(model.level_names),
        kept=max(kept, 1),
        partials=max(len(nodes or ()), 1),
        factors=max(factors, 1),
        by_time=by_time,
        method=method,
        pace=model.level_names.index(tableau.PACE) if tableau.PACE in model.level_names else -1,
    )
    return "\n".join([body, solver]), layout


def arrays(layout: Layout) -> list[tuple[str, int]]:
    """Names and lengths of the arrays of vectors that a step works on."""
    count = layout.states
    stages = [(f"k{i}", count) for i in range(layout.method.stages)]
    if layout.method.implicit:
        own = [("jac", layout.partials), ("lu", layout.factors)]
    else:
        own = [("moved", count), (BEND[1:], 1), (MOVE[1:], 1)]
    return [("kept", layout.kept), ("new", count), *stages, *own]


def call_rates(a: Assembly, t: str, x: str, out: str) -> None:
    """Rates at a time and a state."""
    a.do(f"call void @rates({a.vector} {t}, ptr {x}, ptr %p, ptr %u, ptr %kept, ptr {out})")


def scalar(a: Assembly, array: str, index: str | int) -> str:
    """A number of an array of doubles, in all lanes."""
    return a.spread(a.put(f"load double, ptr {a.at(array, index, 'double')}, align 8"))


def attempt(a: Assembly, layout: Layout, t: str, h: str, constants: dict[str, str]) -> str:
    """Tried step of length ``h``: leaves the new state and returns the error in units of the tolerance."""
    if layout.method.implicit:
        return _rosenbrock(a, layout, t, h, constants)
    for stage in range(1, layout.method.stages):
        _stage(a, layout.states, stage, h)
        call_rates(a, a.fma(a.number(layout.method.nodes[stage]), h, t), "%new", f"%k{stage}")

    def estimate(i: str) -> str:
        total = a.binary("fmul", a.number(tableau.ERROR[0]), a.load("%k0", i))
        for j, weight in enumerate(tableau.ERROR[1:], start=1):
            total = a.fma(a.number(weight), a.load(f"%k{j}", i), total)
        return a.binary("fmul", h, total)

    return _error(a, layout.states, estimate, constants, stiffness=True)


def _rosenbrock(a: Assembly, layout: Layout, t: str, h: str, constants: dict[str, str]) -> str:
    method, count, v = layout.method, layout.states, a.vector
    inverse = a.binary("fdiv", a.number(1.0), h)
    diagonal = a.binary("fmul", inverse, a.number(1 / method.gamma))
    a.do(f"call void @slopes({v} {t}, ptr %x, ptr %p, ptr %u, ptr %kept, ptr %k0, ptr %jac)")
    a.do(f"call void @factor({v} {diagonal}, ptr %jac, ptr %lu)")
    _by_time(a, layout, 0, h)
    a.loop(count, [], lambda i, _: a.store(a.load("%k0", i), "%new", i) or [])
    a.do("call void @solve(ptr %lu, ptr %k0)")
    worst = a.put(f"call {v} @residual({v} {diagonal}, ptr %jac, ptr %new, ptr %k0)")
    solved = a.compare("ole", worst, a.number(0.0))
    a.do(f"store {a.mask} {solved}, ptr {SOLVED}")
    for stage in range(1, method.stages):
        _inner(a, layout, stage)
        call_rates(a, a.fma(a.number(method.nodes[stage]), h, t), "%new", f"%k{stage}")
        _couple(a, count, method, stage, inverse)
        _by_time(a, layout, stage, h)
        a.do(f"call void @solve(ptr %lu, ptr %k{stage})")
    last = f"%k{method.stages - 1}"

    def finish(i: str, _: list[str]) -> list[str]:
        new = a.binary("fadd", a.load("%new", i), a.load(last, i))
        a.store(_bounded(a, new, i), "%new", i)
        return []

    a.loop(count, [], finish)
    error = _error(a, count, lambda i: a.load(last, i), constants)
    return a.select(solved, error, a.number(float("nan")))


def _inner(a: Assembly, layout: Layout, stage: int) -> None:
    """State at which a stage's rates are taken; a row that only adds the stage before starts from what is there."""
    weights, before = layout.method.weights[stage], layout.method.weights[stage - 1]
    grows = stage > 1 and weights == (*before, 1.0)

    def body(i: str, _: list[str]) -> list[str]:
        if grows:
            total = a.binary("fadd", a.load("%new", i), a.load(f"%k{stage - 1}", i))
        else:
            total = a.load("%x", i)
            for j, weight in enumerate(weights):
                total = a.fma(a.number(weight), a.load(f"%k{j}", i), total)
        a.store(total, "%new", i)
        return []

    a.loop(layout.states, [], body)


def _couple(a: Assembly, count: int, method: Method, stage: int, inverse: str) -> None:
    def body(i: str, _: list[str]) -> list[str]:
        total = a.binary("fmul", a.number(method.couplings[stage][0]), a.load("%k0", i))
        for j, weight in enumerate(method.couplings[stage][1:], start=1):
            total = a.fma(a.number(weight), a.load(f"%k{j}", i), total)
        a.store(a.fma(total, inverse, a.load(f"%k{stage}", i)), f"%k{stage}", i)
        return []

    a.loop(count, [], body)


def _by_time(a: Assembly, layout: Layout, stage: int, h: str) -> None:
    slope = layout.method.slopes[stage]
    if slope:
        share = a.binary("fmul", h, a.number(slope))
        for state, place in layout.by_time.items():
            a.store(a.fma(share, a.load("%jac", place), a.load(f"%k{stage}", state)), f"%k{stage}", state)


def _bounded(a: Assembly, value: str, i: str | int) -> str:
    value = lesser(a, scalar(a, "%low", i), value, greater=True, steady=True)
    return lesser(a, scalar(a, "%high", i), value, steady=True)


def inside(
    a: Assembly, layout: Layout, share: str | float, h: str, out: str, states: Sequence[int] | None = None
) -> None:
    """State at a share of the step, within bounds (``plain.within``), or only some of the states."""
    method = layout.method
    rows = method.dense if method.implicit else tuple(zip(*method.dense))
    series = [(j, [row[j] for row in rows]) for j in range(method.stages)]
    series = [(j, c) for j, c in series if any(c)]
    if isinstance(share, str):
        at = share
        both = a.binary("fmul", at, a.binary("fsub", a.number(1.0), at)) if method.implicit else at
        weights = [(j, a.binary("fmul", both, _power_series(a, at, row))) for j, row in series]
    else:
        common = share * (1 - share) if method.implicit else share
        at = a.number(share)
        weights = [(j, a.number(common * sum(c * share**m for m, c in enumerate(row)))) for j, row in series]

    def write(i: str | int) -> None:
        x = a.load("%x", i)
        total = _weighted(a, weights, i)
        if method.implicit:
            total = a.binary("fadd", a.fma(at, a.binary("fsub", a.load("%new", i), x), x), total)
        else:
            total = a.fma(h, total, x)
        a.store(_bounded(a, total, i), out, i)

    if states is None:
        a.loop(layout.states, [], lambda i, _: write(i) or [])
    else:
        for i in states:
            write(i)


def _weighted(a: Assembly, weights: Sequence[tuple[int, str]], i: str | int) -> str:
    """Weighted sum of the stages of a state, in two halves that do not wait for each other."""
    sums: list[str] = []
    for part in (weights[0::2], weights[1::2]):
        total: str | None = None
        for j, weight in part:
            k = a.load(f"%k{j}", i)
            total = a.fma(weight, k, total) if total else a.binary("fmul", weight, k)
        sums.append(total or a.number(0.0))
    return a.binary("fadd", *sums)


def _power_series(a: Assembly, share: str, coefficients: Sequence[float]) -> str:
    """c_0 + s (c_1 + s (c_2 + ...))."""
    total = a.number(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = a.fma(total, share, a.number(c))
    return total


def propose(a: Assembly, t: str, step: str, stop: str, active: str, most: str) -> tuple[str, str, str]:
    """Bounded step size, length of the next step, and whether it ends the segment (``plain.next_step``)."""
    remaining = a.binary("fsub", stop, t)
    size = a.select(a.compare("olt", step, most), step, most)
    last = a.compare("ole", remaining, a.binary("fmul", size, a.number(tableau.STRETCH)))
    short = a.compare("olt", remaining, a.binary("fmul", size, a.number(2.0)))
    h = a.select(short, a.binary("fmul", remaining, a.number(1 / 2)), size)
    h = a.select(last, remaining, h)
    return size, a.select(active, h, a.number(1.0)), last


def _stage(a: Assembly, count: int, stage: int, h: str) -> None:
    """State at which a stage's rates are taken; the last stage is the new state, brought within bounds."""

    def body(i: str, _: list[str]) -> list[str]:
        total = a.binary("fmul", a.number(tableau.STAGES[stage][0]), a.load("%k0", i))
        for j, weight in enumerate(tableau.STAGES[stage][1:], start=1):
            total = a.fma(a.number(weight), a.load(f"%k{j}", i), total)
        new = a.fma(h, total, a.load("%x", i))
        if stage == len(tableau.STAGES) - 1:
            new = _bounded(a, new, i)
            a.store(a.binary("fsub", new, a.load("%new", i)), "%moved", i)
        a.store(new, "%new", i)
        return []

    a.loop(count, [], body)


def _error(
    a: Assembly, count: int, estimate: Callable[[str], str], constants: dict[str, str], stiffness: bool = False
) -> str:
    """Error of the step in units of the tolerance (``plain.error_size``); ``stiffness``: also ``BEND``, ``MOVE``."""

    def body(i: str, sums: list[str]) -> list[str]:
        new = a.load("%new", i)
        x, y = a.absolute(a.load("%x", i)), a.absolute(new)
        larger = a.select(a.compare("olt", x, y), y, x)
        allowed = a.fma(constants["rtols"], larger, scalar(a, "%absolute", i))
        per = a.binary("fdiv", a.number(1.0), allowed)
        ratio = a.binary("fmul", estimate(i), per)
        # New state times zero: nothing if it is finite, else not a number, whatever its tolerance.
        found = [a.fma(ratio, ratio, sums[0]), a.fma(new, a.number(0.0), sums[1])]
        if stiffness:
            bend = a.binary("fmul", a.binary("fsub", a.load(last, i), a.load(before, i)), per)
            move = a.binary("fmul", a.load("%moved", i), per)
            found += [a.fma(bend, bend, sums[2]), a.fma(move, move, sums[3])]
        return found

    before, last = (f"%k{stage}" for stage in (len(tableau.STAGES) - 2, len(tableau.STAGES) - 1))
    total, finite, *felt = a.loop(count, [a.number(0.0)] * (4 if stiffness else 2), body)
    for value, place in zip(felt, (BEND, MOVE)):
        a.store(value, place)
    total = a.binary("fadd", total, finite)
    return a.sqrt(a.binary("fmul", total, constants["inverse_count"]))


def keep(a: Assembly, layout: Layout, accepted: str) -> None:
    """New state, and an explicit method's last stage as the next step's first, where the step was accepted."""
    pairs = [("%new", "%x")]
    if not layout.method.implicit:
        pairs.append((f"%k{layout.method.stages - 1}", "%k0"))

    def body(i: str, _: list[str]) -> list[str]:
        for source, target in pairs:
            a.store(a.select(accepted, a.load(source, i), a.load(target, i)), target, i)
        return []

    a.loop(layout.states, [], body)


def control(a: Assembly, method: Method, step: str, h: str, error: str, accepted: str, refused: str) -> None:
    """Next step size (``plain.growth``, ``plain.shrinkage``); ``%at_before``: logarithm of the error before."""
    now, earlier, rejected = tableau.exponents(method)
    before = a.load("%at_before")
    # All in logarithms: one logarithm and one exponential serve both powers, and accepted and refused lanes alike.
    shrink, safety = a.number(tableau.SHRINK), a.number(tableau.SAFETY)
    floored = lesser(a, a.number(tableau.ERROR_FLOOR), error, greater=True, steady=True)
    log_error = logarithm(a, floored, ordinary=True)
    power = a.fma(a.number(-now), log_error, a.binary("fmul", a.number(earlier), before))
    power = a.select(accepted, power, a.binary("fmul", a.number(-rejected), log_error))
    factor = a.binary("fmul", safety, exponential(a, power))
    factor = a.select(a.compare("olt", shrink, factor), factor, shrink)
    wanted = a.binary("fmul", h, lesser(a, a.number(tableau.GROW), factor, steady=True))
    # A step that was cut short to end at a day says little about longer ones: unless it asks for more, the length from
    # before the cut stays. Otherwise every output or dose would cost a restart with crumbs.
    held = a.masks("and", a.compare("olt", h, step), a.compare("olt", wanted, step))
    wanted = a.select(held, step, wanted)
    a.store(a.select(accepted, wanted, a.select(refused, a.binary("fmul", h, factor), step)), "%at_h")
    # A refused step leaves the error before as it was: it belongs to the step that led here.
    a.store(a.select(accepted, log_error, before), "%at_before")
