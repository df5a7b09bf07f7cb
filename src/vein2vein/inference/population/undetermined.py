"""Correlations of random effects of which the data tell nothing, and the errors that are noise with them.

Where nearly all that draws of a random effect tell is missing again (see ``louis``), the information on its covariances
is a difference of two large numbers. What comes out can be positive and still mean nothing: a correlation lies between
-1 and 1, so a standard error of 2 is no error of it, and those of the typical values beside it are no better.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.population.estimates import correlation_error
from vein2vein.inference.population.population import Population
from vein2vein.inference.population.theta import Point, Theta

Floats = NDArray[np.float64]

NO_ERROR = 2.0
"""Standard error of a correlation that is none: all that it can be lies within one of it."""
SHRUNKEN = 0.5
"""Shrinkage of the random effect of a pair that makes it the one of which the data do not tell."""


def without_noise(
    population: Population, point: Point, theta: Theta, covariance: Floats | None, shrinkage: Floats
) -> tuple[Floats | None, tuple[str, ...]]:
    """The covariance with NaN for what is noise, and what the verdict says of it.

    Of a pair the effects with much shrinkage count, or both: their variances, covariances, typical values and
    coefficients.
    """
    if covariance is None:
        return None, ()
    pairs = [
        (i, j)
        for i, j in theta.omega
        if i != j and correlation_error(population, point, theta, covariance, i, j) > NO_ERROR
    ]
    if not pairs:
        return covariance, ()
    wide = {k for pair in pairs for k in ([k for k in pair if shrinkage[k] > SHRUNKEN] or pair)}
    names, parameters = population.random_names, {int(population.random[k]) for k in wide}
    first = len(theta.beta)
    noise = [t for t, j in enumerate(theta.beta) if population.coefficients[j].parameter in parameters]
    noise += [first + t for t, pair in enumerate(theta.omega) if wide & set(pair)]
    found = covariance.copy()
    found[noise] = found[:, noise] = np.nan
    told = ", ".join(f"{names[min(pair)]} and {names[max(pair)]}" for pair in pairs)
    whose = ", ".join(names[k] for k in sorted(wide))
    return found, (
        f"the correlation of {told} is not determined: its standard error came out above {NO_ERROR:g}, which no "
        f"correlation has. So no errors are given of {whose}, neither of the typical value nor of the spread; take the "
        "pair out of the block ([omega] blocks), or take --bootstrap for intervals.",
    )
