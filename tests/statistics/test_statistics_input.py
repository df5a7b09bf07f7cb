"""What the estimates refuse: each names the argument and the position, what was found and what was expected."""

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.statistics.hazard_ratio import hazard_ratio
from vein2vein.statistics.incidence import cumulative_incidence, incidence_interval_at
from vein2vein.statistics.log_rank import log_rank
from vein2vein.statistics.survival import interval_at, kaplan_meier, median_interval, median_time, value_at

TIME, EVENT = np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, True])
GROUP = np.array(["a", "b", "a", "b"])
NAN, INF = np.nan, np.inf

ESTIMATES = {
    "kaplan_meier": kaplan_meier,
    "cumulative_incidence": cumulative_incidence,
    "log_rank": lambda time, event, included=None: log_rank(
        time, event, np.resize(GROUP, np.shape(time)), included=included
    ),
    "hazard_ratio": lambda time, event, included=None: hazard_ratio(
        time, event, np.resize([-INF, INF], np.shape(time)), included
    ),
}


@pytest.fixture(params=ESTIMATES)
def estimate(request):
    """Each estimate as a function of times, events and who counts."""
    return lambda time, event, included=None: (
        ESTIMATES[request.param](time, event, included=included)
        if included is not None
        else ESTIMATES[request.param](time, event)
    )


def refused(call, field, *said):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.field == field
    for words in said:
        assert words in caught.value.text
    assert caught.value.text.endswith(".")


@pytest.mark.parametrize("wrong", [NAN, INF, -INF, -1.0, -1e-9])
def test_a_time_that_cannot_be_is_refused_with_its_position(estimate, wrong):
    time = TIME.copy()
    time[2] = wrong
    refused(
        lambda: estimate(time, EVENT), "time[2]", f"found {wrong:g}", "expected a finite time from 0 up", "included"
    )


@pytest.mark.parametrize("wrong", [NAN, INF, -1.0])
def test_a_time_that_cannot_be_is_not_looked_at_where_the_patient_does_not_count(estimate, wrong):
    time, counted = np.array([1.0, wrong, 2.0, 3.0, 4.0]), [True, False, True, True, True]
    event = np.array([True, True, False, True, True])
    found = ESTIMATES["kaplan_meier"](time, event, counted)
    alone = kaplan_meier(TIME, EVENT)
    for when in (0.0, 1.0, 2.5, 3.0, 9.0):
        assert value_at(found, when) == value_at(alone, when)
    estimate(time, event, counted)


def test_time_zero_is_a_time(estimate):
    estimate(np.array([0.0, 0.0, 3.0, 4.0]), EVENT)
    assert value_at(kaplan_meier([0.0, 1.0], [1, 0]), 0.0) == 0.5


@pytest.mark.parametrize("time", [[], np.empty((3, 0)), np.empty((0, 3)), 3.0])
def test_no_patient_is_refused(estimate, time):
    refused(lambda: estimate(time, time), "time", f"found the shape {np.shape(time)}", "at least one patient")


@pytest.mark.parametrize("time", [["a", "b"], [None, "x"], [1j, 2j], np.array(["2020-01-01"], "M8[D]")])
def test_times_that_are_no_numbers_are_refused(estimate, time):
    refused(lambda: estimate(time, [1, 0]), "time", "expected numbers")


def test_rows_of_several_lengths_are_refused():
    refused(lambda: kaplan_meier([[1, 2], [3]], [[1, 1], [0]]), "time", "rows of one length")


def test_whole_numbers_are_times(estimate):
    estimate([1, 2, 3, 4], EVENT)
    assert value_at(kaplan_meier([1, 2, 3, 4], EVENT), 2) == 0.75


@pytest.mark.parametrize("wrong", [2, -1, 0.5, NAN])
@pytest.mark.parametrize("name", ["kaplan_meier", "log_rank", "hazard_ratio"])
def test_an_event_that_is_neither_true_nor_false_is_refused(name, wrong):
    event = [1, wrong, 0, 1]
    refused(lambda: ESTIMATES[name](TIME, event), "event[1]", f"found {wrong:g}", "true or false")
    ESTIMATES[name](TIME, event, included=[1, 0, 1, 1])  # one who does not count may have anything
    refused(lambda: ESTIMATES[name](TIME, ["yes"] * 4), "event", "expected numbers")


@pytest.mark.parametrize("wrong", [-1, 0.5, NAN, INF])
def test_a_cause_that_is_no_whole_number_is_refused(wrong):
    cause = np.array([1, 0, 2, wrong])
    refused(lambda: cumulative_incidence(TIME, cause), "cause[3]", f"found {wrong:g}", "0 for censored")
    found = cumulative_incidence(TIME, cause, of=2, included=[1, 1, 1, 0])
    assert value_at(found, 9) == pytest.approx(2 / 3)


@pytest.mark.parametrize("of", [0, -1])
def test_the_cause_asked_for_is_an_event(of):
    refused(lambda: cumulative_incidence(TIME, EVENT, of=of), "of", f"found {of}", "0 is censored")


def test_who_counts_is_given_for_each_and_is_true_or_false(estimate):
    refused(lambda: estimate(TIME, EVENT, [True, False]), "included", "found the shape (2,)", "expected (4,)")
    refused(lambda: estimate(TIME, EVENT, [1, 1, 3, 1]), "included[2]", "found 3", "true or false")


@pytest.mark.parametrize("name", ["kaplan_meier", "cumulative_incidence", "log_rank"])
def test_a_trial_in_which_nobody_counts_is_refused(name):
    refused(lambda: ESTIMATES[name](TIME, EVENT, included=np.zeros(4, bool)), "included", "found nobody who counts")


def test_the_one_of_many_trials_that_is_wrong_is_named():
    time, event = np.stack([TIME, TIME, TIME]), np.stack([EVENT, EVENT, EVENT])
    bad = time.copy()
    bad[1, 3] = NAN
    for call in (kaplan_meier, cumulative_incidence, lambda t, e: hazard_ratio(t, e, INF)):
        refused(lambda call=call: call(bad, event), "time[1, 3]", "found nan")
    counted = np.ones((3, 4), bool)
    counted[2] = False
    refused(lambda: kaplan_meier(time, event, counted), "included[2]", "nobody")
    assert np.isnan(hazard_ratio(time, event, np.stack([[-INF, INF, -INF, INF]] * 3), counted)[2])
    refused(lambda: log_rank(time, event, time), "time", "found the shape (3, 4)", "expected one trial")


def test_groups_strata_and_exposures_are_checked_too():
    refused(lambda: log_rank(TIME, EVENT, ["a"] * 4), "group", "found one group", "two or more")
    refused(lambda: log_rank(TIME, EVENT, GROUP, included=[1, 0, 1, 0]), "group", "found one group")
    refused(lambda: log_rank(TIME, EVENT, ["a", "b"]), "group", "found the shape (2,)")
    refused(lambda: log_rank(TIME, EVENT, [0, 1, NAN, 1]), "group[2]", "found nan")
    refused(lambda: log_rank(TIME, EVENT, GROUP, stratum=[0, 1, 1, NAN]), "stratum[3]", "found nan")
    refused(lambda: log_rank(TIME, EVENT, GROUP, stratum=[0]), "stratum", "found the shape (1,)")
    log_rank(TIME, EVENT, [0, 1, NAN, 1], included=[1, 1, 0, 1])
    refused(lambda: hazard_ratio(TIME, EVENT, [0, 1, NAN, INF]), "exposed_from[2]", "found nan", "-inf")
    refused(lambda: hazard_ratio(TIME, EVENT, [0, 1]), "exposed_from", "found the shape (2,)")
    assert hazard_ratio(TIME, EVENT, [0, INF, NAN, INF], [1, 1, 0, 1]).shape == ()


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, NAN])
def test_a_level_is_a_share(level):
    curve, incidence = kaplan_meier(TIME, EVENT), cumulative_incidence(TIME, EVENT)
    for call in (
        lambda: interval_at(curve, 2, level),
        lambda: median_interval(curve, level),
        lambda: incidence_interval_at(incidence, 2, level),
    ):
        refused(call, "level", f"found {level:g}", "between 0 and 1")


def test_a_scale_is_one_of_three():
    curve = kaplan_meier(TIME, EVENT)
    for call in (lambda: interval_at(curve, 2, 0.95, "loglog"), lambda: median_interval(curve, 0.95, "loglog")):
        refused_scale(call)


def refused_scale(call):
    with pytest.raises(InputError, match="unknown scale of an interval 'loglog'; did you mean log-log") as caught:
        call()
    assert caught.value.field == "scale"


@pytest.mark.parametrize("when", [NAN, INF, -INF, -1])
def test_a_curve_is_read_at_a_time(when):
    curve = kaplan_meier(TIME, EVENT)
    for call in (lambda: value_at(curve, when), lambda: interval_at(curve, when, 0.95)):
        refused(call, "when", f"found {when:g}", "a finite time from 0 up")
    assert value_at(curve, 0) == 1 and median_time(curve) == 3


@pytest.mark.parametrize("count", [3, 5, 1])
@pytest.mark.parametrize("name", ESTIMATES)
def test_events_that_are_not_one_for_each_patient_are_refused(name, count):
    field = "cause" if name == "cumulative_incidence" else "event"
    said = f"found the shape ({count},), expected (4,), that of time: one value for each patient"
    refused(lambda: ESTIMATES[name](TIME, np.ones(count)), field, said)


def test_what_lies_under_a_mask_is_no_value(estimate):
    refused(lambda: estimate(np.ma.array(TIME, mask=[True, False, False, False]), EVENT), "time", "masked")


@pytest.mark.parametrize("cause", [1.5, "1", None, True, 0])
def test_a_cause_that_is_no_number_of_one_is_refused(cause):
    refused(lambda: cumulative_incidence(TIME, [1, 2, 0, 1], of=cause), "of", "the number of a cause")


def test_groups_of_names_and_numbers_together_are_refused():
    refused(lambda: log_rank(TIME, EVENT, ["a", None, 1, "b"]), "group", "names or numbers")
