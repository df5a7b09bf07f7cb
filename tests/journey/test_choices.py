"""What a caller of the journey can choose reaches the step that it is for; clones are founded as their draws say."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.clinic.care.policy import DatedDose, read_policy
from vein2vein.engine import run as engine
from vein2vein.journey import late_loss
from vein2vein.journey.chart import simulate
from vein2vein.journey.day_loop import loop_numbers
from vein2vein.models.model import named, start
from vein2vein.models.reference import extinction
from vein2vein.models.reference.model import MODEL
from vein2vein.models.reference.model import parameters as general
from vein2vein.parameters import ParameterSet, individual_values
from vein2vein.randomness import uniforms
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.laws import Law
from vein2vein.therapy.patient import select
from vein2vein.therapy.product import find_product
from vein2vein.therapy.visits import read_plan
from vein2vein.trials.virtual_patients import virtual_patients
from vein2vein.virtual import covariate_constants, covariates, hazards
from vein2vein.virtual.assay import Assay

TISA = "tisagenlecleucel"
SHORT = replace(read_plan(), watch_until=7.0, follow_up=30.0, disease_visits=(28.0,), kinetics_samples=(4.0, 7.0, 28.0))
SEED = 2


@pytest.fixture(scope="module")
def patients():
    return virtual_patients("pediatric_b_all", 10, seed=SEED)


@pytest.fixture(scope="module")
def usual(patients):
    return simulate(patients, TISA, plan=SHORT, seed=SEED)


def test_without_choices_the_usual_ones_are_taken(patients, usual):
    said = simulate(
        patients, find_product(TISA), plan=SHORT, seed=SEED, policy="astct_2019", transplant=(0.0, 0.0, 0.0),
        regimen="", dose=None, typical=False, backend="batch",
    )  # fmt: skip
    assert usual.provenance["policy"] == "astct_2019" and usual.provenance["backend"] == "batch"
    for name, values in usual.course.values.items():
        np.testing.assert_array_equal(said.course.values[name], values)
    assert np.isinf(usual.outcome.hsct_day).all()
    few = simulate(virtual_patients("pediatric_b_all", 2, seed=1), TISA)
    assert few.plan == read_plan() and few.provenance["seed"] == 1
    np.testing.assert_array_equal(few.infused, simulate(few.patient, TISA, plan=SHORT, seed=1).infused)


def law(kind, **numbers):
    return Law(field="x", kind=kind, numbers=numbers, unit="", source="", where="", how="assumed", why="x")


def test_the_law_of_the_waiting_time_is_the_trials_own(patients, usual):
    told = simulate(patients, TISA, plan=SHORT, seed=SEED, waiting_law=law("fixed", value=77.0))
    assert (told.waiting.days >= 77).all() and (told.enrolment_day[told.infused] <= -77).all()
    assert (told.waiting.days == 77).sum() > 5 and not (usual.waiting.days == 77).any()
    for share in (0.0, 1.0):
        bridged = simulate(patients, TISA, plan=SHORT, seed=SEED, bridging_share=share).waiting.bridged
        assert bridged.all() if share else not bridged.any()


def test_an_assay_of_ones_own_replaces_the_usual_one(patients, usual):
    exact = {"transgene": Assay("lognormal", 0.0, lloq=1e3)}
    told = simulate(patients, TISA, plan=SHORT, seed=SEED, assays=exact)
    seen, below = told.course.dense("transgene"), told.course.below_lloq["transgene"]
    read = np.isfinite(seen)
    assert seen[read].min() == 1e3 and (seen[below] == 1e3).all() and below.any() and not below[read].all()
    np.testing.assert_array_equal(told.course.dense("il6"), usual.course.dense("il6"))


def test_a_variant_of_the_numbers_lies_over_those_of_product_and_disease(patients, usual):
    own = general().parameters["g"]
    variant = ParameterSet("slow", {"g": replace(own, value=1e-3, spread=None)}, ("slow growth",))
    told = simulate(patients, TISA, plan=SHORT, seed=SEED, overlay=variant)
    at = MODEL.parameters.index("g")
    assert np.nanmax(told.individual[:, at]) < np.nanmin(usual.individual[:, at])
    assert told.provenance["parameter_sets"] == [*usual.provenance["parameter_sets"], "slow growth"]
    assert told.parameters.parameters["g"].value == 1e-3


def test_typical_patients_have_the_typical_numbers(patients, usual):
    told = simulate(patients, TISA, plan=SHORT, seed=SEED, typical=True)
    at = MODEL.parameters.index("g")
    assert len(set(told.individual[told.infused, at])) == 1 < len(set(usual.individual[usual.infused, at]))


def test_a_patient_is_observed_to_the_last_day_that_could_be_computed(monkeypatch, patients, usual):
    advance = engine.advance

    def stuck(run, until, **changes):
        run = advance(run, until, **changes)
        if until < 4:
            return run
        row = np.arange(len(run.state)) == 1
        return replace(run, status=np.where(row, 3, run.status), reached=np.where(row, 4.0, run.reached))

    monkeypatch.setattr(engine, "advance", stuck)
    told = simulate(patients, TISA, plan=SHORT, seed=SEED, transplant=(1.0, 10.0, 10.5))
    one = np.flatnonzero(told.infused)[1]
    assert told.status[one] == 3 and (np.delete(told.status, one) == 0).all()
    assert told.outcome.last_day[one] == 4 and (np.delete(told.outcome.last_day, one) == 30).all()
    days = told.course.days
    seen = np.isfinite(told.course.dense("temperature")[one])
    assert seen[days <= 4].all() and not seen[days > 4].any()
    assert not told.course.below_lloq["transgene"][one, days > 4].any()
    count = told.infused.sum()
    assert f"1 of {count} infused patients could not be computed to the end" in told.notes
    assert not [note for note in usual.notes if "could not be computed" in note]
    assert np.isinf(told.outcome.hsct_day[one])  # nobody is transplanted who is no longer computed
    for other in np.flatnonzero(told.infused & (np.arange(10) != one)):
        np.testing.assert_array_equal(
            told.course.dense("transgene")[other, :9], usual.course.dense("transgene")[other, :9]
        )


def test_constants_of_the_loop_are_those_of_their_card():
    assert vars(loop_numbers()) == {"ivig_covers": 28, "remission_blasts": 5, "aplasia_b_cells": 10, "tolerance": 5e-10}


# Late antigen loss

CLONES = {"pn": "IM_one", "np": "IM_one", "nn": "IM_two"}


@pytest.fixture(scope="module")
def run(usual):
    columns = usual.individual[usual.infused][:6].copy()
    columns[:, MODEL.parameters.index("muT")] = 1e-7
    for clone in CLONES:
        columns[:, MODEL.parameters.index(f"N0_{clone}")] = 0.0
    begun = engine.begin(MODEL, columns, start(MODEL, columns), 0.0, rtol=1e-6)
    return engine.advance(begun, 12.5)


def test_limits_are_unit_exponential_draws_and_empty_without_late_loss(run):
    numbers = np.array([4, 8, 15, 16, 23, 42])
    limits = late_loss.first_limits(run.parameters, numbers, SEED)
    assert list(limits) == ["pn", "np", "nn"]
    for clone, limit in limits.items():
        np.testing.assert_allclose(limit, -np.log(uniforms(SEED, f"late loss {clone}:0", numbers)[:, 0]))
    off = run.parameters.copy()
    off[:, MODEL.parameters.index("muT")] = 0.0
    assert late_loss.first_limits(off, numbers, SEED) == {}
    off[3, MODEL.parameters.index("muT")] = 1e-9  # one patient is enough
    assert list(late_loss.first_limits(off, numbers, SEED)) == ["pn", "np", "nn"]


def test_a_clone_is_founded_where_it_is_absent_or_gone_and_its_intensity_has_passed_the_limit(run):
    numbers, names, parameters = np.array([4, 8, 15, 16, 23, 42]), MODEL.state_names, MODEL.parameters
    state, columns = run.state.copy(), run.parameters.copy()
    state[:, names.index("IM_one")] = [0.5, 2.0, 2.0, 1.0, 2.0, 0.1]
    state[:, names.index("IM_two")] = [3.0, 0.0, 0.0, 0.0, 3.0, 3.0]
    columns[2, parameters.index("N0_pn")], state[2, names.index("Z_pn")] = 5.0, 0.0  # present and alive
    columns[4, parameters.index("N0_pn")], state[4, names.index("Z_pn")] = 5.0, 0.999999  # present once, gone
    columns[4, parameters.index("fate_pn")] = -3.0
    one = replace(run, state=state, parameters=columns)
    limits = {"pn": np.ones(6), "np": np.full(6, 1.5), "nn": np.array([9.0, 9, 9, 9, 2, 3])}
    due = {
        "pn": [False, True, False, False, True, False],
        "np": [False, True, True, False, True, False],
        "nn": [False, False, False, False, True, False],
    }
    again, changed, ahead = late_loss.found(one, columns, limits, numbers, SEED)
    expected_state, expected_columns = state.copy(), columns.copy()
    p = named(parameters, columns)
    for clone, intensity in CLONES.items():
        draws = uniforms(SEED, f"late loss {clone}:12.5", numbers, 3)
        begin, own = extinction.founded(clone, draws[:, 0], -np.log(draws[:, 1]), p)
        for i in np.flatnonzero(due[clone]):
            for name, value in begin.items():
                expected_state[i, names.index(name)] = np.broadcast_to(value, 6)[i]
            for name, value in own.items():
                expected_columns[i, parameters.index(name)] = np.broadcast_to(value, 6)[i]
        later = state[:, names.index(intensity)] - np.log(draws[:, 2])
        np.testing.assert_allclose(ahead[clone], np.where(due[clone], later, limits[clone]))
    np.testing.assert_array_equal(again.state, expected_state)
    np.testing.assert_array_equal(changed, expected_columns)
    np.testing.assert_array_equal(again.parameters, expected_columns)
    assert (again.day, again.backend, again.control.rtol) == (12.5, run.backend, run.control.rtol)
    for name in ("status", "steps", "rejected", "reached", "step", "levels"):
        np.testing.assert_array_equal(getattr(again, name), getattr(one, name))
    np.testing.assert_array_equal(one.state, state)  # what it was given is as before
    assert limits["pn"].tolist() == [1.0] * 6


def test_where_nothing_is_due_nothing_changes(run):
    numbers, limits = np.arange(6), {clone: np.full(6, 1e9) for clone in CLONES}
    same, columns, ahead = late_loss.found(run, run.parameters, limits, numbers, SEED)
    assert same is run and columns is run.parameters and ahead is limits


def test_who_drops_out_dies_then_or_lives_on_with_the_disease():
    many = virtual_patients("pediatric_b_all", 60, seed=SEED)
    told = simulate(many, TISA, plan=SHORT, seed=SEED, waiting_law=law("fixed", value=250.0), bridging_share=0.0)
    waited, numbers = told.waiting, many.number
    assert {"death", "progression", "adverse event"} <= set(waited.reason[waited.dropped])
    drawn = individual_values(told.parameters, numbers, SEED)
    more = many.prior_lines - covariates.usual_lines(find_disease("pediatric_b_all"))
    drawn["mpp"] = covariates.after_progression(covariate_constants.constants(), drawn["mpp"], more)
    for i in np.flatnonzero(waited.dropped):
        expected = waited.drop_day[i]
        if waited.reason[i] != "death":
            later = hazards.death_after_progression(
                waited.drop_day[[i]], drawn["mpp"][[i]], numbers[[i]], SEED, drawn["salvage"][[i]]
            )
            expected = later[0]
        seen = expected <= 30
        assert told.outcome.death_day[i] == (expected if seen else np.inf)
        assert told.outcome.death_cause[i] == ("disease" if seen else "")
        assert told.not_infused_reason[i] in ("manufacturing failure", waited.reason[i])
    assert not told.infused[waited.dropped].any()


def test_a_treatment_that_nobody_needed_was_not_given(patients, usual, tmp_path):
    mild = select(patients, np.flatnonzero(usual.findings["crs_astct"].grade.max(axis=1) < 4))
    policy = 'title = "Own"\nsource = "reference_model_2026"\nwhere = "x"\nbased_on = "astct_2019"\n'
    path = tmp_path / "own.toml"
    path.write_text(f'{policy}[antipyretic]\nfrom_grade = 4\nmark = "D"\nwhy = "x"\n', encoding="utf-8")
    told = simulate(mild, TISA, plan=SHORT, seed=SEED, policy=path)
    assert told.infused.any() and not np.nan_to_num(told.course.dense("antipyretic")).any()
    assert not [note for note in told.notes if "antipyretic" in note]


@pytest.mark.parametrize("drug", ["prednisone", "siltuximab"])
def test_a_drug_of_a_policy_that_the_model_does_not_hear_is_warned_of(patients, usual, drug):
    dose = DatedDose(treatment=drug, from_day=1.0, until_day=1.0, every=1.0, mg=40.0, mg_per_kg=1.0)
    policy = replace(read_policy("astct_2019"), dated=(dose,))
    given = simulate(patients, TISA, plan=SHORT, seed=SEED, policy=policy)
    assert (given.course.values[drug][given.infused] > 0).any()
    assert f"unusual: {drug} was given; the model does not represent its effect" in given.notes
    assert not any(drug in note for note in usual.notes)
