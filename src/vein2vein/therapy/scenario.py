"""A scenario: what one patient is given, in the patient's own file, so that the file alone says what was simulated.

The table ``[scenario]`` stands beside the facts of the patient. ``vein2vein simulate`` and the page of one patient read
it; what the command line says goes before what the file says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any

from vein2vein.cards import Card
from vein2vein.declared import Record, number, part, text
from vein2vein.general_sets import reference
from vein2vein.parameters import Parameter, ParameterSet, names_for_cards

NAME, WHY = "scenario", "set in the scenario"


@cache
def changeable() -> tuple[str, ...]:
    """Numbers of the model that a scenario may set."""
    return tuple(names_for_cards(reference()))


@dataclass(frozen=True, kw_only=True)
class Scenario(Record):
    """What is given, and to how many who share what is known of the patient."""

    product: Annotated[str, text("Product")] = ""
    dose: Annotated[str, text('Dose; of viable CAR+ cells, such as "3.1e6/kg" or "1e8"; the label\'s without it')] = ""
    conditioning: Annotated[str, text("Lymphodepletion; the usual one without it")] = ""
    policy: Annotated[str, text("Policy; when tocilizumab, steroids and the rest are given")] = ""
    companions: Annotated[int, number("Companions; who share what is known of this patient", low=1)] | None = None
    seed: Annotated[int, number("Seed; the same seed gives the same luck", low=0)] | None = None
    numbers: Annotated[
        Mapping[str, Any], part("Numbers of the model in place of those of the cards", "rho = 1.2", names=changeable)
    ] = field(default_factory=dict[str, Any])


def numbers_of(card: Card) -> ParameterSet | None:
    """The numbers of the model that the scenario of a patient's card sets; None where it sets none.

    Returns
    -------
    ParameterSet or None
        To be laid over those of the cards: the spread between patients stays.

    Raises
    ------
    InputError
        An unknown name, a wrong unit, a number out of its bounds: file, line and field.
    """
    at = (NAME, "numbers")
    given: Mapping[str, Any] = card.table(*at, default={})
    if not given:
        return None
    card.refuse_unknown(changeable(), *at, what="parameter")
    general = reference().parameters
    found: dict[str, Parameter] = {}
    for name in given:
        one = general[name]
        least, most = one.range
        value = float(card.number(*at, name, unit=one.unit, low=least, high=most))
        found[name] = Parameter(name=name, symbol=one.symbol, value=value, unit=one.unit, how="assumed", why=WHY)
    return ParameterSet(NAME, found, (NAME,))
