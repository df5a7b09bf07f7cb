"""A model whose parameters change within a course: one set of them for each span, and a level that says which holds.

The engine prepares doses once and takes parameters that stand still within a course. So the wrapped model has each
parameter as often as a course has spans, and a dose goes in under the name of its span.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vein2vein.models.mathematics import less, where
from vein2vein.models.model import Input, Model, Names, derived

SPAN = "span_of_course"
_JOIN = "__in_span_"


def dose_in(name: str, span: int) -> str:
    """An input or a parameter under the name that it has in a span."""
    return f"{name}{_JOIN}{span}"


def columns_of(names: Sequence[str], count: int) -> list[tuple[int, int]]:
    """(parameter, span) of each parameter of the wrapped model, in its order."""
    return [(j, k) for k in range(count) for j in range(len(names))]


def with_spans(model: Model, count: int) -> Model:
    """The model with ``count`` sets of parameters; the level ``SPAN`` says which one holds."""
    names = model.parameters
    doses = [i for i in model.inputs if i.kind == "dose"]

    def of_span(p: Any, k: int) -> Names:
        return Names((name, getattr(p, dose_in(name, k))) for name in names)

    def now(p: Any, u: Any) -> Names:
        which = getattr(u, SPAN)
        chosen: dict[str, Any] = {}
        for name in names:
            value = getattr(p, dose_in(name, count - 1))
            for k in range(count - 2, -1, -1):
                value = where(less(which, k + 0.5), getattr(p, dose_in(name, k)), value)
            chosen[name] = value
        return Names(chosen.items())

    def equations(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
        return model.equations(t, x, now(p, u), u)

    def initial(p: Any) -> Mapping[str, Any]:
        return model.initial(of_span(p, 0))

    def apply_dose(name: str, amount: Any, x: Any, p: Any) -> Mapping[str, Any]:
        dose, span = name.split(_JOIN)
        return model.apply_dose(dose, amount, x, of_span(p, int(span)))

    def observables(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
        return model.observables(t, x, now(p, u), u)

    return derived(
        model,
        inputs=(
            *(Input(dose_in(i.name, k), i.meaning, i.unit) for i in doses for k in range(count)),
            *(i for i in model.inputs if i.kind == "level"),
            Input(SPAN, "which set of parameters holds", "1", "level"),
        ),
        parameters=tuple(dose_in(names[j], k) for j, k in columns_of(names, count)),
        equations=equations, initial=initial, apply_dose=apply_dose, observables=observables,
        closed_form=None, example={}, example_doses=(),
    )  # fmt: skip
