"""How much arithmetic a step costs: operations, not seconds, so that no result depends on where it is computed."""

from __future__ import annotations

import struct

from vein2vein.engine.llvm import cache, equations, linear, origin
from vein2vein.engine.method import rosenbrock
from vein2vein.engine.method.tableau import Method
from vein2vein.engine.trace import content
from vein2vein.engine.trace.kept import Kept
from vein2vein.engine.trace.recording import Traced, trace
from vein2vein.models.model import Model

_ratios: Kept[float] = Kept(1024)
_NUMBER = struct.Struct("<d")


def flops(model: Model, method: Method) -> int:
    """Floating-point operations of one step of one patient; a fused multiply-add counts as two."""
    return _flops(trace(model), method)


def _flops(traced: Traced, method: Method) -> int:
    states = len(traced.model.states)
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
    return _ratios.get(key, lambda: _ratio(model, explicit, stiff))


def _ratio(model: Model, explicit: Method, stiff: Method) -> float:
    """The number as it was kept on disk beside the code, or counted: that takes as long as writing the code."""
    name = cache.key("ratio", content.rates(model), repr(explicit), repr(stiff), origin.origin())
    kept = cache.read(name) if origin.origin() else None
    if kept is not None and len(kept) == _NUMBER.size:
        return float(_NUMBER.unpack(kept)[0])
    traced = trace(model)
    same = content.recorded(traced) == content.rates(model)
    cheap = _flops(traced, explicit)
    found = _flops(traced, stiff) / cheap
    if same and origin.unchanged():
        cache.write(name, _NUMBER.pack(found))
    return found
