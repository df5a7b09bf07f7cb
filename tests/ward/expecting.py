"""What a case expects, and whether the program says it: one small language for all tables of cases.

``3`` is the settled grade 3; ``ng`` is not gradable (also "at least 2"); ``>=2`` is certain at least, settled or not;
``flag:x`` is a flag that says x; ``told:x`` is an output that says x anywhere; ``no flag:x`` is none; ``|`` is "or";
``&quiet`` at the end says that the loud line is empty.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner
from looking import loud

from vein2vein.cli import main
from vein2vein.ward.monitor import WardRound
from vein2vein.ward.states import Standing


@dataclass(frozen=True, repr=False)
class Told:
    """What ``vein2vein monitor --json`` printed: exit code, every event, and the text of it all."""

    code: int
    events: tuple[dict, ...]
    text: str
    loud: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Short: a failing test shows the state, not the whole output."""
        return f"Told(code={self.code}, {len(self.events)} events)"

    def of(self, event: str) -> list[dict]:
        return [one for one in self.events if one["event"] == event]

    def now(self, finding: str, patient: object = None) -> dict | None:
        """A finding as it stands now."""
        return next((one for one in self.of("finding") if one["finding"] == finding and _is(one, patient)), None)

    def worst(self, finding: str, day: int | None = None) -> dict | None:
        """A finding over one day, or over the worst day of the record."""
        days = [one for one in self.of("day") if day is None or one["number"] == day]
        found = [state for one in days for state in one["findings"] if state["finding"] == finding]
        return max(found, key=lambda state: (state["at_least"], state["grade"] is not None), default=None)


def _is(one: dict, patient: object) -> bool:
    return patient is None or str(patient) in (str(one["patient"]), str(one.get("id", "")))


def monitored(record: Path, out: Path, *more: object) -> Told:
    """Run the command on a file, as acceptance does."""
    with CliRunner().isolation() as (stdout, stderr, _):
        code = main.main([str(a) for a in ("monitor", record, "--json", "--out", out, *more)])
        said, complained = stdout.getvalue().decode(), stderr.getvalue().decode()
    events = tuple(json.loads(line) for line in said.splitlines() if line.startswith("{"))
    return Told(code, events, said + complained)


def holds(expected: str, state: dict | None, told: Told) -> bool:
    """Whether one of the alternatives is true; a word alone is a further alternative of ``flag:`` or ``told:``."""
    if expected.endswith("&quiet"):
        return not told.loud and holds(expected.removesuffix("&quiet"), state, told)
    kind = ""
    for part in (one.strip() for one in expected.split("|")):
        if found := re.match(r"(no )?(flag|told):", part):
            kind = found.group()
        elif not re.fullmatch(r"ng|\d|>=\d", part):
            part = kind + part
        if _one(part, state, told):
            return True
    return False


def _one(part: str, state: dict | None, told: Told) -> bool:
    if part == "ng":
        return state is None or state["grade"] is None
    if re.fullmatch(r"\d", part):
        return state is not None and state["grade"] == int(part)
    if part.startswith(">="):
        return state is not None and state["at_least"] >= int(part[2:])
    if part.startswith("no "):
        return not _one(part.removeprefix("no "), state, told)
    what, _, words = part.partition(":")
    if what == "flag":
        flags = " ".join(flag for one in (*told.of("finding"), *_states(told)) for flag in one["flags"])
        return words.lower() in flags.lower()
    if what == "told":
        return words.lower() in told.text.lower()
    raise ValueError(f"expected value {part!r}")


def _states(told: Told) -> list[dict]:
    return [state for day in told.of("day") for state in day["findings"]]


def seen(watch: WardRound) -> Told:
    """The same of a record that was read in Python."""
    states = [*watch.now, *watch.hematotoxicity]
    days = [{"event": "day", "number": d.day, "findings": [_state(s) for s in d.states.values()]} for d in watch.days]
    said = [*loud(watch), *watch.notes, *(str(one) for one in watch.set_aside), *(f for s in states for f in s.flags)]
    now = [{"event": "finding", "patient": watch.patient, **_state(s)} for s in states]
    return Told(0, (*now, *days), "\n".join(said), loud(watch))


def _state(state: Standing) -> dict:
    return {
        "finding": state.name, "grade": state.grade if state.grade >= 0 else None, "at_least": state.at_least,
        "state": str(state), "flags": state.flags, "missing": state.missing,
    }  # fmt: skip


def shown(state: dict | None) -> str:
    """A state in a few words, for a failing test."""
    if state is None:
        return "no such finding"
    flags, missing = (", ".join(state[part]) or "none" for part in ("flags", "missing"))
    return f"{state['state']} (flags: {flags}; missing: {missing})"
