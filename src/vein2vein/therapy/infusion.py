"""Infusion: the dose by the label's weight rule, checked, and given on day 0 (in parts where the label says so)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError
from vein2vein.records import by_patient
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import Dose, Product, dose_range, find_indication, process_of, requested_cells
from vein2vein.therapy.release import OUT_OF_SPECIFICATION, Lot
from vein2vein.units import read_dose

Floats = NDArray[np.float64]


@by_patient()
@dataclass(frozen=True)
class Infusion:
    """What was infused; arrays have shape (n,).

    Attributes
    ----------
    doses : tuple of (day, ndarray)
        Viable CAR-positive cells on each day; day 0 is the first infusion.
    cells : ndarray
        Sum of the doses; 0 where nothing was infused.
    per_kg : ndarray
        The same per kg.
    given : ndarray of bool
    partial : ndarray of bool
        Only part of the lot was given, to stay within the label.
    within_label : ndarray of bool
        Within the label's dose range.
    failed : ndarray of bool
    reason : ndarray of str
    """

    doses: tuple[tuple[float, Floats], ...]
    cells: Floats
    per_kg: Floats
    given: NDArray[np.bool_]
    partial: NDArray[np.bool_]
    within_label: NDArray[np.bool_]
    failed: NDArray[np.bool_]
    reason: NDArray[np.str_]


def read_requested_dose(text: str | Dose | None) -> Dose | None:
    """Read a dose such as "3.1e6/kg" or "1e8"; None: the label's."""
    if text is None or isinstance(text, Dose):
        return text
    cells, per_kg = read_dose(text)
    return Dose(cells, per_kg)


def check_dose(dose: Dose, patient: Patient, product: Product) -> tuple[str, ...]:
    """Check a dose asked for against the label.

    Returns
    -------
    notes : tuple of str
        A dose outside of the label's range is said so.

    Raises
    ------
    InputError
        The dose is far outside of anything that a label or a trial gave: the allowed range.
    """
    v = process_of(product).values
    indication, labelled = find_indication(product, patient.disease)
    cells = requested_cells(dose, patient.weight)
    low, _, high = dose_range(indication.dose, patient.weight)
    least, most = low / v.refuse_below, high * v.refuse_above
    scale = patient.weight if dose.per_kg else np.ones(patient.count)
    unit = "/kg" if dose.per_kg else ""
    wrong = ~((cells >= least) & (cells <= most))
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        factor = f", {cells[i] / high[i]:.3g} times the highest label dose" if cells[i] > high[i] else ""
        raise InputError(
            f"found a dose of {dose.cells:.3g}{unit} viable CAR+ cells{factor}; "
            f"expected {least[i] / scale[i]:.3g}{unit} to {most[i] / scale[i]:.3g}{unit} "
            f"(label: {low[i] / scale[i]:.3g}{unit} to {high[i] / scale[i]:.3g}{unit}).",
            field="dose",
        )
    slack = np.where(low == high, v.dose_tolerance, 0.0)
    outside = (cells < low * (1 - slack)) | (cells > high * (1 + slack))
    if not labelled or not outside.any():
        return ()
    i = int(np.flatnonzero(outside)[0])
    whom = "" if patient.count == 1 else f" for {int(outside.sum())} of {patient.count} patients"
    return (
        f"dose {dose.cells:.3g}{unit} is outside of the label of {product.title}{whom}: "
        f"{low[i] / scale[i]:.3g}{unit} to {high[i] / scale[i]:.3g}{unit}",
    )


def label_notes(patient: Patient, product: Product) -> tuple[str, ...]:
    """What lies outside of the product's approved use: disease, age, lines."""
    indication, labelled = find_indication(product, patient.disease)
    if not labelled:
        return (
            f"{product.title} is not approved for {find_disease(patient.disease).title}; "
            f"dose and lymphodepletion of its use in {indication.name} are taken",
        )
    notes = []
    age = (patient.age < indication.age_low) | (patient.age >= indication.age_below)
    lines = patient.prior_lines < indication.lines_low
    for mask, text in (
        (age, "outside of the label's age range"),
        (lines, "with fewer earlier lines than the label asks for"),
    ):
        if mask.any():
            notes.append(f"{int(mask.sum())} of {patient.count} patients {text} of {product.title} ({indication.text})")
    return tuple(notes)


def infuse(lot: Lot, patient: Patient, product: Product, dose: Dose | None = None) -> tuple[Infusion, tuple[str, ...]]:
    """Infuse on day 0.

    Without a requested dose, a lot above the label's range is given in part. A requested dose is given as far as the
    lot holds it, in or out of the label, after ``check_dose``.

    Parameters
    ----------
    lot : Lot
    patient : Patient
    product : Product
    dose : Dose, optional

    Returns
    -------
    Infusion
    notes : tuple of str

    Raises
    ------
    InputError
        The requested dose is absurd.
    """
    notes = list(label_notes(patient, product))
    v = process_of(product).values
    indication, _ = find_indication(product, patient.disease)
    low, _, high = dose_range(indication.dose, patient.weight)
    slack = np.where(low == high, v.dose_tolerance, 0.0)
    if dose is None:
        cells = np.minimum(lot.dose, high * (1 + slack))
    else:
        notes += check_dose(dose, patient, product)
        cells = np.minimum(requested_cells(dose, patient.weight), lot.available)
    given = ~lot.failed & (cells > 0)
    cells = np.where(given, cells, 0.0)
    partial = given & (cells < lot.dose)
    if partial.any():
        notes.append(f"{int(partial.sum())} of {patient.count} lots were given in part, to the highest label dose")
    within = given & (cells >= low * (1 - slack)) & (cells <= high * (1 + slack))
    odd = given & (lot.status == OUT_OF_SPECIFICATION)
    if odd.any():
        notes.append(f"{int(odd.sum())} of {patient.count} patients received a lot out of specification")
    infusion = Infusion(
        _parts(cells, patient, product), cells, cells / patient.weight, given, partial, within, ~given,
        np.where(given, "", np.where(lot.reason == "", "no product", lot.reason)),
    )  # fmt: skip
    return infusion, tuple(notes)


def _parts(cells: Floats, patient: Patient, product: Product) -> tuple[tuple[float, Floats], ...]:
    """Doses by day: all on day 0, or split by the blasts in marrow where the label splits."""
    rule = find_indication(product, patient.disease)[0].dose
    if not rule.split_low:
        return ((0.0, cells),)
    full = find_disease(patient.disease).marrow_full
    high_burden = 100 * patient.burden / full > rule.split_border  # percent; no marrow disease: low
    days = sorted({day for day, _ in (*rule.split_low, *rule.split_high)})
    totals = [sum(amount for _, amount in part) for part in (rule.split_low, rule.split_high)]
    found = []
    for day in days:
        low, high = (
            sum(a for d, a in part if d == day) / total
            for part, total in zip((rule.split_low, rule.split_high), totals)
        )
        found.append((day, cells * np.where(high_burden, high, low)))
    return tuple(found)
