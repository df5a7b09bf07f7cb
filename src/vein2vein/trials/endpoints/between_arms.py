"""Endpoints of trials with a comparator: times to events under standard care, hazard ratios between arms, crossover."""

from __future__ import annotations

import numpy as np

from vein2vein.clinic.response.outcome import time_to_event
from vein2vein.journey.journey import Journey, given_standard_care
from vein2vein.trials.endpoints.reading import Flags, Floats, NotProduced, endpoint

Times = tuple[Floats, Flags, Flags]  # time, event, in the set
Hazards = tuple[Floats, Flags, Floats, Flags]  # time, event, exposed from, in the set
UNDER_STANDARD_CARE = (
    "survival", "hazard_between_arms", "responded", "best_response", "crossed_over", "age", "weight", "prior_lines",
    "prior_transplant", "infused",
)  # fmt: skip
"""Endpoints that patients of a comparator arm have; of all others nothing is known of them."""
TO_EVENTS = ("survival", "hazard_between_arms")
OF_RESPONSE = ("responded", "best_response")


def with_standard_care(journey: Journey, event: str, found: Times) -> Times:
    """Times to an event, those of comparator arms as the comparator published them, counted from randomization.

    Parameters
    ----------
    journey : Journey
    event : str
    found : tuple
        Time, event and who is in the set, as the journey itself has them.
    """
    control = given_standard_care(journey)
    if not control.any():
        return found
    time, happened, among = found
    outcome = journey.outcome
    unknown = np.full(journey.count, np.nan)
    day = journey.standard_care.get(event, unknown)
    observed = np.asarray(outcome.last_day, float) - np.asarray(outcome.enrolment_day, float)
    return (
        np.where(control, np.minimum(day, observed), time),
        np.where(control, day <= observed, happened),
        np.where(control, np.isfinite(day) | np.isposinf(day), among),
    )


@endpoint("hazard")
def hazard_between_arms(journey: Journey, *, event: str, clock: str, censor_transplant: bool, against: str) -> Hazards:
    """Hazard ratio of an event, the other arms of the row to the arm ``against``."""
    found = time_to_event(journey.outcome, event, clock=clock, censor_hsct=censor_transplant)
    time, happened, among = with_standard_care(journey, event, found)
    reference = np.asarray(journey.patient.arm).astype(str) == against
    if not (reference & among).any():
        raise NotProduced(f"nobody of the arm '{against}' is followed to {event}")
    return time, happened, np.where(reference, np.inf, -np.inf), among


@endpoint("share")
def crossed_over(journey: Journey) -> Flags:
    """Given CAR-T cells after standard care."""
    if "crossover" not in journey.standard_care:
        raise NotProduced("the journey has no arm of standard care")
    return journey.standard_care["crossover"] == 1
