"""A family: the path of one patient in plain words. Addresses alone; what they answer is made in ``web/family``.

That is loaded with the first page of this door: the app starts without numbers of the model.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import File, Query, UploadFile
from starlette.responses import HTMLResponse, Response

from vein2vein.web.door import Door
from vein2vein.web.page import Page, See
from vein2vein.web.visit import Filled, Visited
from vein2vein.web.words import said

DOOR = Door(
    "family",
    said("A family"),
    said("One patient's path in plain words: calendar, what to pack, when to call. In eight languages."),
)


@DOOR.page("/family")
def start(visit: Visited) -> Page:
    """Ask the few facts that the page needs, or for the team's file; list the pages that were made."""
    from vein2vein.web.family import pages

    return pages.start(visit)


@DOOR.change("/family/new", form=True)
def new(visit: Visited, typed: Filled) -> See | Page:
    """Make a page."""
    from vein2vein.web.family import pages

    return pages.new(visit, typed)


@DOOR.change("/family/open")
def open_file(visit: Visited, file: Annotated[UploadFile, File()]) -> See:
    """Make a page from the file that a team gave."""
    from vein2vein.web.family import pages

    return pages.open_file(visit, file)


@DOOR.page("/family/{key}")
def path(visit: Visited, key: str) -> Page:
    """Show when to call, the path step by step, and the calendar."""
    from vein2vein.web.family import pages

    return pages.path(visit, key)


@DOOR.page("/family/{key}/ready")
def ready(visit: Visited, key: str) -> Page:
    """Show what to pack and bring, how to stay safe, and what to ask."""
    from vein2vein.web.family import pages

    return pages.ready(visit, key)


@DOOR.page("/family/{key}/chances")
def chances(visit: Visited, key: str) -> Page:
    """Show what may happen and how often, what a serious form means, and the warnings of the label."""
    from vein2vein.web.family import pages

    return pages.chances(visit, key)


@DOOR.page("/family/{key}/facts")
def facts_page(visit: Visited, key: str) -> Page:
    """Show the form again, to change it."""
    from vein2vein.web.family import pages

    return pages.facts_page(visit, key)


@DOOR.change("/family/{key}/facts", form=True)
def change(visit: Visited, key: str, typed: Filled) -> See | Page:
    """Keep what was changed."""
    from vein2vein.web.family import pages

    return pages.change(visit, key, typed)


@DOOR.change("/family/{key}/model")
def add_model(visit: Visited, key: str) -> See:
    """Let virtual patients who share what is known go the same path; how often what came stands beside the studies."""
    from vein2vein.web.family import pages

    return pages.add_model(visit, key)


@DOOR.change("/family/{key}/remove")
def remove(visit: Visited, key: str) -> See:
    """Remove a page with its file."""
    from vein2vein.web.family import pages

    return pages.remove(visit, key)


@DOOR.router.get("/family/{key}/page.html", response_class=HTMLResponse, response_model=None)
def whole(visit: Visited, key: str, save: Annotated[bool, Query()] = False) -> Response:
    """Send the page as one file that stands for itself: to look at and print, or (``save``) for a telephone."""
    from vein2vein.web.family import pages

    return pages.whole(visit, key, save)
