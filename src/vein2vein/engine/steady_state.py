"""Steady states: the state just before a dose that has been given at the same interval for ever.

One interval carries a state to the state an interval later; the steady state is the one that it carries to itself. It
is found by Newton's method on that map, each patient alone, with the map's Jacobian from small changes of each state.
For linear kinetics the first step is exact. A step is taken only where the map contracts (the largest eigenvalue of its
Jacobian lies below 1 - ``NEUTRAL``), so that what is found is also what would be reached; elsewhere the interval is
simply repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.method import tableau
from vein2vein.models.model import Model

Matrix = NDArray[np.float64]
Rows = NDArray[np.int64]
Flow = Callable[[Rows, Matrix], tuple[Matrix, NDArray[np.int64]]]
"""Row numbers of patients (m,), one perhaps several times, and states (m, s) -> states an interval later, status."""

ROUNDS = 30
"""Most Newton steps or repeats."""
BEGIN = 3
"""Intervals that are passed through before the first Newton step."""
SHARE = 0.1
"""What is left to go, at most, of the error that the solver allows in a step (``method/plain.py``)."""
NEUTRAL = 1e-5
_CHANGE = 1e-3
_MOST_ROWS = 100_000


@dataclass(frozen=True)
class Steady:
    """States (n, s) and, per patient, whether one was reached."""

    state: Matrix
    reached: NDArray[np.bool_]


def tighter(rtol: float) -> float:
    """Relative tolerance at which intervals are solved."""
    return max(min(1e-2 * rtol, 1e-9), 1e-12)


def steady_state(model: Model, flow: Flow, begin: Matrix, rtol: float) -> Steady:
    """Steady states of n patients from the states ``begin`` (n, s) on.

    A state of infinite scale, such as an area that only grows, takes no part and stays as it began.
    """
    found = np.array(begin)
    reached = np.zeros(len(begin), dtype=bool)
    size = max(1, _MOST_ROWS // (begin.shape[1] + 1))
    for first in range(0, len(begin), size):
        rows = np.arange(first, min(first + size, len(begin)))
        found[rows], reached[rows] = _block(model, flow, rows, begin[rows], rtol)
    return Steady(found, reached)


def _block(model: Model, flow: Flow, rows: Rows, x: Matrix, rtol: float) -> tuple[Matrix, NDArray[np.bool_]]:
    scale, low, high = model.limits
    free = np.flatnonzero(np.isfinite(scale))
    begin, x, open_ = x, np.array(x), np.ones(len(rows), dtype=bool)
    reached = np.zeros(len(rows), dtype=bool)
    if not len(free):
        return x, ~reached

    def carried(some: Rows, state: Matrix) -> Matrix:
        """States an interval later; of a patient who cannot be solved: NaN."""
        after, status = flow(rows[some], state)
        after = np.where((status == tableau.OK)[:, None], after, np.nan)
        after[:, ~np.isfinite(scale)] = begin[some][:, ~np.isfinite(scale)]
        return after

    def left(some: Rows, step: Matrix, state: Matrix) -> NDArray[np.bool_]:
        """Whether what is left to go is small."""
        allowed = scale * (rtol / tableau.REFERENCE_RTOL) + rtol * np.abs(state)
        allowed = np.maximum(SHARE * allowed, 100 * tighter(rtol) * np.abs(state))
        return np.all(np.abs(step)[:, free] <= allowed[:, free], axis=1)

    every = np.arange(len(rows))
    for _ in range(BEGIN):
        x = carried(every, x)
    inverse = np.full((len(rows), len(free), len(free)), np.nan)
    for _ in range(ROUNDS):
        some = np.flatnonzero(open_ & np.isfinite(x).all(axis=1))
        if not len(some):
            break
        after = carried(some, x[some])
        rest = (after - x[some])[:, free]
        known = np.isfinite(inverse[some, 0, 0]) & np.isfinite(rest).all(axis=1)
        step = np.full_like(after, np.nan)
        step[:, free] = np.einsum("nij,nj->ni", inverse[some], rest)
        done = known & left(some, np.where(np.isfinite(step), step, 0.0), after)
        done |= np.all(rest == 0, axis=1)  # nothing moves, whatever a push would do
        x[some[done]] = after[done]
        reached[some[done]], open_[some[done]] = True, False
        some, after, rest = some[~done], after[~done], rest[~done]
        if not len(some):
            break
        inverse[some] = _inverse(_jacobian(carried, some, x[some], after, free, scale, high), rest)
        step = np.zeros_like(after)
        step[:, free] = np.einsum("nij,nj->ni", inverse[some], rest)
        ahead = np.minimum(np.maximum(x[some] + step, low), high)
        x[some] = np.where(np.all(np.isfinite(step), axis=1)[:, None], ahead, after)
    return x, reached


def _jacobian(
    carried: Callable[[Rows, Matrix], Matrix], some: Rows, x: Matrix, after: Matrix, free: Rows, scale: Matrix,
    high: Matrix,
) -> Matrix:  # fmt: skip
    """Change (m, f, f) of the state an interval later with the state now."""
    size = _CHANGE * np.maximum(np.maximum(np.abs(x), np.abs(after)), scale)[:, free]
    size = np.where(x[:, free] + size > high[free], -size, size)
    moved = np.repeat(x[:, None], len(free), axis=1)
    moved[:, np.arange(len(free)), free] += size
    ends = carried(np.repeat(some, len(free)), moved.reshape(-1, x.shape[1])).reshape(moved.shape)
    return np.moveaxis((ends - after[:, None])[:, :, free] / size[:, :, None], 1, 2)


def _inverse(jacobian: Matrix, rest: Matrix) -> Matrix:
    """Inverse of 1 - J per patient; NaN where the map does not contract. A state that nothing moves stays as it is."""
    count = jacobian.shape[1]
    unit = np.eye(count)
    still = np.logical_and(rest == 0, np.all(np.abs(jacobian - unit) < 1e-7, axis=2))
    fits = np.isfinite(jacobian).all(axis=(1, 2)) & np.isfinite(rest).all(axis=1)
    found = np.full_like(jacobian, np.nan)
    for i in np.flatnonzero(fits):
        moving = np.flatnonzero(~still[i])
        part = jacobian[i][np.ix_(moving, moving)]
        if not len(moving) or np.max(np.abs(np.linalg.eigvals(part))) < 1 - NEUTRAL:
            found[i] = 0.0
            found[i][np.ix_(moving, moving)] = np.linalg.inv(np.eye(len(moving)) - part)
    return found
