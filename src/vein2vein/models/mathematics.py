"""The functions that a model's equations may use: they take floats, arrays and traced expressions alike.

An equation has no data-dependent Python branch; it says ``where``, ``minimum``, ``maximum``, ``positive_part`` or
``hill``. Traced expressions carry methods of the same names (see
``engine/trace/recording.py``), so no model imports the engine.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

TINY = 1e-300


def exp(x: Any) -> Any:
    """e to the x."""
    return x.exp() if hasattr(x, "exp") else np.exp(x)


def log(x: Any) -> Any:
    """Natural logarithm; x must be positive."""
    return x.log() if hasattr(x, "log") else np.log(x)


def sqrt(x: Any) -> Any:
    """Square root; x must not be negative."""
    return x.sqrt() if hasattr(x, "sqrt") else np.sqrt(x)


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


def power(x: Any, n: Any) -> Any:
    """x to the n for x >= 0 (0 to a positive power is 0); n may be a parameter."""
    return exp(n * log(maximum(x, TINY)))


def hill(x: Any, half: Any, n: Any) -> Any:
    """x^n / (half^n + x^n) for x >= 0 and half > 0; n may be a parameter."""
    share = power(x / half, n)
    return share / (1 + share)
