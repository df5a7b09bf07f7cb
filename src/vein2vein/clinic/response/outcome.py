"""Outcome: response, relapse, death and transplantation of each patient, and the endpoints read from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein import arguments
from vein2vein.clinic import words
from vein2vein.clinic.criteria import edition
from vein2vein.clinic.grades.grades import Flags, Floats
from vein2vein.clinic.response.response import Response
from vein2vein.errors import InputError, unknown
from vein2vein.records import by_patient

ENDPOINTS = ("OS", "EFS", "PFS", "RFS", "DOR")
CLOCKS = ("infusion", "enrolment")
NEVER_INFUSED = ("event", "censored")  # what it means for event-free survival that there was no infusion
OF_DISEASE = ("disease", "progression")
KNOWN = ("last_day", "enrolment_day")  # days that everyone has
DAYS = ("response_day", "relapse_day", "progression_day", "death_day", "hsct_day", *KNOWN)


@by_patient()
@dataclass(frozen=True)
class Outcome:
    """What became of each patient. Arrays of shape (n,); days from the infusion (planned, where none was given).

    Attributes
    ----------
    best_response : ndarray of str
        A word of ``clinic.words.responses``; "" for those never infused.
    response_day : ndarray
        First day of response (inf: none).
    mrd_negative : ndarray of bool
    relapse_day, progression_day, death_day, hsct_day : ndarray
        inf: none. A progression may come before the infusion planned: the patient was then never infused.
    relapse_antigen : ndarray of str
        "positive", "negative" or "".
    death_cause : ndarray of str
        "disease", "progression", or any other word; "" alive.
    last_day : ndarray
        End of observation.
    enrolment_day : ndarray
        Negative.
    """

    best_response: NDArray[np.str_]
    response_day: Floats
    mrd_negative: Flags
    relapse_day: Floats
    relapse_antigen: NDArray[np.str_]
    progression_day: Floats
    death_day: Floats
    death_cause: NDArray[np.str_]
    hsct_day: Floats
    last_day: Floats
    enrolment_day: Floats


def assess(
    response: Response,
    *,
    infused: ArrayLike,
    death_day: ArrayLike,
    last_day: ArrayLike,
    enrolment_day: ArrayLike,
    death_cause: ArrayLike = "",
    hsct_day: ArrayLike = np.inf,
    lost_day: ArrayLike = np.inf,
) -> Outcome:
    """Gather the outcome: what was seen of the disease while the patient was alive and observed.

    Parameters
    ----------
    response : Response
    infused : array_like of bool, shape (n,)
    death_day, last_day, enrolment_day, hsct_day : array_like, shape (n,)
        Days from infusion; inf: did not happen.
    death_cause : array_like of str, shape (n,)
    lost_day : array_like, shape (n,)
        Day on which the disease of one who was never infused progressed; looked at in these alone.
    """
    given = np.asarray(infused, dtype=bool)
    n = len(given)

    def spread(value: ArrayLike) -> Floats:
        return np.broadcast_to(np.asarray(value, dtype=float), (n,)).copy()

    death, last = spread(death_day), spread(last_day)
    death = np.where(death <= last, death, np.inf)
    end = np.minimum(death, last)

    def seen(day: Floats) -> Floats:
        return np.where(given & (day <= end), day, np.inf)

    relapse, lost = seen(response.relapse_day), spread(lost_day)
    progression = np.where(given, seen(response.progression_day), np.where(lost <= end, lost, np.inf))
    cause = np.broadcast_to(np.asarray(death_cause, dtype=str), (n,))
    return Outcome(
        np.where(given, response.best, ""), seen(response.response_day), given & response.mrd_negative, relapse,
        np.where(np.isfinite(relapse), response.relapse_antigen, ""), progression, death,
        np.where(np.isfinite(death), cause, ""), seen(spread(hsct_day)), last, spread(enrolment_day),
    )  # fmt: skip


def time_to_event(
    outcome: Outcome, endpoint: str, clock: str = "infusion", censor_hsct: bool = False, criteria: str = "endpoints",
    never_infused: str = "event",
) -> tuple[Floats, Flags, Flags]:  # fmt: skip
    """Time and event of an endpoint.

    Parameters
    ----------
    outcome : Outcome
    endpoint : str
        ``OS`` death; ``EFS`` no response, relapse, progression or death; ``PFS`` progression, relapse or death;
        ``RFS`` relapse or death, from response; ``DOR`` relapse or death from the disease, from response.
    clock : str
        ``infusion``: the infused; ``enrolment``: all who were enrolled (intention to treat), the never infused too.
        RFS and DOR start at the response by either clock. A progression or death before the infusion is an event of
        PFS and EFS; who is not infused for another reason is censored in PFS on the day planned for it, when other
        therapy begins.
    censor_hsct : bool
        Censor at stem-cell transplantation.
    criteria : str
        Edition that holds the day of non-response and when it counts.
    never_infused : str
        By the clock of enrolment: ``event``, an event of EFS; ``censored``, as in PFS.

    Returns
    -------
    time : ndarray, shape (n,)
        Days from the clock's start; NaN outside the set.
    event : ndarray of bool, shape (n,)
    in_set : ndarray of bool, shape (n,)

    Raises
    ------
    InputError
        An unknown endpoint or clock, or a day of the outcome that makes no sense: which patient's, what was found.
    """
    arguments.of_kind("outcome", outcome, Outcome, "an Outcome, as simulate(...).outcome gives it")
    arguments.text("endpoint", endpoint)
    arguments.text("clock", clock)
    arguments.flag("censor_hsct", censor_hsct)
    arguments.text("criteria", criteria)
    if endpoint not in ENDPOINTS:
        raise InputError(unknown("endpoint", endpoint, ENDPOINTS), field="endpoint")
    if clock not in CLOCKS:
        raise InputError(unknown("clock", clock, CLOCKS), field="clock")
    arguments.text("never_infused", never_infused)
    if never_infused not in NEVER_INFUSED:
        raise InputError(unknown("word for never_infused", never_infused, NEVER_INFUSED), field="never_infused")
    _refuse_days(outcome, clock)
    given = outcome.best_response != ""
    in_set = given if clock == "infusion" else np.ones(len(given), dtype=bool)
    start = np.zeros(len(given)) if clock == "infusion" else np.asarray(outcome.enrolment_day, dtype=float)
    returned = np.minimum(outcome.relapse_day, outcome.progression_day)
    death, last = outcome.death_day, outcome.last_day
    end = np.minimum(last, death)
    if endpoint == "PFS" or (endpoint == "EFS" and never_infused == "censored"):
        end = np.where(given, end, np.minimum(end, 0.0))
    match endpoint:
        case "OS":
            day = death
        case "PFS":
            day = np.minimum(returned, death)
        case "EFS":
            day = np.minimum(np.minimum(returned, death), _failure_day(outcome, given, edition(criteria).values))
            if never_infused == "censored":
                day = np.where(given, day, np.minimum(returned, death))
        case _:
            responded = np.isin(outcome.best_response, words.counted_responses())
            in_set = in_set & responded & np.isfinite(outcome.response_day)
            start = np.where(in_set, outcome.response_day, 0.0)
            own = np.isin(outcome.death_cause, OF_DISEASE)
            day = np.minimum(returned, death if endpoint == "RFS" else np.where(own, death, np.inf))
    if censor_hsct:
        end = np.minimum(end, outcome.hsct_day)
    event = np.isfinite(day) & (day <= end) & in_set
    time = np.where(event, day, end) - start
    return np.where(in_set, np.maximum(time, 0.0), np.nan), event, in_set


def _refuse_days(outcome: Outcome, clock: str) -> None:
    """Refuse an outcome whose fields differ in length, or with days that cannot be."""
    shape = np.shape(outcome.best_response)
    for name in DAYS:
        day = np.asarray(getattr(outcome, name), dtype=float)
        if day.shape != shape:
            text = f"found the shape {day.shape}, expected {shape}: one day for each patient."
            raise InputError(text, field=f"outcome.{name}")
        if name == "enrolment_day" and clock != "enrolment":
            continue
        known = name in KNOWN
        wrong = np.isnan(day) | np.isneginf(day) | (known & np.isposinf(day))
        if wrong.any():
            at = int(np.argmax(wrong))
            expected = "a finite day" if known else "a day, or inf where it did not happen"
            raise InputError(f"found {day[at]:g}, expected {expected}.", field=f"outcome.{name}[{at}]")


def efs_second_line(
    response: Response,
    *,
    death_day: ArrayLike,
    last_day: ArrayLike,
    new_therapy_day: ArrayLike = np.inf,
    start_day: ArrayLike = 0.0,
    progression_day: ArrayLike | None = None,
    infused: ArrayLike = True,
    criteria: str = "endpoints",
) -> tuple[Floats, Flags]:
    """Event-free survival as trials of second-line lymphoma define it.

    An event is progression, death, a new therapy, or no response up to the visit of day 150.

    Parameters
    ----------
    response : Response
        By Lugano or another edition with a category SD.
    death_day, last_day, new_therapy_day : array_like, shape (n,)
        Days from the infusion; inf: did not happen.
    start_day : array_like, shape (n,)
        Day of the infusion from which the trial counts to the visit of day 150: trials count from randomization.
    progression_day : array_like, shape (n,), optional
        In place of the one in the response: as known at a data cut-off, or before an infusion that was never given.
    infused : array_like of bool, shape (n,)
        Who is not, has no visit: lack of response is found on day 150.
    criteria : str
        Edition that holds the day of the visit.

    Returns
    -------
    time : ndarray, shape (n,)
        Day of the event, or of the end of observation, from the infusion.
    event : ndarray of bool, shape (n,)
    """
    v = edition(criteria).values
    start = np.broadcast_to(np.asarray(start_day, dtype=float), len(response.best))
    since = response.days[None, :] - start[:, None]
    visit = (response.days > 0)[None, :] & (since <= v["stable_day"] + v["stable_slack"])
    due = visit & (since >= v["stable_day"] - v["stable_slack"])
    seen = np.where((response.status >= 0) & due, response.days[None, :], np.inf)
    judged = np.where(infused, seen.min(axis=1, initial=np.inf), start + v["stable_day"])
    responded = (visit & (response.status > response.categories.index("SD"))).any(axis=1)
    failed = np.where(responded, np.inf, judged)
    progressed = response.progression_day if progression_day is None else progression_day
    death, other = np.asarray(death_day, dtype=float), np.asarray(new_therapy_day, dtype=float)
    day = np.minimum.reduce([*np.broadcast_arrays(progressed, death, other, failed)])
    end = np.minimum(death, np.asarray(last_day, dtype=float))
    event = np.isfinite(day) & ((day <= end) | (day == other))
    return np.where(event, day, end), event


def _failure_day(outcome: Outcome, given: Flags, values: Mapping[str, float]) -> Floats:
    """Day on which lack of response counts as an event, shape (n,); inf: it does not, or not yet."""
    end = np.minimum(outcome.death_day, outcome.last_day)
    judged = np.where(np.isfinite(outcome.death_day), end >= values["first_assessment"], end >= values["response_due"])
    failed = np.isin(outcome.best_response, words.failures()) & judged
    never = np.minimum(values["failure_day"], end)
    return np.where(given, np.where(failed, values["failure_day"], np.inf), never)
