"""The warm process of quick answers: it has loaded what it needs, answers one question after the other, and stops early
where a newer one makes the answer idle."""

from __future__ import annotations

from ctypes import c_longlong
from multiprocessing.connection import Connection
from typing import Any

from vein2vein.errors import InputError
from vein2vein.web.jobs.kinds import function_of
from vein2vein.web.log import trace
from vein2vein.web.plain import plain


class Stopped(Exception):
    """A newer question made this one idle."""


def serve(line: Connection, stop: c_longlong) -> None:
    """Answer questions (ticket, work, asked) along the line until it is closed.

    Sent are ("done", plain data), ("stopped",), ("refused", text, file, line, field) or ("defect", trace). A question
    whose ``asked`` is None only loads what its work needs.
    """
    from vein2vein.runs.scheduler import end_with_parent

    end_with_parent()
    while True:
        try:
            ticket, work, asked = line.recv()
        except EOFError:
            return
        line.send(_answer(int(ticket), str(work), asked, stop))


def _answer(ticket: int, work: str, asked: Any, stop: c_longlong) -> tuple[Any, ...]:
    def progress(fraction: float, stage: str) -> None:
        del fraction, stage
        if stop.value == ticket:
            raise Stopped

    try:
        function = function_of(work)
        return ("done", None if asked is None else plain(function(asked, progress)))
    except Stopped:
        return ("stopped",)
    except InputError as problem:
        return "refused", problem.text, problem.file, problem.line, problem.field
    except Exception as problem:
        return "defect", " | ".join(trace(problem))
