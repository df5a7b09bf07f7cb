"""Figures of a visual predictive check: percentiles over their bands, the share below the limit, who is still
followed."""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vein2vein.inference.diagnostics.vpc import Panel, Vpc
from vein2vein.report.figures import Picture, log_axis, render
from vein2vein.report.figures_fit import TIMES
from vein2vein.report.look import color, look, unit_name
from vein2vein.report.text import number

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PERCENTILES = (
    ("10th percentile", "sky", (0, (4, 2))),
    ("median", "blue", "-"),
    ("90th percentile", "sky", (0, (4, 2))),
)
BESIDE = " Left: the time in which half of the rows lie, and as much again; right: all of it."
BANDS = ("sky", "blue", "sky")


def vpc_figure(found: Vpc, panel: Panel, key: str = "vpc") -> Picture:
    """The check of one endpoint."""
    parts = 2 + panel.limited

    ends = _windows(panel)

    def draw(figure: Figure) -> None:
        ratios = [3.2, *([1.0] if panel.limited else []), 0.8]
        grid = figure.subplots(parts, len(ends), sharex="col", sharey="row", height_ratios=ratios, squeeze=False)
        unit = TIMES.get(panel.time_unit, panel.time_unit) or "unit not known"
        for k, end in enumerate(ends):
            _main(grid[0, k], panel, end)
            if panel.limited:
                _below(grid[1, k], panel)
            _followed(grid[-1, k], panel)
            first = float(min(panel.first.min(), 0.0))
            grid[-1, k].set_xlim(first - 0.02 * end, end + 0.02 * (end - first))
            grid[-1, k].set_xlabel(f"Time ({unit})")
            if k:
                for axes in grid[:, k]:
                    axes.set_ylabel("")
        figure.legend(*_keys(grid[0, 0]), loc="outside upper right", ncols=4)
        figure.align_ylabels()

    corrected = "Prediction-corrected visual" if panel.corrected else "Visual"
    share = (
        " Middle: share of rows below the limit, observed (points) in the 90 % interval of the drawn studies."
        if panel.limited
        else ""
    )
    return render(
        key,
        f"{corrected} predictive check of {panel.endpoint}",
        _words(found, panel),
        draw,
        height=5.2 + panel.limited * 1.3,
        caption="Top: 10th, 50th and 90th percentile of what was observed (lines) over the 90 % interval of each in "
        f"{found.count} "
        f"studies drawn from the fit (bands; {panel.outside} of {panel.compared} compared percentiles lie "
        "outside); dots: "
        "measured rows. Ticks above the axis: ends of the stretches of time. Percentiles among rows beyond a limit "
        "are not drawn."
        f"{share} Bottom: share of subjects with a row at that time or later; drawn studies have the same visits."
        f"{BESIDE if len(ends) > 1 else ''}",
    )


def _words(found: Vpc, panel: Panel) -> str:
    return (
        f"{panel.outside} of {panel.compared} observed percentiles lie outside of the 90 % interval over "
        f"{found.count} drawn studies, "
        f"in {len(panel.time)} stretches of time."
    )


def _windows(panel: Panel) -> list[float]:
    """Ends of the time axes: where the rows are dense, if they go on for long after it, and the whole."""
    last = float(panel.last.max())
    dense = 2 * float(np.median(np.repeat(panel.time, panel.rows)))
    return [dense, last] if last > 3 * dense > 0 else [last]


def _main(axes: Axes, panel: Panel, end: float) -> None:
    if panel.log:
        log_axis(axes)
    thin, alpha = look("figure", "thin"), look("figure", "inner_band_alpha")
    near = panel.point_time <= end
    axes.plot(
        panel.point_time[near],
        panel.point_value[near],
        "o",
        color=color("soft"),
        markersize=look("figure", "small_mark") - 1,
        markeredgewidth=0,
        alpha=look("figure", "thin_alpha"),
    )
    for i, ((label, _, style), hue) in enumerate(zip(PERCENTILES, BANDS)):
        low, middle, high = panel.drawn[i]
        drawn = np.isfinite(high)
        axes.fill_between(
            panel.time[drawn],
            np.where(np.isfinite(low[drawn]), low[drawn], _floor(panel)),
            high[drawn],
            color=color(hue),
            alpha=alpha,
            linewidth=0,
        )
        known = np.isfinite(panel.observed[i])
        axes.plot(
            panel.time[known],
            panel.observed[i][known],
            color=color("ink"),
            linestyle=style,
            marker="o",
            markersize=look("figure", "small_mark"),
            label=f"observed {label}",
        )
        there = np.isfinite(middle)
        axes.plot(panel.time[there], middle[there], color=color(hue), linewidth=2 * thin)
    for last in panel.last[:-1]:
        axes.axvline(last, ymax=0.02, color=color("soft"), linewidth=2 * thin)
    unit = unit_name(panel.unit) or "unit not known"
    axes.set_ylabel(f"{panel.endpoint}{', corrected' if panel.corrected else ''} ({unit})")


def _keys(axes: Axes) -> tuple[list[Artist], list[str]]:
    from matplotlib.patches import Patch

    drawn = dict(zip(*reversed(axes.get_legend_handles_labels())))
    alpha = look("figure", "inner_band_alpha")
    kept: dict[str, Artist] = {
        "observed median": drawn["observed median"],
        "observed 10th and 90th percentile": drawn["observed 10th percentile"],
        "drawn: 90 % interval of the median": Patch(color=color("blue"), alpha=alpha),
        "of the 10th and 90th percentile": Patch(color=color("sky"), alpha=alpha),
    }
    return list(kept.values()), list(kept)


def _floor(panel: Panel) -> float:
    """Where a band ends that reaches below the limit: the least value that is drawn."""
    numbers = np.concatenate([panel.point_value, panel.drawn[np.isfinite(panel.drawn)]])
    return float(numbers.min(initial=np.inf)) if panel.log else 0.0


def _below(axes: Axes, panel: Panel) -> None:
    low, middle, high = 100 * panel.drawn_below
    axes.fill_between(
        panel.time, low, high, color=color("orange"), alpha=look("figure", "inner_band_alpha"), linewidth=0
    )
    axes.plot(panel.time, middle, color=color("orange"), linewidth=2 * look("figure", "thin"))
    axes.plot(
        panel.time,
        100 * panel.below,
        color=color("ink"),
        marker="v",
        markerfacecolor=color("paper"),
        markersize=look("figure", "small_mark"),
        linewidth=2 * look("figure", "thin"),
    )
    axes.set_ylabel("Below limit (%)")
    axes.set_ylim(-4, 104)


def _followed(axes: Axes, panel: Panel) -> None:
    times, shares = panel.followed
    axes.step(times, 100 * shares, where="post", color=color("green"))
    axes.set_ylabel("Followed (%)")
    axes.set_ylim(0, 104)


def vpc_headline(panel: Panel) -> str:
    """What a check says, in a sentence: by chance one in ten percentiles lies outside."""
    share = panel.outside / panel.compared if panel.compared else np.nan
    said = f"{panel.outside} of {panel.compared} percentiles of {panel.endpoint} lie outside of their 90 % interval"
    if not panel.compared:
        return f"no percentile of {panel.endpoint} could be compared"
    judged = (
        "as many as chance gives"
        if share <= 0.2
        else "more than chance gives: the model misses something, see the figure"
    )
    missed = (panel.below < panel.drawn_below[0]) | (panel.below > panel.drawn_below[2])
    if panel.limited:
        judged += f"; the share below the limit is missed in {number(float(missed.sum()))} of {len(missed)} stretches"
    return f"{said}: {judged}"
