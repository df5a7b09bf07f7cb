"""Endpoints of blood: return of B cells, IgG, recovery of neutrophils and platelets."""

from __future__ import annotations

import numpy as np

from vein2vein.clinic.words import complete_responses
from vein2vein.journey.journey import Journey
from vein2vein.trials.endpoints.reading import (
    PERCENT,
    Flags,
    Floats,
    columns,
    endpoint,
    grades,
    infused,
    readings,
    responders,
)

DURABLE = 6 * 365.25 / 12  # a durable remission: six months, in days


def in_remission_on(journey: Journey, day: float) -> Flags:
    """Alive and observed in an unbroken response on a day, shape (n,)."""
    outcome = journey.outcome
    ends = (outcome.relapse_day, outcome.progression_day, outcome.death_day, outcome.last_day)
    begun = np.asarray(outcome.response_day, float) <= day
    return responders(journey) & begun & np.logical_and.reduce([np.asarray(end, float) > day for end in ends])


def durable_responders(journey: Journey) -> Flags:
    """Complete remission for more than six months without transplantation, shape (n,)."""
    complete = np.isin(np.asarray(journey.outcome.best_response).astype(str), complete_responses())
    begun = np.where(np.isfinite(journey.outcome.response_day), journey.outcome.response_day, 0.0)
    ends = [getattr(journey.outcome, f"{event}_day") for event in ("relapse", "progression", "death", "hsct")]
    end = np.minimum.reduce([np.asarray(e, float) for e in (*ends, journey.outcome.last_day)])
    return infused(journey) & complete & (end - begun > DURABLE)


def _aplasia(journey: Journey, day: float) -> Floats:
    """B-cell aplasia at the last sample up to a day: 1, 0, or NaN without a sample."""
    state = grades(journey, "b_cell_aplasia", day)
    sampled = state >= 0
    last = state.shape[1] - 1 - sampled[:, ::-1].argmax(axis=1)
    found = np.take_along_axis(state, last[:, None], 1)[:, 0]
    return np.where(sampled.any(axis=1), found, np.nan).astype(float)


@endpoint("number", "%")
def b_cells_detectable(journey: Journey, *, day: float) -> Floats:
    """B cells in blood again on a day (100) or not (0), in those in remission then."""
    return np.where(in_remission_on(journey, day), PERCENT * (1 - _aplasia(journey, day)), np.nan)


@endpoint("number", "%")
def in_b_cell_aplasia(journey: Journey, *, day: float) -> Floats:
    """B-cell aplasia on a day (100) or not (0), in those in remission then."""
    return np.where(in_remission_on(journey, day), PERCENT * _aplasia(journey, day), np.nan)


@endpoint("number", "%")
def igg_change(journey: Journey, *, from_day: float, until: float) -> Floats:
    """Change of IgG from the infusion to the mean of the samples between two days, while in remission."""
    days = np.asarray(journey.course.days)[columns(journey, until)]
    values = readings(journey, "igg", until)
    end = np.minimum(np.asarray(journey.outcome.relapse_day, float), journey.outcome.progression_day)
    counted = np.isfinite(values) & (days >= from_day) & (days[None, :] < end[:, None])
    after = np.where(counted, values, 0.0).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
    return np.where(counted.any(axis=1) & infused(journey), PERCENT * (after / values[:, 0] - 1), np.nan)


@endpoint("share")
def count_recovered(journey: Journey, *, line: str, above: float, day: float) -> Flags:
    """Neutrophils or platelets (10^9/L) at or above a limit at the last reading up to a day."""
    values = readings(journey, line, day)
    known = np.isfinite(values)
    last = values.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    with np.errstate(invalid="ignore"):
        return known.any(axis=1) & (np.take_along_axis(values, last[:, None], 1)[:, 0] >= above)
