"""Numbers as records print them: decimal comma, thousands, bounds such as "<0.1", a unit behind the number."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from vein2vein.io.record.meanings import word_card

_SHAPE = re.compile(
    r"(<=|>=|<|>|~)?\s*([+-]?)\s*(\d[\d.,'’]*(?:[ \u00a0\u202f]\d{3}(?!\d)[\d.,]*)*|[.,]\d+)"
    r"(?:(?<=[\d.,])[eE]([+-]?\d{1,3})(?![\w.]))?\s*(.*)",
    re.DOTALL,
)
_GROUP = re.compile(r"(?<=\d)[ '’\u00a0\u202f](?=\d{3}(?!\d))")
_COMMA = re.compile(r"\d,\d{1,2}(?!\d|,)|\d,\d{4,}|(?<!\d)0,\d|\d\.\d{3},\d")
_POINT = re.compile(r"\d\.\d{1,2}(?!\d|\.)|\d\.\d{4,}|(?<!\d)0\.\d|\d,\d{3}\.\d")
_SIGNS = "*!\u2191\u2193\u2020\u2021"  # asterisk, arrows, daggers
LONGEST = 80
FORMULA = ("=", "@", "\t", "\r")
BOUNDS = {"below": "<", "at_most": "<=", "above": ">", "at_least": ">="}


class Parsed(NamedTuple):
    """A number with the unit behind it and its bound: "", "<", "<=", ">" or ">="."""

    value: float
    unit: str
    bound: str


class NotANumber(ValueError):
    """Why a text is not a number: what, expected, remedy."""

    def __init__(self, what: str, expected: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.expected, self.remedy = what, expected, remedy


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would run this text as a formula (a signed number is none)."""
    if text.startswith(FORMULA):
        return True
    return text[:1] in ("+", "-") and not re.match(r"[+-]\s*[\d.,]", text) and len(text) > 1


def decimal_of(texts: Iterable[str]) -> str | None:
    """The decimal sign that the numbers of a file use: ".", ",", "mixed", or None where none of them shows it."""
    comma = point = False
    for text in texts:
        if not comma and "," in text and _COMMA.search(text):
            comma = True
        if not point and "." in text and _POINT.search(text):
            point = True
        if comma and point:
            return "mixed"
    return "," if comma else "." if point else None


@cache
def _flags() -> tuple[re.Pattern[str], re.Pattern[str], tuple[tuple[str, str], ...]]:
    """Flags before a number, flags behind it, and the words of bounds with their signs, the longest first."""
    flags = word_card("flags").data
    words = "|".join(sorted((re.escape(w) for w in flags["flags"]["words"]), key=len, reverse=True))
    letters = "|".join(re.escape(w) for w in flags["flags"]["letters"])
    signs = f"[{re.escape(_SIGNS)}]+"
    before = rf"(?:\(?(?:{words}|{letters})\)?[\s:*]+|{signs}\s*)(?=[<>]?\s*\d)"
    behind = rf"\s*(?:{signs}|\(?(?:{words})\)?|\(\s*(?:{letters})\s*\)|\s[+-]{{1,2}})\s*(?:{signs})?\s*"
    bounds = [(w, sign) for kind, sign in BOUNDS.items() for w in flags["bounds"][kind]]
    return (
        re.compile(before, re.IGNORECASE),
        re.compile(behind, re.IGNORECASE),
        tuple(sorted(bounds, key=lambda pair: -len(pair[0]))),
    )


def parse_value(text: str, decimal: str | None) -> Parsed:
    """Read a number: with its bound in signs or words, without the flags of a laboratory before and behind it.

    A flag of one letter that may be a unit (``0.4 L``) is given as the unit.

    Parameters
    ----------
    text : str
    decimal : str or None
        "." or ","; None or "mixed" where the file does not settle it: a number such as "1,234" is then refused.

    Raises
    ------
    NotANumber
    """
    text = text.strip().replace("\N{ARABIC DECIMAL SEPARATOR}", "," if decimal == "," else ".")
    text = text.replace("\N{ARABIC THOUSANDS SEPARATOR}", "").replace("\N{MINUS SIGN}", "-")
    if len(text) > LONGEST:
        raise NotANumber("too long for a number", "a number", "write the number alone")
    told, text = _bound(text)
    if is_formula(text):
        raise NotANumber(
            "a spreadsheet formula, not a value", "a number", "export the values of the cells, not their formulas"
        )
    before, behind, _ = _flags()
    if not text[:1].isdigit() and (match := before.match(text)):
        text = text[match.end() :]
    match = _SHAPE.fullmatch(text)
    if not match:
        raise NotANumber("not a number", "a number", "write the number alone, or leave the cell empty")
    bound, sign, digits, exponent, tail = match.groups()
    try:
        value = float(f"{sign}{_number(digits.strip(), decimal)}e{exponent or 0}")
    except NotANumber:
        raise
    except (ValueError, OverflowError):
        raise NotANumber("not a number", "a number", "write the number alone, or leave the cell empty") from None
    if not math.isfinite(value):
        raise NotANumber("not a finite number", "a number", "correct the number")
    tail = tail.strip()
    if not tail:
        return Parsed(value, tail, told or (bound or "").strip("~"))
    if match := behind.match(" " + tail):
        rest = (" " + tail)[match.end() :]
        tail = rest.strip() if not rest or match[0][-1].isspace() or rest[0].isspace() else tail
    for flag in (letter + " " for letter in "Ll"):  # a flag between a number and its unit
        tail = tail.removeprefix(flag).strip()
    return Parsed(value, tail, told or (bound or "").strip("~"))


def _bound(text: str) -> tuple[str, str]:
    """The bound that stands before a number, in signs or words, and the text behind it."""
    if text[:1].isdigit():
        return "", text
    lower = text.lower()
    for words, sign in _flags()[2]:
        if lower.startswith(words) and not text[len(words) : len(words) + 1].isalpha():
            return sign, text[len(words) :].strip()
    return "", text


def _number(digits: str, decimal: str | None) -> str:
    """A number with a decimal point and without groups."""
    digits = _GROUP.sub("", digits)
    commas, points = digits.count(","), digits.count(".")
    if commas and points:
        mark = "," if digits.rfind(",") > digits.rfind(".") else "."
        if decimal in (",", ".") and decimal != mark:
            raise _unclear(digits)
    elif commas:
        mark = _single(digits, ",", decimal)
    elif points:
        mark = _single(digits, ".", decimal)
    else:
        mark = "."
    other = "." if mark == "," else ","
    whole, _, part = digits.partition(mark)
    groups = whole.split(other)
    if mark in part or other in part or (len(groups) > 1 and not _grouped(groups)):
        raise _unclear(digits)
    return "".join(groups) + "." + part


def _grouped(groups: list[str]) -> bool:
    return 1 <= len(groups[0]) <= 3 and all(len(g) == 3 for g in groups[1:])


def _single(digits: str, sign: str, decimal: str | None) -> str:
    """The decimal mark of a number that holds only one kind of sign."""
    other = "." if sign == "," else ","
    groups = digits.split(sign)
    thousands = _grouped(groups) and groups[0].strip("0") != ""
    if len(groups) > 2:  # more than one sign: groups, or no number
        if not thousands or decimal == sign:
            raise _unclear(digits)
        return other
    if decimal == sign:
        return sign
    if decimal == other:
        if not thousands:
            raise _unclear(digits)
        return other
    if thousands:
        raise _unclear(digits)
    return sign


def _unclear(digits: str) -> NotANumber:
    return NotANumber(
        "the decimal sign is not clear",
        "one decimal sign in the whole file",
        "say decimal = '.' or decimal = ',' in a mapping file, and write thousands without a sign",
    )
