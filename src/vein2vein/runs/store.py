"""The results of a trial on disk: Parquet tables and a manifest, each written whole or not at all.

patients.parquet    one row per enrolled patient: baseline, product, what became of the treatment
course.parquet      one row per infused patient and day: a column per analyte, ``<analyte>_below_lloq`` where it applies
findings.parquet    one row per infused patient and day: a column per grade (-1: not gradable)
outcomes.parquet    one row per enrolled patient: response, relapse, death, kinetics (days from infusion; inf: never)
comparison.parquet  simulated beside published, one row per published number
manifest.json       provenance, columns and row counts; written last, so that a folder with it is complete
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import NotRequired, Protocol, TypeAlias, TypedDict, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from vein2vein.arguments import name_or_path, of_kind, text
from vein2vein.errors import InputError, unknown
from vein2vein.files import check_target, is_regular, make_folder, refused_by_library, scratch_path, write_text
from vein2vein.journey.journey import Journey
from vein2vein.records import patient_arrays
from vein2vein.trials.comparison import Row
from vein2vein.trials.trial import TrialResult

Cells = NDArray[np.generic]
Columns = dict[str, Cells]
Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"
TABLES = ("patients", "course", "findings", "outcomes", "comparison")
MANIFEST = "manifest.json"
FORMAT = 1  # of the manifest; raised when a reader would need to know


class _Fetched(Protocol):
    """What a query found, as columns."""

    def fetchnumpy(self) -> Columns: ...


class Described(TypedDict):
    """What the manifest says of a table."""

    rows: int
    columns: list[str]


class Stored(TypedDict):
    """What the manifest says of a chunk of a large run."""

    first: int
    last: int
    file: str
    rows: dict[str, int]
    failed: int
    sha256: dict[str, str]
    notes: list[str]


class Manifest(TypedDict):
    """What a results folder says of itself."""

    format: int
    trial: str
    provenance: Plain
    trial_file: str
    screened: NotRequired[int]
    tables: dict[str, Described] | list[str]


class LargeManifest(Manifest):
    """What the folder of a large run says of itself."""

    state: str
    identity: dict[str, str | int]
    patients: int
    chunk: int
    chunks: list[Stored]


LARGE = frozenset({"state", "identity", "patients", "chunk", "chunks", "tables"})


def write_trial(result: TrialResult, folder: str | Path) -> Path:
    """Write the results of a trial as Parquet tables with a manifest.

    Parameters
    ----------
    result : TrialResult
    folder : path
        Made where it does not exist.

    Returns
    -------
    Path
        The manifest.

    Raises
    ------
    InputError
        What is given is no result, or no folder.
    """
    result = of_kind("result", result, TrialResult, "a TrialResult, as run_trial makes it")
    folder = make_folder(folder_of(folder))
    for name in (*TABLES, MANIFEST):
        check_target(folder / (name if name == MANIFEST else f"{name}.parquet"), force=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    tables = {name: table(result.journey) for name, table in OF_JOURNEY.items()}
    tables["comparison"] = comparison_table(result.comparison)
    described: dict[str, Described] = {}
    for name, columns in tables.items():
        write_table(columns, folder / f"{name}.parquet")
        described[name] = {"rows": len(next(iter(columns.values()))), "columns": list(columns)}
    manifest: Manifest = {
        "format": FORMAT,
        "trial": result.trial.name,
        "screened": result.screened,
        "provenance": as_plain(result.provenance),
        "tables": described,
        "trial_file": result.trial.text,
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False)
    return write_text(folder / MANIFEST, text, force=True)


def folder_of(folder: object) -> Path:
    """A folder of results, there or not."""
    found = Path(name_or_path("folder", folder, "the path of a folder"))
    if found.exists() and not found.is_dir():
        raise InputError(f"{found} is a file, expected a folder; give another path.", field="folder")
    return found


def write_table(columns: Mapping[str, Cells], path: Path, *, durable: bool = False) -> Path:
    """Write equally long columns as one Parquet file, whole or not at all; NaN becomes NULL, infinity stays."""
    import duckdb

    table = {name: _storable(column) for name, column in columns.items()}
    picked = ", ".join(
        f'CASE WHEN isnan("{n}") THEN NULL ELSE "{n}" END AS "{n}"' if column.dtype.kind == "f" else f'"{n}"'
        for n, column in table.items()
    )
    with scratch_path(path, force=True, durable=durable) as scratch, duckdb.connect() as connection:
        connection.register("given", table)
        try:
            to = f"'{_quoted(scratch)}' (FORMAT parquet, COMPRESSION zstd)"
            connection.execute(f"COPY (SELECT {picked} FROM given) TO {to}")
        except duckdb.IOException as problem:  # it gives no number of the error, only words
            raise refused_by_library(problem, path) from None
    return path


def write_csv(files: Sequence[Path], path: Path) -> Path:
    """Write Parquet files of one table as one CSV; a text that a spreadsheet would take for a formula is quoted."""
    import duckdb

    with scratch_path(path, force=True) as scratch, duckdb.connect() as connection:
        found = connection.sql(f"SELECT * FROM {listed(files)}")
        typed = zip(found.columns, map(str, found.dtypes), strict=True)
        picked = ", ".join(
            f"""CASE WHEN regexp_matches("{n}", '^[=+@]') THEN chr(39) || "{n}" ELSE "{n}" END AS "{n}\""""
            if kind == "VARCHAR"
            else f'"{n}"'
            for n, kind in typed
        )
        try:
            connection.execute(
                f"COPY (SELECT {picked} FROM {listed(files)}) TO '{_quoted(scratch)}' (FORMAT csv, HEADER)"
            )
        except duckdb.IOException as problem:
            raise refused_by_library(problem, path) from None
    return path


def read_table(folder: str | Path, name: str) -> Columns:
    """Read one table of a results folder as columns; NULL numbers come back as NaN.

    Raises
    ------
    InputError
        The folder holds no complete results, or there is no such table.
    """
    folder, name = folder_of(folder), text("name", name)
    said = read_manifest(folder)
    known: Sequence[str] = TABLES
    files: list[Path] = []
    if is_large(said):
        known = list(said["tables"])
        files = [folder / name / chunk["file"] for chunk in said["chunks"]]
        if said["state"] != "complete":
            raise InputError("the run is not complete; the command that began it goes on with it.", file=folder)
    if name not in (*known, "comparison"):
        raise InputError(unknown("table", name, known))
    return read_parquet(files if name in known and files else [folder / f"{name}.parquet"])


def read_parquet(files: Sequence[Path], columns: Sequence[str] = (".*",)) -> Columns:
    """Read Parquet files of one table, one below the other; of the columns whose names match one of some patterns.

    Raises
    ------
    InputError
        A file is missing or damaged.
    """
    import duckdb

    with duckdb.connect() as connection:
        wanted = "|".join(f"({pattern})" for pattern in columns)
        query = f"SELECT COLUMNS('^({wanted})$') FROM {listed(files)}"
        try:
            found = cast("_Fetched", connection.execute(query)).fetchnumpy()
        except (duckdb.IOException, duckdb.InvalidInputException) as problem:
            said = str(problem).splitlines()[0].partition(": ")[2]
            raise InputError(f"a table cannot be read ({said}); the command that made it makes it again.") from None
    return {key: _filled(column) for key, column in found.items()}


def listed(files: Sequence[Path]) -> str:
    """Some Parquet files as the database takes them in a query."""
    names = ", ".join(f"'{_quoted(file)}'" for file in files)
    return f"read_parquet([{names}], union_by_name = true)"


def _filled(column: Cells) -> Cells:
    floating = np.ma.isMaskedArray(column) and column.dtype.kind == "f"
    return np.ma.filled(column, np.nan) if floating else np.asarray(column)


def read_manifest(folder: str | Path) -> Manifest | LargeManifest:
    """Read what a results folder says of itself; a folder without a manifest is not complete."""
    if (Path(folder) / MANIFEST).is_fifo():
        raise InputError("is a pipe, not the manifest of a run.", file=Path(folder) / MANIFEST)
    try:
        found = json.loads((Path(folder) / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no {MANIFEST} here: not a results folder, or the run did not finish.", file=folder) from None
    except json.JSONDecodeError as problem:
        at = Path(folder) / MANIFEST
        raise InputError("is not valid JSON; run the trial again.", file=at, line=problem.lineno) from None
    except UnicodeDecodeError:
        raise InputError("is not a text; run the trial again.", file=Path(folder) / MANIFEST) from None
    held = cast("dict[str, object]", found) if isinstance(found, dict) else None
    if held is None or ("chunks" in held and not held.keys() >= LARGE):
        raise InputError("is not the manifest of a run; run the trial again.", file=Path(folder) / MANIFEST)
    return cast("Manifest", held)


def is_large(manifest: Manifest | LargeManifest) -> TypeGuard[LargeManifest]:
    """Whether a manifest is that of a large run: see runs/large.py."""
    return "chunks" in manifest


def holds_large(folder: str | Path) -> bool:
    """Whether a folder holds a large run, complete or not."""
    return is_regular(Path(folder) / MANIFEST) and is_large(read_manifest(folder))


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _storable(column: Cells) -> Cells:
    column = np.asarray(column)
    return column.astype(object) if column.dtype.kind == "U" else column


def as_plain(value: object) -> Plain:
    """What JSON can hold."""
    if isinstance(value, Mapping):
        return {str(k): as_plain(v) for k, v in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_plain(one) for one in cast("Iterable[object]", value)]
    if isinstance(value, np.ndarray):
        return as_plain(cast("object", cast("Cells", value).tolist()))
    if isinstance(value, np.generic):
        return as_plain(cast("object", value.item()))
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _patients(journey: Journey) -> Columns:
    columns: Columns = {"patient": journey.patient.number}
    columns |= {k: v for k, v in patient_arrays(journey.patient).items() if k != "number" and v.size}
    for name, value in journey.patient.antigens.items():
        columns[f"antigen_{name}"] = np.asarray(value, float)
    for name, value in journey.patient.baseline.items():
        columns[f"baseline_{name}"] = np.asarray(value, float)
    steps = {
        "apheresis": journey.apheresis, "cells": journey.cells, "lot": journey.lot, "waiting": journey.waiting,
        "conditioning": journey.conditioning, "infusion": journey.infusion,
    }  # fmt: skip
    for step, record in steps.items():
        columns |= {f"{step}_{k}": v for k, v in patient_arrays(record).items()}
    columns["infused"] = journey.infused
    columns["not_infused_reason"] = journey.not_infused_reason.astype(str)
    columns["enrolment_day"] = journey.enrolment_day
    columns["status"] = journey.status
    return columns


def _grid(journey: Journey) -> tuple[Columns, NDArray[np.bool_]]:
    """Patient and day of every cell of the course that holds anything, and which cells these are."""
    course = journey.course
    held = np.zeros(course.shape, np.bool_)
    for values in course.values.values():
        held |= np.isfinite(values)
    rows, cols = np.nonzero(held)
    return {"patient": course.patients[rows], "day": np.asarray(course.days, float)[cols]}, held


def _course(journey: Journey) -> Columns:
    columns, held = _grid(journey)
    for name in sorted(journey.course.values):
        columns[name] = journey.course.values[name][held].astype(np.float32)  # finer than any assay
        if name in journey.course.below_lloq:
            columns[f"{name}_below_lloq"] = journey.course.below_lloq[name][held]
    return columns


def _findings(journey: Journey) -> Columns:
    columns, held = _grid(journey)
    for name in sorted(journey.findings):
        columns[name] = journey.findings[name].grade.astype(np.int8)[held]
    return columns


def _outcomes(journey: Journey) -> Columns:
    columns: Columns = {"patient": journey.patient.number, "infused": journey.infused}
    columns |= patient_arrays(journey.outcome)
    columns |= patient_arrays(journey.kinetics)
    for clone, value in journey.cure_probability.items():
        columns[f"cure_probability_{clone}"] = np.asarray(value, float)
    return columns


OF_JOURNEY: dict[str, Callable[[Journey], Columns]] = {
    "patients": _patients,
    "course": _course,
    "findings": _findings,
    "outcomes": _outcomes,
}
"""Table -> function of a journey that gives its columns."""


def comparison_table(rows: Sequence[Row]) -> Columns:
    """Rows of a comparison as columns."""
    if not rows:
        return {"quantity": np.array([], dtype=object)}
    columns: Columns = {}
    for f in fields(rows[0]):
        column: list[object] = [getattr(row, f.name) for row in rows]
        if f.name == "inside":  # three states: as text, so that missing is not False
            column = ["" if flag is None else "yes" if flag else "no" for flag in column]
        columns[f.name] = np.array(column)
    return columns
