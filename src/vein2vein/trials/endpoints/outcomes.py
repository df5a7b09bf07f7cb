"""Endpoints of the outcome with a definition of their own: second-line events, death without relapse, failed lots."""

from __future__ import annotations

import numpy as np

from vein2vein.clinic.response.outcome import efs_second_line as second_line
from vein2vein.journey.journey import Journey
from vein2vein.trials.endpoints.control import with_standard_care
from vein2vein.trials.endpoints.reading import Flags, Floats, NotProduced, endpoint, infused

Times = tuple[Floats, Flags, Flags]
OTHER, RELAPSE = 1, 2  # codes of what ended a remission


@endpoint("time", "day")
def efs_second_line(journey: Journey, *, clock: str) -> Times:
    """Event-free survival of second-line lymphoma: progression, death, or no response up to the visit of day 150.

    By the clock of enrollment the never infused are counted: no response by that day is their event at the latest.
    """
    if "SD" not in journey.response.categories:
        raise NotProduced("the criteria of this disease know no stable disease, which the definition asks for")
    outcome = journey.outcome
    counted = infused(journey) if clock == "infusion" else np.ones(journey.count, dtype=bool)
    start = np.zeros(journey.count) if clock == "infusion" else np.asarray(outcome.enrolment_day, float)
    day, event = second_line(
        journey.response, death_day=outcome.death_day, last_day=outcome.last_day, start_day=start,
        progression_day=np.minimum(outcome.progression_day, outcome.relapse_day), infused=infused(journey),
    )  # fmt: skip
    found = (np.where(counted, np.maximum(day - start, 0.0), np.nan), event & counted, counted)
    return with_standard_care(journey, "EFS", found)


@endpoint("incidence", "day")
def non_relapse_mortality(journey: Journey) -> tuple[Floats, Floats, Flags]:
    """Cumulative incidence of death without relapse or progression, which compete with it, from the infusion."""
    outcome = journey.outcome
    back = np.minimum(outcome.relapse_day, outcome.progression_day)
    lost = (outcome.death_cause == "disease") | (outcome.death_cause == "progression")
    end = np.minimum.reduce([back, outcome.death_day, outcome.last_day])
    code = np.where(back <= end, RELAPSE, np.where(outcome.death_day <= end, np.where(lost, RELAPSE, OTHER), 0))
    return np.maximum(end, 0.0), code.astype(float), infused(journey)


@endpoint("share")
def manufacturing_failed(journey: Journey) -> Flags:
    """No product could be made of the cells that were collected, whatever became of the patient meanwhile."""
    return np.asarray(journey.lot.failed, bool)
