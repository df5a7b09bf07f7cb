"""One step of a damped, robust Gauss-Newton search, and the normal approximation of the posterior where it ends.

A point is a list of factors in standard deviations of their priors; zero is the prior's median, the cards' numbers.
What is minimized is Huber's loss of the residuals (in errors of the data) and half of the square of the point: the
logarithm of the posterior, but for rows that the model cannot reach, which pull no harder than one at ``HUBER`` errors.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# (SciPy brings no stubs)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
HUBER = 2.0  # solver coefficient: errors from its data beyond which a row pulls no harder
FAR = 8.0  # solver coefficient: errors from its data that a row that is not produced counts as
SMALL = 0.25  # solver coefficient: errors a prior sd that a sensitivity is made smaller by; what is below is noise
BOUND = 2.0  # solver coefficient: prior standard deviations that the estimate may move
REACH = 3.0  # solver coefficient: prior standard deviations that a draw may lie from the prior's median
CENTERED, ROUNDS = 1e-12, 200  # solver coefficients: how well, and in how many rounds at most, draws are centered


def sensitivities(moved: Floats, base: Floats, error: Floats, by: Floats, allowed: Flags) -> Floats:
    """Change of each row, in errors, for each factor moved by one prior standard deviation.

    Parameters
    ----------
    moved : ndarray, shape (factors, rows)
        Simulated rows with one factor moved; NaN: not run, or not produced.
    base, error : ndarray, shape (rows,)
        Simulated rows where nothing is moved, and errors of the data.
    by : ndarray, shape (factors,)
        How far each factor was moved, in prior standard deviations.
    allowed : ndarray of bool, shape (factors, rows)
        Which rows a factor can move at all; the others have sensitivity 0, as have those that are not produced.
    """
    change = (moved - base) / error / by[:, None]
    change = np.where(allowed & np.isfinite(change), change, 0.0)
    return np.sign(change) * np.maximum(np.abs(change) - SMALL, 0.0)


def residuals(outcome: Floats, data: Floats, error: Floats) -> Floats:
    """Distance of each simulated row from its data in errors, shape (rows,)."""
    return np.nan_to_num((outcome - data) / error, nan=FAR)


def loss(residual: Floats, point: Floats) -> float:
    """Huber's loss of the residuals and half of the square of the point."""
    size = np.abs(residual)
    return float(np.where(size < HUBER, size**2 / 2, HUBER * (size - HUBER / 2)).sum() + point @ point / 2)


def target(sensitivity: Floats, residual: Floats, point: Floats, moving: Flags | None = None) -> Floats:
    """Where the loss is least if rows follow the sensitivities from ``point`` on, within the bounds; shape (factors,).

    Parameters
    ----------
    sensitivity : ndarray, shape (factors, rows)
    residual : ndarray, shape (rows,)
        Residuals at ``point``.
    point : ndarray, shape (factors,)
    moving : ndarray of bool, shape (factors,), optional
        Factors that may move; all by default.
    """
    from scipy.optimize import minimize

    def linear(x: Floats) -> tuple[float, Floats]:
        here = residual + (x - point) @ sensitivity
        return loss(here, x), sensitivity @ np.clip(here, -HUBER, HUBER) + x

    free = np.ones(len(point), dtype=bool) if moving is None else moving
    bounds = [(-BOUND, BOUND) if may else (here, here) for may, here in zip(free, point, strict=True)]
    options = {"maxiter": 10_000, "ftol": 1e-14, "gtol": 1e-8}  # solver coefficients
    found = minimize(linear, point, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(found.x, dtype=np.float64)


def covariance(sensitivity: Floats, scale: float = 1.0) -> Floats:
    """Covariance of the posterior in prior standard deviations, shape (factors, factors); errors times ``scale``."""
    found = np.linalg.inv(sensitivity @ sensitivity.T / scale**2 + np.eye(len(sensitivity)))
    return np.asarray(found, dtype=np.float64)


def error_scale(sensitivity: Floats, residual: Floats) -> float:
    """By what the errors must grow for residuals to be as large as they are, at least 1 (Birge's ratio).

    What the data decided is not counted: the rows less the trace of the matrix that maps data to fitted rows.
    """
    decided = np.trace(sensitivity.T @ covariance(sensitivity) @ sensitivity)
    return float(np.sqrt(max(1.0, residual @ residual / max(1.0, len(residual) - decided))))


def drawn(point: Floats, spread: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Normal draws with covariance ``spread``, held within ``REACH``, whose mean is ``point``; (count, factors).

    Neighbors (0 and 1, 2 and 3, ...) mirror each other about the mean, so that a few pairs of them center on it too.
    """
    half = rng.standard_normal((-(-count // 2), len(point))) @ np.linalg.cholesky(spread).T
    draws = point + np.stack([half, -half], axis=1).reshape(-1, len(point))[:count]
    for _ in range(ROUNDS):
        draws = np.clip(draws + point - draws.mean(axis=0), -REACH, REACH)
        if np.abs(draws.mean(axis=0) - point).max() < CENTERED:
            break
    return draws
