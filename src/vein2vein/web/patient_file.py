"""A patient's file in the workspace, as families and referrals fill it in: the same file that the command line reads.

Diseases and products are taken by their names alone: a file of one's own, which the command line may name, cannot be
named from a browser.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from vein2vein.cards import Card, is_path, parse_card
from vein2vein.declared import Record
from vein2vein.errors import InputError
from vein2vein.explain.languages import Words
from vein2vein.therapy.disease import all_diseases, label_diseases
from vein2vein.therapy.patient import PAPERS_LACK
from vein2vein.therapy.patient_card import patient_card
from vein2vein.web.fields import FormField, Group, fields_in, form_of, with_fault
from vein2vein.web.form_text import with_typed
from vein2vein.web.uploads import Upload
from vein2vein.web.visit import Typed, Visit
from vein2vein.web.workspace import Input, Missing

LARGEST = 200_000  # bytes of the file of one patient
NAME = "the form"
BASED_ON = "based_on"


def record() -> type[Record]:
    """The declared card of a patient."""
    return patient_card(frozenset(PAPERS_LACK))


def card_of(text: str, name: str = NAME) -> Card:
    """Read the text of a patient's file; a disease or product that is no name of ours is refused.

    Raises
    ------
    InputError
        The text is no TOML, is too long, or names a file.
    """
    if len(text) > LARGEST:
        raise InputError(f"has {len(text)} characters; the file of one patient has at most {LARGEST}.", file=name)
    try:
        card = parse_card(text, name)
    except RecursionError:
        raise InputError(
            "holds tables inside tables without end; expected the file of one patient.", file=name
        ) from None
    for place in (("disease",), ("explain", "product")):
        told = card.get(*place)
        if isinstance(told, str) and is_path(told):
            raise card.error(place, "names a file; from a browser only what vein2vein has by name is taken.")
    return card


def text_of(upload: Upload) -> str:
    """The text of an upload.

    Raises
    ------
    InputError
        It is no UTF-8 text, or too large for one patient.
    """
    if len(upload.content) > LARGEST:
        raise InputError(
            f"has {len(upload.content)} bytes; the file of one patient has at most {LARGEST}.", file=upload.name
        )
    try:
        return upload.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("is no UTF-8 text; save it as UTF-8.", file=upload.name) from None


def found(visit: Visit, key: str, kind: str) -> Input:
    """A file of this door.

    Raises
    ------
    Missing
        There is none, or it belongs to another door.
    """
    there = visit.workspace.find(key)
    if there.kind != kind:
        raise Missing("there is no such input behind this door; go back to the start.")
    return there


def filled(text: str, typed: Mapping[str, str], paths: Iterable[str]) -> str:
    """The text with what was typed into these fields."""
    return with_typed(record(), text, {path: typed[path] for path in paths if path in typed})


def fields(
    text: str, paths: Iterable[str], words: Mapping[str, tuple[str, str]] | None = None
) -> tuple[FormField, ...]:
    """The fields of a part of the card, in the order of ``paths``; ``words`` give some their own label and hint."""
    try:
        data: Mapping[str, Any] = parse_card(text, NAME).data
    except InputError:  # what was typed makes the text unreadable; it stands in the fields all the same
        data = {}
    known = {one.path: one for one in fields_in(form_of(record(), data))}
    own = words or {}
    chosen = [known[path] for path in paths if path in known]
    return tuple(
        replace(one, label=own[one.path][0], hint=own[one.path][1]) if one.path in own else one for one in chosen
    )


def retyped(shown: Iterable[FormField], typed: Mapping[str, str]) -> tuple[FormField, ...]:
    """The fields with what was typed into them, so that nothing is lost where something is wrong."""
    return tuple(replace(one, value=_printable(typed.get(one.path, one.value))) for one in shown)


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\r\t")


def faulty(shown: tuple[FormField, ...], problem: InputError, also: Mapping[str, str] | None = None) -> Group:
    """The fields as a form, with what is wrong at its place; ``also``: places of faults that are not here."""
    field = (also or {}).get(problem.field or "", problem.field)
    return with_fault(Group("", "", shown), InputError(problem.text, field=field))


def choice(value: object, title: object) -> dict[str, Any]:
    """One choice of a list: what is sent, and what is read."""
    return {"value": value, "title": title}


def disease_choices(visit: Visit, *, labels: bool = False) -> list[dict[str, Any]]:
    """The diseases by their names in a language; with ``labels`` also those that only labels know."""
    from vein2vein.web.family.plain_faults import told_apart
    from vein2vein.web.plain_words import own_text

    words = Words(visit.words.catalog)
    listed = [
        choice(name, told_apart(visit.words, name, own_text(words.name(name, one.title))))
        for name, one in all_diseases().items()
    ]
    if labels:
        listed += [choice(name, own_text(words.name(name, one.title))) for name, one in label_diseases().items()]
    return listed


def saved(visit: Visit, there: Input, text: str, typed: Typed, name: str) -> Input:
    """Keep a changed file, unless it was changed elsewhere in between."""
    return visit.workspace.save(there.id, text, based_on=typed.get(BASED_ON, there.digest), name=name)
