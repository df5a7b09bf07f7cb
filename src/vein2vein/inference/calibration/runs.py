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
from vein2vein.inference.posterior import Factor, Member, member

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


@dataclass(frozen=True)
class Work:
    """What the steps of one calibration share: the problem, what was run, the settings, and who is told."""

    problem: Problem
    kept: Kept
    settings: Settings
    say: Say


@dataclass(frozen=True)
class Task:
    """One run: some trials, or other evidence, under the factors with these logarithms, shape (factors,)."""

    label: str
    factors: tuple[Factor, ...]
    logs: Floats
    evidence: tuple[Evidence, ...]
    patients: int
    seed: int


@dataclass(frozen=True)
class Result:
    """What a run gave: rows, shape (rows of its trials, 2), or why it failed; and the seconds that it took."""

    label: str
    values: Floats | None
    seconds: float
    failure: str = ""


def check_settings(settings: Settings) -> None:
    """Refuse settings that make no sense."""
    least = {"steps": 0, "polish": 0, "corrections": 0, "patients": 1, "seed": 0, "workers": 1}
    for name, low in least.items():
        value: object = getattr(settings, name)
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
            raise InputError(f"found {value!r}, expected a whole number, {low} or more.", field=name)
    flag("staged", settings.staged)
    flag("reuse", settings.reuse)
    difference = number("difference", settings.difference, low=-math.inf)
    if not 0 < difference <= BOUND:
        raise InputError(f"found {difference:g}, expected a number above 0 and at most {BOUND:g}.", field="difference")


def simulated(evidence: Evidence, one: Member, patients: int, seed: int) -> Floats:
    """Simulated rows of a trial or other evidence and their simulation errors, shape (rows, 2); NaN: missing."""
    return evidence.simulated(one, patients, seed)


def run_one(task: Task) -> Result:
    """Simulated rows of some trials; the reason where it failed, since one bad run must not stop the others."""
    began = time.perf_counter()
    try:
        one = member(task.factors, task.logs)
        values = np.concatenate([simulated(each, one, task.patients, task.seed) for each in task.evidence])
    except Exception:
        return Result(task.label, None, time.perf_counter() - began, traceback.format_exc(limit=-3))
    return Result(task.label, values, time.perf_counter() - began)


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
                    del left[result.label]
                    yield result
            return
        except BrokenProcessPool:
            say(f"a worker was ended from outside; {len(left)} runs are tried again")
    for label in list(left):
        yield Result(label, None, 0.0, "its worker was ended from outside")


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
    problem, kept, settings, say = work.problem, work.kept, work.settings, work.say
    began, before = time.perf_counter(), kept.seconds
    for _ in range(ROUNDS):
        tasks = [
            Task(
                label,
                problem.factors,
                point * problem.prior,
                tuple(evidence),
                settings.patients,
                settings.seed + step + own_luck * i,
            )
            for i, (label, (point, evidence)) in enumerate(wanted.items())
            if label not in kept.runs
        ]
        tasks.sort(key=lambda task: -len(task.evidence))  # longest first
        for count, result in enumerate(side_by_side(tasks, settings.workers, run_one, say), start=1):
            kept.seconds = before + time.perf_counter() - began
            if result.values is None:
                say(f"{result.label} failed: {result.failure.strip()}")
            else:
                kept.runs[result.label] = problem.placed(result.values, wanted[result.label][1])
                kept.save()
            if count % EVERY == 0 or count == len(tasks):
                left = (len(tasks) - count) * (time.perf_counter() - began) / count
                say(
                    f"step {step}: {count} of {len(tasks)} runs, the last {result.seconds:.1f} s, "
                    f"{kept.seconds:.0f} s in all, about {left:.0f} s to go"
                )
        if all(label in kept.runs for label in wanted):
            break
    nothing = np.full((len(problem.rows), 2), np.nan)
    for label in wanted:
        if label not in kept.runs:
            say(f"{label} failed {ROUNDS} times and is left out")
    return [kept.runs.get(label, nothing) for label in wanted]
