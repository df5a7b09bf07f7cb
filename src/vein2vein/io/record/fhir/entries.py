"""Resources of a FHIR bundle or NDJSON file one after the other, each with its line, also where the file breaks off."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from typing import NoReturn, cast

from vein2vein.io.record.record import Log

Resource = dict[str, object]
Found = tuple[int, str, object]
"""Line, full URL and resource."""

_SPACE = re.compile(r"[ \t\r\n]*")
CUT = (
    "the JSON breaks off or is broken here; what stands before was read",
    "a whole file",
    "export or download the file again",
)
DEEP = ("nested too deeply", "a FHIR resource", "export the file again")


def _not_a_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_not_a_number)


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
    """Line, full URL and resource of each entry of a bundle, of each line of NDJSON, or of each item of a list."""
    lines = _Lines(text)
    at = _skip(text, 0)
    while at < len(text):
        try:
            if text[at] == "[":
                at = yield from _items(text, at, lines)
            elif text[at] == "{":
                at = yield from _object(text, at, lines)
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
    """One top-level object: its entries where it is a bundle, else the object itself. Returns where it ends."""
    found: Resource = {}
    at = _skip(text, start + 1)
    bundle = False
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
            bundle = True
            at = yield from _items(text, at, lines, wrapped=True)
        else:
            found[str(key)], at = _value(text, at)
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "}":
            raise _Broken(at)
    if not bundle:
        yield lines.of(start), "", found
    return at + 1


def _items(text: str, start: int, lines: _Lines, wrapped: bool = False) -> Generator[Found, None, int]:
    at = _skip(text, start + 1)
    while True:
        if text[at : at + 1] == "]":
            return at + 1
        item, end = _value(text, at)
        line = lines.of(at)
        entry = table(item) if wrapped else None
        if entry is not None:
            url = entry.get("fullUrl")
            yield line, url if isinstance(url, str) else "", entry.get("resource")
        else:
            yield line, "", item
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise _Broken(at)
