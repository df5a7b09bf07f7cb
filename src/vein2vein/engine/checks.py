"""What the engine is asked to do, checked: what does not fit is refused with a sentence that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine.handed_in import column, columns, entries, floats, real, shown, whole, word
from vein2vein.engine.method import tableau
from vein2vein.errors import InputError, unknown
from vein2vein.models.model import Model
from vein2vein.parameters import ParameterSet

Matrix = NDArray[np.float64]
Dose = tuple[ArrayLike, str, ArrayLike]
Given = tuple[Matrix, str, Matrix]
"""A dose that was checked: days () or (n,), input name, amounts () or (n,)."""
Levels = ArrayLike | Mapping[str, ArrayLike]


class Named(Protocol):
    """What has a name of its own: an event, a summary."""

    @property
    def name(self) -> str:
        """How it is called."""
        ...


Item = TypeVar("Item", bound=Named)

WIDTHS = (1, 2, 4, 8)
_LEAST_RTOL, _MOST_RTOL = 1e-14, 0.1


def model_of(model: object) -> Model:
    """Refuse what is no model."""
    if not isinstance(model, Model):
        raise InputError(f"the model is {shown(model)}; give a Model, such as find_model('reference')")
    return model


def rtol_of(rtol: object) -> float:
    """Relative tolerance."""
    given = real(rtol)
    if given is None or not _LEAST_RTOL < given <= _MOST_RTOL:
        raise InputError(
            f"rtol is {shown(rtol)}; give a relative tolerance above {_LEAST_RTOL:g} and at most {_MOST_RTOL:g}"
        )
    return given


def max_step_of(max_step: object) -> float:
    """Longest step, days; left out, without limit."""
    if max_step is None:
        return np.inf
    given = real(max_step)
    if given is None or not given > 0:
        raise InputError(f"max_step is {shown(max_step)}; give a number of days above 0")
    return given


def max_steps_of(max_steps: object) -> int:
    """Most tried steps."""
    given = whole(max_steps)
    if given is None or not 1 <= given <= np.iinfo(np.int64).max:
        raise InputError(f"max_steps is {shown(max_steps)}; give a whole number of steps, 1 or more")
    return given


def threads_of(threads: object) -> int | None:
    """Threads to share the patients out to; left out, one per core."""
    if threads is None:
        return None
    given = whole(threads)
    if given is None or given < 1:
        raise InputError(f"threads is {shown(threads)}; give a whole number of threads, 1 or more, or leave it out")
    return given


def width_of(width: object) -> int | None:
    """Patients per vector; left out, as many as the processor's vectors hold."""
    if width is None:
        return None
    given = whole(width)
    if given not in WIDTHS:
        raise InputError(f"width is {shown(width)}; give 1, 2, 4 or 8 patients per vector")
    return given


def backend_of(backend: object, known: Sequence[str]) -> str:
    """Backend by its name."""
    if isinstance(backend, str) and backend == "cpu":  # looks like the one that is not meant
        known = [name for name in known if name != "gpu"]
    if not isinstance(backend, str) or backend not in known:
        raise InputError(unknown("backend", word(backend), known))
    return backend


def method_of(name: object) -> tuple[tableau.Method, tableau.Method | None]:
    """Method by its name, and the one it changes to: "auto" begins explicit and changes as stiffness asks."""
    known = ("auto", *tableau.METHODS)
    if not isinstance(name, str) or name not in known:
        raise InputError(unknown("method", word(name), known))
    return (tableau.TSIT5, tableau.RODAS5P) if name == "auto" else (tableau.METHODS[name], None)


def flag_of(value: object, name: str) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} is {shown(value)}; give True or False")
    return bool(cast("bool", value))


def names_of(names: object, what: str, expected: str) -> tuple[str, ...]:
    """Names in a list; a single text is refused, since its letters would be taken for names."""
    listed: object = names
    if isinstance(listed, (str, bytes, Mapping)) or not isinstance(listed, Iterable):
        raise InputError(f"{what} is {shown(names)}; give {expected}")
    found: list[str] = []
    for name in entries(cast("Iterable[object]", listed), what):
        if not isinstance(name, str):
            raise InputError(f"{what} holds {shown(name)}; give {expected}")
        found.append(str(name))
    return tuple(found)


def each_of(items: object, kind: type[Item], what: str, check: Callable[[Item], Item]) -> tuple[Item, ...]:
    """Events or summaries as their check returns them, each with a name of its own."""
    listed: object = items
    if not isinstance(listed, Iterable) or isinstance(listed, (str, bytes, Mapping)):
        raise InputError(f"the {what} are {shown(items)}; give a list of {kind.__name__}")
    found: dict[str, Item] = {}
    for item in entries(cast("Iterable[object]", listed), f"the list of {what}"):
        if not isinstance(item, kind):
            raise InputError(f"one of the {what} is {shown(item)}; give a list of {kind.__name__}")
        checked = check(item)
        name = str(checked.name)
        if name in found:
            raise InputError(f"two of the {what} are called '{name}'; give each a name of its own")
        found[name] = checked
    return tuple(found.values())


def doses_of(model: Model, doses: object, first: int = 0) -> list[Dose]:
    """Doses as (day, input name, amount), days and amounts as they were given; ``first`` is the number of the first."""
    listed: object = doses
    if isinstance(listed, (str, Mapping)) or not isinstance(listed, Iterable):
        raise InputError(f"the doses are {shown(doses)}; give a list of (day, input name, amount)")
    known = [i.name for i in model.inputs]
    found: list[Dose] = []
    for number, told in enumerate(entries(cast("Iterable[object]", listed), "the list of doses"), start=first):
        given = cast("Sequence[object]", told)
        one: object = told
        if not isinstance(one, Sequence) or isinstance(one, str) or len(given) != len(("day", "name", "amount")):
            raise InputError(f"dose number {number} (from 0) is {shown(told)}; give (day, input name, amount)")
        day, name, amount = cast("tuple[ArrayLike, object, ArrayLike]", given)
        if not isinstance(name, str) or name not in known:
            raise InputError(f"model {model.name}: {unknown('input', word(name), known)}")
        found.append((day, name, amount))
    return found


def schedule_of(model: Model, doses: object, begins: Matrix, n: int) -> list[Given]:
    """Doses as (days, input name, amounts), arrays () or (n,); refuse what does not fit, or lies before the begins."""
    schedule: list[Given] = []
    for day, name, amount in doses_of(model, doses):
        when = floats(day)
        shaped = when is not None and when.shape in ((), (n,))
        if when is None or not shaped or np.any(np.isinf(when)) or (when.ndim == 0 and np.isnan(when)):
            raise InputError(
                f"the day of '{name}' is {shown(day)}; "
                f"give a finite number of days, or one for each of the {n} patients"
            )
        early = np.flatnonzero(when < begins)
        if len(early):
            first, i = float(np.nanmin(when)), int(early[0])
            raise InputError(
                f"the dose of '{name}' on day {first:g} lies before the first day asked for, {begins[i]:g}; "
                f"give begin={first:g}, or let the days begin no later than the first dose"
            )
        given = floats(amount)
        if given is not None and given.shape == (n,):
            given = np.where(np.isnan(given) & np.isnan(when), 0.0, given)  # not given to this patient
        if given is None or given.shape not in ((), (n,)) or not np.all(np.isfinite(given)):
            day_told = "" if np.all(np.isnan(when)) else f" on day {np.nanmin(when):g}"
            raise InputError(
                f"the amount of '{name}'{day_told} {_amiss(amount, given, n)}; "
                f"give one finite number, or one for each of the {n} patients"
            )
        schedule.append((_not_tiny(when), name, given))
    return schedule


def _amiss(told: object, values: Matrix | None, n: int) -> str:
    """What is wrong with numbers of which there should be one, or one for each of n patients, all finite."""
    if values is None:
        return f"is {shown(told)}"
    if values.shape not in ((), (n,)):
        return f"has shape {values.shape}"
    if values.ndim == 0:
        return f"is {float(values)}"
    row = int(np.flatnonzero(~np.isfinite(values))[0])
    return f"is {values[row]} for patient {row} (row, from 0)"


def _not_tiny(days: Matrix) -> Matrix:
    """Days so near to 0 that the reciprocal of a step to them overflows count as 0."""
    return np.where(np.abs(days) < tableau.LEAST_STEP, 0.0, days)


def days_of(days: ArrayLike) -> Matrix:
    """Days in rising order, at least one."""
    asked = floats(days)
    if asked is None:
        raise InputError(f"the days to solve for are {shown(days)}; give a list of finite numbers, at least one")
    asked = np.atleast_1d(asked)
    if asked.ndim != 1 or not len(asked) or not np.all(np.isfinite(asked)):
        raise InputError("the days to solve for must be a list of finite numbers, at least one")
    back = np.flatnonzero(np.diff(asked) < 0)
    if len(back):
        i = int(back[0])
        raise InputError(f"the days are not in order: {asked[i + 1]:g} follows {asked[i]:g}; sort them")
    return _not_tiny(asked)


def day_of(day: object) -> float:
    """One finite day."""
    given = real(day)
    if given is None or not np.isfinite(given):
        raise InputError(f"a day is {shown(day)}; give a finite number of days")
    return 0.0 if abs(given) < tableau.LEAST_STEP else given


def matrix_of(values: object, names: tuple[str, ...], what: str, model: Model, rows: int | None = None) -> Matrix:
    """Matrix (n, names) of finite numbers, from a matrix, by name, or from a set; what is not one is named."""
    if isinstance(values, ParameterSet) and what == "parameter":
        values = _of_set(values, names, model)
    by_name = columns(values, what)
    found = floats(values) if by_name is None else _joined(by_name, names, what, model, rows)
    if found is None or found.ndim != 2 or found.shape[1] != len(names) or rows not in (None, len(found)):
        told = f"is {shown(values)}" if found is None else f"has shape {found.shape}"
        raise InputError(
            f"model {model.name}: the {what} matrix {told}, expected ({'patients' if rows is None else rows}, "
            f"{len(names)}): one row per patient, one column per {what}"
        )
    matrix = np.ascontiguousarray(found)
    bad = ~np.isfinite(matrix)
    if bad.any():
        i, j = (int(index[0]) for index in np.nonzero(bad))
        raise InputError(
            f"model {model.name}: the {what} '{names[j]}' of patient {i} (row, from 0) is {matrix[i, j]}; "
            "give a finite number"
        )
    return matrix


def _of_set(given: ParameterSet, names: tuple[str, ...], model: Model) -> dict[str, float]:
    """Typical values of a set by name, those that the model reads: one patient."""
    values = given.values()
    for name in names:
        if name in given.parameters and name not in values:
            raise InputError(
                f"model {model.name}: the parameter '{name}' has no value in the set {given.name}; lay a set over it "
                "that has one, or give the parameters by name"
            )
    return {name: values[name] for name in names if name in values}


def _joined(columns: Mapping[str, object], names: tuple[str, ...], what: str, model: Model, rows: int | None) -> Matrix:
    """Columns in the order of their names; a single number is that of every patient."""
    for name in columns:
        if name not in names:
            raise InputError(f"model {model.name}: {unknown(what, name, names)}")
    lacking = [name for name in names if name not in columns]
    if lacking:
        raise InputError(f"model {model.name}: the {what} '{lacking[0]}' is missing; give each {what} its column")
    found = {name: column(columns[name]) for name in names}
    sizes = {name: v.size for name, v in found.items() if v is not None and v.ndim == 1}
    n = rows if rows is not None else next(iter(sizes.values()), 1)
    matrix = np.empty((n, len(names)))
    for place, (name, values) in enumerate(found.items()):
        if values is None or values.shape not in ((), (n,)):
            told = _amiss(columns[name], values, n)
            raise InputError(
                f"model {model.name}: the {what} '{name}' {told}; give one number, or one for each of the {n} patients"
            )
        matrix[:, place] = values
    return matrix


def state_of(model: Model, state: object, n: int) -> Matrix:
    """State matrix (n, states)."""
    return matrix_of(state, model.state_names, "state", model, n)


def levels_of(model: Model, levels: Levels | None, n: int) -> Matrix:
    """Level matrix (n, levels) from a matrix or a mapping; left out: 0."""
    names = model.level_names
    if levels is None:
        return np.zeros((n, len(names)))
    by_name = columns(levels, "level")
    if by_name is None:
        return matrix_of(levels, names, "level", model, n)
    matrix = np.zeros((n, len(names)))
    for name, value in by_name.items():
        if name not in names:
            raise InputError(f"model {model.name}: {unknown('level', name, names)}")
        given = column(value)
        if given is None or given.shape not in ((), (n,)) or not np.all(np.isfinite(given)):
            raise InputError(
                f"model {model.name}: the level '{name}' {_amiss(value, given, n)}; "
                f"give one finite number, or one for each of the {n} patients"
            )
        matrix[:, names.index(name)] = given
    return matrix


def rows_of(rows: object, n: int) -> NDArray[np.int64]:
    """Row numbers of some of n patients, from numbers or a mask (n,)."""
    try:
        chosen = np.asarray(rows)
    except Exception:  # rows of several lengths; whatever an object may raise
        chosen = np.zeros((0, 0))
    if chosen.dtype == bool and chosen.shape == (n,):
        return np.flatnonzero(chosen)
    whole = chosen.ndim == 1 and (chosen.dtype.kind in "iu" or not chosen.size)
    if not whole or np.any((chosen < -n) | (chosen >= n)):
        raise InputError(f"the rows are {shown(rows)}; give row numbers of the {n} patients, or a mask ({n},) of flags")
    return chosen.astype(np.int64)
