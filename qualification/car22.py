"""Real patients beside virtual ones: a CD22 product in 40 patients with B-ALL (reference data, never fitted).

The design stands in car22.toml. Every virtual trial takes for each real patient a virtual one of the same dose level,
measured on the same days with the same limits of quantification; hundreds of them give the 90 % interval of what such
data would show.

    python qualification/car22.py ../shared/data/car22_nih_cd22 --out results

1. Visual predictive check: 10th, 50th and 90th percentile by sampling window, real and simulated.
2. Ranks: peaks by grade of cytokine release syndrome (ASTCT), CAR T cells by response.
3. A figure of the check (SVG).

The data stay where they are; no number of them is written into this project.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
Floats = NDArray[np.float64]
ANALYTES = {
    "car_t_blood": "car_t_cells", "il6": "il6", "ifng": "ifn_gamma", "ferritin": "ferritin", "crp": "crp",
}  # fmt: skip
LAST = 31.0  # last day of the daily cytokine block
HALF_WEEK = 3.5
FEWEST = 5  # patients in a window that is shown
SHARES = (0.1, 0.5, 0.9)
INTERVAL = (0.05, 0.95)
SEVERE = 3
COMPLETE, RESPONSE_BY = ("CR", "CRh", "CRi"), 45.0


@dataclass(frozen=True)
class Samples:
    """Values of one analyte: of which patient (position), on which day, and the limits of the assay."""

    who: NDArray[np.intp]
    day: Floats
    value: Floats
    low: float
    high: float


@dataclass(frozen=True)
class Cohort:
    """Patients with their measured courses, real or virtual."""

    dose_level: NDArray[np.str_]
    grade: Floats  # highest ASTCT grade
    onset: Floats  # day of its beginning; NaN: none
    complete: Floats  # complete response: 1, 0, NaN unknown
    tocilizumab: Floats
    steroids: Floats
    samples: dict[str, Samples]

    @property
    def count(self) -> int:
        """Number of patients."""
        return len(self.grade)


# The real patients


def read_cohort(folder: Path) -> Cohort:
    """Read subjects.csv and observations.csv of the reference data."""

    with open(folder / "subjects.csv", encoding="utf-8") as file:
        people = list(csv.DictReader(file))
    with open(folder / "observations.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["variable"] in ANALYTES]
    place = {one["id"]: i for i, one in enumerate(people)}

    def column(name: str) -> Floats:
        return np.array([float(one[name]) if one[name] else np.nan for one in people])

    from vein2vein.virtual import assay

    samples = {}
    for variable, analyte in ANALYTES.items():
        mine = [r for r in rows if r["variable"] == variable and 0 <= float(r["day"]) <= LAST]
        value = np.array([float(r["value"]) for r in mine])
        above = [float(r["value"]) for r in mine if r["censored"] == "1"]
        low, high = max(value[value > 0].min(), assay.usual()[analyte].lloq), min(above) if above else np.inf
        who, day = np.array([place[r["id"]] for r in mine]), np.array([float(r["day"]) for r in mine])
        samples[analyte] = Samples(who, day, np.clip(value, low, high), low, high)
    return Cohort(
        np.array([one["dose_level"] for one in people]), column("crs_max_grade_astct"), column("crs_onset_day"),
        column("cr"), column("tocilizumab"), column("steroids"), samples,
    )  # fmt: skip


# The virtual patients


def simulate(patients: int, seed: int):
    """Take virtual patients through the design of the cohort."""
    from vein2vein.trials.trial import enroll_and_treat, load_trial

    trial = load_trial(HERE / "car22.toml")
    return trial, enroll_and_treat(trial, np.arange(patients), seed=seed)


@dataclass(frozen=True)
class Virtual:
    """What is read off the virtual patients once: facts of each, and courses on a grid of days."""

    dose_level: NDArray[np.str_]
    facts: dict[str, Floats]
    days: Floats
    courses: dict[str, Floats]  # (patients, days)


def read_virtual(trial, journey) -> Virtual:
    """The infused virtual patients, as the real ones were followed."""
    from vein2vein.trials.endpoints import toxicity
    from vein2vein.trials.endpoints.measures import ENDPOINTS

    given = np.flatnonzero(np.asarray(journey.infused))
    onset = ENDPOINTS["crs_onset"].read(journey, scale=trial.scale, grade=1, until=trial.until)
    complete = ENDPOINTS["responded"].read(journey, responses=COMPLETE, response_by=RESPONSE_BY)
    day = journey.course.days

    def ever(*names: str) -> Floats:
        doses = sum(np.nan_to_num(journey.course.dense(name)) for name in names)
        return (doses[:, day <= LAST] > 0).any(axis=1).astype(float)

    facts = {
        "grade": np.asarray(toxicity.highest_crs(journey, trial.scale, trial.until), float),
        "onset": np.asarray(onset, float),
        "complete": complete.astype(float),
        "tocilizumab": ever("tocilizumab"),
        "steroids": ever("dexamethasone", "methylprednisolone"),
    }
    level = np.array([str(arm).split(",")[0] for arm in journey.patient.arm])
    return Virtual(
        level[given], {name: value[given] for name, value in facts.items()}, day,
        {analyte: journey.course.dense(analyte)[given] for analyte in ANALYTES.values()},
    )  # fmt: skip


def alike(real: Cohort, virtual: Virtual, rng: np.random.Generator) -> Cohort:
    """One virtual trial: for each real patient a virtual one of the dose level, measured on the same days."""
    who = np.array([rng.choice(np.flatnonzero(virtual.dose_level == level)) for level in real.dose_level])
    samples = {}
    for analyte, seen in real.samples.items():
        course = virtual.courses[analyte]
        nearest = np.abs(virtual.days[None, :] - seen.day[:, None]).argmin(axis=1)
        value = np.clip(course[who[seen.who], nearest], seen.low, seen.high)  # NaN after death
        samples[analyte] = Samples(seen.who, seen.day, value, seen.low, seen.high)
    return Cohort(real.dose_level, **{name: v[who] for name, v in virtual.facts.items()}, samples=samples)


# What is compared


def windows(samples: Samples, width: float) -> Iterator[tuple[float, NDArray[np.bool_]]]:
    """Sampling windows with enough patients: their middle and who is in them."""
    for middle in np.arange(0.0, LAST + width, width):
        inside = np.abs(samples.day - middle) <= width / 2
        if len(set(samples.who[inside])) >= FEWEST:
            yield middle, inside


def width_of(analyte: str) -> float:
    """Days between windows: weekly samples, or the cytokines of every other day."""
    return 2.0 if analyte in ("il6", "ifn_gamma") else 2 * HALF_WEEK


def percentiles(cohort: Cohort, analyte: str) -> Floats:
    """10th, 50th and 90th percentile by window, shape (windows, 3)."""
    samples = cohort.samples[analyte]
    found = []
    for _, inside in windows(samples, width_of(analyte)):
        value = samples.value[inside]
        value = value[np.isfinite(value)]
        found.append(np.quantile(value, SHARES) if value.size else np.full(len(SHARES), np.nan))
    return np.array(found)


def peak(cohort: Cohort, analyte: str) -> Floats:
    """Highest value of each patient, shape (n,); NaN: never measured."""
    samples, found = cohort.samples[analyte], np.full(cohort.count, -np.inf)
    known = np.isfinite(samples.value)
    np.maximum.at(found, samples.who[known], samples.value[known])
    return np.where(np.isfinite(found), found, np.nan)


def rank_correlation(one: Floats, other: Floats) -> float:
    """Spearman's correlation over those with both."""
    from scipy.stats import rankdata

    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < FEWEST or np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return np.nan
    return float(np.corrcoef(rankdata(one[both]), rankdata(other[both]))[0, 1])


def concordance(value: Floats, group: Floats) -> float:
    """Probability that one of the group has the higher value (ties count half)."""
    yes, no = value[(group == 1) & np.isfinite(value)], value[(group == 0) & np.isfinite(value)]
    if not yes.size or not no.size:
        return np.nan
    return float(np.mean((yes[:, None] > no[None, :]) + (yes[:, None] == no[None, :]) / 2))


def _median(value: Floats, chosen: NDArray[np.bool_]) -> float:
    value = value[chosen & np.isfinite(value)]
    return float(np.median(value)) if value.size else np.nan


def figures(cohort: Cohort) -> dict[str, float]:
    """Every number that is compared, by what it is."""
    cmax, names = peak(cohort, "car_t_cells"), {"il6": "IL-6", "ferritin": "ferritin", "ifn_gamma": "IFN-gamma"}
    found = {
        "CRS any grade (%)": 100 * float(np.mean(cohort.grade >= 1)),
        "CRS grade 3 or more (%)": 100 * float(np.mean(cohort.grade >= SEVERE)),
        "CRS onset, median (day)": _median(cohort.onset, cohort.grade >= 1),
        "tocilizumab (%)": 100 * float(np.nanmean(cohort.tocilizumab)),
        "steroids (%)": 100 * float(np.nanmean(cohort.steroids)),
        "complete response (%)": 100 * float(np.nanmean(cohort.complete)),
        "Cmax, median (cells/uL)": _median(cmax, np.ones(cohort.count, bool)),
        "Cmax in CR, median (cells/uL)": _median(cmax, cohort.complete == 1),
        "Cmax without CR, median (cells/uL)": _median(cmax, cohort.complete == 0),
        "CR has the higher Cmax (probability)": concordance(cmax, cohort.complete),
        "rank correlation Cmax, CRS grade": rank_correlation(cmax, cohort.grade),
    }
    for analyte, name in names.items():
        top = peak(cohort, analyte)
        found[f"rank correlation peak {name}, CRS grade"] = rank_correlation(top, cohort.grade)
        found[f"rank correlation peak {name}, Cmax"] = rank_correlation(top, cmax)
        for grade in range(SEVERE + 1):
            chosen = cohort.grade == grade if grade < SEVERE else cohort.grade >= SEVERE
            label = f"peak {name}, CRS grade {grade}{' or more' if grade == SEVERE else ''}, median"
            found[f"{label} ({'ug/L' if analyte == 'ferritin' else 'pg/mL'})"] = _median(top, chosen)
    return found


# Telling it


def table(real: dict[str, float], virtual: list[dict[str, float]]) -> Iterator[str]:
    """Real beside the median and 90 % interval of the virtual trials; a star where the real one is outside."""
    yield f"{'':52s} {'real':>10s} {'simulated (90 %)':>30s}"
    for name, value in real.items():
        drawn = np.array([one[name] for one in virtual])
        drawn = drawn[np.isfinite(drawn)]
        if not drawn.size:
            yield f"{name:52s} {value:10.3g} {'none':>30s}"
            continue
        low, middle, high = np.quantile(drawn, [INTERVAL[0], 0.5, INTERVAL[1]])
        star = "" if low <= value <= high or np.isnan(value) else " *"
        yield f"{name:52s} {value:10.3g} {f'{middle:.3g} ({low:.3g} to {high:.3g})':>30s}{star}"


def check(real: Cohort, trials: list[Cohort]) -> Iterator[str]:
    """The visual predictive check as a table."""
    for analyte in real.samples:
        seen, drawn = percentiles(real, analyte), np.array([percentiles(one, analyte) for one in trials])
        low, high = np.nanquantile(drawn, INTERVAL, axis=0)
        inside = (seen >= low) & (seen <= high)
        yield (
            f"{analyte}: percentiles inside the simulated 90 % interval: "
            + ", ".join(f"{100 * s:.0f}th {inside[:, i].sum()} of {len(seen)}" for i, s in enumerate(SHARES))
        )
        for (day, _), row, a, b in zip(windows(real.samples[analyte], width_of(analyte)), seen, low, high):
            cells = "   ".join(f"{v:9.3g} ({x:.3g} to {y:.3g})" for v, x, y in zip(row, a, b))
            yield f"  day {day:4.1f}  {cells}"


def picture(real: Cohort, trials: list[Cohort]) -> str:
    """The check as SVG: real percentiles as lines with marks, their simulated 90 % intervals as bands."""
    from vein2vein.report.figures import day_axis, log_axis, render
    from vein2vein.report.look import axis_name, color

    looks = list(zip(SHARES, ("crp", "cells", "tumor"), ("v", "o", "^"), (":", "-", "--")))

    def draw(figure) -> None:
        panels = figure.subplots(2, 3).ravel()
        for axes, analyte in zip(panels, real.samples):
            samples = real.samples[analyte]
            day = np.array([middle for middle, _ in windows(samples, width_of(analyte))])
            seen, drawn = percentiles(real, analyte), np.array([percentiles(one, analyte) for one in trials])
            low, high = np.nanquantile(drawn, INTERVAL, axis=0)
            axes.plot(samples.day, np.maximum(samples.value, samples.low), ".", color=color("soft"), alpha=0.25, ms=3)
            for i, (share, name, mark, line) in enumerate(looks):
                ends = [np.maximum(v[:, i], samples.low) for v in (low, high, seen)]
                axes.fill_between(day, *ends[:2], color=color(name), alpha=0.25, linewidth=0)
                label = f"real, {100 * share:.0f}th percentile"
                axes.plot(day, ends[2], line, marker=mark, markersize=4, color=color(name), label=label)
            log_axis(axes)
            day_axis(axes, LAST)
            axes.set_ylabel(axis_name(analyte))
        handles, labels = panels[0].get_legend_handles_labels()
        panels[-1].axis("off")
        panels[-1].legend(handles, labels, loc="center", title="Bands: 90 % of virtual trials\nDots: real values")

    return render(
        "car22", "A CD22 product: 40 real patients beside virtual trials",
        "Five panels over time: CAR T cells, IL-6, interferon-gamma, ferritin and CRP; percentiles of the real "
        "patients as lines, the simulated 90 % intervals of the same percentiles as bands.",
        draw, height=7,
    ).svg  # fmt: skip


def main(arguments: list[str] | None = None, say: Callable[[str], None] = print) -> int:
    """Print the tables and write the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    usual = Path(os.environ.get("VEIN2VEIN_SHARED", HERE.parents[1] / "shared")) / "data" / "car22_nih_cd22"
    parser.add_argument("data", type=Path, nargs="?", default=usual)
    parser.add_argument("--patients", type=int, default=600, help="virtual patients")
    parser.add_argument("--trials", type=int, default=200, help="virtual trials drawn from them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for the figure")
    asked = parser.parse_args(arguments)
    if not (asked.data / "subjects.csv").is_file():
        raise SystemExit(f"no reference data at {asked.data}; give the folder that holds subjects.csv")
    real, rng = read_cohort(asked.data), np.random.default_rng(asked.seed)
    virtual = read_virtual(*simulate(asked.patients, asked.seed))
    trials = [alike(real, virtual, rng) for _ in range(asked.trials)]
    say(f"{real.count} real patients; {len(virtual.dose_level)} virtual ones; {asked.trials} virtual trials")
    for line in (*table(figures(real), [figures(one) for one in trials]), "", *check(real, trials)):
        say(line)
    if asked.out:
        from vein2vein.files import make_folder, write_text

        say(f"figure: {write_text(make_folder(asked.out) / 'car22.svg', picture(real, trials), force=True)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
