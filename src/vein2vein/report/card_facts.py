"""A card as a list of facts: each value with its unit, what it means, where it comes from, and how it was obtained."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

from vein2vein.clinic.criteria import with_sources

Card = Mapping[str, object]
_OF_NUMBER = (
    "source", "where", "how", "why", "unit", "value", "symbol", "meaning", "spread", "low", "high", "latex", "given_by",
)  # fmt: skip
_OF_TABLE = ("source", "where", "how")
_OF_ITS_UNIT = ("lo95", "hi95")  # of a published row: the interval of its value
_CONFIDENCE = {"read": "R", "memory": "M"}
_BETWEEN = re.compile(r",(?=[SW]\d)")
_READ = re.compile(r"\[R:([^\]]*)\]")


@dataclass(frozen=True)
class Provenance:
    """Where a fact comes from.

    Attributes
    ----------
    how : str
        reported, converted, digitized, fitted, calibrated or assumed; "" where a mark says it.
    source, where, why : str
        Key of the source, place in it, reasoning behind what is assumed.
    mark : str
        Of the criteria: ``R:Sx`` read there, ``M`` from memory, ``D`` our choice.
    """

    how: str = ""
    source: str = ""
    where: str = ""
    why: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Fact:
    """One value of a card.

    Attributes
    ----------
    path : tuple of str
    value : object
    unit, meaning : str
        "" where the card does not say.
    own : Provenance
        What its table says of itself.
    around : Provenance
        What the nearest table around it says, where its own says nothing.
    quantity : bool
        Whether it is the value of a table that tells unit and meaning.
    """

    path: tuple[str, ...]
    value: object
    unit: str
    meaning: str
    own: Provenance
    around: Provenance
    quantity: bool = False

    @property
    def origin(self) -> str:
        """Source and place of its own table, with what each mark stands for."""
        return f"{self.own.source} {marks_in_words(self.own.where)}".strip()

    @property
    def provenance(self) -> Provenance:
        """Its own, else that of the table around it."""
        return self.own if self.own.how or self.own.source or self.own.mark else self.around

    @property
    def how(self) -> str:
        """How it was obtained, in one word; from memory where a criterion says so; "" where nothing is said."""
        told = self.provenance
        return told.how or {"R": "reported", "M": "from memory", "D": "assumed"}.get(told.mark[:1], "")


def marks_in_words(text: str) -> str:
    """A text in which each mark ([R:S65], [M]) says what was read, or that nothing was."""
    read = _READ.sub(lambda found: f"[read: {with_sources(_BETWEEN.sub('; ', found[1]))}]", text)
    return read.replace("[M]", "[from memory, not read]")


def facts_of(data: object, path: tuple[str, ...] = (), around: Provenance | None = None) -> Iterator[Fact]:
    """Yield the facts of a card, in its order."""
    above = around or Provenance()
    here = table_of(data)
    if here is not None:
        own = Provenance(*(str(here.get(name, "")) for name in ("how", "source", "where", "why", "mark")))
        if not own.mark and "confidence" in here:  # a published row
            own = replace(own, mark=_CONFIDENCE.get(str(here["confidence"]), ""))
        above = own if own.how or own.source or own.mark else above
        unit = str(here.get("unit", "")) if "value" in here else ""
        if "value" in here:
            yield Fact(path, here["value"], unit, _meaning(here), own, above, True)
            here = {k: v for k, v in here.items() if k not in _OF_NUMBER}
            own = replace(Provenance(), mark=own.mark)
        for key, value in here.items():
            if key in _OF_TABLE:
                continue
            if table_of(value) is not None or any(table_of(one) is not None for one in items_of(value)):
                yield from facts_of(value, (*path, key), above)
            else:
                yield Fact((*path, key), value, unit if key in _OF_ITS_UNIT else "", "", own, above)
    for index, value in enumerate(items_of(data), start=1):
        label = str((table_of(value) or {}).get("name", index))
        yield from facts_of(value, (*path, label), above)


def _meaning(table: Card) -> str:
    """What a value means; of a published row: what was published, how it was defined, in which arm."""
    told = (str(table.get(name, "")) for name in ("quantity", "definition", "arm"))
    return str(table.get("meaning", "")) or "; ".join(one for one in told if one)


def sources_of(data: object) -> list[str]:
    """Return the citation keys that a card names, each once, in the order of the card."""
    found: dict[str, None] = {}

    def walk(here: object) -> None:
        for key, value in (table_of(here) or {}).items():
            if key in ("source", "sources"):
                found.update(dict.fromkeys([value] if isinstance(value, str) else map(str, items_of(value))))
            else:
                walk(value)
        for value in items_of(here):
            walk(value)

    walk(data)
    return [key for key in found if key]


def table_of(value: object) -> Card | None:
    """A table of a card; None for anything else."""
    return cast("Card", value) if isinstance(value, Mapping) else None


def items_of(value: object) -> list[object]:
    """The items of a list of a card; none for anything else."""
    return cast("list[object]", value) if isinstance(value, list) else []


def title_of(name: str, data: Card) -> str:
    """What a card is called."""
    return str(data.get("title") or (table_of(data.get("trial")) or {}).get("title") or name)


def in_words(name: str, data: Card) -> str:
    """What a card is, in a line: its title, and what tells it from its neighbors."""
    told = [str(data[k]) for k in ("brand", "target_a", "target_b", "costimulation") if data.get(k)]
    return ", ".join([title_of(name, data), *told])
