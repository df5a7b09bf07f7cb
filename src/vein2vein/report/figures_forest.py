"""Simulated beside published, a line for each outcome: each with its own axis, its values and its verdict in words."""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vein2vein.report import facts, fit
from vein2vein.report.figures import Picture, render
from vein2vein.report.look import color, look, unit_name
from vein2vein.report.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PERCENT, ALL = "%", 100.0


@dataclass(frozen=True)
class Scale:
    """The axis of one line: its ends, and whether it is logarithmic."""

    low: float
    high: float
    logarithmic: bool

    def at(self, value: float) -> float:
        """Where a value stands between the ends, from 0 to 1; what lies beyond stands at the end."""
        if self.logarithmic:
            value = max(value, self.low)
            low, high, value = np.log(self.low), np.log(self.high), np.log(value)
        else:
            low, high = self.low, self.high
        return float(np.clip((value - low) / (high - low), 0, 1))


def scale_of(row: facts.Compared) -> Scale:
    """0 to 100 for shares; else what holds both values with their intervals."""
    every = [row.simulated, row.low, row.high, row.published, row.published_low, row.published_high]
    known = [value for value in every if np.isfinite(value)]
    low, high = min(known), max(known)
    if row.unit == PERCENT and low >= 0 and high <= ALL:
        return Scale(0.0, ALL, False)
    if low > 0 and high / low > look("forest", "logarithmic_above"):
        return Scale(low / look("forest", "margin_log"), high * look("forest", "margin_log"), True)
    room = (high - low or abs(high) or 1.0) * look("forest", "margin")
    return Scale(low - room if low < 0 else max(low - room, 0.0), high + room, False)


def drawn_rows(rows: list[facts.Compared]) -> list[facts.Compared]:
    """The rows that are drawn: those that state a tolerance, else all judged ones; of too many, the misses first."""
    known = fit.judged(rows)
    scored = [row for row in known if row.told.tolerance_kind]
    chosen, most = scored or known, int(look("forest", "most_rows"))
    if len(chosen) > most:
        first = [id(row) for row in fit.misses(chosen)] + [id(row) for row in chosen]
        kept = set(list(dict.fromkeys(first))[:most])
        chosen = [row for row in chosen if id(row) in kept]
    return chosen


def _printed(value: float) -> str:
    """A number as short as it can be told: two digits, three of a thousand and more."""
    return number(value, 3 if abs(value) >= look("forest", "more_digits_from") else 2)


def _by_kind(rows: list[facts.Compared]) -> dict[str, list[facts.Compared]]:
    from vein2vein.inference.scoring import OTHER, kinds

    found: dict[str, list[facts.Compared]] = {}
    for row in rows:
        found.setdefault(kinds().get(row.told.endpoint, OTHER), []).append(row)
    order = [*kinds().values(), OTHER]
    return dict(sorted(found.items(), key=lambda pair: order.index(pair[0])))


def comparison_figure(rows: list[facts.Compared]) -> Picture | None:
    """Simulated beside published, each outcome on its own axis, by kind of endpoint; misses by shape and word."""
    shown = drawn_rows(rows)
    if not shown:
        return None
    groups = _by_kind(shown)
    ordered = [row for group in groups.values() for row in group]
    wide = int(look("forest", "label_letters"))
    told = [
        f"{text}, {unit}" if len(unit := unit_name(row.unit)) > look("forest", "longest_unit") else text
        for text, row in zip(fit.labels(ordered), ordered, strict=True)
    ]
    names = dict(zip(map(id, ordered), (textwrap.wrap(text, wide) for text in told), strict=True))
    line, least = look("forest", "line"), look("forest", "row")
    heights = {key: max(least, line * len(lines) + line / 2) for key, lines in names.items()}
    head = look("forest", "head")
    total = head + sum(head + sum(heights[id(row)] for row in group) for group in groups.values())

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.set_xlim(0, look("figure", "width"))
        axes.set_ylim(total, 0)
        axes.axis("off")
        top = _heading(axes, head)
        for kind, group in groups.items():
            axes.text(0, top + head / 2, f"{kind[:1].upper()}{kind[1:]}", weight="bold", va="center")
            top += head
            for row in group:
                axes.axhline(top, color=color("faint"), linewidth=look("figure", "thin"))
                _row(axes, row, names[id(row)], top, heights[id(row)])
                top += heights[id(row)]

    missed = [row for row in ordered if fit.verdict(row) != fit.INSIDE]
    known = len(fit.judged(rows))
    left = known - len(ordered)
    rest = f" {left} more {'is' if left == 1 else 'are'} in the tables below." if left else ""
    return render(
        "comparison",
        f"Simulated against published: {len(ordered) - len(missed)} of {len(ordered)} outcomes are met",
        f"Forest plot of {len(ordered)} outcomes, each with its own axis; {len(missed)} miss. The tables below hold "
        "the values.",
        draw,
        height=total,
        caption="Each line has its own axis, whose ends stand below it; shares run from 0 to 100 %. Dot and thick "
        "line: simulated median and 90 % interval of a trial of the published size. Diamond and thin line: published "
        "value with its 95 % interval where there is one; a cross in its place, and the word, mark a miss: outside the "
        f"interval, or further from the median than the row's tolerance.{rest}",
    )


def _columns() -> tuple[float, float, float, float, float]:
    """Left and right of the axes, left of the simulated and published values and of the verdict, in inches."""
    names = ("axis_left", "axis_right", "simulated", "published", "verdict")
    left, right, simulated, published, verdict = (look("forest", name) for name in names)
    return left, right, simulated, published, verdict


def _heading(axes: Axes, head: float) -> float:
    left, right, *places = _columns()
    small: dict[str, Any] = {"fontsize": look("figure", "small_size"), "color": color("soft"), "va": "center"}
    axes.text(0, head / 2, "Outcome", **small)
    for at, word in zip(places, ("simulated (90 %)", "published (95 %)", "verdict"), strict=True):
        axes.text(at, head / 2, word, **small)
    middle = (left + right) / 2
    for at, hue, shape, word in (
        (left, "infused", "o", "simulated"),
        (middle, "published", "D", "published"),
    ):
        axes.plot([at, at + 1 / 4], [head / 2] * 2, color=color(hue), linewidth=3 if shape == "o" else 1)
        axes.plot([at + 1 / 8], [head / 2], shape, color=color(hue), markersize=5)
        axes.text(at + 1 / 3, head / 2, word, **small)
    return head


def _row(axes: Axes, row: facts.Compared, name: list[str], top: float, height: float) -> None:
    left, right, *places = _columns()
    scale, middle, wide = scale_of(row), top + height / 2, right - left
    small, tiny = look("figure", "small_size"), look("figure", "tiny_size")
    verdict = fit.verdict(row)
    missed = verdict != fit.INSIDE
    up, down, foot = (look("forest", name) for name in ("simulated_up", "published_down", "foot"))

    def at(value: float) -> float:
        return left + wide * scale.at(value)

    axes.text(0, middle, "\n".join(name), fontsize=small, va="center", linespacing=look("forest", "spacing"))
    base = middle + foot
    axes.plot([left, right], [base, base], color=color("soft"), linewidth=look("figure", "thin"))
    for end, value, side in ((left, scale.low, "left"), (right, scale.high, "right")):
        axes.plot([end, end], [base - 1 / 40, base + 1 / 40], color=color("soft"), linewidth=look("figure", "thin"))
        axes.text(end, base + 1 / 32, _printed(value), fontsize=tiny, color=color("soft"), ha=side, va="top")
    if np.isfinite(row.low):
        axes.plot([at(row.low), at(row.high)], [middle - up] * 2, color=color("infused"), linewidth=3, alpha=2 / 3)
    shape = ">" if np.isinf(row.simulated) else "o"
    axes.plot([at(row.simulated)], [middle - up], shape, color=color("infused"), markersize=5)
    if np.isfinite(row.published_low) and np.isfinite(row.published_high):
        ends = [at(row.published_low), at(row.published_high)]
        axes.plot(ends, [middle + down] * 2, color=color("published"), linewidth=1)
    axes.plot(
        [at(row.published)], [middle + down], "X" if missed else "D", markersize=7 if missed else 5,
        color=color("vermilion" if missed else "published"),
    )  # fmt: skip
    unit = unit_name(row.unit) if len(unit_name(row.unit)) <= look("forest", "longest_unit") else ""
    for place, value, low, high in (
        (places[0], row.simulated, row.low, row.high),
        (places[1], row.published, row.published_low, row.published_high),
    ):
        short = "not reached" if np.isinf(value) else f"{_printed(value)} {unit}".strip()
        lines = [short] if np.isnan(low) or np.isnan(high) else [short, f"({_printed(low)} to {_printed(high)})"]
        axes.text(place, middle, "\n".join(lines), fontsize=small, va="center")
    away = f"✕ {fit.distance_words(row)}".replace(" tolerances", " tol.").replace(" tolerance", " tol.")
    told = [away, "beyond tol." if verdict == fit.BEYOND else verdict] if missed else [fit.INSIDE]
    axes.text(
        places[2], middle, "\n".join(told), fontsize=small, va="center",
        color=color("vermilion" if missed else "ink"), weight="bold" if missed else "normal",
    )  # fmt: skip
