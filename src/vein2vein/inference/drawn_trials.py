"""Rows of trials as simulated trials of their size give them: under one set of the model's numbers, or under many.

A simulated trial is drawn under one set, from patients of its own, so that the interval over all of them holds what is
not known of the numbers besides the luck of so many patients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from vein2vein.inference.posterior import Posterior, choose
from vein2vein.inference.posterior import told as sample_told
from vein2vein.inference.scoring import numbers
from vein2vein.inference.sets_side_by_side import Sets, chunks, treated_under
from vein2vein.journey.journey import Journey
from vein2vein.runs.scheduler import compute_here, compute_in
from vein2vein.trials.comparison import RESAMPLES, Part, Row, patients_of, pooled, resampled
from vein2vein.trials.published import Published
from vein2vein.trials.trial import Trial, follow_up_at

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Asked:
    """Some rows of a trial.

    Attributes
    ----------
    trial : Trial
    rows : tuple of Published
    patients : int, optional
        Virtual patients enrolled under each parameter set; None: by the size of the trial.
    size : int
        Patients enrolled in the trial, of whom a row that names no number draws its share; 0: as many as there are
        virtual ones.
    """

    trial: Trial
    rows: tuple[Published, ...]
    patients: int | None = None
    size: int = 0

    def enrolled(self, sets: int) -> int:
        """Virtual patients enrolled under each of so many parameter sets."""
        if self.patients is not None:
            return self.patients
        if sets == 1:
            return max(int(numbers().patients), self.trial.patients if self.trial.arms else 0)
        largest = max(self.trial.enrolled, self.size, *(row.draw for row in self.rows))
        return max(int(numbers().under_each), int(numbers().spare * largest))


def sample_of(sets: Sets | Sequence[Sets] | Posterior, seed: int) -> list[Sets]:
    """The parameter sets to run under; of a posterior sample some are drawn."""
    if isinstance(sets, Posterior):
        return list(choose(sets, int(numbers().sets), seed))
    return list(sets) if isinstance(sets, Sequence) else [sets]


def told(sets: Sets | Sequence[Sets] | Posterior, count: int) -> str:
    """Which sets they are, in words."""
    if sets is None or isinstance(sets, Posterior):
        return sample_told(sets, count)
    return "a variant" if count == 1 else f"{count} variants"


def drawn(
    asked: Sequence[Asked],
    sample: Sequence[Sets],
    *,
    seed: int,
    progress: Progress | None = None,
    jobs: int = 1,
) -> list[list[Row]]:
    """Run trials under each of some parameter sets, and draw simulated trials for their rows.

    Parameters
    ----------
    asked : sequence of Asked
    sample : sequence of Member, ParameterSet, mapping or None
    seed : int
    progress : callable (fraction, text), optional
    jobs : int
        Processes that run trials side by side.

    Returns
    -------
    list of list of Row
        Those of each trial, in order.
    """
    counts = [one.enrolled(len(sample)) for one in asked]
    tasks = [(i, some) for i, count in enumerate(counts) for some in chunks(len(sample), count)]
    task = partial(_part, asked, counts, sample, tasks, seed)
    compute = compute_here if jobs == 1 else partial(compute_in, jobs)
    parts: dict[tuple[int, int], list[Part]] = {}
    for (at, _), part in compute(task, [(at, 0) for at in range(len(tasks))]):
        i, some = tasks[at]
        parts |= {(i, nth): rows for nth, rows in zip(some, part, strict=True)}
        if progress:
            progress(len(parts) / (len(asked) * len(sample)), asked[i].trial.name)
    return [
        [pooled(row, [parts[i, j][k] for j in range(len(sample))]) for k, row in enumerate(one.rows)]
        for i, one in enumerate(asked)
    ]


def _part(
    asked: Sequence[Asked],
    counts: Sequence[int],
    sample: Sequence[Sets],
    tasks: Sequence[tuple[int, range]],
    seed: int,
    at: int,
    _: int,
) -> list[list[Part]]:
    """One trial under some sets: for each set and row what ``resampled`` gives. Each set has patients of its own."""
    i, chosen = tasks[at]
    one, trial, count = asked[i], asked[i].trial, counts[i]
    patients = [np.arange(count) + nth * count for nth in chosen]
    tolerance = numbers().tolerance if len(sample) > 1 else None  # None: the journey's own
    journeys = treated_under(trial, [sample[nth] for nth in chosen], patients, seed=seed, tolerance=tolerance)
    return [
        list(
            resampled(
                [_sized(row, one, journey) for row in one.rows], journey, follow_up=follow_up_at(trial, who, seed),
                scale=trial.scale, until=trial.until, seed=seed, resamples=-(-RESAMPLES // len(sample)),
                again=len(sample) == 1,
            )
        )
        for who, journey in zip(patients, journeys, strict=True)
    ]  # fmt: skip


def _sized(row: Published, one: Asked, journey: Journey) -> Published:
    """A row that names no number of patients draws its share of those enrolled."""
    if row.draw or not one.size or not row.endpoint:
        return row
    among = patients_of(row, journey, scale=one.trial.scale, until=one.trial.until)
    return replace(row, draw=max(1, round(one.size * among.sum() / journey.count)))
