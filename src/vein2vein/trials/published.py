"""The published numbers of a trial: rows of its file, each with the endpoint that computes the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vein2vein import analytes, units
from vein2vein.cards import Card
from vein2vein.clinic.words import responses, simulated_scales
from vein2vein.errors import InputError, unknown
from vein2vein.trials.endpoints.measures import ENDPOINTS, SETS
from vein2vein.trials.endpoints.toxicity import DEVICES

SCALES = simulated_scales()
REASONS = ("manufacturing failure", "death", "adverse event", "progression", "not eligible")
LONGEST = 7305.0  # limit of a time in a trial file: 20 years in days
MOST = 1e6  # limit of a number of patients in a trial file
HIGHEST_GRADE = 5
STATISTICS = ("median", "mean", "geometric mean", "maximum", "ratio")
BY_INTERVAL = "published interval"
PERCENT = 100.0  # unit factor
_UNIT_OF_TOLERANCE = {"points": "%", "days": "days", "patients": "patients"}
TOLERANCES = ("points", "log10", "days", "percent of value", "patients", BY_INTERVAL)
_FIELDS = (
    "trial", "arm", "quantity", "definition", "value", "lo95", "hi95", "spread", "n", "unit", "source", "where",
    "confidence", "kind", "endpoint", "among", "draw", "statistic", "time", "cutoff", "weight_from", "weight_to",
    "reason", "arms", "blasts_from", "blasts_below", "tolerance", "tolerance_kind",
)  # fmt: skip

# unit as published -> unit of endpoints that is meant
UNITS = {
    "%": "%", "patients": "patients", "years": "year", "months": "month", "days": "day", "kg": "kg", "lines": "1",
    "ratio": "1", "fold": "1", "fraction": "1", "hazard ratio": "1", "1/day": "1/day", "CAR+ cells": "cells",
    "CAR+ viable T cells": "cells", "CAR+ cells/kg": "cells/kg", "CAR+ viable T cells/kg": "cells/kg",
    "copies/ug gDNA": "copies/ug", "day*copies/ug gDNA": "day*copies/ug", "cells/uL": "cells/uL",
    "day*cells/uL": "day*cells/uL", "mg/m2/day": "mg/m2/day", "mg*h/L": "mg*h/L",
}  # fmt: skip


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
    arguments: Mapping[str, Any] = field(default_factory=dict)
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


def read_published(card: Card, index: str, cutoffs: Mapping[str, float], arms: Sequence[str] = ()) -> Published:
    """Read and check one row ``[[published]]`` of a trial card with these data cut-offs and arms."""
    here = ("published", index)
    name = card.string(*here, "endpoint", default="")
    if name and name not in ENDPOINTS:
        raise card.error((*here, "endpoint"), unknown("endpoint", name, ENDPOINTS))
    wanted = arguments_of(name)
    card.refuse_unknown((*_FIELDS, *wanted), *here)
    unit = card.string(*here, "unit", choices=UNITS)
    statistic = card.string(*here, "statistic", choices=STATISTICS, default="median")
    time = card.number(*here, "time", unit="day", low=0.0, high=LONGEST, default=None)
    value, low, high = (card.number(*here, end, default=np.nan) for end in ("value", "lo95", "hi95"))
    for end, number in (("value", value), ("lo95", low), ("hi95", high)):
        if np.isinf(number):
            raise card.error((*here, end), f"found {number:g}, expected a finite number.")
    card.number(*here, "value")
    if low > high:
        raise card.error((*here, "lo95"), f"found {low:g} above hi95 {high:g}, expected lo95 <= hi95.")
    if low > value or high < value:
        raise card.error((*here, "lo95"), f"found {low:g} to {high:g}, which does not hold the value {value:g}.")
    n = card.number(*here, "n", low=1, high=MOST, default=np.nan)
    reason = card.string(*here, "reason", default="")
    if name and (problem := fits(name, unit, statistic=statistic, time=time)):
        raise card.error((*here, "unit"), f"found '{unit}', which endpoint {name} cannot have; {problem}.")
    if not name and not reason:
        raise card.error((*here, "reason"), 'missing; a row without endpoint says why: add reason = "...".')
    problem = _beyond(name, unit, statistic, time, value, n)
    if problem:
        raise card.error((*here, problem[0]), problem[1])
    draw = card.number(*here, "draw", low=1, high=MOST, default=0.0 if np.isnan(n) else n)
    for key, count in (("n", n), ("draw", draw)):
        if not np.isnan(count) and count != int(count):
            raise card.error((*here, key), f"found {count:g}, expected a whole number of patients.")
    for kind, lower, upper in (("kg", "weight_from", "weight_to"), (None, "blasts_from", "blasts_below")):
        least = card.number(*here, lower, unit=kind, default=0.0)
        most = card.number(*here, upper, unit=kind, default=np.inf)
        if least >= most:
            raise card.error((*here, upper), f"found {lower} {least:g} and {upper} {most:g}; nobody lies between them.")
    usual = card.string("trial", "published_as", default=card.string("trial", "name"))
    return Published(
        trial=card.string(*here, "trial", default=usual),
        arm=card.string(*here, "arm", default=""),
        quantity=card.string(*here, "quantity"),
        definition=card.string(*here, "definition", default=""),
        value=value, low=low, high=high, spread=card.string(*here, "spread", default=""), n=n, unit=unit,
        source=card.string(*here, "source", default=""), where=card.string(*here, "where", default=""),
        confidence=card.string(*here, "confidence", choices=("read", "memory")),
        kind=card.string(*here, "kind", choices=("outcome", "design"), default="outcome"),
        endpoint=name,
        arguments={argument: _argument(card, argument, *here) for argument in wanted},
        among=card.string(*here, "among", choices=SETS, default="infused"),
        draw=int(draw), statistic=statistic, time=time,
        cutoff=card.string(*here, "cutoff", choices=["", *cutoffs], default=""),
        weight_from=card.number(*here, "weight_from", unit="kg", low=0.0, default=0.0),
        weight_to=card.number(*here, "weight_to", unit="kg", low=0.0, default=float("inf")),
        reason=reason,
        blasts_from=card.number(*here, "blasts_from", low=0.0, default=0.0),
        blasts_below=card.number(*here, "blasts_below", low=0.0, default=float("inf")),
        arms=_arms(card, arms, *here),
        tolerance=card.number(*here, "tolerance", low=0.0, default=np.nan),
        tolerance_kind=_tolerance_kind(card, unit, value, *here),
    )  # fmt: skip


def _arms(card: Card, known: Sequence[str], *row: str) -> tuple[str, ...]:
    named: tuple[str, ...] = card.texts(*row, "arms")
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
    if time is not None and kind != "time":
        return "time", f"is read by endpoints of time to an event only, not by {endpoint}; leave it out."
    if statistic != "median" and kind != "number":
        return "statistic", f"found '{statistic}', but {endpoint} is no number of each patient; leave it out."
    if unit == "%" and kind in ("share", "time") and not 0 <= value <= PERCENT:
        return "value", f"found {value:g} %, expected a share from 0 to 100 %."
    if unit == "patients" and kind == "share" and not 0 <= value <= (np.inf if np.isnan(n) else n):
        return "value", f"found {value:g} patients, expected 0 to n, {n:g}."
    return None


def _tolerance_kind(card: Card, unit: str, value: float, *row: str) -> str:
    tolerance = card.number(*row, "tolerance", low=0.0, default=None)
    kind = card.string(*row, "tolerance_kind", choices=["", *TOLERANCES], default="")
    if kind and kind != BY_INTERVAL and card.get(*row, "tolerance") is None:
        raise card.error((*row, "tolerance"), f"missing; a row scored in {kind} needs its tolerance.")
    if kind == BY_INTERVAL and (card.get(*row, "lo95") is None or card.get(*row, "hi95") is None):
        raise card.error((*row, "lo95"), "missing; a row scored by its published interval needs lo95 and hi95.")
    if tolerance is not None and not kind:
        known = ", ".join(TOLERANCES)
        raise card.error((*row, "tolerance_kind"), f"missing; a tolerance needs its kind, one of {known}.")
    if tolerance is not None and kind != BY_INTERVAL and not 0 < tolerance < np.inf:
        raise card.error((*row, "tolerance"), f"found {tolerance:g}, expected a finite number above 0.")
    meant = _UNIT_OF_TOLERANCE.get(kind, unit)
    if meant != unit:
        raise card.error((*row, "tolerance_kind"), f"found '{kind}' for a value in {unit}, expected one for that unit.")
    if kind in ("log10", "percent of value") and value <= 0:
        raise card.error(
            (*row, "tolerance_kind"), f"found '{kind}' for the value {value:g}, expected 'points' or 'days'."
        )
    return kind


def arguments_of(endpoint: str) -> list[str]:
    """Arguments that an endpoint takes from the trial file, by name."""
    if not endpoint:
        return []
    return [p.name for p in inspect.signature(ENDPOINTS[endpoint].read).parameters.values() if p.kind is p.KEYWORD_ONLY]


_CHOICES: dict[str, tuple[str, ...]] = {
    "scale": SCALES, "event": ("OS", "EFS", "PFS", "RFS", "DOR"), "clock": ("infusion", "enrolment"), "device": DEVICES,
    "antigen": ("any", "positive", "negative"),
    "line": ("neutrophils", "platelets"),
}  # fmt: skip
_LISTS: dict[str, Callable[[], Any]] = {
    "reasons": lambda: REASONS,
    "responses": lambda: tuple(responses()),
    "treatments": lambda: [n for n, a in analytes.all_analytes().items() if a.kind == "treatment"],
    "lines": lambda: ("neutropenia", "thrombocytopenia"),
}
_FLAGS = ("before_transplant", "censor_transplant", "severe")
_DAYS = ("until", "day", "within", "landmark", "response_by", "from_day")


def _argument(card: Card, name: str, *row: str) -> Any:
    """An argument of an endpoint: from the row, else from the table [endpoints]."""
    path = (*row, name)
    if card.get(*path) is None and card.get("endpoints", name) is not None:
        path = ("endpoints", name)
    if name in _CHOICES:
        return card.string(*path, choices=_CHOICES[name])
    if name in _LISTS:
        known = list(_LISTS[name]())
        listed = card.required(*path, expected=f'a list such as ["{known[0]}"]')
        if not isinstance(listed, list) or not listed:
            raise card.error(path, f'found {listed!r}, expected a list such as ["{known[0]}"].')
        for item in listed:
            if item not in known:
                raise card.error(path, unknown(name.removesuffix("s"), str(item), known))
        return tuple(listed)
    if name in _FLAGS:
        return card.flag(*path)
    if name == "grade":
        return int(card.number(*path, low=1, high=HIGHEST_GRADE))
    return card.number(*path, unit="day" if name in _DAYS else None, low=0.0)


def fits(endpoint: str, unit: str, *, statistic: str, time: float | None) -> str:
    """Return what speaks against showing an endpoint in a unit; "" where nothing does."""
    kind, own = ENDPOINTS[endpoint].kind, ENDPOINTS[endpoint].unit
    meant = UNITS[unit]
    if kind == "share" or (kind == "time" and time is not None):
        expected = ("%", "patients") if kind == "share" else ("%",)
        return "" if meant in expected else f"expected the unit {' or '.join(expected)}"
    if kind == "hazard" or (kind == "number" and statistic == "ratio"):
        return "" if meant == "1" else "expected a unit without dimension such as 'ratio'"
    if meant == own:
        return ""
    try:
        units.convert(1.0, own, meant)
    except InputError:
        return f"expected a unit of {own}"
    return ""
