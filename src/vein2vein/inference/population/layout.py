"""The rows of a study as a fit needs them: observations by subject, doses in the model's time, spans of parameters.

A *span* is a stretch of a course in which the parameters of its subject stand still: the whole course, unless a
covariate changes within it or another occasion begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine.trace.recording import record
from vein2vein.errors import InputError, unknown
from vein2vein.inference.population.expression import parse
from vein2vein.inference.population.problem import EndpointModel, FitProblem
from vein2vein.io.study.study import Covariate
from vein2vein.models.closed_form import inputs_of
from vein2vein.units import convert

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Given:
    """Doses (d,) in the model's time, repeats written out; sorted by course, then time, then line."""

    course: Ints
    time: Floats
    amount: Floats
    rate: Floats
    duration: Floats
    interval: Floats
    steady: Ints
    input: NDArray[np.str_]
    line: Ints


@dataclass(frozen=True)
class Spans:
    """Spans (s,): whose, in which course, which occasion of the subject (0, 1, ...), and from when on."""

    subject: Ints
    course: Ints
    occasion: Ints
    begins: Floats


@dataclass(frozen=True)
class Layout:
    """Rows of the study that are fitted.

    Attributes
    ----------
    subjects : tuple of str
        Who has an observation.
    courses : int
    rows : ndarray of int (m,)
        Positions in ``Study.observations``, sorted by subject, course and time.
    subject, course, span, endpoint : ndarray of int (m,)
        ``endpoint`` counts the endpoints of the problem.
    time : ndarray (m,)
        In the model's time.
    early : ndarray of bool (m,)
        Rows of the same time as a dose that comes after them in the file: seen before it.
    given : Given
    spans : Spans
    occasions : int
        Most occasions of a subject, 0 where none are told apart.
    outputs : tuple of str
        What of the model each endpoint shows.
    factor : float
        What the study's times were multiplied by.
    notes : tuple of str
    of_study : ndarray of int (courses,)
        Which courses of the study they are.
    """

    subjects: tuple[str, ...]
    courses: int
    rows: Ints
    subject: Ints
    course: Ints
    span: Ints
    endpoint: Ints
    time: Floats
    early: NDArray[np.bool_]
    given: Given
    spans: Spans
    occasions: int
    outputs: tuple[str, ...]
    factor: float
    notes: tuple[str, ...]
    of_study: Ints


def lay_out(problem: FitProblem) -> Layout:
    """Lay out the rows of a problem's study.

    Raises
    ------
    InputError
        The model has no such output or input, or nobody was observed.
    """
    study, notes = problem.study, list[str]()
    factor = _time_factor(problem, notes)
    seen = study.observations
    outputs = tuple(_output_of(problem, name, one, notes) for name, one in problem.endpoints.items())
    place = {problem.place_of(name): i for i, name in enumerate(problem.endpoints)}
    chosen = np.array([place.get(i, -1) for i in range(len(study.endpoints))], dtype=np.int64)
    left = [one.name for i, one in enumerate(study.endpoints) if i not in place]
    if left:
        notes.append(f"left out, since the fit does not name it: {', '.join(left)}")
    kept = np.flatnonzero(chosen[seen.endpoint] >= 0) if len(seen) else np.zeros(0, dtype=np.int64)
    if not len(kept):
        raise InputError("the study has no observation of what is fitted; look at 'vein2vein check'.", file=study.file)
    who = study.subject[seen.course[kept]]
    kept = kept[np.lexsort((kept, seen.time[kept], seen.course[kept], who))]
    present = np.asarray(np.unique(study.subject[seen.course[kept]]), dtype=np.int64)
    if unseen := len(study.subjects) - len(present):
        notes.append(f"{unseen} of {len(study.subjects)} subjects have no observation of what is fitted")
    courses = np.unique(seen.course[kept])
    courses = courses[np.lexsort((courses, study.subject[courses]))]
    of_course = np.full(len(study.subject), -1, dtype=np.int64)
    of_course[courses] = np.arange(len(courses))
    given = _given(problem, of_course, factor)
    course, time = of_course[seen.course[kept]], seen.time[kept] * factor
    subject = np.searchsorted(present, study.subject[seen.course[kept]])
    of_subject = np.searchsorted(present, study.subject[courses])
    spans, span, occasions = _spans(problem, courses, of_subject, course, time, seen.occasion[kept], given, factor)
    return Layout(
        tuple(study.subjects[int(i)] for i in present), len(courses), kept, subject, course, span,
        chosen[seen.endpoint[kept]], time, _early(course, time, seen.line[kept], given), given, spans, occasions,
        outputs, factor, tuple(notes), courses,
    )  # fmt: skip


def _time_factor(problem: FitProblem, notes: list[str]) -> float:
    """What the study's times are multiplied by."""
    study = problem.study.time_unit
    model = problem.time_unit or problem.model.time_unit
    if not study and not model:
        notes.append("the unit of time is not known: rates are per that of the data")
        return 1.0
    if not study:
        notes.append(f"the study does not say its unit of time: it is taken to be that of the model, {model}")
        return 1.0
    if not model:
        notes.append(f"time runs in {study}, as the study's")
        return 1.0
    try:
        factor = convert(1.0, study, model)
    except InputError as error:
        raise InputError(f"the study's time is in '{study}': {error.text}", field="time_unit") from None
    told = "" if factor == 1 else f", to which the study's {study} were converted"
    notes.append(f"time runs in {model}{told}")
    return factor


def _output_of(problem: FitProblem, name: str, one: EndpointModel, notes: list[str]) -> str:
    """Which output of the model an endpoint shows: the one that is named, or of the same name, or the only one."""
    model = problem.model
    _, found = record(model.name, model.observables, model.state_names, model.parameters, model.level_names)
    known = tuple(dict.fromkeys((*found, *model.state_names)))
    where = f"endpoints.{name}.output"
    if one.output:
        if one.output not in known:
            raise InputError(f"model {model.name}: {unknown('state or observable', one.output, known)}", field=where)
        return one.output
    if name in known:
        return name
    if len(found) == 1:
        only = next(iter(found))
        if problem.study.endpoints[problem.place_of(name)].name != name:
            notes.append(f"{name} is read as {only}, the model's only output (endpoints.{name}: output says which)")
        return only
    said = (
        f"model {model.name} has no output '{name}'; say what this endpoint shows: output = one of {', '.join(known)}."
    )
    raise InputError(said, field=where)


def _given(problem: FitProblem, of_course: Ints, factor: float) -> Given:
    """Doses of the courses that are fitted; repeats are written out up to the course's last row."""
    study, model = problem.study, problem.model
    doses, seen = study.doses, study.observations
    known = [i.name for i in model.inputs if i.kind == "dose"]
    last = np.full(len(of_course), -np.inf)
    np.maximum.at(last, seen.course, seen.time)
    names = {target: _input_of(problem, target, known) for target in dict.fromkeys(doses.target.tolist())}
    _check_apart(problem, names, of_course)
    rows: list[tuple[int, float, int, int]] = []
    for i in range(len(doses)):
        course = int(of_course[doses.course[i]])
        if course < 0:
            continue
        for k in range(int(doses.additional[i]) + 1):
            time = float(doses.time[i] + k * doses.interval[i])
            if k and time > last[doses.course[i]]:
                break
            rows.append((course, time, int(doses.line[i]), i if k == 0 else -1 - i))
    rows.sort(key=lambda row: row[:3])
    of = np.array([row[3] for row in rows], dtype=np.int64)
    first, source = of >= 0, np.where(of >= 0, of, -1 - of)
    modelled = doses.rate[source] < 0
    _check_modelled(problem, doses.line[source][modelled], doses.rate[source][modelled], [
        names[str(t)] for t in doses.target[source][modelled]
    ])  # fmt: skip
    return Given(
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([row[1] for row in rows]) * factor,
        doses.amount[source].astype(float),
        np.where(modelled, doses.rate[source], doses.rate[source] / factor),
        doses.duration[source] * factor,
        np.where(first & (doses.steady[source] > 0), doses.interval[source] * factor, 0.0),
        np.where(first, doses.steady[source], 0).astype(np.int64),
        np.array([names[str(t)] for t in doses.target[source]], dtype=np.str_),
        doses.line[source].astype(np.int64),
    )


def _input_of(problem: FitProblem, target: str, known: Sequence[str]) -> str:
    """Input of the model that a dose of the data goes into."""
    if target in known:
        return target
    form = problem.model.closed_form
    likely = [name for name in (inputs_of(form) if form else known) if name in known]
    named = list(problem.doses)
    if len(likely) == 1:
        return likely[0]
    if len(named) == 1:
        return named[0]
    what = f"the dose of compartment '{target}'" if target else "the dose"
    said = f"{what} is none of the model's inputs: {', '.join(known) or 'it has none'}; say which one: "
    raise InputError(f"{said}[data] dose.NAME = {{ cmt = {target or 1} }}.", file=problem.study.file, field="doses")


def _check_apart(problem: FitProblem, names: Mapping[str, str], of_course: Ints) -> None:
    """Refuse doses into several compartments of the data where the model would take them all as one."""
    doses, first = problem.study.doses, dict[str, str]()
    for target, course, line in zip(doses.target.tolist(), doses.course.tolist(), doses.line.tolist()):
        other = first.setdefault(names[target], target) if target and of_course[course] >= 0 else target
        if other != target:
            raise InputError(
                f"a dose into compartment {target}, others into {other}, and the model would take both as "
                f"{names[target]}; name each: [data] dose.NAME = {{ cmt = {target} }}, or leave the doses of one out.",
                file=problem.study.file, line=line,
            )  # fmt: skip


def _check_modelled(problem: FitProblem, lines: Ints, rates: Floats, inputs: Sequence[str]) -> None:
    for line, rate, name in zip(lines.tolist(), rates.tolist(), inputs):
        dose = problem.doses.get(name)
        wanted = "rate" if rate == -1 else "duration"
        if dose is None or not getattr(dose, wanted):
            raise InputError(
                f"RATE {rate:g} says that the {wanted} is a parameter; name it: [doses.{name}] {wanted} = "
                f"'{wanted[0].upper()}1'.",
                file=problem.study.file, line=line,
            )  # fmt: skip


def _early(course: Ints, time: Floats, line: Ints, given: Given) -> NDArray[np.bool_]:
    found = np.zeros(len(time), dtype=bool)
    at = {(c, t): max(int(l), 0) for c, t, l in zip(given.course.tolist(), given.time.tolist(), given.line.tolist())}
    for i, (c, t) in enumerate(zip(course.tolist(), time.tolist())):
        found[i] = at.get((c, t), -1) > line[i]
    return found


# Spans


def used_covariates(problem: FitProblem) -> dict[str, Covariate]:
    """Covariates that the parameters name, by name."""
    names = [n for one in problem.parameters.values() for e in one.covariates.values() for n in parse(e).names]
    return {name: problem.study.covariates[name] for name in dict.fromkeys(names)}


def _spans(
    problem: FitProblem, courses: Ints, of_subject: Ints, course: Ints, time: Floats, occasion: Ints, given: Given,
    factor: float,
) -> tuple[Spans, Ints, int]:  # fmt: skip
    """Spans of each course, the span of each observation, and the most occasions of a subject."""
    changing = [one.in_time for one in used_covariates(problem).values() if one.in_time]
    asked = problem.omega.occasion
    numbered: dict[int, dict[int, int]] = {}
    found: list[tuple[int, int, int, float]] = []
    span = np.zeros(len(time), dtype=np.int64)
    for c in range(len(courses)):
        rows, who = np.flatnonzero(course == c), int(of_subject[c])
        own = numbered.setdefault(who, {})
        starts = {-np.inf}
        for in_time in changing:
            starts |= {float(t) * factor for t in in_time[int(courses[c])][0][1:].tolist()}
        turns: list[tuple[float, int]] = [(-np.inf, 0)]
        if asked is not None and asked.column == "course":
            turns = [(-np.inf, own.setdefault(c, len(own)))]
        elif asked is not None:
            turns = _turns(time[rows], occasion[rows], given.time[given.course == c], own)
        starts |= {begin for begin, _ in turns}
        ordered = sorted(starts)
        at = len(found)
        for begin in ordered:
            number = [n for since, n in turns if since <= begin][-1]
            found.append((who, c, number, begin))
        span[rows] = at + np.searchsorted(np.array(ordered), time[rows], side="right") - 1
    most = max((len(own) for own in numbered.values()), default=0) if asked is not None else 0
    who, of, number, begins = (np.array(column) for column in zip(*found))
    spans = Spans(who.astype(np.int64), of.astype(np.int64), number.astype(np.int64), begins.astype(float))
    return spans, span, most


def _turns(time: Floats, occasion: Ints, doses: Floats, own: dict[int, int]) -> list[tuple[float, int]]:
    """When each occasion of a course begins: with the dose before its first row, or with that row."""
    found: list[tuple[float, int]] = []
    for i, (t, which) in enumerate(zip(time.tolist(), occasion.tolist())):
        if i and which == occasion[i - 1]:
            continue
        number = own.setdefault(which, len(own))
        between = doses[(doses > time[i - 1]) & (doses <= t)] if i else doses[:0]
        found.append((-np.inf if i == 0 else float(between[0]) if len(between) else t, number))
    return found
