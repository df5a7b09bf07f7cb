"""One compartment: a bolus or an infusion into the blood.

A textbook model; its time runs in whatever unit the parameters are given in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vein2vein.models.closed_form import Exponentials
from vein2vein.models.linear_card import LinearCard
from vein2vein.models.model import Model

CARD = LinearCard(Path(__file__).with_suffix(".toml"))
parameters = CARD.parameters


def equations(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
    """Amount in blood, which leaves it at CL / V."""
    return {"central": -p.CL / p.V * x.central}


def initial(p: Any) -> Mapping[str, Any]:
    """Nothing before the first dose."""
    return {}


def apply_dose(name: str, amount: Any, x: Any, p: Any) -> Mapping[str, Any]:
    """Into the blood at once."""
    return {"central": x.central + amount} if name == "iv_dose" else {}


def observables(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
    """Concentration in blood: amount per volume."""
    return {"concentration": x.central / p.V}


def terms(name: str, p: Any) -> Mapping[str, Any]:
    """Concentration after one unit: exp(-CL / V t) / V."""
    return {"concentration": [(1 / p.V, p.CL / p.V)]}


MODEL = Model(
    name="one_compartment_iv",
    title=CARD.title,
    source="gibaldi_perrier_1982",
    states=CARD.states,
    inputs=CARD.inputs,
    parameters=CARD.names,
    equations=equations,
    initial=initial,
    apply_dose=apply_dose,
    observables=observables,
    example=CARD.example,
    example_doses=CARD.example_doses,
    closed_form=Exponentials(("iv_dose",), terms),
    time_unit="",
)
