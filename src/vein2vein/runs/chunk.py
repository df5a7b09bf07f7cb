"""One chunk of a large run: some patients of a trial, taken through it and summed up in tables.

patients, outcomes   one row per patient, as in the results of a trial
summaries            one row per patient: worst grades, extremes of what was measured, treatments in total
readings             one row per patient: what the endpoint of each published row read off it (``row_<i>_<j>``)
                     and whether the patient counts for it (``in_<i>``); ``missing_<i>`` says why nothing could be read
course, findings     on request: every day of every infused patient

A patient depends on the trial, the seed and its number alone, so that the chunks change no bit of any row.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from vein2vein import analytes
from vein2vein.journey.journey import Journey, Provenance
from vein2vein.records import described
from vein2vein.runs.store import OF_JOURNEY, Cells, Columns, Plain, write_table
from vein2vein.trials.comparison import known_at, patients_of, read_row
from vein2vein.trials.endpoints.measures import ENDPOINTS, NotProduced, recovery_day
from vein2vein.trials.trial import Trial, enroll_and_treat, follow_up_at

PER_PATIENT = ("patients", "outcomes", "summaries", "readings")
COURSES = ("course", "findings")
HARMLESS = 0  # status of a patient who was computed to the end
NOTHING_READ = {"share": False, "number": np.nan, "time": np.nan, "hazard": np.nan, "incidence": np.nan}


@described
@dataclass(frozen=True)
class Work:
    """What is done to every chunk.

    Attributes
    ----------
    trial : Trial
    seed : int
    courses : bool
        Whether the whole courses are kept.
    backend : str
    """

    trial: Trial
    seed: int
    courses: bool = False
    backend: str = "batch"

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables of each chunk."""
        return (*PER_PATIENT, *COURSES) if self.courses else PER_PATIENT


@described
@dataclass(frozen=True)
class Chunk:
    """A chunk ready to be stored.

    Attributes
    ----------
    files : dict of str to bytes
        Table -> Parquet file.
    rows : dict of str to int
    failed : int
        Patients who could not be computed to the end.
    notes : tuple of str
    provenance : dict
        The same for every chunk.
    """

    files: dict[str, bytes]
    rows: dict[str, int]
    failed: int
    notes: tuple[str, ...]
    provenance: Provenance


def make_chunk(work: Work, first: int, last: int, scratch: Path | None = None) -> Chunk:
    """Take the patients from ``first`` up to, not including, ``last`` through the trial.

    Parameters
    ----------
    work : Work
    first, last : int
        Patient numbers.
    scratch : path, optional
        Folder in which one is made and removed for files that are under way; by default that of the system.
    """
    journey = enroll_and_treat(work.trial, np.arange(first, last), seed=work.seed, backend=work.backend)
    tables = tables_of(work, journey)
    provenance = journey.provenance.copy()
    provenance.pop("date", None)
    with under_way(scratch) as place:
        files = {name: _parquet(columns, place / f"{name}-{first}.parquet") for name, columns in tables.items()}
    rows = {name: len(next(iter(columns.values()))) for name, columns in tables.items()}
    return Chunk(files, rows, int((journey.status != HARMLESS).sum()), journey.notes, provenance)


@contextmanager
def under_way(scratch: Path | None) -> Generator[Path]:
    """A folder for files under way that no other process knows: a killed run's workers may outlive it for a moment."""
    with tempfile.TemporaryDirectory(prefix="vein2vein-", dir=scratch, ignore_cleanup_errors=True) as made:
        yield Path(made)


def tables_of(work: Work, journey: Journey) -> dict[str, Columns]:
    """Tables of a chunk whose patients have been through the trial."""
    own = {**OF_JOURNEY, "summaries": summaries, "course": _course}
    return {
        name: readings(work.trial, journey, work.seed) if name == "readings" else own[name](journey)
        for name in work.tables
    }


def _course(journey: Journey) -> Columns:
    """Every day, with the same columns in every chunk; a treatment that was not given is NaN."""
    found = OF_JOURNEY["course"](journey)
    columns = {"patient": found["patient"], "day": found["day"]}
    for name, analyte in sorted(analytes.all_analytes().items()):
        values = found.get(name, np.full(len(found["day"]), np.nan, np.float32)).astype(np.float32, copy=False)
        columns[name] = np.where(values > 0, values, np.float32(np.nan)) if analyte.kind == "treatment" else values
        below = f"{name}_below_lloq"
        columns[below] = found.get(below, np.zeros(len(found["day"]), bool))
    return columns


def _parquet(columns: Columns, path: Path) -> bytes:
    import duckdb

    try:
        write_table(columns, path)
        return path.read_bytes()
    except duckdb.Error as problem:  # a full disk comes as an error of the database
        raise OSError(None, str(problem).splitlines()[0], str(path)) from None
    finally:
        path.unlink(missing_ok=True)


def summaries(journey: Journey) -> Columns:
    """Worst grades, extremes and treatments of each patient, to the end of observation.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        ``worst_<finding>`` (-1: never gradable) and ``first_day_<finding>`` (grade 1 or more; infinite: never),
        ``highest_<analyte>`` and ``lowest_<analyte>`` (NaN: never measured), ``total_<treatment>`` and
        ``doses_<treatment>`` (days on which it was given), ``b_cell_recovery_day`` (infinite: not seen).
    """
    course, count = journey.course, journey.count
    columns: Columns = {"patient": journey.patient.number}
    for name in sorted(journey.findings):
        found = journey.findings[name]
        reached = found.grade >= 1
        columns[f"worst_{name}"] = found.grade.max(axis=1).astype(np.int8)
        days = np.asarray(found.days, float)[reached.argmax(axis=1)]
        columns[f"first_day_{name}"] = np.where(reached.any(axis=1), days, np.inf).astype(np.float32)
    absent = np.full((count, 1), np.nan)
    for name, analyte in sorted(analytes.all_analytes().items()):
        values = course.values.get(name, absent)
        if analyte.kind == "treatment":
            given = np.nan_to_num(values)
            columns[f"total_{name}"] = _sum(given).astype(np.float32)
            columns[f"doses_{name}"] = (given > 0).sum(axis=1).astype(np.int16)
        else:
            columns[f"highest_{name}"] = np.fmax.reduce(values, axis=1).astype(np.float32)
            columns[f"lowest_{name}"] = np.fmin.reduce(values, axis=1).astype(np.float32)
    columns["b_cell_recovery_day"] = recovery_day(journey).astype(np.float32)
    return columns


def _sum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over days, one after the other, so that it does not depend on how the array lies in memory."""
    total = np.zeros(len(values))
    for column in range(values.shape[1]):
        total += values[:, column]
    return total


def readings(trial: Trial, journey: Journey, seed: int) -> Columns:
    """What each published row needs of each patient, so that the comparison can be made from all chunks together."""
    numbers = journey.patient.number
    seen_at = {"": journey}
    for name, days in follow_up_at(trial, numbers, seed).items():
        seen_at[name] = known_at(journey, days)
    columns: Columns = {"patient": numbers}
    for i, row in enumerate(trial.published):
        if not row.endpoint:
            continue
        try:
            arrays, pool = read_row(row, seen_at[row.cutoff], scale=trial.scale, until=trial.until)
        except NotProduced as problem:  # another chunk may hold what this one lacks
            kind = ENDPOINTS[row.endpoint].kind
            arrays, pool = (np.full(numbers.shape, NOTHING_READ[kind]),), np.zeros(numbers.shape, bool)
            if kind == "share":
                pool = patients_of(row, seen_at[row.cutoff], scale=trial.scale, until=trial.until)
            columns[f"missing_{i}"] = np.full(numbers.shape, str(problem))
        for j, array in enumerate(arrays):
            columns[f"row_{i}_{j}"] = array
        columns[f"in_{i}"] = pool
    return columns


def work_record(work: Work) -> dict[str, Plain]:
    """What identifies the inputs of a run, as plain data: the trial with all its cards, and the policy."""
    from vein2vein.clinic.care.management import read_policy

    trial = fields_of(work.trial)
    trial.pop("file")  # the same text elsewhere is the same trial
    return {"trial": trial, "policy": plain(read_policy(work.trial.policy))}


def fields_of(record: object) -> dict[str, Plain]:
    """Plain data of the fields of a record, by name."""
    if not dataclasses.is_dataclass(record) or isinstance(record, type):
        raise TypeError(f"{type(record).__name__} is no record")
    return {f.name: plain(getattr(record, f.name)) for f in dataclasses.fields(record)}


def plain(value: object) -> Plain:
    """Plain data of a record: mappings by sorted name, arrays as lists, numbers as written by ``repr``."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return fields_of(value)
    if isinstance(value, np.ndarray):
        return plain(cast("object", cast("Cells", value).tolist()))
    if isinstance(value, np.generic):
        return plain(cast("object", value.item()))
    if isinstance(value, Mapping):
        held = cast("Mapping[object, object]", value)
        return {str(k): plain(v) for k, v in sorted(held.items(), key=lambda item: str(item[0]))}
    if isinstance(value, list | tuple):
        return [plain(one) for one in cast("Sequence[object]", value)]
    if isinstance(value, set | frozenset):
        return [repr(one) for one in sorted(cast("Iterable[object]", value), key=repr)]
    return value if isinstance(value, str | bool) or value is None else repr(value)
