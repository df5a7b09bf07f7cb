"""What was observed of real patients at their visits: the outcome, and times to an event among competing ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.criteria import edition, rows_of
from vein2vein.clinic.grades.b_cell_aplasia import DAYS_PER_MONTH, b_cell_aplasia, loss_day
from vein2vein.clinic.grades.grades import Flags, Floats
from vein2vein.clinic.response.outcome import Outcome, assess, time_to_event
from vein2vein.clinic.response.response import Response
from vein2vein.statistics.incidence import cumulative_incidence, incidence_interval_at
from vein2vein.statistics.survival import value_at
from vein2vein.therapy.course import Course

RELAPSE, B_CELLS = "relapse or progression, from response", "return of B cells, from infusion"
OTHER_THERAPY = "transplant or new therapy first"


@dataclass(frozen=True)
class Observed:
    """Outcome of n patients and what else ends the watch; days from the infusion, inf: did not happen.

    Attributes
    ----------
    outcome : Outcome
    new_therapy_day, hsct_day : ndarray, shape (n,)
    last_seen : ndarray, shape (n,)
        Last visit that was evaluable; NaN: none.
    """

    outcome: Outcome
    new_therapy_day: Floats
    hsct_day: Floats
    last_seen: Floats


@dataclass(frozen=True)
class RiskMonths:
    """The row of criteria/endpoints.toml with the months of a table at risk, and the confidence of its intervals."""

    months: tuple[float, ...]
    confidence: float
    mark: str
    why: str


@dataclass(frozen=True)
class Race:
    """Time to the first of several events.

    Attributes
    ----------
    title : str
        What is awaited, and from when.
    causes : tuple of str
        What each number of ``cause`` is, from 1 on; the first is what is awaited.
    time : ndarray, shape (m,)
        Days from the start to the first event, or to the end of observation.
    cause : ndarray of int, shape (m,)
        0: none yet.
    """

    title: str
    causes: tuple[str, ...]
    time: Floats
    cause: NDArray[np.int64]


@dataclass(frozen=True)
class RiskRow:
    """A line of the table at risk: month, numbers at risk, and for each cause (incidence, low, high) as shares."""

    month: float
    at_risk: int
    incidence: tuple[tuple[float, float, float], ...]


def observe(course: Course, found: Response) -> Observed:
    """Outcome as the visits and the record of the same course show it.

    The end of observation is death, else the last evaluable visit. A death whose cause is not charted counts as one
    from the disease.
    """
    n, k = found.status.shape
    alive, cause = course.dense("alive"), course.dense("death_cause")
    dead = (alive == 0) | np.isfinite(cause)
    other = (np.isfinite(cause) & (cause != edition("death").values["disease"])).any(axis=1)
    death = first_day(dead, found.days)
    seen = found.status >= 0
    known = np.array([found.days[row][-1] if row.any() else np.nan for row in seen]) if k else np.full(n, np.nan)
    after = (found.days > 0)[None, :]
    outcome = assess(
        found,
        infused=np.ones(n, dtype=bool),
        death_day=death,
        last_day=np.where(np.isfinite(death), death, np.nan_to_num(known)),
        enrolment_day=np.zeros(n),
        death_cause=np.where(other, "other", "disease"),
    )
    began = first_day((course.dense("new_therapy") >= 1) & after, found.days)
    return Observed(outcome, began, first_day((course.dense("hsct") >= 1) & after, found.days), known)


def first_day(holds: Flags, days: Floats) -> Floats:
    """First day on which something holds, shape (n,); inf: never."""
    if not holds.shape[1]:
        return np.full(len(holds), np.inf)
    return np.where(holds.any(axis=1), days[holds.argmax(axis=1)], np.inf)


def pfs_until_new_therapy(seen: Observed, found: Response) -> tuple[Floats, Flags]:
    """Progression-free survival with new therapy as the end of observation, shapes (n,): day and event.

    A patient who begins it before any event is censored at the last evaluable visit up to its day (day 0: none).
    """
    time, event, _ = time_to_event(seen.outcome, "PFS")
    event = event & (time <= seen.new_therapy_day)
    before = (found.status >= 0) & (found.days[None, :] <= seen.new_therapy_day[:, None]) & (found.days > 0)[None, :]
    last = np.where(before, found.days[None, :], 0.0).max(axis=1, initial=0.0)
    return np.where(event | np.isinf(seen.new_therapy_day), time, last), event


def to_relapse(seen: Observed) -> Race:
    """From the first response to relapse or progression; death and other therapy compete. Of responders only."""
    out = seen.outcome
    returned = np.minimum(out.relapse_day, out.progression_day)
    return _race(
        RELAPSE, ("relapse or progression", OTHER_THERAPY, "death first"),
        (returned, np.minimum(seen.new_therapy_day, seen.hsct_day), out.death_day), seen, out.response_day,
        np.isfinite(out.response_day),
    )  # fmt: skip


def to_b_cells(course: Course, seen: Observed) -> Race:
    """From the infusion to the return of B cells after their aplasia; relapse, other therapy and death compete.

    Of patients with aplasia after the infusion; who has none of these is watched up to the last sample of B cells.
    """
    states = b_cell_aplasia(course.between(0.0, np.inf))  # what an antibody did before the infusion is no aplasia of it
    aplastic = states.grade == 1
    last_sample = np.where(states.grade >= 0, states.days[None, :], -np.inf).max(axis=1, initial=-np.inf)
    out = seen.outcome
    returned = np.minimum(out.relapse_day, out.progression_day)
    ends = (loss_day(states), returned, np.minimum(seen.new_therapy_day, seen.hsct_day), out.death_day)
    causes = ("return of B cells", "relapse or progression first", OTHER_THERAPY, "death first")
    start = np.zeros(len(last_sample))
    return _race(B_CELLS, causes, ends, seen, start, aplastic.any(axis=1), np.maximum(last_sample, 0.0))


def _race(
    title: str, causes: tuple[str, ...], days: Sequence[Floats], seen: Observed, start: Floats, among: Flags,
    last: Floats | None = None,
) -> Race:  # fmt: skip
    """The first of several days after a start, else the end of observation; of one day the cause named first wins."""
    out, start = seen.outcome, np.where(among, start, 0.0)
    end = np.minimum(out.last_day, out.death_day) if last is None else last
    table = np.stack([np.where(day >= start, day, np.inf) for day in days])
    which, first = table.argmin(axis=0), table.min(axis=0)
    happened = np.isfinite(first)
    time = np.where(happened, first, np.maximum(end, start)) - start
    cause = np.where(happened, which + 1, 0)
    return Race(title, causes, time[among], cause[among].astype(np.int64))


def pooled(races: Iterable[Race]) -> Race:
    """One race of the patients of several."""
    held = list(races)
    return Race(
        held[0].title, held[0].causes, np.concatenate([one.time for one in held]),
        np.concatenate([one.cause for one in held]),
    )  # fmt: skip


def risk_table(race: Race) -> tuple[RiskRow, ...]:
    """Numbers at risk and cumulative incidences with their intervals by month, as far as anyone is at risk.

    The incidence is that of Aalen and Johansen: what competes is neither an event nor a censoring.
    """
    if not race.time.size:
        return ()
    (grid,) = rows_of("endpoints", RiskMonths)
    curves = [cumulative_incidence(race.time, race.cause, of=at + 1) for at in range(len(race.causes))]
    rows: list[RiskRow] = []
    for month in grid.months:
        day = month * DAYS_PER_MONTH
        at_risk = int((race.time >= day).sum())
        if not at_risk:
            break
        cells: list[tuple[float, float, float]] = []
        for curve in curves:
            low, high = incidence_interval_at(curve, day, grid.confidence)
            cells.append((float(value_at(curve, day)), float(low), float(high)))
        rows.append(RiskRow(month, at_risk, tuple(cells)))
    return tuple(rows)
