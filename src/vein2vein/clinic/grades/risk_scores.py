"""Risk scores: CAR-HEMATOTOX before lymphodepletion, and EASIX with its simplified and modified forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.clinic.criteria import Edition, edition, unverified
from vein2vein.clinic.grades.grades import Flags, Floats, carried, compare, last_value
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.course import Course

HEMATOTOX = ("platelets", "neutrophils", "hemoglobin", "crp", "ferritin")
EASIX = {
    "easix": ("ldh", "creatinine", "platelets"),
    "s_easix": ("ldh", "platelets"),
    "m_easix": ("ldh", "crp", "platelets"),
}
ON_THE_CUT = "a value sits exactly on a cut, where sources differ"
TRANSFUSED = "platelets were transfused a short time before"


@dataclass(frozen=True)
class RiskScore:
    """A sum of points of each patient, arrays (n,).

    Attributes
    ----------
    name, edition : str
    low, high : ndarray
        Lowest and highest sum that what is known allows; equal where nothing is missing.
    verdict : ndarray of str
        What the score says; "not gradable" where the two bounds disagree.
    points : mapping of str to ndarray
        Points of each part (0 where unknown).
    missing : mapping of str to ndarray of bool
    flags : mapping of sentence to ndarray of bool
    unverified : tuple of str
        What was taken from memory.
    """

    name: str
    edition: str
    low: Floats
    high: Floats
    verdict: NDArray[np.str_]
    points: Mapping[str, Floats] = field(default_factory=dict[str, Floats])
    missing: Mapping[str, Flags] = field(default_factory=dict[str, Flags])
    flags: Mapping[str, Flags] = field(default_factory=dict[str, Flags])
    unverified: tuple[str, ...] = ()


def points_of(rules: Edition, column: str, values: Mapping[str, Floats]) -> tuple[Floats, Floats, Flags]:
    """Points of one column of a table: what is known earns, the most it could earn, and where a value is unknown."""
    levels = rules.column(column)
    n = len(next(iter(values.values())))
    low, unknown_ = np.zeros(n), np.zeros(n, dtype=bool)
    for level in levels:
        found = values.get(level.reads, np.full(n, np.nan))
        low = np.maximum(low, np.where(compare(found, level), level.grade, 0))
        unknown_ |= np.isnan(found)
    most = max(level.grade for level in levels)
    return low, np.where(unknown_, most, low), unknown_


def gathered(values: Mapping[str, ArrayLike], names: tuple[str, ...]) -> dict[str, Floats]:
    """Values by name as arrays of one length; NaN where a name is not given."""
    arrays = {name: np.atleast_1d(np.asarray(values[name], dtype=float)) for name in names if name in values}
    n = max((len(a) for a in arrays.values()), default=1)
    return {name: np.broadcast_to(arrays.get(name, np.full(1, np.nan)), (n,)) for name in names}


def latest_values(course: Course, names: tuple[str, ...], day: float, window: float) -> dict[str, Floats]:
    """Last value of each analyte up to a day, no older than ``window`` days; shape (n,)."""
    part = course.between(day - window, day)
    return {name: last_value(part, name) for name in names}


def car_hematotox(values: Mapping[str, ArrayLike], *, criteria: str = "car_hematotox_2021") -> RiskScore:
    """CAR-HEMATOTOX from values drawn before lymphodepletion (about day -5).

    Parameters
    ----------
    values : mapping of analyte to array_like, shape (n,)
        platelets and neutrophils (10^9/L), hemoglobin (g/dL), crp (mg/L), ferritin (ug/L); NaN unknown.
    criteria : str
        Edition.

    Returns
    -------
    RiskScore
        Verdict ``high``, ``low`` or ``not gradable``. Developed in large B-cell lymphoma only.
    """
    rules = edition(criteria)
    known = gathered(values, HEMATOTOX)
    parts = {name: points_of(rules, name, known) for name in HEMATOTOX}
    low, high = (np.sum([part[i] for part in parts.values()], axis=0) for i in (0, 1))
    cut = rules.values["high_risk"]
    verdict = np.select([low >= cut, high < cut], ["high", "low"], "not gradable")
    on_cut = np.logical_or.reduce([known[level.reads] == level.value for level in rules.levels])
    flags = {ON_THE_CUT: on_cut} if on_cut.any() else {}
    missing = {name: part[2] for name, part in parts.items() if part[2].any()}
    points = {name: part[0] for name, part in parts.items()}
    return RiskScore("car_hematotox", rules.name, low, high, verdict, points, missing, flags, unverified(rules.name))


def easix(values: Mapping[str, ArrayLike], kind: str = "easix") -> Floats:
    """EASIX, s-EASIX or m-EASIX, shape (n,); NaN where a value is missing or platelets are 0.

    Parameters
    ----------
    values : mapping of analyte to array_like, shape (n,)
        ldh (U/L), creatinine (mg/dL), platelets (10^9/L), crp (mg/L: converted to the mg/dL of the formula here).
    kind : {"easix", "s_easix", "m_easix"}
    """
    if kind not in EASIX:
        raise InputError(unknown("kind of EASIX", kind, EASIX))
    known = gathered(values, EASIX[kind])
    factor = np.ones_like(known["ldh"])
    if kind == "easix":
        factor = known["creatinine"]
    elif kind == "m_easix":
        factor = known["crp"] / edition("easix").values["crp_mg_per_dl"]
    platelets = np.where(known["platelets"] > 0, known["platelets"], np.nan)
    return known["ldh"] * factor / platelets


def easix_course(course: Course, kind: str = "easix", window: float | None = None) -> tuple[Floats, dict[str, Flags]]:
    """EASIX at every cell from values no older than ``window`` days (default: the edition's), (n, k), and its flags."""
    window = edition("easix").values["lasts"] if window is None else window
    if kind not in EASIX:
        raise InputError(unknown("kind of EASIX", kind, EASIX))
    n, k = course.shape
    values = {name: carried(course, name, window).ravel() for name in EASIX[kind]}
    found = easix(values, kind).reshape(n, k)
    bags = np.where(course.dense("platelet_transfusion") >= 1, 1.0, np.nan)
    given = Course(course.patients, course.days, {"platelet_transfusion": bags})
    flagged = np.isfinite(carried(given, "platelet_transfusion", edition("easix").values["transfused"]))
    return found, {TRANSFUSED: flagged} if flagged.any() else {}


def easix_positive(value: ArrayLike) -> Flags:
    """Whether EASIX before lymphodepletion is above the cut for severe toxicity."""
    return np.asarray(value, dtype=float) > edition("easix").values["positive"]


def early_prediction(course: Course, tree: str, *, criteria: str = "early_prediction") -> RiskScore:
    """Whether the first 36 hours predict grade 4 to 5 toxicity: ``positive``, ``negative`` or ``not gradable``.

    Parameters
    ----------
    course : Course
        temperature (degC), mcp1 (pg/mL), il6 (pg/mL); the highest value of the window is read.
    tree : {"hay_2017", "gust_2017"}
        Cytokine release syndrome in adults; neurotoxicity.
    criteria : str
        Edition.
    """
    rules = edition(criteria)
    levels = rules.column(tree)
    if not levels:
        raise InputError(unknown("early prediction", tree, {level.column for level in rules.levels}))
    part = course.between(0.0, rules.values["within"])
    peaks = {level.reads: np.fmax.reduce(part.dense(level.reads), axis=1, initial=np.nan) for level in levels}
    met = {level.reads: compare(peaks[level.reads], level).astype(float) for level in levels}
    absent = {name: np.isnan(peak) for name, peak in peaks.items()}
    low = np.sum(list(met.values()), axis=0)
    high = low + np.sum(list(absent.values()), axis=0)
    verdict = np.select([low == len(levels), high < len(levels)], ["positive", "negative"], "not gradable")
    missing = {name: cells for name, cells in absent.items() if cells.any()}
    return RiskScore(tree, rules.name, low, high, verdict, met, missing, {}, unverified(rules.name))
