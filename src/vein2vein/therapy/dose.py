"""A dose asked for: how many viable CAR-positive cells, for whom, and which infusions follow; read in ``infusion``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Dose:
    """A dose asked for: viable CAR-positive cells, per kg of body weight or in all.

    Attributes
    ----------
    cells : float, or ndarray of shape (n,) once drawn
    most, sd : float
        Each patient's own dose is drawn evenly from ``cells`` to ``most`` (NaN: not so), or log-normal around ``cells``
        with this sd of ln (0: not so).
    later : tuple of Later
        Further infusions from the same lot.
    """

    cells: float | Floats
    per_kg: bool = False
    most: float = math.nan
    sd: float = 0.0
    later: tuple[Later, ...] = ()

    def __post_init__(self) -> None:
        """Refuse two ways to draw at once, and further infusions that are none, have their own, or go back in time."""
        given: object = self.later
        if not isinstance(given, tuple) or not all(isinstance(one, Later) for one in cast("tuple[object, ...]", given)):
            raise InputError("found what is no tuple of Later, expected further infusions.", field="dose.later")
        if self.sd and not math.isnan(self.most):
            raise InputError("found both a range and a spread, expected one way to draw the dose.", field="dose")
        if any(one.dose.later for one in self.later if isinstance(cast("object", one.dose), Dose)):
            text = "found a further infusion within a further infusion, expected all of them one after the other."
            raise InputError(text, field="dose.later")
        for before, then in pairwise(one.day for one in self.later):
            if not before < then:
                text = f"found an infusion on day {then:g} after that on day {before:g}, expected ascending days."
                raise InputError(text, field="dose.later")


@dataclass(frozen=True)
class Later:
    """A further infusion: its day, the share of patients who get it, and whether they are lymphodepleted again."""

    day: float
    share: float
    dose: Dose
    conditioned: bool = False


def requested_cells(dose: Dose, weight: ArrayLike) -> Floats:
    """Cells of a dose for patients of the given weight (kg), shape (n,)."""
    kg = np.atleast_1d(np.asarray(weight, dtype=float))
    return dose.cells * kg if dose.per_kg else np.broadcast_to(np.asarray(dose.cells, dtype=float), kg.shape)
