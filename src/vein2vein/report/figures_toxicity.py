"""Figures of toxicity: grades by day and patient, treatments given, inflammation, blood counts."""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.analytes import analyte
from vein2vein.clinic.words import finding_words, usual_crs, usual_neurologic
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
    quantiles,
    render,
    text_width,
)
from vein2vein.report.look import axis_name, color, look, looks, texts, unit_name
from vein2vein.report.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


SEVERE = 3  # grade from which a toxicity is severe


def patient_order(crs: NDArray[np.int64]) -> NDArray[np.intp]:
    """Positions of patients, worst CRS first, earlier onset first within a grade."""
    worst, ill = crs.max(axis=1, initial=0), crs > 0
    first: NDArray[np.int64] = ill.argmax(axis=1).astype(np.int64)
    onset = np.where(ill.any(axis=1), first, np.int64(crs.shape[1]))
    return np.lexsort((onset, -worst))


def some_rows(order: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """At most so many positions, evenly from the first to the last."""
    return order if order.size <= most else order[np.linspace(0, order.size - 1, most).round().astype(np.intp)]


def grade_figure(journey: Journey, key: str = "") -> Picture | None:
    """CRS and ICANS as a heat map of days and patients, one row per patient in both panels."""
    last = int(look("windows", "acute"))
    tables = {
        finding_words(one).label: facts.daily_worst(journey, one, last) for one in (usual_crs(), usual_neurologic())
    }
    crs, icans = tables.values()
    count = crs.shape[0]
    if not count:
        return None
    every = patient_order(crs)
    order = some_rows(every, int(look("figure", "most_patients")))
    marks = (
        treatment_marks(journey, ("tocilizumab",), last),
        treatment_marks(journey, ("dexamethasone", "methylprednisolone"), last),
    )

    def draw(figure: Figure) -> None:
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        both = figure.subplots(1, 2, sharey=True)
        for axes, (title, table) in zip(both, tables.items()):
            draw_grades(axes, table[order])
            axes.set_title(title)
            day_axis(axes, last + 1 / 2)
            axes.set_xlim(-1 / 2)
            _digits(axes, table[order])
        for (rows, at), shape, face in zip(marks, ("v", "o"), (color("paper"), color("sky"))):
            place = {int(p): i for i, p in enumerate(order)}
            drawn = [(day, place[int(row)]) for row, day in zip(rows, at) if int(row) in place]
            both[0].plot(
                [day + 1 / 3 for day, _ in drawn], [row for _, row in drawn], shape,
                markersize=look("figure", "small_mark"),
                markerfacecolor=face, markeredgecolor=color("ink"), markeredgewidth=look("figure", "thin"), zorder=4,
            )  # fmt: skip
        worst = crs[order].max(axis=1)
        firsts = [int(np.flatnonzero(worst == grade)[0]) for grade in np.unique(worst)[::-1]]
        named = [_group_name(int(worst[row]), int((crs.max(axis=1) == worst[row]).sum())) for row in firsts]
        both[0].set_yticks(firsts, named)
        for axes in both:
            axes.tick_params(axis="y", length=0)
            axes.hlines([row - 1 / 2 for row in firsts[1:]], -1 / 2, last + 1 / 2, color=color("ink"), linewidth=1)
        both[0].set_ylim(order.size - 1 / 2, -1 / 2)
        used = sorted({int(g) for g in np.unique(np.stack([crs, icans])) if g >= 0} | {0, 1, 2, 3, 4})
        keys: list[Any] = [
            Patch(facecolor=texts("grades", "colors")[g], edgecolor=color("faint"), label=f"grade {g}") for g in used
        ]
        if (np.stack([crs, icans]) == facts.NOT_GRADABLE).any():
            keys.append(
                Patch(facecolor=color("not_gradable"), hatch="////", edgecolor=color("soft"), label="not gradable")
            )
        if (np.stack([crs, icans]) == facts.NOT_OBSERVED).any():
            keys.append(Patch(facecolor=color("paper"), edgecolor=color("faint"), label="died"))
        if any(rows.size for rows, _ in marks):
            keys += [
                Line2D(
                    [],
                    [],
                    marker="v",
                    linestyle="",
                    markerfacecolor=color("paper"),
                    markeredgecolor=color("ink"),
                    markersize=5,
                    label="tocilizumab",
                ),
                Line2D(
                    [],
                    [],
                    marker="o",
                    linestyle="",
                    markerfacecolor=color("sky"),
                    markeredgecolor=color("ink"),
                    markersize=5,
                    label="steroid",
                ),
            ]
        figure.legend(handles=keys, loc="outside lower center", ncols=len(keys), handlelength=1.2, columnspacing=1.2)

    marked = " Triangles and dots: days with tocilizumab and with a steroid." if any(r.size for r, _ in marks) else ""
    shown = "" if order.size == count else f" Shown are {order.size} of {count} patients, evenly from the worst on."
    severe = [(title, int((t.max(axis=1) >= 3).sum()), int((t.max(axis=1) > 0).sum())) for title, t in tables.items()]
    words = "; ".join(
        f"{title}: any grade in {some} of {count}, grade 3 or higher in {bad}" for title, bad, some in severe
    )
    return render(
        f"grades{key}",
        f"{finding_words(usual_crs()).short} in {severe[0][2]} and {finding_words(usual_neurologic()).short} in "
        f"{severe[1][2]} of {count} infused patients by day {last}",
        f"Heat map of the worst grade of each day from infusion to day {last}, one row per patient. {words}.",
        draw,
        height=sum(looks("margins", "grades")[2:4]) + look("figure", "row") * max(order.size, 6),
        layout="grades",
        caption=f"{words}. A row is one patient, the same in both panels; sorted by worst CRS grade (the labels count "
        f"all patients with it), then by onset. Color and digit: worst grade of the day.{marked}{shown}",
    )


def _group_name(grade: int, count: int) -> str:
    name = {facts.NOT_GRADABLE: "not gradable", facts.NOT_OBSERVED: "not observed"}.get(grade, f"grade {grade}")
    return f"{name} (n = {count})"


def _digits(axes: Axes, table: NDArray[np.int64]) -> None:
    """Print the grades into their cells, so that they can be told without color; 0 is empty."""
    for (row, day), grade in np.ndenumerate(table):
        if grade > 0:
            axes.text(
                day - 1 / 8, row, str(grade), ha="center", va="center", fontsize=look("figure", "digit_size"),
                color=color("paper" if grade >= SEVERE else "ink"),
            )  # fmt: skip


def draw_grades(axes: Axes, table: NDArray[np.int64]) -> None:
    """Draw grades, shape (rows, days), as colored cells; hatched where not gradable, empty after the end."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import ListedColormap

    colors = texts("grades", "colors")
    shown = np.ma.masked_less(table, 0)
    axes.imshow(
        shown,
        cmap=ListedColormap(colors),
        vmin=-1 / 2,
        vmax=len(colors) - 1 / 2,
        aspect="auto",
        interpolation="none",
        extent=(-1 / 2, table.shape[1] - 1 / 2, table.shape[0] - 1 / 2, -1 / 2),
    )
    hatched = [
        [
            (start - 1 / 2, row - 1 / 2),
            (stop - 1 / 2, row - 1 / 2),
            (stop - 1 / 2, row + 1 / 2),
            (start - 1 / 2, row + 1 / 2),
        ]
        for row in range(table.shape[0])
        for start, stop in _runs(table[row] == facts.NOT_GRADABLE)
    ]
    if hatched:
        axes.add_collection(
            PolyCollection(hatched, facecolor=color("not_gradable"), edgecolor=color("soft"), hatch="////", linewidth=0)
        )
    axes.grid(False)
    for edge in ("left", "bottom"):
        axes.spines[edge].set_visible(False)
    if table.shape[0] <= look("figure", "most_rows_with_marks"):
        axes.hlines(
            np.arange(1, table.shape[0], dtype=np.float64) - 1 / 2,
            -1 / 2,
            table.shape[1] - 1 / 2,
            color=color("paper"),
            linewidth=look("figure", "thin"),
        )


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist()))


def treatment_marks(journey: Journey, names: Sequence[str], last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and day of each day on which any of these treatments was given, days 0 ... last."""
    days = np.asarray(journey.course.days, dtype=float)
    amounts = sum(facts.given(journey, n) for n in names)
    rows, columns = np.nonzero((amounts > 0) & (days >= 0) & (days <= last))
    pairs = np.unique(np.stack([rows, np.floor(days[columns]).astype(np.int64)], axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def treatment_figure(journey: Journey, key: str = "") -> Picture | None:
    """Number of infused patients who got each treatment, by day."""
    names = [n for n in facts.given_names(journey) if n not in ("car_t_infusion", "antipyretic")]
    if not names:
        return None
    last = int(look("windows", "early"))
    days = np.asarray(journey.course.days, dtype=float)
    grid = np.arange(-int(look("windows", "acute")), last + 1)
    counts: dict[str, NDArray[np.int64]] = {}
    for name in names:
        flags = facts.given(journey, name) > 0
        counts[name] = np.array([flags[:, np.floor(days) == d].any(axis=1).sum() for d in grid])
    names = [n for n in names if counts[n].any()]
    if not names:
        return None
    titles = {n: analyte(n).title.split(" (")[0].replace(", ", ",\n") for n in names}
    first = min(-1, min(int(grid[np.flatnonzero(counts[n])[0]]) for n in names) - 1)

    def draw(figure: Figure) -> None:
        rows = np.atleast_1d(figure.subplots(len(names), 1, sharex=True))
        for axes, name in zip(rows, names):
            held = counts[name] > 0
            draw_bars(
                axes, grid[held] - 0.4, grid[held] + 0.4, counts[name][held], facecolor=color("blue"), linewidth=0
            )
            axes.set_ylabel(titles[name], rotation=0, ha="right", va="center")
            top = max(int(counts[name].max()), 1)
            axes.set_ylim(0, top * 1.15)
            axes.set_yticks([0, top])
        rows[-1].set_xlim(first, last + 1)
        day_axis(rows[-1], last + 1)
        figure.align_ylabels(rows)

    return render(
        f"treatments{key}",
        f"Patients treated, by day (to day {last})",
        "Bars: number of infused patients given each treatment on each day. " + ", ".join(names) + ".",
        draw,
        height=0.9 + 0.62 * len(names),
        labels=text_width("\n".join(titles.values()).split("\n"), "font_size"),
        layout="treatments",
        caption="Each bar counts the infused patients who got at least one dose on that day. Later doses are "
        "in the table.",
    )


def inflammation_figure(journey: Journey, key: str = "") -> Picture | None:
    """IL-6, CRP, ferritin and temperature over the first 28 days."""
    return _panels(
        journey,
        "inflammation",
        key,
        "il6",
        "Cytokines, acute-phase proteins and fever, days 0 to 28",
        {"il6": True, "crp": False, "ferritin": True, "temperature": False},
        {"il6": "il6", "crp": "crp", "ferritin": "ferritin", "temperature": "temperature"},
        look("windows", "acute"),
    )


def count_figure(journey: Journey, key: str = "") -> Picture | None:
    """Neutrophils, platelets, hemoglobin and lymphocytes over the first 90 days."""
    return _panels(
        journey,
        "counts",
        key,
        "neutrophils",
        "Blood counts, days 0 to 90",
        {"neutrophils": True, "platelets": False, "hemoglobin": False, "lymphocytes": True},
        dict.fromkeys(("neutrophils", "platelets", "hemoglobin", "lymphocytes"), "counts"),
        2 * look("windows", "early"),
    )


def _panels(
    journey: Journey,
    name: str,
    key: str,
    leading: str,
    title: str,
    logarithmic: dict[str, bool],
    hues: dict[str, str],
    last: float,
) -> Picture | None:
    days = np.asarray(journey.course.days, dtype=float)
    window = (days >= 0) & (days <= last)
    shown = [n for n in logarithmic if np.isfinite(facts.dense(journey, n)[:, window]).any()]
    if not shown:
        return None

    def draw(figure: Figure) -> None:
        rows = -(-len(shown) // 2)
        grid = np.atleast_1d(figure.subplots(rows, 2, sharex=True)).ravel()
        for axes, key in zip(grid, shown):
            values = facts.dense(journey, key)[:, window]
            if logarithmic[key]:
                log_axis(axes)
            draw_band(axes, days[window], values, color(hues[key]), inner=True)
            mark_level(axes, key)
            axes.set_title(analyte(key).title)
            axes.set_ylabel(axis_name(key).removeprefix(analyte(key).title).strip(" ()") or "value")
            axes.set_xlim(0)
        figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
        for axes in grid[max(len(shown) - 2, 0) : len(shown)]:
            day_axis(axes, last)
        for axes in grid[len(shown) :]:
            axes.set_visible(False)

    if leading in shown:
        middle = quantiles(facts.dense(journey, leading)[:, window], [look("bands", "middle")])[0]
        if np.isfinite(middle).any():
            best = int(np.nanargmax(middle) if leading == "il6" else np.nanargmin(middle))
            title += (
                f": median {_lower(analyte(leading).title)} {'highest' if leading == 'il6' else 'lowest'} "
                f"on day {days[window][best]:.0f} ({number(middle[best])} "
                f"{unit_name(analyte(leading).unit)})"
            )
    peaks = {n: facts.summary(_extreme(facts.dense(journey, n)[:, window], leading == "il6")) for n in shown}
    extreme = "highest" if leading == "il6" else "lowest"
    words = "; ".join(f"{analyte(n).title} {number(p[0])} {unit_name(analyte(n).unit)}" for n, p in peaks.items())
    return render(
        f"{name}{key}",
        title,
        f"{title}: median with 25 to 75 and 5 to 95 percent bands for {', '.join(shown)}. Median of "
        f"each patient's {extreme} value: {words}.",
        draw,
        height=2.5 * -(-len(shown) // 2) + 0.3,
        layout=name,
        caption="Line: median; bands: 25–75 % and 5–95 % of patients alive. Median of each patient's "
        f"{extreme} value: {words}.",
    )


def _extreme(values: Floats, highest: bool) -> Floats:
    known = np.isfinite(values).any(axis=1)
    found = np.full(values.shape[0], np.nan)
    found[known] = np.nanmax(values[known], axis=1) if highest else np.nanmin(values[known], axis=1)
    return found


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]
