"""LLVM assembly for vectors of doubles: sine and cosine, arc tangent, hyperbolic tangent, floor, and powers.

As in ``vector_math.py``: no branches, every instruction exactly rounded, so a lane depends on nothing but itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from vein2vein.engine.llvm.vector_math import Assembly, exponential, logarithm

# Half of pi in three doubles; each product with a whole number is taken exactly, in two parts (Cody and Waite).
_HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
_TWO_OVER_PI = 0.6366197723675814
_ROUNDER = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer, which then stands in the low bits
_FARTHEST = 2.0**50
"""Beyond it neighboring numbers are so far apart that an angle means nothing: sine and cosine are not numbers."""
_SPLITTER = 134217729.0  # 2^27 + 1: cuts a double into two halves whose products are exact

# On |r| <= pi/4: sin r = r + r^3 S(r^2), cos r = 1 - r^2/2 + r^4 C(r^2); the polynomials of Sun's fdlibm.
_SIN = (
    -1.66666666666666324348e-01,
    8.33333333332248946124e-03,
    -1.98412698298579493134e-04,
    2.75573137070700676789e-06,
    -2.50507602534068634195e-08,
    1.58969099521155010221e-10,
)
_COS = (
    4.16666666666666019037e-02,
    -1.38888888888741095749e-03,
    2.48015872894767294178e-05,
    -2.75573143513906633035e-07,
    2.08757232129817482790e-09,
    -1.13596475577881948265e-11,
)
# Of Moshier's Cephes: (f(x) - x) / x^3 as a ratio of polynomials in x^2, arc tangent on |x| <= 0.66 and hyperbolic
# tangent on |x| < 0.625; the lowest power first.
_ATAN = (
    -6.485021904942025371773e1,
    -1.228866684490136173410e2,
    -7.500855792314704667340e1,
    -1.615753718733365076637e1,
    -8.750608600031904122785e-1,
)
_ATAN_BELOW = (
    1.945506571482613964425e2,
    4.853903996359136964868e2,
    4.328810604912902668951e2,
    1.650270098316988542046e2,
    2.485846490142306297962e1,
    1.0,
)
_TANH = (-1.61468768441708447952e3, -9.92877231001918586564e1, -9.64399179425052238628e-1)
_TANH_BELOW = (4.84406305325125486048e3, 2.23548839060100448583e3, 1.12811678491632931402e2, 1.0)
_TAN_3_PI_8 = 2.41421356237309504880
_MIDDLE, _CURVED = 0.66, 0.625


def floor(a: Assembly, x: str, up: bool = False) -> str:
    """The largest whole number that is not above x; with ``up`` the smallest that is not below."""
    return a.put(f"call {a.vector} @llvm.{'ceil' if up else 'floor'}.v{a.width}f64({a.vector} {x})")


def sine(a: Assembly, x: str, quarters: int = 0) -> str:
    """Sine of x plus ``quarters`` of pi/2 (1: the cosine), within 1 unit in the last place up to |x| = 2^50.

    Not a number beyond.
    """
    far = a.compare("olt", a.number(_FARTHEST), a.absolute(x))
    inside = a.select(far, a.number(0.0), x)
    shifted = a.fma(inside, a.number(_TWO_OVER_PI), a.number(_ROUNDER))
    turns = a.binary("fsub", shifted, a.number(_ROUNDER))
    high, low = _reduced(a, inside, turns)
    quadrant = a.bits("add", a.cast(shifted, a.vector, a.integers), a.integer(quarters))
    odd = a.put(f"trunc {a.integers} {quadrant} to {a.mask}", "m")
    value = a.select(odd, _cosine(a, high, low), _sine(a, high, low))
    back = a.put(f"trunc {a.integers} {a.bits('lshr', quadrant, a.integer(1))} to {a.mask}", "m")
    value = a.select(back, a.negative(value), value)
    if not quarters:
        value = a.select(a.compare("une", x, a.number(0.0)), value, x)
    return a.select(far, a.number(float("nan")), value)


def _reduced(a: Assembly, x: str, turns: str) -> tuple[str, str]:
    """x less ``turns`` times pi/2, in two parts of which the second is below the rounding of the first."""
    first, first_low = _product(a, turns, a.number(_HALF_PI[0]))
    second, second_low = _product(a, turns, a.number(_HALF_PI[1]))
    rest, low = _difference(a, a.binary("fsub", x, first), first_low)
    rest, lower = _difference(a, rest, second)
    low = a.binary("fsub", a.binary("fadd", low, lower), second_low)
    low = a.binary("fsub", low, a.binary("fmul", turns, a.number(_HALF_PI[2])))
    high = a.binary("fadd", rest, low)
    return high, a.binary("fsub", low, a.binary("fsub", high, rest))


def _product(a: Assembly, x: str, y: str) -> tuple[str, str]:
    """x * y as its rounded value and what rounding took, exactly."""
    whole = a.binary("fmul", x, y)
    if a.fused:
        return whole, a.fma(x, y, a.negative(whole))
    (x_high, x_low), (y_high, y_low) = (_halves(a, value) for value in (x, y))
    lost = a.binary("fsub", whole, a.binary("fmul", x_high, y_high))
    lost = a.binary("fsub", lost, a.binary("fmul", x_low, y_high))
    lost = a.binary("fsub", lost, a.binary("fmul", x_high, y_low))
    return whole, a.binary("fsub", a.binary("fmul", x_low, y_low), lost)


def _halves(a: Assembly, x: str) -> tuple[str, str]:
    wide = a.binary("fmul", x, a.number(_SPLITTER))
    high = a.binary("fsub", wide, a.binary("fsub", wide, x))
    return high, a.binary("fsub", x, high)


def _difference(a: Assembly, x: str, y: str) -> tuple[str, str]:
    """x - y as its rounded value and what rounding took, exactly, whichever is larger."""
    whole = a.binary("fsub", x, y)
    part = a.binary("fsub", whole, x)
    left = a.binary("fsub", x, a.binary("fsub", whole, part))
    return whole, a.binary("fsub", left, a.binary("fadd", y, part))


def _sine(a: Assembly, high: str, low: str) -> str:
    square = a.binary("fmul", high, high)
    cube = a.binary("fmul", square, high)
    rest = a.binary("fmul", cube, _series(a, square, _SIN[1:]))
    bent = a.binary("fsub", a.binary("fmul", a.number(1 / 2), low), rest)
    tail = a.binary("fsub", a.binary("fmul", square, bent), low)
    tail = a.binary("fsub", tail, a.binary("fmul", cube, a.number(_SIN[0])))
    return a.binary("fsub", high, tail)


def _cosine(a: Assembly, high: str, low: str) -> str:
    square = a.binary("fmul", high, high)
    half = a.binary("fmul", square, a.number(1 / 2))
    most = a.binary("fsub", a.number(1.0), half)
    lost = a.binary("fsub", a.binary("fsub", a.number(1.0), most), half)
    rest = a.binary("fmul", a.binary("fmul", square, square), _series(a, square, _COS))
    return a.binary("fadd", most, a.binary("fadd", lost, a.binary("fsub", rest, a.binary("fmul", high, low))))


def arc_tangent(a: Assembly, x: str) -> str:
    """Arc tangent, within 1 unit in the last place."""
    size, one = a.absolute(x), a.number(1.0)
    steep = a.compare("olt", a.number(_TAN_3_PI_8), size)
    middle = a.compare("olt", a.number(_MIDDLE), size)
    above = a.select(middle, a.binary("fsub", size, one), size)
    below = a.select(middle, a.binary("fadd", size, one), one)
    above, below = a.select(steep, a.number(-1.0), above), a.select(steep, size, below)
    rest = a.binary("fdiv", above, below)
    base, low = a.select(middle, a.number(_HALF_PI[0] / 2), a.number(0.0)), a.number(0.0)
    base = a.select(steep, a.number(_HALF_PI[0]), base)
    low = a.select(middle, a.number(_HALF_PI[1] / 2), low)
    low = a.select(steep, a.number(_HALF_PI[1]), low)
    curved = a.binary("fadd", _odd(a, rest, _ATAN, _ATAN_BELOW), low)
    return _signed(a, a.binary("fadd", base, curved), x)


def hyperbolic_tangent(a: Assembly, x: str) -> str:
    """Hyperbolic tangent, within 2 units in the last place."""
    size = a.absolute(x)
    near = a.compare("olt", size, a.number(_CURVED))
    raised = exponential(a, a.binary("fmul", size, a.number(2.0)))
    straight = a.binary("fdiv", a.number(2.0), a.binary("fadd", raised, a.number(1.0)))
    value = a.select(near, _odd(a, size, _TANH, _TANH_BELOW), a.binary("fsub", a.number(1.0), straight))
    return _signed(a, value, x)


def power(a: Assembly, x: str, n: str) -> str:
    """x to the n as numpy has it: of a negative x for a whole n only; 1 for n = 0, 0 for x = 0 and n > 0.

    The relative error is up to 2^-53 times |n log x|, besides a unit in the last place; results below 1e-307 are 0.
    """
    size = exponential(a, a.binary("fmul", n, logarithm(a, a.absolute(x))))
    half = a.binary("fmul", n, a.number(1 / 2))
    odd = a.compare("une", floor(a, half), half)
    negative = a.select(odd, a.negative(size), size)
    negative = a.select(a.compare("oeq", floor(a, n), n), negative, a.number(float("nan")))
    value = a.select(a.compare("olt", x, a.number(0.0)), negative, size)
    return a.select(a.compare("oeq", n, a.number(0.0)), a.number(1.0), value)


def _odd(a: Assembly, x: str, above: Sequence[float], below: Sequence[float]) -> str:
    """x + x^3 P(x^2) / Q(x^2)."""
    square = a.binary("fmul", x, x)
    ratio = a.binary("fdiv", a.binary("fmul", square, _series(a, square, above)), _series(a, square, below))
    return a.fma(x, ratio, x)


def _signed(a: Assembly, size: str, like: str) -> str:
    """``size``, negative where ``like`` is; not a number stays so."""
    value = a.select(a.compare("olt", like, a.number(0.0)), a.negative(size), size)
    return a.select(a.compare("uno", like, like), like, value)


def _series(a: Assembly, z: str, coefficients: Sequence[float]) -> str:
    total = a.number(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = a.fma(total, z, a.number(c))
    return total
