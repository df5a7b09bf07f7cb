"""B-cell aplasia by any of the published definitions, its loss, and when immunoglobulin is due."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.clinic.criteria import edition, rows_of
from vein2vein.clinic.grades.bounded import Range, charted, ends, last_ends
from vein2vein.clinic.grades.grades import NOT_GRADABLE, Flags, Floats, Grades, at_last, last
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
    counts = ends(course, "b_cells")
    counted = charted(course, "b_cells")
    surely: list[Flags] = []
    perhaps: list[Flags] = []
    flags: dict[str, Flags] = {}
    for limit, below in ((rule.cells_below, np.less), (rule.cells_at_most, np.less_equal)):
        if np.isfinite(limit):
            surely.append(below(counts.high, limit))
            perhaps.append(below(counts.low, limit) | ~counted)
    if rule.percent_of:
        percent = _percent(course, counts, rule.percent_of)
        no_share = np.isnan(percent.low)
        low, may_be_low = _few(rule, percent.high), _few(rule, percent.low) | no_share
        if surely:
            none, maybe_none = counts.high <= 0, counts.low <= 0  # without any B cell their share is known
            low, may_be_low = low | none, may_be_low | maybe_none
            if (alone := no_share & ~none & surely[0]).any():
                flags[COUNT_ONLY] = alone
        surely.append(low)
        perhaps.append(may_be_low)
    state, upper = np.logical_and.reduce(surely), np.logical_and.reduce(perhaps)
    is_known = state == upper
    # without a count, that their share is high leaves nothing to say of the number
    is_known &= counted if np.isfinite(rule.cells_below) or np.isfinite(rule.cells_at_most) else True
    grade = np.where(is_known, state, NOT_GRADABLE).astype(np.int8)
    share = np.isfinite(course.dense("b_cells")) if rule.percent_of else np.zeros(course.shape, dtype=bool)
    missing = {"b_cells": ~is_known & ~share}  # where the count was read, it is the share that is not known
    missing |= {rule.percent_of: ~is_known & share} if rule.percent_of else {}
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
        looked=counted | charted(course, "b_cell_percent"),
    )


def _few(rule: AplasiaDefinition, percent: Floats) -> Flags:
    return (percent < rule.percent_below) | (percent <= rule.percent_at_most)


def _percent(course: Course, counts: Range, of: str) -> Range:
    """Share of B cells (%) among lymphocytes or white cells: as charted, else of the counts; NaN: not known."""
    whole = ends(course, "lymphocytes" if of == "lymphocytes" else "white_cells")
    shares = (_share(counts.low, whole.high), np.minimum(_share(counts.high, whole.low), PERCENT))
    if of != "lymphocytes":
        return Range(*shares)
    told = charted(course, "b_cell_percent")
    return Range(*(np.where(told, one, share) for one, share in zip(ends(course, "b_cell_percent"), shares)))


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(PERCENT * part, whole * PER_LITER, out=np.full(part.shape, np.nan), where=whole > 0)


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
    igg = ends(course, "igg")
    adult = np.asarray(age, dtype=float) >= v["adult_from"]
    child = np.broadcast_to(~adult, (course.shape[0],))[:, None]  # so at an unknown age
    lower, upper = (
        np.where(end <= v["severe_igg"], 2, np.where((end < v["low_igg"]) & ~child, 1, 0)).astype(np.int8)
        for end in (igg.high, igg.low)
    )
    absent = np.isnan(igg.low)
    of_child = child & (upper < 2) & (igg.low < v["low_igg"])
    open_ = absent | of_child | (lower != upper)
    graded = np.where(open_, NOT_GRADABLE, lower).astype(np.int8)
    flags = {CHILD: cells} if (cells := of_child & ~absent).any() else {}
    missing = {"igg": open_} if open_.any() else {}
    name, reads = "hypogammaglobulinemia", {"igg": ("igg",)}
    return Grades(
        name, rules.name, course.days, graded, lower, missing, {"igg": lower}, reads, flags,
        looked=charted(course, "igg"),
    )  # fmt: skip


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
    igg = last_ends(course, "igg", rules.values["igg_lasts"]).high
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
