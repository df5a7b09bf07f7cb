"""Episodes of a syndrome in one patient's chart: first and last sign, peak, and the time to tocilizumab and steroid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.criteria import edition
from vein2vein.clinic.grades.grades import Floats, Grades
from vein2vein.therapy.course import Course
from vein2vein.ward.infection import STEROIDS
from vein2vein.ward.states import looked_at, title

RESOLVED, GOES_ON, NOT_CHARTED, FATAL = "resolved", "goes on", "end not charted", "fatal"
TOCILIZUMAB = ("tocilizumab",)


@dataclass(frozen=True)
class Given:
    """What was given of a kind of drug from the onset of an episode on.

    Attributes
    ----------
    hours : float
        From the onset to the first dose; NaN: none is charted.
    doses : int
        Rows of doses up to the end of the episode.
    before : bool
        One was given before the onset too.
    unread : bool
        Something was charted of it and not understood: a dose may have been given earlier.
    """

    hours: float
    doses: int
    before: bool
    unread: bool


@dataclass(frozen=True)
class Episode:
    """One episode of one syndrome.

    Attributes
    ----------
    finding, title, edition : str
    number : int
        1 for the first of this finding.
    onset : float
        Day of the first reading with a grade of 1 or more (of cytokine release the first fever that counts).
    onset_at_latest : bool
        The readings just before it could not be graded: it may have begun earlier.
    last_sign : float
        Day of the last reading with a grade.
    resolved : float
        Day of the first reading after it without any sign; NaN: none is charted.
    peak : int
        Highest grade; ``peak_at_least``: only a lower bound of it is known.
    peak_day : float
        First reading of that grade.
    peak_at_least : bool
    outcome : str
        ``resolved``, ``goes on``, ``end not charted`` (not looked at for longer than an episode lasts) or ``fatal``.
    tocilizumab, steroid : Given
    first_date, last_date : int
        Calendar days of the first and the last sign; that of the infusion is 0.
    """

    finding: str
    title: str
    edition: str
    number: int
    onset: float
    onset_at_latest: bool
    last_sign: float
    resolved: float
    peak: int
    peak_at_least: bool
    peak_day: float
    outcome: str
    tocilizumab: Given
    steroid: Given
    first_date: int
    last_date: int

    @property
    def days(self) -> int:
        """Length in calendar days: that of the last sign less that of the first, and one."""
        return self.last_date - self.first_date + 1

    @property
    def hours(self) -> float:
        """From the first sign to the last."""
        return 24 * (self.last_sign - self.onset)


def episodes_of(course: Course, found: Mapping[str, Grades], names: Iterable[str], today: float) -> tuple[Episode, ...]:
    """Episodes of some findings in the chart of one patient, by onset.

    A return within 24 hours of the first reading without signs joins the episode; after a silence of more than three
    days it is another one (``episode_gap`` and ``episode_lapse`` of criteria/bedside_signs.toml).

    Parameters
    ----------
    course : Course
        Of one patient, up to today.
    found : mapping of finding to Grades
    names : iterable of str
        The findings that have episodes.
    today : float
        Last day that was read.
    """
    out = [one for name in names for one in _of_one(course, found[name], name, today)]
    return tuple(sorted(out, key=lambda one: (one.onset, one.finding)))


def _of_one(course: Course, grades: Grades, name: str, today: float) -> list[Episode]:
    limits = edition("bedside_signs").values
    gap, lapse = limits["episode_gap"], limits["episode_lapse"]
    columns = np.flatnonzero(looked_at(grades, course) & (grades.days <= today))
    settled, least = grades.grade[0, columns].astype(int), grades.at_least[0, columns].astype(int)
    known = np.maximum(settled, np.where(least > 0, least, 0))
    days = grades.days[columns]
    spans: list[list[int]] = []
    quiet = -1  # first reading without signs after the last one with a sign
    for at in range(len(columns)):
        if known[at] >= 1:
            joins = bool(spans) and days[at] - days[at - 1] <= lapse and (quiet < 0 or days[at] - days[quiet] < gap)
            if joins:
                spans[-1].append(at)
            else:
                spans.append([at])
            quiet = -1
        elif settled[at] == 0 and quiet < 0:
            quiet = at
    return [
        _episode(course, grades, name, number, today, _Span(columns, days, settled, known, tuple(span)), lapse)
        for number, span in enumerate(spans, start=1)
    ]


@dataclass(frozen=True)
class _Span:
    """The readings of a finding (columns, days, settled and known grades) and the places of those of one episode."""

    columns: NDArray[np.intp]
    days: Floats
    settled: NDArray[np.int_]
    known: NDArray[np.int_]
    places: tuple[int, ...]


def _episode(
    course: Course, grades: Grades, name: str, number: int, today: float, span: _Span, lapse: float
) -> Episode:
    own, (first, last) = np.array(span.places), (span.places[0], span.places[-1])
    onset, last_sign = float(span.days[first]), float(span.days[last])
    peak = int(span.known[own].max())
    top = own[span.known[own] == peak]
    later = np.flatnonzero((span.settled == 0) & (np.arange(len(span.days)) > last))
    resolved = float(span.days[later[0]]) if later.size else np.nan
    if resolved - last_sign > lapse:
        resolved = np.nan
    if peak >= edition("death").values["grade"]:
        outcome = FATAL
    elif np.isfinite(resolved):
        outcome = RESOLVED
    else:
        outcome = GOES_ON if today - last_sign <= lapse else NOT_CHARTED
    until = today if outcome in (GOES_ON, FATAL) else resolved if outcome == RESOLVED else last_sign
    dates = course.calendar()[0]
    return Episode(
        finding=name,
        title=title(name),
        edition=grades.edition,
        number=number,
        onset=onset,
        onset_at_latest=bool(first > 0 and span.settled[first - 1] < 0 and onset - span.days[first - 1] <= lapse),
        last_sign=last_sign,
        resolved=resolved,
        peak=peak,
        peak_at_least=not (span.settled[top] == peak).any(),
        peak_day=float(span.days[top[0]]),
        outcome=outcome,
        tocilizumab=_given(course, TOCILIZUMAB, onset, until),
        steroid=_given(course, STEROIDS, onset, until),
        first_date=int(dates[span.columns[first]]),
        last_date=int(dates[span.columns[last]]),
    )


def _given(course: Course, names: Iterable[str], onset: float, until: float) -> Given:
    there, unread = np.zeros(course.shape[1], dtype=int), np.zeros(course.shape[1], dtype=bool)
    for name in names:
        there += course.positive(name)[0]
        unread |= course.marked(course.unread, name)[0]
    inside = (course.days >= onset) & (course.days <= until)
    first = np.flatnonzero(inside & (there > 0))
    return Given(
        hours=24 * float(course.days[first[0]] - onset) if first.size else np.nan,
        doses=int(there[inside].sum()),
        before=bool(there[course.days < onset].any()),
        unread=bool((unread & inside).any()),
    )
