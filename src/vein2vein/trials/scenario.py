"""A scenario treated in companions who share what is known of its patient; and two side by side.

Two scenarios with the same seed meet the same luck, patient by patient: a difference is that of the scenarios.
"""

from __future__ import annotations

import numpy as np

from vein2vein.arguments import Progress
from vein2vein.errors import InputError
from vein2vein.journey.chart import simulate
from vein2vein.journey.journey import Journey
from vein2vein.journey.scenario import ONE, USUAL_POLICY, Planned
from vein2vein.therapy.visits import Plan
from vein2vein.trials.contrast import Difference, difference_of, read_endpoint, resampled_patients, shown_of
from vein2vein.trials.virtual_patients import companions


def treat_scenario(planned: Planned, *, plan: Plan | None = None, progress: Progress | None = None) -> Journey:
    """Treat the companions of a scenario: the journey that ``vein2vein simulate`` gives for the same file.

    Parameters
    ----------
    planned : Planned
    plan : Plan, optional
        Visits; one that ends earlier gives the same course up to its end.
    progress : callable, optional
    """
    one, many = planned.patient, planned.companions
    patients = one if many == ONE else companions(one, many, planned.seed)
    return simulate(
        patients, planned.product, dose=planned.scenario.dose or None, regimen=planned.scenario.conditioning,
        policy=planned.scenario.policy or USUAL_POLICY, overlay=planned.numbers, seed=planned.seed, plan=plan,
        progress=progress,
    )  # fmt: skip


def differences(first: Journey, second: Journey, *, seed: int) -> tuple[Difference, ...]:
    """Endpoints of two scenarios on the same virtual patients, with the difference and its 95 % interval.

    Parameters
    ----------
    first, second : Journey
        Of as many patients, in the same order.
    seed : int
        Of the draws behind the intervals.

    Raises
    ------
    InputError
        They are of different numbers of patients, or of different diseases.
    """
    if first.count != second.count or not np.array_equal(first.patient.number, second.patient.number):
        raise InputError(
            f"found {first.count} and {second.count} companions; the two are compared patient by patient: "
            "take the same number for both.", field="scenario.companions",
        )  # fmt: skip
    if first.disease.name != second.disease.name:
        raise InputError(
            f"found {first.disease.title} and {second.disease.title}; the same patients cannot have two diseases.",
            field="disease",
        )
    rows = [row for row in shown_of(first) if row in shown_of(second)]
    drawn = resampled_patients(seed, first.count)
    found = [difference_of(row, [(read_endpoint(row, first), read_endpoint(row, second))], drawn) for row in rows]
    return tuple(row for row in found if not row.missing or any(row.patients))
