"""Jobs: beside the server, in the table, canceled, gone on with, and found again after the server was killed."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from asked_app import opened

from vein2vein.errors import InputError
from vein2vein.files import checksum
from vein2vein.web.jobs import pool, table
from vein2vein.web.jobs.kinds import JobKind, function_of
from vein2vein.web.jobs.large_trial import KIND
from vein2vein.web.jobs.pool import Jobs
from vein2vein.web.workspace import Missing, Workspace


def until(what, seconds=60.0):
    """Wait for something that becomes true."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.03)
    return found


@pytest.fixture
def jobs(tmp_path):
    workspace = Workspace(tmp_path / "w")
    made = Jobs(
        workspace,
        {
            f"trying/{name}": JobKind(f"trying_door:{name}", name == "chunks")
            for name in ("count", "chunks", "wrong", "broken")
        },
    )
    yield made
    made.close()
    workspace.close()


def state(jobs, job):
    return jobs.find(job.id).state


def test_a_job_runs_waits_its_turn_is_canceled_and_goes_on(jobs):
    first = jobs.start("trying", "count", "First", {"steps": 40, "pause": 0.05})
    second = jobs.start("trying", "chunks", "Second", {"steps": 30})
    third = jobs.start("trying", "count", "Third", {"steps": 1})
    assert state(jobs, first) == table.RUNNING and state(jobs, second) == state(jobs, third) == table.WAITING
    assert jobs.cancel(third.id).state == table.CANCELED
    until(lambda: 0 < jobs.find(first.id).progress < 1)
    assert re.match(r"step \d+", jobs.find(first.id).stage)
    jobs.cancel(first.id)
    until(lambda: state(jobs, first) == table.CANCELED)
    assert not (first.folder / "counted.txt").exists()
    until(lambda: jobs.find(second.id).progress > 0.1)
    jobs.cancel(second.id)
    until(lambda: state(jobs, second) == table.CANCELED)
    done = {path.name: path.stat().st_mtime_ns for path in second.folder.glob("*.txt")}
    assert 0 < len(done) < 30
    jobs.resume(second.id)
    until(lambda: state(jobs, second) == table.DONE)
    after = {path.name: path.stat().st_mtime_ns for path in second.folder.glob("*.txt")}
    assert len(after) == 30 and all(after[name] == mark for name, mark in done.items()), "what was done stands"
    assert jobs.find(second.id).progress == 1 and jobs.find(second.id).ended
    with pytest.raises(InputError, match="the job is done"):
        jobs.resume(second.id)
    jobs.remove(second.id)
    assert not second.folder.exists() and [one.title for one in jobs.recent(9)] == ["Third", "First"]
    with pytest.raises(Missing):
        jobs.find(second.id)


def test_what_goes_wrong_is_told_in_a_sentence(jobs, caplog):
    wrong = jobs.start("trying", "wrong", "Wrong", {})
    broken = jobs.start("trying", "broken", "Broken", {})
    until(lambda: jobs.find(wrong.id).has_ended and jobs.find(broken.id).has_ended)
    assert jobs.find(wrong.id).error == "found nothing, expected something; mend it."
    assert "defect of vein2vein" in jobs.find(broken.id).error
    (line,) = table.log_of(jobs.workspace, broken.id)
    assert "ValueError" in line[1] and "trying_door.py" in line[1] and "secret" not in line[1]
    with pytest.raises(ValueError, match="declares no job 'nothing'"):
        jobs.start("trying", "nothing", "x", {})
    with pytest.raises(InputError, match="there is no such job"):
        jobs.remove("nothing")


@pytest.mark.parametrize(
    ("kind", "can", "cannot"), [("chunks", "go on with it", "begin"), ("count", "begin it again", "go on")]
)
def test_a_job_that_was_killed_tells_what_can_be_done(jobs, kind, can, cannot):
    killed = jobs.start("trying", kind, "Killed", {"steps": 400})
    until(lambda: jobs.find(killed.id).progress > 0)
    os.kill(jobs._running[killed.id].pid, signal.SIGKILL)
    until(lambda: jobs.find(killed.id).has_ended)
    found = jobs.find(killed.id)
    assert found.state == table.FAILED and "ended from outside" in found.error
    assert can in found.error and cannot not in found.error


def test_a_full_disk_at_the_end_of_a_job_holds_up_no_other(jobs, monkeypatch):
    change, refused = table.change_job, []

    def full(workspace, key, was=(), **values):
        if values.get("state") in (table.DONE, table.RUNNING) and jobs._running and len(refused) < 3:
            refused.append(values["state"])
            raise sqlite3.OperationalError("database or disk is full")
        return change(workspace, key, was, **values)

    monkeypatch.setattr(pool, "AGAIN", 0.02)
    first = jobs.start("trying", "count", "First", {"steps": 1})
    second = jobs.start("trying", "count", "Second", {"steps": 1})
    monkeypatch.setattr(table, "change_job", full)
    until(lambda: state(jobs, first) == state(jobs, second) == table.DONE)
    assert refused == [table.DONE] * 3 and not jobs._running


def test_a_process_that_cannot_be_started_is_told(jobs, monkeypatch):
    def refuse(_self):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.context.SpawnProcess.start", refuse)
    job = jobs.start("trying", "count", "No", {"steps": 1})
    assert job.state in (table.WAITING, table.FAILED)
    assert jobs.find(job.id).state == table.FAILED and "no process could be started" in jobs.find(job.id).error


def test_a_job_whose_door_is_gone_is_told(jobs):
    job = table.add_job(jobs.workspace, "old", "kind", "Old", {})
    jobs.open()
    until(lambda: jobs.find(job.id).has_ended)
    assert "no door of this version" in jobs.find(job.id).error


def test_a_server_that_ends_leaves_its_jobs_to_the_next(tmp_path):
    workspace = Workspace(tmp_path / "w")
    kinds = {"trying/count": JobKind("trying_door:count"), "trying/chunks": JobKind("trying_door:chunks", True)}
    first = Jobs(workspace, kinds, at_once=2)
    plain = first.start("trying", "count", "Plain", {"steps": 400})
    chunked = first.start("trying", "chunks", "Chunked", {"steps": 30})
    until(lambda: first.find(plain.id).progress > 0 and first.find(chunked.id).progress > 0)
    first.close()
    assert [one.state for one in first.recent(9)] == [table.RUNNING, table.RUNNING]
    second = Jobs(workspace, kinds)
    second.open()
    assert second.find(plain.id).state == table.INTERRUPTED and "The server ended" in second.find(plain.id).error
    assert "begin it again" in second.find(plain.id).error
    until(lambda: second.find(chunked.id).state == table.DONE)
    assert "goes on from what was done" in table.log_of(workspace, chunked.id)[0][1]
    second.close()
    workspace.close()


def test_the_pages_of_a_job(tmp_path):
    with opened(tmp_path / "w") as asked:
        address = asked.change("/trying/start", {"kind": "count"}).headers["location"]
        page = asked.client.get(address)
        assert page.status_code == 200 and f'data-events="{address}/events"' in page.text and "Cancel" in page.text
        with asked.client.stream("GET", f"{address}/events") as stream:
            assert (
                stream.headers["content-type"].startswith("text/event-stream")
                and stream.headers["x-accel-buffering"] == "no"
            )
            told = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]
        assert told[-1]["state"] == "done" and [one["progress"] for one in told] == sorted(
            one["progress"] for one in told
        )
        part = asked.client.get(f"{address}/state", headers={"hx-request": "true"})
        assert "<html" not in part.text and "data-events" not in part.text and "counted.txt" in part.text
        sent = asked.client.get(f"{address}/files/counted.txt")
        assert sent.text == "40" and "attachment" in sent.headers["content-disposition"]
        shown = asked.client.get(f"{address}/files/report.html?show=true")
        policy = shown.headers["content-security-policy"]
        assert (
            "attachment" not in shown.headers.get("content-disposition", "")
            and policy.startswith("sandbox")
            and "script" not in policy
        )
        twin = asked.client.get(f"{address}.json").json()["data"]
        assert twin["job"]["state"] == "done" and {one["name"] for one in twin["files"]} == {
            "counted.txt",
            "report.html",
        }
        assert "Trying count" in asked.client.get("/jobs").text and "Trying count" in asked.client.get("/").text
        assert asked.change(f"{address}/resume").status_code == 422
        assert asked.change(f"{address}/remove").headers["location"] == "/jobs"
        assert asked.client.get(address).status_code == 404


def test_a_kind_names_its_function():
    assert function_of(KIND.work).__name__ == "run" and KIND.resumable


SERVER = [sys.executable, "-m", "vein2vein", "app", "--no-browser", "--json", "--jobs", "1"]


def served(folder):
    process = subprocess.Popen([*SERVER, "--workspace", str(folder)], stdout=subprocess.PIPE, text=True)
    return process, json.loads(process.stdout.readline())["address"]


def chunks_in(folder):
    """How many chunks are done."""
    return len(list((folder / "patients").glob("*.parquet")))


def marks(folder):
    """The checksum of every file."""
    return {path.relative_to(folder).as_posix(): checksum(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_killed_server_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    """kill -9 in the middle of a chunked job; the next start finds it, goes on, and ends with the same bytes."""
    from vein2vein.runs.large import run_large

    asked = {"trial": str(Path(__file__).with_name("small.toml")), "seed": 3, "chunk": 2}
    expected = run_large(asked["trial"], tmp_path / "plain", seed=3, chunk=2).folder
    folder = tmp_path / "w"
    workspace = Workspace(folder)
    monkeypatch.setattr("vein2vein.web.jobs.table.new_id", lambda: "a" * 16)
    job = table.add_job(workspace, "jobs", "large_trial", "Killed", asked)
    workspace.close()
    process, _ = served(folder)
    until(lambda: chunks_in(job.folder) >= 2)
    process.kill()
    process.wait()
    process.stdout.close()
    at_kill = {path: checksum(path) for path in job.folder.rglob("*.parquet")}
    assert 2 <= chunks_in(job.folder) < 6, "the job was to be caught in the middle"
    process, _ = served(folder)
    try:
        workspace = Workspace.__new__(Workspace)
        workspace.folder = folder
        until(lambda: table.find_job(workspace, job.id).has_ended)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process.stdout.close()
    assert table.find_job(workspace, job.id).state == table.DONE
    assert marks(job.folder) == marks(expected)
    assert all(checksum(path) == mark for path, mark in at_kill.items())
    shutil.rmtree(expected)
