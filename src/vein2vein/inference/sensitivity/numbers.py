"""The numbers that a screening varies: those of the reference model, a product and a disease, each with its range."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as but
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vein2vein.arguments import known
from vein2vein.cards import Card, bundled_card
from vein2vein.inference import posterior
from vein2vein.models.reference import model as reference
from vein2vein.parameters import Parameter, ParameterSet, read_parameters
from vein2vein.sources import is_own, source
from vein2vein.therapy.disease import Disease
from vein2vein.therapy.product import Product

DECADES = "log10normal"
STATED = "stated factor"
BASES = ("label", "read", "calibrated", "assumed", "own report")
"""What a number rests on: a label, another source, a fit, an assumption; or only a report of our own."""


@dataclass(frozen=True)
class Screened:
    """One number that is varied.

    Attributes
    ----------
    name, meaning, unit : str
    card : str
        "reference", or the product or disease that brings the number.
    value, low, high : float
        On the card, and the ends of its range.
    range_from : str
        What its range rests on.
    how, source, where : str
        As on the card.
    basis : str
        One of ``BASES``.
    own : bool
        Whether it cites a report of our own, which is no source.
    """

    name: str
    meaning: str
    unit: str
    card: str
    value: float
    low: float
    high: float
    range_from: str
    how: str
    source: str
    where: str
    basis: str
    own: bool

    @property
    def unsupported(self) -> bool:
        """Assumed, or from nowhere but a report of our own."""
        return self.how == "assumed" or self.own


@cache
def _card() -> Card:
    return bundled_card("inference/sensitivity/sensitivity.toml")


@cache
def settings() -> Mapping[str, float]:
    """The numbers of the screening itself; what each means stands in sensitivity.toml."""
    return read_parameters(_card()).values()


def numbers_of(
    product: Product, disease: Disease, only: Sequence[str] = ()
) -> tuple[tuple[Screened, ...], Mapping[str, str]]:
    """The numbers to vary, and those that are not, with why.

    Parameters
    ----------
    product : Product
    disease : Disease
    only : sequence of str
        Names of the numbers to vary; by default all that can be.

    Raises
    ------
    InputError
        A name that no card holds, or a number that is not varied.
    """
    home = dict.fromkeys(reference.parameters(patient=False).parameters, posterior.REFERENCE)
    home |= dict.fromkeys(product.parameters.parameters, product.name)
    home |= dict.fromkeys(disease.parameters.parameters, disease.name)
    whole = declared(product, disease).parameters
    fixed = {name: why for name, one in whole.items() if (why := _why_fixed(one))}
    for name in only:
        known("number of the cards", name, whole, most=6)
        known("number that can be varied", name, whole.keys() - fixed.keys(), most=6)
    wanted = set(only) or whole.keys()
    found = tuple(_screened(one, home[name]) for name, one in whole.items() if name in wanted and name not in fixed)
    return found, fixed


def declared(product: Product, disease: Disease) -> ParameterSet:
    """The numbers of the cards laid over each other, as a journey uses them."""
    return reference.parameters(patient=False).overlay(product.parameters).overlay(disease.parameters)


def sets_at(
    numbers: Sequence[Screened], places: NDArray[np.float64], product: Product, disease: Disease
) -> list[ParameterSet]:
    """The parameter set at each place, to be laid over the cards.

    Parameters
    ----------
    numbers : sequence of Screened
    places : ndarray, shape (sets, numbers)
        0: the low end of a range, 1: the high end; between them by the logarithm.
    product, disease : Product, Disease
    """
    whole = declared(product, disease).parameters
    low, high = (np.array([getattr(one, end) for one in numbers]) for end in ("low", "high"))
    values = np.clip(low * (high / low) ** places, low, high)
    return [
        ParameterSet(
            "screened",
            {one.name: but(whole[one.name], value=float(value)) for one, value in zip(numbers, row, strict=True)},
            ("screened",),
        )
        for row in values
    ]


def _why_fixed(parameter: Parameter) -> str:
    if own := _card().get("fixed", parameter.name):
        return str(own)
    low, high = parameter.range
    if parameter.value is None or parameter.value <= 0:
        return "0 or below: no factor changes it"
    return "" if low < high else "its bounds leave it no other value"


def _screened(parameter: Parameter, card: str) -> Screened:
    value = parameter.value
    assert value is not None
    factor, told = _range(parameter, card)
    low, high = value / factor, value * factor
    if told.startswith(STATED) and value < 1 and parameter.range[1] <= 1:  # a share: the factor is one on its odds
        low, high, told = value / (value + factor * (1 - value)), high / (1 - value + high), f"{told} on the odds"
    low, high = max(low, parameter.range[0]), min(high, parameter.range[1])
    return Screened(
        parameter.name, parameter.meaning, parameter.unit, card, value, low, high, told, parameter.how,
        parameter.source, parameter.where, basis(parameter), is_own(parameter.source),
    )  # fmt: skip


def _range(parameter: Parameter, card: str) -> tuple[float, str]:
    """Factor either way, and where it comes from: a prior of this card's number or another's, else what is stated."""
    own, numbers = _card().get("factors", parameter.name, "factor"), settings()
    if own is not None:
        return float(own), str(_card().get("factors", parameter.name, "why"))
    priors = prior_sds()
    sd, told = priors.get((card, parameter.name)), "prior"
    if sd is None and (others := [one for (_, name), one in priors.items() if name == parameter.name]):
        sd, told = float(np.median(others)), "prior of other cards"
    if sd:
        return math.exp(numbers["sds"] * sd), f"{told}: {numbers['sds']:g} sd of ln {sd:.3g}"
    wide = parameter.spread is not None and parameter.spread.kind == DECADES
    factor = numbers["wide_factor" if wide else "factor"]
    return factor, f"{STATED} {factor:g}"


@cache
def prior_sds() -> Mapping[tuple[str, str], float]:
    """Prior sd of the logarithm of each number (card, name) that the calibration varied, all factors on it together."""
    if not posterior.bundled().is_file():
        return {}
    found: dict[tuple[str, str], float] = {}
    for factor in posterior.read_posterior().factors:
        for card in factor.cards if factor.what == posterior.VALUE else ():
            key = (card, factor.parameter)
            found[key] = math.hypot(found.get(key, 0.0), factor.prior_sd)
    return found


def basis(parameter: Parameter) -> str:
    """What a number rests on, one of ``BASES``."""
    if parameter.how == "assumed":
        return "assumed"
    if parameter.how in ("calibrated", "fitted"):
        return "calibrated"
    if is_own(parameter.source):
        return "own report"
    title = source(parameter.source).fields.get("title", "")
    return "label" if "label" in f"{parameter.source} {title}".lower() else "read"
