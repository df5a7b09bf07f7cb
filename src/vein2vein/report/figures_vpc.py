"""Figures of a visual predictive check: percentiles over their bands, the share below the limit, who is still followed."""

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
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PERCENTILES = (("10th percentile", "sky", (0, (4, 2))), ("median", "blue", "-"), ("90th percentile", "sky", (0, (4, 2))))
BANDS = ("sky", "blue", "sky")


def vpc_figure(found: Vpc, panel: Panel, key: str = "vpc") -> Picture:
    """The check of one endpoint."""
    parts = 2 + panel.limited

    def draw(figure: Figure) -> None:
        ratios = [3.2, *([1.0] if panel.limited else []), 0.8]
        grid = figure.subplots(parts, 1, sharex=True, height_ratios=ratios, squeeze=False).ravel()
        _main(grid[0], panel)
        if panel.limited:
            _below(grid[1], panel)
        _followed(grid[-1], panel)
        unit = TIMES.get(panel.time_unit, panel.time_unit) or "unit not known"
        grid[-1].set_xlabel(f"Time ({unit})")
        figure.align_ylabels()

    corrected = "Prediction-corrected visual" if panel.corrected else "Visual"
    share = (
        " Middle: share of rows below the limit, observed (points) in the 90 % interval of the drawn studies." if panel.limited else ""
    )
    return render(
        key, f"{corrected} predictive check of {panel.endpoint}", _words(found, panel), draw, height=5.2 + panel.limited * 1.3,
        caption=f"Top: 10th, 50th and 90th percentile of what was observed (lines) over the 90 % interval of each in {found.count} "
        f"studies drawn from the fit (bands; {panel.outside} of {panel.compared} compared percentiles lie outside); dots: "
        "measured rows. Ticks above the axis: ends of the stretches of time. Percentiles among rows beyond a limit are not drawn."
        f"{share} Bottom: share of subjects with a row at that time or later; drawn studies have the same visits.",
    )  # fmt: skip


def _words(found: Vpc, panel: Panel) -> str:
    return (
        f"{panel.outside} of {panel.compared} observed percentiles lie outside of the 90 % interval over {found.count} drawn studies, "
        f"in {len(panel.time)} stretches of time."
    )


def _main(axes: Axes, panel: Panel) -> None:
    logarithmic = panel.log
    if logarithmic:
        log_axis(axes)
    thin, alpha = look("figure", "thin"), look("figure", "inner_band_alpha")
    axes.plot(panel.point_time, panel.point_value, "o", color=color("soft"), markersize=look("figure", "small_mark") - 1,
              markeredgewidth=0, alpha=look("figure", "thin_alpha"))  # fmt: skip
    for i, ((label, _, style), hue) in enumerate(zip(PERCENTILES, BANDS)):
        low, middle, high = panel.drawn[i]
        drawn = np.isfinite(high)
        floor = _floor(panel)
        axes.fill_between(panel.time[drawn], np.where(np.isfinite(low[drawn]), low[drawn], floor), high[drawn], color=color(hue),
                          alpha=alpha, linewidth=0)  # fmt: skip
        known = np.isfinite(panel.observed[i])
        axes.plot(panel.time[known], panel.observed[i][known], color=color("ink"), linestyle=style, marker="o",
                  markersize=look("figure", "small_mark"), label=f"observed {label}")  # fmt: skip
        there = np.isfinite(middle)
        axes.plot(panel.time[there], middle[there], color=color(hue), linewidth=2 * thin)
    for end in panel.last[:-1]:
        axes.axvline(end, ymax=0.02, color=color("soft"), linewidth=2 * thin)
    unit = unit_name(panel.unit) or "unit not known"
    axes.set_ylabel(f"{panel.endpoint}{', corrected' if panel.corrected else ''} ({unit})")
    handles, labels = axes.get_legend_handles_labels()
    kept = dict(zip(labels, handles))
    kept = {"observed median": kept["observed median"], "observed 10th and 90th percentile": kept["observed 10th percentile"]}
    from matplotlib.patches import Patch

    kept["drawn: 90 % interval of the median"] = Patch(color=color("blue"), alpha=alpha)
    kept["of the 10th and 90th percentile"] = Patch(color=color("sky"), alpha=alpha)
    axes.legend(list(kept.values()), list(kept), loc="upper right", ncols=2)
    if logarithmic:
        low, high = axes.get_ylim()
        axes.set_ylim(low, high * 8)


def _floor(panel: Panel) -> float:
    """Where a band ends that reaches below the limit: the least value that is drawn."""
    numbers = np.concatenate([panel.point_value, panel.drawn[np.isfinite(panel.drawn)]])
    return float(numbers.min(initial=np.inf)) if panel.log else 0.0


def _below(axes: Axes, panel: Panel) -> None:
    low, middle, high = 100 * panel.drawn_below
    axes.fill_between(panel.time, low, high, color=color("orange"), alpha=look("figure", "inner_band_alpha"), linewidth=0)
    axes.plot(panel.time, middle, color=color("orange"), linewidth=2 * look("figure", "thin"))
    axes.plot(panel.time, 100 * panel.below, color=color("ink"), marker="v", markerfacecolor=color("paper"),
              markersize=look("figure", "small_mark"), linewidth=2 * look("figure", "thin"))  # fmt: skip
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
    judged = "as many as chance gives" if share <= 0.2 else "more than chance gives: the model misses something, see the figure"
    missed = (panel.below < panel.drawn_below[0]) | (panel.below > panel.drawn_below[2])
    if panel.limited:
        judged += f"; the share below the limit is missed in {number(float(missed.sum()))} of {len(missed)} stretches"
    return f"{said}: {judged}"
