"""What derivatives need that is prepared once for a model, its directions, doses and events."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vein2vein.engine.method.events import Event
from vein2vein.engine.tangents import corners as corners_of
from vein2vein.engine.tangents import joined, known, tangent, whole
from vein2vein.engine.tangents.tangent import Direction
from vein2vein.engine.trace import content
from vein2vein.engine.trace.differentiated import Recorded, differentiated, dose, initial
from vein2vein.engine.trace.kept import Kept
from vein2vein.errors import InputError, unknown
from vein2vein.models.model import Model


@dataclass(frozen=True)
class Plan:
    """What is prepared once for a model, its directions, doses and events.

    ``whole`` is None where a path must be followed from day to day; ``stepped`` is whether it cannot be (``known.py``).
    """

    key: Hashable
    model: Model
    directions: tuple[Direction, ...]
    start: Recorded
    doses: Mapping[str, Recorded]
    own: Mapping[int, str]
    surfaces: tuple[corners_of.Surface, ...]
    outputs: Recorded | None
    whole: whole.Whole | None
    stepped: bool


_plans: Kept[Plan] = Kept(64)
_stepwise: Kept[joined.Prepared] = Kept(16)


def plan_of(
    model: Model, directions: tuple[Direction, ...], doses: Sequence[str], events: tuple[Event, ...],
    outputs: Sequence[str] | None, corners: bool,
) -> Plan:  # fmt: skip
    """What derivatives of a model need; ``doses`` are the inputs that are given, dose by dose."""
    inputs = {*doses, *(e.give for e in events)} - set(model.level_names)
    own = {q: doses[d.index] for q, d in enumerate(directions) if d.kind == "dose" and d.level < 0}
    facts = [content.rates(model), content.initial(model), *(content.dose(model, name) for name in sorted(inputs))]
    if outputs is not None:
        facts.append(content.observables(model))
    key = (
        model.name, tuple(facts), directions, tuple(sorted(inputs)), tuple(own.items()), events,
        None if outputs is None else tuple(outputs), corners,
    )  # fmt: skip

    def made() -> Plan:
        recorded = {name: dose(model, name) for name in sorted(inputs)}
        begin = initial(model)
        which = tuple(corners_of.surfaces(model, events))
        which = (*which, *known.roundings(model, directions)) if corners and directions else which[: len(events)]
        stepped = known.stepped(which, directions)
        read = None if outputs is None else outputs_of(model, outputs)
        once = None
        if any(not known.is_timed(s) for s in stepped) or (stepped and not whole.possible(which)):
            raise known.refused(model)
        if whole.possible(which):
            links = corners_of.links(which, model)
            system = tangent.extend(model, directions, recorded, begin, given=own, links=links, sized=True)
            once = whole.make(system, begin, recorded, own, which, read)
        return Plan(key, model, directions, begin, recorded, own, which, read, once, bool(stepped))

    return _plans.get(key, made)


def followed(model: Model, doses: Sequence[str], outputs: Sequence[str] | None) -> Plan:
    """What it takes to meet every corner of a path, without derivatives; as for ``plan_of``."""
    inputs = tuple(sorted({*doses} - set(model.level_names)))
    facts = [content.rates(model), content.initial(model), *(content.dose(model, name) for name in inputs)]
    if outputs is not None:
        facts.append(content.observables(model))
    key = ("followed", model.name, tuple(facts), inputs, None if outputs is None else tuple(outputs))

    def made() -> Plan:
        recorded, begin = {name: dose(model, name) for name in inputs}, initial(model)
        which = tuple(corners_of.surfaces(model, ()))
        read = None if outputs is None else outputs_of(model, outputs)
        once = None
        if whole.possible(which):
            system = tangent.extend(model, (), recorded, begin, sized=True)
            once = whole.make(system, begin, recorded, {}, which, None)
        return Plan(key, model, (), begin, recorded, {}, which, read, once, False)

    return _plans.get(key, made)


def stepwise(plan: Plan) -> joined.Prepared:
    """What following patients from day to day needs."""
    if plan.stepped:
        raise known.refused(plan.model)

    def made() -> joined.Prepared:
        paced = bool(plan.surfaces)
        scout = tangent.extend(plan.model, (), {}, plan.start, paced=True) if paced else None
        links = corners_of.links(plan.surfaces, plan.model)
        system = tangent.extend(
            plan.model, plan.directions, plan.doses, plan.start, given=plan.own, links=links, paced=paced
        )
        return joined.Prepared(plan.model, plan.doses, plan.surfaces, system, scout, plan.outputs)

    return _stepwise.get(plan.key, made)


def outputs_of(model: Model, names: Sequence[str]) -> Recorded:
    """States and observables by name, differentiated."""

    def chosen(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
        every = {**model.observables(t, x, p, u), **{s: getattr(x, s) for s in model.state_names}}
        for name in names:
            if name not in every:
                raise InputError(f"model {model.name}: {unknown('output', name, tuple(every))}")
        return {name: every[name] for name in names}

    return differentiated(model, chosen)
