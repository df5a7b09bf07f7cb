"""Local dates and times to days since the infusion."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from vein2vein.errors import InputError
from vein2vein.io.record.record import Moment

DIGITS = 6  # of a day: a tenth of a second
EARLIEST, LATEST = 1900, 2250  # births; dates that a public data set has shifted into the future
LONGEST = 60
EXCEL = {"excel": date(1899, 12, 30), "excel-1904": date(1904, 1, 1)}  # day 0 of a spreadsheet's serial numbers
ISO = "iso:"  # before a text that is ISO 8601 whatever format the file declares (a TOML date of a mapping)
FIRST_SERIAL, LAST_SERIAL = 32874.0, 73051.0  # 1990 to 2099 in the system of 1900
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = r"(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([ap]m?)?)?"
_NUMERIC = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})" + _CLOCK, re.IGNORECASE)
_NAMED = re.compile(
    r"(\d{1,2})[. -]*([A-Za-z]{3,9})[., -]*(\d{4})" + _CLOCK.replace("[ T,]+", "[ T,:]+"), re.IGNORECASE
)
_SAS_SHORT = re.compile(r"(\d{2})([A-Za-z]{3})(\d{2})" + _CLOCK.replace("[ T,]+", "[ T,:]+"), re.IGNORECASE)
_HL7 = re.compile(r"(\d{8})(\d{4})(\d{2})?(?:\.\d{1,6})?([+-]\d{4})?")
_HALVED = re.compile(r"(\d{4}-\d\d-\d\d)[ T,]+(\d{1,2}:\d{2}(?::\d{2})?\s*[ap]m?)", re.IGNORECASE)
_NO_YEAR = re.compile(r"\d{1,2}[. -]*([A-Za-z]{3,9})\.?|([A-Za-z]{3,9})[. -]+\d{1,2}|\d{1,2}/\d{1,2}")
_SERIAL = re.compile(r"\d{5}(?:\.\d+)?")
_RELATIVE = re.compile(r"(?:day|tag|d|t)\s*([+-]?)\s*(\d{1,4}(?:\.\d+)?)", re.IGNORECASE)
_AMERICAN = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})" + _CLOCK, re.IGNORECASE)
_ISO = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{8}(T|$)")
_MIDNIGHT = re.compile(r"(.{8,}[ T,])24:00(?::00(?:\.0+)?)?(.*)")
_LEAP = re.compile(r"(?<=\d\d:\d\d):60(?!\d)")
_TIME = re.compile(r"(\d{1,2}):?(\d{2})(?::?(\d{2}))?(?:\.\d+)?\s*([ap]m?)?", re.IGNORECASE)


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
        if (match := _NUMERIC.fullmatch(text.strip())) and match[2] != "." and len(match[4]) > len("26"):
            if int(match[1]) > 12:
                return "dmy"
            if int(match[3]) > 12:
                return "mdy"
    return None


@lru_cache(maxsize=200_000)
def parse_moment(
    text: str, order: str | None = None, form: str | tuple[str, ...] = "", short: bool = True
) -> date | datetime:
    """Read a date, or a date with a time.

    Parameters
    ----------
    text : str
    order : str or None
        "dmy" or "mdy" for dates such as 03/05/2026.
    form : str or tuple of str
        A format such as "%d.%m.%Y %H:%M", or "excel", "excel-1904" (serial numbers of a spreadsheet); then nothing else
        is read. Of several the first that fits holds.
    short : bool
        Whether years of two digits may be read by ``order``: only where somebody declared it.

    Raises
    ------
    NotATime
    """
    text = text.strip()
    if len(text) > LONGEST:
        raise NotATime("not a date or time")
    if text.startswith(ISO):
        text, form = text.removeprefix(ISO), ""
    try:
        found = _with_forms(text, (form,) if isinstance(form, str) else form) if form else _parse(text, order, short)
    except (ValueError, OverflowError) as problem:
        if isinstance(problem, NotATime):
            raise
        raise NotATime("no such date or time") from None
    if not EARLIEST <= found.year <= LATEST:
        raise NotATime(f"the year is not between {EARLIEST} and {LATEST}")
    return found


def _with_forms(text: str, forms: tuple[str, ...]) -> date | datetime:
    for form in forms:
        try:
            return _with_form(text, form)
        except (ValueError, OverflowError):
            if form == forms[-1]:
                raise
    raise NotATime("not a date or time")


def _with_form(text: str, form: str) -> date | datetime:
    if form in EXCEL:
        return serial(text, form)
    found = datetime.strptime(text, form)
    return found if any(sign in form for sign in ("%H", "%I", "%X", "%c")) else found.date()


def is_serial(text: str) -> bool:
    """Whether a text may be the serial number that a spreadsheet holds for a date of our time."""
    return bool(_SERIAL.fullmatch(text)) and FIRST_SERIAL <= float(text) <= LAST_SERIAL


def serial(text: str, system: str = "excel") -> date | datetime:
    """The date (whole numbers), or date and time, that a serial number of a spreadsheet stands for.

    Raises
    ------
    NotATime
    """
    if not _SERIAL.fullmatch(text):
        raise NotATime("not the serial number of a date")
    days, _, part = text.partition(".")
    day = EXCEL[system] + timedelta(days=int(days))
    if not part:
        return day
    return datetime(day.year, day.month, day.day) + timedelta(seconds=round(float(f"0.{part}") * 24 * 60 * 60))


def relative_day(text: str) -> float | None:
    """Days since the infusion of a text such as D+1, T+3, Day 1 or Day -5; None where it is none."""
    match = _RELATIVE.fullmatch(text.strip())
    return None if not match else float(f"{match[1]}{match[2]}")


def _parse(text: str, order: str | None, short: bool) -> date | datetime:
    if midnight := _MIDNIGHT.fullmatch(text):  # 24:00 ends the day
        return _parse(f"{midnight[1]}00:00{midnight[2]}", order, short) + timedelta(days=1)
    text = _LEAP.sub(":59", text)  # a leap second is read as the second before
    if hl7 := _HL7.fullmatch(text):
        return datetime.fromisoformat(f"{hl7[1]}T{hl7[2]}{hl7[3] or '00'}{hl7[4] or ''}")
    if _ISO.match(text):
        return _iso(text)
    if match := _NUMERIC.fullmatch(text):
        return _numeric(match, order, short)
    if (match := _NAMED.fullmatch(text)) and match[2][:3].lower() in MONTHS:
        return _joined(int(match[3]), MONTHS.index(match[2][:3].lower()) + 1, int(match[1]), match.groups()[3:])
    if (match := _SAS_SHORT.fullmatch(text)) and match[2].lower() in MONTHS:
        return _joined(2000 + int(match[3]), MONTHS.index(match[2].lower()) + 1, int(match[1]), match.groups()[3:])
    if (match := _AMERICAN.fullmatch(text)) and match[1][:3].lower() in MONTHS:
        return _joined(int(match[3]), MONTHS.index(match[1][:3].lower()) + 1, int(match[2]), match.groups()[3:])
    if (match := _NO_YEAR.fullmatch(text)) and (match[1] or match[2] or "jan")[:3].lower() in MONTHS:
        raise NotATime("a date without a year")
    if _SERIAL.fullmatch(text):
        raise NotATime("a number, perhaps the serial number of a spreadsheet's date")
    raise NotATime("not a date or time")


def _iso(text: str) -> date | datetime:
    text = text.replace("/", "-")
    parts = re.match(r"(\d{4})-(\d{1,2})-(\d{1,2})(.*)", text)
    if parts and len(parts[0]) - len(parts[4]) < 10:
        text = f"{parts[1]}-{int(parts[2]):02}-{int(parts[3]):02}{parts[4]}"
    if len(text) <= 10 and "T" not in text:
        return date.fromisoformat(text)
    if halved := _HALVED.fullmatch(text):
        return with_clock(date.fromisoformat(halved[1]), halved[2])
    if clock := re.fullmatch(r"(\S{10})[ T](\d):(.*)", text):  # 9:05 for 09:05
        text = f"{clock[1]}T0{clock[2]}:{clock[3]}"
    return datetime.fromisoformat(text)


def _numeric(match: re.Match[str], order: str | None, short: bool) -> date | datetime:
    first, separator, second, year = int(match[1]), match[2], int(match[3]), int(match[4])
    if len(match[4]) == len("26"):
        if order is None or not short:
            raise NotATime("day, month and year of two digits cannot be told apart")
        year += 2000
    if separator == ".":
        order = "dmy"
    if order is None:
        raise NotATime("day and month cannot be told apart")
    day, month = (first, second) if order == "dmy" else (second, first)
    return _joined(year, month, day, match.groups()[4:])


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
    return hour % 12 + (12 if half.lower().startswith("p") else 0)


def with_clock(day: date, text: str) -> datetime:
    """A date together with a time of day from another column."""
    match = _TIME.fullmatch(text.strip())
    try:
        if not match or (":" not in text and len(text.strip()) < len("730a")):
            raise ValueError
        if text.strip()[:5] == "24:00":  # ends the day
            return datetime(day.year, day.month, day.day) + timedelta(days=1)
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
