"""Figures of what the data tell of the estimates: their correlations, and profiles of spreads."""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vein2vein.inference.diagnostics.identifiability import TIED, Identifiability
from vein2vein.inference.diagnostics.profile import Profile
from vein2vein.report.figures import Picture, render
from vein2vein.report.look import color, look

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def correlation_figure(found: Identifiability) -> Picture | None:
    """Correlations of the estimates as a table in color, with their numbers."""
    table = found.correlation
    if table is None or len(found.names) < 2:
        return None
    n = len(found.names)
    shown = np.where(np.tril(np.ones((n, n), dtype=bool)), table, np.nan)

    def draw(figure: Figure) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        axes = figure.subplots()
        hues = LinearSegmentedColormap.from_list("signs", [color("blue"), color("paper"), color("vermilion")])
        axes.pcolormesh(np.arange(n + 1) - 0.5, np.arange(n + 1) - 0.5, shown, cmap=hues, vmin=-1, vmax=1)
        axes.invert_yaxis()
        axes.set_aspect("equal")
        size = look("figure", "tiny_size" if n > 8 else "small_size")
        for i in range(n):
            for j in range(i):
                if np.isfinite(shown[i, j]):
                    dark = abs(shown[i, j]) > 0.6
                    axes.text(
                        j,
                        i,
                        f"{shown[i, j]:.2f}".replace("-", "−"),
                        ha="center",
                        va="center",
                        fontsize=size,
                        color=color("paper" if dark else "ink"),
                        weight="bold" if abs(shown[i, j]) > TIED else "normal",
                    )
        axes.set_xticks(range(n), found.names, rotation=60, ha="right")
        axes.set_yticks(range(n), found.names)
        axes.grid(visible=False)

    tied = [
        f"{b} and {a} {table[i, j]:.2f}"
        for i, a in enumerate(found.names)
        for j, b in enumerate(found.names[:i])
        if abs(table[i, j]) > TIED
    ]
    side = 1.8 + 0.42 * n
    return render(
        "correlations",
        "Correlations of the estimates",
        f"Table of correlations; beyond {TIED}: {', '.join(tied) or 'none'}.",
        draw,
        height=side,
        width=side + 1.6,
        caption=f"From the covariance of the estimates; blue below 0, red above, bold beyond {TIED}: two numbers of "
        "which the data know a "
        "combination only.",
    )


def profiles_figure(found: Sequence[Profile]) -> Picture | None:
    """-2 log-likelihood over held values of a spread."""
    if not found:
        return None

    def draw(figure: Figure) -> None:
        grid = np.atleast_1d(figure.subplots(1, len(found), squeeze=False)).ravel()
        for axes, one in zip(grid, found):
            above = one.minus_two_ll - one.minus_two_ll.min()
            axes.errorbar(
                one.omega,
                above,
                yerr=one.error,
                color=color("blue"),
                marker="o",
                markersize=look("figure", "small_mark"),
            )
            axes.axhline(3.84, color=color("vermilion"), linestyle=(0, (4, 3)), linewidth=2 * look("figure", "thin"))
            axes.set_title(one.parameter)
            axes.set_xlabel(f"omega_{one.parameter}, held (SD, Gaussian scale)")
            axes.set_ylabel("−2LL above its least")
            axes.set_ylim(-1, max(8.0, min(30.0, float(above.max()) * 1.1)))

    return render(
        "profiles",
        "Profiles of spreads",
        "; ".join(one.text for one in found) + ".",
        draw,
        height=3.0,
        width=min(look("figure", "width"), 3.6 * len(found) + 0.8),
        caption="−2 log-likelihood with the spread held, everything else fitted anew (bars: Monte Carlo error). "
        "Dashed: 3.84 above the "
        f"least, the 95 % interval. {'. '.join(one.text for one in found)}.",
    )
