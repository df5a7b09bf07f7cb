"""A form and the text of its file are two views of one thing: what is typed goes into the text; comments, order stay.

A number is written as a number, "39 kg" as a text (its reader converts it), a list as a list; a field that was emptied
is taken out. Whatever is typed is taken up as it is: the reader of the card says what is wrong with it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from vein2vein.cards import parse_card
from vein2vein.declared import Record
from vein2vein.errors import InputError
from vein2vein.web.fields import FLAG, LIST, NUMBER, TABLE, VALUE, WHOLE, FormField, fields_in, form_of, parts_of

if TYPE_CHECKING:  # the library is loaded with the first form that is sent
    from tomlkit.toml_document import TOMLDocument

ADD, ADD_NAME, REMOVE = "add", "add_name:", "remove"
"""Names of the buttons that add and remove a table, and of the field with the name of one to be added."""
LONGEST_KEY = 120
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def with_typed(kind: type[Record], text: str, typed: Mapping[str, str]) -> str:
    """Put what a form sent into the text of its file.

    Parameters
    ----------
    kind : type of Record
    text : str
        The file as it was; "" for a new one.
    typed : mapping of str to str
        By the path of the field. A field that was not sent stays as it is, an empty one is taken out. ``add`` and
        ``remove`` name a table to be added or removed.

    Raises
    ------
    InputError
        The text is no TOML: file and line.
    """
    import tomlkit

    data = parse_card(text, "the file").data
    document = tomlkit.parse(text)
    for field in fields_in(form_of(kind, data)):
        if field.path in typed and typed[field.path].strip() != field.value:
            _set(document, field, typed[field.path].strip())
    if path := typed.get(REMOVE, "").strip():
        _remove(document, parts_of(path))
    if path := typed.get(ADD, "").strip():
        _add(kind, document, path, typed.get(f"{ADD_NAME}{path}", "").strip(), data)
    return tomlkit.dumps(document)


def value_of(field: FormField, typed: str) -> Any:
    """What is typed, as the file holds it."""
    if field.kind in (NUMBER, WHOLE, VALUE):
        return _plain_number(typed)
    if field.kind == FLAG:
        return {"true": True, "false": False}.get(typed, typed)
    if field.kind == LIST:
        return _list(typed)
    if field.kind == TABLE:
        return _lines(typed)
    return typed


def _plain_number(typed: str) -> int | float | str:
    if not _NUMBER.fullmatch(typed):
        return typed
    number = float(typed)
    if not math.isfinite(number):
        return typed
    return int(typed) if re.fullmatch(r"[+-]?\d{1,18}", typed) else number


def _list(typed: str) -> Any:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    if typed.startswith("["):
        try:
            return tomlkit.parse(f"x = {typed}")["x"].unwrap()
        except (TOMLKitError, ValueError):
            return typed
    return [_plain_number(one.strip()) for one in typed.split(",") if one.strip()]


def _lines(typed: str) -> Any:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(typed).unwrap()
    except (TOMLKitError, ValueError):
        return typed


def _set(document: TOMLDocument, field: FormField, typed: str) -> None:
    *above, last = parts_of(field.path)
    place = _table_at(document, above, make=bool(typed))
    if place is None:
        return
    if typed:
        place[last] = value_of(field, typed)
    elif last in place:
        del place[last]
        _drop_empty(document, above)


def _table_at(document: TOMLDocument, path: list[str], *, make: bool) -> Any:
    import tomlkit

    here: Any = document
    for part in path:
        if _is_rows(here):
            if not part.isdigit() or int(part) >= len(here):
                return None
            here = here[int(part)]
            continue
        if part not in here:
            if not make:
                return None
            here[part] = tomlkit.table()
        here = here[part]
        if not (isinstance(cast("object", here), Mapping) or _is_rows(here)):
            return None
    return None if _is_rows(here) else here


def _is_rows(value: Any) -> bool:
    return isinstance(value, list)


def _drop_empty(document: TOMLDocument, path: list[str]) -> None:
    """Take out tables that hold nothing any more; rows of a list stay until they are removed."""
    from tomlkit.items import Table

    while path:
        *above, last = path
        place, here = _table_at(document, above, make=False), _table_at(document, path, make=False)
        if place is None or not isinstance(here, Table) or len(here) or last not in place:
            return
        del place[last]
        path = above


def _remove(document: TOMLDocument, path: list[str]) -> None:
    *above, last = path
    if not last.isdigit():
        place = _table_at(document, above, make=False)
        if place is not None and last in place:
            del place[last]
        return
    *higher, name = above
    place = _table_at(document, higher, make=False)
    if place is None or not isinstance(rows := place.get(name), list):
        return
    rows = cast("list[Any]", rows)
    if int(last) < len(rows):
        del rows[int(last)]
        if not len(rows):
            del place[name]


def _add(kind: type[Record], document: TOMLDocument, path: str, name: str, data: Mapping[str, Any]) -> None:
    """Add an empty table: a row of a list, or one under a name."""
    import tomlkit

    found = [one for one in _groups(form_of(kind, data)) if one.path == path and one.many]
    if not found:
        raise InputError(f"there is nothing to add at '{path}'; use the form of the page.", field=path)
    *above, last = parts_of(path)
    place = _table_at(document, above, make=True)
    if place is None:
        return
    if not found[0].named:
        rows = place.setdefault(last, tomlkit.aot())
        rows.append(tomlkit.table())
        return
    if not name or len(name) > LONGEST_KEY or not name.isprintable():
        raise InputError("give the name of what is to be added.", field=path)
    table = place.setdefault(last, tomlkit.table())
    if name not in table:
        table[name] = tomlkit.table()


def _groups(group: Any) -> list[Any]:
    return [group, *(inside for one in group.groups for inside in _groups(one))]
