"""Late antigen loss is off by default; switched on, clones are founded and relapses lose the antigen."""

from dataclasses import replace

import numpy as np

from vein2vein.journey.chart import simulate
from vein2vein.models.reference import model as reference
from vein2vein.parameters import ParameterSet
from vein2vein.therapy.patient import select
from vein2vein.therapy.product import find_product
from vein2vein.therapy.visits import read_plan
from vein2vein.trials.virtual_patients import virtual_patients

PLAN = replace(read_plan(), follow_up=200.0, disease_visits=(28.0, 90.0, 180.0), kinetics_samples=(7.0, 28.0))


def losing(rate):
    product = find_product("tisagenlecleucel")
    own = replace(reference.parameters().parameters["muT"], value=rate)
    numbers = {**product.parameters.parameters, "muT": own}
    return replace(product, parameters=ParameterSet(product.name, numbers, (f"late loss {rate:g}",)))


def test_late_loss_founds_antigen_negative_clones():
    patients = virtual_patients("pediatric_b_all", 40, seed=5)
    never, often = (simulate(patients, losing(rate), plan=PLAN, seed=5) for rate in (0.0, 1e-6))
    who = never.infused
    founders = reference.MODEL.parameters.index("N0_np")
    assert (often.individual[who, founders] >= 1).sum() > (never.individual[who, founders] >= 1).sum()
    assert (often.individual[who, founders] == 1).any()
    antigen = [np.nanmean(told.course.dense("antigen_positive_share")[who][:, -1]) for told in (never, often)]
    assert antigen[1] < antigen[0]


def test_founding_in_one_patient_changes_no_bit_of_another():
    patients = virtual_patients("pediatric_b_all", 12, seed=5)
    many = simulate(patients, losing(1e-7), plan=PLAN, seed=5)
    assert many.infused.sum() >= 3
    for number in np.flatnonzero(many.infused)[:3]:
        alone = simulate(select(patients, np.array([number])), losing(1e-7), plan=PLAN, seed=5)
        np.testing.assert_array_equal(alone.course.dense("transgene")[0], many.course.dense("transgene")[number])
