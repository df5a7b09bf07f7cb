"""What a model is made of, checked when it is made: names, numbers, functions and the example, one sentence each."""

from __future__ import annotations

import inspect
import keyword
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeGuard, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.arguments import shown
from vein2vein.errors import InputError, unknown
from vein2vein.models import author
from vein2vein.models.closed_form import Exponentials, SinceDose, inputs_of
from vein2vein.units import convert, days_of

T = TypeVar("T")
_LARGEST = int(np.finfo(float).max)
TAKES: Mapping[str, tuple[str, ...]] = {
    "equations": ("t", "x", "p", "u"),
    "initial": ("p",),
    "apply_dose": ("name", "amount", "x", "p"),
    "observables": ("t", "x", "p", "u"),
}
"""The functions of a model, and what each is called with."""


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is one real number; True and False are none."""
    if type(value) is float:
        return True
    if isinstance(value, (bool, np.bool_)):
        return False
    if isinstance(value, int):
        return abs(value) <= _LARGEST
    if isinstance(value, np.ndarray):
        array = not isinstance(value, np.ma.MaskedArray) and np.ndim(cast("ArrayLike", value)) == 0
        return array and np.asarray(cast("ArrayLike", value)).dtype.kind in "iuf"
    return isinstance(value, (float, np.integer, np.floating)) and not isinstance(value, np.timedelta64)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is one whole number; True and False are none."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_, np.timedelta64))


def is_finite(value: object) -> TypeGuard[float]:
    """Whether a value is one finite number."""
    return is_number(value) and math.isfinite(value)


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    """Whether a value is a tuple or a list, or the like; a text is none."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def name_of(what: str, name: object) -> None:
    """Refuse what is no name."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise InputError(f"{what} is called {shown(name)}; give it a name of one letter or more")


def text_of(what: str, field: str, value: object) -> None:
    """Refuse what is no text."""
    if not isinstance(value, str):
        raise InputError(f"{what}: its {field} is {shown(value)}; give a text")


def scale_of(what: str, scale: object) -> None:
    """Refuse what is no size of a state."""
    if not is_number(scale) or not scale > 0:
        raise InputError(f"{what}: its scale is {shown(scale)}; give a number above 0")


def bounds_of(what: str, low: object, high: object) -> None:
    """Refuse bounds that are none, or in the wrong order."""
    for side, bound in (("low", low), ("high", high)):
        if not is_number(bound) or math.isnan(bound):
            raise InputError(f"{what}: its bound {side} is {shown(bound)}; give a number, or leave it out")
    if not cast("float", low) < cast("float", high):
        raise InputError(f"{what}: its bounds are {shown(low)} and {shown(high)}; give the lower one first")


def each_of(what: str, field: str, values: object, kind: type[T]) -> tuple[T, ...]:
    """Values of one kind from a tuple or list."""
    called = "text" if kind is str else kind.__name__
    example = "('k',)" if kind is str else f"({called}(...),)"
    if not _is_list(values):
        raise InputError(f"{what}: its {field} are {shown(values)}; give a tuple of {called}, such as {example}")
    for value in values:
        if not isinstance(value, kind):
            raise InputError(f"{what}: one of its {field} is {shown(value)}; give a tuple of {called}")
    return tuple(cast("Sequence[T]", values))


def apart(what: str, field: str, names: Iterable[str]) -> None:
    """Refuse a name that is given twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{what}: two {field} are called '{name}'; give each a name of its own")
        seen.add(name)


def readable(what: str, field: str, letter: str, names: Iterable[str]) -> None:
    """Refuse a name that equations cannot read, as ``x.NAME``."""
    for name in names:
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
            raise InputError(
                f"{what}: the {field} '{name}' cannot be read as {letter}.{name}; give it a name of letters, digits "
                "and _ that begins with a letter and is no word of Python"
            )


def function_of(what: str, field: str, function: object) -> None:
    """Refuse what cannot be called as the engine calls it."""
    if not callable(function):
        raise InputError(f"{what}: {field} is {shown(function)}; give a function")
    takes = TAKES[field]
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # written in C: only a call can tell
        return
    try:
        signature.bind(*takes)
    except TypeError:
        text = f"{what}: {field} takes {signature}; let it take ({', '.join(takes)})"
        raise author.fault(text, author.begins(function)) from None


def closed_of(what: str, form: object, inputs: Sequence[str]) -> None:
    """Refuse what is no closed form, and one of an input that the model does not have."""
    if form is None:
        return
    if not isinstance(form, (Exponentials, SinceDose)):
        raise InputError(f"{what}: its closed_form is {shown(form)}; give Exponentials, SinceDose or None")
    for name in inputs_of(form):
        if name not in inputs:
            raise InputError(f"{what}: its closed form: {unknown('input', name, inputs)}")


def time_of(what: str, unit: object) -> None:
    """Refuse what is no unit of time."""
    if not isinstance(unit, str):
        raise InputError(f"{what}: its time_unit is {shown(unit)}; give a unit of time, such as 'day' or 'h', or ''")
    if unit and unit not in days_of():
        try:
            convert(1.0, unit, "day")
        except InputError as error:
            raise InputError(
                f"{what}: its time_unit: {error.text.rstrip('.')}; give one such as 'day' or 'h'"
            ) from None


def example_of(what: str, example: object, parameters: Sequence[str]) -> None:
    """Refuse an example that lacks a parameter or whose values are no numbers; an empty one is none."""
    if not isinstance(example, Mapping):
        raise InputError(f"{what}: its example is {shown(example)}; give a mapping of parameter name to value")
    values = cast("Mapping[object, object]", example)
    for name, value in values.items():
        if not isinstance(name, str) or not is_finite(value):
            raise InputError(
                f"{what}: the value of {shown(name)} in its example is {shown(value)}; give finite numbers"
            )
    lacking = [name for name in parameters if name not in values] if values else []
    if lacking:
        raise InputError(f"{what}: its example lacks the parameter '{lacking[0]}'; give all of them or none")


def doses_of(what: str, doses: object, inputs: Sequence[str]) -> tuple[tuple[float, str, float], ...]:
    """Doses of an example, (day, input name, amount) each."""
    expected = "give a tuple of (day, input name, amount)"
    if not _is_list(doses):
        raise InputError(f"{what}: its example doses are {shown(doses)}; {expected}")
    for number, dose in enumerate(doses):
        which = f"{what}: number {number} (from 0) of its example doses"
        if not _is_list(dose) or len(dose) != len(("day", "name", "amount")):
            raise InputError(f"{which} is {shown(dose)}; give (day, input name, amount)")
        day, name, amount = dose
        if not isinstance(name, str) or name not in inputs:
            told = name if isinstance(name, str) else shown(name)
            raise InputError(f"{which}: {unknown('input', told, inputs)}")
        for field, value in (("day", day), ("amount", amount)):
            if not is_finite(value):
                raise InputError(f"{which}: the {field} is {shown(value)}; give a finite number")
    return tuple(cast("Sequence[tuple[float, str, float]]", doses))
