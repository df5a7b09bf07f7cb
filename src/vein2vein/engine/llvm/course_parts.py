"""Parts of a course: what is given, events, outputs and summaries (see ``course.py``)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from vein2vein.engine.llvm import stepping
from vein2vein.engine.llvm.control_flow import Function
from vein2vein.engine.llvm.equations import straight
from vein2vein.engine.llvm.stepping import Layout
from vein2vein.engine.llvm.vector_math import double, lesser
from vein2vein.engine.method import jumps, summaries
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.request import REALS, Request
from vein2vein.engine.method.summaries import POINTS, Summary
from vein2vein.engine.trace.differentiated import within_bounds
from vein2vein.engine.trace.expression import Expression
from vein2vein.engine.trace.graph import Graph, needed
from vein2vein.engine.trace.recording import record
from vein2vein.models.model import Model, State

_PATIENT = "%at_patient"


@dataclass(frozen=True)
class Given:
    """An input that can be given: states or levels it changes, in the order of its function's results."""

    name: str
    states: tuple[int, ...] = ()
    level: int | None = None


@dataclass(frozen=True)
class CourseParts:
    """What events, doses and summaries keep per lane.

    Attributes
    ----------
    gives : tuple of Given
    events : tuple of Event
    wanted : tuple of Summary
    quantities : int
        Distinct quantities that are summarized.
    carried : int
    watched : tuple of tuple of int
        States that each event's condition reads.
    observed : tuple of int
        States that the summaries read.
    reads : int
        How many values are written on a day, where they are not the states.
    answers : int
        Of comparisons in what is summarized (``jumps.py``); they stand after the levels.
    asked : tuple of int
        States that they read.
    """

    gives: tuple[Given, ...]
    events: tuple[Event, ...]
    wanted: tuple[Summary, ...]
    quantities: int
    carried: int
    watched: tuple[tuple[int, ...], ...] = ()
    observed: tuple[int, ...] = ()
    reads: int = 0
    answers: int = 0
    asked: tuple[int, ...] = ()

    @property
    def arrays(self) -> list[tuple[str, int]]:
        """Names and lengths of arrays of vectors."""
        ends = max(self.quantities, 1)
        mixed = max(len(POINTS) * self.quantities + self.carried + 1, self.answers)
        per_event = [(f"owed{i}", 1) for i, e in enumerate(self.events) if e.delay > 0 or callable(e.amount)]
        per_event += [(name, 1) for name, _ in event_reals(self.events) if (name, 1) not in per_event]
        singles = ("cut", "at_after", "g", "end_share", "end_g", "low_share", "low_g", "high_share", "high_g")
        more = [(name, 1) for name in singles]
        kept = [("y", ends), ("carried", max(self.carried, 1)), ("mixed", mixed), ("reduced", mixed)]
        return [*kept, ("read", max(self.reads, 1)), *per_event, *more]

    @property
    def reals(self) -> list[tuple[str, int]]:
        """Array and place of the numbers that are carried from call to call (``carried_from``)."""
        return [*((name, 0) for name, _ in event_reals(self.events)), *(("carried", i) for i in range(self.carried))]

    @property
    def wholes(self) -> list[str]:
        """Names of the whole numbers that are carried from call to call."""
        return [name for name, _ in event_wholes(self.events)]

    def waiting(self, a: Function) -> Iterator[tuple[str, str]]:
        """Days on which an event may fire again, or gives, and in which lanes that is still to come."""
        for i, event in enumerate(self.events):
            if event.delay > 0:
                pending = a.load(f"%pending{i}")
                yield pending, a.compare("olt", a.load("%at_t"), pending)
            if event.most > 1:
                rearm = a.load(f"%rearm{i}")
                left = a.put(f"icmp ult {a.integers} {a.numbers(f'%fired{i}')}, {a.integer(event.most)}", "m")
                yield rearm, a.masks("and", left, a.compare("olt", a.load("%at_t"), rearm))

    def observe(self, a: Function, changed: str) -> None:
        """Values of the summarized quantities where a segment begins."""
        if self.wanted and not self.answers:
            t = a.load("%at_t")
            a.do(f"call void @observe({a.vector} {t}, ptr %x, ptr %p, ptr %u, ptr %mixed)")
            for i in range(self.quantities):
                a.put_where(changed, a.load("%mixed", i), "%y", i)


def event_reals(events: Sequence[Event]) -> list[tuple[str, float]]:
    """Numbers that events carry from call to call, and what they begin with.

    When each may fire again; where it gives later, when that is, and how much.
    """
    found: list[tuple[str, float]] = []
    for i, event in enumerate(events):
        found.append((f"rearm{i}", -math.inf))
        if event.delay > 0:
            found += [(f"pending{i}", math.inf), (f"owed{i}", 0.0)]
    return found


def event_wholes(events: Sequence[Event]) -> list[tuple[str, int]]:
    """Whole numbers that events carry from call to call, and what they begin with.

    Firings; whether it was crossed in the last step; of an edge, whether its condition held when last looked at.
    """
    found: list[tuple[str, int]] = []
    for i, event in enumerate(events):
        found += [(f"fired{i}", 0), (f"firing{i}", 0)]
        if event.edge:
            found.append((f"held{i}", int(not event.armed)))
    return found


def carried_from(request: Request) -> tuple[list[float], list[int]]:
    """What events and summaries begin with, in the order of ``CourseParts.reals`` and ``wholes``."""
    carried = [value for s in request.wanted for value in summaries.start(s.kind)]
    first = [value for _, value in event_reals(request.events)]
    return [*first, *carried], [value for _, value in event_wholes(request.events)]


def results_in(request: Request) -> list[int]:
    """Columns of ``Standing.reals`` that end as the results of the summaries."""
    sizes = [len(summaries.start(s.kind)) for s in request.wanted]
    before = len(REALS) + len(event_reals(request.events)) - 1
    return [before + total for total in accumulate(sizes)]


def functions(model: Model, request: Request, width: int, fused: bool) -> tuple[list[str], CourseParts]:
    """Assembly of the functions for starts, doses, conditions, outputs and summaries, and what they keep."""
    text: list[str] = []
    given: list[Given] = []
    events, wanted = request.events, request.wanted
    names = (model.state_names, model.parameters, model.level_names)
    if request.own_start:
        g, outputs = record(model.name, lambda t, x, p, u: model.initial(p), *names, "the start", model.initial)
        begins = [_inside(g, outputs.get(s.name, g.const(0.0)), s) for s in model.states]
        text.append(straight("begin", g, begins, width, fused))
    if request.reads:
        g, outputs = record(model.name, lambda t, x, p, u: read(model, request.reads, t, x, p, u), *names)
        text.append(straight("read", g, [outputs[n] for n in request.reads], width, fused))
    for i, name in enumerate(request.gives):
        if name in model.level_names:
            given.append(Given(name, level=model.level_names.index(name)))
            continue
        g, outputs = dose(model, name)
        given.append(Given(name, tuple(model.state_names.index(s) for s in outputs)))
        text.append(straight(f"dose{i}", g, list(outputs.values()), width, fused))
    watched: list[tuple[int, ...]] = []
    observed: tuple[int, ...] = ()
    for i, event in enumerate(events):
        g, outputs = record(
            model.name, _valued(event.condition), *names, f"the condition of {event.name}", event.condition
        )
        watched.append(_states(g, [outputs["value"]]))
        text.append(straight(f"condition{i}", g, [outputs["value"]], width, fused))
        if callable(event.amount):
            what = f"the amount of {event.name}"
            g, outputs = record(model.name, _valued(event.amount), *names, what, event.amount)
            text.append(straight(f"amount{i}", g, [outputs["value"]], width, fused))
    quantities = {key: i for i, key in enumerate(jumps.quantities(wanted))}
    answers: tuple[int, ...] = ()
    asked: tuple[int, ...] = ()
    if wanted:
        found = jumps.find(model, wanted)
        if found is None:
            g, seen = jumps.recorded(model, wanted)
        else:
            g, seen, answers = found.graph, list(found.outputs), found.answers
            asked = _states(g, [*answers, found.change])
            text.append(straight("answers", g, list(answers), width, fused))
            text.append(straight("change", g, [found.change], width, fused))
        observed = _states(g, seen)
        text.append(straight("observe", g, seen, width, fused))
        text.append(_reduce(model.name, wanted, quantities, width, fused))
    places = sum(len(summaries.start(s.kind)) for s in wanted)
    parts = CourseParts(
        tuple(given),
        tuple(events),
        tuple(wanted),
        len(quantities),
        places,
        tuple(watched),
        observed,
        len(request.reads),
        len(answers),
        asked,
    )
    return text, parts


def read(model: Model, names: Sequence[str], t: Any, x: Any, p: Any, u: Any) -> dict[str, Any]:
    """States and observables by their names."""
    if all(name in model.state_names for name in names):
        return {name: getattr(x, name) for name in names}
    every = model.observables(t, x, p, u)
    return {name: getattr(x, name) if name in model.state_names else every[name] for name in names}


def _states(g: Graph, outputs: Sequence[int]) -> tuple[int, ...]:
    """States that expressions read."""
    return tuple(sorted(args[0] for op, args in (g.nodes[n] for n in needed(g, outputs)) if op == "state"))


def _inside(g: Graph, value: int, state: State) -> int:
    """A start; not a number beyond the bounds of its state, so that it is told like any other that is none."""
    found, nan = value, g.const(math.nan)
    if math.isfinite(state.low):
        found = g.apply("choose", g.apply("less", value, g.const(state.low)), nan, found)
    if math.isfinite(state.high):
        found = g.apply("choose", g.apply("less", g.const(state.high), value), nan, found)
    return found


def dose(model: Model, name: str) -> tuple[Graph, dict[str, int]]:
    """Record what a dose does, within the bounds of the states; the amount stands in the place of the time."""
    names = (model.state_names, model.parameters, model.level_names)
    g, outputs = record(model.name, lambda amount, x, p, u: model.apply_dose(name, amount, x, p), *names)
    return g, within_bounds(g, outputs, model)


def _valued(condition: Callable[[Any, Any, Any, Any], Any]) -> Callable[[Any, Any, Any, Any], dict[str, Any]]:
    return lambda t, x, p, u: {"value": condition(t, x, p, u)}


def _reduce(
    name: str, wanted: Sequence[Summary], quantities: dict[tuple[object, bool], int], width: int, fused: bool
) -> str:
    """Assembly of ``reduce(t, mixed, ...)``: points of every quantity, what is carried along, and the step's length."""
    g = Graph()
    t = Expression(g, g.leaf("time"), name)
    points = len(POINTS)
    base = points * len(quantities)
    total = sum(len(summaries.start(s.kind)) for s in wanted)
    leaves = [Expression(g, g.leaf("state", i), name) for i in range(base + total + 1)]
    outputs: list[Any] = []
    place = base
    for s in wanted:
        size = len(summaries.start(s.kind))
        y = leaves[points * quantities[jumps.key(s)] : points * (quantities[jumps.key(s)] + 1)]
        carried = leaves[place : place + size]
        outputs += summaries.update(s.kind, y, t, leaves[-1], s.level, carried)
        place += size
    return straight("reduce", g, [o.node if isinstance(o, Expression) else g.const(o) for o in outputs], width, fused)


def give_doses(a: Function, parts: CourseParts, due: str) -> None:
    """Give each lane that is due what it is due; an amount of 0 changes nothing."""
    amount = a.load("%at_amount")
    given = a.masks("and", due, a.compare("une", amount, a.number(0.0)))
    for i, what in enumerate(parts.gives):
        this = a.put(f"icmp eq {a.integers} {a.numbers('%at_what')}, {a.integer(i)}", "m")
        chosen = a.masks("and", due if what.level is not None else given, this)
        with a.when(a.any(chosen)):
            give(a, i, what, amount, chosen)


def give(a: Function, number: int, what: Given, amount: str, chosen: str) -> None:
    """Give some lanes an amount of an input: the states it changes, or its level."""
    if what.level is not None:
        a.put_where(chosen, amount, "%u", what.level)
        return
    a.do(f"call void @dose{number}({a.vector} {amount}, ptr %x, ptr %p, ptr %u, ptr %node)")
    for i, state in enumerate(what.states):
        a.put_where(chosen, a.load("%node", i), "%x", state)


def write_outputs(a: Function, layout: Layout, request: Request, due: str, source: str, t: str) -> None:
    """Write what is read in the lanes that are due and go on to their next day."""
    count = len(request.reads) or layout.states
    if request.reads:
        a.do(f"call void @read({a.vector} {t}, ptr {source}, ptr %p, ptr %u, ptr %read)")
        source = "%read"
    with a.each_lane(due) as lane:
        number = a.get("%at_output", lane)
        row = a.whole("add", number, a.get("%at_output_shift", lane))
        a.copy(count, "%values", a.whole("mul", row, count), source, lane, inward=False)
        following = a.whole("add", number, 1)
        a.set(following, "%at_output", lane)
        a.set(double(math.inf), "%at_next_output", lane, "double")
        with a.when(a.put(f"icmp ult i64 {following}, {a.get('%at_output_last', lane)}", "c")):
            a.set(a.get("%days", following, "double"), "%at_next_output", lane, "double")


def observe_step(a: Function, layout: Layout, parts: CourseParts, t: str, after: str, h: str) -> None:
    """What is summarized, within the step as far as it goes; comes before the step is cut."""
    if not parts.wanted:
        return
    cut = _reach(a, t, after, h)
    if parts.answers:
        _observe(a, parts, t, "%x", 0)
    for place, point in enumerate(POINTS[1:-1], start=1):
        share = a.binary("fmul", cut, a.number(point))
        stepping.inside(a, layout, share, h, "%node", parts.observed)
        _observe(a, parts, a.fma(share, h, t), "%node", place)


def reduce_step(a: Function, parts: CourseParts, accepted: str, t: str, after: str, h: str) -> None:
    """Bring the summaries forward over the step, as far as it goes."""
    if not parts.wanted:
        return
    points, count = len(POINTS), parts.quantities
    length = a.binary("fsub", after, t)
    end = a.binary("fmul", _reach(a, t, after, h), a.number(POINTS[-1]))
    _observe(a, parts, a.fma(end, h, t), "%new", points - 1)
    for i in range(count if not parts.answers else 0):
        a.store(a.load("%y", i), "%mixed", points * i)
    for i in range(parts.carried):
        a.store(a.load("%carried", i), "%mixed", points * count + i)
    a.store(length, "%mixed", points * count + parts.carried)
    a.do(f"call void @reduce({a.vector} {t}, ptr %mixed, ptr %p, ptr %u, ptr %reduced)")
    for i in range(parts.carried):
        a.put_where(accepted, a.load("%reduced", i), "%carried", i)
    for i in range(count):
        a.put_where(accepted, a.load("%mixed", points * i + points - 1), "%y", i)


def reduce_here(a: Function, layout: Layout, parts: CourseParts, ends: str) -> None:
    """Let the summaries see what is given on the last day: no step follows that would (``plain_course._see``)."""
    if not parts.wanted:
        return
    t, points = a.load("%at_t"), len(POINTS)
    if parts.answers:
        a.do(f"call void @answers({a.vector} {t}, ptr %x, ptr %p, ptr %u, ptr %mixed)")
        for i in range(parts.answers):
            a.put_where(ends, a.load("%mixed", i), "%u", layout.levels + i)
    for place in range(points):
        _observe(a, parts, t, "%x", place)
    for i in range(parts.carried):
        a.store(a.load("%carried", i), "%mixed", points * parts.quantities + i)
    a.store(a.number(summaries.MOMENT), "%mixed", points * parts.quantities + parts.carried)
    a.do(f"call void @reduce({a.vector} {t}, ptr %mixed, ptr %p, ptr %u, ptr %reduced)")
    for i in range(parts.carried):
        a.put_where(ends, a.load("%reduced", i), "%carried", i)


def _reach(a: Function, t: str, after: str, h: str) -> str:
    return lesser(a, a.number(1.0), a.binary("fdiv", a.binary("fsub", after, t), h), steady=True)


def _observe(a: Function, parts: CourseParts, t: str, x: str, place: int) -> None:
    a.do(f"call void @observe({a.vector} {t}, ptr {x}, ptr %p, ptr %u, ptr %reduced)")
    for i in range(parts.quantities):
        a.store(a.load("%reduced", i), "%mixed", len(POINTS) * i + place)
