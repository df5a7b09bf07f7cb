"""Data sets of population kinetics (NONMEM, Monolix, nlmixr): whether they are whole, line by line."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from vein2vein.io.record import times
from vein2vein.io.record.record import Log
from vein2vein.io.record.text import find_delimiter, rows

MISSING = (".", "", "na", "nan", "null")
SAME = {
    "subject": "id",
    "usubjid": "id",
    "y": "dv",
    "observation": "dv",
    "ytype": "dvid",
    "obsid": "dvid",
    "cens": "blq",
    "tad": "time",
}
"""Columns that mean the same in the three programs; the name of NONMEM stands for them."""
NUMBERS = ("time", "dv", "amt", "evid", "mdv", "blq", "lloq", "limit", "rate", "ii", "addl", "ss")
RESET, RESET_AND_DOSE = 3, 4  # EVID; from 100 on nlmixr codes a dose and its compartment
CODED = 100
MOST_SUBJECTS = 12  # subjects that a sentence names


@dataclass
class DataSet:
    """What a data set holds.

    Attributes
    ----------
    program : str
        ``NONMEM``, ``Monolix`` or ``nlmixr``.
    subjects, courses, doses, samples, below : int
        A course begins anew with EVID 3 or 4.
    """

    program: str
    subjects: int = 0
    courses: int = 0
    doses: int = 0
    samples: int = 0
    below: int = 0
    notes: list[str] = field(default_factory=list[str])

    def use(self) -> str:
        """What it is good for, in words."""
        courses = f" in {_number(self.courses, 'course')}" if self.courses != self.subjects else ""
        below = f", {self.below} of them below the limit" if self.below else ""
        return (
            f"{self.program} and what reads its data sets: {_number(self.subjects, 'subject')}{courses}, "
            f"{_number(self.doses, 'dose')}, {_number(self.samples, 'sample')}{below}"
        )


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def read_data_set(text: str, log: Log) -> DataSet:
    """Read a data set; what is wrong in it is set aside in the log.

    Parameters
    ----------
    text : str
    log : Log
    """
    lines = text.split("\n")[:200]
    delimiter = find_delimiter([line.rstrip("\r") for line in lines if line.strip()])
    listed = list(rows(text, delimiter, log))
    shown = [cell.strip().strip('"\ufeff') for cell in listed[0][1]]
    header = [name.lower() for name in shown]
    names = [SAME.get(name, name) for name in header]
    found = DataSet(_program(header, listed, names))
    if delimiter != ",":
        said = {"\t": "tabulators", ";": "semicolons"}.get(delimiter, delimiter)
        found.notes.append(f"columns stand apart by {said}; NONMEM wants commas or blanks")
    if "date" in names:
        found.notes.append(
            "dates stand beside times: in $INPUT they need DATE=DROP with a time in hours, or DAT3 for 2026-03-05"
        )
    _read(listed[1:], names, shown, found, log)
    return found


def _program(header: Sequence[str], listed: Sequence[tuple[int, list[str]]], names: Sequence[str]) -> str:
    if {"cens", "ytype", "obsid"} & set(header):
        return "Monolix"
    at = names.index("evid") if "evid" in names else -1
    coded = any(at >= 0 and len(cells) > at and (_value(cells[at]) or 0) >= CODED for _, cells in listed[1:])
    return "nlmixr" if coded else "NONMEM"


def _value(text: str) -> float | None:
    """A number; None where it is missing or none."""
    try:
        return None if text.strip().lower() in MISSING else float(text)
    except ValueError:
        return None


class _Row:
    """A row by the names of its columns."""

    def __init__(self, cells: Sequence[str], names: Sequence[str]) -> None:
        self.text = {name: cell.strip() for name, cell in zip(names, cells)}
        self.number = {name: _value(self.text[name]) for name in NUMBERS if name in self.text}

    def get(self, name: str, empty: float = 0.0) -> float:
        """A number, or what stands for a missing one."""
        value = self.number.get(name)
        return empty if value is None else value

    @property
    def event(self) -> int:
        """EVID; where no column says it, a row with an amount is a dose."""
        if self.number.get("evid") is not None:
            code = int(self.get("evid"))
            return 1 if code >= CODED else code
        return 1 if self.get("amt") else 0


def _read(
    listed: Sequence[tuple[int, list[str]]], names: Sequence[str], header: Sequence[str], found: DataSet, log: Log
) -> None:
    last: dict[str, float] = {}
    order: list[str] = []
    dosed: set[str] = set()
    samples: dict[tuple[str, int, float, str], tuple[int, float]] = {}
    courses: dict[str, int] = defaultdict(lambda: 1)
    shown = dict(zip(names, header))
    for line, cells in listed:
        if cells and cells[0].strip().upper() in ("C", "#"):  # a comment, as IGNORE=C reads it
            continue
        if len(cells) != len(names):
            log.aside(
                line, "", "another number of fields than in the header", len(cells), str(len(names)), "complete it"
            )
            continue
        row = _Row(cells, names)
        if _unreadable(row, line, shown, log):
            continue
        own, at = row.text["id"], _time(row, line, shown, log)
        if at is None:
            continue
        event = row.event
        if own not in last:
            order.append(own)
        elif order[-1] != own:
            log.aside(
                line, shown["id"], "the rows of a subject do not stand together", own, "", "sort by subject and time"
            )
            order.append(own)
        if event in (RESET, RESET_AND_DOSE):
            courses[own] += 1
        elif own in last and at < last[own] and order[-1] == own:
            log.aside(
                line, shown.get("time", "time"), f"time goes back within subject {own}", f"{at:g}",
                f"{last[own]:g} or later", "sort by subject and time, or begin a new course with EVID 4",
            )  # fmt: skip
        last[own] = at
        if event in (1, RESET_AND_DOSE):
            _dose(row, own, line, shown, log)
            dosed.add(own)
            found.doses += 1
        elif event == 0 and not row.get("mdv"):
            _sample(row, own, courses[own], at, line, shown, samples, log)
            found.samples += 1
            found.below += row.get("blq") == 1
    found.subjects = len(last)
    found.courses = sum(courses[own] for own in last)
    without = [own for own in last if own not in dosed]
    if without:
        whole = "no dose in the whole file" if not dosed else "subjects without a dose"
        listed_ids = ", ".join(f"ID {own}" for own in without[:MOST_SUBJECTS])
        log.aside(None, shown.get("amt", "AMT"), whole, listed_ids, "a row with AMT for each subject", "add the dose")


def _unreadable(row: _Row, line: int, shown: Mapping[str, str], log: Log) -> bool:
    for name, value in row.number.items():
        text = row.text[name]
        if value is None and text.lower() not in MISSING and not (name == "time" and ":" in text):
            log.aside(line, shown[name], "not a number", text, "a number or '.'", "correct it")
            return True
        if value is not None and not math.isfinite(value):
            log.aside(line, shown[name], "not a finite number", text, "a number or '.'", "correct it")
            return True
    if row.text["id"].lower() in MISSING:
        log.aside(line, shown["id"], "a row without a subject", "", "a number", "say whose row it is")
        return True
    return False


def _time(row: _Row, line: int, shown: Mapping[str, str], log: Log) -> float | None:
    """Time of a row in its own unit; days where it has a date."""
    text = row.text.get("time", "")
    try:
        if row.text.get("date") and not row.text["date"].isdigit():
            day = times.parse_moment(row.text["date"])
            moment = times.with_clock(day, text) if text and not isinstance(day, datetime) else day
            start = datetime(1900, 1, 1)  # any fixed day: only differences count
            whole = moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day)
            return (whole.replace(tzinfo=None) - start).total_seconds() / (24 * 60 * 60)
        if ":" in text:
            clock = times.with_clock(date(1900, 1, 1), text)
            return clock.hour + clock.minute / 60
    except times.NotATime as problem:
        log.aside(
            line, shown.get("date", "date"), str(problem), row.text.get("date", text), "a date", "write 2026-03-05"
        )
        return None
    if row.number.get("time") is None:
        log.aside(line, shown.get("time", "time"), "no time", text, "a number", "write the time of the row")
        return None
    return row.get("time")


def _dose(row: _Row, own: str, line: int, shown: Mapping[str, str], log: Log) -> None:
    if not row.get("amt") and not row.get("rate"):
        log.aside(line, shown.get("amt", "AMT"), f"a dose of subject {own} without an amount", row.text.get("amt", ""),
                  "a number above 0", "write the amount, or EVID 0 for a sample")  # fmt: skip


def _sample(
    row: _Row,
    own: str,
    course: int,
    at: float,
    line: int,
    shown: Mapping[str, str],
    samples: dict[tuple[str, int, float, str], tuple[int, float]],
    log: Log,
) -> None:
    value = row.number.get("dv")
    if value is None:
        log.aside(line, shown["dv"], f"a sample of subject {own} without a value: NONMEM reads it as 0", row.text["dv"],
                  "a number, or MDV 1", "write MDV 1, or leave the row out")  # fmt: skip
        return
    limit = row.number.get("lloq")
    if row.get("blq") == 1 and limit is not None and value > limit:
        log.aside(line, shown["dv"], f"subject {own}: said to be below the limit, and above it", f"{value:g}",
                  f"at most {limit:g}", "correct BLQ, DV or LLOQ")  # fmt: skip
    if row.get("amt"):
        log.aside(line, shown["amt"], f"a sample of subject {own} with an amount", row.text["amt"], "0 or '.'",
                  "write EVID 1 for a dose")  # fmt: skip
    kind = row.text.get("dvid") or row.text.get("cmt", "")
    key = (own, course, at, kind)
    if key in samples and samples[key][1] != value:
        log.aside(line, shown["dv"], f"two values of one kind at one time of ID {own}", f"{value:g}",
                  f"one value (the other, {samples[key][1]:g}, is in line {samples[key][0]})",
                  "leave one out, or give each its time")  # fmt: skip
    samples.setdefault(key, (line, value))
