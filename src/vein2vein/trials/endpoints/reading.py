"""What endpoints share: how they are entered by name, and how they read days, doses and grades off a journey."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.words import counted_responses
from vein2vein.journey.journey import Journey, per_patient

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Cells = NDArray[np.generic]
Read = Cells | tuple[Cells, ...]
Reader = TypeVar("Reader", bound=Callable[..., Read])


class NotProduced(Exception):
    """The journey does not hold what an endpoint needs; the text says what."""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as trial files name it.

    Attributes
    ----------
    name : str
    read : callable
        ``read(journey, **arguments)``; see ``kind``.
    kind : str
        ``share``: flags (n,); ``number``: values (n,); ``time``: (time, event, in set), each (n,);
        ``hazard``: (time, event, exposed from, in set), each (n,);
        ``incidence``: (time, cause, in set), each (n,), with the cause 0 censored, 1 asked for, 2 competing.
    unit : str
        Unit of a number or time, "1" for a share or hazard ratio.
    """

    name: str
    read: Callable[..., Read]
    kind: str
    unit: str


ENDPOINTS: dict[str, Endpoint] = {}
PERCENT = 100.0  # unit factor


def endpoint(kind: str, unit: str = "1") -> Callable[[Reader], Reader]:
    """Enter a function as an endpoint under its own name."""

    def enter(read: Reader) -> Reader:
        ENDPOINTS[read.__name__] = Endpoint(read.__name__, read, kind, unit)
        return read

    return enter


# Who was treated, who responded


@endpoint("share")
def infused(journey: Journey) -> Flags:
    """Received the product."""
    return np.asarray(journey.infused, bool)


def responders(journey: Journey) -> Flags:
    """Infused, with a best response that counts as one, shape (n,)."""
    return infused(journey) & np.isin(np.asarray(journey.outcome.best_response).astype(str), counted_responses())


def to_relapse(journey: Journey) -> tuple[Floats, Flags, Flags]:
    """Days from infusion to relapse, censored at death, transplantation and the end of follow-up; of responders."""
    outcome = journey.outcome
    relapse = np.asarray(outcome.relapse_day, float)
    other = (outcome.hsct_day, outcome.death_day, outcome.last_day)
    end = np.minimum.reduce([np.asarray(d, float) for d in other])
    return np.minimum(relapse, end), relapse <= end, responders(journey)


def blasts_before(journey: Journey) -> Floats:
    """Blasts in marrow (%) on the day before lymphodepletion, shape (n,); NaN where the disease has no capacity."""
    return PERCENT * journey.waiting.burden / per_patient(journey, lambda facts: facts.disease.marrow_full)


# Reading a course


def columns(journey: Journey, until: float) -> NDArray[np.intp]:
    """Columns of the course from infusion to a day."""
    days = np.asarray(journey.course.days)
    return np.flatnonzero((days >= 0) & (days <= until))


def readings(journey: Journey, analyte: str, until: float) -> Floats:
    """Values (n, k) of an analyte from infusion to a day."""
    if not journey.course.measured(analyte):
        raise NotProduced(f"the journey does not measure {analyte}")
    return np.asarray(journey.course.dense(analyte))[:, columns(journey, until)]


def doses_given(journey: Journey, treatment: str, until: float) -> Flags:
    """Whether something was given or running, (n, k), from infusion to a day."""
    with np.errstate(invalid="ignore"):
        return np.asarray(journey.course.dense(treatment))[:, columns(journey, until)] > 0


def grades(journey: Journey, key: str, until: float) -> NDArray[np.int64]:
    """Grades (n, k) from infusion to a day; -1 where not gradable."""
    if key not in journey.findings:
        raise NotProduced(f"the journey does not grade {key}")
    return np.asarray(journey.findings[key].grade, dtype=np.int64)[:, columns(journey, until)]


def ever(flags: Flags) -> Flags:
    """Whether any day of a patient is flagged, shape (n,)."""
    return np.asarray(np.any(flags, axis=1), dtype=bool)


def first_day(journey: Journey, flags: Flags, until: float) -> Floats:
    """First flagged day; NaN where there is none."""
    days = np.asarray(journey.course.days)[columns(journey, until)]
    return np.where(ever(flags), days[flags.argmax(axis=1)], np.nan)


def end_day(journey: Journey, flags: Flags, until: float) -> Floats:
    """First grading day after the last flagged one (that day itself where nothing follows it); NaN without any."""
    days = np.asarray(journey.course.days)[columns(journey, until)]
    last = flags.shape[1] - 1 - flags[:, ::-1].argmax(axis=1)
    return np.where(ever(flags), days[np.minimum(last + 1, len(days) - 1)], np.nan)


def duration(journey: Journey, flags: Flags, until: float) -> Floats:
    """Days from the first flagged one to the end."""
    return end_day(journey, flags, until) - first_day(journey, flags, until)


def first_episode(journey: Journey, flags: Flags, until: float, gap: float) -> Floats:
    """Days from the first flagged one to the end of its episode; what returns ``gap`` days after it is another."""
    days = journey.course.days[columns(journey, until)]
    place: NDArray[np.intp] = np.arange(flags.shape[1], dtype=np.intp)
    last = np.maximum.accumulate(np.where(flags, place, -1), axis=1)
    ended = np.pad(last, ((0, 0), (1, 0)), constant_values=-1)[:, :-1] + 1  # first day without a flag; 0: none before
    anew = flags & (ended > 0) & (ended < place) & (days - days[ended] >= gap)
    return duration(journey, flags & (np.cumsum(anew, axis=1) == 0), until)
