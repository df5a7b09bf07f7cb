"""The door of a journey: what ``simulate`` is given, checked before anything is computed.

Each refusal is one sentence with the field, what was found, what was expected and, where it is not plain, the remedy.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from vein2vein.arguments import choice, flag, mapping_of, name_or_path, number, of_kind, refusal
from vein2vein.clinic.care.management import Policy, read_policy
from vein2vein.engine.run import BACKENDS
from vein2vein.errors import InputError, unknown
from vein2vein.parameters import ParameterSet
from vein2vein.records import axes
from vein2vein.therapy.disease import FIELDS
from vein2vein.therapy.dose import Dose, Later
from vein2vein.therapy.infusion import read_requested_dose
from vein2vein.therapy.laws import Law
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import Product, Regimen, find_product
from vein2vein.therapy.visits import Plan, read_plan, up_to_end
from vein2vein.therapy.vocabulary import ANTIGENS, DENSITY, LOG_SD, LONGEST
from vein2vein.therapy.waiting import law_fault
from vein2vein.variants import Variants
from vein2vein.virtual.assay import Assay
from vein2vein.virtual.constants import Constants, bundled

ABOVE_ZERO = ("weight", "height")
UNITS = {"age": "years", "weight": "kg", "height": "cm", "creatinine_clearance": "mL/min", "burden": "e6/kg"}
OPTIONAL = ("arm", "leukapheresis_day", "lymphodepletion_day")  # empty: not given
SHARE = 1.0
TIGHTEST, COARSEST = 1e-13, 1e-2  # relative errors per step: below is rounding, above no solution
DRAWN = 1000  # patients drawn to see whether a law is possible
DOSES = '"3.1e6/kg" or "1e8" viable CAR+ cells'


def check_patient(patient: object, overlay: object = None) -> Patient:
    """Refuse patients whose facts cannot be: not finite, negative, or not one for each patient.

    Under several variants side by side a patient comes once under each.
    """
    expected = "a Patient, as read_patient and virtual_patients make them"
    found = of_kind("patient", patient, Patient, expected)
    name_or_path("patient.disease", found.disease, "the name of a disease")
    numbers = _array("patient.number", found.number)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or not numbers.size:
        raise InputError("found no patient, expected an array of whole numbers, one for each.", field="patient.number")
    pairs = np.stack([numbers, overlay.of if _fits(overlay, numbers.shape) else np.zeros_like(numbers)])
    if np.unique(pairs, axis=1).shape[1] < len(numbers) or int(numbers.min()) < 0:
        text = "found a number twice or below 0, expected one of its own for each patient: their luck goes by it."
        raise InputError(text, field="patient.number")
    for f in fields(found):
        if axes(found)[f.name] != "patient" or f.name in ("number", "antigens", "baseline"):
            continue
        values = _array(f"patient.{f.name}", getattr(found, f.name))
        if f.name in OPTIONAL and not values.size:
            continue
        if values.shape != numbers.shape:
            text = f"found {_sized(values)}, expected one value for each of {len(numbers)} patients."
            raise InputError(text, field=f"patient.{f.name}")
        if f.name in FIELDS:
            _check_facts(f"patient.{f.name}", values, UNITS.get(f.name, ""), above=f.name in ABOVE_ZERO)
    for part, of in (("antigens", "antigens"), ("baseline", "analytes")):
        expected = f"a mapping of {of} to one value for each patient"
        for name, value in mapping_of(f"patient.{part}", getattr(found, part), expected).items():
            here = f"patient.{part}[{name!r}]"
            if part == "antigens" and name not in ANTIGENS:
                raise InputError(unknown("antigen", str(name), ANTIGENS), field="patient.antigens")
            values = _array(here, value)
            if values.shape != numbers.shape:
                text = f"found {_sized(values)}, expected one value for each of {len(numbers)} patients."
                raise InputError(text, field=here)
            _check_facts(here, values, "", unknown=True)
            if part == "antigens" and (values.astype(np.float64) > DENSITY).any():
                most = float(np.nanmax(values.astype(np.float64)))
                raise InputError(f"found {most:g}, expected at most {DENSITY:g} molecules per cell.", field=here)
    return found


def _array(name: str, value: object) -> NDArray[np.generic]:
    if not isinstance(value, np.ndarray):
        raise refusal(name, value, "an array with one value for each patient")
    return cast("NDArray[np.generic]", value)


def _sized(values: NDArray[np.generic]) -> str:
    return f"{values.size} of them" if values.ndim == 1 else f"an array of {values.ndim} dimensions"


def _check_facts(
    name: str, values: NDArray[np.generic], unit: str, *, above: bool = False, unknown: bool = False
) -> None:
    if values.dtype.kind not in "fiub":
        raise InputError(f"found values of the type {values.dtype}, expected numbers.", field=name)
    numbers = values.astype(np.float64)
    wrong = ~np.isfinite(numbers) | (numbers <= 0 if above else numbers < 0)
    if unknown:
        wrong &= ~np.isnan(numbers)
    if wrong.any():
        least = "above 0" if above else "of 0 or more"
        of = f"a number{f' of {unit}' if unit else ''} {least}".replace(" of 0 or", ", 0 or")
        place = f" for patient {int(np.flatnonzero(wrong)[0])} in the order given" if values.size > 1 else ""
        raise InputError(f"found {numbers[wrong][0]:g}{place}, expected {of}; correct it.", field=name)


def check_product(product: object) -> Product:
    """A product, or the one of a name or path."""
    if isinstance(product, Product):
        return product
    return find_product(name_or_path("product", product, "a product, its name, or the path of a card"))


def check_policy(policy: object) -> Policy:
    """A policy, or the one of a name or path."""
    if isinstance(policy, Policy):
        return policy
    return read_policy(name_or_path("policy", policy, "a policy, its name, or the path of a card"))


def check_plan(plan: object) -> Plan:
    """A plan of visits that can be followed, without those after the end of follow-up, or the usual one."""
    if plan is None:
        return read_plan()
    found = of_kind("plan", plan, Plan, "a Plan, as read_plan makes it, or None for the usual visits")
    for name in ("disease_visits", "kinetics_samples"):  # all else a Plan checks where it is made
        listed: object = getattr(found, name)
        if not isinstance(listed, tuple):
            raise refusal(f"plan.{name}", listed, "a tuple of days, in order")
    return up_to_end(found)


def check_dose(dose: object) -> Dose | None:
    """A dose asked for, read; None: the label's rule."""
    if dose is None:
        return None
    if not isinstance(dose, str | Dose):
        raise refusal("dose", dose, f"text such as {DOSES}, or None for the label's rule")
    asked = read_requested_dose(dose)
    if asked is not None:
        _check_cells("dose", asked)
        for i, given in enumerate(asked.later):
            one = of_kind(f"dose.later[{i}]", given, Later, "a Later")
            number(f"dose.later[{i}].day", one.day, low=1.0, unit="days")
            number(f"dose.later[{i}].share", one.share, low=0.0, high=SHARE)
            flag(f"dose.later[{i}].conditioned", one.conditioned)
            _check_cells(f"dose.later[{i}].dose", of_kind(f"dose.later[{i}].dose", one.dose, Dose, "a Dose"))
    return asked


def _check_cells(name: str, dose: Dose) -> None:
    cells = number(name, dose.cells, low=0.0, unit="viable CAR+ cells")
    flag(f"{name}.per_kg", dose.per_kg)
    number(f"{name}.sd", dose.sd, low=0.0, high=LOG_SD)
    if dose.most == dose.most:  # NaN: none
        number(f"{name}.most", dose.most, low=cells, unit="viable CAR+ cells")


def check_regimen(regimen: object) -> str | Regimen:
    """A lymphodepletion regimen or its name."""
    if not isinstance(regimen, str | Regimen):
        raise refusal("regimen", regimen, 'a name, a Regimen, "none", or "" for the usual one')
    return regimen


def _fits(overlay: object, shape: tuple[int, ...]) -> TypeGuard[Variants]:
    return isinstance(overlay, Variants) and overlay.of.shape == shape


def check_overlay(overlay: object, count: int = 0) -> ParameterSet | Variants | None:
    """A variant of the model's numbers, or which of several holds for each patient, or none."""
    if overlay is None:
        return None
    if isinstance(overlay, Variants):
        if overlay.of.shape != (count,) or not np.isin(overlay.of, np.arange(len(overlay.sets))).all():
            text = "found variants that do not say for each patient which one holds, expected a place of each (n,)."
            raise InputError(text, field="overlay")
        return overlay
    return of_kind("overlay", overlay, ParameterSet, "a ParameterSet, as read_parameters makes it, or None")


def check_tolerance(tolerance: object, usual: float) -> float:
    """The relative error per step of the solver; the usual one for None."""
    if tolerance is None:
        return usual
    return number("tolerance", tolerance, low=TIGHTEST, high=COARSEST)


def check_constants(constants: object) -> Constants:
    """Constants of what virtual patients show; the bundled ones for None."""
    if constants is None:
        return bundled()
    return of_kind("constants", constants, Constants, "Constants, as vein2vein.virtual.constants makes them, or None")


def check_waiting_law(law: object) -> Law | None:
    """A trial's own law of the days from collection to infusion, or none."""
    if law is None:
        return None
    found = of_kind("waiting_law", law, Law, "a Law of days, or None")
    if fault := law_fault(found, np.arange(DRAWN), LONGEST):
        raise InputError(fault[1], field=".".join(("waiting_law", fault[0])) if fault[0] else "waiting_law")
    return found


def check_share(name: str, share: object) -> Law | float | None:
    """A share, or the law of one, or none."""
    if share is None:
        return None
    if not isinstance(share, Law):
        return number(name, share, low=0.0, high=SHARE)
    if share.kind != "bernoulli":
        raise InputError(f"found {share.kind}, expected bernoulli with a probability.", field=f"{name}.law")
    return share


def check_transplant(transplant: object) -> tuple[float, float, float]:
    """Share of remissions that are transplanted, first and last day."""
    expected = "a tuple (share, first day, last day)"
    if not isinstance(transplant, tuple):
        raise refusal("transplant", transplant, expected)
    listed = cast("tuple[object, ...]", transplant)
    if len(listed) != len(("share", "first", "last")):
        raise InputError(f"found {len(listed)} values, expected {expected}.", field="transplant")
    share = number("transplant", listed[0], low=0.0, high=SHARE)
    first, last = (number("transplant", day, low=0.0, unit="days") for day in listed[1:])
    if first > last:
        raise InputError(f"found {first:g} to {last:g}, expected a first day before the last.", field="transplant")
    return share, first, last


def check_assays(assays: object) -> dict[str, Assay]:
    """A trial's own assays by analyte."""
    if assays is None:
        return {}
    found: dict[str, Assay] = {}
    for name, assay in mapping_of("assays", assays, "a mapping of analytes to Assay, or None").items():
        if not isinstance(name, str):
            raise refusal("assays", name, "names of analytes")
        found[name] = of_kind(f"assays[{name!r}]", assay, Assay, "an Assay")  # its numbers it checks where it is made
    return found


def check_backend(backend: object) -> str:
    """A solver that can follow a treatment day by day."""
    return choice("backend", backend, BACKENDS)
