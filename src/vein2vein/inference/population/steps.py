"""What an iteration of SAEM makes of the chains: new typical values, new variances, new errors.

Statistics are averaged with the gain of the iteration. Where they are not sufficient (parameters without a random
effect, combined errors) a step is made along the score instead, scaled by its own information: averaging the best
values of single draws would be biased (FeRx-NLME/ferx-core#1458).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.population.chains import Chains
from vein2vein.inference.population.population import Population
from vein2vein.inference.population.residual import behind_limits, on_scale, spread

Floats = NDArray[np.float64]

ANNEALING = 0.95
"""Variances and errors fall at most to this share in an iteration of the first half of exploring."""
ROBUST = 1.4826
"""From the median of absolute residuals to their SD, if they are normal."""
_LEAST_VARIANCE = 1e-8  # solver coefficient: of a random effect, so that omega stays positive
_LOOSE, _TIED = 0.1, 1e-3
"""Least eigenvalue of the correlations while variances fall, and later: EM never leaves a correlation of 1 again."""
_LONGEST_STEP = 0.3  # solver coefficient: of a step along the score, Gaussian scale or logarithm of an error
_LEAST_GAIN = 0.05  # solver coefficient: the information behind such a step is averaged no more slowly
_DIFFERENCE = 1e-4  # solver coefficient: of derivatives by coefficients


@dataclass
class Estimates:
    """The population as it is estimated now, with the statistics behind it; changed in place.

    Attributes
    ----------
    beta : ndarray (b,)
    omega : ndarray (q, q)
    gamma : ndarray (k,)
    sigma : ndarray (endpoints, 2)
    first : ndarray (subjects, q)
        Average of the Gaussian numbers phi of the parameters with random effects.
    second : ndarray (q, q)
        Average of their products, summed over subjects.
    occasions : ndarray (k,)
        Average squared effect of occasions.
    squares : ndarray (endpoints,)
        Average sum of squared residuals, for errors of one number.
    slopes : ndarray (s, s)
        Information behind the steps of the coefficients without random effect.
    errors : ndarray (endpoints, 2, 2)
        Information behind the steps of combined errors.
    begun : bool
    """

    beta: Floats
    omega: Floats
    gamma: Floats
    sigma: Floats
    first: Floats
    second: Floats
    occasions: Floats
    squares: Floats
    slopes: Floats
    errors: Floats
    begun: bool = False

    def copy(self) -> Estimates:
        """The same numbers in arrays of their own."""
        return replace(self, **{
            name: value.copy() for name, value in vars(self).items() if isinstance(value, np.ndarray)
        })  # fmt: skip


def begin(population: Population) -> Estimates:
    """Estimates at the start."""
    n, q, k, ends = population.subjects, population.between, len(population.changing), len(population.rows.models)
    s = len(population.by_score)
    return Estimates(
        population.beta.copy(), population.omega.copy(), population.gamma.copy(), population.sigma.copy(),
        np.zeros((n, q)), np.zeros((q, q)), np.zeros(k), np.zeros(ends), np.zeros((s, s)), np.zeros((ends, 2, 2)),
    )  # fmt: skip


def maximize(
    population: Population, chains: Chains, now: Estimates, gain: float, rng: np.random.Generator, *,
    annealing: bool, robust: bool,
) -> bool:  # fmt: skip
    """One step of the estimates; returns whether predictions changed with it.

    Parameters
    ----------
    gain : float
        1: the statistics of these chains alone.
    annealing, robust : bool
        Whether variances fall slowly, and whether far predictions may not inflate an error.
    """
    _effects(population, chains, now, gain if now.begun else 1.0, annealing)
    values = behind_limits(population.rows, chains.f, now.sigma, rng)
    changed = _by_score(population, chains, now, values, gain if now.begun else 1.0)
    _errors(population, chains, now, values, gain if now.begun else 1.0, annealing, robust)
    now.begun = True
    return changed


def _effects(population: Population, chains: Chains, now: Estimates, gain: float, annealing: bool) -> None:
    """Typical values by generalized least squares, then the variances about them."""
    q, k = population.between, len(population.changing)
    known = population.known_by_effects
    design = population.subject_design
    if q:
        own = population.subject_mean(now.beta) + chains.effects[..., :q]
        now.first += gain * (own.mean(axis=0) - now.first)
        now.second += gain * (np.einsum("rni,rnj->ij", own, own) / len(own) - now.second)
        before = now.beta[known]
        _typical_values(population, now)
        shift = design @ (before - now.beta[known])
        chains.effects[..., :q] += shift
        chains.average += shift
        mean = population.subject_mean(now.beta)
        cross = now.first.T @ mean
        seen = (now.second - cross - cross.T + mean.T @ mean) / population.subjects
        now.omega = _variances(population, now.omega, seen, annealing)
    for j in range(k):
        at = q + np.arange(population.layout.occasions) * k + j
        own = chains.effects[..., at]
        count = population.has_occasion.sum()
        now.occasions[j] += gain * ((own * own).sum() / (count * len(own)) - now.occasions[j])
        least = ANNEALING * now.gamma[j] if annealing else _LEAST_VARIANCE
        now.gamma[j] = max(now.occasions[j], least)


def _typical_values(population: Population, now: Estimates) -> None:
    known = np.flatnonzero(population.known_by_effects)
    free = population.free[known]
    if not free.any():
        return
    design, inverse = population.subject_design, np.linalg.inv(now.omega)
    weighted = np.einsum("nie,ij->nej", design, inverse)
    information = np.tensordot(weighted, design, axes=([0, 2], [0, 1]))
    own = now.first - population.carried @ now.beta[population.by_score]
    right = np.tensordot(weighted, own, axes=([0, 2], [0, 1]))
    beta = now.beta[known]
    right = right[free] - information[np.ix_(free, ~free)] @ beta[~free]
    beta[free] = np.linalg.solve(information[np.ix_(free, free)], right)
    now.beta[known] = beta


def _variances(population: Population, before: Floats, seen: Floats, annealing: bool) -> Floats:
    """Omega from the squares that were seen: its structure kept, and its variances held or let down slowly."""
    wanted = np.diag(seen).copy()
    if annealing:
        wanted = np.maximum(wanted, ANNEALING * np.diag(before))
    wanted = np.maximum(np.where(population.omega_held, np.diag(before), wanted), _LEAST_VARIANCE)
    scale = np.sqrt(wanted / np.maximum(np.diag(seen), 1e-12))
    found = np.where(population.mask, seen, 0.0) * scale[:, None] * scale
    np.fill_diagonal(found, wanted)
    size = np.sqrt(wanted)
    least = float(np.linalg.eigvalsh(found / size / size[:, None])[0])
    wished = _LOOSE if annealing else _TIED
    if least >= wished:
        return found
    share = (wished - least) / (1 - least)  # towards no correlation
    return np.where(np.eye(len(found), dtype=bool), found, found * (1 - share))


def _by_score(population: Population, chains: Chains, now: Estimates, values: Floats, gain: float) -> bool:
    """A step along the score of the coefficients that only predictions tell of.

    Those of a covariate in time are confounded with the random effect of their parameter: a step that leaves the
    effects where they are is small (nearly all that it would know is missing), so the effects, and the typical values
    behind them, move along.
    """
    sought = population.by_score
    if not len(sought):
        return False
    f, mean = chains.f, population.mean(now.beta)
    center, sd = on_scale(population.rows, f), spread(population.rows, f, now.sigma)
    slopes = np.empty((*f.shape, len(sought)))
    drift, by_occasion = population.drift.copy(), population.carried_by_occasions
    if by_occasion.size:
        spans = population.layout.spans
        drift[:, population.changing] -= by_occasion[spans.subject, spans.occasion]
    for i, j in enumerate(sought.tolist()):
        by = _DIFFERENCE * max(1.0, abs(float(now.beta[j])))
        moved = population.f(mean + by * drift[:, :, i], chains.effects)
        slopes[..., i] = (on_scale(population.rows, moved) - center) / by
    slopes = np.where(np.isfinite(slopes), slopes, 0.0)
    weighted = slopes / (sd * sd)[..., None]
    score = np.einsum("ro,roj->j", np.where(np.isfinite(center), values - center, 0.0), weighted) / len(f)
    seen = np.einsum("roj,rok->jk", slopes, weighted) / len(f)
    along, behind = _carried_along(population, now)
    inverse = np.linalg.inv(now.omega)
    pulled = np.einsum("npj,pq->nqj", along, inverse)
    own = chains.effects[..., : population.between]
    score += np.einsum("rnq,nqj->j", own, pulled) / len(f)
    seen += np.einsum("nqj,nqk->jk", pulled, along)
    changes = chains.effects[..., population.between :]
    flat = by_occasion.reshape(population.subjects, -1, len(sought))
    weights = flat / np.tile(now.gamma, population.layout.occasions)[:, None]
    score += np.einsum("rno,noj->j", changes, weights) / len(f)
    seen += np.einsum("noj,nok->jk", weights, flat)
    now.slopes += (1.0 if not now.begun else max(gain, _LEAST_GAIN)) * (seen - now.slopes)
    ridge = 1e-6 * np.diag(np.diag(now.slopes)) + 1e-12 * np.eye(len(sought))
    step = gain * np.asarray(np.linalg.solve(now.slopes + ridge, score), dtype=np.float64)
    largest = float(np.max(np.abs(step)))
    step *= min(1.0, _LONGEST_STEP / largest) if largest > 0 else 0.0
    now.beta[sought] += step
    now.beta[population.known_by_effects & population.free] -= behind @ step
    own -= along @ step
    changes -= flat @ step
    chains.average -= along @ step
    return True


def _carried_along(population: Population, now: Estimates) -> tuple[Floats, Floats]:
    """How random effects (subjects, q, s) and typical values (e, s) move against a step of the s coefficients."""
    carried = population.carried
    free = population.free[population.known_by_effects]
    design = population.subject_design[:, :, free]
    if not free.any() or not carried.any():
        return carried, np.zeros((int(free.sum()), carried.shape[-1]))
    weighted = np.einsum("npe,pq->nqe", design, np.linalg.inv(now.omega))
    information, right = np.einsum("nqe,nqf->ef", weighted, design), np.einsum("nqe,nqs->es", weighted, carried)
    behind = np.asarray(np.linalg.solve(information, right), dtype=np.float64)
    return carried - design @ behind, behind


def _errors(
    population: Population, chains: Chains, now: Estimates, values: Floats, gain: float, annealing: bool, robust: bool
) -> None:
    rows, f = population.rows, chains.f
    residual = values - on_scale(rows, f)
    for e, (model, of) in enumerate(zip(rows.models, rows.of)):
        if model.fixed:
            continue
        own, size = residual[:, of], np.abs(f[:, of])
        own = np.where(np.isfinite(own), own, 0.0)
        if model.error in ("combined1", "combined2"):
            _combined(now, e, model.error == "combined1", own, size, gain, annealing)
            continue
        which = 1 if model.error == "proportional" else 0
        if which:
            own = own / np.maximum(size, 1e-8)
        squares = float((own * own).sum()) / len(own)
        if robust:
            squares = min(squares, own.shape[1] * (ROBUST * float(np.median(np.abs(own)))) ** 2)
        now.squares[e] += gain * (squares - now.squares[e])
        sd = np.sqrt(now.squares[e] / own.shape[1])
        now.sigma[e, which] = max(sd, np.sqrt(ANNEALING) * now.sigma[e, which]) if annealing else max(sd, 1e-10)


def _combined(
    now: Estimates, e: int, added: bool, residual: Floats, size: Floats, gain: float, annealing: bool
) -> None:  # fmt: skip
    """A step along the score of (log a, log b)."""
    a, b = now.sigma[e]
    if added:
        sd = a + b * size
        by_a, by_b = np.full_like(sd, a), b * size
    else:
        sd = np.sqrt(a * a + b * b * size * size)
        by_a, by_b = a * a / sd, b * b * size * size / sd
    pull = (residual * residual / (sd * sd) - 1) / sd
    score = np.array([(pull * by_a).sum(), (pull * by_b).sum()]) / len(residual)
    relative = np.stack([by_a / sd, by_b / sd], axis=-1)
    seen = 2 * np.einsum("roj,rok->jk", relative, relative) / len(residual)
    now.errors[e] += (1.0 if not now.begun else max(gain, _LEAST_GAIN)) * (seen - now.errors[e])
    ridge = 1e-3 * np.diag(np.diag(now.errors[e])) + 1e-12 * np.eye(2)
    far = gain * np.asarray(np.linalg.solve(now.errors[e] + ridge, score), dtype=np.float64)
    step = np.clip(far, -_LONGEST_STEP, _LONGEST_STEP)
    if annealing:
        step = np.maximum(step, 0.5 * np.log(ANNEALING))
    now.sigma[e] = np.maximum(now.sigma[e] * np.exp(step), 1e-10)
