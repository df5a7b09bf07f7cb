"""Visits: when a patient is seen, graded and measured after the infusion."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from vein2vein.cards import Card, parse_card
from vein2vein.records import described

Floats = NDArray[np.float64]


@described
@dataclass(frozen=True)
class Plan:
    """When the patient is seen. Days after the infusion.

    Attributes
    ----------
    watch_step, watch_until : float
        The ward grades at this step up to this day.
    contact_every, follow_up : float
        Then a visit at this step up to the end.
    disease_visits, kinetics_samples : tuple of float
        Days on which response is assessed and CAR-T are counted.
    """

    watch_step: float
    watch_until: float
    contact_every: float
    follow_up: float
    disease_visits: tuple[float, ...]
    kinetics_samples: tuple[float, ...]


def read_plan(card: Card | None = None, *path: str) -> Plan:
    """Read the plan of a trial card; what it leaves out comes from visits.toml."""
    usual = _defaults()
    days = {}
    for name in ("disease_visits", "kinetics_samples"):
        listed = card.get(*path, name) if card else None
        listed = usual.get("plan", name) if listed is None else listed
        where = (*path, name)
        if not isinstance(listed, list) or any(isinstance(d, bool) or not isinstance(d, int | float) for d in listed):
            raise (card or usual).error(where, f"found {listed!r}, expected a list of days such as [28, 90, 180].")
        if not listed or sorted(set(listed)) != listed or not 0 <= listed[0] <= listed[-1] < float("inf"):
            raise (card or usual).error(where, f"found {listed}, expected days from 0 upwards in ascending order.")
        days[name] = tuple(float(d) for d in listed)
    steps: dict[str, float] = {}
    for name in ("watch_step", "watch_until", "contact_every", "follow_up"):
        default = usual.number("plan", name)
        steps[name] = card.number(*path, name, low=0.25, high=7300, default=default) if card else default
    end = steps["follow_up"]
    seen = {name: tuple(d for d in listed if d <= end) for name, listed in days.items()}
    return Plan(
        steps["watch_step"], steps["watch_until"], steps["contact_every"], steps["follow_up"],
        seen["disease_visits"], seen["kinetics_samples"],
    )  # fmt: skip


@cache
def _defaults() -> Card:
    text = resources.files("vein2vein").joinpath("therapy", "visits.toml").read_text(encoding="utf-8")
    return parse_card(text, "visits.toml")


def monitoring_days(plan: Plan) -> Floats:
    """Every day on which something is graded or measured, ascending from 0."""
    watch = np.arange(0.0, min(plan.watch_until, plan.follow_up) + plan.watch_step / 2, plan.watch_step)
    contacts = np.arange(0.0, plan.follow_up + plan.contact_every, plan.contact_every)
    contacts = contacts[(contacts > plan.watch_until) & (contacts < plan.follow_up)]
    return np.unique(np.concatenate([watch, contacts, plan.disease_visits, plan.kinetics_samples, [plan.follow_up]]))
