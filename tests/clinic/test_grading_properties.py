"""Properties that hold for every course: monotone in support, causal, blind to order, and never 0 for want of data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.clinic.grades.crs import grade_crs
from vein2vein.clinic.grades.grades import because
from vein2vein.clinic.grades.icans import grade_icans
from vein2vein.clinic.grades.monitoring import FINDINGS, grade
from vein2vein.clinic.words import crs_scales
from vein2vein.errors import InputError
from vein2vein.therapy.course import Course

SCALES = tuple(crs_scales())

RANGES = {
    "temperature": (36.0, 40.5),
    "systolic_bp": (60.0, 140.0),
    "fluid_boluses": (0.0, 3.0),
    "norepinephrine": (0.0, 30.0),
    "other_vasopressors": (0.0, 2.0),
    "vasopressin": (0.0, 1.0),
    "oxygen_device": (0.0, 5.0),
    "oxygen_flow": (0.0, 40.0),
    "fio2": (0.21, 1.0),
    "spo2": (80.0, 100.0),
    "fever_other_cause": (0.0, 1.0),
    "creatinine": (0.3, 8.0),
    "ast": (10.0, 2000.0),
    "tocilizumab": (0.0, 1.0),
    "dexamethasone": (0.0, 1.0),
    "ice": (0.0, 10.0),
    "capd": (0.0, 32.0),
    "arousal": (0.0, 4.0),
    "seizure": (0.0, 2.0),
    "sedated": (0.0, 1.0),
    "headache_or_tremor": (0.0, 1.0),
    "neutrophils": (0.0, 3.0),
    "platelets": (0.0, 200.0),
    "b_cells": (0.0, 40.0),
    "lymphocytes": (0.01, 2.0),
}
WHOLE = set(RANGES) - {"temperature", "systolic_bp", "norepinephrine", "oxygen_flow", "fio2", "spo2", "creatinine"}
WHOLE -= {"ast", "neutrophils", "platelets", "b_cells", "lymphocytes"}
AGES = np.array([0.5, 4.0, 9.0, 13.0, 60.0, 30.0])


def random_course(seed, unknown=0.2, n=6, k=9):
    """A course of arbitrary charts: rare treatments, some cells never charted."""
    random = np.random.default_rng(seed)
    values = {}
    for name, (low, high) in RANGES.items():
        drawn = random.uniform(low, high, (n, k))
        drawn = np.round(drawn) if name in WHOLE else drawn
        quiet = random.random((n, 1)) < 0.5  # supports and flags are off in half of the patients
        if low == 0 and name not in ("neutrophils", "platelets", "b_cells", "ice", "capd"):
            drawn = np.where(quiet | (random.random((n, k)) < 0.5), 0.0, drawn)
        values[name] = np.where(random.random((n, k)) < unknown, np.nan, drawn)
    days = np.cumsum(random.choice([0.5, 1.0], k)) - 1.0
    return Course(np.arange(n), days, values)


def changed(course, **values):
    return Course(course.patients, course.days, {**course.values, **values})


seeds = st.integers(0, 10**6)


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_grades_never_read_a_later_day(seed):
    course = random_course(seed)
    whole = grade(course, age=AGES)
    for last in course.days[[0, 3, 6]]:
        early = grade(course.until(last), age=AGES)
        for name in FINDINGS:
            count = early[name].grade.shape[1]
            np.testing.assert_array_equal(early[name].grade, whole[name].grade[:, :count], err_msg=name)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_permuting_patients_permutes_grades(seed):
    course = random_course(seed)
    order = np.random.default_rng(seed).permutation(len(AGES))
    there, here = grade(course.of(order), age=AGES[order]), grade(course, age=AGES)
    for name in FINDINGS:
        np.testing.assert_array_equal(there[name].grade, here[name].grade[order], err_msg=name)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_each_patient_alone_gets_the_same_grades(seed):
    course = random_course(seed)
    together = grade(course, age=AGES)
    for i in range(len(AGES)):
        alone = grade(course.of([i]), age=AGES[[i]])
        for name in FINDINGS:
            np.testing.assert_array_equal(alone[name].grade[0], together[name].grade[i], err_msg=name)


STEPS = {
    "a bolus": {"fluid_boluses": lambda v: np.fmax(v, 0) + 1},
    "more norepinephrine": {"norepinephrine": lambda v: np.fmax(v, 0) + 6},
    "another vasopressor": {"other_vasopressors": lambda v: np.fmax(v, 0) + 1},
    "vasopressin": {"vasopressin": lambda v: np.ones_like(v)},
    "dialysis": {"dialysis": lambda v: np.ones_like(v)},
    "more oxygen": {"fio2": lambda v: np.minimum(v + 0.15, 1.0)},
    "a mask": {"oxygen_device": lambda v: np.fmax(v, 2.0), "fio2": lambda v: np.fmax(v, 0.4)},
    "BiPAP": {"oxygen_device": lambda v: np.fmax(v, 4.0), "fio2": lambda v: np.fmax(v, 0.4)},
    "a ventilator": {"oxygen_device": lambda v: np.fmax(v, 5.0), "fio2": lambda v: np.fmax(v, 0.6)},
}


@pytest.mark.parametrize("step", STEPS)
@settings(max_examples=25, deadline=None)
@given(seeds)
def test_more_support_never_lowers_a_grade(step, seed):
    """On the day of the support: what is known of the cell can only grow worse."""
    course = random_course(seed, unknown=0.1)
    last = course.shape[1] - 1
    values = {}
    for name, more in STEPS[step].items():
        array = course.dense(name).copy()
        array[:, last] = more(array[:, last])
        values[name] = array
    for scale in SCALES:
        before = grade_crs(course, age=AGES, scale=scale)
        after = grade_crs(changed(course, **values), age=AGES, scale=scale)
        assert (after.at_least[:, last] >= before.at_least[:, last]).all()
        both = (before.grade[:, last] >= 0) & (after.grade[:, last] >= 0)
        assert (after.grade[both, last] >= before.grade[both, last]).all()


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_a_cell_that_stays_gradable_without_a_sign_keeps_its_grade(seed):
    course = random_course(seed, unknown=0.0)
    course = changed(course, capd=np.where(AGES[:, None] >= 12, np.nan, course.values["capd"]))
    last = course.shape[1] - 1
    for names, grader in (
        (("temperature", "systolic_bp"), lambda c: grade_crs(c, age=AGES, scale="astct")),
        (("temperature", "systolic_bp"), lambda c: grade_crs(c, age=AGES, scale="penn")),
        (("ice", "capd"), lambda c: grade_icans(c, age=AGES)),
    ):
        known = grader(course).grade[:, last]
        for name in names:
            hidden = course.values[name].copy()
            hidden[:, last] = np.nan
            found = grader(changed(course, **{name: hidden})).grade[:, last]
            settled = (found >= 0) & (known >= 0)
            assert (found[settled] == known[settled]).all(), name


@pytest.mark.parametrize("name", FINDINGS)
def test_nothing_charted_is_not_gradable_and_never_zero(name):
    course = Course(np.arange(3), np.array([0.0, 1.0]), {})
    found = grade(course, age=np.full(3, 40.0), scales=[name])[name]
    assert (found.grade == -1).all()
    assert found.missing and all(cells.all() for cells in found.missing.values())


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_what_cannot_be_graded_says_what_is_missing(seed):
    course = random_course(seed, unknown=0.5)
    for name, found in grade(course, age=AGES).items():
        told = np.zeros(course.shape, dtype=bool)
        for cells in found.missing.values():
            assert not (cells & (found.grade >= 0)).any(), name
            told |= cells
        for text, cells in found.flags.items():
            if "another cause" in text:
                told |= cells
        assert (told | (found.grade >= 0)).all(), name
        assert ((found.grade == found.at_least) | (found.grade < 0)).all(), name


def ice_capd_arousal(cn):
    """The table of the reference model, section 6, from the index of CNS dysfunction."""
    arousal = np.select([cn > 0.93, cn >= 0.75, cn >= 0.35, cn >= 0.05], [4.0, 3.0, 2.0, 1.0], 0.0)
    ice = np.where(cn > 0.93, 0.0, np.minimum(np.ceil(9.5 - 10 * cn), 10.0))
    mild, severe = 1 + np.floor(8 * (cn - 0.05) / 0.70), 9 + np.floor(23 * (cn - 0.75) / 0.25)
    capd = np.select([cn < 0.05, cn > 0.93, cn >= 0.75], [0.0, np.nan, severe], mild)
    return ice, capd, arousal


def test_child_and_adult_with_equal_dysfunction_get_equal_icans():
    cn = np.unique(np.concatenate([np.linspace(0, 1, 2001), [0.05, 0.35, 0.75, 0.93]]))[:, None]
    ice, capd, arousal = ice_capd_arousal(cn)
    people, day = np.arange(len(cn)), np.array([7.0])
    adult = grade_icans(Course(people, day, {"ice": ice, "arousal": arousal}), age=np.full(len(cn), 40.0))
    child = grade_icans(Course(people, day, {"capd": capd, "arousal": arousal}), age=np.full(len(cn), 6.0))
    np.testing.assert_array_equal(adult.grade, child.grade)
    expected = np.select([cn > 0.93, cn >= 0.75, cn >= 0.35, cn >= 0.05], [4, 3, 2, 1], 0)
    np.testing.assert_array_equal(adult.grade, expected)


def test_because_names_the_rows_behind_a_grade():
    course = Course(
        np.array([12]),
        np.array([1.0, 1.5]),
        {
            "temperature": np.array([[39.2, 37.0]]),
            "systolic_bp": np.array([[110.0, 88.0]]),
            "norepinephrine": np.array([[0.0, 4.0]]),
            "oxygen_device": np.array([[0.0, 1.0]]),
            "oxygen_flow": np.array([[0.0, 2.0]]),
            "tocilizumab": np.array([[560.0, np.nan]]),
        },
    )
    found = grade_crs(course, age=40.0)
    assert found.grade.tolist() == [[1, 3]]
    rows = {(row.analyte, row.day): row.value for row in because(found, course, 12, 1.5)}
    assert rows[("norepinephrine", 1.5)] == 4.0 and rows[("systolic_bp", 1.5)] == 88.0
    assert rows[("temperature", 1.0)] == 39.2 and rows[("tocilizumab", 1.0)] == 560.0  # onset, and what waived fever
    assert ("oxygen_flow", 1.5) not in rows  # hypoxia earned a lower grade
    assert {(r.analyte, r.day) for r in because(found, course, 12, 1.0)} == {("temperature", 1.0)}
    with pytest.raises(InputError, match="no patient 3"):
        because(found, course, 3, 1.0)


def test_unknown_scales_are_refused_with_the_nearest_names():
    course = Course(np.arange(1), np.array([0.0]), {})
    with pytest.raises(InputError, match="lee2014"):
        grade_crs(course, age=40.0, scale="lee2015")
    with pytest.raises(InputError, match="crs_penn"):
        grade(course, age=40.0, scales=["crs_pen"])


def test_organ_toxicity_can_be_left_out():
    values = {"temperature": 39.0, "systolic_bp": 120.0, "oxygen_device": 0.0, "creatinine": 5.0}
    course = Course(np.arange(1), np.array([2.0]), {name: np.array([[v]]) for name, v in values.items()})
    assert grade_crs(course, age=40.0, scale="lee2014").grade.tolist() == [[3]]
    assert grade_crs(course, age=40.0, scale="lee2014", organs=False).grade.tolist() == [[1]]
