"""Variants of the model's numbers side by side: one run, in which each patient has the numbers of one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.parameters import ParameterSet, individual_values


@dataclass(frozen=True)
class Variants:
    """Variants, and which of them holds for each patient.

    Attributes
    ----------
    sets : tuple of ParameterSet or None
        Each laid over the cards; None: the cards' own numbers.
    of : ndarray of int, shape (n,)
        Place among ``sets`` of the variant of each patient.
    """

    sets: tuple[ParameterSet | None, ...]
    of: NDArray[np.intp]


def values_under(
    declared: ParameterSet, variants: Variants, patients: ArrayLike, seed: int, *, typical: bool = False
) -> dict[str, NDArray[np.float64]]:
    """Draw each patient's own values under the patient's variant: those of a run under this variant alone.

    Parameters
    ----------
    declared : ParameterSet
        Complete: the cards, without the variants.
    variants : Variants
    patients : array_like of int, shape (n,)
        Patient numbers; one number may come once under each variant.
    seed : int
    typical : bool
        All deviations zero.

    Returns
    -------
    dict of str to ndarray, shape (n,)
    """
    numbers = np.atleast_1d(np.asarray(patients, dtype=np.int64))
    found = individual_values(declared, numbers, seed, typical=typical)
    for at, one in enumerate(variants.sets):
        who = np.flatnonzero(variants.of == at)
        if one is None or not who.size:
            continue
        own = individual_values(
            declared.overlay(one), numbers[who], seed, typical=typical, names=frozenset(one.parameters)
        )
        for name, values in own.items():
            found[name][who] = values
    return found
