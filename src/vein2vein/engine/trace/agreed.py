"""Functions for the readable solver that compute what is recorded of them: ``&``, ``|`` and ``~`` of conditions.

A comparison of Python's numbers is True or False, and ``~True`` is -2 where a recorded ``~`` is 1 less the condition. A
function that was written with one of these is replayed from its recording; any other stays as its author wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vein2vein.engine.trace import content
from vein2vein.engine.trace.expression import Unrecordable
from vein2vein.engine.trace.recording import record
from vein2vein.engine.trace.replay import replay
from vein2vein.models.model import Model, derived

Function = Callable[[Any, Any, Any, Any], Any]


def model_of(model: Model) -> Model:
    """The model, with equations and observables that are replayed where they hold ``&``, ``|`` or ``~``."""
    changes = content.once(model, "logic", lambda m: " ".join(_changes(m)))
    return derived(model, **_changes(model)) if changes else model


def _changes(model: Model) -> dict[str, Function]:
    found = {name: _mapping(model, getattr(model, name), f"the {name}") for name in ("equations", "observables")}
    return {name: new for name, new in found.items() if new is not getattr(model, name)}


def function_of(model: Model, function: Function, what: str) -> Function:
    """A condition, amount or summary of a model, replayed where it holds ``&``, ``|`` or ``~``."""

    def named(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
        return {"value": function(t, x, p, u)}

    replayed = _mapping(model, named, what, function)
    return function if replayed is named else lambda t, x, p, u: replayed(t, x, p, u)["value"]


def _mapping(model: Model, function: Function, what: str, source: object = None) -> Function:
    names = (model.state_names, model.parameters, model.level_names)
    try:
        graph, outputs = record(model.name, function, *names, what, source)
    except Unrecordable:  # a branch, which only Python can take
        return function
    return replay(graph, outputs, *names) if graph.logic else function
