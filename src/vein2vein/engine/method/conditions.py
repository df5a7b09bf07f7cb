"""Conditions of events: what may be true or false, such as ``x.A < 0.5``, as a distance that has a sign.

A condition holds where its value is 0 or more. A comparison is 1 or 0, which is never below 0: its distance is what
stands in for it. That of ``a < b`` is ``b - a``; "and" is the smaller of two, "or" the larger, "not" the negative. It
is 0 or more exactly where the comparison is true, and its zero is where the crossing is located.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from vein2vein.engine.trace import content
from vein2vein.engine.trace.graph import LEAVES, NUMPY, Graph, needed
from vein2vein.engine.trace.kept import Kept
from vein2vein.engine.trace.recording import Unrecordable, record
from vein2vein.engine.trace.replay import replay
from vein2vein.errors import InputError
from vein2vein.models.model import Model

Condition = Callable[[Any, Any, Any, Any], Any]

_JUST_BELOW = -1e-300
_MOST_COMPARED = 12
_SOME = 0.73156
_made: Kept[Condition] = Kept(256)


def distance(condition: Condition, model: Model, event: str) -> Condition:
    """What an event's condition is watched by: itself, or its distance where it is true or false.

    The same condition of the same model gives the same function, so that what is compiled for it is found again.

    Raises
    ------
    InputError
        Where the condition is the same whatever the day, the state and the patient, or a sum of comparisons.
    """
    try:
        key = (content.rates(model), condition, event)
    except Unrecordable:  # only the readable solver takes this model: nothing of it is kept
        return _distance(condition, model, event)
    return _made.get(key, lambda: _distance(condition, model, event))


def _distance(condition: Condition, model: Model, event: str) -> Condition:
    names = (model.state_names, model.parameters, model.level_names)
    try:
        g, outputs = record(
            model.name,
            lambda t, x, p, u: {"value": condition(t, x, p, u)},
            *names,
            f"the condition of {event}",
            condition,
        )
    except Unrecordable:
        return condition
    root = outputs["value"]
    if all(g.nodes[n][0] not in LEAVES or g.nodes[n][0] == "const" for n in needed(g, [root])):
        value = g.value(root)
        raise InputError(
            f"event {event}: the condition is {value:g} whatever the day, the state and the patient; "
            "let it depend on t, x, p or u"
        )
    found = _signed(g, root)
    if found is None:
        if _steps_on_0(g, root):
            raise InputError(
                f"event {event}: the condition is a sum or a multiple of comparisons, a number that jumps to or from "
                "0, and 0 counts as reached; join comparisons by | (one of them holds) or & (all of them do)"
            )
        return condition
    below = g.apply("min", found, g.const(_JUST_BELOW))
    watched = replay(g, {"value": g.apply("choose", root, found, below)}, *names)
    return lambda t, x, p, u: watched(t, x, p, u)["value"]


def _steps_on_0(g: Graph, root: int) -> bool:
    """Whether a value rests on comparisons alone and is 0 for some answers of theirs, whatever the parameters."""
    compared: list[int] = []
    order: list[int] = []
    stack = [root]
    while stack:
        node = stack.pop()
        op, args = g.nodes[node]
        if op == "less":
            compared.append(node)
        elif op in LEAVES:
            if op not in ("const", "parameter"):
                return False
        else:
            stack.extend(args)
        order.append(node)
    compared = list(dict.fromkeys(compared))
    if not 0 < len(compared) <= _MOST_COMPARED:
        return False
    answers = np.array(list(itertools.product((0.0, 1.0), repeat=len(compared))))
    value: dict[int, Any] = dict(zip(compared, answers.T))
    with np.errstate(all="ignore"):
        for node in sorted(set(order)):
            op, args = g.nodes[node]
            if op == "const":
                value[node] = args[0]
            elif op == "parameter":
                value[node] = _SOME / (1 + args[0])
            elif op != "less":
                value[node] = NUMPY[op](*(value[a] for a in args))
    return bool(np.any(value[root] == 0))


def _signed(g: Graph, root: int) -> int | None:
    """Node of the distance of what is 1 or 0; None for anything else."""
    found: dict[int, int | None] = {}
    for node in needed(g, [root]):
        found[node] = _node(g, node, found)
    return found[root]


def _node(g: Graph, node: int, signed: dict[int, int | None]) -> int | None:
    op, args = g.nodes[node]
    if op == "const":
        return g.const(float("inf") if args[0] == 1 else float("-inf")) if args[0] in (0, 1) else None
    if op == "less":
        return g.apply("sub", args[1], args[0])
    if op in LEAVES:
        return None
    of = [signed[a] for a in args]
    if any(s is None for s in of):
        return None
    known = [s for s in of if s is not None]
    if op == "sub":
        return g.apply("neg", known[1]) if g.value(args[0]) == 1 else None
    if op in ("mul", "min", "max"):
        return g.apply("max" if op == "max" else "min", *known)
    if op == "choose":
        if_true = g.apply("min", known[0], known[1])
        if_false = g.apply("min", g.apply("neg", known[0]), known[2])
        return g.apply("max", if_true, if_false)
    return None
