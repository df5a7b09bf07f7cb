"""No value of a chart that is removed settles a lower grade of any scale, and no support that is added lowers one.

What a person states to set a sign aside is no measured value and is left out (docs/monitor.md says so): an attribution,
oxygen at home, airway protection, sedation, hemorrhage, developmental delay. Rows are more than a day apart: within its
span the reading before stands for one that is not charted.
"""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vein2vein.analytes import analyte
from vein2vein.clinic.grades.monitoring import ALL_FINDINGS, grade
from vein2vein.therapy.course import Course

AGES = np.array([0.5, 6.0, 13.0, 60.0])
MISSING = -1.0
CHOICES = {  # what a chart may hold; MISSING: not charted
    "temperature": (36.5, 37.9, 38.0, 39.5, MISSING),
    "systolic_bp": (55, 75, 85, 110, 110, MISSING),
    "fluid_boluses": (0, 0, 1, 2, MISSING),
    "norepinephrine": (0, 0, 0, 5, 25, MISSING),
    "epinephrine": (0, 0, 0, 3, MISSING),
    "vasopressin": (0, 0, 0, 1, MISSING),
    "oxygen_device": (0, 0, 0, 1, 2, 3, 4, 5, MISSING),
    "oxygen_flow": (0, 0, 4, 6, 8, MISSING, MISSING),
    "fio2": (0.21, 0.21, 0.3, 0.4, 0.6, MISSING, MISSING),
    "spo2": (85, 96, 96, MISSING),
    "creatinine": (0.6, 1.0, 1.9, 4.0, 9.0, MISSING),
    "ast": (30, 130, 300, 900, MISSING),
    "alt": (30, 30, 300, MISSING),
    "bilirubin": (0.5, 2.0, 5.0, MISSING),
    "dialysis": (0, 0, 0, 1, MISSING),
    "organ_toxicity": (0, 0, 3, MISSING),
    "pressor_refractory": (0, 0, 0, 1, MISSING),
    "life_threatening": (0, 0, 0, 1, MISSING),
    "clotting_support": (0, 0, 1, MISSING),
    "tocilizumab": (0, 0, 0, 560, MISSING),
    "dexamethasone": (0, 0, 0, 10, MISSING),
    "alive": (1, 1, 1, 1, 0, MISSING),
    "death_cause": (MISSING, MISSING, MISSING, MISSING, 0, 1, 2, 3),
    "ice": (10, 10, 8, 5, 1, 0, MISSING),
    "capd": (0, 4, 9, 20, MISSING),
    "cartox_score": (10, 8, 5, 1, MISSING),
    "arousal": (0, 0, 1, 2, 4, MISSING),
    "seizure": (0, 0, 0, 1, 2, MISSING),
    "seizure_kind": (0, 1, 2, MISSING),
    "motor_weakness": (0, 0, 1, MISSING),
    "cerebral_edema": (0, 0, 1, 2, MISSING),
    "papilledema": (0, 0, 2, 4, MISSING),
    "headache_or_tremor": (0, 1, MISSING),
    "ferritin": (100, 350, 500, 900, 20000, MISSING),
    "fibrinogen": (1.0, 3.0, MISSING),
    "hemophagocytosis": (0, 0, 1, MISSING),
    "bleeding": (0, 0, 1, 2, MISSING),
    "neutrophils": (0.05, 0.4, 2.0, MISSING),
    "platelets": (10, 60, 200, MISSING),
    "hemoglobin": (6, 9, 12, MISSING),
    "lymphocytes": (0.05, 1.0, MISSING),
    "white_cells": (0.5, 3.0, MISSING),
    "b_cells": (0, 2, 5, 40, MISSING),
    "b_cell_percent": (0.2, 4.0, MISSING, MISSING),
    "igg": (100, 380, 600, 900, MISSING),
}
FIRST, COUNT = -1.0, 8
seeds = st.integers(0, 10**6)


def chart(seed):
    random = np.random.default_rng(seed)
    shape = (len(AGES), COUNT)
    steps = random.choice([1.1, 1.1, 1.1, 1.5, 4.0], COUNT)
    days = FIRST + np.cumsum(steps) - steps[0] + random.choice([0.0, 7.0, 56.0]) * (np.arange(COUNT) > 1)
    calm = random.random((len(AGES), 1)) < 0.4  # in many patients most supports are never used
    values = {}
    for name, choices in CHOICES.items():
        drawn = random.choice(np.array(choices, dtype=float), shape)
        if analyte(name).kind in ("support", "treatment"):
            drawn = np.where(calm & (drawn > 0), choices[0], drawn)
        values[name] = np.where(drawn == MISSING, np.nan, drawn)
    nearly = np.clip(values["ice"] + random.choice([-1, 0, 1], shape), 0, 10)  # two charts of one thing agree
    values["cartox_score"] = np.where(
        np.isnan(nearly) | np.isnan(values["cartox_score"]), values["cartox_score"], nearly
    )
    share = 100 * values["b_cells"] / (1000 * values["lymphocytes"])
    values["b_cell_percent"] = np.where(
        np.isnan(values["b_cell_percent"]) | np.isnan(share), values["b_cell_percent"], share
    )
    return Course(np.arange(len(AGES)), days, values, origin="measured")


def without(course, name, column):
    array = course.values[name].copy()
    array[:, column] = np.nan
    return Course(course.patients, course.days, {**course.values, name: array}, origin=course.origin)


READ_BY = {
    "icans": ("ice", "capd", "arousal", "seizure", "motor_weakness", "cerebral_edema", "alive", "death_cause"),
    "cres": ("ice", "arousal", "seizure", "seizure_kind", "motor_weakness", "cerebral_edema", "papilledema"),
}
BEDSIDE = (
    *(name for name in CHOICES if analyte(name).kind in ("support", "sign", "treatment")),
    "creatinine", "ast", "alt", "bilirubin",
)  # fmt: skip


# Charted only where it is there: without the row it was not. A score shows arousal, a saturation that the patient
# breathes as charted, and an organ that was not drawn counts for no older scale.
ABSENT_IS_NONE = {
    name for name in CHOICES if analyte(name).kind in ("support", "treatment")
} | {
    "seizure", "seizure_kind", "motor_weakness", "cerebral_edema", "papilledema", "headache_or_tremor", "death_cause",
    "alive", "pressor_refractory", "life_threatening", "hemophagocytosis", "bleeding", "spo2", "arousal",
    "ast", "alt", "creatinine", "bilirubin",
}  # fmt: skip


@pytest.mark.parametrize("finding", ALL_FINDINGS)
@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(0, COUNT - 1), st.data())
def test_no_value_that_is_removed_settles_a_lower_grade(finding, seed, column, data):
    course = chart(seed)
    names = READ_BY.get(finding, BEDSIDE if finding.startswith("crs_") else tuple(CHOICES))
    removed = data.draw(st.sampled_from([name for name in names if name not in ABSENT_IS_NONE]))
    # a recurrence, which two scales grade higher, asks for proof of an episode before
    assume(not (removed == "temperature" and finding in ("crs_penn", "crs_ctcae4")))
    scales = ("crs_astct", finding) if finding == "iec_hs" else (finding,)
    whole = grade(course, age=AGES, scales=scales)[finding]
    less = grade(without(course, removed, column), age=AGES, scales=scales)[finding]
    both = (less.grade >= 0) & (whole.grade >= 0)
    if finding != "iec_hs":  # it adds up what is abnormal: a value that is not there adds nothing
        assert (less.grade >= whole.grade)[both].all(), (removed, column)
    assert (less.at_least == less.grade)[less.grade >= 0].all()


@pytest.mark.parametrize(("seed", "column"), [(31, 6), (40, 3), (10286, 4)])
def test_a_pressure_that_is_removed_hides_the_rest_before_a_recurrence(seed, column):
    course = chart(seed)
    whole, less = (
        grade(c, age=AGES, scales=("crs_ctcae4",))["crs_ctcae4"]
        for c in (course, without(course, "systolic_bp", column))
    )
    assert ((whole.grade >= 3) & (less.grade < 0)).any()
    assert (less.grade >= whole.grade)[(less.grade >= 0) & (whole.grade >= 0)].all()


@pytest.mark.parametrize("finding", ALL_FINDINGS)
def test_without_the_age_no_grade_is_higher(finding):
    for seed in range(20):
        course = chart(seed)
        known, unknown = (grade(course, age=a, scales=[finding])[finding] for a in (AGES, np.full(len(AGES), np.nan)))
        assert (unknown.at_least <= known.at_least).all(), seed


MORE = {
    "fluid_boluses": lambda v: np.nan_to_num(v) + 1,
    "norepinephrine": lambda v: np.nan_to_num(v) + 6,
    "epinephrine": lambda v: np.nan_to_num(v) + 3,
    "vasopressin": np.ones_like,
    "oxygen_flow": lambda v: np.nan_to_num(v) + 4,
    "fio2": lambda v: np.minimum(np.fmax(v, 0.21) + 0.2, 1.0),
    "dialysis": np.ones_like,
    "clotting_support": np.ones_like,
    "pressor_refractory": np.ones_like,
    "tocilizumab": lambda v: np.full_like(v, 560.0),
    "dexamethasone": lambda v: np.full_like(v, 10.0),
}


@pytest.mark.parametrize("finding", ALL_FINDINGS)
@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(0, COUNT - 1), st.sampled_from(sorted(MORE)))
def test_no_support_that_is_added_lowers_a_grade(finding, seed, column, support):
    course = chart(seed)
    scales = ("crs_astct", finding) if finding == "iec_hs" else (finding,)
    array = course.values[support].copy()
    array[:, column] = MORE[support](array[:, column])
    added = Course(course.patients, course.days, {**course.values, support: array}, origin=course.origin)
    before, after = (grade(one, age=AGES, scales=scales)[finding] for one in (course, added))
    assert (after.at_least >= before.at_least)[:, column].all()
    settled = (after.grade >= 0)[:, column]
    assert (after.grade >= before.grade)[settled, column].all()
