"""Simulated beside published: for each published row, what a trial of that size would have shown.

Many trials of the published size are drawn from the virtual patients of the row's set (with replacement: the virtual
patients stand for the population), the endpoint is computed on each, and the median and the central interval of the
results stand beside the published value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from vein2vein import units
from vein2vein.journey.journey import Journey, given_standard_care
from vein2vein.randomness import uniforms
from vein2vein.records import described, take
from vein2vein.statistics.hazard_ratio import hazard_ratio
from vein2vein.statistics.incidence import cumulative_incidence
from vein2vein.statistics.intervals import quantile, shares
from vein2vein.statistics.resampling import sample
from vein2vein.statistics.survival import kaplan_meier, median_time, value_at
from vein2vein.trials.endpoints.measures import ENDPOINTS, SETS, NotProduced
from vein2vein.trials.endpoints.reading import Cells, Flags, Floats
from vein2vein.trials.published import GEOMETRIC_CV, UNITS, Published
from vein2vein.trials.subgroups import within

RESAMPLES = 400  # trials drawn for one row: the ends of a 90 % interval then rest on 20 trials each
LEVEL = 0.9  # share of the drawn trials inside the interval shown
PERCENT = 100.0  # unit factor
Part = tuple[int, Floats | None, str]  # of a row: who counts, what drawn trials gave, or why nothing
NOT_EVALUATED = "NE"  # response of one who had not been assessed at the data cut-off


@described
@dataclass(frozen=True)
class Row:
    """One line of the table simulated against published.

    Attributes
    ----------
    trial, arm, quantity, definition, unit, kind, confidence, source, where, spread : str
    published, published_low, published_high : float
        Published value and 95 % interval (NaN: none given).
    n : float
        Published denominator.
    simulated, low, high : float
        Median and interval of the same number over simulated trials of the published size; NaN where missing, inf for
        a median that is not reached.
    pool : int
        Virtual patients in the set that the trials were drawn from.
    inside : bool or None
        Whether the published value lies in the simulated interval; None where missing.
    missing : str
        Why nothing was simulated; "" where it was.
    """

    trial: str
    arm: str
    quantity: str
    definition: str
    unit: str
    kind: str
    confidence: str
    source: str
    where: str
    spread: str
    published: float
    published_low: float
    published_high: float
    n: float
    simulated: float
    low: float
    high: float
    pool: int
    inside: bool | None
    missing: str


def known_at(journey: Journey, follow_up: Floats) -> Journey:
    """The journey as known at a data cut-off: later events are not yet seen, observation ends there.

    Parameters
    ----------
    journey : Journey
    follow_up : ndarray, shape (n,)
        Days from infusion to the cut-off.
    """
    outcome = journey.outcome

    def seen(day: Floats) -> Floats:
        return np.where(day <= follow_up, day, np.inf)

    relapse, response = seen(outcome.relapse_day), seen(outcome.response_day)
    late = np.isfinite(np.asarray(outcome.response_day, float)) & ~np.isfinite(response)
    return dataclasses.replace(
        journey,
        outcome=dataclasses.replace(
            outcome,
            best_response=np.where(late, NOT_EVALUATED, np.asarray(outcome.best_response).astype(str)),
            response_day=response,
            mrd_negative=np.asarray(outcome.mrd_negative, bool) & ~late,
            relapse_day=relapse,
            relapse_antigen=np.where(np.isfinite(relapse), np.asarray(outcome.relapse_antigen).astype(str), ""),
            progression_day=seen(outcome.progression_day),
            death_day=seen(outcome.death_day),
            hsct_day=seen(outcome.hsct_day),
            last_day=np.minimum(np.asarray(outcome.last_day, float), follow_up),
        ),
    )


def compare(
    published: Sequence[Published],
    journey: Journey,
    *,
    follow_up: Mapping[str, Floats],
    scale: str,
    until: float,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    of: NDArray[np.intp] | None = None,
) -> tuple[Row, ...]:
    """Set each published row beside simulated trials of its size.

    Parameters
    ----------
    published : sequence of Published
    journey : Journey
    follow_up : mapping of str to ndarray, shape (n,)
        Days of follow-up of each patient at each named cut-off.
    scale : str
        CRS scale that defines the set ``crs``.
    until : float
        Days in which cytokine release syndrome counts for that set.
    seed : int
    resamples : int
    level : float
    of : ndarray of int, shape (n,), optional
        The parameter set that each patient is under: each simulated trial is drawn under one of them.
    """
    everyone = np.arange(journey.count)
    groups = [everyone] if of is None else [np.flatnonzero(of == one) for one in np.unique(of)]
    parts = [
        list(
            resampled(
                published, journey if of is None else take(journey, who),
                follow_up={name: days[who] for name, days in follow_up.items()}, scale=scale, until=until, seed=seed,
                resamples=-(-resamples // len(groups)), again=len(groups) == 1,
            )
        )
        for who in groups
    ]  # fmt: skip
    return tuple(pooled(row, [part[k] for part in parts], level=level) for k, row in enumerate(published))


def resampled(
    published: Sequence[Published], journey: Journey, *, follow_up: Mapping[str, Floats], scale: str, until: float,
    seed: int, resamples: int, again: bool = True,
) -> Iterator[Part]:  # fmt: skip
    """For each row the virtual patients who count, what trials drawn from them gave (resamples,), or why nothing.

    ``again``: see ``statistics.resampling.sample``.
    """
    seen_at = {"": journey, **{name: known_at(journey, days) for name, days in follow_up.items()}}
    for row in published:
        if not row.endpoint:
            yield 0, None, ""
            continue
        try:
            arrays, pool = read_row(row, seen_at[row.cutoff], scale=scale, until=until)
        except NotProduced as problem:
            yield 0, None, str(problem)
            continue
        members = np.flatnonzero(pool)
        if members.size == 0:
            yield 0, None, nobody(row)
            continue
        chosen = draw(members, row.draw or members.size, resamples=resamples, seed=seed, again=again)
        yield members.size, summarize(row, *(np.asarray(a)[chosen] for a in arrays)), ""


def pooled(row: Published, parts: Sequence[Part], *, level: float = LEVEL) -> Row:
    """Set a row beside the simulated trials of every parameter set: each of them was drawn under one set."""
    results = [result for _, result, _ in parts if result is not None]
    missing = next((why for _, result, why in parts if result is None), "")
    pool = sum(size for size, _, _ in parts)
    return beside(row, pool, np.concatenate(results) if results else None, level=level, missing=missing)


def nobody(row: Published) -> str:
    """What is said of a row when no virtual patient counts for it."""
    return f"no virtual patient has this value in the set '{row.among}'"


def beside(row: Published, pool: int, result: Floats | None, *, level: float, missing: str = "") -> Row:
    """Set a published row beside what the simulated trials gave, shape (resamples,); None where they gave nothing."""
    missing = missing or row.reason
    if result is not None and np.isnan(result).sum() > result.size / 2:
        missing, result = "not estimable: too few events in the simulated trials", None
    low, middle, high = (np.nan if result is None else quantile(result, q) for q in shares(level))
    inside = None if result is None else bool(low <= row.value <= high)
    return Row(
        row.trial, row.arm, row.quantity, row.definition, row.unit, row.kind, row.confidence, row.source, row.where,
        row.spread, row.value, row.low, row.high, row.n, float(middle), float(low), float(high), pool, inside,
        "" if result is not None else missing or "the journey does not produce it",
    )  # fmt: skip


def patients_of(row: Published, journey: Journey, *, scale: str, until: float) -> NDArray[np.bool_]:
    """The denominator of a row, shape (n,); an arm of standard care counts only where the row names it."""
    found = SETS[row.among](journey, scale, until) & within(row, journey)
    return found & (np.isin(journey.patient.arm, row.arms) if row.arms else ~given_standard_care(journey))


def read_row(row: Published, journey: Journey, *, scale: str, until: float) -> tuple[tuple[Cells, ...], Flags]:
    """What a row's endpoint reads off every patient, arrays of shape (n,), and who counts for it, shape (n,).

    Raises
    ------
    NotProduced
        The journey does not hold what the endpoint needs.
    """
    endpoint = ENDPOINTS[row.endpoint]
    found = endpoint.read(journey, **row.arguments)
    arrays = found if isinstance(found, tuple) else (found,)
    pool = patients_of(row, journey, scale=scale, until=until)
    if endpoint.kind in ("time", "hazard", "incidence"):
        arrays, pool = arrays[:-1], pool & cast("Flags", arrays[-1])
    elif endpoint.kind == "number":
        pool = pool & ~np.isnan(cast("Floats", arrays[0]))
        arrays = (*arrays, SETS["responders"](journey, scale, until)) if row.statistic == "ratio" else arrays
    return arrays, pool


def draw(members: NDArray[np.intp], size: int, *, resamples: int, seed: int, again: bool = True) -> NDArray[np.intp]:
    """Draw trials of a size from some patients, with the luck of a seed; shape (resamples, size).

    ``again``: see ``statistics.resampling.sample``.
    """
    return sample(members, size, partial(uniforms, seed, f"trial of {size}", np.arange(resamples)), again=again)


def summarize(row: Published, *arrays: Cells) -> Floats:
    """The number that a row asks for, over the last axis of what its endpoint read; in the row's unit."""
    endpoint = ENDPOINTS[row.endpoint]
    if endpoint.kind == "share":
        flags = cast("Flags", arrays[0])
        return flags.sum(axis=-1).astype(float) if row.unit == "patients" else PERCENT * flags.mean(axis=-1)
    values = cast("Floats", arrays[0])
    if endpoint.kind == "hazard":
        return hazard_ratio(values, cast("Flags", arrays[1]), cast("Floats", arrays[2]))
    if endpoint.kind == "incidence" and row.time is not None:
        return PERCENT * value_at(cumulative_incidence(values, cast("Floats", arrays[1])), row.time)
    if endpoint.kind == "time":
        curve = kaplan_meier(values, cast("Flags", arrays[1]))
        if row.time is not None:
            return PERCENT * value_at(curve, row.time)
        return median_time(curve) * units.convert(1.0, endpoint.unit, UNITS[row.unit])
    if row.statistic == "ratio":
        return _ratio(values, cast("Flags", arrays[1]))
    if row.statistic == GEOMETRIC_CV:
        return PERCENT * np.sqrt(np.expm1(np.var(np.log(values), axis=-1, ddof=1)))
    summary: dict[str, Callable[[Floats], Floats]] = {
        "median": lambda x: np.median(x, axis=-1),
        "mean": lambda x: np.mean(x, axis=-1),
        "geometric mean": lambda x: np.exp(np.mean(np.log(x), axis=-1)),
        "maximum": lambda x: np.max(x, axis=-1),
    }
    return summary[row.statistic](values) * _factor(endpoint.unit, row.unit)


def _factor(found: str, shown: str) -> float:
    return 1.0 if UNITS[shown] == found else units.convert(1.0, found, UNITS[shown])


def _ratio(value: Floats, group: NDArray[np.bool_]) -> Floats:
    logs = np.log(value)
    ones, zeros = group.sum(axis=-1), (~group).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.exp(np.sum(logs * group, axis=-1) / ones - np.sum(logs * ~group, axis=-1) / zeros)
