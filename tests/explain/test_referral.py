"""The papers of a referral: what they tell, what they never tell, and the bundle that our own reader reads back."""

import datetime
import json
import re
import shutil
import stat
import subprocess
import sys

import pytest
from fhir.resources.R4B.bundle import Bundle
from readability import text_of

from vein2vein.cards import parse_card
from vein2vein.clinic.care.label_card import all_labels
from vein2vein.errors import InputError
from vein2vein.explain import facts, referral
from vein2vein.explain.languages import all_languages, find_language, read_catalog
from vein2vein.explain.print_page import find_browser, print_pdf
from vein2vein.explain.referral_bundle import bundle_of
from vein2vein.explain.referral_page import referral_page, write_referral
from vein2vein.io.record.fhir.bundle import read_entries
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.record import Log
from vein2vein.therapy.product import find_product
from vein2vein.therapy.referral import RECORDS

MADE = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
CHILD = """
name = "A. Child"
disease = "pediatric_b_all"
age = "11 years"
weight = "39 kg"
marrow_blasts = "40 %"
lymphocytes = "1.1 10^9/L"
[antigens]
CD19 = 12000
[baseline]
ferritin = "1200 ug/L"
[history]
relapses = 2
[referral]
navigator = "Ana Ruiz, +1 555 0100"
found = "2023-04"
treatments = ["2023: induction, complete remission", "2025: blinatumomab, complete remission"]
measured = "2026-11-20"
records = ["letter", "marrow"]
"""


def a_case(text=CHILD, product=None):
    return referral.case_of(parse_card(text, "p.toml"), MADE.date(), product)[0]


def page_of(case, code="en"):
    return referral_page(case, catalog=read_catalog(code), made=MADE)


def told(rows):
    return {row.title: row.value for row in rows}


# ---------------------------------------------------------------- what is told, and what is not guessed


def test_what_the_card_tells_stands_in_the_letter():
    case = a_case()
    found = told([*referral.who(case), *referral.course(case), *referral.history(case), *referral.values(case)])
    assert found["name"] == "A. Child" and found["weight"] == "39 kg" and found["found"] == "2023-04"
    assert found["line 2"] == "2025: blinatumomab, complete remission"
    assert found["blasts in marrow (leukemia)"] == "40 %" and found["Ferritin"] == "1200 ug/L"
    assert found["CD19 on the tumor, newest sample"] == "12000 molecules per cell"


def test_what_labels_ask_and_who_can_be_reached_stand_in_the_letter():
    case = a_case(CHILD.replace("relapses = 2", "relapses = 2\nprimary_refractory = false\nmonths_from_transplant = 7"))
    found = told([*referral.who(case), *referral.history(case)])
    assert found["Relapses so far, of any site"] == "2" and found["contact"] == "Ana Ruiz, +1 555 0100"
    assert found["Leukemia: no remission after the first induction (two cycles)"] == "no"
    assert found["Months from the transplantation to the infusion"] == "7 month"
    assert "Relapse after an allogeneic transplantation" not in found, "what is missing stands with the criteria"


def test_what_the_card_does_not_tell_is_to_be_obtained_and_never_the_median_of_a_population():
    case = a_case()
    found = told([*referral.who(case), *referral.course(case), *referral.history(case), *referral.values(case)])
    for title in (
        "sex", "height", "earlier lines of therapy", "blinatumomab before", "T cells (CD3+) in blood",
        "creatinine clearance, per 1.73 m2", "state now", "performance status (Lansky)", "Platelets",
    ):  # fmt: skip
        assert found[title] == "", title
    assert case.patient.height[0] > 0  # the model has one; the letter has not
    said = text_of(page_of(case))
    assert said.count("to obtain") >= sum(not value for value in found.values())
    assert f"{case.patient.height[0]:g} cm" not in said and not re.search(r"\bNone\b|\bnan\b", said)


def test_a_bare_card_has_a_page_and_a_bundle():
    case = a_case('disease = "mm"\nage = 61\nweight = 80\n')
    said = text_of(page_of(case, "es"))
    assert "Date of birth: ____________" in said and "Name: ________________" in said
    assert [one["resource"]["resourceType"] for one in bundle_of(case, MADE)["entry"]] == [
        "Patient", "Condition", "Observation", "Observation",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "state"),
    [("relapses = 2", "met"), ("relapses = 1\nprimary_refractory = false\nrefractory_relapse = false", "not met"),
     ("relapses = 1", "unknown")],
)  # fmt: skip
def test_criteria_are_met_not_met_or_unknown_with_what_settles_them(told, state):
    case = a_case(CHILD.replace("relapses = 2", told).replace('age = "11', 'prior_lines = 3\nage = "11'))
    kymriah = next(one for one in case.labels if one.brand == "Kymriah")
    said = text_of(page_of(case))
    assert {1: "met", 0: "not met", -1: "unknown"}[kymriah.state] == state
    assert f"tisagenlecleucel (Kymriah) : {state}" in said
    assert ("to obtain : history." in said) == (state == "unknown")
    assert [one.brand for one in case.products] == ([] if state == "not met" else ["Kymriah"])


def test_every_label_is_judged_and_none_is_named_as_a_decision():
    case = a_case()
    said = text_of(page_of(case))
    assert {one.product for one in case.labels} == set(all_labels())
    assert "no statement of eligibility" in said and "not a medical device" in said and "the center decides" in said
    assert not re.search(r"is eligible|qualifies|will be treated", said)


def test_a_product_without_a_label_is_refused():
    with pytest.raises(InputError, match="Without a label nothing is judged"):
        a_case(product=find_product("cd22_car"))


def test_a_label_that_has_lapsed_is_told_in_one_sentence(monkeypatch):
    from dataclasses import replace

    from vein2vein.clinic.care import labels

    lapsed = {name: replace(one, ends="2026-11-29") for name, one in all_labels().items()}
    monkeypatch.setattr(labels, "all_labels", lambda: lapsed)
    case = a_case()
    said = text_of(page_of(case))
    assert case.products == () and "was in force until 2026-11-29: no use of it is judged" in said
    assert "Time line of the stay" not in said


def test_a_disease_that_only_labels_know_has_papers():
    case = a_case('disease = "mzl"\nage = 61\nweight = 80\nprior_lines = 2\n[history]\nrelapses = 1\n')
    assert [one.brand for one in case.products] == ["Breyanzi"]
    assert "marginal zone lymphoma" in text_of(page_of(case))


# ---------------------------------------------------------------- the family's part


@pytest.mark.parametrize("code", list(all_languages()))
def test_the_family_reads_its_language_with_english_beside_it(code):
    catalog = read_catalog(code)
    page = page_of(a_case(), code)
    said = text_of(page)
    assert all(line in said for line in catalog.child_lists["refer_letter"])
    assert catalog.text["refer_cost_title"] in said and catalog.lists["refer_cost"][0] in said
    assert "Ana Ruiz, +1 555 0100" in said
    assert (page.count('class="beside"') > 60) == (code != "en")
    assert '<span lang="en" dir="ltr" class="english">' not in page  # nothing fell back to English
    assert f'dir="{catalog.direction}"' in page and "Markup" not in said and "{" not in said


@pytest.mark.parametrize("code", [code for code in all_languages() if code != "en"])
def test_numbers_beside_each_other_are_equal(code):
    page = page_of(a_case(), code)
    pairs = re.findall(
        r'<span class="own">(.*?)</span> <span class="beside" lang="en" dir="ltr">(.*?)</span></span>', page
    )
    assert len(pairs) > 60
    for own, english in pairs:
        bare = [re.sub(r"<[^>]*>", "", one).replace(",", ".") for one in (own, english)]
        assert sorted(re.findall(r"\d+(?:\.\d+)?", bare[0])) == sorted(re.findall(r"\d+(?:\.\d+)?", bare[1])), own


def test_every_record_of_the_checklist_has_words_and_those_at_hand_are_ticked():
    assert {f"record_{name}" for name in RECORDS} == {k for k in read_catalog("en").text if k.startswith("record_")}
    assert page_of(a_case()).count('<li class="there">') == 2


def test_centers_are_found_by_names_and_nothing_is_ranked_called_or_priced():
    case = a_case('disease = "lbcl"\nage = 61\nweight = 80\nprior_lines = 2\n')
    names, neutral = referral.finders(case)
    assert names == sorted(names) and len(names) == 3 and "FACT" in neutral
    said = text_of(page_of(case))
    assert all(name in said for name in names)
    assert not re.search(r"https?://|www\.|[$€£]|\d{3}[-. ]\d{4}", said)
    known = referral.texts().table("finders")
    assert set(all_labels()) <= set(known)


def test_a_label_whose_newest_text_was_not_read_says_so_beside_the_number_of_the_others():
    said = text_of(page_of(a_case('disease = "adult_b_all"\nage = 61\nweight = 80\n', find_product("aucatzyl"))))
    words = read_catalog("en").text
    assert "4 weeks" in said and "8 weeks" in said and words["unverified"] in said
    assert re.search(r"Other labels of this kind ask for 2 weeks ?\.", said)


def test_the_stay_is_said_to_be_from_memory():
    said = text_of(page_of(a_case()))
    assert "plan 2 to 3 months" in said and "from memory and not from a label" in said
    assert facts.numbers().get("stay", "low", "how") == "assumed"


# ---------------------------------------------------------------- the bundle


def test_the_bundle_is_read_back_without_a_fault():
    text = json.dumps(bundle_of(a_case(), MADE))
    log = Log("bundle.json")
    found = {entry.name: (entry.value, str(entry.time)) for entry in read_entries(text, TableMapping(), log)}
    assert list(log.items) == []
    assert found == {
        "disease": ("pediatric_b_all", "None"), "weight": (39.0, "2026-11-20"), "marrow_blasts": (40.0, "2026-11-20"),
        "lymphocytes": (1.1, "2026-11-20"), "ferritin": (1200.0, "2026-11-20"),
        "age": (11.0, "2026-11-30 12:00:00+00:00"),
    }  # fmt: skip


def test_the_bundle_is_valid_and_holds_what_was_asked_for():
    bundle = bundle_of(a_case(), MADE)
    Bundle.model_validate(bundle)
    kinds = [one["resource"]["resourceType"] for one in bundle["entry"]]
    assert kinds == ["Patient", "Condition", *["Procedure"] * 2, *["Observation"] * 7, *["DocumentReference"] * 2]
    assert "birthDate" not in json.dumps(bundle)


def resources(text, kind):
    bundle = bundle_of(a_case(text), MADE)
    Bundle.model_validate(bundle)
    return [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == kind]


def test_the_disease_has_its_title_and_no_state_that_nobody_entered():
    text = CHILD.replace('found = "2023-04"', 'found = "2023-04"\nstate = "second relapse, 40 % blasts"')
    (disease,) = resources(text, "Condition")
    assert disease["code"]["text"] == "B-cell acute lymphoblastic leukemia of children and young adults"
    assert "clinicalStatus" not in disease and "verificationStatus" not in disease
    notes = [{"text": "found 2023-04"}, {"text": "state now: second relapse, 40 % blasts"}]
    assert disease["note"] == notes
    assert "note" not in resources('disease = "mm"\nage = 61\nweight = 80\n', "Condition")[0]


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        ("2023-05 to 2024-01: R-CHOP, CR", "completed", {"performedPeriod": {"start": "2023-05", "end": "2024-01"}}),
        ("2026-05 - 2026-11: R-CHOP, CR", "unknown", {"performedPeriod": {"start": "2026-05", "end": "2026-11"}}),
        ("2026-10 to 2027-01: R-CHOP, CR", "unknown", {"performedPeriod": {"start": "2026-10", "end": "2027-01"}}),
        ("2025-02-28: R-CHOP, CR", "unknown", {"performedDateTime": "2025-02-28"}),
        ("2025-13: R-CHOP, CR", "unknown", {}),
        ("2025-02-30: R-CHOP, CR", "unknown", {}),
        ("spring of 2025: R-CHOP, CR", "unknown", {}),
    ],
)
def test_each_line_of_treatment_stands_in_the_bundle_with_its_dates(line, status, told):
    lines = resources(CHILD.replace("2023: induction, complete remission", line), "Procedure")
    first = lines[0]
    assert first["status"] == status and first["category"]["text"] == "line of treatment 1" and len(lines) == 2
    assert {key: value for key, value in first.items() if key.startswith("performed")} == told
    assert first["code"] == {"text": "R-CHOP, CR" if told else line}


def test_age_antigens_treatments_before_and_the_navigator_stand_in_the_bundle():
    text = CHILD.replace("CD19 = 12000", 'CD19 = "positive"\nCD22 = 900').replace(
        "[antigens]", "prior_lines = 2\nprior_hsct = false\n[last_given]\nvincristine = 20\n[antigens]"
    )
    found = {one["code"]["text"]: one for one in resources(text, "Observation")}
    assert found["age at collection"]["valueQuantity"]["code"] == "a"
    assert found["age at collection"]["valueQuantity"]["value"] == 11
    assert found["CD19 on the tumor, newest sample"]["valueCodeableConcept"] == {"text": "positive"}
    assert found["CD22 on the tumor, newest sample"]["valueQuantity"]["unit"] == "molecules/cell"
    assert found["Relapses so far, of any site"]["valueInteger"] == found["earlier lines of therapy"]["valueInteger"]
    assert found["allogeneic transplant before"]["valueBoolean"] is False
    assert "blinatumomab before" not in found, "unknown stays unknown"
    (last,) = resources(text, "MedicationStatement")
    assert last["medicationCodeableConcept"]["text"] == "vincristine" and "20 days" in last["note"][0]["text"]
    (patient,) = resources(text, "Patient")
    assert patient["contact"][0]["name"]["text"] == "Ana Ruiz, +1 555 0100"


def test_what_a_card_tells_is_never_taken_for_what_happens_on_the_ward():
    text = CHILD.replace("relapses = 2", "relapses = 2\nmonths_from_transplant = 7")
    text = text.replace("[antigens]", "prior_hsct = true\n[last_given]\nvincristine = 20\n[antigens]")
    log = Log("bundle.json")
    found = {entry.name for entry in read_entries(json.dumps(bundle_of(a_case(text), MADE)), TableMapping(), log)}
    assert found == {"disease", "weight", "marrow_blasts", "lymphocytes", "ferritin", "age"} and list(log.items) == []


def test_where_the_family_lives_and_what_it_speaks_stand_in_the_letter_and_the_bundle():
    case = a_case(CHILD + 'home = "Lima, Peru"\nlanguage = "Español"\n')
    assert told(referral.who(case))["lives in"] == "Lima, Peru"
    bundle = bundle_of(case, MADE)
    Bundle.model_validate(bundle)
    patient = bundle["entry"][0]["resource"]
    assert patient["address"] == [{"text": "Lima, Peru"}]
    language = {"coding": [{"system": "urn:ietf:bcp:47", "code": "es"}], "text": "Spanish"}
    assert patient["communication"] == [{"language": language, "preferred": True}]
    with pytest.raises(InputError, match="unknown language 'Klingon'") as found:
        a_case(CHILD + 'language = "Klingon"\n')
    assert found.value.field == "referral.language" and found.value.line


def test_centers_known_by_name_are_examples_in_the_order_of_the_alphabet():
    said = text_of(page_of(a_case()))
    names = referral.examples()
    assert names == sorted(names) and len(names) == 3 and all(name in said for name in names)
    assert "no advice and no ranking" in said and read_catalog("en").lists["refer_kinds"][0] in said


def test_values_without_a_day_are_dated_by_when_the_papers_were_issued():
    bundle = bundle_of(a_case(CHILD.replace('measured = "2026-11-20"', "")), MADE)
    values = [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Observation"]
    assert all("effectiveDateTime" not in one and one["issued"] == "2026-11-30T12:00:00+00:00" for one in values)
    log = Log("bundle.json")
    assert len(read_entries(json.dumps(bundle), TableMapping(), log)) == 6 and list(log.items) == []


# ---------------------------------------------------------------- the files, the printer


def test_the_papers_are_written_and_not_overwritten(tmp_path):
    case, spanish = a_case(), find_language("Spanish")
    written = write_referral(case, tmp_path / "r", catalog=spanish, made=MADE)
    assert written.printed is None and sorted(p.name for p in (tmp_path / "r").iterdir()) == [
        "referral.fhir.json", "referral.html",
    ]  # fmt: skip
    with pytest.raises(InputError, match="--force"):
        write_referral(case, tmp_path / "r", catalog=spanish, made=MADE)
    write_referral(case, tmp_path / "r", catalog=spanish, made=MADE, force=True)


def a_browser(tmp_path, body):
    """A program that stands in for a browser."""
    path = tmp_path / "browser"
    path.write_text(f"#!{sys.executable}\nimport sys\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script with a first line that names Python")
def test_a_browser_prints_the_page_without_a_network_and_with_a_profile_of_its_own(tmp_path):
    asked = tmp_path / "asked.txt"
    body = (
        "target = next(a for a in sys.argv if a.startswith('--print-to-pdf='))[15:]\n"
        f"open({str(asked)!r}, 'w').write('\\n'.join(sys.argv))\nopen(target, 'w').write('%PDF')"
    )
    browser = find_browser(a_browser(tmp_path, body))
    written = write_referral(a_case(), tmp_path / "r", catalog=read_catalog("en"), made=MADE, browser=browser)
    assert written.printed.read_text() == "%PDF"
    said = asked.read_text()
    assert "MAP * ~NOTFOUND" in said and "--user-data-dir=" in said and written.page.as_uri() in said


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script with a first line that names Python")
def test_a_browser_that_prints_nothing_is_told_in_one_sentence(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("x")
    with pytest.raises(InputError, match=r"printed nothing; print .* by hand"):
        print_pdf(page, tmp_path / "page.pdf", a_browser(tmp_path, "pass"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["browser", "page.html"]


def test_a_browser_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="no browser 'lynxx'"):
        find_browser("lynxx")


@pytest.mark.skipif(find_browser() is None or not shutil.which("pdfinfo"), reason="no browser of the Chromium family")
@pytest.mark.slow
def test_the_pages_fit_their_paper(tmp_path):
    written = write_referral(a_case(), tmp_path, catalog=read_catalog("fr"), made=MADE, browser=find_browser())
    said = subprocess.run(["pdfinfo", written.printed], capture_output=True, text=True, check=True).stdout
    assert int(re.search(r"Pages:\s+(\d+)", said)[1]) <= 7 and "A4" in said


def test_two_patients_are_never_one_in_a_system_that_takes_both_bundles():
    first, second = bundle_of(a_case(), MADE), bundle_of(a_case(CHILD.replace("A. Child", "B. Child")), MADE)
    addresses = [{one["fullUrl"] for one in bundle["entry"]} for bundle in (first, second)]
    assert not addresses[0] & addresses[1] and len(addresses[0]) == len(first["entry"])
    for bundle in (first, second):
        patient = bundle["entry"][0]["fullUrl"]
        assert {one["resource"]["subject"]["reference"] for one in bundle["entry"][1:]} == {patient}
    assert bundle_of(a_case(), MADE) == first


def test_an_observation_says_in_words_what_it_is():
    bundle = bundle_of(a_case(CHILD.replace("[baseline]", "[baseline]\nlvef = 62")), MADE)
    codes = [one["resource"]["code"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Observation"]
    assert "Left ventricular ejection fraction" in [one["text"] for one in codes] and all(one["text"] for one in codes)
