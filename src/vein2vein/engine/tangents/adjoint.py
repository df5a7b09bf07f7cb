"""How one number of each patient moves with many parameters: one pass forward, one backward, however many there are.

    found = gradient(model, parameters, None, days, doses, weights)
    found.gradient[patient, parameter]

The number is a sum of values on days, each with its weight, or a loss whose weights are given as a function of the
values. The way forward is kept as polynomials (``pieces.py``); the adjoint is solved along them as a model of its own
(``backward.py``) and jumps where something happens (``jumps.py``). Where there are few parameters and many values,
``sensitivity.py`` is cheaper.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import breaks, checks, days_asked, solve
from vein2vein.engine import doses as doses_of
from vein2vein.engine.days_asked import Days
from vein2vein.engine.llvm import run_course
from vein2vein.engine.method import plain_course, tableau
from vein2vein.engine.method.plain import Control
from vein2vein.engine.method.request import ANEW, ON, Doses, Request, common, standing
from vein2vein.engine.run import control_of
from vein2vein.engine.tangents import jumps as jumps_of
from vein2vein.engine.tangents import known, plans, tangent
from vein2vein.engine.tangents import pieces as pieces_of
from vein2vein.engine.tangents.backward import DEGREE, Backward, backward
from vein2vein.engine.tangents.corners import Crossing
from vein2vein.engine.tangents.jumps import Jumps
from vein2vein.engine.tangents.pieces import Pieces
from vein2vein.engine.tangents.sensitivity import MOST_STATES, Prepared
from vein2vein.engine.tangents.weights import Loss, weighed_of
from vein2vein.errors import InputError
from vein2vein.models.model import Model, start
from vein2vein.records import described

LOOSE = 5.0
"""How much larger than a state's own an adjoint's error may be: the parameters see it smoothed."""
AT_ONCE = 256
"""Patients whose way is held in memory at once."""
_INNER = 2

Matrix = NDArray[np.float64]


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
    if known.stepped(plan.surfaces, directions) or known.roundings(model, directions):
        raise InputError(
            f"model {model.name}: a gradient does not follow floor() and ceil() whose steps move with what is varied; "
            "ask for sensitivities, or leave out of wrt what moves them"
        )
    p = checks.matrix_of(parameters, model.parameters, "parameter", model)
    n = len(p)
    asked = days_asked.read(days, begin)(n)
    x = None if state is None else checks.state_of(model, state, n)
    whose = np.repeat(np.arange(n), len(asked.outputs.days)) if asked.patient is None else asked.patient
    when = np.tile(asked.outputs.days, n) if asked.patient is None else asked.outputs.days
    given = checks.schedule_of(model, given_told, asked.begins, n)
    u = checks.levels_of(model, levels, n)
    case = _Case(plan, directions, p, x, u, asked.begins, asked.ends, given, whose, when)
    control = control_of(model, rtol, method, max_step, max_steps)
    own = [d.index for d in directions if d.kind == "parameter"]
    back = backward(model, own, sorted({d.level for d in directions if d.level >= 0}))
    looser = LOOSE * np.sqrt(len(model.states) / len(back.model.states))  # states weigh as when alone in the mean
    steered = _steered(back, control_of(back.model, min(control.rtol * looser, 1e-3), method, max_step, max_steps))
    way = Prepared(
        replace(plan, outputs=None), Days(None, (), None), given_told, control, 1.0, backend,
        checks.threads_of(threads), checks.width_of(width), u,
    )  # fmt: skip
    first = replace(way, days=jumps_of.own_days(when, whose, asked.begins), _laid=[])(p, x)
    names, values = _values(case, first.values)
    shape = values.shape if asked.patient is not None else (n, len(asked.outputs.days), len(names))
    total, weighed = weighed_of(model.name, weights, values.reshape(shape), whose, n)
    status, steps, found = (
        first.status,
        np.stack([first.steps, 0 * first.steps], axis=1),
        np.zeros((n, len(directions))),
    )
    for a in range(0, n, AT_ONCE):
        b = min(a + AT_ONCE, n)
        part, rows = _part(case, a, b)
        status[a:b], steps[a:b, 1] = _backward(
            part, back, replace(way, doses=tuple(part.given), levels=part.levels), steered, first.values[rows],
            values[rows], weighed[rows], {i - a: of for i, of in first.crossings.items() if a <= i < b}, status[a:b],
            found[a:b],
        )  # fmt: skip
    return Gradient(
        asked.outputs.days, names, tuple(d.name for d in directions), values.reshape(shape), total, found, status, steps
    )


@dataclass(frozen=True)
class _Case:
    """What is asked of n patients; ``whose`` and ``when`` (rows,) of the values."""

    plan: plans.Plan
    directions: Sequence[tangent.Direction]
    parameters: Matrix
    state: Matrix | None
    levels: Matrix
    begins: Matrix
    ends: Matrix
    given: Sequence[checks.Given]
    whose: NDArray[np.int64]
    when: Matrix

    def levels_on(self, whose: NDArray[np.int64], days: Matrix) -> Matrix:
        """Levels (rows, l) of patients on days (rows,)."""
        return jumps_of.levels_on(self.plan.model, self.levels, self.given, whose, days)


def _steered(back: Backward, control: Control) -> Control:
    """No stiff method where its code would be too large."""
    states = len(back.model.states)
    if control.method.implicit and states > MOST_STATES:
        raise InputError(
            f"model {back.model.name}: there are {states} states and parameters, and a stiff method takes up to "
            f"{MOST_STATES}; ask for fewer at a time, or leave out the method"
        )
    return control if states <= MOST_STATES else replace(control, stiff=None)


def _values(case: _Case, states: Matrix) -> tuple[tuple[str, ...], Matrix]:
    """Names and values (rows, m) of what is read."""
    outputs = case.plan.outputs
    if outputs is None:
        return case.plan.model.state_names, states
    u = case.levels_on(case.whose, case.when)
    found = tangent.values(outputs.graph, outputs.outputs, case.when, states, case.parameters[case.whose], u)
    values = np.stack(found, axis=1) if found else np.zeros((len(states), 0))
    values[np.isnan(states).any(axis=1)] = np.nan
    return outputs.names, values


def _sums(case: _Case, weights: Matrix, values: Matrix) -> Matrix:
    """Size (n,) of each patient's number."""
    found = np.zeros(len(case.parameters))
    np.add.at(found, case.whose, np.abs(weights * np.where(np.isfinite(values), values, 0.0)).sum(axis=1))
    return np.where(found > 0, found, 1.0)


def _part(case: _Case, a: int, b: int) -> tuple[_Case, slice]:
    """Patients a to b, and their values."""
    rows = slice(*np.searchsorted(case.whose, [a, b]).tolist())
    given = [tuple(v[a:b] if isinstance(v, np.ndarray) and v.ndim else v for v in dose) for dose in case.given]
    part = replace(
        case, parameters=case.parameters[a:b], state=None if case.state is None else case.state[a:b],
        levels=case.levels[a:b], begins=case.begins[a:b], ends=case.ends[a:b], given=cast("list[checks.Given]", given),
        whose=case.whose[rows] - a, when=case.when[rows],
    )  # fmt: skip
    return part, rows


def _backward(
    case: _Case, back: Backward, way: Prepared, control: Control, states: Matrix, values: Matrix, weights: Matrix,
    crossings: Mapping[int, Sequence[Crossing]], status: NDArray[np.int64], found: Matrix,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
    """Write the derivatives (n, q); status and steps."""
    plan, p = case.plan, case.parameters
    n = len(p)

    def solved(when: list[Matrix]) -> Matrix:
        return replace(way, days=Days(None, tuple(when), case.begins), _laid=[])(p, case.state).values

    known, stops = breaks.find(plan.model), np.zeros((n, 0))
    if known is not None:
        names = plan.model.level_names
        changing = [names.index(name) for _, name, _ in case.given if name in names]
        stops = breaks.days(known, p, case.levels, changing, case.begins, case.ends)
    cuts = jumps_of.days_on_the_way(stops, case.when, case.whose, case.given, crossings, case.begins, case.ends)
    pieces = pieces_of.find(cuts, solved, way.control.absolute, way.control.rtol)
    jumps = jumps_of.begun(pieces, case.ends, len(back.model.states))
    u = case.levels_on(case.whose, case.when)
    jumps_of.add_outputs(jumps, back, plan.outputs, weights, case.whose, case.when, states, p[case.whose], u)
    begins = start(plan.model, p) if case.state is None else case.state
    jumps_of.add_doses(jumps, back, plan.model, plan.doses, case.given, case.directions, pieces, begins, p, case.ends)
    jumps_of.add_corners(jumps, back, plan.surfaces, crossings, pieces, p, case.levels_on)
    run = _Way(back, pieces, jumps, p, _sums(case, weights, values), status, way.backend, way.threads, way.width)
    return _back(run, case, control, found)


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


def _back(way: _Way, case: _Case, control: Control, gathered: Matrix) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Write the derivatives (n, q); status and steps."""
    back, pieces, jumps, n = way.back, way.pieces, way.jumps, len(way.parameters)
    model = case.plan.model
    piece_of = np.repeat(np.arange(n), pieces.last - pieces.first)
    sizes = _sizes(way, case, piece_of)
    own = np.concatenate([way.parameters, sizes[:, : len(model.states)], 1 / sizes[:, : len(model.states)],
                          sizes[:, len(model.states) :]], axis=1)  # fmt: skip
    own = np.ascontiguousarray(own)
    levels = _levels(way, case, piece_of)
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
    status = stand.number("status").copy()
    adjoint = stand.state * unit
    if case.state is None:
        jumps_of.at_start(back, case.plan.start, model.state_names, adjoint, way.parameters, case.begins)
    for q, d in enumerate(case.directions):
        if d.kind != "dose":
            before = 0 if d.kind == "state" else len(model.states)
            gathered[:, q] = adjoint[:, before + (d.index if d.kind == "state" else back.parameters.index(d.index))]
    gathered[status != tableau.OK] = np.nan
    return status, stand.number("steps").copy()


def _sizes(way: _Way, case: _Case, piece_of: NDArray[np.int64]) -> Matrix:
    """Sizes (n, columns) of what an adjoint belongs to: each patient's own; 1 or more of a state that is varied."""
    model = case.plan.model
    least = np.where(np.isfinite(model.limits[0]), model.limits[0], 0.0)
    for d in case.directions:
        changed = case.plan.doses[case.given[d.index][1]].names if d.kind == "dose" and d.level < 0 else ()
        least[[d.index] if d.kind == "state" else [model.state_names.index(name) for name in changed]] = 1.0
    largest = np.tile(least, (len(way.parameters), 1))
    np.maximum.at(largest, piece_of, np.abs(way.pieces.nodes).max(axis=1))
    own = np.abs(way.parameters[:, list(way.back.parameters)])
    levels = np.ones((len(own), len(way.back.levels)))
    found = np.concatenate([largest, own, levels], axis=1)
    return np.where(found > 0, found, 1.0)


def _levels(way: _Way, case: _Case, piece_of: NDArray[np.int64]) -> Matrix:
    """Levels (pieces, l) of the adjoint's model."""
    model, held = case.plan.model, case.levels_on(piece_of, way.pieces.begin)
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
    one = pieces_of.NODES[_INNER]  # where a state is its own, not its polynomial's
    now = tangent.values(back.rates.graph, nodes, middle + one * half, pieces.nodes[:, _INNER], p, held)
    rates = np.stack(now, axis=1)
    free = np.where((below & (rates < 0)) | (above & (rates > 0)), 0.0, 1.0)
    read = coefficients[:, :, list(back.read)].transpose(0, 2, 1).reshape(len(middle), (DEGREE + 1) * len(back.read))
    columns = [held, *(s[:, None] for s in sides), free[:, list(back.bounded)], middle[:, None], 1 / half[:, None]]
    return np.concatenate([*columns, read], axis=1)
