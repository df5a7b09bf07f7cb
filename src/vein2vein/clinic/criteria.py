"""Editions of the clinical criteria: dated TOML data with the provenance of every threshold, read from criteria/*.toml.

An edition holds **thresholds** (named numbers) and **levels** (rows of the table in the paper: which finding in which
column earns which grade). The rule is a short function that reads both; a scale that combines known findings anew is
a new file and no new code. Marks: ``R:Sx`` read in that source, ``M`` from memory and unverified, ``D`` our choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, cast, get_type_hints

from vein2vein.cards import Card, bundled_cards, parse_card
from vein2vein.errors import InputError, unknown

FOLDER = Path(__file__).with_name("criteria")
SOURCES = Path(__file__).with_name("read_sources.toml")
OPERATORS = ("at_least", "above", "at_most", "below")
MARKS = re.compile(r"^(R:[SW]\d+(,[SW]\d+)*|M|D)$")
_NUMBER = re.compile(r"\b[SW]\d+\b")
_TOP = (
    "title", "published", "date", "source", "where", "includes", "thresholds", "levels", "lists", "rules", "choices",
)  # fmt: skip
_THRESHOLD = ("value", "unit", "meaning", "mark", "why")
_LEVEL = ("column", "grade", "name", "when", "reads", "times", "mark", "why", *OPERATORS)


@dataclass(frozen=True)
class Threshold:
    """One number of a criterion: value, unit, meaning, provenance mark, and the reasoning behind a choice of ours."""

    name: str
    value: float
    unit: str
    meaning: str
    mark: str
    why: str = ""


@dataclass(frozen=True)
class Level:
    """One cell of a criteria table.

    Attributes
    ----------
    column : str
        The parameter of the table, such as ``hypoxia``.
    grade : int
    when : str
        Name of a finding that the rule computes; "" for a comparison.
    reads, operator, value : str, str, float
        The comparison: this analyte (or derived grade) ``at_least``, ``above``, ``at_most`` or ``below`` the value.
    times : str
        "" for the value itself; ``upper_limit`` or ``baseline`` where the value multiplies that reference.
    mark : str
    """

    column: str
    grade: int
    when: str = ""
    reads: str = ""
    operator: str = ""
    value: float = 0.0
    times: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Edition:
    """One dated edition of criteria.

    Attributes
    ----------
    name, title, published, date, source, where : str
        File name, title, the publication, its date, citation key and the place in it.
    thresholds : mapping of str to Threshold
    values : mapping of str to float
        The same, numbers only.
    levels : tuple of Level
    lists : mapping of str to tuple of str
        Named lists, such as the treatments that waive fever.
    choices : mapping of str to str
        Named settings that the rule knows.
    rules : tuple of mapping
        Rows of a decision table, as in the file; ``rows_of`` gives them as declared records.
    """

    name: str
    title: str
    published: str
    date: str
    source: str
    where: str
    thresholds: Mapping[str, Threshold]
    values: Mapping[str, float]
    levels: tuple[Level, ...]
    lists: Mapping[str, tuple[str, ...]]
    choices: Mapping[str, str]
    rules: tuple[Mapping[str, object], ...]

    def column(self, *names: str) -> tuple[Level, ...]:
        """Levels of these columns."""
        return tuple(level for level in self.levels if level.column in names)

    @property
    def top(self) -> int:
        """Highest grade that the levels can give."""
        return max((level.grade for level in self.levels), default=0)


def editions() -> dict[str, Path]:
    """Every bundled edition by name."""
    return bundled_cards(FOLDER)


@cache
def edition(name: str) -> Edition:
    """Return the bundled edition of this name; an unknown one is refused with the nearest names."""
    known = editions()
    if name not in known:
        raise InputError(unknown("edition of criteria", name, known))
    return read_edition(parse_card(known[name].read_text(encoding="utf-8"), known[name].name))


class Declared(Protocol):
    """A record whose fields are those of one kind of rule: see ``rows_of``."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Kind = TypeVar("Kind", bound=Declared)


def rows_of(name: str, kind: type[Kind]) -> tuple[Kind, ...]:
    """Rows of the decision table of a bundled edition, in the order of the file, as declared records.

    Parameters
    ----------
    name : str
        Edition.
    kind : type
        A dataclass with fields of str, int, float (or None), bool, tuple of str or tuple of float; a field without a
        default must be in every row.

    Raises
    ------
    InputError
        A row has a field that nothing reads, lacks one that it needs, or holds another type.
    """
    return tuple(row for row in _rows(name, kind) if isinstance(row, kind))


@cache
def _rows(name: str, kind: type[Declared]) -> tuple[Declared, ...]:
    return tuple(
        declared(row, kind, f"{name}.toml, rules[{index}]") for index, row in enumerate(edition(name).rules, start=1)
    )


def declared(row: Mapping[str, object], kind: type[Kind], place: str) -> Kind:
    """One row of a decision table as the record that declares its fields."""
    types = get_type_hints(kind)
    known = {one.name: one for one in fields(kind)}
    values: dict[str, object] = {}
    for field, value in row.items():
        if field not in known:
            raise InputError(unknown("field", field, known), file=place)
        values[field] = _typed(value, types[field], field, place)
    for field, one in known.items():
        if field not in values and one.default is MISSING:
            raise InputError(f"{field} is missing; every rule of this kind has one.", file=place)
    return kind(**values)


def _typed(value: object, kind: object, field: str, place: str) -> object:
    wanted: object = float if kind == float | None else kind
    words = "a text"
    if wanted is bool:
        words = "true or false"
        if isinstance(value, bool):
            return value
    elif wanted is str:
        if isinstance(value, str):
            return value
    elif wanted is float or wanted is int:
        words = "a number" if wanted is float else "a whole number"
        if isinstance(value, int | float) and not isinstance(value, bool) and (wanted is float or value == int(value)):
            return float(value) if wanted is float else int(value)
    elif isinstance(value, list):
        listed = tuple(cast("list[object]", value))
        words = "a list of texts" if wanted == tuple[str, ...] else "a list of numbers"
        if wanted == tuple[str, ...] and all(isinstance(one, str) for one in listed):
            return listed
        numbers = tuple(float(one) for one in listed if isinstance(one, int | float) and not isinstance(one, bool))
        if wanted == tuple[float, ...] and len(numbers) == len(listed):
            return numbers
    else:
        words = "a list"
    raise InputError(f"{field}: found {value!r}, expected {words}.", file=place)


@cache
def unverified(name: str) -> tuple[str, ...]:
    """Sentences for what an edition takes from memory (mark M): shown wherever its grades are shown."""
    found = edition(name)
    words = {"at_least": "at least", "above": "above", "at_most": "at most", "below": "below"}
    told = [f"{t.meaning}: {t.value:g} {t.unit}" for t in found.thresholds.values() if t.mark == "M"]
    for level in found.levels:
        if level.mark == "M":
            what = level.when or f"{level.reads} {words[level.operator]} {level.value:g}"
            times = f" times the {level.times}" if level.times else ""
            told.append(f"{level.column}, grade {level.grade}: {what}{times}")
    for i, row in enumerate(found.rules, start=1):
        said = str(row.get("text") or row.get("what") or row.get("drug") or f"rule {row.get('name', i)}")
        if row.get("mark") == "M":
            told.append(f"caps of {said}" if "drug" in row and "text" not in row else said)
        elif row.get("dose_mark") == "M":
            told.append(f"{said}: the dose per kg")
    return tuple(dict.fromkeys(text.replace("_", " ") for text in told))


@cache
def _sources() -> Mapping[str, str]:
    return parse_card(SOURCES.read_text(encoding="utf-8"), SOURCES.name).data


def with_sources(text: str) -> str:
    """A text in which each source number (S126) is preceded by what it stands for."""
    return _NUMBER.sub(lambda found: f"{known}, {found[0]}" if (known := _sources().get(found[0])) else found[0], text)


def reference(mark: str) -> str:
    """What stands behind a provenance mark, in words and with the mark itself."""
    if mark in ("M", "D"):
        return {"M": "unverified (from memory): check before clinical use", "D": "vein2vein's own choice"}[mark]
    return "; ".join(with_sources(one) for one in mark.removeprefix("R:").split(","))


def read_edition(card: Card) -> Edition:
    """Read an edition from its card.

    Raises
    ------
    InputError
        A field is unknown or missing, a mark is not one of ``R:Sx``, ``M``, ``D``, or a ``D`` lacks its ``why``.
    """
    card.refuse_unknown(_TOP)
    thresholds: dict[str, Threshold] = {}
    lists: dict[str, tuple[str, ...]] = {}
    for included in card.get("includes", default=[]):
        thresholds.update(edition(included).thresholds)
        lists.update(edition(included).lists)
    for name in card.table("thresholds", default={}):
        here = ("thresholds", name)
        card.refuse_unknown(_THRESHOLD, *here)
        mark, why = _mark(card, here)
        thresholds[name] = Threshold(
            name, card.number(*here, "value"), card.string(*here, "unit"), card.string(*here, "meaning"), mark, why
        )
    lists.update({name: tuple(items) for name, items in card.table("lists", default={}).items()})
    return Edition(
        Path(card.file).stem, card.string("title"), card.string("published"), card.string("date"),
        card.string("source"), card.string("where"), thresholds, {n: t.value for n, t in thresholds.items()},
        tuple(_level(card, str(i)) for i in range(len(card.get("levels", default=[])))), lists,
        dict(card.table("choices", default={})), tuple(card.get("rules", default=[])),
    )  # fmt: skip


def _mark(card: Card, here: tuple[str, ...]) -> tuple[str, str]:
    mark, why = card.string(*here, "mark"), card.string(*here, "why", default="")
    if not MARKS.match(mark):
        raise card.error((*here, "mark"), f"found '{mark}', expected R:S1 (read in S1), M (memory) or D (our choice).")
    if mark == "D" and not why:
        raise card.error((*here, "why"), 'missing; a choice of ours needs the reasoning behind it: add why = "...".')
    return mark, why


def _level(card: Card, index: str) -> Level:
    here = ("levels", index)
    card.refuse_unknown(_LEVEL, *here)
    mark, _ = _mark(card, here)
    column, grade = card.string(*here, "column"), int(card.number(*here, "grade", low=0))
    if when := card.string(*here, "when", default=""):
        return Level(column, grade, when, mark=mark)
    operators = [o for o in OPERATORS if card.get(*here, o) is not None]
    if len(operators) != 1:
        raise card.error(
            here, f"found {len(operators)} comparisons, expected one of {', '.join(OPERATORS)}, or 'when'."
        )
    return Level(
        column, grade, "", card.string(*here, "reads"), operators[0], card.number(*here, operators[0]),
        card.string(*here, "times", choices=("upper_limit", "baseline", ""), default=""), mark,
    )  # fmt: skip
