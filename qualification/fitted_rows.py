"""What a calibration may change, and the rows of the trials that it is held against, with their errors."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gauss_newton import FAR
from tables import NORMAL_90

HERE = Path(__file__).resolve().parent
LEFT_OUT = 0.5  # of a tolerance, taken as a 90 % interval, for what the model leaves out
NORMAL_95 = 1.96  # half-width of a normal distribution's 95 % interval
RESAMPLES = 100  # simulated trials of the published size behind one simulated value


@dataclass(frozen=True)
class Problem:
    """What is free, and the data."""

    factors: tuple
    trials: tuple[str, ...]
    rows: list
    owner: np.ndarray  # (rows,), place of each row's trial
    data: np.ndarray  # (rows,), on the scale of the row
    error: np.ndarray  # (rows,), standard deviation
    tolerance: np.ndarray  # (rows,)
    allowed: np.ndarray  # (factors, rows), whether a factor can move a row
    prior: np.ndarray  # (factors,), standard deviation of the logarithm

    def placed(self, values: np.ndarray, trials: list[str]) -> np.ndarray:
        """The rows of some trials among all rows; NaN for the others."""
        found = np.full((len(self.rows), 2), np.nan)
        found[np.isin(self.owner, [self.trials.index(name) for name in trials])] = values
        return found


def free_numbers(path: Path = HERE / "calibration.toml") -> tuple[list, list[str]]:
    """What is free, each factor log-normal around the cards' present value, and the stage of each."""
    from vein2vein.inference.posterior import Factor, card_parameters

    card = tomllib.loads(path.read_text(encoding="utf-8"))
    found, stages = [], []
    for name, row in card["free"].items():
        cards = tuple(one for listed in row["cards"] for one in card["groups"].get(listed, [listed]))
        factor = Factor(name, row.get("parameter", name), row.get("what", "value"), cards, row["sd"])
        for one in cards:
            if factor.parameter not in {*card_parameters(one).parameters, *card_parameters("reference").parameters}:
                raise SystemExit(f"{path.name}: {name}: the card {one} has no parameter {factor.parameter}")
        if row["stage"] not in card["stages"]:
            raise SystemExit(f"{path.name}: {name}: found the stage {row['stage']}, expected one of [stages]")
        found.append(factor)
        stages.append(row["stage"])
    return found, stages


def stages_of_rows(rows: Iterable, path: Path = HERE / "calibration.toml") -> tuple[list[str], list[str]]:
    """The stages in order, and the first that each row judges: by its endpoint, else by the kind of its endpoint."""
    from vein2vein.inference.scoring import kinds

    stages = tomllib.loads(path.read_text(encoding="utf-8"))["stages"]
    of = {one: stage for stage, judged in stages.items() for one in judged}
    last = list(stages)[-1]
    return list(stages), [of.get(row.endpoint) or of.get(kinds().get(row.endpoint, ""), last) for row in rows]


# The data


def scored(trial) -> list:
    """The rows of a trial that are data: scored and read, never recalled."""
    from vein2vein.inference.qualification import scored_rows

    return list(scored_rows(trial))


def on_scale(row, value: float) -> float:
    """A value on the scale on which the error of its row is even."""
    match row.tolerance_kind:
        case "log10":
            return float(np.log10(max(value, 1e-12)))
        case "percent of value" | "published interval":
            return float(np.log(max(value, 1e-12)))
        case _:
            return float(value)


def tolerance_of(row) -> float:
    """How far a row's median may be from its data, on the scale of the row."""
    if row.tolerance_kind == "published interval":
        return float(np.log(row.high / row.low) / 2)
    return float(row.tolerance / (100 if row.tolerance_kind == "percent of value" else 1))


def error_of(row) -> float:
    """Standard deviation of a row's error on its scale: its sampling error, and what the model leaves out."""
    from vein2vein.trials.endpoints.measures import ENDPOINTS

    ends = [on_scale(row, end) for end in (row.low, row.high)]
    if np.isfinite(ends).all():
        sampling = (ends[1] - ends[0]) / (2 * NORMAL_95)
    elif row.unit == "%" and np.isfinite(row.n) and ENDPOINTS[row.endpoint].kind in ("share", "time"):
        share = (row.value / 100 * row.n + 1) / (row.n + 2)
        sampling = 100 * np.sqrt(share * (1 - share) / row.n)
    else:
        sampling = 0.0
    if row.tolerance_kind == "published interval":
        return sampling
    return float(np.hypot(LEFT_OUT * tolerance_of(row) / NORMAL_90, sampling))


def reach(factors: list, trials: list) -> np.ndarray:
    """Which rows a factor can move: those whose patients meet one of its cards; shape (factors, rows)."""
    met = []
    for trial in trials:
        for row in scored(trial):
            arms = [arm for arm in trial.arms if not row.arms or arm.name in row.arms] or [trial]
            met.append({name for arm in arms for name in (arm.product.name, arm.disease.name)})
    general = {"reference", "bedside", "covariates", "hazards"}
    return np.array([[bool((here | general) & set(factor.cards)) for here in met] for factor in factors])


def problem_of(factors: list, names: list[str]) -> Problem:
    """The free numbers and the rows of the trials together."""
    from vein2vein.trials.trial import load_trial

    trials = [load_trial(name) for name in names]
    rows = [row for trial in trials for row in scored(trial)]
    return Problem(
        tuple(factors), tuple(names), rows,
        np.array([at for at, trial in enumerate(trials) for _ in scored(trial)]),
        np.array([on_scale(row, row.value) for row in rows]), np.array([error_of(row) for row in rows]),
        np.array([tolerance_of(row) for row in rows]), reach(factors, trials),
        np.array([factor.prior_sd for factor in factors]),
    )  # fmt: skip


def middle_of(row, values: np.ndarray | None, pool: int) -> tuple[float, float]:
    """Mean of the middle half of simulated trials of the published size, which moves with the numbers where a median
    of whole days would not, and its simulation error; NaN where half of the trials give nothing."""
    values = np.empty(0) if values is None else values[~np.isnan(values)]
    if values.size < RESAMPLES / 2:
        return np.nan, np.nan
    center, error = on_scale(row, row.value), error_of(row)
    on = np.clip(np.sort([on_scale(row, value) for value in values]), center - FAR * error, center + FAR * error)
    low, high = np.quantile(on, [0.05, 0.95])
    quarter = on.size // 4
    spread = (high - low) / (2 * NORMAL_90) * np.sqrt((row.draw or pool) / pool)
    return float(on[quarter : on.size - quarter].mean()), float(spread)
