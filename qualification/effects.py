"""Covariate effects that trials published, in virtual patients: dose, burden, fludarabine, costimulation, response.

    python qualification/effects.py
    python qualification/effects.py --patients 1000 --seed 2

Each line says what was found in patients and what virtual ones show with the numbers of the cards. The dose is asked of
the same virtual patients with the same luck, so that nothing else differs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

DOSES = ("5e5/kg", "2e6/kg", "5e6/kg")
LESS = {"contact_every": 120.0}
SEVERE = 3
ROWS = {
    "fabrizio_2022": ("HR_CIR_lowFluAUC", "HR_CIR_highburden"),
    "eliana": ("Cmax_ratio_R_vs_NR", "AUC0_28d_ratio_R_vs_NR"),
    "zuma_1": ("CRS_onset_median", "NT_onset_median", "Bcell_detectable_rate"),
    "juliet": ("CRS_onset_median", "NT_onset_median"),
    "zuma_7": ("EFS_HR_highMTV", "PFS_HR_highMTV"),
}


@cache
def treated(name: str, patients: int, seed: int, dose: str = "") -> tuple[Any, Any]:
    """A trial, its dose changed or not, and its virtual patients."""
    from vein2vein.inference.calibration.spreads import with_spreads
    from vein2vein.trials.trial import enroll_and_treat, load_trial

    trial = with_spreads(load_trial(name))
    trial = replace(trial, plan=replace(trial.plan, **LESS), dose=dose or trial.dose)
    return trial, enroll_and_treat(trial, np.arange(patients), seed=seed)


def published(name: str, quantities: Iterable[str], patients: int, seed: int) -> Iterator[str]:
    """Rows of a trial that are effects of a covariate, or are to be held beside those of another product."""
    from vein2vein.trials.comparison import compare
    from vein2vein.trials.trial import follow_up_at

    trial, journey = treated(name, patients, seed)
    rows = [row for row in trial.published if row.quantity in quantities and row.tolerance_kind]
    follow_up = follow_up_at(trial, journey.patient.number, seed)
    found = compare(rows, journey, follow_up=follow_up, scale=trial.scale, until=trial.until, seed=seed)
    for row, one in zip(rows, found):
        between = f"{one.low:.3g} to {one.high:.3g}"
        yield f"| {name} | {row.quantity} ({row.unit}) | {row.value:g} | {one.simulated:.3g} ({between}) |"


def by_dose(patients: int, seed: int) -> Iterator[str]:
    """Peak and severe CRS of the patients of ELIANA at doses tenfold apart."""
    from vein2vein.trials.endpoints.toxicity import highest_crs

    what = "geometric mean Cmax (copies/ug); CRS >= 3 (%)"
    for dose in DOSES:
        trial, journey = treated("eliana", patients, seed, dose)
        infused = journey.infused
        peak = np.exp(np.nanmean(np.log(journey.kinetics.cmax[infused])))
        severe = 100 * np.mean(highest_crs(journey, trial.scale, trial.until)[infused] >= SEVERE)
        yield f"| eliana, {dose} | {what} | no effect of dose | {peak:.3g}; {severe:.0f} |"


def by_burden(name: str, patients: int, seed: int) -> Iterator[str]:
    """Exponent of the peak on burden, and severe CRS in the lower and the upper half of burden."""
    from vein2vein.models.model import named
    from vein2vein.models.reference import model as reference
    from vein2vein.trials.endpoints.toxicity import highest_crs

    trial, journey = treated(name, patients, seed)
    infused = journey.infused
    burden = np.log(np.asarray(named(reference.MODEL.parameters, journey.individual).n_T0)[infused])
    peak = np.log(journey.kinetics.cmax[infused])
    known = np.isfinite(peak)
    slope = np.polyfit(burden[known], peak[known], 1)[0]
    severe, upper = highest_crs(journey, trial.scale, trial.until)[infused] >= SEVERE, burden > np.median(burden)
    what = "exponent of Cmax on burden; CRS >= 3 below and above the median burden (%)"
    halves = f"{100 * severe[~upper].mean():.0f}, {100 * severe[upper].mean():.0f}"
    yield f"| {name} | {what} | small; more with burden | {slope:.2f}; {halves} |"


def main(arguments: Iterable[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    print("| trial | effect | published | virtual (90 % interval of trials of that size) |\n|---|---|---|---|")
    for name, quantities in ROWS.items():
        for line in published(name, quantities, asked.patients, asked.seed):
            print(line, flush=True)
    for name in ("fabrizio_2022", "juliet"):
        for line in by_burden(name, asked.patients, asked.seed):
            print(line, flush=True)
    for line in by_dose(asked.patients, asked.seed):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
