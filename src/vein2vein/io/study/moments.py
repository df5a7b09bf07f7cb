"""Times of the rows of a data set: numbers, clock times, or dates, as numbers in one unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from vein2vein import units
from vein2vein.errors import InputError
from vein2vein.io.record import times
from vein2vein.io.record.record import Log, plain
from vein2vein.io.study.columns import DATES, Columns, Layout, normal
from vein2vein.io.study.table import DATED, Cells, number_of

HOURS_OF_A_DAY = 24
SECONDS_OF_A_DAY = 24 * 60 * 60
FIRST = date(1900, 1, 1)  # any fixed day: only differences count
CODED_INFUSION = 10_000  # of EVID: nlmixr's codes of infusions, whose AMT is a rate
FAR = 2  # days apart at which numbers beside dates show whether they are hours or days


@dataclass(frozen=True)
class Moments:
    """Times of rows (None: none could be read) and their unit ("": not known).

    Attributes
    ----------
    times : tuple of float or None
    unit : str
    beside : float
        How long a unit of time in other columns (II, DUR, RATE) is, in ``unit``.
    shown : bool
        The unit follows from dates or times of the clock, whatever else is said.
    """

    times: tuple[float | None, ...]
    unit: str
    beside: float = 1.0
    shown: bool = False


def moments_of(rows: Sequence[Cells], layout: Layout, columns: Columns, log: Log) -> Moments:
    """Read the times of all rows: numbers in the unit that is said, dates and times of the clock converted to it."""
    found = _as_written(rows, layout, columns, log)
    wanted = columns.time.unit
    if not found.shown:
        return found
    if not wanted or not _is_time(wanted) or wanted == found.unit:
        return replace(found, times=tuple(None if one is None else round(one, times.DIGITS) for one in found.times))
    factor = units.convert(1.0, found.unit, wanted)
    log.note(f"times are converted to the unit that was asked for ({plain(wanted)})")
    turned = tuple(None if one is None else round(one * factor, times.DIGITS) for one in found.times)
    return Moments(turned, wanted, found.beside * factor, shown=True)


def _as_written(rows: Sequence[Cells], layout: Layout, columns: Columns, log: Log) -> Moments:
    if "date" in layout and any(row.text["date"] for row in rows):
        return _dated(rows, layout, columns, log)
    if any(DATED.match(row.text.get("time", "")) for row in rows):
        return _dated(*_as_dates(rows, layout), columns, log)
    unit = columns.time.unit or _of_header(layout, log) or _said(rows, layout, log)
    if unit and not _is_time(unit):
        log.aside(None, layout.name("time"), "a unit of time that is not known", unit, "a unit such as d, h or min",
                  "correct the unit")  # fmt: skip
    clocks = any(":" in row.text.get("time", "") for row in rows)
    if clocks:
        log.note("times of the clock without a date are read as hours")
        unit = "h"
    found: list[float | None] = []
    for row in rows:
        value = _clock(row, log, layout) if clocks else row.number.get("time")
        if value is None and not (clocks and ":" in row.text["time"]):
            log.aside(row.line, layout.name("time"), "no time", row.text.get("time", ""), "a number",
                      "write the time of the row")  # fmt: skip
        found.append(value)
    return Moments(tuple(found), unit, shown=clocks)


def _is_time(unit: str) -> bool:
    try:
        return units.convert(1.0, unit, "day") > 0
    except InputError:
        return False


def _of_header(layout: Layout, log: Log) -> str:
    """The unit that the header of the times names; what it names besides ("nominal") is none."""
    unit = layout.units.get("time", "")
    if unit and not _is_time(unit):
        log.note(f"'{plain(unit)}' in {plain(layout.name('time'))} is no unit of time")
        return ""
    return unit


def _as_dates(rows: Sequence[Cells], layout: Layout) -> tuple[list[Cells], Layout]:
    """The same rows with the column of times as that of dates, which it holds."""
    places = {("date" if role == "time" else role): place for role, place in layout.places.items()}
    turned = [replace(row, text={**row.text, "date": row.text["time"], "time": ""}) for row in rows]
    return turned, replace(layout, places=places)


def _said(rows: Sequence[Cells], layout: Layout, log: Log) -> str:
    """The unit in a column of units of times."""
    if "time_unit" not in layout:
        return ""
    first: tuple[int, str] = (0, "")
    for row in rows:
        said = row.text["time_unit"]
        if said and not first[1]:
            first = (row.line, said)
        elif said and said.lower() != first[1].lower():
            log.aside(row.line, layout.name("time_unit"), "times in two units", said,
                      f"{first[1]}, as in line {first[0]}", "convert one of them")  # fmt: skip
    return first[1].lower()


def _clock(row: Cells, log: Log, layout: Layout) -> float | None:
    text = row.text["time"]
    if ":" not in text:
        return number_of(text)
    try:
        found = times.with_clock(FIRST, text)
    except times.NotATime as problem:
        log.aside(row.line, layout.name("time"), str(problem), text, "a time such as 10:30", "correct it")
        return None
    return (found - datetime(FIRST.year, FIRST.month, FIRST.day)).total_seconds() / SECONDS_OF_A_DAY * HOURS_OF_A_DAY


def _dated(rows: Sequence[Cells], layout: Layout, columns: Columns, log: Log) -> Moments:
    """Days since each subject's first row, from dates; numbers in TIME may be hours of the day or time since a dose."""
    name = layout.name("date")
    order = columns.date_order or DATES.get(normal(name)) or times.order_of(row.text["date"] for row in rows)
    dates = [_date(row, order, layout, log) for row in rows]
    numbers = [number_of(row.text.get("time", "")) for row in rows]
    counted = [one for one in numbers if one is not None]
    if counted and (unit := _elapsed(rows, dates, numbers)):
        log.note(f"{layout.name('time')} is the time since the start in {'days' if unit == 'd' else 'hours'}, as the "
                 f"dates in {name} show; the dates are not used")  # fmt: skip
        for row, number in zip(rows, numbers):
            if number is None:
                log.aside(row.line, layout.name("time"), "no time", row.text["time"], "a number", "write the time")
        return Moments(tuple(numbers), columns.time.unit or layout.units.get("time", "") or unit)
    if counted and not all(0 <= one < HOURS_OF_A_DAY for one in counted):
        line = next(row.line for row, one in zip(rows, numbers) if one is not None and not 0 <= one < HOURS_OF_A_DAY)
        log.aside(line, layout.name("time"), "a number beside a date: no hour of the day, no time since the start",
                  f"{max(counted):g}", "10:30, or times that go with the dates",
                  f"leave {name} out (ignore), or write times of the clock")  # fmt: skip
    clock = f" and {layout.name('time')}" if "time" in layout else ""
    log.note(f"times are days since each subject's first row, from {name}{clock}; NONMEM counts hours from them")
    started: dict[str, float] = {}
    found: list[float | None] = []
    for row, day in zip(rows, dates):
        at = None if day is None else _moment(row, day, layout, log)
        if at is not None:
            at -= started.setdefault(row.text["id"], at)
        found.append(at)
    _tell_intervals(rows, layout, log)
    return Moments(tuple(found), "d", 1 / HOURS_OF_A_DAY, shown=True)


def _tell_intervals(rows: Sequence[Cells], layout: Layout, log: Log) -> None:
    """Say how times beside dates are read: all programs count hours from dates, and other columns count as times do."""
    used = [layout.name(one) for one in ("ii", "duration", "rate") if any(row.get(one) > 0 for row in rows)]
    if any(row.get("evid") // CODED_INFUSION % 10 for row in rows):
        used.append(f"infusions by their rate in {layout.name('amt')}")
    if used:
        log.note(f"read in hours, as NONMEM, Monolix and nlmixr do beside dates: {', '.join(used)}")


def _date(row: Cells, order: str | None, layout: Layout, log: Log) -> date | datetime | None:
    text = row.text["date"]
    try:
        if order in ("dmy", "mdy", None):
            return times.parse_moment(text, order)
        form = {"ymd": ("%Y-%m-%d", "%Y/%m/%d", "%y-%m-%d", "%y/%m/%d"),
                "ydm": ("%Y-%d-%m", "%Y/%d/%m", "%y-%d-%m", "%y/%d/%m")}[order]  # fmt: skip
        return times.parse_moment(text, None, form)
    except times.NotATime as problem:
        log.aside(row.line, layout.name("date"), str(problem), text, "a date such as 2026-03-05",
                  "write it so, or say date_order in a file NAME.columns.toml beside it")  # fmt: skip
        return None


def _moment(row: Cells, day: date | datetime, layout: Layout, log: Log) -> float | None:
    """Days since a fixed one."""
    text = row.text.get("time", "")
    whole = day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)
    hours = 0.0
    if text and not isinstance(day, datetime):
        if ":" in text:
            try:
                whole = times.with_clock(day, text)
            except times.NotATime as problem:
                log.aside(row.line, layout.name("time"), str(problem), text, "a time such as 10:30", "correct it")
                return None
        else:
            hours = number_of(text) or 0.0
    start = datetime(FIRST.year, FIRST.month, FIRST.day)
    if whole.tzinfo is not None:
        whole = whole.astimezone(UTC)
    return (whole.replace(tzinfo=None) - start).total_seconds() / SECONDS_OF_A_DAY + hours / HOURS_OF_A_DAY


def _elapsed(rows: Sequence[Cells], dates: Sequence[date | datetime | None], numbers: Sequence[float | None]) -> str:
    """The unit in which numbers beside dates count from the start: ``d`` or ``h``; "" where they do not."""
    starts: dict[str, tuple[int, float]] = {}
    pairs: list[tuple[float, float]] = []
    for row, day, number in zip(rows, dates, numbers):
        if day is None or number is None:
            continue
        first, zero = starts.setdefault(row.text["id"], (day.toordinal(), number))
        pairs.append((day.toordinal() - first, number - zero))
    if not any(apart >= FAR for apart, _ in pairs):
        return ""
    for unit, scale in (("d", 1), ("h", HOURS_OF_A_DAY)):
        if all(abs(since / scale - apart) <= 1 for apart, since in pairs):
            return unit
    return ""
