"""The workspace: one folder that holds what was put in and what came out; the command line opens all of it.

inputs/<id>.toml|csv|json   what was typed, uploaded or saved
inputs/<id>/                several files that belong together
results/<id>/               what a job left behind, as the command line writes it
models/                     model files of one's own, put there by hand
jobs.db                     what was done when (SQLite): inputs by name, jobs and their state

An address holds an id alone, and an id is looked up: no path comes from a browser.
"""

from __future__ import annotations

import datetime
import re
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from vein2vein.errors import InputError
from vein2vein.files import checksum, make_folder, write_bytes
from vein2vein.locks import release_lock, take_lock

DATABASE, LOCK = "jobs.db", ".lock"
ID_BYTES = 8
LONGEST_NAME, LONGEST_FILE = 120, 60  # characters
_UNSAFE = re.compile(r"[^\w.]+")
SUFFIXES = (".toml", ".csv", ".json", ".txt", ".xml")
ROOM = 131_072  # bytes that the database keeps free, so that how a job ended is written down on a full disk, too
PATIENCE = 20.0  # seconds until a database that another thread writes must be free
TABLES = """
CREATE TABLE IF NOT EXISTS inputs (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, file TEXT NOT NULL, digest TEXT NOT NULL,
  made TEXT NOT NULL, changed TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, door TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL, state TEXT NOT NULL,
  progress REAL NOT NULL, stage TEXT NOT NULL, asked TEXT NOT NULL, folder TEXT NOT NULL, error TEXT NOT NULL,
  made TEXT NOT NULL, begun TEXT NOT NULL, ended TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS job_log (job TEXT NOT NULL, at TEXT NOT NULL, text TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS log_of_job ON job_log (job);
"""


class Missing(InputError):
    """An id that the workspace does not hold."""


class Changed(Exception):
    """Somebody else saved the same input in between."""

    def __init__(self, name: str) -> None:
        self.text = (
            f"'{name}' was changed elsewhere since this page was opened, and that is kept; copy what you typed, open "
            "it again, and put it in there."
        )
        super().__init__(self.text)


@dataclass(frozen=True)
class Input:
    """Something that was put in.

    Attributes
    ----------
    id, kind, name : str
        ``kind`` is the door's word for it, such as "patient" or "trial"; ``name`` is for people.
    path : Path
    digest : str
        SHA-256 of the content: what a change says it is based on. Of a file that is found by its id as it stands,
        changed by hand or not; in a list as it was saved, since a list need not read every file.
    made, changed : str
        Times (ISO, UTC).
    """

    id: str
    kind: str
    name: str
    path: Path
    digest: str
    made: str
    changed: str

    @property
    def file_name(self) -> str:
        """What its file is called where it is saved and in the commands that pages show: a shell takes it as it is."""
        plain = _UNSAFE.sub("-", self.name).strip("-.")[:LONGEST_FILE].rstrip("-.")
        return f"{(plain or self.kind).removesuffix(self.path.suffix)}{self.path.suffix}"

    @property
    def files(self) -> dict[str, bytes]:
        """Of several files that belong together: the content of each by its name."""
        return {
            path.name: path.read_bytes()
            for path in sorted(self.path.iterdir())
            if path.is_file() and not path.is_symlink()
        }

    def text(self) -> str:
        """The content."""
        return self.path.read_text(encoding="utf-8")


def now() -> str:
    """This moment (ISO, UTC)."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def new_id() -> str:
    """An id that nobody guesses."""
    return secrets.token_hex(ID_BYTES)


def _digest(files: Mapping[str, bytes]) -> str:
    """Of several files: of their names and contents."""
    return checksum("\n".join(f"{checksum(content)} {name}" for name, content in sorted(files.items())).encode())


def short_name(text: str, otherwise: str) -> str:
    """A name as pages show it: one line, printable, not endless."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return (line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…") or otherwise


@dataclass
class Workspace:
    """The folder, opened."""

    folder: Path
    _writing: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _lock: int | None = field(default=None, repr=False)
    _open: sqlite3.Connection | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for place in (self.folder, self.inputs, self.results, self.models):
            make_folder(place)
        self._claim()
        try:
            self._open_database()
        except sqlite3.Error as problem:
            self.close()
            raise InputError(
                f"the workspace {self.folder} cannot be written ({problem}); free some space, mend its permissions, or "
                "give another folder.",
                field="--workspace",
            ) from None

    def _open_database(self) -> None:
        with self.database() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(TABLES)
            # SQLite removes its index of the log with the last connection, and on a full disk cannot make it anew, not
            # even to read: one connection stays open.
            self._open = self._connection()
            self._open.execute("SELECT COUNT(*) FROM inputs").fetchone()
        self._keep_room()

    @property
    def inputs(self) -> Path:
        """Where inputs are kept."""
        return self.folder / "inputs"

    @property
    def results(self) -> Path:
        """Where results are kept."""
        return self.folder / "results"

    @property
    def models(self) -> Path:
        """Where model files of one's own are put by hand."""
        return self.folder / "models"

    def _claim(self) -> None:
        """Let no second app open the folder; the system gives it free with the process."""
        self._lock = take_lock(self.folder / LOCK)
        if self._lock is None:
            raise InputError(
                f"the workspace {self.folder} is open in another vein2vein app; use that one, or give another folder.",
                field="--workspace",
            )

    def close(self) -> None:
        """Give the folder free."""
        if self._open is not None:
            self._open.close()
            self._open = None
        if self._lock is not None:
            release_lock(self._lock)
            self._lock = None

    @contextmanager
    def database(self) -> Generator[sqlite3.Connection]:
        """A connection whose changes are kept together when the block ends well, and not at all otherwise."""
        connection = self._connection()
        connection.row_factory = sqlite3.Row
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def _keep_room(self) -> None:
        """Let the database and its log grow now; what grew is written over later, and is there on a full disk."""
        for steps in (
            "CREATE TABLE IF NOT EXISTS room (held BLOB); INSERT INTO room VALUES (zeroblob({}));",
            "DROP TABLE room;",
        ):
            with self.database() as database:
                database.executescript(steps.format(ROOM))
        self.make_room()

    def make_room(self) -> None:
        """Put what stands in the log into the database: the next change is written over the log from its beginning."""
        with self.database() as database:
            database.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()

    def _connection(self) -> sqlite3.Connection:
        """A connection; any thread may close it."""
        return sqlite3.connect(self.folder / DATABASE, timeout=PATIENCE, check_same_thread=False)

    def add(self, kind: str, name: str, content: str | bytes, suffix: str) -> Input:
        """Keep something that was put in.

        Parameters
        ----------
        kind, name : str
        content : str or bytes
        suffix : str
            One of ``SUFFIXES``, by the content and not by what a browser called it.
        """
        if suffix not in SUFFIXES:
            raise ValueError(f"'{suffix}' is no kind of file that is kept")
        data = content.encode() if isinstance(content, str) else content
        made, key = now(), new_id()
        path = self.inputs / f"{key}{suffix}"
        row = (key, kind, short_name(name, kind), path.name, checksum(data), made, made)
        try:
            write_bytes(path, data, durable=True)
            self._insert(row)
        except BaseException:
            path.unlink(missing_ok=True)  # all of it or nothing
            raise
        return self.find(key)

    def _insert(self, row: tuple[str, ...]) -> None:
        with self.database() as database:
            database.execute("INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def add_folder(self, kind: str, name: str, files: Mapping[str, bytes]) -> Input:
        """Keep several files that belong together, under names of ours, as a folder.

        Parameters
        ----------
        kind, name : str
        files : mapping of name to bytes
        """
        made, key = now(), new_id()
        folder = make_folder(self.inputs / key)
        row = (key, kind, short_name(name, kind), key, _digest(files), made, made)
        try:
            for file, content in files.items():
                write_bytes(folder / file, content, durable=True)
            self._insert(row)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # all of it or nothing
            raise
        return self.find(key)

    def save_files(self, key: str, files: Mapping[str, bytes]) -> Input:
        """Write files of a folder that was kept; the others of it stay."""
        with self._writing:
            there = self.find(key)
            for file, content in files.items():
                write_bytes(there.path / file, content, force=True, durable=True)
            row = (_digest(there.files), now(), key)
            with self.database() as database:
                database.execute("UPDATE inputs SET digest = ?, changed = ? WHERE id = ?", row)
        return self.find(key)

    def find(self, key: str) -> Input:
        """Something that was put in.

        Raises
        ------
        Missing
            There is no such id, or its file was taken away by hand.
        """
        with self.database() as database:
            row = database.execute("SELECT * FROM inputs WHERE id = ?", (key,)).fetchone()
        if row is None or not (self.inputs / row["file"]).exists():
            raise Missing("there is no such input in this workspace; it may have been removed. Go back to the start.")
        there = self._input(row)
        return there if there.path.is_dir() else replace(there, digest=checksum(there.path))

    def listed(self, kind: str = "", most: int = 50) -> list[Input]:
        """What was put in, newest change first."""
        with self.database() as database:
            rows = database.execute(
                "SELECT * FROM inputs WHERE ? IN ('', kind) ORDER BY changed DESC, rowid DESC LIMIT ?", (kind, most)
            ).fetchall()
        return [self._input(row) for row in rows if (self.inputs / row["file"]).exists()]

    def save(self, key: str, content: str | bytes, *, based_on: str, name: str | None = None) -> Input:
        """Replace the content of an input.

        Parameters
        ----------
        key : str
        content : str or bytes
        based_on : str
            Digest of the content that whoever changed it had before them.
        name : str, optional

        Raises
        ------
        Changed
            It is another one by now: nothing is written.
        Missing
            There is no such input.
        """
        data = content.encode() if isinstance(content, str) else content
        with self._writing:
            there = self.find(key)
            if there.digest != based_on:
                raise Changed(there.name)
            before = there.path.read_bytes()
            row = (checksum(data), now(), short_name(name or there.name, there.kind), key)
            try:
                with self.database() as database:
                    database.execute("UPDATE inputs SET digest = ?, changed = ?, name = ? WHERE id = ?", row)
                    write_bytes(there.path, data, force=True, durable=True)
            except sqlite3.Error:  # only the table was too large for the disk: what stood there comes back
                with suppress(InputError):
                    write_bytes(there.path, before, force=True, durable=True)
                raise
        return self.find(key)

    def remove(self, key: str) -> None:
        """Remove an input, its file first."""
        there = self.find(key)
        if there.path.is_dir():
            shutil.rmtree(there.path)
        there.path.unlink(missing_ok=True)
        with self.database() as database:
            database.execute("DELETE FROM inputs WHERE id = ?", (key,))

    def own_models(self) -> list[Path]:
        """Model files of one's own: put into the workspace by hand, never by upload."""
        return sorted(path for path in self.models.glob("*.py") if path.is_file())

    def _input(self, row: sqlite3.Row) -> Input:
        told = {name: str(row[name]) for name in ("id", "kind", "name", "digest", "made", "changed")}
        return Input(**told, path=self.inputs / row["file"])
