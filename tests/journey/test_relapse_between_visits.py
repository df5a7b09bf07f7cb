"""Relapse shows itself between visits, and intention to treat knows who progressed before the infusion."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.clinic.response.outcome import time_to_event
from vein2vein.statistics.survival import kaplan_meier, value_at
from vein2vein.trials.trial import enroll_and_treat, load_trial

MONTH = 365.25 / 12
ELIANA = load_trial("eliana")


@pytest.fixture(scope="module")
def journey():
    return enroll_and_treat(ELIANA, np.arange(200), seed=1)


def curve_of(journey, endpoint="EFS"):
    time, event, counted = time_to_event(journey.outcome, endpoint)
    return kaplan_meier(time[counted], event[counted])


def largest_week(journey):
    curve, days = curve_of(journey), np.arange(60, 1800)
    value = np.array([float(value_at(curve, day)) for day in days])
    return 100 * (value[:-7] - value[7:]).max()


def test_event_free_survival_has_no_cliff(journey):
    assert largest_week(journey) < 5
    before, after = (100 * float(value_at(curve_of(journey), months * MONTH)) for months in (5.9, 6.1))
    assert before - after < 3


def test_with_exact_visits_and_contacts_only_there_the_cliff_is_back():
    exact = replace(ELIANA.plan, visit_windows=(0.0,), contact_first=7300.0, contact_every=7300.0)
    sparse = enroll_and_treat(replace(ELIANA, plan=exact), np.arange(200), seed=1)
    assert largest_week(sparse) > 5  # beyond what the test above allows
    relapse = sparse.outcome.relapse_day[np.isfinite(sparse.outcome.relapse_day)]
    assert np.isin(relapse, ELIANA.plan.disease_visits).mean() > 0.9  # else of samples of the cells


def test_a_relapse_is_dated_on_a_day_on_which_that_patient_was_seen(journey):
    response, outcome = journey.response, journey.outcome
    for i in np.flatnonzero(np.isfinite(outcome.relapse_day)):
        at = np.flatnonzero(response.days == outcome.relapse_day[i])
        assert at.size == 1 and response.status[i, at[0]] == 0
        assert (response.status[i] >= 0).sum() < 40  # visits, not every day of the record
    for i in np.flatnonzero(np.isfinite(outcome.response_day)):
        assert response.status[i, response.days == outcome.response_day[i]] > 0


def test_the_days_of_a_response_depend_on_no_patient(journey):
    few = enroll_and_treat(ELIANA, np.arange(50, 60), seed=1)
    np.testing.assert_array_equal(few.response.days, journey.response.days)
    np.testing.assert_array_equal(few.response.status, journey.response.status[50:60])


def test_who_left_for_progression_has_an_event_on_that_day(journey):
    left = ~journey.infused & journey.waiting.dropped & (journey.waiting.reason == "progression")
    assert left.any()
    waited = journey.waiting.drop_day - journey.enrolment_day
    for endpoint in ("PFS", "EFS"):
        time, event, counted = time_to_event(journey.outcome, endpoint, "enrolment")
        assert counted.all() and event[left].all()
        np.testing.assert_allclose(time[left], waited[left])
    for endpoint in ("RFS", "DOR"):
        assert not time_to_event(journey.outcome, endpoint, "enrolment")[2][left].any()
