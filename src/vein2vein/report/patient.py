"""The report of one patient's journey: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from vein2vein import arguments
from vein2vein.analytes import analyte
from vein2vein.clinic.care.eligibility import NOT_ASKED, Eligibility
from vein2vein.clinic.response.outcome import Outcome
from vein2vein.clinic.words import Lineage, endpoint_titles, finding_words, lineage_words, usual_crs, usual_neurologic
from vein2vein.errors import InputError
from vein2vein.files import check_target, write_text
from vein2vein.journey.journey import Journey
from vein2vein.report import facts, page
from vein2vein.report.facts import Mask
from vein2vein.report.figures import Floats, Picture
from vein2vein.report.figures_patient import One, daily_grades, follow_up_figure, journey_figure
from vein2vein.report.figures_survival import landmark, survival
from vein2vein.report.flow import ANTIGEN, counts, success
from vein2vein.report.groups import words_of
from vein2vein.report.look import entries, look, unit_name
from vein2vein.report.text import MISSING, number, percent, span

DEATH = "OS"
SEVERE = 3  # grade from which a toxicity is severe
INFECTIONS = ((), ("infection",), ("severe infection",))  # by the worst that begins on a day
STEPS = {
    "eligibility": "Eligibility",
    "apheresis": "Leukapheresis",
    "cells": "Engineering",
    "lot": "Expansion and release",
    "waiting": "Waiting and bridging",
    "conditioning": "Lymphodepletion",
    "infusion": "Infusion",
}


def write_patient_report(
    journey: Journey,
    path: str | Path,
    index: int = 0,
    *,
    spread: Journey | None = None,
    name: str = "",
    force: bool = False,
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
    arguments.of_kind("journey", journey, Journey, "a Journey, as simulate gives it")
    if spread is not None:
        arguments.of_kind("spread", spread, Journey, "a Journey, as simulate gives it, or None")
    arguments.whole("index", index, low=0)
    arguments.text("name", name)
    target = check_target(arguments.path_of("path", path), force=arguments.flag("force", force))
    return write_text(target, patient_page(journey, index, spread, name), force=force)


def draw_patient(journey: Journey, index: int = 0, spread: Journey | None = None) -> list[Picture]:
    """The figures of one patient: the days around the infusion, then the follow-up; none where nobody was infused."""
    one = One(journey, index, spread)
    drawn = (journey_figure(one), follow_up_figure(one)) if bool(journey.infused[index]) else ()
    return [picture for picture in drawn if picture is not None]


def patient_page(
    journey: Journey,
    index: int = 0,
    spread: Journey | None = None,
    name: str = "",
    drawn: Callable[[], list[Picture]] | None = None,
) -> str:
    """Return the report of one patient as HTML text; ``drawn`` gives the figures where another process draws them."""
    count = journey.count
    if not 0 <= index < count:
        raise InputError(f"there is no patient at position {index}; the journey holds {count}, from 0 to {count - 1}.")
    one = One(journey, index, spread)
    infused = bool(journey.infused[index])
    headers, rows = day_table(one) if infused else ([], [])
    assumed, known = facts.assumptions(journey)
    product = journey.arms[int(journey.arm[index])].product.title
    mine = int(journey.patient.number[index])
    told: dict[str, Any] = {
        "title": f"Patient {name or mine}: the journey with {product}",
        "summary": story(one),
        "facts": known_facts(one),
        "steps": steps(one),
        "headers": headers,
        "rows": rows,
        "chances": chances(spread) if spread is not None else [],
        "companions": 0 if spread is None else spread.count,
        "assumed": assumed,
        "known": known,
        "how": facts.how_counts(journey),
        "notes": list(dict.fromkeys(str(n) for n in journey.notes)),
        "failures": [f for f in facts.failures(journey) if f[0] == mine],
        "count": 1,
        "provenance": facts.flat(journey.provenance),
        "follow": int(look("windows", "acute")),
    }
    page.ready("patient.html.j2")
    pictures = drawn() if drawn else draw_patient(journey, index, spread)
    return page.fill("patient.html.j2", pictures=pictures, **told)


def story(one: One) -> list[str]:
    """The journey in a few sentences."""
    journey, i, words = one.journey, one.index, words_at(one.journey, one.index)
    outcome = journey.outcome
    if not journey.infused[i]:
        return [f"The patient was not infused: {journey.not_infused_reason[i] or 'not recorded'}{_left(one)}."]
    last = int(look("windows", "early"))
    told: list[str] = []
    peak = highest_cells(one)
    if peak is not None:
        day, value = peak
        readout = facts.readout(journey)
        amount = f"{number(value)} {unit_name(analyte(readout).unit)}"
        if one.below(readout)[np.isfinite(one.values(readout))].all():  # each stands at the limit
            told.append(f"CAR T cells in blood were never measurable (below {amount}).")
        else:
            told.append(f"CAR T cells in blood were highest on day {number(day, 4)}: {amount}.")
    named: list[str] = []
    for key in (usual_crs(), usual_neurologic()):
        worst = int(daily_grades(one, key, last).max())
        said = "was not gradable" if worst < 0 else f"reached grade {worst}" if worst else "did not occur"
        named.append(f"{finding_words(key).short} {said}")
    told.append(f"{' and '.join(named)}.")
    told.append(f"Best response: {words.word(str(outcome.best_response[i]))}{_on(outcome.response_day, i)}.")
    told += [sentence for sentence in _events(outcome, i, words) if sentence]
    back = min(float(days[i]) for days in (outcome.relapse_day, outcome.progression_day))
    if back < one.end():
        told.append(
            "Later therapy counts in how long the patient lives, and is not shown: the disease goes on as if untreated."
        )
    told.append(f"Observed to day {number(one.end(), 4)} ({number(one.end() / look('windows', 'month'))} months).")
    return told


def words_at(journey: Journey, index: int) -> Lineage:
    """How the responses of one patient are told."""
    disease = journey.arms[int(journey.arm[index])].disease
    return lineage_words(disease.lineage, disease.name)


def highest_cells(one: One) -> tuple[float, float] | None:
    """Day and value of the most CAR T cells in the table of days; None where none were measured."""
    values = one.values(facts.readout(one.journey))
    found = [(day, float(np.nanmax(values[near]))) for day, near in table_days(one) if np.isfinite(values[near]).any()]
    return max(found, key=lambda pair: pair[1]) if found else None


def _on(days: Floats, i: int) -> str:
    day = float(days[i])
    return f" on day {number(day, 4)}" if np.isfinite(day) else ""


def _events(outcome: Outcome, i: int, words: Lineage) -> list[str]:
    relapse, death, graft = (_on(days, i) for days in (outcome.relapse_day, outcome.death_day, outcome.hsct_day))
    antigen, cause = str(outcome.relapse_antigen[i]), str(outcome.death_cause[i])
    progressed = "" if relapse else _on(outcome.progression_day, i)
    return [
        f"{words.return_}{relapse}{f', antigen-{antigen}' if antigen in ANTIGEN else ''}." if relapse else "",
        f"Progression{progressed}." if progressed else "",
        f"Transplantation{graft}." if graft else "",
        f"Death{death}{f' ({cause})' if cause else ''}." if death else "",
    ]


def _left(one: One) -> str:
    """When a patient left before the infusion, in words; "" where unknown."""
    day = float(one.journey.waiting.drop_day[one.index])
    return f" {number(-day)} days before the planned infusion" if np.isfinite(day) else ""


def known_facts(one: One) -> list[tuple[str, str]]:
    """What was known of the patient before treatment."""
    patient, i = one.journey.patient, one.index
    arm = one.journey.arms[int(one.journey.arm[i])]
    rows = [
        ("Disease", arm.disease.title),
        ("Product", arm.product.title),
    ]
    for field, entry in entries("patient").items():
        values = getattr(patient, field, None)
        if values is None:
            continue
        value = np.broadcast_to(np.asarray(values), (patient.count,))[i]
        if value.dtype.kind == "b":
            text = str(entry["yes"] if value else entry["no"])
        elif np.isnan(float(value)):
            continue
        else:
            text = f"{number(float(value))} {unit_name(str(entry['unit']))}".strip()
        rows.append((str(entry["title"]), text))
    return rows


def steps(one: One) -> list[tuple[str, str]]:
    """What happened at each step: (step, sentence)."""
    journey, i = one.journey, one.index
    records: dict[str, object] = {
        "apheresis": journey.apheresis,
        "cells": journey.cells,
        "lot": journey.lot,
        "waiting": journey.waiting,
        "conditioning": journey.conditioning,
        "infusion": journey.infusion,
    }
    there = bool(journey.infused[i])
    rows = [(STEPS["eligibility"], eligibility(journey.eligibility, i))]
    for field, record in records.items():
        if not there and (field == "infusion" or (field == "conditioning" and not _conditioned(one))):
            continue
        rows.append((STEPS[field], "; ".join(record_facts(record, i, field)) or "nothing to report"))
    if reason := str(journey.not_infused_reason[i]):
        rows.append(("Not infused", f"{reason}{_left(one)}"))
    rows.append(("Outcome", " ".join(story(one))))
    return rows


def _conditioned(one: One) -> bool:
    """Whether lymphodepletion began for a patient who was not infused."""
    start, left = one.journey.conditioning.start[one.index], one.journey.waiting.drop_day[one.index]
    return bool(left > start)


def eligibility(record: Eligibility, index: int) -> str:
    """Which criteria one patient meets, in words."""
    asked = record.met[index] != NOT_ASKED
    met, criteria = record.met[index][asked], [c for c, own in zip(record.criteria, asked) if own]
    unmet, unknown = ([str(c) for c, m in zip(criteria, met) if m == value] for value in (0, -1))
    told = [f"{int((met == 1).sum())} of {met.size} criteria met"]
    told += [f"not met: {'; '.join(unmet)}"] if unmet else []
    return ". ".join([*told, f"Unknown: {'; '.join(unknown)}"] if unknown else told)


def record_facts(record: object, index: int, step: str = "") -> list[str]:
    """One patient's fields of a step's record in words; empty and long ones are left out."""
    words = entries("steps", step)
    found: list[str] = []
    held: dict[str, object] = dict(vars(record))
    for name, value in held.items():
        if name.startswith("_") or value is None or words.get(name, {}).get("hide"):
            continue
        if isinstance(value, np.ndarray):
            cells = cast("NDArray[np.generic]", value)
            if cells.ndim != 1 or index >= cells.size:
                continue
            value = cast(object, cells[index])
        title = words.get(name, {}).get("title", name.replace("_", " "))
        if isinstance(value, bool | np.bool_):
            found += [str(title)] if value else []
        elif isinstance(value, int | float | np.integer | np.floating):
            amount = float(cast(float, value))
            factor, unit = float(words.get(name, {}).get("factor", 1)), words.get(name, {}).get("unit", "")
            found += [f"{title} {number(amount * factor)} {unit}".strip()] if np.isfinite(amount) else []
        elif isinstance(value, str) and value:
            found.append(f"{title}: {value}")
        elif isinstance(named := getattr(value, "title", None), str) and not isinstance(value, str):
            found.append(f"{title}: {named}")
    return found


def table_days(one: One) -> list[tuple[float, Mask]]:
    """The rows of the table: day, and the columns of the course that it sums up.

    Days before the infusion with a treatment, every day to day 28, then the later visits with a treatment or a
    measurement of the disease (after the first weeks also of the cells).
    """
    course, days, end, i = one.journey.course, one.days, one.end(), one.index
    given, response = facts.given_names(one.journey), one.journey.response
    acute, early = int(look("windows", "acute")), look("windows", "early")
    treated = np.zeros(days.size, dtype=np.bool_)
    for name in [*given, *(["infection"] if "infection" in course else [])]:
        treated |= np.nan_to_num(course.dense(name)[i]) > 0
    found: list[tuple[float, Mask]] = []
    for day in sorted({float(np.floor(d)) for d in days[treated & (days < 0)]}):
        found.append((day, np.floor(days) == day))
    found += [(float(day), np.floor(days) == day) for day in range(acute + 1) if day <= end]
    shown = [n for n, _ in columns(one)]
    disease = [n for n in shown if analyte(n).kind == "disease"]
    for day in days[(days >= acute + 1) & (days <= end)]:
        near = days == day
        telling = disease if day <= early else [*disease, facts.readout(one.journey)]
        visit = bool((response.status[i, response.days == day] >= 0).any())
        seen = visit and any(np.isfinite(one.values(n)[near]).any() for n in telling)
        if seen or treated[near].any():
            found.append((float(day), near))
    return found


def columns(one: One) -> list[tuple[str, str]]:
    """Analytes of the table that were measured, and which value of a day is shown."""
    wanted = [
        (facts.readout(one.journey), "max"), *((name, "last") for name in one.measures[:2]), ("b_cells", "last"),
        ("il6", "max"), ("temperature", "max"),
    ]  # fmt: skip
    return [(name, how) for name, how in wanted if np.isfinite(one.values(name)).any()]


def day_table(one: One) -> tuple[list[tuple[str, str]], list[list[str | int]]]:
    """Day by day to day 28, then the visits.

    Returns
    -------
    headers : list of (title, unit)
    rows : list of list
        Day, values as text, grades as int (-1: not gradable), treatments and what infection begins as text.
    """
    given, shown, scales = facts.given_names(one.journey), columns(one), (usual_crs(), usual_neurologic())
    rows: list[list[str | int]] = []
    for day, near in table_days(one):
        cells: list[str | int] = [number(day, 4)]
        for name, how in shown:
            known, below = one.values(name)[near], one.below(name)[near]
            known, below = known[np.isfinite(known)], below[np.isfinite(known)]
            which = int(known.argmax()) if how == "max" and known.size else -1
            limit = "<" if known.size and below[which] else ""
            cells.append(f"{limit}{number(known[which])}" if known.size else MISSING)
        for key in scales:
            found = one.grade(key)[near]
            cells.append(int(found.max()) if found.size and day >= 0 else facts.NOT_OBSERVED)
        rows.append([*cells, _treatments(one, given, near)])
    headers = [
        ("Day", ""),
        *((analyte(n).title, unit_name(analyte(n).unit)) for n, _ in shown),
        *((finding_words(key).short, "") for key in scales),
        ("Treatments and infections", ""),
    ]
    return headers, rows


def _treatments(one: One, given: list[str], near: Mask) -> str:
    amounts = {analyte(n): float(np.nansum(one.values(n)[near])) for n in given}
    told = [
        f"{kind.title.split(' (')[0]} {'' if kind.is_switch else number(amount)} {unit_name(kind.unit)}".strip()
        for kind, amount in amounts.items()
        if amount > 0
    ]
    worst = int(np.nan_to_num(one.values("infection")[near]).max(initial=0)) if "infection" in one.journey.course else 0
    return ", ".join([*told, *INFECTIONS[worst]])


def chances(spread: Journey) -> list[tuple[str, str, str]]:
    """What became of the companions: (what, share or median, how it was counted)."""
    chosen, words = spread.infused, words_of(spread)
    n = counts(spread, words)
    last = int(look("windows", "early"))
    of = f"of {n.infused} infused"
    rows = [("Infused", percent(n.infused, spread.count), f"{n.infused} of {spread.count} companions")]
    rows.append((f"{words.stage} ({success(spread, words)})", percent(n.reached, n.infused), f"{n.reached} {of}"))
    for key in (usual_crs(), usual_neurologic()):
        worst = facts.daily_worst(spread, key, last).max(axis=1, initial=facts.NOT_GRADABLE)
        for least, told in ((1, "any grade"), (SEVERE, f"grade {SEVERE} or higher")):
            hit = int((worst >= least).sum())
            rows.append((f"{finding_words(key).short}, {told}", percent(hit, n.infused), f"{hit} {of}, to day {last}"))
    returned = sum(n.returned.values())
    rows.append((f"{words.return_} in follow-up", percent(returned, n.infused), f"{returned} {of}"))
    for endpoint in (*words.endpoints, DEATH):
        curve = survival(spread, endpoint, "infusion")
        if curve is not None:
            at = landmark(curve)
            said = f"Kaplan-Meier, 95 % interval {span(100 * at.low, 100 * at.high, 2) or MISSING} %"
            rows.append((f"{endpoint_titles()[endpoint]} at {at.when}", at.percent, said))
    unit = unit_name(analyte(facts.readout(spread)).unit)
    for values, title in ((spread.kinetics.cmax, f"Cmax ({unit})"), (spread.kinetics.tmax, "Tmax (days)")):
        middle, low, high, known = facts.summary(values[chosen])
        rows.append((f"{title}, median", number(middle), f"5–95 %: {span(low, high)}, {known} companions"))
    return rows
