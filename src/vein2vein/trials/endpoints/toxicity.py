"""Endpoints of toxicity: cytokine release and its treatment, nervous system, blood, infection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.criteria import edition
from vein2vein.clinic.words import crs_scales
from vein2vein.journey.journey import Journey
from vein2vein.trials.endpoints.reading import (
    Flags,
    Floats,
    columns,
    doses_given,
    duration,
    endpoint,
    ever,
    first_day,
    first_episode,
    grades,
    readings,
)

VENTILATOR = "ventilator"
# the codes of oxygen_device, from 0
DEVICES = ("none", "nasal cannula", "mask", "high-flow cannula", "positive pressure", VENTILATOR)


def _crs(journey: Journey, scale: str, until: float) -> NDArray[np.int64]:
    return grades(journey, f"crs_{scale}", until)


# Cytokine release and its treatment


def highest_crs(journey: Journey, scale: str, until: float) -> NDArray[np.int64]:
    """Highest grade of cytokine release syndrome to a day, shape (n,)."""
    return _crs(journey, scale, until).max(axis=1)


@endpoint("share")
def crs(journey: Journey, *, scale: str, grade: int, until: float) -> Flags:
    """Cytokine release syndrome of a grade or higher on a scale."""
    return ever(_crs(journey, scale, until) >= grade)


@endpoint("share")
def crs_highest(journey: Journey, *, scale: str, grade: int, until: float) -> Flags:
    """Highest grade of cytokine release syndrome is exactly this."""
    return highest_crs(journey, scale, until) == grade


@endpoint("share")
def crs_organ_support(journey: Journey, *, scale: str, vasopressor_days: float, device: str, until: float) -> Flags:
    """Cytokine release syndrome with a vasopressor for some days, or oxygen by this device or one that gives more."""
    at = columns(journey, until)
    days = np.asarray(journey.course.days)[at]
    pressed = doses_given(journey, "norepinephrine", until) | doses_given(journey, "other_vasopressors", until)
    long = (pressed * np.diff(days, append=days[-1])).sum(axis=1) >= vasopressor_days
    ill = ever(_crs(journey, scale, until) >= 1)
    return ill & (long | oxygen(journey, device=device, until=until))


@endpoint("share")
def crs_resolved(journey: Journey, *, scale: str, until: float) -> Flags:
    """Cytokine release syndrome gone at the last grading of a living patient in the window."""
    return _resolved(_crs(journey, scale, until))


@endpoint("number", "day")
def crs_onset(journey: Journey, *, scale: str, grade: int, until: float) -> Floats:
    """Day of the first cytokine release syndrome of a grade or higher."""
    return first_day(journey, _crs(journey, scale, until) >= grade, until)


@endpoint("number", "day")
def crs_duration(journey: Journey, *, scale: str, grade: int, until: float) -> Floats:
    """Days of the first episode, any grade to resolution, in patients whose highest grade is this or higher."""
    found, gap = _crs(journey, scale, until), edition(crs_scales()[scale].edition).values["episode_gap"]
    return np.where((found >= grade).any(axis=1), first_episode(journey, found >= 1, until, gap), np.nan)


@endpoint("number", "day")
def crs_to_grade(journey: Journey, *, scale: str, grade: int, until: float) -> Floats:
    """Days from the onset of cytokine release syndrome to the first day of a grade or higher."""
    found = _crs(journey, scale, until)
    return first_day(journey, found >= grade, until) - first_day(journey, found >= 1, until)


def _fever(journey: Journey, scale: str, temperature: float, until: float) -> Flags:
    with np.errstate(invalid="ignore"):
        return (readings(journey, "temperature", until) >= temperature) & (_crs(journey, scale, until) >= 1)


@endpoint("share")
def fever(journey: Journey, *, scale: str, temperature: float, until: float) -> Flags:
    """Temperature of this or more during cytokine release syndrome."""
    return ever(_fever(journey, scale, temperature, until))


@endpoint("number", "day")
def fever_onset(journey: Journey, *, scale: str, temperature: float, until: float) -> Floats:
    """First day of fever during cytokine release syndrome."""
    return first_day(journey, _fever(journey, scale, temperature, until), until)


@endpoint("number", "day")
def fever_duration(journey: Journey, *, scale: str, temperature: float, until: float) -> Floats:
    """Days from the first fever during cytokine release syndrome to its end."""
    return duration(journey, _fever(journey, scale, temperature, until), until)


def _dose_count(journey: Journey, treatments: Sequence[str], until: float) -> NDArray[np.int64]:
    return np.logical_or.reduce([doses_given(journey, t, until) for t in treatments]).sum(axis=1)


@endpoint("share")
def given(journey: Journey, *, treatments: Sequence[str], until: float) -> Flags:
    """At least one dose of any of these treatments."""
    return _dose_count(journey, treatments, until) > 0


@endpoint("share")
def given_doses(journey: Journey, *, treatments: Sequence[str], doses: float, until: float) -> Flags:
    """Exactly so many doses."""
    return _dose_count(journey, treatments, until) == doses


@endpoint("number", "day")
def first_dose_day(journey: Journey, *, treatments: Sequence[str], until: float) -> Floats:
    """Day of the first dose of any of these treatments."""
    return first_day(journey, np.logical_or.reduce([doses_given(journey, t, until) for t in treatments]), until)


@endpoint("share")
def hypotension(journey: Journey, *, until: float) -> Flags:
    """Hypotension that needed fluid boluses or a vasopressor."""
    signs = ("fluid_boluses", "norepinephrine", "other_vasopressors")
    return np.logical_or.reduce([doses_given(journey, sign, until).any(axis=1) for sign in signs])


@endpoint("share")
def high_dose_vasopressor(journey: Journey, *, norepinephrine: float, until: float) -> Flags:
    """Norepinephrine (adult equivalent, ug/min) at this rate or more, or a second vasopressor."""
    high = ever(readings(journey, "norepinephrine", until) >= norepinephrine)
    return high | ever(doses_given(journey, "other_vasopressors", until))


@endpoint("share")
def oxygen(journey: Journey, *, device: str, until: float) -> Flags:
    """Oxygen by this device or one that gives more."""
    return ever(readings(journey, "oxygen_device", until) >= DEVICES.index(device))


@endpoint("share")
def hypoxia(journey: Journey, *, saturation: float, until: float) -> Flags:
    """Oxygen saturation below a limit."""
    return ever(readings(journey, "spo2", until) < saturation)


@endpoint("number", "day")
def ventilation_duration(journey: Journey, *, until: float) -> Floats:
    """Days on the ventilator, first to last, in those who needed it."""
    return duration(journey, readings(journey, "oxygen_device", until) >= DEVICES.index(VENTILATOR), until)


# Nervous system, blood, infection


@endpoint("share")
def icans(journey: Journey, *, grade: int, until: float) -> Flags:
    """ICANS of a grade or higher (ASTCT)."""
    return ever(grades(journey, "icans", until) >= grade)


@endpoint("share")
def neurologic_event(journey: Journey, *, grade: int, until: float) -> Flags:
    """Neurologic event of a grade or higher as early trials counted it (wider than ICANS)."""
    return ever(grades(journey, "neurologic_event", until) >= grade)


@endpoint("number", "day")
def neurologic_onset(journey: Journey, *, grade: int, until: float) -> Floats:
    """Day of the first neurologic event of a grade or higher, as early trials counted it."""
    return first_day(journey, grades(journey, "neurologic_event", until) >= grade, until)


@endpoint("number", "day")
def neurologic_duration(journey: Journey, *, grade: int, until: float) -> Floats:
    """Days from the onset of the first neurologic event of a grade or higher to the end of the last."""
    return duration(journey, grades(journey, "neurologic_event", until) >= grade, until)


@endpoint("number", "day")
def icans_onset(journey: Journey, *, grade: int, until: float) -> Floats:
    """Day of the first ICANS of a grade or higher (ASTCT)."""
    return first_day(journey, grades(journey, "icans", until) >= grade, until)


@endpoint("number", "day")
def icans_duration(journey: Journey, *, grade: int, until: float) -> Floats:
    """Days from the onset of ICANS of any grade to its end, in patients whose highest grade is this or higher."""
    found = grades(journey, "icans", until)
    return np.where((found >= grade).any(axis=1), duration(journey, found >= 1, until), np.nan)


@endpoint("share")
def icans_resolved(journey: Journey, *, until: float) -> Flags:
    """ICANS gone at the last grading of a living patient in the window."""
    return _resolved(grades(journey, "icans", until))


@endpoint("share")
def neurologic_resolved(journey: Journey, *, until: float) -> Flags:
    """Neurologic event, as early trials counted it, gone at the last grading of a living patient in the window."""
    return _resolved(grades(journey, "neurologic_event", until))


def _resolved(found: NDArray[np.int64]) -> Flags:
    """Whether the last grade that could be given is 0, shape (n,)."""
    gradable = found >= 0
    last = found.shape[1] - 1 - gradable[:, ::-1].argmax(axis=1)
    return gradable.any(axis=1) & (np.take_along_axis(found, last[:, None], 1)[:, 0] == 0)


@endpoint("share")
def neurologic_event_ended(journey: Journey, *, grade: int, within: float, until: float) -> Flags:
    """Neurologic event of a grade or higher that fell below it within some days."""
    with np.errstate(invalid="ignore"):
        return duration(journey, grades(journey, "neurologic_event", until) >= grade, until) <= within


@endpoint("share")
def cytopenia(journey: Journey, *, lines: Sequence[str], grade: int, day: float) -> Flags:
    """Grade of any of these lines at the last grading up to a day is this or higher."""
    found = np.zeros(len(journey.infused), bool)
    for line in lines:
        seen = grades(journey, line, day)
        last = seen.shape[1] - 1 - (seen >= 0)[:, ::-1].argmax(axis=1)
        found |= np.take_along_axis(seen, last[:, None], 1)[:, 0] >= grade
    return found


@endpoint("share")
def cytopenia_any(journey: Journey, *, lines: Sequence[str], grade: int, until: float) -> Flags:
    """Grade of any of these lines is this or higher at any time from the infusion to a day."""
    return np.logical_or.reduce([ever(grades(journey, line, until) >= grade) for line in lines])


@endpoint("share")
def febrile_neutropenia(journey: Journey, *, temperature: float, neutrophils: float, until: float) -> Flags:
    """Temperature above one limit while neutrophils are below another (10^9/L)."""
    hot = readings(journey, "temperature", until) > temperature
    return ever(hot & (readings(journey, "neutrophils", until) < neutrophils))


@endpoint("share")
def infection(journey: Journey, *, severe: bool, until: float) -> Flags:
    """Infection, or severe infection only (code 2)."""
    return ever(readings(journey, "infection", until) >= (2 if severe else 1))


@endpoint("share")
def hypogammaglobulinemia(journey: Journey, *, igg: float, until: float) -> Flags:
    """IgG below a limit (mg/dL), or immunoglobulin given."""
    replaced = [doses_given(journey, name, until).any(axis=1) for name in ("ivig", "scig")]
    return ever(readings(journey, "igg", until) < igg) | np.logical_or.reduce(replaced)
