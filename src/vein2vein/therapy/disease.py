"""Disease: facts, model numbers and population laws of one disease. One card per disease."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated

from vein2vein import general_sets, units
from vein2vein.card_reading import read
from vein2vein.cards import Card, bundled_card, bundled_cards, find_card, is_path
from vein2vein.declared import Sourced, formed, listed, number, text
from vein2vein.errors import InputError, unknown
from vein2vein.general_sets import over
from vein2vein.parameters import ParameterSet
from vein2vein.records import described
from vein2vein.therapy import vocabulary as words
from vein2vein.therapy.antigens import EXPRESSIONS, UNIT, Expression, density_laws
from vein2vein.therapy.laws import Law, laws_form, read_laws

FOLDER = Path(__file__).with_name("diseases")
FIELDS = (
    "age", "male", "weight", "height", "prior_lines", "prior_hsct", "prior_blinatumomab", "prior_bcma", "kmt2a",
    "recent_anti_cd20", "fitness_prior", "burden", "b_cells_per_kg", "lymphocytes", "cd3",
    "circulating_blasts", "creatinine_clearance",
)  # fmt: skip
FACTS = (*FIELDS, *words.ANTIGENS)  # a density has the name of its antigen


@described
@dataclass(frozen=True, kw_only=True)
class Disease(Sourced):
    """A disease.

    Attributes
    ----------
    name, title : str
    lineage : {"leukemia", "lymphoma", "myeloma", "solid"}
    antigen_a, antigen_b : str
        Antigens whose loss the numbers ``f_neg`` and ``f_neg_b`` tell.
    antigens : mapping of antigen to Expression
        What the tumor carries; an antigen that is not here is not known.
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

    name: Annotated[str, text("Name by which it is asked for")]
    title: Annotated[str, text("Name in print")]
    synonyms: Annotated[tuple[str, ...], listed("Other names", 'names such as ["dlbcl"]')] = ()
    lineage: Annotated[str, text("Kind of disease: by which rules its response is assessed", words.LINEAGES)]
    antigen_a: Annotated[str, text("First antigen on the tumor, whose loss is f_neg", words.ANTIGENS)]
    antigen_b: Annotated[str, text("Second antigen on the tumor, whose loss is f_neg_b", words.ANTIGENS)] = ""
    antigens: Annotated[dict[str, Expression], formed("Antigens on the tumor", EXPRESSIONS)]
    marrow_full: Annotated[float, number("Cells of a marrow full of tumor", "e6/kg", above=0, high=words.MARROW)] = (
        math.nan
    )
    calibrated_on: Annotated[
        tuple[str, ...], listed("Trials that its numbers were calibrated on", 'names such as ["eliana"]')
    ] = ()
    parameters: Annotated[ParameterSet, formed("Numbers of the reference model", over(general_sets.reference))]
    population: Annotated[dict[str, Law], formed("Laws of its population", laws_form(FACTS))] = field(
        default_factory=dict
    )

    def faults(self) -> Iterator[tuple[str, str]]:
        """Antigens that are one, a leukemia without marrow, laws in another unit; no provenance."""
        if self.antigen_a == self.antigen_b:
            yield "antigen_b", f"found '{self.antigen_b}', which is antigen_a; expected another or none."
        for where in ("antigen_a", "antigen_b"):
            if (name := getattr(self, where)) and not (name in self.antigens and self.antigens[name].carried):
                yield where, f"found '{name}', expected one that antigens tells to be carried; add [antigens.{name}]."
        if self.lineage == "leukemia" and math.isnan(self.marrow_full):
            yield "marrow_full", "missing; a leukemia is counted in the marrow: add the cells of a full one (e6/kg)."
        for name, law in self.population.items():
            expected = unit_of(name)
            if law.unit and not same_unit(law.unit, expected):
                said = f"found '{law.unit}', expected '{expected}'; give the numbers of this law in that unit."
                yield f"population.{name}.unit", said
        yield from super().faults()

    @property
    def found_by(self) -> str:
        """What finds it again: the name of a bundled card."""
        return self.name


@described
@dataclass(frozen=True, kw_only=True)
class OwnDisease(Disease):
    """A disease whose card is the user's own; its name may be that of a bundled one, so ``path`` finds it again."""

    path: str

    @property
    def found_by(self) -> str:
        """What finds it again: the path of its card."""
        return self.path


def unit_of(name: str) -> str:
    """Unit of a fact of a patient: that of the general law, of patient_fields.toml, else 1e6 cells per kg or none."""
    if name in words.ANTIGENS:
        return UNIT
    if name in general_laws() and general_laws()[name].unit:
        return general_laws()[name].unit
    usual = "e6/kg" if name.endswith("_per_kg") else "1"
    return str(bundled_card("therapy/patient_fields.toml").get("fields", name, "unit", default=usual))


def same_unit(unit: str, expected: str) -> bool:
    """Whether numbers in one unit are those in the other."""
    if unit == expected:
        return True
    try:
        return units.convert(1.0, unit, expected) == 1.0
    except InputError:
        return False


def read_disease(card: Card) -> Disease:
    """Read and check a disease card; a complaint names file, line and field."""
    return read(card, Disease)


@cache
def general_laws() -> dict[str, Law]:
    """Laws of a virtual patient where neither disease nor trial gives one."""
    return read_laws(bundled_card("therapy/population.toml"), "population", fields=FIELDS)


def population_laws(disease: Disease, own: dict[str, Law] | None = None) -> dict[str, Law]:
    """All laws of a population: the general ones, the disease's over them, a trial's ``own`` over both."""
    return {**general_laws(), **density_laws(disease.antigens), **disease.population, **(own or {})}


@cache
def _one(name: str) -> Disease:
    return read_disease(find_card(name, FOLDER, "disease"))


@cache
def _bundled() -> dict[str, Disease]:
    return {name: _one(name) for name in bundled_cards(FOLDER)}


def all_diseases() -> dict[str, Disease]:
    """Every bundled disease by name."""
    return dict(_bundled())


def _names() -> list[str]:
    return list(bundled_cards(FOLDER))


@dataclass(frozen=True, kw_only=True)
class LabelDisease(Sourced):
    """A disease that labels name and that has no numbers of the model.

    Attributes
    ----------
    name, title : str
    read_as : str
        The disease whose fields a patient's card then has.
    """

    name: Annotated[str, text("Name by which it is asked for")]
    title: Annotated[str, text("Name in print")]
    read_as: Annotated[str, text("Disease whose fields a patient's card then has", _names)]


@cache
def label_diseases() -> dict[str, LabelDisease]:
    """Diseases known to labels only, by name."""
    card = bundled_card("therapy/label_diseases.toml")
    return {
        name: read(card, LabelDisease, "diseases", name, given={"name": name}) for name in card.table("diseases")
    }  # fmt: skip


def lineage_of(disease: str) -> str:
    """The lineage of a disease by its name, also of one that only labels know; "" where it is none of ours."""
    if disease in label_diseases():
        disease = label_diseases()[disease].read_as
    return all_diseases()[disease].lineage if disease in all_diseases() else ""


def ages_of(disease: Disease) -> tuple[float, float]:
    """Ages, the lowest and the highest, that the card of a disease is made for; 0 and infinity where it says none."""
    law = disease.population.get("age")
    told = {} if law is None else law.numbers
    return float(told.get("low", 0.0)), float(told.get("high", math.inf))


def others_of_age(disease: Disease, age: float) -> list[Disease]:
    """Where an age does not fit the card of a leukemia: the other cards of leukemia that it fits."""
    if disease.lineage != "leukemia":
        return []
    others = [one for one in all_diseases().values() if one.lineage == disease.lineage and one.name != disease.name]
    return [one for one in others if ages_of(one)[0] <= age <= ages_of(one)[1]]


def find_disease(name: str | Path) -> Disease:
    """Find a disease by name or synonym, or read the user's own card by its path.

    Raises
    ------
    InputError
        Unknown name, with the nearest ones.
    """
    text = str(name)
    if is_path(text):
        return read(find_card(name, FOLDER, "disease"), OwnDisease, given={"path": text})
    spelled = text.lower().replace("-", "_").replace(" ", "_")
    if spelled in bundled_cards(FOLDER):  # the card's own name: the others need not be read
        return _one(spelled)
    known = {
        n.lower().replace("-", "_").replace(" ", "_"): d for d in _bundled().values() for n in (d.name, *d.synonyms)
    }
    if spelled in known:
        return known[spelled]
    if spelled in label_diseases():
        title = label_diseases()[spelled].title
        raise InputError(
            f"the disease '{text}' ({title}) is known to eligibility only (vein2vein eligible and refer): the model "
            "has no numbers for it. A card of your own is given by its path, ending in .toml."
        )
    names = {n for d in _bundled().values() for n in (d.name, *d.synonyms)}
    raise InputError(unknown("disease", text, names) + " A card of your own is given by its path, ending in .toml.")
