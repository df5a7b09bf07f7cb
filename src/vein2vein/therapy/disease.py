"""Disease: facts, model numbers and population laws of one disease. One card per disease."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vein2vein.cards import Card, bundled_cards, find_card, is_path, parse_card
from vein2vein.errors import InputError, unknown
from vein2vein.parameters import HOW, ParameterSet, read_parameters
from vein2vein.records import described
from vein2vein.sources import source as cited
from vein2vein.therapy.laws import Law, read_laws

FOLDER = Path(__file__).with_name("diseases")
FIELDS = (
    "age", "male", "weight", "height", "prior_lines", "prior_hsct", "prior_blinatumomab", "kmt2a", "recent_anti_cd20",
    "fitness_prior", "burden", "antigen_density_a", "antigen_density_b", "b_cells_per_kg", "lymphocytes", "cd3",
    "circulating_blasts", "creatinine_clearance",
)  # fmt: skip
LINEAGES = ("leukemia", "lymphoma", "myeloma", "solid")


@described
@dataclass(frozen=True)
class Disease:
    """A disease.

    Attributes
    ----------
    name, title : str
    lineage : {"leukemia", "lymphoma", "myeloma", "solid"}
    antigen_a, antigen_b : str
        Antigens of interest on the tumor.
    marrow_full : float
        Cells of a marrow full of tumor, e6/kg; NaN where burden is not counted in marrow.
    calibrated_on : tuple of str
        Trials that the numbers were calibrated on; empty: reasoned from other cards.
    parameters : ParameterSet
        Numbers for the reference model.
    population : mapping of field to Law
        Laws that the disease owns.
    synonyms : tuple of str
    """

    name: str
    title: str
    lineage: str
    antigen_a: str
    antigen_b: str
    marrow_full: float
    calibrated_on: tuple[str, ...]
    parameters: ParameterSet
    population: dict[str, Law]
    synonyms: tuple[str, ...] = ()


def read_disease(card: Card) -> Disease:
    """Read and check a disease card; a complaint names file, line and field."""
    card.refuse_unknown(
        ("name", "title", "lineage", "antigen_a", "antigen_b", "marrow_full", "calibrated_on", "synonyms", "parameters",
         "population", "source", "where", "how", "why"),
    )  # fmt: skip
    card.string("how", choices=HOW)
    if key := card.string("source", default=""):
        try:
            cited(key)
        except InputError as problem:
            raise card.error(("source",), problem.text) from None
    return Disease(
        card.string("name"),
        card.string("title"),
        card.string("lineage", choices=LINEAGES),
        card.string("antigen_a"),
        card.string("antigen_b", default=""),
        card.number("marrow_full", unit="e6/kg", low=0, default=float("nan")),
        card.texts("calibrated_on"),
        read_parameters(card, "parameters", name=card.string("name")),
        read_laws(card, "population", fields=FIELDS),
        card.texts("synonyms"),
    )


@cache
def general_laws() -> dict[str, Law]:
    """Laws of a virtual patient where neither disease nor trial gives one."""
    path = Path(__file__).with_name("population.toml")
    return read_laws(parse_card(path.read_text(encoding="utf-8"), path.name), "population", fields=FIELDS)


def population_laws(disease: Disease, own: dict[str, Law] | None = None) -> dict[str, Law]:
    """All laws of a population: the general ones, the disease's over them, a trial's ``own`` over both."""
    return {**general_laws(), **disease.population, **(own or {})}


@cache
def _bundled() -> dict[str, Disease]:
    return {name: read_disease(find_card(name, FOLDER, "disease")) for name in bundled_cards(FOLDER)}


def all_diseases() -> dict[str, Disease]:
    """Every bundled disease by name."""
    return dict(_bundled())


def find_disease(name: str | Path) -> Disease:
    """Find a disease by name or synonym, or read the user's own card by its path.

    Raises
    ------
    InputError
        Unknown name, with the nearest ones.
    """
    text = str(name)
    if is_path(text):
        return read_disease(find_card(name, FOLDER, "disease"))
    spelled = text.lower().replace("-", "_").replace(" ", "_")
    known = {
        n.lower().replace("-", "_").replace(" ", "_"): d for d in _bundled().values() for n in (d.name, *d.synonyms)
    }
    if spelled in known:
        return known[spelled]
    names = {n for d in _bundled().values() for n in (d.name, *d.synonyms)}
    raise InputError(unknown("disease", text, names) + " A card of your own is given by its path, ending in .toml.")
