"""Subgroups: who of a set counts for a published number, by what was known before the infusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vein2vein.cards import Card
from vein2vein.clinic.words import lineage_words
from vein2vein.journey.journey import Journey, per_patient
from vein2vein.models.reference import model as reference
from vein2vein.therapy.disease import Disease
from vein2vein.therapy.laws import Law
from vein2vein.therapy.patient import limits_of
from vein2vein.trials.endpoints.reading import PERCENT, Flags, Floats, blasts_before
from vein2vein.trials.published import Published
from vein2vein.trials.trial_card import BURDEN_UNITS, SUBGROUPS
from vein2vein.trials.virtual_patients import draw_patients

DRAWN = 10_000  # patients drawn to see whether anybody lies between two limits
SEEN_ALONE = 0.01  # share within each limit from which nobody within all of them is no matter of luck
CELLS = 1e6  # unit factor: burdens are counted in e6 cells per kg
_BY_IMAGES = ("mL", "cm2")


def within(row: Published, journey: Journey) -> Flags:
    """Whether each patient lies within the limits of a row, shape (n,)."""
    patient = journey.patient
    found = _plain(row, patient.weight, patient.age, patient.prior_lines)
    if row.blasts_from > 0 or np.isfinite(row.blasts_below):
        blasts = blasts_before(journey)
        found &= (blasts >= row.blasts_from) & (blasts < row.blasts_below)
    if row.burden_from > 0 or np.isfinite(row.burden_to):
        burden = _burden(journey, row.burden_unit)
        found &= (burden >= row.burden_from) & (burden <= row.burden_to)
    return found


def _plain(row: Published, weight: Floats, age: Floats, lines: Floats) -> Flags:
    """By weight, age in completed years and earlier lines; age and lines with both limits."""
    years = np.floor(age)
    found = (weight > row.weight_from) & (weight <= row.weight_to) & (years >= row.age_from) & (years <= row.age_to)
    return found & (lines >= row.lines_from) & (lines <= row.lines_to)


def _burden(journey: Journey, unit: str) -> Floats:
    """Tumor on the day before lymphodepletion, in e6 cells per kg, mL, or cm2 of the sum of products, shape (n,)."""
    cells = np.asarray(journey.waiting.burden, dtype=float)
    if unit == "mL":
        per_mL = per_patient(journey, lambda facts: facts.parameters.values()["tumor_mL"])
        return cells * CELLS * journey.patient.weight / per_mL
    if unit == "cm2":
        area, of, power = (
            per_patient(journey, lambda facts, name=name: facts.parameters.values()[name])
            for name in ("spd_ref", "spd_T", "spd_power")
        )
        return area * (cells / of) ** power
    return cells


def check_subgroups(
    card: Card, published: Sequence[Published], arms: Mapping[str, tuple[Disease, Mapping[str, Law]]]
) -> None:
    """Refuse limits that leave nobody: what the disease does not have, or the population's laws do not give.

    Parameters
    ----------
    card : Card
    published : sequence of Published
    arms : mapping of name to (Disease, laws)
        Of each arm; of the trial under "" where there are none.
    """
    for i, row in enumerate(published):
        counted = [one for name, one in arms.items() if not row.arms or name in row.arms]
        here = ("published", str(i))
        _check_tumor(card, row, [disease for disease, _ in counted], here)
        for name in SUBGROUPS["lines"]:
            if np.isfinite(limit := getattr(row, name)) and limit % 1:
                raise card.error((*here, name), f"found {limit:g}, expected a whole number of earlier lines.")
        if any(_limited(row, name) for name in ("weight", "age", "lines")):
            _check_drawn(card, row, counted, here)


def _limited(row: Published, name: str) -> bool:
    low, high = SUBGROUPS[name]
    return getattr(row, low) > 0 or np.isfinite(getattr(row, high))


def _given(card: Card, name: str, here: tuple[str, ...]) -> tuple[str, ...]:
    """Place of the limit that a row gives."""
    low, high = SUBGROUPS[name]
    return (*here, low) if card.get(*here, low) is not None else (*here, high)


def _check_tumor(card: Card, row: Published, diseases: Sequence[Disease], here: tuple[str, ...]) -> None:
    titles = " and ".join(dict.fromkeys(one.title for one in diseases))
    if _limited(row, "blasts"):
        if all(np.isnan(one.marrow_full) for one in diseases):
            text = f"found a limit of blasts in marrow, but {titles} is not counted in marrow, so nobody would count; "
            raise card.error(_given(card, "blasts", here), text + "leave it out, or limit burden_from and burden_to.")
        if row.blasts_from > PERCENT:
            text = f"found {row.blasts_from:g} %, expected at most {PERCENT:g} %: nobody has more blasts in marrow."
            raise card.error((*here, "blasts_from"), text)
    if _limited(row, "burden"):
        if card.get(*here, "burden_unit") is None:
            text = f"found without its unit; add burden_unit, one of {', '.join(BURDEN_UNITS)}."
            raise card.error(_given(card, "burden", here), text)
        seen = [lineage_words(one.lineage).judged_by == "lymphoma" for one in diseases]
        if row.burden_unit in _BY_IMAGES and not all(seen):
            text = f"found '{row.burden_unit}', but the burden of {titles} is not measured on images; expected "
            text += "'e6/kg', or limit the marrow with blasts_from and blasts_below."
            raise card.error((*here, "burden_unit"), text)
        unit, most = row.burden_unit, max(_largest(one, row.burden_unit) for one in diseases)
        if row.burden_from > most:
            text = (
                f"found {row.burden_from:g} {unit}, expected at most {most:.5g} {unit}, the most that {titles} reaches."
            )
            raise card.error((*here, "burden_from"), text)
        if row.burden_to == 0:
            text = f"found 0 {unit}, expected more than 0 {unit}: nobody is treated without a tumor."
            raise card.error((*here, "burden_to"), text)


def _largest(disease: Disease, unit: str) -> float:
    """The most that a tumor of a disease reaches in a unit of burden, in the heaviest patient; spreads left out."""
    cells = float(disease.parameters.values()["K0"])
    if unit not in _BY_IMAGES:
        return cells
    values = reference.parameters(patient=False).overlay(disease.parameters).values()
    if unit == "mL":
        return cells * CELLS * limits_of("weight")[1] / float(values["tumor_mL"])
    return float(values["spd_ref"] * (cells / values["spd_T"]) ** values["spd_power"])


def _check_drawn(
    card: Card, row: Published, counted: Sequence[tuple[Disease, Mapping[str, Law]]], here: tuple[str, ...]
) -> None:
    drawn = [draw_patients(laws, disease, np.arange(DRAWN), seed=0) for disease, laws in counted]
    weight, age = (np.concatenate([getattr(one, name) for one in drawn]) for name in ("weight", "age"))
    lines = np.concatenate([np.asarray(one.prior_lines, dtype=float) for one in drawn])
    limited = [name for name in ("weight", "age", "lines") if _limited(row, name)]
    shares: list[float] = []
    for name in limited:
        values, unit = {
            "weight": (weight, "kg"), "age": (np.floor(age), "years"), "lines": (lines, "earlier lines"),
        }[name]  # fmt: skip
        low, high = (getattr(row, limit) for limit in SUBGROUPS[name])
        if low > values.max() or high < values.min():
            asked = f"{low:g} {unit} or more" if np.isinf(high) else f"{low:g} to {high:g} {unit}"
            text = f"found {asked}, expected limits within the {values.min():.4g} to {values.max():.4g} {unit} of the "
            raise card.error(_given(card, name, here), text + "population: nobody else is enrolled.")
        shares.append(np.count_nonzero((values >= low) & (values <= high)) / len(values))
    if min(shares) == 0 or (min(shares) >= SEEN_ALONE and not _plain(row, weight, age, lines).any()):
        text = f"found limits of {' and '.join(limited)} between which nobody of this population lies; widen one."
        empty = limited[shares.index(0) if 0 in shares else 0]
        raise card.error(_given(card, empty, here), text)
