"""What a gradient is of: the sum of values with their weights, or a loss that gives its weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import checks
from vein2vein.errors import InputError
from vein2vein.models import author

Matrix = NDArray[np.float64]
Loss = Callable[[Matrix], tuple[ArrayLike, ArrayLike]]
"""Values (n, k, m) -> loss of each patient (n,), and how it moves with each value (n, k, m)."""

_PAIR = 2


def weighed_of(name: str, told: object, values: Matrix, whose: NDArray[np.int64], n: int) -> tuple[Matrix, Matrix]:
    """The number of each patient (n,), and weights (rows, m).

    ``told`` are weights of the shape of the values, or a ``Loss``; ``whose`` (rows,) is whose values each row holds.
    """
    loss = None
    if callable(told):
        try:
            found = cast("Callable[[Matrix], object]", told)(values)
        except Exception as error:  # the caller's own code, whatever is wrong with it
            raise author.told(name, "the function of the weights", error) from error
        pair = cast("tuple[object, ...]", found) if isinstance(found, tuple) else ()
        if len(pair) != _PAIR:
            shown = checks.shown(cast("object", found))
            raise InputError(
                f"the function of the weights returned {shown}; let it return a pair: the loss of each patient and the "
                "weights"
            )
        loss, told = pair
    weights = checks.floats(told)
    if weights is None or weights.shape != values.shape or not np.isfinite(weights[np.isfinite(values)]).all():
        found = checks.shown(told) if weights is None else f"of the shape {weights.shape}"
        raise InputError(f"the weights are {found}; give a finite number for each value, of the shape {values.shape}")
    rows = weights.reshape(len(whose), values.shape[-1])
    flat = values.reshape(rows.shape)
    if loss is None:
        sums = np.zeros(n)
        np.add.at(sums, whose, np.where(rows != 0, rows * flat, 0.0).sum(axis=1))
        return sums, rows
    total = checks.floats(loss)
    if total is None or total.shape != (n,):
        raise InputError(f"the loss is {checks.shown(loss)}; give one number for each of the {n} patients")
    return total, rows
