"""Survival estimates against values worked by hand and a classic published example."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.statistics.hazard_ratio import hazard_ratio
from vein2vein.statistics.incidence import cumulative_incidence
from vein2vein.statistics.survival import interval_at, kaplan_meier, median_time, value_at

# Remission times in weeks of the 6-mercaptopurine trial (Freireich 1963), the example of most survival textbooks.
DRUG = np.array([6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35], float)
DRUG_EVENT = np.array([1] * 9 + [0] * 12, bool)
PLACEBO = np.array([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], float)


def test_kaplan_meier_of_the_textbook_example():
    curve = kaplan_meier(DRUG, DRUG_EVENT)
    printed = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    for week, survival in printed.items():
        assert value_at(curve, week) == pytest.approx(survival, abs=5e-4)
    assert value_at(curve, 5.9) == 1
    assert median_time(curve) == 23
    # Greenwood standard error as printed beside the curve: 0.0764 at week 6, 0.1346 at week 23
    for week, error in {6: 0.0764, 10: 0.0963, 23: 0.1346}.items():
        at = np.searchsorted(curve.times, week, side="right") - 1
        assert curve.value[at] * np.sqrt(curve.variance[at]) == pytest.approx(error, abs=1e-4)


def test_median_of_the_placebo_arm_and_median_not_reached():
    assert median_time(kaplan_meier(PLACEBO, np.ones(21, bool))) == 8
    assert np.isinf(median_time(kaplan_meier(DRUG, np.zeros(21, bool))))


def test_log_log_interval_worked_by_hand():
    # one event among 4 at time 1: S = 0.75, Greenwood sum 1/12; z 1.959964
    curve = kaplan_meier([1, 2, 2, 2], [1, 0, 0, 0])
    low, high = interval_at(curve, 1, 0.95)
    half = 1.959964 * np.sqrt(1 / 12) / abs(np.log(0.75))
    centre = np.log(-np.log(0.75))
    assert low == pytest.approx(np.exp(-np.exp(centre + half)), rel=1e-6)
    assert high == pytest.approx(np.exp(-np.exp(centre - half)), rel=1e-6)
    assert low < 0.75 < high


def test_log_log_interval_of_the_textbook_example():
    # S(10) = 0.753 has the 95 % interval 0.503 to 0.889 on the log-log scale
    low, high = interval_at(kaplan_meier(DRUG, DRUG_EVENT), 10, 0.95)
    assert (low, high) == (pytest.approx(0.503, abs=1e-3), pytest.approx(0.889, abs=1e-3))


def test_cumulative_incidence_worked_by_hand():
    # times 1 (cause 1), 2 (cause 2), 3 (censored), 4 (cause 1), 5 (censored)
    # CIF1: 1/5 at 1; S(2-) = 4/5, cause 2 takes 1/4 of it: S = 3/5; at 4: 2 at risk, adds 3/5 * 1/2 = 0.3 -> 0.5
    time, cause = [1, 2, 3, 4, 5], [1, 2, 0, 1, 0]
    first, second = cumulative_incidence(time, cause), cumulative_incidence(time, cause, of=2)
    assert [value_at(first, t) for t in (0.5, 1, 3, 4, 9)] == pytest.approx([0, 0.2, 0.2, 0.5, 0.5])
    assert value_at(second, 9) == pytest.approx(0.2)
    free = kaplan_meier(time, np.array(cause) > 0)
    assert value_at(first, 9) + value_at(second, 9) + value_at(free, 9) == pytest.approx(1)


def test_two_causes_at_one_time_share_the_step():
    time, cause = [1, 1, 2, 2], [1, 2, 0, 0]
    assert value_at(cumulative_incidence(time, cause), 1) == pytest.approx(0.25)
    assert value_at(cumulative_incidence(time, cause, of=2), 1) == pytest.approx(0.25)


def test_hazard_ratio_of_the_textbook_example():
    # Breslow ties: coefficient 1.509 (placebo against drug)
    time = np.concatenate([PLACEBO, DRUG])
    event = np.concatenate([np.ones(21, bool), DRUG_EVENT])
    placebo = np.where(np.arange(42) < 21, -np.inf, np.inf)
    assert np.log(hazard_ratio(time, event, placebo)) == pytest.approx(1.5092, abs=2e-4)
    assert np.log(hazard_ratio(time, event, -placebo)) == pytest.approx(-1.5092, abs=2e-4)


def test_hazard_ratio_of_a_time_dependent_exposure_worked_by_hand():
    # events at 1 (never exposed yet) and 3 (exposed since 2). At 1: nobody of 4 exposed: no information.
    # At 3: of 3 at risk one exposed (the one who fails) plus one exposed at 2.5: maximize b - log(2 e^b + 1): diverges
    assert np.isnan(hazard_ratio([1, 3, 4, 4], [1, 1, 0, 0], [2, 2, 2.5, np.inf]))
    # a second event at 4 of an unexposed: b - log(2e^b + 1) - log(e^b + 1) -> 1 = 2x/(2x+1) + x/(x+1), x = 1/sqrt(2)
    found = hazard_ratio([1, 3, 4, 4.5], [1, 1, 1, 0], [2, 2, np.inf, 2.5])
    assert found == pytest.approx(1 / np.sqrt(2), rel=1e-6)


def test_excluded_patients_change_nothing():
    time = np.array([1, 2, 3, 4.0])
    event = np.array([1, 1, 0, 1], bool)
    alone = kaplan_meier(time, event)
    more = kaplan_meier([1, 0.5, 2, 3, 3, 4], [1, 1, 1, 0, 1, 1], [1, 0, 1, 1, 0, 1])
    for when in (0.7, 1, 2, 3, 4):
        assert value_at(more, when) == pytest.approx(value_at(alone, when))
    assert np.isnan(hazard_ratio(time, event, np.inf, [0, 0, 0, 0]))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.booleans()), min_size=1, max_size=12).filter(
        lambda patients: any(included for _, _, included in patients)
    ),
    st.integers(0, 2**31),
)
def test_many_trials_at_once_equal_one_at_a_time_in_any_order(patients, seed):
    time, event, included = (np.array(x) for x in zip(*patients, strict=True))
    order = np.random.default_rng(seed).permutation(len(time))
    together = kaplan_meier(*(np.stack([given, given[order]]) for given in (time, event, included)))
    for when in range(8):
        first, second = value_at(together, when)
        assert first == pytest.approx(second)
        # the definition, (n - d) / n over the distinct times
        expected = 1.0
        for t in sorted(set(time[event & included])):
            if t <= when:
                n = np.sum(included & (time >= t))
                expected *= (n - np.sum(included & event & (time == t))) / n
        assert first == pytest.approx(expected)
