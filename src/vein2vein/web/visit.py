"""One request as a door sees it: the reader's words, the workspace, jobs, quick answers, and what was typed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request
from starlette.datastructures import FormData

from vein2vein.web.access import Keys
from vein2vein.web.settings import Settings
from vein2vein.web.words import FRAME, Words, language_of

if TYPE_CHECKING:
    from vein2vein.web.door import Door
    from vein2vein.web.held import Held
    from vein2vein.web.jobs.pool import Jobs
    from vein2vein.web.quick import Quick
    from vein2vein.web.workspace import Workspace

TWIN = ".json"
LANGUAGE_COOKIE = "vein2vein-language"
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
CHANGE_FIELD, CHANGE_HEADER = "change_mark", "x-change-mark"


@dataclass(frozen=True)
class Parts:
    """What the whole app shares."""

    settings: Settings
    keys: Keys
    port: int
    doors: tuple[Door, ...]
    workspace: Workspace
    jobs: Jobs
    quick: Quick
    held: Held


class Typed(Mapping[str, str]):
    """What a form sent, by the name of its field; of a name sent several times, ``all`` has each."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs
        self._last = dict(pairs)

    def __getitem__(self, key: str) -> str:
        return self._last[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def all(self, name: str) -> list[str]:
        """Every value of a name, in order."""
        return [value for key, value in self._pairs if key == name]


@dataclass(frozen=True)
class Visit:
    """One request.

    Attributes
    ----------
    request : Request
    parts : Parts
    """

    request: Request
    parts: Parts

    @cached_property
    def door(self) -> str:
        """Name of the door that was entered; that of the frame for pages of none."""
        name = self.request.url.path.strip("/").split("/")[0].removesuffix(TWIN)
        return name if name in {one.name for one in self.parts.doors} else FRAME

    @cached_property
    def words(self) -> Words:
        """The words of the page in the reader's language."""
        chosen = self.request.cookies.get(LANGUAGE_COOKIE, "")
        return Words(language_of(chosen, self.request.headers.get("accept-language", "")), self.door)

    @property
    def workspace(self) -> Workspace:
        """What is kept on disk."""
        return self.parts.workspace

    @property
    def jobs(self) -> Jobs:
        """Long computations."""
        return self.parts.jobs

    @property
    def quick(self) -> Quick:
        """Short computations in a warm process."""
        return self.parts.quick

    @property
    def held(self) -> Held:
        """What is in memory alone."""
        return self.parts.held

    @property
    def address(self) -> str:
        """The address of the page, without what marks its twin."""
        path = self.request.url.path
        return (path.removesuffix(TWIN) or "/") if path != "/" else path

    @property
    def twin(self) -> str:
        """The address of the twin of what is shown, with what was asked of the page; "" for the answer to a form."""
        if self.request.method not in ("GET", "HEAD"):
            return ""
        asked = self.request.url.query
        return f"{self.address}{TWIN}{'?' if asked else ''}{asked}"

    @property
    def wants_json(self) -> bool:
        """Whether the twin is asked for: by its address, or by a program that says so."""
        if self.request.url.path.endswith(TWIN):
            return True
        accepted = self.request.headers.get("accept", "")
        return "application/json" in accepted and "text/html" not in accepted

    @property
    def is_part(self) -> bool:
        """Whether a page that is already there asks for a part of it."""
        return self.request.headers.get("hx-request") == "true"


def visit_of(request: Request) -> Visit:
    """The visit of a request; made once."""
    found = getattr(request.state, "visit", None)
    if found is None:
        found = request.state.visit = Visit(request, request.app.state.parts)
    return found


async def typed_of(request: Request) -> Typed:
    """What a form sent as text; files are asked for by name (``fastapi.UploadFile``)."""
    return Typed(request.state.typed if request.method not in ("GET", "HEAD") else [])


async def check_change(request: Request) -> AsyncGenerator[None]:
    """Refuse a change that no page of this app sent (its forms and scripts carry a mark); close what was uploaded.

    Raises
    ------
    Unmarked
        The mark is missing, or that of another start.
    """
    kind = request.headers.get("content-type", "")
    if request.method in ("GET", "HEAD"):
        yield
        return
    form = await request.form() if kind.startswith(FORMS) else FormData()
    request.state.typed = [(k, v) for k, v in form.multi_items() if isinstance(v, str) and k != CHANGE_FIELD]
    try:
        given = request.headers.get(CHANGE_HEADER) or form.get(CHANGE_FIELD, "")
        keys = cast("Parts", request.app.state.parts).keys
        if request.url.path != "/login" and not (isinstance(given, str) and keys.is_change(given)):
            raise Unmarked
        yield
    finally:
        await form.close()


class Unmarked(Exception):
    """A change without the mark of a page of this app."""


Visited = Annotated[Visit, Depends(visit_of)]
"""Type of the parameter by which a door's function gets its visit."""
Filled = Annotated[Typed, Depends(typed_of)]
"""Type of the parameter by which a door's function gets what a form sent."""
