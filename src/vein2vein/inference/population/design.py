"""The design of the typical values: which coefficient moves which parameter of which span by how much.

The Gaussian number of a parameter is X @ beta, plus its random effect. The first coefficient of a parameter is that
of its typical value (a column of ones); one follows for each covariate, or for each level but one of a covariate of
words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError
from vein2vein.inference.population.expression import Expression, parse
from vein2vein.inference.population.laws import to_gaussian
from vein2vein.inference.population.layout import Layout, used_covariates
from vein2vein.inference.population.problem import FitParameter, FitProblem
from vein2vein.io.study.study import Covariate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Coefficient:
    """One beta: its name, the place of its parameter, its start, whether it is held, its covariate ("": typical)."""

    name: str
    parameter: int
    start: float
    fixed: bool
    covariate: str = ""


@dataclass(frozen=True)
class Design:
    """Coefficients (b,), and X (spans, parameters, b)."""

    coefficients: tuple[Coefficient, ...]
    matrix: Floats
    notes: tuple[str, ...]


def design_of(problem: FitProblem, layout: Layout) -> Design:
    """The design of a problem.

    Raises
    ------
    InputError
        A covariate is missing for a subject, has no value, does not vary, or is made of words inside an expression.
    """
    names = problem.names
    held = {name: FitParameter(problem.model.example[name], law="normal", fixed=True) for name in names
            if name not in problem.parameters}  # fmt: skip
    notes: list[str] = []
    if held:
        told = ", ".join(f"{name} = {one.start:g}" for name, one in held.items())
        notes.append(f"held at the model's example, since the fit does not name them: {told}")
    values = {name: _per_span(name, one, problem, layout) for name, one in used_covariates(problem).items()}
    found: list[Coefficient] = []
    columns: list[Floats] = []
    for k, name in enumerate(names):
        one = problem.parameters.get(name) or held[name]
        start = float(to_gaussian(one.law, one.start, one.low, one.high))
        found.append(Coefficient(name, k, start, one.fixed))
        columns.append(np.ones(len(layout.spans.subject)))
        for label, text in one.covariates.items():
            expression, where = parse(text), f"parameters.{name}.covariates.{label}"
            for level, column in _columns(problem, layout, expression, values, where, notes):
                called = f"{name}_{label}{f'[{level}]' if level else ''}"
                begin = float(one.coefficients.get(label, 0.0))
                found.append(Coefficient(called, k, begin, label in one.fixed_coefficients, label))
                columns.append(column)
    matrix = np.zeros((len(layout.spans.subject), len(names), len(found)))
    for j, (one, column) in enumerate(zip(found, columns)):
        matrix[:, one.parameter, j] = column
    return Design(tuple(found), matrix, tuple(dict.fromkeys(notes)))


def _per_span(name: str, one: Covariate, problem: FitProblem, layout: Layout) -> Floats:
    """A covariate in each span: the value that holds where the span begins."""
    spans = layout.spans
    if one.constant is not None:
        of = [problem.study.subjects.index(s) for s in layout.subjects]
        found = one.constant[np.array(of)][spans.subject]
    else:
        found = np.empty(len(spans.subject))
        for i, (course, begins) in enumerate(zip(spans.course.tolist(), spans.begins.tolist())):
            times, values = one.in_time[int(layout.of_study[course])]
            at = int(np.sum(times * layout.factor <= begins)) - 1
            found[i] = values[max(at, 0)] if len(values) else np.nan
    lacking: list[int] = np.unique(spans.subject[np.isnan(found)]).tolist()
    if len(lacking):
        who = ", ".join(layout.subjects[i] for i in lacking[:5]) + (" ..." if len(lacking) > 5 else "")
        raise InputError(
            f"the covariate {name} is missing for {len(lacking)} of {len(layout.subjects)} subjects ({who}); "
            "fill it in, leave it out of the fit, or leave these subjects out.", file=problem.study.file, field=name,
        )  # fmt: skip
    return found


def _columns(
    problem: FitProblem, layout: Layout, expression: Expression, values: Mapping[str, Floats], where: str,
    notes: list[str],
) -> list[tuple[str, Floats]]:  # fmt: skip
    """Columns of the design for one expression: one, or one for each level but the reference."""
    words = [name for name in expression.names if problem.study.covariates[name].categories]
    if not words:
        column = np.broadcast_to(expression(values), (len(layout.spans.subject),)).astype(float)
        bad = np.flatnonzero(~np.isfinite(column))
        if len(bad):
            i = int(layout.spans.subject[bad[0]])
            told = ", ".join(f"{n} = {values[n][bad[0]]:g}" for n in expression.names)
            said = f"'{expression.text}' has no value for subject {layout.subjects[i]} ({told}); mend the expression."
            raise InputError(said, field=where)
        if np.ptp(column) == 0:
            said = (
                f"'{expression.text}' is {column[0]:g} for everybody, so its coefficient cannot be known; leave it out."
            )
            raise InputError(said, field=where)
        return [("", column)]
    name = words[0]
    if not expression.bare:
        raise InputError(
            f"{name} holds words, which have no place in '{expression.text}'; write {name} alone.", field=where
        )
    codes, levels = values[name].astype(int), problem.study.covariates[name].categories
    counts = np.bincount(codes, minlength=len(levels))
    if np.count_nonzero(counts) < 2:
        said = f"{name} is '{levels[int(codes[0])]}' for everybody, so its coefficient cannot be known; leave it out."
        raise InputError(said, field=where)
    reference = problem.references.get(name)
    base = levels.index(reference) if reference else int(np.argmax(counts))
    notes.append(f"{name}: levels are compared with '{levels[base]}'")
    return [(level, (codes == i).astype(float)) for i, level in enumerate(levels) if i != base and counts[i]]
