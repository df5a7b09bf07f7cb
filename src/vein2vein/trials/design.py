"""The design of a trial as its file gives it: arms, regimens, doses. What speaks against it: ``checks``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

from vein2vein.card_reading import located
from vein2vein.cards import Card
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.disease import Disease, find_disease
from vein2vein.therapy.infusion import read_requested_dose
from vein2vein.therapy.laws import Law
from vein2vein.therapy.product import Product, Regimen, find_indication, find_product, find_regimen
from vein2vein.therapy.release import made_in
from vein2vein.trials.arms import Arm
from vein2vein.trials.trial_card import TrialTables

Named = TypeVar("Named")
_DOSE_UNITS = ("/kg", "cells")
_EXAMPLES = '"3.1e6/kg" or "1e8 cells"'


def found(card: Card, find: Callable[[str], Named], *path: str) -> Named:
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


def of_year(card: Card, product: Product, disease: Disease, year: int | None) -> Product:
    """A product as it was made in the year of the trial, where the file gives one."""
    if year is None:
        return product
    with located(card, "trial"):
        return made_in(product, disease.name, year)


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


def check_dose_text(card: Card, *path: str) -> None:
    """Refuse a dose without unit, or that is none."""
    dose, at = card.get(*path, "dose"), (*path, "dose")
    if dose is None:
        return
    if not isinstance(dose, str) or not dose.strip().strip("+-.0123456789eE "):
        raise card.error(at, f"found {dose!r} without a unit; expected text such as {_EXAMPLES}.")
    if not dose.strip().endswith(_DOSE_UNITS):
        raise card.error(at, f"found {dose!r}, whose unit is not that of a cell dose; expected {_EXAMPLES}.")
    requested = found(card, read_requested_dose, *at)
    if requested is None or not 0 < requested.cells < math.inf:
        raise card.error(at, f"found {dose!r}, expected a dose above 0 such as {_EXAMPLES}.")


def read_arms(
    card: Card, told: TrialTables, disease: Disease, product: Product, regimens: Mapping[str, Regimen]
) -> tuple[Arm, ...]:
    """The arms: [[arms]]; what an arm leaves out is as in [trial]."""
    arms: list[Arm] = []
    for i, one in enumerate(told.arms or ()):
        here = ("arms", str(i))
        own_disease = found(card, find_disease, *here, "disease") if one.disease else disease
        own_product = found(card, find_product, *here, "product") if one.product else product
        own_product = of_year(card, own_product, own_disease, told.trial.year)
        check_treatment(card, own_product, own_disease, regimens, *here)
        if one.name in [arm.name for arm in arms]:
            raise card.error((*here, "name"), f"found '{one.name}' twice; each arm needs a name of its own.")
        arms.append(
            Arm(
                one.name,
                one.title or one.name,
                float(one.size),
                own_disease,
                own_product,
                one.dose or told.trial.dose,
                one.conditioning or told.trial.conditioning,
                one.population,
            )
        )
    return tuple(arms)
