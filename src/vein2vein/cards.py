"""Cards: the TOML files that carry numbers and choices, read with their line numbers.

A card is read once, checked field by field, and every complaint names file, line and field. Product, disease, trial,
policy, criteria and patient files are all cards.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from vein2vein import units
from vein2vein.errors import InputError, unknown
from vein2vein.faults import expected_number, flag_fault, number_fault, shown, text_fault
from vein2vein.toml_lines import lines_of

LARGEST_CARD_BYTES = 2_000_000
_DIGITS = re.compile(r"\d{4000}")
_BARE_POINT = re.compile(r"[=\[,]\s*[+-]?\.\d")  # .5, which TOML does not take for a number
_HIDDEN = ("Cc", "Cf", "Co", "Zl", "Zp")  # kinds of characters that steer a terminal or a page
_ALLOWED = "\n\t\u200c\u200d"  # joiners are letters of some scripts
_REQUIRED: Any = object()


def _hidden(text: str) -> bool:
    return any(unicodedata.category(c) in _HIDDEN and c not in _ALLOWED for c in text)


@dataclass(frozen=True)
class Card:
    """A TOML file with the line of each field.

    Attributes
    ----------
    file : str
        Name shown in messages.
    text : str
        The file as read.
    data : dict
        The parsed tables.
    """

    file: str
    text: str
    data: Mapping[str, Any]

    @cached_property
    def lines(self) -> dict[tuple[str, ...], int]:
        """Line of each field path; list tables carry their index, as in ("arms", "0", "name")."""
        return lines_of(self.text).line

    def line(self, *path: str) -> int | None:
        """Line of a field, or of the nearest table that holds it."""
        for cut in range(len(path), 0, -1):
            if path[:cut] in self.lines:
                return self.lines[path[:cut]]
        return None

    def error(self, path: Iterable[str], text: str) -> InputError:
        """An error that names this file, the line and the field."""
        path = tuple(path)
        return InputError(text, file=self.file, line=self.line(*path), field=".".join(path) or None)

    def get(self, *path: str, default: Any = None) -> Any:
        """Value at a path, or the default."""
        here: Any = self.data
        for key in path:
            if isinstance(here, list) and key.isdigit() and int(key) < len(here):
                here = here[int(key)]
            elif isinstance(here, Mapping) and key in here:
                here = here[key]
            else:
                return default
        return here

    def required(self, *path: str, expected: str) -> Any:
        """Value at a path; refused where it is missing."""
        value = self.get(*path, default=_REQUIRED)
        if value is _REQUIRED:
            raise self.error(path, f"missing; expected {expected}. Add the line '{path[-1]} = ...'.")
        return value

    def string(self, *path: str, choices: Collection[str] | None = None, default: Any = _REQUIRED) -> Any:
        """Text at a path, if given one of the choices."""
        expected = "text" if choices is None else "one of " + ", ".join(choices)
        value = self.required(*path, expected=expected) if default is _REQUIRED else self.get(*path, default=default)
        if value is not default and (fault := text_fault(path[-1], value, choices)):
            raise self.error(path, fault)
        return value

    def number(
        self,
        *path: str,
        unit: str | None = None,
        low: float = float("-inf"),
        high: float = float("inf"),
        default: Any = _REQUIRED,
    ) -> Any:
        """Number at a path in the canonical ``unit``; text such as "39 kg" is converted, out of range is refused."""
        expected = expected_number(unit, low, high)
        value = self.required(*path, expected=expected) if default is _REQUIRED else self.get(*path, default=default)
        if value is default:
            return value
        value = self.converted(value, unit, *path, expected=expected)
        if fault := number_fault(value, unit, low, high):
            raise self.error(path, fault)
        return float(value)

    def converted(self, value: Any, unit: str | None, *path: str, expected: str) -> Any:
        """What a field holds, text such as "39 kg" as the number in the canonical unit."""
        if not isinstance(value, str):
            return value
        try:
            return units.read_quantity(value, unit)
        except InputError as problem:
            raise self.error(path, f"{problem.text} Expected {expected}.") from None

    def texts(self, *path: str) -> tuple[str, ...]:
        """List of texts at a path; empty where it is missing."""
        value = self.get(*path, default=[])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.error(path, f"found {shown(value)}, expected a list of texts such as ['one', 'two'].")
        return tuple(value)

    def tables(self, *path: str) -> list[Mapping[str, Any]]:
        """List of tables at a path; empty where it is missing."""
        value = self.get(*path, default=[])
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            raise self.error(path, f"found {shown(value)}, expected tables: write [[{'.'.join(path)}]] above each.")
        return value

    def flag(self, *path: str, default: Any = _REQUIRED) -> Any:
        """True or false at a path."""
        if default is _REQUIRED:
            value = self.required(*path, expected="true or false")
        else:
            value = self.get(*path, default=default)
        if value is not default and (fault := flag_fault(value)):
            raise self.error(path, fault)
        return value

    def table(self, *path: str, default: Any = _REQUIRED) -> Any:
        """Table at a path."""
        value = self.required(*path, expected="a table") if default is _REQUIRED else self.get(*path, default=default)
        if value is not default and not isinstance(value, Mapping):
            raise self.error(path, f"found {shown(value)}, expected a table: [{'.'.join(path)}] above its fields.")
        return value

    def refuse_unknown(self, allowed: Iterable[str], *path: str, what: str = "field") -> None:
        """Refuse names in a table that nothing reads, naming the nearest ones that exist."""
        allowed = list(allowed)
        for key in self.table(*path, default={}) if path else self.data:
            if key not in allowed:
                raise self.error((*path, key), unknown(what, key, allowed))


def parse_card(text: str, file: str) -> Card:
    """Parse the text of a card; a syntax error, or a character that steers a terminal, names file and line."""
    try:
        card = Card(file, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as problem:
        if twice := lines_of(text).twice:
            name = ".".join(twice.path)
            shown = f"the table [{name}]" if twice.what == "table" else f"the field {name}"
            where = f"lines {twice.first} and {twice.second}" if twice.first < twice.second else f"line {twice.second}"
            said = f"not valid TOML: {shown} is given twice, on {where}; keep one of them."
            raise InputError(said, file=file, line=twice.second, field=name) from None
        at = re.search(r"line (\d+)", str(problem))
        reason = re.sub(r"\s*\(at .*\)$", "", str(problem))
        line = int(at.group(1)) if at else None
        bare = line is not None and _BARE_POINT.search(text.split("\n")[line - 1])
        hint = ", a digit before the point (0.5, not .5)" if bare else ""
        raise InputError(
            f"not valid TOML ({reason}); expected lines like 'name = value', text in quotes{hint}.",
            file=file,
            line=line,
        ) from None
    except ValueError:  # the digits of a whole number are limited
        line = next((i for i, one in enumerate(text.split("\n"), 1) if _DIGITS.search(one)), None)
        raise InputError("a number has thousands of digits; expected one such as 1e8.", file=file, line=line) from None
    except RecursionError:
        depth = [one.count("[") + one.count("{") for one in text.split("\n")]
        said = "brackets are nested too deeply; expected lines like 'name = value'."
        raise InputError(said, file=file, line=depth.index(max(depth)) + 1) from None
    if "\\" in text or not text.isascii():
        _refuse_hidden(card, card.data, ())
    return card


def _refuse_hidden(card: Card, value: Any, path: tuple[str, ...]) -> None:
    """Refuse control characters, as in escape codes, and marks that turn the direction of writing."""
    if isinstance(value, str) and _hidden(value):
        text = f"found {shown(value)}, which holds a control character; expected plain text."
        raise card.error(path, text)
    inside = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        if _hidden(str(key)):
            text = f"found the name {shown(key)}, which holds a control character; expected plain letters."
            raise card.error(path, text)
        _refuse_hidden(card, one, (*path, str(key)))


def read_card(path: str | Path) -> Card:
    """Read a card from disk.

    Raises
    ------
    InputError
        The file is missing, a folder, too large, not UTF-8 or not TOML.
    """
    path = Path(path)
    try:
        if "\0" in str(path):
            raise InputError("is not the name of a file.", file=str(path).replace("\0", "?"))
        if path.is_dir():
            raise InputError("is a folder; expected a TOML file.", file=path)
        with path.open("rb") as stream:
            found = stream.read(LARGEST_CARD_BYTES + 1)
        if len(found) > LARGEST_CARD_BYTES:
            text = f"larger than {LARGEST_CARD_BYTES // 1_000_000} MB; a card is a short text file."
            raise InputError(text, file=path)
        text = found.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError:
        raise InputError("no such file; check the name and the folder.", file=path) from None
    except PermissionError:
        raise InputError("may not be read; check its permissions.", file=path) from None
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text; expected a TOML file saved as UTF-8.", file=path) from None
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise InputError(f"cannot be read ({reason}); expected a TOML file.", file=path) from None
    return parse_card(text, str(path))


@cache
def bundled_card(name: str) -> Card:
    """A card that comes with vein2vein, by its place in it, such as ``models/reference.toml``."""
    path = Path(__file__).parent.joinpath(*name.split("/"))
    return parse_card(path.read_text(encoding="utf-8"), path.name)


def bundled_cards(folder: Path) -> dict[str, Path]:
    """Cards that a room brings with it: name -> path, sorted by name."""
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def is_path(name: str | Path) -> bool:
    """Whether a name means a file of the user's own: anything with a slash, or ending in .toml."""
    text = str(name)
    return text.endswith(".toml") or "/" in text or "\\" in text


def find_card(name: str | Path, folder: Path, what: str) -> Card:
    """Read a bundled card by name, or the user's own by path (see ``is_path``)."""
    known = bundled_cards(folder)
    if str(name) in known:
        path = known[str(name)]
        return parse_card(path.read_text(encoding="utf-8"), path.name)
    if is_path(name):
        return read_card(name)
    raise InputError(unknown(what, str(name), known) + " A file of your own is given by its path, ending in .toml.")
