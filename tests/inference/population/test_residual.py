"""Error models, censored rows to either side and in intervals, and what is drawn for them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vein2vein.inference.population import residual
from vein2vein.inference.population.population import populate
from vein2vein.inference.population.problem import EndpointModel, FitProblem


def rows(make, value, censored=None, limit=None, **model):
    seen = make.study(np.zeros(len(value), int), np.arange(len(value)), value, censored=censored, limit=limit)
    problem = FitProblem(make.line_model(), seen, {"base": make.normal(5.0, 1.0), "slope": make.normal(1.0)},
                         {"y": EndpointModel(**model)})  # fmt: skip
    return populate(problem)


F = np.array([[2.0, 4.0, 5.0]])
SIGMA = np.array([[0.5, 0.2]])


@pytest.mark.parametrize(
    ("error", "sd"),
    [
        ("constant", [0.5, 0.5, 0.5]),
        ("proportional", [0.4, 0.8, 1.0]),
        ("combined1", [0.9, 1.3, 1.5]),
        ("combined2", np.hypot(0.5, [0.4, 0.8, 1.0])),
    ],
)
def test_errors_on_the_natural_scale(make, error, sd):
    p = rows(make, [2.5, 3.0, 5.0], error=error)
    expected = stats.norm.logpdf([2.5, 3.0, 5.0], F[0], sd)
    assert residual.log_likelihood(p.rows, F, SIGMA)[0] == pytest.approx(expected)


def test_errors_on_the_log_scale(make):
    p = rows(make, [2.5, 3.0, 5.0], scale="log")
    expected = stats.norm.logpdf(np.log([2.5, 3.0, 5.0]), np.log(F[0]), 0.5)
    assert residual.log_likelihood(p.rows, F, SIGMA)[0] == pytest.approx(expected)


def test_censored_rows_count_with_all_that_they_may_have_been(make):
    p = rows(make, [2.5, 3.0, 5.0], censored=[1, -1, 1], limit=[np.nan, np.nan, 4.0])
    found = residual.log_likelihood(p.rows, F, SIGMA)[0]
    law = [stats.norm(f, 0.5) for f in F[0]]
    expected = [law[0].logcdf(2.5), law[1].logsf(3.0), np.log(law[2].cdf(5.0) - law[2].cdf(4.0))]
    assert found == pytest.approx(expected)
    above = rows(make, [2.5, 3.0, 5.0], censored=[0, -1, 0], limit=[np.nan, 6.0, np.nan])
    assert residual.log_likelihood(above.rows, F, SIGMA)[0, 1] == pytest.approx(
        np.log(law[1].cdf(6.0) - law[1].cdf(3.0))
    )
    log = rows(make, [2.5, 3.0, 5.0], censored=[1, 0, 1], limit=[0.0, np.nan, 4.0], scale="log")
    found = residual.log_likelihood(log.rows, F, SIGMA)[0]
    assert found[0] == pytest.approx(stats.norm.logcdf(np.log(2.5), np.log(2.0), 0.5))
    law = stats.norm(np.log(5.0), 0.5)
    assert found[2] == pytest.approx(np.log(law.cdf(np.log(5.0)) - law.cdf(np.log(4.0))))


def test_the_limit_of_an_endpoint_holds_for_rows_that_carry_none(make):
    p = rows(make, [0.0, 3.0, 5.0], censored=[0, 0, 1], lloq=3.5, scale="log")
    assert p.rows.censored.tolist() == [0, 1, 2]
    assert np.exp(p.rows.upper) == pytest.approx([3.5, 3.5, 5.0]) and np.isneginf(p.rows.lower).all()
    assert "y: 2 rows below the lower limit of 3.5 count as censored" in p.notes
    assert "y: 3 rows, 3 below the limit" in p.notes
    assert p.rows.constants == 0.0


def test_two_endpoints_have_their_own_errors(make):
    seen = make.study([0, 0, 0], [0, 1, 2], [2.5, 3.0, 5.0], endpoint=[0, 1, 0], endpoints=("y", "z"))
    model = replace(make.line_model(), closed_form=None, observables=lambda t, x, p, u: {"y": p.base, "z": p.slope})
    problem = FitProblem(model, seen, {"base": make.normal(5.0, 1.0), "slope": make.normal(1.0)},
                         {"y": EndpointModel(), "z": EndpointModel(scale="log")})  # fmt: skip
    p = populate(problem)
    found = residual.log_likelihood(p.rows, F, np.array([[0.5, 0.0], [0.3, 0.0]]))[0]
    expected = [
        stats.norm.logpdf(2.5, 2, 0.5),
        stats.norm.logpdf(np.log(3), np.log(4), 0.3),
        stats.norm.logpdf(5, 5, 0.5),
    ]
    assert found == pytest.approx(expected)
    assert residual.names_of(problem) == ((0, 0, "a_y"), (1, 0, "a_z"))
    wide = residual.log_likelihood(
        p.rows, np.repeat(F, 2, axis=0), np.array([[[0.5, 0], [0.3, 0]], [[1.0, 0], [0.6, 0]]])
    )
    assert wide[0] == pytest.approx(expected) and wide[1, 0] == pytest.approx(stats.norm.logpdf(2.5, 2, 1.0))


@settings(max_examples=40)
@given(st.floats(-30, 30), st.floats(1e-3, 30))
def test_probabilities_far_out_are_exact(low, wide):
    found = residual.log_between(np.array([low]), np.array([low + wide]))[0]
    flip = low > 0
    a, b = (-low - wide, -low) if flip else (low, low + wide)
    most, least = stats.norm.logcdf(b), stats.norm.logcdf(a)
    expected = most + np.log1p(-np.exp(least - most))
    assert found == pytest.approx(expected, rel=1e-6)
    assert residual.log_between(np.array([low]), np.array([np.inf]))[0] == pytest.approx(stats.norm.logsf(low))


@pytest.mark.parametrize(("low", "high"), [(-np.inf, -1.0), (1.0, np.inf), (0.5, 1.5), (-np.inf, -35.0), (30.0, 31.0)])
def test_draws_behind_a_limit_follow_the_truncated_law(low, high):
    drawn = residual.truncated(np.full(20_000, low), np.full(20_000, high), np.random.default_rng(1))
    assert np.all((drawn >= low) & (drawn <= high)) and np.isfinite(drawn).all()
    if abs(low) < 20 or abs(high) < 20:
        law = stats.truncnorm(low, high)
        assert drawn.mean() == pytest.approx(law.mean(), abs=0.02) and drawn.std() == pytest.approx(law.std(), abs=0.02)
    else:  # an exponential law holds out there
        edge = high if high < 0 else low
        assert np.abs(drawn - edge).mean() == pytest.approx(1 / abs(edge), rel=0.05)


def test_measured_rows_are_not_drawn_and_censored_ones_are(make):
    p = rows(make, [2.5, 3.0, 5.0], censored=[1, 0, 0])
    drawn = residual.behind_limits(p.rows, np.repeat(F, 3, axis=0), SIGMA, np.random.default_rng(1))
    assert drawn.shape == (3, 3) and np.all(drawn[:, 1:] == [3.0, 5.0]) and len(set(drawn[:, 0])) == 3
    assert np.all(drawn[:, 0] <= 2.5)
