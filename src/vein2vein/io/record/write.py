"""Records as CSV, long or wide: safe in a spreadsheet, written whole or not at all, read back as they were."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from vein2vein import arguments
from vein2vein.analytes import all_analytes
from vein2vein.clinic.grades.monitoring import Override
from vein2vein.errors import InputError
from vein2vein.files import open_text
from vein2vein.io.record import names
from vein2vein.io.record.record import Facts, Record
from vein2vein.io.record.values import is_formula
from vein2vein.therapy.course import Course

LONG = ("patient", "day", "analyte", "value", "unit", "author", "comment", "until")
FORMS = ("long", "wide")
UNREAD = "not understood"  # a value that was charted and not understood, read back as such
CLOCK = "clock"  # the fact: time of day of day 0, as a part of the day
WIDE = {CLOCK: "clock of day 0"}  # as a column "clock" is a time
_SIGNED = re.compile(r"[+-]\s*[\d.,]+(?:[eE][+-]?\d+)?")
MARK = "'"  # what a spreadsheet takes as "the following is text"


def safe_cell(value: object) -> object:
    """A cell that no spreadsheet runs as a formula; of what begins with a sign only a plain number stays as it is."""
    if not isinstance(value, str):
        return value
    signed = value[:1] in ("+", "-") and len(value) > 1 and not _SIGNED.fullmatch(value)
    return MARK + value if signed or is_formula(value) else value


def write_rows(path: str | Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write a CSV file, whole or not at all; cells that a spreadsheet would run are marked as text."""
    with open_text(path, force=True) as stream:
        out = csv.writer(stream, lineterminator="\n")
        out.writerow([safe_cell(cell) for cell in header])
        out.writerows([safe_cell(cell) for cell in row] for row in rows)
    return Path(path)


def shown(value: float) -> str:
    """A number in full, without a needless ".0"."""
    return repr(float(value)).removesuffix(".0")


def write_record(record: Record | Course, path: str | Path, form: str = "long") -> Path:
    """Write a record, or a measured or simulated course, so that ``read_record`` gives it back.

    Parameters
    ----------
    record : Record or Course
    path : path
    form : str
        ``long``: one value in each row; ``wide``: one time in each row (without attributions and overrides).
    """
    if not isinstance(record, Course):
        arguments.of_kind("record", record, Record, "a Record, as read_record gives it, or a Course")
    if isinstance(record, Course):
        courses = [record.of([i]) for i in range(len(record.patients))]
    else:
        courses = record.courses
    facts = None if isinstance(record, Course) else record.facts
    overrides = () if isinstance(record, Course) else (*record.attributions, *record.overrides)
    if form == "long":
        return write_rows(path, LONG, _long(courses, facts, overrides))
    if form != "wide":
        raise InputError(f"found the form '{form}', expected {' or '.join(FORMS)}.")
    if overrides:
        raise InputError("attributions and overrides have no place in the wide form; write the long form.")
    return write_rows(path, *_wide(courses, facts))


def _value(course: Course, name: str, j: int) -> str:
    """A value as it is read back; "" where there is none."""
    if name in course.unread and bool(course.unread[name][0, j]):
        return UNREAD
    value = course.values[name][0, j]
    if not np.isfinite(value):
        return ""
    below = name in course.below_lloq and bool(course.below_lloq[name][0, j])
    above = name in course.above and bool(course.above[name][0, j])
    return ("<" if below else ">" if above else "") + shown(value)


def _names(courses: Sequence[Course], facts: Facts | None) -> list[object]:
    """What each patient is called in the file: the own name, else the number."""
    numbers: list[object] = [int(one.patients[0]) for one in courses]
    return numbers if facts is None else [label or number for label, number in zip(facts.label, numbers)]


def _long(courses: Sequence[Course], facts: Facts | None, overrides: Sequence[Override]) -> list[Sequence[object]]:
    known = names.vocabulary().attributions
    attributed = {(o.patient, known[o.finding], o.where_from) for o in overrides if o.finding in known}
    rows: list[Sequence[object]] = []
    called = _names(courses, facts)
    for i, (who, course) in enumerate(zip(called, courses)):
        number = int(course.patients[0])
        rows += [(who, "", name, value, unit, "", "", "") for name, value, unit in _facts(facts, i, course)]
        for j, day in enumerate(course.days):
            for name in course.values:
                text = _value(course, name, j)
                where = str(course.where_from[name][0, j]) if name in course.where_from else ""
                if text and (number, name, where) not in attributed:
                    until = _until(course, name, j)
                    rows.append((who, shown(day), name, text, all_analytes()[name].unit, "", "", until))
    by_number = {int(one.patients[0]): who for one, who in zip(courses, called)}
    for o in overrides:
        kind, value = names.ATTRIBUTION, o.finding
        if o.grade is not None:
            kind, value = names.OVERRIDE, f"{o.finding} = {o.grade}"
        words = o.cause or o.reason
        rows.append((by_number[o.patient], shown(o.first_day), kind, value, "", o.author, words, shown(o.last_day)))
    return rows


def _until(course: Course, name: str, j: int) -> str:
    """The day to which a rate goes on, where a later value of the record ends it; "" where none is known."""
    if not course.marked(course.lasting, name)[0, j]:
        return ""
    charted = np.isfinite(course.values[name][0]) | course.marked(course.unread, name)[0]
    later = np.flatnonzero(charted[j + 1 :])
    return shown(float(course.days[j + 1 + int(later[0])])) if later.size else ""


def _facts(facts: Facts | None, i: int, course: Course) -> list[tuple[str, str, str]]:
    """What is known of a patient: (name, value, unit). The time of day of day 0 is no date."""
    clock = float(course.clock[0]) if course.clock.size else 0.0
    told = [(CLOCK, shown(clock), "d")] if clock else []
    if facts is None:
        return told
    numbers = [("age", facts.age[i], "year"), ("height", facts.height[i], "cm")]
    if not course.measured("weight"):
        numbers.append(("weight", facts.weight[i], "kg"))
    others = facts.told_weights[i] if facts.told_weights else ()
    numbers += [("weight", kg, "kg") for kg in others if kg != facts.weight[i]]
    texts = [("sex", facts.sex[i]), ("disease", facts.disease[i]), ("product", facts.product[i])]
    return [*told, *((n, shown(v), u) for n, v, u in numbers if np.isfinite(v)), *((n, t, "") for n, t in texts if t)]


def _wide(courses: Sequence[Course], facts: Facts | None) -> tuple[list[str], list[Sequence[object]]]:
    items = list(dict.fromkeys(name for one in courses for name in one.values))
    known = sorted({name for i, one in enumerate(courses) for name, _, _ in _facts(facts, i, one) if name not in items})
    units = {"age": "year", "height": "cm", "weight": "kg", CLOCK: "d"}
    heads = [f"{WIDE.get(n, n)} [{units[n]}]" if n in units else n for n in known]
    header = ["patient", "day", *heads, *(f"{name} [{all_analytes()[name].unit}]" for name in items)]
    rows: list[Sequence[object]] = []
    for i, (who, course) in enumerate(zip(_names(courses, facts), courses)):
        own = {name: value for name, value, _ in _facts(facts, i, course)}
        for j, day in enumerate(course.days):
            cells = [_value(course, n, j) if n in course.values else "" for n in items]
            if any(cells):
                rows.append((who, shown(day), *(own.pop(name, "") for name in known), *cells))
    return header, rows
