"""What a file says of the patients themselves: age, sex, height, weight, disease, product, time of the infusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from vein2vein import units
from vein2vein.errors import InputError
from vein2vein.io.record import names, times
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.record import Entry, Facts, Log, Moment
from vein2vein.io.record.values import NotANumber, parse_value
from vein2vein.therapy.course import Course
from vein2vein.therapy.disease import all_diseases
from vein2vein.therapy.product import all_products

OLDEST, TALLEST, SHORTEST = 120.0, 250.0, 30.0
LIGHTEST, HEAVIEST = 1.5, 350.0
ADULT = 18  # the adult card of B-ALL from this age on
B_ALL = "b_all"
_LIMITS = {"age": ("year", 0.0, OLDEST), "height": ("cm", SHORTEST, TALLEST), "weight": ("kg", LIGHTEST, HEAVIEST)}
WEIGHT = "weight"  # without a time, it is known of the patient as the age is
_MALE, _FEMALE = "male", "female"


@dataclass
class Known:
    """Facts of one patient while they are being read."""

    age: float = np.nan
    weight: float = np.nan
    height: float = np.nan
    sex: str = ""
    disease: str = ""
    product: str = ""
    infusion: Moment | None = None
    birth: Moment | None = None


def read_facts(entries: Sequence[Entry], mapping: TableMapping, labels: Sequence[str], log: Log) -> dict[str, Known]:
    """Facts of each patient; what is contradictory or implausible is set aside. The mapping's [patient] comes first."""
    known = {label: Known() for label in labels}
    given: dict[tuple[str, str], tuple[object, int]] = {}
    for name, text in mapping.patient.items():
        for label in labels:
            _take(known[label], Entry(label, None, name, text, "", 0, f"patient.{name}"), mapping, log, given)
    for entry in entries:
        if entry.name in names.FACTS or (entry.name == WEIGHT and entry.time is None):
            _take(known[entry.patient], entry, mapping, log, given)
    return known


def _take(
    known: Known, entry: Entry, mapping: TableMapping, log: Log, given: dict[tuple[str, str], tuple[object, int]]
) -> None:
    name, text = entry.name, str(entry.value).strip()
    if names.normal(text) in names.vocabulary().nothing and name != "infusion":
        return
    try:
        found = _fact(name, text, entry, mapping)
    except (NotANumber, times.NotATime, InputError) as problem:
        said = problem.text if isinstance(problem, InputError) else str(problem)
        log.aside(
            entry.line or None,
            entry.column or name,
            f"{name.replace('_', ' ')}: {said}",
            text,
            _expected(name),
            "correct it",
        )
        return
    key = (entry.patient, name)
    if key in given and given[key][0] != found:
        if given[key][1]:
            log.aside(
                entry.line,
                entry.column,
                f"a second value of {name.replace('_', ' ')}; the first is used",
                text,
                f"as in line {given[key][1]}",
                "keep the right one",
            )
        return
    given.setdefault(key, (found, entry.line))
    setattr(known, {"birth_date": "birth"}.get(name, name), found)


def _expected(name: str) -> str:
    if name in _LIMITS:
        unit, low, high = _LIMITS[name]
        return f"{low:g} to {high:g} {unit}"
    return {"sex": "male or female", "birth_date": "a date", "infusion": "a date or time"}.get(name, "text")


def _fact(name: str, text: str, entry: Entry, mapping: TableMapping) -> object:
    if name == "infusion":
        if isinstance(entry.time, date):
            return entry.time
        return times.parse_moment(text, mapping.date_order or None, mapping.date_format)
    if name == "birth_date":
        return times.parse_moment(text, mapping.date_order or None)
    if name in _LIMITS:
        unit, low, high = _LIMITS[name]
        found = parse_value(text, mapping.decimal or ".")
        value = units.convert(found.value, found.unit or entry.unit or unit, unit)
        if not low <= value <= high:
            raise InputError("out of its plausible range")
        return value
    if name == "sex":
        value = names.vocabulary().words["sex"].get(names.normal(text))
        if value is None:
            raise InputError("not known")
        return _MALE if value == 1 else _FEMALE
    return _card(name, text)


def _card(name: str, text: str) -> str:
    """The bundled card that a name means, else the text as it is."""
    cards = (
        {n: d.title for n, d in all_diseases().items()}
        if name == "disease"
        else {n: p.title for n, p in all_products().items()}
    )
    if name == "disease" and text == B_ALL:
        return text
    for card, title in cards.items():
        if names.normal(text) in (names.normal(card), names.normal(title)):
            return card
    return text[:80]


def facts_of(
    known: Sequence[Known],
    labels: Sequence[str],
    course: Course,
    zeros: Mapping[str, Moment],
    dated: tuple[bool, ...],
    log: Log,
) -> Facts:
    """Facts of n patients in the order of the course."""
    weight = np.array([_weight(course, i, k.weight) for i, k in enumerate(known)])
    age = np.array([_age(k, zeros.get(label)) for k, label in zip(known, labels)])
    diseases: list[str] = []
    for k, years in zip(known, age):
        name = k.disease
        if name == B_ALL:
            name = ("adult_b_all" if years >= ADULT else "pediatric_b_all") if np.isfinite(years) else ""
            log.note(f"B-cell acute lymphoblastic leukemia: the card {name or 'is not chosen without the age'}")
        diseases.append(name)
    return Facts(
        tuple(labels),
        age,
        weight,
        np.array([k.height for k in known]),
        tuple(k.sex for k in known),
        tuple(diseases),
        tuple(k.product for k in known),
        dated,
    )


def _weight(course: Course, i: int, given: float) -> float:
    row = course.dense("weight")[i]
    measured = np.flatnonzero(np.isfinite(row))
    if not measured.size:
        return given
    before = measured[course.days[measured] <= 0]
    return float(row[before[-1] if before.size else measured[0]])


def _age(known: Known, zero: Moment | None) -> float:
    if np.isfinite(known.age) or not isinstance(known.birth, date) or not isinstance(zero, date):
        return known.age
    days = (_date(zero) - _date(known.birth)).days
    return days / 365.25 if 0 <= days <= OLDEST * 366 else np.nan  # unit factor


def _date(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment
