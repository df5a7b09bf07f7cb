"""What a fit is judged by: rows drawn anew, the predictive check, prediction distribution errors, curves, effects."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.inference.diagnostics import identifiability, npde, vpc
from vein2vein.inference.diagnostics.diagnosis import diagnose, prediction_table
from vein2vein.inference.diagnostics.individual import individual_fits
from vein2vein.inference.diagnostics.profile import from_estimates, interval, profile
from vein2vein.inference.diagnostics.random_effects import covariate_values, random_effects
from vein2vein.inference.diagnostics.redrawn import redraw


@pytest.fixture(scope="module")
def drawn(stein_fit):
    return redraw(stein_fit, count=300)


def spoiled(drawn, factor):
    """The same rows, measured otherwise."""
    return replace(drawn, value=np.where(drawn.censored == 0, drawn.value * factor, drawn.value))


# Rows drawn anew


def test_rows_drawn_anew_have_the_limits_and_the_level_of_those_that_were_measured(stein_fit, drawn):
    assert drawn.drawn.shape == (300, len(drawn)) and np.isfinite(drawn.drawn).all() and drawn.lost == 0
    assert np.all(drawn.lower == 50.0) and np.all(np.isposinf(drawn.upper))
    measured = drawn.censored == 0
    ratio = np.median(drawn.drawn[:, measured], axis=0) / drawn.typical[measured]
    assert 0.8 < np.median(ratio) < 1.25
    assert np.array_equal(redraw(stein_fit, count=300).drawn, drawn.drawn)
    assert not np.array_equal(redraw(stein_fit, count=300, seed=9).drawn, drawn.drawn)


def test_a_drawn_patient_that_cannot_be_solved_has_another_in_its_place(stein_fit, monkeypatch):
    from vein2vein.inference.diagnostics import redrawn

    true = redrawn.simulated

    def broken(population, point, rng, count):
        f, values = true(population, point, rng, count)
        values[::7, population.starts[1] : population.starts[2]] = np.nan
        return f, values

    monkeypatch.setattr(redrawn, "simulated", broken)
    found = redraw(stein_fit, count=70)
    assert found.lost == 10 and np.isfinite(found.drawn).all()
    assert "10 drawn patients" in vpc.vpc_of(stein_fit, found).notes[1]

    def lost(population, point, rng, count):
        f, values = true(population, point, rng, count)
        values[:, : population.starts[1]] = np.nan
        return f, values

    monkeypatch.setattr(redrawn, "simulated", lost)
    with pytest.raises(InputError, match="any new patient in the place of 1"):
        redraw(stein_fit, count=70)


# The predictive check


def test_the_check_of_a_right_model_has_few_percentiles_outside_and_that_of_a_wrong_one_many(stein_fit, drawn):
    (panel,) = vpc.vpc_of(stein_fit, drawn).panels
    assert panel.limited and panel.log and panel.corrected and panel.compared > 20
    assert panel.outside <= 0.2 * panel.compared
    (wrong,) = vpc.vpc_of(stein_fit, spoiled(drawn, 5.0)).panels
    assert wrong.outside > 0.6 * wrong.compared
    below = (panel.below < panel.drawn_below[0]) | (panel.below > panel.drawn_below[2])
    assert below.mean() < 0.3


def test_percentiles_among_rows_below_the_limit_are_not_drawn_but_counted(stein_fit, drawn):
    (panel,) = vpc.vpc_of(stein_fit, drawn).panels
    first = panel.time == 1.0
    share = np.mean(drawn.censored[drawn.time == 1.0] == 1)
    assert panel.below[first] == pytest.approx(share) and share > 0.1
    assert np.isneginf(panel.observed[0, first]).all()
    rows = vpc.vpc_rows(vpc.vpc_of(stein_fit, drawn))
    assert len(rows) == len(panel.time) and np.isnan(rows[0]["p10_observed"]) and rows[0]["below_observed"] == share


def test_correction_brings_a_stretch_to_its_median_and_leaves_zero_alone():
    typical, place = np.array([1.0, 2.0, 4.0, 0.0, 3.0]), np.array([0, 0, 0, 1, 1])
    assert vpc.correction(typical, place, 2).tolist() == [2.0, 1.0, 0.5, 1.0, 0.5]


def test_visits_are_shared_times_and_late_ones_need_half_of_who_is_left():
    subject = np.repeat(np.arange(10), 3)
    time = np.tile([1.0, 2.0, 3.0], 10)
    assert vpc.visits(subject, time) == [1.0, 2.0, 3.0]
    late = np.concatenate([subject, np.arange(5)])
    assert vpc.visits(late, np.concatenate([time, np.full(5, 9.0)])) == [1.0, 2.0, 3.0, 9.0]
    few = np.concatenate([subject, np.arange(3)])
    assert vpc.visits(few, np.concatenate([time, np.full(3, 9.0)])) == [1.0, 2.0, 9.0]


def test_a_stretch_goes_on_to_the_end_of_a_visit_whose_true_times_differ():
    rng = np.random.default_rng(4)
    planned = np.array([1.0, 3.0, 7.0, 14.0, 28.0, 90.0])
    subject = np.repeat(np.arange(40), len(planned))
    time = np.tile(planned, 40) * rng.uniform(0.97, 1.03, len(subject))
    visit = np.tile(np.arange(len(planned)), 40)
    came = rng.uniform(size=len(subject)) < 0.9
    ends = vpc.visits(subject[came], time[came])
    assert ends == [time[came][visit[came] == k].max() for k in range(len(planned))]
    anywhere = np.sort(
        rng.uniform(0, 100, len(subject))
    )  # no visits: as many stretches as there are enough subjects for
    assert len(vpc.visits(rng.permutation(subject), anywhere)) > len(planned)


def test_who_is_followed_falls_with_each_last_row():
    times, shares = vpc.followed(np.array([0, 0, 1, 1, 2]), np.array([1.0, 5.0, 1.0, 9.0, 5.0]))
    assert times.tolist() == [0.0, 5.0, 9.0] and shares.tolist() == [1.0, pytest.approx(1 / 3), 0.0]


def test_quantiles_keep_infinite_values_apart():
    values = np.array([-np.inf, -np.inf, 1.0, 2.0, 3.0])
    assert vpc.quantiles(values, (0.1, 0.5, 0.9)).tolist() == [-np.inf, 1.0, 3.0]


# Prediction distribution errors


def test_errors_of_the_right_model_are_standard_normal_and_of_a_wrong_one_are_not(stein_fit, drawn):
    found = npde.npde_of(stein_fit, drawn)
    assert abs(found.mean) < 0.2 and 0.7 < found.variance < 1.3
    assert min(found.p_mean, found.p_variance, found.p_normal) > 0.02 and "nothing speaks against" in found.verdict
    wrong = npde.npde_of(stein_fit, spoiled(drawn, 4.0))
    assert wrong.mean > 0.2 and wrong.p_mean < 0.05 and "mean is" in wrong.verdict


def test_rows_below_the_limit_are_drawn_below_it(stein_fit, drawn):
    rng = np.random.default_rng(1)
    value = np.log(drawn.value)
    found = npde._completed(stein_fit, value, rng)
    low = drawn.censored == 1
    assert np.all(found[low] < np.log(50.0)) and np.array_equal(found[~low], value[~low])
    assert len(np.unique(found[low])) == low.sum() > 10


def test_decorrelation_takes_the_correlation_of_a_subject_out():
    rng = np.random.default_rng(2)
    anew = rng.standard_normal((4000, 1)) + 0.5 * rng.standard_normal((4000, 3))
    own, others = npde._decorrelated(np.array([1.0, 1.0, 1.0]), anew, rng)
    z = npde._normal(others)
    assert np.max(np.abs(np.corrcoef(z.T) - np.eye(3))) < 0.06
    assert own[0] > 0.7 and 0.3 < own[2] < 0.8


# Subjects


def test_curves_go_through_the_rows_of_their_subject(stein_fit):
    found = individual_fits(stein_fit, ["1", "2"], points=30)
    assert [one.subject for one in found] == ["1", "2"]
    one = found[0]
    assert np.all(one.low <= one.median) and np.all(one.median <= one.high) and one.doses.tolist() == [0.0]
    at = np.searchsorted(one.time, one.row_time)
    assert np.array_equal(one.time[at], one.row_time)
    measured = one.censored == 0
    residual = np.log(one.row_value / one.median[at])[measured]
    assert np.sqrt(np.mean(residual**2)) < 0.7
    with pytest.raises(InputError, match="unknown subject 'x'"):
        individual_fits(stein_fit, ["x"])


def test_random_effects_show_the_arm_on_cmax(stein_fit):
    found = random_effects(stein_fit)
    assert found.names == stein_fit.random and found.draws.shape[2] == len(found.names)
    first = found.related[0]
    assert (first.parameter, first.covariate, first.kind) == ("Cmax", "ARM", "words") and first.p < 0.01
    assert 0.2 < first.strength < 1.0
    assert np.allclose(found.drawn_sd / found.sd, 1.0, atol=0.25)
    assert covariate_values(stein_fit, "WT").shape == (24,)


def test_the_table_of_predictions_has_the_names_of_nonmem(stein_fit):
    found = diagnose(stein_fit, count=100)
    table = prediction_table(stein_fit, found)
    assert list(table) == ["ID", "TIME", "DV", "PRED", "IPRED", "IWRES", "NPDE", "CENS", "DVID", "ENDPOINT", "WT",
                           "ARM"]  # fmt: skip
    assert len({len(column) for column in table.values()}) == 1
    assert set(table["DVID"].tolist()) == {"1"} and table["ARM"][0] in ("high", "low")
    assert np.isnan(table["IWRES"][table["CENS"] == 1]).all() and np.isfinite(table["NPDE"]).all()


# What the data tell


def test_doubts_are_named(stein_fit):
    names = stein_fit.theta_names
    covariance = np.diag(np.full(len(names), 0.01))
    covariance[0, 1] = covariance[1, 0] = 0.0099
    tied = identifiability.identifiability(replace(stein_fit, covariance=covariance))
    assert [one.names for one in tied.doubts if one.kind == "tied"] == [(names[0], names[1])]
    assert tied.eigenvalues[0] == pytest.approx(0.01, abs=1e-6)
    covariance = np.diag(np.full(len(names), 0.01))
    covariance[2, 2] = np.nan
    lost = identifiability.identifiability(replace(stein_fit, covariance=covariance))
    assert [one.names for one in lost.doubts if one.kind == "no error"] == [(names[2],)]
    known = {one.name: one for one in stein_fit.estimates}
    estimates = (
        replace(known["Cmax"], rse=61.0),
        replace(known["omega_FB"], shrinkage=0.8, estimate=0.4, rse=10.0),
        replace(known["omega_beta"], estimate=0.0),
    )
    found = identifiability.identifiability(replace(stein_fit, estimates=estimates, covariance=None))
    told = {(one.kind, one.names[0]) for one in found.doubts}
    assert {("hardly known", "Cmax"), ("shrunken", "omega_FB"), ("at a bound", "omega_beta")} <= told
    assert any(
        "vein2vein fit fit.toml --profile --out profiled makes it, in the folder" in d.text for d in found.doubts
    )


def test_three_estimates_that_share_a_flat_direction_are_named(stein_fit):
    names = list(stein_fit.theta_names)
    n = len(names)
    root = np.eye(n)
    root[2] = root[0] + root[1] + 0.05 * root[2]
    found = identifiability.identifiability(replace(stein_fit, covariance=0.01 * root @ root.T))
    flat = [one for one in found.doubts if one.kind == "flat direction"]
    assert len(flat) == 1 and set(flat[0].names) == set(names[:3])


def test_parameters_that_can_change_places_are_named():
    """ka and ktr of two absorptions in a row; CL and V of the model are not."""
    from vein2vein.inference.population.fit import fit
    from vein2vein.inference.population.problem import EndpointModel, FitParameter, FitProblem, Settings
    from vein2vein.io.record.record import Log
    from vein2vein.io.study.columns import Columns, TimeColumn
    from vein2vein.io.study.read import study_from_text
    from vein2vein.models.closed_form import Exponentials, absorbed
    from vein2vein.models.model import Input, Model, State

    rng = np.random.default_rng(5)
    t = np.array([0.5, 1, 2, 4, 8, 12.0])
    rows = ["ID,TIME,DV,AMT,EVID"]
    for i in range(1, 7):
        k, ka, ktr, v = 0.1 * np.exp(0.2 * rng.standard_normal()), 1.5, 0.7, 10.0
        terms = absorbed([(np.array(1 / v), np.array(k))], np.array(ka))
        terms = absorbed(terms, np.array(ktr))
        y = sum(float(size) * 100 * np.exp(-float(rate) * t) for size, rate in terms)
        rows += [f"{i},0,.,100,1"] + [
            f"{i},{a},{b * np.exp(0.05 * rng.standard_normal()):.4g},.,0" for a, b in zip(t, y)
        ]

    def terms_of(name, p):
        return {"c": absorbed(absorbed([(1 / p.V, p.k)], p.ka), p.ktr)}

    model = Model(
        name="two_steps",
        title="Two absorptions",
        source="none",
        states=(State("x", "amount", "mg", low=0.0),),
        inputs=(Input("dose", "by mouth", "mg"),),
        parameters=("ka", "ktr", "k", "V"),
        equations=lambda t, x, p, u: {"x": -p.k * x.x},
        initial=lambda p: {},
        apply_dose=lambda name, amount, x, p: {"x": x.x + amount},
        observables=lambda t, x, p, u: {"c": x.x / p.V},
        closed_form=Exponentials(("dose",), terms_of),
    )
    study = study_from_text("\n".join(rows), Columns(time=TimeColumn(unit="h")), Log("s.csv"))
    parameters = {
        "ka": FitParameter(1.5),
        "ktr": FitParameter(0.7),
        "k": FitParameter(0.1, omega=0.3),
        "V": FitParameter(10.0),
    }
    problem = FitProblem(
        model,
        study,
        parameters,
        {study.endpoints[0].name: EndpointModel(output="c", error="proportional", start={"b": 0.1})},
        settings=Settings(exploring=20, averaging=10, draws=100, importance=0, standard_errors=False),
    )
    found = identifiability.identifiability(fit(problem))
    named = [one.names for one in found.doubts if one.kind == "exchangeable"]
    assert named == [("ka", "ktr"), ("ka", "k", "V"), ("ktr", "k", "V")]


@pytest.mark.parametrize(("name", "named"), [("one_compartment_oral", [("ka", "V", "CL")]), ("one_compartment_iv", [])])
def test_the_flip_flop_of_a_dose_by_mouth_is_found_by_name(name, named):
    from vein2vein.inference.population.fit import fit
    from vein2vein.inference.population.problem import EndpointModel, FitParameter, FitProblem, Settings
    from vein2vein.io.record.record import Log
    from vein2vein.io.study.columns import Columns, TimeColumn
    from vein2vein.io.study.read import study_from_text
    from vein2vein.models.catalogue import find_model

    rng = np.random.default_rng(1)
    rows = ["ID,TIME,DV,AMT,EVID"]
    for i in range(1, 7):
        rows += [f"{i},0,.,100,1"]
        rows += [f"{i},{t},{4 * np.exp(-0.1 * t + 0.2 * rng.standard_normal()):.4g},.,0" for t in (1, 2, 6, 12, 24)]
    study = study_from_text("\n".join(rows), Columns(time=TimeColumn(unit="h")), Log("s.csv"))
    model = find_model(name)
    starts = {"ka": 1.5, "CL": 2.5, "V": 25.0}
    problem = FitProblem(
        model,
        study,
        {one: FitParameter(starts[one], omega=0.3) for one in model.parameters},
        {"dv": EndpointModel(error="proportional", start={"b": 0.2})},
        settings=Settings(exploring=20, averaging=10, draws=100, importance=0, standard_errors=False),
    )
    found = identifiability.identifiability(fit(problem))
    doubts = [one for one in found.doubts if one.kind == "exchangeable"]
    assert [one.names for one in doubts] == named
    assert all("flip-flop" in one.text for one in doubts)


# Profiles


def test_the_interval_of_a_profile_is_where_it_crosses():
    omega = np.array([0.1, 0.5, 1.0, 1.5, 2.0])
    low, high = interval(omega, 3.841459 * (omega - 1.0) ** 2 / 0.25)
    assert low == pytest.approx(0.5) and high == pytest.approx(1.5)
    assert interval(omega, np.array([1.0, 0.5, 0.0, 0.5, 1.0])) == (0.0, np.inf)


def test_a_profile_is_lowest_near_the_estimate(stein_fit):
    found = profile(stein_fit, "Cmax", grid=(0.4, 1.0, 2.5))
    assert np.argmin(found.minus_two_ll) == 1 and found.minus_two_ll[0] > found.minus_two_ll[1] + 5
    assert 0.3 < found.low < stein_fit.estimate("omega_Cmax").estimate < found.high and "95 % interval" in found.text
    with pytest.raises(InputError, match="random effect 'Ftoci'"):
        profile(stein_fit, "Ftoci")


def test_a_problem_begins_where_a_fit_ended(stein_fit):
    begun = from_estimates(stein_fit, seed=7)
    assert begun.parameters["Cmax"].start == stein_fit.estimate("Cmax").estimate and begun.seed == 7
    assert begun.endpoints["transgene"].start == {"a": stein_fit.estimate("a_transgene").estimate}
