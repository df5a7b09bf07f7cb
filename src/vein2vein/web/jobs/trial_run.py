"""The jobs of a trial: in one piece with its report, or in chunks that survive a stop; the same numbers as the command.

In the folder, besides what ``vein2vein trial --out`` writes: trial.toml (the file as it was run), CSV copies of the
tables for spreadsheets, and headline.json, the ten lines by arm.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vein2vein.files import write_text
from vein2vein.web.jobs.kinds import JobKind, Progress

TRIAL, REPORT, NONMEM, HEADLINE = "trial.toml", "report.html", "nonmem.csv", "headline.json"
WHOLE = JobKind("vein2vein.web.jobs.trial_run:run_whole")
CHUNKS = JobKind("vein2vein.web.jobs.trial_run:run_chunks", resumable=True)
TREATED, COMPARED, DRAWN = 0.8, 0.85, 0.95
"""Shares of the time after which patients are treated, compared, and the report is there."""


def run_whole(asked: Mapping[str, Any], folder: Path, progress: Progress) -> None:
    """Run a trial in one piece: its tables, its report by arm, its data set.

    Parameters
    ----------
    asked : mapping
        ``text`` of the trial file, ``patients``, ``seed``.
    folder : Path
    progress : callable
    """
    from vein2vein.io.study.trial_data import write_nonmem
    from vein2vein.report import facts, headline
    from vein2vein.report.trial import trial_page
    from vein2vein.runs.store import TABLES, write_csv, write_trial
    from vein2vein.trials.trial import run_trial

    file = _file(asked, folder)
    result = run_trial(
        file, patients=int(asked["patients"]), seed=int(asked["seed"]),
        progress=lambda fraction, text: progress(TREATED * fraction, text),
    )  # fmt: skip
    progress(COMPARED, "writing the report")
    write_text(folder / REPORT, trial_page(result), force=True)
    progress(DRAWN, "writing the tables")
    write_trial(result, folder)
    for name in TABLES:
        if name != "comparison" or result.comparison:
            write_csv([folder / f"{name}.parquet"], folder / f"{name}.csv")
    write_nonmem(result, folder / NONMEM)
    _tell(folder, headline.blocks(result, facts.paired(result.comparison, result.trial.published)))


def run_chunks(asked: Mapping[str, Any], folder: Path, progress: Progress) -> None:
    """Run a trial in chunks, or go on with those that the folder holds: its tables; no report, for no journey is whole.

    Parameters
    ----------
    asked : mapping
        As for ``run_whole``, and ``chunk``.
    folder : Path
    progress : callable
    """
    from vein2vein.report import facts, headline
    from vein2vein.runs.chunk import PER_PATIENT
    from vein2vein.runs.large import COMPARISON, SUMMARY, run_large
    from vein2vein.runs.store import write_csv
    from vein2vein.trials.trial import load_trial

    plan = load_trial(_file(asked, folder))
    result = run_large(
        plan,
        folder,
        patients=int(asked["patients"]),
        seed=int(asked["seed"]),
        chunk=int(asked["chunk"]),
        progress=progress,
    )
    for name in PER_PATIENT:
        write_csv(sorted((folder / name).glob("*.parquet")), folder / f"{name}.csv")
    for name in (COMPARISON, SUMMARY):
        if name != COMPARISON or result.comparison:
            write_csv([folder / name], folder / f"{Path(name).stem}.csv")
    _tell(folder, headline.blocks_of_chunks(plan, result, facts.paired(result.comparison, plan.published)))


def _file(asked: Mapping[str, Any], folder: Path) -> Path:
    """The trial as it was when the job was asked for: a file of the results."""
    return write_text(folder / TRIAL, str(asked["text"]), force=True)


def _tell(folder: Path, blocks: Sequence[Any]) -> None:
    told = [{"title": one.title, "lines": {line.name: line.text for line in one.lines}} for one in blocks]
    write_text(folder / HEADLINE, json.dumps(told, ensure_ascii=False, indent=1), force=True)
