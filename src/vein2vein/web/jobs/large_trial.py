"""The job of a trial run in chunks: what it had done stands after a stop, and it goes on to the same bits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vein2vein.web.jobs.kinds import JobKind, Progress

KIND = JobKind("vein2vein.web.jobs.large_trial:run", resumable=True)


def run(asked: Mapping[str, Any], folder: Path, progress: Progress) -> None:
    """Run a trial in chunks into a folder, or go on with what the folder holds.

    Parameters
    ----------
    asked : mapping
        ``trial`` (name or path), ``seed``; optional ``patients`` and ``chunk``.
    folder : Path
    progress : callable
    """
    from vein2vein.runs.large import run_large

    run_large(
        str(asked["trial"]),
        folder,
        patients=asked.get("patients"),
        seed=int(asked.get("seed", 1)),
        chunk=asked.get("chunk"),
        progress=progress,
    )
