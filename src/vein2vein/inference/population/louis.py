"""Standard errors by Louis (1982): the information in the data is that in the complete data less what is not seen.

While draws of the conditional distribution pass by, the score and the curvature of the complete log-likelihood are
averaged: information = - mean curvature - variance of the score, subject by subject. The part of the random effects is
differentiated by hand, that of the measurements by differences at predictions that are already there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.population.chains import Chains
from vein2vein.inference.population.population import Population
from vein2vein.inference.population.theta import Point, Theta

Floats = NDArray[np.float64]

_STEP = 1e-3  # solver coefficient: of differences, relative to the size of the number or of its scale


@dataclass
class Information:
    """Sums over draws that passed by; changed in place.

    Attributes
    ----------
    draws : int
    score : ndarray (subjects, n)
    products : ndarray (n, n)
        Of the scores of a subject, summed over subjects.
    curvature : ndarray (n, n)
        Of what was measured; that of the random effects follows from their moments.
    first, second : ndarray (subjects, q), (q, q)
    occasions : ndarray (k,)
    """

    draws: int
    score: Floats
    products: Floats
    curvature: Floats
    first: Floats
    second: Floats
    occasions: Floats


def begin(population: Population, theta: Theta) -> Information:
    """Nothing yet."""
    n, t, q = population.subjects, len(theta), population.between
    return Information(
        0, np.zeros((n, t)), np.zeros((t, t)), np.zeros((t, t)), np.zeros((n, q)), np.zeros((q, q)),
        np.zeros(len(population.changing)),
    )  # fmt: skip


def add(population: Population, theta: Theta, point: Point, chains: Chains, known: Information) -> None:
    """Add the draws at which the chains stand."""
    score = np.zeros((*chains.likelihood.shape, len(theta)))
    _effects_score(population, theta, point, chains.effects, score)
    known.curvature += _measured(population, theta, point, chains, score)
    own = chains.effects[..., : population.between]
    known.first += own.sum(axis=0)
    known.second += np.einsum("rni,rnj->ij", own, own)
    for k in range(len(population.changing)):
        kappa = _of_occasion(population, chains.effects, k)
        known.occasions[k] += float((kappa * kappa).sum())
    known.score += score.sum(axis=0)
    known.products += np.einsum("rni,rnj->ij", score, score)
    known.draws += len(score)


def _of_occasion(population: Population, effects: Floats, k: int) -> Floats:
    at = population.between + np.arange(population.layout.occasions) * len(population.changing) + k
    return effects[..., at]


def _effects_score(population: Population, theta: Theta, point: Point, effects: Floats, score: Floats) -> None:
    """Score of the random effects' density by coefficients and variances, into ``score``."""
    q, at = population.between, len(theta.beta)
    if q:
        inverse = np.linalg.inv(point.omega)
        pulled = effects[..., :q] @ inverse
        for i, j in enumerate(theta.beta):
            score[..., i] = np.einsum("rni,ni->rn", pulled, population.about[:, :, j])
        for i, j in theta.omega:
            slope = 0.5 * (pulled[..., i] * pulled[..., j] - inverse[i, j])
            score[..., at] = slope if i == j else 2 * slope
            at += 1
    for k in theta.gamma:
        kappa, has = _of_occasion(population, effects, k), population.has_occasion
        score[..., at] = np.where(has, 0.5 * (kappa**2 / point.gamma[k] - 1) / point.gamma[k], 0.0).sum(axis=-1)
        at += 1


def _measured(population: Population, theta: Theta, point: Point, chains: Chains, score: Floats) -> Floats:
    """Score of what was measured into ``score``, and its curvature, summed over draws and subjects."""
    n = len(theta)
    by_prediction = [i for i, j in enumerate(theta.beta) if j in set(population.by_score.tolist())]
    moved = [*by_prediction, *range(n - len(theta.sigma), n)]
    vector = theta.of(point)
    step = _STEP * np.maximum(np.abs(vector), 1e-2)
    step[: len(theta.beta)] = _STEP  # on the Gaussian scale the scale is 1
    made: dict[tuple[float, ...], Floats] = {(0.0,) * len(by_prediction): chains.f}

    def at(change: Floats) -> Floats:
        values = theta.put(vector + change * step, point)
        key = tuple(change[i] for i in by_prediction)
        if key not in made:
            moves = population.drift @ (values.beta - point.beta)[population.by_score]  # see Population.carried
            made[key] = population.f(population.mean(point.beta) + moves, chains.effects)
        return population.likelihood(made[key], values.sigma)

    offset = n - len(theta.sigma)

    def apart(i: int, j: int) -> bool:
        if i in by_prediction or j in by_prediction:
            return False
        return theta.sigma[i - offset][0] != theta.sigma[j - offset][0]

    curvature = np.zeros((n, n))
    middle = float(chains.likelihood.sum())
    totals: dict[int, tuple[float, float]] = {}
    for i in moved:
        unit = np.zeros(n)
        unit[i] = 1.0
        up, down = at(unit), at(-unit)
        score[..., i] += (up - down) / (2 * step[i])
        totals[i] = float(up.sum()), float(down.sum())
        curvature[i, i] = (sum(totals[i]) - 2 * middle) / step[i] ** 2
    for a, i in enumerate(moved):
        for j in moved[:a]:
            if apart(i, j):
                continue  # errors of two endpoints do not meet in any row
            both = np.zeros(n)
            both[[i, j]] = 1.0
            cross = float(at(both).sum() + at(-both).sum()) - sum(totals[i]) - sum(totals[j]) + 2 * middle
            curvature[i, j] = curvature[j, i] = cross / (2 * step[i] * step[j])
    return curvature


def information_of(population: Population, theta: Theta, point: Point, known: Information) -> Floats:
    """The observed information (n, n)."""
    mean = known.score / known.draws
    unseen = known.products / known.draws - mean.T @ mean
    return -(known.curvature / known.draws + _effects_curvature(population, theta, point, known)) - unseen


def _effects_curvature(population: Population, theta: Theta, point: Point, known: Information) -> Floats:
    """Curvature of the random effects' mean log-density, by differences of its score."""
    n, size = len(theta), len(theta.beta) + len(theta.omega) + len(theta.gamma)
    vector, found = theta.of(point), np.zeros((n, n))
    first, second, draws = known.first / known.draws, known.second / known.draws, known.draws
    about = population.about

    def score(values: Floats) -> Floats:
        now, result = theta.put(values, point), np.zeros(n)
        at = len(theta.beta)
        if population.between:
            inverse = np.linalg.inv(now.omega)
            away = about @ (now.beta - point.beta)
            cross = first.T @ away
            squares = second - cross - cross.T + away.T @ away
            pulled = (first - away) @ inverse
            slopes = np.einsum("ni,nij->j", pulled, about)
            for i, j in enumerate(theta.beta):
                result[i] = slopes[j]
            slope = 0.5 * (inverse @ squares @ inverse - population.subjects * inverse)
            for i, j in theta.omega:
                result[at] = slope[i, j] * (1 if i == j else 2)
                at += 1
        count = float(population.has_occasion.sum())
        for k in theta.gamma:
            result[at] = 0.5 * (known.occasions[k] / draws / now.gamma[k] - count) / now.gamma[k]
            at += 1
        return result

    for i in range(size):
        by = _STEP if i < len(theta.beta) else _STEP * max(abs(vector[i]), _scale(theta, point, i))
        up, down = vector.copy(), vector.copy()
        up[i] += by
        down[i] -= by
        found[i] = (score(up) - score(down)) / (2 * by)
    return 0.5 * (found + found.T)


def _scale(theta: Theta, point: Point, i: int) -> float:
    """Size of a number of the vector: of a covariance, that of its two SDs."""
    at = i - len(theta.beta)
    if at < len(theta.omega):
        a, b = theta.omega[at]
        return 0.1 * float(np.sqrt(point.omega[a, a] * point.omega[b, b]))
    return 0.0


def invert(information: Floats, names: tuple[str, ...]) -> tuple[Floats | None, tuple[str, ...]]:
    """The covariance of the estimates, and the names of those that the data do not tell of.

    An estimate that no data speak of makes an eigenvalue of the scaled information vanish; the number that weighs most
    in its vector is held, and its row is NaN. None where that leaves less than half of them.
    """
    kept = list(range(len(names)))
    lost: list[int] = []
    while 2 * len(kept) > len(names):
        own = information[np.ix_(kept, kept)]
        diagonal = np.diag(own)
        if not np.isfinite(own).all() or not (diagonal > 0).all():
            worst = int(np.argmin(np.where(np.isfinite(diagonal) & np.isfinite(own).all(axis=0), diagonal, -np.inf)))
        else:
            scale = np.sqrt(diagonal)
            values, vectors = np.linalg.eigh(0.5 * (own + own.T) / scale / scale[:, None])
            if values[0] > 1e-8:  # solver coefficient: beyond it an inverse is made of rounding
                found = np.full(information.shape, np.nan)
                found[np.ix_(kept, kept)] = (vectors / values) @ vectors.T / scale / scale[:, None]
                return found, tuple(names[i] for i in lost)
            worst = int(np.argmax(np.abs(vectors[:, 0])))
        lost.append(kept.pop(worst))
    return None, names
