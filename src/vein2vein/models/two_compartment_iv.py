"""Two compartments: a bolus or an infusion into the blood.

A textbook model; its time runs in whatever unit the parameters are given in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vein2vein.models.closed_form import Exponentials, Terms
from vein2vein.models.linear_card import LinearCard
from vein2vein.models.model import Model

CARD = LinearCard(Path(__file__).with_suffix(".toml"))
parameters = CARD.parameters


def equations(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
    """Amounts in blood and in tissue."""
    out, back = p.Q / p.V1 * x.central, p.Q / p.V2 * x.peripheral
    return {"central": -p.CL / p.V1 * x.central - out + back, "peripheral": out - back}


def initial(p: Any) -> Mapping[str, Any]:
    """Nothing before the first dose."""
    return {}


def apply_dose(name: str, amount: Any, x: Any, p: Any) -> Mapping[str, Any]:
    """Into the blood at once."""
    return {"central": x.central + amount} if name == "iv_dose" else {}


def observables(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
    """Concentration in blood: amount per volume."""
    return {"concentration": x.central / p.V1}


def after_bolus(p: Any) -> Terms:
    """Concentration after one unit into the blood: two exponentials."""
    out, back, through = p.CL / p.V1, p.Q / p.V2, p.Q / p.V1
    half = (out + through + back) / 2
    fast = half + np.sqrt(np.maximum(half * half - out * back, 0.0))
    slow = out * back / fast
    share = (fast - back) / (fast - slow) / p.V1
    return [(share, fast), (1 / p.V1 - share, slow)]


def terms(name: str, p: Any) -> Mapping[str, Any]:
    """Concentration after one unit."""
    return {"concentration": after_bolus(p)}


MODEL = Model(
    name="two_compartment_iv",
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
