"""Corners on days that are known before a course is solved: comparisons of the time, and ``floor`` and ``ceil`` of it.

A straight line of the time meets a number once. With ``floor`` or ``ceil`` in it (``t - 7 * floor(t / 7) < p.length``)
it meets it again and again, and also leaps over it where they step on: that leap is a corner of its own, whose day
moves only with what is rounded. What steps otherwise (of a state, a product of times) is refused where it would move.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vein2vein.engine import breaks
from vein2vein.engine.checks import Given
from vein2vein.engine.tangents import tangent
from vein2vein.engine.tangents.corners import Surface, put
from vein2vein.engine.tangents.tangent import Direction, Matrix
from vein2vein.engine.trace.derivative import partials
from vein2vein.engine.trace.differentiated import Recorded
from vein2vein.engine.trace.graph import Graph, needed
from vein2vein.engine.trace.recording import record
from vein2vein.errors import InputError
from vein2vein.models.model import Model

_ROUNDED = ("floor", "ceil")
_NEAR, _SMOOTH = 3.0, 1000.0
"""Of the two days around a jump: how far they are apart at most (``breaks.ASIDE``, per day of the course), and how much
more than its pace times that a distance changes at least if it leaps."""


def leaves(function: Recorded, nodes: Sequence[int]) -> set[str]:
    """Kinds of the leaves that nodes rest on."""
    return {function.graph.nodes[node][0] for node in needed(function.graph, nodes)}


def is_timed(surface: Surface) -> bool:
    """Whether all days on which a surface is crossed are known from the parameters alone."""
    return _is_line(surface.distance) and all(_is_line(f) for f in _leaps(surface.distance))


def is_repeated(surface: Surface) -> bool:
    """Of a surface whose days are known: whether there may be several."""
    return surface.rounded or bool(_leaps(surface.distance))


def _is_line(distance: Recorded) -> bool:
    """Whether a distance changes with the time at a pace that is the same throughout, whatever the states."""
    pace = distance.slopes[0].get(("time", 0))
    here = leaves(distance, distance.outputs)
    return pace is not None and not here & {"state", "level"} and "time" not in leaves(distance, [pace])


def _leaps(distance: Recorded) -> list[Recorded]:
    """What decides where a distance itself leaps on the way: what is compared or rounded in it."""
    g = distance.graph
    found: list[Recorded] = []
    for node in needed(g, distance.outputs):
        op, args = g.nodes[node]
        if op in (*_ROUNDED, "less"):
            side = args[0] if op in _ROUNDED else g.apply("sub", args[1], args[0])
            if _kinds(g, side) & {"time", "state"}:
                found.append(_function(g, side))
    return found


def _kinds(g: Graph, node: int) -> set[str]:
    return {g.nodes[below][0] for below in needed(g, [node])}


def _function(g: Graph, node: int) -> Recorded:
    kinds = ("time", "state", "parameter", "level")
    slope = {(kind, j): n for kind in kinds for j, n in partials(g, [node], kind)[0].items()}
    return Recorded(g, ("distance",), (node,), (slope,))


def _is_moved(distance: Recorded, directions: Sequence[Direction]) -> bool:
    """Whether what is varied may move the day on which a distance is crossed."""
    varied = {("parameter", d.index) for d in directions if d.kind == "parameter"}
    varied |= {("level", d.level) for d in directions if d.level >= 0}
    return any(kind == "state" or (kind, j) in varied for kind, j in distance.slopes[0])


def roundings(model: Model, directions: Sequence[Direction]) -> list[Surface]:
    """Where ``floor`` and ``ceil`` in a model's rates step on days that move with what is varied.

    Raises
    ------
    InputError
        Where such days are not known before the course is solved.
    """
    g, outputs = record(model.name, model.equations, model.state_names, model.parameters, model.level_names)
    nodes = [outputs[s] for s in model.state_names]
    found: list[Surface] = []
    for node in needed(g, nodes):
        op, args = g.nodes[node]
        if op not in _ROUNDED or not _kinds(g, args[0]) & {"time", "state"}:
            continue
        distance = _function(g, args[0])
        if not _is_moved(distance, directions):
            continue
        if not _is_line(distance) or _leaps(distance):
            raise refused(model, op)
        step, one = g.apply("floor", g.apply("add", args[0], g.const(0.5))), g.const(1.0)
        sides = (g.apply("sub", step, one), step) if op == "floor" else (step, g.apply("add", step, one))
        off, on = (put(g, nodes, node, side) for side in sides)
        found.append(Surface(distance, plain(g, off), plain(g, on), rounded=True))
    return found


def plain(g: Graph, nodes: Sequence[int]) -> Recorded:
    """Rates without their slopes."""
    return Recorded(g, (), tuple(nodes), tuple({} for _ in nodes))


def stepped(which: Sequence[Surface], directions: Sequence[Direction]) -> list[Surface]:
    """Surfaces that move with what is varied, and that ``floor`` or ``ceil`` lets leap or step."""
    return [s for s in which if _is_moved(s.distance, directions) and (s.rounded or _has_rounded(s.distance))]


def _has_rounded(distance: Recorded) -> bool:
    g = distance.graph
    return any(
        g.nodes[node][0] in _ROUNDED and _kinds(g, node) & {"time", "state"} for node in needed(g, distance.outputs)
    )


def refused(model: Model, what: str = "floor() or ceil()") -> InputError:
    """What is said where derivatives do not follow."""
    return InputError(
        f"model {model.name}: derivatives do not follow {what} here: its steps decide when the equations jump, and "
        "they move with what is varied; that is followed for a straight line of the time, without events and "
        "comparisons of levels: write it so, leave out of wrt what moves it, or give corners=False to go without"
    )


def given(surface: Surface, name: str, begins: Matrix, ends: Matrix, p: Matrix, days: Matrix) -> list[Given]:
    """What lets the tangents jump at a surface that is crossed again and again: (days, input ``name``, 1 or -1).

    Parameters
    ----------
    days : ndarray (n, k)
        Around each day on which the model's equations jump there are two of them, in rising order, NaN last
        (``known_days``).
    """
    distance, n, count = surface.distance, *days.shape
    every, none = np.repeat(p, count, axis=0), np.zeros((n * count, 0))
    far = tangent.values(distance.graph, distance.outputs, days.reshape(-1), none, every, none)[0].reshape(n, count)
    speed = tangent.values(distance.graph, [distance.slopes[0]["time", 0]], 0.0, none[:n], p, none[:n])[0][:, None]
    low, high, width = far[:, :-1], far[:, 1:], np.diff(days, axis=1)
    aside = breaks.ASIDE * np.maximum(np.abs(begins), np.abs(ends))[:, None]
    rises = high > low if surface.rounded else high > 0
    changed = np.floor(low) != np.floor(high) if surface.rounded else (low > 0) != (high > 0)
    smooth = np.abs(high - low) <= _SMOOTH * np.abs(speed) * width
    at = np.where((width <= _NEAR * aside) & changed & smooth, days[:, 1:], np.nan)
    return [
        (at[:, j], name, np.where(rises[:, j], 1.0, -1.0)) for j in np.flatnonzero(np.isfinite(at).any(axis=0)).tolist()
    ]


def known_days(model: Model, begins: Matrix, ends: Matrix, p: Matrix) -> Matrix:
    """Days (n, k) just before and after the equations jump, in rising order, NaN last; of levels nothing is known."""
    found = breaks.find(model)
    if found is None:
        return np.full((len(p), 1), np.nan)
    levels = np.zeros((len(p), len(model.level_names)))
    return np.sort(breaks.days(found, p, levels, range(levels.shape[1]), begins, ends), axis=1)
