"""Collect the texts of the web app and bring its catalogs up to date, for translators.

    python qualification/web_words.py

Texts are what templates and modules of ``vein2vein.web`` say by ``_``, ``_attr``, ``_n`` and ``said``. Those of a door
go into ``locales/<code>/<door>.po``, all others into ``frame.po``. What is there stays; a new text waits for its
translation with an empty one, and shows English, marked, until then; one that is said no more is taken out.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po
from babel.plural import to_gettext

import vein2vein
from vein2vein.files import write_bytes
from vein2vein.web.doors.declared import DOORS
from vein2vein.web.words import FRAME

WEB = Path(vein2vein.__file__).parent / "web"
LOCALES = WEB / "locales"
LANGUAGES = ("ar", "es", "fr", "hi", "pt", "ru", "zh")
KEYWORDS = {"_": None, "_attr": None, "said": None, "_n": (1, 2)}
HEADER = "# The words of the web app: {}. Draft by machine; to be reviewed by a translator.\n#"
Text = str | tuple[str, str]


def domain_of(path: Path) -> str:
    """The catalog of a file: that of its door, else that of the frame."""
    names = {path.parent.name, path.stem if path.parent.name == "doors" else ""}
    return next((name for name in DOORS if name in names), FRAME)


def collect() -> dict[str, list[Text]]:
    """Every text by its catalog, in the order in which they are said; one of the frame stands there alone."""
    found: dict[str, dict[Text, None]] = {}
    for path in sorted([*WEB.rglob("*.py"), *WEB.rglob("*.j2")]):
        method = "python" if path.suffix == ".py" else "jinja2.ext:babel_extract"
        options = {"trim_blocks": "true", "silent": "false"}
        for _, message, _, _ in extract_from_file(method, str(path), keywords=KEYWORDS, options=options):
            text = (str(message[0]), str(message[1])) if isinstance(message, tuple) else str(message)
            found.setdefault(domain_of(path), {})[text] = None
    frame = found[FRAME]
    return {name: [text for text in texts if name == FRAME or text not in frame] for name, texts in found.items()}


def brought_up(code: str, domain: str, texts: list[Text]) -> Catalog:
    """The catalog of a language with these texts and what it says of them so far."""
    path = LOCALES / code / f"{domain}.po"
    before = read_po(io.BytesIO(path.read_bytes()), locale=code) if path.is_file() else Catalog(code)
    made = Catalog(code, header_comment=HEADER.format(domain), fuzzy=False, project="vein2vein", charset="utf-8")
    for text in texts:
        there = before.get(text[0] if isinstance(text, tuple) else text)
        made.add(text, there.string if there is not None else None)
    return made


def written(catalog: Catalog) -> bytes:
    """A catalog as its file: no date, no tool, the plural forms of CLDR."""
    stream = io.BytesIO()
    write_po(stream, catalog, width=110, omit_header=True)
    header = [
        'msgid ""', 'msgstr ""', '"Project-Id-Version: vein2vein\\n"', f'"Language: {catalog.locale_identifier}\\n"',
        f'"Plural-Forms: {plural_forms(str(catalog.locale_identifier))}\\n"',
        '"MIME-Version: 1.0\\n"', '"Content-Type: text/plain; charset=utf-8\\n"',
        '"Content-Transfer-Encoding: 8bit\\n"',
    ]  # fmt: skip
    return "\n".join([catalog.header_comment, *header, "", ""]).encode() + stream.getvalue()


def plural_forms(code: str) -> str:
    """The plural forms of a language, as catalogs name them."""
    return re.sub(r"\be\b", "0", to_gettext(Locale.parse(code).plural_form))  # no catalog knows compact numbers


def main() -> None:
    """Write every catalog anew."""
    for domain, texts in collect().items():
        for code in LANGUAGES:
            catalog = brought_up(code, domain, texts)
            path = LOCALES / code / f"{domain}.po"
            path.parent.mkdir(exist_ok=True)
            write_bytes(path, written(catalog), force=True)
            missing = sum(1 for one in catalog if one.id and not one.string)
            print(f"{path.relative_to(LOCALES)}: {len(texts)} texts, {missing} without translation")


if __name__ == "__main__":
    main()
