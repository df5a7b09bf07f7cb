"""Outcome and time-to-event endpoints, by hand-worked patients; response over a cohort."""

import dataclasses

import numpy as np
import pytest

from vein2vein.clinic.response.outcome import CLOCKS, ENDPOINTS, Outcome, assess, time_to_event
from vein2vein.clinic.response.response import Response, respond, respond_all
from vein2vein.errors import InputError
from vein2vein.therapy.course import Course

NEVER = np.inf
#                   best   resp   relapse  death   cause       hsct   last  enrolled
PATIENTS = {
    "lasting": ("CR", 28, NEVER, NEVER, "", NEVER, 900, -40),
    "relapsed": ("CR", 28, 180, 400, "disease", NEVER, 900, -45),
    "no response, alive": ("NR", NEVER, NEVER, NEVER, "", NEVER, 900, -50),
    "no response, died late": ("NR", NEVER, NEVER, 60, "disease", NEVER, 900, -50),
    "died before the first visit": ("NR", NEVER, NEVER, 15, "infection", NEVER, 900, -41),
    "not yet judged": ("NR", NEVER, NEVER, NEVER, "", NEVER, 40, -42),
    "died in remission": ("CRi", 60, NEVER, 300, "infection", NEVER, 900, -43),
    "transplanted, then relapsed": ("CR", 28, 250, NEVER, "", 120, 900, -44),
    "never infused, died": ("", NEVER, NEVER, 5, "disease", NEVER, 900, -30),
    "never infused, alive": ("", NEVER, NEVER, NEVER, "", NEVER, 700, -35),
    "progressed": ("PR", 28, 200, NEVER, "", NEVER, 900, -20),
}
AT = {name: i for i, name in enumerate(PATIENTS)}


@pytest.fixture
def outcome():
    best, response, relapse, death, cause, hsct, last, enrolled = map(np.array, zip(*PATIENTS.values()))
    progression = np.full(len(best), NEVER)
    progression[AT["progressed"]] = 200
    return Outcome(
        best, response, np.zeros(len(best), bool), relapse, np.full(len(best), ""), progression, death, cause, hsct,
        last.astype(float), enrolled.astype(float),
    )  # fmt: skip


def read(outcome, name, *args, **choices):
    time, event, in_set = time_to_event(outcome, *args, **choices)
    i = AT[name]
    return (float(time[i]), bool(event[i])) if in_set[i] else None


def test_survival_by_both_clocks(outcome):
    assert read(outcome, "lasting", "OS") == (900, False)
    assert read(outcome, "relapsed", "OS") == (400, True)
    assert read(outcome, "relapsed", "OS", clock="enrolment") == (445, True)
    assert read(outcome, "never infused, died", "OS") is None
    assert read(outcome, "never infused, died", "OS", clock="enrolment") == (35, True)
    assert read(outcome, "never infused, alive", "OS", clock="enrolment") == (735, False)


def test_event_free_survival(outcome):
    assert read(outcome, "lasting", "EFS") == (900, False)
    assert read(outcome, "relapsed", "EFS") == (180, True)
    assert read(outcome, "no response, alive", "EFS") == (0.1, True)
    assert read(outcome, "no response, died late", "EFS") == (0.1, True)
    assert read(outcome, "died before the first visit", "EFS") == (15, True)
    assert read(outcome, "not yet judged", "EFS") == (40, False)
    assert read(outcome, "died in remission", "EFS") == (300, True)
    assert read(outcome, "never infused, alive", "EFS") is None
    assert read(outcome, "never infused, alive", "EFS", clock="enrolment") == (35.1, True)


def test_relapse_free_survival_with_and_without_censoring_at_transplantation(outcome):
    assert read(outcome, "relapsed", "RFS") == (152, True)
    assert read(outcome, "died in remission", "RFS") == (240, True)
    assert read(outcome, "transplanted, then relapsed", "RFS") == (222, True)
    assert read(outcome, "transplanted, then relapsed", "RFS", censor_hsct=True) == (92, False)
    assert read(outcome, "no response, alive", "RFS") is None
    assert read(outcome, "relapsed", "RFS", clock="enrolment") == (152, True)  # starts at the response by either clock


def test_duration_of_response_counts_death_from_the_disease_only(outcome):
    assert read(outcome, "died in remission", "DOR") == (240, False)
    assert read(outcome, "progressed", "DOR") == (172, True)


def test_progression_free_survival(outcome):
    assert read(outcome, "progressed", "PFS") == (200, True)
    assert read(outcome, "no response, died late", "PFS") == (60, True)
    assert read(outcome, "died before the first visit", "PFS") == (15, True)


def test_a_relapse_on_the_day_of_transplantation_still_counts(outcome):
    hsct = outcome.hsct_day.copy()
    hsct[AT["relapsed"]] = 180
    assert read(dataclasses.replace(outcome, hsct_day=hsct), "relapsed", "RFS", censor_hsct=True) == (152, True)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("censor", [False, True])
def test_times_are_sound(outcome, endpoint, clock, censor):
    time, event, in_set = time_to_event(outcome, endpoint, clock, censor)
    assert np.isnan(time[~in_set]).all() and not event[~in_set].any()
    assert (time[in_set] >= 0).all() and np.isfinite(time[in_set]).all()
    everyone = time_to_event(outcome, endpoint, "enrolment", censor)[2]
    assert (everyone >= in_set).all()


def test_unknown_endpoint_and_clock(outcome):
    with pytest.raises(InputError, match="EFS"):
        time_to_event(outcome, "EFT")
    with pytest.raises(InputError, match="enrolment"):
        time_to_event(outcome, "OS", clock="enrollment")


@pytest.mark.parametrize("name", ["response_day", "relapse_day", "progression_day", "death_day", "hsct_day"])
@pytest.mark.parametrize("wrong", [np.nan, -np.inf])
def test_a_day_that_cannot_be_is_refused_with_its_patient(outcome, name, wrong):
    days = getattr(outcome, name).copy()
    days[2] = wrong
    with pytest.raises(InputError, match=rf"found -?{abs(wrong):g}, expected a day, or inf") as caught:
        time_to_event(dataclasses.replace(outcome, **{name: days}), "OS")
    assert caught.value.field == f"outcome.{name}[2]"


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_the_end_of_observation_is_known_and_so_is_the_enrollment_where_the_clock_starts_there(outcome, wrong):
    days = np.full(len(outcome.last_day), 300.0)
    days[1] = wrong
    with pytest.raises(InputError, match=f"found {wrong:g}, expected a finite day") as caught:
        time_to_event(dataclasses.replace(outcome, last_day=days), "OS")
    assert caught.value.field == "outcome.last_day[1]"
    late = dataclasses.replace(outcome, enrolment_day=days)
    with pytest.raises(InputError, match=f"found {wrong:g}, expected a finite day") as caught:
        time_to_event(late, "OS", clock="enrolment")
    assert caught.value.field == "outcome.enrolment_day[1]"
    np.testing.assert_array_equal(time_to_event(late, "OS")[0], time_to_event(outcome, "OS")[0])


def test_days_that_are_not_one_for_each_patient_are_refused(outcome):
    with pytest.raises(InputError, match=r"found the shape \(1,\), expected \(\d+,\)") as caught:
        time_to_event(dataclasses.replace(outcome, death_day=np.array([np.inf])), "OS")
    assert caught.value.field == "outcome.death_day"


def leukemia(n=200, seed=3):
    random = np.random.default_rng(seed)
    days = np.array([0.0, 28, 60, 90, 180, 360])
    values = {
        "marrow_blasts": 10 ** random.uniform(-3, 2, (n, len(days))),
        "mrd": 10 ** random.uniform(-6, 0, (n, len(days))),
        "neutrophils": random.uniform(0, 3, (n, len(days))),
        "platelets": random.uniform(10, 200, (n, len(days))),
        "antigen_positive_share": random.uniform(0, 1, (n, len(days))),
    }
    return Course(np.arange(n), days, values)


def test_outcome_tells_only_what_was_seen_alive_and_observed():
    course = leukemia()
    n = course.shape[0]
    death = np.where(np.arange(n) % 3 == 0, 70.0, np.inf)
    infused = np.arange(n) % 5 != 0
    response = respond(course, lineage="leukemia")
    found = assess(
        response, infused=infused, death_day=death, last_day=365.0, enrolment_day=-40.0, death_cause="disease"
    )
    assert (found.best_response[~infused] == "").all() and (found.best_response[infused] != "").all()
    for day in (found.response_day, found.relapse_day):
        seen = np.isfinite(day)
        assert (day[seen] <= np.minimum(death, 365.0)[seen]).all() and infused[seen].all()
    assert (np.isfinite(found.death_day) == np.isfinite(death)).all()
    assert ((found.death_cause == "disease") == np.isfinite(death)).all()
    assert ((found.relapse_antigen != "") == np.isfinite(found.relapse_day)).all()


def test_response_of_a_cohort_is_that_of_each_patient():
    course = leukemia(60)
    together = respond_all(course, visits=[28, 60, 90, 180])
    assert together.status.shape == (60, 4)
    for i in range(60):
        alone = respond_all(course.of([i]), visits=[28, 60, 90, 180])
        for name in ("best", "response_day", "mrd_negative", "relapse_day", "relapse_antigen"):
            assert getattr(alone, name)[0] == getattr(together, name)[i], (i, name)


def test_a_maintained_response_is_never_more_than_a_response():
    course = leukemia()
    plain, maintained = respond_all(course), respond_all(course, maintained=True)
    assert (np.isfinite(maintained.response_day) <= np.isfinite(plain.response_day)).all()
    held = np.isfinite(maintained.response_day)
    assert (maintained.relapse_day[held] - maintained.response_day[held] >= 25).all()


def test_no_criteria_for_other_lineages_yet():
    with pytest.raises(InputError, match="myeloma"):
        respond(leukemia(3), lineage="myeloma")


@pytest.mark.parametrize(("limit", "negative"), [(1e-6, True), (1e-4, True), (1e-3, False)])
def test_residual_disease_below_the_limit_is_negative_only_if_the_assay_is_sensitive_enough(limit, negative):
    cell = {"marrow_blasts": 1.0, "mrd": limit, "neutrophils": 2.0, "platelets": 150.0}
    values = {name: np.array([[value]]) for name, value in cell.items()}
    course = Course(np.arange(1), np.array([28.0]), values, {"mrd": np.array([[True]])})
    assert respond_all(course).mrd_negative[0] == negative


# Intention to treat


def test_a_progression_before_the_infusion_is_an_event_of_intention_to_treat(outcome):
    lost = outcome.progression_day.copy()
    lost[AT["never infused, alive"]] = -12
    found = dataclasses.replace(outcome, progression_day=lost)
    for endpoint in ("PFS", "EFS"):
        assert read(found, "never infused, alive", endpoint, clock="enrolment") == (23, True)  # enrolled on day -35
        assert read(found, "never infused, alive", endpoint) is None
    for endpoint in ("RFS", "DOR"):
        assert read(found, "never infused, alive", endpoint, clock="enrolment") is None
    assert read(found, "never infused, alive", "OS", clock="enrolment") == (735, False)


def test_without_progression_the_never_infused_leave_on_the_day_planned(outcome):
    assert read(outcome, "never infused, alive", "PFS", clock="enrolment") == (35, False)
    assert read(outcome, "never infused, died", "PFS", clock="enrolment") == (30, False)  # died on other therapy
    assert read(outcome, "never infused, alive", "EFS", clock="enrolment") == (35.1, True)
    censored = {"clock": "enrolment", "never_infused": "censored"}
    assert read(outcome, "never infused, alive", "EFS", **censored) == (35, False)
    waiting = outcome.death_day.copy()
    waiting[AT["never infused, died"]] = -10
    died = dataclasses.replace(outcome, death_day=waiting)
    for endpoint in ("PFS", "EFS", "OS"):
        assert read(died, "never infused, died", endpoint, clock="enrolment") == (20, True)
    assert read(died, "never infused, died", "EFS", **censored) == (20, True)
    with pytest.raises(InputError, match="censored"):
        time_to_event(outcome, "EFS", never_infused="censor")


def test_a_day_lost_counts_for_the_never_infused_alone_and_while_they_were_observed(outcome):
    n = len(outcome.best_response)
    response = Response(
        "", np.empty(0), (), np.empty((n, 0), np.int8), outcome.best_response, outcome.response_day,
        outcome.mrd_negative, outcome.relapse_day, outcome.progression_day, outcome.relapse_antigen, {},
    )  # fmt: skip
    found = assess(
        response, infused=outcome.best_response != "", death_day=outcome.death_day, last_day=outcome.last_day,
        enrolment_day=outcome.enrolment_day, lost_day=-3.0,
    )  # fmt: skip
    never = outcome.best_response == ""
    assert (found.progression_day[never] == -3).all() and (found.relapse_day[never] == NEVER).all()
    assert found.progression_day[AT["progressed"]] == 200 and found.progression_day[AT["lasting"]] == NEVER
