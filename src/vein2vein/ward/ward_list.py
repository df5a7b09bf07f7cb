"""The list of a ward: one line for each patient, the worst of today first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vein2vein.clinic.words import finding_words
from vein2vein.ward.monitor import WardRound
from vein2vein.ward.states import Standing, day_text, moment_text, name_of

ACUTE = ("icans", "cres", "neurologic_event", "iec_hs")  # with every scale of CRS: what a patient may die of today
COUNTS_AS = 3  # a sign that was charted and not understood stands in the list where this grade does: it may be one
RECENT = 2.0  # days for which the last settled grade of a syndrome that is not gradable today keeps its place
SHOWN = 3  # things that are due which a line names


@dataclass(frozen=True)
class WardLine:
    """One patient in the list.

    Attributes
    ----------
    patient, label : int, str
        Number and own id.
    today : float
    acute, other : tuple of Standing
        Syndromes, and everything else that is graded.
    grade : int
        The highest grade of a syndrome today, or what is known of it at least.
    unread : tuple of str
        What was charted in the last day, or at no known time, and not understood.
    unknown : tuple of str
        Syndromes that are not gradable today.
    trend : int
        1 worse than a day earlier, -1 better, 0 the same or not known.
    since : str
        In words.
    due : tuple of str
        What is overdue, then what comes next; ``overdue`` of them are overdue.
    overdue : int
    infusions : tuple of float
        Days of the infusions.
    moment : str
        Date and clock of the last reading; "" where dates are not known.
    rank : int
        The grade by which the list is ordered: that of today, and of a syndrome that is not gradable today the last
        settled one of the last two days at least.
    """

    patient: int
    label: str
    today: float
    acute: tuple[Standing, ...]
    other: tuple[Standing, ...]
    grade: int
    unread: tuple[str, ...]
    unknown: tuple[str, ...]
    trend: int
    since: str
    due: tuple[str, ...]
    overdue: int
    infusions: tuple[float, ...] = ()
    moment: str = ""
    rank: int = -1

    @property
    def name(self) -> str:
        """What the patient is called: the own id, else the number."""
        return self.label or str(self.patient)

    @property
    def day(self) -> str:
        """The day, and that after each further infusion."""
        return days_since_infusions(self.today, self.infusions)

    @property
    def last_reading(self) -> str:
        """The day of the last reading, with date and clock where they are known."""
        return f"day {self.day} ({self.moment})" if self.moment else f"day {self.day}"


def days_since_infusions(today: float, infusions: Sequence[float]) -> str:
    """Today's day, and that after each further infusion."""
    later = [
        f"day {day_text(today - one)} after the {nth(number)} infusion" for number, one in enumerate(infusions[1:], 2)
    ]
    return ", ".join([day_text(today), *later])


def nth(number: int) -> str:
    """Which of several."""
    return {2: "second", 3: "third", 4: "fourth"}.get(number, f"{number}th")


def known(state: Standing) -> int:
    """The grade, or what is known of it at least; -1 where nothing is."""
    return max(state.grade, state.at_least if state.at_least > 0 else -1)


def _rank(state: Standing, today: float) -> int:
    """What is known of a syndrome today; where that is no grade, its last settled one of the last days at least."""
    aged = state.grade < 0 and today - state.last_day <= RECENT
    return max(known(state), state.last_grade if aged else -1)


def is_acute(name: str) -> bool:
    """Whether a finding is a syndrome by which the list is ordered."""
    return name.startswith("crs_") or name in ACUTE


def line_of(watch: WardRound) -> WardLine:
    """The line of one patient."""
    acute = tuple(state for state in watch.now if is_acute(state.name))
    earlier = {state.name: state for state in watch.before}
    worse = [(known(s) - known(earlier[s.name]), s) for s in acute if s.name in earlier]
    up = [s for change, s in worse if change > 0 and known(s) > 0]
    down = [s for change, s in worse if change < 0 and s.grade >= 0]
    trend = 1 if up else -1 if down else 0
    moved = up or down
    since = ", ".join(f"{finding_words(s.name).short} {mark(earlier[s.name])} to {mark(s)}" for s in moved)
    overdue = [one for one in watch.due if one.overdue]
    coming = [one for one in watch.due if not one.overdue and one.when >= watch.today]
    coming.sort(key=lambda one: one.when)
    due = [f"overdue: {one.what}" for one in overdue]
    due += [f"day {day_text(one.when)}: {one.what}" for one in coming]
    return WardLine(
        watch.patient, watch.label, watch.today, acute,
        tuple(state for state in (*watch.now, *watch.hematotoxicity) if not is_acute(state.name)),
        max((known(state) for state in acute), default=-1), unread_of(watch),
        tuple(state.title for state in acute if state.grade < 0), trend, since, tuple(due), len(overdue),
        watch.infusions, moment_text(watch.today, watch.infused),
        max((_rank(state, watch.today) for state in acute), default=-1),
    )  # fmt: skip


def unread_of(watch: WardRound) -> tuple[str, ...]:
    """What was charted in the last day, or at no known time, and could not be understood."""
    course = watch.course
    recent = course.days > watch.today - 1
    timed = {name for name, cells in course.unread.items() if cells[0, recent].any()}
    placed = {name for name, cells in course.unread.items() if cells.any()}
    untimed = {
        one.analyte for one in watch.set_aside
        if one.analyte and one.patient == watch.patient and one.analyte not in placed
    }  # fmt: skip
    return tuple(sorted(name_of(name) for name in timed | untimed))


def in_order(lines: list[WardLine]) -> list[WardLine]:
    """The worst of today first; a sign that was not understood stands as high as grade 3.

    A syndrome that is not gradable today stands at least where its last settled grade of the last two days does.
    """

    def order(line: WardLine) -> tuple[float, ...]:
        other = max((known(state) for state in line.other), default=-1)
        rank = max(line.rank, line.grade, COUNTS_AS if line.unread else -1)
        return -rank, -line.grade, -len(line.unread), -line.trend, -len(line.unknown), -other, -line.overdue

    return sorted(lines, key=order)


def mark(state: Standing) -> str:
    """A state in the fewest signs."""
    return str(state.grade) if state.grade >= 0 else f">={state.at_least}" if state.at_least > 0 else "?"


def short(state: Standing, today: float = np.nan) -> str:
    """A state in a cell of a table: a bound with how long it has stood, what is not known with the last known grade."""
    if known(state) < 0:
        return "?" if np.isnan(state.last_day) else f"? (day {day_text(state.last_day)}: {state.last_grade})"
    hours = 24 * (today - state.since)
    return f"{mark(state)} ({hours:.0f} h)" if hours >= 1 else mark(state)
