"""The page on which one arrives: the doors, recent work, the language; and the sign-in behind a proxy."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Form
from starlette.responses import HTMLResponse, RedirectResponse, Response

from vein2vein.explain.languages import all_languages
from vein2vein.web.door import Door
from vein2vein.web.page import SEE_OTHER, Page
from vein2vein.web.render import fill
from vein2vein.web.visit import LANGUAGE_COOKIE, Visit, Visited
from vein2vein.web.words import said

RECENT = 8
YEAR = 31_536_000  # seconds that a chosen language is remembered

SAVED = said("saved")
DOOR = Door("home", said("Start"), said("The doors, and recent work."), for_people=False)


@DOOR.page("/")
def home(visit: Visited) -> Page:
    """Show the doors and the recent work of this workspace."""
    doors = [
        {"name": one.name, "title": one.title, "about": one.about, "address": f"/{one.name}"}
        for one in visit.parts.doors
        if one.for_people
    ]
    return Page("home.html.j2", "vein2vein", {"doors": doors, "recent": recent(visit)}, command="vein2vein app")


def recent(visit: Visit) -> list[dict[str, object]]:
    """What was last put in or computed, newest first: what it is, its name, when, its state, its address."""
    names = {one.name for one in visit.parts.doors}
    work: list[dict[str, object]] = [
        {"what": "job", "name": one.title, "when": one.ended or one.begun or one.made, "state": one.state,
         "address": f"/jobs/{one.id}"}
        for one in visit.jobs.recent(RECENT)
    ]  # fmt: skip
    for one in visit.workspace.listed(most=RECENT):
        address = f"/{one.kind}/{one.id}" if one.kind in names else f"/inputs/{one.id}"
        work.append({"what": "input", "name": one.name, "when": one.changed, "state": SAVED, "address": address})
    return sorted(work, key=lambda one: str(one["when"]), reverse=True)[:RECENT]


@DOOR.change("/language")
def choose_language(
    visit: Visited, language: Annotated[str, Form(max_length=8)], back: Annotated[str, Form(max_length=2000)] = "/"
) -> Response:
    """Remember the language that a reader chose, and go back to the page."""
    answer = RedirectResponse(_here(back), SEE_OTHER)
    if language in all_languages():
        secure = bool(visit.parts.settings.public)
        answer.set_cookie(LANGUAGE_COOKIE, language, max_age=YEAR, httponly=True, samesite="strict", secure=secure)
    return answer


@DOOR.router.get("/login", include_in_schema=False)
def sign_in_page(visit: Visited) -> Response:
    """Ask for the password."""
    return _sign_in(visit, wrong=False)


@DOOR.router.post("/login", include_in_schema=False)
def sign_in(visit: Visited, password: Annotated[str, Form(max_length=1000)] = "") -> Response:
    """Let in whoever knows the password."""
    if not visit.parts.keys.is_password(password):
        return _sign_in(visit, wrong=True)
    answer = RedirectResponse("/", SEE_OTHER)
    answer.set_cookie(
        "__Host-vein2vein", visit.parts.keys.cookie, httponly=True, samesite="strict", secure=True, path="/"
    )
    return answer


def _sign_in(visit: Visit, *, wrong: bool) -> Response:
    shown = fill(
        visit, "login.html.j2", wrong=wrong, title=visit.words("Sign in"), plain_title=visit.words.attribute("Sign in")
    )
    return HTMLResponse(shown, 403 if wrong else 200)


def _here(back: str) -> str:
    """An address of this app: whatever else was asked for becomes the start."""
    parts = urlsplit(back)
    inside = back.startswith("/") and not back.startswith("//") and "\\" not in back and back.isprintable()
    return back if inside and not parts.scheme and not parts.netloc else "/"
