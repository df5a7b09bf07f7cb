"""The runs of a calibration: trials in virtual patients under some factors, side by side, each kept once it ended."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from vein2vein.arguments import flag, number
from vein2vein.errors import InputError
from vein2vein.inference.calibration.fitted_rows import Evidence, Problem
from vein2vein.inference.calibration.gauss_newton import BOUND, Floats
from vein2vein.inference.calibration.kept import Kept
from vein2vein.inference.posterior import Member
from vein2vein.inference.sets_side_by_side import chunks

ROUNDS = 3  # solver coefficient: how often a run that fails is tried
EVERY = 10  # runs between two lines of progress

Say = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """How a calibration goes about it.

    Attributes
    ----------
    steps : int
        Steps of all factors together; 0: only sensitivities and sample, at the cards' numbers.
    staged : bool
        Whether each stage moves its own factors before that.
    polish : int
        Steps after them that reuse the last sensitivities.
    corrections : int
        How often the mean is corrected by runs of draws.
    patients : int
        Virtual patients in each run of a trial.
    difference : float
        Prior standard deviations that a factor is moved by for its sensitivity.
    seed : int
    workers : int
        Processes that run trials side by side.
    reuse : bool
        Whether, after the first step, factors of which the data decide next to nothing keep their sensitivities.
    refits : int
        Steps, by the last sensitivities, of a refit without each trial; 0: none.
    """

    steps: int = 2
    staged: bool = False
    polish: int = 0
    corrections: int = 1
    patients: int = 250
    difference: float = 0.7
    seed: int = 1
    workers: int = 1
    reuse: bool = False
    refits: int = 0


@dataclass(frozen=True)
class Work:
    """What the steps of one calibration share: the problem, what was run, the settings, and who is told."""

    problem: Problem
    kept: Kept
    settings: Settings
    say: Say


@dataclass(frozen=True)
class Task:
    """One trial, or other evidence, under some parameter sets at once.

    Attributes
    ----------
    label : str
    evidence : Evidence
    members : tuple of Member
        Parameter sets.
    labels : tuple of str
        Of the runs that they belong to.
    first : tuple of int
        Number of the first virtual patient under each.
    patients, seed : int
    """

    label: str
    evidence: Evidence
    members: tuple[Member, ...]
    labels: tuple[str, ...]
    first: tuple[int, ...]
    patients: int
    seed: int


@dataclass(frozen=True)
class Result:
    """What a task gave: rows, shape (sets, rows of the evidence, 2), or why it failed; and the seconds that it took."""

    task: Task
    values: Floats | None
    seconds: float
    failure: str = ""


def check_settings(settings: Settings) -> None:
    """Refuse settings that make no sense."""
    least = {"steps": 0, "polish": 0, "corrections": 0, "refits": 0, "patients": 1, "seed": 0, "workers": 1}
    for name, low in least.items():
        value: object = getattr(settings, name)
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
            raise InputError(f"found {value!r}, expected a whole number, {low} or more.", field=name)
    flag("staged", settings.staged)
    flag("reuse", settings.reuse)
    difference = number("difference", settings.difference, low=-math.inf)
    if not 0 < difference <= BOUND:
        raise InputError(f"found {difference:g}, expected a number above 0 and at most {BOUND:g}.", field="difference")


def run_one(task: Task) -> Result:
    """Simulated rows under each set; the reason where it failed, since one bad run must not stop the others."""
    began = time.perf_counter()
    try:
        values = task.evidence.simulated(task.members, task.first, task.patients, task.seed)
    except Exception:
        return Result(task, None, time.perf_counter() - began, traceback.format_exc(limit=-3))
    return Result(task, values, time.perf_counter() - began)


def _one_thread() -> None:
    """In a worker: the runs are what goes side by side, not the patients of one."""
    from vein2vein.engine.llvm import threads

    threads.available = lambda: 1


def side_by_side(tasks: Sequence[Task], workers: int, run: Callable[[Task], Result], say: Say) -> Iterator[Result]:
    """Results of runs as they are done; a worker that is ended from outside costs its own run only."""
    if workers == 1:
        yield from map(run, tasks)
        return
    left = {task.label: task for task in tasks}
    for _ in range(ROUNDS):
        try:
            with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_one_thread) as pool:
                for future in as_completed([pool.submit(run, task) for task in left.values()]):
                    result = future.result()
                    del left[result.task.label]
                    yield result
            return
        except BrokenProcessPool:
            say(f"a worker was ended from outside; {len(left)} runs are tried again")
    for task in list(left.values()):
        yield Result(task, None, 0.0, "its worker was ended from outside")


def complete(
    work: Work, wanted: Mapping[str, tuple[Floats, Sequence[Evidence]]], step: int, *, own_luck: bool = False
) -> list[Floats]:
    """Outcome of each run that is wanted, shape (rows, 2); NaN where it fails every time.

    All runs of a step have the same luck: what differs between them is their numbers.

    Parameters
    ----------
    work : Work
    wanted : mapping of label to (point, evidence)
        A point is in prior standard deviations, shape (factors,).
    step : int
        Added to the seed.
    own_luck : bool
        Whether each run has its own luck, so that luck is no part of what they have in common.
    """
    kept, settings, say = work.kept, work.settings, work.say
    began, before = time.perf_counter(), kept.seconds
    for attempt in range(ROUNDS):
        tasks = list(_tasks(work, wanted, step, own_luck, alone=attempt > 0))
        for count, result in enumerate(side_by_side(tasks, settings.workers, run_one, say), start=1):
            kept.seconds = before + time.perf_counter() - began
            if result.values is None:
                say(f"{result.task.label} failed: {result.failure.strip()}")
            else:
                _keep(work, result)
            if count % EVERY == 0 or count == len(tasks):
                left = (len(tasks) - count) * (time.perf_counter() - began) / count
                say(
                    f"step {step}: {count} of {len(tasks)} runs, the last {result.seconds:.1f} s, "
                    f"{kept.seconds:.0f} s in all, about {left:.0f} s to go"
                )
        if not tasks:
            break
    for label, (_, evidence) in wanted.items():
        if any(_is_left(work, label, one) for one in evidence):
            say(f"{label} failed {ROUNDS} times and is left out")
    nothing = np.full((len(work.problem.rows), 2), np.nan)
    return [kept.runs.get(label, nothing) for label in wanted]


def _is_left(work: Work, label: str, evidence: Evidence) -> bool:
    done = work.kept.done.get(label)
    return done is None or not done[work.problem.names.index(evidence.name)]


def _tasks(
    work: Work, wanted: Mapping[str, tuple[Floats, Sequence[Evidence]]], step: int, own_luck: bool, *, alone: bool
) -> Iterator[Task]:
    """What is left to run: of each trial its sets, some at once; after a failure each ``alone``."""
    problem, settings = work.problem, work.settings
    places = {label: i for i, label in enumerate(wanted)}
    for evidence in problem.evidence:
        labels = [
            label
            for label, (_, here) in wanted.items()
            if any(one.name == evidence.name for one in here) and _is_left(work, label, evidence)
        ]
        size = [range(i, i + 1) for i in range(len(labels))] if alone else chunks(len(labels), settings.patients)
        for some in size:
            mine = [labels[i] for i in some]
            yield Task(
                f"{evidence.name}: {mine[0]}" + (f" and {len(mine) - 1} more" if len(mine) > 1 else ""),
                evidence,
                tuple(problem.member(wanted[label][0]) for label in mine),
                tuple(mine),
                tuple(own_luck * places[label] * settings.patients for label in mine),
                settings.patients,
                settings.seed + step,
            )


def _keep(work: Work, result: Result) -> None:
    """Keep what a task gave, each run by its label."""
    problem, kept, task = work.problem, work.kept, result.task
    assert result.values is not None
    rows, at = problem.rows_of(task.evidence.name), problem.names.index(task.evidence.name)
    for label, values in zip(task.labels, result.values, strict=True):
        kept.runs.setdefault(label, np.full((len(problem.rows), 2), np.nan))[rows] = values
        kept.done.setdefault(label, np.zeros(len(problem.evidence), dtype=bool))[at] = True
    kept.save()
