"""A large run: a trial in chunks of patients, each stored as it is done, so that a run that was stopped goes on.

manifest.json             what is computed (hashes of inputs and code, seed, patients) and which chunks are done, with
                          the checksum of each file; written anew after each chunk
<table>/<first>.parquet   one file for each table (see chunk.py) and chunk, named after its first patient
comparison.parquet        simulated beside published, from all chunks
summary.parquet           patients by what became of them

Every file is written whole or not at all and flushed to the disk (see files.py). A chunk counts once the manifest
says so; what the manifest says is checked before a run goes on. Nothing that is written holds a date or a duration: an
interrupted run ends with the same bytes as one that was not.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from vein2vein.arguments import Progress, choice, flag, progress_of, seed_of, whole
from vein2vein.engine.solve import BACKENDS
from vein2vein.errors import InputError
from vein2vein.files import (
    WriteError,
    alone,
    check_target,
    checksum,
    is_regular,
    make_folder,
    strays,
    write_bytes,
    write_text,
)
from vein2vein.records import described
from vein2vein.runs.chunk import COURSES, PER_PATIENT, Chunk, Work, make_chunk, work_record
from vein2vein.runs.scheduler import Span, compute_here, compute_in, compute_on, differences, fingerprint
from vein2vein.runs.store import (
    MANIFEST,
    Columns,
    LargeManifest,
    Stored,
    as_plain,
    comparison_table,
    folder_of,
    holds_large,
    read_manifest,
    read_parquet,
    write_table,
)
from vein2vein.runs.streaming import GRADED, compare_chunks, count_chunks
from vein2vein.trials.comparison import Row
from vein2vein.trials.trial import Trial, load_trial, patients_of, screened_for

FORMAT = 1  # of the manifest of a large run; raised when a reader would need to know
CHUNK = 5_000  # patients: about one gigabyte of memory on the way
SCRATCH = ".scratch"
COMPARISON, SUMMARY = "comparison.parquet", "summary.parquet"
DIGITS = 7  # of the patient number in a file's name


@described
@dataclass(frozen=True)
class LargeResult:
    """What a large run left behind.

    Attributes
    ----------
    folder : Path
    comparison : tuple of Row
    summary : dict of str to ndarray
        Columns quantity, value, patients, share.
    screened : int
        Patients screened until so many were enrolled.
    patients, failed : int
        Enrolled, and of these not computed to the end.
    notes : tuple of str
        What was found on going on: damaged chunks that were computed again.
    """

    folder: Path
    comparison: tuple[Row, ...]
    summary: Columns
    screened: int
    patients: int
    failed: int
    notes: tuple[str, ...]


def run_large(
    trial: Trial | str | Path,
    folder: str | Path,
    *,
    patients: int | None = None,
    seed: int = 1,
    chunk: int | None = None,
    courses: bool = False,
    jobs: int = 1,
    scheduler: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
    backend: str = "batch",
) -> LargeResult:
    """Run a trial in chunks into a folder, or go on with the run that the folder holds.

    Parameters
    ----------
    trial : Trial, str or path
    folder : path
    patients : int, optional
        Default: as the trial file says.
    seed : int
    chunk : int, optional
        Patients in a chunk. It changes no result, only the memory needed and what a stop can cost.
    courses : bool
        Keep the whole course of every patient, not only summaries.
    jobs : int
        Processes that compute, each with a chunk of its own in memory.
    scheduler : str, optional
        Address of a Dask scheduler; by default this machine computes.
    force : bool
        Begin anew where the folder holds another run.
    progress : callable, optional
        Called with a fraction done and a sentence.
    backend : str

    Returns
    -------
    LargeResult

    Raises
    ------
    InputError
        The folder holds a run of other inputs, or is in use.
    OSError
        The folder cannot be written or is full; what is done is kept.
    """
    say, trial = progress_of(progress), trial if isinstance(trial, Trial) else load_trial(trial)
    count, seed, backend = patients_of(trial, patients), seed_of(seed), choice("backend", backend, BACKENDS)
    chunk, jobs = None if chunk is None else whole("chunk", chunk, low=1), whole("jobs", jobs, low=1)
    courses, force = flag("courses", courses), flag("force", force)
    folder, work = folder_of(folder), Work(trial, seed, courses, backend)
    with alone(folder):
        manifest = _begin(folder, work, count, chunk, force)
        notes = _check(folder, manifest, say)
        done = {c["first"] for c in manifest["chunks"]}
        spans = [span for span in _spans(count, manifest["chunk"]) if span[0] not in done]
        if spans:
            manifest["state"] = "running"
        if scheduler is not None:
            made = compute_on(scheduler, functools.partial(make_chunk, work), spans)
        elif jobs > 1 and len(spans) > 1:
            made = compute_in(jobs, functools.partial(make_chunk, work, scratch=folder / SCRATCH), spans)
        else:
            made = compute_here(functools.partial(make_chunk, work, scratch=folder / SCRATCH), spans)
        for span, result in made:
            with _kept(len(manifest["chunks"]), len(spans) + len(done)):
                _store(folder, manifest, span, result)
            ready = sum(c["last"] - c["first"] for c in manifest["chunks"])
            say(ready / count, f"{ready:,} of {count:,} patients")
        if [(c["first"], c["last"]) for c in manifest["chunks"]] != _spans(count, manifest["chunk"]):
            raise RuntimeError(f"{len(manifest['chunks'])} chunks were computed, not those that were asked for")
        return _finish(folder, manifest, work, count, notes, say)


def chunk_files(folder: str | Path, manifest: LargeManifest) -> dict[str, list[Path]]:
    """Files of each table of a large run, by patient number."""
    return {name: [Path(folder) / name / c["file"] for c in manifest["chunks"]] for name in manifest["tables"]}


# Beginning, or going on


def _identity(work: Work, count: int) -> dict[str, str | int]:
    text = json.dumps(work_record(work), sort_keys=True, ensure_ascii=True)
    return {
        "trial": hashlib.sha256(text.encode()).hexdigest(),
        "seed": work.seed,
        "number of patients": count,
        "choice of tables": ", ".join(work.tables),
        "backend": work.backend,
        **fingerprint(),
    }


def _begin(folder: Path, work: Work, count: int, chunk: int | None, force: bool) -> LargeManifest:
    """The manifest of the run that the folder holds, else that of a new one."""
    identity = _identity(work, count)
    check_target(folder / MANIFEST, force=True)  # a pipe there would be waited for
    if force and (folder / MANIFEST).exists():
        _clear(folder)
    if (folder / MANIFEST).exists():
        if not holds_large(folder):
            raise InputError(f"{folder} holds another run; give --force to overwrite it, or another folder.")
        found = cast("LargeManifest", read_manifest(folder))
        differing = differences(identity, found["identity"])
        if differing:
            raise InputError(
                f"{folder} holds a run with another {differing}; give another folder, or --force to begin anew."
            )
        if chunk not in (None, found["chunk"]):
            raise InputError(
                f"{folder} holds a run in chunks of {found['chunk']}, not {chunk}; leave --chunk out to go on with it."
            )
    else:
        for name in (COMPARISON, SUMMARY):
            check_target(folder / name, force=force)
        found: LargeManifest = {
            "format": FORMAT,
            "state": "running",
            "trial": work.trial.name,
            "identity": identity,
            "patients": count,
            "chunk": min(chunk or CHUNK, count),
            "tables": list(work.tables),
            "provenance": {},
            "chunks": [],
            "trial_file": work.trial.text,
        }
    _sweep(folder, work.tables)
    expected = {_file(span) for span in _spans(count, found["chunk"])}
    for path in (p for name in work.tables for p in (folder / name).iterdir()):
        if path.name not in expected:
            raise InputError(f"{path} is not of this run; move it away, or give another folder.")
        check_target(path, force=True)  # now, and not after the hours that its chunk may take
    for name in (COMPARISON, SUMMARY):
        check_target(folder / name, force=True)
    _write_manifest(folder, found)
    return found


def _sweep(folder: Path, tables: Sequence[str]) -> None:
    """Remove what was under way when a run was stopped, by this version or by one that named it otherwise."""
    if (folder / SCRATCH).is_symlink():
        raise InputError(f"{folder / SCRATCH} is a symbolic link; remove it, or give another folder.")
    shutil.rmtree(
        folder / SCRATCH, ignore_errors=True
    )  # for a moment the workers of a killed run may still write there
    for place in (folder, *(make_folder(folder / name) for name in (*tables, SCRATCH))):
        named = [place / f"{name}.part" for name in (MANIFEST, COMPARISON, SUMMARY)]
        named = named if place == folder else list(place.glob("*.parquet.part"))
        for stray in {*strays(place), *(path for path in named if not path.is_dir())}:
            stray.unlink(missing_ok=True)


def _clear(folder: Path) -> None:
    """Remove a run, its manifest last: until then the same command knows what it is to remove."""
    for name in (COMPARISON, SUMMARY):
        if not (folder / name).is_dir():
            (folder / name).unlink(missing_ok=True)
    for name in (*PER_PATIENT, *COURSES):
        for path in (folder / name).glob("*.parquet"):
            if not path.is_dir():
                path.unlink()
        with suppress(OSError):  # absent, or something else lies in it
            (folder / name).rmdir()
    (folder / MANIFEST).unlink()


def _check(folder: Path, manifest: LargeManifest, say: Progress) -> tuple[str, ...]:
    """Keep in the manifest the chunks whose files are what it says; return what was said of the others."""
    kept: list[Stored] = []
    notes: list[str] = []
    count = manifest["patients"]
    for entry in manifest["chunks"]:
        wrong = [name for name in manifest["tables"] if not _is(folder / name / entry["file"], entry["sha256"][name])]
        if wrong:
            who = f"patients {entry['first']} to {entry['last'] - 1}"
            notes.append(f"{', '.join(wrong)} of {who} was damaged or missing; they are computed again")
        else:
            kept.append(entry)
        say(sum(e["last"] - e["first"] for e in kept) / count, "checking what is there")
    if len(kept) != len(manifest["chunks"]):
        manifest.update(chunks=kept, state="running")
        _write_manifest(folder, manifest)
    return tuple(notes)


def _is(path: Path, expected: str) -> bool:
    try:
        return is_regular(path) and checksum(path) == expected
    except OSError:
        return False


def _spans(count: int, chunk: int) -> list[Span]:
    return [(first, min(first + chunk, count)) for first in range(0, count, chunk)]


def _file(span: Span) -> str:
    return f"{span[0]:0{DIGITS}}.parquet"


# Storing


def _store(folder: Path, manifest: LargeManifest, span: Span, made: Chunk) -> None:
    """Write the files of a chunk, then the manifest that says so."""
    checksums: dict[str, str] = {}
    for name, content in made.files.items():
        write_bytes(folder / name / _file(span), content, force=True, durable=True)
        checksums[name] = checksum(content)
    entry: Stored = {
        "first": span[0], "last": span[1], "file": _file(span), "rows": made.rows, "failed": made.failed,
        "sha256": checksums, "notes": list(made.notes),
    }  # fmt: skip
    manifest["provenance"] = manifest["provenance"] or as_plain(made.provenance)
    manifest["chunks"] = sorted([*manifest["chunks"], entry], key=lambda one: one["first"])
    _write_manifest(folder, manifest)


def _write_manifest(folder: Path, manifest: LargeManifest) -> None:
    text = json.dumps(manifest, indent=1, ensure_ascii=False, default=str)
    write_text(folder / MANIFEST, text, force=True, durable=True)


@contextmanager
def _kept(done: int, of: int) -> Generator[None]:
    """Say in an error of the disk that nothing is lost."""
    try:
        yield
    except OSError as problem:
        said = f"{problem.strerror or problem}; {done} of {of} chunks are kept and the same command goes on from there"
        raise WriteError(said, file=problem.filename, number=problem.errno, why=said) from None


# Summing up


def _finish(
    folder: Path, manifest: LargeManifest, work: Work, count: int, notes: tuple[str, ...], say: Progress
) -> LargeResult:
    say(1.0, "comparing with the published trial")
    files = chunk_files(folder, manifest)
    rows = compare_chunks(work.trial.published, files["readings"], seed=work.seed)
    grades = [name for name in read_parquet(files["summaries"][:1], (f"{GRADED}.*",))]
    summary = count_chunks(files, grades)
    with _kept(len(manifest["chunks"]), len(manifest["chunks"])):
        for name, columns in ((COMPARISON, comparison_table(rows)), (SUMMARY, summary)):
            write_table(columns, folder / name, durable=True)
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)
        manifest["screened"] = screened_for(count, work.trial.screening_failure, work.seed)
        manifest["state"] = "complete"
        _write_manifest(folder, manifest)
    failed = sum(one["failed"] for one in manifest["chunks"])
    return LargeResult(folder, rows, summary, manifest["screened"], count, failed, notes)
