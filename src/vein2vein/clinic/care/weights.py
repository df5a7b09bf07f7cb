"""The weight that doses follow: whether it fits the age, and whether the weights that were charted agree."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vein2vein.clinic.criteria import edition, rows_of
from vein2vein.therapy.course import Course

RULES = "weight_for_age"


@dataclass(frozen=True)
class WeightForAge:
    """A row of criteria/weight_for_age.toml: weights (kg) below this age that are taken as read."""

    age_below: float
    low: float
    high: float
    mark: str
    why: str = ""


class Weighed(NamedTuple):
    """A charted weight: kg, and its day since the infusion; NaN: told without a time."""

    kg: float
    day: float = math.nan

    def __str__(self) -> str:
        """The weight with its day."""
        return f"{self.kg:g} kg (day {self.day:.3g})" if math.isfinite(self.day) else f"{self.kg:g} kg (without a time)"


def no_dose(
    course: Course, weight: float, age: float, *, position: int = 0, day: float = math.inf, stated: bool = False,
    told_weights: Iterable[float] = (),
) -> str:  # fmt: skip
    """Why no dose may follow this weight, in one sentence; "" where it may.

    Parameters
    ----------
    course : Course
    weight, age : float
        kg, years; NaN unknown.
    position : int
        Place of the patient in the course.
    day : float
        Weights up to this day are compared.
    stated : bool
        Somebody states this weight now: what was charted holds no dose back.
    told_weights : iterable of float
        kg; weights told without a time, and those of which two stand at one time.
    """
    if (why := withheld(weight, age)) or stated:
        return why
    row = course.dense("weight")[position]
    there = np.flatnonzero(np.isfinite(row) & (course.days <= day))
    found = [*(Weighed(float(row[i]), float(course.days[i])) for i in there), *map(Weighed, told_weights)]
    return disagreement(found if any(one.kg == weight for one in found) else [*found, Weighed(weight)], age)


def withheld(weight: float, age: float) -> str:
    """Why no dose is named for a patient of this weight (kg) and age (years), in one sentence; "" where one is."""
    if math.isnan(weight):
        return "the dose needs the weight"
    for row in rows_of(RULES, WeightForAge):
        if age < row.age_below:
            if row.low <= weight <= row.high:
                return ""
            return (
                f"{weight:g} kg at {age:g} years is outside {row.low:g} to {row.high:g} kg: check both; no dose is told"
            )
    return ""


def disagreement(charted: Iterable[Weighed], age: float) -> str:
    """Why weights do not belong to one patient, in one sentence; "" where they may.

    Parameters
    ----------
    charted : iterable of Weighed
    age : float
        Years at the infusion; NaN unknown: growth as of an older child.

    Notes
    -----
    Two weights agree where the larger is at most ``apart`` above the smaller, besides what a patient of this age may
    grow in the days between them; a weight without a time is compared as if on the same day.
    """
    each = list(dict.fromkeys(one for one in charted if math.isfinite(one.kg) and one.kg > 0))
    if len(each) < 2:
        return ""
    v = edition(RULES).values
    grows = v["infant_grows"] if age < v["infant_below"] else v["grows"]
    kg, days = (np.array([getattr(one, field) for one in each]) for field in ("kg", "day"))
    between = np.nan_to_num(np.abs(days[:, None] - days[None, :]))
    beyond = kg[:, None] / kg[None, :] / ((1 + v["apart"]) * (1 + grows * between))
    high, low = np.unravel_index(int(beyond.argmax()), beyond.shape)
    if not beyond[high, low] > 1:
        return ""
    first, then = sorted((each[int(low)], each[int(high)]), key=lambda one: (not math.isnan(one.day), one.day))
    return (
        f"weights of {first} and {then} are charted and disagree by more than {100 * v['apart']:g} %: no dose is told "
        "until the wrong one is corrected or the weight is stated (--weight)"
    )
