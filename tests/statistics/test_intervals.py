"""Ends of intervals, quantiles by rank and limits of probabilities, worked by hand."""

import math

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.statistics.intervals import limits, quantile, shares

Z = 1.959963984540054  # of a standard normal distribution, 97.5 % below it


def test_a_central_interval_leaves_as_much_on_either_side():
    assert shares(0.9) == pytest.approx((0.05, 0.5, 0.95))
    assert shares(0.5) == (0.25, 0.5, 0.75)
    for level in (0, 1, -0.1, 90, math.nan):
        with pytest.raises(InputError, match="between 0 and 1"):
            shares(level)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0, 1), (0.2, 1), (0.2001, 2), (0.4, 2), (0.5, 3), (0.6, 3), (0.61, 4), (0.8, 4), (0.81, math.inf), (1, math.inf)],
)
def test_a_quantile_is_the_value_of_the_nearest_rank_at_or_above(share, expected):
    assert quantile(np.array([4, math.nan, 2, math.inf, 1, 3, math.nan]), share) == expected


def test_quantiles_that_are_none_are_refused():
    with pytest.raises(InputError, match="at least one number") as caught:
        quantile(np.array([math.nan, math.nan]), 0.5)
    assert caught.value.field == "values"
    for share in (-0.01, 1.01, math.nan):
        with pytest.raises(InputError, match="from 0 to 1"):
            quantile(np.array([1.0]), share)


def test_limits_on_each_scale_worked_by_hand():
    value, error = np.array([0.75]), np.array([0.2])  # standard error 0.15
    low, high = limits(value, error, 0.95, "plain")
    assert (low[0], high[0]) == (pytest.approx(0.75 - Z * 0.15), 1.0)  # held within 1
    low, high = limits(value, error, 0.95, "log")
    assert (low[0], high[0]) == (pytest.approx(0.75 * math.exp(-Z * 0.2)), 1.0)
    low, high = limits(value, error, 0.95)
    half, center = Z * 0.2 / math.log(4 / 3), math.log(math.log(4 / 3))
    assert low[0] == pytest.approx(math.exp(-math.exp(center + half)))
    assert high[0] == pytest.approx(math.exp(-math.exp(center - half)))
    assert low[0] < 0.75 < high[0] < 1
    low, high = limits(np.array([0.3]), error, 0.95, "plain")
    assert (low[0], high[0]) == pytest.approx((0.3 - Z * 0.06, 0.3 + Z * 0.06))
    low, high = limits(np.array([0.3]), error, 0.95, "log")
    assert (low[0], high[0]) == pytest.approx((0.3 * math.exp(-Z * 0.2), 0.3 * math.exp(Z * 0.2)))
    assert limits(np.array([0.05]), np.array([1.0]), 0.95, "plain")[0][0] == 0  # held within 0


def test_limits_at_the_ends_are_what_is_known():
    ends, no_error = np.array([0.0, 1.0]), np.zeros(2)
    np.testing.assert_array_equal(limits(ends, no_error, 0.9, "plain"), [ends, ends])
    np.testing.assert_array_equal(limits(ends, no_error, 0.9, "log"), [[math.nan, 1], [math.nan, 1]])
    np.testing.assert_array_equal(limits(ends, no_error, 0.9, "log-log"), np.full((2, 2), math.nan))
    for scale in ("plain", "log", "log-log"):
        unknown = limits(np.array([0.0]), np.array([math.inf]), 0.9, scale)
        np.testing.assert_array_equal(unknown, [[math.nan], [math.nan]])


def test_a_wider_level_gives_a_wider_interval_on_every_scale():
    value, error = np.array([0.2, 0.5, 0.8]), np.array([0.1, 0.05, 0.02])
    for scale in ("plain", "log", "log-log"):
        (low, high), (lower, higher) = limits(value, error, 0.5, scale), limits(value, error, 0.9, scale)
        assert (lower < low).all() and (low < value).all() and (value < high).all() and (high < higher).all()
