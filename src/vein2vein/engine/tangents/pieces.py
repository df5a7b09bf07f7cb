"""A path as polynomials of the time, piece by piece, as close to it as the solver is: what a backward pass reads.

Each patient's way is cut where something happens (a dose, an output, a corner) and then until each piece keeps the
tolerance at days between its nodes, where the solver is asked too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import NDArray

from vein2vein.engine.tangents.backward import DEGREE

Matrix = NDArray[np.float64]
Whole = NDArray[np.int64]

KEEPS = 10.0
"""Times what a step may err by, that a piece may."""
FIRST, MOST_AT_ONCE, MOST_ROUNDS, LEAST = 16, 4, 24, 1e-7
"""Pieces to begin with; parts that one is cut into, at most; rounds; least length, as a share of the whole."""

NODES = -np.cos(np.arange(DEGREE + 1) * np.pi / DEGREE)
_LOOKS = np.array([-0.588, 0.0, 0.588])
_SAMPLES = np.sort(np.concatenate([NODES, _LOOKS]))
_AT = np.searchsorted(_SAMPLES, NODES)
_CHECKED = np.searchsorted(_SAMPLES, _LOOKS)
_TO_COEFFICIENTS = np.linalg.inv(polynomial.polyvander(NODES, DEGREE))
_TO_LOOKS = polynomial.polyvander(_LOOKS, DEGREE) @ _TO_COEFFICIENTS

_NONE = np.zeros(0), np.zeros(0)

Solved = Callable[[list[Matrix]], Matrix]
"""Days of each patient -> states (rows, s)."""


@dataclass(frozen=True)
class Pieces:
    """Pieces of n patients, one patient's after another's, in order.

    Attributes
    ----------
    first, last : ndarray of int (n,)
        Each patient's part.
    begin, end : ndarray (rows,)
    nodes : ndarray (rows, DEGREE + 1, s)
        States at the nodes; the first right after what is given, the last right before it.
    """

    first: Whole
    last: Whole
    begin: Matrix
    end: Matrix
    nodes: Matrix

    @property
    def coefficients(self) -> Matrix:
        """(rows, DEGREE + 1, s), lowest first, of the polynomial on -1 to 1."""
        return np.einsum("cn,rns->rcs", _TO_COEFFICIENTS, self.nodes)


def find(cuts: Sequence[Matrix], solved: Solved, absolute: Matrix, rtol: float) -> Pieces:
    """Pieces between each patient's cuts (two or more, rising)."""
    todo = [_opened(of) for of in cuts]
    least = np.array([LEAST * (of[-1] - of[0]) for of in cuts])
    whom = [np.zeros(0, dtype=np.int64)]
    done: list[tuple[Matrix, Matrix, Matrix]] = [(*_NONE, np.zeros((0, DEGREE + 1, len(absolute))))]
    for turn in range(MOST_ROUNDS):
        counts = np.array([len(b) for b, _ in todo], dtype=np.int64)
        if not counts.any():
            break
        whose = np.repeat(np.arange(len(cuts)), counts)
        begin, end = (np.concatenate([pair[k] for pair in todo]) for k in (0, 1))
        days = begin[:, None] + (end - begin)[:, None] * (_SAMPLES + 1) / 2
        days[:, -1] = np.nextafter(end, -np.inf)
        days = np.maximum.accumulate(np.minimum(days, days[:, -1:]), axis=1)
        edges = np.concatenate([[0], np.cumsum(counts)])
        found = solved([np.append(of[:1], days[a:b]) for (a, b), of in zip(pairwise(edges), cuts)])
        kept = np.delete(found, len(_SAMPLES) * edges[:-1] + np.arange(len(cuts)), axis=0)
        samples = kept.reshape(*days.shape, -1)
        nodes = samples[:, _AT]
        allowed = absolute + rtol * np.abs(nodes).max(axis=1)
        amiss = np.abs(np.einsum("ln,rns->rls", _TO_LOOKS, nodes) - samples[:, _CHECKED]).max(axis=1)
        worst = np.max(amiss / allowed, axis=1, initial=0.0) / KEEPS
        good = ~(worst > 1) | (end - begin < least[whose]) | (turn == MOST_ROUNDS - 1)
        whom.append(whose[good])
        done.append((begin[good], end[good], nodes[good]))
        parts = np.clip(np.ceil(np.where(good, 1.0, worst) ** (1 / (DEGREE + 1))), 2, MOST_AT_ONCE).astype(np.int64)
        bad = [np.flatnonzero(~good[a:b]) + a for a, b in pairwise(edges)]
        todo = [_cut(begin[k], end[k], parts[k]) if len(k) else _NONE for k in bad]
    whose = np.concatenate(whom)
    begin, end, nodes = (np.concatenate([part[k] for part in done]) for k in range(3))
    order = np.lexsort((begin, whose))
    last = np.cumsum(np.bincount(whose, minlength=len(cuts))).astype(np.int64)
    return Pieces(np.concatenate([[0], last[:-1]]), last, begin[order], end[order], nodes[order])


def _opened(cuts: Matrix) -> tuple[Matrix, Matrix]:
    gaps = np.diff(cuts)
    parts = np.ceil(FIRST * gaps / max(cuts[-1] - cuts[0], np.finfo(float).tiny)).astype(np.int64)
    return _cut(cuts[:-1], cuts[1:], np.maximum(parts, 1))


def _cut(begin: Matrix, end: Matrix, parts: Whole) -> tuple[Matrix, Matrix]:
    """Each piece cut into some of equal length."""
    of = np.repeat(np.arange(len(parts)), parts)
    turn: Whole = np.arange(len(of), dtype=np.int64) - (np.cumsum(parts) - parts)[of]
    starts: Matrix = begin[of] + turn * ((end - begin) / parts)[of]
    return starts, np.where(turn + 1 == parts[of], end[of], np.append(starts[1:], 0.0))
