"""What is asked of a fit that has ended: predictive check, bootstrap, new patients; jobs with the commands' files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vein2vein.errors import InputError
from vein2vein.web.jobs.kinds import Progress


@dataclass(frozen=True)
class Further:
    """Something that is asked of a fit.

    Attributes
    ----------
    title, about, count : str
        What it is, what it tells, and what is counted.
    usual, low, high : int
        Of what is counted.
    page : str
        The file to be shown.
    """

    title: str
    about: str
    count: str
    usual: int
    low: int
    high: int
    page: str


FURTHER = {
    "vpc": Further(
        "Visual predictive check",
        "Percentiles of what was observed over those of the same study drawn anew from the fit.",
        "studies drawn", 1000, 100, 20_000, "vpc.html",
    ),
    "bootstrap": Further(
        "Bootstrap",
        "Intervals from fits of samples of the subjects. This takes long: each sample is fitted.",
        "samples", 200, 20, 2_000, "report.html",
    ),
    "simulate": Further(
        "New patients",
        "What patients who were not in the study would show, under the doses of its first subject or your own.",
        "patients", 200, 5, 10_000, "simulation.html",
    ),
}  # fmt: skip
DRAWS = 100  # of the estimates, for the bands of new patients


def count_of(what: str, typed: str) -> int:
    """How many are asked for.

    Raises
    ------
    InputError
        No whole number within the bounds.
    """
    kind = FURTHER[what]
    text = typed.strip() or str(kind.usual)
    if not (text.isascii() and text.isdigit() and len(text) < 9 and kind.low <= int(text) <= kind.high):
        raise InputError(
            f"{kind.count}: found '{text[:40]}', expected a whole number from {kind.low} to {kind.high}.", field="count"
        )
    return int(text)


def checked(asked: Mapping[str, Any], progress: Callable[[float, str], None]) -> str:
    """Read the doses that new patients are to get; nothing is simulated."""
    from vein2vein.inference.fitted_models.forecast import doses_of

    progress(0.1, "reading")
    return f"{len(doses_of(asked['dose'], 'dose'))} doses"


def run(asked: Mapping[str, Any], folder: Path, progress: Progress) -> None:
    """Do what is asked of the fit in a folder, and leave behind what the command leaves behind.

    Parameters
    ----------
    asked : mapping
        ``fit`` (the folder of the fit), ``what`` (a name of ``FURTHER``), ``count``, ``dose`` (as for ``--dose``).
    folder : Path
    progress : callable
    """
    from vein2vein.inference.fitted_models.forecast import doses_of, forecast, known_draws
    from vein2vein.inference.fitted_models.resample import bootstrap
    from vein2vein.inference.population.folder import read_fit
    from vein2vein.report import fit_files

    fit = read_fit(asked["fit"])
    notes: list[str] = [] if fit.converged else [f"the fit is {fit.verdict[0]}"]
    if asked["what"] == "vpc":
        progress(0.1, "drawing studies")
        notes += fit_files.write_vpc(fit, folder, studies=asked["count"]).notes
    elif asked["what"] == "bootstrap":
        found = bootstrap(fit, asked["count"], progress=lambda done, text: progress(0.9 * done, text))
        _, table = fit_files.write_intervals(found, folder)
        progress(0.92, "diagnostics")
        fit_files.write_report(fit, folder, [table])
        notes += found.notes
    else:
        progress(0.1, "simulating")
        draws, left_out = known_draws(fit, DRAWS)
        simulated = forecast(fit, doses_of(asked["dose"], "dose"), patients=asked["count"], draws=draws)
        fit_files.write_forecast(fit, simulated, folder)
        notes += [*simulated.notes, *left_out]
    progress(1.0, "; ".join(notes))
