"""Derivatives under infusions, repeats and bioavailability: doses of every kind, brought to simple ones.

Each change of a patient (a dose of a series, a rate that is set) is a dose of its own; how it moves with the amount of
the dose that it belongs to is known (``doses.Given.parts``), and so the derivatives add up. A bioavailability that is a
parameter multiplies within the model, and is differentiated like any other parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import checks, days_asked
from vein2vein.engine import doses as doses_of
from vein2vein.engine.method.tableau import RTOL
from vein2vein.engine.tangents.tangent import DOSE
from vein2vein.errors import InputError
from vein2vein.models.model import Model

Matrix = NDArray[np.float64]


def through(
    differentiate: Callable[..., Any], model: Model, parameters: ArrayLike, state: ArrayLike | None, days: Any,
    doses: Sequence[doses_of.Told], wrt: Sequence[str], *, levels: Any = None, rtol: float = RTOL, **options: Any,
) -> Any:  # fmt: skip
    """What ``differentiate`` (``sensitivity.sensitivities``) finds for doses of every kind.

    Raises
    ------
    InputError
        Where the days of a dose would move with what is varied (a lag, a duration, the amount under a given rate), and
        for steady states and resets.
    """
    names = checks.names_of(wrt, "wrt", "a list of names")
    p = checks.matrix_of(parameters, model.parameters, "parameter", model)
    n = len(p)
    asked = days_asked.read(days, options.get("begin"))(n)
    if doses_of.sets(doses):
        raise InputError(
            "a steady state or a reset sets the state, and derivatives do not follow; give the doses alone"
        )
    u = checks.levels_of(model, levels, n)
    plan = doses_of.schedule(model, doses, p, u, asked.begins, asked.ends, rtol, _never)
    for name in names:
        if name in plan.fixed:
            raise InputError(f"there is no derivative with respect to '{name}': {plan.fixed[name]}")
    parts = {name: _parts(plan.given, name, len(doses)) for name in names if name.startswith(DOSE)}
    single = [name for name in names if name not in parts]
    every = list(dict.fromkeys([*single, *(f"{DOSE}{j}" for found in parts.values() for j, _ in found)]))
    padded = np.concatenate([u, np.zeros((n, len(plan.model.level_names) - u.shape[1]))], axis=1)
    listed = [(g.day, g.what, g.amount) for g in plan.given]
    found = differentiate(plan.model, p, state, days, listed, every, levels=padded, rtol=rtol, **options)
    gradients = np.zeros((*found.gradients.shape[:-1], len(names)))
    for q, name in enumerate(names):
        for j, weight in parts.get(name, [(-1, np.ones(n))]):
            own = every.index(name if j < 0 else f"{DOSE}{j}")
            each = weight[:, None, None] if asked.patient is None else weight[asked.patient][:, None]
            gradients[..., q] += found.gradients[..., own] * each
    return replace(found, wrt=tuple(names), gradients=gradients)


def _parts(given: Sequence[doses_of.Given], name: str, count: int) -> list[tuple[int, Matrix]]:
    """Numbers of the simple doses that a dose was brought to, and how each moves (n,) with its amount."""
    number = name[len(DOSE) :]
    if not (number.isascii() and number.isdigit()) or int(number) >= count:
        raise InputError(f"'{name}' names no dose; there are {count}, numbered from 0: give '{DOSE}0'")
    return [(j, weight) for j, g in enumerate(given) for of, weight in g.parts if of == int(number)]


def _never(*_: Any) -> tuple[Matrix, NDArray[np.int64]]:
    raise InputError("a steady state sets the state, and derivatives do not follow; give doses alone")
