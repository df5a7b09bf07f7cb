"""Declared records read from a card: every fault with file, line, field and the way to mend it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar, get_args, get_origin

from vein2vein.cards import Card
from vein2vein.declared import Field, Record, expectation, fault_of, fields_of, words
from vein2vein.errors import InputError
from vein2vein.faults import shown

Kind = TypeVar("Kind", bound=Record)


def read(card: Card, kind: type[Kind], *path: str, given: Mapping[str, Any] | None = None) -> Kind:
    """Read a record from a table of a card.

    Parameters
    ----------
    card : Card
    kind : type of Record
    path : str
        Table; none: the whole card.
    given : mapping of str to object, optional
        Fields that do not stand in the table, such as a name that is the table's own.

    Raises
    ------
    InputError
        A name is unknown, a field missing or wrong: file, line, field and how to mend it.
    """
    given = given or {}
    table: Mapping[str, Any] = card.table(*path) if path else card.data
    asked = [one for one in fields_of(kind) if one.name not in given]
    card.refuse_unknown([one.label for one in asked], *path)
    values, missing = dict(given), list[Field]()
    for one in asked:
        here, raw = (*path, one.label), table.get(one.label)
        form = one.says.form
        if raw is None and not (form and form.absent):
            missing += [one] if one.required else []
            continue
        values[one.name] = form.read(card, here) if form else _made(card, one, one.type, raw, here)
    for one in asked:  # what stands in a card is given, even where it is the default for "not given"
        if isinstance(value := values.get(one.name), float) and math.isnan(value) and one.name not in given:
            raise card.error((*path, one.label), f"found nan, expected {one.says.expected}.")
    if missing:
        _refuse_missing(card, missing, [(one, values[one.name]) for one in asked if one.name in values], path)
    with located(card, *path):
        return kind(**values)


def _refuse_missing(
    card: Card, missing: list[Field], there: list[tuple[Field, Any]], path: tuple[str, ...]
) -> NoReturn:
    """Refuse a field that is missing, after what is wrong with those that are there."""
    for one, value in there:
        if found := fault_of(one, one.type, value):
            raise card.error((*path, one.label, *found[0]), found[1])
    here, expected = (*path, missing[0].label), expectation(missing[0])
    raise card.error(here, f"missing; expected {expected}. Add the line '{here[-1]} = ...'.")


class located:
    """Give an error of a record the file and the line of the table that it was read from."""

    def __init__(self, card: Card, *path: str) -> None:
        self.card, self.path = card, path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, InputError) and problem.file is None:
            inside = tuple(problem.field.split(".")) if problem.field else ()
            raise self.card.error((*self.path, *inside), problem.text) from None


def _made(card: Card, one: Field, kind: Any, raw: Any, path: tuple[str, ...]) -> Any:
    """The value of a field from what the card holds; what does not fit is left for the record to refuse."""
    says = one.says
    if kind in (float, int):
        value = card.converted(raw, says.unit, *path, expected=says.expected) if isinstance(raw, str) else raw
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        try:
            number = float(value)
        except OverflowError:
            return value
        return int(number) if kind is int and math.isfinite(number) and number == int(number) else number
    if get_origin(kind) is tuple and isinstance(raw, list):
        inside = get_args(kind)
        open_ended = len(inside) == 2 and inside[1] is Ellipsis
        kinds = [inside[0]] * len(raw) if open_ended else [*inside, *([object] * len(raw))]
        return tuple(_made(card, one, kinds[i], item, (*path, str(i))) for i, item in enumerate(raw))
    if isinstance(kind, type) and issubclass(kind, Record):
        if not isinstance(raw, Mapping):
            example = f" such as {says.example}" if says.example else ""
            raise card.error(path, f"found {shown(raw)}, expected a table{example}.")
        return read(card, kind, *path)
    if get_origin(kind) in (dict, Mapping) and isinstance(raw, Mapping):
        if (names := words(says.names)) is not None:
            card.refuse_unknown(names, *path)
        inside = get_args(kind)[1]
        return {name: _made(card, one, inside, item, (*path, name)) for name, item in raw.items()}
    return raw


def read_tagged(card: Card, kinds: Mapping[str, type[Kind]], tag: str, *path: str) -> Kind:
    """Read a table whose field ``tag`` names its kind."""
    card.table(*path)
    return read(card, kinds[card.string(*path, tag, choices=kinds)], *path)
