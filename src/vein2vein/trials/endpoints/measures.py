"""Endpoints: each a small function that reads one fact off every patient of a journey.

A ``share`` says yes or no for each patient (a percentage or a count), a ``number`` gives a value (NaN: this patient has
none), a ``time`` gives time, event and who is in the set. Which patients form the denominator is a separate choice: the
sets at the end of this file. Every limit (day, grade, threshold) is an argument that the trial file gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.response.outcome import time_to_event
from vein2vein.clinic.words import below_response, counted_responses
from vein2vein.journey.journey import Journey, followed_by, per_patient
from vein2vein.trials.endpoints import (  # their endpoints enter the list when they are imported
    between_arms,
    blood,
    exposure,
    outcomes,
    toxicity,
)
from vein2vein.trials.endpoints.control import with_standard_care
from vein2vein.trials.endpoints.reading import (
    ENDPOINTS,
    Flags,
    Floats,
    NotProduced,
    columns,
    endpoint,
    grades,
    infused,
    readings,
    responders,
    to_relapse,
)

Times = tuple[Floats, Flags, Flags]  # time, event, in the set
Hazards = tuple[Floats, Flags, Floats, Flags]  # time, event, exposed from, in the set
SEVERE, LIFE_THREATENING = 3, 4  # grades that name sets of patients
PERCENT = 100.0  # unit factor


# Flow, baseline, product


@endpoint("share")
def not_infused(journey: Journey, *, reasons: Sequence[str]) -> Flags:
    """Enrolled but never infused, for one of these reasons."""
    return ~infused(journey) & np.isin(np.asarray(journey.not_infused_reason).astype(str), list(reasons))


@endpoint("share")
def prior_transplant(journey: Journey) -> Flags:
    """Stem-cell transplantation before enrollment."""
    return np.asarray(journey.patient.prior_hsct, bool)


@endpoint("number", "year")
def age(journey: Journey) -> Floats:
    """Age at enrollment."""
    return np.asarray(journey.patient.age, float)


@endpoint("number", "kg")
def weight(journey: Journey) -> Floats:
    """Weight at enrollment."""
    return np.asarray(journey.patient.weight, float)


@endpoint("number")
def prior_lines(journey: Journey) -> Floats:
    """Earlier lines of therapy."""
    return np.asarray(journey.patient.prior_lines, float)


@endpoint("number", "%")
def marrow_blasts(journey: Journey) -> Floats:
    """Blast share of the marrow at enrollment: measured, else whole-body burden over the marrow's capacity."""
    measured = journey.patient.baseline.get("marrow_blasts")
    full = PERCENT / per_patient(journey, lambda facts: facts.parameters.values().get("K0", np.nan))
    if measured is None and np.isnan(full).all():
        raise NotProduced("the journey gives neither blasts in marrow at enrollment nor the capacity of the marrow")
    known = np.full(journey.count, np.nan) if measured is None else measured
    return np.where(np.isfinite(known), known, np.minimum(journey.patient.burden * full, PERCENT))


@endpoint("number", "cells")
def dose_total(journey: Journey) -> Floats:
    """Viable CAR+ cells infused."""
    return np.where(infused(journey), np.asarray(journey.infusion.cells, float), np.nan)


@endpoint("number", "cells/kg")
def dose_per_kg(journey: Journey) -> Floats:
    """Viable CAR+ cells infused for each kg of body weight."""
    return dose_total(journey) / weight(journey)


@endpoint("number", "day")
def enrollment_to_infusion(journey: Journey) -> Floats:
    """Days from enrollment to infusion."""
    return np.where(infused(journey), -np.asarray(journey.enrolment_day, float), np.nan)


# Response, relapse, death


@endpoint("share")
def responded(journey: Journey, *, responses: Sequence[str], response_by: float) -> Flags:
    """Best response is one of these, reached by a day."""
    found = np.isin(np.asarray(journey.outcome.best_response).astype(str), list(responses))
    return found & (np.asarray(journey.outcome.response_day) <= response_by)


@endpoint("share")
def best_response(journey: Journey, *, responses: Sequence[str]) -> Flags:
    """Best response, or lack of it, is one of these, whenever it was found."""
    return np.isin(np.asarray(journey.outcome.best_response).astype(str), list(responses))


@endpoint("share")
def mrd_negative(journey: Journey) -> Flags:
    """No minimal residual disease with the best response."""
    return np.asarray(journey.outcome.mrd_negative, bool)


@endpoint("share")
def relapsed(journey: Journey, *, antigen: str, before_transplant: bool) -> Flags:
    """Relapsed: with the antigen ``positive``, ``negative``, or ``any``; at choice only before a transplantation."""
    outcome = journey.outcome
    found = np.isfinite(np.asarray(outcome.relapse_day))
    if antigen != "any":
        found &= np.asarray(outcome.relapse_antigen).astype(str) == antigen
    return found & (np.asarray(outcome.relapse_day) < np.asarray(outcome.hsct_day)) if before_transplant else found


@endpoint("share")
def ongoing_response(journey: Journey) -> Flags:
    """In remission, alive, without relapse or transplantation at the end of follow-up."""
    outcome = journey.outcome
    responded_ever = np.isin(np.asarray(outcome.best_response).astype(str), counted_responses())
    days = (outcome.relapse_day, outcome.death_day, outcome.hsct_day)
    return responded_ever & np.logical_and.reduce([~np.isfinite(np.asarray(d)) for d in days])


@endpoint("share")
def transplanted_in_remission(journey: Journey) -> Flags:
    """Stem-cell transplantation in remission after the infusion."""
    day = np.asarray(journey.outcome.hsct_day)
    return np.isfinite(day) & (day < np.asarray(journey.outcome.relapse_day))


@endpoint("share")
def died(journey: Journey, *, until: float) -> Flags:
    """Dead by a day after infusion."""
    return infused(journey) & (np.asarray(journey.outcome.death_day) <= until)


@endpoint("time", "day")
def survival(
    journey: Journey, *, event: str, clock: str, censor_transplant: bool, never_infused: str = "event"
) -> Times:
    """Time to the event of OS, EFS, PFS, RFS or DOR, from infusion or enrollment."""
    found = time_to_event(
        journey.outcome, event, clock=clock, censor_hsct=censor_transplant, never_infused=never_infused
    )
    return with_standard_care(journey, event, found)


def recovery_day(journey: Journey) -> Floats:
    """Day of loss of B-cell aplasia, shape (n,): first of two samples in a row with B cells again; inf: not lost."""
    state = grades(journey, "b_cell_aplasia", np.inf)
    days = np.asarray(journey.course.days)[columns(journey, np.inf)]
    following, confirmed = np.zeros(len(state), np.int64), np.zeros(state.shape, bool)
    for column in range(state.shape[1])[::-1]:  # the last sample stands alone
        sampled = state[:, column] >= 0
        confirmed[:, column] = sampled & (state[:, column] == 0) & (following == 0)
        following = np.where(sampled, state[:, column], following)
    back = confirmed & (np.cumsum(state == 1, axis=1) > 0)
    return np.where(back.any(axis=1), days[back.argmax(axis=1)], np.inf)


@endpoint("time", "day")
def b_cell_aplasia(journey: Journey) -> Times:
    """Time to the return of B cells, censored at relapse, transplantation, death and the end of follow-up."""
    outcome, back = journey.outcome, recovery_day(journey)
    other = (outcome.relapse_day, outcome.hsct_day, outcome.death_day, outcome.last_day)
    end = np.minimum.reduce([np.asarray(d, float) for d in other])
    return np.minimum(back, end), back <= end, (grades(journey, "b_cell_aplasia", np.inf) == 1).any(axis=1)


@endpoint("hazard")
def relapse_after_recovery(journey: Journey, *, until: float) -> Hazards:
    """Hazard ratio of relapse after B-cell recovery within some time to that before (time-dependent)."""
    time, event, among = to_relapse(journey)
    back = recovery_day(journey)
    return time, event, np.where(back <= until, back, np.inf), among


@endpoint("hazard")
def relapse_by_recovery(journey: Journey, *, landmark: float) -> Hazards:
    """Hazard ratio of relapse by B-cell recovery at a landmark day, among those in remission then."""
    time, event, among = to_relapse(journey)
    return time, event, np.where(recovery_day(journey) <= landmark, -np.inf, np.inf), among & (time > landmark)


@endpoint("hazard")
def relapse_by_mrd(journey: Journey, *, landmark: float, above: float) -> Hazards:
    """Hazard ratio of relapse by residual disease above a fraction at the last marrow up to a landmark day."""
    found = readings(journey, "mrd", landmark)
    known = np.isfinite(found)
    if not known.any():
        raise NotProduced(f"the journey does not measure mrd up to day {landmark:g}")
    last = found.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    value = np.take_along_axis(found, last[:, None], 1)[:, 0]
    below = np.zeros(known.shape, bool)
    if "mrd" in journey.course.below_lloq:
        below = np.asarray(journey.course.below_lloq["mrd"])[:, columns(journey, landmark)]
    positive = (value > above) & ~np.take_along_axis(below, last[:, None], 1)[:, 0]
    time, event, among = to_relapse(journey)
    return time, event, np.where(positive, -np.inf, np.inf), among & (time > landmark) & np.isfinite(value)


# Cellular kinetics


def _kinetics(journey: Journey, value: Floats, analyte: str = "") -> Floats:
    """A kinetic parameter of the infused, of those followed by one analyte where it is in that analyte's unit."""
    counted = infused(journey)
    if analyte:
        counted = counted & followed_by(journey, analyte)
        if not any(facts.analyte == analyte for facts in journey.arms):
            raise NotProduced(f"the cells of this product are followed by {journey.kinetics.analyte}, not {analyte}")
    return np.where(counted & np.isfinite(value) & (value > 0), value, np.nan)


@endpoint("number", "copies/ug")
def cmax(journey: Journey) -> Floats:
    """Highest transgene level in blood (products followed by qPCR)."""
    return _kinetics(journey, journey.kinetics.cmax, OF_READOUT["cmax"])


@endpoint("number", "day")
def tmax(journey: Journey) -> Floats:
    """Day of the highest transgene level."""
    return _kinetics(journey, journey.kinetics.tmax)


@endpoint("number", "day*copies/ug")
def auc_0_28(journey: Journey) -> Floats:
    """Area under the transgene curve from day 0 to 28."""
    return _kinetics(journey, journey.kinetics.auc_0_28, OF_READOUT["auc_0_28"])


@endpoint("number", "cells/uL")
def cmax_cells(journey: Journey) -> Floats:
    """Highest count of CAR-T cells in blood."""
    return _kinetics(journey, journey.kinetics.cmax, OF_READOUT["cmax_cells"])


@endpoint("number", "day*cells/uL")
def auc_0_28_cells(journey: Journey) -> Floats:
    """Area under the curve of CAR-T cells in blood from day 0 to 28."""
    return _kinetics(journey, journey.kinetics.auc_0_28, OF_READOUT["auc_0_28_cells"])


@endpoint("number", "day")
def doubling_time(journey: Journey) -> Floats:
    """Doubling time during expansion."""
    return _kinetics(journey, journey.kinetics.doubling_time)


@endpoint("number", "day")
def half_life_contraction(journey: Journey) -> Floats:
    """Half-life of the contraction after the peak."""
    return _kinetics(journey, journey.kinetics.half_life_contraction)


@endpoint("number", "day")
def half_life_terminal(journey: Journey) -> Floats:
    """Half-life of the persistence phase."""
    return _kinetics(journey, journey.kinetics.half_life_terminal)


@endpoint("number", "1/day")
def contraction_rate(journey: Journey) -> Floats:
    """Rate of the contraction after the peak."""
    return np.log(2) / half_life_contraction(journey)


@endpoint("number", "1/day")
def terminal_rate(journey: Journey) -> Floats:
    """Rate of the persistence phase."""
    return np.log(2) / half_life_terminal(journey)


@endpoint("number", "day")
def persistence(journey: Journey) -> Floats:
    """Last day with transgene at or above the limit of quantification within follow-up."""
    course = journey.course
    if not course.measured("transgene"):
        raise NotProduced("the journey does not measure transgene")
    value, days = np.asarray(course.dense("transgene")), np.asarray(course.days)
    below = course.below_lloq.get("transgene", np.zeros(value.shape, bool))
    seen = np.isfinite(value) & ~below & (value > 0) & (days <= np.asarray(journey.outcome.last_day)[:, None])
    last = seen.shape[1] - 1 - seen[:, ::-1].argmax(axis=1)
    return np.where(infused(journey) & seen.any(axis=1), days[last], np.nan)


KINETIC = (
    "cmax", "tmax", "auc_0_28", "cmax_cells", "auc_0_28_cells", "doubling_time", "half_life_contraction",
    "half_life_terminal", "contraction_rate", "terminal_rate", "half_life_last",
)  # fmt: skip
"""Endpoints that need samples of the CAR-T cells."""
OF_READOUT = {
    "cmax": "transgene", "auc_0_28": "transgene", "cmax_cells": "car_t_cells", "auc_0_28_cells": "car_t_cells",
}  # fmt: skip
"""Those in the unit of one analyte, by which a product's cells are followed or not."""


# Sets: who is counted


def _non_responders(journey: Journey) -> Flags:
    return infused(journey) & np.isin(np.asarray(journey.outcome.best_response).astype(str), below_response())


def _relapsed(journey: Journey) -> Flags:
    return responders(journey) & np.isfinite(np.asarray(journey.outcome.relapse_day))


def _crs(journey: Journey, scale: str, until: float) -> NDArray[np.int64]:
    return np.where(infused(journey), toxicity.highest_crs(journey, scale, until), -1)


def _relapsed_in_aplasia(journey: Journey) -> Flags:
    return _relapsed(journey) & (recovery_day(journey) > np.asarray(journey.outcome.relapse_day))


def _severe_neurologic(journey: Journey, until: float) -> Flags:
    return infused(journey) & toxicity.neurologic_event(journey, grade=SEVERE, until=until)


SETS: dict[str, Callable[[Journey, str, float], Flags]] = {
    "enrolled": lambda journey, scale, until: np.ones(len(journey.infused), bool),
    "infused": lambda journey, scale, until: infused(journey),
    "responders": lambda journey, scale, until: responders(journey),
    "non_responders": lambda journey, scale, until: _non_responders(journey),
    "evaluable": lambda journey, scale, until: responders(journey) | _non_responders(journey),
    "crs": lambda journey, scale, until: _crs(journey, scale, until) >= 1,
    "crs_grade_4": lambda journey, scale, until: _crs(journey, scale, until) >= LIFE_THREATENING,
    "crs_below_grade_4": lambda journey, scale, until: (
        infused(journey) & (_crs(journey, scale, until) < LIFE_THREATENING)
    ),
    "durable_responders": lambda journey, scale, until: blood.durable_responders(journey),
    "relapsed": lambda journey, scale, until: _relapsed(journey),
    "relapsed_in_aplasia": lambda journey, scale, until: _relapsed_in_aplasia(journey),
    "collected": lambda journey, scale, until: ~np.asarray(journey.apheresis.failed, bool),
    "icans": lambda journey, scale, until: infused(journey) & toxicity.icans(journey, grade=1, until=until),
    "neurologic_event": lambda journey, scale, until: (
        infused(journey) & toxicity.neurologic_event(journey, grade=1, until=until)
    ),
    "severe_neurologic_event": lambda journey, scale, until: _severe_neurologic(journey, until),
}
"""Name -> who is in it: ``set(journey, scale, until)``, with the trial's CRS scale and its window in days."""

__all__ = ["ENDPOINTS", "KINETIC", "OF_READOUT", "SETS", "NotProduced", "between_arms", "exposure", "outcomes"]
