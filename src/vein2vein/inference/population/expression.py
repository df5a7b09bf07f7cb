"""Covariate expressions, such as ``log(TUMOUR/19)``: numbers, names, + - * / ^ ( ), exp, log and sqrt; no program.

expression = parse("log(TUMOUR/19)")
expression.names                        # ("TUMOUR",)
expression({"TUMOUR": array})           # array
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError, unknown

Floats = NDArray[np.float64]
Values = Mapping[str, Floats]
Node = Callable[[Values], Floats]

FUNCTIONS: Mapping[str, Callable[[Floats], Floats]] = {"exp": np.exp, "log": np.log, "ln": np.log, "sqrt": np.sqrt}
_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_][\w.]*)|(\*\*|[-+*/^()]))")
LONGEST = 300
DEEPEST = 40
_EXPECTED = "write numbers, names of covariates, + - * / ^, brackets, exp, log and sqrt"


@dataclass(frozen=True)
class Expression:
    """A parsed expression: its text, the covariates that it names, and its value for some."""

    text: str
    names: tuple[str, ...]
    node: Node

    def __call__(self, values: Values) -> Floats:
        """The value; NaN where a covariate is missing, or an operation has no result."""
        with np.errstate(all="ignore"):
            return np.asarray(self.node(values), dtype=float)

    @property
    def bare(self) -> bool:
        """Whether it is one name and nothing else: the only form that a covariate of words may have."""
        return self.names == (self.text.strip(),)


def parse(text: str) -> Expression:
    """Read an expression.

    Raises
    ------
    InputError
        It is none, with what was found where.
    """
    if len(text) > LONGEST:
        raise InputError(f"found an expression of {len(text)} characters, expected at most {LONGEST}.")
    reader = _Reader(text)
    node = reader.sum(0)
    if reader.at < len(reader.tokens):
        raise reader.refusal()
    if not reader.names:
        raise InputError(f"found '{text}', which names no covariate; {_EXPECTED}.")
    return Expression(text, tuple(reader.names), node)


class _Reader:
    """A descent through sum, product, sign, power and atom; the usual precedence, powers from the right."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.names: dict[str, None] = {}
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if not found:
                raise InputError(f"found '{text[place:].strip()[:1]}' in '{text}'; {_EXPECTED}.")
            kind = "number" if found[1] else "name" if found[2] else "sign"
            self.tokens.append((kind, found[0].strip()))
            place = found.end()

    def refusal(self) -> InputError:
        where = f"'{self.tokens[self.at][1]}'" if self.at < len(self.tokens) else "the end"
        return InputError(f"found {where} in '{self.text}' where it cannot stand; {_EXPECTED}.")

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, *signs: str) -> str:
        found = self.peek()
        if found not in signs:
            return ""
        self.at += 1
        return found

    def sum(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise InputError(f"found brackets or signs {DEEPEST} deep in '{self.text}', expected fewer.")
        found = self.product(depth)
        while sign := self.take("+", "-"):
            found = _joined(sign, found, self.product(depth))
        return found

    def product(self, depth: int) -> Node:
        found = self.signed(depth)
        while sign := self.take("*", "/"):
            found = _joined(sign, found, self.signed(depth))
        return found

    def signed(self, depth: int) -> Node:
        sign = self.take("+", "-")
        if not sign:
            return self.power(depth)
        if depth > DEEPEST:
            raise InputError(f"found brackets or signs {DEEPEST} deep in '{self.text}', expected fewer.")
        inside = self.signed(depth + 1)
        return inside if sign == "+" else lambda v: -inside(v)

    def power(self, depth: int) -> Node:
        below = self.atom(depth)
        return _joined("^", below, self.signed(depth + 1)) if self.take("^", "**") else below

    def atom(self, depth: int) -> Node:
        if self.at >= len(self.tokens):
            raise self.refusal()
        kind, word = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            value = np.float64(word)
            return lambda v: np.asarray(value)
        if kind == "name" and self.peek() == "(":
            if word not in FUNCTIONS:
                raise InputError(f"{unknown('function', word, FUNCTIONS)} In '{self.text}': {_EXPECTED}.")
            function, inside = FUNCTIONS[word], self.bracket(depth)
            return lambda v: function(inside(v))
        if kind == "name":
            self.names[word] = None
            return lambda v: v[word]
        if word == "(":
            self.at -= 1
            return self.bracket(depth)
        self.at -= 1
        raise self.refusal()

    def bracket(self, depth: int) -> Node:
        self.at += 1
        inside = self.sum(depth + 1)
        if not self.take(")"):
            raise self.refusal()
        return inside


def _joined(sign: str, left: Node, right: Node) -> Node:
    if sign == "+":
        return lambda v: left(v) + right(v)
    if sign == "-":
        return lambda v: left(v) - right(v)
    if sign == "*":
        return lambda v: left(v) * right(v)
    if sign == "/":
        return lambda v: left(v) / right(v)
    return lambda v: np.power(left(v), right(v))
