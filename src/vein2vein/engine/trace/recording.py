"""Records a model's plain-Python equations as a graph of expressions.

The equations are called once with stand-ins for time, states, parameters and levels (``expression.py``). What does
not fit is refused with the model's name, the state, and file and line of its author's code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from vein2vein.arguments import shown
from vein2vein.engine.trace.expression import Expression, Names, Unrecordable
from vein2vein.engine.trace.graph import Graph, evaluate, needed
from vein2vein.errors import nearest
from vein2vein.models import author
from vein2vein.models.model import Model, is_number, start


@dataclass(frozen=True)
class Traced:
    """A model's equations as expressions.

    Attributes
    ----------
    model : Model
    graph : Graph
    derivatives : tuple of int
        Node of each state's derivative, in the order of the states.
    """

    model: Model
    graph: Graph
    derivatives: tuple[int, ...]


def record(
    name: str,
    function: Callable[[Any, Any, Any, Any], Any],
    states: Sequence[str],
    parameters: Sequence[str],
    levels: Sequence[str] = (),
    what: str = "the equations",
    source: object = None,
) -> tuple[Graph, dict[str, int]]:
    """Record any function of (t, x, p, u) that returns a mapping of names to values.

    For errors: ``what`` it is, and the author's function that it calls, if it is not the author's own.

    Returns
    -------
    graph : Graph
    outputs : dict of name to node
    """
    g = Graph()

    def names(kind: str, of: Sequence[str]) -> Names:
        return Names(name, kind, {n: Expression(g, g.leaf(kind, i), name) for i, n in enumerate(of)})

    t = Expression(g, g.leaf("time"), name)
    given = [names(kind, of) for kind, of in (("state", states), ("parameter", parameters), ("level", levels))]
    begins = author.begins(source or function)
    try:
        result = function(t, *given)
    except Exception as error:  # the author's own code, whatever is wrong with it
        raise author.told(name, what, error, Unrecordable) from error
    if not isinstance(result, Mapping):
        text = f"model {name}: what {what} returned is {type(result).__name__}; return a mapping of name to value"
        raise author.fault(text, begins)
    outputs: dict[str, int] = {}
    for key, value in cast("Mapping[str, object]", result).items():
        if not isinstance(value, (Expression, bool, np.bool_)) and not is_number(value):
            raise author.fault(f"model {name}: {what}: the value of '{key}' is {shown(value)}; give one number", begins)
        outputs[str(key)] = t.node_of(value)
    return g, outputs


def trace(model: Model) -> Traced:
    """Record a model's equations.

    Raises
    ------
    InputError
        Naming the model, the state and the line where something cannot be recorded or does not fit.
    """
    states = model.state_names
    graph, outputs = record(model.name, model.equations, states, model.parameters, model.level_names)
    misfit(model, outputs)
    for state in states:
        value = graph.value(outputs[state])
        if value is not None and not np.isfinite(value):
            text = f"model {model.name}: the rate of {state} is {value} whatever the patient; give a finite number"
            raise author.fault(text, author.begins(model.equations))
    traced = Traced(model, graph, tuple(outputs[s] for s in states))
    if model.example:
        _check_example(traced)
    return traced


def misfit(model: Model, outputs: Iterable[str]) -> None:
    """Refuse equations that leave a state out, or name one that the model does not have."""
    states, given = model.state_names, tuple(outputs)
    begins = author.begins(model.equations)
    missing = [s for s in states if s not in given]
    if missing:
        text = f"no equation for the state {', '.join(missing)}; add it to what they return"
        raise author.fault(f"model {model.name}: {text}", begins)
    extra = [s for s in given if s not in states]
    if extra:
        close = nearest(extra[0], states)
        hint = f"; did you mean {' or '.join(close)}?" if close else f"; known: {', '.join(states) or 'none'}"
        raise author.fault(
            f"model {model.name}: an equation for '{extra[0]}', which is no state of the model{hint}", begins
        )


def _check_example(traced: Traced) -> None:
    """Refuse a model whose rates are not finite where its own example starts."""
    model, g = traced.model, traced.graph
    p = np.array([model.example[name] for name in model.parameters], dtype=float)
    x = start(model, p[None])[0]
    u = np.zeros(len(model.level_names))
    rates = evaluate(g, traced.derivatives, 0.0, x, p, u)
    for state, node, rate in zip(model.state_names, traced.derivatives, rates):
        if np.isfinite(rate):
            continue
        for below in needed(g, [node]):
            op, args = g.nodes[below]
            if op == "div" and evaluate(g, [args[1]], 0.0, x, p, u)[0] == 0:
                raise author.fault(
                    f"model {model.name}: the rate of {state} divides by zero at the start of the model's example; "
                    "keep the divisor above 0, with maximum() or a sum",
                    g.lines.get(below, author.begins(model.equations)),
                )
        raise author.fault(
            f"model {model.name}: the rate of {state} is not finite at the start of the model's example; "
            "look for a logarithm of 0 or a number out of range",
            author.begins(model.equations),
        )
