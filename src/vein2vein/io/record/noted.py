"""What notes name of supports, drugs and signs: unknown at their time, where no value of the analyte says more."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from vein2vein.analytes import all_analytes
from vein2vein.clinic.criteria import edition
from vein2vein.io.record.derived import Cell, Value, is_normal
from vein2vein.io.record.record import Entry, Log, Moment
from vein2vein.io.record.remarks import DEVICE, remarks

SHOWN = 120  # characters of a note that are kept


class Noted(NamedTuple):
    """An analyte that a note names: the file's log, the entry, the patient's number, the day."""

    log: Log
    entry: Entry
    number: int
    day: float


def noted_entries(
    text: str, patient: str, when: Moment | None, line: int, column: str, log: Log, own: Iterable[str] = ()
) -> list[Entry]:
    """Entries for what a free text names; what it only plans is told in a note of the log.

    Parameters
    ----------
    text : str
    patient : str
    when : Moment or None
        None: its time cannot be read.
    line : int
    column : str
    log : Log
    own : iterable of str
        Analytes that the row charts itself.
    """
    found, charted = remarks(text), set(own)
    if planned := [all_analytes()[name].title for name in found.planned if name not in charted]:
        log.note(
            f"line {line}: a note speaks of {', '.join(planned)} as a plan or of the past; it was not read as given"
        )
    return [
        Entry(patient, when, name, text[:SHOWN], "", line, column, unread=True, besides=True, noted=True)
        for name in found.open
        if name not in charted
    ]


def settle_noted(
    noted: Iterable[Noted], cells: Mapping[Cell, Value], above: set[Cell], unread: set[Cell], masked: set[Cell]
) -> None:
    """Mark what notes name as unknown, unless a value charted with the note, or of its shift, says as much.

    A normal value beside a note settles nothing: both are shown, and the analyte is unknown at that time.
    """
    waiting = list(noted)
    names = {one.entry.name for one in waiting}
    charted: dict[tuple[int, str], list[float]] = defaultdict(list)
    for number, day, name in cells:
        if name in names:
            charted[number, name].append(day)
    for days in charted.values():
        days.sort()
    shift = edition("held_signs").values["pump_raises"]
    for log, entry, number, day in waiting:
        days = charted[number, entry.name]
        at = bisect_right(days, day) - 1
        cell = (number, days[at], entry.name) if at >= 0 and day - days[at] <= shift else None
        if cell is not None and _says_as_much(entry, cells[cell][0], cell in above):
            continue
        title = all_analytes()[entry.name].title
        log.aside(
            entry.line, entry.column, f"a note names {title}, and a note is not read as a value: unknown at that time",
            entry.value, "a row or column of its own", "chart it under its own name, also where it is none",
            entry.name, number, day,
        )  # fmt: skip
        unread.add((number, day, entry.name))
        masked.add((number, day, entry.name))


def _says_as_much(entry: Entry, value: float, above: bool) -> bool:
    if entry.name == DEVICE:
        return value >= remarks(str(entry.value)).device
    return above or not is_normal(entry.name, value)
