"""The study drawn anew from a fit: the same visits, doses and covariates, other patients and other errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.arguments import seed_of, whole
from vein2vein.errors import InputError
from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.population import Population
from vein2vein.inference.population.predictions import censored_of, simulated
from vein2vein.io.study.study import ABOVE, BELOW
from vein2vein.records import described

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST = 100_000
BLOCK = 4_000_000  # numbers drawn at once: a hundred megabytes with what is computed on the way


@described
@dataclass(frozen=True)
class Redrawn:
    """Rows (m,) of a fit, and as many drawn anew ``count`` times.

    Attributes
    ----------
    subject, endpoint : ndarray of int (m,)
    time, value : ndarray (m,)
        As the study has them; of a censored row the limit.
    censored : ndarray of int8 (m,)
        0 measured, 1 below ``value``, -1 above it.
    typical : ndarray (m,)
        Prediction with random effects of 0.
    drawn : ndarray (count, m)
        With errors of measurement and without limits, natural scale.
    lower, upper : ndarray (m,)
        Limits of quantification that hold for each row, the measured ones among them; infinite where none is known.
    lost : int
        Drawn subjects that the model could not be solved for; others of the same subject stand in their places.
    """

    subject: Ints
    endpoint: Ints
    time: Floats
    value: Floats
    censored: NDArray[np.int8]
    typical: Floats
    drawn: Floats
    lower: Floats
    upper: Floats
    lost: int

    def __len__(self) -> int:
        """How many rows."""
        return len(self.time)


def redraw(fit: Fit, *, count: int = 500, seed: int | None = None) -> Redrawn:
    """Draw the study of a fit anew.

    Parameters
    ----------
    fit : Fit
    count : int
        How often.
    seed : int, optional
        The fit's own by default.

    Raises
    ------
    InputError
        The model cannot be solved for any new patient in the place of some subject.
    """
    whole("count", count, low=20, high=MOST)
    own, point = fit.population, fit.point
    rng = np.random.Generator(np.random.PCG64([fit.seed if seed is None else seed_of(seed), count]))
    m = len(own.rows.value)
    drawn = np.empty((count, m))
    step = max(1, BLOCK // (m * max(1, own.effects)))
    for first in range(0, count, step):
        _, drawn[first : first + step] = simulated(own, point, rng, min(step, count - first))
    lost = _without_lost(own, drawn, rng)
    seen, rows = fit.problem.study.observations, own.layout.rows
    value = np.where(own.rows.log, np.exp(own.rows.value), own.rows.value)
    value = np.where(np.isclose(value, seen.value[rows], rtol=1e-12), seen.value[rows], value)  # without rounding
    still = np.zeros((1, own.subjects, own.effects))
    typical = own.f(own.mean(point.beta), still)[0]
    flags = censored_of(own)
    lower, upper = limits_of(own, value, flags)
    return Redrawn(
        own.layout.subject, own.layout.endpoint, seen.time[rows], value, flags, typical, drawn, lower, upper, lost
    )


def _without_lost(population: Population, drawn: Floats, rng: np.random.Generator) -> int:
    """Put other drawn patients in the places of those that could not be solved; returns how many there were."""
    ends = [*population.starts[1:].tolist(), drawn.shape[1]]
    lost = 0
    for i, (first, last) in enumerate(zip(population.starts.tolist(), ends)):
        bad = np.flatnonzero(~np.isfinite(drawn[:, first:last]).all(axis=1))
        if not len(bad):
            continue
        lost += len(bad)
        good = np.setdiff1d(np.arange(len(drawn)), bad)
        if not len(good):
            who = population.layout.subjects[i]
            raise InputError(
                f"the model cannot be solved for any new patient in the place of {who}; look at the estimates of the "
                "spread between patients, which reach where the model has no solution."
            )
        drawn[bad, first:last] = drawn[rng.choice(good, len(bad)), first:last]
    return lost


def limits_of(population: Population, value: Floats, flags: NDArray[np.int8]) -> tuple[Floats, Floats]:
    """Lower and upper limit of quantification of each row, natural scale; infinite where none is known.

    A censored row has its own. A measured one has that of its endpoint's model, else the one that most censored rows of
    its endpoint have, unless it was measured beyond it.
    """
    lower, upper = np.full(len(value), -np.inf), np.full(len(value), np.inf)
    for e, model in enumerate(population.rows.models):
        of = population.layout.endpoint == e
        for side, found in ((BELOW, lower), (ABOVE, upper)):
            known = value[of & (flags == side)]
            if model.lloq is not None and side == BELOW:
                usual = model.lloq
            elif len(known):
                numbers, times = np.unique(known, return_counts=True)
                usual = float(numbers[np.argmax(times)])
            else:
                continue
            measured = of & (flags == 0) & ((value >= usual) if side == BELOW else (value <= usual))
            found[measured] = usual
            found[of & (flags == side)] = known
    return lower, upper
