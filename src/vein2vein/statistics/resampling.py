"""Resampling: trials of a size drawn from the members of a set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError

Floats = NDArray[np.float64]


def sample(
    members: NDArray[np.intp], size: int, luck: Callable[[int], Floats], *, again: bool = True
) -> NDArray[np.intp]:
    """Draw trials of a size from some members.

    With replacement (``again``) the members stand for the population. Without, they are a sample of it themselves, and
    a drawn trial varies as one of that many new members does; there must be as many of them, or they are drawn again.

    Parameters
    ----------
    members : ndarray of int, shape (m,)
        What is drawn from, such as the positions of patients.
    size : int
        Members in each drawn trial.
    luck : callable
        Gives so many uniform numbers from 0 to below 1 for each drawn trial, shape (resamples, count).
    again : bool
        Whether one trial may hold a member more than once.

    Returns
    -------
    ndarray of int, shape (resamples, size)

    Raises
    ------
    InputError
        Nobody to draw from, or a size below 1.
    """
    if members.ndim != 1 or not members.size:
        text = f"found the shape {members.shape}, expected one axis with at least one member to draw from."
        raise InputError(text, field="members")
    if size < 1:
        raise InputError(f"found {size}, expected 1 or more.", field="size")
    if again or size > members.size:
        return members[(luck(size) * members.size).astype(np.intp)]
    return members[np.argsort(luck(members.size), axis=1, kind="stable")[:, :size]]
