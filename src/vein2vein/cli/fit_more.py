"""What a fit does beyond estimating: covariates step by step, bootstrap, importance resampling, profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vein2vein.cli import console
from vein2vein.cli.console import number
from vein2vein.files import write_text

if TYPE_CHECKING:
    from vein2vein.inference.diagnostics.profile import Profile
    from vein2vein.inference.fitted_models.covariate_search import Search
    from vein2vein.inference.fitted_models.resample import Resampled
    from vein2vein.inference.population.fitted import Fit

Table = tuple[str, Sequence[Sequence[str]]]
STEPS = "covariates.csv"
ALL = "all"


@dataclass(frozen=True)
class Asked:
    """What the options ask for."""

    search: Search | None = None
    bootstrap: int | None = None
    sir: int | None = None
    profile: bool = False
    jobs: int = 1


def search_of(said: str | None, file: Path) -> Search | None:
    """What is searched: the names of the option, the rest as ``[search]`` of a fit.toml says."""
    from vein2vein.card_reading import read
    from vein2vein.cards import read_card
    from vein2vein.inference.fitted_models.covariate_search import Search

    if said is None:
        return None
    told = Search()
    if file.suffix.lower() == ".toml":
        card = read_card(file)
        told = read(card, Search, "search") if card.get("search") is not None else told
    names = () if said.strip().lower() == ALL else tuple(name.strip() for name in said.split(",") if name.strip())
    return Search(names or told.covariates, told.parameters, told.forward, told.backward, told.look)


def more_of(
    fit: Fit, folder: Path, asked: Asked, *, for_machines: bool, quiet: bool
) -> tuple[Fit, list[Table], tuple[Profile, ...]]:
    """Do what was asked for; returns the fit (after a search the last one), tables for the report, profiles."""
    tables = list[Table]()
    if asked.search is not None:
        fit, table = _searched(fit, folder, asked.search, for_machines, quiet)
        tables.append(table)
    profiles = _profiled(fit, for_machines, quiet) if asked.profile else ()
    for found in _resampled(fit, asked, for_machines, quiet):
        tables.append(_intervals(found, folder, for_machines, quiet))
    return fit, tables, profiles


def _searched(fit: Fit, folder: Path, search: Search, for_machines: bool, quiet: bool) -> tuple[Fit, Table]:
    from vein2vein.inference.fitted_models.covariate_search import search_covariates, search_table
    from vein2vein.inference.population.folder import list_files, write_fit
    from vein2vein.report.csv_text import rows_text

    with console.progress("covariates", for_machines=for_machines, quiet=quiet) as report:
        found = search_covariates(fit, search, progress=report)
    listed = search_table(found.tried)
    if found.fit is not fit:
        write_fit(found.fit, folder, force=True)
    write_text(folder / STEPS, rows_text(listed), force=True)
    list_files(folder, STEPS)
    console.tell_notes(found.notes, for_machines=for_machines, quiet=quiet)
    heads = ("step", "direction", "parameter", "covariate", "expression", "-2LL", "change", "degrees", "p", "taken")
    rows = [
        (str(one.step), one.direction, one.parameter, one.covariate, one.expression, number(one.minus_two_ll, 6),
         number(one.difference), str(one.degrees or ""), number(one.p, 2), "yes" if one.taken else "")
        for one in found.tried
    ]  # fmt: skip
    _show("Covariates: what was tried", "step", heads, rows, listed, for_machines, quiet)
    return found.fit, ("Covariates: what was tried", [heads, *rows])


def _profiled(fit: Fit, for_machines: bool, quiet: bool) -> tuple[Profile, ...]:
    from vein2vein.inference.diagnostics.identifiability import MUCH
    from vein2vein.inference.diagnostics.profile import profile

    names = [one.parameter for one in fit.estimates if one.kind == "omega" and one.shrinkage > MUCH and not one.fixed]
    with console.progress("profiles", for_machines=for_machines, quiet=quiet) as report:
        found = tuple(profile(fit, name, progress=report) for name in names)
    notes = [one.text for one in found] or ["no shrinkage is above 50 %, so nothing was profiled"]
    console.tell_notes(notes, for_machines=for_machines, quiet=quiet)
    return found


def _resampled(fit: Fit, asked: Asked, for_machines: bool, quiet: bool) -> list[Resampled]:
    from vein2vein.inference.fitted_models.resample import bootstrap, importance_resample

    found: list[Resampled] = []
    with console.progress("intervals", for_machines=for_machines, quiet=quiet) as report:
        if asked.bootstrap is not None:
            found.append(bootstrap(fit, asked.bootstrap, jobs=asked.jobs, progress=report))
        if asked.sir is not None:
            found.append(importance_resample(fit, asked.sir, progress=report))
    return found


def _intervals(found: Resampled, folder: Path, for_machines: bool, quiet: bool) -> Table:
    from vein2vein.inference.fitted_models.resample import interval_rows
    from vein2vein.report.fit_files import write_intervals

    _, (title, table) = write_intervals(found, folder)
    console.tell_notes(found.notes, for_machines=for_machines, quiet=quiet)
    _show(title, "interval", table[0], table[1:], interval_rows(found), for_machines, quiet)
    return title, table


def _show(
    title: str, event: str, heads: Sequence[str], rows: Sequence[Sequence[str]], listed: Sequence[Mapping[str, object]],
    for_machines: bool, quiet: bool,
) -> None:  # fmt: skip
    if for_machines:
        for row in listed:
            console.emit(event, **row)
    elif not quiet:
        console.table(heads, rows, title=title)
