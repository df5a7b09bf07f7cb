"""The plan that a family's page tells: patient, product, planned day, and the companions of the model."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from vein2vein.arguments import Progress
from vein2vein.card_reading import read
from vein2vein.cards import Card
from vein2vein.errors import InputError
from vein2vein.explain import facts
from vein2vein.explain.page import read_date
from vein2vein.journey.journey import Journey
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.family import FamilyPage
from vein2vein.therapy.patient import PAPERS_LACK, Patient, not_given, patient_from_card, select
from vein2vein.therapy.patient_card import patient_name
from vein2vein.therapy.patient_notes import without_typical
from vein2vein.therapy.product import Product, all_products, find_product
from vein2vein.therapy.targets import check_targets, told_of


@dataclass(frozen=True)
class Plan:
    """What a page is made of.

    Attributes
    ----------
    patient : Patient
        n = 1.
    product : Product
    infusion_date : str or None
    name : str
        What the card calls the patient; "" where it does not say.
    companions : int
        Virtual patients whom the model adds; 0 where it may not speak of this patient, or was not asked to.
    notes : tuple of str
        What is unusual, and why the model is silent.
    """

    patient: Patient
    product: Product
    infusion_date: str | None
    name: str
    companions: int
    notes: tuple[str, ...]


def plan_of(
    card: Card,
    *,
    otherwise: int,
    companions: int | None = None,
    product: str | None = None,
    infusion_date: str | None = None,
) -> Plan:
    """Read a plan from a patient's card; what is given here goes before what the card says under ``[explain]``.

    Parameters
    ----------
    card : Card
    otherwise : int
        Companions where neither the card nor the caller says how many; 0: only published rates.
    companions : int, optional
    product, infusion_date : str, optional

    Raises
    ------
    InputError
        As ``patient_from_card``; no product, an unknown one, one whose target the tumor lacks, a day that is none.
    """
    said = FamilyPage() if card.get("explain") is None else read(card, FamilyPage, "explain")
    patient, noticed = patient_from_card(_with_collection(card, said), may_lack=PAPERS_LACK)
    count = companions if companions is not None else otherwise if said.companions is None else said.companions
    most = facts.numbers().number("companions", "most", "value")
    if count > most:
        raise InputError(f"found {count}, expected at most {most:g} virtual patients.", field="explain.companions")
    name, day = product or said.product, infusion_date or said.infusion_date or None
    read_date(day)
    if not name:
        raise InputError(
            f"which product? Add --product with one of {', '.join(all_products())}, or a card of your own; "
            'or write it into the file: [explain], product = "...".',
            field="explain.product",
        )
    try:
        chosen = find_product(name)
    except InputError as problem:
        raise InputError(problem.text, file=problem.file, line=problem.line, field="explain.product") from None
    check_targets(chosen, find_disease(patient.disease), told_of(patient), remedy="")
    notes = without_typical(noticed)  # none is told on the page
    if not facts.weight_known(patient):
        notes.append(
            "weight is not given: the page shows it as to obtain, and nothing that depends on it"
            f"{', so no model' if count else ''}"
        )
    if not facts.approved(patient, chosen):
        notes.append(f"{chosen.name} is not listed as approved for this disease and age; the page says so")
    comparable = facts.comparable(patient, chosen)
    if count and not comparable:
        notes.append("the model was not compared with a study of this product, disease and age: published rates only")
    shown = count if comparable and facts.weight_known(patient) else 0
    if shown and (lacking := not_given(patient)):
        notes.append(f"not given, and different from companion to companion: {', '.join(lacking)}")
    return Plan(patient, chosen, day, patient_name(card), shown, tuple(notes))


def _with_collection(card: Card, said: FamilyPage) -> Card:
    """The card with the day of the collection counted from the infusion, where it gives both as dates."""
    if not said.collection_date:
        return card
    first, zero = (datetime.date.fromisoformat(one) for one in (said.collection_date, said.infusion_date))
    days = {**card.table("days", default={}), "leukapheresis": (first - zero).days}
    return Card(card.file, card.text, {**card.data, "days": days})


def journeys(plan: Plan, *, seed: int = 1, progress: Progress | None = None) -> Journey:
    """The courses of the companions of a plan."""
    from vein2vein.journey.chart import simulate
    from vein2vein.trials.virtual_patients import companions as drawn

    # the first one has typical values where the card gives none, among them a sex
    others = select(drawn(plan.patient, plan.companions + 1, seed), range(1, plan.companions + 1))
    return simulate(others, plan.product, seed=seed, progress=progress)


def shown_by_companions(plan: Plan, *, seed: int = 1, progress: Progress | None = None) -> facts.Simulated:
    """What the companions of a plan showed: enough for its page."""
    _, disease = facts.use_of(plan.patient, plan.product)
    return facts.shown_by(journeys(plan, seed=seed, progress=progress), plan.product, disease)
