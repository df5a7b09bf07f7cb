"""One patient under way by the readable solver: where the course stands, and what its events and summaries keep."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.method import jumps, summaries
from vein2vein.engine.method.plain import Control
from vein2vein.engine.method.request import EXPLICIT, IMPLICIT, ON, REALS, WHOLES, Request, Standing
from vein2vein.models import author
from vein2vein.models.model import Model, Names, give

Vector = NDArray[np.float64]


class Course:
    """One patient under way."""

    def __init__(self, model: Model, request: Request, control: Control, found: Standing, row: int, p: Vector) -> None:
        self.model = model
        self.request = request
        self.controls = {EXPLICIT: control, IMPLICIT: replace(control, method=control.stiff or control.method)}
        self.x = np.array(found.state[row])
        self.row = p
        self.levels = np.array(found.levels[row])
        self.p = Names(zip(model.parameters, p.tolist()))
        self.t, self.h, log_before, self.other = found.reals[row, : len(REALS)].tolist()
        self.before = math.exp(log_before)
        counts = found.whole[row, : len(WHOLES)].tolist()
        _, self.method, self.fresh, self.status, self.steps, self.rejected = counts[:6]
        self.streak, self.spell, self.failed = counts[-3:]
        self.fired: list[list[float]] = [[] for _ in request.events]
        self.crossed = [False] * len(request.events)
        self.held = [not e.armed for e in request.events]
        self.count = [0] * len(request.events)
        self.rearm = [-math.inf] * len(request.events)
        self.pending = [math.inf] * len(request.events)
        self.owed = [0.0] * len(request.events)
        self.quantities = [summaries.quantity(s, model) for s in request.wanted]
        self.flipped, self.soon = False, 0
        self.watched: jumps.Watched | None = None
        self.answers: dict[str, float] = {}
        if (jumping := jumps.find(model, request.wanted)) is not None:
            self.watched = jumps.watched(model, jumping)
            places = {key: i for i, key in enumerate(jumps.quantities(request.wanted))}
            self.quantities = [self.watched.quantities[places[jumps.key(s)]] for s in request.wanted]
        self.carried: list[Sequence[Any]] = [summaries.start(s.kind) for s in request.wanted]
        self.y: list[float] = []

    @property
    def control(self) -> Control:
        """Tolerances and method of the next step."""
        return self.controls[self.method]

    def write(self, found: Standing, row: int) -> None:
        """Write down where the patient stands."""
        found.state[row], found.levels[row] = self.x, self.levels
        found.reals[row, : len(REALS)] = self.t, self.h, math.log(self.before), self.other
        counts = (0, self.method, ON, self.status, self.steps, self.rejected)
        found.whole[row, : len(counts)] = counts
        found.whole[row, WHOLES.index("streak") :][:3] = self.streak, self.spell, self.failed

    @property
    def u(self) -> Names:
        """Levels by name, and the answers that summaries hold (``jumps.py``)."""
        return Names([*zip(self.model.level_names, self.levels.tolist()), *self.answers.items()])

    def named(self, x: Vector) -> Names:
        """States by name."""
        return Names(zip(self.model.state_names, x.tolist()))

    def value(self, function: Callable[[Any, Any, Any, Any], Any], t: float, x: Vector) -> float:
        """A function of (t, x, p, u) of this patient."""
        try:
            found = function(t, self.named(x), self.p, self.u)
        except ArithmeticError:
            return math.nan
        except Exception as error:  # the author's own code, whatever is wrong with it
            raise author.told(self.model.name, "a condition or summary", error) from error
        try:
            return float(found)
        except (TypeError, ValueError):
            text = f"a condition or summary gives {' '.join(repr(found).split())}; let it give one number"
            raise author.fault(f"model {self.model.name}: {text}", author.begins(function)) from None

    def give(self, name: str, amount: float) -> None:
        """Give a dose or set a level."""
        if name in self.model.level_names:
            self.levels[self.model.level_names.index(name)] = amount
        else:
            self.x = give(self.model, name, amount, self.x[None], self.row[None])[0]

    def read(self, t: float, x: Vector) -> Vector:
        """What is written on a day."""
        names = self.request.reads
        if not names:
            return x
        states = dict(zip(self.model.state_names, x.tolist()))
        every: Mapping[str, Any] = {}
        if any(name not in states for name in names):
            every = self.model.observables(t, self.named(x), self.p, self.u)
        return np.array([states[n] if n in states else float(every[n]) for n in names])

    def armed(self, number: int) -> bool:
        """Whether an event may fire now."""
        return self.count[number] < self.request.events[number].most and self.t >= self.rearm[number]
