"""One dose for one patient: by weight, never above a cap of the dose or the day, and why it may not be given now.

Caps (``dose_caps``), weights (``weights``) and equivalents (criteria/guidance.toml) are data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.care.dose_caps import INF, cap_of
from vein2vein.clinic.care.management import immunoglobulin_dose, tocilizumab_dose
from vein2vein.clinic.criteria import edition, reference
from vein2vein.errors import InputError
from vein2vein.therapy import vocabulary
from vein2vein.therapy.course import Course

HOURS, MINUTES = 24, 60  # of a day, of an hour
NAN = math.nan
Floats = NDArray[np.float64]
LEVELS = ("gcsf",)  # charted as running or not: no amount can be added up
STEROIDS = ("dexamethasone", "methylprednisolone", "prednisone", "hydrocortisone")
"""Steroids whose doses are told as each other; the first is the measure."""


@dataclass(frozen=True, kw_only=True)
class DoseRule:
    """How a dose follows from the weight.

    Attributes
    ----------
    treatment : str
        What is given; "" nothing.
    rule : str
        ``tocilizumab`` or ``immunoglobulin``: a dose rule of its own; "" the fields below.
    mg, mg_per_kg, ug_per_kg : float
        The smaller of the first two holds; inf or NaN: not so.
    every_hours : float
        NaN: once.
    dose_mark : str
        Mark of the dose per kg.
    """

    treatment: str = ""
    rule: str = ""
    mg: float = INF
    mg_per_kg: float = INF
    ug_per_kg: float = NAN
    every_hours: float = NAN
    dose_mark: str = ""


def check_patient(weight: float, age: float) -> None:
    """Refuse a weight or an age that nobody has.

    Raises
    ------
    InputError
        One sentence: what was found and what was expected.
    """
    if not math.isnan(weight) and not 0 < weight <= vocabulary.WEIGHT:
        raise InputError(f"found a weight of {weight:g} kg; expected more than 0 and at most {vocabulary.WEIGHT:g} kg.")
    oldest = edition("indications").values["oldest"]
    if not math.isnan(age) and not 0 <= age <= oldest:
        raise InputError(f"found an age of {age:g} years; expected 0 to {oldest:g}: no scale covers it, no advice.")


def is_child(age: float) -> bool:
    """Whether advice for children holds: below the age of an adult, and where the age is unknown."""
    return not age >= edition("guidance").values["adult"]


def one_dose(asked: DoseRule, weight: float, *, child: bool = False) -> tuple[float, tuple[str, ...]]:
    """One dose for this weight (NaN: none), never above the caps of the drug, and what to know about it.

    Parameters
    ----------
    asked : DoseRule
    weight : float
        kg.
    child : bool
        The rule by weight is told even where the fixed dose is the smaller one.
    """
    if not asked.treatment or not math.isfinite(weight):
        return NAN, ()
    cap = cap_of(asked.treatment)
    dose, notes = _by_rule(asked, weight) if asked.rule else _by_weight(asked, weight, child)
    if not math.isfinite(dose):
        return NAN, notes
    most = cap.of_dose(weight)
    if not math.isnan(asked.every_hours):
        most = min(most, cap.of_day(weight) * asked.every_hours / HOURS)
    if dose > most:
        notes = (*notes, f"held to the cap of {most:.4g} {cap.unit} ({reference(cap.mark)})")
    return min(dose, most), notes


def _by_rule(asked: DoseRule, weight: float) -> tuple[float, tuple[str, ...]]:
    if asked.rule == "immunoglobulin":
        return float(immunoglobulin_dose(weight)), ()
    d, dose = edition("dosing").values, float(tocilizumab_dose(weight))
    notes = [f"{dose / weight:.3g} mg/kg"]
    if dose >= d["tocilizumab_most_mg"]:
        notes = [f"capped at {d['tocilizumab_most_mg']:g} mg"]
    light = d["tocilizumab_light_below"]
    if abs(weight - light) <= 1:
        notes.append(f"the dose per kg steps down at {light:g} kg: check the weight")
    return dose, tuple(notes)


def _by_weight(asked: DoseRule, weight: float, child: bool) -> tuple[float, tuple[str, ...]]:
    if not math.isnan(asked.ug_per_kg):
        return asked.ug_per_kg * weight, ()
    per_kg = asked.mg_per_kg * weight
    dose = min(asked.mg, per_kg)
    by_weight = (child or per_kg < asked.mg) and max(asked.mg, per_kg) < INF
    why = f"{asked.mg_per_kg:g} mg/kg, up to {asked.mg:g} mg [{reference(asked.dose_mark)}]"
    return dose, (why,) if by_weight else ()


def equivalents(drug: str, dose: float) -> str:
    """A dose of a steroid as the others (mg), in words; "" for another drug or no dose."""
    if drug not in STEROIDS or not math.isfinite(dose):
        return ""
    told = dose / _per_dexamethasone(drug)
    others = [f"{name} {_amount(told * _per_dexamethasone(name))} mg" for name in STEROIDS if name != drug]
    mark = edition("guidance").thresholds[f"{STEROIDS[1]}_per_dexamethasone"].mark
    return f"equals {', '.join(others)} [{reference(mark)}]"


def _amount(mg: float) -> str:
    """Milligrams as one reads them: three digits, and no powers of ten."""
    return f"{float(f'{mg:.3g}'):g}"


def _per_dexamethasone(drug: str) -> float:
    return 1.0 if drug == STEROIDS[0] else edition("guidance").values[f"{drug}_per_dexamethasone"]


def ago(days: float) -> str:
    """How long ago something was, in hours, or in minutes where it is less than one."""
    minutes = round(days * HOURS * MINUTES)
    if minutes < 1:
        return "given just now"
    if minutes < MINUTES:
        return f"{minutes} minute{'s'[: minutes != 1]} ago"
    return f"{days * HOURS:.1f} hours ago"


def _given(course: Course, drug: str, position: int, day: float) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Days and amounts of what was given of a drug up to a day, and which amounts are known and no lower bounds."""
    if drug not in course and drug not in course.above:  # nothing of it is charted, or nothing can be
        return np.empty(0), np.empty(0), np.empty(0, dtype=bool)
    there = course.positive(drug)[position] & (course.days <= day)
    amounts, above = course.dense(drug)[position][there], course.marked(course.above, drug)[position][there]
    return course.days[there], np.nan_to_num(amounts), (amounts > 0) & ~above


def _not_understood(course: Course, drug: str, position: int, day: float, span: float) -> tuple[str, ...]:
    """That a row of a drug within its interval was not understood: it may have been a dose; () where none is."""
    unread = course.marked(course.unread, drug)[position] & (course.days <= day) & (course.days > day - span)
    if not unread.any():
        return ()
    when = ago(day - float(course.days[unread][-1]))
    return (f"a row of {drug} was not understood ({when}): whether a dose was given is not known; settle it first",)


def tocilizumab_blocks(course: Course, position: int, day: float) -> tuple[str, ...]:
    """Why one more dose of tocilizumab may not be given now; () where it may."""
    d = edition("dosing").values
    given, _, _ = _given(course, "tocilizumab", position, day)
    told = [*_not_understood(course, "tocilizumab", position, day, 1.0)]
    if len(given) >= d["tocilizumab_most"]:
        told.append(f"{len(given)} doses were given; at most {d['tocilizumab_most']:g} in all")
    recent = int((given > day - 1).sum())
    if recent >= d["tocilizumab_most_in_24h"]:
        told.append(f"{recent} doses in 24 hours; at most {d['tocilizumab_most_in_24h']:g}")
    if len(given) and day - given[-1] < d["tocilizumab_interval"] - d["tolerance"]:
        least = f"at least {HOURS * d['tocilizumab_interval']:.0f} hours"
        told.append(f"the last dose was {ago(day - float(given[-1]))}; {least}")
    return tuple(told)


def blocks(asked: DoseRule, dose: float, weight: float, course: Course, position: int, day: float) -> tuple[str, ...]:
    """Why this dose may not be given now; () where it may."""
    drug = asked.treatment
    if not drug:
        return ()
    if drug == "tocilizumab":
        return tocilizumab_blocks(course, position, day)
    d, cap = edition("dosing").values, cap_of(drug)
    given, amounts, known = _given(course, drug, position, day)
    told = [*_not_understood(course, drug, position, day, 1.0)]
    if not len(given):
        return tuple(told)
    if len(given) >= cap.doses:
        told.append(f"{len(given)} dose{'s'[: len(given) != 1]} given; at most {cap.doses:g} in all")
    interval = d["immunoglobulin_interval"] if asked.rule == "immunoglobulin" else asked.every_hours / HOURS
    if day - given[-1] < interval - d["tolerance"]:
        span = f"{interval:g} days" if interval > 1 else f"{interval * HOURS:g} hours"
        told.append(f"the last dose was {ago(day - float(given[-1]))}; every {span}")
    recent = given > day - 1
    if drug in LEVELS or not math.isfinite(dose) or not recent.any():
        return tuple(told)
    total, most = float(amounts[recent].sum()), cap.of_day(weight)
    least = "at least " * (not known[recent].all())
    if total + dose > most * (1 + d["tolerance"]):
        told.append(f"{least}{total:.4g} {cap.unit} in 24 hours; with this dose more than {most:.4g} {cap.unit} a day")
    elif least and math.isfinite(most):
        when = ago(day - float(given[recent & ~known][-1]))
        told.append(
            f"{drug} was given in an amount that is not known ({when}): whether this dose passes {most:.4g} {cap.unit} "
            "a day cannot be told; settle it first"
        )
    return tuple(told)


def other_steroids(drug: str, course: Course, position: int, day: float) -> tuple[str, ...]:
    """What to know where another steroid was given within 24 hours."""
    if drug not in STEROIDS:
        return ()
    told: list[str] = []
    for name in STEROIDS:
        if name == drug:
            continue
        told += _not_understood(course, name, position, day, 1.0)
        given, amounts, known = _given(course, name, position, day)
        recent = given > day - 1
        total = float(amounts[recent].sum())
        if not known[recent].all():
            told.append(f"{name} was given in 24 hours in an amount that is not known: instead of it, not with it")
        elif total > 0:
            same = total / _per_dexamethasone(name) * _per_dexamethasone(drug)
            told.append(
                f"{name} {total:.4g} mg in 24 hours equals {drug} {_amount(same)} mg: instead of it, not with it"
            )
    return tuple(told)
