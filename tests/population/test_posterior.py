"""The posterior sample: its file, how a set changes a trial, the smoother that makes it, the cards it is moved into."""

import importlib.util
import json
import shutil
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import vein2vein
from vein2vein.errors import InputError
from vein2vein.models import hazards, reference
from vein2vein.population import posterior
from vein2vein.population.comparison import draw
from vein2vein.population.posterior import Factor, Member, Posterior
from vein2vein.population.qualification import qualify, score_trial
from vein2vein.population.trial import enroll_and_treat, load_trial
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.product import find_product

SCRIPTS = Path(__file__).resolve().parents[2] / "qualification"
FACTORS = (
    Factor("K_A", "K_A", "value", ("reference",), 0.4),
    Factor("KCN_sd", "KCN", "sd", ("brexucabtagene_autoleucel",), 0.2),
    Factor("g_of_adult", "g", "value", ("adult_b_all",), 0.3),
    Factor("dropout", "dropout", "value", ("hazards",), 0.3),
)


@pytest.fixture
def script(monkeypatch):
    """Load a script of the folder qualification/ as a module."""
    if not SCRIPTS.is_dir():
        pytest.skip(f"the calibration scripts are not part of an installed package: {SCRIPTS} is not there")
    monkeypatch.syspath_prepend(str(SCRIPTS))

    def load(name):
        spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


def sample(sets=5, seed=1, **more):
    logs = np.random.default_rng(seed).normal(0, 0.1, (sets, len(FACTORS)))
    facts = {"version": "1", "seed": 3, "members": sets, "steps": 2, "trials": ["eliana"]}
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
    assert {"version", "seed", "seconds", "members", "steps"} <= set(found.facts)
    for factor in found.factors:
        for card in factor.cards:
            known = {*posterior.card_parameters(card).parameters, *reference.parameters().parameters}
            assert factor.parameter in known, factor.name


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("K_A,KCN_sd", "K_B,KCN_sd", "columns"),
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
        def other(name):
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
    assert own["rho"].value is not None and own["KCN"].spread is None
    one = Member({
        ("reference", "K_A", "value"): 2.0,
        ("brexucabtagene_autoleucel", "rho", "value"): 0.5,
        ("brexucabtagene_autoleucel", "KCN", "sd"): 3.0,
        ("adult_b_all", "g", "value"): 0.25,
        ("lbcl", "g", "value"): 9.0,
        ("hazards", "dropout", "value"): 5.0,
    })  # fmt: skip
    found = posterior.overlay(one, trial).parameters
    assert set(found) == {"K_A", "rho", "KCN", "g"}  # no card of another disease, and no constant
    assert found["K_A"].value == pytest.approx(2 * general["K_A"].value)
    assert found["rho"].value == pytest.approx(own["rho"].value / 2)
    assert found["KCN"].value == own["KCN"].value
    assert found["KCN"].spread.sd == pytest.approx(3 * general["KCN"].spread.sd)
    assert found["g"].value == pytest.approx(find_disease("adult_b_all").parameters.parameters["g"].value / 4)
    assert posterior.overlay(Member({("reference", "rho", "value"): 2.0}), trial) is None  # the product's own counts
    journey = enroll_and_treat(trial, np.arange(12), seed=1, overlay=lambda arm: posterior.overlay(one, arm))
    assert journey.parameters.parameters["g"].value == found["g"].value


def test_a_value_stays_within_the_bounds_of_its_parameter():
    share = find_disease("adult_b_all").parameters.parameters["p_res"]
    held = replace(share, low=0.0, high=1.0)
    assert posterior.scaled(held, "value", 100.0).value == 1.0


def test_constants_are_changed_for_the_run_and_then_as_before():
    usual = hazards.constants().dropout
    with pytest.raises(RuntimeError), posterior.in_force(Member({("hazards", "dropout", "value"): 3.0})):
        assert hazards.constants().dropout == pytest.approx(3 * usual)
        raise RuntimeError("a run that fails")
    assert hazards.constants().dropout == usual


def test_sets_are_chosen_by_the_seed_each_at_most_once():
    whole = sample(sets=50)
    some = posterior.choose(whole, 10, seed=1)
    assert len(some) == 10 and len({repr(one) for one in some}) == 10
    assert some == posterior.choose(whole, 10, seed=1) != posterior.choose(whole, 10, seed=2)
    assert len(posterior.choose(whole, 80, seed=1)) == 50


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


def test_a_qualification_says_which_sets_it_used():
    result = qualify([zuma_3()], patients=12, sets=sample(sets=3))
    assert result.provenance["parameters"].startswith("3 of 3 sets of the posterior sample")
    assert sample().cards in result.provenance["parameters"]


# The scripts


def test_the_smoother_finds_the_posterior_of_a_linear_problem(script):
    smoother = script("smoother")
    rng = np.random.default_rng(4)
    members, factors, rows = 400, 6, 9
    effect = rng.normal(size=(factors, rows)) * (rng.random((factors, rows)) < 0.5)
    truth, error = rng.normal(size=factors), np.full(rows, 0.5)
    data = truth @ effect + error * rng.normal(size=rows)
    exact = np.linalg.inv(np.eye(factors) + effect @ effect.T / 0.25)
    mean = exact @ effect @ data / 0.25
    ensemble = rng.normal(size=(members, factors))
    for _ in range(4):
        ensemble = smoother.move(
            ensemble, ensemble @ effect, data, error, damping=4.0, allowed=np.ones((factors, rows), bool), rng=rng
        )
    assert np.abs(ensemble.mean(axis=0) - mean).max() < 0.25
    np.testing.assert_allclose(ensemble.std(axis=0, ddof=1), np.sqrt(np.diag(exact)), rtol=0.35)


def test_rows_that_a_factor_cannot_move_or_nobody_produced_do_not_move_it(script):
    smoother = script("smoother")
    rng = np.random.default_rng(5)
    ensemble = rng.normal(size=(60, 2))
    outcome = np.column_stack([ensemble[:, 0] + ensemble[:, 1], np.full(60, np.nan)])
    moved = smoother.move(
        ensemble, outcome, np.array([3.0, 3.0]), np.array([0.1, 0.1]), damping=1.0,
        allowed=np.array([[True, True], [False, True]]), rng=rng,
    )  # fmt: skip
    assert np.array_equal(moved[:, 1], ensemble[:, 1])
    assert moved[:, 0].mean() > ensemble[:, 0].mean() + 0.5


def test_a_row_far_outside_the_ensemble_pulls_no_harder_than_one_at_its_edge(script):
    smoother = script("smoother")
    outcome = np.random.default_rng(7).normal(size=(500, 3))
    found = smoother.softened(outcome, np.array([0.0, 3.0, 30.0]), np.full(3, 1.0))
    assert found[0] == found[1] == 1
    assert found[2] == pytest.approx(30 / np.sqrt(2) / smoother.CONFLICT, rel=0.1)


def test_correlations_of_pure_noise_are_mostly_left_out(script):
    smoother = script("smoother")
    rng = np.random.default_rng(6)
    noise = smoother.correlations(rng.normal(size=(64, 100)), rng.normal(size=(64, 150)))
    weight = smoother.weights(noise, 64, np.ones(noise.shape, bool))
    assert weight.mean() < 0.02
    assert smoother.weights(np.array([[0.6]]), 64, np.ones((1, 1), bool)) == 1


def test_the_error_of_a_row_is_its_tolerance_or_the_sampling_error_where_that_is_larger(script):
    calibrate = script("calibrate")
    fields = {
        "value": 50.0,
        "low": np.nan,
        "high": np.nan,
        "n": np.nan,
        "unit": "%",
        "tolerance": 10.0,
        "endpoint": "crs",
    }
    row = SimpleNamespace(**fields, tolerance_kind="points")
    assert calibrate.error_of(row) == pytest.approx(10 / 1.645)
    row.n = 16.0
    assert calibrate.error_of(row) == pytest.approx(100 * 0.5 / 4, rel=0.01)
    row.endpoint = "igg_change"
    assert calibrate.error_of(row) == pytest.approx(10 / 1.645)  # a percentage that is no share of patients
    row.low, row.high = 20.0, 80.0
    assert calibrate.error_of(row) == pytest.approx(60 / 3.92)
    months = SimpleNamespace(**{**fields, "unit": "months", "tolerance": 30.0}, tolerance_kind="percent of value")
    assert calibrate.error_of(months) == pytest.approx(0.3 / 1.645)
    ratio = {"value": 2.0, "low": 1.0, "high": 4.0, "tolerance": np.nan, "unit": "hazard ratio"}
    hazard = SimpleNamespace(**{**fields, **ratio}, tolerance_kind="published interval")
    assert calibrate.error_of(hazard) == pytest.approx(np.log(4) / 3.92)


def test_a_factor_reaches_the_rows_whose_patients_meet_its_card(script):
    calibrate = script("calibrate")
    trials = [load_trial("karmma"), load_trial("zuma_3")]
    factors = [replace(FACTORS[0]), FACTORS[2], replace(FACTORS[1], cards=("idecabtagene_vicleucel",))]
    found, first = calibrate.reach(factors, trials), len(calibrate.scored(trials[0]))
    assert found[0].all()
    assert not found[1, :first].any() and found[1, first:].all()
    assert found[2, :first].all() and not found[2, first:].any()


def test_a_calibration_replaces_members_that_fail_goes_on_where_it_stopped_and_writes_its_sample(
    script, tmp_path, monkeypatch, capsys
):
    script("smoother"), script("tables")
    calibrate, file = script("calibrate"), tmp_path / "posterior.csv"
    monkeypatch.setattr(posterior, "bundled", lambda: file)
    rows, ran = len(calibrate.scored(load_trial("zuma_3"))), []

    def quick(task):  # a model in which every row follows the first factor
        index, logs = task[0], task[2]
        ran.append(index)
        if index == 2 and ran.count(2) == 1:
            return index, None, 0.0, "made to fail"
        return index, np.column_stack([np.full(rows, logs[0]), np.full(rows, 0.01)]), 0.0, ""

    monkeypatch.setattr(calibrate, "run_member", quick)
    monkeypatch.setattr(calibrate, "simulated", lambda *_: None)
    call = ["--members", "30", "--steps", "2", "--trials", "zuma_3", "--workers", "1"]
    call += ["--out", str(tmp_path / "out.json"), "--write"]
    assert calibrate.main(call) == 0
    said = capsys.readouterr().out
    assert "member 2 failed and will be replaced: made to fail" in said and "posterior / prior sd" in said
    assert len(ran) == 3 * 30 + 1
    found = posterior.read_posterior(file)
    assert len(found.logs) == 200 and found.is_current
    last = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    np.testing.assert_allclose(found.logs.mean(axis=0), list(last["center"].values()), atol=1e-4)
    assert (found.facts["members"], found.facts["draws"], found.facts["replaced"]) == (30, 170, 1)
    ran.clear()
    assert calibrate.main(call) == 0
    assert ran == []  # all of it was kept
    assert np.array_equal(posterior.read_posterior(file).logs, found.logs)
    assert calibrate.main([*call, "--seed", "2"]) == 0
    assert len(ran) >= 90 and "begun anew" in capsys.readouterr().out  # another calibration


def test_every_free_number_of_the_calibration_is_on_a_card(script):
    factors, stages = script("calibrate").free_numbers()
    assert len(factors) == len(stages) > 50
    for factor in factors:
        for card in factor.cards:
            whole = {**reference.parameters().parameters, **posterior.card_parameters(card).parameters}
            posterior.scaled(
                whole[factor.parameter] if factor.what == "value" or whole[factor.parameter].spread
                else reference.parameters().parameters[factor.parameter], factor.what, 1.0,
            )  # fmt: skip


def test_the_mean_of_a_sample_becomes_the_cards_numbers_and_nothing_else_changes(script, tmp_path):
    write_cards = script("write_cards")
    package = tmp_path / "vein2vein"
    source = Path(vein2vein.__file__).parent
    for folder in write_cards.FOLDERS:
        shutil.copytree(source / folder, package / folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    before = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.toml")}
    mean = np.log([2.0, 1.5, 0.5, 1.1])
    lines = {path: text.count("\n") for path, text in before.items()}
    told = write_cards.write(replace(sample(), logs=mean[None, :]), package)
    assert len(told) == 4
    assert write_cards.write(replace(sample(), logs=np.full((3, 4), 1e-4)), package) == []  # nothing moved
    after = {path: path.read_text(encoding="utf-8") for path in before}
    changed = {path.stem for path in before if before[path] != after[path]}
    assert {p.stem for p in before if after[p].count("\n") != lines[p]} == {"brexucabtagene_autoleucel"}  # a spread
    assert changed == {"reference", "brexucabtagene_autoleucel", "adult_b_all", "hazards"}

    def table(texts, stem, name):
        path = next(p for p in texts if p.stem == stem)
        return tomllib.loads(texts[path])["parameters"][name]

    old, new = table(before, "reference", "K_A"), table(after, "reference", "K_A")
    assert new["value"] == pytest.approx(2 * old["value"], rel=1e-3)
    assert {k: v for k, v in new.items() if k not in ("value", "how", "where")} == {
        k: v for k, v in old.items() if k not in ("value", "how", "where")
    }
    general = reference.parameters().parameters["KCN"].spread
    spread = table(after, "brexucabtagene_autoleucel", "KCN")["spread"]
    assert (spread["kind"], spread["sd"]) == (general.kind, pytest.approx(1.5 * general.sd, rel=1e-3))
    assert table(after, "hazards", "dropout")["how"] == "calibrated"
