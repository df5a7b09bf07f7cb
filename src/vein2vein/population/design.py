"""The design of a trial as its file gives it: arms, regimens, doses. What speaks against it: ``checks``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from vein2vein.card_reading import read
from vein2vein.cards import Card
from vein2vein.errors import InputError, unknown
from vein2vein.population.arms import Arm
from vein2vein.population.published import LONGEST, MOST
from vein2vein.sources import source
from vein2vein.therapy.disease import FIELDS, Disease, find_disease
from vein2vein.therapy.infusion import read_requested_dose
from vein2vein.therapy.laws import Law, read_laws
from vein2vein.therapy.product import Product, Regimen, find_indication, find_product, find_regimen

FACTS = ("source", "where", "how", "why")
_ARM = ("name", "title", "size", "disease", "product", "dose", "conditioning", "population", *FACTS)
_DOSE_UNITS = ("/kg", "cells")
_EXAMPLES = '"3.1e6/kg" or "1e8 cells"'


def found(card: Card, find: Callable[[str], Any], *path: str) -> Any:
    """What a name in the file stands for; an unknown one is refused with file, line and the nearest names."""
    name = card.string(*path)
    try:
        return find(name)
    except InputError as problem:
        if problem.file and problem.line:
            raise
        raise card.error(path, str(problem)) from None


def probability(card: Card, laws: Mapping[str, Law], name: str) -> float:
    """Probability of a law of the waiting time; 0 where there is none."""
    card.table("waiting", name, default={})
    if name not in laws:
        return 0.0
    if laws[name].kind != "bernoulli":
        raise card.error(("waiting", name, "law"), f"found {laws[name].kind}, expected bernoulli with a probability.")
    return float(laws[name].numbers["probability"])


def count(card: Card, *path: str, low: int = 0) -> int:
    """A whole number of patients."""
    value = card.number(*path, low=low, high=MOST, default=low)
    if value != int(value):
        raise card.error(path, f"found {value:g}, expected a whole number of patients.")
    return int(value)


def read_transplant(card: Card) -> tuple[float, float, float]:
    """Share of remissions that are transplanted, first and last day."""
    card.refuse_unknown(("share", "first_day", "last_day", *FACTS), "transplant")
    if card.get("transplant") is None:
        return 0.0, 0.0, 0.0
    first = card.number("transplant", "first_day", unit="day", low=0.0, high=LONGEST)
    return (
        card.number("transplant", "share", low=0.0, high=1.0),
        first,
        card.number("transplant", "last_day", unit="day", low=first, high=LONGEST),
    )


def check_sources(card: Card) -> None:
    """Refuse a source that is not in the list."""

    def walk(here: Any, path: tuple[str, ...]) -> None:
        if isinstance(here, Mapping):
            if "source" in here:
                card.string(*path, "source")
                try:
                    source(here["source"])
                except InputError as problem:
                    raise card.error((*path, "source"), problem.text) from None
            for key, value in here.items():
                walk(value, (*path, key))
        elif isinstance(here, list):
            for index, value in enumerate(here):
                walk(value, (*path, str(index)))

    walk(card.data, ())


def read_regimens(card: Card) -> dict[str, Regimen]:
    """Lymphodepletion that the trial file describes itself: [regimens.<name>]."""
    found = {
        name: read(card, Regimen, "regimens", name, given={"name": name}) for name in card.table("regimens", default={})
    }
    for name, regimen in found.items():
        if name == "none" or not regimen.drugs:
            text = "found no drugs" if name != "none" else "found 'none'"
            raise card.error(("regimens", name), f'{text}; write conditioning = "none" for no lymphodepletion.')
    return found


def check_treatment(
    card: Card, product: Product, disease: Disease, regimens: Mapping[str, Regimen], *path: str
) -> None:
    """Refuse an unknown regimen, and a dose without unit."""
    indication = find_indication(product, disease.name)[0]
    conditioning = card.string(*path, "conditioning", default=None)
    if conditioning is not None and conditioning not in regimens:
        try:
            find_regimen(indication, conditioning)
        except InputError:
            known = [*regimens, *(regimen.name for regimen in indication.regimens), "none"]
            text = unknown("lymphodepletion regimen", conditioning, known)
            raise card.error((*path, "conditioning"), text) from None
    dose = card.get(*path, "dose")
    if dose is None:
        return
    at = (*path, "dose")
    if not isinstance(dose, str) or not dose.strip().strip("+-.0123456789eE "):
        raise card.error(at, f"found {dose!r} without a unit; expected text such as {_EXAMPLES}.")
    if not dose.strip().endswith(_DOSE_UNITS):
        raise card.error(at, f"found {dose!r}, whose unit is not that of a cell dose; expected {_EXAMPLES}.")
    requested = found(card, read_requested_dose, *at)
    if not 0 < requested.cells < math.inf:
        raise card.error(at, f"found {dose!r}, expected a dose above 0 such as {_EXAMPLES}.")


def read_arms(card: Card, disease: Disease, product: Product, regimens: Mapping[str, Regimen]) -> tuple[Arm, ...]:
    """The arms: [[arms]]; what an arm leaves out is as in [trial]."""
    listed = card.get("arms")
    if listed is None:
        return ()
    if not isinstance(listed, list) or not listed:
        raise card.error(("arms",), "found no arm; write one [[arms]] table for each arm, or leave arms out for one.")
    arms: list[Arm] = []
    for i in range(len(listed)):
        here = ("arms", str(i))
        card.refuse_unknown(_ARM, *here)
        own_disease = found(card, find_disease, *here, "disease") if card.get(*here, "disease") else disease
        own_product = found(card, find_product, *here, "product") if card.get(*here, "product") else product
        check_treatment(card, own_product, own_disease, regimens, *here)
        name = card.string(*here, "name")
        if name in [arm.name for arm in arms]:
            raise card.error((*here, "name"), f"found '{name}' twice; each arm needs a name of its own.")
        arms.append(
            Arm(
                name,
                card.string(*here, "title", default=name),
                card.number(*here, "size", low=1, high=MOST),
                own_disease,
                own_product,
                card.string(*here, "dose", default=card.string("trial", "dose", default="")),
                card.string(*here, "conditioning", default=card.string("trial", "conditioning", default="")),
                read_laws(card, *here, "population", fields=FIELDS),
            )
        )
    return tuple(arms)
