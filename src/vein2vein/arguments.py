"""What a Python caller gives: each argument checked at the door, each refusal one sentence with what was expected."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

from vein2vein.errors import InputError, unknown

T = TypeVar("T")
Progress = Callable[[float, str], None]
LONGEST = 60  # characters of a value shown in a sentence


def shown(value: object) -> str:
    """A value as a sentence can hold it."""
    if isinstance(value, int) and abs(value) > 10**LONGEST:  # more digits than a sentence holds, or than Python writes
        found = "a whole number of very many digits"
    elif isinstance(value, str | bool | int | float | None):
        found = repr(value)
    elif isinstance(value, np.generic):
        found = repr(value.item())
    else:
        kind = type(value).__name__
        found = f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"
    return found if len(found) <= LONGEST else f"{found[: LONGEST - 3]}..."


def refusal(name: str, value: object, expected: str) -> InputError:
    """The refusal of an argument."""
    return InputError(f"found {shown(value)}, expected {expected}.", field=name)


def whole(name: str, value: object, *, low: int, high: float = math.inf, expected: str = "") -> int:
    """A whole number between two limits; neither a truth value, nor a text, nor a number with decimals."""
    if not expected:
        ends = f"of {low} or more" if math.isinf(high) else f"from {low} to {high:,.0f}"
        expected = f"a whole number {ends}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise refusal(name, value, expected)
    number = int(value)
    if not low <= number <= high:
        raise refusal(name, number, expected)
    return number


def seed_of(value: object) -> int:
    """A seed."""
    return whole("seed", value, low=0)


def number(name: str, value: object, *, low: float, high: float = math.inf, unit: str = "") -> float:
    """A finite number between two limits."""
    ends = f" of {low:g} or more" if math.isinf(high) else f" from {low:g} to {high:g}"
    ends = " that is finite" if math.isinf(low) else ends
    expected = f"a number{ends}{f' {unit}' if unit else ''}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise refusal(name, value, expected)
    found = float(value)
    if not math.isfinite(found) or not low <= found <= high:
        raise refusal(name, found, expected)
    return found


def per_patient(name: str, value: object, count: int, *, unit: str) -> None:
    """Numbers, one for each of ``count`` patients or one for all; 0 or more, NaN where unknown."""
    expected = f"a number of {unit} for each of {count} patients, 0 or more, nan where unknown"
    try:
        found = np.asarray(value)
    except ValueError:  # rows of several lengths
        raise refusal(name, value, expected) from None
    if found.dtype.kind not in "iuf" or found.ndim > 1 or found.size not in (1, count):
        raise refusal(name, value, expected)
    wrong = found[(found < 0) | np.isinf(found)]
    if wrong.size:
        raise refusal(name, float(wrong[0]), expected)


def flag(name: str, value: object) -> bool:
    """True or False, and nothing that only counts as such."""
    if not isinstance(value, bool | np.bool_):
        raise refusal(name, value, "True or False")
    return bool(value)


def choice(name: str, value: object, known: Iterable[str]) -> str:
    """One of some words."""
    listed = list(known)
    if not isinstance(value, str):
        raise refusal(name, value, f"one of {', '.join(listed)}")
    if value not in listed:
        raise InputError(unknown(name, value, listed), field=name)
    return value


def text(name: str, value: object) -> str:
    """A text."""
    if not isinstance(value, str):
        raise refusal(name, value, "a text")
    return value


def of_kind(name: str, value: object, kind: type[T], expected: str) -> T:
    """A record of a kind."""
    if not isinstance(value, kind):
        raise refusal(name, value, expected)
    return value


def name_or_path(name: str, value: object, expected: str) -> str | Path:
    """The name of something bundled, or the path of a file of the caller's own."""
    if not isinstance(value, str | Path) or not str(value).strip():
        raise refusal(name, value, expected)
    if "\0" in str(value):
        raise refusal(name, value, expected)
    return value


def path_of(name: str, value: object) -> str | Path:
    """The path of a file."""
    if not isinstance(value, str | Path) or not str(value).strip() or "\0" in str(value):
        raise refusal(name, value, "the path of a file")
    return value


def known(name: str, value: object, things: Collection[str], most: int | None = None) -> str:
    """A name of one of some things; another is refused with the nearest ones."""
    if not isinstance(value, str):
        raise refusal(name, value, f"the name of {'an' if name[0] in 'aeiou' else 'a'} {name}")
    if value not in things:
        raise InputError(unknown(name, value, things, most=most))
    return value


def mapping_of(name: str, value: object, expected: str) -> Mapping[object, object]:
    """A mapping, whatever it holds."""
    if not isinstance(value, Mapping):
        raise refusal(name, value, expected)
    return cast("Mapping[object, object]", value)


def progress_of(value: Progress | None) -> Progress:
    """Who is told how far a run is: ``progress(fraction, text)``; nobody for None."""
    if value is None:
        return _tell_nobody
    if not callable(value):
        raise refusal("progress", value, "a function of a fraction and a text, or None")
    return value


def _tell_nobody(fraction: float, text: str) -> None:
    del fraction, text
