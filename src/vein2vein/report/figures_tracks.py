"""Tracks under the grades: oxygen, vasopressors and arousal as bars for as long as a charting holds, drugs as ticks."""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vein2vein.analytes import analyte
from vein2vein.clinic.criteria import edition
from vein2vein.report.look import color, look, looks, texts
from vein2vein.therapy.course import Course
from vein2vein.ward.states import plain_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OXYGEN, AROUSAL, FLOW = "oxygen_device", "arousal", "oxygen_flow"
HOLDS = {OXYGEN: "oxygen_raises", FLOW: "oxygen_raises", AROUSAL: "examined_raises"}  # of a pump: pump_raises
UNREAD = -1


@dataclass(frozen=True)
class Bar:
    """From one charting to the next, or for as long as it holds.

    Attributes
    ----------
    first, last : float
        Days.
    shade : int
        Place in the colors of grades; -1: charted and not understood.
    text : str
        What was charted, where it changed.
    """

    first: float
    last: float
    shade: int
    text: str


@dataclass(frozen=True)
class Track:
    """One row of the figure: bars, or ticks at some days."""

    title: str
    bars: tuple[Bar, ...] = ()
    ticks: tuple[float, ...] = ()


def tracks(course: Course, last: float, given: dict[str, list[float]]) -> list[Track]:
    """Rows of one patient up to a day: what was charted of oxygen, each vasopressor and arousal; drugs as given.

    A bar ends at the next charting of its own, and no later than a charting holds (criteria/held_signs.toml): what is
    not charted again is left empty, not drawn on.
    """
    pumps = edition("held_signs").lists["pump"]
    oxygen = OXYGEN if _charted(course, OXYGEN) else FLOW
    found = [
        Track(_title(name), _bars(course, name, last))
        for name in (oxygen, *pumps, AROUSAL)
        if _charted(course, name) and (name not in pumps or course.positive(name).any() or _unread(course, name))
    ]
    drugs = [(name, days) for name, days in given.items() if name not in pumps]
    return [one for one in found if one.bars] + [Track(_title(name), (), tuple(days)) for name, days in drugs]


def _charted(course: Course, name: str) -> bool:
    return course.measured(name) or _unread(course, name)


def _unread(course: Course, name: str) -> bool:
    return bool(course.marked(course.unread, name).any())


def _title(name: str) -> str:
    return analyte(name).title.split(" (0")[0].split(",")[0].split(" (")[0]


def _bars(course: Course, name: str, last: float) -> tuple[Bar, ...]:
    values, unread = course.dense(name)[0], course.marked(course.unread, name)[0]
    columns = np.flatnonzero((np.isfinite(values) | unread) & (course.days <= last))
    hold = edition("held_signs").values[HOLDS.get(name, "pump_raises")]
    lasting = course.marked(course.lasting, name)[0]
    running = course.positive(name)[0]
    bars: list[Bar] = []
    before = ""
    for place, column in enumerate(columns):
        first = float(course.days[column])
        following = float(course.days[columns[place + 1]]) if place + 1 < columns.size else last
        end = following if lasting[column] else min(following, first + hold)
        shade, text = UNREAD, "?"
        if not unread[column] or running[column]:
            shade, text = _shade(name, float(values[column]), amount_known=values[column] > 0)
        if shade != 0 or name in (OXYGEN, AROUSAL):
            bars.append(Bar(first, max(end, first + look("tracks", "shortest")), shade, text if text != before else ""))
        before = text
    return tuple(bars)


def _shade(name: str, value: float, *, amount_known: bool) -> tuple[int, str]:
    """Color of a charted value by the grades, and its word."""
    if name in (OXYGEN, AROUSAL):
        shades, words = looks("tracks", f"{name}_shades"), texts("tracks", f"{name}_words")
        code = min(int(value), len(shades) - 1)
        return int(shades[code]), words[code]
    if name == FLOW:
        return (int(look("tracks", "flow_shade")), plain_number(value)) if value > 0 else (0, "")
    if not amount_known:
        return (int(look("tracks", "pump_shade")), "?") if np.isfinite(value) and value != 0 else (0, "")
    return int(look("tracks", "pump_shade")), plain_number(value)


def draw_tracks(axes: Axes, rows: list[Track], shift: float, days: float) -> None:
    """Draw the rows; ``shift`` moves a day to where its date is drawn, ``days`` is the width of the figure.

    A word is printed where its bar has room for it.
    """
    colors, half = texts("grades", "colors"), look("tracks", "height") / 2
    letter = days / look("tracks", "letters")
    for row, track in enumerate(rows):
        for bar in track.bars:
            known = bar.shade >= 0
            axes.broken_barh(
                [(bar.first + shift, bar.last - bar.first)],
                (row - half, 2 * half),
                facecolor=colors[bar.shade] if known else color("not_gradable"),
                edgecolor=color("soft"),
                hatch="" if known else "////",
                linewidth=look("figure", "thin"),
            )
            if bar.text and len(bar.text) * letter <= bar.last - bar.first:
                axes.text(
                    bar.first + shift + look("tracks", "indent"), row, bar.text, ha="left", va="center", clip_on=True,
                    fontsize=look("figure", "tiny_size"), color=color("paper" if bar.shade > 2 else "ink"),
                )  # fmt: skip
        if track.ticks:
            axes.plot(
                np.array(track.ticks) + shift, np.full(len(track.ticks), row), linestyle="", marker="|", markersize=9,
                markeredgewidth=2, color=color("ink"),
            )  # fmt: skip
    axes.set_yticks(range(len(rows)), [track.title for track in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_title("Oxygen, vasopressors, arousal and drugs", y=1.0)
    axes.grid(False)
