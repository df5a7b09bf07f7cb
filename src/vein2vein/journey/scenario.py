"""A scenario, read and checked: one patient's file with what is given. Nothing is computed here: it is quick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from vein2vein.card_reading import read
from vein2vein.cards import Card
from vein2vein.clinic.care.policy import read_policy
from vein2vein.errors import InputError
from vein2vein.parameters import ParameterSet
from vein2vein.records import described
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.infusion import read_requested_dose
from vein2vein.therapy.patient import Patient, patient_from_card
from vein2vein.therapy.patient_card import patient_card
from vein2vein.therapy.product import Product, find_indication, find_product, find_regimen
from vein2vein.therapy.scenario import NAME, Scenario, numbers_of
from vein2vein.therapy.targets import check_targets, told_of

Named = TypeVar("Named")
USUAL_POLICY = "astct_2019"  # as ``simulate`` takes it without one
ONE, SEED = 1, 1


@described
@dataclass(frozen=True)
class Planned:
    """A scenario that was read and checked.

    Attributes
    ----------
    patient : Patient
        n = 1.
    notes : tuple of str
        What is unusual, and what was assumed for what the file leaves out.
    scenario : Scenario
    product : Product
    numbers : ParameterSet or None
        Of the model, in place of those of the cards.
    """

    patient: Patient
    notes: tuple[str, ...]
    scenario: Scenario
    product: Product
    numbers: ParameterSet | None

    @property
    def companions(self) -> int:
        """How many share what is known of the patient."""
        return self.scenario.companions or ONE

    @property
    def seed(self) -> int:
        """The seed of all luck."""
        return SEED if self.scenario.seed is None else self.scenario.seed


def scenario_of(card: Card) -> Scenario:
    """What a patient's card says is given; nothing where it has no such table."""
    return read(card, patient_card()).scenario or Scenario()


def plan_scenario(card: Card) -> Planned:
    """Read a patient's card with its scenario, and refuse what cannot be before anything is computed.

    Raises
    ------
    InputError
        No product, an unknown name, a dose that cannot be read: file, line and field.
    """
    patient, notes = patient_from_card(card)
    scenario = scenario_of(card)
    if not scenario.product:
        raise card.error((NAME, "product"), "missing; which product is given? 'vein2vein products' lists them.")
    product = _named(card, "product", lambda: find_product(scenario.product))
    if scenario.policy:
        _named(card, "policy", lambda: read_policy(scenario.policy))
    if scenario.dose:
        _named(card, "dose", lambda: read_requested_dose(scenario.dose))
    if scenario.conditioning:
        use, _ = find_indication(product, patient.disease)
        _named(card, "conditioning", lambda: find_regimen(use, scenario.conditioning))
    _named(
        card, "product", lambda: check_targets(product, find_disease(patient.disease), told_of(patient), asked=False)
    )
    return Planned(patient, notes, scenario, product, numbers_of(card))


def _named(card: Card, field: str, find: Callable[[], Named]) -> Named:
    """What a name stands for; a fault is told at its field."""
    try:
        return find()
    except InputError as problem:
        raise card.error((NAME, field), problem.text) from None
