"""What a file says of the patients themselves: age, sex, height, weight, disease, product, time of the infusion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import cast

import numpy as np

from vein2vein import units
from vein2vein.errors import InputError
from vein2vein.io.record import names, times
from vein2vein.io.record.births import Birth, read_birth
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.record import Entry, Facts, Log, Moment, plain
from vein2vein.io.record.values import NotANumber, parse_value
from vein2vein.therapy.course import Course
from vein2vein.therapy.disease import all_diseases
from vein2vein.therapy.product import all_products

INFUSION = "car_t_infusion"
OLDEST, TALLEST, SHORTEST = 120.0, 250.0, 30.0
LIGHTEST, HEAVIEST = 1.5, 350.0
LONGEST_TOLD = 160  # characters of a text that is shown as it stands
APART = 2.0  # years between the age as stated and as counted, from which it is told
ADULT = 18  # the adult card of B-ALL from this age on
B_ALL = "b_all"
LAST_SECOND = 0.99999  # of a day: 23:59:59
_LIMITS = {
    "age": ("year", 0.0, OLDEST),
    "height": ("cm", SHORTEST, TALLEST),
    "weight": ("kg", LIGHTEST, HEAVIEST),
    "clock": ("d", 0.0, LAST_SECOND),
}
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
    infusion: list[Moment] = field(default_factory=list["Moment"])  # as stated; the first of them is day 0
    birth: Birth | None = None
    clock: float = np.nan  # time of day of day 0, as a part of the day, in a record that counts days
    told: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])  # words, with their places
    weights: dict[float, None] = field(default_factory=dict[float, None])  # each told without a time, or contradicted


Given = dict[tuple[str, str], tuple[object, str]]


class FactReader:
    """Reads the facts of patients from one file after the other; what is contradictory or implausible is set aside."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.known = {label: Known() for label in labels}
        self._given: Given = {}

    def read(self, entries: Sequence[Entry], mapping: TableMapping, labels: Iterable[str], log: Log) -> None:
        """Facts of the entries of one file; its mapping's [patient] comes first, and holds for these patients of it."""
        for name, text in mapping.patient.items():
            for label in dict.fromkeys(labels):
                entry = Entry(label, None, name, text, "", 0, f"patient.{name}")
                if name in names.TOLD:
                    _tell(self.known[label], entry, log)
                else:
                    self._take(entry, mapping, log)
        for entry in entries:
            if entry.name in names.TOLD:
                _tell(self.known[entry.patient], entry, log)
            elif entry.name in names.FACTS or (entry.name == WEIGHT and entry.time is None):
                self._take(entry, mapping, log)

    def _take(self, entry: Entry, mapping: TableMapping, log: Log) -> None:
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
                "write the year with four digits" if "century" in said else "correct it",
                INFUSION if name == "infusion" else "",
            )
            return
        known, key = self.known[entry.patient], (entry.patient, name)
        if name == "infusion":
            _infused(known, cast("Moment", found), mapping, stated=not entry.line or (key in self._given))
            if not entry.line:
                self._given[key] = (found, "")
            return
        if name == WEIGHT and isinstance(found, float):
            known.weights[found] = None
        if key in self._given and self._given[key][0] != found:
            if self._given[key][1]:
                log.aside(
                    entry.line,
                    entry.column,
                    f"a second value of {name.replace('_', ' ')}; the first is used",
                    text,
                    f"as in {self._given[key][1]}",
                    "keep the right one",
                )
            return
        if name == "weight" and entry.line and not (entry.unit or parse_value(text, mapping.decimal or ".").unit):
            log.note(
                f"the weight {text} (line {entry.line}) has no unit and is read as kg: check that it is not pounds"
            )
        self._given.setdefault(key, (found, f"line {entry.line}" if entry.line else ""))
        setattr(known, {"birth_date": "birth"}.get(name, name), found)


def read_facts(entries: Sequence[Entry], mapping: TableMapping, labels: Iterable[str], log: Log) -> dict[str, Known]:
    """Facts of each patient of one file."""
    labels = list(labels)
    reader = FactReader(labels)
    reader.read(entries, mapping, labels, log)
    return reader.known


def _tell(known: Known, entry: Entry, log: Log) -> None:
    """Keep what is said in words as it stands, each text once, with its time and its place.

    No word means "nothing" here: ``none`` is an answer about allergies, and ``DNR`` one about resuscitation.
    """
    text = f"{entry.value} {entry.unit}".strip()
    if not text:
        return
    when = f"{entry.time:%Y-%m-%d}: " if isinstance(entry.time, date) else ""
    place = f" [{Path(log.file).name}:{entry.line}]" if entry.line else ""
    known.told.setdefault(entry.name, {}).setdefault(plain(text), f"{when}{text[:LONGEST_TOLD]}{place}")


def _infused(known: Known, moment: Moment, mapping: TableMapping, *, stated: bool) -> None:
    """Add an infusion: the earliest comes first, except that what the mapping states stays day 0."""
    if moment in known.infusion:
        return
    first = known.infusion[0] if known.infusion else None
    if first is not None and not stated and times.days_since(moment, first, mapping.zone) < 0:
        known.infusion.insert(0, moment)
    else:
        known.infusion.append(moment)


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
        return read_birth(text, mapping, entry.line)
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
    courses: Sequence[Course],
    zeros: Mapping[str, Moment],
    log: Log,
) -> Facts:
    """Facts of n patients in the order of their courses."""
    weight = np.array([_weight(course, k.weight) for course, k in zip(courses, known)])
    age = np.array([_age(k, zeros.get(label), label, log) for k, label in zip(known, labels)])
    diseases: list[str] = []
    for k, years in zip(known, age):
        name = k.disease
        if name == B_ALL:
            name = ("adult_b_all" if years >= ADULT else "pediatric_b_all") if np.isfinite(years) else ""
            log.note(f"B-cell acute lymphoblastic leukemia: the card {name or 'is not chosen without the age'}")
        diseases.append(name)
    moments = tuple(zero if isinstance(zero := zeros.get(label), date) else None for label in labels)
    return Facts(
        tuple(labels),
        age,
        weight,
        np.array([k.height for k in known]),
        tuple(k.sex for k in known),
        tuple(diseases),
        tuple(k.product for k in known),
        tuple(moment is not None for moment in moments),
        moments,
        tuple({name: "; ".join(texts.values()) for name, texts in k.told.items()} for k in known),
        tuple(tuple(k.weights) for k in known),
    )


def _weight(course: Course, given: float) -> float:
    row = course.dense("weight")[0]
    measured = np.flatnonzero(np.isfinite(row))
    if not measured.size:
        return given
    before = measured[course.days[measured] <= 0]
    return float(row[before[-1] if before.size else measured[0]])


def _age(known: Known, zero: Moment | None, label: str, log: Log) -> float:
    """Age at the infusion: what is stated, else what the date of birth leaves certain."""
    if known.birth is None:
        return known.age
    if not isinstance(zero, date):
        if np.isnan(known.age):
            log.note("a date of birth gives no age where the date of the infusion is not known")
        return known.age
    years, what = known.birth.age(zero, OLDEST)
    if what and np.isnan(known.age):
        who = f" of patient {label!r}" if label else ""
        log.aside(
            known.birth.line or None, "birth_date", f"the age{who} is not known: {what}", known.birth.text,
            f"a date of birth 0 to {OLDEST:g} years before the infusion", "correct it, or give the age",
        )  # fmt: skip
    elif np.isfinite(known.age + years) and abs(known.age - years) > APART:
        log.note(
            f"the age as stated and as counted from the date of birth differ by {abs(known.age - years):.0f} years"
        )
    return known.age if np.isfinite(known.age) else years
