"""Arms of a trial: who is treated how within one trial, and one journey out of the journeys of its arms."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.grades.grades import Grades
from vein2vein.parameters import ParameterSet
from vein2vein.randomness import uniforms
from vein2vein.therapy.course import Course
from vein2vein.therapy.disease import Disease
from vein2vein.therapy.laws import Law
from vein2vein.therapy.product import Product
from vein2vein.therapy.visits import Plan

if TYPE_CHECKING:
    from vein2vein.journey.chart import Journey

ONE_FOR_ALL = (Disease, Plan, ParameterSet, Product)  # cards: an arm's own are named in the provenance
SHARED_DAYS = "days"  # of a course or a response: the same for every arm; of everything else: one for each patient
OF_VISITS = ("categories", "status")  # codes of a response mean something else in another lineage


@dataclass(frozen=True)
class Arm:
    """One arm.

    Attributes
    ----------
    name, title : str
    size : float
        Patients of the published trial in this arm: arms are filled in proportion.
    disease : Disease
    product : Product
    dose, conditioning : str
        As in a trial.
    population : mapping of str to Law
        Laws of this arm over those of the trial.
    """

    name: str
    title: str
    size: float
    disease: Disease
    product: Product
    dose: str
    conditioning: str
    population: Mapping[str, Law]


def arm_of(arms: Sequence[Arm], numbers: NDArray[np.int64], seed: int) -> NDArray[np.intp]:
    """Position of the arm of each patient, shape (n,): a patient's arm depends on the seed and the number alone."""
    ends = np.cumsum([arm.size for arm in arms])
    luck = uniforms(seed, "arm", numbers)[:, 0] * ends[-1]
    return np.minimum(np.searchsorted(ends, luck, side="right"), len(arms) - 1)


def join(journeys: Sequence[Journey], order: NDArray[np.intp]) -> Journey:
    """One journey of all patients of some journeys.

    Parameters
    ----------
    journeys : sequence of Journey
        On one plan of visits.
    order : ndarray of int, shape (n,)
        The patients' order: positions in the journeys laid end to end.

    Notes
    -----
    Cards (product, disease, parameters) and the categories of response are those of the first journey.
    """
    if len(journeys) == 1:
        return journeys[0]
    counts = [len(journey.infused) for journey in journeys]
    merged = {
        f.name: _merge([getattr(journey, f.name) for journey in journeys], counts, order)
        for f in dataclasses.fields(journeys[0])
        if f.name not in ("notes", "provenance", "kinetics")
    }
    notes = tuple(dict.fromkeys(note for journey in journeys for note in journey.notes))
    listed = {
        name: sorted({str(journey.provenance.get(name)) for journey in journeys}) for name in ("product", "disease")
    }
    provenance = {**journeys[0].provenance, **{name: ", ".join(values) for name, values in listed.items()}}
    followed = {journey.kinetics.analyte for journey in journeys}
    kinetics = _merge([journey.kinetics for journey in journeys], counts, order)
    if len(followed) > 1:
        kinetics = dataclasses.replace(kinetics, analyte=" and ".join(sorted(followed)))
    return dataclasses.replace(journeys[0], **merged, kinetics=kinetics, notes=notes, provenance=provenance)


def _merge(values: list[Any], counts: list[int], order: NDArray[np.intp]) -> Any:
    first = values[0]
    if isinstance(first, ONE_FOR_ALL):
        return first
    if dataclasses.is_dataclass(first) and not isinstance(first, type):
        return _merge_record(values, counts, order)
    if isinstance(first, Mapping):
        names = dict.fromkeys(name for value in values for name in value)
        return {name: _merge([value.get(name) for value in values], counts, order) for name in names}
    if isinstance(first, tuple) and first and isinstance(first[0], tuple):
        return _merge_doses(values, counts, order)
    found = next((value for value in values if value is not None), None)
    if not isinstance(found, np.ndarray) or not found.ndim:
        return found if dataclasses.is_dataclass(found) or first is None else first
    width = max((value.shape[1:] for value in values if value is not None), default=())
    rows = [
        _absent(found, count, width) if v is None or v.shape[1:] != width else v for v, count in zip(values, counts)
    ]
    if any(len(row) != count for row, count in zip(rows, counts)):
        return first  # not one row for each patient
    return np.concatenate(rows)[order]


def _merge_record(values: list[Any], counts: list[int], order: NDArray[np.intp]) -> Any:
    first, changed = values[0], {}
    categories = getattr(first, "categories", None)
    visits = categories is not None
    for f in dataclasses.fields(first):
        if f.name == SHARED_DAYS and (visits or isinstance(first, Course | Grades)):
            continue
        if visits and f.name in OF_VISITS and any(value.categories != categories for value in values):
            if f.name == "status":
                known = [v.status if v.categories == categories else np.full_like(v.status, -1) for v in values]
                changed[f.name] = _merge(known, counts, order)
            continue
        changed[f.name] = _merge([getattr(value, f.name) for value in values], counts, order)
    return dataclasses.replace(first, **changed)


def _merge_doses(values: list[Any], counts: list[int], order: NDArray[np.intp]) -> Any:
    """Dated doses ``(day, ..., amount (n,))``: who had none on a day has 0."""
    keys = sorted({dose[:-1] for doses in values for dose in doses})
    merged = []
    for key in keys:
        parts = [
            sum((dose[-1] for dose in doses if dose[:-1] == key), np.zeros(count))
            for doses, count in zip(values, counts)
        ]
        merged.append((*key, np.concatenate(parts)[order]))
    return tuple(merged)


def _absent(like: NDArray[Any], count: int, width: tuple[int, ...]) -> NDArray[Any]:
    kinds = {"f": np.nan, "b": False, "i": -1, "U": "", "O": ""}
    return np.full((count, *width), kinds.get(like.dtype.kind, 0), dtype=like.dtype)
