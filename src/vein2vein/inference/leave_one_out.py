"""Prediction beside fit: each trial run under what the other trials say, with the model's error of its kind.

The error of the model is what its predictions of trials that were left out miss beyond sampling and what is not known
of its numbers. It is learned by kind of endpoint, in tolerances, from the other trials, and widens the intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vein2vein.errors import InputError
from vein2vein.inference.calibration.left_out import (
    GROUPS,
    Linear,
    group_of,
    number_of,
    seen_elsewhere,
    sets_without,
    together,
)
from vein2vein.inference.qualification import published_rows, score
from vein2vein.inference.scoring import Score, ScoredRow, numbers, summarize, with_baselines
from vein2vein.trials.published import BY_INTERVAL
from vein2vein.trials.trial import Trial, list_trials, load_trial

NORMAL_90 = 1.645  # unit factor: half-width of a normal distribution's 90 % interval
PERCENT = 100.0  # unit factor
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Prediction:
    """Trials predicted with their own rows left out.

    Attributes
    ----------
    rows : tuple of ScoredRow
        Intervals hold sampling, what is not known of the numbers, and the error of the model.
    bare : tuple of ScoredRow
        The same without the error of the model.
    groups : mapping of str to str
        For each trial: product and disease seen elsewhere, class seen, or neither.
    model_error : mapping of str to float
        By kind of endpoint, learned from all trials: standard deviation in tolerances.
    overall : Score
    by_group, trials, kinds : tuple of Score
    width : float
        Median width of the intervals, in tolerances.
    """

    rows: tuple[ScoredRow, ...]
    bare: tuple[ScoredRow, ...]
    groups: Mapping[str, str]
    model_error: Mapping[str, float]
    overall: Score
    by_group: tuple[Score, ...]
    trials: tuple[Score, ...]
    kinds: tuple[Score, ...]
    width: float


def predict_left_out(
    linear: Linear,
    trials: Iterable[str | Trial] | None = None,
    *,
    patients: int | None = None,
    seed: int = 1,
    progress: Progress | None = None,
    jobs: int = 1,
) -> Prediction:
    """Predict trials of a calibration, each without its own rows and those of trials that may share its patients.

    Parameters
    ----------
    linear : Linear
        The calibration where it ended.
    trials : iterable of str or Trial, optional
        Every trial of the calibration by default. The error of the model is learned from those that are predicted.
    patients : int, optional
        Virtual patients enrolled in each, under each parameter set.
    seed : int
    progress : callable (fraction, text), optional
    jobs : int

    Raises
    ------
    InputError
        A trial is none of the calibration, or fewer than two are asked for.
    """
    asked = [name for name in list_trials() if name in linear.owners] if trials is None else list(trials)
    chosen = [one if isinstance(one, Trial) else load_trial(one) for one in asked]
    if len(chosen) < 2:
        raise InputError("found one trial; the model's error is learned from the others, expected two or more.")
    bare: list[ScoredRow] = []
    groups: dict[str, str] = {}
    owners = np.array(linear.owners)
    for i, trial in enumerate(chosen):
        away = [name for name in together(trial.name) if name in linear.owners]
        stays = ~np.isin(owners, away)
        mine = [met for met, name in zip(linear.met, linear.owners, strict=True) if name == trial.name]
        groups[trial.name] = group_of(mine, seen_elsewhere(linear, stays))

        def tell(fraction: float, text: str, done: int = i) -> None:
            if progress:
                progress((done + fraction) / len(chosen), text)

        sets = sets_without(linear, away, seed=seed)
        bare += score([trial], patients=patients, seed=seed, sets=sets, progress=tell, jobs=jobs)
    told = with_baselines(bare, published_rows())
    rows = tuple(
        widened(row, model_error([one for one in told if one.file not in together(row.file)])[row.kind]) for row in told
    )
    by_kind = list(dict.fromkeys(row.kind for row in rows))
    return Prediction(
        rows=rows,
        bare=told,
        groups=groups,
        model_error=model_error(told),
        overall=summarize("all", rows),
        by_group=tuple(summarize(name, [row for row in rows if groups[row.file] == name]) for name in GROUPS),
        trials=tuple(summarize(name, [row for row in rows if row.file == name]) for name in groups),
        kinds=tuple(summarize(name, [row for row in rows if row.kind == name]) for name in by_kind),
        width=float(np.nanmedian([2 * NORMAL_90 * spread(row) for row in rows])),
    )


def model_error(rows: Sequence[ScoredRow]) -> dict[str, float]:
    """By kind, the standard deviation in tolerances of what predictions miss beyond their own intervals.

    Kinds with few rows borrow from all: ``borrowed`` of left_out.toml. A kind without rows has the error of all.
    """
    excess = {
        kind: [value for row in rows if row.kind == kind and np.isfinite(value := _excess(row))]
        for kind in {row.kind for row in rows}
    }
    every = [value for values in excess.values() for value in values]
    whole, borrowed = max(0.0, float(np.mean(every))) if every else 0.0, number_of("borrowed")
    found = _Usual(np.sqrt(whole))
    for kind, values in excess.items():
        mean = (sum(values) + borrowed * whole) / (len(values) + borrowed)
        found[kind] = float(np.sqrt(max(0.0, mean)))
    return found


class _Usual(dict[str, float]):
    """Errors by kind; that of all for a kind that was not seen."""

    def __init__(self, usual: float) -> None:
        super().__init__()
        self.usual = float(usual)

    def __missing__(self, kind: str) -> float:
        return self.usual


def _excess(row: ScoredRow) -> float:
    """Squared distance from the published value less the variance that the interval tells, in tolerances."""
    return min(row.error, numbers().worst) ** 2 - spread(row) ** 2 if not row.missing else np.nan


def spread(row: ScoredRow) -> float:
    """Standard deviation that a row's interval tells, in tolerances; NaN where an end is not finite."""
    scale, tolerance = _scale(row)
    ends = [scale(end) for end in (row.low, row.high)]
    return float((ends[1] - ends[0]) / (2 * NORMAL_90 * tolerance)) if np.isfinite(ends).all() else float("nan")


def widened(row: ScoredRow, error: float) -> ScoredRow:
    """A row whose interval holds the error of the model (standard deviation in tolerances) too."""
    if row.missing or not np.isfinite(row.simulated):
        return row
    scale, tolerance = _scale(row)
    back = _back(row)
    middle, more = scale(row.simulated), NORMAL_90 * error * tolerance
    low, high = (
        back(middle + sign * float(np.hypot(scale(end) - middle, more))) if np.isfinite(scale(end)) else end
        for sign, end in ((-1, row.low), (1, row.high))
    )
    if row.unit == "%":
        low, high = max(low, min(0.0, row.low)), min(high, max(PERCENT, row.high))
    inside = bool(low <= row.published <= high)
    return replace(row, low=low, high=high, inside=inside, passed=inside and row.close)


def _scale(row: ScoredRow) -> tuple[Callable[[float], float], float]:
    """The scale on which a row's error is even, and the tolerance on it."""
    if row.tolerance_kind == "log10":
        return _log10, row.tolerance
    if row.tolerance_kind == BY_INTERVAL:
        return _ln, float(np.log(row.published_high / row.published_low) / 2)
    if row.tolerance_kind == "percent of value":
        return _ln, float(np.log1p(row.tolerance / PERCENT))
    return float, row.tolerance


def _back(row: ScoredRow) -> Callable[[float], float]:
    if row.tolerance_kind == "log10":
        return lambda value: float(10.0**value)
    if row.tolerance_kind in ("percent of value", BY_INTERVAL):
        return lambda value: float(np.exp(value))
    return float


def _log10(value: float) -> float:
    return float(np.log10(value)) if value > 0 else float("nan")


def _ln(value: float) -> float:
    return float(np.log(value)) if value > 0 else float("nan")
