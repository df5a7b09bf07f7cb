"""What a patient's card may say for a referral to a treatment center, besides the facts."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, NamedTuple

from vein2vein.cards import bundled_card
from vein2vein.declared import Record, listed, text

# Records that centers ask for, in the order of the checklist; the pages name them in words
RECORDS = (
    "letter", "markers", "slides", "marrow", "genes", "scans", "treatments", "last_doses", "blood", "virus", "heart",
    "vaccines", "medicines", "fitness", "helper", "stay", "insurance", "passport", "language",
)  # fmt: skip


class Limits(NamedTuple):
    """What a letter holds: days between which values lie, characters of a text, lines of therapy."""

    earliest: datetime.date
    latest: datetime.date
    longest: int
    most_treatments: int


@cache
def limits() -> Limits:
    """Read the limits of a letter."""
    data = bundled_card("therapy/referral_limits.toml").data
    return Limits(*(data[name] for name in Limits._fields))


@dataclass(frozen=True, kw_only=True)
class Referral(Record):
    """What the papers of a referral say besides the facts of the patient; what is left out is shown as to obtain."""

    home: Annotated[str, text("Where the patient lives: town and country")] = ""
    language: Annotated[str, text("Language of the family, such as Spanish; an interpreter is asked for")] = ""
    navigator: Annotated[str, text("Who helps the family on the way, and how to reach them")] = ""
    physician: Annotated[str, text("Treating physician and hospital")] = ""
    center: Annotated[str, text("Treatment center that the papers go to")] = ""
    helper: Annotated[str, text("Adult who stays with the patient day and night")] = ""
    found: Annotated[str, text("When the disease was found, such as 2024-05")] = ""
    treatments: Annotated[
        tuple[str, ...], listed("Each line of treatment: dates, drugs, best response", 'texts such as ["2024: CR"]')
    ] = ()
    state: Annotated[str, text("How the disease is now, in a sentence")] = ""
    measured: Annotated[str, text("Day on which the values were measured, such as 2026-11-20")] = ""
    records: Annotated[
        tuple[str, ...], listed("Records at hand", 'names such as ["letter", "scans"]', choices=RECORDS, each="record")
    ] = ()

    def faults(self) -> Iterator[tuple[str, str]]:
        """A day of measurement that is none, texts that no letter holds."""
        bound = limits()
        if self.measured:
            expected = f"expected year-month-day from {bound.earliest} to {bound.latest}, such as 2026-11-20."
            try:
                day = datetime.date.fromisoformat(self.measured)
            except ValueError:
                day = None
            if day is None or not bound.earliest <= day <= bound.latest:
                yield "measured", f"found '{self.measured[:20]}', {expected}"
        for name in ("navigator", "physician", "center", "helper", "found", "state", "measured"):
            yield from _too_long(name, getattr(self, name))
        if len(self.treatments) > (most := bound.most_treatments):
            yield "treatments", f"found {len(self.treatments)} lines, expected at most {most}; sum them up."
        for i, line in enumerate(self.treatments):
            yield from _too_long(f"treatments.{i}", line)


def _too_long(field: str, words: str) -> Iterator[tuple[str, str]]:
    if len(words) > (longest := limits().longest):
        yield field, f"found {len(words)} characters, expected at most {longest}; shorten it."
