"""Bedside signs of cytokine release syndrome: fever, hypotension, vasopressors and oxygen.

For how long a charted sign or support holds is settled before (``held``): what is not charted here and not unknown was
not given. What a clinician attributed to another cause, oxygen used at home, and ventilation that only protects the
airway are set aside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.clinic.criteria import Edition
from vein2vein.clinic.grades.grades import Flags, Floats, Whole, any_of, carried
from vein2vein.clinic.grades.held import Held, Steps
from vein2vein.clinic.grades.past import Past
from vein2vein.therapy.course import Course

AMOUNTS = ("norepinephrine", "epinephrine", "phenylephrine", "dopamine")  # vasopressors charted by dose
NAMED = ("epinephrine", "phenylephrine", "dopamine", "angiotensin_ii", "metaraminol")
VASOPRESSINS = ("vasopressin", "terlipressin")  # not counted among several vasopressors
PRESSORS = ("norepinephrine", *NAMED, "other_vasopressors", *VASOPRESSINS)
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
    maybe_bolus : ndarray of bool
        Fluid boluses were charted and not understood.
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
    maybe_bolus: Flags
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
        Fever; fever that a clinician attributed to another cause; temperature not known.
    circulation : Circulation
    breathing : Breathing
    running : mapping of analyte to ndarray of bool
        Cells that an unknown value of this analyte leaves open.
    worse : mapping of analyte to ndarray of bool
        Cells where a value is a bound, and the true one may be worse.
    recurrent : ndarray of bool
        Cells of an episode after an earlier one.
    perhaps_recurrent : mapping of analyte to ndarray of bool
        Cells of an episode that may come after an earlier one, by what would have to be charted to tell.
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
    worse: Mapping[str, Flags]
    recurrent: Flags = field(default_factory=lambda: NEVER)
    perhaps_recurrent: Mapping[str, Flags] = field(default_factory=dict[str, Flags])

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


def severity(age: ArrayLike, rules: Edition) -> Steps:
    """How severe a value of each sign is by the thresholds of an edition; 0: it raises no grade."""
    v = rules.values
    low = np.where(np.isnan(limit := systolic_limit(age, rules)), v["adult_systolic"], limit)
    low = np.atleast_1d(low)[:, None]

    def steps(*conditions: Callable[[Floats], Flags]) -> Callable[[Floats], Whole]:
        def of(values: Floats) -> Whole:
            found = np.zeros(values.shape, dtype=np.int8)
            for condition in conditions:
                found += condition(values)
            return found

        return of

    def more_than(limit: float) -> Callable[[Floats], Flags]:
        return lambda values: values > limit

    return {
        "temperature": steps(lambda values: values >= v["fever"]),
        "systolic_bp": steps(lambda values: values < low),
        "spo2": steps(lambda values: values < v["low_saturation"]),
        "oxygen_device": steps(*(more_than(code) for code in range(int(v["ventilator"])))),
        "oxygen_flow": steps(more_than(0), more_than(v["low_flow"])),
        "fio2": steps(more_than(v["room_air"]), lambda values: values >= v["fio2_limit"]),
        "fluid_boluses": steps(more_than(0), lambda values: values >= v["several_boluses"]),
        **{name: steps(more_than(0)) for name in PRESSORS},
    }


def bedside_signs(
    course: Course, age: ArrayLike, rules: Edition, past: Past | None = None, held: Held | None = None
) -> Signs:
    """Fever, hypotension, supports and oxygen of every cell.

    Where nothing of the circulation, or of oxygen, is charted, it is unknown.

    Parameters
    ----------
    course : Course
        n patients, k days; each cell with the readings that hold there.
    age : array_like, shape (n,)
        Years.
    rules : Edition
        Thresholds, those of criteria/bedside_signs.toml among them.
    past : Past, optional
        Of a course that grows, of which ``course`` is the newest column.
    held : Held, optional
        What is unknown, and what is a bound only.
    """
    past, held = past or Past(course), held or Held(course)
    running: dict[str, Flags] = {}
    temperature = np.broadcast_to(read(course, "temperature"), course.shape)
    hot = temperature >= rules.values["fever"]
    other_cause = hot & (read(course, "fever_other_cause") >= 1)
    circulation = _circulation(course, age, rules, held.unknown, running)
    breathing = _breathing(course, rules.values, past, held.unknown, running)
    return Signs(
        course, rules.values, past, hot & ~other_cause, other_cause, np.isnan(temperature), circulation, breathing,
        running, held.worse,
    )  # fmt: skip


def read(course: Course, name: str) -> Floats:
    """Values of an analyte, shape (n, k); one NaN, shape (1, 1), where it was never charted."""
    return course.values.get(name, NOT_CHARTED)


def _uncharted(course: Course, names: tuple[str, ...]) -> Flags:
    """Cells where none of these analytes is charted."""
    charted = [np.isfinite(course.values[name]) for name in names if name in course]
    return ~np.broadcast_to(np.logical_or.reduce(charted) if charted else NEVER, course.shape)


def _circulation(
    course: Course, age: ArrayLike, rules: Edition, unknown: Mapping[str, Flags], running: dict[str, Flags]
) -> Circulation:
    v, shape = rules.values, course.shape
    limit = np.broadcast_to(systolic_limit(age, rules), (shape[0],))[:, None]
    ageless = np.broadcast_to(np.isnan(np.asarray(age, dtype=float)), (shape[0],))[:, None]
    aside = read(course, "hypotension_other_cause") >= 1
    pressure = read(course, "systolic_bp")
    amounts = {name: np.where(aside, 0.0, course.values[name]) for name in AMOUNTS if name in course}
    boluses = np.where(aside, 0.0, read(course, "fluid_boluses"))
    vasopressin = any_of(read(course, name) > 0 for name in VASOPRESSINS)
    vasopressin = vasopressin & ~aside
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
    maybe_pressor = _unknown(PRESSORS, unknown, ~aside, running)
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
        maybe_bolus=_unknown(("fluid_boluses",), unknown, ~aside, running),
        low_mean=read(course, "mean_bp") < v["low_mean_pressure"],
    )


def _breathing(
    course: Course, v: Mapping[str, float], past: Past, unknown: Mapping[str, Flags], running: dict[str, Flags]
) -> Breathing:
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
    maybe_oxygen = _unknown(("oxygen_device",), unknown, ~aside, running)
    settings = _unknown(("oxygen_flow", "fio2"), unknown, ~aside & np.isnan(device), running)
    maybe_oxygen = maybe_oxygen | settings | _unknown(("spo2",), unknown, ~aside & _uncharted(course, SUPPORT), running)
    if maybe_assisted.any():
        running["fio2"] = running.get("fio2", NEVER) | maybe_assisted
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


def _unknown(names: tuple[str, ...], unknown: Mapping[str, Flags], counts: Flags, running: dict[str, Flags]) -> Flags:
    """Cells where any of these analytes is unknown; each is told by its own name."""
    any_of_them = NEVER
    for name in names:
        if name in unknown and (cells := unknown[name] & counts).any():
            running[name] = cells
            any_of_them = any_of_them | cells
    return any_of_them
