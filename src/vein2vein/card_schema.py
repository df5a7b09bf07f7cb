"""What declarations say to an editor and a reader: a JSON Schema of a kind of card, and its fields as rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from vein2vein.declared import Field, Form, Record, Says, fields_of, words

DIALECT = "http://json-schema.org/draft-07/schema#"
_QUANTITY = r"^\s*[+-]?[.,]?\d"  # text in place of a number begins with one: "39 kg"


def schema(kind: type[Record], title: str) -> dict[str, Any]:
    """Write the JSON Schema (draft 7) of a kind of card.

    Parameters
    ----------
    kind : type of Record
    title : str
        What such a card is.
    """
    known: dict[str, Any] = {}
    whole = _table(kind, known, ())
    return {"$schema": DIALECT, "title": title, **whole, "definitions": dict(sorted(known.items()))}


def _table(
    kind: type[Record], known: dict[str, Any], given: tuple[str, ...], tag: tuple[str, str] | None = None
) -> Any:
    """The schema of a table of this kind; tables inside are noted in ``known`` by name."""
    properties: dict[str, Any] = {}
    required = []
    for one in fields_of(kind):
        if one.name in given:
            continue
        properties[one.label] = _property(one, known)
        required += [one.label] if one.required and not (one.says.form and one.says.form.absent) else []
    found = {
        "type": "object",
        "description": _first_line(kind),
        "properties": properties,
        "additionalProperties": False,
    }
    return {**found, "required": required} if required else found


def _first_line(kind: type[Record]) -> str:
    """What a kind is; one that was made while running is what its base is."""
    said = (one.__doc__ or "" for one in kind.__mro__ if not (one.__doc__ or "").startswith(f"{one.__name__}("))
    return next(said).strip().split("\n")[0]


def _property(one: Field, known: dict[str, Any]) -> dict[str, Any]:
    says = one.says
    found = _form(says.form, known) if says.form else _of(one.type, says, known)
    if "enum" in found and one.default == "":
        found = {**found, "enum": [*found["enum"], ""]}  # the default may be written out
    said = f"{says.meaning} ({says.unit})" if says.unit not in (None, "", "1") else says.meaning
    return {"description": said, **({"allOf": [found]} if "$ref" in found else found)}


def _of(kind: Any, says: Says, known: dict[str, Any]) -> dict[str, Any]:
    if kind in (float, int):
        return _number(kind, says)
    if kind is bool:
        return {"type": "boolean"}
    if kind is str:
        choices = words(says.choices)
        return {"type": "string"} if choices is None else {"type": "string", "enum": list(choices)}
    if isinstance(kind, type) and issubclass(kind, Record):
        return _reference(kind, known)
    if get_origin(kind) is tuple:
        inside = get_args(kind)
        if inside[1:] == (Ellipsis,):
            return {"type": "array", "items": _of(inside[0], says, known), **({"minItems": 1} if says.filled else {})}
        count = len(inside)
        return {"type": "array", "items": _of(inside[0], says, known), "minItems": count, "maxItems": count}
    if get_origin(kind) in (dict, Mapping):
        inside = _of(get_args(kind)[1], says, known)
        names = words(says.names)
        if names is None:
            return {"type": "object", "additionalProperties": inside}
        return {"type": "object", "properties": dict.fromkeys(names, inside), "additionalProperties": False}
    return {}


def _number(kind: Any, says: Says) -> dict[str, Any]:
    ends = {"minimum": says.low, "maximum": says.high, "exclusiveMinimum": says.above, "exclusiveMaximum": says.below}
    plain = "integer" if kind is int else "number"
    with_unit = says.unit not in (None, "", "1")  # text such as "39 kg" is converted
    return {
        "type": [plain, "string"] if with_unit else plain,
        **({"pattern": _QUANTITY} if with_unit else {}),
        **{name: value for name, value in ends.items() if math.isfinite(value)},
    }


def _reference(kind: type[Record], known: dict[str, Any], given: tuple[str, ...] = ()) -> dict[str, Any]:
    name = kind.__name__
    if name not in known:
        known[name] = {}
        known[name] = _table(kind, known, given)
    return {"$ref": f"#/definitions/{name}"}


def _form(form: Form, known: dict[str, Any]) -> dict[str, Any]:
    kinds = form.kinds()
    references = []
    for tag, kind in kinds.items():
        references.append(_reference(kind, known, form.given))
        if form.tag:
            known[kind.__name__]["properties"][form.tag]["const"] = tag
    one = references[0] if len(references) == 1 else {"oneOf": references}
    if not form.each:
        return one
    names = words(form.names)
    if names is None:
        return {"type": "object", "additionalProperties": one}
    about = form.about or (lambda name: {})
    each = {name: _named(one, about(name)) for name in names}
    return {"type": "object", "properties": each, "additionalProperties": False}


def _named(one: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """The schema of a table whose name adds to what its kind says."""
    inside = {key: value for key, value in about.items() if key != "description"}
    said = {"description": about["description"]} if "description" in about else {}
    return {**said, "allOf": [one, inside] if inside else [one]}


# For readers


@dataclass(frozen=True)
class Row:
    """A field as a page lists it."""

    field: str
    takes: str
    needed: bool
    meaning: str


def rows(kind: type[Record], path: str = "") -> Iterator[Row]:
    """Every field of a kind of card, with those of the tables inside."""
    for one in fields_of(kind):
        if one.says.form:
            yield from _form_rows(one, path)
            continue
        inside = _record_inside(one.type)
        several = get_origin(one.type) is tuple and inside is not None
        name = f"{path}{one.label}"
        yield Row(name, _takes(one, inside, several), one.required, one.says.meaning)
        if inside is not None:
            yield from rows(inside, f"{name}[]." if several else f"{name}.")


def _form_rows(one: Field, path: str) -> Iterator[Row]:
    form = one.says.form
    assert form is not None
    name = f"{path}{one.label}"
    takes = "a table for each, under its name" if form.each else "a table"
    yield Row(name, takes, one.required and not form.absent, one.says.meaning)
    for tag, kind in form.kinds().items():
        inner = f"{name}.NAME." if form.each else f"{name}."
        for row in rows(kind, inner):
            if row.field.removeprefix(inner) in form.given:
                continue
            yield Row(row.field + (f" ({tag})" if tag else ""), row.takes, row.needed, row.meaning)


def _record_inside(kind: Any) -> type[Record] | None:
    inside = get_args(kind)[0] if get_origin(kind) is tuple else kind
    return inside if isinstance(inside, type) and issubclass(inside, Record) else None


def _takes(one: Field, inside: type[Record] | None, several: bool) -> str:
    says = one.says
    if inside is not None:
        return "tables" if several else "a table"
    if one.type in (float, int):
        return says.expected
    if one.type is bool:
        return "true or false"
    if get_origin(one.type) is tuple:
        return f"a list of {says.example}"
    if get_origin(one.type) in (dict, Mapping):
        return "a table"
    choices = words(says.choices)
    return "text" if choices is None else "one of " + ", ".join(choices)
