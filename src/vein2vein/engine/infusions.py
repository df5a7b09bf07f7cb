"""Infusions: a model with a rate for each input that is infused, and the total of what runs at once.

An infusion does in each moment what a dose of its size does: the equations gain the rate of the infusion times the
change of the state with the amount of the dose, found from the model's own dose. The rate is a level of the model, so
that it is set on known days like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.trace import content
from vein2vein.engine.trace.differentiated import AMOUNT, dose
from vein2vein.engine.trace.graph import evaluate, needed
from vein2vein.engine.trace.kept import Kept
from vein2vein.engine.trace.recording import Unrecordable
from vein2vein.engine.trace.replay import replay
from vein2vein.errors import InputError
from vein2vein.models.model import Input, Model

Matrix = NDArray[np.float64]

_made: Kept[Model] = Kept(64)
_CLOSE = 1e-9


class Scaled(NamedTuple):
    """An input whose doses are multiplied by a parameter, its bioavailability ("": by none)."""

    input: str
    by: str = ""

    @property
    def name(self) -> str:
        """Input of the wrapped model that is given as a dose."""
        return _readable(f"{self.input}_times_{self.by}") if self.by else self.input

    @property
    def rate(self) -> str:
        """Level of the wrapped model that is the rate of infusion."""
        return _readable(f"rate_of_{self.name}")


def _readable(name: str) -> str:
    """A name that can be read as an attribute."""
    return re.sub(r"\W", "_", name)


@dataclass(frozen=True)
class Running:
    """An infusion of each patient: from ``start`` to ``end`` (n,) at ``rate`` (n,); NaN: none.

    ``part`` is the number of the dose that it belongs to and the change (n,) of its rate with that dose's amount.
    """

    start: Matrix
    end: Matrix
    rate: Matrix
    part: tuple[int, Matrix]


def wrapped(model: Model, infused: Sequence[Scaled], scaled: Sequence[Scaled]) -> Model:
    """A model with a level for the rate of each infused input, and a dose for each that is multiplied by a parameter.

    The states, parameters and levels of the model keep their places; the same model in content gives the same object.
    """
    if not infused and not scaled:
        return model
    try:
        facts = (content.rates(model), content.initial(model), content.observables(model))
        does = tuple(content.dose(model, i.name) for i in model.inputs)
    except Unrecordable:
        return _wrapped(model, infused, scaled)
    example = content.digest(sorted(model.example.items()), model.example_doses)
    key = (model.name, facts, does, example, tuple(infused), tuple(scaled))
    return _made.get(key, lambda: _wrapped(model, infused, scaled))


def _wrapped(model: Model, infused: Sequence[Scaled], scaled: Sequence[Scaled]) -> Model:
    unit = {i.name: i.unit for i in model.inputs}
    meaning = {i.name: i.meaning for i in model.inputs}
    changes = [(s, change_with_amount(model, s.input)) for s in infused]
    by_name = {s.name: s for s in scaled}
    inputs = (
        *(Input(s.name, meaning[s.input], unit[s.input]) for s in scaled),
        *(Input(s.rate, f"{meaning[s.input]}, rate", f"{unit[s.input]}/d", "level") for s in infused),
    )

    def equations(t: Any, x: Any, p: Any, u: Any) -> dict[str, Any]:
        rates = dict(model.equations(t, x, p, u))
        for s, change in changes:
            given = getattr(u, s.rate) * getattr(p, s.by) if s.by else getattr(u, s.rate)
            for state, slope in change(t, x, p, u).items():
                rates[state] = rates[state] + given * slope
        return rates

    def apply_dose(name: str, amount: Any, x: Any, p: Any) -> Mapping[str, Any]:
        s = by_name.get(name)
        return model.apply_dose(s.input, amount * getattr(p, s.by), x, p) if s else model.apply_dose(name, amount, x, p)

    return replace(model, inputs=(*model.inputs, *inputs), equations=equations, apply_dose=apply_dose)


def change_with_amount(model: Model, name: str) -> Callable[[Any, Any, Any, Any], dict[str, Any]]:
    """Function (t, x, p, u) -> change of each state with the amount of a dose, which must be the same for any amount.

    Raises
    ------
    InputError
        Where a dose is not proportional to its amount: then no infusion is defined by it.
    """
    found = dose(model, name, bounded=False)
    g, place = found.graph, len(model.parameters)
    amount = ("parameter", place)
    nodes = {state: slope[amount] for state, slope in zip(found.names, found.slopes) if amount in slope}
    bent = any(g.nodes[n] == ("parameter", (place,)) for n in needed(g, nodes.values()))
    rng = np.random.default_rng(0)
    x, p, u = (rng.uniform(0.5, 2.0, (size, 8)) for size in (len(model.states), place + 1, len(model.level_names)))
    if model.example:
        p[:place] *= np.array([model.example[n] for n in model.parameters], dtype=float)[:, None]
    p[place] = 0.0
    kept = evaluate(g, found.outputs, 0.0, x, p, u)
    for state, value in zip(found.names, kept):
        before = x[model.state_names.index(state)]
        bent |= bool(np.any(np.abs(np.broadcast_to(value, before.shape) - before) > _CLOSE * np.abs(before)))
    if bent:
        raise InputError(
            f"model {model.name}: the dose of '{name}' is not proportional to its amount, so it cannot be infused; "
            "give it at once, without rate or duration"
        )
    parameters = (*model.parameters, AMOUNT)
    return replay(g, nodes, model.state_names, parameters, model.level_names)


def totals(running: Sequence[Running]) -> list[tuple[Matrix, Matrix, tuple[tuple[int, Matrix], ...]]]:
    """Days (n,) on which the total rate changes, the totals (n,) from then on, and their change with each dose.

    What runs at once adds up. A day that is NaN: nothing changes for this patient.
    """
    if not running:
        return []
    void = [~(r.end > r.start) for r in running]
    days = np.stack([np.where(v, np.nan, d) for r, v in zip(running, void) for d in (r.start, r.end)], axis=1)
    signs = np.where(np.isnan(days), 0.0, np.tile([1.0, -1.0], len(running)))
    order = np.argsort(days, axis=1, kind="stable")

    def summed(each: Sequence[Matrix]) -> Matrix:
        values = np.repeat(np.stack([np.where(v, 0.0, e) for e, v in zip(each, void)], axis=1), 2, axis=1)
        return np.cumsum(np.take_along_axis(values * signs, order, axis=1), axis=1)

    days = np.take_along_axis(days, order, axis=1)
    count = np.cumsum(np.take_along_axis(signs, order, axis=1), axis=1)
    rates = np.where(count > 0, summed([r.rate for r in running]), 0.0)
    zero = np.zeros(len(days))
    numbers = sorted({r.part[0] for r in running})
    slopes = {
        i: np.where(count > 0, summed([r.part[1] if r.part[0] == i else zero for r in running]), 0.0) for i in numbers
    }
    # Of several changes on one day the last is the total.
    last = np.concatenate([days[:, 1:] != days[:, :-1], np.ones((len(days), 1), dtype=bool)], axis=1)
    days = np.where(last, days, np.nan)
    return [
        (days[:, j], rates[:, j], tuple((i, slopes[i][:, j]) for i in numbers))
        for j in range(days.shape[1])
        if np.isfinite(days[:, j]).any()
    ]
