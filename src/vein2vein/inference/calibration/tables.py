"""What a calibration tells of itself: distance from the data, and what the data decided of each factor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from vein2vein.inference.calibration.gauss_newton import Floats
from vein2vein.inference.posterior import Factor

if TYPE_CHECKING:
    from vein2vein.inference.calibration.fitted_rows import FittedRow

NORMAL_90 = 1.645  # unit factor: half-width of a normal distribution's 90 % interval
WIDTH = 48  # letters of a row's quantity that are shown
TOGETHER, MOST = 0.3, 25  # correlations shown: how strong at least, and how many


def within(outcome: Floats, data: Floats, tolerance: Floats) -> int:
    """How many simulated rows are no farther from their data than the tolerance."""
    return int((np.abs(outcome - data) <= tolerance).sum())


def by_row(outcome: Floats, rows: Sequence[FittedRow], data: Floats, error: Floats) -> Iterator[str]:
    """Each row: data and simulated value on the row's scale, and their distance in errors."""
    yield "rows: data, simulated (log10 or ln where the tolerance is relative), distance in errors"
    for row, value, goal, sd in zip(rows, outcome, data, error):
        label = f"{row.trial[:12]:12s} {row.arm[:14]:14s} {row.quantity[:WIDTH]:{WIDTH}s}"
        yield f"{label} {goal:9.3g} {value:9.3g} {(value - goal) / sd:+6.1f}"


def identifiability(
    point: Floats, spread: Floats, factors: Sequence[Factor], stages: Sequence[str], facts: Mapping[str, object]
) -> Iterator[str]:
    """Markdown: what the data decided of each factor, and which factors they decided only together.

    Parameters
    ----------
    point : ndarray, shape (factors,)
        Estimate in prior standard deviations.
    spread : ndarray, shape (factors, factors)
        Its covariance, same unit.
    factors, stages : sequences, (factors,)
    facts : mapping
        How the calibration was made, told at the end.
    """
    sd, prior = np.sqrt(np.diag(spread)), np.array([factor.prior_sd for factor in factors])
    yield "| factor | stage | of | median | 90 % interval | posterior / prior sd |\n|---|---|---|---|---|---|"
    order: list[int] = np.argsort(sd, kind="stable").tolist()
    for j in order:
        factor, ends = factors[j], np.array([-NORMAL_90, 0.0, NORMAL_90])
        low, middle, high = np.exp((point[j] + ends * sd[j]) * prior[j])
        of = f"{factor.what} of {factor.parameter} in {', '.join(factor.cards)}"
        yield f"| {factor.name} | {stages[j]} | {of} | {middle:.3g} | {low:.3g} to {high:.3g} | {sd[j]:.2f} |"
    together = spread / np.outer(sd, sd)
    pairs = sorted(
        ((abs(together[i, j]), i, j) for i in range(len(factors)) for j in range(i) if abs(together[i, j]) > TOGETHER),
        reverse=True,
    )
    yield f"\nStrongest correlations (beyond {TOGETHER}; {len(pairs)} in all)\n"
    yield "| factor | with | correlation |\n|---|---|---|"
    for _, i, j in pairs[:MOST]:
        yield f"| {factors[i].name} | {factors[j].name} | {together[i, j]:+.2f} |"
    yield "\n" + "; ".join(f"{name}: {value}" for name, value in facts.items())
