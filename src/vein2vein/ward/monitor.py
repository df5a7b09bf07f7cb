"""What a ward wants to know of a record: today, what changed, what is due, what to consider, every day with reasons.

``monitor`` grades a record as it was read; ``report.monitor_page`` shows it. Nothing is graded here: the grades are
those of ``clinic.grades.monitoring``, the same for real and virtual patients.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np

from vein2vein import arguments
from vein2vein.cards import is_path
from vein2vein.clinic import words
from vein2vein.clinic.care.schedule import Due, due
from vein2vein.clinic.care.suggestions import Suggestion, suggest
from vein2vein.clinic.care.weights import no_dose
from vein2vein.clinic.grades.bounded import charted
from vein2vein.clinic.grades.grades import Grades
from vein2vein.clinic.grades.infusions import from_infusion, new_treatments
from vein2vein.clinic.grades.monitoring import grade
from vein2vein.errors import InputError, unknown
from vein2vein.io.record.record import Record, SetAside
from vein2vein.parameters import read_parameter_file
from vein2vein.therapy.course import Course
from vein2vein.therapy.product import Product, find_product
from vein2vein.ward.decisions import Decision, decide
from vein2vein.ward.episodes import Episode, episodes_of
from vein2vein.ward.hematotoxicity import hematotoxicity_of
from vein2vein.ward.infection import infection_factors
from vein2vein.ward.scores import PatientScore, risk_scores
from vein2vein.ward.states import (
    Day,
    Standing,
    amount,
    dated,
    day_text,
    days_of,
    given_on,
    in_words,
    state_at,
)
from vein2vein.ward.unknown import unknown_lines

LASTING = ("neurologic_event", "iec_hs")  # with the scales of the bed, what has episodes
ADVISED = words.usual_crs()  # the scale that advice and hyperinflammation read


@dataclass(frozen=True)
class WardRound:
    """One patient's record as a ward sees it.

    Attributes
    ----------
    patient : int
    file, scale : str
    today : float
        Last day that was read.
    age, weight : float
        NaN: unknown.
    product, disease : str
    course, findings
        Of this patient alone, up to today, with the clinicians' decisions.
    now, before : tuple of Standing
        Today, and a day earlier.
    hematotoxicity : tuple of Standing
        Summaries of the whole course: ICAHT, T-ICAHT.
    risk_scores : tuple of PatientScore
        What the record allows of CAR-HEMATOTOX, EASIX, HLH-2004, HScore, MAS 2016, CARTOX and the early predictions.
    infection : tuple of str
        Factors that raise the risk of infection now; ``infection_unknown`` what would be needed to say more.
    changed : tuple of str
    due : tuple of Due
    consider : tuple of (Suggestion, float)
        With the day of the grade that each rests on.
    days : tuple of Day
    decisions : tuple of Decision
    set_aside : tuple of SetAside
    notes : tuple of str
    label : str
        The patient's own id in the file; "" where it names none.
    infusions : tuple of float
        Days of the infusions up to the last day of the record; day 0 is the first.
    infused : datetime, date or None
        Moment of day 0; None: not known, or de-identified.
    unknown : tuple of str
        What of the findings was charted and not understood, a sentence for each analyte, that of today first: it
        stands before everything else.
    episodes : tuple of Episode
        Of cytokine release, neurotoxicity and hyperinflammation, by onset.
    told : mapping of str to str
        What the record says in words: ``allergies``, ``code_status`` and others; nothing of it is graded.
    height, sex : float, str
        cm; NaN and "" unknown.
    no_dose : str
        Why no dose is named for this patient; "" where doses are.
    """

    patient: int
    file: str
    scale: str
    today: float
    age: float
    weight: float
    product: str
    disease: str
    course: Course
    findings: Mapping[str, Grades]
    now: tuple[Standing, ...]
    before: tuple[Standing, ...]
    hematotoxicity: tuple[Standing, ...]
    risk_scores: tuple[PatientScore, ...]
    infection: tuple[str, ...]
    infection_unknown: tuple[str, ...]
    changed: tuple[str, ...]
    due: tuple[Due, ...]
    consider: tuple[tuple[Suggestion, float], ...]
    days: tuple[Day, ...]
    decisions: tuple[Decision, ...]
    set_aside: tuple[SetAside, ...]
    notes: tuple[str, ...]
    label: str = ""
    infusions: tuple[float, ...] = ()
    infused: date | None = None
    unknown: tuple[str, ...] = ()
    episodes: tuple[Episode, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict[str, str])
    height: float = np.nan
    sex: str = ""
    no_dose: str = ""


def monitor(
    record: Record | Course,
    *,
    scale: str = "astct",
    until: float | None = None,
    product: str | None = None,
    weight: float | None = None,
    age: float | None = None,
) -> tuple[WardRound, ...]:
    """Grade a record and say what matters today, for each of its patients.

    Parameters
    ----------
    record : Record or Course
        From ``read_record``; a course, measured or simulated, goes too.
    scale : str
        Of cytokine release syndrome: one of ``clinic.words.ward_scales``.
    until : float, optional
        Read nothing later than this day, as one knew it then.
    product : str, optional
        Name or path of a product card; default: what the record says.
    weight, age : float, optional
        kg, years; default: what the record says.

    Returns
    -------
    tuple of WardRound
        One for each patient, in the order of the record.

    Raises
    ------
    InputError
        Unknown scale or product, or nothing up to that day.
    """
    if not isinstance(record, Course):
        arguments.of_kind("record", record, Record, "a Record, as read_record gives it, or a Course")
    arguments.text("scale", scale)
    weight = None if weight is None else arguments.number("weight", weight, low=0, unit="kg")
    age = None if age is None else arguments.number("age", age, low=0, unit="years")
    if product is not None:
        arguments.name_or_path("product", product, "a product by its name, or the path of its card")
    if until is not None:
        arguments.number("until", until, low=-math.inf)
    if scale not in words.ward_scales():
        raise InputError(unknown("scale of cytokine release syndrome", scale, words.ward_scales()))
    scale = words.scale_named(scale)
    chosen = None if product is None else find_product(product)
    courses = [record.of([i]) for i in range(len(record.patients))] if isinstance(record, Course) else record.courses
    cut = [one if until is None else one.until(until) for one in courses]
    if not any(one.shape[1] for one in cut):
        begun = [one.days[0] for one in courses if one.shape[1]]
        first = f"; its first row is on day {min(begun):g}" if begun else ""
        raise InputError(f"the record holds nothing up to day {until or 0:g}{first}.")
    return tuple(_watch(record, one, i, scale, chosen, weight, age) for i, one in enumerate(cut) if one.shape[1])


def _told_product(told: str) -> Product | None:
    """The product that a record names by its own name or brand; a record never makes a file be read."""
    with suppress(InputError):
        return None if is_path(told) else find_product(told)
    return None


def _watch(
    record: Record | Course, own: Course, i: int, scale: str, product: Product | None, weight: float | None,
    age: float | None,
) -> WardRound:  # fmt: skip
    facts = None if isinstance(record, Course) else record.facts
    kg = weight if weight is not None else float(facts.weight[i]) if facts else np.nan
    years = age if age is not None else float(facts.age[i]) if facts else np.nan
    notes = list(() if isinstance(record, Course) else (*record.warnings, *record.notes))
    told = "" if facts is None else facts.product[i]
    if product is None and told:
        product = _told_product(told)
        if product is None:
            notes.append(
                f"the product '{told}' is not known: advice and due dates that depend on the product are not shown; "
                "name one with --product"
            )
    for what, value in (("age", years), ("weight", kg)):
        if not np.isfinite(value):
            notes.append(f"the {what} is unknown: add it to the record, or give --{what}")
    course = _own(own)
    others = () if facts is None or not facts.told_weights else facts.told_weights[i]
    doubt = no_dose(course, kg, years, stated=weight is not None, told_weights=others)
    if weight is None and not doubt:
        notes += _weights_differ(course, kg)
    if f"crs_{scale}" != ADVISED:
        notes.append("advice and doses are written for the ASTCT grade, and are read from it whatever the scale shown")
    names = shown_findings(scale)
    found = grade(course, age=np.array([years]), weight=np.array([kg]), scales=(ADVISED, *names))
    found, decisions, refused, more = decide(record, course, found)
    notes += more
    together = found
    if any(one.passing is not None and one.passing.any() for one in found.values()):
        worst = grade(course, age=np.array([years]), weight=np.array([kg]), scales=(ADVISED, *names), together=True)
        together = decide(record, course, worst)[0]
    died = death_day(course)
    if np.isfinite(died):
        notes.append(_death_words(course, died))
    today = float(course.days[-1])
    now = tuple(state_at(found[n], course, today, n) for n in names)
    before = tuple(state_at(found[n], course, today - 1, n) for n in names)
    hematotoxicity, risks = hematotoxicity_of(course), risk_scores(course, years, _recent())
    name = product.name if product else ""
    infused = None if facts is None or not facts.infused else facts.infused[i]
    infection, open_ = infection_factors(now, course, today, _recent(), infused)
    costimulation = product.costimulation if product else ""
    return WardRound(
        int(course.patients[0]), "" if isinstance(record, Course) else record.file, scale, today, years, kg,
        name, "" if facts is None else facts.disease[i], course,
        {name: found[name] for name in names}, now, before, hematotoxicity, risks, infection, open_,
        _changed(now, before, course, today, infused),
        () if np.isfinite(died) else _due(course, found, today, name),
        () if np.isfinite(died) else _consider(
            course, found, kg, years, today, costimulation, stated=weight is not None, told_weights=others,
        ),
        days_of(course, together, names), decisions,
        (*(() if isinstance(record, Course) else record.set_aside), *refused), tuple(notes),
        "" if facts is None else facts.label[i],
        () if isinstance(record, Course) else tuple(day for day in record.infusions[i] if day <= today),
        infused, unknown_lines(record, i, course, {name: found[name] for name in names}, infused),
        episodes_of(course, found, [name for name in names if _bedside(name) or name in LASTING], today),
        {} if facts is None or not facts.told else facts.told[i],
        np.nan if facts is None else float(facts.height[i]), "" if facts is None else facts.sex[i], doubt,
    )  # fmt: skip


def _weights_differ(course: Course, kg: float) -> tuple[str, ...]:
    """That a charted weight is not that for which doses stand; () where all are near it."""
    row = course.dense("weight")[0]
    found, limit = row[np.isfinite(row)], _choices()["weight_differs"]
    if not found.size or not (np.abs(found - kg) > limit * kg).any():
        return ()
    return (
        f"weights of {found.min():g} to {found.max():g} kg are charted, the last {found[-1]:g} kg; "
        f"doses stand for {kg:g} kg: check it, or give --weight",
    )


def death_day(course: Course) -> float:
    """Day on which the record says that the patient died; NaN where it does not."""
    dead = (course.dense("alive")[0] == 0) | np.isfinite(course.dense("death_cause")[0])
    return float(course.days[dead.argmax()]) if dead.any() else np.nan


def _death_words(course: Course, died: float) -> str:
    told = f"the record says that the patient died on day {day_text(died)}: nothing is due or to consider"
    if course.days[-1] > died:
        told += "; what is dated later stands in the table and is not drawn"
    if course.measured("death_cause"):
        return told
    return f"{told}; its cause is not attributed (a row death_cause: a death from CRS or ICANS is grade 5)"


def shown_findings(scale: str) -> tuple[str, ...]:
    """Names of the findings that are shown with a scale of cytokine release syndrome."""
    own = words.crs_scales()[scale]
    return (
        own.name, *own.neurologic, "neutropenia", "thrombocytopenia", "anemia", "iec_hs", "b_cell_aplasia",
        "hypogammaglobulinemia",
    )  # fmt: skip


def _own(one: Course) -> Course:
    """The course of one patient, with the days of this patient only."""
    known = np.zeros(one.shape[1], dtype=bool)
    for name in one.values:
        known |= charted(one, name)[0]
    return one.at(one.days[known]) if known.any() and not known.all() else one


def _bedside(name: str) -> bool:
    return name.startswith("crs_") or name in ("icans", "cres")


def _changed(
    now: tuple[Standing, ...], before: tuple[Standing, ...], course: Course, today: float, infused: date | None
) -> tuple[str, ...]:
    told: list[str] = []
    for new, old in zip(now, before):
        if (new.grade, new.at_least) == (old.grade, old.at_least) or str(new) == str(old):
            continue
        if new.grade < 0 and new.at_least <= 0 and not (_bedside(new.name) and old.grade > 0):
            continue
        was = "" if old.grade < 0 and old.at_least <= 0 else f" (a day earlier: {old})"
        if not was and np.isfinite(old.last_day):
            was = f" (last known on {dated(old.last_day, infused)}: {in_words(old.name, old.last_grade)})"
        told.append(f"{new.title}: {new}{was}")
    recent = course.until(today)
    given = given_on(recent, np.flatnonzero(recent.days > today - 1))
    told += [f"given on {dated(row.day, infused)}: {amount(row)}" for row in given]
    return tuple(told)


def _consider(
    course: Course, found: Mapping[str, Grades], weight: float, age: float, today: float, costimulation: str, *,
    stated: bool, told_weights: tuple[float, ...],
) -> tuple[tuple[Suggestion, float], ...]:  # fmt: skip
    """Suggestions, each with the day of the grade that it rests on; no dose where the weight is unknown."""
    out: list[tuple[Suggestion, float]] = []
    for one in suggest(
        course, found, weight=weight, age=age, day=today, costimulation=costimulation, scale=ADVISED, recent=_recent(),
        weight_stated=stated, told_weights=told_weights,
    ):  # fmt: skip
        grades = found[one.finding]
        known = np.flatnonzero((grades.grade[0] >= 0) | (grades.at_least[0] > 0))
        day = float(grades.days[known[-1]]) if known.size else today
        out.append((one, day))
    return tuple(out)


def _due(course: Course, found: Mapping[str, Grades], today: float, product: str) -> tuple[Due, ...]:
    """What is due, counted from the last infusion that is a treatment of its own; told in days of the record."""
    start = max([0.0, *new_treatments(course)])
    moved = {name: replace(grades, days=grades.days - start) for name, grades in found.items()}
    listed = due(from_infusion(course, start), today - start, product, findings=moved)
    return tuple(replace(one, when=one.when + start, until=one.until + start, last=one.last + start) for one in listed)


def missing_now(watch: WardRound) -> dict[str, tuple[str, ...]]:
    """What would be needed to grade today, by analyte: the titles of the findings that wait for it."""
    today = watch.course.between(watch.today, watch.today)
    known = {name for name in today.values if today.measured(name)}
    out: dict[str, list[str]] = {}
    for state in (*watch.now, *watch.hematotoxicity):
        if state.grade < 0:
            for name in (n for n in state.missing if n not in known):
                out.setdefault(name, []).append(state.title)
    return {name: tuple(titles) for name, titles in out.items()}


@cache
def _recent() -> float:
    """Days for which a sign or a value counts as of today's round."""
    return _choices()["recent"]


@cache
def _choices() -> Mapping[str, float]:
    return read_parameter_file(Path(__file__).with_name("ward.toml")).values()
