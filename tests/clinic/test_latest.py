"""The latest cell where something holds: found one way for few patients, another for many, and always the same."""

import numpy as np
import pytest

from vein2vein.clinic.grades.bounded import Range, carried_ends, last_ends, lowest_of_day
from vein2vein.clinic.grades.grades import latest, take
from vein2vein.therapy.course import Course


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 7), (7, 7), (40, 7), (3, 0)])
def test_latest_is_the_newest_cell_that_holds_however_many_patients(shape):
    holds = np.random.default_rng(5).random(shape) < 0.3
    values = np.random.default_rng(6).random(shape)
    found = latest(holds)
    carried = take(values, found, np.nan)
    assert found.shape == shape
    for patient, row in enumerate(holds):
        for column in range(len(row)):
            earlier = np.flatnonzero(row[: column + 1])
            assert found[patient, column] == (earlier[-1] if earlier.size else -1)
            expected = values[patient, earlier[-1]] if earlier.size else np.nan
            assert np.array_equal(carried[patient, column], expected, equal_nan=True)


def test_the_lowest_of_a_day_reads_that_day_of_that_patient_only():
    days = np.array([[-1, 0, 0, 2, 3], [0, 1, 1, 2, 2]])
    low = np.array([[0.1, 3.0, 2.0, np.nan, 0.2], [5.0, np.nan, 4.0, 1.0, 2.0]])
    found = lowest_of_day(days, Range(low, low + 1), 2)
    assert np.array_equal(found.low, [[2.0, np.nan, np.nan], [5.0, 4.0, 1.0]], equal_nan=True)
    assert np.array_equal(found.high, [[3.0, np.nan, np.nan], [6.0, 5.0, 2.0]], equal_nan=True)


@pytest.mark.parametrize("window", [3.0, np.inf])
def test_the_ends_at_the_last_cell_are_those_that_are_carried_there(window):
    chance = np.random.default_rng(7)
    values = np.where(chance.random((60, 9)) < 0.2, chance.uniform(100.0, 900.0, (60, 9)), np.nan)
    marks = {name: chance.random((60, 9)) < 0.3 for name in ("below_lloq", "above")}
    course = Course(
        np.arange(60), np.arange(9.0), {"igg": values},
        below_lloq={"igg": marks["below_lloq"]}, above={"igg": marks["above"] & ~marks["below_lloq"]},
    )  # fmt: skip
    found, whole = last_ends(course, "igg", window), carried_ends(course, "igg", window)
    assert np.isfinite(found.low).any() and np.isnan(found.low).any()
    assert np.array_equal(found.low, whole.low[:, -1], equal_nan=True)
    assert np.array_equal(found.high, whole.high[:, -1], equal_nan=True)
