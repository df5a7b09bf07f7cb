"""Chunks on the workers of a scheduler: the same bits, also when a worker is lost on the way."""

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from vein2vein.errors import InputError
from vein2vein.runs import scheduler
from vein2vein.runs.large import run_large
from vein2vein.trials.trial import load_trial

ELIANA = load_trial("eliana")
RUN = ["trial", "eliana", "--patients", "40", "--seed", "5", "--chunk", "4"]


def bits(folder):
    """Checksum of every file of a run."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def cluster():
    return pytest.importorskip("distributed", reason="the extra 'cluster' (Dask distributed) is not installed")


def test_without_the_extra_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'vein2vein\[cluster\]'"):
        run_large(ELIANA, tmp_path, patients=2, scheduler="tcp://127.0.0.1:1")


def test_a_worker_with_other_code_is_refused(monkeypatch):
    mine = scheduler.fingerprint()
    assert scheduler._checked(lambda first, last: last - first, mine, (3, 5)) == 2
    monkeypatch.setattr(scheduler, "fingerprint", lambda: {**mine, "numpy": "1.0", "code of vein2vein": "f" * 64})
    with pytest.raises(InputError, match=rf"code of vein2vein, numpy \(1\.0, expected {re.escape(mine['numpy'])}\)"):
        scheduler._checked(lambda first, last: last - first, mine, (3, 5))


def test_chunks_are_computed_in_order_here():
    spans = [(0, 2), (2, 3)]
    assert list(scheduler.compute_here(lambda a, b: b - a, spans)) == [((0, 2), 2), ((2, 3), 1)]


@pytest.mark.slow
def test_an_address_where_nobody_answers(tmp_path):
    cluster()
    done = _vein2vein(*RUN, "--out", str(tmp_path / "run"), "--scheduler", "tcp://127.0.0.1:9")
    assert done.returncode == 2
    assert "no scheduler answers at tcp://127.0.0.1:9" in done.stderr


def _vein2vein(*given):
    command = [sys.executable, "-m", "vein2vein", *given, "--quiet"]
    return subprocess.run(command, capture_output=True, text=True, timeout=500)


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _wait_for(condition, seconds=90):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


@pytest.fixture
def two_workers(tmp_path):
    """A scheduler and two workers with a cache each, as processes of their own."""
    cluster()
    address = f"tcp://127.0.0.1:{_free_port()}"
    started = []

    def start(name, *given):
        cache = {**os.environ, "VEIN2VEIN_CACHE": str(tmp_path / f"{name}-cache")}
        command = [sys.executable, "-m", "distributed.cli.dask_" + name.split("-")[0], *given]
        with (tmp_path / f"{name}.log").open("w") as log:
            started.append(subprocess.Popen(command, stdout=log, stderr=log, env=cache, cwd=tmp_path))
        return started[-1]

    first = start("scheduler", "--host", "127.0.0.1", "--port", address.rsplit(":", 1)[1], "--no-dashboard")
    workers = [
        start(f"worker-{i}", address, "--nthreads", "1", "--no-dashboard", "--no-nanny", "--name", f"w{i}")
        for i in range(2)
    ]
    yield address, first, workers, tmp_path
    for process in reversed(started):
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_two_workers_one_of_them_killed_midway_give_the_bits_of_one_process(two_workers):
    address, _, workers, folder = two_workers
    for i in range(2):
        _wait_for(lambda i=i: "Registered to" in (folder / f"worker-{i}.log").read_text())
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(_vein2vein, *RUN, "--out", str(folder / "spread"), "--scheduler", address)
        stored = folder / "spread" / "outcomes"
        _wait_for(lambda: (stored.is_dir() and len(list(stored.glob("*.parquet"))) >= 2) or running.done())
        assert not running.done(), running.result().stderr
        workers[0].kill()
        done = running.result()
    assert done.returncode == 0, done.stderr
    caches = [list((folder / f"worker-{i}-cache").rglob("*")) for i in range(2)]
    assert all(caches), "each worker has its own compiled code"
    alone = _vein2vein(*RUN, "--out", str(folder / "alone"))
    assert alone.returncode == 0, alone.stderr
    assert bits(folder / "spread") == bits(folder / "alone")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_when_the_scheduler_is_lost_what_is_done_is_kept(two_workers):
    address, first, _, folder = two_workers
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(_vein2vein, *RUN, "--out", str(folder / "run"), "--scheduler", address)
        stored = folder / "run" / "outcomes"
        _wait_for(lambda: (stored.is_dir() and len(list(stored.glob("*.parquet"))) >= 1) or running.done())
        first.kill()
        done = running.result()
    assert done.returncode == 2
    assert "was lost" in done.stderr and "the same command goes on" in done.stderr
    assert _vein2vein(*RUN, "--out", str(folder / "run")).returncode == 0


@pytest.mark.slow
def test_several_processes_give_the_bits_of_one(tmp_path):
    done = _vein2vein(*RUN, "--out", str(tmp_path / "two"), "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert _vein2vein(*RUN, "--out", str(tmp_path / "one")).returncode == 0
    assert bits(tmp_path / "two") == bits(tmp_path / "one")


def _fall(first, last):
    if first:
        os.kill(os.getpid(), signal.SIGKILL)
    return last


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_process_that_was_killed_is_told(monkeypatch):
    monkeypatch.syspath_prepend(os.path.dirname(__file__))  # where the new processes find _fall
    from test_large_scheduler import _fall as task

    done = scheduler.compute_in(2, task, [(0, 1), (1, 2), (2, 3)])
    with pytest.raises(InputError, match=r"ended from outside.*the same command goes on"):
        list(done)
