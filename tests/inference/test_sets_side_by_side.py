"""Parameter sets that share the days of one run give what each gives alone, patient by patient, to the bit."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.inference.posterior import Member, overlay
from vein2vein.inference.qualification import score, variant
from vein2vein.inference.sets_side_by_side import AT_ONCE, chunks, treated_under
from vein2vein.journey.chart import simulate
from vein2vein.parameters import individual_values
from vein2vein.trials.trial import load_trial
from vein2vein.trials.virtual_patients import virtual_patients
from vein2vein.variants import Variants, values_under
from vein2vein.virtual import constants

NUMBERS = np.arange(3, 15)
CHANGED = [
    Member({("reference", "rho", "value"): 1.05, ("axicabtagene_ciloleucel", "kap_p", "value"): 2.0}),
    Member({("reference", "KIF", "sd"): 0.1, ("lbcl", "g", "value"): 0.5, ("covariates", "lines_mpp", "value"): 0.5}),
    Member({(file, name, "value"): 1.1 for file, name in constants.BY_PATIENT}),
    None,
]


def short(name):
    trial = load_trial(name)
    return replace(trial, plan=replace(trial.plan, follow_up=120.0, disease_visits=(30.0, 90.0)), until=120.0)


def everything(journey):
    return {
        "columns": journey.individual, "temperature": journey.course.dense("temperature"),
        "pressors": journey.course.dense("norepinephrine"), "capd": journey.course.dense("ice"),
        "tremor": journey.course.dense("headache_or_tremor"), "death": journey.outcome.death_day,
        "dropped": journey.waiting.drop_day, "response": journey.response.status,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["zuma_7", "felix"])  # with arms and standard care; with two infusions
def test_each_set_gives_what_it_gives_alone(name):
    trial = short(name)
    together = list(treated_under(trial, CHANGED, [NUMBERS, NUMBERS, NUMBERS, NUMBERS[:4]], seed=5))
    assert [one.count for one in together] == [12, 12, 12, 4]
    whole = [everything(one) for one in together]
    for one, found, numbers in zip(CHANGED, whole, [NUMBERS, NUMBERS, NUMBERS, NUMBERS[:4]], strict=True):
        alone = everything(next(treated_under(trial, [one], [numbers], seed=5)))
        for key, value in found.items():
            np.testing.assert_array_equal(value, alone[key], err_msg=key)
    assert not np.array_equal(whole[0]["columns"], whole[1]["columns"], equal_nan=True)


def test_sets_with_other_constants_run_one_after_the_other():
    trial = short("zuma_7")
    odd = Member({("bedside", "bp_sd", "value"): 2.0})
    first, second = treated_under(trial, [odd, CHANGED[0]], [NUMBERS, NUMBERS], seed=5)
    alone = next(treated_under(trial, [odd], [NUMBERS], seed=5))
    np.testing.assert_array_equal(first.course.dense("systolic_bp"), alone.course.dense("systolic_bp"))
    assert second.count == 12


def test_a_constant_for_each_patient_is_refused_where_it_is_read_for_all():
    with pytest.raises(InputError, match=r"bp_sd: found a factor for each patient, expected one for all"):
        constants.scaled(constants.bundled(), {("bedside", "bp_sd"): np.ones(3)}, "odd")
    found = constants.scaled(constants.bundled(), {("hazards", "dropout"): np.array([1.0, 2.0, 3.0])}, "some")
    some = constants.of_patients(found, np.array([2, 0]))
    np.testing.assert_allclose(some.hazards.dropout, constants.bundled().hazards.dropout * np.array([3.0, 1.0]))
    assert some.bedside == constants.bundled().bedside


def test_values_under_a_variant_are_drawn_with_the_patients_own_luck():
    trial = load_trial("zuma_1")
    declared = simulate(virtual_patients("lbcl", 2, seed=1), "axicabtagene_ciloleucel").arms[0].parameters
    own = overlay(Member({("axicabtagene_ciloleucel", "rho", "value"): 1.1, ("reference", "p6", "sd"): 2.0}), trial)
    found = values_under(declared, Variants((None, own), np.array([0, 1, 1])), [4, 4, 9], 1)
    plain, changed = individual_values(declared, [4, 9], 1), individual_values(declared.overlay(own), [4, 9], 1)
    for name, values in found.items():
        np.testing.assert_array_equal(values, [plain[name][0], changed[name][0], changed[name][1]], err_msg=name)
    assert found["rho"][1] == pytest.approx(1.1 * found["rho"][0])


def test_variants_that_do_not_fit_the_patients_are_refused():
    patients = virtual_patients("lbcl", 3, seed=1)
    for of in (np.zeros(2, np.intp), np.array([0, 1, 2])):
        with pytest.raises(InputError, match="overlay: found variants that do not say for each patient"):
            simulate(patients, "axicabtagene_ciloleucel", overlay=Variants((None, None), of))
    with pytest.raises(InputError, match="tolerance"):
        simulate(patients, "axicabtagene_ciloleucel", tolerance=0.5)
    with pytest.raises(InputError, match="number: found a number twice"):
        simulate(replace(patients, number=np.array([1, 1, 2])), "axicabtagene_ciloleucel")


def test_sets_share_runs_of_a_bounded_size():
    assert [len(one) for one in chunks(25, 250)] == [AT_ONCE // 250, AT_ONCE // 250, 5]
    assert [list(one) for one in chunks(2, 10 * AT_ONCE)] == [[0], [1]] and chunks(0, 5) == []


def test_a_score_under_many_sets_is_that_of_runs_of_a_few(monkeypatch):
    from vein2vein.inference import drawn_trials, sets_side_by_side

    sets = [variant({"rho": 1.5 + 0.05 * i}, why="a test") for i in range(4)]
    at_once = score([short("zuma_1")], patients=20, sets=sets)
    monkeypatch.setattr(sets_side_by_side, "AT_ONCE", 20)
    assert len(drawn_trials.chunks(4, 20)) == 4
    assert repr(score([short("zuma_1")], patients=20, sets=sets)) == repr(at_once)
