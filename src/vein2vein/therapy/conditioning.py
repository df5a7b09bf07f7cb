"""Conditioning: lymphodepletion before the infusion, as dated doses in mg."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.records import by_patient
from vein2vein.therapy.dose import Dose
from vein2vein.therapy.patient import Patient, body_surface
from vein2vein.therapy.product import Product, Regimen, find_indication, find_regimen, process_of
from vein2vein.therapy.release import Lot

Floats = NDArray[np.float64]


@by_patient(none=("regimen", "title"))
@dataclass(frozen=True)
class Conditioning:
    """Lymphodepletion; arrays have shape (n,).

    Attributes
    ----------
    regimen, title : str
        Name of the regimen; its drugs in words.
    doses : tuple of (day, drug, ndarray)
        mg of each drug on each day before the infusion (or before a further one), by day; 0 where it is omitted. Drugs
        are treatment analytes.
    start : ndarray
        First day of lymphodepletion of each patient (the planned one where it is omitted).
    omitted : ndarray of bool
        White cells too low, or no product.
    failed : ndarray of bool
        Never: the step has no failure of its own.
    reason : ndarray of str
        Why it is omitted.
    """

    regimen: str
    title: str
    doses: tuple[tuple[float, str, Floats], ...]
    start: Floats
    omitted: NDArray[np.bool_]
    failed: NDArray[np.bool_]
    reason: NDArray[np.str_]


def conditioned_again(conditioning: Conditioning, dose: Dose | None) -> Conditioning:
    """Lymphodepletion again before further infusions that ask for it, of those who get them: the same doses."""
    found = list(conditioning.doses)
    for one in dose.later if dose else ():
        if one.conditioned:
            chosen = np.asarray(one.dose.cells, dtype=float) > 0
            found += [(one.day + day, drug, np.where(chosen, mg, 0.0)) for day, drug, mg in conditioning.doses]
    return replace(conditioning, doses=tuple(sorted(found, key=lambda one: one[:2])))


def given_per_area(conditioning: Conditioning, patient: Patient) -> dict[str, tuple[Floats, Floats]]:
    """By drug, what was given in all (mg per m2 of body surface) and the last day of it, each of shape (n,)."""
    surface = body_surface(patient.weight, patient.height)
    found: dict[str, tuple[Floats, Floats]] = {}
    for day, drug, mg in conditioning.doses:
        total, last = found.get(drug, (np.zeros(patient.count), np.zeros(patient.count)))
        found[drug] = total + mg / surface, np.where(mg > 0, day, last)
    return found


def lymphodeplete(
    patient: Patient, lot: Lot, product: Product, regimen: str | Regimen = "", white_cells: ArrayLike | None = None
) -> tuple[Conditioning, tuple[str, ...]]:
    """Give lymphodepletion: doses per m2 of body surface on the regimen's days.

    Parameters
    ----------
    patient : Patient
        A known first day of lymphodepletion moves the regimen.
    lot : Lot
        Without a product there is no conditioning.
    product : Product
    regimen : str or Regimen
        "" the usual one of the indication, "none", another by name, or a regimen of the caller's own.
    white_cells : array_like, shape (n,), optional
        10^9/L before conditioning; at or below the limit lymphodepletion is omitted. NaN: unknown, given.

    Returns
    -------
    Conditioning
    notes : tuple of str
    """
    v = process_of(product).values
    indication, _ = find_indication(product, patient.disease)
    chosen = regimen if isinstance(regimen, Regimen) else find_regimen(indication, regimen)
    count = np.asarray(patient.baseline.get("white_cells", np.nan) if white_cells is None else white_cells, dtype=float)
    count = np.broadcast_to(count, (patient.count,))
    few = count <= v.white_cells_omit
    omitted = lot.failed | few
    surface = body_surface(patient.weight, patient.height)
    first = min((day for drug in chosen.drugs for day in drug.days), default=0.0)
    known = patient.lymphodepletion_day if patient.lymphodepletion_day.size else np.full(patient.count, np.nan)
    shift = np.where(np.isnan(known), 0.0, known - first) if chosen.drugs else np.zeros(patient.count)
    doses: dict[tuple[float, str], Floats] = {}
    for drug in chosen.drugs:
        for day in drug.days:
            for moved in np.unique(shift):
                amount = np.where(omitted | (shift != moved), 0.0, drug.dose * surface)
                at = (day + float(moved), drug.name)
                doses[at] = doses.get(at, 0.0) + amount
    notes = list(chosen.unusual)
    weak = patient.creatinine_clearance < v.fludarabine_clearance
    if weak.any() and any(drug.name == "fludarabine" for drug in chosen.drugs):
        notes.append(
            f"fludarabine is given in full to {int(weak.sum())} of {patient.count} patients with a creatinine "
            f"clearance below {v.fludarabine_clearance:g} mL/min, in whom its label forbids it"
        )
    if few.any():
        notes.append(
            f"lymphodepletion omitted for {int(few.sum())} of {patient.count} "
            f"(white cells at or below {v.white_cells_omit:g} x 10^9/L)"
        )
    last = max((day for drug in chosen.drugs for day in drug.days), default=0.0)
    gap = -(last + shift)
    outside = (gap < indication.window_low) | (gap > indication.window_high)
    if chosen.drugs and outside.any():
        notes.append(
            f"infusion {gap[outside][0]:g} days after the last lymphodepletion dose; "
            f"the label of {product.title} gives {indication.window_low:g} to {indication.window_high:g}"
        )
    conditioning = Conditioning(
        chosen.name,
        ", ".join(f"{drug.name} {drug.dose:g} mg/m² x {len(drug.days)}" for drug in chosen.drugs) or "none",
        tuple((day, drug, mg) for (day, drug), mg in sorted(doses.items())), first + shift, omitted,
        np.zeros(patient.count, dtype=bool),
        np.where(lot.failed, "no product", np.where(few, "few white cells", "")),
    )  # fmt: skip
    return conditioning, tuple(notes)
