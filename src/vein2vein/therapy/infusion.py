"""Infusion: the dose by the label's weight rule, checked, and given on day 0 (in parts where the label says so)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError
from vein2vein.randomness import normals, uniforms
from vein2vein.records import by_patient
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.dose import Dose, Later, requested_cells
from vein2vein.therapy.manufacturing import process
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import Product, dose_range, find_indication, process_of
from vein2vein.therapy.release import OUT_OF_SPECIFICATION, Lot, label_limits, within_label
from vein2vein.therapy.vocabulary import LOG_SD, LONGEST
from vein2vein.units import read_dose

Floats = NDArray[np.float64]
PERCENT = 100


@by_patient()
@dataclass(frozen=True)
class Infusion:
    """What was infused; arrays have shape (n,).

    Attributes
    ----------
    doses : tuple of (day, ndarray)
        Viable CAR-positive cells on each day; day 0 is the first infusion, later ones may have been asked for.
    cells : ndarray
        Sum of the doses of the treatment, without later infusions that were asked for; 0 where nothing was infused.
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


_LATER = re.compile(
    r"(?:for (?P<share>[^ %]+) ?% )?on day (?P<day>[^ :]+)(?P<again> after lymphodepletion)?: ?(?P<dose>.+)"
)
_SPREAD = re.compile(r"sd (?P<sd>[^ ]+) around (?P<dose>.+)")
_GRAMMAR = (
    "'3.1e6/kg' or '1e8'; drawn for each patient as '1e6 to 3e6/kg' or 'sd 0.3 around 2e6/kg'; with a further infusion "
    "as '1e8, then for 50 % on day 28: 5e7' or '1e8, then on day 90 after lymphodepletion: 1e8'"
)


def read_requested_dose(text: str | Dose | None) -> Dose | None:
    """Read a dose such as "3.1e6/kg" or "1e8"; None: the label's.

    "1e6 to 3e6/kg" is drawn evenly for each patient, "sd 0.3 around 2e6/kg" log-normally (sd of ln); what follows
    ", then " is a further infusion of the same lot: "1e8, then for 50 % on day 28: 5e7", or with lymphodepletion again
    "1e8, then on day 90 after lymphodepletion: 1e8".

    Raises
    ------
    InputError
        It says something else: what can be said.
    """
    if text is None or isinstance(text, Dose):
        return text
    first, *later = (part.strip() for part in str(text).split(", then "))
    return replace(_one_dose(first), later=tuple(_later(part) for part in later))


def _one_dose(text: str) -> Dose:
    if spread := _SPREAD.fullmatch(text):
        sd, around = _number(spread["sd"], "the spread", 0.0, LOG_SD), _one_dose(spread["dose"])
        if around.sd or not math.isnan(around.most):
            raise InputError(f"found the dose '{text}', which is drawn twice; expected one number after 'around'.")
        return replace(around, sd=sd)
    if " to " in text:
        low, high = text.split(" to ", 1)
        cells, per_kg = _cells(high)
        least, own = _cells(low)
        if (own and not per_kg) or not least <= cells:
            raise InputError(f"found the dose '{text}', expected the lower end first and one unit, as '1e6 to 3e6/kg'.")
        return Dose(least, per_kg, most=cells)
    try:
        cells, per_kg = _cells(text)
    except InputError:
        if "," in text:  # a list, and so more than an amount: what may follow one is said
            raise InputError(f"found the dose '{text}', expected {_GRAMMAR}.") from None
        raise
    return Dose(cells, per_kg)


def _cells(text: str) -> tuple[float, bool]:
    cells, per_kg = read_dose(text)
    if not 0 <= cells < math.inf:
        raise InputError(f"found the dose '{text}', expected a number of cells above 0 such as '3.1e6/kg' or '1e8'.")
    return cells, per_kg


def _later(text: str) -> Later:
    told = _LATER.fullmatch(text)
    if told is None:
        raise InputError(f"found the further infusion '{text}', expected a dose as {_GRAMMAR}.")
    share = 1.0 if told["share"] is None else _number(told["share"], "the share", 0.0, PERCENT) / PERCENT
    day = _number(told["day"], "the day", 1.0, LONGEST)
    return Later(day, share, _one_dose(told["dose"]), told["again"] is not None)


def _number(text: str, what: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise InputError(f"found {what} '{text}' in the dose, expected {low:g} to {high:g}.")
    return value


def drawn_dose(dose: Dose, patient: Patient, seed: int, purpose: str = "dose") -> Dose:
    """A dose with each patient's own cells, shape (n,), and further infusions of 0 for those who get none."""
    luck = uniforms(seed, purpose, patient.number, 2)
    cells = np.broadcast_to(np.asarray(dose.cells, dtype=float), (patient.count,))
    if not math.isnan(dose.most):
        cells = cells + (dose.most - cells) * luck[:, 0]
    elif dose.sd:
        widest = process().values.dose_spread_most
        cells = cells * np.exp(dose.sd * np.clip(normals(seed, purpose, patient.number)[:, 0], -widest, widest))
    later: list[Later] = []
    for i, one in enumerate(dose.later):
        own = drawn_dose(one.dose, patient, seed, f"{purpose}, then {i + 1}")
        chosen = uniforms(seed, f"{purpose}, who then {i + 1}", patient.number)[:, 0] < one.share
        later.append(replace(one, dose=replace(own, cells=np.where(chosen, own.cells, 0.0))))
    return Dose(cells, dose.per_kg, later=tuple(later))


def _ends(dose: Dose) -> tuple[float, float]:
    """The least and the most that is drawn of a dose."""
    if not math.isnan(dose.most):
        return float(dose.cells), dose.most
    widest = math.exp(dose.sd * process().values.dose_spread_most)
    return float(dose.cells) / widest, float(dose.cells) * widest


def check_dose(
    dose: Dose, patient: Patient, product: Product, *, seed: int = 0, end: float = math.inf
) -> tuple[str, ...]:
    """Check a dose asked for against the label, and its further infusions against the end of follow-up (day).

    What is drawn is refused by its ends, and not by the luck of these patients.

    Returns
    -------
    notes : tuple of str
        A dose outside of the label's range is said so.

    Raises
    ------
    InputError
        The dose is far outside of anything that a label or a trial gave: the allowed range.
    """
    indication, labelled = find_indication(product, patient.disease)
    low, _, high = dose_range(indication.dose, patient.weight)
    scale = patient.weight if dose.per_kg else np.ones(patient.count)
    unit = "/kg" if dose.per_kg else ""
    if np.ndim(dose.cells) == 0:
        for one in dose.later:
            if one.day >= end:
                text = f"found an infusion on day {one.day:g}, but follow-up ends on day {end:g}; "
                raise InputError(text + "leave it out, or follow longer.", field="dose")
        for one in (dose, *(one.dose for one in dose.later)):
            _refuse_absurd(one, patient, product)
        dose = drawn_dose(dose, patient, seed)
    given = np.asarray(dose.cells, dtype=float)
    cells = requested_cells(dose, patient.weight)
    outside = ~within_label(cells, product, indication, patient.weight)
    if not labelled or not outside.any():
        return ()
    i = int(np.flatnonzero(outside)[0])
    whom = "" if patient.count == 1 else f" for {int(outside.sum())} of {patient.count} patients"
    return (
        f"dose {given[i]:.3g}{unit} is outside of the label of {product.title}{whom}: "
        f"{low[i] / scale[i]:.3g}{unit} to {high[i] / scale[i]:.3g}{unit}",
    )


def _refuse_absurd(dose: Dose, patient: Patient, product: Product) -> None:
    v = process_of(product).values
    low, _, high = dose_range(find_indication(product, patient.disease)[0].dose, patient.weight)
    least, most = low / v.refuse_below, high * v.refuse_above
    scale = patient.weight if dose.per_kg else np.ones(patient.count)
    unit = "/kg" if dose.per_kg else ""
    for given in _ends(dose):
        wrong = ~((given * scale >= least) & (given * scale <= most))
        if wrong.any():
            i = int(np.flatnonzero(wrong)[0])
            times = given * scale[i] / high[i]
            factor = f", {times:.3g} times the highest label dose" if times > 1 else ""
            raise InputError(
                f"found a dose of {given:.3g}{unit} viable CAR+ cells{factor}; "
                f"expected {least[i] / scale[i]:.3g}{unit} to {most[i] / scale[i]:.3g}{unit} "
                f"(label: {low[i] / scale[i]:.3g}{unit} to {high[i] / scale[i]:.3g}{unit}).",
                field="dose",
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
    lot holds it, in or out of the label: ``check_dose`` is asked once, before anything is made.

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
    """
    notes = list(label_notes(patient, product))
    indication, _ = find_indication(product, patient.disease)
    if dose is None:
        cells = np.minimum(lot.dose, label_limits(product, indication, patient.weight)[1])
    else:
        dose = drawn_dose(dose, patient, 0) if np.ndim(dose.cells) == 0 else dose
        cells = np.minimum(requested_cells(dose, patient.weight), lot.available)
    given = ~lot.failed & (cells > 0)
    cells = np.where(given, cells, 0.0)
    partial = given & (cells < lot.dose)
    if partial.any():
        notes.append(f"{int(partial.sum())} of {patient.count} lots were given in part, to the highest label dose")
    within = given & within_label(cells, product, indication, patient.weight)
    odd = given & (lot.status == OUT_OF_SPECIFICATION)
    if odd.any():
        notes.append(f"{int(odd.sum())} of {patient.count} patients received a lot out of specification")
    doses, said = _with_later(_parts(cells, patient, product), cells, dose, lot, patient)
    notes += said
    infusion = Infusion(
        doses, cells, cells / patient.weight, given, partial, within, ~given,
        np.where(given, "", np.where(lot.reason == "", "no product", lot.reason)),
    )  # fmt: skip
    return infusion, tuple(notes)


def _with_later(
    doses: tuple[tuple[float, Floats], ...], cells: Floats, dose: Dose | None, lot: Lot, patient: Patient
) -> tuple[tuple[tuple[float, Floats], ...], list[str]]:
    """The doses with further infusions, as far as the lot holds them, of those who had the first."""
    found, notes, left = list(doses), list[str](), lot.available - cells
    for one in dose.later if dose else ():
        day, asked = one.day, np.where(cells > 0, requested_cells(one.dose, patient.weight), 0.0)
        amount = np.clip(np.minimum(asked, left), 0.0, None)
        left = left - amount
        found.append((day, amount))
        without = "" if one.conditioned else ", without lymphodepletion: a host that has recovered may reject the cells"
        who = f"{int((amount > 0).sum())} of {patient.count}"
        notes.append(f"a further infusion is planned on day {day:g} for {who}{without}")
        if short := int((amount < asked).sum()):
            notes.append(
                f"{short} lots hold fewer cells than the infusion on day {day:g} asks for; all of them are given"
            )
    return tuple(found), notes


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
