"""Areas and slopes of measured curves, against sums made by hand; what values below the limit count as."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.errors import InputError
from vein2vein.therapy.curves import M1, M5, M6, M7, RULES, ZERO_BEFORE, area, made_ready
from vein2vein.therapy.kinetics import definitions, kinetics_of
from vein2vein.therapy.phases import CHOSEN, CONTRACTION, DOUBLING, LAST, TERMINAL, adjusted_r2, last_samples, phases

INF, NAN = math.inf, math.nan
DAYS = np.array([0.0, 2, 4, 7, 10, 14, 21, 28, 35])
VALUES = np.array([[50.0, 50, 200, 1000, 400, 50, 100, 50, 50]])
BELOW = np.array([[True, True, False, False, False, True, False, True, True]])


def line(*, values=VALUES, below=BELOW, days=DAYS, **more):
    return made_ready(days, np.atleast_2d(np.asarray(values, float)), np.atleast_2d(below), **more)


def up(width, low, high):
    return width * (low + high) / 2


def down(width, high, low):
    return width * (high - low) / math.log(high / low)


RISE = up(3, 200, 1000) + down(3, 1000, 400)
BY_HAND = {
    ZERO_BEFORE: up(2, 0, 200) + RISE + down(11, 400, 100),
    M1: up(4, 0, 200) + RISE + down(11, 400, 100),
    M5: up(2, 25, 25) + up(2, 25, 200) + RISE + down(4, 400, 25) + up(7, 25, 100) + down(7, 100, 25) + up(7, 25, 25),
    M6: up(2, 0, 200) + RISE + down(11, 400, 100) + down(7, 100, 25),
    M7: up(2, 0, 200) + RISE + up(4, 400, 0) + up(7, 0, 100) + up(7, 100, 0),
}


@pytest.mark.parametrize("rule", RULES)
def test_areas_by_hand_straight_up_and_exponential_down(rule):
    assert area(line(), INF, rule)[0] == pytest.approx(BY_HAND[rule], rel=1e-12)


def test_an_area_is_cut_within_a_segment():
    whole, cut = area(line(), 28, M6)[0], area(line(), 24.5, M6)[0]
    assert whole == pytest.approx(BY_HAND[M6], rel=1e-12)
    half = 100 * math.exp(-math.log(4) / 2)  # half of the way from 100 to 25
    assert whole - cut == pytest.approx(down(3.5, half, 25), rel=1e-12)
    assert kinetics_of(line(), "x", M6).auc_0_28[0] == pytest.approx(whole)


def test_an_unknown_rule_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="unknown rule for values below the limit 'M4'"):
        area(line(), 28, "M4")


def test_the_words_of_a_rule_and_of_a_slope_are_those_of_the_numbers():
    found = definitions().values()
    weeks = {"two": 2}[re.search(r"the (\w+) weeks", CHOSEN[CONTRACTION])[1]]
    assert weeks * 7 == found["contraction_days"]
    assert f"from day {found['terminal_from']:g}" in CHOSEN[TERMINAL] and found["terminal_until"] == 365.25
    least = {"three": 3}
    assert least[re.search(r"(\w+) samples or more", CHOSEN[TERMINAL])[1]] == found["terminal_points"]
    assert least[re.search(r"last (\w+) or more", CHOSEN[LAST])[1]] == found["last_points"]
    assert "half of the peak" in CHOSEN[DOUBLING] and found["near_peak"] == 0.5


def test_a_limit_given_for_all_is_the_limit_of_what_lies_below_it():
    curves = line(values=[10, 60, 300, 20], below=[[False] * 4], days=np.array([0.0, 1, 2, 3]), lloq=50.0)
    assert curves.quantified.tolist() == [[False, True, True, False]]
    assert area(curves, INF, M6)[0] == pytest.approx(up(1, 0, 60) + up(1, 60, 300) + down(1, 300, 25))


def test_samples_before_day_0_are_left_out():
    early = line(values=[900, 5, 100], below=[[False] * 3], days=np.array([-1.0, 0, 1]))
    assert early.days.tolist() == [0, 1] and kinetics_of(early, "x").cmax[0] == 100


def test_slopes_tell_how_many_samples_lie_on_them_and_how_well():
    days = np.array([0.0, 1, 2, 3, 5, 8, 12, 60, 100, 200])
    values = [1, 2, 4, 8, 90, 45, 30, 20, 10, 9]
    found = phases(line(values=values, below=[[False] * 10], days=days))
    rise, fall, tail, last = (found[name] for name in (DOUBLING, CONTRACTION, TERMINAL, LAST))
    assert (rise.points[0], rise.first[0], rise.last[0]) == (5, 0, 5)
    assert (fall.points[0], fall.first[0], fall.last[0]) == (3, 5, 12)
    assert (tail.points[0], tail.first[0], tail.last[0]) == (3, 60, 200)
    for phase, use in ((rise, slice(0, 5)), (fall, slice(4, 7)), (tail, slice(7, 10))):
        x, y = days[use], np.log(np.array(values[use], float))
        slope, start = np.polyfit(x, y, 1)
        share = 1 - ((y - start - slope * x) ** 2).sum() / ((y - y.mean()) ** 2).sum()
        n = len(x)
        assert phase.time[0] == pytest.approx(math.log(2) / abs(slope))
        assert phase.adjusted_r2[0] == pytest.approx(1 - (1 - share) * (n - 1) / (n - 2))
    assert last.time[0] > 0 and last.points[0] >= 3


def test_a_slope_that_goes_the_wrong_way_is_none_and_two_samples_have_no_r2():
    flat = phases(line(values=[10, 100, 200, 300], below=[[False] * 4], days=np.array([0.0, 60, 70, 80])))
    assert all(np.isnan(getattr(flat[LAST], part)[0]) for part in ("time", "points", "adjusted_r2", "first", "last"))
    two = phases(line(values=[10, 100, 50], below=[[False] * 3], days=np.array([0.0, 1, 2])))
    assert two[CONTRACTION].points[0] == 2 and np.isnan(two[CONTRACTION].adjusted_r2[0])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_the_last_samples_are_the_best_of_all_choices(seed):
    """Against every choice tried one by one with polynomials, by the rule of PKNCA and Phoenix."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(3, 9))
    days = np.cumsum(rng.uniform(0.5, 9, k))
    values = np.exp(rng.normal(5, 1, k) - 0.2 * days)
    curves = line(values=values, below=[[False] * k], days=days)
    after = np.flatnonzero(np.arange(k) > values.argmax())
    best, tried = None, []
    for count in range(3, len(after) + 1):
        use = after[-count:]
        slope, start = np.polyfit(days[use], np.log(values[use]), 1)
        left = ((np.log(values[use]) - start - slope * days[use]) ** 2).sum()
        total = ((np.log(values[use]) - np.log(values[use]).mean()) ** 2).sum()
        if slope < 0:
            tried.append((1 - left / total * (count - 1) / (count - 2), count))
    if tried:
        top = max(one for one, _ in tried)
        best = max(count for one, count in tried if one >= top - 1e-4)
    found = last_samples(curves)[0]
    assert found.sum() == (best or 0) and (best is None or found[after[-best:]].all())
    if best:
        expected = next(one for one, count in tried if count == best)
        assert adjusted_r2(curves, found[None, :])[0] == pytest.approx(expected, abs=1e-9)
