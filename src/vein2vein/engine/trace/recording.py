"""Records a model's plain-Python equations as a graph of expressions.

The equations are called once with stand-ins for time, states, parameters and levels. Each stand-in answers arithmetic
and the functions of ``models/mathematics.py`` by writing a node. What cannot be recorded (a branch, a function that is
not known) is refused with the model's name and the line.
"""

from __future__ import annotations

import inspect
import os
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.engine.trace.graph import Graph, evaluate, needed
from vein2vein.errors import InputError, nearest
from vein2vein.models import mathematics
from vein2vein.models.model import Model, start

_OWN_FILES = {__file__, mathematics.__file__}
_UFUNCS = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "negative": "neg",
    "exp": "exp",
    "log": "log",
    "sqrt": "sqrt",
    "minimum": "min",
    "maximum": "max",
    "less": "less",
}
_INTEGER_POWERS = 8
_KNOWN = "exp, log, sqrt, minimum, maximum, less, where, positive_part, power and hill of models/mathematics.py"


@dataclass(frozen=True)
class Traced:
    """A model's equations as expressions.

    Attributes
    ----------
    model : Model
    graph : Graph
    derivatives : tuple of int
        Node of each state's derivative, in the order of the states.
    """

    model: Model
    graph: Graph
    derivatives: tuple[int, ...]


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
            self.graph.lines.setdefault(node, _place()[0])
        return Expression(self.graph, node, self._name)

    def node_of(self, value: Any) -> int:
        """Node of an operand: another expression, or a number."""
        if isinstance(value, Expression):
            return value.node
        try:
            return self.graph.const(float(value))
        except (TypeError, ValueError):
            self._refuse(f"{value!r} of type {type(value).__name__} is not a number")

    def _refuse(self, what: str) -> NoReturn:
        raise _error(self._name, what)

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
        exponent = self.graph.value(self.node_of(n))
        if exponent == 1 / 2:
            return self.sqrt()
        if exponent is not None and exponent == int(exponent) and abs(exponent) <= _INTEGER_POWERS:
            power: Any = 1.0
            for _ in range(abs(int(exponent))):
                power = power * self
            return power if exponent > 0 else 1.0 / power if exponent < 0 else self._apply("add", 1.0, 0.0)
        return (self.log() * n).exp()

    def __rpow__(self, base: Any) -> Expression:
        return (self * self._apply("log", base)).exp()

    def __lt__(self, other: Any) -> Expression:
        return self.less(other)

    def __gt__(self, other: Any) -> Expression:
        return self.greater(other)

    def __le__(self, other: Any) -> Expression:
        return 1.0 - self.greater(other)

    def __ge__(self, other: Any) -> Expression:
        return 1.0 - self.less(other)

    def exp(self) -> Expression:
        """Record e to this."""
        return self._apply("exp", self)

    def log(self) -> Expression:
        """Record the natural logarithm."""
        return self._apply("log", self)

    def sqrt(self) -> Expression:
        """Record the square root."""
        return self._apply("sqrt", self)

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
        op = _UFUNCS.get(ufunc.__name__)
        if ufunc.__name__ == "greater":
            op, inputs = "less", inputs[::-1]
        if ufunc.__name__ == "power" and not isinstance(inputs[0], Expression):
            return self.__rpow__(inputs[0])
        if op is None or method != "__call__" or options:
            self._refuse(f"numpy.{ufunc.__name__} cannot be recorded; use {_KNOWN}")
        return self._apply(op, *inputs)

    def _branch(self) -> NoReturn:
        self._refuse("a branch on a value that is not known yet; use where(condition, x, y)")

    def _number(self) -> NoReturn:
        self._refuse(f"a function that cannot be recorded was asked for a plain number; use {_KNOWN}")

    def __eq__(self, other: object) -> Any:
        self._branch()

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
        raise _error(model, f"there is no {what} '{name}'; {hint}", InputError)


def _place() -> tuple[str, int]:
    """Where the model's author is being called: file, line and function as text, and the line."""
    frame = inspect.currentframe()
    if frame is None:  # not every Python keeps frames
        return "equations", 0
    while frame.f_back is not None and (frame.f_code.co_filename in _OWN_FILES or _is_numpy(frame.f_code.co_filename)):
        frame = frame.f_back
    code = frame.f_code
    return f"{os.path.basename(code.co_filename)}, line {frame.f_lineno}, in {code.co_name}", frame.f_lineno


def _error(name: str, what: str, kind: type[InputError] = Unrecordable) -> InputError:
    where, line = _place()
    error = kind(f"model {name}: {what} ({where})")
    error.line = line
    return error


@lru_cache(maxsize=256)
def _is_numpy(file: str) -> bool:
    return "numpy" in Path(file).parts


def record(
    name: str,
    function: Callable[[Any, Any, Any, Any], Any],
    states: Sequence[str],
    parameters: Sequence[str],
    levels: Sequence[str] = (),
    what: str = "the equations",
) -> tuple[Graph, dict[str, int]]:
    """Record any function of (t, x, p, u) that returns a mapping of names to values; ``what`` it is, for errors.

    Returns
    -------
    graph : Graph
    outputs : dict of name to node
    """
    g = Graph()

    def names(kind: str, of: Sequence[str]) -> Names:
        return Names(name, kind, {n: Expression(g, g.leaf(kind, i), name) for i, n in enumerate(of)})

    t = Expression(g, g.leaf("time"), name)
    given = [names(kind, of) for kind, of in (("state", states), ("parameter", parameters), ("level", levels))]
    line = line_of(function)
    try:
        result = function(t, *given)
    except InputError:
        raise
    except Exception as error:  # the author's own code, whatever is wrong with it
        where, _ = _deepest(error)
        raise Unrecordable(f"model {name}: {type(error).__name__}: {error} ({where})") from error
    if not isinstance(result, Mapping):
        raise InputError(
            f"model {name}: what {what} give (line {line}) is {type(result).__name__}; "
            "return a mapping of name to value"
        )
    outputs: dict[str, int] = {}
    for key, value in cast("Mapping[str, object]", result).items():
        if not isinstance(value, Expression) and np.ndim(cast("ArrayLike", value)) > 0:
            raise InputError(f"model {name}: the value of '{key}' ({what}, line {line}) is an array; give one number")
        if not isinstance(value, Expression) and np.asarray(cast("ArrayLike", value)).dtype.kind not in "iufb":
            raise InputError(f"model {name}: the value of '{key}' ({what}, line {line}) is {value!r}; give one number")
        outputs[str(key)] = t.node_of(value)
    return g, outputs


def line_of(function: object) -> int:
    """Line on which a function begins; 0 where that is not known."""
    return int(getattr(getattr(function, "__code__", None), "co_firstlineno", 0))


def _deepest(error: BaseException) -> tuple[str, int]:
    """Where in the author's code an error arose."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename not in _OWN_FILES]
    if not frames:
        return "equations", 0
    frame = frames[-1]
    return f"{os.path.basename(frame.filename)}, line {frame.lineno}, in {frame.name}", frame.lineno or 0


def trace(model: Model) -> Traced:
    """Record a model's equations.

    Raises
    ------
    InputError
        Naming the model, the state and the line where something cannot be recorded or does not fit.
    """
    states = model.state_names
    graph, outputs = record(model.name, model.equations, states, model.parameters, model.level_names)
    misfit(model, outputs)
    for state in states:
        value = graph.value(outputs[state])
        if value is not None and not np.isfinite(value):
            raise InputError(
                f"model {model.name}: the rate of {state} is {value} whatever the patient "
                f"(equations at line {line_of(model.equations)}); give a finite number"
            )
    traced = Traced(model, graph, tuple(outputs[s] for s in states))
    if model.example:
        _check_example(traced)
    return traced


def misfit(model: Model, outputs: Iterable[str]) -> None:
    """Refuse equations that leave a state out, or name one that the model does not have."""
    states, given = model.state_names, tuple(outputs)
    line = line_of(model.equations)
    missing = [s for s in states if s not in given]
    if missing:
        raise InputError(
            f"model {model.name}: no equation for the state {', '.join(missing)} "
            f"(equations at line {line}); add it to what they return"
        )
    extra = [s for s in given if s not in states]
    if extra:
        close = nearest(extra[0], states)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise InputError(
            f"model {model.name}: an equation for '{extra[0]}' (equations at line {line}), "
            f"which is no state of the model{hint}"
        )


def _check_example(traced: Traced) -> None:
    """Refuse a model whose rates are not finite where its own example starts."""
    model, g = traced.model, traced.graph
    p = np.array([model.example[name] for name in model.parameters], dtype=float)
    x = start(model, p[None])[0]
    u = np.zeros(len(model.level_names))
    rates = evaluate(g, traced.derivatives, 0.0, x, p, u)
    for state, node, rate in zip(model.state_names, traced.derivatives, rates):
        if np.isfinite(rate):
            continue
        for below in needed(g, [node]):
            op, args = g.nodes[below]
            if op == "div" and evaluate(g, [args[1]], 0.0, x, p, u)[0] == 0:
                raise InputError(
                    f"model {model.name}: the rate of {state} divides by zero at the start of the model's example "
                    f"({g.lines.get(below, 'equations')}); keep the divisor above 0, with maximum() or a sum"
                )
        raise InputError(
            f"model {model.name}: the rate of {state} is not finite at the start of the model's example; "
            "look for a logarithm of 0 or a number out of range"
        )
