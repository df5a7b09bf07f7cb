"""Visits have windows, contacts thin out, and neither depends on who else is followed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.therapy.visits import monitoring_days, read_plan, visit_days, windows
from vein2vein.trials.trial import list_trials, load_trial

USUAL = read_plan()
MANY = np.arange(400)
DAYS = st.lists(st.integers(10, 1800), min_size=1, max_size=12, unique=True).map(
    lambda days: tuple(map(float, sorted(days)))
)


@given(days=DAYS, seed=st.integers(0, 9))
def test_visits_lie_in_their_windows_in_their_order_and_on_monitoring_days(days, seed):
    plan = replace(USUAL, disease_visits=days)
    found, wide = visit_days(plan, np.arange(30), seed), windows(plan)
    assert (wide <= np.minimum(21, 0.12 * np.asarray(days))).all()
    assert np.isin(found, monitoring_days(plan)).all()
    assert (np.abs(found - np.asarray(days)) <= wide + 15).all()  # a contact a month is at most 15 days away
    assert (np.diff(found, axis=1) >= 0).all()


def test_each_window_is_used_on_both_sides_and_no_day_takes_half_of_the_patients():
    plan = load_trial("eliana").plan
    found = visit_days(plan, MANY, seed=1)
    for place, day in enumerate(plan.disease_visits[:6]):
        own = found[:, place]
        assert (own < day).any() and (own > day).any()
        assert max(np.unique(own, return_counts=True)[1]) < MANY.size / 2, day


def test_a_patients_visits_depend_on_seed_and_number_alone():
    found = visit_days(USUAL, MANY, seed=3)
    np.testing.assert_array_equal(visit_days(USUAL, MANY[[7, 200]], seed=3), found[[7, 200]])
    assert (visit_days(USUAL, MANY, seed=4) != found).any()


def test_windows_of_a_file_hold_and_0_is_exact():
    plan = replace(USUAL, disease_visits=(28.0, 90.0, 180.0), visit_windows=(0.0,))
    np.testing.assert_array_equal(visit_days(plan, MANY, seed=1), np.tile([28.0, 90, 180], (MANY.size, 1)))
    own = replace(plan, visit_windows=(0.0, 14.0, 3.0))
    found = visit_days(own, MANY, seed=1)
    assert (found[:, 0] == 28).all() and np.ptp(found[:, 1]) > 14
    np.testing.assert_array_equal(windows(own), [0, 14, 3])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("visit_windows = [4, 7]", "found 2 windows, expected 1 or 3"),
        ("visit_windows = [-1]", "0 day or more"),
        ("visit_windows = [4, 40, 7]", "reaches the visit before it"),
        ("visit_windows = [30]", "found 30 days around day 28"),
    ],
)
def test_windows_that_cannot_be_are_refused_with_their_line(given, said):
    card = parse_card(f"[visits]\ndisease_visits = [28, 60, 90]\n{given}\n", "my.toml")
    with pytest.raises(InputError, match=r"line 3, visits\.visit_windows") as problem:
        read_plan(card, "visits")
    assert said in str(problem.value)


def test_contacts_are_weekly_at_first_and_then_ever_rarer_to_the_longest_step():
    plan = replace(USUAL, disease_visits=(), kinetics_samples=())
    steps = np.diff(monitoring_days(plan)[91:-1])  # after the watch; the last is cut by the end
    assert steps[0] == 7 and steps.max() == 30 and (np.diff(steps) >= 0).all()
    sparse = np.diff(monitoring_days(replace(plan, contact_every=3.0))[91:-1])
    assert (sparse == 3).all()


@pytest.mark.parametrize("name", sorted(list_trials()))
def test_usual_windows_of_the_bundled_trials_never_meet(name):
    plan = load_trial(name).plan
    days, wide = np.asarray(plan.disease_visits), windows(plan)
    assert (np.diff(days) > wide[1:] + wide[:-1]).all() and (wide > 0).all()
