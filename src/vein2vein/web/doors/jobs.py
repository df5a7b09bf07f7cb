"""Long computations on the page: how far each is, what it left behind, cancel, go on; and what was put in, as files."""

from __future__ import annotations

import asyncio
import io
import json
import mimetypes
import zipfile
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response, StreamingResponse

from vein2vein.web.door import Door
from vein2vein.web.guard import DOCUMENT_POLICY
from vein2vein.web.jobs import large_trial
from vein2vein.web.jobs.table import DONE, Job, log_of
from vein2vein.web.page import Page, Part, See
from vein2vein.web.visit import Visit, Visited
from vein2vein.web.words import said
from vein2vein.web.workspace import LOCK, Missing

BETWEEN = 0.5  # seconds between two looks at how far a job is
HEARTBEAT = 15.0  # seconds after which a silent stream says that it is there
LONGEST = 600.0  # seconds of a stream; a page opens another one
DOOR = Door(
    "jobs",
    said("Work"),
    said("Long computations, and what they left behind."),
    {"large_trial": large_trial.KIND},
    False,
)


@DOOR.page("/jobs")
def jobs(visit: Visited) -> Page:
    """Show every job of this workspace, newest first."""
    return Page("jobs/list.html.j2", DOOR.title, {"jobs": [_told(one) for one in visit.jobs.recent(200)]})


@DOOR.page("/jobs/{key}")
def job(visit: Visited, key: str) -> Page:
    """Show a job: how far it is, its log, its files."""
    title = visit.jobs.find(key).title
    return Page("jobs/one.html.j2", said("Job: {name}"), whole_job(visit, key), names={"name": title})


@DOOR.poll("/jobs/{key}/state")
def state(visit: Visited, key: str) -> Part:
    """Show how far a job is."""
    return Part("jobs/state.html.j2", whole_job(visit, key))


@DOOR.change("/jobs/{key}/cancel")
def cancel(visit: Visited, key: str) -> See:
    """Stop a job."""
    return See(f"/jobs/{visit.jobs.cancel(key).id}")


@DOOR.change("/jobs/{key}/resume")
def resume(visit: Visited, key: str) -> See:
    """Go on with a job that was stopped."""
    return See(f"/jobs/{visit.jobs.resume(key).id}")


@DOOR.change("/jobs/{key}/remove")
def remove(visit: Visited, key: str) -> See:
    """Remove a job with its results."""
    visit.jobs.remove(key)
    return See("/jobs")


@DOOR.router.get("/jobs/{key}/events", response_class=StreamingResponse, response_model=None)
async def events(visit: Visited, key: str) -> Response:
    """Say that a job has changed, whenever it has, until it ends (server-sent events)."""
    first = await run_in_threadpool(visit.jobs.find, key)
    headers = {"x-accel-buffering": "no", "cache-control": "no-store"}
    return StreamingResponse(_changes(visit, first), media_type="text/event-stream", headers=headers)


async def _changes(visit: Visit, job: Job) -> AsyncGenerator[str]:
    silent = waited = 0.0
    before = None
    while waited < LONGEST:
        seen = {"state": job.state, "progress": round(job.progress, 4), "stage": job.stage}
        if seen != before:
            before, silent = seen, 0.0
            yield f"event: changed\ndata: {json.dumps(seen)}\n\n"
        elif silent >= HEARTBEAT:
            silent = 0.0
            yield ": still here\n\n"
        if job.has_ended or await visit.request.is_disconnected():
            return
        await asyncio.sleep(BETWEEN)
        silent, waited = silent + BETWEEN, waited + BETWEEN
        try:
            job = await run_in_threadpool(visit.jobs.find, job.id)
        except Missing:
            return


@DOOR.router.get("/jobs/{key}/files/{name:path}", response_class=FileResponse, response_model=None)
def result(visit: Visited, key: str, name: str, show: bool = False) -> Response:
    """Send a file that a job left behind; with ``show`` a report is shown, where it may look and do nothing."""
    found = _files(visit.jobs.find(key).folder).get(name)
    if found is None:
        raise Missing("there is no such file among the results of this job; go back to the job.")
    return document(found) if show and found.suffix == ".html" else download(found)


@DOOR.router.get("/inputs/{key}", response_class=FileResponse, response_model=None)
def put_in(visit: Visited, key: str) -> Response:
    """Send what was put in, as a file that the command line reads."""
    found = visit.workspace.find(key)
    if found.path.is_dir():
        return packed(found.files, found.name)
    return download(found.path, found.file_name)


def packed(files: Mapping[str, bytes], name: str) -> Response:
    """Send several files as one that is packed (zip)."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as pack:
        for file, data in files.items():
            pack.writestr(file, data)
    return handed(content.getvalue(), f"{name}.zip", "application/zip")


def handed(content: bytes, name: str, kind: str) -> Response:
    """Send what stands in no file, to be saved as one."""
    headers = {
        "content-disposition": f"attachment; filename*=utf-8''{quote(name, safe='')}",
        "content-security-policy": DOCUMENT_POLICY,
    }
    return Response(content, media_type=kind, headers=headers)


def download(path: Path, name: str = "") -> Response:
    """Send a file to be saved."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return FileResponse(
        path, filename=name or path.name, media_type=kind, headers={"content-security-policy": DOCUMENT_POLICY}
    )


def document(path: Path) -> Response:
    """Show a report as it was written; no script of it runs, and it reaches nothing."""
    return FileResponse(path, media_type="text/html", headers={"content-security-policy": DOCUMENT_POLICY})


def document_text(text: str) -> Response:
    """Show a report that stands in no file; the same holds for it."""
    return Response(text, media_type="text/html", headers={"content-security-policy": DOCUMENT_POLICY})


def _files(folder: Path) -> dict[str, Path]:
    """The files of a job by their name in its folder: only these can be asked for."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        name: path
        for name, path in found.items()
        if not path.is_symlink() and LOCK not in name and "/." not in f"/{name}"
    }


def _told(job: Job) -> dict[str, object]:
    return {
        "id": job.id, "door": job.door, "kind": job.kind, "title": job.title, "state": job.state,
        "progress": job.progress, "stage": job.stage, "error": job.error, "made": job.made, "begun": job.begun,
        "ended": job.ended, "has_ended": job.has_ended,
    }  # fmt: skip


def whole_job(visit: Visit, key: str) -> dict[str, object]:
    """A job as its page shows it: how far it is, its files, its log."""
    job = visit.jobs.find(key)
    files = [{"name": name, "bytes": path.stat().st_size} for name, path in _files(job.folder).items()]
    log = [{"at": at, "text": text} for at, text in log_of(visit.workspace, key)]
    return {
        "job": _told(job),
        "files": files if job.has_ended else [],
        "log": log,
        "resumable": visit.jobs.goes_on(job),
        "page": str(job.asked.get("page", "")) if job.state == DONE else "",
    }
