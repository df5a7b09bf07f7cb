"""Derivatives under infusions, repeats and bioavailability: doses of every kind, brought to simple ones.

Each change of a patient (a dose of a series, a rate that is set) is a dose of its own; how it moves with the amount of
the dose that it belongs to is known (``doses.Given.parts``), and so the derivatives add up. A bioavailability that is a
parameter multiplies within the model, and is differentiated like any other parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import checks, days_asked
from vein2vein.engine import doses as doses_of
from vein2vein.engine.dose_records import NAMED
from vein2vein.engine.solve import Levels
from vein2vein.engine.tangents.prepared import Prepared, Sensitivities
from vein2vein.engine.tangents.tangent import DOSE, Matrix
from vein2vein.errors import InputError
from vein2vein.models.model import Model

Simply = Callable[[Model, Sequence[checks.Given], Sequence[str]], Prepared]
"""(model, simple doses, what is varied) -> derivatives laid out; all else is settled."""


@dataclass(frozen=True)
class _Laid:
    """What is laid out for n patients: what is given, and how it moves with each dose whose amount is varied."""

    n: int
    given: tuple[doses_of.Given, ...]
    prepared: Prepared
    every: Sequence[str]
    parts: Mapping[str, Sequence[tuple[int, Matrix]]]


@dataclass(frozen=True)
class Dosed:
    """Derivatives of a model's courses under doses of every kind; ``dosed`` makes it.

    It may be called from several threads at once. ``again`` makes it once more.
    """

    model: Model
    days: days_asked.Days
    doses: tuple[doses_of.Told, ...]
    wrt: tuple[str, ...]
    levels: Levels | None
    rtol: float
    simply: Simply
    again: Callable[[], object]
    _laid: list[_Laid] = field(default_factory=list[_Laid])

    def __reduce__(self) -> tuple[object, tuple[()]]:
        """Not the equations and the machine code, which another process makes anew."""
        return self.again, ()

    def __call__(
        self, parameters: ArrayLike, state: ArrayLike | None = None, levels: Levels | None = None
    ) -> Sensitivities:
        """Solve n patients and differentiate.

        Parameters
        ----------
        parameters : (n, parameters)
        state : (n, states), optional
            State on the first day, a constant; left out: the model's own start, differentiated.
        levels : (n, levels) or mapping of name to value, optional
            Left out: those that were prepared, or 0.
        """
        p = checks.matrix_of(parameters, self.model.parameters, "parameter", self.model)
        u = checks.levels_of(self.model, self.levels if levels is None else levels, len(p))
        laid = self._lay(p, u)
        more = len(laid.prepared.plan.model.level_names) - u.shape[1]
        found = laid.prepared(p, state, np.concatenate([u, np.zeros((len(p), more))], axis=1))
        gradients = np.zeros((*found.gradients.shape[:-1], len(self.wrt)))
        for q, name in enumerate(self.wrt):
            if name not in laid.parts:
                gradients[..., q] = found.gradients[..., laid.every.index(name)]
            for j, weight in laid.parts.get(name, ()):
                each = weight[:, None, None] if found.patient is None else weight[found.patient][:, None]
                gradients[..., q] += found.gradients[..., laid.every.index(f"{DOSE}{j}")] * each
        return replace(found, wrt=self.wrt, gradients=gradients)

    def _lay(self, p: Matrix, u: Matrix) -> _Laid:
        """Doses and courses for n patients, laid out again only where something else is given than before."""
        n, given = len(p), None
        for laid in self._laid:
            if laid.n != n:
                continue
            if not doses_of.follows_parameters(self.doses):
                return laid
            given = self._given(p, u)
            if _same(given.given, laid.given):
                return laid
        plan = self._given(p, u) if given is None else given
        parts = {name: _parts(plan.given, name) for name in self.wrt if name.startswith(DOSE)}
        single = [name for name in self.wrt if name not in parts]
        every = list(dict.fromkeys([*single, *(f"{DOSE}{j}" for found in parts.values() for j, _ in found)]))
        listed = [(g.day, str(g.what), g.amount) for g in plan.given]
        laid = _Laid(n, plan.given, self.simply(plan.model, listed, every), every, parts)
        self._laid[:] = [laid]
        return laid

    def _given(self, p: Matrix, u: Matrix) -> doses_of.Schedule:
        asked = self.days(len(p))
        when = (asked.begins, asked.ends)
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            found = doses_of.schedule(self.model, self.doses, p, u, *when, self.rtol, _never)
        for given in found.given:
            if np.any(~np.isfinite(given.amount) & ~np.isnan(given.day)):
                numbers = " or ".join(str(i) for i, _ in given.parts)
                raise InputError(
                    f"dose number {numbers} (from 0): its amount times its bioavailability, by its duration, "
                    "is too large to compute with; give a smaller amount or a longer duration"
                )
        return found


def dosed(
    simply: Simply, model: Model, days: days_asked.Days, doses: tuple[doses_of.Told, ...], wrt: tuple[str, ...],
    levels: Levels | None, rtol: float, again: Callable[[], object],
) -> Dosed:  # fmt: skip
    """Derivatives under doses of every kind.

    Raises
    ------
    InputError
        Where the days of a dose would move with what is varied (a lag, a duration, the amount under a given rate), and
        for steady states and resets.
    """
    if doses_of.sets(doses):
        raise InputError(
            "a steady state or a reset sets the state, and derivatives do not follow; give the doses alone"
        )
    fixed = _fixed(doses)
    for name in wrt:
        if name in fixed:
            raise InputError(f"there is no derivative with respect to '{name}': {fixed[name]}")
        number = name[len(DOSE) :] if name.startswith(DOSE) else "0"
        if not (number.isascii() and number.isdigit()) or int(number) >= max(len(doses), 1):
            raise InputError(f"'{name}' names no dose; there are {len(doses)}, numbered from 0: give '{DOSE}0'")
    # What else was asked wrongly is told now, although how many simple doses there are is known at a call only.
    nothing = np.zeros(())
    names = [i.name for i in doses_of.whole(model, doses).inputs if i.name in doses_of.gives(doses)]
    simply(
        doses_of.whole(model, doses),
        [(nothing, name, nothing) for name in names],
        [w for w in wrt if not w.startswith(DOSE)],
    )
    return Dosed(model, days, doses, wrt, levels, rtol, simply, again)


def _fixed(doses: Sequence[doses_of.Told]) -> dict[str, str]:
    """What a course cannot be differentiated by, and why."""
    found: dict[str, str] = {}
    for number, d in enumerate(doses):
        if not isinstance(d, doses_of.Dose):
            continue
        dose = f"dose number {number} (from 0)"
        for attribute in NAMED:
            name = getattr(d, attribute)
            if isinstance(name, str) and (attribute != "bioavailability" or d.rate is not None):
                found[name] = f"the days of {dose} move with its {attribute}"
        if d.rate is not None:
            found[f"{DOSE}{number}"] = f"the end of {dose} moves with its amount; give its duration, not its rate"
    return found


def _parts(given: Sequence[doses_of.Given], name: str) -> list[tuple[int, Matrix]]:
    """Numbers of the simple doses that a dose was brought to, and how each moves (n,) with its amount."""
    number = int(name[len(DOSE) :])
    return [(j, weight) for j, g in enumerate(given) for of, weight in g.parts if of == number]


def _same(one: Sequence[doses_of.Given], other: Sequence[doses_of.Given]) -> bool:
    """Whether two times the same is given."""

    def equal(a: Matrix, b: Matrix) -> bool:
        return np.array_equal(a, b, equal_nan=True)

    return len(one) == len(other) and all(
        a.what == b.what and equal(a.day, b.day) and equal(a.amount, b.amount)
        and len(a.parts) == len(b.parts)
        and all(i == j and equal(v, w) for (i, v), (j, w) in zip(a.parts, b.parts))
        for a, b in zip(one, other)
    )  # fmt: skip


def _never(*_: Any) -> tuple[Matrix, NDArray[np.int64]]:
    raise InputError("a steady state sets the state, and derivatives do not follow; give doses alone")
