"""The functions that a model's equations may use: they take floats, arrays and traced expressions alike.

An equation has no data-dependent Python branch; it says ``where``, ``minimum``, ``maximum``, ``positive_part`` or
``hill``. Traced expressions carry methods of the same names (see
``engine/trace/recording.py``), so no model imports the engine.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError

TINY = 1e-300
NO_DELAY = (
    "delays are not supported, since no solver here keeps a history; pass the state through a chain of transit states, "
    "n of them that pass on at the rate n / delay each"
)


def exp(x: Any) -> Any:
    """e to the x."""
    return x.exp() if hasattr(x, "exp") else np.exp(x)


def log(x: Any) -> Any:
    """Natural logarithm; x must be positive."""
    return x.log() if hasattr(x, "log") else np.log(x)


def sqrt(x: Any) -> Any:
    """Square root; x must not be negative."""
    return x.sqrt() if hasattr(x, "sqrt") else np.sqrt(x)


def sin(x: Any) -> Any:
    """Sine of an angle in radians."""
    return x.sin() if hasattr(x, "sin") else np.sin(x)


def cos(x: Any) -> Any:
    """Cosine of an angle in radians."""
    return x.cos() if hasattr(x, "cos") else np.cos(x)


def tan(x: Any) -> Any:
    """Tangent of an angle in radians."""
    return sin(x) / cos(x)


def atan(x: Any) -> Any:
    """Angle in radians, between -pi/2 and pi/2, whose tangent this is."""
    return x.atan() if hasattr(x, "atan") else np.arctan(x)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent: from -1 to 1."""
    return x.tanh() if hasattr(x, "tanh") else np.tanh(x)


def floor(x: Any) -> Any:
    """The largest whole number that is not above x; its derivative is 0."""
    return x.floor() if hasattr(x, "floor") else np.floor(x)


def ceil(x: Any) -> Any:
    """The smallest whole number that is not below x; its derivative is 0."""
    return x.ceil() if hasattr(x, "ceil") else np.ceil(x)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of the two, element by element."""
    if hasattr(x, "minimum"):
        return x.minimum(y)
    return y.minimum(x) if hasattr(y, "minimum") else np.minimum(x, y)


def maximum(x: Any, y: Any) -> Any:
    """The larger of the two, element by element."""
    if hasattr(x, "maximum"):
        return x.maximum(y)
    return y.maximum(x) if hasattr(y, "maximum") else np.maximum(x, y)


def less(x: Any, y: Any) -> Any:
    """1 where x < y, else 0."""
    if hasattr(x, "less"):
        return x.less(y)
    return y.greater(x) if hasattr(y, "greater") else np.where(np.less(x, y), 1.0, 0.0)


def where(condition: Any, x: Any, y: Any) -> Any:
    """``x`` where the condition is not 0, else ``y``; both are computed, so neither may fail."""
    for operand in (condition, x, y):
        if hasattr(operand, "choose") and not isinstance(operand, np.ndarray | np.generic):
            return operand.choose(condition, x, y)
    return cast("NDArray[np.float64]", np.where(np.asarray(condition) != 0, x, y))


def positive_part(x: Any) -> Any:
    """max(x, 0)."""
    return maximum(x, 0.0)


def raised(x: Any, n: Any) -> Any:
    """x to the n, as ``x**n`` writes it: of a negative x for a whole n only, else not a number."""
    if hasattr(x, "raised"):
        return x.raised(n)
    return n.power_of(x) if hasattr(n, "power_of") else np.power(np.asarray(x, dtype=float), n)[()]


def power(x: Any, n: Any) -> Any:
    """x to the n for x >= 0 (0 to a positive power is 0); n may be a parameter."""
    return exp(n * log(maximum(x, TINY)))


def delay(state: Any, time: Any) -> Any:
    """Refuse what the solvers cannot do: a state as it was some time ago."""
    if hasattr(state, "delay"):
        state.delay(time)
    raise InputError(NO_DELAY)


def hill(x: Any, half: Any, n: Any) -> Any:
    """x^n / (half^n + x^n) for x >= 0 and half > 0; n may be a parameter."""
    share = power(x / half, n)
    return share / (1 + share)
