"""Survival curves with bands, numbers at risk and published landmarks, for the infused and the enrolled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vein2vein.report import facts
from vein2vein.report.figures import Floats, Picture, color, look, months, render, text_width
from vein2vein.report.figures_kinetics import draw_landmarks
from vein2vein.report.page import number

SETS = {"infusion": "Infused set", "enrolment": "Enrolled set (intention to treat)"}
ENDPOINTS = {"EFS": "Event-free survival", "OS": "Overall survival"}


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


def survival(journey: Any, endpoint: str, clock: str) -> Survival | None:
    """Estimate survival of a journey; None where nobody is in the set."""
    from vein2vein.clinic.response.outcome import time_to_event

    return estimate(*time_to_event(journey.outcome, endpoint, clock=clock), endpoint, clock)


def estimate(time: Floats, event: Any, in_set: Any, endpoint: str, clock: str) -> Survival | None:
    """Kaplan-Meier estimate with its 95 % interval, drawn at the event times (at most a few hundred)."""
    from vein2vein.statistics.survival import interval_at, kaplan_meier, median_time, value_at

    inside = np.asarray(in_set, dtype=bool) & np.isfinite(time)
    if not inside.any():
        return None
    time, event = np.asarray(time, dtype=float)[inside], np.asarray(event, dtype=bool)[inside]
    curve = kaplan_meier(time, event)
    steps = np.unique(time[event])
    steps = np.unique(
        np.concatenate(
            [
                [0.0],
                steps[np.unique(np.linspace(0, steps.size - 1, 300).astype(int))] if steps.size else [],
                [time.max()],
            ]
        )
    )
    value = np.array([float(value_at(curve, s)) for s in steps])
    bounds = np.array([[float(x) for x in interval_at(curve, s, look("bands", "confidence"))] for s in steps])
    bounds = np.where(np.isfinite(bounds), bounds, value[:, None])
    ticks = np.arange(0, float(months(time.max())) + 1 / 2, _step(float(months(time.max())))) * look("windows", "month")
    at_risk = np.array([(time >= np.floor(t)).sum() for t in ticks], dtype=float)
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
    """Survival on a day with its 95 % interval; NaN after the last observation."""
    if day > curve.days[-1]:
        return float("nan"), float("nan"), float("nan")
    at = int(np.searchsorted(curve.days, day, side="right")) - 1
    return float(curve.value[at]), float(curve.low[at]), float(curve.high[at])


def _step(last: float) -> float:
    return next((s for s in look("figure", "month_steps") if last / s <= look("figure", "most_month_ticks")), last)


def survival_figure(
    journey: Any, rows: list[facts.Compared], endpoint: str, get: Callable[[Any, str, str], Survival | None] = survival
) -> Picture | None:
    """Kaplan-Meier curves of one endpoint, infused and enrolled side by side, with published landmarks."""
    curves = [c for c in (get(journey, endpoint, clock) for clock in SETS) if c is not None]
    if not curves:
        return None
    marks = [r for r in facts.published(rows, f"{endpoint}_rate") if np.isfinite(facts.landmark_days(r))]

    def draw(figure: Any) -> None:
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
            draw_landmarks(axes, [r for r in marks if ("enrol" in r.definition) == (curve.clock == "enrolment")])
            axes.set_title(SETS[curve.clock])
            axes.set_ylim(0, 103)
            axes.set_ylabel(f"{ENDPOINTS.get(endpoint, endpoint)} (%)")
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
            axes.set_xlabel(f"Months after {'infusion' if curve.clock == 'infusion' else 'enrollment'}")
            axes.set_xlim(0, months(curve.days[-1]) * 1.02)

    year = look("windows", "year")
    words = "; ".join(
        f"{SETS[c.clock].lower()}: {number(100 * on_day(c, year)[0], 2)} % at 12 months, median "
        + (f"{number(float(months(c.median)))} months" if np.isfinite(c.median) else "not reached")
        for c in curves
    )
    title = ENDPOINTS.get(endpoint, endpoint)
    return render(
        f"survival-{endpoint.lower()}",
        f"{title} at 12 months: {number(100 * on_day(curves[0], year)[0], 2)} %, {SETS[curves[0].clock].lower()}",
        f"Kaplan-Meier curves of {title.lower()} with 95 percent bands and numbers at risk. {words}.",
        draw,
        height=4.4,
        caption=f"Kaplan-Meier estimate, {words}. Ticks: censored patients. Points: published landmarks with "
        "their 95 % intervals.",
    )


def comparison_figure(rows: list[facts.Compared]) -> Picture | None:
    """Simulated beside published percentages, each with its interval; read rows only."""
    shown = [r for r in rows if r.unit == "%" and r.kind == "outcome" and r.confidence == "read"]
    shown = [r for r in shown if np.isfinite(r.simulated) and np.isfinite(r.published)]
    if not shown:
        return None

    names = [f"{r.title}{_short(r.definition)}" for r in shown]

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        place = np.arange(len(shown))
        simulated = [(r.simulated, r.low, r.high) for r in shown]
        published = [(r.published, r.published_low, r.published_high) for r in shown]
        keys = [
            _intervals(axes, place - 1 / 6, simulated, color("infused"), "simulated, 90 % interval"),
            _intervals(axes, place + 1 / 6, published, color("published"), "published, 95 % interval"),
        ]
        figure.legend(handles=keys, loc="outside lower right", ncols=len(keys))
        axes.set_yticks(place, names)
        axes.set_ylim(len(shown) - 1 / 2, -1 / 2)
        axes.set_xlim(-1, 101)
        axes.set_xlabel("Share of patients (%)")
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)

    inside = sum(r.low <= r.published <= r.high for r in shown)
    return render(
        "comparison",
        f"Simulated and published shares: {inside} of {len(shown)} published values lie in the simulated interval",
        f"Dot plot of {len(shown)} simulated percentages with 90 percent intervals beside the "
        "published ones; the table below holds the values.",
        draw,
        height=1.2 + 0.3 * len(shown),
        labels=text_width(names, "small_size"),
        caption="Shares read in their source; all rows, with other units and with those from memory, are in "
        "the tables below.",
    )


def _intervals(axes: Any, at: Any, values: list[tuple[float, float, float]], hue: str, label: str) -> Any:
    """Draw values with their intervals (value, low, high), one below the other, and return the key of the legend."""
    from matplotlib.lines import Line2D

    value, low, high = np.array(values, dtype=float).T
    known = np.isfinite(low) & np.isfinite(high)
    axes.hlines(at[known], low[known], high[known], color=hue, linewidth=1.4)
    axes.plot(value, at, marker="o", color=hue, markersize=5, linestyle="")
    return Line2D([], [], color=hue, marker="o", label=label)


def _short(definition: str) -> str:
    first = definition.split(";")[0].strip()
    longest = int(look("figure", "longest_label"))
    return "" if not first else f", {first if len(first) <= longest else first[: longest - 1] + '…'}"
