"""Entries of files -> Record: times to days, names to analytes, units converted once, doubtful values set aside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo

import numpy as np
from numpy.typing import NDArray

from vein2vein.analytes import all_analytes
from vein2vein.clinic.care.weights import Weighed, disagreement
from vein2vein.clinic.grades.monitoring import Override
from vein2vein.errors import InputError
from vein2vein.io.record import names, periods, times
from vein2vein.io.record.cells import Cell, Cells
from vein2vein.io.record.identity import lookalike_words, nameless, numbers_of
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.people import INFUSION, FactReader, Known, facts_of
from vein2vein.io.record.quantities import forget
from vein2vein.io.record.record import NOT_KNOWN, Entry, Log, Moment, Record, SetAside, Tally, plain
from vein2vein.therapy.course import Course

FIRST_YEAR = 1990  # before the first infusion of CAR-T cells into a person
SPLIT = 3.0  # days up to which doses are parts of one infusion, as the graders take them
NO_ZERO = (
    "day 0 is missing: nothing in the file says when the CAR-T cells were infused",
    "the time of the infusion",
    "add a row 'car_t_infusion' with its date, or infusion = \"...\" under [patient] in a mapping file",
)
NO_VALUE = "no value of this patient could be read"


@dataclass(frozen=True)
class Source:
    """The entries of one file, before they are gathered.

    Attributes
    ----------
    entries : sequence of Entry
        In any order.
    kind : str
        What the file is.
    mapping : TableMapping
    log : Log
    decimal : str or None
        Decimal sign of the file.
    """

    entries: Sequence[Entry]
    kind: str
    mapping: TableMapping
    log: Log
    decimal: str | None = "."


def gather(
    entries: Iterable[Entry],
    kind: str,
    mapping: TableMapping,
    log: Log,
    decimal: str | None = ".",
    labels: Iterable[str] = (),
) -> Record:
    """Make a record of the entries of one file; see ``gather_all``."""
    return gather_all((Source(list(entries), kind, mapping, log, decimal),), log.file, labels)


def gather_all(sources: Sequence[Source], file: str, labels: Iterable[str] = ()) -> Record:
    """Make one record of the entries of some files; patients of one name are one, each with an own day 0.

    Parameters
    ----------
    sources : sequence of Source
    file : str
        What the record is called: the file, or the folder of the files.
    labels : iterable of str
        Patients that are named elsewhere; they count too, in this order, before all others.

    Raises
    ------
    InputError
        Nothing can be used: no value, or no day 0 for dated values.
    """
    forget()
    warnings: list[str] = []
    kept: list[Source] = []
    astray: list[tuple[Source, list[Entry]]] = []  # rows without a patient beside one who has a name
    for one in sources:
        own, lost, said = nameless(one.entries, one.log)
        kept.append(Source(own, one.kind, one.mapping, one.log, one.decimal))
        if said:
            warnings.append(said if len(sources) == 1 else f"{one.log.file}: {said}")
            astray.append((kept[-1], lost))
    asked = tuple(labels)
    order = list(dict.fromkeys((*asked, *(entry.patient for one in kept for entry in one.entries))))
    numbers = numbers_of(order)
    warnings += lookalike_words(order)
    reader = FactReader(order)
    for one in kept:
        reader.read(one.entries, one.mapping, order if len(kept) == 1 else [e.patient for e in one.entries], one.log)
    known = reader.known
    zeros: dict[str, Moment] = {}
    for one in kept:
        for label, moment in zeros_of(one.entries, known, one.mapping.zone).items():
            if label not in zeros or times.days_since(moment, zeros[label], one.mapping.zone) < 0:
                zeros[label] = moment
    undated = _undated(kept, zeros, several=len(order) > 1)
    works, reads = _fill(kept, numbers, zeros, known)
    first = works[0]
    for source, lost in astray:
        _unknown(first, source, lost, numbers, zeros)
    if not first.cells and not first.unread:
        lost = next((item for one in kept for item in one.log.in_order() if item.analyte == INFUSION), None)
        if undated or lost is not None:
            raise _without_zero(lost, file)
        items = [item for one in kept for item in one.log.items]
        said = str(items[0]) if items else "expected rows with a time, an analyte, a value and a unit"
        raise InputError(f"no value could be read: {said}", file=file)
    first.flag()
    courses = _courses(first, numbers, zeros, known, kept[0].mapping.zone)
    graded = [label for label in order if numbers[label] in courses or label in asked]
    listed = tuple(courses.get(numbers[label]) or _empty(numbers[label]) for label in graded)
    facts = facts_of([known[label] for label in graded], graded, listed, zeros, kept[0].log)
    if not any(course.measured(INFUSION) for course in listed) and not any(facts.dated):
        kept[0].log.note("no row for the infusion of CAR-T cells; day 0 is as the days of the file say")
    infusions = tuple(
        infusion_days(course, known[label].infusion, zeros.get(label), kept[0].mapping.zone)
        for label, course in zip(graded, listed)
    )
    ungraded = tuple(
        (label, undated.get(label, NO_VALUE)) for label in order if label not in graded and (label or undated)
    )
    warnings += [f"patient {plain(label)!r} is not graded: {why}" for label, why in ungraded]
    warnings += [
        f"patient {plain(label)!r}: the infusion is dated {moment:%Y-%m-%d}, before anybody had CAR-T cells: check the "
        "century; an age counted from a date of birth hangs on it"
        for label, moment in zip(graded, facts.infused)
        if moment is not None and moment.year < FIRST_YEAR
    ]
    return Record(
        file,
        kept[0].kind if len({one.kind for one in kept}) == 1 else "several kinds of files",
        listed,
        facts,
        tuple(sorted(first.overrides, key=_order)),
        tuple(sorted(first.attributions, key=_order)),
        tuple(item for one in sources for item in _placed(one, numbers)),
        tuple(dict.fromkeys(_noted(note, one, kept) for one in kept for note in one.log.all_notes())),
        sum(reads),
        infusions,
        tuple(tally_of(one, count) for one, count in zip(kept, reads)),
        ungraded,
        tuple(dict.fromkeys(warnings)),
    )


def _without_zero(unread: SetAside | None, file: str) -> InputError:
    """Day 0 is missing: the row of the infusion cannot be read, which is then named, or there is none."""
    if unread is None:
        return InputError(f"{NO_ZERO[0]}; {NO_ZERO[2]}.", file=file)
    said = f"day 0 is missing: the time of the infusion cannot be read: {unread.told}; {unread.remedy}."
    return InputError(said, file=unread.file, line=unread.line, field=unread.column or None)


def _placed(source: Source, numbers: Mapping[str, int]) -> list[SetAside]:
    """What was set aside of a file, by line, each with the patient whose line it is."""
    items = list(source.log.in_order())
    if not items or len(numbers) < 2:
        return items
    lines: dict[int, set[str]] = defaultdict(set)
    for entry in source.entries:
        lines[entry.line].add(entry.patient)
    whose = {line: next(iter(labels)) for line, labels in lines.items() if len(labels) == 1}
    return [
        replace(item, patient=numbers.get(whose.get(item.line or 0, ""), -1)) if item.patient == -1 else item
        for item in items
    ]


def _noted(note: str, source: Source, sources: Sequence[Source]) -> str:
    """A note on a line, with its file where there are several."""
    file = source.log.file.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{file}: {note}" if len(sources) > 1 and "line " in note else note


def tally_of(source: Source, read: int) -> Tally:
    """What became of one file."""
    log = source.log
    people = len({entry.patient for entry in source.entries})
    return Tally(log.file, source.kind, people, read, len(log.items) + log.more, log.counts[NOT_KNOWN])


def _order(one: Override) -> tuple[float, int]:
    return one.first_day, int(one.where_from.rpartition(":")[2])


def _undated(sources: Sequence[Source], zeros: Mapping[str, Moment], *, several: bool) -> dict[str, str]:
    """Patients with dated rows and no day 0, each told once in each file; the reason by patient."""
    found: dict[str, str] = {}
    for one in sources:
        lines: dict[str, int] = {}
        for entry in one.entries:
            if _dated(entry) and entry.patient not in zeros:
                lines[entry.patient] = min(lines.get(entry.patient, entry.line), entry.line)
        for label, line in lines.items():
            what = f"patient {plain(label)!r}: {NO_ZERO[0]}" if several else NO_ZERO[0]
            one.log.aside(line, "", what, "", NO_ZERO[1], NO_ZERO[2])
            found[label] = NO_ZERO[0]
    return found


def _fill(
    sources: Sequence[Source], numbers: Mapping[str, int], zeros: Mapping[str, Moment], known: Mapping[str, Known]
) -> tuple[list[Cells], list[int]]:
    """Cells of each file, filled into one table, and how many values each gave."""
    works = [Cells(one.kind, one.mapping, one.log, one.decimal, numbers, zeros) for one in sources]
    for work in works[1:]:
        for name, held in vars(works[0]).items():
            if isinstance(held, dict | set | list):  # one table of cells for all files
                setattr(work, name, held)
    analytes = all_analytes()
    reads = [0] * len(works)
    values: list[list[Entry]] = []
    for at, (one, work) in enumerate(zip(sources, works)):  # the weights first: doses per kg lean on them
        before = len(work.cells)
        for entry in one.entries:
            if entry.name == "weight":
                work.take(entry)
        reads[at] += len(work.cells) - before
        values.append([e for e in one.entries if e.name in analytes or e.name in (names.ATTRIBUTION, names.OVERRIDE)])
    for label, number in numbers.items():
        known[label].weights.update(works[0].disputed.get(number, {}))
    works[0].weights.update(known_weights(works[0].cells, known, numbers, sources[0].log))
    for at, (work, entries) in enumerate(zip(works, values)):
        before = len(work.cells)
        periods.enter(work, (entry for entry in entries if entry.name != "weight"))
        reads[at] += len(work.cells) - before
    return works, reads


def _unknown(
    work: Cells, source: Source, lost: Sequence[Entry], numbers: Mapping[str, int], zeros: Mapping[str, Moment]
) -> None:
    """What a row without a patient charts beside the one patient of its file: unknown for that patient, not absent."""
    people = {entry.patient for entry in source.entries}
    if len(people) != 1:
        return
    (label,) = people
    for entry in lost:
        if entry.name not in all_analytes() or entry.time is None or (_dated(entry) and label not in zeros):
            continue
        day = times.days_since(entry.time, zeros.get(label, 0.0), source.mapping.zone) + 0.0
        if (numbers[label], day, entry.name) not in work.cells:
            work.unread.add((numbers[label], day, entry.name))


def _dated(entry: Entry) -> bool:
    return isinstance(entry.time, date)


def zeros_of(entries: Sequence[Entry], known: Mapping[str, Known], zone: tzinfo | None) -> dict[str, Moment]:
    """Moment of the first infusion of each patient."""
    found: dict[str, Moment] = {label: k.infusion[0] for label, k in known.items() if k.infusion}
    doses: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.name == INFUSION and _dated(entry) and entry.patient not in found:
            doses[entry.patient].append(entry)
    for label, given in doses.items():
        first, *later = (entry.time for entry in given if entry.time is not None)
        for time in later:
            if times.days_since(time, first, zone) < 0:
                first = time
        found[label] = first
    return found


def clock_of(zero: Moment | None, zone: tzinfo | None) -> float:
    """Time of day of day 0, as clocks show it there; 0 where the file counts days or gives the date alone."""
    if not isinstance(zero, datetime):
        return 0.0
    local = zero.astimezone(zone) if zone is not None and zero.tzinfo is not None else zero
    return (local.hour + local.minute / 60 + local.second / 3600) / 24  # unit factors


def infusion_days(
    course: Course, stated: Sequence[Moment], zero: Moment | None, zone: tzinfo | None
) -> tuple[float, ...]:
    """Days of the infusions of one patient; parts of one dose count once."""
    days = course.days[(course.dense(INFUSION)[0] > 0)].tolist()
    days += [times.days_since(moment, zero, zone) for moment in stated if zero is not None]
    found: list[float] = []
    last = -np.inf
    for day in sorted(days):
        if day - last > SPLIT:
            found.append(float(day))
        last = day
    return tuple(found)


def known_weights(
    cells: Mapping[Cell, tuple[float, bool, str, int, str]], known: Mapping[str, Known], numbers: Mapping[str, int],
    log: Log,
) -> dict[int, float]:  # fmt: skip
    """The weight of each patient number: the last up to the infusion, else the first after it.

    Where charted weights disagree there is none, and the log says so: no rate is converted by it.
    """
    found: dict[int, float] = {}
    rows: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for (patient, day, name), row in cells.items():
        if name == "weight":
            rows[patient].append((day, row[0]))
    for label, number in numbers.items():
        measured = sorted(rows[number])
        charted = [*(Weighed(kg, day) for day, kg in measured), *map(Weighed, known[label].weights)]
        if why := disagreement(charted, known[label].age):
            who = f"patient {plain(label)!r}: " if len(numbers) > 1 else ""
            log.note(f"{who}{why.partition(':')[0]}: no rate is converted by a weight")
            continue
        before = [w for day, w in measured if day <= 0]
        if measured:
            found[number] = before[-1] if before else measured[0][1]
        elif np.isfinite(known[label].weight):
            found[number] = known[label].weight
    return found


def _empty(number: int) -> Course:
    return Course(np.array([number], dtype=np.int64), np.empty(0), {}, origin="measured")


def _courses(
    work: Cells,
    numbers: Mapping[str, int],
    zeros: Mapping[str, Moment],
    known: Mapping[str, Known],
    zone: tzinfo | None,
) -> dict[int, Course]:
    """The course of each patient number, with the days of that patient alone."""
    cells: dict[int, list[Cell]] = defaultdict(list)
    for cell in work.cells:
        cells[cell[0]].append(cell)
    marks: dict[int, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for kind, found in (("unread", work.unread), ("above", work.above), ("lasting", work.lasting)):
        for cell in found:
            marks[cell[0]][kind].append(cell)
    out: dict[int, Course] = {}
    for label, number in numbers.items():
        own, marked = cells[number], marks[number]
        if own or marked["unread"]:
            dated = isinstance(zeros.get(label), date)
            told = clock_of(zeros[label], zone) if dated else known[label].clock  # a date says more than the fact
            clock = np.array([told]) if np.isfinite(told) else np.empty(0)
            out[number] = _course(work, number, own, marked, clock)
    return out


def _course(
    work: Cells, number: int, own: list[Cell], marked: Mapping[str, list[Cell]], clock: NDArray[np.float64]
) -> Course:
    all_days = sorted({day for _, day, _ in (*own, *marked["unread"])})
    column = {day: j for j, day in enumerate(all_days)}
    shape = (1, len(all_days))
    found = sorted({name for _, _, name in (*own, *marked["unread"])})
    values = {name: np.full(shape, np.nan) for name in found}
    below = {name: np.zeros(shape, dtype=bool) for name in found}
    source = {name: np.full(shape, "", dtype=object) for name in found}
    for cell in own:
        value, under, where, _, _ = work.cells[cell]
        name, at = cell[2], (0, column[cell[1]])
        values[name][at], source[name][at] = value, where
        if under:
            below[name][at] = True

    def held(kind: str) -> dict[str, NDArray[np.bool_]]:
        out = {name: np.zeros(shape, dtype=bool) for name in sorted({name for _, _, name in marked[kind]})}
        for _, day, name in marked[kind]:
            if day in column:
                out[name][0, column[day]] = True
        return out

    kept = {name: flags for name, flags in below.items() if flags.any()}
    return Course(
        np.array([number], dtype=np.int64), np.array(all_days, dtype=float), values, kept, "measured", source,
        held("above"), held("unread"), held("lasting"), clock,
    )  # fmt: skip
