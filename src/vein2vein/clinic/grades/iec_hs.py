"""IEC-HS, the hyperinflammatory syndrome after immune effector cells that resembles HLH: state and grade.

The publication names features and no count; the counts used here are ours (marks D in the criteria), so a finding is
a prompt for a clinician, who confirms it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.analytes import analyte
from vein2vein.clinic import words
from vein2vein.clinic.criteria import Edition, edition, unverified
from vein2vein.clinic.grades.bounded import Range, carried_ends, charted, ends
from vein2vein.clinic.grades.crs import grade_crs
from vein2vein.clinic.grades.grades import (
    NOT_GRADABLE,
    Columns,
    Flags,
    Floats,
    Grades,
    Whole,
    any_of,
    before,
    carried,
    latest,
    take,
)
from vein2vein.clinic.grades.organs import lowest_before
from vein2vein.therapy.course import Course

NONE, POSSIBLE, PROBABLE = 0, 1, 2
STATES = ("none", "possible", "probable")
TRANSAMINASES = ("ast", "alt")
COUNTS = ("platelets", "neutrophils")
EVER = ("dexamethasone", "methylprednisolone", "anakinra")  # treated from the first dose on
PRESSORS = (
    "norepinephrine", "epinephrine", "phenylephrine", "dopamine", "vasopressin", "angiotensin_ii", "metaraminol",
    "terlipressin", "other_vasopressors",
)  # fmt: skip
READS = {
    "ferritin": ("ferritin",),
    "transaminases": TRANSAMINASES,
    "fibrinogen": ("fibrinogen",),
    "hemophagocytosis": ("hemophagocytosis",),
    "cytopenia": COUNTS,
    "severity": (
        "bleeding", "dialysis", *PRESSORS, "oxygen_device", "oliguria", "fluid_boluses", "anakinra",
        "clotting_support", "immunosuppression", "dexamethasone", "methylprednisolone", "death_cause",
    ),
}  # fmt: skip
COMPETING = "septic shock with a proven organism: a competing cause"
CRITERION_ONLY = "ferritin meets the criterion, no common feature: not the syndrome"
CONFIRM = "computed from laboratory values: a clinician confirms it and rules out infection and progression"
VENTILATOR_CODE = "ventilator"
_Asks = Callable[[Range], Flags]
_Feature = tuple[Flags, dict[str, Flags]]  # whether it is met, and where what would have to be known to say no


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
        "fibrinogen": _alone("fibrinogen", _below(course, "fibrinogen", v["fibrinogen"], v)),
        "hemophagocytosis": _alone("hemophagocytosis", _ever(course, "hemophagocytosis")),
        "cytopenia": _cytopenia(course, v),
    }
    least = np.sum([met for met, _ in features.values()], axis=0)
    unknown = {name: any_of(open_.values()) & ~met for name, (met, open_) in features.items()}
    most = least + np.sum(list(unknown.values()), axis=0)
    resolving = _resolving(course, _usual_crs(course, age) if crs is None else crs, rising, v)
    states: list[Whole] = []
    for ferritin, count in ((high, least), (high | no_ferritin, most)):
        possible = ferritin & (count >= v["possible_features"])
        probable = ferritin & (count >= v["probable_features"]) & resolving
        states.append(np.where(probable, PROBABLE, np.where(possible, POSSIBLE, NONE)).astype(np.int8))
    state, upper = states
    severity, worse, died, open_death = _severity(course, v["stands"])
    grade = np.where((state > NONE) | died, severity, 0).astype(np.int8)
    doubt = (state == NONE) & (upper > NONE) & ~died
    open_death = open_death & (upper > NONE)
    unclear = {name: cells & (state > NONE) & ~died for name, cells in worse.items()}
    graded = np.where(np.logical_or.reduce([doubt, open_death, *unclear.values()]), NOT_GRADABLE, grade)
    graded = graded.astype(np.int8)
    missing: dict[str, Flags] = {"ferritin": doubt & no_ferritin, "death_cause": open_death, **unclear}
    for met, open_ in features.values():
        missing.update({lacking: doubt & cells & ~met for lacking, cells in open_.items()})
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
        {"state": (), **READS}, flags, {}, unverified(rules.name), looked=_looked(course),
    )  # fmt: skip


def _looked(course: Course) -> Flags:
    """Cells where one of the laboratory values of the syndrome is charted."""
    looked = np.zeros(course.shape, dtype=bool)
    for name in ("ferritin", "fibrinogen", "hemophagocytosis", *TRANSAMINASES, *COUNTS, "death_cause"):
        if name in course:
            looked |= charted(course, name)
    return looked


def _usual_crs(course: Course, age: ArrayLike) -> Grades:
    return grade_crs(course, age=age, scale=words.findings()[words.usual_crs()].scale)


def _met(
    course: Course,
    name: str,
    v: Mapping[str, float],
    surely: Callable[[Range], Flags],
    perhaps: Callable[[Range], Flags],
) -> tuple[Flags, Flags]:
    """Whether the value of this nursing interval is abnormal, and whether that is unknown (an older one may hold)."""
    now, lately = carried_ends(course, name, v["stands"]), carried_ends(course, name, v["carry"])
    met = surely(now)
    return met, np.where(np.isnan(now.low), np.isnan(lately.low) | perhaps(lately), perhaps(now)) & ~met


def _alone(name: str, found: tuple[Flags, Flags]) -> _Feature:
    """A feature that one analyte decides."""
    return found[0], {name: found[1]}


def _baseline_of(name: str) -> str:
    """What is missing where today's value is charted and no earlier one to compare it with."""
    return f"baseline of {analyte(name).title.partition(' (')[0].lower()}"


def _ever(course: Course, name: str) -> tuple[Flags, Flags]:
    """Whether a sign has been found so far, and whether a charting that was not understood may have said so."""
    found = ends(course, name)
    met = latest(found.low >= 1) >= 0
    return met, (latest(found.high >= 1) >= 0) & ~met


def _ferritin(course: Course, rules: Edition) -> tuple[Flags, Flags, Flags]:
    """Whether ferritin meets the criterion, is unknown, and rose since the draw before."""
    v = rules.values
    upper, times = v["ferritin_upper_limit"], v["ferritin_times"]
    base = lowest_before(course, "ferritin", v["baseline_days"])

    def over(values: Floats, reference: Floats) -> Flags:
        return (values > times * upper) | (values > times * reference) & (values > upper)

    high, unknown = _met(course, "ferritin", v, lambda x: over(x.low, base.high), lambda x: over(x.high, base.low))
    measured, days = ends(course, "ferritin"), course.days
    lowest = Range(np.full(course.shape, np.nan), np.full(course.shape, np.nan))
    for column in np.flatnonzero((~np.isnan(measured.low) | ~np.isnan(measured.high)).any(axis=0)):
        recent = (days < days[column]) & (days[column] - days <= v["rapid_within"])
        if recent.any():
            for least, found in zip(lowest, measured):
                least[:, column] = np.fmin.reduce(found[:, recent], axis=1)
    rapid = (measured.low > v["rapid_rise"] * lowest.high) & (measured.low > upper)
    perhaps = (measured.high > v["rapid_rise"] * lowest.low) & (measured.high > upper)
    earlier = take(measured.high, before(latest(charted(course, "ferritin"))), np.nan)
    return high | rapid, (unknown | perhaps) & ~(high | rapid), measured.low > earlier


def _transaminases(course: Course, rules: Edition) -> _Feature:
    """Above so many times the limit, or the baseline where that was abnormal; it may have been, where it is unknown.

    One that is normal does not settle the other.
    """
    v = rules.values
    met = np.zeros(course.shape, dtype=bool)
    unknown: dict[str, Flags] = {}
    for name in TRANSAMINASES:
        upper, base = v[f"{name}_upper_limit"], lowest_before(course, name, v["baseline_days"])
        most, least = (v["transaminase_times"] * np.fmax(end, upper) for end in (base.high, base.low))
        high, open_ = _met(course, name, v, _above(most, 0), _above(least, 1))
        met |= high & np.isfinite(base.low)
        unknown[name], unknown[_baseline_of(name)] = open_, high & np.isnan(base.low)
    return met, unknown


def _above(limit: Floats, end: int) -> _Asks:
    return lambda values: values[end] > limit


def _below(course: Course, name: str, limit: float, v: Mapping[str, float]) -> tuple[Flags, Flags]:
    return _met(course, name, v, lambda x: x.high < limit, lambda x: x.low < limit)


def _cytopenia(course: Course, v: Mapping[str, float]) -> _Feature:
    """A count that fell to grade 4 within the last week, once the nadir of conditioning is past.

    It fell between the last count above and the first below: where those do not tell whether that was within the week
    it may have been. A count that is normal does not settle another.
    """
    days = course.days[None, :]
    late = np.broadcast_to(days >= v["cytopenia_from_day"], course.shape)
    met = np.zeros(course.shape, dtype=bool)
    unknown: dict[str, Flags] = {}
    blood = edition("ctcae_v5_blood")
    limits = {level.reads: level.value for level in blood.levels if level.grade == blood.top}
    for name in COUNTS:
        low, open_ = _below(course, name, limits[name], v)
        found, there = ends(course, name), charted(course, name)
        above = before(latest(found.low >= limits[name]))
        fell = low & late & (above >= 0) & (days - course.days[np.maximum(above, 0)] <= v["cytopenia_before"])
        first = _next(there, latest(there & ~(found.high < limits[name])) + 1)
        recent = days - course.days[np.maximum(first, 0)] <= v["cytopenia_before"]
        met |= fell
        unknown[name], unknown[_baseline_of(name)] = open_ & late, low & late & recent & ~fell
    return met, unknown


def _next(there: Flags, columns: Columns) -> Columns:
    """First column from each one on where something is there; the last column where there is none."""
    k = there.shape[1]
    at = np.where(there, np.arange(k, dtype=np.int32), np.int32(k - 1))
    following = np.minimum.accumulate(at[:, ::-1], axis=1)[:, ::-1]
    return take(following, np.minimum(columns, k - 1), 0)


def _resolving(course: Course, crs: Grades, rising: Flags, v: Mapping[str, float]) -> Flags:
    """Whether CRS has passed its worst, or ferritin still rises some time after tocilizumab."""
    given = latest(course.positive("tocilizumab"))
    after = (given >= 0) & (course.days[None, :] - course.days[np.maximum(given, 0)] >= v["toci_worse_after"])
    worsening = after & rising
    graded = np.maximum(crs.at_least, 0)
    worst = np.maximum.accumulate(graded, axis=1)
    return (graded < worst) | (worst == 0) | worsening


def _severity(course: Course, stands: float) -> tuple[Whole, dict[str, Flags], Flags, Flags]:
    """The grade, what could make it higher by analyte, whether death is of the syndrome, and whether its cause is open.

    1 observed; 2 treated; 3 bleeding, low pressure, oxygen or kidney injury; 4 life-threatening; 5 death. A sign or
    support holds for its nursing interval, until it is charted anew: it seldom stands at the minute of a laboratory.
    """
    ventilator = edition("bedside_signs").values[VENTILATOR_CODE]
    top = edition(words.findings()[words.usual_crs()].edition).top
    tiny = np.nextafter(0.0, 1.0)
    table = (
        *((name, tiny, 2) for name in ("anakinra", "immunosuppression", "clotting_support")),
        *((name, tiny, 2) for name in EVER),
        *((name, 1.0, 3) for name in ("bleeding", "oxygen_device", "oliguria")), ("fluid_boluses", tiny, 3),
        ("bleeding", 2.0, top), ("dialysis", 1.0, top), ("oxygen_device", ventilator, top),
        *((name, tiny, top) for name in PRESSORS),
    )  # fmt: skip
    grade = np.ones(course.shape, dtype=np.int8)
    could: dict[str, Whole] = {}
    for name, least, earned in table:
        if name not in course:
            continue
        found = carried_ends(course, name, np.inf if name in EVER else stands)
        holds = (latest(course.positive(name)) >= 0) if name in EVER else found.low >= least
        np.maximum(grade, holds * np.int8(earned), out=grade)
        maybe = (found.high >= least) * np.int8(earned)
        could[name] = np.maximum(could.get(name, maybe), maybe)
    cause = course.dense("death_cause")
    died = cause == edition("death").values["iec_hs"]
    worse = {name: cells > grade for name, cells in could.items() if (cells > grade).any()}
    graded = np.where(died, top + 1, grade).astype(np.int8)
    return graded, worse, died, (course.dense("alive") == 0) & np.isnan(cause)
