"""What a patient's card may say for the family's page, besides the facts."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from vein2vein.declared import Record, number, text


@dataclass(frozen=True, kw_only=True)
class FamilyPage(Record):
    """What the family's page tells of the plan; an option of ``vein2vein explain`` that is given goes before it."""

    product: Annotated[str, text("CAR-T product of the plan")] = ""
    infusion_date: Annotated[str, text("Planned day of the infusion, such as 2027-01-10")] = ""
    collection_date: Annotated[
        str, text("Day on which the cells are collected, such as 2026-11-29; in place of days.leukapheresis")
    ] = ""
    companions: Annotated[int, number("Virtual patients for what the model adds; 0: none", low=0)] | None = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """A day that is none of the calendar, a collection without the infusion from which its day is counted."""
        for name in ("infusion_date", "collection_date"):
            told = getattr(self, name)
            try:
                datetime.date.fromisoformat(told or "2027-01-10")
            except ValueError:
                yield name, f"found '{told}', expected year-month-day such as 2027-01-10."
        if self.collection_date and not self.infusion_date:
            yield "collection_date", "days are counted from the infusion; give infusion_date, too, or leave this out."
