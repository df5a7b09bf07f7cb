"""Languages of the family's pages: catalogs of words, plural forms, dates.

English stands beside each text that no medical translator has reviewed; a missing text shows English, marked.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from vein2vein.cards import bundled_cards, find_card
from vein2vein.errors import InputError, nearest

FOLDER = Path(__file__).with_name("locales")
SOURCE = "en"
WEEK = 7  # days
WIDE_COMMAS = "、，"  # as wide as a letter: no space after them
BESIDE = '<span class="pair"><span class="own">{}</span> <span class="beside" lang="en" dir="ltr">{}</span></span>'


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
    reviewed : frozenset of str
        Keys of the texts that a medical translator has reviewed: they stand without English beside them.
    pattern : str
        Of a date, with {day}, {month} and {year}.
    first : str
        The first day of a month where it is written otherwise than the other days, such as "1er"; else "".
    months, short_months : tuple of str
    weekdays, short_weekdays : tuple of str
        Monday first.
    week_begins : int
        The weekday with which a week begins; 0: Monday.
    text, names : mapping of str to str
    lists : mapping of str to tuple of str
    plurals : mapping of str to mapping of str to str
        Word form by plural category.
    child_text : mapping of str to str
    child_lists : mapping of str to tuple of str
        What a page for a child's parents says in place of the text or list of that key.
    child_same : frozenset of str
        Keys whose usual words serve for a child, too, where English has words of its own for it.
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
    short_months: tuple[str, ...]
    weekdays: tuple[str, ...]
    short_weekdays: tuple[str, ...]
    week_begins: int
    text: Mapping[str, str]
    names: Mapping[str, str]
    lists: Mapping[str, tuple[str, ...]]
    plurals: Mapping[str, Mapping[str, str]]
    reviewed: frozenset[str] = frozenset()
    child_text: Mapping[str, str] = field(default_factory=dict[str, str])
    child_lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    child_same: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Said:
    """A text of a page in its language and in English.

    Attributes
    ----------
    own, english : Markup
    beside : bool
        Whether the English stands beside it on the page.
    """

    own: Any
    english: Any
    beside: bool = False

    def __html__(self) -> str:
        """The text as the page shows it."""
        from markupsafe import Markup

        return str(Markup(BESIDE).format(self.own, self.english)) if self.beside else str(self.own)


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
        short_months=tuple(card.required("dates", "short_months", expected="twelve names")),
        weekdays=tuple(card.required("dates", "weekdays", expected="seven names")),
        short_weekdays=tuple(card.required("dates", "short_weekdays", expected="seven names")),
        week_begins=int(card.number("dates", "week_begins", low=0, high=WEEK - 1)),
        text=card.table("text"),
        names=card.table("names"),
        lists={key: tuple(lines) for key, lines in card.table("lists").items()},
        plurals=card.table("plurals"),
        reviewed=frozenset(card.texts("language", "reviewed")),
        child_text=card.table("child", "text", default={}),
        child_lists={key: tuple(lines) for key, lines in card.table("child", "lists", default={}).items()},
        child_same=frozenset(card.texts("child", "same")),
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
    child : bool
        Whether the page speaks to the parents of a child.
    """

    def __init__(self, catalog: Catalog, *, child: bool = False) -> None:
        self.catalog = catalog
        self.english = read_catalog(SOURCE)
        self.child = child

    def __call__(self, key: str, **values: Any) -> Said:
        """A text by its key, with its placeholders filled in."""
        return self._said("text", key, values)

    def name(self, key: str, otherwise: str = "") -> Said:
        """A name (disease or drug); one that no catalog knows is shown as the card writes it, in English."""
        if key not in self.english.names:
            return self._of(otherwise or key, otherwise or key, self.catalog.code == SOURCE, False, {})
        return self._said("names", key, {})

    def lines(self, key: str) -> list[Said]:
        """A list of sentences."""
        own, english, there = self._found("lists", key)
        beside = there and self._unreviewed(key)
        return [self._of(line, plain, there, beside, {}) for line, plain in zip(own, english, strict=True)]

    def plural(self, key: str, n: int, **values: Any) -> Said:
        """A text in the form that the number ``n`` asks for."""
        own, english, there = self._found("plurals", key)
        form = own[PLURALS[self.catalog.code if there else SOURCE][1](n)]
        plain = english[PLURALS[SOURCE][1](n)]
        return self._of(form, plain, there, there and self._unreviewed(key), {"n": n, **values})

    def series(self, numbers: Iterable[int]) -> Said:
        """Whole numbers one after the other, in the direction of the language."""
        from markupsafe import Markup

        listed = [str(n) for n in numbers]
        comma = self.catalog.text.get("comma", self.english.text["comma"])
        own = Markup(comma if comma in WIDE_COMMAS else f"{comma} ").join(listed)
        return Said(own, Markup(", ").join(listed))

    def names(self, listed: Iterable[str]) -> Said:
        """Names that no language changes, one after the other."""
        from markupsafe import Markup

        shown = [_isolated(one) for one in listed]
        comma = self.catalog.text.get("comma", self.english.text["comma"])
        own = Markup(comma if comma in WIDE_COMMAS else f"{comma} ").join(shown)
        return Said(own, Markup(", ").join(shown))

    def date(self, day: datetime.date) -> Said:
        """A calendar date."""
        return Said(_isolated(date_of(self.catalog, day)), _isolated(date_of(self.english, day)))

    def between(self, first: Said, last: Said) -> Said:
        """From one date or number to another."""
        from markupsafe import Markup

        both = Markup("{} – {}")
        return Said(both.format(first.own, last.own), both.format(first.english, last.english))

    def number(self, value: float, digits: int = 1) -> Said:
        """A number with so many decimals and the language's separator; a whole number without."""
        text = f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
        return Said(_isolated(text.replace(".", self.catalog.decimal)), _isolated(text))

    def _unreviewed(self, key: str) -> bool:
        return self.catalog.code != SOURCE and key not in self.catalog.reviewed

    def _found(self, part: str, key: str) -> tuple[Any, Any, bool]:
        """What a catalog says under a key, what English says, and whether the first is of the page's own language."""
        usual, plain = getattr(self.catalog, part).get(key), getattr(self.english, part)[key]
        for_child = getattr(self.english, f"child_{part}", {}) if self.child else {}
        if key in for_child:
            plain = for_child[key]
            usual = getattr(self.catalog, f"child_{part}").get(key, usual if key in self.catalog.child_same else None)
        return (plain, plain, self.catalog.code == SOURCE) if usual is None else (usual, plain, True)

    def _said(self, part: str, key: str, values: Mapping[str, Any]) -> Said:
        own, english, there = self._found(part, key)
        return self._of(own, english, there, there and self._unreviewed(key), values)

    def _of(self, own: str, english: str, there: bool, beside: bool, values: Mapping[str, Any]) -> Said:
        from markupsafe import Markup

        plain = _filled(english, {k: v.english if isinstance(v, Said) else v for k, v in values.items()})
        if there:
            return Said(
                _filled(own, {k: v.own if isinstance(v, Said) else v for k, v in values.items()}), plain, beside
            )
        marked = Markup('<span lang="{}" dir="ltr" class="english">{} <small>[{}]</small></span>')
        here = self.catalog.text.get("english_here", self.english.text["english_here"])
        return Said(marked.format(SOURCE, plain, here), plain)


def date_of(catalog: Catalog, day: datetime.date) -> str:
    """A calendar date as a language writes it."""
    number = catalog.first if day.day == 1 and catalog.first else day.day
    return catalog.pattern.format(day=number, month=catalog.months[day.month - 1], year=day.year)


def _filled(text: str, values: Mapping[str, Any]) -> Any:
    from markupsafe import Markup, escape

    shown = {k: v if isinstance(v, Markup | int) else _isolated(str(v)) for k, v in values.items()}
    return Markup(escape(text)).format(**shown)


def _isolated(text: str) -> Any:
    """A value from elsewhere: it keeps its own direction inside a line of the other direction."""
    from markupsafe import Markup

    direction = (
        "" if any(letter.isalpha() for letter in text) else Markup(' dir="ltr"')
    )  # a minus stays before its digit
    return Markup("<bdi{}>{}</bdi>").format(direction, text)
