"""The whole journey, as its users see it: same seed same record, one patient as one of many, feedback that works."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.journey.chart import simulate
from vein2vein.therapy.product import Drug, Regimen
from vein2vein.therapy.visits import monitoring_days, read_plan
from vein2vein.trials.virtual_patients import draw_patients, virtual_patients

SAMPLES = (1.0, 4.0, 7.0, 9.0, 11.0, 14.0, 21.0, 28.0)
SHORT = replace(read_plan(), follow_up=60.0, disease_visits=(28.0, 60.0), kinetics_samples=SAMPLES)
TISA = "tisagenlecleucel"
REASONS = {"manufacturing failure", "death", "adverse event", "progression"}


@pytest.fixture(scope="module")
def cohort():
    patients = virtual_patients("pediatric_b_all", 120, seed=3)
    return simulate(patients, TISA, policy="early_conservative", plan=SHORT, seed=3)


def test_every_step_leaves_its_record(cohort):
    n = cohort.patient.count
    for record in (cohort.apheresis, cohort.lot, cohort.waiting, cohort.infusion):
        assert all(len(v) == n for v in vars(record).values() if isinstance(v, np.ndarray))
    assert cohort.infused.any() and not cohort.infused.all()
    assert set(cohort.not_infused_reason[~cohort.infused]) <= REASONS
    assert (cohort.not_infused_reason[cohort.infused] == "").all()
    assert (cohort.enrolment_day < 0).all()
    assert cohort.status.tolist() == [0] * n


def test_the_never_infused_have_no_course(cohort):
    for name in ("transgene", "temperature", "tocilizumab"):
        assert np.isnan(cohort.course.dense(name)[~cohort.infused]).all()
    assert (cohort.findings["crs_penn"].grade[~cohort.infused] == -1).all()
    assert (cohort.outcome.best_response[~cohort.infused] == "").all()


def test_the_dead_are_not_measured(cohort):
    dead = np.flatnonzero(np.isfinite(cohort.outcome.death_day) & cohort.infused)
    assert dead.size
    for i in dead:
        after = cohort.course.days > cohort.outcome.death_day[i]
        assert np.isnan(cohort.course.dense("temperature")[i, after]).all()


def test_treatment_follows_the_grade(cohort):
    """Tocilizumab is given by the policy's grade, and the steroid after it; at most four doses, 8 h apart."""
    given = np.nan_to_num(cohort.course.dense("tocilizumab")) > 0
    worst = cohort.findings["crs_astct"].grade
    assert given.any()
    assert (worst[given] >= 3).all()
    assert given.sum(axis=1).max() <= 4


def test_the_same_seed_gives_the_same_bits(cohort):
    again = simulate(cohort.patient, TISA, policy="early_conservative", plan=SHORT, seed=3)
    for name, values in cohort.course.values.items():
        np.testing.assert_array_equal(again.course.values[name], values, err_msg=name)
    np.testing.assert_array_equal(again.outcome.death_day, cohort.outcome.death_day)


def test_one_patient_is_one_of_many(cohort):
    """A patient's record depends on the seed and the patient's number, not on the company or its order."""
    for numbers in ([7], [41, 5, 7]):
        some = simulate(
            draw_patients(None, "pediatric_b_all", np.array(numbers), 3), TISA,
            policy="early_conservative", plan=SHORT, seed=3,
        )  # fmt: skip
        for at, number in enumerate(numbers):
            for name, values in some.course.values.items():
                expected = cohort.course.dense(name)[number]
                np.testing.assert_array_equal(values[at], expected, err_msg=f"{name} of {number}")
            assert some.outcome.death_day[at] == cohort.outcome.death_day[number]


def test_another_seed_is_another_cohort(cohort):
    other = simulate(cohort.patient, TISA, policy="early_conservative", plan=SHORT, seed=4)
    assert not np.array_equal(other.infused, cohort.infused)


def test_an_earlier_policy_gives_more_tocilizumab_and_less_fever(cohort):
    early = simulate(cohort.patient, TISA, policy="early_permissive", plan=SHORT, seed=3)
    both = cohort.infused & early.infused
    np.testing.assert_array_equal(cohort.infused, early.infused)  # the luck before day 0 is the same

    def treated(journey):
        return (np.nan_to_num(journey.course.dense("tocilizumab")[both]) > 0).any(axis=1).sum()

    def fever_days(journey):
        return (journey.course.dense("temperature")[both] >= 38).sum()

    assert treated(early) > treated(cohort)
    assert fever_days(early) < fever_days(cohort)


def test_the_plain_solver_tells_the_same_story(cohort):
    few = draw_patients(None, "pediatric_b_all", np.array([7, 8]), 3)
    plan = replace(SHORT, follow_up=12.0, disease_visits=(10.0,), kinetics_samples=(1.0, 7.0))
    choices = {"policy": "early_conservative", "plan": plan, "seed": 3}
    fast, readable = (simulate(few, TISA, backend=backend, **choices).course for backend in ("batch", "plain"))
    for name in ("transgene", "il6", "temperature", "neutrophils"):
        np.testing.assert_allclose(fast.dense(name), readable.dense(name), rtol=1e-5)


def test_a_dose_of_thousand_times_the_label_is_refused(cohort):
    with pytest.raises(InputError, match=r"expected .* to "):
        simulate(cohort.patient, TISA, dose="3e9/kg", plan=SHORT)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(InputError, match=TISA):
        simulate(virtual_patients("pediatric_b_all", 2, seed=1), "tisagenlecluecel")
    with pytest.raises(InputError, match="early_conservative"):
        simulate(virtual_patients("pediatric_b_all", 2, seed=1), TISA, policy="early_conservativ")


def test_a_patient_who_cannot_be_computed_is_counted_and_the_others_go_on(monkeypatch):
    from vein2vein.journey import day_loop as keystone

    own = keystone.engine.begin

    def starved(*args, **kwargs):
        run = own(*args, **kwargs)
        return replace(run, status=np.where(np.arange(len(run.state)) == 1, 1, run.status))

    monkeypatch.setattr(keystone.engine, "begin", starved)
    told = simulate(virtual_patients("pediatric_b_all", 20, seed=3), TISA, plan=SHORT, seed=3)
    assert (told.status != 0).sum() == 1
    assert any("1 of" in note and "could not be computed" in note for note in told.notes)
    assert (told.status_text[int(told.status.max())]).strip()
    others = told.infused & (told.status == 0)
    assert np.isfinite(told.course.dense("transgene")[others][:, 5]).all()


def test_the_plan_covers_the_watch_the_visits_and_the_end():
    days = monitoring_days(read_plan())
    assert days[0] == 0 and days[-1] == read_plan().follow_up
    assert np.allclose(np.diff(days[days <= 45]), 0.5)
    assert set(read_plan().disease_visits) <= set(days)
    assert np.diff(days).max() <= 30


@pytest.mark.parametrize(
    ("disease", "product"),
    [
        ("adult_b_all", "brexucabtagene_autoleucel"),
        ("adult_b_all", "obecabtagene_autoleucel"),
        ("lbcl", "axicabtagene_ciloleucel"),
        ("lbcl", "lisocabtagene_maraleucel"),
    ],
)
def test_other_products_and_diseases_make_the_journey(disease, product):
    told = simulate(virtual_patients(disease, 20, seed=2), product, plan=SHORT, seed=2)
    assert (told.status == 0).all()
    assert np.isfinite(told.kinetics.cmax[told.infused]).mean() > 0.75  # in a class of its own the cells hardly expand
    assert set(told.outcome.best_response[told.infused]) <= {"CR", "CRi", "NR", "PR", "SD", "PD", "NE", "CRh", "MLFS"}


def test_few_white_cells_at_the_time_spare_the_lymphodepletion():
    """The rule counts the patient's own neutrophils, lymphocytes and blasts; a measured count goes before them."""
    few = virtual_patients("pediatric_b_all", 6, seed=3)
    few = replace(few, lymphocytes=np.full(6, 0.2), burden=np.full(6, 0.01), circulating_blasts=np.zeros(6))
    few = replace(few, baseline={"neutrophils": np.full(6, 0.3)})
    counted = simulate(few, TISA, plan=SHORT, seed=3)
    assert (counted.conditioning.omitted[counted.infused]).all() and counted.infused.any()
    assert any("lymphodepletion omitted" in note for note in counted.notes)
    many = replace(few, baseline={**few.baseline, "white_cells": np.full(6, 3.0)})
    assert not simulate(many, TISA, plan=SHORT, seed=3).conditioning.omitted[counted.infused].any()


def test_after_death_nothing_is_measured_graded_or_judged(cohort):
    """Whatever the record holds by day: values, flags, grades, responses; and no response after death is the best."""
    died = cohort.outcome.death_day
    after = cohort.course.days[None, :] > died[:, None]
    assert after.any()
    assert not any(np.isfinite(value[after]).any() for value in cohort.course.values.values())
    assert not any(flags[after].any() for flags in cohort.course.below_lloq.values())
    assert not any((found.grade[after] >= 0).any() for found in cohort.findings.values())
    response = cohort.response
    assert not (response.status[response.days[None, :] > died[:, None]] >= 0).any()
    for name in ("response_day", "relapse_day", "progression_day"):
        day = getattr(response, name)
        assert not (np.isfinite(day) & (day > died)).any()
    early = died < response.days.min()
    assert not np.isin(cohort.outcome.best_response[early], ("CR", "CRi", "CRh")).any()


def test_too_much_fludarabine_never_helps_and_kills_late():
    """The same patients at once, twice and three times the label dose: no better than by chance, with deaths of it."""
    patients, found = virtual_patients("pediatric_b_all", 120, seed=5), {}
    plan = replace(SHORT, follow_up=200.0, disease_visits=(28.0, 90.0, 180.0))
    for times in (1, 2, 3):
        drugs = (
            Drug("fludarabine", 30.0 * times, (-5.0, -4.0, -3.0, -2.0)),
            Drug("cyclophosphamide", 500.0, (-3.0, -2.0)),
        )
        regimen = Regimen(name="more", title="more", drugs=drugs, how="assumed", why="test")
        found[times] = simulate(patients, TISA, regimen=regimen, plan=plan, seed=5)
    alive = {times: (one.outcome.death_day > 180)[one.infused].mean() for times, one in found.items()}
    noise = 2 * np.sqrt(alive[1] * (1 - alive[1]) / found[1].infused.sum())
    assert alive[2] < alive[1] + noise and alive[3] < alive[1] + noise
    killed = {times: one.outcome.death_cause == "neurotoxicity from fludarabine" for times, one in found.items()}
    assert not killed[1].any() and killed[3].sum() > killed[2].sum() and (killed[3] | ~killed[2]).all()
    assert (found[3].outcome.death_day[killed[3]] >= 19).all() and (found[3].outcome.death_day[killed[3]] <= 58).all()
    told = " ".join(found[3].notes)
    assert "fludarabine 90 mg/m^2 a day is more than the usual 40" in told
    assert "severe neurotoxicity from fludarabine, fatal in" in told
    assert not any("fludarabine" in note for note in found[1].notes)


def test_a_further_infusion_brings_cells_again_after_lymphodepletion_and_is_rejected_without():
    patients = virtual_patients("pediatric_b_all", 40, seed=3)
    plan = replace(SHORT, kinetics_samples=(*SAMPLES, 54.0, 60.0))
    told = ("1e6/kg", "1e6/kg, then on day 40: 5e6/kg", "1e6/kg, then on day 40 after lymphodepletion: 5e6/kg")
    once, bare, again = (simulate(patients, TISA, dose=dose, plan=plan, seed=3) for dose in told)
    there = once.infused & (once.outcome.death_day > 60) & (again.outcome.death_day > 60)
    early, late = once.course.days <= 28, once.course.days == 54
    cells = {
        name: one.course.dense("car_t_cells")[there]
        for name, one in zip(("once", "bare", "again"), (once, bare, again))
    }
    np.testing.assert_array_equal(cells["once"][:, early], cells["again"][:, early])
    np.testing.assert_array_equal(cells["once"][:, early], cells["bare"][:, early])
    assert np.median(cells["again"][:, late]) > np.median(cells["once"][:, late]) > np.median(cells["bare"][:, late])
    assert any("planned on day 40" in note and "may reject the cells" in note for note in bare.notes)
    assert {day for day, _, mg in again.conditioning.doses if mg.any()} >= {34.0, -6.0}
