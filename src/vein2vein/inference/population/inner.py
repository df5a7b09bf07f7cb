"""The most likely random effects of each subject, and the curvature there: for FOCEI, Laplace and individual fits.

Subjects and whole sets of population values are followed side by side: predictions of all of them are one call, and so
is a gradient by differences. Steps are damped Gauss-Newton steps; censored rows have the curvature of the logarithm of
their probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.population.population import Population
from vein2vein.inference.population.residual import LOG_2PI, log_between, of_rows, on_scale, per_group, spread

Floats = NDArray[np.float64]

STEPS = 30  # solver coefficient: most steps of a search
CLOSE = 1e-6  # solver coefficient: a search ends where no effect moves further than this
_DIFFERENCE = 1e-4  # solver coefficient: of derivatives by effects, closed forms
_DIFFERENCE_SOLVED = 1e-3  # solver coefficient: the same where equations are solved, above their error
_LONGEST = 2.0  # solver coefficient: of one step, Gaussian scale
_ROWS = 400_000  # solver coefficient: values predicted in one call, for the memory


@dataclass(frozen=True)
class Sets:
    """Sets (t,) of population values: mean (t, spans, parameters), omega (t, e, e), sigma (t, endpoints, 2)."""

    mean: Floats
    omega: Floats
    sigma: Floats


@dataclass(frozen=True)
class Modes:
    """Where the searches ended.

    Attributes
    ----------
    effects : ndarray (t, subjects, e)
    curvature : ndarray (t, subjects, e, e)
        Of minus the joint log-density: Gauss-Newton, with the term of the error's own change (interaction).
    joint : ndarray (t, subjects)
        Log-density of data and effects, without the constants of the effects' law.
    moved : float
        Largest last step: above ``CLOSE`` a search was cut short.
    """

    effects: Floats
    curvature: Floats
    joint: Floats
    moved: float


def joint_of(population: Population, sets: Sets, effects: Floats) -> Floats:
    """Log-density (t, subjects) of data and effects, without the constants of the effects' law."""
    found = population.likelihood(population.f(sets.mean, effects), sets.sigma)
    return found - 0.5 * np.einsum("tni,tni->tn", effects @ np.linalg.inv(sets.omega), effects)


def modes_of(population: Population, sets: Sets, effects: Floats, steps: int = STEPS) -> Modes:
    """Search from some effects (t, subjects, e) for the most likely ones."""
    e = population.effects
    joint = joint_of(population, sets, effects)
    if not e:
        return Modes(effects, np.zeros((*joint.shape, 0, 0)), joint, 0.0)
    damping = np.full(joint.shape, 1e-3)
    moved = np.zeros(joint.shape)
    score, curvature = derivatives(population, sets, effects)
    for _ in range(steps):
        active, moved = np.ones(joint.shape, dtype=bool), np.zeros(joint.shape)
        for _ in range(8):
            diagonal = np.einsum("tnii->tni", curvature)
            damped = curvature + damping[..., None, None] * diagonal[..., None, :] * np.eye(e)
            step = np.asarray(np.linalg.solve(damped, score[..., None])[..., 0], dtype=np.float64)
            step *= np.minimum(1.0, _LONGEST / np.maximum(np.abs(step).max(axis=-1), 1e-12))[..., None]
            new = np.where(active[..., None], effects + step, effects)
            found = joint_of(population, sets, new)
            better = active & (found >= joint - 1e-12)
            effects = np.where(better[..., None], new, effects)
            moved = np.where(better, np.abs(step).max(axis=-1), moved)
            joint = np.where(better, found, joint)
            damping = np.clip(np.where(better, damping * 0.2, np.where(active, damping * 8, damping)), 1e-9, 1e9)
            active = active & ~better & (np.abs(step).max(axis=-1) > CLOSE)
            if not active.any():
                break
        score, curvature = derivatives(population, sets, effects)
        if moved.max() < CLOSE:
            break
    return Modes(effects, curvature, joint, float(moved.max()))


def _wide(population: Population, sets: Sets, effects: Floats) -> Floats:
    """Predictions (k, t, m) for effects (k, t, subjects, e), in parts that fit the memory."""
    k, t = effects.shape[:2]
    part = max(1, _ROWS // (t * len(population.layout.rows)))
    found = np.empty((k, t, len(population.layout.rows)))
    for at in range(0, k, part):
        own = effects[at : at + part]
        mean = np.broadcast_to(sets.mean, (len(own), *sets.mean.shape)).reshape(-1, *sets.mean.shape[1:])
        found[at : at + part] = population.f(mean, own.reshape(-1, *effects.shape[2:])).reshape(len(own), t, -1)
    return found


def by_effects(population: Population, sets: Sets, effects: Floats) -> tuple[Floats, Floats, Floats]:
    """Predictions f (t, m), and the derivatives (t, m, e) of the mean and the SD of each row on its scale."""
    e = population.effects
    by = _DIFFERENCE if population.closed else _DIFFERENCE_SOLVED
    moved = np.broadcast_to(effects, (2 * e + 1, *effects.shape)).copy()
    for i in range(e):
        moved[2 * i, ..., i] += by
        moved[2 * i + 1, ..., i] -= by
    f = _wide(population, sets, moved)
    center = on_scale(population.rows, f[:-1])
    slope = np.moveaxis((center[0::2] - center[1::2]) / (2 * by), 0, -1)
    if all(m.scale == "log" or m.error == "constant" for m in population.rows.models):
        return f[-1], slope, np.zeros((1, 1, 1))
    sd = spread(population.rows, f[:-1], sets.sigma)
    return f[-1], slope, np.moveaxis((sd[0::2] - sd[1::2]) / (2 * by), 0, -1)


def derivatives(population: Population, sets: Sets, effects: Floats) -> tuple[Floats, Floats]:
    """Score (t, subjects, e) and curvature (t, subjects, e, e) of the joint log-density."""
    rows, inverse = population.rows, np.linalg.inv(sets.omega)
    with np.errstate(all="ignore"):
        f, slope, widening = by_effects(population, sets, effects)
        mean, sd = on_scale(rows, f), spread(rows, f, sets.sigma)
        z = (rows.value - mean) / sd
        by_mean, by_sd = z / sd, (z * z - 1) / sd
        bend_mean, bend_sd = 1 / sd**2, 2 / sd**2
        bend_mean, bend_sd = np.broadcast_to(bend_mean, z.shape).copy(), np.broadcast_to(bend_sd, z.shape).copy()
        if len(rows.censored):
            c, own = rows.censored, of_rows(sd, rows.censored)
            low, high = (rows.lower - mean[..., c]) / own, (rows.upper - mean[..., c]) / own
            whole = log_between(low, high)
            edge = [np.where(np.isfinite(x), np.exp(-0.5 * x * x - 0.5 * LOG_2PI - whole), 0.0) for x in (low, high)]
            tilt = [np.where(np.isfinite(x), x, 0.0) * y for x, y in zip((low, high), edge)]
            by_mean[..., c] = -(edge[1] - edge[0]) / own
            by_sd[..., c] = -(tilt[1] - tilt[0]) / own
            bend_mean[..., c] = ((tilt[1] - tilt[0]) + (edge[1] - edge[0]) ** 2) / own**2
            bend_sd[..., c] = 0.0
        parts = by_mean[..., None] * slope + by_sd[..., None] * widening
        bends = np.einsum("tmi,tmj,tm->tijm", slope, slope, bend_mean)
        if widening.shape[1] > 1:
            bends = bends + np.einsum("tmi,tmj,tm->tijm", widening, widening, bend_sd)
    parts, bends = np.nan_to_num(parts), np.nan_to_num(bends)
    score = np.moveaxis(per_group(np.moveaxis(parts, -1, 1), population.starts), 1, -1) - effects @ inverse
    curvature = np.moveaxis(per_group(bends, population.starts), -1, 1) + inverse[:, None]
    return score, curvature


def laplace_curvature(population: Population, sets: Sets, effects: Floats) -> Floats:
    """The whole curvature (t, subjects, e, e) of minus the joint log-density, by second differences."""
    e, by = population.effects, 1e-3  # solver coefficient: rounding of 1e-13 / by^2 stays below 1e-6
    moves = [np.zeros(e)]
    for i in range(e):
        for j in range(i + 1):
            for s in (1.0, -1.0):
                one = np.zeros(e)
                one[i] += by * s
                one[j] += by * s if i != j else 0.0
                moves.append(one)
    effects_of = effects[None] + np.array(moves)[:, None, None]
    f = _wide(population, sets, effects_of)
    inverse = np.linalg.inv(sets.omega)
    joint = population.likelihood(f, sets.sigma)
    joint = joint - 0.5 * np.einsum("ktni,tij,ktnj->ktn", effects_of, inverse, effects_of)
    found = np.empty((*effects.shape, e))
    sums = {(i, j): joint[1 + 2 * k] + joint[2 + 2 * k] for k, (i, j) in enumerate(
        (i, j) for i in range(e) for j in range(i + 1))}  # fmt: skip
    for (i, j), both in sums.items():
        if i == j:
            found[..., i, i] = -(both - 2 * joint[0]) / by**2
        else:
            cross = (both - sums[i, i] - sums[j, j] + 2 * joint[0]) / (2 * by**2)
            found[..., i, j] = found[..., j, i] = -cross
    return found
