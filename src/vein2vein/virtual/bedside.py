"""The bedside: from the patient's unsupported signs to what is written in the chart.

The equations yield the signs a patient would show without help. At each grading time the ward reads them, gives
fluids, vasopressors and oxygen by one table for all trials, and scores the neurologic state. The same graders as for
real patients then judge what was written. Constants: ``bedside.toml``; every function
that reads them is given them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.parameters import ParameterSet, read_parameter_file
from vein2vein.randomness import normals, uniforms
from vein2vein.records import described

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
DEVICES = ("none", "nasal cannula", "mask", "high-flow cannula", "CPAP or BiPAP", "ventilator")  # as in analytes.toml
NO_DEVICE, CANNULA, _MASK, HIGH_FLOW_CANNULA, POSITIVE_PRESSURE, VENTILATOR = (float(i) for i in range(len(DEVICES)))
AROUSAL = ("awake", "awakens spontaneously", "to voice", "to touch only", "unarousable")  # as in analytes.toml
AWAKE, SPONTANEOUS, TO_VOICE, TO_TOUCH, UNAROUSABLE = (float(i) for i in range(len(AROUSAL)))


@described
@dataclass(frozen=True)
class BedsideConstants:
    """The numbers of ``bedside.toml``, by the names of its parameters; meanings and units stand there."""

    temperature_sd: float
    temperature_readings: float
    circadian_amplitude: float
    circadian_peak: float
    temperature_highest: float
    infection_fever: float
    bp_sd: float
    bp_readings: float
    deficit_one_bolus: float
    deficit_boluses: float
    deficit_second_pressor: float
    several_boluses: float
    norepinephrine_slope: float
    spo2_target: float
    fio2_air: float
    fio2_slope: float
    fio2_cannula: float
    fio2_high_flow: float
    fio2_positive_pressure: float
    cannula_flow: float
    high_flow: float
    high_flow_weight: float
    cn_grade_1: float
    cn_grade_2: float
    cn_grade_3: float
    cn_grade_4: float
    ice_best: float
    ice_grade_2: float
    ice_grade_3: float
    capd_age: float
    capd_low_span: float
    capd_severe: float
    capd_high_span: float
    seizure_hazard: float
    seizure_reference: float
    seizure_power: float
    seizure_floor: float
    seizure_prolonged: float
    headache_or_tremor: float
    infection_background: float
    infection_neutropenia: float
    infection_steroid: float
    infection_antibody: float
    neutropenia_limit: float
    steroid_limit: float
    igg_limit: float
    infection_cd4: float
    cd4_limit: float
    risk_power: float
    infection_days: float
    infection_flagged: float
    infection_severe: float
    infection_severe_neutropenia: float
    blood_drawn: float
    blood_drawn_days: float


@dataclass(frozen=True)
class Limits:
    """What the ward calls fever and hypotension. The criteria own these numbers; whoever simulates hands them over.

    Attributes
    ----------
    fever : float
        degC, from which a temperature is a fever.
    adult, child_base : float
        mmHg: lowest normal systolic pressure after ``child_until``; of a child at birth.
    child_slope : float
        mmHg per year of age.
    child_until : float
        Years.
    """

    fever: float
    adult: float
    child_base: float
    child_slope: float
    child_until: float

    def systolic(self, age: ArrayLike) -> Floats:
        """Lowest normal systolic pressure (mmHg) at an age (years); the infant's own limits are not used."""
        age = np.asarray(age, dtype=float)
        return np.where(age <= self.child_until, self.child_base + self.child_slope * age, self.adult)


@cache
def parameters() -> ParameterSet:
    """Every constant of the bedside, with its source."""
    return read_parameter_file(Path(__file__).with_name("bedside.toml"))


@cache
def constants() -> BedsideConstants:
    """The values of ``parameters()`` by name."""
    return BedsideConstants(**parameters().values())


def bedside(
    c: BedsideConstants,
    signs: Mapping[str, ArrayLike],
    *,
    age: ArrayLike,
    weight: ArrayLike,
    numbers: ArrayLike,
    day: float,
    seed: int,
    limits: Limits,
    interval: float = 0.5,
    infection_fever: ArrayLike = False,
    flagged: ArrayLike = False,
    crs_now: ArrayLike = False,
) -> dict[str, Floats]:
    """Write one grading time into the chart.

    Parameters
    ----------
    c : BedsideConstants
    signs : mapping of str to array (n,)
        Unsupported signs, without reading error: temperature (degC), systolic_bp (mmHg), spo2 (%) and
        cns_dysfunction (0 to 1).
    age, weight : array_like, shape (n,)
        Years, kg.
    numbers : array_like of int, shape (n,)
        Patient numbers.
    day : float
        Day of this grading time.
    seed : int
    limits : Limits
        What counts as fever and as hypotension.
    interval : float
        Days since the last grading time, for the seizure hazard.
    infection_fever, flagged : array_like of bool, shape (n,)
        An infection fever block is on; the ward attributes it to infection (see ``infections``).
    crs_now : array_like of bool, shape (n,)
        The patient has cytokine release syndrome now (headache and tremor are linked to it).

    Returns
    -------
    dict of analyte to ndarray, shape (n,)
        NaN: not written. Motor weakness and cerebral edema are not represented, so they are not there.
    """
    shape = np.atleast_1d(np.asarray(numbers)).shape
    age, weight = (np.broadcast_to(np.asarray(a, dtype=float), shape) for a in (age, weight))
    read = {name: np.broadcast_to(np.asarray(value, dtype=float), shape) for name, value in signs.items()}
    warm, bp = int(c.temperature_readings), int(c.bp_readings)
    scatter = normals(seed, f"bedside readings:{day:.2f}", numbers, warm + bp)
    written = temperature_chart(
        c,
        read["temperature"],
        c.temperature_sd * scatter[:, :warm],
        day,
        interval,
        infection_fever,
        flagged,
        limits.fever,
    )
    pressure = read["systolic_bp"] + (c.bp_sd * scatter[:, warm:]).max(axis=1)
    written["systolic_bp"] = pressure
    written.update(circulatory_support(c, limits.systolic(age) - pressure))
    written["spo2"] = read["spo2"]
    written.update(oxygen_support(c, c.spo2_target - read["spo2"], weight))
    written.update(neurologic_scores(c, read["cns_dysfunction"], age))
    written["seizure"] = seizures(c, read["cns_dysfunction"], numbers, day, seed, interval)
    prone = uniforms(seed, "bedside headache or tremor", numbers)[:, 0] < c.headache_or_tremor
    written["headache_or_tremor"] = np.where(prone & np.asarray(crs_now, dtype=bool), 1.0, 0.0)
    written["sedated"] = np.zeros(shape)
    return written


def temperature_chart(
    c: BedsideConstants,
    temperature: Floats,
    scatter: Floats,
    day: float,
    interval: float,
    infection_fever: ArrayLike,
    flagged: ArrayLike,
    fever: float,
) -> dict[str, Floats]:
    """Highest of the interval's temperature readings, and whether its fever is put down to another cause.

    Parameters
    ----------
    c : BedsideConstants
    temperature : ndarray, shape (n,)
        Without infection, degC.
    scatter : ndarray, shape (n, readings)
        Reading errors, degC.
    day, interval : float
        Grading time and the days since the last one; the readings are spread evenly over them.
    infection_fever, flagged : array_like of bool, shape (n,)
    fever : float
        degC, from which a temperature is a fever.
    """
    count = scatter.shape[1]
    times = day - interval * np.arange(count, dtype=np.float64) / count
    own = temperature[:, None] + scatter + c.circadian_amplitude * np.cos(2 * np.pi * (times - c.circadian_peak))
    block = np.asarray(infection_fever, dtype=bool)
    highest = np.minimum(own.max(axis=1) + np.where(block, c.infection_fever, 0.0), c.temperature_highest)
    other = block & np.asarray(flagged, dtype=bool) & (own.max(axis=1) < fever) & (highest >= fever)
    return {"temperature": highest, "fever_other_cause": other.astype(float)}


def circulatory_support(c: BedsideConstants, deficit: Floats) -> dict[str, Floats]:
    """Fluids and vasopressors for a deficit of systolic pressure (mmHg below the threshold; none where <= 0).

    Norepinephrine is written as the dose of a 70-kg adult at every weight, because the high-dose limit of the
    grading scales (20 ug/min) is an adult's.
    """
    boluses = np.where(deficit > c.deficit_one_bolus, c.several_boluses, np.where(deficit > 0, 1.0, 0.0))
    return {
        "fluid_boluses": boluses,
        "norepinephrine": c.norepinephrine_slope * np.maximum(deficit - c.deficit_boluses, 0.0),
        "other_vasopressors": np.where(deficit > c.deficit_second_pressor, 1.0, 0.0),
        "vasopressin": np.zeros_like(boluses),
    }


def oxygen_support(c: BedsideConstants, deficit: Floats, weight: Floats) -> dict[str, Floats]:
    """Inspired oxygen, device and flow for a deficit of saturation (% below the target; none where <= 0)."""
    lacking = np.maximum(deficit, 0.0)
    need = np.minimum(c.fio2_air + c.fio2_slope * lacking, 1.0)
    steps = [lacking == 0, need <= c.fio2_cannula, need <= c.fio2_high_flow, need <= c.fio2_positive_pressure]
    device = np.select(steps, [NO_DEVICE, CANNULA, HIGH_FLOW_CANNULA, POSITIVE_PRESSURE], VENTILATOR)
    flow = np.select(
        [device == NO_DEVICE, device == CANNULA, device == HIGH_FLOW_CANNULA],
        [np.zeros_like(need), c.cannula_flow * lacking, np.minimum(c.high_flow * need, c.high_flow_weight * weight)],
        np.nan,
    )
    return {"fio2": need, "oxygen_device": device, "oxygen_flow": flow}


def neurologic_scores(c: BedsideConstants, dysfunction: ArrayLike, age: ArrayLike) -> dict[str, Floats]:
    """ICE (12 years and older) or CAPD (younger) and arousal from the CNS index (0 to 1).

    The cuts are common to both scales, so that a child and an adult with one index get one grade. CAPD of a patient
    who cannot be aroused is not possible: NaN.
    """
    cn, age = np.broadcast_arrays(np.asarray(dysfunction, dtype=float), np.asarray(age, dtype=float))
    cuts = (c.cn_grade_1, c.cn_grade_2, c.cn_grade_3)
    arousal = np.select([cn > c.cn_grade_4, cn >= cuts[2], cn >= cuts[1], cn >= cuts[0]],
                        [UNAROUSABLE, TO_TOUCH, TO_VOICE, SPONTANEOUS], AWAKE)  # fmt: skip
    first = c.ice_best + (c.ice_grade_2 - c.ice_best) * (cn - cuts[0]) / (cuts[1] - cuts[0])
    second = c.ice_grade_2 + (c.ice_grade_3 - c.ice_grade_2) * (cn - cuts[1]) / (cuts[2] - cuts[1])
    third = c.ice_grade_3 * (c.cn_grade_4 - cn) / (c.cn_grade_4 - cuts[2])
    ice = np.clip(np.ceil(np.select([cn >= cuts[2], cn >= cuts[1]], [third, second], first)), 1.0, c.ice_best - 1)
    ice = np.where(arousal == AWAKE, c.ice_best, np.where(arousal == UNAROUSABLE, 0.0, ice))
    mild = 1 + np.floor(c.capd_low_span * (cn - cuts[0]) / (cuts[2] - cuts[0]))
    severe = c.capd_severe + np.floor(c.capd_high_span * (cn - cuts[2]) / (1 - cuts[2]))
    capd = np.select([arousal == AWAKE, arousal == UNAROUSABLE, cn >= cuts[2]], [0.0, np.nan, severe], mild)
    child = age < c.capd_age
    return {"ice": np.where(child, np.nan, ice), "capd": np.where(child, capd, np.nan), "arousal": arousal}


def seizures(
    c: BedsideConstants, dysfunction: ArrayLike, numbers: ArrayLike, day: float, seed: int, interval: float
) -> Floats:
    """Seizures in the interval before this grading time: 0 none, 1 resolves rapidly, 2 prolonged; shape (n,)."""
    cn = np.asarray(dysfunction, dtype=float)
    hazard = np.where(cn < c.seizure_floor, 0.0, c.seizure_hazard * (cn / c.seizure_reference) ** c.seizure_power)
    draw = uniforms(seed, f"bedside seizure:{day:.2f}", numbers, 2)
    kind = np.where(draw[:, 1] < c.seizure_prolonged, 2.0, 1.0)
    return np.where(draw[:, 0] < -np.expm1(-hazard * interval), kind, 0.0)


def infection_risk(
    c: BedsideConstants,
    neutrophils: ArrayLike,
    steroid: ArrayLike,
    b_cell_aplasia: ArrayLike,
    igg: ArrayLike,
    cd4: ArrayLike,
) -> Floats:
    """Infection hazard per day: highest with few neutrophils and steroids, for months with few CD4 cells and IgG.

    Parameters
    ----------
    c : BedsideConstants
    neutrophils : array_like, shape (n,)
        1e9/L.
    steroid : array_like, shape (n,)
        Corticosteroid in effect, mg of dexamethasone (state DEX).
    b_cell_aplasia : array_like of bool, shape (n,)
    igg : array_like, shape (n,)
        mg/dL.
    cd4 : array_like, shape (n,)
        T helper cells, cells/uL.
    """
    return (
        c.infection_background
        + c.infection_neutropenia * _few(neutrophils, c.neutropenia_limit, c.risk_power)
        + c.infection_steroid * (1 - _few(steroid, c.steroid_limit, c.risk_power))
        + c.infection_antibody * np.asarray(b_cell_aplasia, dtype=bool) * _few(igg, c.igg_limit, c.risk_power)
        + c.infection_cd4 * _few(cd4, c.cd4_limit, c.risk_power)
    )


def _few(level: ArrayLike, limit: float, steepness: float) -> Floats:
    """1 far below a limit, 0 far above it, one half at it: no step, so that a rounding decides nothing."""
    return np.asarray(1 / (1 + (np.maximum(np.asarray(level, dtype=float), 0.0) / limit) ** steepness))


def blood_drawn(c: BedsideConstants, weight: ArrayLike, *, day: float, interval: float) -> Floats:
    """Blood (mL) drawn for tests in the interval (days) that ends at ``day``: daily until the ward lets go, (n,)."""
    drawing = min(interval, max(c.blood_drawn_days - (day - interval), 0.0))
    return c.blood_drawn * np.asarray(weight, dtype=float) * drawing


def infections(
    c: BedsideConstants,
    hazard: ArrayLike,
    *,
    numbers: ArrayLike,
    day: float,
    seed: int,
    interval: float,
    until: ArrayLike = -np.inf,
    flagged: ArrayLike = False,
    neutrophils: ArrayLike = np.inf,
) -> tuple[Floats, Flags, Floats]:
    """Draw the infections of the interval that ends at ``day``.

    Parameters
    ----------
    c : BedsideConstants
    hazard : array_like, shape (n,)
        Per day, from ``infection_risk``.
    numbers, day, seed, interval
        Patient numbers, grading time, seed, days since the last grading time.
    until : array_like, shape (n,)
        Day on which the last fever block of each patient ends (-inf: none so far).
    flagged : array_like of bool, shape (n,)
        Whether the ward put that block down to infection.
    neutrophils : array_like, shape (n,)
        1e9/L: with few of them an infection is more often severe.

    Returns
    -------
    until : ndarray, shape (n,)
        A fever block is on while ``day < until``.
    flagged : ndarray of bool, shape (n,)
    started : ndarray, shape (n,)
        The analyte ``infection``: 0 none began, 1 one did, 2 a severe one (grade 3 or more).
    """
    draw = uniforms(seed, f"bedside infection:{day:.2f}", numbers, 3)
    until = np.broadcast_to(np.asarray(until, dtype=float), draw[:, 0].shape)
    started = (draw[:, 0] < -np.expm1(-np.asarray(hazard, dtype=float) * interval)) & (until <= day)
    named = np.where(started, draw[:, 1] < c.infection_flagged, np.asarray(flagged, dtype=bool))
    few = _few(neutrophils, c.neutropenia_limit, c.risk_power)
    severe = draw[:, 2] < c.infection_severe + (c.infection_severe_neutropenia - c.infection_severe) * few
    return np.where(started, day + c.infection_days, until), named, np.where(started, np.where(severe, 2.0, 1.0), 0.0)
