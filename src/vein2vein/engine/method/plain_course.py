"""Whole courses by the readable solver, one patient at a time: the truth for the code of ``llvm/course.py``.

A course is cut into segments that end at the next dose, at the day on which an event may fire again, or at the end. At
the beginning of a segment come the doses of that day, then the events whose condition holds, then the outputs of that
day. A step in which a condition comes to hold ends where it does, and so ends its segment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.method import plain, summaries, tableau
from vein2vein.engine.method.events import LOOKS, Event, locate
from vein2vein.engine.method.plain import Control
from vein2vein.engine.method.request import (
    ADD,
    ANEW,
    EXPLICIT,
    IMPLICIT,
    ON,
    REALS,
    SET,
    WHOLES,
    Courses,
    Doses,
    Outputs,
    Request,
    Standing,
)
from vein2vein.errors import InputError
from vein2vein.models import author
from vein2vein.models.model import Model, Names, give, start

Vector = Matrix = NDArray[np.float64]
Dose = tuple[float, int, float]


class Course:
    """One patient under way."""

    def __init__(self, model: Model, request: Request, control: Control, found: Standing, row: int, p: Vector) -> None:
        self.model = model
        self.request = request
        self.controls = {EXPLICIT: control, IMPLICIT: replace(control, method=control.stiff or control.method)}
        self.x = np.array(found.state[row])
        self.row = p
        self.levels = np.array(found.levels[row])
        self.p = Names(zip(model.parameters, p.tolist()))
        self.t, self.h, log_before, self.other = found.reals[row, : len(REALS)].tolist()
        self.before = math.exp(log_before)
        counts = found.whole[row, : len(WHOLES)].tolist()
        _, self.method, self.fresh, self.status, self.steps, self.rejected = counts[:6]
        self.streak, self.spell, self.failed = counts[-3:]
        self.fired: list[list[float]] = [[] for _ in request.events]
        self.crossed = [False] * len(request.events)
        self.quantities = [summaries.quantity(s, model) for s in request.wanted]
        self.carried: list[Sequence[Any]] = [summaries.start(s.kind) for s in request.wanted]
        self.y: list[float] = []

    @property
    def control(self) -> Control:
        """Tolerances and method of the next step."""
        return self.controls[self.method]

    def write(self, found: Standing, row: int) -> None:
        """Write down where the patient stands."""
        found.state[row], found.levels[row] = self.x, self.levels
        found.reals[row, : len(REALS)] = self.t, self.h, math.log(self.before), self.other
        counts = (0, self.method, ON, self.status, self.steps, self.rejected)
        found.whole[row, : len(counts)] = counts
        found.whole[row, WHOLES.index("streak") :][:3] = self.streak, self.spell, self.failed

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
            raise InputError(
                f"model {self.model.name}: a condition or summary gives {found!r}; let it give one number"
            ) from None

    def give(self, name: str, amount: float) -> None:
        """Give a dose or set a level."""
        if name in self.model.level_names:
            self.levels[self.model.level_names.index(name)] = amount
        else:
            self.x = give(self.model, name, amount, self.x[None], self.row[None])[0]

    def read(self, t: float, x: Vector) -> Vector:
        """What is written on a day."""
        names = self.request.reads
        if not names:
            return x
        states = dict(zip(self.model.state_names, x.tolist()))
        every: Mapping[str, Any] = {}
        if any(name not in states for name in names):
            every = self.model.observables(t, self.named(x), self.p, self.u)
        return np.array([states[n] if n in states else float(every[n]) for n in names])

    def armed(self, number: int, event: Event) -> bool:
        """Whether an event may fire now."""
        fired = self.fired[number]
        return len(fired) < event.most and (not fired or self.t >= fired[-1] + event.interval)


def follow(
    model: Model,
    parameters: Matrix,
    found: Standing,
    ends: Vector,
    outputs: Outputs,
    doses: Doses,
    request: Request,
    control: Control,
) -> Courses:
    """Carry n patients to their ends (n,), in place; arguments as for ``run_course``."""
    n = len(found.state)
    if request.own_start:
        found.state[:] = start(model, parameters)
    values = np.full((outputs.rows if request.outputs else 0, len(request.reads) or len(model.states)), np.nan)
    firings = np.full((n, sum(e.most for e in request.events)), np.nan)
    results = np.full((n, len(request.wanted)), np.nan)
    for i in range(n):
        if not found.whole[i, 0]:
            continue
        course = Course(model, request, control, found, i, parameters[i])
        part = slice(doses.first[i], doses.last[i])
        own = list(zip(doses.day[part].tolist(), doses.what[part].tolist(), doses.amount[part].tolist()))
        waiting = []
        if request.outputs:
            places = range(int(outputs.first[i]), int(outputs.last[i]))
            waiting = [(float(outputs.days[k]), k + int(outputs.shift[i])) for k in places]
        with np.errstate(all="ignore"):
            _run(course, float(ends[i]), waiting, own, doses.resets, values)
        course.write(found, i)
        place = 0
        for event, fired in zip(request.events, course.fired):
            firings[i, place : place + len(fired)] = fired
            place += event.most
        if course.status == tableau.OK:
            results[i] = [c[-1] for c in course.carried]
    return Courses(
        values, found.state, found.levels, found.real("t").copy(), found.number("status").copy(),
        found.number("steps").copy(), found.number("rejected").copy(), firings, results,
    )  # fmt: skip


def _run(
    course: Course,
    ends: float,
    waiting: list[tuple[float, int]],
    doses: list[Dose],
    resets: Matrix,
    values: Matrix,
) -> None:
    first, changed = np.zeros(0), course.fresh
    while True:
        while doses and doses[0][0] <= course.t:
            _give(course, doses.pop(0), resets)
            changed = ANEW
        if _fire(course):
            changed = ANEW
        while waiting and waiting[0][0] <= course.t:
            values[waiting.pop(0)[1]] = course.read(course.t, course.x)
        if course.t >= ends:
            return
        if changed:
            first = plain.derivative(course.model, course.t, course.x, course.p, course.u)
            if changed == ANEW:
                course.h, course.before = start_step(course, first, ends), tableau.ERROR_AT_START
            course.y = [course.value(q, course.t, course.x) for q in course.quantities]
            changed = 0
        stop = min([ends, *(d for d, _, _ in doses[:1]), *_rearmed(course)])
        while course.t < stop:
            first = _step(course, stop, ends, first, waiting, values)
            if course.status != tableau.OK:
                return
            if any(course.crossed):
                break


def _give(course: Course, dose: Dose, resets: Matrix) -> None:
    """Give what is due, or set the state or add to it; a mere stop changes nothing."""
    _, what, amount = dose
    if what >= 0:
        course.give(course.request.gives[what], amount)
    elif what in (SET, ADD):
        course.x = resets[int(amount)] + (course.x if what == ADD else 0.0)


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
    course: Course, stop: float, ends: float, first: Vector, waiting: list[tuple[float, int]], values: Matrix
) -> Vector:
    """One tried step; the rates for the next one."""
    control, method, t, x = course.control, course.control.method, course.t, course.x
    step = min(course.h, longest(course))
    h, last = plain.next_step(stop - t, step)
    k, new, error, felt = plain.attempt(course.model, t, x, first, h, course.p, course.u, control)
    if not error <= 1:
        course.rejected += 1
        course.h = h * plain.shrinkage(error, method)
        if course.h < tableau.LEAST_STEP * max(tableau.LEAST_DAY, abs(t)):
            course.status = tableau.STEP_TOO_SMALL if math.isfinite(error) else tableau.NOT_FINITE
        elif course.steps + course.rejected >= control.max_steps:
            course.status = tableau.TOO_MANY_STEPS
        return first
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
    while waiting and waiting[0][0] < after:
        day, row = waiting.pop(0)
        values[row] = course.read(day, plain.within(c, x, (day - t) / h, control))
    _summarize(course, c, new, after, h)
    wanted = h * plain.growth(error, course.before, method)
    course.t, course.x = after, new
    course.h, course.before = wanted if h >= step else max(step, wanted), max(error, tableau.ERROR_FLOOR)
    if course.steps + course.rejected >= control.max_steps and after < ends:
        course.status = tableau.TOO_MANY_STEPS
    elif control.stiff and after < ends and _changes(course, felt, ends):
        return plain.derivative(course.model, after, new, course.p, course.u)
    return k[-1]


def longest(course: Course) -> float:
    """Longest step, by the patient's own clock."""
    names, most = course.model.level_names, course.control.max_step
    return most / course.levels[names.index(tableau.PACE)] if tableau.PACE in names else most


def _changes(course: Course, felt: float, ends: float) -> bool:
    """Whether the other method takes over (``tableau.py``)."""
    explicit, ratio = course.method == EXPLICIT, course.control.ratio()
    cost = course.h * ratio if explicit else course.h / ratio
    course.streak = course.streak + 1 if cost < course.other else 0
    course.spell += tableau.URGENT if explicit and felt >= tableau.BINDS else 1
    turns = course.streak >= tableau.TURN or (course.streak >= tableau.AT_ONCE and course.streak == course.spell)
    asks = course.spell >= (tableau.ASK if explicit else tableau.ASK_BACK) << course.failed
    if explicit:
        asks = asks and felt >= tableau.FELT
    if not (turns or asks) or ends - course.t <= tableau.WORTH * course.h:
        return False
    in_vain = course.spell <= tableau.TURN
    course.failed = min(course.failed + 1, tableau.MOST_FAILED) if in_vain else 0
    step = course.h if explicit else min(course.h, course.other)
    course.h, course.other = step, course.h
    course.method, course.streak, course.spell = IMPLICIT if explicit else EXPLICIT, 0, 0
    return True


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
    span = min(longest(course), ends - course.t)
    trial = tableau.FIRST_STEP * max(size, 1.0) / speed if speed > 0 else span
    trial = trial if trial < span else span
    bent = plain.derivative(course.model, course.t + trial, x + trial * rate, course.p, course.u)
    bend = plain.rms((bent - rate) / allowed, control) / trial
    fastest = max(speed, bend)
    h = (tableau.FIRST_STEP / fastest) ** (1 / (control.method.estimate + 1)) if fastest > 0 else math.inf
    h = min(h, tableau.FIRST_STEP_GROWTH * trial, span)
    return h if h > 0 else span * tableau.FIRST_STEP_LEAST
