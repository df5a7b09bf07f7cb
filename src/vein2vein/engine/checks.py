"""What the engine is asked to do, checked: what does not fit is refused with a sentence that names it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import choice
from vein2vein.engine.method import tableau
from vein2vein.errors import InputError, unknown
from vein2vein.models.model import Model

Matrix = NDArray[np.float64]
WIDTHS = (1, 2, 4, 8)


def width_of(width: int | None) -> None:
    """Refuse a number of patients per vector that is not known."""
    if width is not None and width not in WIDTHS:
        raise InputError(f"width is {width}; give 1, 2, 4 or 8 patients per vector")


def method_of(model: Model, name: str) -> tableau.Method:
    """Method by its name; "auto" chooses by the model."""
    if name == "auto":
        return choice.choose(model)
    if name not in tableau.METHODS:
        raise InputError(unknown("method", str(name), ("auto", *tableau.METHODS)))
    return tableau.METHODS[name]


def schedule_of(
    model: Model, doses: Iterable[tuple[Any, str, Any]], days: Matrix, n: int
) -> list[tuple[Matrix, str, Matrix]]:
    """Doses as (days, input name, amounts), arrays () or (n,); refuse what does not fit."""
    known = [i.name for i in model.inputs]
    schedule = []
    for day, name, amount in doses:
        if name not in known:
            raise InputError(f"model {model.name}: {unknown('input', name, known)}")
        when, given = np.asarray(day, dtype=float), np.asarray(amount, dtype=float)
        if when.shape not in ((), (n,)) or np.any(np.isinf(when)) or (when.ndim == 0 and np.isnan(when)):
            raise InputError(
                f"the day of '{name}' is {day}; give a finite number of days, or one for each of the {n} patients"
            )
        if np.any(when < days[0]):
            raise InputError(
                f"the dose of '{name}' on day {np.nanmin(when):g} lies before the first day asked for, {days[0]:g}; "
                "let the days begin no later than the first dose"
            )
        if given.shape not in ((), (n,)) or not np.all(np.isfinite(given)):
            raise InputError(
                f"the amount of '{name}' on day {np.nanmin(when):g} has shape {given.shape}; "
                f"give one finite number, or one for each of the {n} patients"
            )
        schedule.append((_not_tiny(when), name, given))
    return schedule


def _not_tiny(days: Matrix) -> Matrix:
    """Days so near to 0 that the reciprocal of a step to them overflows count as 0."""
    return np.where(np.abs(days) < tableau.LEAST_STEP, 0.0, days)


def days_of(days: ArrayLike) -> Matrix:
    """Days in rising order, at least one."""
    asked = np.atleast_1d(np.asarray(days, dtype=float))
    if asked.ndim != 1 or not len(asked) or not np.all(np.isfinite(asked)):
        raise InputError("the days to solve for must be a list of finite numbers, at least one")
    back = np.flatnonzero(np.diff(asked) < 0)
    if len(back):
        i = int(back[0])
        raise InputError(f"the days are not in order: {asked[i + 1]:g} follows {asked[i]:g}; sort them")
    return _not_tiny(asked)


def day_of(day: float) -> float:
    """One finite day."""
    day = float(day)
    if not np.isfinite(day):
        raise InputError(f"a day is {day}; give a finite number of days")
    return float(_not_tiny(np.asarray(day)))


def matrix_of(values: ArrayLike, names: tuple[str, ...], what: str, model: Model, rows: int | None = None) -> Matrix:
    """Matrix (n, names) of finite numbers; what is not one is named with its patient."""
    matrix = np.ascontiguousarray(values, dtype=float)
    if matrix.ndim != 2 or matrix.shape[1] != len(names) or rows not in (None, len(matrix)):
        expected = f"({'patients' if rows is None else rows}, {len(names)})"
        raise InputError(
            f"model {model.name}: the {what} matrix has shape {matrix.shape}, expected {expected}: "
            f"one row per patient, one column per {what}"
        )
    bad = ~np.isfinite(matrix)
    if bad.any():
        i, j = (int(index[0]) for index in np.nonzero(bad))
        raise InputError(
            f"model {model.name}: the {what} '{names[j]}' of patient {i} (row, from 0) is {matrix[i, j]}; "
            "give a finite number"
        )
    return matrix


def state_of(model: Model, state: ArrayLike, n: int) -> Matrix:
    """State matrix (n, states)."""
    return matrix_of(state, model.state_names, "state", model, n)


def levels_of(model: Model, levels: ArrayLike | Mapping[str, Any] | None, n: int) -> Matrix:
    """Level matrix (n, levels) from a matrix or a mapping; left out: 0."""
    names = model.level_names
    if isinstance(levels, Mapping):
        matrix = np.zeros((n, len(names)))
        for name, value in levels.items():
            if name not in names:
                raise InputError(f"model {model.name}: {unknown('level', name, names)}")
            matrix[:, names.index(name)] = value
        levels = matrix
    return np.zeros((n, len(names))) if levels is None else matrix_of(levels, names, "level", model, n)
