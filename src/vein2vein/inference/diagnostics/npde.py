"""Normalized prediction distribution errors: each row's place among the same row drawn anew, subjects decorrelated.

Under the right model each is standard normal (Brendel and others 2006; Comets and others 2008). The value of a row
beyond a
limit is drawn from what it may have been: its subject's random effects from the conditional distribution, and the row
behind
the limit around their prediction. The usual way (npde's cdf: Nguyen and others 2012) draws each such row for itself by
its
place among all patients; late rows of one patient lie below the limit together, and drawn apart they leave the
variance of
decorrelated errors too large (measured: docs/fit-a-study.md).

Decorrelated rows of a subject are uncorrelated and still not independent where the model is not linear, so tests that
take
them for independent find faults in right models. Here the drawn studies give the tests their distributions: each of
them
has errors of its own among the others.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the numerical libraries type what they return in part only)
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from vein2vein.inference.diagnostics.redrawn import Redrawn, redraw
from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.residual import behind_limits
from vein2vein.records import described

Floats = NDArray[np.float64]
ALPHA = 0.05
_LEAST = 1e-300


@described
@dataclass(frozen=True)
class Npde:
    """Prediction distribution errors of rows (m,).

    Attributes
    ----------
    npde : ndarray (m,)
        Decorrelated within each subject.
    npd : ndarray (m,)
        Each row for itself.
    mean, variance : float
    p_mean, p_variance, p_normal : float
        Of the mean, the variance and the distance of Anderson and Darling from a normal distribution, each among those
        of
        the drawn studies; times 3, since there are three (Bonferroni).
    verdict : str
        In words.
    """

    npde: Floats
    npd: Floats
    mean: float
    variance: float
    p_mean: float
    p_variance: float
    p_normal: float
    verdict: str


def npde(fit: Fit, *, count: int = 1000, seed: int | None = None) -> Npde:
    """Prediction distribution errors of a fit.

    Parameters
    ----------
    fit : Fit
    count : int
        Studies drawn anew.
    seed : int, optional
        The fit's own by default.
    """
    return npde_of(fit, redraw(fit, count=count, seed=seed))


def npde_of(fit: Fit, drawn: Redrawn) -> Npde:
    """Prediction distribution errors by a study that was drawn already."""
    rng = np.random.Generator(np.random.PCG64([fit.seed, len(drawn.drawn), len(drawn)]))
    log = fit.population.rows.log
    anew = np.where(log, np.log(np.maximum(drawn.drawn, _LEAST)), drawn.drawn)
    value = np.where(log, np.log(np.where(log, np.maximum(drawn.value, _LEAST), 1.0)), drawn.value)
    values = _completed(fit, value, rng)
    place = _places(values, anew)
    found, others = np.empty(len(drawn)), np.empty(anew.shape)
    for i in range(int(drawn.subject.max(initial=-1)) + 1):
        of = np.flatnonzero(drawn.subject == i)
        found[of], others[:, of] = _decorrelated(values[of], anew[:, of], rng)
    return _tested(_normal(found), _normal(place), _normal(others))


def _completed(fit: Fit, value: Floats, rng: np.random.Generator) -> Floats:
    """Values (m,) on the scale of their errors, those beyond a limit drawn around the prediction of one draw of
    effects."""
    own, point = fit.population, fit.point
    if not len(own.rows.censored):
        return value
    effects = fit.effects[int(rng.integers(len(fit.effects)))]
    f = own.f(own.mean(point.beta), effects[None])
    found = behind_limits(own.rows, f, point.sigma, rng)[0]
    behind = np.zeros(len(value), dtype=bool)
    behind[own.rows.censored] = True
    return np.where(behind & np.isfinite(found), found, value)


def _places(value: Floats, anew: Floats) -> Floats:
    """Share (m,) of the drawn rows below each row."""
    count = len(anew)
    return np.clip(np.mean(anew < value, axis=0), 0.5 / count, 1 - 0.5 / count)


def _decorrelated(value: Floats, anew: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Places of a subject's rows (n,), and of its drawn ones (count, n), after correlation is taken out."""
    mean = anew.mean(axis=0)
    apart = anew - mean
    covariance = apart.T @ apart / (len(anew) - 1)
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-30))
    correlation = covariance / scale / scale[:, None]
    root: Floats = np.linalg.cholesky(correlation + 1e-9 * np.eye(len(mean)))
    there: Floats = np.linalg.solve(root, (value - mean) / scale)
    others: Floats = np.linalg.solve(root, (apart / scale).T)
    count = len(anew)
    share = np.mean(others < there[:, None], axis=1)
    uniform = rng.random(len(mean)) / count  # between two drawn ones: anywhere
    own = np.clip(np.minimum(share, 1 - 1 / count) + uniform, 0.1 / count, 1 - 0.1 / count)
    ranks = np.argsort(np.argsort(others, axis=1), axis=1)
    return own, ((ranks + 0.5) / count).T


def _tested(values: Floats, plain: Floats, others: Floats) -> Npde:
    every = np.concatenate([values[None], others])
    means, variances = every.mean(axis=1), every.var(axis=1, ddof=1)
    distances = distance(every)
    tests = (_two_sided(means), _two_sided(variances), float(np.mean(distances >= distances[0])))
    adjusted = [min(1.0, 3 * p) for p in tests]
    mean, variance = float(means[0]), float(variances[0])
    wrong = [
        words
        for p, words in zip(
            adjusted,
            (
                f"their mean is {mean:.2f} instead of 0",
                f"their variance is {variance:.2f} instead of 1",
                "they are not normal",
            ),
        )
        if p < ALPHA
    ]
    said = f"{' and '.join(wrong)}" if wrong else "nothing speaks against a standard normal distribution"
    told = f"{said} (least p {min(adjusted):.2g} of three tests among {len(others)} drawn studies, each times three)"
    return Npde(values, plain, mean, variance, adjusted[0], adjusted[1], adjusted[2], told)


def _normal(share: Floats) -> Floats:
    return np.asarray(special.ndtri(share))


def _two_sided(values: Floats) -> float:
    """p of the first among all of them."""
    below, above = float(np.mean(values <= values[0])), float(np.mean(values >= values[0]))
    return min(1.0, 2 * min(below, above))


def distance(values: Floats) -> Floats:
    """Anderson and Darling's distance (k,) of rows (k, n) from a normal distribution with their own mean and SD."""
    ordered = np.sort((values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, ddof=1, keepdims=True), axis=1)
    n = ordered.shape[1]
    weight: Floats = 2.0 * np.arange(1, n + 1) - 1.0
    log_tail, log_other = np.asarray(special.log_ndtr(ordered)), np.asarray(special.log_ndtr(-ordered[:, ::-1]))
    return -n - np.mean(weight * (log_tail + log_other), axis=1)
