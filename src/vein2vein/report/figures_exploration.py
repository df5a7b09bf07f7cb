"""Figures of measured curves: each patient's, and percentiles by group; what lies beyond a limit has its own mark."""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vein2vein.analytes import all_analytes
from vein2vein.inference.noncompartmental.bands import Bands, bands, stretches
from vein2vein.inference.noncompartmental.explore import Exploration
from vein2vein.inference.noncompartmental.groups import Group
from vein2vein.report.figures import Picture, draw_lines, log_axis, render
from vein2vein.report.look import color, look, unit_name
from vein2vein.report.text import listed, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HUES = ("blue", "vermilion", "green", "orange", "purple", "sky", "ink")
MIDDLE = 0.5
TIMES = {"d": "days", "h": "hours"}


def curves_figure(found: Exploration, groups: list[Group], key: str = "") -> Picture:
    """Every patient's curve, one panel for each group; beside it the first weeks where the curves go on for long."""
    ends = _windows(found)
    columns = len(ends) if len(ends) > 1 else min(3, len(groups))
    lines = -(-len(groups) * len(ends) // columns)

    def draw(figure: Figure) -> None:
        grid = np.atleast_1d(figure.subplots(lines, columns, sharex=len(ends) == 1, sharey=True)).ravel()
        log_axis(grid[0])
        panels = [(group, hue, end) for group, hue in zip(groups, _hues(groups)) for end in ends]
        for axes, (group, hue, end) in zip(grid, panels):
            _curves(axes, found, group, hue, end)
            axes.set_title(_titled(group) if end == ends[0] else "")
        _axes_names(found, list(grid[: len(panels)]), columns, [end for _, _, end in panels])
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        if _marked(found):
            figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower right", ncols=3)

    told = ", ".join(f"{_titled(group)} ({len(group.rows)})" for group in groups)
    return render(
        f"curves{key}",
        f"{endpoint_title(found)} of each patient{_by(groups)}",
        f"Lines of {len(found.profiles.patients)} patients over time, in panels: {told}. The table holds what was read "
        "from them.",
        draw,
        height=1.2 + 2.6 * lines,
        caption=f"One line for each patient; time since the first dose.{_beside(found, ends)}{_limits(found)}",
    )


def percentiles_figure(found: Exploration, groups: list[Group], key: str = "") -> Picture | None:
    """Median and 10th to 90th percentile of each group over time."""
    profiles = found.profiles
    later = profiles.time >= 0
    edges = stretches(profiles.row[later], profiles.time[later])
    shown = [(group, bands(profiles, group.rows, edges)) for group in groups]
    shown = [(group, band) for group, band in shown if np.isfinite(band.percentiles[1]).any()]
    if not shown:
        return None
    hues = dict(zip([group.label for group in groups], _hues(groups)))
    ends = _windows(found)

    def draw(figure: Figure) -> None:
        grid = np.atleast_1d(figure.subplots(1, len(ends), sharey=True)).ravel()
        log_axis(grid[0])
        for axes, end in zip(grid, ends):
            for group, band in shown:
                _band(axes, band, hues[group.label], _titled(group), end)
        _axes_names(found, list(grid), len(ends), ends)
        if groups[0].by:
            grid[-1].legend()

    said = "; ".join(_in_words(found, group, band) for group, band in shown)
    few = [_titled(group) for group in groups if group.label not in {one.label for one, _ in shown}]
    return render(
        f"percentiles{key}",
        f"Percentiles of {endpoint_title(found, inside=True)}{_by(groups)}",
        f"Median line with a band from the 10th to the 90th percentile. {said}.",
        draw,
        height=4.2,
        caption="Line: median; band: 10th to 90th percentile, at times that half of the patients share, else over "
        f"stretches of time that hold as many; from five patients on.{f' Too few: {listed(few)}.' if few else ''}"
        f"{_beside(found, ends)}{_limits(found, percentiles=True)}",
    )


def _windows(found: Exploration) -> list[float]:
    """Ends of the time axes: the first weeks where the curves go on for long after them, and the whole."""
    profiles = found.profiles
    last = float(profiles.time.max(initial=0.0))
    early = look("windows", "acute") / profiles.days
    return [early, last] if np.isfinite(early) and last > 2 * early else [last]


def _beside(found: Exploration, ends: list[float]) -> str:
    if len(ends) == 1:
        return ""
    time = TIMES.get(found.profiles.time_unit, found.profiles.time_unit)
    return f" Left: the first {number(ends[0])} {time}; right: all of the time."


def endpoint_title(found: Exploration, *, inside: bool = False) -> str:
    """What was followed, in words; ``inside`` a sentence in small letters."""
    name = found.profiles.endpoint
    title = all_analytes()[name].title if name in all_analytes() else name
    return f"{title[:1].lower()}{title[1:]}" if inside and title[1:2].islower() else title


def _curves(axes: Axes, found: Exploration, group: Group, hue: str, end: float) -> None:
    profiles = found.profiles
    shown = (profiles.time >= 0) & (profiles.time <= end)
    measured = shown & ~profiles.below & ~profiles.above & (profiles.value > 0)
    lines = [
        np.stack([profiles.time[own], profiles.value[own]], axis=1)
        for i in group.rows
        if (own := shown & (profiles.row == i) & (profiles.value > 0)).any()
    ]
    many = len(lines) > look("figure", "fewest_for_line")
    alpha = look("figure", "visit_alpha") if many else 1.0
    draw_lines(axes, lines, color=hue, linewidth=2 * look("figure", "thin"), alpha=alpha)
    theirs = np.isin(profiles.row, group.rows)
    for marked, shape, label, face in (
        (measured, "o", "measured", hue),
        (shown & profiles.below, "v", "below the limit, drawn at it", color("paper")),
        (shown & profiles.above, "^", "above the limit, drawn at it", color("paper")),
    ):
        there = marked & theirs
        if there.any() or (label == "measured" and _marked(found)):
            axes.plot(
                profiles.time[there], profiles.value[there], shape, color=hue, markerfacecolor=face, label=label,
                markersize=look("figure", "small_mark"), markeredgewidth=look("figure", "thin"), alpha=alpha,
            )  # fmt: skip


def _band(axes: Axes, band: Bands, hue: str, label: str, end: float) -> None:
    known = np.isfinite(band.percentiles[1]) & (band.percentiles[0] > 0) & (band.time <= end)
    low, middle, high = band.percentiles[:, known]
    axes.fill_between(band.time[known], low, high, color=hue, alpha=look("figure", "band_alpha"), linewidth=0)
    axes.plot(band.time[known], middle, color=hue, label=label)
    for bound, face in ((False, hue), (True, color("paper"))):  # a median among values below the limit is a bound
        there = (band.below[known] >= MIDDLE) == bound
        axes.plot(
            band.time[known][there], middle[there], "v" if bound else "o", color=hue, markerfacecolor=face,
            markersize=look("figure", "small_mark"), zorder=3,
        )  # fmt: skip


def _axes_names(found: Exploration, grid: list[Axes], columns: int, ends: list[float]) -> None:
    profiles = found.profiles
    unit = unit_name(profiles.unit) or "unit not known"
    time = TIMES.get(profiles.time_unit, profiles.time_unit) or "unit not known"
    for i, (axes, end) in enumerate(zip(grid, ends)):
        axes.set_xlim(0, end * look("figure", "room_right"))
        if i + columns >= len(grid):
            axes.set_xlabel(f"Time since the first dose ({time})")
            axes.tick_params(labelbottom=True)
        if i % columns == 0:
            axes.set_ylabel(f"{endpoint_title(found)} ({unit})")


def _hues(groups: list[Group]) -> list[str]:
    return [color(HUES[i % len(HUES)]) for i in range(len(groups))]


def _titled(group: Group) -> str:
    return f"{group.by} {group.label}" if group.by else "All patients"


def _by(groups: list[Group]) -> str:
    return f", by {groups[0].by}" if groups[0].by else ""


def _marked(found: Exploration) -> bool:
    return bool(found.profiles.below.any() or found.profiles.above.any())


def _limits(found: Exploration, *, percentiles: bool = False) -> str:
    below, above = int(found.profiles.below.sum()), int(found.profiles.above.sum())
    if not below and not above:
        return ""
    told = " and ".join(f"{count} {side}" for count, side in ((below, "below"), (above, "above")) if count) + " it"
    if percentiles:
        return (
            f" Values beyond a limit of quantification ({told}) count as the limit: a percentile there is a bound "
            "(open triangle: of the median)."
        )
    return f" Open triangles: values beyond a limit of quantification ({told}), drawn at the limit."


def _in_words(found: Exploration, group: Group, band: Bands) -> str:
    place = int(np.nanargmax(band.percentiles[1]))
    unit, time = unit_name(found.profiles.unit), TIMES.get(found.profiles.time_unit, found.profiles.time_unit)
    return (
        f"{_titled(group)}: highest median {number(float(band.percentiles[1, place]))} {unit} at "
        f"{number(float(band.time[place]))} {time}"
    ).replace("  ", " ").strip()  # fmt: skip
