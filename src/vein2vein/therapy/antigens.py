"""Antigens: the closed list of what a CAR may be made against, and how a disease carries them.

``antigens.toml`` holds the list with what normal cells carry. A disease card says which of them its tumor carries: the
share of the patients and the law of the density, in molecules per cell. What it does not say is not known.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.card_reading import read
from vein2vein.cards import Card, bundled_card
from vein2vein.declared import Form, Sourced, number, part, text
from vein2vein.errors import InputError, unknown
from vein2vein.randomness import uniforms
from vein2vein.records import described
from vein2vein.therapy import vocabulary as words
from vein2vein.therapy.laws import Law

Floats = NDArray[np.float64]
UNIT = "molecules/cell"
NEGATIVE = "negative"  # what a patient's card says in place of a density of 0
POSITIVE = "positive"  # ... where pathology reports the marker and nobody measured its density
CONFIDENCE = ("read", "memory")
BUNDLED = "therapy/antigens.toml"


def word_of(told: object) -> str:
    """The word that a card says of an antigen in place of a density; "" where it gives a number."""
    return told.strip().lower() if isinstance(told, str) else ""


@described
@dataclass(frozen=True, kw_only=True)
class Antigen(Sourced):
    """An antigen of the list.

    Attributes
    ----------
    name : str
    b_cells, b_progenitors, plasma_cells : float
        How strongly a CAR sees these normal cells, 0 to 1.
    reference : float
        Density of a tumor cell (molecules per cell) at which its recognition counts as 1; NaN: none was read.
    escaped : float
        Density that cells which escape keep, relative to before; 0: they lose it.
    elsewhere : str
        Other tissue that carries it.
    confidence : {"read", "memory"}
    """

    name: Annotated[str, text("Name, as the table is called")]
    b_cells: Annotated[float, number("Recognition of mature B cells", low=0, high=1)]
    b_progenitors: Annotated[float, number("Recognition of B progenitors", low=0, high=1)]
    plasma_cells: Annotated[float, number("Recognition of plasma cells", low=0, high=1)]
    reference: Annotated[float, number("Density at which recognition counts as 1", UNIT, above=0)] = math.nan
    escaped: Annotated[float, number("Density that cells which escape keep, relative", low=0, below=1)] = 0.0
    elsewhere: Annotated[str, text("Other tissue that carries it")]
    confidence: Annotated[str, text("Read in the source, or recalled", CONFIDENCE)]


@dataclass(frozen=True, kw_only=True)
class Density(Sourced):
    """The law of an antigen's density over patients: log-normal."""

    median: Annotated[float, number("Median density", UNIT, above=0, high=words.DENSITY)]
    sd: Annotated[float, number("Sd of ln between patients", above=0, high=words.LOG_SD)]
    confidence: Annotated[str, text("Read in the source, or recalled", CONFIDENCE)]


@described
@dataclass(frozen=True, kw_only=True)
class Expression(Sourced):
    """How a tumor carries an antigen.

    Attributes
    ----------
    positive : float
        Share of the patients whose tumor carries it; 0: none does; NaN: not known.
    density : Density or None
        In those who carry it.
    kmt2a : float
        Density where KMT2A is rearranged, relative to the others.
    confidence : {"read", "memory"}
    """

    positive: Annotated[float, number("Share of the patients who carry it; left out: not known", low=0, high=1)] = (
        math.nan
    )
    density: Annotated[Density, part("Law of its density in those who carry it")] | None = None
    kmt2a: Annotated[float, number("Density where KMT2A is rearranged, relative", above=0, high=1)] = 1.0
    confidence: Annotated[str, text("Read in the source, or recalled", CONFIDENCE)]

    def faults(self) -> Iterator[tuple[str, str]]:
        """A tumor that carries it without a density, or has a density without carrying it; no provenance."""
        if self.carried and self.density is None:
            yield "density", "missing; an antigen that is carried needs its law: density = { median = ..., sd = ... }."
        if not self.carried and self.density is not None:
            said = "found a density where positive is 0 or not given; expected positive above 0, or no density."
            yield "density", said
        yield from super().faults()

    @property
    def carried(self) -> bool:
        """Whether patients are known who carry it."""
        return self.positive > 0


@cache
def all_antigens() -> dict[str, Antigen]:
    """Every antigen of the list, by name."""
    card = bundled_card(BUNDLED)
    return {name: read(card, Antigen, "antigens", name, given={"name": name}) for name in card.table("antigens")}


def find_antigen(name: str) -> Antigen:
    """An antigen by name; an unknown one is refused with the nearest names."""
    if name not in all_antigens():
        raise InputError(unknown("antigen", name, all_antigens()))
    return all_antigens()[name]


def _read_expressions(card: Card, path: tuple[str, ...]) -> dict[str, Expression]:
    card.refuse_unknown(words.ANTIGENS, *path, what="antigen")
    return {name: read(card, Expression, *path, name) for name in card.table(*path)}


EXPRESSIONS = Form(
    read=_read_expressions, kinds=lambda: {"": Expression}, each=True, names=lambda: words.ANTIGENS
)  # fmt: skip


def density_laws(expressions: Mapping[str, Expression]) -> dict[str, Law]:
    """Laws of the density of each antigen that a tumor carries, by its name."""
    return {
        name: Law(
            name, "lognormal", {"median": one.density.median, "sd": one.density.sd}, UNIT, one.density.source,
            one.density.where, one.density.how, one.density.why,
        )
        for name, one in expressions.items()
        if one.density is not None
    }  # fmt: skip


def settle(
    values: MutableMapping[str, Floats], expressions: Mapping[str, Expression], numbers: ArrayLike, seed: int,
    *, known: Mapping[str, object], own: Mapping[str, object], selected: bool,
) -> None:  # fmt: skip
    """Finish drawn densities: lower with rearranged KMT2A, and 0 in those who do not carry the antigen.

    Parameters
    ----------
    values : mapping of field to ndarray, shape (n,)
        Drawn facts of the patients; densities are changed in place.
    expressions : mapping of antigen to Expression
    numbers : array_like of int, shape (n,)
    seed : int
    known : mapping of field
        Fields whose values are given: they stay as they are.
    own : mapping of field
        Fields with a law of a trial, which is that of its own patients, whatever their KMT2A.
        Where the disease is not known to carry the antigen, all of them carry it.
    selected : bool
        Patients were chosen as carrying the antigens: all do.
    """
    for name, one in expressions.items():
        if name not in values or name in known:
            continue
        if name not in own:
            values[name] = values[name] * np.where(values["kmt2a"] > 0, one.kmt2a, 1.0)
        if not selected and (one.carried or name not in own):
            there = uniforms(seed, f"population:{name} positive", numbers)[:, 0] < one.positive
            values[name] = np.where(there, values[name], 0.0)
