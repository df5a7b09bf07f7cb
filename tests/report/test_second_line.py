"""A trial that is told by EFS as second-line lymphoma defines it shows that curve, with its published landmarks."""

import numpy as np
import pytest

from vein2vein.report import facts
from vein2vein.report.figures_survival import survival
from vein2vein.report.groups import arm_groups
from vein2vein.report.headline import ends_of
from vein2vein.report.trial_figures import survival_figures
from vein2vein.trials.endpoints.measures import ENDPOINTS
from vein2vein.trials.trial import load_trial, run_trial


@pytest.fixture(scope="module")
def result():
    return run_trial(load_trial("zuma_7"), patients=24, seed=3)


def test_the_curve_of_the_trials_own_endpoint_is_drawn_for_each_arm(result):
    rows = facts.told(result.trial)
    for group in arm_groups(result.trial, result.journey):
        drawn = survival_figures(group.journey, group.words, group.rows(rows), group.suffix)
        assert [one.name.split("-")[1] for one in drawn] == ["efs", "pfs", "os"]


def test_it_is_the_endpoint_that_the_rows_are_read_by(result):
    curve = survival(result.journey, "EFS", "enrolment", second_line=True)
    time, event, counted = ENDPOINTS["efs_second_line"].read(result.journey, clock="enrolment")
    early = np.count_nonzero(event & counted & (time <= 365)) / np.count_nonzero(counted)
    assert curve.n == np.count_nonzero(counted) == 24
    at = int(np.searchsorted(curve.days, 365, side="right")) - 1
    assert curve.value[at] == pytest.approx(1 - early)  # nobody is censored so early


def test_a_trial_without_such_rows_is_told_by_its_disease():
    words = arm_groups(load_trial("zuma_1"), run_trial(load_trial("zuma_1"), patients=4, seed=1).journey)[0].words
    assert ends_of(words, []) == ["PFS"]
