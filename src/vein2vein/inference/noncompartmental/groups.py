"""Who is told together: patients by dose, arm, response, or any column that is one value of each patient."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError, unknown
from vein2vein.inference.noncompartmental.profiles import DOSE, Profiles
from vein2vein.io.study.study import Floats
from vein2vein.records import described

SYNONYMS = {
    "arm": ("arm", "armcd", "trt", "treatment", "cohort", "group"),
    "product": ("product", "prod"),
    "response": ("resp", "response", "bor", "best_response", "bestresp", "cr", "orr"),
}
"""Columns that usually hold an arm, a product or a response, in small letters."""
ALL, NOT_KNOWN = "all", "not known"
MOST_LEVELS = 6  # different numbers that are groups of their own; of more the patients are cut into thirds
THIRDS = ("lowest third", "middle third", "highest third")


@described
@dataclass(frozen=True)
class Group:
    """Some patients: ``by`` what they were grouped ("": all of them), the value they share, their positions."""

    by: str
    label: str
    rows: NDArray[np.intp]


def groups_of(profiles: Profiles, by: Sequence[str] | None = None) -> tuple[Group, ...]:
    """All patients, and the patients by each of some columns.

    Parameters
    ----------
    profiles : Profiles
    by : sequence of str, optional
        ``dose``, ``arm``, ``response`` or columns; by default those of dose, arm, product and response that have two to
        six values and cut the patients into groups, not each from each.

    Raises
    ------
    InputError
        No column has that name.
    """
    found = [Group("", ALL, np.arange(len(profiles.patients)))]
    if by is None:
        for name in (DOSE, *SYNONYMS):
            column = _column(profiles, name)
            levels = 0 if column is None else len(_levels(_values(profiles, column)))
            if column is not None and 2 <= levels <= min(MOST_LEVELS, len(profiles.patients) - 1):
                found += _grouped(profiles, column)
        return tuple(found)
    for name in dict.fromkeys(by):
        column = _column(profiles, name)
        if column is None:
            raise InputError(unknown("column to group by", name, (DOSE, *profiles.traits)))
        found += _grouped(profiles, column)
    return tuple(found)


def _column(profiles: Profiles, name: str) -> str | None:
    """The column that a name means; None where there is none."""
    if name.lower() == DOSE and np.isfinite(profiles.dose).any():
        return DOSE
    known = {column.lower(): column for column in profiles.traits}
    for wanted in (name.lower(), *SYNONYMS.get(name.lower(), ())):
        if wanted in known:
            return known[wanted]
    return None


def _values(profiles: Profiles, column: str) -> Floats | NDArray[np.str_]:
    return profiles.dose if column == DOSE else profiles.traits[column]


def _levels(values: Floats | NDArray[np.str_]) -> list[float] | list[str]:
    """The different values that are known, in order."""
    if values.dtype.kind == "f":
        return sorted({float(value) for value in values if np.isfinite(float(value))})
    return sorted({str(value) for value in values if str(value)})


def _grouped(profiles: Profiles, column: str) -> list[Group]:
    values = _values(profiles, column)
    names, labels = _words(values) if values.dtype.kind != "f" else _numbers(np.asarray(values, dtype=np.float64))
    return [
        Group(column, name, rows)
        for name in [*names, NOT_KNOWN]
        if (rows := np.array([i for i, label in enumerate(labels) if label == name], dtype=np.intp)).size
    ]


def _words(values: NDArray[np.generic]) -> tuple[list[str], list[str]]:
    """The groups of a column of words, and the group of each patient."""
    labels = [str(value) or NOT_KNOWN for value in values.tolist()]
    return sorted(set(labels) - {NOT_KNOWN}), labels


def _numbers(values: Floats) -> tuple[list[str], list[str]]:
    """The groups of a column of numbers, each number by itself or three thirds, and the group of each patient."""
    known = values[np.isfinite(values)]
    levels = sorted(set(known.tolist()))
    if len(levels) <= MOST_LEVELS:
        return [_plain(v) for v in levels], [_plain(v) if np.isfinite(v) else NOT_KNOWN for v in values.tolist()]
    cuts = np.quantile(known, (1 / 3, 2 / 3))
    names: dict[int, str] = {}
    for third, word in enumerate(THIRDS):
        own = known[np.searchsorted(cuts, known, side="left") == third]
        if own.size:
            names[third] = f"{_plain(own.min(), 3)} to {_plain(own.max(), 3)} ({word})"
    place = np.searchsorted(cuts, values, side="left")
    labels = [names[int(p)] if np.isfinite(v) else NOT_KNOWN for p, v in zip(place, values.tolist())]
    return list(names.values()), labels


def _plain(value: float, digits: int = 6) -> str:
    """A number without a padded exponent: 1e8."""
    return re.sub(r"e([+-])0*", lambda sign: f"e{sign[1].strip('+')}", f"{value:.{digits}g}")
