"""What callers hand in, read: numbers, lists, and columns by name of whatever holds them.

Any object may come here, and whatever it raises when it is asked is no number, or one sentence. No table library is
imported: a table (of pandas, Polars, Arrow) is known by what it offers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.errors import InputError
from vein2vein.models.model import is_number, is_whole

Matrix = NDArray[np.float64]

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_SHOWN = 60
_MOST = 1_000_000
"""Entries of a list of names, events or summaries; a generator may have no end."""


def shown(value: object) -> str:
    """A value as it may stand in a sentence: short, on one line."""
    shape = np.shape(cast("ArrayLike", value)) if isinstance(value, np.ndarray) else ()
    if shape:
        return f"an array of shape {shape}"
    value = cast("object", value)
    try:
        text = _ADDRESS.sub("", " ".join(repr(value).split()))
    except Exception:  # an object that cannot show itself; a number of very many digits
        text = f"of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def word(value: object) -> str:
    """A name as it was given, short and on one line; what is no text, as it may stand in a sentence."""
    return shown(value).strip("'\"") if isinstance(value, str) else shown(value)


def floats(values: object) -> Matrix | None:
    """Array of float64; None where it is text, flags, or no array of numbers. What is masked becomes NaN."""
    if type(values) is float:
        return np.asarray(values)
    try:
        masked, given = isinstance(values, np.ma.MaskedArray), cast("ArrayLike", values)
        if np.asarray(given).dtype.kind not in "iuf":
            return None
        return np.asarray(np.ma.asarray(given, dtype=float).filled(np.nan) if masked else given, dtype=float)
    except Exception:  # rows of several lengths; whatever an object that is asked for its array may raise
        return None


def real(value: object) -> float | None:
    """One real number; None where it is none."""
    return float(value) if is_number(value) else None


def whole(value: object) -> int | None:
    """One whole number; None where it is none."""
    return int(value) if is_whole(value) else None


def column(values: object) -> Matrix | None:
    """Numbers of a column of a table, whose library may hold whole numbers beside missing ones as objects."""
    found = floats(values)
    if found is not None or not hasattr(values, "dtype"):
        return found
    try:
        held = cast("NDArray[np.object_]", np.asarray(cast("ArrayLike", values)))
        kinds = {type(value) for value in cast("list[object]", held.ravel().tolist())}
        return np.asarray(held, dtype=float) if held.dtype.kind == "O" and kinds <= {int, float} else None
    except Exception:  # a missing one that is no number
        return None


def entries(values: Iterable[object], what: str) -> Iterator[object]:
    """What a caller's iterable gives, one after the other."""
    try:
        for number, value in enumerate(values):
            if number == _MOST:
                raise InputError(f"{what} does not end after {_MOST} entries; give a list")
            yield value
    except InputError:
        raise
    except Exception as problem:
        told = shown(f"{type(problem).__name__}: {problem}").strip("'\"")
        raise InputError(f"{what} cannot be read to its end ({told}); give a list") from None


def columns(values: object, what: str) -> Mapping[str, object] | None:
    """Columns by name; None where there are no names, as in an array or in a table whose columns have numbers only.

    Parameters
    ----------
    values : object
        A mapping; a table with ``columns`` or ``column_names``; one patient as a Series by name; an array with named
        fields.
    what : str
        What the columns are, for the sentence.

    Raises
    ------
    InputError
        A name is no text, or given twice.
    """
    try:
        return _columns(values, what)
    except InputError:
        raise
    except Exception as problem:  # of an object that only looks like a table
        told = " ".join(f"{type(problem).__name__}: {problem}".split())
        raise InputError(f"the {what}s cannot be read by name ({told[:_SHOWN]}); give a matrix") from None


def _columns(values: object, what: str) -> Mapping[str, object] | None:
    named: Any = values
    if isinstance(values, Mapping):
        names: list[object] = list(cast("Mapping[object, object]", values))
    elif isinstance(values, np.ndarray):
        names = list(cast("Any", values).dtype.names or ())
    else:
        names = _names(values)
        if not any(isinstance(name, str) for name in names):
            names = []
    if not names and not isinstance(values, Mapping):
        return None
    found: dict[str, object] = {}
    for name in names:
        if not isinstance(name, str):
            raise InputError(f"one of the {what}s is called {shown(name)}; give each column its name as text")
        if name in found:
            raise InputError(f"two columns are called '{name}'; give each {what} once")
        found[name] = named[name]
    return found


def _names(values: object) -> list[object]:
    """Names of the columns of a table, or of the entries of a Series."""
    if isinstance(values, (str, bytes, list, tuple, type)):
        return []
    for attribute in ("column_names", "columns", "index"):  # the columns of an Arrow table are no names
        listed: object = getattr(values, attribute, None)
        if callable(listed) or not hasattr(values, "__getitem__"):
            continue
        if isinstance(listed, Iterable):
            return list(cast("Iterable[object]", listed))
    return []
