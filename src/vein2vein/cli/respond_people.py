"""What vein2vein respond tells of each visit and each patient, and of a cohort by months at risk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:
    from vein2vein.clinic.response.observed import Race
    from vein2vein.clinic.response.visits import Response
    from vein2vein.therapy.course import Course

SECOND_LINE = ("response_lugano_2014", "response_lymphoma")  # editions by which second-line trials of lymphoma judge
RELAPSE = "relapse"


class Visit(TypedDict):
    """A visit that was judged."""

    patient: int
    id: str
    day: float
    response: str
    confirmed: bool | None
    reasons: tuple[str, ...]
    missing: tuple[str, ...]


class Person(TypedDict):
    """Best response of a patient and the days that count."""

    patient: int
    id: str
    best: str
    best_confirmed: str | None
    response_day: float
    mrd_negative: bool
    progression_day: float
    death_day: float
    new_therapy_day: float
    efs_day: float
    efs_event: bool
    pfs_day: float
    pfs_event: bool
    pfs_censored_day: float
    pfs_censored_event: bool
    dor_days: float
    dor_event: bool
    relapse_antigen: str
    mrd_relapse_day: float
    efs_second_line_day: NotRequired[float]
    efs_second_line_event: NotRequired[bool]


class AtRisk(TypedDict):
    """A month of the table at risk: how many are still watched, and the share in whom each event came first."""

    what: str
    month: float
    at_risk: int
    first: str
    share: float
    low: float
    high: float


def judged(course: Course, found: Response, labels: Sequence[str] = ()) -> list[Visit]:
    """One row for each visit that was judged, or would have been with more."""
    asked = _asks_to_confirm(found)
    rows: list[Visit] = []
    for i, patient in enumerate(course.patients):
        for j, day in enumerate(found.days):
            status = int(found.status[i, j])
            if status < 0 and (i, j) not in found.reasons and (i, j) not in found.lacking:
                continue
            relapse = found.relapsed is not None and bool(found.relapsed[i, j])
            flags = tuple(text for text, cells in found.flags.items() if cells[i, j])
            rows.append(
                {
                    "patient": int(patient),
                    "id": labels[i] if labels else "",
                    "day": float(day),
                    "response": RELAPSE if relapse else found.categories[status] if status >= 0 else "not evaluable",
                    "confirmed": _confirmed(found, i, j) if asked else None,
                    "reasons": (*found.reasons.get((i, j), ()), *flags),
                    "missing": found.lacking.get((i, j), ()),
                }
            )
    return rows


def _confirmed(found: Response, i: int, j: int) -> bool | None:
    """Whether a later visit confirms the category of one; None where the criteria ask for no confirmation of it."""
    from vein2vein.clinic.response.visits import TWO_IN_A_ROW

    status = int(found.status[i, j])
    asks = status >= 0 and found.categories[status] != "SD" and (status > 0 or found.edition in TWO_IN_A_ROW)
    return bool(found.confirmed[i, j]) if asks and found.confirmed is not None else None


def _asks_to_confirm(found: Response) -> bool:
    from vein2vein.clinic.criteria import edition

    return "confirmed_after" in edition(found.edition).values


def endpoints(course: Course, found: Response, labels: Sequence[str] = ()) -> list[Person]:
    """Best response and the days of the endpoints; an event where there is one, else the last evaluable visit.

    Days are those of ``clinic.outcome.time_to_event``. Without any evaluable visit there are none: not evaluable is no
    failure.
    """
    import numpy as np

    from vein2vein.clinic.response.observed import observe, pfs_until_new_therapy
    from vein2vein.clinic.response.outcome import efs_second_line, time_to_event
    from vein2vein.clinic.response.visits import best_confirmed

    seen = observe(course, found)
    outcome, known = seen.outcome, seen.last_seen
    times = {name: time_to_event(outcome, name) for name in ("EFS", "PFS", "DOR")}
    until, progressed = pfs_until_new_therapy(seen, found)
    confirmed = best_confirmed(found) if _asks_to_confirm(found) else None
    second = None
    if found.edition in SECOND_LINE:
        second = efs_second_line(
            found, death_day=outcome.death_day, last_day=outcome.last_day, new_therapy_day=seen.new_therapy_day
        )
    rows: list[Person] = []
    for i, patient in enumerate(course.patients):
        judged = bool(np.isfinite(known[i]) or np.isfinite(outcome.death_day[i]))
        days = {name: float(time[i]) if judged else math.nan for name, (time, _, _) in times.items()}
        events = {name: bool(event[i]) and judged for name, (_, event, _) in times.items()}
        own: Person = {
            "patient": int(patient),
            "id": labels[i] if labels else "",
            "best": str(found.best[i]) if judged else "NE",
            "best_confirmed": None if confirmed is None else str(confirmed[i]),
            "response_day": float(outcome.response_day[i]),
            "mrd_negative": bool(found.mrd_negative[i]),
            "progression_day": min(float(outcome.progression_day[i]), float(outcome.relapse_day[i])),
            "death_day": float(outcome.death_day[i]),
            "new_therapy_day": float(seen.new_therapy_day[i]),
            "efs_day": days["EFS"],
            "efs_event": events["EFS"],
            "pfs_day": days["PFS"],
            "pfs_event": events["PFS"],
            "pfs_censored_day": float(until[i]) if judged else math.nan,
            "pfs_censored_event": bool(progressed[i]) and judged,
            "dor_days": days["DOR"],
            "dor_event": events["DOR"],
            "relapse_antigen": str(outcome.relapse_antigen[i]),
            "mrd_relapse_day": math.inf if found.mrd_relapse_day is None else float(found.mrd_relapse_day[i]),
        }
        if second is not None:
            own["efs_second_line_day"] = float(second[0][i]) if judged else math.nan
            own["efs_second_line_event"] = bool(second[1][i]) and judged
        rows.append(own)
    return rows


def races(course: Course, found: Response) -> list[Race]:
    """The competing events of the patients of one file: relapse after response, and return of B cells."""
    from vein2vein.clinic.response.observed import observe, to_b_cells, to_relapse

    seen = observe(course, found)
    return [to_relapse(seen), *([to_b_cells(course, seen)] if "b_cells" in course else [])]


def risk_rows(held: Sequence[Race]) -> list[AtRisk]:
    """The tables at risk of a cohort: every file's races of one kind together."""
    from vein2vein.clinic.response.observed import pooled, risk_table

    rows: list[AtRisk] = []
    for title in dict.fromkeys(race.title for race in held):
        race = pooled(one for one in held if one.title == title)
        for line in risk_table(race):
            for event, (share, low, high) in zip(race.causes, line.incidence):
                rows.append(
                    {
                        "what": title, "month": line.month, "at_risk": line.at_risk, "first": event, "share": share,
                        "low": low, "high": high,
                    }
                )  # fmt: skip
    return rows


def order_notes(course: Course, labels: Sequence[str] = ()) -> list[str]:
    """What is odd in the days of the visits: rows that do not stand by day, and visits dated after a death."""
    import numpy as np

    told: list[str] = []
    for i, patient in enumerate(course.patients):
        who = f"patient {labels[i] if labels and labels[i] else patient}"
        lines = _lines(course, i)
        later = [(a, b) for a, b in pairwise(lines) if b[1] < a[1]]
        if later:
            (day, line), (next_day, before) = later[0]
            told.append(
                f"{who}: the visit of day {day:g} (line {line}) stands after that of day {next_day:g} (line {before}); "
                "visits are judged by day: correct the day if it is a slip of the pen"
            )
        dead = np.flatnonzero((course.dense("alive")[i] == 0) | np.isfinite(course.dense("death_cause")[i]))
        if dead.size and lines and lines[-1][0] > course.days[dead[0]]:
            (day, line), died = lines[-1], course.days[dead[0]]
            told.append(
                f"{who}: a visit of day {day:g} (line {line}) is dated after the death of day {died:g}; "
                "correct one of the two"
            )
    return told


def _lines(course: Course, i: int) -> list[tuple[float, int]]:
    """Days of a patient with the first line of each in the file, by day."""
    found: dict[float, int] = {}
    for sources in course.where_from.values():
        for day, place in zip(course.days.tolist(), sources[i]):
            line = str(place).rpartition(":")[2]
            if line.isdigit():
                found[day] = min(int(line), found.get(day, int(line)))
    return sorted(found.items())
