"""Management: what a policy gives now, read from the findings and from what was already given.

A policy (policies/*.toml) says when; the dose rules (criteria/dosing.toml) say how much. ``treat`` is a pure function
of the course so far: it keeps no state, so a real patient's chart can be handed to it on any day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.card_reading import located, read
from vein2vein.cards import bundled_cards, find_card
from vein2vein.clinic.b_cell_aplasia import immunoglobulin_due
from vein2vein.clinic.criteria import edition
from vein2vein.clinic.grades import Floats, Grades, at_last, last, last_value, latest, take
from vein2vein.clinic.policy_card import CRS_SCALES, NEEDED, PolicyCard, given_fields
from vein2vein.errors import InputError
from vein2vein.therapy.course import Course

FOLDER = Path(__file__).with_name("policies")
STEROIDS = ("dexamethasone", "methylprednisolone")


@dataclass(frozen=True)
class Policy:
    """When to give what.

    Attributes
    ----------
    name, title, source, where : str
    scale : str
        The CRS finding that the policy reads, such as ``crs_astct``.
    table : mapping
        The fields of the file, laid over those of the policy it is based on.
    dosing : mapping of str to float
        Dose rules.
    """

    name: str
    title: str
    source: str
    where: str
    scale: str
    table: Mapping[str, Any]
    dosing: Mapping[str, float]

    @property
    def reads(self) -> tuple[str, ...]:
        """Findings that the policy needs."""
        return (self.scale, "icans")


def policies() -> dict[str, Path]:
    """Every bundled policy by name."""
    return bundled_cards(FOLDER)


def read_policy(name: str | Path) -> Policy:
    """Read a bundled policy by name, or the user's own by path.

    Raises
    ------
    InputError
        Unknown policy (with the nearest names), or a field that nothing reads: file, line and field.
    """
    card = find_card(name, FOLDER, "policy")
    told = read(card, PolicyCard)
    base = None
    if told.based_on:
        with located(card, "based_on"):
            base = read_policy(told.based_on)
    table = dict(base.table) if base else {}
    for part in NEEDED:
        if (given := getattr(told, part)) is not None:
            table[part] = {**table.get(part, {}), **given_fields(given)}
    if told.dated is not None:
        table["dated"] = [given_fields(one) for one in told.dated]
    dosing = {**(base.dosing if base else edition("dosing").values), **told.dosing}
    scale = told.scale or (base.scale if base else CRS_SCALES[0])
    return Policy(Path(card.file).stem, told.title, told.source, told.where, scale, table, dosing)


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
    if "tocilizumab" in policy.table:
        due = _tocilizumab_due(policy, course, crs, now) & tocilizumab_allowed(course, now, policy.dosing)
        out["tocilizumab"] = np.where(due, tocilizumab_dose(kg, policy.dosing), 0.0)
    if "steroid" in policy.table:
        _add(out, _steroid(policy, course, crs, icans, kg, now, costimulation))
    _add(out, _dated(policy, course, kg, now))
    if "gcsf" in policy.table:
        out["gcsf"] = _gcsf(policy, course, now)
    if "immunoglobulin" in policy.table:
        waited = (
            now - _last_day(course, course.dense("ivig") > 0)
            >= policy.dosing["immunoglobulin_interval"] - policy.dosing["tolerance"]
        )
        due = immunoglobulin_due(course, rule=policy.table["immunoglobulin"]["rule"]) & waited
        out["ivig"] = np.where(due, immunoglobulin_dose(kg, dosing=policy.dosing), 0.0)
    if "antipyretic" in policy.table:
        out["antipyretic"] = (crs[:, -1] >= policy.table["antipyretic"]["from_grade"]).astype(float)
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


def _since(grade: NDArray[np.int8], least: int, days: Floats) -> Floats:
    """Day since when a grade has been reached without a break, shape (n,); inf where it is not now."""
    below = last(grade < least)
    return np.where(grade[:, -1] >= least, days[np.minimum(below + 1, len(days) - 1)], np.inf)


def _tocilizumab_due(policy: Policy, course: Course, crs: NDArray[np.int8], now: float) -> NDArray[np.bool_]:
    rule, slack = policy.table["tocilizumab"], policy.dosing["tolerance"]
    given = course.dense("tocilizumab") > 0
    previous = _last_day(course, given)
    grade_then = at_last(crs, last(given), 0)
    since = _since(crs, rule["from_grade"], course.days)
    fits = now - since >= rule.get("waits", 0) - slack
    fresh = previous < since
    not_better = (crs[:, -1] >= grade_then) & (now - previous >= rule["repeat_after"] - slack)
    due = fits & (fresh | not_better)
    if "or_grade" in rule:
        lasting = _since(crs, rule["or_grade"], course.days)
        due |= (now - lasting > rule["or_lasts"] + slack) & (previous < lasting)
    return due


def _steroid(
    policy: Policy,
    course: Course,
    crs: NDArray[np.int8],
    icans: NDArray[np.int8],
    kg: Floats,
    now: float,
    costimulation: str,
) -> dict[str, Floats]:
    rule, slack = policy.table["steroid"], policy.dosing["tolerance"]
    given = np.zeros(course.shape, dtype=bool)
    for name in STEROIDS:
        if name in course:
            given |= course.values[name] > 0
    for row in policy.table.get("dated", ()):
        if row["treatment"] in STEROIDS:
            given &= ~((course.days >= row["from_day"]) & (course.days <= row["until_day"]))[None, :]
    previous = _last_day(course, given)
    tocilizumab = course.dense("tocilizumab") > 0

    start = np.zeros(len(crs), dtype=bool)
    for when in rule["when"]:
        if when.get("costimulation", costimulation) != costimulation:
            continue
        grade, least = (crs, when["crs_at_least"]) if "crs_at_least" in when else (icans, when["icans_at_least"])
        meets = grade[:, -1] >= least
        if "after_tocilizumab" in when:  # a dose long enough ago, and no fall below this grade since
            since = _since(grade, least, course.days)
            meets &= (
                tocilizumab
                & (course.days[None, :] >= since[:, None])
                & (now - course.days[None, :] >= when["after_tocilizumab"] - slack)
            ).any(axis=1)
        start |= meets

    worst = np.maximum(crs, icans)
    ongoing = now - previous <= policy.dosing["steroid_gap"] + slack
    high = worst[:, -1] > rule["stop_at_grade"]
    full = start | (ongoing & high)
    share = np.where(full, 1.0, 0.0)
    last_high = _last_day(course, worst > rule["stop_at_grade"])
    for step in reversed(rule.get("taper", ())):
        share = np.where(~full & ongoing & (now - last_high <= step["until"] + slack), step["share"], share)

    rows = rule["dose"]
    chosen = np.zeros(len(crs), dtype=int)
    for index, row in enumerate(rows):
        chosen = np.where(full & (worst[:, -1] >= row["from_grade"]), index, chosen)
    out: dict[str, Floats] = {}
    for index, row in enumerate(rows):
        ready = (chosen == index) & (now - previous >= row["every"] - slack)
        _add(out, {row["treatment"]: np.where(ready, share * _amount(row, kg), 0.0)})
    return out


def _amount(row: Mapping[str, Any], kg: Floats) -> Floats:
    """Dose of a row (mg): per kg, never above the fixed dose where both are given."""
    fixed = np.full(kg.shape, float(row["mg"])) if "mg" in row else np.full(kg.shape, np.inf)
    return np.minimum(float(row["mg_per_kg"]) * kg, fixed) if "mg_per_kg" in row else fixed


def _dated(policy: Policy, course: Course, kg: Floats, now: float) -> dict[str, Floats]:
    """Doses that the policy gives by the calendar."""
    out: dict[str, Floats] = {}
    slack = policy.dosing["tolerance"]
    for row in policy.table.get("dated", ()):
        name = row["treatment"]
        if not row["from_day"] - slack <= now <= row["until_day"] + slack:
            _add(out, {name: np.zeros(len(kg))})
            continue
        given = (course.dense(name) > 0) & (course.days[None, :] >= row["from_day"] - slack)
        ready = now - _last_day(course, given) >= row["every"] - slack
        if name == "tocilizumab":
            ready &= tocilizumab_allowed(course, now, policy.dosing)
        amount = tocilizumab_dose(kg, policy.dosing) if name == "tocilizumab" and "mg" not in row else _amount(row, kg)
        _add(out, {name: np.where(ready, amount, 0.0)})
    return out


def _gcsf(policy: Policy, course: Course, now: float) -> Floats:
    """1 from the first low neutrophil count until recovery, shape (n,)."""
    rule = policy.table["gcsf"]
    count = last_value(course, "neutrophils")
    was_on = last_value(course, "gcsf") > 0
    starts = (now >= rule["from_day"]) & (count < rule["start_below"])
    return (starts | (was_on & ~(count >= rule["stop_at"]))).astype(float)
