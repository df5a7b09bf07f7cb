"""Targets: whether the tumor carries what a product sees, and what follows where it does not."""

from __future__ import annotations

from collections.abc import Mapping
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


def lacking(
    product: Product,
    disease: Disease,
    carried: frozenset[str] = frozenset(),
    negative: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Targets that the tumor lacks, or is not known to carry.

    Parameters
    ----------
    product : Product
    disease : Disease
    carried : frozenset of str
        Antigens that are known of the patients themselves, whatever the disease card says.
    negative : frozenset of str
        Antigens that the patients are known to lack, whatever it says.
    """
    have = ({name for name, one in disease.antigens.items() if one.carried} | carried) - negative
    return tuple(name for name in names_of(product) if name not in have)


def absent(
    product: Product,
    disease: Disease,
    carried: frozenset[str] = frozenset(),
    negative: frozenset[str] = frozenset(),
) -> str:
    """Why a product cannot act on the tumor, as one sentence; "" where it can."""
    lost = lacking(product, disease, carried, negative)
    if not lost or (product.design == "or" and len(lost) < len(names_of(product))):
        return ""
    named = [name for name, one in disease.antigens.items() if one.carried] + sorted(carried)
    never = [name for name in lost if name in disease.antigens and disease.antigens[name].positive == 0]
    whose = f"is not {'' if never == list(lost) else 'known to be '}carried by {disease.title}"
    if negative & set(lost):
        whose = "the patient's tumor lacks"
    return (
        f"{product.name} sees {' or '.join(lost)}, which {whose}; expected a product against what it carries: "
        f"{', '.join(name for name in dict.fromkeys(named) if name not in negative) or 'nothing known'}."
    )


def check_targets(
    product: Product,
    disease: Disease,
    carried: frozenset[str] = frozenset(),
    negative: frozenset[str] = frozenset(),
    *,
    asked: bool = False,
    remedy: str = ANYHOW,
) -> None:
    """Refuse a product whose targets the tumor lacks, unless that was asked for.

    Parameters
    ----------
    product : Product
    disease : Disease
    carried : frozenset of str
        Antigens that are known of the patients themselves.
    negative : frozenset of str
        Antigens that the patients are known to lack.
    asked : bool
        It is meant: the product kills nothing of the tumor.
    remedy : str
        How it may be asked for.
    """
    if said := "" if asked else absent(product, disease, carried, negative):
        raise InputError(said + remedy, field="product")


def told_of(patient: Patient) -> frozenset[str]:
    """Antigens of which the patients themselves have a density, 0 included."""
    return frozenset(name for name, found in patient.antigens.items() if np.isfinite(found).any())


def negative_of(patient: Patient) -> frozenset[str]:
    """Antigens that the tumor was said to lack, and not drawn so."""
    return frozenset(name for name, found in patient.antigens.items() if name in patient.known and not found.any())


def densities(laws: Mapping[str, Law]) -> frozenset[str]:
    """Antigens whose density has a law of its own."""
    return frozenset(name for name in laws if name in ANTIGENS)


def notes_of(product: Product, disease: Disease, patient: Patient) -> tuple[str, ...]:
    """What a reader must know about the targets of a product in these patients."""
    notes: list[str] = []
    told = told_of(patient), negative_of(patient)
    lost = lacking(product, disease, *told)
    if lost and absent(product, disease, *told):
        notes.append(
            f"unusual: {product.name} kills nothing of the tumor: {' and '.join(lost)} is not on {disease.title}"
        )
    elif lost:
        notes.append(f"unusual: {product.name} works on the other antigen alone: {lost[0]} is not on {disease.title}")
    for one in targets_of(product, disease, patient):
        name, own = one.antigen.name, disease.antigens.get(one.antigen.name)
        if name in lost:
            continue
        if negative := int((one.density == 0).sum()):
            notes.append(f"unusual: {negative} of {patient.count} patients have a tumor without {name}")
        elif own is not None and own.positive < 1 and name not in patient.known:
            share = 100 * own.positive  # unit factor
            notes.append(f"patients are taken as selected for {name}, which {share:.3g} % of {disease.title} carry")
    return tuple(notes)
