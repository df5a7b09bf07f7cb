"""Hazards of death and of dropping out, and the draws that turn them into days.

All functions are vectorised over patients and know no clock of their own. A cause strikes when its cumulated hazard
passes the patient's own unit-exponential draw for that cause (``clock``), so the same patient has the same luck in
every arm. Constants: ``hazards.toml``; the disease card brings ``nrm_bg``, ``mpp`` and ``K0``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.models.reference import model as reference
from vein2vein.parameters import ParameterSet, read_parameter_file
from vein2vein.randomness import uniforms
from vein2vein.records import described

Floats = NDArray[np.float64]
DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = 30.4375


SHARED = ("neutropenia_limit", "igg_limit", "nrm_inf", "nrm_igg", "h_leth", "lethal_share", "lethal_power")


@described
@dataclass(frozen=True)
class HazardConstants:
    """The numbers of ``hazards.toml`` and those shared with the model, by name; meanings and units stand there."""

    crs_death: float
    icans_death: float
    toxicity_delay: float
    fatal_grade: float
    flu_half: float
    flu_power: float
    flu_fatal: float
    flu_first_day: float
    flu_last_day: float
    cy_half: float
    cy_power: float
    cy_fatal: float
    cy_first_day: float
    cy_last_day: float
    dropout: float
    dropout_disease: float
    dropout_share: float
    dropout_power: float
    dropout_adverse: float
    dropout_progression: float
    hsct_first_day: float
    hsct_last_day: float
    hsct_death: float
    hsct_death_days: float
    hsct_nrm_factor: float
    hsct_nrm_days: float
    neutropenia_limit: float
    igg_limit: float
    nrm_inf: float
    nrm_igg: float
    h_leth: float
    lethal_share: float
    lethal_power: float


@cache
def parameters() -> ParameterSet:
    """Every constant of the hazards, with its source; those that the reference model's quadratures read are its own."""
    own = read_parameter_file(Path(__file__).with_name("hazards.toml"))
    shared = {name: reference.parameters().parameters[name] for name in SHARED}
    return ParameterSet(own.name, {**own.parameters, **shared}, own.history, own.correlations)


@cache
def constants() -> HazardConstants:
    """The values of ``parameters()`` by name."""
    return HazardConstants(**parameters().values())


def clock(seed: int, cause: str, numbers: ArrayLike) -> Floats:
    """Cumulated hazard at which a cause strikes: unit-exponential draws, shape (n,)."""
    return -np.log(uniforms(seed, f"hazard:{cause}", numbers)[:, 0])


def probability(hazard: ArrayLike, interval: ArrayLike) -> Floats:
    """Probability of an event in an interval (days) under a hazard (per day)."""
    return -np.expm1(-np.asarray(hazard, dtype=float) * np.asarray(interval, dtype=float))


def crossing_day(days: ArrayLike, cumulated: ArrayLike, limit: ArrayLike) -> Floats:
    """Day on which a cumulated hazard passes its limit, between the days linearly; inf where it does not.

    Parameters
    ----------
    days : array_like, shape (k,)
        Ascending.
    cumulated : array_like, shape (n, k)
        Non-decreasing along the days.
    limit : array_like, shape (n,)
        From ``clock``.
    """
    days, cumulated = np.asarray(days, dtype=float), np.asarray(cumulated, dtype=float)
    limit = np.broadcast_to(np.asarray(limit, dtype=float), cumulated.shape[:1])
    reached = cumulated >= limit[:, None]
    first = reached.argmax(axis=1)
    before = np.maximum(first - 1, 0)
    rows = np.arange(len(limit))
    low, high = cumulated[rows, before], cumulated[rows, first]
    rise = np.where(high > low, high - low, 1.0)
    share = np.where(high > low, (limit - low) / rise, 0.0)
    return np.where(reached.any(axis=1), days[before] + share * (days[first] - days[before]), np.inf)


def transplant_hazard(c: HazardConstants, day: ArrayLike, hsct_day: ArrayLike, nrm_bg: ArrayLike) -> Floats:
    """Hazard of death that a transplantation adds, per day.

    Parameters
    ----------
    c : HazardConstants
    day, hsct_day : array_like
        A day and the day of the transplantation (inf: none).
    nrm_bg : array_like
        Background hazard of the disease card, per year; it multiplies for a while after the transplantation.

    Returns
    -------
    ndarray
        One-off probability spread over its days, and the excess of the background.
    """
    since = _since(day, hsct_day)
    at_once = np.where((since >= 0) & (since < c.hsct_death_days), -np.log1p(-c.hsct_death) / c.hsct_death_days, 0.0)
    background = np.asarray(nrm_bg, dtype=float) / DAYS_PER_YEAR
    return at_once + np.where((since >= 0) & (since < c.hsct_nrm_days), (c.hsct_nrm_factor - 1) * background, 0.0)


def transplant_day(
    c: HazardConstants,
    share: ArrayLike,
    numbers: ArrayLike,
    seed: int,
    first: float | None = None,
    last: float | None = None,
) -> Floats:
    """Day on which a patient in remission would be transplanted; inf for those who would not.

    Parameters
    ----------
    c : HazardConstants
    share : array_like, shape (n,) or scalar
        Probability of a transplantation in remission, from the trial or disease card.
    numbers : array_like of int, shape (n,)
    seed : int
    first, last : float, optional
        Days between which transplantations take place; the usual ones without them.
    """
    draw = uniforms(seed, "hsct in remission", numbers, 2)
    begin = c.hsct_first_day if first is None else first
    day = begin + draw[:, 1] * ((c.hsct_last_day if last is None else last) - begin)
    return np.where(draw[:, 0] < np.asarray(share, dtype=float), day, np.inf)


def progression_hazard(mpp: ArrayLike, salvage: ArrayLike = 0.0) -> Floats:
    """Hazard of death per day of those whom salvage does not cure; mpp (months) is the median of all who progress."""
    cured = np.asarray(salvage, dtype=float)
    return -np.log((0.5 - cured) / (1 - cured)) / (np.asarray(mpp, dtype=float) * DAYS_PER_MONTH)


def death_after_progression(
    progression_day: ArrayLike, mpp: ArrayLike, numbers: ArrayLike, seed: int, salvage: ArrayLike = 0.0
) -> Floats:
    """Day of death after progression or relapse; inf where there is none.

    Parameters
    ----------
    progression_day : array_like, shape (n,)
        Inf: no progression.
    mpp : array_like, shape (n,)
        Median from progression to death of the disease card, months.
    numbers : array_like of int, shape (n,)
    seed : int
    salvage : array_like, shape (n,)
        Share of those who progress that salvage therapy cures; below one half.
    """
    wait = clock(seed, "after progression", numbers) / progression_hazard(mpp, salvage)
    cured = uniforms(seed, "salvage", numbers)[:, 0] < np.asarray(salvage, dtype=float)
    return np.where(cured, np.inf, np.asarray(progression_day, dtype=float) + wait)


def dropout_hazard(c: HazardConstants, burden: ArrayLike, capacity: ArrayLike) -> Floats:
    """Hazard per day of dropping out between enrolment and infusion (burden and K0 in e6/kg)."""
    return c.dropout * (1 + c.dropout_disease * _large(c, burden, capacity))


def dropout_reason(
    c: HazardConstants, burden: ArrayLike, capacity: ArrayLike, numbers: ArrayLike, seed: int
) -> NDArray[np.str_]:
    """Why a patient who drops out does so: "death", "adverse event" or "progression"; shape (n,)."""
    draw = uniforms(seed, "drop-out reason", numbers, 2)
    extra = c.dropout_disease * _large(c, burden, capacity)
    from_disease = draw[:, 0] < extra / (1 + extra)
    reason = np.where(draw[:, 1] < c.dropout_adverse, "adverse event", "death")
    return np.where(from_disease, np.where(draw[:, 1] < c.dropout_progression, "progression", "death"), reason)


def toxicity_deaths(
    c: HazardConstants, days: ArrayLike, crs: ArrayLike, icans: ArrayLike, numbers: ArrayLike, seed: int
) -> tuple[Floats, NDArray[np.str_]]:
    """Day and cause of death from toxicity; inf and "" where there is none.

    One draw per patient and toxicity decides whether grade 4 is fatal, so days may be added without changing the past.

    Parameters
    ----------
    c : HazardConstants
    days : array_like, shape (k,)
    crs, icans : array_like of int, shape (n, k)
        Grades; negative: not gradable.
    numbers : array_like of int, shape (n,)
    seed : int
    """
    days = np.asarray(days, dtype=float)
    fatal: list[Floats] = []
    for name, grades, share in (("crs", crs, c.crs_death), ("icans", icans, c.icans_death)):
        reached = np.asarray(grades) >= c.fatal_grade
        prone = uniforms(seed, f"death from {name}", numbers)[:, 0] < share
        first = days[reached.argmax(axis=1)] + c.toxicity_delay
        fatal.append(np.where(reached.any(axis=1) & prone, first, np.inf))
    by_crs, by_icans = fatal
    cause = np.where(by_crs <= by_icans, "cytokine release syndrome", "neurotoxicity")
    day = np.minimum(by_crs, by_icans)
    return day, np.where(np.isfinite(day), cause, "")


def drug_toxicity(
    c: HazardConstants, given: Mapping[str, tuple[ArrayLike, ArrayLike]], numbers: ArrayLike, seed: int
) -> tuple[Floats, NDArray[np.str_], tuple[str, ...]]:
    """Death from too much of a drug of conditioning, by the dose of its course: no dose below the toxic ones matters.

    Parameters
    ----------
    c : HazardConstants
    given : mapping of drug to (mg/m2 of the course, its last day), each of shape (n,)
    numbers : array_like of int, shape (n,)
    seed : int

    Returns
    -------
    day : ndarray, shape (n,)
        Day of death, not before the infusion; inf: none.
    cause : ndarray of str, shape (n,)
    notes : tuple of str
        How many had a severe event, and how many died of it.
    """
    count = len(np.asarray(numbers))
    day, cause, notes = np.full(count, np.inf), np.full(count, "", dtype=object), list[str]()
    rules = {
        "fludarabine": ("neurotoxicity", c.flu_half, c.flu_power, c.flu_fatal, c.flu_first_day, c.flu_last_day),
        "cyclophosphamide": ("cardiotoxicity", c.cy_half, c.cy_power, c.cy_fatal, c.cy_first_day, c.cy_last_day),
    }
    for drug, (event, half, power, share, first, last) in rules.items():
        amount, ended = given.get(drug, (np.zeros(count), np.zeros(count)))
        luck = uniforms(seed, f"toxicity of {drug}", numbers, 2 + 1)
        struck = luck[:, 0] < _hill(amount, half, power)
        fatal = struck & (luck[:, 1] < share)
        at = np.maximum(np.asarray(ended, dtype=float) + first + luck[:, 2] * (last - first), 0.0)
        earlier = fatal & (at < day)
        day, cause = np.where(earlier, at, day), np.where(earlier, f"{event} from {drug}", cause)
        if struck.any():
            notes.append(
                f"{int(struck.sum())} of {count} patients had severe {event} from {drug}, fatal in {int(fatal.sum())}"
            )
    return day, cause.astype(str), tuple(notes)


def _since(day: ArrayLike, hsct_day: ArrayLike) -> Floats:
    return np.asarray(day, dtype=float) - np.asarray(hsct_day, dtype=float)


def _large(c: HazardConstants, burden: ArrayLike, capacity: ArrayLike) -> Floats:
    return _hill(burden, c.dropout_share * np.asarray(capacity, dtype=float), c.dropout_power)


def _hill(x: ArrayLike, half: ArrayLike, n: float) -> Floats:
    ratio = np.power(np.maximum(np.asarray(x, dtype=float), 0.0) / np.asarray(half, dtype=float), n)
    return np.asarray(ratio / (1 + ratio), dtype=float)
