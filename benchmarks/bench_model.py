"""The model on which the engines are compared: 15 states and an area, a year, ten doses, a drug fired by a threshold.

Invented for speed tests; the numbers mean nothing clinically. Rates lie between 0.001 and 24 per day, with Hill,
logarithm and exponential terms; ten parameters vary between patients. Every engine solves the same list:

    MODEL, draw_parameters(n, seed), DOSES, EVENT, output_days(), START_DAY

The states are started by ``vein2vein.models.model.start(MODEL, parameters)``. A dose adds ``amount`` to the state in
``ENTERS[input name]``. The event adds ``EVENT.amount`` to TOC at the first moment at which IL6 reaches
``THRESHOLD`` (once per patient); it fires in about 30 % of the patients.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vein2vein.engine.method.events import Event
from vein2vein.models.mathematics import exp, hill, log, maximum
from vein2vein.models.model import Input, Model, State

START_DAY, LAST_DAY, OUTPUTS = 0.0, 370.0, 60
THRESHOLD = 71.0
TYPICAL = {
    "growth": 1.9,
    "death": 0.32,
    "memory": 0.03,
    "kill": 1.3,
    "tumor": 0.06,
    "room": 900.0,
    "engage": 40.0,
    "release": 95.0,
    "steep": 1.6,
    "clear": 10.0,
}
SPREAD = {
    "growth": 0.08,
    "death": 0.15,
    "memory": 0.3,
    "kill": 0.25,
    "tumor": 0.2,
    "room": 0.2,
    "engage": 0.3,
    "release": 0.45,
    "steep": 0.1,
    "clear": 0.2,
}
ENTERS = {"cells": "E", "dexamethasone": "DEX", "igg": "IGG", "tocilizumab": "TOC"}
DOSES = (
    (0.0, "cells", 0.6),
    (2.0, "cells", 0.4),
    (9.0, "dexamethasone", 10.0),
    (9.5, "dexamethasone", 10.0),
    (10.0, "dexamethasone", 10.0),
    (11.0, "dexamethasone", 5.0),
    (60.0, "igg", 4.0),
    (120.0, "igg", 4.0),
    (180.0, "igg", 4.0),
    (240.0, "igg", 4.0),
)
STATES = (
    State("E", "effector cells", "1/uL", 1e-4, low=0.0),
    State("M", "memory cells", "1/uL", 1e-4, low=0.0),
    State("X", "exhausted cells", "1/uL", 1e-4, low=0.0),
    State("T", "log of tumor cells", "1", 1e-4),
    State("S", "log of tumor cells with little antigen", "1", 1e-4),
    State("B", "B cells", "1/uL", 1e-3, low=0.0),
    State("IL15", "interleukin 15", "pg/mL", 1e-3, low=0.0),
    State("IFN", "interferon gamma", "pg/mL", 1e-3, low=0.0),
    State("MAC", "activated macrophages", "1", 1e-4, low=0.0),
    State("IL6", "interleukin 6", "pg/mL", 1e-3, low=0.0),
    State("CRP", "C-reactive protein", "mg/L", 1e-3, low=0.0),
    State("FER", "ferritin", "ug/L", 1e-2, low=0.0),
    State("TOC", "tocilizumab", "ug/mL", 1e-3, low=0.0),
    State("DEX", "dexamethasone", "ng/mL", 1e-3, low=0.0),
    State("IGG", "immunoglobulin", "g/L", 1e-3, low=0.0),
    State("AUC", "area under the cells", "d/uL", 1e-2, low=0.0),
)


def equations(t: Any, x: Any, p: Any, u: Any) -> dict[str, Any]:
    """Time derivatives per day."""
    tumor, hidden = exp(x.T), exp(x.S)
    antigen = tumor + 0.15 * hidden + 0.4 * x.B
    engaged = hill(antigen, p.engage, 1.0)
    relief = 1 / (1 + 0.12 * x.DEX)
    help_15 = x.IL15 / (8.0 + x.IL15)
    drive = p.growth * engaged * help_15 * relief / (1 + 0.001 * (x.E + x.M))
    crowd = log(1 + tumor + hidden) / log(1 + p.room)
    killing = p.kill * hill(x.E + 0.2 * x.M, 25.0, p.steep)
    signal = x.E * engaged * relief
    blocked = 1 / (1 + 0.8 * x.TOC)
    return {
        "E": (2 * drive - p.death - p.memory - 0.05 * engaged) * x.E + 0.5 * drive * x.M,
        "M": p.memory * x.E - (0.004 + 0.3 * drive) * x.M,
        "X": 0.05 * engaged * x.E - 0.11 * x.X,
        "T": p.tumor * (1 - crowd) - killing - 1e-3,
        "S": p.tumor * (1 - crowd) - 0.12 * killing + 1e-3 * exp(x.T - x.S) - 2e-3,
        "B": 0.02 * (250.0 - x.B) - 0.9 * killing * x.B,
        "IL15": 4.0 * (3.0 + 32.0 * exp(-t / 9.0) - x.IL15) - 0.01 * x.E * x.IL15,
        "IFN": 24.0 * (1.0 + 3.0 * signal / (1 + 0.002 * signal) - x.IFN),
        "MAC": 1.4 * hill(x.IFN, 120.0, p.steep) * (1 + 0.3 * blocked * hill(x.IL6, 200.0, 2.0)) - 0.9 * x.MAC,
        "IL6": p.clear * (2.0 + p.release * x.MAC * relief - x.IL6 / (1 + 0.25 * (1 - blocked))),
        "CRP": 0.9 * (3.0 + 60.0 * log(1 + blocked * x.IL6 / 8.0) - x.CRP),
        "FER": 0.35 * (150.0 + 4200.0 * hill(maximum(x.MAC, 0.0), 0.8, 2.0) - x.FER),
        "TOC": -0.07 * x.TOC - 2.0 * x.TOC / (4.0 + x.TOC),
        "DEX": -5.0 * x.DEX,
        "IGG": 0.03 * (9.0 * x.B / (20.0 + x.B) - x.IGG),
        "AUC": x.E + x.M + x.X,
    }


def initial(p: Any) -> dict[str, Any]:
    """Before the infusion."""
    return {
        "T": log(0.08 * p.room),
        "S": log(1e-3 * p.room),
        "B": 60.0,
        "IL15": 30.0,
        "IFN": 1.0,
        "IL6": 2.0,
        "CRP": 10.0,
        "FER": 300.0,
        "IGG": 7.0,
    }


def apply_dose(name: str, amount: Any, x: Any, p: Any) -> dict[str, Any]:
    """Every dose adds to one state."""
    state = ENTERS[name]
    return {state: getattr(x, state) + amount}


def observables(t: Any, x: Any, p: Any, u: Any) -> dict[str, Any]:
    """What a course would show."""
    return {"cells": x.E + x.M + x.X, "il6": x.IL6, "ferritin": x.FER, "tumor": exp(x.T) + exp(x.S)}


MODEL = Model(
    name="bench",
    title="Bench model of the engines",
    source="none",
    states=STATES,
    inputs=tuple(Input(name, f"into {state}", "1") for name, state in ENTERS.items()),
    parameters=tuple(TYPICAL),
    equations=equations,
    initial=initial,
    apply_dose=apply_dose,
    observables=observables,
    example=TYPICAL,
    example_doses=DOSES,
)
EVENT = Event("tocilizumab", lambda t, x, p, u: x.IL6 - THRESHOLD, "tocilizumab", 60.0, most=1)


def draw_parameters(n: int, seed: int = 1) -> np.ndarray:
    """Log-normal parameters (n, 10) in the order of ``MODEL.parameters``."""
    noise = np.random.default_rng(seed).normal(size=(n, len(TYPICAL)))
    return np.array(list(TYPICAL.values())) * np.exp(noise * np.array([SPREAD[name] for name in TYPICAL]))


def output_days() -> np.ndarray:
    """Sixty days: the first day, denser at first, then one every ten days."""
    early = [0.0, *np.arange(1, 15), *np.arange(16, 31, 2), 35.0, 40.0, 45.0]
    return np.array([*early, *np.linspace(50.0, LAST_DAY, OUTPUTS - len(early))])
