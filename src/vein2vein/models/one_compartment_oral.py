"""One compartment with absorption: a dose that is absorbed at a rate proportional to what is left of it.

A textbook model; its time runs in whatever unit the parameters are given in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vein2vein.models.closed_form import Exponentials, absorbed
from vein2vein.models.linear_card import LinearCard
from vein2vein.models.model import Model

CARD = LinearCard(Path(__file__).with_suffix(".toml"))
parameters = CARD.parameters


def equations(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
    """Amounts to absorb and in blood."""
    return {"depot": -p.ka * x.depot, "central": p.ka * x.depot - p.CL / p.V * x.central}


def initial(p: Any) -> Mapping[str, Any]:
    """Nothing before the first dose."""
    return {}


def apply_dose(name: str, amount: Any, x: Any, p: Any) -> Mapping[str, Any]:
    """Into the depot from which it is absorbed."""
    return {"depot": x.depot + amount} if name == "oral_dose" else {}


def observables(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
    """Concentration in blood: amount per volume."""
    return {"concentration": x.central / p.V}


def terms(name: str, p: Any) -> Mapping[str, Any]:
    """Concentration after one unit: the curve after a bolus, absorbed at ka."""
    return {"concentration": absorbed([(1 / p.V, p.CL / p.V)], p.ka)}


MODEL = Model(
    name="one_compartment_oral",
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
    closed_form=Exponentials(("oral_dose",), terms),
    time_unit="",
)
