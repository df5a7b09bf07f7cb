"""Writes whole courses as LLVM assembly: doses, events, dense output and summaries in one call.

The same course as in ``plain_course.py``, for a vector of patients at a time. A lane that has finished its patient
takes the next one. CourseParts never touch each other: what one does is masked in the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from vein2vein.engine.llvm import stepping
from vein2vein.engine.llvm.control_flow import Function, Leave
from vein2vein.engine.llvm.course_parts import (
    CourseParts,
    end_at_event,
    events_at_arrival,
    events_in_step,
    functions,
    give_doses,
    observe_step,
    reduce_step,
    write_outputs,
)
from vein2vein.engine.llvm.equations import ATTRIBUTES
from vein2vein.engine.llvm.segment import declarations
from vein2vein.engine.llvm.stepping import Layout
from vein2vein.engine.llvm.vector_math import exponential, lesser, logarithm
from vein2vein.engine.method import summaries, tableau
from vein2vein.engine.method.request import Request
from vein2vein.engine.method.summaries import Summary
from vein2vein.engine.method.tableau import Method
from vein2vein.engine.trace.recording import Traced

NAME = "course"
NUMBERS = ("max_steps", "count_days")
REALS = ("begins", "ends", "rtols", "max_steps_size", "inverse_count", "leasts")
PLACES = (
    "x_rows", "p_rows", "u_rows", "days", "dose_first", "dose_last", "dose_day", "dose_what", "dose_amount",
    "absolute", "low", "high", "values", "x_end", "u_end", "reached_all", "status_all", "steps_all", "rejected_all",
    "fired_all", "results",
)  # fmt: skip
_INFINITY = float("inf")


def module(traced: Traced, request: Request, method: Method, width: int, fused: bool) -> str:
    """Assembly for the courses of a recorded model."""
    body, layout = stepping.model_functions(traced, width, fused, method)
    extra, parts = functions(traced.model, request.gives, request.events, request.wanted, width, fused)
    code = _CourseCode(Function(width, fused), layout, parts, request)
    begin = [*declarations(width), f"declare i1 @llvm.vector.reduce.and.v{width}i1(<{width} x i1>)"]
    return "\n".join([*begin, body, *extra, code.text(), f"attributes #0 = {ATTRIBUTES}", ""])


class _CourseCode:
    """Writes the one function; its parts share the names of the local arrays."""

    def __init__(self, a: Function, layout: Layout, parts: CourseParts, request: Request) -> None:
        self.a = a
        self.layout = layout
        self.parts = parts
        self.request = request

    def text(self) -> str:
        a = self.a
        self._locals()
        self._arguments()
        with a.cycle() as patients:
            self._refill(patients)
            self._arrive()
            idle = a.flags("%at_idle")
            active = a.inverse(idle)
            with a.when(a.any(active)):
                self._step(active)
        a.do("ret void")
        arguments = "i64 %first, i64 %last, ptr %numbers, ptr %reals, ptr %places"
        return a.text(f"define void @{NAME}({arguments}) #0 {{")

    def _locals(self) -> None:
        a, layout = self.a, self.layout
        count = layout.states
        sizes = [("x", count), ("p", layout.parameters), ("u", layout.levels), *stepping.arrays(layout)]
        sizes += [("node", count), ("rate", count), *self.parts.arrays]
        for name, length in sizes:
            a.local(name, a.vector, max(length, 1))
            for i in range(length) if name in ("x", "p", "u") else ():
                a.entry.append(f"  %{name}_{i} = getelementptr {a.vector}, ptr %{name}, i64 {i}")
                a.entry.append(f"  store {a.vector} zeroinitializer, ptr %{name}_{i}, align 8")
        for name in ("t", "h", "before", "stop", "output_day", "next_dose", "amount"):
            a.local(f"at_{name}", a.vector)
            a.entry.append(f"  store {a.vector} zeroinitializer, ptr %at_{name}, align 8")
        for name in (
            "status",
            "steps",
            "rejected",
            "patient",
            "output",
            "dose",
            "dose_last",
            "what",
            "idle",
            "changed",
        ):
            a.local(f"at_{name}", a.integers)
            a.entry.append(f"  store {a.integers} zeroinitializer, ptr %at_{name}, align 8")
        for name in (*self.parts.counters, *self.parts.flags):
            a.local(name, a.integers)
            a.entry.append(f"  store {a.integers} zeroinitializer, ptr %{name}, align 8")
        a.local("at_solved", a.mask)
        a.local("following", "i64")

    def _arguments(self) -> None:
        a = self.a
        for kind, array, names in (("i64", "numbers", NUMBERS), ("double", "reals", REALS), ("ptr", "places", PLACES)):
            for i, name in enumerate(names):
                a.do(f"%{name} = load {kind}, ptr {a.at('%' + array, i, kind)}, align 8")
        self.constants = {name: a.spread(f"%{name}") for name in REALS}
        limit = a.put(f"insertelement {a.integers} poison, i64 %max_steps, i64 0")
        self.limit = a.put(
            f"shufflevector {a.integers} {limit}, {a.integers} poison, <{a.width} x i32> zeroinitializer"
        )
        a.do(f"store {a.integers} splat (i64 1), ptr %at_idle, align 8")
        a.set("%first", "%following")

    def _refill(self, patients: Leave) -> None:
        """Give idle lanes the next patients; leave when all lanes are idle and nobody is left.

        Patients need very different numbers of steps. If a vector waited for its slowest lane before all were filled
        anew, most lanes would compute in vain; so each lane takes the next patient as soon as it has handed one over.
        The vector computes on with lanes at different days, which is why nothing here may depend on a common time.
        Everything that a lane holds must be set here: what is left over from the patient before would leak.
        """
        a, layout = self.a, self.layout
        idle = a.flags("%at_idle")
        more = a.put(f"icmp ult i64 {a.get('%following')}, %last", "c")
        wanted = a.put(f"and i1 {more}, {a.any(idle)}", "c")
        with a.when(wanted), a.each_lane(idle) as lane:
            number = a.get("%following")
            with a.when(a.put(f"icmp ult i64 {number}, %last", "c")):
                a.set(a.whole("add", number, 1), "%following")
                a.set(number, "%at_patient", lane)
                for name, count in (("x", layout.states), ("p", layout.parameters), ("u", layout.levels)):
                    a.copy(count, f"%{name}_rows", a.whole("mul", number, count), f"%{name}", lane, inward=True)
                a.set(a.get("%dose_first", number), "%at_dose", lane)
                a.set(a.get("%dose_last", number), "%at_dose_last", lane)
                self._next_dose(lane)
                zeros = ("status", "steps", "rejected", "output", "idle")
                for name in (*(f"at_{z}" for z in zeros), *self.parts.counters, *self.parts.flags):
                    a.set("0", f"%{name}", lane)
                a.set("1", "%at_changed", lane)
                for name in ("t", "stop"):
                    a.set("%begins", f"%at_{name}", lane, "double")
                first = a.get("%days", 0, "double") if self.request.outputs else "0x7FF0000000000000"
                a.set(first, "%at_output_day", lane, "double")
                for name, values in self.parts.starts:
                    for i, value in enumerate(values):
                        place = a.whole("add", lane, i * a.width)
                        a.set(value, f"%{name}", place, "double")
        none = a.put(f"call i1 @llvm.vector.reduce.and.v{a.width}i1({a.mask} {a.flags('%at_idle')})", "c")
        patients.unless(a.put(f"xor i1 {none}, true", "c"))

    def _next_dose(self, lane: str) -> None:
        a = self.a
        a.set("0x7FF0000000000000", "%at_next_dose", lane, "double")
        number = a.get("%at_dose", lane)
        with a.when(a.put(f"icmp ult i64 {number}, {a.get('%at_dose_last', lane)}", "c")):
            a.set(a.get("%dose_day", number, "double"), "%at_next_dose", lane, "double")

    def _arrive(self) -> None:
        """What is due in lanes that stand at the end of a segment: doses, events, outputs, the end, a new segment."""
        a = self.a

        def arrived() -> str:
            there = a.compare("ole", a.load("%at_stop"), a.load("%at_t"))
            return a.masks("and", a.inverse(a.flags("%at_idle")), there)

        with a.when(a.any(arrived())):
            if self.request.gives:
                with a.cycle() as loop:
                    due = a.masks("and", arrived(), a.compare("ole", a.load("%at_next_dose"), a.load("%at_t")))
                    loop.now(due)
                    with a.each_lane(due) as lane:
                        number = a.get("%at_dose", lane)
                        a.set(a.get("%dose_what", number), "%at_what", lane)
                        a.set(a.get("%dose_amount", number, "double"), "%at_amount", lane, "double")
                        a.set(a.whole("add", number, 1), "%at_dose", lane)
                        a.set("1", "%at_changed", lane)
                        self._next_dose(lane)
                    give_doses(a, self.parts, due)
            events_at_arrival(a, self.parts, arrived())
            if self.request.outputs:
                with a.cycle() as loop:
                    due = a.masks("and", arrived(), a.compare("ole", a.load("%at_output_day"), a.load("%at_t")))
                    loop.now(due)
                    write_outputs(a, self.layout, due, "%x")
            self._finish(a.masks("and", arrived(), a.compare("ole", self.constants["ends"], a.load("%at_t"))))
            self._begin_segment(arrived())

    def _finish(self, done: str) -> None:
        """Hand over what the lanes hold and set them idle."""
        a, layout = self.a, self.layout
        with a.when(a.any(done)), a.each_lane(done) as lane:
            number = a.get("%at_patient", lane)
            for name, count in (("x", layout.states), ("u", layout.levels)):
                a.copy(count, f"%{name}_end", a.whole("mul", number, count), f"%{name}", lane, inward=False)
            a.set(a.get("%at_t", lane, "double"), "%reached_all", number, "double")
            for name in ("status", "steps", "rejected"):
                a.set(a.get(f"%at_{name}", lane), f"%{name}_all", number)
            if self.parts.results:
                place = a.whole("mul", number, len(self.parts.results))
                for i, slot in enumerate(self.parts.results):
                    value = a.get("%carried", a.whole("add", lane, slot * a.width), "double")
                    a.set(value, "%results", a.whole("add", place, i), "double")
            a.set("1", "%at_idle", lane)

    def _begin_segment(self, arrived: str) -> None:
        """Where the next segment ends; after a change, rates and a first step anew."""
        a = self.a
        stop = lesser(a, self.constants["ends"], a.load("%at_next_dose"), steady=True)
        for rearm, waits in self.parts.waiting(a):
            stop = a.select(a.masks("and", waits, a.compare("olt", rearm, stop)), rearm, stop)
        a.put_where(arrived, stop, "%at_stop")
        changed = a.masks("and", arrived, a.flags("%at_changed"))
        with a.when(a.any(changed)):
            a.do("call void @prepare(ptr %p, ptr %u, ptr %kept)")
            self._restart(changed)
            self.parts.observe(a, changed)
            kept = a.masks("and", a.flags("%at_changed"), a.inverse(changed))
            a.flag(kept, "%at_changed")

    def _restart(self, changed: str) -> None:
        """First step after a change (``plain_course.start_step``)."""
        a, layout, constants = self.a, self.layout, self.constants
        t = a.load("%at_t")
        stepping.call_rates(a, t, "%x", "%rate")
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
        span = lesser(a, constants["max_steps_size"], a.binary("fsub", constants["ends"], t), steady=True)
        size = lesser(a, a.number(1.0), size, greater=True, steady=True)
        trial = a.binary("fdiv", a.binary("fmul", a.number(tableau.FIRST_STEP), size), speed)
        trial = a.select(a.compare("olt", trial, span), trial, span)

        def euler(i: str, _: list[str]) -> list[str]:
            a.store(a.fma(trial, a.load("%rate", i), a.load("%x", i)), "%node", i)
            if not layout.method.implicit:
                a.put_where(changed, a.load("%rate", i), "%k0", i)
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
        least = a.binary("fmul", span, a.number(tableau.FIRST_STEP_LEAST))
        h = a.select(a.compare("olt", least, h), h, least)
        a.put_where(changed, h, "%at_h")
        a.put_where(changed, a.number(stepping.LOG_ERROR_AT_START), "%at_before")

    def _step(self, active: str) -> None:
        a, layout, constants = self.a, self.layout, self.constants
        t, step, stop = a.load("%at_t"), a.load("%at_h"), a.load("%at_stop")
        size, h, last = stepping.propose(a, t, step, stop, active, constants["max_steps_size"])
        error = stepping.attempt(a, layout, t, h, constants)
        accepted = a.masks("and", active, a.compare("ole", error, a.number(1.0)))
        refused = a.masks("xor", active, accepted)
        after = a.select(last, stop, a.binary("fadd", t, h))
        if events_in_step(a, layout, self.parts, accepted, t, after, h):
            after = a.load("%at_after")
        if self.request.outputs:
            with a.cycle() as loop:
                due = self._due(accepted, after)
                loop.now(due)
                share = a.binary("fdiv", a.binary("fsub", a.load("%at_output_day"), t), h)
                stepping.inside(a, layout, share, h, "%node")
                write_outputs(a, layout, due, "%node")
        observe_step(a, layout, self.parts, t, after, h)
        if self.request.events:
            end_at_event(a, layout, self.parts, accepted, h)
        reduce_step(a, self.parts, accepted, t, after, h)
        stepping.keep(a, layout, accepted)
        a.put_where(accepted, after, "%at_t")
        stepping.control(a, layout.method, size, h, error, accepted, refused)
        self._account(accepted, refused, error)

    def _due(self, accepted: str, after: str) -> str:
        a = self.a
        return a.masks("and", accepted, a.compare("olt", a.load("%at_output_day"), after))

    def _account(self, accepted: str, refused: str, error: str) -> None:
        """Count the step; lanes that fail hand over and fall idle."""
        a = self.a
        tried: list[str] = []
        for name, mask in (("steps", accepted), ("rejected", refused)):
            one = a.put(f"zext {a.mask} {mask} to {a.integers}")
            total = a.bits("add", a.numbers(f"%at_{name}"), one)
            a.do(f"store {a.integers} {total}, ptr %at_{name}, align 8")
            tried.append(total)
        small = a.masks("and", refused, a.compare("olt", a.load("%at_h"), self.constants["leasts"]))
        bounded = a.compare("olt", error, a.number(_INFINITY))
        why = a.select(bounded, a.integer(tableau.STEP_TOO_SMALL), a.integer(tableau.NOT_FINITE), a.integers)
        if self.layout.method.implicit:
            solved = a.put(f"load {a.mask}, ptr {stepping.SOLVED}", "m")
            why = a.select(solved, why, a.integer(tableau.NOT_SOLVED), a.integers)
        spent = a.put(f"icmp uge {a.integers} {a.bits('add', *tried)}, {self.limit}", "m")
        spent = a.masks("and", spent, a.masks("or", accepted, refused))
        ended = a.masks("and", accepted, a.compare("ole", self.constants["ends"], a.load("%at_t")))
        spent = a.masks("and", spent, a.inverse(ended))
        status = a.select(spent, a.integer(tableau.TOO_MANY_STEPS), a.numbers("%at_status"), a.integers)
        status = a.select(small, why, status, a.integers)
        a.do(f"store {a.integers} {status}, ptr %at_status, align 8")
        self._finish(a.masks("or", small, spent))


def carried_length(wanted: Sequence[Summary]) -> int:
    """Numbers that the summaries carry along."""
    return sum(len(summaries.start(s.kind)) for s in wanted)
