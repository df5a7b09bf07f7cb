"""Numbers of cards that no trial informs: what is not known of them is what is not known of their class.

A product or disease that no free number of a calibration names was never held against data. Each number that its card
brings, and that the calibration varies on other products (diseases), is as uncertain as the widest prior there.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from vein2vein.inference.calibration.gauss_newton import Floats
from vein2vein.inference.posterior import VALUE, Factor
from vein2vein.parameters import ParameterSet
from vein2vein.therapy.disease import all_diseases
from vein2vein.therapy.product import all_products


def unfitted(factors: Iterable[Factor]) -> tuple[Factor, ...]:
    """Factors on the numbers of every bundled card that ``factors`` do not name, with the priors of their class."""
    known = tuple(factors)
    named = {card for factor in known for card in factor.cards}
    products = {name: one.parameters for name, one in all_products().items()}
    diseases = {name: one.parameters for name, one in all_diseases().items()}
    return tuple(
        Factor(f"{parameter}_of_{card}", parameter, VALUE, (card,), sd)
        for cards in (products, diseases)
        for card in sorted(set(cards) - named)
        for parameter, sd in _widest(known, cards).items()
        if cards[card].parameters.get(parameter) is not None and cards[card].parameters[parameter].value
    )


def _widest(factors: Iterable[Factor], cards: dict[str, ParameterSet]) -> dict[str, float]:
    """The widest prior of each number that is varied on one of some cards."""
    found: dict[str, float] = {}
    for factor in factors:
        if factor.what == VALUE and set(factor.cards) & set(cards):
            found[factor.parameter] = max(factor.prior_sd, found.get(factor.parameter, 0.0))
    return found


def draws_of(factors: Iterable[Factor], count: int, seed: int) -> Floats:
    """Logarithms drawn from the priors alone, shape (count, factors); neighbors mirror each other."""
    sds = np.array([factor.prior_sd for factor in factors])
    half = np.random.default_rng(seed).standard_normal((-(-count // 2), len(sds))) * sds
    return np.stack([half, -half], axis=1).reshape(2 * len(half), len(sds))[:count]
