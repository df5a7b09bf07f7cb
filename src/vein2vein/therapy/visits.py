"""Visits: when a patient is seen, graded and measured after the infusion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from vein2vein.card_reading import read
from vein2vein.cards import Card, bundled_card
from vein2vein.declared import Noted, Record, Says, listed, number
from vein2vein.randomness import uniforms
from vein2vein.records import described
from vein2vein.therapy import vocabulary as words

Floats = NDArray[np.float64]


def _usual(name: str) -> float:
    return float(bundled_card("therapy/visits.toml").number("plan", name))


def _usual_days(name: str) -> tuple[float, ...]:
    return tuple(float(day) for day in bundled_card("therapy/visits.toml").get("plan", name))


def _step(meaning: str) -> Says:
    return number(meaning, "day", words.SHORTEST, words.LONGEST)


def _days(meaning: str, *, filled: bool = False) -> Says:
    return listed(meaning, "days such as [28, 90, 180]", unit="day", low=0, ascending=True, filled=filled)


@described
@dataclass(frozen=True, kw_only=True)
class Plan(Record):
    """When the patient is seen. Days after the infusion.

    Attributes
    ----------
    watch_step, watch_until : float
        The ward grades at this step up to this day.
    contact_first, contact_growth, contact_every, follow_up : float
        Then a contact after so many days, ever more rarely (the share of the time since the infusion that lies between
        two), at this step at the most, up to the end.
    disease_visits, kinetics_samples : tuple of float
        Days on which response is assessed and CAR-T are counted; none where follow-up ends before the first.
    visit_windows : tuple of float
        Days by which each disease visit may be early or late: one for each, or one for all, 0 where it is exact;
        empty: see ``windows``.
    """

    watch_step: Annotated[float, _step("Step at which the ward grades")] = _usual("watch_step")
    watch_until: Annotated[float, _step("Day up to which the ward grades at that step")] = _usual("watch_until")
    contact_first: Annotated[float, _step("Step of the contacts after that, at first")] = _usual("contact_first")
    contact_growth: Annotated[float, number("Step of the contacts as a share of the day", "1", 0, 1)] = _usual(
        "contact_growth"
    )
    contact_every: Annotated[float, _step("Longest step of the contacts")] = _usual("contact_every")
    follow_up: Annotated[float, _step("Last day of follow-up")] = _usual("follow_up")
    disease_visits: Annotated[tuple[float, ...], _days("Days on which response is assessed")] = _usual_days(
        "disease_visits"
    )
    kinetics_samples: Annotated[tuple[float, ...], _days("Days on which CAR-T are counted")] = _usual_days(
        "kinetics_samples"
    )
    visit_windows: Annotated[
        tuple[float, ...],
        listed(
            "Days by which each disease visit may be early or late; one for all, or none for the usual windows",
            "days such as [4, 7, 14], or [0] for exact days", unit="day", low=0,
        ),
    ] = ()  # fmt: skip

    def faults(self) -> Iterator[tuple[str, str]]:
        """Windows that are not one for each visit, or that run into each other."""
        given, days = self.visit_windows, self.disease_visits
        if len(given) not in (0, 1, len(days)):
            yield "visit_windows", f"found {len(given)} windows, expected 1 or {len(days)}, one for each disease visit."
        elif given:
            wide = np.broadcast_to(np.asarray(given), len(days))
            for place, gap in enumerate(np.diff(days, prepend=0.0)):
                before = wide[place - 1] if place else 0.0
                if wide[place] and before + wide[place] >= gap:
                    said = f"found {wide[place]:g} days around day {days[place]:g}, which reaches the visit before it; "
                    yield "visit_windows", said + "expected windows that lie apart."
                    return
        yield from super().faults()


@dataclass(frozen=True, kw_only=True)
class Visits(Noted, Plan):
    """The visits of a trial card: a plan, and where it comes from."""

    disease_visits: Annotated[tuple[float, ...], _days("Days on which response is assessed", filled=True)] = (
        _usual_days("disease_visits")
    )
    kinetics_samples: Annotated[tuple[float, ...], _days("Days on which CAR-T are counted", filled=True)] = _usual_days(
        "kinetics_samples"
    )

    def faults(self) -> Iterator[tuple[str, str]]:
        """A step longer than its span; a provenance that is not whole."""
        if self.watch_step > self.watch_until:
            said = f"found {self.watch_step:g}, expected at most watch_until, {self.watch_until:g} days."
            yield "watch_step", said
        yield from Plan.faults(self)
        yield from Noted.faults(self)


def read_plan(card: Card | None = None, *path: str) -> Plan:
    """Read the plan of a trial card; what it leaves out comes from visits.toml."""
    return plan_of(read(card, Visits, *path) if card and card.get(*path) is not None else Visits())


def plan_of(given: Visits) -> Plan:
    """The plan of the visits of a trial card: those up to the end of follow-up."""
    return up_to_end(Plan(**{one.name: getattr(given, one.name) for one in fields(Plan)}))


def up_to_end(plan: Plan) -> Plan:
    """A plan without the visits and samples after the end of follow-up."""
    seen = {
        name: tuple(day for day in getattr(plan, name) if day <= plan.follow_up)
        for name in ("disease_visits", "kinetics_samples")
    }
    wide = plan.visit_windows
    if all(len(days) == len(getattr(plan, name)) for name, days in seen.items()):
        return plan
    return replace(plan, visit_windows=wide if len(wide) == 1 else wide[: len(seen["disease_visits"])], **seen)


def monitoring_days(plan: Plan) -> Floats:
    """Every day on which something is graded or measured, ascending from 0."""
    watch = np.arange(0.0, min(plan.watch_until, plan.follow_up) + plan.watch_step / 2, plan.watch_step)
    contacts = [plan.watch_until]
    while contacts[-1] < plan.follow_up:
        step = min(max(plan.contact_first, plan.contact_growth * contacts[-1]), plan.contact_every)
        contacts.append(contacts[-1] + (round(step) if step > 1 else step))
    return np.unique(
        np.concatenate([watch, contacts[1:-1], plan.disease_visits, plan.kinetics_samples, [plan.follow_up]])
    )


def windows(plan: Plan) -> Floats:
    """Days by which each disease visit may be early or late, shape (visits,).

    Where the plan gives none: a share of the day, at most so many days, and never so wide that visits come near each
    other (visits.toml).
    """
    days = np.asarray(plan.disease_visits)
    if plan.visit_windows:
        return np.broadcast_to(np.asarray(plan.visit_windows), days.shape)
    gaps = np.diff(days, prepend=0.0)
    near = np.minimum(gaps, np.append(gaps[1:], np.inf)) * _usual("window_of_gap")
    return np.floor(np.minimum(np.minimum(_usual("window_share") * days, near), _usual("window_most")))


def visit_days(plan: Plan, numbers: NDArray[np.int64], seed: int) -> Floats:
    """Day of each disease visit of each patient, shape (n, visits): the monitoring day next to one drawn in its window.

    Parameters
    ----------
    plan : Plan
    numbers : ndarray of int, shape (n,)
        Patient numbers.
    seed : int
    """
    days, wide = np.asarray(plan.disease_visits), windows(plan)
    if not days.size:
        return np.empty((len(numbers), 0))
    drawn = np.round(days + wide * (2 * uniforms(seed, "visit windows", numbers, days.size) - 1))
    drawn = np.where(wide > 0, drawn, days)
    grid = monitoring_days(plan)
    after = np.clip(np.searchsorted(grid, drawn), 1, len(grid) - 1)
    return np.where(drawn - grid[after - 1] <= grid[after] - drawn, grid[after - 1], grid[after])
