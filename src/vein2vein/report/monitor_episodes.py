"""Episodes of a patient as people read them: when each began, its peak, its end, and when it was treated."""

from __future__ import annotations

import math

from vein2vein.ward.episodes import GOES_ON, NOT_CHARTED, RESOLVED, Episode, Given
from vein2vein.ward.monitor import WardRound
from vein2vein.ward.states import dated

HEADS = ("episode", "began", "peak", "ended", "length", "tocilizumab", "steroid")


def episode_lines(watch: WardRound) -> list[tuple[str, ...]]:
    """A row of ``HEADS`` for each episode, by onset."""
    return [_line(watch, one) for one in watch.episodes]


def _line(watch: WardRound, one: Episode) -> tuple[str, ...]:
    began = f"{dated(one.onset, watch.infused)}{', or earlier' if one.onset_at_latest else ''}"
    grade = f"at least grade {one.peak}" if one.peak_at_least else f"grade {one.peak}"
    return (
        f"{one.title}{f', episode {one.number}' if one.number > 1 else ''}",
        began,
        f"{grade}, {dated(one.peak_day, watch.infused)}",
        _ended(watch, one),
        f"{one.days} {'date' if one.days == 1 else 'dates'}, {one.hours:.0f} h from first to last sign",
        given_words(one.tocilizumab),
        given_words(one.steroid),
    )


def _ended(watch: WardRound, one: Episode) -> str:
    last = f"last sign {dated(one.last_sign, watch.infused)}"
    if one.outcome == GOES_ON:
        return f"goes on; {last}"
    if one.outcome == NOT_CHARTED:
        return f"not charted; {last}"
    if one.outcome == RESOLVED:
        return f"{last}; without signs {dated(one.resolved, watch.infused)}"
    return f"died of it; {last}"


def given_words(given: Given) -> str:
    """How long after onset a drug was given first, and how often; never silent about what was not understood."""
    told: list[str] = []
    if math.isfinite(given.hours):
        told.append(f"after {given.hours:.1f} h ({given.doses} {'dose' if given.doses == 1 else 'doses'})")
    else:
        told.append("none since onset" if given.before else "none charted")
    if given.before:
        told.append("given before it")
    if given.unread:
        told.append("a row was not understood")
    return ", ".join(told)
