"""Writes how long the first step of a course is, and when the other method takes over, as LLVM assembly."""

from __future__ import annotations

from vein2vein.engine.llvm import stepping
from vein2vein.engine.llvm.control_flow import Function
from vein2vein.engine.llvm.stepping import Layout
from vein2vein.engine.llvm.vector_math import exponential, lesser, logarithm
from vein2vein.engine.method import tableau


def first_step(a: Function, layout: Layout, constants: dict[str, str], longest: str, changed: str) -> None:
    """First step after a change (``plain_course.start_step``)."""
    t = a.load("%at_t")
    zero = a.number(0.0)

    def allowed(i: str) -> str:
        return a.fma(constants["rtols"], a.absolute(a.load("%x", i)), stepping.scalar(a, "%absolute", i))

    def sizes(i: str, sums: list[str]) -> list[str]:
        size = a.binary("fdiv", a.load("%x", i), allowed(i))
        speed = a.binary("fdiv", a.load("%rate", i), allowed(i))
        return [a.fma(size, size, sums[0]), a.fma(speed, speed, sums[1])]

    def mean(total: str) -> str:
        return a.sqrt(a.binary("fmul", total, constants["inverse_count"]))

    size, speed = (mean(s) for s in a.loop(layout.states, [zero, zero], sizes))
    span = lesser(a, longest, a.binary("fsub", a.load("%at_ends"), t), steady=True)
    size = lesser(a, a.number(1.0), size, greater=True, steady=True)
    trial = a.binary("fdiv", a.binary("fmul", a.number(tableau.FIRST_STEP), size), speed)
    trial = a.select(a.compare("olt", trial, span), trial, span)

    def euler(i: str, _: list[str]) -> list[str]:
        a.store(a.fma(trial, a.load("%rate", i), a.load("%x", i)), "%node", i)
        return []

    a.loop(layout.states, [], euler)
    stepping.call_rates(a, a.binary("fadd", t, trial), "%node", "%new")

    def bends(i: str, sums: list[str]) -> list[str]:
        bend = a.binary("fdiv", a.binary("fsub", a.load("%new", i), a.load("%rate", i)), allowed(i))
        return [a.fma(bend, bend, sums[0])]

    bend = a.binary("fdiv", mean(a.loop(layout.states, [zero], bends)[0]), trial)
    fastest = a.select(a.compare("olt", speed, bend), bend, speed)
    power = a.number(1 / (layout.method.estimate + 1))
    h = logarithm(a, a.binary("fdiv", a.number(tableau.FIRST_STEP), fastest))
    h = exponential(a, a.binary("fmul", h, power))
    most = a.binary("fmul", trial, a.number(tableau.FIRST_STEP_GROWTH))
    h = a.select(a.compare("olt", h, most), h, most)
    h = a.select(a.compare("olt", h, span), h, span)
    # Rates that are not finite at all give no step: a short one is tried, and tells.
    least = a.binary("fmul", span, a.number(tableau.FIRST_STEP_LEAST))
    h = a.select(a.compare("olt", zero, h), h, least)
    a.put_where(changed, h, "%at_h")
    a.put_where(changed, a.number(stepping.LOG_ERROR_AT_START), "%at_before")


def leaves(a: Function, layout: Layout, ratio: str, going: str, h: str) -> str:
    """Mask of the lanes for which the other method takes over (``plain_course._changes``)."""
    explicit = not layout.method.implicit
    none, one = a.integer(0), a.integer(1)
    step, other = a.load("%at_h"), a.load("%at_other")
    cost = a.binary("fmul" if explicit else "fdiv", step, ratio)
    streak, spell, failed = (a.numbers(f"%at_{name}") for name in ("streak", "spell", "failed"))
    longer = a.select(a.compare("olt", cost, other), a.bits("add", streak, one), none, a.integers)
    streak = a.select(going, longer, streak, a.integers)
    more = one
    if explicit:
        felt = a.binary("fmul", a.binary("fmul", h, h), a.load(stepping.BEND))
        move = a.load(stepping.MOVE)
        binds = a.compare("ole", a.binary("fmul", a.number(tableau.BINDS**2), move), felt)
        more = a.select(binds, a.integer(tableau.URGENT), one, a.integers)
    spell = a.bits("add", spell, a.select(going, more, none, a.integers))

    def least(x: str, y: str | int) -> str:
        return a.put(f"icmp uge {a.integers} {x}, {a.integer(y) if isinstance(y, int) else y}", "m")

    at_once = a.masks("and", least(streak, tableau.AT_ONCE), least(streak, spell))
    turns = a.masks("or", least(streak, tableau.TURN), at_once)
    wait = a.bits("shl", a.integer(tableau.ASK if explicit else tableau.ASK_BACK), failed)
    asks = least(spell, wait)
    if explicit:
        asks = a.masks("and", asks, a.compare("ole", a.binary("fmul", a.number(tableau.FELT**2), move), felt))
    worth = a.binary("fmul", step, a.number(tableau.WORTH))
    left = a.binary("fsub", a.load("%at_ends"), a.load("%at_t"))
    leaves = a.masks("and", a.masks("or", turns, asks), a.compare("olt", worth, left))
    leaves = a.masks("and", going, leaves)
    in_vain = a.inverse(least(spell, tableau.TURN + 1))
    again = a.bits("add", failed, one)
    again = a.select(least(again, tableau.MOST_FAILED), a.integer(tableau.MOST_FAILED), again, a.integers)
    again = a.select(in_vain, again, none, a.integers)
    for name, now, then in (("streak", streak, none), ("spell", spell, none), ("failed", failed, again)):
        a.do(f"store {a.integers} {a.select(leaves, then, now, a.integers)}, ptr %at_{name}, align 8")
    if not explicit:
        a.put_where(leaves, lesser(a, other, step, steady=True), "%at_h")
    a.put_where(leaves, step, "%at_other")
    return leaves
