"""What the chart shows of blood, in every lineage; red cells by the policy; death days that no tolerance moves."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.journey import day_loop
from vein2vein.journey.chart import simulate
from vein2vein.therapy.visits import read_plan
from vein2vein.trials.virtual_patients import virtual_patients
from vein2vein.virtual import assay

PLAN = replace(read_plan(), follow_up=90.0, disease_visits=(28.0, 90.0), kinetics_samples=(1.0, 7.0, 10.0, 14.0, 28.0))
PAIRS = {
    "pediatric_b_all": "tisagenlecleucel", "lbcl": "axicabtagene_ciloleucel", "cll": "lisocabtagene_maraleucel",
    "mm": "ciltacabtagene_autoleucel", "mcl": "brexucabtagene_autoleucel", "gastric_cancer": "cldn18_2_car",
}  # fmt: skip
PER_UL = {"cells/uL": 1.0, "10^9/L": 1000.0}


@pytest.fixture(scope="module", params=PAIRS)
def journey(request):
    return simulate(virtual_patients(request.param, 30, seed=5), PAIRS[request.param], plan=PLAN, seed=5)


def test_no_reading_of_a_part_exceeds_that_of_its_whole(journey):
    units = {name: PER_UL[one.unit] for name, one in assay.all_analytes().items() if one.unit in PER_UL}
    pairs = [pair for pair in assay.parts().items() if set(pair) <= set(journey.course.values)]
    assert len(pairs) >= 8
    for part, whole in pairs:
        low, high = (journey.course.dense(name)[journey.infused] * units[name] for name in (part, whole))
        assert not (low > high * (1 + 1e-9)).any(), (part, whole)
    share = journey.course.dense("car_t_share")[journey.infused]
    assert np.nanmin(share) >= 0 and np.nanmax(share) <= 100


OF_TUMORS = {
    "leukemia": {"marrow_blasts", "circulating_blasts", "mrd"},
    "lymphoma": {"metabolic_tumor_volume", "sum_product_diameters", "deauville", "mrd"},
    "myeloma": {"m_protein", "free_light_chain", "marrow_plasma_cells", "mrd"},
    "solid": {"metabolic_tumor_volume", "sum_product_diameters"},
}


def test_a_tumor_is_measured_by_what_measures_its_kind_alone(journey):
    shown = {name for name in set().union(*OF_TUMORS.values()) if np.isfinite(journey.course.dense(name)).any()}
    assert shown == OF_TUMORS[journey.disease.lineage]
    assert set().union(*OF_TUMORS.values()) - shown == assay.of_others(journey.disease.lineage)
    assert not set(journey.course.below_lloq) - set(journey.course.values)


def test_red_cells_are_given_below_the_limit_and_raise_hemoglobin(journey):
    course, infused = journey.course, journey.infused
    given = np.nan_to_num(course.dense("red_cell_transfusion")[infused]) > 0
    read = course.dense("hemoglobin")[infused]
    assert np.all(read[given] < 7.5)
    within = np.diff(course.days) < 1
    for i, j in np.argwhere(given[:, :-1] & within):
        assert not given[i, j + 1], "a day lies between two"
    assert np.nanmin(read) > 5
    none = simulate(journey.patient, journey.product, policy=_without_red_cells(), plan=PLAN, seed=5)
    if given.any():
        untreated = none.course.dense("hemoglobin")[infused]
        later = given.cumsum(axis=1) > 0
        later[:, 1:], later[:, 0] = later[:, :-1].copy(), False
        alive = np.isfinite(untreated) & np.isfinite(read)
        assert read[later & alive].mean() > untreated[later & alive].mean() + 0.3


def _without_red_cells():
    from vein2vein.clinic.care.management import read_policy

    return replace(read_policy("astct_2019"), red_cells=None)


def test_infections_of_journeys_are_graded():
    found = simulate(virtual_patients("lbcl", 150, seed=2), "axicabtagene_ciloleucel", plan=PLAN, seed=2)
    ill = np.nanmax(found.course.dense("infection")[found.infused], axis=1)
    some, severe = (ill >= 1).mean(), (ill >= 2).mean()
    assert 0.25 < some < 0.75 and 0.3 < severe / some < 0.7


def test_a_tolerance_ten_times_tighter_moves_no_death_day(monkeypatch):
    plan = replace(PLAN, follow_up=730.0, disease_visits=(28.0, 90.0, 180.0, 365.0, 730.0))
    patients = virtual_patients("lbcl", 100, seed=1)
    usual = day_loop.loop_numbers()
    first = simulate(patients, "axicabtagene_ciloleucel", plan=plan, seed=1).outcome.death_day
    monkeypatch.setattr(day_loop, "loop_numbers", lambda: replace(usual, tolerance=usual.tolerance / 10))
    tight = simulate(patients, "axicabtagene_ciloleucel", plan=plan, seed=1).outcome.death_day
    assert np.array_equal(np.isinf(first), np.isinf(tight)) and np.isfinite(first).sum() > 20
    finite = np.isfinite(first)
    assert np.abs(first[finite] - tight[finite]).max() < 0.05
