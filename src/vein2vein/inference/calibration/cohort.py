"""Patients measured one by one, and virtual patients of the same design measured on the same days.

The data stay where they are: they are read, compared, and never written into the project. ``patients.toml`` says what
is read and which windows and limits hold.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vein2vein import units
from vein2vein.analytes import all_analytes
from vein2vein.cards import Card, parse_card
from vein2vein.errors import InputError, unknown
from vein2vein.inference.calibration.gauss_newton import Floats
from vein2vein.inference.posterior import Member
from vein2vein.inference.sets_side_by_side import treated_under
from vein2vein.journey.journey import Journey
from vein2vein.parameters import read_parameters
from vein2vein.randomness import uniforms
from vein2vein.trials.endpoints import toxicity
from vein2vein.trials.endpoints.measures import ENDPOINTS
from vein2vein.trials.trial import Trial, one_arm
from vein2vein.virtual import assay

OBSERVATIONS = {"id", "day", "variable", "value", "unit", "censored"}
ABOVE = "1"  # in the column "censored": at or above the upper limit of the assay
STEROIDS = ("dexamethasone", "methylprednisolone")
FEW = 2  # virtual patients that tell what is shown at all


@dataclass(frozen=True)
class Cohort:
    """Patients with their measured courses, real or virtual; with a leading axis, many such cohorts.

    Attributes
    ----------
    arm : ndarray of str, shape (n,)
        Dose level, or another arm of the design.
    facts : mapping of str to ndarray, shape (..., n)
        Highest CRS grade, day of onset (NaN: none), complete response, tocilizumab, steroids; NaN: not known.
    values, days : mapping of analyte to ndarray, shape (..., n, samples)
        NaN: not measured; days of shape (n, samples).
    limits : mapping of analyte to (low, high)
        Limits of quantification; what is beyond counts as the limit.
    aside : mapping of str to str
        Variables of the data that are not compared, and why.
    """

    arm: NDArray[np.str_]
    facts: Mapping[str, Floats]
    values: Mapping[str, Floats]
    days: Mapping[str, Floats]
    limits: Mapping[str, tuple[float, float]]
    aside: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def count(self) -> int:
        """Number of patients."""
        return len(self.arm)

    def of(self, who: NDArray[np.intp]) -> Cohort:
        """Some of the patients, shape (n,), in this order; one may come more than once."""
        return Cohort(
            self.arm[who],
            {name: value[..., who] for name, value in self.facts.items()},
            {name: value[..., who, :] for name, value in self.values.items()},
            {name: value[who] for name, value in self.days.items()},
            self.limits,
            self.aside,
        )


@dataclass(frozen=True)
class Virtual:
    """What is read off infused virtual patients once.

    Attributes
    ----------
    arm : ndarray of str, shape (m,)
    facts : mapping of str to ndarray, shape (m,)
    days : ndarray, shape (t,)
    courses : mapping of analyte to ndarray, shape (m, t)
    """

    arm: NDArray[np.str_]
    facts: Mapping[str, Floats]
    days: Floats
    courses: Mapping[str, Floats]


@cache
def card() -> Card:
    """What is read and compared."""
    text = resources.files("vein2vein").joinpath("inference", "calibration", "patients.toml").read_text("utf-8")
    return parse_card(text, "patients.toml")


@cache
def number_of(name: str) -> float:
    """A number of patients.toml."""
    return read_parameters(card(), "parameters").values()[name]


# The real patients


def read_cohort(folder: str | Path, trial: Trial) -> Cohort:
    """Read subjects.csv and observations.csv of a folder, as far as the virtual patients of a design show the same.

    Raises
    ------
    InputError
        A file or a column is missing, a value is no number, or a patient is of no arm of the design: file, line, field.
    """
    people = _table(Path(folder) / "subjects.csv", {"id", *card().table("columns").values()})
    place = {one["id"]: i for i, (_, one) in enumerate(people)}
    if len(place) < len(people):
        raise InputError("found one id twice, expected a line for each patient.", file=Path(folder) / "subjects.csv")
    path = Path(folder) / "observations.csv"
    rows = _table(path, OBSERVATIONS)
    for line, row in rows:
        if row["id"] not in place:
            raise InputError(unknown("patient", row["id"], place), file=path, line=line, field="id")
    values, days, limits = dict[str, Floats](), dict[str, Floats](), dict[str, tuple[float, float]]()
    shown, aside = _shown(trial), dict[str, str]()
    for variable, analyte in card().table("variables").items():
        mine = [(line, row) for line, row in rows if row["variable"] == variable]
        unit = mine[0][1]["unit"] if mine else ""
        factor = _factor(unit, analyte) if mine and analyte in all_analytes() else None
        if factor is None or analyte not in shown:
            aside[variable] = _why(analyte, unit, analyte in shown) if mine else "the data hold no value"
            continue
        day = np.array([_number(row["day"], path, line, "day") for line, row in mine])
        value = factor * np.array([_number(row["value"], path, line, "value") for line, row in mine])
        above = [v for v, (_, row) in zip(value, mine) if row["censored"] == ABOVE]
        inside = (day >= 0) & (day <= number_of("last")) & np.isfinite(value)
        if not (value[inside] > 0).any():
            aside[variable] = "no value above 0 on the days that are compared"
            continue
        usual = assay.usual()[analyte].lloq if analyte in assay.usual() else 0.0
        limits[analyte] = float(max(value[inside & (value > 0)].min(), usual)), float(min(above, default=np.inf))
        who = np.array([place[row["id"]] for _, row in mine])
        slot = _slots(who[inside])
        shape = len(people), int(slot.max()) + 1
        values[analyte], days[analyte] = np.full(shape, np.nan), np.full(shape, np.nan)
        values[analyte][who[inside], slot] = np.clip(value[inside], *limits[analyte])
        days[analyte][who[inside], slot] = day[inside]
    arms = _arms(people, trial, Path(folder) / "subjects.csv")
    return Cohort(arms, _facts(people, folder), values, days, limits, aside)


def _table(path: Path, columns: Iterable[str]) -> list[tuple[int, dict[str, str]]]:
    """Rows of a file with their lines; a column that is missing is told with the nearest there is."""
    if not path.is_file():
        raise InputError("there is no such file, expected the data of patients.", file=path)
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        there = list(reader.fieldnames or ())
        for name in sorted(columns):
            if name not in there:
                raise InputError(f"missing column; {unknown('column', name, there)}", file=path, line=1, field=name)
        return [(reader.line_num, {k: v or "" for k, v in row.items()}) for row in reader]


def _number(text: str, path: Path, line: int, field: str) -> float:
    try:
        return float(text) if text else np.nan
    except ValueError:
        raise InputError(f"found '{text}', expected a number.", file=path, line=line, field=field) from None


def _factor(unit: str, analyte: str) -> float | None:
    try:
        return units.convert(1.0, unit, all_analytes()[analyte].unit)
    except InputError:
        return None


def _why(analyte: str, unit: str, shown: bool) -> str:
    if analyte not in all_analytes():
        return f"no analyte '{analyte}' is known"
    if not shown:
        return f"virtual patients do not show {analyte}"
    return f"{unit} are not {all_analytes()[analyte].unit}, the unit of {analyte}"


def _slots(who: NDArray[np.intp]) -> NDArray[np.intp]:
    """The how manieth sample of its patient each is."""
    seen: dict[int, int] = {}
    found = np.zeros(len(who), dtype=np.intp)
    for i, one in enumerate(who.tolist()):
        found[i] = seen.get(one, 0)
        seen[one] = seen.get(one, 0) + 1
    return found


def _arms(people: list[tuple[int, dict[str, str]]], trial: Trial, path: Path) -> NDArray[np.str_]:
    column, known = card().string("columns", "arm"), {arm_name(arm.name) for arm in trial.arms}
    for line, one in people:
        if known and one[column] not in known:
            raise InputError(unknown("arm of the design", one[column], known), file=path, line=line, field=column)
    return np.array([one[column] if known else "" for _, one in people])


def _facts(people: list[tuple[int, dict[str, str]]], folder: str | Path) -> dict[str, Floats]:
    path = Path(folder) / "subjects.csv"
    return {
        name: np.array([_number(one[column], path, line, column) for line, one in people])
        for name, column in card().table("columns").items()
        if name != "arm"
    }


def arm_name(name: str) -> str:
    """The arm of the data that an arm of the design stands for: what is before the comma of its name."""
    return name.split(",")[0]


# The virtual patients


def simulate(trial: Trial, patients: int, seed: int, one: Member | None = None) -> Journey:
    """Take virtual patients through the design, under a parameter set."""
    return next(treated_under(trial, [one], [np.arange(patients)], seed=seed))


def _shown(trial: Trial) -> set[str]:
    """Analytes of patients.toml that virtual patients of the design show."""
    first = one_arm(trial, trial.arms[0]) if trial.arms else trial
    course = simulate(first, FEW, 1).course
    wanted = [name for name in card().table("variables").values() if name in all_analytes()]
    return {name for name in wanted if course.measured(name)}


def read_virtual(trial: Trial, journey: Journey, analytes: Iterable[str]) -> Virtual:
    """The infused virtual patients, as the real ones were followed."""
    given = np.flatnonzero(np.asarray(journey.infused))
    day, last = journey.course.days, number_of("last")
    onset = ENDPOINTS["crs_onset"].read(journey, scale=trial.scale, grade=1, until=trial.until)
    complete = ENDPOINTS["responded"].read(journey, responses=_complete(trial), response_by=number_of("by"))

    def ever(*names: str) -> Floats:
        doses = np.sum([np.nan_to_num(journey.course.dense(name)) for name in names], axis=0)
        return (doses[:, day <= last] > 0).any(axis=1).astype(float)

    facts = {
        "grade": np.asarray(toxicity.highest_crs(journey, trial.scale, trial.until), float),
        "onset": np.asarray(onset, float),
        "complete": np.asarray(complete, float),
        "tocilizumab": ever("tocilizumab"),
        "steroids": ever(*STEROIDS),
    }
    arm = np.array([arm_name(str(one)) for one in journey.patient.arm]) if trial.arms else np.full(len(given), "")
    return Virtual(
        arm[given] if trial.arms else arm,
        {name: value[given] for name, value in facts.items()},
        np.asarray(day, float),
        {analyte: np.asarray(journey.course.dense(analyte), float)[given] for analyte in analytes},
    )


def _complete(trial: Trial) -> tuple[str, ...]:
    return tuple(parse_card(trial.text, trial.file).texts("endpoints", "responses"))


def alike(real: Cohort, virtual: Virtual, seed: int, trials: int, purpose: str = "alike") -> Cohort:
    """Virtual trials: for each real patient a virtual one of the arm, measured on the same days; (trials, n).

    Raises
    ------
    InputError
        No virtual patient of an arm was infused.
    """
    luck = uniforms(seed, purpose, np.arange(trials), real.count)
    who = np.empty((trials, real.count), dtype=np.intp)
    for arm in np.unique(real.arm):
        members, mine = np.flatnonzero(virtual.arm == arm), real.arm == arm
        if not members.size:
            raise InputError(f"found no infused virtual patient of the arm '{arm}'; simulate more.", field="patients")
        who[:, mine] = members[(luck[:, mine] * members.size).astype(np.intp)]
    values: dict[str, Floats] = {}
    for analyte, days in real.days.items():
        known = np.isfinite(days)
        nearest = np.abs(virtual.days - np.where(known, days, 0)[..., None]).argmin(axis=-1)
        seen = virtual.courses[analyte][who[:, :, None], nearest[None]]  # NaN after death
        values[analyte] = np.where(known, np.clip(seen, *real.limits[analyte]), np.nan)
    facts = {name: value[who] for name, value in virtual.facts.items()}
    return Cohort(real.arm, facts, values, real.days, real.limits)


def joined(parts: Iterable[tuple[NDArray[np.intp], Cohort]], real: Cohort) -> Cohort:
    """Virtual trials of all patients from those of parts of them, each with its places among all."""
    parts = list(parts)
    order = np.argsort(np.concatenate([where for where, _ in parts]), kind="stable")

    def whole(of: Callable[[Cohort], Floats]) -> Floats:
        return np.concatenate([of(one) for _, one in parts], axis=1)[:, order]

    facts = {name: whole(lambda one, name=name: one.facts[name]) for name in parts[0][1].facts}
    values = {name: whole(lambda one, name=name: one.values[name]) for name in real.values}
    return Cohort(real.arm, facts, values, real.days, real.limits)


def folds(count: int) -> list[NDArray[np.intp]]:
    """Places of the patients of each fold, in order."""
    luck = uniforms(int(number_of("fold_seed")), "folds", np.arange(count))[:, 0]
    parts = int(number_of("folds"))
    return [np.sort(np.argsort(luck, kind="stable")[at::parts]) for at in range(parts)]
