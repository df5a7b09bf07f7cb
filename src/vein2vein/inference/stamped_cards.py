"""Which cards stood behind a prediction, and whether they are still the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from pathlib import Path

from vein2vein.cards import Card, is_path, read_card
from vein2vein.errors import InputError
from vein2vein.inference.posterior import HASH, VALUE, Factor, hash_of_cards
from vein2vein.inference.stamp import StampedCards
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.product import find_product

CARDS = ("product", "disease", "policy", "comparator")  # fields of a trial, or of its arms, that name a card


def cards_of(card: Card) -> StampedCards:
    """The cards that a trial file names, with their hashes of today."""
    named = [
        (field, str(table[field]))
        for table in (card.table("trial"), *card.tables("arms"))
        for field in CARDS
        if table.get(field)
    ]
    products, diseases = ([name for kind, name in dict.fromkeys(named) if kind == field] for field in CARDS[:2])
    own = {name: _text_hash(name) for _, name in named if is_path(name)}
    return StampedCards(
        numbers=_numbers(products, diseases),
        bundled=_bundled(),
        products=tuple(products),
        diseases=tuple(diseases),
        own=own,
    )


def changes_since(cards: StampedCards) -> Iterator[str]:
    """What changed of the cards since they were stamped, in sentences."""
    for name, told in cards.own.items():
        try:
            if _text_hash(name) != told:
                yield f"your card {name} has changed since the stamp"
        except InputError:
            yield f"your card {name} cannot be read any more, so that nothing is known of its changes"
    try:
        if _numbers(cards.products, cards.diseases) != cards.numbers:
            yield "the numbers of the cards have changed since the stamp: a prediction of today would be another"
        elif _bundled() != cards.bundled:
            yield "cards that come with vein2vein have changed since the stamp, but not the numbers of this trial's"
    except InputError as problem:
        yield f"the numbers of the cards cannot be compared with those of the stamp ({problem})"


def _numbers(products: Sequence[str], diseases: Sequence[str]) -> str:
    found = [*map(find_product, products), *map(find_disease, diseases)]
    own = {one.name: one.parameters for one in found}
    return hash_of_cards([Factor("", "", VALUE, tuple(own), 0.0)], own)


def _text_hash(path: str) -> str:
    return hashlib.sha256(read_card(path).text.encode()).hexdigest()[:HASH]


@cache
def _bundled() -> str:
    """Hash of all card files that come with vein2vein."""
    root = Path(str(resources.files("vein2vein")))
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.toml")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:HASH]
