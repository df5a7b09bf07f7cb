"""Cheap steps of a calibration: sensitivities are reused, and mended by what each step did (Broyden).

They end a calibration (``polished``), and refit it without a trial (``refits``): from where it ended, with the runs of
the trials that stay, so that no row is only taken to follow the sensitivities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vein2vein.inference.calibration import gauss_newton
from vein2vein.inference.calibration.fitted_rows import Evidence
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
    outcome = mean_rows(work, "polish: base", point, work.problem.evidence, LUCKS)
    walk = _Walk(work, "polish", everything, LUCKS)
    return walk.steps(point, outcome, there.error, there.sensitivity, work.settings.polish)


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
    base = mean_rows(work, "refit: base", point, work.problem.evidence, REFIT_LUCKS)
    bend = np.nan_to_num(outcome - base)
    found: list[Refit] = []
    for label, trials in groups.items():
        stays = ~np.any([work.problem.rows_of(name) for name in trials], axis=0)
        walk = _Walk(work, f"without {label}", stays, REFIT_LUCKS, bend)
        here, rows, _ = walk.steps(point, base + bend, error, sensitivity, work.settings.refits)
        residual = gauss_newton.residuals(rows, work.problem.data, work.problem.error)
        found.append(Refit(tuple(trials), here, np.where(stays, residual, np.nan)))
    return found


@dataclass(frozen=True)
class _Walk:
    """Steps by sensitivities that are reused, for the rows that are judged.

    Rows are means over several runs, each with luck of its own but the same in every step, so that no step follows the
    luck of one; ``bend`` is added to them. After each step the sensitivities take a part of what it did otherwise than
    they said (Broyden). A step is held within a distance that grows when a step gains what it promised and is halved
    when it does not.
    """

    work: Work
    label: str
    judged: Flags
    lucks: int
    bend: Floats | float = 0.0

    def steps(
        self, point: Floats, outcome: Floats, error: Floats, sensitivity: Floats, count: int
    ) -> tuple[Floats, Floats, Floats]:
        """Where some steps end, the rows there, and the sensitivities mended by what the steps did."""
        problem, judged, trust = self.work.problem, self.judged, TRUST
        evidence = [problem.evidence[int(i)] for i in np.unique(problem.owner[judged])]
        for k in range(count):
            residual = gauss_newton.residuals(outcome, problem.data, error)
            before = gauss_newton.loss(residual[judged], point)
            step = gauss_newton.target(sensitivity[:, judged], residual[judged], point) - point
            step *= min(1.0, trust / max(float(np.linalg.norm(step)), LEAST))
            goal = point + step
            promised = gauss_newton.loss((residual + step @ sensitivity)[judged], goal)
            rows = mean_rows(self.work, f"{self.label} {k}", goal, evidence, self.lucks) + self.bend
            after = gauss_newton.loss(gauss_newton.residuals(rows, problem.data, error)[judged], goal)
            near = within(rows[judged], problem.data[judged], problem.tolerance[judged])
            self.work.say(
                f"{self.label} {k}: loss {before:.1f} to {after:.1f} ({promised:.1f} promised), {near} within"
            )
            other = np.where(judged, np.nan_to_num((rows - outcome) / error) - step @ sensitivity, 0.0)
            sensitivity = sensitivity + MENDED * np.outer(step, other) / max(step @ step, LEAST) * problem.allowed
            if after < before:
                trust *= FARTHER if before - after > (before - promised) / 2 else 1
                point, outcome = goal, rows
            else:
                trust /= 2
        return point, outcome, sensitivity


def mean_rows(work: Work, label: str, point: Floats, evidence: Sequence[Evidence], lucks: int) -> Floats:
    """Rows at a point, means over runs with luck of their own; NaN where no run produces one."""
    wanted = {f"{label}, luck {i}": (point, list(evidence)) for i in range(lucks)}
    found = np.array(complete(work, wanted, POLISH, own_luck=True))[..., 0]
    missing = np.isnan(found).all(axis=0)
    return np.where(missing, np.nan, np.nanmean(np.where(missing, 0, found), axis=0))
