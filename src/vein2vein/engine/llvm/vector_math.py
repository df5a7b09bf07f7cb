"""LLVM assembly for vectors of doubles: arithmetic, exponential and logarithm without branches.

Every instruction is exactly rounded and every fused multiply-add is written out, so a lane's result depends neither on
the other lanes nor on how many there are.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

# (e^r - 1 - r) / r^2 on |r| <= ln(2)/2: minimax with the first two as in Taylor's series, each rounded before the next
# was fitted; error times r^2 e^-r below 6.2e-18. ln 2 in two parts, the first with trailing zeros.
_EXP_SERIES = (
    0.5,
    0.16666666666666666,
    0.04166666666661236,
    0.00833333333339202,
    0.0013888888923762148,
    0.00019841269643399052,
    2.480151216473124e-05,
    2.755751775812091e-06,
    2.7623902703174257e-07,
    2.500920018284935e-08,
)
_LOG2_E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_EXP_LOW, _EXP_HIGH = -708.3, 709.9
# log(1+f) = f - f^2/2 + s (f^2/2 + R(s^2)), s = f/(2+f): the polynomial of Sun's fdlibm.
_LOG_SERIES = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)
LEAST_NORMAL = 2.2250738585072014e-308
_SQRT_HALF_BITS = 0x3FE6A09E00000000
_ONE_BITS = 0x3FF0000000000000
_MANTISSA = 0x000FFFFFFFFFFFFF
_ROUNDER = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer, which then stands in the low bits
_MANTISSA_BITS = 52
_BIAS = 1023


class Assembly:
    """Collects the instructions of one function over vectors of ``width`` doubles."""

    def __init__(self, width: int, fused: bool = True) -> None:
        self.width = width
        self.fused = fused
        self.vector = f"<{width} x double>"
        self.integers = f"<{width} x i64>"
        self.mask = f"<{width} x i1>"
        self.lines: list[str] = []
        self._count = 0

    def name(self, stem: str = "v") -> str:
        """Return a new local name."""
        self._count += 1
        return f"%{stem}{self._count}"

    def put(self, text: str, stem: str = "v") -> str:
        """Append an instruction with a result; return its name."""
        name = self.name(stem)
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Append an instruction without a result."""
        self.lines.append(f"  {text}")

    def number(self, value: float) -> str:
        """Operand: the same double in all lanes."""
        return f"splat (double {double(value)})"

    def integer(self, value: int) -> str:
        """Operand: the same 64-bit integer in all lanes."""
        return f"splat (i64 {value})"

    def binary(self, op: str, a: str, b: str) -> str:
        """Floating-point operation of two vectors: fadd, fsub, fmul, fdiv."""
        return self.put(f"{op} {self.vector} {a}, {b}")

    def bits(self, op: str, a: str, b: str) -> str:
        """Integer operation of two vectors."""
        return self.put(f"{op} {self.integers} {a}, {b}")

    def negative(self, a: str) -> str:
        """Minus a."""
        return self.put(f"fneg {self.vector} {a}")

    def fma(self, a: str, b: str, c: str) -> str:
        """a * b + c, with one rounding where the processor has it."""
        if not self.fused:
            return self.binary("fadd", self.binary("fmul", a, b), c)
        v = self.vector
        return self.put(f"call {v} @llvm.fma.v{self.width}f64({v} {a}, {v} {b}, {v} {c})")

    def sqrt(self, a: str) -> str:
        """Square root."""
        return self.put(f"call {self.vector} @llvm.sqrt.v{self.width}f64({self.vector} {a})")

    def absolute(self, a: str) -> str:
        """Absolute value."""
        return self.put(f"call {self.vector} @llvm.fabs.v{self.width}f64({self.vector} {a})")

    def compare(self, how: str, a: str, b: str) -> str:
        """Mask of a comparison: olt, ole, une, uno."""
        return self.put(f"fcmp {how} {self.vector} {a}, {b}", "m")

    def select(self, mask: str, a: str, b: str, kind: str | None = None) -> str:
        """``a`` where the mask is set, else ``b``."""
        kind = kind or self.vector
        return self.put(f"select {self.mask} {mask}, {kind} {a}, {kind} {b}")

    def masks(self, op: str, a: str, b: str) -> str:
        """and / or / xor of masks."""
        return self.put(f"{op} {self.mask} {a}, {b}", "m")

    def inverse(self, mask: str) -> str:
        """The other lanes."""
        return self.masks("xor", mask, "splat (i1 true)")

    def any(self, mask: str) -> str:
        """One bit: is any lane set?"""
        return self.put(f"call i1 @llvm.vector.reduce.or.v{self.width}i1({self.mask} {mask})", "c")

    def cast(self, a: str, source: str, to: str) -> str:
        """Reinterpret bits."""
        return self.put(f"bitcast {source} {a} to {to}")

    def spread(self, a: str) -> str:
        """A scalar double into all lanes."""
        one = self.put(f"insertelement {self.vector} poison, double {a}, i64 0")
        pattern = f"<{self.width} x i32> zeroinitializer"
        return self.put(f"shufflevector {self.vector} {one}, {self.vector} poison, {pattern}")

    def load(self, pointer: str, index: int | str = 0) -> str:
        """Vector at an index of an array of vectors."""
        return self.put(f"load {self.vector}, ptr {self.at(pointer, index)}, align 8")

    def store(self, value: str, pointer: str, index: int | str = 0) -> None:
        """Write a vector at an index of an array of vectors."""
        self.do(f"store {self.vector} {value}, ptr {self.at(pointer, index)}, align 8")

    def at(self, pointer: str, index: int | str, kind: str | None = None) -> str:
        """Address of an element."""
        if index == 0:
            return pointer
        return self.put(f"getelementptr {kind or self.vector}, ptr {pointer}, i64 {index}", "a")

    def label(self, stem: str) -> str:
        """Start a block that the one before falls into; return its name."""
        name = self.name(stem)
        self.do(f"br label {name}")
        self.lines.append(f"{name[1:]}:")
        return name

    def loop(self, count: int | str, start: Sequence[str], body: Callable[[str, list[str]], list[str]]) -> list[str]:
        """Repeat a straight-line body for an index from 0; it takes and returns vectors that are carried along."""
        before = self.label("before")
        head, after = self.name("loop"), self.name("after")
        self.do(f"br label {head}")
        self.lines.append(f"{head[1:]}:")
        at = len(self.lines)
        index, following = self.name("i"), self.name("i")
        carried = [self.name("carry") for _ in start]
        results = body(index, carried)
        heads = [f"  {index} = phi i64 [ 0, {before} ], [ {following}, {head} ]"]
        heads += [
            f"  {c} = phi {self.vector} [ {s}, {before} ], [ {r}, {head} ]" for c, s, r in zip(carried, start, results)
        ]
        self.lines[at:at] = heads
        self.do(f"{following} = add nuw nsw i64 {index}, 1")
        more = self.put(f"icmp ult i64 {following}, {count}", "c")
        self.do(f"br i1 {more}, label {head}, label {after}")
        self.lines.append(f"{after[1:]}:")
        return results


def double(value: float) -> str:
    """Return a double as LLVM reads it exactly."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def lesser(a: Assembly, x: str, y: str, greater: bool = False, steady: bool = False) -> str:
    """The smaller (or greater) of two vectors; not-a-number wins, as in numpy.

    With ``steady`` the first operand is known to be a number, which saves two instructions.
    """
    v, w = (y, x) if greater else (x, y)
    first = a.compare("olt", v, w)
    least = a.select(first, x, y)
    return least if steady else a.select(a.compare("uno", x, x), x, least)


def exponential(a: Assembly, x: str) -> str:
    """e to the x, within 1 unit in the last place; 0 below -708.05, infinity above 709.78.

    What a rate waits for is the length of its chains, so the series is summed in parts that do not wait for each other.
    The ends need no choice: at the lowest operand the power of two has no bits, at the highest the product overflows.
    """
    low, high = a.number(_EXP_LOW), a.number(_EXP_HIGH)
    inside = a.select(a.compare("olt", x, low), low, x)
    inside = a.select(a.compare("olt", high, inside), high, inside)
    shifted = a.fma(inside, a.number(_LOG2_E), a.number(_ROUNDER))
    whole = a.binary("fsub", shifted, a.number(_ROUNDER))
    r = a.fma(whole, a.number(-_LN2_HIGH), inside)
    r = a.fma(whole, a.number(-_LN2_LOW), r)
    r2 = a.binary("fmul", r, r)
    r4 = a.binary("fmul", r2, r2)
    # Twice the series, with half the power of two: 2^1024 is no double.
    c = [a.number(2 * value) for value in _EXP_SERIES]
    p01, p23, p45, p67, p89 = (a.fma(c[i + 1], r, c[i]) for i in range(0, len(c), 2))
    tail = a.fma(a.fma(p89, r4, a.fma(p67, r2, p45)), r4, a.fma(p23, r2, p01))
    series = a.binary("fadd", a.fma(tail, r2, a.binary("fadd", r, r)), a.number(2.0))
    exponent = a.bits("add", a.cast(shifted, a.vector, a.integers), a.integer(_BIAS - 1))
    scale = a.cast(a.bits("shl", exponent, a.integer(_MANTISSA_BITS)), a.integers, a.vector)
    return a.binary("fmul", series, scale)


def logarithm(a: Assembly, x: str, ordinary: bool = False) -> str:
    """Natural logarithm, within 1 unit in the last place; -infinity at 0, not a number below.

    With ``ordinary`` the operand is known not to be below the least normal number, which saves nine instructions.
    """
    lifted, shift = x, None
    if not ordinary:
        tiny = a.compare("olt", x, a.number(LEAST_NORMAL))
        lifted = a.select(tiny, a.binary("fmul", x, a.number(2.0**54)), x)
        shift = a.select(tiny, a.number(-54.0), a.number(0.0))
    raised = a.bits("add", a.cast(lifted, a.vector, a.integers), a.integer(_ONE_BITS - _SQRT_HALF_BITS))
    biased = a.bits("lshr", raised, a.integer(_MANTISSA_BITS))
    # The integer k in the low bits of 1.5 * 2^52 + k turns into a double by subtracting the rounder.
    rounder_bits = struct.unpack("<q", struct.pack("<d", _ROUNDER))[0]
    as_double = a.cast(a.bits("add", biased, a.integer(rounder_bits - _BIAS)), a.integers, a.vector)
    k = a.binary("fsub", as_double, a.number(_ROUNDER))
    k = k if shift is None else a.binary("fadd", k, shift)
    mantissa = a.bits("add", a.bits("and", raised, a.integer(_MANTISSA)), a.integer(_SQRT_HALF_BITS))
    f = a.binary("fsub", a.cast(mantissa, a.integers, a.vector), a.number(1.0))
    s = a.binary("fdiv", f, a.binary("fadd", f, a.number(2.0)))
    z = a.binary("fmul", s, s)
    z2 = a.binary("fmul", z, z)
    c = [a.number(value) for value in _LOG_SERIES]
    p01, p23, p45 = (a.fma(c[i + 1], z, c[i]) for i in range(0, 6, 2))
    series = a.fma(a.fma(c[6], z2, p45), a.binary("fmul", z2, z2), a.fma(p23, z2, p01))
    half = a.binary("fmul", a.binary("fmul", f, f), a.number(1 / 2))
    low = a.fma(s, a.fma(z, series, half), a.binary("fmul", k, a.number(_LN2_LOW)))
    body = a.binary("fsub", a.binary("fsub", half, low), f)
    result = a.binary("fsub", a.binary("fmul", k, a.number(_LN2_HIGH)), body)
    finite = a.compare("olt", x, a.number(float("inf")))
    if ordinary:
        return a.select(finite, result, x)
    ends = a.select(a.compare("oeq", x, a.number(0.0)), a.number(float("-inf")), a.number(float("nan")))
    return a.select(a.compare("olt", a.number(0.0), x), a.select(finite, result, x), ends)
