"""The report of one patient's journey: one self-contained HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vein2vein.analytes import analyte
from vein2vein.errors import InputError
from vein2vein.files import check_target, write_text
from vein2vein.report import facts, page
from vein2vein.report.figures import look, style, unit_name
from vein2vein.report.figures_patient import One, daily_grades, follow_up_figure, journey_figure
from vein2vein.report.page import MISSING, number, percent, span

STEPS = {
    "eligibility": "Eligibility",
    "apheresis": "Leukapheresis",
    "cells": "Engineering",
    "lot": "Expansion and release",
    "waiting": "Waiting and bridging",
    "conditioning": "Lymphodepletion",
    "infusion": "Infusion",
}
COLUMNS = (
    ("transgene", "last"),
    ("car_t_cells", "last"),
    ("marrow_blasts", "last"),
    ("circulating_blasts", "last"),
    ("b_cells", "last"),
    ("il6", "max"),
    ("temperature", "max"),
)


def write_patient_report(
    journey: Any, path: str | Path, index: int = 0, *, spread: Any = None, name: str = "", force: bool = False
) -> Path:
    """Write the report of one patient.

    Parameters
    ----------
    journey : Journey
    path : str or Path
        An HTML file; written whole or not at all.
    index : int
        Position of the patient in the journey.
    spread : Journey, optional
        Companions who share what is known of this patient: probabilities and bands come from them.
    name : str
        What the patient is called in the report; by default the number.
    force : bool
        Overwrite an existing file.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The file exists and ``force`` is False, its folder does not exist, or there is no such patient.
    """
    target = check_target(path, force=force)
    return write_text(target, patient_page(journey, index, spread, name), force=force)


def patient_page(journey: Any, index: int = 0, spread: Any = None, name: str = "") -> str:
    """Return the report of one patient as HTML text."""
    count = len(journey.patient.number)
    if not 0 <= index < count:
        raise InputError(f"there is no patient at position {index}; the journey holds {count}, from 0 to {count - 1}.")
    one = One(journey, index, spread)
    infused = bool(np.asarray(journey.infused)[index])
    pictures = [p for p in (journey_figure(one), follow_up_figure(one)) if p is not None] if infused else []
    headers, rows = day_table(one) if infused else ([], [])
    assumed, known = facts.assumptions(journey)
    product = facts.first_of(journey.product, "title", "name", default=journey.product)
    mine = int(journey.patient.number[index])
    return page.fill(
        "patient.html.j2",
        title=f"Patient {name or mine}: the journey with {product}",
        pictures=pictures,
        summary=story(one),
        facts=known_facts(one),
        steps=steps(one),
        headers=headers,
        rows=rows,
        chances=chances(spread) if spread is not None else [],
        companions=0 if spread is None else len(spread.patient.number),
        assumed=assumed,
        known=known,
        how=facts.how_counts(journey),
        notes=list(dict.fromkeys(str(n) for n in journey.notes)),
        failures=[f for f in facts.failures(journey) if f[0] == mine],
        count=1,
        provenance=facts.flat(journey.provenance),
        follow=int(look("windows", "acute")),
    )


def story(one: One) -> list[str]:
    """The journey in a few sentences."""
    journey, i = one.journey, one.index
    outcome = journey.outcome
    if not bool(np.asarray(journey.infused)[i]):
        reason = str(np.asarray(journey.not_infused_reason)[i]) or "not recorded"
        return [f"The patient was not infused: {reason}{_left(one)}."]
    last = int(look("windows", "early"))
    told = []
    cmax, tmax = (facts.per_patient(journey.kinetics, len(journey.patient.number), n) for n in ("cmax", "tmax"))
    if cmax is not None and tmax is not None and np.isfinite(cmax[i]):
        told.append(
            f"Of the samples that a trial takes, that of day {number(tmax[i])} held the most CAR T cells: "
            f"{number(cmax[i])} {unit_name(analyte(facts.readout(journey)).unit)}."
        )
    worst = [int(max(daily_grades(one, key, last).max(), facts.NOT_GRADABLE)) for key in ("crs_astct", "icans")]
    named = [
        f"{title} {'was not gradable' if g < 0 else 'did not occur' if g == 0 else f'reached grade {g}'}"
        for title, g in zip(("CRS", "ICANS"), worst)
    ]
    told.append(f"{' and '.join(named)}.")
    words = {
        "CR": "complete remission",
        "CRi": "complete remission with incomplete recovery of the counts",
        "NR": "no response",
    }
    best = str(np.asarray(outcome.best_response)[i])
    told.append(f"Best response: {words.get(best, best or 'not assessed')}{_on(outcome.response_day, i)}.")
    told += [sentence for sentence in _events(outcome, i) if sentence]
    told.append(f"Observed to day {number(one.end(), 4)} ({number(one.end() / look('windows', 'month'))} months).")
    return told


def _on(days: Any, i: int) -> str:
    day = float(np.asarray(days)[i])
    return f" on day {number(day, 4)}" if np.isfinite(day) else ""


def _events(outcome: Any, i: int) -> list[str]:
    relapse, death = _on(outcome.relapse_day, i), _on(outcome.death_day, i)
    antigen = str(np.asarray(outcome.relapse_antigen)[i])
    cause = str(np.asarray(outcome.death_cause)[i])
    return [
        f"Relapse{relapse}{f', antigen-{antigen}' if antigen else ''}." if relapse else "",
        f"Transplantation{_on(outcome.hsct_day, i)}." if _on(outcome.hsct_day, i) else "",
        f"Death{death}{f' ({cause})' if cause else ''}." if death else "",
    ]


def _left(one: One) -> str:
    """When a patient left before the infusion, in words; "" where unknown."""
    days = facts.per_patient(getattr(one.journey, "waiting", None), len(one.journey.infused), "drop_day")
    if days is None or not np.isfinite(days[one.index]):
        return ""
    return f" {number(-days[one.index])} days before the planned infusion"


def known_facts(one: One) -> list[tuple[str, str]]:
    """What was known of the patient before treatment."""
    patient, i = one.journey.patient, one.index
    rows = [
        ("Disease", str(facts.first_of(one.journey.disease, "title", "name", default=one.journey.disease))),
        ("Product", str(facts.first_of(one.journey.product, "title", "name", default=one.journey.product))),
    ]
    for field, entry in look("patient").items():
        values = getattr(patient, field, None)
        if values is None:
            continue
        value = np.broadcast_to(np.asarray(values), (len(patient.number),))[i]
        if value.dtype.kind == "b":
            text = entry["yes"] if value else entry["no"]
        elif np.isnan(float(value)):
            continue
        else:
            text = f"{number(value)} {unit_name(entry['unit'])}".strip()
        rows.append((entry["title"], text))
    return rows


def steps(one: One) -> list[tuple[str, str]]:
    """What happened at each step: (step, sentence)."""
    rows = []
    infused = bool(np.asarray(one.journey.infused)[one.index])
    for field, title in STEPS.items():
        record = getattr(one.journey, field, None)
        if not infused and (field == "infusion" or (field == "conditioning" and not _conditioned(one))):
            continue
        if field == "eligibility" and record is not None and hasattr(record, "met"):
            rows.append((title, eligibility(record, one.index)))
        elif record is not None:
            rows.append((title, "; ".join(record_facts(record, one.index, field)) or "nothing to report"))
    reason = str(np.asarray(one.journey.not_infused_reason)[one.index])
    if reason:
        rows.append(("Not infused", f"{reason}{_left(one)}"))
    rows.append(("Outcome", " ".join(story(one))))
    return rows


def _conditioned(one: One) -> bool:
    """Whether lymphodepletion began for a patient who was not infused."""
    count = len(one.journey.infused)
    begun = facts.per_patient(getattr(one.journey, "conditioning", None), count, "start")
    left = facts.per_patient(getattr(one.journey, "waiting", None), count, "drop_day")
    return begun is not None and left is not None and bool(left[one.index] > begun[one.index])


def eligibility(record: Any, index: int) -> str:
    """Which criteria one patient meets, in words."""
    met = np.asarray(record.met)[index]
    unmet, unknown = ([str(c) for c, m in zip(record.criteria, met) if m == value] for value in (0, -1))
    told = [f"{int((met == 1).sum())} of {met.size} criteria met"]
    told += [f"not met: {'; '.join(unmet)}"] if unmet else []
    return ". ".join([*told, f"Unknown: {'; '.join(unknown)}"] if unknown else told)


def record_facts(record: Any, index: int, step: str = "") -> list[str]:
    """One patient's fields of a step's record in words; empty and long ones are left out."""
    words = style().get("steps", step, default={})
    found = []
    for name, value in vars(record).items():
        if name.startswith("_") or value is None or words.get(name, {}).get("hide"):
            continue
        if isinstance(value, np.ndarray):
            if value.ndim != 1 or index >= value.size:
                continue
            value = value[index]
        title = words.get(name, {}).get("title", name.replace("_", " "))
        if isinstance(value, bool | np.bool_):
            found += [title] if value else []
        elif isinstance(value, int | float | np.number):
            factor, unit = words.get(name, {}).get("factor", 1), words.get(name, {}).get("unit", "")
            found += [f"{title} {number(float(value) * factor)} {unit}".strip()] if np.isfinite(float(value)) else []
        elif isinstance(value, str) and value:
            found.append(f"{title}: {value}")
        elif isinstance(getattr(value, "title", None), str):
            found.append(f"{title}: {value.title}")
    return found


def day_table(one: One) -> tuple[list[tuple[str, str]], list[list[Any]]]:
    """Day by day to day 28, then the visits.

    Returns
    -------
    headers : list of (title, unit)
    rows : list of list
        Day, values as text, grades as int (-1: not gradable), treatments as text.
    """
    course = one.journey.course
    days, end = one.days, one.end()
    cells_by = facts.readout(one.journey)
    columns = [
        (n, how)
        for n, how in COLUMNS
        if np.isfinite(one.values(n)).any() and (n == cells_by or n not in ("transgene", "car_t_cells"))
    ]
    daily = list(range(int(look("windows", "acute")) + 1))
    visits = getattr(getattr(one.journey, "plan", None), "disease_visits", days)
    later = [float(d) for d in days[(days >= daily[-1] + 1) & (days <= end)]]
    given = [n for n in facts.given_names(one.journey)]
    disease = [n for n, _ in columns if analyte(n).kind == "disease"]
    before = sorted(
        {float(np.floor(d)) for n in given for d in days[(days < 0) & (np.nan_to_num(course.dense(n)[one.index]) > 0)]}
    )
    rows = []
    for day in [*before, *map(float, daily), *later]:
        if day > end:
            break
        near = (np.floor(days) == day) if day <= daily[-1] else (days == day)
        treatments = _treatments(one, given, near)
        telling = disease if day <= look("windows", "early") else (*disease, cells_by)
        seen = day in visits and any(np.isfinite(one.values(n)[near]).any() for n in telling)
        if day > daily[-1] and not treatments and not seen:
            continue
        cells: list[Any] = [number(day, 4)]
        for name, how in columns:
            known, below = one.values(name)[near], one.below(name)[near]
            known, below = known[np.isfinite(known)], below[np.isfinite(known)]
            which = int(known.argmax()) if how == "max" and known.size else -1
            limit = "<" if known.size and below[which] else ""
            cells.append(f"{limit}{number(known[which])}" if known.size else MISSING)
        for key in ("crs_astct", "icans"):
            found = one.grade(key)[near]
            cells.append(int(found.max()) if found.size and day >= 0 else facts.NOT_OBSERVED)
        rows.append([*cells, treatments])
    headers = [
        ("Day", ""),
        *((analyte(n).title, unit_name(analyte(n).unit)) for n, _ in columns),
        ("CRS", ""),
        ("ICANS", ""),
        ("Treatments", ""),
    ]
    return headers, rows


def _treatments(one: One, given: list[str], near: Any) -> str:
    amounts = {n: float(np.nansum(one.values(n)[near])) for n in given}
    return ", ".join(
        f"{analyte(n).title.split(' (')[0]} {number(a)} {unit_name(analyte(n).unit)}".strip()
        for n, a in amounts.items()
        if a > 0
    )


def chances(spread: Any) -> list[tuple[str, str, str]]:
    """What became of the companions: (what, share or median, how it was counted)."""
    from vein2vein.report.figures_survival import on_day, survival

    count = len(spread.patient.number)
    chosen = facts.infused(spread)
    there = int(chosen.sum())
    best = np.asarray(spread.outcome.best_response)[chosen]
    last = int(look("windows", "early"))
    rows = [("Infused", percent(there, count), f"{there} of {count} companions")]
    remission = int(np.isin(best, ["CR", "CRi"]).sum())
    rows.append(("Remission (CR or CRi)", percent(remission, there), f"{remission} of {there} infused"))
    for key, title in (("crs_astct", "CRS"), ("icans", "ICANS")):
        worst = facts.daily_worst(spread, key, last).max(axis=1, initial=facts.NOT_GRADABLE)
        for least, words in ((1, "any grade"), (3, "grade 3 or higher")):
            hit = int((worst >= least).sum())
            rows.append((f"{title}, {words}", percent(hit, there), f"{hit} of {there} infused, to day {last}"))
    relapsed = np.isfinite(np.asarray(spread.outcome.relapse_day)[chosen])
    rows.append(
        ("Relapse in follow-up", percent(int(relapsed.sum()), there), f"{int(relapsed.sum())} of {there} infused")
    )
    for endpoint, title in (("EFS", "Event-free survival"), ("OS", "Overall survival")):
        curve = survival(spread, endpoint, "infusion")
        if curve is not None:
            value, low, high = on_day(curve, look("windows", "year"))
            said = f"Kaplan-Meier, 95 % interval {span(100 * low, 100 * high, 2) or MISSING} %"
            rows.append((f"{title} at 12 months", f"{number(100 * value, 2)} %", said))
    for field, title in (("cmax", "Cmax"), ("tmax", "Tmax (days)")):
        values = facts.per_patient(spread.kinetics, count, field)
        if values is not None:
            middle, low, high, n = facts.summary(values[chosen])
            rows.append((f"{title}, median", number(middle), f"5–95 %: {span(low, high)}, {n} companions"))
    return rows
