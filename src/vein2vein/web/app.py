"""The app as a whole: gate, doors, static files, what is shared, and what happens at its start and end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from vein2vein import __version__
from vein2vein.web import static_files
from vein2vein.web.access import Keys
from vein2vein.web.door import Door
from vein2vein.web.doors.declared import all_doors
from vein2vein.web.guard import Guard
from vein2vein.web.held import Held
from vein2vein.web.jobs.pool import Jobs
from vein2vein.web.problems import add_handlers, declared
from vein2vein.web.quick import Quick
from vein2vein.web.settings import Settings
from vein2vein.web.visit import Parts, check_change
from vein2vein.web.workspace import Workspace

REST = 60.0  # seconds between two looks at whether the warm process may end


def make_app(
    settings: Settings, *, port: int, keys: Keys | None = None, doors: Sequence[Door] | None = None
) -> ASGIApp:
    """Make the app.

    Parameters
    ----------
    settings : Settings
    port : int
        On which it is reached.
    keys : Keys, optional
        New ones by default.
    doors : sequence of Door, optional
        All by default.

    Returns
    -------
    ASGI application
        Its workspace is open from here on, its jobs from its start.

    Raises
    ------
    InputError
        The workspace is open in another app, or cannot be written.
    """
    keys = keys or Keys(password=settings.password)
    doors = tuple(all_doors() if doors is None else doors)
    workspace = Workspace(settings.workspace)
    kinds = {f"{door.name}/{name}": kind for door in doors for name, kind in door.jobs.items()}
    parts = Parts(
        settings, keys, port, doors, workspace, Jobs(workspace, kinds, settings.jobs_at_once), Quick(), Held()
    )
    app = FastAPI(
        title="vein2vein", version=__version__, docs_url=None, redoc_url=None, dependencies=[Depends(check_change)],
        lifespan=_lifespan, description="Research software: not a medical device, not for decisions about patients.",
    )  # fmt: skip
    app.state.parts = parts
    app.add_route("/static/{name:path}", static_files.serve, methods=["GET"], include_in_schema=False)
    for door in doors:
        app.include_router(door.router, tags=[door.name], responses=declared())
    add_handlers(app)
    return Guard(app, settings, keys, port)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Jobs go on at the start; at the end every process ends, and the workspace is free."""
    parts: Parts = app.state.parts
    parts.jobs.open()
    resting = asyncio.create_task(_rest(parts))
    try:
        yield
    finally:
        resting.cancel()
        with suppress(asyncio.CancelledError):
            await resting
        parts.jobs.close()
        parts.quick.close()
        parts.held.close()
        parts.workspace.close()


async def _rest(parts: Parts) -> None:
    while True:
        await asyncio.sleep(REST)
        parts.quick.rest()
        parts.held.rest()
