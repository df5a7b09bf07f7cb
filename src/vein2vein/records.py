"""What a record says of itself: which of its fields hold a row for each patient, and how it is shown.

A record of many patients declares the first axis of its fields once, where it is defined::

    @by_patient(visit=("days",), none=("scale", "edition"))
    @dataclass(frozen=True)
    class Grades: ...

Every other field then has the patient as its first axis: an array (n, ...), a mapping to such arrays, dated doses
``(day, ..., amount (n,))``, or a record of the same kind. ``take`` and ``join`` go by this declaration and never by the
length of an array, which may be that of something else by coincidence.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

Axis = Literal["patient", "visit", "none"]
T = TypeVar("T")
Rows = NDArray[np.intp] | NDArray[np.bool_]
_Cells = NDArray[np.generic]

LONGEST = 360  # characters of a record shown as one line
LONGEST_VALUE = 48  # characters of one value in it
FEW = 4  # values of an array that are shown one by one
DIGITS = 4  # significant digits of a number shown
_ABSENT: dict[str, object] = {"f": np.nan, "b": False, "i": -1, "U": "", "O": ""}


# The first axis of a field


def by_patient(*, visit: Sequence[str] = (), none: Sequence[str] = ()) -> Callable[[type[T]], type[T]]:
    """Declare the first axis of each field of a record of patients; the fields that are not named have the patient's.

    Parameters
    ----------
    visit : sequence of str
        Fields whose first axis is the visit or day: the same for every patient.
    none : sequence of str
        Fields that hold one thing for all patients.
    """

    def declare(kind: type[T]) -> type[T]:
        names = _names(kind)
        odd = sorted({*visit, *none} - set(names))
        if odd:
            raise TypeError(f"{kind.__name__} has no field {', '.join(odd)} to declare an axis for")
        found: dict[str, Axis] = {
            name: "visit" if name in visit else "none" if name in none else "patient" for name in names
        }
        type.__setattr__(kind, "__axes__", found)
        return described(kind)

    return declare


def axes(record: object) -> Mapping[str, Axis]:
    """First axis of each field of a record of patients, or of its class.

    Raises
    ------
    TypeError
        The record does not declare them.
    """
    found = cast("Mapping[str, Axis] | None", getattr(record, "__axes__", None))
    if found is None:
        kind = record if isinstance(record, type) else type(record)
        raise TypeError(f"{kind.__name__} does not declare the axes of its fields")
    return found


def take(record: T, rows: Rows) -> T:
    """Some patients of a record, by position or mask of shape (n,)."""
    picked = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.intp)
    changed = {name: _taken(getattr(record, name), picked) for name, axis in axes(record).items() if axis == "patient"}
    return _changed(record, changed)


def join(records: Sequence[T], counts: Sequence[int], order: NDArray[np.intp], **chosen: object) -> T:
    """One record of all patients of some records.

    Parameters
    ----------
    records : sequence of record
        Of one class.
    counts : sequence of int
        Patients in each.
    order : ndarray of int, shape (n,)
        The patients' order: positions in the records laid end to end.
    chosen : field=value
        What a field holds that is one for all patients; without it all must agree, and texts that do not are listed.

    Raises
    ------
    ValueError
        The records differ in something that is one for all patients.
    """
    changed: dict[str, object] = dict(chosen)
    for name, axis in axes(records[0]).items():
        if name in chosen:
            continue
        values = [getattr(record, name) for record in records]
        if axis == "patient":
            changed[name] = _joined(values, counts, order)
        else:
            changed[name] = _common(f"{type(records[0]).__name__}.{name}", values)
    return _changed(records[0], changed)


def absent(record: T) -> T:
    """A record of as many patients of whom nothing is known: NaN, false, -1, no text and no doses."""
    changed = {name: _absent(getattr(record, name)) for name, axis in axes(record).items() if axis == "patient"}
    return _changed(record, changed)


def _absent(value: object) -> object:
    if isinstance(value, np.ndarray):
        cells = cast(_Cells, value)
        return np.full(cells.shape, _ABSENT.get(cells.dtype.kind, 0), dtype=cells.dtype)
    if isinstance(value, Mapping):
        held = cast("Mapping[object, object]", value)
        return {key: _absent(one) for key, one in held.items() if not _is_cell(key)}
    if isinstance(value, tuple):  # dated doses
        return ()
    return value if value is None else absent(value)


def patient_arrays(record: object) -> dict[str, _Cells]:
    """Fields of a record that hold one value for each patient, by name: arrays of shape (n,)."""
    found = {name: getattr(record, name) for name, axis in axes(record).items() if axis == "patient"}
    return {name: value for name, value in found.items() if isinstance(value, np.ndarray) and value.ndim == 1}


def _taken(value: object, rows: NDArray[np.intp]) -> object:
    if isinstance(value, np.ndarray):
        return cast(_Cells, value)[rows] if value.size else value  # an empty one: not given for any patient
    if isinstance(value, Mapping):
        held = cast("Mapping[object, object]", value)
        if all(_is_cell(key) for key in held):
            return _cells_taken(cast("Mapping[tuple[int, int], object]", held), rows)
        return {key: _taken(one, rows) for key, one in held.items()}
    if isinstance(value, tuple):  # dated doses
        return tuple((*dose[:-1], _taken(dose[-1], rows)) for dose in cast("tuple[tuple[object, ...], ...]", value))
    return value if value is None else take(value, rows)


def _is_cell(key: object) -> bool:
    return isinstance(key, tuple) and all(isinstance(part, int) for part in cast("tuple[object, ...]", key))


def _cells_taken(held: Mapping[tuple[int, int], object], rows: NDArray[np.intp]) -> dict[tuple[int, int], object]:
    """Cells named by (patient, column): the positions change with the patients."""
    return {
        (place, column): one
        for place, row in enumerate(rows.tolist())
        for (patient, column), one in held.items()
        if patient == row
    }


def _joined(values: Sequence[object], counts: Sequence[int], order: NDArray[np.intp]) -> object:
    found = next((value for value in values if value is not None), None)
    if found is None:
        return None
    if isinstance(found, np.ndarray):
        return _rows_joined(cast("Sequence[_Cells | None]", values), counts, order)
    if isinstance(found, Mapping):
        held = cast("Sequence[Mapping[object, object] | None]", values)
        if all(_is_cell(key) for one in held for key in one or ()):
            return _cells_joined(cast("Sequence[Mapping[tuple[int, int], object]]", held), counts, order)
        names = dict.fromkeys(name for one in held for name in one or ())
        return {name: _joined([(one or {}).get(name) for one in held], counts, order) for name in names}
    if isinstance(found, tuple):
        return _doses_joined(cast("Sequence[tuple[tuple[object, ...], ...]]", values), counts, order)
    return join(values, counts, order)


def _rows_joined(values: Sequence[_Cells | None], counts: Sequence[int], order: NDArray[np.intp]) -> _Cells:
    given = [value for value in values if value is not None and value.size]
    if not given:
        return next(value for value in values if value is not None)
    like = given[0]
    rows = [
        np.full((count, *like.shape[1:]), _ABSENT.get(like.dtype.kind, 0), dtype=like.dtype)
        if value is None or not value.size
        else value
        for value, count in zip(values, counts, strict=True)
    ]
    return np.concatenate(rows)[order]


def _cells_joined(
    held: Sequence[Mapping[tuple[int, int], object]], counts: Sequence[int], order: NDArray[np.intp]
) -> dict[tuple[int, int], object]:
    first = np.cumsum([0, *counts])
    whole = {(int(at) + i, j): one for at, cells in zip(first, held) for (i, j), one in (cells or {}).items()}
    return _cells_taken(whole, order)


def _doses_joined(
    values: Sequence[tuple[tuple[object, ...], ...]], counts: Sequence[int], order: NDArray[np.intp]
) -> tuple[tuple[object, ...], ...]:
    """Dated doses: who had none on a day has 0."""
    keys = sorted({dose[:-1] for doses in values for dose in doses}, key=repr)
    keys.sort(key=lambda key: cast(float, key[0]))
    merged: list[tuple[object, ...]] = []
    for key in keys:
        parts: list[NDArray[np.float64]] = []
        for doses, count in zip(values, counts, strict=True):
            part = np.zeros(count)
            for dose in doses:
                part = part + cast("NDArray[np.float64]", dose[-1]) if dose[:-1] == key else part
            parts.append(part)
        merged.append((*key, np.concatenate(parts)[order]))
    return tuple(merged)


def _common(where: str, values: Sequence[object]) -> object:
    """What is one for all patients: where texts differ, all of them; so with lists of names by a key."""
    first = values[0]
    if all(_same(first, value) for value in values[1:]):
        return first
    if all(isinstance(value, str) for value in values):
        return " and ".join(sorted({str(value) for value in values if value}))
    if all(isinstance(value, Mapping) for value in values):
        maps = [cast("Mapping[str, object]", value) for value in values]
        listed = [value for one in maps for value in one.values()]
        if all(set(one) == set(maps[0]) for one in maps) and all(isinstance(value, tuple) for value in listed):
            return {
                key: tuple(dict.fromkeys(name for one in maps for name in cast("tuple[object, ...]", one[key])))
                for key in maps[0]
            }
    raise ValueError(f"{where} differs between records that are to be joined")


def _same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(cast(_Cells, one), cast(_Cells, other))
    return one is other or bool(one == other)


def _changed(record: T, changes: Mapping[str, object]) -> T:
    if not is_dataclass(record) or isinstance(record, type):
        raise TypeError(f"{type(record).__name__} is no record")
    return cast(T, replace(record, **changes))


# How a record is shown


def described(kind: type[T]) -> type[T]:
    """Give a record a short ``repr``, and a small table for notebooks."""
    type.__setattr__(kind, "__repr__", _line)
    type.__setattr__(kind, "_repr_html_", _table)
    return kind


def _line(record: object) -> str:
    kind, shown, left = type(record).__name__, list[str](), _names(record)
    for name in left:
        part = f"{name}={_short(getattr(record, name))}"
        if sum(map(len, shown)) + 2 * len(shown) + len(part) + len(kind) > LONGEST:
            shown.append(f"and {len(left) - len(shown)} more")
            break
        shown.append(part)
    return f"{kind}({', '.join(shown)})"


def _table(record: object) -> str:
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(_short(getattr(record, name)))}</td></tr>"
        for name in _names(record)
    )
    return f"<table><caption>{html.escape(type(record).__name__)}</caption>{rows}</table>"


def _names(record: object) -> list[str]:
    if not is_dataclass(record):
        raise TypeError(f"{record!r} is no record")
    return [f.name for f in fields(record)]


def _short(value: object) -> str:
    """One value in a few characters."""
    if isinstance(value, np.ndarray):
        cells = cast(_Cells, value)
        return _few(cells.tolist(), "") if cells.ndim == 1 and cells.size <= FEW else f"<{_shape(cells)} {cells.dtype}>"
    if isinstance(value, np.generic):
        return _short(cast(object, value.item()))
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}"
    if isinstance(value, Mapping):
        return _few([str(key) for key in cast("Mapping[object, object]", value)], "{}")
    if isinstance(value, tuple | list | set | frozenset):
        return _few(cast("Iterable[object]", value), "()")
    if is_dataclass(value) and not isinstance(value, type):
        named = cast(object, getattr(value, "name", None))
        return f"<{type(value).__name__}{f' {named}' if isinstance(named, str) else ''}>"
    return _cut(repr(value))


def _few(values: Iterable[object], around: str) -> str:
    held = list(values)
    opened, closed = (around[0], around[1]) if around else ("[", "]")
    text = f"{opened}{', '.join(_short(one) for one in held[:FEW])}{', ...' if len(held) > FEW else ''}{closed}"
    return text if len(text) <= LONGEST_VALUE else f"{opened}{len(held)} of them{closed}"


def _shape(cells: _Cells) -> str:
    return " x ".join(str(size) for size in cells.shape)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."
