"""How well the population is known, as draws: values of all its numbers by the covariance of the estimates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError
from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.theta import Point, Theta, theta_of

Floats = NDArray[np.float64]
TRIES = 50  # rounds of drawing before too few positive covariances are told


def drawn_points(fit: Fit, count: int, seed: int) -> list[Point]:
    """Draw the population's numbers.

    Coefficients are drawn on the Gaussian scale, variances and errors on their logarithms; draws whose covariance of
    random
    effects is not positive are drawn again. A number without a standard error stays at its estimate.

    Raises
    ------
    InputError
        The fit has no covariance of its estimates, or nearly none of the draws can be used.
    """
    theta, covariance = scaled(fit)
    at = transformed(theta, theta.of(fit.point))
    rng = np.random.Generator(np.random.PCG64([seed, count]))
    found: list[Point] = []
    for _ in range(TRIES):
        for vector in rng.multivariate_normal(at, covariance, count - len(found), method="eigh"):
            point = theta.put(natural(theta, vector), fit.point)
            if len(point.omega) == 0 or float(np.linalg.eigvalsh(point.omega).min()) > 0:
                found.append(point)
        if len(found) >= count:
            return found
    raise InputError(
        f"only {len(found)} of {count} draws have a positive covariance of random effects: the estimates are too "
        "uncertain "
        "to be drawn from their covariance; leave the uncertainty out (draws = 0), or take random effects out."
    )


def scaled(fit: Fit) -> tuple[Theta, Floats]:
    """Theta, and the covariance of its transformed numbers; 0 where no error is known."""
    if fit.covariance is None:
        raise InputError(
            "the fit has no covariance of its estimates (settings: standard_errors), so how uncertain they are is "
            "not known; "
            "fit again with standard errors, or leave the uncertainty out (draws = 0)."
        )
    theta = theta_of(fit.population, fit.point)
    if theta.names != fit.theta_names:
        raise InputError("the covariance of this fit is of other numbers than its estimates; fit again.")
    slope = np.where(on_log(theta), 1 / np.maximum(theta.of(fit.point), 1e-12), 1.0)
    covariance = np.nan_to_num(fit.covariance, nan=0.0) * slope * slope[:, None]
    return theta, (covariance + covariance.T) / 2


def on_log(theta: Theta) -> NDArray[np.bool_]:
    """Which numbers are drawn on their logarithms: variances and errors."""
    return np.array([
        *(False for _ in theta.beta), *(i == j for i, j in theta.omega), *(True for _ in theta.gamma),
        *(True for _ in theta.sigma),
    ])  # fmt: skip


def transformed(theta: Theta, values: Floats) -> Floats:
    """Numbers on the scale on which they are drawn."""
    log = on_log(theta)
    return np.where(log, np.log(np.where(log, np.maximum(values, 1e-12), 1.0)), values)


def natural(theta: Theta, values: Floats) -> Floats:
    """The inverse of ``transformed``."""
    log = on_log(theta)
    return np.where(log, np.exp(np.where(log, values, 0.0)), values)
