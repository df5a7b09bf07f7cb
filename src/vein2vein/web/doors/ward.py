"""A ward record: opened or typed in, graded today with reasons, the round at the bed, decisions, the handover.

Nothing is kept on disk unless it is asked for: a record that is open lies in memory, under an id. What the addresses
answer stands in ``web/ward/pages.py``, which is loaded with the first question: the server starts without it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import File, Query, UploadFile
from starlette.responses import Response

from vein2vein.web.door import Door
from vein2vein.web.page import Page, See
from vein2vein.web.reading import MOST_FILES
from vein2vein.web.visit import Filled, Visited
from vein2vein.web.words import said

TITLE, LIST = said("A ward record"), said("Ward list")
ROUND, DECISION = said("Today's round"), said("A clinician's decision")
Scale = Annotated[str, Query(max_length=20, description="Scale of cytokine release syndrome")]
Until = Annotated[str, Query(max_length=20, description="Read nothing later than this day")]
Written = Literal["report.html", "handover.html", "findings.csv", "findings.fhir.json"]

DOOR = Door(
    "ward",
    TITLE,
    said("Today's round: grades with their reasons, what to consider, what is due, and a sheet for the handover."),
)


@DOOR.page("/ward")
def ward(visit: Visited) -> Page:
    """Show what is open, what was kept, and how to open a record."""
    from vein2vein.web.ward import pages

    return pages.ward(visit)


@DOOR.change("/ward/open")
def open_files(visit: Visited, file: Annotated[list[UploadFile], File(max_length=MOST_FILES)]) -> See:
    """Open a record that is sent; several files may be of one patient or of many."""
    from vein2vein.web.ward import pages

    return pages.open_files(visit, file)


@DOOR.change("/ward/example")
def example(visit: Visited) -> See:
    """Open the example that comes with vein2vein."""
    from vein2vein.web.ward import pages

    return pages.example(visit)


@DOOR.change("/ward/begin")
def begin(visit: Visited, typed: Filled) -> See | Page:
    """Begin the record of a patient with who it is and when the cells were given."""
    from vein2vein.web.ward import pages

    return pages.begin(visit, typed)


@DOOR.page("/ward/{key}")
def record(visit: Visited, key: str, scale: Scale = "astct", until: Until = "") -> Page:
    """Show the round of the one patient, or the list of several, the worst of today first."""
    from vein2vein.web.ward import pages

    return pages.record(visit, key, scale, until)


@DOOR.page("/ward/{key}/{place}")
def patient(visit: Visited, key: str, place: int, scale: Scale = "astct", until: Until = "") -> Page:
    """Show the round of one patient."""
    from vein2vein.web.ward import pages

    return pages.patient(visit, key, place, scale, until)


@DOOR.page("/ward/{key}/{place}/round")
def ask_round(visit: Visited, key: str, place: int) -> Page:
    """Ask what was charted on a round."""
    from vein2vein.web.ward import pages

    return pages.ask_round(visit, key, place)


@DOOR.change("/ward/{key}/{place}/round", form=True)
def add_round(visit: Visited, key: str, place: int, typed: Filled) -> See | Page:
    """Add a round to the record; what the reader would set aside is said at its field, and nothing is added."""
    from vein2vein.web.ward import pages

    return pages.add_round(visit, key, place, typed)


@DOOR.page("/ward/{key}/{place}/decide")
def ask_decision(visit: Visited, key: str, place: int) -> Page:
    """Ask what a clinician decides: a sign of another cause, or a grade."""
    from vein2vein.web.ward import pages

    return pages.ask_decision(visit, key, place)


@DOOR.change("/ward/{key}/{place}/decide", form=True)
def decide(visit: Visited, key: str, place: int, typed: Filled) -> See | Page:
    """Add a decision to the record: a row with its author and its time."""
    from vein2vein.web.ward import pages

    return pages.decide(visit, key, place, typed)


@DOOR.change("/ward/{key}/keep")
def keep(visit: Visited, key: str) -> See:
    """Keep a record in the workspace."""
    from vein2vein.web.ward import pages

    return pages.keep(visit, key)


@DOOR.change("/ward/{key}/close")
def close(visit: Visited, key: str) -> See:
    """Forget a record that is open; one that was kept stays."""
    from vein2vein.web.ward import pages

    return pages.close(visit, key)


@DOOR.change("/ward/{key}/remove")
def remove(visit: Visited, key: str) -> See:
    """Remove a record that was kept."""
    from vein2vein.web.ward import pages

    return pages.remove(visit, key)


@DOOR.router.get("/ward/{key}/files/record", response_model=None)
def files(visit: Visited, key: str) -> Response:
    """Send the record with the rows that were added here, as the command line reads it."""
    from vein2vein.web.ward import pages

    return pages.files(visit, key)


@DOOR.router.get("/ward/{key}/{place}/files/{name}", response_model=None)
def written(
    visit: Visited, key: str, place: int, name: Written, show: bool = False, scale: Scale = "astct", until: Until = ""
) -> Response:
    """Send what the command writes of a patient: page, sheet for the handover, findings; with ``show`` it is shown."""
    from vein2vein.web.ward import pages

    return pages.written(visit, key, place, name, show, scale, until)


@DOOR.router.get("/ward/{key}/{place}/figures/{name}.svg", response_model=None)
def figure(
    visit: Visited, key: str, place: int, name: Literal["timeline", "later"], scale: Scale = "astct", until: Until = ""
) -> Response:
    """Send a figure of a patient: the first weeks, or the time after them."""
    from vein2vein.web.ward import pages

    return pages.figure(visit, key, place, name, scale, until)
