"""Profiles: the measured curves of one endpoint, patient by patient, of a population data set or of ward records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vein2vein import units
from vein2vein.analytes import analyte
from vein2vein.errors import InputError, unknown
from vein2vein.io.record.record import Record
from vein2vein.io.study.study import ABOVE, BELOW, Floats, Ints, Study, counted, shown_value
from vein2vein.records import described
from vein2vein.therapy.curves import Curves, made_ready

CELLS = ("transgene", "car_t_cells")
"""Endpoints that are followed where nobody says which."""
INFUSION = "car_t_infusion"
DOSE = "dose"
DAY, HOUR = "d", "h"
MOST_NAMED = 6  # patients that a note names


@described
@dataclass(frozen=True)
class Profiles:
    """Measured curves of n patients (a further course of a patient is a row of its own).

    Attributes
    ----------
    file, endpoint, unit, time_unit : str
        Units are "" where nothing says them.
    patients : tuple of str
        Name of each row.
    row, time, value, limit : ndarray, shape (m,)
        Samples: position of the patient, time since the first dose (``time_unit``), value (``unit``; of one below the
        limit: the limit), and the limit where the value lies below it (NaN else).
    below, above : ndarray of bool, shape (m,)
        Samples of which only a limit is known.
    dose : ndarray, shape (n,)
        All that was given, in the unit of the file; NaN: not known.
    traits : mapping of str to ndarray, shape (n,)
        What patients can be grouped by: numbers, or words ("" not known).
    notes : tuple of str
    """

    file: str
    endpoint: str
    unit: str
    time_unit: str
    patients: tuple[str, ...]
    row: Ints
    time: Floats
    value: Floats
    below: NDArray[np.bool_]
    above: NDArray[np.bool_]
    dose: Floats
    traits: Mapping[str, Floats | NDArray[np.str_]] = field(default_factory=dict[str, Floats | NDArray[np.str_]])
    notes: tuple[str, ...] = ()

    @property
    def days(self) -> float:
        """Days of one unit of time; NaN where the unit is not known."""
        return days_of(self.time_unit)

    def curves(self) -> Iterator[Curves]:
        """The curve of each patient by itself, in days (in the file's own unit where that is not known)."""
        scale = self.days if np.isfinite(self.days) else 1.0
        for i in range(len(self.patients)):
            own = self.row == i
            yield made_ready(self.time[own] * scale, self.value[own][None, :], self.below[own][None, :])


def days_of(unit: str) -> float:
    """Days of a unit of time; NaN for "".

    Raises
    ------
    InputError
        It is no unit of time.
    """
    if not unit:
        return float("nan")
    known = {DAY: 1.0, HOUR: 1.0 / 24.0, **units.days_of()}
    return known[unit] if unit in known else units.convert(1.0, unit, "day")


def profiles_of_study(study: Study, endpoint: str | None = None, time_unit: str | None = None) -> Profiles:
    """The curves of one endpoint of a study, since each course's first dose.

    Parameters
    ----------
    study : Study
    endpoint : str, optional
        By default the transgene or the CAR-T cells, else the first.
    time_unit : str, optional
        Unit of the times, where the study does not say it (or says another).

    Raises
    ------
    InputError
        The study has findings, or no such endpoint.
    """
    study.whole()
    names = [one.name for one in study.endpoints]
    chosen = endpoint_of(names, endpoint)
    unit = study.time_unit if time_unit is None else time_unit
    days_of(unit)
    notes: list[str] = []
    if endpoint is None and len(names) > 1:
        others = ", ".join(name for name in names if name != chosen)
        notes.append(f"followed is {chosen}; also measured: {others} (--endpoint)")
    first, given = _first_doses(study)
    o = study.observations
    kept = o.endpoint == names.index(chosen)
    time = o.time[kept] - first[o.course[kept]]
    there = np.unique(o.course[kept])
    labels, seen = _labels(study), set(there.tolist())
    without = [label for i, label in enumerate(labels) if i not in seen]
    if without:
        more = " and others" if len(without) > MOST_NAMED else ""
        notes.append(f"no value of {chosen}: {', '.join(without[:MOST_NAMED])}{more}")
    above = o.censored[kept] == ABOVE
    row = np.searchsorted(there, o.course[kept])
    several = np.bincount(study.doses.course, 1 + study.doses.additional, len(study.subject))[there] > 1
    if several.any():
        notes.append(
            f"{counted(int(several.sum()), 'patient')} with several doses: read as one curve from the first of them on"
        )
    return _told(Profiles(
        study.file, chosen, study.endpoints[names.index(chosen)].unit, unit,
        tuple(label for i, label in enumerate(labels) if i in seen), row, time, o.value[kept],
        o.censored[kept] == BELOW, above, given[there], _traits(study, there), tuple(notes),
    ))  # fmt: skip


def _first_doses(study: Study) -> tuple[Floats, Floats]:
    """Time of the first dose of each course (0 without one), and all that was given (NaN without a dose)."""
    d, count = study.doses, len(study.subject)
    first = np.full(count, np.inf)
    np.minimum.at(first, d.course, d.time)
    given = np.bincount(d.course, d.amount * (1 + d.additional), count)
    there = np.isfinite(first)
    return np.where(there, first, 0.0), np.where(there, given, np.nan)


def _labels(study: Study) -> list[str]:
    """A name for each course: that of the subject, with a number from its second course on."""
    seen: dict[int, int] = {}
    labels: list[str] = []
    for subject in study.subject.tolist():
        seen[subject] = seen.get(subject, 0) + 1
        name = study.subjects[int(subject)]
        labels.append(name if seen[subject] == 1 else f"{name} (course {seen[subject]})")
    return labels


def _traits(study: Study, courses: Ints) -> dict[str, Floats | NDArray[np.str_]]:
    found: dict[str, Floats | NDArray[np.str_]] = {}
    for name, one in study.covariates.items():
        if one.constant is None:
            continue
        values = one.constant[study.subject[courses]]
        found[name] = np.array([str(shown_value(one, float(value))) for value in values]) if one.categories else values
    return found


def profiles_of_record(record: Record, endpoint: str | None = None) -> Profiles:
    """The curves of one analyte of ward records, since each patient's first infusion.

    Parameters
    ----------
    record : Record
    endpoint : str, optional
        An analyte; by default the transgene, else the CAR-T cells.

    Raises
    ------
    InputError
        Nothing was measured of it.
    """
    there = [name for name in CELLS if any(course.measured(name) for course in record.courses)]
    if endpoint is None and not there:
        raise InputError(
            "holds no value of the transgene or the CAR-T cells in blood; 'vein2vein check' tells what it holds.",
            file=record.file,
        )
    chosen = there[0] if endpoint is None else endpoint
    found = analyte(chosen)
    parts: list[tuple[int, float, float, bool, bool]] = []
    kept: list[int] = []
    doses: list[float] = []
    for i, course in enumerate(record.courses):
        if not course.measured(chosen):
            continue
        values, below = course.dense(chosen)[0], course.marked(course.below_lloq, chosen)[0]
        above = course.marked(course.above, chosen)[0]
        for j in np.flatnonzero(np.isfinite(values)).tolist():
            parts.append((len(kept), float(course.days[j]), float(values[j]), bool(below[j]), bool(above[j])))
        infused = course.dense(INFUSION)[0]
        known = np.isfinite(infused) & ~course.marked(course.above, INFUSION)[0]
        doses.append(float(infused[known].sum()) if known.any() else float("nan"))
        kept.append(i)
    if not kept:
        raise InputError(f"holds no value of {chosen}; it holds: {', '.join(there) or 'neither'}.", file=record.file)
    facts = record.facts
    traits: dict[str, Floats | NDArray[np.str_]] = {
        name: np.array([held[i] for i in kept], dtype=np.str_)
        for name, held in (("product", facts.product), ("disease", facts.disease), ("sex", facts.sex))
        if any(held)
    }
    if np.isfinite(facts.age[kept]).any():
        traits["age"] = facts.age[kept]
    columns = [np.array(column) for column in zip(*parts)]
    without = len(record.courses) - len(kept)
    notes = [f"no value of {chosen}: {counted(without, 'patient')}"] if without else []
    if endpoint is None and len(there) > 1:
        notes.append(f"followed is {chosen}; also measured: {there[1]} (--endpoint)")
    if lost := sum(one.analyte == chosen for one in record.set_aside):
        notes.append(
            f"{counted(lost, 'value')} of {chosen} not understood and missing here: 'vein2vein check' lists them"
        )
    notes += record.warnings
    return _told(Profiles(
        record.file, chosen, found.unit, DAY, tuple(facts.label[i] or f"patient {i + 1}" for i in kept),
        columns[0].astype(np.int64), columns[1].astype(np.float64), columns[2].astype(np.float64),
        columns[3].astype(np.bool_), columns[4].astype(np.bool_), np.array(doses), traits, tuple(notes),
    ))  # fmt: skip


def endpoint_of(names: list[str], wanted: str | None) -> str:
    """The endpoint that is followed: the wanted one, else the transgene or the CAR-T cells, else the first.

    Raises
    ------
    InputError
        There is no such endpoint.
    """
    if wanted is None:
        return next((name for name in CELLS if name in names), names[0])
    if wanted not in names:
        raise InputError(unknown("endpoint", wanted, names))
    return wanted


def _told(found: Profiles) -> Profiles:
    """The profiles with what a reader must know of them."""
    notes = list(found.notes)
    if early := int((found.time < 0).sum()):
        notes.append(f"{counted(early, 'sample')} before the first dose left out")
    if high := int(found.above.sum()):
        notes.append(
            f"{counted(high, 'value')} above the upper limit count as that limit: Cmax and areas are at least as told"
        )
    if not found.time_unit:
        notes.append(
            "times have no unit: AUC0-28 and what has its window in days are not given (--time-unit d gives them)"
        )
    return replace(found, notes=tuple(notes))
