"""Figures: one look for all of them, drawn off screen and returned as SVG that stands inside a page.

A figure keeps its text as text (searchable, readable by a screen reader), needs no font file and loads nothing.
"""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.report.look import color, font, look, looks, mark, style
from vein2vein.report.text import power_of_ten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Floats = NDArray[np.float64]
_FONT = "DejaVu Sans"  # whose widths are reckoned with; it comes with the plotting library


@dataclass(frozen=True)
class Picture:
    """A finished figure.

    Attributes
    ----------
    name : str
        Identifier within the page.
    title, caption : str
        What it shows; how to read it.
    alt : str
        The same in words, for a reader who does not see it.
    svg : str
        ``<svg>`` element.
    """

    name: str
    title: str
    caption: str
    alt: str
    svg: str

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        return self.svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


def render(
    name: str,
    title: str,
    alt: str,
    draw: Callable[[Figure], None],
    *,
    height: float,
    caption: str = "",
    width: float | None = None,
    labels: float = 0.0,
    layout: str = "",
) -> Picture:
    """Draw on an empty figure and return it as SVG.

    Parameters
    ----------
    name : str
        Identifier within the page; also keeps the ids inside the SVG apart from those of other figures.
    title, alt, caption : str
    draw : callable
        Receives the matplotlib figure.
    height, width : float
        Inches; the page scales the figure to its column.
    layout : str
        Entry of the margins in the style card; by default the name.
    labels : float
        Inches that the labels of the value axis take in a figure whose margins stand in the style card.
    """
    import io

    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcParams.update(_settings(name))
        place = layout or name
        margins = looks("margins", place) if place in style().table("margins") else ()
        size = (width or look("figure", "width"), height)
        figure = Figure(figsize=size, layout=None if margins else "constrained")
        canvas, text = FigureCanvasSVG(figure), io.StringIO()
        draw(figure)
        if margins:
            _place(figure, margins, labels)
        canvas.print_svg(text, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})  # draws once
    return Picture(name, title, caption, alt, _clean(text.getvalue(), name, alt))


def _place(figure: Figure, margins: tuple[float, ...], labels: float) -> None:
    """Set the panels of a figure between its margins (style.toml), the left one wider by the labels (inches)."""
    left, right, bottom, top, across, down = margins
    width, height = figure.get_size_inches()
    grid = figure.axes[0].get_gridspec()
    if grid is None:
        raise ValueError("margins are for figures of panels in a grid")
    panel = [
        (width - left - labels - right - across * (grid.ncols - 1)) / grid.ncols,
        (height - bottom - top - down * (grid.nrows - 1)) / grid.nrows,
    ]
    figure.subplots_adjust(
        left=(left + labels) / width, right=1 - right / width, bottom=bottom / height, top=1 - top / height,
        wspace=across / panel[0], hspace=down / panel[1],
    )  # fmt: skip


def text_width(lines: Iterable[str], size: str) -> float:
    """Inches that the longest of some lines takes in a size of the style card."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    drawn = FontProperties(family=_FONT, size=look("figure", size))
    points = [text_to_path.get_text_width_height_descent(line, drawn, False)[0] for line in lines]
    return max(points, default=0.0) / look("figure", "points")


def _settings(name: str) -> dict[Any, Any]:  # names of settings, as the plotting library types them
    ink, soft, size = color("ink"), color("soft"), look("figure", "font_size")
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.family": _FONT,
        "font.size": size,
        "text.parse_math": False,
        "axes.unicode_minus": True,
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.edgecolor": soft,
        "xtick.color": soft,
        "ytick.color": soft,
        "xtick.labelcolor": ink,
        "ytick.labelcolor": ink,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": look("figure", "thin"),
        "axes.titlesize": size,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titley": 1.0,  # where it would come to stand anyway: no search for a place above all labels
        "axes.labelsize": size,
        "xtick.labelsize": look("figure", "small_size"),
        "ytick.labelsize": look("figure", "small_size"),
        "legend.fontsize": look("figure", "small_size"),
        "legend.frameon": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "grid.color": color("faint"),
        "grid.linewidth": look("figure", "thin"),
        "axes.axisbelow": True,
        "lines.linewidth": look("figure", "line"),
        "hatch.linewidth": look("figure", "thin"),
        "figure.facecolor": color("paper"),
        "lines.solid_capstyle": "round",
    }


def _clean(svg: str, name: str, alt: str) -> str:
    from html import escape

    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, flags=re.S)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.S)
    svg = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", svg)
    svg = svg.replace("xlink:href=", "href=")
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(rf"'{_FONT}'(, [^;\"]*)?", font(), svg)
    decimals = int(look("figure", "decimals"))
    svg = re.sub(
        r'\bd="([^"]*)"',
        lambda found: 'd="' + re.sub(r"-?\d+\.\d+", lambda x: f"{float(x.group()):.{decimals}f}", found.group(1)) + '"',
        svg,
    )
    box = re.search(r'viewBox="[^"]*"', svg)
    head = f'<svg class="chart" role="img" aria-label="{escape(alt, quote=True)}" {box.group() if box else ""}>'
    return head + re.sub(r"\n\s*", "\n", svg[svg.index(">") + 1 :]).strip()


def quantiles(values: ArrayLike, levels: Iterable[float], fewest: int | None = None) -> Floats:
    """Return quantiles over patients, ignoring NaN.

    Parameters
    ----------
    values : array_like, shape (n, k)
    levels : iterable of float
    fewest : int
        Columns with fewer values are left NaN.

    Returns
    -------
    ndarray, shape (levels, k)
    """
    table = np.atleast_2d(np.asarray(values, dtype=float))
    wanted = list(levels)
    fewest = int(look("figure", "fewest_for_band")) if fewest is None else fewest
    found = np.full((len(wanted), table.shape[1]), np.nan)
    enough = np.isfinite(table).sum(axis=0) >= max(fewest, 1)
    if enough.any():
        found[:, enough] = np.nanquantile(table[:, enough], wanted, axis=0)
    return found


def pick_curves(values: Floats) -> NDArray[np.intp]:
    """Return positions of at most ``most_curves`` patients, evenly from the lowest to the highest maximum."""
    known = np.flatnonzero(np.isfinite(values).any(axis=1))
    most = int(look("figure", "most_curves"))
    if known.size <= most:
        return known
    order = known[np.argsort(np.nanmax(values[known], axis=1), kind="stable")]
    return order[np.unique(np.linspace(0, order.size - 1, most).round().astype(int))]


def draw_band(
    axes: Axes, days: Floats, values: Floats, hue: str, *, inner: bool = False, outer: bool = True, curves: bool = False
) -> None:
    """Draw median and 5-95 % band (and 25-75 % band) over time, with individual curves behind where asked."""
    levels = [*looks("bands", "outer"), look("bands", "middle"), *looks("bands", "inner")]
    found = quantiles(values, levels)
    shown = np.isfinite(found[2])
    if curves or not shown.any():
        draw_lines(
            axes,
            [np.stack([days, values[row]], axis=1)[np.isfinite(values[row])] for row in pick_curves(values)],
            color=hue,
            linewidth=look("figure", "thin"),
            alpha=look("figure", "thin_alpha"),
        )
    if outer:
        axes.fill_between(
            days[shown],
            found[0, shown],
            found[1, shown],
            color=hue,
            alpha=look("figure", "band_alpha"),
            linewidth=0,
            label="5–95 %",
        )
    if inner:
        axes.fill_between(
            days[shown],
            found[-2, shown],
            found[-1, shown],
            color=hue,
            alpha=look("figure", "inner_band_alpha"),
            linewidth=0,
            label="25–75 %",
        )
    axes.plot(days[shown], found[2, shown], color=hue, label="median")


def draw_lines(axes: Axes, lines: Iterable[Floats], **kind: Any) -> None:
    """Draw many lines, each of shape (points, 2), as one thing: far faster than one by one."""
    from matplotlib.collections import LineCollection

    axes.add_collection(LineCollection(list(lines), **kind))
    axes.autoscale_view()


def draw_bars(axes: Axes, left: ArrayLike, right: ArrayLike, height: ArrayLike, **kind: Any) -> None:
    """Draw bars from 0 up as one thing."""
    from matplotlib.collections import PolyCollection

    first, last, top = (np.asarray(x, dtype=float) for x in (left, right, height))
    corners = [(first, 0 * top), (first, top), (last, top), (last, 0 * top)]
    bars = np.stack([np.stack(one, axis=1) for one in corners], axis=1)
    axes.add_collection(PolyCollection(list(bars), **kind))
    axes.autoscale_view()


def draw_intervals(
    axes: Axes, at: Floats, values: list[tuple[float, float, float]], hue: str, label: str = ""
) -> Line2D:
    """Draw values with their intervals (value, low, high), one below the other, and return the key of the legend."""
    from matplotlib.lines import Line2D

    value, low, high = np.array(values, dtype=np.float64).T
    known = np.isfinite(low) & np.isfinite(high)
    axes.hlines(at[known], low[known], high[known], color=hue, linewidth=1.4)
    axes.plot(value, at, marker="o", color=hue, markersize=5, linestyle="")
    return Line2D([], [], color=hue, marker="o", label=label)


def mark_level(axes: Axes, name: str) -> None:
    """Draw the level that the criteria name for this analyte, with its label at the right end."""
    level = mark(name)
    if level is None:
        return
    axes.axhline(level.value, color=color("soft"), linewidth=look("figure", "thin") * 2, linestyle=(0, (4, 3)))
    axes.annotate(
        level.label,
        (1, level.value),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=look("figure", "small_size"),
        color=color("soft"),
        bbox={"facecolor": color("paper"), "alpha": 3 / 4, "linewidth": 0, "pad": 1 / 2},
    )


def log_axis(axes: Axes, *, horizontal: bool = False) -> None:
    """Make the value axis, or the horizontal one, logarithmic with plain labels (0.1, 1, 1,000, 10⁶)."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    class Between(LogLocator):
        """Ticks between powers of ten where the axis is short; elsewhere they bear no label and would not be seen."""

        def tick_values(self, vmin: float, vmax: float) -> Any:
            return super().tick_values(vmin, vmax) if vmax < vmin * look("figure", "log_minor_below") else []

    def power(value: float, _: int) -> str:
        return power_of_ten(value)

    def between(value: float, _: int) -> str:
        return f"{value:,g}"

    if horizontal:
        axes.set_xscale("log")
    else:
        axes.set_yscale("log")
    axis = axes.xaxis if horizontal else axes.yaxis
    axis.set_major_locator(LogLocator(base=10.0, numticks=8))
    axis.set_major_formatter(FuncFormatter(power))
    axis.set_minor_locator(Between(base=10.0, subs=looks("figure", "log_minor")))
    axis.set_minor_formatter(FuncFormatter(between))
    axes.tick_params(axis="x" if horizontal else "y", which="minor", length=0)


def day_axis(axes: Axes, last: float | None = None, label: str = "Day after infusion") -> None:
    """Label the time axis; weekly ticks up to day 60."""
    from matplotlib.ticker import MultipleLocator

    axes.set_xlabel(label)
    if last is not None:
        axes.set_xlim(right=last)
        if last <= 2 * look("windows", "acute"):
            axes.xaxis.set_major_locator(MultipleLocator(look("windows", "tick_acute")))


def month_axis(axes: Axes, last: float) -> None:
    """Label the time axis in months, up to ``last``; ticks at whole quarters and years."""
    from matplotlib.ticker import MultipleLocator

    axes.set_xlabel("Months after infusion")
    axes.set_xlim(0, max(last * look("figure", "room_right"), 1.0))
    axes.xaxis.set_major_locator(MultipleLocator(month_step(last)))


def month_step(last: float) -> float:
    """Months between two ticks of an axis that ends at ``last``."""
    return next((s for s in looks("figure", "month_steps") if last / s <= look("figure", "most_month_ticks")), last)


def months(days: ArrayLike) -> Floats:
    """Days as months."""
    return np.asarray(days, dtype=float) / look("windows", "month")
