"""What a reader must know of one patient's card: typical values, ages of another disease, antigens without density."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from vein2vein.cards import Card
from vein2vein.therapy.antigens import POSITIVE, word_of
from vein2vein.therapy.disease import Disease, ages_of, others_of_age

TYPICAL = "not given, median of"  # how the note begins that typical values stand in for what the card lacks
AGE_OF_OTHERS = "unusual age of a patient with"  # how the note begins that the card of the disease is of another age


def without_typical(notes: Iterable[str]) -> list[str]:
    """The notes but for those that name typical values: of no use where nothing is told or judged by them."""
    return [note for note in notes if not note.startswith(TYPICAL)]


def age_of_others(disease: Disease, age: float) -> list[str]:
    """That patients of this age are not those of the disease's card; nothing where they are."""
    low, high = ages_of(disease)
    if low <= age <= high:
        return []
    fitting = "".join(f", or take {one.name}, which has this age" for one in others_of_age(disease, age))
    return [
        f"{AGE_OF_OTHERS} {disease.title}: {age:g} years; its card '{disease.name}' is of patients of "
        f"{low:g} to {high:g} years, and what is not given is drawn from theirs: check age and disease{fitting}"
    ]


def without_density(card: Card, disease: Disease, values: Mapping[str, NDArray[np.float64]]) -> list[str]:
    """What a reader must know of antigens that are told to be positive, and whose density nobody knows."""
    told = card.table("antigens", default={}).items()
    positive = [name for name, value in told if word_of(value) == POSITIVE]
    return [
        f"unusual: {name} is told to be positive, and no density of it is known of {disease.title}: the model takes "
        f"the tumor to lack it; give molecules per cell where they were measured"
        for name in positive if not np.any(values.get(name, 0.0))
    ]  # fmt: skip
