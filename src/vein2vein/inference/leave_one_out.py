"""Prediction beside fit: each trial run under what the other trials say, with the model's error of its kind.

The error of the model (``model_error``) is learned by kind of endpoint from the other trials, and widens the intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from vein2vein.errors import InputError
from vein2vein.inference.calibration.left_out import (
    GROUPS,
    Linear,
    group_of,
    seen_elsewhere,
    sets_without,
    together,
)
from vein2vein.inference.model_error import NORMAL_90, model_error, of_kind, spread, widened
from vein2vein.inference.qualification import published_rows, score
from vein2vein.inference.scoring import Score, ScoredRow, summarize, with_baselines
from vein2vein.trials.trial import Trial, list_trials, load_trial

REFITTED, LINEARIZED = "refitted without it", "linearized"
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
    how : str
        "refitted without it", by runs, or "linearized".
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
    how: str


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
    refitted = True
    owners = np.array(linear.owners)
    for i, trial in enumerate(chosen):
        away = [name for name in together(trial.name) if name in linear.owners]
        stays = ~np.isin(owners, away)
        refitted &= linear.refit_without(away) is not None
        mine = [met for met, name in zip(linear.met, linear.owners, strict=True) if name == trial.name]
        groups[trial.name] = group_of(mine, seen_elsewhere(linear, stays))

        def tell(fraction: float, text: str, done: int = i) -> None:
            if progress:
                progress((done + fraction) / len(chosen), text)

        sets = sets_without(linear, away, seed=seed)
        bare += score([trial], patients=patients, seed=seed, sets=sets, progress=tell, jobs=jobs)
    told = with_baselines(bare, published_rows())
    rows = tuple(
        widened(row, of_kind(model_error([one for one in told if one.file not in together(row.file)]), row.kind))
        for row in told
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
        how=REFITTED if refitted else LINEARIZED,
    )
