"""The catalogs of the patient's page: complete, equal placeholders, right plural forms and dates, no markup."""

import datetime
import json
import re
from pathlib import Path
from string import Formatter

import pytest
from babel import Locale
from babel.core import get_global

from vein2vein.errors import InputError
from vein2vein.explain.languages import (
    PLURALS,
    SOURCE,
    Catalog,
    Words,
    all_languages,
    date_of,
    find_language,
    read_catalog,
)
from vein2vein.therapy.disease import all_diseases
from vein2vein.therapy.product import all_products

CLDR = json.loads((Path(__file__).parents[1] / "golden" / "babel" / "cldr.json").read_text(encoding="utf-8"))
CODES = ["en", "ar", "es", "fr", "hi", "pt", "ru", "zh"]
MISSING: dict[str, set[str]] = {}  # keys knowingly not translated yet, by language: they show English, marked


def placeholders(text):
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name)


def every_text(catalog):
    yield from catalog.text.items()
    yield from catalog.names.items()
    for key, lines in catalog.lists.items():
        yield from ((f"{key}[{i}]", line) for i, line in enumerate(lines))
    for key, forms in catalog.plurals.items():
        yield from ((f"{key}.{category}", form) for category, form in forms.items())
    for key, text in catalog.child_text.items():
        yield f"child {key}", text
    for key, lines in catalog.child_lists.items():
        yield from ((f"child {key}[{i}]", line) for i, line in enumerate(lines))
    yield "status", catalog.status


def test_the_eight_languages_are_there_english_first():
    assert list(all_languages()) == CODES


@pytest.mark.parametrize("code", CODES)
def test_every_key_is_there_or_knowingly_missing(code):
    own, english = read_catalog(code), read_catalog(SOURCE)
    for part in ("text", "names", "lists", "plurals"):
        mine, source = set(getattr(own, part)), set(getattr(english, part))
        assert not mine - source, f"{part}: keys that nothing reads"
        assert source - mine == {k for k in MISSING.get(code, set()) if k in source}
    for key, lines in english.lists.items():
        assert len(own.lists[key]) == len(lines), key


@pytest.mark.parametrize("code", CODES)
def test_every_disease_and_drug_of_a_card_has_a_name(code):
    names = read_catalog(code).names
    regimens = [r for p in all_products().values() for use in p.indications for r in use.regimens]
    assert set(all_diseases()) | {drug.name for one in regimens for drug in one.drugs} <= set(names)


@pytest.mark.parametrize("code", CODES)
def test_placeholders_are_those_of_the_english_text(code):
    own, english = read_catalog(code), read_catalog(SOURCE)
    for part in ("text", "names"):
        for key, text in getattr(own, part).items():
            assert placeholders(text) == placeholders(getattr(english, part)[key]), key
    for key, forms in own.plurals.items():
        for category, form in forms.items():
            assert placeholders(form) == placeholders(english.plurals[key]["other"]), f"{key}.{category}"
    for key, lines in own.lists.items():
        assert not [line for line in lines if "{" in line or "}" in line], key


@pytest.mark.parametrize("code", CODES)
def test_plural_forms_are_those_of_cldr(code):
    categories, rule = PLURALS[code]
    assert sorted(categories) == CLDR[code]["categories"]
    assert {n: rule(int(n)) for n in CLDR[code]["forms"]} == CLDR[code]["forms"]
    for key, forms in read_catalog(code).plurals.items():
        assert set(forms) == set(categories), key


@pytest.mark.parametrize("code", CODES)
def test_dates_are_those_of_cldr(code):
    catalog = read_catalog(code)
    assert [date_of(catalog, datetime.date(2027, m, 2 * m)) for m in range(1, 13)] == CLDR[code]["dates"]


@pytest.mark.parametrize("code", CODES)
def test_the_words_of_a_calendar_are_those_of_cldr(code):
    own, locale = read_catalog(code), Locale.parse(get_global("likely_subtags").get(code, code))
    days, months = locale.days["stand-alone"], locale.months["format"]
    assert own.weekdays == tuple(days["wide"][i] for i in range(7))
    assert own.short_weekdays == tuple(days["short"][i] for i in range(7))
    assert own.short_months == tuple(months["abbreviated"][i] for i in range(1, 13))
    assert own.week_begins == locale.first_week_day


def test_the_first_of_a_month_is_written_as_french_and_brazilians_write_it():
    said = {code: date_of(read_catalog(code), datetime.date(2027, 3, 1)) for code in ("fr", "pt", "es", "en")}
    assert said == {
        "fr": "1er mars 2027", "pt": "1º de março de 2027", "es": "1 de marzo de 2027", "en": "March 1, 2027",
    }  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_texts_hold_no_markup_and_are_not_left_in_english(code):
    own, english = read_catalog(code), dict(every_text(read_catalog(SOURCE)))
    for key, text in every_text(own):
        assert text and text == text.strip() and not re.search(r"[<>&]", text), key
        if code != SOURCE and len(text.split()) > 3:
            assert text != english.get(key), f"{key} is still English"


@pytest.mark.parametrize("code", [c for c in CODES if c != SOURCE])
def test_a_translation_says_that_no_medical_translator_has_reviewed_it(code):
    catalog = read_catalog(code)
    assert catalog.status and catalog.status != read_catalog(SOURCE).status


@pytest.mark.parametrize(
    ("code", "script"),
    [("ar", "\u0600-\u06ff"), ("hi", "\u0900-\u097f"), ("zh", "\u4e00-\u9fff"), ("ru", "\u0400-\u04ff")],
)
def test_texts_are_in_their_script(code, script):
    for key, text in every_text(read_catalog(code)):
        if re.sub(r"\{\w+\}", "", text).strip(" :：%()0123456789–—-"):
            assert key == "comma" or re.search(f"[{script}]", text), key


@pytest.mark.parametrize(
    ("asked", "code"),
    [("es", "es"), ("ES", "es"), ("es-MX", "es"), ("Spanish", "es"), ("español", "es"), ("zh_CN", "zh"),
     ("zh-Hans", "zh"), ("العربية", "ar"), ("pt-BR", "pt"), (" fr ", "fr")],
)  # fmt: skip
def test_a_language_is_found_by_code_or_name(asked, code):
    assert find_language(asked).code == code


@pytest.mark.parametrize(
    ("asked", "near"), [("spansh", "Spanish"), ("zh-TW", "Chinese (zh)"), ("../en", "English (en)")]
)
def test_an_unknown_language_is_refused_with_the_nearest(asked, near):
    with pytest.raises(InputError, match="unknown language") as caught:
        find_language(asked)
    assert near in str(caught.value)


def test_a_missing_text_shows_english_and_is_marked():
    whole = read_catalog("ar")
    lacking = Catalog(**{**vars(whole), "text": {k: v for k, v in whole.text.items() if k != "title"}, "plurals": {}})
    words = Words(lacking)
    assert words("title").own == (
        '<span lang="en" dir="ltr" class="english">Your path through CAR T-cell treatment '
        f"<small>[{whole.text['english_here']}]</small></span>"
    )
    assert "2 weeks" in words.plural("weeks", 2).own and 'lang="en"' in words.plural("weeks", 2).own
    assert "<span" not in words("call_title").own


def test_what_is_filled_in_is_escaped_and_keeps_its_direction():
    assert Words(read_catalog("ar"))("day_n", day="<b>9</b>").own == "اليوم <bdi>&lt;b&gt;9&lt;/b&gt;</bdi>"


def test_a_signed_number_and_a_series_read_in_the_right_order():
    assert Words(read_catalog("ar"))("day_n", day="−6").own == 'اليوم <bdi dir="ltr">−6</bdi>'
    assert Words(read_catalog("ar")).series((2, 3, 12)).own == "2، 3، 12"  # no letters and no isolate: runs to the left
    assert Words(read_catalog("zh")).series((2, 3)).own == "2、3"
    assert Words(read_catalog("fr")).series((2, 3)).own == "2, 3"


# ---------------------------------------------------------------- English beside what nobody has reviewed


def numbers_in(text):
    """Numbers of a text, whatever the language writes around them; decimals with a point."""
    return sorted(re.findall(r"\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d)", ".", re.sub(r"<[^>]*>|\{\w+\}", " ", text))))


@pytest.mark.parametrize("code", CODES)
def test_numbers_are_those_of_the_english_text(code):
    own, english = read_catalog(code), read_catalog(SOURCE)
    for part in ("text", "names", "child_text"):
        for key, text in getattr(own, part).items():
            assert numbers_in(text) == numbers_in(getattr(english, part)[key]), key
    for part in ("lists", "child_lists"):
        for key, lines in getattr(own, part).items():
            for line, plain in zip(lines, getattr(english, part)[key], strict=True):
                assert numbers_in(line) == numbers_in(plain), key


@pytest.mark.parametrize("code", CODES)
def test_a_page_for_a_child_has_words_of_its_own_for_every_text_that_speaks_to_the_patient(code):
    own, english = read_catalog(code), read_catalog(SOURCE)
    for part in ("child_text", "child_lists"):
        mine, source = set(getattr(own, part)), set(getattr(english, part))
        assert not mine - source, "keys that nothing reads"
        assert source - mine == own.child_same & source, part
    assert own.child_same <= set(english.child_text) | set(english.child_lists)
    for key, text in own.child_text.items():
        assert placeholders(text) == placeholders(english.child_text[key]) == placeholders(english.text[key]), key


def test_english_stands_beside_a_text_until_a_translator_has_reviewed_it():
    whole = read_catalog("fr")
    reviewed = Catalog(**{**vars(whole), "reviewed": frozenset({"call_title"})})
    before, after = Words(whole)("call_title").__html__(), Words(reviewed)("call_title").__html__()
    assert before == (
        f'<span class="pair"><span class="own">{whole.text["call_title"]}</span> '
        '<span class="beside" lang="en" dir="ltr">When to call your care team</span></span>'
    )
    assert after == whole.text["call_title"]
    assert Words(read_catalog(SOURCE))("call_title").__html__() == "When to call your care team"


def test_what_is_filled_in_is_in_english_too_where_english_stands_beside_it():
    words = Words(read_catalog("fr"))
    said = words("title_with_time", title=words("event_alive"), time=words.plural("after_years", 3))
    assert said.own == "Personnes en vie : 3 ans après la perfusion"
    assert said.english == "Alive: 3 years after the infusion"
    assert words.number(100.4).own == '<bdi dir="ltr">100,4</bdi>'
    assert words.number(100.4).english == '<bdi dir="ltr">100.4</bdi>'


def test_what_a_language_has_no_childs_words_for_is_shown_in_english_marked():
    whole = read_catalog("ru")
    lacking = Catalog(**{**vars(whole), "child_text": {}})
    assert 'class="english"' in Words(lacking, child=True)("call_intro").own
    assert Words(lacking, child=True)("event_crs_text").own == whole.text["event_crs_text"]  # serves for a child, too
