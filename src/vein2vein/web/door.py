"""A door: a part of the app with its name, its pages, its changes, and what it computes.

The functions of a door are plain ones with types. ``page`` gives one an address and, at the same address with .json,
its twin; ``change`` answers what a form sends; ``part`` answers a slider. Each gets its visit as ``visit: Visited``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from vein2vein.web.jobs.kinds import JobKind
from vein2vein.web.page import Answer, answered
from vein2vein.web.visit import TWIN

Function = TypeVar("Function", bound=Callable[..., Any])
SEEN: dict[int | str, dict[str, Any]] = {
    204: {"description": "A newer question of the same form was asked in between."},
    303: {"description": "Done; the page on which it is seen."},
}
"""What a change may be answered with besides a page."""
FORM = {"application/x-www-form-urlencoded": {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}}


@dataclass(frozen=True)
class Door:
    """A part of the app.

    Attributes
    ----------
    name : str
        Of the module in ``doors``, of its templates, its texts, and its address: /name.
    title, about : str
        What it is called, and one sentence about whom it serves; English words that the catalogs translate.
    jobs : mapping of str to JobKind
        Long computations that it starts, by name.
    for_people : bool
        Whether home shows it.
    """

    name: str
    title: str
    about: str
    jobs: Mapping[str, JobKind] = field(default_factory=dict[str, JobKind])
    for_people: bool = True
    router: APIRouter = field(default_factory=APIRouter, compare=False, repr=False)

    def page(self, path: str) -> Callable[[Function], Function]:
        """Show what a function returns at this address, and its twin beside it."""
        twin = "/.json" if path == "/" else f"{path}{TWIN}"

        def decorate(function: Function) -> Function:
            shown = _answering(function)
            name = f"{self.name}: {function.__name__}"
            self.router.add_api_route(
                twin, shown, methods=["GET"], response_class=JSONResponse, response_model=None, name=f"{name} (twin)"
            )
            self.router.add_api_route(path, shown, methods=["GET"], response_model=None, name=name)
            return function

        return decorate

    def change(self, path: str, *, form: bool = False) -> Callable[[Function], Function]:
        """Answer what a form sends to this address; ``form`` where its fields follow a schema (``Filled``)."""
        extra = {"requestBody": {"content": FORM}} if form else None

        def decorate(function: Function) -> Function:
            self.router.add_api_route(
                path, _answering(function), methods=["POST"], response_model=None, openapi_extra=extra, responses=SEEN,
                name=f"{self.name}: {function.__name__}",
            )  # fmt: skip
            return function

        return decorate

    def poll(self, path: str) -> Callable[[Function], Function]:
        """Answer a page that asks again and again for a part of itself."""

        def decorate(function: Function) -> Function:
            self.router.add_api_route(
                path,
                _answering(function),
                methods=["GET"],
                response_model=None,
                name=f"{self.name}: {function.__name__}",
            )
            return function

        return decorate

    part = change
    """Answer a slider or a button with a part of the page (``Part``); the same as a change, said by its purpose."""


def _answering(function: Callable[..., Answer | Response]) -> Callable[..., Response]:
    """A function whose answer is made into a response; what it takes stays as it is typed."""

    @functools.wraps(function)
    def answering(**given: Any) -> Response:
        found = function(**given)
        return found if isinstance(found, Response) else answered(given["visit"], found)

    return answering
