"""Percentiles of measured values over time: by visit where samples share their times, else by stretches of time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.noncompartmental.profiles import Profiles
from vein2vein.io.study.study import Floats, Ints
from vein2vein.records import described

LEVELS = (0.1, 0.5, 0.9)
FEWEST = 5  # patients in a stretch of time for its percentiles
SHARE = 0.5  # of all patients that a stretch holds, if there are so many


@described
@dataclass(frozen=True)
class Bands:
    """Percentiles by stretch of time.

    Attributes
    ----------
    time : ndarray, shape (k,)
        Median time of the samples of each stretch.
    first, last : ndarray, shape (k,)
        Its ends.
    percentiles : ndarray, shape (3, k)
        10th, 50th and 90th of the values, those below the limit at the limit; NaN with fewer than five patients.
    below : ndarray, shape (k,)
        Share of the values below the limit.
    patients : ndarray of int, shape (k,)
    """

    time: Floats
    first: Floats
    last: Floats
    percentiles: Floats
    below: Floats
    patients: Ints


def bands(profiles: Profiles, rows: NDArray[np.intp], edges: Iterable[float] | None = None) -> Bands:
    """Percentiles of the values of some patients.

    Parameters
    ----------
    profiles : Profiles
    rows : ndarray of int
        Positions of the patients.
    edges : iterable of float, optional
        Last time of each stretch, as ``stretches`` gives them; by default those of these patients.
    """
    kept = np.isin(profiles.row, rows) & (profiles.time >= 0)
    row, time, value, below = profiles.row[kept], profiles.time[kept], profiles.value[kept], profiles.below[kept]
    ends = np.array(sorted(stretches(row, time) if edges is None else edges), dtype=np.float64)
    place = np.searchsorted(ends, time, side="left")
    used = [k for k in range(len(ends)) if (place == k).any()]
    percentiles = np.full((len(LEVELS), len(used)), np.nan)
    columns = np.full((4, len(used)), np.nan)
    for j, k in enumerate(used):
        own = place == k
        count = len(np.unique(row[own]))
        columns[:, j] = np.median(time[own]), time[own].min(), time[own].max(), count
        if count >= FEWEST:
            percentiles[:, j] = np.quantile(value[own], LEVELS)
    shares = np.array([float(below[place == k].mean()) for k in used])
    return Bands(columns[0], columns[1], columns[2], percentiles, shares, columns[3].astype(np.int64))


def stretches(row: Ints, time: Floats) -> list[float]:
    """Last times of stretches that hold enough patients: a time that enough of them share is one of its own.

    Parameters
    ----------
    row, time : ndarray, shape (m,)
        Patient and time of each sample.
    """
    least = max(FEWEST, round(SHARE * len(np.unique(row))))
    order = np.argsort(time, kind="stable")
    ends: list[float] = []
    seen: set[int] = set()
    for i, j in enumerate(order.tolist()):
        seen.add(int(row[j]))
        last_of_time = i + 1 == len(order) or time[order[i + 1]] > time[j]
        if last_of_time and len(seen) >= least:
            ends.append(float(time[j]))
            seen = set()
    if seen and len(order):
        end = float(time[order[-1]])
        ends = [*ends[:-1], end] if ends and len(seen) < FEWEST else [*ends, end]
    return ends
