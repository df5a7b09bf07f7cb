"""Hazards of death and drop-out: section 7.4 of the specification."""

from types import SimpleNamespace

import numpy as np
import pytest

from vein2vein.models.model import named, start
from vein2vein.models.reference import model as reference
from vein2vein.virtual import hazards

C = hazards.constants()


def test_clock_is_unit_exponential_and_the_patients_own():
    draws = hazards.clock(1, "after progression", np.arange(50_000))
    assert draws.mean() == pytest.approx(1, abs=0.02)
    assert hazards.clock(1, "after progression", [777])[0] == draws[777]
    assert abs(np.corrcoef(draws, hazards.clock(1, "other cause", np.arange(50_000)))[0, 1]) < 0.02


def test_crossing_day_interpolates_and_says_never():
    days = [0, 10, 20]
    cumulated = [[0.0, 0.2, 0.6], [0.0, 0.0, 0.1], [0.5, 0.5, 0.5], [0.0, 0.3, 0.3]]
    assert hazards.crossing_day(days, cumulated, [0.4, 1.0, 0.5, 0.3]).tolist() == [15.0, np.inf, 0.0, 10.0]


def test_crossing_day_gives_exponential_times():
    n, hazard = 20_000, 0.01
    days = np.arange(0.0, 2001.0, 50.0)
    limit = hazards.clock(3, "test", np.arange(n))
    found = hazards.crossing_day(days, np.broadcast_to(hazard * days, (n, days.size)), limit)
    assert np.allclose(found[np.isfinite(found)], limit[np.isfinite(found)] / hazard)


def test_median_after_progression_is_the_cards():
    n = 20_000
    death = hazards.death_after_progression(np.full(n, 100.0), 12.0, np.arange(n), 1)
    assert np.median(death) - 100 == pytest.approx(365.25, rel=0.03)
    assert np.isinf(hazards.death_after_progression([np.inf], 12.0, [0], 1)).all()


def test_probability_of_an_interval():
    assert hazards.probability(0.0, 10) == 0
    assert hazards.probability(np.log(2) / 30, 30) == pytest.approx(0.5)


def cumulated(**changes):
    """Rates of the model's two cumulated hazards for the example patient at the start, with states changed."""
    model = reference.MODEL
    p = named(model.parameters, np.array([[model.example[name] for name in model.parameters]]))
    state = start(model, np.array([[model.example[name] for name in model.parameters]]))
    for name, value in changes.items():
        if name != "igg_support":
            state[:, model.state_names.index(name)] = value
    levels = {name: float(name == "igg_support" and changes.get(name, 0)) for name in model.level_names}
    rates = model.equations(0.0, named(model.state_names, state), p, SimpleNamespace(**levels))
    return float(np.squeeze(rates["H_nrm"])), float(np.squeeze(rates["H_dis"]))


def test_hazard_without_relapse_adds_its_terms():
    background = 0.04 / 365.25
    assert cumulated(N5=2.0, Gp=900)[0] == pytest.approx(background)
    assert cumulated(N5=0.4, Gp=900)[0] == pytest.approx(background + 2e-4)
    assert cumulated(N5=2.0, Gp=399)[0] == pytest.approx(background + 1e-4)
    assert cumulated(N5=2.0, Gp=399, igg_support=1)[0] == pytest.approx(background)


def test_hazard_of_uncontrolled_tumor_rises_with_the_burden_to_its_ceiling():
    capacity = reference.MODEL.example["K0"]
    hazard = [cumulated(T_pp=np.log(share * capacity))[1] for share in (0.01, 0.4, 0.8, 1.0)]
    assert np.all(np.diff(hazard) > 0) and hazard[0] < 1e-6
    assert hazard[2] == pytest.approx(0.01, rel=0.01) and hazard[3] < 0.02


def test_transplant_mortality_is_spread_over_its_days_and_background_doubles_for_a_year():
    days = np.arange(0, 600)
    at_once = hazards.transplant_hazard(C, days, 120.0, 0.0)
    assert 1 - np.exp(-at_once.sum()) == pytest.approx(0.08)
    more = hazards.transplant_hazard(C, days, 120.0, 0.04) - at_once
    assert more.sum() == pytest.approx(0.04, rel=0.01) and not more[:120].any() and not more[486:].any()
    assert not hazards.transplant_hazard(C, days, np.inf, 0.04).any()


def test_transplants_are_a_share_and_fall_into_their_window():
    day = hazards.transplant_day(C, 0.12, np.arange(20_000), 4)
    went = np.isfinite(day)
    assert went.mean() == pytest.approx(0.12, abs=0.01)
    assert day[went].min() >= 60 and day[went].max() <= 180
    assert np.isinf(hazards.transplant_day(C, 0.0, np.arange(100), 4)).all()


def test_dropout():
    least = hazards.constants().dropout
    assert hazards.dropout_hazard(C, 0, 14_000) == pytest.approx(least)
    assert hazards.dropout_hazard(C, 7_000, 14_000) == pytest.approx(least * 2.5)
    n = 20_000
    small = hazards.dropout_reason(C, np.zeros(n), 14_000, np.arange(n), 1)
    assert set(small) == {"death", "adverse event"}
    assert (small == "adverse event").mean() == pytest.approx(0.3, abs=0.02)
    large = hazards.dropout_reason(C, np.full(n, 14_000.0), 14_000, np.arange(n), 1)
    assert (large == "progression").mean() > 0.1


def test_toxicity_deaths_are_a_share_of_grade_4_and_never_change_the_past():
    n, days = 20_000, np.array([0.0, 1.0, 2.0, 3.0])
    crs = np.zeros((n, 4), int)
    crs[:, 2:] = 4
    icans = np.full((n, 4), -1)
    day, cause = hazards.toxicity_deaths(C, days, crs, icans, np.arange(n), 1)
    died = np.isfinite(day)
    assert died.mean() == pytest.approx(0.12, abs=0.01)
    assert np.all(day[died] == 5) and set(cause[died]) == {"cytokine release syndrome"} and set(cause[~died]) == {""}
    again, _ = hazards.toxicity_deaths(C, days[:3], crs[:, :3], icans[:, :3], np.arange(n), 1)
    assert np.array_equal(again, day)
    none, _ = hazards.toxicity_deaths(C, days, np.full((n, 4), 3), icans, np.arange(n), 1)
    assert np.isinf(none).all()
    by_brain, why = hazards.toxicity_deaths(C, days, np.zeros((n, 4), int), crs, np.arange(n), 1)
    assert np.isfinite(by_brain).mean() == pytest.approx(0.05, abs=0.01) and "neurotoxicity" in why


def struck(drug, amount, n=40_000):
    """Share with a severe event, and days and causes of death, of one dose to all."""
    numbers, days = np.arange(n), np.full(n, -3.0)
    day, cause, notes = hazards.drug_toxicity(C, {drug: (np.full(n, float(amount)), days)}, numbers, 1)
    return (int(notes[0].split()[0]) / n if notes else 0.0), day, cause


def test_toxic_doses_of_conditioning_strike_as_often_as_reported():
    assert struck("fludarabine", 576)[0] == pytest.approx(13 / 36, abs=0.01)
    assert struck("fludarabine", 125)[0] == pytest.approx(0.002, abs=0.001)
    assert struck("cyclophosphamide", 7400)[0] == pytest.approx(13 / 52, abs=0.01)
    assert struck("cyclophosphamide", 5600)[0] == pytest.approx(1 / 32, abs=0.006)
    assert struck("cyclophosphamide", 1500)[0] == struck("fludarabine", 0)[0] == 0
    assert struck("fludarabine", 90)[0] < 0.002
    _, day, cause = struck("fludarabine", 400)
    dead = np.isfinite(day)
    assert set(cause[dead]) == {"neurotoxicity from fludarabine"} and set(cause[~dead]) == {""}
    assert day[dead].min() >= 18 and day[dead].max() <= 57
    _, day, _ = struck("cyclophosphamide", 8000)
    assert day[np.isfinite(day)].min() >= 0


def test_a_higher_dose_never_spares_anybody():
    low, high = (struck("fludarabine", amount)[1] for amount in (200, 400))
    assert (np.isfinite(high) | ~np.isfinite(low)).all() and np.isfinite(high).sum() > np.isfinite(low).sum()
