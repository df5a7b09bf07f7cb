"""Writes whole courses as LLVM assembly: doses, events, dense output and summaries in one call.

The same course as in ``plain_course.py``, for a vector of patients at a time. A lane that has finished its patient
takes the next one. Lanes never touch each other: what one does is masked in the others.

A patient stands in rows of arrays (``request.Standing``) before and after a call, so a course may be cut anywhere: a
segment of a journey is a course without outputs, and where stiffness binds an explicit step, or lets go of the stiff
method's, the patient is set down for the code of the other method. So the lanes of a vector always take the same kind
of step.
"""

from __future__ import annotations

from vein2vein.engine.llvm import stepping
from vein2vein.engine.llvm.control_flow import Function, Leave
from vein2vein.engine.llvm.course_parts import (
    CourseParts,
    functions,
    give_doses,
    observe_step,
    reduce_here,
    reduce_step,
    write_outputs,
)
from vein2vein.engine.llvm.equations import ATTRIBUTES
from vein2vein.engine.llvm.event_parts import end_at_event, events_at_arrival, events_in_step
from vein2vein.engine.llvm.pace import first_step, leaves
from vein2vein.engine.llvm.stepping import Layout
from vein2vein.engine.llvm.vector_math import lesser
from vein2vein.engine.method import tableau
from vein2vein.engine.method.request import ADD, ANEW, EXPLICIT, IMPLICIT, ON, REALS, SET, WHOLES, Request
from vein2vein.engine.method.tableau import Method
from vein2vein.engine.trace.recording import Traced

NAME, RATES = "course", "all_rates"
NUMBERS = ("max_steps", "gather")
SIZES = ("rtols", "max_steps_size", "inverse_count", "ratio")
PLACES = (
    "x_all", "p_all", "u_all", "reals_all", "whole_all", "ends_all", "days", "output_last", "output_shift",
    "dose_last", "dose_day", "dose_what", "dose_amount", "resets", "absolute", "low", "high", "values", "fired_all",
)  # fmt: skip
_INFINITY = float("inf")
_NEVER = "0x7FF0000000000000"


def module(traced: Traced, request: Request, method: Method, width: int, fused: bool, switches: bool = False) -> str:
    """Assembly for the courses of a recorded model; with ``switches`` patients are handed to the other method."""
    body, layout = stepping.model_functions(traced, width, fused, method)
    extra, parts = functions(traced.model, request, width, fused)
    code = _CourseCode(Function(width, fused), layout, parts, request, switches)
    return "\n".join([*declarations(width), body, *extra, code.text(), f"attributes #0 = {ATTRIBUTES}", ""])


def declarations(width: int) -> list[str]:
    """Functions of LLVM that the generated code calls."""
    v, m, n = f"<{width} x double>", f"<{width} x i1>", f"v{width}f64"
    return [
        f"declare {v} @llvm.fma.{n}({v}, {v}, {v})",
        f"declare {v} @llvm.sqrt.{n}({v})",
        *(f"declare {v} @llvm.{name}.{n}({v})" for name in ("fabs", "floor", "ceil")),
        f"declare i1 @llvm.vector.reduce.or.v{width}i1({m})",
        f"declare i64 @llvm.vector.reduce.add.v{width}i64(<{width} x i64>)",
    ]


def rates_module(traced: Traced, width: int, fused: bool) -> str:
    """Assembly of a function that gives the rates of one vector of patients (for tests and other solvers)."""
    body, layout = stepping.model_functions(traced, width, fused, tableau.TSIT5)
    a = Function(width, fused)
    a.local("kept", a.vector, layout.kept)
    t = a.spread(a.put("load double, ptr %day, align 8"))
    a.do("call void @prepare(ptr %p, ptr %u, ptr %kept)")
    stepping.call_rates(a, t, "%x", "%out")
    a.do("ret void")
    text = a.text(f"define void @{RATES}(ptr %x, ptr %p, ptr %u, ptr %out, ptr %day) #0 {{")
    return "\n".join([*declarations(width), body, text, f"attributes #0 = {ATTRIBUTES}", ""])


class _CourseCode:
    """Writes the one function; its parts share the names of the local arrays."""

    def __init__(self, a: Function, layout: Layout, parts: CourseParts, request: Request, switches: bool) -> None:
        self.a = a
        self.layout = layout
        self.parts = parts
        self.request = request
        self.switches = switches
        takes_over = switches and layout.method.implicit
        self.own, self.other = (IMPLICIT, EXPLICIT) if takes_over else (EXPLICIT, IMPLICIT)
        self.reals = [*((f"at_{name}", 0) for name in REALS), *parts.reals]
        names = {"fresh": "at_changed"}
        self.wholes = [*((names.get(name, f"at_{name}"), 0) for name in WHOLES[2:]), *((n, 0) for n in parts.wholes)]

    def text(self) -> str:
        a = self.a
        self._locals()
        self._arguments()
        with a.cycle() as patients:
            self._refill(patients)
            self._arrive()
            active = a.inverse(a.flags("%at_idle"))
            with a.when(a.any(active)):
                self._step(active)
        a.do(f"ret i64 {a.get('%handed')}")
        return a.text(f"define i64 @{NAME}(i64 %first, i64 %last, ptr %numbers, ptr %sizes, ptr %places) #0 {{")

    def _locals(self) -> None:
        a, layout = self.a, self.layout
        count = layout.states
        levels = layout.levels + self.parts.answers
        sizes = [("x", count), ("p", layout.parameters), ("u", levels), *stepping.arrays(layout)]
        sizes += [("node", count), ("rate", count), *self.parts.arrays]
        for name, length in sizes:
            a.local(name, a.vector, max(length, 1))
        for name, length in (("x", count), ("p", layout.parameters), ("u", levels)):
            for i in range(length):
                a.entry.append(f"  %{name}_{i} = getelementptr {a.vector}, ptr %{name}, i64 {i}")
                a.entry.append(f"  store {a.vector} zeroinitializer, ptr %{name}_{i}, align 8")
        for name in dict.fromkeys(n for n, _ in [*self.reals, *((f"at_{r}", 0) for r in _REAL_EXTRAS)]):
            if name not in dict(self.parts.arrays):
                a.local(name, a.vector)
                a.entry.append(f"  store {a.vector} zeroinitializer, ptr %{name}, align 8")
        for name in [n for n, _ in self.wholes] + [f"at_{name}" for name in _WHOLE_EXTRAS]:
            a.local(name, a.integers)
            a.entry.append(f"  store {a.integers} zeroinitializer, ptr %{name}, align 8")
        a.local("at_solved", a.mask)
        for name in ("flipped", "soon"):
            a.local(name, a.integers)
        for name in ("following", "found", "handed"):
            a.local(name, "i64")

    def _arguments(self) -> None:
        a = self.a
        for kind, array, names in (("i64", "numbers", NUMBERS), ("double", "sizes", SIZES), ("ptr", "places", PLACES)):
            for i, name in enumerate(names):
                a.do(f"%{name} = load {kind}, ptr {a.at('%' + array, i, kind)}, align 8")
        self.constants = {name: a.spread(f"%{name}") for name in SIZES}
        limit = a.put(f"insertelement {a.integers} poison, i64 %max_steps, i64 0")
        self.limit = a.put(
            f"shufflevector {a.integers} {limit}, {a.integers} poison, <{a.width} x i32> zeroinitializer"
        )
        a.do(f"store {a.integers} splat (i64 1), ptr %at_idle, align 8")
        a.set("%first", "%following")
        a.set("0", "%handed")

    def _refill(self, patients: Leave) -> None:
        """Give idle lanes the next patients; leave when all lanes are idle and nobody is left.

        Patients need very different numbers of steps. If a vector waited for its slowest lane before all were filled
        anew, most lanes would compute in vain; so lanes take the next patients as soon as ``gather`` of them are idle.
        The vector computes on with lanes at different days, which is why nothing here may depend on a common time.
        Everything that a lane holds must be set here: what is left over from the patient before would leak.
        """
        a = self.a
        idle = a.flags("%at_idle")
        count = a.put(f"call i64 @llvm.vector.reduce.add.v{a.width}i64({a.integers} {a.numbers('%at_idle')})", "s")
        more = a.put(f"icmp ult i64 {a.get('%following')}, %last", "c")
        wanted = a.put(f"and i1 {more}, {a.put(f'icmp uge i64 {count}, %gather', 'c')}", "c")
        with a.when(wanted):
            with a.each_lane(idle) as lane:
                a.set("0", "%found")
                with a.cycle() as search:
                    number = a.get("%following")
                    left = a.put(f"icmp ult i64 {number}, %last", "c")
                    none = a.put(f"icmp eq i64 {a.get('%found')}, 0", "c")
                    search.unless(a.put(f"and i1 {left}, {none}", "c"))
                    a.set(a.whole("add", number, 1), "%following")
                    todo = a.get("%whole_all", a.whole("mul", number, len(self.wholes) + 2))
                    with a.when(a.put(f"icmp eq i64 {todo}, {self.own}", "c")):
                        a.set("1", "%found")
                        self._fill(lane, number)
            if self.request.own_start:
                self._own_start()
        full = a.put(f"call i64 @llvm.vector.reduce.add.v{a.width}i64({a.integers} {a.numbers('%at_idle')})", "s")
        patients.unless(a.put(f"icmp ult i64 {full}, {a.width}", "c"))

    def _fill(self, lane: str, number: str) -> None:
        """Take a patient into a lane."""
        a, layout = self.a, self.layout
        a.set(number, "%at_patient", lane)
        for name, count in (("x", layout.states), ("p", layout.parameters), ("u", layout.levels)):
            a.copy(count, f"%{name}_all", a.whole("mul", number, count), f"%{name}", lane, inward=True)
        row = a.whole("mul", number, len(self.reals))
        for i, (name, slot) in enumerate(self.reals):
            value = a.get("%reals_all", a.whole("add", row, i), "double")
            a.set(value, f"%{name}", a.whole("add", lane, slot * a.width), "double")
        row = a.whole("mul", number, len(self.wholes) + 2)
        for i, (name, _) in enumerate(self.wholes, start=2):
            a.set(a.get("%whole_all", a.whole("add", row, i)), f"%{name}", lane)
        a.set(a.get("%at_changed", lane), "%at_new", lane)
        a.set(a.get("%at_t", lane, "double"), "%at_stop", lane, "double")
        a.set(a.get("%ends_all", number, "double"), "%at_ends", lane, "double")
        if self.request.scheduled:
            a.set(a.get("%dose_last", number), "%at_dose_last", lane)
        if self.request.outputs:
            a.set(a.get("%output_last", number), "%at_output_last", lane)
            a.set(a.get("%output_shift", number), "%at_output_shift", lane)
        self._next(lane)
        a.set("0", "%soon", lane)
        a.set("0", "%at_idle", lane)

    def _next(self, lane: str) -> None:
        """Days of the next dose and the next output."""
        a = self.a
        for what, days, asked in (
            ("dose", "%dose_day", self.request.scheduled),
            ("output", "%days", self.request.outputs),
        ):
            a.set(_NEVER, f"%at_next_{what}", lane, "double")
            if asked:
                number = a.get(f"%at_{what}", lane)
                with a.when(a.put(f"icmp ult i64 {number}, {a.get(f'%at_{what}_last', lane)}", "c")):
                    a.set(a.get(days, number, "double"), f"%at_next_{what}", lane, "double")

    def _own_start(self) -> None:
        """States of those who begin, as the model says."""
        a = self.a
        new = a.put(f"icmp eq {a.integers} {a.numbers('%at_new')}, {a.integer(ANEW)}", "m")
        with a.when(a.any(new)):
            a.do(f"call void @begin({a.vector} {a.load('%at_t')}, ptr %x, ptr %p, ptr %u, ptr %node)")
            a.loop(self.layout.states, [], lambda i, _: a.put_where(new, a.load("%node", i), "%x", i) or [])
        a.do(f"store {a.integers} zeroinitializer, ptr %at_new, align 8")

    def _arrive(self) -> None:
        """What is due in lanes that stand at the end of a segment: doses, events, outputs, the end, a new segment."""
        a = self.a

        def arrived() -> str:
            there = a.compare("ole", a.load("%at_stop"), a.load("%at_t"))
            return a.masks("and", a.inverse(a.flags("%at_idle")), there)

        with a.when(a.any(arrived())):
            if self.request.scheduled:
                with a.cycle() as loop:
                    due = a.masks("and", arrived(), a.compare("ole", a.load("%at_next_dose"), a.load("%at_t")))
                    loop.now(due)
                    with a.each_lane(due) as lane:
                        number = a.get("%at_dose", lane)
                        what, amount = a.get("%dose_what", number), a.get("%dose_amount", number, "double")
                        a.set(what, "%at_what", lane)
                        a.set(amount, "%at_amount", lane, "double")
                        a.set(a.whole("add", number, 1), "%at_dose", lane)
                        a.set(str(ANEW), "%at_changed", lane)
                        self._next(lane)
                        if self.request.halts:
                            self._reset(lane, what, amount)
                    give_doses(a, self.parts, due)
            events_at_arrival(a, self.parts, arrived())
            if self.request.outputs:
                with a.cycle() as loop:
                    due = a.masks("and", arrived(), a.compare("ole", a.load("%at_next_output"), a.load("%at_t")))
                    loop.now(due)
                    write_outputs(a, self.layout, self.request, due, "%x", a.load("%at_t"))
            ended = a.masks("and", arrived(), a.compare("ole", a.load("%at_ends"), a.load("%at_t")))
            given = a.masks("and", ended, a.flags("%at_changed"))
            with a.when(a.any(given)):
                reduce_here(a, self.layout, self.parts, given)
            self._finish(ended)
            self._begin_segment(arrived())

    def _reset(self, lane: str, what: str, amount: str) -> None:
        """Set the state of a lane to a row of the resets, or add the row to it."""
        a, count = self.a, self.layout.states
        with a.when(a.put(f"icmp sle i64 {what}, {max(SET, ADD)}", "c")):
            adds = a.put(f"icmp eq i64 {what}, {ADD}", "c")
            row = a.whole("mul", a.put(f"fptosi double {amount} to i64", "s"), count)
            for i in range(count):
                value = a.get("%resets", a.whole("add", row, i), "double")
                column = a.whole("add", lane, i * a.width)
                total = a.put(f"fadd double {value}, {a.get('%x', column, 'double')}", "s")
                value = a.put(f"select i1 {adds}, double {total}, double {value}", "s")
                for name, beyond in (("low", "olt"), ("high", "ogt")):
                    bound = a.get(f"%{name}", i, "double")
                    out = a.put(f"fcmp {beyond} double {value}, {bound}", "c")
                    value = a.put(f"select i1 {out}, double {bound}, double {value}", "s")
                a.set(value, "%x", column, "double")

    def _finish(self, done: str, todo: int = 0) -> None:
        """Write down where the lanes stand and set them idle; ``todo`` is for whom."""
        a, layout = self.a, self.layout
        with a.when(a.any(done)), a.each_lane(done) as lane:
            number = a.get("%at_patient", lane)
            for name, count in (("x", layout.states), ("u", layout.levels)):
                a.copy(count, f"%{name}_all", a.whole("mul", number, count), f"%{name}", lane, inward=False)
            row = a.whole("mul", number, len(self.reals))
            for i, (name, slot) in enumerate(self.reals):
                value = a.get(f"%{name}", a.whole("add", lane, slot * a.width), "double")
                a.set(value, "%reals_all", a.whole("add", row, i), "double")
            row = a.whole("mul", number, len(self.wholes) + 2)
            a.set(str(todo), "%whole_all", row)
            a.set(str(todo or self.own), "%whole_all", a.whole("add", row, 1))
            a.set(str(ON), "%at_changed", lane)
            for i, (name, _) in enumerate(self.wholes, start=2):
                a.set(a.get(f"%{name}", lane), "%whole_all", a.whole("add", row, i))
            a.set("1", "%at_idle", lane)
            if todo:
                a.set(a.whole("add", a.get("%handed"), 1), "%handed")

    def _begin_segment(self, arrived: str) -> None:
        """Where the next segment ends; after a change, rates and a first step anew."""
        a = self.a
        stop = lesser(a, a.load("%at_ends"), a.load("%at_next_dose"), steady=True)
        for rearm, waits in self.parts.waiting(a):
            stop = a.select(a.masks("and", waits, a.compare("olt", rearm, stop)), rearm, stop)
        a.put_where(arrived, stop, "%at_stop")
        changed = a.masks("and", arrived, a.flags("%at_changed"))
        with a.when(a.any(changed)):
            anew = a.put(f"icmp eq {a.integers} {a.numbers('%at_changed')}, {a.integer(ANEW)}", "m")
            anew = a.masks("and", changed, anew)
            a.do("call void @prepare(ptr %p, ptr %u, ptr %kept)")
            if self.layout.method.implicit:
                with a.when(a.any(anew)):
                    stepping.call_rates(a, a.load("%at_t"), "%x", "%rate")
                    first_step(a, self.layout, self.constants, self._longest(), anew)
            else:
                stepping.call_rates(a, a.load("%at_t"), "%x", "%rate")
                a.loop(self.layout.states, [], lambda i, _: a.put_where(changed, a.load("%rate", i), "%k0", i) or [])
                with a.when(a.any(anew)):
                    first_step(a, self.layout, self.constants, self._longest(), anew)
            self.parts.observe(a, changed)
            a.flag(a.masks("and", a.flags("%at_changed"), a.inverse(changed)), "%at_changed")

    def _longest(self) -> str:
        """Longest step of the lanes, by their own clocks."""
        most = self.constants["max_steps_size"]
        return most if self.layout.pace < 0 else self.a.binary("fdiv", most, self.a.load("%u", self.layout.pace))

    def _step(self, active: str) -> None:
        a, layout, constants = self.a, self.layout, self.constants
        t, step, stop = a.load("%at_t"), a.load("%at_h"), a.load("%at_stop")
        size, h, last = stepping.propose(a, t, step, stop, active, self._longest())
        error = stepping.attempt(a, layout, t, h, constants)
        accepted = a.masks(
            "and", active, a.masks("or", a.compare("ole", error, a.number(1.0)), self._crumb(t, h, last, error))
        )
        refused = a.masks("xor", active, accepted)
        after = a.select(last, stop, a.binary("fadd", t, h))
        if events_in_step(a, layout, self.parts, accepted, t, after, h):
            after = a.load("%at_after")
        if self.request.outputs:
            with a.cycle() as loop:
                day = a.load("%at_next_output")
                due = a.masks("and", accepted, a.compare("olt", day, after))
                loop.now(due)
                share = a.binary("fdiv", a.binary("fsub", day, t), h)
                stepping.inside(a, layout, share, h, "%node")
                write_outputs(a, layout, self.request, due, "%node", day)
        observe_step(a, layout, self.parts, t, after, h)
        if self.request.events or self.parts.answers:
            end_at_event(a, layout, self.parts, accepted, h)
        reduce_step(a, self.parts, accepted, t, after, h)
        stepping.keep(a, layout, accepted)
        a.put_where(accepted, after, "%at_t")
        stepping.control(a, layout.method, size, h, error, accepted, refused)
        self._account(accepted, refused, error, h)

    def _crumb(self, t: str, h: str, last: str, error: str) -> str:
        """Mask of the steps to a stop that could be no shorter (across a jump on a known day): they need be finite."""
        a = self.a
        short = a.masks("and", last, a.compare("olt", h, self._least(t)))
        return a.masks("and", short, a.compare("olt", error, a.number(_INFINITY)))

    def _least(self, t: str) -> str:
        """Shortest step at a day."""
        a = self.a
        day = lesser(a, a.number(tableau.LEAST_DAY), a.absolute(t), greater=True, steady=True)
        return a.binary("fmul", a.number(tableau.LEAST_STEP), day)

    def _account(self, accepted: str, refused: str, error: str, h: str) -> None:
        """Count the step; lanes that fail, or are for the other method, are set down."""
        a = self.a
        tried: list[str] = []
        for name, mask in (("steps", accepted), ("rejected", refused)):
            one = a.put(f"zext {a.mask} {mask} to {a.integers}")
            total = a.bits("add", a.numbers(f"%at_{name}"), one)
            a.do(f"store {a.integers} {total}, ptr %at_{name}, align 8")
            tried.append(total)
        t = a.load("%at_t")
        small = a.masks("and", refused, a.compare("olt", a.load("%at_h"), self._least(t)))
        bounded = a.compare("olt", error, a.number(_INFINITY))
        why = a.select(bounded, a.integer(tableau.STEP_TOO_SMALL), a.integer(tableau.NOT_FINITE), a.integers)
        if self.layout.method.implicit:
            solved = a.put(f"load {a.mask}, ptr {stepping.SOLVED}", "m")
            why = a.select(solved, why, a.integer(tableau.NOT_SOLVED), a.integers)
        spent = a.put(f"icmp uge {a.integers} {a.bits('add', *tried)}, {self.limit}", "m")
        spent = a.masks("and", spent, a.masks("or", accepted, refused))
        ended = a.masks("and", accepted, a.compare("ole", a.load("%at_ends"), t))
        spent = a.masks("and", spent, a.inverse(ended))
        status = a.select(spent, a.integer(tableau.TOO_MANY_STEPS), a.numbers("%at_status"), a.integers)
        status = a.select(small, why, status, a.integers)
        a.do(f"store {a.integers} {status}, ptr %at_status, align 8")
        failed = a.masks("or", small, spent)
        self._finish(failed)
        if self.switches:
            going = a.masks("and", accepted, a.inverse(a.masks("or", failed, ended)))
            self._finish(leaves(a, self.layout, self.constants["ratio"], going, h), self.other)


_REAL_EXTRAS = ("stop", "ends", "next_output", "next_dose", "amount")
_WHOLE_EXTRAS = ("patient", "dose_last", "output_last", "output_shift", "what", "idle", "new")
