"""Events of a course: where a condition comes to hold within a step, and what fires at the end of a segment.

The same as in ``plain_course.py`` and ``method/events.py``, for a vector of patients at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from vein2vein.engine.llvm import stepping
from vein2vein.engine.llvm.control_flow import Function
from vein2vein.engine.llvm.course_parts import CourseParts, give
from vein2vein.engine.llvm.stepping import Layout
from vein2vein.engine.method import jumps
from vein2vein.engine.method.events import DRAWN, LOOKS, ROUNDS, Event, order
from vein2vein.engine.method.request import ANEW, ON


def _condition(a: Function, number: int, t: str, x: str) -> str:
    a.do(f"call void @condition{number}({a.vector} {t}, ptr {x}, ptr %p, ptr %u, ptr %g)")
    return a.load("%g")


def _holds(a: Function, value: str) -> str:
    return a.compare("oge", value, a.number(0.0))


def _left(a: Function, number: int, event: Event) -> str:
    """Lanes in which an event may fire at all, sooner or later."""
    return a.put(f"icmp ult {a.integers} {a.numbers(f'%fired{number}')}, {a.integer(event.most)}", "m")


def _armed(a: Function, number: int, event: Event, t: str) -> str:
    """Lanes in which it may fire now."""
    return a.masks("and", _left(a, number, event), a.compare("ole", a.load(f"%rearm{number}"), t))


def events_at_arrival(a: Function, parts: CourseParts, arrived: str) -> None:
    """Give what is due, then fire what was crossed in the last step, or holds here, until nothing more fires."""
    if not parts.events:
        return
    ordered = order(parts.events)
    for i in ordered:
        if parts.events[i].delay > 0:
            due = a.masks("and", arrived, a.compare("ole", a.load(f"%pending{i}"), a.load("%at_t")))
            with a.when(a.any(due)):
                _give(a, parts, i, a.load(f"%owed{i}"), due)
                a.put_where(due, a.number(math.inf), f"%pending{i}")
    turn = a.local(a.name("turn")[1:], a.integers)
    a.flag(arrived, turn)
    with a.cycle() as loop:
        here = a.flags(turn)
        loop.now(here)
        a.do(f"store {a.integers} zeroinitializer, ptr {turn}, align 8")
        for i, event in enumerate(parts.events):
            if event.edge:
                _look_at_edge(a, i, event, here)
        for i in ordered:
            _fire(a, parts, i, here, turn)


def _look_at_edge(a: Function, i: int, event: Event, here: str) -> None:
    """Mark the lanes in which an edge fires, with what it will give, before anything is given."""
    t, crossed, held = a.load("%at_t"), a.flags(f"%firing{i}"), a.flags(f"%held{i}")
    holds = _holds(a, _condition(a, i, t, "%x"))
    fires = a.masks("or", crossed, a.masks("and", holds, a.inverse(held)))
    fires = a.masks("and", here, a.masks("and", fires, _armed(a, i, event, t)))
    a.flag(a.masks("or", fires, a.masks("and", crossed, a.inverse(here))), f"%firing{i}")
    now = a.masks("and", here, a.masks("or", holds, crossed))
    a.flag(a.masks("or", now, a.masks("and", held, a.inverse(here))), f"%held{i}")
    _ask_amount(a, i, event, fires)


def _ask_amount(a: Function, i: int, event: Event, fires: str) -> None:
    if callable(event.amount):
        a.do(f"call void @amount{i}({a.vector} {a.load('%at_t')}, ptr %x, ptr %p, ptr %u, ptr %g)")
        a.put_where(fires, a.load("%g"), f"%owed{i}")
    elif event.delay > 0:
        a.put_where(fires, a.number(event.amount), f"%owed{i}")


def _fire(a: Function, parts: CourseParts, i: int, here: str, turn: str) -> None:
    event, t = parts.events[i], a.load("%at_t")
    crossed = a.flags(f"%firing{i}")
    fires = a.masks("and", here, crossed)
    if not event.edge:
        # What was crossed holds here, but for rounding, unless something was given since.
        still = a.masks("and", crossed, a.inverse(a.flags(turn)))
        holds = a.masks("or", still, _holds(a, _condition(a, i, t, "%x")))
        fires = a.masks("and", here, a.masks("and", _armed(a, i, event, t), holds))
    a.flag(a.masks("and", crossed, a.inverse(here)), f"%firing{i}")
    with a.when(a.any(fires)):
        if not event.edge:
            _ask_amount(a, i, event, fires)
        one = a.put(f"zext {a.mask} {fires} to {a.integers}")
        a.do(f"store {a.integers} {a.bits('add', a.numbers(f'%fired{i}'), one)}, ptr %fired{i}, align 8")
        a.put_where(fires, a.binary("fadd", t, a.number(event.interval)), f"%rearm{i}")
        if event.delay > 0:
            a.put_where(fires, a.binary("fadd", t, a.number(event.delay)), f"%pending{i}")
        else:
            _give(a, parts, i, a.load(f"%owed{i}") if callable(event.amount) else a.number(event.amount), fires)
        a.flag(a.masks("or", a.flags(turn), fires), turn)
        changed = a.select(fires, a.integer(ANEW), a.numbers("%at_changed"), a.integers)
        a.do(f"store {a.integers} {changed}, ptr %at_changed, align 8")


def _give(a: Function, parts: CourseParts, i: int, amount: str, whom: str) -> None:
    """Give what an event gives, and write down the day."""
    event = parts.events[i]
    number = next(k for k, g in enumerate(parts.gives) if g.name == event.give)
    what = parts.gives[number]
    given = whom if what.level is not None else a.masks("and", whom, a.compare("une", amount, a.number(0.0)))
    give(a, number, what, amount, given)
    before, total = sum(e.most for e in parts.events[:i]), sum(e.most for e in parts.events)
    with a.each_lane(whom) as lane:
        place = a.whole("add", a.whole("mul", a.get("%at_patient", lane), total), before - 1)
        place = a.whole("add", place, a.get(f"%fired{i}", lane))
        a.set(a.get("%at_t", lane, "double"), "%fired_all", place, "double")
        a.set(str(ANEW), "%at_changed", lane)


def events_in_step(a: Function, layout: Layout, parts: CourseParts, accepted: str, t: str, after: str, h: str) -> bool:
    """Find the first crossing in the step and mark what fires; whether anything can end a step at all."""
    if not parts.events and not parts.answers:
        return False
    a.store(a.number(1.0), "%cut")
    a.store(after, "%at_after")
    ends: list[tuple[int, str]] = []
    for i, event in enumerate(parts.events):
        looked = a.masks("and", accepted, _left(a, i, event) if event.edge else _armed(a, i, event, t))
        if event.edge:
            ends.append((i, a.local(a.name("ends")[1:], a.integers)))
            a.do(f"store {a.integers} {a.numbers(f'%held{i}')}, ptr {ends[-1][1]}, align 8")
        with a.when(a.any(looked)):
            crosses = _looks(a, layout, parts, i, looked, t, h, ends[-1][1] if event.edge else None)
            with a.when(a.any(crosses)):
                start = _condition(a, i, t, "%x")
                start = a.select(a.compare("olt", start, a.number(0.0)), start, a.number(0.0))
                a.put_where(a.compare("ole", a.load("%low_share"), a.number(0.0)), start, "%low_g")
                _locate(a, lambda share, i=i: _value(a, layout, parts, i, share, t, h))
                found = a.load("%high_share")
                sooner = a.masks("and", crosses, a.compare("olt", found, a.load("%cut")))
                a.put_where(crosses, found, "%cut")
                a.put_where(sooner, a.fma(found, h, t), "%at_after")
                for earlier in range(i):
                    kept = a.masks("and", a.flags(f"%firing{earlier}"), a.inverse(sooner))
                    a.flag(kept, f"%firing{earlier}")
                a.flag(a.masks("or", a.flags(f"%firing{i}"), crosses), f"%firing{i}")
    if parts.answers:
        _flips_in_step(a, layout, parts, accepted, t, h)
    whole = a.masks("and", accepted, a.compare("ole", a.number(1.0), a.load("%cut")))
    for i, at_end in ends:
        kept = a.masks("and", a.inverse(whole), a.flags(f"%held{i}"))
        a.flag(a.masks("or", kept, a.masks("and", whole, a.flags(at_end))), f"%held{i}")
    return True


def _flips_in_step(a: Function, layout: Layout, parts: CourseParts, accepted: str, t: str, h: str) -> None:
    """Hold the answers that summaries rest on, and end the step where one of them changes (``method/jumps.py``)."""

    def at(share: str) -> str:
        stepping.inside(a, layout, share, h, "%node", parts.asked)
        return a.fma(share, h, t)

    def change(share: str) -> str:
        a.do(f"call void @change({a.vector} {at(share)}, ptr %node, ptr %p, ptr %u, ptr %g)")
        return a.load("%g")

    since, cut, one = a.number(jumps.SINCE), a.load("%cut"), a.number(1.0)
    a.do(f"call void @answers({a.vector} {at(since)}, ptr %node, ptr %p, ptr %u, ptr %mixed)")
    for i in range(parts.answers):
        a.store(a.load("%mixed", i), "%u", layout.levels + i)
    a.store(since, "%low_share")
    a.store(change(since), "%low_g")
    open_, flips = accepted, a.masks("xor", accepted, accepted)
    for look in (*LOOKS, None):
        share = cut if look is None else a.number(look)
        seen = open_ if look is None else a.masks("and", open_, a.compare("olt", share, cut))
        value = change(share)
        holds = _holds(a, value)
        comes, fails = a.masks("and", seen, holds), a.masks("and", seen, a.inverse(holds))
        a.put_where(comes, share, "%end_share")
        a.put_where(comes, value, "%end_g")
        a.put_where(fails, share, "%low_share")
        a.put_where(fails, value, "%low_g")
        open_ = a.masks("and", open_, a.inverse(comes))
        flips = a.masks("or", flips, comes)
    none = a.masks("xor", accepted, accepted)
    a.flag(none, "%flipped")
    soon_before = a.numbers("%soon")
    a.do(f"store {a.integers} {a.select(accepted, a.integer(0), soon_before, a.integers)}, ptr %soon, align 8")
    with a.when(a.any(flips)):
        _locate(a, change)
        found = a.load("%high_share")
        limit = a.select(a.compare("olt", cut, one), a.binary("fmul", cut, a.number(jumps.NEAR)), one)
        sooner = a.masks("and", flips, a.compare("olt", found, limit))
        soon = a.masks("and", sooner, a.compare("olt", found, a.number(jumps.SOON)))
        often = a.put(f"icmp uge {a.integers} {soon_before}, {a.integer(jumps.SOONEST)}", "m")
        sooner = a.masks("and", sooner, a.inverse(a.masks("and", soon, often)))
        soon = a.masks("and", sooner, soon)
        more = a.select(soon, a.bits("add", soon_before, a.integer(1)), a.numbers("%soon"), a.integers)
        a.do(f"store {a.integers} {more}, ptr %soon, align 8")
        a.put_where(sooner, found, "%cut")
        a.put_where(sooner, a.fma(found, h, t), "%at_after")
        for i in range(len(parts.events)):
            a.flag(a.masks("and", a.flags(f"%firing{i}"), a.inverse(sooner)), f"%firing{i}")
        a.flag(sooner, "%flipped")


def _looks(
    a: Function, layout: Layout, parts: CourseParts, number: int, looked: str, t: str, h: str, at_end: str | None
) -> str:
    """Mask of the lanes in which a condition comes to hold.

    The first place where it was seen to: ``%end_share``; the last one before, where it was seen not to: ``%low_share``.
    An edge (``at_end`` is where it is kept whether its condition holds at the end) must have been seen not to hold, and
    what begins to hold before it may fire again is passed over.
    """
    event, cut = parts.events[number], a.load("%cut")
    a.store(a.number(0.0), "%low_share")
    open_, free, ready = looked, None, None
    if event.edge:
        free, ready = a.inverse(a.flags(f"%held{number}")), _armed(a, number, event, t)
    crossed = a.masks("xor", looked, looked)
    for look in (*LOOKS, None):
        share = cut if look is None else a.number(look)
        if look is None and number == 0:
            value = _condition(a, number, a.load("%at_after"), "%new")
        else:
            value = _value(a, layout, parts, number, share, t, h)
        seen = open_ if look is None else a.masks("and", open_, a.compare("olt", share, cut))
        holds = a.masks("and", seen, _holds(a, value))
        fails = a.masks("and", seen, a.inverse(_holds(a, value)))
        comes = holds
        if free is not None and ready is not None:
            comes = a.masks("and", holds, a.masks("and", free, ready))
            free = a.masks("or", fails, a.masks("and", free, a.inverse(holds)))
        a.put_where(comes, share, "%end_share")
        a.put_where(comes, value, "%end_g")
        a.put_where(fails, share, "%low_share")
        a.put_where(fails, value, "%low_g")
        open_ = a.masks("and", open_, a.inverse(comes))
        crossed = a.masks("or", crossed, comes)
        if look is None and at_end is not None:
            kept = a.masks("and", a.flags(at_end), a.inverse(seen))
            a.flag(a.masks("or", holds, kept), at_end)
    return crossed


def _value(a: Function, layout: Layout, parts: CourseParts, number: int, share: str, t: str, h: str) -> str:
    """Value of a condition at a share of the step."""
    stepping.inside(a, layout, share, h, "%node", parts.watched[number])
    return _condition(a, number, a.fma(share, h, t), "%node")


def end_at_event(a: Function, layout: Layout, parts: CourseParts, accepted: str, h: str) -> None:
    """Where an event was crossed, the step and its segment end there; what needs the whole step comes before."""
    one = a.number(1.0)
    ends = a.compare("olt", a.load("%cut"), one)
    marks = [f"%firing{i}" for i in range(len(parts.events))] + (["%flipped"] if parts.answers else [])
    fires = a.flags(marks[0])
    for mark in marks[1:]:
        fires = a.masks("or", fires, a.flags(mark))
    fires = a.masks("and", accepted, fires)
    with a.when(a.any(fires)):
        a.put_where(fires, a.load("%at_after"), "%at_stop")
        stepping.inside(a, layout, a.load("%cut"), h, "%node")
        early = a.masks("and", fires, ends)
        if parts.answers:  # what the method takes along from the whole step is not that of its end
            goes_on = a.select(
                a.masks("and", early, a.flags("%flipped")), a.integer(ON), a.numbers("%at_changed"), a.integers
            )
            a.do(f"store {a.integers} {goes_on}, ptr %at_changed, align 8")

        def body(n: str, _: list[str]) -> list[str]:
            a.put_where(early, a.load("%node", n), "%new", n)
            return []

        a.loop(layout.states, [], body)


def _locate(a: Function, value_at: Callable[[str], str]) -> None:
    """Where a value reaches 0 within the step (``events.locate``), the same number of rounds for all."""
    zero, half = a.number(0.0), a.number(1 / 2)
    a.store(a.load("%end_share"), "%high_share")
    a.store(a.load("%end_g"), "%high_g")
    whole = a.binary("fsub", a.load("%high_share"), a.load("%low_share"))
    room = a.local(a.name("room")[1:], a.vector)
    a.store(whole, room)
    rounds = a.local(a.name("rounds")[1:], "i64")
    a.set("0", rounds)

    def lesser(x: str, y: str) -> str:
        return a.select(a.compare("olt", y, x), y, x)

    def greater(x: str, y: str) -> str:
        return a.select(a.compare("olt", x, y), y, x)

    with a.cycle() as loop:
        count = a.get(rounds)
        loop.unless(a.put(f"icmp ult i64 {count}, {ROUNDS}", "c"))
        a.set(a.whole("add", count, 1), rounds)
        low, high = a.load("%low_share"), a.load("%high_share")
        low_g, high_g = a.load("%low_g"), a.load("%high_g")
        width, rise = a.binary("fsub", high, low), a.binary("fsub", high_g, low_g)
        middle = a.fma(width, half, low)
        back = a.binary("fdiv", a.binary("fmul", high_g, width), rise)
        share = a.select(a.compare("olt", zero, rise), a.binary("fsub", high, back), high)
        drawn = a.binary("fdiv", a.binary("fmul", a.number(DRAWN), a.binary("fmul", width, width)), whole)
        up = lesser(a.binary("fadd", share, drawn), middle)
        down = greater(a.binary("fsub", share, drawn), middle)
        share = a.select(a.compare("olt", share, middle), up, down)
        free = a.binary("fsub", a.load(room), a.binary("fmul", width, half))
        share = lesser(greater(share, a.binary("fsub", middle, free)), a.binary("fadd", middle, free))
        a.store(a.binary("fmul", a.load(room), half), room)
        value = value_at(share)
        above = _holds(a, value)
        below = a.inverse(above)
        a.put_where(above, value, "%high_g")
        a.put_where(above, share, "%high_share")
        a.put_where(below, value, "%low_g")
        a.put_where(below, share, "%low_share")
