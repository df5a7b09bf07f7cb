"""The posterior sample: its file, and how a set changes a trial."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.inference import posterior
from vein2vein.inference.posterior import Factor, Member, Posterior
from vein2vein.inference.qualification import qualify, score_trial
from vein2vein.models.reference import model as reference
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.product import find_product
from vein2vein.trials.comparison import draw
from vein2vein.trials.trial import enroll_and_treat, load_trial
from vein2vein.virtual import hazards
from vein2vein.virtual.constants import bundled

FACTORS = (
    Factor("K_A", "K_A", "value", ("reference",), 0.4),
    Factor("feng_sd", "feng", "sd", ("brexucabtagene_autoleucel",), 0.2),
    Factor("g_of_adult", "g", "value", ("adult_b_all",), 0.3),
    Factor("dropout", "dropout", "value", ("hazards",), 0.3),
)


def sample(sets=5, seed=1, **more):
    logs = np.random.default_rng(seed).normal(0, 0.1, (sets, len(FACTORS)))
    facts = {"version": "1", "seed": 3, "patients": 250, "steps": 2, "trials": ["eliana"]}
    return Posterior(FACTORS, logs, posterior.hash_of_cards(FACTORS), {**facts, **more})


def zuma_3(days=35.0):
    trial = load_trial("zuma_3")
    plan = replace(trial.plan, follow_up=days, disease_visits=(28.0,), kinetics_samples=(7.0, 14.0))
    return replace(trial, plan=plan)


# The file


def test_a_sample_is_read_as_it_was_written(tmp_path):
    written = sample()
    posterior.write_posterior(written, tmp_path / "posterior.csv")
    found = posterior.read_posterior(tmp_path / "posterior.csv")
    assert (found.factors, found.cards, found.facts) == (written.factors, written.cards, written.facts)
    np.testing.assert_allclose(found.logs, written.logs, atol=1e-4)
    assert found.is_current


def test_the_bundled_sample_has_two_hundred_sets_and_known_factors():
    if not posterior.bundled().is_file():
        pytest.skip("no posterior sample is bundled")
    found = posterior.read_posterior()
    assert len(found.logs) >= 200
    assert {"version", "seed", "seconds", "patients", "steps"} <= set(found.facts)
    for factor in found.factors:
        for card in factor.cards:
            known = {*posterior.card_parameters(card).parameters, *reference.parameters().parameters}
            assert factor.parameter in known, factor.name


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("K_A,feng_sd", "K_B,feng_sd", "columns"),
        ('what = "sd"', 'what = "mean"', "sd"),
        ('cards = ["adult_b_all"]', "cards = []", "names of cards"),
        ("prior_sd = 0.4", "prior_sd = -1", "prior_sd"),
    ],
)
def test_a_broken_file_is_refused_in_words(tmp_path, old, new, said):
    file = tmp_path / "posterior.csv"
    posterior.write_posterior(sample(), file)
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=said):
        posterior.read_posterior(file)


@pytest.mark.parametrize("line", ["0.1,0.2", "0.1,0.2,x,0.4", "0.1,0.2,nan,0.4"])
def test_a_row_that_is_not_one_number_for_each_factor_is_refused(tmp_path, line):
    file = tmp_path / "posterior.csv"
    posterior.write_posterior(sample(), file)
    file.write_text(file.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="number"):
        posterior.read_posterior(file)


def test_the_sample_is_used_where_it_fits_the_cards_and_only_there(tmp_path, monkeypatch):
    file = tmp_path / "posterior.csv"
    monkeypatch.setattr(posterior, "bundled", lambda: file)
    assert posterior.sample_for("typical") == (None, "")
    none, note = posterior.sample_for(None)
    assert none is None and "no posterior sample" in note
    with pytest.raises(InputError, match="calibrate"):
        posterior.sample_for("posterior")
    posterior.write_posterior(sample(), file)
    for asked in (None, "posterior"):
        found, note = posterior.sample_for(asked)
        assert len(found.logs) == 5 and note == ""
    posterior.write_posterior(replace(sample(), cards="0123"), file)
    none, note = posterior.sample_for(None)
    assert none is None and "other numbers" in note
    with pytest.raises(InputError, match="other numbers"):
        posterior.sample_for("posterior")


def test_the_hash_follows_the_numbers_of_the_cards_and_nothing_else(monkeypatch):
    before = posterior.hash_of_cards(FACTORS)
    read = posterior.card_parameters

    def with_new(**changes):
        def other(name, own=None):
            found = read(name)
            if name != "adult_b_all":
                return found
            return replace(found, parameters={**found.parameters, "g": replace(found.parameters["g"], **changes)})

        monkeypatch.setattr(posterior, "card_parameters", other)
        return posterior.hash_of_cards(FACTORS)

    assert with_new(why="other words") == before
    assert with_new(value=1.0) != before


# A set in force


def test_factors_act_on_the_card_that_gives_the_number():
    trial = zuma_3()
    own = find_product("brexucabtagene_autoleucel").parameters.parameters
    general = reference.parameters().parameters
    assert own["rho"].value is not None and own["feng"].spread is None
    one = Member({
        ("reference", "K_A", "value"): 2.0,
        ("brexucabtagene_autoleucel", "rho", "value"): 0.5,
        ("brexucabtagene_autoleucel", "feng", "sd"): 3.0,
        ("adult_b_all", "g", "value"): 0.25,
        ("lbcl", "g", "value"): 9.0,
        ("hazards", "dropout", "value"): 5.0,
    })  # fmt: skip
    found = posterior.overlay(one, trial).parameters
    assert set(found) == {"K_A", "rho", "feng", "g"}  # no card of another disease, and no constant
    assert found["K_A"].value == pytest.approx(2 * general["K_A"].value)
    assert found["rho"].value == pytest.approx(own["rho"].value / 2)
    assert found["feng"].value == own["feng"].value
    assert found["feng"].spread.sd == pytest.approx(3 * general["feng"].spread.sd)
    assert found["g"].value == pytest.approx(find_disease("adult_b_all").parameters.parameters["g"].value / 4)
    assert posterior.overlay(Member({("reference", "rho", "value"): 2.0}), trial) is None  # the product's own counts
    journey = enroll_and_treat(trial, np.arange(12), seed=1, overlay=lambda arm: posterior.overlay(one, arm))
    assert journey.parameters.parameters["g"].value == found["g"].value


def test_a_value_stays_within_the_bounds_of_its_parameter():
    share = find_disease("adult_b_all").parameters.parameters["p_res"]
    held = replace(share, low=0.0, high=1.0)
    assert posterior.scaled(held, "value", 100.0).value == 1.0


def test_constants_under_a_set_are_a_record_of_their_own():
    usual = bundled()
    found = posterior.constants_under(Member({("hazards", "dropout", "value"): 3.0, ("lbcl", "g", "value"): 2.0}))
    assert found.hazards.dropout == pytest.approx(3 * usual.hazards.dropout) and found.name == "parameter set"
    assert found.hazards == replace(usual.hazards, dropout=found.hazards.dropout)
    assert found.bedside == usual.bedside
    assert bundled() is usual and hazards.constants().dropout == usual.hazards.dropout
    for other in (None, Member({("lbcl", "g", "value"): 2.0}), Member({("hazards", "dropout", "sd"): 2.0})):
        assert posterior.constants_under(other) is usual


def test_a_set_that_names_no_constant_is_refused():
    with pytest.raises(InputError, match="unknown constant of the hazards 'drop_out'; did you mean dropout"):
        posterior.constants_under(Member({("hazards", "drop_out", "value"): 3.0}))


def test_sets_that_run_side_by_side_give_what_each_gives_alone():
    """Threads that start and end each day together: what one writes where all can see it, the others meet."""
    trial = zuma_3()
    often, never = {("hazards", "dropout", "value"): 40.0}, {("hazards", "dropout", "value"): 1e-9}
    calm = {("bedside", "temperature_sd", "value"): 3.0, ("covariates", "effector_slope", "value"): 2.0}
    members = [Member(often), Member(never), Member(calm), None]

    def run(one, meet=None):
        journey = enroll_and_treat(
            trial, np.arange(60), seed=1, constants=posterior.constants_under(one),
            progress=None if meet is None else lambda fraction, text: meet.wait(60),
        )  # fmt: skip
        return (
            journey.waiting.drop_day,
            journey.outcome.death_day,
            journey.individual,
            journey.course.dense("temperature"),
        )

    alone = [run(one) for one in members]
    for i, j in ((0, 1), (1, 3), (2, 3)):
        assert any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(alone[i], alone[j])), (i, j)
    meet = threading.Barrier(len(members))
    with ThreadPoolExecutor(len(members)) as pool:
        together = list(pool.map(lambda one: run(one, meet), members))
    for one, other in zip(alone, together):
        for a, b in zip(one, other):
            np.testing.assert_array_equal(a, b)


def test_sets_are_chosen_by_the_seed_each_at_most_once():
    whole = sample(sets=50)
    some = posterior.choose(whole, 10, seed=1)
    assert len(some) == 10 and len({repr(one) for one in some}) == 10
    assert some == posterior.choose(whole, 10, seed=1) != posterior.choose(whole, 10, seed=2)
    assert len(posterior.choose(whole, 80, seed=1)) == 50
    assert len(posterior.choose(whole, 5, seed=1)) == 5 and len(posterior.choose(sample(sets=7), 7, seed=1)) == 7


def test_neighbors_of_the_sample_are_chosen_together():
    whole = sample(sets=40)
    every = [posterior.member(whole.factors, row) for row in whole.logs]
    places = [every.index(one) for one in posterior.choose(whole, 10, seed=3)]
    assert [at // 2 for at in places[0::2]] == [at // 2 for at in places[1::2]]


def test_trials_drawn_without_replacement_vary_as_new_patients_do():
    rng = np.random.default_rng(1)
    means = {True: [], False: []}
    for pool in range(300):
        value = rng.normal(size=100)
        for again in means:
            chosen = draw(np.arange(100), 80, resamples=5, seed=pool, again=again)
            means[again].append(value[chosen].mean(axis=1))
    assert all(len(set(row)) == 80 for row in draw(np.arange(100), 80, resamples=5, seed=1, again=False))
    assert np.var(means[False]) == pytest.approx(1 / 80, rel=0.2)
    assert np.var(means[True]) == pytest.approx(1 / 80 + 1 / 100, rel=0.2)


def test_processes_side_by_side_give_the_same_rows():
    trial = zuma_3()
    sets = posterior.choose(sample(), 2, seed=1)
    one, two = (score_trial(trial, patients=30, sets=sets, jobs=jobs) for jobs in (1, 2))
    assert repr(one) == repr(two)


def test_each_patients_own_set_depends_on_the_seed_and_the_number_alone():
    whole = sample(sets=30)
    sets, of = posterior.scatter(whole, np.arange(200), seed=4)
    assert of.shape == (200,) and 25 < len(sets) <= 30 and set(of) == set(range(len(sets)))
    some, at = posterior.scatter(whole, np.array([150, 3]), seed=4)
    assert [some[i] for i in at] == [sets[of[150]], sets[of[3]]]
    other, changed = posterior.scatter(whole, np.arange(200), seed=5)
    assert [other[i] for i in changed] != [sets[i] for i in of]


def test_the_numbers_used_are_told_in_words():
    assert posterior.told(None, 0) == "typical: as on the cards"
    assert posterior.told(sample(), 3) == (
        f"3 of 5 sets of the posterior sample (cards {sample().cards}; seed 3, patients 250, steps 2)"
    )


def test_a_qualification_says_which_sets_it_used():
    result = qualify([zuma_3()], patients=12, sets=sample(sets=3))
    assert result.provenance["parameters"].startswith("3 of 3 sets of the posterior sample")
    assert sample().cards in result.provenance["parameters"]
