"""Figures of cells: product quality, CAR-T in blood, tumor, B cells and immunoglobulin."""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from vein2vein.analytes import analyte
from vein2vein.journey.journey import Journey
from vein2vein.report import facts
from vein2vein.report.figures import (
    Floats,
    Picture,
    day_axis,
    draw_band,
    draw_bars,
    log_axis,
    mark_level,
    month_axis,
    months,
    quantiles,
    render,
)
from vein2vein.report.look import axis_name, color, look, looks, unit_name
from vein2vein.report.text import number, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def quality_figure(rows: Iterable[facts.Quality], key: str = "") -> Picture | None:
    """Histogram of each product quality, with its median and the limits of release or label."""
    shown = [row for row in rows if np.isfinite(row.values).sum() > 1]
    if not shown:
        return None

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import MaxNLocator

        columns = min(3, len(shown))
        grid = np.atleast_1d(figure.subplots(-(-len(shown) // columns), columns)).ravel()
        for axes, row in zip(grid, shown):
            known = row.values[np.isfinite(row.values)]
            middle = float(np.median(known))
            if np.ptp(known) < np.sqrt(np.finfo(float).eps) * np.abs(known).max():  # equal but for rounding
                known = np.full(known.shape, known[0])
            counts, edges = np.histogram(known, bins=int(look("figure", "bins")))
            draw_bars(
                axes, edges[:-1], edges[1:], counts, facecolor=color("sky"), edgecolor=color("paper"), linewidth=1
            )
            axes.set_ylim(bottom=0)
            axes.axvline(middle, color=color("ink"), label="median")
            for limits in (row.low, row.high):
                limit = np.unique(np.round(limits[np.isfinite(limits)], 9))
                if limit.size == 1 and known.min() <= limit[0] <= known.max():
                    axes.axvline(limit[0], color=color("vermilion"), linestyle=(0, (4, 3)), label="limit")
            axes.set_title(row.title)
            axes.set_xlabel(f"{unit_name(row.unit) or 'value'} (median {number(middle)})")
            axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        for axes in grid[::columns]:
            axes.set_ylabel("Patients")
        for axes in grid[len(shown) :]:
            axes.set_visible(False)

    words = "; ".join(f"{r.title} median {number(np.nanmedian(r.values))} {unit_name(r.unit)}".strip() for r in shown)
    return render(
        f"quality{key}",
        "Distribution of product quality over the patients",
        f"Histograms of product quality: {words}.",
        draw,
        height=2.4 * -(-len(shown) // 3),
        layout="quality",
        caption="Each histogram counts patients. Solid line: median. Dashed line: limit of release or label, "
        "where it is the same for all patients and falls within the plot.",
    )


def visit_days(journey: Journey) -> Floats:
    """Days from the first weeks on at which a patient comes for a visit: of the samples, else of the disease."""
    days = np.asarray(journey.course.days, dtype=float)
    visits = sorted({*journey.plan.kinetics_samples, *journey.plan.disease_visits})
    return days[np.isin(days, visits) & (days >= look("windows", "acute"))]


def spaced(days: Floats, most: int) -> Floats:
    """At most so many of these days, evenly from the first to the last on the scale of the square root of time."""
    if days.size <= most:
        return days
    wanted = np.linspace(np.sqrt(days[0]), np.sqrt(days[-1]), most, dtype=np.float64) ** 2
    return np.unique(days[np.abs(days[None, :] - wanted[:, None]).argmin(axis=1)])


def kinetics_figure(journey: Journey, rows: list[facts.Compared], key: str = "") -> Picture | None:
    """CAR-T in blood: median and percentiles, by day and from day 28 at the visits; published peak marked."""
    name = facts.readout(journey)
    values, days = facts.dense(journey, name), journey.course.days
    if not np.isfinite(values).any():
        return None
    unit = "copies" if name == "transgene" else "cells"
    peaks = ("pop_Cmax", "Cmax_gmean", "Cmax_median", "Cmax_median_cells", "Cmax")
    cmax = [r for r in facts.published(rows, *peaks) if r.unit.startswith(unit)]
    tmax = facts.published(rows, "pop_Tmax", "Tmax_median", "Tmax")
    visits = spaced(visit_days(journey), int(look("figure", "most_visits")))

    def draw(figure: Figure) -> None:
        early, late = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        for axes in (early, late):
            log_axis(axes)
        cut = (days >= 0) & (days <= look("windows", "acute"))
        draw_band(early, days[cut], values[:, cut], color("cells"), inner=True)
        shown = np.isin(days, visits)
        told = draw_visits(late, months(days[shown]), values[:, shown], color("cells"))
        _limit(journey, name, (early, late))
        _published_peak(early, cmax[0] if cmax else None, tmax[0] if tmax else None)
        early.set_ylabel(axis_name(name))
        early.set_title("Days 0 to 28")
        late.set_title("Visits from day 28")
        early.set_xlim(0)
        day_axis(early, look("windows", "acute"))
        month_axis(late, float(months(visits[-1])) if told else 1.0)
        if told:
            late.legend(loc="upper right")
            late.set_ylim(top=early.get_ylim()[1] * look("figure", "room_above"))

    peak, low, high, count = facts.summary(journey.kinetics.cmax[journey.infused])
    when, first, final, _ = facts.summary(journey.kinetics.tmax[journey.infused])
    printed = unit_name(analyte(name).unit)
    said = (
        f"Median Cmax {number(peak)} {printed} (5–95 %: {span(low, high)}), median Tmax {number(when)} "
        f"days ({span(first, final)}), {count} patients."
    )
    below = facts.below_limit(journey, name)
    left_out = (
        "Values below the limit of quantification lie at the limit."
        if below
        else "Values below the limit of quantification are not drawn; median and percentiles then describe the "
        "patients above it."
    )
    marked = " Diamond: published peak, with its intervals where there are some." if cmax or tmax else ""
    return render(
        f"kinetics{key}",
        f"CAR T cells in blood peak around day {number(when, 2)}",
        "CAR-T in blood on a logarithmic axis: median with 25 to 75 and 5 to 95 percent of the patients, by day to day "
        f"28, then at {visits.size} visits. {said}",
        draw,
        height=4.2,
        layout="kinetics",
        caption=f"{said} Left: median, 25–75 % and 5–95 % of the patients alive, by day; right: the same at visits."
        f"{marked} {left_out}",
    )


def draw_visits(axes: Axes, at: Floats, values: Floats, hue: str) -> bool:
    """Draw the median of each visit as a point, 25-75 % as a thick and 5-95 % as a thin line; False: too few values."""
    levels = [*looks("bands", "outer"), look("bands", "middle"), *looks("bands", "inner")]
    low, high, middle, lower, upper = quantiles(values, levels)
    known = np.isfinite(middle)
    if not known.any():
        axes.annotate("fewer than five patients", (1 / 2, 1 / 2), xycoords="axes fraction", ha="center")
        return False
    thin, thick = look("figure", "thin") * 2, look("figure", "line") * 3
    axes.vlines(at[known], low[known], high[known], color=hue, linewidth=thin, label="5–95 %")
    axes.vlines(
        at[known], lower[known], upper[known], color=hue, linewidth=thick, alpha=look("figure", "visit_alpha"),
        label="25–75 %",
    )  # fmt: skip
    axes.plot(at[known], middle[known], "o", color=hue, markersize=5, markeredgecolor=color("paper"), label="median")
    return True


def _limit(journey: Journey, name: str, panels: Iterable[Axes]) -> None:
    """Mark where values below the limit of quantification stand, where they all stand at one limit."""
    flags = journey.course.below_lloq.get(name)
    if flags is None or not np.any(flags):
        return
    at = np.unique(np.asarray(journey.course.dense(name))[flags])
    at = at[np.isfinite(at)]
    for axes in panels if at.size == 1 else ():
        axes.axhline(at[0], color=color("soft"), linewidth=look("figure", "thin") * 2, linestyle=(0, (4, 3)))
        axes.annotate(
            f"limit of quantification {number(at[0])}", (1 / 50, at[0]), xycoords=("axes fraction", "data"),
            xytext=(0, -3), textcoords="offset points", va="top", fontsize=look("figure", "small_size"),
            color=color("soft"),
        )  # fmt: skip
        axes.set_ylim(bottom=at[0] / look("figure", "room_below"))


def _published_peak(axes: Axes, cmax: facts.Compared | None, tmax: facts.Compared | None) -> None:
    """Draw the published Cmax at the published Tmax, or what there is of the two, with its interval."""
    hue, small = color("published"), look("figure", "small_size")
    if cmax is not None and tmax is not None:
        axes.errorbar(
            tmax.published, cmax.published, xerr=_bars(tmax), yerr=_bars(cmax), fmt="D", color=hue, markersize=6,
            markerfacecolor=hue if cmax.confidence == facts.READ else color("paper"), capsize=3, linewidth=1, zorder=5,
        )  # fmt: skip
    elif cmax is not None:
        axes.axhline(cmax.published, color=hue, linestyle=(0, (4, 3)), linewidth=1)
    elif tmax is not None:
        axes.axvline(tmax.published, color=hue, linestyle=(0, (1, 2)), linewidth=1)
    shown = [(name, row, unit) for name, row, unit in (("Cmax", cmax, ""), ("Tmax", tmax, " d")) if row is not None]
    told = [f"{name} {number(row.published)}{unit}" for name, row, unit in shown]
    recalled = " (from memory)" if any(row.confidence != facts.READ for _, row, _ in shown) else ""
    if told:
        level = cmax.published if cmax is not None else 0.0
        axes.annotate(
            f"published {', '.join(told)}{recalled}",
            (tmax.published if tmax is not None else look("windows", "acute"), level),
            xycoords="data" if cmax is not None else ("data", "axes fraction"),
            xytext=(8 if tmax is not None else -2, 6), textcoords="offset points",
            ha="left" if tmax is not None else "right", fontsize=small, color=hue,
        )  # fmt: skip


def _bars(row: facts.Compared) -> list[list[float]] | None:
    known = np.isfinite(row.published_low) and np.isfinite(row.published_high)
    return [[row.published - row.published_low], [row.published_high - row.published]] if known else None


def aplasia_share(journey: Journey) -> tuple[Floats, Floats, Floats]:
    """Share of the gradable patients with B-cell aplasia by day.

    Returns
    -------
    days, share, gradable : ndarray, shape (k,)
        NaN where fewer patients than a band needs could be graded.
    """
    table = facts.grades(journey, "b_cell_aplasia")
    gradable = (table >= 0).sum(axis=0)
    share = np.where(
        gradable >= look("figure", "fewest_for_band"), (table > 0).sum(axis=0) / np.maximum(gradable, 1), np.nan
    )
    return np.asarray(journey.course.days, dtype=float), share, gradable.astype(float)


def aplasia_figure(journey: Journey, rows: list[facts.Compared], key: str = "") -> Picture | None:
    """B-cell aplasia among evaluable patients over time, and immunoglobulin G."""
    days, share, _ = aplasia_share(journey)
    igg = facts.dense(journey, "igg")
    if not np.isfinite(share).any() and not np.isfinite(igg).any():
        return None
    marks = [r for r in facts.published(rows, "Bcell_aplasia_rate", "B_cell_aplasia_rate") if np.isfinite(r.day)]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        known = np.isfinite(share) & (np.isin(days, visit_days(journey)) | (days > look("windows", "early")))
        left.plot(
            months(days[known]), 100 * share[known], color=color("b_cells"), marker="o", markersize=3, label="simulated"
        )
        draw_landmarks(left, marks)
        left.set_ylim(0, 105)
        left.set_title("Patients in B-cell aplasia, from day 28")
        left.set_ylabel("Share of patients (%)")
        seen = share[known]
        left.legend(loc="upper right" if not seen.size or np.median(seen) < 1 / 2 else "lower left")
        draw_band(right, months(days), igg, color("igg"), inner=True)
        mark_level(right, "igg")
        right.set_title("Immunoglobulin G")
        right.set_ylabel(axis_name("igg"))
        right.legend(loc="upper right")
        right.set_ylim(0, right.get_ylim()[1] * look("figure", "room_for_legend"))
        for axes in (left, right):
            month_axis(axes, float(months(days[-1])))

    at = [
        (m, float(np.interp(m * look("windows", "month"), days[np.isfinite(share)], share[np.isfinite(share)])))
        for m in (6, 12)
        if np.isfinite(share).any()
    ]
    words = ", ".join(f"{100 * s:.0f} % at {m} months" for m, s in at)
    return render(
        f"aplasia{key}",
        f"B-cell aplasia: {words}" if words else "B cells and IgG",
        f"Share of patients with B-cell aplasia over time ({words}) and IgG over time.",
        draw,
        height=3.6,
        layout="aplasia",
        caption="Share of the patients alive and assessed who are in B-cell aplasia. Black points: "
        "published, with 95 % interval where printed. IgG includes replacement given by rule.",
    )


def draw_landmarks(axes: Axes, rows: Iterable[facts.Compared]) -> None:
    """Draw published percentages at their landmarks with their intervals; memory rows are hollow."""
    seen: set[str] = set()
    for row in rows:
        at = row.day / look("windows", "month")
        low = row.published - row.published_low if np.isfinite(row.published_low) else 0.0
        high = row.published_high - row.published if np.isfinite(row.published_high) else 0.0
        label = "published" if row.confidence == facts.READ else "published (from memory)"
        axes.errorbar(
            at,
            row.published,
            yerr=[[low], [high]],
            fmt="o",
            color=color("published"),
            capsize=3,
            linewidth=1,
            markersize=5,
            markerfacecolor=color("published") if row.confidence == facts.READ else color("paper"),
            label=None if label in seen else label,
            zorder=5,
        )
        seen.add(label)
