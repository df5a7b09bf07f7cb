"""Summaries of quantities that jump: each step is seen with the answers that their comparisons have within it.

A comparison in what is summarized (``x.C < p.low``, ``where``, ``floor``) makes it jump, and no polynomial through five
points of a step follows a jump. So each answer is asked for at the beginning of a step (``SINCE``) and held through it,
which leaves a smooth quantity, and the step ends where the first answer changes. So both values of a jump count: the
one before it at the end of a step, the one after it at the beginning of the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vein2vein.engine.method import summaries
from vein2vein.engine.method.summaries import Summary
from vein2vein.engine.trace import content
from vein2vein.engine.trace.graph import LEAVES, Graph, needed
from vein2vein.engine.trace.kept import Kept
from vein2vein.engine.trace.recording import Unrecordable, record
from vein2vein.engine.trace.replay import replay
from vein2vein.models.model import Model

SINCE = 2.0**-20
"""Share of a step at which the answers are asked for: after what may be equal just at its beginning."""
NEAR = 1 - 2.0**-18
"""An answer that changes this near to where an event ends the step, or nearer, changes with it."""

SOON, SOONEST = 2.0**-10, 4
"""How many steps in a row may end within that share of them: where a state rests, rounding turns answers."""

_JUMPS = ("less", "floor", "ceil")
_JUST_BELOW = -1e-300


@dataclass(frozen=True)
class Jumps:
    """What is summarized, with its answers held.

    Attributes
    ----------
    graph : Graph
    outputs : tuple of int
        Quantities in the order of ``quantities``; the answers stand after the levels of the model.
    answers : tuple of int
        Comparisons as they are, or the whole numbers of ``floor`` and ``ceil``.
    change : int
        Number that is 0 or more where any answer is another one than is held.
    names : tuple of str
        Levels and answers by name.
    """

    graph: Graph
    outputs: tuple[int, ...]
    answers: tuple[int, ...]
    change: int
    names: tuple[str, ...]


_made: Kept[Jumps | None] = Kept(64)


def quantities(wanted: Sequence[Summary]) -> dict[tuple[object, bool], Summary]:
    """Distinct quantities that are summarized, by ``key``, with the first summary of each."""
    found: dict[tuple[object, bool], Summary] = {}
    for s in wanted:
        found.setdefault(key(s), s)
    return found


def key(summary: Summary) -> tuple[object, bool]:
    """What is summarized, and whether it is looked at with the answers of the moment: at the end, nothing follows."""
    return summary.of, summary.kind == "end"


def find(model: Model, wanted: Sequence[Summary]) -> Jumps | None:
    """What of the summarized quantities jumps; None: nothing, or nothing that can be recorded."""
    if not wanted:
        return None
    try:
        facts = content.course(model, (), [s.of for s in wanted])
    except Unrecordable:
        return None
    return _made.get((facts, tuple(wanted)), lambda: _find(model, wanted))


def recorded(model: Model, wanted: Sequence[Summary]) -> tuple[Graph, list[int]]:
    """Graph of the quantities as they are, and their nodes."""
    firsts = quantities(wanted)
    chosen = {f"{i}": summaries.quantity(s, model) for i, s in enumerate(firsts.values())}
    origin = {f"{i}": model.observables if isinstance(s.of, str) else s.of for i, s in enumerate(firsts.values())}
    g, outputs = record(
        model.name,
        lambda t, x, p, u: {n: f(t, x, p, u) for n, f in chosen.items()},
        model.state_names,
        model.parameters,
        model.level_names,
        "a summary",
        sources=origin,
    )
    return g, [outputs[n] for n in chosen]


def _find(model: Model, wanted: Sequence[Summary]) -> Jumps | None:
    try:
        g, roots = recorded(model, wanted)
    except Unrecordable:
        return None
    held = [root for root, (_, ends) in zip(roots, quantities(wanted)) if not ends]
    answers = [n for n in needed(g, held) if g.nodes[n][0] in _JUMPS]
    if not answers:
        return None
    levels = len(model.level_names)
    kept: dict[int, int] = {}
    change = -1
    for node in needed(g, held):
        op, args = g.nodes[node]
        if node in answers:
            kept[node] = g.leaf("level", levels + answers.index(node))
            own = _change(g, op, [kept[a] for a in args], kept[node])
            change = own if change < 0 else g.apply("max", change, own)
        else:
            kept[node] = node if op in LEAVES else g.apply(op, *(kept[a] for a in args))
    outputs = [root if ends else kept[root] for root, (_, ends) in zip(roots, quantities(wanted))]
    names = (*model.level_names, *(f"answer {i}" for i in range(len(answers))))
    return Jumps(g, tuple(outputs), tuple(answers), change, names)


def _change(g: Graph, op: str, args: Sequence[int], held: int) -> int:
    """Node that is 0 or more where an answer is not the one that is held, and tells how far off it is where it is."""
    none = g.const(_JUST_BELOW)
    if op == "less":
        a, b = args
        more, less = g.apply("sub", b, a), g.apply("sub", a, b)
        a_less, b_less = g.apply("less", a, b), g.apply("less", b, a)
        comes = g.apply("choose", a_less, more, g.apply("choose", b_less, more, none))
        goes = g.apply("choose", a_less, less, g.apply("choose", b_less, less, g.const(0.0)))
        return g.apply("choose", held, goes, comes)
    value, whole = args[0], held
    if op == "ceil":
        value, whole = g.apply("neg", value), g.apply("neg", held)
    below = g.apply("sub", whole, value)
    at_whole = g.apply("choose", g.apply("less", whole, value), below, none)
    below = g.apply("choose", g.apply("less", value, whole), below, at_whole)
    above = g.apply("sub", g.apply("sub", value, whole), g.const(1.0))
    above = g.apply("choose", g.apply("less", above, g.const(0.0)), above, g.apply("max", above, g.const(0.0)))
    return g.apply("max", below, above)


@dataclass(frozen=True)
class Watched:
    """The same as functions of (t, x, p, u), ``u`` with the answers that are held: for the readable solver."""

    names: tuple[str, ...]
    quantities: tuple[Callable[[Any, Any, Any, Any], Any], ...]
    answers: Callable[[Any, Any, Any, Any], dict[str, Any]]
    change: Callable[[Any, Any, Any, Any], Any]


def watched(model: Model, found: Jumps) -> Watched:
    """Functions of what was found."""
    names = (model.state_names, model.parameters, found.names)
    own = found.names[len(model.level_names) :]
    each = replay(found.graph, {f"{i}": node for i, node in enumerate(found.outputs)}, *names)
    answers = replay(found.graph, dict(zip(own, found.answers)), *names)
    change = replay(found.graph, {"change": found.change}, *names)
    return Watched(
        own,
        tuple(lambda t, x, p, u, i=f"{i}": each(t, x, p, u)[i] for i in range(len(found.outputs))),
        answers,
        lambda t, x, p, u: change(t, x, p, u)["change"],
    )
