"""Figures of one patient: the days around the infusion, and the whole follow-up."""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vein2vein.analytes import all_analytes, analyte
from vein2vein.clinic.words import finding_words, usual_crs, usual_neurologic
from vein2vein.journey.journey import Journey
from vein2vein.report import facts
from vein2vein.report.facts import Mask
from vein2vein.report.figures import (
    Floats,
    Picture,
    day_axis,
    log_axis,
    mark_level,
    month_step,
    months,
    quantiles,
    render,
    text_width,
)
from vein2vein.report.figures_toxicity import draw_grades
from vein2vein.report.look import axis_name, ceiling, color, look, looks, texts
from vein2vein.report.look import floor as lowest
from vein2vein.report.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST_NUMBER = "100,000"  # on the logarithmic axes


@dataclass(frozen=True)
class One:
    """One patient of a journey, by position, and the companions who share what is known of this one."""

    journey: Journey
    index: int
    spread: Journey | None = None

    @property
    def days(self) -> Floats:
        """Days of the course, shape (k,)."""
        return np.asarray(self.journey.course.days, dtype=np.float64)

    def values(self, name: str) -> Floats:
        """Values of an analyte, shape (k,)."""
        return np.asarray(self.journey.course.dense(name), dtype=np.float64)[self.index]

    def below(self, name: str) -> Mask:
        """Whether each value is below the limit of quantification (it stands at the limit), shape (k,)."""
        flags = self.journey.course.below_lloq.get(name)
        return np.zeros(self.days.size, dtype=np.bool_) if flags is None else flags[self.index]

    def grade(self, key: str) -> facts.Grades:
        """Grades, shape (k,); not gradable where the key is absent."""
        found = self.journey.findings.get(key)
        if found is None:
            return np.full(self.days.size, facts.NOT_GRADABLE)
        return np.asarray(found.grade, dtype=np.int64)[self.index]

    @property
    def measures(self) -> tuple[str, ...]:
        """What the disease of this patient is followed by and was measured, the preferred first."""
        lineage = self.journey.arms[int(self.journey.arm[self.index])].disease.lineage
        return tuple(n for n in texts("disease_measures", lineage) if np.isfinite(self.values(n)).any())

    @property
    def died(self) -> bool:
        """Whether the patient died under observation."""
        return bool(self.journey.outcome.death_day[self.index] <= self.journey.outcome.last_day[self.index])

    def end(self) -> float:
        """Last day of observation."""
        outcome = self.journey.outcome
        return float(min(outcome.death_day[self.index], outcome.last_day[self.index]))


def daily_grades(one: One, key: str, last: int) -> facts.Grades:
    """Worst grade of each day 0 ... last, shape (last + 1,)."""
    return facts.worst_by_day(one.days, one.grade(key)[None, :], np.array([one.end()]), last)[0]


def tumor_name(one: One) -> str | None:
    """The measure by which this patient's disease is followed; None where none was taken."""
    return one.measures[0] if one.measures else None


def _mark_end(axes: Axes, one: One, at: float, *, worded: bool) -> None:
    """Draw where a death, or else the observation, ended what can be seen; nothing stands to the right of it."""
    said = "died" if one.died else "last day observed"
    axes.axvline(at, color=color("ink"), linewidth=look("figure", "thin") * 2)
    if worded:
        axes.annotate(
            f"{said}, day {number(one.end(), 3)}", (at, 1), xycoords=("data", "axes fraction"), xytext=(-4, -4),
            textcoords="offset points", ha="right", va="top", fontsize=look("figure", "small_size"),
        )  # fmt: skip


def _curve(axes: Axes, one: One, name: str, hue: str, at: Floats, window: Mask, *, logarithmic: bool) -> None:
    values = one.values(name)
    floor = lowest(name) if logarithmic else None
    if logarithmic:
        log_axis(axes)
    if one.spread is not None:
        days = np.asarray(one.spread.course.days, dtype=float)
        near = (days >= one.days[window].min()) & (days <= min(one.days[window].max(), one.end()))
        near &= np.isin(days, one.days[window])
        found = quantiles(facts.dense(one.spread, name)[:, near], looks("bands", "outer"))
        shown = np.isfinite(found).all(axis=0)
        scale = at[window].max() / max(one.days[window].max(), 1.0)
        low = np.maximum(found[0, shown], floor) if floor else found[0, shown]
        axes.fill_between(
            scale * days[near][shown],
            low,
            np.maximum(found[1, shown], low),
            color=hue,
            alpha=look("figure", "band_alpha"),
            linewidth=0,
        )
    there = window & np.isfinite(values)
    drawn = np.maximum(values[there], floor) if floor else values[there]
    sparse = there.sum() <= look("figure", "fewest_for_line")
    axes.plot(at[there], drawn, color=hue, marker="o" if sparse else None, markersize=4)
    if floor:
        axes.set_ylim(bottom=floor, top=ceiling(name))


def journey_figure(one: One) -> Picture | None:
    """CAR-T, tumor, B cells, IL-6 and CRP, temperature, grades and treatments over the first weeks."""
    last = int(look("windows", "early"))
    days = one.days
    window = (days >= 0) & (days <= min(last, one.end()))
    names = [facts.readout(one.journey), tumor_name(one), "b_cells", "il6", "temperature"]
    panels = [n for n in names if n and np.isfinite(one.values(n)[window]).any()]
    if not panels:
        return None
    given = {n: np.floor(days[one.values(n) > 0]) for n in facts.given_names(one.journey)}
    given = {n: d[(d >= look("windows", "before")) & (d <= last)] for n, d in given.items() if n != "antipyretic"}
    given = {n: d for n, d in given.items() if d.size}
    grades = np.stack([daily_grades(one, key, last) for key in (usual_crs(), usual_neurologic())])
    names_of = [finding_words(key).short for key in (usual_crs(), usual_neurologic())]
    titles = [analyte(n).title.split(",")[0].split(" (")[0] for n in given]
    proteins = "il6" in panels and bool(np.isfinite(one.values("crp")[window]).any())
    hues = {
        "b_cells": "b_cells",
        "il6": "il6",
        "temperature": "temperature",
        "transgene": "cells",
        "car_t_cells": "cells",
    }

    def draw(figure: Figure) -> None:
        rows = figure.subplots(
            len(panels) + 1 + bool(given),
            1,
            sharex=True,
            height_ratios=[3] * len(panels) + [1.3] + [0.5 + 0.45 * len(given)] * bool(given),
        )
        for axes, name in zip(rows, panels):
            _curve(axes, one, name, color(hues.get(name, "tumor")), days, window, logarithmic=name != "temperature")
            mark_level(axes, name)
            beside = name == "il6" and proteins
            axes.set_title(axis_name(name) + ("; dashed: CRP (mg/L)" if beside else ""))
            if beside:
                _beside(axes, one, window)
            if one.end() < last:
                _mark_end(axes, one, one.end(), worded=axes is rows[0])
        strip = rows[len(panels)]
        draw_grades(strip, grades)
        strip.set_yticks([0, 1], names_of)
        strip.tick_params(axis="y", length=0)
        strip.set_ylim(1.5, -0.5)
        for (row, day), grade in np.ndenumerate(grades):
            if grade > 0:
                strip.text(
                    day,
                    row,
                    str(grade),
                    ha="center",
                    va="center",
                    fontsize=look("figure", "tiny_size"),
                    color=color("paper" if grade > 2 else "ink"),
                )
        strip.set_title("Worst grade of the day (ASTCT)")
        if given:
            ticks = rows[-1]
            for row, when in enumerate(given.values()):
                ticks.plot(
                    when,
                    np.full(when.size, row),
                    linestyle="",
                    marker="|",
                    markersize=9,
                    markeredgewidth=2,
                    color=color("ink"),
                )
            ticks.set_yticks(range(len(given)), titles)
            ticks.set_ylim(len(given) - 0.4, -0.6)
            ticks.tick_params(axis="y", length=0)
            ticks.set_title("Treatments")
            ticks.grid(False)
        first = min((float(d.min()) for d in given.values()), default=0.0)
        rows[-1].set_xlim(min(first, 0.0) - 0.5, last + 0.5)
        for axes in rows:
            axes.tick_params(labelbottom=axes is rows[-1])
        day_axis(rows[-1], last + 0.5)

    words = [f"highest {name} {_grade(int(row.max()))}" for name, row in zip(names_of, grades)]
    band = (
        " Shaded: 5–95 % of the companions who share what is known of this patient." if one.spread is not None else ""
    )
    return render(
        "journey",
        f"Days around the infusion: {', '.join(words)}",
        f"Panels over days: {', '.join(panels)}; a strip of CRS and ICANS grades; ticks for "
        f"treatments. {', '.join(words)}.",
        draw,
        height=1.55 * len(panels) + 1.3 + 0.32 * len(given),
        labels=text_width([*names_of, *titles, LONGEST_NUMBER], "small_size"),
        layout="journey-crp" if proteins else "journey",
        caption=f"Day 0 is the infusion. {_ended(one, last)}Logarithmic axes except for temperature and CRP; dots "
        f"where a value was measured on few days.{band}",
    )


def _ended(one: One, last: float) -> str:
    """What is said of the end of a course that ended before ``last``; "" where it did not."""
    if one.end() >= last or not (one.died or np.isfinite(last)):
        return ""
    said = "died" if one.died else "was last observed"
    return f"The patient {said} on day {number(one.end(), 3)}; nothing is drawn after it. "


def _grade(worst: int) -> str:
    return f"grade {worst}" if worst >= 0 else "grade unknown"


def _beside(axes: Axes, one: One, window: Mask) -> None:
    other = axes.twinx()
    other.plot(one.days[window], one.values("crp")[window], color=color("crp"), linestyle=(0, (4, 2)))
    other.set_ylim(0)
    other.grid(False)
    other.spines["right"].set_visible(True)
    other.set_ylabel("CRP (mg/L)")


def follow_up_figure(one: One) -> Picture | None:
    """CAR-T, tumor, B cells and IgG over the whole follow-up."""
    names = [facts.readout(one.journey), tumor_name(one), "b_cells", "igg"]
    shown = [n for n in names if n and np.isfinite(one.values(n)).sum() > 1]
    last = one.end()
    if not shown or last < 2 * look("windows", "early"):
        return None
    at, seen = months(one.days), (one.days >= 0) & (one.days <= last)
    visits = sorted({0.0, *one.journey.plan.kinetics_samples, *one.journey.plan.disease_visits})
    window = seen & (np.isin(one.days, visits) | (one.days > look("windows", "early")))
    hues = {"b_cells": "b_cells", "igg": "igg", "transgene": "cells", "car_t_cells": "cells"}

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import MultipleLocator

        grid = np.atleast_1d(figure.subplots(-(-len(shown) // 2), 2, sharex=True)).ravel()
        for axes, name in zip(grid, shown):
            _curve(axes, one, name, color(hues.get(name, "tumor")), at, window, logarithmic=name != "igg")
            mark_level(axes, name)
            axes.set_title(axis_name(name))
            axes.set_xlim(0, float(months(last)) * look("figure", "room_right"))
            axes.xaxis.set_major_locator(MultipleLocator(month_step(float(months(last)))))
            if one.died:
                _mark_end(axes, one, float(months(last)), worded=axes is grid[0])
        for axes in grid[max(len(shown) - 2, 0) : len(shown)]:
            axes.set_xlabel("Months after infusion")
            axes.tick_params(labelbottom=True)
        for axes in grid[len(shown) :]:
            axes.set_visible(False)

    band = " Shaded: 5–95 % of the companions." if one.spread is not None else ""
    return render(
        "follow-up",
        f"Follow-up to month {float(months(last)):.0f}",
        f"{', '.join(all_analytes()[n].title for n in shown)} over the whole follow-up.",
        draw,
        height=2.5 * -(-len(shown) // 2),
        caption=f"Values at visits; undetectable disease lies on the lower edge. {_ended(one, np.inf)}{band}".strip(),
    )
