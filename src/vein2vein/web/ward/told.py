"""What the pages of a record tell: the round of a patient, the list of a ward, the form of a round, as plain data.

Every number and every sentence is that of ``ward`` and of the report; here they are only put in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vein2vein.clinic.words import crs_scales, finding_words
from vein2vein.io.record.record import Record
from vein2vein.report.monitor_page import monitor_facts
from vein2vein.therapy.disease import all_diseases
from vein2vein.therapy.product import all_products
from vein2vein.ward.monitor import WardRound, missing_now
from vein2vein.ward.round import (
    Group,
    Score,
    findings_to_override,
    grades_to_set,
    round_form,
    signs_to_attribute,
    usual_score,
)
from vein2vein.ward.states import day_text, name_of
from vein2vein.ward.ward_list import WardLine, known, short

Told = dict[str, Any]
SEVERE = 3  # grade from which on the list names what is no syndrome
MOST_DUE = 2  # things that are due which a line of the list names
MOST_ASIDE = 100  # places that the page lists; the report lists all


def scales() -> list[Told]:
    """Scales of cytokine release syndrome that a ward may choose."""
    return [{"name": one.scale, "title": one.scale_title} for one in crs_scales().values() if one.shown]


def round_told(watch: WardRound, record: Record) -> Told:
    """A patient's round, in the order of a morning: today first."""
    facts = monitor_facts(watch)
    kept = (
        "summary", "unknown", "changed", "infection", "infection_unknown", "advised", "weight",
        "consider", "episode_heads", "episodes", "scores", "closed", "headers", "never", "decisions",
    )  # fmt: skip
    return {
        **{name: facts[name] for name in kept},
        "not_understood": facts["not_understood"] if facts["unknown"] else "",
        "now": [_now(one) for one in facts["now"]],
        "due": [{"heading": heading, "count": len(rows), "rows": rows} for heading, rows in facts["due"] if rows],
        "missing": [f"{name_of(name)} (for {', '.join(needs)})" for name, needs in missing_now(watch).items()],
        "days": [_day(one) for one in facts["days"]],
        "warnings": record.warnings,
        "aside": facts["aside"][:MOST_ASIDE],
        "aside_more": max(len(facts["aside"]) - MOST_ASIDE, 0),
        "notes": [one for one in facts["notes"] if one not in record.warnings],
    }


def _now(cell: Mapping[str, Any]) -> Told:
    """A finding today: its grade in words, why, and what is missing."""
    before = cell["before"]
    return {
        "title": cell["title"],
        "words": cell["words"],
        "mark": _mark(cell),
        "stood": cell["stood"],
        "last": cell["last"],
        "before": before["words"] if before else "",
        "because": cell["because"],
        "missing": cell["missing"],
        "flags": cell["flags"],
        "edition": cell["edition"],
        "unverified": cell["unverified"],
    }


def _mark(cell: Mapping[str, Any]) -> str:
    """A grade as short as a cell has room for."""
    if cell["grade"] >= 0:
        return str(cell["short"])
    return f"≥{cell['at_least']}" if cell["at_least"] > 0 else "?"


def _day(day: Mapping[str, Any]) -> Told:
    return {
        "day": day["day"], "date": day["date"], "states": [_mark(one) for one in day["states"]], "given": day["given"],
        "because": [{"finding": name, "rows": rows} for name, rows in day["because"]], "values": day["range"],
    }  # fmt: skip


def list_told(lines: Sequence[WardLine], places: Mapping[int, int]) -> list[Told]:
    """The list of the ward: a line for each patient, the worst of today first; ``places`` are those in the record."""
    return [
        {
            "place": places[line.patient],
            "name": line.name,
            "read": line.last_reading,
            "unread": line.unread,
            "syndromes": [
                {"title": finding_words(one.name).short, "state": short(one, line.today)} for one in line.acute
            ],
            "severe": [f"{one.title} {one}" for one in line.other if known(one) >= SEVERE],
            "since": line.since,
            "due": line.due[:MOST_DUE],
        }
        for line in lines
    ]


def round_asked(watch: WardRound) -> Told:
    """The form of a round for a patient: what is asked, how the time is given, what was last charted."""
    form = round_form()
    return {
        "dated": watch.infused is not None,
        "groups": [_group(one) for one in form.groups],
        "scores": [_score(one, usual_score(watch.age)) for one in form.scores.values()],
    }


def patient_asked() -> Told:
    """What is asked of a patient whose record begins here."""
    return {
        "products": [{"name": name, "title": one.title} for name, one in sorted(all_products().items())],
        "diseases": [{"name": name, "title": one.title} for name, one in sorted(all_diseases().items())],
    }


def decision_asked() -> Told:
    """What a clinician may decide."""
    return {
        "signs": signs_to_attribute(),
        "grades": grades_to_set(),
        "findings": [{"name": k, "title": v} for k, v in findings_to_override().items()],
    }


def _group(one: Group) -> Told:
    return {
        "title": one.title,
        "questions": [
            {"name": q.name, "title": q.title, "units": q.units, "hint": q.hint, "words": not q.units and not q.choices,
             "choices": [{"value": choice.value, "shown": choice.shown} for choice in q.choices]}
            for q in one.questions
        ],
    }  # fmt: skip


def _score(one: Score, usual: str) -> Told:
    return {
        "name": one.name, "title": one.title, "who": one.who, "usual": usual in ("", one.name),
        "items": [
            {"name": f"{one.name}.{item.name}", "title": item.title, "answers": list(item.answers)}
            for item in one.items
        ],
        "unable": [{"value": choice.value, "shown": choice.shown} for choice in one.unable],
    }  # fmt: skip


def who(watch: WardRound) -> str:
    """The title of a patient's page."""
    day = f"day {day_text(watch.today)} after the infusion"
    return f"Patient {watch.label}, {day}" if watch.label else f"D{day[1:]}"
