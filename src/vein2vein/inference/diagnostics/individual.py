"""Individual fits: each subject's curve with the band of its conditional distribution beside the population's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vein2vein.arguments import whole
from vein2vein.errors import InputError, unknown
from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.population import populate
from vein2vein.inference.population.predictions import censored_of
from vein2vein.inference.population.problem import FitProblem
from vein2vein.io.study.study import Observations
from vein2vein.records import described

Floats = NDArray[np.float64]

BAND = (0.05, 0.95)
POINTS = 60  # of a curve, besides the times of its own rows
MOST_DRAWS = 200  # of the conditional distribution: enough for 5 and 95 %


@described
@dataclass(frozen=True)
class IndividualFit:
    """One endpoint of one course of a subject.

    Attributes
    ----------
    subject, endpoint : str
    course : int
        Of the subject, from 0 on.
    time : ndarray (g,)
        In the study's unit.
    population, median, low, high : ndarray (g,)
        Typical curve of a subject with these covariates; median and 5 to 95 % of its own curve over the draws of its
        conditional distribution, without errors of measurement.
    row_time, row_value : ndarray
    censored : ndarray of int8
        Of each row: 0 measured, 1 below, -1 above its value.
    doses : ndarray
        Times of doses.
    """

    subject: str
    endpoint: str
    course: int
    time: Floats
    population: Floats
    median: Floats
    low: Floats
    high: Floats
    row_time: Floats
    row_value: Floats
    censored: NDArray[np.int8]
    doses: Floats


def individual_fits(fit: Fit, subjects: Sequence[str] | None = None, *, points: int = POINTS) -> list[IndividualFit]:
    """The curves of subjects.

    Parameters
    ----------
    fit : Fit
    subjects : sequence of str, optional
        By default all.
    points : int
        Times of a curve, besides those of its rows.
    """
    whole("points", points, low=2, high=10_000)
    own = fit.population
    for name in subjects or ():
        if name not in own.layout.subjects:
            raise InputError(unknown("subject", str(name), own.layout.subjects), field="subjects")
    dense = populate(on_grid(fit, points))
    mean = dense.mean(fit.beta)
    draws = fit.effects[:: max(1, -(-len(fit.effects) // MOST_DRAWS))]
    curves = np.full((len(draws), len(dense.layout.rows)), np.nan)
    step = max(1, 2_000_000 // max(1, curves.shape[1]))
    for first in range(0, len(draws), step):
        curves[first : first + step] = dense.f(mean, draws[first : first + step])
    typical = dense.f(mean, np.zeros((1, dense.subjects, dense.effects)))[0]
    with np.errstate(all="ignore"):
        low, median, high = np.nanquantile(curves, (BAND[0], 0.5, BAND[1]), axis=0)
    value = np.where(own.rows.log, np.exp(own.rows.value), own.rows.value)
    flags, seen, study = censored_of(own), fit.problem.study.observations, fit.problem.study
    _, courses = np.unique(own.layout.course, return_index=True)
    of_study = seen.course[own.layout.rows[courses]]
    times = study.observations.time[own.layout.rows]
    grid_time = dense.layout.time / dense.layout.factor
    found: list[IndividualFit] = []
    numbered: dict[int, int] = {}
    for c in range(own.layout.courses):
        i = int(own.layout.subject[courses[c]])
        number = numbered[i] = numbered.get(i, -1) + 1
        given = study.doses.time[study.doses.course == of_study[c]]
        for e, endpoint in enumerate(fit.problem.endpoints):
            rows = np.flatnonzero((own.layout.course == c) & (own.layout.endpoint == e))
            if not len(rows) or (subjects is not None and own.layout.subjects[i] not in subjects):
                continue
            at = np.flatnonzero((dense.layout.course == c) & (dense.layout.endpoint == e))
            found.append(
                IndividualFit(
                    own.layout.subjects[i],
                    endpoint,
                    number,
                    grid_time[at],
                    typical[at],
                    median[at],
                    low[at],
                    high[at],
                    times[rows],
                    value[rows],
                    flags[rows],
                    given,
                )
            )
    return found


def on_grid(fit: Fit, points: int) -> FitProblem:
    """The problem of a fit with a row at every time of a grid in the place of what was measured."""
    problem, own = fit.problem, fit.population
    study, seen = problem.study, problem.study.observations
    rows, layout = own.layout.rows, own.layout
    times: list[Floats] = []
    courses: list[NDArray[np.int64]] = []
    endpoints: list[NDArray[np.int64]] = []
    occasions: list[NDArray[np.int64]] = []
    for c in range(layout.courses):
        mine = rows[layout.course == c]
        course = int(seen.course[mine[0]])
        given = study.doses.time[study.doses.course == course]
        first = min(float(seen.time[mine].min()), float(given.min()) if len(given) else np.inf)
        last = float(seen.time[mine].max())
        for e in np.unique(seen.endpoint[mine]).tolist():
            grid = np.union1d(np.linspace(first, last, points), seen.time[mine])
            times.append(grid)
            courses.append(np.full(len(grid), course))
            endpoints.append(np.full(len(grid), e))
            of = np.flatnonzero(layout.spans.course == c)
            begins = layout.spans.begins[of] / layout.factor
            span = of[np.maximum(np.searchsorted(begins, grid, side="right") - 1, 0)]
            occasions.append(layout.spans.occasion[span])
    time, course = np.concatenate(times), np.concatenate(courses)
    order = np.lexsort((time, course))
    count = len(time)
    dense = Observations(
        course[order],
        time[order],
        np.ones(count),
        np.concatenate(endpoints)[order],
        np.zeros(count, dtype=np.int8),
        np.full(count, np.nan),
        np.concatenate(occasions)[order],
        np.full(count, 10**9, dtype=np.int64),
    )
    natural = {
        name: replace(one, scale="natural", error="constant", start={}, fixed=False, lloq=None)
        for name, one in problem.endpoints.items()
    }
    return replace(problem, study=replace(study, observations=dense), endpoints=natural)
