"""The pool of jobs: so many at once, each in a process of its own beside the server; all of it survives the server.

What runs stands in the table of the workspace. A server that was killed takes its jobs with it (their processes end by
themselves); the next one finds them in the table: those that go on from what is done are started again, the others are
marked as interrupted.
"""

from __future__ import annotations

import itertools
import multiprocessing
import shutil
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from vein2vein.errors import InputError
from vein2vein.web.jobs import table
from vein2vein.web.jobs.kinds import JobKind
from vein2vein.web.jobs.table import Job
from vein2vein.web.jobs.worker import LOCK, compute
from vein2vein.web.log import LOG
from vein2vein.web.workspace import Workspace, now

PATIENCE = 5.0  # seconds until a process that was asked to end is ended
AGAIN = 5.0  # seconds after which it is tried again to write down what a full disk did not take
BY_SERVER = "The server ended while this was computed."
BY_SYSTEM = "Its process was ended from outside, perhaps for want of memory."
ON, ANEW = "What was done is kept: go on with it.", "What was done is lost: begin it again."
"""What can be done about a job that stopped: of a kind that goes on, and of another."""


@dataclass
class Jobs:
    """Long computations.

    Parameters
    ----------
    workspace : Workspace
    kinds : mapping of str to JobKind
        What may be computed, by ``door/kind``.
    at_once : int
    """

    workspace: Workspace
    kinds: Mapping[str, JobKind]
    at_once: int = 1
    _running: dict[str, BaseProcess] = field(default_factory=dict[str, BaseProcess], repr=False)
    _turn: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _closed: threading.Event = field(default_factory=threading.Event, repr=False)

    def open(self) -> None:
        """Find the jobs of an earlier server: those that can go on wait again, the others are told as interrupted."""
        for job in table.list_jobs(self.workspace, table.RUNNING, table.CANCELING, most=10_000):
            if job.state == table.CANCELING:
                table.change_job(self.workspace, job.id, state=table.CANCELED, ended=now())
            elif self._kind(job).resumable:
                table.note(self.workspace, job.id, f"{BY_SERVER} It goes on from what was done.")
                table.change_job(self.workspace, job.id, state=table.WAITING)
            else:
                table.note(self.workspace, job.id, BY_SERVER)
                told = f"{BY_SERVER} {self._remedy(job)}"
                table.change_job(self.workspace, job.id, state=table.INTERRUPTED, error=told, ended=now())
        self._fill()

    def start(self, door: str, kind: str, title: str, asked: Mapping[str, Any]) -> Job:
        """Start a job, or let it wait for its turn.

        Parameters
        ----------
        door, kind : str
        title : str
            What people call it; nothing that names a patient.
        asked : mapping
            Plain data for the function of the kind.
        """
        if f"{door}/{kind}" not in self.kinds:
            raise ValueError(f"the door {door} declares no job '{kind}'")
        job = table.add_job(self.workspace, door, kind, title, asked)
        self._fill()
        return job

    def find(self, key: str) -> Job:
        """A job by its id."""
        return table.find_job(self.workspace, key)

    def recent(self, most: int) -> list[Job]:
        """Jobs, newest first."""
        return table.list_jobs(self.workspace, most=most)

    def goes_on(self, job: Job) -> bool:
        """Whether a job goes on from what is done."""
        return self._kind(job).resumable

    def cancel(self, key: str) -> Job:
        """Stop a job; what it has done is kept where it goes on from that."""
        with self._turn:
            job, process = self.find(key), self._running.get(key)
            if job.state == table.WAITING:
                table.change_job(self.workspace, key, (table.WAITING,), state=table.CANCELED, ended=now())
            elif process is not None and table.change_job(self.workspace, key, (table.RUNNING,), state=table.CANCELING):
                process.terminate()
                threading.Thread(target=_end, args=(process,), daemon=True).start()
        return self.find(key)

    def resume(self, key: str) -> Job:
        """Go on with a job that was stopped, or begin it anew where it cannot go on.

        Raises
        ------
        InputError
            It is running, or done.
        """
        job = self.find(key)
        if not job.has_ended or job.state == table.DONE:
            raise InputError(f"the job is {job.state}; only one that was stopped or failed is taken up again.")
        if not self._kind(job).resumable:
            shutil.rmtree(job.folder, ignore_errors=True)
        table.change_job(self.workspace, key, table.ENDED, state=table.WAITING, error="", ended="", progress=0.0)
        self._fill()
        return self.find(key)

    def remove(self, key: str) -> None:
        """Remove a job that has ended, with its results."""
        job = self.find(key)
        if not job.has_ended:
            raise InputError(f"the job is {job.state}; cancel it first.")
        shutil.rmtree(job.folder, ignore_errors=True)
        job.folder.with_name(f"{job.folder.name}{LOCK}").unlink(missing_ok=True)
        table.remove_job(self.workspace, key)

    def close(self) -> None:
        """End the processes; what runs is found by the next server."""
        with self._turn:
            self._closed.set()
            processes = list(self._running.values())
        for process in processes:
            process.terminate()
        for process in processes:
            _end(process)

    def _kind(self, job: Job) -> JobKind:
        return self.kinds.get(f"{job.door}/{job.kind}", JobKind(""))

    def _remedy(self, job: Job) -> str:
        """What can be done about a job that stopped."""
        return ON if self.goes_on(job) else ANEW

    def _fill(self) -> None:
        """Start what waits, oldest first, while there is room."""
        with self._turn:
            if self._closed.is_set():
                return
            for job in reversed(table.list_jobs(self.workspace, table.WAITING, most=10_000)):
                if len(self._running) >= self.at_once:
                    return
                if not self._kind(job).work:
                    said = (
                        "no door of this version computes such a job; open the workspace with the version that made it."
                    )
                    table.change_job(self.workspace, job.id, state=table.FAILED, error=said, ended=now())
                    continue
                self._launch(job)

    def _launch(self, job: Job) -> None:
        table.change_job(self.workspace, job.id, state=table.RUNNING, begun=now(), error="", ended="")
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe(duplex=False)
        process = context.Process(
            target=compute,
            args=(there, self._kind(job).work, dict(job.asked), job.folder),
            name=f"vein2vein job {job.id}",
        )
        try:
            process.start()
        except OSError as problem:
            said = f"no process could be started ({problem.strerror}); close other programs, then start it again."
            table.change_job(self.workspace, job.id, state=table.FAILED, error=said, ended=now())
            return
        finally:
            there.close()
        self._running[job.id] = process
        threading.Thread(target=self._follow, args=(job.id, process, here), daemon=True).start()

    def _follow(self, key: str, process: BaseProcess, line: Connection) -> None:
        """Write down what a job says until its process ends."""
        last: tuple[Any, ...] = ()
        with suppress(EOFError, OSError):
            while True:
                word = line.recv()
                if word[0] == "progress":
                    with suppress(Exception):  # a full disk: the state is told once there is room again
                        table.change_job(self.workspace, key, (table.RUNNING,), progress=word[1], stage=word[2])
                else:
                    last = word
        process.join()
        line.close()
        self._insist(lambda: self._finish(key, last))
        with self._turn:
            self._running.pop(key, None)
        self._insist(self._fill)

    def _insist(self, write: Callable[[], None]) -> None:
        """Write something down; where the disk is full, again and again until there is room, or the app ends."""
        for tried in itertools.count():
            try:
                with self._turn:
                    return write()
            except sqlite3.Error as problem:
                LOG.error("the table of jobs cannot be written (%s)", problem)
            with suppress(sqlite3.Error):
                self.workspace.make_room()
            if self._closed.wait(AGAIN if tried else 0):
                return

    def _finish(self, key: str, last: tuple[Any, ...]) -> None:
        if self._closed.is_set() and not last:
            return  # the next server finds it running
        found: dict[str, str | float] = {"ended": now()}
        if last and last[0] == "done":
            found |= {"state": table.DONE, "progress": 1.0, "stage": ""}
        elif self.find(key).state == table.CANCELING:
            found |= {"state": table.CANCELED}
        elif last and last[0] == "failed":
            found |= {"state": table.FAILED, "error": str(last[1])}
        elif last:
            LOG.error("defect in job %s: %s", key, last[1])
            table.note(self.workspace, key, str(last[1]))
            said = "something unexpected failed; this is a defect of vein2vein: report it with the log below."
            found |= {"state": table.FAILED, "error": said}
        else:
            told = f"{BY_SYSTEM} {self._remedy(self.find(key))} Close other programs before, or ask for less."
            found |= {"state": table.FAILED, "error": told}
        table.change_job(self.workspace, key, (), **found)


def _end(process: BaseProcess) -> None:
    """Wait for a process that was asked to end; end it where it does not."""
    process.join(PATIENCE)
    if process.is_alive():
        process.kill()
        process.join(PATIENCE)
