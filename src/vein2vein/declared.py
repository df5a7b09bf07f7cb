"""Declared records: what a card may hold, said once; reading, checks and schema follow from it.

A kind of card is a ``Record`` whose fields say what they mean, their unit, bounds and choices::

    @dataclass(frozen=True)
    class Drug(Record):
        name: Annotated[str, text("Drug of the regimen", drugs, label="drug")]
        dose: Annotated[float, number("Dose on each of the days", "mg/m^2", above=0)]

``card_reading.read`` makes the record from a table of a card: unknown names, missing fields, units and every fault with
file, line and field. Made in Python, the same record meets the same checks. ``card_schema`` writes it for editors.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from vein2vein.cards import Card
from vein2vein.errors import InputError
from vein2vein.faults import expected_number, flag_fault, number_fault, shown, text_fault
from vein2vein.sources import source

INF = math.inf
HOW = ("reported", "converted", "digitized", "fitted", "calibrated", "assumed")
Words = Collection[str] | Callable[[], Collection[str]]


@dataclass(frozen=True)
class Form:
    """How a card writes what a record holds in another shape.

    Attributes
    ----------
    read : callable
        ``read(card, path)`` makes the field's value.
    kinds : callable
        The records that a table may be, by the text of its field ``tag``; a single one under "".
    tag : str
        Field that says which kind a table is; "" where there is one kind.
    each : bool
        A table of such tables, each under its name.
    names : callable, optional
        Names that such tables may have.
    given : tuple of str
        Fields of the record that do not stand in the table.
    about : callable, optional
        What the schema says about a table of this name, besides what its kind says.
    """

    read: Callable[[Card, tuple[str, ...]], Any]
    kinds: Callable[[], Mapping[str, type[Record]]]
    tag: str = ""
    each: bool = False
    names: Words | None = None
    given: tuple[str, ...] = ()
    about: Callable[[str], dict[str, Any]] | None = None
    absent: bool = False  # it is read where the table is missing, too


@dataclass(frozen=True)
class Says:
    """What a declaration says about a field, besides its type."""

    meaning: str
    unit: str | None = None
    low: float = -INF
    high: float = INF
    above: float = -INF
    below: float = INF
    endless: bool = False
    choices: Words | None = None
    example: str = ""
    form: Form | None = None
    ascending: bool = False
    filled: bool = False
    names: Words | None = None
    label: str = ""  # name in a card, where it is another than the attribute's
    each: str = ""  # what one of a list is called

    @property
    def expected(self) -> str:
        """A number of this field, in words."""
        return expected_number(self.unit, self.low, self.high, above=self.above, below=self.below)


def words(given: Words | None) -> Collection[str] | None:
    """A closed list of words, asked for where it is not known before; None where any word may stand."""
    return given() if callable(given) else given


def number(
    meaning: str, unit: str | None = None, low: float = -INF, high: float = INF, *, above: float = -INF,
    below: float = INF, endless: bool = False,
) -> Says:  # fmt: skip
    """Declare a number: its meaning, canonical unit and bounds."""
    return Says(meaning, unit, low, high, above, below, endless)


def text(meaning: str, choices: Words | None = None, *, label: str = "") -> Says:
    """Declare a text, of a closed list where there is one."""
    return Says(meaning, choices=choices, label=label)


def flag(meaning: str) -> Says:
    """Declare yes or no."""
    return Says(meaning)


def listed(
    meaning: str, example: str, *, unit: str | None = None, low: float = -INF, high: float = INF,
    above: float = -INF, below: float = INF, choices: Words | None = None, ascending: bool = False,
    filled: bool = False, each: str = "",
) -> Says:  # fmt: skip
    """Declare a list; bounds and choices hold for each item, called ``each``; ``filled`` asks for one at least."""
    return Says(
        meaning, unit, low, high, above, below, choices=choices, example=example, ascending=ascending, filled=filled,
        each=each,
    )  # fmt: skip


def part(meaning: str, example: str = "", *, filled: bool = False, names: Words | None = None) -> Says:
    """Declare a table inside, or a list of tables; ``names`` are those that a table of tables or texts may have."""
    return Says(meaning, example=example, filled=filled, names=names)


def formed(meaning: str, form: Form) -> Says:
    """Declare a field that a card writes in another shape."""
    return Says(meaning, form=form)


@dataclass(frozen=True)
class Field:
    """A field of a record: its attribute, its name in a card, its type, what is said, whether it must be there."""

    name: str
    label: str
    type: Any
    says: Says
    required: bool
    default: Any = None


@dataclass(frozen=True)
class Record:
    """A record that checks itself wherever it is made: a base of frozen dataclasses.

    ``faults`` of a kind yields what its fields together get wrong: (field, sentence).
    """

    def faults(self) -> Iterator[tuple[str, str]]:
        """What fields get wrong together."""
        return iter(())

    def __post_init__(self) -> None:
        for one in fields_of(type(self)):
            value = getattr(self, one.name)
            if value is not one.default and not _is(value, one.default) and (found := fault_of(one, one.type, value)):
                where, said = found
                raise InputError(said, field=".".join((one.label, *where)))
        for where, said in self.faults():
            raise InputError(said, field=where)


@dataclass(frozen=True, kw_only=True)
class Sourced(Record):
    """A record that says where it comes from."""

    how: Annotated[str, text("How it was obtained", HOW)]
    source: Annotated[str, text("Key of the source in sources.bib")] = ""
    where: Annotated[str, text("Place in the source")] = ""
    why: Annotated[str, text("Reasoning behind what is assumed")] = ""

    def faults(self) -> Iterator[tuple[str, str]]:
        """Its provenance is whole."""
        yield from unsourced(self.how, self.source, self.why)


@dataclass(frozen=True, kw_only=True)
class Noted(Record):
    """A record that may say where it comes from."""

    source: Annotated[str, text("Key of the source in sources.bib")] = ""
    where: Annotated[str, text("Place in the source")] = ""
    how: Annotated[str, text("How it was obtained", HOW)] = ""
    why: Annotated[str, text("Reasoning behind what is assumed")] = ""

    def faults(self) -> Iterator[tuple[str, str]]:
        """A provenance that is not whole."""
        yield from unsourced(self.how, self.source, self.why)


def unsourced(how: str, key: str, why: str, what: str = "a fact") -> Iterator[tuple[str, str]]:
    """What is missing of the provenance of a fact."""
    if how == "assumed" and not why:
        yield "why", f'missing; {what} that is assumed needs the reasoning behind it: add why = "...".'
    if how and how != "assumed" and not key:
        yield "source", f'missing; {what} that is not assumed needs its source: add source = "key".'
    if key:
        try:
            source(key)
        except InputError as problem:
            yield "source", problem.text


@cache
def fields_of(kind: type[Record]) -> tuple[Field, ...]:
    """The fields of a kind of record, in order."""
    hints = get_type_hints(kind, include_extras=True)
    found: list[Field] = []
    for one in fields(kind):
        base, says = _split(hints[one.name])
        required = one.default is MISSING and one.default_factory is MISSING
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        found.append(Field(one.name, says.label or one.name, base, says, required, default))
    return tuple(found)


def _split(hint: Any) -> tuple[Any, Says]:
    """A type without its declaration, and the declaration."""
    says = Says("")
    if get_origin(hint) in (Union, types.UnionType):
        inside = [one for one in get_args(hint) if one is not type(None)]
        if len(inside) == 1:
            return _split(inside[0])
    if get_origin(hint) is Annotated:
        base, *notes = get_args(hint)
        for note in notes:
            if isinstance(note, Says):
                says = note
        return _split(base)[0], says
    return hint, says


def _is(value: Any, default: Any) -> bool:
    """Whether a value is the default: nobody gave it."""
    if value is default:
        return True
    if not isinstance(value, float) or not isinstance(default, float):
        return False
    return value == default or (math.isnan(value) and math.isnan(default))


# Checking


def fault_of(one: Field, kind: Any, value: Any) -> tuple[tuple[str, ...], str] | None:
    """What is wrong with a value: where inside it, and the sentence."""
    says = one.says
    if says.form is not None:
        return None  # what stands there has checked itself
    if kind in (float, int):
        said = number_fault(
            value, says.unit, says.low, says.high, above=says.above, below=says.below, endless=says.endless,
            whole=kind is int,
        )  # fmt: skip
        return ((), said) if said else None
    if kind is str:
        said = text_fault(says.each or one.label, value, words(says.choices))
        return ((), said) if said else None
    if kind is bool:
        said = flag_fault(value)
        return ((), said) if said else None
    if get_origin(kind) is tuple:
        return _fault_of_list(one, get_args(kind), value)
    if isinstance(kind, type) and issubclass(kind, Record):
        return None if isinstance(value, kind) else ((), f"found {shown(value)}, expected a table.")
    if get_origin(kind) in (dict, Mapping):
        return _fault_of_table(one, get_args(kind)[1], value)
    return None


def _fault_of_list(one: Field, inside: tuple[Any, ...], value: Any) -> tuple[tuple[str, ...], str] | None:
    says = one.says
    if not isinstance(value, tuple | list):
        return (), f"found {shown(value)}, expected {_a_list(one)}."
    if says.filled and not value:
        return (), f"found an empty list, expected {_a_list(one)}{'' if one.required else '; or leave it out'}."
    open_ended = len(inside) == 2 and inside[1] is Ellipsis
    if not open_ended and len(value) != len(inside):
        return (), f"found {shown(list(value))}, expected {len(inside)} values, as in {says.example}."
    for i, item in enumerate(value):
        if found := fault_of(one, inside[0] if open_ended else inside[i], item):
            return (str(i), *found[0]), found[1]
    if says.ascending and list(value) != sorted(set(value)):
        return (), f"found {shown(list(value))}, expected {says.example} in ascending order."
    return None


def _fault_of_table(one: Field, inside: Any, value: Any) -> tuple[tuple[str, ...], str] | None:
    if not isinstance(value, Mapping):
        return (), f"found {shown(value)}, expected a table."
    for name, item in value.items():
        if found := fault_of(one, inside, item):
            return (str(name), *found[0]), found[1]
    return None


# In words


def expectation(one: Field) -> str:
    """What a field takes, in words."""
    says = one.says
    if says.form is not None or (isinstance(one.type, type) and issubclass(one.type, Record)):
        return "a table"
    if one.type in (float, int):
        return says.expected
    if one.type is bool:
        return "true or false"
    if get_origin(one.type) is tuple:
        return _a_list(one)
    if get_origin(one.type) in (dict, Mapping):
        return "a table"
    choices = words(says.choices)
    return "text" if choices is None else "one of " + ", ".join(choices)


def _a_list(one: Field) -> str:
    inside = get_args(one.type)[0]
    if isinstance(inside, type) and issubclass(inside, Record):
        return f"tables: write [[{one.label}]] above each"
    return f"a list of {one.says.example}"
