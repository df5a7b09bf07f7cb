"""Randomized trials: an arm of standard care, intention to treat, hazard ratios, an arm's own policy and waiting."""

from __future__ import annotations

import numpy as np
import pytest

from vein2vein.cards import parse_card
from vein2vein.clinic.response.outcome import time_to_event
from vein2vein.errors import InputError
from vein2vein.journey.journey import given_standard_care
from vein2vein.statistics.hazard_ratio import hazard_ratio
from vein2vein.trials.comparison import read_row
from vein2vein.trials.contrast import contrast, design
from vein2vein.trials.controls import STANDARD_CARE
from vein2vein.trials.endpoints.measures import survival
from vein2vein.trials.trial import Trial, load_trial, one_arm, read_trial, run_trial

FILE = """
[trial]
name = "two_arms"
title = "Cells against salvage treatment"
disease = "lbcl"
product = "axicabtagene_ciloleucel"
policy = "early_permissive"
allocation = "randomized"

[size]
patients = 60
enrolled = 60
infused = 20

[[arms]]
name = "cells"
size = 30

[[arms]]
name = "usual"
size = 30
comparator = "zuma_7_standard"

[waiting.bridging_share]
law = "bernoulli"
probability = 0.5
how = "assumed"
why = "A test."

[visits]
follow_up = 400
disease_visits = [28, 90, 180, 270, 365]
kinetics_samples = [1, 7, 14, 28]

[endpoints]
scale = "astct"
until = "8 weeks"
responses = ["CR", "PR"]
response_by = 365
clock = "enrolment"
censor_transplant = false

[[published]]
quantity = "EFS_rate"
value = 20
n = 30
unit = "%"
confidence = "read"
endpoint = "survival"
event = "EFS"
time = "12 months"
among = "enrolled"
arms = ["usual"]

[[published]]
quantity = "EFS_HR"
value = 0.5
n = 60
unit = "hazard ratio"
confidence = "read"
endpoint = "hazard_between_arms"
event = "EFS"
against = "usual"
among = "enrolled"
arms = ["cells", "usual"]

[[published]]
quantity = "ORR"
value = 50
n = 60
unit = "%"
confidence = "read"
endpoint = "responded"
among = "enrolled"
"""


def trial_of(text: str = FILE) -> Trial:
    return read_trial(parse_card(text, "two.toml"))


@pytest.fixture(scope="module")
def result():
    return run_trial(trial_of(), patients=60, seed=2)


def test_nobody_under_standard_care_is_collected_or_infused(result) -> None:
    journey = result.journey
    control = given_standard_care(journey)
    assert 0 < control.sum() < journey.count
    np.testing.assert_array_equal(control, journey.patient.arm == "usual")
    assert not journey.infused[control].any() and set(journey.not_infused_reason[control]) == {STANDARD_CARE}
    assert np.isnan(journey.apheresis.cd3[control]).all() and np.isnan(journey.lot.viability[control]).all()
    assert np.isfinite(journey.apheresis.cd3[~control]).all()
    assert all(np.isnan(values[control]).all() for values in journey.course.values.values())
    assert STANDARD_CARE not in set(journey.not_infused_reason[~control])


def test_times_to_events_are_those_of_the_comparator_from_randomization(result) -> None:
    journey = result.journey
    control = given_standard_care(journey)
    time, event, among = survival(journey, event="EFS", clock="enrolment", censor_transplant=False)
    drawn = journey.standard_care["EFS"]
    assert np.isnan(drawn[~control]).all() and among.all()
    np.testing.assert_allclose(time[control], np.minimum(drawn, 400.0)[control])
    np.testing.assert_array_equal(event[control], drawn[control] <= 400)
    own = time_to_event(journey.outcome, "EFS", clock="enrolment")
    np.testing.assert_array_equal(time[~control], own[0][~control])
    np.testing.assert_array_equal(event[~control], own[1][~control])


def test_intention_to_treat_counts_the_never_infused(result) -> None:
    journey = result.journey
    cells = ~given_standard_care(journey)
    left = cells & ~journey.infused
    _, event, among = survival(journey, event="EFS", clock="enrolment", censor_transplant=False)
    assert left.any() and among[left].all() and event[left].all()


def test_the_hazard_ratio_is_coxs_of_the_arms(result) -> None:
    journey, trial = result.journey, result.trial
    row = next(row for row in trial.published if row.quantity == "EFS_HR")
    arrays, pool = read_row(row, journey, scale=trial.scale, until=trial.until)
    assert pool.all()
    time, event, _ = survival(journey, event="EFS", clock="enrolment", censor_transplant=False)
    exposed = np.where(journey.patient.arm == "usual", np.inf, -np.inf)
    assert hazard_ratio(*arrays) == pytest.approx(hazard_ratio(time, event, exposed))
    shown = next(row for row in result.comparison if row.quantity == "EFS_HR")
    assert shown.low < shown.simulated < shown.high and shown.simulated < 1.0


def test_a_row_that_names_no_arm_counts_cells_alone(result) -> None:
    row = next(row for row in result.trial.published if row.quantity == "ORR")
    _, pool = read_row(row, result.journey, scale="astct", until=56.0)
    np.testing.assert_array_equal(pool, ~given_standard_care(result.journey))


def test_arms_share_patients_and_each_keeps_its_own_policy_and_waiting() -> None:
    own = """
[[arms]]
name = "cells"
size = 30
policy = "astct_2019"

[arms.waiting.vein_to_vein]
law = "fixed"
value = 70
unit = "day"
how = "assumed"
why = "A test."

[arms.waiting.bridging_share]
law = "bernoulli"
probability = 1.0
how = "assumed"
why = "A test."
"""
    plain = '\n[[arms]]\nname = "cells"\nsize = 30\n'
    assert plain in FILE
    trial = trial_of(FILE.replace(plain, own))
    arm = one_arm(trial, trial.arms[0])
    assert (arm.policy, trial.policy) == ("astct_2019", "early_permissive")
    journey = run_trial(trial, patients=20, seed=2).journey
    cells = ~given_standard_care(journey)
    waited = journey.waiting.days - journey.lot.delay
    assert (waited[cells] == 70).all() and journey.waiting.bridged[cells].all()
    alike = run_trial(trial_of(), patients=20, seed=2).journey
    np.testing.assert_array_equal(alike.patient.burden, journey.patient.burden)
    assert not (alike.waiting.days[cells] == journey.waiting.days[cells]).all()


def test_two_arms_are_compared_on_the_same_patients() -> None:
    trial = trial_of()
    found = contrast(design(trial, arm="cells"), design(trial, arm="usual"), patients=30, seed=2)
    rows = {row.quantity: row for row in found.rows}
    assert "CRS" not in rows and "infused of enrolled" not in rows
    row = rows["event-free survival of all enrolled, 12 months"]
    assert row.patients == (30, 30) and not row.missing and np.isfinite(row.difference)


@pytest.mark.parametrize("change", [{"dose": "1e6/kg"}, {"product": "tisagenlecleucel"}, {"conditioning": "none"}])
def test_nothing_of_the_treatment_of_standard_care_can_be_changed(change) -> None:
    with pytest.raises(InputError, match="usual is given standard care and no cells"):
        design(trial_of(), arm="usual", **change)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('comparator = "zuma_7_standard"', 'comparator = "zuma_7_standrad"', "zuma_7_standard"),
        ('comparator = "zuma_7_standard"', 'comparator = "karmma_3_standard"', "published in mm"),
        ('comparator = "zuma_7_standard"', 'comparator = "zuma_7_standard"\ndose = "1e8 cells"', "given no cells"),
        ('comparator = "zuma_7_standard"', 'comparator = "scholar_1"', "does not give"),
        ('name = "cells"\nsize = 30', 'name = "cells"\nsize = 30\ncomparator = "zuma_7_standard"', "every arm"),
        ('allocation = "randomized"', 'allocation = "randomised"', "randomized"),
        ('against = "usual"', 'against = "usal"', "usual"),
        ('against = "usual"\n', "", "against"),
        ('arms = ["cells", "usual"]', 'arms = ["usual"]', "the arm beside it"),
        ('arms = ["cells", "usual"]', "", "missing"),
        ('endpoint = "responded"\namong = "enrolled"', 'endpoint = "responded"\narms = ["usual"]', "nobody is infused"),
        (
            'endpoint = "responded"\namong = "enrolled"',
            'endpoint = "responded"\namong = "enrolled"\narms = ["cells", "usual"]',
            "not counted together",
        ),
        (
            'endpoint = "responded"\namong = "enrolled"',
            'endpoint = "crs"\ngrade = 1\namong = "enrolled"\narms = ["usual"]',
            "nothing is known under standard care",
        ),
        ('clock = "enrolment"', 'clock = "infusion"', "counted from randomization"),
        (
            'name = "cells"\nsize = 30\n',
            'name = "cells"\nsize = 30\n[arms.waiting.vein_to_vein]\nlaw = "fixed"\nvalue = 5\nunit = "week"\n'
            'how = "assumed"\nwhy = "A test."\n',
            "expected 'day'",
        ),
        (
            'name = "cells"\nsize = 30\n',
            'name = "cells"\nsize = 30\n[arms.waiting.bridging_share]\nlaw = "fixed"\nvalue = 1\n'
            'how = "assumed"\nwhy = "A test."\n',
            "bernoulli",
        ),
        ('name = "cells"\nsize = 30\n', 'name = "cells"\nsize = 30\npolicy = "astct_2018"\n', "astct_2019"),
        (
            'name = "cells"\nsize = 30\n',
            'name = "cells"\nsize = 30\n[arms.population.age]\nlaw = "fixed"\nvalue = 50\nunit = "year"\n'
            'how = "assumed"\nwhy = "A test."\n',
            "one population",
        ),
        (
            'name = "cells"\nsize = 30\n',
            'name = "cells"\nsize = 30\ndose = "1e8 cells, then on day 40: 1e7 cells, then on day 30: 1e7 cells"\n',
            "arms.0.dose: found an infusion on day 30 after that on day 40",
        ),
        (
            'name = "cells"\nsize = 30\n',
            'name = "cells"\nsize = 30\ndose = "1e8 cells, then on day 400: 1e7 cells"\n',
            "arms.0.dose: found an infusion on day 400, but follow-up ends on day 400",
        ),
        ("value = 0.5", "value = 0", "found 0, expected a hazard ratio above 0"),
        ("value = 0.5", "value = -1", "found -1, expected a hazard ratio above 0"),
        ('endpoint = "responded"', 'endpoint = "crossed_over"', "is of arms of standard care alone: usual"),
        (
            'endpoint = "responded"\namong = "enrolled"',
            'endpoint = "crossed_over"\namong = "enrolled"\narms = ["cells"]',
            "is of arms of standard care alone: usual",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    assert old in FILE
    with pytest.raises(InputError) as problem:
        trial_of(FILE.replace(old, new, 1))
    assert str(problem.value).startswith("two.toml") and said in str(problem.value)


def test_the_bundled_randomized_trials_have_both_arms() -> None:
    for name in ("zuma_7", "karmma_3"):
        trial = load_trial(name)
        assert trial.randomized and [bool(arm.comparator) for arm in trial.arms] == [False, True]
        assert any(row.endpoint.endswith("between_arms") for row in trial.published)
