"""What calibrations hold beside the scored rows of a trial: published spreads of exposure, and effects of burden."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import resources

import numpy as np

from vein2vein.cards import Card, parse_card
from vein2vein.inference.calibration.fitted_rows import NORMAL_95, PERCENT, RELATIVE
from vein2vein.parameters import read_parameters
from vein2vein.sources import source
from vein2vein.trials.endpoints.measures import ENDPOINTS, SETS
from vein2vein.trials.published import GEOMETRIC_CV, Published
from vein2vein.trials.trial import Trial

FIELDS = ("trial", "quantity", "endpoint", "among", "value", "n", "source", "where", "confidence")


@cache
def _card() -> Card:
    text = resources.files("vein2vein").joinpath("inference", "calibration", "spreads.toml").read_text("utf-8")
    return parse_card(text, "spreads.toml")


@cache
def bundled() -> tuple[tuple[str, Published], ...]:
    """Each published spread with the name of the trial that it stands beside."""
    card = _card()
    return tuple(_row(card, str(at)) for at in range(len(card.tables("spread"))))


@cache
def effects() -> dict[tuple[str, str], float]:
    """Rows of trials that are fitted to beside the scored ones: trial and quantity -> tolerance, percent of value."""
    card = _card()
    found: dict[tuple[str, str], float] = {}
    for at in range(len(card.tables("effect"))):
        here = ("effect", str(at))
        card.refuse_unknown(("trial", "quantity", "tolerance", "why"), *here)
        card.string(*here, "why")
        key = card.string(*here, "trial"), card.string(*here, "quantity")
        found[key] = card.number(*here, "tolerance", low=0.0, high=PERCENT)
    return found


def with_spreads(trial: Trial) -> Trial:
    """A trial with the published spreads of its product beside its rows, and effects of burden among them.

    Those that were read are scored then.
    """
    rows = (
        replace(row, tolerance=effects()[trial.name, row.quantity], tolerance_kind=RELATIVE)
        if (trial.name, row.quantity) in effects() and row.endpoint
        else row
        for row in trial.published
    )
    return replace(trial, published=(*rows, *spreads_of(trial)))


def spreads_of(trial: Trial) -> tuple[Published, ...]:
    """The published spreads that stand beside a trial."""
    return tuple(row for name, row in bundled() if name == trial.name)


def interval(cv: float, n: float) -> tuple[float, float]:
    """Ends of the 95 % interval of a geometric CV (%) of so many patients, taken as log-normal."""
    sd = np.sqrt(np.log1p((cv / PERCENT) ** 2))
    error = NORMAL_95 / np.sqrt(2 * max(n - 1, 1))
    low, high = (float(PERCENT * np.sqrt(np.expm1((sd * np.exp(side * error)) ** 2))) for side in (-1, 1))
    return low, high


def _row(card: Card, at: str) -> tuple[str, Published]:
    here = ("spread", at)
    card.refuse_unknown(FIELDS, *here)
    value, n = card.number(*here, "value", low=0.0), card.number(*here, "n", low=2.0)
    low, high = interval(value, n)
    numbers = [name for name, one in ENDPOINTS.items() if one.kind == "number"]
    told = Published(
        trial=card.string(*here, "trial"),
        arm="",
        quantity=card.string(*here, "quantity"),
        definition="geometric coefficient of variation between patients",
        value=value,
        low=low,
        high=high,
        spread="",
        n=n,
        unit="%",
        source=source(card.string(*here, "source")).key,
        where=card.string(*here, "where"),
        confidence=card.string(*here, "confidence", choices=("read", "memory")),
        endpoint=card.string(*here, "endpoint", choices=numbers),
        among=card.string(*here, "among", choices=SETS),
        draw=int(n),
        statistic=GEOMETRIC_CV,
        tolerance=read_parameters(card, "parameters").values()["tolerance"],
        tolerance_kind=RELATIVE,
    )
    return told.trial, told
