"""What a fit predicts: each row by the population and by its own subject, its residual, and rows drawn anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.arguments import choice
from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.population import Population
from vein2vein.inference.population.residual import on_scale, spread
from vein2vein.inference.population.theta import Point
from vein2vein.records import described

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@described
@dataclass(frozen=True)
class Predictions:
    """Rows (m,) that were fitted, sorted by subject, course and time.

    Attributes
    ----------
    row : ndarray of int
        Position in ``Study.observations``.
    subject, endpoint : ndarray of int
        Positions in ``subjects`` and ``endpoints``.
    subjects, endpoints : tuple of str
    time, value : ndarray
        As the study has them.
    censored : ndarray of int8
        0 measured, 1 below ``value``, -1 above it; a row below the endpoint's own limit among them.
    population, individual : ndarray
        Predictions on the natural scale: with random effects of 0, and with those of the subject.
    iwres : ndarray
        Individual weighted residual on the scale of the error; NaN for censored rows.
    """

    row: Ints
    subject: Ints
    endpoint: Ints
    subjects: tuple[str, ...]
    endpoints: tuple[str, ...]
    time: Floats
    value: Floats
    censored: NDArray[np.int8]
    population: Floats
    individual: Floats
    iwres: Floats


def predicted(fit: Fit, *, individual: str = "mode") -> Predictions:
    """Predictions of a fit; see ``Fit.predict``."""
    choice("individual", individual, ("mode", "mean"))
    p, point = fit.population, fit.point
    effects = fit.effects_mode if individual == "mode" else fit.effects_mean
    mean = p.mean(point.beta)
    f = p.f(mean, np.stack([np.zeros_like(effects), effects]))
    center, sd = on_scale(p.rows, f[1]), spread(p.rows, f[1], point.sigma)
    residual = (p.rows.value - center) / sd
    residual[p.rows.censored] = np.nan
    seen, rows = fit.problem.study.observations, p.layout.rows
    value = np.where(p.rows.log, np.exp(p.rows.value), p.rows.value)
    return Predictions(
        rows, p.layout.subject, p.layout.endpoint, p.layout.subjects, tuple(fit.problem.endpoints), seen.time[rows],
        value, censored_of(p), f[0], f[1], residual,
    )  # fmt: skip


def censored_of(population: Population) -> NDArray[np.int8]:
    """Which rows (m,) are censored: 1 below, -1 above, 0 measured."""
    rows = population.rows
    found = np.zeros(len(rows.value), dtype=np.int8)
    found[rows.censored] = np.where(np.isclose(rows.upper, rows.value[rows.censored]), 1, -1)
    return found


def simulated(
    population: Population, point: Point, rng: np.random.Generator, count: int
) -> tuple[Floats, Floats]:  # fmt: skip
    """Draw the rows anew ``count`` times, with new subjects in the places of those that were seen.

    Returns
    -------
    prediction, value : ndarray (count, m)
        On the natural scale: without and with the error of measurement, both without limits.
    """
    n, e = population.subjects, population.effects
    whole = population.whole_omega(point.omega, point.gamma)
    values, vectors = np.linalg.eigh(whole) if e else (np.zeros(0), np.zeros((0, 0)))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    f = population.f(population.mean(point.beta), rng.standard_normal((count, n, e)) @ root.T)
    drawn = on_scale(population.rows, f) + spread(population.rows, f, point.sigma) * rng.standard_normal(f.shape)
    return f, np.where(population.rows.log, np.exp(drawn), drawn)
