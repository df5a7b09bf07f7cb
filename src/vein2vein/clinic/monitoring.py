"""Monitoring: everything that is graded, from one course, the same for real and virtual patients."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.clinic.b_cell_aplasia import b_cell_aplasia
from vein2vein.clinic.crs import grade_crs
from vein2vein.clinic.grades import Grades, because, lacking
from vein2vein.clinic.hematotoxicity import grade_cytopenia
from vein2vein.clinic.icans import grade_icans, neurologic_event
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.course import Course

__all__ = ["FINDINGS", "because", "grade", "lacking"]

_GRADERS: dict[str, Callable[..., Grades]] = {
    "crs_astct": lambda course, a: grade_crs(
        course, age=a["age"], weight=a["weight"], scale="astct", organs=a["organs"]
    ),
    "crs_lee2014": lambda course, a: grade_crs(
        course, age=a["age"], weight=a["weight"], scale="lee2014", organs=a["organs"]
    ),
    "crs_penn": lambda course, a: grade_crs(course, age=a["age"], weight=a["weight"], scale="penn", organs=a["organs"]),
    "icans": lambda course, a: grade_icans(course, age=a["age"]),
    "neurologic_event": lambda course, a: neurologic_event(course, age=a["age"], icans=a["done"].get("icans")),
    "neutropenia": lambda course, a: grade_cytopenia(course, "neutropenia"),
    "thrombocytopenia": lambda course, a: grade_cytopenia(course, "thrombocytopenia"),
    "b_cell_aplasia": lambda course, a: b_cell_aplasia(course),
}
FINDINGS = tuple(_GRADERS)


def grade(
    course: Course,
    *,
    age: ArrayLike,
    weight: ArrayLike | None = None,
    scales: Iterable[str] = FINDINGS,
    organs: bool = True,
) -> dict[str, Grades]:
    """Grade a course by some or all scales.

    Parameters
    ----------
    course : Course
        n patients; measured or simulated; may end at any day (a cell reads nothing of later days).
    age, weight : array_like, shape (n,)
        Years, kg.
    scales : iterable of str
        Names from ``FINDINGS``.
    organs : bool
        Whether organ toxicity counts in the older CRS scales.

    Returns
    -------
    dict of str to Grades
        Days on which nothing is known are not gradable (-1), never grade 0.
    """
    arguments: dict[str, Any] = {"age": np.asarray(age, dtype=float), "weight": weight, "organs": organs, "done": {}}
    for name in scales:
        if name not in _GRADERS:
            raise InputError(unknown("finding", name, FINDINGS))
        arguments["done"][name] = _GRADERS[name](course, arguments)
    return arguments["done"]
