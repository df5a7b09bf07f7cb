"""Events: what is done to a patient when the state itself calls for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from vein2vein.engine.handed_in import real, shown, word
from vein2vein.engine.method.conditions import distance
from vein2vein.engine.trace.agreed import function_of
from vein2vein.errors import InputError, unknown
from vein2vein.models.model import Model, is_whole
from vein2vein.records import described

ROUNDS = 20
"""Rounds that locate a crossing within a step."""

DRAWN = 0.2
"""How far towards the middle of what is left a round looks, per share of it that is left."""

LOOKS = (1 / 4, 1 / 2, 3 / 4)
"""Shares of a step, besides its end, at which a condition is looked at."""


MOST = 100_000
"""Firings per patient that there is room for."""

TRIGGERS = ("level", "edge")


@described
@dataclass(frozen=True)
class Event:
    """An input that is given as soon as a condition holds.

    Attributes
    ----------
    name : str
    condition : callable (t, x, p, u) -> value
        The event fires when the value reaches 0 from below, at the moment of crossing; or, where the value is true or
        false (``x.A < 0.5``; products, minima and maxima of such), when it becomes true. Each step is looked at in four
        places: what holds for less than a quarter of a step may pass unseen.
    give : str
        Input of the model: a dose is given, a level is set.
    amount : float or callable (t, x, p, u) -> float
        A function is asked at the moment at which the event fires, before anything that fires with it is given.
    most : int
        Firings per patient.
    interval : float
        Least time between two firings, days.
    trigger : {"level", "edge"}
        "level": a condition that already holds at the beginning, after a dose or when the interval ends fires then.
        "edge": only what becomes true fires, and fires again only after it was false; what becomes true within the
        interval does not fire.
    armed : bool
        Of an edge: whether the condition counts as false before the beginning; if not, what holds at the beginning does
        not fire.
    delay : float
        Days between firing and giving.
    priority : float
        Of events that fire at one moment, the higher one gives first; of equal ones, the one listed first. A "level"
        looks at the state that those before it leave, an "edge" at the state before anything is given.
    """

    name: str
    condition: Callable[[Any, Any, Any, Any], Any]
    give: str
    amount: float | Callable[[Any, Any, Any, Any], Any]
    most: int = 1
    interval: float = 0.0
    trigger: str = "level"
    armed: bool = True
    delay: float = 0.0
    priority: float = 0.0

    @property
    def edge(self) -> bool:
        """Whether only what becomes true fires."""
        return self.trigger == "edge"


def order(events: Sequence[Event]) -> tuple[int, ...]:
    """Places of events in the order in which those of one moment give."""
    return tuple(sorted(range(len(events)), key=lambda i: -events[i].priority))


def locate(value: Callable[[float], float], at_start: float, at_end: float, end: float, begin: float = 0.0) -> float:
    """Share of the step, between ``begin`` and ``end``, from which on a condition holds that did not before.

    False position drawn a little towards the middle, and never so far from it that a round halves less than bisection
    would have done a round ago (ITP: Oliveira and Takahashi 2020, ACM Trans. Math. Softw. 47, 5). A fixed number of
    rounds, so that what is left is at most 2^(1 - ROUNDS) of the share looked at, even where the condition jumps.
    """
    low, low_value = begin, min(at_start, 0.0)
    high, high_value = end, at_end
    room = whole = high - low
    for _ in range(ROUNDS):
        width, rise = high - low, high_value - low_value
        middle = low + width / 2
        share = high - high_value * width / rise if rise > 0 else high
        drawn = DRAWN * width * width / whole
        share = min(share + drawn, middle) if share < middle else max(share - drawn, middle)
        free = room - width / 2
        share = min(max(share, middle - free), middle + free)
        found = value(share)
        if found >= 0:
            high, high_value = share, found
        else:
            low, low_value = share, found
        room = room / 2
    return high


def check(event: Event, model: Model) -> Event:
    """Return the event as it is watched (``conditions.distance``); refuse one that does not fit the model."""
    known = [i.name for i in model.inputs]
    name, condition, gives = (cast("object", v) for v in (event.name, event.condition, event.give))
    if not isinstance(name, str) or not name:
        raise InputError(f"an event is called {shown(event.name)}; give it a name of one letter or more")
    if not callable(event.condition) or not isinstance(condition, Hashable):
        raise InputError(
            f"event {event.name}: the condition is {shown(event.condition)}; give a function of (t, x, p, u)"
        )
    if not isinstance(gives, str) or gives not in known:
        raise InputError(f"event {event.name}: model {model.name}: {unknown('input', word(gives), known)}")
    amount = cast("object", event.amount)
    if callable(amount) and amount.__hash__ is None:
        raise InputError(f"event {event.name}: the amount is {shown(amount)}; give a function of (t, x, p, u)")
    if not callable(amount) and not _finite(amount):
        raise InputError(
            f"event {event.name}: the amount is {shown(event.amount)}; give a finite number, or a function"
        )
    if not is_whole(event.most) or not 1 <= event.most <= MOST:
        raise InputError(
            f"event {event.name}: at most {shown(event.most)} firings; give a whole number of 1 or more, up to {MOST}"
        )
    if not isinstance(cast("object", event.trigger), str) or event.trigger not in TRIGGERS:
        raise InputError(f"event {event.name}: {unknown('trigger', word(event.trigger), TRIGGERS)}")
    if not isinstance(cast("object", event.armed), bool):
        raise InputError(f"event {event.name}: armed is {shown(event.armed)}; give True or False")
    if not event.armed and not event.edge:
        raise InputError(f"event {event.name}: only a trigger 'edge' can begin unarmed; leave out armed")
    for what in ("interval", "delay"):
        value = getattr(event, what)
        if not _finite(value) or value < 0:
            raise InputError(f"event {event.name}: the {what} is {shown(value)} days; give a finite number, 0 or more")
    if not _finite(event.priority):
        raise InputError(f"event {event.name}: the priority is {shown(event.priority)}; give a finite number")
    if event.most > 1 and event.interval == 0 and not event.edge:
        raise InputError(
            f"event {event.name}: the interval is {shown(event.interval)} days; "
            "give a number above 0 where it may fire more than once"
        )
    if event.most > 1 and event.interval < event.delay:
        raise InputError(
            f"event {event.name}: the interval is {event.interval:g} days and the delay {event.delay:g}; where it may "
            "fire more than once, let the interval be no shorter than the delay"
        )
    numbers = {name: real(getattr(event, name)) for name in ("interval", "delay", "priority")}
    given = amount if callable(amount) else real(amount)
    known_when = distance(event.condition, model, event.name)
    return replace(event, condition=known_when, amount=given, most=int(event.most), **numbers)


def agreed(events: Sequence[Event], model: Model) -> tuple[Event, ...]:
    """Events as the readable solver asks them (``trace/agreed.py``)."""
    return tuple(
        replace(
            e,
            condition=function_of(model, e.condition, f"the condition of {e.name}"),
            amount=function_of(model, e.amount, f"the amount of {e.name}") if callable(e.amount) else e.amount,
        )
        for e in events
    )


def differentiable(event: Event) -> tuple[Event, float]:
    """An event and its amount; refuse one through which no derivatives are known."""
    amount = event.amount
    odd = {
        "trigger 'edge' is": event.edge, f"delay {event.delay:g} is": event.delay > 0,
        f"priority {event.priority:g} is": event.priority != 0, "a function as amount is": callable(amount),
    }  # fmt: skip
    given = next((what for what, is_so in odd.items() if is_so), None)
    if given or callable(amount):
        raise InputError(
            f"event {event.name}: {given} given; derivatives are known through events of trigger 'level', with a "
            "number as amount and without delay and priority"
        )
    return event, float(amount)


def _finite(value: object) -> bool:
    """Whether a value is one finite number."""
    found = real(value)
    return found is not None and math.isfinite(found)
