"""Virtual patients: drawn from the laws of a disease and a trial, or as companions of one given patient.

The form of the laws (the tables ``[population.<field>]`` of a trial or disease card) is described in
``therapy/laws.py``. A field takes the trial's law, else the disease's, else the general one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.arguments import mapping_of, name_or_path, of_kind, seed_of, whole
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.antigens import settle
from vein2vein.therapy.disease import FACTS, FIELDS, Disease, find_disease, population_laws
from vein2vein.therapy.laws import Law, draw
from vein2vein.therapy.patient import Patient, make_patients
from vein2vein.trials.published import MOST

DISEASE = "a disease, its name, or the path of a card"


def draw_patients(
    laws: Mapping[str, Law] | None, disease: str | Disease, numbers: ArrayLike, seed: int, *, selected: bool = True
) -> Patient:
    """Draw virtual patients.

    Parameters
    ----------
    laws : mapping of field to Law, or None
        The trial's own laws; they lie over the disease's and the general ones.
    disease : str or Disease
    numbers : array_like of int, shape (n,)
        Patient numbers: a patient depends on the seed and this number alone.
    seed : int
    selected : bool
        Patients whose tumor lacks an antigen that the disease usually carries were not enrolled.

    Returns
    -------
    Patient
        n patients.
    """
    card = disease if isinstance(disease, Disease) else find_disease(disease)
    values = draw(population_laws(card, dict(laws or {})), numbers, seed)
    settle(values, card.antigens, numbers, seed, known={}, own=laws or {}, selected=selected)
    return make_patients(numbers, card.found_by, values)


def virtual_patients(
    disease: str | Disease, count: int, *, seed: int, laws: Mapping[str, Law] | None = None
) -> Patient:
    """Draw ``count`` virtual patients, numbered from 0; see ``draw_patients``.

    Raises
    ------
    InputError
        An unknown disease, a number of patients that is none, a seed below 0, laws that are none.
    """
    card = disease if isinstance(disease, Disease) else find_disease(name_or_path("disease", disease, DISEASE))
    count, seed = whole("count", count, low=1, high=MOST), seed_of(seed)
    return draw_patients(_checked(laws), card, np.arange(count), seed)


def _checked(laws: object) -> Mapping[str, Law] | None:
    """Laws by field, or none."""
    if laws is None:
        return None
    found: dict[str, Law] = {}
    for name, law in mapping_of("laws", laws, "a mapping of fields to Law, or None").items():
        if not isinstance(name, str) or name not in FACTS:
            raise InputError(unknown("field of a patient", str(name), FACTS), field="laws")
        found[name] = of_kind(f"laws[{name!r}]", law, Law, "a Law")
    return found


def companions(patient: Patient, count: int, seed: int, laws: Mapping[str, Law] | None = None) -> Patient:
    """Draw virtual patients who share what is known of one: known facts are equal, the others follow their laws.

    Parameters
    ----------
    patient : Patient
        n = 1; ``known`` names the fields that were given.
    count : int
    seed : int
    laws : mapping of field to Law, optional
        Laws for the unknown fields; the disease's and the general ones without it.

    Returns
    -------
    Patient
        ``count`` patients, numbered from 0; the first is the given patient itself, with the typical values that stand
        for what is unknown of it.
    """
    patient = of_kind("patient", patient, Patient, "a Patient")
    count, seed, laws = whole("count", count, low=1, high=MOST), seed_of(seed), _checked(laws)
    if patient.count != 1:
        text = f"found {patient.count} patients, expected one; take one of them with vein2vein.therapy.patient.select."
        raise InputError(text, field="patient")
    given = {name: float(getattr(patient, name)[0]) for name in FIELDS if name in patient.known}
    given |= {name: float(found[0]) for name, found in patient.antigens.items() if name in patient.known}
    card = find_disease(patient.disease)
    values = draw(population_laws(card, dict(laws or {})), np.arange(count), seed, known=given)
    settle(values, card.antigens, np.arange(count), seed, known=given, own=laws or {}, selected=True)
    for name in FIELDS:
        values[name][:1] = getattr(patient, name)[:1]
    for name, found in patient.antigens.items():
        if name in values:
            values[name][:1] = found[:1]
    made = make_patients(
        np.arange(count), patient.disease, values, known=patient.known,
        baseline={name: value[0] for name, value in patient.baseline.items()},
    )  # fmt: skip
    if not patient.leukapheresis_day.size:
        return made
    days = {name: np.full(count, getattr(patient, name)[0]) for name in ("leukapheresis_day", "lymphodepletion_day")}
    return replace(made, **days)
