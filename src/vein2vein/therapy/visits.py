"""Visits: when a patient is seen, graded and measured after the infusion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from vein2vein.card_reading import read
from vein2vein.cards import Card, bundled_card
from vein2vein.declared import Noted, Record, Says, listed, number
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
    contact_every, follow_up : float
        Then a visit at this step up to the end.
    disease_visits, kinetics_samples : tuple of float
        Days on which response is assessed and CAR-T are counted; none where follow-up ends before the first.
    """

    watch_step: Annotated[float, _step("Step at which the ward grades")] = _usual("watch_step")
    watch_until: Annotated[float, _step("Day up to which the ward grades at that step")] = _usual("watch_until")
    contact_every: Annotated[float, _step("Step of the visits after that")] = _usual("contact_every")
    follow_up: Annotated[float, _step("Last day of follow-up")] = _usual("follow_up")
    disease_visits: Annotated[tuple[float, ...], _days("Days on which response is assessed")] = _usual_days(
        "disease_visits"
    )
    kinetics_samples: Annotated[tuple[float, ...], _days("Days on which CAR-T are counted")] = _usual_days(
        "kinetics_samples"
    )


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
        yield from super().faults()


def read_plan(card: Card | None = None, *path: str) -> Plan:
    """Read the plan of a trial card; what it leaves out comes from visits.toml."""
    return plan_of(read(card, Visits, *path) if card and card.get(*path) is not None else Visits())


def plan_of(given: Visits) -> Plan:
    """The plan of the visits of a trial card: those up to the end of follow-up."""
    end = given.follow_up
    seen = {
        name: tuple(day for day in days if day <= end)
        for name, days in (("disease_visits", given.disease_visits), ("kinetics_samples", given.kinetics_samples))
    }
    return Plan(
        watch_step=given.watch_step, watch_until=given.watch_until, contact_every=given.contact_every, follow_up=end,
        **seen,
    )  # fmt: skip


def monitoring_days(plan: Plan) -> Floats:
    """Every day on which something is graded or measured, ascending from 0."""
    watch = np.arange(0.0, min(plan.watch_until, plan.follow_up) + plan.watch_step / 2, plan.watch_step)
    contacts = np.arange(0.0, plan.follow_up + plan.contact_every, plan.contact_every)
    contacts = contacts[(contacts > plan.watch_until) & (contacts < plan.follow_up)]
    return np.unique(np.concatenate([watch, contacts, plan.disease_visits, plan.kinetics_samples, [plan.follow_up]]))
