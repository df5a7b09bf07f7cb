"""Texts of the family's pages as plain data: what a page of the app and its twin show of a text in two languages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from vein2vein.explain.languages import Said

FIRST_STRONG, LEFT_TO_RIGHT, END = "\u2068", "\u2066", "\u2069"
"""Signs that keep the direction of a part, as <bdi> does in a page."""


def plain_text(text: Any, *, isolated: bool = False) -> str:
    """A text without its marks; ``isolated``: parts that keep their direction are held apart by signs."""
    marked = str(text)
    if isolated:
        marked = marked.replace('<bdi dir="ltr">', LEFT_TO_RIGHT).replace("<bdi>", FIRST_STRONG).replace("</bdi>", END)
    return Markup(re.sub(r"</?bdi[^>]*>", "", marked)).striptags()


def own_text(one: Said) -> str:
    """A text in its own language alone."""
    return plain_text(one.own)


def told(one: Said | str, *, rtl: bool = False) -> dict[str, str]:
    """A text: ``own``; ``english`` where it stands beside; ``lang`` where only English is there; else empty."""
    if isinstance(one, str):
        return {"own": one, "english": "", "lang": ""}
    return {
        "own": plain_text(one.own, isolated=rtl),
        "english": plain_text(one.english) if one.beside else "",
        "lang": "en" if 'class="english"' in str(one.own) else "",
    }


def lines(many: Iterable[Said | str], *, rtl: bool = False) -> list[dict[str, str]]:
    """Several texts."""
    return [told(one, rtl=rtl) for one in many]


def rules_of(rules: list[tuple[Said, Said | None, list[Said]]], *, rtl: bool) -> list[dict[str, Any]]:
    """How long the label asks for what."""
    return [
        {
            "text": told(text, rtl=rtl),
            "length": told(length, rtl=rtl) if length else None,
            "notes": lines(notes, rtl=rtl),
        }
        for text, length, notes in rules
    ]
