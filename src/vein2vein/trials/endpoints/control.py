"""Times to events of patients under standard care."""

from __future__ import annotations

import numpy as np

from vein2vein.journey.journey import Journey, given_standard_care
from vein2vein.trials.endpoints.reading import Flags, Floats

Times = tuple[Floats, Flags, Flags]  # time, event, in the set


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
