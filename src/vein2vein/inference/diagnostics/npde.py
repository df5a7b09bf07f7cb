"""Normalized prediction distribution errors: each row's place among the same row drawn anew, subjects decorrelated.

Under the right model they are standard normal and independent (Brendel and others 2006; Comets and others 2008). A row
beyond a limit takes a place at random among the drawn ones beyond it, with the model's own probability (the way of npde
that is called cdf: Nguyen and others 2012).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtri

from vein2vein.inference.diagnostics.redrawn import Redrawn, redraw
from vein2vein.inference.population.fitted import Fit
from vein2vein.io.study.study import ABOVE, BELOW
from vein2vein.records import described

Floats = NDArray[np.float64]
ALPHA = 0.05
_LEAST = 1e-300
MOST_SHAPIRO = 5000  # values that the test of normality takes


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
        Wilcoxon's test of the mean 0, the chi-square test of the variance 1, Shapiro and Wilk's of normality; each times
        3, since there are three (Bonferroni).
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
    place = _places(value, anew, drawn.censored, rng)
    own = np.sort(anew, axis=0)
    values = value.copy()
    for i in np.flatnonzero(drawn.censored != 0):  # a value of that place among the drawn ones
        values[i] = np.quantile(own[:, i], place[i])
    found = np.empty(len(drawn))
    for i in range(int(drawn.subject.max(initial=-1)) + 1):
        of = np.flatnonzero(drawn.subject == i)
        found[of] = _decorrelated(values[of], anew[:, of], rng)
    return _tested(ndtri(found), ndtri(place))


def _places(value: Floats, anew: Floats, censored: NDArray[np.int8], rng: np.random.Generator) -> Floats:
    """Share (m,) of the drawn rows below each row; of a censored one a place at random beyond its limit."""
    count = len(anew)
    below = np.mean(anew < value, axis=0)
    found = np.clip(below, 0.5 / count, 1 - 0.5 / count)
    uniform = rng.random(len(value))
    low, high = censored == BELOW, censored == ABOVE
    found[low] = np.maximum(below[low], 1 / count) * uniform[low]
    found[high] = 1 - np.maximum(1 - below[high], 1 / count) * uniform[high]
    return np.clip(found, 0.1 / count, 1 - 0.1 / count)


def _decorrelated(value: Floats, anew: Floats, rng: np.random.Generator) -> Floats:
    """Places of a subject's rows after the correlation that drawn rows have is taken out."""
    mean = anew.mean(axis=0)
    apart = anew - mean
    covariance = apart.T @ apart / (len(anew) - 1)
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-30))
    correlation = covariance / scale / scale[:, None]
    root = np.linalg.cholesky(correlation + 1e-9 * np.eye(len(mean)))
    there = np.linalg.solve(root, (value - mean) / scale)
    others = np.linalg.solve(root, (apart / scale).T)
    count = len(anew)
    share = np.mean(others < there[:, None], axis=1)
    uniform = rng.random(len(mean)) / count  # between two drawn ones: anywhere
    return np.clip(np.minimum(share, 1 - 1 / count) + uniform, 0.1 / count, 1 - 0.1 / count)


def _tested(values: Floats, plain: Floats) -> Npde:
    n = len(values)
    mean, variance = float(values.mean()), float(values.var(ddof=1))
    square = float(stats.chi2.cdf((n - 1) * variance, n - 1))
    tests = (
        float(stats.wilcoxon(values).pvalue),
        2 * min(square, 1 - square),
        float(stats.shapiro(values[:: -(-n // MOST_SHAPIRO)]).pvalue),
    )
    adjusted = tuple(min(1.0, 3 * p) for p in tests)
    wrong = [
        words for p, words in zip(adjusted, (f"their mean is {mean:.2f} instead of 0",
                                             f"their variance is {variance:.2f} instead of 1", "they are not normal"))
        if p < ALPHA
    ]  # fmt: skip
    said = f"{' and '.join(wrong)}" if wrong else "nothing speaks against a standard normal distribution"
    least = min(adjusted)
    return Npde(values, plain, mean, variance, *adjusted,
                f"{said} (least p {least:.2g} of three tests, each times three)")  # fmt: skip
