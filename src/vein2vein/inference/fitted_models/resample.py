"""Intervals without a covariance: subjects drawn again and fitted, or estimates drawn and weighted by their
likelihood."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the numerical library types what it returns in part only)
from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.arguments import seed_of, whole
from vein2vein.errors import InputError
from vein2vein.inference.diagnostics.profile import from_estimates
from vein2vein.inference.fitted_models.uncertainty import drawn_points, scaled, transformed
from vein2vein.inference.population.chains import Target
from vein2vein.inference.population.conditional import gathered
from vein2vein.inference.population.fit import fit as run_fit
from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.importance import likelihood_of
from vein2vein.inference.population.laws import to_natural
from vein2vein.inference.population.problem import FitProblem
from vein2vein.inference.population.seeds import name_of
from vein2vein.inference.population.theta import Point
from vein2vein.io.study.study import Doses, Observations, Study
from vein2vein.models import catalogue
from vein2vein.records import described
from vein2vein.runs import scheduler

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[float, str], None]
LEVELS = (0.025, 0.5, 0.975)
SHORT = 0.4  # share of the iterations of a resample: its starts are the estimates
FEWEST_ITERATIONS = 40
DRAWS_EACH = 300  # of each subject for a likelihood of importance resampling, the same ones for all
WIDER = 1.15  # by which draws of importance resampling are spread more than the covariance says


@described
@dataclass(frozen=True)
class Interval:
    """An estimate with its interval: 2.5, 50 and 97.5 % over resamples; natural scale, spreads as SDs."""

    name: str
    estimate: float
    low: float
    median: float
    high: float


@described
@dataclass(frozen=True)
class Resampled:
    """Intervals by resampling.

    Attributes
    ----------
    way : {"bootstrap", "importance resampling"}
    intervals : tuple of Interval
    values : ndarray (samples, k)
        Of each resample.
    lost : int
        Resamples whose fit failed.
    effective : float
        Effective number of draws (importance resampling); the resamples that were fitted else.
    notes : tuple of str
    """

    way: str
    intervals: tuple[Interval, ...]
    values: Floats
    lost: int
    effective: float
    notes: tuple[str, ...]


def resampled_study(study: Study, picked: Ints) -> Study:
    """A study of subjects that were picked, each as often as it was."""
    names, seen = list[str](), dict[int, int]()
    courses = list[int]()
    subject = list[int]()
    for new, old in enumerate(picked.tolist()):
        again = seen[old] = seen.get(old, 0) + 1
        names.append(study.subjects[old] if again == 1 else f"{study.subjects[old]} ({again})")
        own = np.flatnonzero(study.subject == old).tolist()
        courses += own
        subject += [new] * len(own)

    def rows(of: Ints) -> tuple[Ints, Ints]:
        found = [np.flatnonzero(of == course) for course in courses]
        counts = [len(one) for one in found]
        return np.concatenate(found).astype(np.int64), np.repeat(np.arange(len(courses)), counts)

    at, course = rows(study.observations.course)
    given, dosed = rows(study.doses.course)
    observations: dict[str, Any] = {f.name: getattr(study.observations, f.name)[at] for f in fields(Observations)}
    doses: dict[str, Any] = {f.name: getattr(study.doses, f.name)[given] for f in fields(Doses)}
    observations["course"], doses["course"] = course, dosed
    covariates = {
        name: replace(
            one,
            constant=None if one.constant is None else one.constant[picked],
            in_time=tuple(one.in_time[c] for c in courses) if one.in_time else (),
        )
        for name, one in study.covariates.items()
    }
    return replace(
        study,
        subjects=tuple(names),
        subject=np.array(subject),
        observations=Observations(**observations),
        doses=Doses(**doses),
        covariates=covariates,
    )


@dataclass(frozen=True)
class Resample:
    """A problem on its way to another process; called with positions of resamples it returns their values."""

    problem: bytes
    model: str
    seed: int

    def __call__(self, first: int, last: int) -> list[Floats]:
        """Values of resamples from ``first`` to before ``last``; an empty array where a fit failed."""
        problem = FitProblem(model=catalogue.find_model(self.model), **pickle.loads(self.problem))
        return [resample_once(problem, self.seed, i) for i in range(first, last)]


def resample_once(problem: FitProblem, seed: int, i: int) -> Floats:
    """The estimates of one sample of the subjects; empty where it cannot be fitted."""
    rng = np.random.Generator(np.random.PCG64([seed, i]))
    count = len(problem.study.subjects)
    study = resampled_study(problem.study, rng.integers(count, size=count))
    try:
        found = run_fit(replace(problem, study=study, seed=seed + i + 1))
    except InputError:
        return np.zeros(0)
    return np.array([one.estimate for one in found.estimates if not one.fixed])


def bootstrap(
    fit: Fit, count: int, *, jobs: int = 1, seed: int | None = None, progress: Progress | None = None
) -> Resampled:
    """Fit samples of the subjects, drawn with replacement.

    Parameters
    ----------
    fit : Fit
    count : int
    jobs : int
        Processes.
    seed : int, optional
        The fit's own by default.
    progress : callable (fraction, text), optional
    """
    whole("bootstrap", count, low=20, high=10_000)
    seed = fit.seed if seed is None else seed_of(seed)
    begun = from_estimates(fit)
    settings = replace(
        begun.settings,
        seeds=1,
        standard_errors=False,
        importance=0,
        draws=100,
        exploring=max(FEWEST_ITERATIONS, int(SHORT * begun.settings.exploring)),
        averaging=max(FEWEST_ITERATIONS, int(SHORT * begun.settings.averaging)),
    )
    problem = replace(begun, settings=settings)
    name = name_of(problem)
    values: list[Floats] = []
    if jobs > 1 and name:
        sent = Resample(pickle.dumps({k: v for k, v in vars(problem).items() if k != "model"}), name, seed)
        size = max(1, min(5, count // jobs))
        spans = [(i, min(i + size, count)) for i in range(0, count, size)]
        found: dict[int, list[Floats]] = {}
        for span, some in scheduler.compute_in(jobs, sent, spans):
            found[span[0]] = some
            if progress is not None:
                progress(len(found) / len(spans), f"bootstrap: {min(len(found) * size, count)} of {count}")
        values = [one for first in sorted(found) for one in found[first]]
    else:
        for i in range(count):
            if progress is not None:
                progress(i / count, f"bootstrap: {i + 1} of {count}")
            values.append(resample_once(problem, seed, i))
    labels = [one.name for one in fit.estimates if not one.fixed]
    kept = [one for one in values if len(one) == len(labels)]
    lost = count - len(kept)
    if len(kept) < 20:
        raise InputError(
            f"only {len(kept)} of {count} resamples could be fitted; look at the model before its intervals."
        )
    notes = (f"{lost} of {count} resamples could not be fitted, or lost a random effect",) if lost else ()
    table = np.array(kept)
    return Resampled("bootstrap", _intervals(fit, labels, table, None), table, lost, float(len(kept)), notes)


def importance_resample(
    fit: Fit, count: int, *, seed: int | None = None, progress: Progress | None = None
) -> Resampled:
    """Draw the estimates by their covariance, and weight each draw by its likelihood (Dosne and others 2016).

    Parameters
    ----------
    fit : Fit
        With standard errors and conditional draws.
    count : int
        Draws.
    seed : int, optional
        The fit's own by default.
    progress : callable (fraction, text), optional
    """
    whole("sir", count, low=100, high=100_000)
    seed = fit.seed if seed is None else seed_of(seed)
    theta, covariance = scaled(fit)
    center = transformed(theta, theta.of(fit.point))
    wide = replace(fit, covariance=None if fit.covariance is None else fit.covariance * WIDER**2)
    points = drawn_points(wide, count, seed)
    known = np.diag(covariance) > 0
    sharp = np.linalg.pinv(covariance[np.ix_(known, known)] * WIDER**2)
    logs = np.empty(count)
    for i, point in enumerate(points):
        if progress is not None and i % 20 == 0:
            progress(i / count, f"importance resampling: {i} of {count}")
        apart = (transformed(theta, theta.of(point)) - center)[known]
        logs[i] = -0.5 * _likelihood(fit, point, seed) + 0.5 * float(apart @ sharp @ apart)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    effective = float(1 / np.sum(weights**2))
    labels = [one.name for one in fit.estimates if not one.fixed]
    table = np.array([_values(fit, point) for point in points])
    notes: list[str] = []
    if effective < 50:
        notes.append(
            f"only {effective:.0f} of {count} draws count: the covariance is a poor guide; use the bootstrap "
            "or more draws"
        )

    return Resampled(
        "importance resampling", _intervals(fit, labels, table, weights), table, 0, effective, tuple(notes)
    )


def _likelihood(fit: Fit, point: Point, seed: int) -> float:
    """-2 log-likelihood of other values of the population, with the same random numbers for all."""
    population = fit.population
    target = Target(population.mean(point.beta), point.omega, point.gamma, point.sigma)
    about = gathered(population, target, [fit.effects])
    rng = np.random.Generator(np.random.PCG64([seed, DRAWS_EACH]))
    return likelihood_of(population, target, about, rng, DRAWS_EACH).minus_two


def _values(fit: Fit, point: Point) -> Floats:
    """Values of a point in the order and on the scales of the estimates that were sought."""
    own = fit.population
    typical: dict[str, float] = {}
    for j, one in enumerate(own.coefficients):
        law = own.parameters[one.parameter]
        value = float(point.beta[j])
        typical[one.name] = value if one.covariate else float(to_natural(law.law, value, law.low, law.high))
    random, changing = fit.random, [fit.problem.names[k] for k in own.changing]
    sds = {f"omega_{name}": float(np.sqrt(max(point.omega[i, i], 0.0))) for i, name in enumerate(random)}
    sds |= {f"gamma_{name}": float(np.sqrt(point.gamma[i])) for i, name in enumerate(changing)}
    for i, a in enumerate(random):
        for j, b in enumerate(random[:i]):
            size = np.sqrt(point.omega[i, i] * point.omega[j, j])
            sds[f"corr_{b}_{a}"] = float(point.omega[i, j] / size) if size > 0 else 0.0
    for e, name in enumerate(fit.problem.endpoints):
        sds |= {f"a_{name}": float(point.sigma[e, 0]), f"b_{name}": float(point.sigma[e, 1])}
    every = typical | sds
    return np.array([every[one.name] for one in fit.estimates if not one.fixed])


def _intervals(fit: Fit, labels: list[str], table: Floats, weights: Floats | None) -> tuple[Interval, ...]:
    found: list[Interval] = []
    estimates = {one.name: one.estimate for one in fit.estimates}
    for k, name in enumerate(labels):
        order = np.argsort(table[:, k])
        share = np.full(len(table), 1 / len(table)) if weights is None else weights[order]
        place = np.cumsum(share) - 0.5 * share
        low, middle, high = np.interp(LEVELS, place, table[order, k])
        found.append(Interval(name, estimates[name], float(low), float(middle), float(high)))
    return tuple(found)


def interval_rows(found: Resampled) -> list[dict[str, object]]:
    """Intervals, for a table."""
    return [dict(vars(one)) for one in found.intervals]
