"""How much arithmetic a step costs: operations, not seconds, so that no result depends on where it is computed."""

from __future__ import annotations

from vein2vein.engine.llvm import equations, linear
from vein2vein.engine.method import rosenbrock
from vein2vein.engine.method.tableau import Method
from vein2vein.engine.trace import content
from vein2vein.engine.trace.kept import Kept
from vein2vein.engine.trace.recording import trace
from vein2vein.models.model import Model

_ratios: Kept[float] = Kept(1024)


def flops(model: Model, method: Method) -> int:
    """Floating-point operations of one step of one patient; a fused multiply-add counts as two."""
    traced = trace(model)
    states = len(model.states)
    rates = equations.operations(traced.graph, traced.derivatives)
    stages = method.stages
    weights = sum(sum(w != 0 for w in row) for row in (*method.weights, *method.couplings))
    common = 2 * states * weights + 12 * states
    if not method.implicit:
        return (stages - 1) * rates + common
    s = rosenbrock.slopes(traced)
    nodes = [*traced.derivatives, *s.jacobian.values(), *s.by_time.values()]
    factor, solve = linear.operations(linear.plan(states, s.jacobian))
    first = equations.operations(traced.graph, nodes)
    residual = 5 * len(s.jacobian) + 4 * states
    return first + (stages - 1) * rates + factor + stages * solve + residual + common


def ratio(model: Model, explicit: Method, stiff: Method) -> float:
    """Steps of an explicit method that cost as much as one of a stiff method."""
    key = (content.rates(model), explicit.name, stiff.name)
    return _ratios.get(key, lambda: flops(model, stiff) / flops(model, explicit))
