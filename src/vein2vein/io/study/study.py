"""Study: the observations, doses and covariates of many subjects, as flat arrays that say what each number means."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vein2vein import arguments
from vein2vein.errors import InputError, unknown
from vein2vein.io.record.record import SetAside
from vein2vein.records import described

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = TypeVar("Rows", "Observations", "Doses")

MEASURED, BELOW, ABOVE = 0, 1, -1
"""``Observations.censored``: the polarity of Monolix and nlmixr2."""
MODELLED_RATE, MODELLED_DURATION = -1.0, -2.0
"""``Doses.rate`` where NONMEM's RATE says that the rate, or the duration, is a parameter of the model."""


@dataclass(frozen=True)
class Endpoint:
    """What was measured: its name, its code in the file (DVID; CMT where there is none), its unit ("" unknown)."""

    name: str
    code: str
    unit: str = ""


@described
@dataclass(frozen=True)
class Observations:
    """The m observations of a study, sorted by course, then time, then order in the file; every array has shape (m,).

    Attributes
    ----------
    course : ndarray of int
        Position in ``Study.subject``.
    time : ndarray
        ``Study.time_unit``; since the beginning that the file gives (of each course its own).
    value : ndarray
        In the unit of the endpoint; never NaN. Of a censored one the limit: for ``censored`` 1 the true value lies
        below it, for -1 above it.
    endpoint : ndarray of int
        Position in ``Study.endpoints``.
    censored : ndarray of int8
        0 measured, 1 below ``value``, -1 above ``value``.
    limit : ndarray
        The other end of the interval: where ``censored`` is 1 the lower end, where it is -1 the upper end. NaN: none.
    occasion : ndarray of int
        OCC as the file numbers it; 0 without such a column.
    line : ndarray of int
        Line of the file.
    """

    course: Ints
    time: Floats
    value: Floats
    endpoint: Ints
    censored: NDArray[np.int8]
    limit: Floats
    occasion: Ints
    line: Ints

    def __len__(self) -> int:
        """How many."""
        return len(self.time)


@described
@dataclass(frozen=True)
class Doses:
    """The d dose rows of a study, sorted as the observations are; every array has shape (d,).

    Further doses of one row (ADDL) are not expanded: ``additional`` further ones, ``interval`` apart.

    Attributes
    ----------
    course : ndarray of int
        Position in ``Study.subject``.
    time, amount : ndarray
        The amount in the unit of the file; above 0, except for a constant infusion to steady state (amount 0).
    rate : ndarray
        0 all at once; above 0 amount per unit of time; ``MODELLED_RATE`` and ``MODELLED_DURATION`` (RATE -1 and -2):
        a parameter of the model says it, and a note of the study names it.
    duration : ndarray
        Of an infusion whose duration the file gives (``rate`` is then amount / duration); else NaN.
    target : ndarray of str
        Name of the dose where the columns give one, else the compartment (CMT, ADM) as text; "" where there is none.
    interval, additional : ndarray of float and int
        II and ADDL; 0 where there is none.
    steady : ndarray of int8
        SS: 0 no, 1 steady state that replaces what was there, 2 steady state added to it.
    line : ndarray of int
        Line of the file.
    """

    course: Ints
    time: Floats
    amount: Floats
    rate: Floats
    duration: Floats
    target: NDArray[np.str_]
    interval: Floats
    additional: Ints
    steady: NDArray[np.int8]
    line: Ints

    def __len__(self) -> int:
        """How many rows."""
        return len(self.time)

    @property
    def modelled(self) -> NDArray[np.bool_]:
        """Rows whose rate or duration is a parameter of the model."""
        return self.rate < 0


@described
@dataclass(frozen=True)
class Covariate:
    """What a column says of the subjects beside doses and observations.

    Attributes
    ----------
    name : str
        As the file spells it.
    constant : ndarray, shape (subjects,), or None
        One value of each subject, NaN where none is known; None where it changes within a subject.
    categories : tuple of str
        Of a column of words: values are positions here. (): numbers.
    in_time : tuple of (times, values), one of each course
        Where it changes within a subject: the value from that time on; before the first time the first one. () else.
    """

    name: str
    constant: Floats | None
    categories: tuple[str, ...] = ()
    in_time: tuple[tuple[Floats, Floats], ...] = ()


@described
@dataclass(frozen=True)
class Study:
    """What a population data set holds, each number with its meaning decided.

    Attributes
    ----------
    file, program : str
        ``program`` is ``NONMEM``, ``Monolix`` or ``nlmixr``: whose conventions the columns follow.
    subjects : tuple of str
        As the file names them, by first appearance.
    subject : ndarray of int, shape (courses,)
        Position in ``subjects`` of each course. EVID 3 and 4 begin a further course of the same subject.
    endpoints : tuple of Endpoint
    observations : Observations
    doses : Doses
    covariates : mapping of str to Covariate
    time_unit : str
        Such as ``d`` or ``h``; "" where neither the file nor the caller says it.
    findings : tuple of SetAside
        What is wrong, by line; nothing may be fitted to a study that has any.
    doubts : tuple of SetAside
        What may be right and is rarely so, by line: two values at one time, subjects without a dose. All of it is used.
    notes : tuple of str
        What was decided, in words.
    digest : str
        SHA-256 of the bytes of the file.
    """

    file: str
    program: str
    subjects: tuple[str, ...]
    subject: Ints
    endpoints: tuple[Endpoint, ...]
    observations: Observations
    doses: Doses
    covariates: Mapping[str, Covariate] = field(default_factory=dict[str, Covariate])
    time_unit: str = ""
    findings: tuple[SetAside, ...] = ()
    doubts: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = ()
    digest: str = ""

    @property
    def fit(self) -> bool:
        """Whether it can be used: nothing was found wrong."""
        return not self.findings

    def whole(self) -> Study:
        """The study itself.

        Raises
        ------
        InputError
            Something was found wrong: the first finding, and how many more there are.
        """
        if self.fit:
            return self
        first, more = self.findings[0], len(self.findings) - 1
        further = f" ({more} more: 'vein2vein check {self.file}' lists them)" if more else ""
        raise InputError(
            f"{first.told}; {first.remedy}{further}.", file=first.file, line=first.line, field=first.column or None
        )

    def chosen(self, *, endpoints: Collection[str] | None = None, subjects: Collection[str] | None = None) -> Study:
        """The study with some of its endpoints and subjects.

        Parameters
        ----------
        endpoints, subjects : collection of str, optional
            Names; by default all. They keep the order of the study.

        Raises
        ------
        InputError
            One is not of the study.
        """
        kept_endpoints = _positions("endpoint", endpoints, [one.name for one in self.endpoints])
        kept_subjects = _positions("subject", subjects, self.subjects)
        courses = np.flatnonzero(np.isin(self.subject, kept_subjects))
        seen = _rows(
            self.observations,
            np.isin(self.observations.course, courses) & np.isin(self.observations.endpoint, kept_endpoints),
        )
        given = _rows(self.doses, np.isin(self.doses.course, courses))
        return replace(
            self,
            subjects=tuple(self.subjects[int(i)] for i in kept_subjects),
            subject=np.searchsorted(kept_subjects, self.subject[courses]),
            endpoints=tuple(self.endpoints[int(i)] for i in kept_endpoints),
            observations=replace(
                seen,
                course=np.searchsorted(courses, seen.course),
                endpoint=np.searchsorted(kept_endpoints, seen.endpoint),
            ),
            doses=replace(given, course=np.searchsorted(courses, given.course)),
            covariates={
                name: replace(
                    one,
                    constant=None if one.constant is None else one.constant[kept_subjects],
                    in_time=tuple(one.in_time[int(i)] for i in courses) if one.in_time else (),
                )
                for name, one in self.covariates.items()
            },
        )

    def records(self) -> Iterator[dict[str, str | float | int]]:
        """One row of each observation, in words: for a CSV file or a table."""
        o = self.observations
        for i in range(len(o)):
            endpoint = self.endpoints[int(o.endpoint[i])]
            subject = int(self.subject[o.course[i]])
            row: dict[str, str | float | int] = {
                "subject": self.subjects[subject],
                "course": int(o.course[i]),
                "time": float(o.time[i]),
                "time_unit": self.time_unit,
                "endpoint": endpoint.name,
                "unit": endpoint.unit,
                "value": float(o.value[i]),
                "censored": int(o.censored[i]),
                "limit": float(o.limit[i]),
                "occasion": int(o.occasion[i]),
                "line": int(o.line[i]),
            }
            for name, covariate in self.covariates.items():
                if covariate.constant is not None:
                    row[name] = shown_value(covariate, float(covariate.constant[subject]))
            yield row


def described_counts(study: Study) -> str:
    """What a study holds, in words."""
    courses = f" in {counted(len(study.subject), 'course')}" if len(study.subject) != len(study.subjects) else ""
    marked = [
        f"{count} of them {word} the limit"
        for side, word in ((BELOW, "below"), (ABOVE, "above"))
        if (count := int(np.sum(study.observations.censored == side)))
    ]
    doses = int(len(study.doses) + study.doses.additional.sum())
    return ", ".join(
        [f"{counted(len(study.subjects), 'subject')}{courses}", counted(doses, "dose"),
         counted(len(study.observations), "sample"), *marked]
    )  # fmt: skip


def counted(count: int, what: str) -> str:
    """A number of things in words: 1 dose, 2 doses."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def shown_value(covariate: Covariate, value: float) -> float | str:
    """A value of a covariate as the file has it: the word where it holds words, "" where it is not known."""
    if value != value:
        return "" if covariate.categories else value
    return covariate.categories[int(value)] if covariate.categories else value


def _positions(what: str, wanted: Collection[str] | None, known: Sequence[str]) -> Ints:
    if wanted is None:
        return np.arange(len(known))
    if isinstance(wanted, str):
        raise arguments.refusal(f"{what}s", wanted, f"several names, such as ['{wanted}']")
    for name in wanted:
        if name not in known:
            raise InputError(unknown(what, str(name), known))
    return np.array([i for i, name in enumerate(known) if name in wanted], dtype=np.int64)


def _rows(table: Rows, kept: NDArray[np.bool_]) -> Rows:
    return replace(table, **{f.name: getattr(table, f.name)[kept] for f in fields(table)})
