"""The results of a trial on disk: Parquet tables and a manifest, each written whole or not at all.

patients.parquet    one row per enrolled patient: baseline, product, what became of the treatment
course.parquet      one row per infused patient and day: a column per analyte, ``<analyte>_below_lloq`` where it applies
findings.parquet    one row per infused patient and day: a column per grade (-1: not gradable)
outcomes.parquet    one row per enrolled patient: response, relapse, death, kinetics (days from infusion; inf: never)
comparison.parquet  simulated beside published, one row per published number
manifest.json       provenance, columns and row counts; written last, so that a folder with it is complete
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError, unknown
from vein2vein.files import check_target, make_folder, refused_by_library, scratch_path, write_text

Columns = dict[str, NDArray[Any]]
TABLES = ("patients", "course", "findings", "outcomes", "comparison")
MANIFEST = "manifest.json"
FORMAT = 1  # of the manifest; raised when a reader would need to know


def write_trial(result: Any, folder: str | Path) -> Path:
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
    """
    folder = make_folder(folder)
    for name in (*TABLES, MANIFEST):
        check_target(folder / (name if name == MANIFEST else f"{name}.parquet"), force=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    tables = {name: table(result.journey) for name, table in OF_JOURNEY.items()}
    tables["comparison"] = comparison_table(result.comparison)
    described = {}
    for name, columns in tables.items():
        write_table(columns, folder / f"{name}.parquet")
        described[name] = {"rows": len(next(iter(columns.values()))), "columns": list(columns)}
    manifest = {
        "format": FORMAT,
        "trial": result.trial.name,
        "screened": result.screened,
        "provenance": _plain(result.provenance),
        "tables": described,
        "trial_file": result.trial.text,
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False)
    return write_text(folder / MANIFEST, text, force=True)


def write_table(columns: Mapping[str, NDArray[Any]], path: Path, *, durable: bool = False) -> Path:
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


def read_table(folder: str | Path, name: str) -> Columns:
    """Read one table of a results folder as columns; NULL numbers come back as NaN.

    Raises
    ------
    InputError
        The folder holds no complete results, or there is no such table.
    """
    said = read_manifest(folder)
    if "chunks" in said:  # a large run: see runs/large.py
        known = said["tables"]
        files = [Path(folder) / name / chunk["file"] for chunk in said["chunks"]]
        if said["state"] != "complete":
            raise InputError("the run is not complete; the command that began it goes on with it.", file=folder)
    else:
        known, files = TABLES, []
    if name not in (*known, "comparison"):
        raise InputError(unknown("table", name, known))
    return read_parquet(files if name in known and files else [Path(folder) / f"{name}.parquet"])


def read_parquet(files: Sequence[Path], columns: Sequence[str] = (".*",)) -> Columns:
    """Read Parquet files of one table, one below the other; of the columns whose names match one of some patterns."""
    import duckdb

    with duckdb.connect() as connection:
        wanted = "|".join(f"({pattern})" for pattern in columns)
        found = connection.execute(f"SELECT COLUMNS('^({wanted})$') FROM {listed(files)}").fetchnumpy()
    return {key: _filled(column) for key, column in found.items()}


def listed(files: Sequence[Path]) -> str:
    """Some Parquet files as the database takes them in a query."""
    names = ", ".join(f"'{_quoted(file)}'" for file in files)
    return f"read_parquet([{names}], union_by_name = true)"


def _filled(column: Any) -> NDArray[Any]:
    floating = np.ma.isMaskedArray(column) and column.dtype.kind == "f"
    return np.ma.filled(column, np.nan) if floating else np.asarray(column)


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """Read what a results folder says of itself; a folder without a manifest is not complete."""
    if (Path(folder) / MANIFEST).is_fifo():
        raise InputError("is a pipe, not the manifest of a run.", file=Path(folder) / MANIFEST)
    try:
        return json.loads((Path(folder) / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no {MANIFEST} here: not a results folder, or the run did not finish.", file=folder) from None
    except json.JSONDecodeError as problem:
        at = Path(folder) / MANIFEST
        raise InputError("is not valid JSON; run the trial again.", file=at, line=problem.lineno) from None


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _storable(column: NDArray[Any]) -> NDArray[Any]:
    column = np.asarray(column)
    return column.astype(object) if column.dtype.kind == "U" else column


def _plain(value: Any) -> Any:
    """What JSON can hold."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _arrays(record: Any, count: int) -> Columns:
    """Fields of a record that hold one value per patient."""
    found = {}
    for f in dataclasses.fields(record):
        value = getattr(record, f.name)
        if isinstance(value, np.ndarray) and value.shape == (count,):
            found[f.name] = value
    return found


def _patients(journey: Any) -> Columns:
    count = len(journey.infused)
    columns: Columns = {"patient": np.asarray(journey.patient.number)}
    columns |= {k: v for k, v in _arrays(journey.patient, count).items() if k != "number"}
    for name, value in journey.patient.baseline.items():
        columns[f"baseline_{name}"] = np.asarray(value, float)
    for step in ("apheresis", "cells", "lot", "waiting", "conditioning", "infusion"):
        record = getattr(journey, step)
        if dataclasses.is_dataclass(record):
            columns |= {f"{step}_{k}": v for k, v in _arrays(record, count).items()}
    columns["infused"] = np.asarray(journey.infused, bool)
    columns["not_infused_reason"] = np.asarray(journey.not_infused_reason).astype(str)
    columns["enrolment_day"] = np.asarray(journey.enrolment_day, float)
    columns["status"] = np.asarray(journey.status)
    return columns


def _grid(journey: Any) -> tuple[Columns, NDArray[np.bool_]]:
    """Patient and day of every cell of the course that holds anything, and which cells these are."""
    course = journey.course
    held = np.zeros(course.shape, bool)
    for values in course.values.values():
        held |= np.isfinite(values)
    rows, cols = np.nonzero(held)
    return {"patient": np.asarray(course.patients)[rows], "day": np.asarray(course.days, float)[cols]}, held


def _course(journey: Any) -> Columns:
    columns, held = _grid(journey)
    for name in sorted(journey.course.values):
        columns[name] = journey.course.values[name][held].astype(np.float32)  # finer than any assay
        if name in journey.course.below_lloq:
            columns[f"{name}_below_lloq"] = journey.course.below_lloq[name][held]
    return columns


def _findings(journey: Any) -> Columns:
    columns, held = _grid(journey)
    for name in sorted(journey.findings):
        columns[name] = np.asarray(journey.findings[name].grade, np.int8)[held]
    return columns


def _outcomes(journey: Any) -> Columns:
    count = len(journey.infused)
    columns: Columns = {"patient": np.asarray(journey.patient.number), "infused": np.asarray(journey.infused, bool)}
    columns |= _arrays(journey.outcome, count)
    columns |= _arrays(journey.kinetics, count)
    for clone, value in journey.cure_probability.items():
        columns[f"cure_probability_{clone}"] = np.asarray(value, float)
    return columns


OF_JOURNEY = {"patients": _patients, "course": _course, "findings": _findings, "outcomes": _outcomes}
"""Table -> function of a journey that gives its columns."""


def comparison_table(rows: Any) -> Columns:
    """Rows of a comparison as columns."""
    if not rows:
        return {"quantity": np.array([], dtype=object)}
    columns = {}
    for f in dataclasses.fields(rows[0]):
        listed = [getattr(row, f.name) for row in rows]
        if f.name == "inside":  # three states: as text, so that missing is not False
            listed = ["" if flag is None else "yes" if flag else "no" for flag in listed]
        columns[f.name] = np.array(listed)
    return columns
