"""One arm of a trial: its patients drawn, and treated as it says, with cells or with standard care."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vein2vein.arguments import Progress
from vein2vein.journey.journey import Journey
from vein2vein.parameters import ParameterSet
from vein2vein.trials.controls import under_standard_care
from vein2vein.trials.virtual_patients import draw_patients
from vein2vein.variants import Variants
from vein2vein.virtual.constants import Constants

if TYPE_CHECKING:
    from vein2vein.trials.trial import Trial


def treat_arm(
    one: Trial,
    whose: NDArray[np.int64],
    arm: str,
    seed: int,
    overlay: ParameterSet | Variants | None,
    constants: Constants | None,
    *,
    backend: str,
    progress: Progress | None,
    tolerance: float | None = None,
) -> Journey:
    """Take the patients with these numbers through a trial of one arm."""
    from vein2vein.journey.chart import simulate  # here, so that reading and listing trials does not load the engine

    patients = draw_patients(one.population, one.disease, whose, seed, selected=one.antigen_selected)
    journey = simulate(
        replace(patients, arm=np.full(whose.shape, arm)),
        one.product,
        dose=one.dose or None,
        regimen=one.regimens.get(one.conditioning, one.conditioning),
        policy=one.policy,
        plan=one.plan,
        waiting_law=one.vein_to_vein,
        bridging_share=one.bridging_share,
        transplant=one.transplant,
        assays=one.assays,
        overlay=overlay,
        constants=constants,
        seed=seed,
        withheld=one.comparator is not None,
        backend=backend,
        tolerance=tolerance,
        progress=progress,
        absent_target=one.absent_target,
    )
    if one.comparator is None:
        return journey
    return under_standard_care(journey, one.comparator, one.disease, dict(one.population), seed)
