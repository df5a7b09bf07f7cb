"""Real patients beside virtual ones: a CD22 product in 40 patients with B-ALL.

The design stands in car22.toml. Every virtual trial takes for each real patient a virtual one of the same dose level,
measured on the same days with the same limits of quantification; hundreds of them give the 90 % interval of what such
data would show.

    python qualification/car22.py ../shared/data/car22_nih_cd22 --out results
    python qualification/car22.py ../shared/data/car22_nih_cd22 --folds --workers 2

1. Visual predictive check: 10th, 50th and 90th percentile by sampling window, real and simulated.
2. Figures: spread and failure of expansion, peaks by grade of cytokine release syndrome (ASTCT), ranks.
3. A figure of the check (SVG).

The card was fitted to these patients, so that what agrees is a fit. With --folds the numbers of car22_free.toml are
refitted five times, each time without eight of the patients, and every patient stands beside virtual ones of the card
that did not see him: of these numbers that is a prediction. What else the card took from the data stays fitted.

The data stay where they are; no number of them is written into this project.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.calibration.cohort import (
    Cohort,
    alike,
    folds,
    joined,
    number_of,
    read_cohort,
    read_virtual,
    simulate,
)
from vein2vein.inference.calibration.figures_of_patients import SHARES, figures, percentiles, width_of, windows
from vein2vein.inference.posterior import Member

HERE = Path(__file__).resolve().parent
Floats = NDArray[np.float64]
INTERVAL = (0.05, 0.95)
DESIGN, FREE = HERE / "car22.toml", HERE / "car22_free.toml"
Say = Callable[[str], None]


def virtual_trials(
    real: Cohort, patients: int, seed: int, trials: int, one: Member | None = None, purpose: str = "alike"
) -> Cohort:
    """Virtual trials of the real patients, under a parameter set; another purpose has luck of its own."""
    from vein2vein.trials.trial import load_trial

    trial = load_trial(DESIGN)
    virtual = read_virtual(trial, simulate(trial, patients, seed, one), real.values)
    return alike(real, virtual, seed, trials, purpose)


def predicted(real: Cohort, asked: argparse.Namespace, say: Say) -> Cohort:
    """Virtual trials in which each patient stands for one of the card refitted without his fold."""
    from vein2vein.inference.calibration.calibrate import calibrate
    from vein2vein.inference.calibration.patients import patients_of
    from vein2vein.inference.calibration.runs import Settings
    from vein2vein.trials.trial import load_trial

    trial, parts = load_trial(DESIGN), []
    settings = Settings(steps=asked.steps, corrections=0, patients=asked.fitted, seed=asked.seed, workers=asked.workers)
    for k, left in enumerate(folds(real.count)):
        stays = np.setdiff1d(np.arange(real.count), left)
        evidence = patients_of(trial, real.of(stays), f"car22_without_fold_{k + 1}")
        keep = asked.keep.with_suffix(f".{k + 1}.npz") if asked.keep else None
        found = calibrate(FREE, [], settings, beside=[evidence], keep=keep)
        near = np.abs(found.outcome - found.problem.data) <= found.problem.tolerance
        moved = ", ".join(
            f"{factor.name} x {np.exp(log * factor.prior_sd):.2f}"
            for factor, log in zip(found.problem.factors, found.estimate)
        )
        say(f"fold {k + 1}: fitted to {stays.size}, {near.sum()} of {near.size} figures near; {moved}")
        own = f"alike, fold {k + 1}"  # luck of its own: the patients of two folds are not the same virtual ones
        parts.append((left, virtual_trials(real.of(left), asked.patients, asked.seed, asked.trials, found.mean(), own)))
    return joined(parts, real)


def table(real: dict[str, float], virtual: dict[str, Floats]) -> Iterator[str]:
    """Real beside the median and 90 % interval of the virtual trials; a star where the real one is outside."""
    yield f"{'':52s} {'real':>10s} {'simulated (90 %)':>30s}"
    for name, value in real.items():
        drawn = np.atleast_1d(virtual[name])
        drawn = drawn[np.isfinite(drawn)]
        if not drawn.size:
            yield f"{name:52s} {value:10.3g} {'none':>30s}"
            continue
        low, middle, high = np.quantile(drawn, [INTERVAL[0], 0.5, INTERVAL[1]])
        star = "" if low <= value <= high or np.isnan(value) else " *"
        yield f"{name:52s} {value:10.3g} {f'{middle:.3g} ({low:.3g} to {high:.3g})':>30s}{star}"


def check(real: Cohort, trials: Cohort) -> Iterator[str]:
    """The visual predictive check as a table, with how many percentiles are inside at the end."""
    inside_all = np.zeros(len(SHARES), dtype=int)
    count = 0
    for analyte in real.values:
        seen = windows(real, analyte, width_of(analyte))
        if not seen:
            continue
        found, drawn = percentiles(real, analyte, seen), percentiles(trials, analyte, seen)
        low, high = np.nanquantile(drawn, INTERVAL, axis=0)
        inside = (found >= low) & (found <= high)
        inside_all, count = inside_all + inside.sum(axis=0), count + len(seen)
        yield (
            f"{analyte}: percentiles inside the simulated 90 % interval: "
            + ", ".join(f"{100 * s:.0f}th {inside[:, i].sum()} of {len(seen)}" for i, s in enumerate(SHARES))
        )
        for (day, _), row, a, b in zip(seen, found, low, high):
            cells = "   ".join(f"{v:9.3g} ({x:.3g} to {y:.3g})" for v, x, y in zip(row, a, b))
            yield f"  day {day:4.1f}  {cells}"
    yield f"all: {inside_all.sum()} of {count * len(SHARES)} percentiles inside"


def told(real: Cohort, trials: Cohort) -> Iterator[str]:
    """Both tables."""
    mine = {name: float(one.value) for name, one in figures(real).items()}
    yield from table(mine, {name: one.value for name, one in figures(trials).items()})
    yield ""
    yield from check(real, trials)


def picture(real: Cohort, trials: Cohort) -> str:
    """The check as SVG: real percentiles as lines with marks, their simulated 90 % intervals as bands."""
    from vein2vein.report.figures import day_axis, log_axis, render
    from vein2vein.report.look import axis_name, color

    looks = list(zip(SHARES, ("crp", "cells", "tumor"), ("v", "o", "^"), (":", "-", "--")))
    shown = [analyte for analyte in real.values if windows(real, analyte, width_of(analyte))]

    def draw(figure) -> None:
        rows = -(-(len(shown) + 1) // 3)
        panels = figure.subplots(rows, 3).ravel()
        for axes, analyte in zip(panels, shown):
            low_limit, seen = real.limits[analyte][0], windows(real, analyte, width_of(analyte))
            day = np.array([middle for middle, _ in seen])
            found, drawn = percentiles(real, analyte, seen), percentiles(trials, analyte, seen)
            low, high = np.nanquantile(drawn, INTERVAL, axis=0)
            days, values = real.days[analyte].ravel(), np.maximum(real.values[analyte].ravel(), low_limit)
            axes.plot(days, values, ".", color=color("soft"), alpha=0.25, ms=3)
            for i, (share, name, mark, line) in enumerate(looks):
                ends = [np.maximum(v[:, i], low_limit) for v in (low, high, found)]
                axes.fill_between(day, *ends[:2], color=color(name), alpha=0.25, linewidth=0)
                label = f"real, {100 * share:.0f}th percentile"
                axes.plot(day, ends[2], line, marker=mark, markersize=4, color=color(name), label=label)
            log_axis(axes)
            day_axis(axes, number_of("last"))
            axes.set_ylabel(axis_name(analyte))
        handles, labels = panels[0].get_legend_handles_labels()
        for axes in panels[len(shown) :]:
            axes.axis("off")
        panels[-1].legend(handles, labels, loc="center", title="Bands: 90 % of virtual trials\nDots: real values")

    return render(
        "car22", "A CD22 product: 40 real patients beside virtual trials",
        f"{len(shown)} panels over time: {', '.join(shown)}; percentiles of the real patients as lines, the simulated "
        "90 % intervals of the same percentiles as bands.",
        draw, height=7,
    ).svg  # fmt: skip


def main(arguments: list[str] | None = None, say: Say = print) -> int:
    """Print the tables and write the figure."""
    from vein2vein.errors import InputError
    from vein2vein.trials.trial import load_trial

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    usual = Path(os.environ.get("VEIN2VEIN_SHARED", HERE.parents[1] / "shared")) / "data" / "car22_nih_cd22"
    parser.add_argument("data", type=Path, nargs="?", default=usual)
    parser.add_argument("--patients", type=int, default=600, help="virtual patients")
    parser.add_argument("--trials", type=int, default=200, help="virtual trials drawn from them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for the figure")
    parser.add_argument("--folds", action="store_true", help="refit without each fold, and predict it")
    parser.add_argument("--steps", type=int, default=2, help="steps of each refit")
    parser.add_argument("--fitted", type=int, default=240, help="virtual patients in each run of a refit")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="where the runs of the refits are kept, to go on after an end")
    asked = parser.parse_args(arguments)
    if not (asked.data / "subjects.csv").is_file():
        raise SystemExit(f"no reference data at {asked.data}; give the folder that holds subjects.csv")
    try:
        real = read_cohort(asked.data, load_trial(DESIGN))
        for variable, why in real.aside.items():
            say(f"not compared: {variable} ({why})")
        if asked.folds:
            say("Prediction: each patient beside virtual ones of a card refitted without his fold")
            trials = predicted(real, asked, say)
        else:
            say("Fit: the card was fitted to these patients")
            trials = virtual_trials(real, asked.patients, asked.seed, asked.trials)
    except InputError as problem:
        raise SystemExit(str(problem)) from None
    say(f"{real.count} real patients; {asked.patients} virtual ones; {asked.trials} virtual trials")
    for line in told(real, trials):
        say(line)
    if asked.out:
        from vein2vein.files import make_folder, write_text

        say(f"figure: {write_text(make_folder(asked.out) / 'car22.svg', picture(real, trials), force=True)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
