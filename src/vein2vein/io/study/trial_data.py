"""A trial -> a Study and its data set: a row for each dose and each sample of the infused, on the trial's visit days.

The course already holds what the laboratory would have reported: assay error and limits of quantification are in it.
A value below the limit stands as the limit with CENS 1 (for likelihoods that use the limit, such as M3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vein2vein import arguments
from vein2vein.analytes import analyte
from vein2vein.clinic.response.outcome import Outcome
from vein2vein.clinic.words import complete_responses
from vein2vein.errors import InputError, unknown
from vein2vein.io.study.study import BELOW, MEASURED, Covariate, Doses, Endpoint, Floats, Observations, Study
from vein2vein.io.study.write import write_study
from vein2vein.therapy.course import Course
from vein2vein.therapy.infusion import Infusion
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import Product
from vein2vein.therapy.visits import Plan
from vein2vein.virtual.assay import Assay

ANALYTES = ("transgene", "car_t_cells", "b_cells", "il6", "crp", "ferritin")  # DVID 1, 2, ... in this order
DOSE = "car_t_infusion"
BLOOD = 1  # CMT
READOUT = {"qPCR": "transgene", "flow": "car_t_cells"}
TOCILIZUMAB, STEROIDS = ("tocilizumab",), ("dexamethasone", "methylprednisolone")
ABOUT = {
    "ID": "patient number + 1",
    "TIME": "days from the infusion",
    "AMT": "viable CAR+ cells of a dose",
    "CMT": "1 blood",
    "ARM": "arm of the trial",
    "PRODUCT": "product of the arm",
    "AGE": "years",
    "WT": "kg",
    "MALE": "1 male, 0 female",
    "PRIORSCT": "1 after a transplantation of stem cells",
    "LINES": "lines of therapy before",
    "BURDEN": "burden of disease before the infusion, unit of its model",
    "RESP": "1 a complete response of any kind",
    "TTOCI": "day of the first tocilizumab; not known: never given",
    "TSTER": "day of the first steroid; not known: never given",
}
"""What the columns mean, for the key."""


class Given(Protocol):
    """An arm of a journey, for its name and product."""

    @property
    def name(self) -> str:
        """Of the arm; "" where there is one."""
        ...

    @property
    def product(self) -> Product:
        """With what."""
        ...


class Treated(Protocol):
    """What a data set is written from: of a journey, its course, plan, patients, arms, doses and outcome."""

    @property
    def patient(self) -> Patient:
        """Who was treated."""
        ...

    @property
    def arms(self) -> Sequence[Given]:
        """The arms."""
        ...

    @property
    def arm(self) -> NDArray[np.intp]:
        """Position of each patient's arm."""
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
    """Write the infused patients of a trial as a data set, and the key to its numbers beside it.

    Parameters
    ----------
    result : TrialResult
        Its journey gives course, plan, patients and doses; its trial the limits of quantification.
    path : path
        A CSV file; it and the key, ``NAME.columns.toml``, are written whole or not at all.
    analytes : sequence of str, optional
        Of ``ANALYTES``; default: the readout of the product.

    Returns
    -------
    Path
        Rows: ID (patient number + 1), TIME (days from infusion), DV (the limit where a value is below it), MDV, EVID (1
        dose, 0 sample), AMT (viable CAR+ cells), CMT (1 blood), CENS (1 below DV), LIMIT (the other end: 0), DVID
        (place in ``ANALYTES``), then ARM, PRODUCT and covariates (-99: not known). Every cell is a number.
    """
    study = study_of_trial(result, analytes=analytes)
    limits = {one.name: _limit(result, one.name) for one in study.endpoints}
    told = "; ".join(f"{name}: {limit:g} {analyte(name).unit}" for name, limit in limits.items() if limit > 0)
    about = {name: text for name, text in ABOUT.items() if name not in covariates_of(result.journey)}
    about |= {name: text for name, text in ABOUT.items() if name in study.covariates}
    left_out = [name for name in covariates_of(result.journey) if name not in study.covariates]
    first = f"Limits of quantification: {told or 'none'}."
    first += f"\nNot known of any patient and left out: {', '.join(left_out)}." if left_out else ""
    return write_study(study, path, force=True, about={"": first, **about}, observed_in=BLOOD)


def study_of_trial(result: Result, *, analytes: Sequence[str] | None = None) -> Study:
    """The infused patients of a trial as a study; see ``write_nonmem``."""
    if not hasattr(result, "journey") or not hasattr(result, "trial"):
        raise arguments.refusal("result", result, "a TrialResult, as run_trial gives it")
    journey = result.journey
    read = [READOUT[one.product.readout] for one in journey.arms]
    wanted = list(dict.fromkeys(read) if analytes is None else analytes)
    for name in wanted:
        if name not in ANALYTES:
            raise InputError(unknown("analyte of a NONMEM data set", name, ANALYTES))
    wanted.sort(key=ANALYTES.index)
    infused = np.flatnonzero(journey.infused)
    return Study(
        file="trial",
        program="NONMEM",
        subjects=tuple(str(int(journey.patient.number[i]) + 1) for i in infused),
        subject=np.arange(infused.size),
        endpoints=tuple(Endpoint(name, str(ANALYTES.index(name) + 1), analyte(name).unit) for name in wanted),
        observations=_observations(result, infused, wanted),
        doses=_doses(journey.infusion, infused),
        covariates=_arms(journey, infused) | {
            name: Covariate(name, values[infused])
            for name, values in covariates_of(journey).items()
            if np.isfinite(values[infused]).any()
        },
        time_unit="d",
    )  # fmt: skip


def _limit(result: Result, name: str) -> float:
    assays = result.trial.assays
    return float(assays[name].lloq) if name in assays else 0.0


def _observations(result: Result, infused: NDArray[np.intp], wanted: Sequence[str]) -> Observations:
    course = result.journey.course.at(result.journey.plan.kinetics_samples)
    parts: list[tuple[int, float, float, int, bool]] = []
    for place, name in enumerate(wanted):
        values, limit = course.dense(name), _limit(result, name)
        marked = course.marked(course.below_lloq, name)
        for row, i in enumerate(infused.tolist()):
            for j in np.flatnonzero(np.isfinite(values[i])).tolist():
                value, flagged = float(values[i, j]), bool(marked[i, j])
                below = flagged or value < limit
                told = max(limit, value) if flagged else limit if below else value
                parts.append((row, float(course.days[j]), told, place, below))
    parts.sort(key=lambda part: (part[0], part[1], part[3]))
    below = np.array([part[4] for part in parts], dtype=bool)
    return Observations(
        course=np.array([part[0] for part in parts], dtype=np.int64),
        time=np.array([part[1] for part in parts], dtype=np.float64),
        value=np.array([part[2] for part in parts], dtype=np.float64),
        endpoint=np.array([part[3] for part in parts], dtype=np.int64),
        censored=np.where(below, BELOW, MEASURED).astype(np.int8),
        limit=np.where(below, 0.0, np.nan),
        occasion=np.zeros(len(parts), dtype=np.int64),
        line=np.zeros(len(parts), dtype=np.int64),
    )


def _doses(infusion: Infusion, infused: NDArray[np.intp]) -> Doses:
    given = [
        (row, float(day), float(cells[i]))
        for row, i in enumerate(infused.tolist())
        for day, cells in infusion.doses
        if cells[i] > 0
    ]
    given.sort(key=lambda one: one[:2])
    zeros = np.zeros(len(given))
    return Doses(
        course=np.array([one[0] for one in given], dtype=np.int64),
        time=np.array([one[1] for one in given], dtype=np.float64),
        amount=np.array([one[2] for one in given], dtype=np.float64),
        rate=zeros,
        duration=np.full(len(given), np.nan),
        target=np.full(len(given), DOSE),
        interval=zeros,
        additional=np.zeros(len(given), dtype=np.int64),
        steady=np.zeros(len(given), dtype=np.int8),
        line=np.zeros(len(given), dtype=np.int64),
    )


def _arms(journey: Treated, infused: NDArray[np.intp]) -> dict[str, Covariate]:
    """Arm and product of each infused patient, as categories."""
    found: dict[str, Covariate] = {}
    told = {"ARM": [one.name or "all" for one in journey.arms], "PRODUCT": [one.product.name for one in journey.arms]}
    for column, names in told.items():
        words = list(dict.fromkeys(names))
        codes = np.array([words.index(name) for name in names], dtype=np.float64)
        found[column] = Covariate(column, codes[np.asarray(journey.arm)[infused]], tuple(words))
    return found


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
