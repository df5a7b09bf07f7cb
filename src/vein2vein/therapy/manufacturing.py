"""Numbers of the manufacturing process: the general set, with a product's own numbers laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.cards import Card, parse_card
from vein2vein.parameters import ParameterSet, read_parameters
from vein2vein.randomness import normals

Floats = NDArray[np.float64]
PHENOTYPES = ("TN_SCM", "CM", "EM", "EFF")
FAILURES = ("quality", "safety", "no product")
COMPARISONS = ("at least", "at most", "below", "yes")


@dataclass(frozen=True)
class Process:
    """Process numbers of one product.

    Attributes
    ----------
    parameters : ParameterSet
        With sources.
    values : SimpleNamespace
        The same numbers by name.
    """

    parameters: ParameterSet
    values: SimpleNamespace


@dataclass(frozen=True)
class ReleaseTest:
    """One test of the release panel: ``must_be`` is "at least", "at most" or "below" a limit, or "yes"."""

    name: str
    measured: str
    must_be: str
    limit: str
    failure: str


@cache
def _card() -> Card:
    path = Path(__file__).with_name("manufacturing.toml")
    return parse_card(path.read_text(encoding="utf-8"), path.name)


@cache
def general() -> ParameterSet:
    """The general process numbers with their sources."""
    return read_parameters(_card())


@cache
def release_tests() -> Mapping[str, ReleaseTest]:
    """The release panel by name of the test."""
    card = _card()
    return {
        name: ReleaseTest(
            name,
            card.string("tests", name, "measured"),
            card.string("tests", name, "must_be", choices=COMPARISONS),
            card.string("tests", name, "limit", choices=general().parameters, default=""),
            card.string("tests", name, "failure", choices=FAILURES),
        )
        for name in card.table("tests")
    }


def process(own: ParameterSet | None = None) -> Process:
    """Process numbers of a product: its own (``product.process``) over the general set."""
    numbers = general() if own is None else general().overlay(own)
    return Process(numbers, SimpleNamespace(**numbers.values()))


def scattered(process: Process, name: str, numbers: ArrayLike, seed: int, purpose: str) -> Floats:
    """Draw one process number for each patient with its spread, shape (n,)."""
    parameter = process.parameters.parameters[name]
    assert parameter.value is not None and parameter.spread is not None
    deviation = parameter.spread.sd * normals(seed, f"{purpose}:{name}", numbers)[:, 0]
    value = parameter.value * np.exp(deviation) if parameter.spread.kind == "lognormal" else parameter.value + deviation
    return np.clip(value, parameter.low, parameter.high)


def scattered_share(median: ArrayLike, sd: float, numbers: ArrayLike, seed: int, purpose: str) -> Floats:
    """Draw a share whose logit is normal around that of the median, shape (n,)."""
    from scipy import special

    return special.expit(special.logit(np.asarray(median, dtype=float)) + sd * normals(seed, purpose, numbers)[:, 0])
