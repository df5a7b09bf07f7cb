"""The table of estimates: natural scale, standard errors, intervals, shrinkage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.population.fitted import Estimate
from vein2vein.inference.population.laws import slope, to_natural
from vein2vein.inference.population.population import Population
from vein2vein.inference.population.residual import names_of
from vein2vein.inference.population.theta import NOTHING, Point, Theta
from vein2vein.models import catalogue
from vein2vein.units import days_of

Floats = NDArray[np.float64]

_WIDE = 100.0  # a variance beyond which the same is told anyway
MOST_SPREAD = 1000
"""Percent; a coefficient of variation beyond it says no more than that."""
QUANTILE = 1.959963984540054
"""Of the standard normal distribution, for 95 % intervals."""


def estimates_of(
    population: Population, point: Point, theta: Theta, covariance: Floats | None, shrinkage: Floats
) -> tuple[Estimate, ...]:
    """Every number of the population, those that were held among them.

    Parameters
    ----------
    covariance : ndarray or None
        Of theta; NaN where no error is known.
    shrinkage : ndarray (q,)
    """
    place = {name: i for i, name in enumerate(theta.names)}
    errors = np.full(len(theta), np.nan) if covariance is None else np.sqrt(np.diag(covariance))

    def error(name: str) -> float:
        return float(errors[place[name]]) if name in place else np.nan

    units = units_of(population)
    found: list[Estimate] = []
    names, parameters = population.problem.names, population.parameters
    for j, one in enumerate(population.coefficients):
        name, beta, se = names[one.parameter], float(point.beta[j]), error(one.name)
        if one.covariate:
            found.append(_told(Estimate(one.name, "coefficient", name, beta, se, fixed=one.fixed),
                               beta - QUANTILE * se, beta + QUANTILE * se))  # fmt: skip
            continue
        law = parameters[one.parameter]
        kind = (law.law, law.low, law.high)
        value, steep = (
            float(to_natural(kind[0], beta, *kind[1:])),
            abs(float(slope(kind[0], beta, *kind[1:]))),
        )
        note = ""
        if name in population.problem.parameters and one.parameter not in population.random and not one.fixed:
            note = "" if one.parameter in population.changing else "equal in all patients: no random effect"
        ends = [float(to_natural(kind[0], beta + s * QUANTILE * se, *kind[1:])) for s in (-1, 1)]
        found.append(_told(Estimate(name, "typical", name, value, steep * se, unit=units.get(name, ""),
                                    fixed=one.fixed, note=note), *ends))  # fmt: skip
    random = population.random_names
    for i, name in enumerate(random):
        found.append(_sd(f"omega_{name}", "omega", name, point.omega[i, i], error(f"omega2_{name}"),
                         bool(population.omega_held[i]), float(shrinkage[i]),
                         _spread(population.random_parameters[i].law, point.omega[i, i])))  # fmt: skip
    for i in range(len(random)):
        for j in range(i):
            if population.mask[i, j] and point.omega[i, i] > NOTHING and point.omega[j, j] > NOTHING:
                found.append(_correlation(population, point, theta, covariance, i, j))
    for k, name in enumerate(population.changing_names):
        at = names.index(name)
        found.append(_sd(f"gamma_{name}", "occasion", name, point.gamma[k], error(f"gamma2_{name}"), False, np.nan,
                         _spread(parameters[at].law, point.gamma[k])))  # fmt: skip
    ends_of = list(population.problem.endpoints)
    for e, w, name in names_of(population.problem):
        value, se, held = float(point.sigma[e, w]), error(name), population.rows.models[e].fixed
        wide = _wide(se, value)
        unit = population.problem.measured[ends_of[e]].unit
        own = "" if w == 1 or population.rows.models[e].scale == "log" else unit
        found.append(
            _told(Estimate(name, "residual", ends_of[e], value, se, unit=own, fixed=held), value / wide, value * wide)
        )
    return tuple(found)


def _told(one: Estimate, low: float, high: float) -> Estimate:
    """An estimate with its interval; one that is held has neither error nor interval."""
    if one.fixed:
        return replace(one, se=np.nan, note="held")
    rse = 100 * one.se / abs(one.estimate) if one.estimate else np.nan
    note = one.note
    if rse > 50 and one.kind != "coefficient":
        note = "; ".join(part for part in (note, "hardly known: RSE above 50 %") if part)
    return replace(one, rse=rse, low=low, high=high, note=note)


def _wide(se: float, value: float) -> float:
    """By what the ends of an interval on the logarithm multiply and divide; infinite where nothing is known."""
    with np.errstate(over="ignore"):
        return float(np.exp(QUANTILE * np.float64(se) / value)) if value > 0 else np.nan


def _sd(
    name: str, kind: str, parameter: str, variance: float, error: float, held: bool, shrinkage: float, note: str
) -> Estimate:
    sd = float(np.sqrt(variance))
    if variance <= NOTHING:
        return Estimate(name, kind, parameter, 0.0, shrinkage=shrinkage, fixed=held, note="came out at 0")
    se = error / (2 * sd)
    wide = _wide(se, sd)
    one = Estimate(name, kind, parameter, sd, se, fixed=held, shrinkage=shrinkage, note=note)
    return _told(one, sd / wide, sd * wide)


def _spread(law: str, variance: float) -> str:
    """What an SD of the logarithm means: the coefficient of variation of the parameter."""
    if law != "lognormal":
        return ""
    share = 100 * float(np.sqrt(np.expm1(min(variance, _WIDE))))
    return f"CV {share:.0f} %" if share < MOST_SPREAD else f"CV above {MOST_SPREAD} %"


def correlation_error(
    population: Population, point: Point, theta: Theta, covariance: Floats, i: int, j: int
) -> float:  # fmt: skip
    """Standard error of the correlation of two random effects; NaN where none is known."""
    names, one, other = population.random_names, point.omega[i, i], point.omega[j, j]
    size = float(np.sqrt(one * other))
    r = float(point.omega[i, j]) / size
    place = {name: k for k, name in enumerate(theta.names)}
    gradient = np.zeros(len(theta))
    gradient[place[f"omega_{names[j]}_{names[i]}"]] = 1 / size
    for name, variance in ((f"omega2_{names[i]}", one), (f"omega2_{names[j]}", other)):
        if name in place:
            gradient[place[name]] = -0.5 * r / variance
    used = gradient != 0
    square = gradient[used] @ covariance[np.ix_(used, used)] @ gradient[used]
    return float(np.sqrt(square)) if square >= 0 else np.nan


def _correlation(
    population: Population, point: Point, theta: Theta, covariance: Floats | None, i: int, j: int
) -> Estimate:  # fmt: skip
    a, b = population.random_names[i], population.random_names[j]
    both, one, other = point.omega[i, j], point.omega[i, i], point.omega[j, j]
    size = float(np.sqrt(one * other))
    r, se = float(both / size), np.nan
    if covariance is not None:
        se = correlation_error(population, point, theta, covariance, i, j)
    bound = abs(r) > AT_BOUND
    far = np.nan if bound else QUANTILE * se / (1 - r * r)
    low, high = (float(np.tanh(np.arctanh(np.clip(r, -AT_BOUND, AT_BOUND)) + s * far)) for s in (-1, 1))
    note = "at its bound" if bound else ""
    return _told(
        Estimate(f"corr_{b}_{a}", "correlation", f"{b}, {a}", r, np.nan if bound else se, note=note), low, high
    )


AT_BOUND = 0.99
"""Correlations of random effects beyond this are at their bound."""


def units_of(population: Population) -> dict[str, str]:
    """Unit of each parameter: as the problem says it, or as a bundled model's card does, in the time of this fit."""
    problem = population.problem
    found: dict[str, str] = {}
    if problem.model.name in catalogue.model_names() and catalogue.find_model(problem.model.name) is problem.model:
        found = {name: p.unit for name, p in catalogue.find_parameters(problem.model.name).parameters.items()}
        time = problem.time_unit or problem.model.time_unit or problem.study.time_unit
        if not problem.model.time_unit or problem.time_unit:
            whole = time if days_of().get(time) != 1 else "day"
            found = {name: "/".join(whole if part == "day" else part for part in unit.split("/")) if whole else ""
                     for name, unit in found.items()}  # fmt: skip
        if not problem.model.time_unit:  # of whatever drug the data are of: their units, not the example's
            found = {name: _of_data(unit) for name, unit in found.items()}
    named = {name: one.unit for name, one in problem.parameters.items() if one.unit}
    return {name: unit for name, unit in {**found, **named}.items() if unit and unit != "1"}


def _of_data(unit: str) -> str:
    """A unit of the example without what the data decide: how much is a volume depends on doses and concentrations."""
    return unit if unit.startswith("1/") else ""
