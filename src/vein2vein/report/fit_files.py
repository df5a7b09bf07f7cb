"""What stands in the folder of a fit beside its numbers: report, predictions, predictive check, intervals, forecast.

The command, the app and Python all write these files here, so that they are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vein2vein.files import write_text
from vein2vein.inference.diagnostics.diagnosis import Diagnosis, diagnose, prediction_table
from vein2vein.inference.diagnostics.profile import Profile
from vein2vein.inference.diagnostics.vpc import Vpc, vpc, vpc_rows
from vein2vein.inference.fitted_models.forecast import Forecast, forecast_rows
from vein2vein.inference.fitted_models.resample import Resampled, interval_rows
from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.folder import list_files
from vein2vein.report.csv_text import columns_text, rows_text
from vein2vein.report.figures_forecast import forecast_figure, forecast_page
from vein2vein.report.fit_page import fit_page, vpc_page
from vein2vein.report.text import number

Table = tuple[str, Sequence[Sequence[str]]]
REPORT, TABLE = "report.html", "table.csv"
VPC_PAGE, VPC_TABLE = "vpc.html", "vpc.csv"
INTERVALS = "intervals.csv"
FORECAST_PAGE, FORECAST_TABLE, FORECAST_FIGURE = "simulation.html", "simulation.csv", "simulation.svg"


def write_report(
    fit: Fit, folder: Path, tables: Sequence[Table] = (), profiles: tuple[Profile, ...] = (), *, force: bool = True
) -> Diagnosis:
    """Diagnose a fit, and write its report and its predictions."""
    found = diagnose(fit, profiles=profiles)
    write_text(folder / TABLE, columns_text(prediction_table(fit, found)), force=force)
    write_text(folder / REPORT, fit_page(fit, found, tables), force=force)
    list_files(folder, TABLE, REPORT)
    return found


def write_vpc(fit: Fit, folder: Path, *, studies: int, corrected: bool = True, seed: int | None = None) -> Vpc:
    """Draw the visual predictive check of a fit, and write its page and its table."""
    found = vpc(fit, count=studies, corrected=corrected, seed=seed)
    write_text(folder / VPC_TABLE, rows_text(vpc_rows(found)), force=True)
    write_text(folder / VPC_PAGE, vpc_page(fit, found), force=True)
    list_files(folder, VPC_TABLE, VPC_PAGE)
    return found


def write_intervals(found: Resampled, folder: Path) -> tuple[Path, Table]:
    """Write the intervals of a resampling; returns the file, and the table of the report."""
    name = INTERVALS if found.way == "bootstrap" else f"sir-{INTERVALS}"
    path = write_text(folder / name, rows_text(interval_rows(found)), force=True)
    list_files(folder, name)
    title = f"Intervals by {found.way}: {len(found.values)} samples, of which {found.effective:.0f} count"
    heads = ("number", "estimate", "median", "95 % interval")
    rows = [
        (one.name, number(one.estimate, 4), number(one.median, 4), f"{number(one.low)} to {number(one.high)}")
        for one in found.intervals
    ]
    return path, (title, [heads, *rows])


def write_forecast(fit: Fit, found: Forecast, folder: Path) -> None:
    """Write what new patients would show: page, table, figure."""
    write_text(folder / FORECAST_TABLE, rows_text(forecast_rows(found)), force=True)
    write_text(folder / FORECAST_FIGURE, forecast_figure(fit, found).svg, force=True)
    write_text(folder / FORECAST_PAGE, forecast_page(fit, found), force=True)
