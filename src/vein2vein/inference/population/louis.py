"""Standard errors by Louis (1982): the information in the data is that in the complete data less what is not seen.

While draws of the conditional distribution pass by, the score and the curvature of the complete log-likelihood are
averaged: information = - mean curvature - variance of the score, subject by subject. The part of the random effects is
differentiated by hand, that of the measurements by differences.

What counts as complete is free. Where the data tell of each subject's number, the number itself is the unseen part.
Where they hardly do, nearly all of that complete information is missing again, and the difference of the two is noise:
errors far off, or a typical value lost because its spread is near 0. There the unseen part is the subject's distance
from the typical value, counted in SDs, and what is measured tells of typical value and SD.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.population.population import Population
from vein2vein.inference.population.theta import Point, Theta

Floats = NDArray[np.float64]

HIDDEN = 0.9
"""Missing share beyond which a subject's distance from the typical value is the unseen part; else its number.

Below it, a few subjects of whom much is known make the score of that part as noisy as the other one.
"""
_STEP_OF_EFFECT = 1e-2  # solver coefficient: of differences by a random effect, on the Gaussian scale
_STEP = 1e-3  # solver coefficient: of differences, relative to the size of the number or of its scale


@dataclass(frozen=True)
class Unseen:
    """What stands for the unseen part, where it is not a subject's number itself.

    Attributes
    ----------
    apart : tuple of int
        Random effects that stand for themselves: the distance from the typical value.
    scaled : tuple of int
        Those among them that are counted in SDs.
    """

    apart: tuple[int, ...]
    scaled: tuple[int, ...]


def unseen_of(population: Population, omega: Floats, left: Floats) -> Unseen:
    """What to take for the unseen part, by what the data leave of omega (q, q): the subjects' mean covariance.

    Not for numbers that covariates in time or occasions move as well, whose coefficients go with the effects; and in
    SDs only where no covariance is sought.
    """
    moved = {population.coefficients[int(j)].parameter for j in population.by_score} | set(population.changing.tolist())
    sharp = np.linalg.inv(omega) if len(omega) else omega
    missing = np.diag(sharp @ left @ sharp) / np.diag(sharp)  # share of what the numbers themselves would tell
    apart = [i for i, k in enumerate(population.random.tolist()) if missing[i] > HIDDEN and k not in moved]
    alone = population.mask.sum(axis=1) == 1
    return Unseen(tuple(apart), tuple(i for i in apart if alone[i] and not population.omega_held[i]))


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
    unseen : Unseen
    """

    draws: int
    score: Floats
    products: Floats
    curvature: Floats
    first: Floats
    second: Floats
    occasions: Floats
    unseen: Unseen


def begin(population: Population, theta: Theta, unseen: Unseen) -> Information:
    """Nothing yet."""
    n, t, q = population.subjects, len(theta), population.between
    return Information(
        0, np.zeros((n, t)), np.zeros((t, t)), np.zeros((t, t)), np.zeros((n, q)), np.zeros((q, q)),
        np.zeros(len(population.changing)), unseen,
    )  # fmt: skip


def covariance_of(
    population: Population, theta: Theta, point: Point, draws: Sequence[Floats], left: Floats
) -> tuple[Floats | None, tuple[str, ...]]:
    """The covariance of the estimates from draws (copies, subjects, e) of the random effects; see ``invert``.

    Parameters
    ----------
    left : ndarray (q, q)
        Mean covariance of the draws of a subject.
    """
    known = begin(population, theta, unseen_of(population, point.omega, left))
    for effects in draws:
        add(population, theta, point, effects, known)
    return invert(information_of(population, theta, point, known), theta.names)


def add(population: Population, theta: Theta, point: Point, effects: Floats, known: Information) -> None:
    """Add draws of the random effects (copies, subjects, e)."""
    score = np.zeros((*effects.shape[:2], len(theta)))
    _effects_score(population, theta, point, effects, score, known.unseen)
    known.curvature += _measured(population, theta, point, effects, score, known.unseen)
    own = effects[..., : population.between]
    known.first += own.sum(axis=0)
    known.second += np.einsum("rni,rnj->ij", own, own)
    for k in range(len(population.changing)):
        kappa = _of_occasion(population, effects, k)
        known.occasions[k] += float((kappa * kappa).sum())
    known.score += score.sum(axis=0)
    known.products += np.einsum("rni,rnj->ij", score, score)
    known.draws += len(score)


def _of_occasion(population: Population, effects: Floats, k: int) -> Floats:
    at = population.between + np.arange(population.layout.occasions) * len(population.changing) + k
    return effects[..., at]


def _about(population: Population, unseen: Unseen) -> Floats:
    """How the middle of what is unseen moves with each coefficient (subjects, q, b)."""
    found = population.about.copy()
    found[:, list(unseen.apart)] = 0.0
    return found


def _effects_score(
    population: Population, theta: Theta, point: Point, effects: Floats, score: Floats, unseen: Unseen
) -> None:
    """Score of the density of what is unseen by coefficients and variances, into ``score``."""
    q, at = population.between, len(theta.beta)
    if q:
        inverse, about = np.linalg.inv(point.omega), _about(population, unseen)
        pulled = effects[..., :q] @ inverse
        for i, j in enumerate(theta.beta):
            score[..., i] = np.einsum("rni,ni->rn", pulled, about[:, :, j])
        for i, j in theta.omega:
            slope = 0.5 * (pulled[..., i] * pulled[..., j] - inverse[i, j])
            score[..., at] = (0.0 if i in unseen.scaled else slope) if i == j else 2 * slope
            at += 1
    for k in theta.gamma:
        kappa, has = _of_occasion(population, effects, k), population.has_occasion
        score[..., at] = np.where(has, 0.5 * (kappa**2 / point.gamma[k] - 1) / point.gamma[k], 0.0).sum(axis=-1)
        at += 1


@dataclass(frozen=True)
class _Move:
    """Something that moves predictions or errors: by how much, and which numbers of the vector it moves with.

    Attributes
    ----------
    step : float
    effect : int
        Random effect; -1: the number of the vector itself.
    weights : tuple of (place, weight)
        Its slope by numbers of the vector: a number, or an array (copies, subjects).
    bend : tuple of (place, weight)
        Its second derivative by one of them.
    """

    step: float
    effect: int
    weights: tuple[tuple[int, Floats | float], ...]
    bend: tuple[tuple[int, Floats], ...] = ()


def _moves(population: Population, theta: Theta, point: Point, effects: Floats, unseen: Unseen) -> list[_Move]:
    by_score, n, first = set(population.by_score.tolist()), len(theta), len(theta.beta)
    found = [_Move(_STEP, -1, ((i, 1.0),)) for i, j in enumerate(theta.beta) if j in by_score]  # Gaussian: scale 1
    for i in unseen.apart:
        about = population.about[:, i]
        weights: list[tuple[int, Floats | float]] = [
            (t, about[:, j]) for t, j in enumerate(theta.beta) if about[:, j].any()
        ]
        bend: list[tuple[int, Floats]] = []
        if i in unseen.scaled and (i, i) in theta.omega:
            at, variance, own = first + theta.omega.index((i, i)), point.omega[i, i], effects[..., i]
            weights.append((at, own / (2 * variance)))
            bend.append((at, -own / (4 * variance**2)))
        wide = _STEP_OF_EFFECT * max(1.0, float(np.sqrt(point.omega[i, i])))
        if weights:
            found.append(_Move(wide, i, tuple(weights), tuple(bend)))
    vector = theta.of(point)
    found += [_Move(_STEP * max(abs(vector[i]), 1e-2), -1, ((i, 1.0),)) for i in range(n - len(theta.sigma), n)]
    return found


def _measured(
    population: Population, theta: Theta, point: Point, effects: Floats, score: Floats, unseen: Unseen
) -> Floats:
    """Score of what was measured into ``score``, and its curvature, summed over draws and subjects."""
    n = len(theta)
    moves = _moves(population, theta, point, effects, unseen)
    offset, vector = n - len(theta.sigma), theta.of(point)
    predicts = [move.effect >= 0 or move.weights[0][0] < offset for move in moves]
    made: dict[tuple[int, ...], Floats] = {}

    def at(*moved: tuple[int, int]) -> Floats:
        signs = [0] * len(moves)
        changed, shifted = vector.copy(), effects
        for k, sign in moved:
            signs[k], move = sign, moves[k]
            if move.effect < 0:
                changed[move.weights[0][0]] += sign * move.step
            else:
                shifted = shifted.copy()
                shifted[..., move.effect] += sign * move.step
        values = theta.put(changed, point)
        key = tuple(sign for sign, by in zip(signs, predicts) if by)
        if key not in made:
            drift = population.drift @ (values.beta - point.beta)[population.by_score]  # see Population.carried
            made[key] = population.f(population.mean(point.beta) + drift, shifted)
        return population.likelihood(made[key], values.sigma)

    def error_of(k: int) -> int:
        """The endpoint of an error; -1 of what moves predictions."""
        return -1 if predicts[k] else theta.sigma[moves[k].weights[0][0] - offset][0]

    curvature, middle = np.zeros((n, n)), at()
    around: list[Floats] = []
    for k, move in enumerate(moves):
        up, down = at((k, 1)), at((k, -1))
        around.append(up + down - 2 * middle)
        slope = (up - down) / (2 * move.step)
        for t, weight in move.weights:
            score[..., t] += slope * weight
        for t, weight in move.bend:
            curvature[t, t] += float((slope * weight).sum())
        _add_products(curvature, move, move, around[k] / move.step**2)
    for k, one in enumerate(moves):
        for m, other in enumerate(moves[:k]):
            if -1 < error_of(k) != error_of(m) > -1:
                continue  # errors of two endpoints do not meet in any row
            both = at((k, 1), (m, 1)) + at((k, -1), (m, -1)) - 2 * middle - around[k] - around[m]
            cross = both / (2 * one.step * other.step)
            _add_products(curvature, one, other, cross)
            _add_products(curvature, other, one, cross)
    return curvature


def _add_products(curvature: Floats, one: _Move, other: _Move, bent: Floats) -> None:
    """Carry the curvature (copies, subjects) by two moves over to the numbers of the vector."""
    for i, weight in one.weights:
        for j, by in other.weights:
            curvature[i, j] += float((bent * weight * by).sum())


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
    about = _about(population, known.unseen)

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
                result[at] = (0.0 if i in known.unseen.scaled else slope[i, j]) if i == j else 2 * slope[i, j]
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
