"""What the ward writes: section 6 of the specification, and its acceptance tests (j) and (k)."""

import numpy as np
import pytest

from vein2vein.analytes import all_analytes
from vein2vein.journey.day_loop import ward_limits
from vein2vein.virtual import bedside as ward

C = ward.constants()
LIMITS = ward_limits()

WELL = {"temperature": 37.0, "systolic_bp": 112.0, "spo2": 97.5, "cns_dysfunction": 0.0}


def chart(n=1, *, day=1.0, age=40.0, weight=70.0, seed=1, **signs):
    flags = {k: signs.pop(k) for k in ("infection_fever", "flagged", "crs_now") if k in signs}
    return ward.bedside(
        C, {**WELL, **signs}, age=age, weight=weight, numbers=np.arange(n), day=day, seed=seed, limits=LIMITS, **flags
    )


def test_writes_known_analytes_within_their_ranges():
    rng = np.random.default_rng(0)
    n = 500
    written = chart(
        n, temperature=37 + 5 * rng.random(n), systolic_bp=40 + 80 * rng.random(n), spo2=70 + 30 * rng.random(n),
        cns_dysfunction=rng.random(n), age=80 * rng.random(n), weight=4 + 90 * rng.random(n), infection_fever=True,
    )  # fmt: skip
    for name, values in written.items():
        known = all_analytes()[name]
        assert values.shape == (n,)
        seen = values[np.isfinite(values)]
        assert np.all((seen >= known.low) & (seen <= known.high)), name
    assert "motor_weakness" not in written and "cerebral_edema" not in written


def test_well_adults_are_hardly_ever_hypotensive():
    n = 1000
    floor = LIMITS.systolic(40.0) + 8
    pressure = np.maximum(112 + 10 * np.random.default_rng(1).standard_normal(n), floor)
    ever = np.zeros(n, bool)
    for k in range(20):
        written = chart(n, day=k / 2, systolic_bp=pressure)
        ever |= written["systolic_bp"] < 90
        assert np.array_equal(written["fluid_boluses"] > 0, written["systolic_bp"] < 90)
        assert np.all(written["temperature"] < 38)
    assert ever.mean() < 0.01


@pytest.mark.parametrize("age, limit", [(1, 72), (5, 80), (10, 90), (10.5, 90), (60, 90)])
def test_limit_of_hypotension(age, limit):
    assert LIMITS.systolic(age) == limit


@pytest.mark.parametrize(
    "deficit, boluses, above, others",  # above: mmHg beyond what boluses answer, 2 ug/min each
    [(-5, 0, 0, 0), (0, 0, 0, 0), (3, 1, 0, 0), (4, 1, 0, 0), (4.5, 3, 0, 0), (C.deficit_boluses, 3, 0, 0),
     (C.deficit_boluses + 1, 3, 1, 0), (C.deficit_boluses + 6, 3, 6, 0), (24, 3, 24 - C.deficit_boluses, 0),
     (25, 3, 25 - C.deficit_boluses, 1)],
)  # fmt: skip
def test_circulatory_support(deficit, boluses, above, others):
    given = ward.circulatory_support(C, np.array([float(deficit)]))
    assert given["fluid_boluses"] == boluses
    assert given["norepinephrine"] == pytest.approx(2 * above)
    assert given["other_vasopressors"] == others
    assert given["vasopressin"] == 0


@pytest.mark.parametrize(
    "spo2, weight, device, fio2, flow",
    [(97.5, 70, 0, 0.21, 0), (92, 70, 0, 0.21, 0), (90, 70, 1, 0.29, 2.52), (86, 70, 3, 0.45, 27),
     (86, 10, 3, 0.45, 20), (80, 70, 4, 0.69, np.nan), (75, 70, 5, 0.89, np.nan), (60, 70, 5, 1, np.nan)],
)  # fmt: skip
def test_oxygen_support(spo2, weight, device, fio2, flow):
    given = ward.oxygen_support(C, np.array([92.0 - spo2]), np.array([float(weight)]))
    assert given["oxygen_device"] == device
    assert given["fio2"] == pytest.approx(fio2)
    assert given["oxygen_flow"] == pytest.approx(flow, nan_ok=True)


def test_low_flow_cannula_ends_at_six_liters():
    flow = ward.oxygen_support(C, np.array([4.75]), np.array([70.0]))
    assert flow["oxygen_device"] == 1 and 5.9 < flow["oxygen_flow"] <= 6


def icans_grade(ice, capd, arousal):
    """ASTCT grade by the published table, from the score and from arousal."""
    by_ice = np.select([ice >= 10, ice >= 7, ice >= 3], [0, 1, 2], 3)
    by_capd = np.select([capd == 0, capd < 9], [0, 1], 3)
    by_score = np.where(np.isnan(capd), by_ice, by_capd)
    return np.maximum(by_score, arousal)


def test_child_and_adult_with_one_index_get_one_grade():
    cn = np.concatenate([np.linspace(0, 1, 20001), [0.12, 0.35, 0.6, 0.93]])
    child, adult = ward.neurologic_scores(C, cn, 6.0), ward.neurologic_scores(C, cn, 30.0)
    assert np.isnan(child["ice"]).all() and np.isnan(adult["capd"]).all()
    expected = np.select([cn > 0.93, cn >= 0.6, cn >= 0.35, cn >= 0.12], [4, 3, 2, 1], 0)
    able = expected < 4
    assert np.array_equal(icans_grade(adult["ice"], adult["capd"], adult["arousal"]), expected)
    assert np.array_equal(icans_grade(np.nan, child["capd"], child["arousal"])[able], expected[able])
    assert np.array_equal(np.isnan(child["capd"]), ~able)
    by_ice = np.select([adult["ice"] >= 10, adult["ice"] >= 7, adult["ice"] >= 3], [0, 1, 2], 3)
    assert np.array_equal(by_ice, np.minimum(expected, 3))
    assert np.array_equal(child["capd"][able] >= 9, expected[able] == 3)


@pytest.mark.parametrize("cn, ice, capd", [(0.0, 10, 0), (0.12, 9, 1), (0.3499, 7, 4), (0.35, 6, 4), (0.5999, 3, 8),
                                           (0.6, 2, 9), (0.93, 1, 27)])  # fmt: skip
def test_scores_at_the_cuts(cn, ice, capd):
    assert ward.neurologic_scores(C, cn, 20.0)["ice"] == ice
    assert ward.neurologic_scores(C, cn, 8.0)["capd"] == capd


def test_scores_never_improve_with_the_index():
    cn = np.linspace(0, 1, 2001)
    adult, child = ward.neurologic_scores(C, cn, 30.0), ward.neurologic_scores(C, cn, 6.0)
    assert np.all(np.diff(adult["ice"]) <= 0) and np.all(np.diff(adult["arousal"]) >= 0)
    assert np.all(np.diff(child["capd"][np.isfinite(child["capd"])]) >= 0)


def test_seizures_follow_their_hazard():
    n = 200_000
    assert not ward.seizures(C, np.full(n, 0.19), np.arange(n), 3.0, 1, 0.5).any()
    seen = ward.seizures(C, np.full(n, 1.0), np.arange(n), 3.0, 1, 0.5)
    assert (seen > 0).mean() == pytest.approx(1 - np.exp(-0.04), rel=0.05)
    assert (seen == 2).sum() / (seen > 0).sum() == pytest.approx(0.2, abs=0.02)


def test_infection_fever_is_put_down_to_infection_only_where_nothing_else_explains_it():
    alone = chart(200, infection_fever=True, flagged=True)
    assert np.all(alone["temperature"] >= 38) and np.all(alone["fever_other_cause"] == 1)
    with_crs = chart(200, temperature=39.5, infection_fever=True, flagged=True)
    assert np.all(with_crs["fever_other_cause"] == 0)
    assert np.all(chart(200, infection_fever=True)["fever_other_cause"] == 0)


def test_infection_risk_adds_its_terms():
    c = ward.constants()
    well = {"neutrophils": 3.0, "steroid": 0.0, "b_cell_aplasia": False, "igg": 1000.0, "cd4": 1500.0}
    at_limit = {"neutrophils": 0.5, "steroid": 1.0, "cd4": 350.0}
    none = ward.infection_risk(C, **well)
    assert none == pytest.approx(c.infection_background, rel=1e-3)
    assert ward.infection_risk(C, **{**well, "igg": 200.0}) == none, "low IgG counts with B-cell aplasia"
    added = {"neutrophils": 0.011, "steroid": 0.008, "cd4": 0.0045}
    for name, much in {"neutrophils": 0.1, "steroid": 10.0, "cd4": 50.0}.items():
        assert ward.infection_risk(C, **{**well, name: much}) - none == pytest.approx(added[name], rel=1e-3), name
        half = ward.infection_risk(C, **{**well, name: at_limit[name]}) - none
        assert half == pytest.approx(added[name] / 2, rel=1e-3), name
    low = ward.infection_risk(C, **{**well, "b_cell_aplasia": True, "igg": 100.0}) - none
    assert low == pytest.approx(0.0018, rel=1e-3)


def test_infections_are_graded_and_more_often_severe_without_neutrophils():
    n = 100_000
    common = {"numbers": np.arange(n), "day": 2.0, "seed": 5, "interval": 0.5}
    for neutrophils, share in ((5.0, 0.38), (0.05, 0.5), (0.5, 0.44)):
        kind = ward.infections(C, np.full(n, 2.0), neutrophils=np.full(n, neutrophils), **common)[2]
        assert set(kind) == {0.0, 1.0, 2.0}
        assert (kind == 2).sum() / (kind > 0).sum() == pytest.approx(share, abs=0.01)


def test_blood_is_drawn_daily_for_two_weeks():
    def drawn(day, interval):
        return float(ward.blood_drawn(C, 70.0, day=day, interval=interval))

    assert drawn(3.0, 0.5) == pytest.approx(15.75) and drawn(3.0, 1.0) == pytest.approx(31.5)
    assert drawn(28.0, 14.0) == 0 and drawn(21.0, 14.0) == drawn(14.0, 7.0)
    assert ward.blood_drawn(C, [20.0, 40.0], day=1.0, interval=1.0).tolist() == [9.0, 18.0]


def test_infections_come_at_their_rate_and_last_three_days():
    n = 100_000
    until, flagged, kind = ward.infections(C, np.full(n, 0.1), numbers=np.arange(n), day=2.0, seed=5, interval=0.5)
    started = kind > 0
    assert started.mean() == pytest.approx(1 - np.exp(-0.05), rel=0.05)
    assert np.all(until[started] == 5) and np.all(np.isneginf(until[~started]))
    assert flagged[started].mean() == pytest.approx(0.5, abs=0.03)
    sure = np.full(n, 1e9)
    later = ward.infections(C, sure, numbers=np.arange(n), day=2.5, seed=5, interval=0.5, until=until, flagged=flagged)
    assert np.array_equal(later[2] > 0, ~started), "no new block while one is on"
    assert np.array_equal(later[1][started], flagged[started])


def test_headache_belongs_to_the_patient_and_needs_crs():
    n = 50_000
    one, two = chart(n, crs_now=True, day=3.0), chart(n, crs_now=True, day=4.0)
    assert one["headache_or_tremor"].mean() == pytest.approx(ward.constants().headache_or_tremor, abs=0.01)
    assert np.array_equal(one["headache_or_tremor"], two["headache_or_tremor"])
    assert not chart(n, day=3.0)["headache_or_tremor"].any()


def test_a_patient_does_not_depend_on_the_others():
    signs = {**WELL, "cns_dysfunction": 0.9}
    together = ward.bedside(C, signs, age=30.0, weight=70.0, numbers=np.arange(10), day=2.0, seed=3, limits=LIMITS)
    alone = ward.bedside(C, signs, age=30.0, weight=70.0, numbers=[7], day=2.0, seed=3, limits=LIMITS)
    for name in together:
        assert np.array_equal(together[name][7:8], alone[name], equal_nan=True)
