"""How each slope of a curve was chosen: its samples, how many, how well they lie on a line, and what it says.

The doubling time and the half-lives of contraction and of the terminal phase have windows of their own
(``therapy.kinetics``). The half-life of the last samples takes, after the peak, those last three or more that lie best
on a line: of the choices whose adjusted R2 is within the tolerance of the best, the one with most samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.records import by_patient
from vein2vein.therapy import kinetics
from vein2vein.therapy.curves import Curves, Flags, Floats

DOUBLING, CONTRACTION, TERMINAL, LAST = "doubling_time", "half_life_contraction", "half_life_terminal", "half_life_last"
CHOSEN = {
    DOUBLING: "from the lowest value before the peak to the first of half of the peak or more",
    CONTRACTION: "from the peak over the two weeks after it",
    TERMINAL: "after the peak, from day 60 to one year, three samples or more",
    LAST: "the last three or more samples after the peak that lie best on a line (adjusted R²)",
}
"""How the samples of each slope are chosen, in words; a test holds the numbers equal to the definitions."""


@by_patient(none=("name",))
@dataclass(frozen=True)
class Phase:
    """One slope of each patient's curve; every array has shape (n,), NaN where there is none.

    Attributes
    ----------
    name : str
    time : ndarray
        Doubling time or half-life, in days.
    points : ndarray
        Samples on the line.
    adjusted_r2 : ndarray
        Share of the variance that the line explains, adjusted for their number; NaN for two samples.
    first, last : ndarray
        Days of the first and the last of them.
    """

    name: str
    time: Floats
    points: Floats
    adjusted_r2: Floats
    first: Floats
    last: Floats


def phases(curves: Curves) -> dict[str, Phase]:
    """The slopes of curves, by name; those that ``kinetics_of`` gives, and that of the last samples."""
    least = int(kinetics.number("terminal_points"))
    return {
        DOUBLING: _phase(DOUBLING, curves, kinetics.rise(curves), rising=True),
        CONTRACTION: _phase(CONTRACTION, curves, kinetics.contraction(curves)),
        TERMINAL: _phase(TERMINAL, curves, kinetics.tail(curves), least=least),
        LAST: _phase(LAST, curves, last_samples(curves)),
    }


def last_samples(curves: Curves) -> Flags:
    """The last samples after the peak that lie best on a falling line, shape (n, k); none where no three do."""
    least, tolerance = int(kinetics.number("last_points")), kinetics.number("last_tolerance")
    after = curves.quantified & (np.arange(curves.days.size) > curves.peak[:, None])
    behind = np.cumsum(after[:, ::-1], axis=1)[:, ::-1]  # 1 for the last sample, 2 for the one before, ...
    most = int(after.sum(axis=1).max(initial=0))
    if most < least:
        return after & False
    choices = [after & (behind <= count) for count in range(least, most + 1)]
    fits = np.stack([
        np.where((after.sum(axis=1) >= count) & (kinetics.slope(curves.days, curves.log, use, least) < 0),
                 adjusted_r2(curves, use), -np.inf)
        for count, use in zip(range(least, most + 1), choices)
    ])  # fmt: skip
    best = fits.max(axis=0)
    good = (fits >= best - tolerance) & np.isfinite(fits)
    chosen = len(choices) - 1 - good[::-1].argmax(axis=0)
    found = np.stack(choices)[chosen, np.arange(len(after))]
    return found & good.any(axis=0)[:, None]


def adjusted_r2(curves: Curves, use: Flags) -> Floats:
    """Adjusted R2 of the line through some samples of each curve, on the log scale, shape (n,); NaN below three."""
    count = use.sum(axis=1)
    safe = np.maximum(count, 1)
    y = np.where(use, curves.log, 0.0)
    about_mean = np.where(use, y - (y.sum(axis=1) / safe)[:, None], 0.0)
    total = (about_mean**2).sum(axis=1)
    rate = kinetics.slope(curves.days, curves.log, use)
    days = np.where(use, curves.days, 0.0)
    centered = np.where(use, curves.days - (days.sum(axis=1) / safe)[:, None], 0.0)
    left = ((about_mean - np.nan_to_num(rate)[:, None] * centered) ** 2).sum(axis=1)
    enough = (count > 2) & (total > 0)
    share = 1 - np.divide(left, total, out=np.zeros_like(left), where=total > 0)
    return np.where(enough, 1 - (1 - share) * (count - 1) / np.maximum(count - 2, 1), np.nan)


def _phase(name: str, curves: Curves, use: Flags, *, rising: bool = False, least: int = 2) -> Phase:
    rate = kinetics.slope(curves.days, curves.log, use, least)
    time = kinetics.time_of(rate if rising else -rate)
    there = np.isfinite(time)
    days = np.broadcast_to(curves.days, use.shape)

    def known(values: NDArray[np.float64]) -> Floats:
        return np.where(there, values, np.nan)

    return Phase(
        name, time, known(use.sum(axis=1).astype(np.float64)), known(adjusted_r2(curves, use)),
        known(np.where(use, days, np.inf).min(axis=1, initial=np.inf)),
        known(np.where(use, days, -np.inf).max(axis=1, initial=-np.inf)),
    )  # fmt: skip
