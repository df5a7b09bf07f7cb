"""What a calibration is held against: rows with their data and errors, on scales on which these are even.

Rows come from trials (``TrialRows``), or from anything else that is simulated and measured alike (``Evidence``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError
from vein2vein.inference.calibration.gauss_newton import FAR, Flags, Floats
from vein2vein.inference.calibration.priors import Key, begun
from vein2vein.inference.calibration.tables import NORMAL_90
from vein2vein.inference.posterior import CONSTANTS, REFERENCE, Factor, Member, member
from vein2vein.inference.qualification import scored_rows
from vein2vein.inference.sets_side_by_side import treated_under
from vein2vein.journey.journey import Journey
from vein2vein.trials.comparison import resampled
from vein2vein.trials.endpoints.measures import ENDPOINTS
from vein2vein.trials.published import BY_INTERVAL, Published
from vein2vein.trials.trial import Trial, follow_up_at

LEFT_OUT = 0.5  # of a tolerance, taken as a 90 % interval, for what the model leaves out
NORMAL_95 = 1.96  # unit factor: half-width of a normal distribution's 95 % interval
RESAMPLES = 100  # solver coefficient: simulated trials of the published size behind one simulated value
LEAST = 1e-12  # solver coefficient: in place of 0 where a logarithm is taken
PERCENT = 100.0  # unit factor
RELATIVE = "percent of value"
CONTACT_EVERY, WATCH_UNTIL = 120.0, 33.0  # solver coefficients: fewer contacts after the syndromes, half the time
TOLERANCE = 1e-5  # solver coefficient: moves no row by more than 0.01 tolerances, in two thirds of the time


class FittedRow(Protocol):
    """What is said of a row: whose it is, what it is, and the endpoint that tells its kind."""

    @property
    def trial(self) -> str:
        """Where it was observed."""
        ...

    @property
    def arm(self) -> str:
        """In whom."""
        ...

    @property
    def quantity(self) -> str:
        """What."""
        ...

    @property
    def endpoint(self) -> str:
        """Name of an endpoint of trials, which tells the kind of the row."""
        ...


class Evidence(Protocol):
    """Rows with data that can be simulated: a trial's, or those of patients measured one by one."""

    @property
    def name(self) -> str:
        """Its name, unlike that of any other."""
        ...

    @property
    def text(self) -> str:
        """All that its data and design are read from."""
        ...

    @property
    def rows(self) -> Sequence[FittedRow]:
        """What was observed."""
        ...

    @property
    def cards(self) -> Sequence[frozenset[str]]:
        """For each row the names of the cards that its patients meet."""
        ...

    @property
    def data(self) -> Floats:
        """Observed values on the scale of each row, shape (rows,)."""
        ...

    @property
    def error(self) -> Floats:
        """Their standard deviations."""
        ...

    @property
    def tolerance(self) -> Floats:
        """How far a simulated value may be to be called near."""
        ...

    def simulated(self, members: Sequence[Member], first: Sequence[int], patients: int, seed: int) -> Floats:
        """Simulated rows and their simulation errors, shape (members, rows, 2); NaN: not produced.

        ``first``: for each parameter set the number of its first virtual patient.
        """
        ...


@dataclass(frozen=True)
class Problem:
    """What is free, and the data.

    Attributes
    ----------
    factors : tuple of Factor
    evidence : tuple of Evidence
        Trials and other kinds of evidence.
    rows : tuple of FittedRow
        Of all of them, one after the other.
    owner : ndarray of int, shape (rows,)
        Place of each row's evidence.
    data, error, tolerance : ndarray, shape (rows,)
        Observed value, its standard deviation and its tolerance, on the scale of the row.
    allowed : ndarray of bool, shape (factors, rows)
        Whether a factor can move a row.
    prior : ndarray, shape (factors,)
        Standard deviation of each factor's logarithm.
    origin : mapping
        What brings the cards' numbers to where factors of 1 are: ``free_numbers.FreeNumbers.origin``.
    """

    factors: tuple[Factor, ...]
    evidence: tuple[Evidence, ...]
    rows: tuple[FittedRow, ...]
    owner: NDArray[np.intp]
    data: Floats
    error: Floats
    tolerance: Floats
    allowed: Flags
    prior: Floats
    origin: Mapping[Key, float] = field(default_factory=dict[Key, float])

    def member(self, point: Floats) -> Member:
        """The parameter set at a point, in prior standard deviations, relative to the cards."""
        return begun(self.origin, member(self.factors, point * self.prior))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the trials and the other evidence."""
        return tuple(one.name for one in self.evidence)

    def placed(self, values: Floats, evidence: Sequence[Evidence]) -> Floats:
        """The rows of some evidence, shape (its rows, 2), among all rows, shape (rows, 2); NaN for the others."""
        found = np.full((len(self.rows), 2), np.nan)
        names = [one.name for one in evidence]
        found[np.array([self.names[i] in names for i in self.owner], dtype=bool)] = values
        return found

    def rows_of(self, name: str) -> Flags:
        """Which rows are those of a trial, or of other evidence, by its name; shape (rows,)."""
        return np.array([self.names[i] == name for i in self.owner], dtype=bool)


@dataclass(frozen=True)
class TrialRows:
    """The scored rows of a trial as evidence."""

    trial: Trial

    @property
    def name(self) -> str:
        """Of the trial."""
        return self.trial.name

    @property
    def text(self) -> str:
        """Of its file, and rows that were added to those of the file."""
        return self.trial.text + "".join(map(repr, self.rows))

    @property
    def rows(self) -> tuple[Published, ...]:
        """Those that are scored."""
        return scored_rows(self.trial)

    @property
    def cards(self) -> list[frozenset[str]]:
        """Products and diseases of the arms of each row."""
        return [
            frozenset(
                name
                for arm in [arm for arm in self.trial.arms if not row.arms or arm.name in row.arms] or [self.trial]
                for name in (arm.product.name, arm.disease.name)
            )
            for row in self.rows
        ]

    @property
    def data(self) -> Floats:
        """As published."""
        return np.array([on_scale(row, row.value) for row in self.rows])

    @property
    def error(self) -> Floats:
        """See ``error_of``."""
        return np.array([error_of(row) for row in self.rows])

    @property
    def tolerance(self) -> Floats:
        """See ``tolerance_of``."""
        return np.array([tolerance_of(row) for row in self.rows])

    def simulated(self, members: Sequence[Member], first: Sequence[int], patients: int, seed: int) -> Floats:
        """Simulated rows and their simulation errors, shape (members, rows, 2)."""
        trial = self.trial
        trial = replace(trial, plan=replace(trial.plan, contact_every=CONTACT_EVERY, watch_until=WATCH_UNTIL))
        numbers = [begin + np.arange(patients) for begin in first]
        journeys = treated_under(trial, members, numbers, seed=seed, tolerance=TOLERANCE)
        return np.array([self._read(trial, journey, seed) for journey in journeys], dtype=np.float64)

    def _read(self, trial: Trial, journey: Journey, seed: int) -> Floats:
        found = resampled(
            self.rows,
            journey,
            follow_up=follow_up_at(trial, journey.patient.number, seed),
            scale=trial.scale,
            until=trial.until,
            seed=seed,
            resamples=RESAMPLES,
        )
        pairs = [middle_of(row, values, pool) for row, (pool, values, _) in zip(self.rows, found, strict=True)]
        return np.array(pairs, dtype=np.float64).reshape(-1, 2)


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


def reach(factors: Sequence[Factor], evidence: Sequence[Evidence]) -> Flags:
    """Which rows a factor can move: those whose patients meet one of its cards; shape (factors, rows)."""
    met = [here for one in evidence for here in one.cards]
    general = {REFERENCE, *CONSTANTS}
    return np.array([[bool((here | general) & set(factor.cards)) for here in met] for factor in factors])


def problem_of(
    factors: Sequence[Factor], evidence: Sequence[Evidence], origin: Mapping[Key, float] | None = None
) -> Problem:
    """The free numbers and the rows of the evidence together.

    Raises
    ------
    InputError
        Two trials of one name, or no row that is scored.
    """
    names = [one.name for one in evidence]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"found the trial '{twice[0]}' twice, expected each once.", field="trials")
    rows = [row for one in evidence for row in one.rows]
    if not rows:
        text = (
            "found no row that is scored, expected at least one [[published]] with confidence 'read' and a tolerance."
        )
        raise InputError(text, field="trials")
    return Problem(
        factors=tuple(factors),
        evidence=tuple(evidence),
        rows=tuple(rows),
        owner=np.array([at for at, one in enumerate(evidence) for _ in one.rows], dtype=np.intp),
        data=np.concatenate([one.data for one in evidence]),
        error=np.concatenate([one.error for one in evidence]),
        tolerance=np.concatenate([one.tolerance for one in evidence]),
        allowed=reach(factors, evidence),
        prior=np.array([factor.prior_sd for factor in factors]),
        origin=origin or {},
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
    on = np.array([on_scale(row, value) for value in values])
    middle, spread = middle_half(on, on_scale(row, row.value), error_of(row), RESAMPLES)
    return middle, spread * float(np.sqrt((row.draw or pool) / pool)) if pool else np.nan


def middle_half(on: Floats, center: float, error: float, drawn: int) -> tuple[float, float]:
    """Mean of the middle half of what drawn trials gave, and their standard deviation, on the scale of the row.

    ``drawn``: how many trials there were; NaN where fewer than half of them gave anything. What is farther than
    ``FAR`` errors from the data counts as if it were there.
    """
    if on.size < drawn / 2:
        return np.nan, np.nan
    on = np.clip(np.sort(on), center - FAR * error, center + FAR * error)
    low, high = np.quantile(on, [0.05, 0.95])
    quarter = on.size // 4
    return float(on[quarter : on.size - quarter].mean()), float((high - low) / (2 * NORMAL_90))
