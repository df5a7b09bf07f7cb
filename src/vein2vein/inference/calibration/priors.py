"""Written priors: what each free number was thought to be before any trial was read, with its source."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from vein2vein.declared import HOW, Record, listed, number, text, unsourced
from vein2vein.errors import InputError
from vein2vein.inference.posterior import REFERENCE, VALUE, Factor, Member, card_parameters
from vein2vein.parameters import Parameter, ParameterSet, laid_over
from vein2vein.sources import is_own, source

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Prior(Record):
    """A log-normal prior, of a number itself or of its ratio to the number of the general set.

    Attributes
    ----------
    center : float, optional
        Median of the number, in ``unit``.
    ratio : float, optional
        Median of its ratio to the general set's number, or to what another prior says of the same number of the card.
    sd : float
        Of the natural logarithm.
    unit, how, why : str
    sources : tuple of str
        Keys of sources.bib.
    """

    sd: Annotated[float, number("Standard deviation of the natural logarithm", "1", above=0)]
    unit: Annotated[str, text("Unit of the center; that of the card")]
    how: Annotated[str, text("How it was obtained", HOW)]
    why: Annotated[str, text("What was read, and how the number and its spread follow")]
    center: Annotated[float, number("Median of the number", above=0)] | None = None
    ratio: Annotated[float, number("Median of the ratio to the general number", "1", above=0)] | None = None
    sources: Annotated[tuple[str, ...], listed("Keys of sources.bib", '["key"]', each="source")] = ()

    def faults(self) -> Iterator[tuple[str, str]]:
        """A prior of nothing or of two things, and one that rests on nothing, or on a report of our own."""
        if (self.center is None) == (self.ratio is None):
            found = "neither center nor ratio" if self.center is None else "both center and ratio"
            yield "center", f"found {found}; expected one of them."
        for key in self.sources:
            try:
                source(key)
            except InputError as problem:
                yield "sources", problem.text
                return
            if is_own(key):
                yield "sources", f"found '{key}', a report of our own; expected a paper, a label, or how = 'assumed'."
                return
        yield from unsourced(self.how, self.sources[0] if self.sources else "", self.why, "a prior")


def origin_of(
    factors: Iterable[Factor], priors: Mapping[str, Prior], own: Mapping[str, ParameterSet] | None = None
) -> dict[Key, float]:
    """What brings the cards' numbers to the medians of their priors: logarithms of factors, by number of a card.

    Parameters
    ----------
    factors : iterable of Factor
    priors : mapping of str to Prior
        By the names of the factors; a factor without one has its median at the cards' number.
    own : mapping of str to ParameterSet, optional
        Numbers of cards that do not come with vein2vein.

    Raises
    ------
    InputError
        A center in another unit than the card's, beyond the number's bounds, or a second one for the same number.
    """
    held = [(factor, priors[factor.name]) for factor in factors if factor.name in priors]
    centers: dict[Key, float] = {}
    for factor, prior in held:
        for card in factor.cards if prior.center is not None else ():
            key = (card, factor.parameter, factor.what)
            if key in centers:
                said = f"the number of {card} has a center of another factor already; expected a ratio here."
                raise InputError(said, field=factor.name)
            assert prior.center is not None
            _check(factor, prior, card, own)
            centers[key] = prior.center
    found = {key: math.log(center / _number(*key, own)) for key, center in centers.items()}
    for factor, prior in held:
        for card in factor.cards if prior.ratio is not None else ():
            assert prior.ratio is not None
            key, general = (card, factor.parameter, factor.what), (REFERENCE, factor.parameter, factor.what)
            if key not in found:
                found[key] = math.log(centers.get(general, _number(*general, own)) / _number(*key, own))
            found[key] += math.log(prior.ratio)
    return found


def begun(origin: Mapping[Key, float], one: Member) -> Member:
    """A parameter set whose factors are relative to the medians of the priors, relative to the cards."""
    found = dict(one.factors)
    for key, log in origin.items():
        found[key] = found.get(key, 1.0) * math.exp(log)
    return Member(found)


def _check(factor: Factor, prior: Prior, card: str, own: Mapping[str, ParameterSet] | None) -> None:
    parameter = _parameter(card, factor.parameter, own)
    if factor.what == VALUE and prior.unit != parameter.unit:
        said = f"its prior is in {prior.unit}, the card {card} has {parameter.unit}; give the center in this unit."
        raise InputError(said, field=factor.name)
    low, high = parameter.range if factor.what == VALUE else (0.0, math.inf)
    assert prior.center is not None
    if not low <= prior.center <= high:
        said = f"its prior's center is {prior.center:g}, expected {low:g} to {high:g} ({card})."
        raise InputError(said, field=factor.name)


def _parameter(card: str, name: str, own: Mapping[str, ParameterSet] | None) -> Parameter:
    """A parameter of a card as it is laid over the general set, whose bounds hold."""
    general, here = card_parameters(REFERENCE).parameters, card_parameters(card, own).parameters
    if name not in here:
        return general[name]
    return laid_over(general[name], here[name]) if name in general else here[name]


def _number(card: str, name: str, what: str, own: Mapping[str, ParameterSet] | None) -> float:
    """The number of a card, or that of the general set where it brings none."""
    parameter = _parameter(card, name, own)
    value = parameter.value if what == VALUE else parameter.spread.sd if parameter.spread else None
    if value:
        return value
    raise InputError(f"the card {card} has no {what} above 0 for a prior to be of.", field=name)
