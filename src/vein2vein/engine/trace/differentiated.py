"""Functions of a model recorded with their partial derivatives: rates, starts, doses, observables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vein2vein.engine.trace.derivative import partials
from vein2vein.engine.trace.graph import Graph
from vein2vein.engine.trace.recording import record
from vein2vein.models.model import Model

AMOUNT = "amount of the dose"


@dataclass(frozen=True)
class Recorded:
    """A recorded function and its partial derivatives: per output, {(kind, index): node}."""

    graph: Graph
    names: tuple[str, ...]
    outputs: tuple[int, ...]
    slopes: tuple[Mapping[tuple[str, int], int], ...]


def differentiated(
    model: Model, function: Callable[..., Mapping[str, Any]], amount: bool = False, what: str = "the equations",
    source: object = None, bounded: bool = False,
) -> Recorded:  # fmt: skip
    """Record a function of (t, x, p, u) of a model with its partial derivatives.

    With ``bounded`` the states that it gives are brought within their bounds. With ``amount`` the function is given the
    amount of a dose as its fifth argument: one more parameter, the last. ``what`` and ``source`` as for ``record``.
    """
    parameters = (*model.parameters, AMOUNT) if amount else model.parameters

    def call(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
        return function(t, x, p, u, getattr(p, AMOUNT)) if amount else function(t, x, p, u)

    graph, outputs = record(model.name, call, model.state_names, parameters, model.level_names, what, source)
    if bounded:
        outputs = within_bounds(graph, outputs, model)
    nodes = tuple(outputs.values())
    slopes: list[dict[tuple[str, int], int]] = [{} for _ in nodes]
    for kind in ("time", "state", "parameter", "level"):
        for slope, found in zip(slopes, partials(graph, nodes, kind)):
            slope.update({(kind, j): node for j, node in found.items()})
    return Recorded(graph, tuple(outputs), nodes, tuple(slopes))


def initial(model: Model) -> Recorded:
    """The model's own start with its derivatives."""
    return differentiated(model, lambda t, x, p, u: model.initial(p), what="the start", source=model.initial)


def dose(model: Model, name: str, bounded: bool = True) -> Recorded:
    """What a dose does to the states it changes, with its derivatives; with ``bounded``, within their bounds."""
    what = f"the dose of '{name}'"
    return differentiated(
        model, lambda t, x, p, u, amount: model.apply_dose(name, amount, x, p), True, what, model.apply_dose, bounded
    )


def within_bounds(g: Graph, outputs: Mapping[str, int], model: Model) -> dict[str, int]:
    """States by name, brought within their bounds (``models.model.give``); what is not a number stays that."""
    bounds = {s.name: (s.low, s.high) for s in model.states}
    found: dict[str, int] = {}
    for name, value in outputs.items():
        low, high = (g.const(bound) for bound in bounds.get(name, (-math.inf, math.inf)))
        if math.isfinite(g.value(low) or 0.0):
            value = g.apply("choose", g.apply("less", value, low), low, value)
        if math.isfinite(g.value(high) or 0.0):
            value = g.apply("choose", g.apply("less", high, value), high, value)
        found[name] = value
    return found
