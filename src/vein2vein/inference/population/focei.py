"""FOCEI and Laplace: the likelihood by its curvature at the most likely random effects, minimized from outside.

The objective is -2 log-likelihood without the constants n log(2 pi), as NONMEM prints it. A gradient by differences is
one search for the modes of all subjects under all shifted values at once, from the modes that are already known.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from vein2vein.inference.population.inner import Modes, Sets, laplace_curvature, modes_of
from vein2vein.inference.population.louis import invert
from vein2vein.inference.population.population import Population
from vein2vein.inference.population.theta import Point, Theta, theta_of

Floats = NDArray[np.float64]

_DIFFERENCE = 1e-3  # solver coefficient: of the gradient, Gaussian scale and logarithms
_DIFFERENCE_TWICE = 1e-2  # solver coefficient: of second differences of the objective
ENOUGH = 5e-2  # solver coefficient: largest slope of the objective at its minimum
RESTARTS = 3
"""Searches that begin anew where one ends on a slope."""
_SEARCH = 30  # solver coefficient: steps of a search that begins anywhere
_WARM = 8  # solver coefficient: steps of a search that begins at the modes of a neighbor
_TOGETHER = 400_000  # solver coefficient: values predicted in one call, for the memory
_FAILED = 1e10


@dataclass(frozen=True)
class Packing:
    """Unbounded numbers: coefficients, log-Cholesky of omega, logarithms of SDs of occasions and of errors."""

    population: Population
    theta: Theta
    start: Point

    @property
    def cells(self) -> tuple[tuple[int, int], ...]:
        """Cells of the Cholesky factor that are sought."""
        mask, held = self.population.mask, self.population.omega_held
        q = self.population.between
        return tuple((i, j) for i in range(q) for j in range(i + 1) if mask[i, j] and not (i == j and held[i]))

    def pack(self, point: Point) -> Floats:
        """The numbers of a point."""
        lower = np.linalg.cholesky(point.omega) if self.population.between else point.omega
        return np.array([
            *(point.beta[j] for j in self.theta.beta),
            *(np.log(lower[i, i]) if i == j else lower[i, j] / lower[i, i] for i, j in self.cells),
            *(0.5 * np.log(point.gamma[k]) for k in self.theta.gamma),
            *(np.log(point.sigma[e, w]) for e, w in self.theta.sigma),
        ])  # fmt: skip

    def unpack(self, numbers: Floats) -> Point:
        """The point of some numbers."""
        at = len(self.theta.beta)
        beta, sigma, gamma = self.start.beta.copy(), self.start.sigma.copy(), self.start.gamma.copy()
        beta[list(self.theta.beta)] = numbers[:at]
        q = self.population.between
        lower = np.diag(np.sqrt(np.diag(self.start.omega))).reshape(q, q)
        diagonal = {i: at + n for n, (i, j) in enumerate(self.cells) if i == j}
        for i, n in diagonal.items():
            lower[i, i] = np.exp(numbers[n])
        for n, (i, j) in enumerate(self.cells):
            if i != j:
                lower[i, j] = numbers[at + n] * lower[i, i]
        at += len(self.cells)
        omega = lower @ lower.T
        for i in np.flatnonzero(self.population.omega_held):
            scale = np.sqrt(self.start.omega[i, i] / omega[i, i])
            omega[i] *= scale
            omega[:, i] *= scale
        for k in self.theta.gamma:
            gamma[k] = np.exp(2 * numbers[at])
            at += 1
        for e, w in self.theta.sigma:
            sigma[e, w] = np.exp(numbers[at])
            at += 1
        return Point(beta, omega, gamma, sigma)


@dataclass
class Outer:
    """The outer objective; remembers what it was asked, so that a run that is taken up again goes the same way.

    Attributes
    ----------
    known : dict of bytes to (objective, gradient, effects)
    trace : list of (objective, numbers)
    """

    population: Population
    packing: Packing
    laplace: bool
    effects: Floats
    known: dict[bytes, tuple[float, Floats, Floats]] = field(default_factory=dict[bytes, tuple[float, Floats, Floats]])
    trace: list[tuple[float, Floats]] = field(default_factory=list[tuple[float, Floats]])

    def sets(self, many: Floats) -> tuple[Sets, list[Point]]:
        """Population values of several vectors (t, n)."""
        points = [self.packing.unpack(v) for v in many]
        p = self.population
        return Sets(
            np.stack([p.mean(x.beta) for x in points]), np.stack([p.whole_omega(x.omega, x.gamma) for x in points]),
            np.stack([x.sigma for x in points]),
        ), points  # fmt: skip

    def objectives(self, many: Floats, effects: Floats, steps: int) -> tuple[Floats, Modes]:
        """The objective of several vectors (t, n) at once, from effects (subjects, e)."""
        sets, _ = self.sets(many)
        modes = modes_of(self.population, sets, np.broadcast_to(effects, (len(many), *effects.shape)).copy(), steps)
        return self.objective_at(sets, modes), modes

    def objective_at(self, sets: Sets, modes: Modes) -> Floats:
        """The objective (t,) at modes that are known."""
        curvature = laplace_curvature(self.population, sets, modes.effects) if self.laplace else modes.curvature
        size = np.linalg.slogdet(sets.omega)[1][:, None] if self.population.effects else 0.0
        sign, bent = np.linalg.slogdet(curvature) if self.population.effects else (np.ones(1), np.zeros(1))
        each = -2 * modes.joint + size + np.where(sign > 0, bent, _FAILED)
        total = each.sum(axis=-1) - self.population.rows.constants
        return np.where(np.isfinite(total), np.minimum(total, _FAILED), _FAILED)

    def part(self, many: Floats, effects: Floats, steps: int) -> Floats:
        """The same in parts that fit the memory."""
        size = (2 * self.population.effects + 1) * len(self.population.layout.rows)
        at_once = max(1, _TOGETHER // size)
        return np.concatenate([
            self.objectives(many[i : i + at_once], effects, steps)[0] for i in range(0, len(many), at_once)
        ])  # fmt: skip

    def __call__(self, numbers: Floats) -> tuple[float, Floats]:
        """Objective and gradient."""
        key = np.ascontiguousarray(numbers).tobytes()
        if key not in self.known:
            found, modes = self.objectives(numbers[None], self.effects, _SEARCH)
            effects, n = modes.effects[0], len(numbers)
            many = np.repeat(numbers[None], 2 * n, axis=0)
            many[np.arange(n), np.arange(n)] += _DIFFERENCE
            many[n + np.arange(n), np.arange(n)] -= _DIFFERENCE
            around = self.part(many, effects, _WARM)
            self.known[key] = float(found[0]), (around[:n] - around[n:]) / (2 * _DIFFERENCE), effects
        value, slope, effects = self.known[key]
        if not self.trace or value < min(v for v, _ in self.trace):
            self.effects = effects
        self.trace.append((value, np.array(numbers)))
        return value, slope

    def kept(self) -> dict[str, NDArray[np.float64]]:
        """What it was asked and what it found, as arrays."""
        asked = [np.frombuffer(key) for key in self.known]
        values = list(self.known.values())
        return {
            "asked": np.array(asked), "objectives": np.array([v[0] for v in values]),
            "slopes": np.array([v[1] for v in values]), "effects": np.array([v[2] for v in values]),
        }  # fmt: skip

    def take_up(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        """Remember what ``kept`` told: the same questions get the same answers at once."""
        every = zip(arrays["asked"], arrays["objectives"].tolist(), arrays["slopes"], arrays["effects"])
        for asked, objective, slope, effects in every:
            self.known[np.ascontiguousarray(asked).tobytes()] = objective, slope, effects


@dataclass(frozen=True)
class Minimum:
    """Where the search ended: values, modes, and whether it may be called a minimum."""

    point: Point
    numbers: Floats
    objective: float
    modes: Modes
    slope: float
    found: bool
    said: str


def outer_of(population: Population, laplace: bool) -> Outer:
    """The objective of a problem, at its start."""
    start = Point(population.beta.copy(), population.omega.copy(), population.gamma.copy(), population.sigma.copy())
    packing = Packing(population, theta_of(population), start)
    return Outer(population, packing, laplace, np.zeros((population.subjects, population.effects)))


def minimize(outer: Outer, told: Callable[[int, float, Point], None] | None = None) -> Minimum:
    """Search for the least objective.

    Parameters
    ----------
    told : callable (iteration, objective, point), optional
    """
    packing, population = outer.packing, outer.population
    count = [0]

    def after(numbers: Floats) -> None:
        count[0] += 1
        if told is not None:
            told(count[0], outer.trace[-1][0], packing.unpack(numbers))

    begin = packing.pack(packing.start)
    said = ""
    for _ in range(RESTARTS):
        left = population.problem.settings.iterations - count[0]
        options = {"maxiter": max(left, 1), "gtol": ENOUGH}
        found = cast("Any", optimize).minimize(outer, begin, jac=True, method="BFGS", callback=after, options=options)
        said = " ".join(str(found.message).split())
        value, begin = min(outer.trace, key=lambda one: one[0])
        steep = float(np.max(np.abs(outer.known[begin.tobytes()][1]), initial=0.0))
        if steep < 10 * ENOUGH or left <= 1:
            break  # else its picture of the curvature has gone wrong: once more from here, with a fresh one
    value, numbers = min(outer.trace, key=lambda one: one[0])
    slope = outer.known[np.ascontiguousarray(numbers).tobytes()][1]
    sets, points = outer.sets(numbers[None])
    modes = modes_of(population, sets, outer.known[np.ascontiguousarray(numbers).tobytes()][2][None], _SEARCH)
    steep = float(np.max(np.abs(slope))) if len(slope) else 0.0
    return Minimum(points[0], numbers, value, modes, steep, steep < 10 * ENOUGH, said)


def covariance_of(outer: Outer, minimum: Minimum, theta: Theta) -> tuple[Floats | None, tuple[str, ...]]:
    """Covariance of theta from second differences of the objective: 2 H^-1 of the unbounded numbers, carried over.

    Where random effects are tied at a correlation of 1 or -1 they are held so.

    Returns
    -------
    covariance or None, names that the data do not tell of
    """
    v, n = minimum.numbers, len(minimum.numbers)
    by = _DIFFERENCE_TWICE
    moves: list[tuple[int, int, int]] = [(i, i, s) for i in range(n) for s in (1, -1)]
    moves += [(i, j, s) for i in range(n) for j in range(i) for s in (1, -1)]
    many = np.repeat(v[None], len(moves), axis=0)
    for row, (i, j, s) in zip(many, moves):
        row[i] += s * by
        row[j] += s * by if i != j else 0.0
    values = outer.part(many, minimum.modes.effects[0], _WARM)
    sums: dict[tuple[int, int], float] = {}
    for (i, j, _), value in zip(moves, values.tolist()):
        sums[i, j] = sums.get((i, j), 0.0) + value
    curvature = np.empty((n, n))
    for (i, j), both in sums.items():
        if i == j:
            curvature[i, i] = (both - 2 * minimum.objective) / by**2
        else:
            cross = both - sums[i, i] - sums[j, j] + 2 * minimum.objective
            curvature[i, j] = curvature[j, i] = cross / (2 * by**2)
    packing = outer.packing
    at = len(theta.beta)
    names = [*theta.names[:at], *(f"omega[{i + 1}, {j + 1}]" for i, j in packing.cells),
             *theta.names[at + len(theta.omega) :]]  # fmt: skip
    own, lost = invert(curvature / 2, tuple(names))
    if own is None:
        return None, lost
    kept = np.flatnonzero(np.isfinite(np.diag(own)))
    slopes = np.empty((len(theta), n))
    for i in range(n):
        up, down = v.copy(), v.copy()
        up[i] += 1e-5
        down[i] -= 1e-5
        slopes[:, i] = (theta.of(packing.unpack(up)) - theta.of(packing.unpack(down))) / 2e-5
    found = slopes[:, kept] @ own[np.ix_(kept, kept)] @ slopes[:, kept].T
    unknown = ~np.any(np.abs(slopes[:, kept]) > 1e-10, axis=1)  # they follow from nothing that is known
    found[unknown] = found[:, unknown] = np.nan
    return found, tuple(name for name, u in zip(theta.names, unknown) if u)


def curvature_at(
    population: Population, point: Point, effects: Floats, theta: Theta
) -> tuple[Floats | None, tuple[str, ...]]:
    """Covariance of theta from the curvature of FOCEI's objective at values that another estimator found.

    Parameters
    ----------
    effects : ndarray (subjects, e)
        Near the most likely ones.
    """
    packing = Packing(population, theta_of(population), point)
    outer = Outer(population, packing, False, effects)
    numbers = packing.pack(point)
    found, modes = outer.objectives(numbers[None], effects, _SEARCH)
    there = Minimum(point, numbers, float(found[0]), modes, 0.0, True, "")
    return covariance_of(outer, there, theta)
