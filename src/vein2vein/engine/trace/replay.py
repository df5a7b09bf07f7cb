"""A recorded graph as a function again, for floats, arrays and traced expressions."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vein2vein.engine.trace.graph import LEAVES, Graph, needed
from vein2vein.models import mathematics

_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "min": mathematics.minimum,
    "max": mathematics.maximum,
    "choose": mathematics.where,
}

_NAMES = {"pow": "raised"}
"""Operations that are called otherwise in ``mathematics.py``."""


def replay(
    g: Graph, outputs: Mapping[str, int], states: Sequence[str], parameters: Sequence[str], levels: Sequence[str]
) -> Callable[[Any, Any, Any, Any], dict[str, Any]]:
    """Function (t, x, p, u) -> value by name of what nodes stand for; an operation is that of ``mathematics.py``."""
    names: dict[str, Sequence[str]] = {"state": states, "parameter": parameters, "level": levels}
    order = [(node, *g.nodes[node]) for node in needed(g, outputs.values())]
    does = {
        op: _FUNCTIONS.get(op) or getattr(mathematics, _NAMES.get(op, op)) for _, op, _ in order if op not in LEAVES
    }

    def replayed(t: Any, x: Any, p: Any, u: Any) -> dict[str, Any]:
        of = {"state": x, "parameter": p, "level": u}
        value: dict[int, Any] = {}
        for node, op, args in order:
            if op == "const":
                value[node] = args[0]
            elif op in LEAVES:
                value[node] = t if op == "time" else getattr(of[op], str(names[op][args[0]]))
            else:
                value[node] = does[op](*(value[a] for a in args))
        return {name: value[node] for name, node in outputs.items()}

    return replayed
