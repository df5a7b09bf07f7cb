"""Comparators: what standard care gave in published patients, as survival curves, response rates and crossover.

A control patient draws one uniform number, and every event of the patient lies at that share of the published curves:
whoever does better than most does so for every event. So each curve is met exactly, and nobody dies before an event
that comes first. Where a source gives the hazard ratio of large tumors, the number is shifted by the patient's own
burden, and the curve of all together stays the published one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein import units
from vein2vein.card_reading import read
from vein2vein.cards import Card, bundled_cards, find_card
from vein2vein.clinic.words import responses
from vein2vein.declared import Noted, Sourced, listed, number, part, text
from vein2vein.errors import InputError
from vein2vein.randomness import uniforms
from vein2vein.records import described

Floats = NDArray[np.float64]
EVENTS = ("EFS", "PFS", "OS")  # in the order in which they come: none of a curve lies above the next
SAME_HAZARD, NO_MORE = "same hazard", "no more events"
PERCENT = 100.0  # unit factor
WORDS = tuple(responses())
CONFIDENCE = ("read", "memory")
ROWS = "rows of [month, percent without the event] such as [[0, 100], [2.0, 50], [24, 16]]"
Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Curve(Sourced):
    """A published survival curve; between two points the hazard is constant."""

    points: Annotated[tuple[Point, ...], listed("Month, and percent without the event by then", ROWS, filled=True)]
    after: Annotated[str, text("What follows the last point", (SAME_HAZARD, NO_MORE))] = SAME_HAZARD
    confidence: Annotated[str, text("Read in the source, or recalled", CONFIDENCE)]

    def faults(self) -> Iterator[tuple[str, str]]:
        """A curve that does not start at 100 % on day 0, rises, reaches 0, or goes back in time."""
        rows = np.asarray(self.points, dtype=float)
        if rows.ndim != len(("row", "column")) or len(rows) < len(("start", "end")):
            yield "points", f"found {len(self.points)} point, expected two or more {ROWS}."
        elif tuple(rows[0]) != (0.0, PERCENT):
            yield "points", f"found {list(self.points[0])} first, expected [0, 100]: all are without the event."
        elif not (np.isfinite(rows).all() and (np.diff(rows[:, 0]) > 0).all() and (np.diff(rows[:, 1]) < 0).all()):
            yield "points", f"found {[list(row) for row in self.points]}, expected later months with lower percentages."
        elif rows[-1, 1] <= 0:
            yield "points", f"found {rows[-1, 1]:g} % last, expected above 0 %; leave the last point out."
        yield from super().faults()

    def cumulated(self) -> tuple[Floats, Floats]:
        """Days and cumulated hazard at the points."""
        rows = np.asarray(self.points, dtype=float)
        return rows[:, 0] * units.convert(1.0, "month", "day"), -np.log(rows[:, 1] / PERCENT)

    def day_at(self, share: ArrayLike) -> Floats:
        """Day by which no more than a share is without the event; inf: never."""
        days, hazard = self.cumulated()
        wanted = -np.log(np.asarray(share, dtype=float))
        slope = (hazard[-1] - hazard[-2]) / (days[-1] - days[-2])
        beyond = days[-1] + (wanted - hazard[-1]) / slope if self.after == SAME_HAZARD else np.inf
        return np.where(wanted <= hazard[-1], np.interp(wanted, hazard, days), beyond)

    def share_at(self, day: ArrayLike) -> Floats:
        """Share without the event by a day."""
        days, hazard = self.cumulated()
        when = np.asarray(day, dtype=float)
        slope = (hazard[-1] - hazard[-2]) / (days[-1] - days[-2]) if self.after == SAME_HAZARD else 0.0
        return np.exp(-np.interp(when, days, hazard) - slope * np.maximum(when - days[-1], 0.0))


@dataclass(frozen=True, kw_only=True)
class Responses(Sourced):
    """Best responses in percent of all patients of the arm, best first."""

    rates: Annotated[Mapping[str, float], part("Percent with each best response", names=WORDS)]
    confidence: Annotated[str, text("Read in the source, or recalled", CONFIDENCE)]

    def faults(self) -> Iterator[tuple[str, str]]:
        """Shares that are none, or more than all."""
        odd = [name for name, rate in self.rates.items() if not 0 <= rate <= PERCENT]
        if odd or not self.rates:
            found = f"{self.rates[odd[0]]:g} % for {odd[0]}" if odd else "no response"
            yield "rates", f"found {found}, expected percentages from 0 to 100 such as {{ CR = 32, PR = 18 }}."
        elif sum(self.rates.values()) > PERCENT:
            yield "rates", f"found {sum(self.rates.values()):g} % together, expected at most 100 %."
        yield from super().faults()


@dataclass(frozen=True, kw_only=True)
class Share(Sourced):
    """A share of the arm."""

    share: Annotated[float, number("Share of the patients", low=0, high=1)]
    confidence: Annotated[str, text("Read in the source, or recalled", CONFIDENCE)]


@dataclass(frozen=True, kw_only=True)
class BurdenEffect(Sourced):
    """What a large tumor does in this arm."""

    hazard_ratio: Annotated[float, number("Hazard with a burden above the median to that below", above=0)]
    confidence: Annotated[str, text("Read in the source, or recalled", CONFIDENCE)]


@described
@dataclass(frozen=True, kw_only=True)
class Comparator(Noted):
    """Standard care as it was published."""

    name: Annotated[str, text("Name by which it is asked for")]
    title: Annotated[str, text("What was given to whom")]
    diseases: Annotated[tuple[str, ...], listed("Disease cards that it belongs to", '["lbcl"]', filled=True)]
    patients: Annotated[int, number("Patients of the publication", low=1)]
    survival: Annotated[Mapping[str, Curve], part("Published curves", names=EVENTS)]
    best: Annotated[Responses, part("Best responses")] | None = None
    crossover: Annotated[Share, part("Share given CAR-T cells later")] | None = None
    burden: Annotated[BurdenEffect, part("Effect of burden")] | None = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """No curve, or curves that cross: more alive without an event than alive."""
        if not self.survival:
            yield "survival", f"missing; give a curve of at least one of {', '.join(EVENTS)}."
        given = [event for event in EVENTS if event in self.survival]
        knots = np.concatenate([self.survival[event].cumulated()[0] for event in given] or [np.zeros(1)])
        knots = np.append(np.unique(knots), [2 * float(knots.max()) + 1])  # and what follows the last point
        for before, then in pairwise(given):
            first, second = (self.survival[event].share_at(knots) for event in (before, then))
            if (first > second + np.finfo(float).eps).any():
                at = knots[int(np.argmax(first - second))] / units.convert(1.0, "month", "day")
                said = f"found more without a {then} event than without a {before} event from the other side"
                yield (
                    f"survival.{then}.points",
                    f"{said} at {at:.3g} months, expected {before} never above {then}; correct one of the curves.",
                )
        yield from super().faults()


@dataclass(frozen=True)
class Drawn:
    """What became of control patients, shape (n,): days from randomization by event (inf: none).

    Attributes
    ----------
    days : mapping of event to ndarray
    best : ndarray of str
    crossed : ndarray of bool
        Given CAR-T cells later: counted, its effect is part of the published curves.
    """

    days: Mapping[str, Floats]
    best: NDArray[np.str_]
    crossed: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))


def folder() -> Path:
    """Where the bundled comparators lie."""
    return Path(str(resources.files("vein2vein").joinpath("trials", "comparators")))


def read_comparator(card: Card) -> Comparator:
    """Read and check a comparator card; a complaint names file, line and field."""
    return read(card, Comparator)


@cache
def _bundled(name: str) -> Comparator:
    return read_comparator(find_card(name, folder(), "comparator"))


def find_comparator(name: str | Path) -> Comparator:
    """Find a comparator by its name, or read a card of one's own by its path.

    Raises
    ------
    InputError
        Unknown name, with the nearest ones.
    """
    spelled = str(name).lower().replace("-", "_").replace(" ", "_")
    if spelled in bundled_cards(folder()):
        return _bundled(spelled)
    return read_comparator(find_card(name, folder(), "comparator"))


def list_comparators() -> dict[str, str]:
    """Comparators that come with vein2vein: name -> title."""
    return {name: find_comparator(name).title for name in bundled_cards(folder())}


def draw_controls(
    comparator: Comparator, numbers: ArrayLike, seed: int, *, burden: ArrayLike, median_burden: float, failed: str
) -> Drawn:
    """Draw what becomes of control patients.

    Parameters
    ----------
    comparator : Comparator
    numbers : array_like of int, shape (n,)
        Patient numbers: a patient depends on the seed and this number, and on the burden where that counts.
    seed : int
    burden : array_like, shape (n,)
        Tumor cells of the whole body, e6/kg.
    median_burden : float
        Its median in the population, e6/kg.
    failed : str
        Word of response for those without one.
    """
    ids = np.atleast_1d(np.asarray(numbers, dtype=np.int64))
    luck = uniforms(seed, "standard care", ids)[:, 0]
    if comparator.burden is not None:
        ratio = comparator.burden.hazard_ratio
        hazard = np.where(np.asarray(burden, dtype=float) > median_burden, math.sqrt(ratio), 1 / math.sqrt(ratio))
        reached = -np.log(luck) / hazard
        luck = (np.exp(-reached * math.sqrt(ratio)) + np.exp(-reached / math.sqrt(ratio))) / 2
    days = {event: curve.day_at(luck) for event, curve in comparator.survival.items()}
    best = np.full(ids.shape, failed, dtype=object)
    top = 0.0
    for name, rate in comparator.best.rates.items() if comparator.best else ():
        best[(luck >= top) & (luck < top + rate / PERCENT)] = name
        top += rate / PERCENT
    crossed = uniforms(seed, "crossover", ids)[:, 0] < (comparator.crossover.share if comparator.crossover else 0.0)
    return Drawn(days, best.astype(str), crossed)


def refuse_disease(comparator: Comparator, disease: str) -> None:
    """Refuse a comparator of other patients."""
    if disease not in comparator.diseases:
        known = ", ".join(comparator.diseases)
        raise InputError(f"found '{comparator.name}', published in {known}, expected a comparator of {disease}.")
