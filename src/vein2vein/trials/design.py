"""The design of a trial as its file gives it: arms, regimens, doses. What speaks against it: ``checks``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from vein2vein.card_reading import located
from vein2vein.cards import Card
from vein2vein.clinic.care.management import read_policy
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.disease import Disease, find_disease
from vein2vein.therapy.infusion import read_requested_dose
from vein2vein.therapy.laws import Law
from vein2vein.therapy.product import Product, Regimen, find_indication, find_product, find_regimen
from vein2vein.therapy.release import made_in
from vein2vein.therapy.targets import ANYHOW, absent, densities
from vein2vein.trials.arms import Arm
from vein2vein.trials.comparator import Comparator, find_comparator, refuse_disease
from vein2vein.trials.trial_card import RANDOMIZED, ArmCard, TrialTables

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
        own = (problem.field or "").split(".")[0] == path[-1]  # said once is enough
        raise card.error(path, problem.text if own else str(problem)) from None


def probability(card: Card, laws: Mapping[str, Law], name: str, *above: str) -> float:
    """Probability of a law of the waiting time; 0 where there is none."""
    card.table(*above, "waiting", name, default={})
    if name not in laws:
        return 0.0
    if laws[name].kind != "bernoulli":
        raise card.error(
            (*above, "waiting", name, "law"), f"found {laws[name].kind}, expected bernoulli with a probability."
        )
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
    """Refuse an unknown regimen."""
    indication = find_indication(product, disease.name)[0]
    conditioning = card.string(*path, "conditioning", default=None)
    if conditioning is not None and conditioning not in regimens:
        try:
            find_regimen(indication, conditioning)
        except InputError:
            known = [*regimens, *(regimen.name for regimen in indication.regimens), "none"]
            text = unknown("lymphodepletion regimen", conditioning, known)
            raise card.error((*path, "conditioning"), text) from None


def check_target(
    card: Card, product: Product, disease: Disease, laws: Mapping[str, Law], told: TrialTables, *path: str
) -> None:
    """Refuse a product whose targets the tumor lacks, unless the file asks for it; a law of a density counts."""
    said = "" if told.trial.absent_target else absent(product, disease, densities(laws))
    if said:
        named = [at for at in ((*path, "product"), ("trial", "product")) if card.get(*at) is not None]
        raise card.error(named[0], said + ANYHOW)


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
    if requested is None or not requested.cells > 0:
        raise card.error(at, f"found {dose!r}, expected a dose above 0 such as {_EXAMPLES}.")


def read_arms(
    card: Card, told: TrialTables, disease: Disease, product: Product, regimens: Mapping[str, Regimen]
) -> tuple[Arm, ...]:
    """The arms: [[arms]]; what an arm leaves out is as in [trial]."""
    arms: list[Arm] = []
    for i, one in enumerate(told.arms or ()):
        here = ("arms", str(i))
        own_disease = found(card, find_disease, *here, "disease") if one.disease else disease
        comparator = _comparator(card, one, own_disease, *here)
        own_product = found(card, find_product, *here, "product") if one.product else product
        own_product = of_year(card, own_product, own_disease, told.trial.year)
        check_treatment(card, own_product, own_disease, regimens, *here)
        check_target(card, own_product, own_disease, {**told.population, **one.population}, told, *here)
        if one.name in [arm.name for arm in arms]:
            raise card.error((*here, "name"), f"found '{one.name}' twice; each arm needs a name of its own.")
        if one.policy:
            found(card, read_policy, *here, "policy")
        _check_allocation(card, told.trial.allocation, one, *here)
        probability(card, one.waiting, "bridging_share", *here)
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
                one.policy or told.trial.policy,
                one.waiting.get("vein_to_vein", told.waiting.get("vein_to_vein")),
                one.waiting.get("bridging_share", told.waiting.get("bridging_share")),
                comparator,
            )
        )
    if arms and all(arm.comparator for arm in arms):
        raise card.error(("arms", "0", "comparator"), "found standard care in every arm; one at least is given cells.")
    if told.trial.allocation == RANDOMIZED and len(arms) < len(("one", "other")):
        raise card.error(
            ("trial", "allocation"), f"found randomized, but {len(arms)} arms; write two [[arms]] or more."
        )
    return tuple(arms)


def _comparator(card: Card, one: ArmCard, disease: Disease, *here: str) -> Comparator | None:
    """Standard care of an arm; what is only given with cells is refused beside it."""
    if not one.comparator:
        return None
    comparator = found(card, find_comparator, *here, "comparator")
    try:
        refuse_disease(comparator, disease.name)
    except InputError as problem:
        raise card.error((*here, "comparator"), problem.text) from None
    for name in ("product", "dose", "conditioning", "policy", "waiting"):
        if getattr(one, name):
            text = f"found in an arm of standard care ('{one.comparator}'), which is given no cells; leave it out."
            raise card.error((*here, name), text)
    return comparator


def _check_allocation(card: Card, allocation: str, one: ArmCard, *here: str) -> None:
    """Refuse arms of a randomized trial whose patients differ."""
    if allocation != RANDOMIZED:
        return
    for name in ("population", "disease"):
        if getattr(one, name):
            text = "found in an arm of a randomized trial, whose arms are drawn from one population"
            raise card.error((*here, name), f"{text}; write it in [{'trial' if name == 'disease' else name}].")
