"""Limits of drug doses, and whether a dose passes them: ``dose_limits.toml``.

Every door asks here: regimens of products and trials, policies of files and of Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated

from vein2vein.card_reading import read
from vein2vein.cards import bundled_card
from vein2vein.declared import Record, Sourced, listed, number, part, text
from vein2vein.sources import source

PERIODS = ("dose", "day", "course")
Given = Mapping[tuple[str, str], float]  # amount by (period, unit)


@dataclass(frozen=True, kw_only=True)
class DoseLimit(Sourced):
    """Limit of a drug in one period and unit."""

    drug: Annotated[str, text("Drug")]
    per: Annotated[str, text("What the amount is counted over", PERIODS)]
    unit: Annotated[str, text("Unit of the amount")]
    warn: Annotated[float, number("Above this a note is made", above=0)]
    refuse: Annotated[float, number("Above this it is refused", above=0)]

    def faults(self) -> Iterator[tuple[str, str]]:
        """Refused before it is noted; no provenance."""
        if self.refuse < self.warn:
            yield "refuse", f"found {self.refuse:g}, expected at least warn, {self.warn:g}."
        yield from super().faults()

    @property
    def period(self) -> str:
        """The period in words."""
        return {"dose": "a dose", "day": "a day", "course": "in all"}[self.per]

    @property
    def origin(self) -> str:
        """Where the limit comes from, in words."""
        told = source(self.source).fields
        return f"{told.get('author', self.source)} {told.get('year', '')}, {self.where}"


@dataclass(frozen=True, kw_only=True)
class DoseLimits(Record):
    """The card: limits, and the dose rules of policies that they hold for."""

    limit: Annotated[tuple[DoseLimit, ...], part("Limits", filled=True)]
    rules: Annotated[
        Mapping[str, tuple[str, ...]], listed("Drug, period and unit of a rule", '["tocilizumab", "dose", "mg"]')
    ]


@cache
def _card() -> DoseLimits:
    return read(bundled_card("therapy/dose_limits.toml"), DoseLimits)


def limits_of(drug: str) -> tuple[DoseLimit, ...]:
    """The limits of a drug; none where nothing is known of it."""
    return tuple(one for one in _card().limit if one.drug == drug)


def refused(drug: str, given: Given) -> str:
    """Why amounts of a drug cannot be, in one sentence; "" where they can."""
    for one in limits_of(drug):
        amount = given.get((one.per, one.unit), 0.0)
        if amount > one.refuse:
            expected = f"expected more than 0 and at most {one.refuse:g} {one.unit} {one.period}"
            return f"found {amount:g} {one.unit} of {drug} {one.period}; {expected} ({one.origin})."
    return ""


def unusual(drug: str, given: Given) -> tuple[str, ...]:
    """Notes on amounts of a drug above what is usual."""
    return tuple(
        f"{drug} {given[one.per, one.unit]:g} {one.unit} {one.period} is more than the usual "
        f"{one.warn:g} ({one.origin})"
        for one in limits_of(drug)
        if given.get((one.per, one.unit), 0.0) > one.warn
    )


def by_days(entries: Sequence[tuple[float, Sequence[float]]]) -> dict[tuple[str, str], float]:
    """What entries of one drug (mg/m2 on each of some days) give: the largest dose, the fullest day, all of them."""
    of_day: dict[float, float] = {}
    for dose, days in entries:
        for day in days:
            of_day[day] = of_day.get(day, 0.0) + dose
    largest = max(dose for dose, _ in entries)
    most = {"dose": largest, "day": max(of_day.values(), default=0.0), "course": sum(of_day.values())}
    return {(per, "mg/m^2"): amount for per, amount in most.items()}


def by_schedule(
    mg: float | None, mg_per_kg: float | None, every: float, days: float = 0.0, weight: float = 0.0
) -> dict[tuple[str, str], float]:
    """What a dose (mg, mg/kg, or the smaller of both) every so many days gives over so many days, by period and unit.

    With a ``weight`` (kg) a dose by weight alone is counted in mg, too.
    """
    a_day = max(1.0, 1 / every)  # doses
    found = {("day", "doses"): a_day, ("course", "doses"): days // every + 1}
    total = mg_per_kg * weight if mg is None and mg_per_kg is not None else mg
    for unit, amount in (("mg", total), ("mg/kg", mg_per_kg)):
        if amount is not None:
            found |= {("dose", unit): amount, ("day", unit): amount * a_day}
    return found


def refused_rule(name: str, value: float) -> str:
    """Why a dose rule of a policy cannot be, in one sentence; "" where it can."""
    if name not in _card().rules:
        return ""
    drug, per, unit = _card().rules[name]
    return refused(drug, {(per, unit): value})


def unusual_rule(name: str, value: float) -> tuple[str, ...]:
    """Notes on a dose rule of a policy."""
    if name not in _card().rules:
        return ()
    drug, per, unit = _card().rules[name]
    return unusual(drug, {(per, unit): value})
