"""Risk scores: CAR-HEMATOTOX before lymphodepletion, and EASIX with its simplified and modified forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.analytes import analyte
from vein2vein.clinic.criteria import Edition, Level, edition, unverified
from vein2vein.clinic.grades.bounded import Range, carried_ends, carry_over, charted, ends, meets, range_of
from vein2vein.clinic.grades.grades import Flags, Floats, at_last, last
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.course import Course

HEMATOTOX = ("platelets", "neutrophils", "hemoglobin", "crp", "ferritin")
EASIX = {
    "easix": ("ldh", "creatinine", "platelets"),
    "s_easix": ("ldh", "platelets"),
    "m_easix": ("ldh", "crp", "platelets"),
}
ON_THE_CUT = "a value sits exactly on a cut, where sources differ"
SELDOM = "charted too seldom in the window to say no"
TRANSFUSED = "platelets were transfused a short time before"


@dataclass(frozen=True)
class RiskScore:
    """A sum of points of each patient, arrays (n,).

    Attributes
    ----------
    name, edition : str
    low, high : ndarray
        Lowest and highest sum that what is known allows; equal where nothing is missing.
    verdict : ndarray of str
        What the score says; "not gradable" where the two bounds disagree.
    points : mapping of str to ndarray
        Points of each part (0 where unknown).
    missing : mapping of str to ndarray of bool
    flags : mapping of sentence to ndarray of bool
    unverified : tuple of str
        What was taken from memory.
    """

    name: str
    edition: str
    low: Floats
    high: Floats
    verdict: NDArray[np.str_]
    points: Mapping[str, Floats] = field(default_factory=dict[str, Floats])
    missing: Mapping[str, Flags] = field(default_factory=dict[str, Flags])
    flags: Mapping[str, Flags] = field(default_factory=dict[str, Flags])
    unverified: tuple[str, ...] = ()


Values = Mapping[str, ArrayLike | Range]  # by analyte, shape (n,): numbers, or what each may be at least and at most


def points_of(rules: Edition, column: str, values: Mapping[str, Range]) -> tuple[Floats, Floats, Flags]:
    """Points of one column of a table: what is known earns, the most it could earn, and where a value is unknown."""
    n = len(next(iter(values.values())).low)
    low, high, unknown_ = np.zeros(n), np.zeros(n), np.zeros(n, dtype=bool)
    for level in rules.column(column):
        found = values.get(level.reads, range_of(np.full(n, np.nan)))
        surely, perhaps = meets(found, level)
        absent = np.isnan(found.low)
        low = np.maximum(low, np.where(surely, level.grade, 0))
        high = np.maximum(high, np.where(perhaps | absent, level.grade, 0))
        unknown_ |= absent
    return low, high, unknown_ | (low < high)


def gathered(values: Values, names: tuple[str, ...]) -> dict[str, Range]:
    """Values by name as ranges of one length; NaN where a name is not given."""
    given = {name: range_of(values[name]) for name in names if name in values}
    n = max((len(one.low) for one in given.values()), default=1)
    nothing = range_of(np.nan)
    return {name: Range(*(np.broadcast_to(end, (n,)) for end in given.get(name, nothing))) for name in names}


def latest_values(course: Course, names: tuple[str, ...], day: float, window: float) -> dict[str, Range]:
    """What the last charted value of each analyte up to a day may be, no older than ``window`` days; shape (n,)."""
    part = course.between(day - window, day)
    found: dict[str, Range] = {}
    for name in names:
        column = last(charted(part, name))
        found[name] = Range(*(at_last(end, column, np.nan) for end in ends(part, name)))
    return found


def extreme_of(course: Course, name: str, *, highest: bool) -> Range:
    """What the highest, or lowest, value of a course may be, shape (n,); NaN where nothing is charted."""
    pick = np.fmax if highest else np.fmin
    return Range(*(pick.reduce(end, axis=1, initial=np.nan) for end in ends(course, name)))


def on_a_cut(values: Mapping[str, Range], levels: Iterable[Level]) -> Flags:
    """Where a known value sits exactly on a cut."""
    ranges = [(values[one.reads], one.value) for one in levels]
    return np.logical_or.reduce([(found.low == cut) & (found.high == cut) for found, cut in ranges])


def car_hematotox(values: Values, *, criteria: str = "car_hematotox_2021") -> RiskScore:
    """CAR-HEMATOTOX from values drawn before lymphodepletion (about day -5).

    Parameters
    ----------
    values : mapping of analyte to array_like or Range, shape (n,)
        platelets and neutrophils (10^9/L), hemoglobin (g/dL), crp (mg/L), ferritin (ug/L); NaN unknown.
    criteria : str
        Edition.

    Returns
    -------
    RiskScore
        Verdict ``high``, ``low`` or ``not gradable``. Developed in large B-cell lymphoma only.
    """
    rules = edition(criteria)
    known = gathered(values, HEMATOTOX)
    parts = {name: points_of(rules, name, known) for name in HEMATOTOX}
    low, high = (np.sum([part[i] for part in parts.values()], axis=0) for i in (0, 1))
    cut = rules.values["high_risk"]
    verdict = np.select([low >= cut, high < cut], ["high", "low"], "not gradable")
    on_cut = on_a_cut(known, rules.levels)
    flags = {ON_THE_CUT: on_cut} if on_cut.any() else {}
    missing = {name: part[2] for name, part in parts.items() if part[2].any()}
    points = {name: part[0] for name, part in parts.items()}
    return RiskScore("car_hematotox", rules.name, low, high, verdict, points, missing, flags, unverified(rules.name))


def easix(values: Mapping[str, ArrayLike], kind: str = "easix") -> Floats:
    """EASIX, s-EASIX or m-EASIX, shape (n,); NaN where a value is missing or platelets are 0.

    Parameters
    ----------
    values : mapping of analyte to array_like, shape (n,)
        ldh (U/L), creatinine (mg/dL), platelets (10^9/L), crp (mg/L: converted to the mg/dL of the formula here).
    kind : {"easix", "s_easix", "m_easix"}
    """
    return easix_range(dict(values), kind).low


def easix_range(values: Values, kind: str = "easix") -> Range:
    """Lowest and highest EASIX that values allow, shape (n,); NaN where one is missing or platelets are 0."""
    if kind not in EASIX:
        raise InputError(unknown("kind of EASIX", kind, EASIX))
    known = gathered(values, EASIX[kind])
    per = edition("easix").values["crp_mg_per_dl"]
    none = known["platelets"].high <= 0
    bounds: list[Floats] = []
    for end in (0, 1):
        factor = np.ones_like(known["ldh"].low)
        if kind == "easix":
            factor = known["creatinine"][end]
        elif kind == "m_easix":
            factor = known["crp"][end] / per
        counts = known["platelets"][1 - end]
        over = known["ldh"][end] * factor
        index = np.divide(over, counts, out=np.full(over.shape, np.inf), where=~(counts <= 0))
        bounds.append(np.where(none | np.isnan(over), np.nan, index))
    return Range(*bounds)


def easix_course(course: Course, kind: str = "easix", window: float | None = None) -> tuple[Range, dict[str, Flags]]:
    """EASIX at every cell from values no older than ``window`` days (default: the edition's), (n, k), and its flags."""
    window = edition("easix").values["lasts"] if window is None else window
    if kind not in EASIX:
        raise InputError(unknown("kind of EASIX", kind, EASIX))
    read = {name: carried_ends(course, name, window) for name in EASIX[kind]}
    flat = easix_range({name: Range(*(end.ravel() for end in one)) for name, one in read.items()}, kind)
    found = Range(*(end.reshape(course.shape) for end in flat))
    bags = ends(course, "platelet_transfusion").high >= 1
    recent = Range(*(np.where(bags, 1.0, np.nan),) * 2)
    flagged = np.isfinite(carry_over(course, recent, bags, edition("easix").values["transfused"]).high)
    return found, {TRANSFUSED: flagged} if flagged.any() else {}


def easix_positive(value: ArrayLike) -> Flags:
    """Whether EASIX before lymphodepletion is above the cut for severe toxicity."""
    return np.asarray(value, dtype=float) > edition("easix").values["positive"]


def early_prediction(course: Course, tree: str, *, criteria: str = "early_prediction") -> RiskScore:
    """Whether the first 36 hours predict grade 4 to 5 toxicity: ``positive``, ``negative`` or ``not gradable``.

    A value that was low says no only where it was charted all over the window (``temperature_apart``,
    ``cytokines_apart``) and the window is over: the peak may lie between, or ahead.

    Parameters
    ----------
    course : Course
        temperature (degC), mcp1 (pg/mL), il6 (pg/mL); the highest value of the window is read.
    tree : {"hay_2017", "gust_2017"}
        Cytokine release syndrome in adults; neurotoxicity.
    criteria : str
        Edition.
    """
    rules = edition(criteria)
    levels = rules.column(tree)
    if not levels:
        raise InputError(unknown("early prediction", tree, {level.column for level in rules.levels}))
    part = course.between(0.0, rules.values["within"])
    peaks = {level.reads: extreme_of(part, level.reads, highest=True) for level in levels}
    met = {level.reads: meets(peaks[level.reads], level) for level in levels}
    over = bool(course.shape[1]) and float(course.days[-1]) >= rules.values["within"]
    seldom = {name: ~np.isnan(peak.low) & ~met[name][1] & ~_all_over(part, name, rules) for name, peak in peaks.items()}
    absent = {
        name: np.isnan(peak.low) | (met[name][0] != met[name][1]) | seldom[name] | (~met[name][1] & (not over))
        for name, peak in peaks.items()
    }
    points = {name: surely.astype(float) for name, (surely, _) in met.items()}
    low = np.sum(list(points.values()), axis=0)
    high = np.sum([met[name][0] | absent[name] for name in met], axis=0).astype(float)
    verdict = np.select([low == len(levels), high < len(levels)], ["positive", "negative"], "not gradable")
    missing = {name: cells for name, cells in absent.items() if cells.any()}
    flags = {
        f"{SELDOM}: {analyte(name).title.lower()}": cells for name, cells in seldom.items() if over and cells.any()
    }
    return RiskScore(tree, rules.name, low, high, verdict, points, missing, flags, unverified(rules.name))


def _all_over(part: Course, name: str, rules: Edition) -> Flags:
    """Whether an analyte was charted from the infusion to the end of the window without a gap too long; (n,)."""
    longest = rules.values["temperature_apart" if name == "temperature" else "cytokines_apart"]
    there = charted(part, name)
    since, widest = np.zeros(part.shape[0]), np.zeros(part.shape[0])
    for day, cells in zip(part.days, there.T):
        widest = np.maximum(widest, day - since)
        since = np.where(cells, day, since)
    widest = np.maximum(widest, rules.values["within"] - since)
    return widest <= longest
