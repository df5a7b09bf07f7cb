"""The calendar of one plan: weeks of days, numbers for what a day brings, and the list that names the numbers."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable
from dataclasses import dataclass

from vein2vein.explain.facts import Timing
from vein2vein.explain.languages import WEEK, Catalog, Said, Words


@dataclass(frozen=True)
class Kind:
    """Something that the plan brings, with the number by which the days name it."""

    number: int
    key: str
    title: Said
    first: datetime.date
    last: datetime.date


@dataclass(frozen=True)
class Day:
    """A day: its date, its day of the plan (infusion is day 0), the numbers of what it brings.

    ``month`` is the short name of its month where it must be told; "" elsewhere.
    """

    date: datetime.date
    plan: int
    numbers: tuple[int, ...]
    month: str


@dataclass(frozen=True)
class Week:
    """Seven days; ``after_gap``: weeks before it bring nothing and are left out."""

    days: tuple[Day, ...]
    after_gap: bool


@dataclass(frozen=True)
class Calendar:
    """Weeks, the names of their days (short and whole), and what the numbers in them mean."""

    weekdays: tuple[tuple[str, str], ...]
    weeks: tuple[Week, ...]
    kinds: tuple[Kind, ...]


def calendar_of(words: Words, plan: Timing, day_zero: datetime.date) -> Calendar:
    """Make the calendar of a plan: from the collection, where its day is known, to the first check or last day near.

    Parameters
    ----------
    words : Words
        The weeks begin with the day with which they begin in this language (CLDR).
    plan : Timing
    day_zero : date
        Planned day of the infusion.
    """
    catalog = words.catalog
    kinds = tuple(_kinds(words, plan, day_zero))
    start, end = min(one.first for one in kinds), max(one.last for one in kinds)
    start -= datetime.timedelta(days=(start.weekday() - catalog.week_begins) % WEEK)
    weeks: list[Week] = []
    before: datetime.date | None = None
    while start <= end:
        dates = [start + datetime.timedelta(days=i) for i in range(WEEK)]
        if any(one.first <= date <= one.last for one in kinds for date in dates):
            gap = before is not None and (start - before).days > WEEK
            days = tuple(_day(date, day_zero, kinds, catalog, told=not i) for i, date in enumerate(dates))
            weeks.append(Week(days, gap))
            before = start
        start += datetime.timedelta(days=WEEK)
    order = [(catalog.week_begins + i) % WEEK for i in range(WEEK)]
    names = tuple((catalog.short_weekdays[i], catalog.weekdays[i]) for i in order)
    return Calendar(names, tuple(weeks), kinds)


def _kinds(words: Words, plan: Timing, day_zero: datetime.date) -> Iterable[Kind]:
    rules = plan.rules
    spans: list[tuple[str, float, float]] = []
    if plan.collection is not None:
        spans.append(("collection", plan.collection, plan.collection))
    spans += [("chemo", plan.chemo_first, plan.chemo_last), ("infusion", 0, 0)]
    spans += [("second", day, day) for day in plan.infusions]
    spans += [("watch", 1, rules["daily"].value), ("near", 1, rules["near"].value)]
    spans += [("check", rules["first_check"].value, rules["first_check"].value)]
    known = [span for span in spans if math.isfinite(span[2])]
    for number, (key, first, last) in enumerate(known, start=1):
        ends = (day_zero + datetime.timedelta(days=round(day)) for day in (first, last))
        yield Kind(number, key, words(f"step_{key}"), *ends)


def _day(date: datetime.date, day_zero: datetime.date, kinds: tuple[Kind, ...], catalog: Catalog, *, told: bool) -> Day:
    numbers = tuple(one.number for one in kinds if one.first <= date <= one.last)
    month = catalog.short_months[date.month - 1] if told or date.day == 1 else ""
    return Day(date, (date - day_zero).days, numbers, month)
