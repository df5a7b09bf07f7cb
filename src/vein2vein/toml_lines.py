"""Where each key of a TOML text stands: its line, and what is given twice.

``tomllib`` says whether a text is TOML and what it holds; this reading only adds the lines. It knows strings of every
kind, comments, dotted and quoted keys, inline tables and arrays over several lines. ``written`` is the way back.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

Path = tuple[str, ...]

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}
_CODED = {"x": 2, "u": 4, "U": 8}  # letters of an escape by number, and the digits that follow


@dataclass(frozen=True)
class Twice:
    """A key or a table that is given a second time: its path, what it is, and both lines."""

    path: Path
    what: str
    first: int
    second: int


@dataclass
class Lines:
    """Lines of a text.

    Attributes
    ----------
    line : dict of path to int
        Line on which each key begins; tables of an array and items of a list carry their index, as in
        ("arms", "0", "name"). A table that only its inner tables name stands where the first of them does.
    twice : Twice or None
        The first key or table that is given again.
    """

    line: dict[Path, int] = field(default_factory=dict)
    twice: Twice | None = None


class _Broken(Exception):
    """The text is not TOML from here on."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.ends = [i for i, letter in enumerate(text) if letter == "\n"]
        self.lines = Lines()
        self.implied: set[Path] = set()  # named only by what they hold
        self.dotted: dict[Path, Path] = {}  # made by a dotted key -> the table in which that key stands
        self.kind: dict[Path, str] = {}  # "field", "table" or "tables"
        self.counts: dict[Path, int] = {}  # tables of an array so far

    # Places

    def number(self, at: int) -> int:
        return bisect_left(self.ends, at) + 1

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def skip(self, *, lines: bool) -> None:
        """Pass over blanks and comments, and line ends where they mean nothing."""
        text, end = self.text, len(self.text)
        while self.at < end:
            letter = text[self.at]
            if letter in " \t\r" or (lines and letter == "\n"):
                self.at += 1
            elif letter == "#":
                stop = text.find("\n", self.at)
                self.at = end if stop < 0 else stop
            else:
                return

    def expect(self, what: str) -> None:
        if not self.text.startswith(what, self.at):
            raise _Broken
        self.at += len(what)

    # Keys

    def key(self) -> Path:
        parts = [self.simple_key()]
        while True:
            self.skip(lines=False)
            if self.peek() != ".":
                return tuple(parts)
            self.at += 1
            self.skip(lines=False)
            parts.append(self.simple_key())

    def simple_key(self) -> str:
        letter = self.peek()
        if letter in ('"', "'") and letter:
            return self.string()
        start = self.at
        while self.peek() in _BARE and self.at < len(self.text):
            self.at += 1
        if start == self.at:
            raise _Broken
        return self.text[start : self.at]

    # Values

    def string(self) -> str:
        quote = self.peek()
        escapes = quote == '"'
        long = self.text.startswith(quote * 3, self.at)
        self.at += 3 if long else 1
        letters: list[str] = []
        while self.at < len(self.text):
            if long and self.text.startswith(quote * 3, self.at):
                self.at += 3
                while self.peek() == quote:  # one or two quotes may stand right before the closing ones
                    self.at += 1
                return "".join(letters)
            letter = self.text[self.at]
            if not long and letter == quote:
                self.at += 1
                return "".join(letters)
            if letter == "\n" and not long:
                raise _Broken
            if letter == "\\" and escapes:
                letters.append(self.escape())
                continue
            letters.append(letter)
            self.at += 1
        raise _Broken

    def escape(self) -> str:
        code = self.text[self.at + 1 : self.at + 2]
        self.at += 2
        if code in _CODED:
            digits = self.text[self.at : self.at + _CODED[code]]
            self.at += len(digits)
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError):
                raise _Broken from None
        return _ESCAPES.get(code, "")  # a line that ends in a backslash goes on; its text is not needed

    def value(self, path: Path) -> None:
        letter = self.peek()
        if letter in ('"', "'") and letter:
            self.string()
        elif letter == "[":
            self.array(path)
        elif letter == "{":
            self.inline_table(path)
        else:
            start = self.at
            while self.at < len(self.text) and self.text[self.at] not in ",]}#\n":
                self.at += 1
            if not self.text[start : self.at].strip():
                raise _Broken

    def array(self, path: Path) -> None:
        self.expect("[")
        count = 0
        while True:
            self.skip(lines=True)
            if self.peek() == "]":
                self.at += 1
                return
            item = (*path, str(count))
            self.lines.line.setdefault(item, self.number(self.at))
            self.value(item)
            count += 1
            self.skip(lines=True)
            if self.peek() == ",":
                self.at += 1
            elif self.peek() != "]":
                raise _Broken

    def inline_table(self, path: Path) -> None:
        self.expect("{")
        self.skip(lines=True)
        if self.peek() == "}":
            self.at += 1
            return
        while True:
            self.skip(lines=True)
            if self.peek() == "}":
                self.at += 1
                return
            self.pair(path)
            self.skip(lines=True)
            if self.peek() == ",":
                self.at += 1
            elif self.peek() != "}":
                raise _Broken

    # Statements

    def pair(self, table: Path) -> None:
        start = self.at
        key = self.key()
        line = self.number(start)
        self.skip(lines=False)
        self.expect("=")
        self.skip(lines=False)
        for cut in range(1, len(key)):
            self.through(table, (*table, *key[:cut]), line)
        path = (*table, *key)
        if path in self.kind or path in self.implied:
            self.again(path, line)
        self.kind[path] = "field"
        self.lines.line[path] = line
        self.value(path)

    def through(self, table: Path, parent: Path, line: int) -> None:
        """A table that a dotted key passes through."""
        if parent in self.kind and self.dotted.get(parent) != table:
            self.again(parent, line)
        if parent not in self.kind:
            self.lines.line.setdefault(parent, line)
            self.kind[parent] = "table"
            self.dotted[parent] = table

    def again(self, path: Path, line: int) -> None:
        what = "table" if self.kind.get(path, "table") != "field" else "field"
        if self.lines.twice is None:
            self.lines.twice = Twice(path, what, self.lines.line.get(path, line), line)
        raise _Broken

    def header(self) -> Path:
        start, several = self.at, self.text.startswith("[[", self.at)
        self.expect("[[" if several else "[")
        self.skip(lines=False)
        key = self.key()
        self.skip(lines=False)
        self.expect("]]" if several else "]")
        line = self.number(start)
        here: Path = ()
        for part in key[:-1]:
            here = (*here, part)
            if self.kind.get(here) == "field":
                self.again(here, line)
            if here in self.counts:
                here = (*here, str(self.counts[here]))
            elif here not in self.kind:
                self.lines.line.setdefault(here, line)
                self.implied.add(here)
        path = (*here, key[-1])
        known = self.kind.get(path)
        if several:
            if known not in (None, "tables") or path in self.implied:
                self.again(path, line)
            self.counts[path] = self.counts.get(path, -1) + 1
            self.kind[path] = "tables"
            self.lines.line.setdefault(path, line)
            path = (*path, str(self.counts[path]))
        elif known is not None:
            self.again(path, line)
        self.implied.discard(path)
        self.kind[path] = "table"
        self.lines.line[path] = line
        return path

    def read(self) -> Lines:
        table: Path = ()
        try:
            while True:
                self.skip(lines=True)
                if not self.peek():
                    return self.lines
                if self.peek() == "[":
                    table = self.header()
                else:
                    self.pair(table)
                self.skip(lines=False)
                if self.peek() not in ("", "\n"):
                    return self.lines
        except (_Broken, RecursionError):
            return self.lines


def lines_of(text: str) -> Lines:
    """Find the line of every key of a text; of a text that is not TOML, those before its first fault.

    Parameters
    ----------
    text : str
        TOML; lines end in ``\\n`` or ``\\r\\n``.

    Returns
    -------
    Lines
    """
    return _Reader(text).read()


def written(value: object) -> str:
    """A value as TOML writes it: text, number, truth value, a list, or a table on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, Mapping):
        pairs = [f"{_key(str(name))} = {written(one)}" for name, one in cast("Mapping[object, object]", value).items()]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, cast('Sequence[object]', value)))}]"
    return repr(value)


def _key(name: str) -> str:
    return name if name and set(name) <= _BARE else written(name)
