"""What the patient's page says, without its words: when steps come, how often things happen in study and model."""

# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vein2vein.cards import Card, parse_card
from vein2vein.clinic.care.label_card import Label, Span, Times, all_labels
from vein2vein.clinic.words import lineage_words
from vein2vein.declared import fields_of
from vein2vein.journey.journey import Journey
from vein2vein.sources import source as cited
from vein2vein.therapy.disease import Disease, find_disease
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import Indication, Product, find_indication, process_of
from vein2vein.therapy.visits import read_plan

GROUP_OF_PEOPLE = 100  # natural frequencies count people of a hundred
MIDDLE_OF_LAW = (0.1, 0.5, 0.9)  # most often from .. to: the middle four fifths
CHANCE = 0.95  # of groups of a hundred that the range of the model holds
LEAST_COMPANIONS = 20  # fewer say nothing about shares


@dataclass(frozen=True)
class Rule:
    """A number of a label or program: ``mark`` R read, D of the program, M not verified; NaN: the label gives none."""

    value: float
    mark: str
    source: str
    where: str


@dataclass(frozen=True)
class Timing:
    """When each step comes; days from the infusion.

    Attributes
    ----------
    collection : float or None
        Known day; None: by the law of the product.
    collection_law : tuple of float
        Days before the infusion: earliest, middle and latest of most patients.
    chemo_first, chemo_last : float
    drugs : tuple of str
    infusions : tuple of float
        Days of the further infusions of a split dose.
    visits : tuple of int
        Months of the check-ups in the first year.
    rules : mapping of str to Rule
        fever (degC), daily, near, driving, first_check (days), follow_up, exams (years).
    """

    collection: float | None
    collection_law: tuple[float, float, float]
    chemo_first: float
    chemo_last: float
    drugs: tuple[str, ...]
    infusions: tuple[float, ...]
    visits: tuple[int, ...]
    rules: Mapping[str, Rule]


@dataclass(frozen=True)
class Rate:
    """A published rate: per cent of ``n`` patients of a study; ``years`` after the infusion where it has a date."""

    percent: float
    n: int
    who: str
    source: str
    where: str
    scale: str = ""
    years: int = 0


@dataclass(frozen=True)
class Share:
    """A share of the companions, and the range of most groups of a hundred such patients. All in per cent."""

    percent: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """One line of what may happen: the published rate, and what the simulation adds."""

    name: str
    group: str
    label: str
    published: Rate | None
    simulated: Share | None


@dataclass(frozen=True)
class Simulated:
    """What the companions of a patient showed: how many there were, and their share by line."""

    companions: int
    shares: Mapping[str, Share]


@cache
def numbers() -> Card:
    """The card with the numbers of this page."""
    return _card("explain.toml")


def _card(name: str) -> Card:
    return parse_card(Path(__file__).with_name(name).read_text(encoding="utf-8"), name)


def rules(product: Product) -> dict[str, Rule]:
    """The rules that hold for a product: those of every program, and how long its label asks for what."""
    program = {name: _rule(one) for name, one in numbers().table("rules").items()}
    label = all_labels().get(product.name)
    own = {} if label is None else _times(label)
    return program | usual_times() | own


@cache
def usual_times() -> dict[str, Rule]:
    """How long most labels ask for what: of each kind the time that more labels give than any other."""
    every = [_times(label) for label in all_labels().values()]
    found: dict[str, Rule] = {}
    for name in (one.name for one in fields_of(Times)):
        told = [times[name] for times in every if name in times and np.isfinite(times[name].value)]
        usual = Counter(rule.value for rule in told).most_common(1)[0][0]
        found[name] = next(rule for rule in told if rule.value == usual)
    return found


def _times(label: Label) -> dict[str, Rule]:
    """The times of a label; NaN: it gives none."""
    found: dict[str, Rule] = {}
    for name in (one.name for one in fields_of(Times)):
        span: Span | None = getattr(label.times, name)
        if span is not None:
            where = f"{label.where}: label of {label.brand} [{span.mark}]{f', {span.text}' if span.text else ''}"
            days = np.nan if span.days is None else span.days
            found[name] = Rule(days, "R" if span.verified else "M", label.source, where)
    return found


def _rule(one: Mapping[str, Any]) -> Rule:
    return Rule(float(one["value"]), one["mark"], one["source"], one["where"])


def timing(patient: Patient, product: Product) -> Timing:
    """When each step comes for one patient (n = 1)."""
    from scipy import special

    indication, _ = find_indication(product, patient.disease)
    v = process_of(product).values
    law = v.wait_shift + v.wait_scale * special.gammaincinv(v.wait_shape, MIDDLE_OF_LAW)
    early, middle, late = (float(day) for day in law)
    regimen = indication.regimens[0]
    days = [day for drug in regimen.drugs for day in drug.days]
    first, last = min(days), max(days)
    start = _known(patient.lymphodepletion_day)
    moved = 0.0 if start is None else start - first
    split = indication.dose.split_low
    year = 12  # months
    months = [round(day * year / 365.25) for day in read_plan().disease_visits]
    return Timing(
        collection=_known(patient.leukapheresis_day),
        collection_law=(early, middle, late),
        chemo_first=first + moved,
        chemo_last=last + moved,
        drugs=tuple(dict.fromkeys(drug.name for drug in regimen.drugs)),
        infusions=tuple(day - split[0][0] for day, _ in split[1:]),
        visits=tuple(dict.fromkeys(month for month in months if 1 < month <= year)),
        rules=rules(product),
    )


def is_child(patient: Patient) -> bool:
    """Whether the page speaks to the patient's parents."""
    return float(patient.age[0]) < numbers().number("ages", "adult", "value")


def may_drive(patient: Patient) -> bool:
    """Whether the patient is of an age in which anybody drives."""
    return float(patient.age[0]) >= numbers().number("ages", "driving", "value")


def weight_known(patient: Patient) -> bool:
    """Whether the weight was given; a virtual patient, of whom nothing was given, has one, too."""
    return not patient.known or "weight" in patient.known


def labelled(product: Product) -> bool:
    """Whether a label stands behind a product's card."""
    return any(use.how == "reported" for use in product.indications)


def plain_warnings(product: Product) -> tuple[list[str], list[str]]:
    """Boxed warnings of a label: names of the plain words for them, and those that have none, as the card has them."""
    if not labelled(product):
        return [], []
    known: Mapping[str, list[str]] = numbers().table("warnings")
    meant = {one: [name for name, parts in known.items() if any(part in one.lower() for part in parts)]
             for one in product.warnings}  # fmt: skip
    names = {name for found in meant.values() for name in found}
    return [name for name in known if name in names], [one for one, found in meant.items() if not found]


def _known(day: Any) -> float | None:
    return float(day[0]) if day.size and np.isfinite(day[0]) else None


def approved(patient: Patient, product: Product) -> bool:
    """Whether the product's list of uses holds this disease and age."""
    use, found = find_indication(product, patient.disease)
    return found and use.age_low <= float(patient.age[0]) < use.age_below


def checked(product: Product, disease: Disease) -> bool:
    """Whether the model was compared with a study of this product in this disease."""
    own = (product.name, disease.name)
    return any((one["product"], one["disease"]) == own for one in numbers().data["checked"])


@cache
def fitting(product: str, disease: str) -> frozenset[str]:
    """Lines whose published rate lies in the range of simulated trials of its size; only these show the model."""
    return frozenset(
        row["line"]
        for row in _card("explain_checked.toml").data["rows"]
        if (row["product"], row["disease"]) == (product, disease) and row["low"] <= row["published"] <= row["high"]
    )


def comparable(patient: Patient, product: Product) -> bool:
    """Whether the model may speak of this patient: compared with a study, and the patient is one of its kind."""
    return checked(product, find_disease(patient.disease)) and approved(patient, product)


def use_of(patient: Patient, product: Product) -> tuple[Indication, Disease]:
    """The use and the disease that the page speaks of."""
    return find_indication(product, patient.disease)[0], find_disease(patient.disease)


def published(product: Product, disease: str) -> dict[str, Rate]:
    """Published rates of a product in a disease, by line."""
    found: dict[str, Rate] = {}
    for row in numbers().data["rates"]:
        if row["product"] == product.name and disease in row["diseases"]:
            found[row["line"]] = Rate(
                float(row["value"]), int(row["n"]), row["who"], row["source"], row["where"],
                row.get("scale", ""), int(row.get("years", 0)),
            )  # fmt: skip
    return found


def chances(product: Product, disease: Disease, spread: Journey | Simulated | None = None) -> list[Line]:
    """What may happen: every line of the card, with its published rate and the share among the companions.

    Parameters
    ----------
    product : Product
    disease : Disease
    spread : Journey or Simulated, optional
        Companions who share what is known of the patient, or what they showed.
    """
    rates, fit = published(product, disease.name), fitting(product.name, disease.name)
    found: list[Line] = []
    for name, line in numbers().table("lines").items():
        rate = rates.get(name)
        if isinstance(spread, Simulated):
            share = spread.shares.get(name)
        else:
            share = simulated(spread, line, rate, disease) if spread is not None and name in fit else None
        found.append(Line(name, line["group"], line.get("label", ""), rate, share))
    return found


def shown_by(spread: Journey, product: Product, disease: Disease) -> Simulated:
    """What companions showed, without their courses: enough for a page that is made again and again."""
    lines = chances(product, disease, spread)
    return Simulated(len(spread.infused), {line.name: line.simulated for line in lines if line.simulated is not None})


def bibliography(lines: Iterable[Line], rules_in_use: Iterable[Rule]) -> list[str]:
    """The sources of a page, each once, with the places that were read."""
    found: dict[str, dict[str, None]] = {}
    for one in (*(line.published for line in lines if line.published), *rules_in_use):
        found.setdefault(one.source, {})[one.where] = None
    return [f"{cited(key)} ({'; '.join(places)})" for key, places in found.items()]


def simulated(spread: Journey, line: Mapping[str, Any], rate: Rate | None, disease: Disease) -> Share | None:
    """How often a line came true among the companions; None where too few of them count or the model has it not."""
    from vein2vein.trials.endpoints.measures import ENDPOINTS, SETS, NotProduced

    arguments = dict(line.get("arguments", {}))
    if "scale" in arguments and rate is not None and rate.scale:
        arguments["scale"] = rate.scale
    if "responses" in arguments:
        arguments["responses"] = lineage_words(disease.lineage, disease.name).counts
    try:
        found = ENDPOINTS[line["endpoint"]].read(spread, **arguments)
    except NotProduced:
        return None
    counted = SETS[line.get("among", "infused")](spread, arguments.get("scale", "astct"), 0.0)
    yes = np.asarray(found, dtype=bool)
    return share(int((yes & counted).sum()), int(counted.sum()))


def share(hits: int, count: int) -> Share | None:
    """The share of ``count`` patients, and between which numbers the next hundred would lie in 19 of 20 times.

    The range holds the chance of both the companions and the hundred (beta-binomial, Jeffreys prior), so that more
    companions never make the future of a group of patients look certain.
    """
    from scipy import special

    if count < LEAST_COMPANIONS:
        return None
    a, b, group = hits + 0.5, count - hits + 0.5, GROUP_OF_PEOPLE
    k = np.arange(group + 1)
    log = special.gammaln(group + 1) - special.gammaln(k + 1) - special.gammaln(group - k + 1)
    log = log + special.betaln(k + a, group - k + b) - special.betaln(a, b)
    reached = np.cumsum(np.exp(log))
    low, high = (int(np.searchsorted(reached, q)) for q in ((1 - CHANCE) / 2, (1 + CHANCE) / 2))
    return Share(100 * hits / count, float(low), float(min(high, group)))
