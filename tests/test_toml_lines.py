"""Lines of the keys of a TOML text, whatever its strings and brackets hold."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.toml_lines import lines_of

TEXTS = st.sampled_from(["x", "[t]", "k = 1", '"', "'", "# no comment", "a\nb = 2\n[c]", "\\", "]]", "", "}\n,", "é"])
KEYS = st.sampled_from(["a", "b", "c1", "d-e", "f g", "h.i", "[j]", "#k", 'l"m', "3", "ü"])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


class Writer:
    """Writes a document and notes the line of each key as it goes."""

    def __init__(self, draw: Any, end: str) -> None:
        self.draw, self.end, self.text, self.line = draw, end, "", 1
        self.true: dict[tuple[str, ...], int] = {}

    def put(self, text: str) -> None:
        self.text += text.replace("\n", self.end)
        self.line += text.count("\n")

    def blank(self, inside: bool) -> None:
        kinds = ["", " ", "\t"] + (["\n", " # [x] = 'y'\n", "\n\n"] if inside else [])
        self.put(self.draw(st.sampled_from(kinds)))

    def key(self, key: str) -> None:
        bare = key.replace("-", "").isascii() and key.replace("-", "").isalnum()
        literal = "'" not in key
        how = self.draw(st.sampled_from(["bare"] * bare + ["basic"] + ["literal"] * literal))
        self.put({"bare": key, "basic": _quoted(key), "literal": f"'{key}'"}[how])

    def value(self, value: Any, path: tuple[str, ...], inline: bool) -> None:
        if isinstance(value, dict):
            self.put("{")
            for i, (key, one) in enumerate(value.items()):
                self.put(", " if i else " ")
                self.pair(key, one, path, inline=True)
            self.put(" }")
        elif isinstance(value, list):
            self.put("[")
            for i, one in enumerate(value):
                self.blank(inside=True)
                self.true[(*path, str(i))] = self.line
                self.value(one, (*path, str(i)), inline)
                self.blank(inside=True)
                self.put("," if i + 1 < len(value) or self.draw(st.booleans()) else "")
            self.blank(inside=True)
            self.put("]")
        elif isinstance(value, str):
            self.string(value)
        else:
            self.put(str(value).lower() if isinstance(value, bool) else repr(value))

    def string(self, text: str) -> None:
        kinds = ["basic", "long"] + ["literal"] * ("'" not in text and "\n" not in text)
        kinds += ["long literal"] * ("'" not in text)
        match self.draw(st.sampled_from(kinds)):
            case "basic":
                self.put(_quoted(text))
            case "literal":
                self.put(f"'{text}'")
            case "long literal":
                self.put(f"'''\n{text}'''")
            case _:
                self.put('"""\n' + text.replace("\\", "\\\\").replace('"', '\\"') + '\\\n   """')

    def pair(self, key: str, value: Any, path: tuple[str, ...], inline: bool = False) -> None:
        here, line = (*path, key), self.line
        self.true[here] = line
        self.key(key)
        while isinstance(value, dict) and len(value) == 1 and self.draw(st.booleans()):  # a dotted key
            self.put(self.draw(st.sampled_from([".", " . "])))
            (key, value), *_ = value.items()
            here = (*here, key)
            self.true[here] = line
            self.key(key)
        self.blank(inside=False)
        self.put("=")
        self.blank(inside=False)
        self.value(value, here, inline)

    def table(self, table: dict[str, Any], path: tuple[str, ...], header: tuple[str, ...]) -> None:
        later = {}
        for key, value in table.items():
            tables = isinstance(value, list) and value and all(isinstance(one, dict) for one in value)
            if (isinstance(value, dict) or tables) and self.draw(st.booleans()):
                later[key] = value
                continue
            self.pair(key, value, path)
            self.put(self.draw(st.sampled_from(["\n", "  # a = 1\n", "\n\n"])))
        for key, value in later.items():
            several = value if isinstance(value, list) else [value]
            for i, one in enumerate(several):
                here = (*path, key, str(i)) if isinstance(value, list) else (*path, key)
                self.true.setdefault((*path, key), self.line)
                self.true[here] = self.line
                left, right = ("[[", "]]") if isinstance(value, list) else ("[", "]")
                self.put(left)
                for j, part in enumerate((*header, key)):
                    self.put("." if j else "")
                    self.key(part)
                self.put(right + "\n")
                self.table(one, here, (*header, key))


VALUES = st.recursive(
    st.one_of(st.integers(-9, 9), st.booleans(), TEXTS, st.just(1.5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=12,
)


def _paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield (*path, str(key))
        yield from _paths(one, (*path, str(key)))


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(KEYS, VALUES, max_size=4), st.sampled_from(["\n", "\r\n"]), st.data())
def test_every_key_stands_on_the_line_that_is_told(document, end, data):
    writer = Writer(data.draw, end)
    writer.table(document, (), ())
    assert tomllib.loads(writer.text) == tomllib.loads(writer.text.replace("\r\n", "\n"))
    assert set(_paths(tomllib.loads(writer.text))) == set(_paths(document))
    lines = lines_of(writer.text)
    assert lines.twice is None
    assert {path: lines.line[path] for path in _paths(document)} == writer.true


@pytest.mark.parametrize(
    "text, said, line, field",
    [
        ("[a]\nx = 1\n\n[b]\n[a]\n", r"the table \[a\] is given twice, on lines 1 and 5", 5, "a"),
        ('[a]\nx = """\n[b]\nx = 2"""\nx = 3\n', "the field a.x is given twice, on lines 2 and 5", 5, "a.x"),
        ("[[a]]\nx = 1\n[[a]]\nx = 1\nx = 2\n", "the field a.1.x is given twice, on lines 4 and 5", 5, "a.1.x"),
        ("a = { x = 1, y = { z = 1, z = 2 } }\n", "the field a.y.z is given twice, on line 1;", 1, "a.y.z"),
        ("a = 1\n'a' = 2\n", "the field a is given twice, on lines 1 and 2", 2, "a"),
        ("a = 1\n[a]\n", "the field a is given twice, on lines 1 and 2", 2, "a"),
        ("a.b = 1\na.b = 2\n", "the field a.b is given twice, on lines 1 and 2", 2, "a.b"),
        ("[a.b]\n[a]\nb.c = 1\n", r"the table \[a.b\] is given twice, on lines 1 and 3", 3, "a.b"),
        ("[a]\n[[a]]\n", r"the table \[a\] is given twice, on lines 1 and 2", 2, "a"),
    ],
)
def test_what_is_given_twice_is_named_with_both_lines(text, said, line, field):
    with pytest.raises(InputError, match=said) as problem:
        parse_card(text, "own.toml")
    assert (problem.value.line, problem.value.field) == (line, field)


def test_a_line_is_told_behind_a_text_of_several_lines():
    card = parse_card('[a]\nwhy = """\n[b]\nrho = 1\n"""\n[b]\nrho = 2\n', "own.toml")
    assert card.line("b", "rho") == 7 and card.line("b") == 6 and card.line("a", "rho") == 1
