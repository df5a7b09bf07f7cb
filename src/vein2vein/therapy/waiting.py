"""Waiting: from collection to infusion. The disease grows, bridging therapy may hold it, some patients drop out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.randomness import uniforms
from vein2vein.records import by_patient
from vein2vein.therapy.disease import find_disease, general_laws, same_unit
from vein2vein.therapy.laws import Law, draw, quantile
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import Product, process_of
from vein2vein.therapy.release import Lot

Floats = NDArray[np.float64]
Hazard = Callable[[Floats], Floats]
Reason = Callable[[Floats], NDArray[np.str_]]


@by_patient()
@dataclass(frozen=True)
class Waiting:
    """The time between collection and infusion; every field has shape (n,).

    Attributes
    ----------
    days : ndarray
        From collection to infusion, planned where the patient drops out.
    burden : ndarray
        Tumor cells on the last day, e6/kg (of the drop-out, where the patient dropped out).
    highest_burden : ndarray
        Largest on the way.
    bridged : ndarray of bool
    bridging_day : ndarray
        Before the infusion (negative); NaN without bridging.
    bridging_kill : ndarray
        Fraction of tumor and B cells killed; 0 without bridging.
    dropped : ndarray of bool
    drop_day : ndarray
        Day of the drop-out before the infusion planned (negative); NaN where none.
    failed : ndarray of bool
        As ``dropped``.
    reason : ndarray of str
        death, adverse event or progression.
    """

    days: Floats
    burden: Floats
    highest_burden: Floats
    bridged: NDArray[np.bool_]
    bridging_day: Floats
    bridging_kill: Floats
    dropped: NDArray[np.bool_]
    drop_day: Floats
    failed: NDArray[np.bool_]
    reason: NDArray[np.str_]


def law_fault(law: Law, numbers: NDArray[np.int64], longest: float) -> tuple[str, str] | None:
    """Why a law is none of days of waiting, drawn for these patients: its field ("": all of it) and a sentence."""
    if law.unit and not same_unit(law.unit, "day"):
        return "unit", f"found '{law.unit}', expected 'day'; give the numbers of this law in days."
    try:
        days = draw({law.field: law}, numbers, seed=0)[law.field]
    except ValueError:
        return "law", f"found {law.kind}, expected a law that leans on no other field."
    if not (days.min() >= 0 and days.max() <= longest):
        said = f"gives {days.min():.4g} to {days.max():.4g} days, expected 0 to {longest:g}; give it low and high."
        return "", said
    return None


def vein_to_vein(patient: Patient, lot: Lot, product: Product, seed: int, law: Law | None = None) -> Floats:
    """Days from collection to infusion, shape (n,): by a law, plus a remake; a known day of collection stands.

    A culture that is shorter or longer than that of the law changes the wait by its own days.
    """
    from scipy import special

    v = process_of(product).values
    luck = uniforms(seed, "vein to vein", patient.number)[:, 0]
    if law is None:
        days = v.wait_shift + v.wait_scale * special.gammaincinv(v.wait_shape, luck)
    else:
        days = quantile(law, luck, {"age": patient.age, "male": patient.male.astype(float)})
    days = np.maximum(days + v.culture_days - v.wait_culture_days, v.culture_days)
    known = patient.leukapheresis_day if patient.leukapheresis_day.size else np.full(patient.count, np.nan)
    return np.where(np.isnan(known), days + lot.delay, -known)


def grown(burden: ArrayLike, growth: ArrayLike, capacity: ArrayLike, days: ArrayLike) -> Floats:
    """Tumor (e6/kg) after ``days`` of logistic growth at ``growth`` per day towards ``capacity`` (e6/kg)."""
    start, top = np.asarray(burden, dtype=float), np.asarray(capacity, dtype=float)
    return top / (1 + (top / start - 1) * np.exp(-np.asarray(growth, dtype=float) * np.asarray(days, dtype=float)))


def wait(
    patient: Patient,
    lot: Lot,
    product: Product,
    seed: int,
    *,
    growth: ArrayLike,
    capacity: ArrayLike,
    dropout_hazard: Hazard | None = None,
    dropout_reason: Reason | None = None,
    law: Law | None = None,
    bridging_share: Law | float | None = None,
) -> tuple[Waiting, tuple[str, ...]]:
    """Follow the patient day by day from collection to infusion.

    Parameters
    ----------
    patient : Patient
    lot : Lot
        A remake delays the infusion.
    product : Product
        Its vein-to-vein law, where ``law`` is None.
    seed : int
    growth, capacity : array_like, shape () or (n,)
        Growth rate (1/day) and carrying capacity (e6/kg) of the tumor.
    dropout_hazard : callable (burden) -> ndarray (n,), optional
        Per day; none without it.
    dropout_reason : callable (burden) -> ndarray of str (n,), optional
        Why a patient with this burden drops out.
    law : Law, optional
        A trial's law of the days from collection (enrollment) to infusion.
    bridging_share : Law or float, optional
        Share of patients with bridging; the general one without it.

    Returns
    -------
    Waiting
    notes : tuple of str
    """
    from scipy import special

    v = process_of(product).values
    ids, count = patient.number, patient.count
    days = vein_to_vein(patient, lot, product, seed, law)
    share = v.bridging_share if bridging_share is None else bridging_share
    share = share.numbers["probability"] if isinstance(share, Law) else share
    bridged = uniforms(seed, "bridging", ids)[:, 0] < share
    kill = special.betaincinv(v.bridging_alpha, v.bridging_beta, uniforms(seed, "bridging kill", ids)[:, 0])
    kill = np.where(bridged, kill, 0.0)
    day_of = v.bridging_time * days
    rate, top = (np.broadcast_to(np.asarray(x, dtype=float), (count,)) for x in (growth, capacity))

    def burden_on(day: ArrayLike) -> Floats:
        before = grown(patient.burden, rate, top, np.minimum(day, day_of))
        after = grown(before * (1 - kill), rate, top, np.maximum(np.asarray(day) - day_of, 0.0))
        return np.where(np.asarray(day) < day_of, before, after)

    luck = -np.log(uniforms(seed, "drop-out", ids)[:, 0])
    dropped, drop_after = np.zeros(count, dtype=bool), np.full(count, np.nan)
    cumulated, highest = np.zeros(count), patient.burden.copy()
    for day in range(int(np.ceil(days.max(initial=0.0)))):
        step = np.clip(days - day, 0.0, 1.0)
        burden = burden_on(np.minimum(float(day), days))
        highest = np.where(dropped, highest, np.maximum(highest, burden))
        if dropout_hazard is not None:
            hazard = dropout_hazard(burden)
            leaves = ~dropped & (cumulated + hazard * step > luck)
            drop_after = np.where(
                leaves, day + (luck - cumulated) / np.maximum(hazard, np.finfo(float).tiny), drop_after
            )
            dropped |= leaves
            cumulated = cumulated + hazard * step
    last = np.where(dropped, drop_after, days)
    burden = burden_on(last)
    reason = np.full(count, "", dtype=object)
    if dropout_reason is not None:
        reason = np.where(dropped, dropout_reason(burden), "")
    notes = (f"{int(dropped.sum())} of {count} patients dropped out before infusion",) if dropped.any() else ()
    waiting = Waiting(
        days, burden, np.maximum(highest, burden), bridged, np.where(bridged, day_of - days, np.nan), kill, dropped,
        np.where(dropped, drop_after - days, np.nan), dropped.copy(), reason.astype(str),
    )  # fmt: skip
    return waiting, notes


def after_waiting(patient: Patient, waiting: Waiting) -> Patient:
    """The patients at the start of conditioning: burden, B cells and blasts in blood after growth and bridging."""
    laws = {**general_laws(), **find_disease(patient.disease).population}
    law = laws["circulating_blasts"]
    middle = np.full(patient.count, 1 / 2)
    blasts = patient.circulating_blasts
    if law.kind == "blasts_of_burden":
        before, after = (quantile(law, middle, {"burden": burden}) for burden in (patient.burden, waiting.burden))
        blasts = blasts * np.divide(after, before, out=np.ones(patient.count), where=before > 0)
    return replace(
        patient, burden=waiting.burden, circulating_blasts=blasts,
        b_cells_per_kg=patient.b_cells_per_kg * (1 - waiting.bridging_kill),
    )  # fmt: skip
