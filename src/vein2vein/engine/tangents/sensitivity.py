"""Derivatives of states and outputs with respect to parameters, initial states and doses, along with the solution.

    found = sensitivities(model, parameters, None, days, doses, wrt=["rho", "dose:0"])
    found.gradients[patient, day, state, direction]

Whoever asks again and again prepares once: ``prepare(model, days, doses, wrt)`` and ``prepared(parameters)``. What a
call does is in ``prepared.py``; doses of every kind are brought to simple ones in ``dosed.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from numpy.typing import ArrayLike

from vein2vein.engine import checks, days_asked, solve
from vein2vein.engine import doses as doses_of
from vein2vein.engine.method import events as events_of
from vein2vein.engine.method import tableau
from vein2vein.engine.method.events import Event
from vein2vein.engine.run import control_of
from vein2vein.engine.tangents import plans, tangent
from vein2vein.engine.tangents.dosed import Dosed, dosed
from vein2vein.engine.tangents.prepared import (
    LOOSENESS,
    MOST_STATES,
    STIFF_STATES,
    Prepared,
    Sensitivities,
    steered,
)
from vein2vein.models.model import Model

__all__ = [
    "LOOSENESS", "MOST_STATES", "STIFF_STATES", "Derivatives", "Dosed", "Prepared", "Sensitivities", "prepare",
    "sensitivities",
]  # fmt: skip

Derivatives = Prepared | Dosed
"""What ``prepare`` returns: called with parameters, it gives ``Sensitivities``."""


def prepare(
    model: Model,
    days: days_asked.DaysLike,
    doses: Iterable[solve.Dose] = (),
    wrt: Sequence[str] = (),
    *,
    outputs: Sequence[str] | None = None,
    begin: ArrayLike | None = None,
    events: Sequence[Event] = (),
    levels: solve.Levels | None = None,
    rtol: float = tableau.RTOL,
    corners: bool = True,
    steer: bool = False,
    backend: str = "batch",
    method: str = "auto",
    max_step: float | None = None,
    max_steps: int = tableau.MAX_STEPS,
    threads: int | None = None,
    width: int | None = None,
) -> Derivatives:
    """Prepare derivatives that are to be computed for many sets of parameters.

    Parameters
    ----------
    model : Model
    days : (k,), or a list of one such array for each patient
        In rising order; a course ends on the last.
    doses : iterable of (day, input name, amount) or doses.Dose
        As for ``solve.solve``; not steady states and resets, nor what would move the days of a dose.
    wrt : sequence of str
        Names of parameters; "state:NAME" for the state on the first day; "dose:I" for the amount of dose number I (of a
        patient who is not given it, the derivative is 0).
    outputs : sequence of str, optional
        Observables and states of the model; left out: its states.
    begin : day or (n,), optional
        Day on which the courses begin; left out: the first of ``days``.
    events : sequence of Event
        Given when their condition is met.
    levels : (n, levels) or mapping of name to value, optional
    rtol : float
    corners : bool
        Find where comparisons in the equations change and let the tangents jump there. Without it they miss such jumps.
    steer : bool
        Hold the tangents' errors as tightly as those of the states, at the price of more steps. Left out, the steps are
        those of the plain run, unless a tangent's error grows beyond ``LOOSENESS`` times what a state is allowed.
    backend, max_step, max_steps, threads, width
        As for ``solve.begin``.
    method : {"auto", "tsit5", "rodas4", "rodas5p"}
        As for ``solve.begin``. "auto" stays explicit with events, and where there are more than ``STIFF_STATES`` states
        and tangents.

    Returns
    -------
    Prepared or Dosed
        To be called with a matrix of parameters.
    """
    checks.backend_of(backend, solve.BACKENDS)
    checks.model_of(model)
    asked = days_asked.read(days, begin)
    listed = doses_of.listed(model, doses)
    names = checks.names_of(wrt, "wrt", "a list of names")
    read = None if outputs is None else checks.names_of(outputs, "outputs", "a list of observables")
    fired = checks.each_of(events, Event, "events", lambda e: events_of.check(e, model))
    cornered = checks.flag_of(corners, "corners")
    loose = 1.0 if checks.flag_of(steer, "steer") else LOOSENESS
    each, lanes = checks.threads_of(threads), checks.width_of(width)

    def simply(which: Model, given: Sequence[checks.Dose], varied: Sequence[str]) -> Prepared:
        inputs = tuple(name for _, name, _ in given)
        directions = tangent.directions(which, varied, inputs)
        plan = plans.plan_of(which, directions, inputs, fired, read, cornered)
        control = steered(plan, control_of(which, rtol, method, max_step, max_steps))
        return Prepared(plan, asked, tuple(given), control, loose, backend, each, lanes, levels)

    again = partial(
        prepare, model, days, listed, names, outputs=read, begin=begin, events=fired, levels=levels, rtol=rtol,
        corners=cornered, steer=steer, backend=backend, method=method, max_step=max_step, max_steps=max_steps,
        threads=threads, width=width,
    )  # fmt: skip
    if doses_of.simple(listed):
        return replace(simply(model, checks.doses_of(model, listed), names), again=again)
    return dosed(simply, model, asked, listed, names, levels, rtol, again)


def sensitivities(
    model: Model,
    parameters: ArrayLike,
    state: ArrayLike | None,
    days: days_asked.DaysLike,
    doses: Iterable[solve.Dose] = (),
    wrt: Sequence[str] = (),
    *,
    outputs: Sequence[str] | None = None,
    begin: ArrayLike | None = None,
    events: Sequence[Event] = (),
    levels: solve.Levels | None = None,
    rtol: float = tableau.RTOL,
    corners: bool = True,
    steer: bool = False,
    backend: str = "batch",
    method: str = "auto",
    max_step: float | None = None,
    max_steps: int = tableau.MAX_STEPS,
    threads: int | None = None,
    width: int | None = None,
) -> Sensitivities:
    """Solve n patients and differentiate their states or outputs: ``prepare`` and one call.

    Parameters
    ----------
    parameters : (n, parameters)
    state : (n, states) or None
        State where the courses begin, a constant; None: the model's own start, differentiated.
    doses : iterable of (day, input name, amount) or doses.Dose
        As for ``prepare``.
    model, days, wrt, outputs, begin, events, levels, rtol, corners, steer
        As for ``prepare``.
    backend, method, max_step, max_steps, threads, width
        As for ``prepare``.
    """
    prepared = prepare(
        model, days, doses, wrt, outputs=outputs, begin=begin, events=events, levels=levels, rtol=rtol,
        corners=corners, steer=steer, backend=backend, method=method, max_step=max_step, max_steps=max_steps,
        threads=threads, width=width,
    )  # fmt: skip
    return prepared(parameters, state)
