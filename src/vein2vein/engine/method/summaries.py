"""What a course is reduced to while it is being solved, so that memory does not grow with its days.

Each step is seen as a polynomial through five equally spaced points of the dense output; of what jumps, ``jumps.py``
ends the steps. The formulas are plain Python
on floats for the readable solver, and are recorded like a model's equations for the compiled one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from vein2vein.engine.handed_in import real, shown, word
from vein2vein.engine.trace.agreed import function_of
from vein2vein.errors import InputError, unknown
from vein2vein.models.mathematics import less, maximum, minimum, where
from vein2vein.models.model import Model
from vein2vein.records import described

KINDS = ("max", "time_of_max", "area", "time_above", "first_crossing", "end")
MOMENT = 1e-300
"""Length of a step that only sees what is given on the last day; days."""
POINTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_AREA = tuple(w / 90 for w in (7, 32, 12, 32, 7))
_POLYNOMIAL = np.linalg.inv(np.vander(POINTS, increasing=True)).tolist()
_START = {"max": (-np.inf,), "time_of_max": (-np.inf, np.nan), "first_crossing": (np.inf,), "end": (np.nan,)}


@described
@dataclass(frozen=True)
class Summary:
    """One number per patient, from the first to the last day.

    Attributes
    ----------
    name : str
    kind : {"max", "time_of_max", "area", "time_above", "first_crossing", "end"}
        Times in days; a level that is never reached is crossed at infinity.
    of : str or callable (t, x, p, u) -> value
        A state or an observable of the model by its name, or any function. Where a comparison makes it jump (``where``,
        ``x.A < 1``, ``floor``), steps end at the jumps and both values count; what jumps back within a quarter of a
        step may pass unseen, and so do all jumps of a model that only the readable solver takes.
    level : float, optional
        For "time_above" and "first_crossing".
    """

    name: str
    kind: str
    of: str | Callable[[Any, Any, Any, Any], Any]
    level: float | None = None


def check(summary: Summary, model: Model) -> Summary:
    """Return the summary; refuse one that makes no sense."""
    name, kind, of = (cast("object", v) for v in (summary.name, summary.kind, summary.of))
    if not isinstance(name, str) or not name:
        raise InputError(f"a summary is called {shown(summary.name)}; give it a name of one letter or more")
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError(f"summary {summary.name}: {unknown('kind', word(kind), KINDS)}")
    if not isinstance(of, str) and not (isinstance(of, Hashable) and callable(of)):
        raise InputError(
            f"summary {summary.name}: it is of {shown(summary.of)}; name a state or observable of model {model.name}, "
            "or give a function of (t, x, p, u)"
        )
    needs, level = summary.kind in ("time_above", "first_crossing"), real(summary.level)
    if needs and (level is None or not np.isfinite(level)):
        raise InputError(f"summary {summary.name}: its level is {shown(summary.level)}; give a finite number")
    if not needs and summary.level is not None:
        raise InputError(f"summary {summary.name}: a summary of kind '{summary.kind}' has no level; leave it out")
    return replace(summary, level=level)


def agreed(summaries: Sequence[Summary], model: Model) -> tuple[Summary, ...]:
    """Summaries as the readable solver asks them (``trace/agreed.py``)."""
    return tuple(
        s if isinstance(s.of, str) else replace(s, of=function_of(model, s.of, f"the summary {s.name}"))
        for s in summaries
    )


def quantity(summary: Summary, model: Model) -> Callable[[Any, Any, Any, Any], Any]:
    """Function (t, x, p, u) that is summarized."""
    of = summary.of
    if not isinstance(of, str):
        return of
    if of in model.state_names:
        return lambda t, x, p, u: getattr(x, of)

    def observable(t: Any, x: Any, p: Any, u: Any) -> Any:
        values = model.observables(t, x, p, u)
        if not isinstance(cast("object", values), Mapping):
            raise InputError(
                f"summary {summary.name}: model {model.name}: the observables are {type(values).__name__}; "
                "let them be a mapping of name to value"
            )
        if of not in values:
            known = [*model.state_names, *values]
            raise InputError(f"summary {summary.name}: model {model.name}: {unknown('state or observable', of, known)}")
        return values[of]

    return observable


def start(kind: str) -> tuple[float, ...]:
    """What is carried along for a summary before the first step; the last number is the result."""
    return _START.get(kind, (0.0,))


def update(kind: str, y: Sequence[Any], t: Any, h: Any, level: float | None, carried: Sequence[Any]) -> list[Any]:
    """What is carried along after a step of length ``h`` from ``t`` on which the values at the points are ``y``."""
    if kind == "area":
        return [carried[0] + h * sum(w * v for w, v in zip(_AREA, y))]
    if kind == "end":
        return [y[-1]]
    c = [sum(w * v for w, v in zip(row, y)) for row in _POLYNOMIAL]
    if kind == "max":
        best = carried[0]
        for value, _ in _candidates(y, c):
            best = maximum(best, value)
        return [best]
    if kind == "time_of_max":
        best, when = carried
        for value, share in _candidates(y, c):
            better = less(best, value)
            best, when = where(better, value, best), where(better, t + h * share, when)
        return [best, when]
    if kind == "time_above":
        return [carried[0] + h * sum(_above(y, c, level, i) for i in range(len(y) - 1))]
    first = carried[0]
    for i in range(len(y) - 1):
        root = _root(y, c, level, i)
        share = where(less(y[i], level), where(less(y[i + 1], level), np.inf, root), POINTS[i])
        first = minimum(first, t + h * share)
    return [first]


def _value(c: Sequence[Any], s: Any) -> Any:
    total = c[-1]
    for lower in reversed(c[:-1]):
        total = total * s + lower
    return total


def _slope(c: Sequence[Any]) -> list[Any]:
    return [n * value for n, value in enumerate(c)][1:]


def _candidates(y: Sequence[Any], c: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Values and places where the largest may be: the points, and the tops of the curve between them."""
    found: list[tuple[Any, Any]] = list(zip(y, POINTS))
    # Values of which there are only two are steps and no curve.
    lowest, highest = y[0], y[0]
    for value in y[1:]:
        lowest, highest = minimum(lowest, value), maximum(highest, value)
    between: Any = 0.0
    for value in y[1:]:
        between = maximum(between, minimum(value - lowest, highest - value))
    curved = less(0.0, between)
    first = _slope(c)
    second = _slope(first)
    for i in range(1, len(y) - 1):
        low, high = POINTS[i - 1], POINTS[i + 1]
        s: Any = POINTS[i]
        for _ in range(3):
            bend = _value(second, s)
            rounded = less(bend, 0.0)
            s = minimum(maximum(where(rounded, s - _value(first, s) / where(rounded, bend, -1.0), s), low), high)
        found.append((where(curved, _value(c, s), y[i]), where(curved, s, POINTS[i])))
    return found


def _root(y: Sequence[Any], c: Sequence[Any], level: Any, i: int) -> Any:
    """Share of the step at which the level is crossed between two points; meaningless where it is not."""
    low, high = y[i] - level, y[i + 1] - level
    crosses = where(less(low, 0.0), 1.0 - less(high, 0.0), less(high, 0.0))
    width = POINTS[1]
    s = POINTS[i] + width * where(crosses, low / where(crosses, low - high, 1.0), 0.0)
    first = _slope(c)
    for _ in range(3):
        slope = _value(first, s)
        steep = less(0.0, slope * slope)
        s = where(steep, s - (_value(c, s) - level) / where(steep, slope, 1.0), s)
        s = minimum(maximum(s, POINTS[i]), POINTS[i + 1])
    return s


def _above(y: Sequence[Any], c: Sequence[Any], level: Any, i: int) -> Any:
    """Share of the step, between two points, that lies at or above the level."""
    root = _root(y, c, level, i)
    whole = where(less(y[i + 1], level), 0.0, POINTS[1])
    return where(
        less(y[i], level),
        where(less(y[i + 1], level), 0.0, POINTS[i + 1] - root),
        where(less(y[i + 1], level), root - POINTS[i], whole),
    )
