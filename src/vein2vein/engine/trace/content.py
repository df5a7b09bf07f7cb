"""What a model is, told by the content of its functions: models that compute the same share what is made for them.

A function of a model is recorded (``recording.py``) and its expressions are hashed. That takes milliseconds, so it is
done once for each model object, when first asked for. What was found is kept beside the object, not in it, and goes
when the object goes; so a new model in the same place in memory is looked at anew.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from vein2vein.engine.trace.expression import Unrecordable
from vein2vein.engine.trace.recording import Traced, record, trace
from vein2vein.errors import InputError, unknown
from vein2vein.models.model import Model, states_only

_Facts = dict[str, str]
_known: dict[int, tuple[weakref.ref[Model], _Facts]] = {}
_lock = threading.Lock()


def models_known() -> int:
    """How many living model objects have been looked at."""
    return len(_known)


def once(model: Model, what: str, find: Callable[[Model], str]) -> str:
    """A fact about a model object, found when first asked for; an exception leaves nothing behind."""
    entry = _known.get(id(model))
    facts = entry[1] if entry is not None and entry[0]() is model else _begin(model)
    fact = facts.get(what)
    if fact is None:
        fact = facts[what] = find(model)
    return fact


def _begin(model: Model) -> _Facts:
    place = id(model)

    def forget(gone: weakref.ref[Model]) -> None:
        # The place may belong to another model by now.
        if (entry := _known.get(place)) is not None and entry[0] is gone:
            del _known[place]

    with _lock:
        entry = _known.get(place)
        if entry is None or entry[0]() is not model:
            entry = _known[place] = (weakref.ref(model, forget), {})
    return entry[1]


def digest(*parts: object) -> str:
    """Hash of the text of some plain values; numbers are written exactly."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def fits(model: Model) -> str:
    """What ``rates`` gives, "" for equations that cannot be recorded: the readable solver looks at what they return.

    Refuses a model whose equations do not fit its states.
    """
    return once(model, "fits", _fits)


def _fits(model: Model) -> str:
    try:
        return rates(model)
    except Unrecordable:
        return ""


def rates(model: Model) -> str:
    """What a model's rates are: expressions, names, bounds and tolerances of its states."""
    return once(model, "rates", _rates)


def _rates(model: Model) -> str:
    return recorded(trace(model))


def recorded(traced: Traced) -> str:
    """What the rates of a model are, as they were just recorded (``rates``): nothing was added to the graph since."""
    model = traced.model
    inputs = tuple((i.name, i.kind) for i in model.inputs)
    states = tuple((s.name, s.scale, s.low, s.high) for s in model.states)
    return digest(traced.graph.nodes, traced.derivatives, states, model.parameters, inputs)


def initial(model: Model) -> str:
    """What a model's own start is."""
    return once(model, "initial", lambda m: _function(m, lambda t, x, p, u: m.initial(p), "the start", m.initial))


def starts(model: Model) -> bool:
    """Whether a model's own start can be recorded; else only Python can compute it."""

    def find(m: Model) -> str:
        try:
            return initial(m)
        except Unrecordable:
            return ""

    return bool(once(model, "starts", find))


def dose(model: Model, name: str) -> str:
    """What a dose does; a level is told by its name."""

    def find(m: Model) -> str:
        if name in m.level_names:
            return f"level {name}"
        what = f"the dose of '{name}'"
        return _function(m, lambda amount, x, p, u: m.apply_dose(name, amount, x, p), what, m.apply_dose)

    return once(model, f"dose {name}", find)


def observables(model: Model) -> str:
    """What can be observed."""
    return once(model, "observables", lambda m: _function(m, m.observables, "the observables"))


def observed(model: Model, names: Sequence[str]) -> None:
    """Refuse names that are neither states nor observables of a model."""
    _, outputs = record(model.name, model.observables, model.state_names, model.parameters, model.level_names)
    known = (*model.state_names, *outputs)
    for name in names:
        if name not in known:
            raise InputError(f"model {model.name}: {unknown('state or observable', name, known)}")


def course(model: Model, gives: Sequence[str], reads: Iterable[object], own_start: bool = False) -> tuple[str, ...]:
    """What a whole course rests on: rates, what each input does, the start and, if they are read, the observables."""
    facts = [rates(model), *(dose(model, name) for name in gives)]
    if own_start:
        facts.append(initial(model))
    if any(isinstance(of, str) and of not in model.state_names for of in reads):
        facts.append(observables(model))
    return tuple(facts)


def _function(
    model: Model, function: Callable[[Any, Any, Any, Any], Mapping[str, object]], what: str, of_states: object = None
) -> str:
    """What a function of a model is; ``of_states`` is the author's function where it may name states only."""
    graph, outputs = record(
        model.name, function, model.state_names, model.parameters, model.level_names, what, of_states or function
    )
    if of_states is not None:
        states_only(model, what, outputs, of_states)
    return digest(graph.nodes, outputs)
