"""The words of the frame and the doors in eight languages, from gettext catalogs; a missing text shows English, marked.

``locales/<code>/<domain>.po`` is what translators edit; it is read at the start, without a build step. A door has a
domain of its own name, looked up before ``frame``. Texts that patients read come from the catalogs of ``explain``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale, negotiate_locale
from babel.messages.pofile import read_po
from markupsafe import Markup, escape

from vein2vein.explain.languages import Catalog, all_languages

FOLDER = Path(__file__).with_name("locales")
FRAME = "frame"
SOURCE = "en"
CATEGORIES = ("zero", "one", "two", "few", "many", "other")
_NAME = re.compile(r"\{\w+\}|vein2vein")  # a text that is a name and nothing else is not translated


def said(text: str) -> str:
    """Mark an English text that is translated where it is shown; the catalogs are collected by this name."""
    return text


ENGLISH_HERE = said("in English")


@dataclass(frozen=True)
class Domain:
    """The texts of one file: one form for each, or as many as the language has plural forms."""

    texts: Mapping[str, str]
    plurals: Mapping[tuple[str, str], tuple[str, ...]]


@cache
def domain(code: str, name: str) -> Domain:
    """Read the texts of a language; empty for English and where there is no such file."""
    path = FOLDER / code / f"{name}.po"
    if code == SOURCE or not path.is_file():
        return Domain({}, {})
    with path.open("rb") as stream:
        catalog = read_po(stream, locale=code)
    texts: dict[str, str] = {}
    plurals: dict[tuple[str, str], tuple[str, ...]] = {}
    for message in catalog:
        if not message.id or message.fuzzy:
            continue
        if isinstance(message.id, str):
            if message.string:
                texts[message.id] = str(message.string)
        elif isinstance(message.string, tuple | list) and all(message.string):
            plurals[message.id[0], message.id[1]] = tuple(map(str, message.string))
    return Domain(texts, plurals)


@cache
def forms_of(code: str) -> tuple[str, ...]:
    """The plural categories of a language, in the order of its forms in a catalog (CLDR)."""
    rule = Locale.parse(code).plural_form
    return tuple(one for one in CATEGORIES if one in rule.tags or one == "other")


def language_of(asked: str, accepted: str) -> str:
    """The language of a page: the one that was chosen, else the first that the browser asks for and that is here.

    Parameters
    ----------
    asked : str
        Code that the reader chose before; "" where none was.
    accepted : str
        Header Accept-Language.
    """
    known = list(all_languages())
    if asked in known:
        return asked
    preferred: list[tuple[float, str]] = []
    for part in accepted.split(",")[:20]:
        name, _, weight = part.partition(";q=")
        try:
            preferred.append((-float(weight or 1), name.strip().replace("-", "_")))
        except ValueError:
            continue
    ordered = [name for _, name in sorted(preferred, key=lambda one: one[0])]
    plain = [one for name in ordered for one in (name, name.split("_")[0])]
    return negotiate_locale(plain, known) or SOURCE


class Words:
    """The words of one page.

    Parameters
    ----------
    code : str
        Language.
    door : str
        Whose texts are looked up before those of the frame.
    """

    def __init__(self, code: str, door: str = FRAME) -> None:
        self.code = code
        self.domains = tuple(domain(code, name) for name in dict.fromkeys((door, FRAME)))

    @property
    def catalog(self) -> Catalog:
        """The catalog of ``explain`` in this language: its name, direction, and texts for patients."""
        return all_languages()[self.code]

    def __call__(self, text: str, **values: Any) -> Markup:
        """A text by its English words, with its places filled in; marked where only English is there."""
        own = self._own(text)
        return self._marked(_filled(own or text, values), there=own is not None)

    def attribute(self, text: str, **values: Any) -> str:
        """A text where no mark can stand inside: a title, a label for a screen reader, a field of the JSON twin."""
        own = self._own(text)
        shown = (own or text).format(**{k: str(v) for k, v in values.items()})
        return shown if own is not None else f"{shown} ({self._own(ENGLISH_HERE) or ENGLISH_HERE})"

    def of(self, door: str) -> Words:
        """The words of another door in the same language: its title stands on every page."""
        return Words(self.code, door)

    def sentence(self, text: str) -> Markup:
        """A sentence about what went wrong: in the language of the page where it has one, else in English as it is."""
        own = self._own(text)
        return Markup('<bdi lang="en" dir="ltr">{}</bdi>').format(text) if own is None else Markup(escape(own))

    def plural(self, one: str, many: str, n: int, **values: Any) -> Markup:
        """A text in the form that the number ``n`` asks for."""
        for each in self.domains:
            if (one, many) in each.plurals:
                category = Locale.parse(self.code).plural_form(n)
                form = each.plurals[one, many][forms_of(self.code).index(category)]
                return self._marked(_filled(form, {"n": n, **values}), there=True)
        text = one if n == 1 else many
        return self._marked(_filled(text, {"n": n, **values}), there=self.code == SOURCE)

    def _own(self, text: str) -> str | None:
        """The text in the language of the page; None where it has none."""
        if self.code == SOURCE or _NAME.fullmatch(text):
            return text
        return next((each.texts[text] for each in self.domains if text in each.texts), None)

    def _marked(self, text: Markup, *, there: bool) -> Markup:
        if there:
            return text
        mark = self._own(ENGLISH_HERE) or ENGLISH_HERE
        shown = Markup('<span lang="en" dir="ltr" class="english">{}</span> <small class="mark">[{}]</small>')
        return shown.format(text, mark)


def _filled(text: str, values: Mapping[str, Any]) -> Markup:
    """A text with its places filled in; what comes from elsewhere keeps its own direction."""
    shown = {
        k: v if isinstance(v, Markup | int | float) else Markup("<bdi>{}</bdi>").format(v) for k, v in values.items()
    }
    return Markup(escape(text)).format(**shown)
