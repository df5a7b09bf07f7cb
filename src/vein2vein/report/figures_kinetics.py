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
    months,
    render,
)
from vein2vein.report.look import axis_name, ceiling, color, floor, look, looks, mark, unit_name
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


def kinetics_figure(journey: Journey, rows: list[facts.Compared], key: str = "") -> Picture | None:
    """CAR-T in blood: individual curves, median and band, published Cmax and Tmax marked."""
    name = facts.readout(journey)
    values, days = facts.dense(journey, name), journey.course.days
    if not np.isfinite(values).any():
        return None
    unit = "copies" if name == "transgene" else "cells"
    cmax = [
        r for r in facts.published(rows, "pop_Cmax", "Cmax_gmean", "Cmax_median", "Cmax") if r.unit.startswith(unit)
    ]
    tmax = facts.published(rows, "pop_Tmax", "Tmax_median", "Tmax")
    last = days[np.isfinite(values).any(axis=0)].max()

    def draw(figure: Figure) -> None:
        early, late = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        lowest = np.nanmin(np.where(values > 0, values, np.nan))
        for axes in (early, late):
            log_axis(axes)
        cut = (days >= 0) & (days <= look("windows", "acute"))
        draw_band(early, days[cut], values[:, cut], color("cells"), curves=True)
        later = days >= look("windows", "acute")
        draw_band(late, months(days[later]), values[:, later], color("cells"), curves=True)
        for axes in (early, late):
            axes.set_ylim(bottom=max(lowest / 2, np.nanquantile(values, looks("bands", "outer")[0]) / 100))
        if cmax:
            early.axhline(cmax[0].published, color=color("published"), linestyle=(0, (4, 3)), linewidth=1)
            early.annotate(
                f"published Cmax {number(cmax[0].published)}",
                (1, cmax[0].published),
                xycoords=("axes fraction", "data"),
                xytext=(-2, 3),
                textcoords="offset points",
                ha="right",
                va="bottom",
                fontsize=look("figure", "small_size"),
            )
        if tmax:
            early.axvline(tmax[0].published, color=color("published"), linestyle=(0, (1, 2)), linewidth=1)
            early.annotate(
                f"published Tmax {number(tmax[0].published)} d",
                (tmax[0].published, 0),
                xycoords=("data", "axes fraction"),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=look("figure", "small_size"),
            )
        early.set_ylabel(axis_name(name))
        early.set_title("Days 0 to 28")
        late.set_title("From day 28")
        early.set_xlim(0)
        late.set_xlim(0, max(float(months(last)), 1.0))
        day_axis(early, look("windows", "acute"))
        late.set_xlabel("Months after infusion")
        late.legend(loc="upper right")

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
        else "Values below the limit of quantification are not drawn; median and band then describe the "
        "patients above it."
    )
    return render(
        f"kinetics{key}",
        f"CAR T cells in blood peak around day {number(when, 2)}",
        "CAR-T in blood over time on a logarithmic axis, individual curves with median and 5 to 95 "
        f"percent band. {said}",
        draw,
        height=4.2,
        layout="kinetics",
        caption=f"{said} Thin lines: single patients (at most {look('figure', 'most_curves'):g}). {left_out}",
    )


def tumor_figure(journey: Journey, key: str = "") -> Picture | None:
    """Marrow blasts and minimal residual disease over time, logarithmic."""
    names = [
        n
        for n in ("marrow_blasts", "mrd", "metabolic_tumor_volume", "m_protein")
        if np.isfinite(facts.dense(journey, n)).any()
    ][:2]
    if not names:
        return None
    days = journey.course.days

    def draw(figure: Figure) -> None:
        panels: list[Axes] = list(figure.subplots(1, len(names), squeeze=False)[0])
        for axes, name in zip(panels, names):
            values = facts.dense(journey, name)
            lowest = max(floor(name) or 0.0, np.nanmin(np.where(values > 0, values, np.nan)) / 2)
            visits = journey.plan.disease_visits
            seen = np.isfinite(values).any(axis=0) & (days <= 2 * look("windows", "year"))
            seen &= (days <= 0) | np.isin(days, visits) if visits else np.isfinite(days)
            log_axis(axes)
            draw_band(
                axes,
                months(days[seen]),
                np.maximum(values[:, seen], lowest),
                color("tumor"),
                curves=True,
                inner=True,
                outer=False,
            )
            axes.set_ylim(bottom=lowest, top=ceiling(name))
            mark_level(axes, name)
            axes.set_title(analyte(name).title)
            axes.set_ylabel(axis_name(name))
            axes.set_xlabel("Months after infusion")
            axes.set_xlim(0)
        figure.legend(*panels[-1].get_legend_handles_labels(), loc="outside upper right", ncols=2)

    first = facts.dense(journey, names[0])[:, days >= look("windows", "acute")]
    known = np.isfinite(first).any(axis=1)
    at = np.isfinite(first).argmax(axis=1)
    level = mark(names[0])
    below = first[np.arange(at.size), at][known] < (level.value if level else np.nan)
    return render(
        f"tumor{key}",
        f"{analyte(names[0]).title}: below {level.label} in {int(below.sum())} "
        f"of {int(known.sum())} patients at the first visit from day 28"
        if level
        else f"{analyte(names[0]).title} over time",
        f"{' and '.join(analyte(n).title for n in names)} over two years, single patients, median and "
        "25 to 75 percent band, logarithmic axis.",
        draw,
        height=3.9,
        layout="tumor",
        caption="Thin lines: single patients who are alive and assessed. A patient without detectable "
        "disease lies on the lower edge. Patients who died are no longer part of median and band.",
    )


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
        known = np.isfinite(share) & (days >= look("windows", "acute"))
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
        right.set_ylim(0)
        right.legend(loc="upper right")
        for axes in (left, right):
            axes.set_xlabel("Months after infusion")
            axes.set_xlim(0)

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
