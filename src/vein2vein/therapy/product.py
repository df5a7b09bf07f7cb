"""Product: what a CAR T-cell product is, for whom and how it is given, and its numbers. One card per product."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.cards import Card, bundled_cards, find_card, is_path
from vein2vein.errors import InputError, unknown
from vein2vein.parameters import HOW, ParameterSet, read_parameters
from vein2vein.records import described
from vein2vein.sources import source as cited
from vein2vein.therapy import manufacturing

Floats = NDArray[np.float64]
FOLDER = Path(__file__).with_name("products")
DRUGS = ("fludarabine", "cyclophosphamide", "bendamustine", "alemtuzumab")
DESIGNS = ("single", "or", "and")
_PROVENANCE = ("source", "where", "how", "why")


@dataclass(frozen=True)
class Drug:
    """A conditioning drug: mg per m2 of body surface on each of the days (infusion = day 0)."""

    name: str
    dose: float
    days: tuple[float, ...]


@dataclass(frozen=True)
class Regimen:
    """A lymphodepletion regimen."""

    name: str
    title: str
    drugs: tuple[Drug, ...]
    source: str = ""
    where: str = ""
    how: str = ""
    why: str = ""


@dataclass(frozen=True)
class Dose:
    """A dose asked for: viable CAR-positive cells, per kg of body weight or in all."""

    cells: float
    per_kg: bool = False


@dataclass(frozen=True)
class DoseRule:
    """Label dose of viable CAR-positive T cells.

    Attributes
    ----------
    weight_border : float
        Per kg up to and including this weight (kg), in total above it; 0: always in total, inf: always per kg.
    low_per_kg, target_per_kg, high_per_kg : float
        Cells per kg; NaN where the rule is in total only.
    low_total, target_total, high_total : float
        Cells; NaN where the rule is per kg only.
    cap : float
        Never more than this in total (cells).
    scatter : float
        Log-sd of the filled dose around the target; NaN: that of the process.
    split_border : float
        Marrow blasts (%) above which the high-burden split holds; NaN: one infusion.
    split_low, split_high : tuple of (day, cells)
        The infusions up to and above that border.
    """

    weight_border: float = math.inf
    low_per_kg: float = math.nan
    target_per_kg: float = math.nan
    high_per_kg: float = math.nan
    low_total: float = math.nan
    target_total: float = math.nan
    high_total: float = math.nan
    cap: float = math.inf
    scatter: float = math.nan
    split_border: float = math.nan
    split_low: tuple[tuple[float, float], ...] = ()
    split_high: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Indication:
    """One approved use.

    Attributes
    ----------
    name, text : str
    diseases : tuple of str
        Disease cards that it covers.
    age_low, age_below : float
        Years.
    lines_low : float
        Fewest earlier lines.
    dose : DoseRule
    regimens : tuple of Regimen
        The first is the usual one.
    window_low, window_high : float
        Days from the last lymphodepletion dose to the infusion.
    """

    name: str
    text: str
    diseases: tuple[str, ...]
    age_low: float
    age_below: float
    lines_low: float
    dose: DoseRule
    regimens: tuple[Regimen, ...]
    window_low: float
    window_high: float
    source: str
    where: str
    how: str = "reported"
    why: str = ""


@described
@dataclass(frozen=True)
class Product:
    """A CAR T-cell product.

    Attributes
    ----------
    name, title, brand : str
        The name is the nonproprietary name with underscores, as in the file.
    target_a, target_b : str
        Antigens; ``target_b`` "" for one target.
    design : {"single", "or", "and"}
    costimulation, vector, readout : str
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

    name: str
    title: str
    brand: str
    target_a: str
    target_b: str
    design: str
    costimulation: str
    vector: str
    readout: str
    construct: Mapping[str, str]
    indications: tuple[Indication, ...]
    warnings: tuple[str, ...]
    parameters: ParameterSet
    process: ParameterSet
    synonyms: tuple[str, ...] = ()


def read_product(card: Card) -> Product:
    """Read and check a product card; a complaint names file, line and field."""
    card.refuse_unknown(
        ("name", "title", "brand", "synonyms", "target_a", "target_b", "design", "costimulation", "vector", "readout",
         "construct", "warnings", "indications", "parameters", "process", *_PROVENANCE),
    )  # fmt: skip
    _provenance(card)
    count = len(card.required("indications", expected="one [[indications]] table for each approved use"))
    design = card.string("design", choices=DESIGNS)
    target_b = card.string("target_b", default="")
    if (design == "single") != (target_b == ""):
        raise card.error(
            ("design",), f"found '{design}' with target_b = '{target_b}'; single has no target_b, or and and need one."
        )
    if card.get("warnings") is not None:
        _provenance(card, "warnings")
    return Product(
        card.string("name"),
        card.string("title"),
        card.string("brand", default=""),
        card.string("target_a"),
        target_b,
        design,
        card.string("costimulation"),
        card.string("vector"),
        card.string("readout", choices=("qPCR", "flow")),
        {key: str(value) for key, value in card.table("construct", default={}).items()},
        tuple(_indication(card, str(i)) for i in range(count)),
        tuple(card.get("warnings", "boxed", default=())),
        read_parameters(card, "parameters", name=card.string("name")),
        read_parameters(card, "process", name=card.string("name")),
        card.texts("synonyms"),
    )


def _provenance(card: Card, *path: str) -> dict[str, str]:
    how = card.string(*path, "how", choices=HOW)
    why, key = card.string(*path, "why", default=""), card.string(*path, "source", default="")
    if how == "assumed" and not why:
        raise card.error((*path, "why"), 'missing; an assumed fact needs the reasoning behind it: add why = "...".')
    if how != "assumed" and not key:
        raise card.error((*path, "source"), 'missing; a fact needs its source: add source = "key".')
    if key:
        try:
            cited(key)
        except InputError as problem:
            raise card.error((*path, "source"), problem.text) from None
    return {"source": key, "where": card.string(*path, "where", default=""), "how": how, "why": why}


def _diseases(card: Card, *path: str) -> tuple[str, ...]:
    card.required(*path, "diseases", expected="a list of disease cards")
    return card.texts(*path, "diseases")


def _indication(card: Card, index: str) -> Indication:
    here = ("indications", index)
    card.refuse_unknown(
        ("name", "text", "diseases", "age_low", "age_below", "lines_low", "dose", "regimens", "window_low",
         "window_high", *_PROVENANCE),
        *here,
    )  # fmt: skip
    regimens = card.required(*here, "regimens", expected="one [[indications.regimens]] table for each regimen")
    return Indication(
        card.string(*here, "name"),
        card.string(*here, "text"),
        _diseases(card, *here),
        card.number(*here, "age_low", unit="year", low=0, default=0.0),
        card.number(*here, "age_below", unit="year", low=0, default=math.inf),
        card.number(*here, "lines_low", low=0, default=0.0),
        _dose(card, *here, "dose"),
        tuple(read_regimen(card, *here, "regimens", str(i)) for i in range(len(regimens))),
        card.number(*here, "window_low", unit="day", low=0),
        card.number(*here, "window_high", unit="day", low=0),
        **_provenance(card, *here),
    )


def _dose(card: Card, *path: str) -> DoseRule:
    names = tuple(name for name in DoseRule.__dataclass_fields__ if not name.startswith("split"))
    card.refuse_unknown((*names, "split", *_PROVENANCE), *path)
    _provenance(card, *path)
    numbers = {name: card.number(*path, name, low=0) for name in names if card.get(*path, name) is not None}
    rule = DoseRule(**numbers)
    if card.get(*path, "split") is not None:
        at = (*path, "split")
        card.refuse_unknown(("blasts_above", "low", "high"), *at)
        low, high = (
            tuple((float(d), float(c)) for d, c in card.required(*at, key, expected="[[day, cells], ...]"))
            for key in ("low", "high")
        )
        rule = DoseRule(**numbers, split_border=card.number(*at, "blasts_above", low=0), split_low=low, split_high=high)
    kinds = [k for k, used in (("per_kg", rule.weight_border > 0), ("total", rule.weight_border < math.inf)) if used]
    for kind in kinds:
        low, target, high = (getattr(rule, f"{part}_{kind}") for part in ("low", "target", "high"))
        if not low <= target <= high:
            raise card.error(
                (*path, f"target_{kind}"),
                f"found low {low:g}, target {target:g}, high {high:g}; expected low <= target <= high.",
            )
    return rule


def read_regimen(card: Card, *path: str, given: str = "") -> Regimen:
    """A lymphodepletion regimen of a product or trial card; ``given`` is its name where the table has none."""
    card.refuse_unknown(("name", "title", "drugs", *_PROVENANCE), *path)
    drugs = []
    card.required(*path, "drugs", expected="a list of drugs")
    for i in range(len(card.tables(*path, "drugs"))):
        at = (*path, "drugs", str(i))
        card.refuse_unknown(("drug", "dose", "days"), *at)
        days = card.required(*at, "days", expected="a list of days before the infusion")
        if not isinstance(days, list) or any(isinstance(d, bool) or not isinstance(d, int | float) for d in days):
            raise card.error((*at, "days"), f"found {days!r}, expected a list of days such as [-5, -4, -3].")
        days = tuple(float(day) for day in days)
        if not days or not min(days) > -math.inf or max(days) >= 0 or list(days) != sorted(set(days)):
            raise card.error(at, f"found the days {list(days)}, expected ascending days before the infusion on day 0.")
        drugs.append(Drug(card.string(*at, "drug", choices=DRUGS), card.number(*at, "dose", low=0), days))
    name = given or card.string(*path, "name")
    return Regimen(name, card.string(*path, "title"), tuple(drugs), **_provenance(card, *path))


@cache
def _bundled() -> dict[str, Product]:
    return {name: read_product(find_card(name, FOLDER, "product")) for name in bundled_cards(FOLDER)}


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
    known = {_spelled(n): p for p in _bundled().values() for n in (p.name, p.title, p.brand, *p.synonyms) if n}
    if spelled in known:
        return known[spelled]
    names = {n for p in _bundled().values() for n in (p.name, p.brand, *p.synonyms) if n}
    raise InputError(unknown("product", text, names) + " A card of your own is given by its path, ending in .toml.")


def _spelled(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def find_indication(product: Product, disease: str) -> tuple[Indication, bool]:
    """The approved use for a disease, and whether there is one; without one, the product's first use stands in."""
    for indication in product.indications:
        if disease in indication.diseases:
            return indication, True
    return product.indications[0], False


def find_regimen(indication: Indication, name: str = "") -> Regimen:
    """A regimen of an indication by name; "" is the usual one, "none" no lymphodepletion."""
    if not name:
        return indication.regimens[0]
    if name == "none":
        return Regimen("none", "no lymphodepletion", ())
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


def requested_cells(dose: Dose, weight: ArrayLike) -> Floats:
    """Cells of a dose for patients of the given weight (kg), shape (n,)."""
    kg = np.atleast_1d(np.asarray(weight, dtype=float))
    return dose.cells * kg if dose.per_kg else np.full(kg.shape, float(dose.cells))


def product_names() -> list[str]:
    """Names of the bundled products."""
    return list(_bundled())


def process_of(product: Product) -> manufacturing.Process:
    """Manufacturing numbers of a product, its own over the general ones."""
    return manufacturing.process(product.process)
