"""Derivatives laid out once: a model, what is varied, days and simple doses, to be called with parameters.

The tangents are solved with the states, as one generated system (``tangent.py``), and jump at doses and wherever the
path has a corner: inside one call of the engine (``whole.py``), or, with events of the caller's, from day to day
(``joined.py``, ``corners.py``). They are the derivatives of the equations at the asked tolerance, not differences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import breaks, checks, days_asked, solve
from vein2vein.engine.days_asked import Asked
from vein2vein.engine.method.plain import Control
from vein2vein.engine.method.request import Request
from vein2vein.engine.tangents import given as given_of
from vein2vein.engine.tangents import joined, plans
from vein2vein.engine.tangents.corners import Crossing
from vein2vein.engine.tangents.plans import Plan
from vein2vein.engine.tangents.tangent import Matrix
from vein2vein.engine.tangents.whole import Whole
from vein2vein.errors import InputError
from vein2vein.models.model import Model, start
from vein2vein.records import described

LOOSENESS = 10.0
"""How much larger than the states' own a tangent's error may be before it shortens the steps: it then grows unseen.

A step across a kink that a state decides leaves a tangent off by that much, and no later step mends it. 100 saves 0.5
to 7 % of the steps (``benchmarks/sensitivity_cost.py``) and is off 5 times more there.
"""
STIFF_STATES, MOST_STATES = 160, 600
"""Joined states up to which code of a stiff method is made: where it may be chosen, and where it is asked for."""


@described
@dataclass(frozen=True)
class Sensitivities:
    """Values and their derivatives at the asked days.

    Attributes
    ----------
    days : ndarray (k,), or (rows,) where each patient has days of its own
    names : tuple of str (m,)
        States, or the outputs that were asked for.
    wrt : tuple of str (q,)
    values : ndarray (n, k, m), or (rows, m) where each patient has days of its own
        On the day of a dose: right after it. NaN after the day at which a patient could not be solved further.
    gradients : ndarray (n, k, m, q), or (rows, m, q)
        Change of a value per unit of the quantity.
    status, steps : ndarray of int (n,)
    crossings : mapping of patient to tuple of corners.Crossing
        Where the path had a corner (comparisons in the equations, events), in order.
    patient : ndarray of int (rows,), or None
        Whose row it is, where each patient has days of its own.
    """

    days: Matrix
    names: tuple[str, ...]
    wrt: tuple[str, ...]
    values: Matrix
    gradients: Matrix
    status: NDArray[np.int64]
    steps: NDArray[np.int64]
    crossings: Mapping[int, tuple[Crossing, ...]]
    patient: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class _Laid:
    """What is laid out for n patients: their days, doses, and the joined courses."""

    n: int
    asked: Asked
    given: Sequence[checks.Given]
    courses: solve.Prepared | None


@dataclass(frozen=True)
class Prepared:
    """Derivatives of a model's courses, for one set of parameters after another; ``prepare`` makes it.

    It may be called from several threads at once. ``again`` makes it once more.
    """

    plan: Plan
    days: days_asked.Days
    doses: tuple[solve.Dose, ...]
    control: Control
    loose: float
    backend: str
    threads: int | None
    width: int | None
    levels: solve.Levels | None
    again: Callable[[], object] | None = None
    _laid: list[_Laid] = field(default_factory=list[_Laid])

    def __reduce__(self) -> tuple[object, tuple[()]]:
        """Not the equations and the machine code, which another process makes anew."""
        return self.again, ()

    def __call__(
        self, parameters: ArrayLike, state: ArrayLike | None = None, levels: solve.Levels | None = None
    ) -> Sensitivities:
        """Solve n patients and differentiate.

        Parameters
        ----------
        parameters : (n, parameters)
        state : (n, states), optional
            State on the first day, a constant; left out: the model's own start, differentiated.
        levels : (n, levels) or mapping of name to value, optional
            Left out: those that were prepared, or 0.
        """
        model, directions = self.plan.model, self.plan.directions
        p = checks.matrix_of(parameters, model.parameters, "parameter", model)
        x = None if state is None else checks.state_of(model, state, len(p))
        u = checks.levels_of(model, self.levels if levels is None else levels, len(p))
        laid = self._lay(len(p))
        begin = x
        if x is None and any(d.kind == "state" for d in directions):
            begin = checks.state_of(model, start(model, p), len(p))
        sizes = given_of.sizes(begin, p, directions, laid.given, model.example)
        outputs = self.plan.outputs
        names, asked = model.state_names if outputs is None else outputs.names, laid.asked
        rows, q = asked.outputs.rows, len(directions)
        found = Sensitivities(
            asked.outputs.days, tuple(names), tuple(d.name for d in directions), np.full((rows, len(names)), np.nan),
            np.full((rows, len(names), q), np.nan), np.zeros(len(p), dtype=np.int64), np.zeros(len(p), dtype=np.int64),
            {}, asked.patient,
        )  # fmt: skip
        crossings: dict[int, tuple[Crossing, ...]] = {}
        left = np.arange(len(p))
        if self.plan.whole is not None:
            crossings, left = self._at_once(self.plan.whole, laid, p, x, u, sizes, found)
        if len(left):
            crossings |= self._from_day_to_day(laid, left, p, x, u, sizes, found)
        crossings = dict(sorted(crossings.items()))
        if asked.patient is not None:
            return replace(found, crossings=crossings)
        shape = (len(p), len(asked.outputs.days), len(names))
        values, gradients = found.values.reshape(shape), found.gradients.reshape(*shape, q)
        return replace(found, values=values, gradients=gradients, crossings=crossings)

    def _lay(self, n: int) -> _Laid:
        """Days, doses and courses for n patients, laid out at the first call with so many."""
        for laid in self._laid:
            if laid.n == n:
                return laid
        model, asked = self.plan.model, self.days(n)
        given = checks.schedule_of(model, self.doses, asked.begins, n)
        courses = None if self.plan.whole is None else self._courses(self.plan.whole, given, n)
        laid = _Laid(n, asked, given, courses)
        self._laid[:] = [laid]
        return laid

    def _courses(self, which: Whole, given: Sequence[checks.Given], n: int) -> solve.Prepared:
        """Courses of the joined model."""
        inputs = {name for _, name, _ in given}
        varied = {d.index for d in which.extended.directions if d.kind == "dose"}
        gives = tuple(i.name for i in which.model.inputs if _may_be_given(i.name, inputs, which, given, varied))
        control = joined.tolerances(
            which.extended, self.control, np.full(len(which.extended.directions), 1 / self.loose), which.model
        )
        halts = breaks.find(which.model) is not None
        request = Request(gives, which.events, (), True, tuple(name for name, _, _ in which.reads), halts=halts)
        return solve.Prepared(
            which.model,
            self.days,
            tuple(given_of.schedule(which, given, n)),
            request,
            control,
            self.backend,
            self.threads,
            self.width,
            None,
        )

    def _at_once(
        self, which: Whole, laid: _Laid, p: Matrix, x: Matrix | None, u: Matrix, sizes: Matrix, found: Sensitivities
    ) -> tuple[dict[int, tuple[Crossing, ...]], NDArray[np.int64]]:
        """Solve everyone in one call, write what is found, and tell what was crossed and who is left to be solved."""
        begins, ends = laid.asked.begins, laid.asked.ends
        timed = given_of.on_time(which, begins, ends, p)
        courses = cast("solve.Prepared", laid.courses)
        if timed:
            courses = replace(courses, doses=(*timed, *courses.doses), _laid=[])
        own = given_of.parameters(which, p, sizes, u, begins)
        state = None if x is None else given_of.state(which, x, sizes, p, u, begins)
        solved = courses(own, state, given_of.levels(which, u))
        rows = solved.values.reshape(-1, solved.values.shape[-1])
        whose = laid.asked.patient
        per = np.repeat(sizes, len(laid.asked.outputs.days), axis=0) if whose is None else sizes[whose]
        if which.outputs is None:
            states, tangents = which.extended.split(rows)
            found.values[:], found.gradients[:] = states, tangents / per[:, None]
        else:
            outputs = len(which.outputs.names)
            found.values[:], found.gradients[:] = rows[:, :outputs], 0.0
            for column, (_, i, q) in enumerate(which.reads[outputs:], start=outputs):
                found.gradients[:, i, q] = rows[:, column] / per[:, q]
        found.gradients[np.isnan(found.values).any(axis=1)] = np.nan
        found.status[:], found.steps[:] = solved.status, solved.steps
        fired = list(solved.fired.values())
        return given_of.crossings(which, fired, timed), given_of.crowded(fired)

    def _from_day_to_day(
        self, laid: _Laid, some: NDArray[np.int64], p: Matrix, x: Matrix | None, u: Matrix, sizes: Matrix,
        found: Sensitivities,
    ) -> dict[int, tuple[Crossing, ...]]:  # fmt: skip
        plan, control, asked = self.plan, self.control, laid.asked
        ready = plans.stepwise(plan)
        plain = solve.begin(plan.model, p, x, 0.0, u, control.rtol, "plain")
        tangents = joined.started(plan.start, plain, plan.directions, x is None)
        crossings: dict[int, tuple[Crossing, ...]] = {}

        def begun(which: Model, p: Matrix, x: Matrix, day: float, clock: Matrix) -> solve.Run:
            return solve.begin(
                which, p, x, day, clock, control.rtol, self.backend, method=control.method.name,
                max_step=None if np.isinf(control.max_step) else control.max_step, max_steps=control.max_steps,
                threads=self.threads, width=self.width,
            )  # fmt: skip

        typical = np.max(sizes, axis=0, initial=np.finfo(float).tiny) / self.loose
        for rows, schedule in joined.schedules(laid.given, some, asked):
            days = joined.days_of(asked, int(rows[0]))
            part = replace(solve.take(plain, rows), day=float(asked.begins[rows[0]]))
            course = joined.begin(ready, part, tangents[rows], begun)
            course.run = replace(
                course.run,
                control=joined.tolerances(ready.extended, course.run.control, typical, ready.extended.joined),
            )
            where = asked.outputs.first[rows] + asked.outputs.shift[rows]
            joined.follow(ready, course, part.parameters, days, schedule, where, found.values, found.gradients)
            found.status[rows], found.steps[rows] = course.status, course.steps
            crossings |= {int(rows[row]): tuple(met) for row, met in course.crossings.items()}
        return crossings


def _may_be_given(name: str, inputs: set[str], which: Whole, given: Sequence[checks.Given], varied: set[int]) -> bool:
    """Whether an input of the joined model is ever used: not what no dose of this schedule needs."""
    plain = {n for number, (_, n, _) in enumerate(given) if number not in varied}
    if name in which.doses:
        return name in plain
    if not name.endswith(" of 0"):
        return name in inputs or name not in which.extended.model.level_names
    return any(not np.all(amount) for number, (_, _, amount) in enumerate(given) if number in varied)


def steered(plan: Plan, control: Control) -> Control:
    """No stiff method where its code would be too large."""
    states = len(plan.model.states) if plan.whole is None else len(plan.whole.model.states)
    if control.method.implicit and states > MOST_STATES:
        raise InputError(
            f"model {plan.model.name}: with {len(plan.directions)} derivatives there are {states} states and tangents, "
            f"and a stiff method takes up to {MOST_STATES}; ask for fewer at a time, or leave out the method"
        )
    return control if plan.whole is not None and states <= STIFF_STATES else replace(control, stiff=None)
