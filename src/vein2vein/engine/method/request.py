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
"""What else may stand for an input in ``Doses.what``: a step ends here and the next begins anew (a jump of the equations
on a known day); the state becomes that of a row of ``Doses.resets``; that row is added to the state."""


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
        Whether states are written on the given days.
    """

    gives: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    wanted: tuple[Summary, ...] = ()
    outputs: bool = True


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
    values : ndarray (n, days, states)
        NaN after the day that could be reached; empty if not asked for.
    state, levels : ndarray (n, states), (n, levels)
    reached : ndarray (n,)
    status, steps, rejected : ndarray of int (n,)
    fired : ndarray (n, firings)
        Day of each firing, event after event; NaN: none.
    results : ndarray (n, summaries)
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


def empty(n: int, state: Matrix, levels: Matrix, days: int, request: Request) -> Courses:
    """Room for the results of n courses."""
    counts = [np.zeros(n, dtype=np.int64) for _ in range(3)]
    firings = sum(e.most for e in request.events)
    return Courses(
        values=np.full((n, days if request.outputs else 0, state.shape[1]), np.nan),
        state=np.array(state),
        levels=np.array(levels),
        reached=np.zeros(n),
        status=counts[0],
        steps=counts[1],
        rejected=counts[2],
        fired=np.full((n, firings), np.nan),
        results=np.full((n, len(request.wanted)), np.nan),
    )


def arrange(n: int, doses: Sequence[tuple[Matrix, int, Matrix]], levels: Sequence[bool]) -> Doses:
    """Dose lists of n patients from (days (n,) or one, what, amounts (n,) or one); a day that is NaN is left out.

    ``levels[what]`` is whether the input is a level; of a dose, an amount of 0 is left out.
    """
    days = np.stack([np.broadcast_to(d, n) for d, _, _ in doses], axis=1) if doses else np.zeros((n, 0))
    amounts = np.stack([np.broadcast_to(a, n) for _, _, a in doses], axis=1) if doses else np.zeros((n, 0))
    what = np.array([w for _, w, _ in doses], dtype=np.int64)
    order = np.argsort(days, axis=1, kind="stable")
    rows = np.arange(n)[:, None]
    days, amounts, what = days[rows, order], amounts[rows, order], what[order]
    held = np.array([*levels, False])[what] if len(doses) else np.zeros((n, 0), dtype=bool)
    given = np.isfinite(days) & ((amounts != 0) | held)
    last = np.cumsum(given.sum(axis=1)).astype(np.int64)
    first = np.concatenate([[0], last[:-1]]).astype(np.int64) if n else last
    return Doses(first, last, days[given], what[given], amounts[given])
