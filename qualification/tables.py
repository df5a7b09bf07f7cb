"""What a calibration tells of itself: distance from the data, and what the data decided of each factor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import smoother
from smoother import Floats

NORMAL_90 = 1.645  # half-width of a normal distribution's 90 % interval
MOST = 25  # correlations shown


def misfit(step: int, outcome: Floats, data: Floats, error: Floats) -> str:
    """How far the ensemble is from the data, in words."""
    squares = np.nanmean(((outcome - data) / error) ** 2, axis=1)
    near = np.abs(middle(outcome) - data) <= NORMAL_90 * error
    return (
        f"step {step}: mean squared error in errors: median member {np.median(squares):.2f}, best "
        f"{squares.min():.2f}; {near.sum()} of {len(data)} rows have their median within 90 % of the data's error"
    )


def middle(values: Floats) -> Floats:
    """Median over the members of each row, shape (rows,); NaN where no member produced it."""
    return np.array([np.median(c[np.isfinite(c)]) if np.isfinite(c).any() else np.nan for c in values.T])


def by_row(outcome: Floats, rows: list, data: Floats, error: Floats) -> Iterator[str]:
    """Each row: data and median of the ensemble on the row's scale, and their distance in errors."""
    yield "rows: data, ensemble median (log10 or ln where the tolerance is relative), distance in errors"
    for row, value, goal, sd in zip(rows, middle(outcome), data, error):
        label = f"{row.trial[:12]:12s} {row.arm[:14]:14s} {row.quantity[:30]:30s}"
        yield f"{label} {goal:9.3g} {value:9.3g} {(value - goal) / sd:+6.1f}"


def identifiability(ensemble: Floats, factors: list, stages: list[str], facts: dict[str, Any]) -> Iterator[str]:
    """Markdown: what the data decided of each factor, and which factors they decided only together."""
    center, sd = ensemble.mean(axis=0), ensemble.std(axis=0, ddof=1)
    prior = np.array([factor.prior_sd for factor in factors])
    yield "| factor | stage | of | median | 90 % interval | posterior / prior sd |\n|---|---|---|---|---|---|"
    for j in np.argsort(sd / prior):
        factor, (low, high) = factors[j], np.exp(np.quantile(ensemble[:, j], [0.05, 0.95]))
        of = f"{factor.what} of {factor.parameter} in {', '.join(factor.cards)}"
        numbers = f"{np.exp(center[j]):.3g} | {low:.3g} to {high:.3g} | {sd[j] / prior[j]:.2f}"
        yield f"| {factor.name} | {stages[j]} | {of} | {numbers} |"
    together = smoother.correlations(ensemble, ensemble)
    limit = smoother.WHOLE / np.sqrt(len(ensemble))
    pairs = sorted(
        ((abs(together[i, j]), i, j) for i in range(len(factors)) for j in range(i) if abs(together[i, j]) > limit),
        reverse=True,
    )
    yield f"\nStrongest correlations (beyond {limit:.2f}, three standard errors; {len(pairs)} in all)\n"
    yield "| factor | with | correlation |\n|---|---|---|"
    for _, i, j in pairs[:MOST]:
        yield f"| {factors[i].name} | {factors[j].name} | {together[i, j]:+.2f} |"
    yield "\n" + "; ".join(f"{name}: {value}" for name, value in facts.items())
