"""Hematotoxicity of the course so far, for each infusion from its own day 0."""

from __future__ import annotations

import numpy as np

from vein2vein.clinic.criteria import Edition, edition, unverified
from vein2vein.clinic.grades.bounded import charted, ends
from vein2vein.clinic.grades.hematotoxicity import (
    Hematotoxicity,
    Thrombocytopenia,
    icaht_in_chart,
    t_icaht_in_chart,
)
from vein2vein.clinic.grades.infusions import apart, from_infusion, later_infusions
from vein2vein.therapy.course import Course, Row
from vein2vein.ward.scores import SO_FAR
from vein2vein.ward.states import MINUTES, Standing, day_text, title

ALWAYS_LOW = "low at every count from the start to the end of the window"
ENDED = "its window ended with the next infusion"
DIED = "its window ended with death"
NO_COUNTS = "days without a count, too many in a row to be filled, may have been low"


def hematotoxicity_of(course: Course) -> tuple[Standing, ...]:
    """Hematotoxicity over the course so far; () where no count was charted. The late window only once it has begun.

    While the early window lasts the grade is that of the days so far, at least. A second infusion is graded from its
    own day 0 beside the first, whose window ends there; the second part of a split dose ends nothing.
    """
    today = float(course.days[-1])
    dead = (course.dense("alive")[0] == 0) | np.isfinite(course.dense("death_cause")[0])
    died = float(course.days[dead.argmax()]) if dead.any() else np.inf
    starts = (0.0, *later_infusions(course))
    out: list[Standing] = []
    for which, start in enumerate(starts):
        following = [day for day in starts[which + 1 :] if apart(course, start, day)]
        end = min([today, died, *(_eve(course, day) for day in following)])
        whose = f", infusion of day {day_text(start)}" if len(starts) > 1 else ""
        ended = ENDED if following else DIED if np.isfinite(died) else ""
        out += _of_one(from_infusion(course, start), start, end - start, today, whose, ended)
    return tuple(out)


def _eve(course: Course, day: float) -> float:
    """End of the date before that of a day, whether or not the record has a row on it."""
    clock = float(course.clock[0]) if course.clock.size else 0.0
    return float(np.floor(np.round(day + clock, decimals=6))) - clock - 0.5 / MINUTES


def _of_one(course: Course, start: float, last_day: float, today: float, whose: str, ended: str) -> list[Standing]:
    """Hematotoxicity from the day 0 of a course up to a day of it; ``start`` is that day 0 in the record."""
    out: list[Standing] = []
    clock = float(course.clock[0]) if course.clock.size else 0.0
    date = float(np.floor(np.round(last_day + clock, decimals=6)))
    for name, reads, criteria in (("icaht", "neutrophils", "icaht_2023"), ("t_icaht", "platelets", "t_icaht_2024")):
        if not charted(course, reads).any():
            continue
        rules = edition(criteria)
        first_over = date >= rules.values["early_last_day"]
        found: Hematotoxicity | Thrombocytopenia
        if name == "icaht":
            found = icaht_in_chart(course, last_day=last_day, over=first_over or bool(ended))
        else:
            found = t_icaht_in_chart(course, last_day=last_day)
        for part in ("early", "late") if date > rules.values["early_last_day"] else ("early",):
            settled, least = int(getattr(found, part)[0]), int(getattr(found, f"{part}_at_least")[0])
            open_ = not ended and date < rules.values[f"{part}_last_day"]
            flags = [ended] if ended else [SO_FAR] if open_ else []
            if part == "early" and isinstance(found, Hematotoxicity) and found.overridden[0]:
                flags.append(ALWAYS_LOW)
            if part == "early" and settled < 0 and found.unknown_days[0]:
                flags.append(NO_COUNTS)
            missing = (reads,) if settled < 0 else ()
            if part == "early" and open_ and 0 < settled < rules.top:
                settled = -1  # more low days may follow
            rows = _low_counts(course, reads, rules, part, last_day, start) if max(settled, least) > 0 else ()
            key, marks = f"{name}_{part}", unverified(rules.name)
            told = title(key) + whose
            out.append(Standing(key, told, rules.name, settled, least, today, missing, tuple(flags), rows, marks))
    return out


def _low_counts(
    course: Course, reads: str, rules: Edition, part: str, last_day: float, start: float
) -> tuple[Row, ...]:
    """Of the low counts of a window the first, the lowest and the last; in days of the record."""
    v = rules.values
    limit = v["low"] if part == "early" else v.get("late_low", max(level.value for level in rules.column("late")))
    dates, split = course.calendar()[0], v["early_last_day"]
    inside = (dates >= 0) & (dates <= split) if part == "early" else (dates > split) & (dates <= v["late_last_day"])
    counts, values = ends(course, reads).high[0], course.dense(reads)[0]
    low = np.flatnonzero(inside & (course.days <= last_day) & np.isfinite(values) & (counts <= limit))
    if not low.size:
        return ()
    chosen = sorted({int(low[0]), int(low[counts[low].argmin()]), int(low[-1])})
    return tuple(
        Row(
            int(course.patients[0]), float(course.days[j]) + start, reads, float(values[j]),
            bool(course.marked(course.below_lloq, reads)[0, j]), course.origin,
            str(course.where_from[reads][0, j]) if reads in course.where_from else "",
        )
        for j in chosen
    )  # fmt: skip
