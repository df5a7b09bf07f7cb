"""The table of jobs in the workspace: what was asked for, in which state it is, how far, what went wrong."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vein2vein.web.words import said
from vein2vein.web.workspace import Missing, Workspace, new_id, now

WAITING, RUNNING, CANCELING = said("waiting"), said("running"), said("canceling")
DONE, FAILED, CANCELED, INTERRUPTED = said("done"), said("failed"), said("canceled"), said("interrupted")
ENDED = (DONE, FAILED, CANCELED, INTERRUPTED)


@dataclass(frozen=True)
class Job:
    """A long computation.

    Attributes
    ----------
    id, door, kind, title : str
    state : str
        waiting, running, canceling, done, failed, canceled or interrupted.
    progress : float
        Fraction done.
    stage : str
        What is being done, in words.
    asked : mapping
        Plain data.
    folder : Path
        Where its results are.
    error : str
        What went wrong, "" where nothing did.
    made, begun, ended : str
        Times (ISO, UTC); "" where it is not so far.
    """

    id: str
    door: str
    kind: str
    title: str
    state: str
    progress: float
    stage: str
    asked: Mapping[str, Any]
    folder: Path
    error: str
    made: str
    begun: str
    ended: str

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.state in ENDED


def add_job(workspace: Workspace, door: str, kind: str, title: str, asked: Mapping[str, Any]) -> Job:
    """Write down what is to be computed; it waits."""
    key = new_id()
    row = (
        key,
        door,
        kind,
        title,
        WAITING,
        0.0,
        "",
        json.dumps(dict(asked), ensure_ascii=False),
        key,
        "",
        now(),
        "",
        "",
    )
    with workspace.database() as database:
        database.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return find_job(workspace, key)


def find_job(workspace: Workspace, key: str) -> Job:
    """A job.

    Raises
    ------
    Missing
        There is no such id.
    """
    with workspace.database() as database:
        row = database.execute("SELECT * FROM jobs WHERE id = ?", (key,)).fetchone()
    if row is None:
        raise Missing("there is no such job in this workspace; it may have been removed. Go back to the start.")
    return _job(workspace, row)


def list_jobs(workspace: Workspace, *states: str, door: str = "", most: int = 50) -> list[Job]:
    """Jobs, newest first; of some states, of one door."""
    marks = ", ".join("?" * len(states))
    where = f"state IN ({marks})" if states else "1"
    with workspace.database() as database:
        rows = database.execute(
            f"SELECT * FROM jobs WHERE {where} AND ? IN ('', door) ORDER BY made DESC, rowid DESC LIMIT ?",
            (*states, door, most),
        ).fetchall()
    return [_job(workspace, row) for row in rows]


def change_job(workspace: Workspace, key: str, was: tuple[str, ...] = (), **values: str | float) -> bool:
    """Change columns of a job that is in one of the states ``was`` (any, where none is named); say whether it is."""
    columns = ", ".join(f"{name} = ?" for name in values)
    marks = f" AND state IN ({', '.join('?' * len(was))})" if was else ""
    with workspace.database() as database:
        done = database.execute(f"UPDATE jobs SET {columns} WHERE id = ?{marks}", (*values.values(), key, *was))
        return done.rowcount == 1


def remove_job(workspace: Workspace, key: str) -> None:
    """Remove a job and its log from the table."""
    with workspace.database() as database:
        database.execute("DELETE FROM jobs WHERE id = ?", (key,))
        database.execute("DELETE FROM job_log WHERE job = ?", (key,))


def note(workspace: Workspace, key: str, text: str) -> None:
    """Add a line to the log of a job."""
    with workspace.database() as database:
        database.execute("INSERT INTO job_log VALUES (?, ?, ?)", (key, now(), text))


def log_of(workspace: Workspace, key: str) -> list[tuple[str, str]]:
    """The log of a job: (time, text)."""
    with workspace.database() as database:
        rows = database.execute("SELECT at, text FROM job_log WHERE job = ? ORDER BY rowid", (key,)).fetchall()
    return [(str(row["at"]), str(row["text"])) for row in rows]


def _job(workspace: Workspace, row: sqlite3.Row) -> Job:
    told: dict[str, Any] = dict(row)
    return Job(**{**told, "asked": json.loads(row["asked"]), "folder": workspace.results / row["folder"]})
