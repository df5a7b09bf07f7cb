"""Findings as CSV and as FHIR: each with grade, edition, reasons, and whether it rests on unverified thresholds."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vein2vein.analytes import all_analytes
from vein2vein.clinic.grades.grades import NOT_GRADABLE, Grades, because, lacking
from vein2vein.files import write_text
from vein2vein.io.record.write import shown, write_rows
from vein2vein.therapy.course import Course, Row

COLUMNS = (
    "kind",
    "patient",
    "id",
    "day",
    "finding",
    "grade",
    "at_least",
    "edition",
    "unverified",
    "missing",
    "flags",
    "analyte",
    "value",
    "unit",
    "below_lloq",
    "above",
    "source",
)
NO_EVENT = ("b_cell_aplasia",)  # an effect that is meant to be, no adverse event
FINDING, DAY, GRADE, END = ("urn:vein2vein:" + name for name in ("finding", "day-of-infusion", "grade", "end-day"))
SEVERITY = {1: "mild", 2: "moderate"}
HL7 = "http://terminology.hl7.org/CodeSystem/"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:vein2vein")


class Change(NamedTuple):
    """One cell of the findings at which something changes: where it is and what it says."""

    patient: int
    position: int
    column: int
    day: float
    name: str
    grades: Grades
    grade: int
    at_least: int
    missing: tuple[str, ...]
    flags: tuple[str, ...]
    reasons: tuple[Row, ...]


def changes(findings: Mapping[str, Grades], course: Course, *, every: bool = False) -> Iterator[Change]:
    """Cells at which a grade differs from the one before (or every cell), by patient, finding and day.

    Of a scale that says where it was looked at, only such cells, and those with a grade.

    Parameters
    ----------
    findings : mapping of name to Grades
        Of that course.
    course : Course
    every : bool
    """
    for i, patient in enumerate(course.patients):
        for name, grades in findings.items():
            state = np.stack([grades.grade[i], grades.at_least[i]])
            seen = np.ones(state.shape[1], dtype=np.bool_)
            if grades.looked is not None:
                seen = np.asarray(grades.looked[i] | (grades.grade[i] != NOT_GRADABLE), dtype=np.bool_)
            cells = np.flatnonzero(seen)
            state = state[:, cells]
            differs = np.ones(len(cells), dtype=bool)
            differs[1:] = every | (state[:, 1:] != state[:, :-1]).any(axis=0)
            for j in cells[differs]:
                day = float(grades.days[j])
                open_ = grades.grade[i, j] == NOT_GRADABLE
                yield Change(
                    int(patient),
                    i,
                    int(j),
                    day,
                    name,
                    grades,
                    int(grades.grade[i, j]),
                    int(grades.at_least[i, j]),
                    lacking(grades, course, int(patient), day) if open_ else (),
                    tuple(text for text, cells in grades.flags.items() if cells[i, j]),
                    because(grades, course, int(patient), day),
                )


def unverified(grades: Grades) -> bool:
    """Whether the criteria behind a finding hold a threshold from memory."""
    return bool(getattr(grades, "unverified", ()))


def write_findings(
    findings: Mapping[str, Grades], course: Course, path: str | Path, *, every: bool = False, label: str = ""
) -> Path:
    """Write findings as CSV: a row of kind ``finding`` for each change, followed by its rows of kind ``reason``.

    Parameters
    ----------
    findings : mapping of name to Grades
    course : Course
        The one that was graded.
    path : path
        Written whole or not at all; no cell is a formula.
    every : bool
        Every day, not only those on which a grade changes.
    label : str
        The own id of the patient of a course of one.
    """
    return write_rows(path, COLUMNS, finding_rows(findings, course, every=every, label=label))


def finding_rows(
    findings: Mapping[str, Grades], course: Course, *, every: bool = False, label: str = ""
) -> list[tuple[object, ...]]:
    """Rows of findings under ``COLUMNS``; see ``write_findings``."""
    rows: list[tuple[object, ...]] = []
    for c in changes(findings, course, every=every):
        grade = "not gradable" if c.grade == NOT_GRADABLE else c.grade
        what = (grade, c.at_least, c.grades.edition, int(unverified(c.grades)), "; ".join(c.missing))
        empty, no_row = ("",) * 5, ("",) * 6
        rows.append(("finding", c.patient, label, shown(c.day), c.name, *what, "; ".join(c.flags), *no_row))
        for row in c.reasons:
            unit = all_analytes()[row.analyte].unit
            value = (shown(row.value), unit, int(row.below_lloq), int(row.above), row.where_from)
            rows.append(("reason", c.patient, label, shown(row.day), c.name, *empty, "", row.analyte, *value))
    return rows


def write_findings_fhir(
    findings: Mapping[str, Grades], course: Course, path: str | Path, *, day_0: datetime | None = None, label: str = ""
) -> Path:
    """Write findings as a FHIR R4 bundle: an Observation for each change, an AdverseEvent for each episode.

    Parameters
    ----------
    findings, course
        As in ``write_findings``.
    path : path
    day_0 : datetime, optional
        Time of the infusion with its zone. Without it no date is written: days stand in an extension.
    label : str
        The own id of the patient of a course of one, written as an identifier.
    """
    own: dict[str, object] = {"identifier": [{"value": label}]} if label else {}
    entries = [_entry({"resourceType": "Patient", "id": _patient(int(p)), **own}) for p in course.patients]
    for change in changes(findings, course):
        entries.append(_entry(_observation(change, day_0)))
    for i, patient in enumerate(course.patients):
        for name, grades in findings.items():
            if name not in NO_EVENT:
                entries += [_entry(event) for event in _events(int(patient), i, name, grades, day_0)]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return write_text(path, json.dumps(bundle, indent=1, ensure_ascii=True) + "\n", force=True)


def _patient(number: int) -> str:
    return f"patient-{number}"


def _entry(resource: dict[str, object]) -> dict[str, object]:
    name = f"{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": f"urn:uuid:{uuid.uuid5(NAMESPACE, name)}", "resource": resource}


def _subject(number: int) -> dict[str, str]:
    return {"reference": f"urn:uuid:{uuid.uuid5(NAMESPACE, f'Patient/{_patient(number)}')}"}


def _date(day: float, day_0: datetime) -> str:
    return (day_0 + timedelta(days=day)).isoformat(timespec="seconds")


def _extension(url: str, value: float) -> dict[str, object]:
    return {"url": url, "valueDecimal": round(float(value), 6)}


def _concept(name: str, text: str) -> dict[str, object]:
    return {"coding": [{"system": FINDING, "code": name}], "text": text}


def _observation(c: Change, day_0: datetime | None) -> dict[str, object]:
    notes = [f"edition: {c.grades.edition}"]
    notes += ["rests on thresholds that are not verified against their source"] if unverified(c.grades) else []
    notes += [f"missing: {', '.join(c.missing)}"] if c.missing else []
    notes += [f"at least {c.at_least}"] if c.grade == NOT_GRADABLE and c.at_least > 0 else []
    notes += list(c.flags)
    notes += [_because(row) for row in c.reasons]
    found: dict[str, object] = {
        "resourceType": "Observation",
        "id": f"{c.name.replace('_', '-')}-{c.patient}-{c.column}",
        "extension": [_extension(DAY, c.day)],
        "status": "final",
        "code": _concept(c.name, f"{c.grades.scale}, grade"),
        "subject": _subject(c.patient),
    }
    if day_0 is not None:
        found["effectiveDateTime"] = _date(c.day, day_0)
    if c.grade == NOT_GRADABLE:
        found["dataAbsentReason"] = {
            "coding": [{"system": HL7 + "data-absent-reason", "code": "unknown"}],
            "text": "not gradable",
        }
    else:
        found["valueInteger"] = c.grade
    found["note"] = [{"text": text} for text in notes]
    found["method"] = {"text": c.grades.edition}
    return found


def _because(row: Row) -> str:
    bound = "below " if row.below_lloq else "above " if row.above else ""
    source = f" ({row.where_from})" if row.where_from else ""
    if row.above and row.value == 0:  # given or running
        return f"because day {row.day:g}: {row.analyte}, amount not known{source}"
    return f"because day {row.day:g}: {row.analyte} {bound}{row.value:g} {all_analytes()[row.analyte].unit}{source}"


def _events(patient: int, i: int, name: str, grades: Grades, day_0: datetime | None) -> Iterator[dict[str, object]]:
    """Episodes: runs of grades from 1 on; cells that are not gradable and hold no grade at least end none."""
    known = np.where(
        grades.grade[i] == NOT_GRADABLE, np.where(grades.at_least[i] > 0, grades.at_least[i], -1), grades.grade[i]
    )
    cells = np.flatnonzero(known >= 0)
    worst = first = 0
    running = False
    for j in (*cells, -1):
        grade = int(known[j]) if j >= 0 else 0
        if grade >= 1 and not running:
            running, worst, first = True, grade, int(j)
        elif grade >= 1:
            worst = max(worst, grade)
        elif running:
            running = False
            end = float(grades.days[j]) if j >= 0 else None
            yield _event(patient, name, grades, worst, float(grades.days[first]), end, day_0)


def _event(
    patient: int, name: str, grades: Grades, worst: int, start: float, end: float | None, day_0: datetime | None
) -> dict[str, object]:
    extension = [_extension(DAY, start), *([] if end is None else [_extension(END, end)])]
    extension.append({"url": GRADE, "valueInteger": worst})
    outcome = "fatal" if worst > 4 else "ongoing" if end is None else "resolved"
    found: dict[str, object] = {
        "resourceType": "AdverseEvent",
        "id": f"event-{name.replace('_', '-')}-{patient}-{shown(start).replace('.', '-').replace('e', '')}"[:64],
        "extension": extension,
        "actuality": "actual",
        "event": _concept(name, f"{grades.scale}, grade {worst} by {grades.edition}"),
        "subject": _subject(patient),
        "severity": {"coding": [{"system": HL7 + "adverse-event-severity", "code": SEVERITY.get(worst, "severe")}]},
        "outcome": {"coding": [{"system": HL7 + "adverse-event-outcome", "code": outcome}]},
    }
    if day_0 is not None:
        found["date"] = _date(start, day_0)
    return found
