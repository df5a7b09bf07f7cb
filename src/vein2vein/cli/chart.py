"""A journey as a patient's chart: what happened at each step, and the days around the infusion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vein2vein.cli.console import number

LAST_DAILY = 28  # shown day by day up to here, then the visits
GRADED = (("crs_astct", "CRS"), ("icans", "ICANS"))
LEVELS = (
    ("transgene", "CAR copies/ug", "max"),
    ("car_t_cells", "CAR-T /uL", "max"),
    ("circulating_blasts", "blasts 10^9/L", "last"),
    ("marrow_blasts", "marrow %", "last"),
    ("b_cells", "B cells /uL", "last"),
    ("il6", "IL-6 pg/mL", "max"),
    ("temperature", "temp degC", "max"),
)


def steps(journey: Any, patient: int) -> Iterator[tuple[str, str]]:
    """Yield what happened to one patient (by position) as (step, sentence)."""
    for name in ("eligibility", "apheresis", "cells", "lot", "waiting", "conditioning", "infusion"):
        record = getattr(journey, name, None)
        if record is not None:
            yield name, "; ".join(f"{k.replace('_', ' ')} {v}" for k, v in fields(record, patient))
    outcome = journey.outcome
    if not bool(journey.infused[patient]):
        yield "not infused", str(journey.not_infused_reason[patient])
    told = [f"best response {outcome.best_response[patient] or 'none'}"]
    for field, words in (
        ("response_day", "response on"),
        ("relapse_day", "relapse on"),
        ("progression_day", "progression on"),
        ("death_day", "death on"),
    ):
        day = float(getattr(outcome, field)[patient])
        if abs(day) != float("inf") and day == day:
            told.append(f"{words} day {day:g}")
    if outcome.relapse_antigen[patient]:
        told.append(f"relapse is antigen {outcome.relapse_antigen[patient]}")
    if outcome.death_cause[patient]:
        told.append(f"cause of death {outcome.death_cause[patient]}")
    yield "outcome", "; ".join([*told, f"followed to day {float(outcome.last_day[patient]):g}"])


def fields(record: Any, patient: int) -> Iterator[tuple[str, str]]:
    """Yield the fields of a step's record for one patient, as text; long and empty ones are left out."""
    import numpy as np

    for name, value in vars(record).items():
        if name.startswith("_") or value is None or isinstance(value, dict):
            continue
        one = value[patient] if isinstance(value, np.ndarray) and value.ndim == 1 and patient < len(value) else value
        if isinstance(one, np.bool_ | bool):
            if bool(one):
                yield name, "yes"
        elif isinstance(one, np.number | int | float):
            if not np.isnan(one):
                yield name, number(float(one))
        elif isinstance(one, str) and one:
            yield name, str(one)


def days(journey: Any, patient: int) -> tuple[list[str], list[list[str]], list[dict[str, Any]]]:
    """The days around the infusion for one patient (by position), then the visits.

    Returns
    -------
    headers : list of str
    rows : list of list of str
        For people. A row holds the highest CAR-T, IL-6, temperature and grades of a day, the last counts, and the
        treatments added up.
    records : list of dict
        The same for machines, by analyte.
    """
    import numpy as np

    from vein2vein.analytes import all_analytes

    course = journey.course
    end = min(float(journey.outcome.last_day[patient]), float(course.days[-1]))
    shown = [level for level in LEVELS if course.measured(level[0])]
    given = (
        [a.title for a in all_analytes().values()],
        [a.name for a in all_analytes().values() if a.kind == "treatment" and a.name in course],
    )
    units = {a.name: a.unit for a in all_analytes().values()}
    visits = sorted({float(d) for d in journey.plan.disease_visits if d > LAST_DAILY})
    starts = [float(d) for d in range(LAST_DAILY + 1)] + visits
    records, rows = [], []
    for first, next_one in zip(starts, [*starts[1:], float("inf")], strict=True):
        if first > end:
            break
        # after the daily part a row is the visit itself, not the months behind it
        until = first + 1 if first >= LAST_DAILY else next_one
        columns = np.flatnonzero((course.days >= first) & (course.days < until) & (course.days <= end))
        if not columns.size:
            continue
        record: dict[str, Any] = {"day": first}
        for name, _, how in shown:
            values = course.dense(name)[patient, columns]
            known = values[np.isfinite(values)]
            record[name] = None if not known.size else float(known.max() if how == "max" else known[-1])
        for key, _ in GRADED:
            if key in journey.findings:
                record[key] = int(journey.findings[key].grade[patient, columns].max())
        amounts = {name: float(np.nansum(course.dense(name)[patient, columns])) for name in given[1]}
        record["treatments"] = {name: amount for name, amount in amounts.items() if amount > 0}
        records.append(record)
        grades = ["–" if record[key] < 0 else str(record[key]) for key, _ in GRADED if key in record]
        drugs = ", ".join(
            f"{name.replace('_', ' ')} {number(amount)} {units[name]}" for name, amount in record["treatments"].items()
        )
        rows.append([f"{first:g}", *(number(record[name]) for name, _, _ in shown), *grades, drugs])
    headers = [
        "day",
        *(title for _, title, _ in shown),
        *(title for key, title in GRADED if key in journey.findings),
        "given",
    ]
    return headers, rows, records


def spread(journey: Any) -> list[tuple[str, str]]:
    """What the journeys of patients who share what is known came to: (quantity, share or median with 90 % interval)."""
    import numpy as np

    count = len(journey.infused)
    outcome = journey.outcome
    share = lambda flags: f"{int(np.sum(flags))} of {count}"  # noqa: E731
    rows = [
        ("infused", share(journey.infused)),
        ("complete remission (CR or CRi)", share(np.isin(outcome.best_response, ["CR", "CRi"]))),
        ("relapse", share(np.isfinite(outcome.relapse_day))),
        ("death", share(np.isfinite(outcome.death_day))),
    ]
    for key, title in GRADED:
        if key in journey.findings:
            worst = journey.findings[key].grade.max(axis=1)
            rows += [(f"{title} of any grade", share(worst >= 1)), (f"{title} of grade 3 or more", share(worst >= 3))]
    for name, title in (
        ("cmax", "peak of CAR-T in blood"),
        ("tmax", "day of the peak"),
        ("auc_0_28", "AUC, days 0 to 28"),
    ):
        values = np.asarray(getattr(journey.kinetics, name), dtype=float)
        values = values[np.isfinite(values)]
        if values.size:
            low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
            rows.append((title, f"{number(middle)} ({number(low)} to {number(high)})"))
    return rows
