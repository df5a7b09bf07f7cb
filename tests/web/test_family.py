"""A family's door: from the form to the page that goes along, in every language; wrong input keeps what was typed."""

import html
import json
import re

import pytest
import twins
from asked_app import save_input

from vein2vein.cli import main
from vein2vein.explain.facts import Share, Simulated
from vein2vein.explain.languages import all_languages, read_catalog
from vein2vein.web.family import model
from vein2vein.web.plain import plain

CHILD = {
    "name": "A. Child", "disease": "pediatric_b_all", "age": "11", "weight": "39",
    "explain.product": "tisagenlecleucel", "explain.infusion_date": "2027-01-10",
    "explain.collection_date": "2026-11-29",
}  # fmt: skip
PARTS = ("", "/ready", "/chances")
CODES = list(all_languages())


def made(asked, **changes):
    answer = asked.change("/family/new", {**CHILD, **changes})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def text_of(page):
    """What the body of a page says, without marks."""
    body = page[page.index("<main") : page.index("</main>")]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def kept(asked):
    return [one.id for one in asked.parts.workspace.listed("family")]


@pytest.fixture(scope="module")
def child(asked):
    return made(asked)


# ---------------------------------------------------------------- what the pages tell


@pytest.mark.parametrize(
    ("part", "code"), [*((part, code) for part in PARTS for code in ("en", "ar")), ("/facts", "en")]
)
def test_a_page_and_its_twin_tell_the_same(asked, child, part, code):
    asked.client.headers["accept-language"] = code
    try:
        twins.check(asked.client, child + part)
    finally:
        asked.client.headers["accept-language"] = "en"


def test_an_age_that_does_not_fit_the_disease_is_told_in_the_language_of_the_page(asked, child):
    there = made(asked, disease="adult_b_all", age="7")
    for part in PARTS:
        assert text_of(asked.client.get(there + part).text).count("is meant for ages 18 to 90") == 1
        assert "is meant for ages" not in text_of(asked.client.get(child + part).text)
    spanish = text_of(asked.client.get(there, headers={"accept-language": "es"}).text)
    assert "es para edades de 18 a 90 años" in spanish and "(in English)" not in spanish


def test_an_address_holds_no_more_than_an_id(child):
    assert re.fullmatch(r"/family/[0-9a-f]{16}", child)


def test_the_path_has_this_plans_days_and_its_calendar(asked, child):
    told = asked.client.get(f"{child}.json").json()["data"]
    days = [[one["own"] for one in step["when"]] for step in told["steps"]]
    assert days[1] == ["Day −42", "6 weeks before the infusion", "November 29, 2026"]
    assert days[5] == ["Day 0", "January 10, 2027"]
    assert [one["title"]["own"] for one in told["calendar"]["kinds"]][:3] == [
        "Collecting the cells", "Chemotherapy to make room", "The cells come back",
    ]  # fmt: skip
    cells = [day for week in told["calendar"]["weeks"] for day in week["days"]]
    assert [(one["day"], one["numbers"]) for one in cells if one["zero"]] == [(10, "3")]
    assert [one["numbers"] for one in cells if one["numbers"] == "1"] == ["1"]
    assert [week["gap"] for week in told["calendar"]["weeks"]].count(True) == 2
    assert told["calendar"]["weekdays"][0]["whole"] == "Sunday"  # as a week begins in the USA


@pytest.mark.parametrize(("changes", "words", "silent"), [
    ({}, "“You” means the parents", "“You” means the person"),
    ({"age": "61", "disease": "lbcl", "explain.product": "axicabtagene_ciloleucel"}, "“You” means the person", "child"),
])  # fmt: skip
def test_a_childs_page_speaks_to_the_parents(asked, changes, words, silent):
    page = text_of(asked.client.get(made(asked, **changes)).text)
    assert words in page and silent not in page


def test_without_a_day_there_is_no_calendar_and_the_page_says_how_to_get_one(asked):
    there = made(asked, **{"explain.infusion_date": "", "explain.collection_date": ""})
    page, told = twins.check(asked.client, there)
    assert told["data"]["calendar"] is None and "The planned day of the infusion is not set" in page.text


def test_without_a_weight_it_is_to_be_obtained_and_no_model_is_offered(asked):
    there = made(asked, weight="")
    page = text_of(asked.client.get(there).text)
    assert "Weight in kg to obtain" in page and "Your child’s weight was not given." in page
    assert "Add what the computer model shows" not in asked.client.get(f"{there}/chances").text


@pytest.mark.parametrize("code", CODES)
def test_every_page_is_in_the_language_and_nothing_of_it_is_left_in_english(asked, child, code):
    catalog, header = read_catalog(code), {"accept-language": code}
    pages = {part: asked.client.get(child + part, headers=header).text for part in (*PARTS, "/facts")}
    for part, page in {**pages, "start": asked.client.get("/family", headers=header).text}.items():
        assert f'<html lang="{code}" dir="{catalog.direction}">' in page
        own = page[page.index("<main") : page.index("</main>")]
        assert 'class="english"' not in own, f"{part} has English words without a translation"
    assert catalog.child_text["title"] not in pages[""] and catalog.text["call_title"] in html.unescape(pages[""])
    for line in catalog.child_lists["pack"]:
        assert line in html.unescape(pages["/ready"])
    assert ('class="beside" lang="en" dir="ltr"' in pages["/ready"]) == (code != "en")


@pytest.mark.parametrize("part", [*PARTS, "/facts"])
@pytest.mark.parametrize("code", ["en", "hi", "ru"])
def test_a_page_weighs_little(asked, child, part, code):
    page = asked.client.get(child + part, headers={"accept-language": code}).text
    assert len(page.encode()) <= 40_000, "with style and scripts a page stays below 60 kB"


# ---------------------------------------------------------------- what goes along


@pytest.mark.parametrize("code", CODES)
def test_the_file_for_a_telephone_stands_for_itself(asked, child, code):
    answer = asked.client.get(f"{child}/page.html?save=true", headers={"accept-language": code})
    page = answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="family-tisagenlecleucel-{code}.html"'
    assert "sandbox" in answer.headers["content-security-policy"]
    assert f'<html lang="{code}"' in page and 'name="viewport"' in page
    assert not re.search(r"<script|<link|<img|@import|url\(|https?://(?!www\.w3\.org)", page)
    assert read_catalog(code).text["calendar_title"] in html.unescape(page) and 'class="weeks"' in page
    assert "content-disposition" not in asked.client.get(f"{child}/page.html").headers


@pytest.mark.parametrize("code", ["en", "es"])
def test_the_command_writes_the_same_file(asked, child, code, tmp_path, monkeypatch):
    header = {"accept-language": code}
    told = asked.client.get(f"{child}.json", headers=header).json()["command"]
    save_input(asked, child, tmp_path)
    monkeypatch.chdir(tmp_path)
    words = [*told.split()[1:], "--out", str(tmp_path / "page.html")]
    assert main.main(words) == 0
    page = asked.client.get(f"{child}/page.html", headers=header).text
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page


def test_the_python_of_a_page_writes_the_same_file(asked, child, tmp_path, monkeypatch):
    told = asked.client.get(f"{child}.json", headers={"accept-language": "fr"}).json()["python"]
    save_input(asked, child, tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(told, {})
    page = asked.client.get(f"{child}/page.html", headers={"accept-language": "fr"}).text
    assert (tmp_path / "family.html").read_text(encoding="utf-8") == page


def test_what_the_model_shows_stands_beside_the_studies_and_in_the_file(fresh, monkeypatch):
    there = made(fresh)
    asked_for = []

    def ask(slot, work, question):
        asked_for.append((slot.split()[0], work, "companions = 200" in question["text"]))
        return plain(Simulated(200, {"crs_serious": Share(46.0, 30.0, 62.0)}))

    monkeypatch.setattr(fresh.parts.quick, "ask", ask)
    assert "made-up patients" not in fresh.client.get(f"{there}/page.html").text
    assert fresh.change(f"{there}/model").headers["location"] == f"{there}/chances"
    assert asked_for == [("family", "vein2vein.web.family.model:shares", True)]
    page, told = twins.check(fresh.client, f"{there}/chances")
    assert "Our model: about 5 of 10 (46 of 100). Range: 30 to 62 of 100." in text_of(page.text)
    assert not told["data"]["may_add_model"] and "--no-simulation" not in told["command"]
    assert "spread=shown_by_companions(plan)" in told["python"]
    compile(told["python"], "page", "exec")
    assert "200 made-up patients" in fresh.client.get(f"{there}/page.html").text


def test_the_warm_process_gives_the_shares_of_the_companions(asked, child, monkeypatch):
    seen = []
    monkeypatch.setattr(model, "shown_by_companions", lambda plan, progress: seen.append(plan) or "shares")
    text = asked.parts.workspace.find(child.split("/")[-1]).text() + "\ncompanions = 30\n"
    text = text.replace("\ncompanions = 30\n", "").replace("[explain]\n", "[explain]\ncompanions = 30\n")
    assert model.shares({"text": text}, None) == "shares" and seen[0].companions == 30


# ---------------------------------------------------------------- changes and what is wrong


def test_what_is_changed_shows_and_a_change_from_elsewhere_is_kept(fresh):
    there = made(fresh)
    first = re.search(r'name="based_on" value="(\w+)"', fresh.client.get(f"{there}/facts").text)[1]
    answer = fresh.change(f"{there}/facts", {**CHILD, "weight": "41", "based_on": first})
    assert answer.status_code == 303 and "41" in text_of(fresh.client.get(there).text)
    late = fresh.change(f"{there}/facts", {**CHILD, "weight": "44", "based_on": first})
    assert late.status_code == 409 and "was changed elsewhere" in late.text and 'value="44"' in late.text
    assert "weight = 41" in fresh.parts.workspace.find(there.split("/")[-1]).text()


def test_an_emptied_day_takes_the_calendar_away(fresh):
    there = made(fresh)
    fresh.change(f"{there}/facts", {**CHILD, "explain.infusion_date": "", "explain.collection_date": ""})
    assert fresh.client.get(f"{there}.json").json()["data"]["calendar"] is None


@pytest.mark.parametrize(("changes", "field", "sentence"), [
    ({"age": "-3"}, "age", "found -3"),
    ({"age": ""}, "age", "missing"),
    ({"age": "2015-03-04"}, "age", "date of birth"),
    ({"weight": "4000"}, "weight", "found 4000"),
    ({"disease": ""}, "disease", "missing"),
    ({"disease": "/etc/passwd"}, "disease", "names a file"),
    ({"disease": "..\\x.toml"}, "disease", "names a file"),
    ({"disease": "mzl"}, "disease", "eligibility only"),
    ({"explain.product": ""}, "explain-product", "which product"),
    ({"explain.product": "own.toml"}, "explain-product", "names a file"),
    ({"explain.product": "=cmd|'calc'!A0"}, "explain-product", "unknown product"),
    ({"explain.infusion_date": "2027-02-30"}, "explain-infusion_date", "2027-02-30"),
    ({"explain.infusion_date": "1887-01-10", "explain.collection_date": ""}, "explain-infusion_date", "1887"),
    ({"explain.infusion_date": ""}, "explain-collection_date", "counted from the infusion"),
    ({"explain.collection_date": "2027-03-01"}, "explain-collection_date", "found 50"),
    ({"name": "x" * 400}, "name", "at most"),
    ({"name": "a\0b"}, "name", "control character"),
])  # fmt: skip
def test_a_fault_stands_at_its_field_and_what_was_typed_stays(asked, changes, field, sentence):
    before = kept(asked)
    answer = asked.change("/family/new", {**CHILD, **changes})
    page = html.unescape(answer.text)
    assert answer.status_code == 422 and kept(asked) == before
    assert "Traceback" not in page and str(asked.settings.workspace) not in page
    found = re.search(rf'id="f-{field}-fault">(.*?)</p>', page, re.S)
    assert found and sentence in found[1], page[page.index("<main") :][:3000]
    assert 'value="39"' in page or "weight" in changes
    for value in changes.values():
        assert value.replace("\0", "") in page and "\0" not in page


def test_a_name_cannot_bring_markup(asked):
    there = made(asked, name="<script>alert(1)</script>")
    for part in (*PARTS, "/facts", "/page.html"):
        assert "<script>alert" not in asked.client.get(there + part).text
    assert "<script>alert" not in asked.client.get("/family").text


HOSTILE = {
    "empty": (b" \n", "is empty"),
    "a program": (b"#!/bin/sh\nrm -rf /\n", "program"),
    "packed": (b"PK\x03\x04aaaa", "packed"),
    "no text": (b'name = "a\0b"', "no text"),
    "a table": (b"id,day\n1,2\n", "a table"),
    "cut off": (b'name = "A', "not valid TOML"),
    "twice": (b"age = 1\nage = 2\n", "line 2"),
    "unknown field": (b'disease = "lbcl"\nage = 61\nshoe = 4\n', "shoe"),
    "path of a disease": (b'disease = "/etc/passwd"\nage = 61\n', "names a file"),
    "path of a product": (b'disease = "lbcl"\nage = 61\n[explain]\nproduct = "../a.toml"\n', "names a file"),
    "product of another kind": (b'disease = "lbcl"\nage = 61\n[explain]\nproduct = 7\n', "expected"),
    "plan of another kind": (b'disease = "lbcl"\nage = 61\nexplain = 3\n', "explain"),
    "nested": (b"a = " + b"[" * 5000 + b"]" * 5000 + b"\n", "nested too deeply"),
    "huge": (b'name = "a"\n' + b"# x\n" * 100_000, "at most 200000"),
    "not UTF-8": (b'name = "\xff\xfe\xe9"\nage = 3\n', "UTF-8"),
    "infinite": (b'disease = "lbcl"\nage = inf\n', "age"),
    "not a number": (b'disease = "lbcl"\nage = nan\n', "age"),
    "a birth date": (b'disease = "lbcl"\ndate_of_birth = 1960-02-03\n', "date of birth"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_in_a_sentence(asked, kind):
    content, sentence = HOSTILE[kind]
    before = kept(asked)
    answer = asked.change("/family/open", files={"file": ("plan.toml", content, "application/toml")})
    page = html.unescape(answer.text)
    assert answer.status_code == 422 and sentence in page and "Traceback" not in page and kept(asked) == before


def test_the_teams_file_opens_and_one_without_a_plan_asks_for_the_product(asked):
    text = 'disease = "lbcl"\nage = 61\nweight = 80\n'
    answer = asked.change("/family/open", files={"file": ("p.toml", text.encode())})
    assert re.fullmatch(r"/family/\w{16}/facts", answer.headers["location"])
    assert asked.client.get(answer.headers["location"]).status_code == 200
    text += '[explain]\nproduct = "Yescarta"\n'
    answer = asked.change("/family/open", files={"file": ("p.toml", text.encode())})
    assert "axicabtagene" in asked.client.get(answer.headers["location"]).text
    download = asked.client.get(f"/inputs/{answer.headers['location'].split('/')[-1]}")
    assert download.text == text and "attachment" in download.headers["content-disposition"]


def test_removed_is_removed_and_a_page_of_another_door_is_none_of_this_one(fresh):
    there = made(fresh)
    other = fresh.parts.workspace.add("referral", "x", 'disease = "lbcl"\nage = 61\n', ".toml").id
    for part in (*PARTS, "/facts", "/page.html"):
        assert fresh.client.get(f"/family/{other}{part}").status_code == 404
    assert fresh.change(f"{there}/remove").headers["location"] == "/family"
    for part in (*PARTS, "/facts", "/page.html"):
        assert fresh.client.get(there + part).status_code == 404
    assert not list(fresh.parts.workspace.inputs.glob(f"{there.split('/')[-1]}*"))


def test_a_part_answers_programs_with_a_sentence_too(asked):
    answer = asked.change("/family/new", {**CHILD, "age": "-3"}, headers={"accept": "application/json"})
    assert answer.status_code == 422 and json.loads(answer.text)["data"]["form"]["fields"][2]["fault"].startswith(
        "found -3"
    )


@pytest.mark.parametrize(("changes", "english", "arabic"), [
    ({"age": ""}, "This is needed.", "هذا مطلوب."),
    ({"age": "seven"}, "Please write a number within the bounds", "اكتبوا رقمًا"),
    ({"explain.collection_date": "2027-03-10"}, "The cells are collected before the infusion.", "تُجمع الخلايا قبل"),
    ({"explain.infusion_date": "soon"}, "Please give a day of the calendar.", "اختاروا يومًا"),
    ({"disease": "mm"}, "This treatment is not made for this disease.", "هذا العلاج ليس لهذا المرض"),
    ({"name": "a\x00b"}, "Please look at this again.", "راجعوا هذا"),
])  # fmt: skip
def test_a_fault_is_said_in_the_readers_words(asked, changes, english, arabic):
    for code, said in (("en", english), ("ar", arabic)):
        asked.client.headers["accept-language"] = code
        try:
            page = text_of(asked.change("/family/new", {**CHILD, **changes}).text)
        finally:
            asked.client.headers["accept-language"] = "en"
        assert said in page, page


@pytest.mark.parametrize("address", ["/family", "/referral"])
@pytest.mark.parametrize("code", CODES)
def test_no_two_diseases_of_a_list_are_called_alike(asked, code, address):
    asked.client.headers["accept-language"] = code
    try:
        page = asked.client.get(address).text
    finally:
        asked.client.headers["accept-language"] = "en"
    listed = re.search(r'<select id="f-disease".*?</select>', page, re.DOTALL)[0]
    names = re.findall(r"<option[^>]*>(.*?)</option>", listed)
    assert len(names) > 10 and len(names) == len(set(names))
    assert ">year<" not in page, "the label of the age says years in the reader's words"


def test_the_saved_page_bears_the_name_that_the_form_asks_for(asked):
    saved = asked.client.get(f"{made(asked, name='Ada')}/page.html?save=true").text
    assert saved.count("<bdi>Ada</bdi>") == 2, "the head and the wallet card"
    assert "<bdi>Ada</bdi>" not in asked.client.get(f"{made(asked, name='')}/page.html?save=true").text
