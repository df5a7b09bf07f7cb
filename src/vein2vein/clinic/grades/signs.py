"""Bedside signs of cytokine release syndrome: fever, hypotension, vasopressors and oxygen.

A support that is not charted was not given, unless it ran at the last charting a short time ago: then it is unknown.
What a clinician attributed to another cause, oxygen used at home, and ventilation that only protects the airway are
set aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
# What was never charted is one cell, (1, 1), that broadcasts: nothing is computed for every patient and day.
NOT_CHARTED: Floats = np.full((1, 1), np.nan)
NEVER: Flags = np.zeros((1, 1), dtype=bool)


@dataclass(frozen=True)
class Circulation:
    """Pressure and its support at every cell; arrays (n, k), or (1, 1) where nothing of the kind is charted.

    Attributes
    ----------
    set_aside : ndarray of bool
        A clinician attributed low pressure to another cause: neither it nor its support counts.
    amounts : mapping of str to ndarray
        Vasopressors charted by dose, in the unit of each.
    boluses, catecholamines : ndarray
        Fluid boluses, and vasopressors besides vasopressin that run, by number.
    vasopressin, pressor, hypotension : ndarray of bool
        Vasopressin runs; any vasopressor runs; pressure is low for the age, or is supported.
    no_age : ndarray of bool
        Low for some ages, and the age is unknown.
    no_pressure, uncharted, maybe_pressor : ndarray of bool
        No pressure that can be read; nothing of the circulation charted; a vasopressor that may still run.
    low_mean : ndarray of bool
        Mean arterial pressure is low: it supports hypotension and earns nothing.
    """

    set_aside: Flags
    amounts: Mapping[str, Floats]
    boluses: Floats
    vasopressin: Flags
    catecholamines: Floats
    pressor: Flags
    hypotension: Flags
    no_age: Flags
    no_pressure: Flags
    uncharted: Flags
    maybe_pressor: Flags
    low_mean: Flags


@dataclass(frozen=True)
class Breathing:
    """Oxygen and its support at every cell; arrays (n, k), or (1, 1) where nothing of the kind is charted.

    Attributes
    ----------
    set_aside, at_home, protects : ndarray of bool
        Attributed to another cause; as used at home before treatment; ventilated to protect the airway only.
    device : ndarray
        Code of ``oxygen_device``.
    flow, fio2 : ndarray
        L/min; fraction. NaN: not charted.
    assisted, maybe_assisted : ndarray of bool
        Positive pressure with more oxygen than room air; with a fraction that is not charted.
    oxygen : ndarray of bool
        Oxygen is given, or saturation is low.
    uncharted, no_device, maybe_oxygen : ndarray of bool
        Nothing of oxygen charted; oxygen by an unknown device; oxygen that may still run.
    """

    set_aside: Flags
    at_home: Flags
    protects: Flags
    device: Floats
    flow: Floats
    fio2: Floats
    assisted: Flags
    maybe_assisted: Flags
    oxygen: Flags
    uncharted: Flags
    no_device: Flags
    maybe_oxygen: Flags


@dataclass(frozen=True)
class Signs:
    """What the bedside shows at every cell of a course, and its past.

    Attributes
    ----------
    course : Course
        n patients, k days: the cells that are graded.
    limits : mapping of str to float
        Thresholds of the edition.
    past : Past
    fever, other_cause, no_temperature : ndarray of bool, shape (n, k)
        Fever; fever that a clinician attributed to another cause; temperature not charted.
    circulation : Circulation
    breathing : Breathing
    running : mapping of analyte to ndarray of bool
        Cells that an uncharted value of this analyte leaves open.
    recurrent : ndarray of bool
        Cells of an episode after an earlier one.
    """

    course: Course
    limits: Mapping[str, float]
    past: Past
    fever: Flags
    other_cause: Flags
    no_temperature: Flags
    circulation: Circulation
    breathing: Breathing
    running: Mapping[str, Flags]
    recurrent: Flags = field(default_factory=lambda: NEVER)

    @property
    def shape(self) -> tuple[int, int]:
        """(patients, days)."""
        return self.course.shape


def systolic_limit(age: ArrayLike, rules: Edition) -> Floats:
    """Systolic pressure (mmHg) below which an age (years) is hypotensive."""
    v, years = rules.values, np.asarray(age, dtype=float)
    child = v["child_systolic_base"] + v["child_systolic_slope"] * years
    limit = np.where(years <= v["child_until"], child, v["adult_systolic"])
    limit = np.where(years < v["infant_until"], v["infant_systolic"], limit)
    return np.where(years < v["neonate_until"], v["neonate_systolic"], limit)


def bedside_signs(course: Course, age: ArrayLike, rules: Edition, past: Past | None = None) -> Signs:
    """Fever, hypotension, supports and oxygen of every cell.

    Where nothing of the circulation, or of oxygen, is charted, it is unknown.

    Parameters
    ----------
    course : Course
        n patients, k days.
    age : array_like, shape (n,)
        Years.
    rules : Edition
        Thresholds, those of criteria/bedside_signs.toml among them.
    past : Past, optional
        Of a course that grows, of which ``course`` is the newest column.
    """
    past = past or Past(course)
    running: dict[str, Flags] = {}
    temperature = np.broadcast_to(read(course, "temperature"), course.shape)
    hot = temperature >= rules.values["fever"]
    other_cause = hot & (read(course, "fever_other_cause") >= 1)
    circulation = _circulation(course, age, rules, past, running)
    breathing = _breathing(course, rules.values, past, running)
    return Signs(
        course, rules.values, past, hot & ~other_cause, other_cause, np.isnan(temperature), circulation, breathing,
        running,
    )  # fmt: skip


def read(course: Course, name: str) -> Floats:
    """Values of an analyte, shape (n, k); one NaN, shape (1, 1), where it was never charted."""
    return course.values.get(name, NOT_CHARTED)


def _uncharted(course: Course, names: tuple[str, ...]) -> Flags:
    """Cells where none of these analytes is charted."""
    charted = [np.isfinite(course.values[name]) for name in names if name in course]
    return ~np.broadcast_to(np.logical_or.reduce(charted) if charted else NEVER, course.shape)


def _circulation(course: Course, age: ArrayLike, rules: Edition, past: Past, running: dict[str, Flags]) -> Circulation:
    v, shape = rules.values, course.shape
    limit = np.broadcast_to(systolic_limit(age, rules), (shape[0],))[:, None]
    ageless = np.broadcast_to(np.isnan(np.asarray(age, dtype=float)), (shape[0],))[:, None]
    aside = read(course, "hypotension_other_cause") >= 1
    pressure = read(course, "systolic_bp")
    amounts = {name: np.where(aside, 0.0, course.values[name]) for name in AMOUNTS if name in course}
    boluses = np.where(aside, 0.0, read(course, "fluid_boluses"))
    vasopressin = (read(course, "vasopressin") >= 1) & ~aside
    named = np.zeros((1, 1), dtype=np.int8)
    for name in NAMED:
        if name in course:
            named = named + (course.values[name] > 0).astype(np.int8)
    # a named vasopressor may be counted among the others too: the larger of the two numbers is how many run
    others = np.fmax(read(course, "other_vasopressors"), named)
    catecholamines = np.where(aside, 0.0, (read(course, "norepinephrine") > 0) + others)
    pressor = (catecholamines > 0) | vasopressin
    low_at_every_age = np.where(ageless, v["neonate_systolic"], limit) if ageless.any() else limit
    hypotension = np.broadcast_to(((pressure < low_at_every_age) & ~aside) | (boluses > 0) | pressor, shape)
    no_age = ageless & (pressure < limit) & ~hypotension & ~aside if ageless.any() else NEVER
    if no_age.any():
        running["age"] = np.broadcast_to(no_age, shape)
    maybe_pressor, named_pressors = _may_still_run(course, PRESSORS, ~aside, v, past)
    running.update(named_pressors)
    return Circulation(
        set_aside=aside,
        amounts=amounts,
        boluses=boluses,
        vasopressin=vasopressin,
        catecholamines=catecholamines,
        pressor=pressor,
        hypotension=hypotension,
        no_age=no_age,
        no_pressure=np.broadcast_to((np.isnan(pressure) | no_age) & ~aside, shape),
        uncharted=_uncharted(course, CIRCULATION) & ~aside,
        maybe_pressor=maybe_pressor,
        low_mean=read(course, "mean_bp") < v["low_mean_pressure"],
    )


def _breathing(course: Course, v: Mapping[str, float], past: Past, running: dict[str, Flags]) -> Breathing:
    shape = course.shape
    elsewhere = read(course, "hypoxia_other_cause") >= 1
    aside = elsewhere
    device, flow, fio2 = (read(course, name) for name in SUPPORT)
    if past.course.measured("home_oxygen"):
        home, home_flow = (past.now(carried(past.course, name)) for name in ("home_oxygen", "home_oxygen_flow"))
        aside = aside | ((home >= 1) & ~(device > home) & ~(flow > home_flow) & ~(fio2 >= v["fio2_limit"]))
    at_home = aside & ~elsewhere if aside.any() else NEVER
    if aside.any():
        device, flow = np.where(aside, 0.0, device), np.where(aside, 0.0, flow)
        fio2 = np.where(aside, v["room_air"], fio2)
    protects = NEVER
    if "airway_protection" in course:
        protects = (course.values["airway_protection"] >= 1) & ~(fio2 >= v["protected_fio2"])
        device, flow = np.where(protects, 0.0, device), np.where(protects, 0.0, flow)
        fio2 = np.where(protects, v["room_air"], fio2)
    positive, enriched = device >= v["positive_pressure"], (flow > 0) | (fio2 > v["room_air"])
    maybe_assisted = positive & ~enriched & np.isnan(fio2)  # of air alone, it would be no hypoxia
    low = (read(course, "spo2") < v["low_saturation"]) & ~elsewhere
    oxygen = np.broadcast_to(((device >= 1) & ~positive) | enriched | low, shape)
    maybe, named = _may_still_run(course, SUPPORT, ~aside, v, past)
    running.update(named)
    maybe_oxygen = maybe & _uncharted(course, SUPPORT) if maybe.any() else maybe
    if maybe_assisted.any():
        running["fio2"] = running.get("fio2", NEVER) | maybe_assisted
    if "spo2" in course and np.isnan(spo2 := course.values["spo2"]).any():
        was_low = np.isnan(spo2) & (past.now(carried(past.course, "spo2", v["stays_on"])) < v["low_saturation"])
        was_low &= ~oxygen & ~(device >= 1) & ~elsewhere
        if was_low.any():
            running["spo2"] = was_low
            maybe_oxygen = maybe_oxygen | was_low
    return Breathing(
        set_aside=elsewhere,
        at_home=at_home,
        protects=protects,
        device=device,
        flow=flow,
        fio2=fio2,
        assisted=positive & enriched,
        maybe_assisted=maybe_assisted,
        oxygen=oxygen,
        uncharted=_uncharted(course, OXYGEN) & ~elsewhere,
        no_device=np.isnan(device) & enriched,
        maybe_oxygen=maybe_oxygen,
    )


def _may_still_run(
    course: Course, names: tuple[str, ...], counts: Flags, v: Mapping[str, float], past: Past
) -> tuple[Flags, dict[str, Flags]]:
    """Cells where a support that ran a short time ago is not charted: of any, and by name."""
    any_of_them = NEVER
    by_name: dict[str, Flags] = {}
    for name in names:
        if name not in course or not (absent := np.isnan(course.values[name])).any():
            continue
        values, days = past.course.values[name], past.course.days
        known: NDArray[np.int32] = past.now(before(latest(np.isfinite(values))))
        last = take(values, known, 0.0)
        off = v["room_air"] if name == "fio2" else 0.0
        recent = course.days[None, :] - days[np.maximum(known, 0)] <= v["stays_on"]
        cells = absent & (last > off) & recent & counts
        if cells.any():
            by_name[name] = cells
            any_of_them = any_of_them | cells
    return any_of_them, by_name
