"""What goes wrong, on the page: the sentence and how to mend it, never a traceback; the state before is kept."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response

from vein2vein.errors import InputError
from vein2vein.files import WriteError
from vein2vein.web.guard import TooLarge, too_large
from vein2vein.web.log import log_defect
from vein2vein.web.quick import Overdue, Superseded
from vein2vein.web.render import fill
from vein2vein.web.visit import Unmarked, visit_of
from vein2vein.web.words import said
from vein2vein.web.workspace import Changed, Missing

BAD_INPUT, CONFLICT, FULL, DEFECT, LATE = 422, 409, 507, 500, 503
MARK = "#problem"
TITLE = said("That did not work")
SAYINGS = {
    400: said("What was sent could not be read as a form. If a file has a very long name, give it a shorter one."),
    404: said("There is no such page. It may have been removed; go back to the start."),
    405: said("This address does not take that kind of request; go back to the start."),
    403: said("The page was opened under an earlier start of vein2vein; load it again."),
}


def problem(
    request: Request, status: int, sentence: str, *, file: str | None = None, line: int | None = None,
    field: str | None = None,
) -> Response:  # fmt: skip
    """The answer that says what went wrong.

    Parameters
    ----------
    request : Request
    status : int
    sentence : str
        For the reader: what was found, what was expected, how to mend it.
    file, line, field : optional
        Where it was.
    """
    visit = visit_of(request)
    told: dict[str, Any] = {"sentence": sentence, "file": file, "line": line, "field": field, "status": status}
    if visit.wants_json:
        return JSONResponse({"error": told}, status)
    told["typed"] = [(name, value) for name, value in getattr(request.state, "typed", []) if value.strip()]
    if visit.is_part:  # what is on the page stays there; the sentence is put above it
        headers = {"HX-Retarget": MARK, "HX-Reswap": "innerHTML"}
        return HTMLResponse(fill(visit, "problem_part.html.j2", data=told), status, headers)
    title, plain_title = visit.words(TITLE), visit.words.attribute(TITLE)
    shown = fill(
        visit, "problem.html.j2", data=told, title=title, plain_title=plain_title, python="", command="", twin=""
    )
    return HTMLResponse(shown, status)


def _input(request: Request, found: InputError) -> Response:
    status = FULL if isinstance(found, WriteError) else 404 if isinstance(found, Missing) else BAD_INPUT
    return problem(request, status, found.text, file=found.file, line=found.line, field=found.field)


def _validation(request: Request, found: RequestValidationError) -> Response:
    """What does not fit the types of a route: a request made by hand, for forms are checked by their own readers."""
    first = cast("dict[str, Any]", found.errors()[0])
    place = ".".join(str(one) for one in first["loc"][1:]) or "the request"
    text = str(first["msg"])
    return problem(request, BAD_INPUT, f"{place}: {text[0].lower()}{text[1:]}; use the form of the page.", field=place)


def _http(request: Request, found: HTTPException) -> Response:
    if isinstance(found.__cause__, TooLarge):
        return problem(request, 413, too_large(found.__cause__.limit))
    return problem(request, found.status_code, SAYINGS.get(found.status_code, str(found.detail)))


def _defect(request: Request, found: Exception) -> Response:
    number = secrets.token_hex(4)
    route = request.scope.get("route")
    log_defect(number, getattr(route, "path", "no route"), found)
    return problem(
        request,
        DEFECT,
        f"Something unexpected failed; this is a defect of vein2vein, and nothing of yours was changed. "
        f"Report number {number} with the log that the server wrote.",
    )


def _disk(request: Request, found: OSError) -> Response:
    import errno

    if found.errno not in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EACCES, errno.EROFS):
        return _defect(request, found)
    return problem(
        request, FULL, f"The workspace cannot be written ({found.strerror}); free some space, or mend its permissions."
    )


def _database(request: Request, found: sqlite3.OperationalError) -> Response:
    log_defect("database", "the workspace", found)
    said = f"The workspace cannot be read or written ({found}); free some space, or try again in a moment."
    return problem(request, FULL, said)


PARTS = {"sentence": "string", "status": "integer", "file": "string", "line": "integer", "field": "string"}
WRONG: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": list(PARTS),
            "properties": {
                name: {"type": kind if name in ("sentence", "status") else [kind, "null"]}
                for name, kind in PARTS.items()
            },
        }
    },
}
"""What a twin says went wrong, as ``problem`` writes it (JSON Schema)."""
STATUSES = {
    400: "What was sent could not be read as a form.",
    403: "Not opened with the address that was printed at the start, from elsewhere, or under an earlier start.",
    404: "There is no such thing in this workspace.",
    CONFLICT: "It was changed elsewhere since it was opened.",
    413: "More was sent than is taken.",
    BAD_INPUT: "The input is wrong: what was found, what was expected, how to mend it.",
    DEFECT: "A defect of vein2vein.",
    LATE: "It was not computed in time.",
    FULL: "The workspace cannot be written.",
}
"""What the app may answer besides what was asked for, by status; every address may."""


def declared() -> dict[int | str, dict[str, Any]]:
    """Statuses of failures with their schema, for the description of the app (OpenAPI)."""
    shown = {"application/json": {"schema": WRONG}}
    return {status: {"description": text, "content": shown} for status, text in STATUSES.items()}


HANDLERS: dict[type[Exception], Callable[[Request, Any], Response]] = {
    InputError: _input,
    OSError: _disk,
    sqlite3.OperationalError: _database,
    RequestValidationError: _validation,
    HTTPException: _http,
    Unmarked: lambda request, _: problem(request, 403, SAYINGS[403]),
    TooLarge: lambda request, found: problem(request, 413, too_large(found.limit)),
    Changed: lambda request, found: problem(request, CONFLICT, found.text),
    Superseded: lambda request, _: Response(status_code=204),
    Overdue: lambda request, found: problem(request, LATE, str(found)),
    Exception: _defect,
}


def add_handlers(app: FastAPI) -> None:
    """Let every failure be answered by a sentence."""
    for kind, answer in HANDLERS.items():
        app.add_exception_handler(kind, _asynchronous(answer))


def _asynchronous(answer: Callable[[Request, Any], Response]) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answered(request: Request, found: Exception) -> Response:
        return answer(request, found)

    return answered
