"""A referral: intake, criteria, centers, papers. Addresses alone; what they answer is made in ``web/referral``.

That is loaded with the first page of this door: the app starts without numbers of the model.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import File, Form, Query, UploadFile
from starlette.responses import Response

from vein2vein.web.door import Door
from vein2vein.web.page import Page, See
from vein2vein.web.referral.names import TITLE, Wanted
from vein2vein.web.visit import Filled, Visited
from vein2vein.web.words import said

DOOR = Door(
    "referral",
    TITLE,
    said(
        "For a patient anywhere who seeks treatment: intake step by step, criteria of the labels, the papers for a "
        "center."
    ),
)


@DOOR.page("/referral")
def start(visit: Visited) -> Page:
    """Begin a referral, open a file, or go on with one."""
    from vein2vein.web.referral import pages

    return pages.start(visit)


@DOOR.change("/referral/new", form=True)
def new(visit: Visited, typed: Filled) -> See | Page:
    """Begin a referral."""
    from vein2vein.web.referral import pages

    return pages.new(visit, typed)


@DOOR.change("/referral/open")
def open_file(visit: Visited, file: Annotated[UploadFile, File()]) -> See:
    """Begin with a patient's file."""
    from vein2vein.web.referral import pages

    return pages.open_file(visit, file)


@DOOR.page("/referral/{key}/intake/{step}")
def asked(visit: Visited, key: str, step: str) -> Page:
    """Show a page of the intake."""
    from vein2vein.web.referral import pages

    return pages.asked(visit, key, step)


@DOOR.change("/referral/{key}/intake/{step}", form=True)
def answer(visit: Visited, key: str, step: str, typed: Filled) -> See | Page:
    """Keep a page of the intake, and go on to the next one."""
    from vein2vein.web.referral import pages

    return pages.answer(visit, key, step, typed)


@DOOR.page("/referral/{key}")
def criteria(visit: Visited, key: str) -> Page:
    """Show which criteria of which label are met, not met or unknown, and what would settle them."""
    from vein2vein.web.referral import pages

    return pages.criteria(visit, key)


@DOOR.page("/referral/{key}/center")
def center(visit: Visited, key: str) -> Page:
    """Show kinds of center and how to find one, the time line of the stay, and questions about costs."""
    from vein2vein.web.referral import pages

    return pages.center(visit, key)


@DOOR.page("/referral/{key}/papers")
def papers(visit: Visited, key: str) -> Page:
    """Show the facts of the letter and the records, and give the papers."""
    from vein2vein.web.referral import pages

    return pages.papers(visit, key)


@DOOR.router.get("/referral/{key}/files/{name}", response_class=Response, response_model=None)
def files(visit: Visited, key: str, name: Wanted, show: Annotated[bool, Query()] = False) -> Response:
    """Send the papers: one of them, or all in a folder (zip); ``show`` opens the page to look at and print."""
    from vein2vein.web.referral import pages

    return pages.files(visit, key, name, show)


@DOOR.change("/referral/{key}/family")
def family_page(visit: Visited, key: str, product: Annotated[str, Form(max_length=100)] = "") -> See:
    """Begin a family's page from the same facts."""
    from vein2vein.web.referral import pages

    return pages.family_page(visit, key, product)


@DOOR.change("/referral/{key}/remove")
def remove(visit: Visited, key: str) -> See:
    """Remove a referral with its file."""
    from vein2vein.web.referral import pages

    return pages.remove(visit, key)
