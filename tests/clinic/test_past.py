"""A course that grows, graded by its newest column, gets the grades of the whole course; one rule serves both."""

from __future__ import annotations

import numpy as np
import pytest

from vein2vein.analytes import all_analytes
from vein2vein.clinic.grades import monitoring
from vein2vein.clinic.grades.grades import latest, take
from vein2vein.clinic.words import crs_scales
from vein2vein.therapy.course import Course

SCALES = tuple(crs_scales())

CHARTED = {
    "temperature": (36.5, 38.5, 40.0), "fever_other_cause": (0, 1), "systolic_bp": (70, 110, 120),
    "fluid_boluses": (0, 0, 3), "norepinephrine": (0, 0, 5, 30), "vasopressin": (0, 0, 1), "other_vasopressors": (0, 1),
    "spo2": (85, 96, 99), "fio2": (0.21, 0.21, 0.5), "oxygen_device": (0, 0, 1, 2, 5), "oxygen_flow": (0, 2, 10),
    "ice": (10, 8, 2, 0), "capd": (0, 9), "arousal": (0, 0, 1, 3, 4), "seizure": (0, 0, 1), "sedated": (0, 0, 0, 1),
    "intracranial_hemorrhage": (0, 0, 0, 1), "cerebral_edema": (0, 0, 2), "home_oxygen": (0, 1),
    "developmental_delay": (0, 0, 1), "ast": (20, 200), "creatinine": (0.5, 2.0), "tocilizumab": (0, 0, 0, 560),
    "dexamethasone": (0, 0, 10), "motor_weakness": (0, 0, 1), "neurologic_other_cause": (0, 0, 1),
}  # fmt: skip
AGE = np.array([5.0, 15.0, 40.0, 70.0])
SHARES = (0.0, 0.3, 0.7)
TREATMENTS = [name for name in CHARTED if all_analytes()[name].kind == "treatment"]


def charts(seed: int, absent: float) -> Course:
    """A made-up course of four patients; every value is absent with some probability."""
    random = np.random.default_rng(seed)
    days = np.cumsum(random.choice([0.25, 0.5, 1.0, 3.0], 30)) - 1.0
    shape = (len(AGE), len(days))
    values = {}
    for name, choices in CHARTED.items():
        # of a patient whose signs come and go in stretches
        drawn = random.choice(np.asarray(choices, dtype=float), shape)
        still = random.random(shape) < 0.5
        drawn = np.where(still, np.asarray(choices[0], dtype=float), drawn)
        values[name] = np.where(random.random(shape) < absent, np.nan, drawn)
    return Course(np.arange(len(AGE)), days, values)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("absent", SHARES)
def test_growing_course_gets_the_grades_of_the_whole(seed: int, absent: float) -> None:
    course = charts(seed, absent)
    scales = (*(f"crs_{scale}" for scale in SCALES), "icans")
    whole = monitoring.grade(course, age=AGE, scales=scales)
    assert sum(len(np.unique(one.grade)) for one in whole.values()) > 2 * len(scales)
    watch = monitoring.GrowingGrades(len(course.days), age=AGE, weight=None, scales=scales)
    for column in range(len(course.days)):
        so_far = course.until(course.days[column])
        ordered = {name: so_far.values[name].copy() for name in TREATMENTS}
        for amount in ordered.values():
            amount[:, -1] = np.nan  # what is ordered today is charted after the grading
        found = watch.grade(Course(course.patients, so_far.days, {**so_far.values, **ordered}))
        for name, grades in found.items():
            of_whole = whole[name].grade[:, : column + 1]
            assert np.array_equal(grades.grade, take(of_whole, latest(of_whole >= 0), 0)), (name, column)
