"""Caps of drugs that advice and policies never pass (criteria/dosing.toml). A drug without a cap has no dose here."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vein2vein.clinic.criteria import rows_of
from vein2vein.errors import InputError

INF = math.inf


@dataclass(frozen=True)
class DoseCap:
    """A row of criteria/dosing.toml: the most of a drug that advice may name.

    Attributes
    ----------
    drug, unit : str
    most, most_per_kg : float
        One dose: in the unit, and per kg of body weight; the smaller holds.
    most_day, most_day_per_kg : float
        All doses of 24 hours.
    doses : float
        Doses in all.
    mark, why : str
    """

    drug: str
    unit: str
    mark: str
    most: float = INF
    most_per_kg: float = INF
    most_day: float = INF
    most_day_per_kg: float = INF
    doses: float = INF
    why: str = ""

    def of_dose(self, weight: float) -> float:
        """The most of one dose for this weight (kg)."""
        return min(self.most, self.most_per_kg * weight)

    def of_day(self, weight: float) -> float:
        """The most of 24 hours for this weight (kg)."""
        return min(self.most_day, self.most_day_per_kg * weight)


def all_caps() -> dict[str, DoseCap]:
    """Every cap by its drug."""
    return {row.drug: row for row in rows_of("dosing", DoseCap)}


def cap_of(drug: str) -> DoseCap:
    """The cap of a drug.

    Raises
    ------
    InputError
        There is none: no dose may be named.
    """
    if drug not in all_caps():
        raise InputError(f"no cap is known for '{drug}': no dose of it is named; add one to the dose rules.")
    return all_caps()[drug]
