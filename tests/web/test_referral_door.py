"""A referral's door: intake step by step, criteria, centers, papers; a fault stands at its field."""

import datetime
import html
import io
import json
import re
import zipfile

import pytest
import twins
from asked_app import save_input

from vein2vein.cards import parse_card
from vein2vein.cli.main import main
from vein2vein.clinic.care.label_card import all_labels
from vein2vein.clinic.care.labels import READS, asked_of, history_words
from vein2vein.explain.languages import all_languages, find_language, read_catalog
from vein2vein.explain.referral import case_of
from vein2vein.explain.referral_bundle import bundle_of
from vein2vein.explain.referral_page import referral_page
from vein2vein.therapy.disease import lineage_of
from vein2vein.therapy.patient import PAPERS_LACK
from vein2vein.therapy.referral import RECORDS
from vein2vein.web.fields import fields_in, form_of
from vein2vein.web.patient_file import fields, record
from vein2vein.web.referral import intake, pages, papers, told

STEPS = ("who", "disease", "treatments", "markers", "organs", "records", "contacts", "more")
PARTS = ("", "/center", "/papers")
CODES = list(all_languages())
BEGUN = {"name": "A. Child", "disease": "pediatric_b_all", "age": "11", "referral.language": "Spanish"}


def begun(asked, **changes):
    answer = asked.change("/referral/new", {**BEGUN, **changes})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removesuffix("/intake/who")


def file_of(asked, there):
    return asked.parts.workspace.find(there.split("/")[-1]).text()


def step(asked, there, page, **typed):
    return asked.change(f"{there}/intake/{page}", {**typed})


def body_of(page):
    return page[page.index("<main") : page.index("</main>")]


def text_of(page):
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body_of(page))).split())


@pytest.fixture(scope="module")
def child(asked):
    return begun(asked)


# ---------------------------------------------------------------- pages


@pytest.mark.parametrize(
    ("part", "code"),
    [*((part, "en") for part in PARTS), ("/center", "ar"), *((f"/intake/{one}", "en") for one in STEPS)],
)
def test_a_page_and_its_twin_tell_the_same(asked, child, part, code):
    asked.client.headers["accept-language"] = code
    try:
        twins.check(asked.client, child + part)
    finally:
        asked.client.headers["accept-language"] = "en"


@pytest.mark.parametrize("disease", ["pediatric_b_all", "lbcl", "mm", "mzl"])
@pytest.mark.parametrize("code", CODES)
def test_what_the_door_says_is_in_every_language(asked, code, disease):
    there, header = (
        begun(asked, disease=disease, age="61" if disease != "pediatric_b_all" else "11"),
        {"accept-language": code},
    )
    for part in (*PARTS, *(f"/intake/{one}" for one in STEPS)):
        page = asked.client.get(there + part, headers=header).text
        assert f'<html lang="{code}" dir="{read_catalog(code).direction}">' in page
        left = re.findall(r'class="english">(.*?)</span>', body_of(page))
        assert not [one for one in left if part != "/intake/markers"], f"{part}: {left}"  # antigens are names
    start = asked.client.get("/referral", headers=header).text
    assert 'class="english"' not in body_of(start)
    assert read_catalog(code).text["refer_cost_title"] in html.unescape(
        asked.client.get(f"{there}/center", headers=header).text
    )


@pytest.mark.parametrize("part", [*PARTS, *(f"/intake/{one}" for one in STEPS)])
@pytest.mark.parametrize("code", ["en", "hi"])
def test_a_page_weighs_little(asked, child, part, code):
    assert len(asked.client.get(child + part, headers={"accept-language": code}).text.encode()) <= 40_000


def test_labels_that_are_translated_are_those_of_the_card():
    held = {text for one in fields_in(form_of(record(), {})) for text in (one.label, one.hint)}
    assert set(intake.OF_THE_CARD) <= held


@pytest.mark.parametrize("disease", ["pediatric_b_all", "lbcl", "mm", "mzl", ""])
def test_every_fact_is_asked_once_and_a_new_one_by_itself(disease, monkeypatch):
    steps = intake.steps_of(parse_card(f'disease = "{disease}"\nage = 12\n', "p"))
    paths = [path for one in steps.values() for path in one.paths]
    assert len(paths) == len(set(paths))
    every = {one.path for one in fields_in(form_of(record(), {}))}
    assert set(paths) <= every
    left = {one for one in every - set(paths) if not one.startswith(intake.ELSEWHERE)}
    assert not {one for one in left if intake._fits(one, disease, lineage_of(disease))}
    assert left == set() or disease, "of a disease that nobody knows everything is asked"
    with monkeypatch.context() as patch:
        patch.setattr(intake, "PERFORMANCE", ())  # a fact that is asked nowhere stands on the last page
        held = intake.steps_of(parse_card('disease = "lbcl"\nage = 61\n[baseline]\ncreatinine = 1\n', "p"))
    assert "baseline.creatinine" in held["more"].paths


@pytest.mark.parametrize(
    ("disease", "age", "others"),
    [
        ("pediatric_b_all", 11, ("Lymphoma", "lymphoma", "myeloma", "lenalidomide", "BCMA", "CD38", "CD20")),
        ("lbcl", 61, ("Leukemia", "leukemia", "KMT2A", "blinatumomab", "myeloma)", "proteasome")),
        ("mm", 61, ("Leukemia", "leukemia", "Lymphoma:", "(lymphoma)", "KMT2A", "blinatumomab", "BCL-2", "CD20")),
    ],
)
def test_nobody_is_asked_what_belongs_to_another_disease(asked, disease, age, others):
    there = begun(asked, disease=disease, age=str(age))
    asked_here = [
        label for one in ("disease", "treatments", "markers", "more")
        for label in re.findall(r"<label[^>]*>(.*?)</label>", asked.client.get(f"{there}/intake/{one}").text)
        if not re.match(r"(CD|BCMA)", label)
    ]  # fmt: skip
    assert len(asked_here) > 10 and not [one for one in asked_here if any(name in one for name in others)]


def test_a_fact_of_another_disease_that_the_file_holds_is_shown():
    text = 'disease = "pediatric_b_all"\nage = 11\n[history]\nrefractory = true\n'
    assert "history.refractory" in intake.steps_of(parse_card(text, "p"))["more"].paths


def test_what_the_labels_ask_of_a_disease_is_asked(asked):
    assert (
        asked_of("mm") and "proteasome_inhibitor" in asked_of("mm") and "proteasome_inhibitor" not in asked_of("lbcl")
    )
    assert {name for names in READS.values() for name in names} <= set(history_words())
    for disease in ("pediatric_b_all", "lbcl", "fl", "mcl", "cll", "mm", "mzl"):
        age = 11 if disease == "pediatric_b_all" else 61
        case = case_of(parse_card(f'disease = "{disease}"\nage = {age}\n', "p"), datetime.date(2026, 11, 30))[0]
        names = {
            one
            for label in case.labels
            for sentence in label.settles.values()
            for one in re.findall(r"history\.(\w+)", sentence)
        }
        assert names <= set(asked_of(disease)), disease


# ---------------------------------------------------------------- the intake


def test_the_intake_fills_in_the_file_that_the_command_reads(fresh):
    there = begun(fresh)
    lines = '2023-04 to 2023-12: induction, complete remission\n2025: "blina", [CR]\n\n'
    typed = {
        "who": {"weight": "39", "sex": "male", "referral.home": "Lima, Peru", "referral.helper": "the mother"},
        "disease": {"disease": "pediatric_b_all", "referral.found": "2023-04", "history.relapses": "2"},
        "treatments": {
            "prior_lines": "3", "referral.treatments": lines, "prior_hsct": "true", "last_given": "vincristine = 20",
        },
        "markers": {"marrow_blasts": "40", "antigens.CD19": "12000", "antigens.CD22": "negative"},
        "organs": {"referral.measured": "2026-11-20", "baseline.ferritin": "1200", "baseline.lansky": "80"},
        "records": {"record": ["letter", "marrow", "nonsense"]},
        "contacts": {"referral.navigator": "Ana Ruiz, +1 555 0100"},
    }  # fmt: skip
    for i, (name, values) in enumerate(typed.items()):
        answer = step(fresh, there, name, **values)
        after = [f"{there}/intake/{one}" for one in list(typed)[1:]] + [there]
        assert answer.status_code == 303 and answer.headers["location"] == after[i], answer.text
    card = parse_card(file_of(fresh, there), "p")
    case = case_of(card, datetime.date.today())[0]
    assert case.referral.treatments == ("2023-04 to 2023-12: induction, complete remission", '2025: "blina", [CR]')
    assert case.referral.records == ("letter", "marrow") and case.referral.home == "Lima, Peru"
    assert card.get("history", "relapses") == 2 and card.get("last_given", "vincristine") == 20
    assert [one.brand for one in case.labels if one.state == 1] == ["Kymriah"]
    page = html.unescape(fresh.client.get(f"{there}/intake/treatments").text)
    assert '2025: "blina", [CR]</textarea>' in page and "vincristine = 20</textarea>" in page
    shown = text_of(fresh.client.get(there).text)
    assert "tisagenlecleucel (Kymriah) : met" in shown and "Ana Ruiz, +1 555 0100" in shown
    step(fresh, there, "records")  # every tick taken away
    assert "records" not in parse_card(file_of(fresh, there), "p").table("referral")
    assert step(fresh, there, "who", weight="", done="1").headers["location"] == there
    assert parse_card(file_of(fresh, there), "p").get("weight") is None


def test_a_marker_that_pathology_calls_positive_is_told_as_the_command_tells_it(asked, tmp_path):
    there = begun(asked)
    page = asked.client.get(f"{there}/intake/markers").text
    assert '<option value="positive"></option>' in page
    assert (
        step(asked, there, "markers", **{"antigens.CD19": "Positive", "antigens.CD22": "negative"}).status_code == 303
    )
    shown = json.dumps(asked.client.get(f"{there}/papers.json").json()["data"])
    assert "CD19 on the tumor, newest sample" in shown and '"positive"' in shown
    (tmp_path / "p.toml").write_text(file_of(asked, there))
    assert main(["refer", str(tmp_path / "p.toml"), "--out", str(tmp_path / "out"), "--no-pdf", "--quiet"]) == 0
    written = (tmp_path / "out" / "referral.html").read_text()
    shown = re.findall(r"(CD\d+) on the tumor, newest sample</t[hd]>\s*<td[^>]*>(?:<[^>]*>)*([^<]*)<", written)
    assert dict(shown) == {"CD19": "positive", "CD22": "negative"}, (
        "what is told of an antigen that no label needs, too"
    )
    refused = step(asked, there, "markers", **{"antigens.CD19": "dim"})
    assert refused.status_code == 422 and "&#34;positive&#34;" in refused.text


def test_a_new_disease_asks_what_its_labels_ask(fresh):
    there = begun(fresh)
    answer = step(fresh, there, "disease", disease="mm")
    assert answer.status_code == 303
    assert 'name="history.proteasome_inhibitor"' in fresh.client.get(f"{there}/intake/disease").text


def test_a_child_is_asked_for_its_own_scale_of_performance(fresh):
    page = fresh.client.get(f"{begun(fresh)}/intake/organs").text
    assert 'name="baseline.lansky"' in page and 'name="baseline.ecog"' not in page
    page = fresh.client.get(f"{begun(fresh, age='61', disease='lbcl')}/intake/organs").text
    assert 'name="baseline.ecog"' in page and 'name="baseline.lansky"' not in page


@pytest.mark.parametrize(("name", "typed", "field", "sentence"), [
    ("who", {"age": "-1"}, "age", "found -1"),
    ("who", {"age": ""}, "age", "missing"),
    ("who", {"name": "=" * 300}, "name", "at most"),
    ("who", {"weight": "12 stone and a half"}, "weight", "stone"),
    ("disease", {"disease": "/etc/passwd"}, "disease", "names a file"),
    ("disease", {"history.relapses": "-1"}, "history-relapses", "found -1"),
    ("disease", {"history.relapses": "1e400"}, "history-relapses", "number"),
    ("treatments", {"last_given": "a = " + "[" * 4000}, "last_given", ""),
    ("treatments", {"last_given": "not a line"}, "last_given", ""),
    ("markers", {"antigens.CD19": "many"}, "antigens-CD19", "many"),
    ("markers", {"marrow_blasts": "140"}, "marrow_blasts", "found 140"),
    ("organs", {"referral.measured": "20.11.2026"}, "referral-measured", "year-month-day"),
    ("organs", {"baseline.ferritin": "nan"}, "baseline-ferritin", "nan"),
    ("more", {"days.lymphodepletion": "3"}, "days-lymphodepletion", "found 3"),
])  # fmt: skip
def test_a_fault_stands_at_its_field_and_the_file_stays(asked, child, name, typed, field, sentence):
    before = file_of(asked, child)
    answer = step(asked, child, name, **typed)
    page = html.unescape(answer.text)
    assert answer.status_code == 422 and file_of(asked, child) == before
    assert "Traceback" not in page and str(asked.settings.workspace) not in page
    found = re.search(rf'id="f-{field}-fault">(.*?)</p>', page, re.S)
    assert found and sentence in found[1], body_of(page)[:4000]
    for value in typed.values():
        assert value in page


def test_two_who_answer_at_once_lose_nothing(fresh):
    there = begun(fresh)
    first = re.search(r'name="based_on" value="(\w+)"', fresh.client.get(f"{there}/intake/who").text)[1]
    assert step(fresh, there, "who", weight="39", based_on=first).status_code == 303
    late = step(fresh, there, "contacts", **{"referral.navigator": "Ana", "based_on": first})
    assert late.status_code == 409 and "was changed elsewhere" in late.text and 'value="Ana"' in late.text
    assert "weight = 39" in file_of(fresh, there) and "Ana" not in file_of(fresh, there)


@pytest.mark.parametrize(
    "changes", [{"disease": ""}, {"disease": "nonsense"}, {"age": ""}, {"age": "x"}, {"age": "200"}]
)
def test_a_referral_begins_with_a_disease_and_an_age(asked, changes):
    before = len(asked.parts.workspace.listed("referral", 500))
    answer = asked.change("/referral/new", {**BEGUN, **changes})
    assert answer.status_code == 422 and "-fault" in answer.text and 'value="A. Child"' in answer.text
    assert len(asked.parts.workspace.listed("referral", 500)) == before


ADULT = b'disease = "lbcl"\nage = 61\n'


@pytest.mark.parametrize(("content", "sentence"), [
    (b"\x00\x01", "no text"),
    (b"disease = [", "not valid TOML"),
    (b'disease = "/etc/passwd"\nage = 3\n', "names a file"),
    (b"a,b\n1,2\n", "a table"),
    (b"disease = 5\nage = 61\n", "disease"),
    (ADULT + b'[referral]\nrecords = ["all"]\n', "records"),
    (ADULT + b"referral = 4\n", "referral"),
    (ADULT + b"[referral]\nlanguage = 5\n", "language"),
    (ADULT + b'[referral]\nlanguage = "Klingon"\n', "Klingon"),
])  # fmt: skip
def test_a_hostile_file_is_refused_in_a_sentence(asked, content, sentence):
    before = len(asked.parts.workspace.listed("referral", 500))
    answer = asked.change("/referral/open", files={"file": ("p.toml", content)})
    assert answer.status_code == 422 and sentence in html.unescape(answer.text) and "Traceback" not in answer.text
    assert len(asked.parts.workspace.listed("referral", 500)) == before


# ---------------------------------------------------------------- criteria and centers


def test_criteria_are_those_of_the_labels_and_what_is_unknown_leads_to_its_question(asked, child):
    told = asked.client.get(f"{child}.json").json()["data"]
    case = case_of(parse_card(file_of(asked, child), "p"), datetime.date.today())[0]
    words = {1: "met", 0: "not met", -1: "unknown"}
    assert [(one["title"], one["state"]) for one in told["labels"]] == [
        (f"{one.title} ({one.brand})", words[one.state]) for one in case.labels if one.uses
    ]
    assert len(told["labels"]) + len(told["others"]) == len(all_labels())
    rows = [row for label in told["labels"] for use in label["uses"] for row in use["criteria"]]
    assert {row["state"] for row in rows} == {"met", "not met", "unknown"}
    assert all(bool(row["obtain"]) == (row["state"] == "unknown") for row in rows)
    assert told["to_obtain"]
    for one in told["to_obtain"]:
        page = asked.client.get(f"{child}/intake/{one['step']}").text
        assert (
            f'id="{one["place"]}"' in page
            and f"{child}/intake/{one['step']}#{one['place']}" in asked.client.get(child).text
        )


@pytest.mark.parametrize("code", [code for code in CODES if code != "en"])
def test_criteria_speak_the_language_of_the_page_and_english_is_marked(asked, child, code):
    page = body_of(asked.client.get(child, headers={"accept-language": code}).text)
    assert not re.search(r">(met|not met|unknown|State|Criterion|To obtain)<", page)
    assert "the papers show it" not in page, "the warning is translated"
    outside = re.sub(r'<(\w+)[^>]* lang="en"[^>]*>.*?</\1>', " ", page, flags=re.S)
    assert not re.search(r"\b(years|disease:|relapse|label|age)\b", re.sub(r"<[^>]*>", " ", outside), re.I)
    dated = begun(asked, **{"referral.language": ""})
    step(asked, dated, "organs", **{"referral.measured": "2099-01-01"})
    said = asked.client.get(dated, headers={"accept-language": code}).text
    (note,) = re.findall(r'<p class="note"><small>([^<]*):</small> <bdi lang="en" dir="ltr">[^<]*2099', said)
    assert note and note != "in English", "what is not translated is marked as English"


def test_words_of_states_and_notes_that_are_translated_are_those_that_are_told(asked, child):
    assert set(told.STATES_SAID) == set(told.STATES.values())
    assert set(told.NOTES_SAID) == {f"{name} is not given: the papers show it as to obtain" for name in PAPERS_LACK}
    assert set(told.NOTES_SAID) <= set(asked.client.get(f"{child}.json").json()["data"]["notes"])


def test_an_age_that_does_not_fit_the_disease_is_told_once(asked):
    there = begun(asked, disease="adult_b_all", age="7")
    for part in PARTS:
        assert asked.client.get(there + part).text.count("is meant for ages 18 to 90") == 1
    assert "unusual age" not in asked.client.get(there).text
    assert "edades de 18 a 90" in asked.client.get(there, headers={"accept-language": "es"}).text
    assert "is meant for ages" not in asked.client.get(begun(asked)).text


def test_a_disease_of_no_label_says_so(asked):
    page = text_of(asked.client.get(begun(asked, disease="glioma")).text)
    assert "weight is not given: the papers show it as to obtain" in page
    assert "No label that vein2vein holds has a use in this disease." in page and "study is open" in page


def test_centers_are_examples_without_rank_price_or_number(asked, child):
    page = text_of(asked.client.get(f"{child}/center").text)
    named = [page.index(one) for one in ("MD Anderson", "Mayo Clinic", "Memorial Sloan Kettering")]
    assert (
        named == sorted(named)
        and "no ranking" in page
        and "FACT" in page
        and "Kymriah treatment center locator" in page
    )
    assert not re.search(r"https?://|www\.|[$€£]|\d{3}[-. ]\d{4}|\bbest center\b|recommended", page)
    assert "2 weeks" in page and "from memory and not from a label" in page and "written estimate" in page


# ---------------------------------------------------------------- papers


def test_the_papers_are_those_of_the_command(asked, child):
    text = file_of(asked, child)
    case = case_of(parse_card(text, "p"), datetime.date.today())[0]
    made = datetime.datetime.now().astimezone()
    page = asked.client.get(f"{child}/files/referral.html")
    assert page.text == referral_page(case, catalog=find_language("es"), made=made)
    assert page.headers["content-disposition"] == 'attachment; filename="referral.html"'
    shown = asked.client.get(f"{child}/files/referral.html?show=true")
    assert "content-disposition" not in shown.headers and "sandbox" in shown.headers["content-security-policy"]
    bundle = asked.client.get(f"{child}/files/referral.fhir.json").json()
    assert {k: v for k, v in bundle.items() if k != "timestamp"} == {
        k: v for k, v in bundle_of(case, made).items() if k != "timestamp"
    }
    assert asked.client.get(f"{child}/papers.json").json()["command"].endswith("--out referral --language es")


def test_the_python_of_a_page_writes_the_same_papers(asked, child, tmp_path, monkeypatch):
    told = asked.client.get(f"{child}.json").json()["python"]
    save_input(asked, child, tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(told, {})
    page = asked.client.get(f"{child}/files/referral.html").text
    assert (tmp_path / "referral" / "referral.html").read_text(encoding="utf-8") == page


def test_the_folder_holds_everything_and_the_file_that_it_was_made_from(asked, child, monkeypatch):
    monkeypatch.setattr(papers, "find_browser", lambda: None)
    answer = asked.client.get(f"{child}/files/referral.zip")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == [
            f"referral/{one}" for one in ("referral.fhir.json", "referral.html", "patient.toml")
        ]
        assert archive.read("referral/patient.toml").decode() == file_of(asked, child)
        assert json.loads(archive.read("referral/referral.fhir.json"))["resourceType"] == "Bundle"


def test_without_a_browser_there_is_no_pdf_and_the_page_says_what_to_do(asked, child, monkeypatch):
    monkeypatch.setattr(papers, "find_browser", lambda: None)
    monkeypatch.setattr(pages, "find_browser", lambda: None)
    answer = asked.client.get(f"{child}/files/referral.pdf")
    assert answer.status_code == 422 and "there is no PDF" in answer.text
    page = asked.client.get(f"{child}/papers").text
    assert "there is no PDF" in page and "referral.pdf" not in page


@pytest.mark.parametrize("name", ["x.html", "..%2f..%2fjobs.db", "jobs.db", "patient.toml", "referral.html%00", ""])
def test_no_other_file_is_given(asked, child, name):
    assert asked.client.get(f"{child}/files/{name}").status_code in (404, 422)


def test_the_checklist_shows_what_is_at_hand(fresh):
    there = begun(fresh)
    step(fresh, there, "records", record=["scans"])
    told = fresh.client.get(f"{there}/papers.json").json()["data"]
    assert [one["there"] for one in told["records"]] == [one == "scans" for one in RECORDS]
    assert fresh.client.get(f"{there}/papers").text.count('<li class="there">') == 1


def test_a_name_cannot_bring_markup_or_a_formula(asked):
    there = begun(asked, name="<img src=x onerror=alert(1)>=cmd()")
    for part in (*PARTS, "/intake/who", "/files/referral.html"):
        assert "<img" not in asked.client.get(there + part).text
    assert "<img" not in asked.client.get("/").text


def test_the_family_gets_its_page_from_the_same_facts(fresh):
    there = begun(fresh)
    answer = fresh.change(f"{there}/family", {"product": "tisagenlecleucel"})
    assert re.fullmatch(r"/family/\w{16}", answer.headers["location"])
    assert "Your child’s path" in fresh.client.get(answer.headers["location"]).text
    assert fresh.change(f"{there}/family", {"product": "axicabtagene_ciloleucel"}).status_code == 422
    assert fresh.change(f"{there}/family", {"product": "../../x.toml"}).status_code == 422


def test_removed_is_removed(fresh):
    there = begun(fresh)
    assert fresh.change(f"{there}/remove").headers["location"] == "/referral"
    for part in (*PARTS, "/intake/who", "/files/referral.zip"):
        assert fresh.client.get(there + part).status_code == 404
    assert step(fresh, there, "who", weight="3").status_code == 404
    assert not list(fresh.parts.workspace.inputs.iterdir())


def test_an_unknown_step_is_told(asked, child):
    assert asked.client.get(f"{child}/intake/nothing").status_code == 404
    assert step(asked, child, "nothing").status_code == 404


def test_fields_of_an_unreadable_text_are_empty_and_there():
    assert [one.value for one in fields("name = ", ("name", "age"))] == ["", ""]


def test_choices_and_antigens_speak_the_language_of_the_page(asked, child):
    asked.client.headers["accept-language"] = "ru"
    try:
        who, markers = (asked.client.get(f"{child}/intake/{one}").text for one in ("who", "markers"))
        disease = asked.client.get(f"{child}/intake/disease").text
    finally:
        asked.client.headers["accept-language"] = "en"
    assert '<option value="female">женский</option>' in who and ">male<" not in who
    assert markers.count("молекул на клетку") >= 6, "what is typed of an antigen is said"
    assert ">month<" not in disease and ">day<" not in disease
