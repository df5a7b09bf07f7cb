"""Random effects by draws of the conditional distributions: against their law, each other and covariates.

Draws, not means: means shrink towards 0 where the data say little, and would show no spread and false correlations.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from vein2vein.inference.population.fitted import Fit
from vein2vein.records import described

Floats = NDArray[np.float64]


@described
@dataclass(frozen=True)
class Related:
    """How a random effect goes with a covariate.

    Attributes
    ----------
    parameter, covariate : str
    kind : {"numbers", "words"}
    strength : float
        Correlation with the draws, on average; for words the share of the variance between levels.
    p : float
        Of the test with one draw of each subject (Pearson, or analysis of variance): the median over the draws.
    """

    parameter: str
    covariate: str
    kind: str
    strength: float
    p: float


@described
@dataclass(frozen=True)
class RandomEffects:
    """Random effects between subjects.

    Attributes
    ----------
    names : tuple of str (q,)
    draws : ndarray (S, N, q)
    sd : ndarray (q,)
        Of the law.
    drawn_sd : ndarray (q,)
        Of all draws together; near ``sd`` where the law fits.
    shrinkage : ndarray (q,)
        1 - var(conditional means) / omega^2.
    shrinkage_sd : ndarray (q,)
        1 - SD(conditional means) / omega, as NONMEM prints it.
    correlation : ndarray (q, q)
        Of the draws.
    related : tuple of Related
        With constant covariates of the study, the least p first.
    """

    names: tuple[str, ...]
    draws: Floats
    sd: Floats
    drawn_sd: Floats
    shrinkage: Floats
    shrinkage_sd: Floats
    correlation: Floats
    related: tuple[Related, ...]


def random_effects(fit: Fit) -> RandomEffects:
    """Look at the random effects of a fit."""
    q = len(fit.omega)
    draws = fit.effects[..., :q]
    sd = np.sqrt(np.diag(fit.omega)) if q else np.zeros(0)
    flat = draws.reshape(-1, q)
    drawn = np.sqrt(np.mean(flat**2, axis=0)) if q else np.zeros(0)
    means = fit.eta_mean.var(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        shrinkage = 1 - means / sd**2
        shrinkage_sd = 1 - np.sqrt(means) / sd
        correlation = np.atleast_2d(np.corrcoef(flat.T)) if q > 1 else np.ones((q, q))
    return RandomEffects(
        fit.random, draws, sd, drawn, shrinkage, shrinkage_sd, correlation, tuple(_related(fit, draws))
    )


def covariate_values(fit: Fit, name: str) -> Floats:
    """A constant covariate of each subject of a fit (N,); NaN where it is not known."""
    study = fit.problem.study
    constant = study.covariates[name].constant
    if constant is None:
        return np.full(len(fit.population.layout.subjects), np.nan)
    place = {subject: i for i, subject in enumerate(study.subjects)}
    return constant[[place[subject] for subject in fit.population.layout.subjects]]


def _related(fit: Fit, draws: Floats) -> list[Related]:
    found: list[Related] = []
    some = draws[:: max(1, len(draws) // 50)]
    for name, one in fit.problem.study.covariates.items():
        values = covariate_values(fit, name)
        known = np.isfinite(values)
        if known.sum() < 5 or len(np.unique(values[known])) < 2:
            continue
        for k, parameter in enumerate(fit.random):
            tests = [_tested(draw[known, k], values[known], bool(one.categories)) for draw in some]
            strength, p = np.mean([t[0] for t in tests]), np.median([t[1] for t in tests])
            if np.isfinite(p):
                kind = "words" if one.categories else "numbers"
                found.append(Related(parameter, name, kind, float(strength), float(p)))
    return sorted(found, key=lambda one: one.p)


def _tested(effect: Floats, values: Floats, words: bool) -> tuple[float, float]:
    if np.ptp(effect) == 0:
        return np.nan, np.nan
    n = len(effect)
    if not words:
        r = float(np.corrcoef(effect, values)[0, 1])
        t = abs(r) * np.sqrt((n - 2) / max(1 - r * r, 1e-12))
        return r, 2 * float(special.stdtr(n - 2, -t))
    groups = [effect[values == level] for level in np.unique(values)]
    if min(len(one) for one in groups) < 2:
        return np.nan, np.nan
    between = sum(len(one) * float(one.mean() - effect.mean()) ** 2 for one in groups)
    within = sum(float(np.sum((one - one.mean()) ** 2)) for one in groups)
    degrees = len(groups) - 1, n - len(groups)
    f = between / degrees[0] / max(within / degrees[1], 1e-300)
    return between / (between + within), float(special.fdtrc(*degrees, f))
