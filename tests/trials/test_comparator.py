"""Standard care: published curves are met, patients keep their order, and cards that cannot be are refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.trials.comparator import (
    EVENTS,
    Comparator,
    Curve,
    draw_controls,
    find_comparator,
    list_comparators,
    read_comparator,
)

MANY = 6000
MONTH = 30.4375
LUCK = 0.025  # sampling error of a share of so many, three times over

CARD = """
name = "mine"
title = "what is usual here"
diseases = ["lbcl"]
patients = 50

[survival.EFS]
points = [[0, 100], [3, 50]]
how = "assumed"
why = "A test."
confidence = "memory"

[survival.OS]
points = [[0, 100], [9, 50]]
how = "assumed"
why = "A test."
confidence = "memory"

[best]
rates = { CR = 20, PR = 10 }
how = "assumed"
why = "A test."
confidence = "memory"
"""


def controls(comparator: Comparator, count: int = MANY, seed: int = 5):
    burden = np.exp(np.random.default_rng(7).normal(size=count))
    return draw_controls(comparator, np.arange(count), seed, burden=burden, median_burden=1.0, failed="PD"), burden


@pytest.mark.parametrize("name", list(list_comparators()))
def test_every_published_point_and_rate_is_met(name: str) -> None:
    comparator = find_comparator(name)
    drawn, _ = controls(comparator)
    for event, curve in comparator.survival.items():
        for month, percent in curve.points[1:]:
            assert np.mean(drawn.days[event] > month * MONTH) == pytest.approx(percent / 100, abs=LUCK), (event, month)
    for response, rate in comparator.best.rates.items() if comparator.best else ():
        assert np.mean(drawn.best == response) == pytest.approx(rate / 100, abs=LUCK)
    share = comparator.crossover.share if comparator.crossover else 0.0
    assert drawn.crossed.mean() == pytest.approx(share, abs=LUCK)


@pytest.mark.parametrize("name", list(list_comparators()))
def test_nobody_dies_before_an_event_that_comes_first_and_responders_do_best(name: str) -> None:
    comparator = find_comparator(name)
    drawn, _ = controls(comparator)
    events = [event for event in EVENTS if event in drawn.days]
    for before, then in pairwise(events):
        assert (drawn.days[before] <= drawn.days[then] + 1e-9).all()
    if comparator.burden is None:
        first = drawn.days[events[0]]
        assert first[drawn.best != "PD"].min() >= first[drawn.best == "PD"].max() - 1e-9


def test_a_patient_depends_on_the_seed_and_the_number_alone() -> None:
    comparator = find_comparator("scholar_1")
    whole, _ = controls(comparator, 50)
    some = draw_controls(comparator, [3, 40], 5, burden=np.ones(2), median_burden=1.0, failed="PD")
    np.testing.assert_array_equal(whole.days["OS"][[3, 40]], some.days["OS"])
    other, _ = controls(comparator, 50, seed=6)
    assert not np.array_equal(whole.days["OS"], other.days["OS"])


def test_a_large_tumor_does_worse_by_the_published_ratio() -> None:
    comparator = find_comparator("zuma_7_standard")
    drawn, burden = controls(comparator)
    day = 6 * MONTH
    hazard = [-np.log(np.mean(drawn.days["EFS"][who] > day)) for who in (burden > 1, burden <= 1)]
    assert hazard[0] / hazard[1] == pytest.approx(comparator.burden.hazard_ratio, rel=0.1)


def test_after_the_last_point() -> None:
    curve = Curve(points=((0.0, 100.0), (10.0, 50.0)), how="assumed", why="A test.", confidence="memory")
    assert curve.day_at(0.25) == pytest.approx(2 * curve.day_at(0.5))
    level = replace(curve, after="no more events")
    assert np.isinf(level.day_at(0.49)) and level.share_at(1e5) == pytest.approx(0.5)


@given(st.floats(0.01, 1.0))
def test_day_and_share_undo_each_other(share: float) -> None:
    curve = find_comparator("karmma_3_standard").survival["PFS"]
    assert curve.share_at(curve.day_at(share)) == pytest.approx(share, rel=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[[0, 100], [3, 50]]", "[[0, 90], [3, 50]]", "[0, 100]"),
        ("[[0, 100], [3, 50]]", "[[0, 100]]", "two or more"),
        ("[[0, 100], [3, 50]]", "[[0, 100], [3, 50], [6, 60]]", "lower percentages"),
        ("[[0, 100], [3, 50]]", "[[0, 100], [3, 50], [2, 40]]", "later months"),
        ("[[0, 100], [3, 50]]", "[[0, 100], [3, 0]]", "above 0 %"),
        ("[[0, 100], [3, 50]]", "[[0, 100], [12, 90]]", "EFS never above OS"),
        ("CR = 20", "CR = 95", "at most 100 %"),
        ("CR = 20", "CRX = 20", "CR"),
        ("[survival.OS]", "[survival.OSS]", "OS"),
        ('diseases = ["lbcl"]', "diseases = []", "diseases"),
        ('confidence = "memory"\n\n[best]', "\n[best]", "confidence"),
        ('why = "A test."\nconfidence = "memory"\n\n[survival.OS]', 'confidence = "memory"\n\n[survival.OS]', "why"),
    ],
)
def test_an_impossible_card_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    read_comparator(parse_card(CARD, "mine.toml"))
    assert old in CARD
    with pytest.raises(InputError) as problem:
        read_comparator(parse_card(CARD.replace(old, new, 1), "mine.toml"))
    assert "mine.toml" in str(problem.value) and said in str(problem.value)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="scholar_1"):
        find_comparator("scholar_2")
