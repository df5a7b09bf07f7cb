"""The numbers that are estimated, in one vector: coefficients, elements of omega, variances of occasions, errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.population.population import Population
from vein2vein.inference.population.residual import names_of

Floats = NDArray[np.float64]

NOTHING = 1e-6
"""A variance of random effects below this is 0: there is no spread, and nothing to say about its error."""


@dataclass(frozen=True)
class Point:
    """One set of values: beta (b,), omega (q, q), gamma (k,), sigma (endpoints, 2)."""

    beta: Floats
    omega: Floats
    gamma: Floats
    sigma: Floats


@dataclass(frozen=True)
class Theta:
    """Where each number of the vector stands.

    Attributes
    ----------
    names : tuple of str
    beta : tuple of int
        Sought coefficients.
    omega : tuple of (i, j)
        Sought elements, the diagonal first, then those below it.
    gamma : tuple of int
    sigma : tuple of (endpoint, 0 for a or 1 for b)
    """

    names: tuple[str, ...]
    beta: tuple[int, ...]
    omega: tuple[tuple[int, int], ...]
    gamma: tuple[int, ...]
    sigma: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        """How many numbers."""
        return len(self.names)

    def of(self, point: Point) -> Floats:
        """The vector of some values."""
        return np.array([
            *(point.beta[j] for j in self.beta),
            *(point.omega[i, j] for i, j in self.omega),
            *(point.gamma[k] for k in self.gamma),
            *(point.sigma[e, w] for e, w in self.sigma),
        ])  # fmt: skip

    def put(self, vector: Floats, point: Point) -> Point:
        """The values of a vector; what is not in it stays as in ``point``."""
        found = Point(point.beta.copy(), point.omega.copy(), point.gamma.copy(), point.sigma.copy())
        at = 0
        for j in self.beta:
            found.beta[j] = vector[at]
            at += 1
        for i, j in self.omega:
            found.omega[i, j] = found.omega[j, i] = vector[at]
            at += 1
        for k in self.gamma:
            found.gamma[k] = vector[at]
            at += 1
        for e, w in self.sigma:
            found.sigma[e, w] = vector[at]
            at += 1
        return found


def theta_of(population: Population, point: Point | None = None) -> Theta:
    """The vector of what a problem seeks; with a point, without variances that are 0 there."""
    random = population.random_names
    q = len(random)
    there = [point is None or point.omega[i, i] > NOTHING for i in range(q)]
    beta = tuple(int(j) for j in np.flatnonzero(population.free))
    omega = [(i, i) for i in range(q) if there[i] and not population.omega_held[i]]
    omega += [(i, j) for i in range(q) for j in range(i) if population.mask[i, j] and there[i] and there[j]]
    gamma = tuple(k for k in range(len(population.changing)) if point is None or point.gamma[k] > NOTHING)
    sigma = [(e, w, n) for e, w, n in names_of(population.problem) if not population.rows.models[e].fixed]
    called = [
        *(population.coefficients[j].name for j in beta),
        *(f"omega2_{random[i]}" if i == j else f"omega_{random[j]}_{random[i]}" for i, j in omega),
        *(f"gamma2_{population.changing_names[k]}" for k in gamma),
        *(name for _, _, name in sigma),
    ]
    return Theta(tuple(called), beta, tuple(omega), gamma, tuple((e, w) for e, w, _ in sigma))


def in_words(name: str) -> str:
    """The name under which tables show what a number of theta is of: the SD, where theta holds the variance."""
    for variance, sd in (("omega2_", "omega_"), ("gamma2_", "gamma_")):
        if name.startswith(variance):
            return f"{sd}{name.removeprefix(variance)}"
    return name
