"""Eligibility: the label's indication and a trial's entry limits, each met, not met or unknown, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.criteria import Edition, edition, editions
from vein2vein.errors import InputError, unknown

MET, NOT_MET, UNKNOWN = 1, 0, -1
LABEL = (("age_low", "age", "at_least"), ("age_below", "age", "below"), ("lines_low", "prior_lines", "at_least"))
_WORDS = {"at_least": "at least", "above": "above", "at_most": "at most", "below": "below"}


@dataclass(frozen=True)
class Eligibility:
    """Which criteria each patient meets.

    Attributes
    ----------
    criteria : tuple of str
        Sentences, one for each criterion.
    met : ndarray of int8, shape (n, criteria)
        1 met, 0 not met, -1 unknown.
    eligible : ndarray of int8, shape (n,)
        0 if any criterion is not met, else -1 if any is unknown, else 1.
    """

    criteria: tuple[str, ...]
    met: NDArray[np.int8]
    eligible: NDArray[np.int8]


def eligible(patient: Any, indication: Any = None, criteria: str | Edition | Iterable[str] = ()) -> Eligibility:
    """Judge patients by a label indication and by entry criteria.

    Parameters
    ----------
    patient : record
        With arrays (n,) such as age and prior_lines, a disease, and ``baseline`` measurements.
    indication : record, optional
        Of a product card: diseases, age_low, age_below, lines_low (limits that it lacks are not asked).
    criteria : str or Edition or iterable of str
        Editions ``eligibility_*``, such as ``eligibility_eliana``.
    """
    rows: list[tuple[str, NDArray[np.int8]]] = []
    n = len(np.atleast_1d(np.asarray(_read(patient, "age"), dtype=float)))
    if indication is not None:
        diseases = tuple(_read(indication, "diseases") or ())
        if diseases:
            fits = patient.disease in diseases
            rows.append((f"disease: {' or '.join(diseases)}", np.full(n, MET if fits else NOT_MET, dtype=np.int8)))
        for limit, field, operator in LABEL:
            bound = _read(indication, limit)
            if bound is not None and np.isfinite(float(bound)):
                rows.append(
                    (
                        f"label: {field} {_WORDS[operator]} {float(bound):g}",
                        _judge(patient, n, field, operator, float(bound)),
                    )
                )
    chosen = [criteria] if isinstance(criteria, str | Edition) else list(criteria)
    for name in chosen:
        rules = name if isinstance(name, Edition) else _entry(name)
        for level in rules.levels:
            text = f"{level.column}: {level.reads} {_WORDS[level.operator]} {level.value:g}"
            if level.times == "upper_limit":
                bound = level.value * rules.values[f"{level.reads}_upper_limit"]
                text += " times the upper limit of normal"
            else:
                bound = level.value
            rows.append((text, _judge(patient, n, level.reads, level.operator, bound)))
    met = np.stack([found for _, found in rows], axis=1) if rows else np.ones((n, 0), dtype=np.int8)
    overall = np.where((met == NOT_MET).any(axis=1), NOT_MET, np.where((met == UNKNOWN).any(axis=1), UNKNOWN, MET))
    return Eligibility(tuple(text for text, _ in rows), met, overall.astype(np.int8))


def reasons(found: Eligibility, position: int) -> tuple[str, ...]:
    """Why a patient is not, or not surely, eligible: the criteria that are not met or unknown."""
    words = {NOT_MET: "not met", UNKNOWN: "unknown"}
    return tuple(
        f"{words[int(state)]}: {text}"
        for text, state in zip(found.criteria, found.met[position])
        if int(state) in words
    )


def _entry(name: str) -> Edition:
    known = [e for e in editions() if e.startswith("eligibility_")]
    full = name if name.startswith("eligibility_") else f"eligibility_{name}"
    if full not in known:
        raise InputError(unknown("entry criteria", name, known))
    return edition(full)


def _read(record: Any, name: str) -> Any:
    """Field of a record or mapping, or a baseline measurement; None where there is none."""
    if isinstance(record, Mapping):
        return record.get(name, record.get("baseline", {}).get(name))
    found = getattr(record, name, None)
    return found if found is not None else getattr(record, "baseline", {}).get(name)


def _judge(patient: Any, n: int, field: str, operator: str, bound: float) -> NDArray[np.int8]:
    found = _read(patient, field)
    if found is None:
        return np.full(n, UNKNOWN, dtype=np.int8)
    values = np.broadcast_to(np.asarray(found, dtype=float), (n,))
    compare = {"at_least": np.greater_equal, "above": np.greater, "at_most": np.less_equal, "below": np.less}[operator]
    return np.where(np.isnan(values), UNKNOWN, compare(values, bound)).astype(np.int8)
