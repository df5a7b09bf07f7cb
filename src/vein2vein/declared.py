"""Declared records: what a card may hold, said once; reading, checks and schema follow from it.

A kind of card is a ``Record`` whose fields say what they mean, their unit, bounds and choices::

    @dataclass(frozen=True)
    class Drug(Record):
        name: Annotated[str, text("Drug of the regimen", drugs, label="drug")]
        dose: Annotated[float, number("Dose on each of the days", "mg/m^2", above=0)]

``read`` makes the record from a table of a card: unknown names, missing fields, units and every fault with file, line
and field. Made in Python, the same record meets the same checks. ``schema`` in ``card_schema`` writes it for editors.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Annotated, Any, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

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
    filled: bool = False,
) -> Says:  # fmt: skip
    """Declare a list; bounds and choices hold for each item, ``filled`` asks for one at least."""
    return Says(
        meaning, unit, low, high, above, below, choices=choices, example=example, ascending=ascending, filled=filled
    )


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
            if not _is(value, one.default) and (found := _fault(one, one.type, value)):
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


Kind = TypeVar("Kind", bound=Record)


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
    return isinstance(value, float) and isinstance(default, float) and (value == default or value != value != default)


# Checking


def _fault(one: Field, kind: Any, value: Any) -> tuple[tuple[str, ...], str] | None:
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
        said = text_fault(one.label, value, words(says.choices))
        return ((), said) if said else None
    if kind is bool:
        return ((), flag_fault(value)) if flag_fault(value) else None
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
        return (), f"found an empty list, expected {_a_list(one)}."
    open_ended = len(inside) == 2 and inside[1] is Ellipsis
    if not open_ended and len(value) != len(inside):
        return (), f"found {shown(list(value))}, expected {len(inside)} values, as in {says.example}."
    for i, item in enumerate(value):
        if found := _fault(one, inside[0] if open_ended else inside[i], item):
            return (str(i), *found[0]), found[1]
    if says.ascending and list(value) != sorted(set(value)):
        return (), f"found {shown(list(value))}, expected {says.example} in ascending order."
    return None


def _fault_of_table(one: Field, inside: Any, value: Any) -> tuple[tuple[str, ...], str] | None:
    if not isinstance(value, Mapping):
        return (), f"found {shown(value)}, expected a table."
    for name, item in value.items():
        if found := _fault(one, inside, item):
            return (str(name), *found[0]), found[1]
    return None


# Reading


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
    if path:
        card.table(*path)
    asked = [one for one in fields_of(kind) if one.name not in given]
    card.refuse_unknown([one.label for one in asked], *path)
    values, missing = dict(given), list[Field]()
    for one in asked:
        here = (*path, one.label)
        raw = card.get(*here)
        form = one.says.form
        if raw is None and not (form and form.absent):
            missing += [one] if one.required else []
            continue
        values[one.name] = form.read(card, here) if form else _made(card, one, one.type, raw, here)
    if missing:
        _refuse_missing(card, missing, [(one, values[one.name]) for one in asked if one.name in values], path)
    with located(card, *path):
        return kind(**values)


def _refuse_missing(
    card: Card, missing: list[Field], there: list[tuple[Field, Any]], path: tuple[str, ...]
) -> NoReturn:
    """Refuse a field that is missing, after what is wrong with those that are there."""
    for one, value in there:
        if found := _fault(one, one.type, value):
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


def _made(card: Card, one: Field, kind: Any, raw: Any, path: tuple[str, ...]) -> Any:
    """The value of a field from what the card holds; what does not fit is left for the record to refuse."""
    says = one.says
    if kind in (float, int):
        value = card.converted(raw, says.unit, *path, expected=says.expected)
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
