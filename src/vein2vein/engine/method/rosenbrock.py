"""A Rosenbrock step for one patient, readable: the truth for the compiled one (see ``tableau.py`` for the formula)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.method.tableau import Method
from vein2vein.engine.trace import content, derivative, graph
from vein2vein.engine.trace.kept import Kept
from vein2vein.engine.trace.recording import Traced, trace
from vein2vein.models.model import Model

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Slopes:
    """Nodes of a model's Jacobian, {(row, column): node}, and of what its rates change by time alone, {row: node}."""

    traced: Traced
    jacobian: dict[tuple[int, int], int]
    by_time: dict[int, int]


_slopes: Kept[Slopes] = Kept(64)


def slopes(traced: Traced) -> Slopes:
    """Record the partial derivatives of a model's rates."""
    by_time = derivative.partials(traced.graph, traced.derivatives, "time")
    return Slopes(traced, derivative.jacobian(traced), {i: row[0] for i, row in enumerate(by_time) if 0 in row})


def slopes_of(model: Model) -> Slopes:
    """Partial derivatives of a model's rates, recorded once."""
    return _slopes.get(content.rates(model), lambda: slopes(trace(model)))


def evaluate(s: Slopes, t: float, x: Vector, p: Vector, u: Vector) -> tuple[NDArray[np.float64], Vector]:
    """Jacobian (states, states) and time derivative of the rates (states,) of one patient."""
    nodes = [*s.jacobian.values(), *s.by_time.values()]
    values = graph.evaluate(s.traced.graph, nodes, t, x, p, u)
    matrix, by_time = np.zeros((len(x), len(x))), np.zeros(len(x))
    for (i, j), value in zip(s.jacobian, values):
        matrix[i, j] = value
    for i, value in zip(s.by_time, values[len(s.jacobian) :]):
        by_time[i] = value
    return matrix, by_time


def stages(
    method: Method,
    rates: Callable[[float, Vector], Vector],
    jacobian: NDArray[np.float64],
    by_time: Vector,
    t: float,
    x: Vector,
    h: float,
) -> tuple[list[Vector], Vector]:
    """The increments k of a step of length ``h`` and the state at its end; NaN where the matrix is singular."""
    matrix = np.eye(len(x)) / (method.gamma * h) - jacobian
    if not np.all(np.isfinite(matrix)):
        return [np.full(len(x), np.nan)] * method.stages, np.full(len(x), np.nan)
    k: list[Vector] = []
    for node, weights, couplings, slope in zip(method.nodes, method.weights, method.couplings, method.slopes):
        at = x + sum((a * ki for a, ki in zip(weights, k)), np.zeros(len(x)))
        right = rates(t + node * h, at) + sum((c * ki for c, ki in zip(couplings, k)), np.zeros(len(x))) / h
        try:
            k.append(np.asarray(np.linalg.solve(matrix, right + slope * h * by_time), dtype=float))
        except np.linalg.LinAlgError:
            k.append(np.full(len(x), np.nan))
    return k, x + sum(a * ki for a, ki in zip((*method.weights[-1], 1.0), k))
