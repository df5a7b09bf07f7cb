"""Patients measured one by one as evidence: reading, virtual trials alike, figures, errors; and other evidence."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from vein2vein.errors import InputError
from vein2vein.inference.calibration import calibrate as calibration
from vein2vein.inference.calibration import cohort as cohorts
from vein2vein.inference.calibration import figures_of_patients as told
from vein2vein.inference.calibration import patients, runs
from vein2vein.inference.calibration.calibrate import calibrate
from vein2vein.inference.calibration.cohort import Cohort, Virtual, alike, folds, joined, number_of, read_cohort
from vein2vein.inference.calibration.free_numbers import FreeNumbers, read_free_numbers
from vein2vein.inference.calibration.patients import PatientRow, patients_of
from vein2vein.inference.calibration.runs import Settings
from vein2vein.inference.posterior import Factor, Member
from vein2vein.trials.trial import load_trial

NONE = {"onset": np.nan, "complete": 1.0, "tocilizumab": 0.0, "steroids": 0.0}


ROOT = Path(__file__).resolve().parents[2]


def cohort(cells, grade=None, days=(7.0, 14.0, 28.0), arm="1"):
    """Patients with these cells (n, samples), the same days for each."""
    cells = np.asarray(cells, float)
    n = len(cells)
    grade = np.zeros(n) if grade is None else np.asarray(grade, float)
    return Cohort(
        np.full(n, arm),
        {"grade": grade, **{name: np.full(n, value) for name, value in NONE.items()}},
        {told.CELLS: cells},
        {told.CELLS: np.where(np.isfinite(cells), np.asarray(days), np.nan)},
        {told.CELLS: (0.1, np.inf)},
    )


# What is compared


@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), min_size=1, max_size=9), st.integers(1, 3))
def test_quantiles_are_those_of_numpy_whatever_is_missing(values, copies):
    many = np.tile(values, (copies, 1))
    found = told.quantiles(many)
    if np.isfinite(values).any():
        np.testing.assert_allclose(found, np.tile(np.nanquantile(values, told.SHARES), (copies, 1)), atol=1e-6)
    else:
        assert np.isnan(found).all()


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_ranks_go_together_as_scipy_says_of_those_with_both(seed):
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 5, (3, 12)).astype(float), rng.normal(size=(3, 12))
    one[rng.random((3, 12)) < 0.2] = np.nan
    found = told.rank_correlation(one, other)
    for row, a, b in zip(found, one, other):
        both = np.isfinite(a)
        if both.sum() < number_of("fewest") or np.ptp(a[both]) == 0:
            assert np.isnan(row)
        else:
            assert row == pytest.approx(spearmanr(a[both], b[both]).statistic)


def test_concordance_counts_ties_half_and_needs_both_groups():
    assert told.concordance(np.array([1.0, 2.0, 2.0]), np.array([0, 1, 0])) == pytest.approx(0.75)
    assert np.isnan(told.concordance(np.array([1.0, 2.0]), np.array([1, 1])))


def test_the_figures_of_a_cohort_that_one_can_count():
    cells = np.array([[0.1, 0.5, 0.1], [1, 5, 1], [10, 100, 10], [20, 200, 20], [40, 400, 40], [80, 800, 80.0]])
    found = told.figures(cohort(cells, grade=[0, 0, 1, 2, 3, 4]))
    shown = {name: float(one.value) for name, one in found.items()}
    peaks = cells.max(axis=1)
    assert shown["Cmax, median (cells/uL)"] == pytest.approx(150)
    assert shown["sd of log10 Cmax"] == pytest.approx(np.log10(peaks).std(ddof=1))
    assert shown["Cmax, 10th percentile (cells/uL)"] == pytest.approx(np.quantile(peaks, 0.1))
    assert shown["Cmax below 1/uL (%)"] == pytest.approx(100 / 6)
    assert shown["Cmax below 10/uL (%)"] == pytest.approx(100 / 3)
    assert shown["CRS any grade (%)"] == pytest.approx(100 * 4 / 6)
    assert shown["CRS grade 3 or more (%)"] == pytest.approx(100 / 3)
    assert shown["rank correlation cells days 5-10, days 24-31"] == pytest.approx(1)
    assert shown["rank correlation Cmax, CRS grade"] == pytest.approx(spearmanr(peaks, [0, 0, 1, 2, 3, 4]).statistic)
    assert not any("IL-6" in name for name in shown)  # what was not measured is not told


def test_many_cohorts_at_once_are_told_as_one_by_one():
    rng = np.random.default_rng(3)
    many = [cohort(np.exp(rng.normal(3, 2, (8, 3))), rng.integers(0, 4, 8)) for _ in range(4)]
    first = many[0]
    whole = replace(
        first,
        facts={name: np.array([one.facts[name] for one in many]) for name in first.facts},
        values={told.CELLS: np.array([one.values[told.CELLS] for one in many])},
    )
    seen = {told.CELLS: told.windows(first, told.CELLS, 7.0)}
    found = {**told.figures(whole), **told.by_window(whole, seen)}
    for at, one in enumerate(many):
        for name, figure in {**told.figures(one), **told.by_window(one, seen)}.items():
            np.testing.assert_allclose(np.broadcast_to(found[name].on_scale(), (4,))[at], figure.on_scale())


# Virtual trials alike


def test_a_virtual_trial_has_the_arms_the_days_and_the_limits_of_the_real_one():
    real = cohort([[0.1, 1, np.nan], [2, 2, 2], [3, 3, 3.0]])
    real = replace(real, arm=np.array(["1", "2", "2"]), limits={told.CELLS: (0.1, 50.0)})
    days = np.array([0.0, 7.0, 14.0, 28.0])
    courses = {told.CELLS: np.array([[0, 0.01, 5, 6], [0, 20, 100, 30], [0, 21, 22, np.nan]])}
    facts = {name: np.array([10.0, 20, 21]) for name in real.facts}
    virtual = Virtual(np.array(["1", "2", "2"]), facts, days, courses)
    drawn = alike(real, virtual, 1, 50)
    assert set(drawn.facts["grade"][:, 0]) == {10} and set(drawn.facts["grade"][:, 1]) == {20, 21}
    cells = drawn.values[told.CELLS]
    np.testing.assert_array_equal(cells[:, 0], np.tile([0.1, 5, np.nan], (50, 1)))  # not measured in the real one
    first = drawn.facts["grade"][:, 1] == 20
    np.testing.assert_array_equal(cells[first, 1], np.tile([20, 50, 30], (first.sum(), 1)))
    assert np.isnan(cells[~first, 1, 2]).all()  # after death
    assert np.array_equal(alike(real, virtual, 1, 50).values[told.CELLS], cells, equal_nan=True)
    with pytest.raises(InputError, match="no infused virtual patient of the arm '1'"):
        alike(real, replace(virtual, arm=np.array(["2", "2", "2"])), 1, 5)


def test_parts_of_patients_are_joined_in_their_places():
    real = cohort(np.arange(15.0).reshape(5, 3) + 1)
    parts = [np.array([3, 0]), np.array([1, 4, 2])]
    tiled = [
        (
            part,
            replace(
                one := real.of(part),
                facts={name: value[None] for name, value in one.facts.items()},
                values={told.CELLS: one.values[told.CELLS][None]},
            ),
        )
        for part in parts
    ]
    np.testing.assert_array_equal(joined(tiled, real).values[told.CELLS][0], real.values[told.CELLS])


def test_folds_hold_every_patient_once_and_never_change():
    found = folds(40)
    assert [len(one) for one in found] == [8] * 5
    assert sorted(np.concatenate(found)) == list(range(40))
    assert all(np.array_equal(a, b) for a, b in zip(found, folds(40)))


# Reading

SUBJECTS = "id,dose_level,crs_max_grade_astct,crs_onset_day,cr,tocilizumab,steroids\na,1,2,3,1,0,0\nb,1,0,,0,0,0\n"
SEEN = "id,day,variable,value,unit,censored\n"
ROWS = "a,7,car_t_blood,5,cells/uL,0\nb,7.5,car_t_blood,0,cells/uL,-1\na,3,ferritin,2,mg/L,0\na,3,ldh,250,kg,0\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(cohorts, "_shown", lambda trial: {"car_t_cells", "ferritin", "ldh"})
    (tmp_path / "subjects.csv").write_text(SUBJECTS, "utf-8")
    (tmp_path / "observations.csv").write_text(SEEN + ROWS, "utf-8")
    return tmp_path


def test_a_cohort_is_read_with_its_units_and_what_is_set_aside(folder):
    found = read_cohort(folder, load_trial("eliana"))
    np.testing.assert_array_equal(found.values["car_t_cells"], [[5], [5]])  # 0 is not detected: the least that was
    np.testing.assert_array_equal(found.days["car_t_cells"], [[7], [7.5]])
    np.testing.assert_array_equal(found.values["ferritin"], [[2000], [np.nan]])  # mg/L in ug/L
    assert "kg are not U/L" in found.aside["ldh"] and "no value" in found.aside["crp"]
    np.testing.assert_array_equal(found.facts["onset"], [3, np.nan])


@pytest.mark.parametrize(
    ("file", "old", "new", "said", "line", "field"),
    [
        ("subjects.csv", "crs_onset_day", "crs_onset_days", "did you mean crs_onset_days", 1, "crs_onset_day"),
        ("subjects.csv", "a,1,2", "a,1,x", "found 'x', expected a number", 2, "crs_max_grade_astct"),
        ("subjects.csv", "b,1", "a,1", "one id twice", None, None),
        ("observations.csv", "b,7.5", "bb,7.5", "did you mean b", 3, "id"),
        ("observations.csv", "a,7,car_t_blood,5", "a,7,car_t_blood,five", "found 'five'", 2, "value"),
        ("observations.csv", "a,7,", "a,seven,", "found 'seven'", 2, "day"),
        ("observations.csv", "censored", "cens", "missing column", 1, "censored"),
    ],
)
def test_data_that_make_no_sense_are_refused_with_their_place(folder, file, old, new, said, line, field):
    path = folder / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(InputError, match=said) as caught:
        read_cohort(folder, load_trial("eliana"))
    assert caught.value.file == str(path) and caught.value.line == line and caught.value.field == field


def test_a_file_that_is_not_there_and_an_arm_of_no_design_are_refused(folder):
    with pytest.raises(InputError, match="unknown arm of the design '1'"):
        read_cohort(folder, load_trial("karmma"))
    (folder / "observations.csv").unlink()
    with pytest.raises(InputError, match="no such file"):
        read_cohort(folder, load_trial("eliana"))


# As evidence


def evidence(n=12, seed=1):
    rng = np.random.default_rng(seed)
    cells = np.exp(rng.normal(4, 1.5, (n, 1)) + rng.normal(0, 0.3, (n, 3)))
    return patients_of(load_trial("eliana"), cohort(cells, rng.integers(0, 4, n), arm=""), "mine")


def test_windows_of_one_analyte_count_as_a_few_rows_together():
    found = evidence()
    window = np.array(["percentile" in row.quantity and "day" in row.quantity for row in found.rows])
    assert window.sum() == 9  # three windows, three percentiles
    weighed = (found.error / found.tolerance)[window] * 1.645
    np.testing.assert_allclose(weighed, np.sqrt(9 / number_of("worth")), rtol=1e-3)
    alone = [row.quantity for row in found.rows].index("sd of log10 Cmax")
    assert found.error[alone] * 1.645 == pytest.approx(found.tolerance[alone], rel=1e-3)
    assert {row.trial for row in found.rows} == {"mine"} and np.isfinite(found.error).all()
    assert found.cards[0] >= {"tisagenlecleucel", "pediatric_b_all"}


def test_virtual_patients_who_are_the_real_ones_lie_at_the_data(monkeypatch):
    found = evidence(20)
    days = np.array([0.0, 7.0, 14.0, 28.0])
    courses = np.concatenate([np.zeros((20, 1)), found.cohort.values[told.CELLS]], axis=1)
    virtual = Virtual(found.cohort.arm, found.cohort.facts, days, {told.CELLS: courses})
    monkeypatch.setattr(patients, "treated_under", lambda *_, **__: iter([None]))
    monkeypatch.setattr(patients, "read_virtual", lambda *_: virtual)
    (rows,) = found.simulated([Member({})], [0], 20, 1)
    off = (rows[:, 0] - found.data) / found.error
    assert np.isfinite(rows).all() and np.abs(off).max() < 2 and np.abs(off).mean() < 0.4


def test_fewer_patients_than_tell_anything_are_refused():
    with pytest.raises(InputError, match="found 3 patients"):
        evidence(3)


class Made:
    """Evidence in which every row follows one factor, in errors."""

    def __init__(self, name, goals, slopes, rows=6):
        self.name, self.text, self.goals, self.slopes = name, name, goals, slopes
        self.rows = tuple(PatientRow(name, "", f"row {i}", "crs") for i in range(rows))
        self.cards = (frozenset({"mm", "lbcl", "cll"}),) * rows
        self.data, self.error, self.tolerance = np.full(rows, goals), np.ones(rows), np.ones(rows)

    def simulated(self, members, first, patients, seed):
        moved = [
            sum(slope * np.log(one.factors.get((card, "g", "value"), 1.0)) / 0.2 for card, slope in self.slopes.items())
            for one in members
        ]
        return np.array([[(far, 1e-6)] * len(self.rows) for far in moved])


CARDS = ("mm", "lbcl", "cll")
FREE = FreeNumbers(
    tuple(Factor(f"g_of_{card}", "g", "value", (card,), 0.2) for card in CARDS), ("all",) * 3, {"all": ()}
)


def test_other_evidence_is_fitted_beside_or_in_place_of_trials():
    found = calibrate(FREE, [], Settings(steps=1, corrections=0, patients=5), beside=[Made("one", 2.0, {"mm": 2.0})])
    assert found.estimate[0] == pytest.approx(1, abs=0.15) and found.estimate[1] == 0
    assert "row 0" in found.rows() and found.sample.facts["trials"] == ["one"]
    assert found.sample.facts["within_by"] == ["one 6 of 6"]


def test_a_refit_without_some_rows_follows_the_others_alone():
    both = [Made("one", 2.0, {"mm": 2.0}), Made("other", -2.0, {"mm": 2.0}), Made("third", 1.0, {"lbcl": 1.0})]
    found = calibrate(FREE, [], Settings(steps=1, corrections=0, patients=5), beside=both)
    assert found.estimate[0] == pytest.approx(0, abs=0.1)

    def log(one, card):
        return np.log(one.factors[card, "g", "value"]) / 0.2

    without = {name: found.without(name) for name in ("one", "other", "third")}
    assert log(without["other"], "mm") > 0.7 and log(without["one"], "mm") < -0.7
    assert log(without["third"], "lbcl") == pytest.approx(0, abs=1e-4)  # nothing else decides it: back to the card
    assert log(without["one"], "lbcl") == pytest.approx(found.estimate[1], abs=0.3)
    with pytest.raises(InputError, match="unknown trial of the calibration 'on'"):
        found.without("on")


def bent(one, members):
    """Rows that no sensitivity tells: twice as steep beyond the first prior standard deviation."""
    slope = one.slopes["mm"]
    far = [np.log(each.factors.get(("mm", "g", "value"), 1.0)) / 0.2 for each in members]
    moved = [slope * (x + max(x - 1.0, 0.0)) for x in far]
    return np.array([[(value, 1e-6)] * len(one.rows) for value in moved])


def test_a_refit_runs_where_sensitivities_would_only_be_followed(monkeypatch):
    monkeypatch.setattr(calibration, "TrialRows", Made)  # what is left out in turn
    monkeypatch.setattr(Made, "simulated", lambda self, members, *_: bent(self, members))
    both = [Made("one", 4.0, {"mm": 2.0}), Made("other", -4.0, {"mm": 2.0})]
    found = calibrate(FREE, [], Settings(steps=1, corrections=0, patients=5, refits=6), beside=both)
    kept = {one.trials: one for one in found.refits}
    assert set(kept) == {("one",), ("other",)} and found.sample.facts["refits"] == 6
    alone = kept["other",]
    assert alone.point[0] == pytest.approx(1.5, abs=0.1)  # 2 (x + x - 1) = 4; sensitivities alone say 2
    assert np.log(found.without("other").factors["mm", "g", "value"]) / 0.2 == pytest.approx(2.0, abs=0.15)
    mine = found.problem.rows_of("other")
    assert np.isnan(alone.residual[mine]).all() and np.abs(alone.residual[~mine]).max() < 0.6
    assert kept["one",].point[0] == pytest.approx(-2.0, abs=0.15)
    assert not calibrate(FREE, [], Settings(steps=1, corrections=0, patients=5), beside=both).refits


def test_a_calibration_begins_where_another_one_ended():
    made = [Made("one", 2.0, {"mm": 2.0})]
    settings = Settings(steps=0, corrections=0, patients=5)
    found = calibrate(FREE, [], settings, beside=made, begin={"g_of_mm": 1.0, "g_of_cll": -0.5})
    np.testing.assert_allclose(found.estimate, [1.0, 0.0, -0.5])
    assert found.outcome == pytest.approx(2.0, abs=1e-3)
    assert calibrate(FREE, [], settings, beside=made).outcome == pytest.approx(0.0, abs=1e-3)
    for wrong, text in (
        ({"g_of_m": 1.0}, "unknown factor 'g_of_m'"), ({"g_of_mm": 9.0}, "9"), ({"g_of_mm": float("nan")}, "nan"),
        ([1.0], "begin"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=text):
            calibrate(FREE, [], settings, beside=made, begin=wrong)


def test_the_ladder_that_is_kept_names_the_free_numbers():
    kept = json.loads((ROOT / "qualification" / "ladder.json").read_text(encoding="utf-8"))["estimate"]
    free = read_free_numbers(ROOT / "qualification" / "priors.toml")
    assert set(kept) == {factor.name for factor in free.factors}
    assert max(map(abs, kept.values())) <= 2.0


def test_factors_that_the_data_decide_little_of_keep_their_sensitivities(monkeypatch):
    made = [Made("one", 2.0, {"mm": 2.0, "lbcl": 0.3})]
    ran, usual = [], runs.run_one
    monkeypatch.setattr(runs, "run_one", lambda task: ran.extend(task.labels) or usual(task))
    often = Settings(steps=2, corrections=0, patients=5)
    whole = calibrate(FREE, [], often, beside=made)
    every = len(ran)
    ran.clear()
    found = calibrate(FREE, [], replace(often, reuse=True), beside=made)
    assert [label for label in ran if label.startswith("step 1") and "moved" in label] == ["step 1: g_of_mm moved"]
    assert every - len(ran) == 2
    np.testing.assert_allclose(found.estimate, whole.estimate, atol=0.02)
    assert found.sample.facts["reuse"] == "yes"


def test_what_a_stage_saw_is_kept_for_the_step_of_all(monkeypatch):
    made = [Made("one", 2.0, {"mm": 2.0, "lbcl": 0.3})]
    stages = FreeNumbers(FREE.factors, ("first", "first", "second"), {"first": ("crs",), "second": ()})
    ran, usual = [], runs.run_one
    monkeypatch.setattr(runs, "run_one", lambda task: ran.extend(task.labels) or usual(task))
    often = Settings(steps=1, staged=True, corrections=0, patients=5, reuse=True)
    found = calibrate(stages, [], often, beside=made)
    moved = [label for label in ran if "moved" in label]
    first = [f"step 0: g_of_{card} moved" for card in ("mm", "lbcl")]
    assert moved == [*first, "step 1: g_of_cll moved", "step 2: g_of_mm moved"]
    again = calibrate(stages, [], replace(often, reuse=False), beside=made)
    np.testing.assert_allclose(found.sensitivity, again.sensitivity, atol=0.02)
    assert found.sensitivity[1].any() and not found.sensitivity[2].any()


@pytest.mark.parametrize("beside", ["one", 3, [3], [load_trial("eliana")], load_trial("eliana")])
def test_what_is_no_evidence_is_refused(beside):
    with pytest.raises(InputError, match=r"beside: found .* expected a list of rows with data"):
        calibrate(FREE, ["eliana"], Settings(patients=5), beside=beside)


def test_a_pair_of_paths_is_patients_of_a_design(folder):
    with pytest.raises(InputError, match="found 2 patients, expected 5 or more"):
        calibrate(FREE, [], Settings(patients=5), beside=[("eliana", folder)])
    with pytest.raises(InputError, match="no such file"):
        calibrate(FREE, [], Settings(patients=5), beside=[("eliana", folder / "none")])


def test_two_pieces_of_evidence_of_one_name_are_refused():
    twice = [Made("one", 1.0, {"mm": 1.0})] * 2
    with pytest.raises(InputError, match="'one' twice"):
        calibrate(FREE, [], Settings(patients=5), beside=twice)


def test_every_figure_names_a_kind_of_endpoint():
    from vein2vein.inference.scoring import kinds

    found = cohort(np.ones((6, 3)))
    flat = {name: np.ones((6, 3)) for name in (*told.NAMES, told.CELLS)}
    whole = replace(found, values=flat, days=dict.fromkeys(flat, found.days[told.CELLS]))
    seen = {name: told.windows(whole, name, 7.0) for name in flat}
    every = itertools.chain(told.figures(whole).items(), told.by_window(whole, seen).items())
    assert {one.endpoint for _, one in every} <= set(kinds())
