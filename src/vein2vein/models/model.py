"""What a model is: names, equations, a start, what can be observed, and an example of its own.

Equations are plain Python that a pharmacologist can read, written once:

    def equations(t, x, p, u):
        return {"C": -p.CL / p.V * x.C}

``x``, ``p`` and ``u`` hold states, parameters and inputs by name. The engine traces the same function for its compiled
backends, so it may use only arithmetic and the functions of ``models/mathematics.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.arguments import shown
from vein2vein.errors import InputError, unknown
from vein2vein.models import author, construction
from vein2vein.models.closed_form import ClosedForm
from vein2vein.models.construction import is_number as is_number
from vein2vein.models.construction import is_whole as is_whole
from vein2vein.records import described

Quantity: TypeAlias = NDArray[np.float64]
"""What a model's functions compute with: a number, an array of numbers or, while they are recorded, an expression."""

KINDS = ("dose", "level")


@described
@dataclass(frozen=True)
class State:
    """One dynamic quantity.

    Attributes
    ----------
    name, meaning, unit : str
    scale : float
        Below this size the state does not matter. The solver's absolute tolerance is scale * rtol / 1e-5: 0.003 of it
        where no ``rtol`` is given. Infinite: the state does not steer the steps.
    low, high : float
        Physical bounds, restored after each accepted step and each dose.
    """

    name: str
    meaning: str
    unit: str
    scale: float = 1e-6
    low: float = -np.inf
    high: float = np.inf

    def __post_init__(self) -> None:
        construction.name_of("a state", self.name)
        what = f"state {self.name}"
        construction.text_of(what, "meaning", self.meaning)
        construction.text_of(what, "unit", self.unit)
        construction.scale_of(what, self.scale)
        construction.bounds_of(what, self.low, self.high)


@described
@dataclass(frozen=True)
class Input:
    """What can be done to the patient in this model.

    Attributes
    ----------
    name, meaning, unit : str
    kind : {"dose", "level"}
        A dose changes states at once; a level is held until it is changed (its value is ``u.<name>``).
    """

    name: str
    meaning: str
    unit: str
    kind: str = "dose"

    def __post_init__(self) -> None:
        construction.name_of("an input", self.name)
        what = f"input {self.name}"
        construction.text_of(what, "meaning", self.meaning)
        construction.text_of(what, "unit", self.unit)
        kind = cast("object", self.kind)
        if not isinstance(kind, str) or kind not in KINDS:
            told = kind if isinstance(kind, str) and kind.isprintable() else shown(kind)
            raise InputError(f"{what}: {unknown('kind', told, KINDS)}")


@described
@dataclass(frozen=True)
class Model:
    """A dynamic model.

    Attributes
    ----------
    name : str
        The file, the parameter table and the citation key.
    title, source : str
    states : tuple of State
    inputs : tuple of Input
    parameters : tuple of str
        Names that the equations read from ``p``, in the order of the parameter matrix.
    equations : callable (t, x, p, u) -> mapping of state name to derivative per day
    initial : callable (p) -> mapping of state name to value at the start
        States left out start at 0.
    apply_dose : callable (name, amount, x, p) -> mapping of state name to new value
        The states right after a dose of the named input; a name it does not know is reported, not dropped.
    observables : callable (t, x, p, u) -> mapping of analyte to value
        In the analyte's canonical unit, without assay error.
    example : mapping of parameter name to value
        A patient for tests, docs and demonstrations.
    example_doses : tuple of (day, input name, amount)
    closed_form : Exponentials or SinceDose, optional
        Outputs as explicit functions of time, for fits; it says the same as the equations.
    time_unit : str
        Unit in which the time of its equations runs; "": that in which the parameters are given. A fit brings the times
        of a study to it.
    """

    name: str
    title: str
    source: str
    states: tuple[State, ...]
    inputs: tuple[Input, ...]
    parameters: tuple[str, ...]
    equations: Callable[[Quantity | float, Names, Names, Names], Mapping[str, Quantity | float]]
    initial: Callable[[Names], Mapping[str, Quantity | float]]
    apply_dose: Callable[[str, Quantity, Names, Names], Mapping[str, Quantity | float]]
    observables: Callable[[Quantity | float, Names, Names, Names], Mapping[str, Quantity | float]]
    example: Mapping[str, float] = field(default_factory=dict[str, float])
    example_doses: tuple[tuple[float, str, float], ...] = ()
    closed_form: ClosedForm | None = None
    time_unit: str = "day"

    def __post_init__(self) -> None:
        construction.name_of("a model", self.name)
        what = f"model {self.name}"
        construction.text_of(what, "title", self.title)
        construction.text_of(what, "source", self.source)
        for field_, kind in (("states", State), ("inputs", Input), ("parameters", str)):
            object.__setattr__(self, field_, construction.each_of(what, field_, getattr(self, field_), kind))
        if not self.states:
            raise InputError(f"{what}: it has no states; give at least one")
        if all(np.isinf(s.scale) for s in self.states):
            raise InputError(f"{what}: every state has an infinite scale, and none steers the steps; give one a finite")
        names = {
            "states": [s.name for s in self.states],
            "inputs": [i.name for i in self.inputs],
            "parameters": list(self.parameters),
        }
        for field_, held in names.items():
            construction.apart(what, field_, held)
        levels = [i.name for i in self.inputs if i.kind == "level"]
        readable = (("state", "x", names["states"]), ("parameter", "p", self.parameters), ("level", "u", levels))
        for one, letter, held in readable:
            construction.readable(what, one, letter, held)
        for function in construction.TAKES:
            construction.function_of(what, function, getattr(self, function))
        construction.example_of(what, self.example, self.parameters)
        doses = construction.doses_of(what, self.example_doses, names["inputs"])
        object.__setattr__(self, "example_doses", doses)
        construction.closed_of(what, self.closed_form, names["inputs"])
        construction.time_of(what, self.time_unit)
        if self.example:
            start(self, np.array([[float(self.example[name]) for name in self.parameters]]))

    @cached_property
    def state_names(self) -> tuple[str, ...]:
        """State names in the order of the state matrix."""
        return tuple(s.name for s in self.states)

    @cached_property
    def level_names(self) -> tuple[str, ...]:
        """Names of the inputs that are held at a level, in the order of the level matrix."""
        return tuple(i.name for i in self.inputs if i.kind == "level")

    @cached_property
    def limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Scales, lower and upper bounds of the states (states,), not to be written to."""
        found = tuple(
            np.array([getattr(s, what) for s in self.states], dtype=float) for what in ("scale", "low", "high")
        )
        for array in found:
            array.flags.writeable = False
        return found[0], found[1], found[2]


def derived(model: Model, **changes: object) -> Model:
    """A model that the engine makes of another: with some fields changed, whose names need not be Python's."""
    made = object.__new__(Model)
    vars(made).update({one.name: getattr(model, one.name) for one in fields(Model)} | changes)
    return made


class Names:
    """Values by name, as the equations read them: ``x.C``. An unknown name is refused with the nearest known ones."""

    def __init__(self, values: Iterable[tuple[str, Quantity | float]] = ()) -> None:
        vars(self).update(values)

    def __getattr__(self, name: str) -> Quantity:
        if name.startswith("__"):
            raise AttributeError(name)
        raise UnknownName(unknown("name", name, vars(self)))


class UnknownName(InputError, AttributeError):
    """An attribute that does not exist, told as bad input: a misspelled name in a model's functions."""


def named(names: Iterable[str], values: ArrayLike) -> Names:
    """Give a row, or the columns of a matrix (n, k), their names."""
    array = np.asarray(values, dtype=float)
    if array.ndim == 2:
        return Names(zip(names, array.T))  # views of the columns, made without a step of Python for each
    return Names((name, array[..., i]) for i, name in enumerate(names))


def start(model: Model, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """State matrix (n, states) at the start, from the parameter matrix (n, parameters); within the states' bounds."""
    n = len(parameters)
    try:
        given = model.initial(named(model.parameters, parameters))
    except Exception as error:  # the author's own code, whatever is wrong with it
        raise author.told(model.name, "the start", error) from error
    begin = _returned(model, "the start", given, model.initial)
    columns = [
        _column(model, name, begin[name], n, model.initial) if name in begin else np.zeros(n)
        for name in model.state_names
    ]
    found = np.stack(columns, axis=1)
    _, low, high = model.limits
    wrong = np.argwhere(~((found >= low) & (found <= high)))
    if len(wrong):
        row, i = (int(index) for index in wrong[0])
        state = model.states[i]
        text = f"the state '{state.name}' of patient {row} (row, from 0) is {found[row, i]:g} at the start"
        bounds = f"give a number from {state.low:g} to {state.high:g}, its bounds"
        raise author.fault(f"model {model.name}: {text}; {bounds}", author.begins(model.initial))
    return found


def give(
    model: Model, dose: str, amount: ArrayLike, state: NDArray[np.float64], parameters: NDArray[np.float64]
) -> NDArray[np.float64]:
    """State matrix right after a dose, within the bounds; ``amount`` is one number or one per patient (0: none)."""
    known = [i.name for i in model.inputs if i.kind == "dose"]
    if dose not in known:
        raise InputError(
            f"model {model.name} does not represent the input '{dose}'; known: {', '.join(known) or 'none'}"
        )
    amounts = np.broadcast_to(np.asarray(amount, dtype=float), (len(state),))
    if not amounts.any():
        return state.copy()
    what = f"the dose of '{dose}'"
    x, p = named(model.state_names, state), named(model.parameters, parameters)
    try:
        given = model.apply_dose(dose, amounts, x, p)
    except Exception as error:  # the author's own code, whatever is wrong with it
        raise author.told(model.name, what, error) from error
    after = _returned(model, what, given, model.apply_dose)
    changed = state.copy()
    for name, value in after.items():
        column = model.state_names.index(name)
        bounds = model.states[column]
        new = np.minimum(np.maximum(_column(model, name, value, len(state), model.apply_dose), bounds.low), bounds.high)
        changed[:, column] = np.where(amounts != 0, new, state[:, column])
    return changed


def states_only(model: Model, what: str, names: Iterable[object], source: object) -> None:
    """Refuse a name that is no state of the model; ``what`` gave it, written in the author's function ``source``."""
    odd = [str(name) for name in names if name not in model.state_names]
    if odd:
        text = f"{what} names a state that does not exist: {unknown('state', odd[0], model.state_names)}"
        raise author.fault(f"model {model.name}: {text.rstrip('.')}", author.begins(source))


def _returned(model: Model, what: str, values: object, source: object) -> Mapping[str, object]:
    """What a model's function returned, a mapping of names of its states."""
    if not isinstance(values, Mapping):
        text = f"what {what} returned is {type(values).__name__}; return a mapping of state name to value"
        raise author.fault(f"model {model.name}: {text}", author.begins(source))
    found = cast("Mapping[str, object]", values)
    states_only(model, what, found, source)
    return found


def _column(model: Model, name: str, value: object, n: int, source: object) -> NDArray[np.float64]:
    """A state's value for each of n patients."""
    try:
        column = np.asarray(value, dtype=float)
        return column if column.shape == (n,) else np.broadcast_to(column, (n,))
    except (TypeError, ValueError):
        text = (
            f"the value of the state '{name}' is {' '.join(repr(value).split())}; give one number, or one per patient"
        )
        raise author.fault(f"model {model.name}: {text}", author.begins(source)) from None
