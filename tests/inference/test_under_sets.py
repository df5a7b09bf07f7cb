"""Trial, simulate and compare under a posterior sample: whose set is whose, and what the intervals hold."""

import html
import json
from dataclasses import replace

import numpy as np
import pytest

from vein2vein.cli.main import main
from vein2vein.inference import posterior
from vein2vein.inference.drawn_trials import Asked
from vein2vein.inference.posterior import Factor, Member, Posterior
from vein2vein.inference.qualification import score, scored_rows, spread
from vein2vein.inference.scoring import numbers
from vein2vein.inference.sets_side_by_side import each_under, same_patients, treated, treated_under
from vein2vein.journey.chart import simulate
from vein2vein.models.reference import model as reference
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.patient import example_patient_text
from vein2vein.therapy.product import find_product
from vein2vein.trials.contrast import contrast, design
from vein2vein.trials.trial import enroll_and_treat, load_trial, patients_of, set_beside
from vein2vein.trials.virtual_patients import virtual_patients

FACTORS = (
    Factor("kF", "kF", "value", ("reference",), 0.3),
    Factor("K_A", "K_A", "value", ("reference",), 0.3),
    Factor("dropout", "dropout", "value", ("hazards",), 0.3),
)
SETS = 4


def sample(sd=0.4, sets=SETS):
    logs = np.random.default_rng(2).normal(0, sd, (sets, len(FACTORS)))
    return Posterior(FACTORS, logs, posterior.hash_of_cards(FACTORS), {"seed": 3, "patients": 250, "steps": 2})


def short(name):
    trial = load_trial(name)
    plan = replace(trial.plan, follow_up=40.0, disease_visits=(28.0,), kinetics_samples=(4.0, 9.0, 14.0, 28.0))
    return replace(trial, plan=plan, until=40.0, cutoffs={key: 40.0 for key in trial.cutoffs}, accrual=0.0)


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    file = tmp_path / "posterior.csv"
    posterior.write_posterior(sample(), file)
    monkeypatch.setattr(posterior, "bundled", lambda: file)
    return file


@pytest.fixture
def stale(bundled):
    posterior.write_posterior(replace(sample(), cards="0123"), bundled)
    return bundled


# A trial


def test_each_simulated_trial_is_drawn_under_one_set_as_in_a_score():
    trial = short("zuma_1")
    sets, of = spread(trial, sample(), 20, seed=1)
    assert len(sets) == SETS and of.tolist() == np.repeat(np.arange(SETS), 20).tolist()
    journey = treated(trial, sets, of, np.arange(of.size), seed=1, tolerance=numbers().tolerance)  # as a score solves
    result = set_beside(trial, journey, seed=1, of=of, parameters="some sets")
    assert result.provenance["parameters"] == "some sets" and result.provenance["patients"] == 20 * SETS
    rows = {id(told): row for told, row in zip(trial.published, result.comparison, strict=True)}
    scored = score([trial], patients=20, seed=1, sets=sets)
    assert scored
    for told, expected in zip(scored_rows(trial), scored, strict=True):
        row = rows[id(told)]
        for name in ("simulated", "low", "high", "missing"):
            np.testing.assert_equal(getattr(row, name), getattr(expected, name))
    assert "parameters" not in set_beside(trial, journey, seed=1).provenance


def test_without_a_number_of_patients_each_set_has_enough_for_the_trials():
    trial = load_trial("zuma_1")
    _, of = spread(trial, sample(), None, seed=1)
    assert of.size == SETS * Asked(trial, scored_rows(trial)).enrolled(SETS) > SETS * trial.enrolled


# A patient


def test_a_patient_has_the_journey_of_its_own_set_whoever_else_is_simulated():
    product, disease = find_product("axicabtagene_ciloleucel"), find_disease("lbcl")

    def run(count, posterior):
        patients = virtual_patients("lbcl", count, seed=3)
        if posterior is None:
            return simulate(patients, product, seed=3)
        overlay, constants = each_under(posterior, product, disease, patients.number, 3)
        return simulate(patients, product, overlay=overlay, constants=constants, seed=3)

    at = list(reference.MODEL.parameters).index("kF")
    alone, many, plain = run(1, sample()), run(6, sample()), run(6, None)
    np.testing.assert_array_equal(alone.individual, many.individual[:1])
    np.testing.assert_array_equal(alone.outcome.death_day, many.outcome.death_day[:1])
    both = many.infused & plain.infused
    ratio = many.individual[both, at] / plain.individual[both, at]
    factors = np.exp(sample().logs[:, 0])
    assert ratio.size > 3 and all(np.isclose(one, factors, rtol=1e-6).any() for one in ratio)
    assert len(set(ratio.round(6))) > 1


# Two designs


def test_under_one_set_that_changes_nothing_the_comparison_is_that_of_the_cards():
    first = short("zuma_1")
    second = design(first, product="lisocabtagene_maraleucel")
    plain = contrast(first, second, patients=12, seed=2)
    one = contrast(first, second, patients=12, seed=2, treat=same_patients([None]))
    assert repr(one.rows) == repr(plain.rows) and plain.sets == one.sets == 1


def test_the_same_patients_and_the_same_set_meet_both_designs_and_the_interval_holds_the_sets():
    first = short("zuma_1")
    second = design(first, product="lisocabtagene_maraleucel")
    sets = [Member({("lisocabtagene_maraleucel", "kF", "value"): f}) for f in (1.0, 0.2, 5.0)]
    result = contrast(first, second, patients=12, seed=2, treat=same_patients(sets), parameters="three")
    assert result.sets == 3 and result.provenance["parameters"] == "three" and result.provenance["sets"] == 3
    for one, own in zip(sets, treated_under(first, sets, [np.arange(12)] * 3, seed=2), strict=True):
        assert own.count == 12, one
    by_set = [contrast(first, second, patients=12, seed=2, treat=same_patients([one])) for one in sets]
    moved = 0
    for row, *alone in zip(result.rows, *(one.rows for one in by_set), strict=True):
        if row.missing or not np.isfinite([one.difference for one in alone]).all():
            continue
        differences = sorted(one.difference for one in alone)
        assert row.difference == pytest.approx(differences[1]) and row.first == alone[0].first
        assert row.among in ("enrolled", "infused", "responders")
        moved += differences[0] < differences[2]
        if differences[0] < differences[2]:
            assert row.high - row.low >= min(one.high - one.low for one in alone)
    assert moved
    same = contrast(first, first, patients=12, seed=2, treat=same_patients(sets))
    for row in same.rows:
        assert row.missing or (row.difference, row.low, row.high) == (row.ratio * 1.0,) * 3


def test_curves_of_both_designs_are_those_of_the_rows():
    first = replace(load_trial("zuma_1"), cutoffs={}, published=())
    first = replace(first, plan=replace(first.plan, follow_up=370.0, disease_visits=(30.0, 90.0, 180.0, 365.0)))
    second = design(first, product="lisocabtagene_maraleucel")
    result = contrast(first, second, patients=10, seed=2)
    assert {(one.event, one.among) for one in result.curves} == {("EFS", "infused"), ("OS", "infused")}
    rows = {row.quantity: row for row in result.rows}
    for curve, name in zip(result.curves, ("event-free survival, 12 months", "survival, 12 months"), strict=True):
        at = np.searchsorted(curve.days, 365.25, side="right") - 1
        assert curve.days[at] > 360 and np.all(curve.value[:, 0] == 1) and np.all(np.diff(curve.value) <= 0)
        assert 100 * curve.value[0, at] == pytest.approx(rows[name].first, abs=10.1)
        assert np.all(curve.low <= curve.value + 1e-9) and np.all(curve.value <= curve.high + 1e-9)


# The commands


TRIAL = """
[trial]
name = "short"
title = "A short one"
disease = "lbcl"
product = "axicabtagene_ciloleucel"
policy = "early_conservative"
[size]
patients = 15
[visits]
watch_step = 0.5
watch_until = 10
follow_up = 35
disease_visits = [28]
kinetics_samples = [4, 7, 14, 28]
[endpoints]
scale = "astct"
until = "4 weeks"
[[published]]
quantity = "CRS_any_rate"
value = 77
n = 12
unit = "%"
confidence = "read"
endpoint = "crs"
grade = 1
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.toml").write_text(TRIAL, encoding="utf-8")
    (tmp_path / "patient.toml").write_text(example_patient_text(), encoding="utf-8")
    return tmp_path


CALLS = {
    "trial": ["trial", "short.toml", "--patients", "6"],
    "simulate": ["simulate", "patient.toml", "--product", "tisagenlecleucel", "--repeat", "3"],
}


def events(out):
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("name", CALLS)
def test_the_output_and_the_report_say_which_numbers_were_used(name, files, bundled, capsys):
    told = {"typical": "typical: as on the cards", "posterior": f"of {SETS} sets of the posterior sample"}
    for asked, said in told.items():
        assert main([*CALLS[name], "--parameters", asked, "--out", asked]) == 0
        assert said in capsys.readouterr().out
        assert said in (files / asked / "report.html").read_text(encoding="utf-8")
    assert main([*CALLS[name], "--out", "usual", "--json"]) == 0
    (used,) = [e["text"] for e in events(capsys.readouterr().out) if e["event"] == "parameters"]
    assert used == told["typical"]


@pytest.mark.parametrize("name", CALLS)
def test_a_sample_of_other_cards_is_refused_in_words(name, files, stale, capsys):
    assert main([*CALLS[name], "--parameters", "posterior", "--out", "out"]) == 2
    assert "other numbers" in capsys.readouterr().err and not (files / "out").exists()


@pytest.mark.parametrize("more", [["--chunk", "5"], ["--keep-courses"], ["--jobs", "2"], ["--patients", "6000"]])
def test_a_run_in_chunks_has_the_numbers_of_the_cards(more, files, bundled, capsys):
    given = CALLS["trial"][:2] if "--patients" in more else CALLS["trial"]
    assert main([*given, *more, "--parameters", "posterior", "--out", "out"]) == 2
    assert "--parameters posterior works on runs in one piece" in capsys.readouterr().err
    assert not (files / "out").exists()


def compared(files, capsys, *more):
    call = ["compare", "--trial", "short.toml", "--product", "axi-cel", "--product", "liso-cel", "--patients", "12"]
    assert main([*call, "--out", "out", "--force", *more]) == 0
    told = capsys.readouterr()
    page = (files / "out" / "report.html").read_text(encoding="utf-8")
    return json.loads((files / "out" / "comparison.json").read_text(encoding="utf-8")), page, told


def test_a_comparison_under_the_sample_says_what_is_assumed(files, bundled, capsys):
    data, page, told = compared(files, capsys)
    assert data["sets"] == SETS == data["provenance"]["sets"]
    said = " ".join(data["assumed"])
    assert "the same 12 virtual patients" in said and f"{SETS} of {SETS} sets of the posterior sample" in said
    assert "over sets and patients" in said and "SAMPLING ERROR" not in said + page + told.out
    assert data["assumed"][0] in html.unescape(page)
    assert {row["among"] for row in data["rows"]} >= {"infused", "enrolled"}
    assert "%, infused" in told.out and "Numbers of the model" in told.out


@pytest.mark.parametrize("more", [[], ["--quiet"], ["--json"], ["--parameters", "typical"]])
def test_a_comparison_without_a_sample_says_loudly_what_its_intervals_hold(more, files, stale, capsys):
    data, page, told = compared(files, capsys, *more)
    assert data["sets"] == 1 and data["assumed"][-1].startswith("SAMPLING ERROR ONLY")
    assert "SAMPLING ERROR ONLY" in page and "SAMPLING ERROR ONLY" in told.out
    assert ("other numbers" in told.err + told.out) == ("typical" not in more)


def test_a_comparison_asked_for_a_sample_that_does_not_fit_is_refused(files, stale, capsys):
    call = ["compare", "--trial", "short.toml", "--dose", "1e6/kg", "--dose", "2e6/kg", "--parameters", "posterior"]
    assert main([*call, "--out", "out"]) == 2
    assert "other numbers" in capsys.readouterr().err


def test_a_typical_trial_is_the_one_without_the_option():
    trial = short("zuma_1")
    journey = enroll_and_treat(trial, np.arange(patients_of(trial, 12)), seed=1)
    under = treated(trial, [None], np.zeros(12, np.intp), np.arange(12), seed=1)
    np.testing.assert_array_equal(under.outcome.death_day, journey.outcome.death_day)
    one, other = (set_beside(trial, j, seed=1, of=of) for j, of in ((journey, None), (under, np.zeros(12, np.intp))))
    assert repr(one.comparison) == repr(other.comparison)
