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
    days : (k,), or a list of one such array for each patient
        In rising order; a course ends on the last.
    doses : iterable of (day, input name, amount), Dose or Reset
        As for ``solve``. Derivatives go through infusions, repeats and bioavailability, not through steady states and
        resets.
    outputs : bool or sequence of str
        Whether the states on ``days`` are kept, or the names of states and observables that are.
    sensitivities : sequence of str, optional
        What values are differentiated by: parameters, "state:NAME" for the state on the first day, "dose:I" for the
        amount of dose number I. Left out: nothing, and calls return a solution without gradients.
    begin : day or (n,), optional
        Day on which the courses begin; left out: the first of ``days``.
    levels : (n, levels) or mapping of name to value, optional
    events : sequence of Event
        What is given when the state calls for it.
    summaries : sequence of Summary
        Numbers to which each course is reduced while it is solved; they are not differentiated.
    rtol : float
    backend : {"batch", "plain", "gpu"}
        The last without derivatives only.
    method : {"auto", "tsit5", "rodas4", "rodas5p"}
    max_step : float, optional
        Days.
    max_steps : int
        Of a whole course.
    threads, width : int, optional

    Returns
    -------
    solve.Prepared, or sensitivity.Prepared or sensitivity.Dosed where ``sensitivities`` are asked for
        Calls return a ``Solution`` and ``Sensitivities``.
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
