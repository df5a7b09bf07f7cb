"""Correlations of which the data tell nothing, and what is said of the errors beside them."""

from types import SimpleNamespace

import numpy as np
import pytest

from vein2vein.inference.fitted_models.forecast import known_draws
from vein2vein.inference.population.estimates import correlation_error, estimates_of
from vein2vein.inference.population.population import populate
from vein2vein.inference.population.problem import EndpointModel, FitProblem, Omega
from vein2vein.inference.population.theta import Point, theta_of
from vein2vein.inference.population.undetermined import without_noise


@pytest.fixture
def block(make):
    """A line whose base and slope go together, with values at which errors are judged."""
    seen = make.study(np.repeat(np.arange(4), 3), np.tile(np.arange(3.0), 4), np.arange(12.0))
    start = {"base": make.normal(1.0, 1.0), "slope": make.normal(1.0, 1.0)}
    problem = FitProblem(make.line_model(), seen, start, {"y": EndpointModel()}, omega=Omega(full=True))
    population = populate(problem)
    point = Point(np.array([1.0, 1.0]), np.array([[1.0, 0.5], [0.5, 1.0]]), np.zeros(0), np.array([[0.5, 0.0]]))
    theta = theta_of(population, point)
    assert theta.names == ("base", "slope", "omega2_base", "omega2_slope", "omega_base_slope", "a_y")
    return population, point, theta


def of_errors(*errors):
    return np.diag(np.square(errors))


def test_an_error_that_no_correlation_has_takes_those_beside_it_along(block):
    population, point, theta = block
    covariance = of_errors(0.2, 0.3, 0.1, 0.1, 2.5, 0.05)
    assert correlation_error(population, point, theta, covariance, 1, 0) > 2
    found, told = without_noise(population, point, theta, covariance, np.array([0.1, 0.9]))
    assert np.isnan(np.diag(found)).tolist() == [False, True, False, True, True, False] and np.isfinite(found[0, 5])
    assert len(told) == 1 and told[0].startswith("the correlation of base and slope is not determined")
    assert "no errors are given of slope," in told[0] and np.isfinite(covariance).all()
    both, told = without_noise(population, point, theta, covariance, np.array([0.1, 0.2]))
    assert np.isnan(np.diag(both)).tolist() == [True] * 5 + [False] and "of base, slope," in told[0]
    rows = {one.name: one for one in estimates_of(population, point, theta, found, np.array([0.1, 0.9]))}
    assert rows["base"].se == pytest.approx(0.2) and np.isnan(rows["slope"].se) and np.isnan(rows["slope"].low)
    assert np.isnan(rows["corr_base_slope"].se) and np.isnan(rows["omega_slope"].se)


def test_a_wide_error_that_a_correlation_can_have_stays(block):
    covariance = of_errors(0.2, 0.3, 0.1, 0.1, 0.9, 0.05)
    found, told = without_noise(*block, covariance, np.array([0.1, 0.9]))
    assert found is covariance and told == () and without_noise(*block, None, np.zeros(2)) == (None, ())


def test_bands_of_new_patients_say_what_they_leave_out(block):
    names = block[2].names
    covariance = of_errors(0.2, 0.3, 0.1, 0.1, 0.9, 0.05)
    assert known_draws(SimpleNamespace(covariance=covariance, theta_names=names), 50) == (50, [])
    covariance[3] = covariance[:, 3] = np.nan
    draws, told = known_draws(SimpleNamespace(covariance=covariance, theta_names=names), 50)
    assert draws == 50 and len(told) == 1 and told[0].endswith("held at the estimate, are omega_slope")
