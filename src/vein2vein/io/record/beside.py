"""What stands beside a number in one cell: a label, brackets, words that say how it was taken, flags."""

from __future__ import annotations

import re
from functools import cache

from vein2vein.analytes import Analyte
from vein2vein.io.record import names
from vein2vein.io.record.meanings import word_card

_CHANGE = re.compile(r".*\d\s*(?:→|->|=>)\s*(?=[<>]?\d)", re.DOTALL)
_LABEL = re.compile(r"([A-Za-z][\w .%-]{0,30}?)\s*[:=]?\s*(?=[<>≤≥~+-]?\s*\d)")
_ASIDE = re.compile(r"\s*\([^()]*\)$")


def bare(analyte: Analyte, text: str) -> str:
    """A text without its label, what came before a change, and words that say where or how it was taken."""
    text = text.replace("\N{MINUS SIGN}", "-")
    if (match := _LABEL.match(text)) and names.find_name(match[1]) == analyte.name:
        text = text[match.end() :]
    if analyte.kind == "score":
        text = _CHANGE.sub("", text)
    short = _ASIDE.sub("", text)
    if short != text and _is_remark(analyte, text[len(short) :].strip(" ()").lower()):
        text = short
    for word in _beside() if text[-1:].isalpha() else ():
        if text.lower().endswith(" " + word):
            text = text[: -len(word) - 1]
    return text.strip()


def _is_remark(analyte: Analyte, inside: str) -> bool:
    """Whether brackets behind a number hold nothing that bears on it; a flag of one letter is read with the number."""
    if inside in letters() or not inside:
        return False
    if any(character.isdigit() for character in inside) and analyte.kind != "score":
        return analyte.name == "systolic_bp"
    return analyte.kind in ("score", "sign", "lab") and _stale().isdisjoint(names.normal(inside).split())


@cache
def _stale() -> frozenset[str]:
    return frozenset(word_card("flags").texts("beside", "stale"))


@cache
def _beside() -> tuple[str, ...]:
    return tuple(word_card("flags").texts("beside", "words"))


@cache
def letters() -> frozenset[str]:
    """Flags of one letter, small."""
    return frozenset(letter.lower() for letter in word_card("flags").texts("flags", "letters"))
