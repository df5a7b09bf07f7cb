"""Figures of cells: product quality, CAR-T in blood, tumor, B cells and immunoglobulin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from vein2vein.analytes import analyte
from vein2vein.report import facts
from vein2vein.report.figures import (
    Floats, Picture, axis_name, color, day_axis, draw_band, log_axis, look, mark_level, months, quantiles, render, unit_name,
)  # fmt: skip
from vein2vein.report.page import number, span


def quality_figure(rows: Iterable[facts.Quality]) -> Picture | None:
    """Histogram of each product quality, with its median and the limits of release or label."""
    shown = [row for row in rows if np.isfinite(row.values).sum() > 1]
    if not shown:
        return None

    def draw(figure: Any) -> None:
        columns = min(3, len(shown))
        grid = np.atleast_1d(figure.subplots(-(-len(shown) // columns), columns)).ravel()
        for axes, row in zip(grid, shown):
            known = row.values[np.isfinite(row.values)]
            middle = float(np.median(known))
            axes.hist(known, bins=int(look("figure", "bins")), color=color("sky"), edgecolor=color("paper"))
            axes.axvline(middle, color=color("ink"), label="median")
            for limit in (row.low, row.high):
                if np.isfinite(limit) and known.min() <= limit <= known.max():
                    axes.axvline(limit, color=color("vermilion"), linestyle=(0, (4, 3)), label="limit")
            axes.set_title(row.title)
            axes.set_xlabel(unit_name(row.unit) or "value")
            axes.annotate(
                f"median {number(middle)}", (1, 1), xycoords="axes fraction", ha="right", va="bottom",
                fontsize=look("figure", "small_size"), color=color("soft"),
            )  # fmt: skip
        for axes in grid[:: columns]:
            axes.set_ylabel("Patients")
        for axes in grid[len(shown) :]:
            axes.set_visible(False)

    words = "; ".join(f"{r.title} median {number(np.nanmedian(r.values))} {unit_name(r.unit)}".strip() for r in shown)
    return render(
        "quality", "Product quality varies between patients", f"Histograms of product quality: {words}.", draw,
        height=2.4 * -(-len(shown) // 3),
        caption="Each histogram counts patients. Solid line: median. Dashed line: limit of release or label, where it falls within the plot.",
    )  # fmt: skip


def kinetics_figure(journey: Any, rows: list[facts.Compared]) -> Picture | None:
    """CAR-T in blood: individual curves, median and band, published Cmax and Tmax marked."""
    name = facts.readout(journey)
    values, days = facts.dense(journey, name), journey.course.days
    if not np.isfinite(values).any():
        return None
    unit = "copies" if name == "transgene" else "cells"
    cmax = [r for r in facts.published(rows, "pop_Cmax", "Cmax_gmean", "Cmax_median", "Cmax") if r.unit.startswith(unit)]
    tmax = facts.published(rows, "pop_Tmax", "Tmax_median", "Tmax")
    last = days[np.isfinite(values).any(axis=0)].max()

    def draw(figure: Any) -> None:
        early, late = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        lowest = np.nanmin(np.where(values > 0, values, np.nan))
        for axes in (early, late):
            log_axis(axes)
        cut = (days >= 0) & (days <= look("windows", "acute"))
        draw_band(early, days[cut], values[:, cut], color("cells"), curves=True)
        draw_band(late, months(days), values, color("cells"), curves=True)
        for axes in (early, late):
            axes.set_ylim(bottom=max(lowest / 2, np.nanquantile(values, look("bands", "outer")[0]) / 100))
        if cmax:
            early.axhline(cmax[0].published, color=color("published"), linestyle=(0, (4, 3)), linewidth=1)
            early.annotate(
                f"published Cmax {number(cmax[0].published)}", (1, cmax[0].published), xycoords=("axes fraction", "data"),
                xytext=(-2, 3), textcoords="offset points", ha="right", va="bottom", fontsize=look("figure", "small_size"),
            )  # fmt: skip
        if tmax:
            early.axvline(tmax[0].published, color=color("published"), linestyle=(0, (1, 2)), linewidth=1)
            early.annotate(
                f"published Tmax {number(tmax[0].published)} d", (tmax[0].published, 0), xycoords=("data", "axes fraction"),
                xytext=(4, 4), textcoords="offset points", fontsize=look("figure", "small_size"),
            )  # fmt: skip
        early.set_ylabel(axis_name(name))
        early.set_title("Days 0 to 28")
        late.set_title("Whole follow-up")
        early.set_xlim(0)
        late.set_xlim(0, months(last))
        day_axis(early, look("windows", "acute"))
        late.set_xlabel("Months after infusion")
        early.legend(loc="lower right")

    peak, low, high, count = facts.summary(getattr(journey.kinetics, "cmax", np.nan) * np.where(facts.infused(journey), 1, np.nan))
    when, first, final, _ = facts.summary(getattr(journey.kinetics, "tmax", np.nan) * np.where(facts.infused(journey), 1, np.nan))
    printed = unit_name(analyte(name).unit)
    said = f"Median Cmax {number(peak)} {printed} (5–95 %: {span(low, high)}), median Tmax {number(when)} days ({span(first, final)}), {count} patients."
    return render(
        "kinetics", "CAR T cells rise to a peak, contract and persist at a low level",
        f"CAR-T in blood over time on a logarithmic axis, individual curves with median and 5 to 95 percent band. {said}", draw, height=4.2,
        caption=f"{said} Thin lines: single patients (at most {look('figure', 'most_curves')}). Values below the limit of quantification are not drawn; the median and the band then describe the patients above it.",
    )  # fmt: skip


def tumor_figure(journey: Any) -> Picture | None:
    """Marrow blasts and minimal residual disease over time, logarithmic."""
    names = [n for n in ("marrow_blasts", "mrd", "metabolic_tumor_volume", "m_protein") if np.isfinite(facts.dense(journey, n)).any()][:2]
    if not names:
        return None
    days = journey.course.days

    def draw(figure: Any) -> None:
        for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names):
            values = facts.dense(journey, name)
            lowest = {"marrow_blasts": 1e-2, "mrd": 1e-7}.get(name, np.nanmin(np.where(values > 0, values, np.nan)))
            seen = np.isfinite(values).any(axis=0) & (days <= 2 * look("windows", "year"))
            log_axis(axes, lowest)
            draw_band(axes, months(days[seen]), np.maximum(values[:, seen], lowest), color("tumor"), curves=True)
            mark_level(axes, name)
            axes.set_title(analyte(name).title)
            axes.set_ylabel(axis_name(name))
            axes.set_xlabel("Months after infusion")
            axes.set_xlim(0)
        axes.legend(loc="lower right")

    return render(
        "tumor", "Tumor burden falls within weeks; some patients relapse",
        f"{' and '.join(analyte(n).title for n in names)} over two years, single patients, median and 5 to 95 percent band, logarithmic axis.",
        draw, height=3.9,
        caption="Thin lines: single patients who are alive and assessed. A patient without detectable disease lies on the lower edge. Patients who died are no longer part of median and band.",
    )  # fmt: skip


def aplasia_share(journey: Any) -> tuple[Floats, Floats, Floats]:
    """Share of the gradable patients with B-cell aplasia by day.

    Returns
    -------
    days, share, gradable : ndarray, shape (k,)
        NaN where fewer patients than a band needs could be graded.
    """
    table = facts.grades(journey, "b_cell_aplasia")
    gradable = (table >= 0).sum(axis=0)
    share = np.where(gradable >= look("figure", "fewest_for_band"), (table > 0).sum(axis=0) / np.maximum(gradable, 1), np.nan)
    return np.asarray(journey.course.days, dtype=float), share, gradable.astype(float)


def aplasia_figure(journey: Any, rows: list[facts.Compared]) -> Picture | None:
    """B-cell aplasia among evaluable patients over time, and immunoglobulin G."""
    days, share, _ = aplasia_share(journey)
    igg = facts.dense(journey, "igg")
    if not np.isfinite(share).any() and not np.isfinite(igg).any():
        return None
    marks = [r for r in facts.published(rows, "Bcell_aplasia_rate", "B_cell_aplasia_rate") if np.isfinite(facts.landmark_days(r))]

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        known = np.isfinite(share)
        left.plot(months(days[known]), 100 * share[known], color=color("b_cells"), marker="o", markersize=3, label="simulated")
        draw_landmarks(left, marks)
        left.set_ylim(0, 105)
        left.set_title("Patients with B-cell aplasia")
        left.set_ylabel("Share of patients alive and assessed (%)")
        left.legend(loc="lower left")
        draw_band(right, months(days), igg, color("igg"), inner=True)
        mark_level(right, "igg")
        right.set_title("Immunoglobulin G")
        right.set_ylabel(axis_name("igg"))
        right.set_ylim(0)
        right.legend(loc="upper right")
        for axes in (left, right):
            axes.set_xlabel("Months after infusion")
            axes.set_xlim(0)

    at = [(m, float(np.interp(m * look("windows", "month"), days[np.isfinite(share)], share[np.isfinite(share)]))) for m in (6, 12) if np.isfinite(share).any()]
    words = ", ".join(f"{100 * s:.0f} % at {m} months" for m, s in at)
    return render(
        "aplasia", "B-cell aplasia persists while CAR T cells do", f"Share of patients with B-cell aplasia over time ({words}) and IgG over time.", draw,
        height=3.6,
        caption=f"B-cell aplasia, simulated: {words}. Black points: published, with 95 % interval where printed. IgG includes replacement given by rule.",
    )  # fmt: skip


def draw_landmarks(axes: Any, rows: Iterable[facts.Compared]) -> None:
    """Draw published percentages at their landmarks with their intervals; memory rows are hollow."""
    seen: set[str] = set()
    for row in rows:
        at = float(months(facts.landmark_days(row)))
        low = row.published - row.published_low if np.isfinite(row.published_low) else 0.0
        high = row.published_high - row.published if np.isfinite(row.published_high) else 0.0
        label = "published" if row.confidence == "read" else "published (from memory)"
        axes.errorbar(
            at, row.published, yerr=[[low], [high]], fmt="o", color=color("published"), capsize=3, linewidth=1, markersize=5,
            markerfacecolor=color("published") if row.confidence == "read" else color("paper"),
            label=None if label in seen else label, zorder=5,
        )  # fmt: skip
        seen.add(label)


def band_table(journey: Any, name: str, days: Iterable[float]) -> list[tuple[float, float, float, float]]:
    """Median and 5-95 % of an analyte at some days: (day, median, low, high)."""
    values, all_days = facts.dense(journey, name), np.asarray(journey.course.days)
    low, high = look("bands", "outer")
    found = quantiles(values, [look("bands", "middle"), low, high])
    return [(float(d), *(float(x) for x in found[:, j])) for d in days for j in [int(np.argmin(np.abs(all_days - d)))]]
