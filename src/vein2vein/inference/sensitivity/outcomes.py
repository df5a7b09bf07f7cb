"""What a screening looks at: one figure of each parameter set, of the same patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vein2vein.cards import bundled_card
from vein2vein.clinic.words import complete_responses
from vein2vein.journey.journey import Journey
from vein2vein.statistics.survival import kaplan_meier, value_at
from vein2vein.trials.endpoints.measures import best_response, survival
from vein2vein.trials.endpoints.reading import PERCENT
from vein2vein.trials.endpoints.toxicity import crs
from vein2vein.virtual import assay

Floats = NDArray[np.float64]
Read = Callable[[Journey, int, "Outcome"], Floats]


@dataclass(frozen=True)
class Outcome:
    """One figure: its name, what it is, its unit, and the limits that define it."""

    name: str
    title: str
    unit: str
    limits: Mapping[str, object]

    def limit(self, name: str) -> float:
        """A limit that is a number."""
        return float(str(self.limits[name]))


@cache
def outcomes() -> Mapping[str, Outcome]:
    """Every outcome by name; data in sensitivity.toml."""
    table = bundled_card("inference/sensitivity/sensitivity.toml").table("outcomes")
    return {
        str(name): Outcome(str(name), str(row["title"]), str(row["unit"]), row)
        for name, row in table.items()
    }  # fmt: skip


def read(journey: Journey, patients: int, name: str) -> Floats:
    """An outcome of each set, shape (sets,): patients of a set stand together. NaN where nobody was infused.

    Parameters
    ----------
    journey : Journey
    patients : int
        Under each set.
    name : str
    """
    return READ[name](journey, patients, outcomes()[name])


def _mean(values: Floats, journey: Journey, patients: int) -> Floats:
    """Mean over the infused of each set."""
    given = np.asarray(journey.infused, bool).reshape(-1, patients)
    total = np.where(given, values.reshape(-1, patients), 0.0).sum(axis=1)
    return np.where(given.any(axis=1), total / np.maximum(given.sum(axis=1), 1), np.nan)


def _cmax(journey: Journey, patients: int, _: Outcome) -> Floats:
    """Mean log10 of the peak; one that was never quantified counts with the limit of quantification."""
    limit = assay.usual()[journey.kinetics.analyte].lloq
    peak = np.asarray(journey.kinetics.cmax, float)
    return _mean(np.log10(np.where(peak > 0, peak, limit or 1.0)), journey, patients)


def _crs(journey: Journey, patients: int, one: Outcome) -> Floats:
    found = crs(journey, scale=str(one.limits["scale"]), grade=int(one.limit("grade")), until=one.limit("until"))
    return PERCENT * _mean(found.astype(float), journey, patients)


def _complete(journey: Journey, patients: int, _: Outcome) -> Floats:
    return PERCENT * _mean(best_response(journey, responses=complete_responses()).astype(float), journey, patients)


def _event_free(journey: Journey, patients: int, one: Outcome) -> Floats:
    time, event, counted = (
        part.reshape(-1, patients)
        for part in survival(journey, event="EFS", clock="infusion", censor_transplant=False)
    )  # fmt: skip
    found, some = np.full(len(time), np.nan), counted.any(axis=1)
    if some.any():
        found[some] = PERCENT * value_at(kaplan_meier(time[some], event[some], counted[some]), one.limit("until"))
    return found


READ: Mapping[str, Read] = {"cmax": _cmax, "crs": _crs, "cr": _complete, "efs": _event_free}
