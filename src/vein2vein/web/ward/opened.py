"""A record that is open on the page: its files in memory, the rows that were added here, how it is read.

Nothing of it stands on disk unless it is kept: a reader gets the files in a folder of its own that is gone once they
are read. Rows are added to a file of their own, and to a record that was begun here as its next lines.
"""

from __future__ import annotations

import datetime
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from vein2vein.errors import InputError
from vein2vein.io.record.folder import read_records
from vein2vein.io.record.record import Record, SetAside
from vein2vein.ward.ahead import told_ahead
from vein2vein.ward.round import COLUMNS, Row, round_form, rows_text
from vein2vein.web.reading import MOST_FILES, reading, without
from vein2vein.web.uploads import TABLE, TOML, Upload, check_rows
from vein2vein.web.workspace import Missing

if TYPE_CHECKING:
    from vein2vein.web.visit import Visit

WRITING = threading.RLock()
"""Whoever adds rows holds it: two who add to one record both find their rows in it."""
DOOR = "ward"
ADDED = "rows-added-here.csv"
OWN = "record.csv"
HEADER = ",".join(COLUMNS).encode()
LONGEST_STEM = 40
MOMENTS = {"time": "time", "until": "until"}  # columns that are fields of their own in every form
_ODD = re.compile(r"[^\w-]+")
_OWN_ROWS = re.compile(rf"\([^,]*, {re.escape(ADDED)}\).*merged")  # rows that were added here are of the same person


class Refused(InputError):
    """Rows that the reader would set aside: nothing was added. ``faults``: each sentence by the field of the form."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__(faults[0][1], field=faults[0][0])
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Opened:
    """A record that is open.

    Attributes
    ----------
    name : str
        For people.
    files : mapping of name to bytes
        Under names without a path; a mapping stands beside its table under the same name.
    kept : bool
        Whether it stands in the workspace.
    record : Record
        As it was read.
    """

    name: str
    files: Mapping[str, bytes]
    record: Record = field(repr=False)
    kept: bool = False

    @property
    def size(self) -> int:
        """Bytes of the files, and as much again for what was read of them."""
        return 2 * sum(map(len, self.files.values()))


def opened(name: str, files: Mapping[str, bytes], *, kept: bool = False) -> Opened:
    """Read the files of a record.

    Raises
    ------
    InputError
        Nothing in them can be used, or they hold more rows than are read while somebody waits.
    """
    check_rows(name, (content for file, content in files.items() if not file.endswith(TOML)), "record")
    return Opened(name, files, reading(files, lambda path: _read(path, name)), kept)


def _read(path: Path, name: str) -> Record:
    found = read_records(path)
    folder = path if path.is_dir() else path.parent
    return replace(
        found,
        file=without(found.file, folder) if not path.is_dir() else name,
        set_aside=tuple(replace(one, file=without(one.file, folder)) for one in found.set_aside),
        tallies=tuple(one._replace(file=without(one.file, folder)) for one in found.tallies),
        notes=tuple(without(one, folder) for one in found.notes),
        warnings=(
            *(without(one, folder) for one in found.warnings if not _OWN_ROWS.search(one)),
            *told_ahead(found, datetime.datetime.now().astimezone()),
        ),
    )


def files_of(uploads: Sequence[Upload]) -> dict[str, bytes]:
    """Names for what was uploaded: plain ones, each once; a mapping is named as its table.

    Raises
    ------
    InputError
        Too many, or mappings without a record.
    """
    if len(uploads) > MOST_FILES:
        raise InputError(
            f"found {len(uploads)} files, expected {MOST_FILES} at most; put more into a folder and use "
            "vein2vein monitor."
        )
    records = [one for one in uploads if one.kind != TOML]
    if not records:
        raise InputError(
            "found a mapping (TOML) and no record; give the record together with it.", file=uploads[0].name
        )
    named: dict[str, bytes] = {}
    stems: dict[str, str] = {}
    for one in records:
        stem = first = _stem(one.name)
        count = 1
        while any(PurePosixPath(name).stem == stem for name in (*named, ADDED)):
            count += 1
            stem = f"{first}-{count}"
        stems.setdefault(first, stem)
        named[f"{stem}{one.kind}"] = one.content
    for one in uploads:
        if one.kind == TOML:
            stem = stems.get(_stem(one.name)) or next(iter(stems.values()))
            if len(records) > 1 and _stem(one.name) not in stems:
                raise InputError("is a mapping of none of the records; name it as its record.", file=one.name)
            named[f"{stem}{TOML}"] = one.content
    return named


def _stem(name: str) -> str:
    return _ODD.sub("-", PurePosixPath(name).stem)[:LONGEST_STEM].strip("-") or "record"


def with_rows(there: Opened, rows: Sequence[Row], patient: int) -> Opened:
    """A record with rows added, of its patient at this position.

    Raises
    ------
    Refused
        The reader would set one of them aside, or a value that stood there because of them: nothing is added.
    """
    names = [name for name in there.files if not name.endswith(TOML)]
    label = there.record.facts.label[patient]
    if len(names) == 1 and there.files[names[0]].startswith(HEADER):
        return _added(there, names[0], label, rows)
    return _added(there, ADDED, label or PurePosixPath(names[0]).stem, rows)


def begun(rows: Sequence[Row], name: str) -> Opened:
    """A record that begins with these rows.

    Raises
    ------
    Refused
        The reader would set one of them aside.
    """
    return _added(None, OWN, "", rows, name)


def _added(there: Opened | None, target: str, label: str, rows: Sequence[Row], name: str = "") -> Opened:
    """A record with rows behind those of one of its files."""
    files, aside = (dict[str, bytes](), ()) if there is None else (there.files, there.record.set_aside)
    before = _ended(files.get(target, b""))
    first = before.count(b"\n") + 1 + (not before)
    text = rows_text(rows, label, header=not before)
    own = {first + i: one for i, one in enumerate(rows)}
    try:
        made = opened(
            there.name if there else name, {**files, target: before + text.encode()}, kept=bool(there and there.kept)
        )
    except InputError as problem:  # at the field from which the row came
        row = own.get(problem.line or 0) if problem.file == target else None
        raise problem if row is None else Refused([(row.field, problem.text)]) from None
    found = [one for one in made.record.set_aside if one not in aside]
    faults = [_fault(one, own.get(one.line or 0) if one.file == target else None) for one in found]
    if any(faults):
        raise Refused([one for one in faults if one is not None])
    return made


def _ended(content: bytes) -> bytes:
    return content if not content or content.endswith(b"\n") else content + b"\n"


def _fault(one: SetAside, row: Row | None) -> tuple[str, str] | None:
    """Where a row of the form is at fault, and why; None for a choice that settles no value, which is charted so."""
    if row is not None and row.value in _chosen() and row.value == one.found:
        return None
    told = f"{one.told}; {one.remedy}"
    field = row.field if row is not None and one.column not in MOMENTS else MOMENTS.get(one.column, "time")
    return (field, f"{told}{'' if told.endswith('?') else '.'}")


def _chosen() -> set[str]:
    form = round_form()
    choices = [choice for group in form.groups for question in group.questions for choice in question.choices]
    return {choice.value for choice in (*choices, *(one for score in form.scores.values() for one in score.unable))}


# ---------------------------------------------------------------- open, kept, closed


def find(visit: Visit, key: str) -> Opened:
    """A record that is open, or that was kept.

    Raises
    ------
    Missing
        There is none of this id.
    """
    held = visit.held.find(Opened, key)
    if held is not None and not held.kept:
        return held
    try:
        there = visit.workspace.find(key)
    except Missing:
        visit.held.drop(Opened, key)
        there = None
    if there is None or there.kind != DOOR or not there.path.is_dir():
        raise Missing(
            "this record is not open: it was closed, or lay too long, or vein2vein was started anew. Open it again."
        )
    files = there.files
    if held is None or held.files != files:
        held = opened(there.name, files, kept=True)
        visit.held.put(held, held.size, key)
    return held


def store(visit: Visit, key: str, changed: Opened) -> None:
    """Put a changed record in the place of the one before, on disk only where it was kept."""
    if changed.kept:
        visit.workspace.save_files(key, changed.files)
    visit.held.put(changed, changed.size, key)


def keep(visit: Visit, key: str) -> str:
    """Keep a record in the workspace and return its id there."""
    there = find(visit, key)
    if there.kept:
        return key
    made = visit.workspace.add_folder(DOOR, there.name, there.files).id
    visit.held.drop(Opened, key)
    return made


def close(visit: Visit, key: str) -> None:
    """Forget a record; one that was kept stays in the workspace."""
    visit.held.drop(Opened, key)


TAKEN = (TABLE, ".json", TOML)
"""Kinds of file that a record may have."""
