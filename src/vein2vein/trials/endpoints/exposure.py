"""Endpoints of exposure: relapse and events by fludarabine or tumor burden, and the half-life of the last samples."""

from __future__ import annotations

import numpy as np

from vein2vein.clinic.response.outcome import time_to_event
from vein2vein.journey.journey import Journey, followed_by
from vein2vein.models.model import named
from vein2vein.models.reference import model as reference
from vein2vein.trials.endpoints.outcomes import efs_second_line
from vein2vein.trials.endpoints.reading import Flags, Floats, blasts_before, endpoint, infused, to_relapse

Hazards = tuple[Floats, Flags, Floats, Flags]
LEAST = 3  # samples behind a half-life


def fludarabine_exposure(journey: Journey) -> Floats:
    """Area under the curve of F-ara-A, mg*h/L: dose over clearance, shape (n,)."""
    p = named(reference.MODEL.parameters, journey.individual)
    clearance = (p.CLnr + p.CLren * p.CrCl / p.CrClref) * p.CLf_factor * (p.BW / p.BWref) ** p.allo_CL  # L/h
    doses = [amount for _, drug, amount in journey.conditioning.doses if drug == "fludarabine"]
    with np.errstate(invalid="ignore"):
        return np.sum(doses, axis=0) * p.salt / clearance if doses else np.zeros(len(journey.infused))


@endpoint("number", "mg*h/L")
def fludarabine_auc(journey: Journey) -> Floats:
    """Area under the curve of F-ara-A during lymphodepletion."""
    return np.where(infused(journey), fludarabine_exposure(journey), np.nan)


@endpoint("hazard")
def relapse_by_fludarabine(journey: Journey, *, lowest: float) -> Hazards:
    """Hazard ratio of relapse of those with the lowest fludarabine exposures (a share, 0 to 1) to the others.

    A share and not a limit in mg*h/L: exposures of different pharmacokinetic models differ twofold for one dose.
    """
    time, event, among = to_relapse(journey)
    exposure = fludarabine_exposure(journey)
    among = among & np.isfinite(exposure)
    limit = np.quantile(exposure[among], lowest) if among.any() else np.nan
    return time, event, np.where(exposure < limit, -np.inf, np.inf), among


@endpoint("hazard")
def relapse_by_burden(journey: Journey, *, above: float) -> Hazards:
    """Hazard ratio of relapse by marrow blasts (%) before lymphodepletion at or above a limit to the others."""
    (time, event, among), blasts = to_relapse(journey), blasts_before(journey)
    return time, event, np.where(blasts >= above, -np.inf, np.inf), among & np.isfinite(blasts)


@endpoint("hazard")
def hazard_by_burden(journey: Journey, *, event: str, clock: str, censor_transplant: bool, highest: float) -> Hazards:
    """Hazard ratio of an event of those with the highest tumor burden at enrollment (a share, 0 to 1) to the others."""
    found = time_to_event(journey.outcome, event, clock=clock, censor_hsct=censor_transplant)
    return _by_burden(journey, found, highest)


@endpoint("hazard")
def efs_second_line_by_burden(journey: Journey, *, clock: str, highest: float) -> Hazards:
    """Hazard ratio of event-free survival as second-line lymphoma defines it, by tumor burden at enrollment."""
    return _by_burden(journey, efs_second_line(journey, clock=clock), highest)


def _by_burden(journey: Journey, times: tuple[Floats, Flags, Flags], highest: float) -> Hazards:
    """A share and not a limit: volumes, diameters and cells are no measures of one another."""
    time, event, among = times
    burden = np.asarray(journey.patient.burden, float)
    among = among & np.isfinite(burden)
    limit = np.quantile(burden[among], 1 - highest) if among.any() else np.nan
    return time, event, np.where(burden > limit, -np.inf, np.inf), among


@endpoint("number", "day")
def half_life_last(journey: Journey, *, least_fit: float) -> Floats:
    """Half-life of the last quantifiable samples: of the lines through the last three or more after the peak the one
    with the highest adjusted coefficient of determination; none where that is below ``least_fit``.
    """
    half_life = np.full(journey.count, np.nan)
    for analyte in dict.fromkeys(facts.analyte for facts in journey.arms):
        half_life = np.where(followed_by(journey, analyte), _half_life_last(journey, analyte, least_fit), half_life)
    return half_life


def _half_life_last(journey: Journey, name: str, least_fit: float) -> Floats:
    record = journey.course.at(journey.plan.kinetics_samples)
    values, days = np.asarray(record.dense(name), float), np.asarray(record.days)
    used = np.isfinite(values) & (values > 0) & ~record.below_lloq.get(name, np.zeros(values.shape, bool))
    used &= days > np.asarray(journey.kinetics.tmax)[:, None]
    best, half_life = np.full(len(values), -np.inf), np.full(len(values), np.nan)
    logs = np.log(np.where(used, values, 1.0))
    for first in range(len(days)):
        some = used & (np.arange(len(days)) >= first)
        count = some.sum(axis=1)
        safe = np.maximum(count, 1)
        x = np.where(some, days - ((some * days).sum(axis=1) / safe)[:, None], 0.0)
        y = np.where(some, logs - ((some * logs).sum(axis=1) / safe)[:, None], 0.0)
        xx, xy, yy = (x * x).sum(axis=1), (x * y).sum(axis=1), (y * y).sum(axis=1)
        fits = (count >= LEAST) & (xx > 0) & (yy > 0) & (xy < 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = xy**2 / (xx * yy)
            fit = np.where(fits, 1 - (1 - share) * (count - 1) / (count - 2), -np.inf)
            better = fit > best
            half_life = np.where(better, np.log(2) * xx / -xy, half_life)
        best = np.where(better, fit, best)
    return np.where(infused(journey) & (best >= least_fit), half_life, np.nan)
