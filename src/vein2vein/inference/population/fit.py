"""One fit from problem to verdict: the door to the estimators.

fit = fit(problem)              # or fit("fit.toml")
fit.verdict[0]                  # "converged: ..." or "not converged: ..."
fit.estimates                   # the table
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from vein2vein import __version__
from vein2vein.arguments import name_or_path, whole
from vein2vein.inference.population import conditional, convergence, focei, importance, kept, louis, saem, seeds
from vein2vein.inference.population import fit_file as files_of_fits
from vein2vein.inference.population.chains import Chains, Target
from vein2vein.inference.population.convergence import Remarks
from vein2vein.inference.population.estimates import estimates_of
from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.hopeless import refuse_hopeless
from vein2vein.inference.population.inner import Sets, modes_of
from vein2vein.inference.population.population import Population, populate
from vein2vein.inference.population.problem import FitProblem
from vein2vein.inference.population.residual import names_of
from vein2vein.inference.population.theta import Point, Theta, theta_of
from vein2vein.inference.population.undetermined import without_noise

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """How far a fit is: what ``progress`` is told.

    Attributes
    ----------
    fraction : float
        From 0 to 1 of this stage.
    text : str
    stage : {"exploring", "averaging", "other seeds", "conditional distribution", "minimizing"}
    iteration, iterations : int
    names : tuple of str
    values : ndarray
        The newest row of the trace.
    """

    fraction: float
    text: str
    stage: str
    iteration: int
    iterations: int
    names: tuple[str, ...] = ()
    values: Floats = field(default_factory=lambda: np.zeros(0))


Progress = Callable[[Step], None]


@dataclass(frozen=True)
class _Found:
    """What an estimator hands on: the population's values and where the chains of its subjects may begin."""

    point: Point
    chains: Chains
    rng: np.random.Generator
    trace: Floats
    names: tuple[str, ...]
    acceptance: Mapping[str, float] = field(default_factory=dict[str, float])
    objective: float = np.nan
    covariance: Floats | None = None
    lost: tuple[str, ...] = ()
    minimum: focei.Minimum | None = None


def fit(
    problem: FitProblem | str | Path,
    *,
    progress: Progress | None = None,
    keep: str | Path | None = None,
    jobs: int = 1,
) -> Fit:
    """Fit a model to a study.

    Parameters
    ----------
    problem : FitProblem or path
        Or the path of a ``fit.toml``.
    progress : callable (Step), optional
        Is told after every iteration how far the fit is, with the newest values.
    keep : path, optional
        File that holds the state of the fit every half minute and when it is interrupted; a fit that finds it there
        goes on from it to the same bits. It is removed when the fit is whole.
    jobs : int
        Processes in which other seeds run side by side.

    Returns
    -------
    Fit

    Raises
    ------
    InputError
        The problem cannot be fitted: what, where and how to mend it.
    KeyboardInterrupt
        It was interrupted; ``keep`` holds where it was.

    Examples
    --------
    >>> import vein2vein as v2v  # doctest: +SKIP
    >>> v2v.fit("fit.toml").verdict[0]
    'converged: ...'
    """
    if not isinstance(problem, FitProblem):
        problem = files_of_fits.read_fit_file(
            name_or_path("problem", problem, "a FitProblem or the path of a fit.toml")
        )
    jobs = whole("jobs", jobs, low=1, high=1000)
    began = time.process_time()
    keeper = None if keep is None else kept.Keeper(Path(keep), kept.digest(problem))
    with files_of_fits.located(problem):
        population = populate(problem, threads=1 if seeds.side_by_side(problem, jobs) else None)
        refuse_hopeless(population)
    tell = progress or _tell_nobody
    if problem.method != "saem":
        found = _judged(population, _outer(population, keeper, tell), tell, began)
    else:
        others = seeds.Others(population, jobs)
        try:
            found = _judged(population, _saem(population, keeper, tell), tell, began, others)
        finally:
            others.stop()
    if keeper is not None:
        keeper.done()
        found = replace(found, seconds=found.seconds + keeper.spent)
    return found


def _tell_nobody(step: Step) -> None:
    del step


# Estimators

_COUNTED = "evaluations"  # what it took so far, kept with the state so that a fit in two goes tells of both


@contextmanager
def _interruptible() -> Generator[Callable[[], bool]]:
    """Let an interruption wait until a state is whole; a second one does not wait."""
    asked = [False]
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.getsignal(signal.SIGINT)

    def wait(number: int, frame: object) -> None:
        if asked[0] and callable(before):
            before(number, cast("None", frame))
        asked[0] = True

    signal.signal(signal.SIGINT, wait)
    try:
        yield lambda: asked[0]
    finally:
        signal.signal(signal.SIGINT, before)


def _saem(population: Population, keeper: kept.Keeper | None, tell: Progress) -> _Found:
    stood = None if keeper is None else keeper.found()
    if stood is not None and stood[0] == "saem":
        state = kept.unpacked(stood[1], stood[2])
        population.counted.evaluations = int(stood[2][_COUNTED])
    else:
        state = saem.begin(population, population.problem.seed)
    names = saem.trace_names(population)
    exploring, every = population.problem.settings.exploring, saem.iterations_of(population)
    with _interruptible() as interrupted:
        for now in saem.run(population, state):
            k = now.iteration
            stage = "exploring" if k <= exploring else "averaging"
            tell(Step(k / every, f"SAEM, {stage}: {k} of {every}", stage, k, every, names, now.trace[-1]))
            stop = interrupted()
            if keeper is not None and (stop or k == every or keeper.due()):
                arrays, numbers = kept.packed(now)
                keeper.keep("saem", arrays, {**numbers, _COUNTED: population.counted.evaluations}, now=True)
            if stop:
                raise KeyboardInterrupt
    estimates = state.estimates
    point = Point(estimates.beta, estimates.omega, estimates.gamma, estimates.sigma)
    return _Found(point, state.chains, state.rng, np.array(state.trace), names, dict(state.chains.accepted))


def _outer(population: Population, keeper: kept.Keeper | None, tell: Progress) -> _Found:
    laplace = population.problem.method == "laplace"
    outer = focei.outer_of(population, laplace)
    stood = None if keeper is None else keeper.found()
    if stood is not None and stood[0] == "outer":
        outer.take_up(stood[1])
        population.counted.evaluations = int(stood[2][_COUNTED])
    names = saem.trace_names(population)
    rows: list[Floats] = []
    most = population.problem.settings.iterations
    with _interruptible() as interrupted:

        def after(k: int, objective: float, point: Point) -> None:
            rows.append(np.append(_row(population, point), objective))
            text = f"{'Laplace' if laplace else 'FOCEI'}: iteration {k}, objective {objective:.3f}"
            tell(Step(min(k / most, 1.0), text, "minimizing", k, most, (*names, "objective"), rows[-1]))
            if keeper is not None and (interrupted() or keeper.due()):
                keeper.keep("outer", outer.kept(), {_COUNTED: population.counted.evaluations}, now=True)
            if interrupted():
                raise KeyboardInterrupt

        minimum = focei.minimize(outer, after)
    theta = theta_of(population, minimum.point)
    covariance, lost = None, ()
    if population.problem.settings.standard_errors:
        covariance, lost = focei.covariance_of(outer, minimum, theta)
    rng = np.random.Generator(np.random.PCG64(population.problem.seed))
    chains = _chains_at(population, minimum, rng)
    trace = np.array(rows) if rows else np.append(_row(population, minimum.point), minimum.objective)[None]
    return _Found(
        minimum.point, chains, rng, trace, (*names, "objective"), objective=minimum.objective, covariance=covariance,
        lost=lost, minimum=minimum,
    )  # fmt: skip


def _row(population: Population, point: Point) -> Floats:
    errors = [point.sigma[e, w] for e, w, _ in names_of(population.problem)]
    return np.concatenate([point.beta, np.sqrt(np.diag(point.omega)), np.sqrt(point.gamma), errors])


def _chains_at(population: Population, minimum: focei.Minimum, rng: np.random.Generator) -> Chains:
    """Chains about the modes, with the curvature there as what was learnt."""
    point, q = minimum.point, population.between
    modes = minimum.modes.effects[0]
    wide = np.zeros((1, 0, 0))
    if population.effects:
        wide = np.asarray(np.linalg.pinv(minimum.modes.curvature[0], hermitian=True), dtype=np.float64)
    values, vectors = np.linalg.eigh(wide)
    root = vectors * np.sqrt(np.maximum(values, 1e-12))[..., None, :]
    drawn = rng.standard_normal((conditional.COPIES, *modes.shape))
    effects = modes + np.einsum("nij,rnj->rni", root, drawn)
    target = target_of(population, point)
    f = population.f(target.mean, effects)
    step = 2.0 * np.sqrt(np.maximum(np.einsum("nii->ni", wide), 1e-8))
    n = population.subjects
    return Chains(
        effects, f, population.likelihood(f, target.sigma), step * np.ones((n, population.effects)), np.full(n, 0.5),
        np.full(n, 2.0 / np.sqrt(max(q, 1))), modes[:, :q].copy(), wide[:, :q, :q] * np.ones((n, q, q)), True,
    )  # fmt: skip


def target_of(population: Population, point: Point) -> Target:
    """The distribution of random effects under some values of the population."""
    return Target(population.mean(point.beta), point.omega, point.gamma, point.sigma)


# What was found


def _judged(
    population: Population, found: _Found, tell: Progress, began: float, others: seeds.Others | None = None
) -> Fit:  # fmt: skip
    problem, point = population.problem, found.point
    settings = problem.settings
    target, theta = target_of(population, point), theta_of(population, point)
    wanted = settings.standard_errors and found.minimum is None
    draws: list[Floats] = []
    chains = conditional.spread_out(population, found.chains, target)
    for effects in conditional.draw(population, target, chains, found.rng, settings.draws):
        draws.append(effects)
        share = len(draws) * len(effects) / settings.draws
        text = "each subject's conditional distribution"
        tell(Step(min(share, 1.0), text, "conditional distribution", len(draws) * len(effects), settings.draws))
    about = conditional.gathered(population, target, draws)
    shrinkage = conditional.shrinkage(about.mean[:, : population.between], point.omega)
    covariance, lost = found.covariance, found.lost
    if wanted:
        left = about.covariance[:, : population.between, : population.between].mean(axis=0)
        covariance, lost = louis.covariance_of(population, theta, point, draws, left)
    notes = () if others is None else others.notes
    beside = _beside_occasions(population)
    tied = lost and (convergence.sought_of(population, lost) or convergence.tied_effects(population, point))
    if wanted and (beside or tied):
        other, without = focei.curvature_at(population, point, about.mean, theta)
        if other is not None and len(without) < len(lost) + beside:
            covariance, lost, notes = other, without, (*notes, _LINEARIZED)
    covariance, untold = without_noise(population, point, theta, covariance, shrinkage)
    modes = _modes(population, point, about.mean) if found.minimum is None else found.minimum.modes.effects[0]
    remarks = Remarks(warnings=list(untold))
    minus_two, error, by, pareto = np.nan, 0.0, "", np.full(population.subjects, np.nan)
    if found.minimum is not None:
        minus_two, by = found.objective + population.rows.constants, _BY[problem.method]
    elif settings.importance:
        sampled = importance.likelihood_of(population, target, about, found.rng, settings.importance)
        minus_two, error, pareto, by = sampled.minus_two, sampled.error, sampled.pareto_k, "importance sampling"
        convergence.of_likelihood(remarks, population.layout.subjects, pareto, error)
    traces = () if others is None else tuple(others.traces(lambda done: tell(_seed_done(problem, done))))
    well = _method_remarks(population, found, traces, theta, covariance, shrinkage, remarks)
    convergence.of_population(remarks, population, point, theta, covariance, lost, shrinkage)
    free = len(theta_of(population))
    return Fit(
        problem, problem.method, problem.seed, not remarks.failures, remarks.verdict(well),
        (*population.notes, *notes), estimates_of(population, point, theta, covariance, shrinkage),
        point.beta, point.omega, point.gamma if len(point.gamma) else None, point.sigma, theta.names, covariance,
        minus_two, error, by, minus_two - population.rows.constants, minus_two + 2 * free,
        minus_two + float(np.log(population.subjects)) * free, pareto, np.concatenate(draws), about.mean, about.sd,
        modes, found.trace, found.names, traces, settings.exploring if problem.method == "saem" else 0,
        dict(found.acceptance), time.process_time() - began, population.counted.evaluations,
        {"version": __version__, "study": problem.study.file, "study sha256": problem.study.digest,
         "problem sha256": kept.digest(problem), "model": problem.model_name or problem.model.name},
    )  # fmt: skip


def _beside_occasions(population: Population) -> bool:
    """Whether a covariate in time moves a parameter that differs between occasions.

    The effect of the occasion can stand in for such a covariate: nearly all that draws of it tell of the coefficient is
    missing again, and what is left of the sampled information is noise.
    """
    return any(population.coefficients[int(j)].parameter in population.changing for j in population.by_score)


_LINEARIZED = (
    "standard errors by the curvature of FOCEI's objective, since the sampled information is singular or mostly noise; "
    "correlations at their bound are held there"
)


def _seed_done(problem: FitProblem, done: int) -> Step:
    every = problem.settings.seeds
    return Step(done / (every - 1), f"seed {done + 1} of {every} done", "other seeds", done + 1, every)


_BY = {"focei": "FOCEI", "laplace": "Laplace"}


def _modes(population: Population, point: Point, near: Floats) -> Floats:
    sets = Sets(
        population.mean(point.beta)[None], population.whole_omega(point.omega, point.gamma)[None], point.sigma[None]
    )
    return modes_of(population, sets, near[None]).effects[0]


def _method_remarks(
    population: Population, found: _Found, others: tuple[Floats, ...], theta: Theta, covariance: Floats | None,
    shrinkage: Floats, remarks: Remarks,
) -> str:  # fmt: skip
    """What the estimator says of its own end; returns the words of a good one."""
    settings = population.problem.settings
    if found.minimum is not None:
        end = found.minimum
        if not end.found:
            remarks.failures.append(
                f"the objective still falls by {end.slope:.2g} for each unit of a number ({end.said}); give starts "
                "nearer to the data, more iterations, or use saem, which needs no slopes."
            )
        return f"the objective is at a minimum, its largest slope is {end.slope:.2g}"
    errors = _errors_of_trace(population, found.point, theta, covariance)
    names = population.random_names
    shrunken = [f"omega_{n}" for n, s in zip(names, shrinkage) if s > convergence.MUCH_SHRINKAGE]
    ends = np.array([found.trace[-1], *(one[-1] for one in others)])
    convergence.of_saem(remarks, population, found.trace, found.names, errors, found.acceptance, ends, shrunken)
    agree = (f"{len(ends)} seeds agree within {convergence.AGREEMENT} SE" if len(ends) > 1
             else "of one seed (settings: seeds = 3 holds three against each other)")  # fmt: skip
    return f"no trend when exploring ended, then {settings.averaging} iterations averaged; {agree}"


def _errors_of_trace(
    population: Population, point: Point, theta: Theta, covariance: Floats | None
) -> dict[str, float]:  # fmt: skip
    """Standard errors by the names of the trace: of SDs, not of variances."""
    if covariance is None:
        return {}
    errors = dict(zip(theta.names, np.sqrt(np.diag(covariance)).tolist()))
    for i, name in enumerate(population.random_names):
        if f"omega2_{name}" in errors:
            errors[f"omega_{name}"] = errors[f"omega2_{name}"] / (2 * float(np.sqrt(point.omega[i, i])))
    for i, name in enumerate(population.changing_names):
        if f"gamma2_{name}" in errors:
            errors[f"gamma_{name}"] = errors[f"gamma2_{name}"] / (2 * float(np.sqrt(point.gamma[i])))
    return errors
