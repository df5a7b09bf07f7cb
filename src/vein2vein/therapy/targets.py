"""Targets: whether the tumor carries what a product sees, and what follows where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError
from vein2vein.therapy.antigens import Antigen, find_antigen
from vein2vein.therapy.disease import Disease
from vein2vein.therapy.laws import Law
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import Product
from vein2vein.therapy.vocabulary import ANTIGENS

Floats = NDArray[np.float64]
NOTHING: Mapping[str, bool] = {}
ANYHOW = (
    " To run it all the same, say so: absent_target = true in [trial], absent_target=True in Python, --absent-target."
)


@dataclass(frozen=True)
class Target:
    """One target of a product in these patients.

    Attributes
    ----------
    antigen : Antigen
    density : ndarray, shape (n,)
        Molecules per tumor cell; 0: not carried, or not known to be.
    reference : float
        Density at which recognition counts as 1.
    loss : str
        Trait that holds the share of cells which lost it before: f_neg or f_neg_b of the disease.
    """

    antigen: Antigen
    density: Floats
    reference: float
    loss: str


def names_of(product: Product) -> tuple[str, ...]:
    """Antigens that a product sees."""
    return tuple(name for name in (product.target_a, product.target_b) if name)


def targets_of(product: Product, disease: Disease, patient: Patient) -> tuple[Target, ...]:
    """The targets of a product in these patients, the first one first."""
    return tuple(_target(find_antigen(name), disease, patient) for name in names_of(product))


def _target(antigen: Antigen, disease: Disease, patient: Patient) -> Target:
    found = np.nan_to_num(np.asarray(patient.antigens.get(antigen.name, np.zeros(patient.count)), dtype=float))
    reference, carried = antigen.reference, found[found > 0]
    if np.isnan(reference):  # a scale of its own: that of the disease, else of these patients
        own = disease.antigens.get(antigen.name)
        reference = own.density.median if own and own.density else float(np.median(carried)) if carried.size else 1.0
    second = antigen.name == disease.antigen_b and "f_neg_b" in disease.parameters.parameters
    return Target(antigen, found, float(reference), "f_neg_b" if second else "f_neg")


def lacking(product: Product, disease: Disease, told: Mapping[str, bool]) -> tuple[str, ...]:
    """Targets that the tumor lacks, or is not known to carry.

    Parameters
    ----------
    product : Product
    disease : Disease
    told : mapping of str to bool
        Antigens of which the patients themselves are known to carry them or not, whatever the disease card says.
    """
    have = _carried(disease, told)
    return tuple(name for name in names_of(product) if name not in have)


def _carried(disease: Disease, told: Mapping[str, bool]) -> tuple[str, ...]:
    known = {**{name: one.carried for name, one in disease.antigens.items()}, **told}
    return tuple(name for name, there in known.items() if there)


def absent(product: Product, disease: Disease, told: Mapping[str, bool] = NOTHING) -> str:
    """Why a product cannot act on the tumor, as one sentence; "" where it can."""
    lost = lacking(product, disease, told)
    if not lost or (product.design == "or" and len(lost) < len(names_of(product))):
        return ""
    negative = {name: name in disease.antigens and disease.antigens[name].positive == 0 for name in lost}
    negative |= {name: True for name in lost if name in told}
    whether = "is not carried by" if all(negative.values()) else "is not known to be carried by"
    return (
        f"{product.name} sees {' or '.join(lost)}, which {whether} {_whose(lost, disease, told)}; "
        f"expected a product against what it carries: {', '.join(_carried(disease, told)) or 'nothing known'}."
    )


def _whose(lost: Sequence[str], disease: Disease, told: Mapping[str, bool]) -> str:
    return f"the tumor of these patients with {disease.title}" if set(lost) & set(told) else disease.title


def check_targets(
    product: Product,
    disease: Disease,
    told: Mapping[str, bool] = NOTHING,
    *,
    asked: bool = False,
    remedy: str = ANYHOW,
) -> None:
    """Refuse a product whose targets the tumor lacks, unless that was asked for.

    Parameters
    ----------
    product : Product
    disease : Disease
    told : mapping of str to bool
        Antigens of which the patients themselves are known to carry them or not.
    asked : bool
        It is meant: the product kills nothing of the tumor.
    remedy : str
        How it may be asked for.
    """
    if said := "" if asked else absent(product, disease, told):
        raise InputError(said + remedy, field="product")


def told_of(patient: Patient) -> dict[str, bool]:
    """Antigens of which the patients have a density, and whether any carries it.

    A density of 0 in all of them counts where it was given of the patients, and not where it was drawn: of a few who
    were drawn all may lack what others carry.
    """
    found = {name: np.nan_to_num(np.asarray(one, dtype=float)) for name, one in patient.antigens.items()}
    return {name: bool(one.any()) for name, one in found.items() if one.any() or name in patient.known}


def densities(laws: Mapping[str, Law]) -> dict[str, bool]:
    """Antigens whose density has a law of its own: carried."""
    return {name: True for name in laws if name in ANTIGENS}


def uncalibrated(product: Product, disease: Disease) -> tuple[str, ...]:
    """What a reader must know of a product or disease whose numbers were calibrated on no patients."""
    both = ((product, product.exploratory), (disease, not disease.calibrated_on))
    whose = [one.title for one, reasoned in both if reasoned]
    said = f"unusual: the numbers of {' and '.join(whose)} are reasoned, and were calibrated on no patients"
    return (f"{said}: read directions, not sizes",) if whose else ()


def notes_of(product: Product, disease: Disease, patient: Patient) -> tuple[str, ...]:
    """What a reader must know about the targets of a product in these patients."""
    notes: list[str] = []
    told = told_of(patient)
    lost = lacking(product, disease, told)
    whose = _whose(lost, disease, told)
    if lost and absent(product, disease, told):
        notes.append(f"unusual: {product.name} kills nothing of the tumor: {' and '.join(lost)} is not on {whose}")
    elif lost:
        notes.append(f"unusual: {product.name} works on the other antigen alone: {lost[0]} is not on {whose}")
    for one in targets_of(product, disease, patient):
        name, own = one.antigen.name, disease.antigens.get(one.antigen.name)
        if name in lost:
            continue
        density = np.asarray(patient.antigens.get(name, np.full(patient.count, np.nan)), dtype=float)
        negative, unknown = int((density == 0).sum()), int(np.isnan(density).sum())
        if negative:
            notes.append(f"unusual: {negative} of {patient.count} patients have a tumor without {name}")
        if unknown:
            text = f"the density of {name} is not known for {unknown} of {patient.count} patients"
            notes.append(f"unusual: {text}; their tumors are taken to lack it")
        if negative or unknown:
            continue
        if own is not None and own.positive < 1 and name not in patient.known:
            share = 100 * own.positive  # unit factor
            notes.append(f"patients are taken as selected for {name}, which {share:.3g} % of {disease.title} carry")
    return tuple(notes)
