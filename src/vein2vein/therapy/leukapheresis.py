"""Leukapheresis: how many T cells are collected, from blood count, volume and collection efficiency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.randomness import uniforms
from vein2vein.records import by_patient
from vein2vein.therapy.manufacturing import scattered_share
from vein2vein.therapy.patient import Patient, total_blood_volume
from vein2vein.therapy.product import Product, process_of

Floats = NDArray[np.float64]
UL_PER_L = 1e6


@by_patient()
@dataclass(frozen=True)
class Apheresis:
    """What was collected; every field has shape (n,).

    Attributes
    ----------
    cd3 : ndarray
        CD3-positive cells of all days of collection.
    days : ndarray of int
        Days of collection, 1 or 2.
    volume, blood_volume : ndarray
        Blood processed in all and the patient's blood volume, L.
    efficiency : ndarray
        Collection efficiency CE2 (collected over presented), mean of the days.
    blast_share : ndarray
        Blasts among blasts and lymphocytes of the blood.
    failed : ndarray of bool
    reason : ndarray of str
        "" where it did not fail.
    """

    cd3: Floats
    days: NDArray[np.int64]
    volume: Floats
    blood_volume: Floats
    efficiency: Floats
    blast_share: Floats
    failed: NDArray[np.bool_]
    reason: NDArray[np.str_]


def expected_yield(cd3: ArrayLike, volume: ArrayLike, efficiency: ArrayLike) -> Floats:
    """Cells collected from blood of ``cd3`` cells/uL, ``volume`` L processed, at efficiency CE2."""
    return (
        np.asarray(cd3, dtype=float) * UL_PER_L * np.asarray(volume, dtype=float) * np.asarray(efficiency, dtype=float)
    )


def volume_needed(target: ArrayLike, cd3: ArrayLike, efficiency: ArrayLike) -> Floats:
    """Blood to process (L) for ``target`` cells from ``cd3`` cells/uL at efficiency CE2."""
    return np.asarray(target, dtype=float) / (
        np.asarray(cd3, dtype=float) * UL_PER_L * np.asarray(efficiency, dtype=float)
    )


def collection_efficiency(
    cells: ArrayLike, before: ArrayLike, volume: ArrayLike, after: ArrayLike | None = None
) -> Floats:
    """Collection efficiency from counts (cells/uL) and volume (L, without anticoagulant).

    Without ``after`` CE2, over the count before; with it CE1, over the mean of the counts before and after.
    """
    count = np.asarray(before, dtype=float)
    if after is not None:
        count = (count + np.asarray(after, dtype=float)) / 2
    return np.asarray(cells, dtype=float) / (count * np.asarray(volume, dtype=float) * UL_PER_L)


def collect(patient: Patient, product: Product, seed: int) -> tuple[Apheresis, tuple[str, ...]]:
    """Collect T cells: one day, and a second one where the first gave too few.

    Parameters
    ----------
    patient : Patient
        n patients.
    product : Product
        Its process may set minimum and second-day limits.
    seed : int

    Returns
    -------
    Apheresis
    notes : tuple of str
    """
    v = process_of(product).values
    blood = total_blood_volume(patient)
    total = patient.circulating_blasts + patient.lymphocytes
    blasts = np.divide(patient.circulating_blasts, total, out=np.zeros(patient.count), where=total > 0)
    efficiency, volume = [], []
    for day in (1, 2):
        purpose = f"leukapheresis, day {day}"
        times = (
            v.volumes_low
            + (v.volumes_high - v.volumes_low) * uniforms(seed, f"{purpose}: volume", patient.number)[:, 0]
        )
        volume.append(times * blood)
        share = scattered_share(
            v.collection_efficiency, v.collection_efficiency_sd, patient.number, seed, f"{purpose}: efficiency"
        )
        efficiency.append(share * (1 - v.blast_interference * blasts))
    first, second = (expected_yield(patient.cd3, litres, share) for litres, share in zip(volume, efficiency))
    again = first < v.second_day_below
    cells = np.where(again, first + second, first)
    processed = np.where(again, volume[0] + volume[1], volume[0])
    failed = cells < v.cd3_minimum
    apheresis = Apheresis(
        cells, np.where(again, 2, 1), processed, blood,
        np.where(again, (efficiency[0] + efficiency[1]) / 2, efficiency[0]), blasts, failed,
        np.where(failed, "too few T cells collected", ""),
    )  # fmt: skip
    notes = []
    if again.any():
        notes.append(
            f"second day of leukapheresis for {int(again.sum())} of {patient.count} "
            f"(below {v.second_day_below:.2g} CD3 cells)"
        )
    if failed.any():
        notes.append(
            f"too few T cells collected from {int(failed.sum())} of {patient.count} (below {v.cd3_minimum:.2g})"
        )
    return apheresis, tuple(notes)
