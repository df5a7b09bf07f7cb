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
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.records import described

Named = Mapping[str, Any]


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
    equations: Callable[[Any, Any, Any, Any], Named]
    initial: Callable[[Any], Named]
    apply_dose: Callable[[str, Any, Any, Any], Named]
    observables: Callable[[Any, Any, Any, Any], Named]
    example: Mapping[str, float] = field(default_factory=dict)
    example_doses: tuple[tuple[float, str, float], ...] = ()

    @property
    def state_names(self) -> tuple[str, ...]:
        """State names in the order of the state matrix."""
        return tuple(s.name for s in self.states)

    @property
    def level_names(self) -> tuple[str, ...]:
        """Names of the inputs that are held at a level, in the order of the level matrix."""
        return tuple(i.name for i in self.inputs if i.kind == "level")


def named(names: Iterable[str], values: Any) -> SimpleNamespace:
    """Give a row, or the columns of a matrix (n, k), their names."""
    array = np.asarray(values, dtype=float)
    return SimpleNamespace(**{name: array[..., i] for i, name in enumerate(names)})


def start(model: Model, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """State matrix (n, states) at the start, from the parameter matrix (n, parameters)."""
    p = named(model.parameters, parameters)
    begin = model.initial(p)
    unknown = set(begin) - set(model.state_names)
    if unknown:
        raise ValueError(f"model {model.name}: the start names states that do not exist: {', '.join(sorted(unknown))}")
    given = (np.asarray(begin.get(name, 0.0), dtype=float) for name in model.state_names)
    return np.stack([np.broadcast_to(value, (len(parameters),)) for value in given], axis=1)


def give(
    model: Model, dose: str, amount: Any, state: NDArray[np.float64], parameters: NDArray[np.float64]
) -> NDArray[np.float64]:
    """State matrix right after a dose; ``amount`` is one number or one per patient (0: none)."""
    if dose not in {i.name for i in model.inputs if i.kind == "dose"}:
        raise ValueError(f"model {model.name} does not represent the input '{dose}'")
    amounts = np.broadcast_to(np.asarray(amount, dtype=float), (len(state),))
    if not amounts.any():
        return state.copy()
    after = model.apply_dose(dose, amounts, named(model.state_names, state), named(model.parameters, parameters))
    changed = state.copy()
    for name, value in after.items():
        column = model.state_names.index(name)
        changed[:, column] = np.where(amounts != 0, value, state[:, column])
    return changed
