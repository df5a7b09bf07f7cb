"""What comes from a browser names cards and never files: no path of this machine is opened for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from vein2vein.cards import Card, is_path

CARDS = ("disease", "product", "policy", "comparator")
_OFFERED = re.compile(r"[,;] or the path of (a card|one's own)( of one's own| of your own)?(, ending in \.toml)?")


def without_paths(text: str) -> str:
    """A text of the cards without the offer to name a file, which is taken on the command line and not here."""
    return _OFFERED.sub("", text)


def refuse_paths(card: Card) -> Card:
    """Give the card back where no field that names another card holds a path.

    Raises
    ------
    InputError
        One does: its line and field.
    """
    for path, text in _named(card.data, ()):
        if is_path(text):
            raise card.error(
                path,
                f"found '{text[:60]}', which is a path; here cards go by their names. A card of your own is given on "
                "the command line.",
            )
    return card


def _named(held: Any, path: tuple[str, ...]) -> Sequence[tuple[tuple[str, ...], str]]:
    found: list[tuple[tuple[str, ...], str]] = []
    if isinstance(held, Mapping):
        for name, value in cast("Mapping[str, Any]", held).items():
            if name in CARDS and isinstance(value, str):
                found.append(((*path, name), value))
            else:
                found += _named(value, (*path, name))
    elif isinstance(held, list):
        for i, one in enumerate(cast("list[Any]", held)):
            found += _named(one, (*path, str(i)))
    return found
