"""What the record says of a graded analyte that was not understood: the loud line on top of everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from vein2vein.clinic.grades import crs, icans
from vein2vein.clinic.grades.grades import Grades
from vein2vein.clinic.grades.signs import AMOUNTS
from vein2vein.io.record.record import Record, SetAside
from vein2vein.therapy.course import Course
from vein2vein.ward.states import dated, name_of, title

NOT_UNDERSTOOD = "Not understood, so what hangs on it is not gradable"
PLACES = 3  # that a line lists; the rest are counted, and stand below with what was set aside
SINCE = "charted anew since"


@dataclass(frozen=True)
class _Place:
    """One thing that was not understood: when (NaN: not known), what and where, and whether a reading followed it."""

    day: float
    text: str
    replaced: bool


def unknown_lines(
    record: Record | Course, i: int, course: Course, found: Mapping[str, Grades], infused: date | None
) -> tuple[str, ...]:
    """One sentence for each graded analyte that is unknown, that of today first; () where everything was understood.

    Parameters
    ----------
    record : Record or Course
        With what was set aside.
    i : int
        Position of the patient in the record.
    course : Course
        Of this patient, up to today.
    found : mapping of finding to Grades
        The findings that are shown: what none of them reads stands below, with the rest of what was set aside.
    infused : datetime, date or None
        Day 0, where it is known.
    """
    aside = () if isinstance(record, Course) else record.set_aside
    if not course.unread and not course.above and not any(one.analyte for one in aside):
        return ()
    today = float(course.days[-1])
    reads = {name: _reads(grades) for name, grades in found.items()}
    places: dict[str, list[_Place]] = {}
    for one in _aside(record, int(course.patients[0])):
        if any(one.analyte in names for names in reads.values()):
            day, exact = _day(course if isinstance(record, Course) else record.courses[i], today, one)
            if not day > today:
                places.setdefault(one.analyte, []).append(_place(course, one, day, exact, infused))
    for name, marks in course.unread.items():  # of more than a log can hold, or of a course without a file
        if name not in places and marks[0].any() and any(name in names for names in reads.values()):
            day = float(course.days[np.flatnonzero(marks[0])[-1]])
            places[name] = [_Place(day, f"last on {dated(day, infused)}", _replaced(course, name, day))]
    for name in AMOUNTS:  # it runs, and counts; a scale that asks for its dose is open
        for column in np.flatnonzero(course.marked(course.above, name)[0] & (course.dense(name)[0] == 0)):
            day, source = float(course.days[column]), course.where_from.get(name)
            row = f"{source[0, column]}, " if source is not None and source[0, column] else ""
            later = _replaced(course, name, day)
            text = f"runs, its rate not understood ({row}{dated(day, infused)}{f'; {SINCE}' if later else ''})"
            places.setdefault(name, []).append(_Place(day, text, later))
    told: list[tuple[bool, float, str]] = []
    earlier: list[tuple[str, _Place]] = []
    for name, all_of_it in places.items():
        open_ = [place for place in all_of_it if not place.replaced]
        listed = open_ or [place for place in all_of_it if place.day > today - 1]
        earlier += [(name, place) for place in all_of_it if place not in listed]
        if listed:
            listed.sort(key=_newest_first)
            needed = ", ".join(title(finding) for finding, names in reads.items() if name in names)
            told.append((not open_, _newest_first(listed[0]), _sentence(name, listed, needed)))
    said = [text for *_, text in sorted(told)]
    if earlier:  # over for today, but not for the grades of its day
        earlier.sort(key=lambda one: _newest_first(one[1]))
        listed = ", ".join(f"{name_of(name)} {place.text}" for name, place in earlier[:PLACES])
        more = f" and {len(earlier) - PLACES} more" if len(earlier) > PLACES else ""
        said.append(f"Earlier: {listed}{more}")
    return tuple(said)


def _newest_first(place: _Place) -> float:
    return -np.inf if np.isnan(place.day) else -place.day


def _reads(grades: Grades) -> frozenset[str]:
    """Analytes on which a finding hangs, charted or not."""
    own = {"crs": crs.READS, "icans": icans.READS}.get(grades.scale.partition("_")[0], {})
    names = (*grades.reads.values(), *own.values(), *grades.anchors)
    return frozenset(name for some in names for name in some)


def _aside(record: Record | Course, patient: int) -> list[SetAside]:
    """What was set aside of one patient, and what may be of no other."""
    if isinstance(record, Course):
        return []
    alone = len(record.facts.label) == 1
    return [one for one in record.set_aside if one.analyte and (one.patient == patient or (alone and one.patient < 0))]


def _day(own: Course, today: float, one: SetAside) -> tuple[float, bool]:
    """Day of the charting at a place, and whether it is this one's: else that of the last charting of the analyte.

    NaN where its time could not be read; inf where it is later than today, or where another row of that time was read.
    """
    unread = own.marked(own.unread, one.analyte)[0]
    day = one.day
    if np.isfinite(day):
        open_ = unread | own.marked(own.above, one.analyte)[0]  # unknown, or at least what another row says
        return (day if open_[own.days == day].any() else np.inf), True
    sources = own.where_from.get(one.analyte)
    if sources is not None and one.line is not None:
        at = np.flatnonzero(sources[0] == f"{_base(one.file)}:{one.line}")
        if at.size:
            return float(own.days[at[0]]), True
    days = own.days[unread]
    past = days[days <= today]
    return float(past[-1] if past.size else np.inf if days.size else np.nan), False


def _base(file: str) -> str:
    return Path(file.replace("\\", "/")).name


def _place(course: Course, one: SetAside, day: float, exact: bool, infused: date | None) -> _Place:
    where = f"{_base(one.file)}:{one.line}" if one.line else _base(one.file)
    what = f"'{one.found}'" if one.found else one.what
    when = (f", {dated(day, infused)}" if exact else f", last on {dated(day, infused)}") if np.isfinite(day) else ""
    replaced = _replaced(course, one.analyte, day)
    return _Place(day, f"{what} ({where}{when}{f'; {SINCE}' if replaced else ''})", replaced)


def _replaced(course: Course, name: str, day: float) -> bool:
    """Whether a value was read after a day."""
    return bool(np.isfinite(course.dense(name)[0, course.days > day]).any())


def _sentence(name: str, places: list[_Place], needed: str) -> str:
    more = f" and {len(places) - PLACES} more" if len(places) > PLACES else ""
    return f"{name_of(name)}: {', '.join(place.text for place in places[:PLACES])}{more}; for {needed}"
