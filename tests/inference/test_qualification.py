"""Scoring by hand-made rows, baselines, the bundled trial files, and what a bad trial file is told."""

import csv
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.inference.qualification import (
    distance,
    judge,
    kinds,
    numbers,
    overlay_for,
    published_rows,
    score_trial,
    scored_rows,
    summarize,
    variant,
    with_baselines,
)
from vein2vein.trials.arms import arm_of
from vein2vein.trials.endpoints.measures import ENDPOINTS
from vein2vein.trials.published import Published
from vein2vein.trials.trial import (
    enroll_and_treat,
    list_trials,
    load_trial,
    read_trial,
    run_trial,
    trial_template_text,
)

NAN = math.nan


def stated(value, kind="points", tolerance=10.0, **more):
    fields = {"trial": "A", "arm": "", "quantity": "q", "definition": "", "value": value, "low": NAN, "high": NAN,
              "spread": "", "n": 100.0, "unit": "%", "source": "", "where": "", "confidence": "read",
              "endpoint": "responded", "tolerance": tolerance, "tolerance_kind": kind}  # fmt: skip
    return Published(**{**fields, **more})


def simulated(value, low, high, missing=""):
    inside = None
    return SimpleNamespace(simulated=value, low=low, high=high, inside=inside, missing=missing)


TRIAL = SimpleNamespace(name="a", arms=(), product=SimpleNamespace(name="p"), disease=SimpleNamespace(name="d"))


def judged(value, row, low=0.0, high=100.0, missing="", trial=TRIAL):
    found = simulated(value, low, high, missing)
    found.inside = not missing and low <= row.value <= high
    return judge(trial, row, found)


@pytest.mark.parametrize(
    ("kind", "tolerance", "published", "value", "expected"),
    [
        ("points", 10, 50, 57, 0.7),
        ("days", 3, 5, 2, 1.0),
        ("patients", 5, 8, 18, 2.0),
        ("percent of value", 30, 20, 26, 1.0),
        ("percent of value", 30, -20, -14, 1.0),
        ("log10", 0.3, 1000, 1000 * 10**0.3, 1.0),
        ("log10", 0.3, 1000, 0, math.inf),
        ("points", 10, 50, NAN, math.inf),
        ("percent of value", 30, 20, math.inf, math.inf),
    ],
)
def test_distance_is_counted_in_tolerances(kind, tolerance, published, value, expected):
    assert distance(value, stated(published, kind, tolerance)) == pytest.approx(expected)


def test_a_hazard_ratio_is_judged_by_the_published_interval():
    row = stated(2.0, "published interval", NAN, low=1.0, high=8.0)
    assert distance(2.0, row) == 0
    assert distance(8.0, row) == pytest.approx(1)
    assert distance(1.0, row) == pytest.approx(1)
    assert distance(4.0, row) == pytest.approx(0.5)
    assert judged(7.9, row).close and not judged(8.1, row).close


def test_a_row_passes_only_inside_and_close_and_fails_when_missing():
    row = stated(50)
    assert judged(55, row, 45, 65).passed
    outside = judged(55, row, 51, 65)
    assert (outside.inside, outside.close, outside.passed) == (False, True, False)
    far = judged(61, row, 45, 75)
    assert (far.inside, far.close, far.passed) == (True, False, False)
    missing = judged(NAN, row, missing="not there")
    assert not missing.passed and missing.error == math.inf


def test_scores_count_rows_coverage_and_bounded_errors():
    rows = [judged(55, stated(50), 45, 65), judged(70, stated(50), 60, 80), judged(NAN, stated(50), missing="no")]
    found = summarize("all", rows)
    assert (found.rows, found.produced, found.passed) == (3, 2, 1)
    assert found.share == pytest.approx(1 / 3)
    assert found.coverage == pytest.approx(1 / 2)
    assert found.error == pytest.approx((0.5 + 2 + numbers().worst) / 3)
    assert found.compared == 0 and math.isnan(found.gain)


def row_of(file, published, product="p", disease="d", **more):
    made = judged(50, stated(published), 0, 100)
    return replace(made, file=file, product=product, disease=disease, **more)


def test_baseline_is_the_mean_of_the_nearest_other_trials_by_product_disease_or_lineage():
    mine = row_of("a", 50)
    alone = with_baselines([mine, row_of("a", 90)])[0]
    assert math.isnan(alone.baseline)  # rows of the same trial are no guess
    others = [row_of("b", 60, product="x", disease="y"), row_of("c", 80, product="x", disease="y")]
    assert with_baselines([mine, *others])[0].baseline == 70
    others += [row_of("e", 20, product="x")]
    assert with_baselines([mine, *others])[0].baseline == 20  # same disease
    others += [row_of("f", 30, product="x")]
    assert with_baselines([mine, *others])[0].baseline == 25
    others += [row_of("g", 52, disease="y"), row_of("h", 56, disease="y"), row_of("h", 60, disease="y")]
    found = with_baselines([mine, *others])[0]
    assert found.baseline == 55  # same product; h counts once, with its mean
    assert found.baseline_error == pytest.approx(0.5)
    assert "product" in found.baseline_of
    later = replace(mine, time=365.0)
    assert math.isnan(with_baselines([later, *others])[0].baseline)  # another landmark is another endpoint


def test_the_survival_of_a_lymphoma_is_guessed_from_lymphomas_before_myelomas():
    mine = row_of("a", 50, product="p", disease="lbcl")
    others = [row_of("b", 10, product="x", disease="mm"), row_of("c", 14, product="y", disease="mm")]
    assert with_baselines([mine, *others])[0].baseline == 12  # nothing nearer
    found = with_baselines([mine, *others, row_of("d", 40, product="z", disease="mcl")])[0]
    assert found.baseline == 40 and found.baseline_of == "1 trial of the same lineage"


def test_gain_compares_over_the_same_rows():
    rows = with_baselines([row_of("a", 60), row_of("b", 40)])
    found = summarize("all", rows)
    assert (found.compared, found.error_there, found.baseline_error) == (2, 1.0, 2.0)
    assert found.gain == pytest.approx(0.5)


def test_every_row_of_the_fixed_list_is_scored_with_its_tolerance(shared):
    bundled = {row.trial for row in published_rows()}
    assert len(bundled) > 5
    with open(shared / "trials" / "scored.csv", encoding="utf-8") as file:
        wanted = sorted(
            repr((r["trial"], r["arm"], r["quantity"], r["definition"], float(r["value"]), r["unit"],
                  float(r["tolerance"]) if r["tolerance"] else None, r["tolerance_kind"]))
            for r in csv.DictReader(file) if r["trial"] in bundled
        )  # fmt: skip
    found = sorted(
        repr((r.trial, r.arm, r.quantity, r.definition, r.published, r.unit,
              None if math.isnan(r.tolerance) else r.tolerance, r.tolerance_kind))
        for r in published_rows()
    )  # fmt: skip
    assert len(found) == 221
    assert found == wanted


def test_no_published_outcome_that_was_read_is_left_out_of_the_files(shared):
    with open(shared / "trials" / "calibration.csv", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["confidence"] == "memory"]
    recalled = {(r["trial"], r["arm"], r["quantity"], r["definition"]) for r in rows}
    assert recalled and published_rows()
    for row in published_rows():
        assert (row.trial, row.arm, row.quantity, row.definition) not in recalled


def test_every_endpoint_that_is_scored_has_a_kind():
    used = {row.endpoint for name in list_trials() for row in scored_rows(load_trial(name))}
    assert len(used) > 20
    assert used <= set(kinds())
    assert set(kinds()) <= set(ENDPOINTS)


# Of each kind one: arms at random, arms by dose, arms by regimen, a product and disease of every lineage.
QUICK = ("cartitude_1", "cll_004", "eliana", "fabrizio_2022", "karmma_3", "zuma_2")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in sorted(list_trials())]
)
def test_bundled_trials_run_and_produce_their_scored_rows(name):
    trial = load_trial(name)
    short = replace(trial, plan=replace(trial.plan, contact_every=200.0))
    rows = score_trial(short, patients=60, seed=3)
    assert len(rows) == len(scored_rows(trial)) > 0
    produced = [row for row in rows if not row.missing]
    assert len(produced) >= len(rows) / 2
    for row in produced:
        assert row.low <= row.simulated <= row.high
    stated = {row.arm: row for row in rows}
    products = {arm.product.name for arm in trial.arms} if trial.arms else {trial.product.name}
    assert {name for row in stated.values() for name in row.product.split("+")} <= products
    assert {row.file for row in rows} == {trial.name}


def five_weeks(trial):
    plan = replace(trial.plan, follow_up=35.0, disease_visits=(28.0,), kinetics_samples=(7.0, 14.0))
    return replace(trial, plan=plan)


def test_arms_are_filled_in_proportion_and_each_is_treated_as_it_says():
    trial = load_trial("karmma")
    arms = [trial.arms[i].name for i in arm_of(trial.arms, np.arange(4000), seed=1)]
    assert arms.count("300e6") / len(arms) == pytest.approx(70 / 128, abs=0.03)
    short = replace(
        trial, plan=replace(trial.plan, follow_up=35.0, disease_visits=(28.0,), kinetics_samples=(7.0, 14.0))
    )
    journey = enroll_and_treat(short, np.arange(30), seed=1)
    assert np.array_equal(journey.patient.number, np.arange(30))
    given = journey.infused
    for name, cells in (("300e6", 3e8), ("450e6", 4.5e8)):
        dose = journey.infusion.cells[given & (journey.patient.arm == name)]
        assert len(dose) and (dose <= cells * 1.01).all()
    alone = enroll_and_treat(short, np.arange(10), seed=1)
    assert np.array_equal(alone.patient.burden, journey.patient.burden[:10])
    assert np.allclose(alone.infusion.cells, journey.infusion.cells[:10])


def test_arms_with_other_drugs_are_joined_without_mixing_them():
    trial = load_trial("juliet")
    short = replace(
        trial, plan=replace(trial.plan, follow_up=35.0, disease_visits=(28.0,), kinetics_samples=(7.0, 14.0))
    )
    journey = enroll_and_treat(short, np.arange(40), seed=1)
    assert set(journey.patient.arm) == {"flu_cy", "bendamustine", "none"}
    for drug, arm in (("fludarabine", "flu_cy"), ("bendamustine", "bendamustine")):
        total = np.sum([mg for _, name, mg in journey.conditioning.doses if name == drug], axis=0)
        assert (total[journey.patient.arm != arm] == 0).all()
        assert (total[(journey.patient.arm == arm) & journey.infused] > 0).all()


def test_a_variant_of_the_numbers_holds_for_a_product_or_for_all_and_changes_what_it_should():
    trial = load_trial("zuma_3")
    everywhere = variant({"KEB": 1.0}, why="a test")
    own = variant({"rho": 2.0}, why="a test")
    assert overlay_for(trial, None) is None
    assert overlay_for(trial, everywhere) is everywhere
    both = overlay_for(trial, {"": everywhere, trial.product.name: own, "another": variant({"muE": 1.0}, why="a test")})
    assert set(both.parameters) == {"KEB", "rho"}
    assert overlay_for(trial, {"another": own}) is None
    short = replace(
        trial, plan=replace(trial.plan, follow_up=35.0, disease_visits=(28.0,), kinetics_samples=(7.0, 14.0))
    )
    usual = enroll_and_treat(short, np.arange(30), seed=1)
    slow = enroll_and_treat(short, np.arange(30), seed=1, overlay=lambda one: overlay_for(one, {one.product.name: own}))
    assert np.nanmedian(slow.kinetics.cmax) < np.nanmedian(usual.kinetics.cmax)


def test_a_posterior_sample_widens_the_intervals():
    trial = load_trial("zuma_3")
    rare, common = (variant({"p_res": p}, why="a test") for p in (0.02, 0.9))
    alone = {row.quantity: row for row in score_trial(trial, patients=60, sets=[rare])}
    same = {row.quantity: row for row in score_trial(trial, patients=60, sets=rare)}
    both = {row.quantity: row for row in score_trial(trial, patients=60, sets=[rare, common])}
    assert len(alone) > 1 and repr(alone) == repr(same)  # as text, since NaN is not equal to itself
    one, two = alone["CR_CRi_rate"], both["CR_CRi_rate"]
    assert two.low < one.low and two.high - two.low > one.high - one.low


# Bad trial files

ARMS = """
[[arms]]
name = "low"
size = 10
dose = "1e6/kg"

[[arms]]
name = "high"
size = 40
dose = "3e6/kg"
"""
FAULTS = [
    ("[size]", "[[arms]]\nname = 'a'\nsize = 3\ndose = '3e6'\n\n[size]", "arms.0.dose", "without a unit"),
    ('policy = "early', 'dose = 3e6\npolicy = "early', "trial.dose", "without a unit"),
    ("[size]", "[[arms]]\nname = 'a'\nsize = 3\nproduct = 'tisagenlecleucil'\n\n[size]", "arms.0.product",
     "tisagenlecleucel"),
    ("[size]", "[[arms]]\nname = 'a'\nsize = 3\ndisease = 'lbc'\n\n[size]", "arms.0.disease", "lbcl"),
    ("[size]", "[[arms]]\nname = 'a'\nsize = 0\n\n[size]", "arms.0.size", "from 1"),
    ("[size]", "[[arms]]\nname = 'a'\nsize = 3\n[[arms]]\nname = 'a'\nsize = 3\n[size]", "arms.1.name", "twice"),
    ("[size]", "[[arms]]\nname = 'a'\nsize = 3\nrho = 3\n\n[size]", "arms.0.rho", "unknown field"),
    ("[size]", "[regimens.mine]\ntitle = 'x'\ndrugs = [{ drug = 'fludarabin', dose = 30, days = [-3] }]\n"
     "how = 'assumed'\nwhy = 'x'\n[size]", "regimens.mine.drugs.0.drug", "fludarabine"),
    ('endpoint = "responded"', 'endpoint = "respond"', "published.0.endpoint", "responded"),
    ('endpoint = "responded"', 'endpoint = "responded"\ntolerance_kind = "point"\ntolerance = 10',
     "published.0.tolerance_kind", "points"),
    ('endpoint = "responded"', 'endpoint = "responded"\ntolerance_kind = "points"', "published.0.tolerance", "missing"),
    ('endpoint = "crs"', 'endpoint = "crs"\ntolerance_kind = "published interval"', "published.2.lo95", "missing"),
    ('endpoint = "responded"', 'endpoint = "responded"\narms = ["low"]', "published.0.arms", "unknown arm"),
    ('scale = "astct"', 'scale = "asct"', "endpoints.scale", "astct"),
    ("disease_visits = [28,", "disease_visits = [-7, 28,", "visits.disease_visits.0", "0 day or more"),
    ('time = "6 months"', 'time = "18 months"', "published.1.time", "cannot be seen"),
    ("disease_visits = [28, 90, 180, 270, 365]", "disease_visits = [120, 180]", "endpoints.response_by",
     "first disease visit"),
    ("kinetics_samples = [1, 4, 7, 11, 14, 21, 28, 90, 180, 365]", "kinetics_samples = [7]", "published.3.endpoint",
     "kinetics_samples"),
    ('endpoint = "crs"\ngrade = 3', 'endpoint = "cytopenia"\nlines = ["neutropenia"]\nday = 400\ngrade = 3',
     "published.2.day", "nothing is seen"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "field", "said"), FAULTS, ids=[f"{f[2]}-{i}" for i, f in enumerate(FAULTS)])
def test_a_bad_trial_file_is_refused_with_file_line_and_field(old, new, field, said):
    text = trial_template_text()
    assert old in text
    with pytest.raises(InputError) as caught:
        read_trial(parse_card(text.replace(old, new, 1), "my.toml"))
    problem = caught.value
    assert (problem.file, problem.field) == ("my.toml", field)
    assert problem.line is not None
    assert said in str(problem)


def test_no_arm_is_refused():
    with pytest.raises(InputError, match="found an empty list, expected tables"):
        read_trial(parse_card("arms = []\n" + trial_template_text(), "my.toml"))


def test_a_file_with_arms_runs_and_its_rows_may_name_them():
    text = trial_template_text().replace("[size]", ARMS + "\n[size]", 1)
    text = text.replace("kind = ", "kind = ").replace('endpoint = "crs"', 'endpoint = "crs"\narms = ["high"]', 1)
    trial = read_trial(parse_card(text, "my.toml"))
    result = run_trial(trial, patients=20, seed=1)
    row = next(r for r in result.comparison if r.quantity == "CRS_ge3_rate")
    assert row.pool == int((result.journey.infused & (result.journey.patient.arm == "high")).sum()) > 0
