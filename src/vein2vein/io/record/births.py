"""Dates of birth, whole or in part, from 1900 on; the age is what is certain of them."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from vein2vein.io.record import times
from vein2vein.io.record.mapping import TableMapping

YEAR = 365.25  # days: unit factor
GROWN = 18.0  # years; from here on no rule asks for the year of life
FIRST, SHIFTED, SHIFT = 1900, 1950, 200  # the calendar of 1900 to 1949 is that of 200 years later
CENTURIES = (1900, 2000)
_PART = re.compile(r"(\d{4})(?:[-/.](\d{1,2}))?")
_PART_LAST = re.compile(r"(\d{1,2})[-/.](\d{4})")
_OLD = re.compile(r"(?<!\d)19[0-4]\d(?=\D|\Z|\d{4}(?!\d))")
_SHORT = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{2})")


@dataclass(frozen=True)
class Birth:
    """The spans of days in which a person may have been born; two where the century is not written."""

    spans: tuple[tuple[date, date], ...]
    text: str
    line: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Birth) and self.spans == other.spans

    def __hash__(self) -> int:
        return hash(self.spans)

    def age(self, zero: date, oldest: float) -> tuple[float, str]:
        """Years at the infusion, or NaN with what is wrong."""
        day = zero.date() if isinstance(zero, datetime) else zero
        ages = [((day - last).days / YEAR, (day - first).days / YEAR) for first, last in self.spans]
        possible = [(max(low, 0.0), high) for low, high in ages if high >= 0 and low <= oldest]
        if not possible:
            return np.nan, "born after the infusion" if ages[0][1] < 0 else f"more than {oldest:g} years"
        if len(possible) > 1:
            return np.nan, "the century of the birth is not written"
        low, high = possible[0]
        if low < GROWN and int(low) != int(high):
            return np.nan, f"{int(low)} or {int(high)} years, and the difference counts in a child"
        return (low + high) / 2, ""


def read_birth(text: str, mapping: TableMapping, line: int) -> Birth:
    """Read a date of birth: a day, a month (1944-06) or a year (1944).

    Raises
    ------
    times.NotATime
        It is none, or its year has two digits and the mapping does not say the order of day and month.
    """
    text = text.strip()
    for pattern, at in ((_PART, (1, 2)), (_PART_LAST, (2, 1))):
        if match := pattern.fullmatch(text):
            return Birth((_span(int(match[at[0]]), match[at[1]]),), text, line)
    if match := _SHORT.fullmatch(text):
        form = next((one for one in mapping.date_format if "%y" in one), "")
        order = mapping.date_order or (
            "" if "%y" not in form else "dmy" if form.find("%d") < form.find("%m") else "mdy"
        )
        if not order:
            raise times.NotATime("the century is not written")
        day, month = (match[1], match[3]) if order == "dmy" else (match[3], match[1])
        return Birth(tuple((d, d) for c in CENTURIES if (d := _date(c + int(match[4]), month, day))), text, line)
    found = {_day(text, order, mapping) for order in ([mapping.date_order] if mapping.date_order else ["dmy", "mdy"])}
    known = sorted(one for one in found if one is not None)
    if not known:
        raise times.NotATime("not a date of birth")
    return Birth(((known[0], known[-1]),), text, line)


def _span(year: int, month: str | None) -> tuple[date, date]:
    first, last = (int(month), int(month)) if month else (1, 12)
    if not year >= FIRST or not 1 <= first <= 12:
        raise times.NotATime(f"no month from {FIRST} on")
    return date(year, first, 1), date(year, last, calendar.monthrange(year, last)[1])


def _date(year: int, month: str, day: str) -> date | None:
    try:
        return date(year, int(month), int(day))
    except ValueError:
        raise times.NotATime("no such date") from None


def _day(text: str, order: str, mapping: TableMapping) -> date | None:
    """A whole date; one of 1900 to 1949 is read by the calendar of 200 years later, which is the same."""
    later = _OLD.sub(lambda match: str(int(match[0]) + SHIFT), text)
    shift = SHIFT if later != text else 0
    for form in (mapping.date_format, "") if mapping.date_format else ("",):
        try:
            found = times.parse_moment(later, order, form)
        except times.NotATime:
            continue
        return date(found.year - shift, found.month, found.day)
    return None
