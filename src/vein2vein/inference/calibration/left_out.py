"""Leave-one-trial-out: what the other trials say of a trial that is predicted.

The rows of a trial, and of those that may share its patients, are taken away, and the loss of those that stay is made
least: by the steps of a refit that the calibration ran (``Refit``), or, where it ran none, from the point where it
ended, with rows taken to follow the last sensitivities (linearized). A number that no row
that stays informs falls back to its class: that of a product to the products with the same costimulation, by antigen
first; that of a disease to its lineage. What all trials share (the general set) stays informed by the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from vein2vein.cards import Card, parse_card
from vein2vein.errors import InputError, unknown
from vein2vein.inference.calibration import gauss_newton
from vein2vein.inference.calibration.gauss_newton import Flags, Floats
from vein2vein.inference.posterior import CONSTANTS, REFERENCE, VALUE, Factor, Member, card_parameters, member
from vein2vein.parameters import read_parameters
from vein2vein.therapy.disease import all_diseases
from vein2vein.therapy.product import all_products

SEEN, CLASS, NEITHER = GROUPS = ("product and disease seen elsewhere", "class seen", "neither")


@dataclass(frozen=True)
class Refit:
    """Where a calibration ends without some trials.

    Attributes
    ----------
    trials : tuple of str
        Left out, all at once.
    point : ndarray, shape (factors,)
        In prior standard deviations, relative to the priors' medians.
    residual : ndarray, shape (rows,)
        Distance of each row from its data there, in errors; NaN: a row of the trials left out.
    """

    trials: tuple[str, ...]
    point: Floats
    residual: Floats


@dataclass(frozen=True)
class Linear:
    """A calibration where it ended: the rows and how they follow the factors from there.

    Attributes
    ----------
    factors : tuple of Factor
    estimate : ndarray, shape (factors,)
        In prior standard deviations, relative to the priors' medians. The cards hold the numbers of the estimate.
    owners : tuple of str
        The trial, or other evidence, of each row.
    residual : ndarray, shape (rows,)
        Distance of each row from its data where it ended, in errors.
    sensitivity : ndarray, shape (factors, rows)
        In errors for one prior standard deviation.
    met : tuple of frozenset of str
        For each row the products and diseases that its patients meet.
    cards : str
        Hash of the cards' numbers.
    refits : tuple of Refit
        Without trials of the calibration, by runs; none: only linearized.
    """

    factors: tuple[Factor, ...]
    estimate: Floats
    owners: tuple[str, ...]
    residual: Floats
    sensitivity: Floats
    met: tuple[frozenset[str], ...]
    cards: str
    refits: tuple[Refit, ...] = ()

    def refit_without(self, trials: Sequence[str]) -> Refit | None:
        """The refit without exactly these trials, where the calibration ran one."""
        return next((one for one in self.refits if set(one.trials) == set(trials)), None)


@cache
def _card() -> Card:
    text = resources.files("vein2vein").joinpath("inference", "calibration", "left_out.toml").read_text("utf-8")
    return parse_card(text, "left_out.toml")


@cache
def number_of(name: str) -> float:
    """A number of left_out.toml."""
    return read_parameters(_card(), "parameters").values()[name]


def together(name: str) -> tuple[str, ...]:
    """The trials that are left out with this one, itself among them: those that may share patients."""
    for at in range(len(_card().tables("together"))):
        trials = _card().texts("together", str(at), "trials")
        if name in trials:
            return trials
    return (name,)


def class_of(card: str) -> tuple[tuple[str, ...], ...]:
    """Classes of a product or disease, the narrowest first; none for the general sets."""
    if card in all_products():
        product = all_products()[card]
        antigens = "+".join(one for one in (product.target_a, product.target_b) if one)
        return ((antigens, product.costimulation), (product.costimulation,))
    if card in all_diseases():
        return ((all_diseases()[card].lineage,),)
    return ()


def fallback(factor: Factor, informed: Iterable[str]) -> tuple[float, float]:
    """What a number is elsewhere in its class, relative to its own card.

    Parameters
    ----------
    factor : Factor
        On cards that nothing informs.
    informed : iterable of str
        Products and diseases that other trials inform.

    Returns
    -------
    log, sd : float
        Mean of the natural logarithm of the class's numbers over the card's own number, and their spread.
    """
    own = [_number(card, factor) for card in factor.cards]
    mine = [value for value in own if value is not None]
    least = factor.prior_sd * number_of("class_sd")
    if not mine:
        return 0.0, least
    center = float(np.mean(np.log(mine)))
    for narrow in zip(*(class_of(card) for card in factor.cards), strict=False):
        alike = [
            value
            for card in informed
            if card not in factor.cards
            and set(class_of(card)) & set(narrow)
            and (value := _number(card, factor)) is not None
        ]
        if alike:
            spread = float(np.std(np.log(alike), ddof=1)) if len(alike) > 1 else least
            return float(np.mean(np.log(alike))) - center, max(spread, factor.prior_sd)
    general = _number(REFERENCE, factor)
    return (0.0 if general is None else float(np.log(general)) - center), least


def _number(card: str, factor: Factor) -> float | None:
    """The number of a card, or that of the general set where it brings none; None: nothing above 0."""
    for where in (card, REFERENCE):
        found = card_parameters(where).parameters.get(factor.parameter)
        if found is None:
            continue
        value = found.value if factor.what == VALUE else found.spread.sd if found.spread else None
        if value is not None:
            return value if value > 0 else None
    return None


def sets_without(found: Linear, trials: Sequence[str], *, seed: int, count: int | None = None) -> list[Member]:
    """Parameter sets that the rows of the other trials call for.

    Parameters
    ----------
    found : Linear
    trials : sequence of str
        Left out, all at once.
    seed : int
    count : int, optional
        Of sets; that of left_out.toml by default.

    Raises
    ------
    InputError
        A trial is none of the calibration.
    """
    owners = np.array(found.owners)
    for name in trials:
        if name not in found.owners:
            raise InputError(unknown("trial of the calibration", name, set(found.owners)), field="trials")
    stays = ~np.isin(owners, list(trials))
    slope, residual = found.sensitivity[:, stays], found.residual[stays]
    elsewhere = seen_elsewhere(found, stays)
    general = {REFERENCE, *CONSTANTS}
    told = np.array([bool((elsewhere | general) & set(factor.cards)) for factor in found.factors])
    refit = found.refit_without(trials)
    if refit is None:
        point = gauss_newton.target(slope, residual, found.estimate, told)
        there = residual + (point - found.estimate) @ slope
    else:
        point, there = refit.point, refit.residual[stays]
    scale = gauss_newton.error_scale(slope, there)
    prior = np.array([factor.prior_sd for factor in found.factors])
    spread = gauss_newton.covariance(slope, scale)
    center = np.where(told, point, 0.0)
    wide = np.ones(len(prior))
    for j in np.flatnonzero(~told):
        log, sd = fallback(found.factors[j], elsewhere)
        center[j], wide[j] = found.estimate[j] + log / prior[j], sd / prior[j]
    rng = np.random.default_rng(seed)
    draws = gauss_newton.drawn(np.zeros(len(prior)), spread, int(count or number_of("sets")), rng) * wide + center
    return [member(found.factors, (one - found.estimate) * prior) for one in draws]


def seen_elsewhere(found: Linear, stays: Flags) -> set[str]:
    """Products and diseases that the patients of the rows that stay meet; ``stays`` has shape (rows,)."""
    return {card for met, one in zip(found.met, stays.tolist(), strict=True) if one for card in met}


def group_of(met: Iterable[frozenset[str]], elsewhere: set[str]) -> str:
    """How far a trial is from those that stay, by the products and diseases that its patients meet."""
    cards = frozenset[str]().union(*met)
    if cards <= elsewhere:
        return SEEN
    known = {one for card in elsewhere for one in class_of(card)}
    return CLASS if all(set(class_of(card)) & known for card in cards - elsewhere) else NEITHER
