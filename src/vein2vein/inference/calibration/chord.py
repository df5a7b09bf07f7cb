"""Cheap steps of a calibration: sensitivities are reused, and mended by what each step did (Broyden).

They end a calibration (``polished``), and refit it without a trial (``refits``): from where it ended, with the runs of
the trials that stay, so that no row is only taken to follow the sensitivities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vein2vein.inference.calibration import gauss_newton
from vein2vein.inference.calibration.fitted_rows import Evidence, Problem
from vein2vein.inference.calibration.gauss_newton import Flags, Floats
from vein2vein.inference.calibration.left_out import Refit
from vein2vein.inference.calibration.runs import Work, complete
from vein2vein.inference.calibration.search import Linearized
from vein2vein.inference.calibration.tables import within

LUCKS, POLISH = 4, 500  # solver coefficients: runs behind a row of a cheap step, and how much later their seeds are
REFIT_LUCKS = 2  # solver coefficient: the same in a refit without a trial; there are as many refits as trials
TRUST, MENDED = 1.0, 0.7  # solver coefficients: how far the first goes, how much of what it did sensitivities take
FARTHER = 1.5  # solver coefficient: how much farther the next goes after one that gained what it promised
LEAST = 1e-12  # solver coefficient: in place of the length of a step that is none


def polished(work: Work, point: Floats, outcome: Floats, there: Linearized) -> tuple[Floats, Floats, Floats]:
    """Where steps that reuse the sensitivities end, the rows there, and the sensitivities mended by what steps did."""
    if not work.settings.polish:
        return point, outcome, there.sensitivity
    everything = np.ones(len(outcome), dtype=bool)
    outcome = _mean_rows(work, {"polish: base": (point, work.problem.evidence)}, LUCKS)["polish: base"]
    walk = _Walk("polish", everything, point, outcome, there.error, there.sensitivity)
    _go(work, [walk], work.settings.polish, LUCKS)
    return walk.point, walk.outcome, walk.sensitivity


def refits(
    work: Work, point: Floats, outcome: Floats, error: Floats, sensitivity: Floats, groups: Mapping[str, Sequence[str]]
) -> list[Refit]:
    """The calibration without each group of trials, by cheap steps from where it ended.

    Parameters
    ----------
    work : Work
    point : ndarray, shape (factors,)
    outcome, error : ndarray, shape (rows,)
        Where the calibration ended: medians of the draws, which bend away from the rows at the point itself; a refit is
        taken to bend as much.
    sensitivity : ndarray, shape (factors, rows)
    groups : mapping of label to trials
    """
    problem = work.problem
    base = _mean_rows(work, {"refits: base": (point, problem.evidence)}, REFIT_LUCKS)["refits: base"]
    bend = np.nan_to_num(outcome - base)
    walks = [
        _Walk(f"left out {label}", ~np.any([problem.rows_of(name) for name in trials], axis=0), point, base + bend,
              error, sensitivity)
        for label, trials in groups.items()
    ]  # fmt: skip
    _go(work, walks, work.settings.refits, REFIT_LUCKS, bend)
    return [
        Refit(
            tuple(trials),
            walk.point,
            np.where(walk.judged, gauss_newton.residuals(walk.outcome, problem.data, problem.error), np.nan),
        )
        for walk, trials in zip(walks, groups.values(), strict=True)
    ]


@dataclass
class _Walk:
    """Where steps by sensitivities that are reused stand, for the rows that are judged.

    After each step the sensitivities take a part of what it did otherwise than they said (Broyden). A step is held
    within a distance that grows when a step gains what it promised and is halved when it does not.
    """

    label: str
    judged: Flags
    point: Floats
    outcome: Floats
    error: Floats
    sensitivity: Floats
    trust: float = TRUST

    def residual(self, problem: Problem) -> Floats:
        """Of the rows where it stands."""
        return gauss_newton.residuals(self.outcome, problem.data, self.error)

    def goal(self, problem: Problem) -> Floats:
        """Where the next step leads."""
        residual = self.residual(problem)[self.judged]
        step = gauss_newton.target(self.sensitivity[:, self.judged], residual, self.point) - self.point
        return self.point + step * min(1.0, self.trust / max(float(np.linalg.norm(step)), LEAST))

    def evidence(self, problem: Problem) -> list[Evidence]:
        """What has rows that are judged."""
        return [problem.evidence[int(i)] for i in np.unique(problem.owner[self.judged])]

    def take(self, problem: Problem, goal: Floats, rows: Floats) -> str:
        """Go to where the step led if that is better, and learn of what it did; what it did, in words."""
        judged, residual, step = self.judged, self.residual(problem), goal - self.point
        before = gauss_newton.loss(residual[judged], self.point)
        promised = gauss_newton.loss((residual + step @ self.sensitivity)[judged], goal)
        after = gauss_newton.loss(gauss_newton.residuals(rows, problem.data, self.error)[judged], goal)
        other = np.where(judged, np.nan_to_num((rows - self.outcome) / self.error) - step @ self.sensitivity, 0.0)
        mended = MENDED * np.outer(step, other) / max(step @ step, LEAST) * problem.allowed
        self.sensitivity = self.sensitivity + mended
        if after < before:
            self.trust *= FARTHER if before - after > (before - promised) / 2 else 1
            self.point, self.outcome = goal, rows
        else:
            self.trust /= 2
        near = within(rows[judged], problem.data[judged], problem.tolerance[judged])
        return f"loss {before:.1f} to {after:.1f} ({promised:.1f} promised), {near} within"


def _go(work: Work, walks: Sequence[_Walk], count: int, lucks: int, bend: Floats | float = 0.0) -> None:
    """Some steps of each walk, those of all side by side; ``bend`` is added to what is run."""
    problem = work.problem
    for k in range(count):
        goals = {f"{walk.label} {k}": (walk.goal(problem), walk.evidence(problem)) for walk in walks}
        rows = _mean_rows(work, goals, lucks)
        for walk, (label, (goal, _)) in zip(walks, goals.items(), strict=True):
            work.say(f"{label}: {walk.take(problem, goal, rows[label] + bend)}")


def _mean_rows(work: Work, points: Mapping[str, tuple[Floats, Sequence[Evidence]]], lucks: int) -> dict[str, Floats]:
    """Rows at some points by label: means over runs with luck of their own, the same at each point, so that no step
    follows the luck of one run; NaN where no run produces one."""
    found: dict[str, Floats] = {}
    runs = {label: [f"{label}, luck {i}" for i in range(lucks)] for label in points}
    for i in range(lucks):  # the luck of a run goes by its place among those of one call
        some = {runs[label][i]: (point, list(evidence)) for label, (point, evidence) in points.items()}
        for label, rows in zip(some, complete(work, some, POLISH + i), strict=True):
            found[label] = rows[:, 0]
    means: dict[str, Floats] = {}
    for label, names in runs.items():
        all_runs = np.array([found[name] for name in names])
        missing = np.isnan(all_runs).all(axis=0)
        means[label] = np.where(missing, np.nan, np.nanmean(np.where(missing, 0, all_runs), axis=0))
    return means
