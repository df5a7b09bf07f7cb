"""Quick answers, for sliders and forms: a warm process computes them, and a newer question of a slot stops the older.

A slot is one form on one page that is open: whoever drags a slider asks again and again, and only the last answer is of
use. The process starts with the first question (or with ``warm``) and ends when nobody has asked for a while.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from vein2vein.errors import InputError
from vein2vein.web.plain import Plain
from vein2vein.web.quick_worker import serve

LONGEST = 60.0  # seconds of one answer; more is a job
FIRST = 900.0  # seconds of the first answer of a process: on a slow machine it loads and compiles for minutes
IDLE = 600.0  # seconds without a question after which the process ends
NOBODY = -1
LONGEST_SLOT = 64  # characters


class Superseded(Exception):
    """A newer question of the same slot took its place: there is nothing to show."""


class Overdue(Exception):
    """No answer in time, or the process was ended from outside."""


class Defect(Exception):
    """The computation failed in a way that is ours."""


@dataclass
class Quick:
    """The warm process and whose turn it is."""

    longest: float = LONGEST
    first: float = FIRST
    idle: float = IDLE
    _turn: threading.Condition = field(default_factory=threading.Condition, repr=False)
    _newest: dict[str, int] = field(default_factory=dict[str, int], repr=False)
    _tickets: int = 0
    _running: tuple[str, int] | None = None
    _process: BaseProcess | None = None
    _line: Connection | None = None
    _used: float = 0.0
    _has_answered: bool = False
    _context: Any = field(default_factory=lambda: multiprocessing.get_context("spawn"), repr=False)
    _stop: Any = None

    def __post_init__(self) -> None:
        self._stop = self._context.RawValue("q", NOBODY)  # no lock: nothing to clean up where the process is killed

    def ask(self, slot: str, work: str, asked: Any) -> Plain:
        """Compute an answer.

        Parameters
        ----------
        slot : str
            Form and page; a newer question of the same slot stops this one.
        work : str
            ``module:function`` of ``function(asked, progress)``. It calls ``progress(fraction, stage)`` now and then:
            that is where it can be stopped.
        asked : plain data

        Returns
        -------
        plain data

        Raises
        ------
        Superseded
            A newer question came.
        InputError
            As the function raised it.
        Overdue
            It took too long, or the process was ended.
        """
        slot = slot[:LONGEST_SLOT]
        with self._turn:
            self._tickets += 1
            ticket = self._tickets
            self._newest[slot] = ticket
            if self._running is not None and self._running[0] == slot:
                self._stop.value = self._running[1]
            self._turn.notify_all()
            while self._running is not None:
                if self._newest.get(slot) != ticket:
                    raise Superseded
                self._turn.wait(1.0)
            if self._newest.get(slot) != ticket:
                raise Superseded
            self._running = (slot, ticket)
        try:
            return self._computed(ticket, work, asked)
        finally:
            with self._turn:
                self._running = None
                if self._newest.get(slot) == ticket:
                    del self._newest[slot]
                self._turn.notify_all()

    def warm(self, work: str) -> None:
        """Let the process start and load what a work needs, while the reader looks at the page."""

        def load() -> None:
            try:
                self.ask(f"warm {work}", work, None)
            except (Superseded, Overdue, Defect, InputError):
                return

        threading.Thread(target=load, daemon=True).start()

    def close(self) -> None:
        """End the process."""
        process, line = self._process, self._line
        self._process = self._line = None
        if line is not None:
            line.close()
        if process is not None:
            process.kill()
            process.join()

    def rest(self) -> None:
        """End the process where nobody has asked for a while."""
        with self._turn:
            if self._running is None and self._process is not None and time.monotonic() - self._used > self.idle:
                self.close()

    def _computed(self, ticket: int, work: str, asked: Any) -> Plain:
        line = self._started()
        try:
            line.send((ticket, work, asked))
            longest = self.longest if self._has_answered else max(self.first, self.longest)
            if not line.poll(longest):
                self.close()
                raise Overdue(f"No answer within {longest:g} seconds; ask for less, or start it as a job.")
            answer = line.recv()
        except (EOFError, OSError):  # also a line that was closed while the app ends
            self.close()
            raise Overdue("The computation was ended from outside, perhaps for want of memory; ask for less.") from None
        self._used = time.monotonic()
        if answer[0] == "done":
            self._has_answered |= asked is not None
            return answer[1]
        if answer[0] == "stopped":
            raise Superseded
        if answer[0] == "refused":
            raise InputError(answer[1], file=answer[2], line=answer[3], field=answer[4])
        raise Defect(answer[1])

    def _started(self) -> Connection:
        """The line to the process, started where there is none."""
        if self._process is None or self._line is None or not self._process.is_alive():
            self.close()
            here, there = self._context.Pipe()
            process = self._context.Process(target=serve, args=(there, self._stop), name="vein2vein quick", daemon=True)
            process.start()
            there.close()
            self._process, self._line, self._has_answered = process, here, False
            self._used = time.monotonic()
            return here
        self._used = time.monotonic()
        return self._line
