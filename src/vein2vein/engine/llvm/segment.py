"""Writes the step loop as LLVM assembly: the same steps as ``plain.py`` for a vector of patients.

Each lane is a patient with its own clock and step size. A lane that has arrived or failed is masked: it is computed
along but keeps its values, so lanes never touch each other.
"""

from __future__ import annotations

from vein2vein.engine.llvm import stepping
from vein2vein.engine.llvm.equations import ATTRIBUTES
from vein2vein.engine.llvm.stepping import Layout
from vein2vein.engine.llvm.vector_math import Assembly, lesser
from vein2vein.engine.method import tableau
from vein2vein.engine.method.tableau import Method
from vein2vein.engine.trace.recording import Traced

ADVANCE = "advance"
RATES = "all_rates"

_ARGUMENTS = (
    "i64 %groups, ptr %x_all, ptr %p_all, ptr %u_all, double %t0s, double %t1s, ptr %h_all, ptr %status_all, "
    "ptr %reached_all, ptr %steps_all, ptr %rejected_all, double %rtols, ptr %absolute, ptr %low, ptr %high, "
    "double %max_steps_size, i64 %max_steps, double %inverse_count, double %leasts"
)
_DOUBLES = ("t", "h", "before", "error", "size")


def module(traced: Traced, width: int, fused: bool = True, method: Method = tableau.TSIT5) -> str:
    """Assembly of a whole solver for a recorded model, for ``width`` patients at a time."""
    body, layout = stepping.model_functions(traced, width, fused, method)
    parts = [*declarations(width), body]
    parts += [_advance(Assembly(width, fused), layout), _all_rates(Assembly(width, fused), layout)]
    return "\n".join([*parts, f"attributes #0 = {ATTRIBUTES}", ""])


def declarations(width: int) -> list[str]:
    """Functions of LLVM that the generated code calls."""
    v, m, n = f"<{width} x double>", f"<{width} x i1>", f"v{width}f64"
    return [
        f"declare {v} @llvm.fma.{n}({v}, {v}, {v})",
        f"declare {v} @llvm.sqrt.{n}({v})",
        *(f"declare {v} @llvm.{name}.{n}({v})" for name in ("fabs", "floor", "ceil")),
        f"declare i1 @llvm.vector.reduce.or.v{width}i1({m})",
    ]


def _addresses(a: Assembly, layout: Layout) -> None:
    """Where the group's states, parameters and levels lie."""
    for name, count in (("x", layout.states), ("p", layout.parameters), ("u", layout.levels)):
        a.do(f"%{name}_offset = mul i64 %group, {count}")
        a.do(f"%{name} = getelementptr {a.vector}, ptr %{name}_all, i64 %{name}_offset")


def _all_rates(a: Assembly, layout: Layout) -> str:
    """Function that gives the time derivatives of all groups (for tests and other methods)."""
    a.do(f"%kept = alloca {a.vector}, i64 {layout.kept}, align 64")
    a.do("br label %head")
    a.lines.append("head:")
    a.do("%group = phi i64 [ 0, %entry ], [ %next, %head ]")
    _addresses(a, layout)
    a.do(f"%out = getelementptr {a.vector}, ptr %out_all, i64 %x_offset")
    t = a.spread("%t0s")
    a.do("call void @prepare(ptr %p, ptr %u, ptr %kept)")
    a.do(f"call void @rates({a.vector} {t}, ptr %x, ptr %p, ptr %u, ptr %kept, ptr %out)")
    a.do("%next = add i64 %group, 1")
    a.do("%more = icmp ult i64 %next, %groups")
    a.do("br i1 %more, label %head, label %end")
    a.lines += ["end:", "  ret void", "}"]
    head = f"define void @{RATES}(i64 %groups, ptr %x_all, ptr %p_all, ptr %u_all, double %t0s, ptr %out_all) #0 {{"
    return "\n".join([head, "entry:", *a.lines])


def _advance(a: Assembly, layout: Layout) -> str:
    """Function that carries all groups from one day to another."""
    for name, length in stepping.arrays(layout):
        a.do(f"%{name} = alloca {a.vector}, i64 {length}, align 64")
    for name in _DOUBLES:
        a.do(f"%at_{name} = alloca {a.vector}, align 64")
    for name in ("status", "steps", "rejected"):
        a.do(f"%at_{name} = alloca {a.integers}, align 64")
    for name in ("%at_active", stepping.SOLVED):
        a.do(f"{name} = alloca {a.mask}, align 8")
    scalars = ("t0s", "t1s", "rtols", "max_steps_size", "leasts", "inverse_count")
    constants = {name: a.spread(f"%{name}") for name in scalars}
    limit = a.put(f"insertelement {a.integers} poison, i64 %max_steps, i64 0")
    limit = a.put(f"shufflevector {a.integers} {limit}, {a.integers} poison, <{a.width} x i32> zeroinitializer")
    a.do("br label %head")
    a.lines.append("head:")
    a.do("%group = phi i64 [ 0, %entry ], [ %next, %done ]")
    _addresses(a, layout)
    if layout.pace >= 0:
        longest = a.binary("fdiv", constants["max_steps_size"], a.load("%u", layout.pace))
        constants["max_steps_size"] = longest
    for name, kind in (("h", a.vector), ("reached", a.vector), ("status", a.integers), ("steps", a.integers)):
        a.do(f"%{name}_g = getelementptr {kind}, ptr %{name}_all, i64 %group")
    a.do(f"%rejected_g = getelementptr {a.integers}, ptr %rejected_all, i64 %group")
    begun = a.put(f"load {a.integers}, ptr %status_g, align 8")
    active = a.put(f"icmp eq {a.integers} {begun}, zeroinitializer", "m")
    a.do(f"store {a.mask} {active}, ptr %at_active")
    a.do(f"store {a.integers} {begun}, ptr %at_status")
    for name in ("steps", "rejected"):
        a.do(f"store {a.integers} zeroinitializer, ptr %at_{name}")
    a.do(f"br i1 {a.any(active)}, label %begin, label %done")
    a.lines.append("begin:")
    _begin(a, layout.states, constants)
    a.do("br label %step")
    a.lines.append("step:")
    going = _step(a, layout, constants, limit)
    a.do(f"br i1 {a.any(going)}, label %step, label %finish")
    a.lines.append("finish:")
    _finish(a, active)
    a.do("br label %done")
    a.lines.append("done:")
    a.do("%next = add i64 %group, 1")
    a.do("%more = icmp ult i64 %next, %groups")
    a.do("br i1 %more, label %head, label %end")
    a.lines += ["end:", "  ret void", "}"]
    return "\n".join([f"define void @{ADVANCE}({_ARGUMENTS}) #0 {{", "entry:", *a.lines])


def _begin(a: Assembly, count: int, constants: dict[str, str]) -> None:
    """Rates at the start and, where no step size was handed over, a first one (``plain.first_step``)."""
    a.do("call void @prepare(ptr %p, ptr %u, ptr %kept)")
    a.store(constants["t0s"], "%at_t")
    a.store(a.number(stepping.LOG_ERROR_AT_START), "%at_before")
    stepping.call_rates(a, constants["t0s"], "%x", "%k0")

    def body(i: str, sums: list[str]) -> list[str]:
        x = a.load("%x", i)
        allowed = a.fma(constants["rtols"], a.absolute(x), stepping.scalar(a, "%absolute", i))
        size = a.binary("fdiv", x, allowed)
        speed = a.binary("fdiv", a.load("%k0", i), allowed)
        return [a.fma(size, size, sums[0]), a.fma(speed, speed, sums[1])]

    zero = a.number(0.0)
    size, speed = (a.sqrt(a.binary("fmul", s, constants["inverse_count"])) for s in a.loop(count, [zero, zero], body))
    size = lesser(a, a.number(1.0), size, greater=True, steady=True)
    guess = a.binary("fdiv", a.binary("fmul", a.number(tableau.FIRST_STEP), size), speed)
    guess = a.select(a.compare("olt", zero, speed), guess, constants["max_steps_size"])
    guess = lesser(a, constants["max_steps_size"], guess, steady=True)
    fallback = a.binary("fmul", a.number(tableau.FIRST_STEP), constants["max_steps_size"])
    guess = a.select(a.compare("uno", guess, guess), fallback, guess)
    h = a.load("%h_g")
    a.store(a.select(a.compare("olt", zero, h), h, guess), "%at_h")


def _step(a: Assembly, layout: Layout, constants: dict[str, str], limit: str) -> str:
    """One tried step of every active lane; returns the mask of those that go on."""
    active = a.put(f"load {a.mask}, ptr %at_active", "m")
    t, step = a.load("%at_t"), a.load("%at_h")
    size, h, last = stepping.propose(a, t, step, constants["t1s"], active, constants["max_steps_size"])
    error = stepping.attempt(a, layout, t, h, constants)
    accepted = a.masks("and", active, a.compare("ole", error, a.number(1.0)))
    refused = a.masks("xor", active, accepted)
    stepping.keep(a, layout, accepted)
    after = a.select(last, constants["t1s"], a.binary("fadd", t, h))
    now = a.select(accepted, after, t)
    a.store(now, "%at_t")
    stepping.control(a, layout.method, size, h, error, accepted, refused)
    return account(a, layout, active, accepted, refused, now, error, constants, limit)


def account(
    a: Assembly,
    layout: Layout,
    active: str,
    accepted: str,
    refused: str,
    now: str,
    error: str,
    constants: dict[str, str],
    limit: str,
) -> str:
    """Count the step, find the lanes that fail, and return those that go on."""
    tried: list[str] = []
    for name, mask in (("steps", accepted), ("rejected", refused)):
        one = a.put(f"zext {a.mask} {mask} to {a.integers}")
        total = a.bits("add", a.put(f"load {a.integers}, ptr %at_{name}"), one)
        a.do(f"store {a.integers} {total}, ptr %at_{name}")
        tried.append(total)
    small = a.masks("and", refused, a.compare("olt", a.load("%at_h"), constants["leasts"]))
    bounded = a.compare("olt", error, a.number(float("inf")))
    why = a.select(bounded, a.integer(tableau.STEP_TOO_SMALL), a.integer(tableau.NOT_FINITE), a.integers)
    if layout.method.implicit:
        solved = a.put(f"load {a.mask}, ptr {stepping.SOLVED}", "m")
        why = a.select(solved, why, a.integer(tableau.NOT_SOLVED), a.integers)
    going = a.masks("and", a.masks("and", active, a.inverse(small)), a.compare("olt", now, constants["t1s"]))
    spent = a.put(f"icmp uge {a.integers} {a.bits('add', *tried)}, {limit}", "m")
    spent = a.masks("and", spent, going)
    status = a.put(f"load {a.integers}, ptr %at_status")
    status = a.select(small, why, status, a.integers)
    status = a.select(spent, a.integer(tableau.TOO_MANY_STEPS), status, a.integers)
    a.do(f"store {a.integers} {status}, ptr %at_status")
    going = a.masks("and", going, a.inverse(spent))
    a.do(f"store {a.mask} {going}, ptr %at_active")
    return going


def _finish(a: Assembly, active: str) -> None:
    """Hand over where each lane that was active stands."""
    for name, source in (("h", "h"), ("reached", "t")):
        a.store(a.select(active, a.load(f"%at_{source}"), a.load(f"%{name}_g")), f"%{name}_g")
    for name in ("steps", "rejected"):
        more = a.put(f"load {a.integers}, ptr %at_{name}")
        total = a.bits("add", a.put(f"load {a.integers}, ptr %{name}_g, align 8"), more)
        a.do(f"store {a.integers} {total}, ptr %{name}_g, align 8")
    status = a.put(f"load {a.integers}, ptr %at_status")
    a.do(f"store {a.integers} {status}, ptr %status_g, align 8")
