"""Survival curves with bands, numbers at risk and published landmarks, for the infused and the enrolled."""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vein2vein.clinic.response.outcome import time_to_event
from vein2vein.clinic.words import endpoint_titles
from vein2vein.journey.journey import Journey, given_standard_care
from vein2vein.report import facts
from vein2vein.report.facts import Mask
from vein2vein.report.figures import Floats, Picture, month_step, months, render
from vein2vein.report.figures_kinetics import draw_landmarks
from vein2vein.report.look import color, look, looks
from vein2vein.report.text import number
from vein2vein.statistics.intervals import limits
from vein2vein.statistics.survival import kaplan_meier, median_time
from vein2vein.trials.endpoints.control import with_standard_care
from vein2vein.trials.endpoints.outcomes import efs_second_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SETS = {"infusion": "Infused set", "enrolment": "Enrolled set (intention to treat)"}
EFS, SECOND_LINE = "EFS", ("efs_second_line", "efs_second_line_between_arms")
CLOCKS = {"infusion": "infusion", "enrolment": "enrollment"}


@dataclass(frozen=True)
class Survival:
    """One Kaplan-Meier curve on a grid of days.

    Attributes
    ----------
    endpoint, clock : str
    days, value, low, high : ndarray, shape (k,)
        Survival and its 95 % interval, as fractions.
    ticks, at_risk : ndarray, shape (m,)
        Numbers at risk at some days.
    censored : ndarray
        Days of censoring.
    median : float
        Days; infinite where not reached.
    n : int
    """

    endpoint: str
    clock: str
    days: Floats
    value: Floats
    low: Floats
    high: Floats
    ticks: Floats
    at_risk: Floats
    censored: Floats
    median: float
    n: int


def survival(journey: Journey, endpoint: str, clock: str, second_line: bool = False) -> Survival | None:
    """Estimate survival of a journey, EFS as trials of ``second_line`` lymphoma define it; None where nobody is in."""
    if second_line and endpoint == EFS:
        return estimate(*efs_second_line(journey, clock=clock), endpoint, clock)
    found = with_standard_care(journey, endpoint, time_to_event(journey.outcome, endpoint, clock=clock))
    return estimate(*found, endpoint, clock)


def estimate(time: Floats, event: Mask, in_set: Mask, endpoint: str, clock: str) -> Survival | None:
    """Kaplan-Meier estimate with its 95 % interval, drawn at the event times (at most a few hundred)."""
    inside = in_set & np.isfinite(time)
    if not inside.any():
        return None
    time, event = time[inside], event[inside]
    curve = kaplan_meier(time, event)
    every = np.unique(time[event])
    some = np.unique(np.linspace(0, every.size - 1, int(look("figure", "most_steps"))).astype(int))
    steps = np.unique(np.concatenate([[0.0], every[some] if every.size else every, [time.max()]]))
    place = np.searchsorted(curve.times, steps, side="right") - 1  # of all steps at once, as value_at finds one
    value, variance = (
        np.where(place < 0, first, held[np.maximum(place, 0)])
        for first, held in ((curve.start, curve.value), (0.0, curve.variance))
    )
    bounds = np.stack(limits(value, np.sqrt(variance), look("bands", "confidence")), axis=1)
    bounds = np.where(np.isfinite(bounds), bounds, value[:, None])
    last = time.max() / look("windows", "month")
    ticks = np.arange(0, last + 1 / 2, month_step(last)) * look("windows", "month")
    at_risk = np.array([(time >= np.floor(t)).sum() for t in ticks], dtype=np.float64)
    return Survival(
        endpoint,
        clock,
        steps,
        value,
        bounds[:, 0],
        bounds[:, 1],
        ticks,
        at_risk,
        time[~event],
        float(median_time(curve)),
        time.size,
    )


def on_day(curve: Survival, day: float) -> tuple[float, float, float]:
    """Survival on a day with its 95 % interval; NaN later than a day after the last observation."""
    if day > curve.days[-1] + look("windows", "reached"):
        return float("nan"), float("nan"), float("nan")
    at = int(np.searchsorted(curve.days, day, side="right")) - 1
    return float(curve.value[at]), float(curve.low[at]), float(curve.high[at])


@dataclass(frozen=True)
class Landmark:
    """Survival at the landmark by which it is told: when, in words and days; the share and its 95 % interval."""

    when: str
    day: float
    value: float
    low: float
    high: float

    @property
    def percent(self) -> str:
        """The share in percent."""
        return f"{number(100 * self.value, 2)} %"


def landmark(curve: Survival) -> Landmark:
    """Twelve months, or the longest of the shorter landmarks that follow-up reached, or its last day."""
    month, last = look("windows", "month"), float(curve.days[-1])
    for months_after in looks("windows", "landmarks"):
        day = months_after * month
        if day <= last + look("windows", "reached"):
            return Landmark(f"{months_after:g} month{'s' if months_after > 1 else ''}", day, *on_day(curve, day))
    return Landmark(f"day {number(last)}", last, *on_day(curve, last))


def median_words(curve: Survival) -> str:
    """The median survival in words."""
    if not np.isfinite(curve.median):
        return "not reached"
    if curve.median < 1:
        return "within the first day"  # a failure without response counts from the infusion
    return f"{number(curve.median / look('windows', 'month'))} months"


def _clock(row: facts.Compared) -> str:
    """From when a published share is counted: as its row says, or its definition."""
    said = "enrolment" if "enrol" in row.definition else "infusion"
    return str(row.told.arguments.get("clock", said))


def survival_figure(journey: Journey, rows: list[facts.Compared], endpoint: str, key: str = "") -> Picture | None:
    """Kaplan-Meier curves of one endpoint, infused and enrolled side by side, with published landmarks."""
    clocks = [clock for clock in SETS if clock == "enrolment" or not given_standard_care(journey).all()]
    second_line = any(row.told.endpoint in SECOND_LINE for row in rows)
    curves = [c for c in (survival(journey, endpoint, clock, second_line) for clock in clocks) if c is not None]
    if not curves:
        return None
    marks = [r for r in facts.published(rows, f"{endpoint}_rate") if np.isfinite(r.day)]
    title = endpoint_titles()[endpoint]

    def draw(figure: Figure) -> None:
        grid = figure.subplots(2, len(curves), height_ratios=(6, 1), sharex="col", squeeze=False)
        for curve, axes, below in zip(curves, grid[0], grid[1]):
            hue = color("infused" if curve.clock == "infusion" else "enrolled")
            at = months(curve.days)
            axes.fill_between(
                at,
                100 * curve.low,
                100 * curve.high,
                step="post",
                color=hue,
                alpha=look("figure", "band_alpha"),
                linewidth=0,
                label="95 % interval",
            )
            axes.step(at, 100 * curve.value, where="post", color=hue, label=f"simulated (n = {curve.n})")
            if curve.censored.size <= look("figure", "most_rows_with_marks"):
                level = curve.value[np.searchsorted(curve.days, curve.censored, side="right") - 1]
                axes.plot(months(curve.censored), 100 * level, linestyle="", marker="|", color=hue, markersize=6)
            draw_landmarks(axes, [r for r in marks if _clock(r) == curve.clock])
            axes.set_title(SETS[curve.clock])
            axes.set_ylim(0, 103)
            axes.set_ylabel(f"{title} (%)")
            axes.legend(loc="lower left" if curve.value[-1] > 1 / 2 else "upper right")
            below.set_ylim(0, 1)
            below.axis("off")
            for tick, count in zip(months(curve.ticks), curve.at_risk):
                below.text(
                    tick,
                    0.35,
                    f"{count:.0f}",
                    ha="center",
                    va="center",
                    fontsize=look("figure", "small_size"),
                    color=hue,
                )
            below.text(
                0,
                0.95,
                "Number at risk",
                transform=below.transAxes,
                ha="left",
                va="top",
                fontsize=look("figure", "small_size"),
                color=color("soft"),
            )
            axes.set_xticks(months(curve.ticks))
            axes.tick_params(labelbottom=True)
            axes.set_xlabel(f"Months after {CLOCKS[curve.clock]}")
            axes.set_xlim(0, months(curve.days[-1]) * 1.02)

    at = [landmark(c) for c in curves]
    words = "; ".join(
        f"{SETS[c.clock].lower()}: {one.percent} at {one.when}, median {median_words(c)}" for c, one in zip(curves, at)
    )
    return render(
        f"survival-{endpoint.lower()}{key}",
        f"{title} at {at[0].when}: {at[0].percent}, {SETS[curves[0].clock].lower()}",
        f"Kaplan-Meier curves of {title.lower()} with 95 percent bands and numbers at risk. {words}.",
        draw,
        height=4.4,
        caption=f"Kaplan-Meier estimate, {words}. Ticks: censored patients. Points: published landmarks with "
        "their 95 % intervals.",
        layout=f"survival-{endpoint.lower()}",
    )
