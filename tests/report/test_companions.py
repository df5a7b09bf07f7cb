"""What companions show: bands as the reports draw them, and how many reach a grade."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.cards import parse_card
from vein2vein.journey.chart import simulate
from vein2vein.report import facts
from vein2vein.report.companions import REACHED, band, reached, sorted_quantiles, tumor_measure, visits
from vein2vein.report.figures import quantiles
from vein2vein.therapy.patient import example_patient_text, patient_from_card
from vein2vein.therapy.visits import read_plan, up_to_end
from vein2vein.trials.virtual_patients import companions


@pytest.fixture(scope="module")
def journey():
    known, _ = patient_from_card(parse_card(example_patient_text(), "p"))
    plan = up_to_end(replace(read_plan(), follow_up=35.0))
    return simulate(companions(known, 24, 3), "tisagenlecleucel", seed=3, plan=plan)


def test_quantiles_are_those_of_the_reports():
    rng = np.random.default_rng(1)
    values = np.where(rng.random((40, 30)) < 0.3, np.nan, rng.lognormal(size=(40, 30)))
    values[:, 0] = np.nan
    values[4:, 1] = np.nan
    levels = (0.05, 0.5, 0.95)
    np.testing.assert_allclose(sorted_quantiles(values, levels), quantiles(values, levels), rtol=1e-13)
    np.testing.assert_array_equal(sorted_quantiles(values[:1, 2:], levels), np.repeat(values[:1, 2:], 3, axis=0))


def test_a_band_is_that_of_the_infused(journey):
    found = band(journey, "il6", 20.0)
    assert found.days[0] == 0 and found.days[-1] == 20
    at = np.isin(journey.course.days, found.days)
    expected = quantiles(facts.dense(journey, "il6")[:, at], (0.05, 0.5, 0.95))
    np.testing.assert_allclose([found.low, found.middle, found.high], expected, rtol=1e-13)
    assert journey.infused[0] and np.array_equal(found.one, journey.course.dense("il6")[0, at], equal_nan=True)
    assert list(band(journey, "il6", 20.0, at=(7.0, 14.0)).days) == [7, 14]
    nobody = replace(journey, infused=np.zeros(journey.count, bool))
    assert band(nobody, "il6", 20.0) is None and reached(nobody, "crs_astct", 10) is None


def test_grades_that_one_of_so_many_reaches(journey):
    who = np.flatnonzero(journey.infused)[:20]
    assert who.size == 20, "so many that one of 2, 4, 10 and 20 is a whole number"
    journey = replace(journey, infused=np.isin(np.arange(journey.count), who))
    found = reached(journey, "crs_astct", 28)
    worst = facts.daily_worst(journey, "crs_astct", 28)
    n = worst.shape[0]
    for share, row in zip(REACHED, found.shares, strict=True):
        for day, grade in enumerate(row):
            assert (worst[:, day] >= grade).sum() >= n / share or grade == -1
            assert (worst[:, day] > grade).sum() < max(n / share, 1)
    assert (np.diff(found.shares, axis=0) >= 0).all() and found.shares.max() >= 1


def test_the_tumor_and_the_visits(journey):
    assert tumor_measure(journey) == "marrow_blasts"
    days = visits(journey)
    assert days[0] == 0 and 28 in days and 0.5 in days and 12.5 not in days
