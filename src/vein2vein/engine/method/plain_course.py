"""Whole courses by the readable solver, one patient at a time: the truth for the code of ``llvm/course.py``.

A course is cut into segments that end at the next dose, at the day on which an event may fire again, or at the end. At
the beginning of a segment come the doses of that day, then the events whose condition holds, then the outputs of that
day. A step in which a condition comes to hold ends where it does, and so ends its segment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.method import plain, summaries, tableau
from vein2vein.engine.method.events import LOOKS, Event, locate
from vein2vein.engine.method.plain import Control
from vein2vein.engine.method.request import Courses, Doses, Request, empty
from vein2vein.models import author
from vein2vein.models.model import Model, Names, give

Vector = NDArray[np.float64]
Dose = tuple[float, int, float]


class Course:
    """One patient under way."""

    def __init__(
        self, model: Model, request: Request, control: Control, x: Vector, parameters: Vector, levels: Vector
    ) -> None:
        self.model = model
        self.request = request
        self.control = control
        self.x = np.array(x)
        self.row = parameters
        self.levels = np.array(levels)
        self.t = 0.0
        self.p = Names(zip(model.parameters, parameters.tolist()))
        self.status, self.steps, self.rejected = tableau.OK, 0, 0
        self.fired: list[list[float]] = [[] for _ in request.events]
        self.crossed = [False] * len(request.events)
        self.quantities = [summaries.quantity(s, model) for s in request.wanted]
        self.carried: list[Sequence[Any]] = [summaries.start(s.kind) for s in request.wanted]
        self.y: list[float] = []

    @property
    def u(self) -> Names:
        """Levels by name."""
        return Names(zip(self.model.level_names, self.levels.tolist()))

    def named(self, x: Vector) -> Names:
        """States by name."""
        return Names(zip(self.model.state_names, x.tolist()))

    def value(self, function: Callable[[Any, Any, Any, Any], Any], t: float, x: Vector) -> float:
        """A function of (t, x, p, u) of this patient."""
        try:
            found = function(t, self.named(x), self.p, self.u)
        except ArithmeticError:
            return math.nan
        except Exception as error:  # the author's own code, whatever is wrong with it
            raise author.told(self.model.name, "a condition or summary", error) from error
        try:
            return float(found)
        except (TypeError, ValueError):
            text = f"a condition or summary gives {' '.join(repr(found).split())}; let it give one number"
            raise author.fault(f"model {self.model.name}: {text}", author.begins(function)) from None

    def give(self, name: str, amount: float) -> None:
        """Give a dose or set a level."""
        if name in self.model.level_names:
            self.levels[self.model.level_names.index(name)] = amount
        else:
            self.x = give(self.model, name, amount, self.x[None], self.row[None])[0]

    def armed(self, number: int, event: Event) -> bool:
        """Whether an event may fire now."""
        fired = self.fired[number]
        return len(fired) < event.most and (not fired or self.t >= fired[-1] + event.interval)


def follow(
    model: Model,
    parameters: Vector,
    state: Vector,
    levels: Vector,
    days: Vector,
    doses: Doses,
    request: Request,
    control: Control,
) -> Courses:
    """Courses of n patients from the first of ``days`` to the last; arguments as for ``run_course.follow``."""
    found = empty(len(state), state, levels, len(days), request)
    for i in range(len(state)):
        course = Course(model, request, control, state[i], parameters[i], levels[i])
        part = slice(doses.first[i], doses.last[i])
        own = list(zip(doses.day[part].tolist(), doses.what[part].tolist(), doses.amount[part].tolist()))
        with np.errstate(all="ignore"):
            _run(course, days, own, found.values[i])
        found.state[i], found.levels[i], found.reached[i] = course.x, course.levels, course.t
        found.status[i], found.steps[i], found.rejected[i] = course.status, course.steps, course.rejected
        place = 0
        for event, fired in zip(request.events, course.fired):
            found.fired[i, place : place + len(fired)] = fired
            place += event.most
        if course.status == tableau.OK:
            found.results[i] = [c[-1] for c in course.carried]
    return found


def _run(course: Course, days: Vector, doses: list[Dose], values: NDArray[np.float64]) -> None:
    request, begins, ends = course.request, float(days[0]), float(days[-1])
    waiting = list(days) if request.outputs else []
    course.t, h, before, changed = begins, 0.0, tableau.ERROR_AT_START, True
    first = np.zeros(0)
    while True:
        while doses and doses[0][0] <= course.t:
            _, what, amount = doses.pop(0)
            course.give(request.gives[what], amount)
            changed = True
        changed |= _fire(course)
        while waiting and waiting[0] <= course.t:
            values[len(days) - len(waiting)] = course.x
            waiting.pop(0)
        if course.t >= ends:
            return
        if changed:
            first = plain.derivative(course.model, course.t, course.x, course.p, course.u)
            h, before = start_step(course, first, ends), tableau.ERROR_AT_START
            course.y = [course.value(q, course.t, course.x) for q in course.quantities]
            changed = False
        stop = min([ends, *(d for d, _, _ in doses[:1]), *_rearmed(course)])
        while course.t < stop:
            h, before, first, going = _step(course, stop, h, before, first, waiting, values)
            if not going:
                return
            if any(course.crossed):
                break


def _rearmed(course: Course) -> list[float]:
    """Days to come on which an event may fire again."""
    found: list[float] = []
    for event, fired in zip(course.request.events, course.fired):
        if 0 < len(fired) < event.most and fired[-1] + event.interval > course.t:
            found.append(fired[-1] + event.interval)
    return found


def _fire(course: Course) -> bool:
    """Fire the events that were crossed in the last step, or hold here."""
    any_fired = False
    for i, event in enumerate(course.request.events):
        if course.armed(i, event) and (course.crossed[i] or course.value(event.condition, course.t, course.x) >= 0):
            course.give(event.give, event.amount)
            course.fired[i].append(course.t)
            any_fired = True
        course.crossed[i] = False
    return any_fired


def _step(
    course: Course,
    stop: float,
    step: float,
    before: float,
    first: Vector,
    waiting: list[float],
    values: NDArray[np.float64],
) -> tuple[float, float, Vector, bool]:
    """One tried step: next step size, error before, rates for the next step, whether to go on."""
    control, method, t, x = course.control, course.control.method, course.t, course.x
    step = min(step, control.max_step)
    h, last = plain.next_step(stop - t, step)
    k, new, error = plain.attempt(course.model, t, x, first, h, course.p, course.u, control)
    if not error <= 1:
        course.rejected += 1
        step = h * plain.shrinkage(error, method)
        if step < tableau.LEAST_STEP * max(1.0, abs(stop)):
            course.status = tableau.STEP_TOO_SMALL if math.isfinite(error) else tableau.NOT_FINITE
        elif course.steps + course.rejected >= control.max_steps:
            course.status = tableau.TOO_MANY_STEPS
        return step, before, first, course.status == tableau.OK
    course.steps += 1
    after = stop if last else t + h
    c = plain.dense(method, h, k, x, new)
    cut = 1.0
    for i, event in enumerate(course.request.events):
        found = _crossing(course, event, c, new, after, h, cut) if course.armed(i, event) else None
        if found is not None:
            cut, after = found, t + found * h
            course.crossed = [j == i for j in range(len(course.crossed))]
    if cut < 1:
        new = plain.within(c, x, cut, control)
    while waiting and waiting[0] < after:
        values[len(values) - len(waiting)] = plain.within(c, x, (waiting[0] - t) / h, control)
        waiting.pop(0)
    _summarize(course, c, new, after, h)
    wanted = h * plain.growth(error, before, method)
    course.t, course.x = after, new
    if course.steps + course.rejected >= control.max_steps and after < stop:
        course.status = tableau.TOO_MANY_STEPS
    step = wanted if h >= step else max(step, wanted)
    return step, max(error, tableau.ERROR_FLOOR), k[-1], course.status == tableau.OK


def _crossing(
    course: Course, event: Event, c: list[Vector], new: Vector, after: float, h: float, cut: float
) -> float | None:
    """Share of the step at which a condition comes to hold, before the share ``cut``."""

    def value(share: float) -> float:
        state = plain.within(c, course.x, share, course.control)
        return course.value(event.condition, course.t + share * h, state)

    at_start = course.value(event.condition, course.t, course.x)
    for share in (*(look for look in LOOKS if look < cut), cut):
        found = course.value(event.condition, after, new) if share == 1 else value(share)
        if found >= 0:
            return locate(value, at_start, found, share)
    return None


def _summarize(course: Course, c: list[Vector], new: Vector, after: float, h: float) -> None:
    length = after - course.t
    cut = min(1.0, length / h)
    for i, (summary, quantity) in enumerate(zip(course.request.wanted, course.quantities)):
        shares = [cut * point for point in summaries.POINTS]
        states = [plain.within(c, course.x, s, course.control) for s in shares[1:-1]]
        y = [course.value(quantity, course.t + s * h, x) for s, x in zip(shares[1:], [*states, new])]
        y.insert(0, course.y[i])
        course.carried[i] = summaries.update(summary.kind, y, course.t, length, summary.level, course.carried[i])
        course.y[i] = y[-1]


def start_step(course: Course, rate: Vector, ends: float) -> float:
    """First step after a change, from how fast the rates themselves change (Hairer, Norsett and Wanner 1993, II.4)."""
    control, x = course.control, course.x
    allowed = control.absolute + control.rtol * abs(x)
    size, speed = plain.rms(x / allowed, control), plain.rms(rate / allowed, control)
    span = min(control.max_step, ends - course.t)
    trial = tableau.FIRST_STEP * max(size, 1.0) / speed if speed > 0 else span
    trial = trial if trial < span else span
    bent = plain.derivative(course.model, course.t + trial, x + trial * rate, course.p, course.u)
    bend = plain.rms((bent - rate) / allowed, control) / trial
    fastest = max(speed, bend)
    h = (tableau.FIRST_STEP / fastest) ** (1 / (control.method.estimate + 1)) if fastest > 0 else math.inf
    h = min(h, tableau.FIRST_STEP_GROWTH * trial, span)
    return h if h > span * tableau.FIRST_STEP_LEAST else span * tableau.FIRST_STEP_LEAST
