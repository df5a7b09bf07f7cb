"""How one number of each patient moves with many parameters: one pass forward, one backward, however many there are.

    found = gradient(model, parameters, None, days, doses, weights)
    found.gradient[patient, parameter]

The number is a sum of values on days, each with its weight, or a loss whose weights are given as a function of the
values. The way forward is kept as polynomials (``pieces.py``); the adjoint is solved along them as a model of its own
(``backward.py``) and jumps where something happens (``jumps.py``). Where there are few parameters and many values,
``sensitivity.py`` is cheaper.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import checks, days_asked, solve
from vein2vein.engine import doses as doses_of
from vein2vein.engine.days_asked import Days
from vein2vein.engine.llvm import run_course
from vein2vein.engine.method import plain_course, tableau
from vein2vein.engine.method.plain import Control
from vein2vein.engine.method.request import ANEW, ON, Doses, Request, common, standing
from vein2vein.engine.run import control_of
from vein2vein.engine.tangents import jumps as jumps_of
from vein2vein.engine.tangents import pieces as pieces_of
from vein2vein.engine.tangents import plans, tangent
from vein2vein.engine.tangents.backward import Backward, backward
from vein2vein.engine.tangents.corners import Crossing
from vein2vein.engine.tangents.jumps import Jumps
from vein2vein.engine.tangents.pieces import Pieces
from vein2vein.engine.tangents.sensitivity import Prepared
from vein2vein.errors import InputError
from vein2vein.models.model import Model, start
from vein2vein.records import described

LOOSE = 100.0

Matrix = NDArray[np.float64]
Loss = Callable[[Matrix], tuple[ArrayLike, ArrayLike]]
"""Values (n, k, m) -> loss of each patient (n,), and how it moves with each value (n, k, m)."""


@described
@dataclass(frozen=True)
class Gradient:
    """One number of each patient and its derivatives.

    Attributes
    ----------
    days : ndarray (k,), or (rows,) where each patient has days of its own
    names : tuple of str (m,)
        States, or the outputs that were asked for.
    wrt : tuple of str (q,)
    values : ndarray (n, k, m), or (rows, m) where each patient has days of its own
    total : ndarray (n,)
        The sum of values times weights, or the loss.
    gradient : ndarray (n, q)
        Change of the total per unit of the quantity; NaN for a patient who could not be solved.
    status : ndarray of int (n,)
    steps : ndarray of int (n, 2)
        Of the last pass forward, and of the one backward.
    """

    days: Matrix
    names: tuple[str, ...]
    wrt: tuple[str, ...]
    values: Matrix
    total: Matrix
    gradient: Matrix
    status: NDArray[np.int64]
    steps: NDArray[np.int64]


def gradient(
    model: Model,
    parameters: ArrayLike,
    state: ArrayLike | None,
    days: days_asked.DaysLike,
    doses: Iterable[solve.Dose],
    weights: ArrayLike | Loss,
    *,
    wrt: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    begin: ArrayLike | None = None,
    levels: solve.Levels | None = None,
    rtol: float = tableau.RTOL,
    backend: str = "batch",
    method: str = "auto",
    max_step: float | None = None,
    max_steps: int = tableau.MAX_STEPS,
    threads: int | None = None,
    width: int | None = None,
) -> Gradient:
    """Solve n patients and differentiate one number of each by all parameters.

    Parameters
    ----------
    parameters : (n, parameters)
    state : (n, states) or None
        State where the courses begin, a constant; None: the model's own start, differentiated.
    doses : iterable of (day, input name, amount)
    weights : (n, k, m), or (rows, m) where each patient has days of its own, or a function
        Of the values in the sum. A function is given the values and returns the loss of each patient and the weights.
    wrt : sequence of str, optional
        As for ``sensitivity.prepare``; left out: all parameters.
    model, days, outputs, begin, levels, rtol, backend, method, max_step, max_steps, threads, width
        As for ``sensitivity.prepare``.

    Raises
    ------
    InputError
        Besides bad arguments: for doses of other kinds, and where a comparison of a level decides the path.
    """
    checks.backend_of(backend, solve.BACKENDS)
    listed = doses_of.listed(checks.model_of(model), doses)
    if not doses_of.simple(listed):
        raise InputError(
            "a gradient takes doses as (day, input name, amount) only; sensitivities follow infusions and repeats"
        )
    given_told = tuple(checks.doses_of(model, listed))
    named = model.parameters if wrt is None else checks.names_of(wrt, "wrt", "a list of names")
    directions = tangent.directions(model, named, [name for _, name, _ in given_told])
    read = None if outputs is None else checks.names_of(outputs, "outputs", "a list of observables")
    plan = plans.followed(model, tuple(name for _, name, _ in given_told), read)
    if plan.whole is None:
        raise InputError(
            f"model {model.name}: a comparison of a level with what moves decides its path, which a gradient does not "
            "follow; ask for sensitivities"
        )
    control = control_of(model, rtol, method, max_step, max_steps)
    p = checks.matrix_of(parameters, model.parameters, "parameter", model)
    n = len(p)
    asked = days_asked.read(days, begin)(n)
    u = checks.levels_of(model, levels, n)
    x = None if state is None else checks.state_of(model, state, n)
    given = checks.schedule_of(model, given_told, asked.begins, n)
    way = Prepared(
        replace(plan, outputs=None), Days(None, (), None), given_told, control, 1.0, backend,
        checks.threads_of(threads), checks.width_of(width), u,
    )  # fmt: skip
    whose = np.repeat(np.arange(n), len(asked.outputs.days)) if asked.patient is None else asked.patient
    when = np.tile(asked.outputs.days, n) if asked.patient is None else asked.outputs.days
    first = replace(way, days=_own(when, whose, asked.begins))(p, x)
    own_levels = jumps_of.levels_on(model, u, given, whose, when)
    names, values = model.state_names, first.values
    if plan.outputs is not None:
        names = plan.outputs.names
        found = tangent.values(plan.outputs.graph, plan.outputs.outputs, when, first.values, p[whose], own_levels)
        values = np.stack(found, axis=1) if found else np.zeros((len(when), 0))
        values[np.isnan(first.values).any(axis=1)] = np.nan
    shape = values.shape if asked.patient is not None else (n, len(asked.outputs.days), len(names))
    total, weighed = _weighed(weights, values.reshape(shape), whose, n)
    own = [d.index for d in directions if d.kind == "parameter"]
    back = backward(model, own, sorted({d.level for d in directions if d.level >= 0}))
    cuts = _cuts(n, when, whose, given, first.crossings, asked.begins, asked.ends)

    def solved(when: list[Matrix]) -> Matrix:
        return replace(way, days=Days(None, tuple(when), asked.begins), _laid=[])(p, x).values

    pieces = pieces_of.find(cuts, solved, control.absolute, control.rtol)
    jumps = jumps_of.begun(pieces, asked.ends, len(back.model.states))
    jumps_of.add_outputs(jumps, back, plan.outputs, weighed, whose, when, first.values, p[whose], own_levels)
    begins = start(model, p) if x is None else x
    jumps_of.add_doses(jumps, back, model, plan.doses, given, directions, pieces, begins, p, asked.ends)

    def levels_of(rows: NDArray[np.int64], days: Matrix) -> Matrix:
        return jumps_of.levels_on(model, u, given, rows, days)

    jumps_of.add_corners(jumps, back, plan.surfaces, first.crossings, pieces, p, levels_of)
    size = np.abs(weighed * np.where(np.isfinite(values), values, 0.0)).sum(axis=1)
    every = np.bincount(whose, size, minlength=n)
    every = np.where(every > 0, every, 1.0)
    steered = control_of(back.model, min(control.rtol * LOOSE, 1e-3), method, max_step, max_steps)
    piece_of = np.repeat(np.arange(n), pieces.last - pieces.first)
    held = levels_of(piece_of, pieces.begin)
    run = _Way(back, pieces, jumps, p, every, first.status, backend, way.threads, way.width)
    adjoint, gathered, status, steps = _back(run, model, steered, held, piece_of, len(directions))
    if x is None:
        jumps_of.at_start(back, plan.start, model.state_names, adjoint, p, asked.begins)
    for q, d in enumerate(directions):
        if d.kind == "parameter":
            gathered[:, q] = adjoint[:, len(model.states) + back.parameters.index(d.index)]
        elif d.kind == "state":
            gathered[:, q] = adjoint[:, d.index]
    gathered[status != tableau.OK] = np.nan
    return Gradient(
        asked.outputs.days, tuple(names), tuple(d.name for d in directions), values.reshape(shape), total, gathered,
        status, np.stack([first.steps, steps], axis=1),
    )  # fmt: skip


def _own(when: Matrix, whose: NDArray[np.int64], begins: Matrix) -> Days:
    parts = np.split(when, np.cumsum(np.bincount(whose, minlength=len(begins)))[:-1])
    return Days(None, tuple(parts), begins)


def _weighed(told: object, values: Matrix, whose: NDArray[np.int64], n: int) -> tuple[Matrix, Matrix]:
    """The number of each patient, and weights (rows, m)."""
    loss = None
    if callable(told):
        loss, told = cast("Loss", told)(values)
    weights = checks.floats(told)
    if weights is None or weights.shape != values.shape or np.isnan(weights[np.isfinite(values)]).any():
        found = checks.shown(told) if weights is None else f"of the shape {weights.shape}"
        raise InputError(f"the weights are {found}; give a number for each value, of the shape {values.shape}")
    rows = weights.reshape(len(whose), values.shape[-1])
    flat = values.reshape(rows.shape)
    if loss is None:
        sums = np.zeros(n)
        np.add.at(sums, whose, np.where(rows != 0, rows * flat, 0.0).sum(axis=1))
        return sums, rows
    total = checks.floats(loss)
    if total is None or total.shape != (n,):
        raise InputError(f"the loss is {checks.shown(loss)}; give one number for each of the {n} patients")
    return total, rows


def _cuts(
    n: int, when: Matrix, whose: NDArray[np.int64], given: Sequence[checks.Given],
    crossings: Mapping[int, Sequence[Crossing]], begins: Matrix, ends: Matrix,
) -> list[Matrix]:  # fmt: skip
    """Days of each patient on which something happens."""
    doses = np.stack([np.broadcast_to(d, n) for d, _, _ in given], axis=1) if given else np.zeros((n, 0))
    edges = np.searchsorted(whose, np.arange(n + 1))
    found: list[Matrix] = []
    for i in range(n):
        met = [c.day for c in crossings.get(i, ())]
        every = np.concatenate([[begins[i], ends[i]], when[edges[i] : edges[i + 1]], doses[i], met])
        found.append(np.unique(every[(every >= begins[i]) & (every <= ends[i])]))
    return found


@dataclass(frozen=True)
class _Way:
    """What the way back reads; ``every`` (n,) is the size of each patient's number."""

    back: Backward
    pieces: Pieces
    jumps: Jumps
    parameters: Matrix
    every: Matrix
    status: NDArray[np.int64]
    backend: str
    threads: int | None
    width: int | None


def _back(
    way: _Way, model: Model, control: Control, held: Matrix, piece_of: NDArray[np.int64], count: int
) -> tuple[Matrix, Matrix, NDArray[np.int64], NDArray[np.int64]]:
    """Adjoints (n, columns) where the courses begin, what doses gathered (n, count), status, steps."""
    back, pieces, jumps, n = way.back, way.pieces, way.jumps, len(way.parameters)
    sizes = _sizes(way, piece_of)
    own = np.concatenate([way.parameters, sizes[:, : len(model.states)], 1 / sizes[:, : len(model.states)],
                          sizes[:, len(model.states) :]], axis=1)  # fmt: skip
    own = np.ascontiguousarray(own)
    levels = _levels(way, model, held, piece_of)
    unit = way.every[:, None] / sizes  # adjoint = solved * unit
    nothing = np.zeros(n, dtype=np.int64)
    none = Doses(nothing, nothing, np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0))
    request, outputs = Request(outputs=False), common(np.zeros(0), 0)
    ready = None
    if way.backend == "batch":
        ready = run_course.ready(back.model, request, control, outputs, none, way.threads, way.width)
    ends = np.array([-edges[-1] for edges in jumps.edges])
    stand = standing(np.zeros((n, len(back.model.states))), np.zeros((n, levels.shape[1])), ends, (), ())
    stand.number("status")[:] = way.status
    gathered = np.zeros((n, count))
    added = np.asarray((jumps.added != 0).any(axis=1))
    patients = np.arange(n)
    for turn in range(int((pieces.last - pieces.first).max(initial=0)) + 1):
        row = pieces.last - 1 - turn
        there = (row + 1 >= pieces.first) & (stand.number("status") == tableau.OK)
        place = np.maximum(row + 1, pieces.first) + patients
        changed: NDArray[np.bool_] = there & added[place]
        stand.state[changed] += jumps.added[place[changed]] / unit[changed]
        for i in np.flatnonzero(there).tolist():
            acts = jumps.then.get(int(place[i]))
            if acts:
                adjoint = stand.state[i] * unit[i]
                for act in acts:
                    act(adjoint, gathered[i])
                stand.state[i], changed[i] = adjoint / unit[i], True
        going = there & (row >= pieces.first)
        if not going.any():
            continue
        at = np.where(going, row, 0)
        stand.levels[going] = levels[at[going]]
        new: NDArray[np.bool_] = changed | (stand.real("h") <= 0)
        stand.number("todo")[:] = np.where(going, stand.number("method"), 0)
        stand.number("fresh")[:] = np.where(new, ANEW, ON)
        ends = np.where(going, -pieces.begin[at], stand.real("t"))
        if ready is None:
            plain_course.follow(back.model, own, stand, ends, outputs, none, request, control)
        else:
            ready.run(own, stand, np.ascontiguousarray(ends))
    return stand.state * unit, gathered, stand.number("status").copy(), stand.number("steps").copy()


def _sizes(way: _Way, piece_of: NDArray[np.int64]) -> Matrix:
    """Sizes (n, columns) of what an adjoint belongs to: each patient's own."""
    largest = np.zeros((len(way.parameters), way.pieces.nodes.shape[-1]))
    np.maximum.at(largest, piece_of, np.abs(way.pieces.nodes).max(axis=1))
    own = np.abs(way.parameters[:, list(way.back.parameters)])
    levels = np.ones((len(own), len(way.back.levels)))
    found = np.concatenate([largest, own, levels], axis=1)
    return np.where(found > 0, found, 1.0)


def _levels(way: _Way, model: Model, held: Matrix, piece_of: NDArray[np.int64]) -> Matrix:
    """Levels (pieces, l) of the adjoint's model."""
    back, pieces = way.back, way.pieces
    coefficients = pieces.coefficients
    middle, half = (pieces.begin + pieces.end) / 2, (pieces.end - pieces.begin) / 2
    p = way.parameters[piece_of]
    sides = tangent.values(back.rates.graph, back.sides, middle, coefficients[:, 0], p, held)
    _, low, high = model.limits
    inside = pieces.nodes[:, 1:-1]
    below, above = np.asarray((inside <= low).all(axis=1)), np.asarray((inside >= high).all(axis=1))
    outputs = dict(zip(back.rates.names, back.rates.outputs))
    nodes = [outputs[name] for name in model.state_names]
    rates = np.stack(tangent.values(back.rates.graph, nodes, middle, coefficients[:, 0], p, held), axis=1)
    free = np.where((below & (rates < 0)) | (above & (rates > 0)), 0.0, 1.0)
    read = coefficients[:, :, list(back.read)].transpose(0, 2, 1).reshape(len(middle), -1)
    columns = [held, *(s[:, None] for s in sides), free[:, list(back.bounded)], middle[:, None], 1 / half[:, None]]
    return np.concatenate([*columns, read], axis=1)
