"""Where an adjoint jumps on its way back: at outputs, doses and corners; and what it leaves at the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.checks import Given
from vein2vein.engine.days_asked import Days
from vein2vein.engine.tangents import tangent
from vein2vein.engine.tangents.backward import Backward
from vein2vein.engine.tangents.corners import Crossing, Surface, is_own
from vein2vein.engine.tangents.pieces import Pieces
from vein2vein.engine.tangents.tangent import Direction, Matrix
from vein2vein.engine.trace.differentiated import Recorded
from vein2vein.models.model import Model, give

Jump = Callable[[Matrix, Matrix], None]
"""(adjoint (states, parameters, levels), gradient (q,)): change one patient's in place."""


@dataclass
class Jumps:
    """What happens at the edges of pieces; an edge is (patient, place among the edges of his pieces).

    Attributes
    ----------
    edges : list of ndarray
        Each patient's, in rising order.
    added : ndarray (edges of all, states and what else is solved)
        Of outputs: comes first on the way back.
    then : mapping of edge to list of Jump
        In the order of the way back.
    """

    edges: list[Matrix]
    offset: NDArray[np.int64]
    added: Matrix
    then: dict[int, list[Jump]] = field(default_factory=dict[int, list[Jump]])

    def place(self, patient: int, day: float) -> int:
        """Number of the edge on a day."""
        return int(self.offset[patient] + np.searchsorted(self.edges[patient], day))


def own_days(when: Matrix, whose: NDArray[np.int64], begins: Matrix) -> Days:
    """Each patient's own of the days (rows,) of values."""
    parts = np.split(when, np.cumsum(np.bincount(whose, minlength=len(begins)))[:-1])
    return Days(None, tuple(parts[: len(begins)]), begins)


def days_on_the_way(
    stops: Matrix, when: Matrix, whose: NDArray[np.int64], given: Sequence[Given],
    crossings: Mapping[int, Sequence[Crossing]], begins: Matrix, ends: Matrix,
) -> list[Matrix]:  # fmt: skip
    """Days of each patient on which something happens; ``stops`` (n, k): where the equations jump on known days."""
    n = len(stops)
    doses = np.stack([np.broadcast_to(d, n) for d, _, _ in given], axis=1) if given else np.zeros((n, 0))
    edges = np.searchsorted(whose, np.arange(n + 1))
    found: list[Matrix] = []
    for i in range(n):
        met = [c.day for c in crossings.get(i, ())]
        every = np.concatenate([[begins[i], ends[i]], when[edges[i] : edges[i + 1]], doses[i], stops[i], met])
        found.append(np.unique(every[(every >= begins[i]) & (every <= ends[i])]))
    return found


def begun(pieces: Pieces, ends: Matrix, columns: int) -> Jumps:
    """Nothing happens yet."""
    n = len(pieces.first)
    edges = [np.append(pieces.begin[a:b], end) for a, b, end in zip(pieces.first, pieces.last, ends)]
    return Jumps(edges, pieces.first + np.arange(n), np.zeros((len(pieces.begin) + n, columns)))


def levels_on(model: Model, first: Matrix, given: Sequence[Given], whose: NDArray[np.int64], days: Matrix) -> Matrix:
    """Levels (rows, l) of patients on days (rows,), by what is set until then."""
    n, found = len(first), np.array(first[whose])
    since = np.full(found.shape, -np.inf)
    for day, name, amount in given:
        if name in model.level_names:
            column = model.level_names.index(name)
            when, what = np.broadcast_to(day, n)[whose], np.broadcast_to(amount, n)[whose]
            now = (when <= days) & (when >= since[:, column])
            found[now, column], since[now, column] = what[now], when[now]
    return found


def add_outputs(
    jumps: Jumps, back: Backward, outputs: Recorded | None, weights: Matrix, whose: NDArray[np.int64], days: Matrix,
    x: Matrix, p: Matrix, u: Matrix,
) -> None:  # fmt: skip
    """Outputs of patients (rows,) with their weights (rows, m)."""
    edges = np.searchsorted(whose, np.arange(len(jumps.edges) + 1))
    own = zip(jumps.edges, jumps.offset, edges, edges[1:])
    places = np.concatenate([offset + np.searchsorted(of, days[a:b]) for of, offset, a, b in own])
    total = np.zeros((len(days), jumps.added.shape[1]))
    if outputs is None:
        total[:, : weights.shape[1]] = weights
    else:
        columns = _columns(back, x.shape[1])
        terms = [(columns[k], i, node) for i, slope in enumerate(outputs.slopes) for k, node in slope.items()
                 if k in columns]  # fmt: skip
        found = tangent.values(outputs.graph, [node for *_, node in terms], days, x, p, u)
        for (column, i, _), slope in zip(terms, found):
            total[:, column] += np.where(weights[:, i] != 0, weights[:, i] * slope, 0.0)
    np.add.at(jumps.added, places, total)


def _columns(back: Backward, states: int) -> dict[tuple[str, int], int]:
    """Column of each leaf in an adjoint."""
    wanted = [("state", i) for i in range(states)]
    wanted += [*(("parameter", j) for j in back.parameters), *(("level", j) for j in back.levels)]
    return {key: place for place, key in enumerate(wanted)}


def add_doses(
    jumps: Jumps, back: Backward, model: Model, recorded: Mapping[str, Recorded], given: Sequence[Given],
    directions: Sequence[Direction], pieces: Pieces, start: Matrix, p: Matrix, ends: Matrix,
) -> None:  # fmt: skip
    """Doses, and levels that are set; ``start`` (n, s) are the states before anything is given."""
    n, columns = len(p), _columns(back, len(model.states))
    own = {d.index: q for q, d in enumerate(directions) if d.kind == "dose"}
    after: dict[int, Matrix] = {}
    none = np.zeros((n, 0))
    for number, (day, name, amount) in enumerate(given):
        when, amounts = np.broadcast_to(day, n), np.broadcast_to(amount, n)
        rows = np.flatnonzero(when <= ends)
        q = own.get(number, -1)
        places = {int(i): jumps.place(int(i), float(when[i])) for i in rows}
        if name in model.level_names:
            level = columns.get(("level", model.level_names.index(name)), -1)
            for place in places.values():
                jumps.then.setdefault(place, []).insert(0, _set(level, q))
            continue
        x = np.array(start)
        for i, place in places.items():
            local = place - int(jumps.offset[i])
            before = pieces.nodes[pieces.first[i] + local - 1, -1] if local else start[i]
            x[i] = after.get(place, before)
        function, full = recorded[name], np.concatenate([p, amounts[:, None]], axis=1)
        changed = [model.state_names.index(s) for s in function.names]
        keys = {**columns, ("parameter", len(model.parameters)): -1}
        terms = [
            (r, keys[k], node) for r, slope in enumerate(function.slopes) for k, node in slope.items() if k in keys
        ]
        slopes = tangent.values(function.graph, [node for *_, node in terms], 0.0, x, full, none)
        table = np.stack(slopes, axis=1) if slopes else np.zeros((n, 0))
        new = give(model, name, amounts, x, p)
        for i, place in places.items():
            after[place] = new[i]
            act = _dose(changed, [(r, c) for r, c, _ in terms], table[i], q, bool(amounts[i]))
            jumps.then.setdefault(place, []).insert(0, act)


def _set(level: int, q: int) -> Jump:
    """A level is set: what was gathered since belongs to this dose."""

    def jump(adjoint: Matrix, gradient: Matrix) -> None:
        if level >= 0:
            if q >= 0:
                gradient[q] += adjoint[level]
            adjoint[level] = 0.0

    return jump


def _dose(changed: Sequence[int], where: Sequence[tuple[int, int]], slopes: Matrix, q: int, given: bool) -> Jump:
    def jump(adjoint: Matrix, gradient: Matrix) -> None:
        seen = adjoint[list(changed)]
        if given:
            adjoint[list(changed)] = 0.0
        for (row, column), slope in zip(where, slopes):
            if column >= 0 and given:
                adjoint[column] += slope * seen[row]
            elif column < 0 and q >= 0:
                gradient[q] += slope * seen[row]

    return jump


def add_corners(
    jumps: Jumps, back: Backward, surfaces: Sequence[Surface], crossings: Mapping[int, Sequence[Crossing]],
    pieces: Pieces, p: Matrix, levels: Callable[[NDArray[np.int64], Matrix], Matrix],
) -> None:  # fmt: skip
    """Corners of the path, where the tangents jump by (f- - f+) dt*/dp."""
    for number, surface in enumerate(surfaces):
        met = [(i, c) for i, of in crossings.items() for c in of if c.surface == number]
        met = [(i, c) for i, c in met if jumps.edges[i][0] < c.day <= jumps.edges[i][-1]]
        if not met:
            continue
        whose = np.array([i for i, _ in met], dtype=np.int64)
        days, rises = np.array([c.day for _, c in met]), np.array([c.rising for _, c in met])[:, None]
        places = [jumps.place(i, c.day) for i, c in met]
        rows = np.array(places, dtype=np.int64) - jumps.offset[whose] + pieces.first[whose] - 1
        x, u = pieces.nodes[rows, -1], levels(whose, days)
        off, on = (np.stack(tangent.values(r.graph, r.outputs, days, x, p[whose], u), axis=1)
                   for r in (surface.off, surface.on))  # fmt: skip
        distance, slope = surface.distance, surface.distance.slopes[0]
        found = dict(zip(slope, tangent.values(distance.graph, list(slope.values()), days, x, p[whose], u)))
        before, after = np.where(rises, off, on), np.where(rises, on, off)
        approach = np.zeros(len(met)) + found.get(("time", 0), 0.0)
        for (kind, j), value in found.items():
            if kind == "state":
                approach = approach + value * before[:, j]
        lasting = np.divide(-1.0, approach, out=np.zeros_like(approach), where=approach != 0)
        lasting = np.where(is_own(surface, days, x, p[whose], u), lasting, 0.0)
        columns = _columns(back, x.shape[1])
        for k, place in enumerate(places):
            moves = [(columns[key], float(value[k])) for key, value in found.items() if key in columns]
            jumps.then.setdefault(place, []).append(_corner((before - after)[k] * lasting[k], moves))


def _corner(drop: Matrix, moves: Sequence[tuple[int, float]]) -> Jump:
    def jump(adjoint: Matrix, gradient: Matrix) -> None:
        delay = float(drop @ adjoint[: len(drop)])
        for column, slope in moves:
            adjoint[column] += slope * delay

    return jump


def at_start(back: Backward, start: Recorded, names: Sequence[str], adjoint: Matrix, p: Matrix, begins: Matrix) -> None:
    """Let the start (its own: recorded) move with the parameters: change adjoints (n, columns) in place."""
    columns = _columns(back, len(names))
    none = np.zeros((len(p), 0))
    terms = [(names.index(s), columns[k], node) for s, slope in zip(start.names, start.slopes)
             for k, node in slope.items() if k in columns]  # fmt: skip
    found = tangent.values(start.graph, [node for *_, node in terms], begins, none, p, none)
    seen = adjoint.copy()
    for (i, column, _), slope in zip(terms, found):
        adjoint[:, column] += slope * seen[:, i]
