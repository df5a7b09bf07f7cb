"""Stand-ins for numbers in a model's equations: each answers arithmetic and mathematics by writing a node of a graph.

What cannot be recorded (a branch, a function that is not known) is refused with the model's name, file and line.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from vein2vein.engine.trace.graph import Graph
from vein2vein.errors import InputError, nearest
from vein2vein.models import author, mathematics


def _over(x: Any, y: Any) -> Any:
    return x / y


def _squared(x: Any) -> Any:
    return x * x


def _and(x: Any, y: Any) -> Any:
    return x & y


def _or(x: Any, y: Any) -> Any:
    return x | y


def _not(x: Any) -> Any:
    return ~x


_UFUNCS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": _over,
    "true_divide": _over, "negative": operator.neg, "power": mathematics.raised, "absolute": operator.abs,
    "fabs": operator.abs, "square": _squared, "exp": mathematics.exp, "log": mathematics.log,
    "sqrt": mathematics.sqrt, "sin": mathematics.sin, "cos": mathematics.cos, "tan": mathematics.tan,
    "arctan": mathematics.atan, "tanh": mathematics.tanh, "floor": mathematics.floor, "ceil": mathematics.ceil,
    "minimum": mathematics.minimum, "maximum": mathematics.maximum, "less": operator.lt, "less_equal": operator.le,
    "greater": operator.gt, "greater_equal": operator.ge, "logical_and": _and, "logical_or": _or,
    "bitwise_and": _and, "bitwise_or": _or, "logical_not": _not, "invert": _not,
}  # fmt: skip
"""What is recorded for a function of numpy; its arguments are an expression and numbers in any order."""
_CHAINED_POWERS = 8
"""Whole powers that are multiplied out one by one; higher ones by squaring."""
_KNOWN = (
    "+ - * / **, exp, log, sqrt, sin, cos, tan, tanh, floor, minimum, where, hill and the like of models/mathematics.py"
)


class Unrecordable(InputError):
    """Equations that Python can compute but that cannot be recorded; the readable solver may still take them."""


class Expression:
    """A stand-in for a number in a model's equations."""

    __slots__ = ("_name", "graph", "node")

    def __init__(self, graph: Graph, node: int, name: str) -> None:
        self.graph = graph
        self.node = node
        self._name = name

    def _apply(self, op: str, *operands: Any) -> Expression:
        node = self.graph.apply(op, *(self.node_of(o) for o in operands))
        if op == "div":
            self.graph.lines.setdefault(node, author.place())
        return Expression(self.graph, node, self._name)

    def node_of(self, value: Any) -> int:
        """Node of an operand: another expression, or a number."""
        if isinstance(value, Expression):
            return value.node
        try:
            if isinstance(value, (str, bytes)) or getattr(value, "ndim", 0):
                raise TypeError
            return self.graph.const(float(value))
        except (TypeError, ValueError, OverflowError):
            self._refuse(f"{' '.join(repr(value).split())} of type {type(value).__name__} is not a number")

    def _refuse(self, what: str, kind: type[InputError] = Unrecordable) -> NoReturn:
        raise author.fault(f"model {self._name}: {what}", author.place(), kind)

    def __add__(self, other: Any) -> Expression:
        return self._apply("add", self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Expression:
        return self._apply("sub", self, other)

    def __rsub__(self, other: Any) -> Expression:
        return self._apply("sub", other, self)

    def __mul__(self, other: Any) -> Expression:
        return self._apply("mul", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Expression:
        if self.graph.value(self.node_of(other)) == 0:
            self._refuse("a division by 0, whatever the patient; keep the divisor above 0", InputError)
        return self._apply("div", self, other)

    def __rtruediv__(self, other: Any) -> Expression:
        return self._apply("div", other, self)

    def __neg__(self) -> Expression:
        return self._apply("neg", self)

    def __pos__(self) -> Expression:
        return self

    def __abs__(self) -> Expression:
        return self._apply("max", self, self._apply("neg", self))

    def __pow__(self, n: Any) -> Expression:
        return self.raised(n)

    def __rpow__(self, base: Any) -> Expression:
        return self.power_of(base)

    def raised(self, n: Any) -> Expression:
        """Record this to the n."""
        exponent, base = self.graph.value(self.node_of(n)), self.graph.value(self.node)
        if exponent is None and base is not None and base > 0:
            return (self.log() * n).exp()
        if exponent is None:
            return self._apply("pow", self, n)
        if not math.isfinite(exponent):
            self._refuse(f"the exponent {exponent} is no finite number")
        if exponent == 1 / 2:
            return self.sqrt()
        if not exponent.is_integer():
            return self._apply("pow", self, n)
        power = self._whole_power(abs(int(exponent)))
        return power if exponent >= 0 else 1.0 / power

    def _whole_power(self, n: int) -> Expression:
        power = self._apply("add", 1.0, 0.0)
        if n <= _CHAINED_POWERS:
            for _ in range(n):
                power = power * self
            return power
        for bit in f"{n:b}":
            power = power * power * self if bit == "1" else power * power
        return power

    def power_of(self, base: Any) -> Expression:
        """Record a number to the power of this."""
        return Expression(self.graph, self.node_of(base), self._name).raised(self)

    def __lt__(self, other: Any) -> Expression:
        return self.less(other)

    def __gt__(self, other: Any) -> Expression:
        return self.greater(other)

    def __le__(self, other: Any) -> Expression:
        return 1.0 - self.greater(other)

    def __ge__(self, other: Any) -> Expression:
        return 1.0 - self.less(other)

    def __and__(self, other: Any) -> Expression:
        self.graph.logic = True
        return self.minimum(other)

    __rand__ = __and__

    def __or__(self, other: Any) -> Expression:
        self.graph.logic = True
        return self.maximum(other)

    __ror__ = __or__

    def __invert__(self) -> Expression:
        self.graph.logic = True
        return 1.0 - self

    def __call__(self, *times: Any) -> NoReturn:
        """Refuse a value of another time, ``x.A(t - 2)``."""
        self._refuse(f"a value was called like a function; {mathematics.NO_DELAY}", InputError)

    def __mod__(self, other: Any) -> NoReturn:
        self._refuse("% cannot be recorded; write a - b * floor(a / b) for a % b")

    __rmod__ = __mod__

    def __floordiv__(self, other: Any) -> NoReturn:
        self._refuse("// cannot be recorded; write floor(a / b) for a // b")

    __rfloordiv__ = __floordiv__

    def __getitem__(self, index: Any) -> NoReturn:
        self._refuse("a single value was indexed like an array")

    def exp(self) -> Expression:
        """Record e to this."""
        return self._apply("exp", self)

    def log(self) -> Expression:
        """Record the natural logarithm."""
        return self._apply("log", self)

    def sqrt(self) -> Expression:
        """Record the square root."""
        return self._apply("sqrt", self)

    def sin(self) -> Expression:
        """Record the sine."""
        return self._apply("sin", self)

    def cos(self) -> Expression:
        """Record the cosine."""
        return self._apply("cos", self)

    def atan(self) -> Expression:
        """Record the arc tangent."""
        return self._apply("atan", self)

    def tanh(self) -> Expression:
        """Record the hyperbolic tangent."""
        return self._apply("tanh", self)

    def floor(self) -> Expression:
        """Record the largest whole number that is not above this."""
        return self._apply("floor", self)

    def ceil(self) -> Expression:
        """Record the smallest whole number that is not below this."""
        return self._apply("ceil", self)

    def delay(self, time: Any) -> NoReturn:
        """Refuse the value as it was some time ago."""
        self._refuse(mathematics.NO_DELAY, InputError)

    def minimum(self, other: Any) -> Expression:
        """Record the smaller of the two."""
        return self._apply("min", self, other)

    def maximum(self, other: Any) -> Expression:
        """Record the larger of the two."""
        return self._apply("max", self, other)

    def less(self, other: Any) -> Expression:
        """Record 1 where this is less, else 0."""
        return self._apply("less", self, other)

    def greater(self, other: Any) -> Expression:
        """Record 1 where this is greater, else 0."""
        return self._apply("less", other, self)

    def choose(self, condition: Any, x: Any, y: Any) -> Expression:
        """Record ``x`` where the condition is not 0, else ``y``; this may be any of the three."""
        return self._apply("choose", condition, x, y)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Expression:
        function = _UFUNCS.get(ufunc.__name__)
        if function is None or method != "__call__" or options:
            self._refuse(f"numpy.{ufunc.__name__} cannot be recorded; use {_KNOWN}")
        return function(
            *(v if isinstance(v, Expression) else Expression(self.graph, self.node_of(v), self._name) for v in inputs)
        )

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Expression:
        if function is np.where and len(inputs) == len(("condition", "x", "y")) and not options:
            return self.choose(*inputs)
        if function is np.clip and len(inputs) == len(("x", "low", "high")) and not options:
            x, low, high = (Expression(self.graph, self.node_of(v), self._name) for v in inputs)
            return x.maximum(low).minimum(high)
        self._refuse(f"numpy.{function.__name__} cannot be recorded; use {_KNOWN}")

    def _branch(self) -> NoReturn:
        self._refuse(
            "a branch on a value that is not known yet; use where(condition, x, y) for if, a & b for a and b, "
            "a | b for a or b, ~a for not a, and (1 < x) & (x < 10) for 1 < x < 10"
        )

    def _number(self) -> NoReturn:
        self._refuse(f"a function that cannot be recorded was asked for a plain number; use {_KNOWN}")

    def __eq__(self, other: object) -> Any:
        self._refuse("== and != cannot be recorded; write abs(x - y) < d, or p.flag > 0.5 for what is 0 or 1")

    def __hash__(self) -> int:
        return self.node

    def __bool__(self) -> bool:
        self._branch()

    def __float__(self) -> float:
        self._number()

    def __int__(self) -> int:
        self._number()

    def __index__(self) -> int:
        self._number()

    def __iter__(self) -> Any:
        self._refuse("a single value was used as a sequence")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in ("shape", "dtype", "ndim"):
            raise AttributeError(name)
        self._refuse(f"the function '{name}' is not known; use {_KNOWN}")


class Names:
    """States, parameters or levels by name; an unknown name is refused with the nearest known ones."""

    def __init__(self, model: str, what: str, values: dict[str, Expression]) -> None:
        self.__dict__.update(values)
        self.__dict__["_place"] = (model, what, tuple(values))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        model, what, known = self.__dict__["_place"]
        close = nearest(name, known)
        hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known) or 'none'}"
        raise author.fault(f"model {model}: there is no {what} '{name}'; {hint}", author.place())

    def __setattr__(self, name: str, value: object) -> NoReturn:
        model, what, _ = self.__dict__["_place"]
        text = f"model {model}: the {what} '{name}' was set; return what becomes of states, change nothing in place"
        raise author.fault(text, author.place())
