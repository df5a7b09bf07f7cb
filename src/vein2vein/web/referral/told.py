"""What the pages of a referral show, as plain data: labels judged, time lines, the letter, the records."""

from __future__ import annotations

from typing import Any

from vein2vein.clinic.care.labels import WORDS as STATES
from vein2vein.clinic.care.labels import Criterion, LabelVerdict
from vein2vein.explain import facts, referral
from vein2vein.explain.languages import Words
from vein2vein.explain.referral import Case
from vein2vein.explain.referral_page import times_of
from vein2vein.therapy.product import Product
from vein2vein.web.patient_file import choice
from vein2vein.web.plain_words import lines, rules_of, told
from vein2vein.web.referral.intake import facts_named, steps_of
from vein2vein.web.words import said

STATES_SAID = (said("met"), said("not met"), said("unknown"))
"""The words of ``STATES``; a test holds that each is one."""
NOTES_SAID = (said("weight is not given: the papers show it as to obtain"),)
"""Notes on a referral that are translated; a test holds that each is one."""


def criteria_of(case: Case) -> dict[str, Any]:
    """Every label with its criteria, met, not met or unknown, and what would settle what is unknown."""
    steps = steps_of(case.card)
    open_facts: dict[str, str] = {}
    for label in case.labels:
        for field, settles in label.settles.items():
            open_facts |= dict(facts_named(settles, field))
    return {
        "labels": [_label(one) for one in case.labels if one.uses],
        "others": [one.why for one in case.labels if not one.uses],
        "to_obtain": [
            {
                "meaning": meaning,
                "step": next((one.name for one in steps.values() if path in one.paths), "more"),
                "place": f"f-{path.replace('.', '-')}",
            }
            for path, meaning in open_facts.items()
        ],
        "products": [choice(one.name, f"{one.title} ({one.brand})") for one in case.products],
    }


def center_of(case: Case, words: Words) -> dict[str, Any]:
    """Kinds of center and how to find one, the time line of the stay, questions about costs."""
    rtl = words.catalog.direction == "rtl"

    def say(name: str, **values: Any) -> dict[str, str]:
        return told(words(name, **values), rtl=rtl)

    listed, neutral = referral.finders(case)
    stay = {end: words.number(facts.numbers().number("stay", end, "value")) for end in ("low", "high")}
    return {
        "find": say("refer_find_title"),
        "kinds_intro": say("refer_kinds_intro"),
        "kinds": lines(words.lines("refer_kinds"), rtl=rtl),
        "examples": say("refer_examples", names=words.names(referral.examples())),
        "find_intro": say("refer_find_intro"),
        "finders": listed,
        "find_neutral": say("refer_find_neutral"),
        "neutral": neutral,
        "find_call": say("refer_find_call"),
        "time": say("refer_time_title") if case.products else None,
        "time_intro": say("path_intro") if case.products else None,
        "times": [_time(words, case, one, rtl) for one in case.products],
        "more": say("rule_more"),
        "stay": say("refer_stay", **stay),
        "cost": say("refer_cost_title"),
        "costs": lines(words.lines("refer_cost"), rtl=rtl),
    }


def papers_of(case: Case, words: Words) -> dict[str, Any]:
    """The facts of the letter, and the records with whether each is at hand."""
    rtl = words.catalog.direction == "rtl"
    parts = (
        (said("Patient"), referral.who(case)),
        (said("Disease and treatment"), [*referral.course(case), *referral.history(case)]),
        (said("Values"), referral.values(case)),
    )
    return {
        "letter": [
            {"title": title, "rows": [{"title": row.title, "value": row.value} for row in rows]}
            for title, rows in parts
        ],
        "records": [
            {
                "name": told(words(f"record_{name}"), rtl=rtl),
                "there": at_hand,
                "state": told(words("at_hand" if at_hand else "to_obtain"), rtl=rtl)["own"],
            }
            for name, at_hand in referral.records(case)
        ],
        "records_title": told(words("records_title"), rtl=rtl),
        "records_intro": told(words("records_intro"), rtl=rtl),
    }


def _label(verdict: LabelVerdict) -> dict[str, Any]:
    return {
        "title": f"{verdict.title} ({verdict.brand})",
        "state": STATES[verdict.state],
        "label": verdict.label,
        "notes": verdict.notes,
        "uses": [
            {
                "section": use.section,
                "text": use.text,
                "source": use.source,
                "criteria": [_criterion(row) for row in use.criteria],
            }
            for use in verdict.uses
        ],
    }


def _criterion(row: Criterion) -> dict[str, Any]:
    lacking = [meaning for _, meaning in facts_named(row.settles, row.field)] if row.settles else []
    return {"state": STATES[row.state], "text": row.text, "obtain": lacking}


def _time(words: Words, case: Case, product: Product, rtl: bool) -> dict[str, Any]:
    """The time line of a product by its label."""
    found = times_of(words, case, product)
    return {
        "treatment": found["treatment"],
        "steps": [
            {"title": told(one["title"], rtl=rtl), "when": lines(one["when"], rtl=rtl)} for one in found["steps"]
        ],
        "rules": rules_of(found["rules"], rtl=rtl),
    }
