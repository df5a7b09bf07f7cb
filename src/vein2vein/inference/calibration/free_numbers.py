"""What a calibration may change: factors on numbers of cards, with their priors, read from a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vein2vein.card_reading import read
from vein2vein.cards import Card, read_card
from vein2vein.errors import InputError, unknown
from vein2vein.inference.calibration.fitted_rows import FittedRow
from vein2vein.inference.calibration.priors import Key, Prior, origin_of
from vein2vein.inference.posterior import REFERENCE, VALUE, WHATS, Factor, card_parameters
from vein2vein.inference.scoring import kinds
from vein2vein.parameters import ParameterSet

FIELDS = ("parameter", "what", "cards", "sd", "prior", "stage", "moves")


@dataclass(frozen=True)
class FreeNumbers:
    """What is free, and what judges it.

    Attributes
    ----------
    factors : tuple of Factor
    stages : tuple of str
        The stage of each factor.
    judged_by : mapping of str to tuple of str
        The stages in order, and the endpoints, or kinds of them, that judge each.
    origin : mapping of (card, parameter, what) to float
        Logarithms of the factors that bring the cards' numbers to the medians of their priors; nothing where these are
        the cards' numbers.
    still : frozenset of str
        Factors that do not move in the search: the data tell nothing of them, and only their priors reach intervals.
    priors : mapping of str to Prior
        The written priors by the names of the factors; nothing for a factor around the cards' number.
    prior_names : mapping of str to str
        Their names, likewise.
    """

    factors: tuple[Factor, ...]
    stages: tuple[str, ...]
    judged_by: Mapping[str, tuple[str, ...]]
    origin: Mapping[Key, float] = field(default_factory=dict[Key, float])
    still: frozenset[str] = frozenset()
    priors: Mapping[str, Prior] = field(default_factory=dict[str, Prior])
    prior_names: Mapping[str, str] = field(default_factory=dict[str, str])

    def stages_of(self, rows: Iterable[FittedRow]) -> list[str]:
        """The first stage that each row judges: by its endpoint, else by the kind of its endpoint, else the last."""
        of = {one: stage for stage, judged in self.judged_by.items() for one in judged}
        last = list(self.judged_by)[-1]
        return [of.get(row.endpoint) or of.get(kinds().get(row.endpoint, ""), last) for row in rows]


def read_free_numbers(path: str | Path, own: Mapping[str, ParameterSet] | None = None) -> FreeNumbers:
    """Read what is free: a table ``[free.NAME]`` for each factor, around a written prior or the cards' present value.

    Parameters
    ----------
    path : str or Path
        TOML: ``[stages]`` with a list of endpoints for each, in order; ``[groups]`` of cards (optional); ``[prior]``
        with written priors (optional, see ``priors.Prior``); ``[free]`` with ``cards``, ``stage``, either ``prior``
        (name of one) or ``sd`` (of the natural logarithm, around the cards' present value) and, where they are not the
        name and the value, ``parameter`` and ``what`` ("value" or "sd"); ``moves = false`` where the search leaves it
        alone.
    own : mapping of str to ParameterSet, optional
        The numbers of cards that do not come with vein2vein, by the names of the cards.

    Raises
    ------
    InputError
        A field is unknown, missing or out of its bounds, a card has no such number, or a prior no source: file, line
        and field.
    """
    card = read_card(path)
    card.refuse_unknown(("stages", "groups", "prior", "free"))
    stages = {name: card.texts("stages", name) for name in _names(card, "stages")}
    groups = {name: card.texts("groups", name) for name in card.table("groups", default={})}
    priors = {str(name): read(card, Prior, "prior", str(name)) for name in card.table("prior", default={})}
    found = [_factor(card, name, groups, priors, own or {}) for name in _names(card, "free")]
    names = {one.name: str(name) for one in found if (name := card.get("free", one.name, "prior"))}
    mine = {factor: priors[name] for factor, name in names.items()}
    try:
        origin = origin_of(found, mine, own)
    except InputError as problem:
        raise card.error(("free", str(problem.field)), problem.text) from None
    if idle := set(priors) - {str(card.get("free", one.name, "prior")) for one in found}:
        raise card.error(("prior", min(idle)), "found a prior that no [free] number has; expected its use, or none.")
    return FreeNumbers(
        factors=tuple(found),
        stages=tuple(str(card.string("free", one.name, "stage", choices=stages)) for one in found),
        judged_by=stages,
        origin=origin,
        still=frozenset(one.name for one in found if not card.flag("free", one.name, "moves", default=True)),
        priors=mine,
        prior_names=names,
    )


def _names(card: Card, table: str) -> list[str]:
    names = [str(name) for name in card.table(table)]
    if not names:
        raise card.error((table,), f"found nothing below [{table}], expected at least one entry.")
    return names


def _factor(
    card: Card,
    name: str,
    groups: Mapping[str, tuple[str, ...]],
    priors: Mapping[str, Prior],
    own: Mapping[str, ParameterSet],
) -> Factor:
    here = ("free", name)
    card.refuse_unknown(FIELDS, *here)
    parameter = str(card.string(*here, "parameter", default=name))
    what = str(card.string(*here, "what", choices=WHATS, default=VALUE))
    cards = tuple(one for listed in card.texts(*here, "cards") for one in groups.get(listed, (listed,)))
    if not cards:
        raise card.error((*here, "cards"), "missing; expected a list of names of cards or groups of them.")
    if (named := card.get(*here, "prior")) is not None:
        if card.get(*here, "sd") is not None:
            raise card.error((*here, "sd"), "found both sd and prior; expected one of them.")
        if not isinstance(named, str) or named not in priors:
            raise card.error((*here, "prior"), unknown("prior", str(named), priors, most=6))
    sd = priors[named].sd if named is not None else float(card.number(*here, "sd", low=0.0))
    if not 0 < sd < float("inf"):
        raise card.error((*here, "sd"), f"found {sd:g}, expected a finite standard deviation above 0.")
    general = card_parameters(REFERENCE).parameters
    for one in cards:
        known = card_parameters(one, own).parameters
        if parameter not in known and parameter not in general:
            said = unknown(f"parameter of the card {one}", parameter, {**known, **general}, most=6)
            raise card.error((*here, "parameter"), said)
    return Factor(name, parameter, what, cards, sd)
