"""Resources of a FHIR bundle or NDJSON file one after the other, each with its line, also where the file breaks off."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from typing import NamedTuple, NoReturn, cast

from vein2vein.io.record.record import Log

Resource = dict[str, object]


class Found(NamedTuple):
    """A resource as it stands in a file.

    Attributes
    ----------
    line : int
    url : str
        Its full URL; "" where the entry has none.
    resource : object
        Whatever stands where a resource should; of a bundle what it holds besides its entries.
    entry : mapping
        What the entry of a bundle says besides its resource: request, response, search.
    twice : str
        A key that stands twice in one object of the resource, with two values; "" where none does.
    size : int
        Entries of a bundle; -1 for everything else.
    """

    line: int
    url: str
    resource: object
    entry: Resource
    twice: str = ""
    size: int = -1


_SPACE = re.compile(r"[ \t\r\n]*")
CUT = (
    "the JSON breaks off or is broken here; what stands before was read",
    "a whole file",
    "export or download the file again",
)
SHORTEST_LINE, BEGINNING = 20, 300  # letters of a line that may hold a resource, and of those that show a bundle
DEEP = ("nested too deeply", "a FHIR resource", "export the file again")


def _not_a_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


_twice: list[str] = []  # keys that stand twice in an object, as the decoder met them


def _pairs(pairs: list[tuple[str, object]]) -> Resource:
    found = dict(pairs)
    if len(found) != len(pairs):
        _twice.extend(key for key, value in pairs if value != found[key])
    return found


_DECODER = json.JSONDecoder(parse_constant=_not_a_number, object_pairs_hook=_pairs)


def table(value: object) -> Resource | None:
    """A JSON object; None where a value is none."""
    return cast("Resource", value) if isinstance(value, dict) else None


def tables(value: object) -> list[Resource]:
    """The objects of a list that may be absent; an object that stands where a list should is a list of one.

    Raises
    ------
    TypeError
        Neither: the resource is not as FHIR defines it.
    """
    if value is None:
        return []
    if isinstance(value, dict):
        return [cast("Resource", value)]
    if not isinstance(value, list):
        raise TypeError(f"found {type(value).__name__} where FHIR has a list")
    return [one for item in cast("list[object]", value) if (one := table(item)) is not None]


class _Broken(Exception):
    def __init__(self, at: int) -> None:
        self.at = at


class _Lines:
    """Line numbers of positions, counted from the one asked for before."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.line = text, 0, 1

    def of(self, position: int) -> int:
        if position >= self.at:
            self.line += self.text.count("\n", self.at, position)
        else:
            self.line -= self.text.count("\n", position, self.at)
        self.at = position
        return self.line


def resources(text: str, log: Log) -> Iterator[Found]:
    """Each entry of a bundle, each line of NDJSON, or each item of a list; bundles in bundles are opened."""
    for found in _outer(text, log):
        waiting = [found]
        while waiting:
            one = waiting.pop()
            inner = table(one.resource)
            if inner is None or inner.get("resourceType") != "Bundle" or one.size >= 0:
                yield one
                continue
            entries = tables(inner.pop("entry", None)) if isinstance(inner.get("entry"), list | dict) else []
            waiting.append(Found(one.line, one.url, inner, one.entry, one.twice, len(entries)))
            waiting += [_of_entry(one.line, entry, one.twice) for entry in reversed(entries)]


def _of_entry(line: int, entry: Resource, twice: str) -> Found:
    url = entry.get("fullUrl")
    rest = {key: value for key, value in entry.items() if key != "resource"}
    return Found(line, url if isinstance(url, str) else "", entry.get("resource"), rest, twice)


def _outer(text: str, log: Log) -> Iterator[Found]:
    lines = _Lines(text)
    at = _skip(text, 0)
    _twice.clear()
    while at < len(text):
        try:
            if text[at] == "[":
                at, _ = yield from _items(text, at, lines)
            elif text[at] == "{":
                whole = _line(text, at)
                if whole is None:
                    at = yield from _object(text, at, lines)
                else:
                    yield Found(lines.of(at), "", whole[0], {}, _told_twice())
                    at = whole[1]
            else:
                raise _Broken(at)
        except _Broken as broken:
            log.aside(lines.of(broken.at), "", CUT[0], text[broken.at : broken.at + 40], CUT[1], CUT[2])
            following = text.find("\n", at)
            if following < 0 or not re.match(r"\s*\{\s*\"resourceType\"", text[following : following + 200]):
                return
            at = following  # NDJSON: the next line stands by itself
        except RecursionError:
            log.aside(lines.of(at), "", DEEP[0], "", DEEP[1], DEEP[2])
            return
        at = _skip(text, at)


def _line(text: str, at: int) -> tuple[object, int] | None:
    """A resource that stands whole in one line, as in NDJSON, and where it ends; None for all else and for bundles."""
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    if end - at < SHORTEST_LINE or text[end - 1] not in "}\r" or '"Bundle"' in text[at : at + BEGINNING]:
        return None
    try:
        return _value(text, at)
    except _Broken:
        _twice.clear()
        return None


def _told_twice() -> str:
    told = _twice[0] if _twice else ""
    _twice.clear()
    return told


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _value(text: str, at: int) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as problem:
        raise _Broken(min(problem.pos, len(text))) from None
    except (ValueError, StopIteration):  # a number that is none, or with thousands of digits
        raise _Broken(at) from None


def _object(text: str, start: int, lines: _Lines) -> Generator[Found, None, int]:
    """One top-level object: its entries where it is a bundle, then the object itself. Returns where it ends."""
    found: Resource = {}
    at = _skip(text, start + 1)
    count, line = -1, lines.of(start)
    while True:
        if text[at : at + 1] == "}":
            break
        if text[at : at + 1] != '"':
            raise _Broken(at)
        key, at = _value(text, at)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise _Broken(at)
        at = _skip(text, at + 1)
        if key == "entry" and text[at : at + 1] == "[":
            at, number = yield from _items(text, at, lines, wrapped=True)
            count = max(count, 0) + number
        else:
            value, at = _value(text, at)
            if key in found and found[str(key)] != value:
                _twice.append(str(key))
            found[str(key)] = value
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "}":
            raise _Broken(at)
    yield Found(line, "", found, {}, _told_twice(), count)
    return at + 1


def _items(text: str, start: int, lines: _Lines, wrapped: bool = False) -> Generator[Found, None, tuple[int, int]]:
    """The items of a list. Returns where it ends and how many they were."""
    at = _skip(text, start + 1)
    count = 0
    while True:
        if text[at : at + 1] == "]":
            return at + 1, count
        item, end = _value(text, at)
        line = lines.of(at)
        entry = table(item) if wrapped else None
        twice = _told_twice()
        count += 1
        yield Found(line, "", item, {}, twice) if entry is None else _of_entry(line, entry, twice)
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise _Broken(at)
