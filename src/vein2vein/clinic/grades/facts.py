"""Facts that the levels of a CRS scale name: what holds by the signs, and where it cannot be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from vein2vein.clinic.grades.grades import Flags, Floats, any_of
from vein2vein.clinic.grades.signs import NEVER, Signs, read

NOTHING: Mapping[str, Flags] = {}


class Fact(NamedTuple):
    """Where something holds, and where it may: arrays (n, k), or (1, 1) where nothing of the kind is charted.

    Attributes
    ----------
    holds, doubt : ndarray of bool
    open : mapping of analyte to ndarray of bool
        Cells that a charting of this analyte would settle, beside those of ``Signs.running``.
    """

    holds: Flags
    doubt: Flags
    open: Mapping[str, Flags] = NOTHING


def lasts(signs: Signs, name: str, on: Flags, longest_pause: float = np.inf) -> Floats:
    """For how long something that holds has held at every charted cell without a break (days), shape (n, k).

    Chartings further apart than ``longest_pause`` days do not show what was between them: there it begins anew.
    """
    past = signs.past
    anew = None if np.isinf(longest_pause) else past.pause() > longest_pause + signs.limits["tolerance"]
    start = past.since(name, on, anew)
    return np.where(on, signs.course.days[None, :] - past.course.days[np.maximum(start, 0)], -np.inf)


def _long(signs: Signs, name: str, on: Flags, perhaps: Flags, needed: str, missing: str) -> Fact:
    """Whether something has lasted so long by the chart, and whether it may have."""
    v = signs.limits
    least = v[needed] - v["tolerance"]
    holds = lasts(signs, name, on, v["stays_on"]) >= least
    doubt = ~holds & perhaps & (lasts(signs, f"perhaps {name}", perhaps) >= least)
    return Fact(holds, doubt, {missing: doubt} if doubt.any() else NOTHING)


def _fever(signs: Signs) -> Fact:
    return Fact(signs.fever, signs.no_temperature)


def _hypotension(signs: Signs) -> Fact:
    c = signs.circulation
    return Fact(c.hypotension, (c.no_pressure | c.maybe_pressor | c.maybe_bolus) & ~c.hypotension)


def _unclear(signs: Signs) -> Flags:
    return signs.circulation.uncharted | signs.circulation.maybe_pressor


def _one_vasopressor(signs: Signs) -> Fact:
    return Fact(signs.circulation.pressor, _unclear(signs))


def _two_vasopressors(signs: Signs) -> Fact:
    """Vasopressin is not counted: ASTCT, "multiple vasopressors (excluding vasopressin)"."""
    return Fact(signs.circulation.catecholamines >= signs.limits["several_vasopressors"], _unclear(signs))


def _several_vasopressors(signs: Signs) -> Fact:
    c = signs.circulation
    return Fact(c.catecholamines + c.vasopressin >= signs.limits["several_vasopressors"], _unclear(signs))


def _several_boluses(signs: Signs) -> Fact:
    c = signs.circulation
    return Fact(c.boluses >= signs.limits["several_boluses"], c.uncharted | c.maybe_bolus)


def _high_dose_vasopressor(signs: Signs) -> Fact:
    """A high dose, unless the chart shows that it began less than 3 hours ago."""
    v, c, past = signs.limits, signs.circulation, signs.past
    amounts = {name: np.nan_to_num(values) for name, values in c.amounts.items()}
    high = NEVER
    for name, values in amounts.items():
        high = high | (values >= v[f"high_{name}"])
    equivalent = np.zeros((1, 1))
    for name, values in amounts.items():
        equivalent = equivalent + values / v.get(f"{name}_per_norepinephrine", 1.0)
    high = high | (c.vasopressin & (equivalent >= v["high_with_vasopressin"])) | (equivalent >= v["high_equivalent"])
    lower = past.before("low dose", ~c.uncharted & ~high)
    if high.any():
        days = past.course.days
        since = signs.course.days[None, :] - np.where(lower >= 0, days[np.maximum(lower, 0)], -np.inf)
        high = high & (since >= v["high_dose_lasts"] - v["tolerance"])
    unsure = any_of(signs.worse[name] for name in amounts if name in signs.worse)
    return Fact(high, (_unclear(signs) | unsure) & ~high)


def _long_vasopressor(signs: Signs) -> Fact:
    """Vasopressors at every charting for so long; an open end before the first charting is not counted."""
    c = signs.circulation
    on = np.broadcast_to(c.pressor, signs.shape)
    found = _long(signs, "pressor", on, on | c.maybe_pressor, "long_vasopressor", "norepinephrine")
    return Fact(found.holds, found.doubt | c.uncharted, found.open)


def _refractory(signs: Signs) -> Fact:
    return Fact((read(signs.course, "pressor_refractory") >= 1) & ~signs.circulation.set_aside, NEVER)


def _life_threatening(signs: Signs) -> Fact:
    return Fact(read(signs.course, "life_threatening") >= 1, NEVER)


def _prolonged(signs: Signs) -> Fact:
    on = signs.circulation.hypotension | signs.breathing.oxygen
    return _long(signs, "hypotension or oxygen", on, on, "prolonged", "systolic_bp")


def _recurrent(signs: Signs) -> Fact:
    perhaps = {name: cells & ~signs.recurrent for name, cells in signs.perhaps_recurrent.items()}
    return Fact(signs.recurrent, any_of(perhaps.values()), perhaps)


def _oxygen(signs: Signs) -> Fact:
    b = signs.breathing
    return Fact(b.oxygen, (b.uncharted | b.maybe_oxygen | b.maybe_assisted) & ~b.oxygen)


def _high_flow_oxygen(signs: Signs) -> Fact:
    v, b = signs.limits, signs.breathing
    cannula, high_flow = b.device == v["cannula"], b.device == v["high_flow"]
    fast = ~(b.device >= v["positive_pressure"]) & (b.flow > v["low_flow"])
    no_flow = np.isnan(b.flow)
    rich = np.isnan(b.fio2) | (b.fio2 > v["room_air"] + v["fio2_per_liter"] * v["low_flow"])
    unsure = _worse(signs)  # a device of which only the class is certain at least
    holds = (b.device == v["mask"]) | fast | (high_flow & no_flow & ~unsure)
    no_flow_known = no_flow & cannula & rich
    return Fact(holds, b.uncharted | b.maybe_oxygen | b.no_device | no_flow_known | unsure)


def _unsure_of_pressure(signs: Signs) -> Flags:
    b = signs.breathing
    return b.uncharted | b.maybe_oxygen | b.no_device | b.maybe_assisted | signs.worse.get("oxygen_device", NEVER)


def _worse(signs: Signs) -> Flags:
    """Cells where the device or its flow is a bound."""
    return signs.worse.get("oxygen_device", NEVER) | signs.worse.get("oxygen_flow", NEVER)


def _positive_pressure(signs: Signs) -> Fact:
    return Fact(signs.breathing.assisted, _unsure_of_pressure(signs))


def _ventilator(signs: Signs) -> Fact:
    b = signs.breathing
    return Fact(b.assisted & (b.device == signs.limits["ventilator"]), _unsure_of_pressure(signs))


def _high_fio2(signs: Signs) -> Fact:
    v, b = signs.limits, signs.breathing
    uncharted = np.isnan(b.fio2)
    by_cannula = ~(b.device >= v["mask"]) & (b.flow > 0)
    estimated = v["room_air"] + v["fio2_per_liter"] * b.flow >= v["fio2_limit"]
    blind = uncharted & ((b.device >= 1) & ~by_cannula | by_cannula & estimated)
    unsure = _worse(signs) | signs.worse.get("fio2", NEVER)
    return Fact(b.fio2 >= v["fio2_limit"], b.uncharted | blind | b.maybe_oxygen | unsure)


# By the name in ``when``: the fact, and the analyte that is missing where it cannot be told ("": the fact names it).
FACTS: dict[str, tuple[Callable[[Signs], Fact], str]] = {
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
    "recurrent": (_recurrent, ""),
    "oxygen": (_oxygen, "oxygen_device"),
    "high_flow_oxygen": (_high_flow_oxygen, "oxygen_flow"),
    "positive_pressure": (_positive_pressure, "oxygen_device"),
    "ventilator": (_ventilator, "oxygen_device"),
    "high_fio2": (_high_fio2, "fio2"),
}
