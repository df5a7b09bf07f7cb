"""What whole courses are asked for, what is given in them, and what they end with: one record for every backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.method.events import Event
from vein2vein.engine.method.summaries import Summary

Matrix = NDArray[np.float64]

STOP, SET, ADD = -1, -2, -3
"""What else may stand for an input in ``Doses.what``: a step ends here and the next begins anew (a jump of the
equations on a known day); the state becomes that of a row of ``Doses.resets``; that row is added to the state."""


EXPLICIT, IMPLICIT = 1, 2
"""What is to be done with a patient: steps of the explicit or of the stiff method; 0: nothing more."""
ANEW, ON = 1, 2
"""How a patient goes on: with a first step to be found, or with the step that was handed over."""
REALS = ("t", "h", "before", "other")
WHOLES = ("todo", "method", "fresh", "status", "steps", "rejected", "output", "dose", "streak", "spell", "failed")
"""Columns of ``Standing``; what events and summaries carry along follows."""


@dataclass(frozen=True)
class Request:
    """What the code of courses is made for.

    Attributes
    ----------
    gives : tuple of str
        Inputs of the model that are given on a day or by an event.
    events : tuple of Event
    wanted : tuple of Summary
    outputs : bool
        Whether values are written on the given days.
    reads : tuple of str
        Names of the states and observables that are written; empty: all states.
    own_start : bool
        Whether the states begin as the model says.
    """

    gives: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    wanted: tuple[Summary, ...] = ()
    outputs: bool = True
    reads: tuple[str, ...] = ()
    own_start: bool = False


@dataclass(frozen=True)
class Outputs:
    """When the values of n patients are written, and where.

    Attributes
    ----------
    days : ndarray (k,)
        The days of one patient after those of another, each in rising order, or the same for all.
    first, last : ndarray of int (n,)
        Each patient's part of the days.
    shift : ndarray of int (n,)
        Row of a value less the place of its day.
    rows : int
        Rows of values.
    """

    days: Matrix
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    shift: NDArray[np.int64]
    rows: int


def common(days: Matrix, n: int) -> Outputs:
    """The same days for n patients; their values lie patient by patient."""
    k, zeros = len(days), np.zeros(n, dtype=np.int64)
    return Outputs(days, zeros, zeros + k, np.arange(n, dtype=np.int64) * k, n * k)


@dataclass(frozen=True)
class Standing:
    """Where n patients stand, as it is carried from one call to the next.

    Attributes
    ----------
    state, levels : ndarray (n, states), (n, levels)
    reals : ndarray (n, 4 or more)
        ``REALS``: day, next step, logarithm of the error of the step before, the step with which the other method was
        left (0: never); then
        what events and summaries carry along.
    whole : ndarray of int (n, 11 or more)
        ``WHOLES``: what is to be done, by which method and how, status and counts, the next day of output and the next
        dose, steps in a row that speak for the other method, steps since the last change of the method, and changes in
        vain; then what events carry along.
    """

    state: Matrix
    levels: Matrix
    reals: Matrix
    whole: NDArray[np.int64]

    def real(self, name: str) -> Matrix:
        """Column of ``reals``."""
        return self.reals[:, REALS.index(name)]

    def number(self, name: str) -> NDArray[np.int64]:
        """Column of ``whole``."""
        return self.whole[:, WHOLES.index(name)]


def standing(state: Matrix, levels: Matrix, begins: Matrix, first: Sequence[float], counts: Sequence[int]) -> Standing:
    """N patients at their beginning (n,); ``first`` and ``counts``: what events and summaries begin with."""
    n = len(state)
    reals, whole = np.empty((n, len(REALS) + len(first))), np.empty((n, len(WHOLES) + len(counts)), dtype=np.int64)
    reals[:] = [*(0.0 for _ in REALS), *first]
    reals[:, 0] = begins
    whole[:] = [EXPLICIT, EXPLICIT, ANEW, *(0 for _ in WHOLES[3:]), *counts]
    return Standing(state, levels, reals, whole)


@dataclass(frozen=True)
class Doses:
    """What is given to whom and when, sorted by patient and day.

    Attributes
    ----------
    first, last : ndarray of int (n,)
        Each patient's part of the lists below.
    day, amount : ndarray (k,)
    what : ndarray of int (k,)
        Place of the input among those that are given; or STOP, SET, ADD, whose amount is a row of ``resets`` (STOP: 0).
    resets : ndarray (r, states)
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    day: Matrix
    what: NDArray[np.int64]
    amount: Matrix
    resets: Matrix = field(default_factory=lambda: np.zeros((0, 0)))


@dataclass(frozen=True)
class Courses:
    """What n courses end with.

    Attributes
    ----------
    values : ndarray (rows, what is read)
        In the rows that ``Outputs`` gives; NaN after the day that could be reached; empty if not asked for.
    state, levels : ndarray (n, states), (n, levels)
    reached : ndarray (n,)
    status, steps, rejected : ndarray of int (n,)
    fired : ndarray (n, firings)
        Day of each firing, event after event; NaN: none.
    results : ndarray (n, summaries)
        NaN where a patient could not be solved.
    """

    values: Matrix
    state: Matrix
    levels: Matrix
    reached: Matrix
    status: NDArray[np.int64]
    steps: NDArray[np.int64]
    rejected: NDArray[np.int64]
    fired: Matrix
    results: Matrix


def arrange(n: int, doses: Sequence[tuple[Matrix, int, Matrix]], levels: Sequence[bool]) -> Doses:
    """Dose lists of n patients from (days (n,) or one, what, amounts (n,) or one); a day that is NaN is left out.

    ``levels[what]`` is whether the input is a level; of a dose, an amount of 0 is left out. Below 0, ``what`` is one of
    the codes above.
    """
    days = np.stack([np.broadcast_to(d, n) for d, _, _ in doses], axis=1) if doses else np.zeros((n, 0))
    amounts = np.stack([np.broadcast_to(a, n) for _, _, a in doses], axis=1) if doses else np.zeros((n, 0))
    what = np.array([w for _, w, _ in doses], dtype=np.int64)
    order = np.argsort(days, axis=1, kind="stable")
    rows = np.arange(n)[:, None]
    days, amounts, what = days[rows, order], amounts[rows, order], what[order]
    held = np.array([*levels, False])[what] if len(doses) else np.zeros((n, 0), dtype=bool)
    given = np.isfinite(days) & ((amounts != 0) | held | (what < 0))
    last = np.cumsum(given.sum(axis=1)).astype(np.int64)
    first = np.concatenate([[0], last[:-1]]).astype(np.int64) if n else last
    return Doses(first, last, days[given], what[given], amounts[given])
