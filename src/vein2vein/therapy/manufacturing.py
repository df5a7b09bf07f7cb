"""Numbers of the manufacturing process: the general set, with a product's own numbers laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.card_reading import read
from vein2vein.cards import Card, parse_card
from vein2vein.declared import Sourced, number, text
from vein2vein.errors import InputError
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
    """Process numbers of a product: its own (``product.process``) over the general set.

    A law of the wait that does not say which culture it holds was measured with the product's own.
    """
    numbers = general() if own is None else general().overlay(own)
    values = SimpleNamespace(**numbers.values())
    if own is not None and "wait_shift" in own.parameters and "wait_culture_days" not in own.parameters:
        values.wait_culture_days = values.culture_days
    return Process(numbers, values)


@dataclass(frozen=True, kw_only=True)
class PublishedFailure(Sourced):
    """How often manufacture failed in some years, and the probability of a failed run that gives as much here."""

    product: Annotated[str, text("Product card")]
    disease: Annotated[str, text("Disease card")]
    first: Annotated[int, number("First year")]
    last: Annotated[int, number("Last year")]
    counted: Annotated[str, text("What was counted", ("patients without product", "failed runs"))]
    failed: Annotated[int, number("How many failed", low=0)]
    of: Annotated[int, number("Of how many", low=1)]
    run_failure: Annotated[float, number("Probability of a failed run", low=0, high=1)]


@cache
def published_failures() -> tuple[PublishedFailure, ...]:
    """The table of published failures."""
    card = _card()
    return tuple(read(card, PublishedFailure, "failures", str(i)) for i in range(len(card.tables("failures"))))


def failures_of(product: str, disease: str, year: int | None = None) -> PublishedFailure | None:
    """The published failures of a product: those of a year, or the first; None: none known.

    Raises
    ------
    InputError
        Nothing is known of that year: which ones are.
    """
    mine = [one for one in published_failures() if (one.product, one.disease) == (product, disease)]
    if year is None:
        return mine[0] if mine else None
    found = [one for one in mine if one.first <= year <= one.last]
    if not found:
        known = ", ".join(f"{one.first} to {one.last}" for one in mine)
        expected = f"expected one of the years {known}" if mine else "expected no year, as none is known"
        text = f"found {year}, expected published failures of manufacture of {product} in {disease} in that year; "
        raise InputError(f"{text}{expected}.", field="year")
    return found[0]


def of_year(own: ParameterSet, product: str, disease: str, year: int) -> ParameterSet:
    """A product's process numbers with the failures of a year."""
    known = failures_of(product, disease, year)
    assert known is not None
    before = general().parameters["run_failure"]
    told = replace(before, value=known.run_failure, source=known.source, where=known.where, how=known.how)
    return own.joined(ParameterSet(f"{product} of {year}", {"run_failure": told}))


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
