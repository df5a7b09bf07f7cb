"""Figures of subjects of a fit: each one's curve with its band, random effects by draws, covariates beside them."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.diagnostics.individual import IndividualFit
from vein2vein.inference.diagnostics.random_effects import RandomEffects, covariate_values
from vein2vein.inference.population.fitted import Fit
from vein2vein.report.figures import Picture, draw_bars, log_axis, render
from vein2vein.report.figures_fit import is_logarithmic, time_name, together, value_name
from vein2vein.report.look import color, look
from vein2vein.report.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

MOST_SUBJECTS = 20
COLUMNS = 5
MOST_EFFECTS = 7  # of the figure of pairs
MOST_RELATED = 8


def individuals_figure(fit: Fit, fits: Sequence[IndividualFit], endpoint: str, key: str = "individuals") -> Picture:
    """Curves of subjects in one endpoint: its own with its band, the population's, and the rows."""
    lines = -(-len(fits) // COLUMNS)
    values = np.concatenate([np.concatenate([one.row_value, one.median]) for one in fits])
    logarithmic = is_logarithmic(fit, endpoint, values[np.isfinite(values)])
    least = float(min(one.row_value[one.row_value > 0].min(initial=np.inf) for one in fits)) if logarithmic else 0.0

    def draw(figure: Figure) -> None:
        grid = np.atleast_1d(figure.subplots(lines, COLUMNS, sharex=True, sharey=True, squeeze=False)).ravel()
        if logarithmic:
            log_axis(grid[0])
            highest = max(float(np.nanmax(one.high, initial=0.0)) for one in fits)
            highest = max(highest, float(max(one.row_value.max() for one in fits)))
            grid[0].set_ylim(least / 3, highest * 2)
        for axes, one in zip(grid, fits):
            _curve(axes, one)
            axes.set_title(f"{one.subject}{f', course {one.course + 1}' if one.course else ''}")
        for i, axes in enumerate(grid):
            axes.set_visible(i < len(fits))
            if len(fits) - COLUMNS <= i < len(fits):
                axes.set_xlabel(time_name(fit))
                axes.tick_params(labelbottom=True)
        figure.supylabel(value_name(fit, endpoint), fontsize=look("figure", "font_size"))
        figure.legend(*together(grid[: len(fits)]), loc="outside lower right", ncols=5)

    every = len({one.subject for one in fits})
    return render(
        key,
        f"Individual fits: {endpoint}",
        f"Curves of {every} subjects with their rows; a band of 90 % around each.",
        draw,
        height=0.8 + 1.75 * lines,
        caption="Line and band: median and 5 to 95 % of a subject's curve over its conditional distribution (what its "
        "own data and "
        "the population say together), without errors of measurement. Dashed: the typical curve with this subject's "
        "covariates "
        "and doses. Open triangles: rows beyond a limit, drawn at it.",
    )


def _curve(axes: Axes, one: IndividualFit) -> None:
    thin, small = look("figure", "thin"), look("figure", "small_mark")
    axes.fill_between(
        one.time,
        one.low,
        one.high,
        color=color("blue"),
        alpha=look("figure", "inner_band_alpha"),
        linewidth=0,
        label="5 to 95 %",
    )
    axes.plot(one.time, one.median, color=color("blue"), label="subject")
    axes.plot(one.time, one.population, color=color("soft"), linewidth=2 * thin, linestyle=(0, (4, 3)), label="typical")
    for side, shape, label, face in (
        (0, "o", "measured", "ink"),
        (1, "v", "below the limit", "paper"),
        (-1, "^", "above the limit", "paper"),
    ):
        there = one.censored == side
        if there.any():
            axes.plot(
                one.row_time[there],
                one.row_value[there],
                shape,
                color=color("ink" if not side else "vermilion"),
                markerfacecolor=color(face),
                markersize=small,
                markeredgewidth=2 * thin,
                label=label,
            )


def effects_figure(fit: Fit, found: RandomEffects) -> Picture | None:
    """Histograms of conditional draws against the law, with the shrinkage."""
    if not found.names:
        return None
    columns = min(4, len(found.names))
    lines = -(-len(found.names) // columns)

    def draw(figure: Figure) -> None:
        grid = np.atleast_1d(figure.subplots(lines, columns, squeeze=False)).ravel()
        for k, (axes, name) in enumerate(zip(grid, found.names)):
            flat, sd = found.draws[..., k].ravel(), float(found.sd[k])
            if sd > 0:
                heights, edges = np.histogram(flat, bins=np.linspace(-3.5 * sd, 3.5 * sd, 29), density=True)
                draw_bars(
                    axes,
                    edges[:-1],
                    edges[1:],
                    heights,
                    facecolor=color("sky"),
                    edgecolor=color("paper"),
                    linewidth=0.4,
                )
                at = np.linspace(-3.5 * sd, 3.5 * sd, 120)
                axes.plot(at, np.exp(-0.5 * (at / sd) ** 2) / (sd * np.sqrt(2 * np.pi)), color=color("ink"))
            means = fit.eta_mean[:, k]
            axes.plot(means, np.zeros(len(means)), "|", color=color("vermilion"), markersize=8)
            axes.set_title(f"{name}: shrinkage {100 * found.shrinkage[k]:.0f} %")
            axes.set_xlabel("Random effect (Gaussian)")
            axes.set_ylabel("Density" if k % columns == 0 else "")
        for axes in grid[len(found.names) :]:
            axes.set_visible(False)

    told = ", ".join(f"{n} {100 * s:.0f} %" for n, s in zip(found.names, found.shrinkage))
    return render(
        "effects",
        "Random effects",
        f"Histogram of each random effect beside its law; shrinkage {told}.",
        draw,
        height=0.4 + 2.3 * lines,
        caption="Bars: draws of all subjects' conditional distributions; line: the law of the population. Ticks: each "
        "subject's mean, "
        "which shrinks to 0 where its data say little. Shrinkage: 1 − var(means) / ω² (of the variance).",
    )


def pairs_figure(found: RandomEffects) -> Picture | None:
    """One draw of each subject for every pair of random effects."""
    q = min(len(found.names), MOST_EFFECTS)
    if q < 2:
        return None
    one = found.draws[len(found.draws) // 2]

    def draw(figure: Figure) -> None:
        grid = figure.subplots(q - 1, q - 1, sharex="col", sharey="row", squeeze=False)
        for i in range(1, q):
            for j in range(q - 1):
                axes = grid[i - 1, j]
                if j >= i:
                    axes.set_visible(False)
                    continue
                axes.plot(
                    one[:, j],
                    one[:, i],
                    "o",
                    color=color("blue"),
                    markersize=look("figure", "small_mark"),
                    markeredgewidth=0,
                    alpha=look("figure", "visit_alpha"),
                )
                axes.set_title(f"r = {number(round(float(found.correlation[i, j]), 2), 2)}")
                if i == q - 1:
                    axes.set_xlabel(f"{found.names[j]} (Gaussian)")
                if j == 0:
                    axes.set_ylabel(f"{found.names[i]} (Gaussian)")

    strongest = [
        f"{found.names[j]} and {found.names[i]} {found.correlation[i, j]:.2f}" for i in range(q) for j in range(i)
    ]
    return render(
        "pairs",
        "Random effects against each other",
        f"Scatter of every pair; correlations of all draws: {', '.join(strongest)}.",
        draw,
        height=0.6 + 1.6 * (q - 1),
        width=min(look("figure", "width"), 2.4 * (q - 1) + 1.5),
        caption="One draw of each subject's conditional distribution; r: correlation over all draws. A correlation "
        "here that the fit "
        "does not know (diagonal Ω) is one to add: [omega] blocks.",
    )


def covariates_figure(fit: Fit, found: RandomEffects) -> Picture | None:
    """Random effects over the covariates that they go with most."""
    shown = found.related[:MOST_RELATED]
    if not shown:
        return None
    columns = min(4, len(shown))
    lines = -(-len(shown) // columns)
    one = found.draws[len(found.draws) // 2]

    def draw(figure: Figure) -> None:
        grid = np.atleast_1d(figure.subplots(lines, columns, squeeze=False)).ravel()
        for axes, related in zip(grid, shown):
            values = covariate_values(fit, related.covariate)
            effect = one[:, found.names.index(related.parameter)]
            known = np.isfinite(values)
            at = values[known]
            words = fit.problem.study.covariates[related.covariate].categories
            if words:
                at = at + 0.12 * np.sin(
                    7 * np.arange(len(at))
                )  # spread a little, so that points do not hide each other
                axes.set_xticks(range(len(words)), [word[:12] for word in words])
            axes.axhline(0, color=color("ink"), linewidth=2 * look("figure", "thin"))
            axes.plot(
                at, effect[known], "o", color=color("blue"), markersize=look("figure", "small_mark"), markeredgewidth=0
            )
            if not words and len(at) > 2:
                slope, level = np.polyfit(at, effect[known], 1)
                ends = np.array([at.min(), at.max()])
                axes.plot(ends, level + slope * ends, color=color("vermilion"))
            axes.set_title(f"{related.parameter}: p = {number(related.p, 2)}")
            axes.set_xlabel(f"{related.covariate} (as the file has it)")
            axes.set_ylabel("Random effect (Gaussian)")
        for axes in grid[len(shown) :]:
            axes.set_visible(False)

    told = "; ".join(f"{r.parameter} with {r.covariate}: p {number(r.p, 2)}" for r in shown)
    return render(
        "covariates",
        "Random effects against covariates",
        f"Scatter of random effects over covariates: {told}.",
        draw,
        height=0.4 + 2.4 * lines,
        caption=f"The {len(shown)} pairs with the least p of {len(found.related)}; one draw of each subject. p: of "
        "the correlation (words: of "
        "the differences between levels), the median over draws, without correction for how many were looked at. What "
        "is in the model "
        "already should show nothing.",
    )
