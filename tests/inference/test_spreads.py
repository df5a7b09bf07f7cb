"""Published spreads of exposure beside the rows of trials, and the statistic that they are."""

import math
from dataclasses import replace

import numpy as np
import pytest

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.inference.calibration.spreads import bundled, effects, interval, spreads_of, with_spreads
from vein2vein.inference.qualification import scored_rows
from vein2vein.trials.comparison import summarize
from vein2vein.trials.published import read_published
from vein2vein.trials.trial import list_trials, load_trial


def test_each_spread_stands_beside_a_bundled_trial_and_only_read_ones_are_scored():
    assert {name for name, _ in bundled()} <= set(list_trials())
    trial = load_trial("eliana")
    more = with_spreads(trial)
    assert len(more.published) == len(trial.published) + 4 and len(scored_rows(more)) == len(scored_rows(trial)) + 4
    recalled = load_trial("karmma")
    assert spreads_of(recalled) and scored_rows(with_spreads(recalled)) == scored_rows(recalled)
    assert with_spreads(load_trial("seattle")) == load_trial("seattle")


def test_effects_of_burden_stand_beside_the_scored_rows_of_their_trial():
    trial = load_trial("zuma_7")
    more = {row.quantity: row for row in scored_rows(with_spreads(trial)) if row not in scored_rows(trial)}
    assert set(more) == {name for _, name in effects()} == {"EFS_HR_highMTV", "PFS_HR_highMTV"}
    assert {row.arms for row in more.values()} == {("axi_cel",)}  # nothing of the comparator, which is not simulated
    assert {(row.tolerance, row.tolerance_kind) for row in more.values()} == {(30.0, "percent of value")}


def test_the_interval_of_a_spread_narrows_with_patients_and_holds_it():
    low, high = interval(163.4, 79)
    assert low < 163.4 < high and (low, high) == (pytest.approx(125, abs=3), pytest.approx(222, abs=4))
    wider = interval(163.4, 10)
    assert wider[0] < low and wider[1] > high


def test_a_geometric_cv_is_that_of_a_log_normal_law():
    (_, row), *_ = bundled()
    rng = np.random.default_rng(2)
    values = np.exp(rng.normal(3, 0.9, (5, 20_000)))
    np.testing.assert_allclose(summarize(row, values), 100 * math.sqrt(math.exp(0.81) - 1), rtol=0.05)
    np.testing.assert_allclose(summarize(row, 7 * values), summarize(row, values))  # whatever the unit
    assert summarize(replace(row, statistic="median", unit="copies/ug gDNA"), values)[0] == pytest.approx(
        20.1, rel=0.03
    )


ROW = """
[trial]
name = "mine"
[endpoints]
scale = "astct"
until = 28
[[published]]
quantity = "spread"
endpoint = "cmax"
statistic = "geometric cv"
value = 150
unit = "UNIT"
confidence = "read"
"""


def test_a_trial_file_may_say_it_in_percent_only():
    assert read_published(parse_card(ROW.replace("UNIT", "%"), "t"), "0", []).statistic == "geometric cv"
    with pytest.raises(InputError, match="expected the unit %") as caught:
        read_published(parse_card(ROW.replace("UNIT", "copies/ug gDNA"), "t"), "0", [])
    assert caught.value.field == "published.0.unit"
