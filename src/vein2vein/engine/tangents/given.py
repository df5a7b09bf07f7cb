"""What is given to a joined model (``whole.py``), and what comes back from its courses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.checks import Given
from vein2vein.engine.tangents import corners, known, tangent
from vein2vein.engine.tangents.corners import Crossing, Surface
from vein2vein.engine.tangents.tangent import Matrix
from vein2vein.engine.tangents.whole import MOST, STOP, TINY, Whole, copy_name, corner_name, own_name

_ROUNDINGS = 64


def parameters(which: Whole, p: Matrix, sizes: Matrix, u: Matrix, begins: Matrix) -> Matrix:
    """Parameters of the joined model: the model's, sizes (n, q) of what is varied, how the courses begin."""
    first = [begins[:, None]] if which.clocked else []
    return np.concatenate([p, sizes, u[:, list(which.copied)], *first], axis=1)


def state(which: Whole, x: Matrix, sizes: Matrix, p: Matrix, u: Matrix, begins: Matrix) -> Matrix:
    """Joined states at the start, where the states (n, s) are given."""
    extended = which.extended
    tangents = np.zeros((*x.shape, len(extended.directions)))
    for q, direction in enumerate(extended.directions):
        if direction.kind == "state":
            tangents[:, direction.index, q] = sizes[:, q]
    sides = np.asarray(corners.distances(which.surfaces, begins, x, p, u) > 0, dtype=float)
    first = [begins[:, None]] if which.clocked else []
    return np.concatenate([extended.join(x, tangents), sides, u[:, list(which.copied)], *first], axis=1)


def levels(which: Whole, u: Matrix) -> Matrix:
    """Levels of the joined model."""
    return np.concatenate([u, np.zeros((len(u), len(which.model.level_names) - u.shape[1]))], axis=1)


def sizes(run_states: Matrix | None, p: Matrix, which: Sequence[tangent.Direction], given: Sequence[Given],
          example: Mapping[str, float]) -> Matrix:  # fmt: skip
    """Size (n, q) of what is varied: each patient's own, or where that is 0 the example's."""
    columns = [d.index for d in which if d.kind == "parameter"]
    if len(columns) == len(which) and (own := abs(p[:, columns])).all():
        return own
    n = len(p)
    found = np.ones((n, len(which)))
    for q, d in enumerate(which):
        if d.kind == "dose":
            found[:, q] = _size(given[d.index][2])
        else:
            of = p if run_states is None or d.kind == "parameter" else run_states
            found[:, q] = _size(of[:, d.index], abs(float(example.get(d.name, 0.0))) or 1.0)
    return found


def _size(values: Matrix, otherwise: float = 1.0) -> Matrix:
    own = abs(values)
    return np.where(own > 0, own, otherwise)


def schedule(whole: Whole, given: Sequence[Given], n: int) -> list[Given]:
    """What is given to the joined model: (days, input, amounts), those of one day in their order."""
    model = whole.extended.model
    own = {d.index: d for d in whole.extended.directions if d.kind == "dose"}
    found: list[Given] = []
    for number, (day, name, amount) in enumerate(given):
        if name in model.level_names:
            level = model.level_names.index(name)
            found.append((day, name, amount))
            found += [
                (day, f"{d.name}'", _size(amount) if d.index == number else np.array(0.0))
                for d in own.values()
                if d.level == level
            ]
            if level in whole.copied:
                found.append((day, copy_name(model, level), np.where(amount == 0, TINY, amount)))
        elif number in own:
            found.append((day, own_name(name, own[number]), amount))
            if not np.all(amount):
                none = np.where(np.broadcast_to(amount, n) == 0, day, np.nan)
                found.append((none, own_name(name, own[number], True), np.array(1.0)))
        else:
            found.append((day, name, amount))
    return found


def on_time(whole: Whole, begins: Matrix, ends: Matrix, p: Matrix) -> list[Given]:
    """The corners that the time alone decides, between each patient's first and last day."""
    found: list[Given] = []
    repeated = [k for k, surface in enumerate(whole.timed) if known.is_repeated(surface)]
    model = whole.extended.model
    days = known.known_days(model, begins, ends, p) if repeated else None
    for k, surface in enumerate(whole.timed):
        if days is not None and k in repeated:
            found += known.given(surface, corner_name(k, True), begins, ends, p, days)
        else:
            found += _on_time(surface, k, begins, ends, p)
    return found


def _on_time(surface: Surface, number: int, begins: Matrix, ends: Matrix, p: Matrix) -> list[Given]:
    """A corner that the time alone decides: a stop just before it, so that no step looks across, and the jump."""
    n = len(p)
    none = np.zeros((n, 0))
    distance, pace = surface.distance, surface.distance.slopes[0]["time", 0]

    def far(day: Matrix) -> Matrix:
        return tangent.values(distance.graph, distance.outputs, day, none, p, none)[0]

    def moved(day: Matrix, beyond: bool, towards: float) -> Matrix:
        """The days, by a few roundings moved to where they lie beyond the corner, or before it."""
        for _ in range(_ROUNDINGS):
            amiss = ((far(day) > 0) == rises) != beyond
            if not np.any(amiss & np.isfinite(day)):
                break
            day = np.where(amiss, np.nextafter(day, towards), day)
        return day

    speed = tangent.values(distance.graph, [pace], 0.0, none, p, none)[0]
    rises = speed > 0
    away = far(begins)
    with np.errstate(all="ignore"):
        at = begins - away / speed
    at = np.where((at >= begins) & (at <= ends) & ((away > 0) != rises), at, np.nan)
    at = moved(at, True, np.inf)
    before = moved(np.nextafter(at, -np.inf), False, -np.inf)
    before = np.where(before > begins, before, np.nan)
    return [(before, STOP, np.array(1.0)), (at, corner_name(number, True), np.where(rises, 1.0, -1.0))]


def crossings(whole: Whole, fired: Sequence[Matrix], timed: Sequence[Given]) -> dict[int, tuple[Crossing, ...]]:
    """What each patient crossed, in order, from the days (n, MOST) of each event and the corners in time."""
    found: dict[int, list[Crossing]] = {}
    for event, days in enumerate(fired):
        for row, place in np.argwhere(np.isfinite(days)).tolist():
            met = Crossing(float(days[row, place]), whole.numbers[event // 2], event % 2 == 0)
            found.setdefault(row, []).append(met)
    first = len(whole.surfaces)
    numbers = {corner_name(k, True): whole.numbers[first + k] for k in range(len(whole.timed))}
    for days, name, amounts in timed:
        for row in np.flatnonzero(np.isfinite(days)).tolist() if name in numbers else ():
            met = Crossing(float(days[row]), numbers[name], bool(amounts[row] > 0))
            found.setdefault(row, []).append(met)
    return {row: tuple(sorted(met, key=lambda c: c.day)) for row, met in sorted(found.items())}


def crowded(fired: Sequence[Matrix]) -> NDArray[np.int64]:
    """Patients who crossed one comparison as often as there is room for."""
    full = [np.isfinite(days[:, MOST - 1]) for days in fired]
    return np.flatnonzero(np.any(full, axis=0)) if full else np.zeros(0, dtype=np.int64)
