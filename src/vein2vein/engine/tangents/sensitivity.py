"""Derivatives of states and outputs with respect to parameters, initial states and doses, along with the solution.

    found = sensitivities(model, parameters, None, days, doses, wrt=["rho", "dose:0"])
    found.gradients[patient, day, state, direction]

The tangents are solved with the states, as one generated system (``tangent.py``), and jump at doses and wherever the
path has a corner (``jumps.py``). They are the derivatives of the equations at the asked tolerance, not differences.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import solve
from vein2vein.engine.method import tableau
from vein2vein.engine.method.events import Event
from vein2vein.engine.tangents import course as courses
from vein2vein.engine.tangents import jumps, tangent
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
    crossings : mapping of patient to tuple of jumps.Crossing
        Where the path had a corner (comparisons in the equations, events), in order.
    """

    days: Matrix
    names: tuple[str, ...]
    wrt: tuple[str, ...]
    values: Matrix
    gradients: Matrix
    status: NDArray[np.int64]
    steps: NDArray[np.int64]
    crossings: Mapping[int, tuple[jumps.Crossing, ...]]


_plans: Kept[courses.Plan] = Kept(64)


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
    levels: ArrayLike | Mapping[str, Any] | None = None,
    rtol: float = 1e-6,
    corners: bool = True,
    steer: bool = False,
    **options: Any,
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
        As for ``solve.solve``.
    wrt : sequence of str
        Names of parameters; "state:NAME" for the state on the first day; "dose:I" for the amount of dose number I.
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
    options
        As for ``solve.begin``. The method is the explicit one: an implicit one would need the derivatives of the
        tangents' rates, that is the second derivatives of the equations.
    """
    given = list(doses)
    asked = _rising(days)
    schedule = sorted(enumerate(given), key=lambda item: float(item[1][0]))
    directions = tangent.directions(model, wrt, given)
    if options.setdefault("method", METHOD) not in (METHOD, "auto"):
        raise InputError(f"derivatives are solved by the method '{METHOD}'; leave out the method '{options['method']}'")
    plain = solve.begin(model, parameters, state, float(asked[0]), levels, rtol, "plain")
    plan = _plan(model, directions, given, tuple(events), outputs, corners)
    course = courses.begin(plan, plain, state is None, rtol, {**options, "method": METHOD})
    sizes = _sizes(plain, directions, given) / (1.0 if steer else LOOSENESS)
    course.run = replace(course.run, control=courses.tolerances(plan, course.run.control, sizes))
    _check(model, given, asked, len(plain.parameters))
    names = model.state_names if plan.outputs is None else plan.outputs.names
    n, k, q = len(plain.parameters), len(asked), len(directions)
    values, gradients = np.full((n, k, len(names)), np.nan), np.full((n, k, len(names), q), np.nan)
    if not schedule or float(schedule[0][1][0]) > asked[0]:
        courses.fire_held(plan, course, plain.parameters)
    for j, day in enumerate(asked.tolist()):
        while schedule and float(schedule[0][1][0]) <= day:
            number, (when, name, amount) = schedule.pop(0)
            courses.advance(plan, course, plain.parameters, float(when))
            courses.dated_dose(plan, course, plain.parameters, number, name, amount)
            if not schedule or float(schedule[0][1][0]) > float(when):
                courses.fire_held(plan, course, plain.parameters)
        courses.advance(plan, course, plain.parameters, day)
        well = course.status == tableau.OK
        found, slopes = courses.observe(plan, course, plain.parameters, day)
        values[well, j], gradients[well, j] = found[well], slopes[well]
    return Sensitivities(
        asked, tuple(names), tuple(d.name for d in directions), values, gradients, course.status, course.steps,
        {row: tuple(found) for row, found in course.crossings.items()},
    )  # fmt: skip


def _rising(days: ArrayLike) -> Matrix:
    asked = np.atleast_1d(np.asarray(days, dtype=float))
    if asked.ndim != 1 or not len(asked) or not np.all(np.isfinite(asked)):
        raise InputError("the days to solve for must be a list of finite numbers, at least one")
    if np.any(np.diff(asked) < 0):
        i = int(np.flatnonzero(np.diff(asked) < 0)[0])
        raise InputError(f"the days are not in order: {asked[i + 1]:g} follows {asked[i]:g}; sort them")
    return asked


def _check(model: Model, doses: Sequence[solve.Dose], asked: Matrix, n: int) -> None:
    for day, name, amount in doses:
        if not float(day) >= asked[0]:
            raise InputError(f"the dose of '{name}' on day {day} lies before the first day asked for, {asked[0]:g}")
        if np.shape(amount) not in ((), (n,)) or not np.all(np.isfinite(np.asarray(amount, dtype=float))):
            raise InputError(
                f"the amount of '{name}' on day {day} has shape {np.shape(amount)}; "
                f"give one finite number, or one for each of the {n} patients"
            )


def _sizes(run: solve.Run, directions: Sequence[Direction], doses: Sequence[solve.Dose]) -> Matrix:
    """Typical size (q,) of what is varied: the model's example, which is the same for every cohort, or the largest."""
    of = {"parameter": run.parameters, "state": run.state}
    sizes = []
    for d in directions:
        values = doses[d.index][2] if d.kind == "dose" else of[d.kind][:, d.index]
        typical = abs(float(run.model.example.get(d.name, 0.0)))
        sizes.append(typical or float(np.max(abs(np.asarray(values, dtype=float)), initial=0.0)) or 1.0)
    return np.array(sizes)


def _plan(
    model: Model, directions: tuple[Direction, ...], doses: Sequence[solve.Dose], events: tuple[Event, ...],
    outputs: Sequence[str] | None, corners: bool,
) -> courses.Plan:  # fmt: skip
    known = [i.name for i in model.inputs]
    for _, name, _ in doses:
        if name not in known:
            raise InputError(f"model {model.name}: {unknown('input', name, tuple(known))}")
    inputs = {*(name for _, name, _ in doses), *(e.give for e in events if e.give in known)} - set(model.level_names)
    of = {q: doses[d.index][1] for q, d in enumerate(directions) if d.kind == "dose" and d.level < 0}
    facts = [content.rates(model), content.initial(model), *(content.dose(model, name) for name in sorted(inputs))]
    if outputs is not None:
        facts.append(content.observables(model))
    key = (
        model.name, tuple(facts), directions, tuple(sorted(inputs)), tuple(of.items()), events,
        None if outputs is None else tuple(outputs), corners,
    )  # fmt: skip

    def prepared() -> courses.Plan:
        recorded = {name: dose(model, name) for name in sorted(inputs)}
        begin = initial(model)
        which = jumps.surfaces(model, events) if corners else jumps.surfaces(model, events)[: len(events)]
        paced = bool(which)
        scout = tangent.extend(model, (), {}, begin, paced=True) if paced else None
        links = jumps.links(which, model)
        joined = tangent.extend(model, directions, recorded, begin, given=of, links=links, paced=paced)
        read = None if outputs is None else _outputs(model, outputs)
        return courses.Plan(model, begin, recorded, which, joined, scout, read)

    return _plans.get(key, prepared)


def _outputs(model: Model, names: Sequence[str]) -> Recorded:
    def chosen(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
        every = model.observables(t, x, p, u)
        for name in names:
            if name not in every:
                raise InputError(f"model {model.name}: {unknown('output', name, tuple(every))}")
        return {name: every[name] for name in names}

    return differentiated(model, chosen)
