"""For how long a charted sign holds: a chart is no grid, and its signs stand minutes or hours apart.

A reading that can raise a grade joins later signs for its span. A normal one settles nothing beyond its own short
span, and nothing once another sign of the same scale has worsened since. What was charted and not understood, and a
support whose pump was not charted again within its span, is unknown and never absent. A cell without any sign of the
scale (a laboratory value, a drug) is not looked at: it neither begins nor ends anything. The spans are those of
criteria/held_signs.toml, by analyte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import NamedTuple

import numpy as np

from vein2vein.clinic.criteria import Edition, Level, edition
from vein2vein.clinic.grades.grades import (
    Columns,
    Flags,
    Floats,
    Whole,
    any_of,
    before,
    following,
    ladder,
    latest,
    take,
)
from vein2vein.therapy.course import Course

DEVICE, ITS_SETTINGS = "oxygen_device", ("oxygen_flow", "fio2")
Steps = Mapping[str, Callable[[Floats], Whole]]
"""By analyte: how severe its values are, 0 where they raise no grade."""


@dataclass(frozen=True)
class Held:
    """A course in which every looked-at cell has the readings that hold there.

    Attributes
    ----------
    course : Course
        The same cells. A bound stands as the nearest value beyond it.
    looked : ndarray of bool, shape (n, k), or None
        Cells where a sign was charted, understood or not; None: all, as in a simulated course.
    unknown : mapping of analyte to ndarray of bool, shape (n, k)
        Charted and not understood, or a support of which nothing is known any more.
    worse : mapping of analyte to ndarray of bool, shape (n, k)
        The value is a bound: the true one may be worse.
    source : mapping of analyte to ndarray of int, shape (n, k)
        Column of the reading that stands at each cell; -1: none.
    passing : ndarray of bool, shape (n, k), or None
        Cells where a severe reading of an earlier round still stands, and a milder one takes its place within this
        round at the bed: it did not hold together with the signs of this round. Known only afterwards.
    """

    course: Course
    looked: Flags | None = None
    unknown: Mapping[str, Flags] = field(default_factory=dict[str, Flags])
    worse: Mapping[str, Flags] = field(default_factory=dict[str, Flags])
    source: Mapping[str, Columns] = field(default_factory=dict[str, Columns])
    passing: Flags | None = None


class Span(NamedTuple):
    """Days for which a reading of one analyte holds: a severe one, a normal one; until when it is then unknown."""

    raises: float
    settles: float
    unknown: float


@cache
def span(name: str) -> Span:
    """The span of one analyte by criteria/held_signs.toml; a sign that is not listed there holds for its own cell."""
    rules = edition("held_signs")
    for kind in ("vital", "oxygen", "pump", "examined", "seen", "stays"):
        if name in rules.lists[kind]:
            return Span(*(rules.values.get(f"{kind}_{what}", 0.0) for what in Span._fields))
    return Span(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class _Reading:
    """The readings of one analyte: the newest one up to each cell, its newest worsening, and those of each cell."""

    charted: Flags
    column: Columns
    values: Floats
    steps: Whole
    unread: Flags
    worse: Flags
    lasting: Flags
    worsened: Columns
    own_steps: Whole
    unread_there: Flags


def held(course: Course, steps: Steps, also: Iterable[str] = (), *, together: bool = False) -> Held:
    """Let the signs of one scale hold for their spans.

    Parameters
    ----------
    course : Course
        n patients, k days. A simulated course charts every sign at every cell: it is returned as it is.
    steps : Steps
        The signs of the scale.
    also : iterable of str
        Analytes that are looked at when they are charted, and hold for no other cell.
    together : bool
        Leave out what is ``passing``: for the worst of a day, which is known afterwards.
    """
    if course.origin == "simulated" or not course.shape[1]:
        return Held(course)
    rules = edition("held_signs")
    v, pumps = rules.values, rules.lists["pump"]
    own = {name: _reading(course, name, step) for name, step in steps.items() if name in course}
    own |= {name: _reading(course, name, steps[name]) for name in course.unread if name in steps and name not in own}
    looked = np.zeros(course.shape, dtype=bool)
    for one in own.values():
        looked |= one.charted
    for name in also:
        looked |= np.isfinite(course.dense(name)) | course.marked(course.unread, name)
    values = dict(course.values)
    unknown: dict[str, Flags] = {}
    worse: dict[str, Flags] = {}
    source: dict[str, Columns] = {}
    passing = np.zeros(course.shape, dtype=bool)
    for name, one in own.items():
        lasts = span(name)
        age = course.days[None, :] - course.days[np.maximum(one.column, 0)]
        there = (one.column >= 0) & looked
        raises = _at_most(age, lasts.raises, v)
        severe = (one.steps > 0) & (raises | one.lasting)
        calm = (one.steps == 0) & ~one.unread & _at_most(age, lasts.settles, v)
        calm &= _undisturbed(course, name, own, v)
        stale = _superseded(course, name, own, v)
        holds = there & (severe | calm) & ~stale
        if name not in pumps:  # one that was stopped ran up to its stop
            gone = holds & _passing(course, own[DEVICE] if name in ITS_SETTINGS and DEVICE in own else one, v)
            passing |= gone
            holds = holds & ~gone if together else holds
        values[name] = np.where(holds, one.values, np.nan)
        lapsed = _at_most(age, lasts.unknown, v) & ~raises & ((one.steps > 0) | one.unread)
        unknown[name] = there & ~holds & ~stale & ((one.unread & (raises | one.lasting)) | (lapsed & ~one.lasting))
        worse[name] = holds & one.worse
        source[name] = np.where(holds, one.column, -1).astype(np.int32)
    return Held(replace(course, values=values), looked, _somewhere(unknown), _somewhere(worse), source, passing)


def _passing(course: Course, one: _Reading, v: Mapping[str, float]) -> Flags:
    """Cells where a severe reading of an earlier round gives way to a milder one within this round."""
    days, k = course.days, course.shape[1]
    near = v["round"] + v["tolerance"]
    old = (one.steps > 0) & (days[None, :] - days[np.maximum(one.column, 0)] > near)
    if not old.any():
        return old
    upcoming = np.minimum(following(one.charted), k - 1)
    milder = ~np.take_along_axis(one.unread_there, upcoming, axis=1)
    milder &= np.take_along_axis(one.own_steps, upcoming, axis=1) < one.steps
    return old & followed(course, one.charted) & milder


def followed(course: Course, looked: Flags) -> Flags:
    """Cells that another one, of those that are looked at, follows within the same round at the bed."""
    v, days, k = edition("held_signs").values, course.days, course.shape[1]
    upcoming = following(looked)
    return (upcoming < k) & (days[np.minimum(upcoming, k - 1)] - days[None, :] <= v["round"] + v["tolerance"])


def _somewhere(marks: Mapping[str, Flags]) -> dict[str, Flags]:
    return {name: cells for name, cells in marks.items() if cells.any()}


def by_levels(rules: Edition, names: Iterable[str]) -> dict[str, Callable[[Floats], Whole]]:
    """How severe a value of each sign is by the levels of an edition; 0: it raises no grade."""

    def steps(levels: list[Level]) -> Callable[[Floats], Whole]:
        return lambda values: ladder(values, levels)

    return {name: steps([one for one in rules.levels if one.reads == name]) for name in names}


def there_or_not(values: Floats) -> Whole:
    """Severity of what is only there or not."""
    return (values >= 1).astype(np.int8)


def in_doubt(stands: Held, names: Iterable[str]) -> dict[str, Flags]:
    """By sign, the cells where it is unknown, or may be worse than its bound."""
    return {name: any_of(marks[name] for marks in (stands.unknown, stands.worse) if name in marks) for name in names}


def low_is_severe(name: str) -> bool:
    """Whether low values of a sign are the severe ones."""
    return name in edition("held_signs").lists["low_is_severe"]


def _at_most(age: Floats, span: float, v: Mapping[str, float]) -> Flags:
    return age <= span + v["tolerance"]


def _reading(course: Course, name: str, step: Callable[[Floats], Whole]) -> _Reading:
    values, unread = course.dense(name), course.marked(course.unread, name)
    above, below = course.marked(course.above, name), course.marked(course.below_lloq, name)
    if above.any() or below.any():
        if name not in edition("held_signs").lists["coded"]:  # of a code, a bound is the code itself or beyond
            beyond = np.where(above, np.inf, -np.inf)
            values = np.where(above | below, np.nextafter(values, beyond), values)
        open_ = below if low_is_severe(name) else above
        milder = above if low_is_severe(name) else below
        severity = step(values)
        # a bound that leaves open whether there is a sign at all says nothing
        void = (open_ & (severity == 0)) | (milder & (severity > 0) & (name not in ITS_SETTINGS))
        values, unread, worse = np.where(void, np.nan, values), unread | void, open_ & ~void
    else:
        worse = np.zeros(course.shape, dtype=bool)
    charted = np.isfinite(values) | unread
    severity = np.where(np.isfinite(values), step(values), 0).astype(np.int8)
    column = latest(charted)
    earlier = take(severity, before(column), 0)
    return _Reading(
        charted, column, take(values, column, np.nan), take(severity, column, 0),
        _marked_at(unread, column), _marked_at(worse, column), _marked_at(course.marked(course.lasting, name), column),
        latest(charted & (severity > earlier)), severity, unread,
    )  # fmt: skip


def _marked_at(marks: Flags, column: Columns) -> Flags:
    """Marks at the columns that are read; mostly nothing is marked, and there is nothing to look up."""
    return take(marks, column, False) if marks.any() else marks


def _undisturbed(course: Course, name: str, own: Mapping[str, _Reading], v: Mapping[str, float]) -> Flags:
    """Cells up to which no other sign has worsened since the newest reading and its round."""
    others = [one.worsened for other, one in own.items() if other != name]
    if not others:
        return np.ones(course.shape, dtype=bool)
    last = np.maximum.reduce(others)
    since = np.where(last >= 0, course.days[np.maximum(last, 0)], -np.inf)
    return since <= course.days[np.maximum(own[name].column, 0)] + v["round"] + v["tolerance"]


def _superseded(course: Course, name: str, own: Mapping[str, _Reading], v: Mapping[str, float]) -> Flags:
    """Cells where a newer device, or seizure, has another setting than the one that was read with the one before."""
    if name == "seizure_kind" and "seizure" in own:
        seizure, days = own["seizure"], course.days
        return days[np.maximum(seizure.column, 0)] > days[np.maximum(own[name].column, 0)] + v["round"] + v["tolerance"]
    if name not in ITS_SETTINGS or DEVICE not in own:
        return np.zeros(course.shape, dtype=bool)
    device, setting = own[DEVICE], own[name]
    days, column = course.days, np.maximum(setting.column, 0)
    newer = days[np.maximum(device.column, 0)] > days[column] + v["round"] + v["tolerance"]
    was = np.take_along_axis(device.values, column, axis=1)
    return (device.column >= 0) & newer & ~device.unread & (device.values != was)
