"""The one door of the engine to courses that are solved again and again, with or without derivatives.

    prepared = prepare(model, days, doses, outputs=["transgene"], sensitivities=["rho"])
    found = prepared(parameters)

Without derivatives it leads to ``solve.prepare``, with them to ``tangents.sensitivity.prepare``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.engine import checks, days_asked, solve
from vein2vein.engine.method import summaries as summaries_of
from vein2vein.engine.method import tableau
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.summaries import Summary
from vein2vein.engine.tangents import sensitivity
from vein2vein.errors import InputError
from vein2vein.models.model import Model


@overload
def prepare(
    model: Model,
    days: days_asked.DaysLike,
    doses: Iterable[solve.Dose] = (),
    *,
    outputs: bool | Sequence[str] = True,
    sensitivities: None = None,
    begin: ArrayLike | None = None,
    levels: solve.Levels | None = None,
    events: Sequence[Event] = (),
    summaries: Sequence[Summary] = (),
    rtol: float = tableau.RTOL,
    backend: str = "batch",
    method: str = "auto",
    max_step: float | None = None,
    max_steps: int = tableau.MAX_STEPS,
    threads: int | None = None,
    width: int | None = None,
) -> solve.Prepared:
    """Courses without derivatives."""
    ...


@overload
def prepare(
    model: Model,
    days: days_asked.DaysLike,
    doses: Iterable[solve.Dose] = (),
    *,
    outputs: bool | Sequence[str] = True,
    sensitivities: Sequence[str],
    begin: ArrayLike | None = None,
    levels: solve.Levels | None = None,
    events: Sequence[Event] = (),
    rtol: float = tableau.RTOL,
    backend: str = "batch",
    method: str = "auto",
    max_step: float | None = None,
    max_steps: int = tableau.MAX_STEPS,
    threads: int | None = None,
    width: int | None = None,
) -> sensitivity.Derivatives:
    """Courses with derivatives."""
    ...


def prepare(
    model: Model,
    days: days_asked.DaysLike,
    doses: Iterable[solve.Dose] = (),
    *,
    outputs: bool | Sequence[str] = True,
    sensitivities: Sequence[str] | None = None,
    begin: ArrayLike | None = None,
    levels: solve.Levels | None = None,
    events: Sequence[Event] = (),
    summaries: Sequence[Summary] = (),
    rtol: float = tableau.RTOL,
    backend: str = "batch",
    method: str = "auto",
    max_step: float | None = None,
    max_steps: int = tableau.MAX_STEPS,
    threads: int | None = None,
    width: int | None = None,
) -> solve.Prepared | sensitivity.Derivatives:
    """Prepare courses that are to be solved for many sets of parameters, with their derivatives or without.

    What it returns is called with parameters (n, parameters), and may be called from several threads.

    Parameters
    ----------
    model : Model
    days : (k,), or a list of n such arrays
        In rising order; a course ends on the last. A list: each patient's own, and results come back in rows.
    doses : iterable of (day, input name, amount), Dose or Reset
        ``day`` and ``amount`` are one number or (n,); a day that is NaN: not given to this patient. A level input is
        set to the amount from that day on. Infusions, repeats, lags and steady states: ``Dose``. Derivatives go through
        infusions, repeats and bioavailability, not through steady states and resets.
    outputs : bool or sequence of str, True
        Whether the states on ``days`` are kept, or the names of states and observables that are; without them memory
        does not grow with the days.
    sensitivities : sequence of str, optional
        What values are differentiated by: parameters, "state:NAME" for the state on the first day, "dose:I" for the
        amount of dose number I. Left out: nothing, and calls return a solution without gradients.
    begin : day or (n,), optional
        Day on which the courses begin; left out: the first of ``days``.
    levels : (n, levels) or mapping of name to (n,) or number, optional
        What level inputs are held at from the beginning; left out: 0. A call may give others.
    events : sequence of Event
        What is given when the state calls for it.
    summaries : sequence of Summary
        Numbers to which each course is reduced while it is solved; they are not differentiated.
    rtol : float, 3e-8
        Relative tolerance; a state's absolute tolerance is its scale times rtol / 1e-5 (0.003 of its scale).
    backend : {"batch", "plain", "gpu"}
        Compiled for the processor, readable Python one patient at a time, or on an accelerator (no events, no
        derivatives).
    method : {"auto", "tsit5", "rodas4", "rodas5p"}
        Explicit, or for stiff equations; "auto" changes between the two, patient by patient, as stability asks.
    max_step : float, optional
        Longest step, days; left out: without limit. A pulse of the equations that is short may ask for it.
    max_steps : int, 100000
        Tried steps of a patient in the whole course.
    threads : int, optional
        Left out: one per core.
    width : {1, 2, 4, 8}, optional
        Patients per vector; left out: what suits the processor. Results do not depend on it.

    Returns
    -------
    solve.Prepared, or sensitivity.Prepared or sensitivity.Dosed where ``sensitivities`` are asked for
        Calls take ``parameters`` (n, parameters), by name, or a ParameterSet, and optionally ``state`` (n, states) and
        ``levels``. They return a ``Solution`` or ``Sensitivities``: ``values`` (n, k, m), on the day of a dose right
        after it; with days of each patient's own (rows, m), and ``patient`` (rows,) says whose. ``status`` (n,): 0
        solved, 1 step size too small, 2 too many steps, 3 not finite, 4 linear equations not accurate; a patient's
        values are NaN from where it could not be solved further.

    Examples
    --------
    >>> import vein2vein as v2v
    >>> model = v2v.find_model("stein_2019")
    >>> prepared = v2v.prepare(model, days=[0.0, 7.0, 28.0], outputs=["transgene"])
    >>> prepared(model.example).values.shape  # (patients, days, outputs)
    (1, 3, 1)
    """
    if sensitivities is None:
        return solve.prepare(
            model, days, doses, outputs=outputs, begin=begin, levels=levels, events=events, summaries=summaries,
            rtol=rtol, backend=backend, method=method, max_step=max_step, max_steps=max_steps, threads=threads,
            width=width,
        )  # fmt: skip
    checks.model_of(model)
    wrt = checks.names_of(sensitivities, "sensitivities", "a list of names")
    if checks.each_of(summaries, Summary, "summaries", lambda s: summaries_of.check(s, model)):
        raise InputError("summaries are not differentiated; leave them out, or ask for no sensitivities")
    kept: Sequence[str] | None = None
    if not isinstance(outputs, (bool, np.bool_)):
        kept = checks.names_of(outputs, "outputs", "True or a list of states and observables")
    elif not outputs:
        raise InputError("outputs is False, and nothing is left to differentiate; give True or a list of names")
    return sensitivity.prepare(
        model, days, doses, wrt, outputs=kept, begin=begin, events=events, levels=levels, rtol=rtol,
        backend=backend, method=method, max_step=max_step, max_steps=max_steps, threads=threads, width=width,
    )  # fmt: skip
