"""Management: what a policy gives now, read from the findings and from what was already given.

A policy (policy.py) says when; the dose rules (criteria/dosing.toml) say how much. ``treat`` is a pure function
of the course so far: it keeps no state, so a real patient's chart can be handed to it on any day.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein import arguments
from vein2vein.clinic.care.policy import (
    Dose,
    GcsfRule,
    Policy,
    RedCellRule,
    SteroidRule,
    TocilizumabRule,
    policies,
    read_policy,
)
from vein2vein.clinic.criteria import edition
from vein2vein.clinic.grades.b_cell_aplasia import immunoglobulin_due
from vein2vein.clinic.grades.grades import Floats, Grades, at_last, last, last_value, latest, take
from vein2vein.errors import InputError
from vein2vein.therapy.course import Course, course_of

STEROIDS = ("dexamethasone", "methylprednisolone")
__all__ = [
    "STEROIDS", "Policy", "immunoglobulin_dose", "policies", "read_policy", "tocilizumab_allowed", "tocilizumab_dose",
    "treat",
]  # fmt: skip


def tocilizumab_dose(weight: ArrayLike, dosing: Mapping[str, float] | None = None) -> Floats:
    """One dose of tocilizumab (mg) by body weight (kg): per kg, more per kg for the light, never above the cap."""
    d = edition("dosing").values if dosing is None else dosing
    kg = np.asarray(weight, dtype=float)
    per_kg = np.where(kg < d["tocilizumab_light_below"], d["tocilizumab_light_mg_per_kg"], d["tocilizumab_mg_per_kg"])
    return np.minimum(per_kg * kg, d["tocilizumab_most_mg"])


def tocilizumab_allowed(course: Course, day: float, dosing: Mapping[str, float] | None = None) -> NDArray[np.bool_]:
    """Whether the limits of interval, doses in 24 hours and doses in all allow one more dose now, shape (n,)."""
    d = edition("dosing").values if dosing is None else dosing
    given = course.dense("tocilizumab") > 0
    recent = given & (course.days[None, :] > day - 1)
    return (
        (day - _last_day(course, given) >= d["tocilizumab_interval"] - d["tolerance"])
        & (given.sum(axis=1) < d["tocilizumab_most"])
        & (recent.sum(axis=1) < d["tocilizumab_most_in_24h"])
    )


def immunoglobulin_dose(weight: ArrayLike, vial: float = 0.0, dosing: Mapping[str, float] | None = None) -> Floats:
    """One dose of intravenous immunoglobulin (g) by body weight (kg), rounded up to whole vials (g) if given."""
    d = edition("dosing").values if dosing is None else dosing
    grams = d["immunoglobulin_g_per_kg"] * np.asarray(weight, dtype=float)
    return np.ceil(grams / vial - d["tolerance"]) * vial if vial > 0 else grams


def treat(
    policy: Policy,
    course: Course,
    findings: Mapping[str, Grades],
    *,
    weight: ArrayLike,
    day: float | None = None,
    costimulation: str = "",
) -> dict[str, Floats]:
    """What to give now.

    Parameters
    ----------
    policy : Policy
    course : Course
        All that is known so far; its last day is now. Treatments given earlier are its rows.
    findings : mapping of str to Grades
        At least ``policy.reads``, graded from the same course.
    weight : array_like, shape (n,)
        kg.
    day : float, optional
        Now; default the last day of the course.
    costimulation : str
        Of the product (``CD28``, ``4-1BB``); rules for another costimulation are passed over.

    Returns
    -------
    dict of treatment to ndarray, shape (n,)
        Amount now, in the analyte's unit; 0 none. ``gcsf`` is a level: 1 on, 0 off.
    """
    arguments.of_kind("policy", policy, Policy, "a Policy, as read_policy gives it")
    arguments.per_patient("weight", weight, course_of(course).shape[0], unit="kg")
    if day is not None:
        arguments.number("day", day, low=-math.inf)
    arguments.text("costimulation", costimulation)
    arguments.mapping_of("findings", findings, "Grades by the name of the finding, as grade gives them")
    n, k = course.shape
    for name in policy.reads:
        if name not in findings:
            raise InputError(f"the policy {policy.name} reads the finding '{name}', which was not graded.")
    if not k:
        return {}
    now = float(course.days[-1]) if day is None else day
    kg = np.broadcast_to(np.asarray(weight, dtype=float), (n,))
    crs, icans = _known(findings[policy.scale]), _known(findings["icans"])
    out: dict[str, Floats] = {}
    if policy.tocilizumab:
        due = _tocilizumab_due(policy.tocilizumab, policy.dosing["tolerance"], course, crs, now)
        due &= tocilizumab_allowed(course, now, policy.dosing)
        out["tocilizumab"] = np.where(due, tocilizumab_dose(kg, policy.dosing), 0.0)
    if policy.steroid:
        _add(out, _steroid(policy, policy.steroid, course, crs, icans, kg, now, costimulation))
    _add(out, _dated(policy, course, kg, now))
    if policy.gcsf:
        out["gcsf"] = _gcsf(policy.gcsf, course, now)
    if policy.immunoglobulin:
        waited = (
            now - _last_day(course, course.dense("ivig") > 0)
            >= policy.dosing["immunoglobulin_interval"] - policy.dosing["tolerance"]
        )
        due = immunoglobulin_due(course, rule=policy.immunoglobulin) & waited
        out["ivig"] = np.where(due, immunoglobulin_dose(kg, dosing=policy.dosing), 0.0)
    if policy.red_cells:
        out["red_cell_transfusion"] = _red_cells(policy.red_cells, policy.dosing["tolerance"], course, now)
    if policy.antipyretic_from is not None:
        out["antipyretic"] = (crs[:, -1] >= policy.antipyretic_from).astype(float)
    return out


def _add(out: dict[str, Floats], more: Mapping[str, Floats]) -> None:
    for name, amount in more.items():
        out[name] = np.maximum(out[name], amount) if name in out else amount


def _known(grades: Grades) -> NDArray[np.int8]:
    """Grades with the last known one carried over cells that are not gradable; 0 before the first."""
    if (grades.grade >= 0).all():
        return grades.grade
    return take(grades.grade, latest(grades.grade >= 0), 0).astype(np.int8)


def _last_day(course: Course, given: NDArray[np.bool_]) -> Floats:
    """Day of the last cell where something was given, shape (n,); -inf: never."""
    column = last(given)
    return np.where(column >= 0, course.days[column], -np.inf)


def _since(grade: NDArray[np.int8], least: float, days: Floats) -> Floats:
    """Day since when a grade has been reached without a break, shape (n,); inf where it is not now."""
    below = last(grade < least)
    return np.where(grade[:, -1] >= least, days[np.minimum(below + 1, len(days) - 1)], np.inf)


def _tocilizumab_due(
    rule: TocilizumabRule, slack: float, course: Course, crs: NDArray[np.int8], now: float
) -> NDArray[np.bool_]:
    given = course.dense("tocilizumab") > 0
    previous = _last_day(course, given)
    grade_then = at_last(crs, last(given), 0)
    since = _since(crs, rule.from_grade, course.days)
    fits = now - since >= rule.waits - slack
    fresh = previous < since
    not_better = (crs[:, -1] >= grade_then) & (now - previous >= rule.repeat_after - slack)
    due = fits & (fresh | not_better)
    if rule.or_grade is not None:
        lasting = _since(crs, rule.or_grade, course.days)
        due |= (now - lasting > rule.or_lasts + slack) & (previous < lasting)
    return due


def _steroid(
    policy: Policy,
    rule: SteroidRule,
    course: Course,
    crs: NDArray[np.int8],
    icans: NDArray[np.int8],
    kg: Floats,
    now: float,
    costimulation: str,
) -> dict[str, Floats]:
    slack = policy.dosing["tolerance"]
    given = np.zeros(course.shape, dtype=bool)
    for name in STEROIDS:
        if name in course:
            given |= course.values[name] > 0
    for row in policy.dated:
        if row.treatment in STEROIDS:
            given &= ~((course.days >= row.from_day) & (course.days <= row.until_day))[None, :]
    previous = _last_day(course, given)
    tocilizumab = course.dense("tocilizumab") > 0

    start = np.zeros(len(crs), dtype=bool)
    for when in rule.when:
        if when.costimulation not in ("", costimulation):
            continue
        grade, least = (icans, when.icans_at_least) if when.crs_at_least is None else (crs, when.crs_at_least)
        if least is None:
            continue
        meets = grade[:, -1] >= least
        if when.after_tocilizumab is not None:  # a dose long enough ago, and no fall below this grade since
            since = _since(grade, least, course.days)
            meets &= (
                tocilizumab
                & (course.days[None, :] >= since[:, None])
                & (now - course.days[None, :] >= when.after_tocilizumab - slack)
            ).any(axis=1)
        start |= meets

    worst = np.maximum(crs, icans)
    ongoing = now - previous <= policy.dosing["steroid_gap"] + slack
    high = worst[:, -1] > rule.stop_at_grade
    full = start | (ongoing & high)
    share = np.where(full, 1.0, 0.0)
    last_high = _last_day(course, worst > rule.stop_at_grade)
    for step in reversed(rule.taper):
        share = np.where(~full & ongoing & (now - last_high <= step.until + slack), step.share, share)

    rows = rule.dose
    chosen = np.zeros(len(crs), dtype=int)
    for index, row in enumerate(rows):
        chosen = np.where(full & (worst[:, -1] >= row.from_grade), index, chosen)
    out: dict[str, Floats] = {}
    for index, row in enumerate(rows):
        ready = (chosen == index) & (now - previous >= row.every - slack)
        _add(out, {row.treatment: np.where(ready, share * _amount(row, kg), 0.0)})
    return out


def _amount(row: Dose, kg: Floats) -> Floats:
    """Amount of a row (mg): each dose per kg, never above the fixed dose where both are given; its doses together."""
    fixed = np.full(kg.shape, np.inf if row.mg is None else row.mg)
    return row.doses * (fixed if row.mg_per_kg is None else np.minimum(row.mg_per_kg * kg, fixed))


def _dated(policy: Policy, course: Course, kg: Floats, now: float) -> dict[str, Floats]:
    """Doses that the policy gives by the calendar."""
    out: dict[str, Floats] = {}
    slack = policy.dosing["tolerance"]
    for row in policy.dated:
        name = row.treatment
        if not row.from_day - slack <= now <= row.until_day + slack:
            _add(out, {name: np.zeros(len(kg))})
            continue
        given = (course.dense(name) > 0) & (course.days[None, :] >= row.from_day - slack)
        ready = now - _last_day(course, given) >= row.every - slack
        if name == "tocilizumab":
            ready &= tocilizumab_allowed(course, now, policy.dosing)
        by_weight = name == "tocilizumab" and row.mg is None
        amount = tocilizumab_dose(kg, policy.dosing) if by_weight else _amount(row, kg)
        _add(out, {name: np.where(ready, amount, 0.0)})
    return out


def _red_cells(rule: RedCellRule, slack: float, course: Course, now: float) -> Floats:
    """1 where the last hemoglobin is below the limit and the last transfusion lies long enough ago, shape (n,)."""
    waited = now - _last_day(course, course.dense("red_cell_transfusion") > 0) >= rule.every - slack
    return (waited & (last_value(course, "hemoglobin") < rule.hemoglobin_below)).astype(float)


def _gcsf(rule: GcsfRule, course: Course, now: float) -> Floats:
    """1 from the first low neutrophil count until recovery, shape (n,)."""
    count = last_value(course, "neutrophils")
    was_on = last_value(course, "gcsf") > 0
    starts = (now >= rule.from_day) & (count < rule.start_below)
    return (starts | (was_on & ~(count >= rule.stop_at))).astype(float)
