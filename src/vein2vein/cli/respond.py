"""vein2vein respond: response at each disease visit, best response, and the dates that count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict, cast

import click

from vein2vein.cli import console, options
from vein2vein.errors import InputError

if TYPE_CHECKING:
    from vein2vein.clinic.response.visits import Response
    from vein2vein.therapy.course import Course

CRITERIA = ("lugano", "iwcll", "imwg", "all")
RESULT = "response.csv"
SECOND_LINE = ("response_lugano_2014", "response_lymphoma")  # editions by which second-line trials of lymphoma judge


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
    response_day: float
    mrd_negative: bool
    progression_day: float
    death_day: float
    efs_day: float
    efs_event: bool
    pfs_day: float
    pfs_event: bool
    dor_days: float
    dor_event: bool
    relapse_antigen: str
    mrd_relapse_day: float
    efs_second_line_day: NotRequired[float]
    efs_second_line_event: NotRequired[bool]


EXAMPLES = """\b
Examples:
  vein2vein respond --init visits.csv
  vein2vein respond visits.csv --criteria lugano
  vein2vein respond record.csv --criteria all --out results --json
  vein2vein respond records --criteria imwg
"""
EXAMPLE = """\
# Disease visits for: vein2vein respond visits.csv --criteria lugano
# One row for each visit and lesion. day: days since the infusion (or a column time with dates and a mapping).
# Baseline: the last visit up to day 0. Deauville 1 to 5; diameters in cm; site: node or extranodal; new: 1 if new.
day,deauville,lesion,site,longest [cm],shortest [cm],new
-7,5,neck left,node,4.2,3.1,0
-7,5,mesentery,node,6.0,4.0,0
28,2,neck left,node,1.4,1.0,0
28,2,mesentery,node,1.5,1.1,0
91,2,neck left,node,1.2,0.9,0
91,2,mesentery,node,1.4,1.0,0
182,5,neck left,node,3.6,2.4,0
182,5,mesentery,node,1.4,1.0,0
"""


@click.command("respond", cls=options.Command, epilog=EXAMPLES)
@click.argument("visits", type=options.INPUT, metavar="[VISITS.CSV]", required=False)
@click.option("--criteria", metavar="|".join(CRITERIA), help="Lymphoma, CLL, myeloma or acute lymphoblastic leukemia.")
@click.option("--edition", "edition_name", metavar="NAME", help="Another edition, such as response_b_all_eln_2024.")
@options.mapping
@options.out_folder(f"Folder for {RESULT}.")
@options.init("Write example visits to start from")
@options.for_machines("visit, patient, warning, set_aside, note")
@options.quiet("No notes; only the responses and what was set aside.")
@options.force
def command(
    visits: Path | None,
    criteria: str | None,
    edition_name: str | None,
    mapping: Path | None,
    out: Path | None,
    init: Path | None,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Judge disease visits by Lugano, iwCLL, IMWG or the leukemia criteria.

    VISITS is a file of one patient or many, or a folder of such files; patients keep the ids of their files.

    Shows the response at each visit with its reason, or what is missing; then the best response and the days of
    event-free survival (EFS), progression-free survival (PFS) and duration of response (DOR) from these visits. A death
    counts (an event of all three) where the record says that the patient is not alive; further treatments are not read.
    """
    if init is not None:
        then = f"respond {init} --criteria lugano"
        options.start_file(init, EXAMPLE, then, force=force, for_machines=for_machines, quiet=quiet)
        return
    if out is None:
        options.needs("--out", "force")
    if visits is None:
        raise InputError("which visits? Give a file; --init FILE writes an example to start from.")
    if criteria is None:
        raise InputError(f"which criteria? Add --criteria with one of {', '.join(CRITERIA)}.")
    from vein2vein.clinic.response.visits import respond_visits
    from vein2vein.io.record.visits import read_visits_of

    files, warnings = read_visits_of(visits, criteria, mapping=mapping)
    rows: list[Visit] = []
    people: list[Person] = []
    by = ""
    for read in files:
        found = respond_visits(read.course, criteria, read.lesions, edition_name=edition_name)
        by = found.edition
        rows += judged(read.course, found, read.labels)
        people += endpoints(read.course, found, read.labels)
    if out is not None:
        console.new_folder(out, (RESULT,), force=force)
    if for_machines:
        for row in rows:
            console.emit("visit", **row)
        for one in people:
            console.emit("patient", **one, edition=by)
    else:
        _print(rows, people, by)
    for text in warnings:
        if for_machines:
            console.emit("warning", text=text)
        console.say(f"warning: {text}", stderr=True)
    for one in (item for read in files for item in read.set_aside):
        if for_machines:
            console.emit("set_aside", text=str(one))
        else:
            console.say(f"set aside: {one}", stderr=True)
    console.tell_notes((note for read in files for note in read.notes), for_machines=for_machines, quiet=quiet)
    if out is not None:
        from vein2vein.io.record.write import write_rows

        header = ("patient", "id", "day", "response", "confirmed", "reasons", "missing")
        path = write_rows(out / RESULT, header, [[_cell(row[name]) for name in header] for row in rows])
        console.tell(f"Responses: {path}", "file", for_machines, path=path)


def judged(course: Course, found: Response, labels: Sequence[str] = ()) -> list[Visit]:
    """One row for each visit that was judged, or would have been with more."""
    from vein2vein.clinic.criteria import edition

    asked = "confirmed_after" in edition(found.edition).values
    rows: list[Visit] = []
    for i, patient in enumerate(course.patients):
        for j, day in enumerate(found.days):
            status = int(found.status[i, j])
            if status < 0 and (i, j) not in found.reasons and (i, j) not in found.lacking:
                continue
            confirmed = None if found.confirmed is None or status <= 0 or not asked else bool(found.confirmed[i, j])
            flags = tuple(text for text, cells in found.flags.items() if cells[i, j])
            rows.append(
                {
                    "patient": int(patient),
                    "id": labels[i] if labels else "",
                    "day": float(day),
                    "response": found.categories[status] if status >= 0 else "not evaluable",
                    "confirmed": confirmed,
                    "reasons": (*found.reasons.get((i, j), ()), *flags),
                    "missing": found.lacking.get((i, j), ()),
                }
            )
    return rows


def endpoints(course: Course, found: Response, labels: Sequence[str] = ()) -> list[Person]:
    """Best response and the days of the endpoints; an event where there is one, else the last evaluable visit.

    Days are those of ``clinic.outcome.time_to_event``. Without any evaluable visit there are none: not evaluable is no
    failure.
    """
    import numpy as np

    from vein2vein.clinic.criteria import edition
    from vein2vein.clinic.response.outcome import assess, efs_second_line, time_to_event

    n, k = found.status.shape
    alive, cause = course.dense("alive"), course.dense("death_cause")
    same = alive.shape == (n, k)
    dead = (alive == 0) | np.isfinite(cause) if same else np.zeros((n, k), dtype=bool)
    other = (np.isfinite(cause) & (cause != edition("death").values["disease"])).any(axis=1)
    death = np.where(dead.any(axis=1), found.days[dead.argmax(axis=1)], np.inf) if k else np.full(n, np.inf)
    seen = found.status >= 0
    known = np.array([found.days[row][-1] if row.any() else np.nan for row in seen])
    last = np.where(np.isfinite(death), death, np.nan_to_num(known))
    outcome = assess(
        found,
        infused=np.ones(n, dtype=bool),
        death_day=death,
        last_day=last,
        enrolment_day=np.zeros(n),
        death_cause=np.where(other, "other", "disease"),
    )
    times = {name: time_to_event(outcome, name) for name in ("EFS", "PFS", "DOR")}
    lymphoma = found.edition in SECOND_LINE
    began = course.dense("new_therapy") >= 1 if same else np.zeros((n, k), dtype=bool)
    began_day = np.where(began.any(axis=1), found.days[began.argmax(axis=1)], np.inf) if k else np.full(n, np.inf)
    second = efs_second_line(found, death_day=death, last_day=last, new_therapy_day=began_day) if lymphoma else None
    rows: list[Person] = []
    for i, patient in enumerate(course.patients):
        judged = bool(np.isfinite(known[i]) or np.isfinite(death[i]))
        days = {name: float(time[i]) if judged else math.nan for name, (time, _, _) in times.items()}
        events = {name: bool(event[i]) and judged for name, (_, event, _) in times.items()}
        own: Person = {
            "patient": int(patient),
            "id": labels[i] if labels else "",
            "best": str(found.best[i]) if judged else "NE",
            "response_day": float(outcome.response_day[i]),
            "mrd_negative": bool(found.mrd_negative[i]),
            "progression_day": min(float(outcome.progression_day[i]), float(outcome.relapse_day[i])),
            "death_day": float(death[i]),
            "efs_day": days["EFS"],
            "efs_event": events["EFS"],
            "pfs_day": days["PFS"],
            "pfs_event": events["PFS"],
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


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        return "; ".join(map(str, cast("tuple[object, ...]", value)))
    return "" if value is None else int(value) if isinstance(value, bool) else value


def _print(rows: list[Visit], people: list[Person], edition: str) -> None:
    words = {None: "", True: "yes", False: "no"}
    shown = [
        (
            row["id"] or row["patient"],
            console.number(row["day"]),
            row["response"],
            words[row["confirmed"]],
            "; ".join((*row["reasons"], *(f"missing: {name}" for name in row["missing"]))),
        )
        for row in rows
    ]
    console.table(("patient", "day", "response", "confirmed", "why"), shown, title=f"By {edition}", right=(1,))
    second = any("efs_second_line_day" in one for one in people)
    console.table(
        ("patient", "best", "first response", "EFS", "PFS", "DOR (days)", *(["EFS, 2nd line"] if second else [])),
        [
            (
                one["id"] or one["patient"],
                one["best"],
                _day(one["response_day"]),
                _until(one["efs_day"], one["efs_event"]),
                _until(one["pfs_day"], one["pfs_event"]),
                _until(one["dor_days"], one["dor_event"], "after "),
                *([_second_line(one)] if second else []),
            )
            for one in people
        ],
        title="Day of the event (+: none until the last visit)",
    )


def _second_line(one: Person) -> str:
    return _until(one.get("efs_second_line_day", math.nan), one.get("efs_second_line_event", False))


def _day(day: float) -> str:
    return f"day {console.number(day)}" if math.isfinite(day) else "none"


def _until(day: float, event: bool, prefix: str = "day ") -> str:
    return "–" if not math.isfinite(day) else f"{prefix}{console.number(day)}{'' if event else '+'}"
