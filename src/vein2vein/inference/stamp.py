"""The stamp of a prediction: what was predicted of a trial, when, and with what, in a file that shows a later change.

The file is TOML. Its digest is taken over all that it says (spaces, order and remarks do not count). Whoever publishes
the digest when the stamp is made shows that nothing was changed since; the digest alone shows only that the file is
whole, for anybody can make another stamp.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, cast

from vein2vein.card_reading import read
from vein2vein.cards import Card, parse_card, read_card
from vein2vein.declared import Record, fields_of, listed, number, part, text
from vein2vein.errors import InputError
from vein2vein.files import write_text
from vein2vein.toml_lines import written
from vein2vein.trials.published import Published

HEAD = """\
# A prediction of vein2vein, stamped before the data were seen. Nothing below may be changed: the digest would not fit.
# Once values are published: vein2vein score THIS_FILE published.toml
"""
DIGITS = 6  # of a predicted number
NAMES = ("trial", "arm", "quantity", "definition")
FACTS = ("value", "low", "high", "spread", "n", "source", "where", "confidence")  # what a publication adds to a row


@dataclass(frozen=True, kw_only=True)
class RowName(Record):
    """Which row is meant."""

    quantity: Annotated[str, text("What is published")]
    definition: Annotated[str, text("How it is defined")] = ""
    arm: Annotated[str, text("Arm in the publication")] = ""
    trial: Annotated[str, text("Trial in the publication")]

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from other rows."""
        return tuple(getattr(self, name) for name in NAMES)

    @property
    def words(self) -> str:
        """The row in a sentence."""
        return ", ".join(filter(None, (self.quantity, self.definition, self.arm)))


@dataclass(frozen=True, kw_only=True)
class Predicted(RowName):
    """One predicted number: its median and prediction interval over simulated trials of the size asked for."""

    unit: Annotated[str, text("Unit")]
    n: Annotated[int, number("Patients of a simulated trial behind it", low=1)] | None = None
    median: Annotated[float, number("Median", endless=True)] | None = None
    low: Annotated[float, number("Low end of the prediction interval", endless=True)] | None = None
    high: Annotated[float, number("High end of the prediction interval", endless=True)] | None = None
    missing: Annotated[str, text("Why nothing was predicted")] = ""
    asks: Annotated[Mapping[str, Any], part("The endpoint, its arguments and who is counted")]


@dataclass(frozen=True, kw_only=True)
class StampedCards(Record):
    """The cards behind a prediction."""

    numbers: Annotated[str, text("Hash of values and spreads: general sets, products, diseases")]
    bundled: Annotated[str, text("Hash of all card files that come with vein2vein")]
    products: Annotated[tuple[str, ...], part("Products, as the trial file names them")]
    diseases: Annotated[tuple[str, ...], part("Diseases, as the trial file names them")]
    own: Annotated[Mapping[str, str], part("Hashes of cards of one's own, by path")] = field(
        default_factory=dict[str, str]
    )


@dataclass(frozen=True, kw_only=True)
class Stamp(Record):
    """A stamped prediction of a trial."""

    digest: Annotated[str, text("Digest of all the rest")] = ""
    made: Annotated[str, text("Date and time (UTC)")]
    version: Annotated[str, text("Version of vein2vein")]
    trial: Annotated[str, text("Name of the trial in publications")]
    title: Annotated[str, text("Title")]
    file: Annotated[str, text("Name of the trial file")]
    file_hash: Annotated[str, text("SHA-256 of the trial file")]
    seed: Annotated[int, number("Seed", low=0)]
    patients: Annotated[int, number("Virtual patients under each parameter set", low=1)]
    sets: Annotated[int, number("Parameter sets", low=1)]
    parameters: Annotated[str, text("Which parameter sets")]
    size: Annotated[int, number("Patients of the predicted trial; 0: as the rows say", low=0)]
    level: Annotated[float, number("Share of the simulated trials inside an interval", low=0, high=1)]
    scale: Annotated[str, text("The trial's scale of cytokine release syndrome")]
    until: Annotated[float, number("Last day of the safety analyses", "day")]
    design: Annotated[Mapping[str, str], part("Hash of each table of the trial file but [[published]]")]
    cards: Annotated[StampedCards, part("The cards")]
    known: Annotated[tuple[RowName, ...], part("Rows whose value stood in the file: not predicted")] = ()
    notes: Annotated[tuple[str, ...], listed("What a reader of the prediction must know", "a list of text")] = ()
    predicted: Annotated[tuple[Predicted, ...], part("What was predicted", filled=True)]


# Hashes


def hash_of(data: object) -> str:
    """SHA-256 of tables, lists and values, whatever their order, spaces and remarks."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()


def design_of(card: Card) -> dict[str, str]:
    """Hash of each table of a trial file but its published rows."""
    return {name: hash_of(table) for name, table in card.data.items() if name != "published"}


def _digest(data: Mapping[str, object]) -> str:
    return hash_of({name: value for name, value in data.items() if name != "digest"})


# What a row asks


def asked(row: Published) -> dict[str, Any]:
    """What a row asks for: endpoint, arguments, who is counted, how it is scored; as a card writes it."""
    kept = {**vars(row), **row.arguments}
    plain = {one.name: one.default for one in Published.__dataclass_fields__.values()}
    return {
        name: list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value
        for name, value in kept.items()
        if name not in (*NAMES, *FACTS, "unit", "arguments") and not _left_out(value, plain.get(name))
    }


def _left_out(value: object, plain: object) -> bool:
    return value is None or value == plain or (isinstance(value, float) and math.isnan(value))


# The file


def stamped(stamp: Stamp) -> Stamp:
    """The stamp with its digest."""
    return replace(stamp, digest=_digest(parse_card(stamp_text(stamp), "stamp").data))


def stamp_text(stamp: Stamp) -> str:
    """The file."""
    return HEAD + "\n".join(_lines(stamp)) + "\n"


def _lines(stamp: Stamp) -> Iterator[str]:
    yield from _values(stamp, "design", "cards", "known", "predicted")
    yield from ("", "[design]", *(f"{name} = {written(one)}" for name, one in stamp.design.items()))
    yield from ("", "[cards]", *_values(stamp.cards))
    for what, rows in (("known", stamp.known), ("predicted", stamp.predicted)):
        for row in rows:
            yield from ("", f"[[{what}]]", *_values(row))


def _values(record: Record, *apart: str) -> list[str]:
    """The fields of a record as TOML, without those that are as nobody gave them."""
    given = {one.name: getattr(record, one.name) for one in fields_of(type(record)) if one.name not in apart}
    plain = {one.name: one.default for one in fields_of(type(record)) if not one.required}
    return [f"{name} = {written(value)}" for name, value in given.items() if name not in plain or value != plain[name]]


def write_stamp(stamp: Stamp, path: str | Path, *, force: bool = False) -> Path:
    """Write a stamp; an existing file is kept unless ``force``."""
    return write_text(path, stamp_text(stamp), force=force, durable=True)


def read_stamp(path: str | Path) -> Stamp:
    """Read a stamp.

    Raises
    ------
    InputError
        There is no such file, it is no stamp, or it was changed after it was written.
    """
    card = read_card(path)
    if not isinstance(given := card.get("digest"), str) or "predicted" not in card.data:
        raise InputError("is no stamp of a prediction; expected a file that vein2vein predict wrote.", file=card.file)
    if (found := _digest(card.data)) != given:
        short = f"its content has the digest {found[:16]}..., but the digest {given[:16]}... was stamped"
        raise card.error(("digest",), f"the stamp was changed: {short}; give the file as it was written.")
    return read(card, Stamp)
