"""What a model is: names, equations, a start, what can be observed, and an example of its own.

Equations are plain Python that a pharmacologist can read, written once:

    def equations(t, x, p, u):
        return {"C": -p.CL / p.V * x.C}

``x``, ``p`` and ``u`` hold states, parameters and inputs by name. The engine traces the same function for its compiled
backends, so it may use only arithmetic and the functions of ``models/mathematics.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias, TypeGuard, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.errors import InputError, unknown
from vein2vein.records import described

Quantity: TypeAlias = NDArray[np.float64]
"""What a model's functions compute with: a number, an array of numbers or, while they are recorded, an expression."""

KINDS = ("dose", "level")


@dataclass(frozen=True)
class State:
    """One dynamic quantity.

    Attributes
    ----------
    name, meaning, unit : str
    scale : float
        Absolute tolerance: below this size the state does not matter.
    low, high : float
        Physical bounds, restored after each accepted step.
    """

    name: str
    meaning: str
    unit: str
    scale: float = 1e-6
    low: float = -np.inf
    high: float = np.inf

    def __post_init__(self) -> None:
        _named("a state", self.name)
        if not self.scale > 0:
            raise InputError(f"state {self.name}: its scale is {self.scale}; give a number above 0")
        if not self.low < self.high:
            raise InputError(f"state {self.name}: its bounds are {self.low} and {self.high}; give the lower one first")


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
        _named("an input", self.name)
        if self.kind not in KINDS:
            raise InputError(f"input {self.name}: {unknown('kind', str(self.kind), KINDS)}")


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

    def __post_init__(self) -> None:
        _named("a model", self.name)
        for what, names in (
            ("states", [s.name for s in self.states]),
            ("inputs", [i.name for i in self.inputs]),
            ("parameters", list(self.parameters)),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise InputError(f"model {self.name}: two {what} are called '{twice[0]}'; give each a name of its own")
        for what in ("equations", "initial", "apply_dose", "observables"):
            if not callable(getattr(self, what)):
                raise InputError(f"model {self.name}: {what} is {getattr(self, what)!r}; give a function")
        lacking = [name for name in self.parameters if name not in self.example] if self.example else []
        if lacking:
            raise InputError(
                f"model {self.name}: its example lacks the parameter '{lacking[0]}'; give all of them or none"
            )

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


def _named(what: str, name: object) -> None:
    if not isinstance(name, str) or not name:
        raise InputError(f"{what} is called {name!r}; give it a name of one letter or more")


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is one real number; True and False are none."""
    if type(value) is float:
        return True
    if isinstance(value, (bool, np.bool_)):
        return False
    if isinstance(value, np.ndarray):
        return np.ndim(cast("ArrayLike", value)) == 0 and np.asarray(cast("ArrayLike", value)).dtype.kind in "iuf"
    return isinstance(value, (int, float, np.integer, np.floating))


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is one whole number; True and False are none."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))


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
    return Names((name, array[..., i]) for i, name in enumerate(names))


def start(model: Model, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """State matrix (n, states) at the start, from the parameter matrix (n, parameters)."""
    n = len(parameters)
    begin = _returned(model, "the start", model.initial(named(model.parameters, parameters)))
    given = (_column(model, name, begin[name], n) if name in begin else np.zeros(n) for name in model.state_names)
    return np.stack(tuple(given), axis=1) if model.states else np.zeros((n, 0))


def give(
    model: Model, dose: str, amount: ArrayLike, state: NDArray[np.float64], parameters: NDArray[np.float64]
) -> NDArray[np.float64]:
    """State matrix right after a dose; ``amount`` is one number or one per patient (0: none)."""
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
    after = _returned(model, what, model.apply_dose(dose, amounts, x, p))
    changed = state.copy()
    for name, value in after.items():
        column = model.state_names.index(name)
        changed[:, column] = np.where(amounts != 0, _column(model, name, value, len(state)), state[:, column])
    return changed


def _returned(model: Model, what: str, values: object) -> Mapping[str, object]:
    """What a model's function returned, a mapping of names of its states."""
    if not isinstance(values, Mapping):
        raise InputError(
            f"model {model.name}: what {what} gives is {type(values).__name__}; return a mapping of state name to value"
        )
    found = cast("Mapping[str, object]", values)
    odd = [str(name) for name in found if name not in model.state_names]
    if odd:
        raise InputError(
            f"model {model.name}: {what} names a state that does not exist: "
            f"{unknown('state', odd[0], model.state_names)}"
        )
    return found


def _column(model: Model, name: str, value: object, n: int) -> NDArray[np.float64]:
    """A state's value for each of n patients."""
    try:
        column = np.asarray(value, dtype=float)
        return column if column.shape == (n,) else np.broadcast_to(column, (n,))
    except (TypeError, ValueError):
        raise InputError(
            f"model {model.name}: the value of the state '{name}' is {value!r}; give one number, or one per patient"
        ) from None
