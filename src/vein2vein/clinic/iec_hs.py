"""IEC-HS, the hyperinflammatory syndrome after immune effector cells that resembles HLH: state and grade.

The publication names features and no count; the counts used here are ours (marks D in the criteria), so a finding is
a prompt for a clinician, who confirms it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vein2vein.clinic.criteria import Edition, edition, unverified
from vein2vein.clinic.grades import NOT_GRADABLE, Flags, Floats, Grades, before, carried, latest, take
from vein2vein.therapy.course import Course

NONE, POSSIBLE, PROBABLE = 0, 1, 2
STATES = ("none", "possible", "probable")
TRANSAMINASES = ("ast", "alt")
COUNTS = ("platelets", "neutrophils")
READS = {
    "ferritin": ("ferritin",),
    "transaminases": TRANSAMINASES,
    "fibrinogen": ("fibrinogen",),
    "hemophagocytosis": ("hemophagocytosis",),
    "cytopenia": COUNTS,
    "severity": (
        "bleeding", "dialysis", "norepinephrine", "epinephrine", "phenylephrine", "dopamine", "vasopressin",
        "oxygen_device", "oliguria", "fluid_boluses", "anakinra", "clotting_support", "immunosuppression",
        "dexamethasone", "methylprednisolone",
    ),
}  # fmt: skip
COMPETING = "septic shock with a proven organism: a competing cause"
CRITERION_ONLY = "ferritin meets the criterion, no common feature: not the syndrome"
CONFIRM = "computed from laboratory values: a clinician confirms it and rules out infection and progression"
VENTILATOR_CODE = "ventilator"


def grade_iec_hs(course: Course, *, crs: Grades | None = None, criteria: str = "iec_hs_2023") -> Grades:
    """Grade IEC-HS at every cell; 0 where it is neither possible nor probable.

    Parameters
    ----------
    course : Course
        ferritin; ast, alt, fibrinogen, hemophagocytosis, platelets, neutrophils; what was given.
    crs : Grades, optional
        Grades of cytokine release syndrome of the same course: a probable syndrome asks that it resolves.
    criteria : str
        Edition.

    Returns
    -------
    Grades
        ``columns["state"]``: 0 none, 1 possible, 2 probable. Not gradable where what is missing could change it.
    """
    rules = edition(criteria)
    v = rules.values
    high, no_ferritin, rising = _ferritin(course, rules)
    features = {
        "transaminases": _transaminases(course, rules),
        "fibrinogen": _below(course, "fibrinogen", v),
        "hemophagocytosis": (carried(course, "hemophagocytosis") >= 1, np.False_),
        "cytopenia": _cytopenia(course, v),
    }
    least = np.sum([met for met, _ in features.values()], axis=0)
    most = least + np.sum([np.broadcast_to(unknown, course.shape) & ~met for met, unknown in features.values()], axis=0)
    resolving = _resolving(course, crs, rising, v)
    states = []
    for ferritin, count in ((high, least), (high | no_ferritin, most)):
        possible = ferritin & (count >= v["possible_features"])
        probable = ferritin & (count >= v["probable_features"]) & resolving
        states.append(np.where(probable, PROBABLE, np.where(possible, POSSIBLE, NONE)).astype(np.int8))
    state, upper = states
    severity = _severity(course)
    grade = np.where(state > NONE, severity, 0).astype(np.int8)
    doubt = (state == NONE) & (upper > NONE)
    graded = np.where(doubt, NOT_GRADABLE, grade).astype(np.int8)
    missing = {"ferritin": doubt & no_ferritin}
    for name, (met, unknown) in features.items():
        for analyte in READS[name]:
            missing[analyte] = doubt & np.isnan(carried(course, analyte, v["carry"])) & unknown & ~met
    columns: dict[str, Any] = {"state": state, "ferritin": high * grade, "severity": grade}
    columns.update({name: met * grade for name, (met, _) in features.items()})
    shown = {name: np.broadcast_to(found, course.shape).astype(np.int8) for name, found in columns.items()}
    flags = {
        CONFIRM: state > NONE,
        CRITERION_ONLY: high & (state == NONE) & ~doubt,
        COMPETING: (state > NONE) & (carried(course, "septic_shock", v["carry"]) >= 1),
    }
    flags = {text: cells for text, cells in flags.items() if cells.any()}
    return Grades(
        "iec_hs", rules.name, course.days, graded, grade, {n: c for n, c in missing.items() if c.any()}, shown,
        {"state": (), **READS}, flags, {}, unverified(rules.name),
    )  # fmt: skip


def _baseline(course: Course, name: str) -> Floats:
    early = course.until(0.0)
    return carried(early, name)[:, -1:] if early.shape[1] else np.full((course.shape[0], 1), np.nan)


def _ferritin(course: Course, rules: Edition) -> tuple[Flags, Flags, Flags]:
    """Whether ferritin meets the criterion, is unknown, and rose since the draw before."""
    v = rules.values
    now = carried(course, "ferritin", v["carry"])
    measured = course.dense("ferritin")
    column = before(latest(np.isfinite(measured)))
    earlier = take(measured, column, np.nan)
    recent = course.days[None, :] - course.days[np.maximum(column, 0)] <= v["rapid_within"]
    upper = v["ferritin_upper_limit"]
    rapid = (measured > v["rapid_rise"] * earlier) & recent & (measured > upper)
    base = _baseline(course, "ferritin")
    high = (now > v["ferritin_times"] * upper) | (now > v["ferritin_times"] * base) & (now > upper) | rapid
    return high, np.isnan(now), measured > earlier


def _transaminases(course: Course, rules: Edition) -> tuple[Flags, Flags]:
    v = rules.values
    met, unknown = np.zeros(course.shape, dtype=bool), np.ones(course.shape, dtype=bool)
    for name in TRANSAMINASES:
        now, upper = carried(course, name, v["carry"]), v[f"{name}_upper_limit"]
        base = _baseline(course, name)
        met |= now > v["transaminase_times"] * np.where(base > upper, base, upper)
        unknown &= np.isnan(now)
    return met, unknown


def _below(course: Course, name: str, v: Any) -> tuple[Flags, Flags]:
    now = carried(course, name, v["carry"])
    return now < v[name], np.isnan(now)


def _cytopenia(course: Course, v: Any) -> tuple[Flags, Flags]:
    """A count that fell to grade 4 within the last week, once the nadir of conditioning is past."""
    late = (course.days >= v["cytopenia_from_day"])[None, :]
    met, unknown = np.zeros(course.shape, dtype=bool), np.ones(course.shape, dtype=bool)
    for name in COUNTS:
        now = carried(course, name, v["carry"])
        above = before(latest(course.dense(name) >= v[name]))
        since = course.days[None, :] - course.days[np.maximum(above, 0)] <= v["cytopenia_before"]
        met |= (now < v[name]) & late & (((above >= 0) & since) | (before(latest(np.isfinite(course.dense(name)))) < 0))
        unknown &= np.isnan(now)
    return met, unknown & late


def _resolving(course: Course, crs: Grades | None, rising: Flags, v: Any) -> Flags:
    """Whether CRS has passed its worst, or ferritin still rises some time after tocilizumab."""
    given = latest(course.dense("tocilizumab") > 0)
    after = (given >= 0) & (course.days[None, :] - course.days[np.maximum(given, 0)] >= v["toci_worse_after"])
    worsening = after & rising
    if crs is None:
        return np.ones(course.shape, dtype=bool)
    graded = np.maximum(crs.at_least, 0)
    worst = np.maximum.accumulate(graded, axis=1)
    return (graded < worst) | (worst == 0) | worsening


def _severity(course: Course) -> Any:
    """1 observed; 2 treated; 3 bleeding, low pressure, oxygen or kidney injury; 4 life-threatening; 5 death."""
    signs = edition("bedside_signs").values

    def known(name: str, least: float = 1.0) -> Any:
        return course.dense(name) >= least

    grade = np.ones(course.shape, dtype=np.int8)
    treated = [course.dense(name) > 0 for name in ("anakinra", "immunosuppression", "clotting_support")]
    treated += [latest(course.dense(name) > 0) >= 0 for name in ("dexamethasone", "methylprednisolone", "anakinra")]
    grade = np.where(np.logical_or.reduce(treated), 2, grade)
    serious = known("bleeding") | known("oxygen_device") | known("oliguria") | (course.dense("fluid_boluses") > 0)
    grade = np.where(serious, 3, grade)
    pressors = [
        course.dense(n) > 0 for n in ("norepinephrine", "epinephrine", "phenylephrine", "dopamine", "vasopressin")
    ]
    grave = known("bleeding", 2) | known("dialysis") | known("oxygen_device", signs[VENTILATOR_CODE])
    top = edition("crs_astct_2019").top
    grade = np.where(grave | np.logical_or.reduce(pressors), top, grade)
    return np.where(course.dense("alive") == 0, top + 1, grade).astype(np.int8)
