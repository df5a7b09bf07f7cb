"""Each subject's conditional distribution: draws of its random effects, the population held where it was estimated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.population.chains import Chains, Target, Walk
from vein2vein.inference.population.population import Population

Floats = NDArray[np.float64]

COPIES = 10  # solver coefficient: chains of a subject; more cost less time each, and need their own way to begin
BURN = 20  # solver coefficient: sweeps before draws are kept


@dataclass(frozen=True)
class Conditional:
    """Draws of the random effects.

    Attributes
    ----------
    effects : ndarray (draws, subjects, e)
    mean, sd : ndarray (subjects, e)
    covariance : ndarray (subjects, e, e)
        Of an occasion that a subject does not have: mean 0 and the population's variance.
    """

    effects: Floats
    mean: Floats
    sd: Floats
    covariance: Floats


def spread_out(population: Population, chains: Chains, target: Target) -> Chains:
    """Chains in as many copies as draws are taken from."""
    copies = copies_from(len(chains.effects))
    times = -(-copies // len(chains.effects))
    effects = np.tile(chains.effects, (times, 1, 1))[:copies]
    f = np.tile(chains.f, (times, 1))[:copies]
    return Chains(
        effects, f, population.likelihood(f, target.sigma), chains.step.copy(), chains.factor.copy(),
        chains.block_factor.copy(), chains.average.copy(), chains.covariance.copy(), chains.learnt,
    )  # fmt: skip


def copies_from(chains: int) -> int:
    """Chains of a subject from which draws are taken, where the estimator had so many."""
    return max(chains, COPIES)


def draw(
    population: Population, target: Target, chains: Chains, rng: np.random.Generator, count: int
) -> Iterator[Floats]:
    """Walk the chains in place and yield their effects (copies, subjects, e), until of each there are so many draws."""
    walk = Walk(population, target, rng)
    sweeps = -(-count // len(chains.effects))
    for k in range(BURN + sweeps):
        walk.from_population(chains, 1)
        walk.each_given_the_others(chains)
        walk.one_at_a_time(chains)
        if chains.learnt:
            walk.learnt_blocks(chains, 2)
        else:
            walk.random_blocks(chains, 2)
        if k >= BURN:
            yield chains.effects.copy()


def gathered(population: Population, target: Target, draws: list[Floats]) -> Conditional:
    """What draws say of each subject."""
    effects = np.concatenate(draws)
    mean = effects.mean(axis=0)
    apart = effects - mean
    covariance = np.einsum("rni,rnj->nij", apart, apart) / len(effects)
    q, k = population.between, len(population.changing)
    for o in range(population.layout.occasions):
        at = np.arange(q + o * k, q + (o + 1) * k)
        for i in np.flatnonzero(~population.has_occasion[:, o]):
            covariance[i, at, at] = target.gamma
    sd = np.sqrt(np.einsum("nii->ni", covariance))
    return Conditional(effects, mean, sd, covariance)


def shrinkage(mean: Floats, omega: Floats) -> Floats:
    """Share of the variance (q,) that the subjects' means do not show: 1 - var(mean) / omega^2."""
    return 1.0 - mean.var(axis=0) / np.maximum(np.diag(omega), 1e-300)
