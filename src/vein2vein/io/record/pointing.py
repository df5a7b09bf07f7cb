"""What a name that is not known may be: graded analytes that its unit, value, place or nearest name points to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from vein2vein import units
from vein2vein.clinic.criteria import edition
from vein2vein.io.record import names
from vein2vein.io.record.meanings import read_words, word_card

LONGEST = 120  # letters of a name that are looked at
FEW_WORDS = 5  # of a value that names a drug; a longer one is a sentence
SHORTEST_DRUG = 5  # letters of a drug that is looked for in a value
SHORT = 3  # letters up to which a name that is not graded must be the whole name
_NUMBER = re.compile(r"[<>=~\s]*([+-]?\d+(?:[.,]\d+)?)\s*")
_OF_TEN = re.compile(r"\s*\d{1,2}\s*(?:/|of|out of)\s*10\b.*", re.IGNORECASE)
_PRESSURE = re.compile(r"\s*\d{2,3}\s*/\s*\d{2,3}\b.*")


@dataclass(frozen=True)
class _Known:
    """What points where, from pointing.toml and not_graded.toml."""

    runs: frozenset[str]  # names that are not graded, as runs of words
    elsewhere: frozenset[str]  # words that take a graded name away
    stems: tuple[str, ...]
    starts: tuple[str, ...]
    aliases: Mapping[str, str]  # names of graded analytes
    units: Mapping[str, tuple[str, ...]]
    numbers: tuple[Mapping[str, Any], ...]
    places: Mapping[str, frozenset[str]]
    drug_to: tuple[str, ...]
    percent_to: tuple[str, ...]
    percent_names: tuple[str, ...]
    short_names: tuple[str, ...]
    shortest: int
    two_slips: int


@cache
def _known() -> _Known:
    card, besides = word_card("pointing"), word_card("not_graded").data
    runs = frozenset(names.normal(n) for part in ("vital_signs", "laboratory", "drugs") for n in besides[part]["names"])
    graded = set(card.texts("graded", "analytes"))
    by_unit: dict[str, tuple[str, ...]] = {}
    for kind in card.table("units").values():
        by_unit |= {_spelled(unit): tuple(kind["to"]) for unit in kind["units"]}
    drugs, shortest = besides["drugs"], int(card.number("graded", "shortest"))
    places = card.table("places")
    return _Known(
        runs,
        frozenset(names.normal(one) for one in besides["elsewhere"]["names"]),
        tuple(drugs["stems"]),
        tuple(drugs["starts"]),
        {form: name for form, name in names.vocabulary().names.items() if name in graded and len(form) >= shortest},
        by_unit,
        tuple(card.table("numbers").values()),
        {kind: frozenset(names.normal(one) for one in places[kind]) for kind in ("drug", "sign", "laboratory")},
        tuple(places["drug_to"]),
        tuple(places["sign_percent_to"]),
        tuple(places["percent_names"]),
        tuple(card.texts("graded", "short_names")),
        shortest,
        int(card.number("graded", "two_slips")),
    )


def points_to(name: str, unit: str = "", value: str = "", place: str = "") -> tuple[str, ...]:
    """Graded analytes that a name which is not known may mean; () where nothing points to any.

    Parameters
    ----------
    name : str
        As it stands in the file: a name, or the text of a code.
    unit, value : str
        As they stand beside it.
    place : str
        Where it stands: a category, domain or kind of resource, such as ``vital-signs``, ``LB`` or
        ``MedicationAdministration``.

    Notes
    -----
    What points makes the analyte unknown at that time. The usual names of a ward that no grade reads (a pulse, a
    sodium, an antibiotic) are known and point nowhere; of a name that means two things (``NA``) the unit decides.
    """
    form = names.normal(name[:LONGEST])
    known = _known()
    by_unit = known.units.get(_spelled(unit.strip()), ()) if unit.strip() else ()
    if form in names.vocabulary().two_meanings:
        return by_unit
    if unit.strip() == "%" and _slips(form, "spo2") == 1:  # a pO2 is no percentage
        return ("spo2",)
    by_name = _by_name(form)
    if by_name is not None:
        return by_name
    where = names.normal(place)
    kind = next((kind for kind, spelled in known.places.items() if where in spelled), "")
    if kind == "laboratory":
        return ()
    if kind == "drug":
        return by_unit or known.drug_to
    if by_unit:
        return by_unit
    if unit.strip() == "%" and (kind == "sign" or any(_slips(form, short) <= 1 for short in known.percent_names)):
        return known.percent_to
    named = _drugs_in(value.strip()[:LONGEST])
    return named or _by_value(value.strip()[:LONGEST], bare=not unit.strip(), score=_like_score(form))


@lru_cache(maxsize=20_000)
def _drugs_in(value: str) -> tuple[str, ...]:
    """Vasopressors and drugs that take fever away which a short value names, under a name that is not known."""
    words = names.normal(value).split()
    if not words or len(words) > FEW_WORDS:
        return ()  # a sentence, which may speak of a drug that is not given
    read = {*edition("held_signs").lists["pump"], *edition("bedside_signs").lists["waives_fever"]}
    found = [one for word in words if len(word) >= SHORTEST_DRUG and (one := names.find_name(word)) in read]
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=20_000)
def _by_name(form: str) -> tuple[str, ...] | None:
    """What a name alone tells: the analyte it is near to, () where no grade reads it; None where it tells nothing."""
    known, runs = _known(), _runs(form)
    if not known.elsewhere.isdisjoint(runs) or any(" " in run for run in known.runs.intersection(runs)):
        return ()
    ordinary = not_graded(form)
    if form not in known.runs and (near := _near(form.replace(" ", ""))):
        return (near,)
    if within := next((known.aliases[run] for run in runs if run in known.aliases), ""):
        return (within,)
    if ordinary:
        return ()
    near = next((found for word in form.split() if (found := _near(word))), "")
    return (near,) if near else None


def not_graded(form: str) -> bool:
    """Whether a name in normal form holds one that is known and that no grade reads."""
    known = _known()
    if any(run == form or len(run) > SHORT for run in known.runs.intersection(_runs(form))):
        return True
    return any(w.endswith(known.stems) or w.startswith(known.starts) for w in form.split() if len(w) > SHORT)


def _runs(form: str) -> list[str]:
    """Every run of up to five whole words of a name, the longest first."""
    words = form.split()
    return [
        " ".join(words[at : at + size])
        for size in range(min(len(words), 5), 0, -1)
        for at in range(len(words) - size + 1)
    ]


@lru_cache(maxsize=2_000)
def _spelled(unit: str) -> str:
    return units.spelled(unit).replace("hour", "h").lower()


def _near(word: str) -> str:
    """The graded analyte whose name is one or two slips of the hand away."""
    known = _known()
    if len(word) < known.shortest - 1:
        return ""
    short = [name for name in known.short_names if _slips(word, name) == 1]
    if short or len(word) < known.shortest:
        return names.vocabulary().names[short[0]] if short else ""
    slips, alias = min((_slips(word, alias.replace(" ", "")), alias) for alias in known.aliases)
    return known.aliases[alias] if slips <= (2 if len(word) >= known.two_slips else 1) else ""


def _slips(one: str, other: str) -> int:
    """Letters put in, left out, changed or swapped with their neighbor; 3 where there are more than two."""
    if abs(len(one) - len(other)) > 2:
        return 3
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        earlier, before, row = before, row, [i]
        for j, against in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > 2:
            return 3
    return min(row[-1], 3)


def _like_score(form: str) -> bool:
    """Whether a name has no letters, or a word that is one slip away from that of a score."""
    listed = word_card("pointing").texts("scores", "words")
    words = [word for word in form.split() if not word.isdigit()]
    return not words or any(_slips(word, one) <= 1 for word in words for one in listed)


def _by_value(text: str, bare: bool, score: bool) -> tuple[str, ...]:
    """What a value by itself looks like: a device, a level of arousal, a score of ten, a pressure, a bare number."""
    if _OF_TEN.fullmatch(text):
        return ("ice",)
    if _PRESSURE.fullmatch(text):
        return ("systolic_bp",)
    if match := _NUMBER.fullmatch(text):
        number = float(match[1].replace(",", "."))
        found = [
            name
            for size in _known().numbers
            if bare
            and (score or not size.get("near"))
            and size["low"] <= number <= size["high"]
            and not (size["whole"] and number != round(number))
            for name in size["to"]
        ]
        return tuple(dict.fromkeys(found))
    form = names.normal(text)
    if form in known_blanks():
        return ()
    pump = word_card("pointing").table("pump")
    if form in map(names.normal, pump["words"]):
        return tuple(pump["to"])
    return tuple(name for name, least in TOLD_BY_WORDS.items() if _tells(name, text, least))


TOLD_BY_WORDS = {
    "oxygen_device": 0, "arousal": 0, "seizure": 1, "motor_weakness": 1, "cerebral_edema": 1, "raised_pressure": 1,
}  # fmt: skip
"""Analytes that words alone show, and the least value that they must have: "no" and "none" are said of everything."""


def _tells(name: str, text: str, least: float) -> bool:
    meanings = read_words(name, text)
    return bool(meanings) and meanings[0].analyte == name and meanings[0].value >= least


@cache
def known_blanks() -> frozenset[str]:
    """Words that are said of everything."""
    known = names.vocabulary()
    said = frozenset(known.yes_no) - frozenset(map(names.normal, word_card("pointing").texts("pump", "words")))
    return known.nothing | said | frozenset(word_card("pointing").texts("of_everything", "words"))
