"""Cytokine release syndrome, graded from signs and supports by any scale whose table is in criteria/crs_*.toml.

An episode begins with fever, ends when fever, hypotension and hypoxia have all resolved, and a return of signs at
least 24 h later is a new one. ASTCT asks for fever at every grading, unless an antipyretic or an anti-cytokine
therapy was given after onset; the older scales ask for it at onset. A cell reads nothing of later days.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.clinic.criteria import Edition, Level, edition
from vein2vein.clinic.grades import Floats, Grades, before, compare, latest, settle
from vein2vein.clinic.organs import ORGANS, organ_grade
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.course import Course

SCALES = {"astct": "crs_astct_2019", "lee2014": "crs_lee_2014", "penn": "crs_penn_porter"}
CIRCULATION = ("systolic_bp", "fluid_boluses", "norepinephrine", "other_vasopressors", "vasopressin")
OXYGEN = ("oxygen_device", "oxygen_flow", "fio2", "spo2")
DETAILS = ("oxygen_flow", "fio2")  # named as missing only where oxygen is given
READS = {
    "fever": ("temperature",),
    "hypotension": CIRCULATION,
    "hypoxia": OXYGEN,
    "organ": ("creatinine", "ast", "alt", "bilirubin", "dialysis"),
    "coagulation": ("clotting_support",),
}
NOT_CRS = "hypotension or hypoxia without fever: not cytokine release syndrome by definition"
OTHER_CAUSE = "fever attributed to another cause"


def grade_crs(
    course: Course, *, age: ArrayLike, weight: ArrayLike | None = None, scale: str = "astct", organs: bool = True
) -> Grades:
    """Grade cytokine release syndrome at every cell of a course.

    Parameters
    ----------
    course : Course
        n patients, k days; may end at any day: a cell reads nothing of later days.
    age : array_like, shape (n,)
        Years; for the limit of the systolic pressure.
    weight : array_like, shape (n,), optional
        kg; for scales with vasopressor limits per kg (none of the present ones).
    scale : str
        ``astct``, ``lee2014`` or ``penn``, or the name of an edition ``crs_*``.
    organs : bool
        Whether organ toxicity counts where the scale knows it.

    Returns
    -------
    Grades
        Not gradable where temperature, circulation or oxygen are unknown and what is known does not settle it.
    """
    rules = edition(_edition_name(scale))
    levels = [level for level in rules.levels if organs or level.column not in ("organ", "coagulation")]
    signs = bedside_signs(course, age, rules)
    lower, upper, columns, doubts = _columns(course, signs, levels)

    cells = episodes(signs, rules)
    throughout = rules.choices["fever"] == "throughout"
    enters = cells.established & (signs.fever | cells.waived) if throughout else cells.ongoing
    doubtful = signs.no_temperature & ~(cells.waived if throughout else cells.established)
    blocked = signs.other_cause & ~enters
    lower, upper = lower * enters, upper * (enters | doubtful)
    upper = np.maximum(upper, (lower + np.int8(1)) * (doubtful | blocked))

    grade = settle(lower, upper)
    unsettled = grade < 0
    missing = {}
    if unsettled.any():
        doubts["temperature"] = doubts.get("temperature", False) | doubtful
        missing = {name: found for name, cells_ in doubts.items() if (found := unsettled & cells_).any()}
    sick = (signs.hypotension | signs.oxygen) & ~enters & ~signs.no_temperature
    flags = {text: found for text, found in ((NOT_CRS, sick), (OTHER_CAUSE, signs.other_cause)) if np.any(found)}
    afebrile = enters & ~signs.fever
    anchors: dict[tuple[str, ...], Any] = {("temperature",): np.where(afebrile, cells.onset, -1)}
    if throughout:
        anchors[rules.lists["waives_fever"]] = np.where(afebrile, cells.given, -1)
    shown = {name: earned * enters for name, earned in columns.items()}
    reads = {name: READS[name] for name in columns}
    return Grades(f"crs_{scale}", rules.name, course.days, grade, lower, missing, shown, reads, flags, anchors)


def _edition_name(scale: str) -> str:
    if scale.startswith("crs_"):
        return scale
    if scale not in SCALES:
        raise InputError(unknown("scale of cytokine release syndrome", scale, SCALES))
    return SCALES[scale]


def systolic_limit(age: ArrayLike, rules: Edition) -> Floats:
    """Systolic pressure (mmHg) below which an age (years) is hypotensive."""
    v, years = rules.values, np.asarray(age, dtype=float)
    child = v["child_systolic_base"] + v["child_systolic_slope"] * years
    limit = np.where(years <= v["child_until"], child, v["adult_systolic"])
    limit = np.where(years < v["infant_until"], v["infant_systolic"], limit)
    return np.where(years < v["neonate_until"], v["neonate_systolic"], limit)


def bedside_signs(course: Course, age: ArrayLike, rules: Edition) -> SimpleNamespace:
    """Fever, hypotension, supports and oxygen of every cell as arrays (n, k); absent analytes as one False.

    A support that is not charted was not given; where nothing of the circulation, or of oxygen, is charted, it is
    unknown.
    """
    v, shape = rules.values, course.shape
    none, nan = np.False_, np.float64(np.nan)

    def read(name: str) -> Any:
        return course.values.get(name, nan)

    limit = np.broadcast_to(systolic_limit(age, rules), (shape[0],))[:, None]
    s = SimpleNamespace(course=course, values=v, shape=shape)
    temperature = np.broadcast_to(read("temperature"), shape)
    hot = temperature >= v["fever"]
    s.no_temperature = np.isnan(temperature)
    s.other_cause = hot & (read("fever_other_cause") >= 1)
    s.fever = hot & ~s.other_cause

    pressure = read("systolic_bp")
    s.boluses, s.norepinephrine = read("fluid_boluses"), read("norepinephrine")
    others = read("other_vasopressors")
    s.vasopressin = read("vasopressin") >= 1
    s.catecholamines = (s.norepinephrine > 0) + np.where(others > 0, others, 0)
    s.pressor = (s.catecholamines > 0) | s.vasopressin
    s.hypotension = np.broadcast_to((pressure < limit) | (s.boluses > 0) | s.pressor, shape)
    s.no_pressure = np.broadcast_to(np.isnan(pressure), shape)
    charted = [np.isfinite(read(name)) for name in CIRCULATION if name in course]
    s.no_circulation = ~np.broadcast_to(np.logical_or.reduce(charted) if charted else none, shape)

    s.device, s.flow, s.fio2 = read("oxygen_device"), read("oxygen_flow"), read("fio2")
    air_only = (s.device >= v["positive_pressure"]) & (s.fio2 <= v["room_air"])
    s.assisted = (s.device >= v["positive_pressure"]) & ~air_only
    low = (read("spo2") < v["low_saturation"]) & ~(s.device >= 1)
    s.oxygen = np.broadcast_to(
        ((s.device >= 1) & ~air_only) | (s.flow > 0) & ~air_only | (s.fio2 > v["room_air"]) | low, shape
    )
    charted = [np.isfinite(read(name)) for name in OXYGEN if name in course]
    s.no_oxygen_data = ~np.broadcast_to(np.logical_or.reduce(charted) if charted else none, shape)
    return s


def episodes(signs: SimpleNamespace, rules: Edition) -> SimpleNamespace:
    """Which cells belong to an episode that began with fever, and where its fever is waived.

    Returns
    -------
    SimpleNamespace
        established, ongoing, waived : ndarray of bool, shape (n, k)
        onset, given : ndarray of int, shape (n, k)
            Column of the first fever of the episode and of the last therapy that waives fever; -1: none.
    """
    days, v, course = signs.course.days, rules.values, signs.course
    sign = signs.fever | signs.hypotension | signs.oxygen
    quiet = ~sign & ~signs.no_temperature & ~signs.no_pressure & ~signs.no_oxygen_data
    sick_before, quiet_before = before(latest(sign)), before(latest(quiet))
    resolved = before(latest(quiet & (sick_before > quiet_before)))
    rest = days[None, :] - np.where(resolved >= 0, days[np.maximum(resolved, 0)], np.inf) if days.size else resolved
    anew = (quiet_before > sick_before) & (rest >= v["episode_gap"])
    start = latest(sign & ((sick_before < 0) | anew))

    window = (days >= v["earliest_onset"]) & (days <= v["latest_onset"])
    fever = signs.fever & window[None, :]
    first = latest(fever & (before(latest(fever)) < start))
    established = (first >= start) & (start >= 0)
    given = np.zeros(signs.shape, dtype=bool)
    for name in rules.lists["waives_fever"]:
        if name in course:
            given |= course.values[name] > 0
    last_given = before(latest(given))
    return SimpleNamespace(
        established=established,
        ongoing=established & ~quiet,
        waived=established & (last_given >= first),
        onset=np.where(established, first, -1),
        given=last_given,
    )


def _columns(
    course: Course, signs: SimpleNamespace, levels: list[Level]
) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    """Lowest and highest grade that the columns allow, each column's grade, and the doubts by analyte."""
    lower, upper = np.zeros(signs.shape, dtype=np.int8), np.zeros(signs.shape, dtype=np.int8)
    columns: dict[str, Any] = {}
    doubts: dict[str, Any] = {}
    derived: dict[str, Any] = {}
    for level in levels:
        earned = columns.setdefault(level.column, np.zeros(signs.shape, dtype=np.int8))
        grade = np.int8(level.grade)
        if level.when:
            fact, lacking = FACTS[level.when]
            holds, doubt = fact(signs)
            if np.any(doubt):
                np.maximum(upper, doubt * grade, out=upper)
                named = doubt & ~signs.no_oxygen_data if lacking in DETAILS else doubt
                doubts[lacking] = doubts.get(lacking, False) | named
        else:
            if level.reads in ORGANS and level.reads not in derived:
                derived[level.reads] = organ_grade(course, ORGANS[level.reads])
            holds = compare(derived[level.reads] if level.reads in derived else course.dense(level.reads), level)
        if np.any(holds):
            np.maximum(earned, holds * grade, out=earned)
    for earned in columns.values():
        np.maximum(lower, earned, out=lower)
    return lower, np.maximum(lower, upper), columns, doubts


# Findings that a scale's levels name: each returns (holds, unknown), arrays (n, k) or one False.


def _fever(s: Any) -> tuple[Any, Any]:
    return s.fever, s.no_temperature


def _hypotension(s: Any) -> tuple[Any, Any]:
    return s.hypotension, s.no_pressure & ~s.hypotension


def _one_vasopressor(s: Any) -> tuple[Any, Any]:
    return s.pressor, s.no_circulation


def _two_vasopressors(s: Any) -> tuple[Any, Any]:
    return s.catecholamines >= s.values["several_vasopressors"], s.no_circulation


def _several_vasopressors(s: Any) -> tuple[Any, Any]:
    return s.catecholamines + s.vasopressin >= s.values["several_vasopressors"], s.no_circulation


def _several_boluses(s: Any) -> tuple[Any, Any]:
    return s.boluses >= s.values["several_boluses"], s.no_circulation


def _high_dose_vasopressor(s: Any) -> tuple[Any, Any]:
    high = s.norepinephrine >= s.values["high_norepinephrine"]
    return high | (s.vasopressin & (s.norepinephrine >= s.values["high_with_vasopressin"])), s.no_circulation


def _oxygen(s: Any) -> tuple[Any, Any]:
    return s.oxygen, s.no_oxygen_data


def _high_flow_oxygen(s: Any) -> tuple[Any, Any]:
    v = s.values
    cannula, high_flow = s.device == v["cannula"], s.device == v["high_flow"]
    fast = ~(s.device >= v["positive_pressure"]) & (s.flow > v["low_flow"])
    no_flow = np.isnan(s.flow)
    rich = (cannula | ~(s.device >= 1)) & no_flow & (s.fio2 > v["fio2_limit"])
    holds = (s.device == v["mask"]) | fast | (high_flow & no_flow) | rich
    return holds, s.no_oxygen_data | (cannula & no_flow & np.isnan(s.fio2))


def _positive_pressure(s: Any) -> tuple[Any, Any]:
    return s.assisted, s.no_oxygen_data


def _ventilator(s: Any) -> tuple[Any, Any]:
    return s.assisted & (s.device == s.values["ventilator"]), s.no_oxygen_data


def _high_fio2(s: Any) -> tuple[Any, Any]:
    v = s.values
    uncharted = np.isnan(s.fio2)
    by_cannula = ~(s.device >= v["mask"]) & (s.flow > 0)
    estimated = v["room_air"] + v["fio2_per_liter"] * s.flow >= v["fio2_limit"]
    holds = (s.fio2 >= v["fio2_limit"]) | (uncharted & by_cannula & estimated)
    blind = uncharted & (s.device >= 1) & ~by_cannula
    return holds, s.no_oxygen_data | blind


FACTS: dict[str, tuple[Callable[[Any], tuple[Any, Any]], str]] = {
    "fever": (_fever, "temperature"),
    "hypotension": (_hypotension, "systolic_bp"),
    "one_vasopressor": (_one_vasopressor, "systolic_bp"),
    "two_vasopressors": (_two_vasopressors, "systolic_bp"),
    "several_vasopressors": (_several_vasopressors, "systolic_bp"),
    "several_boluses": (_several_boluses, "systolic_bp"),
    "high_dose_vasopressor": (_high_dose_vasopressor, "systolic_bp"),
    "oxygen": (_oxygen, "oxygen_device"),
    "high_flow_oxygen": (_high_flow_oxygen, "oxygen_flow"),
    "positive_pressure": (_positive_pressure, "oxygen_device"),
    "ventilator": (_ventilator, "oxygen_device"),
    "high_fio2": (_high_fio2, "fio2"),
}
