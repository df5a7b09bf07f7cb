"""Measured curves of many patients made ready to be read: what is quantifiable, where the peak is, and the area below.

What counts of a value below the limit of quantification is a rule with a name, after Beal (2001): M1 leaves such values
out, M5 takes half of the limit, M6 half of it for the first one after the last quantifiable value and leaves the others
out, M7 takes 0. (M2 to M4 are likelihoods: they belong to fits.) The area is straight where a curve rises and
exponential where it falls.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError, unknown

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

ZERO_BEFORE, M1, M5, M6, M7 = "0 before", "M1", "M5", "M6", "M7"
RULES = {
    ZERO_BEFORE: "values below the limit count as 0 before the first quantifiable one, and are left out after it",
    M1: "values below the limit are left out",
    M5: "values below the limit count as half of it",
    M6: "values below the limit count as 0 before the first quantifiable one; between quantifiable ones they are left "
    "out; after the last one the first counts as half of the limit, the others are left out",
    M7: "values below the limit count as 0",
}
"""What values below the limit count as in an area, by the name of the rule (M1 to M7: Beal 2001)."""


@dataclass(frozen=True)
class Curves:
    """Samples of n patients on k days from the infusion on.

    Attributes
    ----------
    days : ndarray, shape (k,)
        Ascending, from 0 on.
    values : ndarray, shape (n, k)
        NaN where nothing was sampled.
    quantified, below : ndarray of bool, shape (n, k)
        Sampled and at or above the limit, sampled and below it.
    limit : ndarray, shape (n, k)
        Limit of quantification of a sample below it.
    """

    days: Floats
    values: Floats
    quantified: Flags
    below: Flags
    limit: Floats

    @cached_property
    def seen(self) -> Flags:
        """Patients with a quantifiable value, shape (n,)."""
        return np.asarray(self.quantified.any(axis=1))

    @cached_property
    def sampled(self) -> Flags:
        """Cells with a sample."""
        return self.quantified | self.below

    @cached_property
    def first(self) -> Places:
        """Position of the first quantifiable value; 0 where there is none."""
        return self.quantified.argmax(axis=1)

    @cached_property
    def last(self) -> Places:
        """Position of the last quantifiable value; the last column where there is none."""
        return self.days.size - 1 - self.quantified[:, ::-1].argmax(axis=1)

    @cached_property
    def peak(self) -> Places:
        """Position of the highest quantifiable value, the first of equals."""
        return np.where(self.quantified, self.values, -np.inf).argmax(axis=1)

    def at(self, place: Places) -> tuple[Floats, Floats]:
        """Value and day at a position of each patient, both (n,); NaN for patients without a quantifiable value."""
        rows = np.arange(len(self.values))
        return (
            np.where(self.seen, self.values[rows, place], np.nan),
            np.where(self.seen, self.days[place], np.nan),
        )

    @cached_property
    def log(self) -> Floats:
        """Natural logarithm of the quantifiable values, 0 elsewhere."""
        return np.log(np.where(self.quantified, self.values, 1.0))


def made_ready(days: Floats, values: Floats, below: Flags, lloq: float = 0.0) -> Curves:
    """Curves of arrays: samples before day 0 are left out.

    Parameters
    ----------
    days : ndarray, shape (k,)
    values : ndarray, shape (n, k)
        Of a value that is marked below, the limit.
    below : ndarray of bool, shape (n, k)
    lloq : float
        Limit of quantification besides what is marked; 0 or less is never quantifiable.
    """
    marked = (below | (values < lloq) | (values <= 0)) & np.isfinite(values)
    later = days >= 0
    found = np.where(marked, np.maximum(np.where(below, values, 0.0), lloq), np.nan)
    quantified = np.isfinite(values) & ~marked
    return Curves(days[later], values[:, later], quantified[:, later], marked[:, later], found[:, later])


def area(curves: Curves, until: float, rule: str = ZERO_BEFORE) -> Floats:
    """Area below each curve from day 0 to ``until``, shape (n,); NaN for patients without a quantifiable value.

    A curve begins with 0 on day 0, and nothing is added after its last value that counts.

    Parameters
    ----------
    curves : Curves
    until : float
        Day; inf for the whole curve.
    rule : str
        Of ``RULES``: what values below the limit count as.

    Raises
    ------
    InputError
        There is no such rule.
    """
    if rule not in RULES:
        raise InputError(unknown("rule for values below the limit", rule, RULES))
    use, level = _counted(curves, rule)
    total = np.zeros(len(curves.values))
    before_day, before = np.zeros(len(total)), np.zeros(len(total))
    for j, day in enumerate(curves.days):
        now = level[:, j]
        added = _segment(before_day, before, np.full(len(total), day), np.where(use[:, j], now, before), until)
        total += np.where(use[:, j], added, 0.0)
        before_day, before = np.where(use[:, j], day, before_day), np.where(use[:, j], now, before)
    return np.where(curves.seen, total, np.nan)


def _counted(curves: Curves, rule: str) -> tuple[Flags, Floats]:
    """Which cells count in an area, and as what, both (n, k)."""
    column = np.arange(curves.days.size)
    early = curves.below & (column < curves.first[:, None])
    late = curves.below & (column > curves.last[:, None])
    next_one = late & (np.cumsum(late, axis=1) == 1)
    zero, half = {
        ZERO_BEFORE: (early, early & False),
        M1: (early & False, early & False),
        M5: (early & False, curves.below),
        M6: (early, next_one),
        M7: (curves.below, early & False),
    }[rule]
    level = np.where(half, curves.limit / 2, np.where(zero, 0.0, curves.values))
    return curves.quantified | zero | half, level


def _segment(t1: Floats, c1: Floats, t2: Floats, c2: Floats, until: float) -> Floats:
    """Area between two samples, cut at ``until``: straight where the curve rises, exponential where it falls."""
    width = t2 - t1
    span = np.clip(until - t1, 0.0, width)
    part = np.divide(span, width, out=np.zeros_like(width), where=width > 0)
    straight = span * (c1 + part * (c2 - c1) / 2)
    falls = (c2 < c1) & (c2 > 0)
    steep = np.log(np.where(falls, c1, 1.0) / np.where(falls, c2, 1.0))  # ln of the fall over the whole segment
    rate = np.divide(steep, width, out=np.zeros_like(width), where=width > 0)
    curved = np.divide(-c1 * np.expm1(-rate * span), rate, out=straight.copy(), where=falls & (rate > 0))
    return np.where(falls, curved, straight)
