"""Local dates and times to days since the infusion."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from vein2vein.errors import InputError
from vein2vein.io.record.record import Moment

DIGITS = 6  # of a day: a tenth of a second
EARLIEST, LATEST = 1950, 2150
LONGEST = 60
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = r"(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(am|pm)?)?"
_NUMERIC = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})" + _CLOCK, re.IGNORECASE)
_NAMED = re.compile(r"(\d{1,2})[. -]+([A-Za-z]{3,9})[., -]+(\d{4})" + _CLOCK, re.IGNORECASE)
_AMERICAN = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})" + _CLOCK, re.IGNORECASE)
_ISO = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{8}(T|$)")
_MIDNIGHT = re.compile(r"(.{8,}[ T,])24:00(?::00(?:\.0+)?)?(.*)")
_LEAP = re.compile(r"(?<=\d\d:\d\d):60(?!\d)")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?\s*(am|pm)?", re.IGNORECASE)


class NotATime(ValueError):
    """Why a text is not a date or time."""


def find_zone(name: str) -> tzinfo:
    """The time zone of this name, such as Europe/Berlin."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except Exception:
        raise InputError(f"unknown time zone '{name}'; expected a name such as 'Europe/Berlin' or 'UTC'.") from None


def order_of(texts: Iterable[str]) -> str | None:
    """The order of day and month in dates such as 03/05/2026: "dmy", "mdy", or None where no date shows it."""
    for text in texts:
        if (match := _NUMERIC.fullmatch(text.strip())) and match[2] != ".":
            if int(match[1]) > 12:
                return "dmy"
            if int(match[3]) > 12:
                return "mdy"
    return None


@lru_cache(maxsize=100_000)
def parse_moment(text: str, order: str | None = None, form: str = "") -> date | datetime:
    """Read a date, or a date with a time.

    Parameters
    ----------
    text : str
    order : str or None
        "dmy" or "mdy" for dates such as 03/05/2026.
    form : str
        A format such as "%d.%m.%Y %H:%M"; then nothing else is read.

    Raises
    ------
    NotATime
    """
    text = text.strip()
    if len(text) > LONGEST:
        raise NotATime("not a date or time")
    try:
        found = _with_form(text, form) if form else _parse(text, order)
    except (ValueError, OverflowError) as problem:
        if isinstance(problem, NotATime):
            raise
        raise NotATime("no such date or time") from None
    if not EARLIEST <= found.year <= LATEST:
        raise NotATime(f"the year is not between {EARLIEST} and {LATEST}")
    return found


def _with_form(text: str, form: str) -> date | datetime:
    found = datetime.strptime(text, form)
    return found if "%H" in form or "%I" in form or "%X" in form or "%c" in form else found.date()


def _parse(text: str, order: str | None) -> date | datetime:
    if midnight := _MIDNIGHT.fullmatch(text):  # 24:00 ends the day
        return _parse(f"{midnight[1]}00:00{midnight[2]}", order) + timedelta(days=1)
    text = _LEAP.sub(":59", text)  # a leap second is read as the second before
    if _ISO.match(text):
        text = text.replace("/", "-")
        parts = re.match(r"(\d{4})-(\d{1,2})-(\d{1,2})(.*)", text)
        if parts and len(parts[0]) - len(parts[4]) < 10:
            text = f"{parts[1]}-{int(parts[2]):02}-{int(parts[3]):02}{parts[4]}"
        if len(text) <= 10 and "T" not in text:
            return date.fromisoformat(text)
        if clock := re.fullmatch(r"(\S{10})[ T](\d):(.*)", text):  # 9:05 for 09:05
            text = f"{clock[1]}T0{clock[2]}:{clock[3]}"
        return datetime.fromisoformat(text)
    if match := _NUMERIC.fullmatch(text):
        first, separator, second, year = int(match[1]), match[2], int(match[3]), int(match[4])
        order = "dmy" if separator == "." else order
        if order is None:
            raise NotATime("day and month cannot be told apart")
        day, month = (first, second) if order == "dmy" else (second, first)
        return _joined(year, month, day, match.groups()[4:])
    if (match := _NAMED.fullmatch(text)) and match[2][:3].lower() in MONTHS:
        return _joined(int(match[3]), MONTHS.index(match[2][:3].lower()) + 1, int(match[1]), match.groups()[3:])
    if (match := _AMERICAN.fullmatch(text)) and match[1][:3].lower() in MONTHS:
        return _joined(int(match[3]), MONTHS.index(match[1][:3].lower()) + 1, int(match[2]), match.groups()[3:])
    raise NotATime("not a date or time")


def _joined(year: int, month: int, day: int, clock: Iterable[str | None]) -> date | datetime:
    hour, minute, second, half = clock
    if hour is None:
        return date(year, month, day)
    return datetime(year, month, day, _hour(int(hour), half), int(minute or 0), int(second or 0))


def _hour(hour: int, half: str | None) -> int:
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise NotATime("no such time of day")
    return hour % 12 + (12 if half.lower() == "pm" else 0)


def with_clock(day: date, text: str) -> datetime:
    """A date together with a time of day from another column."""
    match = _TIME.fullmatch(text.strip())
    try:
        if not match:
            raise ValueError
        return datetime(day.year, day.month, day.day, _hour(int(match[1]), match[4]), int(match[2]), int(match[3] or 0))
    except ValueError:
        raise NotATime("not a time of day") from None


def days_since(moment: Moment, zero: Moment, zone: tzinfo | None) -> float:
    """Days from one moment to another.

    Dates without a time are whole days apart. Times in a zone are compared in absolute time, so that the hour which a
    change of the clocks adds or takes is counted right; without any zone they are compared as written.
    """
    if isinstance(moment, float | int):
        return float(moment)
    if isinstance(zero, float | int):
        raise NotATime("the infusion is given as a day, this row as a date")
    if not isinstance(moment, datetime) or not isinstance(zero, datetime):
        start, end = _local(zero, zone), _local(moment, zone)
        apart = (_date(end) - _date(start)).days
        if isinstance(end, datetime):  # the infusion has no time of day: its day begins at midnight
            since = end - datetime.combine(end.date(), datetime.min.time(), end.tzinfo)
            return round(apart + since / timedelta(days=1), DIGITS)
        return float(apart)
    a, b = _placed(moment, zone), _placed(zero, zone)
    if (a.tzinfo is None) != (b.tzinfo is None):  # one of them without zone: wall clock against wall clock
        a, b = a.replace(tzinfo=None), b.replace(tzinfo=None)
    elif a.tzinfo is not None:
        a, b = a.astimezone(UTC), b.astimezone(UTC)
    return round((a - b) / timedelta(days=1), DIGITS)


def only_one_placed(moment: Moment, zero: Moment | None, zone: tzinfo | None) -> bool:
    """Whether of two times with clock one names its zone and one does not, and nothing says which zone it is in."""
    if zone is not None or not isinstance(moment, datetime) or not isinstance(zero, datetime):
        return False
    return (moment.tzinfo is None) != (zero.tzinfo is None)


def _placed(moment: datetime, zone: tzinfo | None) -> datetime:
    return moment.replace(tzinfo=zone) if moment.tzinfo is None and zone is not None else moment


def _local(moment: date | datetime, zone: tzinfo | None) -> date | datetime:
    if isinstance(moment, datetime) and moment.tzinfo is not None and zone is not None:
        return moment.astimezone(zone)
    return moment


def _date(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def clock_note(moment: Moment, zone: tzinfo | None) -> str:
    """What is odd about a local time: it never was, or was twice, when the clocks were changed; "" otherwise."""
    if zone is None or isinstance(zone, timezone) or not isinstance(moment, datetime) or moment.tzinfo is not None:
        return ""
    local = moment.replace(tzinfo=zone)
    if local.utcoffset() == local.replace(fold=1).utcoffset():
        return ""
    back = local.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    if back != moment:
        return "a time in the hour that the clocks skipped was read as one hour later"
    return "a time in the hour that the clocks repeat was read as the first of the two"
