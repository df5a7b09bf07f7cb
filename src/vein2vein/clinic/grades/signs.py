"""Bedside signs of cytokine release syndrome: fever, hypotension, vasopressors and oxygen, and the findings of scales.

A support that is not charted was not given, unless it ran at the last charting a short time ago: then it is unknown.
What a clinician attributed to another cause, oxygen used at home, and ventilation that only protects the airway are
set aside.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.clinic.criteria import Edition
from vein2vein.clinic.grades.grades import Flags, Floats, before, carried, latest, take
from vein2vein.clinic.grades.past import Past
from vein2vein.therapy.course import Course

AMOUNTS = ("norepinephrine", "epinephrine", "phenylephrine", "dopamine")  # vasopressors charted by dose
NAMED = ("epinephrine", "phenylephrine", "dopamine", "angiotensin_ii")
PRESSORS = ("norepinephrine", *NAMED, "other_vasopressors", "vasopressin")
CIRCULATION = ("systolic_bp", "fluid_boluses", *PRESSORS)
SUPPORT = ("oxygen_device", "oxygen_flow", "fio2")
OXYGEN = (*SUPPORT, "spo2")


def systolic_limit(age: ArrayLike, rules: Edition) -> Floats:
    """Systolic pressure (mmHg) below which an age (years) is hypotensive."""
    v, years = rules.values, np.asarray(age, dtype=float)
    child = v["child_systolic_base"] + v["child_systolic_slope"] * years
    limit = np.where(years <= v["child_until"], child, v["adult_systolic"])
    limit = np.where(years < v["infant_until"], v["infant_systolic"], limit)
    return np.where(years < v["neonate_until"], v["neonate_systolic"], limit)


def bedside_signs(course: Course, age: ArrayLike, rules: Edition, past: Past | None = None) -> SimpleNamespace:
    """Fever, hypotension, supports and oxygen of every cell as arrays (n, k); absent analytes as one False.

    Where nothing of the circulation, or of oxygen, is charted, it is unknown.
    """
    v, shape = rules.values, course.shape
    s = SimpleNamespace(course=course, values=v, shape=shape, running={}, past=past or Past(course))
    limit = np.broadcast_to(systolic_limit(age, rules), (shape[0],))[:, None]
    ageless = np.broadcast_to(np.isnan(np.asarray(age, dtype=float)), (shape[0],))[:, None]
    temperature = np.broadcast_to(_read(course, "temperature"), shape)
    hot = temperature >= v["fever"]
    s.no_temperature = np.isnan(temperature)
    s.other_cause = hot & (_read(course, "fever_other_cause") >= 1)
    s.fever = hot & ~s.other_cause
    _circulation(s, limit, ageless)
    _oxygen_support(s)
    return s


def _read(course: Course, name: str) -> Any:
    return course.values.get(name, np.float64(np.nan))


def _unknown(course: Course, names: tuple[str, ...]) -> Any:
    charted = [np.isfinite(course.values[name]) for name in names if name in course]
    return ~np.broadcast_to(np.logical_or.reduce(charted) if charted else np.False_, course.shape)


def _circulation(s: SimpleNamespace, limit: Floats, ageless: Flags) -> None:
    course, v, shape = s.course, s.values, s.shape
    aside = _read(course, "hypotension_other_cause") >= 1
    s.hypotension_aside = aside
    pressure = _read(course, "systolic_bp")
    s.amounts = {name: np.where(aside, 0.0, course.values[name]) for name in AMOUNTS if name in course}
    s.boluses = np.where(aside, 0.0, _read(course, "fluid_boluses"))
    s.vasopressin = (_read(course, "vasopressin") >= 1) & ~aside
    others, named = _read(course, "other_vasopressors"), np.int8(0)
    for name in NAMED:
        if name in course:
            named = named + (course.values[name] > 0).astype(np.int8)
    s.catecholamines = np.where(aside, 0, (_read(course, "norepinephrine") > 0) + np.fmax(others, named))
    s.pressor = (s.catecholamines > 0) | s.vasopressin
    sure = np.where(ageless, v["neonate_systolic"], limit) if ageless.any() else limit  # low at every age
    s.hypotension = np.broadcast_to(((pressure < sure) & ~aside) | (s.boluses > 0) | s.pressor, shape)
    s.no_age = ageless & (pressure < limit) & ~s.hypotension & ~aside if ageless.any() else np.False_
    if np.any(s.no_age):
        s.running["age"] = np.broadcast_to(s.no_age, shape)
    s.no_pressure = np.broadcast_to((np.isnan(pressure) | s.no_age) & ~aside, shape)
    s.no_circulation = _unknown(course, CIRCULATION) & ~aside
    s.maybe_pressor = _may_still_run(s, PRESSORS, ~aside)
    s.low_mean = _read(course, "mean_bp") < v["low_mean_pressure"]


def _oxygen_support(s: SimpleNamespace) -> None:
    course, v, shape, past = s.course, s.values, s.shape, s.past
    aside = _read(course, "hypoxia_other_cause") >= 1
    s.hypoxia_aside = aside
    device, flow, fio2 = (_read(course, name) for name in SUPPORT)
    if past.course.measured("home_oxygen"):
        home, home_flow = (past.now(carried(past.course, name)) for name in ("home_oxygen", "home_oxygen_flow"))
        aside = aside | ((home >= 1) & ~(device > home) & ~(flow > home_flow) & ~(fio2 >= v["fio2_limit"]))
    s.at_home = aside & ~s.hypoxia_aside if np.any(aside) else np.False_
    if np.any(aside):
        normal = (0, 0, v["room_air"])
        device, flow, fio2 = (np.where(aside, usual, x) for usual, x in zip(normal, (device, flow, fio2)))
    if "airway_protection" in course:
        protects = (course.values["airway_protection"] >= 1) & ~(fio2 >= v["protected_fio2"])
        usual = ((0, device), (0, flow), (v["room_air"], fio2))
        device, flow, fio2 = (np.where(protects, normal, charted) for normal, charted in usual)
        s.protects = protects
    s.device, s.flow, s.fio2 = device, flow, fio2
    positive, enriched = device >= v["positive_pressure"], (flow > 0) | (fio2 > v["room_air"])
    s.assisted = positive & enriched
    s.maybe_assisted = positive & ~enriched & np.isnan(fio2)  # of air alone, it would be no hypoxia
    low = (_read(course, "spo2") < v["low_saturation"]) & ~s.hypoxia_aside
    s.oxygen = np.broadcast_to(((device >= 1) & ~positive) | enriched | low, shape)
    s.no_oxygen_data = _unknown(course, OXYGEN) & ~s.hypoxia_aside
    s.no_device = np.isnan(device) & enriched
    maybe = _may_still_run(s, SUPPORT, ~aside)
    s.maybe_oxygen = maybe & _unknown(course, SUPPORT) if np.any(maybe) else maybe
    if np.any(s.maybe_assisted):
        s.running["fio2"] = s.running.get("fio2", np.False_) | s.maybe_assisted
    if "spo2" in course and np.isnan(spo2 := course.values["spo2"]).any():
        was_low = np.isnan(spo2) & (past.now(carried(past.course, "spo2", v["stays_on"])) < v["low_saturation"])
        was_low &= ~s.oxygen & ~(device >= 1) & ~s.hypoxia_aside
        if was_low.any():
            s.running["spo2"] = was_low
            s.maybe_oxygen = s.maybe_oxygen | was_low


def _may_still_run(s: SimpleNamespace, names: tuple[str, ...], counts: Any) -> Any:
    """Cells where a support that ran a short time ago is not charted; noted by name in ``s.running``."""
    found: Any = np.False_
    for name in names:
        if name not in s.course or not (absent := np.isnan(s.course.values[name])).any():
            continue
        values, days = s.past.course.values[name], s.past.course.days
        known = s.past.now(before(latest(np.isfinite(values))))
        last = take(values, known, 0.0)
        off = s.values["room_air"] if name == "fio2" else 0.0
        recent = s.course.days[None, :] - days[np.maximum(known, 0)] <= s.values["stays_on"]
        cells = absent & (last > off) & recent & counts
        if cells.any():
            s.running[name] = cells
            found = found | cells
    return found


def lasts(s: Any, name: str, on: Flags, longest_pause: float = np.inf) -> Floats:
    """For how long something that holds has held at every charted cell without a break (days), shape (n, k).

    Chartings further apart than ``longest_pause`` days do not show what was between them: there it begins anew.
    """
    anew = None if np.isinf(longest_pause) else s.past.pause() > longest_pause + s.values["tolerance"]
    start = s.past.since(name, on, anew)
    return np.where(on, s.course.days[None, :] - s.past.course.days[np.maximum(start, 0)], -np.inf)


def _long(s: Any, name: str, on: Flags, perhaps: Flags, needed: str, missing: str) -> tuple[Any, Any]:
    """Whether something has lasted so long by the chart, and whether it may have."""
    least = s.values[needed] - s.values["tolerance"]
    holds = lasts(s, name, on, s.values["stays_on"]) >= least
    doubt = ~holds & perhaps & (lasts(s, f"perhaps {name}", perhaps) >= least)
    if doubt.any():
        s.running[missing] = s.running.get(missing, np.False_) | doubt
    return holds, doubt


# Findings that a scale's levels name: each returns (holds, unknown), arrays (n, k) or one False.


def _fever(s: Any) -> tuple[Any, Any]:
    return s.fever, s.no_temperature


def _hypotension(s: Any) -> tuple[Any, Any]:
    return s.hypotension, (s.no_pressure | s.maybe_pressor) & ~s.hypotension


def _unclear(s: Any) -> Any:
    return s.no_circulation | s.maybe_pressor


def _one_vasopressor(s: Any) -> tuple[Any, Any]:
    return s.pressor, _unclear(s)


def _two_vasopressors(s: Any) -> tuple[Any, Any]:
    return s.catecholamines >= s.values["several_vasopressors"], _unclear(s)


def _several_vasopressors(s: Any) -> tuple[Any, Any]:
    return s.catecholamines + s.vasopressin >= s.values["several_vasopressors"], _unclear(s)


def _several_boluses(s: Any) -> tuple[Any, Any]:
    return s.boluses >= s.values["several_boluses"], s.no_circulation


def _high_dose_vasopressor(s: Any) -> tuple[Any, Any]:
    """A high dose, unless the chart shows that it began less than 3 hours ago."""
    v = s.values
    amounts = {name: np.nan_to_num(values) for name, values in s.amounts.items()}
    high: Any = np.False_
    for name, values in amounts.items():
        high = high | (values >= v[f"high_{name}"])
    per = {name: v.get(f"{name}_per_norepinephrine", 1.0) for name in amounts}
    equivalent = sum((values / per[name] for name, values in amounts.items()), start=np.float64(0.0))
    high = high | (s.vasopressin & (equivalent >= v["high_with_vasopressin"])) | (equivalent >= v["high_equivalent"])
    lower = s.past.before("low dose", ~s.no_circulation & ~high)
    if np.any(high):
        days = s.past.course.days
        since = s.course.days[None, :] - np.where(lower >= 0, days[np.maximum(lower, 0)], -np.inf)
        high = high & (since >= v["high_dose_lasts"] - v["tolerance"])
    return high, _unclear(s)


def _long_vasopressor(s: Any) -> tuple[Any, Any]:
    """Vasopressors at every charting for so long; an open end before the first charting is not counted."""
    on = np.broadcast_to(s.pressor, s.shape)
    holds, doubt = _long(s, "pressor", on, on | s.maybe_pressor, "long_vasopressor", "norepinephrine")
    return holds, doubt | s.no_circulation


def _refractory(s: Any) -> tuple[Any, Any]:
    return (_read(s.course, "pressor_refractory") >= 1) & ~s.hypotension_aside, False


def _life_threatening(s: Any) -> tuple[Any, Any]:
    return _read(s.course, "life_threatening") >= 1, False


def _prolonged(s: Any) -> tuple[Any, Any]:
    on = s.hypotension | s.oxygen
    return _long(s, "hypotension or oxygen", on, on, "prolonged", "systolic_bp")


def _recurrent(s: Any) -> tuple[Any, Any]:
    return s.recurrent, False


def _oxygen(s: Any) -> tuple[Any, Any]:
    return s.oxygen, (s.no_oxygen_data | s.maybe_oxygen | s.maybe_assisted) & ~s.oxygen


def _high_flow_oxygen(s: Any) -> tuple[Any, Any]:
    v = s.values
    cannula, high_flow = s.device == v["cannula"], s.device == v["high_flow"]
    fast = ~(s.device >= v["positive_pressure"]) & (s.flow > v["low_flow"])
    no_flow = np.isnan(s.flow)
    rich = np.isnan(s.fio2) | (s.fio2 > v["room_air"] + v["fio2_per_liter"] * v["low_flow"])
    holds = (s.device == v["mask"]) | fast
    no_flow_known = no_flow & (high_flow | (cannula & rich))
    return holds, s.no_oxygen_data | s.maybe_oxygen | s.no_device | no_flow_known


def _positive_pressure(s: Any) -> tuple[Any, Any]:
    return s.assisted, s.no_oxygen_data | s.maybe_oxygen | s.no_device | s.maybe_assisted


def _ventilator(s: Any) -> tuple[Any, Any]:
    return s.assisted & (s.device == s.values["ventilator"]), _positive_pressure(s)[1]


def _high_fio2(s: Any) -> tuple[Any, Any]:
    v = s.values
    uncharted = np.isnan(s.fio2)
    by_cannula = ~(s.device >= v["mask"]) & (s.flow > 0)
    estimated = v["room_air"] + v["fio2_per_liter"] * s.flow >= v["fio2_limit"]
    blind = uncharted & ((s.device >= 1) & ~by_cannula | by_cannula & estimated)
    return s.fio2 >= v["fio2_limit"], s.no_oxygen_data | blind | s.maybe_oxygen


FACTS: dict[str, tuple[Callable[[Any], tuple[Any, Any]], str]] = {
    "fever": (_fever, "temperature"),
    "hypotension": (_hypotension, "systolic_bp"),
    "one_vasopressor": (_one_vasopressor, "systolic_bp"),
    "two_vasopressors": (_two_vasopressors, "systolic_bp"),
    "several_vasopressors": (_several_vasopressors, "systolic_bp"),
    "several_boluses": (_several_boluses, "systolic_bp"),
    "high_dose_vasopressor": (_high_dose_vasopressor, "systolic_bp"),
    "long_vasopressor": (_long_vasopressor, "systolic_bp"),
    "refractory": (_refractory, "pressor_refractory"),
    "life_threatening": (_life_threatening, "life_threatening"),
    "prolonged": (_prolonged, "systolic_bp"),
    "recurrent": (_recurrent, "temperature"),
    "oxygen": (_oxygen, "oxygen_device"),
    "high_flow_oxygen": (_high_flow_oxygen, "oxygen_flow"),
    "positive_pressure": (_positive_pressure, "oxygen_device"),
    "ventilator": (_ventilator, "oxygen_device"),
    "high_fio2": (_high_fio2, "fio2"),
}
