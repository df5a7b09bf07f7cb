"""The readable solver: float64, one patient at a time, the model's own Python. It is the truth for the tests.

A step is one of an explicit Runge-Kutta or of a Rosenbrock method (see ``tableau.py``). After each step the
states are brought back between their physical bounds, and a state that stands at a bound is not pushed beyond it: its
rate is then 0. The error of a step is the root mean square over the states of

    error / (scale * rtol / 1e-5 + rtol * size of the state)

so a tighter ``rtol`` tightens both parts. A state whose scale is infinite is solved but does not steer the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from vein2vein.arguments import shown
from vein2vein.engine.method import rosenbrock, tableau
from vein2vein.engine.trace import content
from vein2vein.engine.trace.graph import straying
from vein2vein.engine.trace.kept import Kept
from vein2vein.engine.trace.recording import misfit, trace
from vein2vein.errors import InputError
from vein2vein.models import author
from vein2vein.models.model import Model, Names, is_number

Vector = NDArray[np.float64]

_TINY = float(np.finfo(float).tiny)
_domains: Kept[tuple[Vector, Vector]] = Kept(64)


def alone() -> float:
    """Ratio of costs where there is no other method."""
    return 1.0


@dataclass(frozen=True)
class Control:
    """What steers the steps.

    Attributes
    ----------
    rtol : float
    absolute : ndarray (states,)
        Absolute tolerance of each state; infinite where a state does not take part.
    low, high : ndarray (states,)
    max_step : float
        Days.
    max_steps : int
        Tried steps, per patient and advance.
    method : Method
        That the courses begin with.
    stiff : Method or None
        That takes over where stability binds ``method``, and hands back where it lets go; None: never.
    ratio : callable () -> float
        Steps of ``method`` that cost as much as one of ``stiff``.
    """

    rtol: float
    absolute: Vector
    low: Vector
    high: Vector
    max_step: float = math.inf
    max_steps: int = tableau.MAX_STEPS
    method: tableau.Method = tableau.TSIT5
    stiff: tableau.Method | None = None
    ratio: Callable[[], float] = alone


def control(
    model: Model,
    rtol: float,
    max_step: float = math.inf,
    max_steps: int = tableau.MAX_STEPS,
    method: tableau.Method = tableau.TSIT5,
    stiff: tableau.Method | None = None,
    ratio: Callable[[], float] = alone,
) -> Control:
    """Tolerances and bounds of a model at a relative tolerance."""
    _, low, high = model.limits
    return Control(
        rtol=rtol,
        absolute=absolute(model, rtol),
        low=low,
        high=high,
        max_step=max_step,
        max_steps=max_steps,
        method=method,
        stiff=stiff,
        ratio=ratio,
    )


def absolute(model: Model, rtol: float) -> Vector:
    """Absolute tolerance (states,) of each state at a relative tolerance."""
    return np.maximum(model.limits[0] * (rtol / tableau.REFERENCE_RTOL), _TINY)


def derivative(model: Model, t: float, x: Vector, p: Names, u: Names) -> Vector:
    """Time derivative (states,) of one patient, 0 where it leads out of bounds; NaN where the arithmetic fails."""
    rates = _free(model, t, x, p, u).tolist()
    return np.array([_inward(r, value, s.low, s.high) for r, s, value in zip(rates, model.states, x.tolist())])


def _free(model: Model, t: float, x: Vector, p: Names, u: Names) -> Vector:
    """Time derivative (states,) without regard to bounds; states that may stray are seen within them."""
    names = model.state_names
    low, high = _domain(model)
    x = np.minimum(np.maximum(x, low), high)
    try:
        rate = model.equations(t, Names(zip(names, x.tolist())), p, u)
    except ArithmeticError:
        return np.full(len(names), np.nan)
    except Exception as error:  # the author's own code, whatever is wrong with it
        raise author.told(model.name, "the equations", error) from error
    if not isinstance(cast("object", rate), Mapping) or len(rate) != len(names):
        raise _unfit(model, rate)
    try:
        return np.array([math.nan if isinstance(rate[name], complex) else float(rate[name]) for name in names])
    except (KeyError, TypeError, ValueError):
        raise _unfit(model, rate) from None


def _domain(model: Model) -> tuple[Vector, Vector]:
    """Bounds (states,) within which the rates see each state: its own for one that strays (``graph.straying``)."""
    recorded = content.fits(model)
    if not recorded:  # who knows what these equations do
        return model.limits[1:]
    return _domains.get(recorded, lambda: _traced_domain(model))


def _traced_domain(model: Model) -> tuple[Vector, Vector]:
    traced = trace(model)
    strays = list(straying(traced.graph, traced.derivatives))
    _, low, high = model.limits
    inside = np.isin(np.arange(len(low)), strays)
    return np.where(inside, low, -np.inf), np.where(inside, high, np.inf)


def _unfit(model: Model, rate: object) -> InputError:
    """What is wrong with what the equations returned."""
    if not isinstance(rate, Mapping):
        text = f"what the equations returned is {type(rate).__name__}; return a mapping of name to value"
        return author.fault(f"model {model.name}: {text}", author.begins(model.equations))
    found = cast("Mapping[str, object]", rate)
    misfit(model, found)
    odd = next(name for name in model.state_names if not is_number(found[name]))
    text = f"model {model.name}: the rate of {odd} is {shown(found[odd])}; give one number"
    return author.fault(text, author.begins(model.equations))


def _inward(rate: float, value: float, low: float, high: float) -> float:
    outward = (value <= low and rate < 0) or (value >= high and rate > 0)
    return 0.0 if outward else rate


def bound(h: float, k: list[Vector], last: Vector, new: Vector, x: Vector, control: Control) -> float:
    """Length of an explicit step in units of the largest rate constant that is felt; 0 where it is not known.

    ``last`` is the state of the last stage but one, which like ``new`` is taken at the end of the step.
    """
    allowed = control.absolute + control.rtol * np.maximum(abs(x), abs(new))
    move, bend = np.sum(((new - last) / allowed) ** 2), np.sum(((k[-1] - k[-2]) / allowed) ** 2)
    return h * math.sqrt(bend / move) if move > 0 else 0.0


def attempt(
    model: Model,
    t: float,
    x: Vector,
    first: Vector,
    h: float,
    p: Names,
    u: Names,
    control: Control,
) -> tuple[list[Vector], Vector, float, float]:
    """Stages of a tried step of length ``h``, the state at its end within bounds, the error, and ``bound``.

    ``first`` are the rates at its beginning, which a Rosenbrock step computes itself.
    """
    if not control.method.implicit:
        k, new, last = stages(model, t, x, first, h, p, u, control)
        return k, new, error_size(h, k, x, new, control), bound(h, k, last, new, x, control)
    rows = [np.array(list(vars(names).values()), dtype=float) for names in (p, u)]
    jacobian, by_time = rosenbrock.evaluate(rosenbrock.slopes_of(model), t, x, *rows)
    free = _free(model, t, x, p, u)
    blocked = ((x <= control.low) & (free < 0)) | ((x >= control.high) & (free > 0))
    jacobian[blocked], by_time[blocked] = 0.0, 0.0
    k, new = rosenbrock.stages(
        control.method, lambda at, state: derivative(model, at, state, p, u), jacobian, by_time, t, x, h
    )
    new = np.minimum(np.maximum(new, control.low), control.high)
    return k, new, _measure(k[-1], x, new, control), 0.0


def dense(method: tableau.Method, h: float, k: list[Vector], x: Vector, new: Vector) -> list[Vector]:
    """Coefficients c of the state within a step: x + s (c1 + s (c2 + s (c3 + s c4))) at the share s of the step."""
    if not method.implicit:
        return [np.asarray(h * sum(row[power] * ki for row, ki in zip(method.dense, k))) for power in range(4)]
    q: list[Any] = [sum(w * ki for w, ki in zip(row, k)) for row in method.dense]
    q += [np.zeros(len(x))] * (3 - len(q))
    return [new - x + q[0], q[1] - q[0], q[2] - q[1], -q[2]]


def within(c: list[Vector], x: Vector, share: float, control: Control) -> Vector:
    """State at a share of a step, within bounds."""
    state = x + share * (c[0] + share * (c[1] + share * (c[2] + share * c[3])))
    return np.minimum(np.maximum(state, control.low), control.high)


def stages(
    model: Model,
    t: float,
    x: Vector,
    first: Vector,
    h: float,
    p: Names,
    u: Names,
    control: Control,
) -> tuple[list[Vector], Vector, Vector]:
    """The seven derivatives of a step, the state at its end, within bounds, and that of the last stage but one."""
    k = [first]
    new = last = x
    for node, weights in zip(tableau.NODES[1:], tableau.STAGES[1:]):
        last = new
        new = x + h * sum(a * ki for a, ki in zip(weights, k))
        if len(weights) == len(tableau.STAGES[-1]):
            new = np.minimum(np.maximum(new, control.low), control.high)
        k.append(derivative(model, t + node * h, new, p, u))
    return k, new, last


def error_size(h: float, k: list[Vector], x: Vector, new: Vector, control: Control) -> float:
    """Error of a step in units of the tolerance; NaN where a value is not finite."""
    return _measure(h * sum(e * ki for e, ki in zip(tableau.ERROR, k)), x, new, control)


def _measure(error: Any, x: Vector, new: Vector, control: Control) -> float:
    if not np.all(np.isfinite(new)):
        return math.nan
    allowed = control.absolute + control.rtol * np.maximum(abs(x), abs(new))
    return rms(error / allowed, control)


def rms(ratio: Vector, control: Control) -> float:
    """Root mean square over the states that steer the steps."""
    counted = max(int(np.isfinite(control.absolute).sum()), 1)
    return math.sqrt(float(np.sum(ratio**2)) / counted)


def next_step(remaining: float, step: float) -> tuple[float, bool]:
    """Length of the next step and whether it ends the segment; what is left is halved rather than left as a crumb."""
    if remaining <= step * tableau.STRETCH:
        return remaining, True
    return (remaining / 2 if remaining < 2 * step else step), False


def growth(error: float, before: float, method: tableau.Method = tableau.TSIT5) -> float:
    """Factor for the step size after an accepted step."""
    error = max(error, tableau.ERROR_FLOOR)
    now, earlier, _ = tableau.exponents(method)
    factor = tableau.SAFETY * error**-now * before**earlier
    return min(max(factor, tableau.SHRINK), tableau.GROW)


def shrinkage(error: float, method: tableau.Method = tableau.TSIT5) -> float:
    """Factor for the step size after a rejected step."""
    if not math.isfinite(error):
        return tableau.SHRINK
    return max(tableau.SAFETY * error ** -tableau.exponents(method)[2], tableau.SHRINK)
