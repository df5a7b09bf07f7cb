"""The rows of the trials that a calibration is held against, with their errors, on scales on which these are even."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError
from vein2vein.inference.calibration.gauss_newton import FAR, Flags, Floats
from vein2vein.inference.calibration.tables import NORMAL_90
from vein2vein.inference.posterior import CONSTANTS, REFERENCE, Factor
from vein2vein.inference.qualification import scored_rows
from vein2vein.trials.endpoints.measures import ENDPOINTS
from vein2vein.trials.published import BY_INTERVAL, Published
from vein2vein.trials.trial import Trial

LEFT_OUT = 0.5  # of a tolerance, taken as a 90 % interval, for what the model leaves out
NORMAL_95 = 1.96  # unit factor: half-width of a normal distribution's 95 % interval
RESAMPLES = 100  # solver coefficient: simulated trials of the published size behind one simulated value
LEAST = 1e-12  # solver coefficient: in place of 0 where a logarithm is taken
PERCENT = 100.0  # unit factor
RELATIVE = "percent of value"


@dataclass(frozen=True)
class Problem:
    """What is free, and the data.

    Attributes
    ----------
    factors : tuple of Factor
    trials : tuple of Trial
    rows : tuple of Published
        The scored rows of all trials, one trial after the other.
    owner : ndarray of int, shape (rows,)
        Place of each row's trial.
    data, error, tolerance : ndarray, shape (rows,)
        Published value, its standard deviation and its tolerance, on the scale of the row.
    allowed : ndarray of bool, shape (factors, rows)
        Whether a factor can move a row.
    prior : ndarray, shape (factors,)
        Standard deviation of each factor's logarithm.
    """

    factors: tuple[Factor, ...]
    trials: tuple[Trial, ...]
    rows: tuple[Published, ...]
    owner: NDArray[np.intp]
    data: Floats
    error: Floats
    tolerance: Floats
    allowed: Flags
    prior: Floats

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the trials."""
        return tuple(trial.name for trial in self.trials)

    def placed(self, values: Floats, trials: Sequence[Trial]) -> Floats:
        """The rows of some trials, shape (their rows, 2), among all rows, shape (rows, 2); NaN for the others."""
        found = np.full((len(self.rows), 2), np.nan)
        names = [trial.name for trial in trials]
        found[np.array([self.names[i] in names for i in self.owner], dtype=bool)] = values
        return found


def on_scale(row: Published, value: float) -> float:
    """A value on the scale on which the error of its row is even."""
    match row.tolerance_kind:
        case "log10":
            return float(np.log10(max(value, LEAST)))
        case kind if kind in (RELATIVE, BY_INTERVAL):
            return float(np.log(max(value, LEAST)))
        case _:
            return float(value)


def tolerance_of(row: Published) -> float:
    """How far a row's median may be from its data, on the scale of the row."""
    if row.tolerance_kind == BY_INTERVAL:
        return float(np.log(row.high / row.low) / 2)
    return float(row.tolerance / (PERCENT if row.tolerance_kind == RELATIVE else 1))


def error_of(row: Published) -> float:
    """Standard deviation of a row's error on its scale: its sampling error, and what the model leaves out."""
    ends = [on_scale(row, end) for end in (row.low, row.high)]
    if np.isfinite(ends).all():
        sampling = (ends[1] - ends[0]) / (2 * NORMAL_95)
    elif row.unit == "%" and np.isfinite(row.n) and ENDPOINTS[row.endpoint].kind in ("share", "time", "incidence"):
        share = (row.value / PERCENT * row.n + 1) / (row.n + 2)
        sampling = float(PERCENT * np.sqrt(share * (1 - share) / row.n))
    else:
        sampling = 0.0
    if row.tolerance_kind == BY_INTERVAL:
        return sampling
    return float(np.hypot(LEFT_OUT * tolerance_of(row) / NORMAL_90, sampling))


def reach(factors: Sequence[Factor], trials: Sequence[Trial]) -> Flags:
    """Which rows a factor can move: those whose patients meet one of its cards; shape (factors, rows)."""
    met: list[set[str]] = []
    for trial in trials:
        for row in scored_rows(trial):
            arms = [arm for arm in trial.arms if not row.arms or arm.name in row.arms] or [trial]
            met.append({name for arm in arms for name in (arm.product.name, arm.disease.name)})
    general = {REFERENCE, *CONSTANTS}
    return np.array([[bool((here | general) & set(factor.cards)) for here in met] for factor in factors])


def problem_of(factors: Sequence[Factor], trials: Sequence[Trial]) -> Problem:
    """The free numbers and the rows of the trials together.

    Raises
    ------
    InputError
        Two trials of one name, or no row that is scored.
    """
    names = [trial.name for trial in trials]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"found the trial '{twice[0]}' twice, expected each once.", field="trials")
    rows = [row for trial in trials for row in scored_rows(trial)]
    if not rows:
        text = (
            "found no row that is scored, expected at least one [[published]] with confidence 'read' and a tolerance."
        )
        raise InputError(text, field="trials")
    return Problem(
        factors=tuple(factors),
        trials=tuple(trials),
        rows=tuple(rows),
        owner=np.array([at for at, trial in enumerate(trials) for _ in scored_rows(trial)], dtype=np.intp),
        data=np.array([on_scale(row, row.value) for row in rows]),
        error=np.array([error_of(row) for row in rows]),
        tolerance=np.array([tolerance_of(row) for row in rows]),
        allowed=reach(factors, trials),
        prior=np.array([factor.prior_sd for factor in factors]),
    )


def middle_of(row: Published, values: Floats | None, pool: int) -> tuple[float, float]:
    """Mean of the middle half of simulated trials of the published size, and its simulation error.

    The mean moves with the numbers where a median of whole days would not.

    Parameters
    ----------
    row : Published
    values : ndarray, shape (resamples,), or None
        What each simulated trial gave, in the row's unit; NaN: nothing.
    pool : int
        Virtual patients that the trials were drawn from.

    Returns
    -------
    middle, error : float
        On the scale of the row; NaN where half of the trials give nothing.
    """
    values = np.empty(0) if values is None else values[~np.isnan(values)]
    if values.size < RESAMPLES / 2:
        return np.nan, np.nan
    center, error = on_scale(row, row.value), error_of(row)
    on = np.clip(np.sort([on_scale(row, value) for value in values]), center - FAR * error, center + FAR * error)
    low, high = np.quantile(on, [0.05, 0.95])
    quarter = on.size // 4
    spread = (high - low) / (2 * NORMAL_90) * np.sqrt((row.draw or pool) / pool)
    return float(on[quarter : on.size - quarter].mean()), float(spread)
