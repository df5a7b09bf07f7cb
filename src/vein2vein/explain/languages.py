"""Languages of the patient's page: catalogs of words, plural forms, dates. A missing word shows English, marked."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vein2vein.cards import bundled_cards, find_card
from vein2vein.errors import InputError, nearest

FOLDER = Path(__file__).with_name("locales")
SOURCE = "en"
WIDE_COMMAS = "、，"  # as wide as a letter: no space after them


def _one(n: int) -> str:
    return "one" if n == 1 else "other"


def _one_and_millions(n: int) -> str:
    return "one" if n == 1 else _millions(n)


def _zero_is_one(n: int) -> str:
    return "one" if n in (0, 1) else "other"


def _zero_is_one_and_millions(n: int) -> str:
    return "one" if n in (0, 1) else _millions(n)


def _millions(n: int) -> str:
    return "many" if n != 0 and n % 1_000_000 == 0 else "other"


def _russian(n: int) -> str:
    last, teens = n % 10, n % 100 in (11, 12, 13, 14)
    if last == 1 and not teens:
        return "one"
    return "few" if last in (2, 3, 4) and not teens else "many"


def _arabic(n: int) -> str:
    if n in (0, 1, 2):
        return ("zero", "one", "two")[n]
    if 3 <= n % 100 <= 10:
        return "few"
    return "many" if n % 100 >= 11 else "other"


# Plural categories and rules for whole numbers: Unicode CLDR 46, language plural rules.
PLURALS: Mapping[str, tuple[tuple[str, ...], Callable[[int], str]]] = {
    "ar": (("zero", "one", "two", "few", "many", "other"), _arabic),
    "en": (("one", "other"), _one),
    "es": (("one", "many", "other"), _one_and_millions),
    "fr": (("one", "many", "other"), _zero_is_one_and_millions),
    "hi": (("one", "other"), _zero_is_one),
    "pt": (("one", "many", "other"), _zero_is_one_and_millions),
    "ru": (("one", "few", "many", "other"), _russian),
    "zh": (("other",), lambda n: "other"),
}


@dataclass(frozen=True)
class Catalog:
    """The words of one language.

    Attributes
    ----------
    code, name, english_name : str
        Such as "es", "Español", "Spanish".
    direction : {"ltr", "rtl"}
    decimal : str
        Decimal separator.
    status : str
        How far the text has been reviewed; shown on the page.
    pattern : str
        Of a date, with {day}, {month} and {year}.
    first : str
        The first day of a month where it is written otherwise than the other days, such as "1er"; else "".
    months : tuple of str
    text, names : mapping of str to str
    lists : mapping of str to tuple of str
    plurals : mapping of str to mapping of str to str
        Word form by plural category.
    """

    code: str
    name: str
    english_name: str
    direction: str
    decimal: str
    status: str
    pattern: str
    first: str
    months: tuple[str, ...]
    text: Mapping[str, str]
    names: Mapping[str, str]
    lists: Mapping[str, tuple[str, ...]]
    plurals: Mapping[str, Mapping[str, str]]


@cache
def read_catalog(code: str) -> Catalog:
    """Read the catalog of a language by its code."""
    card = find_card(code, FOLDER, "language")
    return Catalog(
        **{key: card.string("language", key) for key in ("code", "name", "english_name", "decimal", "status")},
        direction=card.string("language", "direction", choices=("ltr", "rtl")),
        pattern=card.string("dates", "pattern"),
        first=card.string("dates", "first", default=""),
        months=tuple(card.required("dates", "months", expected="twelve names")),
        text=card.table("text"),
        names=card.table("names"),
        lists={key: tuple(lines) for key, lines in card.table("lists").items()},
        plurals=card.table("plurals"),
    )


def all_languages() -> dict[str, Catalog]:
    """Every catalog by code, English first."""
    codes = sorted(bundled_cards(FOLDER), key=lambda code: (code != SOURCE, code))
    return {code: read_catalog(code) for code in codes}


def find_language(asked: str) -> Catalog:
    """Find a language by code ("es", "es-MX"), English name or own name.

    Raises
    ------
    InputError
        Unknown language, with the nearest ones.
    """
    known: dict[str, Catalog] = {}
    for catalog in all_languages().values():
        known |= {name.casefold(): catalog for name in (catalog.code, catalog.english_name, catalog.name)}
    wanted = asked.strip().casefold()
    found = known.get(wanted) or known.get(wanted.replace("_", "-").split("-")[0])
    if found is None or (found.code == "zh" and {"tw", "hk", "mo", "hant"} & set(wanted.replace("_", "-").split("-"))):
        listed = ", ".join(f"{c.english_name} ({c.code})" for c in all_languages().values())
        near = nearest(asked, [c.english_name for c in all_languages().values()]) if len(asked) > 2 else []
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise InputError(f"unknown language '{asked}'; {hint}known: {listed}.")
    return found


class Words:
    """The words of one page: each is looked up in its language, else in English and marked.

    Parameters
    ----------
    catalog : Catalog
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.english = read_catalog(SOURCE)

    def __call__(self, key: str, **values: Any) -> Any:
        """A text by its key, with its placeholders filled in."""
        return self._filled(*self._found("text", key), values)

    def name(self, key: str, otherwise: str = "") -> Any:
        """A name (disease or drug); one that no catalog knows is shown as the card writes it, in English."""
        if key not in self.english.names:
            return self._filled(otherwise or key, self.catalog.code == SOURCE, {})
        return self._filled(*self._found("names", key), {})

    def lines(self, key: str) -> list[Any]:
        """A list of sentences."""
        found, own = self._found("lists", key)
        return [self._filled(line, own, {}) for line in found]

    def plural(self, key: str, n: int, **values: Any) -> Any:
        """A text in the form that the number ``n`` asks for."""
        forms, own = self._found("plurals", key)
        category = PLURALS[self.catalog.code if own else SOURCE][1](n)
        return self._filled(forms[category], own, {"n": n, **values})

    def series(self, numbers: Iterable[int]) -> Any:
        """Whole numbers one after the other, in the direction of the language."""
        from markupsafe import Markup

        comma = self.catalog.text.get("comma", self.english.text["comma"])
        return Markup(comma if comma in WIDE_COMMAS else f"{comma} ").join(map(str, numbers))

    def date(self, day: datetime.date) -> str:
        """A calendar date."""
        month = self.catalog.months[day.month - 1]
        number = self.catalog.first if day.day == 1 and self.catalog.first else day.day
        return self.catalog.pattern.format(day=number, month=month, year=day.year)

    def number(self, value: float, digits: int = 1) -> str:
        """A number with so many decimals and the language's separator; a whole number without."""
        text = f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
        return text.replace(".", self.catalog.decimal)

    def _found(self, part: str, key: str) -> tuple[Any, bool]:
        own = getattr(self.catalog, part).get(key)
        return (own, True) if own is not None else (getattr(self.english, part)[key], False)

    def _filled(self, text: str, own: bool, values: Mapping[str, Any]) -> Any:
        from markupsafe import Markup, escape

        shown = {k: v if isinstance(v, Markup | int) else _isolated(str(v)) for k, v in values.items()}
        filled = Markup(escape(text)).format(**shown)
        if own:
            return filled
        return Markup('<span lang="{}" dir="ltr" class="english">{} <small>[{}]</small></span>').format(
            SOURCE, filled, self.catalog.text.get("english_here", self.english.text["english_here"])
        )


def _isolated(text: str) -> Any:
    """A value from elsewhere: it keeps its own direction inside a line of the other direction."""
    from markupsafe import Markup

    direction = (
        "" if any(letter.isalpha() for letter in text) else Markup(' dir="ltr"')
    )  # a minus stays before its digit
    return Markup("<bdi{}>{}</bdi>").format(direction, text)
