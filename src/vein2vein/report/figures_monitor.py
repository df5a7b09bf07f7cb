"""The timeline of a record: strips of grades, signs and laboratory values below, treatments as ticks."""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vein2vein.report import facts
from vein2vein.report.figures import Floats, Picture, day_axis, log_axis, mark_level, months, render, text_width
from vein2vein.report.figures_toxicity import draw_grades
from vein2vein.report.figures_tracks import draw_tracks, tracks
from vein2vein.report.look import axis_name, color, look, mark
from vein2vein.ward.monitor import WardRound, death_day
from vein2vein.ward.states import title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = ("temperature", "systolic_bp", "ice", "capd", "crp", "ferritin", "neutrophils", "platelets")
LATE_PANELS = ("transgene", "car_t_cells", "b_cells", "igg", "neutrophils", "platelets")
HALF = 1 / 2  # the date d is drawn around d, under its grade
LOGARITHMIC = ("crp", "ferritin", "neutrophils", "platelets", "transgene", "car_t_cells", "b_cells")


def daily(watch: WardRound, name: str, last: int) -> tuple[Any, Any]:
    """Grade and least grade of each day 0 to last, shape (last + 1,); -2 where the record holds nothing."""
    found, least = np.full(last + 1, facts.NOT_OBSERVED), np.zeros(last + 1, dtype=int)
    end = np.floor(_end(watch) + _clock(watch))
    for day in watch.days:
        if 0 <= day.day <= min(last, end):
            found[day.day] = day.states[name].grade
            least[day.day] = day.states[name].at_least if day.states[name].grade < 0 else 0
    return found, least


def _end(watch: WardRound) -> float:
    """Day of death, after which nothing is drawn; inf: alive as far as the record says."""
    died = death_day(watch.course)
    return died if np.isfinite(died) else np.inf


def _clock(watch: WardRound) -> float:
    return float(watch.course.clock[0]) if watch.course.clock.size else 0.0


def timeline(watch: WardRound) -> Picture | None:
    """The first weeks: strips of grades, signs, laboratory values, treatments."""
    last = int(min(max(np.ceil(watch.today), look("windows", "tick_acute")), look("windows", "early")))
    if watch.today < 0:
        return None
    names = [n for n in watch.findings if any(d.states[n].grade >= 0 or d.states[n].at_least for d in watch.days)]
    names = names or list(watch.findings)
    strips = [daily(watch, name, last) for name in names]
    days = watch.course.days
    clock = _clock(watch)
    window = (days >= look("windows", "before")) & (days <= min(last + 1, _end(watch)))
    panels = [n for n in PANELS if n in watch.course and np.isfinite(watch.course.values[n][0, window]).any()]
    rows_of_tracks = tracks(watch.course, min(last + 1, watch.today, _end(watch)), treatments(watch, last))
    short = [one.title for one in rows_of_tracks]

    def draw(figure: Figure) -> None:
        rows = figure.subplots(
            1 + len(panels) + bool(short), 1, sharex=True, squeeze=False,
            height_ratios=[0.42 * len(names) + 0.3] + [0.3 + 0.26 * len(short)] * bool(short) + [1.25] * len(panels),
        )[:, 0]  # fmt: skip
        first = min([float(days[window].min()), 0.0, *(day for one in rows_of_tracks for day in one.ticks)])
        _strips(rows[0], strips, names)
        if short:
            draw_tracks(rows[1], rows_of_tracks, clock - HALF, last + 3 / 2 - first)
        for axes, name in zip(rows[1 + bool(short) :], panels):
            _points(axes, watch, name, days + clock - HALF, window)
        rows[-1].set_xlim(first - 1, last + 1 / 2)
        for axes in rows:
            axes.tick_params(labelbottom=axes is rows[-1])
        day_axis(rows[-1], last + 1 / 2)

    return render(
        "timeline", f"Grades by day, to day {last}",
        f"Strips of daily grades: {', '.join(title(n) for n in names)}; panels: {', '.join(panels)}; treatments."
        + (f" Tracks: {', '.join(short)}." if short else ""),
        draw, height=0.75 + 0.42 * len(names) + 1.25 * len(panels) + 0.26 * len(short) + 0.3 * bool(short),
        labels=max(_numbers(), text_width([*map(title, names), *short], "small_size")),
        caption="Worst grade of each date, that of the infusion being day 0. Hatched: the day has rows but "
        "cannot be graded (at least a grade where a number with ≥ stands); empty: no rows. B-cell aplasia: "
        "1 means aplasia; immunoglobulin G: 1 low, 2 severely low. A bar runs from a charting to the next, for as long "
        "as a charting holds; hatched with ?: charted and not understood. Open circles: below the limit of the assay. "
        "The rows behind each grade stand in the table below.",
    )  # fmt: skip


def treatments(watch: WardRound, last: float = np.inf) -> dict[str, list[float]]:
    """Days on which each treatment was given, in the window of the figure."""
    found: dict[str, list[float]] = {}
    for day in watch.days:
        for row in day.given:
            if look("windows", "before") <= row.day <= min(last + 1, _end(watch)):
                found.setdefault(row.analyte, []).append(row.day)
    return found


def _strips(axes: Axes, strips: list[tuple[Any, Any]], names: list[str]) -> None:
    table = np.stack([found for found, _ in strips])
    draw_grades(axes, table)
    for row, (found, least) in enumerate(strips):
        for day, (grade, at_least) in enumerate(zip(found, least)):
            text = str(grade) if grade > 0 else f"≥{at_least}" if grade == facts.NOT_GRADABLE and at_least > 0 else ""
            if text:
                axes.text(
                    day, row, text, ha="center", va="center", fontsize=look("figure", "tiny_size"),
                    color=color("paper" if grade > 2 else "ink"),
                )  # fmt: skip
    axes.set_yticks(range(len(names)), [title(n) for n in names])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 1 / 2, -1 / 2)
    axes.set_title("Worst grade of the day", y=1.0)


def _points(axes: Axes, watch: WardRound, name: str, at: Any, window: Any) -> None:
    values = watch.course.values[name][0]
    there = window & np.isfinite(values)
    below = watch.course.below_lloq.get(name)
    low = np.zeros(values.size, dtype=bool) if below is None else below[0]
    hue = color("temperature" if name in ("temperature", "systolic_bp") else "counts")
    if name in LOGARITHMIC and (values[there] > 0).all():
        log_axis(axes)
    axes.plot(at[there], values[there], color=hue, linewidth=look("figure", "thin") * 2)
    axes.plot(at[there & ~low], values[there & ~low], linestyle="", marker="o", markersize=3.5, color=hue)
    axes.plot(
        at[there & low],
        values[there & low],
        linestyle="",
        marker="o",
        markersize=4.5,
        color=hue,
        markerfacecolor="none",
    )
    drawn = values[there]
    if near_mark(name, drawn):
        mark_level(axes, name)
    axes.set_title(axis_name(name), y=1.0)


def near_mark(name: str, drawn: Floats) -> bool:
    """Whether the level of an analyte lies near what is drawn."""
    level = mark(name)
    return level is not None and bool(drawn.min() <= 2 * level.value and drawn.max() >= level.value / 2)


def _numbers() -> float:
    """Inches that the numbers of a panel take beside it."""
    return text_width(["100,000"], "small_size")


def follow_up(watch: WardRound) -> Picture | None:
    """The months after the first weeks: cells, B cells, immunoglobulin, counts; None where the record ends before."""
    if watch.today <= look("windows", "early"):
        return None
    days, at = watch.course.days, months(watch.course.days)
    window = (days >= 0) & (days <= _end(watch))
    panels = [n for n in LATE_PANELS if n in watch.course and np.isfinite(watch.course.values[n][0, window]).any()]
    if not panels:
        return None

    def draw(figure: Figure) -> None:
        rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, name in zip(rows, panels):
            _points(axes, watch, name, at, window)
        rows[-1].set_xlabel("Month after infusion")

    return render(
        "follow-up", "Follow-up", f"Panels over months: {', '.join(panels)}.", draw, height=0.6 + 1.3 * len(panels),
        labels=_numbers(), layout="timeline",
        caption="All values since the infusion. Open circles: below the limit of the assay.",
    )  # fmt: skip
