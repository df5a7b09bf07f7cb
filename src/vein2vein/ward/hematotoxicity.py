"""Hematotoxicity of the course so far, for each infusion from its own day 0."""

from __future__ import annotations

import numpy as np

from vein2vein.clinic.criteria import edition, unverified
from vein2vein.clinic.grades.bounded import charted
from vein2vein.clinic.grades.hematotoxicity import grade_icaht, grade_t_icaht
from vein2vein.clinic.grades.infusions import apart, eve_of, from_infusion, later_infusions
from vein2vein.therapy.course import Course
from vein2vein.ward.scores import SO_FAR
from vein2vein.ward.states import Standing, day_text, title

ALWAYS_LOW = "low at every count from the start until now"
ENDED = "its window ended with the next infusion"
GRADERS = (
    ("icaht", "neutrophils", "icaht_2023", grade_icaht),
    ("t_icaht", "platelets", "t_icaht_2024", grade_t_icaht),
)


def hematotoxicity_of(course: Course) -> tuple[Standing, ...]:
    """Hematotoxicity over the course so far; () where no count was charted. The late window only once it has begun.

    A second infusion is graded from its own day 0 beside the first, whose window ends there; the second part of a
    split dose ends nothing.
    """
    today = float(course.days[-1])
    starts = (0.0, *later_infusions(course))
    out: list[Standing] = []
    for which, start in enumerate(starts):
        following = [day for day in starts[which + 1 :] if apart(course, start, day)]
        end = min([today, *(eve_of(course, day) for day in following)])
        whose = f", infusion of day {day_text(start)}" if len(starts) > 1 else ""
        out += _of_one(from_infusion(course, start), end - start, today, whose, ended=bool(following))
    return tuple(out)


def _of_one(course: Course, last_day: float, today: float, whose: str, *, ended: bool) -> list[Standing]:
    """Hematotoxicity from the day 0 of a course up to a day of it."""
    out: list[Standing] = []
    clock = float(course.clock[0]) if course.clock.size else 0.0
    date = np.floor(np.round(last_day + clock, decimals=6))
    for name, reads, criteria, grader in GRADERS:
        if not charted(course, reads).any():
            continue
        found = grader(course, last_day=np.array([last_day]))
        rules = edition(criteria)
        last_early = rules.values["early_last_day"]
        for part in ("early", "late") if date > last_early else ("early",):
            settled, least = int(getattr(found, part)[0]), int(getattr(found, f"{part}_at_least")[0])
            flags = (ENDED,) if ended else (SO_FAR,) if part == "early" and date < last_early else ()
            if part == "early" and bool(np.any(getattr(found, "overridden", False))):
                flags = (*flags, ALWAYS_LOW)
            key = f"{name}_{part}"
            missing = (reads,) if settled < 0 else ()
            told = title(key) + whose
            out.append(
                Standing(key, told, rules.name, settled, least, today, missing, flags, (), unverified(rules.name))
            )
    return out
