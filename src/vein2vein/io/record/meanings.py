"""What a text says of an analyte: a value, a bound, or that it is charted and not settled. Read from words/*.toml."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from typing import Any, NamedTuple

from vein2vein.cards import Card, parse_card

TOPICS = ("arousal", "drugs", "neurologic", "oxygen", "support", "temperature")
LONGEST_TEXT = 400
UNKNOWN = "?"
AT_LEAST, AT_MOST, BELOW = ">=", "<=", "<"
_BOUND = re.compile(r"(>=|<=)\s*(-?\d+)")
_FLOW = re.compile(
    r"(?<![\d.,])(\d{1,3}(?:[.,]\d+)?)\s*(?:l\s*/?\s*min(?:ute)?|lpm|l/m|lit(?:er|re)s?(?:\s*/?\s*min)?|l)(?![a-z])"
    r"|@\s*(\d{1,3}(?:[.,]\d+)?)(?![\d.,%])|\((\d{1,2}(?:[.,]\d+)?)\)"
)
_PERCENT = re.compile(r"(?:fi\s*o2)?\s*[:=]?\s*(?<![\d.,])(\d{2,3})\s*%|fi\s*o2\s*[:=]?\s*(\d{2,3})(?![\d.,])")
_FRACTION = re.compile(r"(?<![\d.,])(?:fi\s*o2\s*[:=]?\s*)?(0?[.,]\d{1,2}|1[.,]0{1,2})(?![\d.,])")


def normal(text: str) -> str:
    """A name without case, punctuation and surplus spaces."""
    return re.sub(r"[\W_]+", " ", text.lower()).strip()


@cache
def word_card(topic: str) -> Card:
    """One of the files in io/record/words."""
    read = resources.files("vein2vein.io.record").joinpath("words", f"{topic}.toml").read_text(encoding="utf-8")
    return parse_card(read, f"words/{topic}.toml")


class Meaning(NamedTuple):
    """What is said of one analyte: a value in its canonical unit, with its bound; NaN: charted, and not settled.

    ``left``: words beside it that are not understood, and make it a bound.
    """

    analyte: str
    value: float
    bound: str = ""
    left: str = ""


Meanings = tuple[Meaning, ...]


@dataclass(frozen=True)
class Phrases:
    """Words by analyte.

    Attributes
    ----------
    said : mapping of analyte to mapping of str to tuple of Meaning
        Phrases in normal form; an empty tuple is understood and says nothing.
    drop : mapping of analyte to frozenset of str
        Words that change nothing beside a phrase.
    negates, doubts : frozenset of str
    scales : mapping of analyte to mapping of float to tuple of Meaning
        What a value of one analyte says of others.
    names : mapping of analyte to tuple of str
    longest : int
        Words of the longest phrase.
    """

    said: Mapping[str, Mapping[str, Meanings]]
    drop: Mapping[str, frozenset[str]]
    negates: frozenset[str]
    doubts: frozenset[str]
    scales: Mapping[str, Mapping[float, Meanings]]
    names: Mapping[str, tuple[str, ...]]
    longest: int = field(default=1)


@cache
def phrases() -> Phrases:
    """Every phrase of io/record/words."""
    said: dict[str, dict[str, Meanings]] = {}
    drop: dict[str, frozenset[str]] = {}
    scales: dict[str, dict[float, Meanings]] = {}
    listed: dict[str, list[str]] = {}
    for topic in TOPICS:
        data: Mapping[str, Any] = word_card(topic).data
        for analyte, entries in data.get("said", {}).items():
            for entry in entries:
                meanings = _meanings(analyte, entry)
                said.setdefault(analyte, {}).update({normal(words): meanings for words in entry["words"]})
        for analyte, entry in data.get("drop", {}).items():
            drop[analyte] = frozenset(
                (*map(normal, entry["words"]), *word_card("neurologic").data["negation"]["fills"])
            )
        for analyte, entry in data.get("scale", {}).items():
            scales[analyte] = {
                float(value): tuple(_also(says)) for value, says in entry.items() if value not in ("mark", "why")
            }
        for analyte, spelled in data.get("names", {}).items():
            listed.setdefault(analyte, []).extend(spelled)
    negation = word_card("neurologic").data["negation"]
    return Phrases(
        said,
        drop,
        frozenset(negation["negates"]),
        frozenset(negation["doubts"]),
        scales,
        {analyte: tuple(spelled) for analyte, spelled in listed.items()},
        max(len(phrase.split()) for words in said.values() for phrase in words),
    )


def _meanings(analyte: str, entry: Mapping[str, Any]) -> Meanings:
    if entry.get("nothing"):
        own: Meanings = ()
    else:
        own = (Meaning(analyte, float(entry.get("value", math.nan)), str(entry.get("bound", ""))),)
    return (*own, *_also(entry.get("also", {})))


def _also(says: Mapping[str, Any]) -> Iterable[Meaning]:
    for analyte, value in says.items():
        match = _BOUND.fullmatch(value) if isinstance(value, str) else None
        if match:
            yield Meaning(analyte, float(match[2]), match[1])
        else:
            yield Meaning(analyte, math.nan if value == UNKNOWN else float(value))


def read_words(name: str, text: str, own: Mapping[str, float] | None = None) -> Meanings | None:
    """What a text says under the name of an analyte.

    Parameters
    ----------
    name : str
        Analyte.
    text : str
    own : mapping of str to float, optional
        Words of the user's mapping, in normal form; they come first, alone and within a longer text.

    Returns
    -------
    tuple of Meaning, or None
        () is understood and says nothing of any analyte; None is not understood.
    """
    if not own:
        return _read_usual(name, text) if len(text) <= LONGEST_TEXT else None
    form = normal(text)
    return (Meaning(name, own[form]),) if form in own else _read(name, text, own)


@lru_cache(maxsize=20_000)
def _read_usual(name: str, text: str) -> Meanings | None:
    """A ward says the same few words thousands of times."""
    return _read(name, text, {})


def _read(name: str, text: str, own: Mapping[str, float]) -> Meanings | None:
    known = phrases()
    form = normal(text)
    if name in known.drop and not text[:1].isdigit():  # "> 5 min" and "< 5 min" are not the same
        text = text.replace(">", " more than ").replace("<", " less than ")
        form = normal(text)
    table = known.said.get(name, {})
    if form in table and "?" not in text:
        return table[form]
    if name not in known.drop or len(text) > LONGEST_TEXT:
        return None
    if own:
        table = {**table, **{word: (Meaning(name, value),) for word, value in own.items()}}
    amounts: list[Meaning] = []
    if name == "oxygen_device":
        text, amounts = _amounts(text)
        if any(one.analyte == "fio2" for one in amounts):
            text = re.sub(r"\bvm\b", "venturi", text)
    said = _scanned(name, text, table, amounts)
    return (*said, *_of_home(said)) if said and name == "oxygen_device" else said


def names_device(text: str) -> bool:
    """Whether a text such as "2L NC" names an oxygen device beside its amounts."""
    known = phrases()
    return bool(_scan(_amounts(text)[0], known.said["oxygen_device"], known.drop["oxygen_device"]).found)


def _of_home(said: Meanings) -> Meanings:
    """The flow in a text about oxygen at home is the flow at home too."""
    if not any(one.analyte == "home_oxygen" for one in said):
        return ()
    return tuple(one._replace(analyte="home_oxygen_flow") for one in said if one.analyte == "oxygen_flow")


@dataclass
class _Scan:
    """A text word by word: phrases that were found, and what was left over."""

    found: list[Meanings] = field(default_factory=list[Meanings])
    taken_back: list[Meanings] = field(default_factory=list[Meanings])
    left: list[str] = field(default_factory=list[str])


def _scan(text: str, table: Mapping[str, Meanings], drop: frozenset[str]) -> _Scan:
    known, words = phrases(), normal(text).split()
    scan, at, negated = _Scan(), 0, False
    while at < len(words):
        for size in range(min(known.longest, len(words) - at), 0, -1):
            phrase = " ".join(words[at : at + size])
            apart = phrase in drop or phrase in known.negates or phrase in known.doubts
            if len(phrase) > 1 and phrase in table and not apart:
                (scan.taken_back if negated else scan.found).append(table[phrase])
                negated = False
                at += size
                break
        else:
            word = words[at]
            if word in known.negates:
                negated = True
            elif word not in drop and not word.isdigit():
                scan.left.append(word)
            at += 1
    if negated:
        scan.left.append("not")
    return scan


def _scanned(name: str, text: str, table: Mapping[str, Meanings], amounts: list[Meaning]) -> Meanings | None:
    """The highest of what a text says; what is not understood beside it makes it a bound, or leaves it open."""
    drop = phrases().drop[name]
    scan = _scan(text, table, drop)
    if not scan.found and not scan.taken_back:
        if name != "oxygen_device":
            return None
        alone = _scan(text, table, drop - {"oxygen", "o2", "supplemental"})  # "O2 2 L": no device beside it
        if alone.taken_back:
            scan = alone
        else:
            return _of_amounts(amounts, bool(alone.left), bool(alone.found))
    if "?" in text or any(word in phrases().doubts for word in scan.left):
        return (Meaning(name, math.nan), *amounts)
    own = [meaning for meanings in scan.found for meaning in meanings if meaning.analyte == name]
    others = [meaning for meanings in scan.found for meaning in meanings if meaning.analyte != name]
    for meanings in scan.taken_back:
        back = [meaning for meaning in meanings if meaning.analyte == name]
        # only the absence of a sign, or of any oxygen, is 0: not that of "room air", of one device, or of being alert
        own += [Meaning(name, 0.0 if _takes_back(name, one) else math.nan) for one in back]
    settled = [meaning for meaning in own if not math.isnan(meaning.value)]
    if not settled:
        return (*own[:1], *others, *amounts)
    top = max(meaning.value for meaning in settled)
    exact = any(meaning.value == top and not meaning.bound for meaning in settled)
    unsure = bool(scan.left) or len(settled) < len(own)
    if unsure and top <= 0:
        return (Meaning(name, math.nan), *others, *amounts)
    return (Meaning(name, top, "" if exact and not unsure else AT_LEAST, " ".join(scan.left)), *others, *amounts)


def _takes_back(name: str, said: Meaning) -> bool:
    if name == "oxygen_device":
        return said == Meaning(name, 1.0, AT_LEAST)
    return said.value > 0 and name != "arousal"


def _amounts(text: str) -> tuple[str, list[Meaning]]:
    """Flow and inspired fraction within a text, and the text without them."""
    limits = word_card("oxygen").data["amounts"]
    text = text.lower()
    found: list[Meaning] = []
    if match := _FLOW.search(text):
        value = float(next(group for group in match.groups() if group).replace(",", "."))
        if value <= limits["flow_most"]["value"]:
            found.append(Meaning("oxygen_flow", value))
            text = text[: match.start()] + " " + text[match.end() :]
    for pattern, scale in ((_PERCENT, 100.0), (_FRACTION, 1.0)):
        if match := pattern.search(text):
            value = float(next(group for group in match.groups() if group).replace(",", ".")) / scale
            if limits["room_air"]["value"] <= value <= 1:
                found.append(Meaning("fio2", value))
                text = text[: match.start()] + " " + text[match.end() :]
                break
    return text, found


def _of_amounts(amounts: list[Meaning], words_left: bool, oxygen: bool) -> Meanings | None:
    """What a flow or a fraction says where no device stands beside it."""
    if not amounts:
        return (Meaning("oxygen_device", 1.0, AT_LEAST),) if oxygen and not words_left else None
    air = word_card("oxygen").data["amounts"]["room_air"]["value"]
    some = any(one.value > (air if one.analyte == "fio2" else 0.0) for one in amounts)
    if not some:
        return (Meaning("oxygen_device", math.nan if words_left else 0.0), *amounts)
    plain = not words_left and all(one.analyte == "oxygen_flow" for one in amounts)
    return (Meaning("oxygen_device", 1.0, "" if plain else AT_LEAST, "other words" if words_left else ""), *amounts)
