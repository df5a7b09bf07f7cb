"""Arms of a trial: who is treated how within one trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.randomness import uniforms
from vein2vein.records import described
from vein2vein.therapy.disease import Disease
from vein2vein.therapy.laws import Law
from vein2vein.therapy.product import Product
from vein2vein.trials.comparator import Comparator


@described
@dataclass(frozen=True)
class Arm:
    """One arm.

    Attributes
    ----------
    name, title : str
    size : float
        Patients of the published trial in this arm: arms are filled in proportion.
    disease : Disease
    product : Product
    dose, conditioning : str
        As in a trial.
    population : mapping of str to Law
        Laws of this arm over those of the trial.
    policy : str
        As in a trial.
    vein_to_vein, bridging_share : Law or None
        As in a trial.
    comparator : Comparator or None
        Standard care in place of cells: nobody of this arm is infused.
    """

    name: str
    title: str
    size: float
    disease: Disease
    product: Product
    dose: str
    conditioning: str
    population: Mapping[str, Law]
    policy: str = ""
    vein_to_vein: Law | None = None
    bridging_share: Law | None = None
    comparator: Comparator | None = None


def arm_of(arms: Sequence[Arm], numbers: NDArray[np.int64], seed: int) -> NDArray[np.intp]:
    """Position of the arm of each patient, shape (n,): a patient's arm depends on the seed and the number alone."""
    ends = np.cumsum([arm.size for arm in arms])
    luck = uniforms(seed, "arm", numbers)[:, 0] * float(ends[-1])
    return np.minimum(np.searchsorted(ends, luck, side="right"), len(arms) - 1)
