"""The days on which values are asked for: the same for all patients, or each patient's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import checks
from vein2vein.engine.method.request import Outputs, common
from vein2vein.errors import InputError

Matrix = NDArray[np.float64]
DaysLike = ArrayLike | Sequence[ArrayLike]


@dataclass(frozen=True)
class Asked:
    """Days of n patients: first and last (n,), when values are written, and whose each row is (None: k rows each)."""

    begins: Matrix
    ends: Matrix
    outputs: Outputs
    patient: NDArray[np.int64] | None


@dataclass(frozen=True)
class Days:
    """Days in rising order: ``same`` (k,) for all, or one array for each patient; ``begin`` () or (n,), or None."""

    same: Matrix | None
    own: tuple[Matrix, ...]
    begin: Matrix | None

    def __call__(self, n: int) -> Asked:
        """Lay the days out for n patients."""
        if self.same is None and len(self.own) != n:
            raise InputError(
                f"there are days for {len(self.own)} patients and parameters for {n}; give each patient's days, or one "
                "list of days for all"
            )
        firsts = np.full(n, self.same[0]) if self.same is not None else np.array([d[0] for d in self.own])
        lasts = np.full(n, self.same[-1]) if self.same is not None else np.array([d[-1] for d in self.own])
        begins = firsts if self.begin is None else self._begins(firsts, n)
        if self.same is not None:
            return Asked(begins, lasts, common(self.same, n), None)
        counts = np.array([len(d) for d in self.own], dtype=np.int64)
        last = np.cumsum(counts)
        flat = np.concatenate(self.own) if self.own else np.zeros(0)
        outputs = Outputs(flat, last - counts, last, np.zeros(n, dtype=np.int64), len(flat))
        return Asked(begins, lasts, outputs, np.repeat(np.arange(n), counts))

    def _begins(self, firsts: Matrix, n: int) -> Matrix:
        given = cast("Matrix", self.begin)
        if given.shape not in ((), (n,)):
            raise InputError(f"begin has shape {given.shape}; give one day, or one for each of the {n} patients")
        begins = np.array(np.broadcast_to(given, n))
        late = np.flatnonzero(begins > firsts)
        if len(late):
            i = int(late[0])
            raise InputError(
                f"the course of patient {i} (row, from 0) begins on day {begins[i]:g}, after the first day asked for, "
                f"{firsts[i]:g}; let it begin no later"
            )
        return begins


def read(days: object, begin: object = None) -> Days:
    """Days as they were asked for, checked.

    Parameters
    ----------
    days : (k,), or a list of one such array for each patient
    begin : day or (n,), optional
        Day on which the courses begin; left out: the first of the days.
    """
    given = None
    if begin is not None:
        given = checks.floats(begin)
        if given is None or given.ndim > 1 or not np.all(np.isfinite(given)):
            raise InputError(
                f"begin is {checks.shown(begin)}; give the finite day on which courses begin, or one for each patient"
            )
    if not ragged(days):
        return Days(checks.days_of(cast("ArrayLike", days)), (), given)
    own: list[Matrix] = []
    for row, one in enumerate(cast("Sequence[ArrayLike]", days)):
        try:
            own.append(checks.days_of(one))
        except InputError as error:
            raise InputError(f"the days of patient {row} (row, from 0): {error.text}") from None
    return Days(None, tuple(own), given)


def ragged(days: object) -> bool:
    """Whether days are given for each patient: a list, or a matrix, of lists."""
    if isinstance(days, np.ndarray):
        array = cast("NDArray[np.generic]", days)
        return array.ndim > 1 or (array.dtype == object and array.size > 0 and np.ndim(cast("ArrayLike", array[0])) > 0)
    if not isinstance(days, (list, tuple)) or not days:
        return False
    first = cast("Sequence[object]", days)[0]
    return isinstance(first, (list, tuple, np.ndarray)) and np.ndim(cast("ArrayLike", first)) > 0
