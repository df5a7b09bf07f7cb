"""Events: what is done to a patient when the state itself calls for it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from vein2vein.engine.handed_in import real, shown, word
from vein2vein.errors import InputError, unknown
from vein2vein.models.model import Model, is_whole

ROUNDS = 12
"""Rounds of false position that locate a crossing within a step."""

LOOKS = (1 / 4, 1 / 2, 3 / 4)
"""Shares of a step, besides its end, at which a condition is looked at."""


MOST = 100_000
"""Firings per patient that there is room for."""


@dataclass(frozen=True)
class Event:
    """An input that is given as soon as a condition holds.

    Attributes
    ----------
    name : str
    condition : callable (t, x, p, u) -> value
        The event fires when the value reaches 0 from below, at the moment of crossing; a condition that already holds
        at the beginning, after a dose or when the interval ends fires then. Each step is looked at in four places: what
        holds for less than a quarter of a step may pass unseen.
    give : str
        Input of the model: a dose is given, a level is set.
    amount : float
    most : int
        Firings per patient.
    interval : float
        Least time between two firings, days.
    """

    name: str
    condition: Callable[[Any, Any, Any, Any], Any]
    give: str
    amount: float
    most: int = 1
    interval: float = 0.0


def locate(value: Callable[[float], float], at_start: float, at_end: float, end: float) -> float:
    """Share of the step, up to ``end``, from which on a condition holds that did not at its start.

    False position in which the side that stays counts half, for a fixed number of rounds.
    """
    low, low_value = 0.0, min(at_start, 0.0)
    high, high_value = end, at_end
    for _ in range(ROUNDS):
        rise = high_value - low_value
        share = high - high_value * (high - low) / rise if rise > 0 else high
        found = value(share)
        if found >= 0:
            high, high_value, low_value = share, found, low_value / 2
        else:
            low, low_value, high_value = share, found, high_value / 2
    return high


def check(event: Event, model: Model) -> Event:
    """Return the event; refuse one that does not fit the model."""
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
    amount, interval = real(event.amount), real(event.interval)
    if amount is None or not np.isfinite(amount):
        raise InputError(f"event {event.name}: the amount is {shown(event.amount)}; give a finite number")
    if not is_whole(event.most) or not 1 <= event.most <= MOST:
        raise InputError(
            f"event {event.name}: at most {shown(event.most)} firings; give a whole number of 1 or more, up to {MOST}"
        )
    if interval is None or not 0 <= interval < np.inf or (event.most > 1 and interval == 0):
        raise InputError(
            f"event {event.name}: the interval is {shown(event.interval)} days; "
            "give a number above 0 where it may fire more than once"
        )
    return replace(event, amount=amount, most=int(event.most), interval=interval)
