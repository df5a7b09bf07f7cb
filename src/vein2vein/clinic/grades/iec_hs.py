"""IEC-HS, the hyperinflammatory syndrome after immune effector cells that resembles HLH: state and grade.

The publication names features and no count; the counts used here are ours (marks D in the criteria), so a finding is
a prompt for a clinician, who confirms it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.clinic import words
from vein2vein.clinic.criteria import Edition, edition, unverified
from vein2vein.clinic.grades.crs import grade_crs
from vein2vein.clinic.grades.grades import NOT_GRADABLE, Flags, Floats, Grades, Whole, before, carried, latest, take
from vein2vein.clinic.grades.organs import lowest_before
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
        "dexamethasone", "methylprednisolone", "death_cause",
    ),
}  # fmt: skip
COMPETING = "septic shock with a proven organism: a competing cause"
CRITERION_ONLY = "ferritin meets the criterion, no common feature: not the syndrome"
CONFIRM = "computed from laboratory values: a clinician confirms it and rules out infection and progression"
VENTILATOR_CODE = "ventilator"


def grade_iec_hs(course: Course, *, age: ArrayLike, crs: Grades | None = None, criteria: str = "iec_hs_2023") -> Grades:
    """Grade IEC-HS at every cell; 0 where it is neither possible nor probable.

    Parameters
    ----------
    course : Course
        ferritin; ast, alt, fibrinogen, hemophagocytosis, platelets, neutrophils; what was given.
    age : array_like, shape (n,)
        Years; a probable syndrome asks that cytokine release syndrome resolves, which is graded by age.
    crs : Grades, optional
        From ``grade_crs`` of the same course by the usual scale, to save grading twice.
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
        "fibrinogen": _below(course, "fibrinogen", v["fibrinogen"], v),
        "hemophagocytosis": (latest(course.dense("hemophagocytosis") >= 1) >= 0, np.zeros(course.shape, dtype=bool)),
        "cytopenia": _cytopenia(course, v),
    }
    least = np.sum([met for met, _ in features.values()], axis=0)
    most = least + np.sum([unknown & ~met for met, unknown in features.values()], axis=0)
    resolving = _resolving(course, _usual_crs(course, age) if crs is None else crs, rising, v)
    states: list[Whole] = []
    for ferritin, count in ((high, least), (high | no_ferritin, most)):
        possible = ferritin & (count >= v["possible_features"])
        probable = ferritin & (count >= v["probable_features"]) & resolving
        states.append(np.where(probable, PROBABLE, np.where(possible, POSSIBLE, NONE)).astype(np.int8))
    state, upper = states
    severity, died, open_death = _severity(course)
    grade = np.where((state > NONE) | died, severity, 0).astype(np.int8)
    doubt = (state == NONE) & (upper > NONE) & ~died
    open_death = open_death & (upper > NONE)
    graded = np.where(doubt | open_death, NOT_GRADABLE, grade).astype(np.int8)
    missing: dict[str, Flags] = {"ferritin": doubt & no_ferritin, "death_cause": open_death}
    for name, (met, unknown) in features.items():
        for analyte in READS[name]:
            missing[analyte] = doubt & unknown & ~met
    columns: dict[str, Whole] = {"state": state, "ferritin": high * grade, "severity": grade}
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


def _usual_crs(course: Course, age: ArrayLike) -> Grades:
    return grade_crs(course, age=age, scale=words.findings()[words.usual_crs()].scale)


def _met(course: Course, name: str, v: Mapping[str, float], abnormal: Callable[[Floats], Flags]) -> tuple[Flags, Flags]:
    """Whether the value of this nursing interval is abnormal, and whether that is unknown (an older one may hold)."""
    now, lately = carried(course, name, v["stands"]), carried(course, name, v["carry"])
    return abnormal(now), np.isnan(now) & (np.isnan(lately) | abnormal(lately))


def _ferritin(course: Course, rules: Edition) -> tuple[Flags, Flags, Flags]:
    """Whether ferritin meets the criterion, is unknown, and rose since the draw before."""
    v = rules.values
    upper, times = v["ferritin_upper_limit"], v["ferritin_times"]
    base = lowest_before(course, "ferritin", v["baseline_days"])
    high, unknown = _met(course, "ferritin", v, lambda x: (x > times * upper) | (x > times * base) & (x > upper))
    measured, days = course.dense("ferritin"), course.days
    lowest = np.full(course.shape, np.nan)
    for column, day in enumerate(days):
        recent = (days < day) & (day - days <= v["rapid_within"])
        if recent.any():
            lowest[:, column] = np.fmin.reduce(measured[:, recent], axis=1)
    rapid = (measured > v["rapid_rise"] * lowest) & (measured > upper)
    earlier = take(measured, before(latest(np.isfinite(measured))), np.nan)
    return high | rapid, unknown & ~rapid, measured > earlier


def _transaminases(course: Course, rules: Edition) -> tuple[Flags, Flags]:
    """Above so many times the limit, or the baseline where that was abnormal; it may have been, where it is unknown."""
    v = rules.values
    met, unknown = np.zeros(course.shape, dtype=bool), np.ones(course.shape, dtype=bool)
    for name in TRANSAMINASES:
        upper, base = v[f"{name}_upper_limit"], lowest_before(course, name, v["baseline_days"])
        high, open_ = _met(course, name, v, _above(v["transaminase_times"] * np.fmax(base, upper)))
        met |= high & np.isfinite(base)
        unknown &= open_ | (high & np.isnan(base))
    return met, unknown & ~met


def _above(limit: Floats) -> Callable[[Floats], Flags]:
    return lambda values: values > limit


def _below(course: Course, name: str, limit: float, v: Mapping[str, float]) -> tuple[Flags, Flags]:
    return _met(course, name, v, lambda x: x < limit)


def _cytopenia(course: Course, v: Mapping[str, float]) -> tuple[Flags, Flags]:
    """A count that fell to grade 4 within the last week, once the nadir of conditioning is past."""
    late = (course.days >= v["cytopenia_from_day"])[None, :]
    met, unknown = np.zeros(course.shape, dtype=bool), np.ones(course.shape, dtype=bool)
    blood = edition("ctcae_v5_blood")
    limits = {level.reads: level.value for level in blood.levels if level.grade == blood.top}
    for name in COUNTS:
        low, open_ = _below(course, name, limits[name], v)
        above = before(latest(course.dense(name) >= limits[name]))
        since = course.days[None, :] - course.days[np.maximum(above, 0)] <= v["cytopenia_before"]
        met |= low & late & (above >= 0) & since
        unknown &= open_ | (low & (above < 0))
    return met, unknown & late & ~met


def _resolving(course: Course, crs: Grades, rising: Flags, v: Mapping[str, float]) -> Flags:
    """Whether CRS has passed its worst, or ferritin still rises some time after tocilizumab."""
    given = latest(course.dense("tocilizumab") > 0)
    after = (given >= 0) & (course.days[None, :] - course.days[np.maximum(given, 0)] >= v["toci_worse_after"])
    worsening = after & rising
    graded = np.maximum(crs.at_least, 0)
    worst = np.maximum.accumulate(graded, axis=1)
    return (graded < worst) | (worst == 0) | worsening


def _severity(course: Course) -> tuple[Whole, Flags, Flags]:
    """The grade, whether death is of the syndrome, and whether its cause is unknown.

    1 observed; 2 treated; 3 bleeding, low pressure, oxygen or kidney injury; 4 life-threatening; 5 death.
    """
    signs = edition("bedside_signs").values

    def known(name: str, least: float = 1.0) -> Flags:
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
    top = edition(words.findings()[words.usual_crs()].edition).top
    grade = np.where(grave | np.logical_or.reduce(pressors), top, grade)
    cause = course.dense("death_cause")
    died = cause == edition("death").values["iec_hs"]
    return np.where(died, top + 1, grade).astype(np.int8), died, (course.dense("alive") == 0) & np.isnan(cause)
