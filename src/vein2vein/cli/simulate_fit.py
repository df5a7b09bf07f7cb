"""vein2vein simulate --fit: new patients from a population fit, under other doses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vein2vein.cli import console, options
from vein2vein.cli.console import number
from vein2vein.errors import InputError

if TYPE_CHECKING:
    from vein2vein.inference.fitted_models.forecast import Forecast
    from vein2vein.inference.population.fitted import Fit

PAGE, TABLE, FIGURE = "simulation.html", "simulation.csv", "simulation.svg"
ACTING = ("fitted", "dose", "until", "covariates", "draws", "seed", "repeat", "out", "for_machines", "quiet", "force")
USUAL_PATIENTS = 200
SHOWN = 8  # times of the table on the screen


def simulate_fit(
    folder: Path,
    dose: str | None,
    until: float | None,
    covariates: tuple[str, ...],
    draws: int,
    seed: int,
    repeat: int,
    out: Path | None,
    *,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """The body of the command with ``--fit``."""
    from vein2vein.inference.fitted_models.forecast import doses_of, forecast, forecast_rows, known_draws
    from vein2vein.inference.population.folder import read_fit
    from vein2vein.report.fit_files import write_forecast

    options.only("--fit", *ACTING)
    if (
        repeat == 1
        and click.get_current_context().get_parameter_source("repeat") is not click.core.ParameterSource.COMMANDLINE
    ):
        repeat = USUAL_PATIENTS
    doses, known_values = doses_of(dose or "", "--dose"), covariates_of(covariates)
    fit = read_fit(folder)
    place = out or folder
    console.new_folder(place, (PAGE, TABLE, FIGURE), force=force)
    known, left_out = known_draws(fit, draws)
    found = forecast(fit, doses, until=until, patients=repeat, draws=known, covariates=known_values, seed=seed)
    notes = [*found.notes, *left_out]
    if not fit.converged:
        notes.append(f"unusual fit: {fit.verdict[0]}"[:400])
    write_forecast(fit, found, place)
    console.tell_notes(notes, for_machines=for_machines, quiet=quiet)
    if for_machines and not quiet:
        for row in forecast_rows(found):
            console.emit("row", **row)
    elif not quiet:
        _tell(fit, found)
    for what, name in (("Table", TABLE), ("Figure", FIGURE)):
        console.tell(f"{what}: {place / name}", "file", for_machines, path=place / name, what=what)
    console.tell(f"Page: {place / PAGE}", "report", for_machines, path=place / PAGE)


def _tell(fit: Fit, found: Forecast) -> None:
    step = max(1, (len(found.time) - 1) // SHOWN)
    units = {name: one.unit for name, one in fit.problem.measured.items()}
    rows = [
        (
            name,
            number(float(found.time[j])),
            *(
                console.with_interval(*(float(table[e, i, j]) for table in (found.percentiles, found.low, found.high)))
                for i in range(3)
            ),
            units.get(name, ""),
        )
        for e, name in enumerate(found.endpoints)
        for j in range(0, len(found.time), step)
    ]
    console.table(
        ("endpoint", f"time {fit.problem.study.time_unit}".strip(), "5 %", "median", "95 %", "unit"),
        rows,
        title=f"{found.patients} new patients; in brackets 5 to 95 % over {found.draws} draws of the estimates"
        if found.draws
        else f"{found.patients} new patients",
        right=(1,),
    )


def covariates_of(texts: tuple[str, ...]) -> dict[str, float | str]:
    """Covariates of texts NAME=VALUE."""
    found: dict[str, float | str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise InputError(f"found '{text}', expected NAME=VALUE, such as WT=70.", field="--covariate")
        found[name.strip()] = value.strip()
    return found
