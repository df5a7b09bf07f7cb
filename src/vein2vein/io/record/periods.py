"""Periods of supports and infusions -> steps: a value at each change, that goes on until the next one.

Bags of one drug overlap, lie in each other or follow at once: at every moment the highest known rate of those that run
holds, and 0 is entered only where none runs any more. A rate charted within a period holds from then on.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import NamedTuple

from vein2vein.cards import Card, parse_card
from vein2vein.io.record import times
from vein2vein.io.record.cells import Cell, Cells
from vein2vein.io.record.record import Entry

MINUTES = 24 * 60  # of a day
DIGITS = 6  # of a day, as times are kept


class Period(NamedTuple):
    """A support from a day to another; ``end`` None: it still runs.

    ``value`` is the known rate, None where it is charted and not understood; ``above``: the rate is at least it.
    """

    start: float
    end: float | None
    value: float | None
    above: bool
    row: tuple[float, bool, str, int, str]


class Step(NamedTuple):
    """What holds from a day on; ``row`` is None at an end."""

    day: float
    value: float | None
    above: bool
    lasting: bool
    row: tuple[float, bool, str, int, str] | None


@cache
def _card() -> Card:
    text = resources.files("vein2vein.io.record").joinpath("periods.toml").read_text(encoding="utf-8")
    return parse_card(text, "periods.toml")


@cache
def supports() -> dict[str, float]:
    """Analytes that have periods, with the value that their end leaves."""
    return {name: _card().number("ended", name) for name in _card().table("ended")}


def is_period(entry: Entry) -> bool:
    """Whether an entry is a period of a support, and no single value or dose."""
    return entry.name in supports() and (entry.until is not None or entry.running)


def enter(work: Cells, entries: Iterable[Entry]) -> None:
    """Take entries into cells: values and doses at their moment, periods of supports as steps.

    Parameters
    ----------
    work : Cells
        Filled with values; ``lasting`` marks those that go on until the next value of their analyte.
    entries : iterable of Entry
        All entries of the patients, in any order.
    """
    waiting: list[Entry] = []
    for entry in entries:
        if is_period(entry):
            waiting.append(entry)
        else:
            work.take(entry)
    found: dict[tuple[int, str], list[Period]] = defaultdict(list)
    for entry in waiting:
        period = _period(work, entry)
        if period is not None:
            found[work.numbers[entry.patient], entry.name].append(period)
    if found:
        _resolve(work, found)


def _period(work: Cells, entry: Entry) -> Period | None:
    """An entry as a period; its value is read as any other, and one that has no length is entered as a value."""
    alone = copy.copy(work)
    alone.cells, alone.spoiled = {}, {}
    alone.unread, alone.above, alone.lasting = set(), set(), set()
    alone.take(entry)
    cell = next(iter((*alone.cells, *alone.unread)), None)
    if cell is None:
        return None
    end = None
    if entry.until is not None:
        end = _day(work, entry)
        if end is None or end <= cell[1]:
            if end is not None and end < cell[1]:
                work.log.aside(
                    entry.line, entry.column, "it ends before it begins", f"day {end:g}", f"day {cell[1]:g} or later",
                    "correct the end", analyte=entry.name, patient=cell[0],
                )  # fmt: skip
            work.take(entry)
            return None
    row = alone.cells.get(cell)
    if row is None:
        row = (float("nan"), False, f"{work.name}:{entry.line}", entry.line, entry.column)
        return Period(cell[1], end, None, False, row)
    return Period(cell[1], end, float(row[0]), cell in alone.above, row)


def _day(work: Cells, entry: Entry) -> float | None:
    """Day of the end of an entry; None, and set aside, where it cannot be told."""
    try:
        if entry.until is None:
            return None
        return times.days_since(entry.until, work.zeros.get(entry.patient, 0.0), work.mapping.zone) + 0.0
    except (times.NotATime, OverflowError) as problem:
        work.log.aside(entry.line, "until", str(problem), "", "an end as the start is given", "correct the end",
                       analyte=entry.name, patient=work.numbers[entry.patient])  # fmt: skip
        return None


def _resolve(work: Cells, found: dict[tuple[int, str], list[Period]]) -> None:
    """Enter the steps of the periods of each patient and analyte among the single values charted beside them."""
    points: dict[tuple[int, str], list[Step]] = defaultdict(list)
    for number, day, name in {*work.cells, *work.unread}:
        if (number, name) in found:
            cell = (number, day, name)
            row = work.cells.get(cell)
            value = None if row is None else float(row[0])
            points[number, name].append(Step(day, value, cell in work.above, False, row))
    for (number, name), periods in found.items():
        for step in steps(name, periods, points[number, name]):
            cell = (number, step.day, name)
            if cell in work.spoiled:
                continue
            _enter(work, cell, step)


def _enter(work: Cells, cell: Cell, step: Step) -> None:
    if step.value is None:
        work.cells.pop(cell, None)
        work.above.discard(cell)
        work.unread.add(cell)
    else:
        work.unread.discard(cell)
        if step.row is not None:
            work.cells[cell] = (step.value, *step.row[1:])
        if step.above:
            work.above.add(cell)
        else:
            work.above.discard(cell)
    if step.lasting:
        work.lasting.add(cell)


def steps(name: str, periods: list[Period], points: list[Step]) -> list[Step]:
    """The changes of one support of one patient.

    Parameters
    ----------
    name : str
        Analyte.
    periods : list of Period
    points : list of Step
        Single values of the analyte; one within a period holds from its day until the next change.

    Returns
    -------
    list of Step
        By day; points outside of every period are left as they are, and not among them.
    """
    gap = _card().number("gap", "minutes") / MINUTES
    closed = _joined(periods, gap)
    single = {point.day: point for point in points}
    days = sorted({*(p.start for p in periods), *(p.end for p in closed if p.end is not None), *single})
    out: list[Step] = []
    before: Step | None = None
    for day in days:
        running = [p for p in closed if p.start <= day and (p.end is None or day < p.end)]
        point = single.get(day)
        if point is not None:
            begins = [p for p in running if p.start == day]
            if point.value is None and running and not begins:
                continue  # not understood at that time; what runs goes on
            deeper = [p for p in running if p in begins or _goes_on(name, p, point)]
            step = _highest(day, [_as_step(p, day) for p in deeper] + [point]) if deeper else point
            if running:
                out.append(step._replace(lasting=True))
            before = step if running else None
        elif running:
            step = _highest(day, [_as_step(p, day) for p in running])
            changed = before is None or (step.value, step.above) != (before.value, before.above)
            if changed:
                out.append(step)
            before = step
        else:
            last = max((p for p in closed if p.end == day), key=lambda p: p.start)
            out.append(_end(name, day, last, before))
            before = None
    return out


def _goes_on(name: str, period: Period, point: Step) -> bool:
    """Whether a support that runs is a ventilator and what is charted within its period a lesser device."""
    limit = _card().table("unknown_after").get(name)
    return limit is not None and (period.value or 0.0) >= float(limit) and (point.value or 0.0) < (period.value or 0.0)


def _joined(periods: list[Period], gap: float) -> list[Period]:
    """Periods whose end is closer to the next start than a change of bags takes end with that start."""
    starts = sorted(p.start for p in periods)
    out: list[Period] = []
    for p in periods:
        following = [s for s in starts if p.end is not None and p.end < s <= round(p.end + gap, DIGITS)]
        out.append(p._replace(end=following[0]) if following and not _covered(p, periods) else p)
    return out


def _covered(period: Period, periods: list[Period]) -> bool:
    """Whether another period runs beyond the end of this one."""
    end = period.end
    return end is not None and any(p.start <= end and (p.end is None or p.end > end) for p in periods)


def _as_step(period: Period, day: float) -> Step:
    return Step(day, period.value, period.above, True, period.row)


def _highest(day: float, running: list[Step]) -> Step:
    """What holds of several that run: the highest known rate, which is a lower bound where another is not known."""
    known = [one for one in running if one.value is not None]
    if not known:
        return running[0]._replace(day=day)
    best = max(known, key=lambda one: (one.value or 0.0, one.above))
    unsure = best.above or len(known) < len(running) or any(one.above for one in known)
    return best._replace(day=day, above=unsure)


def _end(name: str, day: float, last: Period, before: Step | None) -> Step:
    """The end of the last period that ran; of some supports it does not say what follows."""
    limit = _card().table("unknown_after").get(name)
    value = before.value if before is not None else last.value
    left = supports()[name]
    row = (left, False, *last.row[2:])
    if limit is not None and (value is None or value >= float(limit)):
        return Step(day, None, False, False, row)
    return Step(day, left, False, False, row)
