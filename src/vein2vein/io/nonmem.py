"""NONMEM-style data sets: one row per dose and per sample, with the trial's sampling days.

The course already holds what the laboratory would have reported: assay error and limits of quantification are in it.
A value below the limit stands as DV = LLOQ with BLQ = 1 (for likelihoods that use the limit, such as M3).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vein2vein import arguments
from vein2vein.clinic.response.outcome import Outcome
from vein2vein.clinic.words import complete_responses
from vein2vein.errors import InputError, unknown
from vein2vein.files import open_text
from vein2vein.therapy.course import Course, Row, course_from_rows
from vein2vein.therapy.infusion import Infusion
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import Product
from vein2vein.therapy.visits import Plan
from vein2vein.virtual.assay import Assay

Floats = NDArray[np.float64]

COLUMNS = ("ID", "TIME", "DV", "MDV", "EVID", "AMT", "CMT", "BLQ", "LLOQ", "DVID")
ANALYTES = ("transgene", "car_t_cells", "b_cells", "il6", "crp", "ferritin")  # DVID 1, 2, ... in this order
DOSE = "car_t_infusion"
MISSING = "."
RESETS = (3, 4)  # EVID that begins a new course

Line = tuple[str, str, int, int, str | int, int, int, str, int]
"""TIME, DV, MDV, EVID, AMT, CMT, BLQ, LLOQ, DVID."""
READOUT = {"qPCR": "transgene", "flow": "car_t_cells"}
TOCILIZUMAB, STEROIDS = ("tocilizumab",), ("dexamethasone", "methylprednisolone")


class Given(Protocol):
    """An arm of a journey, for its product."""

    @property
    def product(self) -> Product:
        """With what."""
        ...


class Treated(Protocol):
    """What a data set is written from: of a journey, its course, plan, patients, doses and outcome."""

    @property
    def patient(self) -> Patient:
        """Who was treated."""
        ...

    @property
    def arms(self) -> Sequence[Given]:
        """The arms, for their products."""
        ...

    @property
    def infused(self) -> NDArray[np.bool_]:
        """Who was infused."""
        ...

    @property
    def infusion(self) -> Infusion:
        """The doses."""
        ...

    @property
    def plan(self) -> Plan:
        """The sampling days."""
        ...

    @property
    def course(self) -> Course:
        """What was measured."""
        ...

    @property
    def outcome(self) -> Outcome:
        """What came of it."""
        ...


class Measured(Protocol):
    """A trial, for its limits of quantification."""

    @property
    def assays(self) -> Mapping[str, Assay]:
        """The assays, by analyte."""
        ...


class Result(Protocol):
    """The result of a trial."""

    @property
    def trial(self) -> Measured:
        """The trial."""
        ...

    @property
    def journey(self) -> Treated:
        """All enrolled patients."""
        ...


def write_nonmem(result: Result, path: str | Path, *, analytes: Sequence[str] | None = None) -> Path:
    """Write the infused patients of a trial as a data set.

    Parameters
    ----------
    result : TrialResult
        Its journey gives course, plan, patients and doses; its trial the limits of quantification.
    path : path
        A CSV file; written whole or not at all.
    analytes : sequence of str, optional
        Of ``ANALYTES``; default: the readout of the product.

    Returns
    -------
    Path
        Rows: ID (patient number + 1), TIME (days from infusion), DV, MDV, EVID (1 dose, 0 sample), AMT (viable CAR+
        cells), CMT (1 blood), BLQ, LLOQ, DVID (place in ``ANALYTES``, 0 dose), then covariates.
    """
    if not hasattr(result, "journey") or not hasattr(result, "trial"):
        raise arguments.refusal("result", result, "a TrialResult, as run_trial gives it")
    journey, path = result.journey, Path(arguments.path_of("path", path))
    read = [READOUT[one.product.readout] for one in journey.arms]
    wanted = list(dict.fromkeys(read) if analytes is None else analytes)
    for name in wanted:
        if name not in ANALYTES:
            raise InputError(unknown("analyte of a NONMEM data set", name, ANALYTES))
    covariates = covariates_of(journey)
    assays = result.trial.assays
    limits = {name: float(assays[name].lloq) if name in assays else 0.0 for name in wanted}
    course = journey.course.at(journey.plan.kinetics_samples)
    rows: list[tuple[object, ...]] = [(*COLUMNS, *covariates)]
    for i in np.flatnonzero(journey.infused):
        own = [_shown(values[i]) for values in covariates.values()]
        identity = int(journey.patient.number[i]) + 1
        doses: list[Line] = [
            (_shown(day), MISSING, 1, 1, _shown(cells[i]), 1, 0, MISSING, 0)
            for day, cells in journey.infusion.doses
            if cells[i] > 0
        ]
        for row in sorted(doses + _samples(course, int(i), wanted, limits), key=lambda row: float(row[0])):
            rows.append((identity, *row, *own))
    with open_text(path, force=True) as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
    return path


def _samples(course: Course, i: int, wanted: Sequence[str], limits: Mapping[str, float]) -> list[Line]:
    rows: list[Line] = []
    for j, day in enumerate(course.days):
        for name in wanted:
            value = course.dense(name)[i, j]
            if not np.isfinite(value):
                continue
            flagged = name in course.below_lloq and bool(course.below_lloq[name][i, j])
            below = flagged or value < limits[name]
            limit = max(limits[name], value) if flagged else limits[name]
            dv = limit if below else value
            rows.append((_shown(day), _shown(dv), 0, 0, 0, 1, int(below), _shown(limit), ANALYTES.index(name) + 1))
    return rows


def covariates_of(journey: Treated) -> dict[str, Floats]:
    """Covariates of a data set by column name, each (n,); NaN where unknown or never."""
    patient = journey.patient
    return {
        "AGE": np.asarray(patient.age, float),
        "WT": np.asarray(patient.weight, float),
        "MALE": np.asarray(patient.male, float),
        "PRIORSCT": np.asarray(patient.prior_hsct, float),
        "LINES": np.asarray(patient.prior_lines, float),
        "BURDEN": np.asarray(patient.burden, float),
        "RESP": np.isin(np.asarray(journey.outcome.best_response).astype(str), complete_responses()).astype(float),
        "TTOCI": _first_dose(journey.course, TOCILIZUMAB),
        "TSTER": _first_dose(journey.course, STEROIDS),
    }


def _first_dose(course: Course, names: Sequence[str]) -> Floats:
    flags = np.logical_or.reduce([np.nan_to_num(course.dense(name)) > 0 for name in names])
    return np.where(flags.any(axis=1), np.asarray(course.days)[flags.argmax(axis=1)], np.nan)


def _shown(value: float) -> str:
    return MISSING if not np.isfinite(value) else repr(float(value)).removesuffix(".0")


def read_nonmem(path: str | Path) -> tuple[Course, dict[str, Floats]]:
    """Read a data set back.

    Returns
    -------
    course : Course
        Doses as ``car_t_infusion``, samples under their analytes with the flag below the limit.
    covariates : dict of str to ndarray, shape (n,)
        The columns after DVID by patient, in the order of ``course.patients``.

    Raises
    ------
    InputError
        A column or a number is missing or wrong: file, line, field.
    """
    path = Path(path)
    with open(path, encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file))
    header = lines[0] if lines else []
    for name in COLUMNS:
        if name not in header:
            raise InputError(f"missing; expected the columns {', '.join(COLUMNS)}.", file=path, line=1, field=name)
    extra = [name for name in header if name not in COLUMNS]
    rows: list[Row] = []
    own: dict[int, list[float]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise InputError(f"found {len(line)} fields, expected {len(header)}.", file=path, line=number)
        cell = {name: _number(text, path, number, name) for name, text in zip(header, line, strict=True)}
        patient = int(cell["ID"]) - 1
        own.setdefault(patient, [cell[name] for name in extra])
        where = f"{path.name}:{number}"
        if cell["EVID"] in RESETS:
            text = f"found {cell['EVID']:g}: a new course of one subject; give each course an ID of its own."
            raise InputError(text, file=path, line=number, field="EVID")
        if cell["MDV"] == 0 and cell["EVID"] == 0 and cell["DV"] != cell["DV"]:
            raise InputError("found no value; write MDV 1, or leave the row out.", file=path, line=number, field="DV")
        if cell["EVID"] == 1:
            rows.append(Row(patient, cell["TIME"], DOSE, cell["AMT"], False, "given", where))
        elif cell["MDV"] == 0:
            place = int(cell["DVID"]) - 1
            if not 0 <= place < len(ANALYTES):
                text = f"found {place + 1}, expected 1 to {len(ANALYTES)}."
                raise InputError(text, file=path, line=number, field="DVID")
            rows.append(Row(patient, cell["TIME"], ANALYTES[place], cell["DV"], cell["BLQ"] == 1, "measured", where))
    course = course_from_rows(rows)
    table = np.array([own[int(p)] for p in course.patients]).reshape(len(course.patients), len(extra))
    return course, {name: table[:, k] for k, name in enumerate(extra)}


def _number(text: str, path: Path, line: int, field: str) -> float:
    if text.strip() == MISSING:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        sentence = f"found '{text}', expected a number or '{MISSING}'."
        raise InputError(sentence, file=path, line=line, field=field) from None
