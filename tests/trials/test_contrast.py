"""Two designs on the same virtual patients: equal designs do not differ, and common random numbers pay."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.trials.contrast import contrast, design
from vein2vein.trials.trial import load_trial


@pytest.fixture(scope="module")
def base():
    trial = load_trial("eliana")
    plan = replace(
        trial.plan, follow_up=35.0, disease_visits=(28.0,), kinetics_samples=(4.0, 7.0, 9.0, 11.0, 14.0, 28.0)
    )
    return replace(trial, plan=plan)


def peak(result):
    return next(row for row in result.rows if row.quantity == "Cmax, transgene")


def test_a_design_does_not_differ_from_itself(base):
    result = contrast(base, base, patients=30, seed=2)
    assert len(result.rows) > 5
    for row in result.rows:
        if row.missing:
            continue
        same = 1.0 if row.ratio else 0.0
        assert (row.difference, row.low, row.high) == (same, same, same)


def test_common_random_numbers_narrow_the_difference(base):
    small, large = (design(base, dose=dose) for dose in ("1e6/kg", "4e6/kg"))
    paired = [np.log(peak(contrast(small, large, patients=40, seed=s)).difference) for s in range(5)]
    apart = [np.log(peak(contrast(small, large, patients=40, seed=s, other_seed=s + 100)).difference) for s in range(5)]
    assert np.var(paired) < np.var(apart) / 2
    assert np.mean(paired) > 0  # four times the dose does not lower the peak


def test_designs_are_checked_before_they_run(base):
    with pytest.raises(InputError, match="obe-cel"):
        design(base, product="obe-cell")
    with pytest.raises(InputError, match="spoons"):
        design(base, dose="3 spoons")
    with pytest.raises(InputError, match="flu_cy"):
        design(base, conditioning="flu_cyy")
    with pytest.raises(InputError, match="two diseases"):
        contrast(base, load_trial("zuma_1"), patients=10)
    with pytest.raises(InputError, match=r"juliet has 3 arms .*; choose one with --arm"):
        contrast(base, load_trial("juliet"), patients=10)


def test_a_design_replaces_product_and_leaves_the_patients(base):
    other = design(base, product="obe-cel")
    assert other.product.name == "obecabtagene_autoleucel"
    assert (other.population, other.disease) == (base.population, base.disease)
    assert design(base) is base
