"""What a fitted population does under other doses: new patients, with what is not known of the estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vein2vein.arguments import seed_of, whole
from vein2vein.errors import InputError, unknown
from vein2vein.inference.fitted_models.uncertainty import drawn_points
from vein2vein.inference.population.expression import parse
from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.population import Population, populate
from vein2vein.inference.population.problem import FitProblem
from vein2vein.inference.population.theta import Point, in_words
from vein2vein.io.study.study import Covariate, Doses, Observations, Study
from vein2vein.records import described

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEVELS = (0.05, 0.5, 0.95)
CERTAINTY = (0.05, 0.95)
MOST_VALUES = 20_000_000  # of all draws together


@dataclass(frozen=True)
class Given:
    """A dose: time (unit of the study), amount (unit of the study's doses), and rate (0: all at once)."""

    time: float
    amount: float
    rate: float = 0.0


@described
@dataclass(frozen=True)
class Forecast:
    """New patients under given doses.

    Attributes
    ----------
    endpoints : tuple of str
    time : ndarray (t,)
        Unit of the study.
    percentiles : ndarray (endpoints, 3, t)
        5, 50 and 95 % of the patients' true values (without errors of measurement), at the estimates.
    low, high : ndarray (endpoints, 3, t)
        5 to 95 % of each percentile over draws of the estimates; NaN without draws.
    patients, draws : int
    doses : tuple of Given
    notes : tuple of str
    """

    endpoints: tuple[str, ...]
    time: Floats
    percentiles: Floats
    low: Floats
    high: Floats
    patients: int
    draws: int
    doses: tuple[Given, ...]
    notes: tuple[str, ...]


def forecast(
    fit: Fit,
    doses: Sequence[Given] = (),
    *,
    until: float | None = None,
    patients: int = 200,
    draws: int = 100,
    covariates: Mapping[str, float | str] | None = None,
    points: int = 100,
    seed: int | None = None,
) -> Forecast:
    """Simulate new patients from a fit.

    Parameters
    ----------
    fit : Fit
    doses : sequence of Given
        Left out: those of the first subject of the study.
    until : float, optional
        Last time; left out: the last of the study.
    patients : int
    draws : int
        Draws of the estimates; 0: as if they were known.
    covariates : mapping of str to number or word, optional
        Of all new patients; what is not given is drawn from the subjects of the study, those of a subject together.
    points : int
        Times at most.
    seed : int, optional
        The fit's own by default.

    Raises
    ------
    InputError
        A covariate or level is unknown, or too many values are asked for.
    """
    whole("patients", patients, low=5, high=1_000_000)
    whole("draws", draws, low=0, high=10_000)
    whole("points", points, low=2, high=10_000)
    seed = fit.seed if seed is None else seed_of(seed)
    given, ends = _checked(fit, doses, until)
    count = patients * points * len(fit.problem.endpoints)
    if count > MOST_VALUES:
        raise InputError(
            f"{count:,} values are asked for, more than {MOST_VALUES:,}; ask for fewer patients or points."
        )
    rng = np.random.Generator(np.random.PCG64([seed, patients]))
    notes: list[str] = []
    time = _times(fit, min((0.0, *(one.time for one in given))), ends, points)
    new = populate(_problem(fit, given, time, patients, dict(covariates or {}), rng, notes))
    if fit.problem.omega.occasion is not None:
        notes.append(
            "new patients are simulated within one occasion: what differs between occasions is drawn once for each"
        )
    normal = rng.standard_normal((1, new.subjects, new.effects))
    percentiles = _percentiles(fit, new, fit.point, normal, len(time), patients)
    bands = [
        _percentiles(fit, new, point, rng.standard_normal(normal.shape), len(time), patients)
        for point in (drawn_points(fit, draws, seed) if draws else [])
    ]
    low, high = np.full(percentiles.shape, np.nan), np.full(percentiles.shape, np.nan)
    if bands:
        low, high = np.quantile(np.array(bands), CERTAINTY, axis=0)
    return Forecast(tuple(fit.problem.endpoints), time, percentiles, low, high, patients, draws, given, tuple(notes))


def _times(fit: Fit, first: float, last: float, points: int) -> Floats:
    """Times: half of them evenly, the others as densely as the study was sampled, if it was in that span."""
    seen = fit.problem.study.observations.time
    seen = seen[(seen > first) & (seen < last)]
    if not len(seen):
        return np.linspace(first, last, points)
    half = points // 2
    dense = np.quantile(np.union1d(seen, [first, last]), np.linspace(0, 1, half))
    return np.union1d(np.linspace(first, last, points - half), dense)


def _checked(fit: Fit, doses: Sequence[Given], until: float | None) -> tuple[tuple[Given, ...], float]:
    study = fit.problem.study
    given = tuple(doses)
    end = float(study.observations.time.max()) if until is None else float(until)
    if not given:
        first = int(np.flatnonzero(study.subject == 0)[0])
        own = np.flatnonzero(study.doses.course == first)
        _check_plain(study, own)
        given = tuple(
            Given(
                float(study.doses.time[i] + k * study.doses.interval[i]),
                float(study.doses.amount[i]),
                float(max(study.doses.rate[i], 0.0)),
            )
            for i in own
            for k in range(_repeats(study, int(i), end) + 1)
        )
    for i, one in enumerate(given):
        if not (np.isfinite([one.time, one.amount, one.rate]).all() and one.amount > 0 and one.rate >= 0):
            raise InputError(
                f"found a dose of {one.amount:g} at time {one.time:g} with rate {one.rate:g}; expected an amount "
                "above 0 at a "
                "time, and a rate of 0 (all at once) or more.",
                field=f"doses.{i}",
            )
    first = min((one.time for one in given), default=0.0)
    if not (end > first and np.isfinite(end)):
        raise InputError(
            f"found {end:g} as the last time, expected one after the first dose ({first:g}).", field="until"
        )
    return given, end


def _check_plain(study: Study, own: Ints) -> None:
    """Refuse the doses of the first subject where a list of times, amounts and rates cannot say them."""
    doses, who = study.doses, study.subjects[0]
    for odd, what in (
        (doses.steady[own] > 0, "begin in a steady state"),
        (doses.rate[own] < 0, "have a rate or a duration that is a parameter"),
        (doses.target[own] != doses.target[own[0]] if len(own) else own > 0, "go into several compartments"),
    ):
        if odd.any():
            raise InputError(f"the doses of the first subject ({who}) {what}; say which doses new patients are given: "
                             "TIME:AMOUNT.", field="doses")  # fmt: skip


def _repeats(study: Study, dose: int, end: float) -> int:
    """Further doses of a dose up to the last time."""
    count, interval = int(study.doses.additional[dose]), float(study.doses.interval[dose])
    return min(count, max(0, int((end - float(study.doses.time[dose])) // interval))) if count else 0


def _problem(
    fit: Fit,
    given: tuple[Given, ...],
    time: Floats,
    patients: int,
    said: dict[str, float | str],
    rng: np.random.Generator,
    notes: list[str],
) -> FitProblem:
    """The problem of a fit with new patients in the place of its subjects."""
    problem, study = fit.problem, fit.problem.study
    used = [n for one in problem.parameters.values() for e in one.covariates.values() for n in parse(e).names]
    for name in said:
        if name not in study.covariates:
            raise InputError(unknown("covariate", name, study.covariates), field="covariates")
        if name not in used:
            raise InputError(f"the fit does not use the covariate {name}; leave it out.", field=f"covariates.{name}")
    present = np.array([study.subjects.index(s) for s in fit.population.layout.subjects])
    picked = present[rng.integers(len(present), size=patients)]
    picked = np.concatenate(
        [picked, present]
    )  # behind them the study's own, not counted: they keep every covariate varying
    asked, patients = np.arange(len(picked)) < patients, len(picked)
    covariates: dict[str, Covariate] = {}
    for name in dict.fromkeys(used):
        one = study.covariates[name]
        if name in said:
            values = np.full(patients, _level(one, said[name]))
            if one.constant is not None:
                values = np.where(asked, values, one.constant[picked])
        elif one.constant is not None:
            values = one.constant[picked]
        else:
            courses = [int(np.flatnonzero(study.subject == i)[0]) for i in picked]
            values = np.array([one.in_time[c][1][0] for c in courses], dtype=float)
            notes.append(f"{name} changes within subjects; new patients keep the first value of a subject of the study")
        covariates[name] = Covariate(name, values, one.categories)
    lacking = [name for name in covariates if name not in said]
    if lacking:
        notes.append(f"{', '.join(lacking)}: drawn from the subjects of the study")
    ends = len(problem.endpoints)
    places = np.array([problem.place_of(name) for name in problem.endpoints])
    rows, t = patients * len(time) * ends, np.repeat(time, ends)
    course = np.repeat(np.arange(patients), len(t))
    seen = Observations(
        course,
        np.tile(t, patients),
        np.ones(rows),
        np.tile(np.tile(places, len(time)), patients),
        np.zeros(rows, dtype=np.int8),
        np.full(rows, np.nan),
        np.zeros(rows, dtype=np.int64),
        np.full(rows, 10**9, dtype=np.int64),
    )
    target = str(study.doses.target[0]) if len(study.doses) else ""
    if len(np.unique(study.doses.target)) > 1:
        notes.append(f"all doses of new patients go where the study's first one goes: {target}")
    d = len(given)
    doses = Doses(
        np.repeat(np.arange(patients), d),
        np.tile([one.time for one in given], patients).astype(float),
        np.tile([one.amount for one in given], patients).astype(float),
        np.tile([one.rate for one in given], patients).astype(float),
        np.tile([one.amount / one.rate if one.rate else np.nan for one in given], patients),
        np.full(patients * d, target),
        np.zeros(patients * d),
        np.zeros(patients * d, dtype=np.int64),
        np.zeros(patients * d, dtype=np.int8),
        np.tile(np.arange(d), patients),
    )
    people = Study(
        study.file,
        study.program,
        tuple(f"new {i + 1}" for i in range(patients)),
        np.arange(patients),
        study.endpoints,
        seen,
        doses,
        covariates,
        study.time_unit,
    )
    natural = {
        name: replace(one, scale="natural", error="constant", start={}, fixed=False, lloq=None)
        for name, one in problem.endpoints.items()
    }
    levels = {n: _reference(fit, n) for n in covariates if study.covariates[n].categories}
    parameters = dict(problem.parameters)
    if problem.omega.occasion is not None:  # an effect that only occasions have is one between new patients
        for name in problem.omega.occasion.parameters:
            one = parameters[name]
            parameters[name] = replace(one, omega=one.omega or problem.omega.occasion.omega)
    omega = replace(problem.omega, occasion=None)
    return replace(problem, study=people, endpoints=natural, parameters=parameters, references=levels, omega=omega)


def _reference(fit: Fit, name: str) -> str:
    """The level with which a fit compared the others: the one that has no coefficient."""
    said = fit.problem.references.get(name)
    if said:
        return said
    study = fit.problem.study
    present = [study.subjects.index(s) for s in fit.population.layout.subjects]
    constant = study.covariates[name].constant
    codes = np.zeros(1) if constant is None else constant[present]
    return study.covariates[name].categories[int(np.argmax(np.bincount(codes.astype(int))))]


def _level(one: Covariate, value: float | str) -> float:
    if one.categories:
        if str(value) not in one.categories:
            raise InputError(
                unknown(f"level of {one.name}", str(value), one.categories), field=f"covariates.{one.name}"
            )
        return float(one.categories.index(str(value)))
    try:
        return float(value)
    except ValueError:
        raise InputError(f"found '{value}', expected a number.", field=f"covariates.{one.name}") from None


def _spread(fit: Fit, new: Population, point: Point) -> Floats:
    """Covariance of the random effects of new patients: between patients and, within their one occasion, of it."""
    random: list[int] = new.random.tolist()
    changing: list[int] = fit.population.changing.tolist()
    names = [fit.problem.names[k] for k in random]
    found = np.zeros((len(names), len(names)))
    old = [names.index(name) for name in fit.random]
    found[np.ix_(old, old)] = point.omega
    for k, variance in zip(changing, point.gamma):
        at = names.index(fit.problem.names[k])
        found[at, at] += variance
    return found


def _percentiles(fit: Fit, new: Population, point: Point, normal: Floats, points: int, patients: int) -> Floats:
    """Percentiles (endpoints, 3, t) of the patients' values."""
    place = {one.name: i for i, one in enumerate(fit.population.coefficients)}
    beta = np.array([point.beta[place[one.name]] if one.name in place else one.start for one in new.coefficients])
    spread = _spread(fit, new, point)
    values, vectors = np.linalg.eigh(spread) if len(spread) else (np.zeros(0), np.zeros((0, 0)))
    effects = normal @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
    f = new.f(new.mean(beta), effects)[0]
    found = np.empty((len(fit.problem.endpoints), len(LEVELS), points))
    for e in range(len(found)):
        table = f[new.layout.endpoint == e].reshape(new.subjects, points)
        found[e] = np.nanquantile(table[:patients], LEVELS, axis=0)
    return found


def forecast_rows(found: Forecast) -> list[dict[str, object]]:
    """One row of each endpoint and time, for a table."""
    rows: list[dict[str, object]] = []
    for e, name in enumerate(found.endpoints):
        for j, t in enumerate(found.time.tolist()):
            row: dict[str, object] = {"endpoint": name, "time": t}
            for i, level in enumerate(LEVELS):
                row[f"p{round(100 * level)}"] = float(found.percentiles[e, i, j])
                if found.draws:
                    row[f"p{round(100 * level)}_low"] = float(found.low[e, i, j])
                    row[f"p{round(100 * level)}_high"] = float(found.high[e, i, j])
            rows.append(row)
    return rows


def known_draws(fit: Fit, draws: int) -> tuple[int, list[str]]:
    """Draws of the estimates that a fit allows, and what there is to be told of it."""
    if draws and fit.covariance is None:
        return 0, ["the fit has no standard errors, so the bands of what is not known of the estimates are left out"]
    if not draws or fit.covariance is None:
        return draws, []
    without = [in_words(n) for n, v in zip(fit.theta_names, np.diag(fit.covariance)) if not np.isfinite(v)]
    told = f"the bands are too narrow: without a standard error, and so held at the estimate, are {', '.join(without)}"
    return draws, [told] if without else []


def doses_of(text: str, field: str) -> list[Given]:
    """Doses of a text: TIME:AMOUNT[:RATE], separated by commas; an amount alone is given at time 0.

    Raises
    ------
    InputError
        A part is none.
    """
    found: list[Given] = []
    for part in text.split(",") if text else []:
        try:
            values = [float(one) for one in part.split(":")]
        except ValueError:
            values = []
        if not 1 <= len(values) <= 3:
            raise InputError(
                f"found '{part}', expected TIME:AMOUNT or TIME:AMOUNT:RATE, such as 0:320,24:160.", field=field
            )
        found.append(Given(*([0.0, *values] if len(values) == 1 else values)))
    return found
