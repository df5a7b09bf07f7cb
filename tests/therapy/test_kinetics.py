"""Kinetics read from curves whose answers are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.therapy.course import Course
from vein2vein.therapy.kinetics import Kinetics, kinetics

DENSE = np.concatenate([np.arange(0, 28.5, 0.5), np.arange(35, 400, 7.0)])
SPARSE = np.array([0, 1, 3, 7, 9, 10, 11, 14, 17, 21, 28, 42, 60, 90, 120, 180, 240, 300, 360])


def _course(days, values, **more):
    table = np.atleast_2d(np.asarray(values, dtype=float))
    return Course(np.arange(len(table)), np.asarray(days, dtype=float), {"transgene": table}, **more)


def _stein(days, cmax=24000.0, tmax=9.5, rise=0.78, fast=4.3, slow=220.0, share=0.008):
    """Exponential rise to Cmax, then a fast and a slow fall."""
    up = cmax * 2 ** ((days - tmax) / rise)
    after = days - tmax
    down = cmax * ((1 - share) * 2 ** (-after / fast) + share * 2 ** (-after / slow))
    return np.where(days <= tmax, up, down)


def test_a_dense_curve_gives_its_own_numbers():
    days = np.union1d(DENSE, [9.5])
    k = kinetics(_course(days, _stein(days)))
    assert (k.cmax[0], k.tmax[0]) == (pytest.approx(24000), 9.5)
    assert k.doubling_time[0] == pytest.approx(0.78)
    assert k.half_life_contraction[0] == pytest.approx(4.3, rel=0.06)
    assert k.half_life_terminal[0] == pytest.approx(220, rel=0.02)
    assert k.tlast[0] == days[-1] and k.clast[0] == pytest.approx(_stein(days[-1:])[0])


def test_exposure_of_a_curve_of_exponentials_is_exact_on_few_samples():
    """Down: the logarithmic rule is exact. Up: the straight rule is the trapezoid."""
    days = np.array([0.0, 10, 20, 40])
    values = np.array([0.0, 1000, 1000 * np.exp(-1), 1000 * np.exp(-3)])
    k = kinetics(_course(days, values))
    assert k.auc_0_28[0] == pytest.approx(10 * 1000 / 2 + 1000 * 10 * (1 - np.exp(-1.8)))


def test_exposure_converges_to_the_integral():
    days = np.union1d(np.linspace(0, 40, 8001), [9.5, 28])
    curve = _stein(days)
    inside = days <= 28
    truth = np.sum((curve[inside][1:] + curve[inside][:-1]) / 2 * np.diff(days[inside]))
    assert kinetics(_course(days, curve)).auc_0_28[0] == pytest.approx(truth, rel=1e-5)
    assert kinetics(_course(SPARSE, _stein(SPARSE))).auc_0_28[0] == pytest.approx(truth, rel=0.35)


def test_below_the_limit_counts_as_zero_before_and_missing_after():
    days = np.array([0.0, 3, 7, 10, 20, 28])
    low = kinetics(_course(days, [10, 40, 100, 1000, 60, 20]), lloq=50)
    assert (low.clast[0], low.tlast[0]) == (60, 20)
    straight = 4 * 100 / 2 + 3 * (100 + 1000) / 2
    assert low.auc_0_28[0] == pytest.approx(straight + 10 * (1000 - 60) / np.log(1000 / 60))
    flags = {"transgene": np.array([[True, True, False, False, False, True]])}
    marked = kinetics(_course(days, [50, 50, 100, 1000, 60, 50], below_lloq=flags))
    assert marked.auc_0_28[0] == pytest.approx(low.auc_0_28[0]) and marked.tlast[0] == 20


def test_missing_samples_are_stepped_over():
    days = np.array([0.0, 5, 10, 15, 20, 28])
    full = np.array([0.0, 500, 1000, 1000 * np.exp(-0.5), 1000 * np.exp(-1), 1000 * np.exp(-1.8)])
    holes = full.copy()
    holes[[1, 3]] = np.nan
    a, b = kinetics(_course(days, full)), kinetics(_course(days, holes))
    assert a.auc_0_28[0] == pytest.approx(b.auc_0_28[0]) and a.cmax[0] == b.cmax[0]


def test_what_cannot_be_read_is_nan_and_not_an_error():
    days = np.array([0.0, 3, 7, 10])
    table = np.array([[np.nan] * 4, [0.0] * 4, [1.0, 5, 20, 40], [1.0, 5, 20, np.nan]])
    k = kinetics(_course(days, table), lloq=0.5)
    assert np.isnan(k.cmax[:2]).all() and np.isnan(k.auc_0_28[:2]).all() and np.isnan(k.tlast[:2]).all()
    assert list(k.cmax[2:]) == [40, 20] and list(k.tmax[2:]) == [10, 7]
    assert np.isnan(k.auc_0_28).all(), "no sample near day 28"
    assert np.isnan(k.half_life_terminal).all() and np.isnan(k.half_life_contraction).all()
    assert np.isnan(kinetics(_course(days, table), "car_t_cells").cmax).all()


def test_samples_before_the_infusion_are_left_out():
    days = np.array([-6.0, 0, 10, 20, 28])
    k = kinetics(_course(days, [900.0, 0, 100, 50, 10]))
    assert k.cmax[0] == 100 and k.tmax[0] == 10


def test_a_dip_after_infusion_does_not_lengthen_the_doubling_time():
    days = np.arange(0, 29.0)
    rise = np.where(
        days < 2, 100 * 4.0 ** (2 - days), np.where(days <= 10, 100 * 2.0 ** (days - 2), 25600 * 0.8 ** (days - 10))
    )
    assert kinetics(_course(days, rise)).doubling_time[0] == pytest.approx(1)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.5, 2), st.floats(2, 8), st.floats(1e-3, 1e3), st.permutations(range(4)))
def test_scaling_scales_and_permuting_permutes(rise, fast, factor, order):
    table = np.stack([_stein(SPARSE, rise=rise * (1 + i / 5), fast=fast) for i in range(4)])
    plain, scaled = kinetics(_course(SPARSE, table)), kinetics(_course(SPARSE, table[list(order)] * factor))
    for name in Kinetics.__dataclass_fields__:
        if name == "analyte":
            continue
        power = 1 if name in ("cmax", "auc_0_28", "clast") else 0
        assert getattr(scaled, name) == pytest.approx(
            getattr(plain, name)[list(order)] * factor**power, rel=1e-6, nan_ok=True
        )
