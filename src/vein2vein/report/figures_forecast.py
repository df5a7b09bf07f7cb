"""Figures of new patients simulated from a fit, and their page."""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vein2vein.inference.fitted_models.forecast import Forecast
from vein2vein.inference.population.fitted import Fit
from vein2vein.io.study.study import counted
from vein2vein.report import page
from vein2vein.report.figures import Picture, log_axis, render
from vein2vein.report.figures_fit import HUES, is_logarithmic, time_name, value_name
from vein2vein.report.fit_page import provenance
from vein2vein.report.look import color, look
from vein2vein.report.text import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS = ("5th percentile", "median", "95th percentile")
STYLES = ((0, (4, 2)), "-", (0, (4, 2)))
DEEPEST = 1e-4  # of the highest value: what a logarithmic axis shows of curves that begin or end at 0


def forecast_figure(fit: Fit, found: Forecast) -> Picture:
    """Percentiles of new patients over time, each with its band where the estimates were drawn."""
    ends = len(found.endpoints)

    def draw(figure: Figure) -> None:
        grid = np.atleast_1d(figure.subplots(ends, 1, sharex=True, squeeze=False)).ravel()
        for e, (axes, name) in enumerate(zip(grid, found.endpoints)):
            hue, table = color(HUES[e % len(HUES)]), found.percentiles[e]
            if is_logarithmic(fit, name, table[table > 0]):
                log_axis(axes)
                highest = float(np.nanmax(table))
                axes.set_ylim(max(float(np.nanmin(table[1][table[1] > 0])) / 10, highest * DEEPEST), highest * 3)
            for i, (label, style) in enumerate(zip(LABELS, STYLES)):
                if found.draws:
                    axes.fill_between(
                        found.time,
                        found.low[e, i],
                        found.high[e, i],
                        color=hue,
                        alpha=look("figure", "band_alpha"),
                        linewidth=0,
                    )
                axes.plot(found.time, table[i], color=hue, linestyle=style, label=label)
            for one in found.doses:
                axes.axvline(one.time, ymax=0.03, color=color("ink"), linewidth=look("figure", "line"))
            axes.set_ylabel(value_name(fit, name))
        grid[-1].set_xlabel(time_name(fit))
        grid[0].legend(loc="upper right")

    amounts = ", ".join(f"{number(one.amount)} at {number(one.time)}" for one in found.doses[:6])
    more = f" and {len(found.doses) - 6} more" if len(found.doses) > 6 else ""
    bands = f" Bands: 5 to 95 % of each over {found.draws} draws of the estimates." if found.draws else ""
    return render(
        "forecast",
        f"{found.patients} new patients",
        f"Percentiles of {found.patients} new patients over time; doses {amounts}{more}.",
        draw,
        height=0.8 + 3.4 * ends,
        caption="Lines: 5th, 50th and 95th percentile of the patients' true values, without errors of "
        f"measurement.{bands} "
        f"Ticks: doses ({amounts}{more}).",
    )


def forecast_page(fit: Fit, found: Forecast) -> str:
    """The simulation as a page."""
    return page.fill(
        "vpc.html.j2",
        title=f"Simulation: {fit.problem.model.title or fit.problem.model.name}",
        kind="simulation from a population fit",
        converged=fit.converged,
        verdict=fit.verdict[0],
        checks=[
            f"{found.patients} new patients, {counted(len(found.doses), 'dose')}, {found.draws} draws of the estimates"
        ],
        pictures=[forecast_figure(fit, found)],
        notes=found.notes,
        provenance=provenance(fit),
    )
