"""A grade depends on the course alone: not on the order in which scales are asked for, nor on which others are."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.clinic.grades.grades import Grades, at_column
from vein2vein.clinic.grades.iec_hs import grade_iec_hs
from vein2vein.clinic.grades.monitoring import ALL_FINDINGS, GrowingGrades, grade
from vein2vein.errors import InputError
from vein2vein.therapy.course import Course

AGE = np.array([0.5, 9.0, np.nan, 40.0])
CHARTED = {
    "temperature": (36.5, 37.0, 38.5, 40.0), "fever_other_cause": (0, 0, 1), "systolic_bp": (70, 110, 120),
    "fluid_boluses": (0, 0, 3), "norepinephrine": (0, 0, 5, 30), "oxygen_device": (0, 0, 1, 2, 5),
    "oxygen_flow": (0, 2, 10), "fio2": (0.21, 0.21, 0.5), "spo2": (85, 96, 99), "ice": (10, 8, 2, 0), "capd": (0, 9),
    "arousal": (0, 0, 1, 4), "headache_or_tremor": (0, 1), "cartox_score": (10, 6), "seizure": (0, 0, 1),
    "ferritin": (200, 900, 30000), "ast": (20, 60, 300), "fibrinogen": (3, 1.2), "neutrophils": (0.1, 0.8, 2),
    "platelets": (10, 40, 150), "hemoglobin": (6.5, 9, 12), "creatinine": (0.5, 2.0), "igg": (90, 350, 800),
    "b_cells": (0, 5, 40), "lymphocytes": (0.2, 1.0), "tocilizumab": (0, 0, 560), "dexamethasone": (0, 0, 10),
}  # fmt: skip


def charts(seed: int, absent: float) -> Course:
    """A made-up course of four patients; every value is absent with some probability."""
    random = np.random.default_rng(seed)
    days = np.cumsum(random.choice([0.25, 0.5, 1.0], 12)) - 1.0
    shape = (len(AGE), len(days))
    values = {}
    for name, choices in CHARTED.items():
        drawn = np.where(random.random(shape) < 0.4, choices[0], random.choice(np.array(choices, float), shape))
        values[name] = np.where(random.random(shape) < absent, np.nan, drawn)
    return Course(np.arange(len(AGE)), days, values, origin="measured")


def same(one: Grades, other: Grades, name: str) -> None:
    """Everything that a grader says: grade, what is at least known, what is missing, flags, columns and anchors."""
    assert (one.scale, one.edition, one.reads, one.unverified) == (
        other.scale, other.edition, other.reads, other.unverified
    )  # fmt: skip
    for what in ("days", "grade", "at_least"):
        np.testing.assert_array_equal(getattr(one, what), getattr(other, what), err_msg=f"{name} {what}")
    for what in ("missing", "flags", "columns", "anchors"):
        told, also = getattr(one, what), getattr(other, what)
        empty = {
            key for key, cells in (*told.items(), *also.items()) if what in ("missing", "flags") and not cells.any()
        }
        assert set(told) - empty == set(also) - empty, f"{name} {what}"
        for key in set(told) - empty:
            np.testing.assert_array_equal(told[key], also[key], err_msg=f"{name} {what} {key}")


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from([0.0, 0.3]),
    st.lists(st.sampled_from(ALL_FINDINGS), min_size=1, unique=True),
)  # fmt: skip
def test_neither_order_nor_company_changes_a_grade(seed, absent, scales):
    course = charts(seed, absent)
    together = grade(course, age=AGE, scales=ALL_FINDINGS)
    found = grade(course, age=AGE, scales=scales)
    assert list(found) == scales
    for name in scales:
        same(found[name], together[name], name)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from([0.0, 0.3]),
    st.lists(st.sampled_from(ALL_FINDINGS), min_size=1, unique=True),
)  # fmt: skip
def test_a_growing_course_says_of_its_newest_column_what_the_whole_says(seed, absent, scales):
    course = replace(charts(seed, absent), origin="simulated")  # only a simulated course grows
    whole = grade(course, age=AGE, scales=ALL_FINDINGS)
    growing = GrowingGrades(len(course.days), age=AGE, weight=None, scales=scales)
    for column, day in enumerate(course.days):
        growing.grade(course.until(day))
        assert list(growing.newest) == scales
        for name in scales:
            same(growing.newest[name], at_column(whole[name], column), name)


def fever_with_ferritin() -> Course:
    """Fever throughout, and ferritin of 30,000 with high transaminases and low fibrinogen from day 6."""
    days = np.arange(0.0, 10.0)
    late = days >= 6
    values = {
        "temperature": np.full(10, 39.0), "systolic_bp": np.full(10, 120.0), "oxygen_device": np.zeros(10),
        "ferritin": np.where(late, 30000.0, 200.0), "ast": np.where(late, 400.0, 20.0), "alt": np.full(10, 20.0),
        "fibrinogen": np.where(late, 1.0, 3.0), "neutrophils": np.full(10, 2.0), "platelets": np.full(10, 100.0),
    }  # fmt: skip
    return Course(np.array([1]), days, {name: one[None, :] for name, one in values.items()})


@pytest.mark.parametrize("scales", [("iec_hs",), ("iec_hs", "crs_astct"), ("crs_astct", "iec_hs")])
def test_hyperinflammation_reads_cytokine_release_by_itself(scales):
    course = fever_with_ferritin()
    found = grade(course, age=np.array([40.0]), scales=scales)["iec_hs"]
    # the cytokine release syndrome is at its worst on every day: two features make the syndrome possible, no more
    assert found.columns["state"].tolist() == [[0] * 6 + [1] * 4]
    same(found, grade_iec_hs(course, age=np.array([40.0])), "iec_hs")


def test_an_unknown_scale_is_refused_by_both():
    course = fever_with_ferritin()
    for ask in (
        lambda: grade(course, age=40.0, scales=("iec_hs", "crs_asct")),
        lambda: GrowingGrades(3, age=40.0, weight=None, scales=("crs_asct",)),
    ):
        with pytest.raises(InputError, match="crs_astct"):
            ask()
