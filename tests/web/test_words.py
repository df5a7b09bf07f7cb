"""Words in eight languages: catalogs in step with what is said, plural forms of CLDR, English where one is missing."""

import gettext
import importlib.util
import io
import re
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.pofile import read_po

from vein2vein.explain.languages import PLURALS, all_languages
from vein2vein.web import words
from vein2vein.web.doors.declared import DOORS
from vein2vein.web.words import CATEGORIES, Domain, Words, forms_of, language_of

ROOT = Path(__file__).resolve().parents[2]
OTHERS = [code for code in all_languages() if code != "en"]


@pytest.fixture(scope="module")
def web_words():
    path = ROOT / "qualification" / "web_words.py"
    if not path.is_file():
        pytest.skip("the script that collects the words is not here")
    spec = importlib.util.spec_from_file_location("web_words", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("code", OTHERS)
def test_the_catalogs_hold_what_is_said_and_nothing_else(web_words, code):
    said = web_words.collect()
    assert set(said) <= {"frame", *DOORS} and len(said["frame"]) > 60
    for domain, texts in said.items():
        path = words.FOLDER / code / f"{domain}.po"
        assert path.read_bytes() == web_words.written(web_words.brought_up(code, domain, texts)), (
            "run qualification/web_words.py"
        )
        if domain in ("frame", "library", "patient", "trials"):
            assert not [
                one.id for one in read_po(io.BytesIO(path.read_bytes()), locale=code) if one.id and not one.string
            ]


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_has_the_places_of_its_text(code):
    for path in (words.FOLDER / code).glob("*.po"):
        for one in read_po(io.BytesIO(path.read_bytes()), locale=code):
            for id_, string in zip(*([x] if isinstance(x, str) else x for x in (one.id, one.string)), strict=False):
                if id_ and string:
                    assert sorted(re.findall(r"\{\w+\}", id_)) == sorted(re.findall(r"\{\w+\}", string)), id_


@pytest.mark.parametrize("code", [*all_languages()])
def test_plural_forms_are_those_of_cldr_and_of_the_family_pages(code, web_words):
    rule = Locale.parse(code).plural_form
    index = gettext.c2py(web_words.plural_forms(code).split("plural=")[1].rstrip(";"))
    for n in [*range(0, 125), 1000, 1_000_000, 2_000_000]:
        assert rule(n) == PLURALS[code][1](n)
        assert forms_of(code)[index(n)] == rule(n)
    assert set(forms_of(code)) <= set(CATEGORIES)


def test_a_text_in_the_language_of_the_page():
    assert Words("es")("Cancel") == "Cancelar" and Words("en")("Cancel") == "Cancel"
    assert Words("ar")("Facts {first} to {last} of {total}", first=1, last=40, total=96).startswith(
        '<span lang="en"'
    ), "another door's"
    told = Words("ar", "library")("Facts {first} to {last} of {total}", first=1, last=40, total="<b>")
    assert "40" in told and "<bdi>&lt;b&gt;</bdi>" in told and "lang=" not in told
    assert Words("ar").of("library")("Library") == Words("ar", "library")("Library") == "المكتبة"


def test_a_missing_text_shows_english_marked():
    marked = Words("ar")("Not said <yet>")
    assert (
        marked == '<span lang="en" dir="ltr" class="english">Not said &lt;yet&gt;</span> '
        '<small class="mark">[بالإنجليزية]</small>'
    )
    assert (
        Words("es").attribute("Not said {n}", n=3) == "Not said 3 (en inglés)"
        and Words("es").attribute("Cancel") == "Cancelar"
    )
    assert Words("en").attribute("Not said") == "Not said"
    assert Words("es")("{name}", name="x") == "<bdi>x</bdi>" and Words("es")("vein2vein") == "vein2vein"
    assert Words("es").sentence("found <3>.") == '<bdi lang="en" dir="ltr">found &lt;3&gt;.</bdi>'
    assert Words("es").sentence("That did not work") == "Eso no funcionó"


def test_plurals_follow_the_number(monkeypatch):
    forms = tuple(f"{one} {{n}}" for one in forms_of("ru"))
    monkeypatch.setattr(
        words, "domain", lambda code, name: Domain({}, {("{n} job", "{n} jobs"): forms} if code == "ru" else {})
    )
    russian = Words("ru")
    assert [russian.plural("{n} job", "{n} jobs", n) for n in (1, 3, 5)] == ["one 1", "few 3", "many 5"]
    assert [Words("en").plural("{n} job", "{n} jobs", n) for n in (1, 2)] == ["1 job", "2 jobs"]
    assert 'lang="en"' in Words("es").plural("{n} job", "{n} jobs", 2)


@pytest.mark.parametrize(
    ("chosen", "accepted", "expected"),
    [
        ("", "", "en"),
        ("ar", "es", "ar"),
        ("xx", "es", "es"),
        ("", "de,fr-CA;q=0.8,es;q=0.9", "es"),
        ("", "pt-BR", "pt"),
        ("", "zh-Hans-CN", "zh"),
        ("", "*", "en"),
        ("", "es;q=oops,ru", "ru"),
        ("", ",;q=,", "en"),
        ("../en", "x" * 9000, "en"),
    ],
)
def test_the_language_is_the_chosen_one_else_the_first_of_the_browser(chosen, accepted, expected):
    assert language_of(chosen, accepted) == expected
