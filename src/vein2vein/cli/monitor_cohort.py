"""vein2vein monitor of many patients: each graded, and one line of each in the list of the ward."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vein2vein.cli import console
from vein2vein.cli.monitor_files import Wanted, charted, sheet_of
from vein2vein.cli.monitor_patient import Event, events
from vein2vein.errors import InputError

if TYPE_CHECKING:
    from vein2vein.io.record.record import Record, SetAside
    from vein2vein.ward.adverse_events import Charted
    from vein2vein.ward.monitor import WardRound
    from vein2vein.ward.ward_list import WardLine

INDEX, FINDINGS = "index.html", "findings.csv"
MANY = 40  # patients from which a second process is worth its start
WORKERS = 2
CHUNK = 8  # patients that a process takes at once
LONGEST_NAME = 60  # characters of a patient's id in the name of a file
IN_A_DAY = "in a day"  # head of the column of what changed, which a narrow list leaves out
SHOWN_UNREAD = 3  # what a cell of the list names one by one


class Asked(NamedTuple):
    """What the caller asks of every patient."""

    scale: str
    until: float | None
    product: str | None
    weight: float | None
    age: float | None


class Task(NamedTuple):
    """One patient to grade; the pages to write, and whether its events or the round itself are wanted."""

    record: Record
    asked: Asked
    report: Path | None = None
    bundle: Path | None = None
    machine: bool = False
    whole: bool = False
    force: bool = False
    wanted: Wanted = Wanted()


class Done(NamedTuple):
    """What came of one patient; ``problem`` says why there is no line."""

    label: str
    line: WardLine | None
    problem: str = ""
    rows: tuple[tuple[object, ...], ...] = ()
    told: tuple[Event, ...] = ()
    notes: tuple[str, ...] = ()
    refused: tuple[SetAside, ...] = ()
    watch: WardRound | None = None
    charted: Charted | None = None
    sheet: str = ""


def file_names(labels: Sequence[str]) -> list[str]:
    """A part of a file's name for each patient: the own id, as far as every system can write it; no two the same."""
    seen: Counter[str] = Counter()
    names: list[str] = []
    for label in labels:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", label)[:LONGEST_NAME].strip(".-") or "patient"
        name = plain
        while seen[name.casefold()]:
            seen[plain.casefold()] += 1
            name = f"{plain}-{seen[plain.casefold()]}"
        seen[name.casefold()] += 1
        names.append(name)
    return names


def run_one(task: Task) -> Done:
    """Grade one patient; what is wrong with one is told, and stops no other."""
    from vein2vein.io.record.findings import finding_rows, write_findings_fhir
    from vein2vein.ward.monitor import monitor
    from vein2vein.ward.ward_list import line_of

    label = task.record.facts.label[0]
    try:
        (watch,) = monitor(task.record, **task.asked._asdict())
    except InputError as problem:
        return Done(label, None, problem.text)
    rows: tuple[tuple[object, ...], ...] = ()
    if task.report is not None and task.bundle is not None:
        from vein2vein.report.monitor_page import write_monitor_report

        write_monitor_report(watch, task.report, force=task.force)
        write_findings_fhir(watch.findings, watch.course, task.bundle, label=watch.label)
        rows = tuple(finding_rows(watch.findings, watch.course, label=watch.label))
    own = {*task.record.notes, *task.record.warnings}
    return Done(
        label,
        line_of(watch),
        "",
        rows,
        tuple(events(watch)) if task.machine else (),
        tuple(note for note in watch.notes if note not in own),
        tuple(one for one in watch.set_aside if one not in task.record.set_aside),
        watch if task.whole else None,
        charted(watch),
        sheet_of(watch, task.wanted),
    )


def run_all(tasks: Sequence[Task], say: console.Report) -> list[Done]:
    """Grade all patients, in two processes where they are many; the results are the same, in their order."""
    done: list[Done] = []
    workers = min(WORKERS, cpu_count() or 1)
    if len(tasks) >= MANY and workers > 1:
        from concurrent.futures import ProcessPoolExecutor
        from concurrent.futures.process import BrokenProcessPool
        from multiprocessing import get_context

        try:
            with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
                _take(done, pool.map(run_one, tasks, chunksize=CHUNK), len(tasks), say)
            return done
        except (BrokenProcessPool, OSError) as problem:
            if isinstance(problem, InputError):
                raise
    _take(done, map(run_one, tasks[len(done) :]), len(tasks), say)
    return done


def _take(done: list[Done], found: Iterator[Done], count: int, say: console.Report) -> None:
    for one in found:
        done.append(one)
        say(len(done) / count, f"{len(done)} of {count} patients")


def show_list(lines: Sequence[WardLine], ungraded: Sequence[tuple[str, str]]) -> None:
    """Print the list: who could not be graded, then the worst of today first."""
    if ungraded:
        console.table(
            ("patient", "why"), [(label or "-", why) for label, why in ungraded], title="Not graded", whole=(0,)
        )
    if not lines:
        return
    heads, rows = table_of(lines)
    title = f"Ward list: {len(lines)} patients, the worst of today first"
    if console.is_narrow():  # what is empty everywhere, and what changed, leave room for names and grades
        shown = [i for i, head in enumerate(heads) if head != IN_A_DAY and any(row[i] for row in rows)]
        heads, rows = tuple(heads[i] for i in shown), [tuple(row[i] for i in shown) for row in rows]
    console.table(heads, rows, title=title, whole=(0,), words=range(1, len(heads)))
    console.say(
        "?: not gradable, with the last known grade and its day; >=: at least, and for how long. One patient: add "
        "--patient ID."
    )


def table_of(lines: Sequence[WardLine]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heads and rows of the list."""
    from vein2vein.clinic.words import finding_words
    from vein2vein.ward.ward_list import short

    acute = list(dict.fromkeys(state.name for line in lines for state in line.acute))
    rows = [
        (
            line.name,
            line.last_reading,
            listed(line.unread, SHOWN_UNREAD),
            *(next((short(s, line.today) for s in line.acute if s.name == name), "") for name in acute),
            high(line),
            line.since,
            due_in_short(line),
        )
        for line in lines
    ]
    shorts = [finding_words(name).short for name in acute]
    return ("patient", "last reading", "NOT UNDERSTOOD", *shorts, "others from grade 3", IN_A_DAY, "due"), rows


def due_in_short(line: WardLine) -> str:
    """How much is overdue, and when the next is due."""
    coming = line.due[line.overdue :]
    told = [f"{line.overdue} overdue"] if line.overdue else []
    return ", ".join([*told, *([f"next {coming[0].partition(':')[0]}"] if coming else [])])


def listed(texts: Sequence[str], most: int) -> str:
    """A few texts, and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return f"{'; '.join(texts[:most])}{more}"


def high(line: WardLine) -> str:
    """What else is of grade 3 or more."""
    from vein2vein.clinic.words import finding_words
    from vein2vein.ward.ward_list import COUNTS_AS, known, short

    return ", ".join(f"{finding_words(s.name).short} {short(s)}" for s in line.other if known(s) >= COUNTS_AS)


def line_event(line: WardLine, place: int) -> Event:
    """The line of one patient for machines."""
    from vein2vein.ward.ward_list import known

    return "ward", {
        "patient": line.patient, "id": line.label, "place": place, "day": line.today, "last_reading": line.moment,
        "rank": line.rank, "grade": line.grade,
        "states": {state.name: {"grade": state.grade if state.grade >= 0 else None, "known": known(state)}
                   for state in (*line.acute, *line.other)},
        "not_understood": line.unread, "unknown": line.unknown, "trend": line.trend, "since": line.since,
        "due": line.due, "overdue": line.overdue,
        "infusions": line.infusions,
    }  # fmt: skip
