"""What a door's function returns: a page, a part of one, or the way to another; each is made into HTML or its twin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from vein2vein.web.plain import Plain, plain
from vein2vein.web.render import fill
from vein2vein.web.visit import Visit

SEE_OTHER = 303


@dataclass(frozen=True)
class Page:
    """A page, said once: HTML and JSON are both made from it.

    Attributes
    ----------
    template : str
        Below ``templates``; it sees ``data`` as plain data and nothing else of the door's.
    title : str
        English words, translated where the catalogs have them.
    data : mapping
        All that the page shows; what it does not show does not stand here.
    python, command : str
        The same from Python and on the command line.
    names : mapping of str to str
        What the title's places are filled in with.
    status : int
    """

    template: str
    title: str
    data: Mapping[str, object] = field(default_factory=dict[str, object])
    python: str = ""
    command: str = ""
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    status: int = 200


@dataclass(frozen=True)
class Part:
    """A piece of a page that is already there: the answer to a slider, a button, a poll."""

    template: str
    data: Mapping[str, object] = field(default_factory=dict[str, object])
    status: int = 200


@dataclass(frozen=True)
class See:
    """The page on which a change is seen."""

    address: str


Answer = Page | Part | See


def answered(visit: Visit, answer: Answer) -> Response:
    """Make the response: HTML for readers, the twin for programs."""
    if isinstance(answer, See):
        return _seen(visit, answer)
    data = cast("dict[str, Plain]", plain(answer.data))
    if isinstance(answer, Part):
        if visit.wants_json:
            return JSONResponse({"data": data}, answer.status)
        return HTMLResponse(fill(visit, answer.template, data=data), answer.status)
    if visit.wants_json:
        return JSONResponse(twin(visit, answer, data), answer.status)
    shown = fill(
        visit, answer.template, data=data, python=answer.python, command=answer.command, twin=visit.twin,
        title=visit.words(answer.title, **answer.names),
        plain_title=visit.words.attribute(answer.title, **answer.names),
    )  # fmt: skip
    return HTMLResponse(shown, answer.status)


def twin(visit: Visit, page: Page, data: dict[str, Plain]) -> dict[str, Plain]:
    """The same page for programs."""
    return {
        "address": visit.address,
        "language": visit.words.code,
        "title": visit.words.attribute(page.title, **page.names),
        "data": data,
        "python": page.python,
        "command": page.command,
    }


def _seen(visit: Visit, answer: See) -> Response:
    """Send the reader to the page; a script that asked for a part goes there as a whole."""
    if visit.wants_json:
        return JSONResponse({"address": answer.address})
    if visit.is_part:
        return Response(status_code=204, headers={"HX-Redirect": answer.address})
    return RedirectResponse(answer.address, SEE_OTHER)
