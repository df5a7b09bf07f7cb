"""Dose rows of a data set: AMT, RATE, ADDL, II, SS and compartment, with what is wrong in them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from vein2vein.io.record.record import Log
from vein2vein.io.study.columns import Columns, Layout
from vein2vein.io.study.events import Event
from vein2vein.io.study.study import MODELLED_DURATION, MODELLED_RATE, Doses
from vein2vein.io.study.table import Cells

_CODE = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]\d{1,2})?|[+-]?\d+\.\d*[eE]\d{1,2}")
_UNEQUAL = 0.01  # of a duration: rates and durations are rounded in files


@dataclass
class DoseRow:
    """One dose row while a file is read; fields as in ``Doses``."""

    course: int
    time: float
    amount: float
    rate: float
    duration: float
    target: str
    interval: float
    additional: int
    steady: int
    line: int


@dataclass
class DoseReader:
    """The doses of a file, row by row; an infusion of nlmixr's codes is open until the row that ends it."""

    layout: Layout
    columns: Columns
    log: Log
    found: list[DoseRow] = field(default_factory=list[DoseRow])
    beside: float = 1.0
    """How long a unit of time in these columns is, in the unit of the times of rows."""
    open: dict[tuple[int, str], tuple[DoseRow, float]] = field(
        default_factory=dict[tuple[int, str], tuple[DoseRow, float]]
    )
    fillers: dict[str, int] = field(default_factory=dict[str, int])

    def read(self, row: Cells, event: Event, course: int, time: float) -> None:
        """Read one dose row."""
        target = event.target or number_text(row.text.get("adm", "") or row.text.get("cmt", ""))
        if event.switch:
            self._switch(row, course, time, target, event.switch)
            return
        steady = event.steady or self._steady(row)
        rate, lasts = row.get("rate"), row.get("duration") * self.beside
        one = DoseRow(course, time, row.get("amt"), rate / self.beside if rate > 0 else rate, math.nan, target,
                      row.get("ii") * self.beside, round(row.get("addl")), steady, row.line)  # fmt: skip
        if lasts > 0 and not one.rate:
            one.duration, one.rate = lasts, one.amount / lasts
        elif row.get("duration") > 0 and one.rate and not self._agree(row, one):
            return
        if self._whole(row, one):
            self.found.append(one)

    def _agree(self, row: Cells, one: DoseRow) -> bool:
        """Whether a rate and a duration in one row say the same."""
        rate = row.get("rate")
        lasts = one.amount / rate if rate > 0 else math.nan
        if math.isclose(lasts, row.get("duration"), rel_tol=_UNEQUAL):
            return True
        named, duration = self.layout.name("rate"), self.layout.name("duration")
        means = f"a duration of {lasts:g}" if rate > 0 else "a parameter of the model"
        self.log.aside(row.line, duration, f"a dose of subject {row.text['id']} with a rate and another duration",
                       f"{row.get('duration'):g}", f"{means}, as {named} {rate:g} says",
                       "correct one, or leave one of the two empty")  # fmt: skip
        return False

    def _whole(self, row: Cells, one: DoseRow) -> bool:
        own, layout = row.text["id"], self.layout
        constant = one.steady and one.rate > 0 and not one.interval
        modelled = one.rate in (MODELLED_RATE, MODELLED_DURATION)
        wrong: list[tuple[str, str, str, str]] = []
        if one.amount < 0:
            wrong.append(("amt", f"a negative dose of subject {own}", "a number above 0", "correct the sign"))
        elif not one.amount and "amt" not in layout:
            wrong.append(("amt", f"a dose of subject {own}, and no column holds amounts", "a column AMT or AMOUNT",
                          'name it: amt = "..." in NAME.columns.toml beside the file'))  # fmt: skip
        elif not one.amount and not constant:
            wrong.append(("amt", f"a dose of subject {own} without an amount", "a number above 0",
                          "write the amount, or EVID 0 for a sample"))  # fmt: skip
        if one.rate < 0 and not modelled:
            wrong.append(("rate", f"a negative rate of subject {own}", "0, a rate above 0, -1 or -2", "correct it"))
        if row.get("addl") != one.additional or one.additional < 0:
            wrong.append(("addl", f"further doses of subject {own} that cannot be counted",
                          "a whole number, 0 or more", "correct it"))  # fmt: skip
        if (one.additional > 0 or (one.steady and not constant)) and one.interval <= 0:
            why = "further doses" if one.additional > 0 else "a steady state"
            wrong.append(("ii", f"{why} of subject {own} without an interval", "a time above 0",
                          "write II, or ADDL 0 and SS 0"))  # fmt: skip
        if row.get("duration") < 0:
            wrong.append(("duration", f"a negative duration of an infusion of subject {own}", "a time above 0",
                          "correct it"))  # fmt: skip
        for role, what, expected, remedy in wrong:
            self.log.aside(row.line, layout.name(role), what, row.text.get(role, ""), expected, remedy)
        if modelled and not wrong:
            said = "rate" if one.rate == MODELLED_RATE else "duration"
            self.log.note(
                f"{layout.name('rate')} {one.rate:g}: the {said} of these infusions is a parameter of the model"
            )
        return not wrong

    def _steady(self, row: Cells) -> int:
        """SS of a dose row: only 1 and 2 count."""
        said = row.get("ss")
        if said in (0, 1, 2):
            return int(said)
        if not row.get("ii"):  # some files fill the column: 99 with II 0 in nlmixr's Oral_1CPT
            self.fillers.setdefault(f"{said:g}", row.line)
            return 0
        self.log.aside(row.line, self.layout.name("ss"), f"a steady state of subject {row.text['id']} of no known kind",
                       f"{said:g}", "0, 1 (replaces what was there) or 2 (is added)", "correct it")  # fmt: skip
        return 0

    def _switch(self, row: Cells, course: int, time: float, target: str, switch: int) -> None:
        """An infusion of nlmixr's codes begins or ends; its amount is the rate times the time between."""
        rate, key, amt = row.get("amt"), (course, target), self.layout.name("amt")
        if switch > 0:
            if key in self.open:
                self.log.aside(row.line, amt, "an infusion begins before the last one into this compartment has ended",
                               f"{rate:g}", f"the end of the one of line {self.open[key][0].line}",
                               "write its end: the same EVID with the negative rate")  # fmt: skip
                return
            one = DoseRow(course, time, math.nan, rate / self.beside, math.nan, target, 0.0, 0, 0, row.line)
            self.open[key] = (one, rate)
            return
        began = self.open.pop(key, None)
        if began is None or not math.isclose(began[1], -rate) or time <= began[0].time:
            self.log.aside(row.line, amt, f"the end of an infusion of subject {row.text['id']} that did not begin",
                           f"{rate:g}", "the rate of an earlier row with the same EVID, negative",
                           "write its beginning, or correct the rate or the sign")  # fmt: skip
            return
        began[0].duration = time - began[0].time
        began[0].amount = began[0].rate * began[0].duration
        self.found.append(began[0])

    def finish(self) -> None:
        """Say which infusions never end, which flags were fillers, and what is named and not there."""
        self._unmet()
        for one, rate in self.open.values():
            self.log.aside(one.line, self.layout.name("amt"), "an infusion that begins and does not end", f"{rate:g}",
                           "a later row with the same EVID and the negative rate", "write its end")  # fmt: skip
        for said, line in self.fillers.items():
            self.log.note(
                f"{self.layout.name('ss')} {said} without an interval is taken as a filler, not as a steady state "
                f"(first in line {line}): only 1 and 2 count"
            )

    def _unmet(self) -> None:
        """Names for doses that no row has."""
        there = dict.fromkeys(one.target for one in self.found)
        bare = self._names().get("")
        for name, one in self.columns.dose.items():
            if there and number_text(str(one.cmt)) not in there and bare != name:
                self.log.aside(None, self.layout.name("adm" if "adm" in self.layout else "cmt"), f"no dose of {name}",
                               str(one.cmt), f"one of {', '.join(code or 'none' for code in list(there)[:6])}",
                               f"correct the code of dose.{name}")  # fmt: skip

    def doses(self, places: Mapping[int, int]) -> Doses:
        """The doses, sorted; ``places``: the course in the study of each course here."""
        listed = sorted((one for one in self.found if one.course in places), key=lambda o: (o.course, o.time))
        named = self._names()
        return Doses(
            course=np.array([places[one.course] for one in listed], dtype=np.int64),
            time=_floats([one.time for one in listed]),
            amount=_floats([one.amount for one in listed]),
            rate=_floats([one.rate for one in listed]),
            duration=_floats([one.duration for one in listed]),
            target=np.array([named[one.target] for one in listed], dtype=np.str_),
            interval=_floats([one.interval for one in listed]),
            additional=np.array([one.additional for one in listed], dtype=np.int64),
            steady=np.array([one.steady for one in listed], dtype=np.int8),
            line=np.array([one.line for one in listed], dtype=np.int64),
        )

    def _names(self) -> dict[str, str]:
        """By what rows say of where a dose goes, the name of the dose."""
        targets = {one.target for one in self.found}
        called = {number_text(str(one.cmt)): name for name, one in reversed(list(self.columns.dose.items()))}
        bare = next(iter(self.columns.dose)) if targets == {""} and len(self.columns.dose) == 1 else ""
        return {target: called.get(target, target or bare) for target in targets}


def _floats(values: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)


def number_text(text: str) -> str:
    """A code as text: 1, 01 and 1.0 are one."""
    if not _CODE.fullmatch(text):  # such as 1_01, which Python takes for 101, or the name 1E1
        return text
    value = Decimal(text)
    return str(int(value)) if value == value.to_integral_value() else text
