"""A recurrence of cytokine release, which CTCAE v4 grades 3: known only where the rest between is charted.

Six days: fever on days 1 and 5, and a rest between. What the rest does not chart makes the grade open, never lower.
"""

import numpy as np
import pytest

from vein2vein.clinic.grades.monitoring import grade
from vein2vein.therapy.course import Course

DAYS = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
GONE = np.nan
CHARTED = {
    "temperature": [36.8, 39.0, 36.8, 36.8, 36.8, 39.0],
    "systolic_bp": [120, 120, 120, 120, 120, 120],
    "oxygen_device": [0, 0, 0, 0, 0, 0],
}


def graded(*rows):
    """Grades of one chart for each of ``rows`` (values that replace those of the chart), all in one course."""
    charts = [{**CHARTED, **row} for row in rows]
    names = sorted({name for chart in charts for name in chart})
    values = {n: np.array([chart.get(n, [GONE] * len(DAYS)) for chart in charts], dtype=float) for n in names}
    course = Course(np.arange(len(charts)), DAYS, values, origin="measured")
    return grade(course, age=np.full(len(charts), 50.0), scales=("crs_ctcae4",))["crs_ctcae4"]


def lacking(grades, patient):
    return {name for name, cells in grades.missing.items() if cells[patient, -1]}


def test_a_rest_that_is_charted_proves_a_recurrence():
    grades = graded({})
    assert grades.grade[0].tolist() == [0, 1, 0, 0, 0, 3]


@pytest.mark.parametrize("name", ["systolic_bp", "oxygen_device"])
def test_a_rest_without_a_sign_leaves_the_grade_open(name):
    hidden = [v if day in (0.0, 1.0, 5.0) else GONE for day, v in zip(DAYS, CHARTED[name], strict=True)]
    grades = graded({name: hidden})
    assert grades.grade[0, -1] == -1 and grades.at_least[0, -1] == 1
    assert lacking(grades, 0) == {name}


def test_a_support_that_was_charted_and_is_not_charted_in_the_rest_may_have_run_on():
    grades = graded({"norepinephrine": [0, 0, GONE, GONE, GONE, 0]})
    assert grades.grade[0, -1] == -1 and lacking(grades, 0) == {"norepinephrine"}
    assert graded({"norepinephrine": [0, 0, 0, 0, 0, 0]}).grade[0, -1] == 3


def test_what_another_patient_was_given_says_nothing_of_this_one():
    alone, beside = graded({}), graded({}, {"norepinephrine": [0, 5, 0, 0, 0, 0]})
    assert beside.grade[0].tolist() == alone.grade[0].tolist() == [0, 1, 0, 0, 0, 3]


def test_one_fever_that_goes_on_is_no_recurrence():
    grades = graded(
        {"temperature": [36.8, 39.0, 39.0, 39.0, 39.0, 39.0], "systolic_bp": [120, 120, GONE, GONE, 120, 120]}
    )
    assert grades.grade[0, -1] == 1
