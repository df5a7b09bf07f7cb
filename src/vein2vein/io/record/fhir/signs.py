"""What a diagnosis, a complication or the conclusion of a report says of signs: by ICD-10, then in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vein2vein.io.record import names
from vein2vein.io.record.fhir.codes import codings, texts
from vein2vein.io.record.meanings import LONGEST_TEXT, Meaning, phrases, read_words, word_card
from vein2vein.io.record.row_names import Said

READ = ("seizure", "motor_weakness", "raised_pressure", "cerebral_edema")


def signs_of(concept: object) -> tuple[Said, ...]:
    """Signs that a concept names, with what is known of each; () where it names none."""
    card = word_card("signs")
    coded: Mapping[str, Any] = card.table("icd10")
    for system, code in codings(concept):
        if system in ("icd10", "icd10cm"):
            forms = [code[:size] for size in range(len(code), 2, -1)]
            if entry := next((coded[form] for form in forms if form in coded), None):
                return (_said(entry, code),)
    for text in texts(concept):
        if len(text) <= LONGEST_TEXT and (found := _in_words(text)):
            return found
    return ()


def _said(entry: Mapping[str, Any], text: str) -> Said:
    return Said(str(entry["to"]), str(entry["says"]) if "says" in entry else text, unread="says" not in entry)


def _in_words(text: str) -> tuple[Said, ...]:
    form = f" {names.normal(text)} "
    taken_back = (phrases().negates | phrases().doubts).intersection(form.split())
    found: list[Said] = []
    for entry in word_card("signs").table("words").values():
        words = next((word for word in entry["words"] if f" {names.normal(word)} " in form), "")
        to = str(entry["to"])
        if not words or to in {one.analyte for one in found}:
            continue
        if not taken_back:
            found.append(Said(to, str(entry["says"]), "") if "says" in entry else Said(to, text, unread=True))
        elif _open(to, read_words(to, text) if to in READ else ()):
            found.append(Said(to, text, unread=True))
    return tuple(found)


def _open(to: str, meanings: tuple[Meaning, ...] | None) -> bool:
    """Whether words that take something back leave a sign open."""
    if meanings is None:
        return True
    own = [one.value for one in meanings if one.analyte == to]
    return any(math.isnan(value) or value > 0 for value in own)
