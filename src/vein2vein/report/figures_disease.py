"""Figures of the disease: what became of the infused over time, and a swimmer plot of some of them."""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.words import Lineage
from vein2vein.journey.journey import Journey
from vein2vein.report.facts import Mask
from vein2vein.report.figures import Floats, Picture, month_axis, months, render
from vein2vein.report.look import color, entries, look, texts
from vein2vein.report.text import listed, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BEFORE, IN_RESPONSE, AFTER, DEAD = range(4)  # states of a patient, as the style card names them
EVENTS, GOES_ON = ("response", "transplant", "back", "death"), "goes on"


@dataclass(frozen=True)
class Lives:
    """Days from infusion of the infused, shape (m,); inf: did not happen.

    Attributes
    ----------
    response, back, transplant, death, end : ndarray
        ``back``: relapse or progression; ``end``: last day of observation, death included.
    """

    response: Floats
    back: Floats
    transplant: Floats
    death: Floats
    end: Floats


def lives(journey: Journey, words: Lineage) -> Lives:
    """Read from the outcome what became of the infused; a response counts that counts as success in the disease."""
    there, out = journey.infused, journey.outcome
    success = np.isin(np.asarray(out.best_response, dtype=str), words.counts)
    response = np.where(success, out.response_day, np.inf)
    back = np.minimum(out.relapse_day, out.progression_day)
    end = np.minimum(out.death_day, out.last_day)
    days = (response, back, np.asarray(out.hsct_day), np.asarray(out.death_day), end)
    return Lives(*(np.asarray(day, dtype=np.float64)[there] for day in days))


def states(of: Lives, days: Floats) -> NDArray[np.int64]:
    """State of each patient on each day, shape (m, k); -1 after the end of observation of one who did not die."""
    at = days[None, :]
    response, back, death, end = (day[:, None] for day in (of.response, of.back, of.death, of.end))
    found = np.where(at >= back, AFTER, np.where(at >= response, IN_RESPONSE, BEFORE))
    return np.where(at >= death, DEAD, np.where(at > end, -1, found))


def shares(of: Lives, days: Floats) -> Floats:
    """Share of those whose state is known in each state on each day, shape (4, k); NaN where there is nobody."""
    table = states(of, days)
    known = (table >= 0).sum(axis=0)
    each = np.stack([(table == state).sum(axis=0) for state in range(DEAD + 1)]).astype(np.float64)
    return np.where(known > 0, each / np.maximum(known, 1), np.nan)


def swimmers(of: Lives) -> NDArray[np.intp]:
    """Positions of the patients drawn, the longest observed first: all, or evenly from first to last."""
    order = np.lexsort((np.minimum(of.back, of.death), of.end))[::-1]
    most = int(look("swimmers", "most"))
    return order if order.size <= most else order[np.linspace(0, order.size - 1, most).round().astype(int)]


def disease_figure(journey: Journey, words: Lineage, key: str = "") -> Picture | None:
    """Shares in response, after it and dead over time, and a swimmer plot of some thirty patients."""
    of = lives(journey, words)
    if not of.end.size:
        return None
    last = float(of.end.max())
    grid = np.linspace(0, last, int(look("swimmers", "days")))
    chosen = swimmers(of)
    names, hues, hatches = (texts("states", name) for name in ("names", "colors", "hatches"))

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(2, 3))
        part = 100 * shares(of, grid)
        known = np.isfinite(part[0])
        below = np.zeros(int(known.sum()))
        for state in (IN_RESPONSE, BEFORE, AFTER, DEAD):
            top = below + part[state, known]
            left.fill_between(
                months(grid[known]), below, top, facecolor=hues[state], hatch=hatches[state] or None,
                edgecolor=color("soft") if hatches[state] else hues[state], linewidth=0, label=names[state],
            )  # fmt: skip
            below = top
        left.set_title(f"All {of.end.size} infused")
        left.set_ylabel("Share of patients (%)")
        left.set_ylim(0, 100)
        month_axis(left, float(months(last)))
        left.set_xlim(0, float(months(last)))
        _swim(right, of, chosen, last)
        right.set_title(f"{chosen.size} patients, one line each")
        figure.legend(
            handles=[*left.get_legend_handles_labels()[0], *_keys(of, chosen)], loc="outside lower center",
            ncols=int(look("swimmers", "legend_columns")), handlelength=1.2, columnspacing=1.2,
        )  # fmt: skip

    there = of.end.size
    responded = int(np.isfinite(of.response).sum())
    back = int((np.isfinite(of.response) & np.isfinite(of.back)).sum())
    died = int(np.isfinite(of.death).sum())
    success = listed(words.possible(journey.arms[0].categories))
    said = (
        f"{responded} of {there} infused {words.reached} ({success}), "
        f"{back} of them relapsed or progressed, {died} of all died in follow-up"
    )
    lowered = f"{words.return_[:1].lower()}{words.return_[1:]}"
    some = f" Right: {chosen.size} of {there} patients, evenly from the longest to the shortest observed." \
        if chosen.size < there else ""  # fmt: skip
    return render(
        f"tumor{key}",
        f"{words.stage}: {percent(responded, there)} of the infused; later {lowered} in {percent(back, responded)} of "
        "those",
        f"Stacked areas of the infused in response, without response, after relapse or progression, and dead, over "
        f"time; beside it a swimmer plot. {said}.",
        draw,
        height=look("swimmers", "height"),
        layout="tumor",
        caption=f"{said}. Left: of those still observed or dead.{some}",
    )


def _bars(axes: Axes, rows: Floats, start: Floats, stop: Floats, state: int) -> None:
    there = stop > start
    if not there.any():
        return
    hue, hatch = texts("states", "colors")[state], texts("states", "hatches")[state]
    axes.barh(
        rows[there], months(stop[there] - start[there]), left=months(start[there]), height=look("swimmers", "bar"),
        facecolor=hue, hatch=hatch or None, edgecolor=color("soft") if hatch else hue, linewidth=0,
    )  # fmt: skip


def _swim(axes: Axes, of: Lives, chosen: NDArray[np.intp], last: float) -> None:
    rows = np.arange(chosen.size, dtype=np.float64)
    response, back, end = (day[chosen] for day in (of.response, of.back, of.end))
    first = np.minimum(np.minimum(response, back), end)
    _bars(axes, rows, np.zeros(chosen.size), first, BEFORE)
    _bars(axes, rows, first, np.minimum(back, end), IN_RESPONSE)
    _bars(axes, rows, np.minimum(back, end), end, AFTER)
    for what, day in _events(of, chosen).items():
        there = np.isfinite(day)
        axes.plot(months(day[there]), rows[there], **_mark(what))
    axes.set_ylim(chosen.size - 1 / 2, -1 / 2)
    axes.set_yticks([])
    axes.grid(False)
    month_axis(axes, float(months(last)))


def _events(of: Lives, chosen: NDArray[np.intp]) -> dict[str, Floats]:
    alive: Mask = ~np.isfinite(of.death[chosen])
    days = (of.response, of.transplant, of.back, of.death)
    found: dict[str, Floats] = {what: day[chosen] for what, day in zip(EVENTS, days)}
    found[GOES_ON] = np.where(alive, of.end[chosen], np.inf)
    return found


def _mark(what: str) -> dict[str, Any]:
    one = entries("swimmers", "marks")[what]
    face = color(str(one["face"]))
    return {
        "linestyle": "", "marker": str(one["shape"]), "markersize": float(one["size"]), "markerfacecolor": face,
        "markeredgecolor": color("ink"), "markeredgewidth": look("figure", "thin") * 2, "label": str(one["label"]),
        "clip_on": False, "zorder": 4,
    }  # fmt: skip


def _keys(of: Lives, chosen: NDArray[np.intp]) -> list[Any]:
    from matplotlib.lines import Line2D

    return [Line2D([], [], **_mark(what)) for what, day in _events(of, chosen).items() if np.isfinite(day).any()]
