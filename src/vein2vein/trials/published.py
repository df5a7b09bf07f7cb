"""The published numbers of a trial: rows of its file, each with the endpoint that computes the same."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from vein2vein import units
from vein2vein.card_reading import read
from vein2vein.cards import Card
from vein2vein.declared import Record, expectation, fields_of
from vein2vein.errors import InputError, unknown
from vein2vein.records import described
from vein2vein.trials.endpoints.measures import ENDPOINTS
from vein2vein.trials.trial_card import (
    ARGUMENTS,
    BY_INTERVAL,
    FARTHEST,
    GEOMETRIC_CV,
    LONGEST,
    MOST,
    SCALES,
    STATISTICS,
    TOLERANCES,
    UNITS,
    RowCard,
    arguments_of,
    endpoints_card,
    row_card,
)

__all__ = [
    "BY_INTERVAL", "LONGEST", "MOST", "SCALES", "STATISTICS", "TOLERANCES", "UNITS", "Published", "arguments_of",
    "fits", "published", "read_published",
]  # fmt: skip

Argument = str | float | bool | tuple[str, ...]  # of an endpoint
PERCENT = 100.0  # unit factor
_UNIT_OF_TOLERANCE = {"points": "%", "days": "days", "patients": "patients"}


@described
@dataclass(frozen=True)
class Published:
    """One published number, and how to compute the same from virtual patients.

    Attributes
    ----------
    trial, arm, quantity, definition : str
        As in the source.
    value : float
    low, high : float
        Published 95 % interval; NaN where none was given.
    spread : str
        Range, quartiles or coefficient of variation, in words.
    n : float
        Patients behind the number; NaN where not given.
    unit, source, where : str
    confidence : str
        ``read`` or ``memory`` (recalled, not yet checked against the source: shown apart, never scored).
    kind : str
        ``outcome`` or ``design`` (an input of the trial or a baseline fact).
    endpoint : str
        Name in ``endpoints.ENDPOINTS``; "" where the journey cannot produce the number.
    arguments : mapping
        Arguments of the endpoint.
    among : str
        Name in ``endpoints.SETS``: the denominator.
    draw : int
        Patients of the set in a trial of the published size; 0: none can be drawn.
    statistic : str
        How a number is summed up: one of ``STATISTICS``.
    time : float or None
        Day at which a survival curve is read; None: its median.
    cutoff : str
        Name of the data cut-off that censors follow-up; "" for full follow-up.
    weight_from, weight_to : float
        Limits of body weight (kg) of the patients counted.
    blasts_from, blasts_below : float
        Limits of the blasts in marrow (%) before lymphodepletion of the patients counted.
    age_from, age_to, lines_from, lines_to : float
        Limits of age (completed years) and earlier lines of therapy of the patients counted, both included.
    burden_from, burden_to : float
        Limits of the tumor before lymphodepletion of the patients counted, in ``burden_unit``.
    burden_unit : str
        One of ``BURDEN_UNITS``.
    arms : tuple of str
        Arms of the trial that count; empty: all.
    tolerance : float
        How far the simulated median may be from the value where the row is scored; NaN: by the published interval.
    tolerance_kind : str
        One of ``TOLERANCES``; "": the row is shown, not scored.
    reason : str
        Why there is no endpoint.
    """

    trial: str
    arm: str
    quantity: str
    definition: str
    value: float
    low: float
    high: float
    spread: str
    n: float
    unit: str
    source: str
    where: str
    confidence: str
    kind: str = "outcome"
    endpoint: str = ""
    arguments: Mapping[str, Argument] = field(default_factory=dict[str, Argument])
    among: str = "infused"
    draw: int = 0
    statistic: str = "median"
    time: float | None = None
    cutoff: str = ""
    weight_from: float = 0.0
    weight_to: float = float("inf")
    reason: str = ""
    blasts_from: float = 0.0
    blasts_below: float = float("inf")
    arms: tuple[str, ...] = ()
    tolerance: float = float("nan")
    tolerance_kind: str = ""
    age_from: float = 0.0
    age_to: float = float("inf")
    lines_from: float = 0.0
    lines_to: float = float("inf")
    burden_from: float = 0.0
    burden_to: float = float("inf")
    burden_unit: str = "e6/kg"


def number_of(row: Published, name: str, default: float = 0.0) -> float:
    """An argument of a row's endpoint that is a number."""
    value = row.arguments.get(name, default)
    return float(value) if isinstance(value, int | float) else default


def day_of(row: Published, name: str) -> float | None:
    """A day among the arguments of a row's endpoint; None where it takes none."""
    return number_of(row, name) if name in row.arguments else None


def read_published(card: Card, index: str, cutoffs: Iterable[str], arms: Sequence[str] = ()) -> Published:
    """Read and check one row ``[[published]]`` of a card with these data cut-offs and arms."""
    common = read(card, endpoints_card(), "endpoints")
    return published(card, index, read(card, row_card(), "published", index), common, cutoffs, arms)


def published(
    card: Card, index: str, row: RowCard, common: Record, cutoffs: Iterable[str], arms: Sequence[str] = ()
) -> Published:
    """Make a published number of its row and the table [endpoints]; refuse what the two cannot mean.

    Parameters
    ----------
    card : Card
    index : str
        Place of the row.
    row, common : Record
        See ``row_card`` and ``endpoints_card``.
    cutoffs, arms : iterable of str
        Names that the row may use.
    """
    here = ("published", index)
    name = row.endpoint
    wanted = arguments_of(name)
    own = [one.label for one in fields_of(RowCard) if one.name not in ARGUMENTS]
    card.refuse_unknown((*own, *wanted), *here)
    low, high = (math.nan if end is None else end for end in (row.lo95, row.hi95))
    n = math.nan if row.n is None else float(row.n)
    if name and (problem := fits(name, row.unit, statistic=row.statistic, time=row.time)):
        raise card.error((*here, "unit"), f"found '{row.unit}', which endpoint {name} cannot have; {problem}.")
    if not name and not row.reason:
        raise card.error((*here, "reason"), 'missing; a row without endpoint says why: add reason = "...".')
    for at, one in (("value", row.value), ("lo95", row.lo95), ("hi95", row.hi95)):
        problem = None if one is None else _beyond(name, row.unit, row.statistic, row.time, one, n)
        if problem:
            raise card.error((*here, at if problem[0] == "value" else problem[0]), problem[1])
    if row.cutoff and row.cutoff not in cutoffs:
        raise card.error((*here, "cutoff"), unknown("cutoff", row.cutoff, cutoffs))
    _check_tolerance(card, row, *here)
    usual = card.string("trial", "published_as", default=card.string("trial", "name"))
    return Published(
        trial=row.trial or usual, arm=row.arm, quantity=row.quantity, definition=row.definition, value=row.value,
        low=low, high=high, spread=row.spread, n=n, unit=row.unit, source=row.source, where=row.where,
        confidence=row.confidence, kind=row.kind, endpoint=name,
        arguments={argument: _argument(card, argument, row, common, *here) for argument in wanted},
        among=row.among, draw=row.draw if row.draw is not None else row.n or 0, statistic=row.statistic, time=row.time,
        cutoff=row.cutoff, weight_from=row.weight_from, weight_to=row.weight_to, reason=row.reason,
        blasts_from=row.blasts_from, blasts_below=row.blasts_below, arms=_arms(card, row.arms, arms, *here),
        tolerance=math.nan if row.tolerance is None else row.tolerance, tolerance_kind=row.tolerance_kind,
        age_from=row.age_from, age_to=row.age_to, lines_from=row.lines_from, lines_to=row.lines_to,
        burden_from=row.burden_from, burden_to=row.burden_to, burden_unit=row.burden_unit,
    )  # fmt: skip


def _arms(card: Card, named: tuple[str, ...], known: Sequence[str], *row: str) -> tuple[str, ...]:
    for name in named:
        if name not in known:
            raise card.error((*row, "arms"), unknown("arm", name, known))
    if len(set(named)) < len(named):
        raise card.error((*row, "arms"), f"found {list(named)}, expected each arm once.")
    return named


def _beyond(
    endpoint: str, unit: str, statistic: str, time: float | None, value: float, n: float
) -> tuple[str, str] | None:
    """Which field of a row is impossible, and why; None where none is."""
    if not endpoint:
        return None
    kind = ENDPOINTS[endpoint].kind
    if time is None and kind == "incidence":
        return "time", f"missing; {endpoint} is read at a day: add time."
    if time is not None and kind not in ("time", "incidence"):
        return "time", f"is read by endpoints of time to an event only, not by {endpoint}; leave it out."
    if statistic != "median" and kind != "number":
        return "statistic", f"found '{statistic}', but {endpoint} is no number of each patient; leave it out."
    if unit == "%" and kind in ("share", "time", "incidence") and not 0 <= value <= PERCENT:
        return "value", f"found {value:g} %, expected a share from 0 to 100 %."
    if unit == "patients" and kind == "share" and not 0 <= value <= (np.inf if np.isnan(n) else n):
        return "value", f"found {value:g} patients, expected 0 to n, {n:g}."
    if value <= 0 and (kind == "hazard" or statistic in ("ratio", "geometric mean")):
        return "value", f"found {value:g}, expected a {'hazard ratio' if kind == 'hazard' else statistic} above 0."
    if value < 0 and (unit != "%" or statistic == GEOMETRIC_CV):  # a change in % may be negative
        return "value", f"found {value:g} {unit}, expected 0 or more."
    return None


def _check_tolerance(card: Card, told: RowCard, *row: str) -> None:
    tolerance, kind, unit, value = told.tolerance, told.tolerance_kind, told.unit, told.value
    if kind and kind != BY_INTERVAL and tolerance is None:
        raise card.error((*row, "tolerance"), f"missing; a row scored in {kind} needs its tolerance.")
    if kind == BY_INTERVAL and (told.lo95 is None or told.hi95 is None):
        raise card.error((*row, "lo95"), "missing; a row scored by its published interval needs lo95 and hi95.")
    if tolerance is not None and not kind:
        known = ", ".join(TOLERANCES)
        raise card.error((*row, "tolerance_kind"), f"missing; a tolerance needs its kind, one of {known}.")
    meant = _UNIT_OF_TOLERANCE.get(kind, unit)
    if meant != unit:
        raise card.error((*row, "tolerance_kind"), f"found '{kind}' for a value in {unit}, expected one for that unit.")
    farthest = (told.n or math.inf) if kind == "patients" else FARTHEST.get(kind, math.inf)
    if tolerance is not None and tolerance > farthest:
        text = (
            f"found {tolerance:g}, expected at most {farthest:g} ({kind}): beyond that anything would count as close."
        )
        raise card.error((*row, "tolerance"), text)
    if kind in ("log10", "percent of value") and value <= 0:
        raise card.error(
            (*row, "tolerance_kind"), f"found '{kind}' for the value {value:g}, expected 'points' or 'days'."
        )


def _argument(card: Card, name: str, row: RowCard, common: Record, *here: str) -> Argument:
    """An argument of an endpoint: from the row, else from the table [endpoints]."""
    for told in (row, common):
        value = cast("Argument | None", getattr(told, name))
        if value is not None and value != "":
            return value
    usual = inspect.signature(ENDPOINTS[row.endpoint].read).parameters[name].default
    if usual is not inspect.Parameter.empty:
        return cast("Argument", usual)
    (one,) = (one for one in fields_of(type(row)) if one.name == name)
    return cast("Argument", card.required(*here, name, expected=expectation(one)))  # it is missing: refused here


def fits(endpoint: str, unit: str, *, statistic: str, time: float | None) -> str:
    """Return what speaks against showing an endpoint in a unit; "" where nothing does."""
    kind, own = ENDPOINTS[endpoint].kind, ENDPOINTS[endpoint].unit
    meant = UNITS[unit]
    if kind in ("share", "incidence") or (kind == "time" and time is not None):
        expected = ("%", "patients") if kind == "share" else ("%",)
        return "" if meant in expected else f"expected the unit {' or '.join(expected)}"
    if kind == "hazard" or (kind == "number" and statistic == "ratio"):
        return "" if meant == "1" else "expected a unit without dimension such as 'ratio'"
    if statistic == GEOMETRIC_CV:
        return "" if meant == "%" else "expected the unit %"
    if meant == own:
        return ""
    try:
        units.convert(1.0, own, meant)
    except InputError:
        return f"expected a unit of {own}"
    return ""
