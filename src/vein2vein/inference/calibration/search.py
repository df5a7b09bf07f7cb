"""The steps of a calibration: sensitivities, steps by stage and together, and the centered mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vein2vein.errors import InputError
from vein2vein.inference.calibration import gauss_newton
from vein2vein.inference.calibration.fitted_rows import Evidence, Problem
from vein2vein.inference.calibration.free_numbers import FreeNumbers
from vein2vein.inference.calibration.gauss_newton import BOUND, Flags, Floats
from vein2vein.inference.calibration.runs import Settings, Work, complete
from vein2vein.inference.calibration.tables import within

UNDECIDED = 0.95  # solver coefficient: of a prior standard deviation; what is left of one the data decide little of
FRACTIONS = (1.0, 0.5, 0.25)  # solver coefficients: of a step, that are tried
DRAWS = 60  # solver coefficient: draws of the posterior that are run in a correction
CORRECTED = 0.4  # solver coefficient: of the step that a correction takes, since sensitivities belong to another point
CORRECTION = 1000  # solver coefficient: the first draw's own luck is this seed later than the first step's


@dataclass(frozen=True)
class Linearized:
    """Rows at a point, and how they follow the factors from there.

    Attributes
    ----------
    outcome : ndarray, shape (rows,)
    error : ndarray, shape (rows,)
        Of the data, with the simulation's.
    sensitivity : ndarray, shape (factors, rows)
        Change in errors for one prior standard deviation.
    seen : ndarray, shape (factors, rows)
        The same of every factor that was moved so far, also of those that do not move now.
    known : ndarray of bool, shape (factors,)
        Whether a factor was moved, here or at a point before.
    """

    outcome: Floats
    error: Floats
    sensitivity: Floats
    seen: Floats
    known: Flags


def linearized(work: Work, point: Floats, step: int, moving: Flags, before: Linearized | None = None) -> Linearized:
    """Run a point, and each factor moved by itself. Factors that do not move now are not run: sensitivity 0.

    Where ``Settings.reuse`` says so, factors that the data decided next to nothing of at the point ``before`` are not
    run again: what little they do stays as it was seen there.

    Raises
    ------
    InputError
        The run at the point itself fails every time.
    """
    problem, difference = work.problem, work.settings.difference
    by = np.where(point + difference > BOUND, -difference, difference)
    kept = _kept(before) if before is not None and work.settings.reuse else np.zeros(len(point), dtype=bool)
    wanted: dict[str, tuple[Floats, list[Evidence]]] = {f"step {step}: base": (point, list(problem.evidence))}
    for j, factor in enumerate(problem.factors):
        here: list[Evidence] = (
            [problem.evidence[i] for i in np.unique(problem.owner[problem.allowed[j]])]
            if moving[j] and not kept[j]
            else []
        )
        wanted[f"step {step}: {factor.name} moved"] = (point + by[j] * (np.arange(len(point)) == j), here)
    able = {label: one for label, one in wanted.items() if one[1]}  # the others reach no row
    found = dict(zip(able, complete(work, able, step), strict=True))
    base, noise = next(iter(found.values())).T
    if not np.isfinite(base).any():
        raise InputError("the run without any factor moved fails, or produces no row; see what was told above.")
    error = np.hypot(problem.error, np.nan_to_num(noise))
    nothing = np.full((len(base), 2), np.nan)
    moved = np.array([found.get(label, nothing)[:, 0] for label in list(wanted)[1:]])
    ran = moving & ~kept
    seen = np.where(ran[:, None], gauss_newton.sensitivities(moved, base, error, by, problem.allowed), 0.0)
    known = ran
    if before is not None:
        seen = np.where(ran[:, None], seen, before.seen * before.error / error)
        known = ran | before.known
    return Linearized(base, error, np.where(moving[:, None], seen, 0.0), seen, known)


def _kept(before: Linearized) -> Flags:
    """Factors of which the data decide next to nothing, as far as it was seen."""
    spread = np.sqrt(np.diag(gauss_newton.covariance(before.seen)))
    return before.known & (spread > UNDECIDED)


def stepped(
    work: Work, point: Floats, there: Linearized, step: int, moving: Flags, judged: Flags
) -> tuple[Floats, Floats]:
    """The best of the fractions of the step that the sensitivities call for, and its rows; or nothing moves.

    Only the factors that are ``moving`` move, for the rows that are ``judged`` now.
    """
    problem, base, error = work.problem, there.outcome, there.error
    residual = np.where(judged, gauss_newton.residuals(base, problem.data, error), 0)
    sensitivity = np.where(judged, there.sensitivity, 0)
    goal = gauss_newton.target(sensitivity, residual, point, moving)
    expected = gauss_newton.loss(residual + (goal - point) @ sensitivity, goal)
    points = [point, *(point + fraction * (goal - point) for fraction in FRACTIONS)]
    labels = [f"step {step}: {fraction:g} of the step" for fraction in FRACTIONS]
    wanted = {label: (one, list(problem.evidence)) for label, one in zip(labels, points[1:])}
    outcomes = [base, *(found[:, 0] for found in complete(work, wanted, step))]
    losses = [
        gauss_newton.loss(gauss_newton.residuals(outcome, problem.data, error)[judged], one)
        for outcome, one in zip(outcomes, points)
    ]
    work.say(f"step {step}: loss expected of the whole step {expected:.1f}")
    for name, outcome, one in zip(["base", *labels], outcomes, losses):
        near = within(outcome[judged], problem.data[judged], problem.tolerance[judged])
        work.say(f"  {name}: loss {one:.1f}, {near} of {judged.sum()} rows within tolerance")
    best = int(np.argmin(losses))
    return points[best], outcomes[best]


def centered(work: Work, point: Floats, outcome: Floats, sensitivity: Floats) -> tuple[Floats, Floats]:
    """A mean from which the rows of the posterior's draws, not those at the mean, lie near the data; those rows.

    Rows bend: the median of what the draws simulate is not what their mean simulates. Each correction runs some draws
    and takes a part of the step that the sensitivities call for from their medians. The draws are run once more where
    the last one ended, and the best of these means is kept.
    """
    problem, tried = work.problem, list[tuple[float, Floats, Floats]]()
    for k in range(work.settings.corrections + 1 if work.settings.corrections else 0):
        luck = np.random.default_rng(work.settings.seed + k)
        scale = gauss_newton.error_scale(sensitivity, gauss_newton.residuals(outcome, problem.data, problem.error))
        draws = gauss_newton.drawn(point, gauss_newton.covariance(sensitivity, scale), DRAWS, luck)
        wanted = {f"correction {k}: draw {j}": (draw, list(problem.evidence)) for j, draw in enumerate(draws)}
        found = np.array(complete(work, wanted, CORRECTION * (k + 1), own_luck=True))[..., 0]
        missing = np.isnan(found).all(axis=0)
        outcome = np.where(missing, np.nan, np.nanmedian(np.where(missing, 0, found), axis=0))
        near = within(outcome, problem.data, problem.tolerance)
        residual = gauss_newton.residuals(outcome, problem.data, problem.error)
        loss = gauss_newton.loss(residual, point)
        work.say(f"correction {k}: loss {loss:.1f}, {near} of {len(outcome)} medians of the draws within tolerance")
        tried.append((loss, point, outcome))
        point = point + CORRECTED * (gauss_newton.target(sensitivity, residual, point) - point)
    if not tried:
        return point, outcome
    _, point, outcome = min(tried, key=lambda one: one[0])
    return point, outcome


def plan_of(free: FreeNumbers, problem: Problem, settings: Settings) -> list[tuple[Flags, Flags]]:
    """For each step, which factors move and which rows judge it.

    First each stage for itself, if so asked, with the rows of the stages up to it; then all together, at least once.
    """
    order, of_rows = list(free.judged_by), free.stages_of(problem.rows)
    moves = np.array([factor.name not in free.still for factor in free.factors])
    by_stage = [
        (moves & np.array([one == stage for one in free.stages]), np.array([order.index(one) <= at for one in of_rows]))
        for at, stage in enumerate(order)
        if stage in free.stages
    ]
    everything = moves, np.ones(len(problem.rows), dtype=bool)
    return [*(by_stage if settings.staged else []), *[everything] * max(settings.steps, 1)]
