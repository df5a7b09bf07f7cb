"""The same fit from other seeds, side by side in other processes where the model can be found from there."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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


def others(
    population: Population, jobs: int, told: Callable[[int], None] | None = None
) -> tuple[list[Floats], tuple[str, ...]]:
    """Traces of the problem's other seeds, and notes on how they were made.

    Parameters
    ----------
    population : Population
    jobs : int
        Processes.
    told : callable (seeds done), optional
    """
    problem = population.problem
    count = problem.settings.seeds - 1
    if count < 1:
        return [], ()
    name = name_of(problem)
    if jobs > 1 and name:
        values = {key: value for key, value in vars(problem).items() if key != "model"}
        task = Sent(pickle.dumps(values), name)
        found: dict[int, Floats] = {}
        for span, trace in scheduler.compute_in(min(jobs, count), task, [(i + 1, i + 2) for i in range(count)]):
            found[span[0]] = trace
            if told is not None:
                told(len(found))
        return [found[i + 1] for i in range(count)], ()
    notes = () if name or jobs == 1 else ("seeds ran one after the other: another process cannot find this model",)
    traces: list[Floats] = []
    for i in range(count):
        traces.append(one(population, problem.seed + i + 1))
        if told is not None:
            told(len(traces))
    return traces, notes
