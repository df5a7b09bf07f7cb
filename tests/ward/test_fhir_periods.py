"""Infusions as servers send them: periods that overlap, meet, cover the signs or never end. Own small bundles."""

from __future__ import annotations

import pytest
from bundles import EPINEPHRINE, NOREPINEPHRINE, VASOPRESSIN, bundle, infused, vitals
from looking import look


def crs(clock: str, *resources: object) -> tuple[int, int]:
    """Grade and at least, as shown at a clock of 8 March."""
    hours, minutes = clock.split(":")
    until = 3 + (int(hours) - 10) / 24 + int(minutes) / 1440 + 1e-4
    state = next(s for s in look(bundle(*resources), until=until).now if s.name == "crs_astct")
    return state.grade, state.at_least


def test_signs_inside_a_long_period():
    assert crs("20:00", vitals("20:00"), infused(NOREPINEPHRINE, "04:00", "23:30")) == (3, 3)


def test_signs_fifteen_hours_inside_a_period_without_another_row():
    """A period that is charted with its end holds throughout, however long."""
    assert crs("19:30", vitals("19:30"), infused(NOREPINEPHRINE, "04:00", "23:30")) == (3, 3)


def test_a_bag_that_ends_where_the_next_begins():
    bags = infused(NOREPINEPHRINE, "16:00", "20:00"), infused(NOREPINEPHRINE, "20:00", "23:00", 3)
    assert crs("20:00", vitals("20:00"), *bags) == (3, 3)
    assert crs("20:00", vitals("20:00"), *reversed(bags)) == (3, 3)


def test_a_bag_that_ends_while_the_next_runs():
    bags = infused(NOREPINEPHRINE, "16:00", "20:00"), infused(NOREPINEPHRINE, "19:45", "23:00", 3)
    assert crs("20:00", vitals("20:00"), *bags) == (3, 3)
    assert crs("21:00", vitals("21:00"), *bags) == (3, 3)


def test_a_short_bag_inside_a_long_one_does_not_stop_it():
    bags = infused(NOREPINEPHRINE, "12:00", "23:00"), infused(NOREPINEPHRINE, "14:00", "15:00", 8)
    assert crs("18:00", vitals("18:00"), *bags) == (3, 3)


def test_after_the_end_of_the_last_bag_it_is_off():
    bags = infused(NOREPINEPHRINE, "12:00", "16:00"), infused(NOREPINEPHRINE, "16:00", "18:00", 3)
    assert crs("18:30", vitals("18:30"), *bags) == (1, 1)


def test_between_two_bags_it_is_off():
    bags = infused(NOREPINEPHRINE, "12:00", "14:00"), infused(NOREPINEPHRINE, "20:00", "22:00")
    assert crs("16:00", vitals("16:00"), *bags) == (1, 1)


def test_a_zero_rate_of_another_drug_changes_nothing():
    bags = infused(NOREPINEPHRINE, "12:00", "20:00"), infused(EPINEPHRINE, "13:00", "15:00", 0)
    assert crs("14:00", vitals("14:00"), *bags) == (3, 3)


def test_two_drugs_at_once_and_one_after_the_other():
    together = infused(NOREPINEPHRINE, "12:00", "20:00"), infused(EPINEPHRINE, "13:00", "15:00", 3)
    assert crs("14:00", vitals("14:00"), *together) == (4, 4)
    assert crs("16:00", vitals("16:00"), *together) == (3, 3)


def test_vasopressin_is_not_the_second_drug():
    both = infused(NOREPINEPHRINE, "12:00", "20:00"), infused(VASOPRESSIN, "13:00", "19:00", 0.03)
    assert crs("14:00", vitals("14:00"), *both) == (3, 3)


@pytest.mark.parametrize("rate", [5, None])
def test_an_infusion_in_progress_runs_until_somebody_says_otherwise(rate):
    one = infused(NOREPINEPHRINE, "12:00", "", rate, "in-progress")
    assert crs("14:00", vitals("14:00"), one)[1] == 3
    assert crs("23:00", vitals("23:00"), one)[1] == 3


def test_a_rate_that_is_not_charted_runs_all_the_same():
    assert crs("14:00", vitals("14:00"), infused(NOREPINEPHRINE, "12:00", "20:00", None))[1] == 3


def test_a_stopped_infusion_is_off():
    stopped = infused(NOREPINEPHRINE, "12:00", "13:00", 5, "stopped")
    assert crs("14:00", vitals("14:00"), stopped) == (1, 1)


@pytest.mark.parametrize("status", ["entered-in-error", "not-done"])
def test_an_infusion_that_was_never_given_counts_for_nothing(status):
    assert crs("14:00", vitals("14:00"), infused(NOREPINEPHRINE, "12:00", "20:00", 5, status)) == (1, 1)


def test_two_days_of_one_bag_an_hour():
    bags = [infused(NOREPINEPHRINE, f"{h:02d}:00", f"{h + 1:02d}:00", 4 + h % 3) for h in range(2, 22)]
    for clock in ("05:00", "11:20", "21:00"):
        assert crs(clock, vitals(clock), *bags) == (3, 3)


def test_the_order_of_resources_changes_nothing():
    bags = [infused(NOREPINEPHRINE, f"{h:02d}:00", f"{h + 1:02d}:00") for h in (12, 13, 14)]
    assert crs("14:30", vitals("14:30"), *bags) == crs("14:30", *reversed(bags), vitals("14:30")) == (3, 3)
