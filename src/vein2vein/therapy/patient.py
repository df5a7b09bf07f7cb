"""Patient: one or many, before collection. Reads the card of one patient."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein import arguments
from vein2vein.card_reading import read
from vein2vein.cards import Card, read_card
from vein2vein.declared import Record, fields_of
from vein2vein.errors import InputError
from vein2vein.faults import number_fault
from vein2vein.records import by_patient
from vein2vein.therapy import laws, manufacturing
from vein2vein.therapy import vocabulary as words
from vein2vein.therapy.antigens import NEGATIVE, POSITIVE, UNIT, settle, word_of
from vein2vein.therapy.disease import FIELDS, Disease, all_diseases, find_disease, population_laws, unit_of
from vein2vein.therapy.patient_card import constant, limits_of, patient_card, patient_name, titles
from vein2vein.therapy.patient_notes import TYPICAL, age_of_others, without_density

__all__ = [
    "FLAGS", "PAPERS_LACK", "Patient", "body_surface", "example_patient_text", "limits_of", "make_patients",
    "not_given", "patient_from_card", "patient_name", "read_patient", "repeat", "select", "total_blood_volume",
]  # fmt: skip
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
PAPERS_LACK = ("weight",)
"""Needed by the model and not by a page, the papers of a referral or a label: shown there as to obtain."""
FLAGS = ("prior_hsct", "prior_blinatumomab", "prior_bcma", "kmt2a", "recent_anti_cd20", "fitness_prior")


def _nothing() -> Floats:
    return np.empty(0)


@by_patient(none=("disease", "known"))
@dataclass(frozen=True)
class Patient:
    """Patients at enrolment; every numeric field has shape (n,).

    Attributes
    ----------
    number : ndarray of int
        Patient numbers, from 0; the random streams are named by them.
    age, weight, height : ndarray
        Years, kg, cm.
    male : ndarray of bool
    disease : str
        Name of the disease card; of a card of the user's own, its path.
    prior_lines : ndarray
    prior_hsct, prior_blinatumomab, prior_bcma, kmt2a, recent_anti_cd20, fitness_prior : ndarray of bool
        ``prior_bcma``: any treatment against BCMA; ``recent_anti_cd20``: within six months;
        ``fitness_prior``: clofarabine or bendamustine within six months.
    burden : ndarray
        Tumor cells of the whole body, e6/kg.
    b_cells_per_kg : ndarray
        Normal B cells of the whole body, e6/kg.
    lymphocytes, circulating_blasts : ndarray
        10^9/L.
    cd3 : ndarray
        cells/uL.
    creatinine_clearance : ndarray
        mL/min, per 1.73 m2.
    antigens : mapping of antigen to ndarray
        Density on the tumor, molecules per cell; 0: the tumor lacks it; NaN or not in here: not known.
    baseline : mapping of analyte to ndarray
        Further measured values; NaN unknown.
    leukapheresis_day, lymphodepletion_day : ndarray
        Known days before the infusion (day 0); NaN: by the laws of the product and regimen.
    known : frozenset of str
        Fields that were given and not drawn; empty for virtual patients.
    arm : ndarray of str
        Arm of the trial; "" outside of trials with arms.
    """

    number: NDArray[np.int64]
    age: Floats
    weight: Floats
    height: Floats
    male: Flags
    disease: str
    prior_lines: Floats
    prior_hsct: Flags
    prior_blinatumomab: Flags
    prior_bcma: Flags
    kmt2a: Flags
    recent_anti_cd20: Flags
    fitness_prior: Flags
    burden: Floats
    b_cells_per_kg: Floats
    lymphocytes: Floats
    cd3: Floats
    circulating_blasts: Floats
    creatinine_clearance: Floats
    antigens: Mapping[str, Floats] = field(default_factory=dict)
    baseline: Mapping[str, Floats] = field(default_factory=dict)
    leukapheresis_day: Floats = field(default_factory=_nothing)
    lymphodepletion_day: Floats = field(default_factory=_nothing)
    known: frozenset[str] = frozenset()
    arm: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, dtype=str))

    @property
    def count(self) -> int:
        """How many patients."""
        return len(self.number)


def make_patients(
    numbers: ArrayLike,
    disease: str,
    values: Mapping[str, ArrayLike],
    *,
    baseline: Mapping[str, ArrayLike] | None = None,
    days: Mapping[str, ArrayLike] | None = None,
    known: frozenset[str] = frozenset(),
) -> Patient:
    """Make the record of n patients from values by field (scalars are spread over the patients).

    Parameters
    ----------
    numbers : array_like of int, shape (n,)
    disease : str
    values : mapping of field to array_like, shape () or (n,)
        Every field of ``disease.FIELDS``; the density (molecules per cell) of each antigen under its name, where it is
        known, 0 where the tumor lacks it. Further fields are ignored.
    baseline : mapping of analyte to array_like, optional
    days : mapping of "leukapheresis" or "lymphodepletion" to array_like, optional
    known : frozenset of str
    """
    ids = np.atleast_1d(np.asarray(numbers, dtype=np.int64))

    def column(value: ArrayLike, kind: Any = float) -> Any:
        return np.broadcast_to(np.asarray(value, dtype=kind), ids.shape).copy()

    columns = {name: column(values[name], bool if name in ("male", *FLAGS) else float) for name in FIELDS}
    densities = {name: column(values[name]) for name in words.ANTIGENS if name in values}
    for name, found in {**columns, **densities}.items():
        if not np.all(np.isfinite(found) & (found >= 0)):
            wrong = found[~(np.isfinite(found) & (found >= 0))][0]
            raise InputError(number_fault(float(wrong), unit_of(name), 0.0, endless=False), field=name)
    day = {name: column((days or {}).get(name, np.nan)) for name in ("leukapheresis", "lymphodepletion")}
    return Patient(
        number=ids, disease=disease, **columns, antigens=densities,
        baseline={name: column(v) for name, v in (baseline or {}).items()},
        leukapheresis_day=day["leukapheresis"], lymphodepletion_day=day["lymphodepletion"], known=known,
        arm=np.full(ids.shape, ""),
    )  # fmt: skip


def select(patient: Patient, index: ArrayLike) -> Patient:
    """Some of the patients, by position or mask."""
    pick = np.asarray(index)
    arrays = {
        f.name: getattr(patient, f.name)[pick]
        for f in fields(patient)
        if isinstance(getattr(patient, f.name), np.ndarray) and getattr(patient, f.name).size == patient.count
    }
    held = {part: {name: v[pick] for name, v in getattr(patient, part).items()} for part in ("antigens", "baseline")}
    return replace(patient, **arrays, **held)


def repeat(patient: Patient, count: int) -> Patient:
    """The same patient ``count`` times, numbered from 0: equal in every fact, each with luck of its own."""
    if patient.count != 1:
        raise ValueError(f"repeat takes one patient; found {patient.count}")
    return replace(select(patient, np.zeros(count, dtype=int)), number=np.arange(count))


def body_surface(weight: ArrayLike, height: ArrayLike) -> Floats:
    """Body surface in m2 after Mosteller, from weight (kg) and height (cm)."""
    number = manufacturing.process().values.mosteller
    return np.sqrt(np.asarray(weight, dtype=float) * np.asarray(height, dtype=float) / number)


def total_blood_volume(patient: Patient) -> Floats:
    """Total blood volume in L, shape (n,): Nadler's formulas in adults, a volume per kg in children."""
    v = manufacturing.process().values
    meters = patient.height / 100  # unit factor
    male = v.nadler_male_height * meters**3 + v.nadler_male_weight * patient.weight + v.nadler_male_constant
    female = v.nadler_female_height * meters**3 + v.nadler_female_weight * patient.weight + v.nadler_female_constant
    child = v.child_blood_volume * patient.weight / 1000  # unit factor
    return np.where(patient.age >= v.adult_from, np.where(patient.male, male, female), child)


def read_patient(path: str | Path) -> tuple[Patient, tuple[str, ...]]:
    """Read the card of one patient.

    Returns
    -------
    Patient
        n = 1; what the card does not give has the median of the disease's population.
    notes : tuple of str
        What is unusual, and what was assumed.

    Raises
    ------
    InputError
        A field is unknown, missing, in a wrong unit or out of its range: file, line, field and what was expected.
    """
    return patient_from_card(read_card(arguments.path_of("path", path)))


def patient_from_card(card: Card, *, may_lack: Collection[str] = ()) -> tuple[Patient, tuple[str, ...]]:
    """Make one patient from a card that was read; see ``read_patient``.

    Parameters
    ----------
    card : Card
    may_lack : collection of str
        Facts that the model needs and the caller does without: ``PAPERS_LACK``. Where the card lacks one
        it is not in ``known``, a typical value fills the record, and the caller must not tell it.
    """
    _refuse_birth_date(card)
    disease = _disease(card)
    told = read(card, patient_card(frozenset(may_lack)))
    notes: list[str] = []
    given: dict[str, float] = {}
    for name, limits in titles("fields").items():
        if (value := getattr(told, name)) is not None:
            given[name] = value
            notes += _unusual(limits, value)
    notes += age_of_others(disease, float(given["age"])) if "age" in given else []
    for fact in FLAGS:
        if (answer := getattr(told, fact)) is not None:
            given[fact] = float(answer)
    if told.sex:
        given["male"] = float(told.sex == "male")
    given = {**_derived(card, disease, given), **_densities(card)}
    days = _given(told.days)
    for name, limits in titles("days").items():
        notes += _unusual(limits, days[name]) if name in days else []
    baseline = _given(told.baseline)
    number = np.zeros(1, dtype=np.int64)
    values = laws.draw(population_laws(disease), number, 0, known=given, typical=True)
    settle(values, disease.antigens, number, 0, known=given, own={}, selected=True)
    notes += without_density(card, disease, values)
    notes += _shape(values) if "weight" in given else []
    silent = {*given, *may_lack}
    assumed = [name for name in (*FIELDS, *words.ANTIGENS) if name in values and name not in silent]
    if assumed:
        shown = ", ".join(_in_words(name, float(values[name][0])) for name in assumed)
        notes.append(f"{TYPICAL} {disease.title} used: {shown}")
    made = make_patients(number, disease.found_by, values, baseline=baseline, days=days, known=frozenset(given))
    return made, tuple(notes)


def not_given(patient: Patient) -> tuple[str, ...]:
    """Facts that the card of a patient did not give, in words and without the values that fill the record."""
    names = [*FIELDS, *(name for name in words.ANTIGENS if name in patient.antigens)]
    return tuple("sex" if name == "male" else name for name in names if name not in patient.known)


def _in_words(name: str, value: float) -> str:
    if name == "male":
        return f"sex {'male' if value else 'female'}"
    if name in FLAGS:
        return f"{name} {'yes' if value else 'no'}"
    unit = unit_of(name)
    return f"{name} {value:.3g}{'' if unit == '1' else f' {unit}'}"


def _densities(card: Card) -> dict[str, float]:
    """Antigens on the tumor as the card tells them: molecules per cell; 0: "negative"; "positive" tells no density."""
    found: dict[str, float] = {}
    for name, value in card.table("antigens", default={}).items():
        at = ("antigens", name)
        word = word_of(value)
        if word in (NEGATIVE, POSITIVE):
            found |= {name: 0.0} if word == NEGATIVE else {}
            continue
        if word and not any(letter.isdigit() for letter in word):
            said = f'found {value!r}, expected "{POSITIVE}", "{NEGATIVE}", or a number of {UNIT}.'
            raise card.error(at, said)
        found[name] = float(card.number(*at, unit=UNIT, low=0.0, high=words.DENSITY))
    return found


def _refuse_birth_date(card: Card) -> None:
    for key in ("birth_date", "birthdate", "birthday", "date_of_birth", "dob", "age"):
        value = card.get(key, default=None)
        if value is not None and (key != "age" or re.match(r"\s*\d+[-./]\d+[-./]\d+", str(value))):
            raise card.error(
                (key,), "a date of birth is neither needed nor kept; give the age at collection, as in 'age = 15'."
            )


def _disease(card: Card) -> Disease:
    name = card.string("disease", default=None)
    if name is None:
        raise card.error(
            ("disease",), f"missing; expected one of {', '.join(all_diseases())}. Add the line 'disease = \"...\"'."
        )
    try:
        return find_disease(name)
    except InputError as problem:
        if problem.file and problem.line:
            raise
        raise card.error(("disease",), problem.text) from None


def _unusual(limits: Mapping[str, Any], value: float) -> list[str]:
    if limits["usual_low"] <= value <= limits["usual_high"]:
        return []
    unit = "" if limits["unit"] == "1" else f" {limits['unit']}"
    return [
        f"unusual {limits['title']}: {value:g}{unit} "
        f"(usually {limits['usual_low']:g} to {limits['usual_high']:g}{unit})"
    ]


def _derived(card: Card, disease: Disease, given: Mapping[str, float]) -> dict[str, float]:
    """Fields of the record from the ways in which a clinic states them."""
    values = dict(given)
    blasts, volume, b_cells = (
        values.pop("marrow_blasts", None),
        values.pop("metabolic_tumor_volume", None),
        values.pop("b_cells", None),
    )
    stated = [n for n in ("marrow_blasts", "metabolic_tumor_volume", "burden") if n in given]
    if len(stated) > 1:
        raise card.error((stated[1],), f"the tumor is given twice, as {' and '.join(stated)}; keep one of them.")
    if blasts is not None:
        if disease.lineage != "leukemia":
            raise card.error(
                ("marrow_blasts",),
                f"{disease.title} is not counted in marrow blasts; give metabolic_tumor_volume (mL) or burden (e6/kg).",
            )
        values["burden"] = max(blasts / 100, np.finfo(float).eps) * disease.marrow_full  # unit factor
    if volume is not None and disease.lineage == "leukemia":
        raise card.error(
            ("metabolic_tumor_volume",),
            f"{disease.title} is not measured by volume; give marrow_blasts (%) or burden (e6/kg).",
        )
    if volume is not None and "weight" in values:  # without a weight a volume says nothing per kg
        values["burden"] = volume * constant("cells_per_ml") / values["weight"] / 1e6  # unit factor
    share = values.get("cd3", 0.0) / 1000  # unit factor: cells/uL to 10^9/L
    if share > values.get("lymphocytes", np.inf) * constant("cd3_of_lymphocytes"):
        raise card.error(
            ("cd3",),
            f"found {values['cd3']:g} cells/uL, more T cells than all lymphocytes ({values['lymphocytes']:g} 10^9/L); "
            f"expected at most {1000 * values['lymphocytes']:g} cells/uL.",
        )
    whole = values.get("lymphocytes", np.inf) * constant("cd3_of_lymphocytes")
    if b_cells is not None and share + b_cells / 1000 > whole:  # unit factor: cells/uL to 10^9/L
        with_t = f" together with {values['cd3']:g} T cells" if share else ""
        raise card.error(
            ("b_cells",),
            f"found {b_cells:g} cells/uL,{with_t} more than all lymphocytes ({values['lymphocytes']:g} 10^9/L); "
            f"expected at most {max(1000 * (values['lymphocytes'] - share), 0.0):g} cells/uL.",
        )
    if b_cells is not None:
        values["b_cells_per_kg"] = b_cells / constant("b_cells_per_ul")
    return values


def _given(part: Record | None) -> dict[str, float]:
    """Numbers that were given in a part of the card."""
    if part is None:
        return {}
    return {one.name: value for one in fields_of(type(part)) if (value := getattr(part, one.name)) is not None}


def _shape(values: Mapping[str, Floats]) -> list[str]:
    index = float(values["weight"][0] / (values["height"][0] / 100) ** 2)  # unit factor
    low, high = constant("body_mass_index_low"), constant("body_mass_index_high")
    return (
        []
        if low <= index <= high
        else [f"unusual body mass index {index:.3g} kg/m^2 (usually {low:g} to {high:g}); check weight and height"]
    )


def example_patient_text() -> str:
    """A commented card of one patient, for the user to change."""
    return Path(__file__).with_name("example_patient.toml").read_text(encoding="utf-8")
