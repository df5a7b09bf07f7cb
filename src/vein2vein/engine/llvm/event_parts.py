"""Events of a course: when they are armed, where in a step a condition comes to hold, what then is done."""

from __future__ import annotations

from vein2vein.engine.llvm import stepping
from vein2vein.engine.llvm.control_flow import Function
from vein2vein.engine.llvm.course_parts import CourseParts, give
from vein2vein.engine.llvm.stepping import Layout
from vein2vein.engine.method.events import LOOKS, ROUNDS, Event

_PATIENT = "%at_patient"


def _condition(a: Function, number: int, t: str, x: str) -> str:
    a.do(f"call void @condition{number}({a.vector} {t}, ptr {x}, ptr %p, ptr %u, ptr %g)")
    return a.load("%g")


def _armed(a: Function, number: int, event: Event, t: str) -> str:
    left = a.put(f"icmp ult {a.integers} {a.numbers(f'%fired{number}')}, {a.integer(event.most)}", "m")
    return a.masks("and", left, a.compare("ole", a.load(f"%rearm{number}"), t))


def events_at_arrival(a: Function, parts: CourseParts, arrived: str) -> None:
    """Fire what was crossed in the last step, or holds here."""
    before = 0
    total = sum(e.most for e in parts.events)
    for i, event in enumerate(parts.events):
        t = a.load("%at_t")
        holds = a.compare("oge", _condition(a, i, t, "%x"), a.number(0.0))
        holds = a.masks("or", holds, a.flags(f"%firing{i}"))
        fires = a.masks("and", arrived, a.masks("and", _armed(a, i, event, t), holds))
        with a.when(a.any(fires)):
            number = next(k for k, g in enumerate(parts.gives) if g.name == event.give)
            give(a, number, parts.gives[number], a.number(event.amount), fires)
            with a.each_lane(fires) as lane:
                count = a.get(f"%fired{i}", lane)
                place = a.whole("add", a.whole("mul", a.get(_PATIENT, lane), total), a.whole("add", count, before))
                a.set(a.get("%at_t", lane, "double"), "%fired_all", place, "double")
                a.set(a.whole("add", count, 1), f"%fired{i}", lane)
                a.set("0", f"%firing{i}", lane)
                a.set("1", "%at_changed", lane)
            a.put_where(fires, a.binary("fadd", t, a.number(event.interval)), f"%rearm{i}")
        before += event.most


def events_in_step(a: Function, layout: Layout, parts: CourseParts, accepted: str, t: str, after: str, h: str) -> bool:
    """Find the first crossing in the step and mark what fires; whether there are events at all."""
    if not parts.events:
        return False
    a.store(a.number(1.0), "%cut")
    a.store(after, "%at_after")
    for i, event in enumerate(parts.events):
        looked = a.masks("and", accepted, _armed(a, i, event, t))
        with a.when(a.any(looked)):
            crosses = _looks(a, layout, parts, i, looked, t, h)
            with a.when(a.any(crosses)):
                _locate(a, layout, parts, i, t, h)
                found = a.load("%high_share")
                a.put_where(crosses, found, "%cut")
                a.put_where(crosses, a.fma(found, h, t), "%at_after")
                for earlier in range(i):
                    kept = a.masks("and", a.flags(f"%firing{earlier}"), a.inverse(crosses))
                    a.flag(kept, f"%firing{earlier}")
                a.flag(a.masks("or", a.flags(f"%firing{i}"), crosses), f"%firing{i}")
    return True


def _looks(a: Function, layout: Layout, parts: CourseParts, number: int, looked: str, t: str, h: str) -> str:
    """Mask of the lanes in which a condition comes to hold; the first place where it was seen to: ``%end_share``."""
    zero, cut = a.number(0.0), a.load("%cut")
    open_ = looked
    for look in LOOKS:
        value = _value(a, layout, parts, number, look, t, h)
        holds = a.masks("and", a.compare("oge", value, zero), a.compare("olt", a.number(look), cut))
        holds = a.masks("and", open_, holds)
        a.put_where(holds, a.number(look), "%end_share")
        a.put_where(holds, value, "%end_g")
        open_ = a.masks("and", open_, a.inverse(holds))
    if number == 0:
        value = _condition(a, number, a.load("%at_after"), "%new")
    else:
        value = _value(a, layout, parts, number, cut, t, h)
    holds = a.masks("and", open_, a.compare("oge", value, zero))
    a.put_where(holds, cut, "%end_share")
    a.put_where(holds, value, "%end_g")
    return a.masks("and", looked, a.inverse(a.masks("and", open_, a.inverse(holds))))


def _value(a: Function, layout: Layout, parts: CourseParts, number: int, share: str | float, t: str, h: str) -> str:
    """Value of a condition at a share of the step."""
    stepping.inside(a, layout, share, h, "%node", parts.watched[number])
    return _condition(a, number, a.fma(share if isinstance(share, str) else a.number(share), h, t), "%node")


def end_at_event(a: Function, layout: Layout, parts: CourseParts, accepted: str, h: str) -> None:
    """Where an event was crossed, the step and its segment end there; what needs the whole step comes before."""
    one = a.number(1.0)
    ends = a.compare("olt", a.load("%cut"), one)
    fires = a.flags("%firing0")
    for i in range(1, len(parts.events)):
        fires = a.masks("or", fires, a.flags(f"%firing{i}"))
    fires = a.masks("and", accepted, fires)
    with a.when(a.any(fires)):
        a.put_where(fires, a.load("%at_after"), "%at_stop")
        stepping.inside(a, layout, a.load("%cut"), h, "%node")
        early = a.masks("and", fires, ends)

        def body(n: str, _: list[str]) -> list[str]:
            a.put_where(early, a.load("%node", n), "%new", n)
            return []

        a.loop(layout.states, [], body)


def _locate(a: Function, layout: Layout, parts: CourseParts, number: int, t: str, h: str) -> None:
    """Root of a condition within the step by false position (``events.locate``), the same number of rounds for all."""
    a.store(a.number(0.0), "%low_share")
    start = _condition(a, number, t, "%x")
    a.store(a.select(a.compare("olt", start, a.number(0.0)), start, a.number(0.0)), "%low_g")
    a.store(a.load("%end_share"), "%high_share")
    a.store(a.load("%end_g"), "%high_g")
    rounds = a.local(a.name("rounds")[1:], "i64")
    a.set("0", rounds)
    half = a.number(1 / 2)
    with a.cycle() as loop:
        count = a.get(rounds)
        loop.unless(a.put(f"icmp ult i64 {count}, {ROUNDS}", "c"))
        a.set(a.whole("add", count, 1), rounds)
        low, high = a.load("%low_share"), a.load("%high_share")
        low_g, high_g = a.load("%low_g"), a.load("%high_g")
        rise = a.binary("fsub", high_g, low_g)
        back = a.binary("fdiv", a.binary("fmul", high_g, a.binary("fsub", high, low)), rise)
        share = a.select(a.compare("olt", a.number(0.0), rise), a.binary("fsub", high, back), high)
        value = _value(a, layout, parts, number, share, t, h)
        above = a.compare("oge", value, a.number(0.0))
        below = a.inverse(above)
        # The side that stays counts half, so that it gives way.
        a.store(a.select(above, a.binary("fmul", low_g, half), value), "%low_g")
        a.store(a.select(above, value, a.binary("fmul", high_g, half)), "%high_g")
        a.put_where(above, share, "%high_share")
        a.put_where(below, share, "%low_share")
