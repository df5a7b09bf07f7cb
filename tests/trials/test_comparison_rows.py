"""A row of the comparison, number by number: who counts, what is drawn, how it is summed up, and what is said of it."""

import dataclasses

import numpy as np
import pytest

from vein2vein.randomness import uniforms
from vein2vein.statistics.hazard_ratio import hazard_ratio
from vein2vein.statistics.survival import kaplan_meier, median_time, value_at
from vein2vein.trials.comparison import (
    LEVEL,
    RESAMPLES,
    beside,
    compare,
    draw,
    known_at,
    nobody,
    patients_of,
    quantile,
    read_row,
    resampled,
    summarize,
)
from vein2vein.trials.endpoints.measures import ENDPOINTS, SETS
from vein2vein.trials.published import Published

NAN, INF = np.nan, np.inf
PENN = {"scale": "penn", "until": 56}


def row(**more):
    fields = {
        "trial": "T", "arm": "A", "quantity": "Q", "definition": "D", "value": 50.0, "low": 40.0, "high": 60.0,
        "spread": "S", "n": 5.0, "unit": "%", "source": "hay_2017", "where": "W", "confidence": "read", **more,
    }  # fmt: skip
    return Published(**fields)


def test_the_event_of_the_cutoff_day_is_seen(journey):
    seen = known_at(journey, np.array([400.0, 299, 99, 50, 19, 119])).outcome
    np.testing.assert_array_equal(seen.relapse_day, [400, 200, INF, INF, INF, INF])
    assert seen.relapse_antigen.tolist() == ["positive", "negative", "", "", "", ""]
    np.testing.assert_array_equal(seen.death_day, [INF, INF, INF, 50, INF, INF])
    np.testing.assert_array_equal(seen.hsct_day, [INF] * 6)
    np.testing.assert_array_equal(seen.last_day, [400, 299, 99, 50, 19, 119])
    assert seen.best_response.tolist() == ["CR", "CRi", "CR", "NR", "", "NE"]  # 5: assessed on day 120
    np.testing.assert_array_equal(seen.response_day, [28, 28, 28, INF, INF, INF])
    assert seen.mrd_negative.tolist() == [True, True, True, False, False, False]
    early = known_at(journey, np.full(6, 27.9)).outcome
    assert early.best_response.tolist() == ["NE", "NE", "NE", "NR", "", "NE"]
    assert not early.mrd_negative.any()
    outcome = dataclasses.replace(journey.outcome, progression_day=np.array([10, 11, INF, INF, INF, INF]))
    late = known_at(dataclasses.replace(journey, outcome=outcome), np.full(6, 10.0)).outcome
    np.testing.assert_array_equal(late.progression_day, [10, INF, INF, INF, INF, INF])


def test_a_row_carries_what_was_published_and_what_was_simulated():
    result = np.arange(1.0, 101.0)
    shown = dataclasses.asdict(beside(row(kind="design", reason="R"), 7, result, level=0.9))
    assert shown == {
        "trial": "T", "arm": "A", "quantity": "Q", "definition": "D", "unit": "%", "kind": "design",
        "confidence": "read", "source": "hay_2017", "where": "W", "spread": "S", "published": 50.0,
        "published_low": 40.0, "published_high": 60.0, "n": 5.0, "simulated": 50.0, "low": 5.0, "high": 95.0, "pool": 7,
        "inside": True, "missing": "",
    }  # fmt: skip
    assert (LEVEL, RESAMPLES) == (0.9, 400)


@pytest.mark.parametrize(("value", "inside"), [(4.99, False), (5.0, True), (95.0, True), (95.01, False)])
def test_the_ends_of_the_interval_lie_inside(value, inside):
    assert beside(row(value=value), 7, np.arange(1.0, 101.0), level=0.9).inside is inside


def test_what_is_said_where_nothing_was_simulated():
    said = "not estimable: too few events in the simulated trials"
    half, more = np.array([1.0, 2.0, NAN, NAN]), np.array([1.0, NAN, NAN, NAN])
    assert beside(row(), 3, half, level=0.9).missing == "" and beside(row(), 3, half, level=0.9).simulated == 1
    empty = beside(row(), 3, more, level=0.9)
    assert (empty.missing, empty.inside, empty.pool) == (said, None, 3)
    assert np.isnan([empty.simulated, empty.low, empty.high]).all()
    assert beside(row(reason="no"), 0, None, level=0.9).missing == "no"
    assert beside(row(reason="no"), 0, None, level=0.9, missing="other").missing == "other"
    assert beside(row(), 0, None, level=0.9).missing == "the journey does not produce it"
    assert nobody(row(among="responders")) == "no virtual patient has this value in the set 'responders'"


def test_a_quantile_is_the_value_of_the_nearest_rank():
    values = np.array([5.0, NAN, 1, 4, 2, 3, INF])
    for share, expected in ((0.0, 1), (1 / 6, 1), (0.17, 2), (0.5, 3), (0.51, 4), (5 / 6, 5), (0.84, INF), (1.0, INF)):
        assert quantile(values, share) == expected


def test_trials_are_drawn_with_and_without_replacement():
    members = np.array([2, 3, 5, 7, 11])
    luck = uniforms(4, "trial of 3", np.arange(6), 3)
    np.testing.assert_array_equal(draw(members, 3, resamples=6, seed=4), members[(luck * 5).astype(int)])
    luck = uniforms(4, "trial of 3", np.arange(6), 5)
    once = draw(members, 3, resamples=6, seed=4, again=False)
    np.testing.assert_array_equal(once, members[np.argsort(luck, axis=1, kind="stable")[:, :3]])
    whole = draw(members, 5, resamples=6, seed=4, again=False)
    assert whole.shape == (6, 5) and (np.sort(whole, axis=1) == members).all()
    luck = uniforms(4, "trial of 6", np.arange(6), 6)
    many = draw(members, 6, resamples=6, seed=4, again=False)  # more than there are: with replacement
    np.testing.assert_array_equal(many, members[(luck * 5).astype(int)])


def test_the_limits_of_weight_take_the_upper_one_in(journey):
    def who(**more):
        return np.flatnonzero(patients_of(row(**more), journey, scale="penn", until=56)).tolist()

    assert who(among="enrolled") == [0, 1, 2, 3, 4, 5]
    assert who(among="enrolled", weight_from=30.0) == [2, 3, 5]
    assert who(among="enrolled", weight_to=30.0) == [0, 1, 4]
    assert who(among="infused", weight_from=15.0, weight_to=60.0) == [1, 2, 3]
    assert who(among="crs") == [0, 1, 3, 5]


def with_arms(journey, hand, arms):
    named = list(dict.fromkeys(arms))
    return dataclasses.replace(
        journey, patient=dataclasses.replace(journey.patient, arm=np.array(arms)),
        waiting=dataclasses.replace(journey.waiting, burden=np.array([140, 700, 1400, 7e3, 0, 350])),
        arms=tuple(hand.facts(name) for name in named), arm=np.array([named.index(arm) for arm in arms]),
    )  # fmt: skip


def test_arms_and_blasts_choose_the_patients_of_a_row(journey, hand):
    seen = with_arms(journey, hand, ["a", "a", "b", "b", "c", "c"])

    def who(**more):
        found = patients_of(row(among="enrolled", **more), seen, scale="penn", until=56)
        return np.flatnonzero(found).tolist()

    assert who(arms=("a", "c")) == [0, 1, 4, 5] and who(arms=()) == [0, 1, 2, 3, 4, 5]
    assert who(arms=("b",), weight_from=50.0) == [3]
    assert who(blasts_from=5.0) == [1, 2, 3] and who(blasts_below=5.0) == [0, 4, 5]
    assert who(blasts_from=1.0, blasts_below=10.0) == [0, 1, 5]
    assert who(blasts_from=5.0, arms=("a",)) == [1]


def test_what_a_row_reads_and_who_counts_for_it(journey):
    (flags,), pool = read_row(row(endpoint="crs", arguments={**PENN, "grade": 1}), journey, **PENN)
    np.testing.assert_array_equal(flags, ENDPOINTS["crs"].read(journey, **PENN, grade=1))
    assert np.flatnonzero(pool).tolist() == [0, 1, 2, 3, 5]
    (days,), pool = read_row(row(endpoint="crs_onset", arguments={**PENN, "grade": 1}), journey, **PENN)
    assert days[0] == 1 and np.flatnonzero(pool).tolist() == [0, 1, 3, 5]
    arrays, pool = read_row(row(endpoint="cmax", statistic="ratio", among="evaluable"), journey, **PENN)
    np.testing.assert_array_equal(arrays[1], SETS["responders"](journey, "penn", 56))
    assert len(arrays) == 2 and np.flatnonzero(pool).tolist() == [0, 1, 3, 5]
    overall = {"event": "RFS", "clock": "infusion", "censor_transplant": False}
    arrays, pool = read_row(row(endpoint="survival", arguments=overall), journey, **PENN)
    assert len(arrays) == 2 and np.flatnonzero(pool).tolist() == [0, 1, 2, 5]
    arrays, pool = read_row(row(endpoint="relapse_by_recovery", arguments={"landmark": 150}), journey, **PENN)
    assert len(arrays) == 3 and np.flatnonzero(pool).tolist() == [0, 1, 5]


VALUES = np.exp(np.random.default_rng(3).normal(2, 0.5, (7, 12)))
EVENTS = np.random.default_rng(4).random((7, 12)) < 0.6
MONTH = 365.25 / 12


@pytest.mark.parametrize(
    ("more", "arrays", "expected"),
    [
        ({"endpoint": "crs", "unit": "%"}, (EVENTS,), 100 * EVENTS.mean(axis=1)),
        ({"endpoint": "crs", "unit": "patients"}, (EVENTS,), EVENTS.sum(axis=1)),
        ({"endpoint": "cmax", "unit": "copies/ug gDNA"}, (VALUES,), np.median(VALUES, axis=1)),
        ({"endpoint": "cmax", "unit": "copies/ug gDNA", "statistic": "mean"}, (VALUES,), VALUES.mean(axis=1)),
        ({"endpoint": "cmax", "unit": "copies/ug gDNA", "statistic": "geometric mean"}, (VALUES,),
         np.prod(VALUES, axis=1) ** (1 / 12)),
        ({"endpoint": "cmax", "unit": "copies/ug gDNA", "statistic": "maximum"}, (VALUES,), VALUES.max(axis=1)),
        ({"endpoint": "tmax", "unit": "months", "statistic": "mean"}, (VALUES,), VALUES.mean(axis=1) / MONTH),
        ({"endpoint": "tmax", "unit": "days", "statistic": "mean"}, (VALUES,), VALUES.mean(axis=1)),
        ({"endpoint": "age", "unit": "days", "statistic": "maximum"}, (VALUES,), VALUES.max(axis=1) * 365.25),
        ({"endpoint": "relapse_by_mrd", "unit": "hazard ratio"},
         (VALUES, EVENTS, np.where(EVENTS[::-1], -INF, INF)),
         hazard_ratio(VALUES, EVENTS, np.where(EVENTS[::-1], -INF, INF))),
        ({"endpoint": "survival", "unit": "%", "time": 7.0}, (VALUES, EVENTS),
         100 * value_at(kaplan_meier(VALUES, EVENTS), 7.0)),
        ({"endpoint": "survival", "unit": "months"}, (VALUES, EVENTS),
         median_time(kaplan_meier(VALUES, EVENTS)) / MONTH),
        ({"endpoint": "survival", "unit": "days"}, (VALUES, EVENTS), median_time(kaplan_meier(VALUES, EVENTS))),
    ],
)  # fmt: skip
def test_each_kind_of_endpoint_is_summed_up_in_its_own_way(more, arrays, expected):
    np.testing.assert_allclose(summarize(row(**more), *arrays), expected)


def test_a_ratio_is_that_of_geometric_means():
    found = summarize(row(endpoint="cmax", statistic="ratio", unit="ratio"), VALUES, EVENTS)
    for values, group, one in zip(VALUES, EVENTS, found):
        assert one == pytest.approx(np.exp(np.log(values[group]).mean() - np.log(values[~group]).mean()))
    nobody_else = summarize(row(endpoint="cmax", statistic="ratio", unit="ratio"), VALUES, np.ones((7, 12), bool))
    assert not np.isfinite(nobody_else).any()


def test_a_row_is_drawn_from_its_set_at_its_size_and_read_at_its_cutoff(journey):
    follow_up = {"early": np.full(6, 250.0)}
    options = {"follow_up": follow_up, **PENN, "seed": 6, "resamples": 50}
    rows = [
        row(endpoint="relapsed", arguments={"antigen": "any", "before_transplant": False}, among="responders", draw=9),
        row(endpoint="relapsed", arguments={"antigen": "any", "before_transplant": False}, among="responders", draw=9,
            cutoff="early"),
        row(endpoint="crs_onset", arguments={**PENN, "grade": 1}, unit="days"),
        row(endpoint="", reason="R"),
        row(endpoint="icans", arguments={"grade": 1, "until": 56}),
        row(endpoint="ventilation_duration", arguments={"until": 56}, among="non_responders", unit="days"),
    ]  # fmt: skip
    found = list(resampled(rows, journey, **options))
    responders = np.array([0, 1, 2, 5])
    chosen = draw(responders, 9, resamples=50, seed=6)
    for (pool, result, said), relapsed in zip(found, ([0, 1], [1])):
        assert (pool, said) == (4, "")
        np.testing.assert_allclose(result, 100 * np.isin(chosen, relapsed).mean(axis=1))
    pool, result, said = found[2]
    with_it = np.array([0, 1, 3, 5])
    onset = np.array([1, 2, NAN, 5, NAN, 0])
    assert (pool, said) == (4, "")
    np.testing.assert_allclose(result, np.median(onset[draw(with_it, 4, resamples=50, seed=6)], axis=1))
    assert found[3] == (0, None, "") and found[4] == (0, None, "the journey does not grade icans")
    assert found[5] == (0, None, "no virtual patient has this value in the set 'non_responders'")
    ((_, once, _),) = resampled(rows[:1], journey, **options, again=False)
    assert once is not None
    np.testing.assert_allclose(once, found[0][1])  # nine of four: with replacement
    shown = compare(rows, journey, **options, level=0.5)
    assert [one.missing for one in shown] == ["", "", "", "R", found[4][2], found[5][2]]
    for one, (pool, result, _) in zip(shown[:3], found[:3]):
        assert one.pool == pool
        assert (one.low, one.simulated, one.high) == tuple(quantile(result, share) for share in (0.25, 0.5, 0.75))
        assert one.inside == (one.low <= 50 <= one.high)
