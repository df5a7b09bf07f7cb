"""Definitions of hemophagocytic lymphohistiocytosis: HLH-2004, HScore, CARTOX and MAS 2016.

Each takes the extreme values of an illness (``extremes`` reads them from a course) and says what is met, what is not,
and what was not done: a test that was not done leaves the verdict incomplete, it never excludes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.clinic.criteria import Edition, edition, unverified
from vein2vein.clinic.grades.bounded import Range, charted, range_of
from vein2vein.clinic.grades.grades import Flags, Floats
from vein2vein.clinic.grades.organs import ORGANS, organ_range
from vein2vein.clinic.grades.risk_scores import RiskScore, Values, extreme_of, gathered, on_a_cut, points_of
from vein2vein.therapy.course import Course

LOWEST = ("hemoglobin", "platelets", "neutrophils", "white_cells", "fibrinogen")
HIGHEST = (
    "temperature", "triglycerides", "ferritin", "soluble_il2_receptor", "ast", "hemophagocytosis", "splenomegaly",
    "hepatomegaly", "nk_activity_low", "immunosuppressed", "oliguria", "pulmonary_edema",
)  # fmt: skip
MET, NOT_MET, INCOMPLETE = "met", "not met", "not met, incomplete"
EQUAL = "a value sits exactly on a cut, where sources differ (read as met)"
_LINEAGES = ("lineage_red", "lineage_platelets", "lineage_neutrophils")


def extremes(course: Course, first: float, last: float) -> dict[str, Range]:
    """Most abnormal value of every analyte that the definitions read, from day to day, and organ grades; (n,)."""
    part = course.between(first, last)
    inside = (course.days >= first) & (course.days <= last)
    worst = {name: extreme_of(part, name, highest=False) for name in LOWEST if name in part}
    worst.update({name: extreme_of(part, name, highest=True) for name in HIGHEST if name in part})
    for name, column in ORGANS.items():
        drawn = np.zeros(course.shape[0], dtype=bool)
        for analyte in _reads(column):
            drawn |= charted(part, analyte).any(axis=1)
        if drawn.any():  # an organ whose values were not drawn in these days is not a healthy one
            ends_ = (one[:, inside].max(axis=1, initial=0) for one in organ_range(course, column))
            worst[name] = Range(*(np.where(drawn, end, np.nan) for end in ends_))
    return worst


def read_by(criteria: str) -> tuple[str, ...]:
    """Analytes that a definition reads, of an organ grade those behind it."""
    organs = {"organs": ("splenomegaly", "hepatomegaly"), "lineages": ()}
    names: list[str] = []
    for level in edition(criteria).levels:
        names += _reads(ORGANS[level.reads]) if level.reads in ORGANS else organs.get(level.reads, (level.reads,))
    return tuple(dict.fromkeys(names))


def _reads(column: str) -> tuple[str, ...]:
    return tuple(level.reads for level in edition("ctcae_v5_organs").column(column))


def _counted(
    name: str, rules: Edition, parts: Mapping[str, tuple[Floats, Floats, Flags]], required: str | None = None
) -> RiskScore:
    """RiskScore of met criteria: a verdict from how many are met, and how many could be."""
    others = {part: found for part, found in parts.items() if part != required}
    low, high = (np.sum([found[i] for found in others.values()], axis=0) for i in (0, 1))
    surely, maybe = low >= rules.values["needed"], high >= rules.values["needed"]
    if required:
        surely, maybe = surely & (parts[required][0] > 0), maybe & (parts[required][1] > 0)
    verdict = np.select([surely, maybe], [MET, INCOMPLETE], NOT_MET)
    missing = {part: found[2] & (found[0] < found[1]) for part, found in parts.items()}
    incomplete = np.logical_or.reduce(list(missing.values()))
    verdict = np.where((verdict == NOT_MET) & incomplete & maybe, INCOMPLETE, verdict)
    missing = {part: cells for part, cells in missing.items() if cells.any()}
    points = {part: found[0] for part, found in parts.items()}
    return RiskScore(name, rules.name, low, high, verdict, points, missing, {}, unverified(rules.name))


def hlh_2004(values: Values, *, age: ArrayLike = np.inf, criteria: str = "hlh_2004") -> RiskScore:
    """HLH-2004: how many of eight criteria are met; ``met`` from five on.

    Parameters
    ----------
    values : mapping of analyte to array_like, shape (n,)
        Extremes of temperature, hemoglobin, platelets, neutrophils, triglycerides, fibrinogen, hemophagocytosis,
        splenomegaly, nk_activity_low, ferritin, soluble_il2_receptor; NaN or left out: not done.
    age : array_like, shape (n,)
        Years; a younger infant's hemoglobin has another limit.
    criteria : str
        Edition.
    """
    rules = edition(criteria)
    known = gathered(values, tuple(dict.fromkeys(level.reads for level in rules.levels)))
    single = {name: points_of(rules, name, known) for name in dict.fromkeys(level.column for level in rules.levels)}
    red = known["hemoglobin"]
    infant = np.broadcast_to(np.asarray(age, dtype=float) < rules.values["infant_until"], red.low.shape)
    limit = rules.values["infant_hemoglobin"]
    low, high, absent = single["lineage_red"]
    low, high = np.where(infant, red.high < limit, low), np.where(infant & ~np.isnan(red.low), red.low < limit, high)
    single["lineage_red"] = low, high, absent | (low < high)
    counts = [single.pop(name) for name in _LINEAGES]
    needed = rules.values["lineages_needed"]
    few = tuple((np.sum([c[i] for c in counts], axis=0) >= needed).astype(float) for i in (0, 1))
    single["cytopenias"] = (few[0], few[1], np.logical_or.reduce([c[2] for c in counts]))
    score = _counted("hlh_2004", rules, single)
    cuts = [one for one in rules.levels if one.operator in ("at_least", "at_most") and one.value > 1]
    equal = on_a_cut(known, cuts)
    return replace(score, flags={EQUAL: equal}) if equal.any() else score


def hscore(values: Values, *, criteria: str = "hscore_2014") -> RiskScore:
    """HScore: points from 0 to 337, with a lower and an upper bound where something was not done.

    Parameters
    ----------
    values : mapping of analyte to array_like, shape (n,)
        temperature, splenomegaly, hepatomegaly, hemoglobin, white_cells, platelets, ferritin, triglycerides (mg/dL),
        fibrinogen (g/L), ast, hemophagocytosis, immunosuppressed.
    criteria : str
        Edition.
    """
    rules = edition(criteria)
    v = rules.values
    names = tuple(dict.fromkeys(level.reads for level in rules.levels if level.reads not in ("organs", "lineages")))
    known = gathered(values, (*names, "splenomegaly", "hepatomegaly"))
    known["triglycerides"] = Range(*(_in_mmol(end, v) for end in known["triglycerides"]))
    parts: dict[str, tuple[Floats, Floats, Flags]] = {}
    organs = [known["splenomegaly"], known["hepatomegaly"]]
    lines = [points_of(rules, name, known) for name in ("lineage_red", "lineage_white", "lineage_platelets")]
    bounds = {
        "organs": (np.sum([x.low >= 1 for x in organs], axis=0), np.sum([~(x.high < 1) for x in organs], axis=0)),
        "lineages": (np.sum([x[0] for x in lines], axis=0), np.sum([x[1] for x in lines], axis=0)),
    }
    for name, (low, high) in bounds.items():
        ends_ = [points_of(rules, name, {name: range_of(np.asarray(end, dtype=float))})[0] for end in (low, high)]
        parts[name] = (ends_[0], ends_[1], ends_[0] < ends_[1])
    for name in dict.fromkeys(level.column for level in rules.levels):
        if name not in parts and not name.startswith("lineage_"):
            parts[name] = points_of(rules, name, known)
    low, high = (np.sum([part[i] for part in parts.values()], axis=0) for i in (0, 1))
    verdict = np.select([low >= v["cut"], high < v["cut"]], ["likely", "unlikely"], "not gradable")
    missing = {name: part[2] for name, part in parts.items() if part[2].any()}
    points = {name: part[0] for name, part in parts.items()}
    return RiskScore("hscore", rules.name, low, high, verdict, points, missing, {}, unverified(rules.name))


def _in_mmol(triglycerides: Floats, v: Mapping[str, float]) -> Floats:
    """Triglycerides (mg/dL) in mmol/L, to the two decimals of a laboratory where the conversion leaves a trace more."""
    amount = triglycerides / v["triglycerides_per_mmol"]
    return np.where(np.abs(amount - np.round(amount, 2)) < v["slack"], np.round(amount, 2), amount)


def _required_and_some(name: str, criteria: str, values: Values) -> RiskScore:
    rules = edition(criteria)
    known = gathered(values, tuple(dict.fromkeys(level.reads for level in rules.levels)))
    columns = dict.fromkeys(level.column for level in rules.levels)
    return _counted(name, rules, {part: points_of(rules, part, known) for part in columns}, "required")


def mas_2016(values: Values, *, criteria: str = "mas_2016") -> RiskScore:
    """MAS 2016: ferritin and two of platelets, AST, triglycerides and fibrinogen."""
    return _required_and_some("mas_2016", criteria, values)


def hlh_cartox(values: Values, *, criteria: str = "hlh_cartox_2018") -> RiskScore:
    """HLH after CAR-T cells by CARTOX: peak ferritin and two of liver, kidney, lung and hemophagocytosis.

    Parameters
    ----------
    values : mapping
        ferritin, hemophagocytosis, oliguria, pulmonary_edema, and the grades transaminase_grade, bilirubin_grade,
        creatinine_grade, as ``extremes`` gives them.
    criteria : str
        Edition.
    """
    return _required_and_some("hlh_cartox", criteria, values)
