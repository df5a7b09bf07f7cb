"""Forms made from declared cards: every field with its meaning, unit, bounds and choices, as the card declares it.

``form_of(kind, data)`` walks a kind of card (``declared.Record``) beside what a file of that kind holds; a field that
is added to the card stands in the form by itself. What is typed goes back into the text of the file (``form_text.py``),
and the file is read by its own reader: a form checks nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast, get_args, get_origin

from vein2vein.declared import Field, Form, Record, fields_of, words
from vein2vein.errors import InputError
from vein2vein.therapy.vocabulary import ANTIGENS
from vein2vein.web.names_only import without_paths

MOST_CHOICES = 400
NUMBER, WHOLE, CHOICE, TEXT, FLAG, LIST, TABLE = "number", "whole", "choice", "text", "flag", "list", "table"
VALUE = "value"  # a number, or a text that is none
_DOTTED = tuple(name for name in ANTIGENS if "." in name)  # names that hold what divides the parts of a path


@dataclass(frozen=True)
class FormField:
    """One field of a form.

    Attributes
    ----------
    path : str
        Its place in the card, with dots: the name under which it is sent.
    name, label, hint : str
        Its name in the card, what it means, and what else is said about it; English words.
    kind : str
        number, whole, choice, text, value, flag, list or table (of plain values, one a line).
    unit : str
        "" for none.
    low, high : float, optional
        Bounds; ``open_low``, ``open_high`` where the bound itself does not belong to it.
    choices : tuple of str
    needed : bool
    value : str
        As it is typed.
    fault : str
        What is wrong with it.
    slider : tuple of float, optional
        From, to, step.
    stands : float, optional
        Where the slider stands: the value in the unit of the field.
    suggested : tuple of str
        What is offered; anything else may be typed, too.
    called : mapping of str to str
        What a choice is called, where its name alone says little.
    """

    path: str
    name: str
    label: str
    kind: str
    hint: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False
    choices: tuple[str, ...] = ()
    needed: bool = False
    value: str = ""
    fault: str = ""
    slider: tuple[float, float, float] | None = None
    stands: float | None = None
    suggested: tuple[str, ...] = ()
    called: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Group:
    """A table of a card: its fields, the tables inside, and what can be added.

    Attributes
    ----------
    path, label : str
    fields : tuple of FormField
    groups : tuple of Group
    many : bool
        Whether it holds several alike, one of which can be added.
    names : tuple of str
        Names that one to be added may have; empty where any may stand, or none is needed.
    named : bool
        Whether one to be added needs a name.
    removable : bool
    fault : str
        What is wrong with the table itself.
    """

    path: str
    label: str
    fields: tuple[FormField, ...] = ()
    groups: tuple[Group, ...] = ()
    many: bool = False
    names: tuple[str, ...] = ()
    named: bool = False
    removable: bool = False
    fault: str = ""


def form_of(
    kind: type[Record],
    data: Mapping[str, Any],
    *,
    only: Sequence[str] = (),
    leave: Sequence[str] = (),
    sliders: Mapping[str, tuple[float, float, float]] | None = None,
    suggested: Mapping[str, Sequence[str]] | None = None,
    problem: InputError | None = None,
) -> Group:
    """Make the form of a kind of card.

    Parameters
    ----------
    kind : type of Record
        As ``patient_card()`` or ``Product``.
    data : mapping
        What a file of this kind holds; ``{}`` for an empty form.
    only, leave : sequence of str
        Fields of the card to show, or not to show; by default all.
    sliders : mapping of path to (from, to, step)
        Numbers that are also dragged.
    suggested : mapping of path to sequence of str
        What is offered for a text, such as the names of the diseases.
    problem : InputError, optional
        What the reader of the card said: its sentence stands at the field that it names.
    """
    made = _group(kind, data, "", "", ())
    if only or leave:
        made = _chosen(made, only, leave)
    if sliders or suggested:
        made = _with_help(made, sliders or {}, suggested or {})
    return made if problem is None else with_fault(made, problem)


def fields_in(group: Group) -> Iterator[FormField]:
    """Every field of a form, with those of the tables inside."""
    yield from group.fields
    for inside in group.groups:
        yield from fields_in(inside)


def with_fault(group: Group, problem: InputError) -> Group:
    """Put what is wrong at its field, else at its table, else at the form."""
    place = problem.field or ""
    while place:
        changed = _put(group, place, problem.text)
        if changed != group:
            return changed
        place = place.rpartition(".")[0]
    return replace(group, fault=str(problem) if problem.field else problem.text)


def shown(value: Any) -> str:
    """A value of a card as it stands in a field."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        items = cast("Sequence[Any]", value)
        plain = all(isinstance(one, str | int | float) and "," not in str(one) for one in items)
        return ", ".join(shown(one) for one in items) if plain else _literal(items)
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def _literal(value: Any) -> str:
    import tomlkit

    return str(cast("Any", tomlkit.item(value)).as_string())


def _group(kind: type[Record], data: Mapping[str, Any], path: str, label: str, given: tuple[str, ...]) -> Group:
    fields: list[FormField] = []
    groups: list[Group] = []
    for one in fields_of(kind):
        if one.name in given:
            continue
        here, value = f"{path}{one.label}", data.get(one.label)
        if one.says.form is not None:
            groups.append(_formed(one, one.says.form, value, here))
        elif (inside := _record(one.type)) is not None:
            groups.append(_group(inside, _mapping(value), f"{here}.", one.says.meaning, ()))
        elif get_origin(one.type) is tuple and (inside := _record(get_args(one.type)[0])) is not None:
            rows = cast("list[Any]", value) if isinstance(value, list) else []
            parts = tuple(
                replace(_group(inside, _mapping(row), f"{here}.{i}.", _name_of(row, i), ()), removable=True)
                for i, row in enumerate(rows)
            )
            groups.append(Group(here, one.says.meaning, groups=parts, many=True))
        elif get_origin(one.type) in (dict, Mapping):
            groups.append(_table(one, value, here))
        else:
            fields.append(_field(one, value, here))
    return Group(path.rstrip("."), label, tuple(fields), tuple(groups))


def _field(one: Field, value: Any, path: str) -> FormField:
    says = one.says
    label, _, hint = without_paths(says.meaning).partition("; ")
    choices = tuple(words(says.choices) or ())
    made = FormField(
        path, one.label, label, _kind(one, choices), hint, "" if says.unit in (None, "1") else says.unit,
        needed=one.required, value="" if value is None else shown(value),
        choices=choices if len(choices) <= MOST_CHOICES else (),
    )  # fmt: skip
    if made.kind == LIST:
        return replace(made, hint="; ".join(part for part in (hint, f"a list of {says.example}") if part))
    low = says.low if math.isfinite(says.low) else says.above if math.isfinite(says.above) else None
    high = says.high if math.isfinite(says.high) else says.below if math.isfinite(says.below) else None
    return replace(made, low=low, high=high, open_low=math.isfinite(says.above), open_high=math.isfinite(says.below))


def _kind(one: Field, choices: tuple[str, ...]) -> str:
    if one.type in (float, int):
        return WHOLE if one.type is int else NUMBER
    if one.type is bool:
        return FLAG
    if get_origin(one.type) is tuple:
        return LIST
    return CHOICE if one.type is str and choices else TEXT


def _table(one: Field, value: Any, path: str) -> Group:
    """A table of records or plain values, each under its name."""
    held, names = _mapping(value), words(one.says.names)
    inside = _record(get_args(one.type)[1])
    if inside is not None:
        parts = tuple(
            replace(_group(inside, _mapping(row), f"{path}.{name}.", name, ()), removable=True)
            for name, row in held.items()
        )
        return Group(path, one.says.meaning, groups=parts, many=True, named=True, names=tuple(names or ()))
    if names is None:
        lines = "\n".join(f"{name} = {_literal(item)}" for name, item in held.items())
        return Group(path, one.says.meaning, (FormField(path, one.label, one.says.meaning, TABLE, value=lines),))
    plain = tuple(
        FormField(f"{path}.{name}", name, name, VALUE, value=shown(held[name]) if name in held else "")
        for name in names
    )
    return Group(path, one.says.meaning, plain)


def _formed(one: Field, form: Form, value: Any, path: str) -> Group:
    """What a card writes in another shape: tables of one kind or of several, told apart by a field."""
    held, kinds = _mapping(value), form.kinds()
    if not form.each:
        return _group(_of_kind(kinds, form, held), held, f"{path}.", one.says.meaning, form.given)
    parts = tuple(
        replace(
            _group(_of_kind(kinds, form, _mapping(row)), _mapping(row), f"{path}.{name}.", name, form.given),
            removable=True,
        )
        for name, row in held.items()
    )
    return Group(path, one.says.meaning, groups=parts, many=True, named=True, names=tuple(words(form.names) or ()))


def _of_kind(kinds: Mapping[str, type[Record]], form: Form, row: Mapping[str, Any]) -> type[Record]:
    chosen = str(row.get(form.tag, "")) if form.tag else ""
    return kinds.get(chosen) or next(iter(kinds.values()))


def _record(kind: Any) -> type[Record] | None:
    return kind if isinstance(kind, type) and issubclass(kind, Record) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _name_of(row: Any, index: int) -> str:
    told = _mapping(row)
    return str(told.get("title") or told.get("name") or index + 1)


def _chosen(group: Group, only: Sequence[str], leave: Sequence[str]) -> Group:
    def wanted(path: str) -> bool:
        return (not only or path in only) and path not in leave

    return replace(
        group,
        fields=tuple(one for one in group.fields if wanted(one.path)),
        groups=tuple(one for one in group.groups if wanted(one.path)),
    )


def _with_help(
    group: Group, sliders: Mapping[str, tuple[float, float, float]], suggested: Mapping[str, Sequence[str]]
) -> Group:
    helped = tuple(
        replace(
            one, slider=sliders.get(one.path), suggested=tuple(suggested.get(one.path, ())),
            stands=in_unit(one) if one.path in sliders else None,
        )
        for one in group.fields
    )  # fmt: skip
    return replace(group, fields=helped, groups=tuple(_with_help(one, sliders, suggested) for one in group.groups))


def in_unit(one: FormField) -> float | None:
    """A typed value as a number in the unit of its field; None for what is none."""
    from vein2vein.units import convert

    number, _, unit = one.value.partition(" ")
    try:
        found = float(number)
        found = convert(found, unit.strip(), one.unit) if unit.strip() and one.unit else found
    except (ValueError, InputError):
        return None
    return found if math.isfinite(found) else None


def _put(group: Group, path: str, text: str) -> Group:
    if group.path == path and path:
        return replace(group, fault=text)
    return replace(
        group,
        fields=tuple(replace(one, fault=text) if one.path == path else one for one in group.fields),
        groups=tuple(_put(one, path, text) for one in group.groups),
    )


def parts_of(path: str) -> list[str]:
    """The keys of a path, from the outermost: "antigens.CLDN18.2" has two."""
    for name in _DOTTED:
        path = path.replace(name, name.replace(".", "\0"))
    return [part.replace("\0", ".") for part in path.split(".")]
