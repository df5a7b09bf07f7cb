"""What a fit does beyond estimating: covariates step by step, bootstrap, importance resampling, profiles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vein2vein.cli import console

if TYPE_CHECKING:
    from vein2vein.inference.diagnostics.profile import Profile
    from vein2vein.inference.population.fitted import Fit

Tables = list[tuple[str, Sequence[Sequence[str]]]]


def more_of(
    fit: Fit, folder: Path, jobs: int, *, covariates: Path | None, bootstrap: int | None, sir: int | None, profile: bool,
    for_machines: bool, quiet: bool,
) -> tuple[Fit, Tables, tuple[Profile, ...]]:  # fmt: skip
    """Do what was asked for; returns the fit (of the last step, after a search), tables for the report, and profiles."""
    tables: Tables = []
    profiles: tuple[Profile, ...] = ()
    if profile:
        from vein2vein.inference.diagnostics.identifiability import MUCH
        from vein2vein.inference.diagnostics.profile import profile as profiled

        names = [one.parameter for one in fit.estimates if one.kind == "omega" and one.shrinkage > MUCH and not one.fixed]
        with console.progress("profiles", for_machines=for_machines, quiet=quiet) as report:
            profiles = tuple(profiled(fit, name, progress=report) for name in names)
        notes = [one.text for one in profiles] or ["no shrinkage is above 50 %, so nothing was profiled"]
        console.tell_notes(notes, for_machines=for_machines, quiet=quiet)
    del folder, jobs, covariates, bootstrap, sir
    return fit, tables, profiles
