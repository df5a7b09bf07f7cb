"""What is done with fits: compared, extended by covariates, resampled, simulated from."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.inference.diagnostics.profile import from_estimates
from vein2vein.inference.fitted_models import covariate_search, resample
from vein2vein.inference.fitted_models.compare import compare_fits
from vein2vein.inference.fitted_models.covariate_search import Search, expression_of, search_covariates
from vein2vein.inference.fitted_models.forecast import Given, forecast, forecast_rows
from vein2vein.inference.fitted_models.uncertainty import drawn_points
from vein2vein.inference.population.fit import fit
from vein2vein.inference.population.problem import Settings

SHORT = Settings(exploring=30, averaging=20, draws=100, importance=400, standard_errors=False)


@pytest.fixture(scope="module")
def searched(stein_fit):
    begun = replace(
        stein_fit, problem=replace(stein_fit.problem, settings=replace(stein_fit.problem.settings, seeds=1))
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(covariate_search, "FEWEST_ITERATIONS", 25)
        return search_covariates(begun, Search(("ARM", "WT"), ("Cmax", "alpha"), look=1.0))


# Covariates


def test_the_arm_is_found_on_cmax_and_all_that_was_tried_is_told(stein_fit, searched, stein):
    assert searched.fit.problem.parameters["Cmax"].covariates == {"ARM": "ARM"} and "ARM on Cmax" in searched.notes[0]
    first = [one for one in searched.tried if one.step == 1]
    assert len(first) == 4 and [one.covariate for one in first if one.taken] == ["ARM"]
    taken = next(one for one in first if one.taken)
    assert taken.difference > 6 and taken.degrees == 1 and taken.p < 0.02
    assert taken.p == pytest.approx(
        float(np.exp(-0.5 * taken.difference) / np.sqrt(0.5 * np.pi * taken.difference)), rel=0.2
    )
    assert any(one.direction == "backward" for one in searched.tried)
    (coefficient,) = [one for one in searched.fit.estimates if one.kind == "coefficient"]
    assert abs(abs(coefficient.estimate) - stein.HIGH) < 0.9
    assert searched.fit.estimate("omega_Cmax").estimate < stein_fit.estimate("omega_Cmax").estimate


def test_unlikely_pairs_are_named_and_not_tried(stein_fit):
    found = search_covariates(stein_fit, Search(("WT",), ("Tmax",), look=1e-6))
    assert found.fit is stein_fit and [one.direction for one in found.tried] == ["not tried"]
    assert found.notes == ("no covariate was taken in",)


def test_how_a_covariate_enters(stein_fit):
    assert expression_of(stein_fit, "ARM") == "ARM"
    assert expression_of(stein_fit, "WT").startswith("log(WT/")


@pytest.mark.parametrize(
    ("search", "said"),
    [(Search(("WTT",)), "did you mean WT"), (Search((), ("Ftoci",)), "random effect 'Ftoci'")],
)
def test_names_of_a_search_are_checked(stein_fit, search, said):
    with pytest.raises(InputError, match=said):
        search_covariates(stein_fit, search)


# Side by side


def test_nested_fits_are_tested_and_the_least_aic_is_first(stein_fit, searched):
    found = compare_fits({"plain": stein_fit, "arm": searched.fit})
    assert [row.label for row in found.rows] == ["arm", "plain"] and found.rows[0].above_aic == 0
    (test,) = found.tests
    assert (
        (test.small, test.large) == ("plain", "arm") and len(test.added) == 1 and test.added[0].startswith("Cmax_ARM")
    )
    assert test.difference == pytest.approx(stein_fit.minus_two_ll - searched.fit.minus_two_ll) and test.p < 0.02
    assert found.rows[1].aic == pytest.approx(stein_fit.minus_two_ll + 2 * found.rows[1].numbers)


def test_a_test_of_variances_says_that_its_p_is_too_large(stein_fit):
    parameters = {**stein_fit.problem.parameters, "beta": replace(stein_fit.problem.parameters["beta"], omega=0.0)}
    small = fit(replace(stein_fit.problem, parameters=parameters, settings=SHORT))
    (test,) = compare_fits({"small": small, "large": stein_fit}).tests
    assert test.added == ("omega2_beta",) and "the true p is smaller" in test.note


def test_fits_of_other_rows_are_refused(stein_fit):
    fewer = stein_fit.problem.study.chosen(subjects=stein_fit.problem.study.subjects[:20])
    other = fit(replace(stein_fit.problem, study=fewer, settings=SHORT))
    with pytest.raises(InputError, match="the rows differ"):
        compare_fits({"a": stein_fit, "b": other})
    with pytest.raises(InputError, match="expected two or more"):
        compare_fits({"a": stein_fit})
    with pytest.raises(InputError, match="has no likelihood"):
        compare_fits({"a": stein_fit, "b": replace(stein_fit, minus_two_ll=np.nan)})
    with pytest.raises(InputError, match="by importance sampling, of the other by FOCEI"):
        compare_fits({"a": stein_fit, "b": replace(stein_fit, likelihood_by="FOCEI")})


# How well estimates are known


def test_draws_of_the_estimates_have_their_covariance(stein_fit):
    points = drawn_points(stein_fit, 400, 1)
    beta = np.array([point.beta for point in points])
    place = stein_fit.theta_names.index("Tmax")
    j = [one.name for one in stein_fit.population.coefficients].index("Tmax")
    assert beta[:, j].std() == pytest.approx(np.sqrt(stein_fit.covariance[place, place]), rel=0.15)
    assert all(np.linalg.eigvalsh(point.omega).min() > 0 for point in points)
    with pytest.raises(InputError, match="no covariance"):
        drawn_points(replace(stein_fit, covariance=None), 10, 1)


def test_importance_resampling_agrees_with_the_intervals_of_the_covariance(stein_fit):
    found = resample.importance_resample(stein_fit, 100)
    one = next(i for i in found.intervals if i.name == "Tmax")
    told = stein_fit.estimate("Tmax")
    assert one.low == pytest.approx(told.low, rel=0.15) and one.high == pytest.approx(told.high, rel=0.15)
    assert 1 < found.effective <= 100 and found.way == "importance resampling"


def test_resampled_studies_hold_each_subject_as_often_as_it_was_drawn(stein_fit):
    study = stein_fit.problem.study
    found = resample.resampled_study(study, np.array([3, 0, 3]))
    assert found.subjects == ("4", "1", "4 (2)") and found.subject.tolist() == [0, 1, 2]
    seen, own = found.observations, study.observations
    first = own.course == 3
    for course in (0, 2):
        assert np.array_equal(seen.value[seen.course == course], own.value[first])
    assert len(found.doses) == 3 and found.covariates["WT"].constant[0] == study.covariates["WT"].constant[3]


def test_a_bootstrap_brackets_the_estimates(stein_fit, monkeypatch):
    monkeypatch.setattr(resample, "FEWEST_ITERATIONS", 10)
    few = replace(
        stein_fit, problem=replace(stein_fit.problem, settings=replace(SHORT, exploring=10, averaging=10, copies=2))
    )
    found = resample.bootstrap(few, 20)
    assert found.values.shape[1] == len(found.intervals) and found.lost <= 2
    one = next(i for i in found.intervals if i.name == "Cmax")
    assert one.low < one.median < one.high and one.low < 1.3 * one.estimate and one.high > 0.7 * one.estimate


# New patients


def test_new_patients_follow_the_fit(stein_fit):
    found = forecast(stein_fit, patients=300, draws=20, points=40)
    assert found.endpoints == ("transgene",) and found.doses == (Given(0.0, 1e8),)
    peak = found.percentiles[0, 1].max()
    assert 0.3 < peak / stein_fit.estimate("Cmax").estimate < 3
    later = found.time > 0
    assert np.all(found.percentiles[0, 0, later] < found.percentiles[0, 2, later])
    assert np.all(found.low[0, 1, later] < found.high[0, 1, later])
    rows = forecast_rows(found)
    assert len(rows) == len(found.time) and {"p5", "p50", "p95", "p50_low", "p50_high"} <= set(rows[0])
    plain = forecast(stein_fit, patients=300, draws=0, points=40)
    assert np.isnan(plain.low).all() and np.array_equal(plain.percentiles, found.percentiles)


def test_covariates_of_new_patients_are_given_or_drawn(searched):
    high = forecast(searched.fit, patients=200, draws=0, covariates={"ARM": "high"}, until=60)
    low = forecast(searched.fit, patients=200, draws=0, covariates={"ARM": "low"}, until=60)
    assert high.percentiles[0, 1].max() > 1.5 * low.percentiles[0, 1].max()
    mixed = forecast(searched.fit, patients=200, draws=0, until=60)
    assert low.percentiles[0, 1].max() < mixed.percentiles[0, 1].max() < high.percentiles[0, 1].max()
    assert "ARM: drawn from the subjects of the study" in mixed.notes
    with pytest.raises(InputError, match="level of ARM"):
        forecast(searched.fit, covariates={"ARM": "middle"})
    with pytest.raises(InputError, match="does not use the covariate WT"):
        forecast(searched.fit, covariates={"WT": 70})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"doses": [Given(0.0, 0.0)]}, "amount above 0"),
        ({"until": -1.0}, "after the first dose"),
        ({"patients": 2}, "patients"),
        ({"patients": 10**6, "points": 1000}, "fewer patients"),
    ],
)
def test_what_cannot_be_simulated_is_refused(stein_fit, given, said):
    with pytest.raises(InputError, match=said):
        forecast(stein_fit, **given)


def test_starts_of_a_search_keep_what_a_fit_found(searched):
    begun = from_estimates(searched.fit)
    assert set(begun.parameters["Cmax"].coefficients) == {"ARM"}
