"""Days on which a model's equations, or what is summarized, jump or bend, known before it is solved.

Steps end there, and begin anew.

Without that, a pulse that is shorter than a step may pass between two looks of the solver, without a word.

Found are the comparisons (``less``, ``minimum``, ``maximum``, ``floor``, ``ceil``) whose sides rest on time, parameters
and levels alone and are straight lines in time, or pieces of such lines between other days that are known:
``t < p.end``, ``t - p.every * floor(t / p.every) < p.length``. A level counts as long as nothing in the course changes
it. Comparisons of anything else (a state; ``sin(t) < p.a``; a product of times) are left to the control of the error,
which takes small steps where it meets them and may not meet what is short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.method import jumps
from vein2vein.engine.method.summaries import Summary
from vein2vein.engine.trace import content
from vein2vein.engine.trace.graph import LEAVES, NUMPY, Graph, needed
from vein2vein.engine.trace.kept import Kept
from vein2vein.engine.trace.recording import Unrecordable, trace
from vein2vein.errors import InputError
from vein2vein.models.model import Model

Matrix = NDArray[np.float64]

MOST = 10_000
"""Jumps per patient that there is room for."""
ASIDE = 1e-14
"""How far before and after a jump steps end, per day of the course: more than comparisons are rounded."""

_COMPARED = ("less", "min", "max")
_ROUNDED = ("floor", "ceil")


@dataclass(frozen=True)
class Comparison:
    """A comparison in time.

    Attributes
    ----------
    distance : int
        Node that is 0 where it changes; of ``floor`` and ``ceil``, that is whole there.
    rounded, bends : bool
        Whether it rounds; whether only the slope changes there (``minimum``, ``maximum``).
    levels : frozenset of int
    """

    distance: int
    rounded: bool
    bends: bool
    levels: frozenset[int]


@dataclass(frozen=True)
class Breaks:
    """The comparisons in time of a model's equations or summaries, each after those that it rests on.

    ``name`` is what jumps, in words. ``straight`` is whether all sides are straight lines throughout, so that each
    changes on one day at most.
    """

    name: str
    graph: Graph
    comparisons: tuple[Comparison, ...]
    straight: bool


_made: Kept[Breaks | None] = Kept(256)


def find(model: Model) -> Breaks | None:
    """What of a model's equations jumps or bends on known days; None: nothing. Looked for once per content."""
    try:
        key = content.rates(model)
    except Unrecordable:
        return None
    return _made.get(key, lambda: _find(model))


def _find(model: Model) -> Breaks | None:
    traced = trace(model)
    return _compared(f"model {model.name}: its equations", traced.graph, traced.derivatives)


def summarized(model: Model, wanted: Sequence[Summary]) -> Breaks | None:
    """The same of what is summarized."""
    if not wanted:
        return None
    try:
        facts = content.course(model, (), [s.of for s in wanted])
    except Unrecordable:
        return None
    return _made.get((facts, tuple(wanted)), lambda: _summarized(model, wanted))


def _summarized(model: Model, wanted: Sequence[Summary]) -> Breaks | None:
    try:
        g, outputs = jumps.recorded(model, wanted)
    except Unrecordable:
        return None
    return _compared(f"model {model.name}: its summaries", g, outputs)


def _compared(name: str, g: Graph, outputs: Sequence[int]) -> Breaks | None:
    order = needed(g, outputs)
    degrees: dict[int, int | None] = {}
    timed: dict[int, bool] = {}
    levels: dict[int, frozenset[int]] = {}
    found: list[Comparison] = []
    for node in order:
        op, args = g.nodes[node]
        below = g.operands(node)
        degrees[node] = _degree(op, [degrees[a] for a in below])
        timed[node] = op == "time" or any(timed[a] for a in below)
        levels[node] = frozenset([args[0]]) if op == "level" else frozenset[int]().union(*(levels[a] for a in below))
        if degrees[node] is not None and timed[node] and op in (*_COMPARED, *_ROUNDED):
            distance = args[0] if op in _ROUNDED else g.apply("sub", args[0], args[1])
            found.append(Comparison(distance, op in _ROUNDED, op in ("min", "max"), levels[node]))
    below = needed(g, [c.distance for c in found])
    pieces = any(timed.get(n, False) and g.nodes[n][0] in (*_COMPARED, *_ROUNDED) for n in below)
    straight = not pieces and not any(c.rounded for c in found)
    return Breaks(name, g, tuple(found), straight) if found else None


def _degree(op: str, below: Sequence[int | None]) -> int | None:
    """0: constant between known days; 1: a straight line between them; None: neither."""
    if op in ("const", "parameter", "level"):
        return 0
    if op == "time":
        return 1
    known = [d for d in below if d is not None]
    if op == "state" or len(known) < len(below):
        return None
    if op in ("add", "sub", "neg", "min", "max"):
        return max(known)
    if op in ("less", *_ROUNDED):
        return 0
    if op == "mul":
        return sum(known) if sum(known) <= 1 else None
    if op in ("div", "choose"):
        place = 1 if op == "div" else 0
        return max(known) if known[place] == 0 else None
    return 0 if max(known) == 0 else None


def days(
    breaks: Breaks, parameters: Matrix, levels: Matrix, changing: Sequence[int], begins: Matrix, ends: Matrix
) -> Matrix:
    """Days (n, k) on which steps end, in any order; NaN: none.

    Parameters
    ----------
    parameters, levels : ndarray (n, parameters), (n, levels)
    changing : sequence of int
        Levels that something in the course changes.
    begins, ends : ndarray () or (n,)
    """
    n = len(parameters)
    begin, end = (np.broadcast_to(d, (n,)) for d in (begins, ends))
    aside = ASIDE * np.maximum(np.abs(begin), np.abs(end))[:, None]
    if breaks.straight:
        return _once(breaks, parameters, levels, changing, begin[:, None], end[:, None], aside)
    edges = np.stack([begin, end], axis=1)
    jumps = np.zeros((n, 2), dtype=bool)
    for c in breaks.comparisons:
        if c.levels.isdisjoint(changing):
            with np.errstate(all="ignore"):
                more = _crossings(breaks, c, parameters, levels, edges, aside)
            edges, jumps = _merged(breaks, edges, jumps, more, not c.bends, aside, end)
    inner, sharp = edges[:, 1:-1], jumps[:, 1:-1]
    found = np.concatenate([np.where(sharp, inner - aside, inner), np.where(sharp, inner + aside, np.nan)], axis=1)
    found = np.where((found > begin[:, None]) & (found < end[:, None]), found, np.nan)
    return found[:, np.isfinite(found).any(axis=0)]


def _once(
    breaks: Breaks,
    parameters: Matrix,
    levels: Matrix,
    changing: Sequence[int],
    begin: Matrix,
    end: Matrix,
    aside: Matrix,
) -> Matrix:
    """The same where each comparison changes on one day at most: far less to do."""
    found: list[Matrix] = []
    p, u = ([column[:, None] for column in m.T] for m in (parameters, levels))
    for c in breaks.comparisons:
        if c.levels.isdisjoint(changing):
            with np.errstate(all="ignore"):
                at = _value(breaks.graph, c.distance, begin, p, u)
                rise = (_value(breaks.graph, c.distance, end, p, u) - at) / (end - begin)
                day = begin - at / rise
                day = day - _value(breaks.graph, c.distance, day, p, u) / rise
            inside = (day >= begin - aside) & (day <= end + aside)
            found += [np.where(inside, d, np.nan) for d in ((day,) if c.bends else (day - aside, day + aside))]
    if not found:
        return np.zeros((len(parameters), 0))
    days = np.concatenate(found, axis=1)
    return np.where((days > begin) & (days < end), days, np.nan)


def _value(g: Graph, node: int, t: Matrix, p: Sequence[Matrix], u: Sequence[Matrix]) -> Matrix:
    """A node at times (n, k), from columns (n, 1) of parameters and levels."""
    of: dict[str, Sequence[Matrix]] = {"parameter": p, "level": u}
    found: dict[int, Matrix] = {}
    for below in g.order((node,)):
        op, args = g.nodes[below]
        if op in LEAVES:
            found[below] = args[0] if op == "const" else t if op == "time" else of[op][args[0]]
        else:
            found[below] = NUMPY[op](*(found[a] for a in args))
    return found[node]


def _crossings(
    breaks: Breaks, c: Comparison, parameters: Matrix, levels: Matrix, edges: Matrix, aside: Matrix
) -> Matrix:
    """Days (n, m) on which a comparison changes, between edges between which its sides are straight lines."""
    p, u = ([column[:, None] for column in m.T] for m in (parameters, levels))

    def value(t: Matrix) -> Matrix:
        return np.broadcast_to(_value(breaks.graph, c.distance, t, p, u), t.shape)

    low, width = edges[:, :-1], np.diff(edges, axis=1)
    t = low + width / 3
    at, rise = value(t), (value(low + width * (2 / 3)) - value(t)) / (width / 3)
    high = low + width
    if not c.rounded:
        found = t - at / rise
        inside = (found >= low - aside) & (found <= high + aside)
        found = np.where(inside, found, t)
        return np.where(inside, np.clip(found - value(np.clip(found, low, high)) / rise, low, high), np.nan)
    ends = np.sort(np.stack([at - rise * width / 3, at + rise * width * (2 / 3)]), axis=0)
    room = np.abs(rise) * aside
    first, last = np.ceil(ends[0] - room), np.floor(ends[1] + room)
    count = np.where((width > 0) & (rise != 0) & np.isfinite(last - first), last - first + 1, 0)
    total = count.sum(axis=1)
    if np.any(total > MOST):
        raise _too_many(breaks, int(np.argmax(total > MOST)))
    whole = first[:, :, None] + np.arange(int(np.max(count, initial=0)))
    found = t[:, :, None] + (whole - at[:, :, None]) / rise[:, :, None]
    found = np.clip(found, low[:, :, None], high[:, :, None])
    return np.where(whole < (first + count)[:, :, None], found, np.nan).reshape(len(edges), -1)


def _merged(
    breaks: Breaks, edges: Matrix, jumps: NDArray[np.bool_], more: Matrix, sharp: bool, aside: Matrix, end: Matrix
) -> tuple[Matrix, NDArray[np.bool_]]:
    """Edges with some more, in order, each day once; where nothing more comes, the end."""
    days = np.concatenate([edges, more], axis=1)
    kinds = np.concatenate([jumps, np.broadcast_to(sharp, more.shape)], axis=1)
    order = np.argsort(days, axis=1, kind="stable")
    days, kinds = np.take_along_axis(days, order, axis=1), np.take_along_axis(kinds, order, axis=1)
    # Of days that count as one the last is kept, which knows whether any of them jumps; the begin and the end stay.
    again = np.diff(days, axis=1) <= 2 * aside
    while np.any(passed := again & kinds[:, :-1] & ~kinds[:, 1:]):
        kinds[:, 1:] |= passed
    gone = np.concatenate([again, np.zeros((len(days), 1), dtype=bool)], axis=1) | ~(days <= end[:, None])
    days = np.where(gone, np.inf, days)
    days[:, 0] = edges[:, 0]
    order = np.argsort(days, axis=1, kind="stable")
    days, kinds = np.take_along_axis(days, order, axis=1), np.take_along_axis(kinds, order, axis=1)
    room = int(np.max(np.isfinite(days).sum(axis=1), initial=0)) + 1
    late = ~np.isfinite(days[:, :room])
    if room - 2 > MOST:
        raise _too_many(breaks, int(np.argmax(np.isfinite(days).sum(axis=1))))
    return np.where(late, end[:, None], days[:, :room]), kinds[:, :room] & ~late


def _too_many(breaks: Breaks, row: int) -> InputError:
    return InputError(
        f"{breaks.name} jump more than {MOST} times on the way of patient {row} (row, from 0); "
        "ask for fewer days, or let floor() or ceil() step more slowly"
    )
