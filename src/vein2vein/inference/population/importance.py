"""The likelihood by importance sampling, with what tells whether it can be believed.

Random effects of each subject are drawn from a t distribution about its conditional mean, mixed with a share from the
population: so no weight can grow without bound where the population is the wider of the two. The shape of the largest
weights (Pareto k; Vehtari et al. 2024) tells of an infinite variance that an effective sample size does not see.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from vein2vein.inference.population.chains import Target
from vein2vein.inference.population.conditional import Conditional
from vein2vein.inference.population.population import Population

Floats = NDArray[np.float64]

FREEDOM = 5.0
"""Degrees of freedom of the t distribution."""
SHARE = 0.1
"""Share of the draws that comes from the population."""
UNSURE = 0.7
"""Pareto k above which an average of weights cannot be believed."""
_ROWS = 200_000  # solver coefficient: values predicted in one call, for the memory
_TAIL = 3.0  # solver coefficient: the tail holds 3 sqrt(n) of the weights, a fifth of them at most


@dataclass(frozen=True)
class Likelihood:
    """-2 log-likelihood with its Monte Carlo error; per subject the log-likelihood and Pareto k (subjects,)."""

    minus_two: float
    error: float
    each: Floats
    pareto_k: Floats


def likelihood_of(
    population: Population, target: Target, found: Conditional, rng: np.random.Generator, count: int
) -> Likelihood:
    """The likelihood from ``count`` draws of each subject."""
    n, e = population.subjects, population.effects
    if not e:
        each = population.likelihood(population.f(target.mean, np.zeros((1, n, 0))), target.sigma)[0]
        return Likelihood(-2 * float(each.sum()), 0.0, each, np.full(n, np.nan))
    whole = population.whole_omega(target.omega, target.gamma)
    outer, inverse = np.linalg.cholesky(whole), np.linalg.inv(whole)
    size = 2 * float(np.log(np.diag(outer)).sum())
    own = found.covariance + 1e-4 * whole  # solver coefficient: keeps a covariance of few draws positive
    lower, sharp = np.linalg.cholesky(own), np.linalg.inv(own)
    sizes = 2 * np.log(np.einsum("nii->ni", lower)).sum(axis=1)
    constant = special.gammaln((FREEDOM + e) / 2) - special.gammaln(FREEDOM / 2) - 0.5 * e * np.log(FREEDOM * np.pi)
    weights: list[Floats] = []
    batch = max(1, min(count, _ROWS // max(len(population.layout.rows), n)))
    for at in range(0, count, batch):
        shape = (min(batch, count - at), n, e)
        far = np.sqrt(rng.chisquare(FREEDOM, (*shape[:2], 1)) / FREEDOM)
        near = found.mean + np.einsum("nij,rnj->rni", lower, rng.standard_normal(shape)) / far
        wide = rng.standard_normal(shape) @ outer.T
        effects = np.where(rng.random((*shape[:2], 1)) < SHARE, wide, near)
        apart = effects - found.mean
        distance = np.einsum("rni,nij,rnj->rn", apart, sharp, apart)
        by_t = constant - 0.5 * sizes - 0.5 * (FREEDOM + e) * np.log1p(distance / FREEDOM)
        prior = -0.5 * np.einsum("rni,rni->rn", effects @ inverse, effects) - 0.5 * (size + e * np.log(2 * np.pi))
        drawn = np.logaddexp(np.log1p(-SHARE) + by_t, np.log(SHARE) + prior)
        weights.append(population.likelihood(population.f(target.mean, effects), target.sigma) + prior - drawn)
    logs = np.concatenate(weights)
    each = _log_sum(logs) - np.log(len(logs))
    relative = np.exp(logs - each)
    errors = relative.std(axis=0) / np.sqrt(len(logs))
    k = np.array([pareto_k(logs[:, i]) for i in range(n)])
    return Likelihood(-2 * float(each.sum()), 2 * float(np.sqrt((errors**2).sum())), each, k)


def _log_sum(values: Floats) -> Floats:
    """Logarithm of the sum of exponentials over the first axis."""
    most = values.max(axis=0)
    return most + np.log(np.exp(values - most).sum(axis=0))


def pareto_k(logs: Floats) -> float:
    """Shape of the largest weights, from their logarithms (n,): below 0.5 their variance is finite.

    The generalized Pareto distribution is fitted to the excesses by the method of Zhang and Stephens (2009), with the
    prior of Vehtari et al. (2024) that holds k near 0.5 where few weights tell.
    """
    n = len(logs)
    tail = int(min(n / 5, _TAIL * np.sqrt(n)))
    if tail < 5:
        return float("nan")
    ordered = np.sort(logs)[-tail - 1 :]
    weights = np.exp(ordered - ordered[-1])
    excess = weights[1:] - weights[0]
    if not excess[-1] > 0 or not np.isfinite(ordered).all():
        return float("nan") if not np.isfinite(ordered).all() else float("-inf")
    excess = np.maximum(excess, 1e-300)
    m = 30 + int(np.sqrt(tail))
    quarter = excess[int(tail / 4 + 0.5) - 1]
    theta = 1 / excess[-1] + (1 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))) / (3 * quarter)
    shapes = np.log1p(-theta[:, None] * excess).mean(axis=1)
    profile = tail * (np.log(-theta / shapes) - shapes - 1)
    chosen = float((theta * np.exp(profile - _log_sum(profile))).sum())
    shape = float(np.log1p(-chosen * excess).mean())
    return (shape * tail + 0.5 * 10) / (tail + 10)
