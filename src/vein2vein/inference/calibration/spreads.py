"""Published spreads of exposure between patients, as rows beside those of a trial of the same product."""

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
def bundled() -> tuple[tuple[str, Published], ...]:
    """Each published spread with the name of the trial that it stands beside."""
    text = resources.files("vein2vein").joinpath("inference", "calibration", "spreads.toml").read_text("utf-8")
    card = parse_card(text, "spreads.toml")
    return tuple(_row(card, str(at)) for at in range(len(card.tables("spread"))))


def with_spreads(trial: Trial) -> Trial:
    """A trial with the published spreads of its product beside its rows; those that were read are scored."""
    return replace(trial, published=(*trial.published, *spreads_of(trial)))


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
