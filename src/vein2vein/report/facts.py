"""What a report reads from a journey and from a trial's comparison: counts, shares, rows, assumptions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.report.figures import Floats, look, quantiles

NOT_GRADABLE = -1
NOT_OBSERVED = -2
Mask = NDArray[np.bool_]


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
    kind: str = "outcome"

    @property
    def title(self) -> str:
        """The quantity in words."""
        text = self.quantity
        for short, long in look("words").items():
            text = text.replace(short, long)
        text = f"Number {text[2:]}" if text.startswith("n ") else text
        return text[:1].upper() + text[1:]


def first_of(record: Any, *names: str, default: Any = None) -> Any:
    """Return the first of these fields that a record or mapping has."""
    for name in names:
        if isinstance(record, Mapping):
            if name in record:
                return record[name]
        elif getattr(record, name, None) is not None:
            return getattr(record, name)
    return default


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def compared(rows: Iterable[Any]) -> list[Compared]:
    """Read the comparison rows of a trial result."""
    found = []
    for row in rows:
        found.append(
            Compared(
                str(first_of(row, "quantity", "name", default="")),
                str(first_of(row, "definition", default="") or ""),
                str(first_of(row, "unit", default="") or ""),
                _float(first_of(row, "simulated", "median")),
                _float(first_of(row, "simulated_low", "low", "lo90")),
                _float(first_of(row, "simulated_high", "high", "hi90")),
                _float(first_of(row, "published", "value")),
                _float(first_of(row, "published_low", "lo95")),
                _float(first_of(row, "published_high", "hi95")),
                _float(first_of(row, "n", "published_n")),
                reference(
                    str(first_of(row, "source", default="") or ""), str(first_of(row, "where", default="") or "")
                ),
                str(first_of(row, "confidence", default="read") or "read"),
                str(first_of(row, "reason", "missing", default="") or ""),
                str(first_of(row, "kind", default="outcome") or "outcome"),
            )
        )
    return found


def reference(key: str, where: str = "") -> str:
    """Write out a citation key; other text stays as it is."""
    from vein2vein.sources import all_sources

    found = all_sources().get(key)
    return ". ".join(part for part in (str(found) if found else key, where) if part)


def published(rows: Iterable[Compared], *quantities: str, having: str = "") -> list[Compared]:
    """Rows with a published value for one of these quantities; read before memory, with interval before without."""
    found = [r for r in rows if r.quantity in quantities and np.isfinite(r.published) and having in r.definition]
    return sorted(found, key=lambda r: (r.confidence != "read", not np.isfinite(r.published_low), -np.nan_to_num(r.n)))


def landmark_days(row: Compared) -> float:
    """Day of a landmark such as ``t=12mo``; NaN where the definition names none."""
    found = re.search(r"t\s*=\s*([\d.]+)\s*(mo|d|y)", row.definition)
    if not found:
        return float("nan")
    unit = {"mo": look("windows", "month"), "y": look("windows", "year"), "d": 1.0}[found.group(2)]
    return float(found.group(1)) * unit


def infused(journey: Any) -> Mask:
    """Which patients were infused, shape (n,)."""
    return np.asarray(journey.infused, dtype=bool)


def dense(journey: Any, name: str) -> Floats:
    """Values of one analyte for the infused patients, shape (infused, k)."""
    table = np.asarray(journey.course.dense(name), dtype=float)
    chosen = infused(journey)
    return table[chosen] if table.shape[0] == chosen.size else table


def below_limit(journey: Any, name: str) -> bool:
    """Whether values below the limit of quantification stand at the limit."""
    flags = journey.course.below_lloq.get(name)
    return flags is not None and bool(np.any(flags))


def grades(journey: Any, key: str) -> NDArray[np.int64]:
    """Grades of the infused patients, shape (infused, k); all not gradable where the key is absent."""
    chosen = infused(journey)
    found = journey.findings.get(key)
    if found is None:
        return np.full((int(chosen.sum()), len(journey.course.days)), NOT_GRADABLE)
    table = np.asarray(found.grade, dtype=np.int64)
    return table[chosen] if table.shape[0] == chosen.size else table


def daily_worst(journey: Any, key: str, last: int) -> NDArray[np.int64]:
    """Worst grade of each day 0 ... last for the infused patients.

    Returns
    -------
    ndarray, shape (infused, last + 1)
        Grades; NOT_GRADABLE where nothing could be graded, NOT_OBSERVED after the end of observation.
    """
    days = np.asarray(journey.course.days, dtype=float)
    table = grades(journey, key)
    found = np.full((table.shape[0], last + 1), NOT_GRADABLE)
    for day in range(last + 1):
        columns = np.floor(days) == day
        if columns.any():
            found[:, day] = table[:, columns].max(axis=1)
    end = np.minimum(journey.outcome.death_day, journey.outcome.last_day)[infused(journey)]
    return np.where(np.arange(last + 1)[None, :] > end[:, None], NOT_OBSERVED, found)


def given(journey: Any, name: str) -> Floats:
    """Amounts of a treatment to the infused patients, shape (infused, k); 0 where none."""
    return np.nan_to_num(dense(journey, name))


def given_names(journey: Any) -> list[str]:
    """Treatments that any patient received, in the order of the analyte list."""
    from vein2vein.analytes import all_analytes

    kinds = all_analytes()
    course = journey.course
    return [n for n in kinds if kinds[n].kind == "treatment" and n in course and np.nan_to_num(course.dense(n)).any()]


def summary(values: Any) -> tuple[float, float, float, int]:
    """Median, 5 % and 95 % quantile, and how many values were finite."""
    known = np.asarray(values, dtype=float).ravel()
    known = known[np.isfinite(known)]
    low, high = look("bands", "outer")
    if not known.size:
        return float("nan"), float("nan"), float("nan"), 0
    middle, lower, upper = quantiles(known[:, None], [look("bands", "middle"), low, high], fewest=1)[:, 0]
    return float(middle), float(lower), float(upper), known.size


def arms_of(journey: Any) -> tuple[Any, ...]:
    """The facts of each arm: product, disease, parameters."""
    return getattr(journey, "arms", ()) or (journey,)


def readout(journey: Any) -> str:
    """The analyte by which this product's cells are followed: ``transgene`` or ``car_t_cells``."""
    wanted = "car_t_cells" if getattr(arms_of(journey)[0].product, "readout", "qPCR") == "flow" else "transgene"
    other = "transgene" if wanted == "car_t_cells" else "car_t_cells"
    return wanted if journey.course.measured(wanted) or not journey.course.measured(other) else other


def failures(journey: Any) -> list[tuple[int, str]]:
    """Patient number and sentence for each integration that failed."""
    status = np.asarray(journey.status)
    sentences = getattr(journey, "status_text", None) or {}
    return [
        (int(journey.patient.number[i]), str(sentences.get(int(status[i]), f"solver status {int(status[i])}")))
        for i in np.flatnonzero(status != 0)
    ]


@dataclass(frozen=True)
class Assumption:
    """A number that nobody reported, with the reasoning behind it."""

    belongs_to: str
    symbol: str
    meaning: str
    value: float
    unit: str
    why: str


def in_force(journey: Any) -> dict[str, tuple[str, Any]]:
    """Every parameter with a value: name -> (whose it is, Parameter)."""
    first = arms_of(journey)[0]
    whole = getattr(first, "parameters", None)
    found = (
        {n: ("in-vivo model", p) for n, p in whole.parameters.items() if p.value is not None}
        if whole is not None
        else {}
    )
    for record, title in ((first.product, "product"), (first.disease, "disease")):
        own = getattr(record, "parameters", None)
        for name, parameter in own.parameters.items() if own is not None else ():
            if name in found or parameter.value is not None:
                found[name] = (f"{title} {getattr(record, 'name', '')}".strip(), found.get(name, ("", parameter))[1])
    return found


def assumptions(journey: Any) -> tuple[list[Assumption], int]:
    """Return the assumed numbers in force, and how many numbers are in force altogether."""
    every = in_force(journey)
    found = [
        Assumption(title, p.symbol or p.name, p.meaning, p.value, p.unit, p.why)
        for title, p in every.values()
        if p.how == "assumed"
    ]
    return found, len(every)


def how_counts(journey: Any) -> list[tuple[str, int]]:
    """How many numbers in force were reported, converted, fitted, calibrated, assumed."""
    from vein2vein.parameters import HOW

    every = [p.how for _, p in in_force(journey).values()]
    return [(how, every.count(how)) for how in HOW]


def flat(mapping: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Provenance as (name, text) rows; nested tables are joined with a dot."""
    rows: list[tuple[str, str]] = []
    for key, value in mapping.items():
        name = f"{before}{str(key).replace('_', ' ')}"
        if isinstance(value, Mapping):
            rows += flat(value, f"{name}: ")
        elif isinstance(value, (list, tuple, set)):
            rows.append((name, ", ".join(str(v) for v in value)))
        elif value is not None:
            rows.append((name, str(value)))
    return rows


def per_patient(record: Any, count: int, *names: str) -> Floats | None:
    """A numeric field as an array (n,), under the first of these names that exists."""
    found = first_of(record, *names)
    if found is None:
        return None
    return np.broadcast_to(np.asarray(found, dtype=float), (count,))


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


def quality(journey: Any) -> list[Quality]:
    """Qualities of cells and dose; those that the records do not hold are left out."""
    count = len(journey.patient.number)
    none = np.full(count, np.nan)
    found: list[Quality] = []
    for title, row in look("quality").items():
        if any(q.title == row["title"] for q in found):
            continue
        values = per_patient(getattr(journey, row["record"], None), count, row["field"])
        if values is None:
            continue
        if row["record"] == "infusion":
            values = np.where(infused(journey), values, np.nan)
        low, high = dose_limits(journey) if title.startswith("dose") else (none, none)
        found.append(
            Quality(row["title"], row["unit"], values * row["factor"], low * row["factor"], high * row["factor"])
        )
    return found


def dose_limits(journey: Any) -> tuple[Floats, Floats]:
    """Lowest and highest dose per kg (cells/kg) of the label at each patient's weight, NaN where it has none."""
    weight = np.asarray(journey.patient.weight, dtype=float)
    low, high = np.full((2, weight.size), np.nan)
    from vein2vein.therapy.product import dose_range, find_indication

    arm = getattr(journey, "arm", np.zeros(weight.size, dtype=int))
    for place, one in enumerate(arms_of(journey)):
        if getattr(one.product, "indications", None):
            rows = np.flatnonzero(arm == place)
            rule = find_indication(one.product, str(getattr(one.disease, "name", one.disease)))[0].dose
            low[rows], _, high[rows] = dose_range(rule, weight[rows])
    return low / weight, high / weight
