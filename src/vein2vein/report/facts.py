"""What a report reads from a journey and from a trial's comparison: counts, shares, rows, assumptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.analytes import all_analytes
from vein2vein.journey.journey import Journey, by_arm
from vein2vein.parameters import HOW, Parameter
from vein2vein.report.figures import Floats, quantiles
from vein2vein.report.look import entries, look, looks, words
from vein2vein.sources import all_sources
from vein2vein.therapy.product import dose_range, find_indication, process_of
from vein2vein.therapy.release import judged_viability

if TYPE_CHECKING:  # a page of one patient needs no trial
    from vein2vein.trials.comparison import Row
    from vein2vein.trials.published import Published
    from vein2vein.trials.trial import Trial, TrialResult

NOT_GRADABLE = -1
NOT_OBSERVED = -2
READ = "read"  # confidence of a published value that was seen in its source
Mask = NDArray[np.bool_]
Grades = NDArray[np.int64]


@dataclass(frozen=True)
class Compared:
    """One published figure beside its simulated counterpart; NaN where there is none.

    Attributes
    ----------
    quantity, definition, unit : str
    simulated, low, high : float
        Median and 90 % interval for a trial of the published size.
    published, published_low, published_high : float
    n : float
        Patients behind the published figure.
    source, confidence : str
        Where it was read; ``read`` or ``memory``.
    reason : str
        Why the simulated value is missing, or "".
    kind : str
        ``outcome``, or ``design`` for an input of the trial.
    arm : str
        What the source calls the patients.
    arms : tuple of str
        Arms of the trial that count; empty: all.
    day : float
        Day of a landmark; NaN: the figure belongs to no day.
    told : Published
        The row of the trial file.
    error : float
        Distance from the published value in the row's tolerances; NaN without them or it; inf for "not reached".
    pool : int
        Virtual patients that were counted; 0: not said.
    """

    quantity: str
    definition: str
    unit: str
    simulated: float
    low: float
    high: float
    published: float
    published_low: float
    published_high: float
    n: float
    source: str
    confidence: str
    reason: str
    kind: str
    arm: str
    arms: tuple[str, ...]
    day: float
    told: Published
    error: float = float("nan")
    pool: int = 0

    @property
    def title(self) -> str:
        """The quantity in words."""
        return quantity_title(self.quantity)


def quantity_title(quantity: str) -> str:
    """The name of a published quantity or an endpoint, such as ``CRS_any_rate``, in words."""
    text = quantity
    for short, long in words("words").items():
        text = text.replace(short, long)
    text = f"Number {text[2:]}" if text.startswith("n ") else text
    return text[:1].upper() + text[1:]


def compared(result: TrialResult) -> list[Compared]:
    """The comparison of a trial, row by row, each with its landmark and arms."""
    return paired(result.comparison, result.trial.published)


def paired(rows: Iterable[Row], published: Iterable[Published]) -> list[Compared]:
    """Rows of a comparison beside the rows of the trial file that they answer."""
    return [_compared(row, told) for row, told in zip(rows, published, strict=True)]


def told(trial: Trial) -> list[Compared]:
    """The published figures of a trial, row by row, with nothing simulated beside them yet."""
    from vein2vein.trials.comparison import beside

    level = look("bands", "confidence")
    return [_compared(beside(row, 0, None, level=level), row) for row in trial.published]


def _compared(row: Row, told: Published) -> Compared:
    from vein2vein.inference.scoring import distance  # here: a page of one patient needs no trial

    judged = bool(told.tolerance_kind) and not np.isnan(row.simulated)
    return Compared(
        row.quantity,
        row.definition,
        row.unit,
        row.simulated,
        row.low,
        row.high,
        row.published,
        row.published_low,
        row.published_high,
        row.n,
        reference(row.source, row.where),
        row.confidence,
        row.missing,
        row.kind,
        row.arm,
        told.arms,
        float("nan") if (day := landmark_day(told)) is None else day,
        told,
        distance(row.simulated, told) if judged else float("nan"),
        row.pool,
    )


def landmark_day(told: Published) -> float | None:
    """Day on which a published figure was read: of a survival curve, or of a state such as B-cell aplasia."""
    if told.time is not None:
        return told.time
    day = told.arguments.get("day")
    return float(day) if isinstance(day, int | float) else None


def reference(key: str, where: str = "") -> str:
    """Write out a citation key; other text stays as it is."""
    found = all_sources().get(key)
    return ". ".join(part for part in (str(found) if found else key, where) if part)


def short_reference(key: str) -> str:
    """First author and year of a citation key; other text stays as it is."""
    found = all_sources().get(key)
    if found is None or not found.fields.get("author"):
        return key
    first = found.fields["author"].split(" and ")[0].split(",")[0]
    return f"{first} {found.fields.get('year', '')}".strip()


def published(rows: Iterable[Compared], *quantities: str, day: float | None = None) -> list[Compared]:
    """Rows with a published value for one of these quantities, the best first.

    Read before memory; then the preferred quantity, with interval before without, more patients before
    fewer. ``day`` asks for the landmark of that day, give or take half a month.
    """
    half = look("windows", "month") / 2
    found = [r for r in rows if r.quantity in quantities and np.isfinite(r.published)]
    if day is not None:
        found = [r for r in found if abs(r.day - day) < half]

    def rank(r: Compared) -> tuple[bool, int, bool, float]:
        fewest = -r.n if np.isfinite(r.n) else 0.0
        return r.confidence != READ, quantities.index(r.quantity), not np.isfinite(r.published_low), fewest

    return sorted(found, key=rank)


def infused(journey: Journey) -> Mask:
    """Which patients were infused, shape (n,)."""
    return journey.infused


def dense(journey: Journey, name: str) -> Floats:
    """Values of one analyte for the infused patients, shape (infused, k)."""
    return np.asarray(journey.course.dense(name), dtype=np.float64)[journey.infused]


def below_limit(journey: Journey, name: str) -> bool:
    """Whether values below the limit of quantification stand at the limit."""
    flags = journey.course.below_lloq.get(name)
    return flags is not None and bool(np.any(flags))


def grades(journey: Journey, key: str) -> Grades:
    """Grades of the infused patients, shape (infused, k); all not gradable where the key is absent."""
    found = journey.findings.get(key)
    if found is None:
        return np.full((int(journey.infused.sum()), len(journey.course.days)), NOT_GRADABLE)
    return np.asarray(found.grade, dtype=np.int64)[journey.infused]


def end_of_observation(journey: Journey) -> Floats:
    """Last day of each infused patient, shape (infused,)."""
    return np.minimum(journey.outcome.death_day, journey.outcome.last_day)[journey.infused]


def daily_worst(journey: Journey, key: str, last: int) -> Grades:
    """Worst grade of each day 0 ... last for the infused patients.

    Returns
    -------
    ndarray, shape (infused, last + 1)
        Grades; NOT_GRADABLE where nothing could be graded, NOT_OBSERVED after the end of observation.
    """
    return worst_by_day(journey.course.days, grades(journey, key), end_of_observation(journey), last)


def worst_by_day(days: Floats, table: Grades, end: Floats, last: int) -> Grades:
    """Worst grade of each day 0 ... last: of grades, shape (m, k), on days (k,), observed to the end (m,)."""
    found = np.full((table.shape[0], last + 1), NOT_GRADABLE)
    whole = np.floor(days)
    for day in range(last + 1):
        columns = whole == day
        if columns.any():
            found[:, day] = table[:, columns].max(axis=1)
    return np.where(np.arange(last + 1)[None, :] > end[:, None], NOT_OBSERVED, found)


def given(journey: Journey, name: str) -> Floats:
    """Amounts of a treatment to the infused patients, shape (infused, k); 0 where none."""
    return np.nan_to_num(dense(journey, name))


def given_names(journey: Journey) -> list[str]:
    """Treatments that any patient received, in the order of the analyte list."""
    kinds, course = all_analytes(), journey.course
    return [n for n in kinds if kinds[n].kind == "treatment" and n in course and np.nan_to_num(course.dense(n)).any()]


def summary(values: ArrayLike) -> tuple[float, float, float, int]:
    """Median, 5 % and 95 % quantile, and how many values were finite."""
    known = np.asarray(values, dtype=np.float64).ravel()
    known = known[np.isfinite(known)]
    if not known.size:
        return float("nan"), float("nan"), float("nan"), 0
    levels = [look("bands", "middle"), *looks("bands", "outer")]
    middle, lower, upper = quantiles(known[:, None], levels, fewest=1)[:, 0]
    return float(middle), float(lower), float(upper), known.size


def readout(journey: Journey) -> str:
    """The analyte by which the cells are followed: the first arm's, or the other one where only that was measured."""
    wanted = journey.arms[0].analyte
    other = "transgene" if wanted == "car_t_cells" else "car_t_cells"
    return wanted if journey.course.measured(wanted) or not journey.course.measured(other) else other


def failures(journey: Journey) -> list[tuple[int, str]]:
    """Patient number and sentence for each integration that failed."""
    return [
        (int(journey.patient.number[i]), journey.status_text.get(int(code), f"solver status {int(code)}"))
        for i, code in enumerate(journey.status)
        if code != 0
    ]


def disease_titles(journey: Journey) -> str:
    """The diseases of a journey, each once."""
    return ", ".join(dict.fromkeys(facts.disease.title for facts in journey.arms))


def product_titles(journey: Journey) -> str:
    """The products of a journey, each once."""
    return ", ".join(dict.fromkeys(facts.product.title for facts in journey.arms))


@dataclass(frozen=True)
class Assumption:
    """A number that nobody reported, with the reasoning behind it."""

    belongs_to: str
    symbol: str
    meaning: str
    value: float | None
    unit: str
    why: str


def in_force(journey: Journey) -> dict[tuple[str, str], Parameter]:
    """Every parameter with a value: (whose it is, name) -> parameter; what arms share stands once."""
    found: dict[tuple[str, str], Parameter] = {}
    for _, _, arm in by_arm(journey):
        own = {
            **{name: f"product {arm.product.name}" for name in arm.product.parameters.parameters},
            **{name: f"disease {arm.disease.name}" for name in arm.disease.parameters.parameters},
        }
        for name, parameter in arm.parameters.parameters.items():
            if parameter.value is not None:
                found[own.get(name, "in-vivo model"), name] = parameter
    return found


def assumptions(journey: Journey) -> tuple[list[Assumption], int]:
    """Return the assumed numbers in force, and how many numbers are in force altogether."""
    every = in_force(journey)
    found = [
        Assumption(whose, p.symbol or p.name, p.meaning, p.value, p.unit, p.why)
        for (whose, _), p in every.items()
        if p.how == "assumed"
    ]
    return found, len(every)


def how_counts(journey: Journey) -> list[tuple[str, int]]:
    """How many numbers in force were reported, converted, fitted, calibrated, assumed."""
    every = [p.how for p in in_force(journey).values()]
    return [(how, every.count(how)) for how in HOW]


def flat(mapping: Mapping[str, object], before: str = "") -> list[tuple[str, str]]:
    """Provenance as (name, text) rows; nested tables are joined with a colon."""
    rows: list[tuple[str, str]] = []
    for key, value in mapping.items():
        name = f"{before}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            rows += flat(cast("Mapping[str, object]", value), f"{name}: ")
        elif isinstance(value, list | tuple | set):
            rows.append((name, ", ".join(str(one) for one in cast("Iterable[object]", value))))
        elif value is not None:
            rows.append((name, str(value)))
    return rows


@dataclass(frozen=True)
class Quality:
    """One measured quality of the products.

    Attributes
    ----------
    title, unit : str
    values : ndarray, shape (n,)
        NaN where a patient had no product.
    low, high : ndarray, shape (n,)
        Each patient's limits of release or label, NaN where there are none.
    """

    title: str
    unit: str
    values: Floats
    low: Floats
    high: Floats


def quality(journey: Journey) -> list[Quality]:
    """Qualities of cells and dose, in the order of the style card."""
    none = np.full(journey.count, np.nan)
    dose = np.where(journey.infused, journey.infusion.per_kg, np.nan)
    held: dict[str, tuple[Floats, Floats, Floats]] = {
        "cd3": (journey.apheresis.cd3, none, none),
        "car": (journey.lot.car_positive, none, none),
        "copies": (journey.lot.vector_copies, none, none),
        "viability": (*_viability(journey), none),
        "dose": (dose, *dose_limits(journey)),
    }
    found: list[Quality] = []
    for name, row in entries("quality").items():
        factor = look("quality", name, "factor")
        values, low, high = (np.asarray(part, dtype=np.float64) * factor for part in held[name])
        found.append(Quality(str(row["title"]), str(row["unit"]), values, low, high))
    return found


def _viability(journey: Journey) -> tuple[Floats, Floats]:
    """The viability that release judged, and what it asked for."""
    found, least = np.full((2, journey.count), np.nan)
    for _, rows, arm in by_arm(journey):
        found[rows] = judged_viability(journey.lot, arm.product)[rows]
        least[rows] = process_of(arm.product).values.viability_low
    return found, least


def dose_limits(journey: Journey) -> tuple[Floats, Floats]:
    """Lowest and highest dose per kg (cells/kg) of the label at each patient's weight; NaN off label: it has none."""
    weight = np.asarray(journey.patient.weight, dtype=np.float64)
    low, high = np.full((2, weight.size), np.nan)
    for _, rows, arm in by_arm(journey):
        indication, labelled = find_indication(arm.product, arm.disease.name)
        if labelled:
            low[rows], _, high[rows] = dose_range(indication.dose, weight[rows])
    return low / weight, high / weight
