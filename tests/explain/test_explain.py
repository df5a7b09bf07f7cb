"""The patient's page: the plan, the rates and where they come from, what every page says, how hard it is to read."""

import importlib.util
import itertools
import re
import shutil
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from readability import prose_of, readability, syllables, text_of

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.explain import facts
from vein2vein.explain.languages import Catalog, all_languages, read_catalog
from vein2vein.explain.page import explanation_page, read_date, write_explanation
from vein2vein.explain.print_page import find_browser, print_pdf
from vein2vein.report.look import words as style_words
from vein2vein.therapy.course import Course
from vein2vein.therapy.disease import all_diseases, find_disease
from vein2vein.therapy.patient import example_patient_text, patient_from_card
from vein2vein.therapy.product import all_products, find_product
from vein2vein.trials.endpoints.measures import ENDPOINTS, SETS
from vein2vein.trials.trial import load_trial

ALL = list(all_languages())


def a_patient(**changes):
    text = example_patient_text()
    for field, value in changes.items():
        text, count = re.subn(rf"(?m)^{field} = [^#\n]*", f"{field} = {value} ", text)
        assert count == 1, field
    return patient_from_card(parse_card(text, "patient.toml"))[0]


CHILD = a_patient()
TISA = find_product("tisagenlecleucel")
# Sentences above eighth grade for the names in them alone: lists of tests and medicines, as records have them
NAMES_OF_THINGS = {
    "The last date of steroids, chemotherapy, blinatumomab and bendamustine.",
    "Tests for hepatitis B and C, HIV, HTLV, CMV, syphilis and toxoplasmosis. A pregnancy test, if it applies.",
    "Then look on the center’s own page for “international patients” or “referrals”.",
    "What is in the price: visits, cell collection, the cells, hospital, intensive care, medicine?",
    "Blood tests: blood counts, T cells, kidney and liver, ferritin, CRP, LDH and antibodies (IgG).",
    "Lab reports about the cancer, with the cell markers (CD19, CD22 or BCMA) of the newest sample.",
}
USES = [(name, use.diseases[0]) for name, product in all_products().items() for use in product.indications]


def an_adult(disease):
    text = f'disease = "{disease}"\nage = "61 years"\nweight = "80 kg"\n'
    return patient_from_card(parse_card(text, "patient.toml"))[0]


@pytest.fixture(scope="module")
def english():
    return explanation_page(CHILD, TISA, infusion_date="2027-01-10")


@pytest.mark.parametrize("code", ["en", "ar", "fr"])
def test_head_and_wallet_card_bear_the_name_and_ask_for_what_was_had(code):
    page = explanation_page(CHILD, TISA, language=code, infusion_date="2027-01-10", name="Ada <b>")
    shown = "<bdi>Ada &lt;b&gt;</bdi>"
    cards = re.findall(r'<div class="card".*?</div>', page, re.DOTALL)
    assert len(cards) == (1 if code == "en" else 2) and page.count(shown) == 1 + len(cards) and "<b>Ada" not in page
    for card in cards:
        assert shown in card and "Kymriah" in card and "2027" in card
        asked = re.findall(r"<dt>((?:(?!</dt>).)*)</dt><dd></dd>", card)
        assert [one for text in asked for one in re.findall("CRS|ICANS", text)] == ["CRS", "ICANS"]
    assert "<bdi></bdi>" in re.findall(r'<div class="card".*?</div>', explanation_page(CHILD, TISA), re.DOTALL)[0]


@pytest.fixture
def the_model_fits(monkeypatch):
    """Lines that show the model in these tests, whatever the comparison with ELIANA says at present."""
    monkeypatch.setattr(facts, "fitting", lambda *_: {"crs_serious", "response"})


def a_journey(count=100, infused=80, crs=40):
    """Companions of whom so many were infused and had the syndrome of grade 3."""
    days = np.array([0.0, 5.0, 28.0])
    given = np.arange(count) < infused
    grades = np.where((np.arange(count) < crs)[:, None], [0, 3, 0], 0)
    finding = SimpleNamespace(grade=np.where(given[:, None], grades, -1))
    nothing = SimpleNamespace(grade=np.where(given[:, None], 0, -1) * np.ones(3, int))
    return SimpleNamespace(
        infused=given,
        course=Course(np.arange(count), days, {"infection": np.zeros((count, days.size))}),
        findings={"crs_penn": finding, "crs_astct": nothing, "neurologic_event": nothing},
        outcome=SimpleNamespace(
            best_response=np.where(given, "CR", ""), response_day=np.where(given, 28.0, np.inf), death_day=np.inf,
            last_day=np.full(count, 400.0),
        ),
    )  # fmt: skip


# ---------------------------------------------------------------- the plan


def test_the_plan_shows_this_patients_days_as_dates(english):
    said = text_of(english)
    assert "January 10, 2027" in said
    assert "Day −6 to day −3" in said.replace(" −", " −") or re.search(r"Day −6\s+to day −3", said)
    assert "January 4, 2027" in said and "January 7, 2027" in said  # chemotherapy
    assert "February 7, 2027" in said  # day 28
    assert "until the year 2042" in said  # fifteen years
    assert "About 4 weeks before the infusion" in said


def test_known_days_of_collection_and_chemotherapy_move_the_plan():
    text = example_patient_text().replace("# [days]", "[days]").replace("# leukapheresis", "leukapheresis")
    text = text.replace("# lymphodepletion = -6", "lymphodepletion = -8")
    plan = facts.timing(patient_from_card(parse_card(text, "p.toml"))[0], TISA)
    assert (plan.collection, plan.chemo_first, plan.chemo_last) == (-42, -8, -5)
    said = text_of(explanation_page(patient_from_card(parse_card(text, "p.toml"))[0], TISA))
    assert "6 weeks before the infusion" in said


def test_a_split_dose_has_its_second_day_and_its_own_label_rules():
    patient, product = an_adult("adult_b_all"), find_product("obecabtagene_autoleucel")
    plan = facts.timing(patient, product)
    assert plan.infusions == (9.0,)
    assert plan.rules["driving"].value == 56 and plan.rules["driving"].mark == "M"
    said = text_of(explanation_page(patient, product))
    assert "Second part of the cells" in said and "8 weeks" in said
    assert read_catalog("en").text["unverified"] in said  # a number from memory says so
    assert read_catalog("en").text["unverified"] not in text_of(explanation_page(CHILD, TISA))


def test_a_label_that_gives_no_time_without_driving_says_so_and_what_others_ask():
    said = text_of(explanation_page(an_adult("mm"), find_product("idecabtagene_vicleucel")))
    told = "This label does not say how long you should not drive. Ask your team."
    assert f"{told} Other labels of this kind ask for 2 weeks." in said
    assert "for at least this long: None" not in said
    other = text_of(explanation_page(an_adult("mm"), find_product("ciltacabtagene_autoleucel")))
    assert "no work with dangerous tools, for at least this long: 2 weeks" in other


def test_the_label_rules_are_those_of_the_clinical_rules(english):
    said = text_of(english)
    assert "38 °C ( 100.4 °F)" in said or re.search(r"38\s+°C \(\s*100\.4\s+°F\)", said)
    rules = facts.rules(TISA)
    assert {n: rules[n].value for n in ("daily", "near", "driving", "follow_up", "exams", "first_check")} == {
        "daily": 7, "near": 14, "driving": 14, "follow_up": 15, "exams": 5, "first_check": 28,
    }  # fmt: skip


def test_a_use_that_is_not_on_the_label_says_so():
    said = read_catalog("en").text["not_approved"]
    assert said not in text_of(explanation_page(CHILD, TISA))
    assert said in text_of(explanation_page(an_adult("mcl"), TISA))
    assert said in text_of(explanation_page(an_adult("adult_b_all"), TISA))  # 61 years: above the label's age


@pytest.mark.parametrize("text", ["2027-13-01", "10.1.2027", "tomorrow", "", "1999-01-01", "9999-12-31"])
def test_a_date_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="expected"):
        read_date(text)


def test_no_date_is_no_date():
    assert read_date(None) is None
    assert read_catalog("en").text["no_date"] in text_of(explanation_page(CHILD, TISA))


# ---------------------------------------------------------------- the rates


def test_the_rates_of_eliana_are_those_of_its_trial_file():
    known = {(p.source, p.value, p.n) for p in load_trial("eliana").published}
    rows = [row for row in facts.numbers().data["rates"] if "pediatric_b_all" in row["diseases"]]
    assert len(rows) >= 10
    for row in rows:
        assert (row["source"], row["value"], row["n"]) in known, row["line"]


def test_every_rate_is_a_share_of_a_known_line_product_and_disease():
    rows, lines = facts.numbers().data["rates"], facts.numbers().data["lines"]
    told = [(row["product"], row["line"], disease) for row in rows for disease in row["diseases"]]
    assert len(set(told)) == len(told)
    for row in rows:
        assert 0 <= row["value"] <= 100 and row["n"] >= 20
        assert row["line"] in lines and row["product"] in all_products() and row["who"] in ("children", "adults")
        assert set(row["diseases"]) <= set(all_diseases())
        assert bool(row.get("years")) == (lines[row["line"]]["group"] in facts.numbers().data["groups"]["long"])


def test_a_line_is_simulated_or_says_why_not():
    for name, line in facts.numbers().data["lines"].items():
        assert ("endpoint" in line) != ("left_out" in line), name
        assert line.get("endpoint", "crs") in ENDPOINTS and line.get("among", "infused") in SETS, name


@pytest.mark.usefixtures("the_model_fits")
def test_published_rates_stand_before_the_model_as_natural_frequencies():
    page = explanation_page(CHILD, TISA, spread=a_journey())
    said = text_of(page)
    study = "Study of 68 children and young adults: about 5 of 10 (49 of 100)"
    model = "Our model: about 5 of 10 (50 of 100)"
    assert study in said and model in said  # 40 of the 80 infused, on the scale of the study
    assert said[said.index(study) + len(study) :].strip(" .").startswith(model)
    assert "Range: 35 to 65 of 100" in said
    assert "It made up 100 patients" in said


def test_a_line_that_misses_the_study_shows_the_study_alone(monkeypatch):
    monkeypatch.setattr(facts, "fitting", lambda *_: {"crs_serious"})
    said = text_of(explanation_page(CHILD, TISA, spread=a_journey()))
    assert said.count("Our model:") == 1 and said.count("Study of") == 12


def test_the_comparison_with_the_studies_is_of_the_present_model():
    script = Path(__file__).resolve().parents[2] / "qualification" / "explained.py"
    if not script.is_file():
        pytest.skip(f"the scripts are not part of an installed package: {script} is not there")
    spec = importlib.util.spec_from_file_location("explained", script)
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    stored = facts._card("explain_checked.toml").data["rows"]
    again = check.compared_rows()
    key = ("product", "disease", "trial", "patients", "seed", "line", "published", "n")
    remedy = f"the model has changed: run {check.COMMAND} and commit the file it writes"
    assert [[row[k] for k in key] for row in again] == [[row[k] for k in key] for row in stored], remedy
    for now, then in zip(again, stored, strict=True):
        for side in ("simulated", "low", "high"):
            assert now[side] == pytest.approx(then[side], abs=1.5), f"{now['line']}, {side}: {remedy}"


def test_every_line_with_an_endpoint_was_compared():
    compared = {row["line"] for row in facts._card("explain_checked.toml").data["rows"]}
    assert compared == {name for name, line in facts.numbers().data["lines"].items() if "endpoint" in line}
    assert facts.fitting("tisagenlecleucel", "pediatric_b_all") <= compared
    assert not facts.fitting("tisagenlecleucel", "lbcl")


def test_without_simulation_only_studies_are_told(english):
    said = text_of(english)
    assert "Our model:" not in said and read_catalog("en").text["model_off"] in said
    assert "about 8 of 10 (82 of 100)" in said
    assert said.count("Laetsch") == said.count("Levine") == 1  # each source once


def test_where_nothing_was_published_the_page_says_so():
    said = text_of(explanation_page(an_adult("cll"), find_product("lisocabtagene_maraleucel")))
    assert read_catalog("en").text["no_published"] in said and "Study of" not in said


def test_a_model_that_was_not_compared_with_a_study_is_not_shown():
    unchecked = read_catalog("en").text["model_unchecked"]
    assert unchecked not in text_of(explanation_page(CHILD, TISA, spread=a_journey()))
    assert unchecked in text_of(explanation_page(a_patient(age='"61 years"'), TISA, spread=a_journey()))  # not that age
    said = text_of(explanation_page(an_adult("lbcl"), find_product("axicabtagene_ciloleucel"), spread=a_journey()))
    assert unchecked in said and "Our model:" not in said
    assert "about 9 of 10 (93 of 100)" in said  # the study is


def test_the_range_is_that_of_the_next_hundred_patients():
    # scipy.stats.betabinom(100, 40.5, 40.5).ppf([0.025, 0.975]) = 35, 65
    assert facts.share(40, 80) == facts.Share(50.0, 35.0, 65.0)
    many = facts.share(40_000, 80_000)
    assert (many.low, many.high) == (40.0, 60.0)  # never narrower than chance in a hundred
    none = facts.share(0, 300)
    assert none.percent == none.low == 0 and 0 < none.high <= 3
    assert facts.share(5, 19) is None  # too few to say anything


# ---------------------------------------------------------------- every page, every language


@pytest.mark.parametrize("code", ALL)
def test_every_language_has_a_whole_page(code):
    catalog = read_catalog(code)
    page = explanation_page(CHILD, TISA, language=code, spread=a_journey(), infusion_date="2027-01-10")
    said = text_of(page)
    assert f'<html lang="{code}" dir="{"rtl" if code == "ar" else "ltr"}">' in page
    assert '<span lang="en"' not in page  # nothing fell back to English
    assert catalog.status in said and said.count(catalog.text["notice"]) == 3  # top, print footer, end
    assert "{" not in said and "None" not in said and "Markup" not in said
    assert catalog.text["card_head"] in said
    assert ("I have had CAR T-cell treatment" in said) and ("911" in said)


def test_the_layout_mirrors_where_the_writing_runs_to_the_left():
    css = explanation_page(CHILD, TISA, language="ar").split("</style>")[0]
    physical = re.findall(r"(?:margin|padding|border|inset)?-?(?:left|right)\s*:|text-align:\s*(?:left|right)", css)
    assert physical == []  # only logical sides, which follow dir="rtl"


def test_the_notice_is_on_every_printed_page(english):
    running = english.split('class="running"')[1].split("</footer>")[0]
    assert "do not replace it" in running and "not a medical device" in running
    printed = re.sub(r"\s+", " ", english.split("@media print")[1].split("</style>")[0])
    assert re.search(r"\.running \{[^}]*display: block; position: fixed;[^}]*bottom: 0", printed)  # on each sheet
    assert "size: A4" in english.split("@page")[1].split("}")[0]


def test_nothing_is_loaded_from_elsewhere(english):
    assert not re.search(r"https?://|src=|@import|url\(|<script|<link", english.split("Where the numbers come from")[0])


def test_a_missing_translation_shows_english_marked():
    whole = read_catalog("ru")
    lacking = Catalog(**{**vars(whole), "text": {k: v for k, v in whole.text.items() if k != "call_title"}})
    page = explanation_page(CHILD, TISA, language=lacking)
    assert page.count('<span lang="en" dir="ltr" class="english">') == 1
    assert "When to call" in page and whole.text["english_here"] in page


def test_a_products_own_title_cannot_bring_markup():
    page = explanation_page(CHILD, replace(TISA, title="<script>x</script>", brand=""))
    assert "<script" not in page and "&lt;script&gt;" in page


@pytest.mark.parametrize(("product", "disease"), USES, ids=[f"{p}-{d}" for p, d in USES])
def test_every_use_of_every_product_has_a_page_at_or_below_seventh_grade(product, disease):
    patient = CHILD if disease == "pediatric_b_all" else an_adult(disease)
    page = explanation_page(patient, find_product(product), infusion_date="2027-01-10")
    found = readability(prose_of(page))
    assert found.words > 800 and found.flesch_kincaid <= 7 and found.smog <= 8
    assert found.longest <= 25 and found.words / found.sentences <= 15
    lineage = find_disease(disease).lineage
    assert read_catalog("en").text[f"step_check_{lineage}"] in text_of(page)


def test_every_english_sentence_is_easy_also_where_a_page_rarely_shows_it():
    english = read_catalog("en")
    sentences = [english.status, *english.text.values(), *english.child_text.values()]
    sentences += [line for part in (english.lists, english.child_lists) for lines in part.values() for line in lines]
    sentences += [form for forms in english.plurals.values() for form in forms.values()]
    sentences = [re.sub(r"\{\w+\}", "10", text) for text in sentences if text[-1] in ".!?:”"]
    hard = {}
    for text in sentences:
        found = readability(text)
        if found.words >= 5 and found.flesch_kincaid > 8:
            hard[text] = round(found.flesch_kincaid, 1)
        assert found.longest <= 25, text
    assert readability("\n".join(sentences)).flesch_kincaid <= 6
    assert set(hard) == NAMES_OF_THINGS, hard


@pytest.mark.parametrize(
    ("patient", "product", "options", "shown"),
    [
        (CHILD, TISA, {"spread": a_journey()}, ["model_intro", "assumed"]),
        (CHILD, TISA, {}, ["model_off", "no_date"]),
        (an_adult("mcl"), TISA, {}, ["not_approved", "model_unchecked", "no_published"]),
        (an_adult("adult_b_all"), find_product("obecabtagene_autoleucel"), {}, ["unverified", "step_second_text"]),
    ],
    ids=["model", "no model", "not approved", "split dose"],
)
@pytest.mark.usefixtures("the_model_fits")
def test_pages_with_rare_sentences_stay_at_or_below_seventh_grade(patient, product, options, shown):
    page = explanation_page(patient, product, **options)
    english = read_catalog("en")
    for key in shown:
        said = (english.child_text if facts.is_child(patient) else {}).get(key, english.text[key])
        assert re.split(r"\{\w+\}", said)[0] in text_of(page), key
    found = readability(prose_of(page))
    assert found.flesch_kincaid <= 7 and found.smog <= 8 and found.longest <= 25


def test_signs_that_turn_the_direction_do_not_reach_the_page():
    page = explanation_page(CHILD, replace(TISA, title="\u202ebad\u2066", brand=""), language="ar")
    assert "bad" in page and not re.search("[\u202a-\u202e\u2066-\u2069]", page)


def test_headings_tables_and_languages_serve_a_screen_reader():
    for code in ALL:
        page = explanation_page(CHILD, TISA, language=code, infusion_date="2027-01-10")
        levels = [int(level) for level in re.findall(r"<h(\d)", page)]
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
        assert len(re.findall(r"<th(?=[ >])", page)) == len(re.findall(r"<th scope=", page)) > 10
        assert page.count('role="presentation"') == 1  # the sheet that carries the printed margin is no data
        assert all("lang=" in tag and "dir=" in tag for tag in re.findall(r'<div class="card"[^>]*>', page))


def contrast(first, second):
    """Ratio of luminance of two colors such as #1a2b3c (WCAG 2.2)."""

    def luminance(color):
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_text_stands_out_from_its_ground():
    color = style_words("color")
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for ground in ("paper", "wash"):
        assert contrast(color["ink"], color[ground]) >= 7 and contrast(color["soft"], color[ground]) >= 4.5
    assert contrast(color["blue"], color["paper"]) >= 3 and contrast(color["vermilion"], color["paper"]) >= 3


def test_no_promise_and_no_alarm(english):
    said = text_of(english).lower()
    for word in ("cure", "guarantee", "deadly", "fatal", "dangerous side", "will survive", "safe and effective"):
        assert word not in said


def test_the_file_is_written_whole_or_not_at_all(tmp_path):
    path = write_explanation(CHILD, TISA, tmp_path / "page.html", language="hi")
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(InputError, match="--force"):
        write_explanation(CHILD, TISA, path)
    with pytest.raises(InputError, match="unknown language"):
        write_explanation(CHILD, TISA, tmp_path / "other.html", language="klingon")
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


# ---------------------------------------------------------------- how hard it is to read

# Syllables after the CMU Pronouncing Dictionary
SYLLABLES = {
    "blood": 1, "cells": 1, "cancer": 2, "changes": 2, "pages": 2, "passes": 2, "bruises": 2, "tired": 2, "fluid": 2,
    "language": 2, "rarely": 2, "reaction": 3, "people": 2, "temperature": 4, "infection": 3, "medicine": 3, "aches": 1,
    "chemotherapy": 5, "leukemia": 4, "trouble": 2, "needed": 2, "helped": 1, "years": 1, "infusion": 3,
    "antibodies": 4, "transplant": 2, "handwriting": 3, "insurance": 3, "pregnancy": 3, "allergies": 3, "HIV": 3,
    "seizure": 2, "interpreter": 4, "vaccine": 2, "table": 2, "every": 2, "hepatitis": 4, "illness": 2, "questions": 2,
    "breathe": 1,
}  # fmt: skip


@pytest.mark.parametrize(("word", "count"), SYLLABLES.items())
def test_syllables(word, count):
    assert syllables(word) == count


def test_the_flesch_kincaid_formula():
    found = readability("The cat sat on the mat. It was happy.")
    assert (found.sentences, found.words, found.longest) == (2, 9, 6)
    assert found.flesch_kincaid == pytest.approx(0.39 * 4.5 + 11.8 * 10 / 9 - 15.59)
    assert np.isnan(found.smog)  # too few sentences for it
    hard = "Immunotherapeutic administration necessitates comprehensive hospitalization considerations."
    assert readability(hard).flesch_kincaid > 20


def test_the_smog_formula():
    text = "It is an infection. " * 30
    assert readability(text).smog == pytest.approx(1.043 * 30**0.5 + 3.1291)


def test_headings_do_not_make_a_page_easier():
    page = "<h1>Hi.</h1><p>One two three.</p><table><td><strong>No.</strong>Four five.</td></table>"
    assert prose_of(page).splitlines() == ["One two three.", "Four five."]


def test_the_card_is_plain_toml():
    text = (Path(facts.__file__).parent / "explain.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["rules"]["fever"]["value"] == 38.0


# ---------------------------------------------------------------- a child's page, serious forms, warnings

YOUNG, GROWN = a_patient(age='"11 years"'), a_patient(age='"19 years"')


@pytest.mark.parametrize("code", ALL)
def test_a_childs_page_speaks_to_the_parents_and_an_adults_to_the_patient(code):
    catalog = read_catalog(code)
    child, adult = (text_of(explanation_page(one, TISA, language=code)) for one in (YOUNG, GROWN))
    for key in ("title", "call_intro", "step_near_text"):
        assert catalog.child_text[key] in child and catalog.child_text[key] not in adult, key
        assert catalog.text[key] in adult, key
        assert catalog.text[key] not in child.replace(catalog.child_text[key], ""), key
    for line in catalog.child_lists["serious"]:
        assert line in child
    for line in catalog.lists["serious"]:
        assert line in adult


def test_nothing_on_a_childs_page_is_said_to_the_child():
    said = text_of(explanation_page(YOUNG, TISA, spread=a_journey()))
    spoken = (
        r"\byour (?:cells|blood|T cells|body|handwriting|temperature|insurance)\b|\byou (?:get|may have|shake|drive)\b"
    )
    assert not re.search(spoken, said, re.I), re.findall(spoken, said, re.I)
    english = read_catalog("en")
    replaced = {english.text[key] for key in english.child_text} - set(english.child_text.values())
    assert not [text for text in replaced if "{" not in text and text in said]


@pytest.mark.parametrize(("age", "told"), [(11, False), (13, False), (14, True), (17, True), (19, True)])
def test_driving_is_spoken_of_from_the_age_in_which_anybody_drives(age, told):
    said = text_of(explanation_page(a_patient(age=f'"{age} years"'), TISA)).lower()
    assert ("drive" in said or "driving" in said) == told


def test_what_a_serious_form_means_is_said_once_plainly_and_near_the_serious_forms(english):
    said = text_of(english)
    for word in ("intensive care", "a machine that helps with breathing", "people have died from this treatment"):
        assert word in said, word
    assert said.count("died") == 1
    assert said.index("What may happen") < said.index("died") < said.index("Questions to ask")
    assert "died" in read_catalog("en").lists["serious"][-1]


@pytest.mark.parametrize("name", [name for name, one in all_products().items() if facts.labelled(one)])
def test_every_boxed_warning_of_a_label_has_plain_words(name):
    plain, others = facts.plain_warnings(find_product(name))
    assert {"crs", "nerve"} <= set(plain) and others == []
    assert all(f"warn_{one}" in read_catalog("en").text for one in facts.numbers().table("warnings"))


def test_the_warnings_of_a_label_are_those_of_its_card():
    said = text_of(explanation_page(an_adult("mm"), find_product("ciltacabtagene_autoleucel")))
    words = read_catalog("en").text
    assert all(words[f"warn_{one}"] in said for one in ("crs", "nerve", "hlh", "counts", "cancer", "gut"))
    assert words["warn_hlh"] not in text_of(explanation_page(CHILD, TISA))
    strange = replace(TISA, warnings=(*TISA.warnings, "a warning of tomorrow"))
    page = explanation_page(CHILD, strange, language="fr")
    assert "a warning of tomorrow <small>[en anglais]</small>" in page  # never dropped for want of words


def test_a_product_without_a_label_has_no_warnings_of_a_label():
    assert facts.plain_warnings(find_product("cd22_car")) == ([], [])


@pytest.mark.parametrize("code", [code for code in ALL if code != "en"])
def test_on_the_page_the_numbers_beside_each_other_are_equal(code):
    page = explanation_page(YOUNG, TISA, language=code, spread=a_journey(), infusion_date="2027-01-10")
    pairs = re.findall(
        r'<span class="own">(.*?)</span> <span class="beside" lang="en" dir="ltr">(.*?)</span></span>', page
    )
    assert len(pairs) > 100
    for pair in pairs:
        own, english = (re.sub(r"<[^>]*>", "", one).replace(",", ".") for one in pair)
        assert sorted(re.findall(r"\d+(?:\.\d+)?", own)) == sorted(re.findall(r"\d+(?:\.\d+)?", english)), own


@pytest.mark.slow
@pytest.mark.skipif(find_browser() is None or not shutil.which("pdfinfo"), reason="no browser of the Chromium family")
@pytest.mark.parametrize("code", ALL)
def test_a_page_prints_on_at_most_six_sheets_of_a4(code, tmp_path):
    path = write_explanation(YOUNG, TISA, tmp_path / "page.html", language=code, infusion_date="2027-01-10")
    printed = print_pdf(path, tmp_path / "page.pdf", find_browser())
    said = subprocess.run(["pdfinfo", printed], capture_output=True, text=True, check=True).stdout
    assert int(re.search(r"Pages:\s+(\d+)", said)[1]) <= 6 and "A4" in said
