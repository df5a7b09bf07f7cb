"""The folder of a fit: tables that anyone can read, and one file with every number exact.

fit.toml           the problem, defaults filled in (the study is named as it was)
model.py           the model, where it was a file of the user's own
population.csv     the estimates
individuals.csv    each subject: parameters at its most likely effects, effects with their SD
predictions.csv    a NONMEM-style table: ID TIME DV CENS DVID PRED IPRED IWRES; DVID as the study has it (a code, or a
                   name), ENDPOINT as the fit calls it
correlation.csv    of the estimates
data.parquet       the rows that were fitted, as they were read
trace.parquet      every iteration of every seed
draws.parquet      each subject's parameters, drawn from its conditional distribution; draws.nc too where ArviZ is there
exact.npz          all arrays of the fit and of the study, from which ``read_fit`` makes it again
manifest.json      the verdict, what it was made with, and the SHA-256 of every file; written last (and again where a
                   report, a table or a figure joins them)
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from vein2vein import __version__
from vein2vein.errors import InputError
from vein2vein.files import check_target, checksum, is_regular, make_folder, scratch_path, write_bytes, write_text
from vein2vein.inference.population.fit_file import problem_text, read_fit_file
from vein2vein.inference.population.fitted import Estimate, Fit
from vein2vein.inference.population.predictions import Predictions
from vein2vein.io.record.write import safe_cell
from vein2vein.io.study.study import Covariate, Doses, Endpoint, Observations, Study
from vein2vein.models import model_file
from vein2vein.runs.store import as_plain, write_table

MANIFEST, EXACT, PROBLEM, MODEL = "manifest.json", "exact.npz", "fit.toml", "model.py"
TABLES = ("population.csv", "individuals.csv", "predictions.csv", "correlation.csv", "data.parquet", "trace.parquet",
          "draws.parquet")  # fmt: skip
FORMAT = 1  # of the manifest; raised when a reader would need to know
_PLAIN = ("method", "seed", "converged", "verdict", "notes", "theta_names", "minus_two_ll", "minus_two_ll_se",
          "likelihood_by", "objective", "aic", "bic", "trace_names", "burn_in", "acceptance", "seconds", "evaluations",
          "provenance")  # fmt: skip
_ARRAYS = ("beta", "omega", "omega_occasion", "sigma", "covariance", "pareto_k", "effects", "effects_mean",
           "effects_sd", "effects_mode", "trace")  # fmt: skip


def write_fit(fit: Fit, folder: str | Path, *, force: bool = False) -> Path:
    """Write the folder of a fit.

    Parameters
    ----------
    fit : Fit
    folder : path
        Made where it does not exist.
    force : bool
        Replace files of an earlier fit.

    Raises
    ------
    InputError
        The folder cannot be written, or holds a fit already.
    """
    folder = make_folder(folder)
    for name in (*TABLES, EXACT, PROBLEM, MODEL, MANIFEST):
        check_target(folder / name, force=force)
    model = ""
    written: list[str] = []
    if fit.problem.model_name and model_file.is_model_file(fit.problem.model_name):
        model = MODEL
        write_bytes(folder / MODEL, Path(fit.problem.model_name).read_bytes(), force=True)
        written.append(MODEL)
    write_text(folder / PROBLEM, problem_text(fit.problem, data=fit.problem.study.file, model=model), force=True)
    seen = fit.predict()
    _write_csv(folder / "population.csv", [vars(one) for one in fit.estimates])
    _write_csv(folder / "individuals.csv", individuals(fit))
    _write_csv(folder / "predictions.csv", prediction_rows(fit, seen))
    _write_csv(folder / "correlation.csv", correlation_rows(fit))
    write_table(_columns(fit.problem.study.records()), folder / "data.parquet")
    write_table(trace_columns(fit), folder / "trace.parquet")
    write_table(draw_columns(fit), folder / "draws.parquet")
    written += [PROBLEM, *TABLES, *_netcdf(fit, folder), EXACT]
    content = io.BytesIO()
    np.savez_compressed(content, **cast("Any", _exact(fit)))
    write_bytes(folder / EXACT, content.getvalue(), force=True)
    told = {
        "format": FORMAT, "version": __version__, "converged": fit.converged, "verdict": list(fit.verdict),
        "method": fit.method, "seed": fit.seed, "minus_two_ll": fit.minus_two_ll, "provenance": fit.provenance,
        "files": {name: checksum(folder / name) for name in written},
    }  # fmt: skip
    write_text(folder / MANIFEST, json.dumps(as_plain(told), indent=2) + "\n", force=True)
    return folder


def list_files(folder: str | Path, *names: str) -> None:
    """List files that joined the folder of a fit (a report, a table) in its manifest, with their SHA-256.

    A folder without a manifest (what was asked of a fit elsewhere) stays without.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        return
    told = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
    told["files"] |= {name: checksum(path.parent / name) for name in names}
    write_text(path, json.dumps(told, indent=2) + "\n", force=True)


def _netcdf(fit: Fit, folder: Path) -> list[str]:
    try:
        found = fit.draws()
    except InputError:
        return []
    name = "draws.nc"
    try:
        with scratch_path(folder / name, force=True) as path:
            found.to_netcdf(path)
    except (ImportError, ValueError):  # no library of NetCDF files beside ArviZ
        return []
    return [name]


# Tables


def individuals(fit: Fit) -> list[dict[str, object]]:
    """A row for each subject: parameters at its most likely effects, then each effect with mean, SD and mode."""
    p = fit.population
    first = np.unique(p.layout.spans.subject, return_index=True)[1]
    phi = p.mean(fit.beta)[first].copy()
    phi[:, p.random] += fit.eta_mode
    psi = p.psi(phi)
    rows: list[dict[str, object]] = []
    for i, subject in enumerate(p.layout.subjects):
        row: dict[str, object] = {"ID": subject}
        row |= {name: float(psi[i, k]) for k, name in enumerate(fit.problem.names)}
        for j, name in enumerate(fit.random):
            row[f"eta_{name}"] = float(fit.eta_mode[i, j])
            row[f"eta_{name}_mean"] = float(fit.eta_mean[i, j])
            row[f"eta_{name}_sd"] = float(fit.eta_sd[i, j])
        rows.append(row)
    return rows


def prediction_rows(fit: Fit, seen: Predictions) -> list[dict[str, object]]:
    """A row for each observation, as NONMEM's tables name their columns."""
    line, codes = fit.problem.study.observations.line, fit.problem.codes
    return [
        {
            "ID": seen.subjects[seen.subject[i]], "TIME": float(seen.time[i]), "DV": float(seen.value[i]),
            "CENS": int(seen.censored[i]), "DVID": codes[seen.endpoints[seen.endpoint[i]]],
            "PRED": float(seen.population[i]), "IPRED": float(seen.individual[i]), "IWRES": float(seen.iwres[i]),
            "LINE": int(line[seen.row[i]]), "ENDPOINT": seen.endpoints[seen.endpoint[i]],
        }
        for i in range(len(seen.row))
    ]  # fmt: skip


def correlation_rows(fit: Fit) -> list[dict[str, object]]:
    """A row for each estimate: its correlation with the others; no rows where no errors are known."""
    if fit.covariance is None:
        return []
    size = np.sqrt(np.diag(fit.covariance))
    with np.errstate(invalid="ignore", divide="ignore"):
        r = fit.covariance / size / size[:, None]
    names = fit.theta_names
    return [{"name": a, **{b: float(r[i, j]) for j, b in enumerate(names)}} for i, a in enumerate(names)]


def trace_columns(fit: Fit) -> dict[str, NDArray[Any]]:
    """Every iteration of every seed, as columns."""
    traces = [fit.trace, *fit.other_traces]
    found: dict[str, NDArray[Any]] = {
        "seed": np.concatenate([np.full(len(t), fit.seed + i) for i, t in enumerate(traces)]),
        "iteration": np.concatenate([np.arange(1, len(t) + 1) for t in traces]),
    }
    return found | {name: np.concatenate([t[:, k] for t in traces]) for k, name in enumerate(fit.trace_names)}


def draw_columns(fit: Fit) -> dict[str, NDArray[Any]]:
    """Each subject's parameters (natural scale), drawn: a row for each draw and subject."""
    p, psi = fit.population, fit.population.psi(fit.phi)
    count = len(psi)
    found: dict[str, NDArray[Any]] = {
        "draw": np.repeat(np.arange(count), p.subjects),
        "ID": np.tile(np.array(p.layout.subjects, dtype=object), count),
    }
    return found | {name: psi[..., k].ravel() for k, name in enumerate(fit.problem.names)}


def _columns(rows: Iterable[Mapping[str, object]]) -> dict[str, NDArray[Any]]:
    every = list(rows)
    return {name: np.array([row[name] for row in every]) for name in every[0]}


def _write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    stream = io.StringIO()
    if rows:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: _cell(v) for k, v in row.items()})
    write_text(path, stream.getvalue(), force=True)


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    return ("" if np.isnan(value) else f"{value:.10g}") if isinstance(value, float) else safe_cell(value)


# Exact


def _exact(fit: Fit) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    for name in _ARRAYS:
        value = getattr(fit, name)
        if value is not None:
            found[name] = value
    for i, one in enumerate(fit.other_traces):
        found[f"other_trace.{i}"] = one
    study = fit.problem.study
    for kind, part in (("observations", study.observations), ("doses", study.doses)):
        for one in fields(part):
            found[f"{kind}.{one.name}"] = getattr(part, one.name)
    found["subject"] = study.subject
    for i, one in enumerate(study.covariates.values()):
        if one.constant is not None:
            found[f"covariate.{i}"] = one.constant
        for c, (times, values) in enumerate(one.in_time):
            found[f"covariate.{i}.{c}"] = np.stack([np.asarray(times, float), np.asarray(values, float)])
    told = {
        "fit": {name: getattr(fit, name) for name in _PLAIN},
        "estimates": [vars(one) for one in fit.estimates],
        "study": {
            "file": study.file, "program": study.program, "subjects": study.subjects, "time_unit": study.time_unit,
            "endpoints": [vars(one) for one in study.endpoints], "notes": study.notes, "digest": study.digest,
            "covariates": [{"name": c.name, "categories": c.categories} for c in study.covariates.values()],
        },
    }  # fmt: skip
    found["told"] = np.frombuffer(json.dumps(as_plain(told)).encode(), dtype=np.uint8)
    return found


def read_fit(folder: str | Path) -> Fit:
    """Read the folder of a fit: the same numbers to the bit.

    Raises
    ------
    InputError
        The folder holds no whole fit, a file was changed, or its model is not to be found.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if not is_regular(path):
        raise InputError(f"no {MANIFEST} here: not the folder of a fit, or the fit did not finish.", file=folder)
    try:
        told = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
        listed, form = dict(told["files"]), int(told["format"])
    except (ValueError, KeyError, TypeError):
        raise InputError("is not the manifest of a fit; fit again.", file=path) from None
    if form != FORMAT:
        raise InputError(f"is of format {form}, expected {FORMAT}; read it with the version that wrote it.", file=path)
    for name in (EXACT, PROBLEM, *([MODEL] if MODEL in listed else [])):
        if not is_regular(folder / name) or checksum(folder / name) != listed.get(name):
            raise InputError("is missing, or was changed after the fit; fit again.", file=folder / name)
    with np.load(folder / EXACT, allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files}
    exact = cast("dict[str, Any]", json.loads(bytes(arrays.pop("told")).decode()))
    study = _study(exact["study"], arrays)
    problem = read_fit_file(folder / PROBLEM, study=study)
    plain = {name: _plain(value) for name, value in exact["fit"].items()}
    others = sorted((n for n in arrays if n.startswith("other_trace.")), key=lambda n: int(n.split(".")[1]))
    estimates = tuple(Estimate(**{k: _plain(v) if k not in _TEXTS else v for k, v in one.items()})
                      for one in exact["estimates"])  # fmt: skip
    return Fit(
        problem=replace(problem, model_name=problem.model_name), estimates=estimates,
        other_traces=tuple(arrays[n] for n in others), **{name: arrays.get(name) for name in _ARRAYS}, **plain,
    )  # type: ignore[arg-type]  # fmt: skip


_TEXTS = ("name", "kind", "parameter", "unit", "note")


def _plain(value: Any) -> Any:
    """What ``as_plain`` wrote: lists were tuples, and numbers that are not finite were texts."""
    if isinstance(value, list):
        return tuple(cast("list[Any]", value))
    return float(value) if value in ("nan", "inf", "-inf") else value


def _study(told: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Study:
    def part(kind: str, of: type[Any]) -> Any:
        return of(**{one.name: arrays[f"{kind}.{one.name}"] for one in fields(of)})

    courses = len(arrays["subject"])
    covariates: dict[str, Covariate] = {}
    for i, one in enumerate(told["covariates"]):
        constant = arrays.get(f"covariate.{i}")
        in_time = () if constant is not None else tuple(
            (arrays[f"covariate.{i}.{c}"][0], arrays[f"covariate.{i}.{c}"][1]) for c in range(courses)
        )  # fmt: skip
        covariates[one["name"]] = Covariate(one["name"], constant, tuple(one["categories"]), in_time)
    return Study(
        told["file"], told["program"], tuple(told["subjects"]), arrays["subject"],
        tuple(Endpoint(**one) for one in told["endpoints"]), part("observations", Observations), part("doses", Doses),
        covariates, told["time_unit"], (), tuple(told["notes"]), told["digest"],
    )  # fmt: skip
