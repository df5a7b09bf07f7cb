"""A population data set (NONMEM, Monolix, nlmixr) -> Study: what each column means is decided here, and only here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vein2vein import arguments
from vein2vein.io.record.kinds import kind_of_text
from vein2vein.io.record.record import Log, plain
from vein2vein.io.record.text import content_of, is_stdin, name_of, read_text
from vein2vein.io.study.columns import NLMIXR, NONMEM, Columns, Layout, columns_beside
from vein2vein.io.study.covariates import Placed, covariates_of
from vein2vein.io.study.doses import DoseReader, number_text
from vein2vein.io.study.endpoints import endpoints_of
from vein2vein.io.study.events import Event, event_of
from vein2vein.io.study.moments import moments_of
from vein2vein.io.study.study import BELOW, Observations, Study, counted
from vein2vein.io.study.table import Cells, number_of, read_table
from vein2vein.io.study.values import Value, ValueReader

MARK = b"\xef\xbb\xbf"  # of the order of bytes, which Windows writes before a text
MOST_NAMED = 12  # subjects that a sentence names


def read_study(path: str | Path, *, columns: Columns | None = None) -> Study:
    """Read a population data set: one row for each dose and each sample, in the forms of NONMEM, Monolix and nlmixr.

    Parameters
    ----------
    path : path
        A table with a header: commas, semicolons, tabulators or blanks; "-" is the standard input.
    columns : Columns, optional
        What differs from the usual names of columns; default: what the file ``NAME.columns.toml`` beside it says, where
        there is one.

    Returns
    -------
    Study
        With ``findings`` for what is wrong, each with line, column and remedy; ``fit`` where nothing is.

    Raises
    ------
    InputError
        It is no table, or no column holds subjects, times or values.
    """
    path = Path(arguments.path_of("path", path))
    if columns is not None:
        columns = arguments.of_kind("columns", columns, Columns, "a Columns record, or None")
    log = Log(name_of(path))
    content = content_of(path)
    text = read_text(path, log)
    if kind := kind_of_text(text, path.suffix.lower()):
        raise kind.error(log.file)
    if columns is None:
        columns, beside = (Columns(), "") if is_stdin(path) else columns_beside(path)
        if beside:
            log.note(f"columns are read as {beside} beside it says")
    if content.startswith(MARK):
        log.note("begins with a byte order mark, which NONMEM takes for a part of the first name: save without it")
    return study_from_text(text, columns, log, hashlib.sha256(content).hexdigest())


def study_from_text(text: str, columns: Columns, log: Log, digest: str = "") -> Study:
    """Read the text of a data set; see ``read_study``. What is wrong and what was decided goes into the log, too."""
    table = read_table(text, log, columns)
    layout = table.layout
    for note in layout.notes:
        log.note(note)
    moments = moments_of(table.rows, layout, columns, log)
    if not moments.unit:
        log.note(f"{layout.name('time')} has no unit: say it where days matter (explore and fit: --time-unit d)")
    walk = _Walk(layout, columns, log, moments.beside)
    for row, time in zip(table.rows, moments.times):
        if time is not None:
            walk.step(row, time)
    return walk.finish(moments.unit, digest, table.lost)


@dataclass
class _Seen:
    """An observation while a file is read."""

    course: int
    time: float
    row: Cells
    value: Value


@dataclass
class _Walk:
    """What is known of the subjects while their rows are read from the first to the last."""

    layout: Layout
    columns: Columns
    log: Log
    beside: float
    subjects: dict[str, int] = field(default_factory=dict[str, int])
    spelled: dict[str, str] = field(default_factory=dict[str, str])
    subject_of: list[int] = field(default_factory=list[int])
    last_time: list[float] = field(default_factory=list[float])
    rows_of: list[int] = field(default_factory=list[int])
    placed: list[Placed] = field(default_factory=list[Placed])
    seen: list[_Seen] = field(default_factory=list[_Seen])
    last: str = ""
    coded: bool = False
    lost: int = 0
    broken: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.doses = DoseReader(self.layout, self.columns, self.log, beside=self.beside)
        self.values = ValueReader(self.layout, self.log)
        self.dosed: set[int] = set()
        self.present: dict[int, int] = {}  # by subject, the course that its rows now belong to
        self.doubts = Log(self.log.file)

    def step(self, row: Cells, time: float) -> None:
        """Take the next row."""
        own = self._subject(row)
        event = event_of(row, self.layout, self.log)
        course = self._course(own, row, time, event)
        self.placed.append(Placed(row, self.subjects[own], course, time))
        if event is None:
            if row.get("amt"):
                self.dosed.add(self.subjects[own])  # wrong and told; that the subject has no dose is not said, too
            return
        self.coded |= event.coded
        if event.dose:
            self.dosed.add(self.subjects[own])
            self.doses.read(row, event, course, time)
        if event.observation and (value := self.values.read(row)) is not None:
            self.seen.append(_Seen(course, time, row, value))
        elif row.get("mdv") and (row.get("cens") == BELOW or row.get("blq") == BELOW):
            self.lost += 1

    def _subject(self, row: Cells) -> str:
        """The subject of a row, whose rows stand together and whose number is written in one way."""
        text, name = row.text["id"], self.layout.name("id")
        own = self.columns.codes.get(name, {}).get(number_text(text), number_text(text))
        text = text if own == number_text(text) else own
        if self.spelled.setdefault(own, text) != text:
            self.log.note(f"{name} {plain(self.spelled[own])} and {plain(text)} are one subject")
        if own not in self.subjects:
            value = number_of(own)
            if value is not None and value != int(value):
                self.log.aside(row.line, name, "the number of a subject is not whole: programs may take it for another",
                               own, "a whole number", "number the subjects anew")  # fmt: skip
            self.subjects[own] = len(self.subjects)
        elif own != self.last and own not in self.broken:
            self.broken.add(own)
            self.log.aside(row.line, name, "the rows of a subject do not stand together, or its number is used twice",
                           text, "", "sort by subject and time, or give each subject a number of its own")  # fmt: skip
        self.last = own
        return own

    def _course(self, own: str, row: Cells, time: float, event: Event | None) -> int:
        """The course of a row: a reset begins a further one, unless the present one is still empty."""
        subject = self.subjects[own]
        present = self.present.get(subject, -1)
        resets = event is not None and event.reset
        if present < 0 or (resets and self.rows_of[present]):
            self.subject_of.append(subject)
            self.last_time.append(time)
            self.rows_of.append(0)
            present = self.present[subject] = len(self.subject_of) - 1
        elif time < self.last_time[present] and not resets and own not in self.broken:
            self.log.aside(
                row.line, self.layout.name("time"), f"time goes back within subject {row.text['id']}", f"{time:g}",
                f"{self.last_time[present]:g} or later",
                "sort by subject and time, or begin a new course with EVID 4",
            )  # fmt: skip
        self.last_time[present] = time
        if event is not None and (event.dose or event.observation):
            self.rows_of[present] += 1
        return present

    def finish(self, time_unit: str, digest: str, lost: int) -> Study:
        """The study, and what is wrong with the file as a whole; ``lost``: rows of the file that could not be read."""
        self.doses.finish()
        self.values.finish()
        if self.lost:
            self.log.note(f"{counted(self.lost, 'value')} below the limit with MDV 1: left out, as NONMEM does (M1)")
        self._without_doses(lost)
        self._alike()
        endpoints = endpoints_of([one.row for one in self.seen], self.layout, self.columns, self.log)
        kept = [(one, place) for one, place in zip(self.seen, endpoints.position) if place >= 0]
        self._duplicates(kept)
        if not self.seen and not self.log.items:
            self.log.aside(None, self.layout.name("dv"), "no observation in the whole file", "", "rows with a value",
                           "add the samples")  # fmt: skip
        used = {one.course for one, _ in kept} | {one.course for one in self.doses.found}
        order = [course for course in range(len(self.subject_of)) if course in used]
        places = {course: place for place, course in enumerate(order)}
        for one in self.placed:
            one.course = places.get(one.course, -1)
        if len(set(self.subject_of)) < len(order):
            self.log.note("EVID 3 and 4 begin a new course of a subject, whose time may begin anew")
        if not all(number_of(own) is not None for own in self.subjects):
            self.log.note("subjects have names; NONMEM needs numbers")
        covariates = covariates_of(
            self.placed, len(self.subjects), len(order), self.layout, self.columns, self.log
        )  # fmt: skip
        program = NLMIXR if self.coded and self.layout.program == NONMEM else self.layout.program
        return Study(
            file=self.log.file,
            program=program,
            subjects=tuple(self.spelled[own] for own in self.subjects),
            subject=np.array([self.subject_of[course] for course in order], dtype=np.int64),
            endpoints=endpoints.endpoints if self.seen else (),
            observations=self._observations(kept, places),
            doses=self.doses.doses(places),
            covariates=covariates,
            time_unit=time_unit,
            findings=self.log.in_order(),
            doubts=self.doubts.in_order(),
            notes=self.log.all_notes(),
            digest=digest,
        )

    def _alike(self) -> None:
        """Names of subjects that differ by case and blanks alone."""
        first: dict[str, str] = {}
        for own in self.subjects:
            other = first.setdefault("".join(own.split()).casefold(), own)
            if other != own:
                self.doubts.aside(
                    None, self.layout.name("id"), "names of two subjects that differ by case or blanks alone",
                    f"{plain(other)} and {plain(own)}", "names that cannot be mistaken",
                    "right if they are two; else spell them in one way",
                )  # fmt: skip

    def _without_doses(self, lost: int) -> None:
        without = [own for own, subject in self.subjects.items() if subject not in self.dosed]
        if not without or (lost and "amt" in self.layout and len(without) == len(self.subjects)):
            return  # the dose may stand in a row that is set aside
        whole = len(without) == len(self.subjects)
        told = ", ".join(f"ID {plain(self.spelled[own])}" for own in without[:MOST_NAMED])
        more = f" and {len(without) - MOST_NAMED} more" if len(without) > MOST_NAMED else ""
        log = self.log if whole else self.doubts
        log.aside(None, self.layout.name("amt"),
                  "no dose in the whole file" if whole else "subjects without a dose", f"{told}{more}",
                  "a row with AMT for each subject",
                  "add the dose" if whole else "right for a placebo; else add the dose")  # fmt: skip

    def _duplicates(self, seen: Sequence[tuple[_Seen, int]]) -> None:
        """Two values of one endpoint at one time of one course."""
        first: dict[tuple[int, float, int], _Seen] = {}
        for one, endpoint in seen:
            other = first.setdefault((one.course, one.time, endpoint), one)
            if other is not one:
                same = "the same value twice" if other.value == one.value else "two values"
                self.doubts.aside(
                    one.row.line, self.layout.name("dv"), f"{same} of one kind at one time of ID {one.row.text['id']}",
                    f"{one.value.value:g}",
                    f"one value (the other, {other.value.value:g}, is in line {other.row.line})",
                    "both are used as they stand; leave one out where it is none",
                )  # fmt: skip

    def _observations(self, kept: Sequence[tuple[_Seen, int]], places: dict[int, int]) -> Observations:
        listed = sorted(kept, key=lambda pair: (places[pair[0].course], pair[0].time))
        occasions = self._occasions([one for one, _ in listed])
        return Observations(
            course=np.array([places[one.course] for one, _ in listed], dtype=np.int64),
            time=np.array([one.time for one, _ in listed], dtype=np.float64),
            value=np.array([one.value.value for one, _ in listed], dtype=np.float64),
            endpoint=np.array([place for _, place in listed], dtype=np.int64),
            censored=np.array([one.value.censored for one, _ in listed], dtype=np.int8),
            limit=np.array([one.value.limit for one, _ in listed], dtype=np.float64),
            occasion=np.array(occasions, dtype=np.int64),
            line=np.array([one.row.line for one, _ in listed], dtype=np.int64),
        )

    def _occasions(self, seen: Sequence[_Seen]) -> list[int]:
        if "occ" not in self.layout:
            return [0] * len(seen)
        found: list[int] = []
        for one in seen:
            text = one.row.text["occ"]
            value = number_of(text) if text else None
            if value is None or value != int(value):
                self.log.aside(one.row.line, self.layout.name("occ"), "no number of an occasion", text,
                               "a whole number", "number the occasions")  # fmt: skip
            found.append(0 if value is None else int(value))
        return found
