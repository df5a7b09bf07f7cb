"""Predictions by solving a model's equations, all courses of all copies in one call of the engine.

Courses are prepared once; where parameters change within a course (another occasion, a covariate in time) the model is
wrapped so that it has one set of them for each span (``spans_in_model.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine.dose_records import Dose
from vein2vein.engine.doses import Told
from vein2vein.engine.prepare import prepare
from vein2vein.engine.solve import Prepared
from vein2vein.errors import InputError
from vein2vein.inference.population.layout import Layout
from vein2vein.inference.population.problem import DoseModel, FitProblem
from vein2vein.inference.population.spans_in_model import SPAN, columns_of, dose_in, with_spans
from vein2vein.models.model import Model, derived

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_ROWS = 4096
"""Courses solved in one call: more need no less time each, and memory."""
WORTH_THREADS = 400
"""Courses in a call below which one thread is as quick as several."""


def by_equations(
    problem: FitProblem, layout: Layout, threads: int | None = None
) -> tuple[Callable[[Floats], Floats], tuple[str, ...]]:
    """How predictions are made by the engine, and notes on it."""
    counts = np.bincount(layout.spans.course, minlength=layout.courses)
    most = int(counts.max())
    first = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(int)
    own = problem.names[len(problem.model.parameters) :]  # of doses alone
    model = derived(problem.model, parameters=problem.names, example={}, example_doses=()) if own else problem.model
    if most > 1:
        model = with_spans(model, most)
    levels, changes, notes = _levels(problem, layout, model)
    days, where = _days(layout)
    doses = [*changes, *_turns(layout, first, counts), *_doses(problem, layout, first, counts)]
    begins = np.array([d[0] for d in days])
    for d in doses:
        when = np.where(np.isnan(np.asarray(d.day, dtype=float)), np.inf, np.asarray(d.day, dtype=float))
        begins = np.minimum(begins, when)
    outputs = tuple(dict.fromkeys(layout.outputs))
    which = np.array([outputs.index(o) for o in layout.outputs])[layout.endpoint]
    columns = columns_of(problem.names, most)  # of the solved model: (parameter, span within the course)
    most_copies = max(1, MOST_ROWS // layout.courses)
    rows_each = sum(len(d) for d in days)
    made: dict[int, Prepared] = {}

    def prepared(copies: int) -> Prepared:
        if copies not in made:
            made[copies] = prepare(
                model, days * copies, [_repeated(d, copies) for d in doses], outputs=outputs,
                begin=np.tile(begins, copies), rtol=problem.settings.rtol,
                threads=1 if threads is None and copies * layout.courses < WORTH_THREADS else threads,
                levels={name: np.tile(one, copies) for name, one in levels.items()} or None,
            )  # fmt: skip
        return made[copies]

    def part(psi: Floats) -> Floats:
        copies = len(psi)
        if most == 1:
            p = psi[:, first]
        else:
            at = first[:, None] + np.minimum(np.arange(most), counts[:, None] - 1)
            wide = psi[:, at]  # (copies, courses, spans of a course, parameters)
            p = np.stack([wide[:, :, k, j] for j, k in columns], axis=-1)
        found = prepared(copies)(np.ascontiguousarray(p.reshape(copies * layout.courses, -1)))
        return found.values.reshape(copies, rows_each, len(outputs))[:, where, which]

    def predict(psi: Floats) -> Floats:
        if len(psi) <= most_copies:
            return part(psi)
        return np.concatenate([part(psi[i : i + most_copies]) for i in range(0, len(psi), most_copies)])

    return predict, notes


def _levels(problem: FitProblem, layout: Layout, model: Model) -> tuple[dict[str, Floats], list[Dose], tuple[str, ...]]:
    """What each level is held at where a course begins (courses,), how it changes, and notes.

    A level that is called as a covariate of the study follows it; others are 0.
    """
    study, begin = problem.study, dict[str, Floats]()
    changes: list[Dose] = []
    lacking: list[str] = []
    for name in model.level_names:
        one = study.covariates.get(name)
        begin[name] = np.zeros(layout.courses)
        if one is None or one.categories:
            lacking += [name] if name != SPAN else []
        elif one.constant is not None:
            begin[name] = one.constant[study.subject[layout.of_study]]
        else:
            tables = [one.in_time[int(c)] for c in layout.of_study]
            begin[name] = np.array([values[0] if len(values) else 0.0 for _, values in tables])
            for k in range(1, max(len(times) for times, _ in tables)):
                has = [len(times) > k for times, _ in tables]
                day = [float(t[k]) * layout.factor if h else np.nan for h, (t, _) in zip(has, tables)]
                changes.append(
                    Dose(name, np.array([v[k] if h else 0.0 for h, (_, v) in zip(has, tables)]), np.array(day))
                )
        if np.isnan(begin[name]).any():
            raise InputError(f"the covariate {name}, a level of the model, is missing for a subject; fill it in.",
                             file=study.file, field=name)  # fmt: skip
    told = (f"held at 0, since no covariate is called so: {', '.join(lacking)}",) if lacking else ()
    return begin, changes, told


def _days(layout: Layout) -> tuple[list[Floats], Ints]:
    """Days of each course in rising order, and where each row's value stands among them all."""
    days: list[Floats] = []
    where = np.zeros(len(layout.rows), dtype=np.int64)
    at = 0
    for c in range(layout.courses):
        rows = np.flatnonzero(layout.course == c)
        # a row that was seen before a dose of its own time is asked for a moment earlier
        time = layout.time[rows] - np.where(layout.early[rows], _moment(layout.time[rows]), 0.0)
        own, inverse = np.unique(time, return_inverse=True)
        days.append(own)
        where[rows] = at + inverse
        at += len(own)
    return days, where


def _moment(time: Floats) -> Floats:
    """A stretch of time in which nothing happens."""
    return 1e-9 * np.maximum(np.abs(time), 1e-3)  # solver coefficient: far below any clock, far above rounding


def _doses(problem: FitProblem, layout: Layout, first: Ints, counts: Ints) -> list[Dose]:
    """Doses as the engine takes them: the s-th of each course in one record, by input and kind."""
    given, several = layout.given, bool(counts.max() > 1)
    found: list[Dose] = []
    kinds = np.array([f"{n}|{s}|{np.sign(r):g}|{r if r < 0 else 0:g}|{int(x == 0 and s > 0)}" for n, s, r, x in zip(
        given.input.tolist(), given.steady.tolist(), given.rate.tolist(), given.interval.tolist())])  # fmt: skip
    spans = np.array(
        [_span_at(layout, c, t, first, counts) for c, t in zip(given.course.tolist(), given.time.tolist())]
    )
    for kind in dict.fromkeys(kinds.tolist()):
        for span in dict.fromkeys(spans[kinds == kind].tolist()):
            rows = np.flatnonzero((kinds == kind) & (spans == span))
            slots = np.zeros(len(rows), dtype=int)
            seen: dict[int, int] = {}
            for i, c in enumerate(given.course[rows].tolist()):
                slots[i] = seen[c] = seen.get(c, -1) + 1
            for s in range(int(slots.max()) + 1):
                found.append(_dose(problem, layout, rows[slots == s], span if several else -1))
    return found


def _span_at(layout: Layout, course: int, time: float, first: Ints, counts: Ints) -> int:
    """Which span of its course a dose falls into."""
    own = layout.spans.begins[first[course] : first[course] + counts[course]]
    return int(np.searchsorted(own, time, side="right")) - 1


def _dose(problem: FitProblem, layout: Layout, rows: Ints, span: int) -> Dose:
    given, courses = layout.given, layout.courses
    name = str(given.input[rows[0]])
    model = problem.doses.get(name, DoseModel())

    def spread(values: Floats, absent: float) -> Floats:
        found = np.full(courses, absent)
        found[given.course[rows]] = values[rows]
        return found

    rate, duration = given.rate[rows[0]], given.duration[rows]
    by_file = rate > 0 and not np.isnan(duration).any()

    def own(parameter: str) -> str:
        return parameter if span < 0 else dose_in(parameter, span)

    return Dose(
        name if span < 0 else dose_in(name, span), spread(given.amount, 0.0), spread(given.time, np.nan),
        rate=own(model.rate) if rate == -1 else spread(given.rate, 1.0) if rate > 0 and not by_file else None,
        duration=own(model.duration) if rate == -2 else spread(given.duration, 1.0) if by_file else None,
        lag=own(model.lag) if model.lag else 0.0,
        bioavailability=own(model.bioavailability) if model.bioavailability else 1.0,
        interval=spread(given.interval, 1.0) if given.interval[rows].any() else 0.0,
        steady_state=int(given.steady[rows[0]]),
    )  # fmt: skip


def _turns(layout: Layout, first: Ints, counts: Ints) -> list[Dose]:
    """When each further span of a course begins, as a level that is set."""
    found: list[Dose] = []
    for k in range(1, int(counts.max())):
        day = np.full(layout.courses, np.nan)
        has = counts > k
        day[has] = layout.spans.begins[first[has] + k]
        found.append(Dose(SPAN, np.where(has, float(k), 0.0), day))
    return found


def _repeated(dose: Dose, copies: int) -> Told:
    """The dose of all courses for so many copies of them; the plain form where it is one, which is laid out once."""
    plain = dose.rate is None and dose.duration is None and not dose.steady_state
    if plain and not isinstance(dose.lag, str) and not isinstance(dose.bioavailability, str):
        return _tiled(dose.day, copies), dose.input, _tiled(dose.amount, copies)
    return replace(
        dose, amount=_tiled(dose.amount, copies), day=_tiled(dose.day, copies), interval=_tiled(dose.interval, copies),
        rate=_tiled_or_named(dose.rate, copies), duration=_tiled_or_named(dose.duration, copies),
    )  # fmt: skip


def _tiled(value: ArrayLike, copies: int) -> ArrayLike:
    found = np.asarray(value, dtype=float)
    return np.tile(found, copies) if found.ndim else value


def _tiled_or_named(value: ArrayLike | str | None, copies: int) -> ArrayLike | str | None:
    return value if value is None or isinstance(value, str) else _tiled(value, copies)
