"""The scripts that make the posterior sample: the calibration, and the cards that its mean is moved into."""

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
from vein2vein.inference import posterior
from vein2vein.inference.calibration import calibrate as library
from vein2vein.inference.calibration import chord, linear_file, runs, search
from vein2vein.inference.calibration import fitted_rows as fitted
from vein2vein.inference.calibration import gauss_newton as newton
from vein2vein.inference.calibration.free_numbers import FreeNumbers, read_free_numbers
from vein2vein.inference.calibration.runs import Result
from vein2vein.inference.calibration.write_cards import FOLDERS
from vein2vein.inference.posterior import Factor, Posterior
from vein2vein.inference.qualification import published_rows, scored_rows
from vein2vein.models.reference import model as reference
from vein2vein.trials.trial import load_trial

SCRIPTS = Path(__file__).resolve().parents[2] / "qualification"
STAGED = read_free_numbers(SCRIPTS / "priors.toml")
FACTORS = (
    Factor("K_A", "K_A", "value", ("reference",), 0.4),
    Factor("feng_sd", "feng", "sd", ("brexucabtagene_autoleucel",), 0.2),
    Factor("g_of_adult", "g", "value", ("adult_b_all",), 0.3),
    Factor("dropout", "dropout", "value", ("hazards",), 0.3),
)


@pytest.fixture
def script(monkeypatch):
    """Load a script of the folder qualification/ as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))

    def load(name):
        spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


def sample(logs):
    return Posterior(FACTORS, logs, posterior.hash_of_cards(FACTORS), {})


def linear_problem(factors=5, rows=9):
    rng = np.random.default_rng(4)
    slope = rng.normal(size=(factors, rows)) * (rng.random((factors, rows)) < 0.6)
    residual = rng.normal(size=rows) * 0.3  # so small that no row is far from its data anywhere near
    exact = np.linalg.inv(slope @ slope.T + np.eye(factors))
    return slope, residual, exact, -exact @ slope @ residual


def test_a_step_finds_the_posterior_of_a_linear_problem_wherever_it_begins():
    slope, residual, exact, mean = linear_problem()
    np.testing.assert_allclose(newton.target(slope, residual, np.zeros(5)), mean, atol=1e-5)
    begin = np.array([0.3, -0.2, 0.1, 0.0, 0.4])
    np.testing.assert_allclose(newton.target(slope, residual + begin @ slope, begin), mean, atol=1e-5)
    np.testing.assert_allclose(newton.covariance(slope), exact, atol=1e-12)


def test_draws_have_the_estimate_as_mean_and_the_posteriors_covariance_and_stay_in_reach():
    _, _, exact, mean = linear_problem()
    draws = newton.drawn(mean, exact, 20_000, np.random.default_rng(1))
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=1e-9)
    mirrored = np.isclose((draws[0::2] + draws[1::2]) / 2, mean, atol=1e-3)
    assert mirrored.mean() > 0.95  # all but those held within reach
    np.testing.assert_allclose(np.cov(draws.T), exact, atol=0.03)
    edge = np.array([newton.BOUND, 0.0])
    wide = newton.drawn(edge, np.eye(2), 200, np.random.default_rng(1))
    assert np.abs(wide).max() <= newton.REACH
    np.testing.assert_allclose(wide.mean(axis=0), edge, atol=1e-9)


def test_errors_grow_until_they_explain_the_residuals():
    slope = np.zeros((3, 40))
    slope[0, 0] = 1e6  # one row is spent on a factor
    residual = np.concatenate([[0.0], np.full(39, 2.0)])
    assert newton.error_scale(slope, residual) == pytest.approx(2, rel=1e-3)
    assert newton.error_scale(slope, residual / 10) == 1
    slope, *_ = linear_problem()
    assert np.all(np.diag(newton.covariance(slope, 2.0)) > np.diag(newton.covariance(slope)))


def test_a_step_stays_within_the_bounds():
    found = newton.target(np.full((2, 30), 0.5), np.full(30, -20.0), np.zeros(2))
    np.testing.assert_allclose(found, newton.BOUND)


def test_a_row_far_from_its_data_pulls_no_harder_than_one_at_its_edge():
    far, farther = (newton.target(np.array([[0.2]]), np.array([-off]), np.zeros(1)) for off in (5.0, 50.0))
    np.testing.assert_allclose([far, farther], 0.2 * newton.HUBER, rtol=1e-6)
    missing = newton.residuals(np.array([np.nan, 1.0]), np.zeros(2), np.full(2, 0.5))
    assert missing.tolist() == [newton.FAR, 2.0]


def test_rows_out_of_reach_or_not_produced_have_no_sensitivity_and_small_ones_are_noise():
    base, by = np.array([1.0, 1.0, np.nan, 1.0]), np.array([0.5, -0.5])
    moved = np.array([[2.0, np.nan, 2.0, 1.01], [2.0, 2.0, 2.0, 2.0]])
    allowed = np.array([[True, True, True, True], [False, True, True, True]])
    found = newton.sensitivities(moved, base, np.array([1.0, 1.0, 1.0, 0.5]), by, allowed)
    whole = 2.0 - newton.SMALL
    np.testing.assert_allclose(found, [[whole, 0, 0, 0], [0, -whole, 0, -4.0 + newton.SMALL]])


def test_the_error_of_a_row_is_its_sampling_error_and_half_of_its_tolerance():
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
    half = 5 / 1.645
    assert fitted.error_of(row) == pytest.approx(half)
    row.n = 16.0
    assert fitted.error_of(row) == pytest.approx(np.hypot(half, 100 * 0.5 / 4), rel=0.01)
    row.endpoint = "igg_change"
    assert fitted.error_of(row) == pytest.approx(half)  # a percentage that is no share of patients
    row.low, row.high = 20.0, 80.0
    assert fitted.error_of(row) == pytest.approx(np.hypot(half, 60 / 3.92))
    months = SimpleNamespace(**{**fields, "unit": "months", "tolerance": 30.0}, tolerance_kind="percent of value")
    assert fitted.error_of(months) == pytest.approx(0.15 / 1.645)
    ratio = {"value": 2.0, "low": 1.0, "high": 4.0, "tolerance": np.nan, "unit": "hazard ratio"}
    hazard = SimpleNamespace(**{**fields, **ratio}, tolerance_kind="published interval")
    assert fitted.error_of(hazard) == pytest.approx(np.log(4) / 3.92)
    assert fitted.tolerance_of(hazard) == pytest.approx(np.log(2))


def test_a_factor_reaches_the_rows_whose_patients_meet_its_card():
    trials = [load_trial("karmma"), load_trial("zuma_3")]
    factors = [replace(FACTORS[0]), FACTORS[2], replace(FACTORS[1], cards=("idecabtagene_vicleucel",))]
    found, first = fitted.reach(factors, [fitted.TrialRows(one) for one in trials]), len(scored_rows(trials[0]))
    assert found[0].all()
    assert not found[1, :first].any() and found[1, first:].all()
    assert found[2, :first].all() and not found[2, first:].any()


def free(*stages):
    return FreeNumbers(FACTORS, stages or ("kinetics",) * len(FACTORS), STAGED.judged_by)


@pytest.fixture
def calibration(script, tmp_path, monkeypatch):
    """A calibration of two trials in a model in which every row follows the first factor; what was run, the files."""
    ran, once, always, luck, trials = [], [], [], [], ("karmma", "zuma_3")
    monkeypatch.setattr(posterior, "bundled", lambda: tmp_path / "posterior.csv")
    monkeypatch.setattr(linear_file, "bundled", lambda: tmp_path / "linearized.npz")
    monkeypatch.setattr(fitted.TrialRows, "simulated", lambda *_: None)
    monkeypatch.setattr(library, "read_free_numbers", lambda *_: free())

    def quick(task):
        failing = [label for label in task.labels if label in once]
        if failing or set(task.labels) & set(always):
            once[:] = [label for label in once if label not in failing]
            return Result(task, None, 0.0, "made to fail")
        ran.extend((label, task.evidence.name) for label in task.labels)
        luck.extend((label, first, task.seed) for label, first in zip(task.labels, task.first, strict=True))
        logs = np.log([[one.factors["reference", "K_A", "value"]] for one in task.members])
        far = 3 * logs / FACTORS[0].prior_sd - 1.5
        goals = task.evidence.data + task.evidence.error * far
        return Result(task, np.stack([goals, np.full_like(goals, 1e-3)], axis=-1), 0.0)

    monkeypatch.setattr(runs, "run_one", quick)
    edited = []  # what would be written into the cards
    monkeypatch.syspath_prepend(str(SCRIPTS))
    writer = script("write_cards")
    monkeypatch.setattr(writer, "write_numbers", lambda one, _: edited.append(one) or [])
    monkeypatch.setattr(writer, "unfitted", lambda _: ())
    monkeypatch.setattr(writer.subprocess, "run", lambda *_, **__: writer.rehash())
    call = ["--trials", *trials, "--workers", "1", "--out", str(tmp_path / "out.json"), "--write"]
    told = {"ran": ran, "once": once, "always": always, "luck": luck, "folder": tmp_path, "edited": edited}
    return SimpleNamespace(main=script("calibrate").main, call=call, **told)


def test_a_calibration_moves_what_the_data_decide_and_writes_its_sample(calibration, capsys):
    table = calibration.folder / "table.md"
    assert calibration.main([*calibration.call, "--steps", "2", "--table", str(table)]) == 0
    said, found = capsys.readouterr().out, posterior.read_posterior(calibration.folder / "posterior.csv")
    told = json.loads((calibration.folder / "out.json").read_text(encoding="utf-8"))
    assert told["estimate"]["K_A"] == pytest.approx(0.5, abs=0.02)  # where every row is at its data
    assert told["estimate"]["g_of_adult"] == pytest.approx(0, abs=1e-6)
    assert len(found.logs) == 200 and found.is_current
    np.testing.assert_allclose(found.logs.mean(axis=0), 0, atol=1e-4)  # the mean goes into the cards
    (one,) = calibration.edited
    for factor in found.factors:
        expected = np.exp(told["estimate"][factor.name] * factor.prior_sd)
        assert one.factors[factor.cards[0], factor.parameter, factor.what] == pytest.approx(expected)
    linear = linear_file.read_linear(linear_file.bundled())
    np.testing.assert_allclose(linear.estimate, list(told["estimate"].values()))
    spread = np.sqrt(np.diag(told["covariance"]))
    assert spread[0] < 0.2 and spread[2] == pytest.approx(1)
    assert f"| K_A | kinetics | value of K_A in reference | {np.exp(0.4 * told['estimate']['K_A']):.3g} |" in said
    assert table.read_text(encoding="utf-8").strip() in said
    assert found.facts["within_after"] == found.facts["rows"] and found.facts["steps"] == 2
    ran = {label: [name for one, name in calibration.ran if one == label] for label, _ in calibration.ran}
    everywhere = ["karmma", "zuma_3"]
    assert ran["step 0: base"] == ran["step 1: K_A moved"] == ran["step 0: 0.25 of the step"] == everywhere
    assert ran["step 0: g_of_adult moved"] == ["zuma_3"]  # the only trial whose patients meet that card
    assert len(set(calibration.ran)) == len(calibration.ran)
    assert len(ran) == 2 * (1 + len(FACTORS) + 3) + 2 * search.DRAWS
    first = {number for label, number, _ in calibration.luck if "draw" in label}
    assert len(first) == search.DRAWS and np.diff(sorted(first)).min() >= 250  # each has patients of its own


def test_stages_move_in_order_each_for_its_rows_and_those_before(calibration, monkeypatch, capsys):
    stages = ("kinetics", "kinetics", "tumor", "survival")
    monkeypatch.setattr(library, "read_free_numbers", lambda *_: free(*stages))
    assert calibration.main([*calibration.call, "--staged", "--steps", "1"]) == 0
    said, ran = capsys.readouterr().out, [label for label, _ in calibration.ran]
    moved = [{one.split()[2] for one in ran if one.startswith(f"step {k}: ") and "moved" in one} for k in range(4)]
    assert moved == [{"K_A", "feng_sd"}, {"g_of_adult"}, {"dropout"}, {factor.name for factor in FACTORS}]
    judged = [int(line.split(" of ")[1].split()[0]) for line in said.splitlines() if line.startswith("  base: loss")]
    assert judged == sorted(judged) and judged[0] < judged[1] < judged[2] == judged[3]  # all rows judge the last stage
    told = json.loads((calibration.folder / "out.json").read_text(encoding="utf-8"))
    assert told["staged"] == "yes" and told["estimate"]["K_A"] == pytest.approx(0.5, abs=0.03)


def test_steps_that_reuse_sensitivities_go_on_to_the_data(calibration, capsys):
    assert calibration.main([*calibration.call, "--steps", "0", "--polish", "4"]) == 0
    told = json.loads((calibration.folder / "out.json").read_text(encoding="utf-8"))
    assert told["estimate"]["K_A"] == pytest.approx(0.5, abs=0.03) and told["polish"] == 4
    polished = {label for label, _ in calibration.ran if label.startswith("polish 0")}
    assert len(polished) == chord.LUCKS
    lucks = {seed for label, _, seed in calibration.luck if label.startswith("polish")}
    assert len(lucks) == chord.LUCKS  # the same in every step, so that no step follows luck


def test_trials_that_are_left_out_are_predicted_by_what_the_others_say(calibration, monkeypatch, capsys):
    asked = {}

    def scored(trial, *, patients, seed, sets):
        asked[trial.name] = (sets.factors["reference", "K_A", "value"], patients, seed)
        return list(published_rows([trial]))

    monkeypatch.setattr(sys.modules["calibrate"], "score_trial", scored)
    call = [*calibration.call, "--steps", "1", "--corrections", "0", "--without", "zuma_3", "--predicted", "9"]
    assert calibration.main([*call, "--left-out", "karmma"]) == 0
    told = json.loads((calibration.folder / "out.json").read_text(encoding="utf-8"))
    assert told["trials"] == ["karmma"] and not any(name == "zuma_3" for _, name in calibration.ran)
    assert asked["zuma_3"] == (pytest.approx(np.exp(0.4 * told["estimate"]["K_A"])), 9, 1)
    assert asked["karmma"][0] == pytest.approx(1, abs=1e-4)  # no row is left: the cards' number
    hows = {one["trial"]: one["how"] for one in told["predictions"]}
    assert hows == {"zuma_3": "fitted without it", "karmma": "linearized refit without it"}
    said = capsys.readouterr().out
    assert "prediction of zuma_3 (fitted without it): 0 of 4 rows pass" in said and "missed" in said
    calibration.ran.clear()
    for wrong, why in (("zuma_33", "did you mean"), ("zuma_3", "which is not fitted to")):
        with pytest.raises(SystemExit, match=why):
            calibration.main([*call, "--left-out", wrong])
    assert not calibration.ran  # told before anything is run


def test_every_row_of_the_trials_judges_a_stage_that_has_factors():
    rows = [row for name in ("eliana", "juliet", "seattle") for row in scored_rows(load_trial(name))]
    assert set(STAGED.stages_of(rows)) == set(STAGED.judged_by) == set(STAGED.stages)


def test_without_steps_the_sample_lies_around_the_cards(calibration):
    assert calibration.main([*calibration.call, "--steps", "0", "--corrections", "0"]) == 0
    found = posterior.read_posterior(calibration.folder / "posterior.csv")
    np.testing.assert_allclose(found.logs.mean(axis=0), 0, atol=1e-4)
    assert len({label for label, _ in calibration.ran}) == 1 + len(FACTORS)
    assert found.facts["within_before"] == found.facts["within_after"]


def test_a_calibration_goes_on_where_it_was_ended_to_the_same_result(calibration, monkeypatch, capsys):
    call = [*calibration.call, "--steps", "2"]
    assert calibration.main(call) == 0
    whole = posterior.read_posterior(calibration.folder / "posterior.csv").logs
    every = list(calibration.ran)
    calibration.ran.clear()
    assert calibration.main(call) == 0
    assert calibration.ran == []  # all of it was kept
    (calibration.folder / "out.npz").unlink()
    usual = runs.run_one

    def ended(task):
        if len(calibration.ran) == 11:
            raise KeyboardInterrupt
        return usual(task)

    monkeypatch.setattr(runs, "run_one", ended)
    with pytest.raises(KeyboardInterrupt):
        calibration.main(call)
    monkeypatch.setattr(runs, "run_one", usual)
    assert calibration.main(call) == 0
    assert calibration.ran == every  # each once, before or after
    assert np.array_equal(posterior.read_posterior(calibration.folder / "posterior.csv").logs, whole)
    calibration.ran.clear()
    capsys.readouterr()
    assert calibration.main([*call, "--seed", "2"]) == 0
    assert len(calibration.ran) == len(every) and "begun anew" in capsys.readouterr().out  # another calibration


def test_runs_that_fail_are_told_and_tried_again_and_left_out_in_the_end(calibration, capsys):
    label, other = "step 0: K_A moved", "step 0: g_of_adult moved"
    calibration.once.append(other)
    calibration.always.append(label)
    assert calibration.main([*calibration.call, "--steps", "1"]) == 0
    said = capsys.readouterr().out
    assert "failed: made to fail" in said and f"{other} failed 3 times" not in said
    assert f"{label} failed 3 times and is left out" in said
    told = json.loads((calibration.folder / "out.json").read_text(encoding="utf-8"))
    assert told["estimate"]["K_A"] == pytest.approx(0, abs=1e-9) and told["covariance"][0][0] == 1
    calibration.always.append("step 1: base")
    with pytest.raises(SystemExit, match="without any factor moved"):
        calibration.main([*calibration.call, "--steps", "2"])


@pytest.mark.parametrize(
    "wrong", [["--steps", "-1"], ["--corrections", "-1"], ["--difference", "0"], ["--difference", "5"]]
)
def test_options_that_make_no_sense_are_refused(script, wrong, capsys):
    with pytest.raises(SystemExit):
        script("calibrate").options(wrong)
    assert "expected" in capsys.readouterr().err


def test_every_free_number_of_the_calibration_is_on_a_card():
    assert len(STAGED.factors) == len(STAGED.stages) > 50
    for factor in STAGED.factors:
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
    for folder in FOLDERS:
        shutil.copytree(source / folder, package / folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    before = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.toml")}
    mean = np.log([2.0, 1.5, 0.5, 1.1])
    lines = {path: text.count("\n") for path, text in before.items()}
    told = write_cards.write_numbers(posterior.member(FACTORS, mean), free(), package)
    assert len(told) == 4
    assert (
        write_cards.write_numbers(posterior.member(FACTORS, np.full(4, 1e-4)), free(), package) == []
    )  # nothing moved
    after = {path: path.read_text(encoding="utf-8") for path in before}
    changed = {path.stem for path in before if before[path] != after[path]}
    assert {p.stem for p in before if after[p].count("\n") != lines[p]} == {"brexucabtagene_autoleucel"}  # a spread
    assert changed == {"reference", "brexucabtagene_autoleucel", "adult_b_all", "hazards"}

    def table(texts, stem, name):
        path = next(p for p in texts if p.stem == stem)
        return tomllib.loads(texts[path])["parameters"][name]

    old, new = table(before, "reference", "K_A"), table(after, "reference", "K_A")
    assert new["value"] == pytest.approx(2 * old["value"], rel=1e-3)
    facts = ("value", "how", "where", "source", "why")
    assert {k: v for k, v in new.items() if k not in facts} == {k: v for k, v in old.items() if k not in facts}
    assert (new["how"], new["source"], "why" in new) == ("calibrated", "calibration_rows", False)
    general = reference.parameters().parameters["feng"].spread
    spread = table(after, "brexucabtagene_autoleucel", "feng")["spread"]
    assert (spread["kind"], spread["sd"]) == (general.kind, pytest.approx(1.5 * general.sd, rel=1e-3))
    assert table(after, "hazards", "dropout")["how"] == "calibrated"
