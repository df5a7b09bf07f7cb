"""Derivatives of states and outputs with respect to parameters, initial states and doses, along with the solution.

    found = sensitivities(model, parameters, None, days, doses, wrt=["rho", "dose:0"])
    found.gradients[patient, day, state, direction]

The tangents are solved with the states, as one generated system (``tangent.py``), and jump at doses and wherever the
path has a corner (``corners.py``). They are the derivatives of the equations at the asked tolerance, not differences.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import checks, solve
from vein2vein.engine.method import events as events_of
from vein2vein.engine.method import tableau
from vein2vein.engine.method.events import Event
from vein2vein.engine.tangents import corners as corners_of
from vein2vein.engine.tangents import joined, tangent
from vein2vein.engine.tangents.tangent import Direction, Matrix
from vein2vein.engine.trace import content
from vein2vein.engine.trace.differentiated import Recorded, differentiated, dose, initial
from vein2vein.engine.trace.kept import Kept
from vein2vein.errors import InputError, unknown
from vein2vein.models.model import Model

METHOD = "tsit5"
LOOSENESS = 100.0
"""How much larger than the states' own a tangent's error may be before it shortens the steps: it then grows unseen."""


@dataclass(frozen=True)
class Sensitivities:
    """Values and their derivatives at the asked days.

    Attributes
    ----------
    days : ndarray (k,)
    names : tuple of str (m,)
        States, or the outputs that were asked for.
    wrt : tuple of str (q,)
    values : ndarray (n, k, m)
        On the day of a dose: right after it. NaN after the day at which a patient could not be solved further.
    gradients : ndarray (n, k, m, q)
        Change of a value per unit of the quantity.
    status, steps : ndarray of int (n,)
    crossings : mapping of patient to tuple of corners_of.Crossing
        Where the path had a corner (comparisons in the equations, events), in order.
    """

    days: Matrix
    names: tuple[str, ...]
    wrt: tuple[str, ...]
    values: Matrix
    gradients: Matrix
    status: NDArray[np.int64]
    steps: NDArray[np.int64]
    crossings: Mapping[int, tuple[corners_of.Crossing, ...]]


Scheduled = tuple[float, int, str, Matrix]
"""What is given: day, number of the dose, input, amount () or (n,)."""

_plans: Kept[joined.Prepared] = Kept(64)


def sensitivities(
    model: Model,
    parameters: ArrayLike,
    state: ArrayLike | None,
    days: ArrayLike,
    doses: Iterable[solve.Dose] = (),
    wrt: Sequence[str] = (),
    *,
    outputs: Sequence[str] | None = None,
    events: Sequence[Event] = (),
    levels: solve.Levels | None = None,
    rtol: float = 1e-6,
    corners: bool = True,
    steer: bool = False,
    backend: str = "batch",
    method: str = METHOD,
    max_step: float | None = None,
    max_steps: int = tableau.MAX_STEPS,
    threads: int | None = None,
    width: int | None = None,
) -> Sensitivities:
    """Solve n patients and differentiate their states or outputs.

    Parameters
    ----------
    model : Model
    parameters : (n, parameters)
    state : (n, states) or None
        State on the first of ``days``, a constant; None: the model's own start, differentiated.
    days : (k,)
        In rising order; the run begins on the first.
    doses : iterable of (day, input name, amount)
        As for ``solve.solve``. Patients with the same dose days are solved together.
    wrt : sequence of str
        Names of parameters; "state:NAME" for the state on the first day; "dose:I" for the amount of dose number I (of a
        patient who is not given it, the derivative is 0).
    outputs : sequence of str, optional
        Observables of the model; left out: its states.
    events : sequence of Event
        Given when their condition is met.
    levels : (n, levels) or mapping of name to value, optional
    rtol : float
    corners : bool
        Find where comparisons in the equations change and let the tangents jump there. Without it they miss such jumps.
    steer : bool
        Hold the tangents' errors as tightly as those of the states, at the price of more steps. Left out, the steps are
        those of the plain run, unless a tangent's error grows beyond ``LOOSENESS`` times what a state is allowed.
    method : {"tsit5", "auto"}
        The explicit one: an implicit one would need the derivatives of the tangents' rates, that is the second
        derivatives of the equations.
    backend, max_step, max_steps, threads, width
        As for ``solve.begin``.
    """
    if not isinstance(cast("object", method), str) or method not in (METHOD, "auto"):
        told = checks.text_of(method)
        raise InputError(f"derivatives are solved by the method '{METHOD}'; leave out the method '{told}'")
    asked = checks.days_of(days)
    plain = solve.begin(model, parameters, state, float(asked[0]), levels, rtol, "plain")
    n = len(plain.parameters)
    given = checks.schedule_of(model, doses, np.full(n, asked[0]), n)
    directions = tangent.directions(
        model, checks.names_of(wrt, "wrt", "a list of names"), [name for _, name, _ in given]
    )
    read = None if outputs is None else checks.names_of(outputs, "outputs", "a list of observables")
    fired = checks.each_of(events, Event, "events", lambda e: events_of.check(e, model))
    plan = _plan(model, directions, given, fired, read, checks.flag_of(corners, "corners"))
    sizes = _sizes(plain, directions, given) / (1.0 if checks.flag_of(steer, "steer") else LOOSENESS)
    names = model.state_names if plan.outputs is None else plan.outputs.names
    k, q = len(asked), len(directions)
    found = Sensitivities(
        asked, tuple(names), tuple(d.name for d in directions), np.full((n, k, len(names)), np.nan),
        np.full((n, k, len(names), q), np.nan), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), {},
    )  # fmt: skip

    def begun(which: Model, p: Matrix, x: Matrix, day: float, clock: Matrix) -> solve.Run:
        return solve.begin(
            which, p, x, day, clock, rtol, backend, method=METHOD,
            max_step=max_step, max_steps=max_steps, threads=threads, width=width,
        )  # fmt: skip

    crossings: dict[int, tuple[corners_of.Crossing, ...]] = {}
    for rows, schedule in _schedules(given, n):
        part = plain if len(rows) == n else solve.take(plain, rows)
        course = joined.begin(plan, part, state is None, begun)
        course.run = replace(course.run, control=joined.tolerances(plan, course.run.control, sizes))
        _follow(plan, course, part.parameters, asked, schedule, rows, found)
        crossings |= {int(rows[row]): tuple(met) for row, met in course.crossings.items()}
    return replace(found, crossings=dict(sorted(crossings.items())))


def _schedules(doses: Sequence[checks.Given], n: int) -> Iterator[tuple[NDArray[np.int64], list[Scheduled]]]:
    """Rows of the patients with the same dose days, and what they are given: (day, number, input, amounts), by day."""
    days = np.stack([np.broadcast_to(day, n) for day, _, _ in doses], axis=1) if doses else np.zeros((n, 0))
    if all(day.ndim == 0 for day, _, _ in doses):
        kinds, kind_of = days[:1], np.zeros(n, dtype=np.int64)
    else:
        kinds, kind_of = np.unique(np.where(np.isnan(days), np.inf, days), axis=0, return_inverse=True)
        kind_of = kind_of.reshape(n)
    if n == 0:
        kinds = np.array([[np.nan if day.ndim else float(day) for day, _, _ in doses]])
    for number, own in enumerate(kinds.tolist()):
        rows = np.flatnonzero(kind_of == number)
        amounts = [amount if amount.ndim == 0 else amount[rows] for _, _, amount in doses]
        listed = [(day, i, doses[i][1], amounts[i]) for i, day in enumerate(own) if np.isfinite(day)]
        yield rows, sorted(listed, key=lambda item: item[0])


def _follow(
    plan: joined.Prepared, course: joined.JoinedCourses, p: Matrix, asked: Matrix, schedule: list[Scheduled],
    rows: NDArray[np.int64], found: Sensitivities,
) -> None:  # fmt: skip
    """Carry some patients through the asked days and write what is found in their rows."""
    if not schedule or schedule[0][0] > asked[0]:
        joined.fire_held(plan, course, p)
    for j, day in enumerate(asked.tolist()):
        while schedule and schedule[0][0] <= day:
            when, number, name, amount = schedule.pop(0)
            joined.advance(plan, course, p, when)
            joined.given_dose(plan, course, p, number, name, amount)
            if not schedule or schedule[0][0] > when:
                joined.fire_held(plan, course, p)
        joined.advance(plan, course, p, day)
        well = course.status == tableau.OK
        values, slopes = joined.observe(plan, course, p, day)
        found.values[rows[well], j], found.gradients[rows[well], j] = values[well], slopes[well]
    found.status[rows], found.steps[rows] = course.status, course.steps


def _sizes(run: solve.Run, directions: Sequence[Direction], doses: Sequence[checks.Given]) -> Matrix:
    """Typical size (q,) of what is varied: the model's example, the same whoever is solved together, or the largest."""
    of = {"parameter": run.parameters, "state": run.state}
    sizes: list[float] = []
    for d in directions:
        values = doses[d.index][2] if d.kind == "dose" else of[d.kind][:, d.index]
        typical = abs(float(run.model.example.get(d.name, 0.0)))
        sizes.append(typical or float(np.max(abs(np.asarray(values, dtype=float)), initial=0.0)) or 1.0)
    return np.array(sizes)


def _plan(
    model: Model, directions: tuple[Direction, ...], doses: Sequence[checks.Given], events: tuple[Event, ...],
    outputs: Sequence[str] | None, corners: bool,
) -> joined.Prepared:  # fmt: skip
    inputs = {*(name for _, name, _ in doses), *(e.give for e in events)} - set(model.level_names)
    of = {q: doses[d.index][1] for q, d in enumerate(directions) if d.kind == "dose" and d.level < 0}
    facts = [content.rates(model), content.initial(model), *(content.dose(model, name) for name in sorted(inputs))]
    if outputs is not None:
        facts.append(content.observables(model))
    key = (
        model.name, tuple(facts), directions, tuple(sorted(inputs)), tuple(of.items()), events,
        None if outputs is None else tuple(outputs), corners,
    )  # fmt: skip

    def prepared() -> joined.Prepared:
        recorded = {name: dose(model, name) for name in sorted(inputs)}
        begin = initial(model)
        which = corners_of.surfaces(model, events) if corners else corners_of.surfaces(model, events)[: len(events)]
        paced = bool(which)
        scout = tangent.extend(model, (), {}, begin, paced=True) if paced else None
        links = corners_of.links(which, model)
        system = tangent.extend(model, directions, recorded, begin, given=of, links=links, paced=paced)
        read = None if outputs is None else _outputs(model, outputs)
        return joined.Prepared(model, begin, recorded, which, system, scout, read)

    return _plans.get(key, prepared)


def _outputs(model: Model, names: Sequence[str]) -> Recorded:
    def chosen(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
        every = model.observables(t, x, p, u)
        for name in names:
            if name not in every:
                raise InputError(f"model {model.name}: {unknown('output', name, tuple(every))}")
        return {name: every[name] for name in names}

    return differentiated(model, chosen)
