"""Whole courses by the readable solver, one patient at a time: the truth for the code of ``llvm/course.py``.

A course is cut into segments that end at the next dose, at the day on which an event may fire again, or at the end. At
the beginning of a segment come the doses of that day, then the events whose condition holds, then the outputs of that
day. A step in which a condition comes to hold ends where it does, and so ends its segment.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.method import jumps, plain, summaries, tableau
from vein2vein.engine.method.events import LOOKS, Event, locate, order
from vein2vein.engine.method.plain import Control
from vein2vein.engine.method.request import (
    ADD,
    ANEW,
    EXPLICIT,
    IMPLICIT,
    ON,
    SET,
    Courses,
    Doses,
    Outputs,
    Request,
    Standing,
)
from vein2vein.engine.method.under_way import Course
from vein2vein.models.model import Model, start

Vector = Matrix = NDArray[np.float64]
Dose = tuple[float, int, float]


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
        if course.flipped:
            course.flipped, changed = False, changed or ON
        if _fire(course):
            changed = ANEW
        while waiting and waiting[0][0] <= course.t:
            values[waiting.pop(0)[1]] = course.read(course.t, course.x)
        if course.t >= ends:
            if changed:
                _see(course)
            return
        if changed:
            first = plain.derivative(course.model, course.t, course.x, course.p, course.u)
            if changed == ANEW:
                course.h, course.before = start_step(course, first, ends), tableau.ERROR_AT_START
            if course.watched is None:  # else each step begins with its own answers
                course.y = [course.value(q, course.t, course.x) for q in course.quantities]
            changed = 0
        stop = min([ends, *(d for d, _, _ in doses[:1]), *_rearmed(course)])
        while course.t < stop:
            first = _step(course, stop, ends, first, waiting, values)
            if course.status != tableau.OK:
                return
            if any(course.crossed) or course.flipped:
                break


def _give(course: Course, dose: Dose, resets: Matrix) -> None:
    """Give what is due, or set the state or add to it; a mere stop changes nothing."""
    _, what, amount = dose
    if what >= 0:
        course.give(course.request.gives[what], amount)
    elif what in (SET, ADD):
        course.x = resets[int(amount)] + (course.x if what == ADD else 0.0)
        course.x = np.minimum(np.maximum(course.x, course.control.low), course.control.high)


def _rearmed(course: Course) -> list[float]:
    """Days to come on which an event may fire again, or gives."""
    may = [d for d, n, e in zip(course.rearm, course.count, course.request.events) if n < e.most]
    return [day for day in (*may, *course.pending) if day > course.t]


def _fire(course: Course) -> bool:
    """Give what is due, then fire the events that were crossed in the last step, or hold here; whether any did."""
    events = course.request.events
    ordered, any_fired = order(events), False
    for i in ordered:
        if course.pending[i] <= course.t:
            course.pending[i], any_fired = math.inf, True
            _deliver(course, i)
    going = bool(events)
    while going:
        going = False
        # What was crossed holds here, but for rounding, unless something was given since.
        firing = [_edge(course, i) if event.edge else False for i, event in enumerate(events)]
        for i in ordered:
            event = events[i]
            if not event.edge and course.armed(i):
                crossed = course.crossed[i] and not going
                firing[i] = crossed or course.value(event.condition, course.t, course.x) >= 0
                course.owed[i] = _amount(course, event) if firing[i] else 0.0
            course.crossed[i] = False
            if firing[i]:
                going = any_fired = True
                course.count[i] += 1
                course.rearm[i] = course.t + event.interval
                if event.delay > 0:
                    course.pending[i] = course.t + event.delay
                else:
                    _deliver(course, i)
    return any_fired


def _edge(course: Course, i: int) -> bool:
    """Whether an edge fires, with what it will give, before anything is given."""
    event = course.request.events[i]
    holds = course.value(event.condition, course.t, course.x) >= 0
    fires = course.armed(i) and (course.crossed[i] or (holds and not course.held[i]))
    course.held[i] = holds or course.crossed[i]
    if fires:
        course.owed[i] = _amount(course, event)
    return fires


def _amount(course: Course, event: Event) -> float:
    return course.value(event.amount, course.t, course.x) if callable(event.amount) else event.amount


def _deliver(course: Course, i: int) -> None:
    course.give(course.request.events[i].give, course.owed[i])
    course.fired[i].append(course.t)


def _step(
    course: Course, stop: float, ends: float, first: Vector, waiting: list[tuple[float, int]], values: Matrix
) -> Vector:
    """One tried step; the rates for the next one."""
    control, method, t, x = course.control, course.control.method, course.t, course.x
    step = min(course.h, longest(course))
    h, last = plain.next_step(stop - t, step)
    k, new, error, felt = plain.attempt(course.model, t, x, first, h, course.p, course.u, control)
    least = tableau.LEAST_STEP * max(tableau.LEAST_DAY, abs(t))
    # A step to a stop that no shorter one could be leads across a jump on a known day; it need only be finite.
    if not (error <= 1 or (last and h < least and error < math.inf)):
        course.rejected += 1
        course.h = h * plain.shrinkage(error, method)
        if course.h < least:
            course.status = tableau.STEP_TOO_SMALL if math.isfinite(error) else tableau.NOT_FINITE
        elif course.steps + course.rejected >= control.max_steps:
            course.status = tableau.TOO_MANY_STEPS
        return first
    course.steps += 1
    after = stop if last else t + h
    c = plain.dense(method, h, k, x, new)
    cut = 1.0
    at_end: dict[int, bool] = {}
    for i, event in enumerate(course.request.events):
        if course.count[i] < event.most if event.edge else course.armed(i):
            found, at_end[i] = _crossing(course, i, c, new, after, h, cut)
            if found is None:
                continue
            if found < cut:
                cut, after = found, t + found * h
                course.crossed = [False] * len(course.crossed)
            course.crossed[i] = True
    found = _flip(course, c, new, after, h, cut)
    sooner, soon = found < (cut * jumps.NEAR if cut < 1 else 1), found < jumps.SOON
    passed = soon and course.soon >= jumps.SOONEST
    course.soon = course.soon + 1 if sooner and soon and not passed else 0
    if sooner and not passed:
        cut, after, course.flipped = found, t + found * h, True
        course.crossed = [False] * len(course.crossed)
    if cut == 1:
        course.held = [at_end.get(i, held) for i, held in enumerate(course.held)]
    else:
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
    course: Course, number: int, c: list[Vector], new: Vector, after: float, h: float, cut: float
) -> tuple[float | None, bool]:
    """Share of the step at which a condition comes to hold, before the share ``cut``; whether it holds there."""
    event = course.request.events[number]

    def value(share: float) -> float:
        state = plain.within(c, course.x, share, course.control)
        return course.value(event.condition, course.t + share * h, state)

    free, ready, low, low_value, found = not (event.edge and course.held[number]), course.armed(number), 0.0, 0.0, 0.0
    for share in (*(look for look in LOOKS if look < cut), cut):
        found = course.value(event.condition, after, new) if share == 1 else value(share)
        if not found >= 0:
            low, low_value, free = share, found, True
        elif free and ready:
            start = low_value if low > 0 else course.value(event.condition, course.t, course.x)
            return locate(value, start, found, share, low), True
        else:
            free = False
    return None, found >= 0


def _flip(course: Course, c: list[Vector], new: Vector, after: float, h: float, cut: float) -> float:
    """Hold the answers of the step; the share of it, up to ``cut``, at which one of them changes, or infinity."""
    watched = course.watched
    if watched is None:
        return math.inf
    t, x = course.t + jumps.SINCE * h, plain.within(c, course.x, jumps.SINCE, course.control)
    course.answers = {n: float(v) for n, v in watched.answers(t, course.named(x), course.p, course.u).items()}

    def value(share: float) -> float:
        if share == 1:
            return course.value(watched.change, after, new)
        return course.value(watched.change, course.t + share * h, plain.within(c, course.x, share, course.control))

    low, low_value = jumps.SINCE, value(jumps.SINCE)
    for share in (*(look for look in LOOKS if look < cut), cut):
        found = value(share)
        if found >= 0:
            return locate(value, low_value, found, share, low)
        low, low_value = share, found
    return math.inf


def _summarize(course: Course, c: list[Vector], new: Vector, after: float, h: float) -> None:
    length = after - course.t
    cut = min(1.0, length / h)
    for i, (summary, quantity) in enumerate(zip(course.request.wanted, course.quantities)):
        shares = [cut * point for point in summaries.POINTS]
        states = [plain.within(c, course.x, s, course.control) for s in shares[1:-1]]
        y = [course.value(quantity, course.t + s * h, x) for s, x in zip(shares[1:], [*states, new])]
        y.insert(0, course.y[i] if course.watched is None else course.value(quantity, course.t, course.x))
        course.carried[i] = summaries.update(summary.kind, y, course.t, length, summary.level, course.carried[i])
        if course.watched is None:
            course.y[i] = y[-1]


def _see(course: Course) -> None:
    """Let the summaries see what is given on the last day: no step follows that would."""
    if course.watched is not None:
        now = course.watched.answers(course.t, course.named(course.x), course.p, course.u)
        course.answers = {n: float(v) for n, v in now.items()}
    for i, (summary, quantity) in enumerate(zip(course.request.wanted, course.quantities)):
        y = [course.value(quantity, course.t, course.x)] * len(summaries.POINTS)
        last = course.carried[i]
        course.carried[i] = summaries.update(summary.kind, y, course.t, summaries.MOMENT, summary.level, last)


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
