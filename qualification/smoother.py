"""One step of an ensemble smoother with multiple data assimilation (Emerick and Reynolds, 2013), localized.

With a hundred members a correlation of 0.1 is noise. So every factor is moved by its own regression, on the rows of
which it is known, or seen, to matter: rows of trials in which none of its cards is used are left out (the true
correlation is zero), and so are rows whose correlation with it over the ensemble is below two standard errors; up to
three standard errors a row counts with a growing weight, by a larger error. A row that lies far outside of the ensemble
pulls as one at three standard deviations does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FROM, WHOLE = 2.0, 3.0  # standard errors of a correlation: where a row begins to count, and where it counts in full
CONFLICT = 3.0  # distance of a row from the ensemble, in standard deviations, beyond which it pulls no harder
KNOWN = 0.8  # least share of the members that produced a row


def correlations(ensemble: Floats, outcome: Floats) -> Floats:
    """Correlation of each factor with each row over the members, shape (factors, rows); 0 for what does not vary."""
    a, d = ensemble - ensemble.mean(axis=0), outcome - outcome.mean(axis=0)
    size = np.sqrt(np.outer((a**2).sum(axis=0), (d**2).sum(axis=0)))
    return np.divide(a.T @ d, size, out=np.zeros((a.shape[1], d.shape[1])), where=size > 0)


def weights(correlation: Floats, members: int, allowed: NDArray[np.bool_]) -> Floats:
    """How much a row counts for a factor: 0 to 1, by its correlation in standard errors; 0 where it cannot matter."""
    errors = np.abs(correlation) * np.sqrt(members)
    return np.clip((errors - FROM) / (WHOLE - FROM), 0.0, 1.0) * allowed


def filled(outcome: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Outcomes with gaps filled by the mean of the other members, and which rows enough members produced."""
    share = np.isfinite(outcome).mean(axis=0)
    mean = np.array([np.mean(column[np.isfinite(column)]) if some else 0.0 for column, some in zip(outcome.T, share)])
    return np.where(np.isfinite(outcome), outcome, mean), share >= KNOWN


def softened(outcome: Floats, data: Floats, error: Floats) -> Floats:
    """Errors, larger for rows that the ensemble cannot reach, so that what the model lacks does not bend the rest."""
    spread = np.sqrt(outcome.var(axis=0, ddof=1) + error**2)
    return error * np.maximum(np.abs(data - outcome.mean(axis=0)) / spread / CONFLICT, 1.0)


def move(
    ensemble: Floats,
    outcome: Floats,
    data: Floats,
    error: Floats,
    *,
    damping: float,
    allowed: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Floats:
    """The ensemble after one step towards the data.

    Parameters
    ----------
    ensemble : ndarray, shape (members, factors)
    outcome : ndarray, shape (members, rows)
        Simulated rows; NaN: not produced.
    data, error : ndarray, shape (rows,)
        Published values and the standard deviation of their errors, simulation error included.
    damping : float
        Number of steps: the errors' variance is multiplied by it, so that all steps together use the data once.
    allowed : ndarray of bool, shape (factors, rows)
        Which rows a factor can move at all.
    """
    members = len(ensemble)
    outcome, known = filled(outcome)
    error = softened(outcome, data, error)
    weight = weights(correlations(ensemble, outcome), members, allowed & known)
    a, d = ensemble - ensemble.mean(axis=0), outcome - outcome.mean(axis=0)
    cross, own = a.T @ d / (members - 1), d.T @ d / (members - 1)
    luck = rng.standard_normal(outcome.shape)
    luck -= luck.mean(axis=0)
    moved = ensemble.copy()
    for j in range(ensemble.shape[1]):
        use = np.flatnonzero(weight[j])
        if use.size:
            spread = np.sqrt(damping / weight[j, use]) * error[use]
            gain = np.linalg.solve(own[np.ix_(use, use)] + np.diag(spread**2), cross[j, use])
            moved[:, j] += (data[use] + spread * luck[:, use] - outcome[:, use]) @ gain
    return moved


def drawn(ensemble: Floats, count: int, rng: np.random.Generator) -> Floats:
    """More members: normal draws with the ensemble's mean (that of many draws exactly) and covariance."""
    a, luck = ensemble - ensemble.mean(axis=0), rng.standard_normal((count, len(ensemble)))
    luck = luck - luck.mean(axis=0) if count > len(ensemble) else luck
    return ensemble.mean(axis=0) + luck @ a / np.sqrt(max(len(a) - 1, 1))
