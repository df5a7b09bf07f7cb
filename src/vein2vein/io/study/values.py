"""Observed values of a data set: measured, or censored by CENS and LIMIT, by BLQ and LLOQ, or by a text such as <50."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from vein2vein.io.record.record import Log
from vein2vein.io.study.columns import Layout
from vein2vein.io.study.study import BELOW, MEASURED, counted
from vein2vein.io.study.table import Cells

ENDLESS = 1e30  # a LIMIT of this size or more is none, for programs that read no empty cell


class Value(NamedTuple):
    """A value: for ``censored`` 1 the truth lies between ``limit`` (NaN: no end) and it, for -1 beyond it."""

    value: float
    censored: int = MEASURED
    limit: float = math.nan


@dataclass
class ValueReader:
    """The values of a file, row by row; what many rows share is told at the end."""

    layout: Layout
    log: Log
    unmarked: int = 0
    first: int = 0
    raised: int = 0
    unsaid: int = 0
    ends: int = 0

    def read(self, row: Cells) -> Value | None:
        """The value of an observation; None where it contradicts itself (set aside)."""
        flag = self._flag(row)
        if flag is None:
            return None
        self.ends += "limit" in row.number
        if flag == MEASURED:
            value, lloq = row.number["dv"], row.get("lloq", -math.inf)
            if value < lloq and not {"cens", "blq"} & self.layout.places.keys():
                self.unsaid += 1  # no column could say so
                return Value(lloq, BELOW)
            if value < lloq:
                self.unmarked += 1
                self.first = self.first or row.line
            return Value(value)
        found = self._below(row) if flag == BELOW else self._above(row)
        if found is None:
            return None
        limit = row.get("limit", math.nan)
        if math.isnan(limit) or abs(limit) >= ENDLESS:
            return Value(found, flag)
        if (limit >= found) if flag == BELOW else (limit <= found):
            side = "below" if flag == BELOW else "above"
            self.log.aside(row.line, self.layout.name("limit"), f"the other end of a value that lies {side} a limit",
                           f"{limit:g}", f"a number {side} {found:g}", "correct LIMIT, or leave it empty")  # fmt: skip
            return None
        return Value(found, flag, limit)

    def _flag(self, row: Cells) -> int | None:
        """Whether a value is measured, below or above; None where the columns do not agree."""
        said: dict[str, int] = {}
        for role, allowed in (("cens", (-1, 0, 1)), ("blq", (0, 1))):
            if role not in row.number:
                continue
            if row.number[role] not in allowed:
                self._aside(row, role, "a mark of censoring that no program has", row.text[role],
                            " or ".join(map(str, allowed)), "1 is below the limit, -1 (of CENS) above it")  # fmt: skip
                return None
            said[role] = int(row.number[role])
        if row.bound:
            said["dv"] = -row.bound
        if len(set(said.values())) > 1 and (said.keys() == {"cens", "blq"} or MEASURED not in said.values()):
            role = next(iter(said))
            self._aside(row, role, "marks of censoring that do not agree",
                        ", ".join(f"{self.layout.name(one)} {row.text[one]}" for one in said), "one of them",
                        "correct one, or leave one column out")  # fmt: skip
            return None
        return next((one for one in said.values() if one != MEASURED), MEASURED)

    def _below(self, row: Cells) -> float | None:
        """The limit below which a value lies: LLOQ where the row has one, else the value that stands there."""
        value, lloq = row.number.get("dv"), row.number.get("lloq")
        if value is not None and lloq is not None and value > lloq:
            self._aside(row, "dv", f"subject {row.text['id']}: said to be below the limit, and above it", f"{value:g}",
                        f"at most {lloq:g}", "correct the mark, the value or the limit")  # fmt: skip
            return None
        limit = value if lloq is None or (value is not None and row.bound) else lloq
        if not limit:
            self._aside(row, "dv", f"subject {row.text['id']}: below a limit that is not known", row.text["dv"],
                        "the limit as the value, or in LLOQ", "write the limit of quantification")  # fmt: skip
            return None
        self.raised += value is not None and value < limit
        return limit

    def _above(self, row: Cells) -> float | None:
        if "dv" not in row.number:
            self._aside(row, "dv", f"subject {row.text['id']}: above a limit that is not known", row.text["dv"],
                        "the limit as the value", "write the upper limit of quantification")  # fmt: skip
            return None
        return row.number["dv"]

    def _aside(self, row: Cells, role: str, what: str, found: str, expected: str, remedy: str) -> None:
        self.log.aside(row.line, self.layout.name(role), what, found, expected, remedy)

    def finish(self) -> None:
        """Tell what many rows share."""
        if self.unmarked:
            self.log.note(
                f"{counted(self.unmarked, 'value')} below {self.layout.name('lloq')} and not marked as such (first in "
                f"line {self.first}): taken as measured"
            )
        if self.unsaid:
            self.log.note(
                f"{counted(self.unsaid, 'value')} below {self.layout.name('lloq')}, and no column of marks "
                "(CENS, BLQ): read as below the limit"
            )
        if self.ends and not {"cens", "blq"} & self.layout.places.keys():
            self.log.note(f"{self.layout.name('limit')} is not used: no column (CENS, BLQ) says which values it is of")
        if self.raised:
            self.log.note(
                f"{counted(self.raised, 'value')} marked as below the limit, with another number than "
                f"{self.layout.name('lloq')}: that is taken as the limit"
            )
