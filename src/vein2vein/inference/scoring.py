"""Scoring of published rows: how far the simulated is from the published, baselines, scores over some rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Protocol

import numpy as np

from vein2vein.cards import Card, parse_card
from vein2vein.parameters import read_parameters
from vein2vein.therapy.disease import all_diseases
from vein2vein.trials.published import BY_INTERVAL, Published
from vein2vein.trials.trial import Trial

OTHER, READ = "other", "read"
PERCENT = 100  # unit factor


@dataclass(frozen=True)
class ScoredRow:
    """One scored row.

    Attributes
    ----------
    file : str
        Name of the trial file.
    trial, arm, quantity, definition, unit, source : str
        As published.
    kind : str
        Kind of endpoint: response, survival, relapse and so on.
    product, disease : str
    time : float
        Day at which a curve is read; NaN: none.
    published, published_low, published_high, n : float
    simulated, low, high : float
        Median and 90 % interval over simulated trials of the published size; NaN: not produced.
    tolerance : float
        In the unit of ``tolerance_kind``; NaN where the published interval decides.
    tolerance_kind : str
    error : float
        Distance of the simulated median from the published value, in tolerances.
    inside, close, passed : bool
        Published value in the simulated interval; median within the tolerance; both.
    missing : str
        Why the row is not produced; "" where it is.
    baseline, baseline_error : float
        The guess without a model and its distance in tolerances; NaN where no other trial has the endpoint.
    baseline_of : str
        What the guess is the mean of.
    """

    file: str
    trial: str
    arm: str
    quantity: str
    definition: str
    unit: str
    source: str
    kind: str
    product: str
    disease: str
    time: float
    published: float
    published_low: float
    published_high: float
    n: float
    simulated: float
    low: float
    high: float
    tolerance: float
    tolerance_kind: str
    error: float
    inside: bool
    close: bool
    passed: bool
    missing: str
    baseline: float = float("nan")
    baseline_error: float = float("nan")
    baseline_of: str = ""


@dataclass(frozen=True)
class Score:
    """A score over some rows.

    Attributes
    ----------
    name : str
        Trial, kind of endpoint, or "all".
    rows, passed, produced : int
    coverage : float
        Share of the produced rows whose published value lies in the simulated 90 % interval.
    error : float
        Mean absolute error in tolerances; a row that is not produced counts with the largest error.
    compared : int
        Rows that have a baseline and are produced.
    error_there, baseline_error : float
        Mean absolute errors of the model and of the baseline over those rows, in tolerances.
    """

    name: str
    rows: int
    passed: int
    produced: int
    coverage: float
    error: float
    compared: int
    error_there: float
    baseline_error: float

    @property
    def share(self) -> float:
        """Share of the rows that pass."""
        return self.passed / self.rows if self.rows else float("nan")

    @property
    def gain(self) -> float:
        """By how much the model's error is below the baseline's, as a share of it."""
        return 1 - self.error_there / self.baseline_error if self.compared else float("nan")


@dataclass(frozen=True)
class Numbers:
    """The numbers of the scoring; what each means stands in qualification.toml."""

    patients: float
    worst: float
    sets: float
    under_each: float
    tolerance: float
    spare: float


class Simulated(Protocol):
    """What stands beside a published row: a ``comparison.Row``, or ``NOT_RUN``."""

    @property
    def simulated(self) -> float:
        """Median over simulated trials; NaN: not produced."""
        ...

    @property
    def low(self) -> float:
        """Low end of the interval."""
        ...

    @property
    def high(self) -> float:
        """High end of the interval."""
        ...

    @property
    def inside(self) -> bool | None:
        """Whether the published value lies in it."""
        ...

    @property
    def missing(self) -> str:
        """Why nothing was simulated; "" where it was."""
        ...


@dataclass(frozen=True)
class NotRun:
    """Nothing was simulated."""

    simulated: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    inside: bool | None = None
    missing: str = "not run"


@cache
def _card() -> Card:
    text = resources.files("vein2vein").joinpath("inference", "qualification.toml").read_text(encoding="utf-8")
    return parse_card(text, "qualification.toml")


@cache
def numbers() -> Numbers:
    """The numbers of the scoring."""
    return Numbers(**read_parameters(_card(), "parameters").values())


@cache
def kinds() -> dict[str, str]:
    """Kind of each endpoint."""
    return {endpoint: kind for kind, listed in _card().table("kinds").items() for endpoint in listed}


def judge(trial: Trial, stated: Published, row: Simulated) -> ScoredRow:
    """Score one row of the comparison of a trial."""
    error = distance(row.simulated, stated)
    inside = bool(row.inside)
    close = bool(error <= 1)
    treated = [arm for arm in trial.arms if arm.name in (stated.arms or (arm.name,))] or [trial]
    products, diseases = {one.product.name for one in treated}, {one.disease.name for one in treated}
    return ScoredRow(
        file=trial.name, trial=stated.trial, arm=stated.arm, quantity=stated.quantity, definition=stated.definition,
        unit=stated.unit, source=stated.source, kind=kinds().get(stated.endpoint, OTHER),
        product="+".join(sorted(products)), disease="+".join(sorted(diseases)),
        time=float("nan") if stated.time is None else stated.time,
        published=stated.value, published_low=stated.low, published_high=stated.high, n=stated.n,
        simulated=row.simulated, low=row.low, high=row.high,
        tolerance=stated.tolerance, tolerance_kind=stated.tolerance_kind,
        error=error, inside=inside, close=close, passed=inside and close, missing=row.missing,
    )  # fmt: skip


def distance(value: float, stated: Published | ScoredRow) -> float:
    """Distance of a value from the published one in tolerances; inf where there is no value.

    A hazard ratio is judged by its published interval: 1 is the end of it, on a logarithmic scale.
    """
    published = stated.value if isinstance(stated, Published) else stated.published
    low, high = _interval(stated)
    if np.isnan(value):
        return float("inf")
    match stated.tolerance_kind:
        case "log10":
            return abs(np.log10(value / published)) / stated.tolerance if value > 0 else float("inf")
        case "percent of value":
            return abs(value - published) / (abs(published) * stated.tolerance / PERCENT)
        case kind if kind == BY_INTERVAL:
            if value <= 0:
                return float("inf")
            end = high if value >= published else low
            return float(np.log(value / published) / np.log(end / published))
        case _:
            return abs(value - published) / stated.tolerance


def _interval(stated: Published | ScoredRow) -> tuple[float, float]:
    if isinstance(stated, Published):
        return stated.low, stated.high
    return stated.published_low, stated.published_high


# What one would have guessed without a model


def with_baselines(rows: Sequence[ScoredRow], among: Sequence[ScoredRow] | None = None) -> tuple[ScoredRow, ...]:
    """Give each row the mean of the other trials for the same endpoint.

    Of the same product where more than one other trial has it, else of the same disease, else of the same lineage, else
    of all: the survival of one disease is no guess for that of another as long as there is a nearer one. Trials that
    share patients (one file) are one trial, and count once however many rows they have.

    Parameters
    ----------
    rows : sequence of ScoredRow
    among : sequence of ScoredRow, optional
        Rows that the guess is made from; ``rows`` without it.
    """
    known = tuple(rows if among is None else among)
    return tuple(_with_baseline(row, known) for row in rows)


def _with_baseline(row: ScoredRow, known: Sequence[ScoredRow]) -> ScoredRow:
    others = [other for other in known if other.file != row.file and _same_endpoint(other, row)]
    for what, key, least in ALIKE:
        alike = [other for other in others if key(other) == key(row)]
        by_trial = {file: [o.published for o in alike if o.file == file] for file in {o.file for o in alike}}
        if len(by_trial) >= least:
            guess = float(np.mean([np.mean(values) for values in by_trial.values()]))
            of = f"{len(by_trial)} trial{'s' * (len(by_trial) != 1)}" + (f" of the same {what}" if what else "")
            return replace(row, baseline=guess, baseline_error=distance(guess, row), baseline_of=of)
    return row


def _lineages(row: ScoredRow) -> frozenset[str]:
    """Lineages of the diseases of a row, or the names of those that do not come with vein2vein."""
    known = all_diseases()
    return frozenset(known[name].lineage if name in known else name for name in row.disease.split("+"))


# What makes rows alike, the nearest first, and how many other trials are asked for.
ALIKE: tuple[tuple[str, Callable[[ScoredRow], object], int], ...] = (
    ("product", lambda row: row.product, 2),
    ("disease", lambda row: row.disease, 1),
    ("lineage", _lineages, 1),
    ("", lambda _: None, 1),
)


def _same_endpoint(one: ScoredRow, other: ScoredRow) -> bool:
    same_time = one.time == other.time or (np.isnan(one.time) and np.isnan(other.time))
    return one.quantity == other.quantity and one.unit == other.unit and bool(same_time)


# Scores


def summarize(name: str, rows: Sequence[ScoredRow]) -> Score:
    """Score over some rows."""
    produced = [row for row in rows if not row.missing]
    compared = [row for row in produced if not np.isnan(row.baseline)]
    return Score(
        name=name,
        rows=len(rows),
        passed=sum(row.passed for row in rows),
        produced=len(produced),
        coverage=_mean([float(row.inside) for row in produced]),
        error=_mean([_bounded(row.error) for row in rows]),
        compared=len(compared),
        error_there=_mean([_bounded(row.error) for row in compared]),
        baseline_error=_mean([_bounded(row.baseline_error) for row in compared]),
    )


def _bounded(error: float) -> float:
    return min(error, numbers().worst)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
