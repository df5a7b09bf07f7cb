"""What is given to whom and when, brought to what the solvers obey: inputs on days, and changes of the state.

Repeats become days, lag times move them, infusions become rates that are set (``infusions.py``), steady states and
resets become states that are set or added (``steady_state.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import checks, steady_state
from vein2vein.engine.dose_records import (
    Dose,
    Read,
    Reset,
    at_once,
    follows_parameters,
    known_input,
    read,
    runs,
    scaled_of,
    simple,
    some_at_once,
    without_rate,
)
from vein2vein.engine.handed_in import entries
from vein2vein.engine.infusions import Running, Scaled, totals, wrapped
from vein2vein.engine.method import tableau
from vein2vein.engine.method.request import ADD, SET
from vein2vein.errors import InputError
from vein2vein.models.model import Model, start

__all__ = [
    "Cycle", "Dose", "Given", "Reset", "Schedule", "Told", "follows_parameters", "gives", "listed", "schedule", "sets",
    "simple", "whole",
]  # fmt: skip

Matrix = NDArray[np.float64]
Told = tuple[ArrayLike, str, ArrayLike] | Dose | Reset

MOST_OVERLAPS = 1_000
"""Intervals that one infusion may outlast at a steady state."""
_DAY = 1.0
"""Days over which an infusion that has run for ever is looked at."""


class Given(NamedTuple):
    """One change of every patient.

    Attributes
    ----------
    day : ndarray () or (n,)
        NaN: not of this patient.
    what : str or int
        Input of the model; or SET, ADD, whose amount is a row of the resets.
    amount : ndarray () or (n,)
    parts : tuple of (number of dose, change of the amount with that dose's amount)
    """

    day: Matrix
    what: str | int
    amount: Matrix
    parts: tuple[tuple[int, Matrix], ...] = ()


@dataclass(frozen=True)
class Schedule:
    """What the solvers obey.

    Attributes
    ----------
    model : Model
        As it was, or with levels for rates of infusion and doses that a parameter multiplies.
    given : tuple of Given
        In the order in which they come on one day.
    resets : ndarray (r, states)
    """

    model: Model
    given: tuple[Given, ...]
    resets: Matrix


Cycle = Callable[
    [Model, Matrix, Matrix, Matrix, Matrix, Sequence[Given], Matrix, float], tuple[Matrix, NDArray[np.int64]]
]
"""(model, parameters, state, first day (m,), last day (m,), given, levels, rtol) -> state on the last day, status."""


def listed(model: Model, doses: object) -> tuple[Told, ...]:
    """Doses in a list; refuse what is none, and an input that the model does not have."""
    if isinstance(doses, (str, bytes, Mapping)) or not isinstance(doses, Iterable):
        return tuple(checks.doses_of(model, doses))
    every = tuple(entries(cast("Iterable[object]", doses), "the list of doses"))
    if simple(every):
        return tuple(checks.doses_of(model, every))
    found: list[Told] = []
    for number, told in enumerate(every):
        if isinstance(told, Dose):
            known_input(model, told)
            told = without_rate(told)
        found.append(told if isinstance(told, (Dose, Reset)) else checks.doses_of(model, [told], number)[0])
    return tuple(found)


def whole(model: Model, doses: Sequence[Told]) -> Model:
    """The model in which doses can be given: as it is, or with rates of infusion and doses times a parameter."""
    every = [(scaled_of(d), d) for d in doses if isinstance(d, Dose)]
    infused = {s: None for s, d in every if runs(d)}
    scaled = {s: None for s, d in every if s.by and not runs(d)}
    return wrapped(model, tuple(infused), tuple(scaled))


def gives(doses: Sequence[Told]) -> set[str]:
    """Names of the inputs of that model which are given or set."""
    found: set[str] = set()
    for d in doses:
        if isinstance(d, Dose):
            found.add(scaled_of(d).rate if runs(d) else scaled_of(d).name)
            if some_at_once(d):
                found.add(scaled_of(d).name)
        elif not isinstance(d, Reset):
            found.add(d[1])
    return found


def sets(doses: Sequence[Told]) -> bool:
    """Whether any of them sets the state."""
    return any(isinstance(d, Reset) or (isinstance(d, Dose) and d.steady_state != 0) for d in doses)


def schedule(
    model: Model, doses: Sequence[Told], parameters: Matrix, levels: Matrix, begins: Matrix, ends: Matrix, rtol: float,
    cycle: Cycle,
) -> Schedule:  # fmt: skip
    """What is to be done to n patients.

    Parameters
    ----------
    doses : sequence of (day, input name, amount), Dose or Reset
        As ``listed`` returns them.
    parameters, levels : ndarray (n, parameters), (n, levels)
    begins, ends : ndarray (n,)
        First and last day of each course.
    cycle : callable
        Carries patients through an interval, for steady states.
    """
    n = len(parameters)
    if simple(doses):
        found = checks.schedule_of(model, doses, begins, n)
        every = tuple(Given(d, name, a, ((i, np.ones(())),)) for i, (d, name, a) in enumerate(found))
        return Schedule(model, every, np.zeros((0, len(model.states))))
    every_read = [r for i, told in enumerate(doses) for r in at_once(read(model, i, told, parameters, begins))]
    infused = [r.scaled for r in every_read if r.scaled is not None and r.infused]
    full = whole(model, doses)
    padded = np.concatenate([levels, np.zeros((n, len(full.level_names) - levels.shape[1]))], axis=1)
    given: list[Given] = []
    running: dict[Scaled, list[Running]] = {s: [] for s in infused}
    resets: list[Matrix] = []

    def change(what: int, day: Matrix, states: Matrix) -> None:
        given.append(Given(day, what, np.arange(n, dtype=float) + n * len(resets)))
        resets.append(states)

    for r in every_read:
        until = _cancelled(r, every_read)
        if r.scaled is None:
            change(SET, r.day, start(model, parameters))
            continue
        if r.steady_state:
            state = _steady(full, r, parameters, _levels_at(model, padded, r, every_read), rtol, cycle)
            change(SET if r.steady_state == 1 else ADD, r.day, state)
            if r.endless:
                continue
            if r.infused:
                running[r.scaled] += _outlasting(r, until)
        last = until if r.scaled.input not in model.level_names else np.full(n, np.inf)
        for day in _days(r, ends):
            day = np.where(day < last, day, np.nan)
            if r.infused:
                running[r.scaled].append(_run(r, day, last))
            else:
                given.append(Given(day, r.scaled.name, r.by_number * r.amount, ((r.number, r.by_number),)))
    for s, parts in running.items():
        given += [Given(day, s.rate, rate, slopes) for day, rate, slopes in totals(parts)]
    states = np.concatenate(resets) if resets else np.zeros((0, len(model.states)))
    return Schedule(full, tuple(given), states)


def _cancelled(r: Read, every: Sequence[Read]) -> Matrix:
    """Day (n,) from which on nothing more of a dose is given: the next reset or steady state (1) after it."""
    until = np.full(len(r.day), np.inf)
    for other in every:
        if other.number != r.number and (other.scaled is None or other.steady_state == 1):
            later = (r.day < other.day) | ((r.day == other.day) & (r.number < other.number))
            until = np.where(later & (other.day < until), other.day, until)
    return until


def _days(r: Read, ends: Matrix) -> list[Matrix]:
    """Days (n,) on which a dose and its repeats arrive, up to the end of the course; NaN: not this patient."""
    first = r.day + r.lag
    first = np.where(np.abs(first) < tableau.LEAST_STEP, 0.0, first)
    found = [first]
    for k in range(1, int(r.additional.max(initial=0)) + 1):
        day = np.where(k <= r.additional, first + k * r.interval, np.nan)
        if not np.any(day <= ends):
            break
        found.append(day)
    return found


def _run(r: Read, day: Matrix, until: Matrix) -> Running:
    rate, slope = r.speed
    return Running(day, np.minimum(day + r.length, until), rate, (r.number, slope))


def _outlasting(r: Read, until: Matrix) -> list[Running]:
    """Infusions of a steady state that began before its day and still run."""
    found: list[Running] = []
    for k in range(1, _overlaps(r) + 1):
        end = np.minimum(r.day + r.lag - k * r.interval + r.length, until)
        rate, slope = r.speed
        found.append(Running(r.day, end, rate, (r.number, slope)))
    return found


def _overlaps(r: Read) -> int:
    """Most earlier intervals whose infusion still runs."""
    if not r.infused:
        return 0
    count = int(np.ceil(np.max((r.lag + r.length) / r.interval, initial=0.0)))
    if count > MOST_OVERLAPS:
        raise InputError(
            f"dose number {r.number} (from 0): its infusion outlasts {count} intervals; give at most {MOST_OVERLAPS}"
        )
    return count


def _steady(model: Model, r: Read, parameters: Matrix, levels: Matrix, rtol: float, cycle: Cycle) -> Matrix:
    """State (n, states) that a steady state sets or adds; of a patient who has none of it: 0."""
    n, name = len(r.day), cast("Scaled", r.scaled)
    first = r.day - (_DAY if r.endless else r.interval)
    if r.endless:
        given = [Given(first, name.rate, r.speed[0])]
    elif r.infused:
        starts = [first + r.lag - k * r.interval for k in range(_overlaps(r) + 1)]
        parts = [Running(np.maximum(s, first), np.minimum(s + r.length, r.day), *_speed(r)) for s in starts]
        given = [Given(day, name.rate, rate) for day, rate, _ in totals(parts)]
    else:
        given = [Given(first + r.lag, name.name, r.by_number * r.amount)]
    whom = np.flatnonzero(np.isfinite(r.day))
    begin = start(model, parameters)[whom]

    def found(doses: Sequence[Given]) -> Matrix:
        def flow(rows: NDArray[np.int64], state: Matrix) -> tuple[Matrix, NDArray[np.int64]]:
            i = whom[rows]
            own = [Given(g.day[i], g.what, g.amount[i]) for g in doses]
            return cycle(model, parameters[i], state, first[i], r.day[i], own, levels[i], steady_state.tighter(rtol))

        steady = steady_state.steady_state(model, flow, begin, rtol)
        if not steady.reached.all():
            row = int(whom[np.flatnonzero(~steady.reached)[0]])
            what = "this dose" if doses else "no dose"
            raise InputError(
                f"dose number {r.number} (from 0), of '{name.input}': patient {row} (row, from 0) comes to no steady "
                f"state under {what}; give the doses one by one, with additional, or look at what is never cleared"
            )
        return steady.state

    state = np.zeros((n, begin.shape[1]))
    state[whom] = found(given)
    if r.steady_state == 2:
        state[whom] -= found([])
    return state


def _speed(r: Read) -> tuple[Matrix, tuple[int, Matrix]]:
    rate, slope = r.speed
    return rate, (r.number, slope)


def _levels_at(model: Model, levels: Matrix, r: Read, every: Sequence[Read]) -> Matrix:
    """Levels (n, l) on the day of a dose, by what is set until then."""
    found = np.array(levels)
    since = np.full(levels.shape, -np.inf)
    for other in every:
        if other.scaled is None or other.scaled.input not in model.level_names:
            continue
        column = model.level_names.index(other.scaled.input)
        for day in _days(other, r.day):
            now = (day <= r.day) & (day >= since[:, column])
            found[now, column], since[now, column] = other.amount[now], day[now]
    return found
