"""B-cell aplasia by any of the published definitions, its loss, and when immunoglobulin is due."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.clinic.criteria import edition, rows_of
from vein2vein.clinic.grades.grades import NOT_GRADABLE, Flags, Floats, Grades, at_last, last, last_value
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.course import Course

PER_LITER = 1000.0  # 1e9/L in cells/uL
PERCENT = 100.0
READS = ("b_cells", "b_cell_percent", "lymphocytes", "white_cells")
DAYS_PER_MONTH = 30.4375
CHILD = "IgG of a child below the adult limit: compare with the laboratory's limit for this age"
COUNT_ONLY = "few B cells by the absolute count; their share of lymphocytes is not known"


@dataclass(frozen=True)
class AplasiaDefinition:
    """A row of criteria/b_cell_aplasia.toml: all of its limits are met in aplasia; NaN: not asked.

    Attributes
    ----------
    name, mark : str
    cells_below, cells_at_most : float
        cells/uL.
    percent_below, percent_at_most : float
        Share of B cells among what ``percent_of`` names: ``lymphocytes`` or ``white_cells``.
    why : str
    """

    name: str
    mark: str
    cells_below: float = np.nan
    cells_at_most: float = np.nan
    percent_below: float = np.nan
    percent_at_most: float = np.nan
    percent_of: str = ""
    why: str = ""


@dataclass(frozen=True)
class ImmunoglobulinRule:
    """A row of criteria/immunoglobulin.toml: immunoglobulin is due where all that it asks holds.

    Attributes
    ----------
    name, mark : str
    igg_at_most, igg_below : float
        mg/dL; NaN: not asked.
    from_day, until_day : float
        Days on which it holds, the last excluded.
    age_below : float
        Years.
    infections, aplasia, poor_vaccine_response, low_iga_igm : bool
        Facts that must hold too.
    why : str
    """

    name: str
    mark: str
    igg_at_most: float = np.nan
    igg_below: float = np.inf
    from_day: float = -np.inf
    until_day: float = np.inf
    age_below: float = np.nan
    infections: bool = False
    aplasia: bool = False
    poor_vaccine_response: bool = False
    low_iga_igm: bool = False
    why: str = ""


def b_cell_aplasia(course: Course, definition: str = "default") -> Grades:
    """State at every cell: 1 aplasia, 0 B cells present, not gradable where B cells were not measured.

    Parameters
    ----------
    course : Course
    definition : str
        Name in criteria/b_cell_aplasia.toml: ``default``, ``upenn``, ``eliana``, ``seattle``, ``cincinnati``, ...
    """
    rules = {row.name: row for row in rows_of("b_cell_aplasia", AplasiaDefinition)}
    if definition not in rules:
        raise InputError(unknown("definition of B-cell aplasia", definition, rules))
    rule = rules[definition]
    counts = course.dense("b_cells")
    limits: list[NDArray[np.bool_]] = []
    known: list[NDArray[np.bool_]] = []
    flags: dict[str, Flags] = {}
    if np.isfinite(rule.cells_below):
        limits.append(counts < rule.cells_below)
        known.append(np.isfinite(counts))
    if np.isfinite(rule.cells_at_most):
        limits.append(counts <= rule.cells_at_most)
        known.append(np.isfinite(counts))
    lacks_share = np.zeros(course.shape, dtype=bool)
    if rule.percent_of:
        percent = _percent(course, counts, rule.percent_of)
        below = (percent < rule.percent_below) | (percent <= rule.percent_at_most)
        if limits:
            none = counts <= 0  # without any B cell their share is known
            below = below | none
            lacks_share = np.isnan(percent) & ~none & limits[0]
            known.append(~lacks_share)
            if lacks_share.any():
                flags[COUNT_ONLY] = lacks_share
        else:
            known.append(np.isfinite(percent))
        limits.append(below)
    state = np.logical_and.reduce(limits)
    is_known = np.logical_and.reduce(known)
    grade = np.where(is_known, state, NOT_GRADABLE).astype(np.int8)
    counted = np.isfinite(counts)  # then it is the share that is not known
    missing = {"b_cells": ~is_known & ~counted, rule.percent_of: ~is_known & counted}
    missing = {name: cells for name, cells in missing.items() if cells.any()}
    shown = (state & is_known).astype(np.int8)
    return Grades(
        "b_cell_aplasia",
        f"b_cell_aplasia:{definition}",
        course.days,
        grade,
        shown,
        missing,
        {"b_cells": shown},
        {"b_cells": READS},
        flags,
        {},
        ("definition of B-cell aplasia, from memory",) if rule.mark == "M" else (),
    )


def _percent(course: Course, counts: Floats, of: str) -> Floats:
    whole = course.dense("lymphocytes" if of == "lymphocytes" else "white_cells") * PER_LITER
    share = np.divide(PERCENT * counts, whole, out=np.full(counts.shape, np.nan), where=whole > 0)
    charted = course.dense("b_cell_percent")
    return np.where(np.isfinite(charted), charted, share) if of == "lymphocytes" else share


def loss_day(aplasia: Grades) -> Floats:
    """Day on which B-cell aplasia is lost, shape (n,): the first of two samples in a row with B cells, after aplasia.

    inf where it is not lost (or was never there). A last sample with B cells that nothing confirms is not a loss.
    """
    n, k = aplasia.grade.shape
    lost, pending = np.full(n, np.inf), np.full(n, np.inf)
    seen = np.zeros(n, dtype=bool)
    for column in range(k):
        state = aplasia.grade[:, column]
        present = (state == 0) & seen
        confirmed = present & np.isfinite(pending) & np.isinf(lost)
        lost = np.where(confirmed, pending, lost)
        pending = np.where(present & np.isinf(pending), aplasia.days[column], np.where(state == 1, np.inf, pending))
        seen |= state == 1
    return lost


def early_loss(lost: Floats, months: float | None = None) -> NDArray[np.bool_]:
    """Whether B-cell aplasia was lost early after a CD19 product, a sign of coming relapse in B-ALL; shape (n,)."""
    limit = _values("early_loss_months") if months is None else months
    return np.asarray(lost) <= limit * DAYS_PER_MONTH


def unreadable_baseline(days_since_antibody: ArrayLike) -> NDArray[np.bool_]:
    """Whether an antibody against B cells was given too recently for the baseline to be read; shape (n,)."""
    return np.asarray(days_since_antibody, dtype=float) < _values("antibody_months") * DAYS_PER_MONTH


def _values(name: str) -> float:
    return edition("b_cell_aplasia").values[name]


def hypogammaglobulinemia(course: Course, *, age: ArrayLike = np.inf) -> Grades:
    """State at every cell: 1 low, 2 severe, 0 neither; not gradable where IgG was not measured.

    Parameters
    ----------
    course : Course
        With igg (mg/dL).
    age : array_like, shape (n,)
        Years. A child's lower limit depends on age and laboratory: only the severe state is told for children, and
        any other value of a child is not gradable.
    """
    rules = edition("immunoglobulin")
    v = rules.values
    igg = course.dense("igg")
    adult = np.asarray(age, dtype=float) >= v["adult_from"]
    child = np.broadcast_to(~adult, (course.shape[0],))[:, None]  # so at an unknown age
    severe, low = igg <= v["severe_igg"], (igg < v["low_igg"]) & ~child
    state = np.where(severe, 2, np.where(low, 1, 0)).astype(np.int8)
    absent = np.isnan(igg)
    unknown_ = absent | (child & ~severe & (igg < v["low_igg"]))
    graded = np.where(unknown_, NOT_GRADABLE, state).astype(np.int8)
    flags = {CHILD: unknown_ & ~absent} if (unknown_ & ~absent).any() else {}
    missing = {"igg": unknown_} if unknown_.any() else {}
    name, reads = "hypogammaglobulinemia", {"igg": ("igg",)}
    return Grades(name, rules.name, course.days, graded, state, missing, {"igg": state}, reads, flags)


def immunoglobulin_due(
    course: Course,
    *,
    age: ArrayLike = np.inf,
    rule: str = "hill",
    aplasia: ArrayLike | None = None,
    infections: ArrayLike | None = None,
    poor_vaccine_response: ArrayLike = False,
    low_iga_igm: ArrayLike = False,
) -> NDArray[np.bool_]:
    """Whether immunoglobulin should be considered at the last day of the course, shape (n,).

    Parameters
    ----------
    course : Course
        With igg (mg/dL); the last value of the past ``igg_lasts`` days is read.
    age : array_like, shape (n,)
        Years.
    rule : str
        Name of a table in criteria/immunoglobulin.toml: ``hill``, ``aaaai``, ``children``, ``asbmt``, ``routine``.
    aplasia : array_like of bool, shape (n,), optional
        B-cell aplasia now; default: the last state by the default definition.
    infections : array_like of bool, shape (n,), optional
        Serious, persistent or recurrent infection; default: a severe one, or two, charted in the look-back time.
    poor_vaccine_response, low_iga_igm : array_like of bool, shape (n,)
    """
    rules = edition("immunoglobulin")
    n, k = course.shape
    due = np.zeros(n, dtype=bool)
    known = rows_of(rules.name, ImmunoglobulinRule)
    rows = [row for row in known if row.name == rule]
    if not rows:
        raise InputError(unknown("rule for immunoglobulin", rule, {row.name for row in known}))
    if not k or "igg" not in course:
        return due
    today = float(course.days[-1])
    igg = last_value(course, "igg", rules.values["igg_lasts"])
    if infections is None:
        asked = any(row.infections for row in rows)
        infections = _infections(course, rules.values["look_back"], today) if asked else False
    if aplasia is None and any(row.aplasia for row in rows):
        states = b_cell_aplasia(course).grade
        aplasia = take_last(states) == 1
    facts = (infections, False if aplasia is None else aplasia, poor_vaccine_response, low_iga_igm)
    years = np.broadcast_to(np.asarray(age, dtype=float), (n,))
    for row in rows:
        if not row.from_day <= today < row.until_day:
            continue
        meets = igg < row.igg_below if np.isnan(row.igg_at_most) else igg <= row.igg_at_most
        if not np.isnan(row.age_below):
            meets = meets & (years < row.age_below)
        asked = (row.infections, row.aplasia, row.poor_vaccine_response, row.low_iga_igm)
        for must, holds in zip(asked, facts):
            if must:
                meets = meets & np.asarray(holds, dtype=bool)
        due |= meets
    return due


def take_last(states: NDArray[np.int8]) -> NDArray[np.int8]:
    """Last graded state of each patient, shape (n,); not gradable where there is none."""
    return at_last(states, last(states != NOT_GRADABLE), NOT_GRADABLE).astype(np.int8)


def _infections(course: Course, look_back: float, today: float) -> NDArray[np.bool_]:
    recent = course.between(today - look_back, today).dense("infection")
    began = recent >= 1
    began[:, 1:] &= ~(recent[:, :-1] >= 1)
    return (recent >= 2).any(axis=1) | (began.sum(axis=1) >= 2)
