"""Every endpoint on six patients whose story is written out in hand_journey.py; the answers are counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.therapy.course import Course
from vein2vein.trials.comparison import compare, draw, known_at, quantile
from vein2vein.trials.endpoints.measures import ENDPOINTS, SETS, NotProduced, recovery_day
from vein2vein.trials.endpoints.reading import first_episode
from vein2vein.trials.published import UNITS, Published

NAN = np.nan
PENN = {"scale": "penn", "until": 56}

FLAGS = [
    ("infused", {}, [0, 1, 2, 3, 5]),
    ("not_infused", {"reasons": ["manufacturing failure"]}, [4]),
    ("not_infused", {"reasons": ["death", "adverse event"]}, []),
    ("prior_transplant", {}, [0, 1, 4, 5]),
    ("responded", {"responses": ["CR", "CRi"], "response_by": 100}, [0, 1, 2]),
    ("responded", {"responses": ["CR"], "response_by": 130}, [0, 2, 5]),
    ("best_response", {"responses": ["NR"]}, [3]),
    ("mrd_negative", {}, [0, 1, 2]),
    ("relapsed", {"antigen": "any", "before_transplant": False}, [0, 1]),
    ("relapsed", {"antigen": "negative", "before_transplant": True}, [1]),
    ("ongoing_response", {}, [5]),
    ("transplanted_in_remission", {}, [2]),
    ("died", {"until": 50}, [3]),
    ("crs", {**PENN, "grade": 1}, [0, 1, 3, 5]),
    ("crs", {**PENN, "grade": 4}, [1]),
    ("crs", {"scale": "penn", "until": 2, "grade": 3}, []),
    ("crs_resolved", PENN, [0, 1, 2, 3, 5]),
    ("crs_resolved", {"scale": "penn", "until": 8}, [0, 2, 3, 5]),
    ("fever", {**PENN, "temperature": 38.6}, [0, 1, 5]),
    ("given", {"treatments": ["tocilizumab"], "until": 56}, [0, 1]),
    ("given", {"treatments": ["dexamethasone", "methylprednisolone"], "until": 56}, [1]),
    ("given_doses", {"treatments": ["tocilizumab"], "doses": 1, "until": 56}, [0]),
    ("given_doses", {"treatments": ["tocilizumab"], "doses": 2, "until": 56}, [1]),
    ("hypotension", {"until": 56}, [0, 1]),
    ("high_dose_vasopressor", {"norepinephrine": 20, "until": 56}, [1]),
    ("oxygen", {"device": "nasal cannula", "until": 56}, [0, 1]),
    ("oxygen", {"device": "ventilator", "until": 56}, [1]),
    ("hypoxia", {"saturation": 90, "until": 56}, [1]),
    ("neurologic_event", {"grade": 1, "until": 56}, [1, 5]),
    ("neurologic_event", {"grade": 3, "until": 56}, [1]),
    ("neurologic_event_ended", {"grade": 3, "within": 5, "until": 56}, [1]),
    ("neurologic_event_ended", {"grade": 3, "within": 4, "until": 56}, []),
    ("cytopenia", {"lines": ["neutropenia"], "grade": 3, "day": 28}, [0, 1, 3]),
    ("cytopenia", {"lines": ["neutropenia", "thrombocytopenia"], "grade": 3, "day": 56}, [5]),
    ("febrile_neutropenia", {"temperature": 38.3, "neutrophils": 1, "until": 56}, [0]),
    ("infection", {"severe": False, "until": 56}, [2, 3]),
    ("infection", {"severe": True, "until": 56}, [3]),
    ("hypogammaglobulinemia", {"igg": 400, "until": 56}, [0, 5]),
]  # fmt: skip

NUMBERS = [
    ("age", {}, [4, 10, 12, 16, 8, 20]),
    ("weight", {}, [15, 30, 45, 60, 25, 70]),
    ("prior_lines", {}, [2, 3, 3, 5, 2, 4]),
    ("marrow_blasts", {}, [50, 10, 1, 95, 100, 20]),
    ("dose_total", {}, [4.5e7, 9e7, 9e7, 1e8, NAN, 2e8]),
    ("dose_per_kg", {}, [3e6, 3e6, 2e6, 1e8 / 60, NAN, 2e8 / 70]),
    ("enrollment_to_infusion", {}, [40, 45, 50, 60, NAN, 44]),
    ("crs_onset", {**PENN, "grade": 1}, [1, 2, NAN, 5, NAN, 0]),
    ("crs_duration", {**PENN, "grade": 1}, [7, 26, NAN, 3, NAN, 2]),
    ("crs_duration", {**PENN, "grade": 3}, [7, 26, NAN, NAN, NAN, NAN]),
    ("crs_to_grade", {**PENN, "grade": 4}, [NAN, 1, NAN, NAN, NAN, NAN]),
    ("fever_onset", {**PENN, "temperature": 38.6}, [1, 3, NAN, NAN, NAN, 0]),
    ("fever_duration", {**PENN, "temperature": 38.6}, [4, 25, NAN, NAN, NAN, 1]),
    ("first_dose_day", {"treatments": ["dexamethasone"], "until": 56}, [NAN, 5, NAN, NAN, NAN, NAN]),
    ("ventilation_duration", {"until": 56}, [NAN, 5, NAN, NAN, NAN, NAN]),
    ("cmax", {}, [9000, 30000, NAN, 500, NAN, 1000]),
    ("tmax", {}, [8, 8, NAN, 8, NAN, 8]),
    ("persistence", {}, [180, 8, NAN, 8, NAN, 28]),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), FLAGS)
def test_share_endpoints(journey, name, arguments, expected):
    assert ENDPOINTS[name].kind == "share"
    assert np.flatnonzero(ENDPOINTS[name].read(journey, **arguments)).tolist() == expected


@pytest.mark.parametrize(("name", "arguments", "expected"), NUMBERS)
def test_number_endpoints(journey, name, arguments, expected):
    assert ENDPOINTS[name].kind == "number"
    np.testing.assert_allclose(ENDPOINTS[name].read(journey, **arguments), expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("enrolled", [0, 1, 2, 3, 4, 5]),
        ("infused", [0, 1, 2, 3, 5]),
        ("responders", [0, 1, 2, 5]),
        ("non_responders", [3]),
        ("evaluable", [0, 1, 2, 3, 5]),
        ("crs", [0, 1, 3, 5]),
        ("crs_grade_4", [1]),
        ("crs_below_grade_4", [0, 2, 3, 5]),
        ("relapsed", [0, 1]),
        ("relapsed_in_aplasia", [1]),
        ("severe_neurologic_event", [1]),
    ],
)
def test_sets(journey, name, expected):
    assert np.flatnonzero(SETS[name](journey, "penn", 56)).tolist() == expected


def test_loss_of_b_cell_aplasia_needs_two_samples_in_a_row(journey):
    np.testing.assert_array_equal(recovery_day(journey), [180, np.inf, np.inf, np.inf, np.inf, 56])
    time, event, among = ENDPOINTS["b_cell_aplasia"].read(journey)
    np.testing.assert_array_equal(time[among], [180, 200, 100, 50, 56])
    assert event[among].tolist() == [True, False, False, False, True]


def test_hazard_endpoints_clock_and_exposure(journey):
    time, event, since, among = ENDPOINTS["relapse_after_recovery"].read(journey, until=365)
    assert np.flatnonzero(among).tolist() == [0, 1, 2, 5]
    np.testing.assert_array_equal(time[among], [400, 200, 100, 700])
    assert event[among].tolist() == [True, True, False, False]
    np.testing.assert_array_equal(since[among], [180, np.inf, np.inf, 56])
    _, _, since, among = ENDPOINTS["relapse_by_mrd"].read(journey, landmark=28, above=1e-4)
    assert (since[among] == -np.inf).tolist() == [True, False, False, False]
    _, _, since, among = ENDPOINTS["relapse_by_recovery"].read(journey, landmark=150)
    assert np.flatnonzero(among).tolist() == [0, 1, 5]
    assert (since[among] == -np.inf).tolist() == [False, False, True]


def test_what_the_journey_does_not_hold_is_named(journey):
    with pytest.raises(NotProduced, match="crs_lee2014"):
        ENDPOINTS["crs"].read(journey, scale="lee2014", grade=1, until=56)
    with pytest.raises(NotProduced, match="followed by transgene, not car_t_cells"):
        ENDPOINTS["cmax_cells"].read(journey)


def test_a_data_cutoff_hides_later_events(journey):
    seen = known_at(journey, np.full(6, 250.0))
    np.testing.assert_array_equal(seen.outcome.relapse_day, [np.inf, 200, np.inf, np.inf, np.inf, np.inf])
    assert seen.outcome.relapse_antigen.tolist() == ["", "negative", "", "", "", ""]
    np.testing.assert_array_equal(seen.outcome.death_day, [np.inf, np.inf, np.inf, 50, 20, np.inf])
    np.testing.assert_array_equal(seen.outcome.last_day, [250, 250, 250, 50, 20, 250])
    assert np.flatnonzero(ENDPOINTS["ongoing_response"].read(seen)).tolist() == [0, 5]


def published(quantity, value, unit, **more):
    fields = {
        "trial": "T", "arm": "", "definition": "", "low": NAN, "high": NAN, "spread": "", "n": 5.0, "source": "",
        "where": "", "confidence": "read", "draw": 5, **more,
    }  # fmt: skip
    return Published(quantity=quantity, value=value, unit=unit, **fields)


def compared(journey, *rows, **more):
    options = {"follow_up": {}, "scale": "penn", "until": 56, "seed": 1, **more}
    return compare(rows, journey, **options)


def test_the_interval_is_that_of_a_trial_of_the_published_size(journey):
    crs = {"endpoint": "crs", "arguments": {**PENN, "grade": 1}}
    sizes = [published("CRS", 80, "%", draw=size, **crs) for size in (10, 1000)]
    small, large = compared(journey, *sizes)
    assert small.pool == large.pool == 5
    assert small.simulated == pytest.approx(80, abs=10)
    # binomial of 10 with p = 0.8: 5 % and 95 % quantiles are 6 and 10 of 10
    assert (small.low, small.high) == (60, 100)
    # of 1000: standard error 1.265 points, 90 % interval +- 2.08
    assert large.low == pytest.approx(80 - 2.08, abs=0.5)
    assert large.high == pytest.approx(80 + 2.08, abs=0.5)
    assert small.inside and large.inside
    assert compared(journey, published("CRS", 84, "%", draw=1000, **crs))[0].inside is False


def test_counts_medians_ratios_and_units(journey):
    count, days, months, ratio, worst, heavy = compared(
        journey,
        published("n_infused", 5, "patients", endpoint="infused", among="infused"),
        published("wait", 45, "days", endpoint="enrollment_to_infusion", draw=1001),
        published("wait", 1.5, "months", endpoint="enrollment_to_infusion", draw=1001),
        published("ratio", 10, "ratio", endpoint="cmax", statistic="ratio", among="evaluable", draw=4001),
        published("persistence", 6, "months", endpoint="persistence", statistic="maximum", draw=400),
        published("dose", 2e6, "CAR+ cells/kg", endpoint="dose_per_kg", weight_from=50, draw=1001),
    )
    assert (count.low, count.simulated, count.high) == (5, 5, 5)
    assert days.simulated == 45
    assert months.simulated == pytest.approx(45 / 30.4375)
    # geometric mean of 9000, 30000, 1000 over 500
    assert ratio.simulated == pytest.approx((9000 * 30000 * 1000) ** (1 / 3) / 500, rel=0.05)
    assert worst.simulated == pytest.approx(180 / 30.4375)
    assert heavy.pool == 2


def test_missing_rows_say_why(journey):
    none, unknown, empty = compared(
        journey,
        published("ICU", 50, "%", reason="not simulated"),
        published("ICANS", 50, "%", endpoint="icans", arguments={"grade": 1, "until": 56}),
        published("wait", 5, "days", endpoint="ventilation_duration", arguments={"until": 56}, among="non_responders"),
    )
    assert none.missing == "not simulated" and none.inside is None and np.isnan(none.simulated)
    assert "icans" in unknown.missing
    assert "non_responders" in empty.missing


def test_the_same_seed_gives_the_same_table_and_the_order_of_rows_does_not_matter(journey):
    first = published("age", 11, "years", endpoint="age")
    second = published("CRS", 80, "%", endpoint="crs", arguments={**PENN, "grade": 1})
    one, two = compared(journey, first, second), compared(journey, second, first)
    assert one[0].simulated == two[1].simulated and (one[1].low, one[1].high) == (two[0].low, two[0].high)


def test_draws_come_from_the_set_and_quantiles_pass_infinity():
    drawn = draw(np.array([3, 7, 9]), 40, resamples=50, seed=2)
    assert drawn.shape == (50, 40)
    assert set(np.unique(drawn)) == {3, 7, 9}
    assert quantile(np.array([1, 2, np.inf, np.nan]), 0.5) == 2
    assert quantile(np.array([1, np.inf, np.inf]), 0.5) == np.inf


def test_every_unit_of_an_endpoint_can_be_shown():
    shown = {"%", "patients", "1"} | set(UNITS.values())
    for endpoint in ENDPOINTS.values():
        assert endpoint.unit in shown
        assert endpoint.read.__doc__


def test_survival_of_the_infused_and_of_all_who_were_enrolled(journey):
    read = ENDPOINTS["survival"].read
    time, event, among = read(journey, event="OS", clock="infusion", censor_transplant=False)
    assert np.flatnonzero(among).tolist() == [0, 1, 2, 3, 5]
    np.testing.assert_array_equal(time[among], [1000, 300, 1500, 50, 700])
    assert event[among].tolist() == [False, True, False, True, False]
    time, event, among = read(journey, event="OS", clock="enrolment", censor_transplant=False)
    assert among.all()
    np.testing.assert_array_equal(time, [1040, 345, 1550, 110, 50, 744])
    time, event, among = read(journey, event="RFS", clock="infusion", censor_transplant=True)
    assert np.flatnonzero(among).tolist() == [0, 1, 2, 5]  # from response on day 28 (28, 28, 120)
    np.testing.assert_array_equal(time[among], [372, 172, 72, 580])
    assert event[among].tolist() == [True, True, False, False]
    time, event, _ = read(journey, event="EFS", clock="infusion", censor_transplant=False)
    assert event.tolist() == [True, True, False, True, False, False] and time[3] < 1


def test_survival_at_a_time_is_the_kaplan_meier_estimate_in_percent(journey):
    overall = {"event": "OS", "clock": "infusion", "censor_transplant": False}
    rows = [
        published("OS", 60, "%", endpoint="survival", time=when, draw=4000, arguments=overall)
        for when in (40.0, 100.0, 400.0)
    ]
    found = [row.simulated for row in compared(journey, *rows)]
    # of 5 infused one is dead by day 50 and a second by day 300
    assert found == pytest.approx([100, 80, 60], abs=1)


def test_a_sign_that_returns_a_day_after_its_end_is_another_episode_however_sparse_the_visits(journey):
    days = np.array([0.0, 1.0, 4.0, 5.0, 5.5, 6.0, 9.0])
    seen = replace(journey, course=Course(np.arange(6), days, {}))
    flags = np.array([[1, 1, 1, 0, 1, 0, 0], [1, 1, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1, 1]], bool)
    np.testing.assert_array_equal(first_episode(seen, flags, 56.0, 1.0), [6, 4, NAN, 5])
