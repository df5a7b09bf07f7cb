"""What is wrong with a value, in words: the same sentences whether it came from a file or from Python."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from vein2vein.errors import unknown

LONGEST_SHOWN = 60  # characters of a value in a message
MOST_SHOWN = 20  # words of a closed list in a message
INF = math.inf


def shown(value: object) -> str:
    """A value as its file writes it, cut to a line."""
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, str | int | float | list | tuple | Mapping) else str(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def short(value: float) -> str:
    """A number in a message; a whole number may lie beyond any float."""
    try:
        return f"{value:g}"
    except OverflowError:
        return "a number too large to compute with"


def expected_number(
    unit: str | None = None, low: float = -INF, high: float = INF, *, above: float = -INF, below: float = INF
) -> str:
    """The number that a field takes, in words: ``low`` and ``high`` belong to it, ``above`` and ``below`` do not."""
    tail = "" if unit in (None, "", "1") else f" {unit}"
    if low > -INF and high < INF:
        return f"a number from {low:g} to {high:g}{tail}"
    ends = [f"from {low:g}"] if low > -INF else [f"above {above:g}"] if above > -INF else []
    ends += [f"at most {high:g}"] if high < INF else [f"below {below:g}"] if below < INF else []
    if ends == [f"from {low:g}"]:
        return f"a number of {low:g}{tail} or more"
    return f"a number {', '.join(ends)}{tail}" if ends else f"a number{f' in{tail}' if tail else ''}"


def number_fault(
    value: object, unit: str | None = None, low: float = -INF, high: float = INF, *, above: float = -INF,
    below: float = INF, endless: bool = True, whole: bool = False,
) -> str:  # fmt: skip
    """What speaks against a number; "" where nothing does.

    Parameters
    ----------
    value : object
    unit : str, optional
        Canonical unit, for the sentence.
    low, high : float
        Smallest and largest value.
    above, below : float
        Values that are just too small and too large.
    endless : bool
        An infinite value is a number too.
    whole : bool
        Only a whole number is taken.
    """
    if type(value) is float and not whole and low <= value <= high and above < value < below and endless:
        return ""  # as nearly all are; the words are for the others
    expected = expected_number(unit, low, high, above=above, below=below)
    expected = expected.replace("a number", "a whole number", 1) if whole else expected
    tail = "" if unit in (None, "", "1") else f" {unit}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"found {shown(value)}, expected {expected}."
    within = low <= value <= high and (above == -INF or value > above) and (below == INF or value < below)
    if not within:
        return f"found {short(value)}{tail}, expected {expected}."
    try:
        number = float(value)
    except OverflowError:
        return f"found a number too large to compute with, expected {expected}."
    if math.isinf(number) and not endless:
        return f"found {number:g}, expected {expected.replace(' number', ' finite number', 1)}."
    if whole and number != int(number):
        return f"found {short(value)}{tail}, expected {expected}."
    return ""


def text_fault(name: str, value: object, choices: Iterable[str] | None = None) -> str:
    """What speaks against a text for the field of this name; "" where nothing does."""
    known = None if choices is None else list(choices)
    if not isinstance(value, str):
        expected = "text" if known is None or len(known) > MOST_SHOWN else "one of " + ", ".join(known)
        return f"found {shown(value)}, expected {expected}, in quotes."
    if known is not None and value not in known:
        return unknown(name, value, known)
    return ""


def flag_fault(value: object) -> str:
    """What speaks against a choice of yes or no; "" where nothing does."""
    return "" if isinstance(value, bool) else f"found {shown(value)}, expected true or false (no quotes)."
