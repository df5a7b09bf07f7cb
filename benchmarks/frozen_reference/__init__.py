"""The reference model as it was in commit f95681f, 60 states: engines are compared on it while the live one grows.

The equations are copied, with their imports alone changed; ``numbers.json`` holds states, inputs, parameters, the
example and its doses, and for two states and times the rates that the copied model gave.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from frozen_reference.doses import apply_dose, initial
from frozen_reference.equations import equations
from frozen_reference.observables import observables
from vein2vein.models.model import Input, Model, State

NUMBERS: dict[str, Any] = json.loads((Path(__file__).parent / "numbers.json").read_text())

MODEL = Model(
    name="frozen_reference",
    title="Reference model, frozen",
    source="reference_model_2026",
    states=tuple(
        State(*row, low=-math.inf if low is None else low, high=math.inf if high is None else high)
        for *row, low, high in NUMBERS["states"]
    ),
    inputs=tuple(Input(*row) for row in NUMBERS["inputs"]),
    parameters=tuple(NUMBERS["parameters"]),
    equations=equations,
    initial=initial,
    apply_dose=apply_dose,
    observables=observables,
    example=NUMBERS["example"],
    example_doses=tuple((day, name, amount) for day, name, amount in NUMBERS["example_doses"]),
)
