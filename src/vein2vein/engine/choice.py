"""Which method suits a model, and how much arithmetic a step costs.

The rule counts steps and operations, not seconds, so that results do not depend on where they are computed. The model's
example is solved by the explicit method. Its steps may be no longer than ``STABLE`` over the spectral radius of the
Jacobian; where that accounts for at least ``SHARE`` of the steps taken, the example is also solved by Rodas5P, and the
method that costs less arithmetic is chosen. A model without an example is solved by the explicit method.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.llvm import cache, equations, linear, run_course
from vein2vein.engine.method import plain, rosenbrock, tableau
from vein2vein.engine.method.request import Courses, Request, arrange
from vein2vein.engine.method.tableau import Method
from vein2vein.engine.trace import content
from vein2vein.engine.trace.kept import Kept
from vein2vein.engine.trace.recording import trace
from vein2vein.models.model import Model, start

Matrix = NDArray[np.float64]
Dose = tuple[float, str, float]

STABLE = 3.3
SHARE = 1 / 2
RTOL = 1e-5
SPAN = 60.0
"""Days of the example's course after its first dose."""
POINTS = 41
MOST = 20_000

_chosen: Kept[Method] = Kept(1024)


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


def choose(model: Model) -> Method:
    """Method for a model, by the rule above; remembered, also on disk."""
    if not model.example:
        return tableau.TSIT5
    name = content.once(model, "method", lambda m: _chosen.get(_facts(m), lambda: _choose(m)).name)
    return tableau.METHODS[name]


def _facts(model: Model) -> str:
    """Everything that the choice depends on."""
    given = sorted({name for _, name, _ in model.example_doses} - set(model.level_names))
    does = [content.dose(model, name) for name in given]
    return content.digest(content.rates(model), content.initial(model), does, content.example(model))


def _choose(model: Model) -> Method:
    name = cache.key("method", _facts(model), repr((STABLE, SHARE, RTOL, SPAN, POINTS, MOST)))
    kept = cache.read(name)
    if kept is not None and kept.decode() in tableau.METHODS:
        return tableau.METHODS[kept.decode()]
    method = measure(model)
    cache.write(name, method.name.encode())
    return method


def measure(model: Model) -> Method:
    """Solve the model's example, and compare the arithmetic where stability rules the explicit steps."""
    p = np.array([[model.example[name] for name in model.parameters]], dtype=float)
    doses = [d for d in model.example_doses if d[1] not in model.level_names]
    first = min((d[0] for d in doses), default=0.0)
    days = first + np.linspace(0.0, SPAN, POINTS)
    slopes = rosenbrock.slopes_of(model)
    explicit = _course(model, p, days, doses, tableau.TSIT5)
    with np.errstate(all="ignore"):
        u = np.zeros(len(model.level_names))
        radii = [_radius(rosenbrock.evaluate(slopes, t, x, p[0], u)[0]) for t, x in zip(days, explicit.values[0])]
    bound = float(np.mean(radii)) * SPAN / STABLE
    taken = int(explicit.steps[0])
    if explicit.status[0] == tableau.OK and not bound > taken * SHARE:
        return tableau.TSIT5
    implicit = _course(model, p, days, doses, tableau.RODAS5P)
    cheaper = int(implicit.steps[0]) * flops(model, tableau.RODAS5P) < taken * flops(model, tableau.TSIT5)
    return tableau.RODAS5P if implicit.status[0] == tableau.OK and cheaper else tableau.TSIT5


def _course(model: Model, p: Matrix, days: Matrix, doses: Sequence[Dose], method: Method) -> Courses:
    gives = tuple(i.name for i in model.inputs if i.name in {d[1] for d in doses})
    listed = arrange(1, [(np.array(d), gives.index(name), np.array(a)) for d, name, a in doses], [False] * len(gives))
    control = plain.control(model, RTOL, np.inf, MOST, method)
    levels = np.zeros((1, len(model.level_names)))
    request = Request(gives)
    return run_course.follow(model, p, start(model, p), levels, days, listed, request, control, 1)


def _radius(jacobian: Matrix) -> float:
    if not np.all(np.isfinite(jacobian)):
        return float("nan")
    return float(np.max(np.abs(np.linalg.eigvals(jacobian)), initial=0.0))
