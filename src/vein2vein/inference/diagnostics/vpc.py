"""Visual predictive check: quantiles of what was measured over those of the study drawn anew, corrected or as they are.

Rows beyond a limit have no value: they count as lowest (or highest) among those of their stretch of time, in the study
and in what was drawn, and a quantile that falls among them is not drawn. Their share is compared for itself.
"""

# pyright: reportUnknownArgumentType=false
# (the numerical library types what it returns in part only)
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.arguments import flag
from vein2vein.inference.diagnostics.redrawn import Redrawn, redraw
from vein2vein.inference.population.fitted import Fit
from vein2vein.io.study.study import ABOVE, BELOW
from vein2vein.records import described

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS = (0.1, 0.5, 0.9)
BAND = (0.05, 0.5, 0.95)
"""Quantiles of the data, and the interval of each over what was drawn."""
FEWEST = 5  # subjects in a stretch of time


@described
@dataclass(frozen=True)
class Panel:
    """The check of one endpoint in k stretches of time.

    Attributes
    ----------
    endpoint, unit, time_unit : str
    corrected : bool
        Whether values are corrected by the typical prediction (Bergstrand and others 2011).
    log : bool
        Whether its error stands on the logarithm: it is drawn on a logarithmic axis.
    time, first, last : ndarray (k,)
        Median time of the rows of each stretch, and its ends.
    rows : ndarray of int (k,)
    observed : ndarray (3, k)
        10th, 50th and 90th percentile; infinite where it lies beyond the limit.
    drawn : ndarray (3, 3, k)
        Of each percentile: 5 %, median and 95 % over the studies drawn anew.
    below : ndarray (k,)
        Share of rows below the limit.
    drawn_below : ndarray (3, k)
    limited : bool
        Whether any row of the endpoint has a lower limit.
    point_time, point_value : ndarray
        Rows that were measured.
    followed : (times, shares)
        Of the subjects with the endpoint: share whose last row is not before a time.
    outside : int
        Of the percentiles that can be compared, those outside of their band.
    compared : int
    """

    endpoint: str
    unit: str
    time_unit: str
    corrected: bool
    log: bool
    time: Floats
    first: Floats
    last: Floats
    rows: Ints
    observed: Floats
    drawn: Floats
    below: Floats
    drawn_below: Floats
    limited: bool
    point_time: Floats
    point_value: Floats
    followed: tuple[Floats, Floats]
    outside: int
    compared: int


@described
@dataclass(frozen=True)
class Vpc:
    """A visual predictive check: a panel for each endpoint, and how often the study was drawn."""

    panels: tuple[Panel, ...]
    count: int
    notes: tuple[str, ...]


def vpc(fit: Fit, *, count: int = 500, corrected: bool = True, seed: int | None = None) -> Vpc:
    """Compare the study with the same study drawn anew.

    Parameters
    ----------
    fit : Fit
    count : int
        Studies drawn.
    corrected : bool
        Correct values by the typical prediction, so that doses, covariates and times within a stretch do not widen it.
    seed : int, optional
        The fit's own by default.
    """
    flag("corrected", corrected)
    return vpc_of(fit, redraw(fit, count=count, seed=seed), corrected=corrected)


def vpc_of(fit: Fit, drawn: Redrawn, *, corrected: bool = True) -> Vpc:
    """The check of a study that was drawn already."""
    notes = [
        "the studies that were drawn have the visits of the one that was observed, so patients leave when they "
        "did there; if they left because of what was measured (a relapse, a value below the limit), late percentiles "
        "lie apart under the right model, too"
    ]
    if drawn.lost:
        notes.append(f"{drawn.lost} drawn patients could not be solved; others stand in their places")
    panels = tuple(_panel(fit, drawn, e, corrected) for e in range(len(fit.problem.endpoints)))
    return Vpc(panels, len(drawn.drawn), tuple(notes))


def visits(subject: Ints, time: Floats) -> list[float]:
    """Last times of stretches that hold half of the subjects who are still followed, and five at least.

    A time that enough subjects share is a stretch of its own; where true times differ a little from the planned ones, a
    stretch goes on to the end of the visit: to a subject's second row, or a gap that is wider than the stretch so far.
    """
    order = np.argsort(time, kind="stable")
    leaves = np.full(int(subject.max(initial=0)) + 1, -np.inf)
    np.maximum.at(leaves, subject, time)
    ends: list[float] = []
    seen: set[int] = set()
    start = 0.0
    for i, j in enumerate(order.tolist()):
        start = start if seen else float(time[j])
        seen.add(int(subject[j]))
        if i + 1 < len(order) and time[order[i + 1]] == time[j]:
            continue
        after = order[i + 1] if i + 1 < len(order) else j
        if int(subject[after]) not in seen and time[after] - time[j] <= time[j] - start:
            continue
        if len(seen) >= max(FEWEST, 0.5 * float(np.sum(leaves >= time[j]))):
            ends.append(float(time[j]))
            seen = set()
    if seen:
        end = float(time[order[-1]])
        ends = [*ends[:-1], end] if ends and len(seen) < FEWEST else [*ends, end]
    return ends


def _panel(fit: Fit, drawn: Redrawn, e: int, corrected: bool) -> Panel:
    of = np.flatnonzero(drawn.endpoint == e)
    time, subject = drawn.time[of], drawn.subject[of]
    ends = np.array(visits(subject, time))
    place = np.searchsorted(ends, time, side="left")
    value = _ranked(drawn.value[of], drawn.censored[of] == BELOW, drawn.censored[of] == ABOVE)
    anew = drawn.drawn[:, of]
    anew = _ranked(anew, anew < drawn.lower[of], anew > drawn.upper[of])
    if corrected:
        factor = correction(drawn.typical[of], place, len(ends))
        value, anew = value * factor, anew * factor
    k = len(ends)
    columns, rows = np.full((3, k), np.nan), np.zeros(k, dtype=np.int64)
    observed, bands = np.full((3, k), np.nan), np.full((3, 3, k), np.nan)
    below, below_drawn = np.full(k, np.nan), np.full((3, k), np.nan)
    for j in range(k):
        own = np.flatnonzero(place == j)
        rows[j] = len(own)
        columns[:, j] = np.median(time[own]), time[own].min(), time[own].max()
        observed[:, j] = quantiles(value[own], LEVELS)
        bands[:, :, j] = quantiles(quantiles(anew[:, own].T, LEVELS).T, BAND).T
        below[j] = float(np.mean(np.isneginf(value[own])))
        below_drawn[:, j] = np.quantile(np.mean(np.isneginf(anew[:, own]), axis=1), BAND)
    compared = np.isfinite(observed) & np.isfinite(bands[:, 1])
    outside = compared & ((observed < bands[:, 0]) | (observed > bands[:, 2]))
    measured = np.isfinite(value)
    name = list(fit.problem.endpoints)[e]
    units = {name: one.unit for name, one in fit.problem.measured.items()}
    return Panel(
        name,
        units.get(name, ""),
        fit.problem.study.time_unit,
        corrected,
        fit.problem.endpoints[name].scale == "log",
        columns[0],
        columns[1],
        columns[2],
        rows,
        observed,
        bands,
        below,
        below_drawn,
        bool(np.isfinite(drawn.lower[of]).any()),
        time[measured],
        value[measured],
        followed(subject, time),
        int(outside.sum()),
        int(compared.sum()),
    )


def _ranked(value: Floats, low: NDArray[np.bool_], high: NDArray[np.bool_]) -> Floats:
    """Values with those beyond a limit lowest or highest of all."""
    return np.where(low, -np.inf, np.where(high, np.inf, value))


def correction(typical: Floats, place: Ints, count: int) -> Floats:
    """What each row is multiplied by: the median typical prediction of its stretch over its own; 1 where that is 0."""
    middle = np.array([np.median(typical[place == j]) if (place == j).any() else 1.0 for j in range(count)])
    known = (typical > 0) & (middle[place] > 0)
    return np.where(known, middle[place] / np.where(known, typical, 1.0), 1.0)


def quantiles(values: Floats, levels: Sequence[float]) -> Floats:
    """Quantiles along the first axis that are values themselves, so that infinite ones stay apart from the others."""
    return np.quantile(values, levels, axis=0, method="inverted_cdf")


def followed(subject: Ints, time: Floats) -> tuple[Floats, Floats]:
    """Times and the share of subjects whose last row is not before each of them."""
    last = np.array([time[subject == i].max() for i in np.unique(subject)])
    times = np.unique(last)
    return np.concatenate([[0.0], times]), np.array([1.0, *(float(np.mean(last > t)) for t in times)])


def vpc_rows(found: Vpc) -> list[dict[str, object]]:
    """One row of each endpoint and stretch of time, for a table."""
    rows: list[dict[str, object]] = []
    for panel in found.panels:
        for j in range(len(panel.time)):
            row: dict[str, object] = {
                "endpoint": panel.endpoint,
                "unit": panel.unit,
                "corrected": int(panel.corrected),
                "time": float(panel.time[j]),
                "first": float(panel.first[j]),
                "last": float(panel.last[j]),
                "rows": int(panel.rows[j]),
            }
            for i, level in enumerate(LEVELS):
                name = f"p{round(100 * level)}"
                row[f"{name}_observed"] = _finite(panel.observed[i, j])
                for end, k in (("low", 0), ("middle", 1), ("high", 2)):
                    row[f"{name}_drawn_{end}"] = _finite(panel.drawn[i, k, j])
            row["below_observed"] = float(panel.below[j])
            for end, k in (("low", 0), ("middle", 1), ("high", 2)):
                row[f"below_drawn_{end}"] = float(panel.drawn_below[k, j])
            rows.append(row)
    return rows


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else np.nan
