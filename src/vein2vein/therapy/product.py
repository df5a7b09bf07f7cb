"""Product: what a CAR T-cell product is, for whom and how it is given, and its numbers. One card per product."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein import general_sets
from vein2vein.card_reading import read
from vein2vein.cards import Card, bundled_cards, find_card, is_path
from vein2vein.declared import Form, Noted, Record, Says, Sourced, flag, formed, listed, number, part, text
from vein2vein.errors import InputError, unknown
from vein2vein.general_sets import over
from vein2vein.parameters import ParameterSet
from vein2vein.records import described
from vein2vein.therapy import dose_limits, manufacturing
from vein2vein.therapy import vocabulary as words
from vein2vein.therapy.disease import find_disease

Floats = NDArray[np.float64]
FOLDER = Path(__file__).with_name("products")


@dataclass(frozen=True)
class Drug(Record):
    """A conditioning drug: mg per m2 of body surface on each of the days (infusion = day 0)."""

    name: Annotated[str, text("Drug", words.DRUGS, label="drug")]
    dose: Annotated[float, number("Dose on each of the days", "mg/m^2", above=0)]
    days: Annotated[
        tuple[float, ...],
        listed("Days before the infusion on day 0", "days such as [-5, -4, -3]", low=-words.DAYS_BEFORE),
    ]

    def faults(self) -> Iterator[tuple[str, str]]:
        """Days that are none, not in order, or not before the infusion."""
        days = list(self.days)
        if not days or days[-1] >= 0 or days != sorted(set(days)):
            yield "days", f"found the days {days}, expected ascending days before the infusion on day 0."
        if said := dose_limits.refused(self.name, dose_limits.by_days([(self.dose, self.days)])):
            yield "dose", said


@dataclass(frozen=True, kw_only=True)
class Regimen(Sourced):
    """A lymphodepletion regimen."""

    name: Annotated[str, text("Name by which it is asked for")]
    title: Annotated[str, text("Drugs and doses in words")]
    drugs: Annotated[tuple[Drug, ...], part("Drugs, their doses and days")]

    def faults(self) -> Iterator[tuple[str, str]]:
        """One drug in several entries that are too much together; no provenance."""
        for i, drug in enumerate(self.drugs):
            if said := dose_limits.refused(drug.name, self._amounts(drug.name)):
                yield f"drugs.{i}.dose", said
        yield from super().faults()

    def _amounts(self, drug: str) -> dict[tuple[str, str], float]:
        return dose_limits.by_days([(one.dose, one.days) for one in self.drugs if one.name == drug])

    @property
    def unusual(self) -> tuple[str, ...]:
        """Notes on drugs above their usual dose."""
        names = dict.fromkeys(drug.name for drug in self.drugs)
        return tuple(note for name in names for note in dose_limits.unusual(name, self._amounts(name)))


Infusions = tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Split(Record):
    """A dose in several infusions: [day, cells] of each, by the burden before it."""

    blasts_above: Annotated[float, number("Marrow blasts above which the high split holds", "%", 0, words.BLASTS)]
    low: Annotated[
        Infusions,
        listed("Infusions up to that border", "[day, cells] such as [[0, 1e8], [9, 3e8]]", low=0, filled=True),
    ]
    high: Annotated[
        Infusions, listed("Infusions above it", "[day, cells] such as [[0, 1e7], [9, 4e8]]", low=0, filled=True)
    ]


def _per_kg(meaning: str) -> Says:
    return number(f"{meaning} of viable CAR-positive cells by weight", "cells/kg", 0, words.CELLS_PER_KG)


def _total(meaning: str) -> Says:
    return number(f"{meaning} of viable CAR-positive cells in all", "cells", 0, words.CELLS)


@dataclass(frozen=True, kw_only=True)
class DoseRule(Noted):
    """Label dose of viable CAR-positive T cells; NaN where a rule is per kg or in total only.

    Attributes
    ----------
    weight_border : float
        Per kg up to and including this weight (kg), in total above it; 0: always in total, inf: always per kg.
    cap : float
        Never more than this in total (cells).
    scatter : float
        Log-sd of the filled dose around the target; NaN: that of the process.
    split : Split or None
        The infusions of a dose that is given in several.
    """

    weight_border: Annotated[float, number("By weight up to here, in all above", "kg", 0, words.WEIGHT)] = math.inf
    low_per_kg: Annotated[float, _per_kg("Lowest dose")] = math.nan
    target_per_kg: Annotated[float, _per_kg("Dose aimed at")] = math.nan
    high_per_kg: Annotated[float, _per_kg("Highest dose")] = math.nan
    low_total: Annotated[float, _total("Lowest dose")] = math.nan
    target_total: Annotated[float, _total("Dose aimed at")] = math.nan
    high_total: Annotated[float, _total("Highest dose")] = math.nan
    cap: Annotated[float, _total("Never more than this")] = math.inf
    scatter: Annotated[float, number("Sd of ln of the filled dose", low=0, high=words.LOG_SD)] = math.nan
    split: Annotated[Split, part("A dose in several infusions")] | None = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """Doses that are missing or out of order; no provenance."""
        yield from super().faults()
        kinds = (("per_kg", self.weight_border > 0), ("total", self.weight_border < math.inf))
        for kind in (name for name, used in kinds if used):
            given = {f"{part}_{kind}": getattr(self, f"{part}_{kind}") for part in ("low", "target", "high")}
            if absent := [name for name, value in given.items() if math.isnan(value)]:
                yield absent[0], f"missing; expected {', '.join(given)}. Add the line '{absent[0]} = ...'."
            low, target, high = given.values()
            if not low <= target <= high:
                said = f"found low {low:g}, target {target:g}, high {high:g}; expected low <= target <= high."
                yield f"target_{kind}", said

    @property
    def split_border(self) -> float:
        """Marrow blasts (%) above which the high-burden split holds; NaN: one infusion."""
        return self.split.blasts_above if self.split else math.nan

    @property
    def split_low(self) -> Infusions:
        """The infusions (day, cells) up to that border."""
        return self.split.low if self.split else ()

    @property
    def split_high(self) -> Infusions:
        """The infusions (day, cells) above it."""
        return self.split.high if self.split else ()


_said = text  # a field of the next record has this name


@dataclass(frozen=True, kw_only=True)
class Indication(Sourced):
    """One approved use."""

    name: Annotated[str, _said("Short name of the use")]
    text: Annotated[str, _said("The use in words")]
    diseases: Annotated[tuple[str, ...], listed("Disease cards that it covers", 'names such as ["lbcl"]')]
    age_low: Annotated[float, number("Lowest age", "year", 0, words.AGE)] = 0.0
    age_below: Annotated[float, number("Age from which it is not for", "year", above=0, high=words.AGE)] = math.inf
    lines_low: Annotated[float, number("Fewest earlier lines of therapy", low=0, high=words.LINES)] = 0.0
    dose: Annotated[DoseRule, part("The dose rule of the label")]
    regimens: Annotated[tuple[Regimen, ...], part("Lymphodepletion, the usual one first", filled=True)]
    window_low: Annotated[float, number("Fewest days from lymphodepletion to infusion", "day", 0, words.WINDOW)]
    window_high: Annotated[float, number("Most days from lymphodepletion to infusion", "day", 0, words.WINDOW)]

    def faults(self) -> Iterator[tuple[str, str]]:
        """Ages or windows that nobody is in; no provenance."""
        if self.age_low >= self.age_below:
            yield "age_below", f"found {self.age_below:g} years, expected more than age_low, {self.age_low:g}."
        if self.window_low > self.window_high:
            yield "window_high", f"found {self.window_high:g} days, expected at least window_low, {self.window_low:g}."
        yield from _twice("regimens", "regimen", self.regimens)
        for name in sorted({one for one in self.diseases if self.diseases.count(one) > 1}):
            yield "diseases", f"found '{name}' twice; name each disease once."
        yield from super().faults()


@dataclass(frozen=True, kw_only=True)
class Boxed(Sourced):
    """Boxed warnings of a label."""

    boxed: Annotated[
        tuple[str, ...], listed("Boxed warnings of the label", 'texts such as ["cytokine release syndrome"]')
    ] = ()


_WARNINGS = Form(read=lambda card, path: read(card, Boxed, *path).boxed, kinds=lambda: {"": Boxed})


@dataclass(frozen=True, kw_only=True)
class Construct(Noted):
    """What a receptor is made of."""

    binder: Annotated[str, text("What binds the antigen")] = ""
    hinge: Annotated[str, text("Hinge")] = ""
    transmembrane: Annotated[str, text("Part in the membrane")] = ""
    cells: Annotated[str, text("Starting cells and their activation")] = ""
    tag: Annotated[str, text("Marker by which the cells are selected or removed")] = ""


def _read_construct(card: Card, path: tuple[str, ...]) -> dict[str, str]:
    made = read(card, Construct, *path)
    return {name: getattr(made, name) for name in card.table(*path)}


_CONSTRUCT = Form(read=_read_construct, kinds=lambda: {"": Construct})


@described
@dataclass(frozen=True, kw_only=True)
class Product(Sourced):
    """A CAR T-cell product.

    Attributes
    ----------
    name, title, brand : str
        The name is the nonproprietary name with underscores, as in the file.
    target_a, target_b : str
        Antigens; ``target_b`` "" for one target.
    design : {"single", "or", "and"}
    costimulation, vector, readout : str
    exploratory : bool
        Reasoned, never calibrated: directions, not sizes.
    construct : mapping of str to str
        Binder, hinge, transmembrane part, starting cells, with their sources.
    indications : tuple of Indication
    warnings : tuple of str
        Boxed warnings of the label.
    parameters : ParameterSet
        Numbers for the reference model.
    process : ParameterSet
        Manufacturing numbers that differ from the general ones.
    synonyms : tuple of str
    """

    name: Annotated[str, text("Nonproprietary name, with underscores")]
    title: Annotated[str, text("Name in print")]
    brand: Annotated[str, text("Brand")] = ""
    synonyms: Annotated[tuple[str, ...], listed("Other names", 'names such as ["tisa-cel"]')] = ()
    target_a: Annotated[str, text("Antigen", words.ANTIGENS)]
    target_b: Annotated[str, text("Second antigen", words.ANTIGENS)] = ""
    design: Annotated[str, text("One target, either of two, or both", words.DESIGNS)]
    costimulation: Annotated[str, text("Costimulation domain", words.COSTIMULATION)]
    vector: Annotated[str, text("What carries the gene", words.VECTORS)]
    readout: Annotated[str, text("How CAR-T cells are counted", words.READOUTS)]
    exploratory: Annotated[bool, flag("Its numbers are reasoned, and were calibrated on no patients")] = False
    construct: Annotated[Mapping[str, str], formed("What the receptor is made of", _CONSTRUCT)] = field(
        default_factory=dict
    )
    warnings: Annotated[tuple[str, ...], formed("Boxed warnings of the label", _WARNINGS)] = ()
    indications: Annotated[tuple[Indication, ...], part("Approved uses", filled=True)]
    parameters: Annotated[ParameterSet, formed("Numbers of the reference model", over(general_sets.reference))]
    process: Annotated[ParameterSet, formed("Numbers of its manufacturing", over(manufacturing.general))]

    @cached_property
    def made_by(self) -> manufacturing.Process:
        """Manufacturing numbers, its own over the general ones."""
        return manufacturing.process(self.process)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Targets that do not fit the design; no provenance."""
        if (self.design == "single") != (self.target_b == ""):
            found = f"found '{self.design}' with target_b = '{self.target_b}'"
            yield "design", f"{found}; single has no target_b, or and and need one."
        if self.target_a == self.target_b:
            yield "target_b", f"found '{self.target_b}', the antigen of target_a; expected another."
        yield from _twice("indications", "use", self.indications)
        yield from super().faults()


def _twice(field: str, what: str, named: Sequence[Regimen | Indication]) -> Iterator[tuple[str, str]]:
    """Two of one name: which of them is meant by it would be a guess."""
    names = [one.name for one in named]
    for i, name in enumerate(names):
        if name in names[:i]:
            yield f"{field}.{i}.name", f"found '{name}' twice; give each {what} a name of its own."


def read_product(card: Card) -> Product:
    """Read and check a product card; a complaint names file, line and field."""
    return read(card, Product)


@cache
def _one(name: str) -> Product:
    return read_product(find_card(name, FOLDER, "product"))


@cache
def _bundled() -> dict[str, Product]:
    return {name: _one(name) for name in bundled_cards(FOLDER)}


def all_products() -> dict[str, Product]:
    """Every bundled product by name."""
    return dict(_bundled())


def find_product(name: str | Path) -> Product:
    """Find a product by name, brand or short name, or read the user's own card by its path.

    Raises
    ------
    InputError
        Unknown name, with the nearest ones.
    """
    text = str(name)
    if is_path(text):
        return read_product(find_card(name, FOLDER, "product"))
    spelled = _spelled(text)
    for own in bundled_cards(FOLDER):
        if _spelled(own) == spelled:  # the card's own name: the others need not be read
            return _one(own)
    known = {_spelled(n): p for p in _bundled().values() for n in (p.name, p.title, p.brand, *p.synonyms) if n}
    if spelled in known:
        return known[spelled]
    names = {n for p in _bundled().values() for n in (p.name, p.brand, *p.synonyms) if n}
    raise InputError(unknown("product", text, names) + " A card of your own is given by its path, ending in .toml.")


def _spelled(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def find_indication(product: Product, disease: str) -> tuple[Indication, bool]:
    """The approved use for a disease, and whether there is one; without one, the product's first use stands in.

    A disease card of the user's own goes by the name in it.
    """
    name = find_disease(disease).name if is_path(disease) else disease
    for indication in product.indications:
        if name in indication.diseases:
            return indication, True
    return product.indications[0], False


def find_regimen(indication: Indication, name: str = "") -> Regimen:
    """A regimen of an indication by name; "" is the usual one, "none" no lymphodepletion."""
    if not name:
        return indication.regimens[0]
    if name == "none":
        return Regimen(name="none", title="no lymphodepletion", drugs=(), how="assumed", why="asked for")
    known = {regimen.name: regimen for regimen in indication.regimens}
    if name not in known:
        raise InputError(unknown("lymphodepletion regimen", name, [*known, "none"]))
    return known[name]


def dose_range(rule: DoseRule, weight: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Lowest, target and highest label dose in viable CAR-positive cells, each of shape (n,).

    Parameters
    ----------
    rule : DoseRule
    weight : array_like, shape (n,)
        kg.
    """
    kg = np.atleast_1d(np.asarray(weight, dtype=float))
    per_kg = kg <= rule.weight_border if rule.weight_border > 0 else np.zeros(kg.shape, dtype=bool)
    pairs = (
        (rule.low_per_kg, rule.low_total),
        (rule.target_per_kg, rule.target_total),
        (rule.high_per_kg, rule.high_total),
    )
    low, target, high = (np.minimum(np.where(per_kg, each * kg, total), rule.cap) for each, total in pairs)
    return low, target, high


def product_names() -> list[str]:
    """Names of the bundled products."""
    return list(_bundled())


def process_of(product: Product) -> manufacturing.Process:
    """Manufacturing numbers of a product, its own over the general ones; made once for each product."""
    return product.made_by
