"""Markov chains of the random effects, all subjects and copies at once.

Five kernels, each aimed at what the others cannot do: draws of the whole vector from the population free a subject that
sits in a wrong mode; each effect in turn from the population given the others mixes at once what a subject's data do
not say; walks one at a time and in random blocks, with steps learnt for each subject, follow the data; block steps with
each subject's own learnt covariance follow effects that the data tie together. What is learnt is learnt ever more
slowly and then stands still, so that averages are those of one kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.population.population import Population

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

WANTED_ONE, WANTED_BLOCK = 0.4, 0.3
"""Shares of accepted steps that the walks are steered to, of one effect and of several."""
_STEPS = (1e-4, 20.0)  # solver coefficient: least and largest step of one effect, Gaussian scale
_FACTORS = (1e-2, 5.0)  # solver coefficient: least and largest factor of a block step


@dataclass
class Chains:
    """Where the chains stand; every array is changed in place as they walk.

    Attributes
    ----------
    effects : ndarray (copies, subjects, e)
        Random effects: between subjects first, then those of each occasion.
    f : ndarray (copies, m)
        Predictions for them.
    likelihood : ndarray (copies, subjects)
    step : ndarray (subjects, e)
        Steps of walks one at a time.
    factor, block_factor : ndarray (subjects,)
        Of random blocks, and of blocks with the learnt covariance.
    average, covariance : ndarray (subjects, q), (subjects, q, q)
        Learnt of the effects between subjects.
    accepted : dict of str to float
        Share of the last proposals of each kernel that were accepted, over all subjects.
    """

    effects: Floats
    f: Floats
    likelihood: Floats
    step: Floats
    factor: Floats
    block_factor: Floats
    average: Floats
    covariance: Floats
    learnt: bool = False
    accepted: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class Target:
    """The distribution that the chains walk in: the population as it is estimated now.

    Attributes
    ----------
    mean : ndarray (spans, parameters)
    omega : ndarray (q, q)
    gamma : ndarray (k,)
    sigma : ndarray (endpoints, 2)
    """

    mean: Floats
    omega: Floats
    gamma: Floats
    sigma: Floats


def begin(population: Population, target: Target, copies: int, rng: np.random.Generator) -> Chains:
    """Chains whose effects are drawn from the population at the start."""
    n, q, e = population.subjects, population.between, population.effects
    effects = np.zeros((copies, n, e))
    effects[..., :q] = rng.standard_normal((copies, n, q)) @ np.linalg.cholesky(target.omega).T if q else 0.0
    k = len(population.changing)
    for o in range(population.layout.occasions):
        own = rng.standard_normal((copies, n, k)) * np.sqrt(target.gamma)
        effects[..., q + o * k : q + (o + 1) * k] = np.where(population.has_occasion[:, o, None], own, 0.0)
    f = population.f(target.mean, effects)
    half = 0.5 * np.sqrt(np.concatenate([np.diag(target.omega), np.tile(target.gamma, population.layout.occasions)]))
    return Chains(
        effects, f, population.likelihood(f, target.sigma), np.ones((n, e)) * half, np.full(n, 0.5),
        np.full(n, 2.0 / np.sqrt(max(q, 1))), np.zeros((n, q)), np.zeros((n, q, q)),
    )  # fmt: skip


def refresh(population: Population, chains: Chains, target: Target, *, predictions: bool) -> None:
    """Bring the chains to another target: their predictions where these changed, and their likelihood."""
    if predictions:
        chains.f = population.f(target.mean, chains.effects)
    chains.likelihood = population.likelihood(chains.f, target.sigma)


@dataclass(frozen=True)
class Walk:
    """Kernels over one target; ``learning`` is the gain with which steps are steered (0: they stand still)."""

    population: Population
    target: Target
    rng: np.random.Generator
    learning: float = 0.0

    def _decide(self, chains: Chains, new: Floats, log_ratio: Floats | float) -> Flags:
        """Accept or refuse proposals (copies, subjects, e), with the ratio of all that is not the likelihood."""
        p = self.population
        f = p.f(self.target.mean, new)
        likelihood = p.likelihood(f, self.target.sigma)
        accepted = np.log(self.rng.random(likelihood.shape)) < likelihood - chains.likelihood + log_ratio
        np.copyto(chains.effects, new, where=accepted[..., None])
        np.copyto(chains.f, f, where=accepted[:, p.layout.subject])
        np.copyto(chains.likelihood, likelihood, where=accepted)
        return accepted

    def _between(self, effects: Floats, inverse: Floats) -> Floats:
        own = effects[..., : self.population.between]
        return -0.5 * np.einsum("rni,rni->rn", own @ inverse, own)

    def from_population(self, chains: Chains, times: int) -> None:
        """The whole vector from the population."""
        p, target = self.population, self.target
        q, k = p.between, len(p.changing)
        lower = np.linalg.cholesky(target.omega) if q else target.omega
        for _ in range(times):
            new = np.zeros_like(chains.effects)
            new[..., :q] = self.rng.standard_normal(new[..., :q].shape) @ lower.T
            for o in range(p.layout.occasions):
                own = self.rng.standard_normal((*new.shape[:2], k)) * np.sqrt(target.gamma)
                new[..., q + o * k : q + (o + 1) * k] = np.where(p.has_occasion[:, o, None], own, 0.0)
            chains.accepted["population"] = float(self._decide(chains, new, 0.0).mean())

    def each_given_the_others(self, chains: Chains) -> None:
        """Each effect in turn from the population given the others."""
        q = self.population.between
        inverse = np.linalg.inv(self.target.omega) if q else self.target.omega
        shares: list[float] = []
        for j in range(q):
            own = chains.effects[..., :q]
            mean = -(own @ inverse[j] - own[..., j] * inverse[j, j]) / inverse[j, j]
            new = chains.effects.copy()
            new[..., j] = mean + self.rng.standard_normal(mean.shape) / np.sqrt(inverse[j, j])
            shares.append(float(self._decide(chains, new, 0.0).mean()))
        for j, has, sd in self._of_occasions():
            new = chains.effects.copy()
            new[..., j] = np.where(has, sd * self.rng.standard_normal(new.shape[:2]), 0.0)
            shares.append(float(self._decide(chains, new, 0.0)[:, has].mean()))
        chains.accepted["given the others"] = float(np.mean(shares)) if shares else 0.0

    def _of_occasions(self) -> list[tuple[int, Flags, float]]:
        """(place, who has it, SD) of each effect of an occasion."""
        p, q, k = self.population, self.population.between, len(self.population.changing)
        return [
            (q + o * k + j, p.has_occasion[:, o], float(np.sqrt(self.target.gamma[j])))
            for o in range(p.layout.occasions)
            for j in range(k)
        ]

    def one_at_a_time(self, chains: Chains) -> None:
        """A walk of each effect in turn."""
        q = self.population.between
        inverse = np.linalg.inv(self.target.omega) if q else self.target.omega
        shares: list[float] = []
        for j in range(q):
            move = self.rng.standard_normal(chains.likelihood.shape) * chains.step[:, j]
            own = chains.effects[..., :q]
            ratio = -move * (own @ inverse[j]) - 0.5 * inverse[j, j] * move * move
            new = chains.effects.copy()
            new[..., j] += move
            accepted = self._decide(chains, new, ratio).mean(axis=0)
            shares.append(float(accepted.mean()))
            if self.learning:
                chains.step[:, j] *= np.exp(self.learning * (accepted - WANTED_ONE))
        for j, has, sd in self._of_occasions():
            move = np.where(has, self.rng.standard_normal(chains.likelihood.shape) * chains.step[:, j], 0.0)
            ratio = -(move * chains.effects[..., j] + 0.5 * move * move) / sd**2
            new = chains.effects.copy()
            new[..., j] += move
            accepted = self._decide(chains, new, ratio).mean(axis=0)
            shares.append(float(accepted[has].mean()))
            if self.learning:
                chains.step[:, j] *= np.where(has, np.exp(self.learning * (accepted - WANTED_ONE)), 1.0)
        np.clip(chains.step, *_STEPS, out=chains.step)
        chains.accepted["one at a time"] = float(np.mean(shares)) if shares else 0.0

    def random_blocks(self, chains: Chains, times: int) -> None:
        """Walks of several effects at once, which ones drawn anew for each subject."""
        q = self.population.between
        if not q:
            return
        inverse = np.asarray(np.linalg.inv(self.target.omega), dtype=np.float64)
        for _ in range(times):
            count = int(self.rng.integers(2, q + 1)) if q > 1 else 1
            shape = chains.effects[..., :q].shape
            picked = np.argsort(self.rng.random(shape), axis=-1) < count
            move = picked * self.rng.standard_normal(shape) * chains.step[:, :q] * chains.factor[:, None]
            self._move(chains, move, inverse, "random blocks", chains.factor)
        np.clip(chains.factor, *_FACTORS, out=chains.factor)

    def learnt_blocks(self, chains: Chains, times: int) -> None:
        """Walks of all effects at once along each subject's learnt covariance."""
        q = self.population.between
        if not q:
            return
        inverse = np.asarray(np.linalg.inv(self.target.omega), dtype=np.float64)
        least = 1e-3 * self.target.omega  # solver coefficient: keeps the covariance positive, in the shape of omega
        lower = np.linalg.cholesky(chains.covariance + least)
        for _ in range(times):
            drawn = self.rng.standard_normal(chains.effects[..., :q].shape)
            move = np.einsum("nij,rnj->rni", lower, drawn) * chains.block_factor[:, None]
            self._move(chains, move, inverse, "learnt blocks", chains.block_factor)
        np.clip(chains.block_factor, *_FACTORS, out=chains.block_factor)

    def _move(self, chains: Chains, move: Floats, inverse: Floats, kernel: str, factor: Floats) -> None:
        new = chains.effects.copy()
        new[..., : self.population.between] += move
        ratio = self._between(new, inverse) - self._between(chains.effects, inverse)
        accepted = self._decide(chains, new, ratio).mean(axis=0)
        chains.accepted[kernel] = float(accepted.mean())
        if self.learning:
            factor *= np.exp(self.learning * (accepted - WANTED_BLOCK))


def learn(chains: Chains, omega: Floats, rate: float) -> None:
    """Let the chains' average and covariance of each subject follow where it is now."""
    now = chains.effects[..., : len(omega)]
    if not chains.learnt:
        chains.average[:] = now.mean(axis=0)
        chains.covariance[:] = 0.05 * omega  # solver coefficient: forgotten within some tens of iterations
        chains.learnt = True
    apart = now - chains.average
    chains.average += rate * apart.mean(axis=0)
    chains.covariance *= 1 - rate
    chains.covariance += rate * np.einsum("rni,rnj->nij", apart, apart) / len(now)
