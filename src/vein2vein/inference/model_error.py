"""The error of the model: what its predictions of trials that were left out miss beyond what their intervals tell.

It is learned by kind of endpoint, in tolerances of the rows (``model_error``), and kept in model_error.toml, written by
``qualification/model_error.py``: there also on the scales on which errors are even, points of percent for shares and
natural logarithms for the rest, for numbers that no trial has published yet. It widens intervals; it moves no median.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from vein2vein.cards import parse_card, read_card
from vein2vein.files import write_text
from vein2vein.inference.calibration.left_out import number_of
from vein2vein.inference.scoring import OTHER, ScoredRow, kinds, numbers
from vein2vein.trials.comparison import Row
from vein2vein.trials.contrast import Contrast, Curves, Difference, endpoints
from vein2vein.trials.published import BY_INTERVAL, Published

NORMAL_90 = 1.645  # unit factor: half-width of a normal distribution's 90 % interval
NORMAL_95 = 1.96  # unit factor: the same of 95 %
PERCENT = 100.0  # unit factor
IN_DIFFERENCES = (
    "The intervals hold the error of the model too, as its predictions of trials left out showed it, in each design."
)
NOT_IN_DIFFERENCES = (
    "What the model gets wrong about an effect within one product (a dose, a conditioning, a policy) is not in the "
    "intervals: no trial that was left out tells it."
)
POINTS, LN = SCALES = ("points", "ln")
ALL = "all"
TWO = 2.0  # unit factor: independent errors of equal variance in a difference
SURVIVAL = "survival"
WITH_ERROR = "; intervals hold the error of the model, as its predictions of trials that were left out showed it"


@dataclass(frozen=True)
class ModelError:
    """Standard deviations by kind of endpoint; "all" for a kind that was not seen.

    Attributes
    ----------
    tolerances, points, ln : mapping of str to float
        In tolerances, in points of percent, and of natural logarithms.
    cards : str
        Hash of the cards whose predictions it was learned from.
    """

    tolerances: Mapping[str, float]
    points: Mapping[str, float]
    ln: Mapping[str, float]
    cards: str

    def in_tolerances(self, kind: str) -> float:
        """The standard deviation of a kind of endpoint, in tolerances of its rows."""
        return of_kind(self.tolerances, kind)

    def of(self, endpoint: str, unit: str) -> tuple[str, float]:
        """The scale on which the error of an endpoint is even, and its standard deviation there."""
        scale = POINTS if unit == "%" else LN
        held = self.points if scale == POINTS else self.ln
        return scale, of_kind(held, kinds().get(endpoint, OTHER))


def of_kind(errors: Mapping[str, float], kind: str) -> float:
    """The error of a kind of endpoint; that of all for a kind that was not seen."""
    return errors.get(kind, errors[ALL])


# Learning it


def model_error(rows: Sequence[ScoredRow]) -> dict[str, float]:
    """By kind, the standard deviation in tolerances of what predictions miss beyond their own intervals.

    Kinds with few rows borrow from all (``borrowed`` of left_out.toml), whose error stands under "all".
    """
    excess = {
        kind: [value for row in rows if row.kind == kind and np.isfinite(value := _excess(row))]
        for kind in {row.kind for row in rows}
    }
    every = [value for values in excess.values() for value in values]
    whole, borrowed = max(0.0, float(np.mean(every))) if every else 0.0, number_of("borrowed")
    found = {ALL: float(np.sqrt(whole))}
    for kind, values in excess.items():
        mean = (sum(values) + borrowed * whole) / (len(values) + borrowed)
        found[kind] = float(np.sqrt(max(0.0, mean)))
    return found


def _excess(row: ScoredRow) -> float:
    """Squared distance from the published value less the variance that the interval tells, in tolerances."""
    return min(row.error, numbers().worst) ** 2 - spread(row) ** 2 if not row.missing else np.nan


def spread(row: ScoredRow) -> float:
    """Standard deviation that a row's interval tells, in tolerances; NaN where an end is not finite."""
    scale, tolerance, _ = _scale(row)
    ends = [scale(end) for end in (row.low, row.high)]
    return float((ends[1] - ends[0]) / (2 * NORMAL_90 * tolerance)) if np.isfinite(ends).all() else float("nan")


def learned_from(rows: Sequence[ScoredRow], cards: str) -> ModelError:
    """The error of the model on every scale, from rows that were predicted with their trial left out.

    The error in tolerances, times the middle tolerance of the rows of its kind, or of all rows, on each scale.
    """
    errors = model_error(rows)
    held: dict[str, dict[str, float]] = {scale: {} for scale in SCALES}
    sizes = [(row.kind, *_natural(row)) for row in rows]
    for kind in errors:
        for scale in SCALES:
            like = [(of, size) for of, its, size in sizes if its == scale and np.isfinite(size)]
            mine = [size for of, size in like if of == kind] or [size for _, size in like]
            held[scale][kind] = errors[kind] * float(np.median(mine)) if mine else 0.0
    return ModelError(errors, held[POINTS], held[LN], cards)


def larger(one: ModelError, other: ModelError) -> ModelError:
    """Of each kind of endpoint the larger error of two."""

    def most(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
        return {kind: max(of_kind(a, kind), of_kind(b, kind)) for kind in (*a, *(kind for kind in b if kind not in a))}

    return ModelError(
        most(one.tolerances, other.tolerances), most(one.points, other.points), most(one.ln, other.ln), one.cards
    )


def _natural(row: ScoredRow) -> tuple[str, float]:
    """The scale of a row's tolerance, and the tolerance on it."""
    tolerance = _scale(row)[1]
    if row.unit == "%" and row.tolerance_kind == POINTS:
        return POINTS, tolerance
    if row.tolerance_kind == "log10":
        return LN, tolerance * float(np.log(10))
    if row.tolerance_kind in ("percent of value", BY_INTERVAL):
        return LN, tolerance
    return LN, float(np.log1p(tolerance / row.published)) if row.published > 0 else float("nan")  # days, patients


# Keeping it


def bundled() -> Path:
    """Where the model's error that comes with vein2vein is."""
    return Path(str(resources.files("vein2vein").joinpath("inference", "model_error.toml")))


@cache
def learned() -> ModelError:
    """The model's error as it came out of the last leave-one-trial-out."""
    card = read_card(bundled())
    held = {str(kind): card.table("error", str(kind)) for kind in card.table("error")}
    tolerances, points, ln = (
        {kind: float(card.number("error", kind, name, low=0.0)) for kind in held} for name in ("tolerances", *SCALES)
    )
    return ModelError(tolerances, points, ln, card.string("cards"))


def write_model_error(error: ModelError, path: Path) -> None:
    """Write it; an existing file is replaced as a whole."""
    lines = [
        "# The error of the model by kind of endpoint: standard deviations of what predictions of trials left out miss",
        "# beyond their intervals, in tolerances of the rows, in points of percent (shares) and in natural logarithms.",
        "# Written by qualification/model_error.py. cards: hash of the numbers that it was learned with.",
        f'cards = "{error.cards}"',
    ]
    for kind in error.tolerances:
        lines += [f'\n[error."{kind}"]', f"tolerances = {error.tolerances[kind]:.3g}"]
        lines += [f"points = {error.points[kind]:.3g}", f"ln = {error.ln[kind]:.3g}"]
    text = "\n".join(lines) + "\n"
    parse_card(text, path.name)
    write_text(path, text, force=True)


# Intervals that hold it


def _wider(
    middle: float, ends: tuple[float, float], more: float, scale: Callable[[float], float],
    back: Callable[[float], float],
) -> tuple[float, float]:  # fmt: skip
    """Ends of an interval with a half-width added in squares on a scale; an end that is not finite stays."""
    at = scale(middle)
    low, high = (
        back(at + sign * float(np.hypot(scale(end) - at, more))) if np.isfinite(scale(end)) else end
        for sign, end in zip((-1, 1), ends, strict=True)
    )
    return low, high


def widened(row: ScoredRow, error: float) -> ScoredRow:
    """A row whose interval holds the error of the model (standard deviation in tolerances) too."""
    if row.missing or not np.isfinite(row.simulated):
        return row
    scale, tolerance, back = _scale(row)
    low, high = _wider(row.simulated, (row.low, row.high), NORMAL_90 * error * tolerance, scale, back)
    low, high = _held(row, low, high)
    inside = bool(low <= row.published <= high)
    return replace(row, low=low, high=high, inside=inside, passed=inside and row.close)


def widened_row(row: Row, stated: Published, error: ModelError | None = None) -> Row:
    """A row of a comparison, or of a prediction, whose 90 % interval holds the error of the model too.

    What a row tells of the design (ages, doses given) is no prediction of the model, and stays.
    """
    if row.missing or stated.endpoint not in kinds() or not np.isfinite(row.simulated):
        return row
    known = error or learned()
    if stated.tolerance_kind:
        scale, tolerance, back = _even(stated.tolerance_kind, stated.tolerance, stated.low, stated.high)
        more = NORMAL_90 * tolerance * known.in_tolerances(kinds()[stated.endpoint])
        low, high = _wider(row.simulated, (row.low, row.high), more, scale, back)
    else:
        even, sd = known.of(stated.endpoint, row.unit)
        low, high = _on(even, row.simulated, (row.low, row.high), NORMAL_90 * sd)
    low, high = _held(row, low, high)
    inside = None if row.inside is None or np.isnan(row.published) else bool(low <= row.published <= high)
    return replace(row, low=low, high=high, inside=inside)


def _held(row: Row | ScoredRow, low: float, high: float) -> tuple[float, float]:
    """A share stays one; what it was before holds where it was none."""
    if row.unit != "%":
        return low, high
    return max(low, min(0.0, row.low)), min(high, max(PERCENT, row.high))


def widened_rows(rows: Sequence[Row], published: Sequence[Published]) -> tuple[Row, ...]:
    """The rows of a trial's comparison, which are those of its published rows in their order."""
    return tuple(widened_row(row, stated) for row, stated in zip(rows, published, strict=True))


def widened_contrast(result: Contrast, *, apart: bool, error: ModelError | None = None) -> Contrast:
    """Two designs whose curves hold the error of the model, and whose differences do where the designs are ``apart``.

    Of two products the errors go separate ways. Of two doses, conditionings or policies of one product they are mostly
    the same, and no trial that was left out tells by how much the model errs about such an effect: these differences
    stay as they are, which is said.
    """
    known, endpoint = error or learned(), {row.quantity: row.endpoint for row in endpoints()}
    told = {"model_error": IN_DIFFERENCES if apart else NOT_IN_DIFFERENCES}
    return replace(
        result,
        provenance={**result.provenance, **told},
        rows=tuple(_difference(row, *known.of(endpoint.get(row.quantity, ""), row.unit)) for row in result.rows)
        if apart
        else result.rows,
        curves=tuple(_curves(one, known.points.get(SURVIVAL, known.points[ALL])) for one in result.curves),
    )


def _difference(row: Difference, scale: str, sd: float) -> Difference:
    if row.missing or not np.isfinite(row.difference):
        return row
    more = NORMAL_95 * float(np.sqrt(TWO)) * sd
    if scale == LN and not row.ratio:  # a difference of positive numbers: the error in each, at its own size
        more = NORMAL_95 * sd * float(np.hypot(row.first, row.second))
    low, high = _on(LN if row.ratio else POINTS, row.difference, (row.low, row.high), more)
    if row.unit == "%":
        low, high = max(low, -PERCENT), min(high, PERCENT)
    return replace(row, low=low, high=high)


def _curves(one: Curves, points: float) -> Curves:
    more = NORMAL_95 * points / PERCENT * (one.days > 0)
    low = np.maximum(one.value - np.hypot(one.value - one.low, more), 0.0)
    return replace(one, low=low, high=np.minimum(one.value + np.hypot(one.high - one.value, more), 1.0))


def _on(scale: str, middle: float, ends: tuple[float, float], more: float) -> tuple[float, float]:
    return _wider(middle, ends, more, _ln, _exp) if scale == LN else _wider(middle, ends, more, float, float)


Even = tuple[Callable[[float], float], float, Callable[[float], float]]


def _scale(row: ScoredRow) -> Even:
    """The scale on which a row's error is even, the tolerance on it, and the way back."""
    return _even(row.tolerance_kind, row.tolerance, row.published_low, row.published_high)


def _even(kind: str, tolerance: float, low: float, high: float) -> Even:
    if kind == "log10":
        return _log10, tolerance, _power
    if kind == BY_INTERVAL:
        return _ln, float(np.log(high / low) / 2), _exp
    if kind == "percent of value":
        return _ln, float(np.log1p(tolerance / PERCENT)), _exp
    return float, tolerance, float


def _log10(value: float) -> float:
    return float(np.log10(value)) if value > 0 else float("nan")


def _ln(value: float) -> float:
    return float(np.log(value)) if value > 0 else float("nan")


def _power(value: float) -> float:
    return float(10.0**value)


def _exp(value: float) -> float:
    return float(np.exp(value))
