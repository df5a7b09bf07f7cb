"""The same fit from other seeds, side by side in other processes where the model can be found from there."""

from __future__ import annotations

import multiprocessing
import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError
from vein2vein.inference.population import saem
from vein2vein.inference.population.population import Population, populate
from vein2vein.inference.population.problem import FitProblem
from vein2vein.models import catalogue, model_file
from vein2vein.runs import scheduler

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sent:
    """A problem on its way to another process, where its model is found by name."""

    problem: bytes
    model: str

    def __call__(self, first: int, last: int) -> Floats:
        """The trace of the seed that is ``first`` above the problem's own."""
        del last
        problem: FitProblem = _Finding(self.problem, self.model).load()
        return one(populate(problem, threads=1), problem.seed + first)


class _Finding:
    """Reads a problem whose model was left out."""

    def __init__(self, content: bytes, name: str) -> None:
        self.content, self.name = content, name

    def load(self) -> FitProblem:
        values = pickle.loads(self.content)
        return FitProblem(model=catalogue.find_model(self.name), **values)


def one(population: Population, seed: int, told: Callable[[saem.State], None] | None = None) -> Floats:
    """The trace (iterations, k) of one seed."""
    state = saem.begin(population, seed)
    for _ in saem.run(population, state, told):
        pass
    return np.array(state.trace)


def name_of(problem: FitProblem) -> str:
    """By what another process finds the model; "" where it cannot."""
    name = problem.model_name
    if name and model_file.is_model_file(name):
        return str(Path(name).resolve())
    known = problem.model.name in catalogue.model_names() and catalogue.find_model(problem.model.name) is problem.model
    return problem.model.name if known else ""


def side_by_side(problem: FitProblem, jobs: int) -> bool:
    """Whether other seeds run in processes of their own."""
    return jobs > 1 and problem.settings.seeds > 1 and bool(name_of(problem))


class Others:
    """The other seeds of a problem: under way in other processes from the beginning, or run when they are asked for.

    Attributes
    ----------
    count : int
    notes : tuple of str
    """

    def __init__(self, population: Population, jobs: int) -> None:
        self._population, problem = population, population.problem
        self.count = problem.settings.seeds - 1
        self._found: dict[int, Floats] = {}
        self._failed: InputError | None = None
        self._thread: threading.Thread | None = None
        self._before = set(multiprocessing.active_children())
        lost = jobs > 1 and self.count > 0 and not name_of(problem)
        self.notes = ("seeds ran one after the other: another process cannot find this model",) if lost else ()
        if side_by_side(problem, jobs):
            values = {key: value for key, value in vars(problem).items() if key != "model"}
            task = Sent(pickle.dumps(values), name_of(problem))
            self._thread = threading.Thread(target=self._run, args=(task, jobs - 1), daemon=True)
            self._thread.start()

    def _run(self, task: Sent, processes: int) -> None:
        spans = [(i + 1, i + 2) for i in range(self.count)]
        try:
            for span, trace in scheduler.compute_in(processes, task, spans):
                self._found[span[0]] = trace
        except InputError as error:
            self._failed = error

    def traces(self, told: Callable[[int], None]) -> list[Floats]:
        """The trace of each, once all are done; ``told`` is told how many are.

        Raises
        ------
        InputError
            A process was ended from outside.
        """
        if self._thread is None:
            for i in range(self.count):
                self._found[i + 1] = one(self._population, self._population.problem.seed + i + 1)
                told(i + 1)
        done = 0
        while self._thread is not None and done < self.count and self._failed is None:
            self._thread.join(0.1)
            while done < len(self._found):
                done += 1
                told(done)
        if self._failed is not None:
            raise self._failed
        return [self._found[i + 1] for i in range(self.count)]

    def stop(self) -> None:
        """End the processes: nobody waits for them any more."""
        if self._thread is not None and self._thread.is_alive():
            for child in set(multiprocessing.active_children()) - self._before:
                child.terminate()
            self._thread.join()
