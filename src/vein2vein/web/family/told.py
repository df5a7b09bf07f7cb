"""What the pages of a family show, as plain data: parts of the one page that ``vein2vein explain`` writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vein2vein.explain.calendar import Calendar
from vein2vein.explain.languages import Said, Words
from vein2vein.web.plain_words import lines, rules_of, told

OnPage = Mapping[str, Any]
"""What ``told_on_page`` tells."""
PATH = ("call_title", "path_title", "path_intro", "column_when", "column_what", "calendar_title")
CHANCES = ("may_title", "serious_title", "later_title", "sources_title")
LISTS = (
    ("pack_title", "pack", True), ("safe_title", "safe", False), ("protect_title", "protect", False),
    ("ask_title", "ask", True),
)  # fmt: skip
"""Title, lines, and whether they are ticked."""


def path_of(on_page: OnPage) -> dict[str, Any]:
    """When to call, the steps, the calendar."""
    t, rtl = _words(on_page)
    calendar: Calendar | None = on_page["calendar"]
    return {
        **_head(on_page, *PATH, *(["calendar_intro"] if calendar else [])),
        "call": [
            _said(on_page, "call_intro"),
            _said(on_page, "call_fever", celsius=on_page["celsius"], fahrenheit=on_page["fahrenheit"]),
            *lines(t.lines("call"), rtl=rtl),
        ],
        "call_last": [_said(on_page, "call_911"), _said(on_page, "call_medicine")],
        "steps": [
            {**{part: _told(on_page, one[part]) for part in ("title", "text")}, "when": lines(one["when"], rtl=rtl)}
            for one in on_page["steps"]
        ],
        "calendar": None if calendar is None else _calendar(on_page, calendar),
    }  # fmt: skip


def ready_of(on_page: OnPage) -> dict[str, Any]:
    """What to pack and bring, how to stay safe, what to ask."""
    t, rtl = _words(on_page)
    return {
        **_head(on_page),
        "rules": rules_of(on_page["rules"], rtl=rtl),
        "more": _said(on_page, "rule_more"),
        "lists": [
            {"title": _said(on_page, title), "tick": tick, "lines": lines(t.lines(name), rtl=rtl)}
            for title, name, tick in LISTS
        ],
    }


def chances_of(on_page: OnPage) -> dict[str, Any]:
    """What may happen and how often, what a serious form means, the warnings of the label, the years to come."""
    t, rtl = _words(on_page)
    companions, long, warned = on_page["companions"], on_page["long"], on_page["warnings"]
    intro = [_said(on_page, "may_intro")]
    intro += [] if on_page["studied"] else [_said(on_page, "no_published")]
    if companions:
        intro.append(_said(on_page, "model_intro", n=companions))
        intro += [_said(on_page, "assumed")] if on_page["assumed"] else []
    else:
        intro.append(_said(on_page, "model_off" if on_page["checked"] else "model_unchecked"))
    titles = (*CHANCES, *(["long_title"] if long else []), *(["warn_title", "warn_intro"] if warned else []))
    return {
        **_head(on_page, *titles),
        "intro": intro,
        "groups": [_group(on_page, one) for one in on_page["groups"]],
        "serious": lines(t.lines("serious"), rtl=rtl),
        "warnings": lines(warned, rtl=rtl),
        "long_intro": _said(on_page, "long_intro") if long else None,
        "long": [_group(on_page, one) for one in long],
        "later": [_said(on_page, "later_text", years=on_page["years"]), _said(on_page, "later_cancer")],
        "sources": on_page["sources"],
        "may_add_model": not companions and on_page["checked"] and on_page["weight"] is not None,
    }


def _words(on_page: OnPage) -> tuple[Words, bool]:
    words: Words = on_page["t"]
    return words, words.catalog.direction == "rtl"


def _told(on_page: OnPage, one: Said | str) -> dict[str, str]:
    return told(one, rtl=_words(on_page)[1])


def _said(on_page: OnPage, key: str, **values: Any) -> dict[str, str]:
    return _told(on_page, _words(on_page)[0](key, **values))


def _head(on_page: OnPage, *titles: str) -> dict[str, Any]:
    """What stands at the top of each page of a path, and the titles of its parts."""
    t, _ = _words(on_page)
    marks = {"no_weight": not on_page["weight"], "not_approved": not on_page["approved"]}
    rows: list[tuple[str, Said | str]] = [
        ("label_treatment", on_page["treatment"]),
        ("label_disease", on_page["disease"]),
        ("label_age", on_page["age"]),
        ("label_weight", on_page["weight"] or t("to_obtain")),
        ("label_infusion", on_page["date"] or t("no_date")),
    ]
    return {
        "notice": _said(on_page, "notice"),
        "who": _said(on_page, "who"),
        "beside": _said(on_page, "beside_note") if t.catalog.code != "en" else None,
        "rows": [{"label": _said(on_page, label), "value": _told(on_page, value)} for label, value in rows],
        "marks": [_said(on_page, one) for one, holds in marks.items() if holds],
        "titles": {one: _said(on_page, one) for one in titles},
    }


def _calendar(on_page: OnPage, calendar: Calendar) -> dict[str, Any]:
    t, rtl = _words(on_page)
    weeks = [
        {
            "gap": week.after_gap,
            "days": [
                {
                    "day": day.date.day,
                    "month": day.month,
                    "zero": not day.plan,
                    "numbers": " · ".join(map(str, day.numbers)),
                }
                for day in week.days
            ],
        }
        for week in calendar.weeks
    ]
    kinds = [
        {
            "number": one.number,
            "title": _told(on_page, one.title),
            "when": lines([t.date(day) for day in dict.fromkeys((one.first, one.last))], rtl=rtl),
        }
        for one in calendar.kinds
    ]
    return {"weekdays": [{"short": a, "whole": b} for a, b in calendar.weekdays], "weeks": weeks, "kinds": kinds}


def _group(on_page: OnPage, group: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": _told(on_page, group["title"]),
        "text": _told(on_page, group["text"]) if group["text"] else None,
        "lines": [
            {
                "label": _told(on_page, line["label"]) if line["label"] else None,
                **{
                    by: {**_told(on_page, line[by]), "tenths": line["tenths"][by]} if line[by] else None
                    for by in ("study", "model")
                },
            }
            for line in group["lines"]
        ],
    }
