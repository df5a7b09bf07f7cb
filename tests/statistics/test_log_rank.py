"""The log-rank test worked by hand, against SciPy on drawn data, and where it cannot tell."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from vein2vein.statistics.log_rank import log_rank


def test_a_small_example_worked_by_hand():
    # time 1: one event (a) of 4, 2 in a; time 2: one event (b) of 3, 1 in a; time 4: event (b) of the last one
    found = log_rank([1, 2, 3, 4], [1, 1, 0, 1], ["a", "b", "a", "b"])
    assert found.groups.tolist() == ["a", "b"]
    assert found.observed.tolist() == [1, 2]
    assert found.expected == pytest.approx([1 / 2 + 1 / 3, 1 / 2 + 2 / 3 + 1])
    variance = 1 / 4 + 2 / 9
    np.testing.assert_allclose(found.covariance, [[variance, -variance], [-variance, variance]])
    assert found.statistic == pytest.approx((1 / 6) ** 2 / variance)
    assert found.degrees == 1
    assert found.p == pytest.approx(stats.chi2.sf(found.statistic, 1))


patients = st.lists(
    st.tuples(st.integers(0, 9), st.booleans(), st.integers(0, 1), st.booleans()), min_size=4, max_size=25
)


@settings(max_examples=60, deadline=None)
@given(patients)
def test_two_groups_are_compared_as_scipy_does(drawn):
    time, event, group, included = (np.array(x) for x in zip(*drawn, strict=True))
    first, second = (included & (group == g) for g in (0, 1))
    assume(first.any() and second.any())
    found = log_rank(time, event, group, included=included)
    assume(np.isfinite(found.statistic))
    samples = [
        stats.CensoredData(uncensored=time[who & event].astype(float), right=time[who & ~event].astype(float))
        for who in (first, second)
    ]
    expected = stats.logrank(*samples)
    assert found.statistic == pytest.approx(expected.statistic**2, abs=1e-12)
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12)


def test_one_stratum_is_none_and_strata_are_compared_within():
    rng = np.random.default_rng(5)
    time, event, group = rng.integers(1, 9, 60), rng.random(60) < 0.7, rng.integers(0, 3, 60)
    plain, one = log_rank(time, event, group), log_rank(time, event, group, stratum=["all"] * 60)
    assert (plain.statistic, plain.p, plain.degrees) == (one.statistic, one.p, 2)
    # a copy of everyone ten years later, in a stratum of its own, adds the same again
    both = log_rank(
        np.concatenate([time, time + 3650]), np.tile(event, 2), np.tile(group, 2), stratum=np.repeat(["x", "y"], 60)
    )
    assert both.statistic == pytest.approx(2 * plain.statistic)
    np.testing.assert_allclose(both.expected, 2 * plain.expected)


def test_who_does_not_count_changes_nothing_and_names_no_group():
    time, event, group = [1, 2, 3, 4, np.nan], [1, 1, 0, 1, 1], ["a", "b", "a", "b", "c"]
    found = log_rank(time, event, group, included=[1, 1, 1, 1, 0])
    assert found.groups.tolist() == ["a", "b"]
    assert found.statistic == log_rank(time[:4], event[:4], group[:4]).statistic


def test_where_the_data_cannot_tell_there_is_no_statistic():
    for found in (
        log_rank([1, 2, 3], [0, 0, 0], [0, 1, 1]),  # no event
        log_rank([1, 5], [1, 1], [0, 1], stratum=[0, 1]),  # each group alone in its stratum
        log_rank([1, 2, 5, 6], [0, 0, 1, 1], [0, 0, 1, 1]),  # events only when one group is left
    ):
        assert np.isnan(found.statistic) and np.isnan(found.p)


def test_a_group_gone_before_the_first_event_costs_no_degree_of_freedom():
    time, event, group = [0.5, 1, 2, 3, 4], [0, 1, 1, 0, 1], ["gone", "a", "b", "a", "b"]
    found = log_rank(time, event, group)
    alone = log_rank(time[1:], event[1:], group[1:])
    assert found.degrees == alone.degrees == 1
    assert found.statistic == pytest.approx(alone.statistic) and found.p == pytest.approx(alone.p)
    assert found.expected[found.groups == "gone"] == 0
