"""A study's own data: uploaded, checked line by line, explored without a model, fitted with diagnostics.

What the addresses answer stands in ``web/data/pages.py``, which is loaded with the first question.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from fastapi import File, Form, Query, UploadFile
from starlette.responses import Response

from vein2vein.web.door import Door
from vein2vein.web.jobs.kinds import JobKind
from vein2vein.web.page import Page, See
from vein2vein.web.visit import Visited
from vein2vein.web.words import said

NAME, TITLE = "data", said("A study's data")
Text = Annotated[str, Query(max_length=200)]
Below = Literal["M1", "M5", "M6", "M7"]
Method = Literal["saem", "focei", "laplace"]
What = Literal["vpc", "bootstrap", "simulate"]
Written = Literal["report.html", "individual.csv", "groups.csv"]
BELOW, METHODS = get_args(Below), get_args(Method)

DOOR = Door(
    NAME,
    TITLE,
    said("Upload the data set of a study: it is checked line by line, explored without a model, and fitted."),
    jobs={
        "fit": JobKind("vein2vein.web.data.fitting:run", resumable=True),
        "explore": JobKind("vein2vein.web.data.exploration:run"),
        "further": JobKind("vein2vein.web.data.after_fit:run"),
    },
)


@DOOR.page("/data")
def data(visit: Visited) -> Page:
    """Show the studies of this workspace, and how to upload one."""
    from vein2vein.web.data import pages

    return pages.data(visit)


@DOOR.change("/data/upload")
def upload(visit: Visited, file: Annotated[list[UploadFile], File(max_length=2)]) -> See:
    """Keep a data set in the workspace, with what says how its columns are read where that is sent along."""
    from vein2vein.web.data import pages

    return pages.upload(visit, file)


@DOOR.page("/data/{key}")
def check(visit: Visited, key: str) -> Page:
    """Show whether a study is fit for use, and what is wrong with it line by line."""
    from vein2vein.web.data import pages

    return pages.check(visit, key)


@DOOR.page("/data/{key}/explore")
def explore(
    visit: Visited, key: str, endpoint: Text = "", by: Text = "", time_unit: Text = "", below: Below = "M6"
) -> Page:
    """Show the cellular kinetics of a study without a model: tables by group, curves, each patient."""
    from vein2vein.web.data import pages

    return pages.explore(visit, key, endpoint, by, time_unit, below)


@DOOR.change("/data/{key}/explore")
def start_exploration(
    visit: Visited, key: str, endpoint: Annotated[str, Form(max_length=200)] = "",
    by: Annotated[str, Form(max_length=200)] = "", time_unit: Annotated[str, Form(max_length=200)] = "",
    below: Annotated[Below, Form()] = "M6",
) -> See:  # fmt: skip
    """Explore a study as a job: one of more rows than a reader waits for."""
    from vein2vein.web.data import pages

    return pages.start_exploration(visit, key, endpoint, by, time_unit, below)


@DOOR.router.get("/data/{key}/explore/figures/{place}.svg", response_model=None)
def figure(
    visit: Visited, key: str, place: int, endpoint: Text = "", by: Text = "", time_unit: Text = "", below: Below = "M6"
) -> Response:
    """Send a figure of an exploration."""
    from vein2vein.web.data import pages

    return pages.figure(visit, key, place, endpoint, by, time_unit, below)


@DOOR.router.get("/data/{key}/explore/files/{name}", response_model=None)
def written(
    visit: Visited, key: str, name: Written, show: bool = False, endpoint: Text = "", by: Text = "",
    time_unit: Text = "", below: Below = "M6",
) -> Response:  # fmt: skip
    """Send what the command writes: the report, the table of each patient, the table by group."""
    from vein2vein.web.data import pages

    return pages.written(visit, key, name, show, endpoint, by, time_unit, below)


@DOOR.page("/data/{key}/fit")
def fit(visit: Visited, key: str, model: Text = "", method: Method = "saem", time_unit: Text = "") -> Page:
    """Show the file of a fit to begin with, and the fits of this study."""
    from vein2vein.web.data import pages

    return pages.fit(visit, key, model, method, time_unit)


@DOOR.change("/data/{key}/fit")
def start_fit(visit: Visited, key: str, text: Annotated[str, Form(max_length=100_000)]) -> See | Page:
    """Start a fit as a job; what is wrong with its file is said at its line, and what was typed stays."""
    from vein2vein.web.data import pages

    return pages.start_fit(visit, key, text)


@DOOR.change("/data/{key}/fit/{job}/further")
def further(
    visit: Visited, key: str, job: str, what: Annotated[What, Form()], count: Annotated[str, Form(max_length=40)] = "",
    dose: Annotated[str, Form(max_length=2000)] = "",
) -> See | Page:  # fmt: skip
    """Ask more of a fit that has ended, as a job: a predictive check, a bootstrap, new patients."""
    from vein2vein.web.data import pages

    return pages.further(visit, key, job, what, count, dose)


@DOOR.change("/data/{key}/remove")
def remove(visit: Visited, key: str) -> See:
    """Remove a study from the workspace."""
    from vein2vein.web.data import pages

    return pages.remove(visit, key)
