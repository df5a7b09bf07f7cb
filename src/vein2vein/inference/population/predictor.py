"""Predictions for many sets of parameters at once: by a model's closed form where it has one, else by its equations.

    predict = predictor_of(problem, layout)
    predict(psi)           # (copies, spans, parameters) -> (copies, m)

A subject that cannot be solved gives NaN for its own rows and leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.population.by_equations import by_equations
from vein2vein.inference.population.layout import Given, Layout
from vein2vein.inference.population.problem import DoseModel, FitProblem
from vein2vein.models.closed_form import Exponentials, SinceDose, inputs_of, left_of_unit
from vein2vein.models.model import Names

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Predict: TypeAlias = Callable[[Floats], Floats]


def predictor_of(
    problem: FitProblem, layout: Layout, threads: int | None = None
) -> tuple[Predict, bool, tuple[str, ...]]:  # fmt: skip
    """How predictions are made, whether by a closed form, and notes on it.

    Parameters
    ----------
    problem : FitProblem
    layout : Layout
    threads : int, optional
        Of the engine.
    """
    form = problem.model.closed_form
    if form is None or problem.settings.solver == "equations":
        predict, notes = by_equations(problem, layout, threads)
        return predict, False, notes
    why = _why_not(problem, layout)
    if why:
        predict, notes = by_equations(problem, layout, threads)
        return predict, False, (*notes, f"the equations are solved, since the closed form does not know {why}")
    if isinstance(form, SinceDose):
        return _since_dose(problem, layout, form), True, ()
    return _superposed(problem, layout, form), True, ()


def _why_not(problem: FitProblem, layout: Layout) -> str:
    """What of these data a closed form does not know; "" where it knows all."""
    form, given = problem.model.closed_form, layout.given
    if form is None:
        return "anything"
    if other := sorted(set(given.input.tolist()) - set(inputs_of(form))):
        return f"doses of {', '.join(other)}"
    if len(layout.spans.subject) > layout.courses:
        return "parameters that change within a course"
    psi = Names((name, np.ones((1, 1))) for name in problem.model.parameters)
    known: set[str] = set()
    for name in inputs_of(form):
        known |= set(form.terms(name, psi) if isinstance(form, Exponentials) else form.values(np.ones((1, 1)), psi))
    if lacking := sorted(set(layout.outputs) - known):
        return f"the output {', '.join(lacking)}"
    if isinstance(form, SinceDose):
        if len(np.unique(given.course)) < len(given.course):
            return "a second dose"
        if given.rate.any() or given.steady.any():
            return "infusions and steady states"
    return ""


class _Gathered:
    """Parameters by name, each spread over rows when it is first read (and never, if the model does not read it)."""

    def __init__(self, psi: Floats, column: Mapping[str, int], span: Ints) -> None:
        self._psi, self._column, self._span = psi, column, span

    def __getattr__(self, name: str) -> Floats:
        if name.startswith("_") or name not in self._column:
            raise AttributeError(name)
        found = np.take(np.ascontiguousarray(self._psi[..., self._column[name]]), self._span, axis=-1)
        vars(self)[name] = found
        return found


def _columns(problem: FitProblem) -> Mapping[str, int]:
    return {name: k for k, name in enumerate(problem.names)}


@dataclass(frozen=True)
class _Pairs:
    """Pairs (k,) of a row and a dose before it, of one input and one output."""

    rows: Ints
    first: Ints
    single: bool
    span: Ints
    since: Floats
    amount: Floats
    rate: Floats | None
    duration: Floats | None
    interval: Floats | None
    endless: NDArray[np.bool_] | None


def _superposed(problem: FitProblem, layout: Layout, form: Exponentials) -> Predict:
    """Sums of exponentials over doses."""
    every: list[tuple[str, str, DoseModel, _Pairs]] = []
    for name in dict.fromkeys(layout.given.input.tolist()):
        for output in dict.fromkeys(layout.outputs):
            rows = np.flatnonzero(np.isin(layout.endpoint, [e for e, o in enumerate(layout.outputs) if o == output]))
            pairs = _pairs(layout, name, rows)
            if len(pairs.rows):
                every.append((name, output, problem.doses.get(name, DoseModel()), pairs))
    column, count = _columns(problem), len(layout.rows)
    whole = len(every) == 1 and len(every[0][3].first) == count

    def predict(psi: Floats) -> Floats:
        p = Names((name, np.ascontiguousarray(psi[..., k])) for name, k in column.items())
        found = None if whole else np.zeros((len(psi), count))
        made: dict[str, Mapping[str, Sequence[tuple[Floats, Floats]]]] = {}
        for name, output, dose, pairs in every:
            terms = made.get(name) or made.setdefault(name, form.terms(name, p))
            values = _summed(terms[output], dose, pairs, psi, column)
            if found is None:
                return values
            found[:, pairs.rows[pairs.first]] += values
        return np.zeros((len(psi), count)) if found is None else found

    return predict


def _summed(
    terms: Sequence[tuple[Floats, Floats]], dose: DoseModel, pairs: _Pairs, psi: Floats, column: Mapping[str, int]
) -> Floats:
    """One output after one input (copies, rows): the sum over exponentials and doses."""

    def named(name: str) -> Floats:
        return psi[:, pairs.span, column[name]]

    since, amount, lasted = pairs.since, pairs.amount, pairs.duration
    if dose.bioavailability:
        amount = amount * named(dose.bioavailability)
    if pairs.rate is not None:
        modelled, told = pairs.rate < 0, np.where(pairs.rate > 0, pairs.rate, 1.0)
        rate = np.where(pairs.rate == -1, named(dose.rate), told) if dose.rate else told
        lasted = np.where(pairs.rate != 0, amount / rate, 0.0)
        if dose.duration:
            lasted = np.where(pairs.rate == -2, named(dose.duration), lasted)
        elif pairs.duration is not None:  # the file gave a duration, and the rate follows from it
            lasted = np.where(modelled | np.isnan(pairs.duration), lasted, pairs.duration)
    if dose.lag:
        since = since - named(dose.lag)
        if pairs.interval is not None:  # before it arrives there is what the dose an interval earlier left
            since = np.where((since < 0) & (pairs.interval > 0), since + pairs.interval, since)
        amount = np.where(since < 0, 0.0, amount)
        since = np.maximum(since, 0.0)
    total = None
    for size, rate_of in terms:
        own = np.take(rate_of, pairs.span, axis=-1)
        left = left_of_unit(own, since, lasted, pairs.interval)
        spread = np.take(size, pairs.span, axis=-1)
        part = spread * amount * left
        if pairs.endless is not None and pairs.rate is not None:
            steady = spread * pairs.rate / own * np.exp(-own * since)
            part = np.where(pairs.endless, steady, part)
        total = part if total is None else total + part
    assert total is not None
    return total if pairs.single else np.add.reduceat(total, pairs.first, axis=-1)


def _pairs(layout: Layout, name: str, rows: Ints) -> _Pairs:
    """Rows, and the doses that came before them; a steady state of kind 1 forgets those before it."""
    given, at, of = layout.given, list[int](), list[int]()
    by_course: dict[int, Ints] = {}
    for i in rows.tolist():
        course = int(layout.course[i])
        if course not in by_course:
            by_course[course] = np.flatnonzero(given.course == course)
        own, t = by_course[course], layout.time[i]
        before = own[(given.time[own] < t) | ((given.time[own] == t) & (not layout.early[i]))]
        resets = np.flatnonzero(given.steady[before] == 1)
        before = before[resets[-1] :] if len(resets) else before
        before = before[given.input[before] == name]
        at += [i] * len(before)
        of += before.tolist()
    dose, row = np.array(of, dtype=np.int64), np.array(at, dtype=np.int64)
    first = np.flatnonzero(np.diff(row, prepend=-1))
    amount, rate, interval = given.amount[dose], given.rate[dose], given.interval[dose]
    endless = (given.steady[dose] > 0) & (amount == 0) & (interval == 0)
    duration = given.duration[dose]
    infused = bool((rate != 0).any())
    return _Pairs(
        row, first, len(first) == len(row), layout.span[row], layout.time[row] - given.time[dose], amount,
        rate if infused else None, duration if infused else None, interval if interval.any() else None,
        endless if endless.any() else None,
    )  # fmt: skip


def _since_dose(problem: FitProblem, layout: Layout, form: SinceDose) -> Predict:
    """A course that its one dose starts."""
    begins = np.full(layout.courses, np.inf)
    begins[layout.given.course] = layout.given.time
    since = layout.time - begins[layout.course]
    since = np.where(layout.early, -np.inf, since)
    column, dose = _columns(problem), problem.doses.get(form.input, DoseModel())
    parts = [(o, np.flatnonzero(np.isin(layout.endpoint, [e for e, x in enumerate(layout.outputs) if x == o])))
             for o in dict.fromkeys(layout.outputs)]  # fmt: skip
    whole = len(parts) == 1
    never = bool((since < 0).any()) or bool(dose.lag)
    own = {name: k for name, k in column.items() if name in problem.model.parameters}

    def predict(psi: Floats) -> Floats:
        found = np.zeros((len(psi), len(since)))
        for output, rows in parts:
            span = layout.span if whole else layout.span[rows]
            t = since if whole else since[rows]
            if dose.lag:
                t = t - psi[:, span, column[dose.lag]]
            p = cast("Names", _Gathered(psi, own, span))
            values = form.values(np.maximum(t, 0.0) if never else t, p)[output]
            values = np.where(t < 0, 0.0, values) if never else values
            if whole:
                return values
            found[:, rows] = values
        return found

    return predict


__all__ = ["Given", "Predict", "predictor_of"]
