"""Free text beside values -> graded analytes that it names. A note is never a value; it may make one unknown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple

from vein2vein.clinic.criteria import edition
from vein2vein.io.record import names
from vein2vein.io.record.meanings import normal, phrases, word_card

DEVICE, HOME = "oxygen_device", "home_oxygen"
LONGEST = 2_000  # characters of a text that are looked at
LONGEST_RUN = 4  # words of a name
NEAR = 2  # words: "not yet on" still takes back
SHORTEST_DRUG = 4  # letters of a drug in a sentence
_SENTENCE = re.compile(r"[.;!?\n\r|]+(?=\s|$)|[;\n\r|]")
_FLOW = re.compile(r"\b\d{1,2}(?:[.,]\d)?\s*(?:l\b|lpm\b|l/min)", re.IGNORECASE)


class Remarks(NamedTuple):
    """What a text names.

    ``open`` may hold at its time and is unknown; ``planned`` is said as a plan or of the past; ``device``: the highest
    class (code of ``oxygen_device``) that ``open`` names.
    """

    open: tuple[str, ...] = ()
    planned: tuple[str, ...] = ()
    device: float = 0.0


@cache
def remark_rows() -> frozenset[str]:
    """Names (normal form) of rows of the long form whose value is a free text."""
    return frozenset(map(normal, word_card("remarks").texts("names", "rows")))


@lru_cache(maxsize=20_000)
def remarks(text: str) -> Remarks:
    """Graded analytes that a free text names.

    Parameters
    ----------
    text : str
        A note, a remark, a comment.

    Notes
    -----
    Vasopressors, drugs that take fever away, oxygen devices and ventilation, seizures, and a few signs in words
    (words/remarks.toml). "No norepinephrine" and "norepinephrine off" name nothing.
    """
    open_: dict[str, float] = {}
    planned: dict[str, float] = {}
    for sentence in _SENTENCE.split(text[:LONGEST]):
        parts = [words for part in sentence.split(",") if (words := normal(part).split())]
        every = [word for words in parts for word in words]
        plans = _any(every, "plans", "words") and not _any(every, "plans", "acts")
        for name, level in _named(parts, bool(_FLOW.search(sentence))):
            kept = planned if plans else open_
            kept[name] = max(level, kept.get(name, level))
    return Remarks(tuple(open_), tuple(name for name in planned if name not in open_), open_.get(DEVICE, 0.0))


def _named(parts: list[list[str]], flow: bool) -> Iterator[tuple[str, float]]:
    """Analytes (and of a device its class) that a sentence names and does not take back.

    What takes back holds beyond a comma, as in a list.
    """
    taken_back = False
    before, ends = _set("takes_back", "before"), _set("takes_back", "ends")
    for words in parts:
        at = 0
        while at < len(words):
            size, name, level = _name_at(words, at, flow)
            if size:
                over = taken_back or _taken_back(words, at + size) or _elsewhere(words, at, size)
                if name and not over:
                    yield name, level
                at += size
                continue
            if words[at] in before or " ".join(words[at : at + 2]) in before:
                taken_back = True
            elif words[at] in ends and before.isdisjoint(words[max(at - NEAR, 0) : at]):
                taken_back = False
            at += 1


def _name_at(words: list[str], at: int, flow: bool) -> tuple[int, str, float]:
    """How many words from here on are a name, of which analyte ("": it says nothing here), and class of a device."""
    table = _table()
    for size in range(min(phrases().longest, len(words) - at), 0, -1):
        form = " ".join(words[at : at + size])
        if form in table:
            return size, *table[form]
        if flow and form in _set("devices", "with_flow"):
            return size, DEVICE, 1.0
        if size <= LONGEST_RUN and len(form) >= SHORTEST_DRUG and (name := names.find_name(form)) in _drugs():
            return size, name, 0.0
    return 0, "", 0.0


def _taken_back(words: list[str], at: int) -> bool:
    """Whether what follows a name says that it is over or was not needed."""
    behind = _set("takes_back", "behind")
    reach = int(word_card("remarks").number("takes_back", "reach"))
    near = words[at : at + reach]
    for i, word in enumerate(near):
        if word in _set("takes_back", "ends"):
            return False
        if word in behind or " ".join(near[i : i + 2]) in behind:
            return True
    return False


def _elsewhere(words: list[str], at: int, size: int) -> bool:
    """Whether the word behind a name gives it another meaning."""
    following = words[at + size] if at + size < len(words) else ""
    own = word_card("remarks").table("elsewhere").get(words[at], [])
    return following in _set("elsewhere", "after") or following in own


def _any(words: list[str], part: str, field: str) -> bool:
    listed = _set(part, field)
    return any(word in listed for word in words) or any(f"{a} {b}" in listed for a, b in pairwise(words))


@cache
def _set(part: str, field: str) -> frozenset[str]:
    return frozenset(map(normal, word_card("remarks").texts(part, field)))


@cache
def _drugs() -> frozenset[str]:
    """Vasopressors, and drugs that take fever away."""
    return frozenset((*edition("held_signs").lists["pump"], *edition("bedside_signs").lists["waives_fever"]))


@cache
def _table() -> Mapping[str, tuple[str, float]]:
    """Phrase in normal form -> analyte ("" where it is understood and says nothing), and the class of a device."""
    card = word_card("remarks")
    never, shortest = _set("devices", "never"), int(card.number("devices", "shortest"))
    ordinary = frozenset(map(normal, word_card("pointing").texts("of_everything", "words")))
    found: dict[str, tuple[str, float]] = {}
    for form, meanings in phrases().said[DEVICE].items():
        says = {one.analyte: one.value for one in meanings}
        if form not in never and form not in ordinary and len(form) >= shortest:
            level = says.get(DEVICE, 0.0)
            found[form] = ("", 0.0) if HOME in says or not level > 0 else (DEVICE, level)
    quiet = ("", 0.0)
    found |= {form: quiet for form, meanings in phrases().said["seizure"].items() if not meanings and " " in form}
    for name, listed in card.table("phrases").items():
        level = 1.0 if name == DEVICE else 0.0
        found |= {normal(form): (name, level) for form in listed}
    return found
