"""Covariates step by step: the one that lowers -2 log-likelihood most is taken in, then those that are not missed go
out."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from scipy import special

from vein2vein.declared import Record, listed, number
from vein2vein.errors import InputError, unknown
from vein2vein.inference.diagnostics.profile import from_estimates
from vein2vein.inference.diagnostics.random_effects import covariate_values, random_effects
from vein2vein.inference.population.fit import fit as run_fit
from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.problem import FitProblem
from vein2vein.inference.population.theta import theta_of
from vein2vein.records import described

Progress = Callable[[float, str], None]
Pair = tuple[str, str]
"""A parameter and a covariate."""
SHORT = 0.5  # share of the iterations while candidates are tried: the starts are estimates
FEWEST_ITERATIONS = 50


@dataclass(frozen=True)
class Search(Record):
    """What is searched: the table ``[search]`` of a fit."""

    covariates: Annotated[tuple[str, ...], listed("Covariates; none: all that stand still", '["WT", "ARM"]')] = ()
    parameters: Annotated[tuple[str, ...], listed("Parameters; none: all with a random effect", '["CL"]')] = ()
    forward: Annotated[float, number("p below which a covariate is taken in", above=0, below=1)] = 0.05
    backward: Annotated[float, number("p above which one is let go again", above=0, below=1)] = 0.01
    look: Annotated[float, number("p of the test with random effects above which none is tried", above=0, high=1)] = 0.2


@described
@dataclass(frozen=True)
class Tried:
    """One model that was tried.

    Attributes
    ----------
    step : int
    direction : {"forward", "backward", "not tried"}
    parameter, covariate, expression : str
    minus_two_ll, difference : float
        Fall (forward) or rise (backward) of -2 log-likelihood against the model of the step.
    degrees : int
    p : float
    taken : bool
        Whether the step was made.
    """

    step: int
    direction: str
    parameter: str
    covariate: str
    expression: str
    minus_two_ll: float
    difference: float
    degrees: int
    p: float
    taken: bool


@described
@dataclass(frozen=True)
class Found:
    """What a search found: the last fit, whole, and all that was tried."""

    fit: Fit
    tried: tuple[Tried, ...]
    notes: tuple[str, ...]


def expression_of(fit: Fit, covariate: str) -> str:
    """How a covariate enters: words alone; numbers above 0 by the logarithm over their median, else minus it."""
    one = fit.problem.study.covariates[covariate]
    if one.categories:
        return covariate
    values = covariate_values(fit, covariate)
    values = values[np.isfinite(values)]
    if len(np.unique(values)) <= 2:
        return covariate
    middle = f"{float(np.median(values)):.4g}"
    return f"log({covariate}/{middle})" if values.min() > 0 else f"{covariate} - {middle}".replace("- -", "+ ")


def _nobody(fraction: float, text: str) -> None:
    del fraction, text


def search_covariates(fit: Fit, search: Search | None = None, *, progress: Progress | None = None) -> Found:
    """Search step by step from a fit.

    Parameters
    ----------
    fit : Fit
        With its likelihood.
    search : Search, optional
    progress : callable (fraction, text), optional

    Raises
    ------
    InputError
        A name is unknown, a covariate changes in time or has no value for a subject, or the fit has no likelihood.
    """
    search = search or Search()
    tell: Progress = progress or _nobody
    pairs: list[Pair]
    pairs, tried = _pairs(fit, search)
    if not np.isfinite(fit.minus_two_ll):
        raise InputError(
            "the fit has no likelihood (settings: importance = 0), so covariates cannot be judged; fit it with one."
        )
    now, step = fit, 0
    while pairs:
        step += 1
        models: list[tuple[Pair, Fit]] = []
        for i, (parameter, covariate) in enumerate(pairs):
            tell(i / len(pairs), f"step {step}: {covariate} on {parameter}")
            models.append(
                ((parameter, covariate), _tried(_with(now, parameter, covariate, expression_of(fit, covariate))))
            )
        rows = [_row(step, "forward", pair, expression_of(fit, pair[1]), now, one) for pair, one in models]
        best = min(range(len(rows)), key=lambda i: (rows[i].p, -rows[i].difference))
        taken = rows[best].p < search.forward
        tried += [replace(row, taken=taken and i == best) for i, row in enumerate(rows)]
        if not taken:
            break
        now = models[best][1]
        pairs = [pair for pair in pairs if pair != models[best][0]]
    while inside := _inside(fit, now):
        step += 1
        models = []
        for i, (parameter, covariate) in enumerate(inside):
            tell(i / len(inside), f"step {step}: without {covariate} on {parameter}")
            models.append(((parameter, covariate), _tried(_without(now, parameter, covariate))))
        rows = [
            _row(step, "backward", pair, now.problem.parameters[pair[0]].covariates[pair[1]], now, one)
            for pair, one in models
        ]
        worst = max(range(len(rows)), key=lambda i: rows[i].p)
        taken = rows[worst].p > search.backward
        tried += [replace(row, taken=taken and i == worst) for i, row in enumerate(rows)]
        if not taken:
            break
        now = models[worst][1]
    if now is fit:
        return Found(fit, tuple(tried), ("no covariate was taken in",))
    tell(0.99, "the last model, whole")
    whole = run_fit(from_estimates(now, settings=fit.problem.settings))
    kept = ", ".join(f"{covariate} on {parameter}" for parameter, covariate in _inside(fit, now)) or "none"
    return Found(whole, tuple(tried), (f"covariates after the search: {kept}",))


def _pairs(fit: Fit, search: Search) -> tuple[list[tuple[str, str]], list[Tried]]:
    """Pairs that are worth a try, and those that are not."""
    study = fit.problem.study
    for name in search.covariates:
        if name not in study.covariates:
            raise InputError(unknown("covariate", name, study.covariates), field="search.covariates")
    for name in search.parameters:
        if name not in fit.random:
            raise InputError(unknown("parameter with a random effect", name, fit.random), field="search.parameters")
    names = search.covariates or tuple(n for n, one in study.covariates.items() if one.constant is not None)
    whole: list[str] = []
    for name in names:
        lacking = int(np.sum(~np.isfinite(covariate_values(fit, name))))
        if not lacking:
            whole.append(name)
        elif search.covariates:
            why = (
                "changes within subjects"
                if study.covariates[name].constant is None
                else f"is not known of {lacking} subjects"
            )
            raise InputError(f"{name} {why}, so it cannot be searched; give it in [parameters.NAME] covariates, or "
            "leave it out.",
                             field="search.covariates")  # fmt: skip
    related = {(one.parameter, one.covariate): one.p for one in random_effects(fit).related}
    pairs: list[tuple[str, str]] = []
    tried: list[Tried] = []
    for parameter in search.parameters or fit.random:
        for name in whole:
            p = related.get((parameter, name), np.nan)
            if name in fit.problem.parameters[parameter].covariates or np.isnan(p):
                continue
            if p <= search.look:
                pairs.append((parameter, name))
            else:
                tried.append(
                    Tried(0, "not tried", parameter, name, expression_of(fit, name), np.nan, np.nan, 0, p, False)
                )
    return pairs, tried


def _inside(fit: Fit, now: Fit) -> list[tuple[str, str]]:
    """Pairs that a search took in."""
    return [
        (name, label)
        for name, one in now.problem.parameters.items()
        for label in one.covariates
        if label not in fit.problem.parameters[name].covariates
    ]


def _with(now: Fit, parameter: str, covariate: str, expression: str) -> FitProblem:
    begun = from_estimates(now)
    one = begun.parameters[parameter]
    changed = replace(one, covariates={**one.covariates, covariate: expression})
    return replace(begun, parameters={**begun.parameters, parameter: changed})


def _without(now: Fit, parameter: str, covariate: str) -> FitProblem:
    begun = from_estimates(now)
    one = begun.parameters[parameter]
    keep: Mapping[str, str] = {label: text for label, text in one.covariates.items() if label != covariate}
    starts = {label: value for label, value in one.coefficients.items() if label in keep}
    return replace(
        begun, parameters={**begun.parameters, parameter: replace(one, covariates=keep, coefficients=starts)}
    )


def _tried(problem: FitProblem) -> Fit:
    settings = problem.settings
    short = replace(
        settings, seeds=1, standard_errors=False, exploring=max(FEWEST_ITERATIONS, int(SHORT * settings.exploring)),
        averaging=max(FEWEST_ITERATIONS, int(SHORT * settings.averaging)),
    )  # fmt: skip
    return run_fit(replace(problem, settings=short))


def _row(step: int, direction: str, pair: tuple[str, str], expression: str, now: Fit, one: Fit) -> Tried:
    sign = 1 if direction == "forward" else -1
    difference = sign * (now.minus_two_ll - one.minus_two_ll)
    degrees = sign * (len(theta_of(one.population)) - len(theta_of(now.population)))
    p = float(special.chdtrc(max(degrees, 1), max(difference, 0.0)))
    return Tried(step, direction, *pair, expression, one.minus_two_ll, difference, degrees, p, False)


def search_table(tried: Sequence[Tried]) -> list[dict[str, object]]:
    """What was tried, for a table."""
    return [{**vars(one), "taken": "yes" if one.taken else ""} for one in tried]
