"""What raises the risk of infection now: the sources define no grade of it, only factors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import numpy as np

from vein2vein.analytes import analyte
from vein2vein.clinic.criteria import edition
from vein2vein.therapy.course import Course
from vein2vein.ward.states import Standing, day_text, in_words, shown_value

STEROIDS = (
    "dexamethasone",
    "methylprednisolone",
    "prednisone",
    "hydrocortisone",
    "betamethasone",
    "triamcinolone",
    "cortisone",
    "deflazacort",
)
RISKS = {  # finding -> the state from which it counts as a factor of infection
    "neutropenia": (2, "neutropenia"), "b_cell_aplasia": (1, "B-cell aplasia"),
    "hypogammaglobulinemia": (1, "low immunoglobulin G"),
}  # fmt: skip


def infection_factors(
    states: Iterable[Standing], course: Course, today: float, recent_days: float, infused: date | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Factors of infection that are there now, and what is not known of the others.

    Parameters
    ----------
    states : iterable of Standing
        The findings of today.
    course : Course
        Of one patient.
    today, recent_days : float
        The last day; for how long a charting counts as of today's round.
    infused : datetime, date or None
        Day 0, where it is known.
    """
    factors: list[str] = []
    open_: list[str] = []
    for state in states:
        if state.name not in RISKS:
            continue
        limit, words = RISKS[state.name]
        value = max(state.grade, state.at_least if state.grade < 0 else -1)
        value = state.last_grade if value < 1 and state.grade < 0 else value
        if value >= limit:
            aged = (
                f" (last known on day {day_text(state.last_day)})" if state.grade < 0 and state.at_least < limit else ""
            )
            shown = "" if state.name == "b_cell_aplasia" else f", {in_words(state.name, value)}"
            rows = "; ".join(shown_value(row, infused) for row in state.because)
            named = edition(state.edition.partition(":")[0]).title
            factors.append(f"{words}{shown}{aged}" + (f": {rows}" if rows else "") + f" ({named})")
        elif state.grade < 0 and state.last_grade < 0:
            open_ += state.missing or (state.name,)
    recent = course.between(today - recent_days, today)
    for name in (*STEROIDS, "tocilizumab", "anakinra", "siltuximab", "ruxolitinib", "emapalumab", "other_anticytokine"):
        if name in recent and recent.positive(name).any():
            factors.append(f"{analyte(name).title.lower()} in the last week{_rows(recent, name, infused)}")
    if "infection" in recent and recent.positive("infection").any():
        factors.insert(0, f"an infection is charted in the last week{_rows(recent, 'infection', infused)}")
    return tuple(factors), tuple(dict.fromkeys(open_))


def _rows(course: Course, name: str, infused: date | None) -> str:
    """The rows of a treatment or sign of one patient, as a reason."""
    there, own = course.positive(name)[0], replace(course, values={name: course.values[name]})
    found = [row for row in own.rows() if there[np.searchsorted(course.days, row.day)]]
    return f": {'; '.join(shown_value(row, infused) for row in found)}" if found else ""
