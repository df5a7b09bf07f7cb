"""A journey of six patients written by hand, so that every endpoint has an answer one can count."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from vein2vein.therapy.course import Course

NEVER = np.inf
DAYS = np.array([0, 1, 2, 3, 5, 8, 28, 56, 180, 365.0])


@dataclass(frozen=True)
class HandPatient:
    number: Any
    age: Any
    weight: Any
    male: Any
    prior_lines: Any
    prior_hsct: Any
    burden: Any
    baseline: Any = field(default_factory=dict)


@dataclass(frozen=True)
class HandOutcome:
    best_response: Any
    response_day: Any
    mrd_negative: Any
    relapse_day: Any
    relapse_antigen: Any
    progression_day: Any
    death_day: Any
    death_cause: Any
    hsct_day: Any
    last_day: Any
    enrolment_day: Any


@dataclass(frozen=True)
class HandKinetics:
    analyte: str
    cmax: Any
    tmax: Any
    auc_0_28: Any


@dataclass(frozen=True)
class HandLot:
    viability: Any
    names: Any


@dataclass(frozen=True)
class HandJourney:
    patient: Any
    product: Any
    apheresis: Any
    cells: Any
    lot: Any
    waiting: Any
    conditioning: Any
    infusion: Any
    infused: Any
    not_infused_reason: Any
    enrolment_day: Any
    plan: Any
    course: Any
    findings: Any
    kinetics: Any
    outcome: Any
    cure_probability: Any
    parameters: Any
    status: Any
    provenance: Any


def _table(rows, fill=np.nan):
    """Rows of {day: value} by patient; other cells filled."""
    table = np.full((6, DAYS.size), fill)
    for patient, cells in rows.items():
        for day, value in cells.items():
            table[patient, np.flatnonzero(day == DAYS)[0]] = value
    return table


def hand_journey():
    """0 CR, CRS 3, relapse positive; 1 CRi, CRS 4, relapse negative, dead; 2 CR, no CRS, transplanted; 3 NR, dead;
    4 never infused; 5 CR, CRS 1, in remission."""
    penn = _table({0: {1: 1, 2: 2, 3: 3, 5: 2}, 1: {2: 1, 3: 4, 5: 4, 8: 1}, 3: {5: 1}, 5: {0: 1, 1: 1, 3: -1}}, 0)
    neuro = _table({1: {3: 3, 5: 3, 8: 1}, 5: {8: 1}}, 0)
    neutropenia = _table({0: {8: 4, 28: 3}, 1: {28: -1, 8: 4}, 2: {28: 1}, 3: {28: 4}, 5: {28: 2, 56: 0}}, 0)
    platelets = _table({5: {28: 3, 56: 3}}, 0)
    aplasia = _table(
        {
            0: {28: 1, 56: 1, 180: 0, 365: 0}, 1: {28: 1, 56: 1, 180: 1}, 2: {28: 1, 56: 0, 180: 1, 365: 1},
            3: {28: 1}, 5: {28: 1, 56: 0, 180: 0, 365: 0},
        },
        -1,
    )  # fmt: skip
    penn[4] = neuro[4] = neutropenia[4] = platelets[4] = -1
    transgene = _table(
        {0: {1: 50, 8: 9000, 28: 800, 180: 60}, 1: {8: 30000, 28: 50}, 3: {8: 500}, 5: {8: 1000, 28: 100}}
    )
    below = np.zeros(transgene.shape, bool)
    below[0, 1] = below[1, 6] = True
    values = {
        "transgene": transgene,
        "temperature": _table(
            {0: {1: 38.7, 2: 39, 3: 39, 5: 37}, 1: {2: 38.2, 3: 40, 5: 40, 8: 38.6}, 3: {5: 38.0}, 5: {0: 38.6}}
        ),
        "neutrophils": _table({0: {2: 0.4}, 1: {3: 2.0}, 5: {0: 1.0}}),
        "fluid_boluses": _table({0: {2: 1}, 1: {2: 3}}, 0.0),
        "norepinephrine": _table({1: {3: 24, 5: 8}, 0: {3: 6}}, 0.0),
        "oxygen_device": _table({0: {3: 1}, 1: {3: 5, 5: 5, 8: 2}}, 0.0),
        "spo2": _table({0: {3: 91}, 1: {3: 85}}),
        "infection": _table({2: {28: 1}, 3: {8: 2}}, 0.0),
        "igg": _table({0: {28: 380}, 2: {28: 600}, 5: {28: 450}}),
        "ivig": _table({5: {28: 12}}),
        "tocilizumab": _table({0: {3: 300}, 1: {3: 500, 5: 500}}),
        "dexamethasone": _table({1: {5: 10, 8: 10}}),
        "mrd": _table({0: {28: 1e-3}, 1: {28: 1e-5}, 2: {28: 0}, 5: {28: 0}}),
    }
    nan = np.nan
    return HandJourney(
        patient=HandPatient(
            np.arange(6), np.array([4, 10, 12, 16, 8, 20.0]), np.array([15, 30, 45, 60, 25, 70.0]),
            np.array([True, False, True, False, True, False]), np.array([2, 3, 3, 5, 2, 4.0]),
            np.array([True, True, False, False, True, True]), np.array([7000, 1400, 140, 13300, 20000, 2800.0]),
        ),
        product=SimpleNamespace(readout="qPCR"),
        apheresis=None, cells=None, lot=HandLot(np.arange(6.0), ("all",)), waiting=None, conditioning=None,
        infusion=SimpleNamespace(cells=np.array([4.5e7, 9e7, 9e7, 1e8, 0, 2e8])),
        infused=np.array([True, True, True, True, False, True]),
        not_infused_reason=np.array(["", "", "", "", "manufacturing failure", ""]),
        enrolment_day=np.array([-40, -45, -50, -60, -30, -44.0]),
        plan=SimpleNamespace(kinetics_samples=(1, 8, 28, 180)),
        course=Course(np.arange(6), DAYS, values, {"transgene": below}),
        findings={
            "crs_penn": SimpleNamespace(grade=penn.astype(np.int8)),
            "neurologic_event": SimpleNamespace(grade=neuro.astype(np.int8)),
            "neutropenia": SimpleNamespace(grade=neutropenia.astype(np.int8)),
            "thrombocytopenia": SimpleNamespace(grade=platelets.astype(np.int8)),
            "b_cell_aplasia": SimpleNamespace(grade=aplasia.astype(np.int8)),
        },
        kinetics=HandKinetics(
            "transgene", np.array([9000, 30000, nan, 500, nan, 1000.0]), np.array([8, 8, nan, 8, nan, 8.0]),
            np.array([90000, 300000, nan, 5000, nan, 10000.0]),
        ),
        outcome=HandOutcome(
            np.array(["CR", "CRi", "CR", "NR", "", "CR"]), np.array([28, 28, 28, NEVER, NEVER, 120.0]),
            np.array([True, True, True, False, False, False]), np.array([400, 200, NEVER, NEVER, NEVER, NEVER]),
            np.array(["positive", "negative", "", "", "", ""]), np.full(6, NEVER),
            np.array([NEVER, 300, NEVER, 50, 20, NEVER]), np.array(["", "disease", "", "disease", "disease", ""]),
            np.array([NEVER, NEVER, 100, NEVER, NEVER, NEVER]), np.array([1000, 300, 1500, 50, 20, 700.0]),
            np.array([-40, -45, -50, -60, -30, -44.0]),
        ),
        cure_probability={"pp": np.linspace(0, 1, 6)},
        parameters=SimpleNamespace(values=lambda: {"K0": 14000.0}),
        status=np.zeros(6, int), provenance={"backend": "plain"},
    )  # fmt: skip
