"""Endpoints of exposure, blood and toxicity of further trials, on the six patients of conftest.py or by formula."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.models.reference import model as reference
from vein2vein.records import take
from vein2vein.therapy.course import Course
from vein2vein.trials.comparison import patients_of
from vein2vein.trials.endpoints.exposure import fludarabine_exposure
from vein2vein.trials.endpoints.measures import ENDPOINTS, SETS
from vein2vein.trials.published import Published

NAN = np.nan
PENN = {"scale": "penn", "until": 56}


def read(name, journey, **arguments):
    return ENDPOINTS[name].read(journey, **arguments)


def test_the_highest_grade_is_exact(journey):
    assert np.flatnonzero(read("crs_highest", journey, grade=3, **PENN)).tolist() == [0]
    assert np.flatnonzero(read("crs_highest", journey, grade=4, **PENN)).tolist() == [1]


def test_onset_and_duration_of_neurologic_events(journey):
    onset = read("neurologic_onset", journey, grade=1, until=56)
    assert onset[[1, 5]].tolist() == [3, 8] and np.isnan(onset[[0, 2, 3, 4]]).all()
    duration = read("neurologic_duration", journey, grade=3, until=56)
    assert duration[1] == 5  # grade 3 on days 3 and 5, below it at the next grading, day 8
    assert np.isnan(duration[5])


def test_severe_cytokine_release_by_organ_support(journey):
    wanted = {**PENN, "vasopressor_days": 4, "device": "ventilator"}
    assert np.flatnonzero(read("crs_organ_support", journey, **wanted)).tolist() == [1]
    milder = {**PENN, "vasopressor_days": 2, "device": "ventilator"}
    assert np.flatnonzero(read("crs_organ_support", journey, **milder)).tolist() == [0, 1]  # patient 0: days 3 to 5


def test_b_cells_are_read_in_those_in_remission(journey):
    back = read("b_cells_detectable", journey, day=180)
    away = read("in_b_cell_aplasia", journey, day=180)
    known = ~np.isnan(back)
    assert np.array_equal(known, ~np.isnan(away))
    assert (back[known] + away[known] == 100).all()
    assert back[5] == 100  # B cells again on days 56 and 180, in remission
    assert np.isnan(back[[3, 4]]).all()  # no response; never infused


def test_change_of_igg_is_relative_to_the_infusion(journey):
    days = journey.course.days
    igg = np.full((6, days.size), NAN)
    igg[:, 0] = 1000
    igg[5, days == 180], igg[5, days == 365] = 700, 900
    igg[0, days == 28] = 100  # before the first day asked for
    seen = replace(journey, course=Course(journey.course.patients, days, {"igg": igg}))
    found = read("igg_change", seen, from_day=90, until=400)
    assert found[5] == pytest.approx(-20)
    assert np.isnan(found[:5]).all()


def test_recovery_of_a_count_is_the_last_reading(journey):
    assert np.flatnonzero(read("count_recovered", journey, line="neutrophils", above=0.5, day=28)).tolist() == [1, 5]


def test_half_life_of_the_last_samples_is_that_of_the_slow_phase(journey):
    days = np.array([0, 7, 14, 21, 28, 60, 90, 120, 180.0])
    curve = 1e4 * np.exp(-0.3 * (days - 7)) + 100 * np.exp(-np.log(2) / 40 * (days - 7))
    curve[0] = 1
    noisy = np.array([1, 1e4, 10, 500, 20, 800, 15, 700, 12.0])
    course = Course(np.arange(2), days, {"transgene": np.stack([curve, noisy])})
    two = take(journey, np.arange(2))
    plan = replace(two.plan, kinetics_samples=tuple(days))
    two = replace(two, course=course, plan=plan, kinetics=replace(two.kinetics, tmax=np.array([7.0, 7.0])))
    found = read("half_life_last", two, least_fit=0.8)
    assert found[0] == pytest.approx(40, rel=0.02)
    assert np.isnan(found[1])  # no line fits


def test_fludarabine_exposure_is_dose_over_clearance(journey):
    names = reference.MODEL.parameters
    values = reference.parameters(patient=False).values()
    row = np.array([values.get(name, 1.0) for name in names])
    at = {name: i for i, name in enumerate(names)}
    row[at["BW"]], row[at["CrCl"]], row[at["CLnr"]], row[at["CLf_factor"]] = (
        values["BWref"],
        values["CrClref"],
        4.0,
        1.0,
    )
    individual = np.stack([row, row])
    individual[1, at["BW"]] = values["BWref"] / 16
    doses = ((-5.0, "fludarabine", np.array([50.0, 50.0])), (-4.0, "fludarabine", np.array([50.0, 50.0])),
             (-4.0, "cyclophosphamide", np.array([900.0, 900.0])))  # fmt: skip
    two = take(journey, np.arange(2))
    two = replace(two, individual=individual, conditioning=replace(two.conditioning, doses=doses))
    found = fludarabine_exposure(two)
    assert found[0] == pytest.approx(100 * values["salt"] / (4.0 + values["CLren"]))
    assert found[1] / found[0] == pytest.approx(8)  # clearance with weight to the power 0.75


def test_burden_before_the_cells_splits_the_patients(journey):
    assert journey.disease.marrow_full == 14000
    seen = replace(journey, waiting=replace(journey.waiting, burden=np.array([140, 700, 1400, 7e3, 0, 350])))
    row = Published("t", "", "q", "", 1, NAN, NAN, "", 1, "%", "", "", "read", blasts_below=5.0)
    assert np.flatnonzero(patients_of(row, seen, scale="penn", until=56)).tolist() == [0, 5]
    above = replace(row, blasts_below=np.inf, blasts_from=5.0)
    assert np.flatnonzero(patients_of(above, seen, scale="penn", until=56)).tolist() == [1, 2, 3]
    time, _, exposed, among = read("relapse_by_burden", seen, above=5)
    assert np.flatnonzero(np.isneginf(exposed)).tolist() == [1, 2, 3]
    assert np.flatnonzero(among).tolist() == np.flatnonzero(SETS["responders"](seen, "penn", 56)).tolist()
    assert np.isfinite(time[among]).all()


def test_partial_and_very_good_responses_count_as_responses(journey):
    best = np.array(["VGPR", "PR", "sCR", "SD", "", "PD"])
    seen = replace(journey, outcome=replace(journey.outcome, best_response=best))
    assert np.flatnonzero(SETS["responders"](seen, "penn", 56)).tolist() == [0, 1, 2]
    assert np.flatnonzero(SETS["non_responders"](seen, "penn", 56)).tolist() == [3, 5]
