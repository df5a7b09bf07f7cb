"""The process of one job: it computes, tells how far it is, and ends with the server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from vein2vein.errors import InputError
from vein2vein.files import make_folder
from vein2vein.locks import release_lock, take_lock
from vein2vein.web.jobs.kinds import function_of
from vein2vein.web.log import trace

POLITENESS = 5  # by so much a job stands back behind pages and sliders (nice)
BETWEEN = 0.2  # seconds between two words on how far it is
PATIENCE = 30.0  # seconds until a folder that the process of a killed server still holds must be free
LOCK = ".lock"


def compute(line: Connection, work: str, asked: Mapping[str, Any], folder: Path) -> None:
    """Run a job in this process and send what becomes of it along the line.

    Sent are tuples: ("progress", fraction, stage), and as the last one ("done",), ("failed", sentence) or
    ("defect", trace).
    """
    from vein2vein.runs.scheduler import end_with_parent

    end_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with suppress(OSError, AttributeError):
        os.nice(POLITENESS)
    last = [0.0]

    def progress(fraction: float, stage: str) -> None:
        moment = time.monotonic()
        if fraction >= 1 or moment - last[0] >= BETWEEN:
            last[0] = moment
            line.send(("progress", min(max(float(fraction), 0.0), 1.0), str(stage)))

    try:
        with _alone(make_folder(folder)):
            function_of(work)(asked, folder, progress)
    except InputError as problem:
        line.send(("failed", str(problem)))
    except MemoryError:
        line.send(
            ("failed", "the memory did not suffice; close other programs, or ask for less, such as smaller chunks.")
        )
    except OSError as problem:
        line.send(("failed", f"{problem.strerror or 'the system refused'}; check the space left and the permissions."))
    except Exception as problem:
        line.send(("defect", " | ".join(trace(problem))))
    else:
        line.send(("done",))


@contextmanager
def _alone(folder: Path) -> Any:
    """Wait until the process of a server that was killed has let go of the folder."""
    until = time.monotonic() + PATIENCE
    while (handle := take_lock(folder.with_name(f"{folder.name}{LOCK}"))) is None:
        if time.monotonic() > until:
            raise InputError("an earlier process still computes this job; end it, then start the job again.")
        time.sleep(BETWEEN)
    try:
        yield
    finally:
        release_lock(handle)
