"""What is compared between real and virtual patients: percentiles by window, spreads, shares, ranks.

Everything is computed over the last axes, so that a hundred virtual trials cost little more than one.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# (SciPy brings no stubs)

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vein2vein.inference.calibration.cohort import Cohort, number_of
from vein2vein.inference.calibration.gauss_newton import Flags, Floats

SHARES = (0.1, 0.5, 0.9)
CELLS = "car_t_cells"
NAMES = {
    "il6": "IL-6", "il10": "IL-10", "il15": "IL-15", "ifn_gamma": "IFN-gamma", "ferritin": "ferritin", "crp": "CRP",
    "ldh": "LDH",
}  # fmt: skip
PEAK_UNITS = {"ferritin": "ug/L", "crp": "mg/L", "ldh": "U/L"}
LOG10, PERCENT, LINEAR, FISHER = "log10", "percent", "linear", "fisher"
STRONGEST = 0.99  # solver coefficient: a correlation beyond it counts as this, where its Fisher transform is taken
HUNDRED = 100.0  # unit factor


@dataclass(frozen=True)
class Figure:
    """One number that is compared.

    Attributes
    ----------
    value : ndarray, shape (...)
        One for each cohort; NaN: cannot be told.
    scale : str
        On which its error is even: "log10", "percent", "linear" or "fisher" (of a rank correlation).
    endpoint : str
        Endpoint of trials of the same kind.
    group : str
        Figures of one group say much the same; "" for a figure of its own.
    """

    value: Floats
    scale: str
    endpoint: str
    group: str = ""

    def on_scale(self) -> Floats:
        """The values on the scale."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.scale == LOG10:
                return np.where(self.value > 0, np.log10(self.value), np.nan)
            if self.scale == FISHER:
                return np.arctanh(np.clip(self.value, -STRONGEST, STRONGEST))
        return self.value


def width_of(analyte: str) -> float:
    """Days between the middles of windows, where a table or picture shows them as dense as the data are."""
    return 2.0 if analyte in ("il6", "il10", "il15", "ifn_gamma") else number_of("every")


def windows(cohort: Cohort, analyte: str, width: float) -> list[tuple[float, Flags]]:
    """Sampling windows with enough patients: their middle, and which samples are in them, shape (n, samples)."""
    days = cohort.days[analyte]
    found: list[tuple[float, Flags]] = []
    for middle in np.arange(0.0, number_of("last") + width, width):
        inside = np.abs(days - middle) <= width / 2  # NaN: not measured, in none
        if inside.any(axis=1).sum() >= number_of("fewest"):
            found.append((float(middle), inside))
    return found


def quantiles(values: Floats, shares: tuple[float, ...] = SHARES) -> Floats:
    """Quantiles over the last axis, NaN left out, shape (..., shares); NaN where there is no value."""
    ordered = np.sort(values, axis=-1)  # NaN comes last
    count = np.isfinite(ordered).sum(axis=-1)
    found: list[Floats] = []
    for share in shares:
        place = share * np.maximum(count - 1, 0)
        below = np.floor(place).astype(np.intp)
        above = np.minimum(below + 1, np.maximum(count - 1, 0))
        low, high = (np.take_along_axis(ordered, at[..., None], axis=-1)[..., 0] for at in (below, above))
        found.append(low + (place - below) * (high - low))
    return np.stack(found, axis=-1)


def percentiles(cohort: Cohort, analyte: str, seen: list[tuple[float, Flags]]) -> Floats:
    """10th, 50th and 90th percentile in each window, shape (..., windows, 3)."""
    values = cohort.values[analyte]
    flat = values.reshape(*values.shape[:-2], -1)
    return np.stack([quantiles(np.where(inside.ravel(), flat, np.nan)) for _, inside in seen], axis=-2)


def peak(cohort: Cohort, analyte: str, first: float = 0.0, last: float = np.inf) -> Floats:
    """Highest value of each patient between two days, shape (..., n); NaN: never measured."""
    days, values = cohort.days[analyte], cohort.values[analyte]
    known = np.isfinite(values) & (days >= first) & (days <= last)
    found = np.where(known, values, -np.inf).max(axis=-1)
    return np.where(np.isfinite(found), found, np.nan)


def rank_correlation(one: Floats, other: Floats) -> Floats:
    """Spearman's correlation over the last axis, of those with both; NaN where too few have, or one never differs."""
    from scipy.stats import rankdata

    one, other = np.broadcast_arrays(one, other)
    both = np.isfinite(one) & np.isfinite(other)
    first, second = (
        np.asarray(rankdata(np.where(both, v, np.nan), axis=-1, nan_policy="omit"), float) for v in (one, other)
    )
    count = both.sum(axis=-1, keepdims=True)
    first, second = (
        np.where(both, v - np.where(both, v, 0).sum(axis=-1, keepdims=True) / np.maximum(count, 1), 0)
        for v in (first, second)
    )
    size = np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))
    told = (count[..., 0] >= number_of("fewest")) & (size > 0)
    return np.where(told, (first * second).sum(axis=-1) / np.where(told, size, 1), np.nan)


def concordance(value: Floats, group: Floats) -> Floats:
    """Probability that one of the group (1, against 0) has the higher value; ties count half."""
    value, group = np.broadcast_arrays(value, group)
    yes, no = (group == 1) & np.isfinite(value), (group == 0) & np.isfinite(value)
    pairs = yes[..., :, None] & no[..., None, :]
    higher = value[..., :, None] > value[..., None, :]
    tied = value[..., :, None] == value[..., None, :]
    count = pairs.sum(axis=(-2, -1))
    won = np.where(pairs, higher + tied / 2, 0).sum(axis=(-2, -1))
    return np.where(count > 0, won / np.maximum(count, 1), np.nan)


def _median(value: Floats, chosen: Flags) -> Floats:
    return quantiles(np.where(chosen, value, np.nan), (0.5,))[..., 0]


def _share(yes: Flags, known: Flags) -> Floats:
    count = known.sum(axis=-1)
    return np.where(count > 0, HUNDRED * (yes & known).sum(axis=-1) / np.maximum(count, 1), np.nan)


def _sd(value: Floats) -> Floats:
    """Standard deviation over the last axis, NaN left out."""
    known = np.isfinite(value)
    count = known.sum(axis=-1, keepdims=True)
    mean = np.where(known, value, 0).sum(axis=-1, keepdims=True) / np.maximum(count, 1)
    squares = np.where(known, value - mean, 0) ** 2
    return np.where(count[..., 0] > 1, np.sqrt(squares.sum(axis=-1) / np.maximum(count[..., 0] - 1, 1)), np.nan)


def figures(cohort: Cohort) -> dict[str, Figure]:
    """Every number that is compared, by what it is; percentiles by window apart (``by_window``)."""
    facts, severe = cohort.facts, number_of("severe")
    grade, complete = facts["grade"], facts["complete"]
    known = np.isfinite(grade)
    found = {
        "CRS any grade (%)": Figure(_share(grade >= 1, known), PERCENT, "crs"),
        "CRS grade 3 or more (%)": Figure(_share(grade >= severe, known), PERCENT, "crs"),
        "CRS onset, median (day)": Figure(_median(facts["onset"], grade >= 1), LINEAR, "crs_onset"),
    }
    for name in ("tocilizumab", "steroids"):
        found[f"{name} (%)"] = Figure(_share(facts[name] == 1, np.isfinite(facts[name])), PERCENT, "given")
    found["complete response (%)"] = Figure(_share(complete == 1, np.isfinite(complete)), PERCENT, "responded")
    if CELLS in cohort.values:
        found |= _of_cells(cohort, grade, complete)
    for analyte, name in NAMES.items():
        if analyte not in cohort.values:
            continue
        top = peak(cohort, analyte)
        found[f"rank correlation peak {name}, CRS grade"] = Figure(rank_correlation(top, grade), FISHER, "crs")
        if CELLS in cohort.values:
            together = rank_correlation(top, peak(cohort, CELLS))
            found[f"rank correlation peak {name}, Cmax"] = Figure(together, FISHER, "crs")
        for step in range(int(severe) + 1):
            chosen = grade == step if step < severe else grade >= severe
            label = f"peak {name}, CRS grade {step}{' or more' if step == severe else ''}, median"
            unit = PEAK_UNITS.get(analyte, "pg/mL")
            found[f"{label} ({unit})"] = Figure(_median(top, chosen), LOG10, "crs", f"peak {name} by grade")
    return found


def _of_cells(cohort: Cohort, grade: Floats, complete: Floats) -> dict[str, Figure]:
    """How far the cells expand, how that varies, and what it goes with."""
    cmax = peak(cohort, CELLS)
    early = peak(cohort, CELLS, number_of("early_from"), number_of("early_to"))
    late = peak(cohort, CELLS, number_of("late_from"), number_of("late_to"))
    known = np.isfinite(cmax)
    return {
        "Cmax, median (cells/uL)": Figure(_median(cmax, known), LOG10, "cmax_cells"),
        "Cmax, 10th percentile (cells/uL)": Figure(quantiles(cmax, SHARES[:1])[..., 0], LOG10, "cmax_cells"),
        "sd of log10 Cmax": Figure(_sd(np.log10(cmax)), LINEAR, "cmax_cells"),
        "Cmax below 1/uL (%)": Figure(_share(cmax < number_of("hardly"), known), PERCENT, "cmax_cells"),
        "Cmax below 10/uL (%)": Figure(_share(cmax < number_of("little"), known), PERCENT, "cmax_cells"),
        "Cmax in CR, median (cells/uL)": Figure(_median(cmax, complete == 1), LOG10, "cmax_cells", "Cmax by CR"),
        "Cmax without CR, median (cells/uL)": Figure(_median(cmax, complete == 0), LOG10, "cmax_cells", "Cmax by CR"),
        "CR has the higher Cmax (probability)": Figure(concordance(cmax, complete), LINEAR, "responded"),
        "rank correlation Cmax, CRS grade": Figure(rank_correlation(cmax, grade), FISHER, "crs"),
        "rank correlation cells days 5-10, days 24-31": Figure(rank_correlation(early, late), FISHER, "persistence"),
        "rank correlation Cmax, cells days 24-31": Figure(rank_correlation(cmax, late), FISHER, "persistence"),
    }


def by_window(cohort: Cohort, seen: dict[str, list[tuple[float, Flags]]]) -> dict[str, Figure]:
    """Percentiles of each analyte in each window, as figures."""
    found: dict[str, Figure] = {}
    for analyte, chosen in seen.items():
        values, endpoint = percentiles(cohort, analyte, chosen), "cmax_cells" if analyte == CELLS else "crs"
        for at, (day, _) in enumerate(chosen):
            for i, share in enumerate(SHARES):
                name = f"{analyte} day {day:g}, {HUNDRED * share:g}th percentile"
                found[name] = Figure(values[..., at, i], LOG10, endpoint, f"percentiles of {analyte}")
    return found
