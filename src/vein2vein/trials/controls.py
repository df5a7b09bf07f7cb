"""Control patients: a journey on which nobody is given cells, and what became of the patients under standard care."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vein2vein.clinic.words import counted_responses
from vein2vein.journey.journey import Journey
from vein2vein.records import absent
from vein2vein.therapy.disease import Disease, population_laws
from vein2vein.therapy.laws import Law, quantile
from vein2vein.trials.comparator import Comparator, draw_controls

STANDARD_CARE = "standard care"  # why a patient was not infused
FAILED = {"leukemia": "NR"}  # word for no response, by lineage
PROGRESSED = "PD"  # in the others


def median_burden(disease: Disease, laws: dict[str, Law]) -> float:
    """Median tumor burden of a population, e6/kg."""
    return float(quantile(population_laws(disease, laws)["burden"], np.full(1, 1 / 2), {})[0])


def under_standard_care(
    journey: Journey, comparator: Comparator, disease: Disease, laws: dict[str, Law], seed: int
) -> Journey:
    """What a comparator published, in the patients of a journey on which nobody was given cells.

    Day 0 is that of randomization. Nothing is known of manufacturing, of laboratory values or of toxicity.
    """
    patient, plan = journey.patient, journey.plan
    drawn = draw_controls(
        comparator, patient.number, seed, burden=patient.burden, median_burden=median_burden(disease, laws),
        failed=FAILED.get(disease.lineage, PROGRESSED),
    )  # fmt: skip
    never, zero = np.full(patient.count, np.inf), np.zeros(patient.count)
    death = drawn.days.get("OS", never)
    ended = drawn.days.get("PFS", drawn.days.get("EFS", never))
    last = np.full(patient.count, plan.follow_up)
    responded = np.isin(drawn.best, counted_responses())
    first_visit = np.full(patient.count, float(min(plan.disease_visits, default=0.0)))
    outcome = replace(
        journey.outcome,
        best_response=drawn.best,
        response_day=np.where(responded, np.minimum(first_visit, ended), np.inf),
        mrd_negative=np.zeros(patient.count, bool),
        relapse_day=never,
        relapse_antigen=np.full(patient.count, "", dtype=object).astype(str),
        progression_day=np.where((ended < death) & (ended <= last), ended, np.inf),
        death_day=np.where(death <= last, death, np.inf),
        death_cause=np.where(death <= last, "disease", ""),
        hsct_day=never,
        last_day=last,
        enrolment_day=zero,
    )
    return replace(
        journey,
        apheresis=absent(journey.apheresis),
        cells=absent(journey.cells),
        lot=absent(journey.lot),
        waiting=replace(
            absent(journey.waiting), days=zero, burden=patient.burden, highest_burden=patient.burden,
            bridging_kill=zero,
        ),
        conditioning=absent(journey.conditioning),
        infusion=replace(absent(journey.infusion), cells=zero, per_kg=zero),
        not_infused_reason=np.full(patient.count, STANDARD_CARE),
        enrolment_day=zero,
        outcome=outcome,
        arms=tuple(replace(facts, comparator=comparator.name) for facts in journey.arms),
        standard_care={**drawn.days, "crossover": drawn.crossed.astype(float)},
        notes=(),
    )  # fmt: skip
