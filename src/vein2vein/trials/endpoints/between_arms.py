"""Endpoints of trials with a comparator: times to events under standard care, hazard ratios between arms, crossover."""

from __future__ import annotations

import numpy as np

from vein2vein.clinic.response.outcome import time_to_event
from vein2vein.journey.journey import Journey
from vein2vein.trials.endpoints.control import Times, with_standard_care
from vein2vein.trials.endpoints.outcomes import efs_second_line
from vein2vein.trials.endpoints.reading import Flags, Floats, endpoint

Hazards = tuple[Floats, Flags, Floats, Flags]  # time, event, exposed from, in the set
UNDER_STANDARD_CARE = (
    "survival", "efs_second_line", "hazard_between_arms", "efs_second_line_between_arms", "responded",
    "best_response", "crossed_over", "age", "weight", "prior_lines", "prior_transplant", "infused",
)  # fmt: skip
"""Endpoints that patients of a comparator arm have; of all others nothing is known of them."""
TO_EVENTS = ("survival", "efs_second_line", "hazard_between_arms", "efs_second_line_between_arms")
BETWEEN = ("hazard_between_arms", "efs_second_line_between_arms")
OF_RESPONSE = ("responded", "best_response")
OF_STANDARD_CARE = ("crossed_over",)


@endpoint("hazard")
def hazard_between_arms(journey: Journey, *, event: str, clock: str, censor_transplant: bool, against: str) -> Hazards:
    """Hazard ratio of an event, the other arms of the row to the arm ``against``."""
    found = time_to_event(journey.outcome, event, clock=clock, censor_hsct=censor_transplant)
    return _against(journey, with_standard_care(journey, event, found), against)


@endpoint("hazard")
def efs_second_line_between_arms(journey: Journey, *, clock: str, against: str) -> Hazards:
    """Hazard ratio of event-free survival as second-line lymphoma defines it, the other arms to ``against``."""
    return _against(journey, efs_second_line(journey, clock=clock), against)


def _against(journey: Journey, times: Times, against: str) -> Hazards:
    time, happened, among = times
    reference = np.asarray(journey.patient.arm).astype(str) == against
    return time, happened, np.where(reference, np.inf, -np.inf), among


@endpoint("share")
def crossed_over(journey: Journey) -> Flags:
    """Given CAR-T cells after standard care."""
    return journey.standard_care.get("crossover", np.zeros(journey.count)) == 1
