"""What the papers of a referral tell: the letter's facts, label criteria, records, lists of centers. No page yet."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vein2vein.analytes import all_analytes
from vein2vein.card_reading import read
from vein2vein.cards import Card, parse_card
from vein2vein.clinic.care.eligibility import NOT_MET, asked_at, last_given
from vein2vein.clinic.care.label_card import find_label
from vein2vein.clinic.care.labels import LabelVerdict, disease_title, judge_labels, label_patient, readable
from vein2vein.declared import fields_of
from vein2vein.errors import InputError
from vein2vein.explain.languages import find_language
from vein2vein.therapy.antigens import word_of
from vein2vein.therapy.disease import Disease, find_disease
from vein2vein.therapy.history import History
from vein2vein.therapy.patient import PAPERS_LACK, Patient, patient_from_card
from vein2vein.therapy.patient_card import patient_card, titles
from vein2vein.therapy.patient_notes import without_typical
from vein2vein.therapy.product import Product, find_product
from vein2vein.therapy.referral import RECORDS, Referral

PERFORMANCE = ("ecog", "karnofsky", "lansky")


@dataclass(frozen=True)
class Fact:
    """A row of the letter; an empty value is to be obtained."""

    title: str
    value: str


class Told(NamedTuple):
    """A fact of the patient as the card gives it: None where it does not."""

    path: str
    title: str
    value: bool | float | None
    unit: str


@dataclass(frozen=True)
class Case:
    """One patient's referral.

    Attributes
    ----------
    card : Card
    patient : Patient
        n = 1; what the card does not give is assumed in it, so that nothing is told from it but what is known.
    told : object
        The declared record of the card: what was given, None or "" for all else.
    last_given : mapping of drug to float
        Days from the last dose to the planned collection.
    referral : Referral
    disease : Disease
        Whose facts the card has.
    title : str
        The disease in print.
    labels : tuple of LabelVerdict
        Criteria of each label, met, not met or unknown, and what would settle it.
    products : tuple of Product
        Those of the labels of which no criterion is known not to be met.
    """

    card: Card
    patient: Patient
    told: Any
    last_given: Mapping[str, float]
    referral: Referral
    disease: Disease
    title: str
    labels: tuple[LabelVerdict, ...]
    products: tuple[Product, ...]


@cache
def texts() -> Card:
    """The card with the rows of the letter, the lists of centers and the codes."""
    return parse_card(Path(__file__).with_name("refer.toml").read_text(encoding="utf-8"), "refer.toml")


def case_of(card: Card, on: datetime.date, product: Product | None = None) -> tuple[Case, tuple[str, ...]]:
    """Read a patient's card for a referral.

    Parameters
    ----------
    card : Card
    on : date
        The day on which a label must be in force.
    product : Product, optional
        The only one that the papers speak of; default: every product with a label.

    Returns
    -------
    Case
    notes : tuple of str
        What is unusual.

    Raises
    ------
    InputError
        As ``patient_from_card``; a product without a label.
    """
    told_to_model, given = readable(card), last_given(card)
    patient, notes = patient_from_card(told_to_model, may_lack=PAPERS_LACK)
    told = read(told_to_model, patient_card(frozenset(PAPERS_LACK)))
    asked = label_patient(card)
    verdicts = judge_labels(asked, [find_label(product.name)] if product else None, on=on)
    possible = tuple(find_product(one.product) for one in verdicts if one.uses and one.state != NOT_MET)
    title = disease_title(asked.disease)
    disease = find_disease(patient.disease)
    case = Case(card, patient, told, given, told.referral or Referral(), disease, title, verdicts, possible)
    if case.referral.language:
        try:
            find_language(case.referral.language)
        except InputError as problem:
            raise card.error(("referral", "language"), problem.text) from None
    lacks = [f"{name} is not given: the papers show it as to obtain" for name in PAPERS_LACK if not getattr(told, name)]
    if case.referral.measured > on.isoformat():
        lacks.append(f"the values are dated {case.referral.measured}, after {on}: check the date")
    return case, (*lacks, *without_typical(notes))


def who(case: Case) -> list[Fact]:
    """Who the patient is."""
    height = "" if case.told.height is None else f"{case.told.height:g} cm"
    weight = "" if case.told.weight is None else f"{case.told.weight:g} kg"
    return [
        Fact("name", case.told.name),
        Fact("age at collection", f"{case.told.age:g} years"),
        Fact("sex", case.told.sex),
        Fact("weight", weight),
        Fact("height", height),
        Fact("lives in", case.referral.home),
        Fact("adult who stays along", case.referral.helper),
        Fact("contact", case.referral.navigator),
    ]


def course(case: Case) -> list[Fact]:
    """The disease so far in sentences: diagnosis, each line of treatment, how things are now."""
    treatments = [Fact(f"line {i}", line) for i, line in enumerate(case.referral.treatments, 1)]
    return [
        Fact("diagnosis", case.title),
        Fact("found", case.referral.found),
        *(treatments or [Fact("treatments with dates, drugs and best response", "")]),
        Fact("state now", case.referral.state),
    ]


def history(case: Case) -> list[Fact]:
    """Facts of the disease and of what was done."""
    facts = [Fact(one.title, _shown(one.value, one.unit)) for one in (*asked_by_labels(case), *rows(case))]
    return [*facts, *_antigens(case), *_last_doses(case)]


def values(case: Case) -> list[Fact]:
    """Laboratory values and other measurements: those that a center reads first, then what else the card gives."""
    given = _baseline(case)
    names = dict.fromkeys([*texts().texts("values", "names"), *given])
    day = Fact("measured on", case.referral.measured)
    age = np.atleast_1d(float(case.told.age))
    scales = [all_analytes()[name].title.split()[0] for name in PERFORMANCE if asked_at(name, age).all()]
    wanted = f"performance status ({' or '.join(scales)})" if scales else ""
    state = [Fact(wanted, "")] if wanted and not set(PERFORMANCE) & set(given) else []
    return [day, *state, *(Fact(all_analytes()[name].title, _amount(name, given.get(name))) for name in names)]


def _baseline(case: Case) -> dict[str, float]:
    return {name: float(column[0]) for name, column in case.patient.baseline.items()}


def _amount(name: str, value: float | None) -> str:
    unit = all_analytes()[name].unit
    return "" if value is None else f"{value:g}" if unit == "1" else f"{value:g} {unit}"


def asked_by_labels(case: Case) -> Iterator[Told]:
    """What the card tells of what labels ask; what is missing stands with the criteria that need it."""
    for one in fields_of(History):
        value = getattr(case.told.history, one.name, None)
        if value is not None:
            yield Told(f"history.{one.name}", one.says.meaning, value, one.says.unit or "1")


def rows(case: Case) -> Iterator[Told]:
    """Facts of this kind of disease that the letter tells in any case."""
    known = titles("fields")
    for row in texts().tables("rows"):
        if case.disease.lineage not in row.get("lineages", [case.disease.lineage]):
            continue
        name = row["field"]
        title = row.get("title") or known[name]["title"]
        yield Told(name, title, getattr(case.told, name), known.get(name, {}).get("unit", "1"))


def _shown(value: bool | float | None, unit: str) -> str:
    shown = "" if value is None else ("yes" if value else "no") if isinstance(value, bool) else f"{value:g}"
    return shown if not shown or unit == "1" else f"{shown} {unit}"


def _antigens(case: Case) -> Iterator[Fact]:
    seen = [one for product in case.products for one in (product.target_a, product.target_b) if one]
    for name in dict.fromkeys([*seen, *case.told.antigens]):
        told = case.told.antigens.get(name)
        shown = "" if told is None else word_of(told) if isinstance(told, str) else f"{told:g} molecules per cell"
        yield Fact(antigen_title(name), shown)


def antigen_title(name: str) -> str:
    """What an antigen of the tumor is called."""
    return f"{name} on the tumor, newest sample"


def _last_doses(case: Case) -> Iterator[Fact]:
    if not case.last_given:
        yield Fact("last dose of each drug", "")
    for name, days in case.last_given.items():
        yield Fact(f"last dose of {name.replace('_', ' ')}", f"{days:g} days before the planned collection")


def records(case: Case) -> list[tuple[str, bool]]:
    """Records that centers ask for: (name, whether it is at hand)."""
    return [(name, name in case.referral.records) for name in RECORDS]


def examples() -> list[str]:
    """Centers that people know by name, in alphabetical order: examples, and no advice."""
    return sorted(texts().texts("centers", "examples"))


def finders(case: Case) -> tuple[list[str], str]:
    """Lists of centers by the names of the makers, in alphabetical order; and the one that no maker keeps."""
    known: Mapping[str, str] = texts().table("finders")
    return sorted({known[one.name] for one in case.products if one.name in known}), known["neutral"]
