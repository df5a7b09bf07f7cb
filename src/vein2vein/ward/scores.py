"""Risk scores and definitions of hyperinflammation as a ward reads them: one patient, today, with the rows behind each.

Nothing is scored here: the points are those of ``clinic.grades.risk_scores`` and ``clinic.grades.hlh``. What is not in
the record is told, and never read as normal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.criteria import edition, unverified
from vein2vein.clinic.grades.bounded import Range
from vein2vein.clinic.grades.hlh import extremes, hlh_2004, hlh_cartox, hscore, mas_2016, read_by
from vein2vein.clinic.grades.risk_scores import (
    EASIX,
    HEMATOTOX,
    RiskScore,
    car_hematotox,
    early_prediction,
    easix_course,
    easix_positive,
    extreme_of,
    latest_values,
)
from vein2vein.therapy.course import Course, Row

_Scalar = TypeVar("_Scalar", bound=np.generic)
CONDITIONING = ("fludarabine", "cyclophosphamide", "bendamustine", "alemtuzumab")
TITLES = {
    "car_hematotox": "CAR-HEMATOTOX, before lymphodepletion",
    "easix_before": "EASIX, before lymphodepletion",
    "easix": "EASIX, today",
    "s_easix": "Simplified EASIX, today",
    "m_easix": "Modified EASIX, today",
    "hlh_2004": "HLH-2004 criteria",
    "hscore": "HScore",
    "mas_2016": "Macrophage activation syndrome, 2016",
    "hlh_cartox": "HLH by CARTOX",
    "hay_2017": "Early prediction of severe cytokine release (Hay 2017)",
    "gust_2017": "Early prediction of severe neurotoxicity (Gust 2017)",
}
UNDATED = "lymphodepletion is not charted: the last values up to the infusion are read, which it may have lowered"
SO_FAR = "so far: the window is not over"
AGELESS = "the age is unknown: the limit of hemoglobin of an infant is not used"
NOT_GRADABLE = "not gradable"
COUNTED = ("hlh_2004", "mas_2016", "hlh_cartox", "hay_2017", "gust_2017")  # criteria that are met, and no points


@dataclass(frozen=True)
class PatientScore:
    """One score of one patient.

    Attributes
    ----------
    name, title, edition : str
    low, high : float
        Lowest and highest number of points (of an index: its value) that what is known allows; NaN: no value.
    verdict : str
        What the score says; "" of an index without a cut, "not gradable" where what is missing could change it.
    first_day, last_day : float
        Days whose values were read.
    points : mapping of str to float
        Points of each part; empty for an index.
    missing, flags : tuple of str
        Analytes that were not measured in these days and could change it; what a person should know.
    because : tuple of Row
        The rows that were read.
    unverified : tuple of str
        What of the criteria was taken from memory.
    """

    name: str
    title: str
    edition: str
    low: float
    high: float
    verdict: str
    first_day: float
    last_day: float
    points: Mapping[str, float] = field(default_factory=dict[str, float])
    missing: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    because: tuple[Row, ...] = ()
    unverified: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the record holds anything that the score reads."""
        return bool(self.because)

    def __str__(self) -> str:
        if np.isnan(self.low):
            return NOT_GRADABLE
        value = f"{self.low:.3g}" if _same(self.low, self.high) else f"{self.low:.3g} to {self.high:.3g}"
        value = f"at least {self.low:.3g}" if np.isinf(self.high) else value
        if self.points:
            one, many = ("criterion", "criteria") if self.name in COUNTED else ("point", "points")
            value = f"{value} {one if value == '1' else many}"
        return f"{value}: {self.verdict}" if self.verdict else value


def _same(low: float, high: float) -> bool:
    """Whether a range has no width: the ends of a bound lie a hair beside it."""
    return bool(np.isclose(low, high, rtol=1e-12))


def risk_scores(course: Course, age: float, recent: float) -> tuple[PatientScore, ...]:
    """Every score of one patient at the last day of a course.

    Parameters
    ----------
    course : Course
        One patient, up to today.
    age : float
        Years; NaN unknown.
    recent : float
        Days for which a value counts: before lymphodepletion for the scores of its eve, before today for the
        definitions of hyperinflammation.

    Returns
    -------
    tuple of PatientScore
        In the order of ``TITLES``, also those for which the record holds nothing.
    """
    today = float(course.days[-1])
    return (
        *_before_lymphodepletion(course, recent),
        *(_index(course, kind, kind, today, edition("easix").values["lasts"]) for kind in EASIX),
        *_hyperinflammation(course, age, today - recent, today),
        *(_early(course, tree) for tree in ("hay_2017", "gust_2017")),
    )


def _before_lymphodepletion(course: Course, recent: float) -> tuple[PatientScore, ...]:
    given = np.zeros(len(course.days), dtype=bool)
    for name in CONDITIONING:
        given |= course.positive(name)[0]
    dated = given & (course.days <= 0)
    eve, flags = (float(course.days[dated.argmax()]), ()) if dated.any() else (0.0, (UNDATED,))
    known = latest_values(course, HEMATOTOX, eve, recent)
    score = _told(course, car_hematotox(known), known, HEMATOTOX, eve - recent, eve, flags)
    return score, _index(course, "easix_before", "easix", eve, recent, flags)


def _index(course: Course, name: str, kind: str, day: float, lasts: float, flags: tuple[str, ...] = ()) -> PatientScore:
    """EASIX of the last values up to a day; one value, and a verdict only where there is a cut."""
    rules = edition("easix")
    part = course.until(day)
    here = part if part.shape[1] and part.days[-1] == day else _with_day(part, day)
    values, told = easix_course(here, kind, lasts)
    low, high = (float(end[0, -1]) for end in values)
    known = latest_values(here, EASIX[kind], day, lasts)
    verdict = ""
    if name == "easix_before" and np.isfinite(low):
        above = [bool(easix_positive(end)) for end in (low, high)]
        verdict = ("high" if above[0] else "low") if above[0] == above[1] else NOT_GRADABLE
    open_ = np.isnan(low) or verdict == NOT_GRADABLE
    return PatientScore(
        name=name,
        title=TITLES[name],
        edition=rules.name,
        low=low,
        high=high,
        verdict=verdict,
        first_day=day - lasts,
        last_day=day,
        missing=tuple(one for one in EASIX[kind] if open_ and _open(known[one])),
        flags=(*flags, *(text for text, cells in told.items() if cells[0, -1])),
        because=_rows(course, known, day - lasts, day),
        unverified=unverified(rules.name),
    )


def _open(found: Range | None) -> bool:
    """Whether a value is missing, is a bound, or was not understood."""
    return found is None or bool(found.low[0] != found.high[0])


def _with_day(course: Course, day: float) -> Course:
    """The course with one more day, on which nothing was measured."""

    def wider(cells: NDArray[_Scalar], end: object) -> NDArray[_Scalar]:
        return np.append(cells, np.array([[end]], dtype=cells.dtype), axis=1)

    def marks(kind: Mapping[str, NDArray[np.bool_]]) -> dict[str, NDArray[np.bool_]]:
        return {name: wider(cells, False) for name, cells in kind.items()}

    return replace(
        course, days=np.append(course.days, day), where_from={},
        values={name: wider(cells, np.nan) for name, cells in course.values.items()},
        below_lloq=marks(course.below_lloq), above=marks(course.above), unread=marks(course.unread),
        lasting=marks(course.lasting),
    )  # fmt: skip


def _hyperinflammation(course: Course, age: float, first: float, last: float) -> tuple[PatientScore, ...]:
    worst = extremes(course, first, last)
    years = np.inf if np.isnan(age) else age
    ageless = (AGELESS,) if np.isnan(age) else ()
    return (
        _told(course, hlh_2004(worst, age=years), worst, read_by("hlh_2004"), first, last, ageless),
        _told(course, hscore(worst), worst, read_by("hscore_2014"), first, last),
        _told(course, mas_2016(worst), worst, read_by("mas_2016"), first, last),
        _told(course, hlh_cartox(worst), worst, read_by("hlh_cartox_2018"), first, last),
    )


def _early(course: Course, tree: str) -> PatientScore:
    reads = tuple(level.reads for level in edition("early_prediction").column(tree))
    last = edition("early_prediction").values["within"]
    peaks = {name: extreme_of(course.between(0.0, last), name, highest=True) for name in reads}
    flags = (SO_FAR,) if float(course.days[-1]) < last else ()
    return _told(course, early_prediction(course, tree), peaks, reads, 0.0, last, flags)


def _told(
    course: Course, score: RiskScore, values: Mapping[str, Range], reads: tuple[str, ...], first: float, last: float,
    flags: tuple[str, ...] = (),
) -> PatientScore:  # fmt: skip
    """A score of the clinic for the one patient of a course."""
    part = course.between(first, last)
    open_ = any(bool(cells[0]) for cells in score.missing.values())
    missing = (
        name
        for name in reads
        if not part.measured(name) or (name in values and _open(values[name])) or name in score.missing
    )
    return PatientScore(
        name=score.name,
        title=TITLES[score.name],
        edition=score.edition,
        low=float(score.low[0]),
        high=float(score.high[0]),
        verdict=str(score.verdict[0]),
        first_day=first,
        last_day=last,
        points={name: float(one[0]) for name, one in score.points.items()},
        missing=tuple(missing) if open_ else (),
        flags=(*flags, *(text for text, cells in score.flags.items() if cells[0])),
        because=_rows(course, {name: values.get(name) for name in reads}, first, last),
        unverified=score.unverified,
    )


def _rows(course: Course, values: Mapping[str, Range | None], first: float, last: float) -> tuple[Row, ...]:
    """The rows that were read: of each analyte the last one with the value, or, behind a grade, the last one."""
    told: list[Row] = []
    inside = (course.days >= first) & (course.days <= last)
    for name in sorted(name for name in values if name in course):
        cells = course.values[name][0]
        found, there = values[name], inside & np.isfinite(cells)
        if found is not None:
            there &= np.logical_or.reduce([np.isclose(cells, end[0], rtol=1e-12, atol=0) for end in found])
        if there.any():
            column = int(np.flatnonzero(there)[-1])
            below = bool(course.marked(course.below_lloq, name)[0, column])
            source = str(course.where_from[name][0, column]) if name in course.where_from else ""
            day, value = float(course.days[column]), float(cells[column])
            told.append(Row(int(course.patients[0]), day, name, value, below, course.origin, source))
    return tuple(sorted(told, key=lambda row: (row.day, row.analyte)))
