"""What courses of n patients are laid out as, before they are solved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine import breaks
from vein2vein.engine.days_asked import Asked
from vein2vein.engine.llvm import run_course
from vein2vein.engine.method.request import STOP, Doses, Request
from vein2vein.models.model import Model

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Laid:
    """Doses, days and code laid out for n patients; ``own`` is whether they begin as the model says."""

    n: int
    own: bool
    doses: Doses
    asked: Asked
    ready: run_course.Ready | None


def breaks_of(model: Model, request: Request) -> list[breaks.Breaks]:
    """What jumps or bends on known days: the equations, and what is summarized."""
    found = (breaks.find(model), breaks.summarized(model, request.wanted))
    return [one for one in found if one is not None]


def stops_of(
    found: breaks.Breaks | None, model: Model, gives: Sequence[str], p: Matrix, u: Matrix, begins: Matrix, ends: Matrix
) -> list[tuple[Matrix, int, Matrix]]:
    """Days on which the equations jump, as what is done on listed days."""
    if found is None:
        return []
    changing = [model.level_names.index(name) for name in gives if name in model.level_names]
    nothing = np.zeros(len(p))
    return [(day, STOP, nothing) for day in breaks.days(found, p, u, changing, begins, ends).T]
